package main

// promobot log: one environment's ledger out of a clone, for people.

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

const logHelp = `Shows the ledger of one environment, newest entry first: what was claimed, opened,
landed, rejected, and when. It is read from refs/promobot/* of a clone, which git
does not fetch by itself:

  git fetch origin '` + fetchLedgers + `'

Without a key the signatures are not checked: whoever may write to the
repository could have written an entry. --key-file with the App's private key
(given twice while keys are being rotated) and --repository-id, the id that
` + "`gh api repos/OWNER/NAME --jq .id`" + ` prints, check them.

With --json it is a list of objects, newest first: commit, time (RFC 3339), kind,
sentence, signature (unchecked, valid or invalid), problem (why an entry cannot
be read or trusted), and state, the environment's whole state after the entry.

Exit codes: 0 done, 1 an entry is not a ledger entry or its signature is wrong,
2 there is no such ledger, 3 something could not be read.`

const fetchLedgers = "+refs/promobot/*:refs/promobot/*"

type logOptions struct {
	repo       string
	json       bool
	keys       []string
	repository int64
}

func newLogCommand() *cobra.Command {
	var o logOptions
	c := &cobra.Command{
		Use:   "log PIPELINE ENVIRONMENT [--repo PATH] [--json] [--key-file PEM --repository-id ID]",
		Short: "Show the ledger of an environment",
		Long:  logHelp,
		Example: `  git fetch origin '` + fetchLedgers + `'
  promobot log services/checkout prod-eu
  promobot log services/checkout prod-eu --json | jq '.[0].state.promotion'
  promobot log services/checkout prod-eu --key-file app.pem --repository-id 123456`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completePipeline(&o.repo),
		RunE: func(c *cobra.Command, args []string) error {
			key := promotion.Key{Pipeline: args[0], Environment: args[1]}
			return showLog(c.Context(), key, o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&o.repo, "repo", ".", "the repository at this `path`")
	c.Flags().BoolVar(&o.json, "json", false, "as JSON")
	c.Flags().StringArrayVar(&o.keys, "key-file", nil, "check the signatures with the App's private key in this `file`")
	c.Flags().Int64Var(&o.repository, "repository-id", 0, "GitHub's `id` of the repository, which the signatures cover")
	return c
}

// logEntry is one entry as --json shows it.
type logEntry struct {
	Commit    string             `json:"commit"`
	Time      time.Time          `json:"time"`
	Kind      state.Kind         `json:"kind,omitempty"`
	Sentence  string             `json:"sentence,omitempty"`
	Signature string             `json:"signature"`
	Problem   string             `json:"problem,omitempty"`
	State     *state.Environment `json:"state,omitempty"`
}

func showLog(ctx context.Context, key promotion.Key, o logOptions, stdout, stderr io.Writer) error {
	if (len(o.keys) > 0) != (o.repository != 0) {
		return usage("--key-file and --repository-id go together: the signatures cover the repository's id")
	}
	keys, err := readKeys(o.keys)
	if err != nil {
		return err
	}
	r, err := openRepository(o.repo)
	if err != nil {
		return err
	}
	refs, err := r.Fetch(ctx)
	if err != nil {
		return unreadable("%s: %w", printable(o.repo), err)
	}
	ref := state.Ref(key.Pipeline, key.Environment)
	if refs[ref] == "" {
		return noLedger(key, refs)
	}
	commits, err := r.Log(ctx, refs[ref], "", 0)
	if err != nil {
		return unreadable("%s: %w", ref, err)
	}
	entries := make([]logEntry, len(commits))
	bad := 0
	for i, c := range commits {
		entries[i] = readEntry(c, ref, o.repository, keys)
		if entries[i].Problem != "" {
			bad++
		}
	}
	if o.json {
		if err := writeJSON(stdout, entries); err != nil {
			return err
		}
	} else {
		printLog(newPrinter(stdout), entries)
	}
	if keys == nil {
		fmt.Fprintln(stderr, "promobot: signatures are not checked; --key-file and --repository-id check them")
	}
	if bad > 0 {
		return &exitError{exitWrong, fmt.Errorf("%d of %d entries cannot be trusted", bad, len(entries))}
	}
	return nil
}

// readKeys are the ledger's keys, nil when none are given.
func readKeys(files []string) (*state.Keys, error) {
	if len(files) == 0 {
		return nil, nil
	}
	secrets := make([][]byte, len(files))
	for i, f := range files {
		var err error
		if secrets[i], err = os.ReadFile(f); err != nil {
			return nil, unreadable("%w", err)
		}
	}
	keys, err := state.NewKeys(secrets...)
	if err != nil {
		return nil, unreadable("%s: %w", printable(strings.Join(files, ", ")), err)
	}
	return &keys, nil
}

func readEntry(c promotion.Commit, ref string, repository int64, keys *state.Keys) logEntry {
	e := logEntry{Commit: c.ID, Time: c.Time.UTC(), Signature: "unchecked"}
	read, err := state.Peek(c.Message)
	if err == nil && c.Tree != state.EmptyTree {
		err = state.ErrFormat
	}
	if err == nil && keys != nil {
		e.Signature = "valid"
		if _, err = keys.Decode(state.Place{Repository: repository, Ref: ref, Parents: c.Parents}, c.Message); err != nil {
			e.Signature = "invalid"
		}
	}
	if err != nil {
		e.Problem = err.Error()
	}
	if read.Kind != "" {
		e.Kind, e.Sentence, e.State = read.Kind, read.Sentence, &read.State
	}
	return e
}

func printLog(out printer, entries []logEntry) {
	rows := make([][]string, len(entries))
	for i, e := range entries {
		kind, text := string(e.Kind), printable(e.Sentence)
		if e.Problem != "" {
			text = strings.TrimSpace(text + " " + out.paint(red, "["+printable(e.Problem)+"]"))
		}
		if kind == "" {
			kind = "?"
		}
		rows[i] = []string{e.Time.Format("2006-01-02 15:04:05Z"), printable(kind), text}
	}
	out.table("", rows)
}

// noLedger says why there is nothing to show: nothing was fetched, or another
// name was meant.
func noLedger(key promotion.Key, refs promotion.Refs) error {
	environments := map[string][]string{}
	for ref := range refs {
		if p, e, err := state.ParseRef(ref); err == nil {
			environments[p] = append(environments[p], e)
		}
	}
	if len(environments) == 0 {
		return unreadable("there are no ledgers in this clone; if promobot is installed, fetch them with\n\n  git fetch origin '%s'", fetchLedgers)
	}
	if names := environments[key.Pipeline]; len(names) > 0 {
		slices.Sort(names)
		return usage("%s has no ledger for %s%s", printable(key.Pipeline), printable(key.Environment), printable(meant(key.Environment, names)))
	}
	names := slices.Sorted(maps.Keys(environments))
	return usage("there is no ledger of a pipeline %s%s", printable(key.Pipeline), printable(meant(key.Pipeline, names)))
}
