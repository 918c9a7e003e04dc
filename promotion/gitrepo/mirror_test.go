package gitrepo_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		"43.git.half/objects/pack/tmp_pack_x", "44.git.gone/HEAD", "42.git/shallow.lock", "42.git/refs/promobot/shop/prod.lock",
		"42.git/objects/info/commit-graph.lock", "42.git/objects/pack/pack-a.keep", "42.git/objects/pack/tmp_promobot-a.pack",
		"42.git/packed-refs.lock", "42.git/HEAD.lock", "42.git/config.lock",
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
		name    string
		damage  func(t *testing.T, sc *scene)
		fetched bool // the next fetch alone mends it
	}{
		{"deleted", func(t *testing.T, sc *scene) { remove(t, sc.mirror()) }, false},
		{"the whole folder deleted", func(t *testing.T, sc *scene) { remove(t, sc.dir) }, false},
		{"without HEAD", func(t *testing.T, sc *scene) { remove(t, filepath.Join(sc.mirror(), "HEAD")) }, false},
		{"without objects", func(t *testing.T, sc *scene) { remove(t, filepath.Join(sc.mirror(), "objects")) }, false},
		{"an empty pack", func(t *testing.T, sc *scene) {
			for _, p := range packsOf(t, sc) {
				remove(t, p)
				if err := os.WriteFile(p, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, false},
		{"a pack cut short", func(t *testing.T, sc *scene) {
			for _, p := range packsOf(t, sc) {
				info, err := os.Stat(p)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(p, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(p, info.Size()/2); err != nil {
					t.Fatal(err)
				}
			}
		}, false},
		{"a pack full of other bytes", func(t *testing.T, sc *scene) {
			for _, p := range packsOf(t, sc) {
				remove(t, p)
				if err := os.WriteFile(p, []byte(strings.Repeat("garbage ", 100)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, false},
		{"an index full of other bytes", func(t *testing.T, sc *scene) {
			for _, p := range packsOf(t, sc) {
				p = strings.TrimSuffix(p, ".pack") + ".idx"
				remove(t, p)
				if err := os.WriteFile(p, []byte(strings.Repeat("garbage ", 200)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, false},
		{"without the tip's commit", func(t *testing.T, sc *scene) {
			loosen(t, sc)
			tip := sc.origin.at(mainRef)
			remove(t, filepath.Join(sc.mirror(), "objects", tip[:2], tip[2:]))
		}, true},
		{"a tip's commit of other bytes", func(t *testing.T, sc *scene) {
			loosen(t, sc)
			tip := sc.origin.at(mainRef)
			path := filepath.Join(sc.mirror(), "objects", tip[:2], tip[2:])
			remove(t, path)
			if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"an empty HEAD", func(t *testing.T, sc *scene) {
			if err := os.WriteFile(filepath.Join(sc.mirror(), "HEAD"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a ref of other bytes", func(t *testing.T, sc *scene) {
			if err := os.WriteFile(filepath.Join(sc.mirror(), "refs/heads/main"), []byte("\x00garbage\xff\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a ref to nowhere", func(t *testing.T, sc *scene) {
			if err := os.WriteFile(filepath.Join(sc.mirror(), "refs/heads/main"), []byte(unknown+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"packed refs of other bytes", func(t *testing.T, sc *scene) {
			if err := os.WriteFile(filepath.Join(sc.mirror(), "packed-refs"), []byte("garbage"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"an empty ref", func(t *testing.T, sc *scene) {
			if err := os.WriteFile(filepath.Join(sc.mirror(), "refs/heads/main"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"configuration that cannot be read", func(t *testing.T, sc *scene) {
			if err := os.WriteFile(filepath.Join(sc.mirror(), "config"), []byte("[core\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a file in its place", func(t *testing.T, sc *scene) {
			remove(t, sc.mirror())
			if err := os.WriteFile(sc.mirror(), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sc := newScene(t)
			sc.origin.commit("first", map[string]string{"a": "1", "d/b": "2"})
			sc.origin.push()
			sc.fetch()
			tt.damage(t, sc)
			clones := sc.seen.get("clone")
			tip := sc.origin.commit("second", map[string]string{"a": "2"})
			sc.origin.push()
			if refs := sc.fetch(); refs[mainRef] != tip {
				t.Errorf("main is at %q, want %q", refs[mainRef], tip)
			}
			chain, err := sc.repo.Chain(t.Context(), tip, "", 0)
			if err != nil || len(chain) != 2 {
				t.Errorf("the chain has %d commits, error %v", len(chain), err)
			}
			// A commit that is missing is fetched; all else is cloned anew.
			want := map[bool]int{false: 1}[tt.fetched]
			if n := sc.seen.get("clone") - clones; n != want {
				t.Errorf("%d clones to mend it, want %d", n, want)
			}
			if out := run(t, sc.mirror(), "git", "rev-list", "--objects", "--missing=print", "--filter=blob:none", "--all"); strings.Contains(out, "?") {
				t.Errorf("the mirror lacks objects:\n%s", out)
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
	loosen(t, sc)
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

func packsOf(t *testing.T, sc *scene) []string {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(sc.mirror(), "objects/pack/*.pack"))
	if err != nil || len(packs) == 0 {
		t.Fatalf("packs %q, error %v", packs, err)
	}
	return packs
}

// loosen makes all objects of a mirror loose.
func loosen(t *testing.T, sc *scene) {
	t.Helper()
	for _, p := range packsOf(t, sc) {
		moved := filepath.Join(t.TempDir(), "a.pack")
		run(t, "/", "cp", p, moved)
		remove(t, p)
		remove(t, strings.TrimSuffix(p, ".pack")+".idx")
		run(t, sc.mirror(), "sh", "-c", "git unpack-objects -q < "+moved)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}
