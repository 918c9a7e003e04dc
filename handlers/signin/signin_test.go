package signin_test

// Sign-in against the simulated GitHub, by a browser that keeps cookies and
// follows no redirect by itself.

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/handlers/signin"
	"github.com/promobot/promobot/internal/githubsim"
)

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
