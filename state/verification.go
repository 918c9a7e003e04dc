package state

// What an environment's ledger says of its landings after they stand: what is
// watched, the verdict, what was tried when it failed, what is rejected, and what
// people said about it.

import (
	"maps"
	"slices"
	"time"
)

// Watch is what has been observed of a landing that has no verdict yet.
type Watch struct {
	Landing string    `json:"landing"` // its commit
	Since   time.Time `json:"since"`   // when watching began
	// Holding is since when all that is asked for holds; zero: it does not.
	Holding time.Time `json:"holding,omitzero"`
	// Failing is since when something has failed; zero: nothing has.
	Failing time.Time `json:"failing,omitzero"`
	// Round counts how often watching began anew, by a step of the failure policy.
	Round int `json:"round,omitempty"`
	// Restarted counts how often a newer landing ended a soak before its time.
	Restarted int `json:"restarted,omitempty"`
}

// Outcome is what a verification came to.
type Outcome string

// The outcomes.
const (
	Verified Outcome = "verified"
	Failed   Outcome = "failed"
	GivenUp  Outcome = "given up" // neither: its time was over, and a person decides
)

// Verdict is the outcome of one landing's verification. There is one for a
// landing, and it never changes.
type Verdict struct {
	Landing  string    `json:"landing"`
	Revision string    `json:"revision"`
	Outcome  Outcome   `json:"outcome"`
	Reason   string    `json:"reason"`
	Time     time.Time `json:"time"`
	// Since is when all held first (verified), or the failure began (failed).
	Since    time.Time  `json:"since,omitzero"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Evidence is one check, status, deployment or workflow run of a verdict.
type Evidence struct {
	Name    string    `json:"name"`
	Outcome string    `json:"outcome"` // GitHub's word: success, failure, …
	Commit  string    `json:"commit"`  // it was reported on
	URL     string    `json:"url,omitempty"`
	Text    string    `json:"text,omitempty"` // its own title or description
	Time    time.Time `json:"time"`
}

// VerdictsKept is how many verdicts a ledger keeps, and EvidenceKept how much
// evidence each has.
const (
	VerdictsKept = 20
	EvidenceKept = 10
)

// VerdictOf is the verdict of a landing, or nil.
func (e *Environment) VerdictOf(landing string) *Verdict {
	if e == nil {
		return nil
	}
	for i := range e.Verdicts {
		if e.Verdicts[i].Landing == landing {
			return &e.Verdicts[i]
		}
	}
	return nil
}

// Failure is what went wrong with the newest promotion or its landing, and the
// steps of the failure policy that were taken.
type Failure struct {
	Promotion string    `json:"promotion"` // its id; "" for a person's landing
	Landing   string    `json:"landing,omitempty"`
	Revision  string    `json:"revision"`
	Kind      string    `json:"kind"` // push, merge, verification or timeout
	Reason    string    `json:"reason"`
	Since     time.Time `json:"since"`
	Steps     []Taken   `json:"steps,omitempty"` // oldest first
	// Scope is how far the rollback that was decided reaches; "" when none was.
	Scope string `json:"scope,omitempty"`
	// By is who asked for the rollback; "" for the policy.
	By string `json:"by,omitempty"`
	// Over says that nothing more is done about it by itself.
	Over bool `json:"over,omitempty"`
}

// Taken is one step of the failure policy that was taken.
type Taken struct {
	Do   string    `json:"do"`
	Step int       `json:"step"` // its place in the policy, from 0
	Time time.Time `json:"time"`
	// Nonce stands in what a run was sent with; Run is its id once known.
	Nonce string `json:"nonce,omitempty"`
	Run   int64  `json:"run,omitempty"`
	Sent  bool   `json:"sent,omitempty"` // it is known to have been sent
	URL   string `json:"url,omitempty"`
	// Result is how it ended: done, failed, unknown; "" while it goes on.
	Result string `json:"result,omitempty"`
}

// Rejected is content that failed here and is not offered again.
type Rejected struct {
	Digest   string    `json:"digest"` // of the projection with it
	Revision string    `json:"revision"`
	Landing  string    `json:"landing"` // commit that carried it
	Reason   string    `json:"reason"`
	Time     time.Time `json:"time"`
}

// RejectedKept is how many rejections a ledger keeps.
const RejectedKept = 20

// Reverts is what a rollback takes back.
type Reverts struct {
	Promotion   string `json:"promotion"` // id of the promotion that landed it
	Landing     string `json:"landing"`   // its commit
	Before      string `json:"before"`    // the base branch's commit before it
	Commit      string `json:"commit"`    // the promotion's own commit
	PullRequest int    `json:"pr,omitempty"`
	Revision    string `json:"revision"` // that is taken back
	Reason      string `json:"reason"`
	// Cause is the environment whose failure reaches here by its scope; "" for
	// this one.
	Cause string `json:"cause,omitempty"`
	By    string `json:"by,omitempty"` // who asked for it; "" for the failure policy
}

// Tried is an attempt that another promotion, or a rollback, has followed.
type Tried struct {
	Revision string `json:"revision"`
	Landing  string `json:"at"` // of the upstream
	Attempt  int    `json:"attempt"`
}

// TriedKept is how many attempts a ledger remembers besides the newest.
const TriedKept = 5

// LastAttempt is the newest attempt at carrying an upstream's landing here; 0:
// there was none.
func (e *Environment) LastAttempt(revision, landing string) int {
	n := 0
	for _, t := range e.tried() {
		if t.Revision == revision && t.Landing == landing {
			n = max(n, t.Attempt)
		}
	}
	return n
}

// Remember keeps the newest promotion's attempt, as another one takes its place.
func (e *Environment) Remember() { e.Tried = e.tried() }

func (e *Environment) tried() []Tried {
	p := e.Promotion
	if p == nil || p.Reverts != nil {
		return e.Tried
	}
	all := append([]Tried{{p.Revision, p.Landing, p.Attempt}}, slices.DeleteFunc(slices.Clone(e.Tried), func(t Tried) bool {
		return t.Revision == p.Revision && t.Landing == p.Landing && t.Attempt <= p.Attempt
	})...)
	return all[:min(len(all), TriedKept)]
}

// Was is what stood before a landing.
type Was struct {
	Revision string    `json:"revision"` // at the baseline, its commit
	Origin   string    `json:"origin,omitempty"`
	Digest   string    `json:"digest"`
	Time     time.Time `json:"time,omitzero"` // since when
	// Verified is since when it was verified; zero: it never was.
	Verified time.Time `json:"verified,omitzero"`
	// Position is what was taken from each upstream.
	Position map[string]Position `json:"position,omitempty"`
}

// Approval is a person's word that a promotion may merge.
type Approval struct {
	By      string    `json:"by"`
	Digest  string    `json:"digest"` // of what the person saw: another one needs another approval
	Comment int64     `json:"comment,omitempty"`
	Time    time.Time `json:"time"`
}

// Past is a person's word that one gate does not count for a promotion.
type Past struct {
	Gate    string    `json:"gate"`
	By      string    `json:"by"`
	Comment int64     `json:"comment,omitempty"`
	Time    time.Time `json:"time"`
}

// Wish is what a person wants done next in an environment.
type Wish struct {
	Do       string    `json:"do"` // promote, retry, rollback or rebuild
	Revision string    `json:"revision,omitempty"`
	By       string    `json:"by"`
	Comment  int64     `json:"comment,omitempty"`
	Time     time.Time `json:"time"`
}

// Heard is a command that has had its effect here.
type Heard struct {
	// Comment is the comment's id; below zero it stands for the letter of a dispatch
	// or of a button.
	Comment int64     `json:"comment"`
	Index   int       `json:"i,omitempty"` // which of the comment's commands, from 0
	Command string    `json:"command"`
	Answer  string    `json:"answer"` // what is answered, in a sentence
	Time    time.Time `json:"time,omitzero"`
	// Given is when the person gave it.
	Given time.Time `json:"given,omitzero"`
}

// HeardKept is how many commands a ledger keeps.
const HeardKept = 30

// HeardOf is the command of a comment that has had its effect, or nil.
func (e *Environment) HeardOf(comment int64, index int) *Heard {
	if e == nil {
		return nil
	}
	for i := range e.Heard {
		if e.Heard[i].Comment == comment && e.Heard[i].Index == index {
			return &e.Heard[i]
		}
	}
	return nil
}

// cloneVerification copies what Clone has to beyond the fields themselves.
func (e Environment) cloneVerification(c *Environment) {
	c.Verdicts, c.Rejected, c.Heard = slices.Clone(e.Verdicts), slices.Clone(e.Rejected), slices.Clone(e.Heard)
	c.Tried, c.PastLandings = slices.Clone(e.Tried), slices.Clone(e.PastLandings)
	c.Floor = maps.Clone(e.Floor)
	if e.Watch != nil {
		w := *e.Watch
		c.Watch = &w
	}
	if e.Failure != nil {
		f := *e.Failure
		f.Steps = slices.Clone(f.Steps)
		c.Failure = &f
	}
	if e.Wish != nil {
		w := *e.Wish
		c.Wish = &w
	}
}
