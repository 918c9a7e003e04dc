package main

// A plan for people: first what would be opened, then what would not and why,
// then what there is to know besides.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/dryrun"
)

// mostListed bounds each list but the pull requests; --json has all.
const mostListed = 20

func printPlan(out printer, p *dryrun.Plan) {
	out.line("%s", out.paint(bold, fmt.Sprintf("%s on %s, %.10s..%.10s, pipeline file %s", count(p.Commits, "commit"), printable(p.Branch), p.From.ID, p.To.ID, printable(p.File))))
	if p.Forked {
		out.line("%.10s is the newest commit that both histories have", p.From.ID)
	}
	opened := 0
	var landed, waiting, stopped, absent []string
	quiet, elsewhere := 0, 0
	concerned := map[string]bool{} // pipelines in which something landed
	for i := range p.Environments {
		if p.Environments[i].Landed != nil {
			concerned[p.Environments[i].Pipeline] = true
		}
	}
	for i := range p.Environments {
		e := &p.Environments[i]
		at := printable(e.Pipeline + "/" + e.Environment)
		if e.Landed != nil {
			line := fmt.Sprintf("%s: %.10s %s", at, e.Landed.ID, printable(e.Landed.Subject))
			if e.ByHand {
				line += out.paint(yellow, " (by hand: it has upstreams)")
			}
			landed = append(landed, line)
		}
		switch {
		case e.Promotion != nil:
			opened++
			printPromotion(out, e)
			continue
		case e.Standing == string(promotion.Stopped):
			stopped = append(stopped, at+": "+printable(e.Reason))
		case e.Standing == string(promotion.Waiting) || e.Standing == string(promotion.WouldPromote):
			waiting = append(waiting, at+": "+printable(e.Reason))
		case e.Standing == string(promotion.Absent):
			switch {
			case e.Reason == "":
			case concerned[e.Pipeline]:
				absent = append(absent, at+": "+printable(e.Reason))
			default:
				elsewhere++
			}
		case e.Landed == nil:
			quiet++
		}
		for _, r := range refusedLines(e) {
			stopped = append(stopped, at+": "+r)
		}
	}
	if opened == 0 {
		out.line("\n%s", "No pull request would be opened.")
	}
	out.list("Landed", landed)
	out.list("Waiting", waiting)
	out.list("Needs a person", stopped)
	out.list("Holes", absent)
	shared := make([]string, len(p.Shared))
	for i, s := range p.Shared {
		shared[i] = fmt.Sprintf("%s reaches %s at once, past the pipeline", printable(s.File), count(s.Reaches, "environment"))
	}
	out.list("Shared", shared)
	if quiet > 0 {
		out.line("\n%s", out.paint(dim, count(quiet, "environment")+" with nothing to do."))
	}
	if elsewhere > 0 {
		out.line("%s", out.paint(dim, count(elsewhere, "hole")+" in pipelines that these commits do not touch; --json names them."))
	}
}

// refusedLines are what does not travel with a promotion that is made, or stays
// by design; what stops one is its reason already.
func refusedLines(e *dryrun.Environment) []string {
	var lines []string
	for _, r := range e.Refused {
		if e.Promotion == nil && !r.Never {
			continue
		}
		line := printable(strings.TrimSpace(r.File + " " + r.Value))
		line += ": " + printable(r.Reason)
		if r.Remedy != "" && !r.Never {
			line += "; " + printable(r.Remedy)
		}
		lines = append(lines, line)
	}
	return lines
}

func printPromotion(out printer, e *dryrun.Environment) {
	p := e.Promotion
	out.line("\n%s", out.paint(green, printable(p.Title)))
	out.line("  %s", printable(p.Merge))
	if len(p.Kinds) > 0 {
		out.line("  kinds of change: %s", out.paint(yellow, printable(strings.Join(p.Kinds, ", "))))
	}
	if len(p.Then) > 0 {
		out.line("  then on to %s", printable(strings.Join(p.Then, ", ")))
	}
	out.table("    ", changeRows(p.Changes))
	if len(p.Kept) > 0 {
		out.line("  kept as it is here: %s", printable(strings.Join(p.Kept, ", ")))
	}
	for _, r := range refusedLines(e) {
		out.line("  stays behind: %s", r)
	}
	if p.Diff != "" {
		for line := range strings.Lines(p.Diff) {
			line = printable(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "    "))
			switch {
			case strings.HasPrefix(line, "+"):
				line = out.paint(green, line)
			case strings.HasPrefix(line, "-"):
				line = out.paint(red, line)
			}
			out.line("    %s", line)
		}
	}
}

// changeRows are the changes as a table, without the column of values when only
// whole files change.
func changeRows(changes []dryrun.Change) [][]string {
	values := slices.ContainsFunc(changes, func(c dryrun.Change) bool { return c.Value != "" })
	row := func(file, value, now, after string) []string {
		if values {
			return []string{file, value, now, after}
		}
		return []string{file, now, after}
	}
	rows := [][]string{row("file", "value", "now", "after")}
	for _, c := range changes {
		after := orDash(c.After)
		if len(c.Kinds) > 0 {
			after += "  (" + printable(strings.Join(c.Kinds, ", ")) + ")"
		}
		if c.Overwrites {
			after += "  (overwrites a change made here)"
		}
		if c.Merged {
			after += "  (merged line by line)"
		}
		rows = append(rows, row(printable(c.File), orDash(c.Value), orDash(c.Now), after))
	}
	return rows
}

func orDash(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return "–"
	}
	return printable(s)
}

// list prints a heading and its lines, as many as one wants to read.
func (p printer) list(heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	p.line("\n%s", p.paint(bold, heading))
	for i, l := range lines {
		if i == mostListed {
			p.line("  and %d more; --json has all", len(lines)-i)
			return
		}
		p.line("  %s", l)
	}
}
