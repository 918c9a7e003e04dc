package edit

// The edits: set, insert, remove. Each returns the file's new bytes.

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Error says why an edit cannot be made safely.
type Error struct {
	Key    string
	Reason string
}

// Error is "key: reason".
func (e *Error) Error() string { return e.Key + ": " + e.Reason }

// Set changes a value that Find returned for this file. Quotes stay as they
// are where the new text permits, and are added where the text without them
// would be of another type.
func (f *File) Set(v Value, to Scalar) ([]byte, error) {
	n := v.node
	if v.Fixed != "" {
		return nil, &Error{v.Key, v.Fixed}
	}
	text, typ, err := f.render(to, n)
	if err != nil {
		return nil, &Error{v.Key, err.Error()}
	}
	if n.start == n.end && n.start > 0 && strings.IndexByte(" \t{[,\n", f.data[n.start-1]) < 0 {
		text = " " + text
	}
	out := splice(f.data, n.start, n.end, text)
	return out, f.verify(v.Key, out, func(before, after []leaf) error {
		if len(before) != len(after) {
			return errOther
		}
		for i := range before {
			b, a := before[i], after[i]
			if b.node != n {
				if !sameLeaf(b, a) {
					return errOther
				}
				continue
			}
			got := Scalar{Text: a.text[strings.IndexByte(a.text, 0)+1:], Type: a.typ}
			if got.Type == Null {
				got.Text = "null"
			}
			if a.path != b.path || a.kind != scalarNode || a.node.anchor != n.anchor || got != (Scalar{to.Text, typ}) && !nullScalar(got, to) {
				return fmt.Errorf("the value would read %q", got.Text)
			}
		}
		return nil
	})
}

func nullScalar(a, b Scalar) bool { return a.Type == Null && b.Type == Null }

var errOther = fmt.Errorf("something else in the file would change")

func sameLeaf(a, b leaf) bool {
	return a.path == b.path && a.kind == b.kind && a.typ == b.typ && a.text == b.text
}

// verify reads the edited file back and has check compare it with the file
// before; an edit that fails it is never written.
func (f *File) verify(key string, out []byte, check func(before, after []leaf) error) error {
	after, err := Parse(f.name, out)
	if err != nil {
		return &Error{key, "the file would no longer be readable: " + err.Error()}
	}
	if err := check(f.flatten(), after.flatten()); err != nil {
		return &Error{key, err.Error()}
	}
	return nil
}

func splice(data []byte, start, end int, text string) []byte {
	out := make([]byte, 0, len(data)+len(text))
	out = append(out, data[:start]...)
	out = append(out, text...)
	return append(out, data[end:]...)
}

// place is where an absent value would go.
type place struct {
	parent *node    // the deepest mapping or list on the way that is there
	empty  *node    // set when the next key is there, but its value is empty
	indent int      // column of the keys of the mapping that empty belongs to
	keys   []string // what is missing, from the parent on
}

func (f *File) place(doc int, keys []string) (place, bool) {
	n := f.docs[doc]
	if n == nil || n.kind != mappingNode && n.kind != sequenceNode {
		return place{}, false
	}
	p := place{parent: n, keys: keys}
	for len(p.keys) > 1 {
		var next *node
		for _, e := range p.parent.entries {
			if e.plainKey && e.key == p.keys[0] {
				next = e.value
			}
		}
		switch {
		case next == nil:
			return p, true
		case next.kind == mappingNode, next.kind == sequenceNode:
			p.parent, p.keys = next, p.keys[1:]
		case next.kind == scalarNode && next.typ == Null && next.start == next.end && next.known && !p.parent.flow && p.parent.kind == mappingNode:
			p.empty, p.indent, p.keys = next, p.parent.indent, p.keys[1:]
			return p, true
		default:
			return place{}, false
		}
	}
	return p, true
}

// Insert adds a value that is absent, with the mappings on its way that are
// absent too, after the last key of the mapping it belongs to. A list gets an
// item of that name.
func (f *File) Insert(keys []string, to Scalar) ([]byte, error) {
	key := Key(keys)
	if f.env {
		return nil, &Error{key, "keys of KEY=value files are not added; add it by hand"}
	}
	var best place
	found := 0
	for i := range f.docs {
		p, ok := f.place(i, keys)
		switch {
		case !ok:
		case found == 0 || len(p.keys) < len(best.keys):
			best, found = p, 1
		case len(p.keys) == len(best.keys):
			found++
		}
	}
	if found == 0 {
		return nil, &Error{key, "there is no mapping it could be added to; add it by hand"}
	}
	if found > 1 {
		return nil, &Error{key, "the file has several documents it could belong to; add it by hand"}
	}
	out, err := f.insert(best, to)
	if err != nil {
		return nil, &Error{key, err.Error()}
	}
	return out, f.verify(key, out, func(before, after []leaf) error {
		return f.inserted(before, after, best, to)
	})
}

func (f *File) insert(p place, to Scalar) ([]byte, error) {
	if p.empty == nil && p.parent.flow {
		return f.insertFlow(p, to)
	}
	at, indent := 0, p.indent+2
	if p.empty != nil {
		at = p.empty.end
	} else {
		if !p.parent.known || len(p.parent.entries) == 0 {
			return nil, fmt.Errorf("the place for it cannot be told for certain")
		}
		at, indent = p.parent.end, p.parent.indent
	}
	newline := "\n"
	for at < len(f.data) && f.data[at] != '\n' && f.data[at] != '\r' {
		at++
	}
	if at < len(f.data) {
		newline = string(f.data[at : at+breakLen(f.data[at:])])
	} else if i := bytes.IndexByte(f.data, '\n'); i > 0 && f.data[i-1] == '\r' {
		newline = "\r\n"
	}
	text, err := blockText(p, to, indent, newline)
	if err != nil {
		return nil, err
	}
	return splice(f.data, at, at, newline+text), nil
}

// blockText writes the missing keys, one a line and each two columns deeper.
func blockText(p place, to Scalar, indent int, newline string) (string, error) {
	keys := p.keys
	var b strings.Builder
	if p.empty == nil && p.parent.kind == sequenceNode {
		if len(keys) < 2 {
			return "", fmt.Errorf("an item of a list has no single value")
		}
		fmt.Fprintf(&b, "%s- name: %s%s", strings.Repeat(" ", indent), scalarText(Scalar{keys[0], String}, false), newline)
		indent, keys = indent+2, keys[1:]
	}
	for i, k := range keys {
		b.WriteString(strings.Repeat(" ", indent+2*i) + scalarText(Scalar{k, String}, false) + ":")
		if i < len(keys)-1 {
			b.WriteString(newline)
		}
	}
	b.WriteString(" " + scalarText(to, false))
	return b.String(), nil
}

func (f *File) insertFlow(p place, to Scalar) ([]byte, error) {
	if !p.parent.known {
		return nil, fmt.Errorf("the place for it cannot be told for certain")
	}
	word := func(s Scalar) string {
		if f.json {
			return jsonText(s)
		}
		return scalarText(s, true)
	}
	text, keys := "", p.keys
	if p.parent.kind == sequenceNode {
		if len(keys) < 2 {
			return nil, fmt.Errorf("an item of a list has no single value")
		}
		text, keys = "{"+word(Scalar{"name", String})+": "+word(Scalar{keys[0], String})+", ", keys[1:]
	}
	for _, k := range keys[:len(keys)-1] {
		text += word(Scalar{k, String}) + ": {"
	}
	text += word(Scalar{keys[len(keys)-1], String}) + ": " + word(to) + strings.Repeat("}", len(keys)-1)
	if p.parent.kind == sequenceNode {
		text += "}"
	}
	if len(p.parent.entries) == 0 {
		return splice(f.data, p.parent.start+1, p.parent.start+1, text), nil
	}
	last := p.parent.entries[len(p.parent.entries)-1]
	lead := ", "
	start := last.keyStart
	if p.parent.kind == sequenceNode {
		start = last.value.start
	}
	// One key a line stays one key a line.
	if line := bytes.LastIndexByte(f.data[:start], '\n'); line >= 0 && line > p.parent.start && len(bytes.TrimSpace(f.data[line:start])) == 0 {
		newline := "\n"
		if line > 0 && f.data[line-1] == '\r' {
			newline = "\r\n"
		}
		lead = "," + newline + string(f.data[line+1:start])
	}
	return splice(f.data, last.value.end, last.value.end, lead+text), nil
}

// inserted checks that after is before with one more entry of p.parent.
func (f *File) inserted(before, after []leaf, p place, to Scalar) error {
	at := slices.IndexFunc(before, func(l leaf) bool {
		return l.node != nil && (p.empty != nil && l.node == p.empty || p.empty == nil && l.node == p.parent)
	})
	root := before[at].path
	had := make(map[string]bool, len(before))
	for _, l := range before {
		had[l.path] = true
	}
	var added []leaf
	rest := after[:0:0]
	for _, l := range after {
		under := strings.HasPrefix(l.path, root+"\x00")
		if under && !had[l.path] {
			added = append(added, l)
			continue
		}
		rest = append(rest, l)
	}
	if len(rest) != len(before) || len(added) == 0 {
		return errOther
	}
	for i := range before {
		if !sameLeaf(before[i], rest[i]) && (i != at || p.empty == nil || rest[i].kind != mappingNode) {
			return errOther
		}
	}
	last := added[len(added)-1]
	if last.kind != scalarNode || last.node.text != to.Text && to.Type != Null || last.typ != to.Type && to.Type != "" {
		return fmt.Errorf("the value would read %q", last.node.text)
	}
	return nil
}

// Remove takes out a mapping's key with its value. It refuses a key that is
// not alone on its lines.
func (f *File) Remove(v Value) ([]byte, error) {
	if v.node == nil || !v.node.known || f.env {
		return nil, &Error{v.Key, "its place in the file cannot be told for certain"}
	}
	parent, i := f.parentOf(f.docs[v.doc], v.node)
	if parent == nil || parent.kind != mappingNode || len(parent.entries) < 2 {
		return nil, &Error{v.Key, "it cannot be taken out without its mapping; remove it by hand"}
	}
	start, end := parent.entries[i].keyStart, v.node.end
	if parent.flow {
		if i > 0 {
			start = parent.entries[i-1].value.end
		} else {
			end = parent.entries[1].keyStart
		}
	} else {
		line := bytes.LastIndexByte(f.data[:start], '\n') + 1
		if len(bytes.TrimLeft(f.data[line:start], " ")) > 0 {
			return nil, &Error{v.Key, "it does not begin its line; remove it by hand"}
		}
		start = line
		for end < len(f.data) && f.data[end] != '\n' {
			end++
		}
		if end < len(f.data) {
			end++
		}
	}
	out := splice(f.data, start, end, "")
	return out, f.verify(v.Key, out, func(before, after []leaf) error {
		at := slices.IndexFunc(before, func(l leaf) bool { return l.node == v.node })
		kept := slices.Delete(slices.Clone(before), at, at+subtree(v.node))
		if len(kept) != len(after) {
			return errOther
		}
		for n := range kept {
			// Paths carry the entry's index, which moves for the keys after it.
			if kept[n].kind != after[n].kind || kept[n].typ != after[n].typ || kept[n].text != after[n].text || lastKey(kept[n].path) != lastKey(after[n].path) {
				return errOther
			}
		}
		return nil
	})
}

func lastKey(path string) string { return path[strings.LastIndexByte(path, 1)+1:] }

func subtree(n *node) int {
	count := 1
	if n != nil {
		for _, e := range n.entries {
			count += subtree(e.value)
		}
	}
	return count
}

func (f *File) parentOf(n, child *node) (*node, int) {
	if n == nil {
		return nil, 0
	}
	for i, e := range n.entries {
		if e.value == child {
			return n, i
		}
		if p, at := f.parentOf(e.value, child); p != nil {
			return p, at
		}
	}
	return nil, 0
}
