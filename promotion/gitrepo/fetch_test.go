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
}

// TestLeftoversOfTheDead puts what kill -9 leaves into the folder of mirrors.
func TestLeftoversOfTheDead(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o := s.newOrigin("42")
	o.commit("first", map[string]string{"a": "1"})
	o.push()
	dir := filepath.Join(t.TempDir(), "mirrors")
	open := func() *gitrepo.Store {
		store, err := gitrepo.New(gitrepo.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	store := open()
	if _, err := store.Open(s.remote(o)).Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := gitrepo.New(gitrepo.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another promobot uses it") {
		t.Errorf("a second store on the folder: error %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	leftovers := []string{
		"43.git.half/objects/pack/tmp_pack_x", "42.git/packed-refs.lock", "42.git/HEAD.lock", "42.git/config.lock",
		"42.git/refs/heads/main.lock", "42.git/objects/pack/tmp_pack_Ab", "42.git/objects/17/tmp_obj_Ab", "42.git/objects/pack/.tmp-1-pack-a.pack",
	}
	for _, name := range leftovers {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store = open()
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, name := range leftovers {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was left", name)
		}
	}
	want := o.commit("second", map[string]string{"a": "2"})
	o.push()
	refs, err := store.Open(s.remote(o)).Fetch(t.Context())
	if err != nil || refs[mainRef] != want {
		t.Errorf("the fetch after: %v, %v", refs, err)
	}
}

// TestDamagedMirrors damages a mirror in several ways and asserts that the next
// fetch, at the latest the one after a read that found it, is good again.
func TestDamagedMirrors(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, sc *scene)
	}{
		{"deleted", func(t *testing.T, sc *scene) { remove(t, sc.mirror()) }},
		{"the whole folder deleted", func(t *testing.T, sc *scene) { remove(t, sc.dir) }},
		{"without HEAD", func(t *testing.T, sc *scene) { remove(t, filepath.Join(sc.mirror(), "HEAD")) }},
		{"without objects", func(t *testing.T, sc *scene) { remove(t, filepath.Join(sc.mirror(), "objects")) }},
		{"an empty pack", func(t *testing.T, sc *scene) {
			packs, err := filepath.Glob(filepath.Join(sc.mirror(), "objects/pack/*.pack"))
			if err != nil || len(packs) == 0 {
				t.Fatalf("no pack: %v", err)
			}
			for _, p := range packs {
				remove(t, p)
				if err := os.WriteFile(p, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"an empty ref", func(t *testing.T, sc *scene) {
			if err := os.WriteFile(filepath.Join(sc.mirror(), "refs/heads/main"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"configuration that cannot be read", func(t *testing.T, sc *scene) {
			if err := os.WriteFile(filepath.Join(sc.mirror(), "config"), []byte("[core\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"a file in its place", func(t *testing.T, sc *scene) {
			remove(t, sc.mirror())
			if err := os.WriteFile(sc.mirror(), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sc := newScene(t)
			sc.origin.commit("first", map[string]string{"a": "1", "d/b": "2"})
			sc.origin.push()
			sc.fetch()
			tt.damage(t, sc)
			want := sc.origin.commit("second", map[string]string{"a": "2"})
			sc.origin.push()
			if refs := sc.fetch(); refs[mainRef] != want {
				t.Errorf("main is at %q, want %q", refs[mainRef], want)
			}
			chain, err := sc.repo.Chain(t.Context(), want, "", 0)
			if err != nil || len(chain) != 2 {
				t.Errorf("the chain has %d commits, error %v", len(chain), err)
			}
		})
	}
}

// TestAMissingTreeIsDamage takes an object away that no fetch looks at.
func TestAMissingTreeIsDamage(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	first := sc.origin.commit("first", map[string]string{"d/b": "2"})
	sc.origin.push()
	sc.fetch()
	packs, err := filepath.Glob(filepath.Join(sc.mirror(), "objects/pack/*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("packs %v, error %v", packs, err)
	}
	// All objects loose, then without one.
	moved := filepath.Join(t.TempDir(), "a.pack")
	run(t, "/", "cp", packs[0], moved)
	remove(t, filepath.Join(sc.mirror(), "objects/pack"))
	run(t, sc.mirror(), "sh", "-c", "git unpack-objects -q < "+moved)
	tree := run(t, sc.origin.work, "git", "rev-parse", "HEAD:d")
	remove(t, filepath.Join(sc.mirror(), "objects", tree[:2], tree[2:]))
	if _, err := sc.repo.List(t.Context(), first, []string{"d"}); !errors.Is(err, gitrepo.ErrCorrupt) {
		t.Fatalf("error %v, want ErrCorrupt", err)
	}
	sc.fetch()
	if l, err := sc.repo.List(t.Context(), first, []string{"d"}); err != nil || len(l) != 1 {
		t.Errorf("after the next fetch: %v, %v", l, err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// TestMaintenanceKeepsEverything makes so many packs and loose objects that the
// next fetch tidies, and asserts that all of them are still there.
func TestMaintenanceKeepsEverything(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := sc.origin.commit("first", map[string]string{"a": "1", "d/b": "2"})
	sc.origin.push()
	sc.fetch()
	mine := sc.newCommit(base, "not pushed yet", write("d/c", "new"))
	for i := range 52 {
		base = sc.origin.commit("next", map[string]string{"d/b": strings.Repeat("x", i+1)})
		sc.origin.push()
		sc.fetch()
	}
	packs := func() int {
		found, err := filepath.Glob(filepath.Join(sc.mirror(), "objects/pack/*.pack"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	if n := packs(); n > 51 {
		t.Errorf("%d packs: nothing was tidied", n)
	}
	chain, err := sc.repo.Chain(t.Context(), base, "", 0)
	if err != nil || len(chain) != 53 {
		t.Fatalf("the chain has %d commits, error %v", len(chain), err)
	}
	res := sc.push(false, promotion.RefUpdate{Ref: ledger, New: mine})
	if res[0].Status != promotion.Pushed {
		t.Errorf("the commit made before: %+v", res[0])
	}
	if n := sc.seen.get("clone"); n != 1 {
		t.Errorf("%d clones, want 1", n)
	}
	if n := sc.seen.get("blobs"); n != 0 {
		t.Errorf("%d fetches of blobs", n)
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
