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
	"slices"
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
	var mine, moving *delivered
	if refused == "" {
		b.say("   promobot, %d replicas", b.replicas)
		if mine, err = b.directOurs(ctx, w, n); err != nil {
			return err
		}
		if moving, err = b.directMoving(ctx, n, pipelines); err != nil {
			return err
		}
	}
	b.say("   the scripts")
	theirs, err := b.directScripts(ctx, w, n)
	if err != nil {
		return err
	}
	b.directReport(fmt.Sprintf("%d promotions, %d replicas", n, b.replicas), n, mine, theirs)
	if moving != nil {
		of := fmt.Sprintf("the same, main moved %d times meanwhile", releases)
		b.directReport(of, n, moving, theirs)
	}
	if refused != "" {
		b.report.note("This build of promobot cannot push directly: %s", refused)
	}
	return nil
}

// delivered is what came of direct pushes.
type delivered struct {
	took     time.Duration
	landed   int
	attempts int // pushes that git began
	pushes   int // of them, those that sent something
	moved    int // of them, those that moved all their refs
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
	v, err := w.wave(ctx, release(0, n, "1.1.0"), state.Landed, sequence(n, "prod"))
	if err != nil {
		return nil, err
	}
	d := deliveredBy(v.until)
	d.took = v.took
	if d.landed, err = w.countRecorded(ctx, v.revision, state.Landed, sequence(n, "prod")); err != nil {
		return nil, err
	}
	if d.broken, err = w.spoilt(ctx, ours, v.revision, n, 0); err != nil {
		return nil, err
	}
	return &d, w.stopAll()
}

const (
	// releases is how many pushes the promotions of directMoving come from, and
	// apart how far: less than it takes to deliver what one of them brings.
	releases = 20
	apart    = 250 * time.Millisecond
)

// directMoving is directOurs with people who push to the same branch all the
// time: every push moves the base from under the replicas, and brings some of
// the promotions.
func (b *bench) directMoving(ctx context.Context, n int, pipelines string) (_ *delivered, err error) {
	b.say("   promobot, while main moves")
	w, err := b.newWorld(ctx, "moving", services(n, pipelines, "dev", "prod"))
	if err != nil {
		return nil, err
	}
	defer ending(w, &err)
	if err := w.start(ctx, b.replicas, settings{debounce: usual}); err != nil {
		return nil, err
	}
	refs, err := w.sim.Refs(full(ours))
	if err != nil {
		return nil, err
	}
	begin := refs["refs/heads/main"]
	w.hooks.expect()
	mark := w.traffic.mark()
	tick := time.NewTicker(apart)
	defer tick.Stop()
	groups := map[string][]string{} // revision → its promotions
	for i := range releases {
		first, last := i*n/releases, (i+1)*n/releases
		if first == last {
			continue
		}
		revision, err := w.push(ctx, "release", release(first, last, "1.1.0"))
		if err != nil {
			return nil, err
		}
		groups[revision] = sequence(n, "prod")[first:last]
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	landed := 0
	at, err := w.until(ctx, "all have landed", func(ctx context.Context) (bool, error) {
		landed = 0
		for revision, keys := range groups {
			some, err := w.countRecorded(ctx, revision, state.Landed, keys)
			if err != nil {
				return false, err
			}
			landed += some
		}
		return landed == n, nil
	})
	if err != nil {
		return nil, err
	}
	d := deliveredBy(w.traffic.since(mark))
	d.took, d.landed = at.Sub(w.hooks.woken()), landed
	d.broken, err = w.spoilt(ctx, ours, begin, n, len(groups))
	return &d, err
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
	d.took, d.landed = took, n
	d.broken, err = w.spoilt(ctx, scripts, refs["refs/heads/main"], n, 0)
	return &d, err
}

func deliveredBy(exchanges []exchange) delivered {
	var d delivered
	for _, e := range exchanges {
		switch {
		case e.kind == gitPush:
			d.pushes++
			if e.push.moved > 0 && e.push.refused == 0 {
				d.moved++
			}
		case e.kind == gitAdvertise && e.service == "git-receive-pack" && e.method == "GET":
			d.attempts++
		}
	}
	d.windows = millisOf(windowsOf(exchanges), func(w window) bool { return w.push.moves("refs/heads/main") })
	return d
}

// spoilt says what is wrong with the commits after begin: each must follow the
// one before it and, but for so many of people's to dev, change one promotion's
// file; in the end all of them must hold what was promoted.
func (w *world) spoilt(ctx context.Context, repository, begin string, n, people int) ([]string, error) {
	history, wrong, err := w.after(ctx, repository, begin)
	if err != nil {
		return nil, err
	}
	changed := map[string]int{}
	for _, c := range history {
		if len(c.files) > 0 && !slices.ContainsFunc(c.files, func(f string) bool { return !strings.Contains(f, "/overlays/dev/") }) {
			people--
			continue
		}
		if len(c.files) != 1 {
			wrong = append(wrong, fmt.Sprintf("%s changes %d files", c.id, len(c.files)))
		}
		for _, f := range c.files {
			changed[f]++
		}
	}
	if people != 0 {
		wrong = append(wrong, fmt.Sprintf("%d of people's commits are missing", people))
	}
	if len(changed) != n {
		wrong = append(wrong, fmt.Sprintf("%d files are changed", len(changed)))
	}
	for i := range n {
		path := overlayPath(i, "prod")
		text, err := w.bare(ctx, repository, nil, "cat-file", "blob", "refs/heads/main:"+path)
		if err != nil {
			return nil, err
		}
		if changed[path] != 1 || string(text) != overlay(i, "prod", "1.1.0") {
			wrong = append(wrong, fmt.Sprintf("%s was changed %d times, or is not what was promoted", path, changed[path]))
		}
	}
	return wrong, nil
}

// revision is a commit of a history, with the files it changes.
type revision struct {
	id    string
	files []string
}

// after is the history of main after a commit, oldest first, and which of it
// does not follow the one before alone.
func (w *world) after(ctx context.Context, repository, begin string) (history []revision, wrong []string, err error) {
	out, err := w.bare(ctx, repository, nil, "log", "--reverse", "--topo-order", "--format=commit %H %P", "--name-only", begin+"..refs/heads/main")
	if err != nil {
		return nil, nil, err
	}
	last := begin
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if commit, is := strings.CutPrefix(line, "commit "); is {
			fields := strings.Fields(commit)
			if len(fields) != 2 || fields[1] != last {
				wrong = append(wrong, fmt.Sprintf("%s does not follow %s alone", fields[0], last))
			}
			last = fields[0]
			history = append(history, revision{id: last})
		} else if line != "" {
			c := &history[len(history)-1]
			c.files = append(c.files, line)
		}
	}
	return history, wrong, nil
}

func (b *bench) directReport(of string, n int, mine, theirs *delivered) {
	r := &b.report
	if mine == nil {
		r.addScript(of, "until all have landed", "s", theirs.took.Seconds())
		r.addScript(of, "pushes tried, a promotion", "", float64(theirs.attempts)/float64(n))
		r.addScript(of, "pushes in which a conflict was met", "", float64(theirs.attempts-theirs.moved))
		r.addScript(of, "base window p99", "ms", percentile(theirs.windows, 99))
		r.addScript(of, "wrong commits", "", float64(len(theirs.broken)))
		return
	}
	all := r.add(of, "landed", "", float64(mine.landed))
	all.target("all", mine.landed == n)
	wall := r.add(of, "until all have landed", "s", mine.took.Seconds()).against(theirs.took.Seconds())
	wall.target("≥ 10 times faster", *wall.Ratio >= 10)
	p := r.add(of, "pushes tried, a promotion", "", float64(mine.attempts)/float64(n)).against(float64(theirs.attempts) / float64(n))
	p.target("≤ 1.5", *p.Ours <= 1.5)
	r.add(of, "pushes that sent something, a promotion", "", float64(mine.pushes)/float64(n)).against(float64(theirs.pushes) / float64(n))
	// A lease that is stale before anything is sent ends a push without a request.
	r.add(of, "pushes in which a conflict was met", "", float64(mine.attempts-mine.moved)).against(float64(theirs.attempts - theirs.moved))
	r.add(of, "base window p99", "ms", percentile(mine.windows, 99)).against(percentile(theirs.windows, 99))
	wrong := r.add(of, "wrong commits", "", float64(len(mine.broken))).against(float64(len(theirs.broken)))
	wrong.target("none over another's", len(mine.broken) == 0)
	for _, text := range append(mine.broken, theirs.broken...) {
		r.note("Wrong: %s", text)
	}
}
