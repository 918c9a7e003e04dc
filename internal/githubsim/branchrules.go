package githubsim

// The active rules of a branch, as rulesets put them on it (Get rules for a
// branch), and the rulesets themselves (Get all repository rulesets; Get a
// repository ruleset). Classic branch protection is no part of it. Who may bypass
// a rule is not told, but everyone is told of themselves.

import (
	"slices"
	"strings"
)

func (s *Server) branchRuleRoutes() {
	s.handle("GET", "/repos/{owner}/{repo}/rules/branches/{branch...}", need{app: reads("metadata"), role: RoleRead}, s.getBranchRules)
	s.handle("GET", "/repos/{owner}/{repo}/rulesets", need{app: reads("metadata"), role: RoleRead}, s.listRulesets)
	s.handle("GET", "/repos/{owner}/{repo}/rulesets/{ruleset_id}", need{app: reads("metadata"), role: RoleRead}, s.getRuleset)
}

// listRulesets knows rulesets on branches alone.
func (s *Server) listRulesets(c *call) (reply, error) {
	list := c.repo.rulesets
	if targets := c.query("targets"); targets != "" && !slices.Contains(strings.Split(targets, ","), "branch") {
		list = nil
	}
	return ok(render(paginate(c, list), func(p *protection) obj { return p.rulesetJSON(c.repo) })), nil
}

func (s *Server) getRuleset(c *call) (reply, error) {
	id, err := c.id("ruleset_id")
	if err != nil {
		return reply{}, err
	}
	for _, p := range c.repo.rulesets {
		if p.ruleset.id != id {
			continue
		}
		out := p.rulesetJSON(c.repo)
		out["conditions"] = obj{"ref_name": obj{"include": p.ruleset.refNames(), "exclude": []string{}}}
		rules := []obj{}
		for _, rule := range p.rulesJSON(c.repo) {
			one := obj{"type": rule["type"]}
			if parameters, has := rule["parameters"]; has {
				one["parameters"] = parameters
			}
			rules = append(rules, one)
		}
		out["rules"] = rules
		out["current_user_can_bypass"] = "never"
		if p.ruleset.mayBypass(c.repo, c.who) || slices.Contains(s.habits.BypassApps, c.who.appID()) {
			out["current_user_can_bypass"] = "always"
		}
		return ok(out), nil
	}
	return reply{}, notFound()
}

// rulesetJSON is a repository-ruleset as lists have it.
func (p *protection) rulesetJSON(r *repository) obj {
	return obj{
		"id": p.ruleset.id, "name": p.ruleset.name, "target": "branch", "source_type": "Repository", "source": r.fullName(), "enforcement": "active",
	}
}

// refNames are the patterns as GitHub writes them.
func (rs *ruleset) refNames() []string {
	out := []string{}
	for _, p := range rs.patterns {
		if !strings.HasPrefix(p, "~") {
			p = "refs/heads/" + p
		}
		out = append(out, p)
	}
	return out
}

func (s *Server) getBranchRules(c *call) (reply, error) {
	out := []obj{}
	for _, p := range c.repo.rulesets {
		if p.ruleset.covers(c.repo, c.param("branch")) {
			out = append(out, p.rulesJSON(c.repo)...)
		}
	}
	return ok(paginate(c, out)), nil
}

// rulesJSON are the rules of a ruleset, each a repository-rule-detailed.
func (p *protection) rulesJSON(r *repository) []obj {
	var out []obj
	rule := func(on bool, kind string, parameters func() obj) {
		if !on {
			return
		}
		one := obj{
			"type": kind, "ruleset_source_type": "Repository", "ruleset_source": r.fullName(), "ruleset_id": p.ruleset.id,
		}
		if parameters != nil {
			one["parameters"] = parameters()
		}
		out = append(out, one)
	}
	rule(p.noCreations, "creation", nil)
	rule(p.noUpdates, "update", func() obj { return obj{"update_allows_fetch_and_merge": false} })
	rule(!p.deletions, "deletion", nil)
	rule(p.linearHistory, "required_linear_history", nil)
	rule(p.queue != nil, "merge_queue", p.queueJSON)
	rule(p.signatures, "required_signatures", nil)
	rule(p.requireReviews, "pull_request", func() obj {
		methods := p.methods
		if methods == nil {
			methods = []string{"merge", "squash", "rebase"}
		}
		return obj{
			"dismiss_stale_reviews_on_push": p.dismissStale, "require_code_owner_review": p.codeOwners,
			"require_last_push_approval": p.lastPush, "required_approving_review_count": p.approvals,
			"required_review_thread_resolution": p.conversations, "allowed_merge_methods": nonNil(methods),
		}
	})
	rule(p.requireChecks, "required_status_checks", func() obj {
		checks := []obj{}
		for _, check := range p.checks {
			one := obj{"context": check.context}
			if check.app != 0 {
				one["integration_id"] = check.app
			}
			checks = append(checks, one)
		}
		return obj{
			"required_status_checks": checks, "strict_required_status_checks_policy": p.strict, "do_not_enforce_on_create": false,
		}
	})
	rule(!p.forcePushes, "non_fast_forward", nil)
	return out
}

func (p *protection) queueJSON() obj {
	strategy := "ALLGREEN"
	if p.queue.HeadGreen {
		strategy = "HEADGREEN"
	}
	return obj{
		"check_response_timeout_minutes": p.queue.TimeoutMinutes, "grouping_strategy": strategy,
		"max_entries_to_build": p.queue.MaxBuild, "max_entries_to_merge": p.queue.MaxMerge,
		"merge_method": strings.ToUpper(p.queue.Method), "min_entries_to_merge": p.queue.MinMerge,
		"min_entries_to_merge_wait_minutes": p.queue.WaitMinutes,
	}
}
