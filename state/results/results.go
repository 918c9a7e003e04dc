// Package results keeps what is shown of repositories: the newest view of each, and
// what became of the presses of its buttons. Pages, API and terminal read it, and
// so ask GitHub nothing.
//
// Rules:
//
//   - Losing the file loses nothing but what is shown: the next look at each
//     repository fills it again.
//   - What is read comes from memory, and is shared: nobody changes it.
//   - Whoever waits for news is told after it is stored, and may miss that there
//     was some before: a channel holds each repository's number once.
package results

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/promobot/promobot/promotion/view"
)

// AnswersKept is how long answers are kept.
const AnswersKept = 7 * 24 * time.Hour

// Store is an open file. Its methods are safe for concurrent use.
type Store struct {
	db  *sql.DB
	now func() time.Time

	writing sync.Mutex // one writer at a time; what is written is known
	written map[int64]written

	mu          sync.RWMutex
	views       map[int64]*view.Repository
	subscribers map[*subscriber]struct{}
}

// encoded is a view as the file holds it.
type encoded struct {
	body         []byte
	environments map[environmentKey][]byte
}

// written says what the file holds of a repository, by hashes: what is the same is
// not written again.
type written struct {
	body         sum
	environments map[environmentKey]sum
}

type sum = [sha256.Size]byte

func (e encoded) sums() written {
	w := written{body: sha256.Sum256(e.body), environments: make(map[environmentKey]sum, len(e.environments))}
	for k, body := range e.environments {
		w.environments[k] = sha256.Sum256(body)
	}
	return w
}

type environmentKey struct{ pipeline, name string }

// Close closes the file. Subscriptions end with their contexts.
func (s *Store) Close() error { return s.db.Close() }

// Repositories returns the newest view of each repository, by owner and name.
func (s *Store) Repositories(context.Context) ([]view.Repository, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]view.Repository, 0, len(s.views))
	for _, v := range s.views {
		all = append(all, *v)
	}
	slices.SortFunc(all, func(a, b view.Repository) int {
		return strings.Compare(strings.ToLower(a.Owner+"/"+a.Name), strings.ToLower(b.Owner+"/"+b.Name))
	})
	return all, nil
}

// Repository returns the newest view of a repository; nil when there is none.
func (s *Store) Repository(_ context.Context, id int64) (*view.Repository, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.views[id], nil
}

// Put stores the newest view of a repository and tells the subscribers. One whose
// At is zero, since the repository could not be looked at, leaves what is there as
// it was but for its Error.
func (s *Store) Put(ctx context.Context, r view.Repository) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if r.At.IsZero() {
		known, _ := s.Repository(ctx, r.ID)
		if known != nil {
			kept := *known
			kept.Error, kept.ErrorAt, kept.Next = r.Error, r.ErrorAt, r.Next
			r = kept
		}
	}
	next, err := encode(r)
	if err != nil {
		return err
	}
	if err := s.replace(ctx, r.ID, next); err != nil {
		return fmt.Errorf("store what is shown of %s/%s: %w", r.Owner, r.Name, err)
	}
	s.mu.Lock()
	s.views[r.ID] = &r
	s.mu.Unlock()
	s.tell(r.ID)
	return nil
}

// encode is a view as it is written.
func encode(r view.Repository) (encoded, error) {
	w := encoded{environments: map[environmentKey][]byte{}}
	head := r
	head.Pipelines = make([]view.Pipeline, len(r.Pipelines))
	for i, p := range r.Pipelines {
		h := p
		h.Environments = make([]view.Environment, len(p.Environments))
		for j := range p.Environments {
			e := &p.Environments[j]
			body, err := json.Marshal(e)
			if err != nil {
				return w, fmt.Errorf("encode %s/%s: %w", p.Key, e.Name, err)
			}
			w.environments[environmentKey{p.Key, e.Name}] = body
			h.Environments[j] = view.Environment{Name: e.Name}
		}
		head.Pipelines[i] = h
	}
	var err error
	if w.body, err = json.Marshal(head); err != nil {
		return w, fmt.Errorf("encode %s/%s: %w", r.Owner, r.Name, err)
	}
	return w, nil
}

// replace writes what differs from what the file holds, all or nothing.
func (s *Store) replace(ctx context.Context, id int64, next encoded) error {
	before, after := s.written[id], next.sums()
	return s.write(ctx, func(tx *sql.Tx) error {
		if before.body != after.body {
			if _, err := tx.ExecContext(ctx, `INSERT INTO repository (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body`, id, next.body); err != nil {
				return err
			}
		}
		for k, body := range next.environments {
			if before.environments[k] == after.environments[k] {
				continue
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO environment (repository, pipeline, name, body) VALUES (?, ?, ?, ?)
				ON CONFLICT (repository, pipeline, name) DO UPDATE SET body = excluded.body`, id, k.pipeline, k.name, body); err != nil {
				return err
			}
		}
		for k := range before.environments {
			if _, still := next.environments[k]; still {
				continue
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM environment WHERE repository = ? AND pipeline = ? AND name = ?`, id, k.pipeline, k.name); err != nil {
				return err
			}
		}
		return nil
	}, func() { s.written[id] = after })
}

// write runs a transaction; stored is called once it is.
func (s *Store) write(ctx context.Context, do func(*sql.Tx) error, stored func()) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	stored()
	return nil
}

// Forget takes a repository out, with its answers, and tells the subscribers.
func (s *Store) Forget(ctx context.Context, id int64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.write(ctx, func(tx *sql.Tx) error {
		for _, statement := range []string{`DELETE FROM repository WHERE id = ?`, `DELETE FROM environment WHERE repository = ?`, `DELETE FROM answer WHERE repository = ?`} {
			if _, err := tx.ExecContext(ctx, statement, id); err != nil {
				return err
			}
		}
		return nil
	}, func() { delete(s.written, id) }); err != nil {
		return fmt.Errorf("forget repository %d: %w", id, err)
	}
	s.mu.Lock()
	_, known := s.views[id]
	delete(s.views, id)
	s.mu.Unlock()
	if known {
		s.tell(id)
	}
	return nil
}

// Answer stores what became of a press, and tells the subscribers. The same press
// has one answer: the newest.
func (s *Store) Answer(ctx context.Context, repository int64, a view.Answer) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM answer WHERE at < ?`, s.now().Add(-AnswersKept).UnixMicro()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO answer (repository, id, at, body) VALUES (?, ?, ?, ?)
			ON CONFLICT (repository, id) DO UPDATE SET at = excluded.at, body = excluded.body`, repository, a.ID, a.At.UnixMicro(), body)
		return err
	}, func() {}); err != nil {
		return fmt.Errorf("store an answer: %w", err)
	}
	s.tell(repository)
	return nil
}

// Answers returns what became of a repository's presses since a time, newest first.
func (s *Store) Answers(ctx context.Context, repository int64, since time.Time) ([]view.Answer, error) {
	at := int64(0)
	if !since.IsZero() {
		at = since.UnixMicro()
	}
	rows, err := s.db.QueryContext(ctx, `SELECT body FROM answer WHERE repository = ? AND at >= ? ORDER BY at DESC, id`, repository, at)
	if err != nil {
		return nil, fmt.Errorf("read answers: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []view.Answer
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("read answers: %w", err)
		}
		var a view.Answer
		if err := json.Unmarshal(body, &a); err != nil {
			continue // of another version: it is shown no more
		}
		all = append(all, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read answers: %w", err)
	}
	return all, nil
}
