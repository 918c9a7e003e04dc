package gitrepo

// A mirror's folder: made beside and renamed into place, watched over, set
// aside when damaged. Its lock covers "there and whole? clone; fetch;
// maintenance" and nothing else.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
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
	// unsure is set when the mirror was not looked at yet, or a fetch failed:
	// lock files may lie about. Guarded by lock.
	unsure bool
	// suspect is set by reads that found the mirror damaged.
	suspect atomic.Bool

	mu      sync.Mutex
	pending *flight // a fetch that has not started yet
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

// Folders and files that are not mirrors.
const (
	halfSuffix  = ".half"   // a clone being made
	asideSuffix = ".broken" // a damaged mirror, kept until the next one is
)

// removeHalfClones removes the clones that processes died over. The caller
// holds the folder, so whatever is unfinished is nobody's.
func removeHalfClones(dir string, log zerolog.Logger) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), halfSuffix) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		log.Info().Str("folder", path).Msg("removing a clone that a dead process did not finish")
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// removeLocks removes lock files and temporary objects from a mirror that no
// git process is writing to. No ref's name may end in .lock ("git
// check-ref-format"), so every such file is a lock.
func removeLocks(dir string, log zerolog.Logger) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir():
			return nil
		}
		name := d.Name()
		inObjects := strings.HasPrefix(path, filepath.Join(dir, "objects")+string(filepath.Separator))
		if strings.HasSuffix(name, ".lock") || inObjects && (strings.HasPrefix(name, "tmp_") || strings.HasPrefix(name, ".tmp-")) {
			log.Info().Str("file", path).Msg("removing a file that a dead git process left")
			//nolint:gosec // the mirrors' folder is promobot's alone
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
}

// Fetch brings the mirror up to date and returns all its refs (branches and
// refs/promobot) as one snapshot of the remote, cloning first if there is no
// mirror. An empty repository has no refs, and is no error. Calls that come
// while a fetch runs share the one that starts after it: what is returned was
// never read before the call. Every commit the snapshot names is in the mirror.
//
// It fails with ErrNotFound, ErrMoved, ErrUnauthorized or ErrForbidden.
func (r *Repository) Fetch(ctx context.Context) (promotion.Refs, error) {
	if r.local {
		return r.refs(ctx)
	}
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
	select {
	case <-ctx.Done():
		r.depart()
		f.err, f.abandoned = ctx.Err(), true
		return
	case r.lock <- struct{}{}:
	}
	defer func() { <-r.lock }()
	r.depart()
	f.refs, f.err = r.update(ctx)
	f.abandoned = f.err != nil && ctx.Err() != nil
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
		return r.clone(ctx)
	}
	refs, err := r.refresh(ctx)
	r.unsure = err != nil
	if !errors.Is(err, ErrCorrupt) || ctx.Err() != nil {
		return refs, err
	}
	r.opts.Logger.Warn().Str("folder", r.dir).Err(err).Msg("the mirror is damaged: cloning it anew")
	if err := r.setAside(); err != nil {
		return nil, err
	}
	return r.clone(ctx)
}

// there says whether a mirror is in place. A clone is renamed into place when
// it is whole, so a folder that lacks HEAD was damaged by someone else.
func (r *Repository) there() (bool, error) {
	info, err := os.Lstat(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && info.IsDir() {
		_, err = os.Stat(filepath.Join(r.dir, "HEAD"))
		if err == nil {
			return true, nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("the mirror's folder: %w", err)
	}
	return false, r.setAside()
}

// setAside moves a damaged mirror away, replacing the one set aside before it.
func (r *Repository) setAside() error {
	aside := strings.TrimSuffix(r.dir, ".git") + asideSuffix
	if err := os.RemoveAll(aside); err != nil {
		return fmt.Errorf("setting a damaged mirror aside: %w", err)
	}
	if err := os.Rename(r.dir, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("setting a damaged mirror aside: %w", err)
	}
	r.suspect.Store(false)
	return nil
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
		return nil, fmt.Errorf("cloning: %w", err)
	}
	_, err = r.run.text(ctx, command{
		name: "init", args: []string{"init", "--quiet", "--bare", "--template=", half},
		workDir: half, timeout: r.opts.Timeout,
	})
	if err != nil {
		return nil, err
	}
	if err := r.network(ctx, "clone", mirrorCommand(half, r.opts.CloneTimeout)); err != nil {
		return nil, err
	}
	refs, err := r.refsIn(ctx, half)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(half, r.dir); err != nil {
		return nil, fmt.Errorf("cloning: %w", err)
	}
	r.unsure = false
	return refs, nil
}

func mirrorCommand(dir string, timeout time.Duration) func() command {
	return func() command {
		return command{
			name: "fetch", gitDir: dir, access: mirroring, timeout: timeout,
			args: []string{
				"fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head",
				"--no-auto-maintenance", "--no-show-forced-updates", "--recurse-submodules=no", remoteName,
			},
		}
	}
}

// refresh fetches into a mirror that is there. What could take long and needs
// no remote comes first, so that the refs are as new as can be when it returns.
func (r *Repository) refresh(ctx context.Context) (promotion.Refs, error) {
	if r.unsure {
		if err := removeLocks(r.dir, r.opts.Logger); err != nil {
			return nil, fmt.Errorf("tidying the mirror: %w", err)
		}
		// A tip that is missing or unreadable shows here, before it costs a fetch.
		if _, err := r.refs(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.maintain(ctx); err != nil {
		return nil, err
	}
	if err := r.network(ctx, "fetch", mirrorCommand(r.dir, r.opts.Timeout)); err != nil {
		return nil, err
	}
	return r.refs(ctx)
}

// network runs one process that uses the network, with a new token when the
// remote refuses the first.
func (r *Repository) network(ctx context.Context, kind string, prepare func() command) error {
	start := time.Now()
	err := r.withToken(ctx, prepare)
	if r.opts.Observer != nil {
		r.opts.Observer(kind, time.Since(start), err)
	}
	return err
}

// withToken makes the command anew for each try, since input is read only once.
func (r *Repository) withToken(ctx context.Context, prepare func() command) error {
	var err error
	refused := ""
	for range 2 {
		c := prepare()
		c.url = r.remote.URL
		if c.token, err = r.token(ctx, refused); err != nil {
			return err
		}
		refused = c.token
		err = explain(r.run.do(ctx, c), true)
		if !errors.Is(err, ErrUnauthorized) {
			return err
		}
	}
	return err
}

func (r *Repository) token(ctx context.Context, refused string) (string, error) {
	if r.remote.Token == nil {
		return "", nil
	}
	token, err := r.remote.Token(ctx, refused)
	if err != nil {
		return "", fmt.Errorf("an installation token for git: %w", err)
	}
	if strings.ContainsAny(token, "\r\n\x00") {
		return "", errors.New("an installation token for git: it holds a line end")
	}
	return token, nil
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
