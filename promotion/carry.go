package promotion

// A promotion under way: carried on, moved on, merged, or ended.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

func carryOn(s *Snapshot, o *Observed, p state.Promotion) Decision {
	d := underWay(s, o, p)
	if d.Offer == nil {
		d.Offer = OfferOf(p)
	}
	return d
}

func underWay(s *Snapshot, o *Observed, p state.Promotion) Decision {
	if p.Status == state.Claimed {
		return claimed(s, o, p)
	}
	switch {
	case o.Pull == nil:
		return wait(s, retryDoubt, fmt.Sprintf("#%d could not be read", p.PullRequest))
	case o.Pull.Merged:
		return land(o, p)
	case !o.Pull.Open && p.Status == state.Closing:
		return end(s, o, p, state.Closed, p.Reason, "")
	case !o.Pull.Open:
		return end(s, o, p, state.Vetoed, "closed without merging", o.Pull.ClosedBy)
	case p.Status == state.Closing:
		return Decision{Standing: Waiting, Reason: p.Reason, Action: Close{p}}
	}
	return open(s, o, p)
}

// claimed carries a claim without a known pull request on: definition 10.
func claimed(s *Snapshot, o *Observed, p state.Promotion) Decision {
	if len(o.Candidates) > 0 {
		first := o.Candidates[0]
		for _, c := range o.Candidates[1:] {
			if c.Number < first.Number {
				first = c
			}
		}
		st := o.Ledger.State.Clone()
		st.Promotion.Status, st.Promotion.PullRequest, st.Promotion.URL = state.Opened, first.Number, first.URL
		st.Sequence++
		return Decision{
			Standing: Waiting, Reason: fmt.Sprintf("#%d is being recorded", first.Number),
			Action: Append{Kind: state.KindOpened, State: st, Sentence: OpenedSentence(o.Key, p, first.Number)},
		}
	}
	if age := s.Now.Sub(p.Claimed); age < Bound {
		return wait(s, Bound-age, "its pull request is being opened")
	}
	if !o.Looked {
		return wait(s, retryDoubt, "whether its pull request exists could not be read")
	}
	if o.Config.Mode <= config.Observe {
		return Decision{Standing: WouldPromote, Reason: "mode is observe: its pull request is not opened"}
	}
	return Decision{Standing: Waiting, Reason: "its pull request is being opened", Action: Carry{p}}
}

// OpenedSentence is the ledger's sentence for an opened pull request.
func OpenedSentence(k Key, p state.Promotion, number int) string {
	return fmt.Sprintf("%s: #%d opened for %s from %s", k, number, short(p.Revision), p.From)
}

// open decides on an open pull request.
func open(s *Snapshot, o *Observed, p state.Promotion) Decision {
	pull := o.Pull
	switch {
	case pull.Base != s.Base(o):
		return stop(fmt.Sprintf("someone pointed #%d at %s; promobot leaves it to you. Point it back at %s, or close it", p.PullRequest, pull.Base, s.Base(o)))
	case o.Head == "":
		return wait(s, retryDoubt, fmt.Sprintf("the branch of #%d is gone, so GitHub is closing it", p.PullRequest))
	case o.Head != p.Head() && p.Replaced != nil && o.Head == p.Replaced.BranchHead():
		return Decision{Standing: Waiting, Reason: "its branch is being moved on", Action: Advance{Promotion: p, Lease: o.Head}}
	case o.Head != p.Head():
		return stop(fmt.Sprintf("someone pushed to the branch of #%d, so it is theirs: merge it, or close it and promobot goes on with what is newer", p.PullRequest))
	case NeedsFresh(s.ChainOf(o), o):
		return wait(s, retryMergeable, "what landed here is being looked at")
	case o.Config.Mode <= config.Observe:
		return stop(fmt.Sprintf("mode is observe: #%d is left to you", p.PullRequest))
	}
	if !comesFrom(o, p.From) {
		return announceClose(o, p, fmt.Sprintf("%s no longer comes from %s", o.Key.Environment, p.From))
	}
	offer, _ := OfferTo(s, o)
	if o.Content == nil {
		return wait(s, retryDoubt, "what it would change could not be read")
	}
	moves := offer != nil && offer.Landing.Commit != p.Landing
	switch {
	case blocked(o.Content.Refused) != nil:
		return stop(refusal(blocked(o.Content.Refused)))
	case len(o.Content.Edits) == 0:
		return announceClose(o, p, fmt.Sprintf("%s already has all of it", o.Key.Environment))
	case moves:
		np := newPromotion(s, o, offer, o.Content)
		return move(o, p, np, offer, fmt.Sprintf("%s landed in %s", short(np.Revision), np.From))
	// Built on the tip it cannot conflict: GitHub has not looked at it anew yet.
	case o.Touched || pull.Mergeable == "dirty" && p.Base != s.ChainOf(o).Tip():
		np := p
		np.Rebuild++
		np.Expected = o.Content.Expected
		return move(o, p, np, nil, fmt.Sprintf("%s changed the same files", s.Base(o)))
	case promotionID(pull.Body) != p.ID && s.Now.Sub(p.Claimed) >= Bound:
		return Decision{Standing: Waiting, Reason: "its text is being brought up to date", Action: Advance{Promotion: p, Lease: p.Head()}}
	}
	return gate(s, o, p)
}

func promotionID(body string) string { return state.ParseTrailers(body)[state.TrailerID] }

func comesFrom(o *Observed, from string) bool {
	return slices.Contains(Offerers(o), from)
}

// move keeps the pull request, and puts something newer, or the same on today's
// base, on its branch.
func move(o *Observed, p, np state.Promotion, offer *Offer, why string) Decision {
	np.Status, np.PullRequest, np.URL, np.Branch = state.Opened, p.PullRequest, p.URL, p.Branch
	np.Replaced = &state.Replaced{
		ID: p.ID, Revision: p.Revision, Origin: p.Origin, Attempt: p.Attempt,
		From: p.From, Landing: p.Landing, Others: p.Others, Read: p.Read, Commit: p.Commit, Head: p.Head(),
	}
	return Decision{
		Standing: Waiting, Reason: why, Offer: offer,
		Action: Claim{Promotion: np, Previous: o.Ledger.State.Clone(), Moves: true, Why: why},
	}
}

func announceClose(o *Observed, p state.Promotion, why string) Decision {
	st := o.Ledger.State.Clone()
	st.Promotion.Status, st.Promotion.Reason = state.Closing, why
	st.Sequence++
	return Decision{
		Standing: Waiting, Reason: why,
		Action: Append{Kind: state.KindClosing, State: st, Sentence: fmt.Sprintf("%s: closing #%d, since %s", o.Key, p.PullRequest, why)},
	}
}

// end records how a promotion ended without landing.
func end(s *Snapshot, o *Observed, p state.Promotion, how state.Status, reason, by string) Decision {
	st := o.Ledger.State.Clone()
	st.Promotion.Status, st.Promotion.Reason, st.Promotion.By, st.Promotion.Ended = how, reason, by, s.Now
	st.Sequence++
	kind, sentence, standing := state.KindVeto, fmt.Sprintf("%s: %s closed #%d without merging; %s is not proposed again", o.Key, orSomeone(by), p.PullRequest, short(p.Revision)), Rejected
	if how == state.Closed {
		kind, sentence, standing = state.KindClosed, fmt.Sprintf("%s: #%d is closed, since %s", o.Key, p.PullRequest, reason), UpToDate
	}
	return Decision{Standing: standing, Reason: reason, Action: Append{Kind: kind, State: st, Sentence: sentence}}
}

// land records a merged pull request. What landed is compared with what was
// promoted; where they differ the environment is mixed, and held.
func land(o *Observed, p state.Promotion) Decision {
	r := o.Resolved
	if r == nil {
		return Decision{Standing: Waiting, Reason: fmt.Sprintf("#%d is merged, and its commit is not in the history yet", p.PullRequest)}
	}
	st := o.Ledger.State.Clone()
	l := state.Landing{
		ID: p.ID, Commit: r.Commit, Before: r.Before, Revision: p.Revision, Origin: p.Origin, From: p.From, At: p.Landing,
		Method: r.Method, By: o.Pull.MergedBy, PullRequest: p.PullRequest, Expected: r.Expected, Actual: r.Actual, Time: o.Pull.MergedAt,
	}
	took := *OfferOf(p)
	if r.Replaced {
		q := p.Replaced
		l.ID, l.Revision, l.Origin, l.From, l.At = q.ID, q.Revision, q.Origin, q.From, q.Landing
		took = Offer{From: q.From, Landing: Landing{Commit: q.Landing, Revision: q.Revision, Origin: q.Origin, Read: q.Read}, Others: q.Others}
		st.Promotion.Status, st.Promotion.Reason = state.Closed, fmt.Sprintf("#%d was merged while it still showed %s", p.PullRequest, short(q.Revision))
	} else {
		st.Promotion.Status, st.Promotion.By = state.Landed, o.Pull.MergedBy
	}
	st.Promotion.Ended, st.Promotion.Replaced = o.Pull.MergedAt, nil
	st.Landing = &l
	moveOn(&st, took)
	st.Sequence++
	sentence := fmt.Sprintf("%s: #%d landed %s as %.10s, merged by %s", o.Key, p.PullRequest, short(l.Revision), l.Commit, orSomeone(l.By))
	d := Decision{Standing: UpToDate, Reason: fmt.Sprintf("%s landed as %.10s", short(l.Revision), l.Commit)}
	if l.Mixed() {
		reason := fmt.Sprintf("what landed with #%d is not exactly what was promoted", p.PullRequest)
		st.Hold = &state.Hold{Reason: reason, By: "promobot", Since: o.Pull.MergedAt, Landing: l.Commit}
		sentence += "; " + reason + ", so the environment is held"
		d.Standing, d.Reason = Stopped, "held: "+reason
	}
	d.Action = Append{Kind: state.KindLanded, State: st, Sentence: sentence, DeleteBranch: p.Branch, DeleteHead: o.Pull.Head}
	return d
}

// gate decides whether the pull request may be merged, and says what it waits
// for. Every gate is listed, open or shut.
func gate(s *Snapshot, o *Observed, p state.Promotion) Decision {
	l := Landing{Commit: p.Landing, Revision: p.Revision, Origin: p.Origin}
	gates := []Gate{{Name: "upstream", Passed: true, Text: fmt.Sprintf("%s landed in %s", short(p.Revision), p.From)}}
	order, _ := orderGate(s, o, l)
	if order.Name != "" {
		gates = append(gates, order)
	}
	if h := o.Ledger.State.Hold; h != nil {
		gates = append(gates, Gate{Name: "hold", Text: "held: " + h.Reason})
	} else {
		gates = append(gates, Gate{Name: "hold", Passed: true, Text: "no hold"})
	}
	gates = append(gates, kindsGate(o.Config, o.Content))
	if o.Config.Mode < config.Auto {
		d := Decision{Standing: Proposed, Reason: fmt.Sprintf("#%d waits for a person to merge it", p.PullRequest), Gates: gates}
		return d
	}
	for _, g := range gates {
		if !g.Passed {
			return Decision{Standing: Proposed, Reason: fmt.Sprintf("#%d: %s", p.PullRequest, g.Text), Gates: gates}
		}
	}
	g, again := githubGate(o.Pull)
	gates = append(gates, g)
	if g.Passed {
		return Decision{Standing: Merging, Reason: "all gates are open", Gates: gates, Action: Merge{p}}
	}
	d := Decision{Standing: Waiting, Reason: g.Text, Gates: gates}
	if again {
		// GitHub mostly knows within seconds; if it does not, ask less and less often.
		d.Until = s.Now.Add(min(max(retryMergeable, s.Now.Sub(p.Claimed)/4), 2*time.Minute))
	}
	return d
}

// orderGate is `after`: the revision must have reached those environments
// first. One that the revision can never reach does not count.
func orderGate(s *Snapshot, o *Observed, l Landing) (g Gate, shut bool) {
	var reached, missing []string
	for _, name := range o.Config.After {
		up := s.find(Key{o.Key.Pipeline, name})
		if up == nil || !up.Config.Present || !reaches(s, o.Key.Pipeline, l.Origin, name) {
			continue
		}
		if passed(s, up, l) {
			reached = append(reached, name)
		} else {
			missing = append(missing, name)
		}
	}
	switch {
	case len(missing) > 0:
		return Gate{Name: "after", Text: fmt.Sprintf("%s must reach %s first", short(l.Revision), strings.Join(missing, ", ")), Line: o.Config.Line}, true
	case len(reached) > 0:
		return Gate{Name: "after", Passed: true, Text: fmt.Sprintf("%s has reached %s", short(l.Revision), strings.Join(reached, ", ")), Line: o.Config.Line}, false
	}
	return Gate{}, false
}

// reaches says whether a revision that first landed in origin travels to an
// environment at all.
func reaches(s *Snapshot, pipeline, origin, environment string) bool {
	if origin == environment {
		return true
	}
	o := s.find(Key{pipeline, environment})
	if o == nil {
		return false
	}
	for _, f := range o.Config.From {
		if reaches(s, pipeline, origin, f) {
			return true
		}
	}
	return false
}

// passed says whether an environment has taken a revision over, or one that
// landed after it. Revisions of one origin landed in the order of their commits;
// of different origins (a hotfix further along the way), only the order in which
// an upstream landed them counts: definition 6.
func passed(s *Snapshot, o *Observed, l Landing) bool {
	if o.Ledger.State == nil {
		return false
	}
	for _, x := range o.Landings {
		if x.Revision == l.Revision {
			return true
		}
	}
	for name, at := range o.Ledger.State.Position {
		if includes(s, o, at.Revision, at.Origin, l) {
			return true
		}
		if up := s.Upstream(o, name); up != nil && landedBy(s, up, l, at.Commit) {
			return true
		}
	}
	return false
}

// includes says whether a revision is that of a landing, or followed it in the
// environment that both come from.
func includes(s *Snapshot, o *Observed, revision, origin string, l Landing) bool {
	if revision == l.Revision {
		return true
	}
	if revision == "" || origin != l.Origin {
		return false
	}
	newer, known := s.orderOf(o.Key.Pipeline, origin).Newer(revision, l.Revision)
	return known && newer
}

// landedBy says whether an environment is known to have landed a revision, or
// one that followed it, up to a landing of its own.
func landedBy(s *Snapshot, o *Observed, l Landing, commit string) bool {
	order := s.order(o)
	upTo := func(landed string) bool {
		newer, known := order.Newer(landed, commit)
		return known && !newer
	}
	landings := o.Landings
	if o.Config.Managed && o.Ledger.State != nil {
		landings = versionLandings(o)
	}
	for _, x := range landings {
		if includes(s, o, x.Revision, x.Origin, l) && upTo(x.Commit) {
			return true
		}
	}
	if o.Ledger.State == nil || o.Ledger.State.Landing == nil {
		return false
	}
	x := o.Ledger.State.Landing
	return includes(s, o, x.Revision, x.Origin, l) && upTo(x.Commit)
}

// kindsGate shuts when a change is of a kind that does not merge by itself.
func kindsGate(e *config.Environment, c *content.Result) Gate {
	var shut []string
	for _, k := range c.Kinds {
		if !allowed(e, k) {
			shut = append(shut, string(k))
		}
	}
	if len(shut) > 0 {
		return Gate{Name: "kinds", Text: fmt.Sprintf("a person must merge: it has changes of kind %s, which `allow` does not name", strings.Join(shut, ", ")), Line: e.Line}
	}
	return Gate{Name: "kinds", Passed: true, Text: "its kinds of change are allowed"}
}

func allowed(e *config.Environment, k content.Kind) bool {
	return slices.Contains(e.Allow, k)
}

// githubGate is GitHub's own word on whether a pull request can be merged
// (mergeable_state, "Get a pull request"; values in GraphQL's
// MergeStateStatus). Only clean and has_hooks say that every rule is met.
func githubGate(p *PullRequest) (g Gate, again bool) {
	g = Gate{Name: "github"}
	switch p.Mergeable {
	case "clean", "has_hooks":
		g.Passed, g.Text = true, "GitHub allows the merge"
	case "", "unknown":
		g.Text, again = "GitHub is working out whether it can be merged", true
	case "unstable":
		g.Text = "a check has failed or has not finished"
	case "blocked":
		g.Text = "a rule of the branch is not met yet: a review or a required check"
	case "behind":
		g.Text = "the branch's rules ask for an update with the base branch"
	case "dirty":
		g.Text, again = "it conflicts with the base branch, and is being rebuilt", true
	case "draft":
		g.Text = "it is a draft; mark it as ready for review"
	default:
		g.Text = fmt.Sprintf("GitHub says %q", p.Mergeable)
	}
	return g, again
}
