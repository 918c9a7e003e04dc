package promotion

// The git side of a snapshot as values. promotion/gitrepo fills them from a
// mirror; the tests' model fills them from memory.

import (
	"time"

	"github.com/promobot/promobot/promotion/content"
)

// Refs maps full ref names (refs/heads/main, refs/promobot/…) to commit ids,
// as one advertisement of the remote showed them.
type Refs map[string]string

// Commit is one commit as read from a mirror.
type Commit struct {
	ID      string
	Tree    string
	Parents []string
	Author  Person
	Time    time.Time // committer date
	Message string    // whole, without the trailing newline
	// Changed are the repository paths that differ from the first parent (from
	// nothing for a root commit), without rename detection. Filled for commits
	// of a chain only.
	Changed []string
}

// Person is a git identity.
type Person struct {
	Name, Email string
}

// NewCommit is a promotion's commit to be made: a base commit's tree with edits.
type NewCommit struct {
	Base string // commit whose tree is edited; "" for the empty tree (ledger entries)
	// After stacks the commit: when above 0 it stands on the After-th commit of
	// the same call (1 is the first), which is its first parent and whose tree is
	// edited instead of Base's. Parents then are the parents after that one.
	After   int
	Edits   []content.Edit
	Parents []string
	Author  Person
	Time    time.Time
	Message string
}

// RefUpdate is one ref of a push with its lease: the push of this ref is
// refused unless the remote's ref is Old; Old "" means "must not exist"; New ""
// deletes.
type RefUpdate struct {
	Ref, Old, New string
}

// PushStatus says what became of one ref of a push, and so what to do next.
type PushStatus int

// What can become of one ref of a push.
const (
	Pushed    PushStatus = iota + 1 // the remote has New
	Conflict                        // the remote moved: observe and decide anew
	Bystander                       // refused only because another ref of the push was: push again without that one
	Refused                         // a rule, a hook, a missing permission: a person must act
	Unknown                         // broken off: look at the remote before anything else
)

// PushResult is the answer for one ref of a push.
type PushResult struct {
	RefUpdate
	Status PushStatus
	Reason string // git's or GitHub's words, one line, without credentials
}
