package main

// The command: flags, log, signals. What it runs is the Program.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

const serveHelp = `Runs the bot: takes GitHub's webhooks, looks at every repository the App is
installed on now and every few minutes, and promotes what is to be promoted.

The configuration is one YAML file; config.example.yml explains every setting.
Each can be overridden by an environment variable (PROMOBOT_GITHUB_APP_ID for
github.app_id), and without --config all come from there.

  POST /api/github/hook   GitHub's webhooks
  GET  /livez             200 while the process answers
  GET  /readyz            200 when it can do its work, else what is missing
  GET  /metrics           for Prometheus

On SIGTERM or SIGINT it takes nothing new, lets running work end for stop_grace,
and leaves the rest in its queue for the next start. A second signal ends it at
once; nothing is lost by that either.`

// newServeCommand returns "promobot serve", which works with what wire makes.
func newServeCommand(wire Wire) *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:     "serve [--config FILE]",
		Short:   "Run the bot",
		Long:    serveHelp,
		Example: "  promobot serve --config config.yml\n  PROMOBOT_LOG_FORMAT=text promobot serve --config config.yml",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			config, warnings, err := loadConfig(path, os.Environ())
			if err != nil {
				return fmt.Errorf("the configuration has to be mended:\n%w", err)
			}
			log := newLogger(config.Log, command.ErrOrStderr())
			for _, warning := range warnings {
				log.Warn().Msg(warning)
			}
			ctx, cancel := untilSignal(command.Context())
			defer cancel()
			return NewProgram(config, wire, log).Run(ctx)
		},
	}
	command.Flags().StringVarP(&path, "config", "c", "", "the configuration `file`; without it, all settings come from the environment")
	return command
}

// untilSignal ends the context at the first SIGINT or SIGTERM. By then the next
// one has its usual effect again: to kill. (signal.NotifyContext gives signals
// back only some time after.)
func untilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
		}
		signal.Stop(signals)
		cancel()
	}()
	return ctx, cancel
}

// newLogger writes JSON, or text for reading, one line per entry.
func newLogger(config LogConfig, to io.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(config.Level)
	if err != nil {
		level = zerolog.InfoLevel // not reached: the configuration was checked
	}
	if config.Format == "text" {
		to = zerolog.ConsoleWriter{Out: to, NoColor: true, TimeFormat: time.DateTime}
	}
	return zerolog.New(to).Level(level).With().Timestamp().Logger()
}

// serverLog gives the standard library's complaints to the log.
func serverLog(log zerolog.Logger) *stdlog.Logger {
	return stdlog.New(complaints{log}, "", 0)
}

type complaints struct{ log zerolog.Logger }

// Write logs one complaint. They are about clients far more often than about us.
func (c complaints) Write(line []byte) (int, error) {
	c.log.Debug().Msg(string(bytes.TrimSpace(line)))
	return len(line), nil
}

var gitVersion = regexp.MustCompile(`^git version (\d+)\.(\d+)`)

// gitCheck returns whether git is there and new enough: 2.39, the first whose
// merge-tree and partial clones do what promotion/gitrepo needs.
func gitCheck(program string) func(context.Context) error {
	return func(ctx context.Context) error {
		out, err := exec.CommandContext(ctx, program, "--version").Output()
		if err != nil {
			return fmt.Errorf("git.path: %w", err)
		}
		version := gitVersion.FindSubmatch(out)
		if version == nil {
			return fmt.Errorf("git.path: %s does not answer as git does", program)
		}
		major, _ := strconv.Atoi(string(version[1])) // digits
		minor, _ := strconv.Atoi(string(version[2]))
		if major < 2 || major == 2 && minor < 39 {
			return fmt.Errorf("git.path: %s is git %d.%d; promobot needs 2.39 or newer", program, major, minor)
		}
		return nil
	}
}
