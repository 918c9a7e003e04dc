package github_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/github"
)

// observations collects what an App tells.
type observations struct {
	mu  sync.Mutex
	all []github.Observation
}

func (o *observations) tell(one github.Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, one)
}

// An unchanged list is asked for with its ETag and costs nothing; GitHub's own
// max-age does not keep promobot from asking.
func TestUnchangedAnswersCostNothing(t *testing.T) {
	s := newServer(t)
	tag, body := `W/"1"`, []obj{pull(1, nil)}
	var conditions []string
	s.on("GET /repos/acme/shop/pulls", func(w http.ResponseWriter, r *http.Request) {
		conditions = append(conditions, r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since"))
		headers := []string{
			"ETag", tag, "Cache-Control", "private, max-age=60, s-maxage=60", "Vary", "Accept, Authorization, Cookie",
			"Last-Modified", "Mon, 02 Mar 2026 09:00:00 GMT", "X-RateLimit-Remaining", "4999",
		}
		if r.Header.Get("If-None-Match") == tag {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(http.StatusNotModified)
			return
		}
		answer(http.StatusOK, body, headers...)(w, r)
	})
	var seen observations
	r := s.repository(func(o *github.Options) { o.Observe = seen.tell })
	var got []int
	read := func() {
		t.Helper()
		list, err := r.OpenPullRequests(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, len(list))
	}
	read()
	read()
	s.mu.Lock()
	tag, body = `W/"2"`, []obj{pull(1, nil), pull(2, nil)}
	s.mu.Unlock()
	read()
	read()
	s.clock.advance(time.Hour) // a new token: an ETag belongs to the old one
	read()
	if diff := cmp.Diff([]int{1, 1, 2, 2, 2}, got); diff != "" {
		t.Errorf("pull requests read (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"", `W/"1"`, `W/"1"`, `W/"2"`, ""}, conditions); diff != "" {
		t.Errorf("ETags sent (-want +got):\n%s", diff)
	}
	const list, token = "/repos/{owner}/{repo}/pulls", "/app/installations/{number}/access_tokens"
	want := []github.Observation{
		{Method: "GET", Route: "/app", Status: 200, Remaining: -1},
		{Method: "POST", Route: token, Status: 201, Remaining: -1},
		{Method: "GET", Route: list, Status: 200, Remaining: 4999},
		{Method: "GET", Route: list, Status: 304, NotModified: true, Remaining: 4999},
		{Method: "GET", Route: list, Status: 200, Remaining: 4999},
		{Method: "GET", Route: list, Status: 304, NotModified: true, Remaining: 4999},
		{Method: "GET", Route: "/app", Status: 200, Remaining: -1},
		{Method: "POST", Route: token, Status: 201, Remaining: -1},
		{Method: "GET", Route: list, Status: 200, Remaining: 4999},
	}
	if diff := cmp.Diff(want, seen.all, cmpopts.IgnoreFields(github.Observation{}, "Duration")); diff != "" {
		t.Errorf("requests observed (-want +got):\n%s", diff)
	}
}

// A small cache forgets the oldest answer, not the newest.
func TestCacheIsBounded(t *testing.T) {
	s := newServer(t)
	cold := map[string]int{}
	for i := range 4 {
		name := fmt.Sprintf("f%d.yml", i)
		s.on("GET /repos/acme/shop/contents/"+name, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-None-Match") != "" {
				w.Header().Set("ETag", `"x"`)
				w.WriteHeader(http.StatusNotModified)
				return
			}
			cold[name]++
			answer(http.StatusOK, obj{"type": "file", "encoding": "base64", "size": 3000, "content": strings.Repeat("AAAA", 1000)}, "ETag", `"x"`)(w, r)
		})
	}
	r := s.repository(func(o *github.Options) { o.CacheBytes = 10 << 10 })
	for _, i := range []int{0, 1, 0, 2, 0, 1} { // two fit
		if _, err := r.File(t.Context(), head, fmt.Sprintf("f%d.yml", i)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]int{"f0.yml": 1, "f1.yml": 2, "f2.yml": 1}, cold); diff != "" {
		t.Errorf("full reads (-want +got):\n%s", diff)
	}
}

// What is told for metrics names no repository, no path and no commit.
func TestObservationsNameNobody(t *testing.T) {
	s := newServer(t)
	s.serveFile()
	s.on("GET /repos/acme/shop/commits/"+head+"/check-runs", answer(http.StatusOK, obj{"total_count": 0}))
	s.on("GET /repos/acme/shop/pulls/7", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	var seen observations
	r := s.repository(func(o *github.Options) { o.Observe = seen.tell })
	_ = do(t.Context(), r)
	_, _ = r.CheckRuns(t.Context(), head)
	_, _ = r.PullRequest(t.Context(), 7)
	s.on("GET /repos/acme/shop/branches/env%2Fqa", answer(http.StatusOK, obj{"name": "env/qa", "protected": false}))
	s.on("GET /repos/acme/shop/rules/branches/env%2Fqa", answer(http.StatusOK, []obj{}))
	_, _ = r.Rules(t.Context(), "env/qa")
	_, _ = r.Versions(t.Context(), config.VersionSource{Kind: config.Tag, Repository: "acme/shop", Pattern: "checkout/v*"})
	_, _ = r.MergeView(t.Context(), 7)
	var got []string
	for _, o := range seen.all {
		got = append(got, fmt.Sprint(o.Route, " ", o.Status))
	}
	want := []string{
		"/app/installations/{number}/access_tokens 201",
		"/repos/{owner}/{repo}/contents/{path} 200",
		"/repos/{owner}/{repo}/commits/{commit}/check-runs 200",
		"/app 200",
		"/repos/{owner}/{repo}/pulls/{number} 0",
		"/repos/{owner}/{repo}/branches/{ref} 200",
		"/repos/{owner}/{repo}/rules/branches/{ref} 200",
		"/repos/{owner}/{repo}/git/matching-refs/{ref} 404",
		"/repos/{owner}/{repo} 200", // whether it can be seen, after the 404
		"/graphql 404",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

func TestRequestsSayWhoAsks(t *testing.T) {
	s := newServer(t)
	var header http.Header
	s.on("GET /repos/acme/shop", func(w http.ResponseWriter, r *http.Request) {
		header = r.Header.Clone()
		answer(http.StatusOK, repository("acme", "shop", repositoryID))(w, r)
	})
	if _, err := s.repository().Repository(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := header.Get("User-Agent"); got != "promobot/test" {
		t.Errorf("User-Agent %q", got)
	}
	if got := header.Get("X-GitHub-Api-Version"); got != "2022-11-28" {
		t.Errorf("X-GitHub-Api-Version %q", got)
	}
}

// endless is a transport whose answers do not end.
type endless struct{ next http.RoundTripper }

func (e endless) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := e.next.RoundTrip(r)
	if err == nil && strings.Contains(r.URL.Path, "/contents/") {
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader([]byte(`"`)), zeros{}))
	}
	return resp, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestEndlessAnswer(t *testing.T) {
	s := newServer(t)
	s.serveFile()
	err := do(t.Context(), s.repository(func(o *github.Options) { o.Transport = endless{http.DefaultTransport} }))
	if kind(err) != "no answer" || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("error %v, want that the answer is too large", err)
	}
}

func TestSlowAnswer(t *testing.T) {
	s := newServer(t)
	s.on("GET /repos/acme/shop/contents/a.yml", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	err := do(t.Context(), s.repository(func(o *github.Options) { o.Timeout = 50 * time.Millisecond }))
	if kind(err) != "no answer" {
		t.Errorf("the error is %q (%v), want no answer", kind(err), err)
	}
}

func TestPacing(t *testing.T) {
	write := func(r *github.Repository) error { return operations["create"].call(t.Context(), r) }
	edit := func(r *github.Repository) error { return r.EditPullRequest(t.Context(), 7, "t", "b") }
	query := func(r *github.Repository) error { _, err := r.MergeView(t.Context(), 7); return err }
	read := func(r *github.Repository) error { return do(t.Context(), r) }
	tests := []struct {
		name   string
		pacing github.Pacing
		call   func(*github.Repository) error
		passes int
		wait   time.Duration // from the first until one passes again
	}{
		{"writes a minute", github.Pacing{WritesPerMinute: 3}, write, 3, time.Minute},
		{"writes an hour", github.Pacing{WritesPerMinute: 80, WritesPerHour: 4}, write, 4, time.Hour},
		{"points, reads", github.Pacing{PointsPerMinute: 6}, read, 6, time.Minute},
		{"points, writes", github.Pacing{PointsPerMinute: 11}, write, 2, time.Minute},
		{"points, queries", github.Pacing{PointsPerMinute: 1, GraphQLPointsPerMinute: 3}, query, 3, time.Minute},
		{"reads are no writes", github.Pacing{WritesPerMinute: 1}, read, 9, 0},
		{"edits create no content", github.Pacing{WritesPerMinute: 1}, edit, 9, 0},
		{"queries are no writes", github.Pacing{WritesPerMinute: 1}, query, 9, 0},
		{"off", github.Pacing{}, write, 9, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.serveFile()
			s.on("PATCH /repos/acme/shop/pulls/7", answer(http.StatusOK, pull(7, nil)))
			s.on("POST /repos/acme/shop/pulls", answer(http.StatusCreated, pull(7, nil)))
			s.on("POST /api/graphql", answer(http.StatusOK, mergeView(nil)))
			r := s.repository(func(o *github.Options) { o.Pacing = tt.pacing })
			start := s.clock.Now()
			for i := range tt.passes {
				if err := tt.call(r); err != nil {
					t.Fatalf("request %d: %v", i+1, err)
				}
				s.clock.advance(time.Second)
			}
			if tt.wait == 0 {
				return
			}
			var limited *promotion.LimitedError
			err := tt.call(r)
			if !asLimited(err, &limited) {
				t.Fatalf("one request more: %v, want a limit", err)
			}
			if got := limited.Until.Sub(start); got != tt.wait {
				t.Errorf("limited until %s after the first, want %s", got, tt.wait)
			}
			s.clock.advance(limited.Until.Sub(s.clock.Now()))
			if err := tt.call(r); err != nil {
				t.Errorf("at that time: %v", err)
			}
		})
	}
}

// A turn that comes soon is waited for.
func TestPacingWaitsShortly(t *testing.T) {
	s := newServer(t)
	s.on("POST /repos/acme/shop/pulls", answer(http.StatusCreated, pull(7, nil)))
	r := s.repository(func(o *github.Options) { o.Pacing = github.Pacing{WritesPerMinute: 1} })
	write := func(ctx context.Context) error { return operations["create"].call(ctx, r) }
	for range 2 {
		start := time.Now()
		if err := write(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(s.lines()) == 2 && time.Since(start) < 50*time.Millisecond {
			t.Error("the second write did not wait for its turn")
		}
		s.clock.advance(time.Minute - 50*time.Millisecond)
	}
	if err := write(cancelled(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
