package config

// A layout is one pipeline of the file with the environments it has, before
// for_each is expanded: what the file says of each, merged with what the
// pipeline says of it, in topological order.

import (
	"slices"
	"strings"
)

type layout struct {
	group        said[string]
	spec         pipelineSpec
	each         eachPattern
	known        []string // variables: env and the names of for_each
	environments []*environmentLayout
	byName       map[string]*environmentLayout
}

type environmentLayout struct {
	name        said[string]
	file        environmentSpec // as said under environments
	own         environmentSpec // as said under the pipeline's environments
	from, after []string        // without environments that the pipeline has not
	items       []itemLayout
}

// itemLayout is an item of promote with regular expressions settled.
type itemLayout struct {
	spec  *itemSpec
	match pathTemplate
}

// optional is the pipeline's own where it has one.
func (e *environmentLayout) optional() said[bool] { return prefer(e.own.optional, e.file.optional) }

// mode is the lowest that was said, or the default.
func (e *environmentLayout) mode() said[Mode] {
	switch own, file := e.own.mode, e.file.mode; {
	case own.said() && file.said() && file.value < own.value:
		return file
	case own.said():
		return own
	case file.said():
		return file
	}
	return said[Mode]{value: Propose}
}

func prefer[V any](a, b said[V]) said[V] {
	if a.said() {
		return a
	}
	return b
}

// get is the environment of a name, or nil.
func (l *layout) get(name string) *environmentLayout { return l.byName[name] }

// newLayout merges a pipeline with the file's environments. Names that dangle
// were reported before and are left out.
func newLayout(doc *document, group said[string], spec pipelineSpec) *layout {
	l := &layout{group: group, spec: spec, byName: map[string]*environmentLayout{}}
	all := map[string]*environmentLayout{}
	own := map[string]environmentSpec{}
	for _, o := range spec.own.value {
		own[o.name.value] = o.value
	}
	only := map[string]bool{}
	for _, n := range spec.only.value {
		only[n.value] = true
	}
	for _, n := range doc.environments.value {
		e := &environmentLayout{name: n.name, file: n.value, own: own[n.name.value]}
		all[n.name.value] = e
		if !spec.only.said() || only[n.name.value] {
			l.environments = append(l.environments, e)
			l.byName[n.name.value] = e
		}
	}
	here := func(name string) bool { return l.get(name) != nil }
	for _, e := range l.environments {
		e.from = through(values(prefer(e.own.from, e.file.from).value), here, func(name string) []string {
			if up := all[name]; up != nil {
				return values(prefer(up.own.from, up.file.from).value)
			}
			return nil
		})
		e.after = through(values(prefer(e.own.after, e.file.after).value), here, func(name string) []string {
			if up := all[name]; up != nil {
				return values(prefer(up.own.after, up.file.after).value)
			}
			return nil
		})
	}
	return l
}

// through replaces each name that is not here by what it leads to, again and
// again, in order and each name once. Circles end.
func through(names []string, here func(string) bool, next func(string) []string) []string {
	var out []string
	seen := map[string]bool{}
	var visit func([]string)
	visit = func(names []string) {
		for _, n := range names {
			if seen[n] {
				continue
			}
			seen[n] = true
			if here(n) {
				out = append(out, n)
			} else {
				visit(next(n))
			}
		}
	}
	visit(names)
	return out
}

// sortTopologically puts every environment behind those it is from and after, as
// near to the file's order as that allows; a circle is returned as names.
func (l *layout) sortTopologically() (circle []string) {
	var out []*environmentLayout
	state := map[string]int{} // 1: being visited, 2: placed
	var stack []string
	var visit func(e *environmentLayout) bool
	visit = func(e *environmentLayout) bool {
		switch name := e.name.value; state[name] {
		case 2:
			return true
		case 1:
			circle = append(append(circle, stack[slices.Index(stack, name):]...), name)
			return false
		default:
			state[name] = 1
			stack = append(stack, name)
			for _, up := range slices.Concat(e.from, e.after) {
				if u := l.get(up); u != nil && !visit(u) {
					return false
				}
			}
			stack = stack[:len(stack)-1]
			state[name] = 2
			out = append(out, e)
			return true
		}
	}
	for _, e := range l.environments {
		if !visit(e) {
			return circle
		}
	}
	l.environments = out
	return nil
}

// unverified gives for an environment's name the first environment at it or,
// where it is optional, upstream of it that says nothing about verification; ""
// when there is none. Answers are kept in known, since many ask for the same.
func (l *layout) unverified(name string, known map[string]string) string {
	if answer, ok := known[name]; ok {
		return answer
	}
	known[name] = ""
	e := l.get(name)
	switch {
	case e == nil:
	case !e.verify().said():
		known[name] = name
	case e.optional().value:
		known[name] = l.unverifiedAmong(e.from, known)
	}
	return known[name]
}

func (l *layout) unverifiedAmong(names []string, known map[string]string) string {
	for _, name := range names {
		if found := l.unverified(name, known); found != "" {
			return found
		}
	}
	return ""
}

// way is "dev › staging › prod" for messages.
func way(names []string) string { return strings.Join(names, " › ") }
