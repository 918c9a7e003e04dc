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

	"github.com/promobot/promobot/promotion"
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
		return cut(clean(red[0].Name), 60) + " failed"
	}
	return fmt.Sprintf("%s and %d more failed", cut(clean(red[0].Name), 60), len(red)-1)
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

// verdict is the outcome of a step's verification; nil while there is none.
func (s Step) verdict() *state.Verdict {
	if s.Verification == nil {
		return nil
	}
	return s.Verification.Verdict
}

// reach of a step by its verification; false where that says nothing.
func (s Step) proven() (reach, bool) {
	switch v := s.verdict(); {
	case s.takenBack(), v != nil && v.Outcome != state.Verified:
		return broken, true
	case s.Verification != nil && v == nil && s.Carries:
		return waiting, true
	}
	return off, false
}

func (s Step) takenBack() bool {
	return s.TakenBack != "" || s.Rollback != nil && s.Rollback.Status == state.Landed
}

// heldByPerson says whether a person, rather than something wrong, stops a step.
func (s Step) heldByPerson() bool {
	return s.Hold != nil && s.Hold.Failed == "" && s.Hold.Landing == "" && s.Hold.By != "" && s.Hold.By != "promobot"
}

// proof is what a step's verification, rollback or hold says at a glance, not
// escaped; "" where they say nothing.
func (s Step) proof() string {
	v := s.verdict()
	switch {
	case v != nil && v.Outcome != state.Verified:
		text := culprit(v) + " " + clock(began(v))
		switch {
		case s.takenBack():
			return text + ", rolled back"
		case s.Rollback != nil && !s.Rollback.Status.Ended():
			return text + ", being rolled back"
		}
		return text
	case s.takenBack():
		return "rolled back"
	case s.Verification != nil && v == nil && s.Carries:
		return s.watched()
	case s.heldByPerson() && !s.Carries:
		if !s.Hold.Until.IsZero() {
			return "held until " + clock(s.Hold.Until)
		}
		return "held by " + cut(clean(s.Hold.By), mostName)
	}
	return ""
}

// watched is a verification that goes on.
func (s Step) watched() string {
	w := s.Verification.Watch
	until := ""
	if !s.Verification.Until.IsZero() {
		until = " until " + clock(s.Verification.Until)
	}
	red := those(s.Verification.Evidence, speaksAgainst)
	switch {
	case w != nil && !w.Holding.IsZero():
		return "soaks" + until
	case w != nil && !w.Failing.IsZero() && len(red) > 0:
		return cut(clean(red[0].Name), 60) + " is failing since " + clock(w.Failing)
	}
	return "is being verified" + until
}

// accounts are what a step's verification, failure policy, rollback and hold say
// in full, for a table's cell.
func accounts(repo promotion.Repository, s Step) []string {
	var out []string
	v := s.verdict()
	switch {
	case v != nil && v.Outcome == state.Verified:
		t := "verified since " + moment(began(v))
		if es := those(v.Evidence, speaksFor); len(es) > 0 {
			t += ": " + proofs(es)
		} else if v.Reason != "" {
			t += ": " + said(v.Reason, repo, 0)
		}
		out = append(out, t)
	case v != nil:
		out = append(out, verdictText(repo, v))
	case s.Verification != nil && s.Carries && s.Verification.Watch != nil && !s.Verification.Watch.Holding.IsZero() && len(s.Verification.Evidence) > 0:
		out = append(out, "all holds since "+moment(s.Verification.Watch.Holding)+": "+proofs(s.Verification.Evidence))
	case s.Verification != nil && s.Carries:
		t := said(s.Verification.Text, repo, 0)
		if len(s.Verification.Evidence) > 0 {
			t += " – so far " + proofs(s.Verification.Evidence)
		}
		out = append(out, t)
	}
	if t := tried(repo, s.Failure); t != "" {
		out = append(out, t)
	}
	if t := rolledBack(repo, s); t != "" {
		out = append(out, t)
	}
	if s.Hold != nil {
		out = append(out, heldText(repo, s.Hold, s.Environment))
	}
	return out
}

// verdictText is a failed or given-up verdict with its evidence.
func verdictText(repo promotion.Repository, v *state.Verdict) string {
	red := those(v.Evidence, speaksAgainst)
	if len(red) == 0 {
		return fmt.Sprintf("%s at %s: %s", upper(inline(culprit(v))), moment(v.Time), said(v.Reason, repo, 0))
	}
	return each(red, mostEvidence, "; ", func(e state.Evidence) string {
		t := named(e.Name) + " ✗ " + moment(e.Time)
		if q := quoted(e); q != "" {
			t += " " + q
		}
		return t
	})
}

// tried are the steps of the failure policy that were taken.
func tried(repo promotion.Repository, f *state.Failure) string {
	if f == nil {
		return ""
	}
	var out []string
	halted := false
	for _, t := range f.Steps {
		switch t.Do {
		case "rollback": // said with its pull request
		case "halt":
			halted = true
		default:
			s := inline(t.Do)
			if result := strings.TrimSpace(clean(t.Result)); result != "" && t.Do == "run" {
				s += " " + inline(result)
			}
			if at := elsewhere("run", t.URL); at != "run" {
				s += " (" + at + ")"
			}
			out = append(out, s)
		}
	}
	s := ""
	if len(out) > 0 {
		s = "tried: " + listed(out, mostEvidence, ", ")
	}
	if halted || f.Over && f.Scope == "" {
		if s != "" {
			s += "; "
		}
		s += "halted, a person has to look"
	}
	return s
}

func rolledBack(repo promotion.Repository, s Step) string {
	p := s.Rollback
	switch {
	case p == nil && s.TakenBack != "":
		return "taken back as " + commit(repo, s.TakenBack)
	case p == nil:
		return ""
	case s.takenBack():
		t := "rolled back"
		if p.PullRequest > 0 {
			t += " with " + pull(repo, p.PullRequest)
		}
		if s.TakenBack != "" {
			t += " as " + commit(repo, s.TakenBack)
		}
		return t
	case p.Status == state.Vetoed:
		return "its rollback " + pull(repo, p.PullRequest) + " was closed by " + named(cmp.Or(p.By, "someone"))
	case p.Status == state.Closed || p.Status == state.Closing:
		return "its rollback was given up: " + said(p.Reason, repo, 0)
	case p.PullRequest > 0:
		return "being rolled back with " + pull(repo, p.PullRequest)
	}
	return "being rolled back"
}

// heldText is a hold: until when, by whom, why, and what lifts it.
func heldText(repo promotion.Repository, h *state.Hold, environment string) string {
	s := "held since " + moment(h.Since)
	if by := strings.TrimSpace(clean(h.By)); by != "" {
		s += " by " + named(by)
	}
	if !h.Until.IsZero() {
		s += " until " + moment(h.Until)
	}
	if h.Reason != "" && h.Failed == "" { // a failure stands beside it
		s += ": " + said(h.Reason, repo, 0)
	}
	return s + "; " + command("resume", environment) + " lifts it"
}

// command is one of promobot's comment commands, to be copied.
func command(what, environment string) string {
	return cell("/promobot " + what + " " + cut(strings.TrimSpace(clean(environment)), mostName))
}
