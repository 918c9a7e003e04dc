package config

// The effective settings of an environment in a pipeline: the file's, the
// environment's, the pipeline's, the pipeline's own for the environment, then
// the overrides, which may only tighten. Each setting knows the line it comes
// from.

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/promobot/promobot/promotion/content"
)

// settled are the settings that are the same in all pipelines of a for_each to
// which the same overrides apply.
type settled struct {
	Environment
	asked Mode // the mode before the file's ceiling
}

// String is the mode's word in the pipeline file.
func (m Mode) String() string {
	switch m {
	case Observe:
		return "observe"
	case Propose:
		return "propose"
	case Auto:
		return "auto"
	}
	return "mode " + strconv.Itoa(int(m))
}

// matching are the overrides that apply to an environment, by number; title nil
// means only those that select by no name.
func (f *File) matching(group, env string, title *string) []int {
	var out []int
	selects := func(l list, s string) bool {
		return !l.said() || slices.ContainsFunc(l.value, func(g said[string]) bool { return matchGlob(g.value, s) })
	}
	for i, o := range f.doc.overrides.value {
		if selects(o.pipelines, group) && selects(o.environments, env) &&
			(!o.name.said() || title != nil && selects(o.name, *title)) {
			out = append(out, i)
		}
	}
	return out
}

// settle computes the effective settings of an environment under the given
// overrides, once, and reports overrides that would loosen.
func (f *File) settle(d *decoder, l *layout, e *environmentLayout, overrides []int) *settled {
	s := &settled{Environment: Environment{Name: e.name.value, Line: e.name.line, Optional: e.optional().value, Managed: e.managed().value}}
	group, env := "pipelines."+l.group.value, "environments."+e.name.value
	own := group + ".environments." + e.name.value
	set := func(key, value string, line int, what string) {
		if line == 0 {
			what = "default"
		}
		s.Settings = append(s.Settings, Setting{Key: key, Value: value, From: Source{Line: line, What: what}})
	}
	// pick takes where a setting was said, the most particular first.
	type origin struct {
		position
		what string
	}
	pick := func(key string, all ...origin) origin {
		for _, o := range all {
			if o.said() {
				o.what = join(o.what, key)
				return o
			}
		}
		return origin{}
	}

	// The mode: the lowest of the environment's and the overrides', under the file's.
	mode := e.mode()
	s.asked = mode.value
	from := pick("mode", origin{mode.position, env})
	if mode.position == e.own.mode.position && mode.said() {
		from.what = own + ".mode"
	}
	allow := prefer(e.own.allow, e.file.allow)
	allowFrom := pick("allow", origin{e.own.allow.position, own}, origin{e.file.allow.position, env})
	s.Allow = make([]content.Kind, 0, len(allow.value))
	for _, k := range allow.value {
		s.Allow = append(s.Allow, k.value)
	}
	fileLimits, ownLimit, envLimit := f.doc.limits.perEnvironment, e.own.limits.perEnvironment, e.file.limits.perEnvironment
	s.Limit = prefer(prefer(ownLimit, envLimit), fileLimits).or(defaultPerEnvironment)
	limitFrom := pick("limits.per_environment", origin{ownLimit.position, own}, origin{envLimit.position, env}, origin{fileLimits.position, ""})

	for _, i := range overrides {
		o := &f.doc.overrides.value[i]
		at := fmt.Sprintf("overrides[%d]", i)
		loosens := func(p position, key, value, than string, from origin) {
			where := cmp.Or(from.what, "the default")
			if from.said() {
				where += " on line " + strconv.Itoa(from.line)
			}
			remedy := "remove it here, or select fewer; an override may only tighten"
			if strings.HasPrefix(from.what, "overrides[") {
				remedy = "put the more general override first, the tighter one behind it"
			}
			d.add(p.line, p.column, fmt.Sprintf("%s.%s: %s would loosen %s in %s (%s)", at, key, value, than, e.name.value, where), remedy)
		}
		if o.mode.said() {
			if o.mode.value > s.asked {
				loosens(o.mode.position, "mode", o.mode.value.String(), s.asked.String(), from)
			} else {
				s.asked, from = o.mode.value, origin{o.mode.position, at + ".mode"}
			}
		}
		if o.allow.said() {
			kept := make([]content.Kind, 0, len(o.allow.value))
			for _, k := range o.allow.value {
				if slices.Contains(s.Allow, k.value) {
					kept = append(kept, k.value)
				} else {
					loosens(k.position, "allow", string(k.value), words(s.Allow), allowFrom)
				}
			}
			s.Allow, allowFrom = kept, origin{o.allow.position, at + ".allow"}
		}
		if limit := o.limits.perEnvironment; limit.said() {
			if limit.value > s.Limit {
				loosens(limit.position, "limits.per_environment", strconv.Itoa(limit.value), strconv.Itoa(s.Limit), limitFrom)
			} else {
				s.Limit, limitFrom = limit.value, origin{limit.position, at + ".limits.per_environment"}
			}
		}
	}
	s.Mode = s.asked
	if f.Mode() < s.asked {
		s.Mode, from = f.Mode(), origin{f.doc.mode.position, "mode"}
	}
	set("mode", s.Mode.String(), from.line, from.what)
	f.settleVerify(d, l, e, overrides, s, set)
	opt := pick("optional", origin{e.own.optional.position, own}, origin{e.file.optional.position, env})
	set("optional", strconv.FormatBool(s.Optional), opt.line, opt.what)

	commons := f.levels(l, e)
	start, title, body := origin{}, origin{}, origin{}
	for _, c := range commons {
		if c.start.said() && !start.said() {
			s.Reconcile, start = c.start.value, origin{c.start.position, join(c.what, "start")}
		}
		if c.title.said() && !title.said() {
			s.Title, title = c.title.value, origin{c.title.position, join(c.what, "title")}
		}
		if c.body.said() && !body.said() {
			s.Body, body = c.body.value, origin{c.body.position, join(c.what, "body")}
		}
	}
	set("start", map[bool]string{true: "reconcile", false: "now"}[s.Reconcile], start.line, start.what)
	f.settleDelivery(l, e, overrides, s, set)
	f.settleGuards(d, l, e, overrides, s, set)
	set("allow", words(s.Allow), allowFrom.line, allowFrom.what)
	set("limits.per_environment", strconv.Itoa(s.Limit), limitFrom.line, limitFrom.what)

	s.Never = f.nevers()
	set("never", strings.Join(s.Never, ", "), f.doc.never.line, "never")
	for _, c := range []struct {
		key      string
		into     *[]string
		common   func(*commonSpec) list
		override func(*overrideSpec) list
	}{
		{"labels", &s.Labels, func(c *commonSpec) list { return c.labels }, func(o *overrideSpec) list { return o.labels }},
		{"assignees", &s.Assignees, func(c *commonSpec) list { return c.assignees }, func(o *overrideSpec) list { return o.assignees }},
		{"reviewers", &s.Reviewers, func(c *commonSpec) list { return c.reviewers }, func(o *overrideSpec) list { return o.reviewers }},
	} {
		var last origin
		add := func(l list, what string) {
			for _, v := range l.value {
				if !slices.Contains(*c.into, v.value) {
					*c.into = append(*c.into, v.value)
					last = origin{v.position, what + c.key}
				}
			}
		}
		for _, common := range slices.Backward(commons) {
			prefix := common.what
			if prefix != "" {
				prefix += "."
			}
			add(c.common(common.commonSpec), prefix)
		}
		for _, i := range overrides {
			add(c.override(&f.doc.overrides.value[i]), fmt.Sprintf("overrides[%d].", i))
		}
		set(c.key, words(*c.into), last.line, last.what)
	}
	set("title", cmp.Or(oneLine(s.Title), "promobot's own"), title.line, title.what)
	set("body", cmp.Or(oneLine(s.Body), "promobot's own"), body.line, body.what)
	return s
}

// nevers are the defaults and the file's own.
func (f *File) nevers() []string {
	if f.never != nil {
		return f.never
	}
	return slices.Concat(content.DefaultNever(), values(f.doc.never.value))
}

// words joins a list for people.
func words[S ~string](list []S) string {
	if len(list) == 0 {
		return "none"
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return strings.Join(out, ", ")
}

// oneLine shortens a template for a table.
func oneLine(s string) string {
	first, rest, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if rest != "" {
		first += " …"
	}
	return truncate(80, first)
}
