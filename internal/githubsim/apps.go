package githubsim

// Apps, their installations and installation tokens (REST API endpoints for
// GitHub Apps).

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// AppOptions describe a new App.
type AppOptions struct {
	// Owner is the account that owns the App.
	Owner string
	// Name is what people see; the slug is made from it.
	Name string
	// WebhookURL and WebhookSecret are where events go; empty sends none.
	WebhookURL, WebhookSecret string
	// Permissions are name → read or write; metadata: read is added.
	Permissions map[string]string
	// Events are those the App is subscribed to. Events about installations
	// come without.
	Events []string
	// CallbackURLs are where people come back to from signing in, SetupURL where
	// they come to after installing the App; it may be empty.
	CallbackURLs []string
	SetupURL     string
	// Private lets the App be installed on its owner's account only.
	Private bool
	// Key is the App's private key; made when nil.
	Key *rsa.PrivateKey
}

// App is an App as its owner knows it.
type App struct {
	ID            int64
	Slug          string
	Name          string
	ClientID      string
	ClientSecret  string
	PrivateKeyPEM []byte
	WebhookURL    string
	WebhookSecret string
	CallbackURLs  []string
	SetupURL      string

	key *rsa.PrivateKey
}

// BotLogin is the login under which the App acts.
func (a App) BotLogin() string { return a.Slug + "[bot]" }

// CreateApp registers an App; GitHub sends its webhook a ping.
func (s *Server) CreateApp(o AppOptions) (App, error) {
	key := o.Key
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return App{}, fmt.Errorf("making the App's key: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.createApp(o, key)
}

// createApp is CreateApp with the key and the lock.
func (s *Server) createApp(o AppOptions, key *rsa.PrivateKey) (App, error) {
	owner := s.user(o.Owner)
	if owner == nil {
		return App{}, fmt.Errorf("no account %q", o.Owner)
	}
	slug := strings.ToLower(strings.Join(strings.Fields(o.Name), "-"))
	if s.user(slug+"[bot]") != nil {
		return App{}, fmt.Errorf("an App named %q exists already", o.Name)
	}
	a := &app{
		App: App{
			ID: s.next("app"), Slug: slug, Name: o.Name, WebhookURL: o.WebhookURL, WebhookSecret: o.WebhookSecret,
			PrivateKeyPEM: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
			CallbackURLs:  slices.Clone(o.CallbackURLs), SetupURL: o.SetupURL, key: key,
		},
		owner: owner, bot: s.newUser(slug+"[bot]", kindBot), hookID: s.next("hook"), createdAt: s.now(),
		permissions: maps.Clone(o.Permissions), events: slices.Clone(o.Events), private: o.Private,
	}
	clientSecret := sha256.Sum256(fmt.Appendf(nil, "client secret %d %d", s.seed, a.ID))
	a.ClientSecret = hex.EncodeToString(clientSecret[:20])
	a.ClientID = fmt.Sprintf("Iv23li%014d", a.ID)
	if a.permissions == nil {
		a.permissions = map[string]string{}
	}
	a.permissions["metadata"] = "read"
	s.apps[a.ID] = a
	s.emitTo(a, 0, "ping", "", s.pingJSON(a))
	return a.App, nil
}

// SetWebhook changes where an App's events go.
func (s *Server) SetWebhook(appID int64, url, secret string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[appID]
	if a == nil {
		return fmt.Errorf("no App %d", appID)
	}
	a.WebhookURL, a.WebhookSecret = url, secret
	return nil
}

// secret makes a token, the same in every run with the same seed.
func (s *Server) secret(prefix string) string {
	h := sha256.Sum256(fmt.Appendf(nil, "token %d %d", s.seed, s.next("token")))
	return prefix + strings.NewReplacer("-", "A", "_", "B").Replace(base64.RawURLEncoding.EncodeToString(h[:]))[:36]
}

func (s *Server) appRoutes() {
	byJWT := need{jwt: true}
	s.handle("GET", "/app", byJWT, s.getApp)
	s.handle("GET", "/app/hook/config", byJWT, s.getHookConfig)
	s.handle("GET", "/app/installations", byJWT, s.listInstallations)
	s.handle("GET", "/app/installations/{installation_id}", byJWT, s.getInstallation)
	s.handle("POST", "/app/installations/{installation_id}/access_tokens", byJWT, s.createInstallationToken)
	s.handle("GET", "/repos/{owner}/{repo}/installation", byJWT, s.getRepositoryInstallation)
	s.handle("GET", "/orgs/{org}/installation", byJWT, s.getAccountInstallation)
	s.handle("GET", "/users/{username}/installation", byJWT, s.getAccountInstallation)
	s.handle("GET", "/installation/repositories", need{installation: true}, s.listInstallationRepositories)
	s.handle("DELETE", "/installation/token", need{installation: true}, s.revokeInstallationToken)
	s.oauthRoutes()
	s.handle("GET", "/user", need{login: true}, s.getAuthenticatedUser)
	s.handle("GET", "/users/{username}", need{}, s.getUser)
}

func (s *Server) getApp(c *call) (reply, error) {
	a := c.who.app
	count := 0
	for _, inst := range s.installations {
		if inst.app == a {
			count++
		}
	}
	out := s.appJSON(a)
	out["installations_count"] = count
	return ok(out), nil
}

// getHookConfig tells where an App's webhooks go (Get a webhook configuration
// for an app). An App without one has none.
func (s *Server) getHookConfig(c *call) (reply, error) {
	a := c.who.app
	if a.WebhookURL == "" {
		return reply{}, notFound()
	}
	out := obj{"content_type": "json", "insecure_ssl": "0", "url": a.WebhookURL}
	if a.WebhookSecret != "" {
		out["secret"] = "********"
	}
	return ok(out), nil
}

// appJSON is an integration.
func (s *Server) appJSON(a *app) obj {
	return obj{
		"id": a.ID, "slug": a.Slug, "node_id": nodeID("App", a.ID), "client_id": a.ClientID,
		"owner": s.userJSON(a.owner), "name": a.Name, "description": a.description,
		"external_url": s.url + "/apps/" + a.Slug, "html_url": s.url + "/apps/" + a.Slug,
		"created_at": stamp(a.createdAt), "updated_at": stamp(a.createdAt),
		"permissions": maps.Clone(a.permissions), "events": nonNil(a.events),
	}
}

func nonNil(list []string) []string { return append([]string{}, list...) }

// installationJSON is an installation.
func (s *Server) installationJSON(i *installation) obj {
	selection := "selected"
	if i.all {
		selection = "all"
	}
	page := s.url + "/settings/installations/"
	if i.account.kind == kindOrganization {
		page = s.url + "/organizations/" + i.account.login + "/settings/installations/"
	}
	return obj{
		"id": i.id, "client_id": i.app.ClientID, "account": s.userJSON(i.account), "repository_selection": selection,
		"access_tokens_url": s.api("/app/installations/%d/access_tokens", i.id),
		"repositories_url":  s.api("/installation/repositories"),
		"html_url":          fmt.Sprintf("%s%d", page, i.id),
		"app_id":            i.app.ID, "app_slug": i.app.Slug, "target_id": i.account.id, "target_type": i.account.kind,
		"permissions": maps.Clone(i.permissions), "events": nonNil(i.events),
		"created_at": stamp(i.createdAt), "updated_at": stamp(i.updatedAt),
		"single_file_name": nil, "has_multiple_single_files": false, "single_file_paths": []string{},
		"suspended_at": stamp(i.suspendedAt), "suspended_by": s.userOrNull(i.suspendedBy),
	}
}

func (s *Server) listInstallations(c *call) (reply, error) {
	mine := slices.DeleteFunc(s.sortedInstallations(), func(i *installation) bool { return i.app != c.who.app })
	return ok(render(paginate(c, mine), s.installationJSON)), nil
}

// ownInstallation is the installation of the path, if it is the App's.
func (s *Server) ownInstallation(c *call) (*installation, error) {
	id, err := c.id("installation_id")
	if err != nil {
		return nil, err
	}
	inst := s.installations[id]
	if inst == nil || inst.app != c.who.app {
		return nil, notFound()
	}
	return inst, nil
}

func (s *Server) getInstallation(c *call) (reply, error) {
	inst, err := s.ownInstallation(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.installationJSON(inst)), nil
}

func (s *Server) getRepositoryInstallation(c *call) (reply, error) {
	for _, inst := range s.sortedInstallations() {
		if inst.app == c.who.app && inst.covers(c.repo) {
			return ok(s.installationJSON(inst)), nil
		}
	}
	return reply{}, notFound()
}

func (s *Server) getAccountInstallation(c *call) (reply, error) {
	login, kind := c.param("org"), kindOrganization
	if login == "" {
		login, kind = c.param("username"), kindUser
	}
	for _, inst := range s.sortedInstallations() {
		if inst.app == c.who.app && inst.account.kind == kind && strings.EqualFold(inst.account.login, login) {
			return ok(s.installationJSON(inst)), nil
		}
	}
	return reply{}, notFound()
}

// createInstallationToken makes a token for an hour, narrowed as asked.
func (s *Server) createInstallationToken(c *call) (reply, error) {
	inst, err := s.ownInstallation(c)
	if err != nil {
		return reply{}, err
	}
	if !inst.suspendedAt.IsZero() {
		return reply{}, forbidden("This installation has been suspended")
	}
	var in struct {
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
		Permissions   map[string]string `json:"permissions"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	t := &token{installation: inst, permissions: maps.Clone(inst.permissions), expiresAt: s.clock().Add(tokenLife)}
	if len(in.Permissions) > 0 {
		narrowed := &token{permissions: inst.permissions}
		for name, level := range in.Permissions {
			if !narrowed.allows([]string{name + ":" + level}) {
				return reply{}, unprocessable("The permissions requested are not granted to this installation.")
			}
		}
		t.permissions = maps.Clone(in.Permissions)
		t.permissions["metadata"] = "read"
	}
	chosen, err := s.chosenRepositories(inst, in.Repositories, in.RepositoryIDs)
	if err != nil {
		return reply{}, err
	}
	t.secret = s.secret("ghs_")
	out := obj{
		"token": t.secret, "expires_at": stamp(t.expiresAt), "permissions": maps.Clone(t.permissions),
		"repository_selection": "all",
	}
	if !inst.all {
		out["repository_selection"] = "selected"
	}
	if chosen != nil {
		t.repositories = map[int64]struct{}{}
		for _, r := range chosen {
			t.repositories[r.id] = struct{}{}
		}
		out["repository_selection"] = "selected"
		out["repositories"] = render(chosen, s.repositoryJSON)
	}
	s.tokens[t.secret] = t
	return created(out), nil
}

// chosenRepositories finds the repositories a token is narrowed to; nil: all.
func (s *Server) chosenRepositories(inst *installation, names []string, ids []int64) ([]*repository, error) {
	if len(names) == 0 && len(ids) == 0 {
		return nil, nil
	}
	var chosen []*repository
	for _, r := range s.sortedRepositories() {
		named := slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, r.name) })
		if inst.covers(r) && (named || slices.Contains(ids, r.id)) {
			chosen = append(chosen, r)
		}
	}
	if len(chosen) < max(len(names), len(ids)) {
		return nil, unprocessable("There is at least one repository that does not exist or is not accessible to the parent installation.")
	}
	return chosen, nil
}

func (s *Server) listInstallationRepositories(c *call) (reply, error) {
	t := c.who.token
	mine := slices.DeleteFunc(s.sortedRepositories(), func(r *repository) bool { return !t.reaches(r) })
	selection := "selected"
	if t.installation.all && t.repositories == nil {
		selection = "all"
	}
	return ok(obj{
		"total_count": len(mine), "repository_selection": selection,
		"repositories": render(paginate(c, mine), func(r *repository) obj { return s.repositoryFor(c, r) }),
	}), nil
}

func (s *Server) revokeInstallationToken(c *call) (reply, error) {
	c.who.token.revoked = true
	return noContent(), nil
}

func (s *Server) getAuthenticatedUser(c *call) (reply, error) {
	if c.who.installation() != nil {
		return reply{}, notForIntegration()
	}
	return ok(s.publicUserJSON(c.actor)), nil
}

func (s *Server) getUser(c *call) (reply, error) {
	u := s.user(c.param("username"))
	if u == nil {
		return reply{}, notFound()
	}
	return ok(s.publicUserJSON(u)), nil
}

// publicUserJSON is a public-user.
func (s *Server) publicUserJSON(u *user) obj {
	out := s.userJSON(u)
	maps.Copy(out, (obj{
		"name": u.name, "company": nil, "blog": "", "location": nil, "email": nil, "hireable": nil, "bio": nil,
		"public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
		"created_at": stamp(u.createdAt), "updated_at": stamp(u.createdAt),
	}))
	return out
}

// repositoryFor is a repository with what the caller may do in it.
func (s *Server) repositoryFor(c *call, r *repository) obj {
	out := s.repositoryJSON(r)
	role := r.visible(c.actor)
	if t := c.who.token; t != nil && t.installation != nil {
		role = RoleNone
		if t.allows(writes("contents")) {
			role = RoleWrite
		}
		// GitHub shows an App's permissions as flags too; only pull and push
		// depend on what was granted.
		out["permissions"] = obj{"admin": false, "maintain": false, "push": role >= RoleWrite, "triage": false, "pull": t.allows(reads("contents"))}
	} else if c.actor != nil {
		out["permissions"] = obj{
			"admin": role >= RoleAdmin, "maintain": role >= RoleMaintain, "push": role >= RoleWrite,
			"triage": role >= RoleTriage, "pull": role >= RoleRead,
		}
	}
	if role >= RoleWrite {
		maps.Copy(out, r.mergeSettings())
	}
	return out
}
