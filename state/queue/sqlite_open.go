// Opening the SQLite engine: make the file if it is missing, set it aside if it
// is broken, take it for this process alone, bring its tables up to date, and
// put back what a dead process had claimed.

package queue

import (
	"context"
	"database/sql"
	"embed"
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
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options tune an engine. Zero fields take the defaults named here.
type Options struct {
	// Debounce is how long after a wake the key becomes due, so that a swarm of
	// events makes one run. Default 1 s; negative for none.
	Debounce time.Duration
	// Lease is how long a claim holds unless renewed. Default 60 s.
	Lease time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	switch {
	case o.Debounce == 0:
		o.Debounce = time.Second
	case o.Debounce < 0:
		o.Debounce = 0
	}
	if o.Lease <= 0 {
		o.Lease = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// errBroken marks a file that can never be opened again, as opposed to one that
// cannot be opened now.
var errBroken = errors.New("the file is not a usable queue")

// Open opens the queue in the SQLite file at path. A missing file is made. A
// broken one, or one from a newer promobot, is renamed to
// <path>.broken-<time>, said so in log, and a new one begun: the queue holds
// nothing but work to do, and the sweep at start-up finds that again.
//
// The file belongs to one process at a time; a second one gets an error that
// says so.
func Open(ctx context.Context, path string, options Options, log zerolog.Logger) (*SQLite, error) {
	options = options.withDefaults()
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("queue file: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the queue's folder: %w", err)
	}
	db, err := openDatabase(ctx, path)
	if errors.Is(err, errBroken) {
		aside, asideErr := setAside(path, options.Now())
		if asideErr != nil {
			return nil, errors.Join(err, asideErr)
		}
		log.Warn().Err(err).Str("file", path).Str("set_aside", aside).
			Msg("The queue's file was unusable and is set aside; a new one is begun, and the sweep at start-up fills it")
		db, err = openDatabase(ctx, path)
	}
	if err != nil {
		return nil, fmt.Errorf("open the queue %s: %w", path, err)
	}
	queue := &SQLite{
		db:       db,
		now:      options.Now,
		debounce: options.Debounce,
		lease:    options.Lease,
		changed:  make(chan struct{}, 1),
		storer:   make(chan struct{}, 1),
	}
	if err := queue.putBackAll(ctx); err != nil {
		return nil, errors.Join(err, queue.Close())
	}
	queue.signal()
	return queue, nil
}

// putBackAll clears leases: this process has the file alone, so whoever held
// them is dead.
func (q *SQLite) putBackAll(ctx context.Context) error {
	const everyLease = int64(^uint64(0) >> 1)
	if _, err := q.db.ExecContext(ctx, putBack, everyLease); err != nil {
		return fmt.Errorf("put back what an earlier process had claimed: %w", err)
	}
	return nil
}

func openDatabase(ctx context.Context, path string) (*sql.DB, error) {
	// locking_mode comes before journal_mode, so that WAL needs no shared memory
	// and the lock is held from the first read until the process ends, however it
	// ends.
	source := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			"busy_timeout(2000)",
			"locking_mode(EXCLUSIVE)",
			"journal_mode(WAL)",
			"synchronous(FULL)",
		},
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
		// A migration can fail only on a file whose tables are not ours.
		if code := sqliteCode(err); code == sqlitecode.SQLITE_ERROR {
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

// sqliteCode returns the primary result code within err, 0 if there is none.
func sqliteCode(err error) int {
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		return failure.Code() & 0xff
	}
	return 0
}

// setAside renames the database and what belongs to it, and returns the new name.
func setAside(path string, now time.Time) (string, error) {
	aside := path + ".broken-" + now.UTC().Format("20060102T150405.000000Z")
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("set the broken queue aside: %w", err)
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("set the broken queue aside: %w", err)
		}
	}
	return aside, nil
}
