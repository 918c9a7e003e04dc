package dryrun

// The git port: reads go to the repository, what is written stays in memory.

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// world is the repository as the loop sees it, with what the loop has written.
// It is used by one loop at a time.
type world struct {
	src        Source
	repository promotion.Repository
	now        time.Time
	tip        string            // of the base branch
	branches   map[string]string // tips of others

	chain []promotion.Commit // newest first, ending at the baseline
	index map[string]int

	listings map[listed]content.Listing
	file     string // the pipeline file's blob
	blobs    content.Blobs
	cached   int // bytes in blobs, without the pipeline file's

	refs    promotion.Refs // promotions' branches and ledgers
	made    map[string]promotion.Commit
	pulls   []*promotion.PullRequest
	entries []written // not looked at yet
}

// listed are folders at a commit.
type listed struct{ commit, dirs string }

// listingsKept bounds the listings in memory.
const listingsKept = 20_000

// written is a ledger entry that the loop wrote.
type written struct {
	key   promotion.Key
	at    time.Time
	tip   string // of the base branch then
	entry state.Entry
}

func newWorld(src Source, chain []promotion.Commit, o Options) *world {
	w := &world{
		src: src, repository: o.Repository, branches: o.Branches, chain: chain, index: make(map[string]int, len(chain)),
		file: state.Hash("pipeline file", string(o.File))[:40], blobs: content.Blobs{},
		listings: map[listed]content.Listing{}, refs: promotion.Refs{}, made: map[string]promotion.Commit{},
	}
	w.blobs[w.file] = o.File
	for i, c := range chain {
		w.index[c.ID] = i
	}
	return w
}

// Fetch returns the base branch and what the loop has pushed.
func (w *world) Fetch(context.Context) (promotion.Refs, error) {
	refs := maps.Clone(w.refs)
	for branch, tip := range w.branches {
		refs["refs/heads/"+branch] = tip
	}
	refs["refs/heads/"+w.repository.DefaultBranch] = w.tip
	return refs, nil
}

// Chain ends at the baseline: nothing below it is ever looked at.
func (w *world) Chain(ctx context.Context, tip, stop string, limit int) ([]promotion.Commit, error) {
	i, on := w.index[tip]
	if !on {
		return w.src.Chain(ctx, tip, stop, limit)
	}
	out := w.chain[i:]
	if j, there := w.index[stop]; there && j >= i {
		out = w.chain[i : j+1]
	}
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out, nil
}

// Commits knows the loop's own commits too.
func (w *world) Commits(ctx context.Context, ids []string) (map[string]promotion.Commit, error) {
	found := make(map[string]promotion.Commit, len(ids))
	var others []string
	for _, id := range ids {
		if c, ok := w.made[id]; ok {
			found[id] = c
		} else {
			others = append(others, id)
		}
	}
	if len(others) == 0 {
		return found, nil
	}
	read, err := w.src.Commits(ctx, others)
	maps.Copy(found, read)
	return found, err
}

// Between needs no git where both ends are on the chain.
func (w *world) Between(ctx context.Context, older, newer string, paths []string, limit int) ([]promotion.Commit, error) {
	i, on := w.index[newer]
	j, onToo := w.index[older]
	if !on || !onToo || j < i {
		return w.src.Between(ctx, older, newer, paths, limit)
	}
	var out []promotion.Commit
	for _, c := range w.chain[i:j] {
		if limit > 0 && len(out) == limit {
			break
		}
		if slices.ContainsFunc(c.Changed, func(p string) bool { return within(p, paths) }) {
			out = append(out, c)
		}
	}
	return out, nil
}

func within(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return f == "" || path == f || strings.HasPrefix(path, f) && path[len(f)] == '/'
	})
}

// List shows the pipeline file that is asked about at every commit.
func (w *world) List(ctx context.Context, commit string, dirs []string) (content.Listing, error) {
	k := listed{commit, strings.Join(dirs, "\x00")}
	if files, known := w.listings[k]; known {
		return files, nil
	}
	files, err := w.src.List(ctx, commit, dirs)
	if err != nil {
		return nil, err
	}
	if len(w.listings) >= listingsKept {
		clear(w.listings)
	}
	w.listings[k] = files
	if !within(config.Path, dirs) {
		return files, nil
	}
	maps.DeleteFunc(files, func(p string, _ content.File) bool { return strings.HasPrefix(p, config.Path+"/") })
	files[config.Path] = content.File{Mode: "100644", Blob: w.file}
	return files, nil
}

// Paths are the repository's.
func (w *world) Paths(ctx context.Context, commit string) ([]string, error) {
	return w.src.Paths(ctx, commit)
}

// cacheBytes bounds the files kept in memory.
const cacheBytes = 256 << 20

// Blobs reads blobs once. It never says that it fetched: there is no network
// here that could have let time pass.
func (w *world) Blobs(ctx context.Context, ids []string) (blobs content.Blobs, fetched bool, err error) {
	blobs = make(content.Blobs, len(ids))
	var unread []string
	for _, id := range ids {
		if b, ok := w.blobs[id]; ok {
			blobs[id] = b
		} else {
			unread = append(unread, id)
		}
	}
	if len(unread) == 0 {
		return blobs, false, nil
	}
	read, _, err := w.src.Blobs(ctx, unread)
	if err != nil {
		return nil, false, err
	}
	w.keep(read)
	maps.Copy(blobs, read)
	return blobs, false, nil
}

func (w *world) keep(blobs content.Blobs) {
	for _, b := range blobs {
		w.cached += len(b)
	}
	if w.cached > cacheBytes {
		w.blobs, w.cached = content.Blobs{w.file: w.blobs[w.file]}, 0
		for _, b := range blobs {
			w.cached += len(b)
		}
	}
	maps.Copy(w.blobs, blobs)
}

// Commit makes commits in memory. Their trees are never read: what a promotion
// changes is in its decision.
func (w *world) Commit(_ context.Context, commits []promotion.NewCommit) ([]string, error) {
	ids := make([]string, len(commits))
	for i, n := range commits {
		if n.After > 0 {
			n.Base, n.Parents = ids[n.After-1], append([]string{ids[n.After-1]}, n.Parents...)
		}
		parts := append([]string{n.Base, n.Message, strconv.FormatInt(n.Time.Unix(), 10)}, n.Parents...)
		for _, e := range n.Edits {
			parts = append(parts, e.Path, e.Mode, e.Blob, string(e.Bytes))
		}
		c := promotion.Commit{
			ID: state.Hash(parts...)[:40], Tree: state.EmptyTree, Parents: n.Parents,
			Author: n.Author, Time: n.Time, Message: n.Message,
		}
		if n.Base != "" {
			c.Tree = state.Hash("tree of", c.ID)[:40]
		}
		w.made[c.ID] = c
		ids[i] = c.ID
	}
	return ids, nil
}

// Push moves refs in memory, each with its lease, and notes ledger entries.
func (w *world) Push(_ context.Context, updates []promotion.RefUpdate, _ bool) ([]promotion.PushResult, error) {
	results := make([]promotion.PushResult, len(updates))
	for i, u := range updates {
		results[i] = promotion.PushResult{RefUpdate: u, Status: promotion.Pushed}
		switch {
		case w.refs[u.Ref] != u.Old:
			results[i].Status, results[i].Reason = promotion.Conflict, "stale info"
			continue
		case u.New == "":
			delete(w.refs, u.Ref)
			continue
		}
		w.refs[u.Ref] = u.New
		if err := w.note(u); err != nil {
			return results[:i], err
		}
	}
	return results, nil
}

func (w *world) note(u promotion.RefUpdate) error {
	if !strings.HasPrefix(u.Ref, state.RefPrefix) {
		return nil
	}
	pipeline, environment, err := state.ParseRef(u.Ref)
	if err != nil {
		return err
	}
	e, err := state.Peek(w.made[u.New].Message)
	if err != nil {
		return err
	}
	delete(w.made, u.Old) // the loop knows the entry before; nothing asks for it again
	w.entries = append(w.entries, written{promotion.Key{Pipeline: pipeline, Environment: environment}, w.now, w.tip, e})
	return nil
}
