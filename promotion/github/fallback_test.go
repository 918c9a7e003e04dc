package github_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"
)

// fallbackToken answers requests for a token of .github, and gives others.
func (s *server) fallbackToken(h http.HandlerFunc) {
	s.on(tokenLine, func(w http.ResponseWriter, r *http.Request) {
		all := s.seen(tokenLine)
		if strings.Contains(all[len(all)-1].body, `"repositories":[".github"]`) {
			h(w, r)
			return
		}
		s.giveToken(w, r)
	})
}

func fallbackFile(text string) obj {
	return obj{"type": "file", "encoding": "base64", "size": len(text), "content": base64.StdEncoding.EncodeToString([]byte(text))}
}

func TestFallbackFile(t *testing.T) {
	const file = "GET /repos/acme/.github/contents/promobot.yml"
	remote := "remote: evil/config\npath: x.yml\n"
	tests := []struct {
		name         string
		repo, file   http.HandlerFunc
		token        http.HandlerFunc // nil: given
		fails        string
		text, source string
	}{
		{
			name: "there", repo: answer(200, repository("acme", ".github", 3)), file: answer(200, fallbackFile("version: 1\n")),
			fails: "none", text: "version: 1\n", source: "acme/.github@main:promobot.yml",
		},
		{
			name: "a reference is not followed", repo: answer(200, repository("acme", ".github", 3)), file: answer(200, fallbackFile(remote)),
			fails: "none", text: remote, source: "acme/.github@main:promobot.yml",
		},
		{name: "no file", repo: answer(200, repository("acme", ".github", 3)), file: answer(404, obj{"message": "Not Found"}), fails: "not found"},
		{name: "no repository", repo: answer(404, obj{"message": "Not Found"}), fails: "not found"},
		{
			name:  "out of reach",
			token: answer(422, obj{"message": "There is at least one repository that does not exist or is not accessible to the parent installation."}),
			fails: "not found",
		},
		{name: "repository not read", repo: answer(502, ""), fails: "no answer"},
		{name: "file not read", repo: answer(200, repository("acme", ".github", 3)), file: answer(502, ""), fails: "no answer"},
		{name: "file empty-handed", repo: answer(200, repository("acme", ".github", 3)), file: answer(200, ""), fails: "no answer"},
		{name: "forbidden", repo: answer(403, obj{"message": "Resource not accessible by integration"}), fails: "refused"},
		{name: "limited", repo: answer(403, obj{"message": "secondary rate limit"}), fails: "limited"},
		{name: "suspended", token: answer(403, obj{"message": "This installation has been suspended"}), fails: "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			if tt.token != nil {
				s.fallbackToken(tt.token)
			}
			if tt.repo != nil {
				s.on("GET /repos/acme/.github", tt.repo)
			}
			if tt.file != nil {
				s.on(file, tt.file)
			}
			text, source, err := s.repository().FallbackFile(t.Context())
			if kind(err) != tt.fails || string(text) != tt.text || source != tt.source {
				t.Errorf("%q from %q, %v; want %q from %q, %s", text, source, err, tt.text, tt.source, tt.fails)
			}
			silent(t, err)
		})
	}
}

// Hundreds of repositories without a file ask once, and again after a while.
func TestFallbackIsReadOnceForAll(t *testing.T) {
	s := newServer(t)
	s.on("GET /repos/acme/.github", answer(200, repository("acme", ".github", 3)))
	a := s.app()
	ask := func() {
		t.Helper()
		for id := range int64(20) {
			r := a.Repository(installationID, 100+id, "acme", "shop")
			if _, _, err := r.FallbackFile(t.Context()); kind(err) != "not found" {
				t.Fatalf("error %v, want not found", err)
			}
		}
	}
	ask()
	if got := s.lines(); len(got) != 2 {
		t.Errorf("requests %q, want one for the repository and one for the file", got)
	}
	s.on("GET /repos/acme/.github/contents/promobot.yml", answer(200, fallbackFile("version: 1\n")))
	ask()
	s.clock.advance(6 * time.Minute)
	text, _, err := a.Repository(installationID, repositoryID, "acme", "shop").FallbackFile(t.Context())
	if err != nil || string(text) != "version: 1\n" {
		t.Errorf("after a while: %q, %v; want the new file", text, err)
	}
	if n := len(s.seen(tokenLine)); n != 1 {
		t.Errorf("%d tokens were asked for, want 1", n)
	}
}
