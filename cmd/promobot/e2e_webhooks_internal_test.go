package main

// Webhooks that come twice, in reverse order, or never: the same pull requests,
// no more. And reads that fail: nothing is proposed on what is not known.

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

// wantOneEach checks that every environment had exactly one pull request, and
// that it landed.
func (s *scene) wantOneEach(revision string, environments ...string) {
	s.t.Helper()
	count := map[string]int{}
	for _, p := range s.pulls() {
		pipeline, environment, ok := state.ParseBranch(p.Head)
		if !ok || !p.Merged {
			s.t.Errorf("#%d %q is not merged, or no promotion", p.Number, p.Title)
		}
		count[pipeline+"/"+environment]++
	}
	for _, e := range environments {
		if count[e] != 1 {
			s.t.Errorf("%s had %d pull requests, want 1", e, count[e])
		}
	}
	if len(count) != len(environments) {
		s.t.Errorf("pull requests by environment: %v, want one in each of %v", count, environments)
	}
	if !s.landed(revision, environments...) {
		s.t.Errorf("not all have landed %.10s", revision)
	}
}

func TestWebhooksTwiceReversedOrNever(t *testing.T) {
	cases := map[string]struct {
		prepare func(*scene)
		// tick is called again and again while the promotion is under way.
		tick func(*scene)
	}{
		"each twice": {
			prepare: func(s *scene) { s.sim.InjectHook(githubsim.HookFault{Effect: githubsim.DuplicatedWebhook(2)}) },
			tick:    func(*scene) {},
		},
		"in reverse order": {
			prepare: func(s *scene) { s.sim.HoldWebhooks() },
			tick: func(s *scene) {
				if _, err := s.sim.ReleaseWebhooks(func(held []githubsim.Webhook) []githubsim.Webhook {
					slices.Reverse(held)
					return held
				}); err != nil {
					s.t.Fatal(err)
				}
				s.sim.HoldWebhooks()
			},
		},
		"never, with only the sweep": {
			prepare: func(s *scene) { s.sim.InjectHook(githubsim.HookFault{Effect: githubsim.LostWebhook()}) },
			tick:    func(*scene) {},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := gitops(t, gitopsAllTheWay, githubsim.RepoOptions{})
			s.settings = func(config *Config) {
				if name == "never, with only the sweep" {
					config.SweepInterval = 300 * time.Millisecond
				}
			}
			s.start()
			s.wait("every environment has its baseline", func() bool { return len(s.ledgers()) == 7 })
			c.prepare(s)
			revision := s.push("qa: 7.0", s.newVersion("7.0"))
			s.wait("all have landed", func() bool {
				c.tick(s)
				return s.landed(revision, gitopsTargets...)
			})
			if name == "in reverse order" {
				if _, err := s.sim.ReleaseWebhooks(nil); err != nil {
					t.Fatal(err)
				}
				s.settle()
			}
			s.stop()
			s.wantOneEach(revision, gitopsTargets...)
		})
	}
}

// TestReadsThatFail answers each kind of read with a 502 in turn, from before
// the push on: while it fails nothing is opened, and afterwards all is well.
func TestReadsThatFail(t *testing.T) {
	reads := []string{
		"/repos/*/*",
		"/repos/*/*/pulls",
		"/*/*.git/info/refs",
		"/*/*.git/git-upload-pack",
	}
	for i, path := range reads {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			files := shopFiles("version: 1\nenvironments:\n  qa: {verify: none}\n  prod: {from: qa}\npipelines:\n  shop: {path: \"envs/$env\", promote: {files: \"**\"}}\n", "qa", "prod")
			s := newScene(t, sceneOptions{files: files})
			look, once := s.byHand()
			look()
			remove := s.sim.Inject(githubsim.Fault{By: sceneBot, Path: path, Effect: githubsim.BadGateway()})
			// What a failed read must never be taken for: a deletion.
			revision := s.push("qa: new", map[string]string{"envs/qa/values.yaml": shopValues("2.0.0"), "envs/qa/more.yaml": "more: 1\n"})
			if err := once(); err == nil {
				t.Errorf("a look at %s that failed is taken for one that did not", path)
			}
			if ps := s.pulls(); len(ps) > 0 {
				t.Fatalf("it proposes something all the same: %s", s.describe())
			}
			remove()
			look()
			if open := s.open(); len(open) != 1 || open["shop/prod"].Number == 0 {
				t.Fatalf("after it: %s", s.describe())
			}
			if got := s.ledgers()["shop/prod"].Promotion.Revision; got != revision {
				t.Errorf("it proposes %s, want %s", got, revision)
			}
			for _, p := range s.pulls() {
				for name := range s.folder("main", "envs/prod") {
					if _, kept := s.folder(p.HeadSHA, "envs/prod")[name]; !kept {
						t.Errorf("#%d deletes %s", p.Number, name)
					}
				}
			}
		})
	}
}
