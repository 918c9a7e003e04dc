package main

// The checks: what is required, and what cannot be meant.

import (
	"cmp"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

// where a setting was said, or its name if it was not.
func (l *loader) where(name string) string {
	return cmp.Or(l.said[name], cmp.Or(l.file, "environment"))
}

func (l *loader) check() {
	c := &l.config
	l.checkServer(c.Server)
	l.checkGitHub(&c.GitHub)
	l.checkPages(c)
	if c.DataDir == "" {
		l.problem(l.where("data_dir"), "data_dir is empty; name a folder that promobot may write to")
	}
	l.between("workers", int64(c.Workers), 1, 256)
	l.lasting("sweep_interval", c.SweepInterval, 10*time.Second, 24*time.Hour)
	l.lasting("stop_grace", c.StopGrace, 0, 10*time.Minute)
	if c.Onboarding != onboardOff && c.Onboarding != onboardByPullRequest {
		l.problem(l.where("onboarding"), "onboarding: %q is neither %s nor %s", c.Onboarding, onboardOff, onboardByPullRequest)
	}
	l.lasting("queue.debounce", c.Queue.Debounce, 0, time.Minute)
	if c.Git.Path == "" {
		l.problem(l.where("git.path"), "git.path is empty; write git, or the program's whole path")
	}
	l.between("git.processes", int64(c.Git.Processes), 1, 256)
	l.lasting("git.timeout", c.Git.Timeout, time.Second, 24*time.Hour)
	l.lasting("git.clone_timeout", c.Git.CloneTimeout, time.Second, 24*time.Hour)
	if least := Bytes(100e6); c.Git.MaxDisk != 0 && c.Git.MaxDisk < least {
		l.problem(l.where("git.max_disk"), "git.max_disk: %v is less than %v, which is hardly one mirror; write 0 for no bound", c.Git.MaxDisk, least)
	}
	l.checkAuthor("git.author_name", c.Git.AuthorName)
	l.checkAuthor("git.author_email", c.Git.AuthorEmail)
	if (c.Git.AuthorName == "") != (c.Git.AuthorEmail == "") {
		l.problem(l.where("git.author_name"), "git.author_name and git.author_email go together; set both or neither")
	}
	l.between("push.attempts", int64(c.Push.Attempts), 1, 100)
	l.lasting("push.backoff", c.Push.Backoff, 0, time.Minute)
	l.lasting("push.max_backoff", c.Push.MaxBackoff, c.Push.Backoff, 10*time.Minute)
	l.between("limits.writes_per_minute", int64(c.Limits.WritesPerMinute), 0, 100_000)
	l.between("limits.pushes_per_minute", int64(c.Limits.PushesPerMinute), 0, 100_000)
	if !slices.Contains([]string{"trace", "debug", "info", "warn", "error"}, c.Log.Level) {
		l.problem(l.where("log.level"), "log.level: %q is none of trace, debug, info, warn, error", c.Log.Level)
	}
	if c.Log.Format != "json" && c.Log.Format != "text" {
		l.problem(l.where("log.format"), "log.format: %q is neither json nor text", c.Log.Format)
	}
}

func (l *loader) checkServer(c ServerConfig) {
	if _, port, err := net.SplitHostPort(c.Address); err != nil || port == "" {
		l.problem(l.where("server.address"), "server.address: %q is not an address to listen on; write host:port, or :port for all interfaces", c.Address)
	}
}

// checkPages takes all that sign-in needs, or nothing.
func (l *loader) checkPages(c *Config) {
	if public := c.Server.PublicURL; public != "" && l.checkURL("server.public_url", public) {
		if u, err := url.Parse(public); err == nil && strings.Trim(u.Path, "/") != "" {
			l.problem(l.where("server.public_url"), "server.public_url: remove the path %s; promobot answers at a host's root", u.Path)
		}
	}
	id, secret := c.Pages.ClientID, c.Pages.ClientSecret.Reveal()
	switch {
	case (id == "") != (secret == ""):
		l.problem(l.where("pages.client_id"), "pages.client_id and pages.client_secret go together; both stand on the App's settings page, the secret only when it is made")
	case id == "":
	case c.Server.PublicURL == "":
		l.problem(l.where("pages.client_id"), "server.public_url is missing; without it nobody can come back from signing in")
	case !clientIDs.MatchString(id):
		l.problem(l.where("pages.client_id"), "pages.client_id: %q is no client ID, which has letters, digits and dots alone, such as Iv23liABCDEFGHIJKLMN", id)
	case strings.TrimSpace(secret) != secret:
		l.problem(l.where("pages.client_secret"), "pages.client_secret begins or ends with a blank, which is surely not meant")
	}
}

// clientIDs are those of Apps, Iv1.… and Iv23li….
var clientIDs = regexp.MustCompile(`^[A-Za-z0-9.]{1,100}$`)

func (l *loader) checkGitHub(c *GitHubConfig) {
	if l.checkURL("github.api_url", c.APIURL) && !strings.HasSuffix(c.APIURL, "/") {
		c.APIURL += "/" // relative references are resolved against it
	}
	switch {
	case c.WebURL != "":
		l.checkURL("github.web_url", c.WebURL)
	case derivedWebURL(c.APIURL) == "":
		l.problem(l.where("github.api_url"), "github.web_url is missing, and cannot be told from github.api_url; set it to where people see this GitHub")
	}
	switch {
	case l.said["github.app_id"] == "":
		l.problem(l.where("github.app_id"), "github.app_id is missing; it stands on the App's settings page, under About")
	case c.AppID <= 0:
		l.problem(l.where("github.app_id"), "github.app_id: %d is not an App's id, which is a number above 0", c.AppID)
	}
	if c.PrivateKey.IsZero() {
		l.problem(l.where("github.private_key"), "github.private_key is missing; make one on the App's settings page, and name its file as github.private_key_file")
	}
	l.checkKey("github.private_key", &c.PrivateKey)
	l.checkKey("github.previous_private_key", &c.PreviousPrivateKey)
	switch secret := c.WebhookSecret.Reveal(); {
	case secret == "":
		l.problem(l.where("github.webhook_secret"), "github.webhook_secret is missing; make one with \"openssl rand -hex 32\" and write it on the App's settings page too")
	case strings.TrimSpace(secret) != secret:
		l.problem(l.where("github.webhook_secret"), "github.webhook_secret begins or ends with a blank, which is surely not meant")
	}
}

// checkKey takes an RSA key in PEM form, or none.
func (l *loader) checkKey(name string, s *Secret) {
	if s.IsZero() {
		return
	}
	// Whoever gives the key in a variable often has its line ends written out.
	if key := s.Reveal(); !strings.Contains(strings.TrimSpace(key), "\n") {
		*s = Secret{strings.ReplaceAll(key, `\n`, "\n")}
	}
	// The parser's own words could hold parts of the key.
	if _, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(s.Reveal())); err != nil {
		l.problem(l.where(name), "%s is not an RSA key in PEM form; use the .pem file as GitHub gave it", name)
	}
}

// checkURL takes https, and http only to this machine: tokens travel there.
func (l *loader) checkURL(name, text string) bool {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		l.problem(l.where(name), "%s: not a URL such as https://github.example.com/", name)
	case u.User != nil:
		l.problem(l.where(name), "%s: a URL here must not hold a user or password", name)
	case u.RawQuery != "" || u.Fragment != "":
		l.problem(l.where(name), "%s: remove what is after ? or #", name)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		l.problem(l.where(name), "%s: use https; http is taken only for this machine itself", name)
	default:
		return true
	}
	return false
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (l *loader) between(name string, n, least, most int64) {
	if n < least || n > most {
		l.problem(l.where(name), "%s: %d is not between %d and %d", name, n, least, most)
	}
}

func (l *loader) lasting(name string, d, least, most time.Duration) {
	if d < least || d > most {
		l.problem(l.where(name), "%s: %v is not between %v and %v", name, d, least, most)
	}
}

// checkAuthor refuses what git would cut from a name or take for its end.
func (l *loader) checkAuthor(name, text string) {
	if strings.ContainsAny(text, "<>\n\r\x00") || strings.TrimSpace(text) != text {
		l.problem(l.where(name), "%s: a name in a commit has no <, > or line ends, and no blanks around it", name)
	}
}
