package gitrepo_test

// Two stories of a shared cache under load: the crowd after a restart, and a
// storm of wakes.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// counted is a git that notes when each of its processes begins and ends.
func counted(t *testing.T) (git string, most func() (most, all int)) {
	t.Helper()
	dir := t.TempDir()
	git = filepath.Join(dir, "git")
	log := filepath.Join(dir, "log")
	// A write of one byte to the end of a file is one step for all.
	script := fmt.Sprintf("#!/bin/sh\nprintf + >> %q\n%q \"$@\"\ncode=$?\nprintf - >> %q\nexit $code\n", log, gitPath(t), log)
	if err := os.WriteFile(git, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return git, func() (most, all int) {
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		now := 0
		for _, c := range data {
			if c == '+' {
				now++
				all++
			} else {
				now--
			}
			most = max(most, now)
		}
		return most, all
	}
}

// TestSixteenDeploysOnAnEmptyCacheRightAfterARestart: promobot was killed while
// it cloned; what it left is there, and 16 promotions come at once.
func TestSixteenDeploysOnAnEmptyCacheRightAfterARestart(t *testing.T) {
	t.Parallel()
	git, processes := counted(t)
	s := newServer(t)
	o := s.newOrigin("42")
	files := map[string]string{}
	for i := range 16 {
		files[fmt.Sprintf("svc-%02d/prod/values.yaml", i)] = "image: 1\n"
	}
	base := o.commit("base", files)
	o.push()
	dir := filepath.Join(t.TempDir(), "mirrors")
	for _, name := range []string{
		"42.git.half/HEAD", "42.git.half/config.lock", "42.git.half/shallow.lock",
		"42.git.half/objects/pack/tmp_pack_x", "41.git.gone/HEAD",
	} {
		plant(t, filepath.Join(dir, name))
	}
	seen := &observed{}
	store, _ := newStore(t, func(o *gitrepo.Options) {
		o.Dir, o.Observer, o.Git, o.Processes = dir, seen.observe, git, 4
	})
	deploy := func(i int) error {
		repo := store.Open(s.remote(o))
		defer repo.Hold()()
		refs, err := repo.Fetch(t.Context())
		if err != nil {
			return err
		}
		edit := write(fmt.Sprintf("svc-%02d/prod/values.yaml", i), "image: 2\n")
		ids, err := repo.Commit(t.Context(), []promotion.NewCommit{
			{Base: refs[mainRef], Parents: []string{refs[mainRef]}, Edits: []content.Edit{edit}, Author: bot, Time: noon, Message: "Promote"},
			{Parents: []string{refs[mainRef]}, Author: bot, Time: noon, Message: fmt.Sprint("Claim ", i)},
		})
		if err != nil {
			return err
		}
		results, err := repo.Push(t.Context(), []promotion.RefUpdate{
			{Ref: fmt.Sprintf("refs/promobot/svc-%02d/prod", i), New: ids[1]},
			{Ref: fmt.Sprintf("refs/heads/promobot/svc-%02d", i), New: ids[0]},
		}, false)
		if err != nil {
			return err
		}
		for _, r := range results {
			if r.Status != promotion.Pushed {
				return fmt.Errorf("%+v", r)
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if err := deploy(i); err != nil {
				t.Errorf("deploy %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := seen.get("clone"); n != 1 {
		t.Errorf("%d clones, want 1", n)
	}
	if n := seen.get("fetch"); n > 4 {
		t.Errorf("%d fetches for 16 deploys, want a few", n)
	}
	if n := seen.get("push"); n != 16 {
		t.Errorf("%d pushes, want 16", n)
	}
	for i := range 16 {
		out := run(t, o.bare, "git", "diff-tree", "-r", "--name-only", base, fmt.Sprintf("refs/heads/promobot/svc-%02d", i))
		if want := fmt.Sprintf("svc-%02d/prod/values.yaml", i); out != want {
			t.Errorf("deploy %d changed %q, want %q", i, out, want)
		}
	}
	if most, _ := processes(); most > 4 {
		t.Errorf("%d git processes at the same time, want 4 at most", most)
	}
	if found := leftovers(t, dir); len(found) > 0 {
		t.Errorf("left behind: %q", found)
	}
}

// TestFiveHundredWakesOverFiftyRepositories: what a shared storm of webhooks asks
// of the mirrors.
func TestFiveHundredWakesOverFiftyRepositories(t *testing.T) {
	t.Parallel()
	git, processes := counted(t)
	s := newServer(t)
	o := s.newOrigin("template")
	tip := o.commit("first", map[string]string{"a": "1"})
	o.push()
	seen := &observed{}
	store, dir := newStore(t, func(o *gitrepo.Options) { o.Observer, o.Git, o.Processes = seen.observe, git, 4 })
	var wg sync.WaitGroup
	begin := make(chan struct{})
	start := time.Now()
	for i := range 50 {
		name := fmt.Sprintf("r%02d", i)
		run(t, s.root, "cp", "-r", "template.git", name+".git")
		remote := s.remote(&origin{name: name})
		for range 10 {
			wg.Go(func() {
				<-begin
				refs, err := store.Open(remote).Fetch(t.Context())
				if diff := cmp.Diff(promotion.Refs{mainRef: tip}, refs); err != nil || diff != "" {
					t.Errorf("%s: error %v, refs (-want +got):\n%s", name, err, diff)
				}
			})
		}
	}
	close(begin)
	wg.Wait()
	most, all := processes()
	t.Logf("500 wakes took %v and %d git processes, %d at the same time", time.Since(start), all, most)
	if n := seen.get("clone"); n != 50 {
		t.Errorf("%d clones, want one for each of 50 repositories", n)
	}
	if n := seen.get("fetch"); n > 150 {
		t.Errorf("%d fetches for 500 wakes", n)
	}
	if most > 4 {
		t.Errorf("%d git processes at the same time, want 4 at most", most)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.git"))
	if err != nil || len(found) != 50 {
		t.Errorf("%d mirrors, error %v: %s", len(found), err, strings.Join(found, " "))
	}
}
