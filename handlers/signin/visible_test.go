package signin_test

// What people see: exactly what GitHub lets them, and nothing where it is not clear.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/handlers/signin"
	"github.com/promobot/promobot/internal/githubsim"
)

func TestRightsThatEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signIn("/login", "reader")
	see := func(when string, status int, want ...string) {
		t.Helper()
		got, names := b.seen()
		if status == http.StatusOK {
			if diff := cmp.Diff(want, names); diff != "" {
				t.Errorf("%s, sees (-want +got):\n%s", when, diff)
			}
		}
		if got != status {
			t.Errorf("%s: %d", when, got)
		}
	}
	see("at first", http.StatusOK, "secret", "open")
	asked := len(w.sim.Journal())
	see("at once again", http.StatusOK, "secret", "open")
	if more := len(w.sim.Journal()) - asked; more != 0 {
		t.Errorf("%d more requests to GitHub, within a minute", more)
	}
	w.must(w.sim.SetRole("acme/secret", "reader", "none"))
	w.ahead.Add(int64(time.Minute))
	see("a minute after the role was taken", http.StatusOK, "open")
	if got := b.do("GET", "/", nil); got.status != http.StatusOK {
		t.Errorf("who it is: %d", got.status)
	}

	w.ahead.Add(int64(time.Minute))
	ends := w.sim.Inject(githubsim.Fault{Method: "POST", Path: "/api/graphql", Effect: githubsim.Failed(502)})
	see("while GitHub does not answer", http.StatusServiceUnavailable)
	if got := b.do("GET", "/", nil); got.status != http.StatusServiceUnavailable {
		t.Errorf("who it is, while GitHub does not answer: %d", got.status)
	}
	ends()
	see("when it does again", http.StatusOK, "open")

	w.sim.RevokeAuthorization(w.app.ID, "reader")
	w.ahead.Add(int64(time.Minute))
	see("after the person has taken it back", http.StatusUnauthorized)
	if got := b.do("GET", "/", nil); got.status != http.StatusUnauthorized {
		t.Errorf("who it is, after the person has taken it back: %d", got.status)
	}
}

func TestTokensOfPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	token, err := w.sim.UserToken("reader")
	w.must(err)
	// It is theirs, not the App's: it sees where the App is not installed, too.
	status, names := b.seen("Authorization", "Bearer "+token)
	if diff := cmp.Diff(allNames, names); diff != "" || status != http.StatusOK {
		t.Errorf("%d, sees (-want +got):\n%s", status, diff)
	}
	before := len(w.sim.Journal())
	for _, header := range []string{"Bearer", "Bearer x", "Basic " + token, "Bearer " + strings.Repeat("x", 4000), "Bearer a b" + token, "Bearer ghp_\"" + token} {
		if status, _ := b.seen("Authorization", header); status != http.StatusUnauthorized {
			t.Errorf("%q: %d", header, status)
		}
	}
	if asked := len(w.sim.Journal()) - before; asked != 0 {
		t.Errorf("GitHub is asked %d times about what is no token", asked)
	}
	refused := map[int]int{}
	for i := range 60 {
		status, _ := b.seen("Authorization", fmt.Sprintf("Bearer ghp_guessed_token_number_%04d", i))
		refused[status]++
	}
	if refused[http.StatusUnauthorized] < 15 || refused[http.StatusServiceUnavailable] == 0 {
		t.Errorf("tokens that are guessed: %v", refused)
	}
	if status, _ := b.seen("Authorization", "Bearer "+token); status != http.StatusOK {
		t.Errorf("who was known before: %d", status)
	}
	if got := b.do("GET", "/", nil, "Authorization", "Bearer "+token); got.status != http.StatusUnauthorized {
		t.Errorf("a token signs nobody in: %d", got.status)
	}
}

func TestManyRepositories(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 240 {
		w.repos = append(w.repos, signin.Repository{ID: int64(i + 1), Owner: "acme", Name: fmt.Sprintf("gone-%d", i)})
	}
	w.repos = append(w.repos, signin.Repository{ID: 7, Owner: "acme", Name: "open"}) // another has its name by now
	b := w.browser()
	b.signIn("/login", "reader")
	before := len(w.sim.Journal())
	status, names := b.seen()
	if diff := cmp.Diff([]string{"secret", "open"}, names); diff != "" || status != http.StatusOK {
		t.Errorf("%d, sees (-want +got):\n%s", status, diff)
	}
	if asked := len(w.sim.Journal()) - before; asked != 3 {
		t.Errorf("%d requests for 244 repositories, want 3", asked)
	}
}

// TestUnclearAnswers: what GitHub does not say plainly, nobody sees.
func TestUnclearAnswers(t *testing.T) {
	t.Parallel()
	repos := []signin.Repository{{ID: 5, Owner: "acme", Name: "shop"}}
	for _, c := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		want   string // "", seen, hidden, signed out, or unavailable
		after  time.Duration
	}{
		{"seen", 200, nil, `{"data":{"r0":{"databaseId":5}}}`, "seen", 0},
		{"not there", 200, nil, `{"data":{"r0":null},"errors":[{"type":"NOT_FOUND","path":["r0"],"message":"x"}]}`, "hidden", 0},
		{"not before single sign-on", 200, nil, `{"data":{"r0":null},"errors":[{"type":"FORBIDDEN","path":["r0"],"extensions":{"saml_failure":true}}]}`, "hidden", 0},
		{"another one", 200, nil, `{"data":{"r0":{"databaseId":6}}}`, "hidden", 0},
		{"null without a reason", 200, nil, `{"data":{"r0":null}}`, "unavailable", 0},
		{"nothing said of it", 200, nil, `{"data":{}}`, "unavailable", 0},
		{"something went wrong", 200, nil, `{"data":{"r0":null},"errors":[{"path":["r0"],"message":"Something went wrong"}]}`, "unavailable", 0},
		{"a limit", 200, map[string]string{"X-RateLimit-Remaining": "0"}, `{"errors":[{"type":"RATE_LIMITED","message":"x"}]}`, "unavailable", 0},
		{"no data", 200, nil, `{"data":null}`, "unavailable", 0},
		{"no JSON", 200, nil, `<html>`, "unavailable", 0},
		{"a second limit", 403, map[string]string{"Retry-After": "30"}, `{}`, "unavailable", 30 * time.Second},
		{"a redirect", 302, map[string]string{"Location": "https://evil.example/"}, ``, "unavailable", 0},
		{"a token that ended", 401, nil, `{}`, "signed out", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var sent struct {
				Variables map[string]string `json:"variables"`
			}
			github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = json.NewDecoder(r.Body).Decode(&sent)
				for name, value := range c.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer github.Close()
			in, err := signin.New(signin.Options{
				ClientID: "Iv1.a", ClientSecret: "s", WebURL: github.URL, APIURL: github.URL + "/api/v3/", PublicURL: "http://127.0.0.1:1", Key: []byte("k"), Now: time.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer ghp_0123456789012345678901234567890")
			ids, err := in.Visible(t.Context(), r, repos)
			got, unavailable := "hidden", (*signin.UnavailableError)(nil)
			switch {
			case errors.Is(err, signin.ErrSignedOut):
				got = "signed out"
			case errors.As(err, &unavailable):
				got = "unavailable"
				if unavailable.RetryAfter != c.after {
					t.Errorf("to be tried again after %v, want %v", unavailable.RetryAfter, c.after)
				}
			case err != nil:
				t.Fatal(err)
			case ids[5]:
				got = "seen"
			}
			if got != c.want || sent.Variables["o0"] != "acme" {
				t.Errorf("%s (%v), want %s; asked for %v", got, err, c.want, sent.Variables)
			}
		})
	}
}
