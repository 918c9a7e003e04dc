package gitrepo_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/gitrepo"
)

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
	want := o.commit("second", map[string]string{"a": "2"})
	o.push()
	refs, err := store.Open(s.remote(o)).Fetch(t.Context())
	if err != nil || refs[mainRef] != want {
		t.Errorf("the fetch after: %v, %v", refs, err)
	}
	for _, name := range leftovers {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was left", name)
		}
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
