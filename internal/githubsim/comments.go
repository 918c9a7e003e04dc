package githubsim

// Comments on issues and pull requests, and reactions (REST API endpoints for
// issue comments; for reactions).

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"
)

type comment struct {
	id        int64
	issue     *issue
	author    *user
	app       *app
	body      string
	createdAt time.Time
	updatedAt time.Time
	reactions []*reaction
}

type reaction struct {
	id      int64
	user    *user
	content string
	at      time.Time
}

var reactionContents = []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}

func (s *Server) commentRoutes() {
	read := need{app: reads("issues", "pull_requests"), role: RoleRead}
	write := need{app: writes("issues", "pull_requests"), role: RoleRead}
	create := need{app: writes("issues", "pull_requests"), role: RoleRead, creates: true}
	const all, one, ofIssue = "/repos/{owner}/{repo}/issues/comments", "/repos/{owner}/{repo}/issues/comments/{comment_id}",
		"/repos/{owner}/{repo}/issues/{issue_number}"
	s.handle("GET", all, read, s.listRepositoryComments)
	s.handle("GET", one, read, s.getComment)
	s.handle("PATCH", one, write, s.updateComment)
	s.handle("DELETE", one, write, s.deleteComment)
	s.handle("GET", ofIssue+"/comments", read, s.listComments)
	s.handle("POST", ofIssue+"/comments", create, s.createComment)
	s.handle("GET", one+"/reactions", read, onComment(s, s.listReactions))
	s.handle("POST", one+"/reactions", write, onComment(s, s.addReaction))
	s.handle("DELETE", one+"/reactions/{reaction_id}", write, onComment(s, s.deleteReaction))
	s.handle("GET", ofIssue+"/reactions", read, onIssue(s, s.listReactions))
	s.handle("POST", ofIssue+"/reactions", write, onIssue(s, s.addReaction))
	s.handle("DELETE", ofIssue+"/reactions/{reaction_id}", write, onIssue(s, s.deleteReaction))
}

func (s *Server) comment(c *call) (*comment, error) {
	id, err := c.id("comment_id")
	if err != nil {
		return nil, err
	}
	if m := c.repo.activity.commentByID[id]; m != nil {
		return m, nil
	}
	return nil, notFound()
}

func (s *Server) getComment(c *call) (reply, error) {
	m, err := s.comment(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.commentJSON(m)), nil
}

// since reads the parameter since; zero when absent.
func since(c *call) (time.Time, error) {
	text := c.query("since")
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, invalid(fieldError{Resource: "Issue", Field: "since", Code: "invalid"})
	}
	return at, nil
}

func (s *Server) listComments(c *call) (reply, error) {
	i, err := s.issueOf(c)
	if err != nil {
		return reply{}, err
	}
	from, err := since(c)
	if err != nil {
		return reply{}, err
	}
	list := slices.DeleteFunc(slices.Clone(i.activity.comments), func(m *comment) bool { return m.updatedAt.Before(from) })
	return ok(render(paginate(c, list), s.commentJSON)), nil
}

// listRepositoryComments lists all comments, by creation or update; the
// direction counts only when sort is given (List issue comments for a
// repository: "Either asc or desc. Ignored without the sort parameter.").
func (s *Server) listRepositoryComments(c *call) (reply, error) {
	from, err := since(c)
	if err != nil {
		return reply{}, err
	}
	var list []*comment
	for _, m := range c.repo.activity.commentByID {
		if !m.updatedAt.Before(from) {
			list = append(list, m)
		}
	}
	byUpdate := c.query("sort") == "updated"
	slices.SortFunc(list, func(a, b *comment) int {
		if byUpdate && !a.updatedAt.Equal(b.updatedAt) {
			return a.updatedAt.Compare(b.updatedAt)
		}
		return int(a.id - b.id)
	})
	if c.query("sort") != "" && c.query("direction") == "desc" {
		slices.Reverse(list)
	}
	return ok(render(paginate(c, list), s.commentJSON)), nil
}

func commentBody(c *call) (string, error) {
	var in struct {
		Body *string `json:"body"`
	}
	if err := c.decode(&in); err != nil {
		return "", err
	}
	if in.Body == nil {
		return "", invalidRequest(`"body" wasn't supplied.`)
	}
	if *in.Body == "" {
		return "", invalid(fieldError{Resource: "IssueComment", Field: "body", Code: "missing_field"})
	}
	return *in.Body, bodyInvalid("IssueComment", *in.Body)
}

func (s *Server) createComment(c *call) (reply, error) {
	i, err := s.issueOf(c)
	if err != nil {
		return reply{}, err
	}
	body, err := commentBody(c)
	if err != nil {
		return reply{}, err
	}
	if err := mayWriteOn(c, i); err != nil {
		return reply{}, err
	}
	if i.locked && c.repo.roleOf(c.actor) < RoleWrite && c.who.installation() == nil {
		return reply{}, forbidden("Unable to create comment because issue is locked.")
	}
	m := s.addComment(i, c.actor, body)
	if inst := c.who.installation(); inst != nil {
		m.app = inst.app
	}
	s.emitComment(m, "created", c.actor, nil)
	return created(s.commentJSON(m)), nil
}

// addComment writes a comment down; the caller tells about it.
func (s *Server) addComment(i *issue, author *user, body string) *comment {
	now := s.now()
	m := &comment{id: s.next("comment"), issue: i, author: author, body: body, createdAt: now, updatedAt: now}
	i.activity.comments = append(i.activity.comments, m)
	i.comments = len(i.activity.comments)
	i.updatedAt = now
	put(&i.repo.activity.commentByID, m.id, m)
	return m
}

// mayWriteOn refuses an App that may write to pull requests alone where there is
// none ("Permissions required for GitHub Apps").
func mayWriteOn(c *call, i *issue) error {
	if c.who.installation() != nil && i.pull == nil && !c.who.token.allows(writes("issues")) {
		return notForIntegration()
	}
	return nil
}

// mayEdit refuses those who neither wrote a comment nor have write access.
func mayEdit(c *call, m *comment) error {
	if m.author == c.actor {
		return nil
	}
	if c.who.installation() != nil || c.repo.roleOf(c.actor) >= RoleWrite {
		return nil
	}
	return forbidden("Must have admin rights to Repository.")
}

func (s *Server) updateComment(c *call) (reply, error) {
	m, err := s.comment(c)
	if err != nil {
		return reply{}, err
	}
	if err := errors.Join(mayWriteOn(c, m.issue), mayEdit(c, m)); err != nil {
		return reply{}, err
	}
	body, err := commentBody(c)
	if err != nil {
		return reply{}, err
	}
	before := m.body
	m.body, m.updatedAt = body, c.now
	s.emitComment(m, "edited", c.actor, obj{"changes": obj{"body": obj{"from": before}}})
	return ok(s.commentJSON(m)), nil
}

func (s *Server) deleteComment(c *call) (reply, error) {
	m, err := s.comment(c)
	if err != nil {
		return reply{}, err
	}
	if err := errors.Join(mayWriteOn(c, m.issue), mayEdit(c, m)); err != nil {
		return reply{}, err
	}
	i := m.issue
	delete(c.repo.activity.commentByID, m.id)
	i.activity.comments = slices.DeleteFunc(i.activity.comments, func(o *comment) bool { return o == m })
	i.comments = len(i.activity.comments)
	s.emitComment(m, "deleted", c.actor, nil)
	return noContent(), nil
}

func (s *Server) emitComment(m *comment, action string, sender *user, more obj) {
	payload := obj{"issue": s.issueHookJSON(m.issue), "comment": s.commentJSON(m)}
	maps.Copy(payload, more)
	s.emit(m.issue.repo, "issue_comment", action, sender, payload)
}

// commentJSON is an issue-comment.
func (s *Server) commentJSON(m *comment) obj {
	r := m.issue.repo
	page := "issues"
	if m.issue.pull != nil {
		page = "pull"
	}
	return obj{
		"id": m.id, "node_id": nodeID("IssueComment", m.id), "url": r.api(s, "/issues/comments/%d", m.id), "body": m.body,
		"html_url": r.html(s, "/%s/%d#issuecomment-%d", page, m.issue.number, m.id), "user": s.userOrNull(m.author),
		"created_at": stamp(m.createdAt), "updated_at": stamp(m.updatedAt), "issue_url": r.api(s, "/issues/%d", m.issue.number),
		"author_association": s.association(r, m.author), "performed_via_github_app": s.appOrNull(m.app),
		"reactions": s.reactionsJSON(r.api(s, "/issues/comments/%d/reactions", m.id), m.reactions),
	}
}

// reactionsJSON is a reaction-rollup.
func (s *Server) reactionsJSON(url string, list []*reaction) obj {
	out := obj{"url": url, "total_count": len(list)}
	for _, content := range reactionContents {
		n := 0
		for _, one := range list {
			if one.content == content {
				n++
			}
		}
		out[content] = n
	}
	return out
}

// onComment and onIssue give the reactions' operations their subject.
func onComment(s *Server, f func(*call, *[]*reaction) (reply, error)) handler {
	return func(c *call) (reply, error) {
		m, err := s.comment(c)
		if err != nil {
			return reply{}, err
		}
		if c.r != nil && c.r.Method != http.MethodGet {
			err = mayWriteOn(c, m.issue)
		}
		if err != nil {
			return reply{}, err
		}
		return f(c, &m.reactions)
	}
}

func onIssue(s *Server, f func(*call, *[]*reaction) (reply, error)) handler {
	return func(c *call) (reply, error) {
		i, err := s.issueOf(c)
		if err != nil {
			return reply{}, err
		}
		return f(c, &i.activity.reactions)
	}
}

func (s *Server) reactionJSON(one *reaction) obj {
	return obj{
		"id": one.id, "node_id": nodeID("Reaction", one.id), "user": s.userJSON(one.user), "content": one.content,
		"created_at": stamp(one.at),
	}
}

func (s *Server) listReactions(c *call, list *[]*reaction) (reply, error) {
	content := c.query("content")
	shown := slices.DeleteFunc(slices.Clone(*list), func(one *reaction) bool { return content != "" && one.content != content })
	return ok(render(paginate(c, shown), s.reactionJSON)), nil
}

// addReaction answers 200 when the same account has reacted so already.
func (s *Server) addReaction(c *call, list *[]*reaction) (reply, error) {
	var in struct {
		Content string `json:"content"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if err := notMember(in.Content, reactionContents); err != nil {
		return reply{}, err
	}
	for _, one := range *list {
		if one.user == c.actor && one.content == in.Content {
			return ok(s.reactionJSON(one)), nil
		}
	}
	one := &reaction{id: s.next("reaction"), user: c.actor, content: in.Content, at: c.now}
	*list = append(*list, one)
	return created(s.reactionJSON(one)), nil
}

func (s *Server) deleteReaction(c *call, list *[]*reaction) (reply, error) {
	id, err := c.id("reaction_id")
	if err != nil {
		return reply{}, err
	}
	for i, one := range *list {
		if one.id != id {
			continue
		}
		if one.user != c.actor {
			return reply{}, forbidden("Must have admin rights to Repository.")
		}
		*list = slices.Delete(*list, i, i+1)
		return noContent(), nil
	}
	return reply{}, notFound()
}
