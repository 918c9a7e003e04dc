package reconcile

// Landings: which commits of the base branch changed which environment's
// projection. Paths tell most of it without reading anything; where only values
// inside a file are promoted, digests before and after tell the rest.

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// landingsKept is how many landings are looked for where more than the newest
// may be offered: several upstreams have to agree, or none may be left out.
const landingsKept = 20

type changeKey struct{ place, commit string }

// changed is what one commit did to one projection.
type changed struct {
	landing  bool
	digest   string
	revision string // as the commit names it; "" where the revision is the commit
}

// track is a history that is looked through for what changes a projection: an
// environment's own branch, or the one it is read from.
type track struct {
	o       *promotion.Observed
	key     string // of the place
	chain   promotion.Chain
	matcher *content.Matcher
	floor   int  // index of the commit from which on nothing counts
	limit   int  // how many are wanted
	read    bool // its source branch
	at      []int
	next    int
}

func (t *track) found() *[]promotion.Landing {
	if t.read {
		return &t.o.Reads
	}
	return &t.o.Landings
}

// candidate is a commit that touches files of an environment's place.
type candidate struct {
	t             *track
	index         int
	before, after content.Side
}

// readLandings finds the newest landings of every environment above its
// baseline. It says whether it needed the network.
func (r *Reconciler) readLandings(ctx context.Context, v *view) (fetched bool, err error) {
	s := v.snapshot
	tracks := r.tracks(s)
	r.touches(tracks)
	for {
		var unknown []candidate
		for _, t := range tracks {
			into := t.found()
			for t.next < len(t.at) && len(*into) < t.limit {
				index := t.at[t.next]
				c, known := r.memory.changes[changeKey{t.key, t.chain.Commits[index].ID}]
				if !known {
					unknown = append(unknown, candidate{t: t, index: index})
					break
				}
				t.next++
				switch {
				case c.landing && t.read:
					l := promotion.Landing{Index: index, Digest: c.digest, Origin: t.o.Key.Environment}
					promotion.Describe(&l, t.chain.Commits[index])
					l.Revision = cmp.Or(c.revision, l.Revision)
					*into = append(*into, l)
				case c.landing:
					addLanding(s, t.o, index, c)
				}
			}
			if t.next >= len(t.at) && len(*into) == 0 && !t.read {
				addRecorded(s, t.o)
			}
		}
		if len(unknown) == 0 {
			for _, t := range tracks {
				if !t.read {
					t.o.Older = t.at[t.next:]
				}
			}
			return fetched, nil
		}
		used, err := r.digest(ctx, v, unknown)
		if err != nil {
			return false, err
		}
		fetched = fetched || used
	}
}

// tracks are the histories to be looked through.
func (r *Reconciler) tracks(s *promotion.Snapshot) []*track {
	want := map[promotion.Key]int{}
	for i := range s.Environments {
		o := &s.Environments[i]
		most := 0
		switch {
		case o.Config.Newer == config.NewerQueues:
			most = math.MaxInt // none may be left out
		case len(o.Config.From) > 1 || o.Config.Read != "":
			most = landingsKept
		}
		for _, f := range o.Config.From {
			k := promotion.Key{Pipeline: o.Key.Pipeline, Environment: f}
			want[k] = max(want[k], most)
		}
	}
	var ts []*track
	for i := range s.Environments {
		o := &s.Environments[i]
		if o.Config.Managed || !o.Config.Present {
			continue
		}
		m, err := r.matcher(o.Config)
		if err != nil {
			o.Doubts = append(o.Doubts, fmt.Sprintf("its place cannot be read: %v", err))
			continue
		}
		t := track{o: o, key: r.trackKey(o), matcher: m}
		if o.Config.Read != "" {
			read := t
			read.read, read.chain, read.limit = true, s.History(o.Config.Read), landingsKept
			ts = append(ts, readTrack(&read))
		}
		if o.Ledger.State == nil {
			continue
		}
		t.chain, t.limit = s.ChainOf(o), max(1, want[o.Key])
		switch rec := o.Ledger.State.Landing; {
		case o.Config.Verify != nil: // an older one may be the newest that is verified
			t.limit = max(t.limit, landingsKept)
		case rec != nil && rec.Was != nil: // the one after it may take it back
			t.limit = max(t.limit, 2)
		}
		base, on := t.chain.Index(o.Ledger.State.Baseline.Commit)
		switch {
		case on:
			t.floor = base
		case o.Ledger.State.Baseline.Commit == "": // the branch was not there yet
			t.floor = len(t.chain.Commits)
		default:
			o.Ledger.Problem = fmt.Sprintf("commit %.10s, at which it was first seen, is no longer in the history of %s; delete %s to begin anew from what stands",
				o.Ledger.State.Baseline.Commit, s.Base(o), o.Ledger.Ref)
			continue
		}
		ts = append(ts, &t)
	}
	return ts
}

// readTrack looks through a source branch down to what was last taken from it,
// or only at what stands there when nothing was.
func readTrack(t *track) *track {
	t.floor = len(t.chain.Commits)
	st := t.o.Ledger.State
	if st == nil {
		if tip := t.chain.Tip(); tip != "" {
			t.floor = 0
			t.o.Reads = []promotion.Landing{{Commit: tip}}
		}
		return t
	}
	for _, from := range promotion.Offerers(t.o) {
		at := cmp.Or(st.Position[from].Read, st.Position[from].Commit)
		if i, on := t.chain.Index(at); on {
			t.floor = min(t.floor, i)
		}
	}
	// What was last taken may be offered again, by a revision that changed nothing.
	t.floor = min(t.floor+1, len(t.chain.Commits))
	return t
}

// trackKey is all that a landing of an environment depends on besides the commit.
func (r *Reconciler) trackKey(o *promotion.Observed) string {
	key := r.placeKey(o.Config.Place)
	if o.Config.Revision.In != "" {
		key += "\x00" + o.Config.Revision.In + "\x00" + o.Config.Revision.Value
	}
	return key
}

// placeKey is a place as a key: every resolved place has items of its own.
func (r *Reconciler) placeKey(p content.Place) string {
	if len(p.Items) == 0 {
		return ""
	}
	keys := r.memory.resolved.placeKeys
	key, known := keys[&p.Items[0]]
	if !known {
		key = state.Hash(fmt.Sprintf("%#v", p))
		keys[&p.Items[0]] = key
	}
	return key
}

// addLanding names a landing and adds it, unless it is part of one that is there.
func addLanding(s *promotion.Snapshot, o *promotion.Observed, index int, c changed) {
	if len(o.Landings) == 0 && recordedIndex(s, o) < index {
		addRecorded(s, o)
	}
	l := promotion.NameLanding(o, s.ChainOf(o), index)
	l.Digest = c.digest
	if l.Promotion == "" {
		l.Revision = cmp.Or(c.revision, l.Revision)
	}
	if n := len(o.Landings); n > 0 && o.Landings[n-1].Commit == l.Commit {
		return
	}
	o.Landings = append(o.Landings, l)
}

// recordedIndex is the place of the ledger's newest landing in the chain, or
// past its end.
func recordedIndex(s *promotion.Snapshot, o *promotion.Observed) int {
	if st := o.Ledger.State; st != nil && st.Landing != nil {
		if i, on := s.ChainOf(o).Index(st.Landing.Commit); on {
			return i
		}
	}
	return len(s.ChainOf(o).Commits)
}

// addRecorded adds the ledger's newest landing where history alone does not
// show it, since the pipeline file has changed what the projection is.
func addRecorded(s *promotion.Snapshot, o *promotion.Observed) {
	if i := recordedIndex(s, o); i < len(s.ChainOf(o).Commits) {
		l := promotion.NameLanding(o, s.ChainOf(o), i)
		l.Digest = o.Ledger.State.Landing.Actual
		o.Landings = append(o.Landings, l)
	}
}

// touches lists, for every track, the commits above its floor that touch files
// of its place, newest first. The tracks of one branch are looked through
// together.
func (r *Reconciler) touches(tracks []*track) {
	byTip := map[string][]*track{}
	for _, t := range tracks {
		if t.floor > 0 {
			byTip[t.chain.Tip()] = append(byTip[t.chain.Tip()], t)
		}
	}
	for _, ts := range byTip {
		byDir := map[string][]*track{}
		deepest := 0
		for _, t := range ts {
			byDir[t.o.Config.Place.Dir] = append(byDir[t.o.Config.Place.Dir], t)
			deepest = max(deepest, t.floor)
		}
		for ci, c := range ts[0].chain.Commits[:deepest] {
			for _, p := range c.Changed {
				for dir := path.Dir(p); ; dir = path.Dir(dir) {
					if dir == "." {
						dir = ""
					}
					for _, t := range byDir[dir] {
						if n := len(t.at); ci < t.floor && (n == 0 || t.at[n-1] != ci) && (r.owns(t.matcher, p) || p == revisionFile(t.o.Config)) {
							t.at = append(t.at, ci)
						}
					}
					if dir == "" {
						break
					}
				}
			}
		}
	}
}

// revisionFile is the path of the file that names an environment's revision; ""
// where the revision is the commit. One that begins with a slash is the root's.
func revisionFile(e *config.Environment) string {
	in, root := strings.CutPrefix(e.Revision.In, "/")
	if in == "" || root {
		return in
	}
	return path.Join(e.Place.Dir, in)
}

// digest finds out what candidates did to their projections.
func (r *Reconciler) digest(ctx context.Context, v *view, cs []candidate) (fetched bool, err error) {
	var ids []string
	for i := range cs {
		c := &cs[i]
		place := c.t.o.Config.Place
		at := c.t.chain.Commits[c.index]
		if c.after, err = r.side(ctx, place, at.ID); err != nil {
			return false, err
		}
		c.before = content.Side{Place: place}
		if len(at.Parents) > 0 {
			if c.before, err = r.side(ctx, place, at.Parents[0]); err != nil {
				return false, err
			}
		}
		ids = append(append(ids, content.DigestNeeds(c.after)...), content.DigestNeeds(c.before)...)
		if f, there, err := r.revisionBlob(ctx, c); err != nil {
			return false, err
		} else if there {
			ids = append(ids, f)
		}
	}
	if fetched, err = r.readBlobs(ctx, v, ids); err != nil {
		return false, err
	}
	for i := range cs {
		c := &cs[i]
		after, errAfter := content.Digest(c.after, v.blobs)
		before, errBefore := content.Digest(c.before, v.blobs)
		// A file that cannot be parsed has changed, whatever it was before.
		did := changed{landing: errAfter != nil || errBefore != nil || after != before, digest: after}
		if f, there, err := r.revisionBlob(ctx, c); err != nil {
			return false, err
		} else if there {
			// A commit that only names a newer revision has landed it: nothing had to change for it.
			did.revision = content.Text(v.blobs[f], c.t.o.Config.Revision.Value)
			did.landing = did.landing || c.t.read || slices.Contains(c.t.chain.Commits[c.index].Changed, revisionFile(c.t.o.Config))
		}
		r.memory.changes[changeKey{c.t.key, c.t.chain.Commits[c.index].ID}] = did
	}
	return fetched, nil
}

// revisionBlob is the blob of the file that names the revision of a commit.
func (r *Reconciler) revisionBlob(ctx context.Context, c *candidate) (blob string, there bool, err error) {
	file := revisionFile(c.t.o.Config)
	if file == "" {
		return "", false, nil
	}
	f, there := c.after.Files[file]
	if !there {
		dir := path.Dir(file)
		if dir == "." {
			dir = ""
		}
		files, err := r.git.List(ctx, c.t.chain.Commits[c.index].ID, []string{dir})
		if err != nil {
			return "", false, err
		}
		f, there = files[file]
	}
	return f.Blob, there && (f.Mode == "100644" || f.Mode == "100755"), nil
}

func (r *Reconciler) side(ctx context.Context, p content.Place, commit string) (content.Side, error) {
	if commit == "" {
		return content.Side{Place: p}, nil
	}
	files, err := r.git.List(ctx, commit, []string{p.Dir})
	if err != nil {
		return content.Side{}, fmt.Errorf("list %s at %.10s: %w", p.Dir, commit, err)
	}
	return content.Side{Place: p, Files: files}, nil
}

// readBlobs brings the bytes of blobs into the view.
func (r *Reconciler) readBlobs(ctx context.Context, v *view, ids []string) (fetched bool, err error) {
	var missing []string
	seen := map[string]bool{}
	for _, id := range ids {
		if _, there := v.blobs[id]; !there && !seen[id] {
			seen[id] = true
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return false, nil
	}
	got, fetched, err := r.git.Blobs(ctx, missing)
	if err != nil {
		return false, fmt.Errorf("read file contents: %w", err)
	}
	maps.Copy(v.blobs, got)
	return fetched, nil
}
