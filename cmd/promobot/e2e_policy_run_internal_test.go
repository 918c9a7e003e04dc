package main

// `run`: the user's own recovery, a workflow or what a repository_dispatch
// starts. It is begun once, whatever happens, and how it ends decides what comes
// next.

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

const (
	runRecover  = redDecides + "[{run: {workflow: recover.yml, inputs: {team: payments}, timeout: 30m}}, rollback]"
	runAgain    = redDecides + "[{run: {workflow: recover.yml, inputs: {team: payments}, timeout: 30m, idempotent: true}}, rollback]"
	runByAnyone = redDecides + "[{run: {event: broken, timeout: 30m}}, rollback]"
)

// recoveries registers the workflow that recovers: by hand, or by the event.
func (s *scene) recoveries() {
	s.t.Helper()
	byHand := githubsim.Workflow{File: "recover.yml", Name: "Recover", RunName: "Recover ${{ inputs.environment }} (${{ inputs.nonce }})"}
	for _, name := range append([]string{"team"}, config.Particulars...) {
		byHand.Inputs = append(byHand.Inputs, githubsim.WorkflowInput{Name: name})
	}
	byEvent := githubsim.Workflow{
		File: "broken.yml", Name: "Broken", On: []string{"repository_dispatch"}, Types: []string{"broken"},
		RunName: "Broken (${{ github.event.client_payload.promotion.nonce }})",
	}
	for _, w := range []githubsim.Workflow{byHand, byEvent} {
		if err := s.sim.AddWorkflow(s.full(), w); err != nil {
			s.t.Fatal(err)
		}
	}
}

// recoveryRuns are the runs of the recovery.
func (s *scene) recoveryRuns() []githubsim.RunState {
	s.t.Helper()
	runs, err := s.sim.WorkflowRuns(s.full())
	if err != nil {
		s.t.Fatal(err)
	}
	return runs
}

// recovers waits for the one run of the recovery, until the ledger names it.
func (s *scene) recovers() githubsim.RunState {
	s.t.Helper()
	s.wait("the recovery's run is known", func() bool {
		f, runs := s.ledgers()[shopStaging].Failure, s.recoveryRuns()
		return f != nil && len(runs) > 0 && len(f.Steps) > 0 && f.Steps[0].Run == runs[0].ID
	})
	if runs := s.recoveryRuns(); len(runs) != 1 {
		s.t.Fatalf("%d runs, want one: %+v", len(runs), runs)
	}
	return s.recoveryRuns()[0]
}

func (s *scene) finishes(run githubsim.RunState, conclusion string) {
	s.t.Helper()
	if err := s.sim.FinishRun(s.full(), run.ID, conclusion); err != nil {
		s.t.Fatal(err)
	}
}

// failing is the shop with a policy, and what has landed in staging and is red.
func failing(t *testing.T, policy string) (s *scene, revision string, landed state.Landing) {
	t.Helper()
	s = newScene(t, sceneOptions{
		files:       shopFiles(watchedPipeline(policy, ""), "dev", "staging", "prod"),
		permissions: withActions(),
	})
	s.recoveries()
	s.installed(3)
	revision = s.release("2.0.0")
	landed = s.landing(shopStaging, revision)
	return s, revision, landed
}

// withActions are the App's permissions when it may start workflows.
func withActions() map[string]string {
	out := map[string]string{"actions": "write"}
	for k, v := range appPermissions {
		if out[k] == "" {
			out[k] = v
		}
	}
	return out
}

// TestRunHeals: the workflow is told all about the failure; when it succeeds, the
// verification begins anew, and what is green then travels on.
func TestRunHeals(t *testing.T) {
	t.Parallel()
	s, revision, landed := failing(t, runRecover)
	s.deploys(landed.Commit, "failure")
	run := s.recovers()
	want := map[string]string{
		"team": "payments", "pipeline": "shop", "environment": "staging", "revision": revision, "landing": landed.Commit,
		"pull_request": "1", "kind": "verification", "reason": "check deploy ended with failure: 0 of 3 replicas are ready",
		"nonce": s.ledgers()[shopStaging].Failure.Steps[0].Nonce,
	}
	if d := cmp.Diff(want, run.Inputs); d != "" {
		t.Errorf("its inputs (-want +got):\n%s", d)
	}
	s.settle()
	if st := s.ledgers()[shopStaging]; st.Hold != nil || st.VerdictOf(landed.Commit) != nil || s.reverts(landed) > 0 {
		t.Errorf("before it ends: hold %+v, verdicts %+v, %s", st.Hold, st.Verdicts, s.describe())
	}
	s.deploys(landed.Commit, "success")
	s.finishes(run, "success")
	s.landing(shopProd, revision)
	s.settle()
	if st := s.ledgers()[shopStaging]; st.Failure != nil || st.Hold != nil || s.reverts(landed) > 0 || len(s.recoveryRuns()) != 1 {
		t.Errorf("healed: failure %+v, hold %+v, %d runs, %s", st.Failure, st.Hold, len(s.recoveryRuns()), s.describe())
	}
}

// TestRunFails: the next step follows; a run that says it succeeded and heals
// nothing is not begun again.
func TestRunFails(t *testing.T) {
	for _, c := range []struct{ conclusion, result string }{{"failure", "failed"}, {"cancelled", "failed"}, {"success", "done"}} {
		t.Run(c.conclusion, func(t *testing.T) {
			t.Parallel()
			s, _, landed := failing(t, runRecover)
			s.deploys(landed.Commit, "failure")
			s.finishes(s.recovers(), c.conclusion)
			s.takenBack(shopStaging, landed)
			if d := cmp.Diff([]string{"run " + c.result, "rollback"}, s.steps(shopStaging)); d != "" {
				t.Errorf("the steps (-want +got):\n%s", d)
			}
			if n := len(s.recoveryRuns()); n != 1 {
				t.Errorf("%d runs, want one", n)
			}
		})
	}
}

// TestRunNeverEnds: its time is over, also while the program did not run.
func TestRunNeverEnds(t *testing.T) {
	t.Parallel()
	s, _, landed := failing(t, runRecover)
	s.deploys(landed.Commit, "failure")
	s.recovers()
	s.stop()
	s.ahead.Add(int64(29 * time.Minute))
	s.start()
	s.settle()
	if n := s.reverts(landed); n > 0 {
		t.Fatalf("rolled back before the recovery's time is over: %s", s.describe())
	}
	s.ahead.Add(int64(time.Minute + time.Second))
	s.wake()
	s.takenBack(shopStaging, landed)
	if d := cmp.Diff([]string{"run failed", "rollback"}, s.steps(shopStaging)); d != "" {
		t.Errorf("the steps (-want +got):\n%s", d)
	}
	if all := strings.Join(s.sentences(shopStaging), "\n"); !strings.Contains(all, "workflow recover.yml had not ended after 30m") {
		t.Errorf("the ledger does not say that its time was over:\n%s", all)
	}
}

// TestRunIsRefused: GitHub knows no such workflow, or does not take it.
func TestRunIsRefused(t *testing.T) {
	t.Parallel()
	s, _, landed := failing(t, runRecover)
	if err := s.sim.DisableWorkflow(s.full(), "recover.yml", true); err != nil {
		t.Fatal(err)
	}
	s.deploys(landed.Commit, "failure")
	s.takenBack(shopStaging, landed)
	if d := cmp.Diff([]string{"run failed", "rollback"}, s.steps(shopStaging)); d != "" {
		t.Errorf("the steps (-want +got):\n%s", d)
	}
}

// TestRunByEvent: a repository_dispatch, and the run of what it starts.
func TestRunByEvent(t *testing.T) {
	for _, c := range []struct{ name, conclusion string }{{"heals", "success"}, {"fails", "failure"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, revision, landed := failing(t, runByAnyone)
			s.deploys(landed.Commit, "failure")
			s.wait("it is sent", func() bool { return len(s.recoveryRuns()) == 1 })
			if p := s.recoveryRuns()[0].Payload; !strings.Contains(p, landed.Commit) || !strings.Contains(p, revision) {
				t.Errorf("its payload is %s", p)
			}
			if c.conclusion == "success" {
				s.deploys(landed.Commit, "success")
			}
			s.finishes(s.recoveryRuns()[0], c.conclusion)
			if c.conclusion == "success" {
				s.landing(shopProd, revision)
			} else {
				s.takenBack(shopStaging, landed)
			}
			if n := len(s.recoveryRuns()); n != 1 {
				t.Errorf("%d runs, want one", n)
			}
		})
	}
}

// TestRunKilled: the program dies at the dispatch. Whether it was sent is found
// out by the nonce; what cannot be found counts as unknown, and the next step is
// taken, unless it may be begun twice.
func TestRunKilled(t *testing.T) {
	for _, c := range []struct {
		name, policy string
		sent         bool
		runs         int
		want         []string
	}{
		{"before it is sent", runRecover, false, 0, []string{"run unknown", "rollback"}},
		{"after it was sent", runRecover, true, 1, []string{"run failed", "rollback"}},
		{"before it is sent, idempotent", runAgain, false, 1, []string{"run failed", "rollback"}},
		{"after it was sent, idempotent", runAgain, true, 1, []string{"run failed", "rollback"}},
		{"an event, before it is sent", runByAnyone, false, 0, []string{"run unknown", "rollback"}},
		{"an event, after it was sent", runByAnyone, true, 1, []string{"run failed", "rollback"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sceneOptions{files: shopFiles(watchedPipeline(c.policy, ""), "dev", "staging", "prod"), permissions: withActions()})
			s.recoveries()
			s.startChild()
			s.wait("every environment has its baseline", func() bool { return len(s.ledgers()) == 3 })
			landed := s.landing(shopStaging, s.release("2.0.0"))
			s.settle()
			died, end := s.diesAt(c.sent, func(r *http.Request) bool {
				return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/dispatches")
			})
			s.deploys(landed.Commit, "failure")
			s.wait("it is killed", died)
			end()
			if n := len(s.recoveryRuns()); c.sent != (n == 1) {
				t.Fatalf("%d runs when it died", n)
			}
			s.ahead.Add(int64(2*promotion.Bound + time.Second))
			s.startChild()
			if c.runs > 0 {
				s.finishes(s.recovers(), "failure")
			}
			s.takenBack(shopStaging, landed)
			if d := cmp.Diff(c.want, s.steps(shopStaging)); d != "" {
				t.Errorf("the steps (-want +got):\n%s", d)
			}
			if n := len(s.recoveryRuns()); n != c.runs {
				t.Errorf("%d runs, want %d", n, c.runs)
			}
		})
	}
}

// diesAt has the program killed at its first request of a kind, before or after
// its effect. It returns whether it has come to that, and what ends it all.
func (s *scene) diesAt(after bool, at func(*http.Request) bool) (died func() bool, end func()) {
	s.t.Helper()
	hook, victim := s.sim.OnRequest, s.program
	if after {
		hook = s.sim.OnEffect
	}
	var mu sync.Mutex
	dead := false
	end = hook(func(r *http.Request) {
		if user, _, _ := r.BasicAuth(); user != "x-access-token" && !strings.HasPrefix(r.UserAgent(), "promobot") {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !dead && at(r) {
			dead = true
			victim.stop()
		}
		if dead {
			panic(http.ErrAbortHandler) // it is dead: what it asked for gets nowhere
		}
	})
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return dead
	}, end
}
