package gitrepo_test

// kill -9 at any moment: of promobot, and of one of its git processes. The next
// run works, and nothing of a live process is removed.

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// leftovers are the files and folders below dir that a dead process left.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		for _, end := range []string{".half", ".gone", ".lock", ".keep"} {
			if strings.HasSuffix(name, end) && name != "in-use.lock" {
				found = append(found, path)
			}
		}
		if strings.HasPrefix(name, "tmp_") || strings.HasPrefix(name, ".tmp-") {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// answerHalf serves a request, gives the client half of the answer, runs between,
// and breaks off.
func answerHalf(w http.ResponseWriter, req *http.Request, next http.Handler, between func()) {
	whole := httptest.NewRecorder()
	next.ServeHTTP(whole, req)
	maps.Copy(w.Header(), whole.Header())
	w.Header().Del("Content-Length")
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	between()
	panic(http.ErrAbortHandler)
}

// TestKilledAtEachRequest runs a whole promobot that holds the folder of mirrors,
// kills it in the middle of its first, second, … answer of the remote, and runs
// it again on what it left.
func TestKilledAtEachRequest(t *testing.T) {
	for _, warm := range []bool{false, true} {
		for nth := 1; nth <= 8; nth++ {
			name := fmt.Sprintf("a new mirror, request %d", nth)
			if warm {
				name = fmt.Sprintf("a mirror that is there, request %d", nth)
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				killedAt(t, nth, warm)
			})
		}
	}
}

func killedAt(t *testing.T, nth int, warm bool) {
	s := newServer(t)
	o := s.newOrigin("42")
	o.commit("first", map[string]string{"dev/app.yaml": "image: 1\n", "prod/app.yaml": "image: 0\n"})
	o.push()
	dir, url := filepath.Join(t.TempDir(), "mirrors"), s.remote(o).URL
	if warm {
		if err := promoteOnce(t.Context(), dir, url); err != nil {
			t.Fatal(err)
		}
		o.commit("second", map[string]string{"dev/app.yaml": "image: 2\n"})
		o.push()
	}
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"=promote", dirVariable+"="+dir, urlVariable+"="+url)
	var said bytes.Buffer
	child.Stderr = &said
	var requests atomic.Int32
	var killed atomic.Bool
	started := make(chan *os.Process, 1)
	s.inject(func(_ string, w http.ResponseWriter, req *http.Request, next http.Handler) bool {
		if int(requests.Add(1)) != nth {
			return false
		}
		answerHalf(w, req, next, func() {
			killed.Store(true)
			if err := (<-started).Kill(); err != nil {
				t.Errorf("killing it: %v", err)
			}
		})
		return true
	})
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	started <- child.Process
	if err := child.Wait(); err == nil {
		t.Fatalf("it was never killed: it made %d requests", requests.Load())
	}
	s.inject(nil)
	if !killed.Load() {
		t.Fatalf("it failed before it was killed: %s", said.String())
	}
	if err := promoteOnce(t.Context(), dir, url); err != nil {
		t.Fatalf("the run after: %v", err)
	}
	if got, want := run(t, o.bare, "git", "show", promoted+":prod/app.yaml"), run(t, o.bare, "git", "show", "main:dev/app.yaml"); got != want {
		t.Errorf("promoted was %q, want %q", got, want)
	}
	if found := leftovers(t, dir); len(found) > 0 {
		t.Errorf("left behind: %q", found)
	}
}

// numbered is a git that notes the number of each of its processes.
func numbered(t *testing.T) (git string, last func() int) {
	t.Helper()
	dir := t.TempDir()
	git = filepath.Join(dir, "git")
	script := fmt.Sprintf("#!/bin/sh\necho $$ >> %q\nexec %q \"$@\"\n", filepath.Join(dir, "numbers"), gitPath(t))
	if err := os.WriteFile(git, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return git, func() int {
		data, err := os.ReadFile(filepath.Join(dir, "numbers"))
		if err != nil {
			t.Error(err)
			return 0
		}
		lines := strings.Fields(string(data))
		n, err := strconv.Atoi(lines[len(lines)-1])
		if err != nil {
			t.Error(err)
		}
		return n
	}
}

// TestGitKilledMidway kills git and its helpers in the middle of a pack.
func TestGitKilledMidway(t *testing.T) {
	for _, there := range []bool{false, true} {
		t.Run(map[bool]string{false: "cloning", true: "fetching"}[there], func(t *testing.T) {
			t.Parallel()
			git, last := numbered(t)
			sc := newScene(t, func(o *gitrepo.Options) { o.Git = git })
			sc.origin.commit("first", map[string]string{"a": "1"})
			sc.origin.push()
			if there {
				sc.fetch()
			}
			want := sc.origin.commit(strings.Repeat("second\n", 3000), map[string]string{"a": "2"})
			sc.origin.push()
			posts := 0
			sc.server.inject(func(kind string, w http.ResponseWriter, req *http.Request, next http.Handler) bool {
				if kind != "git-upload-pack" {
					return false
				}
				if posts++; posts != 2 { // the first lists the refs
					return false
				}
				answerHalf(w, req, next, func() {
					if err := syscall.Kill(-last(), syscall.SIGKILL); err != nil {
						t.Errorf("killing git: %v", err)
					}
				})
				return true
			})
			if _, err := sc.repo.Fetch(t.Context()); err == nil || posts != 2 {
				t.Fatalf("after %d requests the fetch ended with the error %v", posts, err)
			}
			sc.server.inject(nil)
			for _, name := range []string{"42.git/shallow.lock", "42.git/packed-refs.lock", "42.git/refs/heads/main.lock"} {
				if there {
					plant(t, filepath.Join(sc.dir, name))
				}
			}
			if refs := sc.fetch(); refs[mainRef] != want {
				t.Errorf("main is at %q, want %q", refs[mainRef], want)
			}
			if found := leftovers(t, sc.dir); len(found) > 0 {
				t.Errorf("left behind: %q", found)
			}
		})
	}
}

func plant(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// midway holds the answer to a request for objects at its middle until proceed
// is closed, and says when it does.
func midway(w http.ResponseWriter, req *http.Request, next http.Handler, reached chan<- struct{}, proceed <-chan struct{}) {
	whole := httptest.NewRecorder()
	next.ServeHTTP(whole, req)
	maps.Copy(w.Header(), whole.Header())
	w.WriteHeader(whole.Code)
	half := whole.Body.Len() / 2
	_, _ = w.Write(whole.Body.Bytes()[:half])
	_ = http.NewResponseController(w).Flush()
	close(reached)
	<-proceed
	_, _ = w.Write(whole.Body.Bytes()[half:])
}

// until polls for a condition that another goroutine or process brings about.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// TestNothingOfALiveProcessIsRemoved: while blobs are fetched, another fetch
// fails, and the next one tidies up after it.
func TestNothingOfALiveProcessIsRemoved(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	// Nothing can compress it, and its half is more than one packet of git's: git
	// begins a temporary pack when the first one has come whole.
	large := make([]byte, 500_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(large)
	base := sc.origin.commit("first", map[string]string{"a": string(large)})
	sc.origin.push()
	sc.fetch()
	reached, proceed := make(chan struct{}), make(chan struct{})
	goOn := sync.OnceFunc(func() { close(proceed) })
	defer goOn()
	sc.server.inject(func(kind string, w http.ResponseWriter, req *http.Request, next http.Handler) bool {
		if kind != "git-upload-pack" {
			return false
		}
		midway(w, req, next, reached, proceed)
		return true
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		data, _, found, err := sc.repo.ReadFile(t.Context(), base, "a")
		if err != nil || !found || len(data) != len(large) {
			t.Errorf("the blob that was being fetched: %d bytes, found %v, error %v", len(data), found, err)
		}
	})
	<-reached
	temporary := func() bool {
		found, err := filepath.Glob(filepath.Join(sc.mirror(), "objects/pack/tmp_pack_*"))
		return err == nil && len(found) > 0
	}
	until(t, "git writes a temporary pack", temporary)
	sc.server.inject(func(_ string, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		http.Error(w, "no", http.StatusBadGateway)
		return true
	})
	if _, err := sc.repo.Fetch(t.Context()); err == nil {
		t.Error("a fetch of a broken remote succeeded")
	}
	sc.server.inject(nil)
	plant(t, filepath.Join(sc.mirror(), "refs/heads/main.lock")) // of the one that failed
	want := sc.origin.commit("second", nil)
	sc.origin.push()
	if refs := sc.fetch(); refs[mainRef] != want {
		t.Errorf("main is at %q, want %q", refs[mainRef], want)
	}
	if !temporary() {
		t.Error("the temporary pack of a live git was removed")
	}
	goOn()
	wg.Wait()
}

// TestASecondStoreRemovesNothing opens the folder while the first is cloning.
func TestASecondStoreRemovesNothing(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	want := sc.origin.commit("first", map[string]string{"a": "1"})
	sc.origin.push()
	reached, proceed := make(chan struct{}), make(chan struct{})
	posts := 0
	sc.server.inject(func(kind string, w http.ResponseWriter, req *http.Request, next http.Handler) bool {
		if kind != "git-upload-pack" {
			return false
		}
		if posts++; posts != 2 {
			return false
		}
		midway(w, req, next, reached, proceed)
		return true
	})
	var refs promotion.Refs
	var err error
	var wg sync.WaitGroup
	wg.Go(func() { refs, err = sc.repo.Fetch(context.WithoutCancel(t.Context())) })
	<-reached
	if _, err := gitrepo.New(gitrepo.Options{Dir: sc.dir}); err == nil {
		t.Error("two stores hold one folder")
	}
	close(proceed)
	wg.Wait()
	if err != nil || refs[mainRef] != want {
		t.Errorf("the clone under way: %v, %v", refs, err)
	}
}
