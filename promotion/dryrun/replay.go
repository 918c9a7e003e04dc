package dryrun

// Replay: a stretch of history, commit by commit, as if promobot had been there.
// What it did is read from the ledgers it wrote.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/reconcile"
	"github.com/promobot/promobot/state"
)

// Replay is what promobot would have done to a stretch of history.
type Replay struct {
	Version int    `json:"version"`
	Branch  string `json:"branch"`
	File    string `json:"file"`
	From    Commit `json:"from"` // the baseline
	To      Commit `json:"to"`
	Commits int    `json:"commits"` // after From up to To
	// Unfit counts the commits whose files the pipeline file does not fit, at
	// which nothing would have been done; FirstUnfit is one problem there.
	Unfit        int                 `json:"unfit,omitempty"`
	FirstUnfit   string              `json:"first_unfit,omitempty"`
	MostOpen     int                 `json:"most_open"`
	MostOpenAt   time.Time           `json:"most_open_at,omitzero"`
	PullRequests []PullRequest       `json:"pull_requests"`
	Refused      []RefusedThen       `json:"refused,omitempty"`
	ByHand       []ByHand            `json:"by_hand,omitempty"`
	Totals       []EnvironmentTotals `json:"totals"` // by environment over all pipelines, in the file's order
}

// How a replayed pull request ended.
const (
	StillOpen  = "open"    // nobody has brought its content by hand
	DoneByHand = "by hand" // people made the same change themselves
	Obsolete   = "nothing left"
)

// PullRequest is one that would have been opened.
type PullRequest struct {
	Number      int       `json:"number"`
	Pipeline    string    `json:"pipeline"`
	Environment string    `json:"environment"`
	Title       string    `json:"title"` // as last shown
	Opened      time.Time `json:"opened"`
	Revision    string    `json:"revision"` // as last shown
	Moved       int       `json:"moved"`    // times something newer took its place
	Rebuilt     int       `json:"rebuilt"`  // times it was brought onto a newer base
	Outcome     string    `json:"outcome"`  // open, by hand, or nothing left
	Closed      time.Time `json:"closed,omitzero"`
	Reason      string    `json:"reason,omitempty"` // why it would have been closed
	ClosedBy    *Commit   `json:"closed_by,omitempty"`
}

// RefusedThen is a refusal that a person would have had to deal with.
type RefusedThen struct {
	Pipeline    string `json:"pipeline"`
	Environment string `json:"environment"`
	Reason      string `json:"reason"`
	Commit      Commit `json:"commit"` // at which it was first met
}

// ByHand is a change by people of an environment that has upstreams.
type ByHand struct {
	Pipeline    string `json:"pipeline"`
	Environment string `json:"environment"`
	Commit      Commit `json:"commit"`
	// Proposed says that it brought what a pull request would have proposed.
	Proposed bool `json:"proposed"`
}

// EnvironmentTotals counts one environment over all pipelines.
type EnvironmentTotals struct {
	Environment string `json:"environment"`
	Source      bool   `json:"source,omitempty"` // has no upstreams
	Landings    int    `json:"landings"`         // commits by people that changed what is promoted
	Opened      int    `json:"opened"`
	Moved       int    `json:"moved"`
	DoneByHand  int    `json:"done_by_hand"`
	Obsolete    int    `json:"nothing_left"`
	Open        int    `json:"open"`
	MostOpen    int    `json:"most_open"`
	Refused     int    `json:"refused"`
	// Past counts the changes by people that no pull request would have proposed.
	Past int `json:"past"`
	// HeldBack counts the promotions that would have waited for the limits.
	HeldBack int `json:"held_back,omitempty"`
}

// readAhead is how many commits are read at once.
const readAhead = 256

// MakeReplay walks the history from the baseline (From, or the newest commit
// older than since) to To. progress, which may be nil, is told how many of how
// many commits are done.
func MakeReplay(ctx context.Context, src Source, o Options, since time.Duration, progress func(done, total int)) (*Replay, error) {
	chain, err := replayed(ctx, src, o, since)
	if err != nil {
		return nil, err
	}
	if len(chain) < 2 {
		return nil, ErrEmpty
	}
	l, err := newLoop(src, chain, o)
	if err != nil {
		return nil, err
	}
	if _, err := l.resolve(ctx, o.To); err != nil {
		return nil, err
	}
	r := &recorder{
		loop: l, pulls: map[promotion.Key]*PullRequest{}, totals: map[string]*EnvironmentTotals{},
		refused: map[string]bool{}, heldBack: map[string]bool{}, mostOpen: map[string]int{},
		replay: &Replay{
			Version: Version, Branch: o.Repository.DefaultBranch, File: o.FileName, Commits: len(chain) - 1,
			From: commitOf(chain[len(chain)-1]), To: commitOf(chain[0]), PullRequests: []PullRequest{},
		},
	}
	for i, c := range slices.Backward(chain) {
		if ahead := len(chain) - 1 - i; ahead%readAhead == 0 {
			if err := r.readAhead(ctx, chain[max(0, i+1-readAhead):i+1]); err != nil {
				return nil, err
			}
		}
		if err := r.step(ctx, c); err != nil {
			return nil, fmt.Errorf("at %.10s: %w", c.ID, err)
		}
		if progress != nil {
			progress(len(chain)-1-i, len(chain)-1)
		}
	}
	return r.finish(), nil
}

// replayed is the chain to be walked, its last commit being the baseline.
func replayed(ctx context.Context, src Source, o Options, since time.Duration) ([]promotion.Commit, error) {
	if o.From != "" {
		chain, _, err := stretch(ctx, src, o.From, o.To)
		return chain, err
	}
	for limit := 256; ; limit *= 4 {
		chain, err := src.Chain(ctx, o.To, "", limit)
		if err != nil {
			return nil, err
		}
		first := chain[0].Time.Add(-since)
		i := slices.IndexFunc(chain, func(c promotion.Commit) bool { return c.Time.Before(first) })
		if i >= 0 {
			return chain[:i+1], nil
		}
		if len(chain) < limit {
			return chain, nil
		}
	}
}

// recorder keeps what the loop did.
type recorder struct {
	*loop
	replay   *Replay
	freed    time.Time                          // when the hourly limit lets the next one go
	pulls    map[promotion.Key]*PullRequest     // open
	order    []*PullRequest                     // all
	totals   map[string]*EnvironmentTotals      // by environment
	names    []string                           // of the environments, in the file's order
	refused  map[string]bool                    // already noted
	heldBack map[string]bool                    // already counted
	mostOpen map[string]int                     // open now, by environment
	landings map[promotion.Key]promotion.Commit // of the commit being looked at
}

// readAhead brings what the next commits changed into memory at once.
func (r *recorder) readAhead(ctx context.Context, commits []promotion.Commit) error {
	places, err := r.places(ctx, commits[0].ID, commits[len(commits)-1].ID)
	if err != nil {
		return err
	}
	blobs, err := r.world.src.ReadAhead(ctx, commits, places.own)
	if err != nil {
		return err
	}
	r.world.keep(blobs)
	return nil
}

// step lets the loop come to rest at the next commit. Of the times at which the
// loop wants to run by itself only those matter here at which the limit on
// promotions per hour lets more of them go: nothing else changes by time alone.
func (r *recorder) step(ctx context.Context, c promotion.Commit) error {
	for !r.freed.IsZero() && r.freed.Before(c.Time) {
		r.advance(r.freed)
		res, err := r.rest(ctx)
		if err != nil {
			return err
		}
		r.note(res, nil)
	}
	res, err := r.at(ctx, c)
	if err != nil {
		return err
	}
	if len(res.Snapshot.Environments) == 0 {
		r.freed = time.Time{}
		return r.unfit(ctx, c)
	}
	r.note(res, &c)
	return nil
}

// freed is when the limit on promotions per hour lets the next one go; zero
// while it does not hold any back.
func freed(s *promotion.Snapshot) time.Time {
	var last []time.Time
	for i := range s.Environments {
		if st := s.Environments[i].Ledger.State; st != nil {
			for _, t := range st.Claims {
				if s.Now.Sub(t) < time.Hour {
					last = append(last, t)
				}
			}
		}
	}
	if len(last) < s.Limits.PerHour {
		return time.Time{}
	}
	return slices.MinFunc(last, time.Time.Compare).Add(time.Hour)
}

// unfit notes a commit at which the loop does nothing.
func (r *recorder) unfit(ctx context.Context, c promotion.Commit) error {
	_, err := r.resolve(ctx, c.ID)
	var p *ProblemsError
	if !errors.As(err, &p) {
		return err
	}
	if r.replay.Unfit++; r.replay.FirstUnfit == "" {
		r.replay.FirstUnfit = p.Problems[0].Error()
	}
	return nil
}

// note reads from the ledgers what the loop did, and from its decisions what it
// refused. c is the commit that was just added, nil when only time passed.
func (r *recorder) note(res reconcile.Result, c *promotion.Commit) {
	r.landings = map[promotion.Key]promotion.Commit{}
	s := res.Snapshot
	r.freed = freed(s)
	for i := range s.Environments {
		o := &s.Environments[i]
		r.total(o.Key.Environment).Source = len(o.Config.From) == 0
		if c != nil && len(o.Landings) > 0 && o.Landings[0].Commit == c.ID {
			r.landings[o.Key] = *c
			r.total(o.Key.Environment).Landings++
		}
	}
	proposed := r.happened()
	for i := range s.Environments {
		o := &s.Environments[i]
		r.decided(s, o, &res.Decisions[i])
		if at, landed := r.landings[o.Key]; landed && len(o.Config.From) > 0 {
			r.replay.ByHand = append(r.replay.ByHand, ByHand{
				Pipeline: o.Key.Pipeline, Environment: o.Key.Environment, Commit: commitOf(at), Proposed: proposed[o.Key],
			})
			if !proposed[o.Key] {
				r.total(o.Key.Environment).Past++
			}
		}
	}
}

func (r *recorder) total(environment string) *EnvironmentTotals {
	t := r.totals[environment]
	if t == nil {
		t = &EnvironmentTotals{Environment: environment}
		r.totals[environment] = t
		r.names = append(r.names, environment)
	}
	return t
}

// happened turns new ledger entries into the story of pull requests. It returns
// the environments in which people have just done what was proposed.
func (r *recorder) happened() map[promotion.Key]bool {
	byHand := map[promotion.Key]bool{}
	for _, e := range r.world.entries {
		t := r.total(e.key.Environment)
		p := e.entry.State.Promotion
		pull := r.pulls[e.key]
		switch e.entry.Kind {
		case state.KindOpened:
			pull = &PullRequest{
				Number: p.PullRequest, Pipeline: e.key.Pipeline, Environment: e.key.Environment,
				Opened: e.at, Revision: p.Revision, Outcome: StillOpen,
			}
			r.pulls[e.key] = pull
			r.order = append(r.order, pull)
			t.Opened++
			r.count(e, t, 1)
		case state.KindClaim:
			switch {
			case pull == nil || p.PullRequest == 0:
			case p.Rebuild > 0:
				pull.Rebuilt++
			default:
				pull.Moved++
				t.Moved++
				pull.Revision = p.Revision
			}
		case state.KindClosed:
			if pull == nil {
				continue
			}
			pull.Outcome, pull.Closed, pull.Reason = Obsolete, e.at, p.Reason
			if at, landed := r.landings[e.key]; landed {
				pull.Outcome = DoneByHand
				by := commitOf(at)
				pull.ClosedBy = &by
				byHand[e.key] = true
				t.DoneByHand++
			} else {
				t.Obsolete++
			}
			delete(r.pulls, e.key)
			r.count(e, t, -1)
		default: // baselines and settlements open and close nothing
		}
	}
	r.world.entries = nil
	return byHand
}

// count keeps how many are open at once.
func (r *recorder) count(e written, t *EnvironmentTotals, n int) {
	r.mostOpen[e.key.Environment] += n
	t.MostOpen = max(t.MostOpen, r.mostOpen[e.key.Environment])
	if len(r.pulls) > r.replay.MostOpen {
		r.replay.MostOpen, r.replay.MostOpenAt = len(r.pulls), e.at
	}
}

// decided notes what would have needed a person, and what the limits held back.
func (r *recorder) decided(s *promotion.Snapshot, o *promotion.Observed, d *promotion.Decision) {
	t := r.total(o.Key.Environment)
	switch d.Standing {
	case promotion.Stopped:
		id := o.Key.String() + "\x00" + d.Reason
		if r.refused[id] {
			return
		}
		r.refused[id] = true
		t.Refused++
		r.replay.Refused = append(r.replay.Refused, RefusedThen{
			Pipeline: o.Key.Pipeline, Environment: o.Key.Environment, Reason: d.Reason, Commit: commitOf(s.Chain.Commits[0]),
		})
	case promotion.Waiting:
		if d.Offer == nil || d.Content == nil || len(d.Gates) > 0 || o.Ledger.State.UnderWay() != nil {
			return
		}
		if id := o.Key.String() + "\x00" + d.Offer.Landing.Commit; !r.heldBack[id] {
			r.heldBack[id] = true
			t.HeldBack++
		}
	default:
	}
}

func (r *recorder) finish() *Replay {
	for _, p := range r.order {
		if p.Number >= 1 && p.Number <= len(r.world.pulls) {
			p.Title = r.world.pulls[p.Number-1].Title
		}
		if p.Outcome == StillOpen {
			r.total(p.Environment).Open++
		}
		r.replay.PullRequests = append(r.replay.PullRequests, *p)
	}
	known := r.file.EnvironmentNames()
	slices.SortStableFunc(r.names, func(a, b string) int { return slices.Index(known, a) - slices.Index(known, b) })
	r.replay.Totals = []EnvironmentTotals{}
	for _, n := range r.names {
		r.replay.Totals = append(r.replay.Totals, *r.totals[n])
	}
	return r.replay
}
