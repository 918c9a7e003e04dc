package main

// The demo's world: GitHub, the App, promobot, and the people's git.

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers/signin"
	"github.com/promobot/promobot/internal/githubsim"
)

type demoWorld struct {
	sim     *githubsim.Server
	app     githubsim.App
	owner   string
	name    string
	dir     string
	clone   string
	pages   string // promobot's own
	log     *demoLog
	stopped chan error
	stop    context.CancelFunc

	patience time.Duration // how long one thing may be waited for
}

const (
	demoOwner  = "acme"
	demoSecret = "the demo's webhook secret" //nolint:gosec // of a simulated GitHub on this machine
	// demoSweep is short: nobody watches a demo for five minutes.
	demoSweep = 2 * time.Second
)

// demoPermissions are those of the README's set-up.
var demoPermissions = map[string]string{
	"contents": "write", "pull_requests": "write", "checks": "write", "issues": "write", "statuses": "read", "deployments": "read",
	"actions": "write", "members": "read",
}

var demoEvents = []string{
	"push", "create", "delete", "pull_request", "pull_request_review", "check_run", "check_suite", "status",
	"deployment_status", "workflow_run", "issue_comment", "release", "repository", "repository_dispatch",
}

// newDemoWorld starts GitHub with the repository; promobot is not running yet.
func newDemoWorld(ctx context.Context, dir string, o demoOptions, stderr io.Writer) (*demoWorld, error) {
	sim, err := githubsim.New(githubsim.Options{Dir: filepath.Join(dir, "github")})
	if err != nil {
		return nil, err
	}
	w := &demoWorld{sim: sim, owner: demoOwner, name: "gitops", dir: dir, clone: filepath.Join(dir, "clone"), log: &demoLog{}, patience: demoPatience}
	if o.verbose {
		w.log.also = stderr
	}
	if _, err := sim.StartOn(o.address); err != nil {
		return nil, errors.Join(fmt.Errorf("the simulated GitHub does not start: %w", err), sim.Close())
	}
	if err := w.people(ctx, o); err != nil {
		return nil, errors.Join(err, sim.Close())
	}
	return w, nil
}

func (w *demoWorld) repository() string { return w.owner + "/" + w.name }

// people make the accounts, the repository and the App.
func (w *demoWorld) people(ctx context.Context, o demoOptions) error {
	for _, login := range []string{"ana", "bo"} {
		if err := w.sim.CreateUser(login); err != nil {
			return err
		}
	}
	if err := w.sim.CreateOrganization(w.owner, []string{"bo"}, []string{"ana"}); err != nil {
		return err
	}
	options := githubsim.RepoOptions{Description: "What runs where"}
	if o.repo != "" {
		options = githubsim.RepoOptions{From: filepath.Join(w.dir, "copy.git")}
		if err := copyRepository(ctx, o.repo, options.From); err != nil {
			return err
		}
		w.name, w.patience = repositoryName(o.repo), repoPatience
	}
	if err := w.sim.CreateRepository(ctx, w.owner, w.name, options); err != nil {
		return err
	}
	if o.repo == "" {
		files := map[string]*string{}
		for path, text := range maps.All(demoFiles()) {
			files[path] = &text
		}
		if _, err := w.sim.Commit(ctx, w.repository(), "ana", "main", "Everything as it runs today", files); err != nil {
			return err
		}
	}
	for _, login := range []string{"ana", "bo"} {
		if err := w.sim.SetRole(w.repository(), login, "maintain"); err != nil {
			return err
		}
	}
	app, err := w.sim.CreateApp(githubsim.AppOptions{Owner: w.owner, Name: "promobot", Permissions: demoPermissions, Events: demoEvents})
	w.app = app
	return err
}

// install installs the App and starts promobot.
func (w *demoWorld) install(ctx context.Context) error {
	if _, err := w.sim.Install(w.app.ID, w.owner); err != nil {
		return err
	}
	address, err := demoAddress(ctx)
	if err != nil {
		return err
	}
	w.pages = "http://" + address
	if err := w.sim.SetCallbacks(w.app.ID, w.pages+signin.CallbackPath); err != nil {
		return err
	}
	c := defaultConfig()
	c.Server = ServerConfig{Address: address, PublicURL: w.pages}
	c.Pages = PagesConfig{ClientID: w.app.ClientID, ClientSecret: Secret{w.app.ClientSecret}}
	c.GitHub = GitHubConfig{
		APIURL: w.sim.URL() + "/api/v3/", AppID: w.app.ID,
		PrivateKey: Secret{string(w.app.PrivateKeyPEM)}, WebhookSecret: Secret{demoSecret},
	}
	c.DataDir = filepath.Join(w.dir, "data")
	c.Queue.Debounce = 50 * time.Millisecond
	c.SweepInterval = demoSweep
	c.Limits = LimitsConfig{}
	ctx, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	program := NewProgram(c, wire, zerolog.New(w.log).Level(zerolog.InfoLevel).With().Timestamp().Logger())
	w.stopped = make(chan error, 1)
	go func() { w.stopped <- program.Run(ctx) }()
	addr := program.Addr()
	if addr == "" {
		err := <-w.stopped
		w.stop = nil
		return fmt.Errorf("promobot does not start: %w", err)
	}
	return w.sim.SetWebhook(w.app.ID, "http://"+addr+"/api/github/hook", demoSecret)
}

// demoAddress is one of this machine's that nothing listens on: people have to be
// told it before promobot does.
func demoAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("promobot has nowhere to listen: %w", err)
	}
	return l.Addr().String(), l.Close()
}

func (w *demoWorld) close() {
	if w.stop != nil {
		w.stop()
		if err := <-w.stopped; err != nil {
			w.log.note("promobot did not stop cleanly: " + err.Error())
		}
	}
	if err := w.sim.Close(); err != nil {
		w.log.note("the simulated GitHub did not stop cleanly: " + err.Error())
	}
}

// client is GitHub's API as a person uses it.
func (w *demoWorld) client(login string) (*github.Client, error) {
	token, err := w.sim.UserToken(login)
	if err != nil {
		return nil, err
	}
	return github.NewClient(nil).WithAuthToken(token).WithEnterpriseURLs(w.sim.URL(), w.sim.URL())
}

// git runs a person's git on the clone.
func (w *demoWorld) git(ctx context.Context, login, dir string, args ...string) (string, error) {
	token, err := w.sim.UserToken(login)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME="+login, "GIT_AUTHOR_EMAIL="+login+"@acme.example", "GIT_COMMITTER_NAME="+login, "GIT_COMMITTER_EMAIL="+login+"@acme.example",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http."+w.sim.URL()+"/.extraHeader",
		"GIT_CONFIG_VALUE_0=Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(login+":"+token)))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// push changes files on the newest main and pushes; it returns the commit.
func (w *demoWorld) push(ctx context.Context, login, message string, change func(read func(string) (string, error), write func(path, text string) error) error) (string, error) {
	if _, err := os.Stat(w.clone); errors.Is(err, os.ErrNotExist) {
		if _, err := w.git(ctx, login, w.dir, "clone", "-q", w.sim.URL()+"/"+w.repository()+".git", w.clone); err != nil {
			return "", err
		}
	}
	if _, err := w.git(ctx, login, w.clone, "pull", "-q", "--rebase"); err != nil {
		return "", err
	}
	read := func(path string) (string, error) {
		b, err := os.ReadFile(filepath.Join(w.clone, path))
		return string(b), err
	}
	write := func(path, text string) error { return os.WriteFile(filepath.Join(w.clone, path), []byte(text), 0o644) }
	if err := change(read, write); err != nil {
		return "", err
	}
	for _, args := range [][]string{{"add", "-A"}, {"commit", "-q", "-m", message}, {"push", "-q"}} {
		if _, err := w.git(ctx, login, w.clone, args...); err != nil {
			return "", err
		}
	}
	return w.git(ctx, login, w.clone, "rev-parse", "HEAD")
}

// until waits until something holds.
func (w *demoWorld) until(ctx context.Context, n *narrator, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, w.patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	defer n.progress("")
	for {
		ok, err := holds()
		if ok || err != nil {
			return err
		}
		n.progress(what)
		select {
		case <-tick.C:
		case err := <-w.stopped:
			w.stop = nil
			return fmt.Errorf("promobot ended while waiting: %s: %w", what, err)
		case <-ctx.Done():
			return fmt.Errorf("this did not happen: %s", what)
		}
	}
}

// demoLog keeps promobot's log for the case that something goes wrong.
type demoLog struct {
	mu    sync.Mutex
	lines []string
	also  io.Writer
}

const demoLogKept = 30

// Write keeps a line of the log.
func (l *demoLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.TrimSpace(string(line)))
	if len(l.lines) > demoLogKept {
		l.lines = l.lines[1:]
	}
	if l.also != nil {
		return l.also.Write(line)
	}
	return len(line), nil
}

// note adds a line of the demo's own.
func (l *demoLog) note(line string) {
	if _, err := l.Write([]byte(line + "\n")); err != nil {
		return // the terminal is gone, and with it whom to tell
	}
}

func (l *demoLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}
