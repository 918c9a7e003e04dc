// Package queuetest is what every engine of the queue has to pass.
//
// An engine's test calls [Run] with a function that opens the engine, and its
// TestMain calls [Child] first, so that the suite can run the engine in a process
// of its own and kill it.
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/state/queue"
)

// Open opens the engine on the named store: a folder of its own that the suite
// made, whose name an engine without files may take as the name of a schema.
// Opening the same store again is a restart. Options are to be used as given.
type Open func(ctx context.Context, store string, options queue.Options) (queue.Queue, error)

// Debounce and Lease are what the suite runs engines with.
const (
	Debounce = time.Second
	Lease    = time.Minute
)

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	cases := []struct {
		name string
		test func(*testing.T, *fixture)
	}{
		{"an empty queue gives nothing", emptyGivesNothing},
		{"wakes of a key within the debounce make one run", debounceMakesOneRun},
		{"later wakes do not put a run off", laterWakesDoNotPutOff},
		{"a wake during a run makes exactly one more", wakeDuringRun},
		{"a wake without a key stores none of its companions", wakesAreOneTransaction},
		{"the newest note that says anything is handed over", newestNote},
		{"one key is never claimed twice at once", noOverlap},
		{"the longest due key comes first", longestDueFirst},
		{"the earliest of several timers counts", earliestTimer},
		{"a timer set during a run is kept", timerDuringRun},
		{"timers survive a restart", timersSurviveRestart},
		{"the worker's own timer brings the key back", ownTimer},
		{"a failed run stays due and waits its backoff", failedRunWaits},
		{"a wake does not defeat the backoff", wakeDoesNotDefeatBackoff},
		{"a success forgets failures", successForgetsFailures},
		{"a released run is due at once and counts no attempt", releasedRun},
		{"an expired lease gives the key away and fences the first worker", expiredLease},
		{"a renewed lease holds", renewedLease},
		{"a finished claim is refused a second end", finishedTwice},
		{"open claims are due again after a restart", claimsAfterRestart},
		{"a wake is signalled", wakeIsSignalled},
		{"a cancelled wake is stored whole or not at all", cancelledWake},
		{"stats tell due, running, scheduled and failing", statsTell},
		{"no wake is lost between hundreds of wakes and runs at once", noLostWakeUp},
		{"nothing acknowledged is lost by kill -9", killed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := &fixture{t: t, open: open, store: t.TempDir(), now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
			f.reopen()
			t.Cleanup(func() {
				if f.q == nil {
					return
				}
				if err := f.q.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			c.test(t, f)
		})
	}
}

// fixture is one engine on one store with a clock that the test sets.
type fixture struct {
	t     *testing.T
	open  Open
	store string
	q     queue.Queue

	mu  sync.Mutex
	now time.Time
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func (f *fixture) reopen() {
	f.t.Helper()
	if f.q != nil {
		if err := f.q.Close(); err != nil {
			f.t.Fatalf("close: %v", err)
		}
		f.q = nil
	}
	q, err := f.open(f.t.Context(), f.store, queue.Options{Debounce: Debounce, Lease: Lease, Now: f.clock})
	if err != nil {
		f.t.Fatalf("open: %v", err)
	}
	f.q = q
}

func (f *fixture) wake(keys ...string) {
	f.t.Helper()
	wakes := make([]queue.Wake, 0, len(keys))
	for _, key := range keys {
		wakes = append(wakes, queue.Wake{Key: key})
	}
	if err := f.q.Wake(f.t.Context(), wakes...); err != nil {
		f.t.Fatalf("wake: %v", err)
	}
}

func (f *fixture) wakeAt(key string, in time.Duration) {
	f.t.Helper()
	if err := f.q.Wake(f.t.Context(), queue.Wake{Key: key, At: f.clock().Add(in)}); err != nil {
		f.t.Fatalf("wake: %v", err)
	}
}

func (f *fixture) claim(want string) queue.Item {
	f.t.Helper()
	item, ok, _, err := f.q.Claim(f.t.Context())
	if err != nil {
		f.t.Fatalf("claim: %v", err)
	}
	if !ok || item.Key != want {
		f.t.Fatalf("claimed %q (%v), want %q", item.Key, ok, want)
	}
	return item
}

// claimNothing expects no due key, and the next one in the given time (negative:
// none at all).
func (f *fixture) claimNothing(next time.Duration) {
	f.t.Helper()
	item, ok, at, err := f.q.Claim(f.t.Context())
	if err != nil {
		f.t.Fatalf("claim: %v", err)
	}
	if ok {
		f.t.Fatalf("claimed %q, want nothing", item.Key)
	}
	var want time.Time
	if next >= 0 {
		want = f.clock().Add(next)
	}
	if !at.Equal(want) {
		f.t.Fatalf("the next look is at %v, want %v", at, want)
	}
}

func (f *fixture) finish(item queue.Item, outcome queue.Outcome) {
	f.t.Helper()
	if err := f.q.Finish(f.t.Context(), item, outcome); err != nil {
		f.t.Fatalf("finish: %v", err)
	}
}

func (f *fixture) refused(what string, err error) {
	f.t.Helper()
	if !errors.Is(err, queue.ErrLeaseLost) {
		f.t.Fatalf("%s: got %v, want %v", what, err, queue.ErrLeaseLost)
	}
}

func emptyGivesNothing(_ *testing.T, f *fixture) { f.claimNothing(-1) }

func debounceMakesOneRun(_ *testing.T, f *fixture) {
	for range 20 {
		f.wake("a")
		f.pass(Debounce / 50)
	}
	f.claimNothing(Debounce - 20*Debounce/50)
	f.pass(Debounce)
	f.finish(f.claim("a"), queue.Outcome{})
	f.pass(time.Hour)
	f.claimNothing(-1)
}

func laterWakesDoNotPutOff(_ *testing.T, f *fixture) {
	f.wake("a")
	f.pass(Debounce - time.Millisecond)
	f.wake("a")
	f.pass(time.Millisecond)
	f.claim("a")
}

func wakeDuringRun(_ *testing.T, f *fixture) {
	f.wake("a")
	f.pass(Debounce)
	item := f.claim("a")
	for range 1000 {
		f.wake("a")
	}
	f.pass(Debounce)
	f.claimNothing(Lease - Debounce) // not beside the running one
	f.finish(item, queue.Outcome{})
	f.finish(f.claim("a"), queue.Outcome{})
	f.pass(time.Hour)
	f.claimNothing(-1)
}

func wakesAreOneTransaction(t *testing.T, f *fixture) {
	if err := f.q.Wake(t.Context(), queue.Wake{Key: "a"}, queue.Wake{}); err == nil {
		t.Fatal("a wake without a key was taken")
	}
	f.pass(time.Hour)
	f.claimNothing(-1)
}

func newestNote(t *testing.T, f *fixture) {
	for _, note := range []string{"old", "new", ""} {
		if err := f.q.Wake(t.Context(), queue.Wake{Key: "a", Note: note}); err != nil {
			t.Fatal(err)
		}
	}
	f.pass(Debounce)
	if got := f.claim("a").Note; got != "new" {
		t.Fatalf("note %q, want %q", got, "new")
	}
}

func noOverlap(_ *testing.T, f *fixture) {
	f.wake("a", "b")
	f.pass(Debounce)
	f.claim("a")
	f.claim("b")
	f.claimNothing(Lease)
}

func longestDueFirst(_ *testing.T, f *fixture) {
	f.wakeAt("c", 3*time.Second)
	f.wakeAt("a", 2*time.Second)
	f.wakeAt("b", time.Second)
	f.pass(time.Minute)
	f.claim("b")
	f.claim("a")
	f.claim("c")
}

func earliestTimer(_ *testing.T, f *fixture) {
	f.wakeAt("a", time.Hour)
	f.wakeAt("a", time.Minute)
	f.wakeAt("a", 2*time.Hour)
	f.claimNothing(time.Minute)
	f.pass(time.Minute)
	f.claim("a")
}

func timerDuringRun(_ *testing.T, f *fixture) {
	f.wake("a")
	f.pass(Debounce)
	item := f.claim("a")
	f.wakeAt("a", time.Hour)
	f.finish(item, queue.Outcome{Next: f.clock().Add(2 * time.Hour)})
	f.claimNothing(time.Hour)
}

func timersSurviveRestart(_ *testing.T, f *fixture) {
	f.wakeAt("a", time.Hour)
	f.reopen()
	f.claimNothing(time.Hour)
	f.pass(time.Hour)
	f.claim("a")
}

func ownTimer(_ *testing.T, f *fixture) {
	f.wake("a")
	f.pass(Debounce)
	f.finish(f.claim("a"), queue.Outcome{Next: f.clock().Add(time.Minute)})
	f.claimNothing(time.Minute)
	f.pass(time.Minute)
	f.claim("a")
}

func failedRunWaits(t *testing.T, f *fixture) {
	f.wake("a")
	f.pass(Debounce)
	first := f.claim("a")
	f.finish(first, queue.Outcome{Failed: true, NotBefore: f.clock().Add(time.Minute)})
	f.claimNothing(time.Minute)
	f.pass(time.Minute)
	second := f.claim("a")
	want := queue.Item{Key: "a", Token: first.Token + 1, Attempt: 1, Due: first.Due, Lease: Lease}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Fatalf("second claim (-want +got):\n%s", diff)
	}
}

func wakeDoesNotDefeatBackoff(_ *testing.T, f *fixture) {
	f.wake("a")
	f.pass(Debounce)
	f.finish(f.claim("a"), queue.Outcome{Failed: true, NotBefore: f.clock().Add(time.Hour)})
	f.wake("a")
	f.wakeAt("a", time.Second)
	f.claimNothing(time.Hour)
	f.reopen()
	f.claimNothing(time.Hour)
}

func successForgetsFailures(t *testing.T, f *fixture) {
	f.wake("a")
	f.pass(Debounce)
	f.finish(f.claim("a"), queue.Outcome{Failed: true, NotBefore: f.clock().Add(time.Hour)})
	f.pass(time.Hour)
	f.finish(f.claim("a"), queue.Outcome{})
	f.wake("a")
	f.pass(Debounce)
	if got := f.claim("a").Attempt; got != 0 {
		t.Fatalf("attempt %d after a success, want 0", got)
	}
}

func releasedRun(t *testing.T, f *fixture) {
	f.wake("a")
	f.pass(Debounce)
	f.finish(f.claim("a"), queue.Outcome{Released: true})
	if got := f.claim("a").Attempt; got != 0 {
		t.Fatalf("attempt %d after a release, want 0", got)
	}
}

func expiredLease(t *testing.T, f *fixture) {
	f.wake("a")
	f.pass(Debounce)
	first := f.claim("a")
	f.pass(Lease)
	second := f.claim("a")
	if second.Token <= first.Token {
		t.Fatalf("token %d after %d, want a higher one", second.Token, first.Token)
	}
	f.refused("renew by the first", f.q.Renew(t.Context(), first))
	f.refused("finish by the first", f.q.Finish(t.Context(), first, queue.Outcome{}))
	f.refused("failure by the first", f.q.Finish(t.Context(), first, queue.Outcome{Failed: true}))
	f.pass(Lease - time.Second)
	f.claimNothing(time.Second) // the second's lease is untouched
	f.finish(second, queue.Outcome{})
	f.pass(time.Hour)
	f.claimNothing(-1)
}

func renewedLease(t *testing.T, f *fixture) {
	f.wake("a")
	f.pass(Debounce)
	item := f.claim("a")
	for range 5 {
		f.pass(Lease - time.Second)
		if err := f.q.Renew(t.Context(), item); err != nil {
			t.Fatalf("renew: %v", err)
		}
	}
	f.pass(Lease - time.Second)
	f.claimNothing(time.Second)
	f.finish(item, queue.Outcome{})
}

func finishedTwice(t *testing.T, f *fixture) {
	f.wake("a")
	f.pass(Debounce)
	item := f.claim("a")
	f.finish(item, queue.Outcome{})
	f.refused("second finish", f.q.Finish(t.Context(), item, queue.Outcome{Failed: true}))
	f.refused("renew after finish", f.q.Renew(t.Context(), item))
	f.pass(time.Hour)
	f.claimNothing(-1)
}

func claimsAfterRestart(t *testing.T, f *fixture) {
	f.wake("a")
	f.pass(Debounce)
	dead := f.claim("a")
	f.reopen()
	if shared, ok := f.q.(interface{ Shared() bool }); ok && shared.Shared() {
		f.pass(Lease) // other replicas may live: their leases have to end
	}
	item := f.claim("a")
	if item.Token <= dead.Token {
		t.Fatalf("token %d after %d, want a higher one", item.Token, dead.Token)
	}
	f.refused("finish by the dead", f.q.Finish(t.Context(), dead, queue.Outcome{}))
}

func wakeIsSignalled(t *testing.T, f *fixture) {
	select { // what opening may have signalled
	case <-f.q.Changed():
	default:
	}
	f.wake("a")
	select {
	case <-f.q.Changed():
	case <-time.After(10 * time.Second):
		t.Fatal("no signal after a wake")
	}
}

func cancelledWake(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.q.Wake(ctx, queue.Wake{Key: "a"}, queue.Wake{Key: "b"}); err == nil {
		t.Fatal("a wake under a cancelled context was acknowledged")
	}
	f.wake("c") // the engine goes on
	f.pass(Debounce)
	f.claim("c")
}

func statsTell(t *testing.T, f *fixture) {
	f.wake("running", "failing", "due")
	f.pass(Debounce)
	due := f.clock()
	first := f.claim("due")
	f.finish(f.claim("failing"), queue.Outcome{Failed: true, NotBefore: f.clock().Add(time.Hour)})
	f.claim("running")
	f.finish(first, queue.Outcome{Released: true})
	f.wakeAt("timer", time.Hour)
	f.pass(time.Second)
	got, err := f.q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := queue.Stats{Due: 1, Running: 1, Scheduled: 2, Failing: 1, OldestDue: due}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("stats (-want +got):\n%s", diff)
	}
}

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
