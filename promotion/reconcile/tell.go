package reconcile

// Tell: a comment on the pull request that landed what failed, when nothing more
// is done about it by itself. It is written once: by who recorded it, or, after
// the bound, by whoever finds that it is missing.

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// halts remembers what this process has just recorded as failed for good.
func (r *Reconciler) halts(es []entry, won []bool) {
	for i, e := range es {
		if f := e.state.Failure; won[i] && f != nil && f.Over && (e.kind == state.KindVerdict || e.kind == state.KindHalted) {
			r.memory.told[f.Landing] = false
		}
	}
}

// tell calls people where they are needed.
func (r *Reconciler) tell(ctx context.Context, v *view, ds []promotion.Decision) error {
	var failures []error
	for i := range ds {
		o := &v.snapshot.Environments[i]
		h, pull, stuck := halted(v.snapshot, o, &ds[i])
		if !stuck {
			continue
		}
		told, mine := r.memory.told[h.Landing]
		if told || !mine && v.snapshot.Now.Sub(o.Ledger.At) < promotion.Bound {
			continue
		}
		err := r.comments(ctx, pull, o, h)
		if limited(err) {
			return err
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("tell people of %s: %w", o.Key, err))
			continue
		}
		r.memory.told[h.Landing] = true
	}
	return errors.Join(failures...)
}

// comments writes the comment unless it is there.
func (r *Reconciler) comments(ctx context.Context, pull int, o *promotion.Observed, h texts.Halted) error {
	there, err := r.github.CommentsOn(ctx, pull, o.Ledger.State.Failure.Since)
	if err != nil {
		return err
	}
	for _, c := range there {
		if c.ByApp && strings.HasPrefix(c.Body, texts.HaltedMark(h.Landing)) {
			return nil
		}
	}
	var refused *promotion.RefusedError
	if _, err := r.github.WriteComment(ctx, pull, texts.HaltedComment(h)); err != nil && !errors.As(err, &refused) {
		return err
	}
	return nil
}

// halted says whether people have to be called for an environment, and on which
// pull request: a landing of promobot's has failed, and neither a rollback nor a
// step of the policy is under way.
func halted(s *promotion.Snapshot, o *promotion.Observed, d *promotion.Decision) (h texts.Halted, pull int, stuck bool) {
	st := o.Ledger.State
	if st == nil || st.Failure == nil || st.Landing == nil || st.Landing.Commit != st.Failure.Landing || st.Landing.PullRequest == 0 ||
		st.UnderWay() != nil || d.Action != nil || d.Standing != promotion.Stopped || st.Hold == nil {
		return h, 0, false
	}
	rec := st.Landing
	if last := st.Promotion; last != nil && last.Reverts != nil && last.Reverts.Landing == rec.Commit {
		return h, 0, false // a person closed the rollback, and knows
	}
	h = texts.Halted{
		Repository: s.Repository, Environment: o.Key.Environment, Landing: rec.Commit, Reason: d.Reason,
		Verdict: st.VerdictOf(rec.Commit), Rollback: rec.Reverts != "", Held: true, People: append([]string(nil), o.Config.Reviewers...),
	}
	if rec.By != "" && rec.By != s.App && !strings.HasSuffix(rec.By, "[bot]") {
		h.People = append(h.People, rec.By)
	}
	return h, rec.PullRequest, true
}
