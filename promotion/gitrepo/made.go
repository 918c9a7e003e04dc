package gitrepo

// What commits made in this process took over by id. A blob that is on the
// remote need not be here, unless it is none that the base or the branches show
// now: then a push must send it, and for that it is fetched beforehand, since a
// push that fetched for itself would do so without bounds.

import (
	"context"
	"slices"
	"strings"
	"sync"
)

const madeLimit = 10000

type made struct {
	mu      sync.Mutex
	commits map[string]madeCommit
	shared  map[string]bool // commits that were pushed from here
}

func newMade() *made { return &made{commits: map[string]madeCommit{}, shared: map[string]bool{}} }

func (m *made) add(id string, c madeCommit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.commits) >= madeLimit {
		clear(m.commits)
	}
	m.commits[id] = c
}

func (m *made) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.commits)
	clear(m.shared)
}

// borrowedBy returns the blobs that the commits, and those made here below
// them, took over.
func (m *made) borrowedBy(ids []string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var blobs []string
	seen := map[string]bool{}
	for len(ids) > 0 {
		id := ids[0]
		ids = ids[1:]
		c, ok := m.commits[id]
		if !ok || seen[id] {
			continue
		}
		seen[id] = true
		blobs = append(blobs, c.borrowed...)
		ids = append(ids, c.parents...)
	}
	return distinct(blobs)
}

// forget drops commits that the remote has, and remembers that it has them and
// those made here below them.
func (m *made) forget(ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.shared) >= madeLimit {
		clear(m.shared)
	}
	for todo := slices.Clone(ids); len(todo) > 0; {
		id := todo[0]
		todo = todo[1:]
		if c, known := m.commits[id]; known && !m.shared[id] {
			todo = append(todo, c.parents...)
		}
		m.shared[id] = true
	}
	for _, id := range ids {
		delete(m.commits, id)
	}
}

// follows says whether a push of a commit sends nothing that the remote would
// have to be asked about: it was pushed from here before, or it is a ledger's
// entry on the one that its lease names.
func (m *made) follows(commit, lease string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if commit == "" || m.shared[commit] {
		return true
	}
	c, known := m.commits[commit]
	return known && lease != "" && len(c.borrowed) == 0 && !slices.ContainsFunc(c.parents, func(p string) bool { return p != lease && !m.shared[p] })
}

// bringBorrowed fetches the blobs that pushing these commits must send and that
// are not here. Mostly there are none, and mostly that is known without a look.
func (r *Repository) bringBorrowed(ctx context.Context, commits []string) error {
	blobs := r.made.borrowedBy(commits)
	if len(blobs) == 0 {
		return nil
	}
	missing, err := r.absent(ctx, blobs)
	if err != nil || len(missing) == 0 {
		return err
	}
	out, err := r.run.text(ctx, command{
		name: "rev-list", gitDir: r.dir, timeout: r.opts.Timeout,
		args:  []string{"rev-list", "--objects", "--no-object-names", "--missing=print", "--stdin", "--not", "--all"},
		stdin: strings.NewReader(strings.Join(commits, "\n") + "\n"),
	})
	if err != nil {
		return r.noteDamage(explain(err, false))
	}
	wanted := map[string]bool{}
	for line := range strings.Lines(out) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "?"); ok {
			wanted[id] = true
		}
	}
	var needed []string
	for _, id := range missing {
		if wanted[id] {
			needed = append(needed, id)
		}
	}
	_, err = r.bring(ctx, needed, true)
	return err
}
