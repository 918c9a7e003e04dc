package main

// promobot status --repo: what the newest entry of each ledger in a clone tells.

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/promobot/promobot/handlers/api"
	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

func offlineStatus(ctx context.Context, o statusOptions, wanted func(string) bool, out printer) error {
	r, err := openRepository(o.repo)
	if err != nil {
		return err
	}
	refs, err := r.Fetch(ctx)
	if err != nil {
		return unreadable("%s: %w", printable(o.repo), err)
	}
	rows := []api.Row{}
	ledgers, bad := 0, 0
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		pipeline, environment, err := state.ParseRef(ref)
		if err != nil {
			continue
		}
		ledgers++
		if !wanted(environment) {
			continue
		}
		tip, err := r.Log(ctx, refs[ref], "", 1)
		if err != nil || len(tip) == 0 {
			return unreadable("%s: %w", printable(ref), cmp.Or(err, state.ErrFormat))
		}
		row := api.Row{Pipeline: pipeline, Environment: environment, At: tip[0].Time.UTC()}
		if entry, err := state.Peek(tip[0].Message); err != nil {
			bad++
			row.Standing, row.Reason = "?", err.Error()
		} else {
			fill(&row, entry)
		}
		rows = append(rows, row)
	}
	switch {
	case ledgers == 0:
		return unreadable("there are no ledgers in this clone; if promobot is installed, fetch them with\n\n  git fetch origin '%s'", fetchLedgers)
	case o.json:
		err = writeJSON(out.to, rows)
	case len(rows) == 0:
		out.line("no ledger is of such an environment")
	default:
		printLedgers(out, rows)
	}
	if err == nil && bad > 0 {
		err = &exitError{exitWrong, fmt.Errorf("%d of %d ledgers cannot be read", bad, len(rows))}
	}
	return err
}

// fill takes from a ledger's entry what a row shows. Its standing is the entry's
// kind: what happened last.
func fill(row *api.Row, entry state.Entry) {
	s := entry.State
	row.Standing, row.Reason = string(entry.Kind), entry.Sentence
	if l := s.Landing; l != nil {
		row.Current = &view.Landing{Commit: l.Commit, Revision: l.Revision, Title: nameOf(s, l.Revision), PullRequest: l.PullRequest, By: l.By, Since: l.Time}
	} else {
		row.Current = &view.Landing{Commit: s.Baseline.Commit, Revision: s.Baseline.Commit, Title: s.Baseline.Commit, Since: s.Baseline.Time}
	}
	if p := s.Promotion; p != nil && !p.Status.Ended() {
		row.PullRequest, row.URL = p.PullRequest, p.URL
	}
	if h := s.Hold; h != nil {
		row.Hold = &view.Hold{Reason: h.Reason, By: h.By, Since: h.Since, Until: h.Until}
	}
}

// nameOf is a version's name where the ledger knows it, else the revision itself.
func nameOf(s state.Environment, revision string) string {
	for _, v := range s.Versions {
		if v.ID == revision {
			return v.Name
		}
	}
	return revision
}

func printLedgers(out printer, rows []api.Row) {
	table := [][]string{{"PIPELINE", "ENVIRONMENT", "LANDED", "SINCE", "OPEN", "LAST", ""}}
	for _, r := range rows {
		landed, since, open := "-", "-", "-"
		if r.Current != nil {
			landed, since = titleOf(r.Current), minute(r.Current.Since)
		}
		if r.PullRequest != 0 {
			open = fmt.Sprintf("#%d", r.PullRequest)
		}
		last := r.Reason
		if r.Hold != nil {
			last += "; held"
		}
		table = append(table, []string{printable(r.Pipeline), printable(r.Environment), printable(landed), since, open, printable(r.Standing), printable(last)})
	}
	out.table("", table)
}
