package texts

// The check run on a promotion's head: what is waited for, and what merging
// will do. It is always completed, so that nobody sees a yellow dot for days:
// neutral while something is waited for, success once nothing is, failure where
// something is wrong that a person has to put right.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/calendar"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

const (
	completed = "completed"
	neutral   = "neutral"
	success   = "success"
	failure   = "failure"

	mostHeadline = 200   // characters of a check's title that pages show without trouble
	mostCheck    = 65535 // characters of a summary and of a text ("Create a check run"); counted in bytes
)

// HeadCheck is the check run on the head of a promotion's pull request.
func HeadCheck(p Promotion) Check {
	title, conclusion := headline(p)
	// A batch's members follow in the second half.
	return Check{
		Status: completed, Conclusion: conclusion, Title: cut(plain(title), mostHeadline), Buttons: headButtons(p),
		Summary: fitTo(mostCheck/2, state.RebuildsKept, func(room int) string { return headSummary(p, room) }),
	}
}

func headSummary(p Promotion, room int) string {
	parts := []string{next(p, room)}
	for _, s := range []string{gateList(p), sooner(p)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if !p.State.Status.Ended() && p.Decision.Standing != promotion.Stopped {
		parts = append(parts, effect(p))
	}
	switch {
	case p.State.Status == state.Opened && p.rollsBack():
		parts = append(parts, "To stop it, close the pull request; "+stays(p)+".")
	case p.State.Status == state.Opened && p.Decision.Standing != promotion.Merging:
		parts = append(parts, fmt.Sprintf("To stop it, close the pull request: %s is then left alone in %s, and only what %s after it is proposed.",
			revision(p.Repository, p.State.Revision), named(environment(p)), comes(p)))
	}
	if built := rebuilds(p, room); len(built) > 0 {
		parts = append(parts, "- "+strings.Join(built, "\n- "))
	}
	if line := buttonLine(headButtons(p)); line != "" {
		parts = append(parts, line)
	}
	return strings.Join(parts, "\n\n")
}

// shut is the first gate that is not open yet.
func shut(p Promotion) (promotion.Gate, bool) {
	for _, g := range p.Decision.Gates {
		if !g.Passed {
			return g, true
		}
	}
	return promotion.Gate{}, false
}

// person is the first shut gate that asks a person for something; nil: none does.
func person(p Promotion) *promotion.Gate {
	for i, g := range p.Decision.Gates {
		if asks(g) {
			return &p.Decision.Gates[i]
		}
	}
	return nil
}

// asks says whether a shut gate asks a person for something.
func asks(g promotion.Gate) bool {
	return !g.Passed && !g.Waits && slices.Contains([]string{"approval", "kinds", "label", "window", "hold", "review"}, g.Name)
}

// until is when the gates that only wait let a promotion through, as far as that
// is known: the last of them, with its gate.
func until(p Promotion) (last promotion.Gate) {
	for _, g := range p.Decision.Gates {
		if !g.Passed && g.Waits && g.Until.After(last.Until) {
			last = g
		}
	}
	return last
}

// headline is the check's title and its conclusion.
func headline(p Promotion) (title, conclusion string) {
	d := p.Decision
	g, waits := shut(p)
	if p.rollsBack() {
		if title, conclusion := rollbackHeadline(p); title != "" {
			return title, conclusion
		}
	}
	switch {
	case d.Standing == promotion.Stopped:
		return stoppedTitle(p), failure
	case p.State.Status == state.Landed:
		return "Landed in " + environment(p), success
	case p.State.Status == state.Vetoed || d.Standing == promotion.Rejected:
		return "Closed by a person: not proposed again", neutral
	case p.State.Status == state.Closed || p.State.Status == state.Closing:
		return "Closed: " + p.State.Reason, neutral
	case d.Standing == promotion.Merging:
		return "Nothing is waited for: promobot merges", success
	case d.Standing == promotion.Proposed && waits && g.Name != "kinds":
		return waitsFor(p, g), neutral
	case waits && g.Waits && person(p) != nil:
		// Who is asked need not wait for the clock.
		return waitsFor(p, *person(p)) + "; then " + lower(strings.TrimPrefix(waitsFor(p, g), "Waits for ")), neutral
	case d.Standing == promotion.Proposed && len(needPerson(p)) > 0:
		return "Waits for a person to merge: changes of kind " + strings.Join(needPerson(p), ", "), neutral
	case d.Standing == promotion.Proposed:
		return "Waits for a person to merge", neutral
	case waits && g.Name == "github" && !d.Until.IsZero():
		return "Merges when GitHub allows it", neutral
	case waits:
		return waitsFor(p, g), neutral
	case d.Reason != "":
		return "Waits: " + d.Reason, neutral
	case mode(p) == config.Auto:
		return "Merges when GitHub allows it", neutral
	}
	return "Waits for a person to merge", neutral
}

// waitsFor is a shut gate as a title: what is waited for, and until when.
func waitsFor(p Promotion, g promotion.Gate) string {
	switch {
	case g.Name == "window" && !g.Until.IsZero():
		return "Waits for window: " + calendar.Describe(g.Until, p.State.Claimed, zoneOf(p.Config, g))
	case g.Name == "soak" && !g.Until.IsZero():
		return "Waits for what soaks in " + environment(p) + ": until " + clock(g.Until)
	case g.Name == "approval" && p.State.Approval == nil:
		return "Waits for approval"
	case g.Name == "label":
		return "Held by the label " + promotion.HoldLabel
	case g.Name == "hold", g.Name == "auto-merge", g.Name == "queue":
		return upper(g.Text)
	}
	return "Waits: " + g.Text
}

// sooner is what a person can do about the gate that is waited for.
func sooner(p Promotion) string {
	g, waits := shut(p)
	if !waits || p.rollsBack() || p.Decision.Standing == promotion.Stopped || p.State.Status != state.Opened || mode(p) != config.Auto {
		return ""
	}
	switch passable, _ := promotion.Passable(g.Name); {
	case g.Name == "approval":
		return "To approve exactly this: `/promobot approve`. What is built anew with other content has to be approved again."
	case g.Name == "hold":
		return "To lift the hold: " + command("resume", environment(p)) + "."
	case g.Name == "kinds":
		return "To have promobot merge it all the same: `/promobot merge --past kinds`. It asks for the right to, and for a confirmation, and is recorded."
	case passable:
		return "Sooner: `/promobot merge --past " + g.Name + "`. It asks for the right to, and for a confirmation, and is recorded."
	}
	return ""
}

// sentence is what reads on with a capital: a word, not a file's name.
var sentence = regexp.MustCompile(`^[a-z]+:? `)

func stoppedTitle(p Promotion) string {
	s := firstClause(p.Decision.Reason)
	s = strings.Replace(s, fmt.Sprintf("the branch of #%d", p.State.PullRequest), "this branch", 1)
	if sentence.MatchString(s) {
		return upper(s)
	}
	return "Stopped: " + s
}

// firstClause is what happened, without what to do about it.
func firstClause(reason string) string {
	end := len(reason)
	for _, sep := range []string{"; ", ", so ", ". "} {
		if i := strings.Index(reason, sep); i > 0 {
			end = min(end, i)
		}
	}
	return reason[:end]
}

// next says who does what next.
func next(p Promotion, room int) string {
	d := p.Decision
	if s := rollbackNext(p, room); s != "" {
		return s
	}
	head := "the pull request's head"
	if p.State.Commit != "" {
		head = commit(p.Repository, p.State.Commit)
	}
	switch {
	case d.Standing == promotion.Stopped:
		return "A person is needed: " + said(d.Reason, p.Repository, p.State.PullRequest) + "."
	case p.State.Status.Ended():
		return upper(said(d.Reason, p.Repository, p.State.PullRequest)) + "."
	case d.Standing == promotion.Merging:
		return "Nothing to do for you. promobot merges " + head + " now."
	case mode(p) == config.Auto && len(d.Gates) > 0 && (d.Standing != promotion.Proposed || len(needPerson(p)) == 0):
		return nextMerge(p, head)
	case d.Standing == promotion.Proposed:
		return "promobot does not merge this one. Merge it when you agree; promobot sees it by itself, whatever merge method you use."
	}
	return "Nothing to do for you: " + said(d.Reason, p.Repository, p.State.PullRequest) + "."
}

// nextMerge says from when on promobot merges, and whether it asks a person first.
func nextMerge(p Promotion, head string) string {
	s := "promobot merges exactly " + head
	if g := until(p); !g.Until.IsZero() {
		s += ", " + inline(calendar.Describe(g.Until, p.State.Claimed, zoneOf(p.Config, g))) + " at the earliest,"
	}
	s += " once every line below is ✓."
	g := person(p)
	if g == nil {
		for _, other := range p.Decision.Gates {
			if !other.Passed && !other.Waits {
				return s + " Nothing to do for you, unless a line marked ◷ asks for it."
			}
		}
		return "Nothing to do for you. " + s
	}
	why := said(g.Text, p.Repository, p.State.PullRequest)
	if g.Name == "hold" {
		return upper(why) + ". " + s
	}
	return "**A person is asked:** " + why + ". " + s
}

// gateList is every gate, open or shut, with the line of the pipeline file.
func gateList(p Promotion) string {
	var lines []string
	for _, g := range p.Decision.Gates {
		mark := "◷"
		switch {
		case g.Passed:
			mark = "✓"
		case p.Decision.Standing == promotion.Stopped || g.Name == "hold" || g.Name == "conflict" || g.Name == "label":
			mark = "✗"
		}
		line := "- " + mark + " " + said(g.Text, p.Repository, p.State.PullRequest)
		if g.Line > 0 {
			line += " (" + lineOf(p, g.Line) + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// followers are the environments that come after this one in order, without
// taking their content from it.
func followers(p Promotion) []string {
	var out []string
	for _, e := range p.Pipeline.Environments {
		if slices.Contains(e.After, environment(p)) && !slices.Contains(e.From, environment(p)) {
			out = append(out, e.Name)
		}
	}
	return out
}

// effect is what merging will do.
func effect(p Promotion) string {
	if p.rollsBack() {
		return rollbackEffect(p)
	}
	env := named(environment(p))
	s := "Merging brings " + named(name(p)) + " " + inline(change(p)) + " to " + env
	if c := p.Decision.Content; c != nil && len(c.Changes) > 0 {
		s += " (" + amounts(c) + ")"
	}
	down, next := downstream(p), followers(p)
	if len(down) > 0 {
		s += "; from there it is offered to " + listed(inlined(down), 8, ", ")
	}
	if len(next) > 0 {
		s += "; then " + listed(inlined(next), 8, ", ") + " may follow"
	}
	if len(down)+len(next) == 0 {
		s += "; it ends there"
	}
	return s + "."
}

// amounts is "2 values and 1 file".
func amounts(c *content.Result) string {
	files, values, lost := 0, 0, 0
	for _, ch := range c.Changes {
		if ch.Value == "" {
			files++
		} else {
			values++
		}
		if ch.Overwrites {
			lost++
		}
	}
	var parts []string
	if values > 0 {
		parts = append(parts, count(values, "value"))
	}
	if files > 0 {
		parts = append(parts, count(files, "whole file"))
	}
	s := strings.Join(parts, " and ")
	if lost > 0 {
		s += fmt.Sprintf("; ⚠ %d made only there overwritten", lost)
	}
	return s
}
