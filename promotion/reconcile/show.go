package reconcile

// Show: the check runs, as few writes as tell the truth. One named "promobot"
// stands on every promoted revision, with all environments inside; one on the
// head of each promotion's pull request, with what it waits for; one on the
// head of a person's pull request that touches an environment; and one on the
// base branch's tip when the pipeline file there is wrong, or names a source that
// cannot be read.

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// checkName is the name of promobot's check runs.
const checkName = "promobot"

// shownFor is how long after its end a promotion's check runs are still looked
// after, so that a stop between its last step and its last update heals.
const shownFor = time.Hour

func (r *Reconciler) show(ctx context.Context, v *view, ds []promotion.Decision) error {
	if v.snapshot.Repository.Archived || r.o.NoChecks {
		return nil
	}
	if len(v.problems) > 0 {
		tip := v.refs["refs/heads/"+v.snapshot.Repository.DefaultBranch]
		c := texts.ForeignCheck(texts.Foreign{Repository: v.snapshot.Repository, File: &texts.FileChange{Problems: v.problems}})
		return r.writeChecks(ctx, []shown{{tip, c, annotations(v.problems)}})
	}
	var all []shown
	for i := range ds {
		all = append(all, r.showHead(ctx, v, &ds[i], &v.snapshot.Environments[i])...)
	}
	for _, rev := range r.revisions(v.snapshot, ds) {
		all = append(all, shown{rev.Commit, texts.RevisionCheck(rev), nil})
	}
	all, failed := r.showSources(ctx, v, all)
	foreign, err := r.showForeign(ctx, v)
	return errors.Join(failed, err, r.writeChecks(ctx, append(all, foreign...)), r.tell(ctx, v, ds))
}

// shown is a check run as it should be.
type shown struct {
	commit      string
	check       texts.Check
	annotations []Annotation
}

// showHead shows on a promotion's pull request what it waits for; the first of
// a batch does it for all.
func (r *Reconciler) showHead(ctx context.Context, v *view, d *promotion.Decision, o *promotion.Observed) []shown {
	p := o.Ledger.State.UnderWay()
	if p == nil || p.PullRequest == 0 || o.Pull == nil || !o.Pull.Open || o.Head == "" {
		return nil
	}
	if p.Batch != nil {
		if ms := promotion.Members(v.snapshot, *p); len(ms) == 0 || ms[0] != o {
			return nil
		}
		ts, err := r.batchTexts(ctx, v, *p)
		if err != nil || len(ts) == 0 {
			return nil
		}
		return []shown{{o.Head, texts.BatchHeadCheck(ts), nil}}
	}
	t, err := r.text(ctx, v, o, d, *p)
	if err != nil {
		return nil
	}
	return []shown{{o.Head, texts.HeadCheck(t), nil}}
}

// live are the revisions that are on their way, or were within the last hour, in
// order, each with its pipelines.
func live(s *promotion.Snapshot, ds []promotion.Decision) (order []string, live map[string]map[string]bool) {
	live = map[string]map[string]bool{}
	add := func(revision, pipeline string) {
		if !s.Holds(revision) {
			return
		}
		if live[revision] == nil {
			live[revision] = map[string]bool{}
			order = append(order, revision)
		}
		live[revision][pipeline] = true
	}
	for i := range ds {
		o := &s.Environments[i]
		if offer := ds[i].Offer; offer != nil {
			add(offer.Landing.Revision, o.Key.Pipeline)
		}
		if ds[i].Standing == promotion.Absent && ds[i].Reason != "" {
			// A hole on the way is never jumped over: what stands before it says so.
			for _, from := range o.Config.From {
				if up := s.Upstream(o, from); up != nil && len(up.Landings) > 0 {
					add(up.Landings[0].Revision, o.Key.Pipeline)
				}
			}
		}
		if st := o.Ledger.State; st != nil && st.Promotion != nil && (!st.Promotion.Status.Ended() || s.Now.Sub(o.Ledger.At) < shownFor) {
			if r := st.Promotion.Reverts; r != nil {
				add(r.Revision, o.Key.Pipeline) // what it takes back is what people look at
			} else {
				add(st.Promotion.Revision, o.Key.Pipeline)
			}
		}
		if st := o.Ledger.State; st != nil && st.Landing != nil && s.Now.Sub(st.Landing.Time) < shownFor {
			// The next one may have been claimed in the same run.
			add(st.Landing.Revision, o.Key.Pipeline)
		}
	}
	for i := range s.Environments {
		o := &s.Environments[i]
		st := o.Ledger.State
		if st == nil || o.Config.Verify == nil {
			continue
		}
		// What is being verified, or has just failed, says so on its own commit.
		if ls := promotion.ToVerify(s, o); len(ls) > 0 {
			add(ls[0].Revision, o.Key.Pipeline)
		}
		if f := st.Failure; f != nil && (!f.Over || s.Now.Sub(o.Ledger.At) < shownFor) {
			add(f.Revision, o.Key.Pipeline)
		}
		if len(st.Verdicts) > 0 && s.Now.Sub(st.Verdicts[0].Time) < shownFor {
			add(st.Verdicts[0].Revision, o.Key.Pipeline)
		}
	}
	return order, live
}

// revisionOf is what the check run on a revision is made of, over those pipelines.
func revisionOf(s *promotion.Snapshot, ds []promotion.Decision, revision string, pipelines map[string]bool) texts.Revision {
	rev := texts.Revision{Repository: s.Repository, Commit: revision, Now: s.Now}
	for i := range s.Environments {
		o := &s.Environments[i]
		if !pipelines[o.Key.Pipeline] {
			continue
		}
		if n := len(rev.Pipelines); n == 0 || rev.Pipelines[n-1].Pipeline != o.Pipeline {
			rev.Pipelines = append(rev.Pipelines, texts.RevisionPipeline{Pipeline: o.Pipeline})
		}
		if step, on := revisionStep(s, &ds[i], o, revision); on {
			last := &rev.Pipelines[len(rev.Pipelines)-1]
			last.Steps = append(last.Steps, step)
		}
	}
	return rev
}

// revisionStep is one environment's line of a revision's check run.
func revisionStep(s *promotion.Snapshot, d *promotion.Decision, o *promotion.Observed, revision string) (texts.Step, bool) {
	st := texts.Step{Environment: o.Key.Environment, Standing: d.Standing}
	st.Carries, st.At, st.Commit = promotion.Carries(s, o, revision)
	st.Actions = about(o, revision, promotion.Applicable(s, d, o))
	proven(s, o, revision, &st)
	if p := promotionOf(o, revision); p != nil {
		st.PullRequest, st.URL, st.Attempts = p.PullRequest, p.URL, p.Attempts
		if p.Status == state.Vetoed {
			st.Standing, st.Reason = promotion.Rejected, d.Reason
		}
	}
	offered := d.Offer != nil && d.Offer.Landing.Revision == revision
	if p := o.Ledger.State.UnderWay(); !st.Carries && (offered || p != nil && p.Reverts == nil && p.Revision == revision) {
		waits(o, d, &st)
	}
	if v := o.Config.Verify; v != nil && st.Carries && st.Verification != nil && st.Verification.Verdict == nil {
		st.Line = v.Line
	}
	switch {
	case offered && !st.Carries:
		st.Reason = d.Reason
	case !st.Carries && st.PullRequest == 0 && promotion.PassedOver(s, o, revision):
		st.Standing, st.Passed, st.Actions = promotion.Waiting, true, nil
	case !st.Carries && st.PullRequest == 0:
		// Nothing about this revision here yet: it waits for what comes before.
		if d.Standing == promotion.Absent {
			st.Reason = d.Reason
			return st, d.Reason != ""
		}
		st.Standing, st.Reason = promotion.Waiting, promotion.NotRendered(s, o, revision)
		if d.Standing == promotion.Stopped {
			st.Standing, st.Reason = d.Standing, d.Reason
		}
	}
	return st, true
}

// waits says what keeps a revision from landing in an environment.
func waits(o *promotion.Observed, d *promotion.Decision, st *texts.Step) {
	for i, g := range d.Gates {
		if g.Passed {
			continue
		}
		st.Waits, st.Line = &d.Gates[i], g.Line
		if p := o.Ledger.State.UnderWay(); p != nil {
			st.Asked = p.Claimed
		} else if d.Offer != nil {
			st.Asked = d.Offer.Landing.Time
		}
		for _, w := range o.Config.Windows {
			if g.Name == "window" && w.Line == g.Line {
				st.Zone = w.Zone
			}
		}
		return
	}
}

// about leaves those of what applies to an environment that are about a revision.
func about(o *promotion.Observed, revision string, all []promotion.Applies) []promotion.Applies {
	return slices.DeleteFunc(all, func(a promotion.Applies) bool {
		st := o.Ledger.State
		switch a.Do {
		case promotion.DoRollback:
			return st.Landing.Revision != revision
		case promotion.DoPromote, promotion.DoRetry:
			p := st.Promotion
			of := p != nil && (p.Revision == revision && p.Reverts == nil || p.Reverts != nil && p.Reverts.Revision == revision)
			return !of && !slices.ContainsFunc(st.Rejected, func(x state.Rejected) bool { return x.Revision == revision })
		}
		return false
	})
}

// writeChecks writes the check runs that do not say so already, several at a
// time. Only a rate limit ends it; what has changed meanwhile is shown next time.
func (r *Reconciler) writeChecks(ctx context.Context, all []shown) error {
	var calls []call
	var mu sync.Mutex
	seen := map[checkKey]bool{}
	for _, s := range all {
		k := checkKey{s.commit, checkName}
		known, remembered := r.memory.checks[k]
		hash := s.hash()
		if seen[k] || remembered && known.id != 0 && known.hash == hash {
			continue
		}
		seen[k] = true
		calls = append(calls, call{promotion.Key{}, func(ctx context.Context) error {
			written, err := r.writeCheck(ctx, s, hash, known, remembered)
			if stale(err) {
				return nil
			}
			if written.id != 0 {
				mu.Lock()
				defer mu.Unlock()
				r.memory.checks[k] = written
			}
			return err
		}})
	}
	return r.all(ctx, calls)
}

func (s shown) hash() string {
	parts := []string{s.check.Status, s.check.Conclusion, s.check.Title, s.check.Summary, s.check.Text}
	for _, a := range s.annotations {
		parts = append(parts, a.Path, a.Title, a.Message)
	}
	for _, b := range s.check.Buttons {
		parts = append(parts, b.Label, b.Does, b.Identifier)
	}
	return state.Hash(parts...)
}

// writeCheck writes a check run. One that is not remembered is looked for first.
func (r *Reconciler) writeCheck(ctx context.Context, s shown, hash string, known checkState, remembered bool) (checkState, error) {
	if !remembered {
		runs, err := r.github.CheckRuns(ctx, s.commit)
		if err != nil {
			return checkState{}, err
		}
		for _, run := range runs {
			if run.Name == checkName && run.ID > known.id {
				known = checkState{run.ID, run.ExternalID}
			}
		}
		if known.id != 0 && known.hash == hash {
			return known, nil
		}
	}
	c := s.check
	id, err := r.github.WriteCheckRun(ctx, CheckRun{
		ID: known.id, Name: checkName, Commit: s.commit, Status: c.Status, Conclusion: c.Conclusion, ExternalID: hash,
		Title: c.Title, Summary: c.Summary, Text: c.Text, Annotations: s.annotations, Actions: actions(c.Buttons),
	})
	if err != nil {
		return known, err
	}
	return checkState{id, hash}, nil
}

func actions(bs []texts.Button) (as []CheckAction) {
	for _, b := range bs {
		as = append(as, CheckAction{Label: b.Label, Description: b.Does, Identifier: b.Identifier})
	}
	return as
}

// mine says whether a pull request is one of promobot's own promotions.
func mine(p promotion.PullRequest) bool {
	_, _, ok := state.ParseBranch(p.Branch)
	return ok && p.ByApp && !p.Fork
}
