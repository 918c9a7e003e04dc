package main

// Bench 3: many promotions pushed directly to one branch by several replicas,
// against scripts that pull --rebase and try again.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/promobot/promobot/state"
)

func direct(ctx context.Context, b *bench) (err error) {
	n := b.of(100, 4)
	pipelines := servicesFile("auto", "mode: auto, deliver: push", "prod")
	w, err := b.newWorld(ctx, "direct", services(n, pipelines, "dev", "prod"))
	if err != nil {
		return err
	}
	defer ending(w, &err)
	refused, err := b.refused(ctx, w.dir, pipelines)
	if err != nil {
		return err
	}
	var mine *delivered
	if refused == "" {
		b.say("   promobot, %d replicas", b.replicas)
		if mine, err = b.directOurs(ctx, w, n); err != nil {
			return err
		}
	}
	b.say("   the scripts")
	theirs, err := b.directScripts(ctx, w, n)
	if err != nil {
		return err
	}
	b.directReport(n, mine, theirs)
	if refused != "" {
		b.report.note("This build of promobot cannot push directly: %s", refused)
	}
	return nil
}

// delivered is what came of direct pushes.
type delivered struct {
	took     time.Duration
	landed   int
	pushes   int // that reached the server
	attempts int // pushes that git began
	refused  int // refs that the server refused
	retries  int // of scripts
	windows  []float64
	broken   []string // what is wrong with the history
}

// refused says why this build does not take a pipeline file, "" if it does.
func (b *bench) refused(ctx context.Context, dir, pipelines string) (string, error) {
	file := filepath.Join(dir, "promobot.yml")
	if err := os.WriteFile(file, []byte(pipelines), 0o600); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, b.binary, "validate", file).CombinedOutput()
	if exit, is := errors.AsType[*exec.ExitError](err); is && exit.ExitCode() == 1 {
		return string(bytes.TrimSpace(out)), nil
	}
	return "", err
}

func (b *bench) directOurs(ctx context.Context, w *world, n int) (*delivered, error) {
	if err := w.start(ctx, b.replicas, settings{debounce: usual}); err != nil {
		return nil, err
	}
	v, err := w.wave(ctx, "release", release(0, n, "1.1.0"), state.Landed, sequence(n, "prod"))
	if err != nil {
		return nil, err
	}
	d := deliveredBy(v.until)
	d.took = v.took
	if d.landed, err = w.countRecorded(ctx, v.revision, state.Landed, sequence(n, "prod")); err != nil {
		return nil, err
	}
	if d.broken, err = w.spoilt(ctx, ours, v.revision, n, "1.1.0"); err != nil {
		return nil, err
	}
	return &d, w.stopAll()
}

func (b *bench) directScripts(ctx context.Context, w *world, n int) (*delivered, error) {
	if err := w.repository(ctx, scripts, services(n, "", "dev", "prod")); err != nil {
		return nil, err
	}
	s, err := w.scripting(scripts, func(job int) (string, string, string) {
		return overlayPath(job, "prod"), "newTag: " + firstTag, "newTag: 1.1.0"
	})
	if err != nil {
		return nil, err
	}
	refs, err := w.sim.Refs(full(scripts))
	if err != nil {
		return nil, err
	}
	mark, begun := w.traffic.mark(), time.Now()
	if err := s.all(ctx, n, b.jobs, s.deliver); err != nil {
		return nil, err
	}
	took := time.Since(begun)
	d := deliveredBy(w.traffic.since(mark))
	d.took, d.landed, d.retries = took, n, int(s.retries.Load())
	d.broken, err = w.spoilt(ctx, scripts, refs["refs/heads/main"], n, "1.1.0")
	return &d, err
}

func deliveredBy(exchanges []exchange) delivered {
	var d delivered
	for _, e := range exchanges {
		switch {
		case e.kind == gitPush:
			d.pushes++
			d.refused += e.push.refused
		case e.kind == gitAdvertise && e.service == "git-receive-pack" && e.method == "GET":
			d.attempts++
		}
	}
	d.windows = millisOf(windowsOf(exchanges), func(w window) bool { return w.push.moves("refs/heads/main") })
	return d
}

// spoilt says what is wrong with the commits after begin: each must follow the
// one before it and change one promotion's file, and in the end all of them
// must hold what was promoted.
func (w *world) spoilt(ctx context.Context, repository, begin string, n int, tag string) ([]string, error) {
	out, err := w.bare(ctx, repository, nil, "log", "--reverse", "--format=commit %H %P", "--name-only", begin+"..refs/heads/main")
	if err != nil {
		return nil, err
	}
	var wrong []string
	last, changed, commits := begin, map[string]int{}, 0
	files := 0
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		commit, is := strings.CutPrefix(line, "commit ")
		switch {
		case is:
			fields := strings.Fields(commit)
			if commits > 0 && files != 1 {
				wrong = append(wrong, fmt.Sprintf("%s changes %d files", last, files))
			}
			if len(fields) != 2 || fields[1] != last {
				wrong = append(wrong, fmt.Sprintf("%s does not follow %s alone", fields[0], last))
			}
			last, files = fields[0], 0
			commits++
		case line != "":
			changed[line]++
			files++
		}
	}
	if commits != n {
		wrong = append(wrong, fmt.Sprintf("there are %d commits", commits))
	}
	for i := range n {
		path := overlayPath(i, "prod")
		text, err := w.bare(ctx, repository, nil, "cat-file", "blob", "refs/heads/main:"+path)
		if err != nil {
			return nil, err
		}
		if changed[path] != 1 || string(text) != overlay(i, "prod", tag) {
			wrong = append(wrong, fmt.Sprintf("%s was changed %d times and is not what was promoted", path, changed[path]))
		}
	}
	return wrong, nil
}

func (b *bench) directReport(n int, mine, theirs *delivered) {
	r, of := &b.report, fmt.Sprintf("%d promotions, %d replicas", n, b.replicas)
	if mine == nil {
		r.addScript(of, "until all have landed", "s", theirs.took.Seconds())
		r.addScript(of, "pushes a promotion", "", float64(theirs.pushes)/float64(n))
		r.addScript(of, "conflicts met", "", float64(theirs.retries))
		r.addScript(of, "base window p99", "ms", percentile(theirs.windows, 99))
		r.addScript(of, "wrong commits", "", float64(len(theirs.broken)))
		return
	}
	all := r.add(of, "landed", "", float64(mine.landed)).against(float64(theirs.landed))
	all.target("all", mine.landed == n)
	wall := r.add(of, "until all have landed", "s", mine.took.Seconds()).against(theirs.took.Seconds())
	wall.target("≥ 10 times faster", *wall.Ratio >= 10)
	p := r.add(of, "pushes a promotion", "", float64(mine.pushes)/float64(n)).against(float64(theirs.pushes) / float64(n))
	p.target("≤ 1.5", *p.Ours <= 1.5)
	// A lease that is stale before anything is sent ends a push without a request.
	r.add(of, "conflicts met", "", float64(mine.attempts-mine.pushes+mine.refused)).against(float64(theirs.retries))
	r.add(of, "base window p99", "ms", percentile(mine.windows, 99)).against(percentile(theirs.windows, 99))
	wrong := r.add(of, "wrong commits", "", float64(len(mine.broken))).against(float64(len(theirs.broken)))
	wrong.target("none over another's", len(mine.broken) == 0)
	for _, text := range append(mine.broken, theirs.broken...) {
		r.note("Wrong: %s", text)
	}
}
