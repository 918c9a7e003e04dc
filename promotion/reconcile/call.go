package reconcile

// Call: the requests to GitHub that carry out a pass, and what they answered,
// into the ledger. One environment's trouble keeps no other from being served;
// only a rate limit ends the pass.

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// call is one environment's request.
type call struct {
	k  promotion.Key
	do func(ctx context.Context) error
}

// callGitHub opens, edits, merges and closes pull requests, and records what
// was opened.
func (r *Reconciler) callGitHub(ctx context.Context, v *view, steps []*step, ds []promotion.Decision) (acted bool, err error) {
	s := v.snapshot
	var opened []entry
	var mu sync.Mutex
	var calls []call
	for _, st := range steps {
		if !st.create && !st.edit {
			continue
		}
		title, body, err := r.pullText(ctx, v, st.o, st.d, st.p)
		if err != nil {
			return true, err
		}
		switch {
		case st.create:
			calls = append(calls, call{st.o.Key, func(ctx context.Context) error {
				pull, err := r.open(ctx, v, st, title, body)
				if err == nil && pull.Number != 0 {
					mu.Lock()
					defer mu.Unlock()
					opened = append(opened, r.openedEntries(s, st, pull)...)
				}
				return err
			}})
		case st.edit:
			calls = append(calls, call{st.o.Key, func(ctx context.Context) error {
				return r.github.EditPullRequest(ctx, st.p.PullRequest, title, body)
			}})
		}
	}
	failed := r.all(ctx, calls)
	calls = nil
	for i := range ds {
		k := ds[i].Key
		switch a := ds[i].Action.(type) {
		case promotion.Merge:
			m, err := r.mergeRequest(ctx, v, &ds[i], &s.Environments[i], a.Promotion, a.Method)
			if err != nil {
				return true, err
			}
			calls = append(calls, call{k, func(ctx context.Context) error { return r.github.MergePullRequest(ctx, m) }})
		case promotion.HandOver:
			m, err := r.mergeRequest(ctx, v, &ds[i], &s.Environments[i], a.Promotion, a.Method)
			if err != nil {
				return true, err
			}
			calls = append(calls, call{k, func(ctx context.Context) error { return r.handOver(ctx, m, a.Queue) }})
		case promotion.TakeBack:
			calls = append(calls, call{k, func(ctx context.Context) error {
				if a.Queue {
					return r.github.Dequeue(ctx, a.Promotion.PullRequest)
				}
				return r.github.DisableAutoMerge(ctx, a.Promotion.PullRequest)
			}})
		case promotion.Close:
			calls = append(calls, call{k, func(ctx context.Context) error { return r.github.ClosePullRequest(ctx, a.Promotion.PullRequest) }})
		case promotion.Recover:
			if !r.mayRecover(a.Taken) {
				continue
			}
			calls = append(calls, call{k, func(ctx context.Context) error { return r.recover(ctx, v, &s.Environments[i], a) }})
		case promotion.Append, promotion.Claim, promotion.Carry, promotion.Advance, promotion.Deliver: // done above
		}
	}
	acted = len(calls) > 0
	// Merges move the base that the others are merged into: one after the other.
	for _, c := range calls {
		if limited(failed) {
			break
		}
		failed = errors.Join(failed, r.note(c.k, ds, c.do(ctx)))
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

// all makes calls of which none depends on another, several at a time.
func (r *Reconciler) all(ctx context.Context, calls []call) error {
	var mu sync.Mutex
	var failed error
	var g errgroup.Group
	g.SetLimit(max(1, r.o.Concurrency))
	for _, c := range calls {
		mu.Lock()
		over := limited(failed)
		mu.Unlock()
		if over {
			break
		}
		run := func() error {
			err := c.do(ctx)
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, r.note(c.k, nil, err))
			return nil
		}
		if r.o.Concurrency <= 1 {
			_ = run()
			continue
		}
		g.Go(run)
	}
	_ = g.Wait()
	return failed
}

// note takes a refusal for its own environment's, and returns what else went
// wrong. With decisions given, the call was about a merge.
func (r *Reconciler) note(k promotion.Key, merging []promotion.Decision, err error) error {
	var refused *promotion.RefusedError
	switch {
	case err == nil:
		return nil
	case merging != nil && r.mergeRefused(k, err):
		return nil
	case stale(err):
		return nil
	case errors.As(err, &refused) && k != (promotion.Key{}):
		r.refuse(k, refused.Reason, refusedAgain)
		return nil
	}
	return fmt.Errorf("%s: %w", k, err)
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
// not over. The pull request that it supersedes is told where things go on.
func (r *Reconciler) open(ctx context.Context, v *view, st *step, title, body string) (promotion.PullRequest, error) {
	if r.o.Now().Sub(st.p.Claimed) >= makersTime {
		return promotion.PullRequest{}, nil
	}
	c := st.o.Config
	pull, err := r.github.CreatePullRequest(ctx, NewPullRequest{
		Branch: st.p.Branch, Base: v.snapshot.Base(st.o),
		Title: title, Body: body,
		Labels: c.Labels, Assignees: c.Assignees, Reviewers: c.Reviewers,
	})
	if err != nil || st.p.Supersedes == 0 {
		return pull, err
	}
	if err := r.supersede(ctx, st.p.Supersedes, pull); err != nil {
		r.o.Log.Warn().Err(err).Int("pull_request", st.p.Supersedes).Msg("a superseded pull request does not name the new one")
	}
	return pull, nil
}

// supersede has a closed pull request name the one that goes on in its place.
func (r *Reconciler) supersede(ctx context.Context, number int, by promotion.PullRequest) error {
	old, err := r.github.PullRequest(ctx, number)
	if err != nil {
		return err
	}
	body := texts.Superseded(old.Body, by.Number)
	if body == old.Body {
		return nil
	}
	return r.github.EditPullRequest(ctx, number, old.Title, body)
}

// openedEntries record a pull request in the ledger of each promotion in it.
func (r *Reconciler) openedEntries(s *promotion.Snapshot, st *step, pull promotion.PullRequest) []entry {
	observed := []*promotion.Observed{st.o}
	if st.p.Batch != nil {
		observed = promotion.Members(s, st.p)
	}
	var es []entry
	for _, o := range observed {
		next := o.Ledger.State.Clone()
		next.Sequence++
		p := next.Promotion
		p.Status, p.PullRequest, p.URL = state.Opened, pull.Number, pull.URL
		es = append(es, entry{observed: o, kind: state.KindOpened, state: next, sentence: promotion.OpenedSentence(o, *p, pull.Number)})
	}
	return es
}

// mergeRequest merges with the head the gates were evaluated on.
func (r *Reconciler) mergeRequest(ctx context.Context, v *view, d *promotion.Decision, o *promotion.Observed, p state.Promotion, method string) (MergeRequest, error) {
	m := MergeRequest{Number: p.PullRequest, Head: p.Head(), Method: method}
	if p.Batch != nil {
		ts, err := r.batchTexts(ctx, v, p)
		if err == nil && len(ts) > 0 {
			m.Title, m.Message = texts.BatchMergeMessage(ts)
		}
		return m, err
	}
	t, err := r.text(ctx, v, o, d, p)
	m.Title, m.Message = texts.MergeMessage(t)
	return m, err
}

// handOver leaves the merge to GitHub. Where there is nothing to wait for,
// auto-merge is refused and it is merged at once.
func (r *Reconciler) handOver(ctx context.Context, m MergeRequest, queue bool) error {
	if queue {
		return r.github.Enqueue(ctx, m.Number, m.Head)
	}
	err := r.github.EnableAutoMerge(ctx, m)
	if errors.Is(err, promotion.ErrClean) {
		return r.github.MergePullRequest(ctx, m)
	}
	return err
}

// mergeRefused keeps a merge that GitHub did not want from being tried again at
// once: it said that it could be merged, and then that it could not.
func (r *Reconciler) mergeRefused(k promotion.Key, err error) bool {
	if refused, ok := errors.AsType[*promotion.RefusedError](err); ok {
		r.memory.problems[k] = problem{"GitHub refuses the merge: " + refused.Reason, promotion.Stopped, r.o.Now().Add(mergeRefusedAgain), true, r.o.Now()}
		return true
	}
	if w, ok := errors.AsType[*promotion.WaitError](err); ok {
		r.memory.problems[k] = problem{"GitHub does not merge it yet: " + w.Reason, promotion.Waiting, r.o.Now().Add(mergeRefusedAgain), true, r.o.Now()}
		return true
	}
	if stale(err) {
		r.memory.problems[k] = problem{"it changed while it was being merged; it is looked at again", promotion.Waiting, r.o.Now().Add(mergeStaleAgain), true, r.o.Now()}
		return true
	}
	return false
}
