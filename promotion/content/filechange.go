package content

// A copied file that both sides have: its new text, from upstream's, the
// target's, or both merged, with the target's own values put back in.

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/content/edit"
)

// changeFile brings a file that both sides have to its new content and mode.
func (c *computation) changeFile(id, target, mode string, modeOnly, touched bool, ch Change) error {
	u, t := c.u.copies[id], c.t.copies[id]
	um, err := c.u.mask(u)
	if err != nil {
		return err
	}
	tm, err := c.t.mask(t)
	if err != nil {
		return err
	}
	text := um.text
	switch links := !isRegular(u.Mode) || !isRegular(t.Mode); {
	case modeOnly && !links:
		text = tm.text
	case !touched || bytes.Equal(um.text, tm.text) && !links:
	case links || isBinary(um.data) || isBinary(tm.data):
		if u.Mode != t.Mode || u.Blob != t.Blob {
			ch.Overwrites = true
		}
	default:
		base, err := c.mergeBase(id)
		if err != nil {
			return err
		}
		m := Merge3(base, tm.text, um.text)
		text = m.Text
		ch.Overwrites = m.Conflicts > 0
		ch.Merged = !ch.Overwrites && !bytes.Equal(text, um.text)
	}
	if ch.Overwrites {
		ch.Kinds = addKind(ch.Kinds, Drift)
	}
	if bytes.Equal(text, tm.text) && mode == t.Mode {
		return nil
	}
	after := text
	if isRegular(mode) && (len(um.values)+len(tm.values) > 0) && !bytes.Equal(text, tm.text) {
		if after, err = c.putBack(target, t, text, um, tm); err != nil || after == nil {
			return err
		}
	} else if bytes.Equal(text, tm.text) {
		after = tm.data
	}
	if !c.stillFine(target, t, um, tm, after, ch) {
		return nil
	}
	switch {
	case !isRegular(mode):
		ch.Now, ch.After = fileNote(t.Mode, tm.data), linkNote(after)
	case !isRegular(t.Mode):
		ch.Now, ch.After = linkNote(tm.data), sizeNote(after)
		ch.Kinds = c.textKinds(ch.Kinds, nil, after)
	case bytes.Equal(after, tm.data):
		ch.Now, ch.After = modeNote(t.Mode), modeNote(mode)
	default:
		ch.Kinds = c.textKinds(ch.Kinds, tm.data, after)
		ch.Now, ch.After = diffTexts(tm.data, after).notes(tm.data, after)
	}
	c.keptNames(t, um, tm)
	c.write(target, mode, after)
	c.res.Changes = append(c.res.Changes, ch)
	return nil
}

// mergeBase is upstream's file as the target last took it over, without the
// values that stay its own. Where there was none, or it cannot be read, there
// is nothing in common.
func (c *computation) mergeBase(id string) ([]byte, error) {
	u0, ok := c.u0.copies[id]
	if !ok || !isRegular(u0.Mode) {
		return nil, nil
	}
	m, err := c.u0.mask(u0)
	return m.text, past(err)
}

func fileNote(mode string, data []byte) string {
	if mode == modeSymlink {
		return linkNote(data)
	}
	return sizeNote(data)
}

func modeNote(mode string) string {
	if mode == modeExecutable {
		return "executable"
	}
	return "not executable"
}

// putBack puts the target's own values back into a text; nil when it was
// refused.
func (c *computation) putBack(target string, t copied, text []byte, um, tm masked) ([]byte, error) {
	after, taken := edit.Unmask(text, tm.values, um.values)
	fromUpstream := map[string]edit.Value{}
	lost := map[string]edit.Value{}
	for key, n := range taken {
		if n == 1 {
			fromUpstream[key] = um.values[key]
		}
	}
	for key, v := range tm.values {
		if _, ok := taken[key]; !ok {
			lost[key] = v
		}
	}
	again, err := c.t.maskBytes(t, after)
	if past(err) != nil {
		return nil, err
	}
	if err != nil || !bytes.Equal(again.text, text) || !sameValues(again.values, taken, tm, um) {
		c.refuse(Refusal{File: target, Reason: "upstream's change does not fit around the values that stay " + c.in.Target + "'s own", Remedy: "bring the file's layout in line with upstream's by hand"})
		return nil, nil //nolint:nilerr // an unreadable outcome is refused, which is said above
	}
	if !c.ownValues(target, fromUpstream, lost) {
		return nil, nil
	}
	return after, nil
}

func sameValues(got map[string]edit.Value, taken map[string]int, from ...masked) bool {
	if len(got) != len(taken) {
		return false
	}
	for key, n := range taken {
		want, v := from[n].values[key], got[key]
		if v.Scalar != want.Scalar || v.Collection != want.Collection {
			return false
		}
	}
	return true
}

// ownValues deals with values that should stay the target's own where the
// target has none, or where their place is gone: never refuses the file, keep
// shows each in a row of its own. It reports whether the file can be written.
func (c *computation) ownValues(target string, added, lost map[string]edit.Value) bool {
	type row struct {
		v    edit.Value
		kind Kind
	}
	var rows []row
	for _, v := range added {
		rows = append(rows, row{v, Create})
	}
	for _, v := range lost {
		rows = append(rows, row{v, Delete})
	}
	for _, r := range rows {
		if !c.t.never.value(target, r.v.Keys) {
			continue
		}
		reason := "is new upstream, and never keeps it from being set here"
		if r.kind == Delete {
			reason = "has no place in upstream's file, and never keeps it"
		}
		c.refuse(Refusal{File: target, Value: r.v.Key, Never: true, Reason: r.v.Key + " " + reason, Remedy: "make this file's change in " + c.in.Target + " by hand, with its own value"})
		return false
	}
	for _, r := range rows {
		ch := Change{File: target, Value: r.v.Key, Kinds: []Kind{r.kind}}
		text := r.v.Text
		if r.v.Collection {
			text = string(r.v.Raw)
		}
		if r.kind == Create {
			ch.After = cut(text)
			if c.leak.in(text) {
				ch.Kinds = addKind(ch.Kinds, Leak)
			}
		} else {
			ch.Now = cut(text)
		}
		c.res.Changes = append(c.res.Changes, ch)
	}
	return true
}

// stillFine refuses outcomes that no one would want written: a merge that broke
// a readable file, and a change of what never names in a file that cannot be
// read.
func (c *computation) stillFine(target string, t copied, um, tm masked, after []byte, ch Change) bool {
	if (ch.Merged || ch.Overwrites) && isRegular(t.Mode) && edit.Readable(t.rel) {
		readable := func(b []byte) bool { _, err := edit.Parse(t.rel, b); return err == nil }
		if readable(um.data) && readable(tm.data) && !readable(after) {
			c.refuse(Refusal{File: target, Reason: "upstream's lines and those that someone changed in " + c.in.Target + " do not make a readable file together", Remedy: "merge the file by hand"})
			return false
		}
	}
	if !um.opaque && !tm.opaque {
		return true
	}
	for _, p := range c.t.never.paths(t.rel) {
		if key := p.Last(); key != "" && !bytes.Equal(mentions(tm.data, key), mentions(after, key)) {
			c.refuse(Refusal{File: target, Value: p.String(), Never: true, Reason: fmt.Sprintf("it cannot be read as YAML, and lines with %s, which never keeps, would change", key), Remedy: "make this file's change in " + c.in.Target + " by hand"})
			return false
		}
	}
	return true
}

// mentions are the lines that set a key, in a file that cannot be read.
func mentions(data []byte, key string) []byte {
	re := regexp.MustCompile(`(?m)^.*(?:^|[^0-9A-Za-z_.-])` + regexp.QuoteMeta(key) + `["']?\s*:.*$`)
	return bytes.Join(re.FindAll(data, -1), []byte("\n"))
}

// keptNames notes the values that differ from upstream's and stay.
func (c *computation) keptNames(t copied, um, tm masked) {
	keep, never := c.t.hidden(t)
	for key, v := range tm.values {
		if bytes.Equal(um.values[key].Raw, v.Raw) {
			continue
		}
		for _, p := range append(slices.Clip(keep), never...) {
			if p.Match(v.Keys) {
				c.kept[strings.TrimPrefix(p.String(), "**.")] = true
				break
			}
		}
	}
}
