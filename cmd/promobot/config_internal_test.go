package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"go.yaml.in/yaml/v3"
)

// testKey is an App's private key in PEM form.
var testKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
})

var compareSecrets = cmp.Comparer(func(a, b Secret) bool {
	return strings.TrimSpace(a.Reveal()) == strings.TrimSpace(b.Reveal()) // a file's last line end is not its secret's
})

// required are the variables without which nothing is valid.
func required() []string {
	return []string{
		"PROMOBOT_GITHUB_APP_ID=7",
		"PROMOBOT_GITHUB_PRIVATE_KEY=" + testKey(),
		"PROMOBOT_GITHUB_WEBHOOK_SECRET=hush",
	}
}

func requiredConfig() Config {
	config := defaultConfig()
	config.GitHub.AppID = 7
	config.GitHub.PrivateKey = Secret{testKey()}
	config.GitHub.WebhookSecret = Secret{"hush"}
	return config
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const exampleFile = "../../config.example.yml"

// TestExampleSaysEverySettingWithItsDefault: the example is valid, its values are
// the defaults, and no setting is missing from it.
func TestExampleSaysEverySettingWithItsDefault(t *testing.T) {
	got, warnings, err := loadConfig(exampleFile, required()[1:])
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v %v", warnings, err)
	}
	want := requiredConfig()
	want.GitHub.AppID = 12345
	if diff := cmp.Diff(want, got, compareSecrets); diff != "" {
		t.Errorf("the example's values are not the defaults (-defaults +example):\n%s", diff)
	}

	content, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	// Settings that stand as comments are set in the same column as their group's.
	text := regexp.MustCompile(`(?m)^(\s*)# (\w+: *(\||…))`).ReplaceAllString(string(content), "$1$2")
	text = regexp.MustCompile(`(?m)^ *# .*\n`).ReplaceAllString(text, "")
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	said := map[string]bool{}
	collectKeys("", document.Content[0], said)
	for _, s := range settings(&got) {
		names := []string{s.name}
		if s.secret() {
			names = append(names, s.name+fileSuffix)
		}
		for _, name := range names {
			if !said[name] {
				t.Errorf("%s is not in config.example.yml", name)
			}
		}
	}
}

func collectKeys(prefix string, n *yaml.Node, into map[string]bool) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := join(prefix, n.Content[i].Value)
		into[name] = true
		if n.Content[i+1].Kind == yaml.MappingNode {
			collectKeys(name, n.Content[i+1], into)
		}
	}
}

func TestLoadConfig(t *testing.T) {
	keyFile := writeFile(t, "key.pem", testKey())
	cases := []struct {
		name    string
		file    string // "": none
		environ []string
		want    func(*Config)
	}{
		{"the environment alone", "", required(), func(*Config) {}},
		{"an empty file", "# nothing\n", required(), func(*Config) {}},
		{"headings without settings", "server:\ngithub:\n  api_url:\nworkers:\n", required(), func(*Config) {}},
		{
			"a file", "workers: 9\nsweep_interval: 1h30m\nserver: {address: '127.0.0.1:0'}\ngithub:\n  app_id: 7\n  webhook_secret: hush\n  private_key_file: " + keyFile + "\n", nil,
			func(c *Config) {
				c.Workers, c.SweepInterval, c.Server.Address = 9, 90*time.Minute, "127.0.0.1:0"
			},
		},
		{
			"the environment wins", "workers: 9\ngithub: {app_id: 8}\n", append(required(), "PROMOBOT_WORKERS=3", "PROMOBOT_GIT_CLONE_TIMEOUT=2h"),
			func(c *Config) { c.Workers, c.Git.CloneTimeout = 3, 2*time.Hour },
		},
		{
			"a secret's variable wins over the secret's file", "github: {webhook_secret_file: /nowhere}", required(),
			func(*Config) {},
		},
		{
			"a secret's file in a variable wins over the secret", "github: {webhook_secret: other}",
			append(required()[:2:2], "PROMOBOT_GITHUB_WEBHOOK_SECRET_FILE="+writeFile(t, "secret", "hush\r\n")),
			func(*Config) {},
		},
		{
			"a key with its line ends written out", "",
			[]string{
				required()[0], required()[2],
				"PROMOBOT_GITHUB_PRIVATE_KEY=" + strings.ReplaceAll(testKey(), "\n", `\n`),
			},
			func(*Config) {},
		},
		{
			"pacing turned off", "limits: {writes_per_minute: 0, pushes_per_minute: 0}\nqueue: {debounce: 0s}", required(),
			func(c *Config) { c.Limits, c.Queue.Debounce = LimitsConfig{}, 0 },
		},
		{
			"room on the disk, and patience", "git: {max_disk: 512 MiB}\npush: {attempts: 3, backoff: 0s, max_backoff: 1m}", append(required(), "PROMOBOT_PUSH_BACKOFF=1s"),
			func(c *Config) {
				c.Git.MaxDisk, c.Push = 512<<20, PushConfig{Attempts: 3, Backoff: time.Second, MaxBackoff: time.Minute}
			},
		},
		{
			"no bound on the disk", "", append(required(), "PROMOBOT_GIT_MAX_DISK=0"),
			func(c *Config) { c.Git.MaxDisk = 0 },
		},
		{
			"an API's address without its last slash", "github: {api_url: 'https://github.acme.example/api/v3'}", required(),
			func(c *Config) { c.GitHub.APIURL = "https://github.acme.example/api/v3/" },
		},
		{
			"plain http to this machine", "github: {api_url: 'http://127.0.0.1:4000/api/v3/'}", required(),
			func(c *Config) { c.GitHub.APIURL = "http://127.0.0.1:4000/api/v3/" },
		},
		{
			"pages", "server: {public_url: 'https://promobot.acme.example/'}\npages: {client_id: Iv23liABC}", append(required(), "PROMOBOT_PAGES_CLIENT_SECRET=s3cret"),
			func(c *Config) {
				c.Server.PublicURL, c.Pages = "https://promobot.acme.example/", PagesConfig{"Iv23liABC", Secret{"s3cret"}}
			},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := ""
			if c.file != "" {
				path = writeFile(t, "config.yml", c.file)
			}
			got, warnings, err := loadConfig(path, c.environ)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("%v %v", warnings, err)
			}
			want := requiredConfig()
			c.want(&want)
			if diff := cmp.Diff(want, got, compareSecrets); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadConfigRefuses(t *testing.T) {
	cases := []struct {
		name    string
		file    string
		environ []string // added to what is required
		says    []string
	}{
		{"an unknown key", "server:\n  adress: :80\n", nil, []string{"config.yml:2:3: there is no setting server.adress; did you mean address?"}},
		{"an unknown key far from all", "git: {zzzzzzzz: 1}\n", nil, []string{"config.yml:1:7: there is no setting git.zzzzzzzz; known here: path, processes, timeout"}},
		{"a setting in the wrong place", "address: :80\n", nil, []string{"there is no setting address"}},
		{"a key said twice", "workers: 1\nworkers: 2\n", nil, []string{"config.yml:2:1: workers was already said at", "config.yml:1:1; remove one of them"}},
		{"a group said twice", "git:\n  path: git\ngit:\n  processes: 1\n", nil, []string{":3:1: git was already said at"}},
		{"a list for a value", "workers: [1]\n", nil, []string{":1:10: workers has to be a single value"}},
		{"a value for a group", "server: :80\n", nil, []string{":1:9: server has to be a mapping of settings"}},
		{"a list for the file", "- workers\n", nil, []string{":1:1: the file has to be a mapping"}},
		{"two documents", "workers: 1\n---\nworkers: 2\n", nil, []string{"more than one document"}},
		{"no YAML", "workers: [\n", nil, []string{"config.yml: line 1: did not find"}},
		{"an alias", "data_dir: &a x\nlog: {level: *a}\n", nil, []string{":2:14: log.level has to be a single value"}},
		{"a merge", "x: &x {level: info}\nlog: {<<: *x}\n", nil, []string{"there is no setting log.<<"}},
		{"words for a number", "workers: many\n", nil, []string{`:1:10: workers: "many" is not a whole number`}},
		{"a duration without unit", "sweep_interval: 5\n", nil, []string{`:1:17: sweep_interval: "5" is not a duration; write a number with its unit, such as 90s`}},
		{"several problems at once", "workers: many\nsrever: {}\n", nil, []string{":1:10: workers", ":2:1: there is no setting srever; did you mean server?"}},
		{"a file too long", "# " + strings.Repeat("x", maxConfigFile), nil, []string{"longer than"}},

		{"a size without unit", "git: {max_disk: 10}\n", nil, []string{`:1:17: git.max_disk: "10" is not a size; write a whole number with its unit, such as 500MB or 10GB`}},
		{"a size below zero", "git: {max_disk: -1GB}\n", nil, []string{"is not a size"}},
		{"half a size", "git: {max_disk: 1.5GB}\n", nil, []string{"is not a size"}},
		{"a size beyond all disks", "git: {max_disk: 99999999999TB}\n", nil, []string{"is not a size"}},
		{"a size of another kind", "git: {max_disk: 5m}\n", nil, []string{"is not a size"}},
		{"room for nothing", "git: {max_disk: 1MB}\n", nil, []string{"git.max_disk: 1MB is less than 100MB"}},
		{"no attempt", "push: {attempts: 0}\n", nil, []string{"push.attempts: 0 is not between 1 and 100"}},
		{"a longest wait below the first", "push: {backoff: 20s}\n", nil, []string{"push.max_backoff: 10s is not between 20s and 10m0s"}},
		{"too few workers", "workers: 0\n", nil, []string{"config.yml:1:1: workers: 0 is not between 1 and 256"}},
		{"too many sweeps", "sweep_interval: 1s\n", nil, []string{"sweep_interval: 1s is not between 10s and 24h0m0s"}},
		{"in a variable", "", []string{"PROMOBOT_WORKERS=0"}, []string{"PROMOBOT_WORKERS: workers: 0 is not between"}},
		{"a variable without a number", "", []string{"PROMOBOT_GITHUB_APP_ID=promobot"}, []string{`PROMOBOT_GITHUB_APP_ID: github.app_id: "promobot" is not a whole number`}},
		{"an address without port", "server: {address: localhost}\n", nil, []string{"server.address", "write host:port, or :port"}},
		{"a level", "log: {level: loud}\n", nil, []string{`"loud" is none of trace, debug, info, warn, error`}},
		{"a format", "log: {format: xml}\n", nil, []string{`"xml" is neither json nor text`}},
		{"half an author", "git: {author_name: Bot}\n", nil, []string{"set both or neither"}},
		{"an author that breaks a commit", "git: {author_name: \"Bot <x>\", author_email: a@b}\n", nil, []string{"git.author_name: a name in a commit has no <"}},
		{"an address that is no URL", "github: {api_url: api.github.com}\n", nil, []string{"github.api_url: not a URL"}},
		{"plain http", "github: {api_url: 'http://github.acme.example/api/v3'}\n", nil, []string{"use https"}},
		{"a password in a URL", "github: {web_url: 'https://me:hunter2@acme.example/'}\n", nil, []string{"must not hold a user or password"}},
		{"a server whose pages cannot be guessed", "github: {api_url: 'https://acme.example/gh/'}\n", nil, []string{"github.web_url is missing"}},

		{"sign-in by half", "pages: {client_id: Iv1.abc}\n", nil, []string{"config.yml:1:9: pages.client_id and pages.client_secret go together"}},
		{"sign-in from nowhere", "pages: {client_id: Iv1.abc, client_secret: hunter2}\n", nil, []string{"server.public_url is missing; without it nobody can come back"}},
		{"a client id that is none", "server: {public_url: 'https://p.example'}\npages: {client_id: 'a/../b', client_secret: hunter2}\n", nil, []string{`"a/../b" is no client ID`}},
		{"a client secret with a blank", "server: {public_url: 'https://p.example'}\npages: {client_id: Iv1.abc, client_secret: ' hunter2'}\n", nil, []string{"pages.client_secret begins or ends with a blank"}},
		{"pages below a path", "server: {public_url: 'https://p.example/promobot'}\n", nil, []string{"server.public_url: remove the path /promobot"}},
		{"pages by plain http", "server: {public_url: 'http://p.example'}\n", nil, []string{"server.public_url: use https"}},

		{"an App's id that is none", "", []string{"PROMOBOT_GITHUB_APP_ID=-1"}, []string{"which is a number above 0"}},
		{"a key that is none", "", []string{"PROMOBOT_GITHUB_PRIVATE_KEY=hunter2"}, []string{"github.private_key is not an RSA key in PEM form"}},
		{"a secret with a blank", "", []string{"PROMOBOT_GITHUB_WEBHOOK_SECRET=hunter2 "}, []string{"begins or ends with a blank"}},
		{"a secret twice in the file", "", []string{"PROMOBOT_GITHUB_WEBHOOK_SECRET_FILE=/x"}, []string{"are both given; remove one"}},
		{"a secret's file that is not there", "", []string{"PROMOBOT_GITHUB_PRIVATE_KEY_FILE=/nowhere/key.pem", "-PROMOBOT_GITHUB_PRIVATE_KEY"}, []string{"PROMOBOT_GITHUB_PRIVATE_KEY_FILE: github.private_key_file: open /nowhere/key.pem"}},
		{"a secret's file that is empty", "", []string{"PROMOBOT_GITHUB_WEBHOOK_SECRET_FILE=/dev/null", "-PROMOBOT_GITHUB_WEBHOOK_SECRET"}, []string{"/dev/null is empty"}},
		{"nothing that is required", "", []string{"-PROMOBOT_GITHUB_APP_ID", "-PROMOBOT_GITHUB_PRIVATE_KEY", "-PROMOBOT_GITHUB_WEBHOOK_SECRET"}, []string{
			"github.app_id is missing; it stands on", "github.private_key is missing; make one", "github.webhook_secret is missing; make one with \"openssl rand -hex 32\"",
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := ""
			if c.file != "" {
				path = writeFile(t, "config.yml", c.file)
			}
			environ := required()
			for _, change := range c.environ {
				name, isRemoval := strings.CutPrefix(change, "-")
				if !isRemoval {
					environ = append(environ, change)
					continue
				}
				kept := environ[:0]
				for _, entry := range environ {
					if !strings.HasPrefix(entry, name+"=") {
						kept = append(kept, entry)
					}
				}
				environ = kept
			}
			_, _, err := loadConfig(path, environ)
			if err == nil {
				t.Fatal("taken")
			}
			for _, say := range c.says {
				if !strings.Contains(err.Error(), say) {
					t.Errorf("the error does not say %q:\n%v", say, err)
				}
			}
			for _, secret := range []string{"hunter2", "hush", testKey()[100:140]} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows a secret:\n%v", err)
				}
			}
		})
	}
}

func TestLoadConfigWithoutItsFile(t *testing.T) {
	_, _, err := loadConfig("/nowhere/config.yml", required())
	if err == nil || !strings.Contains(err.Error(), "the configuration cannot be read: open /nowhere/config.yml") {
		t.Fatalf("got %v", err)
	}
}

func TestLoadConfigWarnsOfVariablesThatAreNone(t *testing.T) {
	_, warnings, err := loadConfig("", append(required(), "PROMOBOT_WORKER=3", "PROMOBOT_PORT_8080_TCP=tcp://10.0.0.1:8080", "HOME=/root"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"PROMOBOT_PORT_8080_TCP is not a setting of promobot",
		"PROMOBOT_WORKER is not a setting of promobot; did you mean PROMOBOT_WORKERS?",
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestAddressesOfGitHub(t *testing.T) {
	cases := []struct{ name, api, web string }{
		{"github.com", "https://api.github.com/", "https://github.com/"},
		{"with data residency", "https://api.acme.ghe.com/", "https://acme.ghe.com/"},
		{"an enterprise's server", "https://git.acme.example:8443/api/v3/", "https://git.acme.example:8443/"},
		{"something else", "https://acme.example/gh/", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := (GitHubConfig{APIURL: c.api}).webURL(); got != c.web {
				t.Errorf("people see it at %q, want %q", got, c.web)
			}
		})
	}
}

func TestSizesAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]Bytes{
		"10GB": 10e9, "10gb": 10e9, "1 GiB": 1 << 30, "500MB": 500e6, "3TB": 3e12, "2TiB": 2 << 40, "7KB": 7e3, "1KiB": 1 << 10, "9B": 9, "0": 0,
	} {
		got, err := parseBytes(text)
		if err != nil || got != want {
			t.Errorf("%s is %d, %v; want %d", text, got, err, want)
		}
		if again, err := parseBytes(got.String()); err != nil || again != want {
			t.Errorf("%s is written as %s, and read as %d, %v", text, got, again, err)
		}
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	config := defaultConfig()
	config.GitHub.WebhookSecret = Secret{"hunter2"}
	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&shown, verb+"\n", config)
		fmt.Fprintf(&shown, verb+"\n", &config)
		fmt.Fprintf(&shown, verb+"\n", config.GitHub.WebhookSecret)
		fmt.Fprintf(&shown, verb+"\n", []Secret{config.GitHub.WebhookSecret})
	}
	if err := json.NewEncoder(&shown).Encode(config); err != nil {
		t.Fatal(err)
	}
	if err := yaml.NewEncoder(&shown).Encode(map[string]any{"secret": config.GitHub.WebhookSecret}); err != nil {
		t.Fatal(err)
	}
	log := zerolog.New(&shown)
	log.Info().Interface("config", config).Interface("secret", config.GitHub.WebhookSecret).
		Stringer("again", config.GitHub.WebhookSecret).Any("pointer", &config.GitHub.WebhookSecret).Send()
	for _, secret := range []string{"hunter2", "68756e74657232"} {
		if strings.Contains(shown.String(), secret) {
			t.Errorf("the secret shows:\n%s", shown.String())
		}
	}
	if !strings.Contains(shown.String(), "(redacted)") || config.GitHub.PrivateKey.String() != "(none)" {
		t.Errorf("it does not show whether there is a secret:\n%s", shown.String())
	}
}
