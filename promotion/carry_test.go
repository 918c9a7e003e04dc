package promotion_test

// A promotion under way in detail: GitHub's word, order between environments,
// and what is done without its being asked again and again.

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// TestGitHubsWord: only clean and has_hooks let the bot merge, and only what
// GitHub itself may still change without an event is asked again.
func TestGitHubsWord(t *testing.T) {
	type outcome struct {
		Merges, Again bool
		Reason        string
	}
	cases := map[string]outcome{
		"clean":     {true, false, "all gates are open"},
		"has_hooks": {true, false, "all gates are open"},
		"":          {false, true, "GitHub is working out whether it can be merged"},
		"unknown":   {false, true, "GitHub is working out whether it can be merged"},
		"unstable":  {false, false, "a check has failed or has not finished"},
		"blocked":   {false, false, "a rule of the branch is not met yet: a review or a required check"},
		"behind":    {false, false, "the branch's rules ask for an update with the base branch"},
		"dirty":     {false, true, "it conflicts with the base branch, and is being rebuilt"},
		"draft":     {false, false, "it is a draft; mark it as ready for review"},
		"novel":     {false, false, `GitHub says "novel"`},
	}
	for mergeable, want := range cases {
		t.Run(mergeable, func(t *testing.T) {
			s := opened()
			s.Chain = chain("d", "c", "b", "a") // built on the tip: nothing to rebuild
			at(s, "staging").Pull.Mergeable = mergeable
			d := promotion.Decide(s)[1]
			_, merges := d.Action.(promotion.Merge)
			if !merges && d.Action != nil {
				t.Errorf("does %T", d.Action)
			}
			if diff := cmp.Diff(want, outcome{merges, !d.Until.IsZero(), d.Reason}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if last := d.Gates[len(d.Gates)-1]; last.Name != "github" || last.Passed != want.Merges {
				t.Errorf("the last gate is %+v", last)
			}
		})
	}
}

// TestAsksLessOften: a pull request of which GitHub does not know is asked for
// at growing intervals, within two minutes.
func TestAsksLessOften(t *testing.T) {
	for age, want := range map[time.Duration]time.Duration{
		time.Second: 3 * time.Second, time.Minute: 15 * time.Second, time.Hour: 2 * time.Minute,
	} {
		s := opened()
		at(s, "staging").Pull.Mergeable = "unknown"
		at(s, "staging").Ledger.State.Promotion.Claimed = now.Add(-age)
		if got := promotion.Decide(s)[1].Until.Sub(now); got != want {
			t.Errorf("%v after the claim: asks again in %v, want %v", age, got, want)
		}
	}
}

// TestOrder is `after`: what landed must have reached the environment, or be
// followed there by what landed later in the same upstream.
func TestOrder(t *testing.T) {
	// eu comes from qa, after asia, which comes from staging, which comes from qa.
	// qa landed c, then e; the offer to eu is c.
	build := func() (*promotion.Snapshot, *promotion.Observed, *promotion.Observed) {
		s := offered()
		s.Chain = chain("h", "g", "f", "e", "d", "c", "b", "a")
		at(s, "qa").Landings = []promotion.Landing{landing("c", 5, "qa")}
		asia := at(s, "prod")
		eu := *at(s, "staging")
		eu.Key.Environment = "eu"
		cfg := *eu.Config
		cfg.Name, cfg.After = "eu", []string{"prod"}
		eu.Config = &cfg
		s.Environments = append(s.Environments, eu)
		return s, at(s, "staging"), asia
	}
	cases := map[string]struct {
		change func(s *promotion.Snapshot, staging, asia *promotion.Observed)
		open   bool
	}{
		"not there": {func(*promotion.Snapshot, *promotion.Observed, *promotion.Observed) {}, false},
		"it landed there": {func(_ *promotion.Snapshot, _, asia *promotion.Observed) {
			asia.Landings = []promotion.Landing{{Commit: "h", Revision: "c", Origin: "qa", Promotion: "p"}}
		}, true},
		"it was there already": {func(_ *promotion.Snapshot, _, asia *promotion.Observed) {
			asia.Ledger.State.Position["staging"] = state.Position{Commit: "d", Revision: "c", Origin: "qa"}
		}, true},
		"something newer of the same origin is there": {func(_ *promotion.Snapshot, _, asia *promotion.Observed) {
			asia.Ledger.State.Position["staging"] = state.Position{Commit: "f", Revision: "e", Origin: "qa"}
		}, true},
		"something older is there": {func(_ *promotion.Snapshot, _, asia *promotion.Observed) {
			asia.Ledger.State.Position["staging"] = state.Position{Commit: "c", Revision: "a", Origin: "qa"}
		}, false},
		"a hotfix made upstream before it came there": {func(_ *promotion.Snapshot, staging, asia *promotion.Observed) {
			asia.Ledger.State.Position["staging"] = state.Position{Commit: "d", Revision: "d", Origin: "staging"}
			staging.Landings = []promotion.Landing{{Commit: "f", Revision: "c", Origin: "qa", Promotion: "p"}}
		}, false},
		"a hotfix made upstream after it came there": {func(_ *promotion.Snapshot, staging, asia *promotion.Observed) {
			asia.Ledger.State.Position["staging"] = state.Position{Commit: "f", Revision: "f", Origin: "staging"}
			staging.Landings = []promotion.Landing{landing("f", 2, "staging")}
			staging.Ledger.State.Landing = &state.Landing{Commit: "d", Revision: "c", Origin: "qa"}
		}, true},
		"an environment without this pipeline": {func(_ *promotion.Snapshot, _, asia *promotion.Observed) { asia.Config.Present = false }, true},
		"an environment it never travels to":   {func(_ *promotion.Snapshot, _, asia *promotion.Observed) { asia.Config.From = nil }, true},
		"an environment without a ledger":      {func(_ *promotion.Snapshot, _, asia *promotion.Observed) { asia.Ledger.State = nil }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, staging, asia := build()
			c.change(s, staging, asia)
			d := promotion.Decide(s)[3]
			_, claims := d.Action.(promotion.Claim)
			if claims != c.open {
				t.Errorf("open is %v: %q %q", claims, d.Standing, d.Reason)
			}
			if !c.open && d.Reason != "c must reach prod first" {
				t.Errorf("got %q", d.Reason)
			}
		})
	}
}

// TestMovingOnIsNotLimited: what is open already stays open whatever the limits.
func TestMovingOnIsNotLimited(t *testing.T) {
	s := opened()
	s.Limits = config.Limits{}
	at(s, "staging").Config.Limit = 0
	at(s, "qa").Landings = []promotion.Landing{landing("e", 1, "qa")}
	c, ok := promotion.Decide(s)[1].Action.(promotion.Claim)
	if !ok || !c.Moves || c.Promotion.PullRequest != 7 || c.Promotion.Revision != "e" || c.Promotion.Replaced.Revision != "d" || c.Promotion.Branch != "promobot/app/staging/d-id" {
		t.Errorf("got %+v", c)
	}
}

// TestARebuildKeepsItsName: the same promotion on today's base is no other attempt.
func TestARebuildKeepsItsName(t *testing.T) {
	s := opened()
	at(s, "staging").Touched = true
	c, ok := promotion.Decide(s)[1].Action.(promotion.Claim)
	if !ok || c.Promotion.ID != "id" || c.Promotion.Attempt != 1 || c.Promotion.Rebuild != 1 || c.Promotion.Replaced.Commit != "p1" {
		t.Errorf("got %+v", c)
	}
}

// TestShutGatesAreSaid: in auto, the first shut gate is the reason; all are listed.
func TestShutGatesAreSaid(t *testing.T) {
	s := opened()
	o := at(s, "staging")
	o.Ledger.State.Hold = &state.Hold{Reason: "it is mixed"}
	o.Config.After = []string{"prod"}
	d := promotion.Decide(s)[1]
	var got []string
	for _, g := range d.Gates {
		got = append(got, g.Name)
	}
	if diff := cmp.Diff([]string{"upstream", "after", "hold", "kinds"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d.Action != nil || d.Reason != "#7: d must reach prod first" {
		t.Errorf("got %T %q", d.Action, d.Reason)
	}
}

// TestALiftedHold: a person's landing lifts the hold of the one before it.
func TestALiftedHold(t *testing.T) {
	s := quiet()
	o := at(s, "staging")
	o.Ledger.State.Hold = &state.Hold{Reason: "it is mixed", Landing: "d"}
	o.Landings = []promotion.Landing{{Commit: "d", Revision: "c", Promotion: "p"}}
	if d := promotion.Decide(s)[1]; d.Action != nil {
		t.Errorf("nothing has replaced it: %T %q", d.Action, d.Reason)
	}
	o.Landings = []promotion.Landing{landing("e", 1, "staging")}
	a, ok := promotion.Decide(s)[1].Action.(promotion.Append)
	if !ok || a.Kind != state.KindResume || a.State.Hold != nil || a.State.Sequence != 2 {
		t.Fatalf("got %+v", a)
	}
	o.Ledger.State = &a.State
	if d := promotion.Decide(s)[1]; d.Action != nil {
		t.Errorf("again: %T %q", d.Action, d.Reason)
	}
}
