package main

// What stands where, and what changed, asked of the real program over HTTP as the
// right person, as the wrong one and as nobody; and read from a clone's ledgers.

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tokenFile is a person's own token, in a file.
func (s *scene) tokenFile(login string) string {
	s.t.Helper()
	token, err := s.sim.UserToken(login)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.secretFile(token)
}

func (s *scene) secretFile(text string) string {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

func TestStatusAndChangesOfARunningProgram(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(shopPropose, "dev", "prod")})
	if err := s.sim.CreateUser("eve"); err != nil {
		t.Fatal(err)
	}
	server := s.withPages()
	s.start()
	s.settle()
	number := s.proposed(s.release("2.0.0")).Number
	s.settle()
	ana, eve := s.tokenFile("ana"), s.tokenFile("eve")
	tell := func(token string, args ...string) (int, string) {
		t.Helper()
		var out bytes.Buffer
		code := run(t.Context(), append(args, "--server", server, "--token-file", token), &out, &out)
		return code, out.String()
	}
	row := func(text, environment string) string {
		for line := range strings.Lines(text) {
			if fields := strings.Fields(line); len(fields) > 1 && fields[1] == environment {
				return line
			}
		}
		t.Errorf("there is no row of %s:\n%s", environment, text)
		return ""
	}

	asked := len(s.asked())
	code, text := tell(ana, "status", "acme/gitops", "--env", "prod*")
	if prod := row(text, "prod"); code != 0 || !strings.Contains(prod, "proposed") || !strings.Contains(prod, "#1") || strings.Contains(text, " dev ") {
		t.Errorf("ana: exit %d\n%s", code, text)
	}
	if code, text = tell(ana, "status", "--needs", "--json"); code != 0 || !strings.Contains(text, `"pull_request": 1`) {
		t.Errorf("what needs someone: exit %d\n%s", code, text)
	}
	if code, text = tell(eve, "status"); code != 0 || strings.Contains(text, "gitops") || !strings.Contains(text, "no such environment that you can see") {
		t.Errorf("eve, of all: exit %d\n%s", code, text)
	}
	for what, args := range map[string][]string{"status": {"status", "acme/gitops"}, "changes": {"changes", "--repository", "acme/gitops"}} {
		if code, text = tell(eve, args...); code != exitUnreadable || !strings.Contains(text, "knows no such repository") {
			t.Errorf("eve, %s of what she cannot see: exit %d\n%s", what, code, text)
		}
	}
	if code, text = tell(s.secretFile(strings.Repeat("x", 40)), "status"); code != exitUnreadable || !strings.Contains(text, "does not know you") {
		t.Errorf("nobody: exit %d\n%s", code, text)
	}
	// A session is as good as a token.
	v, _ := s.signedIn(server, "ana", "/")
	if got := v.get("/api/v1/repositories/acme/gitops"); got.status != http.StatusOK || !strings.Contains(got.text, `"standing":"proposed"`) {
		t.Errorf("ana's browser: %d\n%s", got.status, got.text)
	}
	if now := len(s.asked()); now != asked {
		t.Errorf("the App made %d requests of GitHub to answer", now-asked)
	}

	s.merge(number, "squash")
	s.wait("it has landed", func() bool { l := s.ledgers()[shopProd].Landing; return l != nil && l.PullRequest == number })
	s.settle()
	if code, text = tell(ana, "changes", "--env", "prod*", "--since", "2h"); code != 0 || !strings.Contains(text, "landed") || !strings.Contains(text, "acme/gitops") {
		t.Errorf("what changed: exit %d\n%s", code, text)
	}

	dir := s.clone()
	s.git(dir, "fetch", "-q", "origin", "refs/promobot/*:refs/promobot/*")
	var out bytes.Buffer
	if code := run(t.Context(), []string{"status", "--repo", dir}, &out, &out); code != 0 || !strings.Contains(row(out.String(), "prod"), "landed") {
		t.Errorf("from the clone: exit %d\n%s", code, out.String())
	}
}
