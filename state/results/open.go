package results

// Opening the file: made if it is missing, set aside if it is broken, taken for
// this process alone, brought up to date, and read into memory.

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/rs/zerolog"
	"modernc.org/sqlite"
	sqlitecode "modernc.org/sqlite/lib"

	"github.com/promobot/promobot/promotion/view"
)

//go:embed migrations/*.sql
var migrations embed.FS

// errBroken marks a file that can never be opened again.
var errBroken = errors.New("the file is not usable")

// Open opens the SQLite file at path. A missing one is made; a broken one, or one
// of a newer promobot, is renamed to <path>.broken-<time>, said so in log, and a
// new one begun. now nil is time.Now.
func Open(ctx context.Context, path string, now func() time.Time, log zerolog.Logger) (*Store, error) {
	if now == nil {
		now = time.Now
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("results file: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the results: %w", err)
	}
	db, err := openDatabase(ctx, path)
	if errors.Is(err, errBroken) {
		aside, asideErr := setAside(path, now())
		if asideErr != nil {
			return nil, errors.Join(err, asideErr)
		}
		log.Warn().Err(err).Str("file", path).Str("set_aside", aside).
			Msg("What pages show was unusable and is set aside; the next look at each repository fills it again")
		db, err = openDatabase(ctx, path)
	}
	if err != nil {
		return nil, fmt.Errorf("open the results %s: %w", path, err)
	}
	s := &Store{db: db, now: now, written: map[int64]written{}, views: map[int64]*view.Repository{}, subscribers: map[*subscriber]struct{}{}}
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("read the results %s: %w", path, err), db.Close())
	}
	return s, nil
}

func openDatabase(ctx context.Context, path string) (*sql.DB, error) {
	// As the queue's file; but what is lost when the machine stops is seen again, so
	// that not every view waits for the disk.
	source := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(2000)", "locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(NORMAL)"},
	}.Encode()}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	db.SetConnMaxLifetime(0)
	if err := prepare(ctx, db); err != nil {
		return nil, errors.Join(classify(err), db.Close())
	}
	return db, nil
}

func prepare(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", errBroken, verdict)
	}
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, scripts, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("%w: it has version %d and this promobot knows %d", errBroken, have, want)
	}
	if _, err := provider.Up(ctx); err != nil {
		if sqliteCode(err) == sqlitecode.SQLITE_ERROR { // its tables are not ours
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		return err
	}
	return nil
}

func classify(err error) error {
	switch sqliteCode(err) {
	case sqlitecode.SQLITE_NOTADB, sqlitecode.SQLITE_CORRUPT:
		return fmt.Errorf("%w: %w", errBroken, err)
	case sqlitecode.SQLITE_BUSY, sqlitecode.SQLITE_LOCKED:
		return fmt.Errorf("another process uses the file; stop it, or give this one another data_dir: %w", err)
	case sqlitecode.SQLITE_CANTOPEN, sqlitecode.SQLITE_READONLY:
		return fmt.Errorf("the file cannot be written; check its owner and mode, and those of its folder: %w", err)
	}
	return err
}

func sqliteCode(err error) int {
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		return failure.Code() & 0xff
	}
	return 0
}

// setAside renames the database and what belongs to it, and returns the new name.
func setAside(path string, now time.Time) (string, error) {
	aside := path + ".broken-" + now.UTC().Format("20060102T150405.000000Z")
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return "", fmt.Errorf("set the broken results aside: %w", err)
		}
	}
	return aside, nil
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
