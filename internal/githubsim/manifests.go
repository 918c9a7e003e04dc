package githubsim

// Apps made of a manifest ("Registering a GitHub App from a manifest", GitHub
// Docs): someone's page posts the manifest, the person names the App and
// creates it, GitHub sends them back with a code, and whoever has the code
// converts it, once and within an hour, into the App's id and secrets. And the
// page on which people install an App ("Installing a GitHub App").
//
// The simulator has no sign-in: its pages ask who one is.

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// codeLife is how long a code can be converted.
	codeLife = time.Hour
	// longestAppName is how long an App's name may be.
	longestAppName = 34
)

// conversion is an App that waits for its code.
type conversion struct {
	app  int64
	made time.Time
}

// manifest is what GitHub takes (GitHub App Manifest parameters).
type manifest struct {
	Name  string `json:"name"`
	URL   string `json:"url"`
	Hooks struct {
		URL    string `json:"url"`
		Active *bool  `json:"active"`
	} `json:"hook_attributes"`
	RedirectURL  string            `json:"redirect_url"`
	CallbackURLs []string          `json:"callback_urls"`
	SetupURL     string            `json:"setup_url"`
	Description  string            `json:"description"`
	Public       bool              `json:"public"`
	Events       []string          `json:"default_events"`
	Permissions  map[string]string `json:"default_permissions"`
	OnInstall    bool              `json:"request_oauth_on_install"`
	OnUpdate     bool              `json:"setup_on_update"`
}

// eventNeeds says which permission an event needs; an App that lacks it cannot
// subscribe (Webhook events and payloads). Each is enough.
var eventNeeds = map[string][]string{
	"push": {"contents"}, "create": {"contents"}, "delete": {"contents"}, "release": {"contents"}, "repository_dispatch": {"contents"},
	"pull_request": {"pull_requests"}, "pull_request_review": {"pull_requests"}, "check_run": {"checks"}, "check_suite": {"checks"},
	"status": {"statuses"}, "deployment": {"deployments"}, "deployment_status": {"deployments"}, "workflow_run": {"actions"},
	"workflow_job": {"actions"}, "issues": {"issues"}, "issue_comment": {"issues", "pull_requests"}, "merge_group": {"merge_queues"},
	"repository": {"metadata"}, "team": {"members"}, "membership": {"members"},
}

// parseManifest refuses what GitHub refuses. It says all that is wrong.
func parseManifest(text string) (m manifest, wrong []string) {
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, []string{"The manifest is not valid JSON."}
	}
	webURL := func(name, text string, must bool) {
		u, err := url.Parse(text)
		switch {
		case text == "" && !must:
		case text == "":
			wrong = append(wrong, name+" wasn't supplied")
		case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
			wrong = append(wrong, name+" must be a valid URL")
		}
	}
	webURL("url", m.URL, true)
	webURL("redirect_url", m.RedirectURL, true)
	webURL("setup_url", m.SetupURL, false)
	webURL("hook_attributes.url", m.Hooks.URL, m.Hooks.Active == nil || *m.Hooks.Active)
	for _, callback := range m.CallbackURLs {
		webURL("callback_urls", callback, true)
	}
	if len(m.CallbackURLs) > 10 {
		wrong = append(wrong, "callback_urls: at most 10")
	}
	for name, level := range m.Permissions {
		if level != "read" && level != "write" && level != "admin" {
			wrong = append(wrong, fmt.Sprintf("default_permissions: %s cannot be %q", name, level))
		}
	}
	for _, event := range m.Events {
		needs, known := eventNeeds[event]
		granted := slices.ContainsFunc(needs, func(p string) bool { return p == "metadata" || m.Permissions[p] != "" })
		if !known || !granted {
			wrong = append(wrong, "Default events unsupported: "+event)
		}
	}
	slices.Sort(wrong)
	return m, wrong
}

func (s *Server) manifestRoutes() {
	s.handle("POST", "/app-manifests/{code}/conversions", need{anonymous: true}, s.convertManifest)
}

// convertManifest gives an App's secrets to who has its code.
func (s *Server) convertManifest(c *call) (reply, error) {
	code := c.param("code")
	known, is := s.activity.converting[code]
	delete(s.activity.converting, code)
	a := s.apps[known.app]
	if !is || a == nil || s.clock().Sub(known.made) > codeLife {
		return reply{}, notFound()
	}
	out := s.appJSON(a)
	maps.Copy(out, obj{
		"client_id": a.ClientID, "client_secret": a.ClientSecret, "pem": string(a.PrivateKeyPEM), "webhook_secret": orNull(a.WebhookSecret),
	})
	return created(out), nil
}

// manifestPages are the pages of people who make and install Apps.
func (s *Server) manifestPages(mux *http.ServeMux) {
	mux.HandleFunc("POST /settings/apps/new", s.pageNewApp)
	mux.HandleFunc("POST /organizations/{org}/settings/apps/new", s.pageNewApp)
	mux.HandleFunc("POST /_githubsim/apps", s.createAppByPage)
	mux.HandleFunc("GET /apps/{slug}", s.pageApp)
	mux.HandleFunc("GET /apps/{slug}/installations/new", s.pageInstall)
	mux.HandleFunc("POST /apps/{slug}/installations/new", s.installByPage)
}

// newAppView is the page on which an App is named and created.
type newAppView struct {
	Manifest, State, Org string
	Name, Events         string
	Permissions          []string
	People               []string
	Wrong                []string
}

func (s *Server) pageNewApp(w http.ResponseWriter, r *http.Request) {
	m, wrong := parseManifest(r.PostFormValue("manifest"))
	s.writeNewApp(w, r.PostFormValue("manifest"), r.URL.Query().Get("state"), r.PathValue("org"), m, wrong)
}

func (s *Server) writeNewApp(w http.ResponseWriter, text, state, org string, m manifest, wrong []string) {
	s.mu.Lock()
	view := newAppView{
		Manifest: text, State: state, Org: org, Name: m.Name, Events: strings.Join(m.Events, ", "), Wrong: wrong,
		People: s.peopleOf(org),
	}
	s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(m.Permissions)) {
		view.Permissions = append(view.Permissions, name+": "+m.Permissions[name])
	}
	status, leads := http.StatusOK, "'self'"
	if len(wrong) > 0 {
		status = http.StatusUnprocessableEntity
	} else if u, err := url.Parse(m.RedirectURL); err == nil {
		leads += " " + u.Scheme + "://" + u.Host
	}
	s.writeForm(w, status, "newapp", page{Title: "Create GitHub App", Data: view}, leads)
}

// peopleOf are the logins that may make Apps: an organization's owners, or, for
// an App of their own, everyone. With Server.mu held.
func (s *Server) peopleOf(org string) []string {
	var out []string
	owner := s.user(org)
	for _, u := range s.users {
		switch {
		case u.kind != kindUser || u == s.webFlow:
		case org == "", owner != nil && owner.kind == kindOrganization && owner.members[strings.ToLower(u.login)] == RoleAdmin:
			out = append(out, u.login)
		}
	}
	slices.Sort(out)
	return out
}

// createAppByPage registers the App and sends the person back.
func (s *Server) createAppByPage(w http.ResponseWriter, r *http.Request) {
	text, state, org, person := r.PostFormValue("manifest"), r.PostFormValue("state"), r.PostFormValue("org"), r.PostFormValue("person")
	m, wrong := parseManifest(text)
	name := strings.TrimSpace(r.PostFormValue("name"))
	switch {
	case name == "":
		wrong = append(wrong, "Name can't be blank")
	case len(name) > longestAppName:
		wrong = append(wrong, fmt.Sprintf("Name is too long (maximum is %d characters)", longestAppName))
	}
	var code string
	if len(wrong) == 0 {
		var err error
		if code, err = s.registerManifest(m, name, org, person); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	if len(wrong) > 0 {
		m.Name = name
		s.writeNewApp(w, text, state, org, m, wrong)
		return
	}
	back, err := url.Parse(m.RedirectURL)
	if err != nil {
		http.Error(w, "redirect_url must be a valid URL", http.StatusUnprocessableEntity)
		return
	}
	q := back.Query()
	q.Set("code", code)
	if state != "" {
		q.Set("state", state)
	}
	back.RawQuery = q.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// registerManifest makes the App in a person's name, of their own or of an
// organization's, and returns the code for its secrets.
func (s *Server) registerManifest(m manifest, name, org, person string) (code string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", fmt.Errorf("making the App's key: %w", err)
	}
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("making the webhook's secret: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.peopleOf(org), person) {
		return "", errors.New("only an owner may make an App there")
	}
	owner := org
	if owner == "" {
		owner = person
	}
	made, err := s.createApp(AppOptions{
		Owner: owner, Name: name, WebhookURL: m.Hooks.URL, WebhookSecret: base64.RawURLEncoding.EncodeToString(random[:]),
		Permissions: m.Permissions, Events: m.Events, CallbackURLs: m.CallbackURLs, SetupURL: m.SetupURL, Private: !m.Public,
	}, key)
	if err != nil {
		return "", errors.New("this name is already in use")
	}
	s.apps[made.ID].description = m.Description
	code = s.secret("")
	put(&s.activity.converting, code, conversion{app: made.ID, made: s.clock()})
	return code, nil
}

// AppBySlug is an App as its owner knows it.
func (s *Server) AppBySlug(slug string) (App, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.appBySlug(slug); a != nil {
		return a.App, nil
	}
	return App{}, fmt.Errorf("no App %q", slug)
}

func (s *Server) appBySlug(slug string) *app {
	for _, a := range s.apps {
		if a.Slug == slug {
			return a
		}
	}
	return nil
}

// appView is the page of an App, and that on which it is installed.
type appView struct {
	Slug, Name, Owner string
	Permissions       []string
	Accounts          []accountView
	Wrong             string
}

// accountView is where an App could be installed.
type accountView struct {
	Login        string
	Installed    bool
	Repositories []string // without the owner
}

// viewApp is nil when there is no such App.
func (s *Server) viewApp(slug string) *appView {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.appBySlug(slug)
	if a == nil {
		return nil
	}
	view := &appView{Slug: a.Slug, Name: a.Name, Owner: a.owner.login}
	for _, name := range slices.Sorted(maps.Keys(a.permissions)) {
		view.Permissions = append(view.Permissions, name+": "+a.permissions[name])
	}
	for _, login := range slices.Sorted(maps.Keys(s.users)) {
		u := s.users[login]
		if u.kind == kindBot || u == s.webFlow || (a.private && u != a.owner) {
			continue
		}
		account := accountView{Login: u.login}
		for _, r := range s.sortedRepositories() {
			if r.owner == u {
				account.Repositories = append(account.Repositories, r.name)
			}
		}
		for _, inst := range s.installations {
			account.Installed = account.Installed || (inst.app == a && inst.account == u)
		}
		view.Accounts = append(view.Accounts, account)
	}
	return view
}

func (s *Server) pageApp(w http.ResponseWriter, r *http.Request) {
	s.writeApp(w, r, "app", "")
}

func (s *Server) pageInstall(w http.ResponseWriter, r *http.Request) {
	s.writeApp(w, r, "install", "")
}

func (s *Server) writeApp(w http.ResponseWriter, r *http.Request, name, wrong string) {
	view := s.viewApp(r.PathValue("slug"))
	if view == nil {
		s.writePage(w, http.StatusNotFound, "missing", page{Title: "Not found"})
		return
	}
	view.Wrong = wrong
	status, leads := http.StatusOK, "'self'"
	if wrong != "" {
		status = http.StatusUnprocessableEntity
	}
	if a, err := s.AppBySlug(view.Slug); err == nil && a.SetupURL != "" {
		if u, err := url.Parse(a.SetupURL); err == nil {
			leads += " " + u.Scheme + "://" + u.Host
		}
	}
	s.writeForm(w, status, name, page{Title: view.Name, Data: view}, leads)
}

// installByPage installs the App on an account, on all repositories or those
// that were ticked, and sends the person to the App's setup URL.
func (s *Server) installByPage(w http.ResponseWriter, r *http.Request) {
	a, err := s.AppBySlug(r.PathValue("slug"))
	if err != nil {
		s.writePage(w, http.StatusNotFound, "missing", page{Title: "Not found"})
		return
	}
	account := r.PostFormValue("account")
	var names []string
	if r.PostFormValue("which") != "all" {
		for _, full := range r.PostForm["repository"] {
			if owner, name, _ := strings.Cut(full, "/"); owner == account {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			s.writeApp(w, r, "install", "Select at least one repository, or all.")
			return
		}
	}
	view := s.viewApp(a.Slug)
	if !slices.ContainsFunc(view.Accounts, func(v accountView) bool { return v.Login == account }) {
		s.writeApp(w, r, "install", "The App cannot be installed on "+account+".")
		return
	}
	id, err := s.Install(a.ID, account, names...)
	if err != nil {
		s.writeApp(w, r, "install", err.Error())
		return
	}
	if a.SetupURL == "" {
		http.Redirect(w, r, "/apps/"+a.Slug, http.StatusSeeOther)
		return
	}
	back, err := url.Parse(a.SetupURL)
	if err != nil {
		http.Error(w, "setup_url must be a valid URL", http.StatusUnprocessableEntity)
		return
	}
	q := back.Query()
	q.Set("installation_id", fmt.Sprint(id))
	q.Set("setup_action", "install")
	if state := r.URL.Query().Get("state"); state != "" {
		q.Set("state", state)
	}
	back.RawQuery = q.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}
