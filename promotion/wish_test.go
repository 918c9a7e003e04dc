package promotion_test

// Wishes: how what a person asks for is carried out, and taken off again.

import (
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// vetoed has a person's veto on staging's #7.
func vetoed() *promotion.Snapshot {
	s := ready()
	o := at(s, "staging")
	p := o.Ledger.State.Promotion
	p.Status, p.By, p.Ended = state.Vetoed, "ana", now.Add(-time.Minute)
	o.Pull.Open = false
	return s
}

func wishSituations() []situation {
	return []situation{
		{name: "a veto stands", of: vetoed},
		{name: "a veto, and a retry", of: with(vetoed, obeyed("retry", 5))},
		{name: "a veto, after the retry", of: settled(with(vetoed, obeyed("retry", 5)))},
		{name: "a rollback stands, and a retry", of: with(settled(mended()), obeyed("retry", 5))},
		{name: "a rollback stands, after the retry, still held", of: retried()},
		{name: "a rollback stands, after retry and resume", of: with(retried(), resumed)},
		{name: "a rollback is asked for", of: with(settled(green), reverting, obeyed("rollback", 5))},
		{name: "a rollback is asked for, rollback: propose", of: with(settled(green), reverting, proposed, obeyed("rollback", 5))},
		{name: "a rollback is asked for while a promotion is open", of: with(ready, openOver, obeyed("rollback", 5))},
		{name: "a rebuild", of: with(ready, obeyed("rebuild", 5))},
		{name: "a rebuild of a rollback", of: with(rollingBack, obeyed("rebuild", 5))},
		{name: "a cancelled promotion", of: with(ready, obeyed("cancel", 5))},
		{name: "a cancelled promotion, closed", of: with(ready, obeyed("cancel", 5), func(_ *promotion.Snapshot, o *promotion.Observed) { o.Pull.Open = false })},
	}
}

// openOver has the open promotion follow a landing of promobot's.
func openOver(_ *promotion.Snapshot, o *promotion.Observed) {
	from := at(settled(green)(), "staging")
	o.Ledger.State.Landing, o.Landings, o.Ledger.State.Promotion.PullRequest = from.Ledger.State.Landing, from.Landings, 8
	o.Ledger.State.Promotion.Base, o.Pull.Number = "e", 8
	o.Pull.Body = state.FormatTrailers(o.Ledger.State.Promotion.Trailers("app", "staging"))
}

// retried has a person ask again for what was rolled back.
func retried() func() *promotion.Snapshot {
	return with(settled(with(settled(mended()), obeyed("retry", 5))), func(s *promotion.Snapshot, o *promotion.Observed) {
		o.Content = &content.Result{Edits: []content.Edit{{Path: "envs/staging/v"}}, Expected: "of 1.4.0"}
	})
}

// TestAWishIsTakenOff holds that a wish for something once more lifts what kept
// it from being offered, with one entry, and then is gone.
func TestAWishIsTakenOff(t *testing.T) {
	s := retried()()
	st := at(s, "staging").Ledger.State
	if st.Wish != nil || st.Floor != nil || len(st.Rejected) > 0 {
		t.Errorf("after a retry: wish %+v, floor %v, rejected %+v", st.Wish, st.Floor, st.Rejected)
	}
	if offer, why := promotion.OfferTo(s, at(s, "staging")); offer == nil || offer.Landing.Revision != "1.4.0" {
		t.Errorf("what was asked for again is not offered: %s", why)
	}
}

// TestAWishNamesWhatItMeans holds that the beginning of a revision lifts the
// rejection of that one, and of no other.
func TestAWishNamesWhatItMeans(t *testing.T) {
	s := settled(mended())()
	o := at(s, "staging")
	o.Ledger.State.Rejected = append(o.Ledger.State.Rejected, state.Rejected{Revision: "1.2.0", Digest: "of 1.2.0", Time: now})
	got := promotion.Obey(s, o, promotion.Order{Do: "promote", Revision: "1.4", By: "ana", Comment: 5})
	if got.Entry == nil {
		t.Fatal(got.Answer)
	}
	next := got.Entry.State.Clone()
	o.Ledger.State = &next
	apply(s, decisionOn(s, "staging"))
	if r := o.Ledger.State.Rejected; len(r) != 1 || r[0].Revision != "1.2.0" {
		t.Errorf("promote 1.4 leaves %+v", r)
	}
}

// TestWas holds what is known of the state before a landing: never what lies
// below the baseline.
func TestWas(t *testing.T) {
	s := settled(green)()
	o := at(s, "staging")
	overtaken(s, o)
	for before, want := range map[string]string{"f": "f", "e": "1.4.0", "d": "b", "b": "b", "gone": ""} {
		was := promotion.Was(s, o, before, "digest")
		switch {
		case was == nil && want != "", was != nil && was.Revision != want:
			t.Errorf("before %s: %+v, want %q", before, was, want)
		case was != nil && was.Verified.IsZero() != (want != "1.4.0"):
			t.Errorf("before %s: verified %v", before, was.Verified)
		}
	}
}

// TestNotAgainByItself holds that after a rollback repromote makes one attempt,
// and that a second failure of the same revision ends in a hold.
func TestNotAgainByItself(t *testing.T) {
	s := mended(step(config.Repromote))()
	o := at(s, "staging")
	apply(s, decisionOn(s, "staging"))
	if o.Ledger.State.Hold != nil || len(o.Ledger.State.Rejected) > 0 {
		t.Fatalf("repromote leaves the hold %+v and %+v", o.Ledger.State.Hold, o.Ledger.State.Rejected)
	}
	offer, why := promotion.OfferTo(s, o)
	if offer == nil || offer.Landing.Revision != "1.4.0" {
		t.Fatalf("1.4.0 is not offered once more: %s", why)
	}
	o.Content = &content.Result{Edits: []content.Edit{{Path: "v"}}, Expected: "of 1.4.0"}
	claim, ok := decisionOn(s, "staging").Action.(promotion.Claim)
	if !ok || claim.Promotion.Attempt != 2 {
		t.Fatalf("want a second attempt, got %s", says(decisionOn(s, "staging")))
	}
	// It lands as g, fails and is rolled back as well: no third attempt.
	st := o.Ledger.State.Clone()
	st.Promotion = &claim.Promotion
	st.Landing = &state.Landing{
		ID: claim.Promotion.ID, Commit: "g", Before: "f", Revision: "1.4.0", Origin: "qa", From: "qa", At: "d", Expected: "of 1.4.0", Actual: "of 1.4.0",
		Was: &state.Was{Revision: "1.3.2", Digest: "of 1.3.2", Position: map[string]state.Position{"qa": {Commit: "b"}}},
	}
	st.Promotion.Status = state.Landed
	st.Watch = &state.Watch{Landing: "g", Since: now.Add(-5 * time.Minute), Failing: now.Add(-2 * time.Minute)}
	o.Ledger.State = &st
	s.Chain = chain("g", "f", "e", "d", "c", "b", "a")
	l := landing("g", 0, "qa")
	l.Revision, l.Digest, l.Promotion = "1.4.0", "of 1.4.0", claim.Promotion.ID
	o.Landings = append([]promotion.Landing{l}, o.Landings...)
	o.Results["g"] = []promotion.CheckResult{result("deploy", "failure")}
	apply(s, decisionOn(s, "staging"))
	f := o.Ledger.State.Failure
	if f == nil || f.Scope == "" || o.Ledger.State.Hold == nil {
		t.Fatalf("the second failure is not rolled back: %+v", f)
	}
	o.Ledger.State.Landing.Reverts, o.Ledger.State.Landing.Was = "id", nil
	o.Ledger.State.Verdicts[0].Outcome = state.Verified // of the second rollback
	apply(s, decisionOn(s, "staging"))
	if f := o.Ledger.State.Failure; f == nil || !f.Over || o.Ledger.State.Hold == nil {
		t.Errorf("a third attempt is made: %+v, hold %+v", f, o.Ledger.State.Hold)
	}
}
