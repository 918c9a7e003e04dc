package registration

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// LongestName is how long an App's name may be ("Registering a GitHub App",
// GitHub Docs).
const LongestName = 34

// Paths that promobot serves below its public URL.
const (
	HookPath     = "/api/github/hook"
	CallbackPath = "/login/callback"
)

// App is what a manifest is made of.
type App struct {
	Name string
	// URL is promobot's public one, where GitHub and people reach it, with or
	// without a slash at its end.
	URL string
	// Redirect is where GitHub sends the person with the code.
	Redirect string
	Options  []string
}

// Manifest is the App as JSON ("GitHub App Manifest parameters", GitHub Docs):
// private, with the least permissions.
func (a App) Manifest() ([]byte, error) {
	base := strings.TrimRight(a.URL, "/")
	if u, err := url.Parse(base); err != nil || u.Host == "" {
		return nil, fmt.Errorf("the public URL %q is not one", a.URL)
	}
	if a.Redirect == "" {
		return nil, errors.New("a manifest needs somewhere to come back to")
	}
	granted := map[string]Level{}
	for _, p := range Permissions(a.Options...) {
		granted[p.Name] = p.Level
	}
	return json.Marshal(map[string]any{
		"name": a.Name, "url": base + "/", "description": "Carries changes from one environment to the next by pull request.",
		"hook_attributes": map[string]any{"url": base + HookPath, "active": true},
		"redirect_url":    a.Redirect, "callback_urls": []string{base + CallbackPath}, "setup_url": base + "/", "public": false,
		"default_permissions": granted, "default_events": Events(a.Options...),
	})
}

// Place is where a GitHub is: for people, and its REST API.
type Place struct {
	Web string // with a slash at its end
	API string // with a slash at its end
}

// ErrPlace is a text that is no GitHub's address.
var ErrPlace = errors.New("write the address at which you see GitHub, such as https://github.com or https://github.example.com")

// ParsePlace reads the address at which people see a GitHub: github.com, one with
// data residency (NAME.ghe.com), or a GitHub Enterprise Server ("Using the REST
// API"). http is taken for this machine alone, since secrets travel there.
func ParsePlace(text string) (Place, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		text = "https://github.com"
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return Place{}, ErrPlace
	case u.Scheme != "https" && (u.Scheme != "http" || !Loopback(u.Hostname())):
		return Place{}, fmt.Errorf("%w; it has to begin with https", ErrPlace)
	}
	root, host := u.Scheme+"://"+u.Host+"/", strings.ToLower(u.Host)
	switch {
	case host == "github.com" || host == "www.github.com":
		return Place{Web: "https://github.com/", API: "https://api.github.com/"}, nil
	case strings.HasSuffix(host, ".ghe.com"):
		return Place{Web: root, API: u.Scheme + "://api." + u.Host + "/"}, nil
	}
	return Place{Web: root, API: root + "api/v3/"}, nil
}

// Loopback says whether a host is this machine itself.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// ParsePublic reads promobot's public URL: https, without a path; GitHub does
// not reach this machine itself, except one that runs here.
func ParsePublic(text string, place Place) (string, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "/")
	u, err := url.Parse(text)
	if text == "" || err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" {
		return "", errors.New("write the URL at which GitHub will reach promobot, without a path, such as https://promobot.example.com")
	}
	if u.Scheme == "https" {
		return text, nil
	}
	if there, err := url.Parse(place.Web); u.Scheme == "http" && err == nil && Loopback(there.Hostname()) && Loopback(u.Hostname()) {
		return text, nil
	}
	return "", errors.New("the public URL has to begin with https: webhooks carry what is in your repositories")
}

// ConvertURL is where a code becomes an App's id and secrets ("Create a GitHub
// App from a manifest", REST API documentation).
func (p Place) ConvertURL(code string) string {
	return p.API + "app-manifests/" + url.PathEscape(code) + "/conversions"
}

// NewAppURL is where a manifest is posted: of an organization, or, with an empty
// name, of the person who is signed in.
func (p Place) NewAppURL(organization, state string) string {
	at := p.Web + "settings/apps/new"
	if organization != "" {
		at = p.Web + "organizations/" + url.PathEscape(organization) + "/settings/apps/new"
	}
	return at + "?" + url.Values{"state": {state}}.Encode()
}
