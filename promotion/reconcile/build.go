package reconcile

// Build: the commits of what is promoted in this pass, all of them on the base
// as it was just read, and the ledger entries that claim or land them. Nothing
// here asks anyone outside but GitHub for its signature, where commits are to
// be signed by it.

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// step is a promotion of which something has to be written.
type step struct {
	d *promotion.Decision
	o *promotion.Observed
	p state.Promotion
	// stack names those whose commits stand on each other, "" when it stands alone.
	stack  string
	before string // the commit it stands on
	commit promotion.NewCommit
	entry  entry
	// what has to happen after the ledger has it
	branch *promotion.RefUpdate
	create bool // open the pull request
	edit   bool // bring the pull request's text up to date
}

// group are steps that go together, or not at all.
type group struct {
	steps []*step
	more  []promotion.RefUpdate
}

// build makes the commits of this pass's claims and deliveries. Those that
// stand alone come first, then those that go together, by what they share.
func (r *Reconciler) build(ctx context.Context, v *view, ds []promotion.Decision) (single []*step, together []group, err error) {
	s := v.snapshot
	var steps []*step
	last := map[string]int{} // by stack, the number of its last commit
	laid := map[string][]content.Edit{}
	sizes := map[string]int{}
	for i := range ds {
		st := r.begun(s, &ds[i], &s.Environments[i])
		if st == nil {
			continue
		}
		if r.aside[st.o.Key] {
			delete(r.aside, st.o.Key)
			v.aside = true
			continue
		}
		if st.stack != "" && sizes[st.stack] == promotion.MostTogether {
			continue // it goes with the next pass
		}
		edits, fits, err := r.onto(ctx, v, st, laid[st.stack])
		if err != nil {
			return nil, nil, err
		}
		if !fits {
			continue // decided anew on what the ones before it leave
		}
		t, err := r.text(ctx, v, st.o, st.d, st.p)
		if err != nil {
			return nil, nil, err
		}
		st.commit = promotion.NewCommit{
			Base: st.p.Base, Edits: edits, Parents: []string{st.p.Base}, Author: r.o.Author, Time: s.Now, Message: texts.CommitMessage(t),
		}
		steps = append(steps, st)
		if st.stack == "" {
			continue
		}
		sizes[st.stack]++
		if n := last[st.stack]; n > 0 {
			st.commit.After, st.commit.Parents = n, nil
		}
		last[st.stack] = len(steps)
		laid[st.stack] = append(laid[st.stack], edits...)
	}
	if len(steps) == 0 {
		return nil, nil, nil
	}
	if err := r.makeCommits(ctx, v, steps); err != nil {
		return nil, nil, err
	}
	return r.arrange(v, steps)
}

// begun is the step of a claim or a delivery; nil for other actions.
func (r *Reconciler) begun(s *promotion.Snapshot, d *promotion.Decision, o *promotion.Observed) *step {
	st := &step{d: d, o: o}
	switch a := d.Action.(type) {
	case promotion.Claim:
		st.p, st.create, st.edit = a.Promotion, !a.Moves, a.Moves
		if st.p.Batch != nil {
			st.stack = "batch " + st.p.Batch.ID
		}
	case promotion.Deliver:
		st.p = a.Promotion
		st.stack = "push " + s.Base(o)
		if tries := r.memory.attempts[o.Key]; len(tries) > 0 {
			st.p.Attempts = slices.Clone(tries)
			st.p.Attempts[len(tries)-1].To = s.ChainOf(o).Tip()
		}
	default:
		return nil
	}
	st.p.Base, st.p.Claimed = s.ChainOf(o).Tip(), s.Now
	if h := o.Ledger.State.Hold; h != nil {
		st.p.Claimed = s.After(h.Since)
	}
	return st
}

// onto are a step's edits on top of those before it in its stack. Where they
// share a file its content is computed anew; what no longer has anything to do,
// or is not for promobot to do, does not fit.
func (r *Reconciler) onto(ctx context.Context, v *view, st *step, before []content.Edit) (edits []content.Edit, fits bool, err error) {
	c := st.d.Content
	shares := slices.ContainsFunc(before, func(b content.Edit) bool {
		return slices.ContainsFunc(c.Edits, func(e content.Edit) bool { return e.Path == b.Path })
	})
	if !shares {
		return c.Edits, true, nil
	}
	j := v.jobs[st.o]
	// What was computed in an earlier pass was not read again in this one. All of
	// it is here already: no request stands between reading the base and pushing.
	if _, err = r.readBlobs(ctx, v, content.Needs(j.input)); err != nil {
		return nil, false, err
	}
	if j.input.TargetNow.Files, j.input.Blobs, err = content.Apply(j.input.TargetNow.Files, v.blobs, before); err != nil {
		return nil, false, err
	}
	res, err := computed(j)
	if err != nil || len(res.Edits) == 0 || slices.ContainsFunc(res.Refused, func(x content.Refusal) bool { return !x.Never }) || !slices.Equal(res.Kinds, c.Kinds) {
		return nil, false, nil //nolint:nilerr // it is decided anew, and then said what is wrong
	}
	st.p.Expected = res.Expected
	return res.Edits, true, nil
}

// makeCommits makes the steps' commits, here or by GitHub, which signs them.
func (r *Reconciler) makeCommits(ctx context.Context, v *view, steps []*step) error {
	commits := make([]promotion.NewCommit, len(steps))
	for i, st := range steps {
		commits[i] = st.commit
	}
	ids, err := r.git.Commit(ctx, commits)
	if err != nil {
		return fmt.Errorf("make the promotions' commits: %w", err)
	}
	if ids, err = r.signed(ctx, v, steps, ids); err != nil {
		return err
	}
	for i, st := range steps {
		st.p.Commit, st.before = ids[i], st.p.Base
		if n := st.commit.After; n > 0 {
			st.before = ids[n-1]
		}
	}
	return nil
}

// arrange writes the steps' entries, now that their commits are known.
func (r *Reconciler) arrange(v *view, steps []*step) (single []*step, together []group, err error) {
	s := v.snapshot
	at := map[string]int{}
	for _, st := range steps {
		if st.stack == "" {
			r.claimEntry(v, st, true)
			single = append(single, st)
			continue
		}
		if _, known := at[st.stack]; !known {
			at[st.stack] = len(together)
			together = append(together, group{})
		}
		g := &together[at[st.stack]]
		g.steps = append(g.steps, st)
	}
	for i := range together {
		g := &together[i]
		head := g.steps[len(g.steps)-1].p.Commit
		_, pushes := g.steps[0].d.Action.(promotion.Deliver)
		for n, st := range g.steps {
			if pushes {
				r.landEntry(v, st)
				continue
			}
			st.p.Batch.Head = head
			r.claimEntry(v, st, n == 0)
			if n > 0 { // one pull request, and the first sees to it
				st.create, st.edit, st.branch = false, false, nil
			}
		}
		if pushes {
			g.more = []promotion.RefUpdate{{Ref: "refs/heads/" + s.Base(g.steps[0].o), Old: g.steps[0].p.Base, New: head}}
		}
	}
	return single, together, nil
}

// claimEntry is the ledger entry of a claim, and what follows it. A batch counts
// as one claim.
func (r *Reconciler) claimEntry(v *view, st *step, counts bool) {
	a, _ := st.d.Action.(promotion.Claim)
	st.p.Age = r.o.Now().Sub(v.read)
	st.branch = &promotion.RefUpdate{Ref: "refs/heads/" + st.p.Branch, New: st.p.Head()}
	if st.p.Replaced != nil {
		st.branch.Old = st.p.Replaced.BranchHead()
	}
	next := a.Previous
	next.Sequence++
	p := st.p
	next.Promotion = &p
	sentence := fmt.Sprintf("%s: promoting, since %s", st.o.Key, a.Why)
	if p.Reverts != nil {
		sentence = fmt.Sprintf("%s: %s", st.o.Key, a.Why) // it says that it rolls back
	}
	switch {
	case a.Moves:
		sentence = fmt.Sprintf("%s: #%d moves on, since %s", st.o.Key, p.PullRequest, a.Why)
	case counts:
		next.Claims = append(recent(next.Claims, v.snapshot), v.snapshot.Now)
	}
	st.entry = entry{observed: st.o, kind: state.KindClaim, sentence: sentence, state: next, keep: p.Commit}
}

// landEntry is the ledger entry of a delivery: the commit stands on the base
// branch when the entry stands in the ledger.
func (r *Reconciler) landEntry(v *view, st *step) {
	s := v.snapshot
	a, _ := st.d.Action.(promotion.Deliver)
	next := a.Previous
	p := st.p
	p.Status, p.By, p.Ended, p.Branch = state.Landed, s.App, s.Now, ""
	p.Age = r.o.Now().Sub(v.read)
	next.Promotion = &p
	next.Claims = append(recent(next.Claims, s), s.Now)
	promotion.Land(&next, *promotion.OfferOf(p), state.Landing{
		ID: p.ID, Commit: p.Commit, Before: st.before, Revision: p.Revision, Origin: p.Origin, From: p.From, At: p.Landing,
		Method: "push", By: s.App, Expected: p.Expected, Actual: p.Expected, Time: s.Now,
		Promoted: p.Commit, Was: promotion.Was(s, st.o, p.Base, st.d.Content.Was),
	})
	if st.o.Config.Verify != nil {
		next.Watch = promotion.Watching(next.Watch, p.Commit, s.Now)
	}
	sentence := fmt.Sprintf("%s: %s pushed to %s as %.10s, since %s", st.o.Key, promotion.Short(p.Revision), s.Base(st.o), p.Commit, a.Why)
	if n := len(p.Attempts); n > 0 {
		sentence += fmt.Sprintf("; attempt %d, the base had moved", n+1)
	}
	st.entry = entry{observed: st.o, kind: state.KindLanded, sentence: sentence, state: next}
}

// recent are the claims of the last hour.
func recent(claims []time.Time, s *promotion.Snapshot) []time.Time {
	return slices.DeleteFunc(claims, func(t time.Time) bool { return s.Now.Sub(t) >= time.Hour })
}

// conflicted notes one more attempt that met a base which had moved.
func (r *Reconciler) conflicted(o *promotion.Observed, res promotion.PushResult) {
	tries := slices.Clone(r.memory.attempts[o.Key])
	if n := len(tries); n > 0 {
		tries[n-1].To = res.Old
	}
	tries = append(tries, state.Rebuild{
		Why:  strings.TrimPrefix(res.Ref, "refs/heads/") + " moved while it was being pushed",
		From: res.Old, Time: r.o.Now(),
	})
	r.memory.attempts[o.Key] = tries[max(0, len(tries)-state.RebuildsKept):]
	if r.o.Conflict != nil {
		r.o.Conflict()
	}
	r.tries[o.Key]++
	r.conflicts++
	if most := cmp.Or(r.o.Attempts, defaultAttempts); r.tries[o.Key] >= most {
		r.refuse(o.Key, fmt.Sprintf("%d pushes in a row met a newer %s; it is tried again later", most, strings.TrimPrefix(res.Ref, "refs/heads/")), conflictAgain)
		r.tries[o.Key] = 0
	}
}

// How many pushes in a row may meet a base that has moved, and how long nothing
// is tried after as many.
const (
	defaultAttempts = 10
	conflictAgain   = time.Minute
)
