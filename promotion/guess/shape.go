package guess

// Places that several environments have, and what is alike among them: one
// pipeline for each service, said once.
//
// Rules: a place counts when at least two environments of different ranks have
// a value in it that carries a version; folders that differ in one name, and
// hold values of the same kinds, are services; files that differ in one name are
// only where each describes one thing (an Application), or where there are many.

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/promobot/promobot/promotion/config"
)

// place is one file with the environment's name taken out of its path, or out of
// the name of the branch it is on.
type place struct {
	branch   string // of branches: the name with environmentHole; "" for the default branch
	template string
	members  map[string]member // by environment
}

// member is a place's file in one environment.
type member struct {
	name     name
	at       config.At
	carriers []carrier
}

// shape are places that are alike.
type shape struct {
	branch   string
	segments []string // of the path; variables as $name
	each     []int    // segments that are variables, or the last one whose stem is
	places   []*place
	what     []string // the kinds of values
}

// wanted says whether a file is looked into.
func wanted(p string) bool {
	switch path.Ext(p) {
	case ".yaml", ".yml", ".json":
		return !strings.Contains(p, "/templates/") && !strings.HasPrefix(path.Base(p), "values.schema")
	}
	return path.Base(p) == "Kustomization"
}

// usable says whether a path can be said in a pipeline file.
func usable(p string) bool {
	return utf8.ValidString(p) && len(p) < 500 && !strings.ContainsAny(p, "*?[]{}\\") && clean(p) == p
}

func (s *search) folders() {
	found := map[string]*place{}
	var order []string
	for _, p := range s.repository.Paths {
		if !wanted(p) {
			continue
		}
		at, ok := s.naming.locate(p)
		if !ok {
			continue
		}
		if !usable(p) {
			s.doubt("%s is left out: a pipeline file cannot name such a path", p)
			continue
		}
		c := carriers(p, s.repository.Contents[config.At{Path: p}])
		if len(c) == 0 {
			continue
		}
		if found[at.template] == nil {
			found[at.template] = &place{template: at.template, members: map[string]member{}}
			order = append(order, at.template)
		}
		if other, twice := found[at.template].members[at.name.env]; twice {
			s.doubt("%s and %s would both be environment %s; the second is left out", other.at.Path, p, at.name.env)
			continue
		}
		found[at.template].members[at.name.env] = member{name: at.name, at: config.At{Path: p}, carriers: c}
	}
	for _, t := range order {
		s.keep(found[t])
	}
	s.shapes = append(s.shapes, alike(s.places)...)
	s.unknown()
}

// unknown says which folders stand among environments and have names that do not
// say where they belong.
func (s *search) unknown() {
	said := map[string]bool{}
	for i := range s.places {
		before, _, _ := strings.Cut(s.places[i].template, environmentHole)
		dir := strings.TrimSuffix(before, "/")
		if said[dir] || before == dir || !containers[path.Base(dir)] {
			continue
		}
		said[dir] = true
		for _, child := range slices.Sorted(maps.Keys(s.naming.children[dir])) {
			at := path.Join(dir, child)
			if _, known := read(child, true); !known && s.naming.folders[at] && !neverEnvironments[strings.ToLower(child)] && !strings.HasPrefix(child, ".") && !region(child) {
				s.doubt("%s stands beside environments, and its name does not say where it belongs: if it is one, add it to environments with from", at)
			}
		}
	}
}

// keep takes a place when there is something to promote between its environments.
func (s *search) keep(p *place) {
	byRank := map[string]map[int]bool{}
	for _, m := range p.members {
		for _, c := range m.carriers {
			k := string(c.kind) + c.glob
			if byRank[k] == nil {
				byRank[k] = map[int]bool{}
			}
			byRank[k][m.name.rank] = true
		}
	}
	several := false
	for env, m := range p.members {
		m.carriers = slices.DeleteFunc(m.carriers, func(c carrier) bool { return len(byRank[string(c.kind)+c.glob]) < 2 })
		several = several || len(m.carriers) > 0
		p.members[env] = m
	}
	if several {
		s.places = append(s.places, *p)
	}
}

// whats are the kinds of values in a place.
func (p *place) whats() []string {
	var out []string
	for _, m := range p.members {
		for _, c := range m.carriers {
			out = add(out, c.what)
		}
	}
	slices.Sort(out)
	return out
}

// alike puts places into shapes, at most two variables each.
func alike(places []place) []*shape {
	var shapes []*shape
	for i := range places {
		p := &places[i]
		shapes = append(shapes, &shape{branch: p.branch, segments: strings.Split(p.template, "/"), places: []*place{p}, what: p.whats()})
	}
	for _, variable := range []string{"$name", "$group"} {
		shapes = merge(shapes, variable)
	}
	return shapes
}

// candidate is a shape with one segment made a variable.
func (s *shape) candidate(at int, variable string) (segments []string, least int, ok bool) {
	segment := s.segments[at]
	if slices.Contains(s.each, at) {
		return nil, 0, false
	}
	segments = slices.Clone(s.segments)
	if at == len(segments)-1 {
		ext := path.Ext(segment)
		stem := strings.TrimSuffix(segment, ext)
		switch before, after, hole := strings.Cut(stem, environmentHole); {
		case isKustomization(segment) || segment == "Chart.yaml" || stem == "values" || len(s.each) > 0:
			return nil, 0, false
		case !hole:
			segments[at] = variable + ext
		case strings.Trim(before, "-_.") != "" && after == "" && !valuesWord(before):
			segments[at] = variable + before[len(strings.TrimRight(before, "-_.")):] + environmentHole + ext
		default:
			return nil, 0, false
		}
		least = 4
		if slices.ContainsFunc(s.what, func(w string) bool { return strings.Contains(w, "Application") || strings.Contains(w, "HelmRelease") }) {
			least = 2
		}
		return segments, least, true
	}
	if strings.Contains(segment, environmentHole) {
		return nil, 0, false
	}
	segments[at] = variable
	least = 2
	if at == 0 {
		least = 3
	}
	return segments, least, true
}

// valuesWord says whether a file's name begins with what such files are called,
// and not with the service's name.
func valuesWord(s string) bool {
	switch strings.ToLower(strings.Trim(s, "-_.")) {
	case "values", "config", "settings", "params", "parameters", "env", "image", "images", "version", "versions", "vars", "overrides", "helm", "app", "application", "release", "tags":
		return true
	}
	return false
}

// merge makes one variable of the segment in which most shapes are alike.
func merge(shapes []*shape, variable string) []*shape {
	type bucket struct {
		segments []string
		at       int
		least    int
		shapes   []*shape
	}
	buckets := map[string]*bucket{}
	keys := make([][]string, len(shapes))
	for i, s := range shapes {
		for at := range s.segments {
			segments, least, ok := s.candidate(at, variable)
			if !ok {
				continue
			}
			k := s.branch + "\x01" + strings.Join(segments, "/") + "\x01" + strings.Join(s.what, "\x01") + fmt.Sprint(at)
			if buckets[k] == nil {
				buckets[k] = &bucket{segments: segments, at: at, least: least}
			}
			buckets[k].shapes = append(buckets[k].shapes, s)
			keys[i] = append(keys[i], k)
		}
	}
	done := map[*shape]bool{}
	var out []*shape
	for i, s := range shapes {
		if done[s] {
			continue
		}
		var best *bucket
		for _, k := range keys[i] {
			b := buckets[k]
			if len(b.shapes) >= b.least && (best == nil || len(b.shapes) > len(best.shapes)) && !slices.ContainsFunc(b.shapes, func(o *shape) bool { return done[o] }) {
				best = b
			}
		}
		if best == nil {
			out = append(out, s)
			continue
		}
		m := &shape{branch: s.branch, segments: best.segments, each: append(slices.Clone(s.each), best.at), what: s.what}
		slices.Sort(m.each)
		for _, o := range best.shapes {
			done[o] = true
			m.places = append(m.places, o.places...)
		}
		out = append(out, m)
	}
	return out
}

// dir and file are the parts of a shape's path.
func (s *shape) dir() string { return strings.Join(s.segments[:len(s.segments)-1], "/") }

func (s *shape) file() string { return s.segments[len(s.segments)-1] }

// fileEach says whether the variable stands in the file's name.
func (s *shape) fileEach() bool { return slices.Contains(s.each, len(s.segments)-1) }

// raws are the environments of shapes by how their names stand in paths.
func raws(shapes []*shape) map[string]name {
	out := map[string]name{}
	for _, s := range shapes {
		for _, p := range s.places {
			for env, m := range p.members {
				if len(m.carriers) > 0 {
					out[env] = m.name
				}
			}
		}
	}
	return out
}

// sorted are names in the order of a pipeline.
func sorted(names map[string]name) []name {
	out := make([]name, 0, len(names))
	for _, n := range names {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b name) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.env, b.env)) })
	return out
}
