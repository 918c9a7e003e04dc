// Package state is the ledger: what stands in one environment's signed chain of
// entries in git, how entries are written and read, and the names, ids and
// trailers derived from them. It is pure; promotion/gitrepo moves the bytes.
//
// Every entry is a commit with an empty tree whose message carries a sentence
// for people, the environment's whole state after the entry, and trailers. The
// tip alone tells the state; git log --first-parent tells the story.
package state

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Kind names what an entry did.
type Kind string

// The kinds of ledger entries.
const (
	KindBaseline Kind = "baseline" // environment first seen: what stands is adopted
	KindClaim    Kind = "claim"    // one promotion, before anything of it can be seen
	KindCarried  Kind = "carried"  // a claim that its maker left is carried on by whoever wrote this
	KindOpened   Kind = "opened"   // its pull request's number and URL
	KindClosing  Kind = "closing"  // written before promobot closes a pull request
	KindLanded   Kind = "landed"   // its pull request was merged
	KindVeto     Kind = "veto"     // a person closed its pull request unmerged
	KindSettled  Kind = "settled"  // already there: the position moves, nothing is opened
	KindClosed   Kind = "closed"   // promobot's closing of a pull request is done
	KindResume   Kind = "resume"   // a hold is lifted
	KindAccepted Kind = "accepted" // a source brought a new version
	KindWatched  Kind = "watched"  // what is observed of a landing has changed
	KindVerdict  Kind = "verdict"  // a landing is verified, has failed or is given up
	KindFailed   Kind = "failed"   // a step of the failure policy is taken
	KindRun      Kind = "run"      // the user's recovery is sent, known or over
	KindHalted   Kind = "halted"   // the failure policy has nothing left to do
	KindHold     Kind = "hold"     // a person stops the environment
	KindApproved Kind = "approve"  // a person approves a promotion
	KindWish     Kind = "wish"     // a person wants something done
	KindPast     Kind = "past"     // a person lets a promotion pass a gate
)

// Environment is the whole state of one environment of one pipeline.
type Environment struct {
	Version  int      `json:"v"`
	Sequence int      `json:"n"` // entries so far, the baseline being 1
	Baseline Baseline `json:"baseline"`
	// Versions are what the environment's source brought, newest first.
	Versions []Version `json:"versions,omitempty"`
	// Position is, for each upstream, where its content was last taken from:
	// at the last landing or settling, else at the baseline.
	Position map[string]Position `json:"position,omitempty"`
	// Landing is the newest landing of a promotion of promobot's.
	Landing *Landing `json:"landing,omitempty"`
	// PastLandings are the promotions' landings before it, newest first.
	PastLandings []PastLanding `json:"landings,omitempty"`
	// Promotion is the newest promotion, under way or ended.
	Promotion *Promotion `json:"promotion,omitempty"`
	// Tried are the promotions forwards before the newest promotion, newest first.
	Tried []Tried `json:"tried,omitempty"`
	// Hold stops merging and promoting onward until it is lifted.
	Hold *Hold `json:"hold,omitempty"`
	// Proving says that what lands is verified; Proven is the landing, or the
	// baseline's commit, that stood when that began and is taken as it is.
	Proving bool   `json:"proving,omitempty"`
	Proven  string `json:"proven,omitempty"`
	// Watch is what is observed of the newest landing while it has no verdict.
	Watch *Watch `json:"watch,omitempty"`
	// Verdicts are those of landings, newest first.
	Verdicts []Verdict `json:"verdicts,omitempty"`
	// Failure is what went wrong last, until it is resolved.
	Failure *Failure `json:"failure,omitempty"`
	// Rejected is content that is not offered again, newest first.
	Rejected []Rejected `json:"rejected,omitempty"`
	// Floor is, for each upstream, the landing up to which nothing is offered any
	// more; it is above Position after a rollback.
	Floor map[string]string `json:"floor,omitempty"`
	// Wish is what a person wants done next.
	Wish *Wish `json:"wish,omitempty"`
	// Heard are the comment commands that have had their effect, newest first.
	Heard []Heard `json:"heard,omitempty"`
	// Claims are the times of the claims of the last hour, oldest first, for
	// the limits.
	Claims []time.Time `json:"claims,omitempty"`
}

// Baseline is what stood when the environment entered the pipeline file.
type Baseline struct {
	Commit string    `json:"commit"`
	Time   time.Time `json:"time"`
	// Reconcile says that differences standing at the baseline are offered too
	// (`start: reconcile`).
	Reconcile bool `json:"reconcile,omitempty"`
	// Upstreams are the commits at which the upstreams stood that are on other
	// branches.
	Upstreams map[string]string `json:"upstreams,omitempty"`
}

// Of is the commit at which an upstream stood at the baseline.
func (b Baseline) Of(upstream string) string {
	if c := b.Upstreams[upstream]; c != "" {
		return c
	}
	return b.Commit
}

// Source is the name under which an environment's own source stands beside its
// upstreams. No environment can have it.
const Source = "@source"

// ReadBranch is the name under which the baseline keeps where the environment's
// own source branch stood.
const ReadBranch = "@read"

// Version is a version that a source brought.
type Version struct {
	ID     string    `json:"id"` // stands for the commit that a version's landing has not
	Name   string    `json:"name"`
	Target string    `json:"target,omitempty"` // commit that it names
	URL    string    `json:"url,omitempty"`
	Time   time.Time `json:"time"`
	// Commit is the base branch's tip when it was accepted: its check run stands there.
	Commit string `json:"commit,omitempty"`
	// Letter is the event that brought it, where nothing else can be asked.
	Letter string `json:"letter,omitempty"`
}

// VersionsKept is how many versions a ledger keeps.
const VersionsKept = 20

// BaseVersion is the id of what stood before the first version.
var BaseVersion = Hash("version")[:40]

// VersionID is the id of a version accepted after the one with the id before.
func VersionID(before, name, target string) string { return Hash("version", before, name, target)[:40] }

// Position is a landing of an upstream: its commit on the base branch and the
// revision it carried. Revision is empty at the baseline.
type Position struct {
	Commit   string `json:"commit"`
	Revision string `json:"revision,omitempty"`
	// Origin is the environment in which the revision first landed.
	Origin string `json:"origin,omitempty"`
	// Read is the commit of the environment's own source branch that the content
	// was taken from.
	Read string `json:"read,omitempty"`
}

// Status is how far a promotion has got.
type Status string

// The statuses of a promotion.
const (
	Claimed Status = "claimed" // no pull request known yet
	Opened  Status = "opened"  // its pull request stands
	Closing Status = "closing" // promobot is closing its pull request
	Landed  Status = "landed"  // ended: merged
	Vetoed  Status = "vetoed"  // ended: a person closed it
	Closed  Status = "closed"  // ended: promobot closed it, for Reason
)

// Ended says whether nothing more happens to the promotion.
func (s Status) Ended() bool { return s == Landed || s == Vetoed || s == Closed }

// Promotion is one attempt to land one revision in one environment.
type Promotion struct {
	ID       string `json:"id"`
	Status   Status `json:"status"`
	Revision string `json:"revision"`
	Origin   string `json:"origin"` // the environment in which the revision first landed
	Attempt  int    `json:"attempt"`
	Cause    string `json:"cause,omitempty"` // why there is an attempt after the first
	Rebuild  int    `json:"rebuild,omitempty"`
	From     string `json:"from"` // upstream environment
	Landing  string `json:"at"`   // the upstream's landing: its commit on the base branch
	// Read is the commit of the environment's own source branch that the content
	// comes from; "" where it comes from the upstream's landing.
	Read string `json:"read,omitempty"`
	// Others are the landings of the other upstreams, where there are several.
	Others   map[string]string `json:"others,omitempty"`
	Base     string            `json:"base"` // commit of the base branch it was built on
	Commit   string            `json:"commit"`
	Branch   string            `json:"branch"`
	Expected string            `json:"expected"` // digest of the projection after it
	Claimed  time.Time         `json:"claimed"`
	// PullRequest and URL are set once opened.
	PullRequest int    `json:"pr,omitempty"`
	URL         string `json:"url,omitempty"`
	// Reason says why it ended, for people; By is who ended it.
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
	Ended  time.Time `json:"ended,omitzero"`
	// Replaced is the promotion whose pull request this one moved on, as long
	// as the branch may still show it.
	Replaced *Replaced `json:"replaced,omitempty"`
	// Supersedes is the pull request that was closed for this one.
	Supersedes int `json:"supersedes,omitempty"`
	// Attempts are the times it was built anew, newest last.
	Attempts []Rebuild `json:"attempts,omitempty"`
	// Verified says that GitHub made and signed its commit.
	Verified bool `json:"verified,omitempty"`
	// Age is how old the base was when the ledger entry was made.
	Age time.Duration `json:"age,omitempty"`
	// Batch is set when it travels together with others.
	Batch *Batch `json:"batch,omitempty"`
	// Reverts is set on a rollback.
	Reverts *Reverts `json:"reverts,omitempty"`
	// Approval is a person's; Past are the gates a person let it pass.
	Approval *Approval `json:"approval,omitempty"`
	Past     []Past    `json:"past,omitempty"`
	// Skipped says that a person took it out by a command, so that closing it is
	// a veto.
	Skipped bool `json:"skipped,omitempty"`
}

// Head is the head of its branch: its own commit, or that of the last one of its batch.
func (p Promotion) Head() string {
	if p.Batch != nil {
		return p.Batch.Head
	}
	return p.Commit
}

// Batch is what promotions that travel in one pull request have in common.
type Batch struct {
	ID      string    `json:"id"`
	Members []string  `json:"members"` // their ledgers' refs, in the order of their commits
	Head    string    `json:"head"`    // the last one's commit
	Build   int       `json:"build"`   // how many times it was built
	Formed  time.Time `json:"formed"`
}

// Name tells one build of a batch from all others.
func (b Batch) Name() string { return fmt.Sprintf("%.12s.%d", b.ID, b.Build) }

// Rebuild is one more attempt to put a promotion on the base branch.
type Rebuild struct {
	Why  string    `json:"why"`
	From string    `json:"from"` // base it was built on before
	To   string    `json:"to"`
	Time time.Time `json:"time"`
}

// RebuildsKept is how many attempts a ledger entry lists.
const RebuildsKept = 10

// LandingOf is the landing of an upstream that the promotion carries, "" when
// it carries nothing of that upstream.
func (p Promotion) LandingOf(upstream string) string {
	if upstream == p.From {
		return p.Landing
	}
	return p.Others[upstream]
}

// Replaced is what a moved pull request showed before.
type Replaced struct {
	ID       string            `json:"id"`
	Revision string            `json:"revision"`
	Origin   string            `json:"origin"`
	Attempt  int               `json:"attempt"`
	From     string            `json:"from"`
	Landing  string            `json:"at"`
	Others   map[string]string `json:"others,omitempty"`
	Read     string            `json:"read,omitempty"`
	Commit   string            `json:"commit"`
	// Head is the branch's head then.
	Head string `json:"head,omitempty"`
}

// BranchHead is the head of the branch then.
func (r Replaced) BranchHead() string {
	if r.Head != "" {
		return r.Head
	}
	return r.Commit
}

// Landing is a promotion that was merged.
type Landing struct {
	ID          string    `json:"id"`
	Commit      string    `json:"commit"` // on the base branch
	Before      string    `json:"before"` // base branch's commit before it
	Revision    string    `json:"revision"`
	Origin      string    `json:"origin"`
	From        string    `json:"from"`
	At          string    `json:"at"` // the upstream's landing it carried
	Method      string    `json:"method"`
	By          string    `json:"by"`
	PullRequest int       `json:"pr"`
	Expected    string    `json:"expected"`
	Actual      string    `json:"actual"`
	Time        time.Time `json:"time"`
	// Promoted is the promotion's own commit, whatever the merge made of it.
	Promoted string `json:"promoted,omitempty"`
	// Was is what stood before it.
	Was *Was `json:"was,omitempty"`
	// Reverts says, of a rollback, the id of the promotion that it took back.
	Reverts string `json:"reverts,omitempty"`
}

// PastLanding names a landing that is not the newest any more: it may still be offered,
// where newer ones are not verified.
type PastLanding struct {
	ID          string `json:"id"`
	Commit      string `json:"commit"`
	Before      string `json:"before"`
	Revision    string `json:"revision"`
	Origin      string `json:"origin"`
	PullRequest int    `json:"pr,omitempty"`
	Reverts     string `json:"reverts,omitempty"`
}

// PastLandingsKept is how many of them a ledger keeps.
const PastLandingsKept = 10

// Lands makes a landing the newest.
func (e *Environment) Lands(l Landing) {
	if old := e.Landing; old != nil {
		e.PastLandings = append([]PastLanding{{
			ID: old.ID, Commit: old.Commit, Before: old.Before, Revision: old.Revision, Origin: old.Origin, PullRequest: old.PullRequest, Reverts: old.Reverts,
		}}, e.PastLandings...)
		e.PastLandings = e.PastLandings[:min(len(e.PastLandings), PastLandingsKept)]
	}
	e.Landing = &l
}

// Mixed says that what landed is not exactly what was promoted.
func (l Landing) Mixed() bool { return l.Expected != l.Actual }

// Hold stops an environment.
type Hold struct {
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	Since  time.Time `json:"since"`
	// Landing is the commit that caused it; a person's later landing lifts it.
	Landing string `json:"landing,omitempty"`
	// Failed is the landing whose verification failed: only a person's resume
	// lifts it.
	Failed string `json:"failed,omitempty"`
	// Until is when it ends by itself; zero: never.
	Until time.Time `json:"until,omitzero"`
	// Comment is the comment that asked for it.
	Comment int64 `json:"comment,omitempty"`
	// Asked says that a person wants nothing to be merged, not a rollback either.
	Asked bool `json:"asked,omitempty"`
}

// Clone returns a copy that shares nothing with e.
func (e Environment) Clone() Environment {
	c := e
	c.Position = maps.Clone(e.Position)
	c.Baseline.Upstreams = maps.Clone(e.Baseline.Upstreams)
	c.Versions = slices.Clone(e.Versions)
	e.cloneVerification(&c)
	if e.Landing != nil {
		l := *e.Landing
		if l.Was != nil {
			w := *l.Was
			w.Position = maps.Clone(w.Position)
			l.Was = &w
		}
		c.Landing = &l
	}
	if e.Promotion != nil {
		p := *e.Promotion
		p.Others = maps.Clone(p.Others)
		p.Attempts = slices.Clone(p.Attempts)
		if p.Batch != nil {
			b := *p.Batch
			b.Members = slices.Clone(b.Members)
			p.Batch = &b
		}
		p.Past = slices.Clone(p.Past)
		if p.Reverts != nil {
			r := *p.Reverts
			p.Reverts = &r
		}
		if p.Approval != nil {
			a := *p.Approval
			p.Approval = &a
		}
		if p.Replaced != nil {
			r := *p.Replaced
			r.Others = maps.Clone(r.Others)
			p.Replaced = &r
		}
		c.Promotion = &p
	}
	if e.Hold != nil {
		h := *e.Hold
		c.Hold = &h
	}
	c.Claims = append([]time.Time(nil), e.Claims...)
	return c
}

// UnderWay is the promotion that has not ended, or nil.
func (e *Environment) UnderWay() *Promotion {
	if e == nil || e.Promotion == nil || e.Promotion.Status.Ended() {
		return nil
	}
	return e.Promotion
}

// ClaimsSince counts the claims after a time.
func (e *Environment) ClaimsSince(t time.Time) int {
	n := 0
	for _, c := range e.Claims {
		if c.After(t) {
			n++
		}
	}
	return n
}
