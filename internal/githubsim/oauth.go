package githubsim

// People who sign in to an App ("Generating a user access token for a GitHub
// App", GitHub Docs): the App's page sends them here, they agree, and come back
// with a code; the App exchanges it, once and within ten minutes, for a token of
// theirs. That token sees what the person sees and the App is installed on, and
// what is public.
//
// The simulator has no sign-in: its page asks who one is.

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// How long what an App gets for a person holds ("Refreshing user access tokens").
const (
	grantLife   = 10 * time.Minute
	userLife    = 8 * time.Hour
	refreshLife = 15_897_600 * time.Second
)

// oauth is who has agreed to what.
type oauth struct {
	grants    map[string]grant // by code
	refreshes map[string]grant // by refresh token
}

// grant is what a person has agreed to, until it is exchanged.
type grant struct {
	app      *app
	user     *user
	redirect string
	until    time.Time
	token    *token // that a refresh replaces
}

// SetCallbacks changes where an App's people may come back to from signing in;
// the first is where they come without being told.
func (s *Server) SetCallbacks(appID int64, urls ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[appID]
	if a == nil {
		return fmt.Errorf("no App %d", appID)
	}
	a.CallbackURLs = slices.Clone(urls)
	return nil
}

// UserAccessToken makes a token of a person for an App, as signing in does.
func (s *Server) UserAccessToken(appID int64, login string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, u := s.apps[appID], s.user(login)
	if a == nil || u == nil {
		return "", fmt.Errorf("no App %d, or no user %q", appID, login)
	}
	return s.newUserToken(a, u).secret, nil
}

// RevokeAuthorization ends all tokens that a person has given an App, as the
// person does by their settings.
func (s *Server) RevokeAuthorization(appID int64, login string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.app != nil && t.app.ID == appID && strings.EqualFold(t.user.login, login) {
			t.revoked = true
		}
	}
}

// newUserToken makes a token for eight hours, with Server.mu held.
func (s *Server) newUserToken(a *app, u *user) *token {
	t := &token{secret: s.secret("ghu_"), user: u, app: a, expiresAt: s.clock().Add(userLife)}
	s.tokens[t.secret] = t
	return t
}

// installationOn is the installation of an App that a repository belongs to, or
// nil; a suspended one is none.
func (s *Server) installationOn(a *app, r *repository) *installation {
	for _, inst := range s.installations {
		if inst.app == a && inst.covers(r) && inst.suspendedAt.IsZero() {
			return inst
		}
	}
	return nil
}

// appMay tells whether the App that a user's token is for lets it do this in a
// repository: both have to be allowed. What is public can be read by anyone.
func (s *Server) appMay(t *token, r *repository, reads bool, app []string) bool {
	if t == nil || t.app == nil || reads && !r.private {
		return true
	}
	inst := s.installationOn(t.app, r)
	return inst != nil && (&token{permissions: inst.permissions}).allows(app)
}

func (s *Server) oauthRoutes() {
	s.handle("DELETE", "/applications/{client_id}/token", need{client: true}, s.deleteAppToken)
}

// clientOf is the App that a request names and authenticates as by its client id
// and secret ("REST API endpoints for OAuth authorizations").
func (s *Server) clientOf(r *http.Request) *app {
	rest, is := strings.CutPrefix(strings.TrimPrefix(r.URL.Path, "/api/v3"), "/applications/")
	id, secret, basic := r.BasicAuth()
	named, _, _ := strings.Cut(rest, "/")
	if a := s.appByClient(id); is && basic && id == named && a != nil && secret == a.ClientSecret {
		return a
	}
	return nil
}

func (s *Server) appByClient(id string) *app {
	for _, a := range s.apps {
		if id != "" && a.ClientID == id {
			return a
		}
	}
	return nil
}

// deleteAppToken ends a token of the App's.
func (s *Server) deleteAppToken(c *call) (reply, error) {
	var in struct {
		Token string `json:"access_token"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	t := s.tokens[in.Token]
	if t == nil || t.app == nil || t.app != c.who.client || t.revoked {
		return reply{}, notFound()
	}
	t.revoked = true
	return noContent(), nil
}

// oauthPages are what people and Apps ask outside the API.
func (s *Server) oauthPages(mux *http.ServeMux) {
	mux.HandleFunc("GET /login/oauth/authorize", s.pageAuthorize)
	mux.HandleFunc("POST /login/oauth/authorize", s.authorizeByPage)
	mux.HandleFunc("POST /login/oauth/access_token", s.exchange)
}

// authorizeView is the page on which a person agrees.
type authorizeView struct {
	App, Owner, State, Redirect, ClientID string
	People                                []string
}

// asked is which App a person comes from, and where they go back to. Without an
// App, or any place to go to, it has answered.
func (s *Server) asked(w http.ResponseWriter, r *http.Request) (a App, owner string, back *url.URL) {
	s.mu.Lock()
	found := s.appByClient(r.FormValue("client_id"))
	if found != nil {
		a, owner = found.App, found.owner.login
	}
	s.mu.Unlock()
	if found == nil || len(a.CallbackURLs) == 0 {
		s.writePage(w, http.StatusNotFound, "missing", page{Title: "Not found"})
		return a, "", nil
	}
	to := r.FormValue("redirect_uri")
	known := to == "" || slices.Contains(a.CallbackURLs, to)
	if !known || to == "" {
		to = a.CallbackURLs[0]
	}
	back, err := url.Parse(to)
	if err != nil {
		s.writePage(w, http.StatusNotFound, "missing", page{Title: "Not found"})
		return a, "", nil
	}
	if !known {
		sendBack(w, r, back, url.Values{
			"error":             {"redirect_uri_mismatch"},
			"error_description": {"The redirect_uri MUST match the registered callback URL for this application."},
			"error_uri":         {oauthErrors + "redirect-uri-mismatch2"},
		})
		return a, "", nil
	}
	return a, owner, back
}

// sendBack sends a person back to the App with what is said.
func sendBack(w http.ResponseWriter, r *http.Request, back *url.URL, said url.Values) {
	if state := r.FormValue("state"); state != "" {
		said.Set("state", state)
	}
	q := back.Query()
	maps.Copy(q, said)
	to := *back
	to.RawQuery = q.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
}

func (s *Server) pageAuthorize(w http.ResponseWriter, r *http.Request) {
	a, owner, back := s.asked(w, r)
	if back == nil {
		return
	}
	s.mu.Lock()
	view := authorizeView{
		App: a.Name, Owner: owner, State: r.FormValue("state"), Redirect: back.String(), ClientID: a.ClientID, People: s.peopleOf(""),
	}
	s.mu.Unlock()
	s.writeForm(w, http.StatusOK, "authorize", page{Title: "Authorize " + a.Name, Data: view}, "'self' "+back.Scheme+"://"+back.Host)
}

// authorizeByPage notes what a person has agreed to, and sends them back.
func (s *Server) authorizeByPage(w http.ResponseWriter, r *http.Request) {
	a, _, back := s.asked(w, r)
	if back == nil {
		return
	}
	if r.PostFormValue("agree") == "" {
		sendBack(w, r, back, url.Values{
			"error":             {"access_denied"},
			"error_description": {"The user has denied your application access."},
			"error_uri":         {oauthErrors + "access-denied"},
		})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.user(r.PostFormValue("person"))
	if u == nil || u.kind != kindUser {
		http.Error(w, "There is no such person.", http.StatusUnprocessableEntity)
		return
	}
	code := s.secret("")[:20]
	put(&s.activity.oauth.grants, code, grant{app: s.apps[a.ID], user: u, redirect: back.String(), until: s.clock().Add(grantLife)})
	sendBack(w, r, back, url.Values{"code": {code}})
}

// oauthErrors is where GitHub explains its refusals of people.
const oauthErrors = "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-authorization-request-errors/#"

// exchangeErrors are GitHub's refusals of Apps ("Troubleshooting OAuth app access
// token request errors").
var exchangeErrors = map[string]string{
	"incorrect_client_credentials": "The client_id and/or client_secret passed are incorrect.",
	"redirect_uri_mismatch":        "The redirect_uri MUST match the registered callback URL for this application.",
	"bad_verification_code":        "The code passed is incorrect or expired.",
	"bad_refresh_token":            "The refresh token passed is incorrect or expired.",
	"unsupported_grant_type":       "The grant_type passed is not supported.",
}

// exchange gives an App a person's token for a code, or for a refresh token. A
// refusal has the status 200, too.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request) {
	in, err := exchangeForm(w, r)
	if err != nil {
		http.Error(w, "Problems parsing the body", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	out := s.exchanged(in)
	s.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	if accepts, _, _ := mime.ParseMediaType(r.Header.Get("Accept")); accepts == "application/json" {
		body, _ := json.Marshal(out) // texts and numbers
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(body)
		return
	}
	q := url.Values{}
	for name, value := range out {
		q.Set(name, fmt.Sprint(value))
	}
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	_, _ = w.Write([]byte(q.Encode()))
}

// exchangeForm reads a form, or the same as JSON.
func exchangeForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		err := r.ParseForm()
		return r.Form, err
	}
	var texts map[string]string
	err := json.NewDecoder(r.Body).Decode(&texts)
	form := url.Values{}
	for name, text := range texts {
		form.Set(name, text)
	}
	return form, err
}

// exchanged is the answer to an exchange, with Server.mu held.
func (s *Server) exchanged(in url.Values) obj {
	no := func(kind string) obj {
		return obj{
			"error": kind, "error_description": exchangeErrors[kind],
			"error_uri": "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/#" + strings.ReplaceAll(kind, "_", "-"),
		}
	}
	a := s.appByClient(in.Get("client_id"))
	if a == nil || in.Get("client_secret") != a.ClientSecret {
		return no("incorrect_client_credentials")
	}
	o := &s.activity.oauth
	var known grant
	switch in.Get("grant_type") {
	case "refresh_token":
		known = o.refreshes[in.Get("refresh_token")]
		if known.app != a || !s.clock().Before(known.until) || known.token.revoked {
			return no("bad_refresh_token")
		}
		delete(o.refreshes, in.Get("refresh_token"))
		known.token.revoked = true
	case "", "authorization_code":
		known = o.grants[in.Get("code")]
		if known.app != a || !s.clock().Before(known.until) {
			return no("bad_verification_code")
		}
		if to := in.Get("redirect_uri"); to != "" && to != known.redirect {
			return no("redirect_uri_mismatch")
		}
		delete(o.grants, in.Get("code"))
	default:
		return no("unsupported_grant_type")
	}
	t := s.newUserToken(a, known.user)
	refresh := s.secret("ghr_")
	put(&o.refreshes, refresh, grant{app: a, user: known.user, until: s.clock().Add(refreshLife), token: t})
	return obj{
		"access_token": t.secret, "expires_in": int(userLife / time.Second), "refresh_token": refresh,
		"refresh_token_expires_in": int(refreshLife / time.Second), "scope": "", "token_type": "bearer",
	}
}
