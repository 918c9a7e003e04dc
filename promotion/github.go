package promotion

// What GitHub is asked besides pull requests, as values: the versions a source
// offers, the rules of a branch, and what speaks for or against a commit.

import "time"

// Version is one thing that a source of versions offers: a release, a tag, or
// what a repository_dispatch named.
type Version struct {
	Name       string    // as it is promoted: the tag without the source's prefix
	Target     string    // the commit or digest it names; "" when the source does not say
	Time       time.Time // published, tagged or received
	URL        string    // of a page about it; "" when there is none
	Prerelease bool      // GitHub's flag of a release; semantic versions say it by themselves
	Letter     string    // id of the event that brought it, for what cannot be listed
}

// Rules are what a base branch asks of a pull request before it may be merged,
// from rulesets and branch protection together.
type Rules struct {
	Checks         []RequiredCheck
	Strict         bool // the head must contain the base branch's tip
	PullRequests   bool // changes come by pull request only
	Approvals      int  // approving reviews by people who may write
	CodeOwners     bool
	ResolveThreads bool
	Signatures     bool     // commits must be signed
	Linear         bool     // no merge commits
	Methods        []string // merge, squash, rebase; nil allows all that the repository allows
	Queue          bool     // only the merge queue may merge
	Locked         bool     // nobody may push or merge (lock branch)
	Restricted     bool     // only those who bypass the rule may update the branch
}

// RequiredCheck is a check run or commit status that must succeed.
type RequiredCheck struct {
	Name string
	App  int64 // the App that must report it; 0 for any
}

// CheckResult is a check run or commit status on a commit, the newest of its
// name and App.
type CheckResult struct {
	Name       string
	Kind       ResultKind // "" for a check run or commit status
	App        int64      // that reported it; 0 for a commit status
	ByApp      bool       // promobot's own App reported it
	Status     string     // queued, in_progress, completed, …; a status is completed or pending
	Conclusion string     // success, failure, neutral, …; a status's success, failure, error
	URL        string     // details
	Summary    string     // the check run's title, or the status's description
	Time       time.Time
	Slug       string // of the App that reported it; "" for a commit status
	File       string // of a workflow: .github/workflows/NAME
	Commit     string // it was reported on
	Text       string // summary and text of a check run, cut to 4,000 bytes; for hints
}

// ResultKind is what reported a result besides check runs and commit statuses.
type ResultKind string

// The other kinds of results.
const (
	// DeploymentResult is the newest status of a deployment; Name is its
	// environment, Conclusion its state: success, failure, error, inactive; others
	// leave it empty, with Status pending.
	DeploymentResult ResultKind = "deployment"
	// WorkflowResult is a workflow run; Name is the workflow's name, File its path.
	WorkflowResult ResultKind = "workflow"
)

// Deployment is one of promobot's own deployments, which record what landed.
type Deployment struct {
	ID          int64 // 0 before it is created
	Environment string
	Commit      string // that landed
	Promotion   string // id of the promotion that landed it
	Description string
	Production  bool
}

// MergeView is what only GraphQL tells of a pull request.
type MergeView struct {
	Head      string
	Decision  string // reviewDecision: APPROVED, CHANGES_REQUESTED, REVIEW_REQUIRED, "" when no review is asked for
	AutoMerge bool   // GitHub will merge it by itself when the rules are met
	Queued    bool   // it stands in the merge queue
}

// SignedCommit is a commit that GitHub made and signed, with all that is needed
// to write the same object here ("Create a commit", REST API documentation:
// verification.payload and verification.signature).
type SignedCommit struct {
	ID        string
	Payload   string // the commit object without its signature
	Signature string // armored
}

// Comment is a comment on a pull request or issue.
type Comment struct {
	ID      int64
	Issue   int  // number of the pull request or issue
	Pull    bool // it is a pull request
	Body    string
	URL     string
	Author  string
	Bot     bool // its author is a bot or an App
	ByApp   bool // promobot's own App wrote it
	Created time.Time
	Edited  bool // since it was written
	Reacted bool // promobot has reacted to it
}

// Permission is what a person may do in the repository ("Get repository
// permissions for a user", REST API documentation).
type Permission struct {
	Role   string // role_name: read, triage, write, maintain, admin, or a custom role's name
	Folded string // permission: none, read, write or admin; maintain is folded into write, triage into read
}

// WorkflowRun is a run of a workflow.
type WorkflowRun struct {
	ID         int64
	Title      string // display_title
	Event      string
	Status     string // queued, in_progress, completed, …
	Conclusion string
	URL        string
	Created    time.Time
}
