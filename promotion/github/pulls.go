package github

// Reading pull requests ("REST API endpoints for pull requests"). GitHub's
// habits: lists lag behind writes by seconds and carry no mergeable state; an
// item's merge_commit_sha is a test merge until merged_at is set; a filter
// "head" that it does not understand is ignored without a word; who closed a
// pull request stands on its issue only.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

const (
	// maxCommits is how many commits of a pull request GitHub lists ("List
	// commits on a pull request").
	maxCommits = 250
	// maxFiles is how many files of a pull request GitHub lists ("List pull
	// requests files").
	maxFiles = 3000
)

// OpenPullRequests lists the open pull requests, the oldest first: so one that
// is opened meanwhile moves no other to another page.
func (r *Repository) OpenPullRequests(ctx context.Context) ([]promotion.PullRequest, error) {
	const doing = "listing the open pull requests"
	list, _, err := r.list(ctx, gh.PullRequestListOptions{State: "open", Sort: "created", Direction: "asc"}, nil)
	if err != nil {
		return nil, r.certain(ctx, doing, err)
	}
	for _, p := range list {
		if !p.Open {
			return nil, fmt.Errorf("%s: GitHub's list holds #%d, which is closed", doing, p.Number)
		}
	}
	return list, nil
}

// PullRequestsForHead lists the App's own pull requests of a branch of this
// repository in any state, the lowest number first.
func (r *Repository) PullRequestsForHead(ctx context.Context, branch string) ([]promotion.PullRequest, error) {
	doing := fmt.Sprintf("listing the pull requests of %q", branch)
	for range 2 {
		owner, _ := r.Address()
		list, redirected, err := r.list(ctx,
			gh.PullRequestListOptions{State: "all", Head: owner + ":" + branch, Sort: "created", Direction: "asc"},
			func(p *gh.PullRequest) error {
				if p.GetHead().GetRef() != branch {
					return fmt.Errorf("GitHub ignored the filter and listed #%d", p.GetNumber())
				}
				return nil
			})
		if err != nil {
			return nil, r.certain(ctx, doing, err)
		}
		if redirected {
			// The owner in the filter may be a former one, of whom GitHub knows
			// no branches. Learn the address, then ask again.
			if _, err := r.read(ctx); err != nil {
				return nil, explain(doing, err)
			}
			continue
		}
		return slices.DeleteFunc(list, func(p promotion.PullRequest) bool { return !p.ByApp || p.Fork || p.Branch != branch }), nil
	}
	return nil, fmt.Errorf("%s: the repository is being moved", doing)
}

// list reads all pages of a list, each pull request once, sorted by number.
func (r *Repository) list(ctx context.Context, o gh.PullRequestListOptions, check func(*gh.PullRequest) error) (
	all []promotion.PullRequest, redirected bool, err error,
) {
	login, err := r.app.Login(ctx)
	if err != nil {
		return nil, false, err
	}
	owner, name := r.Address()
	seen := map[int]struct{}{} // a list that moves between two pages repeats items
	err = pages(func(page gh.ListOptions) (*gh.Response, error) {
		o.ListOptions = page
		list, resp, err := r.client.PullRequests.List(ctx, owner, name, &o)
		if err != nil {
			return resp, err
		}
		redirected = redirected || wasRedirected(resp)
		for _, p := range list {
			if check != nil {
				if err := check(p); err != nil {
					return resp, err
				}
			}
			one, err := r.pullRequest(p, login)
			if err != nil {
				return resp, err
			}
			if _, again := seen[one.Number]; again {
				continue
			}
			seen[one.Number] = struct{}{}
			all = append(all, one)
		}
		return resp, nil
	})
	slices.SortFunc(all, func(a, b promotion.PullRequest) int { return cmp.Compare(a.Number, b.Number) })
	return all, redirected, err
}

// wasRedirected tells whether an answer came from the address that GitHub
// redirects renamed repositories to.
func wasRedirected(resp *gh.Response) bool {
	return resp.Request != nil && resp.Request.URL != nil && strings.Contains(resp.Request.URL.Path, "/repositories/")
}

// PullRequest reads one by itself.
func (r *Repository) PullRequest(ctx context.Context, number int) (promotion.PullRequest, error) {
	doing := fmt.Sprintf("reading #%d", number)
	login, err := r.app.Login(ctx)
	if err != nil {
		return promotion.PullRequest{}, err
	}
	owner, name := r.Address()
	answer, _, err := r.client.PullRequests.Get(ctx, owner, name, number)
	if err != nil {
		return promotion.PullRequest{}, r.certain(ctx, doing, err)
	}
	p, err := r.pullRequest(answer, login)
	switch {
	case err != nil:
		return promotion.PullRequest{}, explain(doing, err)
	case p.Number != number:
		return promotion.PullRequest{}, fmt.Errorf("%s: GitHub answered with #%d", doing, p.Number)
	case !p.Open && !p.Merged:
		p.ClosedBy, err = r.closedBy(ctx, number)
	case p.Merged && p.Commits > 1 && p.Commits <= maxCommits:
		p.Messages, err = r.messages(ctx, number, p.Commits)
	}
	if err != nil {
		return promotion.PullRequest{}, explain(doing, err)
	}
	return p, nil
}

// closedBy is who closed a pull request; "" when GitHub does not tell (an
// account that is gone, issues that may not be read).
func (r *Repository) closedBy(ctx context.Context, number int) (string, error) {
	owner, name := r.Address()
	issue, _, err := r.client.Issues.Get(ctx, owner, name, number)
	var answer *gh.ErrorResponse
	if errors.As(err, &answer) && answer.Response != nil {
		if s := answer.Response.StatusCode; s == http.StatusForbidden || s == http.StatusNotFound || s == http.StatusGone {
			return "", nil
		}
	}
	if err != nil {
		return "", err
	}
	return issue.GetClosedBy().GetLogin(), nil
}

// messages are those of a pull request's commits, oldest first.
func (r *Repository) messages(ctx context.Context, number, want int) ([]string, error) {
	owner, name := r.Address()
	var all []string
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		list, resp, err := r.client.PullRequests.ListCommits(ctx, owner, name, number, &page)
		for _, c := range list {
			if c.GetSHA() == "" || c.Commit == nil {
				return resp, errNoID("a commit")
			}
			all = append(all, c.GetCommit().GetMessage())
		}
		return resp, err
	})
	if err == nil && len(all) != want {
		err = fmt.Errorf("GitHub lists %d of %d commits", len(all), want)
	}
	return all, err
}

// ChangedFiles lists the paths that a pull request changes; a renamed file
// changes two.
func (r *Repository) ChangedFiles(ctx context.Context, number int) ([]string, error) {
	doing := fmt.Sprintf("listing the files of #%d", number)
	owner, name := r.Address()
	var all []string
	count := 0
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		list, resp, err := r.client.PullRequests.ListFiles(ctx, owner, name, number, &page)
		for _, f := range list {
			if f.GetFilename() == "" {
				return resp, errNoID("a file")
			}
			all = append(all, f.GetFilename())
			if f.GetPreviousFilename() != "" {
				all = append(all, f.GetPreviousFilename())
			}
		}
		count += len(list)
		return resp, err
	})
	if err != nil {
		return nil, r.certain(ctx, doing, err)
	}
	if count >= maxFiles {
		return nil, refusal(doing, fmt.Sprintf("it changes %d files or more, and GitHub lists no more than that", maxFiles))
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// pullRequest is a pull request of GitHub's answer, which must be of this
// repository and whole.
func (r *Repository) pullRequest(p *gh.PullRequest, login string) (promotion.PullRequest, error) {
	head, base := p.GetHead(), p.GetBase()
	switch {
	case p.GetNumber() <= 0 || head.GetSHA() == "" || head.GetRef() == "" || base.GetRef() == "":
		return promotion.PullRequest{}, errNoID("a pull request")
	case base.GetRepo().GetID() != r.id:
		return promotion.PullRequest{}, fmt.Errorf("GitHub's answer is of repository %d, not %d", base.GetRepo().GetID(), r.id)
	case p.GetState() != "open" && p.GetState() != "closed":
		return promotion.PullRequest{}, fmt.Errorf("GitHub calls #%d %q, neither open nor closed", p.GetNumber(), cutLine(p.GetState(), 20))
	}
	out := promotion.PullRequest{
		Number: p.GetNumber(), NodeID: p.GetNodeID(), URL: p.GetHTMLURL(), Title: p.GetTitle(), Body: p.GetBody(),
		Open: p.GetState() == "open", Draft: p.GetDraft(),
		Merged: p.MergedAt != nil, MergedAt: p.GetMergedAt().Time, ClosedAt: p.GetClosedAt().Time,
		Branch: head.GetRef(), Head: head.GetSHA(),
		// The head's repository is null when the fork is gone.
		Fork: head.GetRepo().GetID() != r.id, Base: base.GetRef(),
		Author: p.GetUser().GetLogin(), ByApp: p.GetUser().GetLogin() == login && p.GetUser().GetType() == "Bot",
		AutoMerge: p.AutoMerge != nil,
		Commits:   p.GetCommits(), Mergeable: p.GetMergeableState(),
	}
	if out.Merged {
		out.MergeCommit, out.MergedBy = p.GetMergeCommitSHA(), p.GetMergedBy().GetLogin()
		if out.MergeCommit == "" {
			return promotion.PullRequest{}, fmt.Errorf("GitHub says that #%d is merged, but not as which commit", out.Number)
		}
	}
	r.remember(out.Number, out.NodeID, out.Open)
	for _, l := range p.Labels {
		out.Labels = append(out.Labels, l.GetName())
	}
	return out, nil
}
