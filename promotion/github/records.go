package github

// Our own deployments, which record what landed ("Create a deployment"; "Create a
// deployment status", REST API documentation). GitHub's habits: without
// auto_merge: false it merges the default branch into what is deployed, and
// without required_contexts: [] it refuses what has a red status; a success makes
// older deployments inactive unless auto_inactive is false; a payload comes back
// as it was sent, or as JSON in a text.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

const (
	// recordTask tells our deployments from others' in GitHub's lists.
	recordTask = "promobot"
	// maxDeploymentText is GitHub's limit on the descriptions of deployments and of
	// their statuses.
	maxDeploymentText = 140
)

// recordPayload is what our deployments carry.
type recordPayload struct {
	Promotion string `json:"promotion"`
}

// readPayload reads it, in either of the ways it comes back.
func readPayload(raw json.RawMessage) (p recordPayload) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	if json.Unmarshal(raw, &p) != nil {
		return recordPayload{} // not one of ours, whatever its task says
	}
	return p
}

// mayRecord refuses where the installation does not grant it.
func (r *Repository) mayRecord(ctx context.Context, doing string) error {
	return r.may(ctx, doing, deploymentsGranted, "write", "record deployments", "deployments")
}

// OwnDeployments are our own App's of an environment that carry a promotion, newest
// first; of very many, the newest hundred. *promotion.RefusedError: the App may not
// write deployments there.
func (r *Repository) OwnDeployments(ctx context.Context, environment string) ([]promotion.Deployment, error) {
	doing := "reading the deployments of " + strconv.Quote(cutLine(environment, 64))
	if err := r.mayRecord(ctx, doing); err != nil {
		return nil, err
	}
	login, err := r.app.Login(ctx)
	if err != nil {
		return nil, err
	}
	var list []struct {
		deployment
		Payload json.RawMessage `json:"payload"`
	}
	_, err = r.get(ctx, "deployments", url.Values{"environment": {environment}, "task": {recordTask}}, gh.ListOptions{PerPage: perPage}, &list)
	if err != nil {
		return nil, r.certain(ctx, doing, err)
	}
	var out []promotion.Deployment
	for _, d := range list {
		switch p := readPayload(d.Payload); {
		case d.ID == 0 || d.SHA == "":
			return nil, fmt.Errorf("%s: %w", doing, errNoID("a deployment"))
		case d.Environment != environment:
			return nil, fmt.Errorf("%s: GitHub ignored the filter and listed one of %q", doing, cutLine(d.Environment, 64))
		case p.Promotion == "" || !r.ours(login, d.Creator, d.App):
		default:
			out = append(out, promotion.Deployment{
				ID: d.ID, Environment: d.Environment, Commit: d.SHA, Promotion: p.Promotion, Description: d.Description, Production: d.Production,
			})
		}
	}
	return out, nil
}

// DeploymentState is the state of the newest status of a deployment; "" when it has
// none.
func (r *Repository) DeploymentState(ctx context.Context, id int64) (string, error) {
	doing := fmt.Sprintf("reading deployment %d", id)
	if err := r.mayRecord(ctx, doing); err != nil {
		return "", err
	}
	var list []deploymentStatus
	if _, err := r.get(ctx, fmt.Sprintf("deployments/%d/statuses", id), nil, gh.ListOptions{PerPage: 1}, &list); err != nil {
		return "", r.certain(ctx, doing, err)
	}
	if len(list) == 0 {
		return "", nil
	}
	if list[0].ID == 0 || list[0].State == "" {
		return "", fmt.Errorf("%s: %w", doing, errNoID("a deployment status"))
	}
	return list[0].State, nil
}

// CreateDeployment records that a promotion's commit landed.
func (r *Repository) CreateDeployment(ctx context.Context, d promotion.Deployment) (int64, error) {
	doing := "recording a deployment of " + d.Commit
	if err := r.mayRecord(ctx, doing); err != nil {
		return 0, err
	}
	var made deployment
	err := r.post(ctx, "deployments", map[string]any{
		"ref": d.Commit, "task": recordTask, "environment": d.Environment, "auto_merge": false, "required_contexts": []string{},
		"payload": recordPayload{d.Promotion}, "description": cutLine(d.Description, maxDeploymentText),
		"production_environment": d.Production, "transient_environment": false,
	}, &made)
	switch {
	case err != nil:
		return 0, r.certain(ctx, doing, err)
	case made.ID == 0 || made.SHA != d.Commit:
		return 0, fmt.Errorf("%s: %w", doing, errNoID("the deployment"))
	}
	return made.ID, nil
}

// SetDeployment writes a deployment's status.
func (r *Repository) SetDeployment(ctx context.Context, id int64, state, description, url string) error {
	doing := fmt.Sprintf("setting deployment %d to %s", id, state)
	if err := r.mayRecord(ctx, doing); err != nil {
		return err
	}
	body := map[string]any{"state": state, "description": cutLine(description, maxDeploymentText), "auto_inactive": false}
	if url != "" {
		body["log_url"] = url
	}
	var made deploymentStatus
	if err := r.post(ctx, fmt.Sprintf("deployments/%d/statuses", id), body, &made); err != nil {
		return r.certain(ctx, doing, err)
	}
	if made.ID == 0 {
		return fmt.Errorf("%s: %w", doing, errNoID("the status"))
	}
	return nil
}

// post creates something below the repository.
func (r *Repository) post(ctx context.Context, path string, body, into any) error {
	req, err := r.client.NewRequest("POST", r.below(path), body)
	if err != nil {
		return fmt.Errorf("asking for %s: %w", path, err)
	}
	_, err = r.client.Do(ctx, req, into)
	return err
}
