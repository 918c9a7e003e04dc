package githubsim_test

// A small world for the tests of what stands around the core: an
// organization, a repository with a commit, an App with a webhook.

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/internal/githubsim/simtest"
)

// handClock is a clock that tests move by hand. It starts at the real time,
// because clients sign with that.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func newHandClock() *handClock { return &handClock{now: time.Now()} }

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is the simulator with acme/shop and the App promobot installed on it.
type world struct {
	*simtest.Sim
	t     *testing.T
	clock *handClock
	app   githubsim.App
	inst  int64
	bot   *github.Client // the App's installation
	head  string         // the commit on main
	box   *inbox
}

var allPermissions = map[string]string{
	"checks": "write", "statuses": "write", "contents": "write", "issues": "write", "pull_requests": "write",
	"deployments": "write", "members": "read", "metadata": "read", "administration": "write", "workflows": "write", "actions": "write",
}

var allEvents = []string{
	"check_run", "check_suite", "status", "deployment", "deployment_status", "issue_comment", "release", "repository_dispatch",
	"pull_request", "pull_request_review", "push", "create", "delete", "merge_group", "workflow_run",
}

func newWorld(t *testing.T) *world { return newWorldWith(t, githubsim.Options{}) }

func newWorldWith(t *testing.T, o githubsim.Options) *world {
	t.Helper()
	w := &world{t: t, clock: newHandClock(), box: newInbox(t)}
	o.Clock = w.clock.Now
	w.Sim = simtest.Start(t, o)
	for _, login := range []string{"olga", "mona", "rita", "tom"} {
		w.must(w.CreateUser(login))
	}
	w.must(w.CreateOrganization("acme", []string{"olga"}, []string{"mona"}))
	source, head := bareRepository(t, map[string]string{"README.md": "# Shop\n", "envs/qa/version.yml": "tag: 1.0\n"})
	w.head = head
	w.must(w.CreateRepository(t.Context(), "acme", "shop", githubsim.RepoOptions{From: source, Private: true}))
	w.must(w.SetRole("acme/shop", "mona", "maintain"))
	w.must(w.SetRole("acme/shop", "rita", "read"))
	var err error
	w.app, err = w.CreateApp(githubsim.AppOptions{
		Owner: "acme", Name: "promobot", WebhookURL: w.box.url, WebhookSecret: "s3cret", Permissions: allPermissions, Events: allEvents,
	})
	w.must(err)
	w.inst, err = w.Install(w.app.ID, "acme")
	w.must(err)
	w.bot = w.InstallationClient(w.app, w.inst)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// drained waits for all webhooks and returns what came since the last call.
func (w *world) drained() []received {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	w.must(w.Drain(ctx))
	return w.box.take()
}

// names are the events of deliveries, with their actions.
func names(list []received) []string {
	out := []string{}
	for _, one := range list {
		out = append(out, strings.TrimSuffix(one.event+" "+one.action, " "))
	}
	return out
}

// bareRepository makes a bare repository with one commit on main.
func bareRepository(t *testing.T, files map[string]string) (path, head string) {
	t.Helper()
	work := t.TempDir()
	git := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "-b", "main")
	for name, content := range files {
		full := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git("add", ".")
	git("-c", "user.name=Mona", "-c", "user.email=mona@example.com", "commit", "-q", "-m", "Start the shop")
	return work, git("rev-parse", "HEAD")
}

// received is a webhook as the App got it.
type received struct {
	event, action, guid string
	body                map[string]any
}

// inbox is an App's webhook endpoint.
type inbox struct {
	url    string
	mu     sync.Mutex
	got    []received
	answer int
}

func newInbox(t *testing.T) *inbox {
	box := &inbox{answer: http.StatusOK}
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	box.url = server.URL
	return box
}

func (b *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	one := received{event: r.Header.Get("X-GitHub-Event"), guid: r.Header.Get("X-GitHub-Delivery")}
	if err != nil || json.Unmarshal(raw, &one.body) != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	one.action, _ = one.body["action"].(string)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, one)
	w.WriteHeader(b.answer)
}

func (b *inbox) take() []received {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.got
	b.got = nil
	return got
}

func (b *inbox) setAnswer(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = status
}

func (b *inbox) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.got)
}

// waitFor waits until a condition holds.
func (w *world) waitFor(holds func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatal("waited in vain")
		}
	}
}

// statusOf is the HTTP status that a client's error tells, 0 for none.
func statusOf(resp *github.Response) int {
	if resp == nil || resp.Response == nil {
		return 0
	}
	return resp.StatusCode
}

// looseWorld is a world without validation, for requests that GitHub's own
// description forbids and the simulator has to refuse.
func looseWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: newHandClock(), box: newInbox(t)}
	s, err := githubsim.New(githubsim.Options{Clock: w.clock.Now, Dir: t.TempDir()})
	w.must(err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	url, err := s.Start()
	w.must(err)
	w.Sim = simtest.Around(t, s, url)
	w.must(s.CreateUser("olga"))
	source, head := bareRepository(t, map[string]string{"README.md": "# Shop\n"})
	w.head = head
	w.must(s.CreateOrganization("acme", []string{"olga"}, nil))
	w.must(s.CreateRepository(t.Context(), "acme", "shop", githubsim.RepoOptions{From: source}))
	w.app, err = s.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "promobot", Permissions: allPermissions})
	w.must(err)
	w.inst, err = s.Install(w.app.ID, "acme")
	w.must(err)
	w.bot = w.InstallationClient(w.app, w.inst)
	return w
}
