// Missed letters: a repository_dispatch, and a press of a check run's button, whose
// delivery failed is read from GitHub's list of deliveries. Rules: what the queue
// knows is not read again; a queue that has never looked takes every delivery for
// missed, since its own file may have been lost with the letters in it, but no
// press that was received: what it was about may have changed since; one delivery
// that cannot be read stops no other.

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
	Event        string
	Failed       bool // it was not answered with success
	At           time.Time
	RepositoryID int64
}

// Deliveries is GitHub's list of them.
type Deliveries interface {
	// Deliveries are those since a time whose event and action are wanted; with
	// failed, those alone that were not answered with success.
	Deliveries(ctx context.Context, wanted func(event, action string) bool, since time.Time, failed bool) ([]Delivery, error)
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
	AppID      int64 // to know the App's own check runs
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
	listed, err := m.Deliveries.Deliveries(ctx, isLetter, since, !last.IsZero())
	if err != nil {
		return err
	}
	listed = slices.DeleteFunc(listed, func(d Delivery) bool { return d.Event != DispatchLetter && !d.Failed })
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

// isLetter says which deliveries are letters.
func isLetter(event, action string) bool {
	switch event {
	case DispatchLetter:
		return true
	case checkRunEvent, checkSuiteEvent:
		return pressed[action]
	}
	return false
}

// read is what a delivery asks for.
func (m *Missed) read(delivery Delivery, payload []byte) (wanted, error) {
	switch delivery.Event {
	case checkRunEvent:
		return onCheckRun(m.AppID)(delivery.ID, payload)
	case checkSuiteEvent:
		return onCheckSuite(m.AppID)(delivery.ID, payload)
	}
	return onDispatch(delivery.ID, payload)
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
	w, err := m.read(delivery, payload)
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
		Str("event", delivery.Event).Msg("A delivery that was not received is read from GitHub's list of deliveries")
	return nil
}
