// Letters of the SQLite engine. Rules: a letter is stored in its wake's
// transaction; an answered one keeps its id alone, for KeepAnswered, so that the
// same delivery sent again is known.

package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// keep stores a wake's letters within the wake's transaction.
func (q *SQLite) keep(ctx context.Context, tx *sql.Tx, wake Wake) error {
	if len(wake.Letters) == 0 {
		return nil
	}
	if err := q.forgetAnswered(ctx, tx); err != nil {
		return err
	}
	const insert = `INSERT INTO letter (key, id, kind, body, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key, id) DO NOTHING`
	for _, letter := range wake.Letters {
		at, body := letter.At, letter.Body
		if at.IsZero() {
			at = q.now()
		}
		if body == nil {
			body = []byte{} // nil would be NULL
		}
		if _, err := tx.ExecContext(ctx, insert, wake.Key, letter.ID, letter.Kind, body, at.UnixMicro()); err != nil {
			return err
		}
	}
	return nil
}

func (q *SQLite) forgetAnswered(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM letter WHERE answered_at <= ?`, q.now().Add(-KeepAnswered).UnixMicro())
	return err
}

// Letters returns the key's oldest unanswered letters.
func (q *SQLite) Letters(ctx context.Context, key string) ([]Letter, error) {
	const oldest = `SELECT id, kind, body, at FROM letter WHERE key = ? AND answered_at IS NULL ORDER BY at, number LIMIT ?`
	letters, err := rowsOf(ctx, q.db, func(rows *sql.Rows) (letter Letter, err error) {
		var at int64
		err = rows.Scan(&letter.ID, &letter.Kind, &letter.Body, &at)
		letter.At = time.UnixMicro(at).UTC()
		return letter, err
	}, oldest, key, lettersAtOnce)
	if err != nil {
		return nil, fmt.Errorf("read the letters of %s: %w", key, err)
	}
	return letters, nil
}

// Answered ends letters of a key, and forgets those that ended long ago.
func (q *SQLite) Answered(ctx context.Context, key string, ids ...string) error {
	const answer = `UPDATE letter SET answered_at = ?, body = x'' WHERE key = ? AND id = ? AND answered_at IS NULL`
	err := q.transact(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, answer, q.now().UnixMicro(), key, id); err != nil {
				return err
			}
		}
		return q.forgetAnswered(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("answer letters of %s: %w", key, err)
	}
	return nil
}

// Known returns those of the ids that are letters of the key.
func (q *SQLite) Known(ctx context.Context, key string, ids ...string) ([]string, error) {
	var known []string
	for _, id := range ids {
		var found string
		switch err := q.db.QueryRowContext(ctx, `SELECT id FROM letter WHERE key = ? AND id = ?`, key, id).Scan(&found); {
		case err == nil:
			known = append(known, found)
		case !errors.Is(err, sql.ErrNoRows):
			return nil, fmt.Errorf("look for letters of %s: %w", key, err)
		}
	}
	return known, nil
}

// Cursor returns what SetCursor stored under the name, "" if nothing was.
func (q *SQLite) Cursor(ctx context.Context, name string) (value string, err error) {
	err = q.db.QueryRowContext(ctx, `SELECT value FROM cursor WHERE name = ?`, name).Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read the cursor %s: %w", name, err)
	}
	return value, nil
}

// SetCursor stores a value under the name.
func (q *SQLite) SetCursor(ctx context.Context, name, value string) error {
	const upsert = `INSERT INTO cursor (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`
	if _, err := q.db.ExecContext(ctx, upsert, name, value); err != nil {
		return fmt.Errorf("store the cursor %s: %w", name, err)
	}
	return nil
}

// rowsOf reads all rows of a query.
func rowsOf[T any](ctx context.Context, db *sql.DB, scan func(*sql.Rows) (T, error), query string, args ...any) (all []T, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
