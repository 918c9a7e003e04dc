package promotion

// The gates that promobot itself asks for: what must hold before a promotion is
// merged or pushed, besides what GitHub asks for (merge.go). All are listed, open
// or shut, so that what is waited for is always said.

import (
	"fmt"
	"slices"
	"time"

	"github.com/promobot/promobot/promotion/calendar"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// HoldLabel on a pull request keeps promobot from merging it.
const HoldLabel = "promobot/hold"

// passable are the gates that a person can let a promotion pass by a command.
var passable = []string{"after", "soak", "window", "kinds", "approval"}

// Passable says whether a person can let a promotion pass a gate, and which can
// be passed.
func Passable(gate string) (bool, []string) { return slices.Contains(passable, gate), passable }

// ownGates are promobot's own gates, and the first that is shut; nil when all are
// open. p is nil for what is not claimed yet.
func ownGates(s *Snapshot, o *Observed, l Landing, from string, p *state.Promotion) (gates []Gate, shut *Gate) {
	gates = []Gate{upstreamGate(s, o, l, from)}
	if order, _ := orderGate(s, o, l); order.Name != "" {
		order.Waits = true
		gates = append(gates, order)
	}
	gates = append(gates, holdGate(o))
	if g, asked := soakGate(s, o); asked {
		gates = append(gates, g)
	}
	for _, w := range o.Config.Windows {
		gates = append(gates, windowGate(s, w))
	}
	if o.Config.Approval && p != nil {
		gates = append(gates, approvalGate(*p))
	}
	gates = append(gates, kindsGate(o.Config, o.Content))
	if o.Pull != nil && slices.Contains(o.Pull.Labels, HoldLabel) {
		gates = append(gates, labelGate(o))
	}
	for i := range gates {
		pass(&gates[i], p)
	}
	for i := range gates {
		if !gates[i].Passed {
			return gates, &gates[i]
		}
	}
	return gates, nil
}

// WouldMerge says whether mode auto would let an offer land now, as far as
// promobot's own gates go; what GitHub asks for besides is not read for it.
func WouldMerge(s *Snapshot, o *Observed, offer Offer) bool {
	if o.Ledger.State == nil || o.Ledger.Problem != "" || len(o.Doubts) > 0 || o.Content == nil || len(o.Content.Edits) == 0 || blocked(o.Content.Refused) != nil {
		return false
	}
	p := o.Ledger.State.UnderWay()
	if p == nil && o.Config.Approval || p != nil && (p.Reverts != nil || p.Revision != offer.Landing.Revision) {
		return false
	}
	if rejected(o.Ledger.State, Landing{Digest: o.Content.Expected}) != nil {
		return false
	}
	_, shut := ownGates(s, o, offer.Landing, offer.From, p)
	return shut == nil
}

// pass opens a gate that a person lets the promotion pass.
func pass(g *Gate, p *state.Promotion) {
	if g.Passed || p == nil || !slices.Contains(passable, g.Name) {
		return
	}
	for _, past := range p.Past {
		if past.Gate == g.Name {
			g.Passed, g.Waits, g.Until = true, false, time.Time{}
			g.Text = fmt.Sprintf("@%s lets it pass: %s", past.By, g.Text)
		}
	}
}

func upstreamGate(s *Snapshot, o *Observed, l Landing, from string) Gate {
	if from == state.Source {
		return Gate{Name: "upstream", Passed: true, Text: fmt.Sprintf("%s has come from %s", short(l.Revision), SourceName(o.Config.Source))}
	}
	g := Gate{Name: "upstream", Passed: true, Text: fmt.Sprintf("%s landed in %s", short(l.Revision), from)}
	up := s.Upstream(o, from)
	if up == nil || up.Ledger.State == nil || up.Config.Verify == nil {
		return g
	}
	switch v := up.Ledger.State.VerdictOf(l.Commit); {
	case v == nil: // it is long ago, and was verified when it was offered
	case v.Outcome == state.Verified:
		g.Text = fmt.Sprintf("%s verified in %s: %s", short(l.Revision), from, v.Reason)
	default:
		g.Passed, g.Text = false, fmt.Sprintf("%s %s in %s: %s", short(l.Revision), v.Outcome, from, v.Reason)
	}
	return g
}

func holdGate(o *Observed) Gate {
	h := o.Ledger.State.Hold
	if h == nil {
		return Gate{Name: "hold", Passed: true, Text: "no hold"}
	}
	text := "held"
	if !h.Until.IsZero() {
		text += " until " + clock(h.Until)
	}
	return Gate{Name: "hold", Text: text + ": " + h.Reason, Until: h.Until}
}

// labelGate is a label's hold of one pull request.
func labelGate(o *Observed) Gate {
	if o.Pull != nil && slices.Contains(o.Pull.Labels, HoldLabel) {
		return Gate{Name: "label", Text: "the label " + HoldLabel + " holds it; take the label off to go on"}
	}
	return Gate{Name: "label", Passed: true, Text: "no label holds it"}
}

// soakGate keeps newer promotions from landing while the one before them is
// being verified.
func soakGate(s *Snapshot, o *Observed) (Gate, bool) {
	v := o.Config.Verify
	if v == nil || v.Continue {
		return Gate{}, false
	}
	g := Gate{Name: "soak", Passed: true, Text: "nothing soaks there", Line: v.Line}
	if now := VerificationOf(s, o); now != nil && now.Verdict == nil {
		g.Passed, g.Waits, g.Text, g.Until = false, true, "what landed before it comes first: "+now.Text, now.Until
	}
	return g, true
}

func windowGate(s *Snapshot, w config.Window) Gate {
	g := Gate{Name: "window", Line: w.Line, Waits: true}
	if w.Holidays != "" {
		if why := s.Shut[w.Holidays]; why != "" {
			g.Waits, g.Text = false, fmt.Sprintf("window %s: %s cannot be read: %s", w.Name, w.Holidays, why)
			return g
		}
		w.Days = s.Holidays[w.Holidays]
	}
	open, why := w.Open(s.Now)
	if open {
		g.Passed, g.Waits, g.Text = true, false, fmt.Sprintf("window %s is open", w.Name)
		return g
	}
	next, ever := w.Next(s.Now)
	if !ever {
		g.Waits, g.Text = false, fmt.Sprintf("window %s never opens: %s", w.Name, why)
		return g
	}
	g.Until = next
	g.Text = fmt.Sprintf("window %s: %s (%s)", w.Name, calendar.Describe(next, s.Now, w.Zone), why)
	return g
}

// approvalGate asks for a person's word on exactly what would land.
func approvalGate(p state.Promotion) Gate {
	switch a := p.Approval; {
	case a == nil:
		return Gate{Name: "approval", Text: "it waits for approval: /promobot approve"}
	case a.Digest != p.Expected:
		return Gate{Name: "approval", Text: fmt.Sprintf("it has changed since @%s approved it: /promobot approve", a.By)}
	default:
		return Gate{Name: "approval", Passed: true, Text: fmt.Sprintf("@%s approved it", a.By)}
	}
}
