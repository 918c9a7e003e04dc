package githubsim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

// post posts a form, follows no redirect, and returns status, Location and text.
func (w *world) post(path string, form url.Values) (status int, location *url.URL, text string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.URL+path, strings.NewReader(form.Encode()))
	w.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	w.must(err)
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	w.must(err)
	location, _ = resp.Location()
	return resp.StatusCode, location, string(all)
}

// sample is a manifest that GitHub takes.
func sample(change func(map[string]any)) string {
	m := map[string]any{
		"name": "Carrier <b>", "url": "https://carrier.example/", "hook_attributes": map[string]any{"url": "https://carrier.example/hook"},
		"redirect_url": "http://127.0.0.1:9/made?kept=1", "callback_urls": []string{"https://carrier.example/auth"},
		"setup_url": "https://carrier.example/", "public": false,
		"default_permissions": map[string]string{"contents": "write", "checks": "write", "metadata": "read"},
		"default_events":      []string{"push", "check_run", "repository"},
	}
	if change != nil {
		change(m)
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestAppFromManifest(t *testing.T) {
	w := newWorld(t)
	anyone := w.Client("")
	status, _, text := w.post("/organizations/acme/settings/apps/new?state=s-1", url.Values{"manifest": {sample(nil)}})
	if status != http.StatusOK || !strings.Contains(text, `value="s-1"`) || !strings.Contains(text, "Carrier &lt;b&gt;") || !strings.Contains(text, "contents: write") {
		t.Fatalf("%d, the page of a new App:\n%s", status, text)
	}
	create := func(name, person string) (int, *url.URL, string) {
		return w.post("/_githubsim/apps", url.Values{"manifest": {sample(nil)}, "state": {"s-1"}, "org": {"acme"}, "person": {person}, "name": {name}})
	}
	for _, c := range []struct{ name, app, person, want string }{
		{"no name", " ", "olga", "can&#39;t be blank"},
		{"a long name", strings.Repeat("n", 35), "olga", "too long (maximum is 34 characters)"},
		{"no owner of the organization", "carrier", "mona", "only an owner"},
	} {
		if status, _, text := create(c.app, c.person); status != http.StatusUnprocessableEntity || !strings.Contains(text, c.want) {
			t.Errorf("%s: %d, without %q:\n%s", c.name, status, c.want, text)
		}
	}
	status, back, _ := create("Carrier One", "olga")
	if status != http.StatusFound || back.Host != "127.0.0.1:9" || back.Path != "/made" || back.Query().Get("state") != "s-1" || back.Query().Get("kept") != "1" {
		t.Fatalf("%d, sent to %v", status, back)
	}
	if status, _, text := create("carrier one", "olga"); status != http.StatusUnprocessableEntity || !strings.Contains(text, "already in use") {
		t.Errorf("the same name again: %d\n%s", status, text)
	}

	made, resp, err := anyone.Apps.CompleteAppManifest(t.Context(), back.Query().Get("code"))
	w.must(err)
	if resp.StatusCode != http.StatusCreated || made.GetSlug() != "carrier-one" || made.GetOwner().GetLogin() != "acme" ||
		made.GetWebhookSecret() == "" || made.GetClientID() == "" || made.GetClientSecret() == "" {
		t.Fatalf("%d, the App is %v", resp.StatusCode, made)
	}
	known, err := w.AppBySlug("carrier-one")
	w.must(err)
	if diff := cmp.Diff([]string{made.GetPEM(), made.GetWebhookSecret()}, []string{string(known.PrivateKeyPEM), known.WebhookSecret}); diff != "" {
		t.Errorf("its secrets (-told +known):\n%s", diff)
	}
	if _, resp, err := anyone.Apps.CompleteAppManifest(t.Context(), back.Query().Get("code")); err == nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("the same code again: %v, %v", resp, err)
	}
	self, _, err := w.AppClient(known).Apps.Get(t.Context(), "")
	w.must(err)
	if diff := cmp.Diff([]string{"push", "check_run", "repository"}, self.Events); diff != "" {
		t.Errorf("its events (-want +got):\n%s", diff)
	}
	hook, _, err := w.AppClient(known).Apps.GetHookConfig(t.Context())
	w.must(err)
	if hook.GetURL() != "https://carrier.example/hook" || hook.GetSecret() != "********" {
		t.Errorf("its webhook is %v", hook)
	}
}

func TestManifestsThatGitHubRefuses(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ name, manifest, want string }{
		{"no JSON", "{", "not valid JSON"},
		{"no url", sample(func(m map[string]any) { delete(m, "url") }), "url wasn&#39;t supplied"},
		{"nowhere to go back to", sample(func(m map[string]any) { delete(m, "redirect_url") }), "redirect_url wasn&#39;t supplied"},
		{"an odd webhook", sample(func(m map[string]any) { m["hook_attributes"] = map[string]any{"url": "javascript:x"} }), "hook_attributes.url must be a valid URL"},
		{"an event without its permission", sample(func(m map[string]any) { m["default_events"] = []string{"status"} }), "Default events unsupported: status"},
		{"an odd level", sample(func(m map[string]any) { m["default_permissions"] = map[string]string{"contents": "all"} }), `contents cannot be &#34;all&#34;`},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, _, text := w.post("/settings/apps/new", url.Values{"manifest": {c.manifest}})
			if status != http.StatusUnprocessableEntity || !strings.Contains(text, c.want) {
				t.Errorf("%d, without %q:\n%s", status, c.want, text)
			}
			if status, back, _ := w.post("/_githubsim/apps", url.Values{"manifest": {c.manifest}, "person": {"mona"}, "name": {"x"}}); status != http.StatusUnprocessableEntity || back != nil {
				t.Errorf("created all the same: %d, %v", status, back)
			}
		})
	}
}

func TestCodeOfAManifestExpires(t *testing.T) {
	w := newWorld(t)
	_, back, _ := w.post("/_githubsim/apps", url.Values{"manifest": {sample(nil)}, "person": {"mona"}, "name": {"monas own"}})
	w.clock.advance(time.Hour + time.Second)
	if _, resp, err := w.Client("").Apps.CompleteAppManifest(t.Context(), back.Query().Get("code")); err == nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("after an hour: %v, %v", resp, err)
	}
}

func TestInstallingByPage(t *testing.T) {
	w := newWorld(t)
	app, err := w.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "Carrier", SetupURL: "https://carrier.example/?kept=1"})
	w.must(err)
	if status, text := w.page("/apps/carrier/installations/new"); status != http.StatusOK || !strings.Contains(text, `value="acme/shop"`) {
		t.Fatalf("%d, the page to install it:\n%s", status, text)
	}
	at := "/apps/carrier/installations/new"
	if status, _, _ := w.post(at, url.Values{"account": {"acme"}, "which": {"selected"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("without a repository: %d", status)
	}
	status, back, _ := w.post(at, url.Values{"account": {"acme"}, "which": {"selected"}, "repository": {"acme/shop"}})
	if status != http.StatusFound || back.Host != "carrier.example" || back.Query().Get("setup_action") != "install" || back.Query().Get("kept") != "1" {
		t.Fatalf("%d, sent to %v", status, back)
	}
	list, _, err := w.AppClient(app).Apps.ListInstallations(t.Context(), nil)
	w.must(err)
	if len(list) != 1 || fmt.Sprint(list[0].GetID()) != back.Query().Get("installation_id") || list[0].GetRepositorySelection() != "selected" {
		t.Errorf("installations: %v", list)
	}
	if status, _, _ := w.post(at, url.Values{"account": {"acme"}, "which": {"all"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("installed twice: %d", status)
	}

	private, err := w.CreateApp(githubsim.AppOptions{Owner: "mona", Name: "Own", Private: true})
	w.must(err)
	if status, _, _ := w.post("/apps/own/installations/new", url.Values{"account": {"acme"}, "which": {"all"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("a private App on another account: %d", status)
	}
	if _, resp, err := w.AppClient(private).Apps.GetHookConfig(t.Context()); err == nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("an App without a webhook: %v, %v", resp, err)
	}
}

func TestRulesetsSayWhoBypasses(t *testing.T) {
	w := newWorld(t)
	w.must(w.AddRuleset("acme/shop", githubsim.Ruleset{Name: "careful", Branches: []string{"main"}, Approvals: 1, BypassUsers: []string{"mona"}}))
	list, _, err := w.UserClient("mona").Repositories.GetAllRulesets(t.Context(), "acme", "shop", true)
	w.must(err)
	if len(list) != 1 || list[0].Name != "careful" || list[0].Enforcement != "active" {
		t.Fatalf("rulesets: %v", list)
	}
	for who, want := range map[*github.Client]string{w.UserClient("mona"): "always", w.UserClient("olga"): "never", w.bot: "never"} {
		req, err := who.NewRequest(http.MethodGet, fmt.Sprintf("repos/acme/shop/rulesets/%d", list[0].GetID()), nil)
		w.must(err)
		var got struct {
			Bypass string `json:"current_user_can_bypass"`
		}
		_, err = who.Do(t.Context(), req, &got)
		w.must(err)
		if got.Bypass != want {
			t.Errorf("may bypass: %s, want %s", got.Bypass, want)
		}
	}
}
