package promotion

// Orders: what people ask for by comment commands, as ledger entries. Each entry
// carries the comment that asked for it, so that a command has one effect however
// often it arrives, and commands about one matter count in the order in which
// they were written.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/state"
)

// Order is a command about one environment.
type Order struct {
	Do       string // hold, resume, rollback, promote, retry, approve, merge, skip, cancel or rebuild
	By       string // login
	Comment  int64
	Index    int // which of the comment's commands
	Revision string
	Until    time.Time
	Gate     string
	Reason   string
	Given    time.Time // when the person gave it; zero: not known
	Where    string    // for the entry, such as "on a page"; "" for a comment
}

// Obeyed is what an order comes to in one environment.
type Obeyed struct {
	Entry *Append // nil: nothing is written
	// Answer is a sentence for the one who asked; Refused says that it was not
	// carried out.
	Answer  string
	Refused bool
}

func refused(format string, args ...any) Obeyed {
	return Obeyed{Answer: fmt.Sprintf(format, args...), Refused: true}
}

// Obey carries an order out in one environment.
func Obey(s *Snapshot, o *Observed, order Order) Obeyed {
	st := o.Ledger.State
	switch {
	case o.Ledger.Problem != "":
		return refused("%s is stopped: %s", o.Key, o.Ledger.Problem)
	case st == nil:
		return refused("%s has no ledger yet; try again in a minute", o.Key)
	case !o.Config.Present || o.Config.Managed:
		return refused("promobot does not write to %s", o.Key)
	}
	if h := st.HeardOf(order.Comment, order.Index); h != nil {
		return Obeyed{Answer: h.Answer}
	}
	if later := after(st, order); later != nil {
		return refused("%s: a later command (%s) has been carried out already", o.Key, later.Command)
	}
	next := st.Clone()
	kind, answer := state.Kind(""), ""
	switch order.Do {
	case "hold":
		kind, answer = hold(s, o, &next, order)
	case "resume":
		kind, answer = resume(o, &next)
	case "rollback":
		kind, answer = takeBackNow(s, o, &next, order)
	case "promote", "retry":
		kind, answer = wish(s, o, &next, order)
	case "rebuild", "approve", "merge", "skip", "cancel":
		kind, answer = aboutOpen(s, o, &next, order)
	default:
		return refused("%s cannot be asked for", order.Do)
	}
	if kind == "" {
		return refused("%s: %s", o.Key, answer)
	}
	next.Heard = append([]state.Heard{{Comment: order.Comment, Index: order.Index, Command: order.Do, Answer: answer, Time: s.Now, Given: order.Given}}, next.Heard...)
	next.Heard = next.Heard[:min(len(next.Heard), state.HeardKept)]
	next.Sequence++
	by := "@" + order.By
	if order.Where != "" {
		by += " (" + order.Where + ")"
	}
	return Obeyed{Answer: answer, Entry: &Append{Kind: kind, State: next, Sentence: fmt.Sprintf("%s: %s: %s", o.Key, by, answer)}}
}

// after is a later command about the same matter that has had its effect. Comments
// are ordered by their ids; where a button was pressed, times have to do.
func after(st *state.Environment, order Order) *state.Heard {
	matter := []string{order.Do}
	if order.Do == "hold" || order.Do == "resume" {
		matter = []string{"hold", "resume"}
	}
	for i := range st.Heard {
		h := &st.Heard[i]
		later := h.Comment > order.Comment || h.Comment == order.Comment && h.Index > order.Index
		if h.Comment <= 0 || order.Comment <= 0 {
			later = !h.Given.IsZero() && !order.Given.IsZero() && h.Given.After(order.Given)
		}
		if later && slices.Contains(matter, h.Command) {
			return h
		}
	}
	return nil
}

func hold(s *Snapshot, o *Observed, next *state.Environment, order Order) (state.Kind, string) {
	reason := clipped(order.Reason, 300)
	if reason == "" {
		reason = "@" + order.By + " asked for it"
	} else {
		reason += " (@" + order.By + ")"
	}
	// Of two comments the later one counts, so both are kept; presses come in no order.
	if old := next.Hold; order.Comment < 0 && old != nil && old.Asked && old.Until.IsZero() && order.Reason == "" && order.Until.IsZero() {
		return "", "it is held already: " + old.Reason
	}
	h := state.Hold{Reason: reason, By: order.By, Since: heldSince(s, next), Until: order.Until, Comment: order.Comment, Asked: true}
	if old := next.Hold; old != nil {
		h.Failed, h.Landing = old.Failed, ""
		if old.Failed != "" {
			h.Reason, h.Until = old.Reason+"; "+reason, time.Time{}
		}
	}
	next.Hold = &h
	until := "until /promobot resume " + o.Key.Environment
	if !h.Until.IsZero() {
		until = "until " + clock(h.Until)
	}
	return state.KindHold, fmt.Sprintf("%s is held %s; nothing is merged there by promobot", o.Key.Environment, until)
}

// heldSince is since when a hold is that a person asks for now: after the claim of
// what it stops.
func heldSince(s *Snapshot, st *state.Environment) time.Time {
	if p := st.UnderWay(); p != nil {
		return s.After(p.Claimed)
	}
	return s.Now
}

func resume(o *Observed, next *state.Environment) (state.Kind, string) {
	goesOn := mending(o, next) // and is counted on: a recovery that was begun is not begun again
	switch {
	case next.Hold == nil && goesOn:
		return "", "it is not held; what `on_failure` says goes on"
	case next.Hold == nil && next.Failure == nil:
		return "", "it is not held"
	}
	answer := o.Key.Environment + " goes on"
	if f := next.Failure; f != nil && !f.Over && f.Scope != "" {
		answer += fmt.Sprintf("; %s stays, and is not rolled back", short(f.Revision))
	}
	if len(next.Rejected) > 0 {
		answer += fmt.Sprintf("; %s stays rejected, newer ones are promoted", short(next.Rejected[0].Revision))
	}
	next.Hold = nil
	if !goesOn {
		next.Failure = nil
	}
	if next.Wish != nil && next.Wish.Do == WishRollback {
		next.Wish = nil
	}
	return state.KindResume, answer
}

// mending says whether steps of the failure policy may still mend the newest landing.
func mending(o *Observed, st *state.Environment) bool {
	f := st.Failure
	return f != nil && !f.Over && f.Scope == "" && len(o.Landings) > 0 && o.Landings[0].Commit == f.Landing && st.VerdictOf(f.Landing) == nil
}

func takeBackNow(s *Snapshot, o *Observed, next *state.Environment, order Order) (state.Kind, string) {
	rec := next.Landing
	switch {
	case rec == nil || len(o.Landings) == 0 || o.Landings[0].Commit != rec.Commit:
		return "", "what stands there was not promoted by promobot: revert it by hand"
	case rec.Reverts != "":
		return "", "what stands there is a rollback already"
	case rec.Was == nil:
		return "", fmt.Sprintf("what stood before %s is not known: revert it by hand", short(rec.Revision))
	case order.Revision != "" && !strings.HasPrefix(rec.Was.Revision, order.Revision):
		return "", fmt.Sprintf("only the newest landing can be taken back, to %s; roll back step by step, or promote what you want", short(rec.Was.Revision))
	case pending(s, o):
		return "", "what landed there is being recorded; try again in a minute"
	case takingBack(s, o) && (next.Hold == nil || !next.Hold.Asked):
		if p := next.UnderWay(); p != nil && p.PullRequest > 0 {
			return "", fmt.Sprintf("#%d takes it back already", p.PullRequest)
		}
		return "", "it is being taken back already"
	}
	reason := clipped(order.Reason, 300)
	if reason == "" {
		reason = "@" + order.By + " asked for it"
	}
	l := o.Landings[0]
	next.Wish = &state.Wish{Do: WishRollback, Revision: rec.Was.Revision, By: order.By, Comment: order.Comment, Time: s.Now}
	if p := next.Promotion; p != nil {
		next.Wish.Time = s.After(p.Ended)
	}
	next.Hold = &state.Hold{Reason: fmt.Sprintf("%s is rolled back: %s", short(rec.Revision), reason), By: order.By, Since: heldSince(s, next), Failed: rec.Commit, Comment: order.Comment}
	reject(next, Landing{Commit: l.Commit, Revision: rec.Revision, Digest: rec.Actual}, reason, s.Now)
	return state.KindWish, fmt.Sprintf("%s is rolled back from %s to %s by pull request, and held", o.Key.Environment, short(rec.Revision), short(rec.Was.Revision))
}

func wish(s *Snapshot, o *Observed, next *state.Environment, order Order) (state.Kind, string) {
	if p := next.UnderWay(); p != nil {
		return "", fmt.Sprintf("#%d is under way", p.PullRequest)
	}
	if w := next.Wish; w != nil && w.Do == order.Do && w.Revision == order.Revision {
		return "", fmt.Sprintf("@%s asked for that already, and it is about to begin", w.By)
	}
	ended := next.Promotion != nil && next.Promotion.Status != state.Landed || len(next.Floor) > 0 || next.Failure != nil
	if order.Do == WishRetry && !ended {
		return "", "there is nothing to try again"
	}
	w := state.Wish{Do: order.Do, By: order.By, Comment: order.Comment, Time: s.Now}
	if order.Revision != "" {
		offer, why := offerAfter(s, o, next, w)
		switch {
		case offer == nil:
			return "", fmt.Sprintf("nothing can be promoted: %s", why)
		case !named(offer.Landing, order.Revision):
			return "", fmt.Sprintf("%s is not what %s offers, which is %s: only the newest is promoted, since it holds what was before it",
				clipped(order.Revision, 40), offer.From, called(offer.Landing))
		}
		w.Revision = offer.Landing.Revision
	}
	next.Wish = &w
	answer := "what its upstream offers is promoted to " + o.Key.Environment
	if next.Hold != nil {
		answer += "; it is held: /promobot resume " + o.Key.Environment
	}
	return state.KindWish, answer
}

// offerAfter is what would be offered once a wish has lifted what keeps it.
func offerAfter(s *Snapshot, o *Observed, next *state.Environment, w state.Wish) (*Offer, string) {
	wished, after := *o, next.Clone()
	lift(&after, w)
	wished.Ledger.State = &after
	return OfferTo(s, &wished)
}

// named says whether a person means a landing: by the beginning of its revision,
// or by its version's name.
func named(l Landing, revision string) bool {
	return strings.HasPrefix(l.Revision, revision) || l.Version != nil && l.Version.Name == revision
}

// called is a landing's revision for people.
func called(l Landing) string {
	if l.Version != nil {
		return l.Version.Name
	}
	return short(l.Revision)
}

// aboutOpen are the orders about the promotion under way.
func aboutOpen(s *Snapshot, o *Observed, next *state.Environment, order Order) (state.Kind, string) {
	p := next.UnderWay()
	if p == nil || p.PullRequest == 0 || p.Status != state.Opened {
		return "", "no pull request is open there"
	}
	switch order.Do {
	case "approve":
		if own := authored(s, o, *p, order.By); own != "" {
			return "", fmt.Sprintf("you wrote %s yourself: somebody else has to approve it", own)
		}
		if a := p.Approval; a != nil && a.Digest == p.Expected {
			return "", fmt.Sprintf("@%s has approved #%d as it stands already", a.By, p.PullRequest)
		}
		p.Approval = &state.Approval{By: order.By, Digest: p.Expected, Comment: order.Comment, Time: s.Now}
		return state.KindApproved, fmt.Sprintf("#%d is approved as it stands (%s)", p.PullRequest, short(p.Revision))
	case "merge":
		ok, which := Passable(order.Gate)
		if !ok {
			return "", fmt.Sprintf("%s cannot be passed; these can: %s", clipped(order.Gate, 40), strings.Join(which, ", "))
		}
		p.Past = append(p.Past, state.Past{Gate: order.Gate, By: order.By, Comment: order.Comment, Time: s.Now})
		return state.KindPast, fmt.Sprintf("#%d passes the gate %s; all others still count", p.PullRequest, order.Gate)
	case "rebuild":
		pushed := o.Head != p.Head()
		if pushed && p.Batch != nil {
			return "", fmt.Sprintf("someone pushed to the branch of #%d, which several promotions share: merge it, or close it", p.PullRequest)
		}
		next.Wish = &state.Wish{Do: WishRebuild, Revision: o.Head, By: order.By, Comment: order.Comment, Time: s.Now}
		if pushed {
			return state.KindWish, fmt.Sprintf("#%d is rebuilt on today's %s, without what was pushed to its branch (%s)", p.PullRequest, s.Base(o), short(o.Head))
		}
		return state.KindWish, fmt.Sprintf("#%d is rebuilt on today's %s", p.PullRequest, s.Base(o))
	}
	if p.Batch != nil && len(Members(s, *p)) > 1 {
		p.Status, p.Reason, p.By, p.Ended = state.Vetoed, fmt.Sprintf("@%s took it out (%s)", order.By, order.Do), order.By, s.Now
		return state.KindVeto, fmt.Sprintf("%s is taken out of #%d; %s is not proposed again, something newer will be", o.Pipeline.Title, p.PullRequest, short(p.Revision))
	}
	p.Status, p.Reason, p.By = state.Closing, fmt.Sprintf("@%s asked for it (%s)", order.By, order.Do), order.By
	p.Skipped = true
	answer := fmt.Sprintf("#%d is closed; %s is not proposed again, something newer will be", p.PullRequest, short(p.Revision))
	if p.Reverts != nil {
		answer = fmt.Sprintf("#%d is closed; %s is not rolled back, and %s stays held", p.PullRequest, short(p.Reverts.Revision), o.Key.Environment)
	}
	return state.KindClosing, answer
}

// authored is the revision that a login wrote itself, of what a promotion brings;
// "" when it did not. Git's identities are compared: GitHub's own no-reply
// addresses ("Setting your commit email address", GitHub Docs), else names.
func authored(s *Snapshot, o *Observed, p state.Promotion, login string) string {
	by := func(a Person) bool {
		local, _, _ := strings.Cut(strings.TrimSuffix(strings.ToLower(a.Email), "@users.noreply.github.com"), "@")
		if _, name, is := strings.Cut(local, "+"); is {
			local = name
		}
		return strings.EqualFold(local, login) || strings.EqualFold(a.Name, login)
	}
	chain := s.takenFrom(o, p.From)
	now, on := chain.Index(p.Landing)
	then, onThen := chain.Index(o.Ledger.State.Position[p.From].Commit)
	if !on || !onThen {
		then = now + 1
	}
	up := s.Upstream(o, p.From)
	for i := now; on && i < then && i < len(chain.Commits); i++ {
		c := chain.Commits[i]
		if by(c.Author) && (up == nil || slices.ContainsFunc(c.Changed, func(f string) bool {
			return up.Config.Place.Dir == "" || strings.HasPrefix(f, up.Config.Place.Dir+"/")
		})) {
			return fmt.Sprintf("%.10s", c.ID)
		}
	}
	return ""
}
