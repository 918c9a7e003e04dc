package registration_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/registration"
)

func granted(options ...string) map[string]string {
	out := map[string]string{}
	for _, p := range registration.Permissions(options...) {
		out[p.Name] = string(p.Level)
	}
	return out
}

func TestLeastPermissions(t *testing.T) {
	least := map[string]string{
		"metadata": "read", "contents": "write", "pull_requests": "write", "checks": "write", "issues": "write",
		"statuses": "read", "deployments": "read", "actions": "read",
	}
	if diff := cmp.Diff(least, granted()); diff != "" {
		t.Errorf("without options (-want +got):\n%s", diff)
	}
	for option, want := range map[string][2]string{
		"teams": {"members", "read"}, "run": {"actions", "write"}, "queue": {"merge_queues", "read"},
		"workflows": {"workflows", "write"}, "deployments": {"deployments", "write"},
	} {
		more := granted(option)
		if more[want[0]] != want[1] {
			t.Errorf("with %s, %s is %q, want %s", option, want[0], more[want[0]], want[1])
		}
		for name, level := range more {
			if name != want[0] && least[name] != level {
				t.Errorf("with %s, %s: %s is asked for as well", option, name, level)
			}
		}
	}
	if len(registration.Options) != 5 {
		t.Errorf("%d options, and this test knows 5", len(registration.Options))
	}
}

func TestEveryPermissionSaysWhy(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range registration.All() {
		if p.Title == "" || p.Why == "" || strings.HasSuffix(p.Why, ".") || p.Option != "" && registration.OptionTitle(p.Option) == "" {
			t.Errorf("%+v lacks something", p)
		}
		for _, e := range p.Events {
			if seen[e] {
				t.Errorf("the event %s is there twice", e)
			}
			seen[e] = true
		}
		if !strings.Contains(registration.Table(), "| "+p.Title) {
			t.Errorf("%s is not in the table", p.Title)
		}
	}
	if events := registration.Events(); slices.Contains(events, "merge_group") || !slices.Contains(registration.Events("queue"), "merge_group") {
		t.Errorf("events without options: %v", events)
	}
}

func TestManifest(t *testing.T) {
	text, err := registration.App{Name: "a", URL: "https://p.example/", Redirect: "http://127.0.0.1:1/made"}.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		URL  string `json:"url"`
		Hook struct {
			URL string `json:"url"`
		} `json:"hook_attributes"`
		Redirect    string            `json:"redirect_url"`
		Callbacks   []string          `json:"callback_urls"`
		Public      bool              `json:"public"`
		Permissions map[string]string `json:"default_permissions"`
		Events      []string          `json:"default_events"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.URL != "https://p.example/" || got.Hook.URL != "https://p.example/api/github/hook" || got.Public ||
		!slices.Equal(got.Callbacks, []string{"https://p.example/login/callback"}) || got.Redirect != "http://127.0.0.1:1/made" {
		t.Errorf("the manifest is %s", text)
	}
	if diff := cmp.Diff(granted(), got.Permissions); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(registration.Events(), got.Events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for _, bad := range []registration.App{{Redirect: "x"}, {URL: "https://p.example"}} {
		if _, err := bad.Manifest(); err == nil {
			t.Errorf("%+v makes a manifest", bad)
		}
	}
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct{ name, text, web, api string }{
		{"nothing said", "", "https://github.com/", "https://api.github.com/"},
		{"github.com", "https://www.github.com/", "https://github.com/", "https://api.github.com/"},
		{"without a scheme", "git.acme.example:8443", "https://git.acme.example:8443/", "https://git.acme.example:8443/api/v3/"},
		{"data residency", "https://acme.ghe.com", "https://acme.ghe.com/", "https://api.acme.ghe.com/"},
		{"this machine", "http://127.0.0.1:9", "http://127.0.0.1:9/", "http://127.0.0.1:9/api/v3/"},
		{"http", "http://git.acme.example", "", ""},
		{"a name like this machine's", "http://127.0.0.1.acme.example", "", ""},
		{"with a path", "https://git.acme.example/api/v3", "", ""},
		{"with a password", "https://a:b@git.acme.example", "", ""},
		{"no address", "javascript:alert(1)", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := registration.ParsePlace(c.text)
			if (err != nil) != (c.web == "") || got.Web != c.web || got.API != c.api {
				t.Errorf("%+v, %v; want %s and %s", got, err, c.web, c.api)
			}
		})
	}
}

func TestPublicURL(t *testing.T) {
	public, local := registration.Place{Web: "https://github.com/"}, registration.Place{Web: "http://127.0.0.1:9/"}
	for _, c := range []struct {
		name, text string
		place      registration.Place
		want       string
	}{
		{"https", "https://promobot.example.com/", public, "https://promobot.example.com"},
		{"with a path", "https://example.com/promobot", public, ""},
		{"http", "http://promobot.example.com", public, ""},
		{"http to here, of a GitHub elsewhere", "http://127.0.0.1:8080", public, ""},
		{"http to here, of a GitHub here", "http://127.0.0.1:8080", local, "http://127.0.0.1:8080"},
		{"http elsewhere, of a GitHub here", "http://promobot.example.com", local, ""},
		{"none", "", public, ""},
		{"with a query", "https://promobot.example.com/?x=1", public, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := registration.ParsePublic(c.text, c.place)
			if got != c.want || (err != nil) != (c.want == "") {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestAddressesEscape(t *testing.T) {
	p := registration.Place{Web: "https://github.com/", API: "https://api.github.com/"}
	if got := p.NewAppURL("a/../b?", "s&t"); got != "https://github.com/organizations/a%2F..%2Fb%3F/settings/apps/new?state=s%26t" {
		t.Error(got)
	}
	if got := p.ConvertURL("a/b"); got != "https://api.github.com/app-manifests/a%2Fb/conversions" {
		t.Error(got)
	}
}
