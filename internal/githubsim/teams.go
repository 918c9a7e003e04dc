package githubsim

// Who people are: roles in a repository, teams and organizations (REST API
// endpoints for collaborators; for team members; for organization members).

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// team of an organization.
type team struct {
	id        int64
	org       *user
	name      string
	slug      string
	members   map[string]TeamMembership // lower-case login
	createdAt time.Time
}

// CreateTeam makes a team of an organization with its members.
func (s *Server) CreateTeam(org, name string, members ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner := s.user(org)
	if owner == nil || owner.kind != kindOrganization {
		return fmt.Errorf("no organization %q", org)
	}
	slug := strings.ToLower(strings.Join(strings.Fields(name), "-"))
	key := strings.ToLower(org) + "/" + slug
	if s.activity.teams[key] != nil {
		return fmt.Errorf("the team %s exists already", key)
	}
	t := &team{id: s.next("team"), org: owner, name: name, slug: slug, members: map[string]TeamMembership{}, createdAt: s.now()}
	for _, login := range members {
		if s.user(login) == nil {
			return fmt.Errorf("no user %q", login)
		}
		t.members[strings.ToLower(login)] = ActiveMember
	}
	put(&s.activity.teams, key, t)
	return nil
}

// SetCustomRole gives a user a custom role in a repository: its name is what
// role_name shows, its base role is what it may do at least
// (About custom repository roles).
func (s *Server) SetCustomRole(repo, login, name, base string) error {
	if err := s.SetRole(repo, login, base); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	put(&r.activity.customRoles, strings.ToLower(login), name)
	return nil
}

func (s *Server) teamRoutes() {
	read := need{app: reads("metadata"), role: RoleRead}
	const all, one = "/repos/{owner}/{repo}/collaborators", "/repos/{owner}/{repo}/collaborators/{username}"
	s.handle("GET", all, need{app: reads("metadata"), role: RoleWrite}, s.listCollaborators)
	s.handle("GET", one, need{app: reads("metadata"), role: RoleWrite}, s.checkCollaborator)
	s.handle("GET", one+"/permission", read, s.collaboratorPermission)
	s.handle("GET", "/orgs/{org}/teams/{team_slug}", need{app: reads("members"), login: true}, s.getTeam)
	s.handle("GET", "/orgs/{org}/teams/{team_slug}/memberships/{username}", need{app: reads("members"), login: true}, s.getTeamMembership)
	s.handle("GET", "/orgs/{org}/memberships/{username}", need{app: reads("members"), login: true}, s.getOrganizationMembership)
	s.handle("GET", "/orgs/{org}/members/{username}", need{app: reads("members"), login: true}, s.checkOrganizationMember)
}

// roleName is the role as role_name shows it, with custom roles.
func (s *Server) roleName(r *repository, u *user) string {
	if name := r.activity.customRoles[strings.ToLower(u.login)]; name != "" {
		return name
	}
	return r.visible(u).String()
}

// permissionOf folds a role into the four old words: maintain is write,
// triage is read (Get repository permissions for a user).
func permissionOf(role Role) string {
	switch role {
	case RoleAdmin:
		return "admin"
	case RoleMaintain, RoleWrite:
		return "write"
	case RoleTriage, RoleRead:
		return "read"
	default:
		return "none"
	}
}

// collaboratorJSON is a collaborator.
func (s *Server) collaboratorJSON(r *repository, u *user) obj {
	role := r.visible(u)
	out := s.userJSON(u)
	out["permissions"] = obj{
		"pull": role >= RoleRead, "triage": role >= RoleTriage, "push": role >= RoleWrite, "maintain": role >= RoleMaintain,
		"admin": role >= RoleAdmin,
	}
	out["role_name"] = s.roleName(r, u)
	return out
}

// collaborators are the people with a role of their own or by membership.
func (s *Server) collaborators(r *repository) []*user {
	var out []*user
	for _, u := range s.users {
		if u.kind == kindUser && r.roleOf(u) >= RoleRead {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b *user) int { return int(a.id - b.id) })
	return out
}

func (s *Server) listCollaborators(c *call) (reply, error) {
	list := s.collaborators(c.repo)
	_, direct := map[string]bool{"direct": true, "outside": true}[c.query("affiliation")]
	least := map[string]Role{"pull": RoleRead, "triage": RoleTriage, "push": RoleWrite, "maintain": RoleMaintain, "admin": RoleAdmin}
	list = slices.DeleteFunc(list, func(u *user) bool {
		if direct && c.repo.roles[strings.ToLower(u.login)] == RoleNone {
			return true
		}
		if _, member := c.repo.owner.members[strings.ToLower(u.login)]; member && c.query("affiliation") == "outside" {
			return true
		}
		wanted, filtered := least[c.query("permission")]
		return filtered && c.repo.roleOf(u) < wanted
	})
	return ok(render(paginate(c, list), func(u *user) obj { return s.collaboratorJSON(c.repo, u) })), nil
}

func (s *Server) checkCollaborator(c *call) (reply, error) {
	u := s.user(c.param("username"))
	if u == nil || c.repo.roleOf(u) < RoleRead {
		return reply{}, notFound()
	}
	return noContent(), nil
}

// collaboratorPermission answers for any account: what the public may do
// counts too. An App's bot has none.
func (s *Server) collaboratorPermission(c *call) (reply, error) {
	u := s.user(c.param("username"))
	if u == nil || u.kind != kindUser {
		return reply{}, &apiError{status: 404, message: c.param("username") + " is not a user"}
	}
	return ok(obj{
		"permission": permissionOf(c.repo.visible(u)), "role_name": s.roleName(c.repo, u),
		"user": s.collaboratorJSON(c.repo, u),
	}), nil
}

// organization finds the organization of the path, if the caller may look
// inside it: its members, and Apps installed on it.
func (s *Server) organization(c *call) (*user, error) {
	org := s.user(c.param("org"))
	if org == nil || org.kind != kindOrganization {
		return nil, notFound()
	}
	if inst := c.who.installation(); inst != nil {
		if inst.account != org {
			return nil, notForIntegration()
		}
		return org, nil
	}
	if _, member := org.members[strings.ToLower(c.actor.login)]; !member {
		return nil, notFound()
	}
	return org, nil
}

func (s *Server) team(c *call) (*team, error) {
	if _, err := s.organization(c); err != nil {
		return nil, err
	}
	t := s.activity.teams[strings.ToLower(c.param("org")+"/"+c.param("team_slug"))]
	if t == nil {
		return nil, notFound()
	}
	return t, nil
}

func (s *Server) getTeam(c *call) (reply, error) {
	t, err := s.team(c)
	if err != nil {
		return reply{}, err
	}
	self := s.api("/organizations/%d/team/%d", t.org.id, t.id)
	org := s.organizationJSON(t.org)
	maps.Copy(org, (obj{
		"has_organization_projects": true, "has_repository_projects": true, "public_repos": 0, "public_gists": 0,
		"followers": 0, "following": 0, "html_url": s.url + "/" + t.org.login, "created_at": stamp(t.org.createdAt),
		"updated_at": stamp(t.org.createdAt), "archived_at": nil, "type": kindOrganization, "name": t.org.name,
	}))
	return ok(obj{
		"id": t.id, "node_id": nodeID("Team", t.id), "name": t.name, "slug": t.slug, "description": nil, "privacy": "closed",
		"notification_setting": "notifications_enabled", "permission": "pull", "url": self, "members_url": self + "/members{/member}",
		"html_url":         fmt.Sprintf("%s/orgs/%s/teams/%s", s.url, url.PathEscape(t.org.login), url.PathEscape(t.slug)),
		"repositories_url": self + "/repos", "parent": nil, "members_count": len(t.members), "repos_count": 0,
		"created_at": stamp(t.createdAt), "updated_at": stamp(t.createdAt), "organization": org, "type": "organization",
		"organization_id": t.org.id,
	}), nil
}

func (s *Server) getTeamMembership(c *call) (reply, error) {
	t, err := s.team(c)
	if err != nil {
		return reply{}, err
	}
	as, member := t.members[strings.ToLower(c.param("username"))]
	if !member {
		return reply{}, notFound()
	}
	role, state := "member", "active"
	switch as {
	case TeamMaintainer:
		role = "maintainer"
	case PendingMember:
		state = "pending"
	case NoMember, ActiveMember:
	}
	return ok(obj{
		"url":  s.api("/organizations/%d/team/%d/memberships/%s", t.org.id, t.id, url.PathEscape(c.param("username"))),
		"role": role, "state": state,
	}), nil
}

func (s *Server) getOrganizationMembership(c *call) (reply, error) {
	org, err := s.organization(c)
	if err != nil {
		return reply{}, err
	}
	level, member := org.members[strings.ToLower(c.param("username"))]
	u := s.user(c.param("username"))
	if !member || u == nil {
		return reply{}, notFound()
	}
	role := "member"
	if level == RoleAdmin {
		role = "admin"
	}
	self := s.api("/orgs/%s", url.PathEscape(org.login))
	return ok(obj{
		"url": self + "/memberships/" + url.PathEscape(u.login), "state": "active", "role": role, "organization_url": self,
		"organization": s.organizationJSON(org), "user": s.userJSON(u),
	}), nil
}

func (s *Server) checkOrganizationMember(c *call) (reply, error) {
	org, err := s.organization(c)
	if err != nil {
		return reply{}, err
	}
	if _, member := org.members[strings.ToLower(c.param("username"))]; !member {
		return reply{}, notFound()
	}
	return noContent(), nil
}
