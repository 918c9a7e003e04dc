package reconcile

// Show: the check runs, as few writes as tell the truth. One named "promobot"
// stands on every promoted revision, with all environments inside; one on the
// head of each promotion's pull request, with what it waits for; one on the
// head of a person's pull request that touches an environment; and one on the
// base branch's tip when the pipeline file there is wrong.

import (
	"context"
	"errors"
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
	var failed error
	write := func(commit string, c texts.Check, as []Annotation) bool {
		err := r.writeCheck(ctx, commit, c, as)
		if err != nil && !stale(err) {
			failed = errors.Join(failed, err)
		}
		return !limited(failed)
	}
	if len(v.problems) > 0 {
		tip := v.refs["refs/heads/"+v.snapshot.Repository.DefaultBranch]
		c := texts.ForeignCheck(texts.Foreign{Repository: v.snapshot.Repository, File: &texts.FileChange{Problems: v.problems}})
		write(tip, c, annotations(v.problems))
		return failed
	}
	for i := range ds {
		if !r.showHead(ctx, v, &ds[i], &v.snapshot.Environments[i], write) {
			return failed
		}
	}
	for _, rev := range revisions(v.snapshot, ds) {
		if !write(rev.Commit, texts.RevisionCheck(rev), nil) {
			return failed
		}
	}
	return errors.Join(failed, r.showForeign(ctx, v, write))
}

type writer func(commit string, c texts.Check, as []Annotation) bool

// showHead shows on a promotion's pull request what it waits for.
func (r *Reconciler) showHead(ctx context.Context, v *view, d *promotion.Decision, o *promotion.Observed, write writer) bool {
	p := o.Ledger.State.UnderWay()
	if p == nil || p.PullRequest == 0 || o.Pull == nil || !o.Pull.Open {
		return true
	}
	head := o.Head
	if head == "" {
		return true
	}
	t, err := r.text(ctx, v, o, d, *p)
	if err != nil {
		return true
	}
	return write(head, texts.HeadCheck(t), nil)
}

// revisions are the check runs of the revisions that are on their way, or were
// within the last hour.
func revisions(s *promotion.Snapshot, ds []promotion.Decision) []texts.Revision {
	live := map[string]map[string]bool{} // revision → pipelines
	var order []string
	add := func(revision, pipeline string) {
		if _, on := s.Chain.Index(revision); !on {
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
			add(st.Promotion.Revision, o.Key.Pipeline)
		}
	}
	var out []texts.Revision
	for _, revision := range order {
		rev := texts.Revision{Repository: s.Repository, Commit: revision, Now: s.Now}
		for i := range s.Environments {
			o := &s.Environments[i]
			if !live[revision][o.Key.Pipeline] {
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
		out = append(out, rev)
	}
	return out
}

// revisionStep is one environment's line of a revision's check run.
func revisionStep(s *promotion.Snapshot, d *promotion.Decision, o *promotion.Observed, revision string) (texts.Step, bool) {
	st := texts.Step{Environment: o.Key.Environment, Standing: d.Standing}
	st.Carries, st.At, st.Commit = promotion.Carries(s, o, revision)
	if p := promotionOf(o, revision); p != nil {
		st.PullRequest, st.URL = p.PullRequest, p.URL
		if p.Status == state.Vetoed {
			st.Standing, st.Reason = promotion.Rejected, d.Reason
		}
	}
	offered := d.Offer != nil && d.Offer.Landing.Revision == revision
	switch {
	case offered && !st.Carries:
		st.Reason = d.Reason
	case !st.Carries && st.PullRequest == 0:
		// Nothing about this revision here yet: it waits for what comes before.
		if d.Standing == promotion.Absent {
			st.Reason = d.Reason
			return st, d.Reason != ""
		}
		st.Standing = promotion.Waiting
		if d.Standing == promotion.Stopped {
			st.Standing, st.Reason = d.Standing, d.Reason
		}
	}
	return st, true
}

// writeCheck writes a check run if it does not say so already.
func (r *Reconciler) writeCheck(ctx context.Context, commit string, c texts.Check, as []Annotation) error {
	parts := []string{c.Status, c.Conclusion, c.Title, c.Summary, c.Text}
	for _, a := range as {
		parts = append(parts, a.Path, a.Title, a.Message)
	}
	hash := state.Hash(parts...)
	k := checkKey{commit, checkName}
	known, remembered := r.memory.checks[k]
	if !remembered {
		runs, err := r.github.CheckRuns(ctx, commit)
		if err != nil {
			return err
		}
		for _, run := range runs {
			if run.Name == checkName && run.ID > known.id {
				known = checkState{run.ID, run.ExternalID}
			}
		}
		r.memory.checks[k] = known
	}
	if known.id != 0 && known.hash == hash {
		return nil
	}
	id, err := r.github.WriteCheckRun(ctx, CheckRun{
		ID: known.id, Name: checkName, Commit: commit, Status: c.Status, Conclusion: c.Conclusion, ExternalID: hash,
		Title: c.Title, Summary: c.Summary, Text: c.Text, Annotations: as,
	})
	if err != nil {
		return err
	}
	r.memory.checks[k] = checkState{id, hash}
	return nil
}

// mine says whether a pull request is one of promobot's own promotions.
func mine(p promotion.PullRequest) bool {
	_, _, ok := state.ParseBranch(p.Branch)
	return ok && p.ByApp && !p.Fork
}
