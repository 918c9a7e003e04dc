package reconcile

// Landings: which commits of the base branch changed which environment's
// projection. Paths tell most of it without reading anything; where only values
// inside a file are promoted, digests before and after tell the rest.

import (
	"context"
	"fmt"
	"maps"
	"path"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// landingsKept is how many landings are looked for in an environment that is
// one of several upstreams, whose newest common revision is wanted.
const landingsKept = 20

type changeKey struct{ place, commit string }

// changed is what one commit did to one projection.
type changed struct {
	landing bool
	digest  string
}

// candidate is a commit that touches files of an environment's place.
type candidate struct {
	o      *promotion.Observed
	place  string // hashed
	index  int
	before content.Side
	after  content.Side
}

// readLandings finds the newest landings of every environment above its
// baseline. It says whether it needed the network.
func (r *Reconciler) readLandings(ctx context.Context, v *view) (fetched bool, err error) {
	s := v.snapshot
	touching := r.touches(s)
	want := map[string]int{}
	for i := range s.Environments {
		if o := &s.Environments[i]; len(o.Config.From) > 1 {
			for _, f := range o.Config.From {
				want[o.Key.Pipeline+"\x00"+f] = landingsKept
			}
		}
	}
	at := make([]int, len(s.Environments)) // next candidate of each environment
	for {
		var unknown []candidate
		for i := range s.Environments {
			o := &s.Environments[i]
			limit := max(1, want[o.Key.Pipeline+"\x00"+o.Key.Environment])
			for at[i] < len(touching[i]) && len(o.Landings) < limit {
				index := touching[i][at[i]]
				k := changeKey{r.placeKey(o.Config.Place), s.Chain.Commits[index].ID}
				c, known := r.memory.changes[k]
				if !known {
					unknown = append(unknown, candidate{o: o, place: k.place, index: index})
					break
				}
				at[i]++
				if c.landing {
					addLanding(s, o, index, c.digest)
				}
			}
			if at[i] >= len(touching[i]) && len(o.Landings) == 0 {
				addRecorded(s, o)
			}
		}
		if len(unknown) == 0 {
			return fetched, nil
		}
		used, err := r.digest(ctx, v, unknown)
		if err != nil {
			return false, err
		}
		fetched = fetched || used
	}
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
func addLanding(s *promotion.Snapshot, o *promotion.Observed, index int, digest string) {
	if len(o.Landings) == 0 && recordedIndex(s, o) < index {
		addRecorded(s, o)
	}
	l := promotion.NameLanding(o, s.Chain, index)
	l.Digest = digest
	if n := len(o.Landings); n > 0 && o.Landings[n-1].Commit == l.Commit {
		return
	}
	o.Landings = append(o.Landings, l)
}

// recordedIndex is the place of the ledger's newest landing in the chain, or
// past its end.
func recordedIndex(s *promotion.Snapshot, o *promotion.Observed) int {
	if st := o.Ledger.State; st != nil && st.Landing != nil {
		if i, on := s.Chain.Index(st.Landing.Commit); on {
			return i
		}
	}
	return len(s.Chain.Commits)
}

// addRecorded adds the ledger's newest landing where history alone does not
// show it, since the pipeline file has changed what the projection is.
func addRecorded(s *promotion.Snapshot, o *promotion.Observed) {
	if i := recordedIndex(s, o); i < len(s.Chain.Commits) {
		l := promotion.NameLanding(o, s.Chain, i)
		l.Digest = o.Ledger.State.Landing.Actual
		o.Landings = append(o.Landings, l)
	}
}

// touches lists, for every environment, the commits above its baseline that
// touch files of its place, newest first.
func (r *Reconciler) touches(s *promotion.Snapshot) [][]int {
	owns := make([]*content.Matcher, len(s.Environments))
	floor := make([]int, len(s.Environments))
	byDir := map[string][]int{}
	deepest := 0
	for i := range s.Environments {
		o := &s.Environments[i]
		if o.Ledger.State == nil {
			continue
		}
		m, err := r.matcher(o.Config)
		if err != nil {
			o.Doubts = append(o.Doubts, fmt.Sprintf("its place cannot be read: %v", err))
			continue
		}
		base, on := s.Chain.Index(o.Ledger.State.Baseline.Commit)
		if !on {
			o.Ledger.Problem = fmt.Sprintf("commit %.10s, at which it was first seen, is no longer in the history of %s; delete %s to begin anew from what stands",
				o.Ledger.State.Baseline.Commit, s.Repository.DefaultBranch, o.Ledger.Ref)
			continue
		}
		owns[i], floor[i] = m, base
		byDir[o.Config.Place.Dir] = append(byDir[o.Config.Place.Dir], i)
		deepest = max(deepest, base)
	}
	out := make([][]int, len(s.Environments))
	for ci := 0; ci < deepest; ci++ {
		for _, p := range s.Chain.Commits[ci].Changed {
			for dir := path.Dir(p); ; dir = path.Dir(dir) {
				if dir == "." {
					dir = ""
				}
				for _, i := range byDir[dir] {
					if n := len(out[i]); ci < floor[i] && (n == 0 || out[i][n-1] != ci) && r.owns(owns[i], p) {
						out[i] = append(out[i], ci)
					}
				}
				if dir == "" {
					break
				}
			}
		}
	}
	return out
}

// digest finds out what candidates did to their projections.
func (r *Reconciler) digest(ctx context.Context, v *view, cs []candidate) (fetched bool, err error) {
	var ids []string
	for i := range cs {
		c := &cs[i]
		place := c.o.Config.Place
		at := v.snapshot.Chain.Commits[c.index]
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
	}
	if fetched, err = r.readBlobs(ctx, v, ids); err != nil {
		return false, err
	}
	for _, c := range cs {
		after, errAfter := content.Digest(c.after, v.blobs)
		before, errBefore := content.Digest(c.before, v.blobs)
		// A file that cannot be parsed has changed, whatever it was before.
		landing := errAfter != nil || errBefore != nil || after != before
		r.memory.changes[changeKey{c.place, v.snapshot.Chain.Commits[c.index].ID}] = changed{landing, after}
	}
	return fetched, nil
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
