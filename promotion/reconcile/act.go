package reconcile

// Act: carry out what was decided. The ledger first, as one push in which each
// entry has its own lease; then the branches of the claims that were won, as
// one more; then GitHub; then what GitHub answered, into the ledger. Whatever
// is refused or lost on the way is decided anew on a new snapshot. Stopping
// anywhere loses nothing: the next pass finds the ledger and carries on.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// step is a promotion of which something has to be written.
type step struct {
	d *promotion.Decision
	o *promotion.Observed
	p state.Promotion
	// what has to happen after the ledger has it
	branch *promotion.RefUpdate
	create bool // open the pull request
	edit   bool // bring the pull request's text up to date
}

// act says whether it wrote, or tried to write, anything: then everything has
// to be observed anew.
func (r *Reconciler) act(ctx context.Context, v *view, ds []promotion.Decision) (acted bool, err error) {
	s := v.snapshot
	var steps []*step
	entries, claims, err := r.entries(ctx, v, ds)
	if err != nil {
		return false, err
	}
	won, err := r.write(ctx, s, entries)
	if err != nil {
		return true, err
	}
	for i, e := range entries {
		if !won[i] {
			continue
		}
		if st := claims[e.observed]; st != nil {
			steps = append(steps, st)
			if e.kind == state.KindClaim {
				// Nobody else can know the commit yet: it has no check run.
				r.memory.checks[checkKey{st.p.Commit, checkName}] = checkState{}
			}
		}
	}
	for i := range ds {
		if a, ok := ds[i].Action.(promotion.Advance); ok {
			steps = append(steps, advanceStep(&ds[i], &s.Environments[i], a))
		}
	}
	if err := r.pushBranches(ctx, steps); err != nil {
		return true, err
	}
	acted = len(entries)+len(steps) > 0
	did, err := r.callGitHub(ctx, v, steps, ds)
	return acted || did, err
}

// entries makes the ledger entries of this pass, with the commits of its claims.
func (r *Reconciler) entries(ctx context.Context, v *view, ds []promotion.Decision) ([]entry, map[*promotion.Observed]*step, error) {
	s := v.snapshot
	var es []entry
	var commits []promotion.NewCommit
	var made []*step
	claims := map[*promotion.Observed]*step{}
	for i := range ds {
		o := &s.Environments[i]
		switch a := ds[i].Action.(type) {
		case promotion.Append:
			es = append(es, entry{observed: o, kind: a.Kind, sentence: a.Sentence, state: a.State, leaves: leftBehind(v, a)})
		case promotion.Claim:
			p := a.Promotion
			p.Base, p.Claimed = s.ChainOf(o).Tip(), s.Now
			t, err := r.text(ctx, v, o, &ds[i], p)
			if err != nil {
				return nil, nil, err
			}
			commits = append(commits, promotion.NewCommit{
				Base: p.Base, Edits: ds[i].Content.Edits, Parents: []string{p.Base}, Author: r.o.Author, Time: s.Now,
				Message: texts.CommitMessage(t),
			})
			made = append(made, &step{d: &ds[i], o: o, p: p, create: !a.Moves, edit: a.Moves})
		case promotion.Carry:
			st := o.Ledger.State.Clone()
			st.Promotion.Claimed = s.Now
			st.Sequence++
			es = append(es, entry{
				observed: o, kind: state.KindCarried, state: st,
				sentence: fmt.Sprintf("%s: opening the pull request is carried on", o.Key),
			})
			claims[o] = carryStep(&ds[i], o, *st.Promotion)
		case promotion.Advance, promotion.Merge, promotion.Close: // the ledger has them already
		}
	}
	if len(made) == 0 {
		return es, claims, nil
	}
	ids, err := r.git.Commit(ctx, commits)
	if err != nil {
		return nil, nil, fmt.Errorf("make the promotions' commits: %w", err)
	}
	for i, st := range made {
		c, _ := st.d.Action.(promotion.Claim)
		st.p.Commit = ids[i]
		st.branch = &promotion.RefUpdate{Ref: "refs/heads/" + st.p.Branch, New: st.p.Commit}
		if st.p.Replaced != nil {
			st.branch.Old = st.p.Replaced.Commit
		}
		next := c.Previous
		next.Sequence++
		p := st.p
		next.Promotion = &p
		sentence := fmt.Sprintf("%s: promoting, since %s", st.o.Key, c.Why)
		if c.Moves {
			sentence = fmt.Sprintf("%s: #%d moves on, since %s", st.o.Key, st.p.PullRequest, c.Why)
		} else {
			next.Claims = append(recent(next.Claims, s), s.Now)
		}
		claims[st.o] = st
		es = append(es, entry{observed: st.o, kind: state.KindClaim, sentence: sentence, state: next, keep: st.p.Commit})
	}
	return es, claims, nil
}

// recent are the claims of the last hour.
func recent(claims []time.Time, s *promotion.Snapshot) []time.Time {
	return slices.DeleteFunc(claims, func(t time.Time) bool { return s.Now.Sub(t) >= time.Hour })
}

// carryStep opens the pull request of a claim that the ledger has already.
func carryStep(d *promotion.Decision, o *promotion.Observed, p state.Promotion) *step {
	st := &step{d: d, o: o, p: p, create: true}
	if o.Head != p.Commit {
		st.branch = &promotion.RefUpdate{Ref: "refs/heads/" + p.Branch, Old: o.Head, New: p.Commit}
	}
	return st
}

// advanceStep brings the branch and the text of a moved pull request after it.
func advanceStep(d *promotion.Decision, o *promotion.Observed, a promotion.Advance) *step {
	st := &step{d: d, o: o, p: a.Promotion, edit: true}
	if a.Lease != a.Promotion.Commit {
		st.branch = &promotion.RefUpdate{Ref: "refs/heads/" + a.Promotion.Branch, Old: a.Lease, New: a.Promotion.Commit}
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
func (r *Reconciler) pushBranches(ctx context.Context, steps []*step) error {
	var updates []promotion.RefUpdate
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

// callGitHub opens, edits, merges and closes pull requests, and records what
// was opened. One environment's trouble keeps no other from being served; only
// a rate limit ends the pass.
func (r *Reconciler) callGitHub(ctx context.Context, v *view, steps []*step, ds []promotion.Decision) (acted bool, err error) {
	s := v.snapshot
	var opened []entry
	var failed error
	note := func(k promotion.Key, err error) {
		var refused *promotion.RefusedError
		switch {
		case err == nil || stale(err):
		case errors.As(err, &refused):
			r.refuse(k, refused.Reason, refusedAgain)
		default:
			failed = errors.Join(failed, fmt.Errorf("%s: %w", k, err))
		}
	}
	for _, st := range steps {
		if limited(failed) {
			break
		}
		switch {
		case st.create:
			pull, err := r.open(ctx, v, st)
			note(st.o.Key, err)
			if err == nil && pull.Number != 0 {
				opened = append(opened, openedEntry(st, pull))
			}
		case st.edit:
			t, err := r.text(ctx, v, st.o, st.d, st.p)
			if err == nil {
				err = r.github.EditPullRequest(ctx, st.p.PullRequest, texts.Title(t), texts.Body(t))
			}
			note(st.o.Key, err)
		}
	}
	for i := range ds {
		if limited(failed) {
			break
		}
		switch a := ds[i].Action.(type) {
		case promotion.Merge:
			acted = true
			err := r.merge(ctx, v, &ds[i], &s.Environments[i], a.Promotion)
			if !r.mergeRefused(ds[i].Key, err) {
				note(ds[i].Key, err)
			}
		case promotion.Close:
			acted = true
			note(ds[i].Key, r.github.ClosePullRequest(ctx, a.Promotion.PullRequest))
		case promotion.Append, promotion.Claim, promotion.Carry, promotion.Advance: // done above
		}
	}
	for _, x := range s.Extras {
		if limited(failed) {
			break
		}
		acted = true
		r.o.Log.Info().Int("pull_request", x.Number).Msg("closing a pull request that no ledger names")
		if err := r.github.ClosePullRequest(ctx, x.Number); err != nil && !stale(err) {
			failed = errors.Join(failed, fmt.Errorf("close #%d: %w", x.Number, err))
		}
	}
	if _, err := r.write(ctx, s, opened); err != nil {
		failed = errors.Join(failed, err)
	}
	return acted, failed
}

func limited(err error) bool {
	var l *promotion.LimitedError
	return errors.As(err, &l)
}

// makersTime is how long after a claim, or after carrying it on, the pull
// request is still opened. It leaves the rest of the bound to the request
// itself and to lists that lag.
const makersTime = promotion.Bound / 4

// open opens a claim's pull request, if the time in which nobody else does is
// not over.
func (r *Reconciler) open(ctx context.Context, v *view, st *step) (promotion.PullRequest, error) {
	if r.o.Now().Sub(st.p.Claimed) >= makersTime {
		return promotion.PullRequest{}, nil
	}
	t, err := r.text(ctx, v, st.o, st.d, st.p)
	if err != nil {
		return promotion.PullRequest{}, err
	}
	c := st.o.Config
	return r.github.CreatePullRequest(ctx, NewPullRequest{
		Branch: st.p.Branch, Base: v.snapshot.Base(st.o),
		Title: texts.Title(t), Body: texts.Body(t),
		Labels: c.Labels, Assignees: c.Assignees, Reviewers: c.Reviewers,
	})
}

func openedEntry(st *step, pull promotion.PullRequest) entry {
	next := st.o.Ledger.State.Clone()
	next.Sequence++
	p := st.p
	p.Status, p.PullRequest, p.URL = state.Opened, pull.Number, pull.URL
	next.Promotion = &p
	return entry{
		observed: st.o, kind: state.KindOpened, state: next,
		sentence: promotion.OpenedSentence(st.o.Key, p, pull.Number),
	}
}

// merge merges with the head the gates were evaluated on.
func (r *Reconciler) merge(ctx context.Context, v *view, d *promotion.Decision, o *promotion.Observed, p state.Promotion) error {
	t, err := r.text(ctx, v, o, d, p)
	if err != nil {
		return err
	}
	title, message := texts.MergeMessage(t)
	return r.github.MergePullRequest(ctx, MergeRequest{
		Number: p.PullRequest, Head: p.Commit, Method: method(v.snapshot.Repository), Title: title, Message: message,
	})
}

// mergeRefused keeps a merge that GitHub did not want from being tried again at
// once: it said that it could be merged, and then that it could not.
func (r *Reconciler) mergeRefused(k promotion.Key, err error) bool {
	if refused, ok := errors.AsType[*promotion.RefusedError](err); ok {
		r.memory.problems[k] = problem{"GitHub refuses the merge: " + refused.Reason, promotion.Stopped, r.o.Now().Add(mergeRefusedAgain), true}
		return true
	}
	if stale(err) {
		r.memory.problems[k] = problem{"it changed while it was being merged; it is looked at again", promotion.Waiting, r.o.Now().Add(mergeStaleAgain), true}
		return true
	}
	return false
}

// method prefers what keeps the promotion's commit and its trailers in history.
func method(repo promotion.Repository) string {
	switch {
	case repo.Merge:
		return "merge"
	case repo.Squash:
		return "squash"
	default:
		return "rebase"
	}
}
