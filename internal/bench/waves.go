package main

// A wave: one push to dev, and promobot at work until all that it promotes is
// recorded. Most benches are made of waves.

import (
	"context"
	"fmt"
	"time"

	"github.com/promobot/promobot/state"
)

// wave is what one push led to.
type wave struct {
	revision string
	// took is from the first webhook to the push that recorded the last one.
	took time.Duration
	// until is the traffic up to then, all the traffic until rest.
	until, all []exchange
	settled    time.Duration // to rest, from the first webhook
	processor  time.Duration // of the replicas, git included, until rest
	peak       int64         // bytes of memory of the replicas, git included
	processes  int
}

// wave pushes files and waits until the ledgers named have come as far as
// status, and then for rest.
func (w *world) wave(ctx context.Context, files map[string]string, status state.Status, keys []string) (wave, error) {
	var v wave
	if err := w.sim.Drain(ctx); err != nil {
		return v, err
	}
	mark, before := w.traffic.mark(), w.processor()
	memory := watch(ctx, w.pids)
	w.hooks.expect()
	var err error
	if v.revision, err = w.push(ctx, "release", files); err != nil {
		memory.end()
		return v, err
	}
	at, err := w.until(ctx, fmt.Sprintf("%d promotions are %s", len(keys), status), w.recorded(v.revision, status, keys))
	v.peak, v.processes = memory.end()
	if err != nil {
		return v, err
	}
	woken := w.hooks.woken()
	v.took = at.Sub(woken)
	for _, e := range w.traffic.since(mark) {
		if !e.answered.After(at) {
			v.until = append(v.until, e)
		}
	}
	if err := w.rest(ctx); err != nil {
		return v, err
	}
	v.all = w.traffic.since(mark)
	if n := len(v.all); n > 0 {
		v.settled = v.all[n-1].answered.Sub(woken)
	}
	v.processor = w.processor() - before
	return v, nil
}

// pushes are those that reached the server.
func pushes(exchanges []exchange) int { return counts(exchanges)[gitPush] }
