package main

// Landings recorded as GitHub deployments: by choice, once, with the verdict, and
// never taken for evidence.

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
)

// recordedShop has prod verified, and what lands there recorded.
func recordedShop(verify string) map[string]string {
	const asks = "verify: {checks: deploy, red_for: 0s, timeout: 7d}, on_failure: rollback"
	return shopFiles(strings.Replace(takenBackAtOnce, asks, verify+", deployments: record", 1), "dev", "prod")
}

// mayRecord are the permissions that recording asks for.
func mayRecord() map[string]string {
	permissions := maps.Clone(appPermissions)
	permissions["deployments"] = "write"
	return permissions
}

// deployments are the repository's, oldest first: "commit environment: states".
func (s *scene) deployments() []string {
	s.t.Helper()
	list, _, err := s.ana.Repositories.ListDeployments(s.t.Context(), sceneOwner, s.name, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, one := range slices.Backward(list) {
		statuses, _, err := s.ana.Repositories.ListDeploymentStatuses(s.t.Context(), sceneOwner, s.name, one.GetID(), nil)
		if err != nil {
			s.t.Fatal(err)
		}
		var states []string
		for _, status := range slices.Backward(statuses) {
			states = append(states, status.GetState())
		}
		if one.GetCreator().GetLogin() != sceneBot || one.GetTask() != "promobot" {
			s.t.Errorf("a deployment by %s, task %s", one.GetCreator().GetLogin(), one.GetTask())
		}
		out = append(out, fmt.Sprintf("%.7s %s: %s", one.GetSHA(), one.GetEnvironment(), strings.Join(states, ", ")))
	}
	return out
}

func (s *scene) wantDeployments(what string, want ...string) {
	s.t.Helper()
	s.settle()
	if diff := cmp.Diff(want, s.deployments()); diff != "" {
		s.t.Errorf("%s: deployments (-want +got):\n%s", what, diff)
	}
}

func TestLandingsAreRecorded(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: recordedShop("verify: {checks: deploy, red_for: 0s, timeout: 7d}, on_failure: rollback"), permissions: mayRecord()})
	s.installed(2)
	if got := s.deployments(); len(got) > 0 {
		t.Errorf("a baseline is recorded: %v", got)
	}
	of := func(commit, states string) string { return fmt.Sprintf("%.7s shop/prod: %s", commit, states) }
	first := s.landing(shopProd, s.release("2.0.0"))
	s.wantDeployments("landed", of(first.Commit, "in_progress"))
	s.says(first.Commit, "deploy", "success", "healthy")
	s.wait("it is verified", func() bool { st := s.ledgers()[shopProd]; return st.VerdictOf(first.Commit) != nil })
	s.wantDeployments("verified", of(first.Commit, "in_progress, success"))

	// The answer to the creation is lost, and so is all that the process knew.
	defer s.sim.Inject(githubsim.Fault{Method: "POST", Path: "/repos/*/*/deployments", By: sceneBot, Times: 1, Effect: githubsim.LostAnswer()})()
	second := s.landing(shopProd, s.release("3.0.0"))
	s.wait("it is recorded", func() bool { return len(s.deployments()) == 2 })
	s.stop()
	s.forget()
	s.ahead.Add(int64(2 * promotion.Bound))
	s.start()
	s.wantDeployments("killed in between", of(first.Commit, "in_progress, success"), of(second.Commit, "in_progress"))

	s.says(second.Commit, "deploy", "failure", "0 of 3 replicas")
	s.takenBack(shopProd, second)
	back := s.ledgers()[shopProd].Landing
	s.wantDeployments("failed and taken back", of(first.Commit, "in_progress, success"), of(second.Commit, "in_progress, failure"), of(back.Commit, "in_progress"))
	s.says(back.Commit, "deploy", "success", "healthy again")
	s.wait("the rollback is verified", func() bool { st := s.ledgers()[shopProd]; return st.VerdictOf(back.Commit) != nil })
	s.wantDeployments("as before", of(first.Commit, "in_progress, success"), of(second.Commit, "in_progress, failure"), of(back.Commit, "in_progress, success"))
}

// TestWhatReplacesIsActive: only the newest landing's deployment is.
func TestWhatReplacesIsActive(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: recordedShop("verify: none"), permissions: mayRecord()})
	s.installed(2)
	var want []string
	for _, tag := range []string{"2.0.0", "3.0.0"} {
		landed := s.landing(shopProd, s.release(tag))
		if n := len(want); n > 0 {
			want[n-1] += ", inactive"
		}
		want = append(want, fmt.Sprintf("%.7s shop/prod: success", landed.Commit))
		s.wantDeployments(tag, want...)
	}
}

// TestOwnDeploymentsAreNoEvidence: what promobot records of a landing does not
// verify it.
func TestOwnDeploymentsAreNoEvidence(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: recordedShop("verify: {deployments: shop/prod, red_for: 0s, timeout: 7d}"), permissions: mayRecord()})
	s.installed(2)
	landed := s.landing(shopProd, s.release("2.0.0"))
	s.wantDeployments("its own", fmt.Sprintf("%.7s shop/prod: in_progress", landed.Commit))
	list, _, err := s.ana.Repositories.ListDeployments(t.Context(), sceneOwner, s.name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.sim.SetDeployment(s.full(), sceneBot, list[0].GetID(), githubsim.DeployStatus{State: "success"}); err != nil {
		t.Fatal(err)
	}
	s.settle()
	if v := s.ledgers()[shopProd]; v.VerdictOf(landed.Commit) != nil {
		t.Errorf("promobot's own deployment has verified its landing: %+v", v.Verdicts)
	}
	if _, _, err := s.ana.Repositories.CreateDeployment(t.Context(), sceneOwner, s.name, &github.DeploymentRequest{
		Ref: &landed.Commit, Environment: new("shop/prod"), AutoMerge: new(false), RequiredContexts: &[]string{},
	}); err != nil {
		t.Fatal(err)
	}
	list, _, err = s.ana.Repositories.ListDeployments(t.Context(), sceneOwner, s.name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.sim.SetDeployment(s.full(), "ana", list[0].GetID(), githubsim.DeployStatus{State: "success"}); err != nil {
		t.Fatal(err)
	}
	s.wait("another's verifies it", func() bool { st := s.ledgers()[shopProd]; return st.VerdictOf(landed.Commit) != nil })
}

// TestRecordingThatIsNotAllowed: without the permission, everything else goes on.
func TestRecordingThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: recordedShop("verify: none")})
	s.installed(2)
	s.landing(shopProd, s.release("2.0.0"))
	s.wantDeployments("without the permission")
	if log := s.log.String(); !strings.Contains(log, "deployments cannot be recorded") || !strings.Contains(log, "deployments, write") {
		t.Errorf("the log does not say it:\n%s", log)
	}
}
