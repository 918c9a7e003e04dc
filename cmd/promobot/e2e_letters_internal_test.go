package main

// What comes as an event alone: dispatches that come twice, while the program is
// down, or before it can use them; and releases of another repository, of which
// only an event there tells in time.

import (
	"strings"
	"testing"

	"github.com/promobot/promobot/internal/githubsim"
)

const builtPipeline = `version: 1
limits: {per_hour: 1000}
environments:
  live: {source: {dispatch: app-built, version: image.tag}}
pipelines:
  shop:
    path: envs/$env
    promote: {values: image.tag, in: values.yaml}
`

// built is a repository whose versions come by dispatch.
func built(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, sceneOptions{files: shopFiles(builtPipeline, "live")})
	s.installed(1)
	return s
}

// tellBuilt tells of a new version as a build job does.
func (s *scene) tellBuilt(tag string) {
	s.t.Helper()
	err := s.sim.Dispatch(s.full(), "ana", "app-built", map[string]any{"image": map[string]string{"tag": tag}})
	if err != nil {
		s.t.Fatal(err)
	}
}

// proposes waits until the one open pull request brings a version to live.
func (s *scene) proposes(tag string) {
	s.t.Helper()
	s.wait(tag+" is proposed", func() bool {
		p, there := s.open()["shop/live"]
		return there && string(s.bare("cat-file", "blob", p.HeadSHA+":envs/live/values.yaml")) == shopValues(tag)
	})
}

// accepted is how often the ledger took a version.
func (s *scene) accepted() int {
	s.t.Helper()
	n := 0
	for _, kind := range s.story("shop/live") {
		if kind == "accepted" {
			n++
		}
	}
	return n
}

func TestDispatchThatComesTwice(t *testing.T) {
	t.Parallel()
	s := built(t)
	s.sim.InjectHook(githubsim.HookFault{Event: "repository_dispatch", Effect: githubsim.DuplicatedWebhook(3)})
	s.tellBuilt("1.1.0")
	s.proposes("1.1.0")
	s.settle()
	if n := s.accepted(); n != 1 {
		t.Errorf("it was taken %d times", n)
	}
	s.tellBuilt("1.0.5") // older, and late
	s.settle()
	if n := s.accepted(); n != 1 || len(s.pulls()) != 1 {
		t.Errorf("something older was taken: %s", s.describe())
	}
	s.wantQuiet()
}

// TestDispatchWhileTheProgramIsDown: GitHub does not send it again; the sweep at
// start-up finds it among the deliveries that failed, once.
func TestDispatchWhileTheProgramIsDown(t *testing.T) {
	t.Parallel()
	s := built(t)
	s.stop()
	s.tellBuilt("1.1.0")
	s.tellBuilt("1.2.0")
	if err := s.sim.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.proposes("1.2.0")
	s.settle()
	if n := s.metric(`promobot_letters_total{cause="sweep"}`); n != 2 {
		t.Errorf("the sweep found %v letters, want 2", n)
	}
	s.wantQuiet()
	if n := s.metric(`promobot_letters_total{cause="sweep"}`); n != 0 {
		t.Errorf("%v letters were found again", n)
	}
}

// TestDispatchThatCannotBeUsedYet: while the pipeline file is broken it waits,
// also when all that the program had on disk is lost meanwhile.
func TestDispatchThatCannotBeUsedYet(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]bool{"kept in the queue": false, "found again with GitHub": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := built(t)
			s.push("break it", map[string]string{".github/promobot.yml": strings.Replace(builtPipeline, "path:", "paht:", 1)})
			s.settle()
			s.tellBuilt("1.1.0")
			s.wait("it was tried in vain", func() bool { return s.metric(`promobot_runs_total{result="failed"}`) > 0 })
			s.stop()
			if forget {
				s.forget()
			}
			s.meanwhile("mend it", map[string]string{".github/promobot.yml": builtPipeline})
			s.start()
			s.proposes("1.1.0")
			s.settle()
			if n := s.accepted(); n != 1 {
				t.Errorf("it was taken %d times", n)
			}
			if n := s.metric(`promobot_letters_total{cause="sweep"}`); (n > 0) != forget {
				t.Errorf("%v letters were found with GitHub", n)
			}
		})
	}
}

// TestReleaseOfAnotherRepository: its webhook wakes the repository that follows
// it, long before the next sweep.
func TestReleaseOfAnotherRepository(t *testing.T) {
	t.Parallel()
	pipeline := strings.Replace(builtPipeline, "{dispatch: app-built, version: image.tag}", "{release: acme/App, prefix: v}", 1)
	s := newScene(t, sceneOptions{files: shopFiles(pipeline, "live")})
	newCheckout(t, s.sim, "app", sceneOptions{files: map[string]string{"README.md": "an app\n"}})
	s.installed(1)
	if _, err := s.sim.Release("acme/app", "ana", githubsim.ReleaseOptions{Tag: "v1.1.0"}); err != nil {
		t.Fatal(err)
	}
	s.proposes("1.1.0")
	s.settle()
	s.wantQuiet()
}
