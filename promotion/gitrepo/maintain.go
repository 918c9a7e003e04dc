package gitrepo

// Maintenance of a mirror. Every fetch leaves a pack and every commit made
// leaves loose objects; when they are many, they become few. Its rules:
//
//   - It runs under the mirror's lock, after a fetch whose refs were handed out,
//     and not at all while someone waits for the lock. Whoever comes while it
//     runs waits for a bounded time; then it is ended, which harms nothing.
//   - It costs what was added, not what is there: only small packs become one.
//   - No object is ever dropped: what nothing refers to may be a promotion's
//     commit that is about to be pushed.

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	manyPacks = 50
	// manyLoose is how many objects in one of the 256 folders of loose objects
	// stand for too many in all: about 7,000, git's own bound.
	manyLoose   = 27
	looseSample = "17"
	// manyRefs is how many refs of a new mirror are put into one file.
	manyRefs = 200
	// pressing is how many times too many make maintenance go before whoever
	// waits: a repository in which someone always waits needs it, too.
	pressing = 4

	maintenanceTime = time.Minute
	// patience is how long maintenance may keep someone waiting.
	patience = 2 * time.Second
	// afterFailure is how long maintenance is left alone that failed by itself.
	afterFailure = 10 * time.Minute
)

// tend looks after a mirror once a fetch is done: maintenance if it is due, its
// size, and room for others. It returns at once.
func (s *Store) tend(ctx context.Context, r *Repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return
	}
	ctx = context.WithoutCancel(ctx) // whoever fetched need not wait
	s.tending.Go(func() {
		if s.maintainIfDue(ctx, r) {
			s.makeRoom()
		}
		s.removeUnwanted(r.mirror)
	})
}

// maintainIfDue holds the lock for as long as it needs, if it gets it at once.
func (s *Store) maintainIfDue(ctx context.Context, r *Repository) (measured bool) {
	packs, loose, err := r.clutter()
	if err != nil {
		r.opts.Logger.Error().Str("folder", r.dir).Err(err).Msg("a mirror cannot be looked after")
		return false
	}
	due := packs > manyPacks || loose > manyLoose
	pressed := packs > pressing*manyPacks || loose > pressing*manyLoose
	if !r.tryAcquire() {
		return false
	}
	defer r.letGo()
	if due {
		ctx, done, ok := r.beginMaintenance(ctx, pressed)
		if ok {
			err := r.maintain(ctx)
			r.endMaintenance(ctx, err)
			done()
		}
	}
	if s.opts.MaxDisk > 0 {
		r.measure()
	}
	return true
}

// beginMaintenance bounds maintenance: by a minute, and by two seconds from when
// someone waits for the lock. It says no while someone waits already.
func (r *Repository) beginMaintenance(ctx context.Context, pressed bool) (_ context.Context, done func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting > 0 && !pressed || time.Now().Before(r.notBefore) || r.store.closed.Load() {
		return nil, nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, maintenanceTime)
	var hurried *time.Timer
	r.hurry = func() {
		if hurried == nil {
			hurried = time.AfterFunc(patience, cancel)
		}
	}
	r.stop = cancel
	if r.waiting > 0 {
		r.hurry()
	}
	return ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.hurry, r.stop = nil, nil
		if hurried != nil {
			hurried.Stop()
		}
		cancel()
	}, true
}

// endMaintenance notes what became of it. A process that was ended may have left
// locks and temporary files.
func (r *Repository) endMaintenance(ctx context.Context, err error) {
	if err == nil {
		return
	}
	r.unsure = true
	if errors.Is(ctx.Err(), context.Canceled) { // for someone's sake
		r.opts.Logger.Debug().Str("folder", r.dir).Msg("maintenance made way")
		return
	}
	err = r.noteDamage(err)
	r.opts.Logger.Warn().Str("folder", r.dir).Err(err).Msg("maintenance of a mirror failed")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notBefore = time.Now().Add(afterFailure)
}

// interrupt ends maintenance under way.
func (m *mirror) interrupt() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stop != nil {
		m.stop()
	}
}

// clutter counts the mirror's packs, and the loose objects of one folder.
func (r *Repository) clutter() (packs, loose int, err error) {
	packs, err = countFiles(filepath.Join(r.dir, "objects", "pack"), ".pack")
	if err != nil {
		return 0, 0, err
	}
	loose, err = countFiles(filepath.Join(r.dir, "objects", looseSample), "")
	return packs, loose, err
}

func (r *Repository) maintain(ctx context.Context) error {
	start := time.Now()
	if err := r.packRefs(ctx, r.dir); err != nil {
		return err
	}
	if err := r.packLoose(ctx); err != nil {
		return err
	}
	// What was fetched is packed apart from what was made here: the remote
	// promises what the former refers to.
	for _, promised := range []bool{true, false} {
		if err := r.joinPacks(ctx, promised); err != nil {
			return err
		}
	}
	r.opts.Logger.Debug().Str("folder", r.dir).Dur("took", time.Since(start)).Msg("the mirror was repacked")
	return nil
}

// packRefs puts all refs into one file.
func (r *Repository) packRefs(ctx context.Context, dir string) error {
	return explain(r.run.do(ctx, command{
		name: "pack-refs", gitDir: dir, timeout: r.opts.Timeout,
		args: []string{"pack-refs", "--all"},
	}), false)
}

// countFiles counts a folder's files with a suffix; a folder that is absent has none.
func countFiles(dir, suffix string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	n := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			n++
		}
	}
	return n, nil
}
