package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Say which promobot this is",
		Long:    "Prints the version that was built, from which commit, and by which Go.",
		Example: `  promobot version`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				info = &debug.BuildInfo{}
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), versionLine(info))
			return err
		},
	}
}

// versionLine is "promobot v1.2.3 (commit 1a2b3c4d5e of 2026-01-02T15:04:05Z), go1.26.0 linux/amd64".
func versionLine(info *debug.BuildInfo) string {
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	said := map[string]string{}
	for _, s := range info.Settings {
		said[s.Key] = s.Value
	}
	var from []string
	if commit := said["vcs.revision"]; commit != "" {
		from = append(from, fmt.Sprintf("commit %.10s", commit))
		if at := said["vcs.time"]; at != "" {
			from[0] += " of " + at
		}
	}
	if said["vcs.modified"] == "true" {
		from = append(from, "with changes")
	}
	line := "promobot " + version
	if len(from) > 0 {
		line += " (" + strings.Join(from, ", ") + ")"
	}
	return fmt.Sprintf("%s, %s %s/%s", line, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
