package main

// Bench 2: many pipelines woken by one push, against a script for each.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/promobot/promobot/state"
)

func storm(ctx context.Context, b *bench) (err error) {
	n := b.of(200, 5)
	w, err := b.newWorld(ctx, "storm", services(n, servicesFile("propose", "mode: propose", "prod"), "dev", "prod"))
	if err != nil {
		return err
	}
	defer ending(w, &err)
	if err := w.start(ctx, 1, settings{debounce: usual}); err != nil {
		return err
	}
	b.say("   promobot")
	v, err := w.wave(ctx, release(0, n, "1.1.0"), state.Opened, sequence(n, "prod"))
	if err != nil {
		return err
	}
	if err := w.stopAll(); err != nil {
		return err
	}
	b.say("   the scripts")
	if err := w.repository(ctx, scripts, services(n, "", "dev", "prod")); err != nil {
		return err
	}
	s, err := w.scripting(scripts, func(job int) (string, string, string) {
		return overlayPath(job, "prod"), "newTag: " + firstTag, "newTag: 1.1.0"
	})
	if err != nil {
		return err
	}
	mark, begun, memory := w.traffic.mark(), time.Now(), watch(ctx, s.pids)
	err = s.all(ctx, n, b.jobs, s.propose)
	took := time.Since(begun)
	peak, processes := memory.end()
	if err != nil {
		return err
	}
	theirs := w.traffic.since(mark)

	r, of := &b.report, fmt.Sprintf("%d pipelines", n)
	wall := r.add(of, "until all pull requests are open and recorded", "s", v.took.Seconds()).against(took.Seconds())
	wall.target("≥ 3 times faster", *wall.Ratio >= 3)
	p := r.add(of, "pushes until then", "", float64(pushes(v.until))).against(float64(pushes(theirs)))
	p.target("≤ 4", *p.Ours <= 4)
	r.add(of, "API requests until then", "", float64(apiRequests(v.until))).against(float64(apiRequests(theirs)))
	r.add(of, "git, HTTP requests until then", "", float64(gitRequests(v.until))).against(float64(gitRequests(theirs)))
	r.add(of, "peak memory, git included", "MB", float64(v.peak)/megabyte).against(float64(peak) / megabyte)
	r.add(of, "processes at a time", "", float64(v.processes)).against(float64(processes))
	r.add(of, "until rest, check runs written", "s", v.settled.Seconds())
	r.add(of, "processor time until rest", "s", v.processor.Seconds()).against(s.processor.Seconds())
	r.note("promobot waits %v after the first webhook before it looks, which is in its time. The memory of the scripts is that of their git processes.", w.debounce)
	r.note("Where promobot's time goes: %s.", spans(w.hooks.woken(), v.until))
	if open, err := w.openPulls(); err != nil || open != n {
		return errors.Join(err, fmt.Errorf("%d pull requests are open, want %d", open, n))
	}
	return nil
}

func (w *world) openPulls() (int, error) {
	all, err := w.sim.Pulls(full(ours))
	n := 0
	for _, p := range all {
		if p.Open {
			n++
		}
	}
	return n, err
}

func apiRequests(exchanges []exchange) int {
	by := counts(exchanges)
	return by[apiRead] + by[apiUnchanged] + by[apiCreate] + by[apiWrite] + by[apiToken]
}

func gitRequests(exchanges []exchange) int {
	by := counts(exchanges)
	return by[gitAdvertise] + by[gitRefs] + by[gitFetch] + by[gitNegotiate] + by[gitPush]
}

// spans tells how time went by: phases of the same kind of request, and what
// lies between them.
func spans(begin time.Time, exchanges []exchange) string {
	type span struct {
		what     string
		from, to time.Time
		n        int
	}
	var all []span
	for _, e := range exchanges {
		what := phase(e)
		if n := len(all); n > 0 && all[n-1].what == what {
			all[n-1].n++
			if e.answered.After(all[n-1].to) {
				all[n-1].to = e.answered
			}
			continue
		}
		all = append(all, span{what, e.arrived, e.answered, 1})
	}
	text, at := "", begin
	for _, s := range all {
		if gap := s.from.Sub(at); gap > 10*time.Millisecond {
			text += fmt.Sprintf("%.2f s no request, ", gap.Seconds())
		}
		text += fmt.Sprintf("%.2f s %s (%d), ", s.to.Sub(s.from).Seconds(), s.what, s.n)
		at = s.to
	}
	if text == "" {
		return "nothing was asked"
	}
	return text[:len(text)-2]
}

// phase puts requests together that belong to one thing.
func phase(e exchange) string {
	switch e.kind {
	case gitPush, gitNegotiate:
		return "pushing"
	case gitRefs, gitFetch:
		return "fetching"
	case gitAdvertise:
		if e.service == "git-receive-pack" {
			return "pushing"
		}
		return "fetching"
	case apiCreate:
		return e.method + " " + e.route
	default:
		return string(e.kind)
	}
}
