package texts

// The parts of a pull request's text that are lists: each takes how many items
// it may show and says how many it leaves out.

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
)

// table is what changes: file, value, now, after.
func table(p Promotion, room int) string {
	c := p.Decision.Content
	if c == nil || len(c.Changes) == 0 {
		return "What changes stands under *Files changed*."
	}
	var b strings.Builder
	b.WriteString("| file | value | now | after |\n| --- | --- | --- | --- |")
	for i, ch := range c.Changes {
		if i == room {
			fmt.Fprintf(&b, "\n| %s | | | |", more(len(c.Changes)-i))
			break
		}
		value := "whole file"
		if ch.Value != "" {
			value = cell(cut(ch.Value, mostName))
		}
		fmt.Fprintf(&b, "\n| %s | %s | %s | %s%s |", cell(cut(ch.File, mostPath)), value, cell(cut(ch.Now, mostName)), after(ch), p.kinds(ch))
	}
	return b.String()
}

// after is the new value; Now and After of a whole file may be a remark such as
// "12 lines", or the one line that differs, so they are shown like values.
func after(c content.Change) string {
	if c.After == "" && slices.Contains(c.Kinds, content.Delete) {
		return "deleted"
	}
	return cell(cut(c.After, mostName))
}

// pullNumber finds the pull request that a commit came with: the last "(#12)"
// of a subject, or a merge commit's.
var (
	squashed = regexp.MustCompile(`\(#(\d{1,9})\)`)
	merged   = regexp.MustCompile(`^Merge pull request #(\d{1,9}) from `)
)

// described takes a commit's message apart: the pull request's number (0
// without one) and what it does.
func described(message string) (number int, what string) {
	first, rest, _ := strings.Cut(message, "\n")
	if m := merged.FindStringSubmatch(first); m != nil {
		number, _ = strconv.Atoi(m[1])
		for line := range strings.SplitSeq(rest, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				return number, line
			}
		}
		return number, first
	}
	if all := squashed.FindAllStringSubmatchIndex(first, -1); len(all) > 0 {
		m := all[len(all)-1]
		number, _ = strconv.Atoi(first[m[2]:m[3]])
		return number, strings.TrimSpace(first[:m[0]] + first[m[1]:])
	}
	return 0, first
}

// brings lists the upstream's commits that travel along.
func brings(p Promotion, room int) string {
	link := compare("compare", p.Repository, p.Before, cmp.Or(p.State.Read, p.State.Landing))
	total := len(p.Brings) + p.More
	if total == 0 {
		if link == "" {
			return ""
		}
		return "**Brings** what changed in " + named(p.State.From) + " since the last promotion · " + link
	}
	head := "**Brings** " + count(total, "change")
	if link != "" {
		head += " · " + link
	}
	var b strings.Builder
	b.WriteString(head + "\n")
	for i, c := range p.Brings {
		if i == room {
			break
		}
		b.WriteString("\n- " + broughtAlong(p.Repository, c))
	}
	if left := total - min(room, len(p.Brings)); left > 0 {
		b.WriteString("\n- " + more(left))
	}
	return b.String()
}

func broughtAlong(r promotion.Repository, c promotion.Commit) string {
	number, what := described(c.Message)
	s := commit(r, c.ID)
	if number > 0 {
		s = pull(r, number) + " " + s
	}
	if strings.TrimSpace(clean(what)) != "" {
		s += " " + named(what)
	}
	if strings.TrimSpace(clean(c.Author.Name)) != "" {
		s += " (" + named(c.Author.Name) + ")"
	}
	return s
}

// overwrites says what of the target's own is lost.
func overwrites(p Promotion, room int) string {
	env := named(environment(p))
	c := p.Decision.Content
	if c == nil {
		return ""
	}
	var lost []content.Change
	for _, ch := range c.Changes {
		if ch.Overwrites {
			lost = append(lost, ch)
		}
	}
	if len(lost) == 0 {
		return "**Overwrites** nothing made only in " + env + "."
	}
	s := fmt.Sprintf("⚠ **Overwrites** what someone changed in %s since its last promotion:\n\n- %s", env, each(lost, max(1, room), "\n- ", func(ch content.Change) string {
		return fmt.Sprintf("%s %s, now %s", code(cut(ch.File, mostPath)), what(ch), code(cut(ch.Now, mostName)))
	}))
	if kinds := needPerson(p); len(kinds) > 0 || mode(p) != config.Auto {
		return s + "\n\nA person must merge, or put the upstream right first."
	}
	return s + "\n\nThe pipeline file allows that here."
}

func what(c content.Change) string {
	if c.Value == "" {
		return "(whole file)"
	}
	return code(cut(c.Value, mostName))
}

// keeps names what stays the target's own, and what cannot travel.
func keeps(p Promotion, room int) string {
	c := p.Decision.Content
	if c == nil {
		return ""
	}
	var parts []string
	if len(c.Kept) > 0 {
		kept := each(c.Kept, max(1, room), ", ", func(k string) string { return code(cut(k, mostName)) })
		parts = append(parts, "**Keeps** "+named(environment(p))+"'s own "+kept+".")
	}
	var never, refused []content.Refusal
	for _, r := range c.Refused {
		if r.Never {
			never = append(never, r)
		} else {
			refused = append(refused, r)
		}
	}
	if len(never) > 0 {
		parts = append(parts, "**Stays behind**, since `never` says so: "+each(never, max(1, room), ", ", refusedItem)+".")
	}
	if len(refused) > 0 {
		parts = append(parts, "⚠ **Cannot travel:**\n\n- "+each(refused, max(1, room), "\n- ", func(r content.Refusal) string {
			s := refusedItem(r) + " " + said(r.Reason, p.Repository, 0)
			if r.Remedy != "" {
				s += "; " + said(r.Remedy, p.Repository, 0)
			}
			return s
		}))
	}
	return strings.Join(parts, "\n\n")
}

func refusedItem(r content.Refusal) string {
	s := code(cut(r.File, mostPath))
	if r.Value != "" {
		s += " " + code(cut(r.Value, mostName))
	}
	return s
}

// way is where the revision has got to: what comes before here, here, what
// comes after, and the rest.
func way(p Promotion, room int) string {
	here := environment(p)
	up, down := relatives(p.Pipeline, here)
	var before, behind, beside []string
	for _, s := range p.Way {
		switch {
		case s.Here || s.Environment == here:
		case p.Pipeline == nil || up[s.Environment]:
			before = append(before, passed(p, s))
		case down[s.Environment]:
			behind = append(behind, passed(p, s))
		default:
			beside = append(beside, passed(p, s))
		}
	}
	if len(before)+len(behind)+len(beside) == 0 {
		return ""
	}
	chain := append(tail(before, room), "**"+named(here)+"**")
	s := "**Way:** " + strings.Join(chain, " › ")
	if len(behind) > 0 {
		s += " › " + listed(behind, max(1, room), " › ")
	}
	if len(beside) > 0 {
		s += " · " + listed(beside, max(1, room), " · ")
	}
	return s
}

// tail keeps the last items, which are the nearest.
func tail(items []string, most int) []string {
	if most = max(1, most); len(items) <= most {
		return items
	}
	return append([]string{more(len(items) - most)}, items[len(items)-most:]...)
}

func passed(p Promotion, s Step) string {
	t := named(s.Environment)
	switch {
	case s.Carries && !s.At.IsZero():
		return t + " ✓ " + at(s.At, p.State.Claimed)
	case s.Carries:
		return t + " ✓"
	case s.PullRequest > 0:
		return t + " ◷ " + pull(p.Repository, s.PullRequest)
	}
	return t
}

// relatives are an environment's upstreams and downstreams, near and far.
func relatives(p *config.Pipeline, name string) (up, down map[string]bool) {
	up, down = map[string]bool{}, map[string]bool{}
	if p == nil {
		return up, down
	}
	// Every environment stands after those it is from, so one pass each way will do.
	for _, e := range p.Environments {
		for _, f := range e.From {
			if f == name || down[f] {
				down[e.Name] = true
			}
		}
	}
	for _, e := range slices.Backward(p.Environments) {
		if e.Name == name || up[e.Name] {
			for _, f := range e.From {
				up[f] = true
			}
		}
	}
	return up, down
}

// downstream are the environments that are offered next what lands here.
func downstream(p Promotion) []string {
	if p.Pipeline == nil {
		return nil
	}
	var next []string
	for _, e := range p.Pipeline.Environments {
		if e.Present && slices.Contains(e.From, environment(p)) {
			next = append(next, e.Name)
		}
	}
	return next
}
