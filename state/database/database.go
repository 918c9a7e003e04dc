// Package database opens the SQLite files in data_dir: each is made if it is
// missing, set aside if it is broken, taken for this process alone, and brought up
// to date. What they hold can be lost, so a broken one never keeps promobot from
// starting.
package database

import (
	"context"
	"database/sql"
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

// Options say what a file is. All but Fast are needed.
type Options struct {
	// What it holds, for errors: "queue".
	What string
	// Lost says in the log what becomes of what a broken file held.
	Lost string
	// Migrations has goose's scripts in the folder migrations.
	Migrations fs.FS
	// Fast leaves it to the system when what was written reaches the disk: what is
	// lost when the machine stops is found again.
	Fast bool
	Now  func() time.Time
	Log  zerolog.Logger
}

// errBroken marks a file that can never be opened again, as opposed to one that
// cannot be opened now.
var errBroken = errors.New("the file is not usable")

// Open opens the SQLite file at path, for one connection. A missing one is made. A
// broken one, or one of a newer promobot, is renamed to <path>.broken-<time>, said
// so in the log, and a new one begun.
//
// The file belongs to one process at a time; a second one gets an error that says
// so.
func Open(ctx context.Context, path string, o Options) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("the %s's file: %w", o.What, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the %s's folder: %w", o.What, err)
	}
	db, err := open(ctx, path, o)
	if errors.Is(err, errBroken) {
		aside, asideErr := setAside(path, o.Now())
		if asideErr != nil {
			return nil, errors.Join(err, fmt.Errorf("set the broken %s aside: %w", o.What, asideErr))
		}
		o.Log.Warn().Err(err).Str("file", path).Str("set_aside", aside).Msgf("The %s's file was unusable and is set aside; %s", o.What, o.Lost)
		db, err = open(ctx, path, o)
	}
	if err != nil {
		return nil, fmt.Errorf("open the %s %s: %w", o.What, path, err)
	}
	return db, nil
}

func open(ctx context.Context, path string, o Options) (*sql.DB, error) {
	synchronous := "synchronous(FULL)"
	if o.Fast {
		synchronous = "synchronous(NORMAL)"
	}
	// locking_mode comes before journal_mode, so that WAL needs no shared memory
	// and the lock is held from the first read until the process ends, however it
	// ends.
	source := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(2000)", "locking_mode(EXCLUSIVE)", "journal_mode(WAL)", synchronous},
	}.Encode()}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	db.SetConnMaxLifetime(0)
	if err := prepare(ctx, db, o.Migrations); err != nil {
		return nil, errors.Join(classify(err), db.Close())
	}
	return db, nil
}

func prepare(ctx context.Context, db *sql.DB, migrations fs.FS) error {
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
		if code(err) == sqlitecode.SQLITE_ERROR {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		return err
	}
	return nil
}

func classify(err error) error {
	switch code(err) {
	case sqlitecode.SQLITE_NOTADB, sqlitecode.SQLITE_CORRUPT:
		return fmt.Errorf("%w: %w", errBroken, err)
	case sqlitecode.SQLITE_BUSY, sqlitecode.SQLITE_LOCKED:
		return fmt.Errorf("another process uses the file; stop it, or give this one another data_dir: %w", err)
	case sqlitecode.SQLITE_CANTOPEN, sqlitecode.SQLITE_READONLY:
		return fmt.Errorf("the file cannot be written; check its owner and mode, and those of its folder: %w", err)
	}
	return err
}

// code is SQLite's primary result code within err, 0 if there is none.
func code(err error) int {
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
			return "", err
		}
	}
	return aside, nil
}
