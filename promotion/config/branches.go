package config

// Branches: an environment may stand on a branch of its own, and its content
// may come from another that a hydrator writes.
//
// Rules: a branch's name comes from the file alone ($env is its only variable),
// so that it is known before any branch is listed; a branch that does not exist
// has no files; branches that share no history are nothing special, since files
// are set and nothing is merged.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Tree is the files of a repository by branch, as lists of paths. Lists sorted
// by bytes, as git lists them, save a sort.
type Tree struct {
	Paths    []string            // of the default branch
	Default  string              // the default branch's name; "" where it is not known
	Branches map[string][]string // of other branches; one that is missing does not exist
}

// At is a file on a branch; "" is the default branch.
type At struct{ Branch, Path string }

// Branches are the branches that the file names, sorted: besides the default
// branch, [File.Resolve] needs their files. The default branch may be among
// them, since the file does not know its name.
func (f *File) Branches() []string {
	var out []string
	for _, l := range f.layouts {
		for _, e := range l.environments {
			out = append(out, l.branch(e), l.readBranch(e))
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return slices.DeleteFunc(out, func(b string) bool { return b == "" })
}

// readSpec is `read`.
type readSpec struct {
	position
	branch place
}

// revisionSpec is `revision`.
type revisionSpec struct {
	position
	in    said[pathTemplate]
	value said[pathTemplate]
}

// branchShape is one branch, or one for each environment.
var branchShape = perEnvironment("a branch, as env/$env", "a branch", templated("a branch, as env/$env", checkBranchText))

// checkBranchText checks what needs no variable to be known.
func checkBranchText(s string) *refusal {
	if rest, ok := strings.CutPrefix(s, "refs/"); ok {
		return refuse("write the branch's name alone, as "+strings.TrimPrefix(rest, "heads/"), "%s is a ref", clip(s))
	}
	return checkBranchName(strings.ReplaceAll(s, "$env", "env"))
}

// checkBranchName refuses what is no branch name (git-check-ref-format), and the
// branches that promobot makes and deletes itself.
func checkBranchName(name string) *refusal {
	const remedy = "write a branch's name, as main or env/$env"
	switch {
	case strings.HasPrefix(name, "promobot/"):
		return refuse("name another branch", "%s is one of promobot's own branches", clip(name))
	case len(name) > 200:
		return refuse("shorten it", "the branch's name is longer than 200 characters")
	case name == "" || name == "@" || name == "HEAD" || strings.HasPrefix(name, "-") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") || strings.Contains(name, "@{"),
		strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r) }):
		return refuse(remedy, "%s is no branch name", clip(name))
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || strings.HasPrefix(segment, ".") || strings.HasSuffix(segment, ".lock") {
			return refuse(remedy, "%s is no branch name", clip(name))
		}
	}
	return nil
}

// branchOf is where the environment's branch is said.
func (l *layout) branchOf(e *environmentLayout) (said[pathTemplate], string) {
	return l.placed(e, e.own.branch, l.spec.branch, "branch")
}

// readOf is where the branch that the environment is read from is said.
func (l *layout) readOf(e *environmentLayout) (said[pathTemplate], string) {
	return l.placed(e, e.own.read.branch, l.spec.read.branch, "read.branch")
}

// placed is what the pipeline's own for the environment says, else the pipeline.
func (l *layout) placed(e *environmentLayout, own, all place, key string) (said[pathTemplate], string) {
	at := "pipelines." + l.group.value
	for _, c := range []struct {
		place
		what string
	}{{own, at + ".environments." + e.name.value + "." + key}, {all, at + "." + key}} {
		if c.said() {
			if t, p, ok := c.in(e.name.value); ok {
				return said[pathTemplate]{position: p, value: t}, c.what
			}
		}
	}
	return said[pathTemplate]{}, ""
}

// branch is the branch an environment stands on; "" is the default branch.
func (l *layout) branch(e *environmentLayout) string {
	t, _ := l.branchOf(e)
	return fillBranch(t, e)
}

// readBranch is the branch its content comes from; "" for none.
func (l *layout) readBranch(e *environmentLayout) string {
	t, _ := l.readOf(e)
	return fillBranch(t, e)
}

func fillBranch(t said[pathTemplate], e *environmentLayout) string {
	if !t.said() {
		return ""
	}
	return t.value.fill(binding{{envVariable, e.name.value}}, plain)
}

// apart says whether every environment stands on a branch of its own.
func (l *layout) apart() bool {
	seen := map[string]bool{}
	for _, e := range l.environments {
		b := l.branch(e)
		if seen[b] {
			return false
		}
		seen[b] = true
	}
	return true
}

// checkBranches refuses branches that cannot be, and reading that says nothing
// or too little.
func (l *layout) checkBranches(d *decoder) {
	// Names of for_each are no help here, so they are not named as a remedy.
	known := &layout{group: l.group, known: []string{envVariable}}
	known.spec.forEach.position = l.group.position
	for _, e := range l.environments {
		name := e.name.value
		branch, branchAt := l.branchOf(e)
		read, readAt := l.readOf(e)
		sound := true
		for _, t := range []struct {
			template said[pathTemplate]
			at       string
		}{{branch, branchAt}, {read, readAt}} {
			if !t.template.said() {
				continue
			}
			before := len(d.problems) + d.more
			known.checkVariables(d, t.at, t.template)
			if bad := checkBranchName(fillBranch(t.template, e)); bad != nil && len(d.problems)+d.more == before && !d.reported(t.template.position) {
				d.add(t.template.line, t.template.column, t.at+": "+bad.message, bad.remedy)
			}
			sound = sound && !d.reported(t.template.position)
		}
		if !read.said() || !sound {
			continue
		}
		switch {
		case e.managed().value:
			d.once(read.position, fmt.Sprintf("%s: %s is managed elsewhere: nothing is read for it", readAt, name), "give read.branch as a mapping without "+name)
		case e.source().said():
			d.once(read.position, fmt.Sprintf("%s: %s has a source, which brings versions, and a branch to read brings content", readAt, name), "remove the source, or give read.branch as a mapping without "+name)
		case l.readBranch(e) == l.branch(e):
			d.once(read.position, fmt.Sprintf("%s: %s stands on %s itself", readAt, name, l.branch(e)), "remove it, or name the branch that its content is written to")
		case len(e.from) > 0 && !l.spec.revision.said():
			d.once(read.position, fmt.Sprintf("%s: %s comes from %s and is read from %s, and nothing says which of its commits is which revision", readAt, name, strings.Join(e.from, ", "), l.readBranch(e)),
				"add revision, as revision: {in: hydrator.metadata, value: drySha}, to pipelines."+l.group.value)
		}
	}
	l.checkRevision(d)
}

// checkRevision checks where a commit's revision is written.
func (l *layout) checkRevision(d *decoder) {
	r := &l.spec.revision
	if !r.said() {
		return
	}
	at := "pipelines." + l.group.value + ".revision"
	l.checkVariables(d, at+".in", r.in)
	l.checkVariables(d, at+".value", r.value)
	if strings.ContainsAny(r.in.value.text, "*?") {
		d.add(r.in.line, r.in.column, fmt.Sprintf("%s.in: %s is a glob; one file is wanted", at, clip(r.in.value.text)), "name the file, as hydrator.metadata")
	}
	if strings.Contains(r.value.value.text, "*") {
		d.add(r.value.line, r.value.column, fmt.Sprintf("%s.value: %s names several values", at, clip(r.value.value.text)), "name one value, as drySha")
	}
	for _, e := range l.environments {
		if s := e.source(); s.said() {
			d.once(r.position, fmt.Sprintf("%s: %s has a source (line %d), whose version is the revision", at, e.name.value, s.line), "remove revision, or the source")
		}
	}
}

// revision is where an environment's revision is written, filled.
func (l *layout) revision(b binding) RevisionAt {
	r := &l.spec.revision
	if !r.said() {
		return RevisionAt{}
	}
	return RevisionAt{In: r.in.value.fill(b, plain), Value: fillValuePath(r.value.value, b)}
}

// indexes answer questions about the files of each branch.
type indexes struct {
	tree Tree
	by   map[string]*index
}

func newIndexes(t Tree) *indexes { return &indexes{tree: t, by: map[string]*index{}} }

// on is the index of a branch; "" is the default branch.
func (x *indexes) on(branch string) *index {
	if branch == x.tree.Default {
		branch = ""
	}
	i, ok := x.by[branch]
	if !ok {
		paths := x.tree.Paths
		if branch != "" {
			paths = x.tree.Branches[branch]
		}
		i = newIndex(paths)
		x.by[branch] = i
	}
	return i
}

// there says whether a branch exists.
func (x *indexes) there(branch string) bool {
	_, ok := x.tree.Branches[branch]
	return ok || branch == "" || branch == x.tree.Default
}

// standing is the branch as [Environment.Branch] has it: "" for the default one.
func (x *indexes) standing(branch string) string {
	if branch == x.tree.Default {
		return ""
	}
	return branch
}

// expand gives the bindings of for_each over all branches that the layout's
// environments stand on or are read from, sorted, each once.
func (l *layout) expand(x *indexes) []binding {
	var out []binding
	done := map[*index]bool{}
	seen := map[string]bool{}
	for _, e := range l.environments {
		on := []string{l.branch(e)}
		if read := l.readBranch(e); read != "" {
			on = append(on, read)
		}
		for _, branch := range on {
			i := x.on(branch)
			if done[i] {
				continue
			}
			done[i] = true
			for _, b := range l.each.expand(i) {
				if k := b.key(); !seen[k] {
					seen[k] = true
					out = append(out, b)
				}
			}
		}
	}
	if len(done) > 1 {
		slices.SortFunc(out, func(a, b binding) int { return cmp.Compare(a.key(), b.key()) })
	}
	return out
}

// placing are the settings of where an environment stands and what brings it
// anything, as far as they were said.
func placing(l *layout, e *environmentLayout, env *Environment) []Setting {
	var out []Setting
	add := func(key, value string, at position, what string) {
		if at.said() {
			out = append(out, Setting{Key: key, Value: value, From: Source{at.line, what}})
		}
	}
	branch, branchAt := l.branchOf(e)
	add("branch", fillBranch(branch, e), branch.position, branchAt)
	read, readAt := l.readOf(e)
	add("read.branch", env.Read, read.position, readAt)
	add("revision", env.Revision.Value+" in "+env.Revision.In, l.spec.revision.position, "pipelines."+l.group.value+".revision")
	if env.Source != nil {
		add("source", env.Source.describe(), e.source().position, e.sourceAt(l.group.value))
	}
	what := "environments." + e.name.value + ".managed"
	if e.own.managed.said() {
		what = "pipelines." + l.group.value + "." + what
	}
	add("managed", "elsewhere", e.managed().position, what)
	return out
}
