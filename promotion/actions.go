package promotion

// Actions: which commands apply to an environment now, for the buttons of check
// runs and of pages. The same choice serves all of them, and says nothing of who
// may: that is looked up when a button is pressed.
//
// A button of a check run names what it is about: the environment, and what
// stood there when it was drawn. So one that is pressed long after, on a page
// that nobody refreshed, does not take back what has landed since, nor lift
// another hold, nor approve another change.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// The commands that have a button.
const (
	DoApprove  = "approve"
	DoResume   = "resume"
	DoRetry    = "retry"
	DoPromote  = "promote"
	DoHold     = "hold"
	DoRollback = "rollback"
)

// Applies is a command that applies to an environment now.
type Applies struct {
	Do      string // approve, resume, retry, promote, hold or rollback
	Command string // what a comment would say after "/promobot "
	Issue   int    // pull request it has to be said on; 0: anywhere
	Label   string // at most 20 characters
	Does    string // in a few words, not bounded
	Asks    string // what will happen, where that should be confirmed; "" where it need not
	Danger  bool   // takes something back, or lets go on what was stopped by a failure
	Urgent  bool   // something is wrong or waits for it; the others merely can be done
	Button  string // identifier of its button on a check run, at most 20 characters
}

// Applicable are the commands that apply to an environment, the most sensible
// first.
func Applicable(s *Snapshot, d *Decision, o *Observed) []Applies {
	st := o.Ledger.State
	if st == nil || o.Ledger.Problem != "" || !o.Config.Present || o.Config.Managed || s.Repository.Archived {
		return nil
	}
	var urgent, other []Applies
	add := func(a Applies) {
		if a.Command == "" {
			a.Command = fmt.Sprintf("%s %s --pipeline %s", a.Do, o.Key.Environment, o.Key.Pipeline)
		}
		a.Button = button(o, a.Do)
		if a.Urgent {
			urgent = append(urgent, a)
		} else {
			other = append(other, a)
		}
	}
	env, p := o.Key.Environment, st.UnderWay()
	reverting := takingBack(s, o)
	back := !reverting && takesBack(o)
	if back && suspect(st) {
		add(rollsBack(o, true))
		back = false
	}
	if o.unapproved() {
		add(Applies{
			Do: DoApprove, Command: DoApprove, Issue: p.PullRequest, Label: "Approve", Urgent: true,
			Does: "what this pull request lands, as it is",
		})
	}
	switch h := st.Hold; {
	case h != nil && !reverting:
		a := Applies{Do: DoResume, Label: "Resume", Urgent: true, Does: "lets promotions to " + env + " go on"}
		if h.Failed != "" || h.Landing != "" {
			a.Danger, a.Asks = true, fmt.Sprintf("Promotions to %s go on, although it was held: %s.", env, h.Reason)
		}
		add(a)
	case h == nil && p == nil:
		if a, ok := refusedBefore(d, o); ok {
			add(a)
		}
	}
	if o.Config.Mode > config.Observe && (st.Hold == nil || reverting && !st.Hold.Asked) {
		does := "merges nothing there until you resume"
		if reverting {
			does = "merges not the rollback either"
		}
		add(Applies{Do: DoHold, Label: "Hold", Does: does})
	}
	if back {
		add(rollsBack(o, false))
	}
	return append(urgent, other...)
}

// takingBack says whether the newest landing is being taken back, or is about to
// be: not where a person closed that, and nobody has asked for it since.
func takingBack(s *Snapshot, o *Observed) bool {
	st := o.Ledger.State
	w, rec, p := st.Wish, st.Landing, st.Promotion
	if p != nil && p.Reverts != nil && p.Status == state.Vetoed && rec != nil && p.Reverts.Landing == rec.Commit && !wished(st, WishRollback, p) {
		return false
	}
	if w != nil && w.Do == WishRollback && rec != nil && slices.ContainsFunc(st.Rejected, func(x state.Rejected) bool { return x.Landing == rec.Commit }) {
		return true
	}
	if p := st.UnderWay(); p != nil {
		return p.Reverts != nil
	}
	return RevertDue(s, o) != nil
}

// suspect says whether a landing that stands is known to be bad, or under
// suspicion.
func suspect(st *state.Environment) bool {
	rec := st.Landing
	if st.Failure != nil && st.Failure.Landing == rec.Commit || st.Watch != nil && st.Watch.Landing == rec.Commit && !st.Watch.Failing.IsZero() {
		return true
	}
	v := st.VerdictOf(rec.Commit)
	return v != nil && v.Outcome != state.Verified
}

// takesBack says whether the newest landing can be taken back: it is promobot's,
// no rollback itself, and what stood before it is known.
func takesBack(o *Observed) bool {
	rec := o.Ledger.State.Landing
	return rec != nil && o.Config.Mode > config.Observe && len(o.Landings) > 0 && o.Landings[0].Commit == rec.Commit && rec.Reverts == "" && rec.Was != nil
}

func rollsBack(o *Observed, urgent bool) Applies {
	rec := o.Ledger.State.Landing
	return Applies{
		Do: DoRollback, Label: "Roll back", Danger: true, Urgent: urgent,
		Does: fmt.Sprintf("%s → %s, by pull request", short(rec.Revision), short(rec.Was.Revision)),
		Asks: fmt.Sprintf("A pull request takes %s in %s back from %s to %s, and %s is held until someone resumes it.",
			o.Pipeline.Title, o.Key.Environment, short(rec.Revision), short(rec.Was.Revision), o.Key.Environment),
	}
}

// unapproved says whether the promotion under way waits for a person's approval.
func (o *Observed) unapproved() bool {
	p := o.Ledger.State.UnderWay()
	if p == nil || p.Status != state.Opened || p.Reverts != nil || !o.Config.Approval {
		return false
	}
	passed := slices.ContainsFunc(p.Past, func(x state.Past) bool { return x.Gate == "approval" })
	return !passed && (p.Approval == nil || p.Approval.Digest != p.Expected)
}

// refusedBefore offers once more what a person had closed, or what had failed.
func refusedBefore(d *Decision, o *Observed) (Applies, bool) {
	st := o.Ledger.State
	if len(Offerers(o)) == 0 || st.Wish != nil {
		return Applies{}, false
	}
	last := st.Promotion
	switch {
	case last != nil && last.Status == state.Vetoed && last.Reverts == nil && d.Standing == Rejected:
		return Applies{
			Do: DoPromote, Label: "Promote", Urgent: true,
			Does: short(last.Revision) + ", although it was closed",
		}, true
	case d.Standing == Rejected, len(st.Floor) > 0 && (d.Standing == UpToDate || d.Standing == Stopped):
		what := "what was refused"
		if len(st.Rejected) > 0 {
			what = short(st.Rejected[0].Revision)
		}
		return Applies{Do: DoRetry, Label: "Retry", Urgent: true, Does: what + " once more"}, true
	}
	return Applies{}, false
}

// button is the identifier of a command's button on a check run: the command, and
// a hash of the environment and of what the button is about.
func button(o *Observed, do string) string {
	about := ""
	st := o.Ledger.State
	switch {
	case do == DoRollback && st.Landing != nil:
		about = st.Landing.Commit
	case do == DoResume && st.Hold != nil:
		about = strconv.FormatInt(st.Hold.Since.UnixNano(), 10)
	case do == DoApprove && st.UnderWay() != nil:
		about = st.Promotion.ID + " " + st.Promotion.Expected
		if b := st.Promotion.Batch; b != nil {
			about = b.Name() + " " + b.Head // whatever is in it
		}
	case (do == DoRetry || do == DoPromote) && st.Promotion != nil:
		about = st.Promotion.ID
	}
	return do + ":" + state.Hash("button", o.Key.Pipeline, o.Key.Environment, do, about)[:mostIdentifier-len(do)-1]
}

// mostIdentifier is how long a button's identifier may be ("Create a check run",
// REST API documentation).
const mostIdentifier = 20

// Pressed are the environments that a button of a check run is about: one, or all
// that travel in the pull request which it approves. Without any, why says so, for
// the person who pressed it.
func Pressed(s *Snapshot, identifier string) (os []*Observed, why string) {
	var o *Observed
	do, _, is := strings.Cut(identifier, ":")
	if !is {
		return nil, "this is no button of promobot's"
	}
	for i := range s.Environments {
		x := &s.Environments[i]
		if x.Ledger.State == nil || !x.Config.Present || button(x, do) != identifier {
			continue
		}
		if o != nil {
			return nil, "this button names more than one environment; write the command in a comment"
		}
		o = x
	}
	if o == nil {
		return nil, "what this button was about has changed since it was shown; look at the check run again, or write the command in a comment"
	}
	if p := o.Ledger.State.UnderWay(); do == DoApprove && p != nil && p.Batch != nil {
		return Members(s, *p), ""
	}
	return []*Observed{o}, ""
}
