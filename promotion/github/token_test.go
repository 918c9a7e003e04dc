package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/github"
)

var tokenLine = fmt.Sprintf("POST /app/installations/%d/access_tokens", installationID)

func TestOneTokenForEverything(t *testing.T) {
	s := newServer(t)
	s.serveFile()
	a := s.app()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			r := a.Repository(installationID, repositoryID, "acme", "shop")
			if err := do(t.Context(), r); err != nil {
				t.Error(err)
			}
			if token, err := r.Token(t.Context()); err != nil || token != "ghs_secret1" {
				t.Errorf("git gets the token %q, %v; want the API's", token, err)
			}
		})
	}
	wg.Wait()
	asked := s.seen(tokenLine)
	if len(asked) != 1 {
		t.Fatalf("%d tokens were asked for, want 1", len(asked))
	}
	var got obj
	if err := json.Unmarshal([]byte(asked[0].body), &got); err != nil {
		t.Fatal(err)
	}
	want := obj{
		"repository_ids": []any{float64(repositoryID)},
		"permissions":    obj{"contents": "write", "pull_requests": "write", "checks": "write", "metadata": "read"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the token is narrowed to (-want +got):\n%s", diff)
	}
	for _, r := range s.seen("GET /repos") {
		if r.auth != "Bearer ghs_secret1" {
			t.Errorf("%s came with %q", r.line, r.auth)
		}
	}
}

func TestTokenIsRenewedBeforeItEnds(t *testing.T) {
	s := newServer(t)
	r := s.repository()
	for _, step := range []struct {
		after time.Duration
		want  string
	}{
		{0, "ghs_secret1"},
		{57 * time.Minute, "ghs_secret1"},
		{2 * time.Minute, "ghs_secret2"}, // 59 minutes old
		{57 * time.Minute, "ghs_secret2"},
	} {
		s.clock.advance(step.after)
		if got, err := r.Token(t.Context()); err != nil || got != step.want {
			t.Errorf("after %s more: token %q, %v; want %q", step.after, got, err, step.want)
		}
	}
}

// GitHub's clock and this machine's may differ; the token's end is GitHub's.
func TestTokenEndsByGitHubsClock(t *testing.T) {
	s := newServer(t)
	ours := newClock()
	s.clock.advance(3 * time.Hour)
	r := s.repository(func(o *github.Options) { o.Now = ours.Now })
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, "ghs_secret1"}, {50 * time.Minute, "ghs_secret1"}, {9 * time.Minute, "ghs_secret2"}} {
		ours.advance(step.after)
		if got, err := r.Token(t.Context()); err != nil || got != step.want {
			t.Errorf("after %s more: token %q, %v; want %q", step.after, got, err, step.want)
		}
	}
}

// refuse lets the server answer 401 to the tokens named, and else as before.
func (s *server) refuse(line string, tokens ...string) {
	s.mu.Lock()
	inner := s.answers[line]
	s.mu.Unlock()
	s.on(line, func(w http.ResponseWriter, r *http.Request) {
		for _, token := range tokens {
			if r.Header.Get("Authorization") == "Bearer "+token {
				answer(http.StatusUnauthorized, obj{"message": "Bad credentials"})(w, r)
				return
			}
		}
		inner(w, r)
	})
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	t.Run("read", func(t *testing.T) {
		s := newServer(t)
		s.serveFile()
		s.refuse("GET /repos/acme/shop/contents/a.yml", "ghs_secret1")
		if err := do(t.Context(), s.repository()); err != nil {
			t.Errorf("with a new token: %v", err)
		}
	})
	t.Run("write, body and all", func(t *testing.T) {
		s := newServer(t)
		op := operations["edit"]
		s.on(op.line, answer(http.StatusOK, pull(7, nil)))
		s.refuse(op.line, "ghs_secret1")
		if err := op.call(t.Context(), s.repository()); err != nil {
			t.Errorf("with a new token: %v", err)
		}
		sent := s.seen(op.line)
		if len(sent) != 2 || sent[0].body == "" || sent[0].body != sent[1].body {
			t.Errorf("the request was sent as %+v, want twice the same", sent)
		}
	})
	t.Run("again", func(t *testing.T) {
		s := newServer(t)
		s.serveFile()
		s.refuse("GET /repos/acme/shop/contents/a.yml", "ghs_secret1", "ghs_secret2")
		err := do(t.Context(), s.repository())
		if got := kind(err); got != "refused" {
			t.Errorf("the error is %q (%v), want refused", got, err)
		}
		if n := len(s.seen(tokenLine)); n != 2 {
			t.Errorf("%d tokens were asked for, want 2", n)
		}
		silent(t, err)
	})
	t.Run("by git", func(t *testing.T) {
		s := newServer(t)
		r := s.repository()
		first, err := r.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // two complaints about the same token cost one request
			if next, err := r.TokenAfter(t.Context(), first); err != nil || next != "ghs_secret2" {
				t.Errorf("after a refusal: token %q, %v", next, err)
			}
		}
	})
}

// Permissions that are not granted are not asked for; when more are granted,
// the next token has them.
func TestOptionalPermissionsFollowTheGrant(t *testing.T) {
	s := newServer(t)
	grant := obj{"contents": "write", "pull_requests": "write", "checks": "write", "metadata": "read", "workflows": "write", "issues": "read"}
	s.on("GET /app/installations", answer(http.StatusOK, []obj{{"id": installationID, "permissions": grant}}))
	a := s.app()
	r := a.Repository(installationID, repositoryID, "acme", "shop")
	for _, step := range []func() error{
		func() error { _, err := r.Token(t.Context()); return err },
		func() error { _, err := a.Installations(t.Context()); return err },
		func() error { _, err := r.Token(t.Context()); return err },
		func() error { _, err := r.Token(t.Context()); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, asked := range s.seen(tokenLine) {
		got = append(got, fmt.Sprint(strings.Contains(asked.body, `"workflows":"write"`), strings.Contains(asked.body, `"issues":"read"`)))
	}
	if diff := cmp.Diff([]string{"false false", "true true"}, got); diff != "" {
		t.Errorf("workflows and issues asked for (-want +got):\n%s", diff)
	}
}

func TestNoTokenGiven(t *testing.T) {
	tests := []struct {
		name       string
		status     int
		body       any
		want, says string
	}{
		{"uninstalled", 404, obj{"message": "Not Found"}, "refused", "not installed there any more"},
		{"suspended", 403, obj{"message": "This installation has been suspended"}, "refused", "lift a suspension"},
		{"not granted", 422, obj{"message": "The permissions requested are not granted to this installation."}, "refused", "accept the App's permissions"},
		{"repository taken out", 422, obj{"message": "There is at least one repository that does not exist or is not accessible to the parent installation."}, "refused", "add the repository"},
		{"wrong key", 401, obj{"message": "A JSON web token could not be decoded"}, "refused", "private key"},
		{"broken", 502, "", "no answer", "502"},
		{"no token in it", 201, obj{}, "no answer", "with none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.serveFile()
			s.on(tokenLine, answer(tt.status, tt.body))
			r := s.repository()
			_, direct := r.Token(t.Context())
			for _, err := range []error{direct, do(t.Context(), r)} {
				if got := kind(err); got != tt.want || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("the error is %q (%v), want %q that says %q", got, err, tt.want, tt.says)
				}
			}
			if sent := s.lines(); len(sent) != 0 {
				t.Errorf("without a token, %q was asked", sent)
			}
		})
	}
}

// A redirect to another host gets neither a token nor a request.
func TestTokenStaysWithGitHub(t *testing.T) {
	var reached []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached = append(reached, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 307} {
		s := newServer(t)
		elsewhere := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/x", status) }
		s.on("GET /repos/acme/shop/contents/a.yml", elsewhere)
		s.on("GET /app", elsewhere)
		for _, err := range []error{do(t.Context(), s.repository()), s.app().Ready(t.Context())} {
			if got := kind(err); got != "no answer" {
				t.Errorf("%d: the error is %q (%v), want no answer", status, got, err)
			}
			silent(t, err)
		}
	}
	if len(reached) > 0 {
		t.Errorf("the other host was asked %d times", len(reached))
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	tests := []struct {
		name   string
		change func(*github.Options)
		says   string
	}{
		{"no id", func(o *github.Options) { o.AppID = 0 }, "settings page"},
		{"no key", func(o *github.Options) { o.PrivateKey = nil }, ".pem file"},
		{"no key at all", func(o *github.Options) { o.PrivateKey = []byte("hunter2") }, ".pem file"},
		{"no URL", func(o *github.Options) { o.BaseURL = "github.example" }, "https://HOST/api/v3/"},
		{"URL with a password", func(o *github.Options) { o.BaseURL = "https://me:hunter2@github.example/" }, "leave them out"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := github.Options{AppID: 1, PrivateKey: privateKey()}
			tt.change(&o)
			_, err := github.New(o)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v, want one that says %q and tells no secret", err, tt.says)
			}
		})
	}
}
