package gitrepo

// Reading ahead: whoever walks a chain commit by commit needs at each the trees
// and files that it changed. For a whole run of commits they are found by one
// process and read by two more.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
)

// ReadAhead reads what the commits of a chain changed against their first
// parents: folders into the cache, and of the changed files those that keep
// wants, whose bytes before and after are returned by their ids. Files that are
// missing or larger than Options.MaxBlob are left out: whoever asks for them by
// name is told. It uses no network.
func (r *Repository) ReadAhead(ctx context.Context, chain []promotion.Commit, keep func(path string) bool) (content.Blobs, error) {
	defer r.use()()
	pairs, err := r.treesOf(ctx, chain)
	if err != nil {
		return nil, err
	}
	var trees, files []string
	for _, p := range pairs {
		trees = append(trees, p.after)
	}
	var in bytes.Buffer
	for _, p := range pairs {
		fmt.Fprintf(&in, "%s %s\n", p.before, p.after)
	}
	err = r.run.do(ctx, command{
		name: "diff-tree", gitDir: r.dir, stdin: &in, timeout: r.opts.Timeout,
		args: []string{"diff-tree", "--stdin", "-r", "-t", "-z", "--raw", "--no-renames", "--no-abbrev"},
		read: func(out *bufio.Reader) error {
			return readSides(out, func(mode, id, path string) {
				switch {
				case mode == "0"+modeTree:
					trees = append(trees, id)
				case mode != modeCommit && keep(path):
					files = append(files, id)
				}
			})
		},
	})
	if err != nil {
		return nil, r.noteDamage(explain(err, false))
	}
	if err := r.forest().load(ctx, trees); err != nil {
		return nil, err
	}
	blobs := content.Blobs{}
	err = r.readObjects(ctx, distinct(files), r.opts.MaxBlob, func(o object) error {
		if !o.missing && o.kind == "blob" && o.data != nil {
			blobs[o.id] = o.data
		}
		return nil
	})
	return blobs, err
}

// treePair is a commit's tree and that of its first parent.
type treePair struct{ before, after string }

func (r *Repository) treesOf(ctx context.Context, chain []promotion.Commit) ([]treePair, error) {
	var parents []string
	for _, c := range chain {
		if len(c.Parents) > 0 {
			parents = append(parents, c.Parents[0])
		}
	}
	found, err := r.commits(ctx, parents)
	if err != nil {
		return nil, err
	}
	pairs := make([]treePair, len(chain))
	for i, c := range chain {
		pairs[i] = treePair{before: emptyTree, after: c.Tree}
		if len(c.Parents) == 0 {
			continue
		}
		if k, ok := found[c.Parents[0]]; ok { // absent where a shallow clone ends
			pairs[i].before = k.commit.Tree
		}
	}
	return pairs, nil
}

// readSides reads what diff-tree says of pairs of trees, and calls each with both
// sides of every changed path that are there.
func readSides(out *bufio.Reader, each func(mode, id, path string)) error {
	for {
		next, err := out.Peek(1)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if next[0] != ':' {
			if _, err := out.ReadString('\n'); err != nil {
				return fmt.Errorf("git diff-tree broke off: %w", io.ErrUnexpectedEOF)
			}
			continue
		}
		meta, err := out.ReadString(0)
		if err != nil {
			return fmt.Errorf("git diff-tree broke off: %w", io.ErrUnexpectedEOF)
		}
		path, err := out.ReadString(0)
		if err != nil {
			return fmt.Errorf("git diff-tree broke off: %w", io.ErrUnexpectedEOF)
		}
		path = strings.TrimSuffix(path, "\x00")
		f := strings.Fields(strings.TrimPrefix(meta, ":")) // mode mode id id status
		if len(f) < 4 {
			return fmt.Errorf("git diff-tree answered %q", clip(meta, 200))
		}
		for i := range 2 {
			if f[i] != "000000" {
				each(f[i], f[i+2], path)
			}
		}
	}
}
