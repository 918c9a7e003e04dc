package content

// Copied files: unchanged upstream, the target's stays; changed, it becomes
// upstream's; changed by someone in the target too, the lines are merged.
// Values that stay the target's own are taken out of the texts before they are
// compared and merged, and put back afterwards.

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/promobot/promobot/promotion/content/edit"
)

// targetPath is where a copied file lies in the target.
func (c *computation) targetPath(id string) string {
	for _, s := range []*side{c.t, c.t0} {
		if f, ok := s.copies[id]; ok {
			return f.path
		}
	}
	f, ok := c.u.copies[id]
	if !ok {
		f = c.u0.copies[id]
	}
	rel := f.key
	if n, literal := strings.CutPrefix(f.key, "\x00"); literal {
		i, err := strconv.Atoi(n)
		if patterns := c.t.place.Items[f.item].Patterns; err == nil && i < len(patterns) {
			rel = path.Clean(patterns[i])
		}
	}
	return c.t.prefix + rel
}

// same reports whether two copied files have the same content: the same blob,
// or the same text but for the values that stay their own. A file of the past
// that cannot be read is the same as no other.
func same(a *side, af copied, aok bool, b *side, bf copied, bok bool) (bool, error) {
	if aok != bok || !aok {
		return aok == bok, nil
	}
	if af.Blob == bf.Blob {
		return true, nil
	}
	if isRegular(af.Mode) != isRegular(bf.Mode) || !isRegular(af.Mode) {
		return false, nil
	}
	ak, an := a.hidden(af)
	bk, bn := b.hidden(bf)
	if len(ak)+len(an)+len(bk)+len(bn) == 0 {
		return false, nil
	}
	am, err := a.mask(af)
	if err != nil {
		return false, past(err)
	}
	bm, err := b.mask(bf)
	if err != nil {
		return false, past(err)
	}
	return bytes.Equal(am.text, bm.text), nil
}

// past drops the error of a file that cannot be read as YAML: nobody can mend
// history, and where today's files are meant they are read again anyway.
func past(err error) error {
	var unreadable *FileError
	if errors.As(err, &unreadable) {
		return nil
	}
	return err
}

func (c *computation) file(id string) error {
	u, uok := c.u.copies[id]
	u0, u0ok := c.u0.copies[id]
	t, tok := c.t.copies[id]
	t0, t0ok := c.t0.copies[id]
	target := c.targetPath(id)

	content, err := same(c.u, u, uok, c.u0, u0, u0ok)
	if err != nil {
		return err
	}
	mode := uok && u0ok && u.Mode != u0.Mode
	if c.in.Reconcile {
		if content, err = same(c.u, u, uok, c.t, t, tok); err != nil {
			return err
		}
		mode = uok && tok && u.Mode != t.Mode
	}
	if content && !mode {
		return nil
	}
	item := u.item
	if !uok {
		item = u0.item
	}
	if !tok && !c.t.items[item].copies(strings.TrimPrefix(target, c.t.prefix)) {
		return nil // the target's except keeps it out
	}
	if stop, err := c.untouchable(target, u, uok, u0, u0ok, t, tok); stop || err != nil {
		return err
	}
	touched, err := same(c.t, t, tok, c.t0, t0, t0ok)
	if err != nil {
		return err
	}
	touched = !touched || tok && t0ok && t.Mode != t0.Mode && !isRegular(t.Mode)
	drift, err := c.baselineDrift(id)
	if err != nil {
		return err
	}
	ch := Change{File: target}
	if drift {
		ch.Kinds = addKind(ch.Kinds, Drift)
	}
	if !uok {
		return c.deleteFile(target, t, tok, touched, ch)
	}
	if !tok {
		ch.Kinds = addKind(ch.Kinds, Create)
		if t0ok && touched { // someone removed it in the target
			ch.Overwrites, ch.Kinds = true, addKind(ch.Kinds, Drift)
		}
		return c.createFile(target, u, ch)
	}
	if t.Mode == modeSubmodule {
		c.refuse(Refusal{File: target, Reason: "in " + c.in.Target + " it is a submodule", Remedy: "make it a file there, or name it under except"})
		return nil
	}
	after := t.Mode
	if mode || !u0ok || isRegular(u.Mode) != isRegular(t.Mode) {
		after = u.Mode
	}
	return c.changeFile(id, target, after, content && !c.in.Reconcile, touched, ch)
}

// untouchable refuses what cannot or must not travel.
func (c *computation) untouchable(target string, u copied, uok bool, u0 copied, u0ok bool, t copied, tok bool) (bool, error) {
	kept := c.t.never.file(target) || uok && c.u.never.file(u.path) || u0ok && c.u0.never.file(u0.path)
	why := "never keeps this file where it is"
	for _, f := range []struct {
		s  *side
		f  copied
		ok bool
	}{{c.u, u, uok}, {c.t, t, tok}} {
		if kept || !f.ok || !isRegular(f.f.Mode) || len(c.t.never.kinds) == 0 {
			continue
		}
		data, err := f.s.bytes(f.f.path, f.f.File)
		if err != nil {
			return true, err
		}
		for _, kind := range c.t.never.kinds {
			if regexp.MustCompile(`(?m)^[\s{]*["']?kind["']?\s*:\s*["']?` + regexp.QuoteMeta(kind) + `["']?\s*(?:[#,}].*)?\r?$`).Match(data) {
				kept, why = true, "never keeps documents of kind "+kind
			}
		}
	}
	switch {
	case kept:
		c.refuse(Refusal{File: target, Never: true, Reason: "changed upstream, and " + why, Remedy: "change it in " + c.in.Target + " by hand if it should change there"})
	case uok && u.Mode == modeSubmodule:
		c.refuse(Refusal{File: target, Reason: "upstream it is a submodule, which names a commit of another repository", Remedy: "name it under except, and move submodules by hand"})
	case uok && u.Mode == modeSymlink:
		link, err := c.u.bytes(u.path, u.File)
		if err != nil {
			return true, err
		}
		rel := strings.TrimPrefix(target, c.t.prefix)
		to := path.Join(path.Dir(rel), string(link))
		if !path.IsAbs(string(link)) && to != ".." && !strings.HasPrefix(to, "../") && !bytes.ContainsRune(link, '\\') {
			return false, nil
		}
		c.refuse(Refusal{File: target, Reason: "it is a symbolic link that points out of the environment's folder, to " + strconv.Quote(string(link)), Remedy: "link to a file below the folder, or name the link under except"})
	default:
		return false, nil
	}
	return true, nil
}

// baselineDrift reports whether the two sides differed when the environment was
// first seen, and have not been brought together since.
func (c *computation) baselineDrift(id string) (bool, error) {
	if c.ub == nil || c.tb == nil {
		return false, nil
	}
	differs := func(a, b *side) (bool, error) {
		af, aok := a.copies[id]
		bf, bok := b.copies[id]
		ok, err := same(a, af, aok, b, bf, bok)
		return !ok || aok && bok && af.Mode != bf.Mode, err
	}
	then, err := differs(c.ub, c.tb)
	if err != nil || !then {
		return false, err
	}
	return differs(c.u0, c.t0)
}

func (c *computation) deleteFile(target string, t copied, tok, touched bool, ch Change) error {
	if !tok {
		return nil
	}
	ch.Kinds = addKind(ch.Kinds, Delete)
	if touched {
		ch.Overwrites, ch.Kinds = true, addKind(ch.Kinds, Drift)
	}
	if t.Mode == modeSubmodule {
		c.refuse(Refusal{File: target, Reason: "it is gone upstream, and here it is a submodule", Remedy: "remove it in " + c.in.Target + " by hand"})
		return nil
	}
	data, err := c.t.bytes(t.path, t.File)
	if err != nil {
		return err
	}
	if t.Mode == modeSymlink {
		ch.Now = linkNote(data)
	} else {
		ch.Now = sizeNote(data)
		c.lines += len(splitLines(data))
	}
	c.work[target] = &workFile{gone: true}
	c.res.Changes = append(c.res.Changes, ch)
	return nil
}

func linkNote(link []byte) string { return "link to " + cut(string(link)) }

func (c *computation) createFile(target string, u copied, ch Change) error {
	if f, ok := c.t.listing[target]; ok && f.Mode == modeSubmodule {
		c.refuse(Refusal{File: target, Reason: "in " + c.in.Target + " it is a submodule", Remedy: "make it a file there, or name it under except"})
		return nil
	}
	data, err := c.u.bytes(u.path, u.File)
	if err != nil {
		return err
	}
	if u.Mode == modeSymlink {
		ch.After = linkNote(data)
	} else {
		m, err := c.u.mask(u)
		if err != nil {
			return err
		}
		if !c.ownValues(target, m.values, nil) {
			return nil
		}
		ch.After = sizeNote(data)
		ch.Kinds = c.textKinds(ch.Kinds, nil, data)
	}
	c.work[target] = &workFile{File: u.File}
	c.res.Changes = append(c.res.Changes, ch)
	return nil
}

// textKinds adds the kinds that a text's changed lines tell, and notes the
// versions in them.
func (c *computation) textKinds(kinds []Kind, now, after []byte) []Kind {
	if isBinary(now) || isBinary(after) {
		return kinds
	}
	d := diffTexts(now, after)
	c.lines += d.added + d.removed
	for _, l := range d.addedLines {
		if c.leak.in(string(l)) {
			kinds = addKind(kinds, Leak)
			break
		}
	}
	for _, p := range d.pairs {
		v, ok := lineVersions(p[0], p[1])
		if !ok {
			continue
		}
		c.pairs = append(c.pairs, v)
		if isDowngrade(v.from, v.to) {
			kinds = addKind(kinds, Downgrade)
		}
	}
	return kinds
}

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

// mergeBase is the target's file as it stood at its last landing, without the
// values that stay its own. Where there was none, or it cannot be read, there
// is nothing in common.
func (c *computation) mergeBase(id string) ([]byte, error) {
	t0, ok := c.t0.copies[id]
	if !ok || !isRegular(t0.Mode) {
		return nil, nil
	}
	m, err := c.t0.mask(t0)
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
		return nil, nil
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
		for _, p := range append(keep[:len(keep):len(keep)], never...) {
			if p.Match(v.Keys) {
				c.kept[strings.TrimPrefix(p.String(), "**.")] = true
				break
			}
		}
	}
}
