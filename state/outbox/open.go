package outbox

import (
	"context"
	"embed"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/state/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens the outbox in the SQLite file at path, of which this process has to
// be the only user. A missing file is made; a broken one is renamed to
// <path>.broken-<time>, and a new one begun.
func Open(ctx context.Context, path string, now func() time.Time, log zerolog.Logger) (*Outbox, error) {
	db, err := database.Open(ctx, path, database.Options{
		What: "outbox", Lost: "what waited in it is not told", Migrations: migrations, Now: now, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return &Outbox{db: db, now: now}, nil
}
