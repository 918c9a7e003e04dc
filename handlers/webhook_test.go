package handlers_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
)

const (
	secret = "a secret of the tests"
	appID  = 7
)

// recorder is a Waker, and Mail, that remembers, and fails when told to.
type recorder struct {
	mu     sync.Mutex
	woken  []handlers.Repository
	posted map[handlers.Repository][]handlers.Letter
	fail   error
}

func (r *recorder) Post(_ context.Context, repository handlers.Repository, letters ...handlers.Letter) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	if r.posted == nil {
		r.posted = map[handlers.Repository][]handlers.Letter{}
	}
	r.posted[repository] = append(r.posted[repository], letters...)
	return nil
}

func (r *recorder) Wake(_ context.Context, repositories ...handlers.Repository) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	r.woken = append(r.woken, repositories...)
	return nil
}

// front is a webhook handler under test.
type front struct {
	http.Handler
	recorder
	registry  *prometheus.Registry
	log       bytes.Buffer
	sweeps    int
	followers map[string][]handlers.Repository // by owner/name
}

func newFront(t testing.TB) *front {
	t.Helper()
	f := &front{registry: prometheus.NewRegistry()}
	handler, err := handlers.NewWebhook(handlers.WebhookOptions{
		Secret:    []byte(secret),
		AppID:     appID,
		Waker:     &f.recorder,
		Mail:      &f.recorder,
		Followers: func(owner, name string) []handlers.Repository { return f.followers[owner+"/"+name] },
		Sweep:     func() { f.sweeps++ },
		Metrics:   handlers.NewMetrics(f.registry),
		Log:       zerolog.New(&f.log),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Handler = handler
	return f
}

// delivery is a request as GitHub makes it.
func delivery(ctx context.Context, event string, body []byte) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, handlers.WebhookRoute, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", event)
	r.Header.Set("X-GitHub-Delivery", "5e6b2d90-0000-11ef-8000-000000000000")
	r.Header.Set("X-Hub-Signature", "sha1="+sign(sha1.New, secret, body))
	r.Header.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, secret, body))
	return r
}

func sign(hash func() hash.Hash, key string, body []byte) string {
	mac := hmac.New(hash, []byte(key))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func (f *front) answer(r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const pushBody = `{"ref":"refs/heads/main","installation":{"id":3},"repository":{"id":42,"full_name":"acme/deploy","private":true},"secret_looking":"hunter2"}`

var deploy = handlers.Repository{InstallationID: 3, ID: 42, Owner: "acme", Name: "deploy"}

func TestWebhookAnswers(t *testing.T) {
	push := func(change func(*http.Request)) func(context.Context) *http.Request {
		return func(ctx context.Context) *http.Request {
			r := delivery(ctx, "push", []byte(pushBody))
			change(r)
			return r
		}
	}
	signed := func(event, body string) func(context.Context) *http.Request {
		return func(ctx context.Context) *http.Request { return delivery(ctx, event, []byte(body)) }
	}
	right := sign(sha256.New, secret, []byte(pushBody))
	cases := []struct {
		name   string
		make   func(context.Context) *http.Request
		status int
		says   string
		result string // event and result counted
		wakes  bool
	}{
		{"a push", signed("push", pushBody), 200, "1 to be looked at", "push woken", true},
		{"a push with parameters on its content type", push(func(r *http.Request) {
			r.Header.Set("Content-Type", "application/json; charset=utf-8")
		}), 200, "", "push woken", true},
		{"ping", signed("ping", `{"zen":"Design for failure.","hook_id":1}`), 200, "pong", "ping woken", false},
		{"an event nobody asked for", signed("gollum", `{"pages":[]}`), 202, "no use for this event", "other unknown", false},
		{"an event of GitHub's next year", signed("quantum_merge\r\nforged=1", `{}`), 202, "", "other unknown", false},

		{"no signature at all", push(func(r *http.Request) {
			r.Header.Del("X-Hub-Signature")
			r.Header.Del("X-Hub-Signature-256")
		}), 401, "No X-Hub-Signature-256", "push refused", false},
		{"only a SHA-1 signature, and right", push(func(r *http.Request) {
			r.Header.Del("X-Hub-Signature-256")
		}), 401, "SHA-1 signatures are not accepted", "push refused", false},
		{"a SHA-1 signature in the SHA-256 header", push(func(r *http.Request) {
			r.Header.Set("X-Hub-Signature-256", r.Header.Get("X-Hub-Signature"))
		}), 401, "", "push refused", false},
		{"a bad signature beside a right SHA-1", push(func(r *http.Request) {
			r.Header.Set("X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64))
		}), 401, "does not match", "push refused", false},
		{"another secret's signature", push(func(r *http.Request) {
			r.Header.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, "another", []byte(pushBody)))
		}), 401, "must be the same", "push refused", false},
		{"another body's signature", push(func(r *http.Request) {
			r.Header.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, secret, []byte(pushBody+" ")))
		}), 401, "", "push refused", false},
		{"a signature cut short", push(func(r *http.Request) {
			r.Header.Set("X-Hub-Signature-256", "sha256="+right[:62])
		}), 401, "", "push refused", false},
		{"a signature with something behind it", push(func(r *http.Request) {
			r.Header.Set("X-Hub-Signature-256", "sha256="+right+"00")
		}), 401, "", "push refused", false},
		{"a signature that is no hex", push(func(r *http.Request) {
			r.Header.Set("X-Hub-Signature-256", "sha256="+strings.Repeat("z", 64))
		}), 401, "", "push refused", false},
		{"an empty signature", push(func(r *http.Request) {
			r.Header.Set("X-Hub-Signature-256", "sha256=")
		}), 401, "", "push refused", false},
		{"two signatures, one of them right", push(func(r *http.Request) {
			r.Header.Add("X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64))
		}), 401, "", "push refused", false},

		{"an announced length over the cap", push(func(r *http.Request) { r.ContentLength = 25<<20 + 1 }), 413, "25 MB", "push refused", false},
		{"a body over the cap, of unknown length", push(func(r *http.Request) {
			r.ContentLength = -1
			r.Body = io.NopCloser(io.LimitReader(endless{}, 25<<20+1))
		}), 413, "25 MB", "push refused", false},
		{"a body that breaks off", push(func(r *http.Request) {
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader(pushBody[:20]), broken{}))
		}), 400, "broke off", "push invalid", false},

		{"a form, as GitHub sends by default", func(ctx context.Context) *http.Request {
			r := delivery(ctx, "push", []byte("payload=%7B%7D"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		}, 415, "application/json", "push invalid", false},
		{"no content type", push(func(r *http.Request) { r.Header.Del("Content-Type") }), 415, "application/json", "push invalid", false},
		{"no event", push(func(r *http.Request) { r.Header.Del("X-GitHub-Event") }), 400, "X-GitHub-Event is missing", "other invalid", false},
		{"no JSON", signed("push", `{"ref":`), 400, "not a JSON object", "push invalid", false},
		{"an empty body", signed("push", ``), 400, "not a JSON object", "push invalid", false},
		{"blanks", signed("push", " \n"), 400, "not a JSON object", "push invalid", false},
		{"a JSON array", signed("push", `[{}]`), 400, "not a JSON object", "push invalid", false},
		{"null", signed("push", `null`), 400, "not a JSON object", "push invalid", false},
		{"two objects", signed("push", `{}{}`), 400, "not a JSON object", "push invalid", false},
		{"no JSON for an unknown event", signed("gollum", `{`), 400, "not a JSON object", "other invalid", false},
		{"a hundred thousand brackets", signed("push", strings.Repeat(`{"a":`, 100_000)), 400, "", "push invalid", false},
		{"a field of another type", signed("push", `{"installation":{"id":"three"},"repository":{"id":42,"full_name":"acme/deploy"}}`), 400, "not what this event has", "push invalid", false},
		{"no repository", signed("push", `{"installation":{"id":3}}`), 400, "not what this event has", "push invalid", false},
		{"a repository's name that leads elsewhere", signed("push", `{"installation":{"id":3},"repository":{"id":42,"full_name":"acme/../../app"}}`), 400, "", "push invalid", false},
		{"a repository called ..", signed("push", `{"installation":{"id":3},"repository":{"id":42,"full_name":"acme/.."}}`), 400, "", "push invalid", false},
		{"a repository's own webhook", signed("push", `{"repository":{"id":42,"full_name":"acme/deploy"}}`), 202, "not sent to an installation", "push ignored", false},

		{"a GET", func(ctx context.Context) *http.Request {
			r := delivery(ctx, "push", []byte(pushBody))
			r.Method = http.MethodGet
			return r
		}, 405, "", "push refused", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFront(t)
			status, text := f.answer(c.make(t.Context()))
			if status != c.status || !strings.Contains(text, c.says) {
				t.Errorf("answered %d %q, want %d with %q", status, text, c.status, c.says)
			}
			var want []handlers.Repository
			if c.wakes {
				want = []handlers.Repository{deploy}
			}
			if diff := cmp.Diff(want, f.woken); diff != "" {
				t.Errorf("woken (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(map[string]float64{c.result: 1}, counted(t, f.registry, "promobot_webhook_events_total")); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
			noLeak(t, f, text)
		})
	}
}

// TestWebhookRefusesEverySignatureButOne flips each bit of the right one.
func TestWebhookRefusesEverySignatureButOne(t *testing.T) {
	f := newFront(t)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(pushBody))
	right := mac.Sum(nil)
	for bit := range len(right) * 8 {
		wrong := bytes.Clone(right)
		wrong[bit/8] ^= 1 << (bit % 8)
		r := delivery(t.Context(), "push", []byte(pushBody))
		r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(wrong))
		if status, _ := f.answer(r); status != http.StatusUnauthorized {
			t.Fatalf("answered %d with bit %d flipped", status, bit)
		}
	}
	if len(f.woken) != 0 {
		t.Fatalf("woken: %v", f.woken)
	}
	if lines := strings.Count(f.log.String(), "\n"); lines > 20 {
		t.Errorf("%d log lines: strangers fill the log", lines)
	}
}

func TestWebhookWithoutStorageIs503(t *testing.T) {
	f := newFront(t)
	f.fail = errors.New("disk full")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, delivery(t.Context(), "push", []byte(pushBody)))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d, %v", w.Code, w.Header())
	}
	noLeak(t, f, w.Body.String())
	if strings.Contains(w.Body.String(), "disk full") {
		t.Error("the answer shows the operator's detail")
	}
	if !strings.Contains(f.log.String(), "disk full") {
		t.Error("the log does not show the operator's detail")
	}
	want := map[string]float64{"push failed": 1}
	if diff := cmp.Diff(want, counted(t, f.registry, "promobot_webhook_events_total")); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

// TestWebhookIsAnsweredAfterItIsStored: the answer waits for the Waker, and gives
// up before GitHub does.
func TestWebhookIsAnsweredAfterItIsStored(t *testing.T) {
	var deadline time.Time
	handler, err := handlers.NewWebhook(handlers.WebhookOptions{
		Secret: []byte(secret),
		AppID:  appID,
		Waker: wakerFunc(func(ctx context.Context) error {
			deadline, _ = ctx.Deadline()
			return context.DeadlineExceeded
		}),
		Metrics: handlers.NewMetrics(prometheus.NewRegistry()),
		Log:     zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, delivery(t.Context(), "push", []byte(pushBody)))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("answered %d", w.Code)
	}
	if left := time.Until(deadline); left <= 0 || left >= 10*time.Second {
		t.Errorf("the wake had %v, want some but less than GitHub's 10 s", left)
	}
}

// TestWebhookRedelivery: GitHub gives a redelivered event the same id, so it must
// wake again; the first may have come to nothing.
func TestWebhookRedelivery(t *testing.T) {
	f := newFront(t)
	for range 3 {
		if status, _ := f.answer(delivery(t.Context(), "push", []byte(pushBody))); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
	}
	if diff := cmp.Diff([]handlers.Repository{deploy, deploy, deploy}, f.woken); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
}

func TestWebhookNeedsASecret(t *testing.T) {
	_, err := handlers.NewWebhook(handlers.WebhookOptions{})
	if err == nil || !strings.Contains(err.Error(), "github.webhook_secret") {
		t.Fatalf("got %v, want an error that names the setting", err)
	}
}

type wakerFunc func(context.Context) error

func (f wakerFunc) Wake(ctx context.Context, _ ...handlers.Repository) error { return f(ctx) }

// endless reads as blanks without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for n := range p {
		p[n] = ' '
	}
	return len(p), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func noLeak(t *testing.T, f *front, answer string) {
	t.Helper()
	for _, hidden := range []string{secret, "hunter2", "full_name", sign(sha256.New, secret, []byte(pushBody))} {
		if strings.Contains(answer, hidden) || strings.Contains(f.log.String(), hidden) {
			t.Errorf("%q shows in the answer or the log:\n%s\n%s", hidden, answer, f.log.String())
		}
	}
}

// counted reads a counter vector as "label values" → count.
func counted(t *testing.T, registry *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetValue())
			}
			counts[strings.Join(labels, " ")] = metric.GetCounter().GetValue()
		}
	}
	return counts
}

func bodyOf(format string, args ...any) []byte { return fmt.Appendf(nil, format, args...) }
