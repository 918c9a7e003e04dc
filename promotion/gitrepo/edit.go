package gitrepo

// Editing trees: only the trees along an edit's path are made anew, all others
// keep their ids.

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/content"
)

// node is a path's part with the edits at and below it.
type node struct {
	write    *content.Edit
	remove   bool
	children map[string]*node
}

func (n *node) child(name string) *node {
	c := n.children[name]
	if c == nil {
		c = &node{}
		if n.children == nil {
			n.children = map[string]*node{}
		}
		n.children[name] = c
	}
	return c
}

// onlyRemoves says that nothing is written at or below the node.
func (n *node) onlyRemoves() bool {
	if n.write != nil {
		return false
	}
	for _, c := range n.children {
		if !c.onlyRemoves() {
			return false
		}
	}
	return true
}

// sortEdits checks the edits and sorts them by folder.
func sortEdits(edits []content.Edit) (*node, error) {
	root := &node{}
	for i := range edits {
		e := &edits[i]
		if err := checkEdit(e); err != nil {
			return nil, err
		}
		n := root
		for name := range strings.SplitSeq(e.Path, "/") {
			n = n.child(name)
		}
		if n.remove || n.write != nil {
			return nil, fmt.Errorf("%s is edited twice in one commit", clip(e.Path, 200))
		}
		if e.Delete {
			n.remove = true
		} else {
			n.write = e
		}
	}
	return root, nil
}

func checkEdit(e *content.Edit) error {
	for name := range strings.SplitSeq(e.Path, "/") {
		if name == "" || name == "." || name == ".." || strings.EqualFold(name, ".git") || strings.ContainsRune(name, 0) {
			return fmt.Errorf("%q is not a path that git can keep", clip(e.Path, 200))
		}
	}
	if e.Delete {
		return nil
	}
	switch e.Mode {
	case modeFile, modeProgram, modeSymlink, modeCommit:
	default:
		return fmt.Errorf("%s: %q is not the mode of a file", clip(e.Path, 200), e.Mode)
	}
	if e.Bytes == nil && (len(e.Blob) != 40 || !isID(e.Blob)) {
		return fmt.Errorf("%s: %q is not the id of a blob", clip(e.Path, 200), clip(e.Blob, 80))
	}
	return nil
}

// edit applies the edits at and below n to a tree whose trails were followed,
// adds what is new to the pack, and returns the new tree's id.
func (f *forest) edit(p *pack, tree string, n *node, prefix string) (string, error) {
	if len(n.children) == 0 {
		return tree, nil
	}
	// Folders may hold thousands of files: only the names that are edited are
	// looked up, and all others keep their places.
	edited := make(map[string]entry, len(n.children))
	kept := make([]entry, 0, len(f.trees[tree])+len(n.children))
	for _, e := range f.trees[tree] {
		if _, ok := n.children[e.name]; ok {
			edited[e.name] = e
		} else {
			kept = append(kept, e)
		}
	}
	for name, c := range n.children {
		if err := f.editOne(p, edited, name, c, prefix+name); err != nil {
			return "", err
		}
	}
	entries := inOrder(kept, edited)
	data, err := treeObject(entries)
	if err != nil {
		return "", err
	}
	id := objectID(kindTree, data)
	f.trees[id] = entries // for what is stacked on it
	if id != tree && id != emptyTree {
		p.add(kindTree, data)
	}
	return id, nil
}

// inOrder puts the edited entries among those that were kept.
func inOrder(kept []entry, edited map[string]entry) []entry {
	if !slices.IsSortedFunc(kept, compareEntries) { // made by someone else's tool
		slices.SortFunc(kept, compareEntries)
	}
	for _, e := range edited {
		at, _ := slices.BinarySearchFunc(kept, e, compareEntries)
		kept = slices.Insert(kept, at, e)
	}
	return kept
}

// editOne applies one name's edits: its own deletion, then what is below it,
// then its own new content.
func (f *forest) editOne(p *pack, entries map[string]entry, name string, n *node, path string) error {
	now, there := entries[name]
	if n.remove && there {
		if now.isTree() {
			return fmt.Errorf("%s is a folder and cannot be deleted as a file", clip(path, 200))
		}
		delete(entries, name)
		there = false
	}
	if len(n.children) > 0 {
		below := emptyTree
		if there {
			if !now.isTree() {
				if n.onlyRemoves() {
					return nil
				}
				return fmt.Errorf("%s is a file, and a file below it cannot be written", clip(path, 200))
			}
			below = now.id
		}
		id, err := f.edit(p, below, n, path+"/")
		if err != nil {
			return err
		}
		if id == emptyTree {
			delete(entries, name)
			there = false
		} else {
			entries[name] = entry{mode: modeTree, name: name, id: id}
			there = true
		}
	}
	if n.write == nil {
		return nil
	}
	if there && entries[name].isTree() {
		return fmt.Errorf("%s is a folder, and a file of that name cannot be written", clip(path, 200))
	}
	id := n.write.Blob
	if n.write.Bytes != nil {
		id = p.add(kindBlob, n.write.Bytes)
	}
	entries[name] = entry{mode: n.write.Mode, name: name, id: id}
	return nil
}

// treeObject is a tree in git's own form; the entries are in git's order.
func treeObject(entries []entry) ([]byte, error) {
	size := 0
	for _, e := range entries {
		size += len(e.mode) + len(e.name) + 2 + 20
	}
	b := make([]byte, 0, size)
	for _, e := range entries {
		b = append(b, e.mode...)
		b = append(b, ' ')
		b = append(b, e.name...)
		b = append(b, 0)
		var err error
		if b, err = hex.AppendDecode(b, []byte(e.id)); err != nil || len(e.id) != 40 {
			return nil, errors.New("a repository whose ids are not SHA-1 cannot be written to")
		}
	}
	return b, nil
}

// compareEntries is git's order of a tree: by name, where a folder's name is
// compared as if it ended in a slash.
func compareEntries(a, b entry) int {
	n := min(len(a.name), len(b.name))
	if c := strings.Compare(a.name[:n], b.name[:n]); c != 0 {
		return c
	}
	return int(a.after(n)) - int(b.after(n))
}

// after is the byte that is compared at a place of the name, or behind its end.
func (e entry) after(n int) byte {
	switch {
	case n < len(e.name):
		return e.name[n]
	case e.isTree() && n == len(e.name):
		return '/'
	}
	return 0
}
