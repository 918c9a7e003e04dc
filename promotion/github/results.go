package github

// What speaks for or against a commit: check runs and commit statuses of
// everyone ("List check runs for a Git reference"; "Get the combined status for
// a specific reference"). GitHub's habits: of check runs, filter=latest leaves
// several of one name where several suites have it (a push and a pull request);
// the combined status holds the newest status of each context; an empty list
// says nothing, checks appear minutes late.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

// result is a check run or status with its place in time.
type result struct {
	promotion.CheckResult
	id    int64
	begun time.Time
}

// Checks lists all check runs and statuses of a commit, the newest of each name
// and App, by name. promotion.ErrNotFound: the repository has no such commit.
// *promotion.RefusedError: the App may not read commit statuses there.
func (r *Repository) Checks(ctx context.Context, commit string) ([]promotion.CheckResult, error) {
	doing := "reading the checks of " + commit
	if err := r.may(ctx, doing, statusesGranted, "read", "read commit statuses", "commit statuses"); err != nil {
		return nil, err
	}
	runs, err := r.allCheckRuns(ctx, commit)
	if err != nil {
		return nil, r.certain(ctx, doing, err)
	}
	statuses, err := r.statuses(ctx, commit)
	if err != nil {
		return nil, r.certain(ctx, doing, err)
	}
	return newest(append(runs, statuses...)), nil
}

// newest keeps the newest of each name and App.
func newest(all []result) []promotion.CheckResult {
	slices.SortFunc(all, func(a, b result) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.App, b.App), b.begun.Compare(a.begun), cmp.Compare(b.id, a.id))
	})
	all = slices.CompactFunc(all, func(a, b result) bool { return a.Name == b.Name && a.App == b.App })
	var out []promotion.CheckResult
	for _, one := range all {
		out = append(out, one.CheckResult)
	}
	return out
}

func (r *Repository) allCheckRuns(ctx context.Context, commit string) ([]result, error) {
	owner, name := r.Address()
	latest := "latest"
	var all []result
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		list, resp, err := r.client.Checks.ListCheckRunsForRef(ctx, owner, name, commit,
			&gh.ListCheckRunsOptions{Filter: &latest, ListOptions: page})
		if err != nil {
			return resp, err
		}
		if list.Total == nil {
			return resp, errors.New("GitHub's answer lists no check runs and does not say that there are none")
		}
		for _, run := range list.CheckRuns {
			if run.GetID() == 0 || run.GetName() == "" || run.GetStatus() == "" {
				return resp, errNoID("a check run")
			}
			if run.GetHeadSHA() != commit {
				return resp, fmt.Errorf("GitHub's answer holds a check run of commit %q", cutLine(run.GetHeadSHA(), 64))
			}
			all = append(all, r.ofRun(run))
		}
		return resp, nil
	})
	return all, err
}

func (r *Repository) ofRun(run *gh.CheckRun) result {
	at := run.GetStartedAt().Time
	if run.CompletedAt != nil && !run.GetCompletedAt().IsZero() {
		at = run.GetCompletedAt().Time
	}
	return result{id: run.GetID(), begun: run.GetStartedAt().Time, CheckResult: promotion.CheckResult{
		Name: run.GetName(), App: run.GetApp().GetID(), ByApp: run.GetApp().GetID() == r.app.id,
		Status: run.GetStatus(), Conclusion: run.GetConclusion(),
		URL: orElse(run.GetDetailsURL(), run.GetHTMLURL()), Summary: run.GetOutput().GetTitle(), Time: at,
		Slug: run.GetApp().GetSlug(), Commit: run.GetHeadSHA(), Text: outputText(run.GetOutput()),
	}}
}

// maxOutputText bounds what is kept of a check run's summary and text.
const maxOutputText = 4000

// outputText is a check run's summary and text, in this order.
func outputText(out *gh.CheckRunOutput) string {
	text := out.GetSummary()
	if more := out.GetText(); more != "" {
		text = strings.TrimPrefix(text+"\n\n"+more, "\n\n")
	}
	return cutBytes(text, maxOutputText)
}

func (r *Repository) statuses(ctx context.Context, commit string) ([]result, error) {
	owner, name := r.Address()
	var all []result
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		combined, resp, err := r.client.Repositories.GetCombinedStatus(ctx, owner, name, commit, &page)
		if err != nil {
			return resp, err
		}
		if combined.TotalCount == nil || combined.GetSHA() != commit {
			return resp, fmt.Errorf("GitHub's answer is of commit %q, and does not say how many statuses there are", cutLine(combined.GetSHA(), 64))
		}
		for _, s := range combined.Statuses {
			if s.GetContext() == "" || s.GetState() == "" {
				return resp, errNoID("a commit status")
			}
			one := ofStatus(s)
			one.Commit = commit
			all = append(all, one)
		}
		return resp, nil
	})
	return all, err
}

func ofStatus(s *gh.RepoStatus) result {
	out := result{id: s.GetID(), begun: s.GetCreatedAt().Time, CheckResult: promotion.CheckResult{
		Name: s.GetContext(), Status: "completed", Conclusion: s.GetState(),
		URL: s.GetTargetURL(), Summary: s.GetDescription(), Time: s.GetUpdatedAt().Time,
	}}
	if s.GetState() == "pending" {
		out.Status, out.Conclusion = "pending", ""
	}
	return out
}
