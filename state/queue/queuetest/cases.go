// The cases of the suite that need one caller and a clock. Each reads as a
// sequence of wakes, passing time, claims and ends.

package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/state/queue"
)

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
	case <-time.After(time.Minute):
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
