package main

// promobot convert: a pipeline file of another tool's configuration.

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/convert"
)

const convertHelp = `Makes a pipeline file of another tool's configuration and prints it. What cannot
be carried over, what means something else here, and what was plainly a mistake
is said on standard error with its line, and stands in the file as comments:

  FILE:LINE: repaired | not carried over | differs: what, and what to do

The file has mode: observe, since the other tool may still be at work. FILE can
be -, standard input.`

const convertCodes = `

Exit codes: 0 done, 1 it cannot be converted, or does not fit the repository,
2 the command was not understood, 3 something could not be read.`

func newConvertCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "convert",
		Short: "Make a pipeline file of another tool's configuration",
		Long:  convertHelp + convertCodes,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%s is no tool that can be converted from", printable(args[0]))
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newConvertTelefonistka(), newConvertPromoter())
	return c
}

// oneFile is the one argument of the commands below convert.
func oneFile(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("one FILE is wanted, - for standard input; `%s --help` says how", c.CommandPath())
	}
	return nil
}

func newConvertTelefonistka() *cobra.Command {
	var repo string
	c := &cobra.Command{
		Use:   "telefonistka FILE [--repo PATH]",
		Short: "Make a pipeline file of telefonistka.yaml",
		Long: convertHelp + `

Each folder of components becomes an environment, and each component a pipeline
of for_each. Where sourcePath is a regular expression, it means the folders that
the file names; with --repo those of the newest commit (HEAD) of a repository
too, and what was made is held against it, as promobot validate --repo does.` + convertCodes,
		Example: `  promobot convert telefonistka telefonistka.yaml --repo . > ` + config.Path,
		Args:    oneFile,
		RunE: func(c *cobra.Command, args []string) error {
			return convertTelefonistka(c.Context(), args[0], repo, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&repo, "repo", "", "look for folders in, and hold the result against, the repository at this `path`")
	return c
}

func newConvertPromoter() *cobra.Command {
	return &cobra.Command{
		Use:   "gitops-promoter FILE",
		Short: "Make a pipeline file of GitOps Promoter's resources",
		Long: convertHelp + `

The PromotionStrategy's branches become environments, read from the branches of
the same names that end in -next; a TimedCommitStatus becomes soak.` + convertCodes,
		Example: `  promobot convert gitops-promoter strategy.yaml > ` + config.Path,
		Args:    oneFile,
		RunE: func(c *cobra.Command, args []string) error {
			name, text, err := readNamed(args[0], c.InOrStdin())
			if err != nil {
				return err
			}
			res, err := convert.Promoter(name, text)
			return printConverted(name, res, err, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
}

func convertTelefonistka(ctx context.Context, file, repo string, stdin io.Reader, stdout, stderr io.Writer) error {
	name, text, err := readNamed(file, stdin)
	if err != nil {
		return err
	}
	var r *localRepository
	var commit string
	var paths []string
	if repo != "" {
		if r, err = openRepository(repo); err != nil {
			return err
		}
		if commit, err = r.resolve(ctx, "HEAD"); err != nil {
			return err
		}
		if paths, err = r.Paths(ctx, commit); err != nil {
			return unreadable("%s: %w", printable(repo), err)
		}
	}
	res, err := convert.Telefonistka(name, text, paths)
	if err := printConverted(name, res, err, stdout, stderr); err != nil || r == nil {
		return err
	}
	parsed, _ := config.Parse(config.Path, res.File)
	_, problems, err := r.check(ctx, parsed, commit)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		out := newPrinter(stderr)
		out.line("\nHeld against the repository, lines of what was made:")
		out.printProblems(problems)
		return silent()
	}
	return nil
}

// printConverted writes the file to stdout and the notes to stderr.
func printConverted(name string, res convert.Result, err error, stdout, stderr io.Writer) error {
	if wrong, ok := errors.AsType[*convert.Error](err); ok {
		return &exitError{exitWrong, wrong}
	}
	if err != nil {
		return err
	}
	out := newPrinter(stderr)
	for _, n := range res.Notes {
		colour := yellow
		if n.Sort == convert.Repaired {
			colour = red
		}
		out.line("%s:%d: %s: %s", printable(name), n.Line, out.paint(colour, string(n.Sort)), printable(n.Text))
	}
	_, err = stdout.Write(res.File)
	return err
}
