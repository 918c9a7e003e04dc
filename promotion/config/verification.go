package config

// What has to hold after a landing, what happens when it does not, when
// promotions may land, and who may say so: the types that the pipeline file's
// verify, on_failure, rollback, windows, approval and commands become.

import (
	"time"

	"github.com/promobot/promobot/promotion/calendar"
)

// Verify is what must hold after a landing before it travels on. At least one of
// Checks, Deployments and Workflows is asked for.
type Verify struct {
	Checks      *Evidence // check runs and commit statuses, by name
	Deployments *Evidence // others' GitHub deployments, by environment name
	Workflows   *Evidence // GitHub Actions workflows, by name or file name
	// Timeout is how long after the landing all must hold, soak included.
	Timeout time.Duration
	// Soak is how long all must have held, as observed.
	Soak time.Duration
	// Continue lets newer promotions land while it soaks (while_soaking: continue).
	Continue bool
	// RedFor is how long a failure must last to decide.
	RedFor    time.Duration
	OnTimeout OnTimeout
	// Hints lets a failing check choose among the failure policy's steps.
	Hints bool
	Line  int
}

// Evidence names what speaks for a landing.
type Evidence struct {
	// Names are what [MatchesName] takes: exact names, or patterns in which *
	// stands for any part.
	Names []string
	// Any says that one of them is enough; otherwise all must hold. A glob stands
	// for all that it matches, and for at least one.
	Any bool
	// App is the slug of the App that must report it; "" for anyone but promobot.
	App  string
	Line int
}

// OnTimeout is what a verification comes to whose time is over.
type OnTimeout string

// What a timeout comes to.
const (
	TimeoutFails  OnTimeout = "fail"
	TimeoutPasses OnTimeout = "pass"
	TimeoutHolds  OnTimeout = "hold" // neither: a person decides
)

// StepKind is what a step of the failure policy does.
type StepKind string

// The steps of a failure policy.
const (
	Restart   StepKind = "restart"
	Repromote StepKind = "repromote"
	Rollback  StepKind = "rollback"
	Run       StepKind = "run"
	Halt      StepKind = "halt"
)

// FailureKind is what failed.
type FailureKind string

// What can fail.
const (
	PushFailed         FailureKind = "push"
	MergeFailed        FailureKind = "merge"
	VerificationFailed FailureKind = "verification"
	TimedOut           FailureKind = "timeout"
)

// Step is one step of a failure policy (on_failure).
type Step struct {
	Do StepKind
	// Limit is how often it is taken for one promotion; Backoff how long after the
	// failure, or after the step before, at the earliest.
	Limit   int
	Backoff time.Duration
	When    []FailureKind
	Scope   Scope
	Run     *Recovery // with run
	Line    int
}

// Scope is how far a rollback reaches.
type Scope string

// The scopes of a rollback.
const (
	ScopeEnvironment Scope = "environment"
	ScopeDownstream  Scope = "downstream"
	ScopeAll         Scope = "all" // every environment of the pipeline that carries the revision
)

// Recovery is the user's own recovery: a workflow or a repository_dispatch.
type Recovery struct {
	Workflow string            // file name of a workflow with workflow_dispatch, or ""
	Event    string            // event_type of a repository_dispatch, or ""
	Ref      string            // branch the workflow runs on; "" for the default branch
	Inputs   map[string]string // added to the promotion's particulars
	// Idempotent says that it may be sent again when its fate is not known.
	Idempotent bool
	Timeout    time.Duration // for its result
}

// Window is when promotions may land, by name.
type Window struct {
	Name string
	calendar.Window
	// Holidays is the path of an iCalendar file on the default branch, or "".
	Holidays string
	Line     int // of its definition
}

// Right is the least repository role a command asks for, or a team's membership.
type Right struct {
	Role string // read, triage, write, maintain or admin
	Team string // org/team; any of its members, instead of a role
}

// Commands are the settings of comment commands.
type Commands struct {
	// Rights by command, as far as they were said; see [Commands.Asks].
	Rights map[string]Right
	// Bots are logins of bots whose comments count.
	Bots []string
	// Aliases are words that stand for a command with arguments; the first word
	// of each is the name of a command.
	Aliases map[string]string
}
