package main

// The command line: what there is, and what an end means. A command is added by
// naming it in commands.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands make the commands, in the order in which help lists them.
var commands = []func() *cobra.Command{
	newDemoCommand,
	newValidateCommand,
	newExplainCommand,
	newPlanCommand,
	newInitCommand,
	newConvertCommand,
	newSetupCommand,
	newDoctorCommand,
	func() *cobra.Command { return newServeCommand(wire) },
	newStatusCommand,
	newChangesCommand,
	newLogCommand,
	newNotifyCommand,
	newEventsCommand,
	newReceiveCommand,
	newSchemaCommand,
	newCompletionCommand,
	newVersionCommand,
	newExitCodesTopic,
}

const rootHelp = `promobot is a GitHub App that carries a change from one environment of a GitOps
repository to the next by pull request, exactly once.

Try it, from a clone of your repository; nothing is installed and nothing written:

  promobot demo                               see it work, on a simulated GitHub
  promobot validate .github/promobot.yml      is the pipeline file right?
  promobot explain PIPELINE ENV               what is in force there, and who said so
  promobot plan                               what the newest commit would promote
  promobot plan --replay 90d                  what the last months would have been
  promobot plan --init --replay 90d           the same, with a pipeline file guessed
  promobot init                               write the guessed one

Then run it:

  promobot setup                              make the GitHub App, write the configuration
  promobot doctor OWNER/REPO                  what is missing, and how to mend it
  promobot serve --config config.yml
  promobot status                             where every environment stands
  promobot changes --env 'prod*' --since 2h   what changed lately
  promobot log PIPELINE ENV                   what happened to an environment`

// exitError ends the program with a code of `promobot help exit-codes`.
type exitError struct {
	code int
	err  error // with an empty text when all has been said
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// The codes.
const (
	exitWrong      = 1
	exitUsage      = 2
	exitUnreadable = 3
)

const exitHelp = `How promobot's commands end:

  0  done
       demo: everything happened; plan: nothing is refused
  1  it was looked at, and something is wrong
       a pipeline file that is not valid or does not fit the repository, something
       that cannot be promoted, a ledger entry that is not promobot's, a demo in
       which something did not happen, a server that failed, an App that was not
       made, what the doctor finds wrong
  2  the command was not understood
       an unknown command, flag, argument, pipeline or environment
  3  something could not be read
       a file, a repository, a revision, a ledger that is not here; a server or a
       GitHub that does not answer, or does not know you`

func newExitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "How the commands end", Long: exitHelp}
}

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
		fmt.Fprintln(stderr, "promobot: "+printableLines(text))
	}
	if coded, ok := errors.AsType[*exitError](err); ok {
		return coded.code
	}
	return exitWrong
}

// Help lists the commands in the order of commands; cobra knows that for the
// whole process only.
func init() { cobra.EnableCommandSorting = false }

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "promobot",
		Short:         "Carry changes between environments by pull request",
		Long:          rootHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(c, args[0])
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true // newCompletionCommand is ours
	root.SetFlagErrorFunc(flagError)
	for _, command := range commands {
		c := command()
		if check := c.Args; check != nil {
			c.Args = func(c *cobra.Command, given []string) error {
				if err := check(c, given); err != nil {
					return usage("%v; `%s --help` says how", err, c.CommandPath())
				}
				return nil
			}
		}
		root.AddCommand(c)
	}
	root.SetHelpCommand(newHelpCommand(root))
	return root
}

// newHelpCommand is cobra's, but one that fails on what it does not know.
func newHelpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND or TOPIC]",
		Short: "Help about a command or topic",
		RunE: func(_ *cobra.Command, args []string) error {
			c, _, err := root.Find(args)
			if err != nil || len(args) > 0 && c == root {
				return unknownCommand(root, args[0])
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

func unknownCommand(root *cobra.Command, name string) error {
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	return usage("there is no command %q%s; `promobot help` lists them", name, meant(name, names))
}

// flagError says which flag was perhaps meant.
func flagError(c *cobra.Command, err error) error {
	hint := ""
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		hint = meant("--"+unknown.GetSpecifiedName(), names)
	}
	return usage("%v%s; `%s --help` lists the flags", err, hint, c.CommandPath())
}

// usage is a command that was not understood.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, errors.New(strings.TrimSpace(fmt.Sprintf(format, args...)))}
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = printable(l)
	}
	return strings.Join(lines, "\n")
}
