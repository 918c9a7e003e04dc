package queue_test

// The pool runs on the real engine, in synctest's time: waits take no time and
// "nothing happens for an hour" can be asserted.

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/state/queue"
)

// world is a pool under test: what ran, and when.
type world struct {
	t      *testing.T
	q      *queue.SQLite
	start  time.Time
	cancel context.CancelFunc
	ended  chan struct{}

	release chan struct{} // for handlers that wait

	mu      sync.Mutex
	ran     []string // "key at seconds"
	results []queue.Result
}

// inWorld runs test with a pool whose handler is handle.
func inWorld(t *testing.T, pool queue.Pool, handle func(*world, context.Context, queue.Item) (time.Time, error), test func(*world)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queue.db")
	synctest.Test(t, func(t *testing.T) {
		q, err := queue.Open(t.Context(), path, queue.Options{}, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		w := &world{t: t, q: q, start: time.Now(), cancel: cancel, ended: make(chan struct{}), release: make(chan struct{})}
		pool.Queue = q
		pool.Random = func() float64 { return 0 }
		pool.Handle = func(ctx context.Context, item queue.Item) (time.Time, error) {
			w.mu.Lock()
			w.ran = append(w.ran, fmt.Sprintf("%s at %v", item.Key, time.Since(w.start)))
			w.mu.Unlock()
			return handle(w, ctx, item)
		}
		pool.Observe = func(r queue.Result) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.results = append(w.results, r)
		}
		go func() {
			defer close(w.ended)
			pool.Run(ctx)
		}()
		test(w)
		cancel()
		<-w.ended
		closeQueue(t, q)
	})
}

func (w *world) wake(key string) {
	w.t.Helper()
	if err := w.q.Wake(w.t.Context(), queue.Wake{Key: key}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) wantRuns(want ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(want, w.ran, cmpopts.EquateEmpty()); diff != "" {
		w.t.Fatalf("runs (-want +got):\n%s", diff)
	}
}

func (w *world) stats() queue.Stats {
	w.t.Helper()
	stats, err := w.q.Stats(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return stats
}

func succeed(*world, context.Context, queue.Item) (time.Time, error) { return time.Time{}, nil }

func TestPoolRunsASwarmOnce(t *testing.T) {
	inWorld(t, queue.Pool{}, succeed, func(w *world) {
		for range 100 {
			w.wake("a")
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		w.wantRuns("a at 1s")
	})
}

func TestPoolWaitsForTimersWithoutPolling(t *testing.T) {
	handle := func(w *world, _ context.Context, _ queue.Item) (time.Time, error) {
		if time.Since(w.start) > time.Hour {
			return time.Time{}, nil
		}
		return time.Now().Add(25 * time.Minute), nil
	}
	inWorld(t, queue.Pool{}, handle, func(w *world) {
		w.wake("a")
		time.Sleep(3 * time.Hour)
		w.wantRuns("a at 1s", "a at 25m1s", "a at 50m1s", "a at 1h15m1s")
	})
}

func TestPoolDoesNotSpinOnTimersInThePast(t *testing.T) {
	handle := func(*world, context.Context, queue.Item) (time.Time, error) { return time.Unix(1, 0), nil }
	inWorld(t, queue.Pool{}, handle, func(w *world) {
		w.wake("a")
		time.Sleep(3*time.Second + time.Millisecond)
		w.wantRuns("a at 1s", "a at 2s", "a at 3s")
	})
}

func TestPoolBacksOffAndRecovers(t *testing.T) {
	handle := func(_ *world, _ context.Context, item queue.Item) (time.Time, error) {
		switch item.Attempt {
		case 0:
			return time.Time{}, errors.New("502")
		case 1:
			panic("surprise")
		case 2:
			return time.Now().Add(time.Hour), errors.New("rate limited")
		}
		return time.Time{}, nil
	}
	pool := queue.Pool{Backoff: queue.Backoff{Base: 8 * time.Second, Max: time.Minute}}
	inWorld(t, pool, handle, func(w *world) {
		w.wake("a")
		time.Sleep(30 * time.Minute)
		w.wake("a") // does not defeat the hour
		time.Sleep(2 * time.Hour)
		w.wantRuns("a at 1s", "a at 5s", "a at 13s", "a at 1h0m13s")
		if got := w.stats(); got != (queue.Stats{}) {
			t.Errorf("stats %+v, want none left", got)
		}
	})
}

func TestPoolWakeDuringARunMakesOneMore(t *testing.T) {
	handle := func(w *world, _ context.Context, _ queue.Item) (time.Time, error) {
		<-w.release
		return time.Time{}, nil
	}
	inWorld(t, queue.Pool{Workers: 3}, handle, func(w *world) {
		w.wake("a")
		time.Sleep(10 * time.Second)
		for range 50 {
			w.wake("a")
		}
		time.Sleep(10 * time.Second)
		w.wantRuns("a at 1s")
		close(w.release)
		time.Sleep(time.Hour)
		w.wantRuns("a at 1s", "a at 20s")
	})
}

func TestPoolKeepsALongRunAloneByHeartbeat(t *testing.T) {
	handle := func(_ *world, ctx context.Context, _ queue.Item) (time.Time, error) {
		select {
		case <-time.After(20 * time.Minute):
			return time.Time{}, nil
		case <-ctx.Done():
			return time.Time{}, context.Cause(ctx)
		}
	}
	inWorld(t, queue.Pool{}, handle, func(w *world) {
		w.wake("a")
		time.Sleep(time.Hour)
		w.wantRuns("a at 1s")
		if len(w.results) != 1 || w.results[0].Err != nil || w.results[0].Took != 20*time.Minute {
			t.Errorf("results %+v", w.results)
		}
	})
}

func TestPoolRunsAtMostWorkersAtOnceAndOneSlowKeyDelaysNoOther(t *testing.T) {
	handle := func(_ *world, _ context.Context, item queue.Item) (time.Time, error) {
		if item.Key == "slow" {
			time.Sleep(10 * time.Minute)
		} else {
			time.Sleep(time.Minute)
		}
		return time.Time{}, nil
	}
	inWorld(t, queue.Pool{Workers: 2}, handle, func(w *world) {
		w.wake("slow")
		time.Sleep(10 * time.Millisecond)
		w.wake("a")
		time.Sleep(10 * time.Millisecond)
		w.wake("b")
		time.Sleep(10 * time.Millisecond)
		w.wake("c")
		time.Sleep(time.Hour)
		w.wantRuns("slow at 1s", "a at 1.01s", "b at 1m1.01s", "c at 2m1.01s")
	})
}

func TestPoolStopsGracefully(t *testing.T) {
	cases := []struct {
		name    string
		takes   time.Duration
		stopped bool
		ends    time.Duration // of the pool, after the stop
	}{
		{"work that ends within the grace is finished", 20 * time.Second, false, 10 * time.Second},
		{"work that does not is left for the next start", time.Hour, true, 15 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			handle := func(_ *world, ctx context.Context, _ queue.Item) (time.Time, error) {
				select {
				case <-time.After(c.takes):
					return time.Time{}, nil
				case <-ctx.Done():
					return time.Time{}, ctx.Err()
				}
			}
			inWorld(t, queue.Pool{Grace: 15 * time.Second}, handle, func(w *world) {
				w.wake("a")
				time.Sleep(11 * time.Second)
				w.wake("later")
				w.cancel()
				stopped := time.Now()
				<-w.ended
				if got := time.Since(stopped); got != c.ends {
					t.Errorf("stopped after %v, want %v", got, c.ends)
				}
				w.wantRuns("a at 1s")
				if w.results[0].Stopped != c.stopped {
					t.Errorf("result %+v", w.results[0])
				}
				want := queue.Stats{Due: 1}
				if c.stopped {
					want.Due = 2
				}
				got := w.stats()
				got.OldestDue = time.Time{}
				if got != want {
					t.Errorf("stats %+v, want %+v", got, want)
				}
			})
		})
	}
}
