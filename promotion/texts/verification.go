package texts

// What a landing's verification has come to, for people: the evidence with its
// links, and where an environment stands on a revision's way because of it.
// Times are those at which something happens, not how long that is from now: a
// text that counted down would be wrong between two passes.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/state"
)

// mostEvidence is how many pieces of evidence one text names.
const mostEvidence = 8

// speaksFor and speaksAgainst tell what GitHub's conclusions mean here.
func speaksFor(e state.Evidence) bool { return e.Outcome == "success" || e.Outcome == "neutral" }

func speaksAgainst(e state.Evidence) bool {
	return slices.Contains([]string{"failure", "error", "timed_out", "startup_failure", "action_required"}, e.Outcome)
}

// those are the evidence of which something is true.
func those(es []state.Evidence, is func(state.Evidence) bool) []state.Evidence {
	return slices.DeleteFunc(slices.Clone(es), func(e state.Evidence) bool { return !is(e) })
}

// proofs is "argocd ✓, slo ✓", each mark a link to its page.
func proofs(es []state.Evidence) string {
	return each(es, mostEvidence, ", ", func(e state.Evidence) string {
		mark := "◷"
		switch {
		case speaksFor(e):
			mark = "✓"
		case speaksAgainst(e):
			mark = "✗"
		}
		return named(e.Name) + " " + elsewhere(mark, e.URL)
	})
}

// proofsPlain is proofs for git messages.
func proofsPlain(es []state.Evidence) string {
	return each(es, mostEvidence, ", ", func(e state.Evidence) string { return cut(plain(e.Name), mostName) + " ✓" })
}

// quoted is what a check says of itself, and where.
func quoted(e state.Evidence) string {
	var parts []string
	if text := inline(cut(strings.TrimSpace(clean(e.Text)), 200)); text != "" {
		parts = append(parts, "“"+text+"”")
	}
	if at := elsewhere("evidence", e.URL); at != "evidence" {
		parts = append(parts, "("+at+")")
	}
	return strings.Join(parts, " ")
}

// culprit is what a verdict failed by: "slo/checkout failed", not escaped.
func culprit(v *state.Verdict) string {
	red := those(v.Evidence, speaksAgainst)
	switch {
	case v.Outcome == state.GivenUp:
		return "neither verified nor failed"
	case len(red) == 0:
		return "not verified in time"
	case len(red) == 1:
		return checkNamed(red[0]) + " failed"
	}
	return fmt.Sprintf("%s and %d more failed", checkNamed(red[0]), len(red)-1)
}

// checkNamed is a piece of evidence's name in a title, not escaped and not empty.
func checkNamed(e state.Evidence) string {
	return cmp.Or(cut(strings.TrimSpace(clean(e.Name)), 60), "a check")
}

// began is when what a verdict says began.
func began(v *state.Verdict) time.Time {
	if v.Since.IsZero() {
		return v.Time
	}
	return v.Since
}

// lasted is a time span for people: "40 min", "4 h", "1 h 30 min", "3 d".
func lasted(d time.Duration) string {
	d = d.Round(time.Minute)
	two := func(a time.Duration, unit string, b time.Duration, smaller string) string {
		if b == 0 {
			return fmt.Sprintf("%d %s", a, unit)
		}
		return fmt.Sprintf("%d %s %d %s", a, unit, b, smaller)
	}
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return two(d/time.Hour, "h", d%time.Hour/time.Minute, "min")
	}
	return two(d/(24*time.Hour), "d", d%(24*time.Hour)/time.Hour, "h")
}

// clock is a time in a title, the same on every day.
func clock(t time.Time) string { return t.UTC().Format("2 Jan 15:04") + " UTC" }

// verified says how what is carried was verified where it comes from; "" where
// that is not known.
func verified(p Promotion) string {
	v := p.Verdict
	if v == nil || v.Outcome != state.Verified {
		return ""
	}
	s := "verified"
	if d := v.Time.Sub(v.Since); !v.Since.IsZero() && d >= time.Minute {
		s += " " + lasted(d)
	}
	return s + " in " + names(sources(p)[:1])
}

// command is one of promobot's comment commands, to be copied.
func command(what, environment string) string {
	return cell("/promobot " + what + " " + cut(strings.TrimSpace(clean(environment)), mostName))
}
