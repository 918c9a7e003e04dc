// Package outbox keeps what has to be told elsewhere, until it was told or that
// was given up. It knows nothing of what is told, nor how.
//
// Rules:
//
//   - Of notes with one receiver and ID the first is kept, and the others are
//     dropped: before it was told and for Keep after it was posted.
//   - An attempt is on disk before it is made. After a crash its note is known to
//     be in doubt, and whoever opened the outbox says what becomes of it.
//   - A receiver's notes never wait for another receiver's.
//   - The file is no record of anything. A lost or broken one is replaced by an
//     empty one; who subscribes anew is told only of what happens from then on.
package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Keep is how long a note's ID is remembered after it was posted.
const Keep = 90 * 24 * time.Hour

// Note is one thing to be told to one receiver.
type Note struct {
	Receiver string
	ID       string // the same for the same thing
	Body     []byte
	// Ended is why it is not to be told at all, and only to be remembered; "": it
	// is to be told.
	Ended string
}

// Taken is a note whose attempt has begun.
type Taken struct {
	Note
	Attempt int       // 1 for the first
	Posted  time.Time // to the microsecond
}

// Outbox is the store, in one SQLite file of one process. Make one with Open.
type Outbox struct {
	db  *sql.DB
	now func() time.Time
}

// Close releases the file.
func (o *Outbox) Close() error { return o.db.Close() }

func micros(t time.Time) int64 { return t.UnixMicro() }

func (o *Outbox) transact(ctx context.Context, do func(tx *sql.Tx) error) (err error) {
	tx, err := o.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Subscribe returns since when the receiver is told of each topic: since the
// first Subscribe that named it, to the second, so that it compares with times
// that are not kept more exactly.
func (o *Outbox) Subscribe(ctx context.Context, receiver string, topics ...string) (map[string]time.Time, error) {
	since := map[string]time.Time{}
	err := o.transact(ctx, func(tx *sql.Tx) error {
		for _, topic := range topics {
			var at int64
			err := tx.QueryRowContext(ctx, `
				INSERT INTO subscription (receiver, topic, since) VALUES (?, ?, ?)
				ON CONFLICT DO UPDATE SET since = since RETURNING since`,
				receiver, topic, micros(o.now().Truncate(time.Second))).Scan(&at)
			if err != nil {
				return err
			}
			since[topic] = time.UnixMicro(at).UTC()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe %s: %w", receiver, err)
	}
	return since, nil
}

// Known returns those of the ids that are notes of the receiver, told or not.
func (o *Outbox) Known(ctx context.Context, receiver string, ids ...string) (map[string]bool, error) {
	known := map[string]bool{}
	const atOnce = 500 // SQLite bounds the parameters of a statement
	for len(ids) > 0 {
		some := ids[:min(len(ids), atOnce)]
		ids = ids[len(some):]
		args := []any{receiver}
		for _, id := range some {
			args = append(args, id)
		}
		err := o.column(ctx, func(id string) { known[id] = true },
			`SELECT id FROM note WHERE receiver = ? AND id IN (?`+strings.Repeat(", ?", len(some)-1)+`)`, args...)
		if err != nil {
			return nil, fmt.Errorf("look for notes: %w", err)
		}
	}
	return known, nil
}

func (o *Outbox) column(ctx context.Context, each func(string), query string, args ...any) error {
	rows, err := o.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			return err
		}
		each(value)
	}
	return rows.Err()
}

// Post keeps notes, those that are not known yet, in one transaction. When it
// returns nil they are on disk.
func (o *Outbox) Post(ctx context.Context, notes ...Note) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		now := o.now()
		for _, n := range notes {
			result, body := any(nil), n.Body
			if n.Ended != "" {
				result, body = n.Ended, nil
			}
			if body == nil {
				body = []byte{}
			}
			_, err := tx.ExecContext(ctx, `
				INSERT INTO note (receiver, id, body, posted, due, result) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
				n.Receiver, n.ID, body, micros(now), micros(now), result)
			if err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM note WHERE posted < ? AND result IS NOT NULL`, micros(now.Add(-Keep)))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep notes: %w", err)
	}
	return nil
}

// Take begins an attempt at the receiver's oldest note that is due. Without one
// it returns false, and when the next will be due; zero: none waits.
func (o *Outbox) Take(ctx context.Context, receiver string) (taken Taken, ok bool, next time.Time, err error) {
	err = o.transact(ctx, func(tx *sql.Tx) error {
		now := o.now()
		var posted int64
		err := tx.QueryRowContext(ctx, `
			UPDATE note SET began = ?, attempts = attempts + 1
			WHERE number = (SELECT number FROM note WHERE receiver = ? AND result IS NULL AND began IS NULL AND due <= ? ORDER BY number LIMIT 1)
			RETURNING id, body, attempts, posted`, micros(now), receiver, micros(now)).Scan(&taken.ID, &taken.Body, &taken.Attempt, &posted)
		if err == nil {
			taken.Receiver, taken.Posted, ok = receiver, time.UnixMicro(posted).UTC(), true
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var due sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT MIN(due) FROM note WHERE receiver = ? AND result IS NULL AND began IS NULL`, receiver).Scan(&due); err != nil {
			return err
		}
		if due.Valid {
			next = time.UnixMicro(due.Int64).UTC()
		}
		return nil
	})
	if err != nil {
		return Taken{}, false, time.Time{}, fmt.Errorf("take a note: %w", err)
	}
	return taken, ok, next, nil
}

// End ends a note: it is not tried again. Result says why, for whoever looks.
func (o *Outbox) End(ctx context.Context, receiver, id, result string) error {
	return o.change(ctx, `UPDATE note SET began = NULL, result = ?, body = x'' WHERE receiver = ? AND id = ?`, result, receiver, id)
}

// Later ends an attempt; the note is tried again, not before at.
func (o *Outbox) Later(ctx context.Context, receiver, id string, at time.Time) error {
	return o.change(ctx, `UPDATE note SET began = NULL, due = ? WHERE receiver = ? AND id = ?`, micros(at), receiver, id)
}

// Doubted deals with the receiver's notes whose attempt an earlier process began
// and did not end: with a result they end, with "" they are tried again.
func (o *Outbox) Doubted(ctx context.Context, receiver, result string) error {
	if result == "" {
		return o.change(ctx, `UPDATE note SET began = NULL WHERE receiver = ? AND began IS NOT NULL AND result IS NULL`, receiver)
	}
	return o.change(ctx, `UPDATE note SET began = NULL, result = ?, body = x'' WHERE receiver = ? AND began IS NOT NULL AND result IS NULL`, result, receiver)
}

func (o *Outbox) change(ctx context.Context, statement string, args ...any) error {
	if _, err := o.db.ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("change a note: %w", err)
	}
	return nil
}

// Waiting counts, for each receiver, the notes that are not told yet.
func (o *Outbox) Waiting(ctx context.Context) (map[string]int, error) {
	waiting := map[string]int{}
	err := o.column(ctx, func(receiver string) { waiting[receiver]++ }, `SELECT receiver FROM note WHERE result IS NULL`)
	if err != nil {
		return nil, fmt.Errorf("count notes: %w", err)
	}
	return waiting, nil
}
