package github_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion/reconcile"
)

func TestRenamedRepository(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	number, head := w.open("promobot/shop/qa/1")
	w.must(w.RenameRepository(shop, "store"))
	w.forget()

	// Everything goes on under the old name, writes too.
	w.must(w.repo.EditPullRequest(ctx, number, "new", "new"))
	if list, err := w.repo.PullRequestsForHead(ctx, "promobot/shop/qa/1"); err != nil || len(list) != 1 || list[0].Title != "new" {
		t.Errorf("%+v, %v", list, err)
	}
	if owner, name := w.repo.Address(); owner != "acme" || name != "store" {
		t.Errorf("the address is %s/%s, want acme/store", owner, name)
	}
	w.must(w.repo.MergePullRequest(ctx, reconcile.MergeRequest{Number: number, Head: head, Method: "merge"}))
}

func TestInstallations(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	want := []string{"acme/shop"}
	for i := range 105 {
		name := fmt.Sprintf("service-%03d", i)
		w.must(w.CreateRepository(ctx, "acme", name, githubsim.RepoOptions{}))
		want = append(want, "acme/"+name)
	}
	w.must(w.CreateUser("sam"))
	w.must(w.CreateRepository(ctx, "sam", "one", githubsim.RepoOptions{Private: true}))
	w.must(w.CreateRepository(ctx, "sam", "two", githubsim.RepoOptions{Private: true}))
	sams, err := w.Install(w.bot.ID, "sam", "two")
	w.must(err)
	w.must(w.CreateUser("sue"))
	sues, err := w.Install(w.bot.ID, "sue")
	w.must(err)
	w.must(w.Suspend(sues))
	w.restart()

	ids, err := w.app.Installations(ctx)
	w.must(err)
	if diff := cmp.Diff([]int64{w.inst, sams}, ids); diff != "" {
		t.Errorf("installations (-want +got):\n%s", diff)
	}
	for id, want := range map[int64][]string{w.inst: want, sams: {"sam/two"}} {
		list, err := w.app.Repositories(ctx, id)
		w.must(err)
		var got []string
		for _, r := range list {
			got = append(got, r.Owner+"/"+r.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("repositories of %d (-want +got):\n%s", id, diff)
		}
	}
	if _, err := w.app.Repositories(ctx, sues); kind(err) != "refused" {
		t.Errorf("a suspended installation: %v, want refused", err)
	}
	w.must(w.Unsuspend(sues))
	if ids, err := w.app.Installations(ctx); err != nil || !slices.Contains(ids, sues) {
		t.Errorf("after the suspension: %v, %v", ids, err)
	}
}

// A token that ends early, by suspension or by removal, is a refusal that says
// what to do, and never an absence.
func TestWhatIsTakenAway(t *testing.T) {
	tests := []struct {
		name string
		take func(*world) error
	}{
		{"suspended", func(w *world) error { return w.Suspend(w.inst) }},
		{"uninstalled", func(w *world) error { return w.Uninstall(w.inst) }},
		{"deleted", func(w *world) error { return w.DeleteRepository(shop) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			ctx := t.Context()
			_, head := w.open("promobot/shop/qa/1")
			w.must(tt.take(w))
			for what, read := range map[string]func() error{
				"file":          func() error { _, err := w.repo.File(ctx, head, "envs/qa.yml"); return err },
				"pull requests": func() error { _, err := w.repo.OpenPullRequests(ctx); return err },
				"repository":    func() error { _, err := w.repo.Repository(ctx); return err },
			} {
				if err := read(); kind(err) != "refused" {
					t.Errorf("%s: the error is %q (%v), want refused", what, kind(err), err)
				}
			}
		})
	}
}

func TestTokenReachesOneRepositoryOnly(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(w.CreateRepository(ctx, "acme", "secret", githubsim.RepoOptions{Private: true}))
	token, err := w.repo.Token(ctx)
	w.must(err)
	list, _, err := w.Client(token).Apps.ListRepos(ctx, nil)
	w.must(err)
	if len(list.Repositories) != 1 || list.Repositories[0].GetName() != "shop" {
		t.Errorf("the token reaches %d repositories", len(list.Repositories))
	}
	if _, resp, err := w.Client(token).Repositories.Get(ctx, "acme", "secret"); err == nil || resp.StatusCode != 404 {
		t.Errorf("another repository of the installation: %v, want 404", err)
	}
	// A token that GitHub has taken back is replaced; the call goes through.
	_, err = w.Client(token).Apps.RevokeInstallationToken(ctx)
	w.must(err)
	w.forget()
	if _, err := w.repo.OpenPullRequests(ctx); err != nil || w.tokens() != 1 {
		t.Errorf("with a revoked token: %v, %d new tokens", err, w.tokens())
	}
}

func TestMissingPermission(t *testing.T) {
	w := newWorld(t)
	less := maps.Clone(granted)
	delete(less, "checks")
	var err error
	w.bot, err = w.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "less", Permissions: less})
	w.must(err)
	w.inst, err = w.Install(w.bot.ID, "acme")
	w.must(err)
	w.restart()
	if _, err := w.repo.Repository(t.Context()); kind(err) != "refused" || !strings.Contains(err.Error(), "accept the App's permissions") {
		t.Errorf("error %v, want what an owner has to do", err)
	}
}

// Labels, assignees and reviewers come after the pull request, and when GitHub
// refuses them it stands all the same.
func TestDecoration(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(w.CreateUser("mona"))
	w.must(w.SetRole(shop, "mona", "write"))
	w.commit("promobot/shop/qa/1", "version: 2\n")
	w.commit("promobot/shop/qa/2", "version: 2\n")
	w.commit("promobot/shop/qa/3", "version: 2\n")
	open := func(n reconcile.NewPullRequest) *gh.PullRequest {
		t.Helper()
		n.Base, n.Title, n.Body = "main", "t", "b"
		p, err := w.repo.CreatePullRequest(ctx, n)
		w.must(err)
		return w.pull(p.Number)
	}
	p := open(reconcile.NewPullRequest{Branch: "promobot/shop/qa/1", Labels: []string{"promotion", "qa"}, Assignees: []string{"olga"}})
	var labels []string
	for _, l := range p.Labels {
		labels = append(labels, l.GetName())
	}
	slices.Sort(labels)
	if diff := cmp.Diff([][]string{{"promotion", "qa"}, {"olga"}}, [][]string{labels, names(p.Assignees)}); diff != "" {
		t.Errorf("labels, assignees (-want +got):\n%s", diff)
	}
	p = open(reconcile.NewPullRequest{Branch: "promobot/shop/qa/2", Reviewers: []string{"mona"}})
	if diff := cmp.Diff([]string{"mona"}, names(p.RequestedReviewers)); diff != "" {
		t.Errorf("reviewers (-want +got):\n%s", diff)
	}
	p = open(reconcile.NewPullRequest{Branch: "promobot/shop/qa/3", Reviewers: []string{"nobody-here", "acme/no-team"}})
	if p.GetState() != "open" || len(p.RequestedReviewers) != 0 {
		t.Errorf("with reviewers that GitHub refuses: %+v", p)
	}
}

func TestLongCheckRunIsAccepted(t *testing.T) {
	w := newWorld(t)
	head := w.commit("main", "version: 3\n")
	c := reconcile.CheckRun{Commit: head, Status: "completed", Conclusion: "failure", Title: "t", Summary: strings.Repeat("é\n", 70000), Text: strings.Repeat("x", 70000)}
	for i := range 60 {
		c.Annotations = append(c.Annotations, reconcile.Annotation{Path: "envs/qa.yml", Line: i + 1, Message: "m", Title: "t"})
	}
	id, err := w.repo.WriteCheckRun(t.Context(), c)
	w.must(err)
	run, _, err := w.olga.Checks.GetCheckRun(t.Context(), "acme", "shop", id)
	if err != nil || run.GetOutput().GetAnnotationsCount() != 60 || run.GetConclusion() != "failure" {
		t.Errorf("%+v, %v; want a failure with 60 annotations", run, err)
	}
}

func TestOrganizationsFile(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if _, _, err := w.repo.FallbackFile(ctx); kind(err) != "not found" {
		t.Errorf("without a repository .github: %v, want not found", err)
	}
	w.must(w.CreateRepository(ctx, "acme", ".github", githubsim.RepoOptions{Private: true}))
	text := "version: 1\n"
	_, err := w.Commit(ctx, "acme/.github", "olga", "main", "Add it", map[string]*string{"promobot.yml": &text})
	w.must(err)
	w.clock.advance(10 * time.Minute)
	got, source, err := w.repo.FallbackFile(ctx)
	if err != nil || string(got) != text || source != "acme/.github@main:promobot.yml" {
		t.Errorf("%q from %q, %v", got, source, err)
	}
}

func TestReady(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for range 5 {
		w.must(w.app.Ready(ctx))
	}
	if login, err := w.app.Login(ctx); err != nil || login != w.bot.BotLogin() {
		t.Errorf("login %q, %v", login, err)
	}
	if n := len(w.journal()); n != 1 {
		t.Errorf("%d requests, want 1 within half a minute", n)
	}
	w.clock.advance(time.Minute)
	w.Inject(githubsim.Fault{Path: "/app", Effect: githubsim.BadGateway()})
	if err := w.app.Ready(ctx); kind(err) != "no answer" {
		t.Errorf("with GitHub down: %v", err)
	}
	if _, err := w.app.Login(ctx); err != nil {
		t.Errorf("the login is still known: %v", err)
	}
}
