package main

// Bench 6: a backlog worked off against GitHub's limit on creating content.

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// perMinute is GitHub's limit ("Rate limits for the REST API").
const perMinute = 80

func contentLimit(ctx context.Context, b *bench) (err error) {
	duration := b.duration
	if b.quick {
		duration = 2 * time.Second
	}
	// More than can be opened in the time if every request were a pull request.
	n := b.of(min(int(duration.Minutes()+1)*perMinute, 950), 4)
	w, err := b.newWorld(ctx, "limit", services(n, servicesFile("propose", "mode: propose", "prod"), "dev", "prod"))
	if err != nil {
		return err
	}
	defer ending(w, &err)
	w.sim.LimitCreation(perMinute)
	if err := w.start(ctx, 1, settings{paced: true, debounce: usual}); err != nil {
		return err
	}
	mark := w.traffic.mark()
	if _, err := w.push(ctx, "release", release(0, n, "1.1.0")); err != nil {
		return err
	}
	begun, err := w.firstCreation(ctx, mark)
	if err != nil {
		return err
	}
	b.say("   working against the limit for %v", duration)
	timer := time.NewTimer(time.Until(begun.Add(duration)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	b.limitReport(w.traffic.since(mark), begun, duration, n)
	return nil
}

// firstCreation is when the first content was created after a mark.
func (w *world) firstCreation(ctx context.Context, mark int) (at time.Time, err error) {
	_, err = w.until(ctx, "the first pull request is opened", func(context.Context) (bool, error) {
		for _, e := range w.traffic.since(mark) {
			if e.kind == apiCreate {
				at = e.arrived
				return true, nil
			}
		}
		return false, nil
	})
	return at, err
}

func (b *bench) limitReport(exchanges []exchange, begun time.Time, duration time.Duration, n int) {
	var created, pulls, checks, others, hit, pushes int
	for _, e := range exchanges {
		if e.arrived.After(begun.Add(duration)) {
			continue
		}
		switch {
		case e.status == http.StatusForbidden || e.status == http.StatusTooManyRequests:
			hit++
		case e.kind == apiCreate && e.status == http.StatusCreated:
			created++
			switch {
			case routeEnds(e, "/pulls"):
				pulls++
			case routeEnds(e, "/check-runs"):
				checks++
			}
		case e.kind == apiWrite:
			others++
		case e.kind == gitPush:
			pushes++
		}
	}
	minutes := duration.Minutes()
	// The window that is open at the end may be used up at once.
	allowed := perMinute * max(1, minutes)
	r, of := &b.report, fmt.Sprintf("a backlog of %d, %v", n, duration)
	r.add(of, "promotions opened a minute", "", float64(pulls)/minutes)
	share := r.add(of, "share of the limit that was used", "%", 100*float64(created)/allowed)
	share.target("≥ 95 %", *share.Ours >= 95)
	limits := r.add(of, "secondary limits hit", "", float64(hit))
	limits.target("none", hit == 0)
	r.add(of, "creations: pull requests", "", float64(pulls))
	r.add(of, "creations: check runs", "", float64(checks))
	r.add(of, "creations: other", "", float64(created-pulls-checks))
	r.add(of, "writes that create nothing", "", float64(others))
	r.add(of, "pushes a minute", "", float64(pushes)/minutes)
}

func routeEnds(e exchange, end string) bool {
	return len(e.route) >= len(end) && e.route[len(e.route)-len(end):] == end
}
