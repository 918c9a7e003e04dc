package promotion

// Wishes: what people ask for by commands and buttons. Each is in the ledger
// before it is answered; deciding carries it out and takes it off again.

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/state"
)

// What can be wished for.
const (
	WishPromote  = "promote"  // what is offered, even where it was refused before
	WishRetry    = "retry"    // what ended without landing, or was rolled back, once more
	WishRollback = "rollback" // the newest landing back
	WishRebuild  = "rebuild"  // the open pull request on today's base
)

// wished says whether a person wants something again that ended before.
func wished(st *state.Environment, do string, p *state.Promotion) bool {
	return st.Wish != nil && st.Wish.Do == do && st.Wish.Time.After(p.Ended)
}

// again lifts what keeps a promotion from being offered once more: a veto, a
// rejection, the floor that a rollback left.
func again(s *Snapshot, o *Observed) (Decision, bool) {
	st := o.Ledger.State
	w := st.Wish
	if w == nil || w.Do != WishPromote && w.Do != WishRetry || st.UnderWay() != nil {
		return Decision{}, false
	}
	next := st.Clone()
	next.Wish = nil
	lift(&next, *w)
	next.Sequence++
	text := fmt.Sprintf("@%s asks for it again (%s)", w.By, w.Do)
	return Decision{
		Standing: Waiting, Reason: text,
		Action: Append{Kind: state.KindWish, State: next, Sentence: fmt.Sprintf("%s: %s", o.Key, text)},
	}, true
}

// lift takes away what a wish overrides.
func lift(next *state.Environment, w state.Wish) {
	next.Floor = nil
	next.Rejected = slices.DeleteFunc(next.Rejected, func(r state.Rejected) bool { return strings.HasPrefix(r.Revision, w.Revision) })
	if p := next.Promotion; p != nil && p.Status == state.Vetoed {
		p.Status, p.Reason = state.Closed, fmt.Sprintf("@%s asked for it again", w.By)
	}
	if w.Do == WishRetry && next.Failure != nil && next.Failure.Over {
		next.Failure = nil
	}
}

// expired lifts a hold whose time is over.
func expired(s *Snapshot, o *Observed) (Decision, bool) {
	h := o.Ledger.State.Hold
	if h == nil || h.Until.IsZero() || s.Now.Before(h.Until) {
		return Decision{}, false
	}
	st := o.Ledger.State.Clone()
	st.Hold = nil
	st.Sequence++
	return Decision{
		Standing: UpToDate, Reason: "its hold is over",
		Action: Append{Kind: state.KindResume, State: st, Sentence: fmt.Sprintf("%s: resumed, since the hold was until %s", o.Key, clock(h.Until))},
	}, true
}

// afterRollback goes on with the failure policy once the rollback stands and is
// verified: a new attempt where the policy has one left, else nothing more.
func afterRollback(s *Snapshot, o *Observed) (Decision, bool) {
	st := o.Ledger.State
	f, rec := st.Failure, st.Landing
	if f == nil || f.Over || f.Landing == "" || rec == nil || rec.Reverts == "" || len(o.Landings) == 0 || o.Landings[0].Commit != rec.Commit || st.UnderWay() != nil {
		return Decision{}, false
	}
	if o.Config.Verify != nil {
		v := st.VerdictOf(rec.Commit)
		if v == nil || v.Outcome != state.Verified {
			return Decision{}, false
		}
	}
	next := st.Clone()
	next.Sequence++
	c := choose(s, o, o.Landings[0], *f, "")
	if c.at < 0 || string(c.Do) != "repromote" {
		next.Failure.Over = true
		text := fmt.Sprintf("%s is rolled back; held until a person resumes", short(f.Revision))
		return Decision{Standing: Stopped, Reason: text, Action: Append{Kind: state.KindHalted, State: next, Sentence: fmt.Sprintf("%s: %s", o.Key, text)}}, true
	}
	if s.Now.Before(c.from) {
		return Decision{Standing: Waiting, Reason: fmt.Sprintf("%s is promoted once more at %s", short(f.Revision), clock(c.from)), Until: c.from}, true
	}
	next.Failure.Steps = append(next.Failure.Steps, state.Taken{Do: string(c.Do), Step: c.at, Time: s.Now, Result: "done"})
	next.Failure.Scope, next.Failure.Over = "", true
	next.Rejected = slices.DeleteFunc(next.Rejected, func(r state.Rejected) bool { return r.Revision == f.Revision })
	next.Floor, next.Hold = nil, nil
	text := fmt.Sprintf("%s is promoted once more (on_failure: repromote)", short(f.Revision))
	return Decision{Standing: Waiting, Reason: text, Action: Append{Kind: state.KindFailed, State: next, Sentence: fmt.Sprintf("%s: %s", o.Key, text)}}, true
}

// Was is what stands in an environment before a promotion's landing: at a commit
// of its branch, with a digest.
func Was(s *Snapshot, o *Observed, before, digest string) *state.Was {
	st := o.Ledger.State
	w := &state.Was{Revision: st.Baseline.Commit, Digest: digest, Time: st.Baseline.Time, Position: maps.Clone(st.Position)}
	chain := s.ChainOf(o)
	at, on := chain.Index(before)
	if !on {
		return nil
	}
	for _, l := range o.Landings {
		if i, there := chain.Index(l.Commit); there && i >= at {
			w.Revision, w.Origin, w.Time = l.Revision, l.Origin, l.Time
			if v := st.VerdictOf(l.Commit); v != nil && v.Outcome == state.Verified {
				w.Verified = v.Time
			}
			break
		}
	}
	return w
}

// soonest is the earlier of two times of which either may be none.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
