package main

// promobot serve: the Program, which main and the end-to-end tests both start.
//
// Rules: Run returns when everything it started has ended; what was asked for is
// in the queue's file before anybody is told so; a stop finishes what it can in
// stop_grace and leaves the rest to the next start.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
	"github.com/promobot/promobot/state/queue"
	"github.com/promobot/promobot/state/results"
)

// App is what the program itself asks of GitHub as the App.
type App interface {
	handlers.Installed
	// Authenticated asks GitHub who the App is; nil if it answers.
	Authenticated(ctx context.Context) error
}

// Reconcile looks at one repository and does what is to be done. It says when to
// look again without an event (zero: never). With an error, a time that is not
// zero says when to try again at the earliest.
type Reconcile func(ctx context.Context, repository handlers.Repository) (next time.Time, err error)

// Parts are what the program works with, made by Wire.
type Parts struct {
	App       App
	Reconcile Reconcile
	Deliver   Deliver // of letters; without it they wait
	// Deliveries lists what GitHub tried to deliver; optional.
	Deliveries handlers.Deliveries
	// Comments lists those of a repository; optional.
	Comments handlers.Comments
	// Followers are the repositories that versions of another go to; optional.
	Followers handlers.Followers
	// Views is what is shown of repositories; optional.
	Views *results.Store
	// Quota is what is left of the requests to GitHub, where fewest are; optional.
	Quota func(now time.Time) quota
	Close func() error // after all work has ended; optional
}

// Wire makes the parts from the configuration. It registers their metrics.
type Wire func(ctx context.Context, config Config, log zerolog.Logger, metrics prometheus.Registerer) (Parts, error)

// Program is one running promobot. Make one with NewProgram; it runs once.
type Program struct {
	config Config
	wire   Wire
	log    zerolog.Logger

	onStop    []func()      // before the server waits for its requests to end
	listening chan struct{} // closed when addr is known or never will be
	once      sync.Once
	addr      string
}

// NewProgram returns a program for Run.
func NewProgram(config Config, wire Wire, log zerolog.Logger) *Program {
	return &Program{config: config, wire: wire, log: log, listening: make(chan struct{})}
}

// Addr waits until the program listens and returns the address, host:port; "" if
// it ended before it could.
func (p *Program) Addr() string {
	<-p.listening
	return p.addr
}

func (p *Program) listensOn(addr string) {
	p.once.Do(func() {
		p.addr = addr
		close(p.listening)
	})
}

// Run serves until ctx ends, then stops gracefully. It returns an error if it
// could not start, or could not end cleanly.
func (p *Program) Run(ctx context.Context) (err error) {
	defer p.listensOn("")
	if err := os.MkdirAll(p.config.DataDir, 0o700); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	work, err := queue.Open(ctx, filepath.Join(p.config.DataDir, "queue.db"), p.queueOptions(), p.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, work.Close()) }()

	registry := newRegistry()
	parts, err := p.wire(ctx, p.config, p.log, registry)
	if err != nil {
		return err
	}
	if parts.Close != nil {
		defer func() { err = errors.Join(err, parts.Close()) }()
	}
	registry.MustRegister(queueCollector{work})

	metrics := handlers.NewMetrics(registry)
	waker := queueWaker{work}
	var missed *handlers.Missed
	if parts.Deliveries != nil || parts.Comments != nil {
		missed = &handlers.Missed{Deliveries: parts.Deliveries, Comments: parts.Comments, Mail: queueMail{work}, AppID: p.config.GitHub.AppID, Metrics: metrics, Log: p.log}
	}
	sweeper := handlers.NewSweeper(parts.App, waker, missed, p.config.SweepInterval, metrics, p.log)
	site, err := p.site(siteParts{work: work, parts: parts, views: parts.Views, waker: waker, sweeper: sweeper, metrics: metrics, registry: registry})
	if err != nil {
		return err
	}
	tell, ended, err := p.notifications(ctx, parts, registry)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ended()) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.config.Server.Address)
	if err != nil {
		return fmt.Errorf("server.address: %w", err)
	}
	return p.serve(ctx, listener, site, sweeper.Run, p.pool(work, parts, registry).Run, tell)
}

// queueOptions: the queue takes a negative debounce for none, the configuration
// zero.
func (p *Program) queueOptions() queue.Options {
	options := queue.Options{Debounce: p.config.Queue.Debounce}
	if options.Debounce == 0 {
		options.Debounce = -1
	}
	return options
}

const (
	// stopMargin is what a stop may take beyond stop_grace: cancelled work has to
	// notice, and its end to be stored.
	stopMargin = 10 * time.Second
	// requestTime bounds a request: 25 MB of webhook over a slow line.
	requestTime = 30 * time.Second
)

// serve runs the server, and beside it what else runs (the sweep, the pool,
// notifications), until ctx ends or the server fails, then stops them.
func (p *Program) serve(ctx context.Context, listener net.Listener, site http.Handler, beside ...func(context.Context)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	server := &http.Server{
		Handler:           site,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       requestTime,
		WriteTimeout:      requestTime + 10*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          serverLog(p.log),
		// Requests outlive ctx: a webhook under way is stored and answered.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	for _, end := range p.onStop {
		server.RegisterOnShutdown(end)
	}
	failed := make(chan error, 1)
	go func() {
		err := server.Serve(listener)
		if !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve: %w", err)
		}
		close(failed)
	}()
	p.listensOn(listener.Addr().String())
	p.log.Info().Str("address", listener.Addr().String()).Str("github", p.config.GitHub.APIURL).
		Int64("app", p.config.GitHub.AppID).Int("workers", p.config.Workers).Msg("promobot serves")

	var loops sync.WaitGroup
	for _, run := range beside {
		loops.Go(func() { run(ctx) })
	}

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		stop()
	}
	return errors.Join(err, p.stop(ctx, server, &loops))
}

// stop ends the server and the loops, which have been told to by their context.
func (p *Program) stop(ctx context.Context, server *http.Server, loops *sync.WaitGroup) error {
	p.log.Info().Dur("grace", p.config.StopGrace).Msg("promobot stops: what runs may end, the rest waits for the next start")
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.config.StopGrace+stopMargin)
	defer cancel()
	var failures []error
	if err := server.Shutdown(limit); err != nil {
		failures = append(failures, fmt.Errorf("stop the server: %w", err), server.Close())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		loops.Wait()
	}()
	select {
	case <-ended:
	case <-limit.Done():
		failures = append(failures, errors.New("some work did not stop in time; it is in the queue and will be done at the next start"))
	}
	return errors.Join(failures...)
}

// pool runs what is due: looks at repositories, and letters.
func (p *Program) pool(work queue.Queue, parts Parts, registerer prometheus.Registerer) queue.Pool {
	return queue.Pool{
		Queue:   work,
		Workers: p.config.Workers,
		Grace:   p.config.StopGrace,
		Log:     p.log,
		Observe: newRunMetrics(registerer).observe,
		Handle:  p.handle(work, parts),
	}
}

// siteParts are what the program's pages are made of.
type siteParts struct {
	work     queue.Queue
	parts    Parts
	views    *results.Store // what pages show; nil: there are none
	waker    queueWaker
	sweeper  *handlers.Sweeper
	metrics  *handlers.Metrics
	registry *prometheus.Registry
}

// site is everything that is answered over HTTP.
func (p *Program) site(parts siteParts) (http.Handler, error) {
	webhook, err := handlers.NewWebhook(handlers.WebhookOptions{
		Secret:    []byte(p.config.GitHub.WebhookSecret.Reveal()),
		AppID:     p.config.GitHub.AppID,
		Waker:     parts.waker,
		Mail:      queueMail{parts.work},
		Followers: parts.parts.Followers,
		Sweep:     parts.sweeper.Nudge,
		Metrics:   parts.metrics,
		Log:       p.log,
	})
	if err != nil {
		return nil, err
	}
	checks := []handlers.Check{
		{Name: "queue", Ready: func(ctx context.Context) error {
			_, err := parts.work.Stats(ctx)
			return err
		}},
		handlers.Remembered(handlers.Check{Name: "git", Ready: gitCheck(p.config.Git.Path)}, 10*time.Minute),
		handlers.Remembered(handlers.Check{Name: "github", Ready: parts.parts.App.Authenticated}, time.Minute),
		{Name: "sweep", Ready: parts.sweeper.Ready},
	}
	ready := handlers.Ready(p.log, checks...)
	heard := &heard{next: webhook}
	mux := http.NewServeMux()
	mux.Handle(handlers.WebhookRoute, heard)
	if err := p.pages(mux, parts, checks, heard); err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /livez", handlers.Live)
	mux.Handle("GET /readyz", ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(parts.registry, promhttp.HandlerOpts{ErrorLog: serverLog(p.log), ErrorHandling: promhttp.ContinueOnError}))
	return mux, nil
}

// queueWaker is the queue as the handlers see it.
type queueWaker struct{ queue queue.Queue }

// Wake has repositories looked at soon.
func (w queueWaker) Wake(ctx context.Context, repositories ...handlers.Repository) error {
	return w.WakeAt(ctx, time.Time{}, repositories...)
}

// WakeAt has repositories looked at no earlier than at.
func (w queueWaker) WakeAt(ctx context.Context, at time.Time, repositories ...handlers.Repository) error {
	wakes := make([]queue.Wake, 0, len(repositories))
	for _, repository := range repositories {
		wakes = append(wakes, queue.Wake{Key: repository.Key(), Note: repository.Note(), At: at})
	}
	return w.queue.Wake(ctx, wakes...)
}
