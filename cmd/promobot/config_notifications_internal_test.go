package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNotificationsAreRead(t *testing.T) {
	t.Parallel()
	url := writeFile(t, "url", "https://hooks.example.com/services/verysecret\n")
	file := writeFile(t, "config.yml", fmt.Sprintf(`
notifications:
  - {name: ops, kind: slack, url_file: %s}
  - name: hook
    kind: webhook
    url: http://10.0.0.1/hook
    secret: hush
    on: [landed, failed]
    environments: prod-*
    repositories: [acme/*, other/gitops]
    template: |
      {{.Title}}
    allow_private: true
`, url))
	got, warnings, err := loadConfig(file, required())
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	want := []NotificationConfig{
		{Name: "ops", Kind: "slack", URL: Secret{"https://hooks.example.com/services/verysecret"}},
		{
			Name: "hook", Kind: "webhook", URL: Secret{"http://10.0.0.1/hook"}, Secret: Secret{"hush"}, On: []string{"landed", "failed"},
			Environments: []string{"prod-*"}, Repositories: []string{"acme/*", "other/gitops"}, Template: "{{.Title}}\n", AllowPrivate: true,
		},
	}
	if diff := cmp.Diff(want, got.Notifications, compareSecrets); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text := fmt.Sprintf("%+v %#v", got, got.Notifications); strings.Contains(text, "verysecret") {
		t.Errorf("the URL shows: %s", text)
	}
}

func TestNotificationsThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	const ops = "notifications:\n  - name: ops\n    kind: slack\n    url: https://hooks.example.com/verysecret\n"
	cases := []struct {
		name, file string
		want       []string
	}{
		{"no list", "notifications: {name: ops}\n", []string{"config.yml:1:16: notifications has to be a list"}},
		{"no mapping", "notifications: [ops]\n", []string{"config.yml:1:17: notifications[0] has to be a mapping"}},
		{"an unknown key", ops + "    urls: x\n", []string{"config.yml:5:5: there is no setting notifications[0].urls; did you mean url?"}},
		{"twice the same key", ops + "    name: x\n", []string{"config.yml:5:5: notifications[0].name was already said at", "config.yml:2:5"}},
		{"twice the same name", ops + strings.TrimPrefix(ops, "notifications:\n"), []string{`config.yml:5:5: notifications: "ops" was already said at`, "config.yml:2:5"}},
		{"nothing at all", "notifications:\n  - {}\n", []string{"config.yml:2:5: notifications[0].name:", "notifications[0].kind:", "notifications[0].url: it is missing"}},
		{"a URL that is none", strings.ReplaceAll(ops, "https://", ""), []string{"config.yml:4:5: notifications[0].url: it is not a URL"}},
		{"both URLs", ops + "    url_file: /nowhere\n", []string{"notifications[0].url_file: open /nowhere", "are both given"}},
		{"a kind of event", ops + "    on: [exploded]\n", []string{`config.yml:5:5: notifications[0].on: "exploded" is none of`}},
		{"a list in a list", ops + "    on: [[failed]]\n", []string{"config.yml:5:9: notifications[0].on has to be a list of words"}},
		{"neither true nor false", ops + "    allow_private: yes\n", []string{"config.yml:5:20: notifications[0].allow_private is neither true nor false"}},
		{"a template in one line", ops + "    template: \"{{.Titel}}\"\n", []string{"config.yml:5: notifications[0].template: there is no field .Titel"}},
		{"a template in a block", ops + "    template: |\n      {{.Title}}\n      {{if}}\n", []string{"config.yml:7: notifications[0].template: missing value for if"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := loadConfig(writeFile(t, "config.yml", c.file), required())
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "verysecret") {
					t.Errorf("%v\nlacks %s", err, want)
				}
			}
		})
	}
}
