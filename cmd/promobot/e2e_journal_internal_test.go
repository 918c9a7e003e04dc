package main

// What a promotion costs: the requests from claim to landed, written down in
// golden files (UPDATE_GOLDEN=1 rewrites them). The loop is called by hand, so
// that nothing depends on when a webhook arrives.

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion/config"
)

// byHand runs the scene's loop without server, queue and webhooks: look until it
// comes to rest, once looks once.
func (s *scene) byHand() (look func(), once func() error) {
	s.t.Helper()
	parts, err := wireAt(s.t.Context(), s.now, s.config(), zerolog.New(s.log), prometheus.NewRegistry())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := parts.Close(); err != nil {
			s.t.Error(err)
		}
	})
	repo, _, err := s.ana.Repositories.Get(s.t.Context(), sceneOwner, s.name)
	if err != nil {
		s.t.Fatal(err)
	}
	at := handlers.Repository{InstallationID: s.installation, ID: repo.GetID(), Owner: sceneOwner, Name: s.name}
	return func() {
			s.t.Helper()
			// It says when to look again while GitHub is working something out.
			for range 20 {
				next, err := parts.Reconcile(s.t.Context(), at)
				if err != nil {
					s.t.Fatal(err)
				}
				if next.IsZero() {
					return
				}
				s.ahead.Add(int64(max(0, next.Sub(s.now())) + time.Millisecond))
			}
			s.t.Fatal("it never comes to rest")
		}, func() error {
			_, err := parts.Reconcile(s.t.Context(), at)
			return err
		}
}

// shape is a repository of components that go from one environment to several.
func shape(components, targets int, mode string) (map[string]string, func(tag string) map[string]string) {
	var b strings.Builder
	b.WriteString("version: 1\nlimits: {open: 500, per_hour: 500, per_environment: 100}\nenvironments:\n  dev: {verify: none}\n")
	for i := range targets {
		fmt.Fprintf(&b, "  env-%d: {from: dev, mode: %s}\n", i, mode)
	}
	b.WriteString("pipelines:\n  apps:\n    for_each: apps/$name\n    path: apps/$name/$env\n    promote: {images: \"*\"}\n")
	files := map[string]string{config.Path: b.String()}
	image := func(tag string) string { return "images:\n  - name: app\n    newTag: " + tag + "\n" }
	at := func(c int, env string) string { return fmt.Sprintf("apps/app-%d/%s/kustomization.yaml", c, env) }
	for c := range components {
		files[at(c, "dev")] = image("1.0.0")
		for i := range targets {
			files[at(c, fmt.Sprintf("env-%d", i))] = image("1.0.0")
		}
	}
	return files, func(tag string) map[string]string {
		changed := map[string]string{}
		for c := range components {
			changed[at(c, "dev")] = image(tag)
		}
		return changed
	}
}

// written is the journal once it holds all that was asked: a request is written
// down after its answer has left.
func (s *scene) written() githubsim.Journal {
	s.t.Helper()
	same := 0
	last := -1
	s.wait("the journal to be complete", func() bool {
		n := len(s.asked())
		if n != last {
			same, last = 0, n
		}
		same++
		return same > 5
	})
	return s.asked()
}

// routes are the requests of a journal, counted. Whether an answer was a 304 is
// left out: the repository's changes once a second at most. So are git's further
// requests of one fetch or push, whose number is git's own affair.
func routes(j githubsim.Journal) string {
	counts := map[string]int{}
	for _, r := range j {
		if (r.Kind == githubsim.GitFetch || r.Kind == githubsim.GitPush) && r.Method == "POST" {
			continue
		}
		counts[fmt.Sprintf("%s: %s %s", r.Kind, r.Method, r.Route)]++
	}
	var b strings.Builder
	for _, route := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s × %d\n", route, counts[route])
	}
	return b.String()
}

// TestWhatAPromotionCosts holds the figures: five API writes from claim to
// landed, and no more than thirty API requests for five pull requests.
func TestWhatAPromotionCosts(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		components, targets int
		mode                string
		requests            int // API requests at most, tokens included
		writes              int
	}{
		"1x1-landed":  {1, 1, "auto", 15, 5},
		"1x5-opened":  {1, 5, "propose", 20, 11},
		"1x5-landed":  {1, 5, "auto", 50, 17},
		"10x5-opened": {10, 5, "propose", 110, 101},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, bump := shape(c.components, c.targets, c.mode)
			s := newScene(t, sceneOptions{files: files})
			look, _ := s.byHand()
			look()
			s.push("dev: 1.1.0", bump("1.1.0"))
			s.sim.ResetJournal()
			look()
			j := s.written()
			merged, open := 0, 0
			for _, p := range s.pulls() {
				if p.Merged {
					merged++
				}
				if p.Open {
					open++
				}
			}
			want := c.components * c.targets
			if c.mode == "auto" && merged != want || c.mode != "auto" && open != want {
				t.Fatalf("%d merged, %d open, want %d", merged, open, want)
			}
			requests := j.Count(githubsim.APIRead) + j.Count(githubsim.APIWrite) + j.Count(githubsim.APIToken) - j.NotModified()
			t.Logf("%d API requests that are not 304s, %d of them writes", requests, j.Count(githubsim.APIWrite))
			if requests > c.requests || j.Count(githubsim.APIWrite) > c.writes {
				t.Errorf("%d API requests and %d writes, want at most %d and %d", requests, j.Count(githubsim.APIWrite), c.requests, c.writes)
			}
			got := routes(j)
			golden := filepath.Join("testdata", "e2e", "journal-"+name+".txt")
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(text), got); d != "" {
				t.Errorf("the requests changed (-golden +now):\n%s", d)
			}
			// At rest, a look costs nothing but what has not changed.
			look()
			s.sim.ResetJournal()
			look()
			for _, r := range s.written() {
				if (r.Kind == githubsim.APIRead || r.Kind == githubsim.APIWrite) && !r.NotModified() || r.Kind == githubsim.GitPush {
					t.Errorf("at rest it asks %s %s and gets %d", r.Method, r.Path, r.Status)
				}
			}
		})
	}
}
