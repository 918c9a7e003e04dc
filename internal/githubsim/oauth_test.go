package githubsim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/internal/githubsim/simtest"
)

// oauthWorld is an organization with a private and a public repository, which
// reader can read both of and stranger only one, and an App that asks who they are.
type oauthWorld struct {
	*simtest.Sim
	t     *testing.T
	app   githubsim.App
	ahead atomic.Int64
}

const callback = "http://127.0.0.1:9/login/callback"

func newOAuthWorld(t *testing.T) *oauthWorld {
	t.Helper()
	w := &oauthWorld{t: t}
	w.Sim = simtest.Start(t, githubsim.Options{Clock: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, login := range []string{"olga", "reader", "stranger"} {
		must(w.CreateUser(login))
	}
	must(w.CreateOrganization("acme", []string{"olga"}, nil))
	for _, name := range []string{"secret", "elsewhere", "open"} {
		must(w.CreateRepository(t.Context(), "acme", name, githubsim.RepoOptions{Private: name != "open"}))
		must(w.SetRole("acme/"+name, "reader", "read"))
	}
	var err error
	w.app, err = w.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "promobot", Permissions: map[string]string{"contents": "read"}, CallbackURLs: []string{callback, callback + "/2"}})
	must(err)
	_, err = w.Install(w.app.ID, "acme", "secret", "open")
	must(err)
	return w
}

// send sends a form and follows no redirect.
func (w *oauthWorld) send(method, path string, form url.Values, header ...string) (status int, location *url.URL, text string) {
	w.t.Helper()
	var body io.Reader
	if method == http.MethodGet {
		path += "?" + form.Encode()
	} else {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.URL+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	location, _ = resp.Location()
	return resp.StatusCode, location, string(all)
}

// agree is the code with which a person comes back.
func (w *oauthWorld) agree(person string) string {
	w.t.Helper()
	status, back, text := w.send("POST", "/login/oauth/authorize", url.Values{
		"client_id": {w.app.ClientID}, "redirect_uri": {callback}, "state": {"s-1"}, "person": {person}, "agree": {"1"},
	})
	if status != http.StatusFound || back.Query().Get("state") != "s-1" || !strings.HasPrefix(back.String(), callback+"?") {
		w.t.Fatalf("%d, sent to %v: %s", status, back, text)
	}
	return back.Query().Get("code")
}

// exchange is the answer to an exchange, as JSON.
func (w *oauthWorld) exchange(form url.Values) map[string]any {
	w.t.Helper()
	for name, value := range map[string]string{"client_id": w.app.ClientID, "client_secret": w.app.ClientSecret} {
		if !form.Has(name) {
			form.Set(name, value)
		}
	}
	status, _, text := w.send("POST", "/login/oauth/access_token", form, "Accept", "application/json")
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil || status != http.StatusOK {
		w.t.Fatalf("%d %v: %s", status, err, text)
	}
	return out
}

func text(of map[string]any, name string) string {
	s, _ := of[name].(string)
	return s
}

// sees are the repositories that a token reads, by REST and by GraphQL alike.
func (w *oauthWorld) sees(token string) (names []string) {
	w.t.Helper()
	for _, name := range []string{"secret", "elsewhere", "open"} {
		_, resp, err := w.Client(token).Repositories.Get(w.t.Context(), "acme", name)
		if resp == nil {
			w.t.Fatal(err)
		}
		if inGraphQL := w.inGraphQL(token, name); inGraphQL != (resp.StatusCode == http.StatusOK) {
			w.t.Errorf("%s: REST answers %d, GraphQL shows it: %v", name, resp.StatusCode, inGraphQL)
		}
		switch resp.StatusCode {
		case http.StatusOK:
			names = append(names, name)
		case http.StatusNotFound:
		default:
			names = append(names, resp.Status)
		}
	}
	return names
}

// inGraphQL says whether GraphQL shows a repository to a token.
func (w *oauthWorld) inGraphQL(token, name string) bool {
	w.t.Helper()
	question := `{"query": "query{ repository(owner: \"acme\", name: \"` + name + `\") { nameWithOwner } }"}`
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.URL+"/api/graphql", strings.NewReader(question))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Contains(string(answer), `"nameWithOwner":"acme/`+name+`"`)
}

func TestSignInByOAuth(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t)
	status, _, page := w.send("GET", "/login/oauth/authorize", url.Values{"client_id": {w.app.ClientID}, "state": {`"><b>`}})
	if status != http.StatusOK || !strings.Contains(page, "<option>reader</option>") || !strings.Contains(page, "&#34;&gt;&lt;b&gt;") || strings.Contains(page, "[bot]") {
		t.Fatalf("%d, the page on which people agree:\n%s", status, page)
	}
	code := w.agree("reader")
	first := w.exchange(url.Values{"code": {code}, "redirect_uri": {callback}})
	token := text(first, "access_token")
	if !strings.HasPrefix(token, "ghu_") || first["expires_in"] != 28800.0 || first["token_type"] != "bearer" || !strings.HasPrefix(text(first, "refresh_token"), "ghr_") {
		t.Fatalf("the exchange: %v", first)
	}
	if again := w.exchange(url.Values{"code": {code}}); again["error"] != "bad_verification_code" || again["access_token"] != nil {
		t.Errorf("the same code again: %v", again)
	}
	me, _, err := w.Client(token).Users.Get(t.Context(), "")
	if err != nil || me.GetLogin() != "reader" {
		t.Fatalf("who it is: %v %v", me, err)
	}
	if diff := cmp.Diff([]string{"secret", "open"}, w.sees(token)); diff != "" {
		t.Errorf("reader sees, where the App is installed (-want +got):\n%s", diff)
	}
	stranger := text(w.exchange(url.Values{"code": {w.agree("stranger")}}), "access_token")
	if diff := cmp.Diff([]string{"open"}, w.sees(stranger)); diff != "" {
		t.Errorf("stranger sees (-want +got):\n%s", diff)
	}
	if _, resp, err := w.Client(token).Issues.Create(t.Context(), "acme", "open", &github.IssueRequest{Title: new("mine")}); err == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("what the App may not, its users' tokens may: %v", err)
	}

	second := w.exchange(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text(first, "refresh_token")}})
	renewed := text(second, "access_token")
	if len(w.sees(renewed)) != 2 {
		t.Errorf("after a refresh: %v", second)
	}
	if again := w.exchange(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text(first, "refresh_token")}}); again["error"] != "bad_refresh_token" {
		t.Errorf("the same refresh token again: %v", again)
	}
	if _, resp, _ := w.Client(token).Users.Get(t.Context(), ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the token before the refresh: %v", resp.Status)
	}
	w.ahead.Add(int64(8 * time.Hour))
	if _, resp, _ := w.Client(renewed).Users.Get(t.Context(), ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after eight hours: %v", resp.Status)
	}
}

func TestTokensOfPeopleEnd(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t)
	token := func(login string) string {
		t.Helper()
		made, err := w.UserAccessToken(w.app.ID, login)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	mine, other := token("reader"), token("stranger")
	del := func(secret, what string) int {
		t.Helper()
		basic := github.BasicAuthTransport{Username: w.app.ClientID, Password: secret}
		client, err := github.NewClient(basic.Client()).WithEnterpriseURLs(w.URL, w.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Authorizations.Revoke(t.Context(), w.app.ClientID, what)
		if resp == nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	if got := del("wrong", mine); got != http.StatusUnauthorized && got != http.StatusNotFound {
		t.Errorf("with a wrong secret: %d", got)
	}
	if got := del(w.app.ClientSecret, mine); got != http.StatusNoContent {
		t.Errorf("with the App's secret: %d", got)
	}
	if got := del(w.app.ClientSecret, mine); got != http.StatusNotFound {
		t.Errorf("again: %d", got)
	}
	if diff := cmp.Diff([]string{"401 Unauthorized", "401 Unauthorized", "401 Unauthorized"}, w.sees(mine)); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
	w.RevokeAuthorization(w.app.ID, "stranger")
	if got := w.sees(other); got[0] != "401 Unauthorized" {
		t.Errorf("after the authorization was revoked: %v", got)
	}
}

func TestOAuthRefuses(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t)
	code := w.agree("reader")
	for name, c := range map[string]struct {
		form url.Values
		want string
	}{
		"no code":              {url.Values{}, "bad_verification_code"},
		"another code":         {url.Values{"code": {"x"}}, "bad_verification_code"},
		"another place":        {url.Values{"code": {code}, "redirect_uri": {callback + "/2"}}, "redirect_uri_mismatch"},
		"a wrong secret":       {url.Values{"code": {code}, "client_secret": {"x"}}, "incorrect_client_credentials"},
		"no App":               {url.Values{"code": {code}, "client_id": {"x"}}, "incorrect_client_credentials"},
		"another refresh":      {url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, "bad_refresh_token"},
		"another kind of wish": {url.Values{"grant_type": {"password"}}, "unsupported_grant_type"},
	} {
		if got := w.exchange(c.form); got["error"] != c.want || got["error_description"] == "" || got["access_token"] != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	w.ahead.Add(int64(10 * time.Minute))
	if got := w.exchange(url.Values{"code": {code}}); got["error"] != "bad_verification_code" {
		t.Errorf("a code after ten minutes: %v", got)
	}
	ask := func(client, to, agree string) (int, *url.URL) {
		status, back, _ := w.send("POST", "/login/oauth/authorize", url.Values{
			"client_id": {client}, "redirect_uri": {to}, "state": {"s"}, "person": {"reader"}, "agree": {agree},
		})
		return status, back
	}
	if status, back := ask("x", callback, "1"); status != http.StatusNotFound {
		t.Errorf("for no App: %d %v", status, back)
	}
	if _, back := ask(w.app.ClientID, "http://evil.example/login/callback", "1"); back.Host != "127.0.0.1:9" || back.Query().Get("error") != "redirect_uri_mismatch" || back.Query().Has("code") {
		t.Errorf("to another place: %v", back)
	}
	if _, back := ask(w.app.ClientID, callback, ""); back.Query().Get("error") != "access_denied" || back.Query().Get("state") != "s" {
		t.Errorf("someone who cancels: %v", back)
	}
}
