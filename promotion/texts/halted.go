package texts

// The comment that calls people when something has failed and nothing more is
// done about it by itself.

import (
	"fmt"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// Halted is what the comment is made of.
type Halted struct {
	Repository  promotion.Repository
	Environment string
	Landing     string // commit that failed
	Reason      string
	Verdict     *state.Verdict // nil: not known
	Rollback    bool           // what failed is a rollback itself
	Held        bool
	People      []string // to be told: logins, and org/team for teams
}

// HaltedMark is the first line of the comment about a landing.
func HaltedMark(landing string) string { return "<!-- promobot halted " + plain(landing) + " -->" }

// HaltedComment is the comment, on the pull request that landed what failed.
func HaltedComment(h Halted) string {
	var b strings.Builder
	b.WriteString(HaltedMark(h.Landing) + "\n")
	what := "What landed here"
	if h.Rollback {
		what = "This rollback"
	}
	fmt.Fprintf(&b, "**%s has failed in %s, and a person is needed.** %s\n", what, named(h.Environment), said(cut(h.Reason, 1500), h.Repository, 0))
	if h.Verdict != nil && len(h.Verdict.Evidence) > 0 {
		b.WriteString("\n")
		for _, e := range h.Verdict.Evidence {
			sign := "◷"
			switch {
			case speaksFor(e):
				sign = "✓"
			case speaksAgainst(e):
				sign = "✗"
			}
			fmt.Fprintf(&b, "- %s %s: %s\n", sign, elsewhere(named(e.Name), e.URL), inline(cut(strings.TrimSpace(e.Outcome+" "+e.Text), mostReason)))
		}
	}
	b.WriteString("\n")
	if h.Held {
		fmt.Fprintf(&b, "%s is held: promobot merges nothing there. ", named(h.Environment))
	}
	if !h.Rollback {
		fmt.Fprintf(&b, "%s takes it back by pull request; ", command("rollback", h.Environment))
	}
	fmt.Fprintf(&b, "%s goes on with what is newer.\n", command("resume", h.Environment))
	var told []string
	for _, p := range h.People {
		if m := mention(p); m != "" {
			told = append(told, m)
		}
	}
	if len(told) > 0 {
		b.WriteString("\ncc " + strings.Join(told, " ") + "\n")
	}
	return cut(b.String(), 65_000)
}
