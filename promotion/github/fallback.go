package github

// The organisation's pipeline file, for repositories that have none: the file
// promobot.yml in the organisation's repository .github, found by go-githubapp's
// appconfig. Rules:
//
//   - Only an installation that includes .github has one: the token is for that
//     repository alone, and to read.
//   - A file that refers to another repository is not followed.
//   - It is read once for all repositories of an installation, and then again
//     after a while: an absence is no news, and a 404 costs quota each time.

import (
	"context"
	"errors"
	"fmt"
	"time"

	gh "github.com/google/go-github/v60/github"
	"github.com/palantir/go-githubapp/appconfig"

	"github.com/promobot/promobot/promotion"
)

const (
	fallbackRepository = ".github"
	fallbackPath       = "promobot.yml"

	presentFor = time.Minute
	absentFor  = 5 * time.Minute
)

// fallback is the organisation's file as it was last read.
type fallback struct {
	client *gh.Client
	turn   chan struct{} // holds one: whoever took it may change what follows
	until  time.Time
	text   []byte
	source string // "" when there is none
}

// FallbackFile is the organisation's pipeline file with where it came from,
// "owner/.github@branch:promobot.yml"; promotion.ErrNotFound when there is none.
func (r *Repository) FallbackFile(ctx context.Context) (text []byte, source string, err error) {
	owner, _ := r.Address()
	f := r.app.fallback(r.installation)
	select {
	case <-f.turn:
		defer func() { f.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	if now := r.app.now(); !now.Before(f.until) {
		if err := f.read(ctx, owner); err != nil {
			return nil, "", explain(fmt.Sprintf("reading the pipeline file of %s/%s", owner, fallbackRepository), err)
		}
		f.until = now.Add(presentFor)
		if f.source == "" {
			f.until = now.Add(absentFor)
		}
	}
	if f.source == "" {
		return nil, "", fmt.Errorf("the pipeline file of %s/%s: %w", owner, fallbackRepository, promotion.ErrNotFound)
	}
	return f.text, f.source, nil
}

func (f *fallback) read(ctx context.Context, owner string) error {
	loader := appconfig.NewLoader(nil, appconfig.WithRemoteRefParser(nil),
		appconfig.WithOwnerDefault(fallbackRepository, []string{fallbackPath}))
	found, err := loader.LoadConfig(ctx, f.client, owner, "", "")
	switch {
	case errors.Is(err, errOutOfReach):
		f.text, f.source = nil, ""
	case err != nil:
		return err
	case found.IsUndefined():
		f.text, f.source = nil, ""
	default:
		f.text, f.source = found.Content, found.Source+":"+found.Path
	}
	return nil
}

func (a *App) fallback(installation int64) *fallback {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.fallbacks[installation]
	if f == nil {
		read := "read"
		f = &fallback{turn: make(chan struct{}, 1)}
		f.turn <- struct{}{}
		f.client = a.client(newCredential(a, installation, func() gh.InstallationTokenOptions {
			return gh.InstallationTokenOptions{
				Repositories: []string{fallbackRepository},
				Permissions:  &gh.InstallationPermissions{Contents: &read, Metadata: &read},
			}
		}), fmt.Sprintf("fallback of %d ", installation))
		a.fallbacks[installation] = f
	}
	return f
}
