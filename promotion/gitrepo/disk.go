package gitrepo

// Room on the disk. Every mirror is a cache, so when all together take more than
// they may, those that were not used for longest go. Its rules:
//
//   - Whoever uses a mirror is counted, before the mirror's folder is touched
//     and until the call returns. A mirror is removed only while nobody is.
//   - Removing is a rename, done while nobody can begin to use the mirror; what
//     was renamed is deleted afterwards. A mirror so is there whole or not at all.
//   - Sizes are taken from the few packs and an estimate of the loose objects:
//     no folder is walked.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// use counts a user of the mirror until the function it returns is called.
func (r *Repository) use() (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users++
	return func() {
		r.mu.Lock()
		r.users--
		r.used = time.Now()
		r.mu.Unlock()
		r.store.removeUnwanted(r.mirror)
	}
}

// Hold keeps the mirror from being removed for others until release is called:
// for a pass that reads, thinks for long, and reads or pushes again.
func (r *Repository) Hold() (release func()) {
	if r.local {
		return func() {}
	}
	return r.use()
}

// Forget removes a repository's mirror, because the App is no longer installed
// on it, as soon as nobody uses it. If it is fetched again it is cloned again.
func (s *Store) Forget(key string) error {
	s.mu.Lock()
	m := s.mirrors[folderName(key)]
	s.mu.Unlock()
	if m == nil {
		return nil
	}
	m.mu.Lock()
	m.unwanted = true
	m.mu.Unlock()
	_, err := m.removeIdle(0)
	return err
}

// removeUnwanted removes the mirror if it was given up and nobody uses it any
// more: asked whenever someone stops using it, or looking after it.
func (s *Store) removeUnwanted(m *mirror) {
	m.mu.Lock()
	leaves := m.users == 0 && m.unwanted
	m.mu.Unlock()
	if !leaves {
		return
	}
	if _, err := m.removeIdle(0); err != nil {
		s.opts.Logger.Error().Str("folder", m.dir).Err(err).Msg("a mirror that is no longer wanted cannot be removed")
	}
}

// removeIdle removes the mirror's folder unless it is in use, locked, or was
// used within the time given.
func (m *mirror) removeIdle(idle time.Duration) (removed bool, err error) {
	if !m.tryAcquire() {
		return false, nil
	}
	defer m.letGo()
	gone := m.dir + goneSuffix
	if err := os.RemoveAll(gone); err != nil {
		return false, fmt.Errorf("removing a mirror: %w", err)
	}
	if removed, err = m.renameIdle(gone, idle); !removed || err != nil {
		return false, err
	}
	m.unsure = true
	m.cache.clear()
	m.made.clear()
	if err := os.RemoveAll(gone); err != nil {
		return true, fmt.Errorf("removing a mirror: %w", err)
	}
	return true, nil
}

// renameIdle takes the folder away at a moment when nobody uses it.
func (m *mirror) renameIdle(gone string, idle time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users > 0 || m.waiting > 0 || time.Since(m.used) < idle {
		return false, nil
	}
	if err := os.Rename(m.dir, gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("removing a mirror: %w", err)
	}
	m.size, m.unwanted = 0, false
	return true, nil
}

// findMirrors registers the mirrors of earlier runs, which nobody may ever open
// again, and removes what is too much.
func (s *Store) findMirrors() error {
	entries, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasSuffix(e.Name(), mirrorSuffix) {
			continue
		}
		m := s.newMirror(e.Name())
		m.size = diskUse(m.dir)
		if info, err := e.Info(); err == nil {
			m.used = info.ModTime()
		}
	}
	s.makeRoom()
	return nil
}

// measure notes how much the mirror takes, and in the folder's own time, for the
// next run, that it was used.
func (m *mirror) measure() {
	now := time.Now()
	if err := os.Chtimes(m.dir, now, now); errors.Is(err, fs.ErrNotExist) {
		return // removed meanwhile
	}
	size := diskUse(m.dir)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.size = size
}

// blockBytes is what a small file takes on most file systems.
const blockBytes = 4096

// diskUse is what a mirror takes on disk, about, in bytes.
func diskUse(dir string) int64 {
	total := int64(blockBytes)
	packs, err := os.ReadDir(filepath.Join(dir, "objects", "pack"))
	if err != nil {
		packs = nil // a mirror without packs, or none
	}
	for _, e := range packs {
		if info, err := e.Info(); err == nil {
			total += info.Size()
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "packed-refs")); err == nil {
		total += info.Size()
	}
	// One of the 256 folders of loose objects stands for all.
	if n, err := countFiles(filepath.Join(dir, "objects", looseSample), ""); err == nil {
		total += int64(n) * 256 * blockBytes
	}
	return total
}

// makeRoom removes what was set aside, then the mirrors that were not used for
// longest, until all take no more than they may.
func (s *Store) makeRoom() {
	if s.opts.MaxDisk <= 0 || !s.room.TryLock() {
		return
	}
	defer s.room.Unlock()
	total, mirrors := s.inUse()
	if total <= s.opts.MaxDisk {
		return
	}
	total -= s.removeAsides()
	for _, m := range mirrors {
		if total <= s.opts.MaxDisk {
			return
		}
		removed, err := m.removeIdle(s.opts.MinIdle)
		if err != nil {
			s.opts.Logger.Error().Str("folder", m.dir).Err(err).Msg("a mirror cannot be removed to make room")
		}
		if removed {
			if s.opts.Evicted != nil {
				s.opts.Evicted()
			}
			total -= m.bytes
			s.opts.Logger.Info().Str("folder", m.dir).Int64("bytes", m.bytes).Msg("a mirror that was not used for long was removed to make room")
		}
	}
	if total > s.opts.MaxDisk {
		s.opts.Logger.Warn().Int64("bytes", total).Int64("budget", s.opts.MaxDisk).Msg("the mirrors in use take more than their disk budget")
	}
}

// aged is a mirror as it was when all were looked at.
type aged struct {
	*mirror
	bytes int64
	last  time.Time
}

// inUse is what all mirrors and folders set aside take, and the mirrors, those
// unused for longest first.
func (s *Store) inUse() (total int64, oldest []aged) {
	s.mu.Lock()
	for _, m := range s.mirrors {
		m.mu.Lock()
		if m.size > 0 {
			oldest = append(oldest, aged{m, m.size, m.used})
			total += m.size
		}
		m.mu.Unlock()
	}
	s.mu.Unlock()
	slices.SortFunc(oldest, func(a, b aged) int { return a.last.Compare(b.last) })
	for _, dir := range s.asides() {
		total += diskUse(dir)
	}
	return total, oldest
}

func (s *Store) asides() []string {
	entries, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		return nil
	}
	var dirs []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), asideSuffix) {
			dirs = append(dirs, filepath.Join(s.opts.Dir, e.Name()))
		}
	}
	return dirs
}

// removeAsides removes the damaged mirrors that were kept for people to look at,
// and returns how many bytes that frees, about.
func (s *Store) removeAsides() (freed int64) {
	for _, dir := range s.asides() {
		size := diskUse(dir)
		if err := os.RemoveAll(dir); err != nil {
			s.opts.Logger.Error().Str("folder", dir).Err(err).Msg("a damaged mirror cannot be removed to make room")
			continue
		}
		freed += size
	}
	return freed
}
