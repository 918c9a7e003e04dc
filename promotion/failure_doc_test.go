package promotion_test

// docs/failure.md: its tables are what Decide does and says in the situations
// below, so that the page cannot say anything else. Only what a person does
// about it is written here by hand.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// row is a line of the page: a situation, and what a person does about it.
type row struct {
	situation
	person string
}

// pages are the page's tables, by the name that its markers give them.
func pages() map[string][]row {
	rolls := policy(step(config.Rollback))
	nothing := "nothing"
	in := func(environment, name string, of func() *promotion.Snapshot, person string) row {
		return row{situation{name: name, environment: environment, of: of}, person}
	}
	at := func(name string, of func() *promotion.Snapshot, person string) row { return in("", name, of, person) }
	timeOver := with(func() *promotion.Snapshot { return landed() }, passed(time.Hour))
	oldest := with(func() *promotion.Snapshot { return landed(result("deploy", "failure")) }, func(_ *promotion.Snapshot, o *promotion.Observed) {
		o.Results["e"] = append(o.Results["e"], promotion.CheckResult{Name: "deploy", App: 9, Slug: "someone-else", Status: "completed", Conclusion: "success", Commit: "e"})
		o.Config.Verify.Checks.App, o.Results["e"][0].Slug = "argocd", "argocd"
	})
	return map[string][]row{
		"verification": {
			at("A check has not reported, or is still running", func() *promotion.Snapshot { return landed() }, nothing+"; if it never reports, look whether `verify` names it as it calls itself"),
			at("All that is asked for holds", green, nothing),
			at("All holds, and has to soak", with(green, soaks(30*time.Minute)), nothing),
			at("Newer landings keep ending the soak", with(green, soaks(30*time.Minute), func(_ *promotion.Snapshot, o *promotion.Observed) {
				o.Ledger.State.Watch = &state.Watch{Landing: "d", Since: now.Add(-time.Hour), Holding: now.Add(-time.Minute), Restarted: 2}
			}), "let changes come less often, or shorten `soak`; `while_soaking: hold` keeps promobot's own landings back"),
			at("A check fails", func() *promotion.Snapshot { return landed(result("deploy", "failure")) }, "nothing yet: it has to last for `red_for`"),
			at("A check failed and is green again within `red_for`", with(red, func(_ *promotion.Snapshot, o *promotion.Observed) {
				o.Ledger.State.Watch.Failing = now.Add(-30 * time.Second)
				o.Results["e"] = []promotion.CheckResult{result("deploy", "success")}
			}), nothing),
			at("It fails for `red_for`, and `on_failure` says nothing (halt)", red, "find out why; fix it forward, or `/promobot rollback staging`; then `/promobot resume staging`"),
			at("Two checks fail at once", func() *promotion.Snapshot {
				s := with(red, rolls, reverting)()
				o := &s.Environments[1]
				o.Config.Verify.Checks.Names = []string{"deploy", "smoke"}
				o.Results["e"] = append(o.Results["e"], result("smoke", "timed_out"))
				return s
			}, "as for one: both are named"),
			at("The time is over (`on_timeout: fail`)", timeOver, "as after a failure"),
			at("The time is over (`on_timeout: pass`)", with(timeOver, onTimeout(config.TimeoutPasses)), nothing),
			at("The time is over (`on_timeout: hold`)", with(timeOver, onTimeout(config.TimeoutHolds)), "decide: `/promobot rollback staging`, or `/promobot resume staging`. It does not travel on by itself"),
			in("prod", "The environment after it, until the verdict", with(green, soaks(30*time.Minute)), nothing),
			in("prod", "The environment after it, once it has failed", failed, "nothing there"),
		},
		"policy": {
			at("`restart`", with(red, policy(step(config.Restart), step(config.Rollback))), nothing),
			at("`restart` with a `backoff` that is not over", with(red, policy(often(step(config.Restart), 2, 5*time.Minute))), nothing),
			at("`run`", with(red, policy(runs(false), step(config.Rollback))), nothing),
			at("`run`: it succeeded", recovering(false, run("completed", "success")), nothing),
			at("`run`: it failed", recovering(false, run("completed", "failure")), "nothing: the next step follows if it stays red"),
			at("`run`: it never ends", with(settled(recovering(false, run("in_progress", ""))), passed(30*time.Minute)), "stop the run if it does harm"),
			at("`run`: promobot was stopped as it sent it", with(recovering(false, nil), passed(2*promotion.Bound)), "nothing, unless the recovery can be begun twice: then say `idempotent: true`"),
			at("`run`: the same, and `idempotent: true`", with(recovering(true, nil), passed(2*promotion.Bound)), nothing),
			at("`rollback`", with(red, rolls, reverting), "find out why; it is held until `/promobot resume staging`"),
			at("`rollback`, and a commit on the way says `Promotion-Rollback: unsafe`", with(red, rolls, reverting, unsafe), "take it back by hand, in the order that the commit's author knows; then `/promobot resume staging`"),
			at("`rollback` of what a person landed", with(red, rolls, persons), "revert or fix it, as it is yours; then `/promobot resume staging`"),
			at("`halt`", with(red, policy(step(config.Halt))), "find out why; fix it forward, or `/promobot rollback staging`"),
			at("A failing check says `promobot: rollback`, `hints: accept`", with(red, policy(step(config.Restart), step(config.Rollback)), reverting, wishes("promobot: rollback")), "as after `rollback`"),
			at("A failing check asks for a step that the policy does not have", with(red, policy(step(config.Halt)), wishes("promobot: rollback")), "as after `halt`"),
			at("`repromote`, once the rollback is verified", with(mended(step(config.Repromote)), func(_ *promotion.Snapshot, o *promotion.Observed) {
				o.Content = &content.Result{Edits: []content.Edit{{Path: "envs/staging/v"}}, Expected: "of 1.4.0"}
			}), nothing),
		},
		"rollback": {
			at("Its pull request is open, `rollback: auto`", rollingBack, nothing),
			at("Its pull request is open, `rollback: propose`", with(rollingBack, proposed), "look at it and merge it"),
			at("The same lines were changed since", with(rollingBack, func(_ *promotion.Snapshot, o *promotion.Observed) {
				o.Content = &content.Result{Edits: []content.Edit{{Path: "envs/staging/v"}}, Expected: "x", Changes: []content.Change{{File: "envs/staging/v", Overwrites: true}}}
			}), "look at the lines in the pull request; edit and merge it, or close it"),
			at("The file was renamed or deleted since", with(failed, func(_ *promotion.Snapshot, o *promotion.Observed) {
				o.Content = &content.Result{Refused: []content.Refusal{{File: "envs/staging/v", Reason: "is not there any more"}}}
			}), "revert by hand with the command it says"),
			at("Nothing of it is left", with(failed, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Content = &content.Result{Expected: "x"} }), "`/promobot resume staging`"),
			at("A person merges a fix first", settled(with(rollingBack, overtaken)), "`/promobot resume staging` once the fix holds"),
			at("A person closes its pull request", with(rollingBack, closedBy), "as it says"),
			at("A person pushes to its branch", with(rollingBack, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Head = "theirs" }), "merge it, or close it"),
			at("A person resumes while it is open", with(rollingBack, resumed), nothing),
			at("A person reverts by hand", with(failed, revertedByPerson, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Content = nil }), "`/promobot resume staging` when you know why it failed"),
			at("It has landed", rolledBack, nothing),
			at("It is verified", mended(), "find out why it failed; `/promobot resume staging` lets newer ones through"),
			at("It fails as well", with(settled(with(rolledBack, func(_ *promotion.Snapshot, o *promotion.Observed) {
				o.Results["f"] = []promotion.CheckResult{{Name: "deploy", Status: "completed", Conclusion: "failure", Commit: "f", Time: now}}
			})), passed(2*time.Minute)), "wake somebody: what was good before is not good now, so it is not the change alone"),
			at("Something newer comes while it is held", with(settled(mended()), newer, func(_ *promotion.Snapshot, o *promotion.Observed) { o.FreshFor = "f" }), "`/promobot resume staging`"),
			at("After `resume`, something newer comes", with(settled(mended()), resumed, newer, func(_ *promotion.Snapshot, o *promotion.Observed) { o.FreshFor = "f" }), nothing),
			at("After `resume`, the same content comes as another revision", with(settled(mended()), resumed, newer, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Content.Expected = "of 1.4.0" }), "fix it; or `/promobot retry staging`, if it was not to blame"),
			in("prod", "prod has its pull request for it open", with(failed, openInProd), nothing),
			in("prod", "prod carries it already, `scope: environment`", with(failed, carriedOn), "look at prod: `/promobot rollback prod`"),
			in("prod", "prod carries it already, `scope: downstream` or `all`", with(failed, reach(config.ScopeAll), carriedOn), "as for staging"),
			at("prod goes back first", with(failed, reach(config.ScopeAll), carriedOn), nothing),
			at("By command: `/promobot rollback staging`", with(settled(green), reverting, obeyed("rollback", 5)), "`/promobot resume staging` when it is over"),
		},
		"races": {
			at("GitHub cannot be read, or answers 502", with(red, rolls, reverting, func(_ *promotion.Snapshot, o *promotion.Observed) {
				o.Doubts = []string{"its pull requests could not be read: 502"}
			}), "look at githubstatus.com; no attempt is used up"),
			at("What speaks for the landing cannot be read", with(red, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Results = nil }), nothing),
			at("A check named alike by another App", oldest, nothing),
			at("promobot's own check", func() *promotion.Snapshot {
				r := result("deploy", "success")
				r.ByApp = true
				return landed(r)
			}, "name a check of somebody else"),
			at("Something newer lands before red has lasted", with(red, rolls, overtaken), nothing+": the newer landing is looked at instead"),
			at("Something newer lands after the verdict", settled(with(failed, overtaken)), "`/promobot resume staging` if the newer landing is the fix"),
			at("The landing was force-pushed away", with(failed, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Landings, o.Results = nil, nil }), "`/promobot resume staging`, once what stands there is what you want"),
			at("What landed is not what was promoted", with(green, func(_ *promotion.Snapshot, o *promotion.Observed) {
				o.Ledger.State.Landing.Actual = "else"
				o.Ledger.State.Hold = &state.Hold{Reason: "what landed with #7 is not exactly what was promoted", By: "promobot", Since: now, Landing: "e"}
			}), "look at the landed commit; land what is right, which lifts the hold, or `/promobot resume staging`"),
			at("promobot was stopped between claim and pull request", with(failed, func(s *promotion.Snapshot, o *promotion.Observed) {
				a := decisionOn(s, "staging").Action.(promotion.Claim)
				st := a.Previous.Clone()
				a.Promotion.Claimed = now.Add(-2 * promotion.Bound)
				st.Promotion, o.Looked = &a.Promotion, true
				o.Ledger.State = &st
			}), nothing),
			at("A clock jumps back", with(settled(with(green, soaks(30*time.Minute))), passed(-2*time.Hour)), nothing),
			at("Somebody wrote to the ledger", with(failed, func(_ *promotion.Snapshot, o *promotion.Observed) {
				o.Ledger.Problem = "its ledger refs/promobot/app/staging cannot be trusted: entry 7 is not signed"
			}), "[operations.md](operations.md#when-something-is-wrong)"),
		},
	}
}

// does is what a decision has promobot do, in words.
func does(d promotion.Decision) string {
	switch a := d.Action.(type) {
	case promotion.Append:
		switch a.Kind {
		case state.KindWatched:
			return "notes it in the ledger"
		case state.KindVerdict:
			v := a.State.Verdicts[0]
			if a.State.Hold != nil && a.State.Hold.Failed == v.Landing {
				return fmt.Sprintf("enters the verdict *%s* and the hold, in one entry", v.Outcome)
			}
			return fmt.Sprintf("enters the verdict *%s*", v.Outcome)
		case state.KindFailed:
			return "enters the step that it takes"
		case state.KindRun:
			t := a.State.Failure.Steps[len(a.State.Failure.Steps)-1]
			if t.Result != "" {
				return fmt.Sprintf("enters how the recovery ended: *%s*", t.Result)
			}
			return "enters the recovery, before it sends it"
		case state.KindHalted:
			return "ends the failure policy, and holds"
		case state.KindClosing:
			return "announces that it closes the pull request, and closes it"
		case state.KindLanded:
			return "enters it as a rollback"
		case state.KindVeto:
			return "enters that a person does not want it"
		case state.KindSettled:
			return "enters that nothing is left to do"
		case state.KindResume:
			return "lifts the hold"
		}
		return "enters it (" + string(a.Kind) + ")"
	case promotion.Claim:
		if a.Promotion.Reverts != nil {
			return "opens a pull request that rolls back"
		}
		return "opens a pull request"
	case promotion.Merge:
		return "merges it"
	case promotion.Recover:
		return "sends it, once"
	case promotion.Carry:
		return "goes on where it was: opens the pull request"
	case promotion.Close:
		return "closes it"
	case nil:
	default:
		panic(fmt.Sprintf("no words for %T", a))
	}
	switch d.Standing {
	case promotion.UpToDate, promotion.Source:
		return "nothing"
	case promotion.Stopped, promotion.Rejected:
		return "nothing, until a person does"
	case promotion.Proposed:
		return "waits for a person"
	}
	if !d.Until.IsZero() {
		return "waits, and looks again at " + d.Until.UTC().Format("15:04:05")
	}
	return "waits"
}

// cells are what promobot does and says in a situation, entry after entry until
// something else is to be done.
func (x situation) cells() (do, say string) {
	s := x.of()
	var dos, sayings []string
	for range 3 {
		d := decisionOn(s, x.where())
		dos = append(dos, does(d))
		if reason := d.Reason; len(sayings) == 0 || sayings[len(sayings)-1] != reason {
			sayings = append(sayings, reason)
		}
		if a, ok := d.Action.(promotion.Append); !ok || a.Kind == state.KindClosing || !apply(s, d) {
			break
		}
	}
	return strings.Join(dos, "; then "), strings.Join(sayings, "<br>")
}

// tabulated replaces what stands between a page's markers.
func tabulated(t *testing.T, page string) string {
	for name, rows := range pages() {
		begin, end := fmt.Sprintf("<!-- %s: generated by go test ./promotion -update -->\n", name), fmt.Sprintf("<!-- end of %s -->", name)
		before, rest, found := strings.Cut(page, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("docs/failure.md lacks the markers of %s: %s%s", name, begin, end)
		}
		var b strings.Builder
		b.WriteString("| situation | what promobot does | what it says | what you do |\n| --- | --- | --- | --- |\n")
		for _, r := range rows {
			do, say := r.cells()
			title := r.name
			if r.environment != "" && !strings.HasPrefix(title, r.environment) {
				title += " (" + r.environment + ")"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", title, do, strings.ReplaceAll(say, "|", `\|`), r.person)
		}
		page = before + begin + b.String() + end + after
	}
	return page
}

// TestFailurePage holds docs/failure.md against Decide.
func TestFailurePage(t *testing.T) {
	file := filepath.Join("..", "docs", "failure.md")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, file, tabulated(t, string(page)))
}
