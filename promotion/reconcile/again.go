package reconcile

// Again: the check runs that nothing but a look back would bring up to date.
// Rules: what is on its way is always right; of what is not any more, its check run
// is written a last time when that ends, when the pipeline file comes to have other
// environments, and when somebody asks for it ("Re-run").

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// shownKept is how many of the revisions that were on their way are remembered.
const shownKept = 200

// lastShown is a revision that this process has shown, with its pipelines.
type lastShown struct {
	revision  string
	pipelines map[string]bool
	live      bool // with the last run
}

// revisions are those whose check runs are held to what is so now.
func (r *Reconciler) revisions(s *promotion.Snapshot, ds []promotion.Decision) []texts.Revision {
	order, on := live(s, ds)
	var out []texts.Revision
	for _, revision := range order {
		out = append(out, revisionOf(s, ds, revision, on[revision]))
	}
	layout := layoutOf(s)
	changed := r.memory.layout != "" && r.memory.layout != layout
	r.memory.layout = layout
	var kept []lastShown
	for _, was := range r.memory.shown {
		if on[was.revision] != nil {
			continue
		}
		if (was.live || changed) && s.Holds(was.revision) {
			out = append(out, revisionOf(s, ds, was.revision, was.pipelines))
		}
		was.live = false
		kept = append(kept, was)
	}
	for _, revision := range order {
		kept = append(kept, lastShown{revision, on[revision], true})
	}
	r.memory.shown = kept[max(0, len(kept)-shownKept):]
	return out
}

// layoutOf stands for the environments that there are.
func layoutOf(s *promotion.Snapshot) string {
	var parts []string
	for i := range s.Environments {
		if o := &s.Environments[i]; o.Config.Present {
			parts = append(parts, o.Key.Pipeline, o.Key.Environment)
		}
	}
	return state.Hash(parts...)
}

// Again answers for the check runs on commits that somebody has asked for again:
// GitHub shows them as queued until they are written.
func (r *Reconciler) Again(ctx context.Context, commits []string) error {
	repo, err := r.github.Repository(ctx)
	if err != nil {
		return fmt.Errorf("read repository: %w", err)
	}
	v, err := r.observe(ctx, repo)
	if err != nil {
		return err
	}
	ds := promotion.Decide(v.snapshot)
	r.overlayProblems(ds)
	v.decisions = ds
	var failures []error
	for _, commit := range commits {
		err := r.again(ctx, v, ds, commit)
		if limited(err) {
			return err
		}
		if err != nil && !stale(err) {
			failures = append(failures, fmt.Errorf("check run on %s: %w", commit, err))
		}
	}
	return errors.Join(failures...)
}

func (r *Reconciler) again(ctx context.Context, v *view, ds []promotion.Decision, commit string) error {
	runs, err := r.github.CheckRuns(ctx, commit)
	if err != nil {
		return err
	}
	var known CheckRun
	for _, run := range runs {
		if run.Name == checkName && run.ID > known.ID {
			known = run
		}
	}
	if known.ID == 0 {
		return nil
	}
	s := v.snapshot
	order, _ := live(s, ds)
	pipelines := map[string]bool{}
	for i := range s.Environments {
		o := &s.Environments[i]
		if has, _, _ := promotion.Carries(s, o, commit); has {
			pipelines[o.Key.Pipeline] = true
		}
	}
	if slices.Contains(order, commit) || !s.Holds(commit) || len(pipelines) == 0 || len(v.problems) > 0 {
		// What it says is held to what is so by every run.
		return r.github.CompleteCheckRun(ctx, known.ID, known.Conclusion)
	}
	sh := shown{commit, texts.RevisionCheck(revisionOf(s, ds, commit, pipelines)), nil}
	_, err = r.writeCheck(ctx, sh, sh.hash(), checkState{id: known.ID}, true)
	return err
}
