package view

// What a person has to do, if anything: one sentence, and since when.

import (
	"fmt"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// needs fills Needs and NeedsSince in.
func (m maker) needs(e *Environment) {
	e.Needs, e.NeedsSince = m.need()
	if e.Needs == "" {
		e.NeedsSince = time.Time{}
		return
	}
	e.Needs = text(e.Needs)
	switch b := m.before; {
	case !e.NeedsSince.IsZero():
	case b != nil && b.Needs != "" && !b.NeedsSince.IsZero():
		e.NeedsSince = b.NeedsSince // it has gone on
	default:
		e.NeedsSince = m.s.Now
	}
}

// need is what a person has to do, and since when where that is known.
func (m maker) need() (what string, since time.Time) {
	o, d, st := m.o, m.d, m.o.Ledger.State
	switch {
	case m.s.Repository.Archived, d.Standing == promotion.Absent:
		return "", time.Time{}
	case o.Ledger.Problem != "":
		return o.Ledger.Problem, time.Time{}
	case st == nil:
		if d.Standing == promotion.Stopped {
			return d.Reason, time.Time{}
		}
		return "", time.Time{}
	case o.Refusal != nil && d.Standing == promotion.Stopped:
		return d.Reason, o.Refusal.At
	}
	if what, since := m.needOfPull(st); what != "" {
		return what, since
	}
	h := st.Hold
	if h != nil && h.Asked {
		return "", time.Time{} // somebody wants it so
	}
	if m.mending(st) {
		if d.Standing == promotion.Stopped {
			return d.Reason, time.Time{}
		}
		return "", time.Time{}
	}
	switch f := st.Failure; {
	case h != nil && (h.Failed != "" || h.Landing != ""):
		return "look at it, and resume: " + h.Reason, h.Since
	case f != nil && f.Over:
		return "look at what failed: " + f.Reason, f.Since
	case d.Standing == promotion.Stopped:
		return d.Reason, time.Time{}
	}
	return "", time.Time{}
}

// needOfPull is what the open pull request waits for a person to do.
func (m maker) needOfPull(st *state.Environment) (what string, since time.Time) {
	o, d, p := m.o, m.d, st.UnderWay()
	if p == nil || p.PullRequest == 0 || p.Status != state.Opened {
		return "", time.Time{}
	}
	if d.Standing == promotion.Stopped {
		return d.Reason, time.Time{}
	}
	for _, g := range d.Gates {
		switch {
		case g.Passed || g.Waits || len(g.Needs) > 0:
		case g.Name == "hold":
			return "", time.Time{} // which says what is to be done
		case g.Name == "approval" && p.Approval == nil:
			return fmt.Sprintf("approve #%d", p.PullRequest), p.Claimed
		case g.Name == "approval":
			return fmt.Sprintf("approve #%d anew: it has changed since @%s approved it", p.PullRequest, p.Approval.By), p.Claimed
		case g.Name == "review", g.Name == "rules", g.Name == "method", g.Name == "github" && o.Pull != nil && o.Pull.Mergeable == "draft",
			g.Name == "checks" && strings.Contains(g.Text, " ended with "):
			return fmt.Sprintf("#%d: %s", p.PullRequest, g.Text), time.Time{}
		}
	}
	switch {
	case d.Standing != promotion.Proposed || d.Action != nil:
		return "", time.Time{}
	case o.Config.Mode < config.Auto && p.Reverts == nil:
		return fmt.Sprintf("merge or close #%d", p.PullRequest), p.Claimed
	}
	return d.Reason, p.Claimed
}

// mending says whether promobot is taking back what failed, or tries it again: until
// that has ended, nobody has to do anything about the hold that came with it.
func (m maker) mending(st *state.Environment) bool {
	if m.o.Config.Mode <= config.Observe {
		return false
	}
	if p := st.UnderWay(); p != nil && p.Reverts != nil || promotion.RevertDue(m.s, m.o) != nil {
		return m.d.Standing != promotion.Verifying // a fix of somebody's is: nothing is taken back any more
	}
	f, rec := st.Failure, st.Landing
	return f != nil && !f.Over && f.Scope != "" && rec != nil && (rec.Reverts != "" || rec.Commit == f.Landing && len(m.o.Landings) > 0 && m.o.Landings[0].Commit == rec.Commit)
}
