package main

// promobot init: a first pipeline file, guessed from the repository.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/dryrun"
	"github.com/promobot/promobot/promotion/guess"
)

const initHelp = `Guesses a pipeline file from what the repository looks like and writes it to
` + config.Path + `, with mode: observe, in which promobot only says what it would
do. Why each thing was guessed stands beside it, and what could be otherwise at
the end; look at both before you commit it.

What is recognised: kustomize overlays, Helm values per environment, Flux and
Argo CD layouts, and branches that are environments; services beside each other
become one pipeline with for_each. Environments are ordered by their names, and
the history is asked whether it agrees. What is promoted is as little as carries
a version.

The newest commit (HEAD) is looked at; what is not committed is not. A file that
is there is only replaced with --force.

Exit codes: 0 done, 1 nothing could be guessed, 2 the command was not understood
or the file is there already, 3 something could not be read or written.`

type initOptions struct {
	repo          string
	force, dryRun bool
}

func newInitCommand() *cobra.Command {
	var o initOptions
	c := &cobra.Command{
		Use:   "init [--repo PATH] [--dry-run]",
		Short: "Write a first pipeline file, guessed from the repository",
		Long:  initHelp,
		Example: `  promobot init --dry-run                    show it
  promobot init                              write it to ` + config.Path + `
  promobot plan --init --replay 90d          what it would have made of the last months`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return initialise(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.repo, "repo", ".", "the repository at this `path`")
	f.BoolVar(&o.force, "force", false, "replace a pipeline file that is there")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the file and write nothing")
	return c
}

func initialise(ctx context.Context, o initOptions, stdout, stderr io.Writer) error {
	r, err := openRepository(o.repo)
	if err != nil {
		return err
	}
	commit, err := r.resolve(ctx, "HEAD")
	if err != nil {
		return err
	}
	r.sayUncommitted(ctx, stderr)
	g, err := r.guess(ctx, "HEAD", commit)
	if err != nil {
		return err
	}
	out := newPrinter(stdout)
	if g.File == nil {
		out.nothingGuessed(g)
		return silent()
	}
	if o.dryRun {
		_, err := stdout.Write(g.File)
		return err
	}
	root, err := r.root(ctx)
	if err != nil {
		return err
	}
	at := filepath.Join(root, filepath.FromSlash(config.Path))
	if err := writeNew(at, g.File, o.force); err != nil {
		return err
	}
	shown := at
	if folder, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(folder, at); err == nil && filepath.IsLocal(rel) {
			shown = rel
		}
	}
	out.line("%s %s", out.paint(green, "written:"), printable(shown))
	out.guessed(g)
	out.line("\nIt does nothing yet: mode is observe. Next:")
	out.line("  promobot plan --repo %s --file %s --replay 90d", shellWord(o.repo), shellWord(shown))
	out.line("  promobot validate --repo %s %s", shellWord(o.repo), shellWord(shown))
	return nil
}

// guess guesses a pipeline file from the files at a commit, which a revision
// names.
func (r *localRepository) guess(ctx context.Context, revision, commit string) (guess.Guess, error) {
	repository, err := r.asked(ctx, revision, commit)
	if err != nil {
		return guess.Guess{}, err
	}
	refs, err := r.Fetch(ctx)
	if err != nil {
		return guess.Guess{}, unreadable("%s: %w", printable(r.path), err)
	}
	tracked, err := r.tracked(ctx)
	if err != nil {
		return guess.Guess{}, err
	}
	for ref, id := range tracked {
		if refs[ref] == "" {
			refs[ref] = id
		}
	}
	name := ""
	if abs, err := filepath.Abs(r.path); err == nil {
		name = strings.TrimSuffix(filepath.Base(abs), ".git")
	}
	looked, err := dryrun.Look(ctx, r, name, repository.DefaultBranch, commit, refs)
	if err != nil {
		return guess.Guess{}, unreadable("%s: %w", printable(r.path), err)
	}
	return guess.Make(looked), nil
}

// guessed says why.
func (p printer) guessed(g guess.Guess) {
	p.list("Why", printables(g.Reasons))
	p.list("Not sure", printables(g.Doubts))
}

// nothingGuessed says what was looked for, and how to write a file by hand.
func (p printer) nothingGuessed(g guess.Guess) {
	p.line("No pipeline file could be guessed here.")
	p.list("Looked for", printables(g.Looked))
	p.list("Not sure", printables(g.Doubts))
	p.line("\nTo write %s by hand, begin with this and change names and paths; docs/pipeline-file.md has examples of other layouts:\n\n%s", config.Path, config.Example)
}

// beforePlan shows the guessed file, whose comments say why, above what it would make of the
// repository.
func (p printer) beforePlan(g guess.Guess) {
	p.line("%s", p.paint(bold, "A pipeline file guessed from this repository; promobot init writes it:"))
	p.line("")
	for line := range strings.Lines(string(g.File)) {
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			p.line("")
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			line = p.paint(dim, line)
		}
		p.line("  %s", line)
	}
	p.line("")
}

// guessJSON is a guess in the output of plan --json.
type guessJSON struct {
	File    string   `json:"file"`
	Reasons []string `json:"reasons"`
	Doubts  []string `json:"doubts"`
}

func asJSON(g *guess.Guess) *guessJSON {
	if g == nil {
		return nil
	}
	return &guessJSON{File: string(g.File), Reasons: append([]string{}, g.Reasons...), Doubts: append([]string{}, g.Doubts...)}
}

func printables(all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = printable(s)
	}
	return out
}

// writeNew writes a file that is not there yet, or replaces it.
func writeNew(at string, text []byte, force bool) (err error) {
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return unreadable("%w", err)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(at, flags, 0o644) //nolint:gosec // a file of the repository, as git writes them
	if errors.Is(err, os.ErrExist) {
		return usage("%s is there already; --force replaces it, --dry-run prints what would be written", printable(at))
	}
	if err != nil {
		return unreadable("%w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return unreadable("%s: %w", printable(at), err)
	}
	return nil
}

// shellWord is a word for a command line to copy.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./+@%:,", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(fmt.Sprint(printable(s)), "'", `'\''`) + "'"
}
