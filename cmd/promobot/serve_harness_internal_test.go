package main

// A program under test: started, asked over HTTP, stopped.

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
)

// patience bounds waiting for what has to happen.
const patience = 3 * time.Minute

// testApp is GitHub as the program itself sees it.
type testApp struct {
	repositories []handlers.Repository
	down         atomic.Bool
}

func (a *testApp) Installations(context.Context) ([]int64, error) {
	if a.down.Load() {
		return nil, errors.New("502")
	}
	return []int64{3}, nil
}

func (a *testApp) Repositories(context.Context, int64) ([]handlers.Repository, error) {
	return a.repositories, nil
}

func (a *testApp) Authenticated(context.Context) error {
	if a.down.Load() {
		return errors.New("502")
	}
	return nil
}

// running is a program under test.
type running struct {
	*Program
	t     *testing.T
	stop  context.CancelFunc
	ended chan error
	log   *syncBuffer
}

type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func testConfig(t *testing.T) Config {
	t.Helper()
	config := requiredConfig()
	config.DataDir = filepath.Join(t.TempDir(), "data")
	config.Server.Address = "127.0.0.1:0"
	config.Queue.Debounce = 0
	config.StopGrace = 5 * time.Second
	return config
}

func start(t *testing.T, config Config, app App, reconcile Reconcile) *running {
	t.Helper()
	return startParts(t, config, Parts{App: app, Reconcile: reconcile})
}

func startParts(t *testing.T, config Config, parts Parts) *running {
	t.Helper()
	r := &running{t: t, ended: make(chan error, 1), log: &syncBuffer{}}
	wire := func(context.Context, Config, zerolog.Logger, prometheus.Registerer) (Parts, error) { return parts, nil }
	r.Program = NewProgram(config, wire, zerolog.New(r.log))
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			t.Logf("log:\n%s", r.log.String())
		}
	})
	return r
}

func (r *running) wait() error {
	r.t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		r.t.Fatal("the program does not stop")
		return nil
	}
}

func (r *running) stopWell() {
	r.t.Helper()
	r.stop()
	if err := r.wait(); err != nil {
		r.t.Fatalf("stop: %v", err)
	}
}

func (r *running) do(request *http.Request) (int, string) {
	r.t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func (r *running) get(path string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.Addr()+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.do(request)
}

// push delivers a push to repository n.
func (r *running) push(n int64) (int, string) {
	r.t.Helper()
	return r.deliver("push", fmt.Sprintf(`{"installation":{"id":3},"repository":{"id":%d,"full_name":"acme/r%d"}}`, n, n))
}

// deliver delivers an event.
func (r *running) deliver(event, body string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://"+r.Addr()+"/api/github/hook", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte("hush"))
	mac.Write([]byte(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-GitHub-Event", event)
	request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return r.do(request)
}

// until polls a condition.
func (r *running) until(what string, condition func() bool) {
	r.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("never: %s", what)
		}
	}
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func repository(n int64) handlers.Repository {
	return handlers.Repository{InstallationID: 3, ID: n, Owner: "acme", Name: fmt.Sprint("r", n)}
}
