// The sweep looks at every installed repository at start-up and every few
// minutes, so that events which were lost, came late or were never sent change
// only when things happen, not whether. Rules: one installation that fails stops
// no other; repositories are woken spread out, not all at once.

package handlers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Installed lists where the App is installed.
type Installed interface {
	// Installations returns the ids of all installations that are not suspended.
	Installations(ctx context.Context) ([]int64, error)
	// Repositories returns all repositories of one installation.
	Repositories(ctx context.Context, installationID int64) ([]Repository, error)
}

// SweepWaker has repositories looked at no earlier than a time.
type SweepWaker interface {
	WakeAt(ctx context.Context, at time.Time, repositories ...Repository) error
}

// Sweeper wakes all installed repositories again and again. Make one with
// NewSweeper.
type Sweeper struct {
	installed Installed
	waker     SweepWaker
	missed    *Missed
	interval  time.Duration
	metrics   *Metrics
	log       zerolog.Logger
	nudge     chan struct{}
	swept     atomic.Bool
}

const (
	// spreadStep is the distance between two repositories' wakes, unless there
	// are so many that they would not fit in half the interval.
	spreadStep = 100 * time.Millisecond
	// firstRetry is how soon a sweep that failed is tried again; it doubles up
	// to the interval.
	firstRetry = 5 * time.Second
)

// NewSweeper returns a sweeper for Run. After the repositories it looks for
// missed letters, unless missed is nil.
func NewSweeper(installed Installed, waker SweepWaker, missed *Missed, interval time.Duration, metrics *Metrics, log zerolog.Logger) *Sweeper {
	return &Sweeper{
		installed: installed,
		waker:     waker,
		missed:    missed,
		interval:  interval,
		metrics:   metrics,
		log:       log,
		nudge:     make(chan struct{}, 1),
	}
}

// Nudge asks for a sweep soon. It does not wait.
func (s *Sweeper) Nudge() {
	select {
	case s.nudge <- struct{}{}:
	default: // one is asked for already
	}
}

// Ready returns nil once a sweep has listed the installations and woken their
// repositories, however many single installations failed.
func (s *Sweeper) Ready(context.Context) error {
	if !s.swept.Load() {
		return errors.New("the first sweep has not ended")
	}
	return nil
}

// Run sweeps at once and then every interval, give or take a tenth so that
// replicas drift apart, until ctx ends.
func (s *Sweeper) Run(ctx context.Context) {
	retry := firstRetry
	for {
		wait := s.interval - s.interval/10 + time.Duration(rand.Int64N(int64(s.interval/5)+1)) //nolint:gosec // jitter is no secret
		switch err := s.sweep(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = min(retry, s.interval)
			retry = min(2*retry, s.interval)
			s.log.Error().Err(err).Dur("retry_in", wait).Msg("The sweep failed, in whole or in part; it is tried again")
		default:
			retry = firstRetry
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.nudge:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// sweep wakes every repository of every installation.
func (s *Sweeper) sweep(ctx context.Context) error {
	installations, err := s.installed.Installations(ctx)
	if err != nil {
		s.metrics.sweeps.WithLabelValues("failed").Inc()
		return fmt.Errorf("list the App's installations: %w", err)
	}
	var failures []error
	var found []Repository
	for _, installation := range installations {
		repositories, err := s.installed.Repositories(ctx, installation)
		if err != nil {
			failures = append(failures, fmt.Errorf("list the repositories of installation %d: %w", installation, err))
			continue
		}
		found = append(found, repositories...)
	}
	if err := s.wakeSpread(ctx, found); err != nil {
		s.metrics.sweeps.WithLabelValues("failed").Inc()
		return err
	}
	s.swept.Store(true)
	if s.missed != nil {
		if err := s.missed.Look(ctx, found); err != nil {
			failures = append(failures, err)
		}
	}
	result := "complete"
	if len(failures) > 0 {
		result = "partial"
	}
	s.metrics.sweeps.WithLabelValues(result).Inc()
	s.log.Debug().Int("installations", len(installations)).Int("repositories", len(found)).Msg("Swept")
	return errors.Join(failures...)
}

func (s *Sweeper) wakeSpread(ctx context.Context, found []Repository) error {
	if len(found) == 0 {
		return nil
	}
	step := min(spreadStep, s.interval/2/time.Duration(len(found)))
	start := time.Now()
	for n, repository := range found {
		if err := s.waker.WakeAt(ctx, start.Add(time.Duration(n)*step), repository); err != nil {
			return fmt.Errorf("wake %s/%s: %w", repository.Owner, repository.Name, err)
		}
		s.metrics.wakes.WithLabelValues("sweep").Inc()
	}
	return nil
}
