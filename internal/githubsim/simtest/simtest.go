// Package simtest starts simulated GitHubs for tests.
//
// Rules:
//   - Every request that reaches the simulator, by REST or GraphQL, every
//     answer it gives and every webhook it sends is held against GitHub's own
//     description; a departure by either side fails the test.
//   - Where the description is absent, the test says so and runs unvalidated.
//   - The server is closed when the test ends.
package simtest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/internal/githubsim/conform"
)

// Sim is a running simulator.
type Sim struct {
	*githubsim.Server
	// URL is its base address; BaseURL is that of the REST API.
	URL, BaseURL string

	t     testing.TB
	judge *judge
}

// Undescribed lets an event pass that GitHub's description, as it is cut, leaves
// out.
func (s *Sim) Undescribed(event string) {
	if s.judge == nil {
		return
	}
	s.judge.mu.Lock()
	defer s.judge.mu.Unlock()
	s.judge.undescribed[event] = true
}

// Start serves a simulator on a free local port for the length of the test.
func Start(t testing.TB, o githubsim.Options) *Sim {
	t.Helper()
	judges := &judge{t: t, known: map[string]bool{}, undescribed: map[string]bool{}}
	d, err := describe()
	switch {
	case errors.Is(err, conform.ErrAbsent):
		t.Logf("requests, answers and webhooks are not validated: %v", err)
	case err != nil:
		t.Fatalf("reading GitHub's description: %v", err)
	default:
		if !d.GraphQL() {
			t.Log("GraphQL is not validated: put schema.graphql beside openapi.json to have it validated")
		}
		inner := o.Wrap
		o.Wrap = func(h http.Handler) http.Handler {
			if inner != nil {
				h = inner(h)
			}
			return d.Middleware(h, judges.report)
		}
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := githubsim.New(o)
	if err != nil {
		t.Fatalf("making the simulator: %v", err)
	}
	if d != nil {
		s.OnWebhook(func(w githubsim.Webhook) {
			for _, v := range d.Webhook(w.Event, w.Action, w.Payload) {
				judges.report(v)
			}
		})
	}
	url, err := s.Start()
	if err != nil {
		t.Fatalf("starting the simulator: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the simulator: %v", err)
		}
		judges.end()
	})
	sim := Around(t, s, url)
	sim.judge = judges
	return sim
}

// Around is a Sim of a server that the test has started itself, and that
// nothing validates: for requests that must be refused.
func Around(t testing.TB, s *githubsim.Server, url string) *Sim {
	return &Sim{Server: s, URL: url, BaseURL: url + "/api/v3/", t: t}
}

func describe() (*conform.Description, error) {
	path, err := conform.Find()
	if err != nil {
		return nil, err
	}
	return conform.Load(path)
}

// judge fails the test for each violation, once.
type judge struct {
	t     testing.TB
	mu    sync.Mutex
	known map[string]bool
	ended bool
	// undescribed are events that the description leaves out.
	undescribed map[string]bool
}

func (j *judge) report(v conform.Violation) {
	j.mu.Lock()
	defer j.mu.Unlock()
	line := v.String()
	if event, _, _ := strings.Cut(v.Operation, " "); v.Side == "webhook" && j.undescribed[event] && v.Problem == "GitHub describes no such webhook" {
		return
	}
	if j.ended || j.known[line] {
		return
	}
	j.known[line] = true
	j.t.Errorf("not as GitHub describes it: %s", line)
}

// end stops reporting: a test that is over can no longer fail.
func (j *judge) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
}

// Client is a GitHub client with a token; without one it is anonymous.
func (s *Sim) Client(token string) *github.Client {
	s.t.Helper()
	return s.client(&http.Client{Transport: bearer{token}})
}

// UserClient is a GitHub client of a user.
func (s *Sim) UserClient(login string) *github.Client {
	s.t.Helper()
	token, err := s.UserToken(login)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.Client(token)
}

// AppClient is a GitHub client that signs with the App's key.
func (s *Sim) AppClient(app githubsim.App) *github.Client {
	s.t.Helper()
	transport, err := ghinstallation.NewAppsTransport(http.DefaultTransport, app.ID, app.PrivateKeyPEM)
	if err != nil {
		s.t.Fatal(err)
	}
	transport.BaseURL = s.URL + "/api/v3"
	return s.client(&http.Client{Transport: transport})
}

// InstallationClient is a GitHub client of an App's installation.
func (s *Sim) InstallationClient(app githubsim.App, installation int64) *github.Client {
	s.t.Helper()
	transport, err := ghinstallation.New(http.DefaultTransport, app.ID, installation, app.PrivateKeyPEM)
	if err != nil {
		s.t.Fatal(err)
	}
	transport.BaseURL = s.URL + "/api/v3"
	return s.client(&http.Client{Transport: transport})
}

func (s *Sim) client(h *http.Client) *github.Client {
	c, err := github.NewClient(h).WithEnterpriseURLs(s.URL, s.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// bearer adds a token to requests.
type bearer struct{ token string }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("asking the simulator: %w", err)
	}
	return resp, nil
}
