// The pool runs what is due: one dispatcher claims, each claim is worked on in
// its own goroutine, at most Workers at once. Rules: Run returns only when all
// its goroutines have ended; a claim is always finished, released, or left to
// its lease; one key's failure, panic or slowness touches no other key.

package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// ErrStopping is the cause of a handler's cancelled context when the pool is
// stopping and its grace has passed.
var ErrStopping = errors.New("promobot is stopping")

const (
	// maxWait bounds the wait for a signal, in case one was lost or the clock
	// was set.
	maxWait = 30 * time.Second
	// minRest bounds how soon a handler's own timer may bring the key back, so
	// that a handler which answers "now" does not spin.
	minRest = time.Second
	// closing bounds the write that ends a claim while stopping.
	closing = 5 * time.Second
)

// Handle works on one key. On success it says when the key is due again (zero:
// when woken). With an error, a next time that is not zero replaces the backoff:
// "rate limited until". Its context ends when the lease is lost or the pool has
// to stop; it should then return soon.
type Handle func(ctx context.Context, item Item) (next time.Time, err error)

// Result tells about one ended run.
type Result struct {
	Key     string
	Waited  time.Duration // from due to claimed
	Took    time.Duration
	Err     error // nil: success
	Stopped bool  // left unserved because the pool was stopping
}

// Pool runs due keys. Queue and Handle are required.
type Pool struct {
	Queue   Queue
	Handle  Handle
	Workers int           // keys at once; default 4
	Grace   time.Duration // how long running work may go on after Run's context ended; 0: not at all
	Backoff Backoff       // default DefaultBackoff
	Now     func() time.Time
	Random  func() float64 // in [0,1); default math/rand
	Observe func(Result)   // called after each run, from its goroutine; optional
	Log     zerolog.Logger
}

// Run works until ctx ends, then claims no more, lets what is running go on for
// Grace, cancels the rest, and returns when all of it has ended.
func (p Pool) Run(ctx context.Context) {
	p = p.withDefaults()
	// Work outlives ctx by Grace, so its context descends from ctx's values only.
	work, cancelWork := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancelWork(nil)

	var running sync.WaitGroup
	slots := make(chan struct{}, p.Workers)
	p.dispatch(ctx, slots, func(item Item) {
		running.Go(func() {
			defer func() { <-slots }()
			p.runOne(work, item)
		})
	})

	grace := time.AfterFunc(p.Grace, func() { cancelWork(ErrStopping) })
	defer grace.Stop()
	running.Wait()
}

func (p Pool) withDefaults() Pool {
	if p.Workers <= 0 {
		p.Workers = 4
	}
	if p.Backoff == (Backoff{}) {
		p.Backoff = DefaultBackoff
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Random == nil {
		p.Random = rand.Float64
	}
	if p.Observe == nil {
		p.Observe = func(Result) {}
	}
	return p
}

// dispatch claims and starts until ctx ends. A slot is taken before the claim,
// so that nothing is claimed that cannot be worked on at once.
func (p Pool) dispatch(ctx context.Context, slots chan struct{}, start func(Item)) {
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		for {
			item, ok, next, err := p.Queue.Claim(ctx)
			if ok {
				failures = 0
				start(item)
				break
			}
			wait := maxWait
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				failures++
				wait = p.Backoff.After(failures, p.Random())
				p.Log.Error().Err(err).Dur("retry_in", wait).Msg("The queue gives no work; trying again")
			default:
				failures = 0
				if !next.IsZero() {
					wait = min(max(next.Sub(p.Now()), 0), maxWait)
				}
			}
			if !waitFor(ctx, p.Queue.Changed(), wait, err == nil) {
				return
			}
		}
	}
}

// waitFor waits for the time or, if it may be cut short, for the signal. It
// returns false when ctx ended.
func waitFor(ctx context.Context, changed <-chan struct{}, wait time.Duration, cutShort bool) bool {
	if !cutShort {
		changed = nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-changed:
		return true
	case <-timer.C:
		return true
	}
}

func (p Pool) runOne(ctx context.Context, item Item) {
	started := p.Now()
	held, cancel := context.WithCancelCause(ctx)
	var heart sync.WaitGroup
	heart.Go(func() { p.beat(held, cancel, item) })
	next, err := p.call(held, item)
	lost := errors.Is(context.Cause(held), ErrLeaseLost)
	cancel(nil)
	heart.Wait()

	ended := p.Now()
	result := Result{Key: item.Key, Waited: max(started.Sub(item.Due), 0), Took: ended.Sub(started), Err: err}
	log := p.Log.With().Str("key", item.Key).Dur("took", result.Took).Logger()
	outcome := Outcome{}
	switch {
	case lost:
		result.Err = errors.Join(ErrLeaseLost, err)
		log.Warn().Err(err).Msg("The lease on this work was lost while it ran; it will be done anew")
		p.Observe(result)
		return
	case err != nil && errors.Is(context.Cause(ctx), ErrStopping):
		result.Stopped = true
		outcome.Released = true
		log.Info().Msg("Stopping: this work is left for the next start")
	case err != nil:
		outcome.Failed = true
		outcome.NotBefore = next
		if next.IsZero() {
			outcome.NotBefore = ended.Add(p.Backoff.After(item.Attempt+1, p.Random()))
		}
		log.Error().Err(err).Int("attempt", item.Attempt+1).Time("not_before", outcome.NotBefore).Msg("This work failed and will be tried again")
	case !next.IsZero():
		outcome.Next = laterOf(next, ended.Add(minRest))
	}
	p.finish(ctx, item, outcome, log)
	p.Observe(result)
}

// finish ends the claim even while stopping: a claim that cannot be ended is not
// lost, it becomes due again by its lease or at the next start.
func (p Pool) finish(ctx context.Context, item Item, outcome Outcome, log zerolog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	if err := p.Queue.Finish(ctx, item, outcome); err != nil {
		log.Error().Err(err).Msg("The end of this work could not be stored; it will be done anew when its lease ends")
	}
}

// call turns a panic into an error, so that one repository's surprise does not
// stop the others.
func (p Pool) call(ctx context.Context, item Item) (next time.Time, err error) {
	defer func() {
		if value := recover(); value != nil {
			p.Log.Error().Str("key", item.Key).Interface("panic", value).Bytes("stack", debug.Stack()).Msg("This work panicked")
			next, err = time.Time{}, fmt.Errorf("panic: %v", value)
		}
	}()
	return p.Handle(ctx, item)
}

// beat renews the lease until held ends. It cancels held when the lease is lost,
// or when two renewals in a row failed: the rest of the lease is then the time
// the handler has to stop before another worker may begin.
func (p Pool) beat(held context.Context, cancel context.CancelCauseFunc, item Item) {
	ticker := time.NewTicker(item.Lease / 3)
	defer ticker.Stop()
	renewed := p.Now()
	for {
		select {
		case <-held.Done():
			return
		case <-ticker.C:
		}
		err := p.renew(held, item)
		switch {
		case err == nil:
			renewed = p.Now()
		case held.Err() != nil:
			return
		case errors.Is(err, ErrLeaseLost), p.Now().Sub(renewed) >= item.Lease*2/3:
			cancel(ErrLeaseLost)
			return
		default:
			p.Log.Warn().Err(err).Str("key", item.Key).Msg("The lease could not be renewed; trying again")
		}
	}
}

func (p Pool) renew(ctx context.Context, item Item) error {
	ctx, cancel := context.WithTimeout(ctx, item.Lease/3)
	defer cancel()
	return p.Queue.Renew(ctx, item)
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
