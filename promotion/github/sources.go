package github

// Repositories that versions come from, which may be others than the one that
// is promoted in ("Get a repository installation for the authenticated app").
// Rules:
//
//   - The App must be installed there too; a token for such a repository is for
//     it alone, and to read its contents.
//   - GitHub answers 404 alike for what is not installed, private, gone and
//     misspelt. Whoever has to act is told which of them it can be.
//   - Where the App is installed is remembered, until it turns out to be wrong;
//     that it is not, only shortly.

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

const (
	installedFor   = time.Hour
	uninstalledFor = 30 * time.Second
)

// source is what is known of a repository that versions come from.
type source struct {
	client       *gh.Client // nil when it cannot be read
	installation int64
	refused      error // why not
	until        time.Time
}

// repositoryName is what GitHub allows as owner/name.
var repositoryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)

// reader is a client that may read the contents of a repository, owner/name.
func (r *Repository) reader(ctx context.Context, repository string) (c *gh.Client, owner, name string, err error) {
	owner, name, _ = strings.Cut(repository, "/")
	if !repositoryName.MatchString(repository) || name == "." || name == ".." {
		return nil, "", "", &promotion.RefusedError{Reason: fmt.Sprintf("%q is no repository; write owner/name", cutLine(repository, 100))}
	}
	if o, n := r.Address(); strings.EqualFold(o, owner) && strings.EqualFold(n, name) {
		return r.client, o, n, nil
	}
	key := strings.ToLower(repository)
	r.app.mu.Lock()
	known := r.app.sources[key]
	r.app.mu.Unlock()
	if known == nil || !r.app.now().Before(known.until) {
		if known, err = r.findSource(ctx, known, owner, name); err != nil {
			return nil, "", "", err
		}
		r.app.mu.Lock()
		r.app.sources[key] = known
		r.app.mu.Unlock()
	}
	return known.client, owner, name, known.refused
}

// forget lets a source be looked for anew.
func (r *Repository) forget(repository string) {
	r.app.mu.Lock()
	defer r.app.mu.Unlock()
	delete(r.app.sources, strings.ToLower(repository))
}

// findSource asks where the App is installed for a repository. The client of
// the same installation is kept with what it has read.
func (r *Repository) findSource(ctx context.Context, before *source, owner, name string) (*source, error) {
	found, _, err := r.app.signed.Apps.FindRepositoryInstallation(ctx, owner, name)
	now := r.app.now()
	no := func(reason string) (*source, error) {
		return &source{refused: &promotion.RefusedError{Reason: reason}, until: now.Add(uninstalledFor)}, nil
	}
	switch {
	case err != nil && isNotFound(err):
		return no(r.missing(ctx, owner, name))
	case err != nil:
		return nil, err
	case found.GetID() == 0:
		return nil, errNoID("an installation")
	case found.SuspendedAt != nil:
		return no(fmt.Sprintf("the App's installation for %s/%s is suspended; an owner can lift that in the settings, under GitHub Apps", owner, name))
	}
	if before != nil && before.client != nil && before.installation == found.GetID() {
		return &source{client: before.client, installation: before.installation, until: now.Add(installedFor)}, nil
	}
	read := "read"
	client := r.app.client(newCredential(r.app, found.GetID(), func() gh.InstallationTokenOptions {
		return gh.InstallationTokenOptions{
			Repositories: []string{name},
			Permissions:  &gh.InstallationPermissions{Contents: &read, Metadata: &read},
		}
	}), fmt.Sprintf("source %d %s ", found.GetID(), strings.ToLower(name)))
	return &source{client: client, installation: found.GetID(), until: now.Add(installedFor)}, nil
}

// missing says why there can be no installation for a repository. A public one
// can be seen with any token.
func (r *Repository) missing(ctx context.Context, owner, name string) string {
	if _, _, err := r.client.Repositories.Get(ctx, owner, name); err == nil {
		return fmt.Sprintf("the App is not installed on %s/%s, where versions come from; an owner of %s can install it at %s",
			owner, name, owner, r.app.installAt(ctx))
	}
	return fmt.Sprintf("the App sees no repository %s/%s, where versions come from: it is not installed there (an owner of %s can install it at %s), or the repository was deleted, renamed or never was",
		owner, name, owner, r.app.installAt(ctx))
}

// gone says what it means that a source which was found cannot be read.
func (r *Repository) gone(ctx context.Context, doing, repository string, err error) error {
	explained := explain(doing, err)
	var refused *promotion.RefusedError
	absent := errors.Is(explained, promotion.ErrNotFound)
	if !absent && !errors.As(explained, &refused) {
		return explained
	}
	r.forget(repository)
	if absent || errors.Is(err, errOutOfReach) {
		return refusal(doing, fmt.Sprintf("the App sees no repository %s any more: it was deleted or renamed, or taken from the App's installation (an owner can add it again at %s)",
			repository, r.app.installAt(ctx)))
	}
	return explained
}
