package main

// Wiring of notifications: what is shown of repositories is noted down and told.

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/promobot/promobot/handlers/notify"
	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state/outbox"
)

// shownViews is what is shown of repositories, and which of them are new.
type shownViews interface {
	Repositories(ctx context.Context) ([]view.Repository, error)
	Repository(ctx context.Context, id int64) (*view.Repository, error)
	Subscribe(ctx context.Context) <-chan int64
}

// notifications returns what tells the configured receivers until its context
// ends, and what closes their outbox after that. Without receivers it is nothing.
func (p *Program) notifications(ctx context.Context, parts Parts, registerer prometheus.Registerer) (run func(context.Context), end func() error, err error) {
	metrics := notify.NewMetrics(registerer)
	if len(p.config.Notifications) == 0 || parts.Views == nil {
		return func(context.Context) {}, func() error { return nil }, nil
	}
	var receivers []*notify.Receiver
	for _, c := range p.config.Notifications {
		r, err := c.receiver()
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", notificationsKey, err)
		}
		receivers = append(receivers, r)
	}
	box, err := outbox.Open(ctx, filepath.Join(p.config.DataDir, "outbox.db"), time.Now, p.log)
	if err != nil {
		return nil, nil, err
	}
	n, err := notify.New(ctx, notify.Options{
		Receivers: receivers, Outbox: box, Now: time.Now, UserAgent: userAgent(), Log: p.log, Metrics: metrics,
	})
	if err != nil {
		_ = box.Close()
		return nil, nil, err
	}
	return func(ctx context.Context) {
		var both sync.WaitGroup
		both.Go(func() { n.Run(ctx) })
		both.Go(func() { p.watch(ctx, parts.Views, n) })
		both.Wait()
	}, box.Close, nil
}

// watch has all that is shown noted down: what stood when the program started,
// and what is new since. What cannot be noted down now is seen again with the
// repository's next run.
func (p *Program) watch(ctx context.Context, views shownViews, n *notify.Notifier) {
	news := views.Subscribe(ctx) // before the first look, so that nothing falls between
	saw := func(r view.Repository) {
		if err := n.Saw(context.WithoutCancel(ctx), r); err != nil {
			p.log.Error().Err(err).Str("repository", r.Owner+"/"+r.Name).Msg("What is to be told could not be noted down")
		}
	}
	all, err := views.Repositories(ctx)
	if err != nil {
		p.log.Error().Err(err).Msg("What is shown could not be read, so that nothing of it is told before the next run")
	}
	for _, r := range all {
		saw(r)
	}
	for id := range news {
		r, err := views.Repository(ctx, id)
		if err != nil {
			p.log.Error().Err(err).Int64("repository", id).Msg("What is shown could not be read, so that it is told after the next run")
		}
		if r != nil {
			saw(*r)
		}
	}
}
