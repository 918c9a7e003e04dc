// Storing wakes. Webhooks come many at once and each must be on disk before it is
// answered; a disk takes milliseconds for that. So wakes that wait for the disk
// together are stored together, in one transaction.

package queue

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// wakeBatch is one caller's wakes and what became of them.
type wakeBatch struct {
	wakes  []Wake
	stored bool // or failed: err says
	err    error
}

// storing bounds one write of wakes. It is well below the ten seconds GitHub
// waits for an answer (docs: "Best practices for using webhooks").
const storing = 5 * time.Second

// upsertWake keeps the earliest due time. not_before stays as it is: a wake does
// not defeat a backoff.
const upsertWake = `
INSERT INTO work (key, note, due_at) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
    note   = CASE WHEN excluded.note <> '' THEN excluded.note ELSE note END,
    due_at = MIN(COALESCE(due_at, excluded.due_at), excluded.due_at)`

// Wake stores all wakes in one transaction, perhaps with other callers'. If it
// returns an error they may have been stored or not, but never in part.
func (q *SQLite) Wake(ctx context.Context, wakes ...Wake) error {
	for _, wake := range wakes {
		if err := wake.check(); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil || len(wakes) == 0 {
		return err
	}
	mine := &wakeBatch{wakes: wakes}
	q.waitingMu.Lock()
	q.waiting = append(q.waiting, mine)
	q.waitingMu.Unlock()

	select {
	case <-ctx.Done():
		return ctx.Err()
	case q.storer <- struct{}{}: // who holds this stores for all who wait
	}
	defer func() { <-q.storer }()
	if !mine.stored {
		q.storeWaiting(ctx)
	}
	return mine.err
}

// storeWaiting stores what waits. Its caller holds q.storer.
func (q *SQLite) storeWaiting(ctx context.Context) {
	q.waitingMu.Lock()
	batches := q.waiting
	q.waiting = nil
	q.waitingMu.Unlock()

	// The other callers' wakes must not fail because this caller went away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storing)
	defer cancel()
	err := q.transact(ctx, func(tx *sql.Tx) error { return q.upsert(ctx, tx, batches) })
	if err != nil {
		err = fmt.Errorf("store wakes: %w", err)
	}
	for _, batch := range batches {
		batch.stored, batch.err = true, err
	}
	q.signal()
}

func (q *SQLite) upsert(ctx context.Context, tx *sql.Tx, batches []*wakeBatch) error {
	statement, err := tx.PrepareContext(ctx, upsertWake)
	if err != nil {
		return err
	}
	defer func() { _ = statement.Close() }()
	soon := q.now().Add(q.debounce)
	for _, batch := range batches {
		for _, wake := range batch.wakes {
			at := wake.At
			if at.IsZero() {
				at = soon
			}
			if _, err := statement.ExecContext(ctx, wake.Key, wake.Note, at.UnixMicro()); err != nil {
				return err
			}
			if err := q.keep(ctx, tx, wake); err != nil {
				return err
			}
		}
	}
	return nil
}
