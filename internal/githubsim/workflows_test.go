package githubsim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

const recoverFile = ".github/workflows/recover.yml"

// recovery is a workflow that is started by hand.
func recovery() githubsim.Workflow {
	return githubsim.Workflow{
		File: "recover.yml", Name: "Recover", RunName: "recover ${{ inputs.env }} ${{inputs.nonce}}",
		Inputs: []githubsim.WorkflowInput{{Name: "env", Required: true}, {Name: "nonce"}, {Name: "how", Default: "soft", Options: []string{"soft", "hard"}}},
	}
}

// start dispatches the recovery as the App.
func (w *world) start(body map[string]any) (run int64, err error) {
	w.t.Helper()
	req, err := w.bot.NewRequest(http.MethodPost, "repos/acme/shop/actions/workflows/recover.yml/dispatches", body)
	w.must(err)
	var answer struct {
		Run int64 `json:"workflow_run_id"`
	}
	_, err = w.bot.Do(w.t.Context(), req, &answer)
	return answer.Run, err
}

// runs are the ids of the runs that a query lists.
func (w *world) runs(query string) []int64 {
	w.t.Helper()
	req, err := w.bot.NewRequest(http.MethodGet, "repos/acme/shop/actions/runs?"+query, nil)
	w.must(err)
	var answer github.WorkflowRuns
	_, err = w.bot.Do(w.t.Context(), req, &answer)
	w.must(err)
	ids := []int64{}
	for _, run := range answer.WorkflowRuns {
		ids = append(ids, run.GetID())
	}
	return ids
}

// A dispatched run from its beginning to its end, with its check and events.
func TestWorkflowDispatch(t *testing.T) {
	w := newWorld(t)
	w.must(w.AddWorkflow("acme/shop", recovery()))
	w.drained()
	id, err := w.start(map[string]any{"ref": "main", "inputs": map[string]any{"env": "qa", "nonce": "n1"}, "return_run_details": true})
	w.must(err)
	runs, err := w.WorkflowRuns("acme/shop")
	w.must(err)
	want := []githubsim.RunState{{
		ID: id, File: recoverFile, Name: "Recover", Title: "recover qa n1", Event: "workflow_dispatch", SHA: w.head, Branch: "main",
		Actor: "promobot[bot]", Attempt: 1, Status: "queued", Inputs: map[string]string{"env": "qa", "nonce": "n1", "how": "soft"},
		CreatedAt: w.clock.Now().UTC().Truncate(time.Second),
	}}
	if diff := cmp.Diff(want, runs); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	w.must(w.BeginRun("acme/shop", id))
	if err := w.BeginRun("acme/shop", id); err == nil {
		t.Error("a run began twice")
	}
	w.must(w.FinishRun("acme/shop", id, "failure"))
	if err := w.FinishRun("acme/shop", id, "success"); err == nil {
		t.Error("a run ended twice")
	}
	if diff := cmp.Diff([]string{
		"workflow_run requested", "check_run created", "workflow_run in_progress", "check_run completed", "check_suite completed", "workflow_run completed",
	}, names(w.drained())); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}
	checks, err := w.CheckRuns("acme/shop", w.head)
	w.must(err)
	if len(checks) != 1 || checks[0].App != "github-actions" || checks[0].Name != "recover" || checks[0].Conclusion != "failure" {
		t.Errorf("checks %+v, want one by github-actions that failed", checks)
	}
	w.clock.advance(time.Minute)
	w.must(w.Rerun("acme/shop", "mona", id))
	w.must(w.FinishRun("acme/shop", id, "success"))
	run, _, err := w.bot.Actions.GetWorkflowRunByID(t.Context(), "acme", "shop", id)
	w.must(err)
	if run.GetRunAttempt() != 2 || run.GetConclusion() != "success" || run.GetTriggeringActor().GetLogin() != "mona" || !run.GetRunStartedAt().After(run.GetCreatedAt().Time) {
		t.Errorf("after a rerun: attempt %d, %s, by %s", run.GetRunAttempt(), run.GetConclusion(), run.GetTriggeringActor().GetLogin())
	}
}

func TestDispatchesThatGitHubRefuses(t *testing.T) {
	w := looseWorld(t)
	w.must(w.AddWorkflow("acme/shop", recovery()))
	many := map[string]any{}
	for i := range 26 {
		many[fmt.Sprint("i", i)] = "x"
	}
	env := map[string]any{"env": "qa"}
	tests := []struct {
		name    string
		prepare func()
		body    map[string]any
		status  int
		says    string
	}{
		{"no ref", nil, map[string]any{}, 422, `"ref" wasn't supplied`},
		{"an unknown ref", nil, map[string]any{"ref": "gone", "inputs": env}, 422, "No ref found for: gone"},
		{"a commit", nil, map[string]any{"ref": w.head, "inputs": env}, 422, "No ref found for"},
		{"a strange input", nil, map[string]any{"ref": "main", "inputs": map[string]any{"env": "qa", "x": "1"}}, 422, `Unexpected inputs provided: ["x"]`},
		{"too many inputs", nil, map[string]any{"ref": "main", "inputs": many}, 422, "No more than 25"},
		{"an input that is missing", nil, map[string]any{"ref": "main"}, 422, "Required input 'env' not provided"},
		{"no such choice", nil, map[string]any{"ref": "main", "inputs": map[string]any{"env": "qa", "how": "odd"}}, 422, "not in the list of allowed values"},
		{"too large", nil, map[string]any{"ref": "main", "inputs": map[string]any{"env": strings.Repeat("x", 65536)}}, 422, "too large"},
		{"an object", nil, map[string]any{"ref": "main", "inputs": map[string]any{"env": map[string]any{}}}, 422, "neither a string"},
		{"an older server", func() {
			w.SetHabits(func(h *githubsim.Habits) { h.Actions.NoRunDetails = true })
		}, map[string]any{"ref": "main", "inputs": env, "return_run_details": true}, 422, "not a permitted key"},
		{"not by hand", func() {
			w.must(w.AddWorkflow("acme/shop", githubsim.Workflow{File: "recover.yml", On: []string{"push"}}))
		}, map[string]any{"ref": "main"}, 422, "does not have 'workflow_dispatch' trigger"},
		{"disabled", func() {
			w.must(w.AddWorkflow("acme/shop", recovery()))
			w.must(w.DisableWorkflow("acme/shop", "recover.yml", true))
		}, map[string]any{"ref": "main", "inputs": env}, 422, "disabled workflow"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.prepare != nil {
				tt.prepare()
			}
			_, err := w.start(tt.body)
			wantRefusal(t, err, tt.status, tt.says)
		})
	}
	runs, err := w.WorkflowRuns("acme/shop")
	w.must(err)
	if len(runs) != 0 {
		t.Errorf("refused, and yet there are %d runs", len(runs))
	}
}

func TestWhoMayDispatch(t *testing.T) {
	w := newWorld(t)
	w.must(w.AddWorkflow("acme/shop", recovery()))
	event := github.CreateWorkflowDispatchEventRequest{Ref: "main", Inputs: map[string]any{"env": "qa"}}
	_, err := w.UserClient("mona").Actions.CreateWorkflowDispatchEventByFileName(t.Context(), "acme", "shop", "recover.yml", event)
	w.must(err)
	_, err = w.UserClient("rita").Actions.CreateWorkflowDispatchEventByFileName(t.Context(), "acme", "shop", "recover.yml", event)
	wantRefusal(t, err, 404, "Not Found")
	reader, err := w.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "reader", Permissions: map[string]string{"actions": "read"}})
	w.must(err)
	inst, err := w.Install(reader.ID, "acme")
	w.must(err)
	_, err = w.InstallationClient(reader, inst).Actions.CreateWorkflowDispatchEventByFileName(t.Context(), "acme", "shop", "recover.yml", event)
	wantRefusal(t, err, 403, "not accessible by integration")
	_, err = w.bot.Actions.CreateWorkflowDispatchEventByFileName(t.Context(), "acme", "shop", "gone.yml", event)
	wantRefusal(t, err, 404, "Not Found")
	if err := w.AddWorkflow("acme/shop", githubsim.Workflow{File: "../recover.yml"}); err == nil {
		t.Error("a file outside the folder is taken for a workflow")
	}
}

func TestRunsAreFiltered(t *testing.T) {
	w := newWorld(t)
	w.must(w.AddWorkflow("acme/shop", recovery()))
	w.must(w.AddWorkflow("acme/shop", githubsim.Workflow{File: "ci.yml", On: []string{"push"}}))
	w.must(w.AddWorkflow("acme/shop", githubsim.Workflow{File: "sent.yml", On: []string{"repository_dispatch"}, Types: []string{"recover"}, RunName: "${{ github.event.client_payload.nonce }}"}))
	w.runs("") // takes a token, while the clocks of client and server are the same
	begun := w.clock.Now().UTC().Truncate(time.Second)
	w.clock.advance(time.Minute)
	moved := w.branchWith("main", file("a.txt", "2\n"))
	w.clock.advance(time.Minute)
	_, err := w.start(map[string]any{"ref": "main", "inputs": map[string]any{"env": "qa"}})
	w.must(err)
	w.clock.advance(time.Minute)
	w.must(w.Dispatch("acme/shop", "mona", "other", nil))
	w.must(w.Dispatch("acme/shop", "mona", "recover", map[string]any{"nonce": "n7"}))
	scheduled, err := w.StartRun("acme/shop", "olga", "ci.yml", "schedule", w.head)
	w.must(err)
	all, err := w.WorkflowRuns("acme/shop")
	w.must(err)
	var got []string
	for _, run := range all {
		got = append(got, fmt.Sprintf("%s by %s on %s %q", run.Event, run.Actor, run.Branch, run.Title))
	}
	if diff := cmp.Diff([]string{
		`push by mona on main "Change main"`, `workflow_dispatch by promobot[bot] on main "recover qa "`,
		`repository_dispatch by mona on main "n7"`, `schedule by olga on  "Start the shop"`,
	}, got); diff != "" {
		t.Fatalf("runs (-want +got):\n%s", diff)
	}
	w.must(w.FinishRun("acme/shop", scheduled, "cancelled"))
	at := func(minutes int) string { return begun.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339) }
	push, byHand, sent := all[0].ID, all[1].ID, all[2].ID
	tests := []struct {
		name, query string
		want        []int64
	}{
		{"all", "", []int64{scheduled, sent, byHand, push}},
		{"a page", "per_page=2&page=2", []int64{byHand, push}},
		{"commit", "head_sha=" + moved, []int64{sent, byHand, push}},
		{"event", "event=workflow_dispatch", []int64{byHand}},
		{"actor", "actor=mona", []int64{sent, push}},
		{"status", "status=queued", []int64{sent, byHand, push}},
		{"conclusion", "status=cancelled", []int64{scheduled}},
		{"branch", "branch=main&event=push", []int64{push}},
		{"since", "created=" + url.QueryEscape(">="+at(2)), []int64{scheduled, sent, byHand}},
		{"after", "created=" + url.QueryEscape(">"+at(2)), []int64{scheduled, sent}},
		{"before", "created=" + url.QueryEscape("<"+at(2)), []int64{push}},
		{"until", "created=" + url.QueryEscape("<="+at(2)), []int64{byHand, push}},
		{"between", "created=" + url.QueryEscape(at(1)+".."+at(2)), []int64{byHand, push}},
		{"open range", "created=" + url.QueryEscape("*.."+at(1)), []int64{push}},
		{"in a second", "created=" + url.QueryEscape(at(2)), []int64{byHand}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, w.runs(tt.query)); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
		})
	}
	w.SetHabits(func(h *githubsim.Habits) { h.Actions.ListLag = 30 * time.Second })
	if got := w.runs(""); !slices.Equal(got, []int64{byHand, push}) {
		t.Errorf("a list that lags has %v", got)
	}
	w.clock.advance(30 * time.Second)
	if got := w.runs(""); len(got) != 4 {
		t.Errorf("a list that has caught up has %v", got)
	}
}

// A workflow with a script runs by itself, by the server's clock.
func TestWorkflowsByScript(t *testing.T) {
	w := newWorld(t)
	script := githubsim.Workflow{File: "ci.yml", On: []string{"push"}, After: time.Minute, Takes: time.Minute}
	script.Conclude = func(run githubsim.RunState) string {
		return map[string]string{"good": "success", "bad": "failure"}[run.Branch]
	}
	w.must(w.AddWorkflow("acme/shop", script))
	for _, branch := range []string{"good", "bad", "never"} {
		w.branchWith(branch, file("a.txt", branch))
	}
	states := func() []string {
		runs, err := w.WorkflowRuns("acme/shop")
		w.must(err)
		var out []string
		for _, run := range runs {
			out = append(out, strings.TrimSpace(run.Branch+" "+run.Status+" "+run.Conclusion))
		}
		return out
	}
	for _, want := range [][]string{
		{"good queued", "bad queued", "never queued"},
		{"good in_progress", "bad in_progress", "never in_progress"},
		{"good completed success", "bad completed failure", "never in_progress"},
	} {
		w.waitFor(func() bool { return slices.Equal(states(), want) })
		w.clock.advance(time.Minute)
		w.Poke()
	}
}
