package main

// What promobot setup writes: a folder with the configuration and the secrets,
// whole or not at all. It is made beside its place and renamed to it, and nothing
// that is there is overwritten.

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"

	"github.com/promobot/promobot/handlers/setup"
)

// draft is the folder before it is at its place.
type draft struct {
	place string // where it is to be, absolute
	at    string // where it is made; "" when it is at its place
}

// newDraft looks, before anything is made on GitHub, whether it can be written.
func newDraft(dir string) (*draft, error) {
	place, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	if _, err := os.Lstat(place); err == nil {
		return nil, fmt.Errorf("%s exists, and nothing is overwritten; name another folder with --dir, or move it away", place)
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	at, err := os.MkdirTemp(filepath.Dir(place), "."+filepath.Base(place)+"-")
	if err != nil {
		return nil, fmt.Errorf("--dir: nothing can be written beside it: %w", err)
	}
	return &draft{place: place, at: at}, nil
}

// discard removes what did not come to its place.
func (d *draft) discard() {
	if d.at != "" {
		_ = os.RemoveAll(d.at)
	}
}

// The files.
const (
	configName        = "config.yml"
	keyName           = "private-key.pem"
	webhookSecretName = "webhook-secret"
	clientSecretName  = "client-secret"
)

// save writes the folder and moves it to its place. Its errors say that what
// GitHub gave is still there to be saved.
func (d *draft) save(m setup.Made) (setup.Saved, error) {
	text, err := configText(d.place, m)
	if err != nil {
		return setup.Saved{}, err
	}
	files := []struct{ name, text string }{
		{configName, text}, {keyName, m.Key}, {webhookSecretName, m.WebhookSecret}, {clientSecretName, m.ClientSecret},
	}
	saved := setup.Saved{Dir: d.place}
	for _, f := range files {
		if f.text == "" {
			continue // an older server gives no client secret
		}
		if err := writeDurably(filepath.Join(d.at, f.name), f.text); err != nil {
			return setup.Saved{}, fmt.Errorf("the App is made, but its secrets cannot be written: %w. Mend that and try again, before this program ends: GitHub gives them once", err)
		}
		saved.Files = append(saved.Files, f.name)
	}
	if err := moveWhole(d.at, d.place); err != nil {
		return setup.Saved{}, fmt.Errorf("the App is made, but %w. Move what is there away and try again, before this program ends: GitHub gives the secrets once", err)
	}
	d.at = ""
	config := quoteForShell(filepath.Join(d.place, configName))
	saved.Next = []setup.Step{
		{Title: "Run it, where GitHub reaches it", Command: "promobot serve --config " + config},
		{Title: "Install the App on repositories", URL: m.InstallPage()},
		{Title: "See whether all is well", Command: "promobot doctor --config " + config},
	}
	return saved, nil
}

// moveWhole renames a folder to a place where nothing is. (Rename alone would
// replace an empty folder.)
func moveWhole(from, to string) error {
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s exists by now, and nothing is overwritten", to)
	}
	if err := os.Rename(from, to); err != nil {
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, os.ErrExist) {
			return fmt.Errorf("%s exists by now, and nothing is overwritten", to)
		}
		return fmt.Errorf("the folder cannot be moved to its place: %w", err)
	}
	parent, err := os.Open(filepath.Dir(to))
	if err != nil {
		return nil //nolint:nilerr // it is at its place; only a crash of the machine just now could undo that
	}
	_ = parent.Sync() // as above
	return parent.Close()
}

// writeDurably writes a file that only its owner reads; one that an attempt
// before has left is written anew.
func writeDurably(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}

// configText is the configuration, with what is not the default.
func configText(dir string, m setup.Made) (string, error) {
	ordered := func(pairs ...any) *yaml.Node {
		n := &yaml.Node{Kind: yaml.MappingNode}
		for pair := range slices.Chunk(pairs, 2) {
			var key, value yaml.Node
			key.SetString(pair[0].(string))
			switch v := pair[1].(type) {
			case *yaml.Node:
				value = *v
			case int64:
				value = yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatInt(v, 10), Tag: "!!int"}
			case string:
				value.SetString(v)
			}
			n.Content = append(n.Content, &key, &value)
		}
		return n
	}
	github := []any{"api_url", m.Place.API, "app_id", m.ID, "private_key_file", filepath.Join(dir, keyName), "webhook_secret_file", filepath.Join(dir, webhookSecretName)}
	if derivedWebURL(m.Place.API) != m.Place.Web {
		github = append(github, "web_url", m.Place.Web)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# promobot's configuration for the GitHub App %s, as promobot setup has written it.\n", printable(strings.TrimSpace(m.Name)))
	out.WriteString("# config.example.yml explains every setting; what is not said here has its default.\n\n")
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	all := []any{
		"server", ordered("address", defaultConfig().Server.Address, "public_url", m.Public),
		"github", ordered(github...),
		"data_dir", filepath.Join(dir, "data"),
	}
	if m.ClientID != "" && m.ClientSecret != "" {
		all = append(all, "pages", ordered("client_id", m.ClientID, "client_secret_file", filepath.Join(dir, clientSecretName)))
	}
	err := encoder.Encode(ordered(all...))
	return out.String(), errors.Join(err, encoder.Close())
}

// quoteForShell is a path as a shell takes it.
func quoteForShell(s string) string {
	plain := strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@", r)
	}) < 0
	if plain && s != "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
