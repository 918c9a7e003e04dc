package reconcile

// Record: GitHub deployments of what landed, where the pipeline file asks for them.
// They project the ledger and are never read for a decision. Who recorded a landing
// creates its deployment at once; when it is missing after the bound, anyone does,
// having looked. A landing of long ago is left as it is.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/promobot/promobot/promotion"
	display "github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

// record is a landing as its deployment should show it.
type record struct {
	deployment promotion.Deployment
	state      string
	text       string // why it is in that state
	url        string
}

// records brings the deployments up to date, several at a time. The time is when
// to look again for one that another process is about to make.
func (r *Reconciler) records(ctx context.Context, v *view) (again time.Time, err error) {
	if v.snapshot.Repository.Archived || r.o.NoChecks {
		return again, nil
	}
	var calls []call
	var mu sync.Mutex
	for i := range v.snapshot.Environments {
		o := &v.snapshot.Environments[i]
		if !o.Config.Records || o.Ledger.Problem != "" {
			continue
		}
		want, due := r.recordOf(v.snapshot, o)
		if !due || r.memory.recorded[want.deployment.Promotion] == want.state {
			continue
		}
		if _, known := r.memory.recorded[want.deployment.Promotion]; !known {
			if at := o.Ledger.At.Add(promotion.Bound); v.snapshot.Now.Before(at) {
				again = earlier(again, at) // its maker may be about to make it
				continue
			}
		}
		calls = append(calls, call{promotion.Key{}, func(ctx context.Context) error {
			err := r.record(ctx, want)
			if refused, is := errors.AsType[*promotion.RefusedError](err); is {
				r.o.Log.Warn().Str("environment", o.Key.String()).Str("reason", refused.Error()).Msg("deployments cannot be recorded")
				err = nil // what a person has to mend is not tried again for this landing
			}
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				r.memory.recorded[want.deployment.Promotion] = want.state
			}
			return err
		}})
	}
	return again, r.all(ctx, calls)
}

// lands remembers what this process has just recorded as landed, so that it makes
// the deployment, and makes it at once.
func (r *Reconciler) lands(es []entry, won []bool) {
	for i, e := range es {
		if l := e.state.Landing; won[i] && e.kind == state.KindLanded && l != nil {
			r.memory.recorded[l.ID] = ""
		}
	}
}

// recordOf is what the newest landing should be recorded as. Only promotions are,
// and only while they stand.
func (r *Reconciler) recordOf(s *promotion.Snapshot, o *promotion.Observed) (record, bool) {
	st := o.Ledger.State
	if st == nil || st.Landing == nil || st.Landing.Method == "person" || len(o.Landings) == 0 || o.Landings[0].Commit != st.Landing.Commit {
		return record{}, false
	}
	l := st.Landing
	w := record{deployment: promotion.Deployment{
		Environment: o.Key.String(), Commit: l.Commit, Promotion: l.ID,
		Description: fmt.Sprintf("%s from %s", promotion.Short(l.Revision), l.From),
		Production:  display.Production(o.Pipeline, o.Key.Environment),
	}, state: "in_progress", text: "being verified"}
	if l.Reverts != "" {
		w.deployment.Description = "back to " + promotion.Short(l.Revision)
	}
	if l.PullRequest > 0 {
		w.url = fmt.Sprintf("%s/pull/%d", s.Repository.URL, l.PullRequest)
	} else {
		w.url = s.Repository.URL + "/commit/" + l.Commit
	}
	since := l.Time
	if v := st.VerdictOf(l.Commit); v != nil {
		since, w.text = v.Time, v.Reason
		w.state = map[state.Outcome]string{state.Verified: "success", state.Failed: "failure", state.GivenUp: "error"}[v.Outcome]
	} else if o.Config.Verified {
		w.state, w.text = "success", "landed"
	}
	_, known := r.memory.recorded[l.ID]
	return w, known || w.state == "in_progress" || s.Now.Sub(since) < shownFor
}

// record makes one landing's deployment say what it should, having looked.
func (r *Reconciler) record(ctx context.Context, want record) error {
	list, err := r.github.OwnDeployments(ctx, want.deployment.Environment)
	if err != nil {
		return err
	}
	var id, former int64
	for _, d := range list { // newest first: of several, the oldest stands
		switch {
		case d.Promotion == want.deployment.Promotion && d.Commit == want.deployment.Commit:
			id = d.ID
		case former == 0:
			former = d.ID
		}
	}
	now := ""
	if id == 0 {
		if id, err = r.github.CreateDeployment(ctx, want.deployment); err != nil {
			return err
		}
	} else if now, err = r.github.DeploymentState(ctx, id); err != nil {
		return err
	}
	if now != want.state && now != "inactive" { // somebody's word is not taken back
		if err := r.github.SetDeployment(ctx, id, want.state, want.text, want.url); err != nil {
			return err
		}
	}
	if want.state != "success" || former == 0 {
		return nil
	}
	// What stood before runs no longer. One that failed keeps saying so.
	before, err := r.github.DeploymentState(ctx, former)
	if err != nil || before == "failure" || before == "error" || before == "inactive" {
		return err
	}
	return r.github.SetDeployment(ctx, former, "inactive", "replaced by "+promotion.Short(want.deployment.Commit), want.url)
}
