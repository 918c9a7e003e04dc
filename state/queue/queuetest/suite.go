// Package queuetest is what every engine of the queue has to pass.
//
// An engine's test calls [Run] with a function that opens the engine, and its
// TestMain calls [Child] first, so that the suite can run the engine in a process
// of its own and kill it.
package queuetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

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
		{"letters wait, oldest first, until they are answered", lettersOldestFirst},
		{"a letter sent again is one letter, also after its answer", letterTwiceIsOne},
		{"letters are known, answered or not", lettersAreKnown},
		{"letters survive a restart", lettersSurviveRestart},
		{"a key with letters does not rest", lettersKeepAKeyDue},
		{"a letter during a run makes one more", letterDuringRun},
		{"letters go before 200 keys that have been due longer", lettersGoFirst},
		{"letters and wakes are one transaction", lettersAreOneTransaction},
		{"very many letters come in portions", lettersComeInPortions},
		{"cursors are kept", cursorsAreKept},
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
