package main

import (
	"bytes"
	"context"
	"errors"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/handlers/setup"
	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/internal/githubsim/simtest"
	"github.com/promobot/promobot/promotion/registration"
)

var manifestField = regexp.MustCompile(`action="([^"]+)"><input type="hidden" name="manifest" value="([^"]+)"`)

// TestSetupWithoutABrowserHere: the page is carried elsewhere, and the address to
// which GitHub leads is pasted.
func TestSetupWithoutABrowserHere(t *testing.T) {
	t.Parallel()
	sim := simtest.Start(t, githubsim.Options{})
	if err := errors.Join(sim.CreateUser("bo"), sim.CreateOrganization("acme", []string{"bo"}, nil)); err != nil {
		t.Fatal(err)
	}
	around := t.TempDir()
	dir, page := filepath.Join(around, "it's here"), filepath.Join(around, "page.html")
	typed, typing := io.Pipe()
	defer func() { _ = typing.Close() }()
	var out syncBuffer
	ended := make(chan error, 1)
	flags := setupFlags{org: "acme", github: sim.URL, url: "http://127.0.0.1:8080", dir: dir, page: page, options: []string{"run"}}
	go func() { ended <- runSetup(t.Context(), flags, typed, newPrinter(&out)) }()
	waitUntil(t, "the page is written", func() bool {
		text, err := os.ReadFile(page)
		return err == nil && bytes.HasSuffix(text, []byte("</html>\n"))
	})
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	found := manifestField.FindStringSubmatch(string(text))
	if found == nil {
		t.Fatalf("the page does not lead to GitHub:\n%s", text)
	}
	to, err := url.Parse(html.UnescapeString(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	once := http.Client{CheckRedirect: noRedirects}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sim.URL+"/_githubsim/apps", strings.NewReader(url.Values{
		"manifest": {html.UnescapeString(found[2])}, "state": {to.Query().Get("state")}, "org": {"acme"}, "person": {"bo"}, "name": {"promobot-acme"},
	}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := once.Do(req)
	if err != nil || resp.StatusCode != http.StatusFound {
		t.Fatalf("GitHub does not create the App: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	if _, err := io.WriteString(typing, "nonsense with blanks\n\n"+resp.Header.Get("Location")+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	app, err := sim.AppBySlug("promobot-acme")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"there is no code in this address", "1. Run it", `promobot serve --config '` + strings.ReplaceAll(dir, "'", `'\''`) + "/config.yml'", sim.URL + "/apps/promobot-acme/installations/new",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
	for _, secret := range []string{app.WebhookSecret, app.ClientSecret, string(app.PrivateKeyPEM[100:140])} {
		if strings.Contains(out.String(), secret) {
			t.Error("a secret is printed")
		}
	}
	wantModes(t, dir)
	got, warnings, err := loadConfig(filepath.Join(dir, "config.yml"), nil)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("the configuration is not valid: %v %v", warnings, err)
	}
	want := defaultConfig()
	want.Server.PublicURL = "http://127.0.0.1:8080"
	want.GitHub = GitHubConfig{APIURL: sim.BaseURL, AppID: app.ID, PrivateKey: Secret{string(app.PrivateKeyPEM)}, WebhookSecret: Secret{app.WebhookSecret}}
	want.DataDir = filepath.Join(dir, "data")
	want.Pages = PagesConfig{ClientID: app.ClientID, ClientSecret: Secret{app.ClientSecret}}
	if diff := cmp.Diff(want, got, compareSecrets); diff != "" {
		t.Errorf("the configuration (-want +got):\n%s", diff)
	}
	wantOnly(t, around, "it's here", "page.html")

	before := readAll(t, dir)
	if err := runSetup(t.Context(), flags, strings.NewReader(""), newPrinter(io.Discard)); err == nil || !strings.Contains(err.Error(), "nothing is overwritten") {
		t.Errorf("a second time: %v", err)
	}
	if diff := cmp.Diff(before, readAll(t, dir)); diff != "" {
		t.Errorf("it was overwritten:\n%s", diff)
	}
}

// waitUntil waits for a condition, as long as scenes do.
func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(scenePatience)
	tick := time.NewTicker(sceneTick)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// wantModes: nobody else reads the folder or what is in it.
func wantModes(t *testing.T, dir string) {
	t.Helper()
	modes := map[string]fs.FileMode{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		modes[d.Name()] = info.Mode().Perm()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{filepath.Base(dir): 0o700, configName: 0o600, keyName: 0o600, webhookSecretName: 0o600, clientSecretName: 0o600}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("files and modes (-want +got):\n%s", diff)
	}
}

// wantOnly: nothing but these lies in a folder, hidden or not.
func wantOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("what lies in the folder (-want +got):\n%s", diff)
	}
}

func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range []string{configName, keyName, webhookSecretName, clientSecretName} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	return out
}

func TestSetupThatDoesNotBegin(t *testing.T) {
	t.Parallel()
	around := t.TempDir()
	there := filepath.Join(around, "there")
	if err := os.WriteFile(there, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		flags setupFlags
		want  string
	}{
		{"the place is taken", setupFlags{dir: there}, "nothing is overwritten"},
		{"a place that cannot be made", setupFlags{dir: filepath.Join(around, "no", "such", "folder")}, "nothing can be written beside it"},
		{"a page without answers", setupFlags{dir: filepath.Join(around, "new"), page: filepath.Join(around, "page")}, "--name: Name the App"},
		{"a page that is there", setupFlags{dir: filepath.Join(around, "new"), page: there, org: "acme", url: "https://p.example"}, "the page cannot be written"},
		{"no port", setupFlags{dir: filepath.Join(around, "new"), noBrowser: true, port: 99999}, "the page cannot be served"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := runSetup(t.Context(), c.flags, strings.NewReader(""), newPrinter(io.Discard)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			wantOnly(t, around, "there")
		})
	}
	t.Run("it is ended before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := runSetup(ctx, setupFlags{dir: filepath.Join(around, "new"), noBrowser: true}, strings.NewReader(""), newPrinter(io.Discard)); err == nil {
			t.Error("it is done")
		}
		wantOnly(t, around, "there")
	})
	for _, args := range [][]string{{"setup", "--with", "quue"}, {"setup", "--org", "a", "--personal"}, {"setup", "extra"}, {"doctor", "no-repository"}} {
		var out bytes.Buffer
		if code := run(t.Context(), args, &out, &out); code != exitUsage {
			t.Errorf("%v ends with %d:\n%s", args, code, out.String())
		}
	}
}

// TestSecretsOutliveAFailedWrite: what GitHub gives once is saved when it is
// tried again.
func TestSecretsOutliveAFailedWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "app")
	d, err := newDraft(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.discard()
	made := setup.Made{Place: registration.Place{Web: "https://git.acme.example/", API: "https://git.acme.example/odd/"}, Public: "https://p.example", ID: 7, Slug: "p", Name: "odd\n- name", Key: testKey(), WebhookSecret: "hush"}
	if err := os.Mkdir(dir, 0o700); err != nil { // someone makes it meanwhile
		t.Fatal(err)
	}
	if _, err := d.save(made); err == nil || !strings.Contains(err.Error(), "exists by now") {
		t.Fatalf("over what is there: %v", err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	saved, err := d.save(made)
	if err != nil || !slices.Equal(saved.Files, []string{configName, keyName, webhookSecretName}) {
		t.Fatalf("%v, %v", saved, err)
	}
	config, _, err := loadConfig(filepath.Join(dir, configName), nil)
	if err != nil || config.GitHub.WebURL != "https://git.acme.example/" || config.GitHub.WebhookSecret.Reveal() != "hush" {
		t.Errorf("the configuration is %+v, %v", config.GitHub, err)
	}
}
