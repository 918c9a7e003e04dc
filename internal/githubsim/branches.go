package githubsim

// Repositories and branches (REST API endpoints for repositories; for branches).

import (
	"maps"
	"slices"
	"strings"
)

func (s *Server) repositoryRoutes() {
	s.handle("GET", "/repos/{owner}/{repo}", need{app: reads("metadata"), role: RoleRead}, s.getRepository)
	s.handle("PATCH", "/repos/{owner}/{repo}", need{app: writes("administration"), role: RoleAdmin}, s.updateRepository)
}

func (s *Server) getRepository(c *call) (reply, error) {
	return ok(s.fullRepositoryJSON(c)), nil
}

// fullRepositoryJSON is a full-repository.
func (s *Server) fullRepositoryJSON(c *call) obj {
	out := s.repositoryFor(c, c.repo)
	out["subscribers_count"], out["network_count"] = 0, 0
	out["temp_clone_token"] = nil
	if c.repo.owner.kind == kindOrganization {
		out["organization"] = s.userJSON(c.repo.owner)
	}
	return out
}

func (s *Server) updateRepository(c *call) (reply, error) {
	var in struct {
		Description         *string `json:"description"`
		DefaultBranch       *string `json:"default_branch"`
		DeleteBranchOnMerge *bool   `json:"delete_branch_on_merge"`
		AllowMerge          *bool   `json:"allow_merge_commit"`
		AllowSquash         *bool   `json:"allow_squash_merge"`
		AllowRebase         *bool   `json:"allow_rebase_merge"`
		AllowAutoMerge      *bool   `json:"allow_auto_merge"`
		Archived            *bool   `json:"archived"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	r := c.repo
	if in.DefaultBranch != nil {
		if r.refs["refs/heads/"+*in.DefaultBranch] == "" {
			return reply{}, invalid(fieldError{
				Resource: "Repository", Field: "default_branch", Code: "invalid",
				Message: "The branch " + *in.DefaultBranch + " was not found. Please push that ref first or create it via the Git Data API.",
			})
		}
		err := c.git(func() error {
			_, err := r.store.run(c.ctx(), gitInput{}, "symbolic-ref", "HEAD", "refs/heads/"+*in.DefaultBranch)
			return err
		})
		if err != nil {
			return reply{}, err
		}
		r.defaultBranch = *in.DefaultBranch
	}
	set := func(to *bool, from *bool) {
		if from != nil {
			*to = *from
		}
	}
	set(&r.deleteBranchOnMerge, in.DeleteBranchOnMerge)
	set(&r.allowMerge, in.AllowMerge)
	set(&r.allowSquash, in.AllowSquash)
	set(&r.allowRebase, in.AllowRebase)
	set(&r.allowAutoMerge, in.AllowAutoMerge)
	if in.Description != nil {
		r.description = *in.Description
	}
	r.updatedAt = c.now
	s.emit(r, "repository", "edited", c.actor, obj{"changes": obj{}})
	if in.Archived != nil && *in.Archived {
		r.archived = true
		s.emit(r, "repository", "archived", c.actor, obj{})
	}
	return ok(s.fullRepositoryJSON(c)), nil
}

func (s *Server) branchRoutes() {
	read := need{app: reads("contents"), role: RoleRead}
	s.handle("GET", "/repos/{owner}/{repo}/branches", read, s.listBranches)
	s.handle("GET", "/repos/{owner}/{repo}/branches/{branch...}", read, s.getBranch)
}

// branches are the names of the branches, in alphabetical order.
func (r *repository) branches() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(r.refs)) {
		if branch, is := strings.CutPrefix(name, "refs/heads/"); is {
			out = append(out, branch)
		}
	}
	return out
}

// isProtected tells whether any rule is on a branch.
func (r *repository) isProtected(branch string) bool {
	return r.protections[branch] != nil ||
		slices.ContainsFunc(r.rulesets, func(p *protection) bool { return p.ruleset.covers(r, branch) })
}

// branchProtectionJSON is the part of a protection that everyone sees.
func (s *Server) branchProtectionJSON(r *repository, branch string) obj {
	out := obj{"enabled": false, "required_status_checks": obj{"enforcement_level": "off", "contexts": []string{}, "checks": []obj{}}}
	if p := r.protections[branch]; p != nil {
		out["enabled"] = true
		if p.requireChecks {
			checks := s.requiredChecksJSON(r, p)
			level := "non_admins"
			if p.enforceAdmins {
				level = "everyone"
			}
			out["required_status_checks"] = obj{"enforcement_level": level, "contexts": checks["contexts"], "checks": checks["checks"]}
		}
	}
	return out
}

func (s *Server) listBranches(c *call) (reply, error) {
	names := c.repo.branches()
	if want := c.query("protected"); want != "" {
		names = slices.DeleteFunc(names, func(name string) bool { return c.repo.isProtected(name) != (want == "true") })
	}
	return ok(render(paginate(c, names), func(name string) obj {
		id := c.repo.refs["refs/heads/"+name]
		return obj{
			"name": name, "protected": c.repo.isProtected(name), "commit": obj{"sha": id, "url": c.repo.api(s, "/commits/%s", id)},
			"protection":     s.branchProtectionJSON(c.repo, name),
			"protection_url": c.repo.api(s, "/branches/%s/protection", escapePath(name)),
		}
	})), nil
}

func (s *Server) getBranch(c *call) (reply, error) {
	name := c.param("branch")
	id := c.repo.refs["refs/heads/"+name]
	if id == "" {
		return reply{}, &apiError{status: 404, message: "Branch not found"}
	}
	var tip commit
	err := c.git(func() (err error) {
		tip, err = c.repo.store.commit(id)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	path := escapePath(name)
	return ok(obj{
		"name": name, "commit": s.commitJSON(c.repo, tip), "protected": c.repo.isProtected(name),
		"protection":     s.branchProtectionJSON(c.repo, name),
		"protection_url": c.repo.api(s, "/branches/%s/protection", path),
		"_links":         obj{"self": c.repo.api(s, "/branches/%s", path), "html": c.repo.html(s, "/tree/%s", path)},
	}), nil
}
