package config

// Copying a whole file that names its own environment would put qa's name into
// production. Whether files do so only their bytes can tell, so this is a step
// of its own that callers make when they have them.

import (
	"bytes"
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

// Copied are the repository paths whose bytes [File.Check] wants, sorted: the
// files that the pipelines copy whole.
func (f *File) Copied(pipelines []Pipeline, paths []string) []string {
	r := &resolver{file: f, x: newIndex(paths)}
	var out []string
	for i := range pipelines {
		for j := range pipelines[i].Environments {
			place := pipelines[i].Environments[j].Place
			for k := range place.Items {
				if place.Items[k].Kind == content.Files {
					for _, rel := range r.selected(place.Dir, &place.Items[k], false) {
						out = append(out, inDir(place.Dir, rel))
					}
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Check finds files that would be copied from one environment to the next and
// name, in the same value or line, the environment they are in, without that
// value being kept. contents maps repository paths to bytes, as for [File.Copied].
func (f *File) Check(pipelines []Pipeline, contents map[string][]byte) Problems {
	d := &decoder{file: f.name}
	paths := make([]string, 0, len(contents))
	for p := range contents {
		paths = append(paths, p)
	}
	c := &checker{decoder: d, resolver: &resolver{file: f, x: newIndex(paths)}, contents: contents, names: f.namePatterns()}
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
	contents map[string][]byte
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
		for _, from := range e.From {
			up := byName[from]
			if up == nil || !up.Present || !e.Present {
				continue
			}
			for k := range e.Place.Items {
				item := &up.Place.Items[k]
				if item.Kind != content.Files {
					continue
				}
				for _, rel := range c.resolver.selected(up.Place.Dir, item, false) {
					c.file(l, p, up, e, k, rel)
				}
			}
		}
	}
}

// file compares one file upstream with the same in the target.
func (c *checker) file(l *layout, p *Pipeline, up, e *Environment, k int, rel string) {
	source, okS := c.contents[inDir(up.Place.Dir, rel)]
	target, okT := c.contents[inDir(e.Place.Dir, rel)]
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
	keys []string
	text string
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
	var walk func(n *yaml.Node, keys []string)
	walk = func(n *yaml.Node, keys []string) {
		if nodes++; nodes > maxNodes || len(keys) > maxKeys {
			return
		}
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				walk(n.Content[i+1], append(slices.Clip(keys), n.Content[i].Value))
			}
		case yaml.SequenceNode:
			for i, c := range n.Content {
				walk(c, append(slices.Clip(keys), itemName(c, i)))
			}
		case yaml.ScalarNode:
			out[edit.Key(keys)] = scalarAt{keys: keys, text: n.Value}
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
		walk(doc.Content[0], nil)
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
