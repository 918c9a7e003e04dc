package results

// Opening the file, and reading it into memory.

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens the SQLite file at path. A missing one is made; a broken one, or one
// of a newer promobot, is renamed to <path>.broken-<time>, said so in log, and a
// new one begun. now nil is time.Now.
func Open(ctx context.Context, path string, now func() time.Time, log zerolog.Logger) (*Store, error) {
	if now == nil {
		now = time.Now
	}
	db, err := database.Open(ctx, path, database.Options{
		What: "results", Lost: "the next look at each repository fills it again", Migrations: migrations, Fast: true, Now: now, Log: log,
	})
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, now: now, written: map[int64]written{}, views: map[int64]*view.Repository{}, subscribers: map[*subscriber]struct{}{}}
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("read the results %s: %w", path, err), db.Close())
	}
	return s, nil
}

// load reads all views. One that cannot be read, of another version say, is left
// out: the next look writes it anew.
func (s *Store) load(ctx context.Context) error {
	stored := map[int64]encoded{}
	if err := s.each(ctx, `SELECT id, '', '', body FROM repository`, func(id int64, _ environmentKey, body []byte) {
		stored[id] = encoded{body: body, environments: map[environmentKey][]byte{}}
	}); err != nil {
		return err
	}
	if err := s.each(ctx, `SELECT repository, pipeline, name, body FROM environment`, func(id int64, k environmentKey, body []byte) {
		e, known := stored[id]
		if !known { // it is taken out when the repository is written
			e = encoded{environments: map[environmentKey][]byte{}}
			stored[id] = e
		}
		e.environments[k] = body
	}); err != nil {
		return err
	}
	for id, e := range stored {
		s.written[id] = e.sums()
		if r := decode(e); r != nil && r.ID == id {
			s.views[id] = r
		}
	}
	return nil
}

func (s *Store) each(ctx context.Context, query string, take func(id int64, k environmentKey, body []byte)) error {
	rows, err := s.db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int64
		var k environmentKey
		var body []byte
		if err := rows.Scan(&id, &k.pipeline, &k.name, &body); err != nil {
			return err
		}
		take(id, k, body)
	}
	return rows.Err()
}

// decode is the inverse of encode; nil for what this promobot does not read.
func decode(w encoded) *view.Repository {
	var r view.Repository
	if json.Unmarshal(w.body, &r) != nil || r.Version != view.Version {
		return nil
	}
	for i := range r.Pipelines {
		p := &r.Pipelines[i]
		for j := range p.Environments {
			var e view.Environment
			if json.Unmarshal(w.environments[environmentKey{p.Key, p.Environments[j].Name}], &e) != nil {
				return nil
			}
			p.Environments[j] = e
		}
	}
	return &r
}
