package main

// The Program over real HTTP with a real queue. GitHub and the loop are functions
// of the test.

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/promobot/promobot/handlers"
)

// sceneGC is how much the heap grows between collections, in percent.
const sceneGC = 400

func TestMain(m *testing.M) {
	serveAsChild()
	sceneAsChild()
	debug.SetGCPercent(sceneGC) // GitHub's description, which all scenes share, is large
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		// Scenes wait for webhooks and ticks most of their time.
		if err := parallel.Value.Set(strconv.Itoa(4 * runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

func TestServeFromWebhookAndSweepToReconcile(t *testing.T) {
	looked := make(chan handlers.Repository, 100)
	r := start(t, testConfig(t), &testApp{repositories: []handlers.Repository{repository(1)}},
		func(_ context.Context, repository handlers.Repository) (time.Time, error) {
			looked <- repository
			return time.Time{}, nil
		})
	if diff := cmp.Diff(repository(1), receive(t, looked)); diff != "" {
		t.Errorf("the sweep's (-want +got):\n%s", diff)
	}
	if status, text := r.push(2); status != http.StatusOK {
		t.Fatalf("answered %d %s", status, text)
	}
	if diff := cmp.Diff(repository(2), receive(t, looked)); diff != "" {
		t.Errorf("the webhook's (-want +got):\n%s", diff)
	}

	if status, text := r.get("/livez"); status != http.StatusOK {
		t.Errorf("/livez: %d %s", status, text)
	}
	r.until("ready", func() bool { status, _ := r.get("/readyz"); return status == http.StatusOK })
	if _, text := r.get("/readyz"); text != "queue: ok\ngit: ok\ngithub: ok\nsweep: ok\n" {
		t.Errorf("/readyz: %q", text)
	}
	if status, _ := r.get("/nowhere"); status != http.StatusNotFound {
		t.Errorf("/nowhere: %d", status)
	}
	r.until("both runs counted", func() bool {
		_, text := r.get("/metrics")
		return strings.Contains(text, `promobot_runs_total{result="done"} 2`)
	})
	status, metrics := r.get("/metrics")
	if status != http.StatusOK {
		t.Errorf("/metrics: %d", status)
	}
	for _, line := range []string{
		`promobot_webhook_events_total{event="push",result="woken"} 1`,
		`promobot_wakes_total{cause="webhook"} 1`,
		`promobot_wakes_total{cause="sweep"} 1`,
		`promobot_sweeps_total{result="complete"} 1`,
		`promobot_queue_keys{state="due"} 0`,
		`promobot_queue_keys{state="running"} 0`,
		`promobot_queue_oldest_due_seconds 0`,
		`promobot_run_duration_seconds_count 2`,
		`promobot_run_wait_seconds_count 2`,
		`go_goroutines `,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	r.stopWell()
}

func TestServeIsLiveButNotReadyWithoutGitHub(t *testing.T) {
	app := &testApp{}
	app.down.Store(true)
	r := start(t, testConfig(t), app, func(context.Context, handlers.Repository) (time.Time, error) { return time.Time{}, nil })
	if status, _ := r.get("/livez"); status != http.StatusOK {
		t.Errorf("/livez: %d", status)
	}
	if status, text := r.get("/readyz"); status != http.StatusServiceUnavailable || text != "queue: ok\ngit: ok\ngithub: not ready\nsweep: not ready\n" {
		t.Errorf("/readyz: %d %q", status, text)
	}
	if status, _ := r.push(2); status != http.StatusOK {
		t.Errorf("a webhook was answered %d; taking it needs no GitHub", status)
	}
	r.stopWell()
}

// TestServeStops: what runs may end within the grace; what does not is cancelled
// and done at the next start; what waits is done at the next start.
func TestServeStops(t *testing.T) {
	cases := []struct {
		name    string
		grace   time.Duration
		ends    bool // the work, after the stop
		atStart []int64
	}{
		{"work that ends is finished", time.Minute, true, []int64{2}},
		{"work that does not is left", 50 * time.Millisecond, false, []int64{1, 2}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			config := testConfig(t)
			config.Workers, config.StopGrace = 1, c.grace
			began, end := make(chan handlers.Repository, 10), make(chan struct{})
			r := start(t, config, &testApp{}, func(ctx context.Context, repository handlers.Repository) (time.Time, error) {
				began <- repository
				select {
				case <-end:
					return time.Time{}, nil
				case <-ctx.Done():
					return time.Time{}, ctx.Err()
				}
			})
			r.push(1)
			receive(t, began)
			r.push(2) // waits: there is one worker
			r.stop()
			if c.ends {
				r.until("told to stop", func() bool { return strings.Contains(r.log.String(), "promobot stops") })
				close(end)
			}
			if err := r.wait(); err != nil {
				t.Fatalf("stop: %v", err)
			}

			again := make(chan int64, 10)
			r = start(t, config, &testApp{}, func(_ context.Context, repository handlers.Repository) (time.Time, error) {
				again <- repository.ID
				return time.Time{}, nil
			})
			for _, want := range c.atStart {
				if got := receive(t, again); got != want {
					t.Errorf("at the next start repository %d is looked at, want %d", got, want)
				}
			}
			r.until("all done", func() bool {
				_, text := r.get("/metrics")
				return strings.Contains(text, fmt.Sprintf(`promobot_runs_total{result="done"} %d`, len(c.atStart)))
			})
			r.stopWell()
			if len(again) > 0 {
				t.Errorf("repository %d is looked at too", <-again)
			}
		})
	}
}

func TestServeGoesOnWhenOneRepositoryFails(t *testing.T) {
	looked := make(chan int64, 100)
	r := start(t, testConfig(t), &testApp{}, func(_ context.Context, repository handlers.Repository) (time.Time, error) {
		switch repository.ID {
		case 1:
			return time.Time{}, errors.New("502")
		case 2:
			panic("surprise")
		}
		looked <- repository.ID
		return time.Time{}, nil
	})
	for n := range int64(3) {
		if status, _ := r.push(n + 1); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
	}
	if got := receive(t, looked); got != 3 {
		t.Errorf("looked at %d", got)
	}
	r.until("the failures counted", func() bool {
		_, text := r.get("/metrics")
		return strings.Contains(text, `promobot_queue_keys{state="failing"} 2`)
	})
	r.stopWell()
}

func TestServeCannotStart(t *testing.T) {
	taken := start(t, testConfig(t), &testApp{}, func(context.Context, handlers.Repository) (time.Time, error) { return time.Time{}, nil })
	file := writeFile(t, "file", "")
	cases := []struct {
		name   string
		change func(*Config)
		wire   error
		says   string
	}{
		{"the address is taken", func(c *Config) { c.Server.Address = taken.Addr() }, nil, "server.address"},
		{"the folder is a file", func(c *Config) { c.DataDir = file }, nil, "data_dir"},
		{"another one has the folder", func(c *Config) { c.DataDir = taken.config.DataDir }, nil, "another process uses the file"},
		{"the parts cannot be made", func(*Config) {}, errors.New("no mirrors"), "no mirrors"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			config := testConfig(t)
			c.change(&config)
			closed := false
			program := NewProgram(config, func(context.Context, Config, zerolog.Logger, prometheus.Registerer) (Parts, error) {
				return Parts{App: &testApp{}, Close: func() error { closed = true; return nil }}, c.wire
			}, zerolog.Nop())
			err := program.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error that says %q", err, c.says)
			}
			if program.Addr() != "" {
				t.Errorf("it listens on %s", program.Addr())
			}
			if c.name == "the address is taken" && !closed {
				t.Error("the parts were not closed")
			}
		})
	}
	taken.stopWell()
}

// TestServeWithoutItsFiles: the data folder holds nothing that a sweep does not
// find again.
func TestServeWithoutItsFiles(t *testing.T) {
	config := testConfig(t)
	app := &testApp{repositories: []handlers.Repository{repository(1)}}
	looked := make(chan int64, 10)
	reconcile := func(_ context.Context, repository handlers.Repository) (time.Time, error) {
		looked <- repository.ID
		return time.Time{}, nil
	}
	for range 2 {
		r := start(t, config, app, reconcile)
		if got := receive(t, looked); got != 1 {
			t.Fatalf("looked at %d", got)
		}
		r.stopWell()
		if err := os.RemoveAll(config.DataDir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServeCommandRefusesABadConfiguration(t *testing.T) {
	command := newServeCommand(nil)
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetErr(&out)
	command.SetArgs([]string{"--config", writeFile(t, "config.yml", "wrokers: 3\n")})
	err := command.ExecuteContext(t.Context())
	if err == nil || !strings.Contains(err.Error(), "there is no setting wrokers; did you mean workers?") {
		t.Fatalf("got %v", err)
	}
}

func TestGitCheck(t *testing.T) {
	cases := []struct {
		name, answer, says string
	}{
		{"new", "git version 2.47.1", ""},
		{"just new enough", "git version 2.39.5 (Apple Git-154)", ""},
		{"the next", "git version 3.0.0", ""},
		{"too old", "git version 2.38.9", "is git 2.38; promobot needs 2.39 or newer"},
		{"something else", "hello", "does not answer as git does"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "git")
			script := "#!/bin/sh\necho '" + c.answer + "'\n"
			if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			err := gitCheck(program)(t.Context())
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
	if err := gitCheck("/nowhere/git")(t.Context()); err == nil || !strings.Contains(err.Error(), "git.path") {
		t.Errorf("without git: %v", err)
	}
}
