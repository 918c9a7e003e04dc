package texts

// The onboarding pull request: a guessed pipeline file, why, and what it would
// have made of the last months. It does nothing when it is merged, which its
// first line says.

import (
	"fmt"
	"strings"

	"github.com/promobot/promobot/promotion/config"
)

// Onboarding is what an onboarding pull request tells.
type Onboarding struct {
	File            []byte // the pipeline file
	Reasons, Doubts []string
	// Span is what was replayed, as "the last 90 days (41 commits)"; "" when
	// nothing was.
	Span string
	// Totals is a row for each environment of what would have been.
	Totals []OnboardingTotal
	// Pulls are titles of pull requests that would have been opened, newest last,
	// each with what would have become of it.
	Pulls []OnboardingPull
}

// OnboardingTotal is what would have been in one environment.
type OnboardingTotal struct {
	Environment                  string
	Source                       bool // a first one: only Landed counts
	Landed, Opened, ByHand, Open int
}

// OnboardingPull is one pull request that would have been opened.
type OnboardingPull struct{ Title, Became string }

// room is how much of an onboarding pull request is shown.
type room struct {
	lines int // of each list
	runes int // of each line
	file  bool
}

// OnboardingTexts are the pull request's title and body, at most 65,536 bytes.
func OnboardingTexts(o Onboarding) (title, body string) {
	for _, r := range []room{{20, 500, true}, {20, 500, false}, {5, 100, false}} {
		if body = onboardingBody(o, r); len(body) <= mostBody {
			break
		}
	}
	return "Begin with promobot: a pipeline file that only observes", body
}

func onboardingBody(o Onboarding, r room) string {
	var b strings.Builder
	b.WriteString("> **Merging this does nothing yet:** `mode: observe` lets promobot only say, on checks and pages, what it would do. **Not wanted:** close this; it is never offered again.\n\n")
	fmt.Fprintf(&b, "This is a first `%s`, guessed from what this repository looks like. Please look at it as at any other change; what could be otherwise is listed below. You can change it on this branch.\n", config.Path)
	r.list(&b, "Why", o.Reasons)
	r.list(&b, "Not sure", o.Doubts)
	r.effect(&b, o)
	b.WriteString("\n**Then:** raise `mode` to `propose` (pull requests that people merge), later to `auto` where a check says that all is well. Before that, on your machine: `promobot plan --replay 90d`.\n")
	if r.file {
		fmt.Fprintf(&b, "\n<details><summary>The file</summary>\n\n%s\n\n</details>\n", fenced("yaml", string(o.File)))
	}
	return b.String()
}

func (r room) list(b *strings.Builder, heading string, all []string) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n**%s**\n\n", heading)
	for i, s := range all {
		if i == r.lines {
			fmt.Fprintf(b, "- and %d more, in the file\n", len(all)-i)
			return
		}
		fmt.Fprintf(b, "- %s\n", inline(cut(s, r.runes)))
	}
}

// effect is what would have been.
func (r room) effect(b *strings.Builder, o Onboarding) {
	if o.Span == "" {
		return
	}
	fmt.Fprintf(b, "\n**What would have been** in %s, had promobot proposed and nobody merged\n\n", inline(o.Span))
	b.WriteString("| environment | changes | pull requests | done by hand since | still open |\n| --- | ---: | ---: | ---: | ---: |\n")
	for i, t := range o.Totals {
		if i == r.lines {
			fmt.Fprintf(b, "| and %d more | | | | |\n", len(o.Totals)-i)
			break
		}
		if t.Source {
			fmt.Fprintf(b, "| %s | %d | | | |\n", inline(t.Environment), t.Landed)
			continue
		}
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d |\n", inline(t.Environment), t.Landed, t.Opened, t.ByHand, t.Open)
	}
	if len(o.Pulls) == 0 {
		b.WriteString("\nNo pull request would have been opened.\n")
		return
	}
	b.WriteString("\n")
	if skipped := len(o.Pulls) - r.lines/2; skipped > 0 {
		fmt.Fprintf(b, "- %d before these\n", skipped)
		o.Pulls = o.Pulls[skipped:]
	}
	for _, p := range o.Pulls {
		fmt.Fprintf(b, "- %s: %s\n", inline(cut(p.Title, r.runes)), inline(p.Became))
	}
}

// fenced is a code block whose fence its text cannot close.
func fenced(language, text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + language + "\n" + strings.TrimSuffix(text, "\n") + "\n" + fence
}
