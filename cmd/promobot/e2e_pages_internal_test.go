package main

// Pages end to end: people sign in by the simulated GitHub with a browser that
// keeps cookies, behind a proxy as in the world; they see what GitHub lets them
// see, and what they press has one effect, where they may.

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/handlers/api"
	"github.com/promobot/promobot/handlers/signin"
	"github.com/promobot/promobot/internal/githubsim"
)

// withPages has the scene's program serve pages behind a proxy, whose address is
// returned. It is to be called before start.
func (s *scene) withPages() (public string) {
	s.t.Helper()
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: s.program.addr}) // with a Host of its own
	}})
	s.t.Cleanup(proxy.Close)
	if err := s.sim.SetCallbacks(s.app.ID, proxy.URL+signin.CallbackPath); err != nil {
		s.t.Fatal(err)
	}
	before := s.settings
	s.settings = func(c *Config) {
		if before != nil {
			before(c)
		}
		c.Server.PublicURL, c.Pages = proxy.URL, PagesConfig{ClientID: s.app.ClientID, ClientSecret: Secret{s.app.ClientSecret}}
	}
	return proxy.URL
}

// visitor is a person at a browser.
type visitor struct {
	s      *scene
	public string
	client *http.Client
}

// shown is what they get.
type shown struct {
	status int
	at     *url.URL // after redirects
	text   string
	header http.Header
}

// visitor is someone who is not signed in.
func (s *scene) visitor(public string) *visitor {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &visitor{s, public, &http.Client{Jar: jar, Timeout: patience}}
}

// signedIn is someone who has signed in, wanting a page, and what they got.
func (s *scene) signedIn(public, login, wanted string) (*visitor, shown) {
	s.t.Helper()
	v := s.visitor(public)
	asked := v.get(signin.LoginPath + "?to=" + url.QueryEscape(wanted))
	form := asked.at.Query()
	form.Set("person", login)
	form.Set("agree", "1")
	return v, v.send(s.sim.URL+"/login/oauth/authorize", form)
}

func (v *visitor) get(path string) shown { return v.do(http.MethodGet, v.public+path, nil) }

func (v *visitor) send(to string, form url.Values, header ...string) shown {
	return v.do(http.MethodPost, to, form, header...)
}

func (v *visitor) do(method, to string, form url.Values, header ...string) shown {
	v.s.t.Helper()
	req, err := http.NewRequestWithContext(v.s.t.Context(), method, to, strings.NewReader(form.Encode()))
	if err != nil {
		v.s.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.s.t.Fatal(err)
	}
	return shown{resp.StatusCode, resp.Request.URL, string(text), resp.Header}
}

var (
	forms  = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)"[^>]*>(.*?)</form>`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// form is the form of a page that has a command, or leads somewhere.
func (p shown) form(t *testing.T, command, to string) (string, url.Values) {
	t.Helper()
	for _, f := range forms.FindAllStringSubmatch(p.text, -1) {
		fields := url.Values{}
		for _, field := range hidden.FindAllStringSubmatch(f[2], -1) {
			fields.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
		}
		if fields.Get("command") == command && (to == "" || f[1] == to) {
			return html.UnescapeString(f[1]), fields
		}
	}
	t.Fatalf("no form for %q in\n%s", command, p.text)
	return "", nil
}

// sees are the repositories that the API shows them.
func (v *visitor) sees() (names []string) {
	v.s.t.Helper()
	p := v.get("/api/v1/repositories")
	var list api.Repositories
	if err := json.Unmarshal([]byte(p.text), &list); err != nil || p.status != http.StatusOK {
		v.s.t.Fatalf("the API: %d %s", p.status, p.text)
	}
	for _, r := range list.Repositories {
		names = append(names, r.Owner+"/"+r.Name)
	}
	return names
}

// TestPagesShowWhatGitHubShows: two private repositories, and people with
// different rights.
func TestPagesShowWhatGitHubShows(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(shopPropose, "dev", "prod")})
	other := newCheckout(t, s.sim, "other", sceneOptions{files: shopFiles(shopPropose, "dev", "prod")})
	s.person("rita", "read")
	if err := s.sim.CreateUser("zoe"); err != nil { // sees neither
		t.Fatal(err)
	}
	public := s.withPages()
	s.installed(2)
	s.wait("the other one has its baselines", func() bool { return len(other.ledgers()) == 2 })
	s.settle()

	nobody := s.visitor(public)
	for _, path := range []string{"/acme/gitops", "/acme/none", "/?q=1"} {
		if p := nobody.get(path); p.status != http.StatusOK || p.at.Path != "/" || strings.Contains(p.text, "gitops<") || strings.Contains(p.text, "acme/other") {
			t.Errorf("%s, signed out: %d at %v\n%s", path, p.status, p.at, p.text)
		}
	}
	if p := nobody.get("/api/v1/repositories"); p.status != http.StatusUnauthorized {
		t.Errorf("the API, signed out: %d %s", p.status, p.text)
	}

	both := []string{"acme/gitops", "acme/other"}
	for _, c := range []struct {
		login string
		sees  []string
	}{{"ana", both}, {"rita", both[:1]}, {"zoe", nil}, {"bo", both}} {
		v, got := s.signedIn(public, c.login, "/acme/other")
		if c.login == "bo" {
			continue // an owner of the organization: the API is enough
		}
		if want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[len(c.sees) == 2]; got.status != want || got.at.Path != "/acme/other" {
			t.Errorf("%s comes to %v: %d\n%s", c.login, got.at, got.status, got.text)
		}
		if d := cmp.Diff(c.sees, v.sees()); d != "" {
			t.Errorf("%s sees by the API (-want +got):\n%s", c.login, d)
		}
		home := v.get("/")
		for _, name := range both {
			if shows := strings.Contains(home.text, "/"+name); shows != slices.Contains(c.sees, name) {
				t.Errorf("%s: %s is shown: %v\n%s", c.login, name, shows, home.text)
			}
		}
		// What is hidden looks as what is not there.
		hidden, absent := v.get("/acme/other"), v.get("/acme/none")
		if len(c.sees) < 2 && (hidden.status != absent.status || plain(hidden.text) != plain(absent.text)) {
			t.Errorf("%s: what is hidden differs from what is absent:\n%s", c.login, cmp.Diff(plain(absent.text), plain(hidden.text)))
		}
		before := len(s.sim.Journal().By(c.login))
		v.get("/")
		v.get("/acme/gitops")
		if asked := len(s.sim.Journal().By(c.login)) - before; asked != 0 {
			t.Errorf("%s: %d requests to GitHub while pages are drawn", c.login, asked)
		}
	}
}

var changing = regexp.MustCompile(`(?s)value="[A-Z2-7]{20,}"|<time.*?</time>|/acme/(other|none)|%2F\w+`)

// plain is a page without what differs each time.
func plain(text string) string { return changing.ReplaceAllString(text, "") }

// TestPressOnAPage: the wrong person, another site, then the right person, twice
// and at the same time.
func TestPressOnAPage(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(guardedShop(shopPropose), "dev", "prod")})
	s.person("wes", "write")
	public := s.withPages()
	s.installed(2)
	s.proposed(s.release("2.0.0"))
	s.settle()
	before, refs := s.heardOf(), s.refs()
	const at = "/acme/gitops/e/prod/shop"

	wes, page := s.signedIn(public, "wes", at)
	to, form := page.form(t, "hold prod", "")
	done := wes.press(to, form)
	if says := wes.answer(done); !strings.Contains(says, "maintain") {
		t.Errorf("wes, who may not, is told:\n%s", says)
	}
	s.settle()
	if d := cmp.Diff(refs, s.refs()); d != "" {
		t.Fatalf("a press that is not allowed has an effect (-before +after):\n%s", d)
	}

	ana, page := s.signedIn(public, "ana", at)
	to, form = page.form(t, "hold prod", "")
	form.Set("confirmed", "yes")
	for name, header := range map[string][]string{
		"another site": {"Sec-Fetch-Site", "cross-site"}, "another origin": {"Origin", "https://evil.example"},
	} {
		if p := ana.send(public+to, form, header...); p.status != http.StatusForbidden {
			t.Errorf("from %s: %d %s", name, p.status, p.text)
		}
	}
	_, weses := wes.get(at).form(t, "hold prod", "")
	weses.Set("confirmed", "yes")
	if p := ana.send(public+to, weses); p.status != http.StatusForbidden {
		t.Errorf("with another's form: %d %s", p.status, p.text)
	}
	if p := s.visitor(public).send(public+to, form); p.status != http.StatusForbidden {
		t.Errorf("signed out: %d %s", p.status, p.text)
	}
	s.settle()
	if d := cmp.Diff(refs, s.refs()); d != "" {
		t.Fatalf("what was refused has an effect (-before +after):\n%s", d)
	}

	var presses sync.WaitGroup
	for range 3 { // the same form: a double click
		presses.Go(func() { ana.send(public+to, form) })
	}
	presses.Wait()
	s.wait("prod is held", func() bool { return s.held(shopProd) })
	s.settle()
	before[shopProd]++
	if d := cmp.Diff(before, s.heardOf()); d != "" {
		t.Errorf("heard (-want +got):\n%s", d)
	}
	if h := s.ledgers()[shopProd].Hold; h == nil || h.By != "ana" {
		t.Errorf("the hold: %+v", h)
	}
	if p := ana.send(public+to, form); p.status != http.StatusConflict {
		t.Errorf("once more, when it is held: %d at %v", p.status, p.at)
	}
	s.settle()
	if d := cmp.Diff(before, s.heardOf()); d != "" {
		t.Errorf("heard, after once more (-want +got):\n%s", d)
	}

	to, form = ana.get(at).form(t, "", signin.LogoutPath)
	if p := ana.send(public+to, form); p.status != http.StatusOK || p.at.Path != "/" {
		t.Errorf("signing out: %d at %v", p.status, p.at)
	}
	if p := ana.get(at); p.at.Path != "/" {
		t.Errorf("signed out: %d at %v", p.status, p.at)
	}
}

// press sends a form, and the question that may follow.
func (v *visitor) press(to string, form url.Values) shown {
	v.s.t.Helper()
	p := v.send(v.public+to, form)
	if p.at.Query().Has("answer") {
		return p
	}
	command := form.Get("command")
	to, form = p.form(v.s.t, command, "")
	form.Set("confirmed", "yes")
	return v.send(v.public+to, form)
}

// answer waits until the page to which a press has led says what became of it.
func (v *visitor) answer(p shown) (text string) {
	v.s.t.Helper()
	id := p.at.Query().Get("answer")
	if id == "" {
		v.s.t.Fatalf("a press leads to %v: %d\n%s", p.at, p.status, p.text)
	}
	v.s.wait("the press is answered", func() bool {
		text = v.get(p.at.RequestURI()).text
		return !strings.Contains(text, " data-waits")
	})
	return text
}

// TestPagesWithoutGitHub: when GitHub cannot be asked nothing is shown, and who has
// taken the App's authorization back is signed out.
func TestPagesWithoutGitHub(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(shopPropose, "dev", "prod")})
	public := s.withPages()
	s.installed(2)
	down := s.sim.Inject(githubsim.Fault{Method: http.MethodPost, Path: "/api/graphql", Effect: githubsim.BadGateway()})
	_, p := s.signedIn(public, "ana", "/acme/gitops")
	if p.status != http.StatusServiceUnavailable || strings.Contains(p.text, "shop") {
		t.Errorf("signing in without GitHub: %d\n%s", p.status, p.text)
	}
	down()
	v, p := s.signedIn(public, "ana", "/")
	if p.status != http.StatusOK {
		t.Fatalf("signing in: %d\n%s", p.status, p.text)
	}
	down = s.sim.Inject(githubsim.Fault{Method: http.MethodPost, Path: "/api/graphql", Effect: githubsim.Dropped()})
	token, err := s.sim.UserToken("ana")
	if err != nil {
		t.Fatal(err)
	}
	if p := s.visitor(public).do(http.MethodGet, public+"/api/v1/repositories", nil, "Authorization", "Bearer "+token); p.status != http.StatusServiceUnavailable || p.header.Get("Retry-After") == "" {
		t.Errorf("the API without GitHub: %d %s", p.status, p.text)
	}
	down()
	if p := s.visitor(public).do(http.MethodGet, public+"/api/v1/repositories", nil, "Authorization", "Bearer "+token); p.status != http.StatusOK || !strings.Contains(p.text, `"gitops"`) {
		t.Errorf("the API with ana's own token: %d %s", p.status, p.text)
	}

	s.sim.RevokeAuthorization(s.app.ID, "ana")
	s.stop()
	s.start() // which remembers nothing of what GitHub said
	s.settle()
	if p := v.get("/acme/gitops"); p.at.Path != "/" || strings.Contains(p.text, "shop") {
		t.Errorf("after ana has taken it back: %d at %v\n%s", p.status, p.at, p.text)
	}
}

// TestNoPages: without sign-in there are none, and the first says what to set.
func TestNoPages(t *testing.T) {
	t.Parallel()
	r := start(t, testConfig(t), &testApp{}, nil)
	if status, text := r.get("/"); status != http.StatusOK || !strings.Contains(text, "pages.client_id") || !strings.Contains(text, "/login/callback") {
		t.Errorf("/: %d %s", status, text)
	}
	for _, path := range []string{"/login", "/acme/shop", "/api/v1/status"} {
		if status, text := r.get(path); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	r.stopWell()
}
