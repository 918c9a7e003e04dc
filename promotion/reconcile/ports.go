// Package reconcile is the loop: observe, decide, act. It is level-triggered
// and safe to repeat: a pass looks at a whole repository, decides on that
// snapshot alone, and every step it takes is a compare-and-swap on a ledger or
// a look before a write, so that any number of passes, in any number of
// processes, stopped at any point, come to the same result.
package reconcile

import (
	"context"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
)

// GitHub is what the loop needs of one repository on GitHub. Errors are
// promotion.ErrConflict, promotion.ErrNotFound, *promotion.RefusedError,
// *promotion.LimitedError, or anything else for "no answer: it may or may not
// have happened".
type GitHub interface {
	Repository(ctx context.Context) (promotion.Repository, error)
	// OpenPullRequests lists all open pull requests, all pages; it may lag
	// behind writes. Mergeable and Commits are not filled.
	OpenPullRequests(ctx context.Context) ([]promotion.PullRequest, error)
	// PullRequest reads one by itself, with ClosedBy where it was closed and
	// Messages where it was merged with several commits.
	PullRequest(ctx context.Context, number int) (promotion.PullRequest, error)
	// PullRequestsForHead lists the App's own pull requests of a branch of this
	// repository in any state; it may lag behind writes.
	PullRequestsForHead(ctx context.Context, branch string) ([]promotion.PullRequest, error)
	CreatePullRequest(ctx context.Context, n NewPullRequest) (promotion.PullRequest, error)
	EditPullRequest(ctx context.Context, number int, title, body string) error
	ClosePullRequest(ctx context.Context, number int) error
	// MergePullRequest merges if the head still is the expected one.
	MergePullRequest(ctx context.Context, m MergeRequest) error
	// EnableAutoMerge has GitHub merge when its rules are met, and Enqueue puts
	// into the merge queue; promotion.ErrClean when there is nothing to wait for.
	// Asking twice is no error; nor is taking back what is not there.
	EnableAutoMerge(ctx context.Context, m MergeRequest) error
	DisableAutoMerge(ctx context.Context, number int) error
	Enqueue(ctx context.Context, number int, head string) error
	Dequeue(ctx context.Context, number int) error
	// MergeView is what only GraphQL tells of a pull request.
	MergeView(ctx context.Context, number int) (promotion.MergeView, error)
	// Rules are what a branch asks of pull requests.
	Rules(ctx context.Context, branch string) (promotion.Rules, error)
	// Checks are all check runs and statuses on a commit, the newest of each.
	Checks(ctx context.Context, commit string) ([]promotion.CheckResult, error)
	// Deployments are the newest statuses of others' deployments of a commit, and
	// WorkflowRuns the newest runs of each workflow on it.
	Deployments(ctx context.Context, commit string) ([]promotion.CheckResult, error)
	WorkflowRuns(ctx context.Context, commit string) ([]promotion.CheckResult, error)
	// OwnDeployments are promobot's own of an environment, newest first; of very
	// many, the newest hundred. DeploymentState is the state of the newest status of
	// one, "" without any. Refused where the App may not write deployments.
	OwnDeployments(ctx context.Context, environment string) ([]promotion.Deployment, error)
	DeploymentState(ctx context.Context, id int64) (string, error)
	// CreateDeployment makes one, and SetDeployment writes a status: in_progress,
	// success, failure, error or inactive. Neither changes any other deployment.
	CreateDeployment(ctx context.Context, d promotion.Deployment) (int64, error)
	SetDeployment(ctx context.Context, id int64, state, description, url string) error
	// DispatchWorkflow starts a workflow, and returns the run's id where GitHub
	// tells it; 0 where it does not. DispatchRepository sends a
	// repository_dispatch. Neither can be repeated without another effect.
	DispatchWorkflow(ctx context.Context, workflow, ref string, inputs map[string]string) (run int64, err error)
	DispatchRepository(ctx context.Context, event string, payload map[string]any) error
	// RunsSince lists a workflow's runs (all workflows': "") begun by a dispatch
	// since a time, newest first; Run reads one.
	RunsSince(ctx context.Context, workflow string, since time.Time) ([]promotion.WorkflowRun, error)
	Run(ctx context.Context, id int64) (promotion.WorkflowRun, error)
	// Comment reads one comment; promotion.ErrNotFound when it was deleted.
	Comment(ctx context.Context, id int64) (promotion.Comment, error)
	// CommentsOn lists an issue's or pull request's comments since a time.
	CommentsOn(ctx context.Context, issue int, since time.Time) ([]promotion.Comment, error)
	WriteComment(ctx context.Context, issue int, body string) (int64, error)
	EditComment(ctx context.Context, id int64, body string) error
	// React shows a reaction on a comment: eyes, confused, rocket or +1. Once is
	// as good as often.
	React(ctx context.Context, comment int64, reaction string) error
	// Permission is what someone may do in the repository.
	Permission(ctx context.Context, login string) (promotion.Permission, error)
	// InTeam says whether someone is an active member of org/team.
	InTeam(ctx context.Context, login, team string) (bool, error)
	// Versions lists what a source offers, newest first as far as GitHub orders it.
	Versions(ctx context.Context, src config.VersionSource) ([]promotion.Version, error)
	// CreateCommit has GitHub make and sign a commit over a tree that it has.
	CreateCommit(ctx context.Context, tree string, parents []string, message string) (promotion.SignedCommit, error)
	// ChangedFiles lists the paths that a pull request changes, all pages.
	ChangedFiles(ctx context.Context, number int) ([]string, error)
	// File reads a file at a commit; promotion.ErrNotFound when it is not there.
	File(ctx context.Context, commit, path string) ([]byte, error)
	// FallbackFile is the organisation's pipeline file for repositories without
	// one; promotion.ErrNotFound when there is none.
	FallbackFile(ctx context.Context) (text []byte, source string, err error)
	// CheckRuns lists the App's own check runs on a commit.
	CheckRuns(ctx context.Context, commit string) ([]CheckRun, error)
	// WriteCheckRun creates a check run (ID 0) or updates one, and returns its id.
	WriteCheckRun(ctx context.Context, c CheckRun) (int64, error)
	// CompleteCheckRun writes nothing but that a check run is completed, as it was.
	CompleteCheckRun(ctx context.Context, id int64, conclusion string) error
}

// NewPullRequest is a pull request to be opened. Labels, assignees and
// reviewers are asked for after it stands; reviewers with a slash are teams.
type NewPullRequest struct {
	Branch, Base, Title, Body    string
	Labels, Assignees, Reviewers []string
}

// MergeRequest is a merge to be made.
type MergeRequest struct {
	Number         int
	Head           string // the head it must still have
	Method         string // merge, squash or rebase
	Title, Message string // of the merge or squash commit
}

// CheckRun is one of promobot's check runs.
type CheckRun struct {
	ID          int64
	Name        string
	Commit      string
	Status      string // completed, or in_progress while merging must be blocked
	Conclusion  string // success, neutral or failure
	ExternalID  string // hash of what is shown, to know it again
	Title       string
	Summary     string
	Text        string
	Annotations []Annotation
	Actions     []CheckAction // its buttons, at most three
}

// CheckAction is a button of a check run, which GitHub shows once the run is
// completed. At most 20, 40 and 20 characters ("Create a check run", REST API
// documentation).
type CheckAction struct{ Label, Description, Identifier string }

// Annotation points at a line of a file in a pull request.
type Annotation struct {
	Path    string
	Line    int
	Message string
	Title   string
}

// Git is what the loop needs of one repository's git, as promotion/gitrepo
// gives it.
type Git interface {
	// Fetch brings heads and ledgers up to date, as one snapshot.
	Fetch(ctx context.Context) (promotion.Refs, error)
	// Chain is the first-parent history of tip, newest first, down to and
	// including stop ("" or a commit not on it: the whole).
	Chain(ctx context.Context, tip, stop string, limit int) ([]promotion.Commit, error)
	// Commits reads commits by id; unknown ones are absent.
	Commits(ctx context.Context, ids []string) (map[string]promotion.Commit, error)
	// Between are the first-parent commits after old up to new that touch paths.
	Between(ctx context.Context, older, newer string, paths []string, limit int) ([]promotion.Commit, error)
	// List is the files of folders at a commit.
	List(ctx context.Context, commit string, dirs []string) (content.Listing, error)
	// Paths are all file paths at a commit.
	Paths(ctx context.Context, commit string) ([]string, error)
	// Blobs reads blobs; fetched says whether the network was needed.
	Blobs(ctx context.Context, ids []string) (blobs content.Blobs, fetched bool, err error)
	// Commit makes commits from a base's tree and edits, locally.
	Commit(ctx context.Context, commits []promotion.NewCommit) (ids []string, err error)
	// Adopt writes a commit that GitHub made, and returns its id.
	Adopt(ctx context.Context, c promotion.SignedCommit) (string, error)
	// PushAt is when the pacing of pushes lets the next one through.
	PushAt() time.Time
	// Push pushes refs, each with its lease.
	Push(ctx context.Context, updates []promotion.RefUpdate, atomic bool) ([]promotion.PushResult, error)
}
