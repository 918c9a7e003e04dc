package content

// Files that are taken over by their ids, unread: of thousands of files only
// the trees are looked at then.

import (
	"path"
	"strings"
)

// unread reports whether nothing depends on the bytes of a copied file that
// changed upstream: none of its values stay the target's own, it cannot be of a
// kind that never travels, the target has it as it was last promoted, and
// nobody asked for what only its lines tell.
func (c *computation) unread(id string) bool {
	u, uok := c.u.copies[id]
	u0, u0ok := c.u0.copies[id]
	t, tok := c.t.copies[id]
	if !c.in.Unread || c.in.Reconcile || tok != u0ok || tok && t.File != u0.File {
		return false
	}
	if f, there := c.t.listing[c.targetPath(id)]; there && (!tok || f != t.File) {
		return false
	}
	for _, x := range []struct {
		s  *side
		f  copied
		ok bool
	}{{c.u, u, uok}, {c.u0, u0, u0ok}, {c.t, t, tok}} {
		if !x.ok {
			continue
		}
		keep, never := x.s.hidden(x.f)
		if !isRegular(x.f.Mode) || len(keep)+len(never) > 0 || len(c.t.never.kinds) > 0 && mayBeManifest(x.f.rel) {
			return false
		}
	}
	return true
}

// mayBeManifest reports whether a file may be a Kubernetes manifest or a
// template of one, by its name.
func mayBeManifest(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case "", ".yaml", ".yml", ".json", ".tpl", ".tmpl", ".gotmpl", ".j2", ".jsonnet":
		return true
	}
	return false
}

// takeOver makes the target's file what upstream's is, by its id.
func (c *computation) takeOver(id, target string) {
	u, uok := c.u.copies[id]
	t, tok := c.t.copies[id]
	if c.t.never.file(target) || uok && c.u.never.file(u.path) || !tok && !uok {
		c.refuse(Refusal{File: target, Never: true, Reason: "changed upstream, and never keeps this file where it is", Remedy: "change it in " + c.in.Target + " by hand if it should change there"})
		return
	}
	if !tok && !c.t.items[u.item].copies(strings.TrimPrefix(target, c.t.prefix)) {
		return // the target's except keeps it out
	}
	ch := Change{File: target}
	if tok {
		ch.Now = blobNote(t.File)
	}
	switch {
	case !uok:
		ch.Kinds = addKind(ch.Kinds, Delete)
		c.work[target] = &workFile{gone: true}
	default:
		if !tok {
			ch.Kinds = addKind(ch.Kinds, Create)
		}
		ch.After = blobNote(u.File)
		c.work[target] = &workFile{File: u.File}
	}
	c.res.Changes = append(c.res.Changes, ch)
}

// blobNote names a file by its id, where its bytes were not read.
func blobNote(f File) string { return "blob " + f.Blob[:min(len(f.Blob), 10)] }
