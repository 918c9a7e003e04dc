package githubsim_test

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

func TestFaults(t *testing.T) {
	tests := []struct {
		name   string
		effect githubsim.Effect
		status int  // that the client sees; 0: the connection broke
		done   bool // whether the check run exists afterwards
		is     func(error) bool
	}{
		{name: "latency", effect: githubsim.Latency(time.Millisecond), status: 201, done: true},
		{name: "dropped", effect: githubsim.Dropped()},
		{name: "answer lost", effect: githubsim.LostAnswer(), done: true},
		{name: "failed", effect: githubsim.Failed(500), status: 500},
		{name: "bad gateway", effect: githubsim.BadGateway(), status: 502},
		{name: "bad gateway after the effect", effect: githubsim.BadGatewayAfter(), status: 502, done: true},
		{name: "primary limit", effect: githubsim.PrimaryLimit(time.Hour), status: 403, is: func(err error) bool {
			var limit *github.RateLimitError
			return errors.As(err, &limit)
		}},
		{name: "secondary limit", effect: githubsim.SecondaryLimit(403, time.Minute), status: 403, is: func(err error) bool {
			var limit *github.AbuseRateLimitError
			return errors.As(err, &limit) && limit.GetRetryAfter() == time.Minute
		}},
		{name: "secondary limit as 429", effect: githubsim.SecondaryLimit(429, time.Minute), status: 429},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.runsOf(w.bot, nil) // so that there is a token
			w.ResetJournal()
			remove := w.Inject(githubsim.Fault{Method: "POST", Path: "/repos/*/*/check-runs", Effect: tt.effect})
			_, resp, err := w.bot.Checks.CreateCheckRun(t.Context(), "acme", "shop", github.CreateCheckRunOptions{Name: "n", HeadSHA: w.head})
			if statusOf(resp) != tt.status || (err == nil) != (tt.status == 201) {
				t.Errorf("answer %d %v, want %d", statusOf(resp), err, tt.status)
			}
			if tt.is != nil && !tt.is(err) {
				t.Errorf("error %#v is of the wrong kind", err)
			}
			remove()
			w.bot = w.InstallationClient(w.app, w.inst) // go-github remembers limits
			if done := len(w.runsOf(w.bot, nil)) == 1; done != tt.done {
				t.Errorf("done: %v, want %v", done, tt.done)
			}
			hit := w.Journal()[0]
			if hit.Fault == "" || hit.Status != tt.status {
				t.Errorf("journal %+v, want the fault and status %d", hit, tt.status)
			}
		})
	}
}

func TestFaultsHitWhatTheyShould(t *testing.T) {
	ask := func(w *world) []int {
		var got []int
		for range 4 {
			_, resp, _ := w.bot.Checks.ListCheckRunsForRef(t.Context(), "acme", "shop", "main", nil)
			got = append(got, statusOf(resp))
		}
		return got
	}
	fine := []int{200, 200, 200, 200}
	tests := []struct {
		name  string
		fault githubsim.Fault
		want  []int
	}{
		{name: "the second", fault: githubsim.Fault{Occurrences: []int{2}}, want: []int{200, 502, 200, 200}},
		{name: "twice", fault: githubsim.Fault{Times: 2}, want: []int{502, 502, 200, 200}},
		{name: "another method", fault: githubsim.Fault{Method: "POST"}, want: fine},
		{name: "another path", fault: githubsim.Fault{Path: "/repos/*/*/pulls/**"}, want: fine},
		{name: "path over segments", fault: githubsim.Fault{Path: "/repos/acme/**/check-runs", Times: 1}, want: []int{502, 200, 200, 200}},
		{name: "someone else's", fault: githubsim.Fault{By: "mona"}, want: fine},
		{name: "ours", fault: githubsim.Fault{By: "promobot[bot]"}, want: []int{502, 502, 502, 502}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.runsOf(w.bot, nil)
			tt.fault.Effect = githubsim.BadGateway()
			w.Inject(tt.fault)
			if diff := cmp.Diff(tt.want, ask(w)); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
			w.ClearFaults()
			if diff := cmp.Diff(fine, ask(w)); diff != "" {
				t.Errorf("statuses without faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChanceRepeatsWithItsSeed(t *testing.T) {
	run := func(seed int64) []int {
		w := newWorldWith(t, githubsim.Options{Seed: seed})
		w.runsOf(w.bot, nil)
		w.Inject(githubsim.Fault{Chance: 0.5, Effect: githubsim.BadGateway()})
		var got []int
		for range 24 {
			_, resp, _ := w.bot.Checks.ListCheckRunsForRef(t.Context(), "acme", "shop", "main", nil)
			got = append(got, statusOf(resp))
		}
		return got
	}
	first := run(1)
	if diff := cmp.Diff(first, run(1)); diff != "" {
		t.Errorf("the same seed (-first +second):\n%s", diff)
	}
	if cmp.Equal(first, run(2)) {
		t.Error("another seed gives the same faults")
	}
	count := 0
	for _, status := range first {
		if status == 502 {
			count++
		}
	}
	if count == 0 || count == len(first) {
		t.Errorf("%d of %d requests hit, want some", count, len(first))
	}
}

func TestFaultOfAPush(t *testing.T) {
	w := newWorld(t)
	token, err := w.UserToken("mona")
	w.must(err)
	dir := t.TempDir()
	git := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	remote := strings.Replace(w.URL, "http://", "http://mona:"+token+"@", 1) + "/acme/shop.git"
	if out, err := git("clone", "-q", remote, "."); err != nil {
		t.Fatalf("clone: %v\n%s", err, out)
	}
	w.ResetJournal()
	w.Inject(githubsim.Fault{Path: "/acme/shop.git/git-receive-pack", Times: 1, Effect: githubsim.LostAnswer()})
	if out, err := git("push", "-q", "origin", "HEAD:refs/heads/new"); err == nil {
		t.Fatalf("the push saw its answer:\n%s", out)
	}
	out, err := git("ls-remote", "origin", "refs/heads/new")
	if err != nil || !strings.HasPrefix(out, w.head) {
		t.Errorf("after the lost answer the branch is %q, %v; want it at %s", out, err, w.head)
	}
	if pushes := w.Journal().Count(githubsim.GitPush); pushes == 0 {
		t.Errorf("no push in the journal:\n%s", w.Journal())
	}
}

func TestJournal(t *testing.T) {
	w := newWorld(t)
	w.check("promobot", "queued", "")
	w.runsOf(w.bot, nil)
	w.runsOf(w.UserClient("mona"), nil)
	_, _, _ = w.Client("").Repositories.Get(t.Context(), "acme", "shop")
	want := `api-write: 1
  POST /repos/{owner}/{repo}/check-runs: 1
api-read: 3
  GET /repos/{owner}/{repo}: 1
  GET /repos/{owner}/{repo}/commits/{ref}/check-runs: 2
api-token: 1
  POST /app/installations/{installation_id}/access_tokens: 1
`
	j := w.Journal()
	if diff := cmp.Diff(want, j.String()); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
	var callers []githubsim.CallerKind
	for _, r := range j {
		callers = append(callers, r.Caller)
	}
	if diff := cmp.Diff([]githubsim.CallerKind{
		githubsim.CallerApp, githubsim.CallerInstallation, githubsim.CallerInstallation, githubsim.CallerUser, githubsim.CallerNobody,
	}, callers); diff != "" {
		t.Errorf("callers (-want +got):\n%s", diff)
	}
	if got := len(j.By("mona")); got != 1 {
		t.Errorf("%d requests by mona, want 1", got)
	}
	w.ResetJournal()
	if got := w.Journal(); len(got) != 0 {
		t.Errorf("after a reset: %v", got)
	}
}

func TestJournalCountsNotModified(t *testing.T) {
	w := newWorld(t)
	token, err := w.UserToken("mona")
	w.must(err)
	etag := ""
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+"/api/v3/repos/acme/shop/labels", nil)
		w.must(err)
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("If-None-Match", etag)
		resp, err := http.DefaultClient.Do(req)
		w.must(err)
		etag = resp.Header.Get("ETag")
		w.must(resp.Body.Close())
	}
	want := `api-read: 1 + 1 not modified
  GET /repos/{owner}/{repo}/labels: 1 + 1 not modified
`
	if diff := cmp.Diff(want, w.Journal().String()); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
	if got := w.Journal().NotModified(); got != 1 {
		t.Errorf("%d not modified, want 1", got)
	}
}

func TestRequestHooks(t *testing.T) {
	w := newWorld(t)
	w.runsOf(w.bot, nil)
	w.drained()
	var before, after []string
	removeBefore := w.OnRequest(func(r *http.Request) { before = append(before, r.Method); after = append(after, "") })
	removeAfter := w.OnEffect(func(r *http.Request) {
		// The App is told in the same breath: the webhook proves the effect.
		w.waitFor(func() bool { return w.box.count() == 1 })
		after[len(after)-1] = r.Method
	})
	w.check("promobot", "queued", "")
	removeBefore()
	removeAfter()
	w.runsOf(w.bot, nil)
	if diff := cmp.Diff([]string{"POST"}, before); diff != "" {
		t.Errorf("requests seen (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"POST"}, after); diff != "" {
		t.Errorf("effects seen (-want +got):\n%s", diff)
	}
}
