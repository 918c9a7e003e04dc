package main

// Wiring of what is shown: each run's view goes into the store that pages, API and
// terminal read.

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/reconcile"
	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state/results"
)

// openViews opens the store in data_dir.
func openViews(ctx context.Context, config Config, now func() time.Time, log zerolog.Logger) (*results.Store, error) {
	return results.Open(ctx, filepath.Join(config.DataDir, "results.db"), now, log)
}

// see keeps what a repository's loop has seen. That it cannot be kept keeps
// nothing from being promoted.
func (l *loops) see(at handlers.Repository) func(context.Context, view.Repository) {
	return func(ctx context.Context, v view.Repository) {
		if v.ID == 0 { // it could not be looked at
			v.ID, v.Owner, v.Name = at.ID, at.Owner, at.Name
		}
		v.Installation = at.InstallationID
		if err := l.views.Put(ctx, v); err != nil {
			l.log.Error().Err(err).Str("repository", at.Owner+"/"+at.Name).Msg("What pages show could not be stored")
		}
	}
}

// lastSeen is what was kept last.
func (l *loops) lastSeen(at handlers.Repository) func(context.Context) *view.Repository {
	return func(ctx context.Context) *view.Repository {
		v, err := l.views.Repository(ctx, at.ID)
		if err != nil {
			l.log.Error().Err(err).Str("repository", at.Owner+"/"+at.Name).Msg("What pages show could not be read")
		}
		return v
	}
}

// answered keeps what became of a press.
func (l *loops) answered(at handlers.Repository) func(context.Context, view.Answer) error {
	return func(ctx context.Context, a view.Answer) error { return l.views.Answer(ctx, at.ID, a) }
}

// sweptApp is the App as the sweep sees it. Once all installations were listed with
// all their repositories, what is in none of them is taken off the pages.
type sweptApp struct {
	installed
	loops *loops

	mu    sync.Mutex
	open  map[int64]bool // installations of the sweep that are still to be listed; nil: it is not whole
	found map[int64]bool // repositories
	since time.Time
}

// Installations lists them: a sweep begins.
func (l *sweptApp) Installations(ctx context.Context) ([]int64, error) {
	began := l.loops.now()
	all, err := l.installed.Installations(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open, l.found, l.since = nil, map[int64]bool{}, began; err != nil {
		return all, err
	}
	l.open = make(map[int64]bool, len(all))
	for _, id := range all {
		l.open[id] = true
	}
	if len(all) == 0 {
		l.whole(ctx)
	}
	return all, nil
}

// Repositories lists an installation's.
func (l *sweptApp) Repositories(ctx context.Context, installation int64) ([]handlers.Repository, error) {
	all, err := l.installed.Repositories(ctx, installation)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.open = nil
	case l.open[installation]:
		delete(l.open, installation)
		for _, r := range all {
			l.found[r.ID] = true
		}
		if len(l.open) == 0 {
			l.whole(ctx)
		}
	}
	return all, err
}

// whole forgets what was not found. What was seen since the sweep began may have
// been added since.
func (l *sweptApp) whole(ctx context.Context) {
	l.open = nil
	shown, err := l.loops.views.Repositories(ctx)
	if err != nil {
		return
	}
	for i := range shown {
		if v := &shown[i]; !l.found[v.ID] && v.At.Before(l.since) && v.ErrorAt.Before(l.since) {
			l.loops.forget(ctx, handlers.Repository{ID: v.ID, Owner: v.Owner, Name: v.Name})
		}
	}
}

// gone says whether a run ended because the repository is not there any more, or
// not for promobot.
func gone(r reconcile.Result, err error) bool {
	return r.Snapshot == nil && errors.Is(err, promotion.ErrNotFound)
}

// forget takes a repository off the pages.
func (l *loops) forget(ctx context.Context, at handlers.Repository) {
	if err := l.views.Forget(ctx, at.ID); err != nil {
		l.log.Error().Err(err).Str("repository", at.Owner+"/"+at.Name).Msg("What pages show could not be taken out")
	}
}
