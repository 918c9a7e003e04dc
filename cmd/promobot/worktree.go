package main

// What is in the work tree and not in a commit, which the offline commands do
// not look at, and say so.

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/config"
)

// sayUncommitted tells what is not looked at. A bare repository has no work
// tree, and nothing to be told.
func (r *localRepository) sayUncommitted(ctx context.Context, to io.Writer) {
	paths := r.uncommitted(ctx)
	if len(paths) == 0 {
		return
	}
	out := newPrinter(to)
	out.line("%s", out.paint(yellow, count(len(paths), "path")+" in the work tree not committed, and so not looked at"))
	if slices.Contains(paths, config.Path) {
		out.line("%s is among them; --file %s uses it as it is", config.Path, printable(filepath.Join(r.path, config.Path)))
	}
}

// uncommitted are the paths of the work tree that differ from HEAD. Asking runs
// none of the repository's programs and writes nothing.
func (r *localRepository) uncommitted(ctx context.Context) []string {
	c := exec.CommandContext(ctx, "git", "-C", r.path, "-c", "core.fsmonitor=false", "--no-optional-locks",
		"status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules")
	// A git hook that calls promobot has the variables of its own repository.
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
	out, err := c.Output()
	if err != nil {
		return nil
	}
	var paths []string
	for line := range bytes.SplitSeq(out, []byte{0}) {
		if len(line) > 3 { // two letters, a space, the path ("git status", PORCELAIN FORMAT VERSION 1)
			paths = append(paths, string(line[3:]))
		}
	}
	return paths
}

// root is the top folder of the work tree.
func (r *localRepository) root(ctx context.Context) (string, error) {
	out, err := r.ask(ctx, "rev-parse", "--show-toplevel")
	root := strings.TrimSuffix(out, "\n")
	if err != nil || root == "" {
		return "", unreadable("%s has no work tree to write to; --dry-run prints the file", printable(r.path))
	}
	return root, nil
}

// tracked are the branches that the last fetch saw at origin, by the names they
// have there.
func (r *localRepository) tracked(ctx context.Context) (map[string]string, error) {
	const prefix = "refs/remotes/origin/"
	out, err := r.ask(ctx, "for-each-ref", "--format=%(objectname) %(refname)", prefix)
	if err != nil {
		return nil, unreadable("%s: %w", printable(r.path), err)
	}
	refs := map[string]string{}
	for line := range strings.Lines(out) {
		id, ref, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if branch, ok := strings.CutPrefix(ref, prefix); ok && branch != "HEAD" {
			refs["refs/heads/"+branch] = id
		}
	}
	return refs, nil
}

// ask runs a command of git that reads.
func (r *localRepository) ask(ctx context.Context, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "git", append([]string{"-C", r.path, "--no-optional-locks"}, args...)...)
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
	out, err := c.Output()
	return string(out), err
}
