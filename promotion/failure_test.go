package promotion_test

// The failure policy: which step is taken, when, how often, and what a failing
// check may choose.

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

func often(s config.Step, limit int, backoff time.Duration) config.Step {
	s.Limit, s.Backoff = limit, backoff
	return s
}

func runs(idempotent bool) config.Step {
	s := step(config.Run)
	s.Run = &config.Recovery{Workflow: "recover.yml", Timeout: 30 * time.Minute, Idempotent: idempotent}
	return s
}

// recovering has the user's own recovery in the ledger, and what is known of it.
func recovering(idempotent bool, run *promotion.WorkflowRun) func() *promotion.Snapshot {
	return with(settled(with(red, policy(runs(idempotent), step(config.Rollback)), reverting)), func(_ *promotion.Snapshot, o *promotion.Observed) {
		o.Recovery = run
	})
}

func run(status, conclusion string) *promotion.WorkflowRun {
	return &promotion.WorkflowRun{ID: 77, URL: "https://github.com/o/r/actions/runs/77", Status: status, Conclusion: conclusion}
}

// wishes has the failing check ask for a step.
func wishes(text string) func(*promotion.Snapshot, *promotion.Observed) {
	return func(_ *promotion.Snapshot, o *promotion.Observed) {
		o.Config.Verify.Hints = true
		o.Results["e"][0].Text = text
	}
}

// unsafe has a commit on the way that says that it cannot be taken back.
func unsafe(s *promotion.Snapshot, _ *promotion.Observed) {
	s.Chain.Commits[2].Message = "Drop the column\n\nPromotion-Rollback: unsafe\n"
}

func persons(s *promotion.Snapshot, o *promotion.Observed) {
	o.Ledger.State.Landing, o.Ledger.State.Promotion = nil, nil
	o.Landings[0].Promotion, o.Landings[0].PullRequest, o.Landings[0].Revision = "", 0, "e"
}

func failureSituations() []situation {
	restart := often(step(config.Restart), 2, 5*time.Minute)
	atOnce := step(config.Restart)
	event := step(config.Run)
	event.Run = &config.Recovery{Event: "recover"}
	onlyPush := step(config.Rollback)
	onlyPush.When = []config.FailureKind{config.PushFailed, config.MergeFailed}
	again := often(step(config.Repromote), 1, 10*time.Minute)
	return []situation{
		{name: "no policy", of: red},
		{name: "halt", of: with(red, policy(step(config.Halt), step(config.Rollback)))},
		{name: "rollback", of: with(red, policy(step(config.Rollback)))},
		{name: "rollback after a timeout", of: with(func() *promotion.Snapshot { return landed() }, passed(time.Hour), policy(step(config.Rollback)))},
		{name: "rollback that is not for this kind of failure", of: with(red, policy(onlyPush))},
		{name: "rollback of what says that it cannot be taken back", of: with(red, policy(step(config.Rollback)), unsafe)},
		{name: "rollback of what a person landed", of: with(red, policy(step(config.Rollback)), persons)},
		{name: "rollback without knowing what stood before", of: with(red, policy(step(config.Rollback)), func(_ *promotion.Snapshot, o *promotion.Observed) { o.Ledger.State.Landing.Was = nil })},
		{name: "repromote before anything was rolled back", of: with(red, policy(step(config.Repromote), step(config.Rollback)))},
		{name: "restart at once", of: with(red, policy(atOnce, step(config.Rollback)))},
		{name: "restart after a while", of: with(red, policy(restart, step(config.Rollback)))},
		{name: "restart after that while", of: with(red, policy(restart, step(config.Rollback)), passed(4*time.Minute))},
		{name: "restarted, and green", of: with(settled(with(red, policy(atOnce, step(config.Rollback)))), func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Results["e"] = []promotion.CheckResult{result("deploy", "success")}
		})},
		{name: "restarted, and red for longer than a minute again", of: with(settled(with(red, policy(atOnce, step(config.Rollback)))), passed(2*time.Minute))},
		{name: "a check asks for halt", of: with(red, policy(step(config.Rollback), step(config.Halt)), wishes("promobot: halt"))},
		{name: "a check asks for a rollback", of: with(red, policy(atOnce, step(config.Rollback)), wishes("The database is new.\npromobot: rollback\n"))},
		{name: "a check asks for what the policy does not have", of: with(red, policy(step(config.Halt)), wishes("promobot: rollback"))},
		{name: "a check asks, and hints are not accepted", of: with(red, policy(step(config.Rollback), step(config.Halt)), wishes("promobot: halt"), func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Verify.Hints = false })},
		{name: "run", of: with(red, policy(runs(false), step(config.Rollback)))},
		{name: "run by event", of: with(red, policy(event, step(config.Rollback)))},
		{name: "the run is to be sent", of: recovering(false, nil)},
		{name: "the run is found", of: recovering(false, run("in_progress", ""))},
		{name: "the run goes on", of: settled(recovering(false, run("in_progress", "")))},
		{name: "the run succeeded", of: recovering(false, run("completed", "success"))},
		{name: "the run failed", of: recovering(false, run("completed", "failure"))},
		{name: "the run never ends", of: with(settled(recovering(false, run("in_progress", ""))), passed(30*time.Minute))},
		{name: "whether the run was begun is not known", of: with(recovering(false, nil), passed(2*promotion.Bound))},
		{name: "whether the run was begun is not known, and it is idempotent", of: with(recovering(true, nil), passed(2*promotion.Bound))},
		{name: "something newer lands while the run goes on", of: with(settled(recovering(false, run("in_progress", ""))), overtaken)},
		{name: "the check turns green while the run goes on", of: with(settled(recovering(false, run("in_progress", ""))), func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Results["e"] = []promotion.CheckResult{result("deploy", "success")}
		})},
		{name: "the run failed, and it is still red", of: with(settled(recovering(false, run("completed", "failure"))), passed(2*time.Minute))},
		{name: "rolled back, and promoted once more after a while", of: with(mended(again), passed(time.Minute))},
		{name: "rolled back, and promoted once more after that while", of: with(mended(again), passed(10*time.Minute))},
	}
}

// mended has staging rolled back and the rollback verified, with a further step
// in the policy.
func mended(more ...config.Step) func() *promotion.Snapshot {
	return func() *promotion.Snapshot {
		s := rolledBack()
		o := at(s, "staging")
		o.Config.OnFailure = append(o.Config.OnFailure, more...)
		o.Results["f"] = []promotion.CheckResult{{Name: "deploy", Status: "completed", Conclusion: "success", Commit: "f", Time: now}}
		if !apply(s, decisionOn(s, "staging")) {
			panic("no verdict on the rollback")
		}
		return s
	}
}

// TestFailurePolicy runs policies put together at random to their end, with a
// check that stays red, and holds that steps stay within their limits and
// backoff, in the policy's order unless a check asks for one of them, and that
// what is left in the end is a hold.
func TestFailurePolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := red()
		o := at(s, "staging")
		reverting(s, o)
		o.Config.Verify.RedFor = time.Duration(rapid.IntRange(0, 2).Draw(t, "red for")) * time.Minute
		if rapid.Bool().Draw(t, "red just now") {
			o.Ledger.State.Watch.Failing = time.Time{}
		}
		for range rapid.IntRange(0, 4).Draw(t, "steps") {
			k := step(rapid.SampledFrom([]config.StepKind{config.Restart, config.Run, config.Rollback, config.Repromote, config.Halt}).Draw(t, "do"))
			k.Limit = rapid.IntRange(1, 3).Draw(t, "limit")
			k.Backoff = time.Duration(rapid.IntRange(0, 5).Draw(t, "backoff")) * time.Minute
			if k.Do == config.Run {
				k.Run = &config.Recovery{Workflow: "recover.yml", Timeout: 10 * time.Minute}
			}
			o.Config.OnFailure = append(o.Config.OnFailure, k)
		}
		hint := rapid.SampledFrom([]config.StepKind{"", config.Restart, config.Rollback, config.Halt, config.Run}).Draw(t, "hint")
		o.Config.Verify.Hints = hint != ""
		o.Results["e"][0].Text = "promobot: " + string(hint)
		if rapid.Bool().Draw(t, "unsafe") {
			unsafe(s, o)
		}
		isUnsafe := strings.Contains(s.Chain.Commits[2].Message, "unsafe")
		for range 400 {
			before := o.Ledger.State.Clone()
			d := decisionOn(s, "staging")
			if apply(s, d) {
				verdictsStand(t, before, *o.Ledger.State)
			}
			if o.Ledger.State.VerdictOf("e") != nil {
				break
			}
			s.Now = s.Now.Add(30 * time.Second)
		}
		f := o.Ledger.State.Failure
		if f == nil || o.Ledger.State.VerdictOf("e") == nil {
			t.Fatalf("the policy %+v does not end", o.Config.OnFailure)
		}
		taken := map[int]int{}
		last := f.Since
		for i, x := range f.Steps {
			if x.Step < 0 {
				if x.Do != string(config.Halt) || i != len(f.Steps)-1 {
					t.Fatalf("step %d, %+v, is not of the policy", i, x)
				}
				continue
			}
			k := o.Config.OnFailure[x.Step]
			if taken[x.Step]++; taken[x.Step] > k.Limit || x.Do != string(k.Do) {
				t.Fatalf("step %d, %s, is taken %d times, limit %d", x.Step, x.Do, taken[x.Step], k.Limit)
			}
			if x.Time.Before(last.Add(k.Backoff)) {
				t.Fatalf("step %d is taken at %v, %s after %v", x.Step, x.Time, k.Backoff, last)
			}
			if i > 0 && x.Step < f.Steps[i-1].Step && (hint == "" || hint == config.Run) {
				t.Fatalf("steps out of the policy's order: %+v", f.Steps)
			}
			if k.Do == config.Repromote || k.Do == config.Rollback && isUnsafe {
				t.Fatalf("%s is taken, and does not apply", k.Do)
			}
			last = x.Time
		}
		if f.Scope != "" && isUnsafe {
			t.Fatalf("what says that it cannot be taken back is rolled back: %+v", f)
		}
		if f.Over == (f.Scope != "") {
			t.Fatalf("neither over nor rolled back: %+v", f)
		}
	})
}

// TestAVerdictStands holds that what a landing's verdict says stands,
// whatever its checks say later.
func TestAVerdictStands(t *testing.T) {
	for _, of := range []func() *promotion.Snapshot{settled(red), settled(green)} {
		s := of()
		want := *at(s, "staging").Ledger.State.VerdictOf("e")
		at(s, "staging").Results["e"] = []promotion.CheckResult{result("deploy", map[state.Outcome]string{state.Failed: "success", state.Verified: "failure"}[want.Outcome])}
		s.Now = s.Now.Add(2 * time.Hour)
		if d := decisionOn(s, "staging"); d.Action != nil && d.Action.(promotion.Append).Kind == state.KindVerdict {
			t.Errorf("%s, and then %s", want.Outcome, d.Reason)
		}
	}
}
