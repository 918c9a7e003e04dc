package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/calendar"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	display "github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

// Reconciler is the loop of one repository. It is used by one worker at a
// time; what it remembers between runs only saves requests.
type Reconciler struct {
	github GitHub
	git    Git
	o      Options
	memory memory
	// conflicts counts the pushes of this run that met a base which had moved.
	conflicts int
	tries     map[promotion.Key]int // in a row, by environment
	// aside are environments whose ledger moved under a push that others shared:
	// the next one goes without them.
	aside map[promotion.Key]bool
	asked asked
}

// Options are what the loop is given from outside.
type Options struct {
	App    string           // login of the App's bot user
	Author promotion.Person // of the commits promobot makes
	Keys   state.Keys       // that sign the ledger
	Now    func() time.Time
	Nonce  func() string // a new random string for each ledger entry
	Log    zerolog.Logger
	// Attempts is how often in a row a run pushes onto a base that keeps moving;
	// Backoff and MaxBackoff are between which it waits, at random, before the
	// next attempt. Zero: 10 attempts, no waiting.
	Attempts            int
	Backoff, MaxBackoff time.Duration
	// Concurrency is how many requests that do not depend on each other are made
	// at a time; 0 and 1: one.
	Concurrency int
	// Window, when set, is told how long ago the base had been read when a push
	// onto it was over; deliver is push or pull_request.
	Window func(deliver string, d time.Duration)
	// Conflict, when set, is told of every push that met a base which had moved.
	Conflict func()
	// Mode, when set, stands in for that of every environment: a dry run shows
	// the pull requests whatever the file says.
	Mode config.Mode
	// Onboard, when set, is asked for what a repository without a pipeline file is
	// offered; nil for nothing. The refs are those that git showed.
	Onboard func(ctx context.Context, repo promotion.Repository, refs promotion.Refs) (*Onboarding, error)
	// NoChecks leaves check runs and deployments out: a dry run has nobody to show
	// them to.
	NoChecks bool
	// Seen, when set, is told at the end of each run what is to be shown of the
	// repository, also when the run failed; Last is what it was told last, by an
	// earlier process maybe, and nil where there is none.
	Seen func(context.Context, display.Repository)
	Last func(context.Context) *display.Repository
	// Answered, when set, is told what became of a press; with an error the press is
	// looked at again.
	Answered func(context.Context, display.Answer) error
}

// memory is what one repository's loop knows from earlier runs. Losing it
// costs a few reads; nothing is decided on it, but for one thing: a ledger that
// no longer descends from the tip known here is not trusted.
type memory struct {
	tips     map[string]string           // newest trusted ledger entry, by ref
	entries  map[string]decoded          // decoded ledger entries, by commit
	checks   map[checkKey]checkState     // check runs as last written or read
	touches  map[string][]string         // paths a person's pull request changes, by head commit
	changes  map[changeKey]changed       // whether a commit changes a projection
	brings   map[span][]promotion.Commit // commits between two, which never change
	problems map[promotion.Key]problem
	reach    reachAt
	resolved resolved
	computed map[string]content.Result // by what they were computed from
	sources  []config.VersionSource    // that the pipeline file names
	brought  []Dispatch                // being accepted
	ruled    []string                  // branches whose rules decide something
	// unreadable is the commit whose check run last said that sources cannot be
	// read; lookedFor, that it needs not be looked for any more.
	unreadable string
	lookedFor  bool
	attempts   map[promotion.Key][]state.Rebuild
	changedBy  map[string][]string       // paths that a promotion's commit changed
	holidays   map[string][]calendar.Day // of iCalendar files, by blob
	heard      map[int64]bool            // comments that this process was the first to react to
	obeyed     map[obeyedKey]bool        // effects of commands that this process has written
	told       map[string]bool           // landings that failed for good: whether people were told
	recorded   map[string]string         // promotions that landed: what their deployment says, "" for none yet
	intents    map[string]bool           // recoveries whose intent this process has written
	// onboarded says that an onboarding pull request is known, onboarding is the
	// commit of the branch that this process made for one, and unguessed the base
	// for which nothing could be guessed.
	onboarded             bool
	onboarding, unguessed string
	stories               map[string]*story        // newest ledger entries for people, by ref
	past                  map[string]*display.Past // promotions that they speak of, by id
	shown                 []lastShown              // revisions that were on their way, newest last
	layout                string                   // stands for the environments of the last run
}

// reachAt is what the kustomizations at a tip have in common.
type reachAt struct {
	tip string
	of  *config.Reach
}

// span is a part of a folder's history.
type span struct{ older, newer, dir string }

// remembered bounds each part of the memory; past it that part begins anew.
const remembered = 20_000

func (m *memory) trim() {
	trim(m.entries)
	trim(m.checks)
	trim(m.touches)
	trim(m.changes)
	trim(m.brings)
	trim(m.computed)
	trim(m.changedBy)
	trim(m.heard)
	trim(m.told)
	trim(m.recorded)
	trim(m.obeyed)
	trim(m.resolved.owns)
}

func trim[K comparable, V any](part map[K]V) {
	if len(part) > remembered {
		clear(part)
	}
}

// problem is a refusal by GitHub or git, which no snapshot can tell.
type problem struct {
	text     string
	standing promotion.Standing
	until    time.Time // it is not tried again before
	merging  bool      // only a merge is not tried again
	at       time.Time
}

type checkKey struct{ commit, name string }

type checkState struct {
	id   int64
	hash string
}

// New returns the loop of one repository.
func New(github GitHub, git Git, o Options) *Reconciler {
	return &Reconciler{github: github, git: git, o: o, memory: memory{
		tips: map[string]string{}, entries: map[string]decoded{}, checks: map[checkKey]checkState{},
		touches: map[string][]string{}, changes: map[changeKey]changed{}, problems: map[promotion.Key]problem{},
		changedBy: map[string][]string{}, holidays: map[string][]calendar.Day{}, intents: map[string]bool{}, heard: map[int64]bool{}, told: map[string]bool{}, recorded: map[string]string{}, obeyed: map[obeyedKey]bool{},
		brings: map[span][]promotion.Commit{}, computed: map[string]content.Result{}, attempts: map[promotion.Key][]state.Rebuild{},
	}}
}

// Result is what a run came to.
type Result struct {
	Snapshot  *promotion.Snapshot
	Decisions []promotion.Decision
	// Next is when to run again without an event; zero for never.
	Next time.Time
}

// maxPasses bounds the passes of one run. A run that still finds something to
// do after it comes again at once, behind other repositories' work.
const maxPasses = 12

// Run makes passes until there is nothing left to do, then shows on the check
// runs where everything stands. Its error means that the repository as a whole
// could not be looked at; what could be done is done all the same.
func (r *Reconciler) Run(ctx context.Context) (Result, error) {
	defer r.memory.trim()
	res, last, err := r.passes(ctx)
	if r.o.Seen != nil {
		r.seen(ctx, last, res, err)
	}
	return res, err
}

// passes makes them, and returns what the last one looked at; nil where the run
// ended between two of them.
func (r *Reconciler) passes(ctx context.Context) (res Result, last *view, err error) {
	repo, err := r.github.Repository(ctx)
	if err != nil {
		return res, nil, fmt.Errorf("read repository: %w", err)
	}
	r.conflicts, r.tries, r.asked = 0, map[promotion.Key]int{}, newAsked()
	r.aside = map[promotion.Key]bool{}
	for range maxPasses {
		if err := r.pause(ctx); err != nil {
			return res, nil, err
		}
		if at := r.git.PushAt(); at.After(r.o.Now()) {
			// Waiting between reading the base and pushing would make the base old.
			res.Next = at
			return res, nil, nil
		}
		v, err := r.observe(ctx, repo)
		if err != nil {
			return res, nil, err
		}
		last = v
		ds := promotion.Decide(v.snapshot)
		r.overlayProblems(ds)
		res = Result{Snapshot: v.snapshot, Decisions: ds}
		v.decisions = ds
		acted, failed := r.act(ctx, v, ds)
		if failed == nil && acted {
			continue
		}
		for _, d := range ds {
			res.Next = earlier(res.Next, d.Until)
		}
		if limited(failed) {
			return res, last, failed
		}
		if err := r.show(ctx, v, ds); err != nil {
			failed = errors.Join(failed, fmt.Errorf("write check runs: %w", err))
		}
		if limited(failed) {
			return res, last, failed
		}
		look, err := r.onboard(ctx, v)
		if err != nil {
			failed = errors.Join(failed, err)
		}
		res.Next = earlier(res.Next, look)
		if limited(failed) {
			return res, last, failed
		}
		again, err := r.records(ctx, v)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("record deployments: %w", err))
		}
		res.Next = earlier(res.Next, again)
		return res, last, failed
	}
	res.Next = r.o.Now()
	return res, last, nil
}

// pause waits before the next attempt after pushes that met a moved base: at
// random, so that several who push do not meet again, and longer each time.
func (r *Reconciler) pause(ctx context.Context) error {
	if r.conflicts == 0 || r.o.Backoff <= 0 {
		return ctx.Err()
	}
	most := min(r.o.Backoff<<min(r.conflicts-1, 16), max(r.o.Backoff, r.o.MaxBackoff))
	t := time.NewTimer(rand.N(most) + 1) //nolint:gosec // only to spread attempts, nothing depends on it
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// How long a refusal stands before it is tried again: what a person has to mend
// is seldom mended soon; a merge may be allowed after the next look.
const (
	refusedAgain      = 10 * time.Minute
	mergeRefusedAgain = time.Minute
	mergeStaleAgain   = 5 * time.Second
)

func (r *Reconciler) refuse(k promotion.Key, text string, again time.Duration) {
	r.o.Log.Warn().Str("environment", k.String()).Str("reason", text).Msg("refused")
	r.memory.problems[k] = problem{text: text, standing: promotion.Stopped, until: r.o.Now().Add(again), at: r.o.Now()}
}

// refusals lays what was refused beside the environments. What GitHub only lets
// wait is none.
func (r *Reconciler) refusals(s *promotion.Snapshot) {
	for i := range s.Environments {
		o := &s.Environments[i]
		p, ok := r.memory.problems[o.Key]
		if !ok || p.standing != promotion.Stopped || !s.Now.Before(p.until) {
			continue
		}
		o.Refusal = &promotion.Refusal{Kind: config.PushFailed, Text: p.text, At: p.at}
		if p.merging {
			o.Refusal.Kind = config.MergeFailed
		}
	}
}

// overlayProblems shows the refusals on the decisions that met them, and keeps
// those from being tried again for a while.
func (r *Reconciler) overlayProblems(ds []promotion.Decision) {
	now := r.o.Now()
	for i := range ds {
		p, ok := r.memory.problems[ds[i].Key]
		if !ok {
			continue
		}
		if !now.Before(p.until) {
			delete(r.memory.problems, ds[i].Key)
			continue
		}
		if ds[i].Retries {
			if ds[i].Action != nil {
				delete(r.memory.problems, ds[i].Key)
			}
			continue
		}
		if _, merges := ds[i].Action.(promotion.Merge); p.merging && !merges {
			continue
		}
		ds[i].Standing, ds[i].Reason, ds[i].Action, ds[i].Until = p.standing, p.text, nil, p.until
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// stale says whether an error means that the world moved, so that deciding
// anew is the answer.
func stale(err error) bool {
	return errors.Is(err, promotion.ErrConflict) || errors.Is(err, promotion.ErrNotFound)
}
