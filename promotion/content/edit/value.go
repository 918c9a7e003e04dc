package edit

// Finding values, and masking those that stay a file's own.

import (
	"slices"
	"strconv"
	"strings"
)

// Scalar is a value as it is compared and carried from file to file: its text
// without quotes and escapes, and its type.
type Scalar struct {
	Text string
	Type Type
}

// Value is what a path names in a file.
type Value struct {
	// Key names the value in this file as a path without wildcards. When
	// several documents of the file have that path, the document's kind and
	// name stand before it: "Deployment/web: spec.replicas".
	Key string
	// Keys are the path's keys.
	Keys []string
	Scalar
	// Collection is true for a mapping or a list; Text is empty then.
	Collection bool
	Line       int
	// Fixed says why the value cannot be changed; "" when it can.
	Fixed string
	// Raw are the value's bytes in the file, nil when its place is not known.
	Raw []byte

	node *node
	doc  int
}

// Find returns the values that any of the patterns name, in the file's order.
// With outermost, a mapping or list that is named stands for all below it.
func (f *File) Find(outermost bool, patterns ...Pattern) []Value {
	var out []Value
	for i, doc := range f.docs {
		at := make([][]int, len(patterns))
		for p := range patterns {
			at[p] = patterns[p].begin()
		}
		f.find(doc, i, nil, patterns, at, outermost, &out)
	}
	f.label(out)
	return out
}

func (f *File) find(n *node, doc int, keys []string, patterns []Pattern, at [][]int, outermost bool, out *[]Value) {
	if n == nil {
		return
	}
	for p := range patterns {
		if len(keys) > 0 && patterns[p].done(at[p]) {
			*out = append(*out, f.value(n, doc, keys))
			if outermost {
				return
			}
			break
		}
	}
	for _, e := range n.entries {
		if !e.plainKey {
			continue
		}
		next := make([][]int, len(patterns))
		alive := false
		for p := range patterns {
			if len(at[p]) > 0 {
				next[p] = patterns[p].step(at[p], e.key)
				alive = alive || len(next[p]) > 0
			}
		}
		if alive {
			f.find(e.value, doc, append(slices.Clone(keys), e.key), patterns, next, outermost, out)
		}
	}
}

func (f *File) value(n *node, doc int, keys []string) Value {
	v := Value{Keys: keys, Line: n.line, node: n, doc: doc}
	switch n.kind {
	case scalarNode:
		v.Scalar = Scalar{Text: n.text, Type: n.typ}
		if n.typ == Null {
			v.Text = "null"
		}
		if n.anchor != "" && f.aliased[n.anchor] {
			v.Fixed = "it is anchored as &" + n.anchor + ", and changing it would change its aliases too"
		}
	case aliasNode:
		v.Scalar = Scalar{Text: "*" + n.text, Type: "alias"}
		v.Fixed = "it is an alias, *" + n.text
	default:
		v.Collection = true
		v.Fixed = "it is a mapping"
		if n.kind == sequenceNode {
			v.Fixed = "it is a list"
		}
	}
	if f.env {
		v.Fixed = "values of KEY=value files are only kept, not changed; use match"
	}
	if n.known {
		v.Raw = f.data[n.start:n.end]
	} else if v.Fixed == "" {
		v.Fixed = "its place in the file cannot be told for certain"
	}
	return v
}

// label gives every value its key.
func (f *File) label(values []Value) {
	docs := map[string]map[int]bool{}
	for i := range values {
		v := &values[i]
		v.Key = Key(v.Keys)
		if docs[v.Key] == nil {
			docs[v.Key] = map[int]bool{}
		}
		docs[v.Key][v.doc] = true
	}
	var names []string
	count := map[string]int{}
	for i := range values {
		v := &values[i]
		if len(docs[v.Key]) > 1 {
			if names == nil {
				names = f.documentNames()
			}
			v.Key = names[v.doc] + ": " + v.Key
		}
		// Two items of one list with the same name.
		count[v.Key]++
		if n := count[v.Key]; n > 1 {
			v.Key += "#" + strconv.Itoa(n)
		}
	}
	for i := range values {
		if v := &values[i]; count[v.Key] > 1 || strings.Contains(v.Key, "#") && count[v.Key[:strings.LastIndexByte(v.Key, '#')]] > 1 {
			if v.Fixed == "" {
				v.Fixed = "the file has several values of this name"
			}
		}
	}
}

// documentNames are kind/name for documents that have them, so that documents
// are found again when others come and go.
func (f *File) documentNames() []string {
	names := make([]string, len(f.docs))
	count := map[string]int{}
	for i, d := range f.docs {
		name := "document"
		if kind := d.child("kind"); kind != nil && kind.kind == scalarNode {
			name = kind.text
			if n := d.child("metadata").child("name"); n != nil && n.kind == scalarNode {
				name += "/" + n.text
			}
		}
		count[name]++
		if n := count[name]; n > 1 || name == "document" {
			name += " " + strconv.Itoa(n)
		}
		names[i] = strings.ReplaceAll(name, "\x00", "")
	}
	return names
}

// Kinds are the values of the top-level key kind, one for each document that
// has it: what Kubernetes objects the file holds.
func (f *File) Kinds() []string {
	var kinds []string
	for _, d := range f.docs {
		if k := d.child("kind"); k != nil && k.kind == scalarNode {
			kinds = append(kinds, k.text)
		}
	}
	return kinds
}

// Masked is a file with some values taken out.
type Masked struct {
	Text   []byte           // the file with a mark in place of each value
	Values map[string]Value // the values taken out, by Key
}

// Mask takes the values that the patterns name out of the file. It fails when
// the place of one of them cannot be told for certain.
func (f *File) Mask(patterns ...Pattern) (Masked, error) {
	m := Masked{Values: map[string]Value{}}
	at := 0
	for _, v := range f.Find(true, patterns...) {
		if v.Raw == nil || v.node.start < at {
			return Masked{}, &SyntaxError{Line: v.Line, Message: "the place of " + v.Key + " cannot be told for certain"}
		}
		m.Values[v.Key] = v
		m.Text = append(m.Text, f.data[at:v.node.start]...)
		m.Text = append(m.Text, mark(v.Key)...)
		at = v.node.end
	}
	m.Text = append(m.Text, f.data[at:]...)
	return m, nil
}

// mark stands for a value that was taken out. Neither YAML nor JSON can have a
// NUL byte, and Key quotes it in paths.
func mark(key string) string { return "\x00" + key + "\x00" }

// Unmask puts values back where their marks stand: those of the first of from
// that has the key. It returns the bytes and the keys of marks, in order, with
// the index in from whose value was taken. A mark that no one has a value for
// stays out.
func Unmask(text []byte, from ...map[string]Value) ([]byte, map[string]int) {
	var out []byte
	taken := map[string]int{}
	parts := strings.Split(string(text), "\x00")
	for i, part := range parts {
		if i%2 == 0 || i == len(parts)-1 {
			out = append(out, part...)
			continue
		}
		for n, values := range from {
			if v, ok := values[part]; ok {
				out = append(out, v.Raw...)
				taken[part] = n
				break
			}
		}
	}
	return out, taken
}
