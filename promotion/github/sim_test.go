package github_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/reconcile"
)

// One promotion from its pull request to its landing, with the requests that
// it costs, and a second pass that costs only 304s.
func TestOnePromotion(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	const branch = "promobot/shop/qa/2-abc"
	head := w.commit(branch, "version: 2\n")
	w.forget()

	repository, err := w.repo.Repository(ctx)
	w.must(err)
	want := promotion.Repository{ID: w.id, Owner: "acme", Name: "shop", URL: w.URL + "/acme/shop", DefaultBranch: "main", Merge: true, Squash: true, Rebase: true}
	if diff := cmp.Diff(want, repository); diff != "" {
		t.Errorf("repository (-want +got):\n%s", diff)
	}
	none, err := w.repo.OpenPullRequests(ctx)
	w.must(err)
	if len(none) != 0 {
		t.Errorf("open already: %+v", none)
	}
	opened, err := w.repo.CreatePullRequest(ctx, reconcile.NewPullRequest{Branch: branch, Base: "main", Title: "qa: 1 → 2", Body: "why\n\nPromotion-Id: abc\n"})
	w.must(err)
	list, err := w.repo.OpenPullRequests(ctx)
	w.must(err)
	wantPull := promotion.PullRequest{
		Number: opened.Number, URL: fmt.Sprintf("%s/acme/shop/pull/%d", w.URL, opened.Number), Title: "qa: 1 → 2",
		Body: "why\n\nPromotion-Id: abc\n", Open: true, Branch: branch, Head: head, Base: "main", Author: "promobot[bot]", ByApp: true,
	}
	if wantPull.NodeID = opened.NodeID; opened.NodeID == "" {
		t.Error("the opened pull request has no node id")
	}
	if diff := cmp.Diff([]promotion.PullRequest{wantPull}, list); diff != "" {
		t.Errorf("open pull requests (-want +got):\n%s", diff)
	}
	check := reconcile.CheckRun{
		Name: "promobot", Commit: head, Status: "completed", Conclusion: "neutral", ExternalID: "h1",
		Title: "waits", Summary: "Nothing to do for you.", Text: "| a | b |",
	}
	check.ID, err = w.repo.WriteCheckRun(ctx, check)
	w.must(err)
	runs, err := w.repo.CheckRuns(ctx, head)
	w.must(err)
	if diff := cmp.Diff([]reconcile.CheckRun{check}, runs); diff != "" {
		t.Errorf("check runs (-want +got):\n%s", diff)
	}
	check.Conclusion, check.ExternalID, check.Title = "success", "h2", "merged"
	if id, err := w.repo.WriteCheckRun(ctx, check); err != nil || id != check.ID {
		t.Errorf("updated check run %d, %v; want %d", id, err, check.ID)
	}
	w.must(w.repo.EditPullRequest(ctx, opened.Number, "qa: 1 → 2 now", "because\n"))
	w.must(w.repo.MergePullRequest(ctx, reconcile.MergeRequest{Number: opened.Number, Head: head, Method: "squash", Title: "qa: 1 → 2", Message: "Promotion-Id: abc"}))
	merged, err := w.repo.PullRequest(ctx, opened.Number)
	w.must(err)
	main, _, err := w.olga.Git.GetRef(ctx, "acme", "shop", "heads/main")
	w.must(err)
	wantPull.Title, wantPull.Body = "qa: 1 → 2 now", "because\n"
	wantPull.Open, wantPull.Merged, wantPull.MergedBy, wantPull.MergeCommit = false, true, "promobot[bot]", main.GetObject().GetSHA()
	wantPull.MergedAt, wantPull.ClosedAt, wantPull.Commits = w.clock.Now(), w.clock.Now(), 1
	if diff := cmp.Diff(wantPull, merged, cmpopts.IgnoreFields(promotion.PullRequest{}, "Mergeable")); diff != "" {
		t.Errorf("merged pull request (-want +got):\n%s", diff)
	}
	const pulls, checks = "/repos/{owner}/{repo}/pulls", "/repos/{owner}/{repo}/check-runs"
	wantAsked := []string{
		"POST /app/installations/{installation_id}/access_tokens 201",
		"GET /repos/{owner}/{repo} 200",
		"GET /app 200",
		"GET " + pulls + " 200",
		"POST " + pulls + " 201",
		"GET " + pulls + " 200",
		"POST " + checks + " 201",
		"GET /repos/{owner}/{repo}/commits/{ref}/check-runs 200",
		"PATCH " + checks + "/{check_run_id} 200",
		"PATCH " + pulls + "/{pull_number} 200",
		"PUT " + pulls + "/{pull_number}/merge 200",
		"GET " + pulls + "/{pull_number} 200",
	}
	if diff := cmp.Diff(wantAsked, w.asked()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}

	quiet := func() {
		t.Helper()
		for _, read := range []func() error{
			func() error { _, err := w.repo.Repository(ctx); return err },
			func() error { _, err := w.repo.OpenPullRequests(ctx); return err },
			func() error { _, err := w.repo.PullRequestsForHead(ctx, branch); return err },
			func() error { _, err := w.repo.PullRequest(ctx, opened.Number); return err },
			func() error { _, err := w.repo.ChangedFiles(ctx, opened.Number); return err },
			func() error { _, err := w.repo.CheckRuns(ctx, head); return err },
			func() error { _, err := w.repo.File(ctx, head, "envs/qa.yml"); return err },
		} {
			w.must(read())
		}
	}
	quiet()
	w.forget()
	quiet()
	if j := w.journal(); j.NotModified() != len(j) {
		t.Errorf("a second look cost more than 304s:\n%s", j)
	}
	w.clock.advance(time.Hour)
	w.forget()
	quiet()
	if j := w.journal(); w.tokens() != 1 || j.NotModified() != 0 {
		t.Errorf("with the next hour's token everything is cold, once:\n%s", j)
	}
}

func TestRefusalsOfGitHub(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	number, head := w.open("promobot/shop/qa/1")
	merge := func(number int, head string) error {
		return w.repo.MergePullRequest(ctx, reconcile.MergeRequest{Number: number, Head: head, Method: "merge", Title: "t", Message: "m"})
	}
	create := func(branch, base, body string) error {
		_, err := w.repo.CreatePullRequest(ctx, reconcile.NewPullRequest{Branch: branch, Base: base, Title: "t", Body: body})
		return err
	}
	_, err := w.Commit(ctx, shop, "olga", "same", "Nothing", map[string]*string{})
	w.must(err)
	tests := []struct {
		name, want string
		do         func() error
	}{
		{"already open", "conflict", func() error { return create("promobot/shop/qa/1", "main", "") }},
		{"no such branch", "conflict", func() error { return create("promobot/shop/qa/none", "main", "") }},
		{"no such base", "refused", func() error { return create("same", "none", "") }},
		{"body too long", "refused", func() error { return create("same", "main", strings.Repeat("x", 65537)) }},
		{"head moved", "conflict", func() error { return merge(number, strings.Repeat("1", 40)) }},
		{"base moved", "conflict", func() error {
			w.must(w.ForceBaseModified(shop, 1))
			return merge(number, head)
		}},
		{"no such pull request", "not found", func() error { _, err := w.repo.PullRequest(ctx, 999); return err }},
		{"no such file", "not found", func() error { _, err := w.repo.File(ctx, head, "envs/none.yml"); return err }},
		{"a folder", "refused", func() error { _, err := w.repo.File(ctx, head, "envs"); return err }},
		{"no such commit", "not found", func() error { _, err := w.repo.CheckRuns(ctx, strings.Repeat("1", 40)); return err }},
		{"conflicting merge, not worked out yet", "wait", func() error {
			w.commit("main", "version: other\n")
			return merge(number, head)
		}},
		{"conflicting merge", "conflict", func() error { return merge(number, head) }},
		{"merged already", "conflict", func() error {
			n, h := w.open("promobot/shop/qa/3")
			w.must(merge(n, h))
			return merge(n, h)
		}},
		{"archived", "refused", func() error {
			w.must(w.ArchiveRepository(shop))
			return w.repo.ClosePullRequest(ctx, number)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.do()
			if got := kind(err); got != tt.want {
				t.Errorf("the error is %q (%v), want %q", got, err, tt.want)
			}
		})
	}
	if r, err := w.repo.Repository(ctx); err != nil || !r.Archived {
		t.Errorf("%+v, %v; want that it is archived", r, err)
	}
}

func TestEveryOpenPullRequest(t *testing.T) {
	w := newWorld(t)
	var want []int
	for i := range 130 {
		number, _ := w.open(fmt.Sprintf("promobot/shop/qa/%d", i))
		want = append(want, number)
	}
	w.forget()
	list, err := w.repo.OpenPullRequests(t.Context())
	w.must(err)
	var got []int
	for _, p := range list {
		got = append(got, p.Number)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("open pull requests (-want +got):\n%s", diff)
	}
	if n := len(w.journal()); n != 2 {
		t.Errorf("%d requests for 130 pull requests, want 2", n)
	}
	w.forget()
	_, err = w.repo.OpenPullRequests(t.Context())
	w.must(err)
	if n := w.journal().NotModified(); n != 2 {
		t.Errorf("%d of 2 pages were unchanged", n)
	}
}

func TestPullRequestsOfABranchInAnyState(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	const branch = "promobot/shop/qa/1"
	number, _ := w.open(branch)
	w.open("promobot/shop/qa/2")
	w.must(w.repo.ClosePullRequest(ctx, number))
	again, err := w.repo.CreatePullRequest(ctx, reconcile.NewPullRequest{Branch: branch, Base: "main", Title: "t", Body: "b"})
	w.must(err)
	w.commit("of-olga", "version: 9\n")
	_, _, err = w.olga.PullRequests.Create(ctx, "acme", "shop", &gh.NewPullRequest{Title: new("t"), Head: new("of-olga"), Base: new("main")})
	w.must(err)
	for of, want := range map[string][]string{
		branch: {fmt.Sprint(number, " false"), fmt.Sprint(again.Number, " true")}, "of-olga": nil, "promobot/shop/qa/none": nil,
	} {
		list, err := w.repo.PullRequestsForHead(ctx, of)
		w.must(err)
		var got []string
		for _, p := range list {
			got = append(got, fmt.Sprint(p.Number, " ", p.Open))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pull requests of %s (-want +got):\n%s", of, diff)
		}
	}
}

func TestWhoClosedAndHowItWasMerged(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	vetoed, _ := w.open("promobot/shop/qa/1")
	_, _, err := w.olga.PullRequests.Edit(ctx, "acme", "shop", vetoed, &gh.PullRequest{State: new("closed")})
	w.must(err)
	ours, _ := w.open("promobot/shop/qa/2")
	w.must(w.repo.ClosePullRequest(ctx, ours))
	w.must(w.repo.ClosePullRequest(ctx, ours)) // closing a closed one changes nothing
	for number, want := range map[int]string{vetoed: "olga", ours: "promobot[bot]"} {
		p, err := w.repo.PullRequest(ctx, number)
		if err != nil || p.ClosedBy != want || p.Merged || p.MergeCommit != "" {
			t.Errorf("#%d: %+v, %v; want that %s closed it", number, p, err, want)
		}
	}

	w.commit("promobot/shop/qa/3", "version: 3\n")
	number, head := w.open("promobot/shop/qa/3") // two commits now
	p, err := w.repo.PullRequest(ctx, number)
	if err != nil || p.MergeCommit != "" || p.Messages != nil || p.Commits != 2 {
		t.Errorf("open: %+v, %v; want no merge commit and no messages", p, err)
	}
	w.must(w.repo.MergePullRequest(ctx, reconcile.MergeRequest{Number: number, Head: head, Method: "rebase"}))
	p, err = w.repo.PullRequest(ctx, number)
	w.must(err)
	want := []string{"Write version: 3\n", "Write version: 2 # promobot/shop/qa/3\n"}
	if diff := cmp.Diff(want, p.Messages, cmp.Transformer("trim", strings.TrimSpace)); diff != "" || p.MergeCommit == "" {
		t.Errorf("merge commit %q, messages (-want +got):\n%s", p.MergeCommit, diff)
	}
}

// The answer is lost, the effect is not: an error that promises nothing, and a
// second try that finds what the first one did.
func TestLostAnswers(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	lose := func(method, path string) {
		w.Inject(githubsim.Fault{Method: method, Path: path, Times: 1, Effect: githubsim.LostAnswer()})
	}
	const branch = "promobot/shop/qa/1"
	head := w.commit(branch, "version: 2\n")
	create := func() error {
		_, err := w.repo.CreatePullRequest(ctx, reconcile.NewPullRequest{Branch: branch, Base: "main", Title: "t", Body: "b"})
		return err
	}
	lose("POST", "/repos/*/*/pulls")
	if got := kind(create()); got != "no answer" {
		t.Errorf("creating: %s, want no answer", got)
	}
	if got := kind(create()); got != "conflict" {
		t.Errorf("creating again: %s, want conflict", got)
	}
	list, err := w.repo.PullRequestsForHead(ctx, branch)
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v; want the one that was created", list, err)
	}
	merge := func() error {
		return w.repo.MergePullRequest(ctx, reconcile.MergeRequest{Number: list[0].Number, Head: head, Method: "merge"})
	}
	lose("PUT", "/repos/*/*/pulls/*/merge")
	if got := kind(merge()); got != "no answer" {
		t.Errorf("merging: %s, want no answer", got)
	}
	if p, err := w.repo.PullRequest(ctx, list[0].Number); err != nil || !p.Merged {
		t.Errorf("%+v, %v; want that it is merged", p, err)
	}
	for name, effect := range map[string]githubsim.Effect{
		"502": githubsim.BadGateway(), "502 after the effect": githubsim.BadGatewayAfter(), "dropped": githubsim.Dropped(),
	} {
		w.Inject(githubsim.Fault{Path: "/repos/*/*/pulls", Effect: effect}) // each time: net/http repeats reads that broke off
		if _, err := w.repo.OpenPullRequests(ctx); kind(err) != "no answer" {
			t.Errorf("%s: %v, want no answer", name, err)
		}
		w.ClearFaults()
	}
}

func TestLimitsOfGitHub(t *testing.T) {
	for name, effect := range map[string]githubsim.Effect{
		"primary": githubsim.PrimaryLimit(10 * time.Minute), "secondary, 403": githubsim.SecondaryLimit(403, 10*time.Minute),
		"secondary, 429": githubsim.SecondaryLimit(429, 10*time.Minute),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ctx := t.Context()
			w.Inject(githubsim.Fault{Path: "/repos/acme/shop/pulls", Times: 1, Effect: effect})
			var limited *promotion.LimitedError
			if _, err := w.repo.OpenPullRequests(ctx); !asLimited(err, &limited) {
				t.Fatalf("error %v, want a limit", err)
			}
			if got := limited.Until.Sub(w.clock.Now()).Round(time.Minute); got != 10*time.Minute {
				t.Errorf("limited for %s, want 10m", got)
			}
			w.clock.advance(limited.Until.Sub(w.clock.Now()))
			if _, err := w.repo.OpenPullRequests(ctx); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
	t.Run("used up", func(t *testing.T) {
		w := newWorld(t)
		w.LimitInstallation(w.inst, 3)
		var err error
		for i := 0; i < 5 && err == nil; i++ {
			_, err = w.repo.File(t.Context(), "main", fmt.Sprintf("none%d", i))
			if kind(err) == "not found" {
				err = nil
			}
		}
		if kind(err) != "limited" {
			t.Errorf("error %v, want a limit", err)
		}
	})
}
