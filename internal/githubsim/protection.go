package githubsim

// Branch protection and rulesets: what they require, who they bind, and their
// REST operations (Branch protection; Repository rules).

import (
	"fmt"
	"path"
	"slices"
)

// ruleset is the part of a protection that only rulesets have; nil for a
// classic branch protection.
type ruleset struct {
	id       int64
	name     string
	patterns []string // branch names or path.Match patterns; ~ALL; ~DEFAULT_BRANCH
	bypass   []int64  // App ids
}

func (rs *ruleset) applies() bool { return rs != nil }

// Ruleset describes a repository ruleset on branches.
type Ruleset struct {
	Name string
	// Branches are names or patterns as of path.Match, ~ALL or ~DEFAULT_BRANCH.
	Branches []string
	// RequiredChecks are the names of required status checks.
	RequiredChecks []string
	// Approvals above zero require a pull request with that many approvals;
	// PullRequest alone requires one without approvals.
	Approvals   int
	PullRequest bool
	// BypassApps may bypass the rules.
	BypassApps []int64
}

// AddRuleset adds a ruleset to a repository.
func (s *Server) AddRuleset(repo string, rs Ruleset) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	p := &protection{
		ruleset:        &ruleset{id: s.next("ruleset"), name: rs.Name, patterns: rs.Branches, bypass: rs.BypassApps},
		requireChecks:  len(rs.RequiredChecks) > 0,
		requireReviews: rs.PullRequest || rs.Approvals > 0,
		approvals:      rs.Approvals,
		enforceAdmins:  true,
		forcePushes:    true,
		deletions:      true,
	}
	for _, name := range rs.RequiredChecks {
		p.checks = append(p.checks, requiredCheck{context: name})
	}
	r.rulesets = append(r.rulesets, p)
	return nil
}

// covers tells whether a ruleset is for a branch.
func (rs *ruleset) covers(r *repository, branch string) bool {
	return slices.ContainsFunc(rs.patterns, func(pattern string) bool {
		switch pattern {
		case "~ALL":
			return true
		case "~DEFAULT_BRANCH":
			return branch == r.defaultBranch
		}
		matched, err := path.Match(pattern, branch)
		return err == nil && matched
	})
}

// rulesOn are the rules of a branch that bind who, with Server.mu held.
func (s *Server) rulesOn(r *repository, branch string, who identity) []*protection {
	if id := who.appID(); id != 0 && slices.Contains(s.habits.BypassApps, id) {
		return nil
	}
	var out []*protection
	if p := r.protections[branch]; p != nil {
		admin := who.installation() == nil && r.roleOf(who.actor()) >= RoleAdmin
		if !admin || p.enforceAdmins {
			out = append(out, p)
		}
	}
	for _, p := range r.rulesets {
		if p.ruleset.covers(r, branch) && !slices.Contains(p.ruleset.bypass, who.appID()) {
			out = append(out, p)
		}
	}
	return out
}

// missingChecks are the required checks that have not passed on a commit.
func (s *Server) missingChecks(r *repository, p *protection, sha string) []string {
	var missing []string
	for _, c := range p.checks {
		if p.requireChecks && s.requiredContext(r, sha, c.context, c.app) != contextPassed {
			missing = append(missing, c.context)
		}
	}
	return missing
}

func (s *Server) protectionRoutes() {
	admin := need{app: reads("administration"), role: RoleAdmin}
	change := need{app: writes("administration"), role: RoleAdmin}
	const base = "/repos/{owner}/{repo}/branches/{branch...}/protection"
	s.handle("GET", base, admin, s.getProtection)
	s.handle("PUT", base, change, s.putProtection)
	s.handle("DELETE", base, change, s.deleteProtection)
	s.handle("GET", base+"/required_status_checks", admin, s.getRequiredChecks)
	s.handle("GET", base+"/required_pull_request_reviews", admin, s.getRequiredReviews)
	s.handle("GET", "/repos/{owner}/{repo}/rules/branches/{branch...}", need{app: reads("metadata"), role: RoleRead}, s.getBranchRules)
}

// protectionOf is the classic protection of the path's branch.
func (s *Server) protectionOf(c *call) (*protection, error) {
	branch := c.param("branch")
	if _, exists := c.repo.refs["refs/heads/"+branch]; !exists {
		return nil, &apiError{status: 404, message: "Branch not found"}
	}
	p := c.repo.protections[branch]
	if p == nil {
		return nil, &apiError{status: 404, message: "Branch not protected"}
	}
	return p, nil
}

func (s *Server) getProtection(c *call) (reply, error) {
	p, err := s.protectionOf(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.protectionJSON(c.repo, p)), nil
}

func (s *Server) deleteProtection(c *call) (reply, error) {
	p, err := s.protectionOf(c)
	if err != nil {
		return reply{}, err
	}
	delete(c.repo.protections, p.branch)
	return noContent(), nil
}

func (s *Server) getRequiredChecks(c *call) (reply, error) {
	p, err := s.protectionOf(c)
	if err != nil {
		return reply{}, err
	}
	if !p.requireChecks {
		return reply{}, &apiError{status: 404, message: "Required status checks not enabled"}
	}
	return ok(s.requiredChecksJSON(c.repo, p)), nil
}

func (s *Server) getRequiredReviews(c *call) (reply, error) {
	p, err := s.protectionOf(c)
	if err != nil {
		return reply{}, err
	}
	if !p.requireReviews {
		return reply{}, notFound()
	}
	return ok(s.requiredReviewsJSON(c.repo, p)), nil
}

// protectionInput is the body of PUT …/protection.
type protectionInput struct {
	RequiredStatusChecks *struct {
		Strict   bool     `json:"strict"`
		Contexts []string `json:"contexts"`
		Checks   []struct {
			Context string `json:"context"`
			AppID   int64  `json:"app_id"`
		} `json:"checks"`
	} `json:"required_status_checks"`
	EnforceAdmins              *bool `json:"enforce_admins"`
	RequiredPullRequestReviews *struct {
		DismissStaleReviews          bool `json:"dismiss_stale_reviews"`
		RequireCodeOwnerReviews      bool `json:"require_code_owner_reviews"`
		RequiredApprovingReviewCount *int `json:"required_approving_review_count"`
		RequireLastPushApproval      bool `json:"require_last_push_approval"`
	} `json:"required_pull_request_reviews"`
	RequiredLinearHistory          bool  `json:"required_linear_history"`
	AllowForcePushes               *bool `json:"allow_force_pushes"`
	AllowDeletions                 bool  `json:"allow_deletions"`
	RequiredConversationResolution bool  `json:"required_conversation_resolution"`
}

func (s *Server) putProtection(c *call) (reply, error) {
	branch := c.param("branch")
	if _, exists := c.repo.refs["refs/heads/"+branch]; !exists {
		return reply{}, &apiError{status: 404, message: "Branch not found"}
	}
	var in protectionInput
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	p := &protection{
		branch: branch, enforceAdmins: in.EnforceAdmins != nil && *in.EnforceAdmins,
		linearHistory: in.RequiredLinearHistory, deletions: in.AllowDeletions,
		forcePushes: in.AllowForcePushes != nil && *in.AllowForcePushes, conversations: in.RequiredConversationResolution,
	}
	if checks := in.RequiredStatusChecks; checks != nil {
		p.requireChecks, p.strict = true, checks.Strict
		for _, check := range checks.Checks {
			p.checks = append(p.checks, requiredCheck{context: check.Context, app: max(0, check.AppID)})
		}
		for _, name := range checks.Contexts {
			known := slices.ContainsFunc(p.checks, func(r requiredCheck) bool { return r.context == name })
			if !known {
				p.checks = append(p.checks, requiredCheck{context: name})
			}
		}
	}
	if reviews := in.RequiredPullRequestReviews; reviews != nil {
		p.requireReviews, p.approvals = true, 1
		if n := reviews.RequiredApprovingReviewCount; n != nil {
			p.approvals = *n
		}
		p.dismissStale, p.codeOwners = reviews.DismissStaleReviews, reviews.RequireCodeOwnerReviews
		p.lastPush = reviews.RequireLastPushApproval
	}
	c.repo.protections[branch] = p
	return ok(s.protectionJSON(c.repo, p)), nil
}

// protectionJSON is both a branch-protection and a protected-branch.
func (s *Server) protectionJSON(r *repository, p *protection) obj {
	self := r.api(s, "/branches/%s/protection", escapePath(p.branch))
	flag := func(on bool) obj { return obj{"enabled": on} }
	out := obj{
		"url":                              self,
		"enforce_admins":                   obj{"url": self + "/enforce_admins", "enabled": p.enforceAdmins},
		"required_signatures":              obj{"url": self + "/required_signatures", "enabled": false},
		"required_linear_history":          flag(p.linearHistory),
		"allow_force_pushes":               flag(p.forcePushes),
		"allow_deletions":                  flag(p.deletions),
		"block_creations":                  flag(false),
		"required_conversation_resolution": flag(p.conversations),
		"lock_branch":                      flag(false),
		"allow_fork_syncing":               flag(false),
	}
	if p.requireChecks {
		out["required_status_checks"] = s.requiredChecksJSON(r, p)
	}
	if p.requireReviews {
		out["required_pull_request_reviews"] = s.requiredReviewsJSON(r, p)
	}
	return out
}

func (s *Server) requiredChecksJSON(r *repository, p *protection) obj {
	self := r.api(s, "/branches/%s/protection/required_status_checks", escapePath(p.branch))
	contexts, checks := []string{}, []obj{}
	for _, check := range p.checks {
		contexts = append(contexts, check.context)
		var appID any
		if check.app != 0 {
			appID = check.app
		}
		checks = append(checks, obj{"context": check.context, "app_id": appID})
	}
	return obj{"url": self, "strict": p.strict, "contexts": contexts, "contexts_url": self + "/contexts", "checks": checks}
}

func (s *Server) requiredReviewsJSON(r *repository, p *protection) obj {
	return obj{
		"url":                             r.api(s, "/branches/%s/protection/required_pull_request_reviews", escapePath(p.branch)),
		"dismiss_stale_reviews":           p.dismissStale,
		"require_code_owner_reviews":      p.codeOwners,
		"require_last_push_approval":      p.lastPush,
		"required_approving_review_count": p.approvals,
	}
}

// getBranchRules lists the rules that rulesets put on a branch. Classic branch
// protection is no part of it.
func (s *Server) getBranchRules(c *call) (reply, error) {
	out := []obj{}
	for _, p := range c.repo.rulesets {
		if !p.ruleset.covers(c.repo, c.param("branch")) {
			continue
		}
		rule := func(kind string, parameters obj) {
			out = append(out, obj{
				"type": kind, "parameters": parameters, "ruleset_source_type": "Repository",
				"ruleset_source": c.repo.fullName(), "ruleset_id": p.ruleset.id,
			})
		}
		if p.requireReviews {
			rule("pull_request", obj{
				"dismiss_stale_reviews_on_push": p.dismissStale, "require_code_owner_review": p.codeOwners,
				"require_last_push_approval": p.lastPush, "required_approving_review_count": p.approvals,
				"required_review_thread_resolution": p.conversations,
			})
		}
		if p.requireChecks {
			checks := []obj{}
			for _, check := range p.checks {
				checks = append(checks, obj{"context": check.context})
			}
			rule("required_status_checks", obj{
				"required_status_checks": checks, "strict_required_status_checks_policy": p.strict,
			})
		}
	}
	return ok(paginate(c, out)), nil
}

// reviewsMissing is GitHub's sentence about approvals that are missing, or "".
func (p *protection) reviewsMissing(approvals int) string {
	if !p.requireReviews || approvals >= p.approvals {
		return ""
	}
	noun := "reviews are"
	if p.approvals == 1 {
		noun = "review is"
	}
	return fmt.Sprintf("At least %d approving %s required by reviewers with write access.", p.approvals, noun)
}
