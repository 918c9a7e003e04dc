package reconcile

// Describe: what the texts are made of, gathered from the same snapshot and
// decisions that are acted on.

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// bringsShown is how many of the commits that a promotion brings are named.
const bringsShown = 20

// text gathers what a promotion's texts are made of.
func (r *Reconciler) text(ctx context.Context, v *view, o *promotion.Observed, d *promotion.Decision, p state.Promotion) (texts.Promotion, error) {
	s := v.snapshot
	t := texts.Promotion{
		Repository: s.Repository, Pipeline: o.Pipeline, Config: o.Config, State: p, Decision: *d,
		Now: s.Now, Way: way(s, o.Key.Pipeline, p.Revision, o.Key.Environment), Actions: promotion.Applicable(s, d, o),
		Holidays: s.Holidays, Shut: s.Shut,
	}
	from, before, after := carriedOver(s, o, p)
	if p.Reverts != nil {
		t.Rollback = rollbackOf(s, o, *p.Reverts)
		from, before, after = takenBack(s, o)
	}
	if up := s.Upstream(o, p.From); up != nil {
		t.Verdict = up.Ledger.State.VerdictOf(p.Landing)
	}
	if from == nil || before == "" {
		return t, nil
	}
	if t.Before = before; before == after {
		return t, nil
	}
	brings, err := r.brought(ctx, s, from, p, before, after)
	if err != nil {
		return t, fmt.Errorf("read what %s brings: %w", o.Key, err)
	}
	if len(brings) > bringsShown {
		t.More, brings = len(brings)-bringsShown, brings[:bringsShown]
	}
	t.Brings = brings
	return t, nil
}

// brought are the commits of a history that changed a folder, newest first: from
// what was read of it already, where it reaches.
func (r *Reconciler) brought(ctx context.Context, s *promotion.Snapshot, from *promotion.Observed, p state.Promotion, before, after string) ([]promotion.Commit, error) {
	chain := s.ChainOf(from)
	if p.Read != "" || p.From == state.Source {
		chain = s.History(from.Config.Read)
	}
	newest, on := chain.Index(after)
	oldest, there := chain.Index(before)
	if !on || !there {
		return r.git.Between(ctx, before, after, places(from), bringsShown+1)
	}
	k := span{before, after, from.Config.Place.Dir}
	if brings, known := r.memory.brings[k]; known {
		return brings, nil
	}
	var brings []promotion.Commit
	for i := newest; i < oldest && len(brings) <= bringsShown; i++ {
		c := chain.Commits[i]
		if slices.ContainsFunc(c.Changed, func(f string) bool { return below(f, from.Config.Place.Dir) }) {
			brings = append(brings, c)
		}
	}
	r.memory.brings[k] = brings
	return brings, nil
}

// below says whether a path lies in a folder; "" is the repository's root.
func below(path, dir string) bool { return dir == "" || strings.HasPrefix(path, dir+"/") }

// pullText is the title and text of the pull request that a promotion travels in.
func (r *Reconciler) pullText(ctx context.Context, v *view, o *promotion.Observed, d *promotion.Decision, p state.Promotion) (title, body string, err error) {
	if p.Batch != nil {
		ts, err := r.batchTexts(ctx, v, p)
		if err != nil || len(ts) == 0 {
			return "", "", err
		}
		return texts.BatchTitle(ts), texts.BatchBody(ts), nil
	}
	t, err := r.text(ctx, v, o, d, p)
	return texts.Title(t), texts.Body(t), err
}

// batchTexts are what the texts of a batch are made of, member by member.
func (r *Reconciler) batchTexts(ctx context.Context, v *view, p state.Promotion) ([]texts.Promotion, error) {
	var ts []texts.Promotion
	for _, o := range promotion.Members(v.snapshot, p) {
		t, err := r.text(ctx, v, o, v.decision(o), *o.Ledger.State.Promotion)
		if err != nil {
			return nil, err
		}
		ts = append(ts, t)
	}
	return ts, nil
}

// decision is an environment's.
func (v *view) decision(o *promotion.Observed) *promotion.Decision {
	for i := range v.decisions {
		if v.decisions[i].Key == o.Key {
			return &v.decisions[i]
		}
	}
	return &promotion.Decision{Key: o.Key}
}

// carriedOver is the part of a history that a promotion brings: whose it is, and
// between which commits. A version brings none that could be read here.
func carriedOver(s *promotion.Snapshot, o *promotion.Observed, p state.Promotion) (of *promotion.Observed, before, after string) {
	if o.Ledger.State == nil {
		return nil, "", ""
	}
	at := o.Ledger.State.Position[p.From]
	up := s.Upstream(o, p.From)
	switch {
	case p.Read != "":
		return o, at.Read, p.Read
	case p.From == state.Source && o.Config.Source == nil:
		return o, at.Commit, p.Landing
	case up == nil || up.Config.Managed:
		return nil, "", ""
	}
	return up, at.Commit, p.Landing
}

// takenBack is the part of a history that a rollback takes back.
func takenBack(s *promotion.Snapshot, o *promotion.Observed) (of *promotion.Observed, before, after string) {
	rec := o.Ledger.State.Landing
	if rec == nil || rec.Was == nil || rec.From == "" {
		return nil, "", ""
	}
	up := s.Upstream(o, rec.From)
	if up == nil || up.Config.Managed {
		return nil, "", ""
	}
	return up, rec.Was.Position[rec.From].Commit, rec.At
}

func places(o *promotion.Observed) []string {
	if o.Config.Place.Dir == "" {
		return nil
	}
	return []string{o.Config.Place.Dir}
}

// way is where a revision has got to in each environment of a pipeline that it
// can reach.
func way(s *promotion.Snapshot, pipeline, revision, here string) []texts.Step {
	var steps []texts.Step
	for i := range s.Environments {
		o := &s.Environments[i]
		if o.Key.Pipeline != pipeline || !o.Config.Present {
			continue
		}
		st := texts.Step{Environment: o.Key.Environment, Here: o.Key.Environment == here}
		st.Carries, st.At, st.Commit = promotion.Carries(s, o, revision)
		if p := promotionOf(o, revision); p != nil {
			st.PullRequest, st.URL = p.PullRequest, p.URL
		}
		proven(s, o, revision, &st)
		steps = append(steps, st)
	}
	return steps
}

// promotionOf is the environment's newest promotion if it is of the revision.
func promotionOf(o *promotion.Observed, revision string) *state.Promotion {
	if o.Ledger.State == nil || o.Ledger.State.Promotion == nil || o.Ledger.State.Promotion.Revision != revision {
		return nil
	}
	return o.Ledger.State.Promotion
}

// laterShown is how many of the commits after a landing are named.
const laterShown = 10

// rollbackOf gathers what the texts of a rollback say beside the promotion itself.
func rollbackOf(s *promotion.Snapshot, o *promotion.Observed, reverts state.Reverts) texts.Rollback {
	st := o.Ledger.State
	r := texts.Rollback{Landing: st.Landing, Hold: st.Hold, Failure: st.Failure, Later: []promotion.Commit{}}
	cause := o
	if reverts.Cause != "" {
		if x := s.Upstream(o, reverts.Cause); x != nil {
			cause = x
			r.Failure = x.Ledger.State.Failure
		}
	}
	if r.Failure != nil {
		r.Verdict = cause.Ledger.State.VerdictOf(r.Failure.Landing)
	}
	chain := s.ChainOf(o)
	if at, on := chain.Index(reverts.Landing); on {
		for _, c := range chain.Commits[:at] {
			switch {
			case !slices.ContainsFunc(c.Changed, func(f string) bool { return below(f, o.Config.Place.Dir) }):
			case len(r.Later) < laterShown:
				r.Later = append(r.Later, c)
			default:
				r.LaterMore++
			}
		}
	}
	for _, step := range way(s, o.Key.Pipeline, reverts.Revision, o.Key.Environment) {
		if !step.Here {
			r.Elsewhere = append(r.Elsewhere, step)
		}
	}
	r.People = append(slices.Clone(o.Config.Assignees), o.Config.Reviewers...)
	return r
}

// proven says of a step what is observed of the revision there, and what was done
// about it.
func proven(s *promotion.Snapshot, o *promotion.Observed, revision string, step *texts.Step) {
	st := o.Ledger.State
	if st == nil {
		return
	}
	step.Hold = st.Hold
	if v := promotion.VerificationOf(s, o); v != nil && v.Landing.Revision == revision {
		step.Verification = v
	}
	if st.Failure != nil && st.Failure.Revision == revision {
		step.Failure = st.Failure
	}
	if p := st.Promotion; p != nil && p.Reverts != nil && p.Reverts.Revision == revision {
		step.Rollback = p
		if rec := st.Landing; rec != nil && rec.Reverts == p.Reverts.Promotion {
			step.TakenBack = rec.Commit
		}
	}
}
