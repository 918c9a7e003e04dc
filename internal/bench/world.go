package main

// A world of a bench: a simulated GitHub behind the latency, an App, and
// repositories made with real git.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/promobot/promobot/internal/githubsim"
)

const (
	owner = "acme"
	// ours is the repository that promobot works on, scripts that of the scripts.
	ours    = "gitops"
	scripts = "scripted"
	person  = "ana"
	secret  = "the webhook secret of a bench" //nolint:gosec // of a simulated GitHub on this machine
)

// permissions and events are those that the README asks for.
var (
	permissions = map[string]string{
		"contents": "write", "pull_requests": "write", "checks": "write", "issues": "write", "statuses": "read", "deployments": "read",
		"actions": "write", "members": "read",
	}
	events = []string{
		"push", "create", "delete", "pull_request", "pull_request_review", "check_run", "check_suite", "status",
		"deployment_status", "workflow_run", "issue_comment", "release", "repository", "repository_dispatch",
	}
)

// world is one simulated GitHub. Replicas started in it end with it.
type world struct {
	bench    *bench
	dir      string
	sim      *githubsim.Server
	traffic  *traffic
	app      githubsim.App
	install  int64
	hooks    *fanout
	replicas []*replica
	begun    time.Time
	name     string
	debounce time.Duration // of the replicas
}

// newWorld makes a GitHub in which the App is installed on ours, which is made
// of files. The program is not running yet.
func (b *bench) newWorld(ctx context.Context, name string, files iter.Seq2[string, string]) (_ *world, err error) {
	w := &world{
		bench: b, name: fmt.Sprintf("%d-%s", b.number, name), traffic: newTraffic(b.api, b.git), begun: time.Now(),
	}
	w.dir = filepath.Join(b.dir, w.name)
	if err := os.RemoveAll(w.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(w.dir, 0o750); err != nil {
		return nil, err
	}
	w.sim, err = githubsim.New(githubsim.Options{
		Dir: filepath.Join(w.dir, "github"),
		Wrap: func(next http.Handler) http.Handler {
			w.traffic.next = next
			return w.traffic
		},
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			if w.hooks != nil {
				err = errors.Join(err, w.hooks.close())
			}
			err = errors.Join(err, w.sim.Close())
		}
	}()
	if _, err := w.sim.Start(); err != nil {
		return nil, err
	}
	err = errors.Join(w.sim.CreateUser(person), w.sim.CreateOrganization(owner, nil, []string{person}))
	if err != nil {
		return nil, err
	}
	if err := w.repository(ctx, ours, files); err != nil {
		return nil, err
	}
	w.app, err = w.sim.CreateApp(githubsim.AppOptions{Owner: owner, Name: "promobot", Permissions: permissions, Events: events})
	if err != nil {
		return nil, err
	}
	if w.install, err = w.sim.Install(w.app.ID, owner, ours); err != nil {
		return nil, err
	}
	// An hour's quota is not what is measured here.
	w.sim.LimitInstallation(w.install, 1_000_000)
	if w.hooks, err = newFanout(ctx); err != nil {
		return nil, err
	}
	return w, w.sim.SetWebhook(w.app.ID, w.hooks.url, secret)
}

// close ends the replicas and the simulator, and removes what they made.
func (w *world) close() error {
	var err error
	for _, r := range w.replicas {
		err = errors.Join(err, r.stop())
	}
	err = errors.Join(err, w.hooks.close(), w.sim.Close())
	if w.bench.trace {
		err = errors.Join(err, w.writeTrace())
	}
	return errors.Join(err, os.RemoveAll(w.dir))
}

// ending joins a world's end to a bench's error.
func ending(w *world, err *error) { *err = errors.Join(*err, w.close()) }

func (w *world) writeTrace() error {
	var text strings.Builder
	for _, e := range w.traffic.since(0) {
		text.WriteString(e.line(w.begun))
	}
	for i, r := range w.replicas {
		log, err := os.ReadFile(r.logFile())
		if err != nil {
			return err
		}
		if err := os.WriteFile(fmt.Sprintf("%s.promobot-%d.log", w.dir, i), log, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(w.dir+".trace", []byte(text.String()), 0o600)
}

func full(repository string) string { return owner + "/" + repository }

// repository makes a repository of files, in one commit.
func (w *world) repository(ctx context.Context, name string, files iter.Seq2[string, string]) error {
	from := filepath.Join(w.dir, name+".git")
	if _, err := gitIn(ctx, "", nil, "init", "--quiet", "--bare", "--initial-branch=main", from); err != nil {
		return err
	}
	stream, feed := io.Pipe()
	go func() { _ = feed.CloseWithError(fastImport(feed, files)) }() // it never fails
	_, err := gitIn(ctx, from, stream, "fast-import", "--quiet")
	if err = errors.Join(err, stream.Close()); err != nil {
		return err
	}
	err = w.sim.CreateRepository(ctx, owner, name, githubsim.RepoOptions{From: from, Private: true})
	if err != nil {
		return err
	}
	return errors.Join(w.sim.SetRole(full(name), person, "maintain"), os.RemoveAll(from))
}

// fastImport writes files as one commit for git fast-import.
func fastImport(to io.Writer, files iter.Seq2[string, string]) error {
	out := bufio.NewWriter(to)
	fmt.Fprintf(out, "commit refs/heads/main\ncommitter Ana <ana@example.com> %d +0000\ndata 6\nset up\n", time.Now().Add(-time.Hour).Unix())
	for path, text := range files {
		fmt.Fprintf(out, "M 100644 inline %s\ndata %d\n%s\n", path, len(text), text)
	}
	return out.Flush()
}

// push makes a person's push of files to promobot's main, without HTTP: it costs nothing
// of what is measured, and its webhook is under way when it returns.
func (w *world) push(ctx context.Context, message string, files map[string]string) (string, error) {
	changes := map[string]*string{}
	for path, text := range files {
		changes[path] = &text
	}
	return w.sim.Commit(ctx, full(ours), person, "main", message, changes)
}

// bare runs git in the simulator's own repository, to look.
func (w *world) bare(ctx context.Context, repository string, stdin io.Reader, args ...string) ([]byte, error) {
	path, err := w.sim.Path(full(repository))
	if err != nil {
		return nil, err
	}
	return gitIn(ctx, path, stdin, args...)
}

// gitIn runs git with no configuration but its own.
func gitIn(ctx context.Context, dir string, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdin = dir, stdin
	cmd.Env = plainEnvironment()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

// plainEnvironment is git's, without the machine's and the user's settings.
func plainEnvironment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.DevNull, "LC_ALL=C",
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ana", "GIT_AUTHOR_EMAIL=ana@example.com", "GIT_COMMITTER_NAME=Ana", "GIT_COMMITTER_EMAIL=ana@example.com",
	}
}

// types asks the simulator's repository of which type objects are.
func (w *world) types(ctx context.Context) func(path string) typesOf {
	return func(path string) typesOf {
		return func(ids []string) (map[string]string, error) {
			out, err := w.bare(ctx, strings.TrimPrefix(path, owner+"/"), strings.NewReader(strings.Join(ids, "\n")+"\n"), "cat-file", "--batch-check")
			return readTypes(out), err
		}
	}
}

// patience bounds the wait for anything that has to happen.
func (b *bench) patience() time.Duration {
	if b.quick {
		return time.Minute
	}
	return 10 * time.Minute
}

// until waits until something holds that a push brings about, and returns when
// the look that found it began.
func (w *world) until(ctx context.Context, what string, holds func(context.Context) (bool, error)) (time.Time, error) {
	return w.poll(ctx, what, w.traffic.change, 500*time.Millisecond, holds)
}

// poll looks whether something holds: whenever changed, which may be nil, is
// closed, and every so often.
func (w *world) poll(ctx context.Context, what string, changed func() <-chan struct{}, often time.Duration, holds func(context.Context) (bool, error)) (time.Time, error) {
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, w.bench.patience())
	defer cancel()
	tick := time.NewTicker(often)
	defer tick.Stop()
	for {
		var change <-chan struct{}
		if changed != nil {
			change = changed()
		}
		at := time.Now()
		if ok, err := holds(ctx); ok || err != nil && ctx.Err() == nil {
			return at, err
		}
		select {
		case <-change:
		case <-tick.C:
		case <-ctx.Done():
			if outer.Err() != nil {
				return time.Time{}, outer.Err()
			}
			return time.Time{}, fmt.Errorf("in %v this did not happen: %s\n%s", w.bench.patience(), what, w.tails())
		}
		for _, r := range w.replicas {
			if err := r.alive(); err != nil {
				return time.Time{}, fmt.Errorf("while waiting: %s: %w", what, err)
			}
		}
	}
}

// tails are the last lines of the replicas' logs.
func (w *world) tails() string {
	var b strings.Builder
	for i, r := range w.replicas {
		fmt.Fprintf(&b, "replica %d:\n%s\n", i, r.tail(15))
	}
	return b.String()
}
