package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/handlers"
)

const (
	pushPayload    = `{"ref":"refs/heads/main","installation":{"id":3},"repository":{"id":7,"full_name":"acme/gitops"}}`
	commentPayload = `{"action":"created","installation":{"id":3},"repository":{"id":7,"full_name":"acme/gitops"},"issue":{"number":9},"comment":{"id":11,"body":"/promobot hold prod","user":{"login":"ana","type":"User"}},"sender":{"login":"ana","type":"User"}}`
	guid           = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
)

// recordedAs are the ways to record one delivery.
func recordedAs(event, payload string) map[string]string {
	quoted, _ := json.Marshal(payload)
	return map[string]string{
		"1-github.json":  `{"id":12,"guid":"` + guid + `","event":"` + event + `","action":null,"request":{"headers":{"X-GitHub-Event":"` + event + `","X-GitHub-Delivery":"` + guid + `"},"payload":` + payload + `},"response":{"payload":"ok"}}`,
		"2-headers.json": `{"headers":{"x-github-event":"` + event + `","x-github-delivery":"` + guid + `"},"payload":` + payload + `}`,
		"3-text.json":    `{"headers":{"x-github-event":"` + event + `","x-github-delivery":"` + guid + `"},"body":` + string(quoted) + `}`,
		"4-proxy.json":   `{"x-github-event":"` + event + `","x-github-delivery":"` + guid + `","timestamp":1,"query":{},"body":` + payload + `}`,
		"5-bytes.json":   `{"x-github-event":"` + event + `","x-github-delivery":"` + guid + `","bodyB":"` + base64.StdEncoding.EncodeToString([]byte(payload)) + `"}`,
	}
}

func recordedIn(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deliveries [1]")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEventsOffline(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name           string
		event, payload string
		want           string // of each line, after the file's name
	}{
		{"a push", "push", pushPayload, "push " + guid + ": 200 1 to be looked at\n  look at acme/gitops (installation 3)\n"},
		{"a command", "issue_comment", commentPayload, "issue_comment " + guid + `: 200 kept until it is dealt with` + "\n" + `  keep the issue_comment comment-11 for acme/gitops: {"comment":11}` + "\n"},
		{"an event of no use", "fork", pushPayload, "fork " + guid + ": 202 ignored: promobot has no use for this event\n"},
		{"an installation", "installation", `{"action":"suspend","installation":{"id":3}}`, "installation " + guid + ": 202 ignored:"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := recordedAs(c.event, c.payload)
			dir := recordedIn(t, files)
			var out, wrong bytes.Buffer
			if code := run(t.Context(), []string{"events", dir}, &out, &wrong); code != 0 {
				t.Fatalf("exit %d: %s", code, wrong.String())
			}
			for name := range files {
				if !strings.Contains(out.String(), filepath.Join(dir, name)+": "+c.want) {
					t.Errorf("%s is not %q in\n%s", name, c.want, out.String())
				}
			}
		})
	}
}

func TestEventsThatAreNone(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, text string
		args       []string
		code       int
		want       string
	}{
		{"a payload alone", pushPayload, nil, exitUnreadable, "say which event it is by --event"},
		{"a payload with its event", pushPayload, []string{"--event", "push"}, 0, "push: 200 1 to be looked at"},
		{"no JSON", "{", nil, exitUnreadable, "not a JSON object"},
		{"no object", "[]", nil, exitUnreadable, "not a JSON object"},
		{"no payload", `{"headers":{"x-github-event":"push"}}`, nil, exitUnreadable, "has no payload"},
		{"no event", `{"headers":{},"payload":{}}`, nil, exitUnreadable, "does not say which event it is"},
		{"bytes that are none", `{"x-github-event":"push","bodyB":"?"}`, nil, exitUnreadable, "bodyB is not base64"},
		{"a payload that GitHub does not send", `{"headers":{"x-github-event":"push"},"payload":{"installation":{"id":3}}}`, nil, exitWrong, "push: 400 The body is not what this event has"},
		{"hostile headers", `{"headers":{"x-github-event":"\u001b[31mpush"},"payload":{}}`, nil, 0, `: `},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := writeFile(t, "one.json", c.text)
			var out bytes.Buffer
			code := run(t.Context(), append([]string{"events", file}, c.args...), &out, &out)
			if code != c.code || !strings.Contains(out.String(), c.want) || strings.Contains(out.String(), "\x1b") {
				t.Errorf("exit %d: %s", code, out.String())
			}
		})
	}
	for name, path := range map[string]string{"nowhere": "/nowhere.json", "an empty folder": t.TempDir()} {
		var out bytes.Buffer
		if code := run(t.Context(), []string{"events", path}, &out, &out); code != exitUnreadable {
			t.Errorf("%s: exit %d: %s", name, code, out.String())
		}
	}
}

// TestEventsToARunningPromobot: what is sent is signed, and looked at.
func TestEventsToARunningPromobot(t *testing.T) {
	looked := make(chan handlers.Repository, 10)
	r := start(t, testConfig(t), &testApp{}, func(_ context.Context, at handlers.Repository) (time.Time, error) {
		looked <- at
		return time.Time{}, nil
	})
	defer r.stopWell()
	for _, pair := range required() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	dir := recordedIn(t, recordedAs("push", pushPayload))
	var out bytes.Buffer
	if code := run(t.Context(), []string{"events", dir, "--to", "http://" + r.Addr()}, &out, &out); code != 0 || strings.Count(out.String(), ": 200 1 to be looked at") != 5 {
		t.Fatalf("exit %d: %s", code, out.String())
	}
	if diff := cmp.Diff(handlers.Repository{InstallationID: 3, ID: 7, Owner: "acme", Name: "gitops"}, receive(t, looked)); diff != "" {
		t.Error(diff)
	}
	t.Setenv("PROMOBOT_GITHUB_WEBHOOK_SECRET", "another")
	out.Reset()
	if code := run(t.Context(), []string{"events", dir, "--to", "http://" + r.Addr()}, &out, &out); code != exitWrong || !strings.Contains(out.String(), "401 The signature does not match") {
		t.Errorf("exit %d: %s", code, out.String())
	}
}
