package promotion

// Batches: promotions of one environment that become due together travel in
// one pull request, one commit each. Who is in it is fixed by one push of all
// their ledger entries; from then on each member's ledger tells of its own, and
// all see the same pull request. The first member still under way acts for all.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/state"
)

// Members are the environments whose promotions travel in a batch, in the
// order of its commits, as far as they still do.
func Members(s *Snapshot, p state.Promotion) []*Observed {
	if p.Batch == nil {
		return nil
	}
	var out []*Observed
	for _, ref := range p.Batch.Members {
		pipeline, environment, err := state.ParseRef(ref)
		if err != nil {
			continue
		}
		o := s.find(Key{pipeline, environment})
		if q := o.travelling(); q != nil && q.Batch != nil && q.Batch.ID == p.Batch.ID {
			out = append(out, o)
		}
	}
	return out
}

// travelling is the environment's promotion under way, or nil.
func (o *Observed) travelling() *state.Promotion {
	if o == nil {
		return nil
	}
	return o.Ledger.State.UnderWay()
}

// gather turns the decisions of what travels together into decisions of one
// pull request.
func gather(s *Snapshot, ds []Decision) {
	at := map[*Observed]*Decision{}
	for i := range ds {
		at[&s.Environments[i]] = &ds[i]
	}
	done := map[string]bool{}
	for i := range s.Environments {
		p := s.Environments[i].travelling()
		if p == nil || p.Batch == nil || done[p.Batch.ID] {
			continue
		}
		done[p.Batch.ID] = true
		var members []*Decision
		for _, o := range Members(s, *p) {
			members = append(members, at[o])
		}
		together(s, *p, members)
	}
	form(s, ds)
}

// together makes one of the decisions of a batch's members: what is done to the
// pull request is done once, by the first of them.
func together(s *Snapshot, p state.Promotion, members []*Decision) {
	if len(members) == 0 {
		return
	}
	rebuild, why := len(members) < len(p.Batch.Members), "a service was taken out of it"
	settled := 0
	for _, d := range members {
		switch a := d.Action.(type) {
		case Claim:
			rebuild, why = true, a.Why
		case Append:
			if a.Kind == state.KindClosing {
				settled++
			}
		case Carry, Advance, Merge, Close, Deliver, HandOver, TakeBack, Recover: // nothing is built for them
		}
	}
	stays := func(d *Decision) bool {
		if a, ok := d.Action.(Append); ok {
			return a.Kind == state.KindClosing
		}
		return true
	}
	switch first := members[0]; {
	case slices.ContainsFunc(members, func(d *Decision) bool { return !stays(d) }):
		// Something is being recorded of some: what is done to the others waits for it.
		for _, d := range members {
			if stays(d) && d.Action != nil {
				d.Action, d.Standing, d.Reason = nil, Waiting, "its batch is being recorded"
				d.Until = s.Now.Add(retryMergeable)
			}
		}
	case settled == len(members):
		// Nothing of it is left: the pull request is closed as any other.
	case settled > 0:
		for _, d := range members {
			if _, ok := d.Action.(Append); ok {
				dropOut(s, s.find(d.Key), d)
			} else if d.Action != nil {
				d.Action = nil
			}
		}
	case rebuild && buildable(s, members):
		rebuildAll(s, members, why)
	default:
		alone(s, first, members)
	}
}

// buildable says whether every member can be built anew now.
func buildable(s *Snapshot, members []*Decision) bool {
	for _, d := range members {
		o := s.find(d.Key)
		p := o.travelling()
		if p.Status != state.Opened || o.Content == nil || len(o.Content.Edits) == 0 || blocked(o.Content.Refused) != nil || len(o.Doubts) > 0 || o.Head != p.Head() {
			return false
		}
	}
	return true
}

// rebuildAll puts what is left of a batch on today's base, all of it.
func rebuildAll(s *Snapshot, members []*Decision, why string) {
	refs := make([]string, len(members))
	for i, d := range members {
		refs[i] = s.find(d.Key).Ledger.Ref
	}
	for _, d := range members {
		o := s.find(d.Key)
		p := *o.Ledger.State.Clone().Promotion
		np := p
		np.Rebuild++
		np.Expected = o.Content.Expected
		np.Batch = &state.Batch{ID: p.Batch.ID, Members: slices.Clone(refs), Build: p.Batch.Build + 1, Formed: p.Batch.Formed}
		moved := move(s, o, p, np, nil, why)
		moved.Key, moved.Content, moved.Offer = d.Key, d.Content, d.Offer
		*d = moved
	}
}

// dropOut ends one member's promotion: the pull request goes on without it.
func dropOut(s *Snapshot, o *Observed, d *Decision) {
	st := o.Ledger.State.Clone()
	st.Promotion.Status, st.Promotion.Reason, st.Promotion.Ended = state.Closed, d.Reason, s.Now
	st.Sequence++
	d.Action = Append{Kind: state.KindClosed, State: st, Sentence: fmt.Sprintf("%s: taken out of #%d, since %s", o.Key, st.Promotion.PullRequest, d.Reason)}
}

// alone leaves what is done to the pull request to the first member. It is
// merged only when all may be.
func alone(s *Snapshot, first *Decision, members []*Decision) {
	var waiting *Decision
	for _, d := range members {
		switch d.Action.(type) {
		case Merge, HandOver:
		default:
			if waiting == nil {
				waiting = d
			}
		}
	}
	for _, d := range members {
		switch d.Action.(type) {
		case Merge, HandOver:
			if waiting != nil && waiting.Action == nil {
				d.Action, d.Standing, d.Until = nil, Waiting, waiting.Until
				d.Reason = fmt.Sprintf("%s waits: %s", s.find(waiting.Key).Pipeline.Title, waiting.Reason)
				d.Gates = append(d.Gates, Gate{Name: "batch", Text: d.Reason})
			} else if d != first {
				d.Action = nil
			}
		case Claim:
			d.Action, d.Standing = nil, Waiting
			d.Until = s.Now.Add(retryDoubt)
		case Carry, Advance, Close, TakeBack:
			if d != first {
				d.Action = nil
			}
		case Append, Deliver, Recover: // of its own ledger alone, and never in a batch
		}
	}
}

// form gathers the claims of one environment that are due into one batch each.
func form(s *Snapshot, ds []Decision) {
	type kind struct{ environment, branch string }
	groups := map[kind][]int{}
	var order []kind
	for i := range ds {
		o := &s.Environments[i]
		c, ok := ds[i].Action.(Claim)
		ok = ok && c.Promotion.Reverts == nil // a rollback waits for nothing
		if !ok || c.Moves || !o.Config.Batch.Batched() {
			continue
		}
		if next, waits := waitsForBatch(s, o, ds[i].Offer); waits {
			ds[i].Action, ds[i].Standing, ds[i].Until = nil, Waiting, next
			ds[i].Reason = fmt.Sprintf("it goes with the next batch for %s, %s", o.Key.Environment, When(next, o.Config.Batch.Zone))
			continue
		}
		k := kind{o.Key.Environment, s.Base(o)}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], i)
	}
	for _, k := range order {
		for members := range slices.Chunk(groups[k], MostTogether) {
			if len(members) > 1 {
				join(s, ds, members)
			}
		}
	}
}

// MostTogether is how many promotions travel in one batch, or go in one direct
// push: all their refs are named by one command, and move together.
const MostTogether = 200

// waitsForBatch says until when an offer waits to be gathered: it landed after
// the last time of gathering, or that time's batch has been formed already.
func waitsForBatch(s *Snapshot, o *Observed, offer *Offer) (next time.Time, waits bool) {
	last := o.Config.Batch.Last(s.Now)
	next = o.Config.Batch.Next(s.Now)
	if offer.Landing.Time.After(last) {
		return next, true
	}
	for i := range s.Environments {
		x := &s.Environments[i]
		if x.Key.Environment != o.Key.Environment || x.Ledger.State == nil || s.Base(x) != s.Base(o) {
			continue
		}
		if p := x.Ledger.State.Promotion; p != nil && p.Batch != nil && !p.Batch.Formed.Before(last) {
			return next, true
		}
	}
	return next, false
}

// When is a time for people, in a zone.
func When(t time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	name := zone.String()
	return t.In(zone).Format("Mon 15:04") + " " + name
}

// join makes one batch of claims. Its id comes from its members.
func join(s *Snapshot, ds []Decision, members []int) {
	refs := make([]string, len(members))
	ids := []string{"batch"}
	for n, i := range members {
		c, _ := ds[i].Action.(Claim)
		refs[n] = s.Environments[i].Ledger.Ref
		ids = append(ids, c.Promotion.ID)
	}
	id := state.Hash(ids...)
	o := &s.Environments[members[0]]
	branch := state.Branch("", o.Key.Environment, s.Now.UTC().Format("2006-01-02T15-04"), id)
	for _, i := range members {
		c, _ := ds[i].Action.(Claim)
		c.Promotion.Batch = &state.Batch{ID: id, Members: slices.Clone(refs), Build: 1, Formed: s.Now}
		c.Promotion.Branch = branch
		ds[i].Action = c
	}
}

// Titles are the short names of a batch's members, for people.
func Titles(s *Snapshot, p state.Promotion) string {
	var names []string
	for _, o := range Members(s, p) {
		names = append(names, o.Pipeline.Title)
	}
	return strings.Join(names, ", ")
}
