package notify_test

// Receivers over real HTTP, an outbox on disk, and a clock that tests move.

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers/notify"
	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state/outbox"
)

const patience = 3 * time.Minute

// target is a receiver's real server.
type target struct {
	*httptest.Server
	answers  func(n int, w http.ResponseWriter, r *http.Request) // to the nth request, from 1
	requests chan request
	count    atomic.Int64
}

type request struct {
	header http.Header
	body   string
}

func newTarget(t *testing.T, answers func(n int, w http.ResponseWriter, r *http.Request)) *target {
	t.Helper()
	s := &target{answers: answers, requests: make(chan request, 100)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := int(s.count.Add(1))
		if s.answers != nil {
			s.answers(n, w, r)
		}
		s.requests <- request{r.Header.Clone(), string(body)}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *target) next(t *testing.T) request {
	t.Helper()
	select {
	case r := <-s.requests:
		return r
	case <-time.After(patience):
		t.Fatal("nothing is told")
		panic("unreachable")
	}
}

// text is what a Slack-compatible receiver is told.
func (s *target) text(t *testing.T) string {
	t.Helper()
	var body struct{ Text string }
	if err := json.Unmarshal([]byte(s.next(t).body), &body); err != nil {
		t.Fatal(err)
	}
	return body.Text
}

// world is a notifier over an outbox that outlives it.
type world struct {
	*notify.Notifier
	t        *testing.T
	path     string
	box      *outbox.Outbox
	log      *safeBuffer
	resolver *net.Resolver
	stop     func()

	mu sync.Mutex
	at time.Time
}

type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, path: filepath.Join(t.TempDir(), "outbox.db"), log: &safeBuffer{}, at: nine}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) move(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// open makes the notifier; run has it tell.
func (w *world) open(all ...notify.Settings) {
	w.t.Helper()
	var receivers []*notify.Receiver
	for _, s := range all {
		r, err := notify.NewReceiver(s)
		if err != nil {
			w.t.Fatal(err)
		}
		receivers = append(receivers, r)
	}
	var err error
	if w.box, err = outbox.Open(w.t.Context(), w.path, w.now, zerolog.Nop()); err != nil {
		w.t.Fatal(err)
	}
	w.Notifier, err = notify.New(w.t.Context(), notify.Options{
		Receivers: receivers, Outbox: w.box, Now: w.now, UserAgent: "promobot", Log: zerolog.New(w.log), Resolver: w.resolver,
		Rest: func(int) time.Duration { return 0 },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.stop = sync.OnceFunc(func() { _ = w.box.Close() })
	w.t.Cleanup(w.stop)
}

func (w *world) run(all ...notify.Settings) {
	w.t.Helper()
	w.open(all...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx)
	}()
	close := w.stop
	w.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		close()
	})
	w.t.Cleanup(w.stop)
}

func (w *world) saw(r view.Repository) {
	w.t.Helper()
	if err := w.Saw(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
}

// waits is how many messages are not told yet.
func (w *world) waits() int {
	w.t.Helper()
	all, err := w.box.Waiting(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, some := range all {
		n += some
	}
	return n
}

func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("never: %s; the log:\n%s", what, w.log.String())
		}
	}
}

func to(s *target, change ...func(*notify.Settings)) notify.Settings {
	settings := notify.Settings{Name: "ops", Format: notify.Slack, URL: s.URL + "/services/verysecret", AllowPrivate: true}
	for _, c := range change {
		c(&settings)
	}
	return settings
}

func failedAt(n int) view.Repository {
	return staging(func(e *view.Environment) {
		e.Verdicts = []view.Verdict{{Landing: fmt.Sprint("e", n), Outcome: "failed", Reason: fmt.Sprintf("check %d failed", n), Time: minute(n)}}
	})
}
