package githubsim

// Labels of a repository and of its issues (REST API endpoints for labels).
// A label that is put on an issue and does not exist yet is made.

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// maxLabelsPerIssue is GitHub's limit of labels on one issue.
const maxLabelsPerIssue = 100

func (s *Server) labelRoutes() {
	read := need{app: reads("issues", "pull_requests"), role: RoleRead}
	write := need{app: writes("issues", "pull_requests"), role: RoleTriage}
	make := need{app: writes("issues", "pull_requests"), role: RoleWrite}
	const all, ofIssue = "/repos/{owner}/{repo}/labels", "/repos/{owner}/{repo}/issues/{issue_number}/labels"
	s.handle("GET", all, read, s.listLabels)
	s.handle("POST", all, make, s.createLabel)
	s.handle("GET", all+"/{name}", read, s.getLabel)
	s.handle("PATCH", all+"/{name}", write, s.updateLabel)
	s.handle("DELETE", all+"/{name}", write, s.deleteLabel)
	s.handle("GET", ofIssue, read, s.listIssueLabels)
	s.handle("POST", ofIssue, write, s.addIssueLabels)
	s.handle("PUT", ofIssue, write, s.replaceIssueLabels)
	s.handle("DELETE", ofIssue, write, s.removeIssueLabels)
	s.handle("DELETE", ofIssue+"/{name}", write, s.removeIssueLabel)
}

// labelsNamed finds labels by name and makes those that are missing.
func (s *Server) labelsNamed(r *repository, names []string) []*label {
	var out []*label
	for _, name := range names {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		l := r.labels[strings.ToLower(name)]
		if l == nil {
			l = &label{id: s.next("label"), name: name, color: "ededed"}
			r.labels[strings.ToLower(name)] = l
		}
		if !slices.Contains(out, l) && len(out) < maxLabelsPerIssue {
			out = append(out, l)
		}
	}
	return out
}

// setLabels changes an issue's labels and tells about each change.
func (s *Server) setLabels(i *issue, next []*label, sender *user) {
	before := i.labels
	i.labels = next
	for _, l := range next {
		if !slices.Contains(before, l) {
			s.changed(i, "labeled", sender, obj{"label": s.labelJSON(i.repo, l)})
		}
	}
	for _, l := range before {
		if !slices.Contains(next, l) {
			s.changed(i, "unlabeled", sender, obj{"label": s.labelJSON(i.repo, l)})
		}
	}
}

// labelJSON is a label.
func (s *Server) labelJSON(r *repository, l *label) obj {
	return obj{
		"id": l.id, "node_id": nodeID("Label", l.id), "url": r.api(s, "/labels/%s", url.PathEscape(l.name)), "name": l.name,
		"color": l.color, "default": l.standard, "description": orNull(l.description),
	}
}

func (s *Server) label(c *call) (*label, error) {
	if l := c.repo.labels[strings.ToLower(c.param("name"))]; l != nil {
		return l, nil
	}
	return nil, notFound()
}

func (s *Server) labelList(c *call, list []*label) []obj {
	return render(list, func(l *label) obj { return s.labelJSON(c.repo, l) })
}

func (s *Server) listLabels(c *call) (reply, error) {
	list := make([]*label, 0, len(c.repo.labels))
	for _, l := range c.repo.labels {
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b *label) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	return ok(s.labelList(c, paginate(c, list))), nil
}

func (s *Server) getLabel(c *call) (reply, error) {
	l, err := s.label(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.labelJSON(c.repo, l)), nil
}

type labelInput struct {
	Name        *string `json:"name"`
	NewName     *string `json:"new_name"`
	Color       *string `json:"color"`
	Description *string `json:"description"`
}

func (in *labelInput) apply(l *label) error {
	if in.Color != nil {
		color := strings.ToLower(*in.Color)
		if len(color) != 6 || strings.Trim(color, "0123456789abcdef") != "" {
			return invalid(fieldError{Resource: "Label", Field: "color", Code: "invalid"})
		}
		l.color = color
	}
	if in.Description != nil {
		if len([]rune(*in.Description)) > 100 {
			return invalid(fieldError{
				Resource: "Label", Field: "description", Code: "custom",
				Message: "description is too long (maximum is 100 characters)",
			})
		}
		l.description = *in.Description
	}
	return nil
}

func (s *Server) createLabel(c *call) (reply, error) {
	var in labelInput
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Name == nil || strings.TrimSpace(*in.Name) == "" {
		return reply{}, invalid(fieldError{Resource: "Label", Field: "name", Code: "missing_field"})
	}
	key := strings.ToLower(*in.Name)
	if c.repo.labels[key] != nil {
		return reply{}, invalid(fieldError{Resource: "Label", Field: "name", Code: "already_exists"})
	}
	l := &label{id: s.next("label"), name: *in.Name, color: "ededed"}
	if err := in.apply(l); err != nil {
		return reply{}, err
	}
	c.repo.labels[key] = l
	return created(s.labelJSON(c.repo, l)), nil
}

func (s *Server) updateLabel(c *call) (reply, error) {
	l, err := s.label(c)
	if err != nil {
		return reply{}, err
	}
	var in labelInput
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.NewName != nil {
		key := strings.ToLower(*in.NewName)
		if other := c.repo.labels[key]; other != nil && other != l {
			return reply{}, invalid(fieldError{Resource: "Label", Field: "name", Code: "already_exists"})
		}
	}
	if err := in.apply(l); err != nil {
		return reply{}, err
	}
	if in.NewName != nil {
		delete(c.repo.labels, strings.ToLower(l.name))
		l.name = *in.NewName
		c.repo.labels[strings.ToLower(l.name)] = l
	}
	return ok(s.labelJSON(c.repo, l)), nil
}

func (s *Server) deleteLabel(c *call) (reply, error) {
	l, err := s.label(c)
	if err != nil {
		return reply{}, err
	}
	delete(c.repo.labels, strings.ToLower(l.name))
	for _, i := range c.repo.issues {
		i.labels = slices.DeleteFunc(slices.Clone(i.labels), func(o *label) bool { return o == l })
	}
	return noContent(), nil
}

func (s *Server) listIssueLabels(c *call) (reply, error) {
	i, err := s.issueOf(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.labelList(c, paginate(c, i.labels))), nil
}

// labelNames reads {"labels": […]} and the bare array that older clients send.
func labelNames(c *call) ([]string, error) {
	var bare []flexible
	if json.Unmarshal(c.body, &bare) == nil {
		return texts(bare), nil
	}
	var in struct {
		Labels []flexible `json:"labels"`
	}
	err := c.decode(&in)
	return texts(in.Labels), err
}

func (s *Server) addIssueLabels(c *call) (reply, error) {
	i, err := s.issueOf(c)
	if err != nil {
		return reply{}, err
	}
	names, err := labelNames(c)
	if err != nil {
		return reply{}, err
	}
	next := slices.Clone(i.labels)
	for _, l := range s.labelsNamed(c.repo, names) {
		if !slices.Contains(next, l) {
			next = append(next, l)
		}
	}
	if len(next) > maxLabelsPerIssue {
		return reply{}, unprocessable("This issue has reached the maximum number of labels.")
	}
	s.setLabels(i, next, c.actor)
	return ok(s.labelList(c, i.labels)), nil
}

func (s *Server) replaceIssueLabels(c *call) (reply, error) {
	i, err := s.issueOf(c)
	if err != nil {
		return reply{}, err
	}
	names, err := labelNames(c)
	if err != nil {
		return reply{}, err
	}
	s.setLabels(i, s.labelsNamed(c.repo, names), c.actor)
	return ok(s.labelList(c, i.labels)), nil
}

func (s *Server) removeIssueLabels(c *call) (reply, error) {
	i, err := s.issueOf(c)
	if err != nil {
		return reply{}, err
	}
	s.setLabels(i, nil, c.actor)
	return noContent(), nil
}

func (s *Server) removeIssueLabel(c *call) (reply, error) {
	i, err := s.issueOf(c)
	if err != nil {
		return reply{}, err
	}
	l := c.repo.labels[strings.ToLower(c.param("name"))]
	if l == nil || !slices.Contains(i.labels, l) {
		return reply{}, &apiError{status: 404, message: "Label does not exist"}
	}
	s.setLabels(i, slices.DeleteFunc(slices.Clone(i.labels), func(o *label) bool { return o == l }), c.actor)
	return ok(s.labelList(c, i.labels)), nil
}
