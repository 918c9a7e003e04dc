package github

// Workflow runs, and starting them ("REST API endpoints for workflow runs";
// "Create a workflow dispatch event"; "Create a repository dispatch event").
// GitHub's habits: lists are newest first, lag behind a dispatch by seconds and
// end at 1,000 runs; a run that is run again keeps its id and its creation; a
// dispatch has no idempotency key, and answers with the run's id only where the
// server knows return_run_details.

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

const (
	// maxRuns is how many runs a filtered list holds ("List workflow runs for a
	// repository").
	maxRuns = 1000

	workflowFolder = ".github/workflows/"

	// actionsSlug is the App that reports workflow runs.
	actionsSlug = "github-actions"
)

type workflowRun struct {
	ID           int64     `json:"id"`
	Name         string    `json:"name"`
	Title        string    `json:"display_title"`
	Path         string    `json:"path"`
	HeadSHA      string    `json:"head_sha"`
	Event        string    `json:"event"`
	Status       string    `json:"status"`
	Conclusion   string    `json:"conclusion"`
	HTMLURL      string    `json:"html_url"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	RunStartedAt time.Time `json:"run_started_at"`
}

// began is when the run's newest attempt began.
func (w *workflowRun) began() time.Time {
	if w.RunStartedAt.After(w.CreatedAt) {
		return w.RunStartedAt
	}
	return w.CreatedAt
}

// file is the workflow's file, without the ref that GitHub may add to it.
func (w *workflowRun) file() string {
	for _, ending := range []string{".yml@", ".yaml@"} {
		if at := strings.Index(w.Path, ending); at >= 0 {
			return w.Path[:at+len(ending)-1]
		}
	}
	return w.Path
}

func (w *workflowRun) run() promotion.WorkflowRun {
	return promotion.WorkflowRun{
		ID: w.ID, Title: w.Title, Event: w.Event, Status: w.Status, Conclusion: w.Conclusion, URL: w.HTMLURL, Created: w.CreatedAt,
	}
}

// WorkflowRuns are the newest runs on a commit, one of each workflow file, by
// file: the one whose newest attempt began last. Text and Summary stay empty,
// since a run's title is the words of whoever caused it.
// *promotion.RefusedError: the App may not read actions there.
func (r *Repository) WorkflowRuns(ctx context.Context, commit string) ([]promotion.CheckResult, error) {
	doing := "reading the workflow runs on " + commit
	if err := r.may(ctx, doing, actionsGranted, "read", "read workflow runs", "actions"); err != nil {
		return nil, err
	}
	all, err := r.runs(ctx, "actions/runs", url.Values{"head_sha": {commit}})
	if err != nil {
		return nil, r.certain(ctx, doing, err)
	}
	for _, w := range all {
		if w.HeadSHA != commit {
			return nil, fmt.Errorf("%s: GitHub ignored the filter and listed a run on %q", doing, cutLine(w.HeadSHA, 64))
		}
	}
	slices.SortFunc(all, func(a, b workflowRun) int {
		return cmp.Or(cmp.Compare(a.file(), b.file()), b.began().Compare(a.began()), cmp.Compare(b.ID, a.ID))
	})
	all = slices.CompactFunc(all, func(a, b workflowRun) bool { return a.file() == b.file() })
	var out []promotion.CheckResult
	for _, w := range all {
		one := promotion.CheckResult{
			Name: cmp.Or(w.Name, path.Base(w.file())), Kind: promotion.WorkflowResult, File: w.file(), Commit: commit, Slug: actionsSlug,
			Status: w.Status, Conclusion: w.Conclusion, URL: w.HTMLURL, Time: w.began(),
		}
		if w.Status == "completed" {
			one.Time = w.UpdatedAt
		}
		out = append(out, one)
	}
	return out, nil
}

// runs reads all pages of a list of runs, each run once.
func (r *Repository) runs(ctx context.Context, list string, query url.Values) ([]workflowRun, error) {
	var all []workflowRun
	seen := map[int64]bool{} // a list that moves between two pages repeats items
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		var answer struct {
			Total *int          `json:"total_count"`
			Runs  []workflowRun `json:"workflow_runs"`
		}
		resp, err := r.get(ctx, list, query, page, &answer)
		switch {
		case err != nil:
			return resp, err
		case answer.Total == nil:
			return resp, errors.New("GitHub's answer lists no workflow runs and does not say that there are none")
		case *answer.Total > maxRuns:
			return resp, fmt.Errorf("there are %d workflow runs, and GitHub lists no more than %d", *answer.Total, maxRuns)
		}
		for _, w := range answer.Runs {
			if w.ID == 0 || w.Path == "" || w.HeadSHA == "" {
				return resp, errNoID("a workflow run")
			}
			if !seen[w.ID] {
				seen[w.ID] = true
				all = append(all, w)
			}
		}
		return resp, nil
	})
	return all, err
}

// RunsSince lists the runs of a workflow file (of all: "") that a
// workflow_dispatch or repository_dispatch began since a time, newest first. It
// lags behind the dispatch. promotion.ErrNotFound: there is no such workflow.
func (r *Repository) RunsSince(ctx context.Context, workflow string, since time.Time) ([]promotion.WorkflowRun, error) {
	doing := fmt.Sprintf("listing the dispatched runs of %q", cutLine(workflow, 100))
	list := "actions/runs"
	if workflow != "" {
		file, err := workflowFile(doing, workflow)
		if err != nil {
			return nil, err
		}
		list = "actions/workflows/" + url.PathEscape(file) + "/runs"
	}
	if err := r.may(ctx, doing, actionsGranted, "read", "read workflow runs", "actions"); err != nil {
		return nil, err
	}
	since = since.UTC().Truncate(time.Second)
	var out []promotion.WorkflowRun
	for _, event := range []string{"workflow_dispatch", "repository_dispatch"} {
		all, err := r.runs(ctx, list, url.Values{"event": {event}, "created": {">=" + since.Format(time.RFC3339)}})
		if err != nil {
			return nil, r.certain(ctx, doing, err)
		}
		for _, w := range all {
			if w.Event == event && !w.CreatedAt.Before(since) {
				out = append(out, w.run())
			}
		}
	}
	slices.SortFunc(out, func(a, b promotion.WorkflowRun) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return out, nil
}

// Run reads one workflow run; promotion.ErrNotFound when it was deleted.
func (r *Repository) Run(ctx context.Context, id int64) (promotion.WorkflowRun, error) {
	doing := fmt.Sprintf("reading workflow run %d", id)
	if err := r.may(ctx, doing, actionsGranted, "read", "read workflow runs", "actions"); err != nil {
		return promotion.WorkflowRun{}, err
	}
	req, err := r.client.NewRequest(http.MethodGet, r.below(fmt.Sprintf("actions/runs/%d", id)), nil)
	if err != nil {
		return promotion.WorkflowRun{}, fmt.Errorf("%s: %w", doing, err)
	}
	var w workflowRun
	if _, err := r.client.Do(ctx, req, &w); err != nil {
		return promotion.WorkflowRun{}, r.certain(ctx, doing, err)
	}
	if w.ID != id || w.Status == "" {
		return promotion.WorkflowRun{}, fmt.Errorf("%s: GitHub answered with run %d, which is %q", doing, w.ID, cutLine(w.Status, 40))
	}
	return w.run(), nil
}

// DispatchWorkflow starts a workflow, a file of .github/workflows on the ref, and
// returns the run's id; 0 where GitHub does not tell it.
// promotion.ErrNotFound: there is no such workflow. *promotion.RefusedError: it
// cannot be started so. Any other error says nothing about whether it began.
func (r *Repository) DispatchWorkflow(ctx context.Context, workflow, ref string, inputs map[string]string) (int64, error) {
	doing := fmt.Sprintf("starting the workflow %q", cutLine(workflow, 100))
	file, err := workflowFile(doing, workflow)
	if err != nil {
		return 0, err
	}
	if err := r.may(ctx, doing, actionsGranted, "write", "start workflows", "actions"); err != nil {
		return 0, err
	}
	body := map[string]any{"ref": ref, "return_run_details": true}
	if len(inputs) > 0 {
		body["inputs"] = inputs
	}
	at := r.below("actions/workflows/" + url.PathEscape(file) + "/dispatches")
	run, err := r.dispatch(ctx, at, body)
	if isUnknownParameter(err, "return_run_details") {
		// An older GitHub Enterprise Server, which started nothing.
		delete(body, "return_run_details")
		run, err = r.dispatch(ctx, at, body)
	}
	if err != nil {
		return 0, r.certain(ctx, doing, err)
	}
	return run, nil
}

func (r *Repository) dispatch(ctx context.Context, at string, body any) (int64, error) {
	req, err := r.client.NewRequest(http.MethodPost, at, body)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Run int64 `json:"workflow_run_id"` // not in a 204
	}
	_, err = r.client.Do(ctx, req, &answer)
	return answer.Run, err
}

func isUnknownParameter(err error, name string) bool {
	var answer *gh.ErrorResponse
	return errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode == http.StatusUnprocessableEntity &&
		strings.Contains(words(answer), name)
}

// DispatchRepository sends a repository_dispatch; workflows of the default branch
// that wait for the event begin. GitHub tells no run.
func (r *Repository) DispatchRepository(ctx context.Context, event string, payload map[string]any) error {
	doing := fmt.Sprintf("sending the repository_dispatch %q", cutLine(event, 100))
	in := gh.DispatchRequestOptions{EventType: event}
	if payload != nil {
		data, err := json.Marshal(payload)
		if err != nil {
			return refusal(doing, fmt.Sprintf("its payload cannot be written as JSON: %v", err))
		}
		raw := json.RawMessage(data)
		in.ClientPayload = &raw
	}
	owner, name := r.Address()
	if _, _, err := r.client.Repositories.Dispatch(ctx, owner, name, in); err != nil {
		return r.certain(ctx, doing, err)
	}
	return nil
}

// workflowFile is the name of a workflow's file, given with its folder or without.
func workflowFile(doing, workflow string) (string, error) {
	file := strings.TrimPrefix(workflow, workflowFolder)
	ending := path.Ext(file)
	if strings.Contains(file, "/") || (ending != ".yml" && ending != ".yaml") {
		return "", refusal(doing, fmt.Sprintf("a workflow is named by its file in %s, which ends in .yml or .yaml", workflowFolder))
	}
	return file, nil
}
