package main

// A scene: the real program, a simulated GitHub over real HTTP that is held to
// GitHub's own description, and people who push with real git.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/internal/githubsim/simtest"
	"github.com/promobot/promobot/state"
)

const (
	sceneRepo   = "acme/gitops"
	sceneSecret = "a webhook secret of the tests"
)

// scene is one GitHub, one promobot, one repository, and ana, who maintains it.
type scene struct {
	t       *testing.T
	sim     *simtest.Sim
	app     githubsim.App
	ana     *github.Client
	data    string
	clone   string
	log     *bytes.Buffer
	program *started
}

// started is one start of the program.
type started struct {
	stop context.CancelFunc
	done chan error
}

type sceneOptions struct {
	from     string // bundle or bare repository to import
	files    map[string]string
	noClone  bool
	options  githubsim.Options
	settings githubsim.RepoOptions
}

// appPermissions are those of the README's set-up.
var appPermissions = map[string]string{
	"contents": "write", "pull_requests": "write", "checks": "write", "issues": "read", "statuses": "read", "deployments": "read",
}

var appEvents = []string{
	"push", "create", "delete", "pull_request", "pull_request_review", "check_run", "check_suite", "status",
	"deployment_status", "issue_comment", "release", "repository", "repository_dispatch",
}

// newScene makes a GitHub with the repository and the App installed on it. The
// program is not running yet.
func newScene(t *testing.T, o sceneOptions) *scene {
	t.Helper()
	s := &scene{t: t, sim: simtest.Start(t, o.options), data: t.TempDir(), log: &bytes.Buffer{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.sim.CreateUser("ana"))
	must(s.sim.CreateUser("bo"))
	must(s.sim.CreateOrganization("acme", []string{"bo"}, []string{"ana"}))
	settings := o.settings
	settings.Private, settings.From = true, o.from
	must(s.sim.CreateRepository(t.Context(), "acme", "gitops", settings))
	must(s.sim.SetRole(sceneRepo, "ana", "maintain"))
	if len(o.files) > 0 {
		files := map[string]*string{}
		for p, text := range o.files {
			files[p] = &text
		}
		_, err := s.sim.Commit(t.Context(), sceneRepo, "ana", "", "set up", files)
		must(err)
	}
	app, err := s.sim.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "promobot", Permissions: appPermissions, Events: appEvents})
	must(err)
	s.app = app
	_, err = s.sim.Install(app.ID, "acme")
	must(err)
	s.ana = s.sim.UserClient("ana")
	if !o.noClone {
		s.clone = filepath.Join(t.TempDir(), "clone")
		s.git("", "clone", "-q", s.remote(), s.clone)
	}
	return s
}

// remote is the repository's URL with ana's token, for her git alone.
func (s *scene) remote() string {
	token, err := s.sim.UserToken("ana")
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Replace(s.sim.URL, "http://", "http://ana:"+token+"@", 1) + "/" + sceneRepo + ".git"
}

// config is the program's, unpaced and without debounce.
func (s *scene) config() Config {
	c := defaultConfig()
	c.Server.Address = "127.0.0.1:0"
	c.GitHub = GitHubConfig{APIURL: s.sim.BaseURL, AppID: s.app.ID, PrivateKey: Secret{string(s.app.PrivateKeyPEM)}, WebhookSecret: Secret{sceneSecret}}
	c.DataDir = s.data
	c.Queue.Debounce = 10 * time.Millisecond
	c.StopGrace = 5 * time.Second
	c.Limits = LimitsConfig{}
	c.Log.Level = "debug"
	return c
}

// start runs the program and points GitHub's webhooks at it.
func (s *scene) start() {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := NewProgram(s.config(), wire, zerolog.New(zerolog.SyncWriter(s.log)))
	r := &started{stop: stop, done: make(chan error, 1)}
	go func() { r.done <- p.Run(ctx) }()
	addr := p.Addr()
	if addr == "" {
		stop()
		s.t.Fatalf("the program does not start: %v", <-r.done)
	}
	if err := s.sim.SetWebhook(s.app.ID, "http://"+addr+"/api/github/hook", sceneSecret); err != nil {
		s.t.Fatal(err)
	}
	s.program = r
	s.t.Cleanup(s.stop)
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
	if s.t.Failed() {
		s.t.Logf("the program's log:\n%s", tail(s.log.String(), 60))
	}
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// git runs ana's git.
func (s *scene) git(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ana", "GIT_AUTHOR_EMAIL=ana@example.com", "GIT_COMMITTER_NAME=Ana", "GIT_COMMITTER_EMAIL=ana@example.com", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// push commits files (nil removes) on the newest main, and pushes.
func (s *scene) push(message string, files map[string]string) string {
	s.t.Helper()
	s.git(s.clone, "pull", "-q", "--rebase")
	for p, text := range files {
		at := filepath.Join(s.clone, p)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
			s.t.Fatal(err)
		}
	}
	s.git(s.clone, "add", "-A")
	s.git(s.clone, "commit", "-q", "-m", message)
	s.git(s.clone, "push", "-q")
	return s.git(s.clone, "rev-parse", "HEAD")
}

// read is a file in ana's clone as it stands on the newest main.
func (s *scene) read(path string) string {
	s.t.Helper()
	s.git(s.clone, "fetch", "-q", "origin")
	cmd := exec.CommandContext(s.t.Context(), "git", "show", "origin/main:"+path)
	cmd.Dir = s.clone
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("reading %s: %v", path, err)
	}
	return string(out)
}

// wait waits until something holds, which the program brings about.
func (s *scene) wait(what string, holds func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain: %s\npull requests: %s\nthe program's log:\n%s", what, s.describe(), tail(s.log.String(), 40))
		}
		<-tick.C
	}
}

func (s *scene) describe() string {
	var b strings.Builder
	for _, p := range s.pulls() {
		fmt.Fprintf(&b, "\n#%d %s %s %s merged=%v", p.GetNumber(), p.GetState(), p.GetHead().GetRef(), p.GetTitle(), p.MergedAt != nil)
	}
	return b.String()
}

// pulls are all pull requests, oldest first.
func (s *scene) pulls() []*github.PullRequest {
	s.t.Helper()
	var all []*github.PullRequest
	for page := 1; page != 0; {
		ps, resp, err := s.ana.PullRequests.List(s.t.Context(), "acme", "gitops", &github.PullRequestListOptions{State: "all", ListOptions: github.ListOptions{Page: page, PerPage: 100}})
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, ps...)
		page = resp.NextPage
	}
	slices.Reverse(all)
	return all
}

// open are the open promotion pull requests by environment.
func (s *scene) open() map[string]*github.PullRequest {
	m := map[string]*github.PullRequest{}
	for _, p := range s.pulls() {
		pipeline, environment, ok := state.ParseBranch(p.GetHead().GetRef())
		if ok && p.GetState() == "open" {
			if m[environment] != nil && !strings.Contains(pipeline, "/") {
				s.t.Fatalf("two open pull requests in %s", environment)
			}
			m[environment] = p
		}
	}
	return m
}

// ledgers are the states of a pipeline's environments.
func (s *scene) ledgers() map[string]state.Environment {
	s.t.Helper()
	out := s.git(s.clone, "ls-remote", "origin", "refs/promobot/*")
	m := map[string]state.Environment{}
	if out == "" {
		return m
	}
	s.git(s.clone, "fetch", "-q", "origin", "+refs/promobot/*:refs/promobot/*")
	for line := range strings.SplitSeq(out, "\n") {
		id, ref, _ := strings.Cut(line, "\t")
		e, err := state.Peek(s.git(s.clone, "log", "-1", "--format=%B", id))
		if err != nil {
			s.t.Fatal(err)
		}
		pipeline, environment, err := state.ParseRef(ref)
		if err != nil {
			s.t.Fatal(err)
		}
		m[pipeline+"/"+environment] = e.State
	}
	return m
}

// merge merges a pull request as ana.
func (s *scene) merge(number int, method string) {
	s.t.Helper()
	if _, _, err := s.ana.PullRequests.Merge(s.t.Context(), "acme", "gitops", number, "", &github.PullRequestOptions{MergeMethod: method}); err != nil {
		s.t.Fatalf("ana merges #%d: %v", number, err)
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

