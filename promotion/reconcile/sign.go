package reconcile

// Commits that GitHub signs: it makes the commit object over a tree that it
// must have before. The tree is pushed under a ref outside the branches, inside
// a commit of promobot's own; the ref goes with the next push of entries.

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// signed replaces the commits of environments that ask for it by GitHub's. The
// others stay. This is the one thing besides local work that may stand between
// reading the base and pushing.
func (r *Reconciler) signed(ctx context.Context, v *view, steps []*step, ids []string) ([]string, error) {
	var updates []promotion.RefUpdate
	asks := map[string]bool{}
	for _, st := range steps {
		asks[st.stack] = asks[st.stack] || st.stack != "" && st.o.Config.VerifiedCommits
	}
	// Commits that stand on a signed one are signed, too: their parent is another.
	signs := func(st *step) bool { return st.o.Config.VerifiedCommits || asks[st.stack] }
	for i, st := range steps {
		if st.p.Verified = signs(st); st.p.Verified {
			updates = append(updates, promotion.RefUpdate{Ref: state.MadePrefix + ids[i], New: ids[i]})
		}
	}
	if len(updates) == 0 {
		return ids, nil
	}
	if r.o.NoChecks {
		return ids, nil // a dry run has nobody to sign
	}
	made, err := r.git.Commits(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("make the promotions' commits: %w", err)
	}
	results, err := r.git.Push(ctx, updates, false)
	if err != nil {
		return nil, fmt.Errorf("push the trees to be signed: %w", err)
	}
	for _, res := range results {
		if res.Status != promotion.Pushed {
			return nil, fmt.Errorf("push the trees to be signed: %s: %s", res.Ref, res.Reason)
		}
		v.made = append(v.made, promotion.RefUpdate{Ref: res.Ref, Old: res.New})
	}
	out := slices.Clone(ids)
	// The commits of a stack are signed one after the other, stacks side by side.
	stacks := map[string][]int{}
	for i, st := range steps {
		if signs(st) {
			k := st.stack
			if k == "" {
				k = ids[i]
			}
			stacks[k] = append(stacks[k], i)
		}
	}
	var g errgroup.Group
	g.SetLimit(max(1, r.o.Concurrency))
	for _, k := range slices.Sorted(maps.Keys(stacks)) {
		sign := func() error {
			for _, i := range stacks[k] {
				if err := r.sign(ctx, steps[i], made[ids[i]].Tree, out, i); err != nil {
					return err
				}
			}
			return nil
		}
		if r.o.Concurrency > 1 {
			g.Go(sign)
		} else if err := sign(); err != nil {
			return nil, err
		}
	}
	return out, g.Wait()
}

// sign has GitHub make one commit over a tree that it has, and takes it over.
func (r *Reconciler) sign(ctx context.Context, st *step, tree string, out []string, i int) error {
	parent := st.p.Base
	if n := st.commit.After; n > 0 {
		parent = out[n-1]
	}
	c, err := r.github.CreateCommit(ctx, tree, []string{parent}, st.commit.Message)
	if err != nil {
		return fmt.Errorf("have GitHub sign the commit of %s: %w", st.o.Key, err)
	}
	if out[i], err = r.git.Adopt(ctx, c); err != nil {
		return fmt.Errorf("take over the commit that GitHub signed for %s: %w", st.o.Key, err)
	}
	return nil
}

// leftMade are the refs that a process which ended left behind: older than any
// that is still at work.
func (r *Reconciler) leftMade(ctx context.Context, v *view) ([]promotion.RefUpdate, error) {
	var ids []string
	var left []promotion.RefUpdate
	for ref, id := range v.refs {
		if strings.HasPrefix(ref, state.MadePrefix) {
			ids, left = append(ids, id), append(left, promotion.RefUpdate{Ref: ref, Old: id})
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	made, err := r.git.Commits(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look for what was left to be signed: %w", err)
	}
	return slices.DeleteFunc(left, func(u promotion.RefUpdate) bool {
		c, known := made[u.Old]
		return !known || v.snapshot.Now.Sub(c.Time) < promotion.Bound
	}), nil
}
