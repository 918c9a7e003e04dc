package gitrepo_test

// The disk budget: mirrors that were not used for longest go, those in use never.

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// noise is text of about so many bytes that hardly compresses.
func noise(seed byte, n int) string {
	data := make([]byte, n/2)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return hex.EncodeToString(data)
}

// shelf is a store with a budget for two mirrors and a half, and repositories.
type shelf struct {
	*scene
	origins []*origin
}

func newShelf(t *testing.T, repositories int, change func(*gitrepo.Options)) *shelf {
	t.Helper()
	s := &shelf{scene: &scene{t: t, server: newServer(t), seen: &observed{}}}
	for i := range repositories {
		o := s.server.newOrigin(fmt.Sprint(i))
		// Messages are in a mirror without blobs, too.
		o.commit(noise(byte(i), 200_000), map[string]string{"a": "1"})
		o.push()
		s.origins = append(s.origins, o)
	}
	s.store, s.dir = newStore(t, func(o *gitrepo.Options) {
		o.Observer = s.seen.observe
		o.MaxDisk = 300_000 // each takes about 120,000
		o.MinIdle = time.Nanosecond
		if change != nil {
			change(o)
		}
	})
	return s
}

func (s *shelf) open(i int) *gitrepo.Repository {
	return s.store.Open(s.server.remote(s.origins[i]))
}

func (s *shelf) fetch(i int) {
	s.t.Helper()
	if refs, err := s.open(i).Fetch(s.t.Context()); err != nil || refs[mainRef] == "" {
		s.t.Fatalf("repository %d: %v, %v", i, refs, err)
	}
}

// kept are the mirrors on disk.
func (s *shelf) kept() []string {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(s.dir, "*.git"))
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, filepath.Base(f))
	}
	return names
}

// keeps waits until these mirrors and no others are on disk.
func (s *shelf) keeps(want ...string) {
	s.t.Helper()
	until(s.t, fmt.Sprintf("the mirrors are %q", want), func() bool { return cmp.Equal(want, s.kept()) })
}

func TestMirrorsUnusedForLongestGo(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 4, nil)
	s.fetch(0)
	s.fetch(1)
	s.keeps("0.git", "1.git")
	s.fetch(0) // used again: 1 is now the oldest
	s.fetch(2)
	s.keeps("0.git", "2.git")
	s.fetch(1) // cloned anew
	s.keeps("1.git", "2.git")
	if n := s.seen.get("clone"); n != 4 {
		t.Errorf("%d clones, want 4: of three, and of one again", n)
	}
}

func TestAMirrorInUseIsNeverRemoved(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 4, nil)
	held := s.open(0)
	release := held.Hold()
	s.fetch(0)
	at := s.origins[0].at(mainRef)
	s.fetch(1)
	s.fetch(2)
	s.keeps("0.git", "2.git")
	s.fetch(3)
	s.keeps("0.git", "3.git")
	if _, err := held.List(t.Context(), at, []string{""}); err != nil {
		t.Errorf("reading the mirror that is held: %v", err)
	}
	release() // which counts as a use
	s.fetch(2)
	s.keeps("0.git", "2.git")
	s.fetch(1)
	s.keeps("1.git", "2.git")
}

func TestAMirrorUsedALittleAgoStays(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 4, func(o *gitrepo.Options) { o.MinIdle = time.Hour })
	for i := range 4 {
		s.fetch(i)
	}
	if err := s.store.Close(); err != nil { // which waits for what goes on behind
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0.git", "1.git", "2.git", "3.git"}, s.kept()); diff != "" {
		t.Errorf("mirrors (-want +got):\n%s", diff)
	}
	s.store, _ = newStore(t, func(o *gitrepo.Options) { o.Dir = s.dir })
}

// TestMirrorsOfEarlierRunsGo: nobody opens them ever again.
func TestMirrorsOfEarlierRunsGo(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 4, func(o *gitrepo.Options) { o.MaxDisk = 0 })
	for i := range 4 {
		s.fetch(i)
	}
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		old := time.Now().Add(-time.Duration(i+1) * time.Hour)
		if err := os.Chtimes(filepath.Join(s.dir, fmt.Sprintf("%d.git", i)), old, old); err != nil {
			t.Fatal(err)
		}
	}
	store, err := gitrepo.New(gitrepo.Options{Dir: s.dir, MaxDisk: 300_000, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	s.store = store
	s.keeps("0.git", "1.git")
	s.fetch(0)
	if n := s.seen.get("clone"); n != 4 {
		t.Errorf("%d clones, want 4: what was kept is whole", n)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 2, func(o *gitrepo.Options) { o.MaxDisk = 0 })
	s.fetch(0)
	s.fetch(1)
	if err := s.store.Forget("0"); err != nil {
		t.Fatal(err)
	}
	s.keeps("1.git")
	release := s.open(1).Hold()
	if err := s.store.Forget("1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.open(0).Commits(t.Context(), nil); err != nil { // someone else's mirror
		t.Error(err)
	}
	s.keeps("1.git")
	release()
	s.keeps()
	s.fetch(1)
	if n := s.seen.get("clone"); n != 3 {
		t.Errorf("%d clones, want 3", n)
	}
	if err := s.store.Forget("never opened"); err != nil {
		t.Error(err)
	}
}

// TestMirrorsComeAndGoUnderLoad has all repositories in use at once where there
// is room for a third: whoever holds one is never disturbed.
func TestMirrorsComeAndGoUnderLoad(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 6, nil)
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			for round := range 4 {
				i := (worker*5 + round*3) % 6
				if err := s.pass(i); err != nil {
					t.Errorf("repository %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	s.fetch(0)
	until(t, "the mirrors fit", func() bool { return len(s.kept()) <= 2 })
	if n := s.seen.get("clone"); n < 7 {
		t.Errorf("%d clones: no mirror ever went", n)
	}
}

// pass is what the loop does with a repository, as far as git goes.
func (s *shelf) pass(i int) error {
	repo := s.open(i)
	defer repo.Hold()()
	refs, err := repo.Fetch(s.t.Context())
	if err != nil {
		return err
	}
	base := refs[mainRef]
	if _, err := repo.Chain(s.t.Context(), base, "", 0); err != nil {
		return err
	}
	if _, _, _, err := repo.ReadFile(s.t.Context(), base, "a"); err != nil {
		return err
	}
	_, err = repo.Commit(s.t.Context(), []promotion.NewCommit{
		{Base: base, Parents: []string{base}, Edits: []content.Edit{write("b", "1")}, Author: bot, Time: noon, Message: "mine"},
	})
	return err
}
