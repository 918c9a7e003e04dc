package main

// A scene: the real program, a simulated GitHub over real HTTP that is held to
// GitHub's own description, and people who push with real git.
//
// Rules: what people do goes through GitHub's API or git; what the tests look
// at is GitHub's own state, not what the program says of it; a test waits for a
// condition, or for the program to be at rest, never for time to pass.

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/internal/githubsim/simtest"
	"github.com/promobot/promobot/state"
	"github.com/promobot/promobot/state/results"
)

const (
	sceneOwner  = "acme"
	sceneSecret = "a webhook secret of the tests"
	sceneBot    = "promobot[bot]"
)

// scene is one GitHub, one promobot, one repository, and ana, who maintains it.
type scene struct {
	*checkout
	sim          *simtest.Sim
	app          githubsim.App
	installation int64
	data         string
	log          *syncBuffer
	program      *started
	// settings may change the program's configuration before start.
	settings func(*Config)
	// ahead is how far the program's clock is before the real one.
	ahead atomic.Int64
}

// started is one start of the program.
type started struct {
	stop  context.CancelFunc
	done  chan error
	addr  string
	views *results.Store // known once addr is
}

type sceneOptions struct {
	from        string // bundle or bare repository to import
	files       map[string]string
	permissions map[string]string // the App's; all it needs when nil
	settings    githubsim.RepoOptions
}

// appPermissions are those of the README's set-up.
var appPermissions = map[string]string{
	"contents": "write", "pull_requests": "write", "checks": "write", "issues": "write", "statuses": "read", "deployments": "read",
	"actions": "write", "members": "read",
}

var appEvents = []string{
	"push", "create", "delete", "pull_request", "pull_request_review", "check_run", "check_suite", "status",
	"deployment_status", "workflow_run", "issue_comment", "release", "repository", "repository_dispatch",
}

// sceneKey is the App's key in all scenes: making one takes longer than the rest
// of a scene.
var sceneKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// newScene makes a GitHub with the repository and the App installed on it. The
// program is not running yet.
func newScene(t *testing.T, o sceneOptions) *scene {
	t.Helper()
	s := &scene{sim: simtest.Start(t, githubsim.Options{}), data: t.TempDir(), log: &syncBuffer{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.sim.Undescribed("repository")
	must(s.sim.CreateUser("ana"))
	must(s.sim.CreateUser("bo"))
	must(s.sim.CreateOrganization(sceneOwner, []string{"bo"}, []string{"ana"}))
	s.checkout = newCheckout(t, s.sim, "gitops", o)
	permissions := o.permissions
	if permissions == nil {
		permissions = appPermissions
	}
	var err error
	s.app, err = s.sim.CreateApp(githubsim.AppOptions{Owner: sceneOwner, Name: "promobot", Key: sceneKey(), Permissions: permissions, Events: appEvents})
	must(err)
	s.installation, err = s.sim.Install(s.app.ID, sceneOwner)
	must(err)
	t.Cleanup(func() {
		if t.Failed() {
			j := s.sim.Journal()
			for _, r := range j[max(0, len(j)-10):] {
				t.Logf("request %d %s: %s %s %s: %d %s", r.Number, r.At.Format(time.TimeOnly), r.Login, r.Method, r.Path, r.Status, r.Fault)
			}
			t.Logf("pull requests:%s\nthe program's log:\n%s", s.describe(), tail(s.log.String(), 20))
		}
	})
	return s
}

// config is the program's, unpaced and with hardly any debounce.
func (s *scene) config() Config {
	c := defaultConfig()
	c.Server.Address = "127.0.0.1:0"
	c.GitHub = GitHubConfig{APIURL: s.sim.BaseURL, AppID: s.app.ID, PrivateKey: Secret{string(s.app.PrivateKeyPEM)}, WebhookSecret: Secret{sceneSecret}}
	c.DataDir = s.data
	c.Queue.Debounce = sceneDebounce
	c.StopGrace = 5 * time.Second
	c.Limits = LimitsConfig{}
	if s.settings != nil {
		s.settings(&c)
	}
	return c
}

// now is the program's clock.
func (s *scene) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// start runs the program and points GitHub's webhooks at it.
func (s *scene) start() {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &started{stop: stop, done: make(chan error, 1)}
	p := NewProgram(s.config(), func(ctx context.Context, c Config, log zerolog.Logger, metrics prometheus.Registerer) (Parts, error) {
		parts, err := wireAhead(ctx, func() time.Duration { return time.Duration(s.ahead.Load()) }, c, log, metrics)
		r.views = parts.Views
		return parts, err
	}, zerolog.New(s.log).Level(zerolog.InfoLevel))
	go pprof.Do(ctx, pprof.Labels("data", s.data), func(ctx context.Context) { r.done <- p.Run(ctx) })
	if r.addr = p.Addr(); r.addr == "" {
		stop()
		s.t.Fatalf("the program does not start: %v", <-r.done)
	}
	s.program = r
	s.t.Cleanup(s.stop)
	s.hook(r.addr)
}

// wireAhead is wireAt with a clock so far ahead. The queue's clock is the real
// one: when to look again is told to it by that.
func wireAhead(ctx context.Context, ahead func() time.Duration, c Config, log zerolog.Logger, metrics prometheus.Registerer) (Parts, error) {
	parts, err := wireAt(ctx, func() time.Time { return time.Now().Add(ahead()) }, c, log, metrics)
	if err != nil {
		return parts, err
	}
	look := parts.Reconcile
	parts.Reconcile = func(ctx context.Context, at handlers.Repository) (time.Time, error) {
		next, err := look(ctx, at)
		if err == nil && !next.IsZero() {
			next = next.Add(-ahead())
		}
		return next, err
	}
	return parts, nil
}

// hook points GitHub's webhooks at an address.
func (s *scene) hook(addr string) {
	s.t.Helper()
	if err := s.sim.SetWebhook(s.app.ID, "http://"+addr+"/api/github/hook", sceneSecret); err != nil {
		s.t.Fatal(err)
	}
}

// stop ends the program gracefully; a second time it does nothing.
func (s *scene) stop() {
	if s.program == nil {
		return
	}
	s.program.stop()
	if err := <-s.program.done; err != nil {
		s.t.Errorf("the program's end: %v", err)
	}
	s.program = nil
}

// forget removes everything that the program has on disk.
func (s *scene) forget() {
	s.t.Helper()
	if err := os.RemoveAll(s.data); err != nil {
		s.t.Fatal(err)
	}
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// checkout is a repository of the scene, and ana's clone of it.
type checkout struct {
	t    *testing.T
	sim  *simtest.Sim
	name string // without the owner
	ana  *github.Client
	dir  string
	// known are the ledgers as they stood at these refs.
	known struct {
		refs    map[string]string
		ledgers map[string]state.Environment
	}
}

// newCheckout makes a repository in which ana has the role maintain.
func newCheckout(t *testing.T, sim *simtest.Sim, name string, o sceneOptions) *checkout {
	t.Helper()
	settings := o.settings
	settings.Private, settings.From = true, o.from
	err := sim.CreateRepository(t.Context(), sceneOwner, name, settings)
	c := &checkout{t: t, sim: sim, name: name, ana: sim.UserClient("ana")}
	err = errors.Join(err, sim.SetRole(c.full(), "ana", "maintain"))
	if len(o.files) > 0 {
		files := map[string]*string{}
		for p, text := range o.files {
			files[p] = &text
		}
		_, failed := sim.Commit(t.Context(), c.full(), "ana", "", "set up", files)
		err = errors.Join(err, failed)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *checkout) full() string { return sceneOwner + "/" + c.name }

// remote is the repository's URL with ana's token, for her git alone.
func (c *checkout) remote() string {
	token, err := c.sim.UserToken("ana")
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.Replace(c.sim.URL, "http://", "http://ana:"+token+"@", 1) + "/" + c.full() + ".git"
}

// git runs ana's git in a folder.
func (c *checkout) git(dir string, args ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ana", "GIT_AUTHOR_EMAIL=ana@example.com", "GIT_COMMITTER_NAME=Ana", "GIT_COMMITTER_EMAIL=ana@example.com", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// clone is ana's clone, made when first asked for, with what is on the remote.
func (c *checkout) clone() string {
	c.t.Helper()
	if c.dir == "" {
		c.dir = filepath.Join(c.t.TempDir(), "clone")
		c.git("", "clone", "-q", c.remote(), c.dir)
	}
	c.git(c.dir, "fetch", "-q", "--prune")
	return c.dir
}

// change commits what edit does to the files of a branch's newest commit, and
// pushes it; a branch that is not there begins at main. It returns the commit.
func (c *checkout) change(branch, message string, edit func(dir string) error) string {
	c.t.Helper()
	dir := c.clone()
	from := "origin/main"
	if _, there := c.refs()["refs/heads/"+branch]; there {
		from = "origin/" + branch
	}
	c.git(dir, "checkout", "-q", "--no-track", "-B", branch, from)
	if err := edit(dir); err != nil {
		c.t.Fatal(err)
	}
	c.git(dir, "add", "-A")
	c.git(dir, "commit", "-q", "-m", message)
	c.git(dir, "push", "-q", "origin", "HEAD:refs/heads/"+branch)
	return c.git(dir, "rev-parse", "HEAD")
}

// push commits files on the newest main, and pushes.
func (c *checkout) push(message string, files map[string]string) string {
	c.t.Helper()
	return c.change("main", message, func(dir string) error { return writeFiles(dir, files) })
}

func writeFiles(dir string, files map[string]string) error {
	var failed error
	for p, text := range files {
		at := filepath.Join(dir, p)
		failed = errors.Join(failed, os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644))
	}
	return failed
}

// propose makes a pull request of ana's with files.
func (c *checkout) propose(branch, title string, files map[string]string) *github.PullRequest {
	c.t.Helper()
	c.change(branch, title, func(dir string) error { return writeFiles(dir, files) })
	p, _, err := c.ana.PullRequests.Create(c.t.Context(), sceneOwner, c.name, &github.NewPullRequest{Title: &title, Head: &branch, Base: new("main")})
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// merge merges a pull request as ana.
func (c *checkout) merge(number int, method string) {
	c.t.Helper()
	if _, _, err := c.ana.PullRequests.Merge(c.t.Context(), sceneOwner, c.name, number, "", &github.PullRequestOptions{MergeMethod: method}); err != nil {
		c.t.Fatalf("ana merges #%d: %v", number, err)
	}
}

// setState closes or reopens a pull request as ana.
func (c *checkout) setState(number int, state string) {
	c.t.Helper()
	if _, _, err := c.ana.PullRequests.Edit(c.t.Context(), sceneOwner, c.name, number, &github.PullRequest{State: &state}); err != nil {
		c.t.Fatalf("ana sets #%d %s: %v", number, state, err)
	}
}

// bundle is one of the real repositories, or the test is skipped.
func bundle(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "repos", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the real repository %s is not beside this one: %v", name, err)
	}
	return path
}
