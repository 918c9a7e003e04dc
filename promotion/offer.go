package promotion

// Definitions 5 and 6: what an environment's upstreams offer it.

import (
	"fmt"
	"slices"
	"time"

	"github.com/promobot/promobot/state"
)

// OfferTo is what is offered to an environment: its upstream's newest landing
// above what was last taken from there. With several upstreams it is the
// newest revision that landed in all of them with equal content. A nil offer
// comes with the reason.
func OfferTo(s *Snapshot, o *Observed) (*Offer, string) {
	if o.Ledger.State == nil {
		return nil, "its ledger has not begun"
	}
	lists := make([][]Landing, len(o.Config.From))
	for i, name := range o.Config.From {
		up := s.find(Key{o.Key.Pipeline, name})
		if up == nil {
			return nil, fmt.Sprintf("%s is not part of this pipeline", name)
		}
		if len(up.Doubts) > 0 {
			return nil, fmt.Sprintf("%s is not known for certain: %s", name, up.Doubts[0])
		}
		if up.Ledger.Problem != "" {
			return nil, fmt.Sprintf("%s is stopped: %s", name, up.Ledger.Problem)
		}
		if up.Ledger.State == nil {
			return nil, fmt.Sprintf("%s has no ledger to go by yet", name)
		}
		if h := up.Ledger.State.Hold; h != nil && !lifted(up) {
			return nil, fmt.Sprintf("%s is held: %s", name, h.Reason)
		}
		if pending(s, up) {
			return nil, fmt.Sprintf("what landed in %s is being recorded", name)
		}
		newer, reason := above(s, o, up)
		if reason != "" {
			return nil, reason
		}
		if len(newer) == 0 {
			return nil, fmt.Sprintf("%s offers nothing newer", name)
		}
		lists[i] = newer
	}
	if len(lists) == 0 {
		return nil, ""
	}
	return common(o.Config.From, lists)
}

// above are an upstream's landings that are newer than what the environment
// last took or refused, newest first.
func above(s *Snapshot, o, up *Observed) (newer []Landing, doubt string) {
	name := up.Key.Environment
	floor, ok := o.Ledger.State.Position[name]
	if !ok {
		return nil, fmt.Sprintf("%s is a new upstream", name)
	}
	floors := []string{floor.Commit}
	if p := o.Ledger.State.Promotion; p != nil && p.Status == state.Vetoed {
		if at := p.LandingOf(name); at != "" {
			floors = append(floors, at)
		}
	}
	for _, l := range up.Landings {
		for _, f := range floors {
			n, known := s.Chain.Newer(l.Commit, f)
			if !known {
				return nil, fmt.Sprintf("commit %.10s, up to which %s was taken over, is no longer in the history of %s", f, name, s.Repository.DefaultBranch)
			}
			if !n {
				return newer, ""
			}
		}
		newer = append(newer, l)
	}
	return append(newer, standing(s, o, up, floors)...), ""
}

// standing is what stands upstream, as if it had just landed, for an
// environment that begins with `start: reconcile` and has taken nothing yet.
func standing(s *Snapshot, o, up *Observed, floors []string) []Landing {
	st := o.Ledger.State
	at := st.Position[up.Key.Environment]
	if !st.Baseline.Reconcile || at.Revision != "" || len(floors) > 1 {
		return nil
	}
	i, on := s.Chain.Index(at.Commit)
	if !on {
		return nil
	}
	c := s.Chain.Commits[i]
	return []Landing{{
		Commit: at.Commit, Index: i, Revision: at.Commit, Origin: up.Key.Environment,
		Time: c.Time, Author: c.Author, Subject: subject(c.Message),
	}}
}

// common is the newest landing of the first upstream whose revision landed in
// all the others with equal content.
func common(from []string, lists [][]Landing) (*Offer, string) {
	differing := ""
	for _, l := range lists[0] {
		offer := &Offer{From: from[0], Landing: l}
		for i := 1; i < len(lists); i++ {
			j := slices.IndexFunc(lists[i], func(x Landing) bool { return x.Revision == l.Revision })
			switch {
			case j < 0:
				if differing == "" {
					differing = fmt.Sprintf("%s has %s, %s has not", from[0], short(l.Revision), from[i])
				}
				offer = nil
			case lists[i][j].Digest != l.Digest:
				if differing == "" {
					differing = fmt.Sprintf("%s and %s differ in what they made of %s", from[0], from[i], short(l.Revision))
				}
				offer = nil
			default:
				if offer.Others == nil {
					offer.Others = map[string]string{}
				}
				offer.Others[from[i]] = lists[i][j].Commit
			}
			if offer == nil {
				break
			}
		}
		if offer != nil {
			return offer, ""
		}
	}
	return nil, differing
}

// pending says whether the environment's newest landing may be that of a
// promotion whose landing the ledger does not name yet. A pull request that was
// still open when it was read cannot have made a landing that the base already
// held before that read.
func pending(s *Snapshot, o *Observed) bool {
	if mergeRecorded(o.Ledger.State) {
		return false
	}
	if o.Pull != nil && o.Pull.Merged {
		return true
	}
	return NeedsFresh(s.Chain, o)
}

// mergeRecorded says whether no merge of the newest promotion's pull request
// can be missing in the ledger: there is none, or it stands there already. A
// pull request merged while it still showed the promotion before is recorded
// with that one's landing, and ends the newest as closed.
func mergeRecorded(st *state.Environment) bool {
	p, l := st.Promotion, st.Landing
	return p == nil || p.Status == state.Landed || l != nil && p.PullRequest != 0 && l.PullRequest == p.PullRequest
}

// NeedsFresh says whether the pull request of the environment's newest
// promotion has to be read by itself before its newest landing can be named.
func NeedsFresh(c Chain, o *Observed) bool {
	p := o.Ledger.State.Promotion
	if mergeRecorded(o.Ledger.State) || len(o.Landings) == 0 || o.Landings[0].Promotion != "" {
		return false
	}
	l := o.Landings[0].Commit
	if newer, known := c.Newer(l, p.Base); known && !newer {
		return false
	}
	if o.FreshFor == "" {
		return true
	}
	newer, known := c.Newer(l, o.FreshFor)
	return newer || !known
}

// lifted says whether a person's landing has followed what caused the hold.
func lifted(o *Observed) bool {
	h := o.Ledger.State.Hold
	return h.Landing != "" && len(o.Landings) > 0 && o.Landings[0].Promotion == "" && o.Landings[0].Commit != h.Landing
}

// short is a revision for people.
func short(revision string) string {
	if len(revision) == 40 {
		return revision[:10]
	}
	return revision
}

// Carried is what an environment's content has to be computed for: what is
// newly offered, or else what its promotion under way carries; nil when there
// is neither.
func Carried(s *Snapshot, o *Observed) *Offer {
	if offer, _ := OfferTo(s, o); offer != nil {
		return offer
	}
	p := o.Ledger.State.UnderWay()
	if p == nil || s.Upstream(o, p.From) == nil || !comesFrom(o, p.From) {
		return nil
	}
	return &Offer{From: p.From, Landing: Landing{Commit: p.Landing, Revision: p.Revision, Origin: p.Origin}, Others: p.Others}
}

// Upstream is another environment of the same pipeline.
func (s *Snapshot) Upstream(o *Observed, name string) *Observed {
	return s.find(Key{o.Key.Pipeline, name})
}

// Carries says whether an environment has a revision, since when, and as which
// commit: it landed there, by whomever, or was there already.
func Carries(s *Snapshot, o *Observed, revision string) (has bool, at time.Time, commit string) {
	if revision == "" { // the position at a baseline has none
		return false, time.Time{}, ""
	}
	for _, l := range o.Landings {
		if l.Revision == revision {
			return true, l.Time, l.Commit
		}
	}
	st := o.Ledger.State
	if st == nil {
		return false, time.Time{}, ""
	}
	if st.Landing != nil && st.Landing.Revision == revision {
		return true, st.Landing.Time, st.Landing.Commit
	}
	for _, p := range st.Position {
		if p.Revision == revision {
			return true, o.Ledger.At, ""
		}
	}
	return false, time.Time{}, ""
}
