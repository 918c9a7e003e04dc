package promotion

// Definitions 5 and 6: what an environment's upstreams offer it.

import (
	"fmt"
	"slices"
	"time"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// OfferTo is what is offered to an environment: its upstream's newest landing
// above what was last taken from there, or the oldest where none may be left
// out. With several upstreams it is the newest revision that landed in all of
// them with equal content. A nil offer comes with the reason.
func OfferTo(s *Snapshot, o *Observed) (*Offer, string) {
	if o.Ledger.State == nil {
		return nil, "its ledger has not begun"
	}
	names := Offerers(o)
	lists := make([][]Landing, len(names))
	for i, name := range names {
		from, reason := offererOf(s, o, name)
		if reason != "" {
			return nil, reason
		}
		newer, reason := above(s, o, from)
		if reason != "" {
			return nil, reason
		}
		if len(newer) == 0 {
			return nil, fmt.Sprintf("%s offers nothing newer", from.title) + unready(s, o, from)
		}
		lists[i] = newer
	}
	if len(lists) == 0 {
		return nil, ""
	}
	if o.Config.Read != "" && names[0] != state.Source {
		for i := range lists {
			lists[i] = readable(o, lists[i])
		}
		if len(lists[0]) == 0 {
			return nil, unrendered(o, names[0])
		}
	}
	if o.Config.Newer == config.NewerQueues {
		for i, name := range names {
			if lists[i] = inTurn(s, o, name, lists[i]); len(lists[i]) == 0 {
				return nil, fmt.Sprintf("%s offers nothing newer", name)
			}
		}
	}
	return common(names, lists)
}

// unready says why an upstream's newest landing is not offered, if it is newer.
func unready(s *Snapshot, o *Observed, from offerer) string {
	up := from.up
	if up == nil || up.Config.Managed || len(up.Landings) == 0 {
		return ""
	}
	l := up.Landings[0]
	newer, known := from.order.Newer(l.Commit, o.Ledger.State.Position[from.name].Commit)
	if !known || !newer {
		return ""
	}
	if where, r := RejectedFor(s, o, l); r != nil {
		return fmt.Sprintf(": %s failed in %s: %s", short(l.Revision), where, r.Reason)
	}
	if v := VerificationOf(s, up); v != nil && (v.Verdict == nil || v.Verdict.Outcome != state.Verified) {
		return " that is verified: " + v.Text
	}
	return ""
}

// inTurn are landings oldest first, without those before the last promotion's:
// their turn is over, however it ended.
func inTurn(s *Snapshot, o *Observed, name string, ls []Landing) []Landing {
	p := o.Ledger.State.Promotion
	ls = slices.DeleteFunc(slices.Clone(ls), func(l Landing) bool {
		if p == nil || p.LandingOf(name) == "" {
			return false
		}
		past, known := s.takenFrom(o, name).Newer(p.LandingOf(name), l.Commit)
		return known && past
	})
	slices.Reverse(ls)
	return ls
}

// keeps says whether an environment's promotion under way is not moved on by
// what is newer.
func keeps(o *Observed, p *state.Promotion) bool {
	return p != nil && (p.Batch != nil || o.Config.Newer == config.NewerQueues)
}

// offerer is what offers landings to an environment.
type offerer struct {
	name, title string
	landings    []Landing // newest first
	order       Chain
	branch      string
	// versions that were forgotten are older than all that are known
	forgets bool
	up      *Observed // nil for the environment's own source
}

func offererOf(s *Snapshot, o *Observed, name string) (offerer, string) {
	if name == state.Source {
		if o.Config.Source != nil {
			return offerer{name: name, title: SourceName(o.Config.Source), landings: versionLandings(o), order: s.takenFrom(o, name), forgets: true}, ""
		}
		return offerer{
			name: name, title: o.Config.Read, landings: forward(s.Chain, o.Ledger.State.Position[name].Revision, o.Reads),
			order: s.takenFrom(o, name), branch: o.Config.Read,
		}, ""
	}
	up := s.find(Key{o.Key.Pipeline, name})
	switch {
	case up == nil:
		return offerer{}, fmt.Sprintf("%s is not part of this pipeline", name)
	case len(up.Doubts) > 0:
		return offerer{}, fmt.Sprintf("%s is not known for certain: %s", name, up.Doubts[0])
	case up.Ledger.Problem != "":
		return offerer{}, fmt.Sprintf("%s is stopped: %s", name, up.Ledger.Problem)
	case up.Ledger.State == nil:
		return offerer{}, fmt.Sprintf("%s has no ledger to go by yet", name)
	}
	if h := up.Ledger.State.Hold; h != nil && !lifted(up) {
		return offerer{}, fmt.Sprintf("%s is held: %s", name, h.Reason)
	}
	if up.Config.Managed {
		return offerer{name: name, title: name, landings: versionLandings(up), order: s.order(up), forgets: true, up: up}, ""
	}
	if pending(s, up) {
		return offerer{}, fmt.Sprintf("what landed in %s is being recorded", name)
	}
	return offerer{name: name, title: name, landings: travels(s, o, up), order: s.order(up), branch: s.Base(up), up: up}, ""
}

// travels are the landings of an upstream that may travel on: verified ones above
// its newest rollback, of which none was rejected on the way.
func travels(s *Snapshot, o, up *Observed) []Landing {
	var out []Landing
	for _, l := range up.Landings {
		if isRollback(up, l) {
			break
		}
		if !verified(s, up, l) {
			continue
		}
		if _, r := RejectedFor(s, o, l); r != nil {
			continue
		}
		out = append(out, l)
	}
	return out
}

// forward leaves out what a source branch's writer made late: landings of a
// revision that is an older commit of the default branch than what came before
// them, or than what was taken. Where the revisions are no commits of it, the
// branch's own history is all that says which is newer.
func forward(chain Chain, taken string, ls []Landing) []Landing {
	var out []Landing
	for _, l := range slices.Backward(ls) {
		if older, known := chain.Newer(taken, l.Revision); known && older {
			continue
		}
		out = append(out, l)
		if _, on := chain.Index(l.Revision); on {
			taken = l.Revision
		}
	}
	slices.Reverse(out)
	return out
}

// above are an offerer's landings that are newer than what the environment
// last took or refused, newest first.
func above(s *Snapshot, o *Observed, from offerer) (newer []Landing, doubt string) {
	floor, ok := o.Ledger.State.Position[from.name]
	if !ok {
		return nil, fmt.Sprintf("%s is a new upstream", from.name)
	}
	floors := []string{floor.Commit}
	if f := o.Ledger.State.Floor[from.name]; f != "" && f != floor.Commit {
		floors = append(floors, f)
	}
	if p := o.Ledger.State.Promotion; p != nil && p.Status == state.Vetoed {
		if at := p.LandingOf(from.name); at != "" {
			floors = append(floors, at)
		}
	}
	for _, l := range from.landings {
		for _, f := range floors {
			n, known := from.order.Newer(l.Commit, f)
			if _, on := from.order.Index(f); !on && (from.forgets || f == "") {
				n, known = true, true
			}
			if !known {
				return nil, fmt.Sprintf("commit %.10s, up to which %s was taken over, is no longer in the history of %s", f, from.title, from.branch)
			}
			if !n {
				return newer, ""
			}
		}
		newer = append(newer, l)
	}
	if from.up != nil && !from.up.Config.Managed {
		newer = append(newer, standing(s, o, from.up, floors)...)
	}
	return newer, ""
}

// Behind is how many landings of an environment's upstream, or versions of its
// source, are newer than what it has taken; of several upstreams the most. What is
// not looked at in full is counted by the files it touches. A rollback upstream
// takes back what was before it, so nothing below it counts.
func Behind(s *Snapshot, o *Observed) int {
	if o.Ledger.State == nil {
		return 0
	}
	most := 0
	for _, name := range Offerers(o) {
		at, known := o.Ledger.State.Position[name]
		if !known {
			continue
		}
		from := o
		landings, older := o.Reads, []int(nil)
		switch {
		case name != state.Source:
			if from = s.find(Key{o.Key.Pipeline, name}); from == nil || from.Ledger.State == nil {
				continue
			}
			if landings, older = from.Landings, from.Older; from.Config.Managed {
				landings = versionLandings(from)
			}
		case o.Config.Source != nil:
			landings = versionLandings(o)
		}
		order, n, back := s.takenFrom(o, name), 0, false
		for _, l := range landings {
			if newer, known := order.Newer(l.Commit, at.Commit); known && !newer {
				break
			}
			if back = isRollback(from, l); back {
				break
			}
			n++
		}
		floor, on := order.Index(at.Commit)
		for _, i := range older {
			if !back && on && i < floor {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// readable are the landings whose revision the environment's own source branch
// holds, each with the commit to read it from.
func readable(o *Observed, ls []Landing) []Landing {
	var out []Landing
	for _, l := range ls {
		i := slices.IndexFunc(o.Reads, func(r Landing) bool { return r.Revision == l.Revision })
		if i >= 0 {
			l.Read = o.Reads[i].Commit
			out = append(out, l)
		}
	}
	return out
}

func unrendered(o *Observed, upstream string) string {
	return fmt.Sprintf("%s does not hold what %s has yet", o.Config.Read, upstream)
}

// NotRendered says why an environment has to wait for a revision that all its
// upstreams offer: its own source branch does not hold it yet. It is empty where
// that is not why.
func NotRendered(s *Snapshot, o *Observed, revision string) string {
	if o.Config.Read == "" || len(o.Config.From) == 0 || o.Ledger.State == nil {
		return ""
	}
	for _, name := range o.Config.From {
		from, doubt := offererOf(s, o, name)
		if doubt != "" {
			return ""
		}
		newer, _ := above(s, o, from)
		i := slices.IndexFunc(newer, func(l Landing) bool { return l.Revision == revision })
		if i < 0 || len(readable(o, newer[i:i+1])) > 0 {
			return ""
		}
	}
	return unrendered(o, o.Config.From[0])
}

// standing is what stands upstream, as if it had just landed, for an
// environment that begins with `start: reconcile` and has taken nothing yet.
func standing(s *Snapshot, o, up *Observed, floors []string) []Landing {
	st := o.Ledger.State
	at := st.Position[up.Key.Environment]
	if !st.Baseline.Reconcile || at.Revision != "" || len(floors) > 1 {
		return nil
	}
	chain := s.ChainOf(up)
	i, on := chain.Index(at.Commit)
	if !on {
		return nil
	}
	c := chain.Commits[i]
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
	return NeedsFresh(s.ChainOf(o), o)
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

// Short is a revision for people.
func Short(revision string) string { return short(revision) }

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
	p := o.Ledger.State.UnderWay()
	if offer, _ := OfferTo(s, o); offer != nil && !keeps(o, p) {
		return offer
	}
	if p == nil || !comesFrom(o, p.From) || p.From != state.Source && s.Upstream(o, p.From) == nil {
		return nil
	}
	return OfferOf(*p)
}

// OfferOf is what a promotion carries.
func OfferOf(p state.Promotion) *Offer {
	return &Offer{From: p.From, Landing: Landing{Commit: p.Landing, Revision: p.Revision, Origin: p.Origin, Read: p.Read}, Others: p.Others}
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
	if o.Config.Managed {
		for _, v := range st.Versions {
			if v.Name == revision {
				return true, v.Time, v.Commit
			}
		}
	}
	for _, p := range st.Position {
		if p.Revision == revision {
			return true, o.Ledger.At, ""
		}
	}
	return false, time.Time{}, ""
}
