package gitrepo_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// TestOpenLocal reads repositories as people have them on their machines.
func TestOpenLocal(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	ids := history(sc)
	clone := func(args ...string) string {
		dir := filepath.Join(t.TempDir(), "clone")
		run(t, "/", "git", append(append([]string{"clone", "-q"}, args...), "file://"+sc.origin.bare, dir)...)
		return dir
	}
	tests := []struct {
		name  string
		path  string
		chain int
		whole bool // all blobs are there
	}{
		{"a work tree", sc.origin.work, 5, true},
		{"a folder of a work tree", filepath.Join(sc.origin.work, "dev"), 5, true},
		{"a bare repository", sc.origin.bare, 5, true},
		{"a clone", clone(), 5, true},
		{"a shallow clone", clone("--depth=2"), 2, true},
		{"a partial clone", clone("--filter=blob:none", "--no-checkout"), 5, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := run(t, sc.origin.work, "find", tt.path, "-type", "f")
			r, err := gitrepo.OpenLocal(tt.path)
			if err != nil {
				t.Fatal(err)
			}
			refs, err := r.Fetch(t.Context())
			if err != nil || refs[mainRef] != ids["last"] {
				t.Fatalf("refs %v, error %v", refs, err)
			}
			if _, ok := refs["refs/remotes/origin/main"]; ok {
				t.Error("the refs hold remote-tracking ones")
			}
			if id, err := r.Resolve(t.Context(), "main~1"); err != nil || id != ids["empty"] {
				t.Errorf("main~1 is %q, %v", id, err)
			}
			if _, err := r.Resolve(t.Context(), "--all"); !errors.Is(err, gitrepo.ErrUnknownCommit) {
				t.Errorf("--all as a revision: error %v", err)
			}
			for range 2 {
				if _, err := r.Commits(t.Context(), []string{ids["empty"], ids["root"]}); err != nil {
					t.Fatal(err)
				}
				log, err := r.Log(t.Context(), ids["last"], "", 0)
				if err != nil || len(log) != tt.chain {
					t.Errorf("the log has %d commits, error %v", len(log), err)
				}
				chain, err := r.Chain(t.Context(), ids["last"], "", 0)
				if err != nil || len(chain) != tt.chain {
					t.Errorf("the chain has %d commits, error %v", len(chain), err)
				}
			}
			data, _, found, err := r.ReadFile(t.Context(), ids["last"], "dev/a")
			if tt.whole && (err != nil || !found || string(data) != "2") {
				t.Errorf("dev/a is %q, found %v, error %v", data, found, err)
			}
			if !tt.whole && !errors.Is(err, gitrepo.ErrMissing) {
				t.Errorf("error %v, want ErrMissing", err)
			}
			if _, err := r.Commit(t.Context(), []promotion.NewCommit{{Author: bot, Time: noon}}); !errors.Is(err, gitrepo.ErrReadOnly) {
				t.Errorf("Commit: error %v", err)
			}
			if _, err := r.Push(t.Context(), []promotion.RefUpdate{{Ref: mainRef, New: ids["root"]}}, false); !errors.Is(err, gitrepo.ErrReadOnly) {
				t.Errorf("Push: error %v", err)
			}
			if diff := cmp.Diff(before, run(t, sc.origin.work, "find", tt.path, "-type", "f")); diff != "" {
				t.Errorf("files changed (-before +after):\n%s", diff)
			}
		})
	}
	if _, err := gitrepo.OpenLocal(t.TempDir()); err == nil {
		t.Error("a folder without a repository was opened")
	}
}
