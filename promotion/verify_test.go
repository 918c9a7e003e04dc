package promotion_test

// The verification of a landing over time: what has to last, what the end of
// its time comes to, and that there is one verdict which never changes.

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

func green() *promotion.Snapshot { return landed(result("deploy", "success")) }

func soaks(d time.Duration) func(*promotion.Snapshot, *promotion.Observed) {
	return func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Verify.Soak = d }
}

// passed lets time pass.
func passed(d time.Duration) func(*promotion.Snapshot, *promotion.Observed) {
	return func(s *promotion.Snapshot, _ *promotion.Observed) { s.Now = s.Now.Add(d) }
}

func onTimeout(on config.OnTimeout) func(*promotion.Snapshot, *promotion.Observed) {
	return func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Verify.OnTimeout = on }
}

// overtaken has a person's commit f land in staging after e.
func overtaken(_ *promotion.Snapshot, o *promotion.Observed) {
	l := landing("f", 0, "staging")
	l.Digest, l.Time = "of f", now
	o.Landings = append([]promotion.Landing{l}, o.Landings...)
	if o.Results != nil {
		o.Results["f"] = nil
	}
	o.FreshFor = "f"
}

func verifySituations() []situation {
	verdict := func(outcome state.Outcome) func(*promotion.Snapshot, *promotion.Observed) {
		return func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Ledger.State.Verdicts = []state.Verdict{{Landing: "e", Revision: "1.4.0", Outcome: outcome, Reason: "deploy ✓", Time: now}}
		}
	}
	return []situation{
		{name: "it holds, and nothing has to soak", of: green},
		{name: "it begins to soak", of: with(green, soaks(30*time.Minute))},
		{name: "it soaks", of: settled(with(green, soaks(30*time.Minute)))},
		{name: "it has soaked", of: with(settled(with(green, soaks(30*time.Minute))), passed(30*time.Minute))},
		{name: "its soak is broken by red", of: with(settled(with(green, soaks(30*time.Minute))), passed(10*time.Minute), func(s *promotion.Snapshot, o *promotion.Observed) {
			o.Results["e"] = []promotion.CheckResult{result("deploy", "failure")}
		})},
		{name: "its soak goes on being restarted by newer landings", of: with(green, soaks(30*time.Minute), func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Ledger.State.Watch = &state.Watch{Landing: "d", Since: now.Add(-time.Hour), Holding: now.Add(-time.Minute), Restarted: 2}
		})},
		{name: "red has begun", of: func() *promotion.Snapshot { return landed(result("deploy", "failure")) }},
		{name: "red for less than a minute", of: settled(func() *promotion.Snapshot { return landed(result("deploy", "failure")) })},
		{name: "red has gone within the minute", of: with(red, func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Ledger.State.Watch.Failing = now.Add(-30 * time.Second)
			o.Results["e"] = []promotion.CheckResult{result("deploy", "success")}
		})},
		{name: "red for longer than a minute", of: red},
		{name: "red and one more not reported", of: with(red, func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Config.Verify.Checks.Names = []string{"deploy", "smoke"}
		})},
		{name: "its time is over", of: with(func() *promotion.Snapshot { return landed() }, passed(time.Hour))},
		{name: "its time is over, on_timeout: pass", of: with(func() *promotion.Snapshot { return landed() }, passed(time.Hour), onTimeout(config.TimeoutPasses))},
		{name: "its time is over, on_timeout: hold", of: with(func() *promotion.Snapshot { return landed() }, passed(time.Hour), onTimeout(config.TimeoutHolds))},
		{name: "its time is over while it soaks", of: with(settled(with(green, soaks(2*time.Hour))), passed(time.Hour))},
		{name: "it has soaked as its time is over", of: with(settled(with(green, soaks(time.Hour))), passed(time.Hour))},
		{name: "something newer has landed before red had lasted", of: with(red, overtaken)},
		{name: "an older landing's check succeeds late", of: with(green, overtaken)},
		{name: "verified, and nothing newer", of: with(green, verdict(state.Verified))},
		{name: "neither verified nor failed, and held", of: settled(with(func() *promotion.Snapshot { return landed() }, passed(time.Hour), onTimeout(config.TimeoutHolds)))},
		{name: "mixed: nothing is verified", of: with(green, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Ledger.State.Landing.Actual = "else" })},
		{name: "a clock that jumped back", of: with(settled(with(green, soaks(30*time.Minute))), passed(-2*time.Hour))},
		{name: "downstream of what is not verified yet", environment: "prod", of: with(green, soaks(30*time.Minute))},
		{name: "downstream of what has failed", environment: "prod", of: failed},
		{name: "downstream of what is verified", environment: "prod", of: with(settled(green), func(s *promotion.Snapshot, _ *promotion.Observed) { reverting(s, at(s, "prod")) })},
	}
}

// TestVerificationOverTime has a check change its mind at random times, and
// holds what decides: all must hold for the soak without a break, red must last,
// the time ends, and there is one verdict for good.
func TestVerificationOverTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := landed()
		o := at(s, "staging")
		v := o.Config.Verify
		v.Soak = time.Duration(rapid.IntRange(0, 20).Draw(t, "soak")) * time.Minute
		v.RedFor = time.Duration(rapid.IntRange(0, 5).Draw(t, "red for")) * time.Minute
		v.OnTimeout = rapid.SampledFrom([]config.OnTimeout{config.TimeoutFails, config.TimeoutPasses, config.TimeoutHolds}).Draw(t, "on timeout")
		o.Content = nil
		began := o.Ledger.State.Watch.Since
		var holding, failing time.Time
		for {
			switch word := rapid.SampledFrom([]string{"success", "failure", ""}).Draw(t, "word"); word {
			case "success":
				o.Results["e"], failing = []promotion.CheckResult{result("deploy", word)}, time.Time{}
				if holding.IsZero() {
					holding = s.Now
				}
			case "failure":
				o.Results["e"], holding = []promotion.CheckResult{result("deploy", word)}, time.Time{}
				if failing.IsZero() {
					failing = s.Now
				}
			default:
				o.Results["e"], holding, failing = nil, time.Time{}, time.Time{}
				o.Results["e"] = []promotion.CheckResult{}
			}
			before := o.Ledger.State.Clone()
			d := decisionOn(s, "staging")
			apply(s, d)
			verdictsStand(t, before, *o.Ledger.State)
			got := o.Ledger.State.VerdictOf("e")
			over := s.Now.Sub(began) >= v.Timeout
			held, lasted := !holding.IsZero() && s.Now.Sub(holding) >= v.Soak, !failing.IsZero() && s.Now.Sub(failing) >= v.RedFor
			want := state.Outcome("")
			switch {
			case held:
				want = state.Verified
			case lasted:
				want = state.Failed
			case over:
				want = map[config.OnTimeout]state.Outcome{config.TimeoutFails: state.Failed, config.TimeoutPasses: state.Verified, config.TimeoutHolds: state.GivenUp}[v.OnTimeout]
			}
			switch {
			case want == "" && got != nil:
				t.Fatalf("%s after %s, though it has held since %v and failed since %v", got.Outcome, s.Now.Sub(began), holding, failing)
			case want != "" && (got == nil || got.Outcome != want):
				t.Fatalf("want %s after %s, got %+v", want, s.Now.Sub(began), got)
			case want != "":
				return
			case d.Until.IsZero() || d.Until.After(began.Add(v.Timeout)):
				t.Fatalf("it does not look again before its time is over: %v", d.Until)
			}
			s.Now = s.Now.Add(time.Duration(rapid.IntRange(1, 9).Draw(t, "minutes")) * time.Minute)
		}
	})
}

// TestOnlyVerifiedTravels holds that of what an environment has, only a
// landing with the verdict verified is ever offered, and none while it is held.
func TestOnlyVerifiedTravels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := green()
		up, down := at(s, "staging"), at(s, "prod")
		up.Results = nil
		overtaken(s, up)
		for _, l := range up.Landings {
			if outcome := rapid.SampledFrom([]state.Outcome{"", state.Verified, state.Failed, state.GivenUp}).Draw(t, l.Commit); outcome != "" {
				up.Ledger.State.Verdicts = append(up.Ledger.State.Verdicts, state.Verdict{Landing: l.Commit, Outcome: outcome})
			}
		}
		if rapid.Bool().Draw(t, "held") {
			up.Ledger.State.Hold = &state.Hold{Reason: "for now", Comment: 3}
		}
		offer, _ := promotion.OfferTo(s, down)
		want := ""
		for _, l := range up.Landings {
			if v := up.Ledger.State.VerdictOf(l.Commit); v != nil && v.Outcome == state.Verified && up.Ledger.State.Hold == nil {
				want = l.Commit
				break
			}
		}
		switch {
		case offer == nil && want != "":
			t.Fatalf("nothing is offered, want %s", want)
		case offer != nil && offer.Landing.Commit != want:
			t.Fatalf("%s is offered, want %q", offer.Landing.Commit, want)
		}
	})
}
