package config

// The decoder reads nodes by shapes and collects what is wrong. A shape says in
// one place how a value is read, how it is described to editors (JSON Schema)
// and in which words to people; the tables in keys.go are made of shapes, so the
// three never differ.
//
// Rules: reading goes on after a problem, so that all of them are told at once;
// a value that had a problem counts as not said.

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxProblems bounds what is told about one file; nobody reads more.
const maxProblems = 100

type decoder struct {
	file     string
	problems Problems
	more     int // problems beyond maxProblems
}

func (d *decoder) add(line, column int, message, remedy string) {
	p := Problem{File: d.file, Line: max(line, 1), Column: max(column, 1), Message: message, Remedy: remedy}
	if slices.Contains(d.problems, p) {
		return
	}
	if len(d.problems) == maxProblems {
		d.more++
		return
	}
	d.problems = append(d.problems, p)
}

func (d *decoder) at(n *yaml.Node, message, remedy string) { d.add(n.Line, n.Column, message, remedy) }

// once reports what a shared line of the file brings about for several
// environments only for the first of them.
func (d *decoder) once(p position, message, remedy string) {
	if !d.reported(p) {
		d.add(p.line, p.column, message, remedy)
	}
}

// reported says whether a problem stands at a position already.
func (d *decoder) reported(p position) bool {
	return slices.ContainsFunc(d.problems, func(q Problem) bool { return q.Line == p.line && q.Column == p.column })
}

// finish sorts the problems in the file's order.
func (d *decoder) finish() Problems {
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if d.more > 0 {
		last := d.problems[len(d.problems)-1]
		d.problems = append(d.problems, Problem{
			File: d.file, Line: last.Line, Column: last.Column,
			Message: fmt.Sprintf("and %d more problems", d.more), Remedy: "mend the first ones and look again",
		})
		d.more = 0
	}
	return d.problems
}

// position is where something stands in the file; line 0 means it was not said.
type position struct{ line, column int }

func (p *position) stand(n *yaml.Node) { p.line, p.column = n.Line, n.Column }
func (p position) said() bool          { return p.line > 0 }

// said is a value with its position.
type said[V any] struct {
	position
	value V
}

// list is a list of texts with its own position and those of its elements.
type list = said[[]said[string]]

// values are the texts of a list.
func values(l []said[string]) []string {
	out := make([]string, 0, len(l))
	for _, s := range l {
		out = append(out, s.value)
	}
	return out
}

// named is one entry of a mapping whose keys people choose.
type named[V any] struct {
	name  said[string]
	value V
}

// shape is how a value looks: read gives false after it reported a problem.
type shape[V any] struct {
	words  string
	schema func(*schemas) schema
	read   func(d *decoder, path string, n *yaml.Node) (V, bool)
}

// field is one key of a mapping that fills a T.
type field[T any] struct {
	name     string
	words    string
	fallback string // the default, in words
	rule     string
	required string // what to add when it is missing; "" when it may be
	later    bool   // a key that belongs elsewhere, see misplaced
	schema   func(*schemas) schema
	read     func(d *decoder, path string, n *yaml.Node, into *T)
}

// key makes a field that stores what its shape reads.
func key[T, V any](name string, s shape[V], fallback, rule string, into func(*T) *V) field[T] {
	return field[T]{
		name: name, words: s.words, fallback: fallback, rule: rule, schema: s.schema,
		read: func(d *decoder, path string, n *yaml.Node, t *T) {
			if v, ok := s.read(d, path, n); ok {
				*into(t) = v
			}
		},
	}
}

// required marks a key that must be there.
func required[T any](example string, f field[T]) field[T] {
	f.required, f.fallback = f.name+": "+example, "required"
	return f
}

// misplaced makes a field that belongs elsewhere in the file: it is refused with where.
func misplaced[T any](name, remedy string) field[T] {
	return field[T]{name: name, later: true, read: func(d *decoder, path string, n *yaml.Node, _ *T) {
		d.at(n, path+" does not stand here", remedy)
	}}
}

// wrong reports a value of another kind than the shape wants.
func (d *decoder) wrong(path string, n *yaml.Node, typ scalarType, want string) {
	remedy := "write " + want
	if n.Kind == yaml.ScalarNode && n.Style&yaml.TaggedStyle == 0 {
		word := " " + strings.ToLower(n.Value) + " "
		switch t := typeOf(n); {
		case typ == textType && t != textType && t != nullType && strings.HasPrefix(want, "a "):
			remedy = "put it in quotes: " + strconv.Quote(n.Value)
		case typ == boolType && strings.Contains(" yes on y ", word):
			remedy = "write true: in YAML 1.2 yes and on are texts"
		case typ == boolType && strings.Contains(" no off n ", word):
			remedy = "write false: in YAML 1.2 no and off are texts"
		}
	}
	d.at(n, fmt.Sprintf("%s is %s, not %s", path, kindOf(n), want), remedy)
}

// scalar makes a shape of one scalar: parse is given the node's text and gives a
// message and a remedy when it refuses.
func scalar[V any](words string, typ scalarType, describe schema, parse func(string) (V, *refusal)) shape[said[V]] {
	return shape[said[V]]{
		words:  words,
		schema: func(*schemas) schema { return describe },
		read: func(d *decoder, path string, n *yaml.Node) (said[V], bool) {
			n = deref(n)
			var out said[V]
			tagged := n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!str"
			if n.Kind != yaml.ScalarNode || typeOf(n) != typ || tagged {
				d.wrong(path, n, typ, words)
				return out, false
			}
			v, bad := parse(n.Value)
			if bad != nil {
				d.at(n, fmt.Sprintf("%s: %s", path, bad.message), bad.remedy)
				return out, false
			}
			out.value = v
			out.stand(n)
			return out, true
		},
	}
}

// refusal is why a text was not accepted, and what to write.
type refusal struct{ message, remedy string }

// refuse makes a refusal.
func refuse(remedy, format string, args ...any) *refusal {
	return &refusal{message: fmt.Sprintf(format, args...), remedy: remedy}
}

// listOf makes a list shape; one may stand without brackets.
func listOf[V any](s shape[V]) shape[said[[]V]] {
	return shape[said[[]V]]{
		words: s.words + ", or a list of these",
		schema: func(g *schemas) schema {
			one := s.schema(g)
			return schema{"anyOf": []any{one, schema{"type": "array", "items": one}}}
		},
		read: func(d *decoder, path string, n *yaml.Node) (said[[]V], bool) {
			n = deref(n)
			var out said[[]V]
			out.stand(n)
			out.value = []V{}
			if n.Kind != yaml.SequenceNode {
				v, ok := s.read(d, path, n)
				out.value = append(out.value, v)
				return out, ok
			}
			all := true
			for i, c := range n.Content {
				v, ok := s.read(d, path+"["+strconv.Itoa(i)+"]", c)
				if ok {
					out.value = append(out.value, v)
				}
				all = all && ok
			}
			return out, all
		},
	}
}

// mapOf makes the shape of a mapping whose keys people choose, in the file's order.
func mapOf[V any](what string, name shape[said[string]], s shape[V]) shape[said[[]named[V]]] {
	return shape[said[[]named[V]]]{
		words: "a mapping from " + name.words + " to " + s.words,
		schema: func(g *schemas) schema {
			return schema{"type": "object", "propertyNames": name.schema(g), "additionalProperties": s.schema(g), "minProperties": 1}
		},
		read: func(d *decoder, path string, n *yaml.Node) (said[[]named[V]], bool) {
			n = deref(n)
			var out said[[]named[V]]
			out.stand(n)
			if n.Kind != yaml.MappingNode {
				d.wrong(path, n, "", "a mapping from "+name.words+" to "+what)
				return out, false
			}
			if len(n.Content) == 0 {
				d.at(n, path+" is empty", "name at least one")
				return out, false
			}
			all := true
			eachPair(d, path, n, func(k, v *yaml.Node) {
				// A key's text is the name, whatever YAML would make of it: 007 stays 007.
				text := *k
				text.Style = yaml.DoubleQuotedStyle
				id, ok := name.read(d, path, &text)
				if !ok {
					all = false
					return
				}
				value, ok := s.read(d, path+"."+id.value, valueNode(k, v))
				all = all && ok
				out.value = append(out.value, named[V]{name: id, value: value})
			})
			return out, all
		},
	}
}

// eachPair calls f for each key and value of a mapping, reporting keys said twice.
func eachPair(d *decoder, path string, n *yaml.Node, f func(k, v *yaml.Node)) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := deref(n.Content[i]), n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			d.at(k, "a key is "+kindOf(k)+", not a text", "quote a text that begins with a bracket")
			continue
		}
		if line, twice := first[k.Value]; twice {
			d.at(k, fmt.Sprintf("%s is said twice, first on line %d", join(path, k.Value), line), "keep one of the two")
			continue
		}
		first[k.Value] = k.Line
		f(k, v)
	}
}

// valueNode gives a value that was left out the position of its key.
func valueNode(k, v *yaml.Node) *yaml.Node {
	if v.Kind == yaml.ScalarNode && v.Value == "" && isNull(v) {
		at := *v
		at.Line, at.Column = k.Line, k.Column
		return &at
	}
	return v
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// object makes the shape of a mapping with the given keys. What it fills learns
// its position when it embeds position. An object that may be empty can be
// written as a key without a value.
func object[T any](name, rule string, mayBeEmpty bool, fields []field[T]) shape[T] {
	known := make([]string, 0, len(fields))
	for _, f := range fields {
		if !f.later {
			known = append(known, f.name)
		}
	}
	return shape[T]{
		words:  "a mapping with " + strings.Join(known, ", "),
		schema: func(g *schemas) schema { return defineObject(g, name, rule, mayBeEmpty, fields) },
		read: func(d *decoder, path string, n *yaml.Node) (T, bool) {
			n = deref(n)
			var out T
			if p, ok := any(&out).(interface{ stand(*yaml.Node) }); ok {
				p.stand(n)
			}
			if mayBeEmpty && isNull(n) {
				return out, true
			}
			if n.Kind != yaml.MappingNode {
				d.at(n, fmt.Sprintf("%s is %s, not a mapping", cmp.Or(path, "the file"), kindOf(n)), "write a mapping with "+strings.Join(known, ", "))
				return out, false
			}
			before := len(d.problems) + d.more
			seen := map[string]bool{}
			eachPair(d, path, n, func(k, v *yaml.Node) {
				seen[k.Value] = true
				i := slices.IndexFunc(fields, func(f field[T]) bool { return f.name == k.Value })
				if i < 0 {
					d.unknown(path, k, known)
					return
				}
				if fields[i].later {
					v = k
				}
				fields[i].read(d, join(path, k.Value), valueNode(k, v), &out)
			})
			for _, f := range fields {
				if f.required != "" && !seen[f.name] {
					d.at(n, fmt.Sprintf("%s is missing", join(path, f.name)), "add "+f.required)
				}
			}
			return out, len(d.problems)+d.more == before
		},
	}
}

// unknown reports a key that no table knows, with what was probably meant.
func (d *decoder) unknown(path string, k *yaml.Node, known []string) {
	where := cmp.Or(path, "the file")
	remedy := "known here: " + strings.Join(known, ", ")
	if k.Value == "<<" {
		remedy = "merge keys are not YAML 1.2; write the keys out"
	} else if near := nearest(k.Value, known); near != "" {
		remedy = "did you mean " + near + "? " + remedy
	}
	d.at(k, fmt.Sprintf("unknown key %s in %s", clip(k.Value), where), remedy)
}
