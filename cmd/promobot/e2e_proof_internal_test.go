package main

// What speaks for a landing, and what does not: each case first reports what must
// not count, and looks at rest that nothing was made of it; then what counts, and
// what verdict it leads to.

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

// reporter reports on a commit.
type reporter func(s *scene, commit string)

func status(name, result string) reporter {
	return func(s *scene, commit string) { s.says(commit, name, result, "") }
}

// checkRun is a check run of an App, by its slug: promobot's own, or another's.
func checkRun(slug, name, conclusion string) reporter {
	return func(s *scene, commit string) {
		s.t.Helper()
		id := s.app.ID
		if slug != "promobot" {
			app, err := s.sim.CreateApp(githubsim.AppOptions{Owner: sceneOwner, Name: slug, Permissions: map[string]string{"checks": "write"}})
			if err != nil {
				s.t.Fatal(err)
			}
			if _, err := s.sim.Install(app.ID, sceneOwner); err != nil {
				s.t.Fatal(err)
			}
			id = app.ID
		}
		if _, err := s.sim.PostCheck(s.full(), commit, githubsim.CheckPost{App: id, Name: name, Conclusion: conclusion}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// deployment is one to an environment, by a login, with a state.
func deployment(login, environment, result string) reporter {
	return func(s *scene, commit string) {
		s.t.Helper()
		id, err := s.sim.Deploy(s.full(), login, githubsim.DeployOptions{Ref: commit, Environment: environment})
		if err == nil {
			err = s.sim.SetDeployment(s.full(), login, id, githubsim.DeployStatus{State: result})
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// workflow is a run on a commit that ends with a conclusion; "" does not end it.
func workflow(file, name, conclusion string) reporter {
	return func(s *scene, commit string) {
		s.t.Helper()
		if err := s.sim.AddWorkflow(s.full(), githubsim.Workflow{File: file, Name: name, On: []string{"push"}}); err != nil {
			s.t.Fatal(err)
		}
		id, err := s.sim.StartRun(s.full(), "ana", file, "push", commit)
		if err == nil && conclusion != "" {
			err = s.sim.FinishRun(s.full(), id, conclusion)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// elsewhere is ana's commit on main after a landing, and a report on that.
func elsewhere(path, text string, report reporter) reporter {
	return func(s *scene, _ string) {
		s.t.Helper()
		report(s, s.push("another change", map[string]string{path: text}))
	}
}

// off is a report on a commit that is on no branch that promobot knows.
func off(report reporter) reporter {
	return func(s *scene, _ string) {
		s.t.Helper()
		report(s, s.change("feature", "not on main", func(dir string) error {
			return writeFiles(dir, map[string]string{inStaging: shopValues("9.9.9"), "NOTES": time.Now().String()})
		}))
	}
}

func TestEvidence(t *testing.T) {
	for _, c := range []struct {
		name, verify string
		not          []reporter // say nothing, one after the other
		then         []reporter // decide, together
		want         state.Outcome
		by           []string // the evidence
	}{
		{"a status", "checks: deploy", []reporter{status("deploy", "pending"), status("Deploy", "success"), status("deploys", "failure")}, []reporter{status("deploy", "success")}, state.Verified, []string{"deploy"}},
		{"an error", "checks: deploy", nil, []reporter{status("deploy", "error")}, state.Failed, []string{"deploy"}},
		{
			"a check run", "checks: deploy",
			[]reporter{checkRun("cd-1", "deploy", "skipped"), checkRun("cd-2", "deploy", "cancelled"), checkRun("cd-3", "deploy", "")},
			[]reporter{checkRun("cd-1x", "other", "success"), checkRun("cd-4", "deploy", "failure")},
			state.Failed,
			[]string{"deploy", "deploy", "deploy", "deploy"},
		},
		{"of a given App", "checks: {all: deploy, app: argo}", []reporter{checkRun("impostor", "deploy", "success"), status("deploy", "failure")}, []reporter{checkRun("argo", "deploy", "success")}, state.Verified, []string{"deploy"}},
		{"promobot's own", "checks: deploy", []reporter{checkRun("promobot", "deploy", "failure"), checkRun("promobot", "deploy", "success")}, []reporter{status("deploy", "success")}, state.Verified, []string{"deploy"}},
		{"named like promobot's own, by another App", "checks: promobot", []reporter{checkRun("promobot", "promobot", "success")}, []reporter{checkRun("other", "promobot", "success")}, state.Verified, []string{"promobot"}},
		{"all of a list", "checks: [deploy, smoke]", []reporter{status("deploy", "success"), status("smoke", "pending")}, []reporter{status("smoke", "success")}, state.Verified, []string{"deploy", "smoke"}},
		{"one red of a list", "checks: [deploy, smoke]", []reporter{status("deploy", "success")}, []reporter{status("smoke", "failure")}, state.Failed, []string{"deploy", "smoke"}},
		{"any of a list", "checks: {any: [deploy, smoke]}", []reporter{status("deploy", "failure"), status("smoke", "pending")}, []reporter{status("smoke", "success")}, state.Verified, []string{"deploy", "smoke"}},
		{"none of any", "checks: {any: [deploy, smoke]}", []reporter{status("deploy", "failure"), status("smoke", "pending")}, []reporter{status("smoke", "failure")}, state.Failed, []string{"deploy", "smoke"}},
		{
			"a glob", `checks: "argocd/*"`,
			[]reporter{status("flux/a", "success"), status("argocd", "success")},
			[]reporter{status("argocd/a", "success")},
			state.Verified,
			[]string{"argocd/a"},
		},
		{"a glob, of which one is red", `checks: "argocd/*"`, []reporter{status("argocd/a", "pending")}, []reporter{status("argocd/b", "failure")}, state.Failed, []string{"argocd/a", "argocd/b"}},
		{"a glob, of which one is under way", `checks: "argocd/*"`, []reporter{func(s *scene, commit string) {
			status("argocd/b", "pending")(s, commit)
			status("argocd/a", "success")(s, commit)
		}}, []reporter{status("argocd/b", "success")}, state.Verified, []string{"argocd/a", "argocd/b"}},
		{"nothing at all", "checks: deploy", []reporter{func(s *scene, _ string) { s.ahead.Add(int64(55 * time.Minute)); s.wake() }}, []reporter{status("deploy", "success")}, state.Verified, []string{"deploy"}},
		{"on a later commit that leaves the environment alone", "checks: deploy", nil, []reporter{elsewhere("envs/prod/other.yaml", "a: 1\n", status("deploy", "success"))}, state.Verified, []string{"deploy"}},
		{"red on a later commit that leaves the environment alone", "checks: deploy", nil, []reporter{elsewhere("README.md", "shop\n", status("deploy", "failure"))}, state.Failed, []string{"deploy"}},
		{"on a later commit that changes something beside", "checks: deploy", []reporter{
			elsewhere("envs/staging/other.yaml", "a: 1\n", status("deploy", "success")),
			elsewhere("README.md", "shop\n", status("deploy", "failure")),
		}, []reporter{status("deploy", "success")}, state.Verified, []string{"deploy"}},
		{"on a commit that is not on main", "checks: deploy", []reporter{off(status("deploy", "failure")), off(status("deploy", "success"))}, []reporter{status("deploy", "success")}, state.Verified, []string{"deploy"}},
		{"others' deployments", "deployments: staging", []reporter{
			deployment(sceneBot, "staging", "success"), deployment("ana", "prod", "success"), deployment("ana", "staging", "in_progress"), status("staging", "success"),
		}, []reporter{deployment("ana", "staging", "success")}, state.Verified, []string{"staging"}},
		{"others' deployments fail", "deployments: staging*", []reporter{deployment(sceneBot, "staging", "failure")}, []reporter{deployment("ana", "staging-eu", "failure")}, state.Failed, []string{"staging-eu"}},
		{"workflows by file", "workflows: smoke.yml", []reporter{workflow("smoke.yml", "Smoke", ""), workflow("other.yml", "Other", "failure")}, []reporter{workflow("smoke.yml", "Smoke", "success")}, state.Verified, []string{"Smoke"}},
		{"workflows by name fail", "workflows: [Smoke, Load]", []reporter{workflow("smoke.yml", "Smoke", "success")}, []reporter{workflow("load.yml", "Load", "failure")}, state.Failed, []string{"Load", "Smoke"}},
		{
			"of each kind", "checks: deploy, deployments: staging, workflows: smoke.yml",
			[]reporter{status("deploy", "success"), deployment("ana", "staging", "success")},
			[]reporter{workflow("smoke.yml", "Smoke", "success")},
			state.Verified,
			[]string{"Smoke", "deploy", "staging"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			permissions := withActions()
			permissions["deployments"] = "write" // to be what its own deployments come from
			s := newScene(t, sceneOptions{
				files:       shopFiles(watchedPipeline("verify: {"+c.verify+", red_for: 1s, timeout: 1h}", ""), "dev", "staging", "prod"),
				permissions: permissions,
			})
			s.installed(3)
			landed := s.landing(shopStaging, s.release("2.0.0"))
			for i, report := range c.not {
				report(s, landed.Commit)
				s.settle()
				if w := s.ledgers()[shopStaging].Watch; w == nil || !w.Holding.IsZero() || !w.Failing.IsZero() {
					t.Errorf("after the report %d: %+v", i+1, w)
				}
			}
			for _, report := range c.then {
				report(s, landed.Commit)
			}
			v := s.verdictOn(shopStaging, landed)
			var by []string
			for _, e := range v.Evidence {
				by = append(by, e.Name)
			}
			slices.Sort(by)
			if d := cmp.Diff(c.by, by); v.Outcome != c.want || d != "" {
				t.Errorf("the verdict is %s: %s; want %s; by (-want +got):\n%s", v.Outcome, v.Reason, c.want, d)
			}
		})
	}
}

// TestFlap: red for less than red_for decides nothing, however often.
func TestFlap(t *testing.T) {
	t.Parallel()
	s := watchedShop(t, "verify: {checks: deploy, red_for: 1m, soak: 5m, timeout: 1h}, on_failure: rollback", "")
	landed := s.landing(shopStaging, s.release("2.0.0"))
	red := func() bool { w := s.ledgers()[shopStaging].Watch; return w != nil && !w.Failing.IsZero() }
	for range 2 {
		s.deploys(landed.Commit, "failure")
		s.wait("it is seen to be red", red)
		s.ahead.Add(int64(50 * time.Second))
		s.wake()
		s.settle()
		s.deploys(landed.Commit, "success")
		s.wait("it is seen to be green", func() bool { return !red() })
	}
	s.ahead.Add(int64(6 * time.Minute))
	s.wake()
	if v := s.verdictOn(shopStaging, landed); v.Outcome != state.Verified {
		t.Errorf("the verdict is %+v", v)
	}
	if all := strings.Join(s.story(shopStaging), " "); strings.Contains(all, "failed") || len(s.steps(shopStaging)) > 0 {
		t.Errorf("a step was taken: %s", all)
	}
}
