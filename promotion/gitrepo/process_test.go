package gitrepo_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// spy is a git that writes each call's arguments and environment to a folder
// before it becomes the real one.
func spy(t *testing.T) (git, dir string) {
	t.Helper()
	dir = t.TempDir()
	git = filepath.Join(dir, "git")
	script := fmt.Sprintf("#!/bin/sh\nf=$(mktemp %q)\n{ printf '%%s\\n' \"$@\"; echo ==; env; } > \"$f\"\nexec %q \"$@\"\n", filepath.Join(dir, "call.XXXXXX"), gitPath(t))
	if err := os.WriteFile(git, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return git, dir
}

// TestTokensStayHidden watches every git process of a promotion: the token may
// stand in the environment of those that use the network, and nowhere else.
func TestTokensStayHidden(t *testing.T) {
	t.Setenv("GIT_TRACE_CURL", "1")
	t.Setenv("GIT_CONFIG_PARAMETERS", "'x.y=z'")
	git, calls := spy(t)
	var log strings.Builder
	sc := newScene(t, func(o *gitrepo.Options) { o.Git = git; o.Logger = zerolog.New(&log) })
	base := sc.origin.commit("base", map[string]string{"a": "1"})
	sc.origin.push()
	sc.fetch()
	if _, _, _, err := sc.repo.ReadFile(t.Context(), base, "a"); err != nil {
		t.Fatal(err)
	}
	mine := sc.newCommit(base, "mine", write("b", "x"))
	sc.push(false, promotion.RefUpdate{Ref: ledger, New: mine})
	sc.server.inject(func(_ string, w http.ResponseWriter, req *http.Request, _ http.Handler) bool {
		http.Error(w, "you sent "+req.Header.Get("Authorization"), http.StatusInternalServerError)
		return true
	})
	_, err := sc.repo.Fetch(t.Context())
	if err == nil {
		t.Fatal("a fetch of a broken remote succeeded")
	}
	visible := err.Error() + log.String()

	found, err := filepath.Glob(filepath.Join(calls, "call.*"))
	if err != nil || len(found) < 6 {
		t.Fatalf("%d calls were seen, error %v", len(found), err)
	}
	network := 0
	for _, name := range found {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		args, env, _ := strings.Cut(string(data), "\n==\n")
		visible += args
		command, _, _ := strings.Cut(args, "\n")
		usesNetwork := command == "fetch" || command == "push" || command == "ls-remote"
		if usesNetwork {
			network++
		}
		want := "GIT_ALLOW_PROTOCOL=none\n"
		if usesNetwork {
			want = "GIT_ALLOW_PROTOCOL=http\n"
		}
		if command != "version" && !strings.Contains(env, want) {
			t.Errorf("git %s runs without %s", command, want)
		}
		if !usesNetwork && command != "version" && (strings.Contains(env, "extraHeader") || strings.Contains(env, "remote.origin")) {
			t.Errorf("git %s knows the remote", command)
		}
		if command != "version" && (strings.Contains(env, "GIT_TRACE_CURL") || strings.Contains(env, "GIT_CONFIG_PARAMETERS")) {
			t.Errorf("git %s got this process's own git settings", command)
		}
	}
	if network < 4 {
		t.Errorf("%d calls used the network, want 4 or more", network)
	}
	err = filepath.WalkDir(sc.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		visible += string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{goodToken, "eC1hY2Nlc3MtdG9rZW46"} { // the second: base64 of x-access-token:
		if at := strings.Index(visible, secret); at >= 0 {
			t.Errorf("a credential is visible: …%.200q", visible[max(0, at-100):])
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	fake := func(answer string) string {
		path := filepath.Join(t.TempDir(), "git")
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+answer+"'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name, git, want string
	}{
		{"too old", fake("git version 2.38.5"), "needs git 2.39 or newer"},
		{"much too old", fake("git version 1.99.0"), "needs git 2.39 or newer"},
		{"new enough", fake("git version 2.39.3 (Apple Git-146)"), ""},
		{"a new major one", fake("git version 3.0.0"), ""},
		{"not git", fake("hello"), "is not git"},
		{"not there", "/nowhere/git", "needs the git program"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := gitrepo.New(gitrepo.Options{Dir: t.TempDir(), Git: tt.git})
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestURLsAreChecked(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t, nil)
	for _, url := range []string{"https://x-access-token:ghs_secret1@github.com/a/b", "file:///etc", "ext::sh -c id", "--upload-pack=x", "http://"} {
		_, err := store.Open(gitrepo.Remote{Key: "1", URL: url}).Fetch(t.Context())
		if err == nil {
			t.Errorf("%s was accepted", url)
		} else if strings.Contains(err.Error(), "ghs_secret1") {
			t.Errorf("the error holds the token: %v", err)
		}
	}
}

// TestKeysAreFolders asserts that no key leaves the store's folder or meets another.
func TestKeysAreFolders(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	sc.origin.commit("first", nil)
	sc.origin.push()
	for _, key := range []string{"../../x", "..", "a/b", "A", "a", "a.half"} {
		remote := sc.server.remote(sc.origin)
		remote.Key = key
		if _, err := sc.store.Open(remote).Fetch(t.Context()); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	found, err := filepath.Glob(filepath.Join(sc.dir, "*.git"))
	if err != nil || len(found) != 6 {
		t.Errorf("folders %q, error %v; want 6", found, err)
	}
}

// TestProcessesAreBounded counts the requests that are open at the same time.
func TestProcessesAreBounded(t *testing.T) {
	t.Parallel()
	sc := newScene(t, func(o *gitrepo.Options) { o.Processes = 4 })
	sc.origin.commit("first", nil)
	sc.origin.push()
	open, most := make(chan int, 1), 0
	open <- 0
	sc.server.inject(func(_ string, w http.ResponseWriter, req *http.Request, next http.Handler) bool {
		n := <-open + 1
		most = max(most, n)
		open <- n
		next.ServeHTTP(w, req)
		open <- <-open - 1
		return true
	})
	done := make(chan error)
	for i := range 8 {
		go func() {
			remote := sc.server.remote(sc.origin)
			remote.Key = fmt.Sprint(i)
			_, err := sc.store.Open(remote).Fetch(context.WithoutCancel(t.Context()))
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if <-open; most > 2 {
		t.Errorf("%d git processes used the network at the same time, want 2 at most", most)
	}
}
