package githubsim

// What the rules of a base branch have against a merge, in GitHub's words
// (Merge a pull request, 405; About protected branches; Available rules for
// rulesets).

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// ruleFacts are what rules ask git about a head on a base.
type ruleFacts struct {
	base, head string
	behind     bool       // the head does not contain the base's tip
	unsigned   bool       // a commit of the head is not verified
	owners     [][]string // code owners of what changed
}

// factsOf reads them.
func (st *store) factsOf(ctx context.Context, base, head string) (ruleFacts, error) {
	f := ruleFacts{base: base, head: head}
	contained, err := st.contains(ctx, head, base)
	if err != nil {
		return f, err
	}
	f.behind = !contained
	ids, err := st.commitsBetween(ctx, base, head)
	if err != nil {
		return f, err
	}
	commits, err := st.commits(ids)
	if err != nil {
		return f, err
	}
	f.unsigned = slices.ContainsFunc(commits, func(c commit) bool { return !c.verified() })
	f.owners, err = st.changedOwners(ctx, base, head)
	return f, err
}

// needsFacts tells whether a rule of the base branch asks git anything.
func (s *Server) needsFacts(p *pull) bool {
	return slices.ContainsFunc(s.rulesOn(p.repo, p.baseRef, identity{}), func(rule *protection) bool {
		return rule.strict || rule.signatures || rule.codeOwners
	})
}

// factsKnown tells whether what the rules ask of git is known.
func (s *Server) factsKnown(p *pull) bool {
	base, head := p.diffTips()
	return p.facts.base == base && p.facts.head == head || !s.needsFacts(p)
}

// learnFacts makes what the rules ask of git known.
func (s *Server) learnFacts(c *call, p *pull) error {
	if s.factsKnown(p) {
		return nil
	}
	base, head := p.diffTips()
	var facts ruleFacts
	err := c.git(func() (err error) {
		facts, err = p.repo.store.factsOf(c.ctx(), base, head)
		return err
	})
	if err == nil {
		p.facts = facts
	}
	return err
}

// objection is one thing that a rule has against a merge.
type objection struct {
	text      string
	classic   bool // of a classic protection, not of a ruleset
	behind    bool // an update with the base would mend it
	queue     bool // the merge queue may merge
	signature bool // commits are not signed
}

// objections are what the rules that bind who have against merging a pull
// request. Facts are known.
func (s *Server) objections(p *pull, who identity) []objection {
	var out []objection
	for _, rule := range s.rulesOn(p.repo, p.baseRef, who) {
		add := func(on bool, o objection) {
			if on {
				o.classic = !rule.ruleset.applies()
				out = append(out, o)
			}
		}
		say := func(on bool, text string) { add(on, objection{text: text}) }
		say(rule.locked, "Cannot change this locked branch")
		say(rule.keepsOut(who) && rule.ruleset.applies(), "Cannot update this protected ref.")
		say(rule.keepsOut(who) && !rule.ruleset.applies(), "You're not authorized to push to this branch. Visit https://docs.github.com/articles/about-protected-branches/ for more information.")
		if why := s.reviewObjection(p, rule); why != "" {
			say(true, why)
		}
		if why := s.checkObjection(p.repo, rule, p.headSHA); why != "" {
			say(true, why)
		}
		add(rule.strict && p.facts.behind, objection{text: "Head branch is out of date. Review and try the merge again.", behind: true})
		if rule.conversations && p.threads > 0 {
			say(rule.ruleset.applies(), "A conversation must be resolved before this pull request can be merged.")
			say(!rule.ruleset.applies(), "All comments must be resolved.")
		}
		if rule.signatures && p.facts.unsigned {
			text := "Commits must have verified signatures."
			if !rule.ruleset.applies() {
				text = "Base branch requires signed commits. " + text
			}
			add(true, objection{text: text, signature: true})
		}
		add(rule.queue != nil, objection{text: "Changes must be made through the merge queue", queue: true})
	}
	return out
}

// reviewObjection is what a rule misses in a pull request's reviews, or "".
func (s *Server) reviewObjection(p *pull, rule *protection) string {
	if !rule.requireReviews {
		return ""
	}
	approvals, refused := s.approvals(p, rule)
	if refused {
		return "Changes have been requested by a reviewer with write access."
	}
	if why := rule.reviewsMissing(approvals); why != "" {
		return why
	}
	if !rule.codeOwners {
		return ""
	}
	for _, owners := range p.facts.owners {
		if !s.approvedBy(p, owners) {
			return "Waiting on code owner review from " + strings.Join(owners, " or ") + "."
		}
	}
	return ""
}

// approvedBy tells whether the latest word of one of the owners is an approval.
func (s *Server) approvedBy(p *pull, owners []string) bool {
	approved := map[*user]bool{}
	for _, rv := range p.reviews {
		if rv.state != "COMMENTED" && rv.state != "PENDING" && p.repo.roleOf(rv.author) >= RoleWrite && s.owns(owners, rv.author) {
			approved[rv.author] = rv.state == "APPROVED"
		}
	}
	for _, yes := range approved {
		if yes {
			return true
		}
	}
	return false
}

// checkObjection is what a rule misses in the checks of a commit, or "".
func (s *Server) checkObjection(r *repository, rule *protection, sha string) string {
	missing := s.missingChecks(r, rule, sha)
	if len(missing) > 1 {
		return fmt.Sprintf("%d of %d required status checks are expected.", len(missing), len(rule.checks))
	}
	for _, check := range rule.checks {
		if len(missing) == 0 || check.context != missing[0] {
			continue
		}
		switch s.requiredContext(r, sha, check.context, check.app) {
		case contextFailed:
			return fmt.Sprintf("Required status check %q is failing.", check.context)
		case contextPending:
			return fmt.Sprintf("Required status check %q is in progress.", check.context)
		case contextAbsent:
			return fmt.Sprintf("Required status check %q is expected.", check.context)
		case contextPassed: // another App reported that name too
		}
	}
	return ""
}

// said are objections as GitHub answers them: a classic protection's first
// sentence, or all that rulesets have to say; "" for none.
func said(list []objection) string {
	var texts []string
	for _, o := range list {
		if o.classic {
			return o.text
		}
		if !slices.Contains(texts, o.text) {
			texts = append(texts, o.text)
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return "Repository rule violations found\n\n" + strings.Join(texts, "\n\n") + "\n\n"
}

// methodAllowed tells why a merge method is not allowed, by the repository or
// by rules that bind who.
func (s *Server) methodAllowed(p *pull, who identity, method string) error {
	noun := map[string]string{"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}[method]
	allowed := map[string]bool{"merge": p.repo.allowMerge, "squash": p.repo.allowSquash, "rebase": p.repo.allowRebase}[method]
	refused := notAllowed(noun + " are not allowed on this repository.")
	if !allowed {
		return refused
	}
	for _, rule := range s.rulesOn(p.repo, p.baseRef, who) {
		switch {
		case rule.linearHistory && method == "merge":
			return refused
		case rule.signatures && method == "rebase":
			return notAllowed("Base branch requires signed commits. Rebase merges cannot be automatically signed by GitHub")
		case rule.methods != nil && !slices.Contains(rule.methods, method):
			return notAllowed("Repository rule violations found\n\nMerge method not allowed: " + strings.ToLower(noun) + " are not allowed on this branch.\n\n")
		}
	}
	return nil
}

// reviewDecision is a pull request's, as GraphQL has it; "" for none.
func (s *Server) reviewDecision(p *pull) string {
	required, missing := false, false
	for _, rule := range s.rulesOn(p.repo, p.baseRef, identity{}) {
		if !rule.requireReviews || rule.approvals == 0 && !rule.codeOwners {
			continue
		}
		required = true
		missing = missing || s.reviewObjection(p, rule) != ""
	}
	approvals, refused := s.approvals(p, &protection{})
	switch {
	case refused:
		return "CHANGES_REQUESTED"
	case missing:
		return "REVIEW_REQUIRED"
	case required || approvals > 0:
		return "APPROVED"
	}
	return ""
}
