// The case of the suite with many callers at once, where job queues lose wakes.

package queuetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/state/queue"
)

// noLostWakeUp has every waker raise a number and then wake; a run reads the
// number at its start. When all is quiet, the last run of each key must have
// read the last number, and no two runs of a key may have been at once.
func noLostWakeUp(t *testing.T, f *fixture) {
	const keys, wakesPerKey, workers = 8, 60, 4
	f.pass(Debounce)
	var (
		mu      sync.Mutex
		said    = map[string]int{}
		read    = map[string]int{}
		running = map[string]bool{}
		wakers  sync.WaitGroup
		pool    sync.WaitGroup
	)
	ctx := t.Context()
	done := make(chan struct{})
	for k := range keys {
		wakers.Go(func() {
			key := fmt.Sprintf("repository/%d", k)
			for range wakesPerKey {
				mu.Lock()
				said[key]++
				mu.Unlock()
				if err := f.q.Wake(ctx, queue.Wake{Key: key, At: f.clock()}); err != nil {
					t.Errorf("wake: %v", err)
				}
			}
		})
	}
	for range workers {
		pool.Go(func() {
			for {
				last := isClosed(done)
				item, ok, _, err := f.q.Claim(ctx)
				if err != nil {
					t.Errorf("claim: %v", err)
					return
				}
				if !ok {
					if last {
						return
					}
					continue
				}
				mu.Lock()
				if running[item.Key] {
					t.Errorf("two runs of %s at once", item.Key)
				}
				running[item.Key] = true
				read[item.Key] = said[item.Key]
				mu.Unlock()
				mu.Lock()
				running[item.Key] = false
				mu.Unlock()
				if err := f.q.Finish(ctx, item, queue.Outcome{}); err != nil {
					t.Errorf("finish: %v", err)
				}
			}
		})
	}
	wakers.Wait()
	close(done)
	pool.Wait()
	if diff := cmp.Diff(said, read); diff != "" {
		t.Fatalf("the last run missed a wake (-said +read):\n%s", diff)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
