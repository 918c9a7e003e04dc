package main

// Letters between the handlers and the loop: the queue keeps them, a run of
// their own delivers them, and the repository is looked at afterwards.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state/queue"
)

// Deliver deals with a repository's letters, oldest first. Without an error they
// need not be kept any more.
type Deliver func(ctx context.Context, repository handlers.Repository, letters []queue.Letter) error

// queueMail is the queue as letters see it.
type queueMail struct{ queue queue.Queue }

// Post keeps letters and has them delivered soon.
func (m queueMail) Post(ctx context.Context, repository handlers.Repository, letters ...handlers.Letter) error {
	kept := make([]queue.Letter, 0, len(letters))
	for _, letter := range letters {
		kept = append(kept, queue.Letter(letter))
	}
	return m.queue.Wake(ctx, queue.Wake{Key: repository.LettersKey(), Note: repository.Note(), Letters: kept})
}

// Known returns those of the ids that are letters of the repository.
func (m queueMail) Known(ctx context.Context, repository handlers.Repository, ids ...string) ([]string, error) {
	return m.queue.Known(ctx, repository.LettersKey(), ids...)
}

// deliveriesLooked is the queue's cursor in GitHub's list of deliveries.
const deliveriesLooked = "deliveries"

// commentsLooked is the queue's cursor in a repository's list of comments.
func commentsLooked(repository handlers.Repository) string {
	return "comments/" + strconv.FormatInt(repository.ID, 10)
}

// Looked returns until when GitHub's deliveries were looked through.
func (m queueMail) Looked(ctx context.Context) (time.Time, error) {
	return m.looked(ctx, deliveriesLooked)
}

// SetLooked stores until when they were.
func (m queueMail) SetLooked(ctx context.Context, until time.Time) error {
	return m.setLooked(ctx, deliveriesLooked, until)
}

// CommentsLooked returns until when the repository's comments were looked through.
func (m queueMail) CommentsLooked(ctx context.Context, repository handlers.Repository) (time.Time, error) {
	return m.looked(ctx, commentsLooked(repository))
}

// SetCommentsLooked stores until when they were.
func (m queueMail) SetCommentsLooked(ctx context.Context, repository handlers.Repository, until time.Time) error {
	return m.setLooked(ctx, commentsLooked(repository), until)
}

func (m queueMail) looked(ctx context.Context, cursor string) (time.Time, error) {
	text, err := m.queue.Cursor(ctx, cursor)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		// Not ours: as if there were none, and the look is a first one.
		return time.Time{}, nil //nolint:nilerr // what the queue does not know is asked for anew
	}
	return at, nil
}

func (m queueMail) setLooked(ctx context.Context, cursor string, until time.Time) error {
	return m.queue.SetCursor(ctx, cursor, until.UTC().Format(time.RFC3339Nano))
}

// lookAgain is after how long commands that were not in force yet are looked at.
const lookAgain = time.Second

// deliver is the run of a repository's letters: all that wait, in portions.
func (p *Program) deliver(ctx context.Context, work queue.Queue, deliver Deliver, key string, repository handlers.Repository) (time.Time, error) {
	for {
		letters, err := work.Letters(ctx, key)
		if err != nil || len(letters) == 0 {
			return time.Time{}, err
		}
		err = deliver(ctx, repository, letters)
		if errors.Is(err, promotion.ErrPending) {
			// The repository's run brings it into force.
			return time.Now().Add(lookAgain), (queueWaker{work}).Wake(ctx, repository)
		}
		if err != nil {
			return until(err), fmt.Errorf("deliver %d letters: %w", len(letters), err)
		}
		// Woken before they are answered: if the process ends in between, they are
		// delivered again, which changes nothing.
		if err := (queueWaker{work}).Wake(ctx, repository); err != nil {
			return time.Time{}, err
		}
		ids := make([]string, 0, len(letters))
		for _, letter := range letters {
			ids = append(ids, letter.ID)
		}
		if err := work.Answered(ctx, key, ids...); err != nil {
			return time.Time{}, err
		}
	}
}

// handle runs what a key of the queue stands for.
func (p *Program) handle(work queue.Queue, parts Parts) queue.Handle {
	return func(ctx context.Context, item queue.Item) (time.Time, error) {
		repository, letters, err := handlers.ParseLettersKey(item.Key, item.Note)
		if !letters {
			repository, err = handlers.ParseRepository(item.Key, item.Note)
		}
		if err != nil {
			// Nothing will ever make sense of it; the sweep wakes what it meant.
			p.log.Error().Err(err).Msg("A key of the queue names no repository and is dropped")
			return time.Time{}, nil
		}
		ctx = p.logOf(repository).WithContext(ctx)
		if letters {
			return p.deliver(ctx, work, parts.Deliver, item.Key, repository)
		}
		return parts.Reconcile(ctx, repository)
	}
}

func (p *Program) logOf(repository handlers.Repository) zerolog.Logger {
	return p.log.With().Str("repository", repository.Owner+"/"+repository.Name).Logger()
}
