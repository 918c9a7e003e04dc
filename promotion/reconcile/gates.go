package reconcile

// What of GitHub is read only where a merge depends on it: the pull request by
// itself, since lists do not say whether it can be merged, the rules of its base
// branch, the checks on its head, and what only GraphQL tells.

import (
	"context"
	"fmt"
	"slices"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

// readRules reads the rules of branches that were not read in this view yet.
func (r *Reconciler) readRules(ctx context.Context, v *view, branches []string) {
	for _, b := range branches {
		if _, known := v.rules[b]; !known {
			rules, err := r.github.Rules(ctx, b)
			v.rules[b] = branchRules{rules, err}
		}
	}
}

// matchRules lays what was read beside the environments. What could not be read
// is a doubt of those only that depend on it.
func (r *Reconciler) matchRules(v *view) {
	s := v.snapshot
	s.Rules = map[string]promotion.Rules{}
	for b, got := range v.rules {
		if got.err == nil {
			s.Rules[b] = got.rules
		}
	}
	for i := range s.Environments {
		o := &s.Environments[i]
		open := o.Pull != nil && o.Pull.Open
		if got := v.rules[s.Base(o)]; got.err != nil && (open || o.Config.Deliver == config.ByPush) {
			o.Doubts = append(o.Doubts, fmt.Sprintf("the rules of %s could not be read: %v", s.Base(o), got.err))
		}
		if !open {
			continue
		}
		if got, known := v.checks[o.Pull.Head]; known {
			if got.err != nil {
				o.Doubts = append(o.Doubts, fmt.Sprintf("the checks of #%d could not be read: %v", o.Pull.Number, got.err))
			} else {
				o.Checks = append([]promotion.CheckResult{}, got.results...)
			}
		}
		if got, known := v.views[o.Pull.Number]; known {
			if got.err != nil {
				o.Doubts = append(o.Doubts, fmt.Sprintf("#%d could not be read: %v", o.Pull.Number, got.err))
			} else {
				o.View = &got.view
			}
		}
	}
}

// wantGates wants what the last gate of a pull request needs, all at once as
// far as it is known that it will be needed.
func (r *Reconciler) wantGates(v *view, w *wants) {
	s := v.snapshot
	var ruled []string
	for i, d := range promotion.Decide(s) {
		o := &s.Environments[i]
		if len(d.Gates) == 0 {
			continue
		}
		rules, read := s.Rules[s.Base(o)]
		if read {
			ruled = append(ruled, s.Base(o))
		}
		needs := d.Gates[len(d.Gates)-1].Needs
		if len(needs) == 0 {
			continue
		}
		if read && len(rules.Checks) > 0 {
			needs = append(needs, promotion.NeedChecks)
		}
		if read && (rules.Approvals > 0 || rules.CodeOwners) {
			needs = append(needs, promotion.NeedView)
		}
		for _, n := range needs {
			r.want(v, w, o, n)
		}
	}
	if len(v.rules) > 0 {
		slices.Sort(ruled)
		r.memory.ruled = slices.Compact(ruled)
	}
}

func (r *Reconciler) want(v *view, w *wants, o *promotion.Observed, n promotion.Need) {
	base := v.snapshot.Base(o)
	if _, known := v.rules[base]; n == promotion.NeedRules && !known && !slices.Contains(w.rules, base) {
		w.rules = append(w.rules, base)
		w.note(o, "the rules of "+base)
	}
	if o.Pull == nil {
		return
	}
	number := o.Pull.Number
	what := fmt.Sprintf("#%d", number)
	switch n {
	case promotion.NeedPull:
		if o.FreshFor == "" && !slices.Contains(w.pulls, number) {
			w.pulls = append(w.pulls, number)
			w.note(o, what)
		}
	case promotion.NeedRules: // above: a push needs them, too
	case promotion.NeedChecks:
		if o.Checks == nil && !slices.Contains(w.checks, o.Pull.Head) {
			w.checks = append(w.checks, o.Pull.Head)
			w.note(o, "the checks of "+what)
		}
	case promotion.NeedView:
		if o.View == nil && !slices.Contains(w.views, number) {
			w.views = append(w.views, number)
			w.note(o, what)
		}
	}
}
