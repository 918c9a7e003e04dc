package main

// promobot changes: what changed, over all repositories.

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promobot/promobot/handlers/api"
)

const changesHelp = `Shows what changed, newest first: what landed, which verdict it got, what was held
and resumed, over all repositories that you can see. It is the first question when
something is wrong in production.

` + askHelp + `

With --json the answer is that of GET /api/v1/changes (docs/reference/api.md).

Exit codes: 0 done, 2 the command was not understood, 3 the server did not answer,
does not know you, or has no such repository.`

type changesOptions struct {
	asking
	env        []string
	since      string
	repository string
	json       bool
}

func newChangesCommand() *cobra.Command {
	var o changesOptions
	c := &cobra.Command{
		Use:   "changes [--env PATTERN] [--since 2h] [--repository OWNER/REPO] [--server URL] [--json]",
		Short: "Show what changed lately",
		Long:  changesHelp,
		Example: `  export PROMOBOT_SERVER=https://promobot.example.com GH_TOKEN=$(gh auth token)
  promobot changes --env 'prod*' --since 2h
  promobot changes --repository acme/gitops --since 2026-06-01T09:00:00Z --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return showChanges(c.Context(), o, newPrinter(c.OutOrStdout()))
		},
	}
	c.Flags().StringArrayVar(&o.env, "env", nil, "only environments whose names fit this `pattern`, such as 'prod*'; may be given several times")
	c.Flags().StringVar(&o.since, "since", "2h", "since so long ago, or since this `time`")
	c.Flags().StringVar(&o.repository, "repository", "", "only this `OWNER/REPO`")
	c.Flags().BoolVar(&o.json, "json", false, "as JSON")
	o.flags(c.Flags())
	return c
}

func showChanges(ctx context.Context, o changesOptions, out printer) error {
	query := url.Values{"env": o.env, "since": {o.since}, "limit": {strconv.Itoa(mostRows)}}
	if o.repository != "" {
		if !ownerAndName.MatchString(o.repository) {
			return usage("%s is no OWNER/REPO, such as acme/gitops", printable(o.repository))
		}
		query.Set("repository", o.repository)
	}
	var answer api.Changes
	if err := o.get(ctx, "changes", query, &answer); err != nil {
		return err
	}
	if o.json {
		if err := writeJSON(out.to, answer); err != nil {
			return err
		}
	} else {
		printChanges(out, answer, o)
	}
	if answer.More {
		return moreThan(len(answer.Changes))
	}
	return nil
}

func printChanges(out printer, answer api.Changes, o changesOptions) {
	if len(answer.Changes) == 0 {
		where := "anywhere that you can see"
		if len(o.env) > 0 {
			where = "in " + strings.Join(o.env, ", ")
		}
		out.line("nothing changed %s since %s", printable(where), printable(o.since))
		return
	}
	rows := [][]string{{"WHEN", "REPOSITORY", "PIPELINE", "ENVIRONMENT", "WHAT", ""}}
	for _, c := range answer.Changes {
		text := c.Text
		if c.By != "" {
			text += " (" + c.By + ")"
		}
		rows = append(rows, []string{minute(c.Time), printable(c.Repository), printable(c.Pipeline), printable(c.Environment), printable(c.Kind), printable(text)})
	}
	out.table("", rows)
}
