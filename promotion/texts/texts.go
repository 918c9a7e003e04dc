// Package texts is everything people read: pull requests, commit messages and
// check runs, from the same decisions that the loop acts on.
//
// It is pure, and everything that comes from a repository is escaped for
// Markdown: a folder's name or a commit's subject can neither mention a person,
// nor break a table, nor begin a trailer.
package texts

import (
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/calendar"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// Promotion is all that a promotion's texts are made of.
type Promotion struct {
	Repository promotion.Repository
	Pipeline   *config.Pipeline
	Config     *config.Environment
	State      state.Promotion
	// Decision is the newest one: gates, content, reason.
	Decision promotion.Decision
	// Brings are the first-parent commits that changed the upstream since what
	// the environment had, newest first; More counts those left out.
	Brings []promotion.Commit
	More   int
	// Before is the upstream's commit that the environment had, for the compare link.
	Before string
	Way    []Step
	Now    time.Time
	// Verdict is the upstream's on the landing that is carried; nil where nothing
	// is verified there, or it is not known any more.
	Verdict *state.Verdict
	// Rollback says more where State.Reverts is set.
	Rollback Rollback
	// Actions are the commands that apply to the environment now.
	Actions []promotion.Applies
	// Holidays are what the files say that windows name, by path; Shut says why one
	// could not be read.
	Holidays map[string][]calendar.Day
	Shut     map[string]string
}

// Rollback is what the texts of a rollback say beside the promotion itself. What
// is not known may be left out.
type Rollback struct {
	// Landing is what is taken back, as the environment's ledger has it.
	Landing *state.Landing
	// Verdict and Failure are those that it is taken back for: this environment's,
	// or those of the environment that Reverts.Cause names.
	Verdict *state.Verdict
	Failure *state.Failure
	// Hold is this environment's; nil: it is not held.
	Hold *state.Hold
	// Later are the commits since the landing that changed the environment's
	// folder, newest first; they stay. LaterMore counts those left out; nil: it is
	// not known whether there are any.
	Later     []promotion.Commit
	LaterMore int
	// Elsewhere is where the revision that is taken back has got to in the other
	// environments.
	Elsewhere []Step
	// People are told by a mention: logins, and org/team for teams.
	People []string
}

// Step is one environment of a pipeline on the way of a revision.
type Step struct {
	Environment string
	Standing    promotion.Standing
	// Carries says that the environment has the revision; At since when.
	Carries     bool
	At          time.Time
	Commit      string // landed commit
	PullRequest int
	URL         string
	Reason      string
	Attempts    []state.Rebuild // to get there, before the one that did
	Here        bool            // the environment that the text is about
	// Verification is where the verification of what landed there stands; nil
	// where nothing is verified.
	Verification *promotion.Verification
	// Failure is the environment's, where it is one of this revision.
	Failure *state.Failure
	// Hold is the environment's; nil: it is not held.
	Hold *state.Hold
	// Rollback is the promotion that takes the revision back there, under way or
	// ended; TakenBack is the commit that took it back, whoever made it.
	Rollback  *state.Promotion
	TakenBack string
	// Actions are the commands that apply to the environment now and are about
	// the revision.
	Actions []promotion.Applies
	// Waits is the first gate that keeps the revision from landing there; nil:
	// none is known. Zone is its clock's, Asked since when it is waited for.
	Waits *promotion.Gate
	Zone  *time.Location
	Asked time.Time
	// Line of the pipeline file says what is waited for; 0: none does.
	Line int
	// Passed says that the environment has taken something newer instead.
	Passed bool
}

// Check is a check run's text: title, summary and text within GitHub's limits
// of 65,535 characters, and its buttons.
type Check struct {
	Status, Conclusion   string
	Title, Summary, Text string
	Buttons              []Button
}

// Revision is all that the check run on a revision's commit is made of.
type Revision struct {
	Repository promotion.Repository
	Commit     string
	Now        time.Time
	// Pipelines are those in which the revision is, with all their environments.
	Pipelines []RevisionPipeline
}

// RevisionPipeline is one pipeline's way of a revision.
type RevisionPipeline struct {
	Pipeline *config.Pipeline
	Steps    []Step
}

// Foreign is a person's pull request that touches what promobot looks at.
type Foreign struct {
	Repository promotion.Repository
	Number     int
	// Reaches are the pipelines' environments whose projection it changes, and
	// onward where merging it would be promoted.
	Reaches []Reach
	// Shared are changed files that several environments render at once, with
	// how many environments each folder reaches.
	Shared map[string]int
	// File is set when it changes the pipeline file.
	File *FileChange
}

// Reach is one environment that a pull request changes.
type Reach struct {
	Pipeline    string
	Environment string
	Onward      []string // environments it would be promoted to, in order
	Mode        config.Mode
}

// FileChange is a pull request's change of the pipeline file.
type FileChange struct {
	Problems config.Problems
	Effects  []string // what would change, from config's Diff
}
