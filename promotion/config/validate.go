package config

// What is refused although each key is well formed: names that lead nowhere,
// circles, modes that would merge what nothing verified, settings that would
// silently not count.

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// What one file may have at most; for_each multiplies its pipelines.
const (
	maxEnvironments = 500
	maxPipelines    = 500
	maxProduct      = 10_000 // pipelines times environments, before for_each
	maxUpstreams    = 20     // names in one from or after
	maxOverrides    = 200
)

// validate checks the document. When reading it found problems already, only
// the checks are made that a value left out by reading cannot mislead.
func (f *File) validate(d *decoder, complete bool) {
	doc := &f.doc
	if !f.withinBounds(d) {
		return
	}
	names := f.EnvironmentNames()
	if len(names) == 0 {
		return // they are missing, or one of them is wrong: no name can be told to dangle
	}
	f.danglingNames(d, names)
	if !complete {
		return
	}
	f.checkSourceKeys(d)
	f.checkWindows(d)
	f.checkCommands(d)
	f.circle(d, newLayout(doc, said[string]{}, pipelineSpec{}), "environments")
	for _, p := range doc.pipelines.value {
		l := newLayout(doc, p.name, p.value)
		f.layouts = append(f.layouts, l)
		f.circle(d, l, "environments, with what pipelines."+p.name.value+" says of them,")
		l.checkModes(d)
		l.checkLayout(d, names)
		l.checkSources(d)
		l.checkDelivery(d, f)
		l.checkVerify(d)
		l.checkPolicy(d)
	}
	for i := range doc.overrides.value {
		f.checkOverride(d, i)
	}
	if len(d.problems) == 0 {
		f.checkTogether(d)
		f.checkTightening(d)
		f.checkNever(d)
	}
}

// withinBounds refuses files that would take long to check; none is written by
// a person.
func (f *File) withinBounds(d *decoder) bool {
	doc := &f.doc
	environments, pipelines := len(doc.environments.value), len(doc.pipelines.value)
	for _, b := range []struct {
		at      position
		what    string
		n, most int
	}{
		{doc.environments.position, "environments", environments, maxEnvironments},
		{doc.pipelines.position, "pipelines", pipelines, maxPipelines},
		{doc.pipelines.position, "pipelines times environments", pipelines * environments, maxProduct},
		{doc.overrides.position, "overrides", len(doc.overrides.value), maxOverrides},
	} {
		if b.n > b.most {
			d.add(b.at.line, b.at.column, fmt.Sprintf("%d %s are too many; at most %d", b.n, b.what, b.most), "one pipeline with for_each describes many services")
			return false
		}
	}
	return true
}

// danglingNames reports environments that are named and do not exist.
func (f *File) danglingNames(d *decoder, names []string) {
	check := func(path string, l list) {
		for _, n := range l.value {
			if !slices.Contains(names, n.value) {
				d.dangling(path, n, "environment", names)
			}
		}
	}
	settings := func(path string, all []named[environmentSpec]) {
		for _, e := range all {
			at := path + e.name.value
			check(at+".from", e.value.from)
			check(at+".after", e.value.after)
			for _, l := range []list{e.value.from, e.value.after} {
				if len(l.value) > maxUpstreams {
					d.add(l.line, l.column, fmt.Sprintf("%s names %d environments; at most %d", at, len(l.value), maxUpstreams), "put an environment between")
				}
				for i, n := range l.value {
					if n.value == e.name.value {
						d.add(n.line, n.column, at+" comes from or after itself", "name another environment")
					}
					if slices.Contains(values(l.value[:i]), n.value) {
						d.add(n.line, n.column, fmt.Sprintf("%s names %s twice", at, n.value), "name it once")
					}
				}
			}
		}
	}
	settings("environments.", f.doc.environments.value)
	for _, p := range f.doc.pipelines.value {
		at := "pipelines." + p.name.value
		check(at+".environments", p.value.only)
		for _, e := range p.value.own.value {
			if !slices.Contains(names, e.name.value) {
				d.dangling(at+".environments", e.name, "environment", names)
			}
		}
		settings(at+".environments.", p.value.own.value)
		places := []named[place]{
			{value: p.value.path, name: said[string]{value: "path"}},
			{value: p.value.branch, name: said[string]{value: "branch"}},
			{value: p.value.read.branch, name: said[string]{value: "read.branch"}},
		}
		for _, e := range p.value.own.value {
			prefix := "environments." + e.name.value + "."
			places = append(places, named[place]{value: e.value.branch, name: said[string]{value: prefix + "branch"}}, named[place]{value: e.value.read.branch, name: said[string]{value: prefix + "read.branch"}})
		}
		for i, item := range p.value.promote.value {
			places = append(places, named[place]{value: item.in, name: said[string]{value: fmt.Sprintf("promote[%d].in", i)}})
		}
		for _, pl := range places {
			for _, e := range pl.value.by {
				if !slices.Contains(names, e.name.value) {
					d.dangling(at+"."+pl.name.value, e.name, "environment", names)
				}
			}
		}
	}
}

// dangling reports a name that nothing has.
func (d *decoder) dangling(path string, n said[string], what string, known []string) {
	remedy := "known: " + strings.Join(known, ", ")
	if near := nearest(n.value, known); near != "" {
		remedy = "did you mean " + near + "? " + remedy
	}
	d.add(n.line, n.column, fmt.Sprintf("%s names %s, and there is no such %s", path, clip(n.value), what), remedy)
}

// circle sorts a layout and reports a circle of from and after where it begins.
func (f *File) circle(d *decoder, l *layout, what string) {
	names := l.sortTopologically()
	if names == nil {
		return
	}
	// The circle was found walking upstream; people read downstream.
	slices.Reverse(names)
	e := l.get(names[0])
	at := prefer(e.own.from, e.file.from).position
	if !at.said() {
		at = prefer(e.own.after, e.file.after).position
	}
	if slices.ContainsFunc(d.problems, func(p Problem) bool { return p.Line == at.line && p.Column == at.column }) {
		return // the file's own circle comes back in every pipeline
	}
	d.add(at.line, at.column, fmt.Sprintf("%s go in a circle: %s", what, way(names)), "remove one from or after of the circle")
}

// checkModes refuses automatic merging of what nothing said to be verified, and
// a mode that would not count.
func (l *layout) checkModes(d *decoder) {
	known := map[string]string{}
	for _, e := range l.environments {
		mode := e.mode()
		name := e.name.value
		if mode.value == Auto {
			if up := l.unverifiedAmong(e.from, known); up != "" {
				d.add(mode.line, mode.column, fmt.Sprintf("%s has mode auto, and %s upstream of it has no verify: what lands in %s would merge into %s by itself, verified by nothing", name, up, up, name),
					fmt.Sprintf("say there what must hold, as verify: {checks: ci}, or, if landing in %s is enough, verify: none; else use mode: propose in %s", up, name))
			}
		}
		if own, file := e.own.mode, e.file.mode; own.said() && file.said() && own.value > file.value {
			d.add(own.line, own.column, fmt.Sprintf("pipelines.%s.environments.%s.mode is %s, above the environment's own %s on line %d; the lowest counts", l.group.value, name, own.value, file.value, file.line),
				fmt.Sprintf("raise environments.%s.mode and lower it where it is not meant, or remove this", name))
		}
	}
}

// checkOverride checks what an override says by itself.
func (f *File) checkOverride(d *decoder, i int) {
	o := f.doc.overrides.value[i]
	at := fmt.Sprintf("overrides[%d]", i)
	if !o.name.said() && !o.pipelines.said() && !o.environments.said() {
		d.add(o.line, o.column, at+" selects nothing", "add name, pipelines or environments; what counts everywhere belongs to the file's own keys")
	}
	if !slices.ContainsFunc([]position{
		o.mode.position, o.allow.position, o.limits.perEnvironment.position, o.deliver.position, o.batch.position, o.approval.position,
		o.window.position, o.soak.position, o.labels.position, o.assignees.position, o.reviewers.position,
	}, position.said) {
		d.add(o.line, o.column, at+" changes nothing", "add mode, allow, limits, deliver, batch, approval, window, soak, labels, assignees or reviewers")
	}
	var groups []string
	for _, p := range f.doc.pipelines.value {
		groups = append(groups, p.name.value)
	}
	known := map[string][]string{"pipelines": groups, "environments": f.EnvironmentNames()}
	for key, l := range map[string]list{"name": o.name, "pipelines": o.pipelines, "environments": o.environments} {
		for _, s := range l.value {
			switch {
			case !doublestar.ValidatePattern(s.value):
				d.add(s.line, s.column, fmt.Sprintf("%s.%s: %s is no glob", at, key, clip(s.value)), "close its brackets")
			case key != "name" && !slices.ContainsFunc(known[key], func(n string) bool { return matchGlob(s.value, n) }):
				// A name is different: services come and go with their folders.
				d.dangling(at+"."+key, s, strings.TrimSuffix(key, "s"), known[key])
			}
		}
	}
}

// checkTightening applies the overrides that need no name to be matched.
func (f *File) checkTightening(d *decoder) {
	if len(f.doc.overrides.value) == 0 {
		return
	}
	for _, l := range f.layouts {
		for _, e := range l.environments {
			f.settle(d, l, e, f.matching(l.group.value, e.name.value, nil))
		}
	}
}

// checkNever refuses items that name outright what nothing may move.
func (f *File) checkNever(d *decoder) {
	for _, p := range f.doc.pipelines.value {
		for i, item := range p.value.promote.value {
			file := ""
			if ts := item.in.templates(); len(ts) > 0 {
				file = ts[0].value.text
			}
			for _, v := range item.values.value {
				if strings.Contains(v.value.text, "*") {
					continue
				}
				for _, n := range f.nevers() {
					if neverOfValues(n, file) && pathsOverlap(n, v.value.text) {
						d.add(v.line, v.column, fmt.Sprintf("pipelines.%s.promote[%d].values names %s, which never forbids (%s)", p.name.value, i, v.value.text, n),
							"remove it: this value belongs to its environment")
					}
				}
			}
		}
	}
}

// neverOfValues says whether an entry of never names values of a file, in the
// way that content.Place.Never is read: an entry with a slash outside quotes is
// a glob of files, kind: names a kind, and the kustomize words count in
// kustomizations only.
func neverOfValues(never, file string) bool {
	switch {
	case neverOfFiles(never), strings.HasPrefix(never, "kind:"):
		return false
	case never == "namespace", never == "namePrefix", never == "nameSuffix":
		return slices.Contains(kustomizations, path.Base(file))
	}
	return true
}

// neverOfFiles says whether an entry of never is a glob of repository paths.
func neverOfFiles(never string) bool {
	return strings.Contains(never, "/") && !strings.ContainsAny(never, `"'`) && !strings.HasPrefix(never, "kind:")
}
