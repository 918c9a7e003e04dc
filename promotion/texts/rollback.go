package texts

// The pull request of a rollback. Rules: what failed comes first, with its
// evidence, then who merges and how to stop it, as everywhere; it says what
// stays, what runs elsewhere and what happens next. Templates of the pipeline
// file are for promotions: a rollback has to be known at a glance.

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

func (p Promotion) rollsBack() bool { return p.State.Reverts != nil }

// mostCause is how much of why something is rolled back stands in a title.
const mostCause = 80

// failedBy is why something is rolled back, in a few words, not escaped.
func failedBy(p Promotion) string {
	r, v := p.State.Reverts, p.Rollback.Verdict
	s := ""
	switch {
	case r.By != "":
		s = r.By + " asked for it"
	case v != nil && v.Outcome != state.Verified:
		s = culprit(v)
	default:
		s, _, _ = strings.Cut(firstClause(r.Reason), ": ")
	}
	if r.Cause != "" {
		s += " in " + r.Cause
	}
	return cut(strings.TrimSpace(clean(s)), mostCause)
}

// rollbackTitle is "prod-eu: roll back checkout 1.42.0 → 1.40.0 (slo/checkout failed)".
func rollbackTitle(p Promotion) string {
	t := ownTitle(p, mostName)
	if why := plain(failedBy(p)); why != "" {
		t += " (" + why + ")"
	}
	return cut(t, mostTitle)
}

// taken is the landing that is taken back, where the ledger still has it.
func taken(p Promotion) *state.Landing {
	if l := p.Rollback.Landing; l != nil && l.Commit == p.State.Reverts.Landing {
		return l
	}
	return nil
}

// clashes are the changes that would put back a line that someone has changed
// since, and the refusals: what no rollback decides by itself.
func clashes(p Promotion) (over []content.Change, refused []content.Refusal) {
	if p.Decision.Content == nil {
		return nil, nil
	}
	for _, c := range p.Decision.Content.Changes {
		if c.Overwrites {
			over = append(over, c)
		}
	}
	for _, r := range p.Decision.Content.Refused {
		if !r.Never {
			refused = append(refused, r)
		}
	}
	return over, refused
}

// clashing says whether a rollback needs a person to be finished.
func clashing(p Promotion) bool {
	over, refused := clashes(p)
	return len(over)+len(refused) > 0 || slices.ContainsFunc(p.Decision.Gates, func(g promotion.Gate) bool { return g.Name == "conflict" && !g.Passed })
}

func rollbackBody(p Promotion, room int) string {
	var parts []string
	for _, s := range []string{
		failed(p), rollbackMerges(p), clash(p, min(room, 20)), table(p, room), goesBack(p), takesBack(p, min(room, 30)),
		untouched(p, min(room, 10)), runsElsewhere(p, min(room, 20)), then(p), concerned(p), withoutPromobot(p), rollbackDetails(p, room),
	} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "\n\n")
}

// failed is the first line: what failed, when, and where to look.
func failed(p Promotion) string {
	r, v := p.State.Reverts, p.Rollback.Verdict
	rev := revision(p.Repository, r.Revision)
	landing := "it landed as " + commit(p.Repository, r.Landing)
	if r.PullRequest > 0 {
		landing = pull(p.Repository, r.PullRequest) + " landed it as " + commit(p.Repository, r.Landing)
	}
	why := named(failedBy(p))
	if v != nil && len(those(v.Evidence, speaksAgainst)) == 0 {
		why = upper(why) // no check's name
	}
	head := "**" + why + "**"
	switch {
	case r.By != "":
		s := fmt.Sprintf("%s (%s): %s is taken back; %s.", head, command("rollback", cmp.Or(r.Cause, environment(p))), rev, landing)
		if asked := fmt.Sprintf("@%s asked for it", r.By); r.Reason != asked && r.Reason != "" {
			s += " What failed: " + said(r.Reason, p.Repository, 0) + "."
		}
		return s
	case v == nil || v.Outcome == state.Verified:
		head = "**It failed**"
		if r.Cause != "" {
			head = "**It failed in " + named(r.Cause) + "**"
		}
		return fmt.Sprintf("%s, after %s: %s.", head, landing, said(r.Reason, p.Repository, 0))
	}
	s := head + " " + at(began(v), p.State.Claimed)
	if l := taken(p); l != nil && r.Cause == "" && !began(v).Before(l.Time) {
		s += ", " + lasted(began(v).Sub(l.Time)) + " after " + landing
	} else {
		s += ", after " + landing
	}
	red := those(v.Evidence, speaksAgainst)
	switch {
	case len(red) == 0:
		s += ": " + said(v.Reason, p.Repository, 0) + "."
	case len(red) == 1 && quoted(red[0]) != "":
		s += ": " + quoted(red[0]) + "."
	case len(red) == 1:
		s += "."
	default:
		s += ":\n\n- " + each(red, mostEvidence, "\n- ", func(e state.Evidence) string {
			return strings.TrimSpace(named(e.Name) + " ✗ " + at(e.Time, p.State.Claimed) + " " + quoted(e))
		})
	}
	if r.Cause != "" {
		s += fmt.Sprintf("\n\nThe failure policy of %s takes it back here too (`scope` of its rollback).", named(r.Cause))
	}
	if t := tried(p.Rollback.Failure); t != "" {
		s += "\n\n" + upper(t) + "."
	}
	return s
}

func rollbackMerges(p Promotion) string {
	who := merger(p)
	switch {
	case clashing(p):
		who = "when a person has finished and merged it: lines that it would put back were changed since."
	case mode(p) == config.Auto:
		who += " No window or approval keeps it waiting, nor the hold that came with the failure."
	}
	return fmt.Sprintf("**Merges:** %s **Stop it:** close this pull request, or give it the label `%s`; %s.", who, promotion.HoldLabel, stays(p))
}

// stays is what closing leaves.
func stays(p Promotion) string {
	if held(p) {
		return "the hold stays, and " + command("rollback", environment(p)) + " proposes it again"
	}
	return command("rollback", environment(p)) + " proposes it again"
}

// held says whether the environment is held while this is under way: a failure
// here always comes with a hold.
func held(p Promotion) bool {
	r := p.State.Reverts
	return p.Rollback.Hold != nil || r.By == "" && r.Cause == ""
}

// clash says what conflicts, where, and what a person has to do.
func clash(p Promotion, room int) string {
	over, refused := clashes(p)
	if len(over)+len(refused) == 0 {
		return ""
	}
	var items []string
	for _, c := range over {
		if c.Value == "" {
			items = append(items, code(cut(c.File, mostPath))+": lines in it are neither what was landed nor what stood before; this pull request puts back what stood before")
			continue
		}
		items = append(items, fmt.Sprintf("%s %s: it is %s now, which is neither what was landed nor what stood before; this pull request puts back %s",
			code(cut(c.File, mostPath)), what(c), cell(cut(c.Now, mostName)), after(c)))
	}
	for _, r := range refused {
		s := refusedItem(r) + " " + said(r.Reason, p.Repository, 0)
		if r.Remedy != "" {
			s += "; " + said(r.Remedy, p.Repository, 0)
		}
		items = append(items, s+". It is left as it is")
	}
	s := "⚠ **The same lines were changed since**, so promobot does not guess:\n\n- " + listed(items, max(1, room), "\n- ")
	check := "check out this branch"
	if typeable.MatchString(p.State.Branch) {
		check = code("git fetch origin && git switch " + p.State.Branch)
	}
	s += "\n\nBy hand: " + check + ", set those lines as they should be, commit and push, then merge this. Pushing makes the pull request yours. Or close it and put things right in another one."
	if held(p) {
		s += " In both cases " + command("resume", environment(p)) + " afterwards."
	}
	return s
}

// typeable is a branch that means itself to every shell.
var typeable = regexp.MustCompile(`^[A-Za-z0-9._/=-]{1,250}$`)

// goesBack is what stands after it, and since when that was good.
func goesBack(p Promotion) string {
	s := "**Goes back to** " + revision(p.Repository, p.State.Revision)
	l := taken(p)
	if l == nil || l.Was == nil {
		return s + ", which stood here before."
	}
	if l.Was.Time.IsZero() {
		s += ", which stood here until " + at(l.Time, p.State.Claimed)
	} else {
		s += ", which stood here from " + at(l.Was.Time, p.State.Claimed) + " until " + at(l.Time, p.State.Claimed)
	}
	if !l.Was.Verified.IsZero() {
		return s + " and was verified here " + at(l.Was.Verified, p.State.Claimed) + "."
	}
	return s + ". It was never verified here."
}

// takesBack lists the changes that go.
func takesBack(p Promotion, room int) string {
	total := len(p.Brings) + p.More
	if total == 0 {
		return ""
	}
	items := each(p.Brings, room, "\n- ", func(c promotion.Commit) string { return broughtAlong(p.Repository, c) })
	if p.More > 0 && len(p.Brings) <= room {
		items += "\n- " + more(p.More)
	}
	return "**Takes back** " + count(total, "change") + ", in " + named(environment(p)) + " only:\n\n- " + items
}

// untouched are the later commits that stay.
func untouched(p Promotion, room int) string {
	total := len(p.Rollback.Later) + p.Rollback.LaterMore
	if total == 0 {
		if p.Rollback.Later == nil {
			return "**Untouched:** whatever was changed since."
		}
		return "**Untouched:** everything else; nothing was changed in this folder since."
	}
	s := "**Untouched:** " + count(total, "later commit") + " in this folder:\n\n- " +
		each(p.Rollback.Later, room, "\n- ", func(c promotion.Commit) string { return broughtAlong(p.Repository, c) })
	if p.Rollback.LaterMore > 0 && len(p.Rollback.Later) <= room {
		s += "\n- " + more(p.Rollback.LaterMore)
	}
	return s
}

// runsElsewhere is where else the revision is.
func runsElsewhere(p Promotion, room int) string {
	var run, back, open []string
	for _, s := range p.Rollback.Elsewhere {
		if s.Here || s.Environment == environment(p) {
			continue
		}
		switch {
		case s.takenBack():
			back = append(back, named(s.Environment))
		case s.Rollback != nil && !s.Rollback.Status.Ended():
			t := named(s.Environment)
			if n := s.Rollback.PullRequest; n > 0 {
				t += " with " + pull(p.Repository, n)
			}
			back = append(back, t)
		case s.Carries:
			run = append(run, named(s.Environment))
		case s.PullRequest > 0:
			open = append(open, pull(p.Repository, s.PullRequest)+" to "+named(s.Environment))
		}
	}
	var parts []string
	if len(run) > 0 {
		verb := "run"
		if len(run) == 1 {
			verb = "runs"
		}
		parts = append(parts, listed(run, max(1, room), ", ")+" still "+verb+" "+revision(p.Repository, p.State.Reverts.Revision))
	}
	if len(back) > 0 {
		parts = append(parts, "taken back too in "+listed(back, max(1, room), ", "))
	}
	if len(open) > 0 {
		parts = append(parts, "closed: "+listed(open, max(1, room), ", "))
	}
	if len(parts) == 0 {
		return ""
	}
	return "**Elsewhere:** " + strings.Join(parts, "; ") + "."
}

// then is what happens after it has merged.
func then(p Promotion) string {
	env := named(environment(p))
	rev := revision(p.Repository, p.State.Reverts.Revision)
	where := "here"
	if down := downstream(p); len(down) > 0 {
		where += " and, after here, in " + listed(inlined(down), 8, ", ")
	}
	s := "**Then:** "
	if held(p) {
		s += fmt.Sprintf("%s is held. %s is rejected %s, whatever commit carries the same; what is newer waits too, until %s.", env, rev, where, command("resume", environment(p)))
	} else {
		s += fmt.Sprintf("%s is rejected %s, whatever commit carries the same; what is newer is promoted as ever, since %s is not held.", rev, where, env)
	}
	s += " " + command("retry", environment(p)) + " promotes it once more."
	if p.Config != nil && p.Config.Verify != nil {
		s += " The rollback is verified like any landing; should that fail, promobot stops and calls a person."
	}
	return s
}

// concerned are those who are told, and by what.
func concerned(p Promotion) string {
	var parts []string
	if people := slices.Compact(slices.Clone(p.Rollback.People)); len(people) > 0 {
		parts = append(parts, "cc "+each(people, 20, " ", mention))
	}
	if n := p.State.Reverts.PullRequest; n > 0 {
		part := "merged " + pull(p.Repository, n)
		switch l := taken(p); {
		case l == nil || l.By == "":
		case l.By == "promobot":
			part += ": promobot"
		default:
			part += ": " + mention(l.By)
		}
		parts = append(parts, part)
	}
	var changes []string
	for _, c := range p.Brings {
		if number, _ := described(c.Message); number > 0 {
			changes = append(changes, pull(p.Repository, number))
		}
	}
	if len(changes) > 0 {
		parts = append(parts, "changes: "+listed(changes, 20, " "))
	}
	return strings.Join(parts, " · ")
}

// withoutPromobot is the same by hand.
func withoutPromobot(p Promotion) string {
	r := p.State.Reverts
	if !commitID.MatchString(r.Landing) {
		return ""
	}
	do := "git revert " + r.Landing[:10]
	if l := taken(p); l != nil && l.Method == "merge" {
		do = "git revert -m1 " + r.Landing[:10]
	}
	return "**Without promobot:** `" + do + "` and a push; promobot sees that it was taken back."
}

func rollbackDetails(p Promotion, room int) string {
	st, r := p.State, p.State.Reverts
	lines := []string{
		fmt.Sprintf("Content is that of %s for the files that %s changed, laid line by line over %s.", commit(p.Repository, r.Before), commit(p.Repository, cmp.Or(r.Commit, r.Landing)), commit(p.Repository, st.Base)),
		"It depends on nothing that the pipeline file says today.",
	}
	return record(append(lines, aboutAttempt(p, room)...))
}

// rollbackPlain is why and what of a rollback, for git messages.
func rollbackPlain(p Promotion) string {
	r := p.State.Reverts
	s := fmt.Sprintf("%s is taken back in %s: %s.", cut(plain(short(r.Revision)), 50), plain(environment(p)), cut(plain(failedBy(p)), mostReason))
	s += fmt.Sprintf(" %s stands again", cut(plain(short(p.State.Revision)), 50))
	if clashing(p) {
		s += "; lines that were changed since need a person's look."
	} else {
		s += "; what was changed since stays."
	}
	if c := cmp.Or(r.Commit, r.Landing); commitID.MatchString(c) {
		s += " This reverts commit " + c + "."
	}
	if p.State.Attempt > 1 {
		s += fmt.Sprintf(" Attempt %d.", p.State.Attempt)
	}
	return s
}
