package gitrepo

// What the dead and the damaged leave: half clones, lock files and temporary
// objects are removed once it is certain that nobody alive needs them; a damaged
// mirror is set aside. What makes it certain:
//
//   - the store holds its folder, and a process that died gave it up: whatever
//     is unfinished when a store is opened is nobody's;
//   - refs and configuration of a mirror are written under its lock alone, so
//     whoever holds the lock and runs no git finds only locks of the dead;
//   - objects are written outside the lock, too (commits made, blobs fetched):
//     those writers are counted, and temporary objects are left alone while
//     there is one.
//
// A git process dies with promobot, but its helpers may outlive it by the moment
// in which they find their pipes closed. They write temporary packs and no refs.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"
)

// What folders are, by their names' ends.
const (
	mirrorSuffix = ".git"
	halfSuffix   = ".half"   // a clone being made
	asideSuffix  = ".broken" // a damaged mirror, kept until the next one is
	goneSuffix   = ".gone"   // a mirror being removed
)

// removeUnfinished removes the clones that processes died over, and what they
// were removing. The caller holds the folder, so it is nobody's.
func removeUnfinished(dir string, log zerolog.Logger) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), halfSuffix) && !strings.HasSuffix(e.Name(), goneSuffix) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		log.Info().Str("folder", path).Msg("removing a folder that a dead process did not finish with")
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// tidy removes what dead processes left in the mirror. It holds the lock. Lock
// files belong to whoever writes refs, which needs the lock: those are of the
// dead. Temporary objects may be those of a commit that is being stored or of
// blobs that are being fetched: then they stay, and do no harm.
func (r *Repository) tidy() error {
	objects := filepath.Join(r.dir, "objects")
	if err := removeFiles(r.dir, objects, isLock, r.opts.Logger); err != nil {
		return err
	}
	if !r.writing.TryLock() {
		r.untidy.Store(true) // the next fetch looks again
		return nil
	}
	defer r.writing.Unlock()
	r.untidy.Store(false)
	return removeFiles(objects, "", isTemporary, r.opts.Logger)
}

// isLock is true for lock files: no ref's name may end in .lock ("git
// check-ref-format").
func isLock(name string) bool { return strings.HasSuffix(name, ".lock") }

// isTemporary is true for objects and packs that git, or maintenance, did not
// finish, and for what keeps a fetched pack from being repacked until its refs
// are written ("git index-pack", --keep).
func isTemporary(name string) bool {
	return strings.HasPrefix(name, "tmp_") || strings.HasPrefix(name, ".tmp-") || strings.HasSuffix(name, ".keep") || isLock(name)
}

// removeFiles removes the files below dir, outside of skip, whose names match.
func removeFiles(dir, skip string, match func(name string) bool, log zerolog.Logger) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case path == skip:
			return fs.SkipDir
		case d.IsDir() || !match(d.Name()):
			return nil
		}
		log.Info().Str("file", path).Msg("removing a file that a dead git process left")
		//nolint:gosec // the mirrors' folder is promobot's alone
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
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
	aside := strings.TrimSuffix(r.dir, mirrorSuffix) + asideSuffix
	if err := os.RemoveAll(aside); err != nil {
		return fmt.Errorf("setting a damaged mirror aside: %w", err)
	}
	if err := os.Rename(r.dir, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("setting a damaged mirror aside: %w", err)
	}
	r.suspect.Store(false)
	return nil
}
