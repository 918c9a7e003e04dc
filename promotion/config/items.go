package config

// What is refused in a pipeline's layout: its for_each, its path and the items
// of its promote.

import (
	"fmt"
	"slices"
	"strings"
)

// checkLayout refuses templates whose variables do not fit, items that do not,
// and places that would be the same for several environments or pipelines.
func (l *layout) checkLayout(d *decoder, environments []string) {
	at := "pipelines." + l.group.value
	spec := &l.spec
	if spec.forEach.said() {
		each, bad := compileEach(spec.forEach.value, environments)
		if bad != nil {
			d.add(spec.forEach.line, spec.forEach.column, at+".for_each: "+bad.message, bad.remedy)
			return
		}
		l.each = each
	}
	l.known = append([]string{envVariable}, l.each.variables...)
	before := len(d.problems) + d.more
	l.checkPlace(d, at+".path", spec.path)
	l.checkBranches(d)
	if len(spec.promote.value) == 0 {
		d.add(spec.promote.line, spec.promote.column, at+".promote is empty", "say what moves: images, values, files or match")
		return
	}
	kinds := make([]string, len(spec.promote.value))
	for i := range spec.promote.value {
		kinds[i] = l.checkItem(d, fmt.Sprintf("%s.promote[%d]", at, i), &spec.promote.value[i])
	}
	if len(d.problems)+d.more > before {
		return // a misspelt variable would be told a second time
	}
	for i := range spec.promote.value {
		l.checkDistinct(d, fmt.Sprintf("%s.promote[%d]", at, i), kinds[i], &spec.promote.value[i])
	}
	for _, e := range l.environments {
		e.items = make([]itemLayout, len(spec.promote.value))
		for i := range spec.promote.value {
			item := &spec.promote.value[i]
			e.items[i].spec = item
			e.items[i].match = settleMatch(item.match.value.text, l.known)
		}
	}
}

// checkPlace checks the templates of a path or an in.
func (l *layout) checkPlace(d *decoder, at string, p place) {
	for _, t := range p.templates() {
		l.checkVariables(d, at, t)
		if strings.ContainsAny(t.value.text, "*?") {
			d.add(t.line, t.column, fmt.Sprintf("%s: %s is a glob; one path is wanted", at, clip(t.value.text)), "name the folder with variables, as services/$name/overlays/$env")
		}
	}
	for _, e := range l.environments {
		if _, _, ok := p.in(e.name.value); !ok && !e.optional().value && !e.managed().value {
			d.add(p.line, p.column, fmt.Sprintf("%s names no place for environment %s", at, e.name.value),
				"add it, or say optional: true where the environment is named, or list the pipeline's environments without it")
		}
	}
}

// checkVariables reports variables that for_each does not give.
func (l *layout) checkVariables(d *decoder, at string, t said[pathTemplate]) {
	for _, v := range t.value.variables() {
		if slices.Contains(l.known, v) {
			continue
		}
		remedy := "known here: $" + strings.Join(l.known, ", $")
		if near := nearest(v, l.known); near != "" {
			remedy = "did you mean $" + near + "? " + remedy
		} else if !l.spec.forEach.said() {
			remedy += "; others come from for_each"
		}
		d.add(t.line, t.column, fmt.Sprintf("%s: nothing says what $%s stands for", at, v), remedy)
	}
}

// checkItem checks that an item's keys belong together and that it
// names one kind of what moves, which it returns.
func (l *layout) checkItem(d *decoder, at string, item *itemSpec) (kind string) {
	kinds := map[string]bool{"images": item.images.said(), "values": item.values.said(), "files": item.files.said(), "match": item.match.said()}
	var has []string
	for _, k := range []string{"images", "values", "files", "match"} {
		if kinds[k] {
			has = append(has, k)
		}
	}
	if len(has) != 1 {
		what := "names none of images, values, files, match"
		if len(has) > 1 {
			what = "names " + strings.Join(has, " and ")
		}
		d.add(item.line, item.column, at+" "+what, "let each item of promote name exactly one of them")
		return ""
	}
	kind = has[0]
	l.checkBelonging(d, at, kind, item)
	all := item.values.value
	switch kind {
	case "images":
		all = item.images.value
	case "files":
		all = item.files.value
	case "match":
		all = nil // no variable in it is unknown, see settleMatch
	}
	if kind != "match" && len(all) == 0 {
		d.add(item.line, item.column, fmt.Sprintf("%s.%s is empty", at, kind), "name at least one")
	}
	for _, t := range slices.Concat(all, item.except.value, item.keep.value) {
		l.checkVariables(d, at, t)
	}
	if item.in.said() {
		l.checkPlace(d, at+".in", item.in)
	}
	return kind
}

// checkBelonging refuses keys that mean nothing beside the item's kind.
func (l *layout) checkBelonging(d *decoder, at, kind string, item *itemSpec) {
	for _, k := range []struct {
		key   string
		stand position
		kinds []string
	}{
		{"in", item.in.position, []string{"values", "match"}},
		{"except", item.except.position, []string{"files"}},
		{"keep", item.keep.position, []string{"files"}},
		{"if_absent", item.ifAbsent.position, []string{"images", "values"}},
	} {
		if k.stand.said() && !slices.Contains(k.kinds, kind) {
			d.add(k.stand.line, k.stand.column, fmt.Sprintf("%s.%s does not go with %s", at, k.key, kind), fmt.Sprintf("remove it; %s goes with %s", k.key, strings.Join(k.kinds, " and ")))
		}
	}
	if (kind == "values" || kind == "match") && !item.in.said() {
		d.add(item.line, item.column, at+".in is missing", "add in: the file below path in which to look")
	}
}

// checkDistinct refuses an item that would be the same bytes in two
// environments, or in two pipelines of one for_each.
func (l *layout) checkDistinct(d *decoder, at, kind string, item *itemSpec) {
	fileHas := func(v string) bool {
		if v == envVariable && (l.spec.path.varies() || l.apart()) {
			return true
		}
		if !slices.ContainsFunc(l.spec.path.templates(), func(t said[pathTemplate]) bool { return !t.value.has(v) }) {
			return true
		}
		if item.in.said() {
			return v == envVariable && item.in.varies() ||
				!slices.ContainsFunc(item.in.templates(), func(t said[pathTemplate]) bool { return !t.value.has(v) })
		}
		return false
	}
	partHas := func(v string) bool {
		parts := slices.Concat(item.images.value, item.values.value, item.files.value)
		if kind == "match" {
			return settleMatch(item.match.value.text, l.known).has(v)
		}
		return !slices.ContainsFunc(parts, func(t said[pathTemplate]) bool { return !t.value.has(v) })
	}
	written := 0
	for _, e := range l.environments {
		if !e.managed().value {
			written++
		}
	}
	for _, v := range l.known {
		if fileHas(v) || partHas(v) || v == envVariable && written < 2 {
			continue
		}
		if v == envVariable {
			d.add(item.line, item.column, at+" is the same place in every environment", "use $env in path, in branch or in the item, or give path as a mapping from environment to path")
		} else {
			d.add(item.line, item.column, fmt.Sprintf("%s is the same place for every $%s of for_each", at, v), fmt.Sprintf("use $%s in path or in the item", v))
		}
	}
}
