package queue_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/promobot/promobot/state/queue"
	"github.com/promobot/promobot/state/queue/queuetest"
)

func TestMain(m *testing.M) {
	queuetest.Child(openSQLite)
	goleak.VerifyTestMain(m)
}

func openSQLite(ctx context.Context, store string, options queue.Options) (queue.Queue, error) {
	return queue.Open(ctx, filepath.Join(store, "queue.db"), options, zerolog.Nop())
}

func TestSQLiteConforms(t *testing.T) {
	queuetest.Run(t, openSQLite)
}

func TestOpenSetsUnusableFilesAside(t *testing.T) {
	cases := []struct {
		name string
		make func(t *testing.T, path string)
	}{
		{"not a database", func(t *testing.T, path string) {
			write(t, path, []byte(strings.Repeat("this is no database\n", 500)))
		}},
		{"a damaged page", func(t *testing.T, path string) {
			fill(t, path)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for at := 4096; at < len(content); at++ {
				content[at] = 0xa5
			}
			write(t, path, content)
		}},
		{"cut short", func(t *testing.T, path string) {
			fill(t, path)
			if err := os.Truncate(path, 5000); err != nil {
				t.Fatal(err)
			}
		}},
		{"from a newer promobot", func(t *testing.T, path string) {
			fill(t, path)
			execute(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
		}},
		{"another program's tables", func(t *testing.T, path string) {
			execute(t, path, "CREATE TABLE work (something TEXT)")
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a folder?with&odd#name%20", "queue.db")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			c.make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			q, err := queue.Open(t.Context(), path, queue.Options{Debounce: -1}, zerolog.New(&log))
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			defer closeQueue(t, q)
			if err := q.Wake(t.Context(), queue.Wake{Key: "a"}); err != nil {
				t.Fatalf("wake: %v", err)
			}
			if item, ok, _, err := q.Claim(t.Context()); err != nil || !ok || item.Key != "a" {
				t.Fatalf("claim: %v %v %v", item, ok, err)
			}
			aside, err := filepath.Glob(filepath.Join(filepath.Dir(path), "queue.db.broken-*Z"))
			if err != nil || len(aside) != 1 {
				t.Fatalf("set aside: %v, %v; want one file", aside, err)
			}
			kept, err := os.ReadFile(aside[0])
			if err != nil {
				t.Fatal(err)
			}
			if c.name != "from a newer promobot" && c.name != "another program's tables" && !bytes.Equal(before, kept) {
				t.Error("the file set aside is not the one that was there")
			}
			if !strings.Contains(log.String(), "set aside") || !strings.Contains(log.String(), filepath.Base(aside[0])) {
				t.Errorf("the log does not say what was done: %s", log.String())
			}
		})
	}
}

func TestOpenKeepsAnEarlierFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	fill(t, path)
	var log bytes.Buffer
	q, err := queue.Open(t.Context(), path, queue.Options{}, zerolog.New(&log))
	if err != nil {
		t.Fatal(err)
	}
	defer closeQueue(t, q)
	stats, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stats.Due != 300 || log.Len() != 0 {
		t.Fatalf("%d keys due, log %q; want 300 and nothing", stats.Due, log.String())
	}
}

// TestOpenBringsAnEarlierVersionUpToDate: a file from before letters keeps its
// keys and takes letters.
func TestOpenBringsAnEarlierVersionUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	fill(t, path)
	execute(t, path, "DROP TABLE letter; DROP TABLE cursor; DELETE FROM goose_db_version WHERE version_id = 2")
	q, err := queue.Open(t.Context(), path, queue.Options{Debounce: -1}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer closeQueue(t, q)
	if err := q.Wake(t.Context(), queue.Wake{Key: "a", Letters: []queue.Letter{{ID: "1", Body: []byte("x")}}}); err != nil {
		t.Fatal(err)
	}
	stats, err := q.Stats(t.Context())
	if err != nil || stats.Due != 301 {
		t.Fatalf("%d keys due, %v; want 301", stats.Due, err)
	}
	if letters, err := q.Letters(t.Context(), "a"); err != nil || len(letters) != 1 {
		t.Fatalf("letters: %v, %v", letters, err)
	}
}

func TestOpenRefusesASecondOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	q, err := queue.Open(t.Context(), path, queue.Options{}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer closeQueue(t, q)
	second, err := queue.Open(t.Context(), path, queue.Options{}, zerolog.Nop())
	if err == nil {
		closeQueue(t, second)
		t.Fatal("two owners of one file")
	}
	if !strings.Contains(err.Error(), "another process uses the file") {
		t.Fatalf("the error does not say what to do: %v", err)
	}
}

func TestOpenWithoutTheRightToWrite(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(t.Context(), filepath.Join(folder, "file", "queue.db"), queue.Options{}, zerolog.Nop())
	if err == nil {
		closeQueue(t, q)
		t.Fatal("opened below a file")
	}
}

// TestManyWakesAtOnce: as webhooks come, each acknowledged by itself.
// BenchmarkWake tells how many a second.
func TestManyWakesAtOnce(t *testing.T) {
	q, err := queue.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), queue.Options{}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer closeQueue(t, q)
	const senders, each = 20, 50
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for n := range each {
				wake := queue.Wake{Key: fmt.Sprintf("repository/%d", n%10), Note: fmt.Sprint(sender)}
				if err := q.Wake(t.Context(), wake); err != nil {
					t.Errorf("wake: %v", err)
				}
			}
		})
	}
	group.Wait()
	stats, err := q.Stats(t.Context())
	if keys := stats.Due + stats.Scheduled; err != nil || keys != 10 {
		t.Errorf("%d keys wait, want 10; error %v", keys, err)
	}
}

func BenchmarkWake(b *testing.B) {
	q, err := queue.Open(b.Context(), filepath.Join(b.TempDir(), "queue.db"), queue.Options{}, zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	b.SetParallelism(20) // a storm
	b.RunParallel(func(more *testing.PB) {
		for n := 0; more.Next(); n++ {
			if err := q.Wake(b.Context(), queue.Wake{Key: fmt.Sprintf("repository/%d", n%100)}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func closeQueue(t *testing.T, q queue.Queue) {
	t.Helper()
	if err := q.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func fill(t *testing.T, path string) {
	t.Helper()
	q, err := queue.Open(t.Context(), path, queue.Options{Debounce: -1}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer closeQueue(t, q)
	wakes := make([]queue.Wake, 300)
	for n := range wakes {
		wakes[n].Key = fmt.Sprintf("repository/%d", n)
	}
	if err := q.Wake(t.Context(), wakes...); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, path, statement string) {
	t.Helper()
	t.Chdir(filepath.Dir(path)) // the driver takes no odd folder names unescaped
	db, err := sql.Open("sqlite", filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
