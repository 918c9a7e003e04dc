package githubsim

// Commit statuses (REST API endpoints for commit statuses). A commit keeps
// every status ever posted, up to 1,000 per context; the newest of each
// context counts.

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	maxStatusesPerContext   = 1000
	maxStatusDescription    = 140
	maxBranchesOfStatusHook = 10
)

// commitStatus is one posted status.
type commitStatus struct {
	id          int64
	sha         string
	state       string // error, failure, pending, success
	context     string
	description string
	targetURL   string
	creator     *user
	app         int64 // the App's id, or 0
	at          time.Time
}

func (s *Server) statusRoutes() {
	read := need{app: reads("statuses"), role: RoleRead}
	s.handle("POST", "/repos/{owner}/{repo}/statuses/{sha...}",
		need{app: writes("statuses"), role: RoleWrite}, s.createStatus)
	s.handle("GET", "/repos/{owner}/{repo}/commits/{ref...}/status", read, s.combinedStatus)
	s.handle("GET", "/repos/{owner}/{repo}/commits/{ref...}/statuses", read, s.listStatuses)
}

// latestStatus is the newest status of a context, or nil.
func (r *repository) latestStatus(sha, context string) *commitStatus {
	for _, st := range slices.Backward(r.activity.statuses[sha]) {
		if st.context == context {
			return st
		}
	}
	return nil
}

// latestStatuses are the newest of each context, the newest first.
func (r *repository) latestStatuses(sha string) []*commitStatus {
	known := map[string]bool{}
	var out []*commitStatus
	for _, st := range slices.Backward(r.activity.statuses[sha]) {
		if !known[st.context] {
			known[st.context] = true
			out = append(out, st)
		}
	}
	return out
}

func (s *Server) createStatus(c *call) (reply, error) {
	var in struct {
		State       string  `json:"state"`
		TargetURL   *string `json:"target_url"`
		Description *string `json:"description"`
		Context     string  `json:"context"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if !slices.Contains([]string{"error", "failure", "pending", "success"}, in.State) {
		return reply{}, invalid(fieldError{Resource: "Status", Field: "state", Code: "custom", Message: "State is not included in the list"})
	}
	if in.Context == "" {
		in.Context = "default"
	}
	st := &commitStatus{state: in.State, context: in.Context, creator: c.actor, app: c.who.appID()}
	if in.Description != nil {
		st.description = *in.Description
	}
	if in.TargetURL != nil {
		st.targetURL = *in.TargetURL
	}
	if len([]rune(st.description)) > maxStatusDescription {
		return reply{}, invalid(fieldError{
			Resource: "Status", Field: "description", Code: "custom",
			Message: fmt.Sprintf("description is too long (maximum is %d characters)", maxStatusDescription),
		})
	}
	if st.targetURL != "" && !strings.HasPrefix(st.targetURL, "http://") && !strings.HasPrefix(st.targetURL, "https://") {
		return reply{}, invalid(fieldError{Resource: "Status", Field: "target_url", Code: "custom", Message: "Target url must use http(s) scheme"})
	}
	if len(c.param("sha")) != len(zeroID) {
		return reply{}, unprocessable("No commit found for SHA: " + c.param("sha"))
	}
	head, err := c.commitNamed(c.param("sha"))
	if err != nil {
		return reply{}, err
	}
	if err := s.addStatus(c.repo, head, st); err != nil {
		return reply{}, err
	}
	return created(s.statusJSON(c.repo, st)), nil
}

// addStatus posts a status and tells about it.
func (s *Server) addStatus(r *repository, head commit, st *commitStatus) error {
	count := 0
	for _, other := range r.activity.statuses[head.id] {
		if other.context == st.context {
			count++
		}
	}
	if count >= maxStatusesPerContext {
		return invalid(fieldError{
			Resource: "Status", Code: "custom",
			Message: "This SHA and context has reached the maximum number of statuses.",
		})
	}
	st.id, st.sha, st.at = s.next("status"), head.id, s.now()
	put(&r.activity.statuses, head.id, append(r.activity.statuses[head.id], st))
	s.emit(r, "status", "", st.creator, s.statusHookJSON(r, head, st))
	return nil
}

func (s *Server) listStatuses(c *call) (reply, error) {
	head, err := c.commitNamed(c.param("ref"))
	if err != nil {
		return reply{}, notFoundInstead(err)
	}
	list := slices.Clone(c.repo.activity.statuses[head.id])
	slices.Reverse(list)
	return ok(render(paginate(c, list), func(st *commitStatus) obj { return s.statusJSON(c.repo, st) })), nil
}

// combinedStatus is failure if any failed, pending if any is or none is
// there, else success (Get the combined status for a specific reference).
func (s *Server) combinedStatus(c *call) (reply, error) {
	head, err := c.commitNamed(c.param("ref"))
	if err != nil {
		return reply{}, notFoundInstead(err)
	}
	list := c.repo.latestStatuses(head.id)
	state := "success"
	if len(list) == 0 {
		state = "pending"
	}
	for _, st := range list {
		switch st.state {
		case "error", "failure":
			state = "failure"
		case "pending":
			if state == "success" {
				state = "pending"
			}
		}
	}
	return ok(obj{
		"state": state, "sha": head.id, "total_count": len(list), "repository": s.repositoryJSON(c.repo),
		"statuses": render(paginate(c, list), func(st *commitStatus) obj {
			out := s.statusJSON(c.repo, st)
			delete(out, "creator")
			return out
		}),
		"commit_url": c.repo.api(s, "/commits/%s", head.id), "url": c.repo.api(s, "/commits/%s/status", head.id),
	}), nil
}

// notFoundInstead answers 404 where GitHub does so for an unknown commit.
func notFoundInstead(err error) error {
	var api *apiError
	if errors.As(err, &api) && api.status == 422 {
		return notFound()
	}
	return err
}

// statusJSON is a status.
func (s *Server) statusJSON(r *repository, st *commitStatus) obj {
	return obj{
		"id": st.id, "node_id": nodeID("StatusContext", st.id), "state": st.state, "context": st.context,
		"description": orNull(st.description), "target_url": orNull(st.targetURL),
		"url":        r.api(s, "/statuses/%s", st.sha),
		"avatar_url": fmt.Sprintf("%s/avatars/u/%d", s.url, st.creator.id), "creator": s.userJSON(st.creator),
		"created_at": stamp(st.at), "updated_at": stamp(st.at),
	}
}

func (s *Server) statusHookJSON(r *repository, head commit, st *commitStatus) obj {
	var names []string
	for name, id := range r.refs {
		if branch, is := strings.CutPrefix(name, "refs/heads/"); is && id == head.id {
			names = append(names, branch)
		}
	}
	slices.Sort(names)
	branches := []obj{}
	for _, name := range names[:min(len(names), maxBranchesOfStatusHook)] {
		branches = append(branches, obj{
			"name": name, "protected": r.protections[name] != nil,
			"commit": obj{"sha": head.id, "url": r.api(s, "/commits/%s", head.id)},
		})
	}
	shown := s.commitJSON(r, head)
	for _, role := range []string{"author", "committer"} { // this webhook has them as they were once
		if account, is := shown[role].(obj); is {
			delete(account, "user_view_type")
		}
	}
	return obj{
		"id": st.id, "sha": head.id, "name": r.fullName(), "state": st.state, "context": st.context,
		"description": orNull(st.description), "target_url": orNull(st.targetURL),
		"avatar_url": fmt.Sprintf("%s/avatars/u/%d", s.url, st.creator.id), "commit": shown, "branches": branches,
		"created_at": stamp(st.at), "updated_at": stamp(st.at),
	}
}
