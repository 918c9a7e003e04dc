package config

// What another pipeline file would change, for the check on a pull request that
// touches it.

import (
	"cmp"
	"fmt"
	"strings"
)

// Diff says in lines what changes between the pipelines of two files (or of two
// states of a repository). Changes that many pipelines of a group share are one
// line. None means that the two do the same.
func Diff(before, after []Pipeline) []string {
	old, now := byKey(before), byKey(after)
	changes := &changeList{seen: map[string]bool{}, pipelines: map[string]map[string][]string{}}
	var groups []string
	seen := map[string]bool{}
	group := func(p *Pipeline) {
		if !seen[p.Group] {
			seen[p.Group] = true
			groups = append(groups, p.Group)
		}
	}
	for i := range after {
		p := &after[i]
		group(p)
		if was, ok := old[p.Key]; ok {
			changes.pipeline(was, p)
		} else {
			changes.add(p, "new: "+wayOf(p))
		}
	}
	for i := range before {
		p := &before[i]
		group(p)
		if now[p.Key] == nil {
			changes.add(p, "removed: "+wayOf(p)+" are no longer promoted")
		}
	}
	var out []string
	for _, g := range groups {
		out = append(out, changes.lines(g)...)
	}
	return out
}

func byKey(all []Pipeline) map[string]*Pipeline {
	out := make(map[string]*Pipeline, len(all))
	for i := range all {
		out[all[i].Key] = &all[i]
	}
	return out
}

func wayOf(p *Pipeline) string {
	names := make([]string, len(p.Environments))
	for i, e := range p.Environments {
		names[i] = e.Name
	}
	return way(names)
}

// changeList holds by group and by line which pipelines it is true of.
type changeList struct {
	order     []string
	seen      map[string]bool
	pipelines map[string]map[string][]string
}

func (c *changeList) add(p *Pipeline, line string) {
	lines := c.pipelines[p.Group]
	if lines == nil {
		lines = map[string][]string{}
		c.pipelines[p.Group] = lines
	}
	if !c.seen[line] {
		c.seen[line] = true
		c.order = append(c.order, line)
	}
	lines[line] = append(lines[line], p.Key)
}

// lines are a group's changes in the order in which they were found.
func (c *changeList) lines(group string) []string {
	var out []string
	for _, line := range c.order {
		keys := c.pipelines[group][line]
		const most = 3
		switch n := len(keys); {
		case n == 0:
		case n <= most:
			out = append(out, strings.Join(keys, ", ")+": "+line)
		default:
			out = append(out, fmt.Sprintf("%s (%d pipelines, such as %s): %s", group, n, keys[0], line))
		}
	}
	return out
}

// pipeline compares two states of one pipeline.
func (c *changeList) pipeline(was, is *Pipeline) {
	old := map[string]*Environment{}
	for i := range was.Environments {
		old[was.Environments[i].Name] = &was.Environments[i]
	}
	for i := range is.Environments {
		e := &is.Environments[i]
		before := old[e.Name]
		delete(old, e.Name)
		if before == nil {
			from := "is a first environment"
			if len(e.From) > 0 {
				from = "comes from " + strings.Join(e.From, ", ")
			}
			c.add(is, fmt.Sprintf("environment %s is new: it %s, mode %s", e.Name, from, e.Mode))
			continue
		}
		c.environment(is, before, e)
	}
	for _, e := range was.Environments {
		if old[e.Name] != nil {
			c.add(is, fmt.Sprintf("environment %s is removed: nothing is promoted to it any more", e.Name))
		}
	}
}

// environment compares what is in force by the settings that explain prints.
func (c *changeList) environment(p *Pipeline, was, is *Environment) {
	name := p.Title
	if p.Key == p.Group {
		name = "" // one pipeline, nothing to share a line with
	}
	values := map[string]string{}
	for _, s := range was.Settings {
		values[s.Key] = s.written()
	}
	for _, s := range is.Settings {
		before, had := values[s.Key]
		delete(values, s.Key)
		if before == s.written() && had {
			continue
		}
		// The own name is the same in no two pipelines; without it many are one line.
		shorten := func(v string) string { return cmp.Or(general(v, name), "none") }
		verb := "changes"
		if s.Key == "mode" {
			verb = "is raised"
			if is.Mode < was.Mode {
				verb = "is lowered"
			}
		}
		c.add(p, fmt.Sprintf("%s: %s %s from %s to %s", is.Name, s.Key, verb, shorten(before), shorten(s.written())))
	}
	for _, s := range was.Settings {
		if before, left := values[s.Key]; left {
			c.add(p, fmt.Sprintf("%s: %s is removed (was %s)", is.Name, s.Key, general(before, name)))
		}
	}
	switch {
	case was.Blocked == is.Blocked:
	case is.Blocked == "":
		c.add(p, is.Name+": is no longer blocked")
	default:
		c.add(p, is.Name+": is blocked: "+general(is.Blocked, name))
	}
}

// written is the value, or its template, which is the same in many pipelines.
func (s *Setting) written() string { return cmp.Or(s.Template, s.Value) }

// general replaces a pipeline's own name in a path by an ellipsis; "" for none.
func general(v, title string) string {
	if title == "" || !strings.Contains(v, "/") && !strings.Contains(v, ".") {
		return v
	}
	parts := strings.Split(v, "/")
	for i, p := range parts {
		if p == title {
			parts[i] = "…"
		} else if rest, ok := strings.CutPrefix(p, title+"."); ok {
			parts[i] = "…." + rest
		}
	}
	return strings.Join(parts, "/")
}
