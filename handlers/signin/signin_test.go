package signin_test

// Sign-in against the simulated GitHub, by a browser that keeps cookies and
// follows no redirect by itself.

import (
	"bytes"
	"encoding/json"
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

	"github.com/google/go-cmp/cmp"
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

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reader, stranger := w.browser(), w.browser()
	if got := reader.do("GET", "/", nil); got.status != http.StatusUnauthorized {
		t.Fatalf("before: %d %s", got.status, got.text)
	}
	if to := reader.signIn("/login?to="+url.QueryEscape("/acme/secret?a=1&b=%2F"), "reader"); to != "/acme/secret?a=1&b=%2F" {
		t.Errorf("signing in leads to %q, not to what was wanted", to)
	}
	if to := stranger.signIn("/login", "stranger"); to != "/" {
		t.Errorf("signing in leads to %q", to)
	}
	if got := reader.do("GET", "/", nil); got.status != http.StatusOK || !strings.HasPrefix(got.text, "reader ") {
		t.Errorf("signed in: %d %s", got.status, got.text)
	}
	if got := reader.do("GET", "/login?to=/wanted", nil); got.status != http.StatusSeeOther || got.to.Path != "/wanted" {
		t.Errorf("signing in again: %d %v", got.status, got.to)
	}
	for _, c := range []struct {
		who  *browser
		want []string
	}{{reader, []string{"secret", "open"}}, {stranger, []string{"open"}}} {
		status, names := c.who.seen()
		if diff := cmp.Diff(c.want, names); diff != "" || status != http.StatusOK {
			t.Errorf("%d, sees (-want +got):\n%s", status, diff)
		}
	}
	if log := w.log.String(); strings.Contains(log, "ghu_") || !strings.Contains(log, `"login":"reader"`) {
		t.Errorf("the log:\n%s", log)
	}
}

func TestWhatTheBrowserKeeps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	done := b.do("GET", b.comesBack("/login", "reader").String(), nil)
	var kept *http.Cookie
	for _, c := range (&http.Response{Header: done.header}).Cookies() {
		if c.Name == "promobot" {
			kept = c
		}
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("the cookie %s: %+v", c.Name, c)
		}
	}
	if kept == nil || kept.MaxAge < 7*3600 || kept.MaxAge > 8*3600 || strings.Contains(kept.Value, "ghu_") || len(kept.Value) > 1000 {
		t.Fatalf("the session: %+v", kept)
	}
	if done.header.Get("Cache-Control") != "no-store" || done.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("the answer's header: %v", done.header)
	}
	stranger := w.browser()
	alien := w.open(w.site, w.app.ClientSecret)
	for name, value := range map[string]string{
		"one letter changed":         kept.Value[:20] + map[bool]string{true: "A", false: "B"}[kept.Value[20] != 'A'] + kept.Value[21:],
		"cut off":                    kept.Value[:40],
		"nothing":                    "",
		"of a sign-in, not finished": loginCookie(t, b),
	} {
		if got := stranger.do("GET", "/", nil, "Cookie", "promobot="+value); got.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(kept)
	if who, err := alien.Person(r); err != nil || who == nil || who.Login != "reader" {
		t.Errorf("another process of the same App: %v %v", who, err)
	}
	secure := w.open("https://promobot.acme.example", w.app.ClientSecret)
	if who, err := secure.Person(r); err != nil || who != nil {
		t.Errorf("by https, a cookie that plain http may have set is taken: %v %v", who, err)
	}
	mux, answer := http.NewServeMux(), httptest.NewRecorder()
	secure.Routes(mux)
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/login", nil))
	if set := answer.Header().Get("Set-Cookie"); !strings.HasPrefix(set, "__Host-promobot-login=") || !strings.Contains(set, "; Secure") {
		t.Errorf("by https: %s", set)
	}
	w.ahead.Store(int64(8*time.Hour + time.Second))
	if got := b.do("GET", "/", nil); got.status != http.StatusUnauthorized {
		t.Errorf("after eight hours: %d %s", got.status, got.text)
	}
}

// loginCookie is what a browser keeps while its person is at GitHub.
func loginCookie(t *testing.T, b *browser) string {
	t.Helper()
	p := b.w.browser().do("GET", "/login", nil)
	for _, c := range (&http.Response{Header: p.header}).Cookies() {
		return c.Value
	}
	t.Fatal("nothing is kept")
	return ""
}

func TestSignInThatIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana, eve := w.browser(), w.browser()
	// Eve lets ana come back with eve's code: ana must not become eve.
	eves := eve.comesBack("/login", "stranger")
	ana.do("GET", "/login", nil)
	if got := ana.do("GET", eves.String(), nil); got.status != http.StatusBadRequest || !strings.Contains(got.text, "not yours any more") {
		t.Errorf("in another browser: %d %s", got.status, got.text)
	}
	if got := ana.do("GET", "/", nil); got.status != http.StatusUnauthorized {
		t.Errorf("and then: %d %s", got.status, got.text)
	}
	back := ana.comesBack("/login", "reader")
	if first, again := ana.do("GET", back.String(), nil), ana.do("GET", back.String(), nil); first.status != http.StatusSeeOther || again.status != http.StatusBadRequest {
		t.Errorf("the same twice: %d, %d %s", first.status, again.status, again.text)
	}
	slow := w.browser()
	back = slow.comesBack("/login", "reader")
	w.ahead.Store(int64(11 * time.Minute))
	if got := slow.do("GET", back.String(), nil); got.status != http.StatusBadRequest {
		t.Errorf("after eleven minutes: %d %s", got.status, got.text)
	}
	w.ahead.Store(0)
	for query, want := range map[string]struct {
		status int
		says   string
	}{
		"error=access_denied":                         {http.StatusForbidden, "have not let GitHub tell"},
		"error=redirect_uri_mismatch":                 {http.StatusBadGateway, w.site + "/login/callback"},
		"error=" + url.QueryEscape("<b>x</b>"):        {http.StatusBadGateway, "It says unknown."},
		"code=x&state=" + url.QueryEscape("<script>"): {http.StatusBadRequest, "not yours any more"},
	} {
		if got := w.browser().do("GET", "/login/callback?"+query, nil); got.status != want.status || !strings.Contains(got.text, want.says) || strings.Contains(got.text, "<b>x") {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
	if got := w.browser().do("GET", "/login/callback", nil); got.status != http.StatusSeeOther || got.to.Path != "/login" {
		t.Errorf("without a code: %d %v", got.status, got.to)
	}

	w.sim.Inject(githubsim.Fault{Method: "POST", Path: "/login/oauth/access_token", Effect: githubsim.Failed(502), Occurrences: []int{1}})
	b := w.browser()
	if got := b.do("GET", b.comesBack("/login", "reader").String(), nil); got.status != http.StatusServiceUnavailable {
		t.Errorf("when GitHub does not answer: %d %s", got.status, got.text)
	}
	mux := http.NewServeMux()
	w.open(w.site, "wrong").Routes(mux)
	b = w.browser()
	back = b.comesBack("/login", "reader")
	r, answer := httptest.NewRequest(http.MethodGet, back.RequestURI(), nil), httptest.NewRecorder()
	at, err := url.Parse(w.site)
	w.must(err)
	for _, c := range b.jar.Cookies(at) {
		r.AddCookie(c)
	}
	mux.ServeHTTP(answer, r)
	if answer.Code != http.StatusBadGateway || !strings.Contains(answer.Body.String(), "incorrect_client_credentials") {
		t.Errorf("with a wrong secret: %d %s", answer.Code, answer.Body)
	}
}

func TestLocal(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"":                               "/",
		"/acme/shop":                     "/acme/shop",
		"/?env=prod*&q=a%20b":            "/?env=prod*&q=a%20b",
		"/acme/shop#x":                   "/acme/shop#x",
		"acme":                           "/",
		"https://evil.example/":          "/",
		"//evil.example/":                "/",
		"///evil.example":                "/",
		"/\\evil.example":                "/",
		"\\/evil.example":                "/",
		"/%5cevil.example":               "/",
		"/%2fevil.example":               "/",
		"/\t/evil.example":               "/",
		"/%09/evil.example":              "/",
		" //evil.example":                "/",
		"/x\r\nSet-Cookie: a=b":          "/",
		"javascript:alert(1)":            "/",
		"/login?to=/login":               "/",
		"/login/callback?code=1":         "/",
		"/logout":                        "/",
		"/%zz":                           "/",
		"/" + strings.Repeat("x", 2<<10): "/",
	} {
		if got := signin.Local(to); got != want {
			t.Errorf("%q leads to %q, want %q", to, got, want)
		}
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana, eve := w.browser(), w.browser()
	ana.signIn("/login", "reader")
	eve.signIn("/login", "stranger")
	own := url.Values{"csrf": {ana.csrf()}}
	for _, c := range []struct {
		name   string
		who    *browser
		form   url.Values
		header []string
		want   int
	}{
		{"from a page of theirs", ana, own, []string{"Sec-Fetch-Site", "same-origin"}, http.StatusOK},
		{"from a page of theirs, by an old browser", ana, own, []string{"Origin", w.site}, http.StatusOK},
		{"from another site", ana, own, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"from a neighbour", ana, own, []string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		{"from another site, by an old browser", ana, own, []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"from no origin", ana, own, []string{"Origin", "null"}, http.StatusForbidden},
		{"without a token", ana, url.Values{}, nil, http.StatusForbidden},
		{"with an empty token", ana, url.Values{"csrf": {""}}, nil, http.StatusForbidden},
		{"with another's token", ana, url.Values{"csrf": {eve.csrf()}}, nil, http.StatusForbidden},
		{"signed out", w.browser(), own, nil, http.StatusForbidden},
	} {
		if got := c.who.do("POST", "/act", c.form, c.header...); got.status != c.want {
			t.Errorf("%s: %d %s", c.name, got.status, got.text)
		}
	}
	if got := ana.do("POST", "/act?csrf="+own.Get("csrf"), url.Values{}); got.status != http.StatusForbidden {
		t.Errorf("with the token in the address: %d %s", got.status, got.text)
	}
}

func TestSigningOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signIn("/login", "reader")
	at, err := url.Parse(w.site)
	w.must(err)
	copied := b.jar.Cookies(at)[0].String()
	if got := b.do("GET", "/logout", nil); got.status == http.StatusSeeOther {
		t.Errorf("by a link: %d", got.status)
	}
	if got := b.do("POST", "/logout", url.Values{"csrf": {"x"}}); got.status != http.StatusForbidden || b.csrf() == "" {
		t.Errorf("with a wrong token: %d", got.status)
	}
	if got := b.do("POST", "/logout", url.Values{"csrf": {b.csrf()}}); got.status != http.StatusSeeOther || got.to.Path != "/" {
		t.Fatalf("%d %v %s", got.status, got.to, got.text)
	}
	if got := b.do("GET", "/", nil); got.status != http.StatusUnauthorized || len(b.jar.Cookies(at)) != 0 {
		t.Errorf("signed out: %d %s", got.status, got.text)
	}
	if got := w.browser().do("GET", "/", nil, "Cookie", copied); got.status != http.StatusUnauthorized {
		t.Errorf("a copy of the cookie: %d %s", got.status, got.text)
	}
	if got := w.browser().do("POST", "/logout", url.Values{}); got.status != http.StatusSeeOther {
		t.Errorf("nobody signs out: %d", got.status)
	}
}

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
