package github_test

// Versions and checks against the simulator.

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/reconcile"
)

// create makes a private repository with one commit, and returns that.
func (w *world) create(owner, name string) string {
	w.t.Helper()
	w.must(w.CreateRepository(w.t.Context(), owner, name, githubsim.RepoOptions{Private: true}))
	text := "1\n"
	id, err := w.Commit(w.t.Context(), owner+"/"+name, "olga", "main", "Begin", map[string]*string{"a.txt": &text})
	w.must(err)
	return id
}

// release publishes a release of the owner's app, with its tag.
func (w *world) release(owner string, r gh.RepositoryRelease) {
	w.t.Helper()
	_, _, err := w.olga.Repositories.CreateRelease(w.t.Context(), owner, "app", &r)
	w.must(err)
}

func TestVersionsAcrossRepositories(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	tip := w.create("acme", "app")
	w.release("acme", gh.RepositoryRelease{TagName: new("v1.9.0"), TargetCommitish: &tip})
	w.release("acme", gh.RepositoryRelease{TagName: new("v1.10.0-rc.1"), Prerelease: new(true)})
	w.release("acme", gh.RepositoryRelease{TagName: new("v1.10.0"), Draft: new(true)})
	w.forget()

	releases := config.VersionSource{Kind: config.Release, Repository: "acme/app", Pattern: "v*", Prefix: "v"}
	got, err := w.repo.Versions(ctx, releases)
	w.must(err)
	want := []promotion.Version{
		{Name: "1.10.0-rc.1", Prerelease: true, Time: w.clock.Now(), URL: w.URL + "/acme/app/releases/tag/v1.10.0-rc.1"},
		{Name: "1.9.0", Target: tip, Time: w.clock.Now(), URL: w.URL + "/acme/app/releases/tag/v1.9.0"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("releases (-want +got):\n%s", diff)
	}
	tags := config.VersionSource{Kind: config.Tag, Repository: "acme/app", Pattern: "v*", Prefix: "v"}
	got, err = w.repo.Versions(ctx, tags)
	w.must(err)
	want = []promotion.Version{{Name: "1.10.0-rc.1", Target: tip}, {Name: "1.9.0", Target: tip}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}

	w.forget()
	for range 2 {
		for _, src := range []config.VersionSource{releases, tags} {
			if _, err := w.repo.Versions(ctx, src); err != nil {
				t.Fatal(err)
			}
		}
	}
	if j := w.journal(); len(j) != 4 || j.NotModified() != 4 {
		t.Errorf("a quiet source costs more than 304s:\n%s", j)
	}
}

// Who cannot be read is told how it can be mended, and is read once it is.
func TestSourceIsInstalled(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(w.CreateOrganization("beta", []string{"olga"}, nil))
	w.create("beta", "app")
	w.release("beta", gh.RepositoryRelease{TagName: new("v1")})
	src := config.VersionSource{Kind: config.Release, Repository: "beta/app"}
	_, err := w.repo.Versions(ctx, src)
	if kind(err) != "refused" || !strings.Contains(err.Error(), w.URL+"/apps/promobot/installations/new") {
		t.Errorf("not installed: %v", err)
	}
	_, err = w.Install(w.bot.ID, "beta", "app")
	w.must(err)
	w.clock.advance(time.Minute)
	if got, err := w.repo.Versions(ctx, src); err != nil || len(got) != 1 {
		t.Errorf("installed: %+v, %v", got, err)
	}
	w.must(w.DeleteRepository("beta/app"))
	for range 2 {
		if _, err := w.repo.Versions(ctx, src); kind(err) != "refused" || !strings.Contains(err.Error(), "deleted") {
			t.Errorf("deleted: %v", err)
		}
	}
}

func TestChecksOfACommit(t *testing.T) {
	w := newWorldOf(t, map[string]string{"statuses": "read"})
	ctx := t.Context()
	_, head := w.open("promobot/shop/qa/1")
	for _, state := range []string{"pending", "failure"} {
		_, _, err := w.olga.Repositories.CreateStatus(ctx, "acme", "shop", head, &gh.RepoStatus{State: &state, Context: new("ci"), Description: new("2 of 9")})
		w.must(err)
	}
	_, err := w.repo.WriteCheckRun(ctx, reconcile.CheckRun{Commit: head, Status: "completed", Conclusion: "neutral", Title: "waits", Summary: "s"})
	w.must(err)
	got, err := w.repo.Checks(ctx, head)
	w.must(err)
	want := []promotion.CheckResult{
		{Name: "ci", Status: "completed", Conclusion: "failure", Summary: "2 of 9", Time: w.clock.Now(), Commit: head},
		{Name: "promobot", App: w.bot.ID, ByApp: true, Status: "completed", Conclusion: "neutral", Summary: "waits", Time: w.clock.Now(), Commit: head, Slug: "promobot", Text: "s"},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(promotion.CheckResult{}, "URL")); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
	w.forget()
	_, err = w.repo.Checks(ctx, head)
	w.must(err)
	if j := w.journal(); len(j) != 2 || j.NotModified() != 2 {
		t.Errorf("a second look cost more than 304s:\n%s", j)
	}
	if _, err := w.repo.Checks(ctx, strings.Repeat("1", 40)); kind(err) != "not found" {
		t.Errorf("of no commit: %v", err)
	}
	if _, err := newWorld(t).repo.Checks(ctx, head); kind(err) != "refused" {
		t.Errorf("where statuses are not granted: %v", err)
	}
}
