package github_test

// A GitHub of a few scripted answers, for what a real one seldom says: refusals,
// broken answers, habits. What it does not know, it answers 404.

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/github"
)

const (
	appID          = 71
	installationID = 42
	repositoryID   = 9001
	login          = "promobot[bot]"
	head           = "1111111111111111111111111111111111111111"
)

var privateKey = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
})

// obj is a JSON object.
type obj = map[string]any

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// server is the scripted GitHub.
type server struct {
	*httptest.Server
	t     *testing.T
	clock *clock

	mu       sync.Mutex
	answers  map[string]http.HandlerFunc
	requests []request
	tokens   int
	// operations answer GraphQL, by name.
	operations map[string][]http.HandlerFunc
}

// roundTrip is a transport of a function.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// request is what the server saw.
type request struct{ line, auth, body string }

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, clock: newClock(), answers: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	s.on("GET /app", answer(http.StatusOK, obj{"id": appID, "slug": "promobot"}))
	s.on(fmt.Sprintf("POST /app/installations/%d/access_tokens", installationID), s.giveToken)
	s.on("GET /repos/acme/shop", answer(http.StatusOK, repository("acme", "shop", repositoryID)))
	return s
}

// on answers a request, named by its method and path without the query.
func (s *server) on(line string, h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[line] = h
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Errorf("reading a request: %v", err)
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v3")
	s.mu.Lock()
	line := r.Method + " " + path
	if r.URL.RawQuery != "" {
		line += "?" + r.URL.RawQuery
	}
	s.requests = append(s.requests, request{line: line, auth: r.Header.Get("Authorization"), body: string(body)})
	h := s.answers[r.Method+" "+path]
	s.mu.Unlock()
	w.Header().Set("Date", s.clock.Now().UTC().Format(http.TimeFormat))
	if h == nil {
		h = answer(http.StatusNotFound, obj{"message": "Not Found"})
	}
	h(w, r)
}

func (s *server) giveToken(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.tokens++
	n := s.tokens
	s.mu.Unlock()
	answer(http.StatusCreated, obj{
		"token":      fmt.Sprintf("ghs_secret%d", n),
		"expires_at": s.clock.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	})(w, r)
}

// seen are the requests whose line has the prefix.
func (s *server) seen(prefix string) []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.requests), func(r request) bool { return !strings.HasPrefix(r.line, prefix) })
}

// lines are the requests that were not for a token or the App.
func (s *server) lines() []string {
	var out []string
	for _, r := range s.seen("") {
		if !strings.Contains(r.line, " /app") {
			out = append(out, r.line)
		}
	}
	return out
}

// app is promobot's App on this server.
func (s *server) app(change ...func(*github.Options)) *github.App {
	s.t.Helper()
	o := github.Options{
		AppID: appID, PrivateKey: privateKey(), BaseURL: s.URL + "/api/v3", Now: s.clock.Now, UserAgent: "promobot/test",
		Timeout: time.Minute,
	}
	for _, f := range change {
		f(&o)
	}
	a, err := github.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *server) repository(change ...func(*github.Options)) *github.Repository {
	s.t.Helper()
	return s.app(change...).Repository(installationID, repositoryID, "acme", "shop")
}

// answer sends JSON, with headers given as name, value, name, value.
func answer(status int, body any, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if text, is := body.(string); is {
			_, _ = io.WriteString(w, text) // the client may be gone, which its test sees
			return
		}
		_ = json.NewEncoder(w).Encode(body)
	}
}

func repository(owner, name string, id int64) obj {
	return obj{
		"id": id, "name": name, "full_name": owner + "/" + name, "owner": obj{"login": owner}, "default_branch": "main",
		"html_url": "https://github.test/" + owner + "/" + name,
	}
}

// pull is a pull request of the server's repository, with changes over it.
func pull(number int, changes obj) obj {
	out := obj{
		"number": number, "state": "open", "title": "qa: 1 → 2", "body": "text", "html_url": "https://github.test/p",
		"user": obj{"login": login, "type": "Bot"}, "merge_commit_sha": "test-merge",
		"head": obj{"ref": "promobot/a/qa/1", "sha": head, "repo": repository("acme", "shop", repositoryID)},
		"base": obj{"ref": "main", "sha": head, "repo": repository("acme", "shop", repositoryID)},
	}
	maps.Copy(out, changes)
	return out
}

// kind is what an error says to do next.
func kind(err error) string {
	var refused *promotion.RefusedError
	var limited *promotion.LimitedError
	var wait *promotion.WaitError
	switch {
	case err == nil:
		return "none"
	case errors.As(err, &wait):
		return "wait"
	case errors.Is(err, promotion.ErrClean):
		return "clean"
	case errors.Is(err, promotion.ErrConflict):
		return "conflict"
	case errors.Is(err, promotion.ErrNotFound):
		return "not found"
	case errors.As(err, &refused):
		return "refused"
	case errors.As(err, &limited):
		return "limited"
	}
	return "no answer"
}

// silent fails the test when an error tells a token.
func silent(t *testing.T, err error) {
	t.Helper()
	if err != nil && (strings.Contains(err.Error(), "ghs_") || strings.Contains(err.Error(), "Bearer")) {
		t.Errorf("the error tells a token: %v", err)
	}
}

// do is any read of the repository that is no list.
func do(ctx context.Context, r *github.Repository) error {
	_, err := r.File(ctx, head, "a.yml")
	return err
}

// serveFile lets the server have the file that do reads.
func (s *server) serveFile() {
	s.on("GET /repos/acme/shop/contents/a.yml", answer(http.StatusOK,
		obj{"type": "file", "encoding": "base64", "size": 2, "content": "YTE="}, "ETag", `W/"1"`))
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func asLimited(err error, to **promotion.LimitedError) bool { return errors.As(err, to) }
