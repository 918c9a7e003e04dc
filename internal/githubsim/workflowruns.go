package githubsim

// Runs of workflows: their life, and reading them (REST API endpoints for
// workflow runs). Rules:
//
//   - A run is queued, in progress, completed; a rerun keeps its id and its
//     creation and counts another attempt.
//   - Lists are newest first, may lag, and end at 1,000 runs when filtered.

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxListedRuns is how many runs a filtered list holds (List workflow runs for
// a repository).
const maxListedRuns = 1000

type workflowRun struct {
	id                 int64
	workflow           *workflow
	number, attempt    int
	event, title       string
	head               commit
	branch             string
	actor, trigger     *user
	inputs             map[string]string // of a workflow_dispatch
	payload            json.RawMessage   // of a repository_dispatch
	status, conclusion string
	createdAt          time.Time
	startedAt          time.Time // of the newest attempt
	updatedAt          time.Time
	suite              *checkSuite
	job                *checkRun
}

// newRun is what brings a run about.
type newRun struct {
	event, title string
	head         commit
	branch       string
	actor        *user
	inputs       map[string]string
	payload      json.RawMessage
}

// addWorkflowRun queues a run, tells about it, and puts what the workflow's
// script does on the clock.
func (s *Server) addWorkflowRun(r *repository, wf *workflow, n newRun) *workflowRun {
	now := s.now()
	wf.runs++
	run := &workflowRun{
		id: s.next("workflow run"), workflow: wf, number: wf.runs, attempt: 1, event: n.event, title: n.title, head: n.head, branch: n.branch,
		actor: n.actor, trigger: n.actor, inputs: n.inputs, payload: n.payload, status: checkQueued, createdAt: now, startedAt: now, updatedAt: now,
	}
	if wf.RunName != "" {
		run.title = run.expand(wf.RunName)
	}
	r.activity.workflowRuns = append(r.activity.workflowRuns, run)
	s.queueJob(r, run)
	return run
}

// queueJob begins an attempt: a suite and a check run of its own.
func (s *Server) queueJob(r *repository, run *workflowRun) {
	run.suite = s.newSuite(r, s.actions(), run.head, run.branch, "", run.head.id)
	s.emitRun(r, run, "requested", run.trigger)
	status, url := checkQueued, r.html(s, "/actions/runs/%d", run.id)
	run.job = s.addRunTo(r, run.suite, &checkInput{Name: &run.workflow.Job, Status: &status, DetailsURL: &url})
	if run.workflow.Conclude == nil {
		return
	}
	attempt := run.attempt
	s.schedule(run.workflow.After, func() {
		if r.deleted || run.attempt != attempt {
			return
		}
		s.beginRun(r, run)
		conclusion := run.workflow.Conclude(run.state())
		if conclusion == "" {
			return
		}
		s.schedule(run.workflow.Takes, func() {
			if !r.deleted && run.attempt == attempt {
				s.endRun(r, run, conclusion)
			}
		})
	})
}

func (s *Server) beginRun(r *repository, run *workflowRun) {
	if run.status != checkQueued {
		return
	}
	run.status, run.updatedAt = checkInProgress, s.now()
	status := checkInProgress
	s.changeCheckRun(r, run.job, &checkInput{Status: &status})
	s.emitRun(r, run, "in_progress", run.trigger)
}

func (s *Server) endRun(r *repository, run *workflowRun, conclusion string) {
	if run.status == checkCompleted {
		return
	}
	s.beginRun(r, run)
	run.status, run.conclusion, run.updatedAt = checkCompleted, conclusion, s.now()
	ofJob := conclusion
	if conclusion == "startup_failure" { // of a suite only; the check run says it failed
		ofJob = "failure"
	}
	s.changeCheckRun(r, run.job, &checkInput{Conclusion: &ofJob})
	s.emitRun(r, run, "completed", run.trigger)
}

// expression is what run-name may hold of the event (Workflow syntax: run-name).
var expression = regexp.MustCompile(`\$\{\{\s*(inputs|github\.event\.inputs|github\.event\.client_payload)\.([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\s*\}\}`)

// expand fills the event's values into a run-name.
func (run *workflowRun) expand(name string) string {
	var payload map[string]any
	if json.Unmarshal(run.payload, &payload) != nil {
		payload = nil // a dispatch without a payload
	}
	return expression.ReplaceAllStringFunc(name, func(text string) string {
		part := expression.FindStringSubmatch(text)
		if part[1] != "github.event.client_payload" {
			return run.inputs[part[2]]
		}
		var value any = payload
		for key := range strings.SplitSeq(part[2], ".") {
			object, _ := value.(map[string]any) // of anything else nothing can be asked
			value = object[key]
		}
		if value == nil {
			return ""
		}
		return fmt.Sprint(value)
	})
}

func (s *Server) emitRun(r *repository, run *workflowRun, action string, sender *user) {
	out := s.workflowRunJSON(r, run)
	lite := s.repositoryLiteJSON(r)
	out["repository"], out["head_repository"] = lite, lite
	if action == "in_progress" { // whose description is older than the others'
		delete(out, "display_title")
		for _, who := range []any{out["actor"], out["triggering_actor"], lite["owner"]} {
			delete(who.(obj), "user_view_type") // of our own making
		}
	}
	s.emit(r, "workflow_run", action, sender, obj{"workflow": s.workflowJSON(r, run.workflow), "workflow_run": out})
}

// repositoryLiteJSON is a repository as workflow runs in webhooks carry it.
func (s *Server) repositoryLiteJSON(r *repository) obj {
	all := s.repositoryJSON(r)
	out := obj{}
	for _, name := range []string{"id", "node_id", "name", "full_name", "owner", "private", "html_url", "description", "fork", "url"} {
		out[name] = all[name]
	}
	for name := range repositoryURLs {
		out[name] = all[name]
	}
	return out
}

// workflowRunJSON is a workflow-run.
func (s *Server) workflowRunJSON(r *repository, run *workflowRun) obj {
	self := r.api(s, "/actions/runs/%d", run.id)
	person := func(sig signature) obj { return obj{"name": sig.name, "email": sig.email} }
	var before any
	if run.attempt > 1 {
		before = fmt.Sprintf("%s/attempts/%d", self, run.attempt-1)
	}
	return obj{
		"id": run.id, "node_id": nodeID("WorkflowRun", run.id), "name": run.workflow.Name, "check_suite_id": run.suite.id,
		"check_suite_node_id": nodeID("CheckSuite", run.suite.id), "head_branch": orNull(run.branch), "head_sha": run.head.id,
		"path": run.workflow.File, "run_number": run.number, "run_attempt": run.attempt, "referenced_workflows": []obj{},
		"event": run.event, "status": run.status, "conclusion": orNull(run.conclusion), "workflow_id": run.workflow.id,
		"url": self, "html_url": r.html(s, "/actions/runs/%d", run.id), "pull_requests": s.pullsAt(r, run.head.id),
		"created_at": stamp(run.createdAt), "updated_at": stamp(run.updatedAt), "run_started_at": stamp(run.startedAt),
		"actor": s.userJSON(run.actor), "triggering_actor": s.userJSON(run.trigger),
		"jobs_url": self + "/jobs", "logs_url": self + "/logs", "artifacts_url": self + "/artifacts", "cancel_url": self + "/cancel",
		"rerun_url": self + "/rerun", "previous_attempt_url": before, "check_suite_url": r.api(s, "/check-suites/%d", run.suite.id),
		"workflow_url": r.api(s, "/actions/workflows/%d", run.workflow.id),
		"head_commit": obj{
			"id": run.head.id, "tree_id": run.head.tree, "message": run.head.message, "timestamp": stamp(run.head.committer.when),
			"author": person(run.head.author), "committer": person(run.head.committer),
		},
		"repository": s.repositoryJSON(r), "head_repository": s.repositoryJSON(r), "display_title": run.title,
	}
}

// workflowRun finds a run of a repository; nil if there is none.
func (r *repository) workflowRun(id int64) *workflowRun {
	for _, run := range r.activity.workflowRuns {
		if run.id == id {
			return run
		}
	}
	return nil
}

func (s *Server) workflowRunOf(c *call) (*workflowRun, error) {
	id, err := c.id("run_id")
	if err != nil {
		return nil, err
	}
	if run := c.repo.workflowRun(id); run != nil {
		return run, nil
	}
	return nil, notFound()
}

func (s *Server) getRun(c *call) (reply, error) {
	run, err := s.workflowRunOf(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.workflowRunJSON(c.repo, run)), nil
}

func (s *Server) deleteRun(c *call) (reply, error) {
	run, err := s.workflowRunOf(c)
	if err != nil {
		return reply{}, err
	}
	if run.status != checkCompleted {
		return reply{}, forbidden("Cannot delete a workflow run that is in progress")
	}
	c.repo.activity.workflowRuns = slices.DeleteFunc(c.repo.activity.workflowRuns, func(o *workflowRun) bool { return o == run })
	return noContent(), nil
}

func (s *Server) listRuns(c *call) (reply, error) { return s.listRunsOf(c, nil) }

func (s *Server) listRunsOfWorkflow(c *call) (reply, error) {
	wf, err := s.workflowOf(c)
	if err != nil {
		return reply{}, err
	}
	return s.listRunsOf(c, wf)
}

// listRunsOf lists the runs of a workflow, of all when it is nil.
func (s *Server) listRunsOf(c *call, wf *workflow) (reply, error) {
	within, err := createdWithin(c.query("created"))
	if err != nil {
		return reply{}, err
	}
	shown := c.now.Add(-s.habits.Actions.ListLag)
	var list []*workflowRun
	for _, run := range slices.Backward(c.repo.activity.workflowRuns) {
		if wf == nil || run.workflow == wf {
			list = append(list, run)
		}
	}
	filtered := false
	for parameter, of := range map[string]func(*workflowRun) []string{
		"actor":          func(run *workflowRun) []string { return []string{run.actor.login} },
		"branch":         func(run *workflowRun) []string { return []string{run.branch} },
		"event":          func(run *workflowRun) []string { return []string{run.event} },
		"status":         func(run *workflowRun) []string { return []string{run.status, run.conclusion} },
		"head_sha":       func(run *workflowRun) []string { return []string{run.head.id} },
		"check_suite_id": func(run *workflowRun) []string { return []string{formatID(run.suite.id)} },
	} {
		if wanted := c.query(parameter); wanted != "" {
			filtered = true
			list = slices.DeleteFunc(list, func(run *workflowRun) bool { return !slices.Contains(of(run), wanted) })
		}
	}
	filtered = filtered || c.query("created") != ""
	list = slices.DeleteFunc(list, func(run *workflowRun) bool { return run.createdAt.After(shown) || !within(run.createdAt) })
	total := len(list)
	if filtered {
		list = list[:min(total, maxListedRuns)]
	}
	return ok(obj{
		"total_count": total,
		"workflow_runs": render(paginate(c, list), func(run *workflowRun) obj {
			out := s.workflowRunJSON(c.repo, run)
			if c.query("exclude_pull_requests") == "true" {
				out["pull_requests"] = []obj{}
			}
			return out
		}),
	}), nil
}

// createdWithin reads the parameter created: a time or a date, a comparison with
// one, or a range A..B with * for an open end (Understanding the search syntax).
func createdWithin(text string) (func(time.Time) bool, error) {
	bad := invalid(fieldError{Resource: "WorkflowRun", Field: "created", Code: "invalid"})
	if text == "" {
		return func(time.Time) bool { return true }, nil
	}
	if low, high, is := strings.Cut(text, ".."); is {
		if low == "" || high == "" {
			return nil, bad
		}
		var from, to span
		var err error
		if from, err = readSpan(low); low != "*" && err != nil {
			return nil, bad
		}
		if to, err = readSpan(high); high != "*" && err != nil {
			return nil, bad
		}
		return func(at time.Time) bool {
			return (low == "*" || !at.Before(from.begin)) && (high == "*" || at.Before(to.end))
		}, nil
	}
	operator := ""
	for _, one := range []string{">=", "<=", ">", "<"} {
		if strings.HasPrefix(text, one) {
			operator = one
			break
		}
	}
	is, err := readSpan(strings.TrimPrefix(text, operator))
	if err != nil {
		return nil, bad
	}
	return func(at time.Time) bool {
		switch operator {
		case ">=":
			return !at.Before(is.begin)
		case "<=":
			return at.Before(is.end)
		case ">":
			return !at.Before(is.end)
		case "<":
			return at.Before(is.begin)
		default:
			return !at.Before(is.begin) && at.Before(is.end)
		}
	}, nil
}

// span is the time that a date or a second names.
type span struct{ begin, end time.Time }

func readSpan(text string) (span, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return span{day, day.AddDate(0, 0, 1)}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return span{}, fmt.Errorf("%q is no time: %w", text, err)
	}
	return span{at, at.Add(time.Second)}, nil
}
