package queue_test

// What the pool does when the queue itself fails it: the lease goes to somebody
// else, renewals fail, claims fail.

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/state/queue"
)

// failing is a queue whose answers a test spoils.
type failing struct {
	queue.Queue
	renew func(context.Context) error
	claim func() error
}

func (f failing) Renew(ctx context.Context, item queue.Item) error {
	if f.renew != nil {
		return f.renew(ctx)
	}
	return f.Queue.Renew(ctx, item)
}

func (f failing) Claim(ctx context.Context) (queue.Item, bool, time.Time, error) {
	if f.claim != nil {
		if err := f.claim(); err != nil {
			return queue.Item{}, false, time.Time{}, err
		}
	}
	return f.Queue.Claim(ctx)
}

func TestPoolCancelsWorkWhoseLeaseIsLost(t *testing.T) {
	cases := []struct {
		name  string
		renew func(context.Context) error
		after time.Duration
	}{
		{"taken by another", func(context.Context) error { return queue.ErrLeaseLost }, 20 * time.Second},
		{"renewals fail", func(context.Context) error { return errors.New("disk full") }, 40 * time.Second},
		{"renewals hang", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 40 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				q, err := openSQLite(t.Context(), folder, queue.Options{Lease: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				defer closeQueue(t, q)
				if err := q.Wake(t.Context(), queue.Wake{Key: "a"}); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				result := make(chan queue.Result, 1)
				pool := queue.Pool{
					Queue: failing{Queue: q, renew: c.renew},
					Handle: func(ctx context.Context, _ queue.Item) (time.Time, error) {
						<-ctx.Done()
						return time.Time{}, context.Cause(ctx)
					},
					Observe: func(r queue.Result) { result <- r; cancel() },
					Log:     zerolog.Nop(),
				}
				pool.Run(ctx)
				got := <-result
				if got.Took != c.after || !errors.Is(got.Err, queue.ErrLeaseLost) {
					t.Errorf("result %+v, want lease lost after %v", got, c.after)
				}
				if _, ok, next, err := q.Claim(t.Context()); ok || err != nil || next.IsZero() {
					t.Errorf("claim at once: %v %v %v; the key has to wait for the lease's end", ok, next, err)
				}
				time.Sleep(time.Minute)
				if item, ok, _, err := q.Claim(t.Context()); !ok || err != nil || item.Attempt != 0 {
					t.Errorf("claim after the lease: %+v %v %v", item, ok, err)
				}
			})
		})
	}
}

func TestPoolOutlivesAQueueThatFails(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		q, err := openSQLite(t.Context(), folder, queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer closeQueue(t, q)
		if err := q.Wake(t.Context(), queue.Wake{Key: "a"}); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		var claims atomic.Int32
		ctx, cancel := context.WithCancel(t.Context())
		pool := queue.Pool{
			Queue: failing{Queue: q, claim: func() error {
				if claims.Add(1) <= 5 {
					return errors.New("disk full")
				}
				return nil
			}},
			Handle:  func(context.Context, queue.Item) (time.Time, error) { cancel(); return time.Time{}, nil },
			Backoff: queue.Backoff{Base: 2 * time.Second, Max: 8 * time.Second},
			Random:  func() float64 { return 0 },
		}
		pool.Run(ctx)
		if got := time.Since(started); got != 15*time.Second {
			t.Errorf("ran after %v, want 15s (1+2+4+4+4)", got)
		}
	})
}
