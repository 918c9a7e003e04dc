package promotion_test

// Gates: what must hold before a promotion is merged, with what is waited for
// and until when.

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/calendar"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// office is a window from Monday to Thursday, 9 to 16 in Berlin.
func office(_ *promotion.Snapshot, o *promotion.Observed) {
	spans, err := calendar.ParseSpans("Mon-Thu 09:00-16:00")
	if err != nil {
		panic(err)
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	o.Config.Windows = append(o.Config.Windows, config.Window{Name: "office", Window: calendar.Window{Allow: spans, Zone: zone}, Line: 30})
}

// ready has staging's #7 open with all gates open.
func ready() *promotion.Snapshot {
	s := opened()
	at(s, "staging").FreshFor = "f"
	return s
}

func approval(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Approval = true }

func approvedFor(digest string) func(*promotion.Snapshot, *promotion.Observed) {
	return func(_ *promotion.Snapshot, o *promotion.Observed) {
		o.Ledger.State.Promotion.Approval = &state.Approval{By: "ben", Digest: digest, Time: now}
	}
}

func past(gates ...string) func(*promotion.Snapshot, *promotion.Observed) {
	return func(_ *promotion.Snapshot, o *promotion.Observed) {
		for _, g := range gates {
			o.Ledger.State.Promotion.Past = append(o.Ledger.State.Promotion.Past, state.Past{Gate: g, By: "ben", Time: now})
		}
	}
}

func held(until time.Time) func(*promotion.Snapshot, *promotion.Observed) {
	return func(_ *promotion.Snapshot, o *promotion.Observed) {
		o.Ledger.State.Hold = &state.Hold{Reason: "the database is moved (@ana)", By: "ana", Since: now.Add(-time.Hour), Until: until, Comment: 4}
	}
}

// soaking has c stand in staging, soaking, while #7 waits.
func soaking(s *promotion.Snapshot, o *promotion.Observed) {
	o.Config.Verify = &config.Verify{Checks: names(false, "deploy"), Timeout: 2 * time.Hour, Soak: time.Hour, RedFor: time.Minute}
	o.Ledger.State.Proving, o.Ledger.State.Proven = true, o.Ledger.State.Baseline.Commit
	o.Landings = []promotion.Landing{landing("c", 3, "staging")}
	o.Results = map[string][]promotion.CheckResult{"c": {result("deploy", "success")}}
	o.Ledger.State.Watch = &state.Watch{Landing: "c", Since: now.Add(-20 * time.Minute), Holding: now.Add(-10 * time.Minute)}
}

func gateSituations() []situation {
	at := func(when string) func(*promotion.Snapshot, *promotion.Observed) {
		return func(s *promotion.Snapshot, o *promotion.Observed) {
			parsed, err := time.Parse(time.RFC3339, when)
			if err != nil {
				panic(err)
			}
			s.Now, o.Ledger.State.Promotion.Claimed = parsed, parsed.Add(-time.Hour)
		}
	}
	holidays := func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Windows[0].Holidays = "ops/holidays.ics" }
	return []situation{
		{name: "all open", of: ready},
		{name: "mode: propose", of: with(ready, office, approval, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Mode = config.Propose })},
		{name: "held", of: with(ready, held(time.Time{}))},
		{name: "held until a time", of: with(ready, held(now.Add(3*time.Hour)))},
		{name: "held since it was built", of: with(ready, held(time.Time{}), func(_ *promotion.Snapshot, o *promotion.Observed) { o.Ledger.State.Hold.Since = now })},
		{name: "the hold is over", of: with(ready, held(now.Add(-time.Second)))},
		{name: "held by a label", of: with(ready, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Pull.Labels = []string{promotion.HoldLabel} })},
		{name: "what landed before it soaks", of: with(ready, soaking)},
		{name: "what landed before it soaks, while_soaking: continue", of: with(ready, soaking, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Verify.Continue = true })},
		{name: "what landed before it is not read", of: with(ready, soaking, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Results = nil })},
		{name: "the window is open", of: with(ready, office)},
		{name: "the window opens today", of: with(ready, office, at("2026-03-03T06:30:00Z"))},
		{name: "the window opens on Monday", of: with(ready, office, at("2026-03-06T12:00:00Z"))},
		{name: "the window opens after the clocks change", of: with(ready, office, at("2026-03-27T12:00:00Z"))},
		{name: "the window on a holiday", of: with(ready, office, holidays, func(s *promotion.Snapshot, _ *promotion.Observed) {
			s.Holidays = map[string][]calendar.Day{"ops/holidays.ics": {{Year: 2026, Month: 3, Day: 2, Name: "Founders' day"}}}
		})},
		{name: "the window's holidays cannot be read", of: with(ready, office, holidays, func(s *promotion.Snapshot, _ *promotion.Observed) {
			s.Shut = map[string]string{"ops/holidays.ics": "it is not there"}
		})},
		{name: "a window that never opens", of: with(ready, office, func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Config.Windows[0].Block = o.Config.Windows[0].Allow
		})},
		{name: "no approval yet", of: with(ready, approval)},
		{name: "approved", of: with(ready, approval, approvedFor("x"))},
		{name: "approved, and changed since", of: with(ready, approval, approvedFor("else"))},
		{name: "changes of a kind that is not allowed", of: with(ready, func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Content.Kinds = []content.Kind{content.Drift}
		})},
		{name: "a person lets it pass", of: with(ready, office, at("2026-03-06T12:00:00Z"), past("window"))},
		{name: "a person lets another gate pass", of: with(ready, office, at("2026-03-06T12:00:00Z"), past("approval"))},
		{name: "a hold cannot be passed", of: with(ready, held(time.Time{}), past("hold", "label", "upstream"))},
		{name: "verified upstream", of: with(ready, func(s *promotion.Snapshot, _ *promotion.Observed) {
			up := &s.Environments[0]
			up.Config.Verify = &config.Verify{Checks: names(false, "deploy"), Timeout: time.Hour}
			up.Ledger.State.Proving, up.Ledger.State.Proven = true, up.Ledger.State.Baseline.Commit
			up.Ledger.State.Verdicts = []state.Verdict{{Landing: "d", Revision: "d", Outcome: state.Verified, Reason: "deploy ✓", Time: now}}
		})},
		{name: "failed upstream", of: with(ready, func(s *promotion.Snapshot, _ *promotion.Observed) {
			up := &s.Environments[0]
			up.Config.Verify = &config.Verify{Checks: names(false, "deploy"), Timeout: time.Hour}
			up.Ledger.State.Proving, up.Ledger.State.Proven = true, up.Ledger.State.Baseline.Commit
			up.Ledger.State.Verdicts = []state.Verdict{{Landing: "d", Revision: "d", Outcome: state.Failed, Reason: "check deploy ended with failure", Time: now}}
		})},
		{name: "waits for another environment first", environment: "prod", of: with(ready, func(s *promotion.Snapshot, o *promotion.Observed) {
			prod := &s.Environments[2]
			prod.Config.From, prod.Config.After, prod.Config.Mode = []string{"qa"}, []string{"staging"}, config.Auto
			prod.Ledger.State.Position = map[string]state.Position{"qa": {Commit: "b"}}
			prod.Content = &content.Result{Edits: []content.Edit{{Path: "envs/prod/v"}}, Expected: "y"}
		})},
		{name: "a push waits for its window", of: with(offered, office, func(s *promotion.Snapshot, o *promotion.Observed) {
			o.Config.Deliver = config.ByPush
			s.Now = time.Date(2026, 3, 6, 12, 0, 0, 0, time.UTC)
		})},
		{name: "a push waits for the soak", of: with(offered, soaking, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Deliver = config.ByPush })},
	}
}

// TestGates puts gates together at random, and holds that nothing is merged
// unless all are open, that a person's word opens only the gate it names and
// only those that can be passed, and that what opens by itself says when.
func TestGates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		yes := func(label string) bool { return rapid.Bool().Draw(t, label) }
		s := ready()
		o := at(s, "staging")
		s.Now = now.Add(time.Duration(rapid.IntRange(0, 7*24*60).Draw(t, "minute")) * time.Minute)
		o.Ledger.State.Promotion.Claimed = s.Now.Add(-time.Hour)
		shut := map[string]bool{}
		if yes("window") {
			office(s, o)
			in := s.Now.In(o.Config.Windows[0].Zone)
			shut["window"] = in.Hour() < 9 || in.Hour() >= 16 || in.Weekday() == time.Sunday || in.Weekday() > time.Thursday
		}
		if yes("held") {
			held(time.Time{})(s, o)
			shut["hold"] = true
		}
		if yes("approval") {
			approval(s, o)
			digest := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "approved")
			approvedFor(digest)(s, o)
			shut["approval"] = digest != "x"
		}
		if yes("label") {
			o.Pull.Labels, shut["label"] = []string{promotion.HoldLabel}, true
		}
		if yes("kind") {
			o.Content.Kinds, shut["kinds"] = []content.Kind{content.Drift}, true
		}
		for _, gate := range []string{"window", "hold", "approval", "label", "kinds", "upstream"} {
			if yes("past " + gate) {
				past(gate)(s, o)
				if gate != "hold" && gate != "label" {
					delete(shut, gate)
				}
			}
		}
		want := true
		for _, is := range shut {
			want = want && !is
		}
		d := decisionOn(s, "staging")
		if _, merges := d.Action.(promotion.Merge); merges != want {
			t.Fatalf("merges is %v, shut: %v\n%s", merges, shut, says(d))
		}
		for _, g := range d.Gates {
			if g.Passed == shut[g.Name] {
				t.Fatalf("%s: passed is %v, shut: %v", g.Name, g.Passed, shut)
			}
			if g.Text == "" || g.Waits && g.Until.IsZero() || !g.Until.IsZero() && (g.Passed || !g.Until.After(s.Now) || d.Until.After(g.Until)) {
				t.Fatalf("%+v, looked at again %v", g, d.Until)
			}
		}
	})
}
