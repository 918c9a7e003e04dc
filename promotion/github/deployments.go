package github

// Others' deployments of a commit ("List deployments"; "List deployment
// statuses"). GitHub's habits: both lists come newest first; a deployment without
// a status is pending; a success makes older deployments of the environment
// inactive. Our own App's never count.

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

// account is who made something, and app through which App, as go-github does
// not read it.
type account struct {
	Login string `json:"login"`
	Type  string `json:"type"`
}

type viaApp struct {
	ID   int64  `json:"id"`
	Slug string `json:"slug"`
}

type deployment struct {
	ID          int64     `json:"id"`
	SHA         string    `json:"sha"`
	Environment string    `json:"environment"`
	Description string    `json:"description"`
	Production  bool      `json:"production_environment"`
	CreatedAt   time.Time `json:"created_at"`
	Creator     account   `json:"creator"`
	App         *viaApp   `json:"performed_via_github_app"`
}

type deploymentStatus struct {
	ID             int64     `json:"id"`
	State          string    `json:"state"`
	Description    string    `json:"description"`
	LogURL         string    `json:"log_url"`
	TargetURL      string    `json:"target_url"`
	EnvironmentURL string    `json:"environment_url"`
	CreatedAt      time.Time `json:"created_at"`
	Creator        account   `json:"creator"`
	App            *viaApp   `json:"performed_via_github_app"`
}

// Deployments are the newest deployments of a commit by others than our own App,
// one of each environment, each with its newest status, by environment.
// *promotion.RefusedError: the App may not read deployments there.
func (r *Repository) Deployments(ctx context.Context, commit string) ([]promotion.CheckResult, error) {
	doing := "reading the deployments of " + commit
	if err := r.may(ctx, doing, deploymentsGranted, "read", "read deployments", "deployments"); err != nil {
		return nil, err
	}
	login, err := r.app.Login(ctx)
	if err != nil {
		return nil, err
	}
	all, err := readPages[deployment](ctx, r, "deployments", url.Values{"sha": {commit}})
	if err != nil {
		return nil, r.certain(ctx, doing, err)
	}
	for _, d := range all {
		if d.ID == 0 || d.Environment == "" {
			return nil, fmt.Errorf("%s: %w", doing, errNoID("a deployment"))
		}
		if d.SHA != commit {
			return nil, fmt.Errorf("%s: GitHub ignored the filter and listed a deployment of %q", doing, cutLine(d.SHA, 64))
		}
	}
	all = slices.DeleteFunc(all, func(d deployment) bool { return r.ours(login, d.Creator, d.App) })
	slices.SortFunc(all, func(a, b deployment) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	all = slices.CompactFunc(all, func(a, b deployment) bool { return a.Environment == b.Environment })
	var out []promotion.CheckResult
	for _, d := range all {
		one, err := r.deployed(ctx, login, d)
		if err != nil {
			return nil, r.certain(ctx, doing, err)
		}
		out = append(out, one)
	}
	return out, nil
}

// deployed is a deployment with what its newest status by others says.
func (r *Repository) deployed(ctx context.Context, login string, d deployment) (promotion.CheckResult, error) {
	out := promotion.CheckResult{
		Name: d.Environment, Kind: promotion.DeploymentResult, Commit: d.SHA, Status: "pending", Summary: d.Description, Time: d.CreatedAt,
	}
	out.App, out.Slug = reporter(d.Creator, d.App)
	list, err := readPages[deploymentStatus](ctx, r, fmt.Sprintf("deployments/%d/statuses", d.ID), nil)
	if err != nil {
		return out, err
	}
	list = slices.DeleteFunc(list, func(s deploymentStatus) bool { return r.ours(login, s.Creator, s.App) })
	if len(list) == 0 {
		return out, nil
	}
	newest := slices.MaxFunc(list, func(a, b deploymentStatus) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	if newest.ID == 0 || newest.State == "" {
		return out, errNoID("a deployment status")
	}
	switch newest.State {
	case "success", "failure", "error", "inactive":
		out.Status, out.Conclusion = "completed", newest.State
	}
	out.URL = cmp.Or(newest.LogURL, newest.TargetURL, newest.EnvironmentURL)
	out.Summary, out.Time = cmp.Or(newest.Description, out.Summary), newest.CreatedAt
	out.App, out.Slug = reporter(newest.Creator, newest.App)
	return out, nil
}

// ours tells whether our own App made something.
func (r *Repository) ours(login string, by account, via *viaApp) bool {
	return by.Login == login && by.Type == "Bot" || via != nil && via.ID == r.app.id
}

// reporter is the App that made something: the one that GitHub names, else the
// one whose bot it is; 0 and "" for a person.
func reporter(by account, via *viaApp) (id int64, slug string) {
	if via != nil {
		return via.ID, via.Slug
	}
	if by.Type == "Bot" {
		return 0, strings.TrimSuffix(by.Login, "[bot]")
	}
	return 0, ""
}

// readPages reads all pages of a list below the repository that go-github does
// not read whole.
func readPages[T any](ctx context.Context, r *Repository, path string, query url.Values) ([]T, error) {
	var all []T
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		var list []T
		resp, err := r.get(ctx, path, query, page, &list)
		all = append(all, list...)
		return resp, err
	})
	return all, err
}

// get reads one page below the repository.
func (r *Repository) get(ctx context.Context, path string, query url.Values, page gh.ListOptions, into any) (*gh.Response, error) {
	asked := url.Values{"per_page": {strconv.Itoa(page.PerPage)}}
	if page.Page > 0 {
		asked.Set("page", strconv.Itoa(page.Page))
	}
	maps.Copy(asked, query)
	req, err := r.client.NewRequest("GET", r.below(path)+"?"+asked.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", path, err)
	}
	return r.client.Do(ctx, req, into)
}

// below is a path below the repository.
func (r *Repository) below(path string) string {
	owner, name := r.Address()
	return "repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + "/" + path
}
