package githubsim

// What people and other Apps do in a repository, as tests and the demo have them
// do it: comments, reactions, deployments, who is in which team. Each has the
// events and refusals of the API's operation of that name.

import (
	"fmt"
	"strings"
)

// WriteComment writes a comment on an issue or pull request in someone's name,
// and returns its id.
func (s *Server) WriteComment(repo, login string, number int, body string) (int64, error) {
	out, err := s.as(repo, login, obj{"body": body}, map[string]string{"issue_number": fmt.Sprint(number)}, s.createComment)
	if err != nil {
		return 0, fmt.Errorf("commenting on %s#%d: %w", repo, number, err)
	}
	return idOf(out), nil
}

// EditComment changes a comment in someone's name, who wrote it or may write to
// the repository.
func (s *Server) EditComment(repo, login string, id int64, body string) error {
	_, err := s.as(repo, login, obj{"body": body}, map[string]string{"comment_id": fmt.Sprint(id)}, s.updateComment)
	return about("editing comment", id, err)
}

// DeleteComment deletes a comment, as EditComment edits it.
func (s *Server) DeleteComment(repo, login string, id int64) error {
	_, err := s.as(repo, login, nil, map[string]string{"comment_id": fmt.Sprint(id)}, s.deleteComment)
	return about("deleting comment", id, err)
}

// ReactTo reacts to a comment in someone's name: +1, eyes, rocket, …
func (s *Server) ReactTo(repo, login string, id int64, content string) error {
	_, err := s.as(repo, login, obj{"content": content}, map[string]string{"comment_id": fmt.Sprint(id)}, onComment(s, s.addReaction))
	return about("reacting to comment", id, err)
}

// DeployOptions describe a deployment.
type DeployOptions struct {
	Ref         string // branch, tag or commit
	Environment string
	Description string
	Task        string // deploy when empty
	Transient   bool
}

// Deploy makes a deployment in the name of a person, or of an App by its bot's
// login, and returns its id. It merges nothing and asks for no checks.
func (s *Server) Deploy(repo, login string, o DeployOptions) (int64, error) {
	in := obj{
		"ref": o.Ref, "environment": o.Environment, "description": o.Description, "transient_environment": o.Transient,
		"auto_merge": false, "required_contexts": []string{},
	}
	if o.Task != "" {
		in["task"] = o.Task
	}
	out, err := s.as(repo, login, in, nil, s.createDeployment)
	if err != nil {
		return 0, fmt.Errorf("deploying %s of %s: %w", o.Ref, repo, err)
	}
	return idOf(out), nil
}

// DeployStatus is a status as SetDeployment posts it.
type DeployStatus struct {
	// State is error, failure, inactive, in_progress, queued, pending or success.
	State                    string
	Description, URL, LogURL string
	// KeepOthers leaves older deployments of the environment active (auto_inactive: false).
	KeepOthers bool
}

// SetDeployment posts a status of a deployment, in someone's name as Deploy.
func (s *Server) SetDeployment(repo, login string, id int64, st DeployStatus) error {
	_, err := s.as(repo, login, obj{
		"state": st.State, "description": st.Description, "environment_url": st.URL, "log_url": st.LogURL, "auto_inactive": !st.KeepOthers,
	}, map[string]string{"deployment_id": fmt.Sprint(id)}, s.createDeploymentStatus)
	return about("the status of deployment", id, err)
}

// TeamMembership is what someone is in a team.
type TeamMembership string

// The memberships. Invited people are pending until they accept.
const (
	NoMember       TeamMembership = "none"
	PendingMember  TeamMembership = "pending"
	ActiveMember   TeamMembership = "member"
	TeamMaintainer TeamMembership = "maintainer"
)

// SetTeamMember makes someone a member of a team, by its slug, or takes him out.
func (s *Server) SetTeamMember(org, slug, login string, as TeamMembership) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.activity.teams[strings.ToLower(org+"/"+slug)]
	switch {
	case t == nil:
		return fmt.Errorf("no team %s/%s", org, slug)
	case s.user(login) == nil:
		return fmt.Errorf("no user %q", login)
	}
	switch as {
	case NoMember:
		delete(t.members, strings.ToLower(login))
	case PendingMember, ActiveMember, TeamMaintainer:
		t.members[strings.ToLower(login)] = as
	default:
		return fmt.Errorf("nobody is %q in a team", as)
	}
	return nil
}

// idOf is the id in an answer.
func idOf(out reply) int64 {
	answer, _ := out.body.(obj)
	id, _ := answer["id"].(int64)
	return id
}

func about(what string, id int64, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %d: %w", what, id, err)
}
