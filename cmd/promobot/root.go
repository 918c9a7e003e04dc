package main

// The command line: what there is, and what an end means.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

const rootHelp = `promobot is a GitHub App that carries a change from one environment of a GitOps
repository to the next by pull request, exactly once.

  promobot demo                       see it work, on a simulated GitHub
  promobot validate .github/promobot.yml
  promobot plan --replay 90d          what the last months would have been
  promobot serve --config config.yml  run it`

const exitHelp = `How promobot's commands end:

  0  done; for demo: everything happened
  1  it was looked at, and something is wrong: a pipeline file that is not
     valid, a demo in which something did not happen, a server that failed
  2  the command was not understood: an unknown flag, name or argument
  3  something could not be read: a file, a repository, a revision`

// exitError ends the program with a code of `promobot help exit-codes`.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// The codes.
const (
	exitWrong      = 1
	exitUsage      = 2
	exitUnreadable = 3
)

// run runs a command line and returns the program's exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(stderr, "promobot: "+text)
	}
	if coded, ok := errors.AsType[*exitError](err); ok {
		return coded.code
	}
	return exitWrong
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "promobot",
		Short:         "Carry changes between environments by pull request",
		Long:          rootHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usage("there is no command %q; `promobot help` lists them", args[0])
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%v; `%s --help` lists the flags", err, c.CommandPath())
	})
	root.AddCommand(
		newServeCommand(wire), newDemoCommand(),
		newValidateCommand(), newExplainCommand(), newSchemaCommand(), newLogCommand(), newVersionCommand(),
		&cobra.Command{Use: "exit-codes", Short: "How the commands end", Long: exitHelp},
	)
	for _, c := range root.Commands() {
		if args := c.Args; args != nil {
			c.Args = func(c *cobra.Command, given []string) error {
				if err := args(c, given); err != nil {
					return usage("%v; `%s --help` says how", err, c.CommandPath())
				}
				return nil
			}
		}
	}
	return root
}

// usage is a command that was not understood.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, errors.New(strings.TrimSpace(fmt.Sprintf(format, args...)))}
}
