package config

// Verify: what must hold after a landing before it travels on.
//
// Rules: what is asked for is named, since an empty list is never green; names
// are templates with $env and the names of for_each, and under for_each each has
// one of these, or one red check would roll back every service; in a name * is
// the only pattern there is, for names of checks hold brackets, braces and
// slashes of their own.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	defaultRedFor = time.Minute
	// afterSoak is how much longer than the soak a verification may take, where
	// nothing is said.
	afterSoak = time.Hour
	// maxEvidence bounds the names of one kind of evidence.
	maxEvidence = 50
)

// verifySpec is `verify`.
type verifySpec struct {
	position
	none                           bool
	checks, deployments, workflows evidenceSpec
	soak, timeout, redFor          said[time.Duration]
	carryOn                        said[bool] // while_soaking: continue
	onTimeout                      said[OnTimeout]
	hints                          said[bool]
}

// asks says that something must hold: a mapping was said.
func (s *verifySpec) asks() bool { return s.said() && !s.none }

// evidenceSpec is what is asked for of one kind of evidence.
type evidenceSpec struct {
	position
	all, any said[[]said[pathTemplate]]
	app      said[string]
}

// names are the names asked for; or says that one of them is enough.
func (s *evidenceSpec) names() (names []said[pathTemplate], or bool) {
	if s.any.said() {
		return s.any.value, true
	}
	return s.all.value, false
}

var (
	slugRegexp = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,99}$`)
	appShape   = text("an App's slug", 100, matching(slugRegexp, "write what its page is called, as argocd in github.com/apps/argocd", "slug of an App"))

	resultName = templated("a name, in which * stands for any part", checkResultName)

	checksShape      = evidenceShape("evidence_of_apps", evidenceFields())
	deploymentsShape = checksShape
	workflowsShape   = evidenceShape("evidence", append(evidenceFields()[:2],
		misplaced[evidenceSpec]("app", "remove it: what workflows come to is told by GitHub itself")))

	// verifyShape is none, or a mapping of what must hold.
	verifyShape = shape[verifySpec]{
		words: "none, or " + verifyMapping.words,
		schema: func(g *schemas) schema {
			return schema{"anyOf": []any{schema{"const": "none"}, verifyMapping.schema(g)}}
		},
		read: func(d *decoder, path string, n *yaml.Node) (verifySpec, bool) {
			if deref(n).Kind == yaml.MappingNode {
				v, ok := verifyMapping.read(d, path, n)
				return v, ok && v.check(d, path)
			}
			v, ok := verifyNone.read(d, path, n)
			return verifySpec{position: v.position, none: true}, ok
		},
	}
	verifyMapping = object("verify", "What must hold after a landing.", false, verifyFields())
	verifyNone    = scalar("none or a mapping of what must hold", textType, nil, func(s string) (bool, *refusal) {
		if s != "none" {
			return false, refuse("write verify: none where landing is enough, or name what must hold, as verify: {checks: ci}", "%s is not none", clip(s))
		}
		return true, nil
	})
)

func checkResultName(s string) *refusal {
	switch {
	case strings.TrimSpace(s) == "":
		return refuse("write the name as GitHub shows it", "the text is empty")
	case len(s) > 255:
		return refuse("write the beginning and a *", "the name is longer than 255 characters")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return refuse("remove it", "%s holds a control character", clip(s))
	case strings.Trim(s, "*") == "":
		return refuse("name what must be there, as argocd/*", "%s stands for whatever there is, which may be nothing that counts", clip(s))
	case (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1:
		return refuse(`write \\ for a backslash`, "%s ends in a backslash that protects nothing", clip(s))
	}
	return nil
}

// evidenceShape is one name, a list of which all must hold, or a mapping.
func evidenceShape(name string, fields []field[evidenceSpec]) shape[evidenceSpec] {
	list, mapping := listOf(resultName), object(name, "Exactly one of all and any.", false, fields)
	return shape[evidenceSpec]{
		words: list.words + ", or " + mapping.words,
		schema: func(g *schemas) schema {
			return schema{"anyOf": []any{list.schema(g), mapping.schema(g)}}
		},
		read: func(d *decoder, path string, n *yaml.Node) (evidenceSpec, bool) {
			n = deref(n)
			var e evidenceSpec
			var ok bool
			if n.Kind == yaml.MappingNode {
				if e, ok = mapping.read(d, path, n); ok && e.all.said() == e.any.said() {
					what := " names neither all nor any"
					if e.all.said() {
						what = " names all and any"
					}
					d.at(n, path+what, "write one of them, as {any: [smoke, e2e]}; a list alone means all")
					return e, false
				}
			} else {
				e.all, ok = list.read(d, path, n)
				e.stand(n)
			}
			switch names, _ := e.names(); {
			case !ok:
			case len(names) == 0:
				d.at(n, path+" names nothing", "name at least one: an empty list is never green")
				return e, false
			case len(names) > maxEvidence:
				d.at(n, fmt.Sprintf("%s has %d names; at most %d", path, len(names), maxEvidence), "use *, or one check that gathers the others")
				return e, false
			}
			return e, ok
		},
	}
}

func evidenceFields() []field[evidenceSpec] {
	type templates = said[[]said[pathTemplate]]
	return []field[evidenceSpec]{
		key("all", listOf(resultName), "", "all of these must hold; what is said without a mapping means this",
			func(e *evidenceSpec) *templates { return &e.all }),
		key("any", listOf(resultName), "", "one of these is enough",
			func(e *evidenceSpec) *templates { return &e.any }),
		key("app", appShape, "anyone but promobot", "with checks and deployments: only what this App reports counts. Anyone who may write to the repository can report a check of any name",
			func(e *evidenceSpec) *said[string] { return &e.app }),
	}
}

func verifyFields() []field[verifySpec] {
	return []field[verifySpec]{
		key("checks", checksShape, "none asked for", "check runs and commit statuses on the landed commit, or on a later one up to which the environment has not changed, by name. Skipped and cancelled ones say nothing. Names may hold `$env` and the names of for_each; under for_each each has to have one of these, as `argocd/$name-$env`",
			func(v *verifySpec) *evidenceSpec { return &v.checks }),
		key("deployments", deploymentsShape, "none asked for", "GitHub deployments by others, by the name of their environment; names as under checks",
			func(v *verifySpec) *evidenceSpec { return &v.deployments }),
		key("workflows", workflowsShape, "none asked for", "runs of GitHub Actions workflows, by the workflow's name or file name; names as under checks",
			func(v *verifySpec) *evidenceSpec { return &v.workflows }),
		key("soak", intervalShape, "0s", "how long all must have held, as promobot saw it",
			func(v *verifySpec) *said[time.Duration] { return &v.soak }),
		key("timeout", intervalShape, "an hour more than soak", "how long after the landing all must hold, soak included",
			func(v *verifySpec) *said[time.Duration] { return &v.timeout }),
		key("while_soaking", convert(oneOf("hold", "continue"), func(s string) bool { return s == "continue" }), "hold", "`hold`: nothing newer lands here until the verdict. `continue`: newer promotions land, and each begins its soak anew",
			func(v *verifySpec) *said[bool] { return &v.carryOn }),
		key("red_for", intervalShape, "1m", "how long a failure must last to decide, so that a check that is run again does not",
			func(v *verifySpec) *said[time.Duration] { return &v.redFor }),
		key("on_timeout", convert(oneOf(string(TimeoutFails), string(TimeoutPasses), string(TimeoutHolds)), func(s string) OnTimeout { return OnTimeout(s) }), "fail", "what it comes to when the time is over. `fail`: it has failed. `pass`: it is verified. `hold`: neither, and a person decides",
			func(v *verifySpec) *said[OnTimeout] { return &v.onTimeout }),
		key("hints", convert(oneOf("accept"), func(string) bool { return true }), "none taken", "`accept`: a failing check may choose among the steps of `on_failure` by a line `promobot: rollback` (or restart, halt) in its output or description. It can add none",
			func(v *verifySpec) *said[bool] { return &v.hints }),
	}
}

// check refuses a verification that asks for nothing, and times that do not fit.
func (s *verifySpec) check(d *decoder, at string) bool {
	soak, timeout := s.times()
	redFor := s.redFor.or(defaultRedFor)
	switch {
	case !s.checks.said() && !s.deployments.said() && !s.workflows.said():
		d.add(s.line, s.column, at+" asks for nothing", "add checks, deployments or workflows, or write verify: none if landing is enough")
	case s.timeout.said() && timeout <= soak:
		d.add(s.timeout.line, s.timeout.column, fmt.Sprintf("%s.timeout: %s leaves no time: all must have held for %s (soak) within it", at, Interval(timeout), Interval(soak)),
			fmt.Sprintf("write more than %s; without timeout it is %s", Interval(soak), Interval(soak+afterSoak)))
	case redFor >= timeout:
		p := s.timeout.position
		if s.redFor.said() {
			p = s.redFor.position
		}
		d.add(p.line, p.column, fmt.Sprintf("%s: a failure must last %s (red_for) to decide, and after %s (timeout) nothing is looked at any more", at, Interval(redFor), Interval(timeout)),
			"let red_for be shorter than timeout")
	default:
		return true
	}
	return false
}

// times are the soak and the timeout, with their defaults.
func (s *verifySpec) times() (soak, timeout time.Duration) {
	soak = s.soak.value
	return soak, s.timeout.or(soak + afterSoak)
}

// kinds are the kinds of evidence with the keys they stand under.
func (s *verifySpec) kinds() []named[*evidenceSpec] {
	out := make([]named[*evidenceSpec], 0, 3)
	for _, k := range []named[*evidenceSpec]{
		{said[string]{value: "checks"}, &s.checks},
		{said[string]{value: "deployments"}, &s.deployments},
		{said[string]{value: "workflows"}, &s.workflows},
	} {
		if k.value.said() {
			out = append(out, k)
		}
	}
	return out
}

// verify is the pipeline's own where it has one.
func (e *environmentLayout) verify() *verifySpec {
	if e.own.verify.said() {
		return &e.own.verify
	}
	return &e.file.verify
}

// verifyAt is where the verification was said.
func (e *environmentLayout) verifyAt(group string) string {
	if e.own.verify.said() {
		return "pipelines." + group + ".environments." + e.name.value + ".verify"
	}
	return "environments." + e.name.value + ".verify"
}

// checkVerify refuses names that do not fit the pipeline.
func (l *layout) checkVerify(d *decoder) {
	if len(l.known) == 0 {
		return // for_each itself is wrong
	}
	for _, e := range l.environments {
		v := e.verify()
		if !v.asks() || e.managed().value {
			continue // said where it is managed; see checkManaged
		}
		for _, k := range v.kinds() {
			names, _ := k.value.names()
			for _, n := range names {
				at := e.verifyAt(l.group.value) + "." + k.name.value
				if !e.own.verify.said() {
					at += ", for pipelines." + l.group.value
				}
				before := len(d.problems) + d.more
				l.checkVariables(d, at, n)
				if len(d.problems)+d.more > before || len(l.each.variables) == 0 {
					continue
				}
				if !slices.ContainsFunc(l.each.variables, n.value.has) {
					d.once(n.position, fmt.Sprintf("%s: %s is the same for every $%s: one red result would roll back all of them", at, clip(n.value.text), strings.Join(l.each.variables, " and $")),
						fmt.Sprintf("add $%s to the name, and let what reports it do so for each", l.each.variables[len(l.each.variables)-1]))
				}
			}
		}
	}
}

// settleVerify fills what must hold, with the soak that overrides lengthen.
// Names are filled for each pipeline, see [verifySpec.named].
func (f *File) settleVerify(d *decoder, l *layout, e *environmentLayout, overrides []int, s *settled, set setter) {
	v, at := e.verify(), e.verifyAt(l.group.value)
	soak, timeout := v.times()
	soakAt, soakWhat := v.soak.position, at+".soak"
	for _, i := range overrides {
		o := f.doc.overrides.value[i].soak
		switch key := fmt.Sprintf("overrides[%d].soak", i); {
		case !o.said():
		case !v.asks():
			d.add(o.line, o.column, fmt.Sprintf("%s: nothing is verified in %s, so that nothing soaks there", key, s.Name), "select environments whose verify names checks, or remove it")
		case o.value < soak:
			d.add(o.line, o.column, fmt.Sprintf("%s: %s would loosen %s in %s (%s)", key, Interval(o.value), Interval(soak), s.Name, told(soakAt, soakWhat)),
				"remove it here, or select fewer; an override may only tighten")
		default:
			timeout += o.value - soak
			soak, soakAt, soakWhat = o.value, o.position, key
		}
	}
	if !v.asks() {
		s.Verified = true
		word := "none (nothing said)"
		if v.none {
			word = "none"
		}
		set("verify", word, v.line, at)
		return
	}
	s.Verify = &Verify{
		Soak: soak, Timeout: timeout, Continue: v.carryOn.value, RedFor: v.redFor.or(defaultRedFor),
		OnTimeout: v.onTimeout.or(TimeoutFails), Hints: v.hints.value, Line: v.line,
	}
	kinds := v.kinds()
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name.value
	}
	set("verify", words(names), v.line, at)
	for _, k := range kinds {
		set("verify."+k.name.value, k.value.describe(nil), k.value.line, at+"."+k.name.value)
	}
	timeoutAt, timeoutWhat := v.timeout.position, at+".timeout"
	if timeoutAt.said() && soakAt != v.soak.position {
		timeoutAt, timeoutWhat = soakAt, soakWhat // put off by as much
	}
	set("verify.soak", Interval(soak).String(), soakAt.line, soakWhat)
	set("verify.timeout", Interval(timeout).String(), timeoutAt.line, timeoutWhat)
	set("verify.while_soaking", map[bool]string{true: "continue", false: "hold"}[s.Verify.Continue], v.carryOn.line, at+".while_soaking")
	set("verify.red_for", Interval(s.Verify.RedFor).String(), v.redFor.line, at+".red_for")
	set("verify.on_timeout", string(s.Verify.OnTimeout), v.onTimeout.line, at+".on_timeout")
	set("verify.hints", map[bool]string{true: "accept", false: "none taken"}[s.Verify.Hints], v.hints.line, at+".hints")
}

// told is where something was said, for a message.
func told(p position, what string) string {
	if !p.said() {
		return "the default"
	}
	return fmt.Sprintf("%s on line %d", what, p.line)
}

// named is a verification with the names of one pipeline.
func (s *verifySpec) named(v Verify, b binding) *Verify {
	v.Checks, v.Deployments, v.Workflows = s.checks.fill(b), s.deployments.fill(b), s.workflows.fill(b)
	return &v
}

// fill makes the evidence of one pipeline; nil where none is asked for.
func (s *evidenceSpec) fill(b binding) *Evidence {
	if !s.said() {
		return nil
	}
	names, or := s.names()
	e := &Evidence{Names: make([]string, len(names)), Any: or, App: s.app.value, Line: s.line}
	for i, n := range names {
		e.Names[i] = n.value.fill(b, escapeName)
	}
	return e
}

// describe is the evidence in one line, with the names as written where b is nil.
func (s *evidenceSpec) describe(b binding) string {
	names, or := s.names()
	out := make([]string, len(names))
	for i, n := range names {
		if out[i] = n.value.text; b != nil {
			out[i] = n.value.fill(b, plain)
		}
	}
	text := strings.Join(out, ", ")
	if or && len(out) > 1 {
		text = "any of " + text
	}
	if s.app.said() {
		text += ", by the App " + s.app.value
	}
	return text
}
