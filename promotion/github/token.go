package github

// Installation tokens ("Generating an installation access token for a GitHub
// App"). Rules:
//
//   - A token is narrowed to one repository and to the permissions that
//     promobot uses, whatever the installation grants.
//   - It is asked for once and used by everyone, API and git, until shortly
//     before it ends: one request per repository and hour. ETags belong to a
//     token, so a needless one makes all reads cold.
//   - Who was refused with a token says so and gets another; whoever comes with
//     the same complaint later gets that one.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

// renewBefore is how long before its end a token is replaced, so that it
// outlives what is begun with it.
const renewBefore = 2 * time.Minute

// errOutOfReach says that an installation does not include a repository.
var errOutOfReach = errors.New("the installation does not include the repository")

// credential is a token of one installation for one purpose.
type credential struct {
	app          *App
	installation int64
	want         func() gh.InstallationTokenOptions

	turn  chan struct{} // holds one: whoever took it may change what follows
	token string
	made  gh.InstallationTokenOptions
	until time.Time
}

func newCredential(a *App, installation int64, want func() gh.InstallationTokenOptions) *credential {
	c := &credential{app: a, installation: installation, want: want, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// get returns a token that is not the refused one.
func (c *credential) get(ctx context.Context, refused string) (string, error) {
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	want := c.want()
	if c.token != "" && c.token != refused && c.app.now().Before(c.until) && reflect.DeepEqual(want, c.made) {
		return c.token, nil
	}
	got, resp, err := c.app.signed.Apps.CreateInstallationToken(ctx, c.installation, &want)
	if err != nil {
		return "", c.explain(err)
	}
	if got.GetToken() == "" || got.GetExpiresAt().IsZero() {
		return "", fmt.Errorf("a token of installation %d: GitHub answered with none", c.installation)
	}
	c.token, c.made = got.GetToken(), want
	c.until = c.app.now().Add(got.GetExpiresAt().Sub(answered(resp, c.app.now())) - renewBefore)
	return c.token, nil
}

// answered is GitHub's time of an answer.
func answered(resp *gh.Response, or time.Time) time.Time {
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		return date
	}
	return or
}

// explain says what it means that GitHub gives no token, and what to do.
func (c *credential) explain(err error) error {
	doing := fmt.Sprintf("a token of installation %d", c.installation)
	var answer *gh.ErrorResponse
	if !errors.As(err, &answer) || answer.Response == nil {
		return explain(doing, err)
	}
	refused := func(format string, args ...any) error {
		return &promotion.RefusedError{Reason: fmt.Sprintf(format, args...)}
	}
	said := words(answer)
	switch status := answer.Response.StatusCode; {
	case status == http.StatusNotFound:
		return fmt.Errorf("%s: %w", doing, refused("the App is not installed there any more; install it again, or ignore this (GitHub: %s)", said))
	case status == http.StatusUnauthorized:
		return fmt.Errorf("%s: %w", doing, refused("GitHub does not accept the App's signature; check the App's id, its private key and this machine's clock (GitHub: %s)", said))
	case status == http.StatusForbidden:
		return fmt.Errorf("%s: %w", doing, refused("%s; an owner can lift a suspension in the settings, under GitHub Apps", said))
	case status == http.StatusUnprocessableEntity && strings.Contains(said, "permissions"):
		return fmt.Errorf("%s: %w", doing, refused("%s An owner has to accept the App's permissions in the settings, under GitHub Apps: contents, pull requests and checks, read and write", said))
	case status == http.StatusUnprocessableEntity:
		return fmt.Errorf("%s: %w: %w", doing, errOutOfReach, refused("%s An owner can add the repository in the settings, under GitHub Apps", said))
	}
	return explain(doing, err)
}

// permissions are what promobot needs of a repository: contents, pull requests
// and checks, to read and write, and metadata. More is asked for where it is
// known to be granted, since asking for what is not granted is refused: statuses
// and deployments (what speaks for a commit, and to record landings), actions (workflow runs, and to
// start them), issues (who closed a pull request, comments on issues), members
// (who is in a team) and workflows (promoting files under .github/workflows).
// The merge queue is used with contents and pull requests; the App's
// registration asks for merge queues, read, to be told of merge groups.
func (a *App) permissions(installation int64) *gh.InstallationPermissions {
	read, write := "read", "write"
	p := &gh.InstallationPermissions{Contents: &write, PullRequests: &write, Checks: &write, Metadata: &read}
	a.mu.Lock()
	defer a.mu.Unlock()
	granted := a.grants[installation]
	for _, one := range []struct {
		granted string
		most    string
		ask     **string
	}{
		{granted.GetStatuses(), read, &p.Statuses},
		{granted.GetDeployments(), write, &p.Deployments},
		{granted.GetMembers(), read, &p.Members},
		{granted.GetActions(), write, &p.Actions},
		{granted.GetIssues(), write, &p.Issues},
	} {
		switch {
		case one.granted == "":
		case one.granted == write && one.most == write:
			*one.ask = &write
		default:
			*one.ask = &read
		}
	}
	if granted.GetWorkflows() == write {
		p.Workflows = &write
	}
	return p
}

// Token is a token for this repository, good for some minutes at least.
func (r *Repository) Token(ctx context.Context) (string, error) {
	return r.credential.get(ctx, "")
}

// TokenAfter is another token than the one that was refused.
func (r *Repository) TokenAfter(ctx context.Context, refused string) (string, error) {
	return r.credential.get(ctx, refused)
}
