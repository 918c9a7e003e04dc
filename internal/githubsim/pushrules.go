package githubsim

// What the rules of a branch say to a push, or to the API when it moves the
// branch: the remote's lines with GH006 for classic protection and GH013 for
// rulesets (About protected branches; Available rules for rulesets).

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// pushFacts are what rules ask git about a push to one branch.
type pushFacts struct {
	forced   bool
	merges   bool // a commit new to the repository is a merge
	unsigned bool // a commit new to the repository is not verified
}

// pushFactsOf reads them, with the push's objects visible through in.
func (st *store) pushFactsOf(ctx context.Context, u refUpdate, rules []*protection, in gitInput) (pushFacts, error) {
	var f pushFacts
	if u.new == zeroID {
		return f, nil
	}
	if u.old != zeroID {
		_, err := st.run(ctx, in, "merge-base", "--is-ancestor", u.old, u.new)
		if err != nil && gitExit(err) < 0 {
			return f, err
		}
		f.forced = gitExit(err) == 1
	}
	if !slices.ContainsFunc(rules, func(p *protection) bool { return p.signatures || p.linearHistory }) {
		return f, nil
	}
	out, err := st.run(ctx, in, "rev-list", u.new, "--not", "--all")
	if gitExit(err) > 0 {
		return f, nil // the objects are not complete: git's own check says so
	}
	if err != nil {
		return f, err
	}
	for id := range strings.FieldsSeq(string(out)) {
		data, err := st.run(ctx, in, "cat-file", "commit", id)
		if err != nil {
			return f, err
		}
		c := parseCommit(object{id: id, kind: "commit", data: data})
		f.merges = f.merges || len(c.parents) > 1
		f.unsigned = f.unsigned || !c.verified()
	}
	return f, nil
}

// protectionRefuses tells what the rules of a branch say to a push: all that
// the first protection that objects has to say.
func (s *Server) protectionRefuses(ctx context.Context, repo *repository, who identity, u refUpdate, rules []*protection, in gitInput) (refusal, bool, error) {
	facts, err := repo.store.pushFactsOf(ctx, u, rules, in)
	if err != nil {
		return refusal{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var violations []string // of all rulesets together
	for _, p := range rules {
		why := s.pushObjections(repo, p, who, u, facts)
		switch {
		case p.ruleset.applies():
			violations = append(violations, why...)
		case len(why) > 0:
			lines := []string{"error: GH006: Protected branch update failed for " + u.name + "."}
			for _, one := range why {
				lines = append(lines, "error: ", "error: - "+one)
			}
			return refusal{reason: "protected branch hook declined", lines: lines}, true, nil
		}
	}
	if len(violations) == 0 {
		return refusal{}, false, nil
	}
	lines := []string{
		"error: GH013: Repository rule violations found for " + u.name + ".",
		"Review all repository rules at " + repo.html(s, "/rules?ref=%s", url.QueryEscape(u.name)), "",
	}
	for i, one := range violations {
		if !slices.Contains(violations[:i], one) {
			lines = append(lines, "- "+one, "")
		}
	}
	return refusal{reason: "push declined due to repository rule violations", lines: lines}, true, nil
}

// pushObjections are what one protection has against a push.
func (s *Server) pushObjections(r *repository, p *protection, who identity, u refUpdate, facts pushFacts) []string {
	var out []string
	say := func(on bool, text string) {
		if on {
			out = append(out, text)
		}
	}
	isRuleset := p.ruleset.applies()
	if u.new == zeroID {
		say(!p.deletions && isRuleset, "Cannot delete this protected ref.")
		say(!p.deletions && !isRuleset, "Cannot delete this branch")
		return out
	}
	if u.old == zeroID {
		say(p.noCreations, "Cannot create ref due to creations being restricted.")
		if !isRuleset {
			return out // a rule of a branch that does not exist yet lets it be created
		}
	} else {
		say(p.locked, "Cannot change this locked branch")
		say(p.keepsOut(who) && isRuleset, "Cannot update this protected ref.")
		say(p.keepsOut(who) && !isRuleset, "You're not authorized to push to this branch. Visit https://docs.github.com/articles/about-protected-branches/ for more information.")
	}
	say(facts.forced && !p.forcePushes, "Cannot force-push to this branch")
	say(p.linearHistory && facts.merges, "This branch must not contain merge commits.")
	say(p.signatures && facts.unsigned, "Commits must have verified signatures.")
	say(p.queue != nil, "Changes must be made through the merge queue")
	say(p.requireReviews, "Changes must be made through a pull request.")
	missing := s.missingChecks(r, p, u.new)
	say(len(missing) == 1, fmt.Sprintf("Required status check %q is expected.", strings.Join(missing, "")))
	say(len(missing) > 1, fmt.Sprintf("%d of %d required status checks are expected.", len(missing), len(p.checks)))
	return out
}
