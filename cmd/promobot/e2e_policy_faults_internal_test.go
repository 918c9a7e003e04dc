package main

// Between failure and the end of the rollback each read and each write in turn is
// answered with a 502, each write also after its effect. The loop is called by
// hand, so that no queue's patience is asked for. However it goes, there is one
// revert pull request, merged once, and a hold.

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

// relapsing is a shop of which a version has landed in prod and is red there,
// which nobody has seen yet; look has the loop look until something holds.
func relapsing(t *testing.T) (r *relapse, landed state.Landing, look func(what string, holds func() bool)) {
	t.Helper()
	r = newRelapse(t)
	_, once := r.byHand()
	look = func(what string, holds func() bool) {
		t.Helper()
		for range 60 {
			if err := once(); err != nil {
				t.Logf("a look fails: %v", err)
			}
			if holds() {
				return
			}
			r.ahead.Add(int64(5 * time.Second))
		}
		t.Fatalf("looked in vain: %s", what)
	}
	look("the baselines", func() bool { return len(r.ledgers()) == 2 })
	revision := r.release("2.0.0")
	look("it lands", func() bool { return r.landed(revision, shopProd) })
	landed = *r.ledgers()[shopProd].Landing
	r.deploys(landed.Commit, "failure")
	r.written()
	r.sim.ResetJournal()
	return r, landed, look
}

// ended says whether a rollback is over, and its own landing is looked at.
func (r *relapse) ended(landed state.Landing) func() bool {
	return func() bool {
		st := r.ledgers()[shopProd]
		return r.isBack(landed) && st.Watch != nil && st.Watch.Landing == st.Landing.Commit
	}
}

// rollbackFaults are one fault for each read and each write of a rollback.
func rollbackFaults(j githubsim.Journal) (faults []githubsim.Fault) {
	reads, writes := map[string]bool{}, map[string]bool{}
	for _, q := range j {
		switch {
		case q.Kind == githubsim.APIRead:
			reads[glob(q.Route)] = true
		case q.Kind == githubsim.GitFetch && strings.Contains(q.Path, "info/refs"):
			reads["/*/*.git/info/refs?service=git-upload-pack"] = true
		case q.Kind == githubsim.GitFetch:
			reads["/*/*.git/git-upload-pack"] = true
		case q.Kind == githubsim.APIWrite:
			writes[q.Method+" "+glob(q.Route)] = true
		}
	}
	for _, path := range slices.Sorted(maps.Keys(reads)) {
		f := githubsim.Fault{Name: "reads of " + path, Path: path, Times: 3, Effect: githubsim.BadGateway()}
		if !strings.HasSuffix(path, "/git-upload-pack") { // git fetches by POST
			f.Method = http.MethodGet
		}
		faults = append(faults, f)
	}
	both := func(method, path string, n int) {
		for name, effect := range map[string]githubsim.Effect{"before": githubsim.BadGateway(), "after": githubsim.BadGatewayAfter()} {
			faults = append(faults, githubsim.Fault{
				Name: fmt.Sprintf("%s %s %d %s", method, path, n, name), Method: method, Path: path, Occurrences: []int{n}, Effect: effect,
			})
		}
	}
	for _, route := range slices.Sorted(maps.Keys(writes)) {
		method, path, _ := strings.Cut(route, " ")
		both(method, path, 1)
	}
	for n := 1; n <= pushesMade(j); n++ {
		both(http.MethodPost, "/*/*.git/git-receive-pack", n)
	}
	return faults
}

func TestRollbackWithFaults(t *testing.T) {
	t.Parallel()
	known, landed, look := relapsing(t)
	look("it is rolled back", known.ended(landed))
	known.wantTakenBack(landed)
	faults := rollbackFaults(known.written())
	if len(faults) < 20 {
		t.Fatalf("only these faults are possible: %+v", faults)
	}
	for _, f := range faults {
		t.Run(strings.NewReplacer("/", " ", "*", "x").Replace(f.Name), func(t *testing.T) {
			t.Parallel()
			r, landed, look := relapsing(t)
			f.By = sceneBot
			r.sim.Inject(f)
			look("it is rolled back", r.ended(landed))
			r.wantTakenBack(landed)
			if !slices.ContainsFunc(r.written(), func(q githubsim.Request) bool { return q.Fault == f.Name }) {
				t.Error("the fault hits nothing")
			}
		})
	}
}
