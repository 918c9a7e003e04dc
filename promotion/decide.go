package promotion

// Decide: what to do next in every environment. It looks at one environment
// after the other, in the order of the file, from what is certain to what is
// possible: can anything be known, is something under way, has it ended, is
// something newer offered.

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// Decide returns one decision for each environment of the snapshot, in its order.
func Decide(s *Snapshot) []Decision {
	ds := make([]Decision, len(s.Environments))
	for i := range s.Environments {
		o := &s.Environments[i]
		ds[i] = decide(s, o)
		ds[i].Key = o.Key
		ds[i].Content = o.Content
		observing(s, o, &ds[i])
		for _, g := range ds[i].Gates {
			ds[i].Until = soonest(ds[i].Until, ahead(s, g.Until))
		}
		if st := o.Ledger.State; st != nil && st.Hold != nil {
			ds[i].Until = soonest(ds[i].Until, ahead(s, st.Hold.Until))
			if ds[i].Action == nil && ds[i].Standing == UpToDate {
				ds[i].Standing, ds[i].Reason = Stopped, holdGate(o).Text
			}
		}
	}
	gather(s, ds)
	limit(s, ds)
	return ds
}

func decide(s *Snapshot, o *Observed) Decision {
	switch {
	case s.Repository.Archived:
		return stop("the repository is archived; nothing can be promoted in it until it is unarchived")
	case o.Config.Blocked != "" || !o.Config.Present:
		return Decision{Standing: Absent, Reason: o.Config.Blocked}
	case o.Ledger.Problem != "":
		return stop(o.Ledger.Problem)
	case len(o.Doubts) > 0:
		return wait(s, retryDoubt, o.Doubts[0])
	case !o.Config.Managed && s.ChainOf(o).Tip() == "":
		return stop(fmt.Sprintf("the branch %s does not exist; create it with what stands in %s, and promobot goes on", s.Base(o), o.Key.Environment))
	case o.Ledger.State == nil:
		return begin(s, o)
	}
	if d, ok := newUpstreams(s, o); ok {
		return d
	}
	if d, ok := accept(s, o); ok {
		return d
	}
	for _, step := range []func(*Snapshot, *Observed) (Decision, bool){proves, liftHold, expired, tookBack, verification, recovery, refusedStep} {
		if d, ok := step(s, o); ok {
			return d
		}
	}
	if p := o.Ledger.State.UnderWay(); p != nil {
		return carryOn(s, o, *p)
	}
	for _, step := range []func(*Snapshot, *Observed) (Decision, bool){afterRollback, again, rollback, reopened} {
		if d, ok := step(s, o); ok {
			return d
		}
	}
	return next(s, o)
}

// observing shows what is observed of the newest landing where nothing else is
// to be said, and looks again when that can have changed by itself.
func observing(s *Snapshot, o *Observed, d *Decision) {
	if o.Ledger.State == nil || len(o.Doubts) > 0 {
		return
	}
	v := VerificationOf(s, o)
	if v == nil || v.Verdict != nil {
		return
	}
	d.Until = soonest(d.Until, ahead(s, v.Until))
	if d.Action == nil && (d.Standing == UpToDate || d.Standing == Source) {
		d.Standing, d.Reason = Verifying, v.Text
	}
}

// How soon to look again when nothing will say that something has changed.
const (
	retryDoubt     = 30 * time.Second
	retryMergeable = 3 * time.Second
)

// ahead is a time, or none where it is past: what was due then is decided on now.
func ahead(s *Snapshot, t time.Time) time.Time {
	if !t.After(s.Now) {
		return time.Time{}
	}
	return t
}

func stop(reason string) Decision { return Decision{Standing: Stopped, Reason: reason} }

func wait(s *Snapshot, again time.Duration, reason string) Decision {
	return Decision{Standing: Waiting, Reason: reason, Until: s.Now.Add(again)}
}

// begin adopts what stands as the baseline.
func begin(s *Snapshot, o *Observed) Decision {
	for _, f := range o.Config.From {
		if up := s.Upstream(o, f); up != nil && up.Config.Managed && up.Ledger.State == nil {
			return wait(s, retryDoubt, fmt.Sprintf("%s has no ledger to go by yet", f))
		}
	}
	st := state.Environment{
		Sequence: 1,
		Baseline: state.Baseline{Commit: s.ChainOf(o).Tip(), Time: s.Now, Reconcile: o.Config.Reconcile},
	}
	if st.Proving = o.Config.Verify != nil; st.Proving {
		st.Proven = st.Baseline.Commit
	}
	if v := newest(o); v != nil {
		st.Versions = accepted(s, o, nil, *v)
	}
	for _, f := range Offerers(o) {
		adopt(s, o, &st, f)
	}
	adopts := "what stands is adopted, only later changes travel"
	if o.Config.Reconcile {
		adopts = "what differs from its upstreams is proposed (start: reconcile)"
	}
	return Decision{
		Standing: UpToDate,
		Reason:   "first seen; " + adopts,
		Action: Append{
			Kind: state.KindBaseline, State: st,
			Sentence: fmt.Sprintf("%s: first seen at %.10s; %s", o.Key, st.Baseline.Commit, adopts),
		},
	}
}

// adopt takes what stands in an upstream as taken.
func adopt(s *Snapshot, o *Observed, st *state.Environment, from string) {
	if st.Position == nil {
		st.Position = map[string]state.Position{}
	}
	at := state.Position{Commit: st.Baseline.Commit}
	if st.Baseline.Upstreams == nil {
		st.Baseline.Upstreams = map[string]string{}
	}
	switch up := s.Upstream(o, from); {
	case from == state.Source:
		at = standingVersion(o, st)
	case up != nil && up.Config.Managed:
		at.Commit = newestAccepted(up.Ledger.State)
	case up != nil:
		at.Commit = s.ChainOf(up).Tip()
	}
	if o.Config.Read != "" && from != state.Source && len(o.Reads) > 0 {
		at.Read = o.Reads[0].Commit
		st.Baseline.Upstreams[state.ReadBranch] = at.Read
	}
	if at.Commit != st.Baseline.Commit {
		st.Baseline.Upstreams[from] = at.Commit
	}
	st.Position[from] = at
}

// newUpstreams adopts what stands in upstreams that the environment did not
// come from before, so that a changed pipeline file never promotes by itself.
func newUpstreams(s *Snapshot, o *Observed) (Decision, bool) {
	st := o.Ledger.State.Clone()
	var added []string
	for _, f := range Offerers(o) {
		if _, ok := st.Position[f]; !ok {
			added = append(added, f)
		}
	}
	if len(added) == 0 {
		return Decision{}, false
	}
	for i, f := range added {
		adopt(s, o, &st, f)
		if f == state.Source {
			added[i] = SourceName(o.Config.Source)
		}
	}
	st.Sequence++
	reason := fmt.Sprintf("now comes from %s; what stands there is adopted, only later changes travel", strings.Join(added, " and "))
	return Decision{
		Standing: UpToDate, Reason: reason,
		Action: Append{Kind: state.KindBaseline, State: st, Sentence: fmt.Sprintf("%s: %s", o.Key, reason)},
	}, true
}

// liftHold lifts the hold of a landing that a person has since replaced.
func liftHold(s *Snapshot, o *Observed) (Decision, bool) {
	if o.Ledger.State.Hold == nil || !lifted(o) || pending(s, o) {
		return Decision{}, false
	}
	st := o.Ledger.State.Clone()
	st.Hold = nil
	st.Sequence++
	return Decision{
		Standing: UpToDate, Reason: "a person's change has replaced the landing it was held for",
		Action: Append{
			Kind: state.KindResume, State: st,
			Sentence: fmt.Sprintf("%s: resumed, since %.10s by %s replaced what it was held for", o.Key, o.Landings[0].Commit, o.Landings[0].Author.Name),
		},
	}, true
}

// reopened takes a person's reopening of a rejected pull request for what it is.
func reopened(s *Snapshot, o *Observed) (Decision, bool) {
	p := o.Ledger.State.Promotion
	if p == nil || p.Status != state.Vetoed || o.Pull == nil || !o.Pull.Open || o.FreshFor == "" {
		return Decision{}, false
	}
	if past, known := s.takenFrom(o, p.From).Newer(o.Ledger.State.Position[p.From].Commit, p.Landing); known && past {
		return announceClose(o, *p, fmt.Sprintf("%s has taken something newer since", o.Key.Environment)), true
	}
	st := o.Ledger.State.Clone()
	st.Promotion.Status, st.Promotion.Reason, st.Promotion.By, st.Promotion.Ended = state.Opened, "", "", time.Time{}
	st.Sequence++
	return Decision{
		Standing: Waiting, Reason: "its pull request was reopened",
		Action: Append{
			Kind: state.KindOpened, State: st,
			Sentence: fmt.Sprintf("%s: #%d was reopened", o.Key, p.PullRequest),
		},
	}, true
}

// next decides what to do with what is offered while nothing is under way.
func next(s *Snapshot, o *Observed) Decision {
	st := o.Ledger.State
	if len(Offerers(o)) == 0 {
		return Decision{Standing: Source, Reason: sourceReason(o)}
	}
	if p := st.Promotion; !mergeRecorded(st) && o.Pull != nil && o.Pull.Merged {
		return land(s, o, *p)
	}
	if pending(s, o) {
		return wait(s, retryMergeable, "what landed here is being looked at")
	}
	offer, reason := OfferTo(s, o)
	if offer == nil {
		if p := st.Promotion; p != nil && p.Status == state.Vetoed {
			return Decision{Standing: Rejected, Reason: rejection(p)}
		}
		return Decision{Standing: UpToDate, Reason: reason}
	}
	d := Decision{Offer: offer}
	c := o.Content
	switch {
	case c == nil:
		return withOffer(wait(s, retryDoubt, "what it would change could not be read"), offer)
	case blocked(c.Refused) != nil:
		d.Standing, d.Reason = Stopped, refusal(blocked(c.Refused))
		return d
	case len(c.Edits) == 0:
		return settle(o, offer)
	case rejected(st, Landing{Digest: c.Expected}) != nil:
		x := rejected(st, Landing{Digest: c.Expected})
		d.Standing, d.Reason = Rejected, fmt.Sprintf("%s would bring back what failed here on %s (%s); something newer will be promoted, or /promobot retry %s",
			short(offer.Landing.Revision), clock(x.Time), x.Reason, o.Key.Environment)
		return d
	case st.Hold != nil:
		d.Standing, d.Reason = Stopped, "held: "+st.Hold.Reason
		return d
	}
	if g, shut := orderGate(s, o, offer.Landing); shut {
		d.Standing, d.Reason, d.Gates = Waiting, g.Text, []Gate{g}
		return d
	}
	if o.Config.Mode <= config.Observe {
		d.Standing, d.Reason = WouldPromote, fmt.Sprintf("mode is observe: %s from %s would be promoted", short(offer.Landing.Revision), fromName(o, offer.From))
		return d
	}
	d.Reason = cameFrom(o, offer.Landing.Revision, offer.From)
	if o.Config.Deliver == config.ByPush && o.Config.Mode == config.Auto {
		gates, shut := ownGates(s, o, offer.Landing, offer.From, nil)
		d.Gates = gates
		if shut != nil && shut.Waits {
			d.Standing, d.Reason = Waiting, shut.Text
			return d
		}
		if shut == nil {
			g := pushGate(s, o)
			switch d.Gates = append(gates, g); {
			case len(g.Needs) > 0:
				d.Standing, d.Reason = Waiting, g.Text
				return d
			case !g.Passed:
				d.Standing, d.Reason = Stopped, g.Text
				return d
			}
			d.Standing, d.Action = Merging, Deliver{Promotion: newPromotion(s, o, offer, c), Previous: previous(o), Why: d.Reason}
			return d
		}
		// What a person has to look at travels by pull request.
	}
	d.Standing, d.Action = Proposed, Claim{Promotion: newPromotion(s, o, offer, c), Previous: previous(o), Why: d.Reason}
	return d
}

func withOffer(d Decision, o *Offer) Decision { d.Offer = o; return d }

func sourceReason(o *Observed) string {
	if o.Config.Managed {
		if len(o.Ledger.State.Versions) == 0 {
			return fmt.Sprintf("nothing has come from %s yet", SourceName(o.Config.Source))
		}
		return fmt.Sprintf("%s runs here, says %s", o.Ledger.State.Versions[0].Name, SourceName(o.Config.Source))
	}
	if len(o.Landings) == 0 {
		return "nothing has landed here since the baseline"
	}
	return fmt.Sprintf("%s landed here", short(o.Landings[0].Revision))
}

func rejection(p *state.Promotion) string {
	return fmt.Sprintf("%s closed #%d; %s is not proposed again, something newer will be", orSomeone(p.By), p.PullRequest, short(p.Revision))
}

func orSomeone(login string) string {
	if login == "" {
		return "someone"
	}
	return "@" + login
}

// blocked are the refusals that keep a promotion from being made: not those of
// what stays where it is by design.
func blocked(rs []content.Refusal) []content.Refusal {
	var out []content.Refusal
	for _, r := range rs {
		if !r.Never {
			out = append(out, r)
		}
	}
	return out
}

func refusal(rs []content.Refusal) string {
	r := rs[0]
	text := r.File
	if r.Value != "" {
		text += ": " + r.Value
	}
	text += " " + r.Reason
	if r.Remedy != "" {
		text += "; " + r.Remedy
	}
	if len(rs) > 1 {
		text += fmt.Sprintf(" (and %d more)", len(rs)-1)
	}
	return text
}

// settle moves the position past an offer that changes nothing.
func settle(o *Observed, offer *Offer) Decision {
	st := o.Ledger.State.Clone()
	moveOn(&st, *offer)
	st.Sequence++
	reason := fmt.Sprintf("%s changes nothing here", short(offer.Landing.Revision))
	return Decision{
		Standing: UpToDate, Reason: reason, Offer: offer,
		Action: Append{Kind: state.KindSettled, State: st, Sentence: fmt.Sprintf("%s: %s from %s changes nothing here", o.Key, short(offer.Landing.Revision), fromName(o, offer.From))},
	}
}

// moveOn takes an offer as taken.
func moveOn(st *state.Environment, offer Offer) {
	if st.Position == nil {
		st.Position = map[string]state.Position{}
	}
	l := offer.Landing
	st.Position[offer.From] = state.Position{Commit: l.Commit, Revision: l.Revision, Origin: l.Origin, Read: l.Read}
	for name, commit := range offer.Others {
		st.Position[name] = state.Position{Commit: commit, Revision: l.Revision, Origin: l.Origin, Read: l.Read}
	}
}

// newPromotion names a promotion: its identity is the revision as it landed
// upstream, and the attempt.
func newPromotion(s *Snapshot, o *Observed, offer *Offer, c *content.Result) state.Promotion {
	p := state.Promotion{
		Status: state.Claimed, Revision: offer.Landing.Revision, Origin: offer.Landing.Origin, Attempt: 1,
		From: offer.From, Landing: offer.Landing.Commit, Others: offer.Others, Read: offer.Landing.Read, Expected: c.Expected,
	}
	if n := o.Ledger.State.LastAttempt(p.Revision, p.Landing); n > 0 {
		p.Attempt = n + 1
		if last := o.Ledger.State.Promotion; last != nil {
			p.Cause = last.Reason
		}
	}
	if last := o.Ledger.State.Promotion; last != nil && last.Status == state.Closed && last.Revision != p.Revision && o.Config.Newer == config.NewerSupersedes {
		p.Supersedes = last.PullRequest
	}
	p.ID = state.ID(s.Repository.ID, o.Key.Pipeline, o.Key.Environment, p.Revision, p.Landing, p.Attempt)
	p.Branch = state.Branch(o.Key.Pipeline, o.Key.Environment, p.Revision, p.ID)
	return p
}

// previous is the state that a new promotion's entry begins with.
func previous(o *Observed) state.Environment {
	st := o.Ledger.State.Clone()
	st.Remember()
	return st
}

// limit lets the oldest offers go first and the rest wait visibly. A batch is
// one pull request, and counts once.
func limit(s *Snapshot, ds []Decision) {
	c := counts{open: map[string]bool{}, environment: map[string]map[string]bool{}}
	for i := range s.Environments {
		o := &s.Environments[i]
		st := o.Ledger.State
		if st == nil {
			continue
		}
		c.hour += st.ClaimsSince(s.Now.Add(-time.Hour))
		if p := st.UnderWay(); p != nil && p.Reverts == nil {
			c.opens(o.Key.Environment, p.Branch)
		}
	}
	var claims []int
	for i := range ds {
		a, ok := ds[i].Action.(Claim)
		if _, pushes := ds[i].Action.(Deliver); pushes || ok && !a.Moves && a.Promotion.Reverts == nil {
			claims = append(claims, i)
		}
	}
	sort.SliceStable(claims, func(a, b int) bool {
		x, y := ds[claims[a]].Offer.Landing, ds[claims[b]].Offer.Landing
		return x.Time.Before(y.Time) || x.Time.Equal(y.Time) && x.Index > y.Index
	})
	batches := map[string]string{} // why it waits, by branch; "" when it goes
	for _, i := range claims {
		a, opens := ds[i].Action.(Claim)
		branch := a.Promotion.Branch
		reason, judged := batches[branch]
		if !judged {
			if reason = c.full(s, &s.Environments[i], opens); reason == "" {
				c.hour++
			}
			if a.Promotion.Batch != nil {
				batches[branch] = reason
			}
		}
		if reason != "" {
			ds[i].Action, ds[i].Standing, ds[i].Reason = nil, Waiting, reason
			ds[i].Until = s.Now.Add(5 * time.Minute)
			continue
		}
		if opens {
			c.opens(ds[i].Key.Environment, branch)
		}
	}
}

// counts are what limits bound.
type counts struct {
	hour        int                        // begun within it
	open        map[string]bool            // branches
	environment map[string]map[string]bool // branches, by environment
}

func (c *counts) opens(environment, branch string) {
	c.open[branch] = true
	if c.environment[environment] == nil {
		c.environment[environment] = map[string]bool{}
	}
	c.environment[environment][branch] = true
}

// full says which limit keeps an environment from one more promotion; "" none.
func (c *counts) full(s *Snapshot, o *Observed, opens bool) string {
	env := o.Key.Environment
	switch {
	case c.hour >= s.Limits.PerHour:
		return fmt.Sprintf("%d promotions were made within the hour and limits.per_hour is %d", c.hour, s.Limits.PerHour)
	case !opens: // nothing of a direct push stays open
	case len(c.open) >= s.Limits.Open:
		return fmt.Sprintf("%d promotions are open in this repository and limits.open is %d", len(c.open), s.Limits.Open)
	case len(c.environment[env]) >= o.Config.Limit:
		return fmt.Sprintf("%d promotions are open in %s and limits.per_environment is %d", len(c.environment[env]), env, o.Config.Limit)
	}
	return ""
}
