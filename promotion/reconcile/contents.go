package reconcile

// Contents: definition 8 applied to every environment for which something is
// offered or under way, on the base just fetched.

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// job is one content to be computed.
type job struct {
	o     *promotion.Observed
	input content.Input
	id    string // of the input
	then  func(content.Result)
	// actual is the target at the landed commit, where that is what is asked.
	actual *content.Side
	// version is what is promoted instead of files, and what was before it.
	version, before string
}

// readContents computes what every offer changes, and what every merged pull
// request should have made. It says whether it needed the network.
func (r *Reconciler) readContents(ctx context.Context, v *view) (fetched bool, err error) {
	s := v.snapshot
	var jobs []job
	v.jobs = map[*promotion.Observed]job{}
	for i := range s.Environments {
		o := &s.Environments[i]
		if o.Ledger.State == nil || o.Ledger.Problem != "" || len(o.Doubts) > 0 || !o.Config.Present {
			continue
		}
		if reverts := promotion.Reverting(s, o); reverts != nil {
			j, err := r.revertInput(ctx, o, *reverts, s.ChainOf(o).Tip())
			j.then = func(res content.Result) {
				o.Content = &res
				o.Touched = touched(s, o, res)
			}
			v.jobs[o] = j
			jobs = keep(jobs, o, err, j)
		} else if offer := promotion.Carried(s, o); offer != nil {
			j, err := r.input(ctx, s, o, *offer, s.ChainOf(o).Tip())
			j.then = func(res content.Result) {
				o.Content = &res
				o.Touched = touched(s, o, res)
			}
			v.jobs[o] = j
			jobs = keep(jobs, o, err, j)
		}
		if o.Resolved != nil {
			j, err := r.landed(ctx, s, o)
			jobs = keep(jobs, o, err, j)
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
	}
	var ids []string
	for i := range jobs {
		j := &jobs[i]
		j.id = r.fingerprint(j)
		if _, known := r.memory.computed[j.id]; !known {
			ids = append(ids, content.Needs(j.input)...)
		}
		if j.actual != nil {
			ids = append(ids, content.DigestNeeds(*j.actual)...)
		}
	}
	if fetched, err = r.readBlobs(ctx, v, ids); err != nil {
		return false, err
	}
	for _, j := range jobs {
		r.compute(j, v.blobs)
	}
	return fetched, nil
}

// keep adds a job. What keeps it from being asked is a doubt of its own
// environment only.
func keep(jobs []job, o *promotion.Observed, err error, j job) []job {
	if err != nil {
		o.Doubts = append(o.Doubts, err.Error())
		return jobs
	}
	return append(jobs, j)
}

func (r *Reconciler) compute(j job, blobs content.Blobs) {
	j.input.Blobs = blobs
	res, known := r.memory.computed[j.id]
	var err error
	if !known {
		if res, err = computed(j); err == nil {
			r.memory.computed[j.id] = res
		}
	}
	var bad *content.FileError
	switch {
	case errors.As(err, &bad):
		// A file that cannot be read as what it is blocks its own promotion, and
		// the people who wrote it are told where.
		res = content.Result{Refused: []content.Refusal{{Reason: bad.Error(), Remedy: "mend the file"}}}
	case err != nil:
		j.o.Doubts = append(j.o.Doubts, fmt.Sprintf("what it would change could not be computed: %v", err))
		return
	}
	if j.actual != nil {
		actual, err := content.Digest(*j.actual, blobs)
		if err != nil {
			actual = "unreadable: " + err.Error()
		}
		j.o.Resolved.Actual = actual
	}
	j.then(res)
}

// computed applies definition 8. Where a version is promoted, upstream is the
// target's own with the version in its place.
func computed(j job) (content.Result, error) {
	if j.version == "" {
		return content.Compute(j.input)
	}
	in := j.input
	var refused []content.Refusal
	var err error
	if in.Upstream, in.Blobs, refused, err = content.WithVersion(in.TargetNow, in.Blobs, j.version); err != nil {
		return content.Result{}, err
	}
	if in.UpstreamThen = in.TargetBaseline; j.before != "" {
		if in.UpstreamThen, in.Blobs, _, err = content.WithVersion(in.TargetNow, in.Blobs, j.before); err != nil {
			return content.Result{}, err
		}
	}
	in.UpstreamBaseline, in.AllowMoving = in.TargetBaseline, true
	res, err := content.Compute(in)
	res.Refused = append(res.Refused, refused...)
	for i, e := range res.Edits {
		// A blob that was made up here is none that git has.
		if _, stands := j.input.Blobs[e.Blob]; e.Blob != "" && !stands {
			res.Edits[i].Blob, res.Edits[i].Bytes = "", in.Blobs[e.Blob]
		}
	}
	return res, err
}

// fingerprint hashes all that a content is computed from, blobs by their ids.
func (r *Reconciler) fingerprint(j *job) string {
	h := sha256.New()
	in := &j.input
	fmt.Fprintf(h, "%q %q\n", j.version, j.before)
	fmt.Fprintf(h, "%q %q %t %t %t %q\n", in.Source, in.Target, in.Reconcile, in.AllowMoving, in.Unread, in.Never)
	var line []byte
	for _, s := range []content.Side{in.Upstream, in.UpstreamThen, in.TargetNow, in.UpstreamBaseline, in.TargetBaseline} {
		line = append(append(line[:0], r.placeKey(s.Place)...), '\n')
		for _, p := range slices.Sorted(maps.Keys(s.Files)) {
			f := s.Files[p]
			line = append(append(append(append(line, p...), 0), f.Mode...), f.Blob...)
		}
		h.Write(append(line, '\n'))
	}
	return string(h.Sum(nil))
}

// input gathers the sides of definition 8 for an offer, on a base commit.
func (r *Reconciler) input(ctx context.Context, s *promotion.Snapshot, o *promotion.Observed, offer promotion.Offer, base string) (job, error) {
	st := o.Ledger.State
	place := o.Config.Place
	position := st.Position[offer.From]
	j := job{o: o, input: content.Input{Source: offer.From, Target: o.Key.Environment}}
	in := &j.input
	now, then, first := offer.Landing.Commit, position.Commit, st.Baseline.Of(offer.From)
	up := s.Upstream(o, offer.From)
	switch {
	case offer.From == state.Source && o.Config.Source == nil:
		in.Source = o.Config.Read
	case offer.From == state.Source, up != nil && up.Config.Managed:
		// Filled in when the target's files have been read.
		j.version, j.before = offer.Landing.Revision, position.Revision
		now, then, first = "", "", ""
	case up == nil:
		return j, fmt.Errorf("%s has no upstream %s", o.Key, offer.From)
	case o.Config.Read != "":
		now, then, first = offer.Landing.Read, position.Read, st.Baseline.Of(state.ReadBranch)
	default:
		place = up.Config.Place
	}
	in.Unread = slices.Contains(o.Config.Allow, content.Leak) && slices.Contains(o.Config.Allow, content.Large) && slices.Contains(o.Config.Allow, content.Downgrade)
	in.Reconcile = st.Baseline.Reconcile && position.Revision == "" && j.version == ""
	for _, x := range []struct {
		into   *content.Side
		place  content.Place
		commit string
	}{
		{&in.Upstream, place, now},
		{&in.UpstreamThen, place, then},
		{&in.UpstreamBaseline, place, first},
		{&in.TargetNow, o.Config.Place, base},
		{&in.TargetBaseline, o.Config.Place, st.Baseline.Commit},
	} {
		side, err := r.side(ctx, x.place, x.commit)
		if err != nil {
			return j, err
		}
		*x.into = side
	}
	return j, nil
}

// landed asks what a merged pull request should have made of the base before
// it, to be compared with what it did make.
func (r *Reconciler) landed(ctx context.Context, s *promotion.Snapshot, o *promotion.Observed) (job, error) {
	p := o.Ledger.State.Promotion
	if p.Reverts != nil {
		return r.revertedInput(ctx, o, *p)
	}
	offer := *promotion.OfferOf(*p)
	if q := p.Replaced; o.Resolved.Replaced {
		offer = promotion.Offer{From: q.From, Landing: promotion.Landing{Commit: q.Landing, Revision: q.Revision, Origin: q.Origin, Read: q.Read}}
	}
	actual, err := r.side(ctx, o.Config.Place, o.Resolved.Commit)
	if err != nil {
		return job{}, err
	}
	o.Resolved.Expected = p.Expected
	if offer.From != state.Source && s.Upstream(o, offer.From) == nil {
		// The pipeline file has changed since; what was claimed is what counts.
		return job{o: o, actual: &actual, then: func(content.Result) {}}, nil
	}
	j, err := r.input(ctx, s, o, offer, o.Resolved.Before)
	if err != nil {
		return job{}, err
	}
	j.actual = &actual
	j.then = func(res content.Result) {
		o.Resolved.Was = res.Was
		if len(res.Refused) == 0 {
			o.Resolved.Expected = res.Expected
		}
	}
	return j, nil
}

// touched says whether the base branch changed, since a promotion was built,
// any file that it changes too.
func touched(s *promotion.Snapshot, o *promotion.Observed, res content.Result) bool {
	p := o.Ledger.State.UnderWay()
	if p == nil || p.Status != state.Opened {
		return false
	}
	chain := s.ChainOf(o)
	built, on := chain.Index(p.Base)
	if !on {
		return true
	}
	files := map[string]bool{}
	for _, e := range res.Edits {
		files[e.Path] = true
	}
	for _, c := range chain.Commits[:built] {
		for _, f := range c.Changed {
			if files[f] {
				return true
			}
		}
	}
	return false
}
