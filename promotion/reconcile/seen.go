package reconcile

// Seen: what a run came to, for pages, API and terminal. It asks GitHub nothing,
// and of git only ledger entries that are new. It never fails a run.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	display "github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

// How many entries of a ledger are shown, of all ledgers of a repository together,
// and how many are read in one run: what is left is read in the next ones.
const (
	entriesShown  = 50
	entriesInAll  = 30_000
	entriesAtOnce = 4_000
)

// story is the newest entries of one ledger, as far as they were read.
type story struct {
	tip     string
	entries []display.Entry // newest first
	older   string          // the entry before the oldest of them; "" when there is none, or enough
}

// seen tells what a run came to. v is the last pass's, nil where there was none.
func (r *Reconciler) seen(ctx context.Context, v *view, res Result, failed error) {
	if ctx.Err() != nil || v == nil && failed == nil {
		return // it was stopped, or has not looked yet
	}
	at := display.Seen{Decisions: res.Decisions, Next: res.Next, At: r.o.Now(), Error: why(failed)}
	if v != nil {
		at.Snapshot, at.File, at.Problems = v.snapshot, v.fileName, v.problems
		entries, err := r.stories(ctx, v)
		if err != nil {
			r.o.Log.Warn().Err(err).Msg("ledgers could not be read to be shown")
		}
		at.Entries, at.Past = entries, r.memory.past
	}
	var last *display.Repository
	if r.o.Last != nil {
		last = r.o.Last(ctx)
	}
	r.o.Seen(ctx, display.Make(at, last))
}

// why is an error for people.
func why(err error) string {
	if err == nil {
		return ""
	}
	if l, ok := errors.AsType[*promotion.LimitedError](err); ok {
		return fmt.Sprintf("GitHub's rate limit is used up; promobot goes on at %s", l.Until.UTC().Format("15:04:05 UTC"))
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

// stories are the newest entries of all trusted ledgers. All that have something
// new are read together, one entry further back at a time.
func (r *Reconciler) stories(ctx context.Context, v *view) (map[promotion.Key][]display.Entry, error) {
	s := v.snapshot
	most := min(entriesShown, max(10, entriesInAll/max(1, len(s.Environments))))
	all := make(map[string]*story, len(s.Environments)) // by ref
	for i := range s.Environments {
		l := &s.Environments[i].Ledger
		if l.State == nil || l.Tip == "" {
			continue
		}
		known := r.memory.stories[l.Ref]
		if known == nil {
			known = &story{}
		}
		all[l.Ref] = known
	}
	r.memory.stories = all // others are gone
	if r.memory.past == nil {
		r.memory.past = map[string]*display.Past{}
	}
	read, err := r.readStories(ctx, s, all, most)
	if read > 0 {
		r.forgetPast(all)
	}
	out := make(map[promotion.Key][]display.Entry, len(all))
	for i := range s.Environments {
		o := &s.Environments[i]
		if st := all[o.Ledger.Ref]; st != nil {
			out[o.Key] = st.entries
		}
	}
	return out, err
}

// reading is one ledger on its way back.
type reading struct {
	key   promotion.Key
	story *story
	fresh []display.Entry // newer than the story's
	next  string
	deep  bool // next is older than the story's
}

// readStories reads what is new, and says how many entries that were.
func (r *Reconciler) readStories(ctx context.Context, s *promotion.Snapshot, all map[string]*story, most int) (read int, err error) {
	var todo []*reading
	for i := range s.Environments {
		k, l := s.Environments[i].Key, &s.Environments[i].Ledger
		st := all[l.Ref]
		if st == nil {
			continue
		}
		switch st.tip {
		case "":
			st.older = l.Tip
		case l.Tip:
		default:
			todo = append(todo, &reading{key: k, story: st, next: l.Tip})
		}
		if st.older != "" && len(st.entries) < most {
			todo = append(todo, &reading{key: k, story: st, next: st.older, deep: true})
		}
		st.tip = l.Tip
	}
	for len(todo) > 0 {
		if read >= entriesAtOnce {
			todo = slices.DeleteFunc(todo, func(t *reading) bool { return t.deep })
		}
		ids := make([]string, len(todo))
		for i, t := range todo {
			ids[i] = t.next
		}
		commits, err := r.git.Commits(ctx, ids)
		if err != nil {
			for _, t := range todo {
				*t.story = story{} // from the start the next time
			}
			return read, fmt.Errorf("read ledger entries: %w", err)
		}
		read += len(ids)
		todo = slices.DeleteFunc(todo, func(t *reading) bool { return !t.back(s.Repository, commits, most, r.memory.past) })
	}
	return read, nil
}

// back takes one entry in; it says whether there is one before it to be read.
func (t *reading) back(repo promotion.Repository, commits map[string]promotion.Commit, most int, past map[string]*display.Past) bool {
	c, there := commits[t.next]
	e, before := shownEntry(repo, t.key, c, past)
	if !there {
		before = ""
	}
	st := t.story
	switch {
	case t.deep && st.older != t.next:
		return false // the ledger is another one now
	case t.deep:
		if there {
			st.entries = append(slices.Clip(st.entries), e)
		}
		st.older, t.next = before, before
		return before != "" && len(st.entries) < most
	case there:
		t.fresh = append(t.fresh, e)
	}
	joins := len(st.entries) > 0 && before == st.entries[0].Commit
	if joins || before == "" || len(t.fresh) >= most {
		if joins {
			t.fresh = append(t.fresh, st.entries...)
		} else {
			st.older = before
		}
		st.entries = t.fresh[:min(len(t.fresh), most):min(len(t.fresh), most)]
		return false
	}
	t.next = before
	return true
}

// forgetPast drops the promotions that no entry speaks of any more.
func (r *Reconciler) forgetPast(all map[string]*story) {
	spoken := make(map[string]*display.Past, len(r.memory.past))
	for _, st := range all {
		for i := range st.entries {
			if id := st.entries[i].Promotion; r.memory.past[id] != nil {
				spoken[id] = r.memory.past[id]
			}
		}
	}
	r.memory.past = spoken
}

// shownEntry is a ledger's commit for people, and the entry before it. The tip's
// signature was checked and covers its parents, so all of the chain is promobot's.
func shownEntry(repo promotion.Repository, k promotion.Key, c promotion.Commit, past map[string]*display.Past) (e display.Entry, before string) {
	if len(c.Parents) > 0 {
		before = c.Parents[0]
	}
	read, err := state.Peek(c.Message)
	if err != nil {
		return display.Entry{Commit: c.ID, Time: c.Time, Sentence: "an entry that cannot be read"}, ""
	}
	if read.State.Sequence <= 1 {
		before = ""
	}
	e = display.MakeEntry(repo, k, c.ID, c.Time.In(time.UTC), read)
	if e.Promotion != "" {
		past[e.Promotion] = display.PastOf(read, past[e.Promotion])
	}
	return e, before
}
