package texts

// The check run on a promoted revision: where it has got to in every
// environment. Its title says all at a glance; where there are many pipelines
// it counts, and lists first those that need a person.

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// RevisionCheck is the check run on a revision's commit: neutral while anything
// is under way, success when every environment on its way carries it, failure
// when one is stopped.
func RevisionCheck(r Revision) Check {
	ps := onWay(r.Pipelines)
	c := Check{Status: completed, Conclusion: conclude(ps), Buttons: revisionButtons(ps)}
	buttons := buttonLine(c.Buttons)
	if len(ps) == 0 {
		c.Conclusion = success
		c.Title = "Nothing here is promoted"
		c.Summary = "No environment of the pipeline file carries this revision."
		return c
	}
	if len(ps) == 1 {
		c.Title = oneTitle(ps[0])
		c.Summary = fit(func(room int) string {
			return paragraphs(revisionIntro(r, ps), stepTable(r.Repository, ps[0].Steps, room), buttons)
		})
		return c
	}
	c.Title = manyTitle(ps)
	c.Summary = fit(func(room int) string {
		return paragraphs(revisionIntro(r, ps), countTable(ps, room), callList(r.Repository, ps, min(room, 30)), buttons)
	})
	c.Text = pipelineSections(r.Repository, ps)
	return c
}

// paragraphs joins those that there are.
func paragraphs(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "\n\n")
}

// fit builds a text with fewer and fewer items until it keeps to a check run's
// limit.
func fit(build func(room int) string) string {
	return fitTo(mostCheck, mostRows, build)
}

func fitTo(limit, room int, build func(room int) string) string {
	for {
		s := build(room)
		if len(s) <= limit || room == 0 {
			return s
		}
		room /= 2
	}
}

// onWay leaves out environments that the revision never reaches: those that
// neither carry it nor lie downstream of one that does.
func onWay(ps []RevisionPipeline) []RevisionPipeline {
	var out []RevisionPipeline
	for _, p := range ps {
		on := map[string]bool{}
		for _, s := range p.Steps {
			if s.Carries {
				on[s.Environment] = true
				_, down := relatives(p.Pipeline, s.Environment)
				for d := range down {
					on[d] = true
				}
			}
		}
		q := RevisionPipeline{Pipeline: p.Pipeline}
		for _, s := range p.Steps {
			if p.Pipeline == nil || on[s.Environment] {
				q.Steps = append(q.Steps, s)
			}
		}
		if len(q.Steps) > 0 {
			out = append(out, q)
		}
	}
	return out
}

func conclude(ps []RevisionPipeline) string {
	c := success
	for _, p := range ps {
		switch worst(p) {
		case broken:
			return failure
		case waiting, called:
			c = neutral
		case done, off:
		}
	}
	return c
}

func worst(p RevisionPipeline) reach {
	w := off
	for _, s := range p.Steps {
		w = max(w, s.reach())
	}
	return w
}

func oneTitle(p RevisionPipeline) string {
	var parts []string
	for _, s := range p.Steps {
		symbol, text := s.words()
		switch s.reach() {
		case off:
			if s.Passed {
				parts = append(parts, plain(s.Environment)+" passed over")
			}
		case done:
			parts = append(parts, plain(s.Environment)+" "+symbol)
		case broken:
			parts = append(parts, plain(s.Environment)+" "+symbol+" "+plain(text))
		case waiting, called:
			if s.Carries {
				text = symbol + " " + text
			}
			parts = append(parts, plain(s.Environment)+" "+plain(text))
		}
	}
	return titled("", parts)
}

// titled joins the parts that fit into a check's title.
func titled(prefix string, parts []string) string {
	s := prefix
	for i, p := range parts {
		add := p
		if i > 0 {
			add = " · " + p
		}
		if utf8.RuneCountInString(s+add) > mostHeadline-20 {
			return s + " " + more(len(parts)-i)
		}
		s += add
	}
	return s
}

// tally is how one environment stands over many pipelines.
type tally struct {
	environment string
	n           [broken + 1]int
	next        *Step // that of those in a window's wait that opens first
}

// soonest is when the first of those that wait for a window goes on.
func (t tally) soonest() string {
	if t.next == nil {
		return ""
	}
	return t.next.waits()
}

func tallies(ps []RevisionPipeline) []tally {
	var ts []tally
	for _, p := range ps {
		for _, s := range p.Steps {
			i := slices.IndexFunc(ts, func(t tally) bool { return t.environment == s.Environment })
			if i < 0 {
				i = len(ts)
				ts = append(ts, tally{environment: s.Environment})
			}
			ts[i].n[s.reach()]++
			if g := s.Waits; s.reach() == waiting && g != nil && g.Name == "window" && !g.Until.IsZero() && (ts[i].next == nil || g.Until.Before(ts[i].next.Waits.Until)) {
				ts[i].next = &s
			}
		}
	}
	return ts
}

// noun is what the pipelines are called: the name of their for_each, when it is
// one that can be counted.
func noun(ps []RevisionPipeline) string {
	group := ""
	for _, p := range ps {
		if p.Pipeline == nil || group != "" && p.Pipeline.Group != group {
			return "pipelines"
		}
		group = p.Pipeline.Group
	}
	if group == "" || !strings.HasSuffix(group, "s") {
		return "pipelines"
	}
	return plain(group)
}

func manyTitle(ps []RevisionPipeline) string {
	var parts []string
	for _, t := range tallies(ps) {
		var counts []string
		for _, c := range []struct {
			reach reach
			text  string
		}{{done, "✓"}, {waiting, "wait"}, {called, "left to people"}, {broken, "✗ stopped"}} {
			if t.n[c.reach] > 0 {
				text := c.text
				if soonest := t.soonest(); c.reach == waiting && soonest != "" {
					text += " (next " + soonest + ")"
				}
				counts = append(counts, fmt.Sprintf("%d %s", t.n[c.reach], text))
			}
		}
		if len(counts) > 0 {
			parts = append(parts, plain(t.environment)+" "+strings.Join(counts, ", "))
		}
	}
	return titled(fmt.Sprintf("%d %s: ", len(ps), noun(ps)), parts)
}

func revisionIntro(r Revision, ps []RevisionPipeline) string {
	s := "Where " + commit(r.Repository, r.Commit) + " has got to"
	if len(ps) == 1 {
		if p := ps[0].Pipeline; p != nil {
			s += " in " + named(p.Key)
		}
	} else {
		s += fmt.Sprintf(" in %d %s", len(ps), named(noun(ps)))
	}
	underWay, passed := slices.ContainsFunc(tallies(ps), func(t tally) bool { return t.n[waiting] > 0 }), false
	var people []string // who are waited for, by environment
	for _, p := range ps {
		for _, st := range p.Steps {
			passed = passed || st.Passed && !st.Carries
			if st.reach() != waiting || st.PullRequest == 0 || st.Standing != promotion.Proposed && (st.Waits == nil || !asks(*st.Waits)) {
				continue
			}
			where := named(st.Environment)
			if len(ps) > 1 {
				where = named(pipelineName(p.Pipeline)) + " in " + where
			}
			people = append(people, pull(r.Repository, st.PullRequest)+" to "+where)
		}
	}
	switch c := conclude(ps); {
	case c == failure:
		s += ". **A person is needed** where it says ✗."
	case len(people) > 0:
		s += ". **A person is asked** about " + listed(people, mostEvidence, ", ") + "; the rest goes on by itself."
	case c == success && passed:
		s += ". It goes no further: something newer has taken its place."
	case c == success:
		s += ": everywhere on its way."
	case underWay:
		s += ". Nothing to do for you: it goes on by itself."
	default:
		s += ". It goes no further; something newer may."
	}
	return s + " Times are UTC where no zone is named."
}

// stepTable has one row for each environment.
func stepTable(repo promotion.Repository, steps []Step, room int) string {
	var b strings.Builder
	b.WriteString("| environment | stands | since | pull request | why |\n| --- | --- | --- | --- | --- |")
	for i, s := range steps {
		if i == room {
			fmt.Fprintf(&b, "\n| %s | | | | |", more(len(steps)-i))
			break
		}
		symbol, text := s.words()
		stands := strings.TrimSpace(symbol + " " + inline(text))
		if s.Carries && s.Commit != "" {
			stands += " " + commit(repo, s.Commit)
		}
		since := none
		if s.Carries {
			since = moment(s.At)
		}
		number := none
		if s.PullRequest > 0 {
			number = pull(repo, s.PullRequest)
		}
		why := accounts(repo, s)
		switch {
		case s.Reason != "" && s.Hold == nil: // else the hold says so
			why = append(why, said(s.Reason, repo, s.PullRequest)+onLine(repo, s))
		case s.Verification != nil && s.Verification.Verdict == nil && s.Line > 0 && len(why) > 0:
			why[0] += onLine(repo, s)
		case len(s.Attempts) > 0:
			why = append(why, attempts(repo, s.Attempts))
		case len(why) == 0:
			why = []string{none}
		}
		fmt.Fprintf(&b, "\n| %s | %s | %s | %s | %s |", named(s.Environment), stands, since, number, strings.Join(why, "; "))
	}
	return b.String()
}

// onLine names the line of the pipeline file that a step waits for; "" for none.
func onLine(repo promotion.Repository, s Step) string {
	if s.Line == 0 {
		return ""
	}
	return " (" + fileLine(repo, s.Line) + ")"
}

// attempts says how often something was tried before, and why not with success
// the last time.
func attempts(repo promotion.Repository, as []state.Rebuild) string {
	last := as[len(as)-1]
	return fmt.Sprintf("attempt %d: %s (%s → %s)", len(as)+1, said(last.Why, repo, 0), commit(repo, last.From), commit(repo, last.To))
}

// moment is a time that reads the same on every day: a text that followed the
// calendar would have to be written again although nothing happened.
func moment(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func countTable(ps []RevisionPipeline, room int) string {
	var b strings.Builder
	b.WriteString("| environment | ✓ has it | ◷ waits | left to people | ✗ stopped |\n| --- | --- | --- | --- | --- |")
	ts := tallies(ps)
	for i, t := range ts {
		if i == room {
			fmt.Fprintf(&b, "\n| %s | | | | |", more(len(ts)-i))
			break
		}
		fmt.Fprintf(&b, "\n| %s | %d | %d | %d | %d |", named(t.environment), t.n[done], t.n[waiting], t.n[called], t.n[broken])
	}
	return b.String()
}

// callList names what a person has to look at.
func callList(repo promotion.Repository, ps []RevisionPipeline, room int) string {
	type call struct {
		pipeline string
		step     Step
	}
	var calls []call
	for _, want := range []reach{broken, called} {
		for _, p := range ps {
			for _, s := range p.Steps {
				if s.reach() == want {
					calls = append(calls, call{pipelineName(p.Pipeline), s})
				}
			}
		}
	}
	if len(calls) == 0 {
		return ""
	}
	return "- " + each(calls, room, "\n- ", func(c call) string {
		symbol, text := c.step.words()
		item := fmt.Sprintf("%s %s in %s %s", symbol, named(c.pipeline), named(c.step.Environment), inline(text))
		if c.step.Reason != "" {
			item += ": " + said(c.step.Reason, repo, c.step.PullRequest)
		} else if why := accounts(repo, c.step); len(why) > 0 {
			item += ": " + strings.Join(why, "; ")
		}
		return item
	})
}

func pipelineName(p *config.Pipeline) string {
	if p == nil {
		return "pipeline"
	}
	return p.Key
}

// pipelineSections is one table for each pipeline, those that need a person
// first and those that are through last, as many as fit.
func pipelineSections(repo promotion.Repository, ps []RevisionPipeline) string {
	sorted := slices.Clone(ps)
	slices.SortStableFunc(sorted, func(a, b RevisionPipeline) int { return int(worst(b)) - int(worst(a)) })
	const reserved = 40 // for saying how many are left out
	var b strings.Builder
	for i, p := range sorted {
		section := fitTo(mostCheck/2, mostRows, func(room int) string {
			return "### " + named(pipelineName(p.Pipeline)) + "\n\n" + stepTable(repo, p.Steps, room) + "\n\n"
		})
		if b.Len()+len(section) > mostCheck-reserved {
			b.WriteString(more(len(sorted)-i) + "\n")
			break
		}
		b.WriteString(section)
	}
	return strings.TrimRight(b.String(), "\n")
}
