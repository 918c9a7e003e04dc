package githubsim

// The REST operations of classic branch protection (REST API endpoints for
// protected branches). What it requires is in rules.go.

import "slices"

func (s *Server) protectionRoutes() {
	admin := need{app: reads("administration"), role: RoleAdmin}
	change := need{app: writes("administration"), role: RoleAdmin}
	const base = "/repos/{owner}/{repo}/branches/{branch...}/protection"
	s.handle("GET", base, admin, s.getProtection)
	s.handle("PUT", base, change, s.putProtection)
	s.handle("DELETE", base, change, s.deleteProtection)
	s.handle("GET", base+"/required_signatures", admin, s.getRequiredSignatures)
	s.handle("POST", base+"/required_signatures", change, s.postRequiredSignatures)
	s.handle("DELETE", base+"/required_signatures", change, s.deleteRequiredSignatures)
	s.handle("GET", base+"/required_status_checks", admin, s.getRequiredChecks)
	s.handle("GET", base+"/required_pull_request_reviews", admin, s.getRequiredReviews)
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
	s.lookAgain(c.repo)
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

func (s *Server) getRequiredSignatures(c *call) (reply, error) {
	p, err := s.protectionOf(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.requiredSignaturesJSON(c.repo, p)), nil
}

func (s *Server) postRequiredSignatures(c *call) (reply, error) {
	p, err := s.protectionOf(c)
	if err != nil {
		return reply{}, err
	}
	p.signatures = true
	s.lookAgain(c.repo)
	return ok(s.requiredSignaturesJSON(c.repo, p)), nil
}

func (s *Server) deleteRequiredSignatures(c *call) (reply, error) {
	p, err := s.protectionOf(c)
	if err != nil {
		return reply{}, err
	}
	p.signatures = false
	s.lookAgain(c.repo)
	return noContent(), nil
}

func (s *Server) requiredSignaturesJSON(r *repository, p *protection) obj {
	return obj{"url": r.api(s, "/branches/%s/protection/required_signatures", escapePath(p.branch)), "enabled": p.signatures}
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
	Restrictions *struct {
		Users []string `json:"users"`
		Apps  []string `json:"apps"`
	} `json:"restrictions"`
	BlockCreations                 bool  `json:"block_creations"`
	LockBranch                     bool  `json:"lock_branch"`
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
		locked: in.LockBranch, noCreations: in.BlockCreations,
	}
	if old := c.repo.protections[branch]; old != nil {
		p.signatures = old.signatures // it has an operation of its own
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
	if may := in.Restrictions; may != nil {
		p.noUpdates = true
		for _, login := range may.Users {
			p.pushers = append(p.pushers, s.user(login))
		}
		for _, slug := range may.Apps {
			p.pushers = append(p.pushers, s.user(slug+"[bot]"))
		}
		if slices.Contains(p.pushers, nil) {
			return reply{}, invalid(fieldError{Resource: "ProtectedBranch", Field: "restrictions", Code: "invalid"})
		}
	}
	c.repo.protections[branch] = p
	s.lookAgain(c.repo)
	return ok(s.protectionJSON(c.repo, p)), nil
}

// protectionJSON is both a branch-protection and a protected-branch.
func (s *Server) protectionJSON(r *repository, p *protection) obj {
	self := r.api(s, "/branches/%s/protection", escapePath(p.branch))
	flag := func(on bool) obj { return obj{"enabled": on} }
	out := obj{
		"url":                              self,
		"enforce_admins":                   obj{"url": self + "/enforce_admins", "enabled": p.enforceAdmins},
		"required_signatures":              obj{"url": self + "/required_signatures", "enabled": p.signatures},
		"required_linear_history":          flag(p.linearHistory),
		"allow_force_pushes":               flag(p.forcePushes),
		"allow_deletions":                  flag(p.deletions),
		"block_creations":                  flag(p.noCreations),
		"required_conversation_resolution": flag(p.conversations),
		"lock_branch":                      flag(p.locked),
		"allow_fork_syncing":               flag(false),
	}
	if p.requireChecks {
		out["required_status_checks"] = s.requiredChecksJSON(r, p)
	}
	if p.requireReviews {
		out["required_pull_request_reviews"] = s.requiredReviewsJSON(r, p)
	}
	if p.noUpdates {
		out["restrictions"] = s.restrictionsJSON(r, p)
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

// restrictionsJSON is a branch-restriction-policy.
func (s *Server) restrictionsJSON(r *repository, p *protection) obj {
	self := r.api(s, "/branches/%s/protection/restrictions", escapePath(p.branch))
	users, apps := []obj{}, []obj{}
	for _, u := range p.pushers {
		if u.kind != kindBot {
			users = append(users, s.userJSON(u))
			continue
		}
		for _, a := range s.apps {
			if a.bot == u {
				shown := s.appJSON(a)
				shown["permissions"] = obj{"metadata": "read"} // all that is described here
				apps = append(apps, shown)
			}
		}
	}
	return obj{
		"url": self, "users_url": self + "/users", "teams_url": self + "/teams", "apps_url": self + "/apps",
		"users": users, "teams": []obj{}, "apps": apps,
	}
}
