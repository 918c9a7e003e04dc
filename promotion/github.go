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
	App        int64  // that reported it; 0 for a commit status
	ByApp      bool   // promobot's own App reported it
	Status     string // queued, in_progress, completed, …; a status is completed or pending
	Conclusion string // success, failure, neutral, …; a status's success, failure, error
	URL        string // details
	Summary    string // the check run's title, or the status's description
	Time       time.Time
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
