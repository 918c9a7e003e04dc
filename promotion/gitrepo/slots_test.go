package gitrepo_test

// Who waits for whom: pushes and reads go on while clones and fetches of other
// repositories take all the seats they may have.

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// slowRemotes are repositories whose remote does not answer until released.
type slowRemotes struct {
	wg      sync.WaitGroup
	proceed chan struct{}
	waiting chan string // the path of each request that is being held
}

// occupy lets many fetches of new mirrors, and as many of mirrors that are there,
// wait for a remote that does not answer.
func (sc *scene) occupy(n int) *slowRemotes {
	sc.t.Helper()
	repository := func(i int) *gitrepo.Repository {
		remote := sc.server.remote(sc.origin)
		remote.Key = fmt.Sprintf("slow-%d", i)
		return sc.store.Open(remote)
	}
	for i := range n {
		if _, err := repository(i).Fetch(sc.t.Context()); err != nil {
			sc.t.Fatal(err)
		}
	}
	s := &slowRemotes{proceed: make(chan struct{}), waiting: make(chan string, 2*n)}
	sc.server.inject(func(kind string, _ http.ResponseWriter, req *http.Request, _ http.Handler) bool {
		if kind != "advertise git-upload-pack" {
			return false
		}
		s.waiting <- req.URL.Path
		select {
		case <-s.proceed:
		case <-req.Context().Done():
		}
		return false
	})
	for i := range 2 * n { // half of them are there, half must be cloned
		s.wg.Go(func() {
			if _, err := repository(i).Fetch(context.WithoutCancel(sc.t.Context())); err != nil {
				sc.t.Errorf("a slow one: %v", err)
			}
		})
	}
	return s
}

func (s *slowRemotes) release() {
	close(s.proceed)
	s.wg.Wait()
}

func TestAPushNeverQueuesBehindFetches(t *testing.T) {
	t.Parallel()
	sc := newScene(t, func(o *gitrepo.Options) { o.Processes = 4 })
	base := sc.origin.commit("base", map[string]string{"a": "1", "b": "2"})
	blob := run(t, sc.origin.work, "git", "rev-parse", "HEAD:a")
	now := sc.origin.commit("later", map[string]string{"a": "3"})
	sc.origin.push()
	sc.fetch()
	slow := sc.occupy(6)
	<-slow.waiting
	<-slow.waiting        // as many as may run at a time, of the kind that takes long
	sc.server.inject(nil) // those two are held on, and their seats with them

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	// An older blob, which the push must have fetched before.
	ids, err := sc.repo.Commit(ctx, []promotion.NewCommit{{
		Base: now, Parents: []string{now}, Author: bot, Time: noon, Message: "mine",
		Edits: []content.Edit{{Path: "c", Mode: "100644", Blob: blob}},
	}})
	if err != nil {
		t.Fatalf("a commit beside slow fetches: %v", err)
	}
	res, err := sc.repo.Push(ctx, []promotion.RefUpdate{{Ref: mainRef, Old: now, New: ids[0]}}, false)
	if err != nil || res[0].Status != promotion.Pushed {
		t.Fatalf("a push beside slow fetches: %+v, %v", res, err)
	}
	t.Logf("commit and push beside slow fetches took %v", time.Since(start))
	if n := sc.seen.get("blobs"); n != 1 {
		t.Errorf("%d fetches of blobs, want 1: this push was to need one", n)
	}
	if _, err := sc.repo.Chain(ctx, base, "", 0); err != nil {
		t.Errorf("reading beside slow fetches: %v", err)
	}
	slow.release()
}

// TestAFetchNeverQueuesBehindClones: clones take longest.
func TestAFetchNeverQueuesBehindClones(t *testing.T) {
	t.Parallel()
	sc := newScene(t, func(o *gitrepo.Options) { o.Processes = 4 })
	sc.origin.commit("base", nil)
	sc.origin.push()
	sc.fetch()
	large := sc.server.newOrigin("large")
	large.commit("base", nil)
	large.push()
	proceed := make(chan struct{})
	cloning := make(chan struct{}, 1)
	sc.server.inject(func(_ string, _ http.ResponseWriter, req *http.Request, _ http.Handler) bool {
		if strings.HasPrefix(req.URL.Path, "/large.git") {
			select {
			case cloning <- struct{}{}:
			default:
			}
			select {
			case <-proceed:
			case <-req.Context().Done():
			}
		}
		return false
	})
	var wg sync.WaitGroup
	for i := range 6 {
		remote := sc.server.remote(large)
		remote.Key = fmt.Sprintf("new-%d", i)
		wg.Go(func() {
			if _, err := sc.store.Open(remote).Fetch(context.WithoutCancel(t.Context())); err != nil {
				t.Errorf("a clone: %v", err)
			}
		})
	}
	release := sync.OnceFunc(func() { close(proceed) })
	defer release()
	<-cloning
	until(t, "all clones began", func() bool {
		found, err := filepath.Glob(filepath.Join(sc.dir, "new-*.git.half", "refs", "heads"))
		return err == nil && len(found) == 6
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := sc.repo.Fetch(ctx); err != nil {
		t.Errorf("a fetch beside clones: %v", err)
	}
	release()
	wg.Wait()
}
