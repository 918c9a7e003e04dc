package gitrepo

// Making commits: new blobs, trees and commits of any number of promotions are
// computed here and handed to git in one pack, which it checks and stores as
// loose objects. No tree but those along an edited path is read, and no blob.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
)

// Commit makes the commits in the mirror, in order, and returns their ids; the
// remote learns of them by a Push. Author and committer are the same person, at
// the time given, so equal input makes equal ids. A commit with After stands on
// an earlier one of the call. Deletions go before writes;
// deleting what is not there changes nothing. It fails with ErrUnknownCommit
// when a base or parent is not in the mirror, and when an edit's path cannot be
// (a file where a folder stands, a name that git forbids).
func (r *Repository) Commit(ctx context.Context, commits []promotion.NewCommit) ([]string, error) {
	if r.local {
		return nil, ErrReadOnly
	}
	if len(commits) == 0 {
		return nil, nil
	}
	defer r.use()()
	bases, err := r.basesAndParents(ctx, commits)
	if err != nil {
		return nil, err
	}
	f := r.forest()
	nodes := make([]*node, len(commits))
	var trails []trail
	for i, c := range commits {
		if nodes[i], err = sortEdits(c.Edits); err != nil {
			return nil, err
		}
		for _, e := range c.Edits {
			trails = append(trails, trail{tree: bases[i], rest: split(e.Path)})
		}
	}
	if err := f.follow(ctx, trails); err != nil {
		return nil, err
	}
	p := newPack()
	ids := make([]string, len(commits))
	made := make([]madeCommit, len(commits))
	trees := make([]string, len(commits))
	for i, c := range commits {
		if c.After > 0 {
			bases[i] = trees[c.After-1]
			c.Parents = append([]string{ids[c.After-1]}, c.Parents...)
		}
		tree, err := f.edit(p, bases[i], nodes[i], "")
		if err != nil {
			return nil, err
		}
		if tree == emptyTree {
			p.add(kindTree, nil)
		}
		trees[i] = tree
		data, err := commitObject(tree, c)
		if err != nil {
			return nil, err
		}
		ids[i] = p.add(kindCommit, data)
		made[i] = madeCommit{parents: c.Parents, borrowed: borrowed(c.Edits)}
	}
	if err := r.keep(ctx, p, ids); err != nil {
		return nil, err
	}
	for i, id := range ids {
		r.made.add(id, made[i])
	}
	return ids, nil
}

// basesAndParents looks up every commit that the new ones build on, and returns
// the tree each starts from.
func (r *Repository) basesAndParents(ctx context.Context, commits []promotion.NewCommit) ([]string, error) {
	var ids []string
	for i, c := range commits {
		if c.After < 0 || c.After > i {
			return nil, fmt.Errorf("commit %d of a call cannot stand on its commit %d", i+1, c.After)
		}
		if c.After == 0 && c.Base != "" {
			ids = append(ids, c.Base)
		}
		ids = append(ids, c.Parents...)
	}
	// Not from the cache: the mirror may have been made anew since.
	missing, err := r.absent(ctx, distinct(ids))
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: %w", clip(missing[0], 80), ErrUnknownCommit)
	}
	found, err := r.commits(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, ok := found[id]; !ok {
			return nil, fmt.Errorf("%s: %w", clip(id, 80), ErrUnknownCommit)
		}
	}
	trees := make([]string, len(commits))
	for i, c := range commits {
		trees[i] = emptyTree
		switch {
		case c.After > 0: // whose trees are those that its stack began with, and new ones
			trees[i] = trees[c.After-1]
		case c.Base != "":
			trees[i] = found[c.Base].commit.Tree
		}
	}
	return trees, nil
}

// keep writes the pack's objects and makes sure that git has the commits.
func (r *Repository) keep(ctx context.Context, p *pack, commits []string) error {
	r.writing.RLock()
	defer r.writing.RUnlock()
	err := r.run.do(ctx, command{
		name: "unpack-objects", gitDir: r.dir, timeout: r.opts.Timeout,
		args: []string{"unpack-objects", "-q"}, stdin: bytes.NewReader(p.bytes()),
	})
	if err != nil {
		r.untidy.Store(true)
		return r.noteDamage(explain(err, false))
	}
	missing, err := r.absent(ctx, commits)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("git did not keep commit %s that it was given: %w", missing[0], ErrCorrupt)
	}
	return nil
}

// commitObject is a commit in git's own form. The message gets one line end,
// and reading takes one off.
func commitObject(tree string, c promotion.NewCommit) ([]byte, error) {
	if strings.ContainsRune(c.Message, 0) {
		return nil, errors.New("a commit's message holds a NUL byte")
	}
	when := fmt.Sprintf("%d %s", c.Time.Unix(), c.Time.Format("-0700"))
	if c.Time.IsZero() {
		return nil, errors.New("a commit needs a time")
	}
	who := fmt.Sprintf("%s <%s> %s", personPart(c.Author.Name), personPart(c.Author.Email), when)
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", tree)
	for _, id := range c.Parents {
		fmt.Fprintf(&b, "parent %s\n", id)
	}
	fmt.Fprintf(&b, "author %s\ncommitter %s\n\n%s\n", who, who, c.Message)
	return b.Bytes(), nil
}

// personPart leaves out what would end a name or an address early.
func personPart(s string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c == '<' || c == '>' || c < ' ' || c == 0x7f {
			return -1
		}
		return c
	}, s))
}

// madeCommit is what a push must know of a commit made here.
type madeCommit struct {
	parents  []string
	borrowed []string // blobs taken over by id, which may not be here
}

func borrowed(edits []content.Edit) []string {
	var ids []string
	for _, e := range edits {
		if !e.Delete && e.Bytes == nil && e.Mode != modeCommit {
			ids = append(ids, e.Blob)
		}
	}
	return ids
}
