package view_test

// The promotions before the newest: from ledger entries, and from the view before
// where no entry that was read tells of them.

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

func TestPastOf(t *testing.T) {
	entry := func(sequence int, p *state.Promotion, l *state.Landing) state.Entry {
		return state.Entry{Kind: state.KindHold, State: state.Environment{Sequence: sequence, Promotion: p, Landing: l}}
	}
	opened, landed := &state.Promotion{ID: "a", Status: state.Opened, Batch: &state.Batch{ID: "b"}}, &state.Promotion{ID: "a", Status: state.Landed}
	newest := view.PastOf(entry(4, landed, &state.Landing{ID: "a", Commit: sha("c")}), nil)
	if newest.Promotion.Status != state.Landed || newest.Landed != sha("c") {
		t.Errorf("landed: %+v", newest)
	}
	if got := view.PastOf(entry(3, opened, nil), newest); got.Promotion.Status != state.Landed || got.Landed != sha("c") {
		t.Errorf("an older entry replaces it: %+v", got)
	}
	held := view.PastOf(entry(9, landed, &state.Landing{ID: "a person's", Commit: sha("e")}), nil)
	if held.Landed != "" {
		t.Errorf("another landing is taken for its own: %+v", held)
	}
	for name, got := range map[string]*view.Past{"older": view.PastOf(entry(4, landed, &state.Landing{ID: "a", Commit: sha("c")}), held), "newer": view.PastOf(entry(9, landed, nil), newest)} {
		if got.Landed != sha("c") || got.Promotion.Status != state.Landed {
			t.Errorf("with an %s entry: %+v", name, got)
		}
	}
	older := view.PastOf(entry(3, opened, &state.Landing{ID: "before", Commit: sha("b")}), nil)
	if older.Promotion.Status != state.Opened || older.Landed != "" || older.Promotion.Batch != nil || opened.Batch == nil {
		t.Errorf("opened: %+v", older)
	}
	if got := view.PastOf(entry(4, landed, nil), older); got.Promotion.Status != state.Landed {
		t.Errorf("a newer entry: %+v", got)
	}
	if got := view.PastOf(entry(5, nil, nil), newest); got != newest {
		t.Errorf("an entry without a promotion: %+v", got)
	}
}

func TestEarlier(t *testing.T) {
	w := newWorld(config.Propose)
	staging := w.of("staging")
	st := staging.Ledger.State
	st.Promotion = &state.Promotion{ID: "p0", Status: state.Vetoed, Revision: sha("e"), From: "dev", Ended: now}
	seen := w.seen()
	seen.Past = map[string]*view.Past{}
	var entries []view.Entry
	for i := range 15 { // two entries each
		id := fmt.Sprint("p", i)
		e := state.Entry{State: state.Environment{Sequence: 40 - i, Promotion: &state.Promotion{ID: id, Status: state.Landed, Revision: sha("d"), From: "dev", PullRequest: i, Ended: now}}}
		seen.Past[id] = view.PastOf(e, nil)
		entries = append(entries, view.Entry{Commit: sha("1"), Time: now, Promotion: id}, view.Entry{Commit: sha("2"), Time: now, Promotion: id})
	}
	entries = append(entries, view.Entry{Commit: sha("3"), Time: now.Add(-time.Hour)}) // the baseline
	seen.Entries = map[promotion.Key][]view.Entry{staging.Key: entries}
	ids := func(v view.Repository) (out []string) {
		for _, p := range environment(t, v, "staging").Earlier {
			out = append(out, p.ID)
		}
		return out
	}
	first := view.Make(seen, nil)
	want := []string{"p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10"}
	if d := cmp.Diff(want, ids(first)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if p := environment(t, first, "staging").Earlier[0]; p.Title == "" || p.URL == "" || p.Status != "landed" || p.From != "dev" {
		t.Errorf("one of them: %+v", p)
	}
	seen.Entries, seen.Past = nil, nil // nothing was read
	if d := cmp.Diff(want, ids(view.Make(seen, &first))); d != "" {
		t.Errorf("from the view before (-want +got):\n%s", d)
	}
	st.Sequence++ // it has an entry that was not read
	if got := ids(view.Make(seen, &first)); got != nil {
		t.Errorf("without entries: %v", got)
	}
}

// TestEarlierThatWasReplaced: the next promotion moved its pull request on.
func TestEarlierThatWasReplaced(t *testing.T) {
	w := newWorld(config.Propose)
	staging := w.of("staging")
	staging.Ledger.State.Promotion = &state.Promotion{ID: "p2", Status: state.Opened, Revision: sha("d"), From: "dev"}
	seen := w.seen()
	seen.Entries = map[promotion.Key][]view.Entry{staging.Key: {
		{Promotion: "p2", Kind: "opened", Time: now}, {Promotion: "p2", Kind: "claim", Time: now.Add(-time.Minute)}, {Promotion: "p1", Kind: "opened", Time: now.Add(-time.Hour)},
	}}
	seen.Past = map[string]*view.Past{"p1": view.PastOf(state.Entry{State: state.Environment{Sequence: 2, Promotion: &state.Promotion{ID: "p1", Status: state.Opened}}}, nil)}
	e := environment(t, view.Make(seen, nil), "staging")
	if len(e.Earlier) != 1 {
		t.Fatalf("%+v", e.Earlier)
	}
	if p := e.Earlier[0]; p.Status != "closed" || !p.Ended.Equal(now.Add(-time.Minute)) || p.Reason == "" || len(p.Changes) > 0 {
		t.Errorf("%+v", p)
	}
}

// TestEarlierKeepsWhatItChanged: what a promotion changes is known while it is
// under way, and shown after it.
func TestEarlierKeepsWhatItChanged(t *testing.T) {
	w := newWorld(config.Propose)
	w.offers("d")
	staging := w.of("staging")
	p := state.Promotion{ID: "p1", Status: state.Opened, Revision: sha("d"), From: "dev", Landing: sha("d"), PullRequest: 7}
	staging.Ledger.State.Promotion = &p
	staging.Pull = &promotion.PullRequest{Number: 7, Title: "Ana's title", Open: true}
	before := view.Make(w.seen(), nil)
	changes := environment(t, before, "staging").Promotion.Changes
	if len(changes) != 1 {
		t.Fatalf("under way: %+v", changes)
	}
	ended := p
	ended.Status, ended.Ended = state.Closed, now
	staging.Ledger.State.Promotion = &state.Promotion{ID: "p2", Status: state.Vetoed, Revision: sha("e"), From: "dev", Ended: now}
	staging.Pull = nil
	seen := w.seen()
	seen.Entries = map[promotion.Key][]view.Entry{staging.Key: {{Promotion: "p2", Time: now}, {Promotion: "p1", Time: now}}}
	seen.Past = map[string]*view.Past{"p1": view.PastOf(state.Entry{State: state.Environment{Sequence: 2, Promotion: &ended}}, nil)}
	e := environment(t, view.Make(seen, &before), "staging")
	if len(e.Earlier) != 1 || e.Earlier[0].Status != "closed" || e.Earlier[0].Title != "Ana's title" {
		t.Fatalf("afterwards: %+v", e.Earlier)
	}
	if d := cmp.Diff(changes, e.Earlier[0].Changes); d != "" {
		t.Errorf("its changes (-under way +afterwards):\n%s", d)
	}
}
