package gitrepo_test

import (
	"context"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// TestPushesArePaced asks for a push that the pace allows only in a minute.
func TestPushesArePaced(t *testing.T) {
	t.Parallel()
	sc := newScene(t, func(o *gitrepo.Options) { o.PushesPerMinute = 1 })
	base := sc.origin.commit("base", nil)
	sc.origin.push()
	sc.fetch()
	sc.push(false, promotion.RefUpdate{Ref: ledger, New: base})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	results, err := sc.repo.Push(ctx, []promotion.RefUpdate{{Ref: "refs/heads/next", New: base}}, false)
	if err == nil || results[0].Status != promotion.Unknown || sc.origin.at("refs/heads/next") != "" {
		t.Errorf("got %+v, error %v, remote at %q; want that nothing was pushed", results, err, sc.origin.at("refs/heads/next"))
	}
}

// TestPushAt: the pace is asked without being used up, per repository.
func TestPushAt(t *testing.T) {
	t.Parallel()
	sc := newScene(t, func(o *gitrepo.Options) { o.PushesPerMinute = 2 })
	base := sc.origin.commit("base", nil)
	sc.origin.push()
	sc.fetch()
	allowed := func() bool { return !sc.repo.PushAt().After(time.Now()) }
	for range 10 {
		if !allowed() {
			t.Fatal("asking used up the pace")
		}
	}
	sc.push(false, promotion.RefUpdate{Ref: ledger, New: base})
	if !allowed() {
		t.Error("two pushes a minute: the second must be allowed at once")
	}
	sc.push(false, promotion.RefUpdate{Ref: "refs/heads/two", New: base})
	at := sc.repo.PushAt()
	if wait := time.Until(at); wait < 10*time.Second || wait > 30*time.Second {
		t.Errorf("the third is allowed in %v, want about 30 s", wait)
	}
	if again := sc.repo.PushAt(); again.Sub(at).Abs() > time.Second {
		t.Errorf("asked again, it is allowed at %v, not at %v", again, at)
	}
	other := sc.server.remote(sc.origin)
	other.Key = "other"
	if at := sc.store.Open(other).PushAt(); at.After(time.Now()) {
		t.Errorf("another repository waits until %v", at)
	}
	unpaced, _ := newStore(t, nil)
	if at := unpaced.Open(other).PushAt(); !at.IsZero() {
		t.Errorf("without a pace it is %v", at)
	}
}
