package githubsim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

func (w *world) check(name, status, conclusion string) *github.CheckRun {
	w.t.Helper()
	o := github.CreateCheckRunOptions{
		Name: name, HeadSHA: w.head, Status: &status, ExternalID: new("x-" + name),
		Output: &github.CheckRunOutput{Title: new("T"), Summary: new("S"), Text: new("long")},
	}
	if conclusion != "" {
		o.Conclusion = &conclusion
	}
	run, _, err := w.bot.Checks.CreateCheckRun(w.t.Context(), "acme", "shop", o)
	w.must(err)
	return run
}

func (w *world) runsOf(client *github.Client, o *github.ListCheckRunsOptions) []string {
	w.t.Helper()
	list, _, err := client.Checks.ListCheckRunsForRef(w.t.Context(), "acme", "shop", "main", o)
	w.must(err)
	out := []string{}
	for _, run := range list.CheckRuns {
		out = append(out, strings.TrimSuffix(fmt.Sprintf("%s %s %s", run.GetName(), run.GetStatus(), run.GetConclusion()), " "))
	}
	return out
}

func TestCheckRunLife(t *testing.T) {
	w := newWorld(t)
	w.drained()
	run := w.check("promobot", "in_progress", "")
	w.check("build", "completed", "success")
	if diff := cmp.Diff([]string{
		"check_run created", "check_run created", "check_run completed",
	}, names(w.drained())); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}

	_, _, err := w.bot.Checks.UpdateCheckRun(t.Context(), "acme", "shop", run.GetID(), github.UpdateCheckRunOptions{
		Name: "promobot", Conclusion: new("neutral"), Status: new("completed"),
		Output: &github.CheckRunOutput{
			Title: new("2 of 3"), Summary: new("s"),
			Annotations: []*github.CheckRunAnnotation{{
				Path: new("a b.yml"), StartLine: new(1), EndLine: new(1),
				AnnotationLevel: new("warning"), Message: new("m"),
			}},
		},
		Actions: []*github.CheckRunAction{{Label: "Retry", Description: "Try again", Identifier: "retry"}},
	})
	w.must(err)
	// The last open run of the suite has ended: the suite has too.
	if diff := cmp.Diff([]string{"check_run completed", "check_suite completed"}, names(w.drained())); diff != "" {
		t.Errorf("webhooks of completing (-want +got):\n%s", diff)
	}
	states, err := w.CheckRuns("acme/shop", w.head)
	w.must(err)
	if len(states) != 2 || states[0].Writes != 2 || states[0].Conclusion != "neutral" || !cmp.Equal(states[0].Actions, []string{"retry"}) {
		t.Errorf("check runs %+v, want promobot written twice, neutral, with a button", states)
	}
	annotations, _, err := w.bot.Checks.ListCheckRunAnnotations(t.Context(), "acme", "shop", run.GetID(), nil)
	w.must(err)
	if len(annotations) != 1 || annotations[0].GetPath() != "a b.yml" {
		t.Errorf("annotations %v, want the one of a b.yml", annotations)
	}
	suites, _, err := w.bot.Checks.ListCheckSuitesForRef(t.Context(), "acme", "shop", w.head, nil)
	w.must(err)
	if len(suites.CheckSuites) != 1 || suites.CheckSuites[0].GetConclusion() != "success" {
		t.Errorf("suites %v, want one that is a success", suites.CheckSuites)
	}
	ofSuite, _, err := w.bot.Checks.ListCheckRunsCheckSuite(t.Context(), "acme", "shop", suites.CheckSuites[0].GetID(), nil)
	w.must(err)
	if ofSuite.GetTotal() != 2 {
		t.Errorf("%d runs in the suite, want 2", ofSuite.GetTotal())
	}
}

func TestCompletedCheckRunStaysCompleted(t *testing.T) {
	tests := []struct {
		name   string
		reopen bool
		rerun  bool
		want   string
	}{
		{name: "as on GitHub", want: "promobot completed failure"},
		{name: "even when it was asked for again", rerun: true, want: "promobot completed failure"},
		{name: "habit off", reopen: true, want: "promobot in_progress"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.SetHabits(func(h *githubsim.Habits) { h.Checks.Reopen = tt.reopen })
			run := w.check("promobot", "completed", "failure")
			if tt.rerun {
				_, err := w.bot.Checks.ReRequestCheckSuite(t.Context(), "acme", "shop", run.GetCheckSuite().GetID())
				w.must(err)
			}
			_, _, err := w.bot.Checks.UpdateCheckRun(t.Context(), "acme", "shop", run.GetID(), github.UpdateCheckRunOptions{
				Name: "promobot", Status: new("in_progress"),
			})
			w.must(err)
			if diff := cmp.Diff([]string{tt.want}, w.runsOf(w.bot, nil)); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckRunFilters(t *testing.T) {
	w := newWorld(t)
	w.check("a", "completed", "failure")
	w.check("a", "completed", "success")
	w.check("b", "queued", "")
	tests := []struct {
		name string
		o    *github.ListCheckRunsOptions
		want []string
	}{
		{name: "latest by default", want: []string{"b queued", "a completed success"}},
		{name: "all", o: &github.ListCheckRunsOptions{Filter: new("all")}, want: []string{"b queued", "a completed success", "a completed failure"}},
		{name: "name", o: &github.ListCheckRunsOptions{CheckName: new("a")}, want: []string{"a completed success"}},
		{name: "status", o: &github.ListCheckRunsOptions{Status: new("queued")}, want: []string{"b queued"}},
		{name: "our App", o: &github.ListCheckRunsOptions{AppID: &w.app.ID, CheckName: new("b")}, want: []string{"b queued"}},
		{name: "another App", o: &github.ListCheckRunsOptions{AppID: github.Int64(7)}, want: []string{}},
		{name: "page", o: &github.ListCheckRunsOptions{ListOptions: github.ListOptions{PerPage: 1, Page: 2}}, want: []string{"a completed success"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, w.runsOf(w.bot, tt.o)); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckRunRefusals(t *testing.T) {
	w := newWorld(t)
	actions := func(n int, label string) []*github.CheckRunAction {
		var out []*github.CheckRunAction
		for range n {
			out = append(out, &github.CheckRunAction{Label: label, Description: "d", Identifier: "i"})
		}
		return out
	}
	// What the simulator must refuse is against the description too, so these
	// go around the validation.
	base := func() github.CreateCheckRunOptions {
		return github.CreateCheckRunOptions{Name: "n", HeadSHA: w.head}
	}
	tests := []struct {
		name   string
		change func(*github.CreateCheckRunOptions)
		want   string
	}{
		{name: "unknown commit", change: func(o *github.CreateCheckRunOptions) { o.HeadSHA = strings.Repeat("0", 40) }, want: "No commit found for SHA"},
		{name: "branch for a commit", change: func(o *github.CreateCheckRunOptions) { o.HeadSHA = "main" }, want: "No commit found for SHA: main"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := base()
			tt.change(&o)
			_, resp, err := w.bot.Checks.CreateCheckRun(t.Context(), "acme", "shop", o)
			if statusOf(resp) != 422 || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("answer %d %v, want 422 with %q", statusOf(resp), err, tt.want)
			}
		})
	}
	loose := looseWorld(t)
	looseTests := []struct {
		name   string
		change func(*github.CreateCheckRunOptions)
		want   string
	}{
		{name: "long summary", change: func(o *github.CreateCheckRunOptions) {
			o.Output = &github.CheckRunOutput{Title: new("t"), Summary: new(strings.Repeat("é", 65536))}
		}, want: "Only 65535 characters are allowed; 65536 were supplied."},
		{name: "completed without conclusion", change: func(o *github.CreateCheckRunOptions) { o.Status = new("completed") }, want: `"conclusion" wasn't supplied.`},
		{name: "four buttons", change: func(o *github.CreateCheckRunOptions) { o.Actions = actions(4, "l") }, want: "No more than 3 items are allowed; 4 were supplied."},
		{name: "long label", change: func(o *github.CreateCheckRunOptions) { o.Actions = actions(1, strings.Repeat("l", 21)) }, want: "Only 20 characters are allowed; 21 were supplied."},
		{name: "unknown conclusion", change: func(o *github.CreateCheckRunOptions) { o.Conclusion = new("fine") }, want: `"fine" is not a member of`},
		{name: "no title", change: func(o *github.CreateCheckRunOptions) {
			o.Output = &github.CheckRunOutput{Summary: new("s")}
		}, want: `"title" wasn't supplied.`},
	}
	for _, tt := range looseTests {
		t.Run(tt.name, func(t *testing.T) {
			o := github.CreateCheckRunOptions{Name: "n", HeadSHA: loose.head}
			tt.change(&o)
			_, resp, err := loose.bot.Checks.CreateCheckRun(t.Context(), "acme", "shop", o)
			if statusOf(resp) != 422 || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("answer %d %v, want 422 with %q", statusOf(resp), err, tt.want)
			}
		})
	}
}

func TestOnlyItsAppWritesACheckRun(t *testing.T) {
	w := newWorld(t)
	run := w.check("promobot", "queued", "")
	_, resp, err := w.UserClient("olga").Checks.CreateCheckRun(t.Context(), "acme", "shop", github.CreateCheckRunOptions{Name: "n", HeadSHA: w.head})
	if statusOf(resp) != 403 {
		t.Errorf("a user writes a check run: %d %v, want 403", statusOf(resp), err)
	}
	other, err := w.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "other", Permissions: map[string]string{"checks": "write"}})
	w.must(err)
	inst, err := w.Install(other.ID, "acme")
	w.must(err)
	_, resp, err = w.InstallationClient(other, inst).Checks.UpdateCheckRun(t.Context(), "acme", "shop", run.GetID(), github.UpdateCheckRunOptions{Name: "x"})
	if statusOf(resp) != 403 || !strings.Contains(err.Error(), "Invalid app_id") {
		t.Errorf("another App updates it: %d %v, want 403", statusOf(resp), err)
	}
	reader, err := w.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "reader", Permissions: map[string]string{"checks": "read"}})
	w.must(err)
	inst, err = w.Install(reader.ID, "acme")
	w.must(err)
	_, resp, err = w.InstallationClient(reader, inst).Checks.CreateCheckRun(t.Context(), "acme", "shop", github.CreateCheckRunOptions{Name: "n", HeadSHA: w.head})
	if statusOf(resp) != 403 || !strings.Contains(err.Error(), "Resource not accessible by integration") {
		t.Errorf("an App that may only read writes: %d %v, want 403", statusOf(resp), err)
	}
}

func TestCheckRunListLags(t *testing.T) {
	w := newWorld(t)
	w.SetHabits(func(h *githubsim.Habits) { h.Checks.ListLag = 5 * time.Second })
	run := w.check("promobot", "queued", "")
	if got := w.runsOf(w.bot, nil); len(got) != 0 {
		t.Errorf("the list knows %v at once", got)
	}
	one, _, err := w.bot.Checks.GetCheckRun(t.Context(), "acme", "shop", run.GetID())
	w.must(err)
	if one.GetStatus() != "queued" {
		t.Errorf("status %q of the run itself, want queued", one.GetStatus())
	}
	w.clock.advance(6 * time.Second)
	_, _, err = w.bot.Checks.UpdateCheckRun(t.Context(), "acme", "shop", run.GetID(), github.UpdateCheckRunOptions{Name: "promobot", Conclusion: new("success")})
	w.must(err)
	if diff := cmp.Diff([]string{"promobot queued"}, w.runsOf(w.bot, nil)); diff != "" {
		t.Errorf("runs right after the update (-want +got):\n%s", diff)
	}
	w.clock.advance(6 * time.Second)
	if diff := cmp.Diff([]string{"promobot completed success"}, w.runsOf(w.bot, nil)); diff != "" {
		t.Errorf("runs later (-want +got):\n%s", diff)
	}
}

func TestIncompleteCheckRunGoesStale(t *testing.T) {
	w := newWorld(t)
	w.check("promobot", "in_progress", "")
	reader := w.UserClient("olga")
	w.clock.advance(14*24*time.Hour - time.Minute)
	if diff := cmp.Diff([]string{"promobot in_progress"}, w.runsOf(reader, nil)); diff != "" {
		t.Errorf("before 14 days (-want +got):\n%s", diff)
	}
	w.clock.advance(2 * time.Minute)
	if diff := cmp.Diff([]string{"promobot completed stale"}, w.runsOf(reader, nil)); diff != "" {
		t.Errorf("after 14 days (-want +got):\n%s", diff)
	}
}

func TestScriptedCheck(t *testing.T) {
	tests := []struct {
		name      string
		check     githubsim.ScriptedCheck
		meanwhile []string
		atEnd     []string
	}{
		{
			name:      "late and failing",
			check:     githubsim.ScriptedCheck{Name: "ci", After: time.Minute, Takes: time.Minute, Conclude: func(_, _, _ string) string { return "failure" }},
			meanwhile: []string{"ci in_progress"}, atEnd: []string{"ci completed failure"},
		},
		{
			name:      "never ending",
			check:     githubsim.ScriptedCheck{Name: "ci", After: time.Minute, Takes: time.Minute, Conclude: func(_, _, _ string) string { return "" }},
			meanwhile: []string{"ci in_progress"}, atEnd: []string{"ci in_progress"},
		},
		{
			name:      "another branch's",
			check:     githubsim.ScriptedCheck{Name: "ci", Branch: "release-*", After: time.Minute},
			meanwhile: []string{}, atEnd: []string{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.check.App = w.app.ID
			w.must(w.ScriptChecks(tt.check))
			commit, _, err := w.bot.Repositories.CreateFile(t.Context(), "acme", "shop", "new.txt", &github.RepositoryContentFileOptions{
				Message: new("Add a file"), Content: []byte("x\n"), Branch: new("main"),
			})
			w.must(err)
			w.head = commit.GetSHA()
			if got := w.runsOf(w.bot, nil); len(got) != 0 {
				t.Fatalf("checks %v at once", got)
			}
			w.clock.advance(time.Minute)
			w.Poke()
			w.eventually(tt.meanwhile)
			w.clock.advance(time.Minute)
			w.Poke()
			w.eventually(tt.atEnd)
		})
	}
}

// eventually waits until the check runs of main are as wanted.
func (w *world) eventually(want []string) {
	w.t.Helper()
	w.waitFor(func() bool { return cmp.Equal(want, w.runsOf(w.bot, nil)) })
}

func TestButtons(t *testing.T) {
	w := newWorld(t)
	status := "in_progress"
	o := github.CreateCheckRunOptions{
		Name: "promobot", HeadSHA: w.head, Status: &status,
		Actions: []*github.CheckRunAction{{Label: "Retry", Description: "Try again", Identifier: "retry"}},
	}
	run, _, err := w.bot.Checks.CreateCheckRun(t.Context(), "acme", "shop", o)
	w.must(err)
	if err := w.ClickAction("acme/shop", run.GetID(), "retry", "mona"); err == nil || !strings.Contains(err.Error(), "no buttons") {
		t.Errorf("a button of a run in progress was pressed: %v", err)
	}
	_, _, err = w.bot.Checks.UpdateCheckRun(t.Context(), "acme", "shop", run.GetID(), github.UpdateCheckRunOptions{Name: "promobot", Conclusion: new("failure")})
	w.must(err)
	if err := w.ClickAction("acme/shop", run.GetID(), "retry", "rita"); err == nil {
		t.Error("a reader pressed a button")
	}
	w.drained()
	w.must(w.ClickAction("acme/shop", run.GetID(), "retry", "mona"))
	w.must(w.ClickRerun("acme/shop", run.GetID(), "mona"))
	got := w.drained()
	if diff := cmp.Diff([]string{"check_run requested_action", "check_run rerequested"}, names(got)); diff != "" {
		t.Fatalf("webhooks (-want +got):\n%s", diff)
	}
	action, _ := got[0].body["requested_action"].(map[string]any)
	sender, _ := got[0].body["sender"].(map[string]any)
	if action["identifier"] != "retry" || sender["login"] != "mona" {
		t.Errorf("action %v by %v, want retry by mona", action["identifier"], sender["login"])
	}
}
