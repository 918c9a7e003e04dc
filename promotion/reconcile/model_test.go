package reconcile_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/reconcile"
	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

var (
	seeds = flag.Int("seeds", 5000, "how many seeds TestModel runs")
	first = flag.Uint64("seed", 1, "the first seed TestModel runs")
)

// TestModel runs the loop in three replicas, without any exclusion between them,
// call by call in an order drawn from a seed, with faults, lags and people in
// between, and asserts the invariants after every step. A failing seed is
// printed with its story; -seed N -seeds 1 replays it.
func TestModel(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 200)
	}
	t.Logf("seeds %d to %d", *first, *first+uint64(n)-1)
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // worlds come and go
	layouts, merged, pushed := map[string]int{}, 0, 0
	defer func() { t.Logf("layouts drawn: %v; landings: %d merged, %d pushed", layouts, merged, pushed) }()
	for seed := *first; seed < *first+uint64(n); seed++ {
		w := newWorld(seed)
		m := &model{w: w, keys: testKeys(t), shows: seed%shownSeeds == 0}
		m.run()
		for _, p := range w.pulls {
			if p.Merged {
				merged++
			}
		}
		pushed += w.delivered
		layouts[w.layout.name]++
		if len(w.broken) > 0 {
			story := w.log
			if len(story) > 200 {
				story = story[len(story)-200:]
			}
			t.Fatalf("seed %d breaks:\n%s\n\nreplay with: go test ./promotion/reconcile -run TestModel -seed %d -seeds 1\n\n%s",
				seed, strings.Join(w.broken, "\n"), seed, strings.Join(story, "\n"))
		}
	}
}

func testKeys(t *testing.T) state.Keys {
	t.Helper()
	k, err := state.NewKeys([]byte("model"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type model struct {
	w        *world
	keys     state.Keys
	replicas []*replica
	letters  []reconcile.Dispatch // that no replica has answered yet
	commands []int64              // comments, likewise
	shows    bool                 // what each run saw is made to be shown, too
}

// shownSeeds is how many seeds there are to one that shows what it saw.
const shownSeeds = 25

// shown keeps what a replica saw, and asserts what holds of every view.
func (m *model) shown(o *reconcile.Options) {
	var last *view.Repository
	o.Last = func(context.Context) *view.Repository { return last }
	o.Seen = func(_ context.Context, v view.Repository) {
		last = &v
		for _, p := range v.Pipelines {
			for _, e := range p.Environments {
				if n := len(e.Entries); n > e.Sequence || n > 0 && n < min(e.Sequence, 50) && v.Error == "" {
					m.w.breaks("shown", "%s/%s has %d entries, and %d are shown", p.Key, e.Name, e.Sequence, n)
				}
				for i := 1; i < len(e.Entries); i++ {
					if e.Entries[i].Time.After(e.Entries[i-1].Time.Add(time.Hour)) {
						m.w.breaks("shown", "the entries of %s/%s are in no order", p.Key, e.Name)
					}
				}
				for i, past := range e.Earlier {
					if past.Ended.IsZero() || past.ID == e.Promotion.ID || i > 0 && past.ID == e.Earlier[i-1].ID {
						m.w.breaks("shown", "%s/%s: the promotion %s before the newest, %s, is %s", p.Key, e.Name, past.ID, e.Promotion.ID, past.Status)
					}
				}
				if (e.Needs == "") != e.NeedsSince.IsZero() {
					m.w.breaks("shown", "%s/%s needs %q since %v", p.Key, e.Name, e.Needs, e.NeedsSince)
				}
			}
		}
	}
}

func letter(w *world, name string) reconcile.Dispatch {
	return reconcile.Dispatch{ID: fmt.Sprint("delivery ", w.nonce), Type: "released", Payload: []byte(fmt.Sprintf(`{"version": %q}`, name)), At: w.now}
}

func (m *model) run() {
	w := m.w
	w.layout = draw(w)
	w.populate()
	for range 3 {
		m.replicas = append(m.replicas, m.newReplica(fmt.Sprintf("replica%d", len(m.replicas)+1)))
	}
	for range 120 + w.rng.IntN(200) {
		m.step()
		if len(w.broken) > 0 {
			m.abandon()
			return
		}
	}
	m.settle()
}

// clocksDiffer is by how much a replica's clock is wrong at most, unless it jumps.
const clocksDiffer = 5 * time.Second

func (m *model) newReplica(name string) *replica {
	r := &replica{w: m.w, name: name, skew: time.Duration(m.w.rng.IntN(int(2*clocksDiffer/time.Second)))*time.Second - clocksDiffer, known: map[string]bool{}, ready: make(chan struct{}), resume: make(chan fault), done: make(chan error, 1)}
	m.restart(r)
	return r
}

// restart is a new process: its memory is gone, and sometimes its mirror too.
func (m *model) restart(r *replica) {
	r.crashed = false
	if m.w.rng.IntN(2) == 0 {
		r.known = map[string]bool{}
	}
	r.loop, r.clerk = m.newLoop(r), m.newLoop(r)
}

// answered takes letters off the queue. The scheduler waits for it.
func (m *model) answered(ds []reconcile.Dispatch) {
	m.letters = slices.DeleteFunc(slices.Clone(m.letters), func(d reconcile.Dispatch) bool {
		return slices.ContainsFunc(ds, func(x reconcile.Dispatch) bool { return x.ID == d.ID })
	})
}

func (m *model) newLoop(r *replica) *reconcile.Reconciler {
	o := reconcile.Options{
		App: bot, Author: promotion.Person{Name: bot, Email: "bot@example.com"}, Keys: m.keys,
		Now: func() time.Time { return m.w.now.Add(r.skew) },
		Nonce: func() string {
			m.w.nonce++
			return fmt.Sprint(m.w.nonce)
		},
		Log: zerolog.Nop(),
	}
	if m.shows {
		m.shown(&o)
	}
	return reconcile.New(r, r, o)
}

func (m *model) start(r *replica) {
	r.running = true
	ds := m.letters
	if cs := slices.Clone(m.commands); len(cs) > 0 && m.w.rng.IntN(2) == 0 {
		loop := r.clerk
		go func() {
			err := loop.Command(context.Background(), cs)
			if err == nil {
				m.obeyed(cs)
			}
			r.done <- err
		}()
		m.await(r)
		return
	}
	if len(ds) > 0 && m.w.rng.IntN(2) == 0 {
		// A second loop beside the first, as for commands: nothing excludes it.
		loop := m.newLoop(r)
		go func() {
			err := loop.Accept(context.Background(), ds)
			if err == nil {
				m.answered(ds)
			}
			r.done <- err
		}()
	} else {
		go func() {
			_, err := r.loop.Run(context.Background())
			r.done <- err
		}()
	}
	m.await(r)
}

// await waits until the replica stands at its next call, or has ended its run.
func (m *model) await(r *replica) {
	select {
	case <-r.ready:
		r.waiting, r.since = true, m.w.now
	case err := <-r.done:
		r.running, r.waiting = false, false
		if errors.Is(err, errCrash) || r.crashed {
			m.w.note("%s was killed", r.name)
			m.restart(r)
		}
	}
}

func (m *model) advance(r *replica, f fault) {
	r.waiting = false
	if m.w.now.Sub(r.since) > patience {
		m.w.paused = true
	}
	r.resume <- f
	m.await(r)
}

// patience is how long a call may wait before its worker counts as one that was
// stopped: no promise about extra pull requests holds for it.
const patience = promotion.Bound / 4

// step lets one thing happen.
func (m *model) step() {
	w := m.w
	w.now = w.now.Add(time.Duration(w.rng.IntN(1500)) * time.Millisecond)
	x := w.rng.IntN(100)
	switch {
	case x < 6:
		m.people()
	case x < 7:
		w.now = w.now.Add(time.Duration(w.rng.IntN(10)) * time.Second)
		switch w.rng.IntN(40) {
		case 0, 1:
			w.now = w.now.Add(2 * promotion.Bound)
		case 2:
			w.now = w.now.Add(time.Hour) // batches become due
		}
	case x < 8 && w.rng.IntN(3) == 0:
		r := m.replicas[w.rng.IntN(len(m.replicas))]
		if r.waiting {
			if w.rng.IntN(3) == 0 {
				r.skew = time.Duration(w.rng.IntN(40)-20) * time.Minute
				w.note("the clock of %s jumps by %v", r.name, r.skew)
				w.jumped, w.paused = true, true // it takes what others have just begun for left
				break
			}
			w.note("%s is paused for an hour at %s", r.name, r.call)
			r.stopped = w.now.Add(time.Hour)
		}
	default:
		r := m.replicas[w.rng.IntN(len(m.replicas))]
		m.turn(r)
	}
}

func (m *model) turn(r *replica) {
	w := m.w
	if w.now.Before(r.stopped) {
		if w.rng.IntN(40) == 0 {
			w.now = r.stopped
		}
		return
	}
	if !r.running {
		m.start(r)
		return
	}
	f := noFault
	switch x := w.rng.IntN(100); {
	case x < 2:
		f = failBefore
	case x < 4:
		f = failAfter
	case x < 5:
		f = crash
	}
	if f != noFault {
		w.note("%s meets fault %d at %s", r.name, f, r.call)
	}
	m.advance(r, f)
}

// people do what people do, and GitHub merges what was left to it.
func (m *model) people() {
	w := m.w
	open := w.open()
	switch w.rng.IntN(16 + 7*min(1, len(w.verified))) {
	case 0, 1, 2, 3:
		m.upstream()
	case 4:
		w.push(w.pipeline(), w.layout.environments[1+w.rng.IntN(len(w.layout.environments)-1)], w.rng.IntN(2) == 0)
	case 5:
		w.pushTo(main, map[string]string{"README.md": fmt.Sprintf("%d\n", w.nonce)})
	case 6, 7, 8:
		if len(open) > 0 {
			p := open[w.rng.IntN(len(open))]
			if err := w.merge(p, person, m.method(), p.Title, p.Body); err != nil {
				w.note("%s cannot merge #%d: %v", person, p.Number, err)
			}
		}
	case 9:
		if len(open) > 0 {
			w.closePull(open[w.rng.IntN(len(open))], person)
		}
	case 10:
		for _, p := range w.pulls {
			if !p.Open && !p.Merged && w.refs[heads+p.Branch] == p.Head && w.rng.IntN(2) == 0 && !w.headOpen(p.Branch) {
				p.Open, p.ClosedBy, p.reopened = true, "", true
				w.keep(p)
				w.note("%s reopens #%d", person, p.Number)
				break
			}
		}
	case 11:
		if len(open) > 0 {
			p := open[w.rng.IntN(len(open))]
			w.note("%s deletes %s", person, p.Branch)
			w.setRef(heads+p.Branch, "", person)
		}
	case 12:
		if len(open) > 0 {
			w.pushToHead(open[w.rng.IntN(len(open))])
		}
	case 13:
		if w.rng.IntN(4) == 0 {
			w.tamper()
		}
	case 14, 15:
		m.github()
	case 16, 17, 18, 19, 20:
		w.cluster()
	case 21, 22:
		m.command()
	}
}

// github merges one of those that were left to it, at whatever head it has.
func (m *model) github() {
	for _, p := range m.w.open() {
		if p.AutoMerge || p.queued {
			if err := m.w.merge(p, github, m.method(), p.Title, p.Body); err != nil {
				m.w.note("%s cannot merge #%d: %v", github, p.Number, err)
			}
			return
		}
	}
}

// upstream is what promotions begin with.
func (m *model) upstream() {
	w := m.w
	switch {
	case w.layout.hydrated:
		w.hydrate()
	case w.layout.source != "":
		m.release()
	default:
		w.push(w.pipeline(), "qa", w.rng.IntN(3) == 0)
	}
}

func (w *world) pipeline() string { return w.layout.pipelines[w.rng.IntN(len(w.layout.pipelines))] }

func (m *model) method() string {
	switch {
	case m.w.repo.Merge:
		return "merge"
	case m.w.repo.Squash:
		return "squash"
	}
	return "rebase"
}

func (w *world) open() []*pull {
	var ps []*pull
	for _, p := range w.pulls {
		if p.Open {
			ps = append(ps, p)
		}
	}
	return ps
}

func (w *world) headOpen(branch string) bool {
	for _, p := range w.pulls {
		if p.Open && p.Branch == branch {
			return true
		}
	}
	return false
}

// push changes an environment by hand.
func (w *world) push(pipeline, environment string, settings bool) {
	ref, dir := w.layout.ref(environment), w.layout.dir(pipeline, environment)
	if settings {
		lines := []string{"a", "b", "c", "d"}
		var b strings.Builder
		w.nonce++
		pick := w.rng.IntN(len(lines))
		old := strings.Split(string(w.blobs[w.commits[w.refs[ref]].files[dir+"/settings.yml"].Blob]), "\n\n")
		for i, l := range lines {
			text := strings.TrimSpace(l + ": 1")
			if i < len(old) {
				text = strings.TrimSpace(old[i])
			}
			if i == pick {
				text = fmt.Sprintf("%s: %d", l, w.nonce)
			}
			b.WriteString(text + "\n")
			if i < len(lines)-1 {
				b.WriteString("\n")
			}
		}
		w.pushTo(ref, map[string]string{dir + "/settings.yml": b.String()})
		return
	}
	w.nonce++
	w.pushTo(ref, map[string]string{dir + "/version.yml": fmt.Sprintf("image: 2.%d.0\n", w.nonce)})
}

func (w *world) pushTo(ref string, texts map[string]string) {
	tip := w.commits[w.refs[ref]]
	var edits []content.Edit
	for _, p := range slices.Sorted(maps.Keys(texts)) {
		edits = append(edits, content.Edit{Path: p, Mode: "100644", Bytes: []byte(texts[p])})
	}
	files := w.apply(tip.files, edits)
	if len(differing(tip.files, files)) == 0 {
		return
	}
	c := w.commit(files, []string{tip.ID}, promotion.Person{Name: person}, w.now, "change "+edits[0].Path)
	w.note("%s pushes %s to %s as %.7s", person, edits[0].Path, ref, c.ID)
	w.setRef(ref, c.ID, person)
}

func (w *world) pushToHead(p *pull) {
	head := w.commits[p.Head]
	w.nonce++
	for _, ref := range w.covers(p) {
		pipeline, environment, _ := state.ParseRef(ref)
		files := w.apply(head.files, []content.Edit{{Path: w.layout.dir(pipeline, environment) + "/version.yml", Mode: "100644", Bytes: []byte(fmt.Sprintf("image: 9.%d.0\n", w.nonce))}})
		c := w.commit(files, []string{head.ID}, promotion.Person{Name: person}, w.now, "my own")
		w.note("%s pushes to #%d", person, p.Number)
		w.setRef(heads+p.Branch, c.ID, person)
		return
	}
}

// tamper moves a ledger back, or writes rubbish into it; a person mends it later.
func (w *world) tamper() {
	ref := state.Ref(w.pipeline(), w.layout.environments[w.rng.IntN(len(w.layout.environments))])
	tip := w.refs[ref]
	if tip == "" || w.tampered[ref] != "" {
		return
	}
	w.tampered[ref] = tip
	rubbish := w.commit(nil, []string{tip}, promotion.Person{Name: person}, w.now, "rubbish")
	w.note("%s writes rubbish into %s", person, ref)
	w.setRef(ref, rubbish.ID, person)
}

func (m *model) abandon() {
	for _, r := range m.replicas {
		for r.running {
			m.advance(r, crash)
		}
	}
}

// settle ends faults and people, mends what was tampered with, and lets the
// replicas work until nothing is left to do. Then a pass writes nothing.
func (m *model) settle() {
	w := m.w
	w.note("-- settling")
	m.abandon()
	for ref, tip := range w.tampered {
		w.setRef(ref, tip, person)
		delete(w.tampered, ref)
	}
	quiet := 0
	for range 60 {
		w.now = w.now.Add(promotion.Bound + w.lag)
		if w.layout.name == "services" {
			w.now = w.now.Add(time.Hour)
		}
		if len(w.verified) > 0 {
			w.now = w.now.Add(10 * time.Minute)
			w.rest()
		}
		before := w.writes
		if ds := m.letters; len(ds) > 0 {
			if err := m.through(m.replicas[0], func() error { return m.newLoop(m.replicas[0]).Accept(context.Background(), ds) }); err == nil {
				m.answered(ds)
			}
		}
		if cs := slices.Clone(m.commands); len(cs) > 0 {
			if err := m.through(m.replicas[0], func() error { return m.replicas[0].clerk.Command(context.Background(), cs) }); err == nil {
				m.obeyed(cs)
			}
		}
		m.github()
		for _, r := range m.replicas {
			r.stopped, r.skew = time.Time{}, 0
			m.finish(r)
			w.now = w.now.Add(promotion.Bound + w.lag)
		}
		if len(w.broken) > 0 {
			return
		}
		if w.writes == before && (quiet > 3 && !w.jumped || quiet > 20 || len(w.verified) == 0 && !w.jumped) {
			if until := w.heldUntil(); until.After(w.now) {
				w.now = until // holds end by themselves
				continue
			} else if w.now.Sub(until) < 15*time.Minute {
				continue // nobody may have looked since
			}
			break
		}
		if quiet++; w.writes != before {
			quiet = 0
		}
	}
	before := w.writes
	for _, r := range m.replicas {
		res, err := m.finish(r)
		if err != nil {
			w.breaks("Convergence", "%s cannot look any more: %v", r.name, err)
			return
		}
		w.checkEnd(res.Decisions, res.Snapshot)
	}
	w.checkAnswered(m.commands)
	if w.writes != before {
		w.breaks("Nothing to do is nothing done", "a pass at rest writes %d times", w.writes-before)
	}
}

// finish runs one replica to the end of a run without faults.
func (m *model) finish(r *replica) (res reconcile.Result, err error) {
	err = m.through(r, func() (err error) {
		res, err = r.loop.Run(context.Background())
		return err
	})
	return res, err
}

// through lets every call of a run through.
func (m *model) through(r *replica, run func() error) error {
	done := make(chan error)
	go func() { done <- run() }()
	for {
		select {
		case <-r.ready:
			r.resume <- noFault
		case err := <-done:
			return err
		}
	}
}
