package main

// A replay for people: the sums first, by environment, then what a person would
// have wanted to look at.

import (
	"fmt"
	"strconv"

	"github.com/promobot/promobot/promotion/dryrun"
)

const day = "2006-01-02"

func printReplay(out printer, r *dryrun.Replay, span string) {
	out.line("%s", out.paint(bold, fmt.Sprintf("the last %s of %s: %s, %s to %s, pipeline file %s", span, printable(r.Branch), count(r.Commits, "commit"),
		r.From.Time.UTC().Format(day), r.To.Time.UTC().Format(day), printable(r.File))))
	if r.Unfit > 0 {
		out.line("at %s the pipeline file does not fit the files, and nothing would have been done: %s", count(r.Unfit, "commit"), printable(r.FirstUnfit))
	}
	opened, past := 0, 0
	rows := [][]string{{"environment", "landed", "opened", "moved on", "done by hand", "nothing left", "open", "most open", "refused", "past the pipeline"}}
	for _, t := range r.Totals {
		n := []int{t.Landings, t.Opened, t.Moved, t.DoneByHand, t.Obsolete, t.Open, t.MostOpen, t.Refused, t.Past}
		row := []string{printable(t.Environment)}
		for i, x := range n {
			if t.Source && i > 0 {
				row = append(row, "")
				continue
			}
			row = append(row, strconv.Itoa(x))
		}
		rows = append(rows, row)
		opened += t.Opened
		past += t.Past
	}
	out.line("")
	out.table("  ", rows)
	most := ""
	if r.MostOpen > 0 {
		most = fmt.Sprintf(", at most %d open at once (%s)", r.MostOpen, r.MostOpenAt.UTC().Format(day))
	}
	out.line("\n%s%s; %s past the pipeline by hand.", count(opened, "pull request"), most, count(past, "change"))
	held := 0
	for _, t := range r.Totals {
		held += t.HeldBack
	}
	if held > 0 {
		out.line("%s would have waited for the pipeline file's limits, as nobody merges in a replay; what people then\ndid themselves counts as past the pipeline. Higher limits in a --file show more.", count(held, "promotion"))
	}
	pulls := make([]string, len(r.PullRequests))
	for i, p := range r.PullRequests {
		pulls[i] = fmt.Sprintf("%s  #%d %s: %s", p.Opened.UTC().Format(day), p.Number, printable(p.Title), outcome(p))
	}
	out.list("Pull requests", pulls)
	refused := make([]string, len(r.Refused))
	for i, x := range r.Refused {
		refused[i] = fmt.Sprintf("%s  %s: %s", x.Commit.Time.UTC().Format(day), printable(x.Pipeline+"/"+x.Environment), printable(x.Reason))
	}
	out.list("Refused", refused)
	var by []string
	for _, x := range r.ByHand {
		if !x.Proposed {
			by = append(by, fmt.Sprintf("%s  %s: %.10s %s (%s)", x.Commit.Time.UTC().Format(day), printable(x.Pipeline+"/"+x.Environment), x.Commit.ID, printable(x.Commit.Subject), printable(x.Commit.Author)))
		}
	}
	out.list("Past the pipeline", by)
}

// outcome is how a pull request of a replay ended, in words.
func outcome(p dryrun.PullRequest) string {
	text := ""
	if p.Moved > 0 {
		text = fmt.Sprintf("moved on %s, ", count(p.Moved, "time"))
	}
	switch p.Outcome {
	case dryrun.DoneByHand:
		text += fmt.Sprintf("done by hand on %s", p.Closed.UTC().Format(day))
		if p.ClosedBy != nil {
			text += fmt.Sprintf(" in %.10s by %s", p.ClosedBy.ID, printable(p.ClosedBy.Author))
		}
	case dryrun.Obsolete:
		text += fmt.Sprintf("closed on %s, %s", p.Closed.UTC().Format(day), printable(p.Reason))
	default:
		text += "still open"
	}
	return text
}
