package main

// What is recorded, read from the ledgers in the simulator's own repository.

import (
	"bytes"
	"context"
	"fmt"

	"github.com/promobot/promobot/state"
)

// ledgers are the environments' states, as pipeline/environment.
func (w *world) ledgers(ctx context.Context) (map[string]state.Environment, error) {
	out, err := w.bare(ctx, ours, nil, "for-each-ref", "--format=%(refname)%00%(contents)%00", state.RefPrefix)
	if err != nil {
		return nil, err
	}
	parts := bytes.Split(out, []byte{0})
	m := map[string]state.Environment{}
	for i := 0; i+1 < len(parts); i += 2 {
		pipeline, environment, err := state.ParseRef(string(bytes.TrimSpace(parts[i])))
		if err != nil {
			return nil, err
		}
		entry, err := state.Peek(string(parts[i+1]))
		if err != nil {
			return nil, fmt.Errorf("the ledger of %s/%s: %w", pipeline, environment, err)
		}
		m[pipeline+"/"+environment] = entry.State
	}
	return m, nil
}

// recorded returns a condition that holds when the ledgers named say of a
// revision's promotion that it has at least come as far as a status: opened, or
// landed.
func (w *world) recorded(revision string, status state.Status, keys []string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		n, err := w.countRecorded(ctx, revision, status, keys)
		return n == len(keys), err
	}
}

func (w *world) countRecorded(ctx context.Context, revision string, status state.Status, keys []string) (int, error) {
	all, err := w.ledgers(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, k := range keys {
		p := all[k].Promotion
		if p == nil || p.Revision != revision {
			continue
		}
		if p.Status == state.Landed || status == state.Opened && p.Status == state.Opened && p.PullRequest != 0 {
			n++
		}
	}
	return n, nil
}
