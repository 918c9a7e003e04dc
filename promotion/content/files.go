package content

// Copied files: unchanged upstream, the target's stays; changed, it becomes
// upstream's; changed by someone in the target too, the lines are merged.
// Values that stay the target's own are taken out of the texts before they are
// compared and merged, and put back afterwards.

import (
	"bytes"
	"errors"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// targetPath is where a copied file lies in the target.
func (c *computation) targetPath(id string) string {
	if f, ok := c.t.copies[id]; ok {
		return f.path
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
	if _, ok := errors.AsType[*FileError](err); ok {
		return nil
	}
	return err
}

func (c *computation) file(id string) error {
	u, uok := c.u.copies[id]
	u0, u0ok := c.u0.copies[id]
	t, tok := c.t.copies[id]
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
	touched, drift, err := c.history(id)
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
		if touched { // someone removed it in the target
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

// history reports whether someone changed the target's file since it was last
// promoted, and whether it differs from upstream's since before that: a file
// that a promotion left is as upstream's was then; one that never was promoted
// may still be as it was at the baseline.
func (c *computation) history(id string) (touched, drift bool, err error) {
	equal := func(a, b *side) (bool, error) {
		af, aok := a.copies[id]
		bf, bok := b.copies[id]
		ok, err := same(a, af, aok, b, bf, bok)
		links := aok && bok && (!isRegular(af.Mode) || !isRegular(bf.Mode))
		return ok && (!links || af.Mode == bf.Mode), err
	}
	promoted, err := equal(c.t, c.u0)
	if err != nil || promoted {
		return false, false, err
	}
	together, err := equal(c.ub, c.tb)
	if err != nil {
		return true, false, err
	}
	standing, err := equal(c.t, c.tb)
	return together || !standing, !together, err
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
