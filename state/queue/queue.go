// Package queue holds work to do as a durable set of keys, not as a list of
// jobs: a key is either due or not, however many events asked for it.
//
// Rules:
//
//   - A wake that was stored is never lost. Wakes that arrive while the key's
//     run is under way lead to exactly one more run, since that run may already
//     have read what they are about. (Queues of unique jobs skip such inserts.)
//   - Runs of one key never overlap while leases hold, and every claim raises a
//     fencing token: who comes back after losing the lease is refused.
//   - A failed run leaves the key due. Backoff only delays it, and a wake does
//     not defeat backoff.
//   - The queue keeps work from being done twice; it does not make the work
//     correct. A worker paused past its lease still acts, and what it acts on
//     must refuse it.
//   - What comes only as an event and must not be lost is a letter: it is stored
//     with its wake, in one transaction, and kept until it is answered. A key
//     does not rest while it has one, and comes before keys that have none.
//   - Nothing here is a record of anything. A lost or broken file is replaced
//     by an empty one, and a sweep fills it again.
//
// Instead of a generation counter beside the due time, a claim moves the due
// time aside (claimed) and wakes write a new one: "the generation moved" is
// "there is a due time again", and a wake during a run keeps its own debounce.
//
// Engines pass the suite in queuetest. [Open] gives the engine for one machine,
// on SQLite.
package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrLeaseLost is returned by Renew and Finish when the item's claim is no
// longer the current one: its lease ran out and the key was given to another
// worker, or put back. What the worker did stands or falls by its own guards;
// the queue already has the key due again.
var ErrLeaseLost = errors.New("the lease on this work was lost to another worker")

// Wake asks for one run of a key.
type Wake struct {
	// Key names what to work on. It is opaque to the queue and must not be empty.
	Key string
	// Note says where the worker finds what Key names (its current address).
	// The newest that is not empty is handed to the worker. It is never a fact
	// to decide on.
	Note string
	// At is the earliest time of the run: a timer. Zero means soon: after the
	// queue's debounce. Of several wakes the earliest counts.
	At time.Time
	// Letters are kept for the key's runs until they are answered.
	Letters []Letter
}

// Letter is what an event brought that nothing else tells.
type Letter struct {
	// ID is the sender's, the same when the letter is sent again: of letters of
	// one key and ID the first is kept, and the others are dropped, until
	// KeepAnswered after it was answered. It must not be empty.
	ID string
	// Kind says what Body is. The queue reads neither.
	Kind string
	// Body is at most MaxLetter bytes long.
	Body []byte
	// At is when it came; zero means now. To the microsecond, in UTC.
	At time.Time
}

const (
	// MaxLetter bounds a letter's body, in bytes: GitHub sends no longer payloads
	// ("Webhook events and payloads", Payload cap).
	MaxLetter = 25 << 20
	// KeepAnswered is how long the queue knows that a letter was answered. GitHub
	// lists deliveries, and lets them be sent again, for three days ("Viewing
	// webhook deliveries").
	KeepAnswered = 7 * 24 * time.Hour
	// lettersAtOnce bounds one answer of Letters.
	lettersAtOnce = 100
	// unansweredRest is when a key is due again whose run ended well but left a
	// letter unanswered.
	unansweredRest = time.Minute
)

// check says what is wrong with a wake.
func (w Wake) check() error {
	if w.Key == "" {
		return errors.New("a wake needs a key")
	}
	for _, letter := range w.Letters {
		switch {
		case letter.ID == "":
			return fmt.Errorf("a letter for %s has no id", w.Key)
		case len(letter.Body) > MaxLetter:
			return fmt.Errorf("a letter for %s is %d bytes long; the most are %d", w.Key, len(letter.Body), MaxLetter)
		}
	}
	return nil
}

// Item is a claimed key.
type Item struct {
	Key  string
	Note string
	// Token is the claim's fencing token, rising with each claim of the key.
	Token int64
	// Attempt counts the failed runs in a row before this one.
	Attempt int
	// Due is when the run became due; now minus Due is how long it waited.
	Due time.Time
	// Lease is how long the claim holds unless renewed.
	Lease time.Duration
}

// Outcome says how a run ended. The zero Outcome is a success after which the
// key rests until it is woken, unless a letter is left unanswered.
type Outcome struct {
	// Next is when the key is due again after a success: the worker's own
	// timer. Zero means never.
	Next time.Time
	// Failed leaves the key due and counts an attempt.
	Failed bool
	// NotBefore is the earliest time of the next run after a failure. Wakes do
	// not make it earlier.
	NotBefore time.Time
	// Released leaves the key due at once without counting an attempt: the
	// worker was stopped before it could end.
	Released bool
}

// Stats describes the queue at one instant.
type Stats struct {
	Due       int       // keys that could run now and wait for a worker
	Running   int       // claimed keys
	Scheduled int       // keys that wait for a timer, a debounce or a backoff
	Failing   int       // keys whose last run failed
	OldestDue time.Time // since when the longest waiting of Due waits; zero if none
}

// Queue is the durable keyed table.
type Queue interface {
	// Wake stores all wakes with their letters in one transaction. When it
	// returns nil they are on disk; with an error all are or none.
	Wake(ctx context.Context, wakes ...Wake) error
	// Letters returns the key's unanswered letters, oldest first; of very many,
	// the oldest hundred.
	Letters(ctx context.Context, key string) ([]Letter, error)
	// Answered ends letters of a key. What is not there, or was answered already,
	// is no error.
	Answered(ctx context.Context, key string, ids ...string) error
	// Known returns those of the ids that are letters of the key, answered or not.
	Known(ctx context.Context, key string, ids ...string) ([]string, error)
	// Cursor returns how far something listed elsewhere was looked through, as
	// SetCursor stored it; "" if it never did.
	Cursor(ctx context.Context, name string) (string, error)
	// SetCursor stores how far it was looked through.
	SetCursor(ctx context.Context, name, value string) error
	// Claim takes the key that has been due longest, of those with letters if
	// there are any. Without one it returns false and the time to look again, zero
	// if nothing is scheduled.
	Claim(ctx context.Context) (item Item, ok bool, next time.Time, err error)
	// Renew extends the claim's lease to Item.Lease from now, or returns
	// ErrLeaseLost.
	Renew(ctx context.Context, item Item) error
	// Finish ends the claim, or returns ErrLeaseLost and changes nothing.
	Finish(ctx context.Context, item Item, outcome Outcome) error
	// Stats counts the keys.
	Stats(ctx context.Context) (Stats, error)
	// Changed receives after something may have become due earlier than the
	// last Claim said. One receiver is served; signals are merged.
	Changed() <-chan struct{}
	// Close releases the store. Claims that are open become due again when it
	// is opened the next time, or when their lease ends.
	Close() error
}
