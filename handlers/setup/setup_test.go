package setup_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/promobot/promobot/handlers/setup"
	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/internal/githubsim/simtest"
)

// room is a set-up, a person's browser, and a simulated GitHub.
type room struct {
	t       *testing.T
	sim     *simtest.Sim
	flow    *setup.Flow
	base    string
	browser *http.Client
	made    []setup.Made
	fail    error // of the next Save
}

// network fails while down is set, as a machine without a way to GitHub.
type network struct{ down bool }

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	if n.down {
		return nil, errors.New("no route to host")
	}
	return http.DefaultTransport.RoundTrip(r)
}

func newRoom(t *testing.T, n *network) *room {
	t.Helper()
	r := &room{t: t, sim: simtest.Start(t, githubsim.Options{})}
	if err := errors.Join(r.sim.CreateUser("ana"), r.sim.CreateOrganization("acme", []string{"ana"}, nil)); err != nil {
		t.Fatal(err)
	}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { handler.ServeHTTP(w, q) }))
	t.Cleanup(server.Close)
	r.base = server.URL
	var err error
	r.flow, err = setup.New(setup.Options{
		Base: server.URL, Client: &http.Client{Transport: n},
		Answers: setup.Answers{GitHub: r.sim.URL, Organization: "acme", Name: "promobot-acme", URL: "http://127.0.0.1:8080"},
		Save: func(m setup.Made) (setup.Saved, error) {
			if err := r.fail; err != nil {
				r.fail = nil
				return setup.Saved{}, err
			}
			r.made = append(r.made, m)
			return setup.Saved{Dir: "/there", Files: []string{"config.yml"}, Next: []setup.Step{{Title: "Run it", Command: "promobot serve"}}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	handler = r.flow.Handler()
	r.browser = r.newBrowser()
	return r
}

func (r *room) newBrowser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

func (r *room) do(c *http.Client, method, address string, form url.Values, header ...string) (int, string, http.Header) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func answers(r *room, change func(url.Values)) url.Values {
	form := url.Values{"owner": {"organization"}, "organization": {"acme"}, "name": {"promobot-acme"}, "url": {"http://127.0.0.1:8080"}, "github": {r.sim.URL}}
	if change != nil {
		change(form)
	}
	return form
}

var (
	action   = regexp.MustCompile(`<form class="card" method="post" action="([^"]+)"`)
	manifest = regexp.MustCompile(`name="manifest" value="([^"]+)"`)
)

// agree creates the App on GitHub's page, and returns where GitHub sends people.
func (r *room) agree(page, name string) *url.URL {
	r.t.Helper()
	to, what := action.FindStringSubmatch(page), manifest.FindStringSubmatch(page)
	if to == nil || what == nil {
		r.t.Fatalf("the page does not lead to GitHub:\n%s", page)
	}
	at, err := url.Parse(html.UnescapeString(to[1]))
	if err != nil {
		r.t.Fatal(err)
	}
	status, text, _ := r.do(r.browser, http.MethodPost, at.String(), url.Values{"manifest": {html.UnescapeString(what[1])}})
	if status != http.StatusOK {
		r.t.Fatalf("GitHub does not take the manifest: %d\n%s", status, text)
	}
	once := *r.browser
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	status, text, header := r.do(&once, http.MethodPost, r.sim.URL+"/_githubsim/apps", url.Values{
		"manifest": {html.UnescapeString(what[1])}, "state": {at.Query().Get("state")}, "org": {"acme"}, "person": {"ana"}, "name": {name},
	})
	back, err := url.Parse(header.Get("Location"))
	if status != http.StatusFound || err != nil {
		r.t.Fatalf("GitHub does not create the App: %d\n%s", status, text)
	}
	return back
}

// toGitHub opens the first address, sends the form, and creates the App.
func (r *room) toGitHub() *url.URL {
	r.t.Helper()
	if status, text, _ := r.do(r.browser, http.MethodGet, r.flow.First(), nil); status != http.StatusOK || !strings.Contains(text, "promobot-acme") {
		r.t.Fatalf("%d, the first page:\n%s", status, text)
	}
	status, page, _ := r.do(r.browser, http.MethodPost, r.base+"/", answers(r, nil))
	if status != http.StatusOK {
		r.t.Fatalf("%d, the page to GitHub:\n%s", status, page)
	}
	return r.agree(page, "promobot-acme")
}

func (r *room) wantDone(done bool) {
	r.t.Helper()
	is := false
	select {
	case <-r.flow.Done():
		is = true
	default:
	}
	if is != done || (r.flow.Saved() != nil) != done || done != (len(r.made) == 1) {
		r.t.Errorf("done: %v, saved %v, made %v; want %v", is, r.flow.Saved(), r.made, done)
	}
}

func TestFromTheFormToTheSecrets(t *testing.T) {
	r := newRoom(t, &network{})
	back := r.toGitHub()
	r.wantDone(false)
	status, text, _ := r.do(r.browser, http.MethodGet, back.String(), nil)
	if status != http.StatusOK || !strings.Contains(text, "promobot serve") {
		t.Fatalf("%d, the last page:\n%s", status, text)
	}
	r.wantDone(true)
	m := r.made[0]
	app, err := r.sim.AppBySlug("promobot-acme")
	if err != nil || m.ID != app.ID || m.Key != string(app.PrivateKeyPEM) || m.WebhookSecret != app.WebhookSecret || m.ClientID != app.ClientID ||
		m.ClientSecret != app.ClientSecret || m.Owner != "acme" || m.InstallPage() != r.sim.URL+"/apps/promobot-acme/installations/new" {
		t.Errorf("what was made is not GitHub's App: %v %v", m, err)
	}
	if app.WebhookURL != "http://127.0.0.1:8080/api/github/hook" {
		t.Errorf("webhooks go to %s", app.WebhookURL)
	}
	for _, secret := range []string{m.WebhookSecret, m.ClientSecret, m.Key[100:140]} {
		if strings.Contains(text, secret) || strings.Contains(fmt.Sprintf("%v %+v %#v %s", m, m, m, m), secret) {
			t.Error("a secret shows")
		}
	}
	// Reloading the last page shows it again, and makes nothing.
	if status, again, _ := r.do(r.browser, http.MethodGet, back.String(), nil); status != http.StatusOK || again != text {
		t.Errorf("reloaded: %d\n%s", status, again)
	}
	r.wantDone(true)
}

func TestFormSaysWhatIsWrong(t *testing.T) {
	r := newRoom(t, &network{})
	r.do(r.browser, http.MethodGet, r.flow.First(), nil)
	hostile := `"><script>alert(1)</script>`
	for _, c := range []struct {
		name   string
		change func(url.Values)
		want   string
	}{
		{"no organization", func(f url.Values) { f.Del("organization") }, `id="organization-wrong"`},
		{"an odd organization", func(f url.Values) { f.Set("organization", hostile) }, `id="organization-wrong"`},
		{"no name", func(f url.Values) { f.Set("name", " ") }, `id="name-wrong"`},
		{"a long name", func(f url.Values) { f.Set("name", strings.Repeat("n", 35)) }, `id="name-wrong"`},
		{"a public URL that is none", func(f url.Values) { f.Set("url", "javascript:alert(1)") }, `id="url-wrong"`},
		{"a public URL without https", func(f url.Values) { f.Set("url", "http://promobot.example.com") }, `id="url-wrong"`},
		{"an odd GitHub", func(f url.Values) { f.Set("github", hostile) }, `id="github-wrong"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, text, _ := r.do(r.browser, http.MethodPost, r.base+"/", answers(r, c.change))
			if status != http.StatusUnprocessableEntity || !strings.Contains(text, c.want) || strings.Contains(text, "<script>") {
				t.Errorf("%d, without %q:\n%s", status, c.want, text)
			}
		})
	}
	status, text, _ := r.do(r.browser, http.MethodPost, r.base+"/", answers(r, func(f url.Values) {
		f.Set("owner", "person")
		f["option"] = []string{"queue", "run", "nonsense"}
	}))
	if status != http.StatusOK || !strings.Contains(text, `action="`+r.sim.URL+"/settings/apps/new?state=") ||
		!strings.Contains(text, "&#34;merge_queues&#34;:&#34;read&#34;") || !strings.Contains(text, "&#34;actions&#34;:&#34;write&#34;") || strings.Contains(text, "workflows") {
		t.Errorf("an App of one's own, with two options: %d\n%s", status, text)
	}
}

func TestOnlyWhoWasGivenTheAddress(t *testing.T) {
	r := newRoom(t, &network{})
	stranger := r.newBrowser()
	forbidden := func(what string, status, want int) {
		t.Helper()
		if status != want {
			t.Errorf("%s: %d, want %d", what, status, want)
		}
	}
	status, _, _ := r.do(stranger, http.MethodGet, r.base+"/", nil)
	forbidden("without the address", status, http.StatusForbidden)
	status, _, _ = r.do(stranger, http.MethodGet, r.base+"/start/wrong", nil)
	forbidden("with another", status, http.StatusForbidden)
	status, text, header := r.do(r.browser, http.MethodGet, r.flow.First(), nil)
	forbidden("with the address", status, http.StatusOK)
	policy := header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || header.Get("Cache-Control") != "no-store" || strings.Contains(text, "<script") {
		t.Errorf("the page's headers are %v", header)
	}
	status, _, _ = r.do(stranger, http.MethodGet, r.flow.First(), nil)
	forbidden("with the address a second time", status, http.StatusForbidden)
	status, _, _ = r.do(stranger, http.MethodPost, r.base+"/", answers(r, nil))
	forbidden("the form, without the cookie", status, http.StatusForbidden)
	status, _, _ = r.do(r.browser, http.MethodPost, r.base+"/", answers(r, nil), "Sec-Fetch-Site", "cross-site")
	forbidden("the form, from another site", status, http.StatusForbidden)
	status, _, _ = r.do(r.browser, http.MethodGet, r.base+"/", nil, "Host", "evil.example")
	forbidden("by another name of this machine", status, http.StatusMisdirectedRequest)
	_, page, header := r.do(r.browser, http.MethodPost, r.base+"/", answers(r, nil))
	if !strings.Contains(header.Get("Content-Security-Policy"), "form-action 'self' "+r.sim.URL+";") {
		t.Errorf("the form may lead to %s", header.Get("Content-Security-Policy"))
	}
	back := r.agree(page, "promobot-acme")
	for what, query := range map[string]url.Values{
		"without a state": {"code": back.Query()["code"]}, "with another state": {"code": back.Query()["code"], "state": {"x"}},
		"without a code": {"state": back.Query()["state"]},
	} {
		status, _, _ := r.do(r.browser, http.MethodGet, r.base+"/created?"+query.Encode(), nil)
		forbidden(what, status, http.StatusBadGateway)
	}
	r.wantDone(false)
	status, _, _ = r.do(r.browser, http.MethodGet, back.String(), nil)
	forbidden("with both", status, http.StatusOK)
	r.wantDone(true)
}

func TestWhatFailsIsTriedAgain(t *testing.T) {
	n := &network{}
	r := newRoom(t, n)
	back := r.toGitHub()
	code := back.Query().Get("code")
	n.down = true
	status, text, _ := r.do(r.browser, http.MethodGet, back.String(), nil)
	if status != http.StatusBadGateway || !strings.Contains(text, "no route to host") || !strings.Contains(text, `id="again"`) || strings.Contains(text, code) {
		t.Fatalf("GitHub out of reach: %d\n%s", status, text)
	}
	n.down = false
	r.fail = errors.New("the disk is full")
	if status, text, _ := r.do(r.browser, http.MethodPost, r.base+"/again", url.Values{}); status != http.StatusBadGateway || !strings.Contains(text, "The disk is full") || !strings.Contains(text, `id="again"`) {
		t.Fatalf("what cannot be written: %d\n%s", status, text)
	}
	r.wantDone(false)
	if status, text, _ := r.do(r.browser, http.MethodPost, r.base+"/again", url.Values{}); status != http.StatusOK {
		t.Fatalf("at last: %d\n%s", status, text)
	}
	r.wantDone(true)
}

func TestSpentCode(t *testing.T) {
	r := newRoom(t, &network{})
	back := r.toGitHub()
	if _, _, err := r.sim.Client("").Apps.CompleteAppManifest(t.Context(), back.Query().Get("code")); err != nil {
		t.Fatal(err)
	}
	status, text, _ := r.do(r.browser, http.MethodGet, back.String(), nil)
	if status != http.StatusBadGateway || !strings.Contains(text, "counts once, and for an hour") || strings.Contains(text, `id="again"`) {
		t.Errorf("%d\n%s", status, text)
	}
	r.wantDone(false)
}

func TestPasting(t *testing.T) {
	for _, c := range []struct {
		name   string
		text   func(back *url.URL) string
		orders int
		want   string
	}{
		{"the address", func(u *url.URL) string { return "  " + u.String() + "\n" }, 2, ""},
		{"the code", func(u *url.URL) string { return u.Query().Get("code") }, 1, ""},
		{"the code, of one of two", func(u *url.URL) string { return u.Query().Get("code") }, 2, "paste the whole address"},
		{"another address", func(*url.URL) string { return "https://github.com/settings/apps" }, 1, "there is no code"},
		{"an address with another state", func(u *url.URL) string { return u.String() + "x" }, 1, "did not begin here"},
		{"a code that there is not", func(*url.URL) string { return "abc" }, 1, "counts once"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRoom(t, &network{})
			var page []byte
			for range c.orders {
				var wrong map[string]string
				if page, wrong = r.flow.Page(); len(wrong) > 0 {
					t.Fatal(wrong)
				}
			}
			if !strings.Contains(string(page), "Copy that address") {
				t.Errorf("the page does not say what to do:\n%s", page)
			}
			err := r.flow.Paste(t.Context(), c.text(r.agree(string(page), "promobot-acme")))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			r.wantDone(c.want == "")
		})
	}
}

func TestAnswersOfOddServers(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		status       int
		want         string
		retry        bool
	}{
		{"down", "oops", http.StatusServiceUnavailable, "503 Service Unavailable", true},
		{"elsewhere", "", http.StatusFound, "302 Found", true},
		{"no App", `{"id":1}`, http.StatusCreated, "not that of a new App", true},
		{"no JSON", `{"pem": "a secret`, http.StatusCreated, "not that of a new App", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.answer)
			}))
			defer server.Close()
			flow, err := setup.New(setup.Options{
				Base: "http://127.0.0.1:1", Answers: setup.Answers{GitHub: server.URL, Personal: true, Name: "a", URL: "https://a.example"},
				Client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, wrong := flow.Page(); len(wrong) > 0 {
				t.Fatal(wrong)
			}
			err = flow.Paste(context.WithoutCancel(t.Context()), "a-code")
			if err == nil || !strings.Contains(err.Error(), c.want) || flow.Retry() != c.retry {
				t.Errorf("%v, may be tried again: %v", err, flow.Retry())
			}
			for _, secret := range []string{"a-code", "a secret"} {
				if strings.Contains(fmt.Sprint(err), secret) {
					t.Errorf("%q shows in %v", secret, err)
				}
			}
		})
	}
}
