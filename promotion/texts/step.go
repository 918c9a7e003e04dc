package texts

// Where one environment stands on a revision's way: at a glance, for titles, and
// in full, for tables. A verification that failed, a rollback and a person's hold
// say more than the standing does.

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// The reach of a step: what the check's title and conclusion make of it.
type reach int

const (
	off     reach = iota // not on this revision's way, or not there
	done                 // carries it
	waiting              // under way, or its turn has not come
	called               // a person closed it, or only observes
	broken               // a person is needed because something is wrong
)

func (s Step) reach() reach {
	r, proven := s.proven()
	switch {
	case proven:
		return r
	case s.Passed && !s.Carries:
		return off
	case s.heldByPerson() && !s.Carries:
		return called
	case s.Standing == promotion.Stopped && !s.heldByPerson():
		return broken
	case s.Carries:
		return done
	case s.Standing == promotion.Absent:
		return off
	case s.Standing == promotion.Rejected, s.Standing == promotion.WouldPromote:
		return called
	}
	return waiting
}

// words are what a step is at a glance, and its symbol. The text is not escaped.
func (s Step) words() (symbol, text string) {
	if text := s.proof(); text != "" {
		if s.reach() == waiting {
			return "◷", text
		}
		return "✗", text
	}
	switch s.reach() {
	case done:
		return "✓", ""
	case broken:
		return "✗", "stopped"
	case off:
		if s.Passed {
			return none, "passed over"
		}
		return none, "not there"
	case called:
		if s.Standing == promotion.Rejected {
			return "✗", "rejected"
		}
		return "◷", "would be promoted"
	case waiting:
	}
	switch text := s.waits(); {
	case text != "":
		return "◷", text
	case s.Standing == promotion.Proposed:
		return "◷", "waits for a person"
	case s.Standing == promotion.Merging:
		return "◷", "is being merged"
	case s.PullRequest == 0 && s.Reason == "":
		return "◷", "not yet"
	}
	return "◷", "waits"
}

// waits is what a step's gate waits for, at a glance and not escaped: the time
// alone where there is one. "" where it says nothing better than the standing.
func (s Step) waits() string {
	g := s.Waits
	switch {
	case g == nil || g.Passed || s.Carries:
	case g.Name == "window" && !g.Until.IsZero():
		return glance(g.Until, s.Asked, s.Zone)
	case g.Name == "soak" && !g.Until.IsZero():
		return "after what soaks there, " + clock(g.Until)
	case g.Name == "window":
		return "its window cannot be judged"
	case g.Name == "approval":
		return "waits for approval"
	case g.Name == "review":
		return "waits for a review"
	case g.Name == "checks":
		return "waits for checks"
	case g.Name == "queue":
		return "in the merge queue"
	case g.Name == "hold" && !g.Until.IsZero():
		return "held until " + clock(g.Until)
	case g.Name == "hold":
		return "held"
	}
	return ""
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
		return checkNamed(red[0]) + " is failing since " + clock(w.Failing)
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
		if n := s.Verification.Watch.Restarted; n > 2 {
			out = append(out, fmt.Sprintf("newer landings have ended its soak %d times before", n))
		}
	case s.Verification != nil && s.Carries:
		t := said(s.Verification.Text, repo, 0)
		if len(s.Verification.Evidence) > 0 {
			t += " – so far " + proofs(s.Verification.Evidence)
		}
		out = append(out, t)
	}
	if t := tried(s.Failure); t != "" {
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
func tried(f *state.Failure) string {
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
