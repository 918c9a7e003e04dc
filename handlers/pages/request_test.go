package pages_test

// Requests: who may see what, what a form must have, and what every answer has.

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/handlers/pages"
	"github.com/promobot/promobot/promotion/view"
)

const (
	pipeline = "services/checkout"
	envEU    = "/acme/shop/e/prod-eu/" + pipeline
	act      = "/acme/shop/act"
	undo     = "rollback prod-eu --pipeline " + pipeline
	closing  = "cancel"
)

// everyPage is one of each kind.
var everyPage = []string{"/", "/acme/shop", "/acme/shop/p/" + pipeline, envEU, "/acme/shop/promotion/b1946ac92492d2347c6235b4d2611184"}

func TestWhatIsInvisibleIsWhatIsNot(t *testing.T) {
	s := whole(t)
	for _, path := range everyPage[1:] {
		unknown := strings.Replace(path, "/acme/shop", "/acme/nothing", 1)
		if got := s.ask(alice, path, nil); got.status != http.StatusOK {
			t.Errorf("%s: ana gets %d", path, got.status)
		}
		hidden, none := s.ask(bob, path, nil), s.ask(bob, unknown, nil)
		if hidden.status != http.StatusNotFound {
			t.Errorf("%s: bo gets %d", path, hidden.status)
		}
		strip := func(r reply) string { return once.ReplaceAllString(r.body, "") }
		if diff := cmp.Diff(strip(none), strip(hidden)); diff != "" || cmp.Diff(none.header, hidden.header) != "" || none.status != hidden.status {
			t.Errorf("%s: what bo cannot see is not as what is not there:\n%s", path, diff)
		}
	}
	form := press(pipeline, "prod-eu", closing)
	form.Set("csrf", "token-of-"+bob)
	if hidden, none := s.ask(bob, act, form), s.ask(bob, "/acme/nothing/act", form); hidden.status != http.StatusNotFound || hidden.body != none.body {
		t.Errorf("acting: %d and %d", hidden.status, none.status)
	}
	if home := s.ask(bob, "/", nil).body; strings.Contains(home, "shop") || !strings.Contains(home, "platform") {
		t.Error("bo's first page shows other repositories than his")
	}
	if len(s.pressed()) > 0 {
		t.Errorf("pressed: %v", s.pressed())
	}
}

func TestStrangersSeeTheWelcomeAlone(t *testing.T) {
	s := whole(t)
	for _, path := range append(everyPage[1:], "/acme/nothing") {
		got := s.ask("", path, nil)
		if to := got.header.Get("Location"); got.status != http.StatusSeeOther || to != "/?to="+url.QueryEscape(path) {
			t.Errorf("%s: %d to %s", path, got.status, to)
		}
	}
	got := s.ask("", "/?to=%2Facme%2Fshop", nil)
	if got.status != http.StatusOK || !strings.Contains(got.body, `href="/signin?to=%2Facme%2Fshop"`) || strings.Contains(got.body, "checkout") {
		t.Errorf("welcome: %d %s", got.status, got.body)
	}
	for _, to := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "javascript:alert(1)", "/\t/evil.example"} {
		if got := s.ask("", "/?to="+url.QueryEscape(to), nil); !strings.Contains(got.body, `href="/signin"`) || strings.Contains(got.body, "evil") || strings.Contains(got.body, "alert") {
			t.Errorf("to %q is followed: %s", to, got.body)
		}
	}
	if got := s.ask("", act, press(pipeline, "prod-eu", closing)); got.status != http.StatusForbidden || len(s.pressed()) > 0 {
		t.Errorf("a stranger's press: %d", got.status)
	}
}

func TestHeaders(t *testing.T) {
	s := whole(t)
	const want = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	asset := regexp.MustCompile(`/assets/style\.[0-9a-f]+\.css`).FindString(s.ask(alice, "/", nil).body)
	for _, path := range append(everyPage, asset, "/none", "/acme/none") {
		got := s.ask(alice, path, nil)
		if csp := got.header.Get("Content-Security-Policy"); csp != want {
			t.Errorf("%s: %s", path, csp)
		}
		if got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s may be sniffed", path)
		}
		if kept := got.header.Get("Cache-Control"); path == asset && kept != "public, max-age=31536000, immutable" || path != asset && !strings.HasPrefix(kept, "private") {
			t.Errorf("%s: Cache-Control %s", path, kept)
		}
		for _, inline := range []string{"<style", "style=", "onclick", "<script>"} {
			if strings.Contains(got.body, inline) && path != asset {
				t.Errorf("%s has %s, which its policy forbids", path, inline)
			}
		}
	}
}

func TestGzip(t *testing.T) {
	s := whole(t)
	for accepts, want := range map[string]string{"": "", "gzip, br": "gzip", "gzip;q=0": "", "gzip; q=0.5": "gzip", "identity": ""} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: "who", Value: alice})
		r.Header.Set("Accept-Encoding", accepts)
		got := s.send(r)
		if got.header.Get("Content-Encoding") != want || !strings.Contains(strings.Join(got.header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%q is answered by %q, varying by %q", accepts, got.header.Get("Content-Encoding"), got.header.Values("Vary"))
		}
		body := got.body
		if want != "" {
			z, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			body = string(plain)
		}
		if !strings.HasSuffix(body, "</html>\n") {
			t.Errorf("%q: the page is not whole", accepts)
		}
	}
}

func TestActing(t *testing.T) {
	without := func(field string) url.Values { f := press(pipeline, "prod-eu", closing); f.Del(field); return f }
	as := func(field, value string) url.Values {
		f := press(pipeline, "prod-eu", closing)
		f.Set(field, value)
		return f
	}
	for name, tc := range map[string]struct {
		form   url.Values
		status int
		says   string
	}{
		"no token":                    {without("csrf"), http.StatusForbidden, "Nothing was done"},
		"another's token":             {as("csrf", "token-of-"+bob), http.StatusForbidden, "Nothing was done"},
		"no mark of the page":         {without("once"), http.StatusBadRequest, "Nothing was done"},
		"no environment":              {without("environment"), http.StatusNotFound, "Nothing here"},
		"an environment of no name":   {as("environment", "prod"), http.StatusNotFound, "Nothing here"},
		"what is not offered":         {as("command", "approve --past window"), http.StatusConflict, "does not apply any more"},
		"what another is offered":     {as("command", "resume prod-us --pipeline "+pipeline), http.StatusConflict, "does not apply any more"},
		"to be confirmed":             {as("command", undo), http.StatusOK, "prod-eu</code> is held until someone resumes it"},
		"confirmed by something else": {func() url.Values { f := as("command", undo); f.Set("confirmed", "no"); return f }(), http.StatusOK, `name="confirmed" value="yes"`},
		"too much":                    {as("environment", strings.Repeat("x", 20<<10)), http.StatusBadRequest, "Nothing was done"},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole(t)
			got := s.ask(alice, act, tc.form)
			if got.status != tc.status || !strings.Contains(got.body, tc.says) {
				t.Errorf("%d, want %d and %q:\n%s", got.status, tc.status, tc.says, got.body)
			}
			if len(s.pressed()) > 0 {
				t.Errorf("it was pressed: %+v", s.pressed())
			}
		})
	}
	t.Run("from another site", func(t *testing.T) {
		s := whole(t)
		r := httptest.NewRequest(http.MethodPost, act, strings.NewReader(press(pipeline, "prod-eu", closing).Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.AddCookie(&http.Cookie{Name: "who", Value: alice})
		if got := s.send(r); got.status != http.StatusForbidden || len(s.pressed()) > 0 {
			t.Errorf("%d, pressed %v", got.status, s.pressed())
		}
	})
}

func TestPressedTwiceIsOnePress(t *testing.T) {
	s := whole(t)
	form := press(pipeline, "prod-eu", undo)
	form.Set("confirmed", "yes")
	first, second := s.ask(alice, act, form), s.ask(alice, act, form)
	form.Set("once", "ABCDEFGHIJKLMNOPQRSTUVWXY2")
	third := s.ask(alice, act, form)
	got := s.pressed()
	if len(got) != 3 || got[0].ID != got[1].ID || got[0].ID == got[2].ID {
		t.Fatalf("pressed: %+v", got)
	}
	want := pages.Press{ID: got[0].ID, By: alice, Command: undo, At: fixed()}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
	for i, r := range []reply{first, second, third} {
		if to := r.header.Get("Location"); r.status != http.StatusSeeOther || to != envEU+"?answer="+got[i].ID {
			t.Errorf("press %d: %d to %s", i, r.status, to)
		}
	}
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,99}$`).MatchString(got[0].ID) {
		t.Errorf("%q is no letter's id", got[0].ID)
	}
}

func TestAPressOnAPullRequestNamesIt(t *testing.T) {
	s := whole(t)
	form := press(pipeline, "prod-eu", "approve")
	form.Set("confirmed", "yes")
	s.ask(alice, act, form)
	if got := s.pressed(); len(got) != 1 || got[0].PullRequest != 914 {
		t.Errorf("pressed: %+v", got)
	}
}

func TestTheAnswer(t *testing.T) {
	s := whole(t)
	to := s.ask(alice, act, press(pipeline, "prod-eu", closing)).header.Get("Location")
	got := s.ask(alice, to, nil)
	if !strings.Contains(got.body, "Asked for.") || !strings.Contains(got.body, "data-waits") {
		t.Error("while there is no answer, the page does not wait for it")
	}
	id := s.pressed()[0].ID
	for name, tc := range map[string]struct {
		answer view.Answer
		says   string
		waits  bool
	}{
		"done":       {view.Answer{ID: id, By: "Ana", Command: closing, Done: true, Says: []string{"`#914` is closed"}, At: fixed()}, "<b>Done</b>: <code>cancel</code>", false},
		"refused":    {view.Answer{ID: id, By: alice, Command: closing, Says: []string{"closing asks for `write`"}, At: fixed()}, "Closing asks for <code>write</code>", false},
		"another's":  {view.Answer{ID: id, By: bob, Command: closing, Done: true, At: fixed()}, "Asked for.", true},
		"of old":     {view.Answer{ID: id, By: alice, Command: closing, Done: true, At: fixed().Add(-3 * time.Hour)}, "Asked for.", true},
		"of another": {view.Answer{ID: "page-x", By: alice, Command: closing, Done: true, At: fixed()}, "Asked for.", true},
	} {
		t.Run(name, func(t *testing.T) {
			s.change(1, func() { s.answers = []view.Answer{tc.answer} })
			got := s.ask(alice, to, nil)
			if !strings.Contains(got.body, tc.says) || strings.Contains(got.body, "data-waits") != tc.waits {
				t.Error(got.body)
			}
		})
	}
	if got := s.ask(alice, envEU+"?answer="+url.QueryEscape("<b>hm</b>"), nil); strings.Contains(got.body, "Asked for.") || got.status != http.StatusOK {
		t.Error("what is no press is waited for")
	}
}

func TestWhenSomethingIsDown(t *testing.T) {
	s := whole(t)
	s.broken = errors.New("secret detail")
	for _, path := range everyPage {
		if got := s.ask(alice, path, nil); got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "secret") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

func TestHealth(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*pages.Health)
		says   string
	}{
		"well":        {func(*pages.Health) {}, "promobot is well"},
		"nothing yet": {func(h *pages.Health) { *h = pages.Health{} }, "promobot is well"},
		"late work":   {func(h *pages.Health) { h.OldestWork = fixed().Add(-time.Hour) }, "promobot needs a look"},
		"no budget":   {func(h *pages.Health) { h.Budget = 12 }, "promobot needs a look"},
		"trouble":     {func(h *pages.Health) { h.Troubles = []string{"git is too old"} }, "Git is too old"},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole(t)
			tc.change(&s.health)
			if got := s.ask(alice, "/", nil); !strings.Contains(got.body, tc.says) {
				t.Error(got.body)
			}
		})
	}
}

func TestTheOrderOfWhatNeedsAPerson(t *testing.T) {
	w := world{fixed()}
	r := w.repository(1, "shop")
	p := w.service("x", "x", 1, "qa", "prod-b", "prod-a")
	for i, since := range []time.Duration{9, 1, 5} {
		p.Environments[i].Needs, p.Environments[i].NeedsSince = "look", w.ago(since*time.Hour)
	}
	r.Pipelines = append(r.Pipelines, p)
	body := newSite(fixed, r).ask(alice, "/", nil).body
	body = body[strings.Index(body, `class="needs"`):strings.Index(body, `id="services"`)]
	a, b, qa := strings.Index(body, "<b>prod-a</b>"), strings.Index(body, "<b>prod-b</b>"), strings.Index(body, "<b>qa</b>")
	if a < 0 || a > b || b > qa {
		t.Errorf("production first, oldest first: prod-a at %d, prod-b at %d, qa at %d", a, b, qa)
	}
	if n := strings.Count(body, "btn"); n != 3 {
		t.Errorf("%d buttons for three", n)
	}
}

func TestFilters(t *testing.T) {
	s := whole(t)
	rows := regexp.MustCompile(`<th scope="row"><a href="[^"]*">([^<]*)`)
	for query, want := range map[string][]string{
		"":                             {"ingress", "monitoring", "checkout", "cart", "catalogue", "mail", "search"},
		"q=CHECK":                      {"checkout"},
		"q=acme/platform":              {"ingress", "monitoring"},
		"q=rank+by":                    {"search"},
		"q=rank+by&env=dev":            nil,
		"is=held":                      {"checkout", "cart"},
		"is=held&env=prod-eu":          {"cart"},
		"is=needs":                     {"checkout"},
		"is=moving":                    {"checkout", "mail"},
		"is=behind&env=stag*, prod-eu": {"checkout", "cart"},
		"env=qa":                       {"ingress", "monitoring"},
		"env=[":                        {"ingress", "monitoring", "checkout", "cart", "catalogue", "mail", "search"},
		"is=nonsense&q=mail":           {"mail"},
	} {
		body := s.ask(alice, "/?"+strings.ReplaceAll(query, " ", "+"), nil).body
		var got []string
		for _, m := range rows.FindAllStringSubmatch(body, -1) {
			got = append(got, m[1])
		}
		less := cmp.Transformer("set", func(l []string) map[string]bool {
			set := map[string]bool{}
			for _, s := range l {
				set[s] = true
			}
			return set
		})
		if diff := cmp.Diff(want, got, less); diff != "" {
			t.Errorf("%q: %s", query, diff)
		}
	}
}

func TestTheWeightOfFiveHundredServices(t *testing.T) {
	w := world{fixed()}
	for _, path := range []string{"/", "/acme/monorepo"} {
		got := newSite(fixed, w.large(500), w.shop()).ask(alice, path, nil)
		if n := strings.Count(got.body, `<tr><th scope="row">`); n < 500 {
			t.Fatalf("%s shows %d services", path, n)
		}
		t.Logf("%s weighs %d bytes, %d of them its matrix", path, len(got.body), len(got.body[strings.Index(got.body, `id="services"`):]))
		if len(got.body) >= 200_000 {
			t.Errorf("%s of 500 services weighs %d bytes; at most 200,000", path, len(got.body))
		}
	}
}

func TestAnOwnerWithTheNameOfOurFolder(t *testing.T) {
	r := world{fixed()}.repository(1, "shop")
	r.Owner = "assets"
	s := newSite(fixed, r)
	if got := s.ask(alice, "/assets/shop", nil); got.status != http.StatusOK || !strings.Contains(got.body, "<h1>assets/") {
		t.Errorf("%d", got.status)
	}
	if got := s.ask("", "/assets/none.css", nil); got.status != http.StatusSeeOther {
		t.Errorf("%d", got.status)
	}
}

func TestNamesThatAreNoPath(t *testing.T) {
	for _, key := range []string{"..", "a/../b", "~x/~", ".", "a//b", "a b/ü?#&", "%2e%2e/x", ""} {
		t.Run(fmt.Sprintf("%q", key), func(t *testing.T) {
			w := world{fixed()}
			r := w.repository(1, "shop")
			r.Pipelines = []view.Pipeline{w.service(key, "odd", 1, "..", "a/b")}
			s := newSite(fixed, r)
			links := regexp.MustCompile(`href="(/acme/shop/[pe]/[^"]*)"`).FindAllStringSubmatch(s.ask(alice, "/acme/shop", nil).body+s.ask(alice, "/acme/shop/p/"+oddPath(t, s), nil).body, -1)
			if len(links) < 3 {
				t.Fatalf("links: %v", links)
			}
			for _, l := range links {
				if got := s.ask(alice, html.UnescapeString(l[1]), nil); got.status != http.StatusOK {
					t.Errorf("%s: %d", l[1], got.status)
				}
			}
		})
	}
}

// oddPath is what the repository's page calls its only pipeline in an address.
func oddPath(t *testing.T, s *site) string {
	t.Helper()
	m := regexp.MustCompile(`href="/acme/shop/p/([^"]*)"`).FindStringSubmatch(s.ask(alice, "/acme/shop", nil).body)
	if m == nil {
		t.Fatal("no link to the pipeline")
	}
	return html.UnescapeString(m[1])
}

func TestEvents(t *testing.T) {
	s := whole(t)
	server := httptest.NewServer(s)
	defer server.Close()
	open := func(who string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		if who != "" {
			r.AddCookie(&http.Cookie{Name: "who", Value: who})
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = answer.Body.Close() })
		return answer
	}
	if nobody := open(""); nobody.StatusCode != http.StatusNoContent {
		t.Errorf("a stranger gets %d", nobody.StatusCode)
	}
	anas, bos := open(alice), open(bob)
	// Both read something first, so both are subscribed.
	read := func(from io.Reader, until string) string {
		var text bytes.Buffer
		for one := make([]byte, 1); !strings.HasSuffix(text.String(), until); {
			if _, err := from.Read(one); err != nil {
				t.Fatalf("%q: %v", text.String(), err)
			}
			text.Write(one)
		}
		return text.String()
	}
	read(anas.Body, ": open\n\n")
	read(bos.Body, ": open\n\n")
	s.change(1, func() {})
	s.change(1, func() {})
	if got := read(anas.Body, "\n\n"); got != "event: changed\ndata: /acme/shop\n\n" {
		t.Errorf("ana hears %q", got)
	}
	s.change(2, func() {})
	for who, from := range map[string]io.Reader{alice: anas.Body, bob: bos.Body} {
		if got := read(from, "\n\n"); got != "event: changed\ndata: /acme/platform\n\n" {
			t.Errorf("%s hears %q", who, got)
		}
	}
	s.Close()
	for _, from := range []io.Reader{anas.Body, bos.Body} {
		if rest, err := io.ReadAll(from); err != nil || len(rest) > 0 {
			t.Errorf("after the end: %q, %v", rest, err)
		}
	}
}
