package config

// Resolve expands the pipelines over the repository's files.
//
// Rules: a pipeline of a for_each exists as long as any of its environments has
// a file, so that a deleted source is seen and not forgotten; absence never
// makes anything jump over an environment that is not optional.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/content"
)

// maxPlaces bounds pipelines times environments of one repository.
const maxPlaces = 50_000

// Resolve gives the pipelines of a repository with these files, sorted as the
// file has them and then by key. The tree needs the files of [File.Branches] and
// of the default branch. The problems are those that only the repository's files
// show; the environments they concern are Blocked, all others can go on. Slices
// of the environments are shared and must not be changed.
func (f *File) Resolve(t Tree) ([]Pipeline, Problems) {
	d := &decoder{file: f.name}
	x := newIndexes(t)
	r := &resolver{file: f, d: d, x: x, memo: map[memoKey]*settled{}}
	var out []Pipeline
	places := 0
	for _, l := range f.layouts {
		bindings := []binding{nil}
		if l.spec.forEach.said() {
			bindings = l.expand(x)
		}
		if places += len(bindings) * len(l.environments); places > maxPlaces {
			p := l.spec.forEach.position
			d.add(p.line, p.column, fmt.Sprintf("with pipelines.%s there are more than %d environments over all pipelines", l.group.value, maxPlaces), "let for_each match fewer folders")
			break
		}
		for _, b := range bindings {
			if p, found := r.pipeline(l, b); found || !l.spec.forEach.said() {
				out = append(out, p)
			}
		}
	}
	r.collisions(out)
	return out, d.finish()
}

type resolver struct {
	file *File
	d    *decoder
	x    *indexes
	memo map[memoKey]*settled
}

// memoKey is an environment of a layout with the overrides that apply to it.
type memoKey struct {
	e         *environmentLayout
	overrides string
}

func (r *resolver) settled(l *layout, e *environmentLayout, title string) *settled {
	overrides := r.file.matching(l.group.value, e.name.value, &title)
	key := memoKey{e: e, overrides: fmt.Sprint(overrides)}
	s, ok := r.memo[key]
	if !ok {
		s = r.file.settle(r.d, l, e, overrides)
		r.memo[key] = s
	}
	return s
}

// pipeline makes one pipeline; found says whether an environment is present.
func (r *resolver) pipeline(l *layout, b binding) (p Pipeline, found bool) {
	p = Pipeline{Key: l.group.value, Group: l.group.value, Title: l.group.value, Line: l.group.line}
	if b != nil {
		p.Title = b.key()
		p.Key += "/" + p.Title
	}
	places := make([]content.Place, len(l.environments))
	present := make([]bool, len(l.environments))
	skipped := map[string]bool{}
	for i, e := range l.environments {
		places[i], present[i] = r.place(l, e, b)
		found = found || present[i]
		if !present[i] && e.optional().value {
			skipped[e.name.value] = true
		}
	}
	here := func(name string) bool { return !skipped[name] }
	for i, e := range l.environments {
		if skipped[e.name.value] {
			continue
		}
		env := r.settled(l, e, p.Title).Environment
		env.Place, env.Present = places[i], present[i]
		env.Place.Never = env.Never
		env.Branch, env.Read = r.x.standing(l.branch(e)), l.readBranch(e)
		env.Revision = l.revision(b.in(e.name.value))
		if s := e.source(); s.said() {
			env.Source = s.fill(b.in(e.name.value))
		}
		if env.Verify != nil {
			env.Verify = e.verify().named(*env.Verify, b.in(e.name.value))
		}
		env.From, env.After = e.from, e.after
		if len(skipped) > 0 {
			env.From = through(e.from, here, func(n string) []string { return l.get(n).from })
			env.After = through(e.after, here, func(n string) []string { return l.get(n).after })
		}
		env.Blocked = r.blocked(e, &env)
		env.Settings = r.settings(l, e, &env, b.in(e.name.value))
		p.Environments = append(p.Environments, env)
	}
	return p, found
}

// blocked says why nothing can be promoted to an environment, or "".
func (r *resolver) blocked(e *environmentLayout, env *Environment) string {
	where := env.Place.Dir
	if where == "" {
		where = "the repository"
	}
	if env.Branch != "" {
		where += " on branch " + env.Branch
		if !r.x.there(env.Branch) {
			where += ", which does not exist"
		}
	}
	switch {
	case env.Read != "" && r.x.standing(env.Read) == env.Branch:
		return fmt.Sprintf("%s is read from %s, the branch it stands on: name the branch that its content is written to, or remove read", env.Name, env.Read)
	case !env.Present && len(e.from) == 0:
		return fmt.Sprintf("%s has nothing of this pipeline in %s: nothing can come from it until it is there", env.Name, where)
	case !env.Present:
		return fmt.Sprintf("%s has nothing of this pipeline in %s: create it, or say optional: true for %s (line %d) if it need not be there", env.Name, where, env.Name, e.name.line)
	case len(env.From) == 0 && len(e.from) > 0:
		return fmt.Sprintf("%s comes from %s, which is optional and not there, and so has nothing to come from", env.Name, strings.Join(e.from, ", "))
	}
	return ""
}

// place fills the templates for one environment and looks whether it is there:
// it is when it has a file that some item names, or a folder of its own with any
// file where whole files are promoted. It has them on its branch, or on the
// branch it is read from, since its own may be empty or not made yet; where
// another tool writes, it need not have any.
func (r *resolver) place(l *layout, e *environmentLayout, b binding) (content.Place, bool) {
	b = b.in(e.name.value)
	t, _, ok := l.spec.path.in(e.name.value)
	if !ok && !e.managed().value {
		return content.Place{}, false
	}
	dir := t.fill(b, plain)
	if dir == "." {
		dir = ""
	}
	p := content.Place{Dir: dir, Items: make([]content.Item, 0, len(e.items))}
	on := []*index{r.x.on(l.branch(e))}
	if read := l.readBranch(e); read != "" {
		on = append(on, r.x.on(read))
	}
	present := e.managed().value
	for i := range e.items {
		item, ok := fillItem(&e.items[i], e.name.value, b)
		for _, x := range on {
			present = present || ok && holds(l, x, dir, &item)
		}
		p.Items = append(p.Items, item)
	}
	return p, present
}

// fillItem fills one item; false when its in names no file for the environment.
func fillItem(i *itemLayout, env string, b binding) (content.Item, bool) {
	s := i.spec
	item := content.Item{Create: s.ifAbsent.value == "create"}
	fill := func(all said[[]said[pathTemplate]], one func(pathTemplate) string) []string {
		if len(all.value) == 0 {
			return nil
		}
		out := make([]string, len(all.value))
		for i, t := range all.value {
			out[i] = one(t.value)
		}
		return out
	}
	glob := func(t pathTemplate) string { return t.fill(b, escapeGlob) }
	value := func(t pathTemplate) string { return fillValuePath(t, b) }
	switch {
	case s.images.said():
		item.Kind, item.Patterns = content.Images, fill(s.images, glob)
	case s.values.said():
		item.Kind, item.Patterns = content.Values, fill(s.values, value)
	case s.files.said():
		item.Kind, item.Patterns = content.Files, fill(s.files, glob)
		item.Except, item.Keep = fill(s.except, glob), fill(s.keep, value)
	default:
		item.Kind = content.Match
		item.Patterns = []string{i.match.fill(b, quoteRegexp)}
	}
	if s.in.said() {
		t, _, ok := s.in.in(env)
		if !ok {
			return item, false
		}
		item.In = t.fill(b, plain)
	}
	return item, true
}

// kustomizations are the names kustomize knows, in its order.
var kustomizations = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// holds says whether an item finds a file in a folder.
func holds(l *layout, x *index, dir string, item *content.Item) bool {
	switch item.Kind {
	case content.Images:
		return slices.ContainsFunc(kustomizations, func(k string) bool { return x.file(inDir(dir, k)) })
	case content.Values, content.Match:
		return x.file(inDir(dir, item.In))
	}
	if l.spec.path.varies() || l.apart() {
		return x.folder(dir)
	}
	return len(selected(x, dir, item, true)) > 0
}

// selected are the files below dir that a files item takes, relative to dir.
func selected(x *index, dir string, item *content.Item, one bool) []string {
	var out []string
	skip := len(dir)
	if dir != "" {
		skip++
	}
	matches := func(globs []string, path string) bool {
		return slices.ContainsFunc(globs, func(g string) bool { return matchGlob(g, path) })
	}
	for _, path := range x.below(dir) {
		if rel := path[skip:]; matches(item.Patterns, rel) && !matches(item.Except, rel) {
			if out = append(out, rel); one {
				break
			}
		}
	}
	return out
}

func inDir(dir, file string) string {
	if dir == "" {
		return file
	}
	return dir + "/" + file
}

// settings are the settled ones with those of this pipeline's place in front.
func (r *resolver) settings(l *layout, e *environmentLayout, env *Environment, b binding) []Setting {
	at := "pipelines." + l.group.value
	own := at + ".environments." + e.name.value
	out := make([]Setting, 0, len(env.Settings)+3+len(env.Place.Items))
	_, stand, _ := l.spec.path.in(e.name.value)
	dir := env.Place.Dir
	if dir == "" {
		dir = "."
	}
	out = append(out, Setting{Key: "path", Value: dir, From: Source{stand.line, at + ".path"}})
	out = append(out, placing(l, e, env)...)
	for i, item := range env.Place.Items {
		out = append(out, Setting{Key: fmt.Sprintf("promote[%d]", i), Value: describeItem(item), From: Source{e.items[i].spec.line, fmt.Sprintf("%s.promote[%d]", at, i)}})
	}
	for _, o := range []struct {
		key       string
		names     []string
		own, file list
	}{{key: "from", names: env.From, own: e.own.from, file: e.file.from}, {key: "after", names: env.After, own: e.own.after, file: e.file.after}} {
		source := Source{What: "default"}
		switch {
		case o.own.said():
			source = Source{o.own.line, own + "." + o.key}
		case o.file.said():
			source = Source{o.file.line, "environments." + e.name.value + "." + o.key}
		}
		var value strings.Builder
		value.WriteString(words(o.names))
		for _, n := range prefer(o.own, o.file).value {
			if !slices.Contains(o.names, n.value) {
				value.WriteString(" (" + n.value + " is not here)")
			}
		}
		out = append(out, Setting{Key: o.key, Value: value.String(), From: source})
	}
	settled := len(out)
	out = append(out, env.Settings...)
	if env.Verify == nil {
		return out
	}
	for _, k := range e.verify().kinds() {
		i := settled + slices.IndexFunc(env.Settings, func(s Setting) bool { return s.Key == "verify."+k.name.value })
		out[i].Template, out[i].Value = out[i].Value, k.value.describe(b)
	}
	return out
}

// describeItem is an item in one line.
func describeItem(i content.Item) string {
	s := string(i.Kind) + " " + strings.Join(i.Patterns, ", ")
	if i.In != "" {
		s += " in " + i.In
	}
	if len(i.Except) > 0 {
		s += " except " + strings.Join(i.Except, ", ")
	}
	if len(i.Keep) > 0 {
		s += " keep " + strings.Join(i.Keep, ", ")
	}
	if i.Create {
		s += " (created if absent)"
	}
	return s
}
