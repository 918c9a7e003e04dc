package github

// Who the App is, and where it is installed ("REST API endpoints for GitHub
// Apps"; "REST API endpoints for GitHub App installations").

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	gh "github.com/google/go-github/v60/github"
)

const (
	// knownFor is how long an App's name is taken to be the same.
	knownFor = time.Hour
	// readyFor is how long GitHub's last word on the App stands for Ready,
	// which is asked every few seconds.
	readyFor = 30 * time.Second

	perPage = 100
)

// identity is what GitHub last said of the App.
type identity struct {
	mu    sync.Mutex
	login string
	page  string // on which it can be installed
	at    time.Time
}

// Login is the login under which the App acts: "promobot[bot]".
func (a *App) Login(ctx context.Context) (string, error) { return a.identify(ctx, knownFor) }

// Ready asks whether GitHub can be reached and knows the App.
func (a *App) Ready(ctx context.Context) error {
	_, err := a.identify(ctx, readyFor)
	return err
}

func (a *App) identify(ctx context.Context, within time.Duration) (string, error) {
	a.who.mu.Lock()
	login, at := a.who.login, a.who.at
	a.who.mu.Unlock()
	if login != "" && a.now().Sub(at) < within {
		return login, nil
	}
	app, _, err := a.signed.Apps.Get(ctx, "")
	if err != nil {
		return "", explain("asking GitHub for the App", err)
	}
	if app.GetSlug() == "" || app.GetID() != a.id {
		return "", fmt.Errorf("asking GitHub for the App: it answered with App %d, not %d", app.GetID(), a.id)
	}
	a.who.mu.Lock()
	defer a.who.mu.Unlock()
	a.who.login, a.who.at = app.GetSlug()+"[bot]", a.now()
	a.who.page = strings.TrimRight(app.GetHTMLURL(), "/")
	return a.who.login, nil
}

// installAt is the page on which an owner can install the App ("Sharing your
// GitHub App"), in backticks so that it can be copied wherever the sentence ends
// up, or where to look for it when GitHub does not say.
func (a *App) installAt(ctx context.Context) string {
	if _, err := a.identify(ctx, knownFor); err != nil {
		return "the App's page"
	}
	a.who.mu.Lock()
	defer a.who.mu.Unlock()
	if a.who.page == "" {
		return "the App's page"
	}
	return "`" + a.who.page + "/installations/new`"
}

// granted is what an installation grants, as it was last seen, if that will do;
// else as it is now.
func (a *App) granted(ctx context.Context, installation int64, enough func(gh.InstallationPermissions) bool) (gh.InstallationPermissions, error) {
	a.mu.Lock()
	known, is := a.grants[installation]
	a.mu.Unlock()
	if is && enough(known) {
		return known, nil
	}
	found, _, err := a.signed.Apps.GetInstallation(ctx, installation)
	if err != nil {
		return gh.InstallationPermissions{}, err
	}
	if found.GetID() != installation || found.Permissions == nil {
		return gh.InstallationPermissions{}, errNoID("an installation")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grants[installation] = *found.Permissions
	return *found.Permissions, nil
}

// What of an installation's permissions decides on an operation.
func statusesGranted(p gh.InstallationPermissions) string    { return p.GetStatuses() }
func deploymentsGranted(p gh.InstallationPermissions) string { return p.GetDeployments() }
func actionsGranted(p gh.InstallationPermissions) string     { return p.GetActions() }
func membersGranted(p gh.InstallationPermissions) string     { return p.GetMembers() }
func issuesGranted(p gh.InstallationPermissions) string      { return p.GetIssues() }

// may refuses what the installation does not grant, and says who can grant it: a
// permission, at least to the level "read" or "write". Once it is known to be
// granted, tokens are asked for with it.
func (r *Repository) may(ctx context.Context, doing string, of func(gh.InstallationPermissions) string, least, what, permission string) error {
	enough := func(p gh.InstallationPermissions) bool { return of(p) == "write" || (of(p) != "" && least == "read") }
	granted, err := r.app.granted(ctx, r.installation, enough)
	if err != nil {
		return explain(doing, err)
	}
	if !enough(granted) {
		return refusal(doing, fmt.Sprintf("promobot may not %s there; an owner has to accept the App's permissions in the settings, under GitHub Apps: %s, %s",
			what, permission, least))
	}
	return nil
}

// Installations are the ids of all installations that are not suspended. What
// they grant is remembered for the tokens.
func (a *App) Installations(ctx context.Context) ([]int64, error) {
	var ids []int64
	err := pages(func(o gh.ListOptions) (*gh.Response, error) {
		list, resp, err := a.signed.Apps.ListInstallations(ctx, &o)
		for _, i := range list {
			if i.GetID() == 0 {
				return resp, errNoID("an installation")
			}
			if i.SuspendedAt != nil {
				continue
			}
			ids = append(ids, i.GetID())
			if i.Permissions != nil {
				a.mu.Lock()
				a.grants[i.GetID()] = *i.Permissions
				a.mu.Unlock()
			}
		}
		return resp, err
	})
	if err != nil {
		return nil, explain("listing the App's installations", err)
	}
	return ids, nil
}

// Installed is a repository that an installation includes, as it is named now.
type Installed struct {
	ID          int64
	Owner, Name string
}

// Repositories are all repositories of an installation.
func (a *App) Repositories(ctx context.Context, installation int64) ([]Installed, error) {
	all, err := listRepositories(ctx, a.listing(installation))
	if err != nil {
		return nil, explain(fmt.Sprintf("listing the repositories of installation %d", installation), err)
	}
	out := make([]Installed, len(all))
	for i, r := range all {
		out[i] = Installed{ID: r.GetID(), Owner: r.GetOwner().GetLogin(), Name: r.GetName()}
	}
	return out, nil
}

// listing is the client that may see an installation's repositories, and
// nothing in them.
func (a *App) listing(installation int64) *gh.Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listings[installation] == nil {
		read := "read"
		a.listings[installation] = a.client(newCredential(a, installation, func() gh.InstallationTokenOptions {
			return gh.InstallationTokenOptions{Permissions: &gh.InstallationPermissions{Metadata: &read}}
		}), fmt.Sprintf("installation %d ", installation))
	}
	return a.listings[installation]
}

// listRepositories lists what the client's token reaches.
func listRepositories(ctx context.Context, c *gh.Client) ([]*gh.Repository, error) {
	var all []*gh.Repository
	err := pages(func(o gh.ListOptions) (*gh.Response, error) {
		list, resp, err := c.Apps.ListRepos(ctx, &o)
		if err != nil {
			return resp, err
		}
		if list.TotalCount == nil {
			return resp, fmt.Errorf("GitHub's answer lists no repositories and does not say that there are none")
		}
		for _, r := range list.Repositories {
			if r.GetID() == 0 || r.GetName() == "" || r.GetOwner().GetLogin() == "" {
				return resp, errNoID("a repository")
			}
		}
		all = append(all, list.Repositories...)
		return resp, nil
	})
	return all, err
}

// pages reads all pages of a list, each once.
func pages(read func(gh.ListOptions) (*gh.Response, error)) error {
	o := gh.ListOptions{PerPage: perPage}
	for {
		resp, err := read(o)
		if err != nil {
			return err
		}
		if resp.NextPage == 0 {
			return nil
		}
		if resp.NextPage <= max(o.Page, 1) {
			return fmt.Errorf("after page %d GitHub names page %d as the next", max(o.Page, 1), resp.NextPage)
		}
		o.Page = resp.NextPage
	}
}

func errNoID(what string) error { return fmt.Errorf("GitHub's answer names %s without an id", what) }
