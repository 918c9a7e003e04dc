package guess

// The file to be, before it is written: environments of all pipelines, what is
// said of single services, and why.

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/content"
)

// draft is the file to be.
type draft struct {
	repository   Repository
	pipelines    []*pipeline
	environments []environment
	overrides    []override
	shared       []string
	found        []string // reasons of the search
	foundDoubts  []string
	reasons      []string
	doubts       []string
}

// override keeps promobot from proposing what could not be promoted.
type override struct {
	pipeline     *pipeline
	name         string
	environments []string
	why          string
}

func (s *search) draft(pipelines []*pipeline) *draft {
	f := &draft{repository: s.repository, pipelines: pipelines, found: s.reasons, foundDoubts: s.doubts}
	f.settle()
	return f
}

// settle works out all that follows from the pipelines; again after one was
// dropped.
func (f *draft) settle() {
	f.reasons, f.doubts = slices.Clone(f.found), slices.Clone(f.foundDoubts)
	f.overrides, f.shared = nil, nil
	names := map[string]name{}
	for _, p := range f.pipelines {
		maps.Copy(names, p.names)
		for _, g := range p.shared {
			f.shared = add(f.shared, g)
		}
	}
	f.environments = ordered(names)
	f.holes()
	f.order()
	f.moving()
	for _, e := range f.environments {
		f.reasons = add(f.reasons, e.env+": "+e.why)
	}
	for _, p := range f.pipelines {
		for _, w := range p.why {
			f.reasons = add(f.reasons, "pipeline "+p.key+": "+w)
		}
		for _, sh := range p.shapes {
			f.reasons = add(f.reasons, p.reason(sh))
		}
		if w := p.staying(f.repository.Paths); w != "" {
			f.doubts = add(f.doubts, w)
		}
	}
}

// reason says what was found in a shape, with the name of a file.
func (p *pipeline) reason(sh *shape) string {
	pl := sh.places[0]
	env := sorted(membersOf(pl))[0].env
	m := pl.members[env]
	file := m.at.Path
	if m.at.Branch != "" {
		file += " on branch " + m.at.Branch
	}
	more := ""
	if len(sh.places) > 1 {
		more = ", and " + count(len(sh.places)-1, "place") + " like it"
	}
	return sentence("pipeline %s: %s in %s%s", p.key, strings.Join(sh.what, " and "), file, more)
}

// staying says which files beside those that are promoted stay, since they may be
// meant to travel too.
func (p *pipeline) staying(paths []string) string {
	if p.branch != "" || !strings.Contains(p.path, environmentHole) {
		return ""
	}
	var others []string
	pl := p.shapes[0].places[0]
	used := map[string]bool{}
	for _, sh := range p.shapes {
		used[sh.file()] = true
	}
	for _, n := range sorted(membersOf(pl)) {
		dir := path.Dir(pl.members[n.env].at.Path) + "/"
		at, _ := slices.BinarySearch(paths, dir)
		for _, at := range paths[at:] {
			rel, in := strings.CutPrefix(at, dir)
			if !in {
				break
			}
			if !used[rel] && !p.fileEach() && !isKustomization(rel) && !strings.Contains(rel, "secret") {
				others = add(others, rel)
			}
		}
	}
	if len(others) == 0 {
		return ""
	}
	slices.Sort(others)
	return sentence("pipeline %s: %s in %s: these stay as they are in each environment. To promote one too, name it by files under promote, with keep for what has to differ", p.key, few(others, 5), show(p.path))
}

func (p *pipeline) fileEach() bool {
	return slices.ContainsFunc(p.shapes, func(s *shape) bool { return s.fileEach() })
}

func membersOf(p *place) map[string]name {
	out := map[string]name{}
	for env, m := range p.members {
		if len(m.carriers) > 0 {
			out[env] = m.name
		}
	}
	return out
}

// holes makes canaries optional where some services have none, and says where
// others are missing.
func (f *draft) holes() {
	for i := range f.environments {
		e := &f.environments[i]
		missing, has := []string{}, 0
		for _, p := range f.pipelines {
			for _, sh := range p.shapes {
				for _, pl := range sh.places {
					if _, there := pl.members[e.env]; there {
						has++
					} else if _, uses := p.names[e.env]; uses {
						missing = append(missing, show(pl.template))
					}
				}
			}
		}
		switch {
		case len(missing) == 0:
		case e.rank == canary:
			e.optional = true
			f.reasons = add(f.reasons, sentence("%s is optional: it is missing in %s, as %s", e.env, count(len(missing), "place"), missing[0]))
		default:
			f.doubts = add(f.doubts, sentence("%s is missing for %d of %d places, as %s: nothing passes it by there. If it need not be there, say optional: true", e.env, len(missing), has+len(missing), few(missing, 2)))
		}
	}
}

// order says why environments stand where they do, and what history says of it.
func (f *draft) order() {
	upstream := map[string][]string{}
	for _, e := range f.environments {
		upstream[e.env] = e.from
	}
	counted := history(f.repository.Commits, f.pipelines, upstream)
	byName, said := map[string]name{}, map[[2]int]bool{}
	for _, e := range f.environments {
		byName[e.env] = e.name
	}
	for i := range f.environments {
		e := &f.environments[i]
		if len(e.from) == 0 {
			e.why = "first, by its name"
			continue
		}
		e.why = sentence("after %s by its name", strings.Join(e.from, ", "))
		if t := counted[e.env]; t.after+t.together+t.alone > 0 {
			all := t.after + t.together + t.alone
			said := sentence("history: %d of %s here came after one in %s", t.after, count(all, "change"), strings.Join(e.from, " or "))
			if t.together > 0 {
				said += sentence(", %d together with one", t.together)
			}
			e.why += "; " + said
			if t.alone*2 > all && all > 2 {
				f.doubts = add(f.doubts, sentence("%s after %s is by name only: %d of the %d changes made in %s came without one before. If it comes from elsewhere, change from", e.env, strings.Join(e.from, ", "), t.alone, all, e.env))
			}
		}
		if len(e.from) > 1 {
			f.doubts = add(f.doubts, sentence("%s comes from %s: what they have must be equal in all of them, else it waits. If one of them leads, name that one alone in from", e.env, strings.Join(e.from, ", ")))
		}
		for _, u := range e.from {
			pair := [2]int{byName[u].rank, e.rank}
			if slices.Contains(similar, pair) && !said[pair] {
				said[pair] = true
				f.doubts = add(f.doubts, sentence("%s before %s is a convention that not everyone has; turn them round, or let both come from the same one, by from", u, e.env))
			}
		}
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return sentence("%d %ss", n, noun)
}

// moving keeps what means another version every day from being proposed.
func (f *draft) moving() {
	for _, p := range f.pipelines {
		for _, sh := range p.shapes {
			for _, pl := range sh.places {
				for _, e := range f.environments {
					for _, u := range p.upstreams(f.environments, e.env) {
						m, there := pl.members[u]
						if _, here := pl.members[e.env]; !there || !here {
							continue
						}
						f.movingIn(p, sh, pl, e.env, u, m)
					}
				}
			}
		}
	}
}

func (f *draft) movingIn(p *pipeline, sh *shape, pl *place, env, up string, m member) {
	for _, c := range m.carriers {
		if !content.Moving(c.text) || c.kind == images && f.hasDigest(m, c) {
			continue
		}
		if managed, ok := p.managed[up]; ok && managed.key == c.key && len(p.upstreams(f.environments, up)) == 0 {
			p.why = add(p.why, sentence("%s is managed elsewhere: %s has the range %s there, which Flux resolves, and what Flux reports is promoted. For that its notification controller needs a Provider of type githubdispatch for this repository", up, m.at.Path, c.text))
			continue
		}
		name := p.key
		if p.forEach != "" {
			name = binding(sh, pl)
		}
		at := slices.IndexFunc(f.overrides, func(o override) bool { return o.pipeline == p && o.name == name })
		if at < 0 {
			f.overrides = append(f.overrides, override{pipeline: p, name: name, why: sentence("%s is %s in %s: that means another version from day to day, so nothing of it is proposed until it is pinned", c.key, c.text, m.at.Path)})
			at = len(f.overrides) - 1
		}
		f.overrides[at].environments = add(f.overrides[at].environments, env)
	}
}

// hasDigest says whether an image's digest says what its tag means.
func (f *draft) hasDigest(m member, c carrier) bool {
	for _, doc := range documents(f.repository.Contents[m.at]) {
		for _, i := range items(doc, "images") {
			if text(i, "name") == c.key && text(i, "digest") != "" {
				return true
			}
		}
	}
	return false
}

// upstreams are what an environment comes from in a pipeline: environments that
// it has not give way to theirs.
func (p *pipeline) upstreams(all []environment, env string) []string {
	var out []string
	var visit func(string)
	seen := map[string]bool{}
	visit = func(of string) {
		for _, e := range all {
			if e.env != of {
				continue
			}
			for _, u := range e.from {
				if _, has := p.names[u]; has {
					out = add(out, u)
					if e := all[slices.IndexFunc(all, func(e environment) bool { return e.env == u })]; !e.optional {
						continue
					}
				}
				if !seen[u] {
					seen[u] = true
					visit(u)
				}
			}
		}
	}
	visit(env)
	return out
}

// binding is what a for_each's variables are in a place, as a name in the file.
func binding(sh *shape, pl *place) string {
	have := strings.Split(pl.template, "/")
	var out []string
	for _, at := range sh.each {
		v := have[at]
		if at == len(have)-1 {
			pattern := sh.segments[at]
			before, after, _ := strings.Cut(pattern, "$name")
			if head, tail, grouped := strings.Cut(pattern, "$group"); grouped {
				before, after = head, tail
			}
			v = strings.TrimSuffix(strings.TrimPrefix(v, before), after)
		}
		out = append(out, v)
	}
	return cmp.Or(strings.Join(out, "/"), "?")
}
