package promotion

// A promotion under way: carried on, moved on, merged, or ended.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/config"
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
		return land(s, o, p)
	case !o.Pull.Open && p.Status == state.Closing:
		if p.Skipped {
			return end(s, o, p, state.Vetoed, p.Reason, p.By)
		}
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
			Action: Append{Kind: state.KindOpened, State: st, Sentence: OpenedSentence(o, p, first.Number)},
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
func OpenedSentence(o *Observed, p state.Promotion, number int) string {
	if r := p.Reverts; r != nil {
		return fmt.Sprintf("%s: #%d opened to roll %s back to %s", o.Key, number, short(r.Revision), short(p.Revision))
	}
	return fmt.Sprintf("%s: #%d opened for %s from %s", o.Key, number, short(p.Revision), fromName(o, p.From))
}

// newHold says whether a person held the environment after the promotion's head
// was made. A merge that is under way at that moment asks for the old head.
func newHold(o *Observed, p state.Promotion) bool {
	h := o.Ledger.State.Hold
	return h != nil && h.Comment != 0 && h.Since.After(p.Claimed)
}

// HoldStands says whether a hold is in force: from then on nothing that was asked
// of GitHub before it can merge any more. Its head is a new one, and GitHub does not
// merge it by itself; or whoever asked for a merge has stopped to wait for it.
func HoldStands(s *Snapshot, o *Observed) bool {
	p, h := o.Ledger.State.UnderWay(), o.Ledger.State.Hold
	switch {
	case h == nil || p == nil || p.Reverts != nil || p.PullRequest == 0 || o.Config.Mode <= config.Observe || s.Now.Sub(h.Since) >= Bound:
		return true
	case o.Pull == nil || o.Pull.Merged || o.Pull.Open && takeBack(o, *p) != nil:
		return false
	case !o.Pull.Open:
		return true
	case o.Head != p.Head(): // a merge of the old head is refused, unless it is being moved on
		return p.Replaced == nil || o.Head != p.Replaced.BranchHead()
	}
	return !newHold(o, *p)
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
	case o.Head != p.Head() && !unwanted(o, p):
		d := stop(fmt.Sprintf("someone pushed to the branch of #%d, so it is theirs: merge it, or close it and promobot goes on with what is newer", p.PullRequest))
		if where, x := RejectedFor(s, o, Landing{Revision: p.Revision}); x != nil && p.Reverts == nil {
			d = stop(fmt.Sprintf("%s failed in %s: %s. Someone pushed to the branch of #%d, so closing it is theirs", short(p.Revision), where, x.Reason, p.PullRequest))
		}
		d.Action = takeBack(o, p)
		return d
	case NeedsFresh(s.ChainOf(o), o):
		return wait(s, retryMergeable, "what landed here is being looked at")
	case o.Config.Mode <= config.Observe:
		return stop(fmt.Sprintf("mode is observe: #%d is left to you", p.PullRequest))
	}
	if p.Reverts != nil {
		return rollingBack(s, o, p)
	}
	if due := RevertDue(s, o); due != nil {
		return announceClose(o, p, fmt.Sprintf("what landed before it is rolled back: %s", due.Reason))
	}
	if where, x := RejectedFor(s, o, Landing{Revision: p.Revision}); x != nil {
		return announceClose(o, p, fmt.Sprintf("%s failed in %s: %s", short(p.Revision), where, x.Reason))
	}
	if o.Content != nil {
		if x := rejected(o.Ledger.State, Landing{Digest: o.Content.Expected}); x != nil {
			return announceClose(o, p, fmt.Sprintf("it would bring back what failed in %s: %s", o.Key.Environment, x.Reason))
		}
	}
	if !comesFrom(o, p.From) {
		return announceClose(o, p, fmt.Sprintf("%s no longer comes from %s", o.Key.Environment, fromName(o, p.From)))
	}
	offer, _ := OfferTo(s, o)
	if keeps(o, &p) {
		offer = nil // what is newer waits for its turn
	}
	if o.Content == nil {
		return wait(s, retryDoubt, "what it would change could not be read")
	}
	moves := offer != nil && offer.Landing.Commit != p.Landing
	switch {
	case blocked(o.Content.Refused) != nil:
		return stop(refusal(blocked(o.Content.Refused)))
	case len(o.Content.Edits) == 0:
		return announceClose(o, p, fmt.Sprintf("%s already has all of it", o.Key.Environment))
	case moves && o.Config.Newer == config.NewerSupersedes:
		return announceClose(o, p, fmt.Sprintf("it is superseded by %s", short(offer.Landing.Revision)))
	case moves:
		np := newPromotion(s, o, offer, o.Content)
		return move(s, o, p, np, offer, cameFrom(o, np.Revision, np.From))
	// Built on the tip it cannot conflict: GitHub has not looked at it anew yet.
	case o.Touched || pull.Mergeable == "dirty" && p.Base != s.ChainOf(o).Tip():
		np := p
		np.Rebuild++
		np.Expected = o.Content.Expected
		return move(s, o, p, np, nil, fmt.Sprintf("%s changed the same files", s.Base(o)))
	case o.Config.VerifiedCommits && !p.Verified:
		np := p
		np.Rebuild++
		np.Expected = o.Content.Expected
		return move(s, o, p, np, nil, "the pipeline file says commits: verified now")
	case o.Ledger.State.Wish != nil && o.Ledger.State.Wish.Do == WishRebuild:
		np := p
		np.Rebuild++
		np.Expected = o.Content.Expected
		return move(s, o, p, np, nil, fmt.Sprintf("@%s asked for it", o.Ledger.State.Wish.By))
	case newHold(o, p):
		np := p
		np.Rebuild++
		np.Expected = o.Content.Expected
		return move(s, o, p, np, nil, "it is held: with a new head no merge that was asked for before goes through")
	case !shows(pull.Body, p) && s.Now.Sub(p.Claimed) >= Bound:
		return Decision{Standing: Waiting, Reason: "its text is being brought up to date", Action: Advance{Promotion: p, Lease: p.Head()}}
	}
	return gate(s, o, p)
}

// shows says whether a pull request's text is that of a promotion.
func shows(body string, p state.Promotion) bool {
	ts := state.ParseTrailers(body)
	if p.Batch != nil {
		return ts[state.TrailerBatch] == p.Batch.Name()
	}
	return ts[state.TrailerID] == p.ID
}

func comesFrom(o *Observed, from string) bool {
	return slices.Contains(Offerers(o), from)
}

// unwanted says whether a person asked to have the pull request rebuilt without
// what someone had pushed to its branch. What is pushed after that is wanted.
func unwanted(o *Observed, p state.Promotion) bool {
	w := o.Ledger.State.Wish
	return p.Batch == nil && w != nil && w.Do == WishRebuild && w.Revision != "" && w.Revision == o.Head && o.Head != p.Head()
}

// move keeps the pull request, and puts something newer, or the same on today's
// base, on its branch.
func move(s *Snapshot, o *Observed, p, np state.Promotion, offer *Offer, why string) Decision {
	if offer == nil {
		np.Attempts = append(slices.Clone(p.Attempts), state.Rebuild{Why: why, From: p.Base, To: s.ChainOf(o).Tip(), Time: s.Now})
		np.Attempts = np.Attempts[max(0, len(np.Attempts)-state.RebuildsKept):]
	}
	np.Status, np.PullRequest, np.URL, np.Branch = state.Opened, p.PullRequest, p.URL, p.Branch
	np.Replaced = &state.Replaced{
		ID: p.ID, Revision: p.Revision, Origin: p.Origin, Attempt: p.Attempt,
		From: p.From, Landing: p.Landing, Others: p.Others, Read: p.Read, Commit: p.Commit, Head: p.Head(),
	}
	if unwanted(o, p) {
		np.Replaced.Head = o.Head
	}
	before := previous(o)
	if before.Wish != nil && before.Wish.Do == WishRebuild {
		before.Wish = nil
	}
	return Decision{
		Standing: Waiting, Reason: why, Offer: offer,
		Action: Claim{Promotion: np, Previous: before, Moves: true, Why: why},
	}
}

// cameFrom is why a promotion is made now.
func cameFrom(o *Observed, revision, from string) string {
	if from == state.Source {
		return fmt.Sprintf("%s has come from %s", short(revision), SourceName(o.Config.Source))
	}
	return fmt.Sprintf("%s landed in %s", short(revision), from)
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
	ended := s.Now
	if st.Wish != nil {
		ended = s.After(st.Wish.Time)
	}
	st.Promotion.Status, st.Promotion.Reason, st.Promotion.By, st.Promotion.Ended = how, reason, by, ended
	st.Sequence++
	kind, sentence, standing := state.KindVeto, fmt.Sprintf("%s: %s closed #%d without merging; %s is not proposed again", o.Key, orSomeone(by), p.PullRequest, short(p.Revision)), Rejected
	if p.Reverts != nil {
		sentence = fmt.Sprintf("%s: %s closed #%d without merging; %s is not rolled back by itself", o.Key, orSomeone(by), p.PullRequest, short(p.Reverts.Revision))
	}
	if how == state.Closed {
		kind, sentence, standing = state.KindClosed, fmt.Sprintf("%s: #%d is closed, since %s", o.Key, p.PullRequest, reason), UpToDate
	}
	return Decision{Standing: standing, Reason: reason, Action: Append{Kind: kind, State: st, Sentence: sentence}}
}

// land records a merged pull request. What landed is compared with what was
// promoted; where they differ the environment is mixed, and held.
func land(s *Snapshot, o *Observed, p state.Promotion) Decision {
	r := o.Resolved
	if r == nil {
		return Decision{Standing: Waiting, Reason: fmt.Sprintf("#%d is merged, and its commit is not in the history yet", p.PullRequest)}
	}
	st := o.Ledger.State.Clone()
	l := state.Landing{
		ID: p.ID, Commit: r.Commit, Before: r.Before, Revision: p.Revision, Origin: p.Origin, From: p.From, At: p.Landing,
		Method: r.Method, By: o.Pull.MergedBy, PullRequest: p.PullRequest, Expected: r.Expected, Actual: r.Actual, Time: o.Pull.MergedAt,
		Promoted: p.Commit, Was: Was(s, o, r.Before, r.Was),
	}
	took := *OfferOf(p)
	if r.Replaced {
		q := p.Replaced
		l.ID, l.Revision, l.Origin, l.From, l.At, l.Promoted = q.ID, q.Revision, q.Origin, q.From, q.Landing, q.Commit
		took = Offer{From: q.From, Landing: Landing{Commit: q.Landing, Revision: q.Revision, Origin: q.Origin, Read: q.Read}, Others: q.Others}
		st.Promotion.Status, st.Promotion.Reason = state.Closed, fmt.Sprintf("#%d was merged while it still showed %s", p.PullRequest, short(q.Revision))
	} else {
		st.Promotion.Status, st.Promotion.By = state.Landed, o.Pull.MergedBy
	}
	st.Promotion.Ended, st.Promotion.Replaced = o.Pull.MergedAt, nil
	if p.Reverts != nil {
		landBack(&st, p, &l)
	} else {
		Land(&st, took, l)
	}
	if f := st.Failure; f != nil && f.Landing == "" {
		st.Failure = nil // of a push or a merge, which have succeeded now
	}
	if o.Config.Verify != nil {
		st.Watch = Watching(st.Watch, l.Commit, s.Now)
	}
	sentence := fmt.Sprintf("%s: #%d landed %s as %.10s, merged by %s", o.Key, p.PullRequest, short(l.Revision), l.Commit, orSomeone(l.By))
	if p.Reverts != nil {
		sentence = fmt.Sprintf("%s: #%d rolled %s back to %s as %.10s, merged by %s", o.Key, p.PullRequest, short(p.Reverts.Revision), short(l.Revision), l.Commit, orSomeone(l.By))
	}
	d := Decision{Standing: UpToDate, Reason: fmt.Sprintf("%s landed as %.10s", short(l.Revision), l.Commit)}
	if l.Mixed() {
		reason := fmt.Sprintf("what landed with #%d is not exactly what was promoted", p.PullRequest)
		if st.Hold == nil || st.Hold.Failed == "" {
			st.Hold = &state.Hold{Reason: reason, By: "promobot", Since: o.Pull.MergedAt, Landing: l.Commit}
		}
		sentence += "; " + reason + ", so the environment is held"
		d.Standing, d.Reason = Stopped, "held: "+reason
	}
	d.Action = Append{Kind: state.KindLanded, State: st, Sentence: sentence, DeleteBranch: p.Branch, DeleteHead: o.Pull.Head}
	return d
}

// landBack takes a rollback's landing into a ledger's state.
func landBack(st *state.Environment, p state.Promotion, l *state.Landing) {
	failed := Landing{Commit: p.Reverts.Landing, Revision: p.Reverts.Revision}
	if st.Landing != nil && st.Landing.Commit == p.Reverts.Landing {
		failed.Digest = st.Landing.Actual
	}
	restore(st, failed, p.Reverts.Reason, l.Time)
	l.From, l.At, l.Was, l.Reverts = "", "", nil, p.Reverts.Promotion
	st.Lands(*l)
	st.Sequence++
}

// Land takes a landing into a ledger's state.
func Land(st *state.Environment, took Offer, l state.Landing) {
	st.Lands(l)
	moveOn(st, took)
	st.Sequence++
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
		if passed(s, up, l) && !unproven(s, up, l) {
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

// unproven says whether an environment that is verified has a revision only in a
// newest landing that has no verdict yet, or a bad one.
func unproven(s *Snapshot, o *Observed, l Landing) bool {
	if o.Config.Verify == nil || len(o.Landings) == 0 || verified(s, o, o.Landings[0]) {
		return false
	}
	rec := o.Ledger.State.Landing
	if rec == nil || rec.Commit != o.Landings[0].Commit || rec.Was == nil {
		return includes(s, o, o.Landings[0].Revision, o.Landings[0].Origin, l)
	}
	for name, at := range rec.Was.Position {
		if includes(s, o, at.Revision, at.Origin, l) {
			return false // it was there before
		}
		if up := s.Upstream(o, name); up != nil && landedBy(s, up, l, at.Commit) {
			return false
		}
	}
	return true
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
