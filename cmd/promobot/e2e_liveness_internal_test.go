package main

// Liveness: whatever the work waits for, the process says that it lives, takes
// webhooks, and says what is wrong; and when the wait is over, all is done.

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/promobot/promobot/internal/githubsim"
)

// gate keeps requests waiting until it is opened.
type gate struct {
	open chan struct{}
	once sync.Once

	mu      sync.Mutex
	waiting map[string]int // by what the request is for
}

// lift lets everything through.
func (g *gate) lift() { g.once.Do(func() { close(g.open) }) }

// wait keeps a request until the gate is opened, or its sender gives up.
func (g *gate) wait(ctx context.Context, what string) {
	g.count(what, 1)
	defer g.count(what, -1)
	select {
	case <-g.open:
	case <-ctx.Done():
	}
}

func (g *gate) count(what string, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting[what] += n
}

func (g *gate) at(what string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting[what]
}

// What hangs at the gate.
const (
	hangsAPI   = "API"
	hangsFetch = "fetch"
	hangsPush  = "push"
	hangsSweep = "sweep"
)

// gated tells what a request of the program hangs as: "" for not at all. Of the
// repositories, those named hang- hang in the API, and those named git- in git.
func gated(r *http.Request) string {
	user, _, _ := r.BasicAuth()
	ours := strings.HasPrefix(r.UserAgent(), "promobot")
	switch path := r.URL.Path; {
	case ours && path == "/api/v3/app/installations":
		return hangsSweep
	case ours && strings.HasPrefix(path, "/api/v3/repos/"+sceneOwner+"/hang-"):
		return hangsAPI
	case user != "x-access-token" || !strings.HasSuffix(path, "/info/refs"):
		return ""
	case r.URL.Query().Get("service") == "git-receive-pack":
		return hangsPush
	case strings.HasPrefix(path, "/"+sceneOwner+"/git-"):
		return hangsFetch
	}
	return ""
}

// TestLivenessWhileEverythingIsBlocked blocks every worker, every seat for git's
// fetches, clones and pushes, and every request that may be made at a time.
func TestLivenessWhileEverythingIsBlocked(t *testing.T) {
	t.Parallel()
	const (
		requests  = 50           // at a time, of all; GitHub allows twice as many
		inAPI     = requests + 4 // repositories whose requests hang, and four that wait for their turn
		processes = 4            // of git: two fetch or clone, one pushes, one is left for what is here
		inGit     = 3            // repositories whose fetches hang, and one that waits for its turn
		workers   = inAPI + inGit + 1
		waiting   = 2 // repositories without a worker
	)
	pipeline := "start: reconcile\n" + shopAuto
	files := shopFiles(pipeline, "dev", "prod")
	s := newScene(t, sceneOptions{files: files})
	var content []*checkout
	for n := range inGit {
		content = append(content, newCheckout(t, s.sim, fmt.Sprintf("git-%d", n), sceneOptions{files: files}))
	}
	for n := range inAPI + waiting {
		if err := s.sim.CreateRepository(t.Context(), sceneOwner, fmt.Sprintf("hang-%03d", n), githubsim.RepoOptions{Private: true}); err != nil {
			t.Fatal(err)
		}
	}
	s.settings = func(c *Config) { c.Workers, c.Git.Processes = workers, processes }
	g := &gate{open: make(chan struct{}), waiting: map[string]int{}}
	defer func() {
		if t.Failed() {
			t.Logf("at the gate: %v", g.waiting)
		}
		g.lift()
	}()
	closed := make(chan struct{})
	defer s.sim.OnRequest(func(r *http.Request) {
		select {
		case <-closed:
		default: // the first git repository is to be cloned before
			if gated(r) != hangsSweep {
				return
			}
		}
		if what := gated(r); what != "" {
			g.wait(r.Context(), what)
		}
	})()
	s.start()
	wake := func(name string) {
		t.Helper()
		repository, _, err := s.ana.Repositories.Get(t.Context(), sceneOwner, name)
		if err != nil {
			t.Fatal(err)
		}
		payload := fmt.Sprintf(`{"ref":"refs/heads/main","installation":{"id":%d},"repository":{"id":%d,"full_name":%q}}`,
			s.installation, repository.GetID(), repository.GetFullName())
		status, err := s.deliver(githubsim.Webhook{Event: "push", GUID: "of-" + name, Payload: []byte(payload)})
		if err != nil || status != http.StatusOK {
			t.Errorf("the webhook of %s was answered %d, %v", name, status, err)
		}
	}
	wake("git-0")
	s.wait("it is cloned", func() bool { return len(content[0].ledgers()) == 2 })
	s.wait("its run has ended", func() bool { return s.queued("running") == 0 && s.queued("due") == 0 })

	close(closed)
	lived := s.alive()
	wake(s.name)
	s.wait("a push hangs", func() bool { return g.at(hangsPush) == 1 })
	for n := range inGit {
		wake(fmt.Sprintf("git-%d", n))
	}
	s.wait("a fetch and a clone hang", func() bool { return g.at(hangsFetch) == 2 })
	for n := range inAPI + waiting {
		wake(fmt.Sprintf("hang-%03d", n))
	}
	s.wait("every turn for a request is taken", func() bool { return g.at(hangsAPI)+g.at(hangsSweep) == requests })
	s.wait("every worker is busy", func() bool { return s.queued("running") == workers && s.queued("due") >= waiting })

	status, text := s.get("/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(text, "sweep: not ready\n") ||
		!strings.Contains(text, "queue: ok\n") || !strings.Contains(text, "git: ok\n") {
		t.Errorf("/readyz answered %d:\n%s", status, text)
	}
	wake("hang-000") // it is still taken
	if g.at(hangsAPI)+g.at(hangsSweep) != requests || g.at(hangsFetch) != 2 || g.at(hangsPush) != 1 {
		t.Errorf("not everything was blocked all the time: %v", g.waiting)
	}
	g.lift()
	s.settle()
	asked := lived()
	if asked < 20 {
		t.Errorf("asked only %d times whether it lives", asked)
	}
	for _, c := range append(content, s.checkout) {
		if len(c.ledgers()) != 2 {
			t.Errorf("%s was not looked at", c.full())
		}
	}
	for _, result := range []string{"failed", "lease_lost"} {
		if n := s.metric(`promobot_runs_total{result="` + result + `"}`); n != 0 {
			t.Errorf("%v runs are %s", n, result)
		}
	}
	if status, text := s.get("/readyz"); status != http.StatusOK {
		t.Errorf("/readyz answered %d afterwards:\n%s", status, text)
	}
	t.Logf("asked %d times whether it lives", asked)
}
