package signin_test

// A simulated GitHub with people and repositories, and browsers that come to
// promobot and go there to sign in.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers/signin"
	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/internal/githubsim/simtest"
)

// world is a GitHub, an App there, and a site to which people sign in.
type world struct {
	t     *testing.T
	sim   *simtest.Sim
	app   githubsim.App
	in    *signin.SignIn
	site  string
	log   *bytes.Buffer
	ahead atomic.Int64
	repos []signin.Repository
}

var allNames = []string{"secret", "elsewhere", "open"}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, log: &bytes.Buffer{}}
	now := func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	w.sim = simtest.Start(t, githubsim.Options{Clock: now})
	for _, login := range []string{"olga", "reader", "stranger"} {
		w.must(w.sim.CreateUser(login))
	}
	w.must(w.sim.CreateOrganization("acme", []string{"olga"}, nil))
	for _, name := range allNames {
		w.must(w.sim.CreateRepository(t.Context(), "acme", name, githubsim.RepoOptions{Private: name != "open"}))
		w.must(w.sim.SetRole("acme/"+name, "reader", "read"))
		r, _, err := w.sim.UserClient("olga").Repositories.Get(t.Context(), "acme", name)
		w.must(err)
		w.repos = append(w.repos, signin.Repository{ID: r.GetID(), Owner: "acme", Name: name})
	}
	var err error
	w.app, err = w.sim.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "promobot", Permissions: map[string]string{"contents": "read"}})
	w.must(err)
	_, err = w.sim.Install(w.app.ID, "acme", "secret", "open")
	w.must(err)

	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.site = server.URL
	w.must(w.sim.SetCallbacks(w.app.ID, w.site+signin.CallbackPath))
	w.in = w.open(w.site, w.app.ClientSecret)
	w.in.Routes(mux)
	mux.HandleFunc("GET /", func(rw http.ResponseWriter, r *http.Request) {
		who, err := w.in.Person(r)
		switch {
		case err != nil:
			http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		case who == nil:
			http.Error(rw, "nobody", http.StatusUnauthorized)
		default:
			_, _ = fmt.Fprintf(rw, "%s %s", who.Login, who.CSRF)
		}
	})
	mux.HandleFunc("POST /act", func(rw http.ResponseWriter, r *http.Request) {
		if err := w.in.CheckForm(r); err != nil {
			http.Error(rw, err.Error(), http.StatusForbidden)
		}
	})
	mux.HandleFunc("GET /seen", func(rw http.ResponseWriter, r *http.Request) {
		ids, err := w.in.Visible(r.Context(), r, w.repos)
		unavailable := (*signin.UnavailableError)(nil)
		switch {
		case errors.Is(err, signin.ErrSignedOut):
			rw.WriteHeader(http.StatusUnauthorized)
		case errors.As(err, &unavailable):
			rw.Header().Set("Retry-After", fmt.Sprint(int(unavailable.RetryAfter/time.Second)))
			http.Error(rw, unavailable.Reason, http.StatusServiceUnavailable)
		case err != nil:
			http.Error(rw, err.Error(), http.StatusInternalServerError)
		}
		for _, one := range w.repos {
			if ids[one.ID] {
				_, _ = fmt.Fprintln(rw, one.Name)
			}
		}
	})
	return w
}

// open makes a sign-in for the App, as reached under a public URL.
func (w *world) open(public, secret string) *signin.SignIn {
	w.t.Helper()
	in, err := signin.New(signin.Options{
		ClientID: w.app.ClientID, ClientSecret: secret, WebURL: w.sim.URL, APIURL: w.sim.BaseURL, PublicURL: public,
		Key: w.app.PrivateKeyPEM, UserAgent: "promobot", Log: zerolog.New(w.log),
		Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	})
	w.must(err)
	return in
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// browser is a person's.
type browser struct {
	w   *world
	jar http.CookieJar
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	w.must(err)
	return &browser{w, jar}
}

// page is an answer.
type page struct {
	status int
	to     *url.URL
	text   string
	header http.Header
}

func (b *browser) do(method, to string, form url.Values, header ...string) page {
	b.w.t.Helper()
	if strings.HasPrefix(to, "/") {
		to = b.w.site + to
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(b.w.t.Context(), method, to, body)
	b.w.must(err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Jar: b.jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	b.w.must(err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	b.w.must(err)
	at, _ := resp.Location()
	return page{resp.StatusCode, at, string(text), resp.Header}
}

// comesBack goes to GitHub by way of /login, agrees as someone, and returns the
// address to which GitHub sends them.
func (b *browser) comesBack(login, person string) *url.URL {
	b.w.t.Helper()
	off := b.do("GET", login, nil)
	if off.status != http.StatusFound || !strings.HasPrefix(off.to.String(), b.w.sim.URL+"/login/oauth/authorize?") {
		b.w.t.Fatalf("%s: %d, to %v", login, off.status, off.to)
	}
	q := off.to.Query()
	if q.Get("redirect_uri") != b.w.site+signin.CallbackPath || len(q.Get("state")) < 20 {
		b.w.t.Fatalf("sent to GitHub with %v", q)
	}
	q.Set("person", person)
	q.Set("agree", "1")
	agreed := b.do("POST", b.w.sim.URL+"/login/oauth/authorize", q)
	if agreed.status != http.StatusFound {
		b.w.t.Fatalf("GitHub: %d %s", agreed.status, agreed.text)
	}
	return agreed.to
}

// signIn signs a person in and returns where that leads to.
func (b *browser) signIn(login, person string) string {
	b.w.t.Helper()
	done := b.do("GET", b.comesBack(login, person).String(), nil)
	if done.status != http.StatusSeeOther {
		b.w.t.Fatalf("signing in: %d %s\n%s", done.status, done.text, b.w.log)
	}
	return strings.TrimPrefix(done.to.String(), b.w.site)
}

func (b *browser) csrf() string {
	b.w.t.Helper()
	_, csrf, _ := strings.Cut(b.do("GET", "/", nil).text, " ")
	return csrf
}

func (b *browser) seen(header ...string) (int, []string) {
	b.w.t.Helper()
	p := b.do("GET", "/seen", nil, header...)
	return p.status, strings.Fields(p.text)
}
