// The cases of the suite about letters: what must not be lost, and must not be
// taken twice.

package queuetest

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/promobot/promobot/state/queue"
)

// letter is one of the tests' letters.
func letter(id, body string) queue.Letter {
	return queue.Letter{ID: id, Kind: "test", Body: []byte(body)}
}

// post wakes a key with letters.
func (f *fixture) post(key string, letters ...queue.Letter) {
	f.t.Helper()
	if err := f.q.Wake(f.t.Context(), queue.Wake{Key: key, Letters: letters}); err != nil {
		f.t.Fatalf("wake: %v", err)
	}
}

// letters expects these to wait, in this order.
func (f *fixture) letters(key string, want ...queue.Letter) {
	f.t.Helper()
	got, err := f.q.Letters(f.t.Context(), key)
	if err != nil {
		f.t.Fatalf("letters: %v", err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.t.Fatalf("letters of %s (-want +got):\n%s", key, diff)
	}
}

func (f *fixture) answer(key string, ids ...string) {
	f.t.Helper()
	if err := f.q.Answered(f.t.Context(), key, ids...); err != nil {
		f.t.Fatalf("answered: %v", err)
	}
}

func at(l queue.Letter, at time.Time) queue.Letter {
	l.At = at
	return l
}

func lettersOldestFirst(_ *testing.T, f *fixture) {
	start := f.clock()
	second, first := letter("2", "\x00\xff{}"), letter("1", "")
	first.Body = []byte{}
	f.post("a", second)
	f.pass(time.Millisecond)
	f.post("a", letter("3", "three"), at(first, start.Add(-time.Hour)), letter("4", "four"))
	f.post("b", letter("1", "another key's"))
	later := start.Add(time.Millisecond)
	f.letters("a", at(first, start.Add(-time.Hour)), at(second, start), at(letter("3", "three"), later), at(letter("4", "four"), later))
	f.answer("a", "2", "3", "nobody's")
	f.letters("a", at(first, start.Add(-time.Hour)), at(letter("4", "four"), later))
	f.letters("b", at(letter("1", "another key's"), later))
	f.letters("c")
	f.pass(Debounce)
	f.claim("a") // a letter is a wake
}

func letterTwiceIsOne(_ *testing.T, f *fixture) {
	start := f.clock()
	f.post("a", letter("1", "first"), letter("1", "in one wake"))
	f.post("a", letter("1", "again"))
	f.letters("a", at(letter("1", "first"), start))
	f.answer("a", "1")
	f.pass(queue.KeepAnswered - time.Second)
	f.post("a", letter("1", "after its answer"))
	f.letters("a")
	f.answer("a", "1") // to answer it again does not keep it longer
	f.pass(time.Second)
	f.post("a", letter("1", "long after"))
	f.letters("a", at(letter("1", "long after"), f.clock()))
}

func lettersAreKnown(t *testing.T, f *fixture) {
	f.post("a", letter("1", ""), letter("2", ""))
	f.answer("a", "1")
	got, err := f.q.Known(t.Context(), "a", "3", "2", "1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2", "1"}, got); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
	if got, err := f.q.Known(t.Context(), "b", "1"); err != nil || len(got) > 0 {
		t.Errorf("another key knows %v, %v", got, err)
	}
}

func lettersSurviveRestart(_ *testing.T, f *fixture) {
	start := f.clock()
	f.post("a", letter("1", "one"), letter("2", "two"))
	f.answer("a", "1")
	f.pass(Debounce)
	f.claim("a")
	f.reopen()
	f.letters("a", at(letter("2", "two"), start))
	f.post("a", letter("1", "sent again"))
	f.letters("a", at(letter("2", "two"), start))
}

func lettersKeepAKeyDue(_ *testing.T, f *fixture) {
	f.post("a", letter("1", "one"))
	f.pass(Debounce)
	f.finish(f.claim("a"), queue.Outcome{Failed: true, NotBefore: f.clock().Add(time.Hour)})
	f.claimNothing(time.Hour) // failed: due again after its backoff
	f.pass(time.Hour)
	f.finish(f.claim("a"), queue.Outcome{})
	f.claimNothing(time.Minute) // a success that left it
	f.pass(time.Minute)
	f.finish(f.claim("a"), queue.Outcome{Next: f.clock().Add(time.Second)})
	f.claimNothing(time.Second) // the run's own timer comes first
	f.pass(time.Second)
	item := f.claim("a")
	f.answer("a", "1")
	f.finish(item, queue.Outcome{})
	f.pass(24 * time.Hour)
	f.claimNothing(-1)
}

func letterDuringRun(_ *testing.T, f *fixture) {
	f.post("a", letter("1", "one"))
	f.pass(Debounce)
	item := f.claim("a")
	f.post("a", letter("2", "two"))
	f.answer("a", "1")
	f.finish(item, queue.Outcome{})
	f.claimNothing(Debounce)
	f.letters("a", at(letter("2", "two"), f.clock()))
}

func lettersGoFirst(_ *testing.T, f *fixture) {
	for n := range 200 {
		f.wake(fmt.Sprintf("repository/%d", n))
	}
	f.pass(time.Hour)
	f.post("letters", letter("1", "hold"))
	f.pass(Debounce)
	f.claim("letters")
	f.answer("letters", "1")
	f.claim("repository/0")
}

func lettersAreOneTransaction(t *testing.T, f *fixture) {
	for name, bad := range map[string]queue.Letter{
		"no id":    letter("", "x"),
		"too long": {ID: "2", Body: bytes.Repeat([]byte("x"), queue.MaxLetter+1)},
	} {
		err := f.q.Wake(t.Context(), queue.Wake{Key: "a", Letters: []queue.Letter{letter("1", "good"), bad}}, queue.Wake{Key: "b"})
		if err == nil {
			t.Errorf("a letter was taken: %s", name)
		}
	}
	f.letters("a")
	f.pass(time.Hour)
	f.claimNothing(-1)
}

func lettersComeInPortions(t *testing.T, f *fixture) {
	const all = 250
	for n := range all {
		f.post("a", letter(fmt.Sprint(n), fmt.Sprint(n)))
		f.pass(time.Microsecond)
	}
	next := 0
	for next < all {
		got, err := f.q.Letters(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 || len(got) > 100 {
			t.Fatalf("%d letters at once", len(got))
		}
		for _, one := range got {
			if one.ID != fmt.Sprint(next) {
				t.Fatalf("letter %s, want %d", one.ID, next)
			}
			f.answer("a", one.ID)
			next++
		}
	}
	f.letters("a")
}

func cursorsAreKept(t *testing.T, f *fixture) {
	cursor := func(name, want string) {
		t.Helper()
		if got, err := f.q.Cursor(t.Context(), name); err != nil || got != want {
			t.Fatalf("cursor %s is %q, %v; want %q", name, got, err, want)
		}
	}
	cursor("deliveries", "")
	for _, value := range []string{"one", "two"} {
		if err := f.q.SetCursor(t.Context(), "deliveries", value); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.q.SetCursor(t.Context(), "comments/1", "three"); err != nil {
		t.Fatal(err)
	}
	f.reopen()
	cursor("deliveries", "two")
	cursor("comments/1", "three")
	cursor("comments/10", "")
	cursor("comments/", "")
}
