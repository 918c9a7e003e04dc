package reconcile

// Act: carry out what was decided. The ledger first, as one push in which each
// entry has its own lease; then the branches of the claims that were won, as
// one more; then GitHub; then what GitHub answered, into the ledger. Whatever
// is refused or lost on the way is decided anew on a new snapshot. Stopping
// anywhere loses nothing: the next pass finds the ledger and carries on.

import (
	"context"
	"fmt"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// act says whether it wrote, or tried to write, anything: then everything has
// to be observed anew.
func (r *Reconciler) act(ctx context.Context, v *view, ds []promotion.Decision) (acted bool, err error) {
	s := v.snapshot
	single, together, err := r.build(ctx, v, ds)
	if err != nil {
		return len(v.made) > 0, err
	}
	acted = v.aside
	var steps []*step
	for _, g := range together {
		won, err := r.pushGroup(ctx, v, g)
		acted = true
		if err != nil {
			return true, err
		}
		if _, lands := g.steps[0].d.Action.(promotion.Deliver); won && !lands {
			steps = append(steps, g.steps...)
		}
	}
	entries, carried := r.entries(v, ds)
	for _, st := range single {
		entries = append(entries, st.entry)
	}
	won, err := r.write(ctx, s, entries)
	if len(single) > 0 {
		r.window(v, "pull_request")
	}
	if err == nil {
		r.intended(entries, won)
		r.halts(entries, won)
		r.lands(entries, won)
	}
	if err != nil {
		return true, err
	}
	for i := range entries {
		if !won[i] {
			continue
		}
		if st := carried[entries[i].observed]; st != nil {
			steps = append(steps, st)
		}
		if n := i - (len(entries) - len(single)); n >= 0 {
			steps = append(steps, single[n])
		}
	}
	for _, st := range steps {
		if st.create {
			// Nobody else can know the commit yet: it has no check run.
			r.memory.checks[checkKey{st.p.Head(), checkName}] = checkState{}
		}
	}
	for i := range ds {
		if a, ok := ds[i].Action.(promotion.Advance); ok {
			steps = append(steps, advanceStep(&ds[i], &s.Environments[i], a))
		}
	}
	acted = acted || len(entries)+len(steps) > 0
	if acted {
		left, err := r.leftMade(ctx, v)
		if err != nil {
			return true, err
		}
		v.made = append(v.made, left...)
	}
	if err := r.pushBranches(ctx, steps, v.made); err != nil {
		return true, err
	}
	did, err := r.callGitHub(ctx, v, steps, ds)
	return acted || did, err
}

// pushGroup pushes the entries of steps that go together, with the base branch
// they are delivered to, if they are.
func (r *Reconciler) pushGroup(ctx context.Context, v *view, g group) (won bool, err error) {
	entries := make([]entry, len(g.steps))
	for i, st := range g.steps {
		entries[i] = st.entry
	}
	wins, err := r.writeTogether(ctx, v.snapshot, entries, g.more...)
	how := "push"
	if len(g.more) == 0 {
		how = "pull_request"
	}
	r.window(v, how)
	r.lands(entries, wins)
	for i, w := range wins {
		won = w
		if w && len(g.more) > 0 {
			delete(r.memory.attempts, entries[i].observed.Key)
		}
	}
	return won, err
}

// window tells how long ago the base was read that was just pushed onto.
func (r *Reconciler) window(v *view, deliver string) {
	if r.o.Window != nil {
		r.o.Window(deliver, r.o.Now().Sub(v.read))
	}
}

// entries are the ledger entries of this pass that come with no new commit.
func (r *Reconciler) entries(v *view, ds []promotion.Decision) ([]entry, map[*promotion.Observed]*step) {
	s := v.snapshot
	var es []entry
	carried := map[*promotion.Observed]*step{}
	for i := range ds {
		o := &s.Environments[i]
		switch a := ds[i].Action.(type) {
		case promotion.Append:
			es = append(es, entry{observed: o, kind: a.Kind, sentence: a.Sentence, state: a.State, leaves: leftBehind(v, a)})
		case promotion.Carry:
			st := o.Ledger.State.Clone()
			st.Promotion.Claimed = s.Now
			st.Sequence++
			es = append(es, entry{
				observed: o, kind: state.KindCarried, state: st,
				sentence: fmt.Sprintf("%s: opening the pull request is carried on", o.Key),
			})
			carried[o] = carryStep(&ds[i], o, *st.Promotion)
		default: // made with its commit, or the ledger has it already
		}
	}
	return es, carried
}

// carryStep opens the pull request of a claim that the ledger has already.
func carryStep(d *promotion.Decision, o *promotion.Observed, p state.Promotion) *step {
	st := &step{d: d, o: o, p: p, create: true}
	if o.Head != p.Head() {
		st.branch = &promotion.RefUpdate{Ref: "refs/heads/" + p.Branch, Old: o.Head, New: p.Head()}
	}
	return st
}

// advanceStep brings the branch and the text of a moved pull request after it.
func advanceStep(d *promotion.Decision, o *promotion.Observed, a promotion.Advance) *step {
	st := &step{d: d, o: o, p: a.Promotion, edit: true}
	if head := a.Promotion.Head(); a.Lease != head {
		st.branch = &promotion.RefUpdate{Ref: "refs/heads/" + a.Promotion.Branch, Old: a.Lease, New: head}
	}
	return st
}

// leftBehind is the head branch that a landed promotion leaves behind, unless
// GitHub or a person has dealt with it.
func leftBehind(v *view, a promotion.Append) *promotion.RefUpdate {
	ref := "refs/heads/" + a.DeleteBranch
	if v.refs[ref] != a.DeleteHead || a.DeleteHead == "" || !strings.HasPrefix(a.DeleteBranch, state.BranchPrefix) {
		return nil
	}
	return &promotion.RefUpdate{Ref: ref, Old: a.DeleteHead}
}

// pushBranches creates and moves head branches in one push. A step whose branch
// did not get there goes no further.
func (r *Reconciler) pushBranches(ctx context.Context, steps []*step, more []promotion.RefUpdate) error {
	updates := more
	for _, st := range steps {
		if st.branch != nil {
			updates = append(updates, *st.branch)
		}
	}
	if len(updates) == 0 {
		return nil
	}
	results, err := r.git.Push(ctx, updates, false)
	if err != nil {
		return fmt.Errorf("push branches: %w", err)
	}
	got := map[string]promotion.PushResult{}
	for _, res := range results {
		got[res.Ref] = res
	}
	for _, st := range steps {
		if st.branch == nil {
			continue
		}
		res := got[st.branch.Ref]
		if res.Status == promotion.Pushed {
			continue
		}
		st.create, st.edit = false, false
		if res.Status == promotion.Refused {
			r.refuse(st.o.Key, fmt.Sprintf("GitHub refuses the branch %s: %s", st.p.Branch, res.Reason), refusedAgain)
		}
	}
	return nil
}
