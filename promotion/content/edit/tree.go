// Package edit reads and changes single values of YAML and JSON files in place.
//
// Its one promise: an edit changes the bytes of the value it names and no
// other byte, so comments, order, quoting, indentation, line ends and the
// file's other documents stay. Every edit is read back and compared with the
// file before it; when anything but the intended value differs, or when the
// place of a value cannot be told for certain, the edit is an error and no
// file is written.
package edit

import (
	"bytes"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// SyntaxError says where a file cannot be read.
type SyntaxError struct {
	Line    int // 1-based; 0 when unknown
	Message string
}

// Error is "line 3: message".
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return "line " + strconv.Itoa(e.Line) + ": " + e.Message
}

// Type is a scalar's type: a tag of YAML's core schema without the bangs.
type Type string

// The types that edits tell apart; other tags keep their own name.
const (
	String Type = "str"
	Int    Type = "int"
	Float  Type = "float"
	Bool   Type = "bool"
	Null   Type = "null"
)

type nodeKind uint8

const (
	scalarNode nodeKind = iota + 1
	mappingNode
	sequenceNode
	aliasNode
)

type nodeStyle uint8

const (
	plain nodeStyle = iota
	singleQuoted
	doubleQuoted
	block
)

// node is a value with its place in the bytes.
type node struct {
	kind nodeKind
	// start and end delimit the value after its anchor and tag; known is false
	// when they could not be told for certain.
	start, end int
	known      bool
	line       int
	text       string // a scalar's decoded value, an alias's name
	typ        Type
	style      nodeStyle
	flow       bool // a collection in braces or brackets, or a scalar inside one
	anchor     string
	indent     int // of a block collection: the column of its keys or dashes, from 0
	entries    []entry
}

type entry struct {
	key      string // a mapping's key; for a sequence the item's name, or its index
	plainKey bool   // false for a key that is itself a collection or an alias
	keyStart int    // where a mapping's key begins
	value    *node
}

// File is a parsed YAML or JSON file.
type File struct {
	data []byte
	docs []*node // nil for an empty document
	json bool
	env  bool // a KEY=value file: values are read only
	name string
	// aliased are the anchors that aliases use.
	aliased map[string]bool
}

// Readable reports whether values in a file of this name can be told apart: it
// is YAML, JSON, or a file of KEY=value lines.
func Readable(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return path.Base(name) == "Kustomization" || isEnvFile(name)
}

// Parse reads data as JSON when name ends in .json, as KEY=value lines when it
// is an .env or .properties file, and else as YAML with any number of
// documents. It fails with a *[SyntaxError], also for a key that
// stands twice in one mapping, since then no one can tell which is meant.
func Parse(name string, data []byte) (*File, error) {
	f := &File{data: data, name: name, aliased: map[string]bool{}}
	switch {
	case isEnvFile(name):
		if at := bytes.IndexByte(data, 0); at >= 0 {
			return nil, &SyntaxError{Line: lineAt(data, at), Message: "a NUL byte in a file of KEY=value lines"}
		}
		f.env, f.docs = true, []*node{parseEnv(data)}
		return f, nil
	case strings.EqualFold(path.Ext(name), ".json"):
		f.json = true
		doc, err := parseJSON(data)
		if err != nil {
			return nil, err
		}
		f.docs = []*node{doc}
	default:
		if err := f.parseYAML(); err != nil {
			return nil, err
		}
	}
	for _, d := range f.docs {
		if err := f.finish(d); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// finish names the items of sequences, collects aliases and refuses keys that
// stand twice.
func (f *File) finish(n *node) error {
	if n == nil {
		return nil
	}
	if n.kind == aliasNode {
		f.aliased[n.text] = true
	}
	seen := map[string]bool{}
	for i := range n.entries {
		e := &n.entries[i]
		if n.kind == sequenceNode {
			e.key, e.plainKey = strconv.Itoa(i), true
			if name := e.value.child("name"); name != nil && name.kind == scalarNode && name.text != "" {
				e.key = name.text
			}
		} else if e.plainKey && e.key != "<<" {
			if seen[e.key] {
				return &SyntaxError{Line: lineAt(f.data, e.keyStart), Message: fmt.Sprintf("key %q stands twice in one mapping", e.key)}
			}
			seen[e.key] = true
		}
		if err := f.finish(e.value); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) child(key string) *node {
	if n == nil || n.kind != mappingNode {
		return nil
	}
	for i := range n.entries {
		if n.entries[i].plainKey && n.entries[i].key == key {
			return n.entries[i].value
		}
	}
	return nil
}

func lineAt(data []byte, offset int) int {
	return bytes.Count(data[:min(offset, len(data))], []byte("\n")) + 1
}

// leaf is one node of a flattened file, for comparing files before and after
// an edit.
type leaf struct {
	path string
	kind nodeKind
	typ  Type
	text string
	node *node
}

func (f *File) flatten() []leaf {
	var out []leaf
	var walk func(at string, n *node)
	walk = func(at string, n *node) {
		if n == nil {
			out = append(out, leaf{path: at})
			return
		}
		out = append(out, leaf{path: at, kind: n.kind, typ: n.typ, text: n.anchor + "\x00" + n.text, node: n})
		for i, e := range n.entries {
			// The index keeps entries apart whose keys are collections, and
			// makes any change of order a difference.
			key := strconv.Itoa(i)
			if n.kind == mappingNode {
				key += "\x01" + e.key
			}
			walk(at+"\x00"+key, e.value)
		}
	}
	for i, d := range f.docs {
		walk(strconv.Itoa(i), d)
	}
	return out
}
