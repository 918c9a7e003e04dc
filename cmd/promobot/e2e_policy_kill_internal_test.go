package main

// Between failure and the end of the rollback the program is killed at each
// outbound request in turn, before and after its effect. However it goes, there
// is one revert pull request, merged once, and a hold.

import (
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// takenBackAtOnce is a shop whose prod is verified. A red status decides at once,
// so that nothing depends on how long a request takes.
const takenBackAtOnce = `version: 1
limits: {per_hour: 1000}
environments:
  dev:  {verify: none}
  prod: {from: dev, mode: auto, verify: {checks: deploy, red_for: 0s, timeout: 7d}, on_failure: rollback}
pipelines:
  shop:
    path: envs/$env
    promote: {values: image.tag, in: values.yaml}
`

// everyKill kills at each request instead of at some of them.
var everyKill = flag.Bool("every-kill", false, "kill the program at each request of a rollback and of a command, not at some of them")

// killStep is how many requests lie between two at which the program is killed:
// so many by default, more under the race detector, which makes all of it slow.
func killStep(usual int) int {
	switch {
	case *everyKill:
		return 1
	case testing.Short():
		return 3 * usual
	}
	return usual
}

// relapse has one version after the other fail in prod.
type relapse struct {
	*scene
	versions int
}

func newRelapse(t *testing.T) *relapse {
	t.Helper()
	return &relapse{scene: newScene(t, sceneOptions{files: shopFiles(takenBackAtOnce, "dev", "prod")})}
}

// lands releases the next version, and waits until it stands in prod.
func (r *relapse) lands() state.Landing {
	r.t.Helper()
	r.versions++
	landed := r.landing(shopProd, r.release(fmt.Sprintf("2.%d.0", r.versions)))
	r.settle()
	return landed
}

// isBack says whether a landing is rolled back, with nothing under way any more.
func (r *relapse) isBack(landed state.Landing) bool {
	l := r.ledgers()[shopProd]
	return l.Landing.Reverts == landed.ID && l.UnderWay() == nil
}

// wantBack checks that a landing was rolled back exactly once.
func (r *relapse) wantBack(landed state.Landing) (rollback state.Landing) {
	r.t.Helper()
	r.takenBack(shopProd, landed)
	return r.wantTakenBack(landed)
}

// wantTakenBack is what wantBack checks.
func (r *relapse) wantTakenBack(landed state.Landing) (rollback state.Landing) {
	r.t.Helper()
	rollback = r.wantTaken(shopProd, landed)
	st := r.ledgers()[shopProd]
	if st.Hold == nil || st.Hold.Failed != landed.Commit {
		r.t.Errorf("held: %+v, want for %.10s", st.Hold, landed.Commit)
	}
	verdicts := slices.DeleteFunc(slices.Clone(st.Verdicts), func(v state.Verdict) bool { return v.Landing != landed.Commit })
	if len(verdicts) != 1 || verdicts[0].Outcome != state.Failed {
		r.t.Errorf("the verdicts on %.10s: %+v", landed.Commit, verdicts)
	}
	merged := 0
	for line := range strings.FieldsSeq(string(r.bare("log", "--first-parent", "--format=%(trailers:key="+state.TrailerReverts+",valueonly,separator=%x20)", "main"))) {
		if line == landed.ID {
			merged++
		}
	}
	if merged != 1 {
		r.t.Errorf("main has %d commits that take %.10s back", merged, landed.Commit)
	}
	for ref := range r.refs() {
		if strings.HasPrefix(ref, "refs/heads/promobot/") {
			r.t.Errorf("%s is left behind", ref)
		}
	}
	return rollback
}

// goesOn has a rollback verified and the environment resumed.
func (r *relapse) goesOn(rollback state.Landing) {
	r.t.Helper()
	r.deploys(rollback.Commit, "success")
	r.wait("the failure is over", func() bool { f := r.ledgers()[shopProd].Failure; return f == nil || f.Over })
	r.comments(rollback.PullRequest, "/promobot resume prod")
	r.wait("it is resumed, and answered", func() bool {
		return r.ledgers()[shopProd].Hold == nil && r.answers(rollback.PullRequest) == 1
	})
	r.settle()
}

// TestRollbackKilledAtEachRequest counts what an undisturbed rollback asks for,
// and kills the program at each of that.
func TestRollbackKilledAtEachRequest(t *testing.T) {
	for _, c := range []struct {
		name        string
		counts      func(*http.Request) bool
		after       bool
		first, step int
		least       int
	}{
		{"before it, odd ones", func(*http.Request) bool { return true }, false, 1, 2, 15},
		{"before it, even ones", func(*http.Request) bool { return true }, false, 2, 2, 15},
		{"after its effect", hasEffect, true, 1, 1, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRelapse(t)
			r.startChild()
			r.wait("every environment has its baseline", func() bool { return len(r.ledgers()) == 2 })
			r.settle()
			killed, step := 0, c.step*killStep(5)
			// The requests of a rollback end where nothing is left to be killed at.
			for n := c.first; ; n += step {
				landed := r.lands()
				seen := 0
				died, end := r.diesAt(c.after, func(q *http.Request) bool {
					if c.counts(q) {
						seen++
					}
					return seen == n
				})
				r.deploys(landed.Commit, "failure")
				r.wait("killed, or rolled back", func() bool { return died() || r.isBack(landed) })
				end()
				did := died()
				if did {
					killed++
					r.ahead.Add(int64(promotion.Bound + time.Second))
					r.startChild()
				}
				rollback := r.wantBack(landed)
				if t.Failed() {
					t.Fatalf("killed at request %d", n)
				}
				if !did {
					break
				}
				r.goesOn(rollback)
			}
			t.Logf("%d killed", killed)
			if killed*step/c.step < c.least {
				t.Errorf("only %d runs were killed: the test does not see all requests", killed)
			}
		})
	}
}
