package githubsim_test

// Versions from elsewhere: releases, tags and dispatches, also of repositories
// where the App is not installed.

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

func TestSourcesHaveTheirEvents(t *testing.T) {
	w := newWorld(t)
	w.drained()
	var draft int64
	for _, tc := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"a release", func() error {
			_, err := w.Release("acme/shop", "mona", githubsim.ReleaseOptions{Tag: "v1.0.0", Name: "One", Body: "First"})
			return err
		}, []string{"create", "push", "release created", "release published", "release released"}},
		{"a pre-release", func() error {
			_, err := w.Release("acme/shop", "mona", githubsim.ReleaseOptions{Tag: "v1.1.0-rc.1", Prerelease: true, Target: "main"})
			return err
		}, []string{"create", "push", "release created", "release published", "release prereleased"}},
		{"a draft", func() (err error) {
			draft, err = w.Release("acme/shop", "mona", githubsim.ReleaseOptions{Tag: "v1.1.0", Draft: true})
			return err
		}, []string{"release created"}},
		{"published", func() error { return w.PublishRelease("acme/shop", "mona", draft) }, []string{"create", "push", "release published", "release released"}},
		{"deleted", func() error { return w.DeleteRelease("acme/shop", "mona", draft) }, []string{"release deleted"}},
		{"a tag", func() error { return w.Tag("acme/shop", "mona", "v2.0.0", w.head) }, []string{"create", "push"}},
		{"a dispatch", func() error {
			return w.Dispatch("acme/shop", "mona", "built", map[string]any{"image": map[string]any{"tag": "2"}})
		}, []string{"repository_dispatch built"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.must(tc.do())
			list := w.drained()
			if diff := cmp.Diff(tc.want, names(list)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if tc.name == "a dispatch" {
				payload := only(t, list, "repository_dispatch")["client_payload"]
				if diff := cmp.Diff(map[string]any{"image": map[string]any{"tag": "2"}}, payload); diff != "" {
					t.Errorf("client_payload (-want +got):\n%s", diff)
				}
			}
		})
	}
	refs, _, err := w.bot.Git.ListMatchingRefs(t.Context(), "acme", "shop", &github.ReferenceListOptions{Ref: "tags/v1"})
	w.must(err)
	var got []string
	for _, r := range refs {
		got = append(got, r.GetRef())
	}
	if diff := cmp.Diff([]string{"refs/tags/v1.0.0", "refs/tags/v1.1.0", "refs/tags/v1.1.0-rc.1"}, got); diff != "" {
		t.Errorf("tags that begin with v1 (-want +got):\n%s", diff)
	}
	if err := w.Dispatch("acme/shop", "mona", "", nil); err == nil {
		t.Error("a dispatch without a type is sent")
	}
}

func TestSourcesOfOtherRepositories(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(w.CreateUser("umbrella"))
	source, _ := bareRepository(t, map[string]string{"app": "1\n"})
	for name, private := range map[string]bool{"hidden": true, "open": false} {
		w.must(w.CreateRepository(ctx, "umbrella", name, githubsim.RepoOptions{From: source, Private: private}))
	}
	w.must(w.CreateRepository(ctx, "acme", "app", githubsim.RepoOptions{From: source, Private: true}))
	for _, repo := range []string{"umbrella/hidden", "umbrella/open", "acme/app"} {
		_, err := w.Release(repo, "umbrella", githubsim.ReleaseOptions{Tag: "v1"})
		w.must(err)
	}
	app := w.AppClient(w.app)
	for _, tc := range []struct {
		owner, repo             string
		installation, read, tag int
	}{
		{"acme", "app", 200, 200, 200},
		{"umbrella", "open", 404, 200, 200}, // what is public needs no installation
		{"umbrella", "hidden", 404, 404, 404},
		{"umbrella", "none", 404, 404, 404},
	} {
		t.Run(tc.owner+"/"+tc.repo, func(t *testing.T) {
			_, installation, _ := app.Apps.FindRepositoryInstallation(ctx, tc.owner, tc.repo)
			_, read, _ := w.bot.Repositories.GetReleaseByTag(ctx, tc.owner, tc.repo, "v1")
			_, tag, _ := w.bot.Git.GetRef(ctx, tc.owner, tc.repo, "tags/v1")
			got := []int{statusOf(installation), statusOf(read), statusOf(tag)}
			if diff := cmp.Diff([]int{tc.installation, tc.read, tc.tag}, got); diff != "" {
				t.Errorf("installation, release, tag (-want +got):\n%s", diff)
			}
		})
	}
}
