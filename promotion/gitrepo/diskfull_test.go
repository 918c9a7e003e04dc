package gitrepo_test

// A full disk: a clear error, nothing half-done, and the same call works when
// there is room again.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// cramped is a git that can write no file larger than 4 kB while a file says so.
// The system answers larger writes with "File too large".
func cramped(t *testing.T) (git string, full func(bool)) {
	t.Helper()
	dir := t.TempDir()
	git = filepath.Join(dir, "git")
	mark := filepath.Join(dir, "full")
	script := fmt.Sprintf("#!/bin/sh\nif [ -e %q ]; then trap '' XFSZ; ulimit -f 8; fi\nexec %q \"$@\"\n", mark, gitPath(t))
	if err := os.WriteFile(git, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return git, func(yes bool) {
		remove(t, mark)
		if yes {
			plant(t, mark)
		}
	}
}

// TestDiskFull meets the end of the disk in everything that writes.
func TestDiskFull(t *testing.T) {
	git, full := cramped(t)
	sc := newScene(t, func(o *gitrepo.Options) { o.Git = git })
	fullDiskStory(t, sc, full)
}

// fullDiskStory fills the disk before a clone, a fetch, a commit and a fetch of
// blobs in turn.
func fullDiskStory(t *testing.T, sc *scene, full func(bool)) {
	t.Helper()
	base := sc.origin.commit(noise(1, 100_000), map[string]string{"a": noise(2, 200_000)})
	sc.origin.push()
	isFull := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, gitrepo.ErrDiskFull) {
			t.Fatalf("%s on a full disk: error %v, want ErrDiskFull", what, err)
		}
		if !strings.Contains(err.Error(), "free space on it") {
			t.Errorf("%s: the error does not say what to do: %v", what, err)
		}
	}

	full(true)
	_, err := sc.repo.Fetch(t.Context())
	isFull("cloning", err)
	if exists(sc.mirror()) || exists(sc.mirror()+".half") {
		t.Error("half a clone was left")
	}
	full(false)
	sc.fetch()

	next := sc.origin.commit(noise(3, 100_000), map[string]string{"b": "1"})
	sc.origin.push()
	full(true)
	_, err = sc.repo.Fetch(t.Context())
	isFull("fetching", err)
	if _, err := sc.repo.Log(t.Context(), base, "", 0); err != nil {
		t.Errorf("what was there before cannot be read: %v", err)
	}
	full(false)
	if refs := sc.fetch(); refs[mainRef] != next {
		t.Errorf("main is at %q, want %q", refs[mainRef], next)
	}

	full(true)
	_, _, err = sc.repo.Blobs(t.Context(), []string{run(t, sc.origin.work, "git", "rev-parse", "HEAD:a")})
	isFull("fetching a blob", err)
	commit := promotion.NewCommit{
		Base: next, Parents: []string{next}, Author: bot, Time: noon, Message: "mine",
		Edits: []content.Edit{write("c", noise(4, 100_000))},
	}
	_, err = sc.repo.Commit(t.Context(), []promotion.NewCommit{commit})
	isFull("making a commit", err)
	full(false)
	ids, err := sc.repo.Commit(t.Context(), []promotion.NewCommit{commit})
	if err != nil {
		t.Fatal(err)
	}
	if res := sc.push(false, promotion.RefUpdate{Ref: ledger, New: ids[0]}); res[0].Status != promotion.Pushed {
		t.Errorf("got %+v", res)
	}
	if _, _, found, err := sc.repo.ReadFile(t.Context(), next, "a"); err != nil || !found {
		t.Errorf("reading the blob: found %v, error %v", found, err)
	}
	if n := sc.seen.get("clone"); n != 2 {
		t.Errorf("%d clones, want 2: the one that failed, and the next", n)
	}
	sc.fetch()
	if found := leftovers(t, sc.dir); len(found) > 0 {
		t.Errorf("left behind: %q", found)
	}
}
