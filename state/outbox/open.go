package outbox

// Opening the file: make it if it is missing, set it aside if it is broken, bring
// its tables up to date.

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

// Open opens the outbox in the SQLite file at path, of which this process has to
// be the only user. A missing file is made; a broken one is renamed to
// <path>.broken-<time>, and a new one begun.
func Open(ctx context.Context, path string, now func() time.Time, log zerolog.Logger) (*Outbox, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the outbox's folder: %w", err)
	}
	db, err := openDatabase(ctx, path)
	if broken(err) {
		aside := path + ".broken-" + now().UTC().Format("20060102T150405.000000Z")
		log.Warn().Err(err).Str("file", path).Str("set_aside", aside).Msg("The outbox of notifications was unusable and is set aside; what waited in it is not told")
		if err := os.Rename(path, aside); err != nil {
			return nil, fmt.Errorf("set the broken outbox aside: %w", err)
		}
		for _, suffix := range []string{"-wal", "-shm", "-journal"} {
			if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("set the broken outbox aside: %w", err)
			}
		}
		db, err = openDatabase(ctx, path)
	}
	if err != nil {
		return nil, fmt.Errorf("open the outbox %s: %w", path, err)
	}
	return &Outbox{db: db, now: now}, nil
}

// broken says whether a file can never be opened, as opposed to not now.
func broken(err error) bool {
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	code := failure.Code() & 0xff
	return code == sqlitecode.SQLITE_NOTADB || code == sqlitecode.SQLITE_CORRUPT
}

func openDatabase(ctx context.Context, path string) (*sql.DB, error) {
	source := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(2000)", "locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(FULL)"},
	}.Encode()}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	db.SetConnMaxLifetime(0)
	if err := prepare(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func prepare(ctx context.Context, db *sql.DB) error {
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, scripts, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}
