package config

// Copying a whole file that names its own environment would put qa's name into
// production. Whether files do so only their bytes can tell, so this is a step
// of its own that callers make when they have them. What else bytes tell is in
// moving.go.

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/content/edit"
)

// maxChecked is the most bytes of a file that are checked.
const maxChecked = 1 << 20

// Moved are the files whose bytes [File.Check] wants, sorted: those that the
// pipelines copy whole or look into for values, and those by which other tools
// write to the environments.
func (f *File) Moved(pipelines []Pipeline, t Tree) []At {
	r := &resolver{file: f, x: newIndexes(t)}
	var out []At
	for i := range pipelines {
		for j := range pipelines[i].Environments {
			e := &pipelines[i].Environments[j]
			for _, branch := range e.branches() {
				out = append(out, r.moved(e, branch)...)
			}
		}
	}
	slices.SortFunc(out, func(a, b At) int {
		return cmp.Or(cmp.Compare(a.Branch, b.Branch), cmp.Compare(a.Path, b.Path))
	})
	return slices.Compact(out)
}

// branches are those that an environment stands on and is read from.
func (e *Environment) branches() []string {
	if e.Read == "" {
		return []string{e.Branch}
	}
	return []string{e.Branch, e.Read}
}

// moved are an environment's files on one branch.
func (r *resolver) moved(e *Environment, branch string) []At {
	var out []At
	x := r.x.on(branch)
	for k := range e.Place.Items {
		item := &e.Place.Items[k]
		if item.Kind == content.Files {
			for _, rel := range selected(x, e.Place.Dir, item, false) {
				out = append(out, At{branch, inDir(e.Place.Dir, rel)})
			}
		} else if file := r.inFile(&Environment{Branch: branch, Place: e.Place}, item); x.file(file) {
			out = append(out, At{branch, file})
		}
	}
	for _, file := range overriding(x, e.Place.Dir) {
		out = append(out, At{branch, file})
	}
	return out
}

// Check finds files that would be copied from one environment to the next and
// name, in the same value or line, the environment they are in, without that
// value being kept; values that would travel and move by themselves; and
// environments that another tool writes. contents are the bytes of [File.Moved].
func (f *File) Check(pipelines []Pipeline, contents map[At][]byte) Problems {
	d := &decoder{file: f.name}
	t := Tree{Branches: map[string][]string{}}
	for at := range contents {
		if at.Branch == "" {
			t.Paths = append(t.Paths, at.Path)
		} else {
			t.Branches[at.Branch] = append(t.Branches[at.Branch], at.Path)
		}
	}
	c := &checker{decoder: d, resolver: &resolver{file: f, x: newIndexes(t)}, contents: contents, names: f.namePatterns()}
	for _, l := range f.layouts {
		for i := range pipelines {
			if pipelines[i].Group == l.group.value {
				c.pipeline(l, &pipelines[i])
			}
		}
	}
	return d.finish()
}

type checker struct {
	*decoder
	resolver *resolver
	contents map[At][]byte
	names    map[string]func(string) bool
}

// namePatterns say for each environment whether a text names it: as a word, and
// not as a part of another environment's longer name.
func (f *File) namePatterns() map[string]func(string) bool {
	all := f.EnvironmentNames()
	out := map[string]func(string) bool{}
	for _, name := range all {
		word := regexp.MustCompile(`(?i)(^|[^a-z0-9])` + regexp.QuoteMeta(name) + `($|[^a-z0-9])`)
		var longer []string
		for _, other := range all {
			if other != name && strings.Contains(other, name) {
				longer = append(longer, other, "\x00")
			}
		}
		without := strings.NewReplacer(longer...)
		out[name] = func(s string) bool { return word.MatchString(without.Replace(s)) }
	}
	return out
}

// pipeline compares each environment with those it is from.
func (c *checker) pipeline(l *layout, p *Pipeline) {
	byName := map[string]*Environment{}
	for i := range p.Environments {
		e := &p.Environments[i]
		byName[e.Name] = e
		c.written(l, p, e)
		if e.Read != "" {
			// What was written for this environment may name it.
			c.fixed(l, p, e, e, e.Read)
			continue
		}
		for _, from := range e.From {
			up := byName[from]
			if up == nil || !up.Present || !e.Present || up.Managed {
				continue
			}
			if up.Source == nil {
				c.fixed(l, p, e, up, up.Branch)
			}
			for k := range e.Place.Items {
				item := &up.Place.Items[k]
				if item.Kind != content.Files {
					continue
				}
				for _, rel := range selected(c.resolver.x.on(up.Branch), up.Place.Dir, item, false) {
					c.file(l, p, up, e, k, rel)
				}
			}
		}
	}
}

// file compares one file upstream with the same in the target.
func (c *checker) file(l *layout, p *Pipeline, up, e *Environment, k int, rel string) {
	source, okS := c.contents[At{up.Branch, inDir(up.Place.Dir, rel)}]
	target, okT := c.contents[At{e.Branch, inDir(e.Place.Dir, rel)}]
	path := inDir(e.Place.Dir, rel)
	never := func(n string) bool { return neverOfFiles(n) && matchGlob(n, path) }
	if !okS || !okT || len(source) > maxChecked || len(target) > maxChecked || slices.ContainsFunc(e.Never, never) {
		return
	}
	item := &e.Place.Items[k]
	at := l.spec.promote.value[k].files.position
	what := fmt.Sprintf("%s would copy %s from %s to %s", p.Key, rel, up.Name, e.Name)
	here, hereOK := scalars(source)
	there, thereOK := scalars(target)
	if !hereOK || !thereOK {
		c.lines(what, at, source, target, up.Name, e.Name)
		return
	}
	for value, s := range here {
		t, both := there[value]
		if !both || !c.names[up.Name](s.text) || !c.names[e.Name](t.text) {
			continue
		}
		kept := func(pattern string) bool { return pathCovers(pattern, s.keys) }
		stays := func(pattern string) bool { return neverOfValues(pattern, rel) && kept(pattern) }
		if slices.ContainsFunc(item.Keep, kept) || slices.ContainsFunc(e.Never, stays) {
			continue
		}
		c.add(at.line, at.column, fmt.Sprintf("%s, and its value %s names its own environment: %s there, %s here", what, value, clip(s.text), clip(t.text)),
			"add keep: "+strconv.Quote(value)+" beside files, or except: "+strconv.Quote(rel))
	}
}

// lines compares files that are no YAML: a line that names upstream, and would
// be a line of the target if it named the target.
func (c *checker) lines(what string, at position, source, target []byte, up, e string) {
	there := map[string]bool{}
	for line := range strings.Lines(string(target)) {
		there[strings.TrimSpace(line)] = true
	}
	n := 0
	for line := range strings.Lines(string(source)) {
		n++
		line = strings.TrimSpace(line)
		if c.names[up](line) && there[strings.ReplaceAll(line, up, e)] {
			c.add(at.line, at.column, fmt.Sprintf("%s, and its line %d names its own environment: %s", what, n, clip(line)), "add except: with this file beside files")
			return
		}
	}
}

// scalarAt is a scalar of a file with the keys that lead to it.
type scalarAt struct {
	keys   []string
	text   string
	line   int
	digest bool // its mapping has a digest too
}

// scalars are a YAML or JSON file's scalars by their value paths, list items by
// their name; false when it is none, or one without mappings.
func scalars(src []byte) (out map[string]scalarAt, ok bool) {
	defer func() {
		if r := recover(); r != nil { // see parseYAML
			out, ok = nil, false
		}
	}()
	out = map[string]scalarAt{}
	in := yaml.NewDecoder(bytes.NewReader(src))
	nodes := 0
	var walk func(n *yaml.Node, keys []string, digest bool)
	walk = func(n *yaml.Node, keys []string, digest bool) {
		if nodes++; nodes > maxNodes || len(keys) > maxKeys {
			return
		}
		switch n.Kind {
		case yaml.MappingNode:
			has := false
			for i := 0; i+1 < len(n.Content); i += 2 {
				has = has || n.Content[i].Value == "digest"
			}
			for i := 0; i+1 < len(n.Content); i += 2 {
				walk(n.Content[i+1], append(slices.Clip(keys), n.Content[i].Value), has)
			}
		case yaml.SequenceNode:
			for i, c := range n.Content {
				walk(c, append(slices.Clip(keys), itemName(c, i)), false)
			}
		case yaml.ScalarNode:
			out[edit.Key(keys)] = scalarAt{keys: keys, text: n.Value, line: n.Line, digest: digest}
		}
	}
	for {
		var doc yaml.Node
		if err := in.Decode(&doc); errors.Is(err, io.EOF) {
			return out, true
		} else if err != nil {
			return nil, false
		}
		if len(doc.Content) == 0 {
			continue
		}
		if doc.Content[0].Kind == yaml.ScalarNode {
			return nil, false
		}
		walk(doc.Content[0], nil, false)
	}
}

// itemName is a list item's name, or its number.
func itemName(n *yaml.Node, i int) string {
	if n.Kind == yaml.MappingNode {
		for k := 0; k+1 < len(n.Content); k += 2 {
			if v := n.Content[k+1]; n.Content[k].Value == "name" && v.Kind == yaml.ScalarNode && v.Value != "" {
				return v.Value
			}
		}
	}
	return strconv.Itoa(i)
}
