package githubsim_test

// Apps: signatures, installations, tokens and what they are good for.

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

// ask makes one request and returns the status and the message of the answer.
func (w *world) ask(method, path, authorization string) (int, string, http.Header) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.URL+"/api/v3"+path, nil)
	w.must(err)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	w.must(err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	w.must(err)
	var body struct {
		Message string `json:"message"`
		Doc     string `json:"documentation_url"`
	}
	if json.Unmarshal(raw, &body) == nil && body.Message != "" && body.Doc == "" {
		w.t.Errorf("%s %s: an error without a documentation_url: %s", method, path, raw)
	}
	return resp.StatusCode, body.Message, resp.Header
}

// signed is an App's JWT by the world's clock, which clients do not know.
func (w *world) signed() string {
	w.t.Helper()
	key, err := jwt.ParseRSAPrivateKeyFromPEM(w.app.PrivateKeyPEM)
	w.must(err)
	now := w.clock.Now()
	claims := jwt.MapClaims{"iss": w.app.ID, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	text, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(key)
	w.must(err)
	return text
}

// newBot is a client with an installation token made by the world's clock.
func (w *world) newBot() *github.Client {
	w.t.Helper()
	token, _, err := w.Client(w.signed()).Apps.CreateInstallationToken(w.t.Context(), w.inst, nil)
	w.must(err)
	return w.Client(token.GetToken())
}

func TestAppSignatures(t *testing.T) {
	w := newWorld(t)
	own, err := jwt.ParseRSAPrivateKeyFromPEM(w.app.PrivateKeyPEM)
	w.must(err)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	w.must(err)
	now := w.clock.Now()
	for _, tc := range []struct {
		name   string
		key    *rsa.PrivateKey
		claims jwt.MapClaims
		status int
		say    string
	}{
		{"by id", own, jwt.MapClaims{"iss": w.app.ID, "iat": now.Unix(), "exp": now.Add(9 * time.Minute).Unix()}, 200, ""},
		{"by client id", own, jwt.MapClaims{"iss": w.app.ClientID, "iat": now.Unix(), "exp": now.Add(9 * time.Minute).Unix()}, 200, ""},
		{"another key", other, jwt.MapClaims{"iss": w.app.ID, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}, 401, "could not be decoded"},
		{"unknown App", own, jwt.MapClaims{"iss": 1, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}, 404, "Integration not found"},
		{"too long", own, jwt.MapClaims{"iss": w.app.ID, "iat": now.Unix(), "exp": now.Add(11 * time.Minute).Unix()}, 401, "too far in the future"},
		{"expired", own, jwt.MapClaims{"iss": w.app.ID, "iat": now.Add(-time.Hour).Unix(), "exp": now.Add(-time.Minute).Unix()}, 401, "'Expiration time' claim ('exp')"},
		{"from the future", own, jwt.MapClaims{"iss": w.app.ID, "iat": now.Add(time.Minute).Unix(), "exp": now.Add(2 * time.Minute).Unix()}, 401, "'Issued at' claim ('iat')"},
		{"without exp", own, jwt.MapClaims{"iss": w.app.ID, "iat": now.Unix()}, 401, "'exp'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, tc.claims).SignedString(tc.key)
			if err != nil {
				t.Fatal(err)
			}
			status, say, _ := w.ask("GET", "/app", "Bearer "+signed)
			if status != tc.status || !strings.Contains(say, tc.say) {
				t.Errorf("answered %d %q, want %d %q", status, say, tc.status, tc.say)
			}
		})
	}
	t.Run("symmetric with the public key", func(t *testing.T) {
		claims := jwt.MapClaims{"iss": w.app.ID, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
		signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("any"))
		w.must(err)
		if status, say, _ := w.ask("GET", "/app", "Bearer "+signed); status != http.StatusUnauthorized {
			t.Errorf("answered %d %q to a symmetric signature", status, say)
		}
	})
}

func TestInstallations(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	signed := w.AppClient(w.app)
	app, _, err := signed.Apps.Get(ctx, "")
	w.must(err)
	if app.GetID() != w.app.ID || app.GetSlug() != "promobot" {
		t.Errorf("the App is %v", app)
	}
	list, _, err := signed.Apps.ListInstallations(ctx, nil)
	w.must(err)
	if len(list) != 1 || list[0].GetID() != w.inst || list[0].GetAccount().GetLogin() != "acme" {
		t.Errorf("installations: %v", list)
	}
	found, _, err := signed.Apps.FindRepositoryInstallation(ctx, "acme", "shop")
	w.must(err)
	byOrg, _, err := signed.Apps.FindOrganizationInstallation(ctx, "acme")
	w.must(err)
	if found.GetID() != w.inst || byOrg.GetID() != w.inst {
		t.Errorf("found installations %d and %d, want %d", found.GetID(), byOrg.GetID(), w.inst)
	}
	_, _, err = signed.Apps.GetInstallation(ctx, 7)
	wantRefusal(t, err, 404, "Not Found")
	repos, _, err := w.bot.Apps.ListRepos(ctx, nil)
	w.must(err)
	if repos.GetTotalCount() != 1 || repos.Repositories[0].GetFullName() != "acme/shop" {
		t.Errorf("repositories: %v", repos)
	}
	if status, say, _ := w.ask("GET", "/app", "Bearer "+w.botToken(nil)); status != 401 {
		t.Errorf("an installation token for /app is answered %d %q", status, say)
	}
	if status, say, _ := w.ask("GET", "/repos/acme/shop", "token nonsense"); status != 401 || say != "Bad credentials" {
		t.Errorf("a wrong token is answered %d %q", status, say)
	}
}

func TestInstallationTokens(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(w.CreateRepository(ctx, "acme", "second", githubsim.RepoOptions{Private: true}))
	create := func(o *github.InstallationTokenOptions) (*github.Client, error) {
		token, _, err := w.AppClient(w.app).Apps.CreateInstallationToken(ctx, w.inst, o)
		if err != nil {
			return nil, err
		}
		return w.Client(token.GetToken()), nil
	}
	t.Run("narrowed to a repository", func(t *testing.T) {
		c, err := create(&github.InstallationTokenOptions{Repositories: []string{"second"}})
		w.must(err)
		_, _, err = c.Repositories.Get(ctx, "acme", "second")
		w.must(err)
		_, _, err = c.Repositories.Get(ctx, "acme", "shop")
		wantRefusal(t, err, 404, "Not Found")
	})
	t.Run("narrowed to permissions", func(t *testing.T) {
		c, err := create(&github.InstallationTokenOptions{Permissions: &github.InstallationPermissions{Contents: new("read")}})
		w.must(err)
		_, _, err = c.Git.GetRef(ctx, "acme", "shop", "heads/main")
		w.must(err)
		_, _, err = c.Git.CreateRef(ctx, "acme", "shop", &github.Reference{
			Ref: new("refs/heads/x"), Object: &github.GitObject{SHA: &w.head},
		})
		wantRefusal(t, err, 403, "Resource not accessible by integration")
		_, _, err = c.PullRequests.List(ctx, "acme", "shop", nil)
		wantRefusal(t, err, 403, "Resource not accessible by integration")
	})
	t.Run("more than granted", func(t *testing.T) {
		_, err := create(&github.InstallationTokenOptions{Permissions: &github.InstallationPermissions{Secrets: new("write")}})
		wantRefusal(t, err, 422, "The permissions requested are not granted to this installation.")
	})
	t.Run("a repository it has not", func(t *testing.T) {
		_, err := create(&github.InstallationTokenOptions{Repositories: []string{"third"}})
		wantRefusal(t, err, 422, "does not exist or is not accessible")
	})
	t.Run("suspended", func(t *testing.T) {
		c, err := create(nil)
		w.must(err)
		w.must(w.Suspend(w.inst))
		_, _, err = c.Repositories.Get(ctx, "acme", "shop")
		wantRefusal(t, err, 403, "This installation has been suspended")
		_, err = create(nil)
		wantRefusal(t, err, 403, "This installation has been suspended")
		w.must(w.Unsuspend(w.inst))
		_, _, err = c.Repositories.Get(ctx, "acme", "shop")
		w.must(err)
	})
	t.Run("expires after an hour", func(t *testing.T) {
		c, err := create(nil)
		w.must(err)
		w.clock.advance(59 * time.Minute)
		_, _, err = c.Repositories.Get(ctx, "acme", "shop")
		w.must(err)
		w.clock.advance(time.Minute)
		_, _, err = c.Repositories.Get(ctx, "acme", "shop")
		wantRefusal(t, err, 401, "Bad credentials")
	})
}

func TestVisibility(t *testing.T) {
	w := looseWorld(t)
	w.must(w.CreateRepository(t.Context(), "acme", "open", githubsim.RepoOptions{}))
	source, _ := bareRepository(t, map[string]string{"a": "a"})
	w.must(w.CreateRepository(t.Context(), "acme", "vault", githubsim.RepoOptions{Private: true, From: source}))
	for _, login := range []string{"mona", "rita", "tom"} {
		w.must(w.CreateUser(login))
	}
	w.must(w.SetRole("acme/vault", "mona", "maintain"))
	w.must(w.SetRole("acme/vault", "rita", "read"))
	for _, tc := range []struct {
		name, login, method, path string
		want                      int
	}{
		{"private, nobody", "", "GET", "/repos/acme/vault", 404},
		{"private, a stranger", "tom", "GET", "/repos/acme/vault", 404},
		{"private, a member", "mona", "GET", "/repos/acme/vault", 200},
		{"private, a reader", "rita", "GET", "/repos/acme/vault", 200},
		{"public, nobody", "", "GET", "/repos/acme/open", 200},
		{"public, nobody writes", "", "POST", "/repos/acme/open/git/refs", 401},
		{"a reader reads protection", "rita", "GET", "/repos/acme/vault/branches/main/protection", 403},
		{"a reader deletes a ref", "rita", "DELETE", "/repos/acme/vault/git/refs/heads/x", 404},
		{"an owner", "olga", "GET", "/repos/acme/vault/branches/main/protection", 404},
		{"no such path", "olga", "GET", "/repos/acme/vault/nonsense", 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			authorization := ""
			if tc.login != "" {
				authorization = "token " + w.token(tc.login)
			}
			status, say, _ := w.ask(tc.method, tc.path, authorization)
			if status != tc.want {
				t.Errorf("answered %d %q, want %d", status, say, tc.want)
			}
		})
	}
}

func TestRenamedRepositoryRedirects(t *testing.T) {
	w := looseWorld(t)
	w.must(w.RenameRepository("acme/shop", "store"))
	status, say, header := w.ask("GET", "/repos/acme/shop/branches?per_page=1", "token "+w.token("olga"))
	if status != http.StatusMovedPermanently || say != "Moved Permanently" {
		t.Fatalf("answered %d %q", status, say)
	}
	target := strings.TrimPrefix(header.Get("Location"), w.URL+"/api/v3")
	if !strings.HasSuffix(target, "/branches?per_page=1") {
		t.Errorf("redirected to %s", target)
	}
	if status, say, _ := w.ask("GET", target, "token "+w.token("olga")); status != 200 {
		t.Errorf("%s is answered %d %q", target, status, say)
	}
}

func TestInstallationEvents(t *testing.T) {
	w := newWorld(t)
	got := names(w.drained())
	if diff := cmp.Diff([]string{"ping", "installation created"}, got); diff != "" {
		t.Errorf("events of a new App (-want +got):\n%s", diff)
	}
	w.must(w.CreateRepository(t.Context(), "acme", "second", githubsim.RepoOptions{}))
	w.must(w.Suspend(w.inst))
	w.must(w.Unsuspend(w.inst))
	w.must(w.Uninstall(w.inst))
	list := w.drained()
	want := []string{
		"installation_repositories added", "installation suspend", "installation unsuspend", "installation deleted",
	}
	if diff := cmp.Diff(want, names(list)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	id, err := w.Install(w.app.ID, "acme", "shop")
	w.must(err)
	w.must(w.InstallationRepositories(id, []string{"second"}, []string{"shop"}))
	want = []string{"installation created", "installation_repositories added", "installation_repositories removed"}
	if diff := cmp.Diff(want, names(w.drained())); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestRepositoryEvents(t *testing.T) {
	w := looseWorld(t) // the description at hand leaves these events out
	box := newInbox(t)
	watcher, err := w.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "Watcher", WebhookURL: box.url, Events: []string{"repository"}})
	w.must(err)
	_, err = w.Install(watcher.ID, "acme", "shop")
	w.must(err)
	w.drained()
	box.take()
	w.must(w.RenameRepository("acme/shop", "store"))
	w.must(w.ArchiveRepository("acme/store"))
	w.must(w.DeleteRepository("acme/store"))
	w.drained()
	want := []string{"repository renamed", "repository archived", "installation_repositories removed", "repository deleted"}
	list := box.take()
	if diff := cmp.Diff(want, names(list)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if status, _, _ := w.ask("GET", "/repos/acme/store", "token "+w.token("olga")); status != 404 {
		t.Errorf("a deleted repository is answered %d", status)
	}
}
