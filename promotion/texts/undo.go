package texts

// How to undo a promotion: by promobot, without it, and what it does by itself
// when what landed turns out wrong.

import (
	"fmt"
	"slices"

	"github.com/promobot/promobot/promotion/config"
)

// undo after merging, with promobot and without.
func undo(p Promotion) string {
	env := named(environment(p))
	s := "**Undo after merging:** " + command("rollback", environment(p)) + "; without promobot: " + revert(p) + " and a push, or GitHub's *Revert* button on this page."
	s += fmt.Sprintf(" It does not bring %s to %s again after that, only what %s later.", revision(p.Repository, p.State.Revision), env, comes(p))
	if c := p.Config; c != nil && c.Verify != nil {
		s += " It is verified in " + env + " after it has landed"
		if c.Verify.Soak > 0 {
			s += ", for " + lasted(c.Verify.Soak)
		}
		if slices.ContainsFunc(c.OnFailure, func(step config.Step) bool { return step.Do == config.Rollback }) {
			s += "; should that fail, promobot rolls it back (`on_failure`)"
		} else {
			s += "; should that fail, promobot holds " + env + " and calls a person"
		}
		s += "."
	}
	if p.State.Origin == "" || p.State.Origin == environment(p) || managed(p, p.State.Origin) {
		return s
	}
	return s + fmt.Sprintf(" Everywhere: revert it in %s, and the revert travels the same way.", named(p.State.Origin))
}

// revert is the git command for the merge methods that the repository allows.
func revert(p Promotion) string {
	r := p.Repository
	switch {
	case r.Merge && !r.Squash && !r.Rebase:
		return "`git revert -m1 <merge commit>`"
	case !r.Merge && (r.Squash || r.Rebase):
		return "`git revert <landed commit>`"
	}
	return "`git revert -m1 <merge commit>` (without `-m1` if it was squashed or rebased)"
}

func inlined(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = named(s)
	}
	return out
}
