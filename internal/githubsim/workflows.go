package githubsim

// Workflows of GitHub Actions, and starting them (REST API endpoints for
// workflows; Create a workflow dispatch event). Rules:
//
//   - A workflow is registered by a test (AddWorkflow), whether its file is in
//     the repository or not; what it would do is what the test says.
//   - Runs are in workflowruns.go, what tests do to them in workflowscript.go.
//   - Each run has a check suite of its own, with one check run of its one job,
//     by the App github-actions, which is made with the first workflow.

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ActionsHabits are GitHub's habits with workflows.
type ActionsHabits struct {
	// ListLag is how long new runs are missing in lists, by the server's clock.
	// Reading one run never lags.
	ListLag time.Duration
	// NoRunDetails refuses return_run_details, which older GitHub Enterprise
	// Servers do not know.
	NoRunDetails bool
}

const (
	workflowFolder = ".github/workflows/"

	// The limits of a dispatch (Create a workflow dispatch event).
	maxWorkflowInputs     = 25
	maxWorkflowInputsSize = 65535
)

type workflow struct {
	Workflow
	id        int64
	disabled  bool
	runs      int // how many there ever were
	createdAt time.Time
	updatedAt time.Time
}

func (s *Server) workflowRoutes() {
	read := need{app: reads("actions"), role: RoleRead}
	write := need{app: writes("actions"), role: RoleWrite}
	const all, one = "/repos/{owner}/{repo}/actions/workflows", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}"
	s.handle("GET", all, read, s.listWorkflows)
	s.handle("GET", one, read, s.getWorkflow)
	s.handle("PUT", one+"/enable", write, s.enableWorkflow)
	s.handle("PUT", one+"/disable", write, s.disableWorkflow)
	s.handle("POST", one+"/dispatches", write, s.dispatchWorkflow)
	s.handle("GET", one+"/runs", read, s.listRunsOfWorkflow)
	s.handle("GET", "/repos/{owner}/{repo}/actions/runs", read, s.listRuns)
	s.handle("GET", "/repos/{owner}/{repo}/actions/runs/{run_id}", read, s.getRun)
	s.handle("DELETE", "/repos/{owner}/{repo}/actions/runs/{run_id}", write, s.deleteRun)
}

// workflow finds a workflow of a repository by its id, its file's name or its
// path; nil if there is none.
func (r *repository) workflow(named string) *workflow {
	for _, wf := range r.activity.workflows {
		if wf.File == workflowFolder+strings.TrimPrefix(named, workflowFolder) || strconv.FormatInt(wf.id, 10) == named {
			return wf
		}
	}
	return nil
}

func (s *Server) workflowOf(c *call) (*workflow, error) {
	if wf := c.repo.workflow(c.param("workflow_id")); wf != nil && !strings.Contains(c.param("workflow_id"), "/") {
		return wf, nil
	}
	return nil, notFound()
}

func (s *Server) listWorkflows(c *call) (reply, error) {
	list := c.repo.activity.workflows
	return ok(obj{
		"total_count": len(list),
		"workflows":   render(paginate(c, list), func(wf *workflow) obj { return s.workflowJSON(c.repo, wf) }),
	}), nil
}

func (s *Server) getWorkflow(c *call) (reply, error) {
	wf, err := s.workflowOf(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.workflowJSON(c.repo, wf)), nil
}

func (s *Server) enableWorkflow(c *call) (reply, error)  { return s.switchWorkflow(c, false) }
func (s *Server) disableWorkflow(c *call) (reply, error) { return s.switchWorkflow(c, true) }

func (s *Server) switchWorkflow(c *call, disabled bool) (reply, error) {
	wf, err := s.workflowOf(c)
	if err != nil {
		return reply{}, err
	}
	wf.disabled, wf.updatedAt = disabled, c.now
	return noContent(), nil
}

// dispatchWorkflow starts a run of a workflow on a branch or tag.
func (s *Server) dispatchWorkflow(c *call) (reply, error) {
	wf, err := s.workflowOf(c)
	if err != nil {
		return reply{}, err
	}
	var in struct {
		Ref     string                     `json:"ref"`
		Inputs  map[string]json.RawMessage `json:"inputs"`
		Details *bool                      `json:"return_run_details"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	switch {
	case in.Details != nil && s.habits.Actions.NoRunDetails:
		return reply{}, invalidRequest(`"return_run_details" is not a permitted key.`)
	case in.Ref == "":
		return reply{}, invalidRequest(`"ref" wasn't supplied.`)
	case len(in.Inputs) > maxWorkflowInputs:
		return reply{}, invalidRequest("No more than %d properties are allowed; %d were supplied.", maxWorkflowInputs, len(in.Inputs))
	}
	branch, head, err := c.workflowRef(in.Ref)
	if err != nil {
		return reply{}, err
	}
	if wf.disabled {
		return reply{}, unprocessable("Cannot trigger a 'workflow_dispatch' on a disabled workflow")
	}
	if !slices.Contains(wf.On, "workflow_dispatch") {
		return reply{}, unprocessable("Workflow does not have 'workflow_dispatch' trigger")
	}
	inputs, err := wf.take(in.Inputs)
	if err != nil {
		return reply{}, err
	}
	run := s.addWorkflowRun(c.repo, wf, newRun{
		event: "workflow_dispatch", head: head, branch: branch, actor: c.actor, inputs: inputs, title: wf.Name,
	})
	if in.Details == nil || !*in.Details {
		return noContent(), nil
	}
	return ok(obj{
		"workflow_run_id": run.id, "run_url": c.repo.api(s, "/actions/runs/%d", run.id),
		"html_url": c.repo.html(s, "/actions/runs/%d", run.id),
	}), nil
}

// workflowRef finds the branch or tag to run on; a commit's id is none.
func (c *call) workflowRef(name string) (branch string, head commit, err error) {
	short := strings.TrimPrefix(strings.TrimPrefix(name, "refs/heads/"), "refs/tags/")
	for _, full := range []string{name, "refs/heads/" + name, "refs/tags/" + name} {
		id, found := c.repo.refs[full]
		if !found || !strings.HasPrefix(full, "refs/heads/") && !strings.HasPrefix(full, "refs/tags/") {
			continue
		}
		head, err = c.commitNamed(id)
		return short, head, err
	}
	return "", commit{}, unprocessable("No ref found for: " + name)
}

// take checks the inputs of a dispatch against those that the workflow
// declares, and fills in the defaults. Values are kept as text.
func (wf *workflow) take(given map[string]json.RawMessage) (map[string]string, error) {
	var strange []string
	size := 0
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(wf.Inputs, func(in WorkflowInput) bool { return in.Name == name }) {
			strange = append(strange, strconv.Quote(name))
			continue
		}
		var value any
		if err := json.Unmarshal(given[name], &value); err != nil {
			return nil, &apiError{status: http.StatusBadRequest, message: "Problems parsing JSON"}
		}
		switch value.(type) {
		case string, bool, float64:
			out[name] = fmt.Sprint(value)
		default:
			return nil, invalidRequest("For 'inputs/%s', the value is neither a string, a number nor a boolean.", name)
		}
		size += len(name) + len(out[name])
	}
	if len(strange) > 0 {
		return nil, unprocessable(fmt.Sprintf("Unexpected inputs provided: [%s]", strings.Join(strange, ", ")))
	}
	if size > maxWorkflowInputsSize {
		return nil, unprocessable("inputs are too large.")
	}
	for _, in := range wf.Inputs {
		value, is := out[in.Name]
		switch {
		case !is && in.Required && in.Default == "":
			return nil, unprocessable(fmt.Sprintf("Required input '%s' not provided", in.Name))
		case !is:
			out[in.Name] = in.Default
		case len(in.Options) > 0 && !slices.Contains(in.Options, value):
			return nil, unprocessable(fmt.Sprintf("Provided value '%s' for input '%s' not in the list of allowed values", value, in.Name))
		}
	}
	return out, nil
}

// workflowJSON is a workflow.
func (s *Server) workflowJSON(r *repository, wf *workflow) obj {
	state := "active"
	if wf.disabled {
		state = "disabled_manually"
	}
	return obj{
		"id": wf.id, "node_id": nodeID("Workflow", wf.id), "name": wf.Name, "path": wf.File, "state": state,
		"created_at": stamp(wf.createdAt), "updated_at": stamp(wf.updatedAt), "url": r.api(s, "/actions/workflows/%d", wf.id),
		"html_url":  r.html(s, "/blob/%s/%s", escapePath(r.defaultBranch), escapePath(wf.File)),
		"badge_url": r.html(s, "/workflows/%s/badge.svg", escapePath(wf.Name)),
	}
}

const actionsSlug = "github-actions"

// actions is the App that runs workflows. Nobody has its key.
func (s *Server) actions() *app {
	if bot := s.user(actionsSlug + "[bot]"); bot != nil {
		for _, a := range s.apps {
			if a.bot == bot {
				return a
			}
		}
	}
	owner := s.user("github")
	if owner == nil {
		owner = s.newUser("github", kindOrganization)
	}
	a := &app{
		App:   App{ID: s.next("app"), Slug: actionsSlug, Name: "GitHub Actions"},
		owner: owner, bot: s.newUser(actionsSlug+"[bot]", kindBot), createdAt: s.now(),
		permissions: map[string]string{"metadata": "read", "checks": "write", "statuses": "write"},
	}
	a.ClientID = fmt.Sprintf("Iv23li%014d", a.ID)
	s.apps[a.ID] = a
	return a
}

// pushedTo starts the workflows that wait for pushes to a branch.
func (s *Server) pushedTo(r *repository, branch string, head commit, sender *user) {
	for _, wf := range r.activity.workflows {
		if !wf.disabled && slices.Contains(wf.On, "push") {
			title, _, _ := strings.Cut(head.message, "\n")
			s.addWorkflowRun(r, wf, newRun{event: "push", head: head, branch: branch, actor: sender, title: title})
		}
	}
}

// dispatched starts the workflows of the default branch that wait for a
// repository_dispatch of a type.
func (s *Server) dispatched(c *call, eventType string, payload json.RawMessage) error {
	waiting := slices.DeleteFunc(slices.Clone(c.repo.activity.workflows), func(wf *workflow) bool {
		return wf.disabled || !slices.Contains(wf.On, "repository_dispatch") ||
			len(wf.Types) > 0 && !slices.Contains(wf.Types, eventType)
	})
	if len(waiting) == 0 {
		return nil
	}
	branch, head, err := c.workflowRef(c.repo.defaultBranch)
	if refused, is := errors.AsType[*apiError](err); is && refused.status == http.StatusUnprocessableEntity {
		return nil // an empty repository has nothing to run
	}
	if err != nil {
		return err
	}
	for _, wf := range waiting {
		s.addWorkflowRun(c.repo, wf, newRun{
			event: "repository_dispatch", head: head, branch: branch, actor: c.actor, payload: payload, title: eventType,
		})
	}
	return nil
}
