// Opening the SQLite engine: its file, and putting back what a dead process had
// claimed.

package queue

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/state/database"
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

// Open opens the queue in the SQLite file at path. A missing file is made. A
// broken one, or one from a newer promobot, is renamed to
// <path>.broken-<time>, said so in log, and a new one begun: the queue holds
// nothing but work to do, and the sweep at start-up finds that again.
//
// The file belongs to one process at a time; a second one gets an error that
// says so.
func Open(ctx context.Context, path string, options Options, log zerolog.Logger) (*SQLite, error) {
	options = options.withDefaults()
	db, err := database.Open(ctx, path, database.Options{
		What: "queue", Lost: "a new one is begun, and the sweep at start-up fills it", Migrations: migrations, Now: options.Now, Log: log,
	})
	if err != nil {
		return nil, err
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
