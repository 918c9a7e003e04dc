package reconcile

// Revert: what rolling a landing back does to the base as it stands. It is the
// reverse of definition 8, over the files that the promotion's own commit
// changed, and depends on nothing that today's pipeline file says.

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// changedBy are the paths that a promotion's own commit changed.
func (r *Reconciler) changedBy(ctx context.Context, commit string) ([]string, error) {
	if paths, known := r.memory.changedBy[commit]; known {
		return paths, nil
	}
	known, err := r.git.Commits(ctx, []string{commit})
	if err != nil {
		return nil, fmt.Errorf("read the promotion's commit %.10s: %w", commit, err)
	}
	if len(known[commit].Parents) == 0 {
		return nil, fmt.Errorf("the promotion's commit %.10s is not here", commit)
	}
	made, err := r.git.Between(ctx, known[commit].Parents[0], commit, []string{""}, 1)
	if err != nil {
		return nil, fmt.Errorf("read what %.10s changed: %w", commit, err)
	}
	if len(made) == 0 {
		return nil, fmt.Errorf("the promotion's commit %.10s changed nothing", commit)
	}
	r.memory.changedBy[commit] = made[0].Changed
	return made[0].Changed, nil
}

// revertInput is a rollback as a content to be computed: from what stood after
// the landing to what stood before it, on a base commit.
func (r *Reconciler) revertInput(ctx context.Context, o *promotion.Observed, reverts state.Reverts, base string) (job, error) {
	place, err := r.revertPlace(ctx, reverts)
	if err != nil {
		return job{o: o}, err
	}
	name := o.Key.Environment
	j := job{o: o, input: content.Input{Source: name + " before", Target: name, AllowMoving: true}}
	in := &j.input
	for _, x := range []struct {
		into   *content.Side
		commit string
	}{
		{&in.Upstream, reverts.Before},
		{&in.UpstreamThen, reverts.Landing},
		{&in.UpstreamBaseline, reverts.Landing},
		{&in.TargetNow, base},
		{&in.TargetBaseline, reverts.Landing},
	} {
		if *x.into, err = r.side(ctx, place, x.commit); err != nil {
			return j, err
		}
	}
	return j, nil
}

// revertedInput asks what a merged rollback should have made of the base before it.
func (r *Reconciler) revertedInput(ctx context.Context, o *promotion.Observed, p state.Promotion) (job, error) {
	j, err := r.revertInput(ctx, o, *p.Reverts, o.Resolved.Before)
	if err != nil {
		return j, err
	}
	actual, err := r.side(ctx, j.input.TargetNow.Place, o.Resolved.Commit)
	if err != nil {
		return j, err
	}
	o.Resolved.Expected = p.Expected
	j.actual = &actual
	j.then = func(res content.Result) { o.Resolved.Expected, o.Resolved.Was = res.Expected, res.Was }
	return j, nil
}

// revertPlace is the place of exactly the files that a promotion changed.
func (r *Reconciler) revertPlace(ctx context.Context, reverts state.Reverts) (content.Place, error) {
	paths, err := r.changedBy(ctx, reverts.Commit)
	if err != nil {
		return content.Place{}, err
	}
	dir := path.Dir(paths[0])
	for _, p := range paths[1:] {
		for dir != "." && !below(p, dir) {
			dir = path.Dir(dir)
		}
	}
	if dir == "." {
		dir = ""
	}
	place := content.Place{Dir: dir, Items: []content.Item{{Kind: content.Files}}}
	for _, p := range paths {
		name := strings.TrimPrefix(strings.TrimPrefix(p, dir), "/")
		place.Items[0].Patterns = append(place.Items[0].Patterns, exactly(name))
	}
	return place, nil
}

// exactly is a file's name as a glob that means only it.
func exactly(name string) string {
	var b strings.Builder
	for _, c := range name {
		if strings.ContainsRune("*?[]{}\\", c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}
