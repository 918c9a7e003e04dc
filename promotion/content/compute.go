package content

// Definition 8, item by item: what upstream changed since the target's last
// position, and only that, becomes the target's. Here the four sides are laid
// beside each other and the outcome is put together; files.go has the rule for
// copied files, items.go that for single values.
//
// Nothing is decided on what is not known: a blob that was not read is an
// error, never an absent file.

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

type computation struct {
	in     Input
	u, u0  *side // upstream, then
	t      *side // target
	ub, tb *side // at the baseline
	leak   leakFinder

	work  map[string]*workFile // files of the target that were looked at or changed
	pairs []versionPair
	lines int
	kept  map[string]bool
	res   Result
}

// workFile is a file of the target as edits make it.
type workFile struct {
	File
	gone  bool
	bytes []byte // non-nil when the bytes are new; Blob is empty then
}

func newComputation(in Input) (*computation, error) {
	c := &computation{in: in, work: map[string]*workFile{}, kept: map[string]bool{}, leak: newLeakFinder(in.Source, in.Target)}
	for _, s := range []struct {
		to   **side
		from *Side
	}{{&c.u, &in.Upstream}, {&c.u0, &in.UpstreamThen}, {&c.t, &in.TargetNow}, {&c.ub, &in.UpstreamBaseline}, {&c.tb, &in.TargetBaseline}} {
		sd, err := newSide(*s.from, in.Never, in.Blobs)
		if err != nil {
			return nil, err
		}
		if len(sd.items) != len(in.TargetNow.Place.Items) {
			return nil, errors.New("the places of a promotion have different numbers of items")
		}
		*s.to = sd
	}
	return c, nil
}

func (c *computation) sides() []*side {
	return []*side{c.u, c.u0, c.t, c.ub, c.tb}
}

// Needs lists the blobs whose bytes [Compute] reads for this input, sorted:
// those of [DigestNeeds] for the target, the files of values on every side, and
// the copied files that changed upstream.
func Needs(in Input) []string {
	c, err := newComputation(in)
	if err != nil {
		return nil
	}
	need := map[string]bool{}
	c.t.digestNeeds(need)
	for _, s := range c.sides() {
		for i := range s.items {
			if p := s.valueFile(i); p != "" && isRegular(s.listing[p].Mode) {
				need[s.listing[p].Blob] = true
			}
		}
	}
	for _, id := range c.copyIDs() {
		if c.sameFile(id) || c.unread(id) {
			continue
		}
		for _, s := range c.sides() {
			if f, ok := s.copies[id]; ok && f.Mode != modeSubmodule {
				need[f.Blob] = true
			}
		}
		// A file at the target's place that no item of the target names.
		if f, ok := c.t.listing[c.targetPath(id)]; ok && f.Mode != modeSubmodule {
			need[f.Blob] = true
		}
	}
	return sortedKeys(need)
}

// copyIDs are the copied files that upstream has or had.
func (c *computation) copyIDs() []string {
	ids := map[string]bool{}
	for _, s := range []*side{c.u, c.u0} {
		for id := range s.copies {
			ids[id] = true
		}
	}
	return sortedKeys(ids)
}

// sameFile reports whether a copied file has certainly not changed upstream:
// same mode and same blob.
func (c *computation) sameFile(id string) bool {
	u, ok := c.u.copies[id]
	before, had := c.u0.copies[id]
	if c.in.Reconcile {
		if before, had = c.t.copies[id]; !ok {
			return true
		}
	}
	return ok == had && u.File == before.File
}

// Compute applies definition 8. It fails with a *[MissingBlobError] when a blob
// of [Needs] is missing and with a *[FileError] when a file upstream or in the
// target cannot be read where values in it matter.
func Compute(in Input) (Result, error) {
	c, err := newComputation(in)
	if err != nil {
		return Result{}, err
	}
	for _, id := range c.copyIDs() {
		if c.sameFile(id) {
			continue
		}
		if c.unread(id) {
			c.takeOver(id, c.targetPath(id))
			continue
		}
		if err := c.file(id); err != nil {
			return Result{}, err
		}
	}
	for i := range c.t.items {
		if c.t.items[i].kind == Files {
			continue
		}
		if err := c.item(i); err != nil {
			return Result{}, err
		}
	}
	return c.finish()
}

// finish turns the work into sorted edits and checks them.
func (c *computation) finish() (_ Result, err error) {
	paths := make([]string, 0, len(c.work))
	for p := range c.work {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	blobs := Blobs{}
	maps.Copy(blobs, c.in.Blobs)
	r := &c.res
	for _, p := range paths {
		w := c.work[p]
		now, there := c.t.listing[p]
		e := Edit{Path: p, Mode: w.Mode, Blob: w.Blob, Bytes: w.bytes}
		if w.bytes != nil {
			// What stands, or stands upstream, is taken over as it is.
			for _, f := range []File{now, c.u.listing[c.u.prefix+strings.TrimPrefix(p, c.t.prefix)]} {
				if b, ok := c.in.Blobs[f.Blob]; f.Blob != "" && ok && bytes.Equal(b, w.bytes) {
					e.Blob, e.Bytes = f.Blob, nil
					break
				}
			}
		}
		switch {
		case w.gone && !there, !w.gone && there && e.Bytes == nil && now == (File{e.Mode, e.Blob}):
			continue
		case w.gone:
			e = Edit{Path: p, Delete: true}
		}
		if !c.t.Owns(p) {
			return Result{}, fmt.Errorf("an edit of %s lies outside the target's projection", p)
		}
		r.Edits = append(r.Edits, e)
	}
	c.refuseTangled()
	if len(r.Edits) > LargeFiles || c.lines > LargeLines {
		r.Kinds = addKind(r.Kinds, Large)
	}
	for _, ch := range r.Changes {
		for _, k := range ch.Kinds {
			r.Kinds = addKind(r.Kinds, k)
		}
	}
	slices.SortStableFunc(r.Changes, func(a, b Change) int {
		if n := strings.Compare(a.File, b.File); n != 0 {
			return n
		}
		return strings.Compare(a.Value, b.Value)
	})
	slices.SortStableFunc(r.Refused, func(a, b Refusal) int {
		if n := strings.Compare(a.File, b.File); n != 0 {
			return n
		}
		return strings.Compare(a.Value, b.Value)
	})
	if len(c.kept) > 0 && len(r.Edits) > 0 {
		r.Kept = sortedKeys(c.kept)
	}
	one := oneVersion(c.pairs)
	r.From, r.To = one.from, one.to

	if r.Was, err = Digest(c.in.TargetNow, blobs); err != nil || len(r.Edits) == 0 {
		r.Expected = r.Was
		return *r, err
	}
	after, blobs, err := Apply(c.in.TargetNow.Files, blobs, r.Edits)
	if err != nil {
		return Result{}, err
	}
	r.Expected, err = Digest(Side{Place: c.in.TargetNow.Place, Files: after}, blobs)
	return *r, err
}

// refuseTangled takes out edits that would put a file where the target has a
// folder of its own, or below a file of its own.
func (c *computation) refuseTangled() {
	final := map[string]bool{}
	folders := map[string]bool{}
	for p := range c.t.listing {
		final[p] = true
	}
	for _, e := range c.res.Edits {
		final[e.Path] = !e.Delete
	}
	parents := func(p string, visit func(string)) {
		for i := strings.LastIndexByte(p, '/'); i > 0; i = strings.LastIndexByte(p[:i], '/') {
			visit(p[:i])
		}
	}
	for p, there := range final {
		if there {
			parents(p, func(dir string) { folders[dir] = true })
		}
	}
	c.res.Edits = slices.DeleteFunc(c.res.Edits, func(e Edit) bool {
		if e.Delete {
			return false
		}
		tangled := folders[e.Path]
		parents(e.Path, func(dir string) { tangled = tangled || final[dir] })
		if tangled {
			c.res.Changes = slices.DeleteFunc(c.res.Changes, func(ch Change) bool { return ch.File == e.Path })
			c.refuse(Refusal{
				File:   e.Path,
				Reason: "upstream it is a file, and " + c.in.Target + " has files of its own where that makes it a folder, or the other way round",
				Remedy: "move or remove the files that stand in the way in " + c.in.Target,
			})
		}
		return tangled
	})
}

func (c *computation) refuse(r Refusal) { c.res.Refused = append(c.res.Refused, r) }

// current is a file of the target as the edits so far leave it.
func (c *computation) current(path string) (*workFile, []byte, error) {
	w := c.work[path]
	if w == nil {
		f, ok := c.t.listing[path]
		w = &workFile{File: f, gone: !ok}
	}
	if w.gone || w.bytes != nil || w.Mode == modeSubmodule {
		return w, w.bytes, nil
	}
	b, err := c.t.bytes(path, w.File)
	return w, b, err
}

func (c *computation) write(path, mode string, data []byte) {
	if data == nil {
		data = []byte{}
	}
	c.work[path] = &workFile{File: File{Mode: mode}, bytes: data}
}

// Apply makes the edits to a listing and returns the new listing, and the blobs
// with those that the edits brought, under the ids that git gives them in a
// SHA-1 repository. What it is given stays as it is.
func Apply(files Listing, blobs Blobs, edits []Edit) (Listing, Blobs, error) {
	after, bytesAfter := Listing{}, Blobs{}
	maps.Copy(after, files)
	maps.Copy(bytesAfter, blobs)
	for _, e := range edits {
		switch {
		case e.Delete:
			delete(after, e.Path)
		case e.Bytes != nil:
			id := gitBlobID(e.Bytes)
			after[e.Path], bytesAfter[id] = File{e.Mode, id}, e.Bytes
		case e.Blob != "":
			after[e.Path] = File{e.Mode, e.Blob}
		default:
			return nil, nil, fmt.Errorf("an edit of %s has neither bytes nor a blob", e.Path)
		}
	}
	return after, bytesAfter, nil
}
