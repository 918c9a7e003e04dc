package githubsim

// What stands around the core: state of checks, statuses, deployments,
// comments, releases, teams, deliveries and the journal. The core (model.go)
// only holds these structs; the files that fill them own their fields.

// CheckHabits are GitHub's habits with checks, statuses and deployments.
type CheckHabits struct{}

func defaultCheckHabits() CheckHabits { return CheckHabits{} }

// serverActivity is state of the whole server, guarded by Server.mu.
type serverActivity struct{}

// repositoryActivity is state of one repository, guarded by Server.mu.
type repositoryActivity struct{}

// issueActivity is state of one issue or pull request, guarded by Server.mu.
type issueActivity struct{}

// contextVerdict says how one required check stands on a commit.
type contextVerdict int

const (
	contextAbsent  contextVerdict = iota // no check run or status of that name
	contextPending                       // reported, not finished
	contextFailed                        // finished, not a success
	contextPassed                        // success, neutral or skipped
)

// requiredContext tells how the required check name stands on sha. A non-zero
// app accepts only what that App reported. Called with Server.mu held.
func (s *Server) requiredContext(_ *repository, _ string, _ string, _ int64) contextVerdict {
	return contextAbsent
}
