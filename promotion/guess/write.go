package guess

// The file's text. Comments say why, by the names of files.

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// lines are where a pipeline stands in the text, from 1.
type lines struct{ from, to int }

type writer struct {
	bytes.Buffer
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// comment writes a text over as many lines as it needs.
func (w *writer) comment(indent, text string) {
	const width = 96
	words := strings.Fields(text)
	first := true
	for len(words) > 0 {
		line := indent + "# " + words[0]
		if !first && strings.HasPrefix(text, "- ") {
			line = indent + "#   " + words[0]
		}
		first = false
		words = words[1:]
		for len(words) > 0 && len(line)+1+len(words[0]) <= width {
			line += " " + words[0]
			words = words[1:]
		}
		w.line("%s", line)
	}
}

// write gives the text of the file.
func (f *draft) write() []byte {
	text, _ := f.written()
	return text
}

// written gives the text and where each pipeline stands in it.
func (f *draft) written() ([]byte, map[*pipeline]lines) {
	w := &writer{}
	w.comment("", "Guessed by promobot from what this repository looks like; the comments say why. With mode: observe promobot only says what it would do. Look at it with promobot plan, then raise mode to propose (pull requests that people merge), then auto.")
	w.line("version: 1")
	w.line("mode: observe")
	w.line("")
	w.line("environments:")
	for i, e := range f.environments {
		w.comment("  ", e.why)
		var settings []string
		if len(e.from) > 0 {
			settings = append(settings, "from: "+QuoteList(e.from))
		} else {
			settings = append(settings, "verify: none")
		}
		if e.optional {
			settings = append(settings, "optional: true")
		}
		w.line("  %s: {%s}", f.environments[i].env, strings.Join(settings, ", "))
	}
	w.line("")
	w.line("pipelines:")
	at := map[*pipeline]lines{}
	for _, p := range f.pipelines {
		from := bytes.Count(w.Bytes(), []byte("\n")) + 1
		f.pipeline(w, p)
		at[p] = lines{from, bytes.Count(w.Bytes(), []byte("\n"))}
	}
	if len(f.shared) > 0 {
		w.line("")
		w.comment("", "reaches several environments at once; a pull request that touches it is told so")
		w.line("shared: %s", QuoteList(f.shared))
	}
	if len(f.overrides) > 0 {
		w.line("")
		w.line("overrides:")
		for _, o := range f.overrides {
			w.comment("  ", o.why)
			w.line("  - {pipelines: %s, name: %s, environments: %s, mode: observe}", o.pipeline.key, Quote(escapeName(o.name)), QuoteList(o.environments))
		}
	}
	if len(f.doubts) > 0 {
		w.line("")
		w.comment("", "Not sure:")
		for _, d := range f.doubts {
			w.comment("", "- "+d)
		}
	}
	return w.Bytes(), at
}

// escapeName protects a name where * stands for any part.
func escapeName(s string) string { return strings.NewReplacer(`\`, `\\`, `*`, `\*`).Replace(s) }

func (f *draft) pipeline(w *writer, p *pipeline) {
	for _, why := range p.why {
		w.comment("  ", why)
	}
	for _, sh := range p.shapes {
		w.comment("  ", strings.TrimPrefix(p.reason(sh), "pipeline "+p.key+": "))
	}
	w.line("  %s:", p.key)
	if p.forEach != "" {
		w.line("    for_each: %s", Quote(template(p.forEach)))
	}
	f.place(w, p, "    path: ", p.path)
	if p.branch != "" {
		f.place(w, p, "    branch: ", p.branch)
	}
	if p.read != "" {
		w.line("    read: {branch: %s}", Quote(template(p.read)))
	}
	if p.revision != "" {
		w.line("    revision: {in: %s, value: drySha}", p.revision)
	}
	w.line("    promote:")
	for _, i := range p.items {
		var b strings.Builder
		for n, pattern := range i.what {
			if n > 0 {
				b.WriteString(", ")
			}
			b.WriteString(Quote(pattern))
		}
		what := b.String()
		if len(i.what) > 1 {
			what = "[" + what + "]"
		}
		w.line("      - %s: %s", i.kind, what)
		if i.in != "" {
			f.place(w, p, "        in: ", i.in)
		}
		if len(i.except) > 0 {
			w.line("        except: %s", QuoteList(i.except))
		}
	}
	f.own(w, p)
}

// own writes what a pipeline says of environments: which it has, and where
// another tool decides.
func (f *draft) own(w *writer, p *pipeline) {
	managed := map[string]string{}
	for env, c := range p.managed {
		if len(p.upstreams(f.environments, env)) == 0 && f.leads(p, env) {
			managed[env] = fmt.Sprintf("{managed: elsewhere, source: {dispatch: %s, version: metadata.revision}}", Quote(dollars("HelmRelease/"+c.label+"."+c.space)))
		}
	}
	var has []string
	for _, e := range f.environments {
		if _, ok := p.names[e.env]; ok || e.optional {
			has = append(has, e.env)
		}
	}
	switch {
	case len(managed) > 0:
		w.line("    environments:")
		for _, env := range has {
			if managed[env] != "" {
				w.line("      %s: %s", env, managed[env])
			} else if len(has) < len(f.environments) {
				w.line("      %s: {}", env)
			}
		}
	case len(has) < len(f.environments):
		w.line("    environments: %s", QuoteList(has))
	}
}

// leads says whether something comes from an environment in a pipeline.
func (f *draft) leads(p *pipeline, env string) bool {
	for other := range p.names {
		if slices.Contains(p.upstreams(f.environments, other), env) {
			return true
		}
	}
	return false
}

// template is a path with variables as the pipeline file has it: dollars of its
// own doubled, the environment as $env.
func template(s string) string {
	for _, v := range []string{"$name", "$group"} {
		s = strings.ReplaceAll(s, v, "\x02"+v[1:])
	}
	return strings.ReplaceAll(strings.ReplaceAll(dollars(s), "\x02", "$"), environmentHole, "$env")
}

// place writes a template, or a mapping where environments are not called what
// their folders are.
func (f *draft) place(w *writer, p *pipeline, key, t string) {
	if !strings.Contains(t, environmentHole) || !p.mapped() {
		w.line("%s%s", key, Quote(template(t)))
		return
	}
	w.line("%s", strings.TrimSuffix(key, " "))
	indent := strings.Repeat(" ", len(key)-len(strings.TrimLeft(key, " "))+2)
	for _, env := range slices.Sorted(maps.Keys(p.names)) {
		at := strings.ReplaceAll(template(strings.ReplaceAll(t, environmentHole, "\x03")), "\x03", dollars(p.names[env].raw))
		w.line("%s%s: %s", indent, env, Quote(at))
	}
}
