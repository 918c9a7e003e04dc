package convert

// The pipeline file of a telefonistka.yaml: an environment for each folder of
// components, a pipeline for folders that have to do with each other.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/guess"
)

func (t *telefonistka) write(g *graph) []byte {
	t.call(g)
	groups := g.groups()
	bodies := make([]string, len(groups))
	keys := names{}
	for i, group := range groups {
		bodies[i] = t.pipeline(g, group, keys)
	}
	t.all = append(t.all, Note{t.flows[0].at.Line, Differs, "a component that a target has not got yet is not copied to it: promobot says that it is missing there, and promotes once its folder is there"})
	slices.SortStableFunc(t.all, func(a, b Note) int { return a.Line - b.Line })

	var b strings.Builder
	head(&b, "Telefonistka", t.name)
	if len(t.labels) > 0 {
		fmt.Fprintf(&b, "labels: %s\n", guess.QuoteList(t.labels))
	}
	b.WriteString("\nenvironments:\n")
	for _, f := range g.folders {
		line := "# " + f.path
		if f.description != "" {
			line += ": " + clean(f.description)
		}
		fmt.Fprintf(&b, "  %s\n", line)
		var settings []string
		if len(f.from) > 0 {
			var from []string
			for _, p := range f.from {
				from = append(from, g.byPath[p].env)
			}
			settings = append(settings, "from: "+guess.QuoteList(from))
		}
		if f.auto {
			settings = append(settings, "mode: auto")
		}
		if g.leadsToAuto(f) || len(f.from) == 0 {
			settings = append(settings, "verify: none")
		}
		fmt.Fprintf(&b, "  %s: {%s}\n", f.env, strings.Join(settings, ", "))
	}
	b.WriteString("\npipelines:\n")
	for _, body := range bodies {
		b.WriteString(body)
	}
	tail(&b, t.name, t.all)
	return []byte(b.String())
}

// call names the environments: their folders, less what all have in common.
func (t *telefonistka) call(g *graph) {
	var targets [][]string
	for _, f := range g.folders {
		if len(f.from) > 0 {
			targets = append(targets, strings.Split(f.path, "/"))
		}
	}
	common := inCommon(targets)
	given := names{}
	for _, f := range g.folders {
		short := strings.Split(f.path, "/")
		if common > 0 && len(short) > common && slices.Equal(short[:common], targets[0][:common]) {
			short = short[common:]
		}
		f.env = given.of(strings.Join(short, "-"))
	}
}

// inCommon is how many of their first parts all have in common, the last never
// among them.
func inCommon(all [][]string) int {
	n := 0
	for len(all) > 0 && n < len(all[0])-1 {
		if slices.ContainsFunc(all, func(s []string) bool { return len(s)-1 <= n || s[n] != all[0][n] }) {
			break
		}
		n++
	}
	return n
}

// leadsToAuto says whether what comes from a folder merges by itself.
func (g *graph) leadsToAuto(f *folder) bool {
	return slices.ContainsFunc(g.folders, func(o *folder) bool { return o.auto && slices.Contains(o.from, f.path) })
}

// groups are folders that have to do with each other, by whatever way.
func (g *graph) groups() [][]*folder {
	seen := map[*folder]bool{}
	var out [][]*folder
	for _, first := range g.folders {
		if seen[first] {
			continue
		}
		reached := map[*folder]bool{}
		var visit func(*folder)
		visit = func(f *folder) {
			if reached[f] {
				return
			}
			reached[f], seen[f] = true, true
			for _, p := range f.from {
				visit(g.byPath[p])
			}
			for _, o := range g.folders {
				if slices.Contains(o.from, f.path) {
					visit(o)
				}
			}
		}
		visit(first)
		var group []*folder
		for _, f := range g.folders {
			if reached[f] {
				group = append(group, f)
			}
		}
		out = append(out, group)
	}
	return out
}

// pipeline writes one group.
func (t *telefonistka) pipeline(g *graph, group []*folder, keys names) string {
	var roots []*folder
	for _, f := range group {
		if len(f.from) == 0 {
			roots = append(roots, f)
		}
	}
	if len(roots) == 0 {
		roots = group[:1] // a circle, which the pipeline file's own rules refuse
	}
	depth := roots[0].depth
	for _, f := range group {
		if f.depth != depth {
			t.note(f.at, Differs, "componentPathExtraDepth differs between flows that have to do with each other; here the greatest counts for all of them, and what lies less deep is not promoted")
			depth = max(depth, f.depth)
		}
	}
	variables := make([]string, 0, 3)
	for i := range depth {
		variables = append(variables, fmt.Sprintf("$part%d", i+1))
	}
	component := strings.Join(append(variables, "$component"), "/")
	each := over(roots)
	if !t.covers(each, group) {
		t.note(roots[0].at, Differs, "components are those of %s; one that is only in another folder is not seen", show(each))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  %s:\n    for_each: %s\n    path:\n", keys.of(firstOf(roots[0].path)), guess.Quote(each+"/"+component))
	for _, f := range group {
		fmt.Fprintf(&b, "      %s: %s\n", f.env, guess.Quote(dollars(f.path)+"/"+component))
	}
	b.WriteString("    promote:\n      - files: \"**\"\n        except: telefonistka.yaml\n")
	if len(group) < len(g.folders) {
		var has []string
		for _, f := range group {
			has = append(has, f.env)
		}
		fmt.Fprintf(&b, "    environments: %s\n", guess.QuoteList(has))
	}
	return b.String()
}

func firstOf(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

func dollars(s string) string { return strings.ReplaceAll(s, "$", "$$") }

func show(s string) string { return strings.ReplaceAll(s, "$$", "$") }

// over is the path of the folders where components are looked for; segments in
// which they differ are any.
func over(roots []*folder) string {
	out := strings.Split(dollars(roots[0].path), "/")
	for _, r := range roots[1:] {
		other := strings.Split(dollars(r.path), "/")
		if len(other) != len(out) {
			continue
		}
		for i := range out {
			if out[i] != other[i] {
				out[i] = "*"
			}
		}
	}
	return strings.Join(out, "/")
}

// covers says whether a folder pattern means all folders of a group.
func (t *telefonistka) covers(each string, group []*folder) bool {
	pattern := strings.Split(each, "/")
	return !slices.ContainsFunc(group, func(f *folder) bool {
		have := strings.Split(dollars(f.path), "/")
		if len(have) != len(pattern) {
			return true
		}
		for i := range have {
			if pattern[i] != "*" && pattern[i] != have[i] {
				return true
			}
		}
		return false
	})
}
