package notify

// The notifier: notes down what views tell of, and has it told.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state/outbox"
)

const (
	// tellWithin is how long a message is worth telling: a day-old "waits for a
	// person" would only be misread.
	tellWithin = 24 * time.Hour
	// oldest is how old a thing can be to be told at all, well below how long the
	// outbox knows it.
	oldest = outbox.Keep / 2
	// remembered bounds what is remembered of things that were noted down.
	remembered = 200_000
)

// rest is how long a message rests after so many failed attempts: from two
// seconds, doubling, to ten minutes, and a random part less.
func rest(failed int) time.Duration {
	most := min(2*time.Second<<min(failed-1, 16), 10*time.Minute)
	return most/2 + rand.N(most/2) //nolint:gosec // only to spread attempts
}

// Options are what a notifier is made of; Receivers, Outbox and Now are required.
type Options struct {
	Receivers []*Receiver
	Outbox    *outbox.Outbox
	Now       func() time.Time
	UserAgent string
	Log       zerolog.Logger
	Metrics   *Metrics      // nil: nothing is counted
	Resolver  *net.Resolver // nil: the system's
	// Rest is how long a message rests after so many failed attempts; nil: from
	// seconds to ten minutes.
	Rest func(failed int) time.Duration
}

// Metrics counts what became of notifications.
type Metrics struct{ results *prometheus.CounterVec }

// NewMetrics registers them. Labels come from the configuration and fixed lists.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{results: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "promobot_notifications_total",
		Help: "Attempts to tell a receiver of notifications, by its name and what became of them: sent, retried, refused (never tried again), doubt (not known whether it was taken, not tried again), or expired (given up after a day).",
	}, []string{"receiver", "result"})}
	registerer.MustRegister(m.results)
	return m
}

func (m *Metrics) count(receiver, result string) {
	if m != nil {
		m.results.WithLabelValues(receiver, result).Inc()
	}
}

// Notifier tells receivers. Make one with New; give it what the loop shows with
// Saw, and have it told with Run.
type Notifier struct {
	Options
	senders []*sender
	since   map[string]map[string]time.Time // receiver → kind → since when it is told
	nudges  map[string]chan struct{}

	mu    sync.Mutex      // one Saw at a time
	noted map[string]bool // receiver and id
}

// New subscribes the receivers: each is told of what happens from the first time
// that it is named in the configuration, kind by kind.
func New(ctx context.Context, o Options) (*Notifier, error) {
	if o.Rest == nil {
		o.Rest = rest
	}
	n := &Notifier{Options: o, since: map[string]map[string]time.Time{}, nudges: map[string]chan struct{}{}, noted: map[string]bool{}}
	for _, r := range o.Receivers {
		if n.nudges[r.Name] != nil {
			return nil, fmt.Errorf("two receivers are called %s", r.Name)
		}
		var topics []string
		for _, kind := range r.On {
			topics = append(topics, string(kind))
		}
		since, err := o.Outbox.Subscribe(ctx, r.Name, topics...)
		if err != nil {
			return nil, err
		}
		n.since[r.Name], n.nudges[r.Name] = since, make(chan struct{}, 1)
		n.senders = append(n.senders, &sender{
			Receiver: r, client: dialing{r.AllowPrivate, o.Resolver}.client(), userAgent: o.UserAgent, now: o.Now,
		})
		// What was begun by a process that is gone: a receiver that knows a delivery
		// by its id may get it twice, Slack may not.
		left := ""
		if r.Format == Slack {
			left = "in doubt: promobot was stopped while it was sent"
		}
		if err := o.Outbox.Doubted(ctx, r.Name, left); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// Saw notes down what is new in a view, durably, and returns. It asks nobody.
func (n *Notifier) Saw(ctx context.Context, r view.Repository) error {
	if len(n.senders) == 0 {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.noted) > remembered {
		clear(n.noted)
	}
	events := Events(r)
	var notes []outbox.Note
	var told []string
	for _, s := range n.senders {
		fresh, err := n.fresh(ctx, s.Receiver, events)
		if err != nil {
			return err
		}
		some, err := n.notes(s.Receiver, fresh)
		if err != nil {
			return err
		}
		if len(some) > 0 {
			notes, told = append(notes, some...), append(told, s.Name)
		}
	}
	if len(notes) == 0 {
		return nil
	}
	if err := n.Outbox.Post(ctx, notes...); err != nil {
		return err
	}
	for _, note := range notes {
		n.noted[note.Receiver+"/"+note.ID] = true
	}
	for _, name := range told {
		select {
		case n.nudges[name] <- struct{}{}:
		default:
		}
	}
	return nil
}

// fresh are the events that the receiver has to be told of and is not yet.
func (n *Notifier) fresh(ctx context.Context, r *Receiver, events []Event) ([]Event, error) {
	var fresh []Event
	var ids []string
	now := n.Now()
	for _, e := range events {
		if !r.wants(e) || e.At.Before(n.since[r.Name][string(e.Kind)]) || now.Sub(e.At) > oldest || n.noted[r.Name+"/"+e.ID] {
			continue
		}
		fresh, ids = append(fresh, e), append(ids, e.ID)
	}
	known, err := n.Outbox.Known(ctx, r.Name, ids...)
	if err != nil {
		return nil, err
	}
	for id := range known {
		n.noted[r.Name+"/"+id] = true
	}
	return slices.DeleteFunc(fresh, func(e Event) bool { return known[e.ID] }), nil
}

// notes are events as the outbox keeps them. Of the troubles that came over one
// environment at once, the gravest is told; the others are remembered as told.
func (n *Notifier) notes(r *Receiver, fresh []Event) ([]outbox.Note, error) {
	type place struct{ pipeline, environment string }
	gravest := map[place]int{}
	for _, e := range fresh {
		if rank := slices.Index(trouble, e.Kind); rank >= 0 {
			at := place{e.Pipeline, e.Environment}
			if known, there := gravest[at]; !there || rank < known {
				gravest[at] = rank
			}
		}
	}
	var notes []outbox.Note
	for _, e := range fresh {
		note := outbox.Note{Receiver: r.Name, ID: e.ID}
		if rank := slices.Index(trouble, e.Kind); rank >= 0 && rank > gravest[place{e.Pipeline, e.Environment}] {
			note.Ended = "told with what is graver"
		} else {
			body, err := json.Marshal(kept{e, e.short})
			if err != nil {
				return nil, fmt.Errorf("keep an event: %w", err)
			}
			note.Body = body
		}
		notes = append(notes, note)
	}
	return notes, nil
}

// kept is an event in the outbox.
type kept struct {
	Event Event  `json:"event"`
	Short string `json:"short"`
}

// Run tells the receivers until ctx ends, each by itself. An attempt that is
// under way then may end.
func (n *Notifier) Run(ctx context.Context) {
	var receivers sync.WaitGroup
	for _, s := range n.senders {
		receivers.Go(func() { n.serve(ctx, s) })
	}
	receivers.Wait()
}

// serve tells one receiver.
func (n *Notifier) serve(ctx context.Context, s *sender) {
	log := n.Log.With().Str("receiver", s.Name).Logger()
	for ctx.Err() == nil {
		// What has begun is carried to its end, which is on disk then.
		whole := context.WithoutCancel(ctx)
		note, ok, next, err := n.Outbox.Take(whole, s.Name)
		switch {
		case err != nil:
			log.Error().Err(err).Msg("The outbox of notifications cannot be read")
			next = n.Now().Add(time.Minute)
		case ok:
			sending, done := soonAfter(ctx)
			err := n.attempt(whole, sending, s, note, log)
			done()
			if err == nil {
				continue
			}
			log.Error().Err(err).Msg("The outbox of notifications cannot be written")
			next = n.Now().Add(time.Minute)
		}
		n.wait(ctx, s.Name, next)
	}
}

// soonAfter is a context that ends endWithin after another one.
func soonAfter(ctx context.Context) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var timer *time.Timer
	var mu sync.Mutex
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		timer = time.AfterFunc(endWithin, cancel)
	})
	return later, func() {
		stop()
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
		cancel()
	}
}

// wait waits for a note, for a time (zero: none), or for ctx.
func (n *Notifier) wait(ctx context.Context, receiver string, until time.Time) {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(until.Sub(n.Now()))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-n.nudges[receiver]:
	case <-due:
	}
}

// endWithin is what an attempt may take once everything is told to stop.
const endWithin = 2 * time.Second

// attempt makes one attempt, until sending ends, and stores what became of it.
func (n *Notifier) attempt(ctx, sending context.Context, s *sender, note outbox.Taken, log zerolog.Logger) error {
	count := func(result string) { n.Metrics.count(s.Name, result) }
	end := func(result, text string) error {
		count(result)
		return n.Outbox.End(ctx, s.Name, note.ID, text)
	}
	var k kept
	if err := json.Unmarshal(note.Body, &k); err != nil {
		return end("refused", "it cannot be read")
	}
	e := k.Event
	e.short = k.Short
	log = log.With().Str("kind", string(e.Kind)).Str("repository", e.Repository).Str("environment", e.Pipeline+"/"+e.Environment).Int("attempt", note.Attempt).Logger()
	if n.Now().Sub(note.Posted) > tellWithin {
		log.Warn().Msg("A notification could not be told for a day and is given up")
		return end("expired", "given up after a day")
	}
	became, after, err := s.send(sending, e)
	if became == doubt && s.Format != Slack {
		became = again // the receiver knows by the delivery's id whether it had it
	}
	switch became {
	case sent:
		log.Info().Msg("A notification was told")
		return end("sent", "sent")
	case refused:
		log.Error().Err(err).Msg("A notification was refused and is given up; `promobot notify test` tries the receiver")
		return end("refused", errorText(err))
	case doubt:
		log.Warn().Err(err).Msg("Whether a notification was told is not known; it is not repeated")
		return end("doubt", errorText(err))
	case again:
	}
	count("retried")
	log.Warn().Err(err).Msg("A notification could not be told and is tried again")
	return n.Outbox.Later(ctx, s.Name, note.ID, n.Now().Add(max(after, n.Rest(note.Attempt))))
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// ErrNotTaken says that a receiver did not take a message.
var ErrNotTaken = errors.New("the receiver did not take it")

// Try sends one receiver a message that says it is a test, once. Its error does
// not hold the receiver's URL.
func Try(ctx context.Context, r *Receiver, now func() time.Time, userAgent string, resolver *net.Resolver) error {
	s := sender{Receiver: r, client: dialing{r.AllowPrivate, resolver}.client(), userAgent: userAgent, now: now}
	if _, _, err := s.send(ctx, Sample(now())); err != nil {
		return fmt.Errorf("%w: %w", ErrNotTaken, err)
	}
	return nil
}
