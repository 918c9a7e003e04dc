package content

// Single values: those of values and match items one by one, an image's newTag
// and digest together. Upstream's change wins over one that someone made in the
// target, which is then said.

import (
	"errors"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/content/edit"
)

// itemSides is one item on all sides. Sides of the past that cannot be read
// are nil: everything counts as changed against them.
type itemSides struct {
	u, t       valueSet
	u0, ub, tb *valueSet
}

func (c *computation) itemSides(i int) (s itemSides, err error) {
	if s.u, err = c.u.values(i); err != nil {
		return s, err
	}
	if s.t, err = c.t.values(i); err != nil {
		return s, err
	}
	for _, p := range []struct {
		to   **valueSet
		from *side
	}{{&s.u0, c.u0}, {&s.ub, c.ub}, {&s.tb, c.tb}} {
		set, err := p.from.values(i)
		if past(err) != nil {
			return s, err
		}
		if err == nil {
			*p.to = &set
		}
	}
	return s, nil
}

// differs reports whether the fields differ between two sides.
func differs(a, b *valueSet, fields []string) bool {
	if a == nil || b == nil {
		return true
	}
	return slices.ContainsFunc(fields, func(k string) bool {
		x, xok := a.byKey[k]
		y, yok := b.byKey[k]
		return xok != yok || xok && (x.digestText() != y.digestText() || x.digestType() != y.digestType())
	})
}

func (v *valueSet) has(fields []string) bool {
	return slices.ContainsFunc(fields, func(k string) bool { _, ok := v.byKey[k]; return ok })
}

func (c *computation) item(i int) error {
	s, err := c.itemSides(i)
	if err != nil {
		return err
	}
	if s.u.problem != "" {
		before, had := c.u0.listing[c.u0.valueFile(i)]
		if now := c.u.listing[s.u.path]; !had || now != before {
			c.refuse(Refusal{File: s.u.path, Never: strings.HasPrefix(s.u.problem, "never"), Reason: "changed upstream, and " + s.u.problem, Remedy: "mend the file upstream, or leave it out of promote"})
		}
		if len(s.u.byKey) == 0 {
			return nil
		}
	}
	for _, fields := range c.groups(i, s) {
		changed := differs(&s.u, s.u0, fields)
		if c.in.Reconcile {
			changed = s.u.has(fields) && differs(&s.u, &s.t, fields)
		}
		if !changed {
			continue
		}
		if r, ok := c.refusedValue(i, s, fields); ok {
			if r != (Refusal{}) {
				c.refuse(r)
			}
			continue
		}
		if err := c.setValues(i, s, fields); err != nil {
			return err
		}
	}
	return nil
}

// groups are the fields that move together: an image's two, else each alone.
func (c *computation) groups(i int, s itemSides) [][]string {
	keys := map[string]bool{}
	for _, k := range s.u.keys() {
		keys[k] = true
	}
	if s.u0 != nil {
		for _, k := range s.u0.keys() {
			keys[k] = true
		}
	}
	var groups [][]string
	seen := map[string]bool{}
	for _, k := range sortedKeys(keys) {
		if c.t.items[i].kind != Images {
			groups = append(groups, []string{k})
			continue
		}
		image := strings.TrimSuffix(strings.TrimSuffix(k, ".newTag"), ".digest")
		if !seen[image] {
			seen[image] = true
			groups = append(groups, []string{image + ".newTag", image + ".digest"})
		}
	}
	return groups
}

// label is what people read for a field.
func (c *computation) label(i int, key string) string {
	if p := c.matchPattern(i, key); p != "" {
		return cut(p)
	}
	return key
}

// matchPattern is the regular expression that a match item's key stands for.
func (c *computation) matchPattern(i int, key string) string {
	for n, p := range c.t.place.Items[i].Patterns {
		if c.t.items[i].kind == Match && matchKey(n) == key {
			return p
		}
	}
	return ""
}

// refusedValue reports whether a value that changed upstream stays, with the
// refusal to show, if any.
func (c *computation) refusedValue(i int, s itemSides, fields []string) (Refusal, bool) {
	item := c.t.place.Items[i]
	file := s.t.path
	if file == "" {
		file = c.t.prefix + c.t.items[i].in[0]
	}
	r := Refusal{File: file, Value: c.label(i, fields[0])}
	if !s.u.has(fields) {
		if !s.t.has(fields) {
			return Refusal{}, true
		}
		r.Reason, r.Remedy = "it was removed upstream", "remove it in "+c.in.Target+" by hand if it should go there too, or take it out of promote"
		return r, true
	}
	for _, k := range fields {
		u, ok := s.u.byKey[k]
		if !ok {
			continue
		}
		r.Value = c.label(i, k)
		switch {
		case u.never || c.t.never.value(file, u.Keys):
			r.Never, r.Reason, r.Remedy = true, "changed upstream, and never keeps it", "change it in "+c.in.Target+" by hand if it should change there"
			return r, true
		case u.Collection || u.Type == "alias":
			r.Reason, r.Remedy = "upstream "+u.Fixed+", and only single values are promoted", "name the single values in it, such as "+k+".*"
			return r, true
		case Moving(u.Text) && !c.in.AllowMoving && !pinned(s.u, fields, k):
			r.Reason, r.Remedy = "upstream it is "+cut(u.Text)+", which means another version from day to day", "pin it upstream to the version that runs there"
			return r, true
		}
	}
	r.Value = c.label(i, fields[0])
	switch {
	case s.t.problem != "" && !s.t.has(fields):
		r.Never = strings.HasPrefix(s.t.problem, "never")
		r.Reason, r.Remedy = "in "+c.in.Target+" "+s.t.problem, "mend the file in "+c.in.Target+", or leave it out of promote"
		return r, true
	case s.t.path == "":
		r.Reason, r.Remedy = "the file is absent in "+c.in.Target, "add the file there first, with its own settings"
		return r, true
	case !s.t.has(fields) && !item.Create:
		r.Reason, r.Remedy = "it is absent in "+c.in.Target, "add it there, or say if_absent: create"
		if item.Kind == Match {
			r.Reason, r.Remedy = "the pattern has no hit in "+c.in.Target, "bring the line there in the form that the pattern expects"
		}
		return r, true
	case !s.t.has(fields) && item.Kind == Match:
		r.Reason, r.Remedy = "the pattern has no hit in "+c.in.Target, "bring the line there in the form that the pattern expects"
		return r, true
	}
	return Refusal{}, false
}

// pinned reports whether a digest stands beside the field, so that its name
// does not count.
func pinned(u valueSet, fields []string, key string) bool {
	_, digest := u.byKey[fields[len(fields)-1]]
	return len(fields) > 1 && key != fields[len(fields)-1] && digest
}

// setValues makes the target's fields those of upstream, all or none of them.
func (c *computation) setValues(i int, s itemSides, fields []string) error {
	w, data, err := c.current(s.t.path)
	if err != nil {
		return err
	}
	before := data
	// As with files: what a promotion left is as upstream's was then, and what
	// never was promoted may still be as it was at the baseline.
	drift := differs(&s.t, s.u0, fields)
	overwrites := drift
	if drift && s.ub != nil && s.tb != nil {
		overwrites = !differs(s.ub, s.tb, fields) || differs(&s.t, s.tb, fields)
	}
	var changes []Change
	var pairs []versionPair
	for _, k := range fields {
		now, ch, reason, err := c.setField(i, s, fields, k, data)
		if err != nil {
			return err
		}
		if reason != "" {
			c.refuse(Refusal{File: s.t.path, Value: c.label(i, k), Reason: reason, Remedy: "change it in " + c.in.Target + " by hand"})
			return nil
		}
		if now == nil {
			continue
		}
		data = now
		ch.Overwrites = overwrites
		if drift {
			ch.Kinds = addKind(ch.Kinds, Drift)
		}
		if p := valueVersions(ch.Now, ch.After); p != (versionPair{}) {
			pairs = append(pairs, p)
		}
		changes = append(changes, ch)
	}
	if len(changes) == 0 {
		return nil
	}
	c.lines += diffTexts(before, data).added
	c.pairs = append(c.pairs, pairs...)
	c.res.Changes = append(c.res.Changes, changes...)
	c.write(s.t.path, w.Mode, data)
	return nil
}

// setField makes one field of the target's file that of upstream. It returns
// nil bytes when there is nothing to do.
func (c *computation) setField(i int, s itemSides, fields []string, key string, data []byte) (after []byte, ch Change, reason string, err error) {
	set, err := c.t.valuesIn(i, s.t.path, data)
	if err != nil {
		return nil, ch, "", err
	}
	u, uok := s.u.byKey[key]
	t, tok := set.byKey[key]
	ch = Change{File: s.t.path, Value: c.label(i, key)}
	if tok {
		ch.Now = cut(t.Text)
		if t.Collection {
			ch.Now = cut(string(t.Raw))
		}
	}
	if uok {
		ch.After = cut(u.Text)
	}
	switch {
	case uok == tok && (!uok || u.digestText() == t.digestText() && u.digestType() == t.digestType()):
		return nil, ch, "", nil
	case c.t.items[i].kind == Match:
		after, reason = setMatch(data, c.matchPattern(i, key), u.Text)
	case !uok:
		// Only of an image's two fields: it names its version another way.
		after, reason = said(set.parsed.Remove(t.Value))
	case !tok:
		if !s.t.has(fields) {
			ch.Kinds = addKind(ch.Kinds, Create)
		}
		after, reason = said(set.parsed.Insert(u.Keys, u.Scalar))
	default:
		after, reason = said(set.parsed.Set(t.Value, u.Scalar))
	}
	if reason != "" {
		return nil, ch, reason, nil
	}
	if v := valueVersions(t.Text, u.Text); uok && tok && isDowngrade(v.from, v.to) {
		ch.Kinds = addKind(ch.Kinds, Downgrade)
	}
	if uok && c.leak.in(u.Text) && (!tok || !c.leak.in(t.Text)) {
		ch.Kinds = addKind(ch.Kinds, Leak)
	}
	return after, ch, "", nil
}

// said turns an edit's error into a reason for people.
func said(after []byte, err error) ([]byte, string) {
	if err == nil {
		return after, ""
	}
	if e, ok := errors.AsType[*edit.Error](err); ok {
		return nil, "it cannot be changed safely: " + e.Reason
	}
	return nil, "it cannot be changed safely: " + err.Error()
}
