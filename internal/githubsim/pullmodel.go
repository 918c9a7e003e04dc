package githubsim

// Pull requests and branch protection as the model holds them.

import "time"

// pull is what a pull request has beyond its issue.
type pull struct {
	*issue
	pullID    int64
	headRef   string // branch name
	headSHA   string
	baseRef   string
	baseSHA   string // the base's tip when the pull request was opened or its head last moved
	draft     bool
	reviewers []*user // asked and not yet answered
	teams     []*team // asked and not yet answered
	lastPush  *user   // who pushed the head last
	reviews   []*review
	mergedAt  time.Time
	mergedBy  *user
	mergeSHA  string // merge_commit_sha: the test merge, then the real one
	mergeable mergeState
	stats     pullStats
	facts     ruleFacts
	threads   int // unresolved conversations
	auto      *autoMerge
	history   []pullVersion
}

// mergeState is what is known about whether a pull request merges cleanly.
type mergeState struct {
	head, base           string // the tips it was computed for
	askedHead, askedBase string // the tips that someone read it for
	clean                bool
}

// pullStats are the counts of a pull request's diff, for one pair of tips.
type pullStats struct {
	head, base                  string
	commits, files, added, gone int
	known                       bool
}

// pullVersion is a pull request as it was from a moment on, for lists that lag.
type pullVersion struct {
	from time.Time
	was  *pull
}

// review of a pull request.
type review struct {
	id          int64
	author      *user
	body        string
	state       string // APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED, PENDING
	commit      string
	submittedAt time.Time
}

// protection of one branch (Managing a branch protection rule).
type protection struct {
	branch         string
	checks         []requiredCheck // nil: none required
	requireChecks  bool
	strict         bool // the head must contain the base's tip
	requireReviews bool
	approvals      int
	dismissStale   bool
	codeOwners     bool
	lastPush       bool
	enforceAdmins  bool
	linearHistory  bool
	forcePushes    bool
	deletions      bool
	conversations  bool
	signatures     bool
	methods        []string    // merge, squash, rebase; nil: all that the repository allows
	queue          *MergeQueue // nil: merges need no queue
	locked         bool        // read-only, for everyone
	noUpdates      bool        // nobody but those who bypass it, or pushers, may move the branch
	noCreations    bool
	pushers        []*user  // of a classic protection with noUpdates
	ruleset        *ruleset // nil: a classic protection of one branch
}

// requiredCheck is one required check; a non-zero app is the only one whose
// word counts.
type requiredCheck struct {
	context string
	app     int64
}
