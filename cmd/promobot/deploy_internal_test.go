package main

// What is in deploy/ and in the packages fits the program.

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/promobot/promobot/handlers/notify"
)

// variable is a setting as a variable.
var variable = regexp.MustCompile(`\bPROMOBOT_[A-Z_]+\b`)

// TestDeployedSettings: what the unit and the manifest set are settings, and the
// configuration in the manifest is valid, also with what is commented out in it.
func TestDeployedSettings(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	var config Config
	for _, s := range settings(&config) {
		known[s.env()] = true
		if s.secret() {
			known[setting{name: s.name + fileSuffix}.env()] = true
		}
	}
	deployed := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", "deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		found := variable.FindAllString(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s sets nothing", name)
		}
		for _, v := range found {
			if !known[v] {
				t.Errorf("%s sets %s, which is no setting", name, v)
			}
		}
		return string(text)
	}
	deployed("promobot.service")
	decoder := yaml.NewDecoder(strings.NewReader(deployed("kubernetes.yaml")))
	for {
		var object struct {
			Kind string
			Data map[string]string
		}
		if err := decoder.Decode(&object); err != nil {
			t.Fatalf("no ConfigMap before %v", err)
		}
		if object.Kind != "ConfigMap" {
			continue
		}
		text := object.Data["config.yml"]
		for _, file := range []string{text, uncommented(t, text)} {
			if _, _, err := loadConfig(writeFile(t, "config.yml", file), required()[1:]); err != nil {
				t.Errorf("%v in\n%s", err, file)
			}
		}
		return
	}
}

// uncommented is a configuration with what is commented out in it, its files'
// folder being one of this test's.
func uncommented(t *testing.T, text string) string {
	t.Helper()
	text = regexp.MustCompile(`(?m)^# `).ReplaceAllString(text, "")
	return strings.ReplaceAll(text, "/secrets/slack-url", writeFile(t, "slack-url", "https://hooks.example.com/services/a"))
}

// TestExampleNotifications: the example's commented receiver is valid.
func TestExampleNotifications(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(text), "\nnotifications: []\n")
	if !found {
		t.Fatal("the example has no notifications")
	}
	list, _, _ = strings.Cut(list, "\n\n")
	list = regexp.MustCompile(`(?m)^#`).ReplaceAllString(list, "")
	list = regexp.MustCompile(`(?m)^(    )# (\w+: )`).ReplaceAllString(list, "$1$2")
	list = strings.ReplaceAll(list, "/etc/promobot/slack-url", writeFile(t, "url", "https://hooks.example.com/services/a"))
	list = strings.ReplaceAll(list, "/etc/promobot/hook-secret", writeFile(t, "secret", "hush"))
	config, _, err := loadConfig(writeFile(t, "config.yml", "notifications:\n"+list), required())
	if err != nil {
		t.Fatalf("%v in\n%s", err, list)
	}
	if n := config.Notifications; len(n) != 1 || n[0].Kind != string(notify.Slack) || !n[0].AllowPrivate || n[0].Template == "" || n[0].Secret.IsZero() {
		t.Errorf("%+v", n)
	}
}

// TestNotificationsPage: what the page has people write is taken.
func TestNotificationsPage(t *testing.T) {
	t.Parallel()
	const page = "docs/guides/notifications.md"
	dir := t.TempDir()
	for name, text := range map[string]string{"private-key.pem": testKey(), "webhook-secret": "hush", "slack-url": "https://hooks.example.com/services/a"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var config, template string
	for _, b := range pageBlocks(t, page) {
		switch {
		case b.file == "config.yml":
			config = regexp.MustCompile(`_file: (\S+)`).ReplaceAllString(b.text, "_file: "+dir+"/$1")
		case strings.HasPrefix(b.text, "template: "):
			template = b.text
		}
	}
	if config == "" || template == "" {
		t.Fatalf("%s shows no configuration, or no template", page)
	}
	with := config + "    " + strings.ReplaceAll(strings.TrimSpace(template), "\n", "\n    ") + "\n"
	for _, text := range []string{config, with} {
		if _, _, err := loadConfig(writeFile(t, "config.yml", text), nil); err != nil {
			t.Errorf("%s: %v in\n%s", page, err, text)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range notify.Kinds {
		if !strings.Contains(string(text), "`"+string(kind)+"`") {
			t.Errorf("%s does not name %s", page, kind)
		}
	}
}
