package main

// What build jobs say by repository_dispatch, which comes only once and only as
// an event. The newest wins, in whatever order they come; once is once, whatever
// is sent again or lost on the way.

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

// dispatchedPipeline has what build jobs say pushed to dev.
const dispatchedPipeline = `version: 1
limits: {per_hour: 1000}
environments:
  dev:  {source: {dispatch: build, version: version}, verify: none, mode: auto, deliver: push}
  prod: {from: dev}
pipelines:
  shop:
    path: envs/$env
    promote: {images: ghcr.io/acme/shop}
`

// shopImage is a kustomization with the image; the digest may be empty.
func shopImage(tag, digest string) string {
	text := "# what runs\nimages:\n  - name: ghcr.io/acme/shop # ours\n    newTag: \"" + tag + "\"\n"
	if digest != "" {
		text += "    digest: " + digest + "\n"
	}
	return text
}

func dispatched(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, sceneOptions{files: map[string]string{
		".github/promobot.yml": dispatchedPipeline, "envs/dev/kustomization.yaml": shopImage("1.0.0", ""), "envs/prod/kustomization.yaml": shopImage("1.0.0", ""),
	}})
	s.start()
	s.wait("both environments have their baselines", func() bool { return len(s.ledgers()) == 2 })
	s.settle()
	return s
}

// dispatch is a build job's last step: POST /repos/…/dispatches.
func (s *scene) dispatch(eventType string, payload any) {
	s.t.Helper()
	body, err := json.Marshal(payload)
	if err != nil {
		s.t.Fatal(err)
	}
	raw := json.RawMessage(body)
	if _, _, err := s.ana.Repositories.Dispatch(s.t.Context(), sceneOwner, s.name, github.DispatchRequestOptions{EventType: eventType, ClientPayload: &raw}); err != nil {
		s.t.Fatalf("dispatching %s: %v", eventType, err)
	}
}

// built is what a build job says.
func (s *scene) built(version string) {
	s.dispatch("build", map[string]any{"version": version, "run": 42})
}

// hasImage waits for a version and checks every byte.
func (s *scene) hasImage(environment, tag, digest string) {
	s.t.Helper()
	version := tag
	if digest != "" {
		version += "@" + digest
	}
	s.wait(environment+" has "+version, func() bool { return s.landed(version, "shop/"+environment) })
	s.settle()
	if d := cmp.Diff(shopImage(tag, digest), s.read("envs/"+environment+"/kustomization.yaml")); d != "" {
		s.t.Errorf("%s (-want +got):\n%s", environment, d)
	}
}

// TestVersionsFromDispatch: a build job's version is pushed to dev, with the
// digest it was built as, and proposed to prod. Sent twice it counts once; older
// ones, other types and what names no version change nothing.
func TestVersionsFromDispatch(t *testing.T) {
	t.Parallel()
	s := dispatched(t)
	begin := s.refs()["refs/heads/main"]
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	remove := s.sim.InjectHook(githubsim.HookFault{Event: "repository_dispatch", Effect: githubsim.DuplicatedWebhook(2)})
	s.built("1.10.0@" + digest)
	s.hasImage("dev", "1.10.0", digest)
	if d := cmp.Diff([]string{"promobot: shop/dev"}, s.onMain(begin)); d != "" {
		t.Errorf("main (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"baseline", "accepted", "landed"}, s.story(shopDev)); d != "" {
		t.Errorf("dev's ledger (-want +got):\n%s", d)
	}
	if v := s.ledgers()[shopDev].Versions; len(v) != 1 || v[0].Letter == "" || v[0].Name != "1.10.0@"+digest {
		t.Errorf("dev accepted %+v", v)
	}
	l := s.ledgers()[shopDev].Landing
	if got, want := fmt.Sprint(l.Commit, l.Method, l.By, l.PullRequest, l.Mixed()), fmt.Sprint(s.refs()["refs/heads/main"], "push", sceneBot, 0, false); got != want {
		t.Errorf("dev landed %s, want %s", got, want)
	}
	s.wait("prod is proposed", func() bool { return s.open()[shopProd].Number != 0 })
	s.settle()
	s.wantPull(shopProd, s.open()[shopProd], "1.10.0@"+digest)
	remove()
	s.nothingMoves("what does not count", func() {
		s.built("1.9.0") // older, arriving late
		s.dispatch("built", map[string]any{"version": "9.0.0"})
		s.dispatch("build", map[string]any{"number": "9.0.0"})
		s.dispatch("build", map[string]any{"version": "9.0.0 or\nanything"})
		s.built("2.0.0-rc.1")
	})
	s.wantQuiet()

	// Several at once, the newest first: it wins, without the digest before it.
	s.sim.HoldWebhooks()
	for _, v := range []string{"1.12.0", "1.11.0", "1.9.9"} {
		s.built(v)
	}
	if _, err := s.sim.ReleaseWebhooks(nil); err != nil {
		t.Fatal(err)
	}
	s.hasImage("dev", "1.12.0", "")
	s.wait("prod's pull request moves on", func() bool {
		return strings.Contains(s.open()[shopProd].Title, "1.12.0")
	})
	s.settle()
	s.merge(s.open()[shopProd].Number, "merge")
	s.hasImage("prod", "1.12.0", "")
	s.wantQuiet()
}

// TestDispatchSentAgain: versions that have no order but that in which they
// came. What someone has GitHub deliver again is the same dispatch as before, and
// so it is for a promobot that has lost its own files.
func TestDispatchSentAgain(t *testing.T) {
	t.Parallel()
	s := dispatched(t)
	for _, version := range []string{"build-9f3c1d2", "build-07aa311"} {
		s.built(version)
		s.hasImage("dev", version, "")
	}
	app := s.sim.AppClient(s.app)
	ds, _, err := app.Apps.ListHookDeliveries(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ds = slices.DeleteFunc(ds, func(d *github.HookDelivery) bool { return d.GetEvent() != "repository_dispatch" })
	if len(ds) != 2 {
		t.Fatalf("%d deliveries are listed, want both", len(ds))
	}
	again := func() {
		for _, d := range ds {
			var accepted *github.AcceptedError // as GitHub answers: 202
			if _, _, err := app.Apps.RedeliverHookDelivery(t.Context(), d.GetID()); err != nil && !errors.As(err, &accepted) {
				t.Fatal(err)
			}
		}
	}
	s.nothingMoves("what is sent again", again)
	s.stop()
	s.forget()
	// GitHub's list, which would say when they were sent first, is of no help.
	remove := s.sim.Inject(githubsim.Fault{Path: "/app/hook/deliveries", Effect: githubsim.BadGateway()})
	s.start()
	s.nothingMoves("what is sent again to one that has forgotten everything", again)
	remove()
	if v := s.ledgers()[shopDev].Versions; len(v) != 2 || v[0].Name != "build-07aa311" || v[0].Letter == v[1].Letter {
		t.Errorf("dev accepted %+v", v)
	}
	s.built("build-c0ffee0")
	s.hasImage("dev", "build-c0ffee0", "")
	s.wantQuiet()
}

// TestDispatchSurvives: what was sent is not lost, wherever promobot was ended:
// killed with the letter in its queue, or away when it was delivered, with or
// without its own files.
func TestDispatchSurvives(t *testing.T) {
	for name, c := range map[string]struct {
		ended func(s *scene) // the dispatch is sent within
	}{
		"killed between receipt and handling": {func(s *scene) {
			s.stop()
			p := s.startChild()
			s.settle()
			// It cannot look anything up, so the letter waits; and GitHub's list of
			// deliveries is of no help, before or after.
			s.sim.Inject(githubsim.Fault{Path: "/app/hook/deliveries", Effect: githubsim.BadGateway()})
			remove := s.sim.Inject(githubsim.Fault{By: sceneBot, Effect: githubsim.BadGateway()})
			asked := len(s.asked())
			s.built("1.1.0")
			s.wait("it is received, and handled in vain", func() bool { return len(s.asked()) > asked })
			p.kill()
			s.program = nil
			remove()
		}},
		"away, and the delivery failed": {func(s *scene) {
			s.stop()
			defer s.sim.InjectHook(githubsim.HookFault{Event: "repository_dispatch", Effect: githubsim.FailedWebhook()})()
			s.built("1.1.0")
		}},
		"away, and its files are gone": {func(s *scene) {
			s.stop()
			s.forget()
			defer s.sim.InjectHook(githubsim.HookFault{Event: "repository_dispatch", Effect: githubsim.FailedWebhook()})()
			s.built("1.1.0")
		}},
		"received, and its files are gone": {func(s *scene) {
			remove := s.sim.Inject(githubsim.Fault{By: sceneBot, Effect: githubsim.BadGateway()})
			asked := len(s.asked())
			s.built("1.1.0")
			s.wait("it is received, and handled in vain", func() bool { return len(s.asked()) > asked })
			s.stop()
			s.forget()
			remove()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := dispatched(t)
			c.ended(s)
			if got := s.story(shopDev); len(got) != 1 {
				t.Fatalf("dev's ledger has %v: nothing was left to survive", got)
			}
			s.ahead.Add(int64(2 * time.Minute)) // past the backoff of what failed
			s.start()
			s.hasImage("dev", "1.1.0", "")
			if v := s.ledgers()[shopDev].Versions; len(v) != 1 {
				t.Errorf("dev accepted %+v", v)
			}
			if d := cmp.Diff([]string{"baseline", "accepted", "landed"}, s.story(shopDev)); d != "" {
				t.Errorf("dev's ledger (-want +got):\n%s", d)
			}
			if got := s.ledgers()[shopProd].Promotion; got == nil || got.Revision != "1.1.0" || got.Status != state.Opened {
				t.Errorf("prod's promotion is %+v", got)
			}
			s.wantQuiet()
		})
	}
}
