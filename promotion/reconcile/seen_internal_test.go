package reconcile

// Ledgers as they are shown: all that is new is read, once, all ledgers together;
// what is old within bounds.

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	display "github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

// books is a git with ledgers, which counts what is read of them.
type books struct {
	Git
	t       *testing.T
	keys    state.Keys
	commits map[string]promotion.Commit
	heads   map[string]string // by environment
	n       map[string]int
	read    int // commits
	calls   int
	fails   bool
}

func newBooks(t *testing.T) *books {
	t.Helper()
	keys, err := state.NewKeys([]byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	return &books{t: t, keys: keys, commits: map[string]promotion.Commit{}, heads: map[string]string{}, n: map[string]int{}}
}

func (b *books) Commits(_ context.Context, ids []string) (map[string]promotion.Commit, error) {
	b.calls++
	if b.fails {
		return nil, errors.New("no disk")
	}
	out := map[string]promotion.Commit{}
	for _, id := range ids {
		if c, ok := b.commits[id]; ok {
			out[id] = c
			b.read++
		}
	}
	return out, nil
}

// write appends entries to an environment's ledger.
func (b *books) write(environment string, n int) {
	b.t.Helper()
	for range n {
		b.n[environment]++
		c := promotion.Commit{ID: state.Hash(environment, fmt.Sprint(b.n[environment]))[:40], Tree: state.EmptyTree, Time: time.Unix(int64(b.n[environment]), 0)}
		if head := b.heads[environment]; head != "" {
			c.Parents = []string{head}
		}
		e := state.Entry{Kind: state.KindWatched, Sentence: fmt.Sprintf("shop/%s: entry %d", environment, b.n[environment]), State: state.Environment{Sequence: b.n[environment]}}
		m, err := b.keys.Encode(state.Place{Ref: environment, Parents: c.Parents}, e, c.ID)
		if err != nil {
			b.t.Fatal(err)
		}
		c.Message = m
		b.commits[c.ID], b.heads[environment] = c, c.ID
	}
}

// snapshot has the ledgers as they stand.
func (b *books) snapshot() *promotion.Snapshot {
	s := &promotion.Snapshot{}
	for i := range len(b.heads) {
		name := fmt.Sprintf("e%d", i)
		s.Environments = append(s.Environments, promotion.Observed{
			Key:    promotion.Key{Pipeline: "shop", Environment: name},
			Ledger: promotion.Ledger{Ref: state.Ref("shop", name), Tip: b.heads[name], State: &state.Environment{Sequence: b.n[name]}},
		})
	}
	return s
}

// wants reads the stories, and holds each against its ledger.
func (b *books) wants(r *Reconciler, most int) {
	b.t.Helper()
	s := b.snapshot()
	got, err := r.stories(b.t.Context(), &view{snapshot: s})
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range s.Environments {
		k := s.Environments[i].Key
		var want []display.Entry
		for n := b.n[k.Environment]; n > 0 && len(want) < most; n-- {
			c := b.commits[state.Hash(k.Environment, fmt.Sprint(n))[:40]]
			want = append(want, display.Entry{Commit: c.ID, Kind: "watched", Sentence: fmt.Sprintf("entry %d", n), Time: time.Unix(int64(n), 0).UTC()})
		}
		if d := cmp.Diff(want, got[k]); d != "" {
			b.t.Fatalf("%s (-want +got):\n%s", k, d)
		}
	}
}

func TestStories(t *testing.T) {
	b := newBooks(t)
	r := &Reconciler{git: b}
	b.write("e0", 3)
	b.write("e1", entriesShown+20)
	b.write("e2", 1)
	b.wants(r, entriesShown)
	if want := 3 + entriesShown + 1; b.read != want {
		t.Errorf("%d commits are read, want %d", b.read, want)
	}
	b.read, b.calls = 0, 0
	b.wants(r, entriesShown)
	if b.calls != 0 {
		t.Errorf("with nothing new git is asked %d times", b.calls)
	}
	b.write("e0", 2)
	b.write("e1", 3)
	b.wants(r, entriesShown)
	if b.read != 5 || b.calls != 3 {
		t.Errorf("for 2 and 3 new entries git is asked %d times for %d commits", b.calls, b.read)
	}
	b.write("e2", entriesShown+5) // more than are shown since the last look
	b.wants(r, entriesShown)

	b.fails = true
	b.write("e0", 1)
	if _, err := r.stories(t.Context(), &view{snapshot: b.snapshot()}); err == nil {
		t.Error("git failed, and nobody says so")
	}
	b.fails = false
	b.write("e0", 1)
	b.wants(r, entriesShown)

	// A person replaced a ledger: its story begins anew.
	b.heads["e0"], b.n["e0"] = "", 0
	b.commits = map[string]promotion.Commit{}
	for _, e := range []string{"e0", "e1", "e2"} {
		n := b.n[e]
		b.heads[e], b.n[e] = "", 0
		b.write(e, n)
	}
	b.write("e0", 2)
	b.wants(r, entriesShown)

	// Which is not trusted is not shown.
	s := b.snapshot()
	s.Environments[0].Ledger.State = nil
	got, err := r.stories(t.Context(), &view{snapshot: s})
	if err != nil || len(got) != 2 {
		t.Errorf("%d stories, %v", len(got), err)
	}
}

// TestManyStories: a repository with many long ledgers is read over several runs,
// each of which reads only so much; what is new is read at once.
func TestManyStories(t *testing.T) {
	b := newBooks(t)
	r := &Reconciler{git: b}
	const ledgers = 400
	for i := range ledgers {
		b.write(fmt.Sprintf("e%d", i), 40)
	}
	runs := 0
	for more := true; more && runs < 20; runs++ {
		last := b.read
		if _, err := r.stories(t.Context(), &view{snapshot: b.snapshot()}); err != nil {
			t.Fatal(err)
		}
		if b.read-last > entriesAtOnce+ledgers {
			t.Fatalf("run %d reads %d entries", runs, b.read-last)
		}
		more = b.read-last > 1 // besides the new one
		b.write("e7", 1)
	}
	b.wants(r, 50)
	if runs < 4 {
		t.Errorf("all is read in %d runs", runs)
	}
}
