package githubsim

// What brings new versions, as tests and the demo cause it without a client:
// tags, releases and repository_dispatch. Each has the events and refusals of
// the API's operation of that name.

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ReleaseOptions describe a release.
type ReleaseOptions struct {
	Tag string
	// Target is the branch or commit of a tag that does not exist yet; the
	// default branch when empty.
	Target            string
	Name, Body        string
	Draft, Prerelease bool
}

// Release publishes a release in someone's name, or with Draft prepares it, and
// returns its id.
func (s *Server) Release(repo, login string, o ReleaseOptions) (int64, error) {
	in := releaseInput{Tag: &o.Tag, Name: &o.Name, Body: &o.Body, Draft: &o.Draft, Prerelease: &o.Prerelease}
	if o.Target != "" {
		in.Target = &o.Target
	}
	out, err := s.as(repo, login, in, nil, s.createRelease)
	if err != nil {
		return 0, fmt.Errorf("releasing %s in %s: %w", o.Tag, repo, err)
	}
	answer, _ := out.body.(obj)
	id, _ := answer["id"].(int64)
	return id, nil
}

// PublishRelease publishes a draft.
func (s *Server) PublishRelease(repo, login string, id int64) error {
	draft := false
	_, err := s.as(repo, login, releaseInput{Draft: &draft}, map[string]string{"release_id": fmt.Sprint(id)}, s.updateRelease)
	return err
}

// DeleteRelease deletes a release; its tag stays.
func (s *Server) DeleteRelease(repo, login string, id int64) error {
	_, err := s.as(repo, login, nil, map[string]string{"release_id": fmt.Sprint(id)}, s.deleteRelease)
	return err
}

// Tag makes a tag of a branch or commit, in someone's name; of the default
// branch when target is empty.
func (s *Server) Tag(repo, login, name, target string) error {
	_, err := s.as(repo, login, nil, nil, func(c *call) (reply, error) {
		if target == "" {
			target = c.repo.defaultBranch
		}
		if c.repo.refs["refs/tags/"+name] != "" {
			return reply{}, errors.New("the tag exists already")
		}
		at, err := c.commitNamed(target)
		if err != nil {
			return reply{}, err
		}
		return noContent(), s.makeTag(c, name, at.id)
	})
	if err != nil {
		return fmt.Errorf("tagging %s in %s: %w", name, repo, err)
	}
	return nil
}

// Dispatch sends a repository_dispatch in someone's name. The payload is what
// encoding/json makes an object of, or nil.
func (s *Server) Dispatch(repo, login, eventType string, payload any) error {
	_, err := s.as(repo, login, obj{"event_type": eventType, "client_payload": payload}, nil, s.createDispatch)
	if err != nil {
		return fmt.Errorf("dispatching %s to %s: %w", eventType, repo, err)
	}
	return nil
}

// as carries an operation of the API out in a user's name, whatever his role, or
// in that of an App, by its bot's login.
func (s *Server) as(repo, login string, body any, params map[string]string, do handler) (reply, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return reply{}, fmt.Errorf("writing the request: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return reply{}, err
	}
	u := s.user(login)
	if u == nil {
		return reply{}, fmt.Errorf("no user %q", login)
	}
	c := s.own(r, identity{token: s.tokenOf(r, u)}, u)
	c.body, c.params = data, params
	return do(c)
}

// tokenOf is what a user acts with: a bot with its App's installation, if there
// is one on the repository.
func (s *Server) tokenOf(r *repository, u *user) *token {
	for _, inst := range s.sortedInstallations() {
		if inst.app.bot == u && inst.covers(r) {
			return &token{installation: inst, permissions: inst.permissions}
		}
	}
	return &token{user: u}
}
