package githubsim

// Deployments and their statuses (REST API endpoints for deployments). A
// deployment merges nothing here: auto_merge against a branch that is behind
// is refused, so that clients learn to send false.

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

type deployment struct {
	id          int64
	sha, ref    string
	task        string
	payload     any
	environment string
	original    string
	description *string
	transient   bool
	production  bool
	creator     *user
	app         *app
	createdAt   time.Time
	updatedAt   time.Time
	statuses    []*deploymentStatus // in the order of creation
}

type deploymentStatus struct {
	id          int64
	state       string
	environment string
	description string
	targetURL   string
	envURL      string
	creator     *user
	app         *app
	at          time.Time
}

func (s *Server) deploymentRoutes() {
	read := need{app: reads("deployments"), role: RoleRead}
	create := need{app: writes("deployments"), role: RoleWrite}
	const one = "/repos/{owner}/{repo}/deployments/{deployment_id}"
	s.handle("GET", "/repos/{owner}/{repo}/deployments", read, s.listDeployments)
	s.handle("POST", "/repos/{owner}/{repo}/deployments", create, s.createDeployment)
	s.handle("GET", one, read, s.getDeployment)
	s.handle("DELETE", one, need{app: writes("deployments"), role: RoleWrite}, s.deleteDeployment)
	s.handle("GET", one+"/statuses", read, s.listDeploymentStatuses)
	s.handle("POST", one+"/statuses", create, s.createDeploymentStatus)
	s.handle("GET", one+"/statuses/{status_id}", read, s.getDeploymentStatus)
}

func (s *Server) deployment(c *call) (*deployment, error) {
	id, err := c.id("deployment_id")
	if err != nil {
		return nil, err
	}
	for _, d := range c.repo.activity.deployments {
		if d.id == id {
			return d, nil
		}
	}
	return nil, notFound()
}

func (s *Server) listDeployments(c *call) (reply, error) {
	matches := func(parameter, value string) bool {
		wanted := c.query(parameter)
		return wanted == "" || wanted == "none" || wanted == value
	}
	var list []*deployment
	for _, d := range slices.Backward(c.repo.activity.deployments) {
		if matches("sha", d.sha) && matches("ref", d.ref) && matches("task", d.task) && matches("environment", d.environment) {
			list = append(list, d)
		}
	}
	return ok(render(paginate(c, list), func(d *deployment) obj { return s.deploymentJSON(c.repo, d) })), nil
}

func (s *Server) createDeployment(c *call) (reply, error) {
	in := struct {
		Ref         string          `json:"ref"`
		Task        string          `json:"task"`
		AutoMerge   *bool           `json:"auto_merge"`
		Required    *[]string       `json:"required_contexts"`
		Payload     json.RawMessage `json:"payload"`
		Environment string          `json:"environment"`
		Description *string         `json:"description"`
		Transient   bool            `json:"transient_environment"`
		Production  *bool           `json:"production_environment"`
	}{Task: "deploy", Environment: "production"}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Ref == "" {
		return reply{}, invalidRequest(`"ref" wasn't supplied.`)
	}
	head, err := c.commitNamed(in.Ref)
	if err != nil {
		return reply{}, unprocessable("No ref found for: " + in.Ref)
	}
	if err := s.deployable(c, head, in.Ref, in.AutoMerge, in.Required); err != nil {
		return reply{}, err
	}
	d := &deployment{
		id: s.next("deployment"), sha: head.id, ref: in.Ref, task: in.Task, payload: obj{}, environment: in.Environment,
		original: in.Environment, description: in.Description, transient: in.Transient, production: in.Environment == "production",
		creator: c.actor, createdAt: c.now, updatedAt: c.now,
	}
	if in.Production != nil {
		d.production = *in.Production
	}
	if len(in.Payload) > 0 && string(in.Payload) != "null" {
		if err := json.Unmarshal(in.Payload, &d.payload); err != nil {
			return reply{}, &apiError{status: 400, message: "Problems parsing JSON"}
		}
	}
	if inst := c.who.installation(); inst != nil {
		d.app = inst.app
	}
	c.repo.activity.deployments = append(c.repo.activity.deployments, d)
	s.emit(c.repo, "deployment", "created", c.actor, obj{
		"deployment": oldApp(s.deploymentJSON(c.repo, d)), "workflow": nil, "workflow_run": nil,
	})
	return created(s.deploymentJSON(c.repo, d)), nil
}

// deployable refuses what GitHub refuses: required contexts that have not
// passed, and a ref that lacks the default branch's commits unless told not
// to merge.
func (s *Server) deployable(c *call, head commit, ref string, autoMerge *bool, required *[]string) error {
	names := []string{}
	if required != nil {
		names = *required
	} else {
		for _, st := range c.repo.latestStatuses(head.id) {
			names = append(names, st.context)
		}
		for _, suite := range c.repo.activity.suites[head.id] {
			for _, run := range suite.runs {
				if !slices.Contains(names, run.state().name) {
					names = append(names, run.state().name)
				}
			}
		}
	}
	for _, name := range names {
		if s.requiredContext(c.repo, head.id, name, 0) != contextPassed {
			return conflict("Conflict: Commit status checks failed for " + ref + ".")
		}
	}
	if autoMerge != nil && !*autoMerge {
		return nil
	}
	tip := c.repo.refs["refs/heads/"+c.repo.defaultBranch]
	if _, isBranch := c.repo.refs["refs/heads/"+ref]; !isBranch || tip == "" || tip == head.id {
		return nil
	}
	st, ctx := c.repo.store, c.r.Context()
	behind := false
	if err := c.git(func() error {
		_, err := st.run(ctx, gitInput{}, "merge-base", "--is-ancestor", tip, head.id)
		behind = gitExit(err) == 1
		if behind {
			return nil
		}
		return err
	}); err != nil {
		return fmt.Errorf("comparing with the default branch: %w", err)
	}
	if behind {
		return conflict("Conflict merging " + c.repo.defaultBranch + " into " + ref + ".")
	}
	return nil
}

func (s *Server) getDeployment(c *call) (reply, error) {
	d, err := s.deployment(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.deploymentJSON(c.repo, d)), nil
}

func (s *Server) deleteDeployment(c *call) (reply, error) {
	d, err := s.deployment(c)
	if err != nil {
		return reply{}, err
	}
	if n := len(d.statuses); n > 0 && d.statuses[n-1].state != "inactive" {
		return reply{}, unprocessable("We cannot delete an active deployment unless it is the only deployment in a given environment.")
	}
	c.repo.activity.deployments = slices.DeleteFunc(c.repo.activity.deployments, func(o *deployment) bool { return o == d })
	return noContent(), nil
}

func (s *Server) listDeploymentStatuses(c *call) (reply, error) {
	d, err := s.deployment(c)
	if err != nil {
		return reply{}, err
	}
	list := slices.Clone(d.statuses)
	slices.Reverse(list)
	return ok(render(paginate(c, list), func(st *deploymentStatus) obj { return s.deploymentStatusJSON(c.repo, d, st) })), nil
}

func (s *Server) getDeploymentStatus(c *call) (reply, error) {
	d, err := s.deployment(c)
	if err != nil {
		return reply{}, err
	}
	id, err := c.id("status_id")
	if err != nil {
		return reply{}, err
	}
	for _, st := range d.statuses {
		if st.id == id {
			return ok(s.deploymentStatusJSON(c.repo, d, st)), nil
		}
	}
	return reply{}, notFound()
}

func (s *Server) createDeploymentStatus(c *call) (reply, error) {
	d, err := s.deployment(c)
	if err != nil {
		return reply{}, err
	}
	var in struct {
		State          string `json:"state"`
		TargetURL      string `json:"target_url"`
		LogURL         string `json:"log_url"`
		Description    string `json:"description"`
		Environment    string `json:"environment"`
		EnvironmentURL string `json:"environment_url"`
		AutoInactive   *bool  `json:"auto_inactive"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	states := []string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}
	if !slices.Contains(states, in.State) {
		return reply{}, invalid(fieldError{Resource: "DeploymentStatus", Field: "state", Code: "custom", Message: "state is not included in the list"})
	}
	if len([]rune(in.Description)) > maxStatusDescription {
		return reply{}, invalid(fieldError{
			Resource: "DeploymentStatus", Field: "description", Code: "custom",
			Message: fmt.Sprintf("description is too long (maximum is %d characters)", maxStatusDescription),
		})
	}
	st := &deploymentStatus{state: in.State, description: in.Description, environment: in.Environment, envURL: in.EnvironmentURL, creator: c.actor}
	st.targetURL = in.LogURL
	if st.targetURL == "" {
		st.targetURL = in.TargetURL
	}
	if inst := c.who.installation(); inst != nil {
		st.app = inst.app
	}
	s.addDeploymentStatus(c.repo, d, st, in.AutoInactive == nil || *in.AutoInactive)
	return created(s.deploymentStatusJSON(c.repo, d, st)), nil
}

// addDeploymentStatus posts a status; a success makes older deployments to
// the same environment inactive, unless they are transient or production
// differs (Create a deployment status: auto_inactive).
func (s *Server) addDeploymentStatus(r *repository, d *deployment, st *deploymentStatus, autoInactive bool) {
	st.id, st.at = s.next("deployment status"), s.now()
	if st.environment == "" {
		st.environment = d.environment
	}
	d.environment = st.environment
	d.statuses, d.updatedAt = append(d.statuses, st), st.at
	s.emit(r, "deployment_status", "created", st.creator, obj{
		"deployment": oldApp(s.deploymentJSON(r, d)), "deployment_status": oldApp(s.deploymentStatusJSON(r, d, st)),
		"check_run": nil, "workflow": nil, "workflow_run": nil,
	})
	if st.state != "success" || !autoInactive {
		return
	}
	for _, older := range r.activity.deployments {
		if older == d || older.id > d.id || older.environment != d.environment || older.transient || older.production != d.production {
			continue
		}
		if n := len(older.statuses); n == 0 || older.statuses[n-1].state == "inactive" {
			continue
		}
		s.addDeploymentStatus(r, older, &deploymentStatus{state: "inactive", creator: st.creator, app: st.app}, false)
	}
}

// deploymentJSON is a deployment.
func (s *Server) deploymentJSON(r *repository, d *deployment) obj {
	var description any
	if d.description != nil {
		description = *d.description
	}
	return obj{
		"id": d.id, "node_id": nodeID("Deployment", d.id), "url": r.api(s, "/deployments/%d", d.id), "sha": d.sha, "ref": d.ref,
		"task": d.task, "payload": d.payload, "environment": d.environment, "original_environment": d.original,
		"description": description, "creator": s.userJSON(d.creator), "created_at": stamp(d.createdAt), "updated_at": stamp(d.updatedAt),
		"statuses_url": r.api(s, "/deployments/%d/statuses", d.id), "repository_url": r.api(s, ""),
		"transient_environment": d.transient, "production_environment": d.production,
		"performed_via_github_app": s.appOrNull(d.app),
	}
}

// deploymentStatusJSON is a deployment-status.
func (s *Server) deploymentStatusJSON(r *repository, d *deployment, st *deploymentStatus) obj {
	return obj{
		"id": st.id, "node_id": nodeID("DeploymentStatus", st.id), "url": r.api(s, "/deployments/%d/statuses/%d", d.id, st.id),
		"state": st.state, "creator": s.userJSON(st.creator), "description": st.description, "environment": st.environment,
		"target_url": st.targetURL, "log_url": st.targetURL, "environment_url": st.envURL,
		"created_at": stamp(st.at), "updated_at": stamp(st.at), "deployment_url": r.api(s, "/deployments/%d", d.id),
		"repository_url": r.api(s, ""), "performed_via_github_app": s.appOrNull(st.app),
	}
}

// oldApp shows the App without its client id, as these webhooks do.
func oldApp(about obj) obj {
	if a, is := about["performed_via_github_app"].(obj); is {
		delete(a, "client_id")
	}
	return about
}

// appOrNull is an App or null.
func (s *Server) appOrNull(a *app) any {
	if a == nil {
		return nil
	}
	return s.appJSON(a)
}
