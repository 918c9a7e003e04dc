package promotion_test

// Orders: what a command comes to in one environment, and that it has one effect
// however often and in whatever order it arrives.

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

func orderSituations() []situation {
	by := func(o promotion.Order) *promotion.Order {
		o.By, o.Comment = "ana", 50
		return &o
	}
	do := func(name string) *promotion.Order { return by(promotion.Order{Do: name}) }
	wrote := func(s *promotion.Snapshot, _ *promotion.Observed) {
		s.Chain.Commits[2].Changed = []string{"envs/qa/v"}
		s.Chain.Commits[2].Author = promotion.Person{Name: "Ana", Email: "1+ana@users.noreply.github.com"}
	}
	var all []situation
	all = append(all, []situation{
		{name: "hold", of: quiet, order: do("hold")},
		{name: "hold, with a reason and a time", of: quiet, order: by(promotion.Order{Do: "hold", Until: now.Add(time.Hour), Reason: "the database is moved"})},
		{name: "hold what has failed", of: settled(failed), order: by(promotion.Order{Do: "hold", Until: now.Add(time.Hour)})},
		{name: "resume", of: with(quiet, held(time.Time{})), order: do("resume")},
		{name: "resume what is not held", of: quiet, order: do("resume")},
		{name: "resume while a rollback is open", of: rollingBack, order: do("resume")},
		{name: "resume after a rollback", of: settled(mended()), order: do("resume")},
		{name: "resume while a recovery runs", of: recovering(false, run("in_progress", "")), order: do("resume")},
		{name: "resume what a person held, while a recovery runs", of: with(recovering(false, run("in_progress", "")), held(time.Time{})), order: do("resume")},
		{name: "rollback", of: settled(green), order: do("rollback")},
		{name: "rollback to what stood before", of: settled(green), order: by(promotion.Order{Do: "rollback", Revision: "1.3"})},
		{name: "rollback to something else", of: settled(green), order: by(promotion.Order{Do: "rollback", Revision: "1.2.0"})},
		{name: "rollback of a rollback", of: rolledBack, order: do("rollback")},
		{name: "rollback of what a person landed", of: with(settled(green), overtaken), order: do("rollback")},
		{name: "rollback of what stood at the baseline", of: quiet, order: do("rollback")},
		{name: "rollback without knowing what stood before", of: with(settled(green), func(_ *promotion.Snapshot, o *promotion.Observed) { o.Ledger.State.Landing.Was = nil }), order: do("rollback")},
		{name: "promote", of: quiet, order: do("promote")},
		{name: "promote while held", of: with(quiet, held(time.Time{})), order: do("promote")},
		{name: "promote while something is open", of: ready, order: do("promote")},
		{name: "promote what stands upstream", of: offered, order: by(promotion.Order{Do: "promote", Revision: "d"})},
		{name: "promote what no upstream has", of: offered, order: by(promotion.Order{Do: "promote", Revision: "9.9.9"})},
		{name: "promote a revision when nothing is offered", of: quiet, order: by(promotion.Order{Do: "promote", Revision: "d"})},
		{name: "retry", of: settled(mended()), order: do("retry")},
		{name: "retry when nothing has ended", of: quiet, order: do("retry")},
		{name: "rebuild", of: ready, order: do("rebuild")},
		{name: "rebuild when nothing is open", of: quiet, order: do("rebuild")},
		{name: "approve", of: with(ready, approval), order: do("approve")},
		{name: "approve what one wrote oneself", of: with(ready, approval, wrote), order: do("approve")},
		{name: "merge past the window", of: with(ready, office), order: by(promotion.Order{Do: "merge", Gate: "window"})},
		{name: "merge past a hold", of: with(ready, held(time.Time{})), order: by(promotion.Order{Do: "merge", Gate: "hold"})},
		{name: "skip", of: ready, order: do("skip")},
		{name: "cancel", of: ready, order: do("cancel")},
		{name: "cancel a rollback", of: rollingBack, order: do("cancel")},
		{name: "cancel when nothing is open", of: quiet, order: do("cancel")},
		{name: "twice by redelivery", of: with(quiet, obeyed("hold", 50)), order: do("hold")},
		{name: "hold after a later resume", of: with(quiet, held(time.Time{}), obeyed("resume", 51)), order: do("hold")},
		{name: "resume after a later hold", of: with(quiet, obeyed("hold", 51)), order: do("resume")},
		{name: "hold after a later command about something else", of: with(quiet, obeyed("promote", 51)), order: do("hold")},
		{name: "a ledger to mend", of: with(quiet, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Ledger.Problem = "somebody wrote to its ledger" }), order: do("hold")},
		{name: "no ledger yet", of: with(quiet, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Ledger.State = nil }), order: do("hold")},
		{name: "an environment that is not there", of: with(quiet, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Present = false }), order: do("hold")},
		{name: "what nobody can ask for", of: quiet, order: do("explode")},
	}...)
	return all
}

// TestOrdersHaveOneEffect gives every order that is carried out a second time,
// and holds that nothing is written and the same is answered.
func TestOrdersHaveOneEffect(t *testing.T) {
	for _, x := range orderSituations() {
		t.Run(x.name, func(t *testing.T) {
			s := x.of()
			o := at(s, x.where())
			before := promotion.Ledger{}
			if o.Ledger.State != nil {
				c := o.Ledger.State.Clone()
				before.State = &c
			}
			first := promotion.Obey(s, o, *x.order)
			if diff := cmp.Diff(before.State, o.Ledger.State); diff != "" {
				t.Fatalf("obeying changed the snapshot:\n%s", diff)
			}
			if first.Refused != (first.Entry == nil) && o.Ledger.State.HeardOf(x.order.Comment, x.order.Index) == nil {
				t.Fatalf("refused is %v, with the entry %+v", first.Refused, first.Entry)
			}
			if first.Entry == nil {
				return
			}
			next := first.Entry.State.Clone()
			if next.Sequence != o.Ledger.State.Sequence+1 {
				t.Errorf("entry %d after %d", next.Sequence, o.Ledger.State.Sequence)
			}
			o.Ledger.State = &next
			again := promotion.Obey(s, o, *x.order)
			if again.Entry != nil || again.Refused || again.Answer != first.Answer {
				t.Errorf("the second time: %+v, the first: %q", again, first.Answer)
			}
		})
	}
}

// TestTheLaterWordCounts delivers holds and resumes in any order, some twice, and
// holds that what was written last is what stands, as long as it could be obeyed
// when it came.
func TestTheLaterWordCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var orders []promotion.Order
		for i := range rapid.IntRange(1, 8).Draw(t, "orders") {
			orders = append(orders, promotion.Order{
				Do: rapid.SampledFrom([]string{"hold", "resume"}).Draw(t, "do"), By: "ana",
				Comment: int64(10 + i/2), Index: i % 2,
			})
		}
		arriving := rapid.Permutation(slices.Concat(orders, orders)).Draw(t, "arriving")
		s := quiet()
		o := at(s, "staging")
		effects := map[[2]int64]int{}
		var newest promotion.Order
		early := map[promotion.Order]bool{} // resumes that came before the hold they were meant for
		for _, order := range arriving {
			got := promotion.Obey(s, o, order)
			if got.Entry == nil {
				early[order] = early[order] || got.Answer == o.Key.String()+": it is not held"
				continue
			}
			effects[[2]int64{order.Comment, int64(order.Index)}]++
			if order.Comment < newest.Comment || order.Comment == newest.Comment && order.Index < newest.Index {
				t.Fatalf("%+v has its effect after %+v", order, newest)
			}
			newest = order
			next := got.Entry.State.Clone()
			o.Ledger.State = &next
			if (next.Hold != nil) != (order.Do == "hold") {
				t.Fatalf("after %s the hold is %+v", order.Do, next.Hold)
			}
		}
		for key, n := range effects {
			if n > 1 {
				t.Fatalf("command %v had %d effects", key, n)
			}
		}
		last := orders[len(orders)-1]
		if last.Do == "hold" && o.Ledger.State.Hold == nil {
			t.Fatalf("the last word is %+v, and staging is not held", last)
		}
		if last.Do == "resume" && !early[last] && o.Ledger.State.Hold != nil {
			t.Fatalf("the last word is %+v, and staging is held", last)
		}
	})
}

// TestApprovalIsBoundToItsDigest holds that an approval counts for what stood
// there when it was given, and for nothing else.
func TestApprovalIsBoundToItsDigest(t *testing.T) {
	s := with(ready, approval)()
	o := at(s, "staging")
	obeyed("approve", 5)(s, o)
	if _, merges := decisionOn(s, "staging").Action.(promotion.Merge); !merges {
		t.Fatalf("approved, and %s", says(decisionOn(s, "staging")))
	}
	o.Ledger.State.Promotion.Expected = "y"
	if d := decisionOn(s, "staging"); d.Action != nil {
		t.Errorf("another content merges with the approval of the first: %s", says(d))
	}
}

// TestAHoldOnFailureStays holds that no command but resume lifts the hold of a
// failed verdict, and that a later hold does not let it end by itself.
func TestAHoldOnFailureStays(t *testing.T) {
	for _, do := range []string{"hold", "promote", "retry"} {
		s := settled(mended())()
		o := at(s, "staging")
		got := promotion.Obey(s, o, promotion.Order{Do: do, By: "ana", Comment: 5, Until: now.Add(time.Minute)})
		if got.Entry == nil {
			t.Fatalf("%s: %s", do, got.Answer)
		}
		next := got.Entry.State.Clone()
		o.Ledger.State = &next
		s.Now = s.Now.Add(time.Hour)
		for range 3 {
			apply(s, decisionOn(s, "staging"))
		}
		if h := o.Ledger.State.Hold; h == nil || h.Failed != "e" {
			t.Errorf("after %s the hold is %+v", do, h)
		}
	}
}

// TestHoldStands: what can still merge after a hold keeps it from being in force,
// for as long as a request may be under way.
func TestHoldStands(t *testing.T) {
	type change = func(s *promotion.Snapshot, o *promotion.Observed)
	moved := func(s *promotion.Snapshot, o *promotion.Observed) {
		p := o.Ledger.State.Promotion
		p.Replaced = &state.Replaced{Commit: p.Commit, Head: p.Head()}
		p.Commit, p.Claimed = "9f", s.After(o.Ledger.State.Hold.Since)
	}
	for name, x := range map[string]struct {
		then []change
		want bool
	}{
		"its head is the one that may be merged": {nil, false},
		"the new head is not on the branch yet":  {[]change{moved}, false},
		"its head is new": {[]change{moved, func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Head = o.Ledger.State.Promotion.Head()
		}}, true},
		"GitHub would merge the new head by itself": {[]change{moved, func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Head, o.Pull.AutoMerge, o.Config.Merge = o.Ledger.State.Promotion.Head(), true, config.MergeByGitHub
		}}, false},
		"someone pushed to its branch": {[]change{func(_ *promotion.Snapshot, o *promotion.Observed) { o.Head = "aa" }}, true},
		"it is closed":                 {[]change{func(_ *promotion.Snapshot, o *promotion.Observed) { o.Pull.Open = false }}, true},
		"it is merged, and not recorded yet": {[]change{func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Pull.Open, o.Pull.Merged = false, true
		}}, false},
		"it could not be read":      {[]change{func(_ *promotion.Snapshot, o *promotion.Observed) { o.Pull = nil }}, false},
		"nobody merges it but them": {[]change{func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Mode = config.Observe }}, true},
		"no request can be under way any more": {[]change{func(s *promotion.Snapshot, _ *promotion.Observed) {
			s.Now = s.Now.Add(promotion.Bound)
		}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := ready()
			o := at(s, "staging")
			obeyed("hold", 5)(s, o)
			for _, then := range x.then {
				then(s, o)
			}
			if got := promotion.HoldStands(s, o); got != x.want {
				t.Errorf("in force: %v, want %v", got, x.want)
			}
		})
	}
}

// TestResumeLeavesARecovery holds that a recovery which runs is not forgotten when a
// person lifts a hold of their own, and so not begun a second time.
func TestResumeLeavesARecovery(t *testing.T) {
	s := with(recovering(false, run("in_progress", "")), held(time.Time{}))()
	o := at(s, "staging")
	before, _ := promotion.UnderRecovery(o)
	obeyed("resume", 5)(s, o)
	after, _ := promotion.UnderRecovery(o)
	if before == nil || after == nil || after.Nonce != before.Nonce || o.Ledger.State.Hold != nil {
		t.Errorf("the recovery was %+v, and is %+v; hold %+v", before, after, o.Ledger.State.Hold)
	}
}

// TestClocksThatDiffer has a ledger written by a replica whose clock is an hour
// ahead, and holds that what follows is later.
func TestClocksThatDiffer(t *testing.T) {
	ahead := now.Add(time.Hour)
	for _, do := range []string{"hold", "rollback"} {
		t.Run("a hold after a claim: "+do, func(t *testing.T) {
			s := with(ready, openOver)()
			o := at(s, "staging")
			o.Ledger.State.Promotion.Claimed = ahead
			obeyed(do, 5)(s, o)
			if since := o.Ledger.State.Hold.Since; !since.After(ahead) {
				t.Errorf("held since %v, what it holds was claimed at %v", since, ahead)
			}
		})
	}
	t.Run("a rollback that is asked for again after a veto", func(t *testing.T) {
		s := settled(green)()
		o := at(s, "staging")
		obeyed("rollback", 5)(s, o)
		o.Ledger.State.Promotion = &state.Promotion{ID: "back", Status: state.Vetoed, PullRequest: 8, By: "bo", Ended: ahead, Reverts: promotion.RevertDue(s, o)}
		if d := decisionOn(s, "staging"); d.Standing != promotion.Stopped {
			t.Fatalf("want bo's veto to stand, got %s", says(d))
		}
		obeyed("rollback", 6)(s, o)
		o.Content = &content.Result{Edits: []content.Edit{{Path: "envs/staging/v"}}, Expected: "of 1.3.0"}
		if d := decisionOn(s, "staging"); d.Standing == promotion.Stopped {
			t.Errorf("want it rolled back as asked, got %s", says(d))
		}
	})
	t.Run("a veto after a rollback was asked for", func(t *testing.T) {
		s := rollingBack()
		o := at(s, "staging")
		o.Ledger.State.Wish = &state.Wish{Do: promotion.WishRollback, By: "ana", Comment: 5, Time: ahead}
		o.Pull.Open, o.Pull.ClosedBy = false, "bo"
		a, ok := decisionOn(s, "staging").Action.(promotion.Append)
		if !ok || a.Kind != state.KindVeto || !a.State.Promotion.Ended.After(ahead) {
			t.Errorf("want a veto after %v, got %s", ahead, says(decisionOn(s, "staging")))
		}
	})
}

// TestHeardIsBounded holds that the ledger keeps the newest commands.
func TestHeardIsBounded(t *testing.T) {
	s := quiet()
	o := at(s, "staging")
	for i := range int64(state.HeardKept + 5) {
		obeyed("hold", 100+i)(s, o)
	}
	if n := len(o.Ledger.State.Heard); n != state.HeardKept || o.Ledger.State.HeardOf(100+state.HeardKept+4, 0) == nil {
		t.Errorf("%d commands are kept", n)
	}
}
