package gitrepo

// Maintenance of a mirror, under its lock. Every fetch leaves a pack and every
// commit made leaves loose objects; when they are many, they become few. No
// object is ever dropped: what nothing refers to may be a promotion's commit
// that is about to be pushed.

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	manyPacks = 50
	// manyLoose is how many objects in one of the 256 folders of loose objects
	// stand for too many in all: about 7,000, git's own bound.
	manyLoose = 27
)

func (r *Repository) maintain(ctx context.Context) error {
	packs, err := countFiles(filepath.Join(r.dir, "objects", "pack"), ".pack")
	if err != nil {
		return err
	}
	loose, err := countFiles(filepath.Join(r.dir, "objects", "17"), "")
	if err != nil {
		return err
	}
	if packs <= manyPacks && loose <= manyLoose {
		return nil
	}
	for _, c := range []command{
		{name: "pack-refs", args: []string{"pack-refs", "--all"}},
		// Seen as a promisor's, what was fetched is packed apart from what was
		// made here, and blobs that are not here are not missed.
		{name: "repack", args: []string{"repack", "-a", "-d", "--keep-unreachable", "--quiet", "--no-write-bitmap-index"}, access: repack},
	} {
		c.gitDir, c.timeout = r.dir, r.opts.CloneTimeout
		c.url = r.remote.URL
		if err := explain(r.run.do(ctx, c), false); err != nil {
			return err
		}
	}
	r.opts.Logger.Debug().Str("folder", r.dir).Int("packs", packs).Msg("the mirror was repacked")
	return nil
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
