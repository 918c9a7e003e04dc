package gitrepo

// Editing trees: only the trees along an edit's path are made anew, all others
// keep their ids.

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
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
	entries := map[string]entry{}
	for _, e := range f.trees[tree] {
		entries[e.name] = e
	}
	for name, c := range n.children {
		if err := f.editOne(p, entries, name, c, prefix+name); err != nil {
			return "", err
		}
	}
	data, err := treeObject(entries)
	if err != nil {
		return "", err
	}
	id := objectID(kindTree, data)
	f.trees[id] = slices.Collect(maps.Values(entries)) // for what is stacked on it
	if id != tree && id != emptyTree {
		p.add(kindTree, data)
	}
	return id, nil
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

// treeObject is a tree in git's own form: entries by name, where a folder's
// name is compared as if it ended in a slash.
func treeObject(entries map[string]entry) ([]byte, error) {
	sorted := make([]entry, 0, len(entries))
	for _, e := range entries {
		sorted = append(sorted, e)
	}
	slices.SortFunc(sorted, func(a, b entry) int { return strings.Compare(sortKey(a), sortKey(b)) })
	var b bytes.Buffer
	for _, e := range sorted {
		id, err := hex.DecodeString(e.id)
		if err != nil || len(id) != 20 {
			return nil, errors.New("a repository whose ids are not SHA-1 cannot be written to")
		}
		b.WriteString(e.mode)
		b.WriteByte(' ')
		b.WriteString(e.name)
		b.WriteByte(0)
		b.Write(id)
	}
	return b.Bytes(), nil
}

func sortKey(e entry) string {
	if e.isTree() {
		return e.name + "/"
	}
	return e.name
}
