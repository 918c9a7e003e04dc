package gitrepo_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/gitrepo"
)

func TestFetchMirrorsTheRemote(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	if refs := sc.fetch(); len(refs) != 0 {
		t.Errorf("an empty repository has refs %v", refs)
	}
	first := sc.origin.commit("first", map[string]string{"a": "1"})
	sc.origin.push("HEAD:refs/heads/main", "HEAD:refs/heads/a", "HEAD:refs/promobot/shop/prod", "HEAD:refs/tags/v1", "HEAD:refs/pull/1/head")
	want := promotion.Refs{mainRef: first, "refs/heads/a": first, "refs/promobot/shop/prod": first}
	if diff := cmp.Diff(want, sc.fetch()); diff != "" {
		t.Errorf("refs after the first push (-want +got):\n%s", diff)
	}

	// A branch that gives way to one below its name, a ledger that is rewound.
	second := sc.origin.commit("second", map[string]string{"a": "2"})
	sc.origin.push(":refs/heads/a", "HEAD:refs/heads/main", "+"+second+":refs/promobot/shop/prod")
	sc.origin.push("HEAD:refs/heads/a/b", "+"+first+":refs/promobot/shop/prod", "HEAD:refs/heads/-ü'\"$;")
	want = promotion.Refs{mainRef: second, "refs/heads/a/b": second, "refs/promobot/shop/prod": first, "refs/heads/-ü'\"$;": second}
	if diff := cmp.Diff(want, sc.fetch()); diff != "" {
		t.Errorf("refs after a branch gave way (-want +got):\n%s", diff)
	}
	sc.origin.push(":refs/heads/a/b")
	sc.origin.push("HEAD:refs/heads/a")
	if _, ok := sc.fetch()["refs/heads/a"]; !ok {
		t.Error("the branch a did not come back after a/b")
	}
	if n := sc.seen.get("clone"); n != 1 {
		t.Errorf("%d clones, want 1", n)
	}
	if n := sc.seen.get("blobs"); n != 0 {
		t.Errorf("%d fetches of blobs, want none", n)
	}
	if out := run(t, sc.mirror(), "git", "rev-list", "--objects", "--missing=print", "--all"); !strings.Contains(out, "?") {
		t.Error("the mirror holds blobs")
	}
}

func (sc *scene) mirror() string { return filepath.Join(sc.dir, "42.git") }

func TestManyFetchesOfAnEmptyCacheAreOneClone(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	want := sc.origin.commit("first", map[string]string{"a": "1"})
	sc.origin.push()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			refs, err := sc.store.Open(sc.server.remote(sc.origin)).Fetch(t.Context())
			if err != nil {
				t.Errorf("fetch: %v", err)
			} else if refs[mainRef] != want {
				t.Errorf("main is at %q, want %q", refs[mainRef], want)
			}
		})
	}
	wg.Wait()
	if n := sc.seen.get("clone"); n != 1 {
		t.Errorf("%d clones, want 1", n)
	}
}

// TestFetchesAreShared holds a fetch at the remote, lets others ask meanwhile,
// and asserts that they share one that started after they asked.
func TestFetchesAreShared(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	sc.origin.commit("first", map[string]string{"a": "1"})
	sc.origin.push()
	sc.fetch()
	asked, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	sc.server.inject(func(kind string, w http.ResponseWriter, req *http.Request, next http.Handler) bool {
		if kind != "git-upload-pack" {
			return false
		}
		held := false
		once.Do(func() { held = true })
		if held {
			next.ServeHTTP(w, req) // the refs as they are now
			close(asked)
			<-proceed
		}
		return held
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := sc.repo.Fetch(t.Context()); err != nil {
			t.Errorf("the fetch that was held: %v", err)
		}
	})
	<-asked
	second := sc.origin.commit("second", map[string]string{"a": "2"})
	sc.origin.push()
	// One of them gives up; that must not harm the others.
	cancelled, cancel := context.WithCancel(t.Context())
	waiting := make(chan struct{})
	wg.Go(func() {
		close(waiting)
		if _, err := sc.repo.Fetch(cancelled); !errors.Is(err, context.Canceled) {
			t.Errorf("the fetch that was given up: error %v", err)
		}
	})
	<-waiting
	for range 8 {
		wg.Go(func() {
			refs, err := sc.repo.Fetch(t.Context())
			if err != nil {
				t.Errorf("fetch: %v", err)
			} else if refs[mainRef] != second {
				t.Errorf("main is at %q: what a fetch read before the call served it", refs[mainRef])
			}
		})
	}
	cancel()
	close(proceed)
	wg.Wait()
	// The held one, the shared one, and at most a few for those that asked
	// after the shared one had started or whose leader gave up.
	if n := sc.seen.get("fetch"); n > 5 {
		t.Errorf("%d fetches for 10 calls", n)
	}
}

func TestFetchErrors(t *testing.T) {
	tests := []struct {
		name   string
		status int
		want   error
	}{
		{"deleted", http.StatusNotFound, gitrepo.ErrNotFound},
		{"no permission", http.StatusForbidden, gitrepo.ErrForbidden},
		{"renamed", http.StatusMovedPermanently, gitrepo.ErrMoved},
		{"token refused twice", http.StatusUnauthorized, gitrepo.ErrUnauthorized},
	}
	for _, there := range []bool{false, true} {
		for _, tt := range tests {
			name := tt.name + ", with a mirror"
			if !there {
				name = tt.name + ", without a mirror"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				sc := newScene(t)
				sc.origin.commit("first", nil)
				sc.origin.push()
				if there {
					sc.fetch()
				}
				leaked := ""
				elsewhere := newServer(t)
				elsewhere.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
					leaked = req.Header.Get("Authorization")
				})
				sc.server.inject(func(_ string, w http.ResponseWriter, req *http.Request, _ http.Handler) bool {
					if tt.status == http.StatusMovedPermanently {
						http.Redirect(w, req, elsewhere.URL+req.URL.RequestURI(), tt.status)
						return true
					}
					http.Error(w, "no: "+req.Header.Get("Authorization")+" "+goodToken, tt.status)
					return true
				})
				_, err := sc.repo.Fetch(t.Context())
				if !errors.Is(err, tt.want) {
					t.Fatalf("error %v, want %v", err, tt.want)
				}
				if strings.Contains(err.Error(), goodToken) {
					t.Errorf("the error holds the token: %v", err)
				}
				if leaked != "" {
					t.Error("the token followed a redirect")
				}
				sc.server.inject(nil)
				sc.fetch()
			})
		}
	}
}

func TestFetchWithANewToken(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := sc.origin.commit("first", map[string]string{"a": "1"})
	sc.origin.push()
	q := &tokens{queue: []string{"ghs_expired1", goodToken}}
	remote := sc.server.remote(sc.origin)
	remote.Token = q.next
	repo := sc.store.Open(remote)
	if _, err := repo.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if q.served != 2 {
		t.Errorf("%d tokens were asked for, want 2", q.served)
	}
	q.queue = []string{"ghs_expired2", goodToken}
	if _, _, found, err := repo.ReadFile(t.Context(), base, "a"); err != nil || !found {
		t.Errorf("reading a blob with an expired token: found %v, error %v", found, err)
	}
	q.queue = []string{"ghs_expired3", goodToken}
	mine := sc.newCommit(base, "mine")
	results, err := repo.Push(t.Context(), []promotion.RefUpdate{{Ref: ledger, New: mine}}, false)
	if err != nil || results[0].Status != promotion.Pushed {
		t.Errorf("pushing with an expired token: %+v, %v", results, err)
	}
	if diff := cmp.Diff([]string{"ghs_expired1", "ghs_expired2", "ghs_expired3"}, q.refused); diff != "" {
		t.Errorf("tokens given back as refused (-want +got):\n%s", diff)
	}
}

// TestAFetchThatIsEndedLeavesNoLock cancels a fetch at the remote and fetches again.
func TestAFetchThatIsEndedLeavesNoLock(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	sc.origin.commit("first", nil)
	sc.origin.push()
	sc.fetch()
	ctx, cancel := context.WithCancel(t.Context())
	sc.server.inject(func(kind string, _ http.ResponseWriter, req *http.Request, _ http.Handler) bool {
		if kind != "git-upload-pack" {
			return false
		}
		// Only once the body is read does the server see the client go.
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			t.Errorf("reading the request: %v", err)
		}
		cancel()
		<-req.Context().Done()
		return true
	})
	start := time.Now()
	if _, err := sc.repo.Fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was cancelled", err)
	}
	if d := time.Since(start); d > 8*time.Second {
		t.Errorf("ending a fetch took %v", d)
	}
	sc.server.inject(nil)
	if err := os.WriteFile(filepath.Join(sc.mirror(), "refs/heads/main.lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := sc.origin.commit("second", nil)
	sc.origin.push()
	if refs := sc.fetch(); refs[mainRef] != want {
		t.Errorf("main is at %q, want %q", refs[mainRef], want)
	}
}
