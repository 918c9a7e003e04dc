package simtest_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/internal/githubsim/conform"
	"github.com/promobot/promobot/internal/githubsim/simtest"
)

// recorder stands in for a test that a violation would fail.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.errors...)
}

func TestViolationsFailTheTest(t *testing.T) {
	if _, err := conform.Find(); errors.Is(err, conform.ErrAbsent) {
		t.Skip(err)
	}
	tests := []struct {
		name, method, path string
		want               []string
	}{
		{name: "conforming", method: "GET", path: "/rate_limit", want: []string{}},
		{
			name: "misspelled parameter", method: "GET", path: "/repos/o/r/pulls?stat=all",
			want: []string{`not as GitHub describes it: request GET /repos/{owner}/{repo}/pulls (/repos/o/r/pulls) at query parameter stat: "stat" is not in GitHub's description`},
		},
		{
			name: "unknown path", method: "GET", path: "/repos/o/r/promotions",
			want: []string{"not as GitHub describes it: request GET (/repos/o/r/promotions): GitHub describes no such path"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := &recorder{TB: t}
			sim := simtest.Start(rec, githubsim.Options{})
			for range 2 { // the same violation is told once
				req, err := http.NewRequestWithContext(t.Context(), tt.method, sim.URL+"/api/v3"+tt.path, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				if err := resp.Body.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, rec.taken()); diff != "" {
				t.Errorf("errors of the test (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWebhooksAreValidated(t *testing.T) {
	if _, err := conform.Find(); errors.Is(err, conform.ErrAbsent) {
		t.Skip(err)
	}
	rec := &recorder{TB: t}
	sim := simtest.Start(rec, githubsim.Options{})
	for _, err := range []error{
		sim.CreateUser("olga"), sim.CreateOrganization("acme", []string{"olga"}, nil),
		sim.CreateRepository(t.Context(), "acme", "shop", githubsim.RepoOptions{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	// GitHub's description, as it is cut, has no event "repository".
	app, err := sim.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "bot", WebhookURL: sim.URL, Events: []string{"repository"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sim.Install(app.ID, "acme"); err != nil {
		t.Fatal(err)
	}
	if err := sim.ArchiveRepository("acme/shop"); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(rec.taken(), "\n")
	if !strings.Contains(got, "webhook repository archived: GitHub describes no such webhook") {
		t.Errorf("errors of the test %q, want the webhook that is not described", got)
	}
}
