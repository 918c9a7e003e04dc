package githubsim

// Workflows as tests and the demo have them: registered, run, finished.

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Workflow is a file of .github/workflows, and what its runs come to.
type Workflow struct {
	// File is its path, .github/workflows/NAME.yml; the folder may be left out.
	File string
	// Name is the workflow's; the path when empty. Job is the name of the check
	// run that each run reports; the file's name without its ending when empty.
	Name, Job string
	// On are the events that it waits for: workflow_dispatch alone when empty.
	// push (any branch) and repository_dispatch (Types, any when empty) start
	// it by themselves, others by StartRun.
	On, Types []string
	Inputs    []WorkflowInput
	// RunName is the title of its runs; it may hold ${{ inputs.NAME }} and
	// ${{ github.event.client_payload.NAME }}, also NAME.NAME. When empty GitHub's own: the
	// workflow's name, the dispatch's type, or the commit's subject.
	RunName string
	// Conclude, when set, begins each run After it was queued and ends it Takes
	// later with the conclusion returned; "" leaves it in progress. The times
	// are by the server's clock (see Poke). It must not call the server. When
	// nil, runs stay queued until BeginRun and FinishRun.
	Conclude     func(RunState) string
	After, Takes time.Duration
}

// WorkflowInput is an input of workflow_dispatch.
type WorkflowInput struct {
	Name     string
	Required bool
	Default  string
	Options  []string // of a choice
}

// RunState is a run of a workflow as it really is, without lag.
type RunState struct {
	ID                 int64
	File, Name, Title  string
	Event              string
	SHA, Branch        string
	Actor              string
	Attempt            int
	Status, Conclusion string
	Inputs             map[string]string // of a workflow_dispatch, with defaults
	Payload            string            // of a repository_dispatch, JSON
	CreatedAt          time.Time
}

func (run *workflowRun) state() RunState {
	return RunState{
		ID: run.id, File: run.workflow.File, Name: run.workflow.Name, Title: run.title, Event: run.event, SHA: run.head.id, Branch: run.branch,
		Actor: login(run.actor), Attempt: run.attempt, Status: run.status, Conclusion: run.conclusion, Inputs: maps.Clone(run.inputs),
		Payload: string(run.payload), CreatedAt: run.createdAt,
	}
}

// AddWorkflow registers a workflow of a repository, or replaces the one of the
// same file, whose runs stay.
func (s *Server) AddWorkflow(repo string, w Workflow) error {
	w.File = workflowFolder + strings.TrimPrefix(w.File, workflowFolder)
	ending := path.Ext(w.File)
	base := strings.TrimSuffix(path.Base(w.File), ending)
	if path.Dir(w.File)+"/" != workflowFolder || base == "" || (ending != ".yml" && ending != ".yaml") {
		return fmt.Errorf("%q is no workflow: name a .yml or .yaml file in %s", w.File, workflowFolder)
	}
	if w.Name == "" {
		w.Name = w.File
	}
	if w.Job == "" {
		w.Job = base
	}
	if len(w.On) == 0 {
		w.On = []string{"workflow_dispatch"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	s.actions()
	if wf := r.workflow(w.File); wf != nil {
		wf.Workflow, wf.updatedAt = w, s.now()
		return nil
	}
	r.activity.workflows = append(r.activity.workflows, &workflow{
		Workflow: w, id: s.next("workflow"), createdAt: s.now(), updatedAt: s.now(),
	})
	return nil
}

// DisableWorkflow switches a workflow off, or on again.
func (s *Server) DisableWorkflow(repo, file string, disabled bool) error {
	return s.changeWorkflow(repo, file, func(_ *repository, wf *workflow) error {
		wf.disabled, wf.updatedAt = disabled, s.now()
		return nil
	})
}

func (s *Server) changeWorkflow(repo, file string, change func(*repository, *workflow) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	wf := r.workflow(file)
	if wf == nil {
		return fmt.Errorf("no workflow %s in %s", file, repo)
	}
	return change(r, wf)
}

// StartRun queues a run of a workflow as if by an event (push, schedule, …), on
// a commit, in someone's name, and returns its id. Its title is the commit's
// subject, if the workflow has no RunName.
func (s *Server) StartRun(repo, login, file, event, sha string) (int64, error) {
	var id int64
	_, err := s.as(repo, login, nil, nil, func(c *call) (reply, error) {
		wf := c.repo.workflow(file)
		if wf == nil {
			return reply{}, errors.New("there is no such workflow")
		}
		head, err := c.commitNamed(sha)
		if err != nil {
			return reply{}, err
		}
		title, _, _ := strings.Cut(head.message, "\n")
		id = s.addWorkflowRun(c.repo, wf, newRun{
			event: event, head: head, branch: branchAt(c.repo, head.id), actor: c.actor, title: title,
		}).id
		return noContent(), nil
	})
	if err != nil {
		return 0, fmt.Errorf("running %s in %s: %w", file, repo, err)
	}
	return id, nil
}

// runConclusions are those of a workflow run.
var runConclusions = append(slices.Clone(checkConclusions), "startup_failure")

// BeginRun lets a queued run begin.
func (s *Server) BeginRun(repo string, id int64) error {
	return s.changeRun(repo, id, func(r *repository, run *workflowRun) error {
		if run.status != checkQueued {
			return fmt.Errorf("run %d is %s", id, run.status)
		}
		s.beginRun(r, run)
		return nil
	})
}

// FinishRun ends a run with a conclusion: success, failure, cancelled, …
func (s *Server) FinishRun(repo string, id int64, conclusion string) error {
	if err := notMember(conclusion, runConclusions); err != nil {
		return err
	}
	return s.changeRun(repo, id, func(r *repository, run *workflowRun) error {
		if run.status == checkCompleted {
			return fmt.Errorf("run %d is completed", id)
		}
		s.endRun(r, run, conclusion)
		return nil
	})
}

// Rerun runs a completed run again: another attempt under the same id.
func (s *Server) Rerun(repo, login string, id int64) error {
	return s.changeRun(repo, id, func(r *repository, run *workflowRun) error {
		who := s.user(login)
		if who == nil || run.status != checkCompleted {
			return fmt.Errorf("no user %q, or run %d is %s", login, id, run.status)
		}
		now := s.now()
		run.attempt++
		run.trigger, run.status, run.conclusion, run.startedAt, run.updatedAt = who, checkQueued, "", now, now
		s.queueJob(r, run)
		return nil
	})
}

func (s *Server) changeRun(repo string, id int64, change func(*repository, *workflowRun) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	run := r.workflowRun(id)
	if run == nil {
		return fmt.Errorf("no workflow run %d in %s", id, repo)
	}
	return change(r, run)
}

// WorkflowRuns are all runs of a repository's workflows, the oldest first.
func (s *Server) WorkflowRuns(repo string) ([]RunState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return nil, err
	}
	var out []RunState
	for _, run := range r.activity.workflowRuns {
		out = append(out, run.state())
	}
	return out, nil
}
