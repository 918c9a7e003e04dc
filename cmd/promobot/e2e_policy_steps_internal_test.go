package main

// The failure policy's steps, each from a red status on what landed to where it
// ends, in a shop of three environments of which the middle one is verified.
// Times are short enough to pass by themselves.

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/state"
)

const (
	inStaging = "envs/staging/values.yaml"
	inProd    = "envs/prod/values.yaml"
)

// watchedPipeline has staging verified and with a failure policy, as said.
func watchedPipeline(staging, prod string) string {
	return `version: 1
limits: {per_hour: 1000}
environments:
  dev:     {verify: none}
  staging: {from: dev, mode: auto, ` + staging + `}
  prod:    {from: staging, mode: auto` + prod + `}
pipelines:
  shop:
    path: envs/$env
    promote: {values: image.tag, in: values.yaml}
`
}

// redDecides asks for the status deploy, whose failure counts after a second.
const redDecides = "verify: {checks: deploy, red_for: 1s, timeout: 1h}, on_failure: "

// watchedShop is the shop, installed and at rest.
func watchedShop(t *testing.T, staging, prod string) *scene {
	t.Helper()
	s := newScene(t, sceneOptions{files: shopFiles(watchedPipeline(staging, prod), "dev", "staging", "prod")})
	s.installed(3)
	return s
}

// deploys is what the status deploy says of a commit.
func (s *scene) deploys(commit, result string) {
	s.t.Helper()
	s.says(commit, "deploy", result, map[string]string{"failure": "0 of 3 replicas are ready"}[result])
}

// takenBack waits until a landing has been rolled back by pull request, and
// checks that it was once, that the environment is as before, and that it is held
// where it failed itself.
func (s *scene) takenBack(k string, landed state.Landing) (rollback state.Landing) {
	s.t.Helper()
	s.wait(k+" is rolled back", func() bool {
		l := s.ledgers()[k].Landing
		return l != nil && l.Reverts == landed.ID
	})
	s.settle()
	return s.wantTaken(k, landed)
}

// wantTaken is what takenBack checks.
func (s *scene) wantTaken(k string, landed state.Landing) (rollback state.Landing) {
	s.t.Helper()
	rollback = *s.ledgers()[k].Landing
	p := s.pull(rollback.PullRequest)
	if !p.Merged || rollback.Method == "person" || rollback.Mixed() {
		s.t.Errorf("%s is rolled back by #%d, merged %v, as %+v", k, p.Number, p.Merged, rollback)
	}
	if n := s.reverts(landed); n != 1 {
		s.t.Errorf("%d revert pull requests of %.10s, want one: %s", n, landed.Commit, s.describe())
	}
	_, environment, _ := strings.Cut(k, "/")
	dir := "envs/" + environment
	if d := cmp.Diff(s.folder(landed.Before, dir), s.folder(rollback.Commit, dir)); d != "" {
		s.t.Errorf("%s is not as before (-before +now):\n%s", dir, d)
	}
	if st := s.ledgers()[k]; st.Hold == nil && st.Promotion.Reverts.Cause == "" {
		s.t.Errorf("%s is not held after its rollback", k)
	}
	return rollback
}

// reverts is how many pull requests there ever were that take a landing back.
func (s *scene) reverts(landed state.Landing) (n int) {
	for _, p := range s.pulls() {
		if ts := state.ParseTrailers(p.Body); ts[state.TrailerReverts] == landed.ID || ts[state.TrailerReverts] == landed.Commit {
			n++
		}
	}
	return n
}

// steps are the failure policy's steps as an environment's ledger has them.
func (s *scene) steps(k string) (steps []string) {
	if f := s.ledgers()[k].Failure; f != nil {
		for _, t := range f.Steps {
			steps = append(steps, strings.TrimSuffix(t.Do+" "+t.Result, " "))
		}
	}
	return steps
}

// verdictOn waits for a landing's verdict.
func (s *scene) verdictOn(k string, landed state.Landing) state.Verdict {
	s.t.Helper()
	verdict := func() *state.Verdict {
		st := s.ledgers()[k]
		return st.VerdictOf(landed.Commit)
	}
	s.wait("a verdict on what landed in "+k, func() bool { return verdict() != nil })
	return *verdict()
}

// wantHeld checks that an environment still has what failed, is held, and that
// nobody takes it back.
func (s *scene) wantHeld(k string, landed state.Landing, says string) {
	s.t.Helper()
	s.wait(k+" is held", func() bool { return s.ledgers()[k].Hold != nil })
	s.settle()
	st := s.ledgers()[k]
	if st.Landing.Commit != landed.Commit || s.reverts(landed) > 0 {
		s.t.Errorf("%s was taken back: %s", k, s.describe())
	}
	if v := st.VerdictOf(landed.Commit); v == nil || v.Outcome != state.Failed {
		s.t.Errorf("the verdict is %+v", v)
	}
	if last := s.sentences(k); !strings.Contains(last[len(last)-1], says) {
		s.t.Errorf("the ledger's last sentence does not say %q: %s", says, last[len(last)-1])
	}
}

// TestRestartBeginsVerificationAnew: twice at most, counted over a restart of the
// program that has forgotten everything; then the next step is taken.
func TestRestartBeginsVerificationAnew(t *testing.T) {
	t.Parallel()
	s := watchedShop(t, redDecides+"[{restart: {limit: 2, backoff: 0s, when: verification}}, rollback]", "")
	landed := s.landing(shopStaging, s.release("2.0.0"))
	s.deploys(landed.Commit, "failure")
	s.wait("its verification has begun anew", func() bool { return len(s.steps(shopStaging)) == 1 })
	if w := s.ledgers()[shopStaging].Watch; w == nil || w.Round != 1 {
		t.Errorf("what is watched: %+v", w)
	}
	s.stop()
	s.forget()
	s.start()
	s.takenBack(shopStaging, landed)
	if d := cmp.Diff([]string{"restart done", "restart done", "rollback"}, s.steps(shopStaging)); d != "" {
		t.Errorf("the steps (-want +got):\n%s", d)
	}
	if p := s.ledgers()["shop/prod"].Promotion; p != nil {
		t.Errorf("it is promoted on: %+v", p)
	}
}

// TestRestartHeals: what is green the second time travels on.
func TestRestartHeals(t *testing.T) {
	t.Parallel()
	s := watchedShop(t, redDecides+"[{restart: {limit: 2, backoff: 0s, when: verification}}, rollback]", "")
	revision := s.release("2.0.0")
	landed := s.landing(shopStaging, revision)
	s.deploys(landed.Commit, "failure")
	s.wait("its verification has begun anew", func() bool { return len(s.steps(shopStaging)) == 1 })
	s.deploys(landed.Commit, "success")
	s.landing(shopProd, revision)
	s.settle()
	st := s.ledgers()[shopStaging]
	if v := st.VerdictOf(landed.Commit); v == nil || v.Outcome != state.Verified || st.Hold != nil || st.Failure != nil {
		t.Errorf("verdict %+v, hold %+v, failure %+v", v, st.Hold, st.Failure)
	}
}

// TestHalt: held, said, and left to people; also where a commit on the way says
// that it cannot be taken back, and where the failing check asks for it.
func TestHalt(t *testing.T) {
	for _, c := range []struct {
		name, staging, message, text, says string
	}{
		{"by default", "verify: {checks: deploy, red_for: 1s, timeout: 1h}", "dev: 2.0.0", "broken", "a person has to look"},
		{"by policy", redDecides + "halt", "dev: 2.0.0", "broken", "a person has to look"},
		{"unsafe to roll back", redDecides + "rollback", "dev: 2.0.0\n\nThe table orders is split.\n\nPromotion-Rollback: unsafe\n", "broken", "says Promotion-Rollback: unsafe"},
		{
			"a hint", "verify: {checks: deploy, red_for: 1s, timeout: 1h, hints: accept}, on_failure: [rollback, halt]",
			"dev: 2.0.0", "promobot: halt", "a person has to look",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := watchedShop(t, c.staging, "")
			landed := s.landing(shopStaging, s.push(c.message, map[string]string{"envs/dev/values.yaml": shopValues("2.0.0")}))
			s.says(landed.Commit, "deploy", "failure", c.text)
			s.wantHeld(shopStaging, landed, c.says)
			newer := s.release("2.1.0")
			s.settle()
			if s.landed(newer, shopStaging) || len(s.open()) > 0 {
				t.Errorf("something newer goes on while it is held: %s", s.describe())
			}
			s.wantQuiet()
		})
	}
}

// TestHints: a failing check chooses among the policy's steps, adds none, and is
// not asked where nobody accepts hints.
func TestHints(t *testing.T) {
	const steps = "on_failure: [{restart: {limit: 1, backoff: 0s, when: verification}}, rollback]"
	for _, c := range []struct {
		name, staging, text string
		want                []string
	}{
		{"the second step", "verify: {checks: deploy, red_for: 1s, timeout: 1h, hints: accept}, " + steps, "promobot: rollback", []string{"rollback"}},
		{"no step of the policy", "verify: {checks: deploy, red_for: 1s, timeout: 1h, hints: accept}, on_failure: rollback", "promobot: restart", []string{"rollback"}},
		{"not accepted", redDecides + strings.TrimPrefix(steps, "on_failure: "), "promobot: rollback", []string{"restart done", "rollback"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := watchedShop(t, c.staging, "")
			landed := s.landing(shopStaging, s.release("2.0.0"))
			s.says(landed.Commit, "deploy", "failure", c.text)
			s.takenBack(shopStaging, landed)
			if d := cmp.Diff(c.want, s.steps(shopStaging)); d != "" {
				t.Errorf("the steps (-want +got):\n%s", d)
			}
		})
	}
}

// TestRepromote: after its rollback is verified it is promoted once more, as
// another attempt with a pull request of its own; what fails again is taken back
// again, and that is the end.
func TestRepromote(t *testing.T) {
	t.Parallel()
	s := watchedShop(t, redDecides+"[rollback, {repromote: {limit: 1, backoff: 0s, when: verification}}]", "")
	revision := s.release("2.0.0")
	first := s.landing(shopStaging, revision)
	s.deploys(first.Commit, "failure")
	back := s.takenBack(shopStaging, first)
	s.deploys(back.Commit, "success")
	second := s.landing(shopStaging, revision)
	if second.ID == first.ID || second.PullRequest == first.PullRequest || s.ledgers()[shopStaging].Promotion.Attempt != 2 {
		t.Errorf("the second attempt landed as %+v, the first as %+v", second, first)
	}
	if h := s.ledgers()[shopStaging].Hold; h != nil {
		t.Errorf("it is held while it is tried once more: %+v", h)
	}
	s.deploys(second.Commit, "failure")
	back = s.takenBack(shopStaging, second)
	s.deploys(back.Commit, "success")
	s.wait("nothing is left to try", func() bool { f := s.ledgers()[shopStaging].Failure; return f != nil && f.Over })
	s.settle()
	if d := cmp.Diff([]string{"rollback", "repromote done", "rollback"}, s.steps(shopStaging)); d != "" {
		t.Errorf("the steps (-want +got):\n%s", d)
	}
	if got := s.ledgers()[shopStaging].Hold; got == nil || len(s.open()) > 0 {
		t.Errorf("at the end: hold %+v, %s", got, s.describe())
	}
	s.wantQuiet()
}

// TestRepromoteHeals: the second attempt is good, and travels on.
func TestRepromoteHeals(t *testing.T) {
	t.Parallel()
	s := watchedShop(t, redDecides+"[rollback, {repromote: {limit: 1, backoff: 0s, when: verification}}]", "")
	revision := s.release("2.0.0")
	first := s.landing(shopStaging, revision)
	s.deploys(first.Commit, "failure")
	s.deploys(s.takenBack(shopStaging, first).Commit, "success")
	s.deploys(s.landing(shopStaging, revision).Commit, "success")
	s.landing(shopProd, revision)
	if got := s.read(inProd); got != shopValues("2.0.0") {
		t.Errorf("prod has\n%s", got)
	}
}

// TestScopes: how far a rollback reaches, and that the furthest goes first.
func TestScopes(t *testing.T) {
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		s := watchedShop(t, "verify: none", ", verify: {checks: deploy, red_for: 1s, timeout: 1h}, on_failure: {rollback: {scope: all}}")
		revision := s.release("2.0.0")
		prod := s.landing(shopProd, revision)
		staging := *s.ledgers()[shopStaging].Landing
		s.deploys(prod.Commit, "failure")
		later, sooner := s.takenBack(shopStaging, staging), s.takenBack(shopProd, prod)
		s.wantBefore(sooner.Commit, later.Commit)
		if diff := cmp.Diff(shopValues("2.0.0"), s.read("envs/dev/values.yaml")); diff != "" {
			t.Errorf("dev is a person's own (-want +got):\n%s", diff)
		}
	})
	t.Run("environment", func(t *testing.T) {
		t.Parallel()
		s := watchedShop(t, "verify: none", ", verify: {checks: deploy, red_for: 1s, timeout: 1h}, on_failure: rollback")
		prod := s.landing(shopProd, s.release("2.0.0"))
		s.deploys(prod.Commit, "failure")
		s.takenBack(shopProd, prod)
		if got := s.read(inStaging); got != shopValues("2.0.0") {
			t.Errorf("staging has\n%s", got)
		}
	})
	// What comes after staging by now had the revision before staging failed.
	t.Run("downstream", func(t *testing.T) {
		t.Parallel()
		after := strings.Replace(watchedPipeline(redDecides+"{rollback: {scope: downstream}}", ", after: staging"), "{from: staging", "{from: dev", 1)
		s := newScene(t, sceneOptions{files: shopFiles(strings.Replace(after, ", after: staging", "", 1), "dev", "staging", "prod")})
		s.installed(3)
		revision := s.release("2.0.0")
		prod, staging := s.landing(shopProd, revision), s.landing(shopStaging, revision)
		s.push("prod comes after staging", map[string]string{".github/promobot.yml": after})
		s.settle()
		s.deploys(staging.Commit, "failure")
		sooner, later := s.takenBack(shopProd, prod), s.takenBack(shopStaging, staging)
		s.wantBefore(sooner.Commit, later.Commit)
	})
}

// wantBefore checks that one commit of main is older than another.
func (s *scene) wantBefore(older, newer string) {
	s.t.Helper()
	if n := strings.TrimSpace(string(s.bare("rev-list", "--count", fmt.Sprintf("%s..%s", newer, older)))); n != "0" {
		s.t.Errorf("%.10s came before %.10s", newer, older)
	}
}
