package promotion

// Rollback: a promotion backwards. It returns what one landing changed to what
// stood before, on today's base, line by line, and needs nothing of today's
// pipeline file. Rules: never below the baseline, never of a rollback, never
// while something newer has landed; what was taken back is not offered again.

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// RevertDue is what has to be taken back in an environment now; nil: nothing.
func RevertDue(s *Snapshot, o *Observed) *state.Reverts {
	st := o.Ledger.State
	if st == nil || st.Landing == nil || st.Landing.Was == nil || st.Landing.Reverts != "" || len(o.Landings) == 0 || o.Landings[0].Commit != st.Landing.Commit {
		return nil
	}
	rec := st.Landing
	r := state.Reverts{Promotion: rec.ID, Landing: rec.Commit, Before: rec.Before, Commit: rec.Promoted, PullRequest: rec.PullRequest, Revision: rec.Revision}
	switch f := st.Failure; {
	case f != nil && !f.Over && f.Scope != "" && f.Landing == rec.Commit:
		if f.Scope != string(config.ScopeEnvironment) && furtherAlong(s, o, rec.Revision) != "" {
			return nil // the furthest go first
		}
		r.Reason, r.By = f.Reason, f.By
		return &r
	case st.Wish != nil && st.Wish.Do == WishRollback && slices.ContainsFunc(st.Rejected, func(x state.Rejected) bool { return x.Landing == rec.Commit }):
		// It was asked for when this landing stood there, and not one before it.
		r.Reason, r.By = fmt.Sprintf("@%s asked for it", st.Wish.By), st.Wish.By
		return &r
	}
	if rec.Mixed() {
		return nil // people have a part in it: they say what becomes of it
	}
	for _, x := range s.beside(o) {
		if x == o || x.Ledger.State == nil || x.Ledger.State.Failure == nil {
			continue
		}
		f := x.Ledger.State.Failure
		downstream := s.along(x, o)
		if f.Revision != rec.Revision || f.Scope != string(config.ScopeAll) && (f.Scope != string(config.ScopeDownstream) || !downstream) {
			continue
		}
		if behind := furtherAlong(s, o, rec.Revision); behind != "" {
			return nil // the furthest go first
		}
		r.Reason, r.Cause, r.By = f.Reason, x.Key.Environment, f.By
		return &r
	}
	return nil
}

// along says whether what lands in one environment of a pipeline travels on, over
// however many others, to another.
func (s *Snapshot) along(from, to *Observed) bool {
	if from.Key.Pipeline != to.Key.Pipeline || from == to {
		return false
	}
	for _, name := range append(append([]string(nil), to.Config.From...), to.Config.After...) {
		up := s.find(Key{to.Key.Pipeline, name})
		if name == from.Key.Environment || up != nil && up != to && s.along(from, up) {
			return true
		}
	}
	return false
}

// furtherAlong is an environment downstream that still carries a revision as its
// newest landing; "" when there is none. One that is not rolled back by itself,
// since people had a part in it or do not want it, is not waited for.
func furtherAlong(s *Snapshot, o *Observed, revision string) string {
	for _, y := range s.beside(o) {
		if y.Ledger.State == nil || y.Ledger.State.Landing == nil || !s.along(o, y) || y.Ledger.State.Landing.Mixed() || y.Config.Mode <= config.Observe {
			continue
		}
		if p := y.Ledger.State.Promotion; p != nil && p.Reverts != nil && p.Status == state.Vetoed {
			continue
		}
		if rec := y.Ledger.State.Landing; rec.Revision == revision && rec.Reverts == "" && rec.Was != nil && len(y.Landings) > 0 && y.Landings[0].Commit == rec.Commit {
			return y.Key.Environment
		}
	}
	return ""
}

// Reverting is what an environment's rollback takes back, whether it is due or
// under way; nil where it is neither. Its content is computed instead of an offer's.
func Reverting(s *Snapshot, o *Observed) *state.Reverts {
	if p := o.Ledger.State.UnderWay(); p != nil {
		return p.Reverts
	}
	return RevertDue(s, o)
}

// rollback claims a rollback that is due.
func rollback(s *Snapshot, o *Observed) (Decision, bool) {
	r := RevertDue(s, o)
	if r == nil {
		return inTurnBack(s, o)
	}
	st := o.Ledger.State
	if p := st.Promotion; p != nil && p.Reverts != nil && p.Reverts.Landing == r.Landing && p.Status == state.Vetoed && !wished(st, WishRollback, p) {
		return stop(fmt.Sprintf("%s closed #%d, which rolls %s back; the hold stays. /promobot rollback %s proposes it again, /promobot resume %s goes on without",
			orSomeone(p.By), p.PullRequest, short(r.Revision), o.Key.Environment, o.Key.Environment)), true
	}
	was := st.Landing.Was
	c := o.Content
	what := fmt.Sprintf("%s goes back to %s: %s", short(r.Revision), short(was.Revision), r.Reason)
	switch {
	case c == nil:
		return wait(s, retryDoubt, "what rolling back changes could not be read"), true
	case len(c.Edits) == 0 && blocked(c.Refused) != nil:
		return stop(fmt.Sprintf("%s cannot be rolled back by itself: %s. Revert by hand: git revert %s%.10s, then /promobot resume %s",
			short(r.Revision), refusal(blocked(c.Refused)), mainline(st.Landing), r.Landing, o.Key.Environment)), true
	case len(c.Edits) == 0:
		return undone(o, *r, "nothing of it is left", s.Now), true
	case o.Config.Mode <= config.Observe:
		return Decision{Standing: WouldPromote, Reason: "mode is observe: it would be rolled back: " + what}, true
	}
	p := state.Promotion{
		Status: state.Claimed, Revision: was.Revision, Origin: was.Origin, Attempt: 1, Expected: c.Expected, Reverts: r,
	}
	if last := st.Promotion; last != nil && last.Reverts != nil && last.Reverts.Landing == r.Landing {
		p.Attempt, p.Cause = last.Attempt+1, last.Reason
	}
	p.ID = state.ID(s.Repository.ID, o.Key.Pipeline, o.Key.Environment, "rollback "+r.Revision, r.Landing, p.Attempt)
	p.Branch = state.Branch(o.Key.Pipeline, o.Key.Environment, p.Revision, p.ID)
	return Decision{
		Standing: Proposed, Reason: what,
		Action: Claim{Promotion: p, Previous: previous(o), Why: "rolling back: " + what},
	}, true
}

// inTurnBack says that an environment's rollback waits for those further along.
func inTurnBack(s *Snapshot, o *Observed) (Decision, bool) {
	f, rec := o.Ledger.State.Failure, o.Ledger.State.Landing
	if f == nil || f.Over || f.Scope == "" || f.Scope == string(config.ScopeEnvironment) || rec == nil || rec.Commit != f.Landing ||
		len(o.Landings) == 0 || o.Landings[0].Commit != rec.Commit {
		return Decision{}, false
	}
	first := furtherAlong(s, o, rec.Revision)
	if first == "" {
		return Decision{}, false
	}
	return Decision{Standing: Waiting, Reason: fmt.Sprintf("%s is rolled back once %s is: %s", short(f.Revision), first, f.Reason)}, true
}

// mainline is what git revert needs for a merge commit.
func mainline(l *state.Landing) string {
	if l.Method == "merge" {
		return "-m1 "
	}
	return ""
}

// undone records that there is nothing left to take back.
func undone(o *Observed, r state.Reverts, why string, now time.Time) Decision {
	st := o.Ledger.State.Clone()
	restore(&st, Landing{Commit: r.Landing, Revision: r.Revision, Digest: st.Landing.Actual}, r.Reason, now)
	st.Landing.Reverts = r.Promotion
	st.Sequence++
	text := fmt.Sprintf("%s needs no rollback: %s", short(r.Revision), why)
	return Decision{
		Standing: Stopped, Reason: text,
		Action: Append{Kind: state.KindSettled, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, text)},
	}
}

// rollingBack decides on the open pull request of a rollback.
func rollingBack(s *Snapshot, o *Observed, p state.Promotion) Decision {
	r := p.Reverts
	switch due := RevertDue(s, o); {
	case len(o.Landings) > 0 && o.Landings[0].Commit != r.Landing:
		return announceClose(o, p, fmt.Sprintf("%.10s has landed in %s since, so there is nothing to roll back by itself", o.Landings[0].Commit, o.Key.Environment))
	case due == nil || due.Landing != r.Landing:
		return announceClose(o, p, "it is no longer asked for")
	case o.Content == nil:
		return wait(s, retryDoubt, "what rolling back changes could not be read")
	case len(o.Content.Edits) == 0:
		return announceClose(o, p, fmt.Sprintf("%s is as it was before already", o.Key.Environment))
	case o.Touched || o.Pull.Mergeable == "dirty" && p.Base != s.ChainOf(o).Tip():
		np := p
		np.Rebuild++
		np.Expected = o.Content.Expected
		return move(s, o, p, np, nil, fmt.Sprintf("%s changed the same files", s.Base(o)))
	case o.Ledger.State.Wish != nil && o.Ledger.State.Wish.Do == WishRebuild:
		np := p
		np.Rebuild++
		np.Expected = o.Content.Expected
		return move(s, o, p, np, nil, fmt.Sprintf("@%s asked for it", o.Ledger.State.Wish.By))
	case o.Config.VerifiedCommits && !p.Verified:
		np := p
		np.Rebuild++
		return move(s, o, p, np, nil, "the pipeline file says commits: verified now")
	case !shows(o.Pull.Body, p) && s.Now.Sub(p.Claimed) >= Bound:
		return Decision{Standing: Waiting, Reason: "its text is being brought up to date", Action: Advance{Promotion: p, Lease: p.Head()}}
	}
	gates := []Gate{{Name: "rollback", Passed: true, Text: fmt.Sprintf("%s is taken back: %s", short(r.Revision), r.Reason)}}
	if clash := clashes(o.Content); clash != "" {
		gates = append(gates, Gate{Name: "conflict", Text: "a person has to look: " + clash})
	}
	if rec := o.Ledger.State.Landing; rec != nil && rec.Mixed() {
		gates = append(gates, Gate{Name: "mixed", Text: "people have a part in what landed, so a person merges what takes it back"})
	}
	if h := o.Ledger.State.Hold; h != nil && h.Asked {
		gates = append(gates, holdGate(o)) // a person's word stops everything
	}
	gates = append(gates, labelGate(o))
	for _, g := range gates {
		if !g.Passed {
			return Decision{Standing: Proposed, Reason: fmt.Sprintf("#%d: %s", p.PullRequest, g.Text), Gates: gates}
		}
	}
	if o.Config.Rollback < config.Auto {
		return Decision{Standing: Proposed, Reason: fmt.Sprintf("#%d waits for a person to merge it (rollback: propose)", p.PullRequest), Gates: gates}
	}
	return merging(s, o, p, gates)
}

// clashes says what of a rollback cannot be done without a person: lines that
// were changed again since, or files that cannot be read any more.
func clashes(c *content.Result) string {
	if rs := blocked(c.Refused); rs != nil {
		return refusal(rs)
	}
	for _, ch := range c.Changes {
		if ch.Overwrites {
			return ch.File + " was changed in the same lines since it landed"
		}
	}
	return ""
}

// restore takes the positions back to what they were before a landing, and keeps
// what was taken since from being offered again.
func restore(st *state.Environment, failed Landing, reason string, now time.Time) {
	if st.Floor == nil {
		st.Floor = map[string]string{}
	}
	for name, at := range st.Position {
		st.Floor[name] = at.Commit
	}
	if was := st.Landing.Was; was != nil {
		st.Position = maps.Clone(was.Position)
	}
	if rejected(st, failed) == nil {
		reject(st, failed, reason, now)
	}
	if st.Wish != nil && st.Wish.Do == WishRollback {
		st.Wish = nil
	}
}

// rejected is a ledger's rejection of a landing's content, by whatever commit
// carries it, or nil.
func rejected(st *state.Environment, l Landing) *state.Rejected {
	for i := range st.Rejected {
		if x := &st.Rejected[i]; x.Revision == l.Revision || l.Digest != "" && x.Digest == l.Digest {
			return x
		}
	}
	return nil
}

// RejectedFor says where what an upstream landed was rejected: in an environment
// itself, or in one that is less far along the pipeline, on whichever way. What
// fails in one staging is not for any production. It is nil where it was not.
func RejectedFor(s *Snapshot, o *Observed, l Landing) (environment string, r *state.Rejected) {
	for _, x := range s.beside(o) {
		if x.Ledger.State == nil || len(x.Ledger.State.Rejected) == 0 {
			continue
		}
		if r := rejected(x.Ledger.State, l); r != nil && (x == o || s.depth(o) > s.depth(x)) {
			return x.Key.Environment, r
		}
	}
	return "", nil
}

// tookBack recognises a person's own revert: a landing that leaves the
// environment as it was before the promotion's landing below it.
func tookBack(s *Snapshot, o *Observed) (Decision, bool) {
	st := o.Ledger.State
	rec := st.Landing
	if rec == nil || rec.Was == nil || rec.Was.Digest == "" || rec.Reverts != "" || rec.Mixed() || len(o.Landings) < 2 ||
		o.Landings[0].Promotion != "" || o.Landings[1].Commit != rec.Commit || o.Landings[0].Digest != rec.Was.Digest || rec.Was.Digest == rec.Actual {
		return Decision{}, false
	}
	if st.UnderWay() != nil || pending(s, o) {
		return Decision{}, false // what is under way is ended first
	}
	l := o.Landings[0]
	chain := s.ChainOf(o)
	at, on := chain.Index(l.Commit)
	if !on || len(chain.Commits[at].Parents) == 0 {
		return Decision{}, false
	}
	next := st.Clone()
	failed := Landing{Commit: rec.Commit, Revision: rec.Revision, Digest: rec.Actual}
	restore(&next, failed, fmt.Sprintf("%s took it back with %.10s", l.Author.Name, l.Commit), s.Now)
	next.Lands(state.Landing{
		ID: rec.ID, Commit: l.Commit, Before: chain.Commits[at].Parents[0], Revision: rec.Was.Revision, Origin: rec.Was.Origin,
		Method: "person", By: l.Author.Name, Expected: l.Digest, Actual: l.Digest, Time: l.Time, Reverts: rec.ID,
	})
	if f := next.Failure; f != nil {
		f.Over = true
	}
	if next.Hold == nil { // as after any rollback, what is newer waits for a person
		next.Hold = &state.Hold{
			Reason: fmt.Sprintf("%s was taken back by %s", short(rec.Revision), l.Author.Name), By: l.Author.Name, Since: s.Now, Failed: rec.Commit,
		}
	}
	next.Sequence++
	text := fmt.Sprintf("%s was taken back by %s as %.10s", short(rec.Revision), l.Author.Name, l.Commit)
	return Decision{
		Standing: UpToDate, Reason: text,
		Action: Append{Kind: state.KindLanded, State: next, Sentence: fmt.Sprintf("%s: %s", o.Key, text)},
	}, true
}
