package gitrepo

// Which paths each commit of a chain changed: trees compared with the first
// parent's, in one process for a whole run. Names come out unquoted, ended by
// NUL; a name that looks like an id cannot be taken for one, since every name
// follows a line of modes.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// fillChanged fills Changed of a run of commits of one chain, newest first.
func (r *Repository) fillChanged(ctx context.Context, run []known) error {
	last := run[len(run)-1]
	before := emptyTree
	if last.first != "" {
		parent, err := r.commit(ctx, last.first)
		if err != nil {
			return r.noteDamage(fmt.Errorf("parent of %s: %w", last.commit.ID, err))
		}
		before = parent.Tree
	}
	var in bytes.Buffer
	for i, k := range run {
		older := before
		if i+1 < len(run) {
			older = run[i+1].commit.Tree
		}
		fmt.Fprintf(&in, "%s %s\n", older, k.commit.Tree)
	}
	err := r.run.do(ctx, command{
		name: "diff-tree", gitDir: r.dir, stdin: &in, timeout: r.opts.Timeout,
		args: []string{"diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--no-abbrev"},
		read: func(out *bufio.Reader) error { return readDiffs(out, run) },
	})
	return r.noteDamage(explain(err, false))
}

// readDiffs reads for each pair of trees a line of their ids, then per path
// ":modes ids status" NUL path NUL ("git diff", RAW OUTPUT FORMAT).
func readDiffs(out *bufio.Reader, run []known) error {
	at := -1
	for {
		next, err := out.Peek(1)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if next[0] != ':' {
			if _, err := out.ReadString('\n'); err != nil {
				return fmt.Errorf("git diff-tree broke off: %w", io.ErrUnexpectedEOF)
			}
			if at++; at == len(run) {
				return errors.New("git diff-tree answered more than it was asked")
			}
			run[at].changed = true
			run[at].commit.Changed = []string{}
			continue
		}
		if _, err := out.ReadString(0); err != nil {
			return fmt.Errorf("git diff-tree broke off: %w", io.ErrUnexpectedEOF)
		}
		path, err := out.ReadString(0)
		if err != nil || at < 0 {
			return fmt.Errorf("git diff-tree broke off: %w", io.ErrUnexpectedEOF)
		}
		run[at].commit.Changed = append(run[at].commit.Changed, strings.TrimSuffix(path, "\x00"))
	}
	if at != len(run)-1 {
		return fmt.Errorf("git diff-tree broke off: %w", io.ErrUnexpectedEOF)
	}
	return nil
}
