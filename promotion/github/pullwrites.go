package github

// Writing pull requests. One request each; what decorates a new pull request
// (labels, assignees, reviewers) comes after it and only when asked for, and
// when it fails the pull request stands all the same.

import (
	"context"
	"fmt"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/reconcile"
)

// CreatePullRequest opens a pull request of a branch of this repository.
// promotion.ErrConflict: there is an open one already, the base has all its
// commits, or GitHub does not know the branch.
func (r *Repository) CreatePullRequest(ctx context.Context, n reconcile.NewPullRequest) (promotion.PullRequest, error) {
	doing := fmt.Sprintf("opening a pull request of %q", n.Branch)
	login, err := r.app.Login(ctx)
	if err != nil {
		return promotion.PullRequest{}, err
	}
	owner, name := r.Address()
	answer, _, err := r.client.PullRequests.Create(ctx, owner, name, &gh.NewPullRequest{
		Title: &n.Title, Head: &n.Branch, Base: &n.Base, Body: &n.Body,
	})
	if err != nil {
		return promotion.PullRequest{}, explain(doing, err)
	}
	p, err := r.pullRequest(answer, login)
	if err == nil && (p.Branch != n.Branch || p.Base != n.Base) {
		err = fmt.Errorf("GitHub opened #%d of %q into %q", p.Number, p.Branch, p.Base)
	}
	if err != nil {
		return promotion.PullRequest{}, explain(doing, err)
	}
	r.decorate(ctx, p.Number, n)
	return p, nil
}

// decorate adds what was asked for and logs what GitHub refuses: a person who
// left the team must not stop promotions.
func (r *Repository) decorate(ctx context.Context, number int, n reconcile.NewPullRequest) {
	owner, name := r.Address()
	warn := func(what string, asked []string, err error) {
		if err != nil {
			r.app.log.Warn().Err(explain(what, err)).Str("repository", owner+"/"+name).Int("pull_request", number).
				Strs("asked", asked).Msg("the pull request stands, but without its " + what)
		}
	}
	if len(n.Labels) > 0 {
		_, _, err := r.client.Issues.AddLabelsToIssue(ctx, owner, name, number, n.Labels)
		warn("labels", n.Labels, err)
	}
	if len(n.Assignees) > 0 {
		_, _, err := r.client.Issues.AddAssignees(ctx, owner, name, number, n.Assignees)
		warn("assignees", n.Assignees, err)
	}
	if len(n.Reviewers) > 0 {
		var ask gh.ReviewersRequest
		for _, who := range n.Reviewers {
			if _, team, is := strings.Cut(who, "/"); is {
				ask.TeamReviewers = append(ask.TeamReviewers, team)
			} else {
				ask.Reviewers = append(ask.Reviewers, who)
			}
		}
		_, _, err := r.client.PullRequests.RequestReviewers(ctx, owner, name, number, ask)
		warn("reviewers", n.Reviewers, err)
	}
}

// EditPullRequest changes a pull request's title and body.
func (r *Repository) EditPullRequest(ctx context.Context, number int, title, body string) error {
	return r.edit(ctx, fmt.Sprintf("editing #%d", number), number, &gh.PullRequest{Title: &title, Body: &body})
}

// ClosePullRequest closes a pull request; closing a closed one changes nothing.
func (r *Repository) ClosePullRequest(ctx context.Context, number int) error {
	closed := "closed"
	return r.edit(ctx, fmt.Sprintf("closing #%d", number), number, &gh.PullRequest{State: &closed})
}

func (r *Repository) edit(ctx context.Context, doing string, number int, change *gh.PullRequest) error {
	owner, name := r.Address()
	answer, _, err := r.client.PullRequests.Edit(ctx, owner, name, number, change)
	if err == nil && answer.GetNumber() != number {
		err = fmt.Errorf("GitHub answered with #%d", answer.GetNumber())
	}
	return explain(doing, err)
}
