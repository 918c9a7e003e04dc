package github_test

// Deployments and workflow runs against the simulator.

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
)

// evidence is what has to be granted to read what speaks for a commit.
var evidence = map[string]string{"deployments": "write", "actions": "write", "statuses": "read"}

// otherApp is another App on the repository; its bot's login.
func (w *world) otherApp(name string) string {
	w.t.Helper()
	a, err := w.CreateApp(githubsim.AppOptions{Owner: "acme", Name: name, Permissions: map[string]string{"deployments": "write", "checks": "write"}})
	w.must(err)
	_, err = w.Install(a.ID, "acme")
	w.must(err)
	return a.BotLogin()
}

// deploy makes a deployment of a commit, with statuses a minute apart.
func (w *world) deploy(login, environment, commit string, states ...string) {
	w.t.Helper()
	id, err := w.Deploy(shop, login, githubsim.DeployOptions{Ref: commit, Environment: environment, Description: "to " + environment})
	w.must(err)
	for _, state := range states {
		w.clock.advance(time.Minute)
		w.must(w.SetDeployment(shop, login, id, githubsim.DeployStatus{State: state, Description: state + "!", LogURL: "https://argo.test/1", KeepOthers: true}))
	}
}

func TestDeploymentsOfACommit(t *testing.T) {
	w := newWorldOf(t, evidence)
	ctx := t.Context()
	argo := w.otherApp("argocd")
	other := w.commit("main", "version: 2\n")
	landed := w.commit("main", "version: 3\n")
	begun := w.clock.Now()
	w.deploy(argo, "qa", landed, "pending", "success")              // the older one
	w.deploy(argo, "qa", landed, "queued", "failure")               // counts
	w.deploy(argo, "canary", landed, "in_progress")                 // has not ended
	w.deploy("olga", "by-hand", landed, "success")                  // by a person
	w.deploy(argo, "old", landed, "success", "inactive")            // replaced
	w.deploy(argo, "waiting", landed)                               // without a status
	w.deploy(argo, "elsewhere", other, "success")                   // of another commit
	w.deploy("promobot[bot]", "qa", landed, "success")              // our own
	w.deploy("promobot[bot]", "ours", landed, "success")            // our own
	w.deploy(argo, "broken", landed, "success", "failure", "error") // the newest counts
	got, err := w.repo.Deployments(ctx, landed)
	w.must(err)
	at := func(minutes int) time.Time { return begun.Add(time.Duration(minutes) * time.Minute) }
	var app int64
	for _, one := range got {
		if one.Name == "qa" {
			app = one.App
		}
	}
	result := func(name, status, conclusion, summary string, minutes int) promotion.CheckResult {
		out := promotion.CheckResult{
			Name: name, Kind: promotion.DeploymentResult, App: app, Slug: "argocd", Status: status, Conclusion: conclusion,
			Summary: summary, Time: at(minutes), Commit: landed,
		}
		if summary != "to waiting" {
			out.URL = "https://argo.test/1"
		}
		return out
	}
	byHand := result("by-hand", "completed", "success", "success!", 6)
	byHand.App, byHand.Slug = 0, ""
	want := []promotion.CheckResult{
		result("broken", "completed", "error", "error!", 14),
		byHand,
		result("canary", "pending", "", "in_progress!", 5),
		result("old", "completed", "inactive", "inactive!", 8),
		result("qa", "completed", "failure", "failure!", 4),
		result("waiting", "pending", "", "to waiting", 8),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deployments (-want +got):\n%s", diff)
	}
	w.forget()
	_, err = w.repo.Deployments(ctx, landed)
	w.must(err)
	if j := w.journal(); len(j) != 7 || j.NotModified() != 7 {
		t.Errorf("a second look cost more than 304s, or more than one for each environment:\n%s", j)
	}
	if got, err := w.repo.Deployments(ctx, head); err != nil || len(got) != 0 {
		t.Errorf("of a commit that there is not: %+v, %v", got, err)
	}
}

func TestWorkflowRunsOnACommit(t *testing.T) {
	w := newWorldOf(t, evidence)
	ctx := t.Context()
	for _, wf := range []githubsim.Workflow{{File: "e2e.yml", Name: "End to end", On: []string{"push"}}, {File: "lint.yaml", On: []string{"push"}}} {
		w.must(w.AddWorkflow(shop, wf))
	}
	landed := w.commit("main", "version: 2\n")
	other := w.commit("main", "version: 3\n")
	begun := w.clock.Now()
	start := func(file, commit string) int64 {
		t.Helper()
		w.clock.advance(time.Minute)
		id, err := w.StartRun(shop, "olga", file, "schedule", commit)
		w.must(err)
		return id
	}
	runs, err := w.WorkflowRuns(shop)
	w.must(err)
	first := runs[0].ID
	w.must(w.FinishRun(shop, first, "failure"))
	second := start("e2e.yml", landed)
	w.must(w.FinishRun(shop, second, "cancelled"))
	w.must(w.FinishRun(shop, start("e2e.yml", other), "success"))
	result := func(name, file, status, conclusion string, minutes int, id int64) promotion.CheckResult {
		return promotion.CheckResult{
			Name: name, Kind: promotion.WorkflowResult, File: ".github/workflows/" + file, Slug: "github-actions", Status: status, Conclusion: conclusion,
			Time: begun.Add(time.Duration(minutes) * time.Minute), Commit: landed, URL: w.URL + "/acme/shop/actions/runs/" + itoa(id),
		}
	}
	lint := result(".github/workflows/lint.yaml", "lint.yaml", "queued", "", 0, runs[1].ID)
	check := func(name string, want promotion.CheckResult) {
		t.Helper()
		got, err := w.repo.WorkflowRuns(ctx, landed)
		w.must(err)
		if diff := cmp.Diff([]promotion.CheckResult{want, lint}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	check("the newest", result("End to end", "e2e.yml", "completed", "cancelled", 1, second))
	w.clock.advance(time.Minute)
	w.must(w.Rerun(shop, "olga", first))
	check("an older one is run again", result("End to end", "e2e.yml", "queued", "", 3, first))
	w.clock.advance(time.Minute)
	w.must(w.FinishRun(shop, first, "success"))
	check("and has ended", result("End to end", "e2e.yml", "completed", "success", 4, first))
}

// What is not granted is refused with what to do, and is there once it is granted.
func TestEvidenceNotGranted(t *testing.T) {
	w := newWorld(t)
	for name, read := range map[string]func() error{
		"deployments: read": func() error { _, err := w.repo.Deployments(t.Context(), head); return err },
		"actions: read":     func() error { _, err := w.repo.WorkflowRuns(t.Context(), head); return err },
		"actions: write":    func() error { _, err := w.repo.DispatchWorkflow(t.Context(), "a.yml", "main", nil); return err },
		"members: read":     func() error { _, err := w.repo.InTeam(t.Context(), "olga", "acme/oncall"); return err },
	} {
		refusedWith(t, name, read())
	}
}
