package promotion_test

// Which commands apply: one named case for each thing that can be asked for by a
// button, and what holds of all buttons in every situation.

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

func applicable(s *promotion.Snapshot) []promotion.Applies {
	d := decisionOn(s, "staging")
	return promotion.Applicable(s, &d, at(s, "staging"))
}

func observes(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Mode = config.Observe }

// closedByAna has staging's pull request closed by a person.
func closedByAna() *promotion.Snapshot {
	s := opened()
	o := at(s, "staging")
	o.Pull.Open, o.Pull.ClosedBy, o.Pull.ClosedAt = false, "ana", now
	o.FreshFor = "f"
	if !apply(s, decisionOn(s, "staging")) {
		panic("the veto is not recorded")
	}
	return s
}

func TestApplicable(t *testing.T) {
	for _, c := range []struct {
		name string
		of   func() *promotion.Snapshot
		want []string
	}{
		{"nothing to do", quiet, []string{"hold"}},
		{"open", opened, []string{"hold"}},
		{"open, and asks for approval", with(opened, approval), []string{"approve", "hold"}},
		{"approved", with(opened, approval, obeyed("approve", 3)), []string{"hold"}},
		{"held by a person", with(quiet, held(time.Time{})), []string{"resume"}},
		{"closed by a person", closedByAna, []string{"promote", "hold"}},
		{"closed, and asked for again", with(closedByAna, obeyed("promote", 3)), []string{"hold"}},
		{"landed", func() *promotion.Snapshot { return landed() }, []string{"hold", "rollback"}},
		{"verified", settled(green), []string{"hold", "rollback"}},
		{"a check has begun to fail", red, []string{"rollback", "hold"}},
		{"rolled back by itself", failed, []string{"hold"}},
		{"its rollback is open", rollingBack, []string{"hold"}},
		{"its rollback is open and stopped by a person", with(rollingBack, obeyed("hold", 3)), nil},
		{"rolled back", settled(mended()), []string{"resume"}},
		{"rolled back and resumed", with(settled(mended()), obeyed("resume", 3)), []string{"retry", "hold"}},
		{"failed without a rollback", settled(red), []string{"rollback", "resume"}},
		{"asked to be rolled back", with(settled(green), obeyed("rollback", 3)), []string{"hold"}},
		{"a person landed something since", with(settled(green), overtaken), []string{"hold"}},
		{"only observed", with(settled(green), observes), nil},
		{"not there", with(quiet, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Present = false }), nil},
		{"no ledger yet", with(quiet, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Ledger.State = nil }), nil},
		{"a ledger that is not trusted", with(quiet, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Ledger.Problem = "somebody wrote to it" }), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, a := range applicable(c.of()) {
				got = append(got, a.Do)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("what applies (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryActionIsCarriedOut holds, in every situation that the tables know,
// that what applies fits a button, is a command, leads back to its environment,
// is obeyed, and does not apply in the same words once it was.
func TestEveryActionIsCarriedOut(t *testing.T) {
	seen := map[string]int{}
	for _, situations := range tables() {
		for _, x := range situations {
			s := x.of()
			for i := range s.Environments {
				o := &s.Environments[i]
				d := decisionOn(s, o.Key.Environment)
				for _, a := range promotion.Applicable(s, &d, o) {
					seen[a.Do]++
					if utf8.RuneCountInString(a.Label) > 20 || len(a.Button) > 20 || a.Does == "" {
						t.Errorf("%s: %+v does not fit a button", x.name, a)
					}
					cs := command.Parse("/promobot "+a.Command, nil)
					if len(cs) != 1 || cs[0].Problem != "" || cs[0].Name != a.Do {
						t.Errorf("%s: %q is no command: %+v", x.name, a.Command, cs)
					}
					found, why := promotion.Pressed(s, a.Button)
					if len(found) != 1 || found[0].Key != o.Key {
						t.Errorf("%s: the button %s of %s leads to %v (%s)", x.name, a.Button, o.Key, found, why)
						continue
					}
					meant := found[0]
					s.Now = now.Add(time.Minute)
					got := promotion.Obey(s, meant, promotion.Order{Do: a.Do, By: "zoe", Comment: -7})
					if got.Entry == nil {
						if !strings.Contains(got.Answer, "is being recorded") {
							t.Errorf("%s: %s applies and is refused: %s", x.name, a.Command, got.Answer)
						}
						continue
					}
					before := o.Ledger.State
					next := got.Entry.State.Clone()
					o.Ledger.State = &next
					if again := promotion.Obey(s, o, promotion.Order{Do: a.Do, By: "zoe", Comment: -8}); again.Entry != nil {
						t.Errorf("%s: %s has a second effect: %s", x.name, a.Command, again.Answer)
					}
					o.Ledger.State, s.Now = before, now
				}
			}
		}
	}
	for _, do := range []string{promotion.DoApprove, promotion.DoResume, promotion.DoRetry, promotion.DoHold, promotion.DoRollback} {
		if seen[do] == 0 {
			t.Errorf("no situation offers %s", do)
		}
	}
}

// TestAButtonIsAboutWhatWasShown holds that a button is worth nothing once
// something else stands there.
func TestAButtonIsAboutWhatWasShown(t *testing.T) {
	find := func(s *promotion.Snapshot, do string) string {
		all := applicable(s)
		i := slices.IndexFunc(all, func(a promotion.Applies) bool { return a.Do == do })
		if i < 0 {
			t.Fatalf("no %s among %+v", do, all)
		}
		return all[i].Button
	}
	for _, c := range []struct {
		name, do string
		of       func() *promotion.Snapshot
		then     func(*promotion.Observed)
		want     bool
	}{
		{"roll back, and a newer promotion has landed", "rollback", settled(green), func(o *promotion.Observed) { o.Ledger.State.Landing.Commit = "f" }, false},
		{"resume, and somebody else holds it now", "resume", with(quiet, held(time.Time{})), func(o *promotion.Observed) { o.Ledger.State.Hold.Since = now.Add(time.Hour) }, false},
		{"approve, and it was built anew with something else", "approve", with(opened, approval), func(o *promotion.Observed) { o.Ledger.State.Promotion.Expected = "else" }, false},
		{"approve, and it was built anew with the same", "approve", with(opened, approval), func(o *promotion.Observed) { o.Ledger.State.Promotion.Commit = "p9" }, true},
		{"promote, and a newer one was closed", "promote", closedByAna, func(o *promotion.Observed) { o.Ledger.State.Promotion.ID = "newer" }, false},
		{"hold counts whatever has come", "hold", opened, func(o *promotion.Observed) { o.Ledger.State.Promotion.ID = "newer" }, true},
		{"it has left the pipeline file", "hold", opened, func(o *promotion.Observed) { o.Config.Present = false }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.of()
			b := find(s, c.do)
			st := at(s, "staging").Ledger.State.Clone()
			at(s, "staging").Ledger.State = &st
			c.then(at(s, "staging"))
			os, why := promotion.Pressed(s, b)
			if (len(os) == 1) != c.want || (len(os) == 0) == (why == "") {
				t.Errorf("the button leads to %v: %q", os, why)
			}
		})
	}
	for _, forged := range []string{"", "rollback", "rollback:", "explode:0123456789abc", "hold:000000000000000"} {
		if os, why := promotion.Pressed(quiet(), forged); len(os) > 0 || why == "" {
			t.Errorf("%q leads to %v", forged, os)
		}
	}
	// The hash is of what is hashed, whatever the names are made of.
	a := promotion.Observed{Key: promotion.Key{Pipeline: "a/b", Environment: "c"}}
	if state.Hash(a.Key.Pipeline, a.Key.Environment) == state.Hash("a", "b/c") {
		t.Error("names run into each other")
	}
}

// TestApprovingABatchIsAllOfIt holds that the button on a shared pull request
// means everything in it, and nothing once it was built anew.
func TestApprovingABatchIsAllOfIt(t *testing.T) {
	s := gathered(t)
	var o *promotion.Observed
	for i := range s.Environments {
		s.Environments[i].Config.Approval = true
		if s.Environments[i].Key == (promotion.Key{Pipeline: "b", Environment: "staging"}) {
			o = &s.Environments[i]
		}
	}
	d := promotion.Decision{Key: o.Key}
	all := promotion.Applicable(s, &d, o)
	if len(all) == 0 || all[0].Do != promotion.DoApprove {
		t.Fatalf("what applies: %+v", all)
	}
	members := promotion.Members(s, *o.Ledger.State.Promotion)
	got, why := promotion.Pressed(s, all[0].Button)
	if len(members) < 2 || len(got) != len(members) {
		t.Errorf("the button means %d of %d (%s)", len(got), len(members), why)
	}
	for _, m := range members {
		p := m.Ledger.State.Promotion
		b := *p.Batch
		b.Head = "anew"
		p.Batch = &b
	}
	if got, why := promotion.Pressed(s, all[0].Button); len(got) > 0 || why == "" {
		t.Errorf("built anew, the button means %v", got)
	}
}
