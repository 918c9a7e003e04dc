// Missed letters: a repository_dispatch whose delivery failed is read from
// GitHub's list of deliveries. Rules: what the queue knows is not read again; a
// queue that has never looked takes every delivery for missed, since its own
// file may have been lost with the letters in it; one delivery that cannot be
// read stops no other.

package handlers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"
)

// Delivery is a webhook that GitHub delivered or tried to.
type Delivery struct {
	Number       int64  // of this attempt
	ID           string // X-GitHub-Delivery, the same when it is sent again
	At           time.Time
	RepositoryID int64
}

// Deliveries is GitHub's list of them.
type Deliveries interface {
	// Deliveries are those of an event since a time; with failed, those alone
	// that were not answered with success.
	Deliveries(ctx context.Context, event string, since time.Time, failed bool) ([]Delivery, error)
	// DeliveryPayload is what was delivered.
	DeliveryPayload(ctx context.Context, number int64) ([]byte, error)
}

// MissedMail is where missed letters go.
type MissedMail interface {
	Mail
	// Known returns those of the ids that are letters of the repository, dealt
	// with or not.
	Known(ctx context.Context, repository Repository, ids ...string) ([]string, error)
	// Looked returns until when deliveries were looked through; zero for never.
	Looked(ctx context.Context) (time.Time, error)
	SetLooked(ctx context.Context, until time.Time) error
	// CommentsLooked returns until when the repository's comments were looked
	// through; zero for never.
	CommentsLooked(ctx context.Context, repository Repository) (time.Time, error)
	SetCommentsLooked(ctx context.Context, repository Repository, until time.Time) error
}

const (
	// deliveriesListed is how long GitHub lists deliveries ("Viewing webhook
	// deliveries").
	deliveriesListed = 3 * 24 * time.Hour
	// lookBack is how far a look goes back before the one before it: deliveries
	// take a while to fail, and clocks differ.
	lookBack = time.Hour
)

// Missed finds letters whose delivery failed. All fields are required but those
// that are optional.
type Missed struct {
	Deliveries Deliveries // optional
	Comments   Comments   // optional
	Mail       MissedMail
	Metrics    *Metrics
	Log        zerolog.Logger
}

// Look posts the letters that were missed since the last look: deliveries of the
// App, and comments in the repositories.
func (m *Missed) Look(ctx context.Context, repositories []Repository) error {
	var failures []error
	if m.Deliveries != nil {
		failures = append(failures, m.lookDeliveries(ctx))
	}
	if m.Comments != nil {
		failures = append(failures, m.lookComments(ctx, repositories))
	}
	return errors.Join(failures...)
}

func (m *Missed) lookDeliveries(ctx context.Context) error {
	now := time.Now()
	last, err := m.Mail.Looked(ctx)
	if err != nil {
		return err
	}
	since := now.Add(-deliveriesListed)
	if from := last.Add(-lookBack); from.After(since) {
		since = from
	}
	listed, err := m.Deliveries.Deliveries(ctx, DispatchLetter, since, !last.IsZero())
	if err != nil {
		return err
	}
	slices.SortStableFunc(listed, func(a, b Delivery) int { return a.At.Compare(b.At) })
	var failures []error
	for _, delivery := range listed {
		if err := m.post(ctx, delivery); err != nil {
			failures = append(failures, fmt.Errorf("delivery %s: %w", delivery.ID, err))
		}
	}
	if len(failures) > 0 {
		return fmt.Errorf("look for missed deliveries: %w", errors.Join(failures...))
	}
	return m.Mail.SetLooked(ctx, now)
}

// post keeps one delivery's letter unless it is known.
func (m *Missed) post(ctx context.Context, delivery Delivery) error {
	known, err := m.Mail.Known(ctx, Repository{ID: delivery.RepositoryID}, delivery.ID)
	if err != nil || len(known) > 0 {
		return err
	}
	payload, err := m.Deliveries.DeliveryPayload(ctx, delivery.Number)
	if err != nil {
		return err
	}
	w, err := onDispatch(delivery.ID, payload)
	switch {
	case errors.Is(err, errPayload):
		m.Log.Warn().Err(err).Str("delivery", delivery.ID).Msg("A missed delivery is not what its event has and is left out")
		return nil
	case err != nil || len(w.letters) == 0:
		return err
	}
	for i := range w.letters {
		w.letters[i].At = delivery.At
	}
	if err := m.Mail.Post(ctx, w.repositories[0], w.letters...); err != nil {
		return err
	}
	m.Metrics.letters.WithLabelValues("sweep").Add(float64(len(w.letters)))
	m.Log.Info().Str("delivery", delivery.ID).Str("repository", w.repositories[0].Owner+"/"+w.repositories[0].Name).
		Msg("A repository_dispatch that was not received is read from GitHub's list of deliveries")
	return nil
}
