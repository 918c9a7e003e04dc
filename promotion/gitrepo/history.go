package gitrepo

// Commits and chains. A chain is read newest first, in runs that grow, until it
// meets what is known or what was asked for; so looking again costs the new
// commits alone.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
)

// Resolve returns the id of the commit that a revision as people write it
// (a branch, a tag, HEAD~3, an abbreviated id) names. For the words of the
// person at this machine only, never for names out of repositories.
func (r *Repository) Resolve(ctx context.Context, revision string) (string, error) {
	defer r.use()()
	out, err := r.run.text(ctx, command{
		name: "rev-parse", gitDir: r.dir, timeout: r.opts.Timeout,
		args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}"},
	})
	if err != nil {
		if _, ok := errors.AsType[*ProcessError](err); ok {
			return "", fmt.Errorf("%q: %w", revision, ErrUnknownCommit)
		}
		return "", err
	}
	return strings.TrimSpace(out), nil
}

// Commits returns the commits of these ids that are in the mirror; others, and
// ids of things that are no commits, are absent. Changed is not filled.
func (r *Repository) Commits(ctx context.Context, ids []string) (map[string]promotion.Commit, error) {
	defer r.use()()
	found, err := r.commits(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]promotion.Commit, len(found))
	for id, k := range found {
		k.commit.Changed = nil
		out[id] = k.commit
	}
	return out, nil
}

func (r *Repository) commits(ctx context.Context, ids []string) (map[string]known, error) {
	found := make(map[string]known, len(ids))
	var unread []string
	for _, id := range distinct(ids) {
		if k, ok := r.cache.commit(id); ok {
			found[id] = k
		} else if isID(id) {
			unread = append(unread, id)
		}
	}
	err := r.readObjects(ctx, unread, structureLimit, func(o object) error {
		if o.kind != "commit" || o.data == nil {
			return nil
		}
		c, err := parseCommit(o.id, o.data)
		if err != nil {
			return err
		}
		k := known{commit: c, linked: !r.local}
		if len(c.Parents) > 0 {
			k.first = c.Parents[0]
		}
		found[o.id] = k
		r.cache.addCommit(k)
		return nil
	})
	return found, err
}

// commit returns one commit, or ErrUnknownCommit.
func (r *Repository) commit(ctx context.Context, id string) (promotion.Commit, error) {
	found, err := r.commits(ctx, []string{id})
	if err != nil {
		return promotion.Commit{}, err
	}
	k, ok := found[id]
	if !ok {
		return promotion.Commit{}, fmt.Errorf("%s: %w", clip(id, 80), ErrUnknownCommit)
	}
	return k.commit, nil
}

// parseCommit reads a commit object: header lines, an empty line, the message.
func parseCommit(id string, data []byte) (promotion.Commit, error) {
	c := promotion.Commit{ID: id}
	head, message, _ := bytes.Cut(data, []byte("\n\n"))
	c.Message = strings.TrimSuffix(string(message), "\n")
	for line := range strings.Lines(string(head)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "tree":
			c.Tree = value
		case "parent":
			c.Parents = append(c.Parents, value)
		case "author":
			c.Author, _ = parsePerson(value)
		case "committer":
			_, c.Time = parsePerson(value)
		}
	}
	if !isID(c.Tree) {
		return c, fmt.Errorf("commit %s names no tree: %w", id, ErrCorrupt)
	}
	return c, nil
}

// parsePerson reads "Name <email> seconds zone"; a part that is not there or
// not understood stays empty, since anything may stand in a pushed commit.
func parsePerson(s string) (promotion.Person, time.Time) {
	var p promotion.Person
	name, rest, _ := strings.Cut(s, "<")
	p.Name = strings.TrimSpace(name)
	end := strings.LastIndexByte(rest, '>')
	if end < 0 {
		return p, time.Time{}
	}
	p.Email = rest[:end]
	fields := strings.Fields(rest[end+1:])
	if len(fields) == 0 {
		return p, time.Time{}
	}
	seconds, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return p, time.Time{}
	}
	zone := time.UTC
	if len(fields) > 1 {
		if t, err := time.Parse("-0700", fields[1]); err == nil {
			_, offset := t.Zone()
			if offset != 0 {
				zone = time.FixedZone("", offset)
			}
		}
	}
	return p, time.Unix(seconds, 0).In(zone)
}

// Chain returns the first-parent history of tip, newest first, each commit with
// the paths it changed against its first parent. It ends after stop if that is
// on the chain, after limit commits if limit is above 0, and at the root. No
// blob is needed. The commits' slices are shared: they must not be changed.
func (r *Repository) Chain(ctx context.Context, tip, stop string, limit int) ([]promotion.Commit, error) {
	return r.walk(ctx, tip, stop, limit, true)
}

// Log is Chain without the changed paths: for a ledger's entries.
func (r *Repository) Log(ctx context.Context, from, stop string, limit int) ([]promotion.Commit, error) {
	return r.walk(ctx, from, stop, limit, false)
}

const (
	firstRun = 64
	largeRun = 4096
)

func (r *Repository) walk(ctx context.Context, tip, stop string, limit int, changed bool) ([]promotion.Commit, error) {
	defer r.use()()
	if !isID(tip) {
		return nil, fmt.Errorf("%q: %w", clip(tip, 80), ErrUnknownCommit)
	}
	var out []promotion.Commit
	run := firstRun
	for id := tip; id != ""; {
		steps := []known{}
		if k, ok := r.cache.commit(id); ok && k.linked && (k.changed || !changed) {
			steps = append(steps, k)
		} else {
			n := run
			if limit > 0 {
				n = min(n, limit-len(out))
			}
			var err error
			if steps, err = r.readRun(ctx, id, n, changed); err != nil {
				return nil, err
			}
			run = min(run*4, largeRun)
		}
		for _, k := range steps {
			if !changed {
				k.commit.Changed = nil
			}
			out = append(out, k.commit)
			if k.commit.ID == stop || len(out) == limit {
				return out, nil
			}
			id = k.first
		}
	}
	return out, nil
}

// readRun reads up to n commits of a chain, ending early at one that is known.
func (r *Repository) readRun(ctx context.Context, from string, n int, changed bool) ([]known, error) {
	ids, err := r.revList(ctx, []string{"--first-parent", "--max-count=" + strconv.Itoa(n)}, from)
	if err != nil {
		return nil, err
	}
	ended := len(ids) < n
	for i, id := range ids {
		if k, ok := r.cache.commit(id); ok && i > 0 && k.linked && (k.changed || !changed) {
			ids, ended = ids[:i], false
			break
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s: %w", from, ErrUnknownCommit)
	}
	found, err := r.commits(ctx, ids)
	if err != nil {
		return nil, err
	}
	run := make([]known, len(ids))
	for i, id := range ids {
		k, ok := found[id]
		if !ok {
			return nil, r.noteDamage(fmt.Errorf("commit %s is missing: %w", id, ErrCorrupt))
		}
		if ended && i == len(ids)-1 {
			k.first = "" // the root, or where a shallow clone ends
		}
		k.linked = true
		run[i] = k
	}
	if changed {
		if err := r.fillChanged(ctx, run); err != nil {
			return nil, err
		}
	}
	for _, k := range run {
		r.cache.addCommit(k)
	}
	return run, nil
}

// revList lists commit ids; revisions are ids, negated with a leading ^. A
// commit that is not here is ErrUnknownCommit.
func (r *Repository) revList(ctx context.Context, options []string, revisions ...string) ([]string, error) {
	out, err := r.run.text(ctx, command{
		name: "rev-list", gitDir: r.dir, timeout: r.opts.Timeout,
		args:  append(append([]string{"rev-list"}, options...), "--stdin"),
		stdin: strings.NewReader(strings.Join(revisions, "\n") + "\n"),
	})
	if err != nil {
		return nil, r.unknownOr(ctx, err, revisions)
	}
	return strings.Fields(out), nil
}

// unknownOr tells a question about an unknown commit from a damaged mirror.
func (r *Repository) unknownOr(ctx context.Context, err error, revisions []string) error {
	if _, ok := errors.AsType[*ProcessError](err); !ok {
		return err
	}
	for _, id := range revisions {
		if _, unknown := r.commit(ctx, strings.TrimPrefix(id, "^")); errors.Is(unknown, ErrUnknownCommit) {
			return unknown
		}
	}
	return r.noteDamage(explain(err, false))
}

// Contains says whether ancestor is descendant or in its history, along all
// parents. A commit that is not in the mirror is ErrUnknownCommit.
func (r *Repository) Contains(ctx context.Context, ancestor, descendant string) (bool, error) {
	defer r.use()()
	for _, id := range []string{ancestor, descendant} {
		if !isID(id) {
			return false, fmt.Errorf("%q: %w", clip(id, 80), ErrUnknownCommit)
		}
	}
	pair := [2]string{ancestor, descendant}
	if contained, ok := r.cache.isContained(pair); ok {
		return contained, nil
	}
	err := r.run.do(ctx, command{
		name: "merge-base", gitDir: r.dir, timeout: r.opts.Timeout,
		args: []string{"merge-base", "--is-ancestor", ancestor, descendant},
	})
	var p *ProcessError
	if errors.As(err, &p) && p.Exit == 1 {
		r.cache.addContained(pair, false)
		return false, nil
	}
	if err != nil {
		return false, r.unknownOr(ctx, err, pair[:])
	}
	r.cache.addContained(pair, true)
	return true, nil
}

// Between returns the commits of newer's chain that are not in older's history
// and change something at or below one of the paths ("" stands for
// everything), newest first, at most limit if that is above 0. With an empty
// older it looks through the whole chain.
func (r *Repository) Between(ctx context.Context, older, newer string, paths []string, limit int) ([]promotion.Commit, error) {
	defer r.use()()
	if !isID(newer) || older != "" && !isID(older) {
		return nil, fmt.Errorf("%q..%q: %w", clip(older, 80), clip(newer, 80), ErrUnknownCommit)
	}
	revisions := []string{newer}
	if older != "" {
		revisions = append(revisions, "^"+older)
	}
	ids, err := r.revList(ctx, []string{"--first-parent"}, revisions...)
	if err != nil {
		return nil, err
	}
	var out []promotion.Commit
	for len(ids) > 0 {
		// The commits left are one stretch of the chain: excluding a history
		// excludes every commit below its first one.
		stretch, err := r.walk(ctx, ids[0], ids[min(len(ids), largeRun)-1], len(ids), true)
		if err != nil {
			return nil, err
		}
		for _, c := range stretch {
			if !touches(c.Changed, paths) {
				continue
			}
			out = append(out, c)
			if len(out) == limit {
				return out, nil
			}
		}
		ids = ids[min(len(ids), len(stretch)):]
	}
	return out, nil
}

func touches(changed, paths []string) bool {
	for _, p := range paths {
		p = strings.Trim(p, "/")
		for _, c := range changed {
			if p == "" || c == p || strings.HasPrefix(c, p) && c[len(p)] == '/' {
				return true
			}
		}
	}
	return false
}
