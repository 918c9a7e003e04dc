package reconcile

// The histories of the branches that environments stand on or are read from,
// each as far back as the ledgers name it.

import (
	"context"
	"fmt"
	"slices"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// readChains reads the default branch's history and those of the other
// branches. A branch that is not there has none.
func (r *Reconciler) readChains(ctx context.Context, v *view) error {
	s := v.snapshot
	needed := map[string][]string{"": nil}
	for i := range s.Environments {
		o := &s.Environments[i]
		name(needed, s, o)
	}
	s.Branches = map[string]promotion.Chain{}
	for branch, ids := range needed {
		if branch == "" {
			branch = s.Repository.DefaultBranch
		}
		c, err := r.readChain(ctx, branch, v.refs["refs/heads/"+branch], ids)
		if err != nil {
			return err
		}
		if branch == s.Repository.DefaultBranch {
			s.Chain = c
		} else {
			s.Branches[branch] = c
		}
	}
	return nil
}

func (r *Reconciler) readChain(ctx context.Context, branch, tip string, needed []string) (promotion.Chain, error) {
	if tip == "" {
		return promotion.NewChain(nil), nil
	}
	for limit := 256; ; limit *= 4 {
		commits, err := r.git.Chain(ctx, tip, "", limit)
		if err != nil {
			return promotion.Chain{}, fmt.Errorf("read the history of %s: %w", branch, err)
		}
		c := promotion.NewChain(commits)
		whole := len(commits) < limit
		if whole || !slices.ContainsFunc(needed, func(id string) bool { _, on := c.Index(id); return !on }) {
			return c, nil
		}
	}
}

// name lists, by branch, the commits that an environment's ledger goes by.
func name(needed map[string][]string, s *promotion.Snapshot, o *promotion.Observed) {
	own := func(branch string) string {
		if branch == s.Repository.DefaultBranch {
			return ""
		}
		return branch
	}
	add := func(branch string, ids ...string) {
		branch = own(branch)
		needed[branch] = append(needed[branch], slices.DeleteFunc(ids, func(id string) bool { return id == "" })...)
	}
	add(o.Config.Branch)
	if o.Config.Read != "" {
		add(o.Config.Read)
	}
	st := o.Ledger.State
	if st == nil || o.Config.Managed {
		return
	}
	add(o.Config.Branch, st.Baseline.Commit)
	if st.Landing != nil {
		add(o.Config.Branch, st.Landing.Commit, st.Landing.Before)
	}
	under := st.Promotion
	if under != nil && under.Status == state.Landed {
		under = nil
	}
	if under != nil {
		add(o.Config.Branch, under.Base)
	}
	for _, from := range promotion.Offerers(o) {
		at := st.Position[from]
		ids := []string{at.Commit}
		if under != nil {
			ids = append(ids, under.LandingOf(from))
		}
		up := s.Upstream(o, from)
		switch {
		case from == state.Source && o.Config.Source == nil:
			add(o.Config.Read, ids...)
		case up != nil && !up.Config.Managed:
			add(up.Config.Branch, ids...)
		}
		if o.Config.Read != "" && from != state.Source {
			add(o.Config.Read, at.Read)
		}
	}
}
