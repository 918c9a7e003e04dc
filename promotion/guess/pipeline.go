package guess

// From shapes to pipelines: which are kept, what they are called, and what they
// promote.

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/content"
)

// pipeline is one pipeline of the file to be.
type pipeline struct {
	key      string
	branch   string // with environmentHole, or ""
	read     string // with environmentHole, or ""
	revision string // the file that names the revision, or ""
	forEach  string
	path     string // with environmentHole
	items    []item
	shapes   []*shape
	names    map[string]name
	managed  map[string]carrier // environments where Flux decides, with the HelmRelease's chart version
	why      []string
	shared   []string
}

// item is one item of promote.
type item struct {
	kind   string   // images, values, files
	what   []string // patterns
	in     string   // with environmentHole
	except []string
}

// mostPipelines bounds a guess; a repository that needs more needs a person.
const mostPipelines = 12

// choose makes pipelines of what was found.
func (s *search) choose() []*pipeline {
	var folders, onBranches []*shape
	for _, sh := range s.shapes {
		if sh.branch == "" {
			folders = append(folders, sh)
		} else {
			onBranches = append(onBranches, sh)
		}
	}
	if g, ok := s.hydrated(); ok {
		if len(folders) > 0 {
			s.doubt("the default branch has environments too (%s): they are what the hydrator renders. To promote there instead, remove branch, read and revision, and let path name them", describe(folders[0]))
		}
		return []*pipeline{s.rendered(g, g.before+environmentHole+next)}
	}
	chosen := folders
	if len(folders) == 0 {
		chosen = onBranches
	}
	for _, g := range s.names {
		switch all := few(values2(g.of), 4); {
		case len(folders) > 0:
			s.doubt("the branches %s look like environments as well. If a tool renders them from the folders, the folders are right; if they are the environments, say branch: %s", all, dollars(g.before)+"$env"+g.after)
		case len(onBranches) == 0 && g.before != "" && g.after == "":
			return []*pipeline{s.rendered(g, "")}
		case len(onBranches) == 0:
			s.doubt("the branches %s are named as environments, but nothing in them carries a version; if they are environments, see \"Environments that are branches\" in docs/pipeline-file.md", all)
		}
	}
	pipelines := s.join(chosen)
	slices.SortStableFunc(pipelines, func(a, b *pipeline) int { return cmp.Compare(b.size(), a.size()) })
	if len(pipelines) > mostPipelines {
		for _, p := range pipelines[mostPipelines:] {
			s.doubt("%s is left out: more than %d pipelines would be found; add it by hand", describe(p.shapes[0]), mostPipelines)
		}
		pipelines = pipelines[:mostPipelines]
	}
	s.nameAll(pipelines)
	return pipelines
}

// values2 are a map's values in their order.
func values2(m map[string]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// describe is a shape for people.
func describe(s *shape) string {
	return show(strings.Join(s.segments, "/"))
}

// show writes a template with the environment as $env.
func show(t string) string { return strings.ReplaceAll(t, environmentHole, "$env") }

func (p *pipeline) size() int {
	n := 0
	for _, s := range p.shapes {
		n += len(s.places)
	}
	return n
}

// rendered is the pipeline of branches whose whole files are promoted.
func (s *search) rendered(g branches, read string) *pipeline {
	p := &pipeline{key: cmp.Or(valid(s.repository.Name), "app"), branch: g.before + environmentHole, read: read, path: ".", names: g.names}
	it := item{kind: "files", what: []string{"**"}}
	all := few(values2(g.of), 4)
	if read != "" {
		p.why = append(p.why, sentence("the branches %s have each one that ends in %s beside it, as a hydrator writes them", all, next))
		for _, b := range g.of {
			if slices.Contains(s.repository.Branches[b], "hydrator.metadata") || slices.Contains(s.repository.Branches[b+next], "hydrator.metadata") {
				p.revision = "hydrator.metadata"
			}
		}
		if p.revision != "" {
			p.why = append(p.why, "hydrator.metadata names the commit that was rendered")
		} else {
			s.doubt("no hydrator.metadata says which commit the branches were rendered from; without revision, only environments without from are carried from their %s branch", next)
		}
	} else {
		p.why = append(p.why, sentence("the branches %s are named as environments, and nothing smaller than whole files was found in them that carries a version", all))
		s.doubt("the branches %s are promoted as whole files. If another tool writes them, promote what it renders from instead", all)
		for _, name := range []string{"README.md", "LICENSE"} {
			for _, b := range g.of {
				if slices.Contains(s.repository.Branches[b], name) {
					it.except = add(it.except, name)
				}
			}
		}
		named, more := s.selfNaming(g)
		for _, name := range named[:min(len(named), mostKept)] {
			it.except = add(it.except, dollars(escapeGlob(name)))
		}
		switch {
		case more:
			s.doubt("more than %d files on the branches name their own environment, as %s; only the first are left out by except", mostKept, named[0])
		case len(named) > 0:
			p.why = append(p.why, sentence("except keeps %s as they are, since they name their own environment", few(named, 3)))
		}
		it.except = add(it.except, ".github/**")
	}
	p.items = []item{it}
	return p
}

// join makes one pipeline of the shapes in one folder.
func (s *search) join(shapes []*shape) []*pipeline {
	byKey := map[string]*pipeline{}
	var out []*pipeline
	for _, sh := range shapes {
		k := sh.branch + "\x01" + sh.dir()
		if sh.fileEach() {
			k += "\x01" + sh.file()
		}
		p := byKey[k]
		if p == nil {
			p = &pipeline{branch: sh.branch, path: cmp.Or(sh.dir(), ".")}
			byKey[k] = p
			out = append(out, p)
		}
		p.shapes = append(p.shapes, sh)
	}
	for _, p := range out {
		p.names = raws(p.shapes)
		for _, sh := range p.shapes {
			p.take(sh)
		}
		p.each()
		p.beside(s.repository.Paths)
	}
	return slices.DeleteFunc(out, func(p *pipeline) bool { return len(p.items) == 0 })
}

// take adds what a shape's values are promoted by.
func (p *pipeline) take(sh *shape) {
	var names, keys []string
	globs := map[string]map[string]bool{} // exact keys by glob
	var had []int                         // how many of the keys each place has
	if p.managed == nil {
		p.managed = map[string]carrier{}
	}
	for _, pl := range sh.places {
		here := map[string]bool{}
		for env, m := range pl.members {
			for _, c := range m.carriers {
				if c.kind == images {
					names = add(names, c.key)
					continue
				}
				here[c.key] = true
				keys = add(keys, c.key)
				if globs[c.glob] == nil {
					globs[c.glob] = map[string]bool{}
				}
				globs[c.glob][c.key] = true
				if c.flux && content.Moving(c.text) && len(sh.places) == 1 {
					p.managed[env] = c
				}
			}
		}
		had = append(had, len(here))
	}
	if len(names) > 0 {
		p.items = append(p.items, item{kind: "images", what: imagePatterns(names, sh)})
	}
	if len(keys) == 0 {
		return
	}
	slices.Sort(keys)
	if len(keys) > 6 || slices.Min(had) < len(keys) {
		keys = keys[:0]
		for g, exact := range globs {
			if len(exact) == 1 {
				for k := range exact {
					g = k
				}
			}
			keys = append(keys, g)
		}
		slices.Sort(keys)
	}
	for i, k := range keys {
		keys[i] = dollars(k)
	}
	p.items = append(p.items, item{kind: "values", what: keys, in: sh.file()})
}

// imagePatterns are images by name, or by what all have in common.
func imagePatterns(names []string, sh *shape) []string {
	slices.Sort(names)
	if len(sh.each) == 0 && len(names) <= 5 {
		return escaped(names)
	}
	prefix := path.Dir(names[0])
	for _, n := range names {
		if path.Dir(n) != prefix || prefix == "." {
			if len(names) <= 5 {
				return escaped(names)
			}
			if !slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "/") }) {
				return []string{"*"}
			}
			return []string{"**"}
		}
	}
	if len(names) == 1 {
		return escaped(names)
	}
	return []string{dollars(escapeGlob(prefix)) + "/*"}
}

func escaped(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = dollars(escapeGlob(n))
	}
	return out
}

var globCharacters = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`, "{", `\{`, "}", `\}`)

func escapeGlob(s string) string { return globCharacters.Replace(s) }

// each says what for_each ranges over: the path up to its last variable.
func (p *pipeline) each() {
	sh := p.shapes[0]
	if len(sh.each) == 0 {
		return
	}
	last := sh.each[len(sh.each)-1]
	p.forEach = strings.Join(sh.segments[:last+1], "/")
	if p.mapped() {
		p.forEach = strings.ReplaceAll(p.forEach, environmentHole, "*")
	}
}

// mapped says whether a name of an environment is not what stands in the path,
// so that places are given by a mapping.
func (p *pipeline) mapped() bool {
	for env, n := range p.names {
		if n.raw != env {
			return true
		}
	}
	return false
}

// beside adds what environments share: a chart's own values beside those of its
// environments.
func (p *pipeline) beside(paths []string) {
	for _, sh := range p.shapes {
		if !strings.Contains(sh.file(), environmentHole) || strings.Contains(sh.dir(), environmentHole) {
			continue
		}
		for _, pl := range sh.places {
			common := path.Join(path.Dir(pl.template), "values.yaml")
			if _, found := slices.BinarySearch(paths, common); found && sh.branch == "" {
				glob := path.Join(sh.dir(), "values.yaml")
				for _, v := range []string{"$name", "$group"} {
					glob = strings.ReplaceAll(glob, v, "*")
				}
				p.shared = add(p.shared, glob)
				break
			}
		}
	}
}

// nameAll gives each pipeline a name of its own.
func (s *search) nameAll(pipelines []*pipeline) {
	taken := map[string]int{}
	for _, p := range pipelines {
		key := cmp.Or(p.called(), valid(s.repository.Name), "app")
		if taken[key]++; taken[key] > 1 {
			key = valid(key + "-" + strings.Repeat("i", taken[key]))
		}
		p.key = key
	}
}

// called is what a pipeline's folder or its only workload is called.
func (p *pipeline) called() string {
	sh := p.shapes[0]
	folder := ""
	for i, segment := range sh.segments[:len(sh.segments)-1] {
		if !strings.Contains(segment, environmentHole) && !strings.HasPrefix(segment, "$") && (!containers[segment] || segment == "clusters" && len(sh.each) > 0) && !region(segment) {
			if folder = valid(segment); len(sh.each) > 0 && i+1 == sh.each[0] {
				break
			}
		}
	}
	if len(sh.each) > 0 {
		return folder
	}
	var labels []string
	for _, s := range p.shapes {
		for _, pl := range s.places {
			for _, m := range pl.members {
				for _, c := range m.carriers {
					labels = add(labels, c.label)
				}
			}
		}
	}
	if generic := folder == "" || folder == "apps" || folder == "deploy" || folder == "k8s" || folder == "kubernetes" || folder == "manifests"; generic && len(labels) == 1 {
		return cmp.Or(valid(labels[0]), folder)
	}
	return folder
}
