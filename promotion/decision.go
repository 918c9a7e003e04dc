package promotion

import (
	"time"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// Standing is where an environment has got to, at a glance.
type Standing string

// The standings of an environment.
const (
	UpToDate     Standing = "up to date" // nothing newer is offered
	Source       Standing = "source"     // a first environment: people or builds write it
	Proposed     Standing = "proposed"   // its pull request waits for a person
	Waiting      Standing = "waiting"    // something has to happen or to be read first
	Merging      Standing = "merging"    // all gates are open
	Verifying    Standing = "verifying"  // what landed has to hold first
	Stopped      Standing = "stopped"    // a person is needed
	Rejected     Standing = "rejected"   // a person closed the pull request
	WouldPromote Standing = "observed"   // mode observe: what would be promoted
	Absent       Standing = "absent"     // the environment has nothing of this pipeline
)

// Gate is one thing that must hold before a promotion is merged.
type Gate struct {
	Name   string
	Passed bool
	Text   string // why it is open or shut, for people
	Line   int    // of the pipeline file it comes from; 0 when it comes from elsewhere
	// Waits says that only time or another environment is waited for: nothing is
	// for a person to do. Until is when it opens by itself, if that is known.
	Waits bool
	Until time.Time
	// Needs is what of GitHub has to be read before the gate can be judged: it is
	// shut until then.
	Needs []Need
}

// Need is something of GitHub that is read only where a merge depends on it.
type Need int

// What can be needed.
const (
	NeedPull   Need = iota + 1 // the pull request by itself
	NeedRules                  // the base branch's rules
	NeedChecks                 // the checks on the head
	NeedView                   // what only GraphQL tells
)

// Decision is what to do next in one environment, and why. The same decision
// feeds the pull request's text, the check runs, the log and the dry run.
type Decision struct {
	Key      Key
	Standing Standing
	Reason   string    // one sentence for people
	Until    time.Time // when to look again by itself; zero: the next event
	Action   Action    // nil when there is nothing to write
	// Retries says that it is the failure policy's answer to a refusal, and so is
	// done at once.
	Retries bool
	Offer   *Offer // what is offered, or what is under way
	Content *content.Result
	Gates   []Gate
}

// Offer is what an environment's upstreams offer it: definition 5.
type Offer struct {
	From    string // the upstream it is read from
	Landing Landing
	Others  map[string]string // landings of the other upstreams, by environment
}

// Action is one step. Each is safe to repeat: a compare-and-swap on the
// ledger, or a look before a write.
//
//sumtype:decl
type Action interface{ action() }

// Append writes one ledger entry and nothing else.
type Append struct {
	Kind     state.Kind
	Sentence string
	State    state.Environment
	// DeleteBranch is the head branch that has served its purpose, deleted with
	// the same push unless someone moved it on from DeleteHead.
	DeleteBranch, DeleteHead string
}

// Claim promotes: a ledger entry first, then the branch, then the pull request.
// With Moves, the pull request of the promotion under way is moved on instead.
type Claim struct {
	Promotion state.Promotion // without Base, Commit and Claimed, which acting fills in
	Previous  state.Environment
	Moves     bool
	Why       string // why now, for the entry
}

// Carry carries a claim on whose maker is gone: a ledger entry first, so that
// of several who want to only one does; then the branch where it is missing,
// and the pull request where there is none.
type Carry struct{ Promotion state.Promotion }

// Advance pushes the branch of a moved pull request, and brings its text up to date.
type Advance struct {
	Promotion state.Promotion
	Lease     string // the branch's head to be replaced
}

// Merge merges the pull request with the expected head, by one of the methods
// merge, squash and rebase.
type Merge struct {
	Promotion state.Promotion
	Method    string
}

// Deliver puts a promotion's commit on the base branch itself, together with
// its ledger entry or not at all.
type Deliver struct {
	Promotion state.Promotion // without Base, Commit and Claimed, which acting fills in
	Previous  state.Environment
	Why       string
}

// HandOver leaves the merge to GitHub: to its auto-merge or its merge queue.
type HandOver struct {
	Promotion state.Promotion
	Method    string
	Queue     bool
}

// TakeBack ends what HandOver began.
type TakeBack struct {
	Promotion state.Promotion
	Queue     bool
}

// Close closes the pull request whose closing the ledger announced.
type Close struct{ Promotion state.Promotion }

// Recover sends the user's own recovery, whose intent is in the ledger, or finds
// out whether it was sent.
type Recover struct {
	Taken state.Taken
	Step  config.Step
}

func (Recover) action()  {}
func (Append) action()   {}
func (Claim) action()    {}
func (Carry) action()    {}
func (Advance) action()  {}
func (Merge) action()    {}
func (Close) action()    {}
func (Deliver) action()  {}
func (HandOver) action() {}
func (TakeBack) action() {}
