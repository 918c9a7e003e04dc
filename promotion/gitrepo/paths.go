package gitrepo

// The paths of all files of a commit. A repository may hold 100,000 of them, so
// a listing is made from the one before it: only folders whose ids differ are
// looked into, and when no file came or went the listing stays the same slice.

import (
	"context"
	"slices"
	"strings"
)

// Paths returns the paths of all files at a commit, sorted. The slice is
// shared: it must not be changed.
func (r *Repository) Paths(ctx context.Context, commit string) ([]string, error) {
	defer r.use()()
	c, err := r.commit(ctx, commit)
	if err != nil {
		return nil, err
	}
	if p, ok := r.cache.allPaths(c.Tree); ok {
		return p, nil
	}
	f := r.forest()
	var paths []string
	if before, listed, ok := r.cache.lastPaths(); ok {
		paths, err = f.pathsSince(ctx, before, listed, c.Tree)
	} else {
		paths, err = f.pathsOf(ctx, c.Tree, "")
	}
	if err != nil {
		return nil, err
	}
	r.cache.addPaths(c.Tree, paths)
	return paths, nil
}

// pathsOf lists all files below a tree.
func (f *forest) pathsOf(ctx context.Context, tree, prefix string) ([]string, error) {
	if err := f.below(ctx, []string{tree}); err != nil {
		return nil, err
	}
	paths := []string{}
	f.walk(tree, prefix, func(path string, _ entry) { paths = append(paths, path) })
	slices.Sort(paths)
	return paths, nil
}

// change is a folder that has another tree than before; "" where there is none.
type change struct {
	prefix, before, after string
}

// pathsSince turns the listing of one tree into that of another.
func (f *forest) pathsSince(ctx context.Context, before string, listed []string, after string) ([]string, error) {
	added, removed := []string{}, map[string]bool{}
	for changes := []change{{"", before, after}}; len(changes) > 0; {
		var ids []string
		for _, c := range changes {
			ids = append(ids, c.before, c.after)
		}
		if err := f.load(ctx, slices.DeleteFunc(ids, func(id string) bool { return id == "" })); err != nil {
			return nil, err
		}
		var below []change
		for _, c := range changes {
			below = append(below, f.compare(c, func(path string) { added = append(added, path) }, func(path string) { removed[path] = true })...)
		}
		changes = below
	}
	if len(added) == 0 && len(removed) == 0 {
		return listed, nil
	}
	slices.Sort(added)
	return mergePaths(listed, added, removed), nil
}

// compare tells the files that are in one of a changed folder's trees alone, and
// returns the folders in it that changed. Both trees are loaded.
func (f *forest) compare(c change, added, removed func(path string)) (below []change) {
	old := map[string]entry{}
	for _, e := range f.trees[c.before] {
		old[e.name] = e
	}
	for _, now := range f.trees[c.after] {
		was, there := old[now.name]
		delete(old, now.name)
		path := c.prefix + now.name
		switch {
		case there && was.id == now.id && was.isTree() == now.isTree():
		case now.isTree():
			next := change{prefix: path + "/", after: now.id}
			if there && was.isTree() {
				next.before = was.id
			} else if there {
				removed(path)
			}
			below = append(below, next)
		default:
			if there && was.isTree() {
				below = append(below, change{prefix: path + "/", before: was.id})
			}
			if !there || was.isTree() {
				added(path)
			}
		}
	}
	for name, was := range old {
		if was.isTree() {
			below = append(below, change{prefix: c.prefix + name + "/", before: was.id})
		} else {
			removed(c.prefix + name)
		}
	}
	return below
}

// mergePaths is a sorted listing without what was removed, and with what was added.
func mergePaths(listed, added []string, removed map[string]bool) []string {
	merged := make([]string, 0, len(listed)+len(added))
	for _, path := range listed {
		for len(added) > 0 && strings.Compare(added[0], path) < 0 {
			merged = append(merged, added[0])
			added = added[1:]
		}
		if !removed[path] {
			merged = append(merged, path)
		}
	}
	return append(merged, added...)
}
