package github_test

// Starting workflows against the simulator.

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// refusedWith fails the test unless an error is a refusal that says "permission, level".
func refusedWith(t *testing.T, permission string, err error) {
	t.Helper()
	said := strings.Replace(permission, ": ", ", ", 1)
	if permission == "members: read" {
		said = "organization members, read"
	}
	if kind(err) != "refused" || !strings.Contains(err.Error(), "an owner has to accept") || !strings.Contains(err.Error(), said) {
		t.Errorf("without %s: %v", permission, err)
	}
}

// recovering is a world with a workflow that is started by hand.
func recovering(t *testing.T) *world {
	t.Helper()
	w := newWorldOf(t, evidence)
	w.must(w.AddWorkflow(shop, githubsim.Workflow{
		File: "recover.yml", Name: "Recover", RunName: "recover ${{ inputs.nonce }}",
		Inputs: []githubsim.WorkflowInput{{Name: "nonce", Required: true}, {Name: "env"}},
	}))
	return w
}

func TestDispatchedRunIsFound(t *testing.T) {
	w := recovering(t)
	ctx := t.Context()
	begun := w.clock.Now()
	start := func(nonce string) int64 {
		t.Helper()
		id, err := w.repo.DispatchWorkflow(ctx, "recover.yml", "main", map[string]string{"nonce": nonce, "env": "qa"})
		w.must(err)
		return id
	}
	first := start("n1")
	w.clock.advance(time.Minute)
	second := start("n2")
	want := func(id int64, nonce, status, conclusion string, minutes int) promotion.WorkflowRun {
		return promotion.WorkflowRun{
			ID: id, Title: "recover " + nonce, Event: "workflow_dispatch", Status: status, Conclusion: conclusion,
			URL: w.URL + "/acme/shop/actions/runs/" + itoa(id), Created: begun.Add(time.Duration(minutes) * time.Minute),
		}
	}
	w.must(w.FinishRun(shop, second, "success"))
	got, err := w.repo.Run(ctx, second)
	w.must(err)
	if diff := cmp.Diff(want(second, "n2", "completed", "success", 1), got); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
	lists := []struct {
		workflow string
		since    time.Time
		want     []promotion.WorkflowRun
	}{
		{"recover.yml", begun, []promotion.WorkflowRun{want(second, "n2", "completed", "success", 1), want(first, "n1", "queued", "", 0)}},
		{".github/workflows/recover.yml", begun.Add(time.Second), []promotion.WorkflowRun{want(second, "n2", "completed", "success", 1)}},
		{"", begun.Add(time.Minute), []promotion.WorkflowRun{want(second, "n2", "completed", "success", 1)}},
		{"", begun.Add(2 * time.Minute), nil},
	}
	for _, l := range lists {
		got, err := w.repo.RunsSince(ctx, l.workflow, l.since)
		w.must(err)
		if diff := cmp.Diff(l.want, got); diff != "" {
			t.Errorf("runs of %q since %s (-want +got):\n%s", l.workflow, l.since.Sub(begun), diff)
		}
	}
	w.must(w.FinishRun(shop, first, "failure"))
	if _, err := w.olga.Actions.DeleteWorkflowRun(ctx, "acme", "shop", first); err != nil {
		t.Fatal(err)
	}
	if _, err := w.repo.Run(ctx, first); kind(err) != "not found" {
		t.Errorf("a deleted run: %v", err)
	}
}

// An older server knows no ids, and starts the workflow once all the same; its
// run is found by its title, as soon as the list shows it.
func TestDispatchWithoutRunDetails(t *testing.T) {
	w := recovering(t)
	ctx := t.Context()
	w.SetHabits(func(h *githubsim.Habits) { h.Actions.NoRunDetails, h.Actions.ListLag = true, 20*time.Second })
	begun := w.clock.Now()
	id, err := w.repo.DispatchWorkflow(ctx, "recover.yml", "main", map[string]string{"nonce": "n1"})
	if err != nil || id != 0 {
		t.Fatalf("run %d, %v; want 0", id, err)
	}
	there, err := w.WorkflowRuns(shop)
	w.must(err)
	if len(there) != 1 {
		t.Fatalf("%d runs were started", len(there))
	}
	for _, want := range []int{0, 1} {
		got, err := w.repo.RunsSince(ctx, "recover.yml", begun)
		w.must(err)
		if len(got) != want || want == 1 && got[0].Title != "recover n1" {
			t.Errorf("the list has %+v, want %d", got, want)
		}
		w.clock.advance(20 * time.Second)
	}
}

func TestRefusedDispatches(t *testing.T) {
	w := recovering(t)
	w.must(w.AddWorkflow(shop, githubsim.Workflow{File: "push.yml", On: []string{"push"}}))
	many := map[string]string{}
	for i := range 26 {
		many[fmt.Sprint("i", i)] = ""
	}
	nonce := map[string]string{"nonce": "n"}
	tests := []struct {
		name, file, ref string
		inputs          map[string]string
		want, says      string
	}{
		{"no such workflow", "gone.yml", "main", nonce, "not found", ""},
		{"no such ref", "recover.yml", "gone", nonce, "refused", "No ref found for: gone"},
		{"not by hand", "push.yml", "main", nil, "refused", "workflow_dispatch"},
		{"a missing input", "recover.yml", "main", nil, "refused", "Required input 'nonce'"},
		{"a strange input", "recover.yml", "main", map[string]string{"nonce": "n", "x": "y"}, "refused", "Unexpected inputs"},
		{"another folder", "../recover.yml", "main", nonce, "refused", ".github/workflows/"},
		{"no file", "recover", "main", nonce, "refused", ".github/workflows/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := w.repo.DispatchWorkflow(t.Context(), tt.file, tt.ref, tt.inputs)
			if kind(err) != tt.want || id != 0 || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("run %d, %v; want %s with %q", id, err, tt.want, tt.says)
			}
		})
	}
	if runs, err := w.WorkflowRuns(shop); err != nil || len(runs) != 0 {
		t.Errorf("refused, and yet there are runs %+v, %v", runs, err)
	}
}

func TestRepositoryDispatch(t *testing.T) {
	w := recovering(t)
	ctx := t.Context()
	w.must(w.AddWorkflow(shop, githubsim.Workflow{File: "sent.yml", On: []string{"repository_dispatch"}, RunName: "sent ${{ github.event.client_payload.nonce }}"}))
	begun := w.clock.Now()
	w.must(w.repo.DispatchRepository(ctx, "promobot-recover", map[string]any{"nonce": "n1", "deep": map[string]any{"a": 1}}))
	w.must(w.repo.DispatchRepository(ctx, "plain", nil))
	got, err := w.repo.RunsSince(ctx, "", begun)
	w.must(err)
	if len(got) != 2 || got[1].Title != "sent n1" || got[1].Event != "repository_dispatch" || got[0].Title != "sent " {
		t.Errorf("runs %+v", got)
	}
	if runs, err := w.WorkflowRuns(shop); err != nil || runs[0].Payload != `{"deep":{"a":1},"nonce":"n1"}` {
		t.Errorf("runs %+v, %v", runs, err)
	}
	if err := w.repo.DispatchRepository(ctx, strings.Repeat("x", 90), map[string]any{"nonce": make(chan int)}); kind(err) != "refused" {
		t.Errorf("a payload that is no JSON: %v", err)
	}
}
