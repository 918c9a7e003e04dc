package main

// The onboarding pull request: a repository without a pipeline file is offered
// one, once, whatever is delivered twice, closed or killed.

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/reconcile"
)

// onboarding is a scene whose repository has environments and no pipeline file.
func onboarding(t *testing.T, files map[string]string) *scene {
	t.Helper()
	s := newScene(t, sceneOptions{files: files})
	s.settings = func(c *Config) { c.Onboarding = onboardByPullRequest }
	return s
}

func overlays(tags ...string) map[string]string {
	files := map[string]string{}
	for i, env := range []string{"dev", "staging", "prod"} {
		files["overlays/"+env+"/kustomization.yaml"] = "images:\n  - name: ghcr.io/acme/shop\n    newTag: " + tags[i] + "\n"
	}
	return files
}

// offered are the onboarding pull requests, of any state.
func (s *scene) offered() []githubsim.PullState {
	var out []githubsim.PullState
	for _, p := range s.pulls() {
		if p.Head == reconcile.OnboardingBranch {
			out = append(out, p)
		}
	}
	return out
}

// tellInstalled delivers the event of an installation.
func (s *scene) tellInstalled() {
	s.t.Helper()
	repository, _, err := s.ana.Repositories.Get(s.t.Context(), sceneOwner, s.name)
	if err != nil {
		s.t.Fatal(err)
	}
	body := fmt.Sprintf(`{"action":"created","installation":{"id":%d},"repositories":[{"id":%d,"name":"%s","full_name":"%s"}]}`,
		s.installation, repository.GetID(), s.name, s.full())
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.program.addr+"/api/github/hook", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(sceneSecret))
	mac.Write([]byte(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-GitHub-Event", "installation")
	request.Header.Set("X-GitHub-Delivery", "the same each time")
	request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode/100 != 2 {
		s.t.Fatalf("the event of an installation is answered by %s", answer.Status)
	}
}

func TestOnboardingIsOfferedOnce(t *testing.T) {
	t.Parallel()
	s := onboarding(t, overlays("1.1.0", "1.0.0", "1.0.0"))
	s.push("staging follows", map[string]string{"overlays/staging/kustomization.yaml": overlays("", "1.1.0", "")["overlays/staging/kustomization.yaml"]})
	s.start()
	s.wait("it is offered", func() bool { return len(s.offered()) == 1 })
	s.settle()
	p := s.offered()[0]
	for _, want := range []string{"Merging this does nothing yet", "What would have been", "| staging |", "from: staging", "mode: observe"} {
		if !strings.Contains(p.Body, want) {
			t.Errorf("the pull request does not say %q:\n%s", want, p.Body)
		}
	}

	// Told twice that it is installed, and looked at without end: still one.
	requests := len(s.sim.Journal())
	for range 3 {
		s.tellInstalled()
	}
	s.settle()
	if n := len(s.offered()); n != 1 {
		t.Errorf("%d onboarding pull requests after events came twice", n)
	}
	for _, r := range s.sim.Journal()[requests:] {
		if r.Login == sceneBot && r.Method != http.MethodGet && strings.Contains(r.Path, "/pulls") {
			t.Errorf("%s %s after it was offered", r.Method, r.Path)
		}
	}

	// A person closes it and deletes its branch; a promobot that knows nothing of
	// it any more starts.
	s.setState(p.Number, "closed")
	s.git(s.clone(), "push", "-q", "origin", "--delete", reconcile.OnboardingBranch)
	s.stop()
	s.forget()
	s.start()
	s.push("later", map[string]string{"README.md": "later\n"})
	s.settle()
	if n := len(s.offered()); n != 1 {
		t.Errorf("%d onboarding pull requests after one was closed", n)
	}
}

func TestOnboardingMergedPromotesNothingUntilAsked(t *testing.T) {
	t.Parallel()
	s := onboarding(t, overlays("1.0.0", "1.0.0", "1.0.0"))
	s.start()
	s.wait("it is offered", func() bool { return len(s.offered()) == 1 })
	s.settle()
	s.merge(s.offered()[0].Number, "squash")
	s.wait("every environment has its baseline", func() bool { return len(s.ledgers()) == 3 })
	s.push("dev 1.1.0", map[string]string{"overlays/dev/kustomization.yaml": overlays("1.1.0", "", "")["overlays/dev/kustomization.yaml"]})
	s.settle()
	if n := len(s.pulls()); n != 1 {
		t.Errorf("%d pull requests while mode is observe", n)
	}
}

func TestOnboardingIsOffByDefaultAndNothingIsMadeUp(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: overlays("1.1.0", "1.0.0", "1.0.0")})
	s.start()
	s.settle()
	s.stop()
	if len(s.pulls()) != 0 {
		t.Error("a pull request that nobody asked for")
	}
	c := onboarding(t, map[string]string{"main.go": "package main\n"})
	c.start()
	c.settle()
	if len(c.pulls()) != 0 || len(c.refs()) != 1 {
		t.Errorf("a repository of code was offered something: %v", c.refs())
	}
}

// What GitHub refuses is not asked for again and again.
func TestOnboardingRefused(t *testing.T) {
	t.Parallel()
	s := onboarding(t, overlays("1.1.0", "1.0.0", "1.0.0"))
	if err := s.sim.AddRuleset(s.full(), githubsim.Ruleset{Name: "no branches", Branches: []string{reconcile.OnboardingBranch}, Creation: true}); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.settle()
	s.wake()
	s.settle()
	asked := 0
	for _, r := range s.sim.Journal() {
		if r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/git-receive-pack") && r.Login == sceneBot {
			asked++
		}
	}
	if len(s.pulls()) != 0 || asked != 1 || !strings.Contains(s.log.String(), "no pipeline file can be offered") {
		t.Errorf("%d pull requests, and pushed %d times what is refused", len(s.pulls()), asked)
	}
}

// Killed before and after each request that has an effect: the next start ends
// with one pull request.
func TestOnboardingKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		at    int // the request with an effect at which it is killed, from 1
		after bool
	}{{"before the push", 1, false}, {"after the push", 1, true}, {"before the pull request", 2, false}, {"after the pull request", 2, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := onboarding(t, overlays("1.1.0", "1.0.0", "1.0.0"))
			died := s.killedAt(c.at, c.after)
			remove := died.armed()
			child := s.startChild()
			s.wait("it is killed", died.yet)
			child.kill()
			remove()
			s.ahead.Add(int64(promotion.Bound + time.Second))
			s.startChild()
			s.wait("it is offered", func() bool { return len(s.offered()) == 1 })
			s.settle()
			if all := s.offered(); len(all) != 1 || !all[0].Open {
				t.Errorf("%+v", all)
			}
		})
	}
}

// Two replicas come to the push at the same moment: one makes the branch, and
// the other leaves the rest to it.
func TestOnboardingOfTwoReplicas(t *testing.T) {
	t.Parallel()
	s := onboarding(t, overlays("1.1.0", "1.0.0", "1.0.0"))
	both := make(chan struct{})
	var mu sync.Mutex
	came := 0
	remove := s.sim.OnRequest(func(r *http.Request) {
		if !s.outbound(r) || r.URL.Query().Get("service") != "git-receive-pack" {
			return
		}
		mu.Lock()
		if came++; came == 2 {
			close(both)
		}
		mu.Unlock()
		select {
		case <-both:
		case <-r.Context().Done():
		}
	})
	defer remove()
	s.startChild()
	s.data = t.TempDir()
	s.startChild()
	s.wait("both push, and it is offered", func() bool {
		select {
		case <-both:
			return len(s.offered()) == 1
		default:
			return false
		}
	})
	s.settle()
	if n := len(s.offered()); n != 1 {
		t.Errorf("%d onboarding pull requests by two replicas", n)
	}
}

// killing ends what the program does at one of its requests with an effect.
type killing struct {
	*scene
	at    int
	after bool

	mu     sync.Mutex
	seen   int
	killed bool
}

func (s *scene) killedAt(at int, after bool) *killing {
	return &killing{scene: s, at: at, after: after}
}

// armed lets nothing of the program through from that request on, as if it were
// dead, which the test then brings about.
func (k *killing) armed() (remove func()) {
	hook := k.sim.OnRequest
	if k.after {
		hook = k.sim.OnEffect
	}
	return hook(func(r *http.Request) {
		if !k.outbound(r) {
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if !k.killed && hasEffect(r) {
			if k.seen++; k.seen == k.at {
				k.killed = true
			}
		}
		if k.killed {
			panic(http.ErrAbortHandler)
		}
	})
}

func (k *killing) yet() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.killed
}
