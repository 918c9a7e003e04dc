package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/gitrepo"
)

const validateHelp = `Checks a pipeline file: ` + config.Path + ` unless another is named, - for
standard input. Each problem is one line, with what to write instead:

  FILE:LINE:COLUMN: what is wrong; how to mend it

With --repo the file is also held against the files of that repository's newest
commit (HEAD): places that do not exist, values that are ranges, two pipelines
that move the same value, environments that another tool writes, and copied
files that name their own environment.

Exit codes: 0 valid, 1 not valid, 2 the command was not understood, 3 something
could not be read.`

func newValidateCommand() *cobra.Command {
	var repo string
	c := &cobra.Command{
		Use:   "validate [FILE] [--repo PATH]",
		Short: "Check a pipeline file",
		Long:  validateHelp,
		Example: `  promobot validate
  promobot validate --repo .
  git show my-branch:.github/promobot.yml | promobot validate -`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := filepath.Join(repo, filepath.FromSlash(config.Path))
			if len(args) > 0 {
				name = args[0]
			}
			return validate(c.Context(), name, repo, c.InOrStdin(), newPrinter(c.OutOrStdout()))
		},
	}
	c.Flags().StringVar(&repo, "repo", "", "hold it against the newest commit of the repository at this `path` too")
	return c
}

func validate(ctx context.Context, name, repo string, stdin io.Reader, out printer) error {
	name, text, err := readNamed(name, stdin)
	if err != nil {
		return err
	}
	file, problems := config.Parse(name, text)
	if len(problems) > 0 {
		out.printProblems(problems)
		return silent()
	}
	if repo == "" {
		out.line("%s: %s; --repo PATH holds it against a repository's files too", out.paint(green, "valid"), count(len(file.EnvironmentNames()), "environment"))
		return nil
	}
	r, err := openRepository(repo)
	if err != nil {
		return err
	}
	commit, err := r.resolve(ctx, "HEAD")
	if err != nil {
		return err
	}
	pipelines, problems, err := r.check(ctx, file, commit)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		out.printProblems(problems)
		return silent()
	}
	environments := 0
	for i := range pipelines {
		for _, e := range pipelines[i].Environments {
			if e.Present {
				environments++
			}
		}
	}
	out.line("%s: %s, %s", out.paint(green, "valid"), count(len(pipelines), "pipeline"), count(environments, "environment"))
	return nil
}

// check holds a valid pipeline file against the files of a commit, names first
// and then the bytes of those that are copied.
func (r *localRepository) check(ctx context.Context, file *config.File, commit string) ([]config.Pipeline, config.Problems, error) {
	tree, tips, err := r.tree(ctx, file, commit)
	if err != nil {
		return nil, nil, err
	}
	listings := map[string]content.Listing{}
	for branch, tip := range tips {
		if listings[branch], err = r.List(ctx, tip, []string{""}); err != nil {
			return nil, nil, unreadable("%s at %.10s: %w", printable(r.path), tip, err)
		}
	}
	pipelines, problems := file.Resolve(tree)
	blobsOf := map[config.At]string{}
	for _, at := range file.Moved(pipelines, tree) {
		if f := listings[at.Branch][at.Path]; isRegular(f.Mode) {
			blobsOf[at] = f.Blob
		}
	}
	blobs, _, err := r.Blobs(ctx, slices.Collect(maps.Values(blobsOf)))
	if err != nil {
		return nil, nil, unreadable("%s at %.10s: %w", printable(r.path), commit, err)
	}
	contents := make(map[config.At][]byte, len(blobsOf))
	for at, id := range blobsOf {
		contents[at] = blobs[id]
	}
	return pipelines, append(problems, file.Check(pipelines, contents)...), nil
}

// tree is the files at a commit, which stands for the default branch, and those
// of the other branches that a file names, as they are here or were at the last
// fetch; tips are their commits, "" for the first.
func (r *localRepository) tree(ctx context.Context, file *config.File, commit string) (tree config.Tree, tips map[string]string, err error) {
	tips = map[string]string{"": commit}
	for _, branch := range file.Branches() {
		for _, ref := range []string{"refs/heads/", "refs/remotes/origin/"} {
			tip, err := r.Resolve(ctx, ref+branch)
			if err == nil {
				tips[branch] = tip
				break
			}
			if !errors.Is(err, gitrepo.ErrUnknownCommit) {
				return tree, nil, unreadable("%s: %w", printable(r.path), err)
			}
		}
	}
	tree.Branches = map[string][]string{}
	for branch, tip := range tips {
		paths, err := r.Paths(ctx, tip)
		if err != nil {
			return tree, nil, unreadable("%s at %.10s: %w", printable(r.path), tip, err)
		}
		if branch == "" {
			tree.Paths = paths
		} else {
			tree.Branches[branch] = paths
		}
	}
	return tree, tips, nil
}

// isRegular says whether git's mode is that of a regular file.
func isRegular(mode string) bool { return mode == "100644" || mode == "100755" }

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
