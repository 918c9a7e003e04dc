package github

// What `promobot doctor` reads: the App as GitHub has it, its webhook and
// installations, and a repository with its rules, without writing anything.
// (REST API endpoints for GitHub Apps; for GitHub App webhooks; for rate limits;
// for rules.)
//
// Rules:
//   - A read that GitHub refuses is told, never taken for "there is none".
//   - A repository is read with a token for what is granted, so that a missing
//     permission hinders only what needs it.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/doctor"
)

const (
	// examinedInstallations are those whose rate limits are read.
	examinedInstallations = 10
	// examinedDeliveries are the newest.
	examinedDeliveries = 20
	// examinedWorkflows are the workflow files that are read.
	examinedWorkflows = 50
)

// Examine reads the App. What GitHub refuses because it does not know the App is
// in the answer; any other error is none. web is where people see GitHub.
func (a *App) Examine(ctx context.Context, web string) (doctor.App, error) {
	out := doctor.App{ID: a.id}
	var app seenApp
	resp, err := get(ctx, a.signed, "app", gh.ListOptions{}, &app)
	if resp != nil {
		if date, bad := http.ParseTime(resp.Header.Get("Date")); bad == nil {
			out.Skew = a.now().Sub(date)
		}
	}
	if answer, ok := errors.AsType[*gh.ErrorResponse](err); ok && (answer.Response.StatusCode == http.StatusUnauthorized || answer.Response.StatusCode == http.StatusNotFound) {
		out.Bad = fmt.Sprintf("GitHub does not know an App %d with this private key (%s)", a.id, words(answer))
		return out, nil
	}
	if err != nil {
		return out, explain("asking GitHub for the App", err)
	}
	if app.ID != a.id {
		out.Bad = fmt.Sprintf("the key is that of App %d, not %d", app.ID, a.id)
		return out, nil
	}
	out.Slug, out.Name, out.Install, out.Settings = app.Slug, app.Name, app.installAt(), app.settings(web)
	out.Permissions, out.Events = app.Permissions, app.Events
	if out.Hook, err = a.examineHook(ctx); err != nil {
		return out, err
	}
	if out.Hook != nil {
		if out.Deliveries, err = a.examineDeliveries(ctx); err != nil {
			return out, err
		}
	}
	out.Installations, err = a.examineInstallations(ctx)
	return out, err
}

// seenApp is the App, and seenInstallation one of its installations, with the
// permissions by their names: go-github knows not all of them.
type seenApp struct {
	ID    int64  `json:"id"`
	Slug  string `json:"slug"`
	Name  string `json:"name"`
	Page  string `json:"html_url"`
	Owner struct {
		Login string `json:"login"`
		Type  string `json:"type"`
	} `json:"owner"`
	Permissions map[string]string `json:"permissions"`
	Events      []string          `json:"events"`
}

func (s seenApp) installAt() string { return strings.TrimRight(s.Page, "/") + "/installations/new" }

// settings is the App's settings page.
func (s seenApp) settings(web string) string {
	web = strings.TrimRight(web, "/")
	if s.Owner.Type == "Organization" {
		web += "/organizations/" + url.PathEscape(s.Owner.Login)
	}
	return web + "/settings/apps/" + url.PathEscape(s.Slug)
}

type seenInstallation struct {
	ID      int64 `json:"id"`
	Account struct {
		Login string `json:"login"`
	} `json:"account"`
	Page        string            `json:"html_url"`
	Suspended   *gh.Timestamp     `json:"suspended_at"`
	Permissions map[string]string `json:"permissions"`
	Events      []string          `json:"events"`
}

func (s seenInstallation) judged() doctor.Installation {
	return doctor.Installation{
		ID: s.ID, Account: s.Account.Login, Page: s.Page, Suspended: s.Suspended != nil, Permissions: s.Permissions, Events: s.Events,
	}
}

func (a *App) examineHook(ctx context.Context) (*doctor.Hook, error) {
	hook, _, err := a.signed.Apps.GetHookConfig(ctx)
	if err = explain("asking GitHub for the App's webhook", err); errors.Is(err, promotion.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &doctor.Hook{URL: hook.GetURL(), Secret: hook.GetSecret() != "", SkipsIdentity: hook.GetInsecureSSL() == "1"}, nil
}

func (a *App) examineDeliveries(ctx context.Context) ([]doctor.Delivery, error) {
	list, _, err := a.signed.Apps.ListHookDeliveries(ctx, &gh.ListCursorOptions{PerPage: examinedDeliveries})
	if err != nil {
		return nil, explain("listing webhook deliveries", err)
	}
	var out []doctor.Delivery
	for _, d := range list {
		out = append(out, doctor.Delivery{At: d.GetDeliveredAt().Time, Event: d.GetEvent(), Code: d.GetStatusCode(), Status: d.GetStatus()})
	}
	return out, nil
}

func (a *App) examineInstallations(ctx context.Context) ([]doctor.Installation, error) {
	var out []doctor.Installation
	err := pages(func(o gh.ListOptions) (*gh.Response, error) {
		var list []seenInstallation
		resp, err := get(ctx, a.signed, "app/installations", o, &list)
		for _, i := range list {
			out = append(out, i.judged())
		}
		return resp, err
	})
	if err != nil {
		return nil, explain("listing the App's installations", err)
	}
	for n := range out[:min(len(out), examinedInstallations)] {
		if out[n].Suspended {
			continue
		}
		limits, _, err := a.listing(out[n].ID).RateLimit.Get(ctx)
		if limited, ok := errors.AsType[*promotion.LimitedError](err); ok {
			out[n].Limit = &doctor.Limit{Reset: limited.Until}
			continue
		}
		if err != nil {
			return nil, explain("reading the rate limit of "+out[n].Account, err)
		}
		if core := limits.GetCore(); core != nil {
			out[n].Limit = &doctor.Limit{Limit: core.Limit, Remaining: core.Remaining, Reset: core.Reset.Time}
		}
	}
	return out, nil
}

// ExamineRepository reads a repository, owner/name. Why it cannot be read is in
// the answer, where that is for people to mend.
func (a *App) ExamineRepository(ctx context.Context, web, repository string) (doctor.Repository, error) {
	web = strings.TrimRight(web, "/")
	owner, name, _ := strings.Cut(repository, "/")
	out := doctor.Repository{Name: repository, Page: web + "/" + repository}
	if !repositoryName.MatchString(repository) || name == "." || name == ".." {
		return out, &promotion.RefusedError{Reason: fmt.Sprintf("%q is no repository; write OWNER/REPO", cutLine(repository, 100))}
	}
	var found seenInstallation
	_, err := get(ctx, a.signed, "repos/"+owner+"/"+name+"/installation", gh.ListOptions{}, &found)
	if err = explain("asking where the App is installed", err); errors.Is(err, promotion.ErrNotFound) {
		var app seenApp
		if _, bad := get(ctx, a.signed, "app", gh.ListOptions{}, &app); bad == nil {
			out.InstallAt = app.installAt()
		}
		return out, nil
	}
	if err != nil {
		return out, err
	}
	if found.ID == 0 {
		return out, errNoID("an installation")
	}
	out.Installed, out.Installation = true, found.judged()
	if out.Installation.Suspended {
		return out, nil
	}
	level := out.Installation.Permissions["contents"]
	if level == "" {
		out.Unread = "the installation does not grant Contents"
		return out, nil
	}
	read := "read"
	c := a.client(newCredential(a, found.ID, func() gh.InstallationTokenOptions {
		return gh.InstallationTokenOptions{
			Repositories: []string{name}, Permissions: &gh.InstallationPermissions{Contents: &level, Metadata: &read},
		}
	}), "doctor "+repository+" ")
	x := &examination{client: c, at: "repos/" + owner + "/" + name + "/", out: &out}
	about, _, err := c.Repositories.Get(ctx, owner, name)
	if err != nil {
		return out, explain("reading the repository", err)
	}
	allowed := func(setting *bool) bool { return setting == nil || *setting }
	out.About = promotion.Repository{
		ID: about.GetID(), Owner: about.GetOwner().GetLogin(), Name: about.GetName(), URL: about.GetHTMLURL(),
		DefaultBranch: about.GetDefaultBranch(), Archived: about.GetArchived() || about.GetDisabled(),
		Merge: allowed(about.AllowMergeCommit), Squash: allowed(about.AllowSquashMerge), Rebase: allowed(about.AllowRebaseMerge),
	}
	r := &Repository{app: a, installation: found.ID, id: about.GetID(), owner: out.About.Owner, name: out.About.Name, client: c}
	return out, x.read(ctx, r)
}

// examination reads one repository.
type examination struct {
	client *gh.Client
	at     string // repos/OWNER/NAME/
	out    *doctor.Repository
}

func (x *examination) read(ctx context.Context, r *Repository) error {
	standard := x.out.About.DefaultBranch
	paths, cut, err := x.paths(ctx, standard)
	if errors.Is(err, promotion.ErrNotFound) {
		return nil // nothing was pushed yet
	}
	if err != nil {
		return err
	}
	x.out.Tree, x.out.Cut = config.Tree{Paths: paths, Default: standard, Branches: map[string][]string{}}, cut
	if err := x.file(ctx, r, standard, slices.Contains(paths, config.Path) || cut); err != nil {
		return err
	}
	branches := []string{standard}
	if file, problems := config.Parse(x.out.File, x.out.Text); x.out.File != "" && len(problems) == 0 {
		branches = append(branches, file.Branches()...)
	}
	x.out.Rules = map[string]promotion.Rules{}
	for _, branch := range branches {
		rules, err := r.Rules(ctx, branch)
		if errors.Is(err, promotion.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		x.out.Rules[branch] = rules
		if branch == standard {
			continue
		}
		list, cut, err := x.paths(ctx, branch)
		if err != nil {
			return err
		}
		x.out.Tree.Branches[branch], x.out.Cut = list, x.out.Cut || cut
	}
	if err := x.rules(ctx); err != nil {
		return err
	}
	return x.workflows(ctx, r, paths, standard)
}

// paths are a branch's files ("Get a tree", recursive); cut says that GitHub did
// not list all.
func (x *examination) paths(ctx context.Context, branch string) (paths []string, cut bool, err error) {
	var tree struct {
		Truncated bool `json:"truncated"`
		Entries   []struct {
			Path string `json:"path"`
			Type string `json:"type"`
		} `json:"tree"`
	}
	req, err := x.client.NewRequest(http.MethodGet, x.at+"git/trees/"+url.PathEscape(branch)+"?recursive=1", nil)
	if err != nil {
		return nil, false, err
	}
	if _, err := x.client.Do(ctx, req, &tree); err != nil {
		return nil, false, explain(fmt.Sprintf("listing the files of %q", branch), err)
	}
	for _, e := range tree.Entries {
		if e.Type == "blob" {
			paths = append(paths, e.Path)
		}
	}
	return paths, tree.Truncated, nil
}

// file reads the pipeline file, the repository's or else its owner's.
func (x *examination) file(ctx context.Context, r *Repository, branch string, own bool) error {
	if own {
		text, err := r.File(ctx, branch, config.Path)
		if err == nil {
			x.out.File, x.out.Text = config.Path, text
			return nil
		}
		if !errors.Is(err, promotion.ErrNotFound) {
			return err
		}
	}
	text, source, err := r.FallbackFile(ctx)
	if errors.Is(err, promotion.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	x.out.File, x.out.Text = source, text
	return nil
}

// ownSample is named as promobot names its branches; it need not exist ("Get rules
// for a branch": also those that would apply).
const ownSample = "promobot/pipeline/environment/1"

func (x *examination) rules(ctx context.Context) error {
	err := pages(func(page gh.ListOptions) (*gh.Response, error) {
		var list []struct {
			Type    string `json:"type"`
			Ruleset int64  `json:"ruleset_id"`
		}
		resp, err := get(ctx, x.client, x.at+"rules/branches/"+url.PathEscape(ownSample), page, &list)
		for _, rule := range list {
			x.out.Own = append(x.out.Own, doctor.OwnRule{Kind: rule.Type, Ruleset: rule.Ruleset})
		}
		return resp, err
	})
	if err != nil {
		return explain("reading the rules of promobot's own branches", err)
	}
	type ruleset struct {
		ID          int64  `json:"id"`
		Name        string `json:"name"`
		Target      string `json:"target"`
		Enforcement string `json:"enforcement"`
		SourceType  string `json:"source_type"`
		Source      string `json:"source"`
		Bypass      string `json:"current_user_can_bypass"`
	}
	var active []ruleset
	err = pages(func(page gh.ListOptions) (*gh.Response, error) {
		var list []ruleset
		resp, err := get(ctx, x.client, x.at+"rulesets", page, &list)
		for _, rs := range list {
			if rs.Enforcement == "active" {
				active = append(active, rs)
			}
		}
		return resp, err
	})
	if err = explain("listing the rulesets", err); errors.Is(err, promotion.ErrNotFound) {
		return nil // an older server has none
	}
	if err != nil {
		return err
	}
	web, _, _ := strings.Cut(x.out.Page, "/"+x.out.Name)
	for _, rs := range active {
		var whole ruleset
		if _, err := get(ctx, x.client, x.at+"rulesets/"+strconv.FormatInt(rs.ID, 10), gh.ListOptions{}, &whole); err != nil {
			return explain(fmt.Sprintf("reading the ruleset %q", rs.Name), err)
		}
		page := x.out.Page + "/settings/rules/" + strconv.FormatInt(rs.ID, 10)
		if rs.SourceType == "Organization" {
			page = web + "/organizations/" + url.PathEscape(rs.Source) + "/settings/rules/" + strconv.FormatInt(rs.ID, 10)
		}
		x.out.Rulesets = append(x.out.Rulesets, doctor.Ruleset{ID: rs.ID, Name: rs.Name, Target: rs.Target, Bypass: whole.Bypass, Page: page})
	}
	return nil
}

// workflows reads the workflow files.
func (x *examination) workflows(ctx context.Context, r *Repository, paths []string, branch string) error {
	x.out.Workflows = map[string][]byte{}
	for _, path := range paths {
		below, is := strings.CutPrefix(path, ".github/workflows/")
		if !is || strings.Contains(below, "/") || !strings.HasSuffix(path, ".yml") && !strings.HasSuffix(path, ".yaml") {
			continue
		}
		if len(x.out.Workflows) == examinedWorkflows {
			return nil
		}
		text, err := r.File(ctx, branch, path)
		if err != nil {
			return err
		}
		x.out.Workflows[path] = text
	}
	return nil
}
