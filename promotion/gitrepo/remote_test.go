package gitrepo_test

// A real remote for the tests: git's own HTTP backend over bare repositories,
// with a check of the token, a count of requests by kind, and faults to inject.

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/promotion/gitrepo"
)

const goodToken = "ghs_good0token1for2tests"

// server serves the repositories of a folder.
type server struct {
	*httptest.Server
	t    testing.TB
	root string

	mu     sync.Mutex
	counts map[string]int
	bodies []string // request bodies, uncompressed, as "METHOD kind: body"
	tokens []string // accepted ones
	// intercept, when set, may answer a request itself; next serves it.
	intercept func(kind string, w http.ResponseWriter, req *http.Request, next http.Handler) bool
}

func newServer(t testing.TB) *server {
	t.Helper()
	s := &server{t: t, root: t.TempDir(), counts: map[string]int{}, tokens: []string{goodToken}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// kindOf names a request: advertise or upload-pack or receive-pack.
func kindOf(req *http.Request) string {
	if strings.HasSuffix(req.URL.Path, "/info/refs") {
		return "advertise " + req.URL.Query().Get("service")
	}
	return req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]
}

func (s *server) serve(w http.ResponseWriter, req *http.Request) {
	kind := kindOf(req)
	s.mu.Lock()
	s.counts[kind]++
	intercept, tokens := s.intercept, s.tokens
	s.mu.Unlock()
	allowed := false
	for _, token := range tokens {
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token))
		allowed = allowed || req.Header.Get("Authorization") == want
	}
	if !allowed {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		http.Error(w, "Bad credentials", http.StatusUnauthorized)
		return
	}
	if intercept != nil && intercept(kind, w, req, http.HandlerFunc(s.backend)) {
		return
	}
	s.backend(w, req)
}

func (s *server) backend(w http.ResponseWriter, req *http.Request) {
	repository, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	if _, err := os.Stat(filepath.Join(s.root, repository)); err != nil {
		http.Error(w, "Repository not found.", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.bodies = append(s.bodies, req.Method+" "+kindOf(req)+": "+string(body))
	s.mu.Unlock()
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.ContentLength = int64(len(body))
	req.TransferEncoding = nil
	req.Header.Set("Content-Length", "")
	(&cgi.Handler{
		Path: gitPath(s.t),
		Args: []string{"http-backend"},
		Env: []string{
			"GIT_PROJECT_ROOT=" + s.root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=bot",
			"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "HOME=" + s.root,
			"GIT_PROTOCOL=" + req.Header.Get("Git-Protocol"),
		},
		InheritEnv: []string{"PATH"},
		Stderr:     io.Discard,
	}).ServeHTTP(w, req)
}

// count returns how many requests of a kind came, and forgets them.
func (s *server) count(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.counts[kind]
	delete(s.counts, kind)
	return n
}

func (s *server) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.counts)
	s.bodies = nil
}

// sent is how many objects pushes sent since the last reset.
func (s *server) sent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, body := range s.bodies {
		at := strings.Index(body, "PACK\x00\x00\x00\x02")
		if strings.HasPrefix(body, "POST git-receive-pack") && at >= 0 {
			n += int(binary.BigEndian.Uint32([]byte(body[at+8 : at+12])))
		}
	}
	return n
}

func (s *server) inject(f func(kind string, w http.ResponseWriter, req *http.Request, next http.Handler) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

func gitPath(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("git")
	if err != nil {
		t.Fatalf("the tests need git: %v", err)
	}
	return path
}

// origin is a bare repository on the server with a work tree beside it, in
// which a person works.
type origin struct {
	t    testing.TB
	bare string
	work string
	name string
}

func (s *server) newOrigin(name string) *origin {
	s.t.Helper()
	o := &origin{t: s.t, bare: filepath.Join(s.root, name+".git"), work: s.t.TempDir(), name: name}
	run(s.t, s.root, "git", "init", "-q", "--bare", "-b", "main", o.bare)
	for _, kv := range [][2]string{
		{"http.receivepack", "true"},
		{"uploadpack.allowFilter", "true"},
		{"uploadpack.allowAnySHA1InWant", "true"},
		{"receive.advertiseAtomic", "true"},
		{"gc.auto", "0"},
		{"receive.autogc", "false"},
	} {
		run(s.t, o.bare, "git", "config", kv[0], kv[1])
	}
	run(s.t, o.work, "git", "init", "-q", "-b", "main", ".")
	run(s.t, o.work, "git", "remote", "add", "origin", o.bare)
	return o
}

// run runs a program as a person would, with a fixed identity and no
// configuration of this machine.
func run(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(
		os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
		"GIT_AUTHOR_DATE=1700000000 +0100", "GIT_COMMITTER_DATE=1700000000 +0100",
	)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files (nil deletes), commits them on the current branch, and
// returns the commit's id.
func (o *origin) commit(message string, files map[string]string) string {
	o.t.Helper()
	for path, data := range files {
		full := filepath.Join(o.work, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			o.t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(data), 0o644); err != nil {
			o.t.Fatal(err)
		}
	}
	run(o.t, o.work, "git", "add", "-A")
	file := filepath.Join(o.t.TempDir(), "message") // which may be too long for an argument
	if err := os.WriteFile(file, []byte(message), 0o600); err != nil {
		o.t.Fatal(err)
	}
	run(o.t, o.work, "git", "commit", "-q", "--allow-empty", "-F", file)
	return run(o.t, o.work, "git", "rev-parse", "HEAD")
}

// push publishes the current state of refs, main when none are named.
func (o *origin) push(refspecs ...string) {
	o.t.Helper()
	if len(refspecs) == 0 {
		refspecs = []string{"HEAD:refs/heads/main"}
	}
	run(o.t, o.work, "git", append([]string{"push", "-q", "origin"}, refspecs...)...)
}

// at is where the remote's ref stands, "" if it is absent.
func (o *origin) at(ref string) string {
	o.t.Helper()
	return run(o.t, o.bare, "git", "for-each-ref", "--format=%(objectname)", ref)
}

// hook installs a hook on the remote.
func (o *origin) hook(name, script string) {
	o.t.Helper()
	path := filepath.Join(o.bare, "hooks", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		o.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		o.t.Fatal(err)
	}
}

// observed counts uses of the network by kind.
type observed struct {
	mu     sync.Mutex
	counts map[string]int
}

func (o *observed) observe(kind string, _ time.Duration, _ error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.counts == nil {
		o.counts = map[string]int{}
	}
	o.counts[kind]++
}

func (o *observed) get(kind string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.counts[kind]
}

// newStore opens a store on a folder of its own.
func newStore(t *testing.T, change func(*gitrepo.Options)) (*gitrepo.Store, string) {
	t.Helper()
	o := gitrepo.Options{Dir: filepath.Join(t.TempDir(), "mirrors"), Timeout: time.Minute, Logger: zerolog.Nop()}
	if change != nil {
		change(&o)
	}
	s, err := gitrepo.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s, o.Dir
}
