package database_test

// Opening a file in every state that it may be in: what it holds is kept where it
// can be read, set aside where it cannot, and never taken from another process.

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/state/database"
)

var noon = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

// options are those of a box with notes; its second version gives them colours.
func options(log *bytes.Buffer, versions int) database.Options {
	scripts := []string{
		"-- +goose Up\nCREATE TABLE notes (text TEXT NOT NULL) STRICT;\n",
		"-- +goose Up\nALTER TABLE notes ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';\n",
	}
	files := fstest.MapFS{}
	for i, script := range scripts[:versions] {
		files["migrations/0000"+string(rune('1'+i))+"_notes.sql"] = &fstest.MapFile{Data: []byte(script)}
	}
	return database.Options{
		What: "box", Lost: "the notes are written anew", Migrations: files,
		Now: func() time.Time { return noon }, Log: zerolog.New(log),
	}
}

func mustOpen(t *testing.T, path string, o database.Options) *sql.DB {
	t.Helper()
	db, err := database.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // a second time where the test closes it
	return db
}

func write(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO notes (text) VALUES (?)", text); err != nil {
		t.Fatal(err)
	}
}

func notes(t *testing.T, db *sql.DB) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT text FROM notes ORDER BY rowid")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestWhatIsThereIsKept: a file that is missing is made, with its folder; one of an
// older promobot is brought up to date.
func TestWhatIsThereIsKept(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "new", "box.db")
	db := mustOpen(t, path, options(&log, 1))
	write(t, db, "one")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, path, options(&log, 2))
	if d := cmp.Diff([]string{"one"}, notes(t, db)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var colour string
	if err := db.QueryRowContext(t.Context(), "SELECT colour FROM notes").Scan(&colour); err != nil || colour != "red" {
		t.Errorf("its colour is %q, %v", colour, err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	if log.Len() > 0 {
		t.Errorf("it is said: %s", log.String())
	}
}

func TestWhatIsBrokenIsSetAside(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string){
		"no database": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("notes\n", 500)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"its pages overwritten": func(t *testing.T, path string) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			const first = 4096 // is whole, so that it looks like a database
			rest := bytes.Repeat([]byte{0xa5}, len(text)-first)
			if err := os.WriteFile(path, append(text[:first], rest...), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"of a newer promobot": func(t *testing.T, path string) {
			db := mustOpen(t, path, options(&bytes.Buffer{}, 2))
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		},
		"another program's": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = db.ExecContext(t.Context(), "CREATE TABLE notes (mine TEXT)")
			if err = errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			path := filepath.Join(t.TempDir(), "box.db")
			db := mustOpen(t, path, options(&log, 1))
			write(t, db, strings.Repeat("one", 2000))
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			spoil(t, path)
			spoilt, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			db = mustOpen(t, path, options(&log, 1))
			if got := notes(t, db); len(got) > 0 {
				t.Errorf("the new file has %d notes", len(got))
			}
			write(t, db, "two")
			aside := path + ".broken-20260302T120000.000000Z"
			kept, err := os.ReadFile(aside)
			if err != nil || len(kept) < len(spoilt) {
				t.Errorf("set aside: %d bytes of %d, %v", len(kept), len(spoilt), err)
			}
			for _, want := range []string{`"level":"warn"`, aside, "The box's file was unusable and is set aside; the notes are written anew"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log does not say %q: %s", want, log.String())
				}
			}
		})
	}
}

// TestOneProcessAtATime: a file that is in use is neither shared nor set aside.
func TestOneProcessAtATime(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "box.db")
	db := mustOpen(t, path, options(&log, 1))
	write(t, db, "one")
	if _, err := database.Open(t.Context(), path, options(&log, 1)); err == nil || !strings.Contains(err.Error(), "open the box "+path+": another process uses the file") {
		t.Errorf("a second one: %v", err)
	}
	if d := cmp.Diff([]string{"one"}, notes(t, db)); d != "" || log.Len() > 0 {
		t.Errorf("the first one's (-want +got):\n%s\n%s", d, log.String())
	}
}

func TestWhereNothingCanBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "box.db")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{filepath.Join(file, "box.db"): "make the box's folder", folder: "the file cannot be written; check its owner and mode"} {
		if _, err := database.Open(t.Context(), path, options(&bytes.Buffer{}, 1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// TestFast: only what can be found again may reach the disk later.
func TestFast(t *testing.T) {
	for fast, want := range map[bool]int{false: 2, true: 1} { // FULL and NORMAL
		o := options(&bytes.Buffer{}, 1)
		o.Fast = fast
		var got int
		if err := mustOpen(t, filepath.Join(t.TempDir(), "box.db"), o).QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&got); err != nil || got != want {
			t.Errorf("fast %v: synchronous is %d, want %d; %v", fast, got, want, err)
		}
	}
}
