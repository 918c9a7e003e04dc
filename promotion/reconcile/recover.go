package reconcile

// Recover: the user's own recovery, a workflow or a repository_dispatch. GitHub
// has no idempotency key for either, so the intent stands in the ledger first,
// with a nonce that is sent along. Only who wrote the intent sends it, and soon;
// what became of it after a crash is found out by the nonce, or not at all.

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// intended remembers the recoveries whose intents this process has just written.
func (r *Reconciler) intended(es []entry, won []bool) {
	for i, e := range es {
		if f := e.state.Failure; won[i] && e.kind == state.KindRun && f != nil && len(f.Steps) > 0 {
			if t := f.Steps[len(f.Steps)-1]; !t.Sent && t.Result == "" {
				r.memory.intents[t.Nonce] = true
			}
		}
	}
}

// mayRecover says whether a recovery is this process's to send, still.
func (r *Reconciler) mayRecover(t state.Taken) bool {
	return r.memory.intents[t.Nonce] && r.o.Now().Sub(t.Time) < makersTime
}

// recover sends a recovery whose intent is this process's, once, and records it.
func (r *Reconciler) recover(ctx context.Context, v *view, o *promotion.Observed, a promotion.Recover) error {
	t := a.Taken
	delete(r.memory.intents, t.Nonce)
	run, err := r.send(ctx, v, o, a)
	var refused *promotion.RefusedError
	st := o.Ledger.State.Clone()
	last := &st.Failure.Steps[len(st.Failure.Steps)-1]
	sentence := fmt.Sprintf("%s: the recovery is sent", o.Key)
	switch {
	case errors.As(err, &refused):
		last.Result = "failed"
		sentence = fmt.Sprintf("%s: GitHub refuses the recovery: %s", o.Key, refused.Reason)
	case err != nil:
		return err // it may have been sent: the nonce tells
	default:
		last.Sent, last.Run = true, run
	}
	st.Sequence++
	_, err = r.write(ctx, v.snapshot, []entry{{observed: o, kind: state.KindRun, state: st, sentence: sentence}})
	return err
}

// send begins a recovery, and returns its run's id where GitHub says it.
func (r *Reconciler) send(ctx context.Context, v *view, o *promotion.Observed, a promotion.Recover) (int64, error) {
	inputs := particulars(o, a.Taken)
	if a.Step.Run.Workflow != "" {
		maps.Copy(inputs, a.Step.Run.Inputs)
		ref := a.Step.Run.Ref
		if ref == "" {
			ref = v.snapshot.Repository.DefaultBranch
		}
		return r.github.DispatchWorkflow(ctx, a.Step.Run.Workflow, ref, inputs)
	}
	payload := map[string]any{"promotion": inputs}
	for k, x := range a.Step.Run.Inputs {
		payload[k] = x
	}
	return 0, r.github.DispatchRepository(ctx, a.Step.Run.Event, payload)
}

// particulars are what a recovery is told of the promotion.
func particulars(o *promotion.Observed, t state.Taken) map[string]string {
	f := o.Ledger.State.Failure
	pull := ""
	if l := o.Ledger.State.Landing; l != nil && l.Commit == f.Landing && l.PullRequest != 0 {
		pull = fmt.Sprint(l.PullRequest)
	}
	return map[string]string{
		"pipeline": o.Key.Pipeline, "environment": o.Key.Environment, "revision": f.Revision, "landing": f.Landing,
		"pull_request": pull, "kind": f.Kind, "reason": f.Reason, "nonce": t.Nonce,
	}
}
