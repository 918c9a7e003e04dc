package main

// promobot demo: a simulated GitHub, a small repository, the App, and people
// who push with real git. What is told has been looked up, not assumed: a scene
// that does not come about ends the demo with what was expected.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const demoHelp = `Shows a promotion from push to production on a simulated GitHub: nothing but
this program and git is needed, and nothing leaves this machine.

It ends with links into the simulated GitHub and to promobot's own pages, which
stay until Ctrl-C; with --once it ends when the story does. With --repo it is your repository: a copy is
served by the simulated GitHub with the App installed on it, and you push to it.
Yours is only read.`

func newDemoCommand() *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use:   "demo [--once] [--repo PATH]",
		Short: "See it work, on a simulated GitHub",
		Long:  demoHelp,
		Example: `  promobot demo
  promobot demo --once
  promobot demo --repo ~/src/gitops`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := untilSignal(c.Context())
			defer cancel()
			return runDemo(ctx, o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().BoolVar(&o.once, "once", false, "end with the story, for scripts; the exit code tells whether everything happened")
	c.Flags().StringVar(&o.repo, "repo", "", "serve a copy of the repository at this `path` instead of the story's")
	c.Flags().StringVar(&o.address, "address", "127.0.0.1:0", "where the simulated GitHub listens")
	c.Flags().BoolVar(&o.verbose, "verbose", false, "show promobot's log")
	return c
}

type demoOptions struct {
	once, verbose bool
	repo, address string
}

func runDemo(ctx context.Context, o demoOptions, stdout, stderr io.Writer) (err error) {
	if err := gitCheck("git")(ctx); err != nil {
		return unreadable("the demo needs git 2.39 or newer: %s", strings.TrimPrefix(err.Error(), "git.path: "))
	}
	dir, err := os.MkdirTemp("", "promobot-demo-")
	if err != nil {
		return &exitError{exitUnreadable, err}
	}
	defer func() {
		if removed := os.RemoveAll(dir); err == nil && removed != nil {
			err = removed
		}
	}()
	n := newNarrator(stdout)
	w, err := newDemoWorld(ctx, dir, o, stderr)
	if err != nil {
		return demoFailed(err, nil)
	}
	defer w.close()
	if o.repo != "" {
		err = w.tellRepository(ctx, n, o)
	} else {
		err = w.tellStory(ctx, n)
	}
	switch {
	case ctx.Err() != nil && o.once:
		return &exitError{exitWrong, errors.New("the demo was ended before its end")}
	case ctx.Err() != nil:
		return nil // Ctrl-C is a way to end what nothing depends on
	case err != nil:
		return demoFailed(err, w)
	case o.once:
		return nil
	}
	n.say("The simulated GitHub stays at %s until Ctrl-C, and promobot's pages", w.sim.URL())
	n.say("at %s: sign in as ana or bo, and press a button.", w.pages)
	<-ctx.Done()
	return nil
}

// demoFailed says what did not happen, with the end of promobot's log.
func demoFailed(err error, w *demoWorld) error {
	code := exitWrong
	if coded, ok := errors.AsType[*exitError](err); ok {
		code = coded.code
	}
	if w != nil {
		if log := w.log.tail(); log != "" {
			err = fmt.Errorf("%w\n\nthe end of promobot's log:\n%s", err, log)
		}
	}
	return &exitError{code, err}
}

// How long may be waited for one thing: in the story, and in a repository of
// unknown size.
const (
	demoPatience = time.Minute
	repoPatience = 10 * time.Minute
)
