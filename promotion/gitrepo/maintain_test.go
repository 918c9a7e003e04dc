package gitrepo_test

// Maintenance: it keeps everything, and makes way.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// count is how many files match a pattern below the mirror.
func (sc *scene) files(pattern string) int {
	sc.t.Helper()
	found, err := filepath.Glob(filepath.Join(sc.mirror(), pattern))
	if err != nil {
		sc.t.Fatal(err)
	}
	return len(found)
}

// manyFetches fetches so many commits that as many packs are there.
func (sc *scene) manyFetches(n int) (tip string) {
	sc.t.Helper()
	for i := range n {
		tip = sc.origin.commit("next", map[string]string{"d/b": strings.Repeat("x", i+1)})
		sc.origin.push()
		sc.fetch()
	}
	return tip
}

// TestMaintenanceKeepsEverything makes so many packs that it is time, and asserts
// that all objects are still there, and that git still sees what is promised.
func TestMaintenanceKeepsEverything(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := sc.origin.commit("first", map[string]string{"a": "1", "d/b": "2"})
	sc.origin.push()
	sc.fetch()
	mine := sc.newCommit(base, "not pushed yet", write("d/c", "new"))
	tip := sc.manyFetches(52)
	until(t, "the packs are few", func() bool { return sc.files("objects/pack/*.idx") < 10 })
	until(t, "nothing is loose", func() bool { return sc.files("objects/[0-9a-f]*/*") == 0 })
	if n := sc.files("objects/pack/*.promisor"); n == 0 {
		t.Error("no pack is a promised one any more")
	}
	if n := sc.files("packed-refs"); n != 1 {
		t.Error("the refs were not packed")
	}
	sc.repo = sc.store.Open(sc.server.remote(sc.origin))
	chain, err := sc.repo.Chain(t.Context(), tip, "", 0)
	if err != nil || len(chain) != 53 {
		t.Fatalf("the chain has %d commits, error %v", len(chain), err)
	}
	if out := run(t, sc.mirror(), "git", "rev-list", "--objects", "--missing=print", "--filter=blob:none", "--all"); strings.Contains(out, "?") {
		t.Errorf("objects were lost:\n%s", out)
	}
	if out := run(t, sc.mirror(), "git", "rev-list", "--objects", "--missing=print", "--filter=blob:none", mine); strings.Contains(out, "?") {
		t.Errorf("objects of what was made here were lost:\n%s", out)
	}
	sc.manyFetches(2) // git looks whether all that is fetched is connected
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

func TestMaintenancePacksWhatWasMade(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := sc.origin.commit("first", map[string]string{"a": "1"})
	sc.origin.push()
	sc.fetch()
	var commits []promotion.NewCommit
	for i := range 3000 {
		commits = append(commits, promotion.NewCommit{
			Base: base, Parents: []string{base}, Author: bot, Time: noon, Message: fmt.Sprint(i),
			Edits: []content.Edit{write("b", fmt.Sprintf("image: %d\n", i))},
		})
	}
	ids, err := sc.repo.Commit(t.Context(), commits)
	if err != nil {
		t.Fatal(err)
	}
	loose := func() int { return sc.files("objects/[0-9a-f][0-9a-f]/*") }
	if n := loose(); n < 9000 {
		t.Fatalf("%d loose objects, want 9,000", n)
	}
	sc.fetch()
	until(t, "they are packed", func() bool { return loose() == 0 })
	if found, err := sc.repo.Commits(t.Context(), ids); err != nil || len(found) != 3000 {
		t.Errorf("%d commits, error %v", len(found), err)
	}
	if res := sc.push(false, promotion.RefUpdate{Ref: ledger, New: ids[2999]}); res[0].Status != promotion.Pushed {
		t.Errorf("pushing one of them: %+v", res[0])
	}
}

// stuckMaintenance is a git that never ends repacking, and the file that it makes
// when it begins.
func stuckMaintenance(t *testing.T) (git, begun string) {
	t.Helper()
	dir := t.TempDir()
	git, begun = filepath.Join(dir, "git"), filepath.Join(dir, "begun")
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *tmp_promobot*) : > %q; exec sleep 1000;; esac\nexec %q \"$@\"\n", begun, gitPath(t))
	if err := os.WriteFile(git, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return git, begun
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// TestMaintenanceMakesWay has maintenance that would take forever, and a fetch
// that wants the lock.
func TestMaintenanceMakesWay(t *testing.T) {
	t.Parallel()
	git, begun := stuckMaintenance(t)
	sc := newScene(t, func(o *gitrepo.Options) { o.Git = git })
	sc.origin.commit("first", map[string]string{"a": "1"})
	sc.origin.push()
	sc.fetch()
	sc.manyFetches(51)
	until(t, "maintenance began", func() bool { return exists(begun) })
	plant(t, filepath.Join(sc.mirror(), "objects/pack/tmp_promobot-aa.pack"))
	want := sc.origin.commit("while it runs", map[string]string{"a": "2"})
	sc.origin.push()
	start := time.Now()
	if refs := sc.fetch(); refs[mainRef] != want {
		t.Errorf("main is at %q, want %q", refs[mainRef], want)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("the fetch waited %v for maintenance", took)
	}
	if found := leftovers(t, sc.dir); len(found) > 0 {
		t.Errorf("left behind: %q", found)
	}
	if n := sc.seen.get("clone"); n != 1 {
		t.Errorf("%d clones, want 1", n)
	}
}

// TestClosingEndsMaintenance: a promobot that is stopped does not wait for it.
func TestClosingEndsMaintenance(t *testing.T) {
	t.Parallel()
	git, begun := stuckMaintenance(t)
	s := newServer(t)
	sc := &scene{t: t, server: s, origin: s.newOrigin("42"), dir: filepath.Join(t.TempDir(), "mirrors")}
	store, err := gitrepo.New(gitrepo.Options{Dir: sc.dir, Git: git})
	if err != nil {
		t.Fatal(err)
	}
	sc.store, sc.repo = store, store.Open(s.remote(sc.origin))
	sc.manyFetches(52)
	until(t, "maintenance began", func() bool { return exists(begun) })
	start := time.Now()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("closing took %v", took)
	}
	if err := promoteNothing(t, sc); err != nil {
		t.Errorf("the run after: %v", err)
	}
}

func promoteNothing(t *testing.T, sc *scene) error {
	t.Helper()
	store, err := gitrepo.New(gitrepo.Options{Dir: sc.dir})
	if err != nil {
		return err
	}
	if _, err := store.Open(sc.server.remote(sc.origin)).Fetch(t.Context()); err != nil {
		return err
	}
	return store.Close()
}
