package main

// Bad input: pipeline files that are none, repositories that cannot be worked
// in, names that would be dangerous elsewhere. Nothing is half-done, and it is
// said where its author sees it.

import (
	"strings"
	"testing"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

func TestBadPipelineFiles(t *testing.T) {
	cases := map[string]struct {
		files map[string]string
		title string // of the check run on the tip; "" for none
		says  string
	}{
		"none":        {map[string]string{"README.md": "x\n"}, "", ""},
		"empty":       {map[string]string{config.Path: ""}, "pipeline file", "empty"},
		"not YAML":    {map[string]string{config.Path: "version: [\n"}, "pipeline file", config.Path},
		"unknown key": {map[string]string{config.Path: "version: 1\nenvironmets: {}\n"}, "pipeline file", "did you mean environments?"},
		"a folder":    {map[string]string{config.Path + "/more.yml": "x: 1\n"}, "pipeline file", "not a regular file"},
		"a bomb": {
			map[string]string{config.Path: "version: 1\na: &a [x, x, x, x, x, x, x, x, x]\n" + bomb("a", "b") + bomb("b", "c") + bomb("c", "d") + bomb("d", "e") + bomb("e", "f") + bomb("f", "g")},
			"pipeline file", config.Path,
		},
		"huge": {map[string]string{config.Path: "version: 1\n" + strings.Repeat("# more and more\n", 350_000)}, "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sceneOptions{files: c.files})
			look, once := s.byHand()
			if name == "huge" {
				if err := once(); err == nil && s.check(s.refs()["refs/heads/main"]).Conclusion != "failure" {
					t.Error("five megabytes of pipeline file are neither an error nor a failed check")
				}
			} else {
				look()
				shown := s.check(s.refs()["refs/heads/main"])
				text := shown.Title + "\n" + shown.Summary + "\n" + shown.Text
				switch {
				case c.title == "" && shown.ID != 0:
					t.Errorf("a check run nobody needs: %s", text)
				case c.title != "" && (shown.Conclusion != "failure" || shown.Annotations == 0 || !strings.Contains(text, c.says)):
					t.Errorf("got %q with %d annotations, want a failure that says %q:\n%s", shown.Conclusion, shown.Annotations, c.says, text)
				}
			}
			if len(s.ledgers()) > 0 || len(s.pulls()) > 0 {
				t.Errorf("something was begun: %s", s.describe())
			}
		})
	}
}

// bomb is one level of an alias bomb.
func bomb(of, name string) string {
	return name + ": &" + name + " [" + strings.TrimSuffix(strings.Repeat("*"+of+", ", 9), ", ") + "]\n"
}

func TestBadRepositories(t *testing.T) {
	files := func() map[string]string { return shopFiles(shopAuto, "dev", "prod") }
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, sceneOptions{})
		look, _ := s.byHand()
		look()
		if n := s.written().Count(githubsim.APIWrite); n > 0 {
			t.Errorf("%d writes in an empty repository", n)
		}
	})
	t.Run("archived", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, sceneOptions{files: files()})
		look, _ := s.byHand()
		look()
		s.push("dev", map[string]string{"envs/dev/values.yaml": shopValues("2.0.0")})
		if err := s.sim.ArchiveRepository(s.full()); err != nil {
			t.Fatal(err)
		}
		s.sim.ResetJournal()
		look()
		if j := s.written(); j.Count(githubsim.APIWrite) > 0 || len(s.pulls()) > 0 {
			t.Errorf("it writes into an archived repository:\n%s", j)
		}
	})
	t.Run("renamed", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, sceneOptions{files: files()})
		look, once := s.byHand()
		look()
		revision := s.push("dev", map[string]string{"envs/dev/values.yaml": shopValues("2.0.0")})
		if err := s.sim.RenameRepository(s.full(), "renamed"); err != nil {
			t.Fatal(err)
		}
		s.name = "renamed"
		// The first look may find git's address gone; the next knows the new one.
		if err := once(); err != nil {
			t.Logf("the first look: %v", err)
		}
		look()
		if !s.landed(revision, "shop/prod") {
			t.Errorf("after the rename: %s", s.describe())
		}
	})
	t.Run("deleted", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, sceneOptions{files: files()})
		look, once := s.byHand()
		look()
		if err := s.sim.DeleteRepository(s.full()); err != nil {
			t.Fatal(err)
		}
		if err := once(); err == nil || strings.Contains(err.Error(), "ghs_") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("without the permission to push", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, sceneOptions{files: files(), permissions: map[string]string{"contents": "read", "pull_requests": "write", "checks": "write"}})
		_, once := s.byHand()
		if err := once(); err == nil && !strings.Contains(s.log.String(), "refuse") {
			t.Error("nothing says that it cannot push")
		}
		if len(s.ledgers()) > 0 || len(s.pulls()) > 0 {
			t.Errorf("something was begun: %s", s.describe())
		}
	})
}

// TestHostileNames promotes services whose folders are called like things that
// shells, refs, Markdown and URLs trip over.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	names := []string{"c++", "a b", "-x", "ünï", "quote\"s", "it's", "$(id)", "x.lock", "a@{b", "#1 @ana", "<b>", "%2e%2e", "a..b"}
	pipeline := "version: 1\nlimits: {open: 100, per_hour: 100, per_environment: 50}\nenvironments:\n  dev: {verify: none}\n  prod: {from: dev, mode: auto}\n" +
		"pipelines:\n  apps:\n    for_each: apps/$name\n    path: apps/$name/$env\n    promote: {values: image.tag, in: values.yaml}\n"
	files := map[string]string{config.Path: pipeline}
	for _, n := range names {
		files["apps/"+n+"/dev/values.yaml"] = shopValues("1.0.0")
		files["apps/"+n+"/prod/values.yaml"] = shopValues("1.0.0")
	}
	s := newScene(t, sceneOptions{files: files})
	look, _ := s.byHand()
	look()
	changed := map[string]string{}
	for _, n := range names {
		changed["apps/"+n+"/dev/values.yaml"] = shopValues("2.0.0")
	}
	revision := s.push("dev: 2.0.0", changed)
	look()
	for _, n := range names {
		if l := s.ledgers()["apps/"+n+"/prod"].Landing; l == nil || l.Revision != revision {
			t.Errorf("%q did not land", n)
		}
		if got := s.read("apps/" + n + "/prod/values.yaml"); got != shopValues("2.0.0") {
			t.Errorf("%q: %q", n, got)
		}
	}
	for _, p := range s.pulls() {
		pipeline, _, ok := state.ParseBranch(p.Head)
		if got := state.ParseTrailers(p.Body)[state.TrailerPipeline]; !ok || got != pipeline {
			t.Errorf("#%d is for %q by its branch and %q by its trailers", p.Number, pipeline, got)
		}
		// What bodies make of such names is held in promotion/texts.
		if strings.Contains(p.Title, "@ana") {
			t.Errorf("#%d shows a name as it is: %s", p.Number, p.Title)
		}
	}
}
