package main

// Wiring: the only place where GitHub, git, the loop and the queue meet.

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/github"
	"github.com/promobot/promobot/promotion/gitrepo"
	"github.com/promobot/promobot/promotion/reconcile"
	"github.com/promobot/promobot/state"
	"github.com/promobot/promobot/state/results"
)

// wire makes the parts of a real promobot.
func wire(ctx context.Context, config Config, log zerolog.Logger, metrics prometheus.Registerer) (Parts, error) {
	return wireAt(ctx, time.Now, config, log, metrics)
}

// wireAt is wire with the clock that the loop decides by.
func wireAt(ctx context.Context, now func() time.Time, config Config, log zerolog.Logger, metrics prometheus.Registerer) (Parts, error) {
	seen := newOutboundMetrics(metrics)
	key := []byte(config.GitHub.PrivateKey.Reveal())
	app, err := github.New(github.Options{
		AppID: config.GitHub.AppID, PrivateKey: key, BaseURL: config.GitHub.APIURL,
		Transport: transport(), UserAgent: userAgent(), Log: log,
		Pacing: pacing(config.Limits), Observe: seen.request,
	})
	if err != nil {
		return Parts{}, fmt.Errorf("github: %w", err)
	}
	signing := [][]byte{bytes.TrimSpace(key)}
	if !config.GitHub.PreviousPrivateKey.IsZero() {
		signing = append(signing, bytes.TrimSpace([]byte(config.GitHub.PreviousPrivateKey.Reveal())))
	}
	keys, err := state.NewKeys(signing...)
	if err != nil {
		return Parts{}, err
	}
	mirrors, err := gitrepo.New(gitrepo.Options{
		Dir: filepath.Join(config.DataDir, "mirrors"), Git: config.Git.Path, Processes: config.Git.Processes,
		Timeout: config.Git.Timeout, CloneTimeout: config.Git.CloneTimeout, MaxDisk: int64(config.Git.MaxDisk), Evicted: seen.evicted,
		PushesPerMinute: config.Limits.PushesPerMinute, Logger: log, Observer: seen.git,
	})
	if err != nil {
		return Parts{}, fmt.Errorf("git: %w", err)
	}
	views, err := openViews(ctx, config, now, log)
	if err != nil {
		return Parts{}, errors.Join(err, mirrors.Close())
	}
	l := &loops{
		config: config, app: app, mirrors: mirrors, keys: keys, log: log, now: now, seen: seen, views: views,
		followers: followers{bySource: map[string][]handlers.Repository{}}, byID: map[int64]*loop{}, clerks: map[int64]*loop{},
	}
	return Parts{
		App: &sweptApp{installed: installed{app}, loops: l}, Reconcile: l.reconcile, Deliver: l.deliver,
		Deliveries: installed{app}, Comments: installed{app}, Followers: l.followers.of, Views: views,
		Quota: seen.quotas.least,
		Close: func() error { return errors.Join(mirrors.Close(), views.Close()) },
	}, nil
}

// userAgent names the program and its version, as GitHub asks of every client.
func userAgent() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return "promobot/" + info.Main.Version
	}
	return "promobot"
}

// transport keeps enough idle connections for all workers.
func transport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = 32
	return t
}

// pacing is GitHub's own, with the configured writes; none for 0.
func pacing(limits LimitsConfig) github.Pacing {
	if limits.WritesPerMinute == 0 {
		return github.Pacing{}
	}
	p := github.GitHubsPacing()
	p.WritesPerMinute = limits.WritesPerMinute
	return p
}

// installed is the App as the handlers and the program see it.
type installed struct{ app *github.App }

// Installations lists the installations that are not suspended.
func (i installed) Installations(ctx context.Context) ([]int64, error) {
	return i.app.Installations(ctx)
}

// Repositories lists an installation's repositories.
func (i installed) Repositories(ctx context.Context, installation int64) ([]handlers.Repository, error) {
	all, err := i.app.Repositories(ctx, installation)
	out := make([]handlers.Repository, 0, len(all))
	for _, r := range all {
		out = append(out, handlers.Repository{InstallationID: installation, ID: r.ID, Owner: r.Owner, Name: r.Name})
	}
	return out, err
}

// Authenticated asks GitHub who the App is.
func (i installed) Authenticated(ctx context.Context) error { return i.app.Ready(ctx) }

// loops are the repositories' loops of this process. The queue sees to it that
// each is run by one worker at a time; a repository's letters are run beside it,
// by a loop of their own on the same mirror.
type loops struct {
	config    Config
	app       *github.App
	mirrors   *gitrepo.Store
	keys      state.Keys
	log       zerolog.Logger
	now       func() time.Time
	seen      *outboundMetrics
	views     *results.Store
	followers followers

	mu     sync.Mutex
	byID   map[int64]*loop
	clerks map[int64]*loop // for letters
}

// loop is one repository's.
type loop struct {
	*reconcile.Reconciler
	told       handlers.Repository // where the queue said it is
	repository *github.Repository
	address    string // where git finds it
}

func addressOf(r *github.Repository) string {
	owner, name := r.Address()
	return owner + "/" + name
}

func (l *loops) login(ctx context.Context) (string, error) {
	login, err := l.app.Login(ctx)
	if err != nil {
		return "", fmt.Errorf("who the App is: %w", err)
	}
	return login, nil
}

func (l *loops) reconcile(ctx context.Context, at handlers.Repository) (time.Time, error) {
	login, err := l.login(ctx)
	if err != nil {
		return until(err), err
	}
	result, err := l.of(l.byID, at, login).Run(ctx)
	if gone(result, err) {
		l.forget(ctx, at)
	}
	l.followers.follow(at, result.Snapshot)
	if err != nil {
		return until(err), err
	}
	return result.Next, nil
}

// of is a repository's loop, one of those known. A repository that moved or was
// installed anew begins with an empty memory; its mirror stays.
func (l *loops) of(all map[int64]*loop, at handlers.Repository, login string) *loop {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := all[at.ID]
	if known != nil && known.told == at && addressOf(known.repository) == known.address {
		return known
	}
	var repository *github.Repository
	if known != nil && known.told == at {
		repository = known.repository // it has followed a rename that the queue has not heard of
	} else {
		repository = l.app.Repository(at.InstallationID, at.ID, at.Owner, at.Name)
	}
	address := addressOf(repository)
	git := l.mirrors.Open(gitrepo.Remote{
		Key: strconv.FormatInt(at.ID, 10),
		URL: strings.TrimSuffix(l.config.GitHub.webURL(), "/") + "/" + address + ".git",
		Token: func(ctx context.Context, refused string) (string, error) {
			return repository.TokenAfter(ctx, refused)
		},
	})
	fresh := &loop{told: at, repository: repository, address: address, Reconciler: reconcile.New(repository, git, reconcile.Options{
		App: login, Author: l.author(login), Keys: l.keys, Now: l.now, Nonce: rand.Text,
		Onboard:     l.onboard(git),
		Concurrency: requestsAtATime, Window: l.seen.window, Conflict: l.seen.conflict,
		Attempts: l.config.Push.Attempts, Backoff: l.config.Push.Backoff, MaxBackoff: l.config.Push.MaxBackoff,
		Log: l.log.With().Str("repository", address).Logger(), Seen: l.see(at), Last: l.lastSeen(at), Answered: l.answered(at),
	})}
	all[at.ID] = fresh
	return fresh
}

// requestsAtATime is how many requests that do not depend on each other a
// repository's loop makes at a time. GitHub allows 100 for all of an App's
// installation ("Rate limits for the REST API").
const requestsAtATime = 16

// author is who git says made promobot's commits: by default the App's bot
// user, with the address that GitHub gives accounts ("Setting your commit email
// address", GitHub Docs).
func (l *loops) author(login string) promotion.Person {
	p := promotion.Person{Name: l.config.Git.AuthorName, Email: l.config.Git.AuthorEmail}
	if p.Name == "" {
		p.Name = login
	}
	if p.Email == "" {
		p.Email = login + "@users.noreply.github.com"
	}
	return p
}

// until is when a failed run may be tried again; zero leaves it to the backoff.
func until(err error) time.Time {
	if limited, ok := asLimited(err); ok {
		return limited.Until
	}
	return time.Time{}
}
