package dryrun

// The GitHub port: pull requests in memory. There are none but
// the loop's own, and nobody else does anything to them.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/reconcile"
)

// Repository is what the question named.
func (w *world) Repository(context.Context) (promotion.Repository, error) { return w.repository, nil }

// OpenPullRequests are the loop's that it has not closed.
func (w *world) OpenPullRequests(context.Context) ([]promotion.PullRequest, error) {
	var out []promotion.PullRequest
	for _, p := range w.pulls {
		if p.Open {
			out = append(out, w.seen(p))
		}
	}
	return out, nil
}

func (w *world) seen(p *promotion.PullRequest) promotion.PullRequest {
	q := *p
	if q.Open {
		q.Head = w.refs["refs/heads/"+p.Branch]
	}
	return q
}

// PullRequest finds one by its number.
func (w *world) PullRequest(_ context.Context, number int) (promotion.PullRequest, error) {
	if number < 1 || number > len(w.pulls) {
		return promotion.PullRequest{}, fmt.Errorf("#%d: %w", number, promotion.ErrNotFound)
	}
	p := w.seen(w.pulls[number-1])
	p.Mergeable = "clean"
	return p, nil
}

// PullRequestsForHead finds those of a branch.
func (w *world) PullRequestsForHead(_ context.Context, branch string) ([]promotion.PullRequest, error) {
	var out []promotion.PullRequest
	for _, p := range w.pulls {
		if p.Branch == branch {
			out = append(out, w.seen(p))
		}
	}
	return out, nil
}

// CreatePullRequest opens one, as GitHub does: only for a branch that is there
// and has no open one.
func (w *world) CreatePullRequest(_ context.Context, n reconcile.NewPullRequest) (promotion.PullRequest, error) {
	if w.refs["refs/heads/"+n.Branch] == "" {
		return promotion.PullRequest{}, &promotion.RefusedError{Reason: "the head branch is not there"}
	}
	for _, p := range w.pulls {
		if p.Open && p.Branch == n.Branch {
			return promotion.PullRequest{}, fmt.Errorf("%s has a pull request: %w", n.Branch, promotion.ErrConflict)
		}
	}
	p := &promotion.PullRequest{
		Number: len(w.pulls) + 1, Title: n.Title, Body: n.Body, Open: true, Branch: n.Branch, Base: n.Base,
		Author: app, ByApp: true, Labels: n.Labels, Commits: 1,
	}
	w.pulls = append(w.pulls, p)
	return w.seen(p), nil
}

// EditPullRequest changes title and text.
func (w *world) EditPullRequest(_ context.Context, number int, title, body string) error {
	if number < 1 || number > len(w.pulls) {
		return fmt.Errorf("#%d: %w", number, promotion.ErrNotFound)
	}
	w.pulls[number-1].Title, w.pulls[number-1].Body = title, body
	return nil
}

// ClosePullRequest closes one and keeps the head it had.
func (w *world) ClosePullRequest(_ context.Context, number int) error {
	if number < 1 || number > len(w.pulls) {
		return fmt.Errorf("#%d: %w", number, promotion.ErrNotFound)
	}
	p := w.pulls[number-1]
	p.Head = w.refs["refs/heads/"+p.Branch]
	p.Open, p.ClosedAt, p.ClosedBy = false, w.now, app
	return nil
}

// MergePullRequest is never asked for in mode propose.
func (w *world) MergePullRequest(context.Context, reconcile.MergeRequest) error {
	return &promotion.RefusedError{Reason: "a dry run merges nothing"}
}

// ChangedFiles is asked for people's pull requests, of which there are none.
func (w *world) ChangedFiles(context.Context, int) ([]string, error) {
	return nil, promotion.ErrNotFound
}

// File is asked for people's pull requests, of which there are none.
func (w *world) File(context.Context, string, string) ([]byte, error) {
	return nil, promotion.ErrNotFound
}

// FallbackFile is never asked for: the pipeline file is at every commit.
func (w *world) FallbackFile(context.Context) (text []byte, source string, err error) {
	return nil, "", promotion.ErrNotFound
}

// CheckRuns are none: the loop is told to write none.
func (w *world) CheckRuns(context.Context, string) ([]reconcile.CheckRun, error) { return nil, nil }

// CompleteCheckRun is never asked for.
func (w *world) CompleteCheckRun(context.Context, int64, string) error {
	return errors.New("a dry run completes no check runs")
}

// WriteCheckRun is never asked for.
func (w *world) WriteCheckRun(context.Context, reconcile.CheckRun) (int64, error) {
	return 0, &promotion.RefusedError{Reason: "a dry run writes no check runs"}
}

// A dry run opens pull requests and merges none, so nothing below is ever asked
// of it but the versions, which it cannot list.

var errNothingMerges = errors.New("a dry run merges nothing")

// EnableAutoMerge fails: a dry run merges nothing.
func (w *world) EnableAutoMerge(context.Context, reconcile.MergeRequest) error {
	return errNothingMerges
}

// DisableAutoMerge has nothing to disable.
func (w *world) DisableAutoMerge(context.Context, int) error { return nil }

// Enqueue fails: a dry run merges nothing.
func (w *world) Enqueue(context.Context, int, string) error { return errNothingMerges }

// Dequeue has nothing to take out.
func (w *world) Dequeue(context.Context, int) error { return nil }

// MergeView is that of a pull request that nobody has reviewed.
func (w *world) MergeView(context.Context, int) (promotion.MergeView, error) {
	return promotion.MergeView{}, nil
}

// Rules are none.
func (w *world) Rules(context.Context, string) (promotion.Rules, error) {
	return promotion.Rules{}, nil
}

// Checks are none.
func (w *world) Checks(context.Context, string) ([]promotion.CheckResult, error) { return nil, nil }

// OwnDeployments are none: nothing lands in a dry run.
func (w *world) OwnDeployments(context.Context, string) ([]promotion.Deployment, error) {
	return nil, nil
}

// DeploymentState is none.
func (w *world) DeploymentState(context.Context, int64) (string, error) { return "", nil }

// CreateDeployment is never asked.
func (w *world) CreateDeployment(context.Context, promotion.Deployment) (int64, error) {
	return 0, errNothingMerges
}

// SetDeployment is never asked either.
func (w *world) SetDeployment(context.Context, int64, string, string, string) error {
	return errNothingMerges
}

// Deployments are none: what is read is a repository's git alone.
func (w *world) Deployments(context.Context, string) ([]promotion.CheckResult, error) {
	return nil, nil
}

// WorkflowRuns are none either.
func (w *world) WorkflowRuns(context.Context, string) ([]promotion.CheckResult, error) {
	return nil, nil
}

// errNothingStarts refuses what would have an effect elsewhere.
var errNothingStarts = &promotion.RefusedError{Reason: "a dry run starts no workflows"}

// DispatchWorkflow is refused: a dry run starts nothing.
func (w *world) DispatchWorkflow(context.Context, string, string, map[string]string) (int64, error) {
	return 0, errNothingStarts
}

// DispatchRepository is refused: a dry run starts nothing.
func (w *world) DispatchRepository(context.Context, string, map[string]any) error {
	return errNothingStarts
}

// RunsSince are none: nothing was started.
func (w *world) RunsSince(context.Context, string, time.Time) ([]promotion.WorkflowRun, error) {
	return nil, nil
}

// Run finds none.
func (w *world) Run(context.Context, int64) (promotion.WorkflowRun, error) {
	return promotion.WorkflowRun{}, promotion.ErrNotFound
}

// Comment finds none: nobody comments in a dry run.
func (w *world) Comment(context.Context, int64) (promotion.Comment, error) {
	return promotion.Comment{}, promotion.ErrNotFound
}

// CommentsOn are none.
func (w *world) CommentsOn(context.Context, int, time.Time) ([]promotion.Comment, error) {
	return nil, nil
}

// errNothingIsSaid refuses comments.
var errNothingIsSaid = &promotion.RefusedError{Reason: "a dry run writes no comments"}

// WriteComment is refused.
func (w *world) WriteComment(context.Context, int, string) (int64, error) { return 0, errNothingIsSaid }

// EditComment is refused.
func (w *world) EditComment(context.Context, int64, string) error { return errNothingIsSaid }

// React is refused.
func (w *world) React(context.Context, int64, string) error { return errNothingIsSaid }

// Permission is none: nobody commands a dry run.
func (w *world) Permission(context.Context, string) (promotion.Permission, error) {
	return promotion.Permission{Role: "none", Folded: "none"}, nil
}

// InTeam says that nobody is.
func (w *world) InTeam(context.Context, string, string) (bool, error) { return false, nil }

// Versions cannot be listed offline.
func (w *world) Versions(_ context.Context, src config.VersionSource) ([]promotion.Version, error) {
	return nil, fmt.Errorf("%s is not asked in a dry run", promotion.SourceName(&src))
}

// CreateCommit is never asked: a dry run signs nothing.
func (w *world) CreateCommit(context.Context, string, []string, string) (promotion.SignedCommit, error) {
	return promotion.SignedCommit{}, errNothingMerges
}

// Adopt is never asked either.
func (w *world) Adopt(context.Context, promotion.SignedCommit) (string, error) {
	return "", errNothingMerges
}

// PushAt is now: nothing is paced.
func (w *world) PushAt() time.Time { return time.Time{} }
