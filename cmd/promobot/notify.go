package main

// promobot notify test: tries a receiver of notifications, without a server.

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/promobot/promobot/handlers/notify"
)

const notifyTestHelp = `Sends one message that says it is a test to a receiver of the configuration's
notifications, once, and says what became of it. Nothing has to be running.

Exit codes: 0 the receiver took it, 1 it did not, or the configuration has to be
mended, 2 there is no such receiver.`

// newNotifyCommand returns "promobot notify".
func newNotifyCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "notify",
		Short: "Try the receivers of notifications",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	command.AddCommand(newNotifyTestCommand())
	return command
}

func newNotifyTestCommand() *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:     "test NAME [--config FILE]",
		Short:   "Send a receiver a message that says it is a test",
		Long:    notifyTestHelp,
		Example: "  promobot notify test ops --config config.yml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("name one receiver; `promobot notify test --help` says how")
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			config, _, err := loadConfig(path, os.Environ())
			if err != nil {
				return fmt.Errorf("the configuration has to be mended:\n%w", err)
			}
			var known []string
			for _, c := range config.Notifications {
				if c.Name != args[0] {
					known = append(known, c.Name)
					continue
				}
				r, err := c.receiver()
				if err != nil {
					return err
				}
				if err := notify.Try(command.Context(), r, time.Now, userAgent(), nil); err != nil {
					return fmt.Errorf("%s: %w", c.Name, err)
				}
				_, err = fmt.Fprintf(command.OutOrStdout(), "%s took it. Look whether it is there: some receivers take everything.\n", c.Name)
				return err
			}
			if len(known) == 0 {
				return usage("the configuration has no notifications; add one, as config.example.yml shows")
			}
			return usage("there is no receiver %q%s", args[0], meant(args[0], known))
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if config, _, err := loadConfig(path, os.Environ()); err == nil && len(args) == 0 {
				for _, c := range config.Notifications {
					names = append(names, c.Name)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	configFlag(command, &path)
	return command
}

// configFlag is --config, as serve has it.
func configFlag(command *cobra.Command, path *string) {
	command.Flags().StringVarP(path, "config", "c", "", "the configuration `file`; without it, all settings come from the environment")
}
