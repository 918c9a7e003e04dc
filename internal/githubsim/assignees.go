package githubsim

// Who is assigned to an issue or a pull request (REST API endpoints for issue
// assignees). Ten people at most; who may not be assigned is ignored.

import (
	"slices"
	"strings"
)

const maxAssignees = 10

func (s *Server) assigneeRoutes() {
	const all = "/repos/{owner}/{repo}/issues/{issue_number}/assignees"
	write := need{app: writes("issues", "pull_requests"), role: RoleTriage}
	s.handle("POST", all, write, s.addAssignees)
	s.handle("DELETE", all, write, s.removeAssignees)
	s.handle("GET", all+"/{assignee}", need{app: reads("issues", "pull_requests"), role: RoleRead}, s.checkAssignee)
}

// assignable are those of the logins who may be assigned: people with a role
// in the repository.
func (s *Server) assignable(r *repository, logins []string) []*user {
	var out []*user
	for _, login := range logins {
		u := s.user(login)
		if u != nil && u.kind == kindUser && r.roleOf(u) >= RoleRead && !slices.Contains(out, u) && len(out) < maxAssignees {
			out = append(out, u)
		}
	}
	return out
}

// setAssignees changes who is assigned and tells about each change.
func (s *Server) setAssignees(i *issue, next []*user, sender *user) {
	before := i.assignees
	i.assignees = next
	for _, u := range next {
		if !slices.Contains(before, u) {
			s.changed(i, "assigned", sender, obj{"assignee": s.userJSON(u)})
		}
	}
	for _, u := range before {
		if !slices.Contains(next, u) {
			s.changed(i, "unassigned", sender, obj{"assignee": s.userJSON(u)})
		}
	}
}

func assigneesIn(c *call) ([]string, error) {
	var in struct {
		Assignees []flexible `json:"assignees"`
	}
	err := c.decode(&in)
	return texts(in.Assignees), err
}

func (s *Server) addAssignees(c *call) (reply, error) {
	i, err := s.issueOf(c)
	if err != nil {
		return reply{}, err
	}
	logins, err := assigneesIn(c)
	if err != nil {
		return reply{}, err
	}
	next := slices.Clone(i.assignees)
	for _, u := range s.assignable(c.repo, logins) {
		if !slices.Contains(next, u) && len(next) < maxAssignees {
			next = append(next, u)
		}
	}
	s.setAssignees(i, next, c.actor)
	return created(s.issueJSON(i)), nil
}

func (s *Server) removeAssignees(c *call) (reply, error) {
	i, err := s.issueOf(c)
	if err != nil {
		return reply{}, err
	}
	logins, err := assigneesIn(c)
	if err != nil {
		return reply{}, err
	}
	next := slices.DeleteFunc(slices.Clone(i.assignees), func(u *user) bool {
		return slices.ContainsFunc(logins, func(login string) bool { return strings.EqualFold(login, u.login) })
	})
	s.setAssignees(i, next, c.actor)
	return ok(s.issueJSON(i)), nil
}

func (s *Server) checkAssignee(c *call) (reply, error) {
	if _, err := s.issueOf(c); err != nil {
		return reply{}, err
	}
	if len(s.assignable(c.repo, []string{c.param("assignee")})) == 0 {
		return reply{}, notFound()
	}
	return noContent(), nil
}
