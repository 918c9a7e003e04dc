package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestNotifyTest: the command tries a receiver over real HTTP.
func TestNotifyTest(t *testing.T) {
	for _, pair := range required() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	var told []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told = append(told, string(body))
		if r.URL.Path != "/verysecret" {
			http.Error(w, "no_service", http.StatusNotFound)
		}
	}))
	defer server.Close()
	file := writeFile(t, "config.yml", fmt.Sprintf(`
notifications:
  - {name: ops, kind: slack, url: %[1]s/verysecret, allow_private: true}
  - {name: gone, kind: slack, url: %[1]s/verysecret/gone, allow_private: true}
  - {name: inside, kind: webhook, url: https%[2]s/verysecret}
`, server.URL, strings.TrimPrefix(server.URL, "http")))
	for _, c := range []struct {
		name string
		code int
		want string
	}{
		{"ops", 0, "ops took it."},
		{"gone", exitWrong, `gone: the receiver did not take it: it answers 404: "no_service"`},
		{"inside", exitWrong, "inside: the receiver did not take it"},
		{"opps", exitUsage, `there is no receiver "opps"; did you mean ops?`},
	} {
		var out bytes.Buffer
		code := run(t.Context(), []string{"notify", "test", c.name, "--config", file}, &out, &out)
		if code != c.code || !strings.Contains(out.String(), c.want) || strings.Contains(out.String(), "verysecret") {
			t.Errorf("%s ends with %d: %s", c.name, code, out.String())
		}
	}
	if len(told) != 2 || !strings.Contains(told[0], "This is a test") {
		t.Errorf("told %q", told)
	}
}
