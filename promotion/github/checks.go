package github

// Check runs ("REST API endpoints for check runs"). GitHub's habits: the list
// shows the newest run of each name by default; external_id is shown but is no
// filter; annotations come fifty a call and are only ever added; text that is
// too long is refused, not cut.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion/reconcile"
)

const (
	// checkName is the name of check runs that name none.
	checkName = "promobot"

	maxOutput          = 65535 // of summary and of text
	maxCheckTitle      = 255
	maxAnnotations     = 50 // a call
	maxAnnotationTitle = 255
	maxAnnotationText  = 64 << 10

	maxActions     = 3
	maxActionLabel = 20 // and of the identifier
	maxActionText  = 40
)

// CheckRuns lists the App's own check runs on a commit, the newest of each
// name. promotion.ErrNotFound: the repository has no such commit.
func (r *Repository) CheckRuns(ctx context.Context, commit string) ([]reconcile.CheckRun, error) {
	doing := "listing the check runs of " + commit
	owner, name := r.Address()
	var all []reconcile.CheckRun
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		list, resp, err := r.client.Checks.ListCheckRunsForRef(ctx, owner, name, commit,
			&gh.ListCheckRunsOptions{AppID: &r.app.id, ListOptions: page})
		if err != nil {
			return resp, err
		}
		if list.Total == nil {
			return resp, errors.New("GitHub's answer lists no check runs and does not say that there are none")
		}
		for _, run := range list.CheckRuns {
			if run.GetID() == 0 || run.App == nil {
				return resp, errNoID("a check run")
			}
			if run.GetApp().GetID() == r.app.id {
				all = append(all, checkRun(run))
			}
		}
		return resp, nil
	})
	if err != nil {
		return nil, r.certain(ctx, doing, err)
	}
	return all, nil
}

func checkRun(run *gh.CheckRun) reconcile.CheckRun {
	out := run.GetOutput()
	return reconcile.CheckRun{
		ID: run.GetID(), Name: run.GetName(), Commit: run.GetHeadSHA(), Status: run.GetStatus(), Conclusion: run.GetConclusion(),
		ExternalID: run.GetExternalID(),
		Title:      out.GetTitle(), Summary: out.GetSummary(), Text: out.GetText(),
	}
}

// WriteCheckRun creates a check run (ID 0) or updates one, and returns its id.
// More than fifty annotations take more calls; only the last one writes the
// ExternalID, so that a run known by it is whole. Annotations are added to
// those that the run has.
func (r *Repository) WriteCheckRun(ctx context.Context, c reconcile.CheckRun) (int64, error) {
	if c.Name == "" {
		c.Name = checkName
	}
	doing := fmt.Sprintf("writing the check run %q on %s", c.Name, c.Commit)
	notes := annotations(c)
	for first := true; first || len(notes) > 0; first = false {
		batch := notes[:min(len(notes), maxAnnotations)]
		notes = notes[len(batch):]
		id, err := r.writeOnce(ctx, c, batch, len(notes) == 0)
		if err != nil {
			return c.ID, explain(doing, err)
		}
		c.ID = id
	}
	return c.ID, nil
}

func (r *Repository) writeOnce(ctx context.Context, c reconcile.CheckRun, notes []*gh.CheckRunAnnotation, last bool) (int64, error) {
	owner, name := r.Address()
	var external *string
	if last {
		external = given(c.ExternalID)
	}
	output := &gh.CheckRunOutput{
		Title: new(cutLine(orElse(c.Title, c.Name), maxCheckTitle)), Summary: new(cutMarkdown(c.Summary, maxOutput)),
		Annotations: notes,
	}
	if c.Text != "" {
		output.Text = new(cutMarkdown(c.Text, maxOutput))
	}
	actions := actions(c)
	conclusion := given(c.Conclusion)
	if c.Status != "completed" {
		conclusion = nil // GitHub completes a run that has one
	}
	var run *gh.CheckRun
	var err error
	if c.ID == 0 {
		run, _, err = r.client.Checks.CreateCheckRun(ctx, owner, name, gh.CreateCheckRunOptions{
			Name: c.Name, HeadSHA: c.Commit, ExternalID: external,
			Status: given(c.Status), Conclusion: conclusion, Output: output, Actions: actions,
		})
	} else {
		run, err = r.updateCheckRun(ctx, c.ID, gh.UpdateCheckRunOptions{
			Name: c.Name, ExternalID: external,
			Status: given(c.Status), Conclusion: conclusion, Output: output,
		}, actions)
	}
	switch {
	case err != nil:
		return 0, err
	case run.GetID() == 0 || (c.ID != 0 && run.GetID() != c.ID):
		return 0, errNoID("the check run")
	}
	return run.GetID(), nil
}

// updateCheckRun is "Update a check run" with the buttons always said: what is
// left out stays, and the client leaves out an empty list.
func (r *Repository) updateCheckRun(ctx context.Context, id int64, options gh.UpdateCheckRunOptions, actions []*gh.CheckRunAction) (*gh.CheckRun, error) {
	request, err := r.client.NewRequest(http.MethodPatch, r.below(fmt.Sprintf("check-runs/%d", id)), struct {
		gh.UpdateCheckRunOptions
		Actions []*gh.CheckRunAction `json:"actions"`
	}{options, append([]*gh.CheckRunAction{}, actions...)})
	if err != nil {
		return nil, err
	}
	run := new(gh.CheckRun)
	_, err = r.client.Do(ctx, request, run)
	return run, err
}

// CompleteCheckRun writes nothing but that a check run is completed, as it was: what
// GitHub waits for once somebody has asked for it again. All else of it stays.
func (r *Repository) CompleteCheckRun(ctx context.Context, id int64, conclusion string) error {
	request, err := r.client.NewRequest(http.MethodPatch, r.below(fmt.Sprintf("check-runs/%d", id)), map[string]string{"status": "completed", "conclusion": conclusion})
	if err != nil {
		return err
	}
	_, err = r.client.Do(ctx, request, nil)
	return explain(fmt.Sprintf("completing the check run %d", id), err)
}

// annotations are shown as grave as the check run's conclusion.
func annotations(c reconcile.CheckRun) []*gh.CheckRunAnnotation {
	level := "warning"
	switch c.Conclusion {
	case "failure":
		level = "failure"
	case "success":
		level = "notice"
	}
	var out []*gh.CheckRunAnnotation
	for _, a := range c.Annotations {
		line := max(a.Line, 1)
		out = append(out, &gh.CheckRunAnnotation{
			Path: new(a.Path), StartLine: &line, EndLine: &line, AnnotationLevel: &level,
			Message: new(cutBytes(orElse(a.Message, a.Title), maxAnnotationText)), Title: given(cutLine(a.Title, maxAnnotationTitle)),
		})
	}
	return out
}

// actions are the buttons. One that GitHub would not take is left out: it would
// refuse the whole check run.
func actions(c reconcile.CheckRun) []*gh.CheckRunAction {
	var out []*gh.CheckRunAction
	for _, a := range c.Actions {
		fits := utf8.RuneCountInString(a.Label) <= maxActionLabel && utf8.RuneCountInString(a.Description) <= maxActionText && utf8.RuneCountInString(a.Identifier) <= maxActionLabel
		if fits && a.Label != "" && a.Description != "" && a.Identifier != "" && len(out) < maxActions {
			out = append(out, &gh.CheckRunAction{Label: a.Label, Description: a.Description, Identifier: a.Identifier})
		}
	}
	return out
}

// given leaves an empty value out of a request.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
