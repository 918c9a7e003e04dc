package gitrepo

// Trees: listings of folders, all paths, one file. Trees are read level by
// level, each level of all wanted folders in one process, and kept by their
// ids: a listing at the next commit reads only the folders that changed.

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/promobot/promobot/promotion/content"
)

const (
	modeTree    = "40000"
	modeCommit  = "160000"
	modeSymlink = "120000"
	modeFile    = "100644"
	modeProgram = "100755"
	// emptyTree is the id of the tree without entries.
	emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
)

// forest holds trees while one question is answered, so that a cache emptied
// meanwhile takes none of them away.
type forest struct {
	r     *Repository
	trees map[string][]entry
}

func (r *Repository) forest() *forest {
	return &forest{r: r, trees: map[string][]entry{emptyTree: nil}}
}

// load makes sure that the trees are in the forest. Every tree of a commit in
// the mirror is there; one that is not means damage.
func (f *forest) load(ctx context.Context, ids []string) error {
	var unread []string
	for _, id := range distinct(ids) {
		if _, ok := f.trees[id]; ok {
			continue
		}
		if t, ok := f.r.cache.tree(id); ok {
			f.trees[id] = t
			continue
		}
		unread = append(unread, id)
	}
	return f.r.readObjects(ctx, unread, structureLimit, func(o object) error {
		if o.kind != "tree" || o.data == nil {
			return f.r.noteDamage(fmt.Errorf("tree %s is missing: %w", o.id, ErrCorrupt))
		}
		entries, err := parseTree(o.data, len(o.id)/2)
		if err != nil {
			return f.r.noteDamage(fmt.Errorf("tree %s: %w: %w", o.id, err, ErrCorrupt))
		}
		f.trees[o.id] = entries
		f.r.cache.addTree(o.id, entries)
		return nil
	})
}

// parseTree reads a tree object: per entry its mode, a space, its name, NUL, and
// the id in raw bytes.
func parseTree(data []byte, idBytes int) ([]entry, error) {
	var entries []entry
	for len(data) > 0 {
		space := bytes.IndexByte(data, ' ')
		null := bytes.IndexByte(data, 0)
		if space < 0 || null < space || len(data) < null+1+idBytes {
			return nil, fmt.Errorf("it breaks off after %d entries", len(entries))
		}
		mode := strings.TrimLeft(string(data[:space]), "0")
		entries = append(entries, entry{
			mode: mode,
			name: string(data[space+1 : null]),
			id:   hex.EncodeToString(data[null+1 : null+1+idBytes]),
		})
		data = data[null+1+idBytes:]
	}
	return entries, nil
}

func find(entries []entry, name string) (entry, bool) {
	for _, e := range entries {
		if e.name == name {
			return e, true
		}
	}
	return entry{}, false
}

// trail is a way from a tree to something below it.
type trail struct {
	tree string
	rest []string
}

// follow loads every tree along the trails, as far as there are any.
func (f *forest) follow(ctx context.Context, trails []trail) error {
	for len(trails) > 0 {
		ids := make([]string, len(trails))
		for i, t := range trails {
			ids[i] = t.tree
		}
		if err := f.load(ctx, ids); err != nil {
			return err
		}
		var next []trail
		for _, t := range trails {
			if len(t.rest) == 0 {
				continue
			}
			if e, ok := find(f.trees[t.tree], t.rest[0]); ok && e.isTree() {
				next = append(next, trail{tree: e.id, rest: t.rest[1:]})
			}
		}
		trails = next
	}
	return nil
}

// at finds what stands at a path below a tree whose trail was followed.
func (f *forest) at(tree string, path []string) (entry, bool) {
	e := entry{mode: modeTree, id: tree}
	for _, name := range path {
		if !e.isTree() {
			return entry{}, false
		}
		var ok bool
		if e, ok = find(f.trees[e.id], name); !ok {
			return entry{}, false
		}
	}
	return e, true
}

// below loads all trees below the given ones.
func (f *forest) below(ctx context.Context, ids []string) error {
	seen := map[string]bool{}
	for len(ids) > 0 {
		if err := f.load(ctx, ids); err != nil {
			return err
		}
		var next []string
		for _, id := range ids {
			if seen[id] {
				continue
			}
			seen[id] = true
			for _, e := range f.trees[id] {
				if e.isTree() {
					next = append(next, e.id)
				}
			}
		}
		ids = next
	}
	return nil
}

// walk calls each with every file below a loaded tree.
func (f *forest) walk(tree, prefix string, each func(path string, e entry)) {
	for _, e := range f.trees[tree] {
		if e.isTree() {
			f.walk(e.id, prefix+e.name+"/", each)
			continue
		}
		each(prefix+e.name, e)
	}
}

func split(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// List returns every file below the folders (repository paths; "" is the whole
// tree) at a commit. A folder that is not there, or is a file, has none.
func (r *Repository) List(ctx context.Context, commit string, dirs []string) (content.Listing, error) {
	defer r.use()()
	c, err := r.commit(ctx, commit)
	if err != nil {
		return nil, err
	}
	f := r.forest()
	trails := make([]trail, len(dirs))
	for i, d := range dirs {
		trails[i] = trail{tree: c.Tree, rest: split(d)}
	}
	if err := f.follow(ctx, trails); err != nil {
		return nil, err
	}
	roots := map[string]string{} // by prefix
	var ids []string
	for _, d := range dirs {
		path := split(d)
		if e, ok := f.at(c.Tree, path); ok && e.isTree() {
			prefix := strings.Join(path, "/")
			if prefix != "" {
				prefix += "/"
			}
			roots[prefix] = e.id
			ids = append(ids, e.id)
		}
	}
	if err := f.below(ctx, ids); err != nil {
		return nil, err
	}
	listing := content.Listing{}
	for prefix, id := range roots {
		f.walk(id, prefix, func(path string, e entry) {
			listing[path] = content.File{Mode: e.mode, Blob: e.id}
		})
	}
	return listing, nil
}

// ReadFile returns one file at a commit with its git mode, fetching it if it is
// not here. A symbolic link's bytes are its target. What is there but no file
// is found without bytes: a folder (mode 040000), a submodule (160000).
func (r *Repository) ReadFile(ctx context.Context, commit, path string) (data []byte, mode string, found bool, err error) {
	defer r.use()()
	c, err := r.commit(ctx, commit)
	if err != nil {
		return nil, "", false, err
	}
	f := r.forest()
	names := split(path)
	if err := f.follow(ctx, []trail{{tree: c.Tree, rest: names}}); err != nil {
		return nil, "", false, err
	}
	e, ok := f.at(c.Tree, names)
	switch {
	case !ok:
		return nil, "", false, nil
	case e.isTree():
		return nil, "0" + modeTree, true, nil
	case e.mode == modeCommit:
		return nil, modeCommit, true, nil
	}
	blobs, _, err := r.Blobs(ctx, []string{e.id})
	if err != nil {
		return nil, "", false, fmt.Errorf("%s: %w", path, err)
	}
	return blobs[e.id], e.mode, true, nil
}
