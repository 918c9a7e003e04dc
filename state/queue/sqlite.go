// The engine for one machine: one SQLite file, one process, one connection.
// Every method is one immediate transaction, so each is atomic and in a total
// order with all others; synchronous=FULL makes a nil error mean "on disk".

package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// SQLite is a Queue on a SQLite file. Make one with Open.
type SQLite struct {
	db       *sql.DB
	now      func() time.Time
	debounce time.Duration
	lease    time.Duration
	changed  chan struct{}

	storer    chan struct{} // one slot: whoever fills it stores wakes
	waitingMu sync.Mutex
	waiting   []*wakeBatch // guarded by waitingMu; their results by storer
}

var _ Queue = (*SQLite)(nil)

// putBack makes claims whose lease has ended due again. The token stays, but
// without claimed_due the old worker's Renew and Finish match nothing.
const putBack = `
UPDATE work SET
    due_at      = MIN(COALESCE(due_at, claimed_due), claimed_due),
    claimed_due = NULL,
    lease_until = 0
WHERE claimed_due IS NOT NULL AND lease_until <= ?`

const claimOldest = `
UPDATE work SET
    claimed_due = due_at,
    due_at      = NULL,
    lease_until = ?,
    token       = token + 1
WHERE key = (
    SELECT key FROM work
    WHERE due_at <= ? AND not_before <= ? AND claimed_due IS NULL
    ORDER BY EXISTS (SELECT 1 FROM letter WHERE letter.key = work.key AND answered_at IS NULL) DESC, due_at, key
    LIMIT 1)
RETURNING key, note, token, attempt, claimed_due`

const nextChange = `
SELECT MIN(CASE WHEN claimed_due IS NULL THEN MAX(due_at, not_before) ELSE lease_until END)
FROM work WHERE due_at IS NOT NULL OR claimed_due IS NOT NULL`

// Claim takes the key that has been due longest.
func (q *SQLite) Claim(ctx context.Context) (item Item, ok bool, next time.Time, err error) {
	now := q.now()
	err = q.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, putBack, now.UnixMicro()); err != nil {
			return err
		}
		var due int64
		claimed := tx.QueryRowContext(ctx, claimOldest,
			now.Add(q.lease).UnixMicro(), now.UnixMicro(), now.UnixMicro())
		switch err := claimed.Scan(&item.Key, &item.Note, &item.Token, &item.Attempt, &due); {
		case err == nil:
			ok, item.Due, item.Lease = true, time.UnixMicro(due).UTC(), q.lease
			return nil
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		var micros sql.NullInt64
		if err := tx.QueryRowContext(ctx, nextChange).Scan(&micros); err != nil {
			return err
		}
		if micros.Valid {
			next = time.UnixMicro(micros.Int64).UTC()
		}
		return nil
	})
	if err != nil {
		return Item{}, false, time.Time{}, fmt.Errorf("claim work: %w", err)
	}
	return item, ok, next, nil
}

// Renew extends the claim's lease.
func (q *SQLite) Renew(ctx context.Context, item Item) error {
	const renew = `UPDATE work SET lease_until = ? WHERE key = ? AND token = ? AND claimed_due IS NOT NULL`
	err := q.updateClaim(ctx, renew, q.now().Add(q.lease).UnixMicro(), item.Key, item.Token)
	if err != nil {
		return fmt.Errorf("renew the lease on %s: %w", item.Key, err)
	}
	return nil
}

// due_at holds what was asked for since the claim; a success adds the worker's
// own timer to it, and one for letters that are left; anything else adds what the
// claim was to serve.
const (
	finishSuccess = `
UPDATE work SET
    due_at      = (SELECT MIN(at) FROM (
        SELECT due_at AS at
        UNION ALL SELECT ?1
        UNION ALL SELECT ?4 WHERE EXISTS (SELECT 1 FROM letter WHERE letter.key = ?2 AND answered_at IS NULL))),
    claimed_due = NULL, lease_until = 0, attempt = 0, not_before = 0
WHERE key = ?2 AND token = ?3 AND claimed_due IS NOT NULL`

	finishUnserved = `
UPDATE work SET
    due_at      = MIN(COALESCE(due_at, claimed_due), claimed_due),
    claimed_due = NULL, lease_until = 0, attempt = attempt + ?1, not_before = MAX(not_before, ?2)
WHERE key = ?3 AND token = ?4 AND claimed_due IS NOT NULL`
)

// Finish ends the claim.
func (q *SQLite) Finish(ctx context.Context, item Item, outcome Outcome) error {
	var err error
	switch {
	case outcome.Released:
		err = q.updateClaim(ctx, finishUnserved, 0, 0, item.Key, item.Token)
	case outcome.Failed:
		err = q.updateClaim(ctx, finishUnserved, 1, microsOrZero(outcome.NotBefore), item.Key, item.Token)
	default:
		var next any
		if !outcome.Next.IsZero() {
			next = outcome.Next.UnixMicro()
		}
		err = q.updateClaim(ctx, finishSuccess, next, item.Key, item.Token, q.now().Add(unansweredRest).UnixMicro())
	}
	if err != nil {
		return fmt.Errorf("finish %s: %w", item.Key, err)
	}
	q.signal()
	return nil
}

// Stats counts the keys.
func (q *SQLite) Stats(ctx context.Context) (Stats, error) {
	const count = `
SELECT
    COUNT(*) FILTER (WHERE claimed_due IS NULL AND due_at <= ?1 AND not_before <= ?1),
    COUNT(*) FILTER (WHERE claimed_due IS NOT NULL),
    COUNT(*) FILTER (WHERE claimed_due IS NULL AND (due_at > ?1 OR (due_at IS NOT NULL AND not_before > ?1))),
    COUNT(*) FILTER (WHERE attempt > 0),
    MIN(CASE WHEN claimed_due IS NULL AND due_at <= ?1 AND not_before <= ?1 THEN MAX(due_at, not_before) END)
FROM work`
	var (
		stats  Stats
		oldest sql.NullInt64
	)
	row := q.db.QueryRowContext(ctx, count, q.now().UnixMicro())
	if err := row.Scan(&stats.Due, &stats.Running, &stats.Scheduled, &stats.Failing, &oldest); err != nil {
		return Stats{}, fmt.Errorf("count the queue: %w", err)
	}
	if oldest.Valid {
		stats.OldestDue = time.UnixMicro(oldest.Int64).UTC()
	}
	return stats, nil
}

// Changed receives after a wake or a finish in this process.
func (q *SQLite) Changed() <-chan struct{} { return q.changed }

// Close closes the file.
func (q *SQLite) Close() error {
	if err := q.db.Close(); err != nil {
		return fmt.Errorf("close the queue: %w", err)
	}
	return nil
}

func (q *SQLite) signal() {
	select {
	case q.changed <- struct{}{}:
	default: // one is waiting to be received, and the receiver looks at everything
	}
}

func (q *SQLite) updateClaim(ctx context.Context, statement string, args ...any) error {
	result, err := q.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	rows, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if rows == 0 {
		return ErrLeaseLost
	}
	return nil
}

func (q *SQLite) transact(ctx context.Context, body func(*sql.Tx) error) error {
	tx, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := body(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// ignoreDone drops "already rolled back", which database/sql reports after a
// context ended the transaction by itself.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

func microsOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
