package gitrepo

// A mirror's folder: made beside and renamed into place, watched over, set
// aside when damaged. Its lock covers "there and whole? clone; fetch;
// maintenance" and nothing else, and maintenance makes way for the others.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/promobot/promobot/promotion"
)

// mirror is what all users of one repository share.
type mirror struct {
	dir   string
	cache *cache
	made  *made
	pace  *rate.Limiter // nil: pushes are not paced

	lock chan struct{} // held by sending
	// unsure is set when the mirror was not looked at yet, or a process that
	// writes refs or packs failed: lock files may lie about. Guarded by lock.
	unsure bool
	// untidy is set by writers of objects that failed: temporary ones may lie about.
	untidy atomic.Bool
	// suspect is set by reads that found the mirror damaged.
	suspect atomic.Bool
	// writing is read-locked by whoever writes objects outside the lock.
	writing sync.RWMutex

	mu      sync.Mutex
	pending *flight // a fetch that has not started yet
	waiting int     // who waits for the lock
	// hurry, set while maintenance runs, lets it end within a bound.
	hurry func()
	stop  func() // ends it at once
	// notBefore is when maintenance that failed may be tried again.
	notBefore time.Time

	users    int       // calls under way and holds
	used     time.Time // when the last one ended
	size     int64     // bytes on disk, when last measured
	unwanted bool      // to be removed as soon as nobody uses it
}

// flight is one fetch and those who wait for it.
type flight struct {
	done      chan struct{}
	refs      promotion.Refs
	err       error
	abandoned bool // its leader gave up: whoever still wants it starts another
}

func newMirror(dir string) *mirror {
	return &mirror{dir: dir, cache: newCache(), made: newMade(), lock: make(chan struct{}, 1), unsure: true}
}

// acquire waits for the lock. Maintenance that holds it is asked to end.
func (m *mirror) acquire(ctx context.Context) error {
	m.mu.Lock()
	m.waiting++
	if m.hurry != nil {
		m.hurry()
	}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.waiting--
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case m.lock <- struct{}{}:
		return nil
	}
}

// tryAcquire takes the lock if it is free.
func (m *mirror) tryAcquire() bool {
	select {
	case m.lock <- struct{}{}:
		return true
	default:
		return false
	}
}

func (m *mirror) letGo() { <-m.lock }

// Fetch brings the mirror up to date and returns all its refs (branches and
// refs/promobot) as one snapshot of the remote, cloning first if there is no
// mirror. An empty repository has no refs, and is no error. Calls that come
// while a fetch runs share the one that starts after it: what is returned was
// never read before the call. Every commit the snapshot names is in the mirror.
//
// It fails with ErrNotFound, ErrMoved, ErrUnauthorized, ErrForbidden or
// ErrDiskFull.
func (r *Repository) Fetch(ctx context.Context) (promotion.Refs, error) {
	if r.local {
		return r.refs(ctx)
	}
	defer r.use()()
	for {
		f, leads := r.board()
		if leads {
			r.fly(ctx, f)
			return f.result()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.done:
		}
		if f.abandoned && ctx.Err() == nil {
			continue
		}
		return f.result()
	}
}

// board joins the fetch that has not started, or becomes the leader of one.
func (m *mirror) board() (f *flight, leads bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pending != nil {
		return m.pending, false
	}
	m.pending = &flight{done: make(chan struct{})}
	return m.pending, true
}

// depart closes a flight to further passengers.
func (m *mirror) depart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = nil
}

// fly runs a fetch once the lock is free.
func (r *Repository) fly(ctx context.Context, f *flight) {
	defer close(f.done)
	err := r.acquire(ctx)
	r.depart()
	if err != nil {
		f.err, f.abandoned = err, true
		return
	}
	f.refs, f.err = r.update(ctx)
	f.abandoned = f.err != nil && ctx.Err() != nil
	r.letGo()
	if f.err == nil {
		r.store.tend(ctx, r)
	}
}

// result gives each passenger refs of its own.
func (f *flight) result() (promotion.Refs, error) {
	if f.err != nil {
		return nil, f.err
	}
	return maps.Clone(f.refs), nil
}

// update makes the mirror equal to the remote. It holds the lock.
func (r *Repository) update(ctx context.Context) (promotion.Refs, error) {
	if r.suspect.Load() {
		if err := r.setAside(); err != nil {
			return nil, err
		}
	}
	there, err := r.there()
	if err != nil {
		return nil, err
	}
	if !there {
		return r.cloneOrMakeRoom(ctx)
	}
	refs, err := r.refresh(ctx)
	r.unsure = err != nil
	if errors.Is(err, ErrDiskFull) {
		r.store.removeAsides()
	}
	if !errors.Is(err, ErrCorrupt) || ctx.Err() != nil {
		return refs, err
	}
	r.opts.Logger.Warn().Str("folder", r.dir).Err(err).Msg("the mirror is damaged: cloning it anew")
	if err := r.setAside(); err != nil {
		return nil, err
	}
	return r.cloneOrMakeRoom(ctx)
}

// cloneOrMakeRoom clones, and when the disk is full gives up what was set aside,
// for the next try to find the room.
func (r *Repository) cloneOrMakeRoom(ctx context.Context) (promotion.Refs, error) {
	refs, err := r.clone(ctx)
	if errors.Is(err, ErrDiskFull) {
		r.store.removeAsides()
	}
	return refs, err
}

// clone makes the mirror beside its place, and renames it when it is whole.
func (r *Repository) clone(ctx context.Context) (_ promotion.Refs, err error) {
	half := r.dir + halfSuffix
	if err := os.RemoveAll(half); err != nil {
		return nil, fmt.Errorf("cloning: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(half))
		}
	}()
	if err := os.MkdirAll(half, 0o700); err != nil {
		return nil, fmt.Errorf("cloning: %w", fullDisk(err))
	}
	_, err = r.run.text(ctx, command{
		name: "init", args: []string{"init", "--quiet", "--bare", "--template=", half},
		workDir: half, timeout: r.opts.Timeout,
	})
	if err != nil {
		return nil, explain(err, false)
	}
	if err := r.network(ctx, "clone", mirrorCommand(half, cloning, r.opts.CloneTimeout)); err != nil {
		return nil, err
	}
	refs, err := r.refsIn(ctx, half)
	if err != nil {
		return nil, err
	}
	if len(refs) > manyRefs {
		if err := r.packRefs(ctx, half); err != nil {
			return nil, err
		}
	}
	if err := os.Rename(half, r.dir); err != nil {
		return nil, fmt.Errorf("cloning: %w", fullDisk(err))
	}
	r.unsure = false
	return refs, nil
}

func mirrorCommand(dir string, as access, timeout time.Duration) func() command {
	return func() command {
		return command{
			name: "fetch", gitDir: dir, access: as, timeout: timeout,
			args: []string{
				"fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head",
				"--no-auto-maintenance", "--no-show-forced-updates", "--recurse-submodules=no", remoteName,
			},
		}
	}
}

// refresh fetches into a mirror that is there.
func (r *Repository) refresh(ctx context.Context) (promotion.Refs, error) {
	if r.unsure || r.untidy.Load() {
		if err := r.tidy(); err != nil {
			return nil, fmt.Errorf("tidying the mirror: %w", fullDisk(err))
		}
		// A tip that is missing or unreadable shows here, before it costs a fetch.
		if _, err := r.refs(ctx); err != nil {
			return nil, err
		}
	}
	var said string
	err := r.network(ctx, "fetch", func() command {
		c := mirrorCommand(r.dir, mirroring, r.opts.Timeout)()
		c.heard = func(text string) { said = text }
		return c
	})
	if err != nil {
		return nil, err
	}
	// git gets on without a pack that it cannot read, by fetching all again, and
	// complains of it ever after.
	if tellsDamage(said) {
		return nil, fmt.Errorf("%w: %s", ErrCorrupt, tellingLine(said))
	}
	return r.refs(ctx)
}

func (r *Repository) refs(ctx context.Context) (promotion.Refs, error) {
	return r.refsIn(ctx, r.dir)
}

// refsIn lists the refs of a repository. Asking for each tip's type makes git
// look at each tip, and fail when one is missing.
func (r *Repository) refsIn(ctx context.Context, dir string) (promotion.Refs, error) {
	out, err := r.run.text(ctx, command{
		name: "for-each-ref", gitDir: dir, timeout: r.opts.Timeout,
		args: []string{"for-each-ref", "--format=%(objectname) %(objecttype) %(refname)", "refs/heads/", "refs/promobot/"},
	})
	if err != nil {
		return nil, explain(err, false)
	}
	refs := promotion.Refs{}
	for line := range strings.Lines(out) {
		id, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok {
			return nil, fmt.Errorf("git for-each-ref answered %q", clip(line, 200))
		}
		_, name, ok := strings.Cut(rest, " ")
		if !ok {
			return nil, fmt.Errorf("git for-each-ref answered %q", clip(line, 200))
		}
		refs[name] = id
	}
	return refs, nil
}
