package main

// The server's configuration: one YAML file, overridden by environment variables.
// The struct below is the whole of it; reading, checking, the example file's test
// and the messages all follow its tags.
//
// Rules: what is not known is refused, with its line and what was meant; every
// message names the setting and how to mend it; a secret never shows in any.

import (
	"net/url"
	"strings"
	"time"
)

// Config is the server's configuration. A setting's name is its keys joined by
// dots (server.address); its environment variable that in capitals with
// PROMOBOT_ before and underscores between (PROMOBOT_SERVER_ADDRESS). A Secret
// can also be given by the name of a file that holds it: key_file, or …_FILE.
type Config struct {
	Server        ServerConfig  `key:"server"`
	GitHub        GitHubConfig  `key:"github"`
	DataDir       string        `key:"data_dir"`       // the queue's file and the git mirrors
	Workers       int           `key:"workers"`        // repositories worked on at once
	SweepInterval time.Duration `key:"sweep_interval"` // between looks at every repository
	StopGrace     time.Duration `key:"stop_grace"`     // for running work, when told to stop
	Onboarding    string        `key:"onboarding"`     // off or pull_request
	Queue         QueueConfig   `key:"queue"`
	Git           GitConfig     `key:"git"`
	Push          PushConfig    `key:"push"`
	Limits        LimitsConfig  `key:"limits"`
	Pages         PagesConfig   `key:"pages"`
	Log           LogConfig     `key:"log"`

	Notifications []NotificationConfig // a list, read by readNotifications
}

// ServerConfig is where the program listens.
type ServerConfig struct {
	Address   string `key:"address"`    // host:port to listen on
	PublicURL string `key:"public_url"` // where people reach it, without a path; "": nowhere
}

// GitHubConfig is which GitHub, and which App there.
type GitHubConfig struct {
	APIURL     string `key:"api_url"` // REST, version 3
	WebURL     string `key:"web_url"` // "" is derived from APIURL
	AppID      int64  `key:"app_id"`
	PrivateKey Secret `key:"private_key"` // PEM
	// PreviousPrivateKey still counts for what was signed with it.
	PreviousPrivateKey Secret `key:"previous_private_key"`
	WebhookSecret      Secret `key:"webhook_secret"`
}

// QueueConfig tunes the queue.
type QueueConfig struct {
	Debounce time.Duration `key:"debounce"` // from the first event of a swarm to the look
}

// GitConfig is how git is run and who it says made a commit.
type GitConfig struct {
	Path         string        `key:"path"`
	Processes    int           `key:"processes"`
	Timeout      time.Duration `key:"timeout"`
	CloneTimeout time.Duration `key:"clone_timeout"`
	MaxDisk      Bytes         `key:"max_disk"`     // of all mirrors; 0: no bound
	AuthorName   string        `key:"author_name"`  // "": the App's bot user
	AuthorEmail  string        `key:"author_email"` // "": the App's bot user's
}

// PushConfig is what happens to a push that meets a branch which has moved.
type PushConfig struct {
	Attempts   int           `key:"attempts"` // in a row
	Backoff    time.Duration `key:"backoff"`  // at most, before the second; it doubles
	MaxBackoff time.Duration `key:"max_backoff"`
}

// LimitsConfig paces writes; 0 does not pace.
type LimitsConfig struct {
	WritesPerMinute int `key:"writes_per_minute"` // API requests that create content, per installation
	PushesPerMinute int `key:"pushes_per_minute"` // git pushes, per repository
}

// PagesConfig is the App's sign-in, without which nobody is shown anything.
type PagesConfig struct {
	ClientID     string `key:"client_id"`
	ClientSecret Secret `key:"client_secret"`
}

// on says whether there are pages.
func (c PagesConfig) on() bool { return c.ClientID != "" }

// LogConfig is what the log holds.
type LogConfig struct {
	Level  string `key:"level"`
	Format string `key:"format"`
}

// defaultConfig is what counts where nothing is said.
func defaultConfig() Config {
	return Config{
		Server:        ServerConfig{Address: ":8080"},
		GitHub:        GitHubConfig{APIURL: "https://api.github.com/"},
		DataDir:       "data",
		Workers:       4,
		SweepInterval: 5 * time.Minute,
		StopGrace:     20 * time.Second,
		Onboarding:    onboardOff,
		Queue:         QueueConfig{Debounce: time.Second},
		Git:           GitConfig{Path: "git", Processes: 8, Timeout: 5 * time.Minute, CloneTimeout: 30 * time.Minute, MaxDisk: 10e9},
		Push:          PushConfig{Attempts: 10, Backoff: 200 * time.Millisecond, MaxBackoff: 10 * time.Second},
		// GitHub's own limits (docs: "Rate limits for the REST API", secondary
		// limits; "Repository limits").
		Limits: LimitsConfig{WritesPerMinute: 80, PushesPerMinute: 6},
		Log:    LogConfig{Level: "info", Format: "json"},
	}
}

// webURL is where people see what the API is about.
func (c GitHubConfig) webURL() string {
	if c.WebURL != "" {
		return c.WebURL
	}
	return derivedWebURL(c.APIURL)
}

// derivedWebURL knows github.com, GitHub Enterprise Cloud with data residency
// (api.NAME.ghe.com) and GitHub Enterprise Server (HOST/api/v3); "" for others.
func derivedWebURL(api string) string {
	u, err := url.Parse(api)
	if err != nil {
		return ""
	}
	path := strings.TrimSuffix(u.Path, "/")
	host, isAPIHost := strings.CutPrefix(u.Host, "api.")
	switch {
	case isAPIHost && path == "":
		return u.Scheme + "://" + host + "/"
	case path == "/api/v3":
		return u.Scheme + "://" + u.Host + "/"
	}
	return ""
}
