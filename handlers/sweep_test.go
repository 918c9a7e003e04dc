package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
)

// estate is what is installed, and what the sweep woke when.
type estate struct {
	mu           sync.Mutex
	repositories map[int64][]handlers.Repository
	down         map[int64]bool // installations whose listing fails; 0: all of GitHub
	full         bool           // the queue takes nothing
	sweeps       []time.Time
	wakes        map[string][]time.Time
}

func (e *estate) Installations(context.Context) ([]int64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sweeps = append(e.sweeps, time.Now())
	if e.down[0] {
		return nil, errors.New("502")
	}
	return slices.Sorted(maps.Keys(e.repositories)), nil
}

func (e *estate) Repositories(_ context.Context, installation int64) ([]handlers.Repository, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down[installation] {
		return nil, errors.New("403")
	}
	return e.repositories[installation], nil
}

func (e *estate) WakeAt(_ context.Context, at time.Time, repositories ...handlers.Repository) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.full {
		return errors.New("disk full")
	}
	for _, repository := range repositories {
		e.wakes[repository.Key()] = append(e.wakes[repository.Key()], at)
	}
	return nil
}

func newEstate(installations, each int) *estate {
	e := &estate{repositories: map[int64][]handlers.Repository{}, down: map[int64]bool{}, wakes: map[string][]time.Time{}}
	id := int64(0)
	for installation := range installations {
		for range each {
			id++
			e.repositories[int64(installation+1)] = append(e.repositories[int64(installation+1)],
				handlers.Repository{InstallationID: int64(installation + 1), ID: id, Owner: "acme", Name: fmt.Sprint("r", id)})
		}
	}
	return e
}

// sweeping runs a sweeper over e in synctest's time.
func sweeping(t *testing.T, e *estate, registry *prometheus.Registry, test func(*handlers.Sweeper)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := handlers.NewSweeper(e, e, nil, 5*time.Minute, handlers.NewMetrics(registry), zerolog.Nop())
		if s.Ready(ctx) == nil {
			t.Error("ready before the first sweep")
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.Run(ctx)
		}()
		synctest.Wait()
		test(s)
		cancel()
		<-ended
	})
}

func TestSweepWakesAllAgainAndAgain(t *testing.T) {
	e := newEstate(3, 50)
	registry := prometheus.NewRegistry()
	sweeping(t, e, registry, func(s *handlers.Sweeper) {
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("after the first sweep: %v", err)
		}
		e.mu.Lock()
		start := e.sweeps[0]
		e.mu.Unlock()
		time.Sleep(time.Hour)
		synctest.Wait()
		e.mu.Lock()
		defer e.mu.Unlock()
		if n := len(e.sweeps); n < 11 || n > 15 {
			t.Errorf("%d sweeps in an hour, want about 12", n)
		}
		if len(e.wakes) != 150 {
			t.Errorf("%d repositories woken, want 150", len(e.wakes))
		}
		instants := map[time.Time]bool{}
		for key, times := range e.wakes {
			if len(times) != len(e.sweeps) {
				t.Errorf("%s woken %d times in %d sweeps", key, len(times), len(e.sweeps))
			}
			instants[times[0]] = true
			if late := times[0].Sub(start); late > 15*time.Second {
				t.Errorf("%s woken %v after the start", key, late)
			}
		}
		if len(instants) != 150 {
			t.Errorf("woken at %d instants, want them spread over 150", len(instants))
		}
	})
	if got := counted(t, registry, "promobot_sweeps_total")["complete"]; got < 11 {
		t.Errorf("%v complete sweeps counted", got)
	}
}

func TestSweepOfVeryManyEndsBeforeTheNext(t *testing.T) {
	e := newEstate(1, 20_000)
	sweeping(t, e, prometheus.NewRegistry(), func(*handlers.Sweeper) {
		e.mu.Lock()
		defer e.mu.Unlock()
		var last time.Time
		for _, times := range e.wakes {
			if times[0].After(last) {
				last = times[0]
			}
		}
		if took := last.Sub(e.sweeps[0]); took > 150*time.Second || took < 100*time.Second {
			t.Errorf("the last is woken after %v, want about half the interval", took)
		}
	})
}

func TestSweepFaults(t *testing.T) {
	cases := []struct {
		name  string
		spoil func(*estate)
		ready bool
		woken int
		count string
	}{
		{"one installation fails", func(e *estate) { e.down[2] = true }, true, 100, "partial"},
		{"GitHub is down", func(e *estate) { e.down[0] = true }, false, 0, "failed"},
		{"the queue takes nothing", func(e *estate) { e.full = true }, false, 0, "failed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := newEstate(3, 50)
			c.spoil(e)
			registry := prometheus.NewRegistry()
			sweeping(t, e, registry, func(s *handlers.Sweeper) {
				if ready := s.Ready(t.Context()) == nil; ready != c.ready {
					t.Errorf("ready: %v", ready)
				}
				if len(e.wakes) != c.woken {
					t.Errorf("%d woken, want %d", len(e.wakes), c.woken)
				}
				if got := counted(t, registry, "promobot_sweeps_total")[c.count]; got != 1 {
					t.Errorf("%v sweeps counted as %s, want 1", got, c.count)
				}
				time.Sleep(4*time.Second + 999*time.Millisecond)
				synctest.Wait()
				if len(e.sweeps) != 1 {
					t.Errorf("tried again at once: %v", e.sweeps)
				}
				e.mu.Lock()
				e.full = false
				clear(e.down)
				e.mu.Unlock()
				time.Sleep(time.Second)
				synctest.Wait()
				if err := s.Ready(t.Context()); err != nil || len(e.wakes) != 150 {
					t.Errorf("after the fault: %v, %d woken; want all soon", err, len(e.wakes))
				}
			})
		})
	}
}

func TestSweepRetriesBackOff(t *testing.T) {
	e := newEstate(1, 1)
	e.down[0] = true
	sweeping(t, e, prometheus.NewRegistry(), func(*handlers.Sweeper) {
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		var waits []time.Duration
		for n := 1; n < len(e.sweeps); n++ {
			waits = append(waits, e.sweeps[n].Sub(e.sweeps[n-1]))
		}
		s := time.Second
		want := []time.Duration{5 * s, 10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 300 * s, 300 * s}
		if diff := cmp.Diff(want, waits); diff != "" {
			t.Errorf("waits (-want +got):\n%s", diff)
		}
	})
}

func TestNudgeSweepsSoon(t *testing.T) {
	e := newEstate(1, 1)
	sweeping(t, e, prometheus.NewRegistry(), func(s *handlers.Sweeper) {
		time.Sleep(time.Minute)
		for range 10 {
			s.Nudge()
		}
		synctest.Wait()
		if n := len(e.sweeps); n < 2 || n > 3 {
			t.Errorf("%d sweeps, want one or two more", n)
		}
	})
}
