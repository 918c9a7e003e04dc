package gitrepo

// Repacking by plumbing. `git repack --geometric` is the same idea, but the git
// versions supported make ordinary packs of promised ones, after which blobs
// that were never fetched would be missed; and `git repack -a` rewrites all.
// A pack is written beside, under a temporary name, renamed into place with its
// index last, and only then do the packs and objects go that it holds: whatever
// moment this is ended at, nothing is lost.

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// temporaryPack is how packs being written are called: tidy removes them.
const temporaryPack = "tmp_promobot"

// packed is one pack: its name without an ending, and its size in bytes.
type packed struct {
	name string
	size int64
}

// packs lists the mirror's packs that are promised by the remote, or the others,
// small ones first.
func (r *Repository) packs(promised bool) ([]packed, error) {
	entries, err := os.ReadDir(r.packFolder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Name()] = true
	}
	var packs []packed
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".idx")
		if !ok || !strings.HasPrefix(name, "pack-") || !there[name+".pack"] || there[name+".keep"] || there[name+".promisor"] != promised {
			continue
		}
		info, err := os.Stat(filepath.Join(r.packFolder(), name+".pack"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		packs = append(packs, packed{name, info.Size()})
	}
	slices.SortFunc(packs, func(a, b packed) int {
		if a.size != b.size {
			return int(min(max(a.size-b.size, -1), 1))
		}
		return strings.Compare(a.name, b.name)
	})
	return packs, nil
}

func (r *Repository) packFolder() string { return filepath.Join(r.dir, "objects", "pack") }

// tooSmall says how many of the packs, small ones first, must become one so that
// each left is at least twice as large as all before it together: then they are
// few, and every object is rewritten only a few times in its life.
func tooSmall(packs []packed) int {
	n := len(packs) - 1
	for n > 0 && packs[n].size >= 2*packs[n-1].size {
		n--
	}
	if n <= 0 {
		return 0
	}
	var sum int64
	for _, p := range packs[:n] {
		sum += p.size
	}
	for n < len(packs) && packs[n].size < 2*sum {
		sum += packs[n].size
		n++
	}
	return n
}

// joinPacks makes one pack of those that are too small.
func (r *Repository) joinPacks(ctx context.Context, promised bool) error {
	packs, err := r.packs(promised)
	if err != nil {
		return err
	}
	n := tooSmall(packs)
	if n < 2 {
		return nil
	}
	var in strings.Builder
	for _, p := range packs[:n] {
		in.WriteString(p.name + ".pack\n")
	}
	for _, p := range packs[n:] {
		in.WriteString("^" + p.name + ".pack\n")
	}
	made, err := r.writePack(ctx, in.String(), promised, "--stdin-packs")
	if err != nil {
		return err
	}
	for _, p := range packs[:n] {
		if p.name == made {
			continue
		}
		if err := r.removePack(p.name); err != nil {
			return err
		}
	}
	return nil
}

// packLoose makes a pack of the loose objects, and removes those.
func (r *Repository) packLoose(ctx context.Context) error {
	var in strings.Builder
	folders, err := filepath.Glob(filepath.Join(r.dir, "objects", "[0-9a-f][0-9a-f]"))
	if err != nil {
		return err
	}
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if id := filepath.Base(folder) + e.Name(); isID(id) {
				in.WriteString(id + "\n")
			}
		}
	}
	if in.Len() == 0 {
		return nil
	}
	if _, err := r.writePack(ctx, in.String(), false); err != nil {
		return err
	}
	return explain(r.run.do(ctx, command{
		name: "prune-packed", gitDir: r.dir, timeout: r.opts.Timeout,
		args: []string{"prune-packed", "--quiet"},
	}), false)
}

// writePack writes one pack, puts it in place, and returns its name; "" when
// there was nothing to pack.
func (r *Repository) writePack(ctx context.Context, in string, promised bool, options ...string) (name string, err error) {
	temporary := filepath.Join(r.packFolder(), temporaryPack)
	out, err := r.run.text(ctx, command{
		name: "pack-objects", gitDir: r.dir, timeout: r.opts.Timeout, stdin: strings.NewReader(in),
		args: slices.Concat([]string{"pack-objects", "--quiet", "--non-empty"}, options, []string{temporary}),
	})
	if err != nil {
		return "", explain(err, false)
	}
	id := strings.TrimSpace(out)
	if id == "" {
		return "", nil
	}
	name = "pack-" + id
	if promised {
		if err := os.WriteFile(filepath.Join(r.packFolder(), name+".promisor"), nil, 0o600); err != nil {
			return "", fullDisk(err)
		}
	}
	for _, end := range []string{".rev", ".pack", ".idx"} { // git sees a pack by its index
		err := os.Rename(temporary+"-"+id+end, filepath.Join(r.packFolder(), name+end))
		if err != nil && (end != ".rev" || !errors.Is(err, fs.ErrNotExist)) {
			return "", fullDisk(err)
		}
	}
	return name, nil
}

// removePack removes a pack whose objects are in another.
func (r *Repository) removePack(name string) error {
	for _, end := range []string{".idx", ".rev", ".bitmap", ".mtimes", ".pack", ".promisor"} {
		err := os.Remove(filepath.Join(r.packFolder(), name+end))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
