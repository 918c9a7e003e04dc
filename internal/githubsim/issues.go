package githubsim

// Issues, and pull requests seen as issues (REST API endpoints for issues).
// GitHub describes no webhook "issues" for what is here, so none is sent;
// pull requests changed through here send theirs.

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxTitleText = 256

func (s *Server) issueRoutes() {
	read := need{app: reads("issues", "pull_requests"), role: RoleRead}
	s.handle("GET", "/repos/{owner}/{repo}/issues", read, s.listIssues)
	s.handle("POST", "/repos/{owner}/{repo}/issues", need{app: writes("issues"), role: RoleRead, creates: true}, s.createIssue)
	s.handle("GET", "/repos/{owner}/{repo}/issues/{issue_number}", read, s.getIssue)
	s.handle("PATCH", "/repos/{owner}/{repo}/issues/{issue_number}",
		need{app: writes("issues", "pull_requests"), role: RoleRead}, s.updateIssue)
}

// issueOf finds the issue or pull request of the path.
func (s *Server) issueOf(c *call) (*issue, error) {
	n, err := strconv.Atoi(c.param("issue_number"))
	if err != nil {
		return nil, notFound()
	}
	if i := c.repo.issues[n]; i != nil {
		return i, nil
	}
	return nil, notFound()
}

func (s *Server) getIssue(c *call) (reply, error) {
	i, err := s.issueOf(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.issueJSON(i)), nil
}

func (s *Server) listIssues(c *call) (reply, error) {
	from, err := since(c)
	if err != nil {
		return reply{}, err
	}
	state := c.query("state")
	var wanted []string
	if text := c.query("labels"); text != "" {
		wanted = strings.Split(text, ",")
	}
	var list []*issue
	for n := c.repo.lastNumber; n > 0; n-- { // the newest first
		i := c.repo.issues[n]
		if i == nil || i.updatedAt.Before(from) {
			continue
		}
		if state != "all" && i.closed != (state == "closed") {
			continue
		}
		if who := c.query("creator"); who != "" && !strings.EqualFold(who, i.author.login) {
			continue
		}
		if !i.hasLabels(wanted) || !i.assignedAs(c.query("assignee")) {
			continue
		}
		list = append(list, i)
	}
	slices.SortStableFunc(list, func(a, b *issue) int {
		switch c.query("sort") {
		case "updated":
			return b.updatedAt.Compare(a.updatedAt)
		case "comments":
			return b.comments - a.comments
		}
		return b.number - a.number
	})
	if c.query("direction") == "asc" {
		slices.Reverse(list)
	}
	return ok(render(paginate(c, list), s.issueJSON)), nil
}

func (i *issue) hasLabels(names []string) bool {
	for _, name := range names {
		if !slices.ContainsFunc(i.labels, func(l *label) bool { return strings.EqualFold(l.name, strings.TrimSpace(name)) }) {
			return false
		}
	}
	return true
}

func (i *issue) assignedAs(filter string) bool {
	switch filter {
	case "":
		return true
	case "none":
		return len(i.assignees) == 0
	case "*":
		return len(i.assignees) > 0
	}
	return slices.ContainsFunc(i.assignees, func(u *user) bool { return strings.EqualFold(u.login, filter) })
}

// issueInput is the body of a create or an update.
type issueInput struct {
	Title       *flexible   `json:"title"`
	Body        *string     `json:"body"`
	State       *string     `json:"state"`
	StateReason *string     `json:"state_reason"`
	Labels      *[]flexible `json:"labels"`
	Assignees   *[]flexible `json:"assignees"`
	Assignee    *string     `json:"assignee"`
}

// flexible is a name that GitHub takes as text, number, or in an object.
type flexible string

// UnmarshalJSON reads "x", 1, {"name": "x"} and {"login": "x"}.
func (f *flexible) UnmarshalJSON(data []byte) error {
	var named struct{ Name, Login string }
	if json.Unmarshal(data, &named) == nil {
		*f = flexible(named.Name + named.Login)
		return nil
	}
	var text string
	if json.Unmarshal(data, &text) == nil {
		*f = flexible(text)
		return nil
	}
	var number json.Number
	if err := json.Unmarshal(data, &number); err != nil {
		return fmt.Errorf("neither a name nor an object with one: %w", err)
	}
	*f = flexible(number)
	return nil
}

func texts(list []flexible) []string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = string(one)
	}
	return out
}

// titleInvalid refuses a missing or over-long title.
func titleInvalid(resource, title string) error {
	if strings.TrimSpace(title) == "" {
		return invalid(fieldError{Resource: resource, Field: "title", Code: "missing_field"})
	}
	if utf8.RuneCountInString(title) > maxTitleText {
		return invalid(fieldError{
			Resource: resource, Field: "title", Code: "custom",
			Message: fmt.Sprintf("title is too long (maximum is %d characters)", maxTitleText),
		})
	}
	return nil
}

func (s *Server) createIssue(c *call) (reply, error) {
	var in issueInput
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Title == nil {
		return reply{}, invalidRequest(`"title" wasn't supplied.`)
	}
	if err := titleInvalid("Issue", string(*in.Title)); err != nil {
		return reply{}, err
	}
	body := ""
	if in.Body != nil {
		body = *in.Body
	}
	if err := bodyInvalid("Issue", body); err != nil {
		return reply{}, err
	}
	c.repo.lastNumber++
	i := &issue{
		id: s.next("issue"), number: c.repo.lastNumber, repo: c.repo, author: c.actor, title: string(*in.Title), body: body,
		createdAt: c.now, updatedAt: c.now,
	}
	c.repo.issues[i.number] = i
	if c.who.installation() != nil || c.repo.roleOf(c.actor) >= RoleTriage { // others' labels and assignees are dropped silently
		if in.Labels != nil {
			i.labels = s.labelsNamed(c.repo, texts(*in.Labels))
		}
		if in.Assignees != nil {
			i.assignees = s.assignable(c.repo, texts(*in.Assignees))
		}
	}
	return created(s.issueJSON(i)), nil
}

func (s *Server) updateIssue(c *call) (reply, error) {
	i, err := s.issueOf(c)
	if err != nil {
		return reply{}, err
	}
	var in issueInput
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	byApp := c.who.installation() != nil
	role := c.repo.roleOf(c.actor)
	if !byApp && i.author != c.actor && role < RoleTriage {
		return reply{}, forbidden("Must have admin rights to Repository.")
	}
	if in.Title != nil {
		if err := titleInvalid("Issue", string(*in.Title)); err != nil {
			return reply{}, err
		}
	}
	if in.Body != nil {
		if err := bodyInvalid("Issue", *in.Body); err != nil {
			return reply{}, err
		}
	}
	if in.State != nil && *in.State != "open" && *in.State != "closed" {
		return reply{}, invalid(fieldError{Resource: "Issue", Field: "state", Code: "invalid"})
	}
	if i.pull != nil {
		if err := s.updatePullAsIssue(c, i, &in); err != nil {
			return reply{}, err
		}
	} else {
		in.applyPlain(c, i)
	}
	if byApp || role >= RoleTriage {
		if in.Labels != nil {
			s.setLabels(i, s.labelsNamed(c.repo, texts(*in.Labels)), c.actor)
		}
		if in.Assignees != nil {
			s.setAssignees(i, s.assignable(c.repo, texts(*in.Assignees)), c.actor)
		}
	}
	return ok(s.issueJSON(i)), nil
}

// applyPlain changes an issue that is no pull request.
func (in *issueInput) applyPlain(c *call, i *issue) {
	if in.Title != nil {
		i.title = string(*in.Title)
	}
	if in.Body != nil {
		i.body = *in.Body
	}
	if in.State != nil {
		closing := *in.State == "closed"
		if closing && !i.closed {
			i.closedAt, i.closedBy = c.now, c.actor
			i.activity.stateReason = "completed"
		} else if !closing && i.closed {
			i.closedBy = nil
			i.activity.stateReason = "reopened"
		}
		i.closed = closing
	}
	if in.StateReason != nil {
		i.activity.stateReason = *in.StateReason
	}
	i.updatedAt = c.now
}

// updatePullAsIssue changes what a pull request has in common with issues.
func (s *Server) updatePullAsIssue(c *call, i *issue, in *issueInput) error {
	changes := obj{}
	if in.Title != nil && string(*in.Title) != i.title {
		changes["title"] = obj{"from": i.title}
		i.title = string(*in.Title)
	}
	if in.Body != nil && *in.Body != i.body {
		changes["body"] = obj{"from": i.body}
		i.body = *in.Body
	}
	if len(changes) > 0 {
		s.changed(i, "edited", c.actor, obj{"changes": changes})
	}
	switch {
	case in.State == nil:
	case *in.State == "closed" && !i.closed:
		s.closePull(i.pull, c.actor)
	case *in.State == "open" && i.closed:
		return s.reopenPull(c, i.pull)
	}
	return nil
}

// changed notes that an issue changed; pull requests tell about it.
func (s *Server) changed(i *issue, action string, sender *user, more obj) {
	i.updatedAt = s.now()
	if i.pull != nil {
		s.pullChanged(i.pull)
		s.emitPull(i.pull, action, sender, more)
	}
}

// issueJSON is an issue.
func (s *Server) issueJSON(i *issue) obj {
	r, self := i.repo, i.repo.api(s, "/issues/%d", i.number)
	state := "open"
	if i.closed {
		state = "closed"
	}
	var assignee any
	if len(i.assignees) > 0 {
		assignee = s.userJSON(i.assignees[0])
	}
	out := obj{
		"id": i.id, "node_id": nodeID("Issue", i.id), "url": self, "repository_url": r.api(s, ""),
		"labels_url": self + "/labels{/name}", "comments_url": self + "/comments", "events_url": self + "/events",
		"timeline_url": self + "/timeline", "html_url": r.html(s, "/issues/%d", i.number), "number": i.number, "state": state,
		"state_reason": orNull(i.activity.stateReason), "title": i.title, "body": orNull(i.body), "user": s.userOrNull(i.author),
		"labels":   render(i.labels, func(l *label) obj { return s.labelJSON(r, l) }),
		"assignee": assignee, "assignees": render(i.assignees, s.userJSON), "milestone": nil, "locked": i.locked,
		"active_lock_reason": nil, "comments": i.comments, "closed_at": nil, "created_at": stamp(i.createdAt),
		"updated_at": stamp(i.updatedAt), "closed_by": nil, "author_association": s.association(r, i.author),
		"performed_via_github_app": nil, "reactions": s.reactionsJSON(self+"/reactions", i.activity.reactions),
	}
	if i.closed {
		out["closed_at"], out["closed_by"] = stamp(i.closedAt), s.userOrNull(i.closedBy)
	}
	if p := i.pull; p != nil {
		page := r.html(s, "/pull/%d", i.number)
		out["html_url"], out["node_id"], out["draft"] = page, nodeID("PullRequest", p.pullID), p.draft
		out["pull_request"] = obj{
			"url": r.api(s, "/pulls/%d", i.number), "html_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch",
			"merged_at": stamp(p.mergedAt),
		}
	}
	return out
}

// issueHookJSON is an issue as webhooks carry it.
func (s *Server) issueHookJSON(i *issue) obj {
	out := s.issueJSON(i)
	delete(out, "closed_by")
	return out
}

// association is the author_association of an account (About the values:
// CommentAuthorAssociation in the GraphQL reference).
func (s *Server) association(r *repository, u *user) string {
	if u == nil {
		return "NONE"
	}
	if u == r.owner {
		return "OWNER"
	}
	if _, member := r.owner.members[strings.ToLower(u.login)]; member {
		return "MEMBER"
	}
	if r.roles[strings.ToLower(u.login)] > RoleNone {
		return "COLLABORATOR"
	}
	for _, i := range r.issues {
		if i.author == u && i.pull != nil && !i.pull.mergedAt.IsZero() {
			return "CONTRIBUTOR"
		}
	}
	return "NONE"
}
