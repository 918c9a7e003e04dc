package outbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/state/outbox"
)

// box is an outbox with a clock that tests move.
type box struct {
	*outbox.Outbox
	t    *testing.T
	path string
	at   time.Time
}

func open(t *testing.T) *box {
	t.Helper()
	b := &box{t: t, path: filepath.Join(t.TempDir(), "outbox.db"), at: time.Date(2026, 3, 2, 9, 0, 0, 400e6, time.UTC)}
	b.reopen()
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func (b *box) reopen() {
	b.t.Helper()
	if b.Outbox != nil {
		if err := b.Close(); err != nil {
			b.t.Fatal(err)
		}
	}
	o, err := outbox.Open(b.t.Context(), b.path, func() time.Time { return b.at }, zerolog.Nop())
	if err != nil {
		b.t.Fatal(err)
	}
	b.Outbox = o
}

func (b *box) post(notes ...outbox.Note) {
	b.t.Helper()
	if err := b.Post(b.t.Context(), notes...); err != nil {
		b.t.Fatal(err)
	}
}

// take is the receiver's next note as "id body #attempt", or when the next is due.
func (b *box) take(receiver string) string {
	b.t.Helper()
	n, ok, next, err := b.Take(b.t.Context(), receiver)
	switch {
	case err != nil:
		b.t.Fatal(err)
	case ok:
		return n.ID + " " + string(n.Body) + " #" + string(rune('0'+n.Attempt))
	case next.IsZero():
		return "none"
	}
	return "at " + next.Format(time.TimeOnly)
}

func (b *box) is(what, got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("%s: %q, not %q", what, got, want)
	}
}

func note(receiver, id, body string) outbox.Note {
	return outbox.Note{Receiver: receiver, ID: id, Body: []byte(body)}
}

func TestEachNoteIsKeptOnce(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.post(note("slack", "1", "one"), note("slack", "2", "two"), note("slack", "1", "again"), note("hook", "1", "other"))
	b.is("the oldest first", b.take("slack"), "1 one #1")
	b.is("while one is under way", b.take("slack"), "2 two #1")
	b.is("then", b.take("slack"), "none")
	for _, id := range []string{"1", "2"} {
		if err := b.End(t.Context(), "slack", id, "sent"); err != nil {
			t.Fatal(err)
		}
	}
	b.post(note("slack", "1", "once more"))
	b.is("what was told", b.take("slack"), "none")
	b.is("another receiver's", b.take("hook"), "1 other #1")

	known, err := b.Known(t.Context(), "slack", "1", "2", "3")
	if diff := cmp.Diff(map[string]bool{"1": true, "2": true}, known); err != nil || diff != "" {
		t.Errorf("known: %v %s", err, diff)
	}
	b.reopen()
	b.post(note("slack", "1", "after a restart"))
	b.is("after a restart", b.take("slack"), "none")

	b.at = b.at.Add(outbox.Keep + time.Hour)
	b.post(note("slack", "9", "nine"))
	if known, err := b.Known(t.Context(), "slack", "1"); err != nil || len(known) > 0 {
		t.Errorf("it is remembered for longer than Keep: %v %v", known, err)
	}
}

func TestNotesAreTriedAgain(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.post(note("slack", "1", "one"), note("slack", "2", "two"))
	b.is("first", b.take("slack"), "1 one #1")
	if err := b.Later(t.Context(), "slack", "1", b.at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b.is("the next does not wait for it", b.take("slack"), "2 two #1")
	if err := b.End(t.Context(), "slack", "2", "sent"); err != nil {
		t.Fatal(err)
	}
	b.is("when to look again", b.take("slack"), "at 09:01:00")
	b.at = b.at.Add(time.Minute)
	b.is("then", b.take("slack"), "1 one #2")
	if waiting, err := b.Waiting(t.Context()); err != nil || waiting["slack"] != 1 {
		t.Errorf("waiting: %v %v", waiting, err)
	}
}

func TestAttemptsInDoubt(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.post(note("slack", "1", "one"), note("hook", "1", "one"), note("slack", "2", "two"))
	b.is("slack's begins", b.take("slack"), "1 one #1")
	b.is("hook's begins", b.take("hook"), "1 one #1")
	b.reopen()
	if err := b.Doubted(t.Context(), "slack", "in doubt"); err != nil {
		t.Fatal(err)
	}
	if err := b.Doubted(t.Context(), "hook", ""); err != nil {
		t.Fatal(err)
	}
	b.is("slack's is not tried again", b.take("slack"), "2 two #1")
	b.is("hook's is", b.take("hook"), "1 one #2")
}

func TestNotesThatAreOnlyRemembered(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.post(outbox.Note{Receiver: "slack", ID: "1", Ended: "said with another"})
	b.is("it is not told", b.take("slack"), "none")
	b.post(note("slack", "1", "one"))
	b.is("nor later", b.take("slack"), "none")
}

func TestSubscriptionsBeginOnce(t *testing.T) {
	t.Parallel()
	b := open(t)
	first, err := b.Subscribe(t.Context(), "slack", "failed")
	if err != nil {
		t.Fatal(err)
	}
	b.at = b.at.Add(time.Hour)
	b.reopen()
	both, err := b.Subscribe(t.Context(), "slack", "failed", "landed")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Time{"failed": time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), "landed": time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}
	if diff := cmp.Diff(want, both); diff != "" || !first["failed"].Equal(want["failed"]) {
		t.Errorf("since when (-want +got):\n%s", diff)
	}
}

func TestABrokenFileIsSetAside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := outbox.Open(t.Context(), path, time.Now, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	if err := o.Post(t.Context(), note("slack", "1", "one")); err != nil {
		t.Error(err)
	}
	aside, _ := filepath.Glob(path + ".broken-*")
	if len(aside) != 1 {
		t.Errorf("set aside: %v", aside)
	}
}
