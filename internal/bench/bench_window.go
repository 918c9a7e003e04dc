package main

// Bench 4: how old the base is when a push takes effect.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/promobot/promobot/state"
)

// windowMetric is promobot's own measure of the same.
const windowMetric = "promobot_base_window_seconds"

func baseWindow(ctx context.Context, b *bench) (err error) {
	rounds, n := b.of(b.rounds, 3), b.of(50, 3)
	pipelines := servicesFile("auto", "mode: auto, deliver: push", "prod")
	refused, err := b.refused(ctx, b.dir, pipelines)
	if err != nil {
		return err
	}
	status := state.Landed
	if refused != "" {
		pipelines, status = servicesFile("propose", "mode: propose", "prod"), state.Opened
		b.report.note("This build of promobot cannot push directly, so its windows are those of pull requests' branches: %s", refused)
	}
	w, err := b.newWorld(ctx, "window", services(n, pipelines, "dev", "prod"))
	if err != nil {
		return err
	}
	defer ending(w, &err)
	if err := w.start(ctx, 1, settings{}); err != nil {
		return err
	}
	b.say("   promobot")
	before, err := w.replicas[0].metrics(ctx)
	if err != nil {
		return err
	}
	mark := w.traffic.mark()
	for round := range rounds {
		i := round % n
		_, err := w.wave(ctx, release(i, i+1, fmt.Sprintf("1.%d.1", round+1)), status, sequence(n, "prod")[i:i+1])
		if err != nil {
			return err
		}
	}
	mine := windowsOf(w.traffic.since(mark))
	after, err := w.replicas[0].metrics(ctx)
	if err != nil {
		return err
	}
	if err := w.stopAll(); err != nil {
		return err
	}
	b.say("   git alone, and the scripts")
	if err := w.repository(ctx, scripts, services(n, "", "dev", "prod")); err != nil {
		return err
	}
	s, err := w.scripting(scripts, func(job int) (string, string, string) {
		return overlayPath(job%n, "prod"), "newTag: " + tagOf(job/n), "newTag: " + tagOf(job/n+1)
	})
	if err != nil {
		return err
	}
	mark = w.traffic.mark()
	for round := range rounds {
		if err := s.deliver(ctx, round); err != nil {
			return err
		}
	}
	theirs := millisOf(windowsOf(w.traffic.since(mark)), toBranches)
	plain, err := s.plainPushes(ctx, rounds)
	if err != nil {
		return err
	}
	negotiated, err := s.plainPushes(ctx, rounds, "-c", "push.negotiate=true")
	if err != nil {
		return err
	}
	b.windowReport(rounds, mine, theirs, plain, negotiated, readHistogram(after, windowMetric).minus(readHistogram(before, windowMetric)))
	return nil
}

func tagOf(n int) string { return fmt.Sprintf("1.0.%d", n) }

// plainPushes makes commits in a warm, whole clone, and says how long git takes
// to push each, in milliseconds.
func (s *scripting) plainPushes(ctx context.Context, n int, settings ...string) (took []float64, err error) {
	dir := filepath.Join(s.dir, "warm")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return nil, err
	}
	if err := s.git(ctx, 0, s.dir, "clone", "--quiet", s.url(), dir); err != nil {
		return nil, err
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, "pushed"), fmt.Append(nil, len(settings), i, time.Now().UnixNano()), 0o644); err != nil {
			return nil, err
		}
		if err := errors.Join(s.git(ctx, 0, dir, "add", "pushed"), s.git(ctx, 0, dir, "commit", "--quiet", "--message", "One file")); err != nil {
			return nil, err
		}
		begun := time.Now()
		if err := s.git(ctx, 0, dir, append(settings, "push", "--quiet", "origin", "HEAD:refs/heads/main")...); err != nil {
			return nil, err
		}
		took = append(took, millis(time.Since(begun)))
	}
	return took, nil
}

// allowance is what promobot may take beyond git's own push.
const allowance = 50

func (b *bench) windowReport(rounds int, mine []window, theirs, plain, negotiated []float64, metric histogram) {
	r, of := &b.report, fmt.Sprintf("%d pushes one by one", rounds)
	claims := millisOf(mine, func(w window) bool { return w.first })
	branches := millisOf(mine, toBranches)
	for _, p := range []float64{50, 99} {
		r.addScript(of, fmt.Sprintf("git's own push p%g", p), "ms", percentile(plain, p))
		r.addScript(of, fmt.Sprintf("git's own push, negotiating, p%g", p), "ms", percentile(negotiated, p))
	}
	for _, p := range []float64{50, 99} {
		r.add(of, fmt.Sprintf("from reading the base to the first push's effect p%g", p), "ms", percentile(claims, p)).against(percentile(theirs, p))
		f := r.add(of, fmt.Sprintf("from reading the base to the branch's move p%g", p), "ms", percentile(branches, p)).against(percentile(theirs, p))
		if p == 99 {
			limit := percentile(plain, 99) + allowance
			f.target(fmt.Sprintf("≤ git's own push + %d ms = %s ms", allowance, number(limit)), *f.Ours <= limit)
		}
	}
	if at := metric.atMost(99); !math.IsNaN(at) {
		r.add(of, "promobot's own metric: p50 at most", "ms", metric.atMost(50)*1000)
		r.add(of, "promobot's own metric: p99 at most", "ms", at*1000)
	} else {
		r.note("This build of promobot has no metric %s; the windows are seen from outside.", windowMetric)
	}
	r.note("A window is from the last answer to a fetch to the moment the ref moved. The negotiation within a push, two of git's requests, is part of promobot's windows: without it a push whose base moved since sends all history.")
}
