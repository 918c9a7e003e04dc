package reconcile

// Reading and writing ledgers. A ledger that is not signed by promobot, or that
// does not descend from the entry last seen, is not trusted: its environment
// waits, and says so.

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

type decoded struct {
	entry state.Entry
	at    time.Time
	err   error
}

// readLedgers fills the snapshot's environments with what their ledgers say.
func (r *Reconciler) readLedgers(ctx context.Context, v *view) error {
	s := v.snapshot
	var unread []string
	for pi := range v.pipelines {
		p := &v.pipelines[pi]
		for ei := range p.Environments {
			k := promotion.Key{Pipeline: p.Key, Environment: p.Environments[ei].Name}
			ref := state.Ref(k.Pipeline, k.Environment)
			tip := v.refs[ref]
			s.Environments = append(s.Environments, promotion.Observed{
				Key: k, Pipeline: p, Config: &p.Environments[ei],
				Ledger: promotion.Ledger{Ref: ref, Tip: tip},
			})
			if _, known := r.memory.entries[tip]; tip != "" && !known {
				unread = append(unread, tip)
			}
			if last := r.memory.tips[ref]; last != "" && last != tip && tip != "" {
				unread = append(unread, tip)
			}
		}
	}
	commits, err := r.git.Commits(ctx, unread)
	if err != nil {
		return fmt.Errorf("read ledgers: %w", err)
	}
	for i := range s.Environments {
		if err := r.readLedger(ctx, s.Repository, &s.Environments[i].Ledger, commits); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) readLedger(ctx context.Context, repo promotion.Repository, l *promotion.Ledger, commits map[string]promotion.Commit) error {
	last := r.memory.tips[l.Ref]
	if l.Tip == "" {
		if last != "" {
			l.Problem = fmt.Sprintf("its ledger %s was deleted; restore it with `git push origin %s:%s`", l.Ref, last, l.Ref)
		}
		return nil
	}
	d, known := r.memory.entries[l.Tip]
	if !known {
		c, there := commits[l.Tip]
		if !there {
			return fmt.Errorf("read ledger %s: entry %.10s is missing", l.Ref, l.Tip)
		}
		d.entry, d.err = r.o.Keys.Decode(state.Place{Repository: repo.ID, Ref: l.Ref, Parents: c.Parents}, c.Message)
		if d.err == nil && c.Tree != state.EmptyTree {
			d.err = state.ErrFormat
		}
		d.at = c.Time
		r.memory.entries[l.Tip] = d
	}
	if d.err != nil {
		l.Problem = fmt.Sprintf("its ledger %s cannot be trusted: %v; restore an entry of promobot's, or delete the ref to begin anew from what stands", l.Ref, d.err)
		return nil //nolint:nilerr // its environment's trouble, not the pass's
	}
	if last != "" && last != l.Tip {
		descends, err := r.descends(ctx, l.Tip, last)
		if err != nil {
			return err
		}
		if !descends {
			l.Problem = fmt.Sprintf("its ledger %s was moved back or replaced; restore it with `git push --force origin %s:%s`", l.Ref, last, l.Ref)
			return nil
		}
	}
	r.memory.tips[l.Ref] = l.Tip
	st := d.entry.State.Clone()
	l.State, l.At = &st, d.at
	return nil
}

// descends walks a ledger's first parents from tip back to an entry.
func (r *Reconciler) descends(ctx context.Context, tip, ancestor string) (bool, error) {
	for id := tip; id != ""; {
		cs, err := r.git.Commits(ctx, []string{id})
		if err != nil {
			return false, fmt.Errorf("read ledger: %w", err)
		}
		c, ok := cs[id]
		if !ok || len(c.Parents) == 0 {
			return false, nil
		}
		if id = c.Parents[0]; id == ancestor {
			return true, nil
		}
	}
	return false, nil
}

// entry is a ledger entry to be written.
type entry struct {
	observed *promotion.Observed
	kind     state.Kind
	sentence string
	state    state.Environment
	keep     string // a commit that the entry keeps alive as its second parent
	// leaves is a branch without meaning from now on. It goes with the entry: by
	// itself it would stay for ever if the process ended between the two.
	leaves *promotion.RefUpdate
}

// write makes entries and pushes them together, each with its own lease. It
// returns which were won; a lost one means that its environment moved on.
func (r *Reconciler) write(ctx context.Context, s *promotion.Snapshot, es []entry) (won []bool, err error) {
	return r.push(ctx, s, es, false, nil)
}

// writeTogether pushes entries and other refs as one, or not at all.
func (r *Reconciler) writeTogether(ctx context.Context, s *promotion.Snapshot, es []entry, more ...promotion.RefUpdate) (won []bool, err error) {
	return r.push(ctx, s, es, true, more)
}

func (r *Reconciler) push(ctx context.Context, s *promotion.Snapshot, es []entry, atomic bool, more []promotion.RefUpdate) (won []bool, err error) {
	won = make([]bool, len(es))
	if len(es) == 0 {
		return won, nil
	}
	ids, err := r.encode(ctx, s, es)
	if err != nil {
		return won, err
	}
	updates := make([]promotion.RefUpdate, len(es), len(es)+len(more))
	for i, e := range es {
		updates[i] = promotion.RefUpdate{Ref: e.observed.Ledger.Ref, Old: e.observed.Ledger.Tip, New: ids[i]}
	}
	updates = append(updates, more...)
	for _, e := range es {
		if e.leaves != nil && !slices.ContainsFunc(updates, func(u promotion.RefUpdate) bool { return u.Ref == e.leaves.Ref }) {
			updates = append(updates, *e.leaves)
		}
	}
	results, err := r.git.Push(ctx, updates, atomic)
	if err != nil {
		return won, fmt.Errorf("push ledger entries: %w", err)
	}
	byRef := make(map[string]promotion.PushResult, len(results))
	for _, res := range results {
		byRef[res.Ref] = res
	}
	for i := range es {
		e := &es[i]
		l := &e.observed.Ledger
		switch res := byRef[l.Ref]; res.Status {
		case promotion.Pushed:
			won[i] = true
			st := e.state.Clone()
			l.Tip, l.State = ids[i], &st
			r.memory.tips[l.Ref] = ids[i]
			r.o.Log.Info().Str("environment", e.observed.Key.String()).Str("entry", string(e.kind)).Msg(e.sentence)
		case promotion.Refused:
			r.refuse(e.observed.Key, fmt.Sprintf("GitHub refuses to write its ledger %s: %s", res.Ref, res.Reason), refusedAgain)
		case promotion.Conflict, promotion.Bystander, promotion.Unknown:
			if res.Status == promotion.Conflict && len(more) > 0 && len(es) > 1 {
				r.aside[e.observed.Key] = true
			}
			r.o.Log.Debug().Str("ref", res.Ref).Str("reason", res.Reason).Msg("ledger moved; deciding anew")
		}
	}
	for _, u := range more {
		r.refusedWith(es, byRef[u.Ref])
	}
	return won, nil
}

// refusedWith tells what became of a ref that entries were pushed with: a
// conflict is one more attempt of each, a refusal is a person's to mend.
func (r *Reconciler) refusedWith(es []entry, res promotion.PushResult) {
	for i := range es {
		k := es[i].observed.Key
		switch res.Status {
		case promotion.Conflict:
			r.conflicted(es[i].observed, res)
		case promotion.Refused:
			r.refuse(k, fmt.Sprintf("GitHub refuses the push to %s: %s", strings.TrimPrefix(res.Ref, "refs/heads/"), res.Reason), refusedAgain)
		case promotion.Pushed, promotion.Bystander, promotion.Unknown:
		}
	}
}

// encode makes the entries' commits.
func (r *Reconciler) encode(ctx context.Context, s *promotion.Snapshot, es []entry) (ids []string, err error) {
	commits := make([]promotion.NewCommit, len(es))
	for i, e := range es {
		var parents []string
		if e.observed.Ledger.Tip != "" {
			parents = append(parents, e.observed.Ledger.Tip)
		}
		if e.keep != "" {
			parents = append(parents, e.keep)
		}
		var ts []state.Trailer
		if p := e.state.Promotion; p != nil && e.kind != state.KindBaseline && e.kind != state.KindSettled && e.kind != state.KindAccepted {
			ts = p.Trailers(e.observed.Key.Pipeline, e.observed.Key.Environment)
		}
		m, err := r.o.Keys.Encode(
			state.Place{Repository: s.Repository.ID, Ref: e.observed.Ledger.Ref, Parents: parents},
			state.Entry{Kind: e.kind, Sentence: e.sentence, State: e.state, Trailers: ts}, r.o.Nonce())
		if err != nil {
			return nil, err
		}
		commits[i] = promotion.NewCommit{Parents: parents, Author: r.o.Author, Time: r.o.Now(), Message: m}
	}
	if ids, err = r.git.Commit(ctx, commits); err != nil {
		return nil, fmt.Errorf("write ledger entries: %w", err)
	}
	return ids, nil
}
