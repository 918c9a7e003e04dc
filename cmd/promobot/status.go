package main

// promobot status: where every environment stands, from a running promobot, or
// from the ledgers in a clone. status_offline.go reads these.

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/promobot/promobot/handlers/api"
	"github.com/promobot/promobot/promotion/view"
)

const statusHelp = `Shows where each environment stands: what is there and since when, how many newer
changes wait for it, its open pull request, and what it needs from a person.

` + askHelp + `

With --repo it asks nobody: it reads the ledgers in a clone, as promobot log does.
They say what promobot did last; what waits, and for what, only the server knows.

With --json the answer is that of GET /api/v1/status (docs/reference/api.md), or with --repo
a list of the same rows.

Exit codes: 0 done, 1 a ledger of the clone cannot be read, 2 the command was not
understood, 3 the server did not answer, does not know you, or has no such
repository; or the clone has no ledgers.`

type statusOptions struct {
	asking
	repo  string
	env   []string
	needs bool
	json  bool
}

func newStatusCommand() *cobra.Command {
	var o statusOptions
	c := &cobra.Command{
		Use:   "status [OWNER/REPO] [--env PATTERN] [--needs] [--server URL | --repo PATH] [--json]",
		Short: "Show where each environment stands",
		Long:  statusHelp,
		Example: `  export PROMOBOT_SERVER=https://promobot.example.com GH_TOKEN=$(gh auth token)
  promobot status                              all you can see
  promobot status acme/gitops --env 'prod*'
  promobot status --needs                      what waits for a person
  promobot status --repo .                     from a clone's ledgers, without a server`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			wanted, err := api.Matching(o.env)
			if err != nil {
				return usage("--env: %v", err)
			}
			if c.Flags().Changed("repo") {
				if len(args) > 0 || o.server != "" || o.tokenFile != "" || o.needs {
					return usage("--repo reads a clone and asks no server: OWNER/REPO, --needs, --server and --token-file do not go with it")
				}
				return offlineStatus(c.Context(), o, wanted, newPrinter(c.OutOrStdout()))
			}
			return showStatus(c.Context(), o, args, newPrinter(c.OutOrStdout()))
		},
	}
	c.Flags().StringArrayVar(&o.env, "env", nil, "only environments whose names fit this `pattern`, such as 'prod*'; may be given several times")
	c.Flags().BoolVar(&o.needs, "needs", false, "only what needs a person")
	c.Flags().BoolVar(&o.json, "json", false, "as JSON")
	c.Flags().StringVar(&o.repo, "repo", "", "the ledgers in the clone at this `path`, without a server")
	o.flags(c.Flags())
	return c
}

var ownerAndName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)

func showStatus(ctx context.Context, o statusOptions, args []string, out printer) error {
	query := url.Values{"env": o.env, "limit": {strconv.Itoa(mostRows)}}
	if len(args) > 0 {
		if !ownerAndName.MatchString(args[0]) {
			return usage("%s is no OWNER/REPO, such as acme/gitops", printable(args[0]))
		}
		query.Set("repository", args[0])
	}
	var answer api.Status
	if err := o.get(ctx, "status", query, &answer); err != nil {
		return err
	}
	more := len(answer.Environments)
	if o.needs {
		var needing []api.Row
		for _, r := range answer.Environments {
			if r.Needs != "" {
				needing = append(needing, r)
			}
		}
		answer.Environments = needing
	}
	if o.json {
		if err := writeJSON(out.to, answer); err != nil {
			return err
		}
	} else {
		printStatus(out, answer, o)
	}
	if answer.More {
		return moreThan(more)
	}
	return nil
}

func printStatus(out printer, answer api.Status, o statusOptions) {
	for _, t := range answer.Troubles {
		out.line("%s %s", out.paint(red, printable(t.Repository)+":"), printable(t.Text))
	}
	switch {
	case len(answer.Environments) == 0 && o.needs:
		out.line("nothing needs a person")
		return
	case len(answer.Environments) == 0 && len(answer.Troubles) > 0:
		return // which say why
	case len(answer.Environments) == 0:
		out.line("there is no such environment that you can see")
		return
	}
	for begin := 0; begin < len(answer.Environments); {
		end := begin
		for end < len(answer.Environments) && answer.Environments[end].Repository == answer.Environments[begin].Repository {
			end++
		}
		if begin > 0 || len(answer.Troubles) > 0 {
			out.line("")
		}
		rows := answer.Environments[begin:end]
		out.line("%s  %s", out.paint(bold, printable(rows[0].Repository)), out.paint(dim, "as of "+minute(rows[0].At)))
		printRows(out, rows)
		begin = end
	}
}

func printRows(out printer, rows []api.Row) {
	table := [][]string{{"PIPELINE", "ENVIRONMENT", "STANDS", "SINCE", "BEHIND", "STANDING", "WHAT NEXT"}}
	for _, r := range rows {
		stands, since := "-", "-"
		if r.Current != nil {
			stands, since = titleOf(r.Current), minute(r.Current.Since)
			if r.Current.Baseline { // it stood there when promobot first looked
				since = "before " + since
			}
		}
		table = append(table, []string{
			printable(r.Pipeline), printable(r.Environment), printable(stands), since, strconv.Itoa(r.Behind), printable(r.Standing), nextOf(r),
		})
	}
	out.table("  ", table)
}

// titleOf is what stands, a commit by its first ten digits.
func titleOf(l *view.Landing) string {
	text := cmp.Or(l.Title, l.Revision)
	if commitID.MatchString(text) {
		text = text[:10]
	}
	if l.Mixed {
		text += " (mixed)"
	}
	return text
}

var commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// nextOf is what a person has to do, else what is waited for.
func nextOf(r api.Row) string {
	var parts []string
	switch {
	case r.Needs != "":
		parts = append(parts, "you: "+r.Needs)
	case r.Reason != "":
		parts = append(parts, r.Reason)
	}
	if r.Hold != nil && r.Needs == "" {
		parts = append(parts, "held by "+r.Hold.By+": "+r.Hold.Reason)
	}
	if r.PullRequest != 0 && !strings.Contains(strings.Join(parts, " "), "#"+strconv.Itoa(r.PullRequest)) {
		parts = append(parts, fmt.Sprintf("#%d", r.PullRequest))
	}
	if !r.Until.IsZero() {
		parts = append(parts, "until "+minute(r.Until))
	}
	return printable(strings.Join(parts, "; "))
}

func minute(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}
