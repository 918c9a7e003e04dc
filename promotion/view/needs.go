package view

// What a person has to do, if anything: one sentence, and since when.

import (
	"fmt"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
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
	case o.Refusal != nil && d.Standing == promotion.Stopped:
		return d.Reason, o.Refusal.At
	}
	p := st.UnderWay()
	if p != nil && p.PullRequest > 0 {
		for _, g := range d.Gates {
			switch {
			case g.Passed || g.Waits || len(g.Needs) > 0:
			case g.Name == "approval":
				return fmt.Sprintf("approve #%d: %s", p.PullRequest, g.Text), p.Claimed
			}
		}
		if d.Standing == promotion.Proposed || o.Config.Mode < config.Auto && d.Standing == promotion.Waiting && d.Action == nil {
			if o.Config.Mode >= config.Auto && d.Reason != "" {
				return d.Reason, p.Claimed
			}
			return fmt.Sprintf("merge or close #%d", p.PullRequest), p.Claimed
		}
	}
	if st != nil && st.Hold != nil && (st.Hold.Failed != "" || st.Hold.Landing != "") {
		h := st.Hold
		return fmt.Sprintf("look at it and resume: %s", h.Reason), h.Since
	}
	if st != nil && st.Failure != nil && st.Failure.Over {
		f := st.Failure
		return fmt.Sprintf("look at what failed: %s", f.Reason), f.Since
	}
	if d.Standing == promotion.Stopped && (st == nil || st.Hold == nil || !st.Hold.Asked) {
		return d.Reason, time.Time{}
	}
	return "", time.Time{}
}
