package promotion_test

// Rollbacks: when one is due, what keeps it from being made or merged, how it
// ends, and what is never offered afterwards.

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// revertedByPerson has a person's own revert of e land as f.
func revertedByPerson(s *promotion.Snapshot, o *promotion.Observed) {
	overtaken(s, o)
	o.Landings[0].Digest = "of 1.3.2"
}

// newer has version 1.5.0 land in qa as f, which would change staging.
func newer(s *promotion.Snapshot, o *promotion.Observed) {
	l := landing("f", 0, "qa")
	l.Revision, l.Digest, l.Time = "1.5.0", "of 1.5.0 in qa", now
	at(s, "qa").Landings = append([]promotion.Landing{l}, at(s, "qa").Landings...)
	o.Content = &content.Result{Edits: []content.Edit{{Path: "envs/staging/v"}}, Expected: "of 1.5.0"}
}

// resumed has a person resume staging.
func resumed(s *promotion.Snapshot, o *promotion.Observed) {
	got := promotion.Obey(s, o, promotion.Order{Do: "resume", By: "ana", Comment: 90})
	if got.Entry == nil {
		panic(got.Answer)
	}
	next := got.Entry.State.Clone()
	o.Ledger.State = &next
}

// carriedOn has prod carry 1.4.0 as commit f, promoted from staging's e.
func carriedOn(s *promotion.Snapshot, _ *promotion.Observed) {
	o := at(s, "prod")
	o.Config.Rollback = config.Auto
	o.Ledger.State.Landing = &state.Landing{
		ID: "id2", Commit: "f", Before: "e", Revision: "1.4.0", Origin: "qa", From: "staging", At: "e", Method: "merge", PullRequest: 9,
		Expected: "of 1.4.0 in prod", Actual: "of 1.4.0 in prod", Time: now.Add(-time.Minute),
		Was: &state.Was{Revision: "1.3.2", Digest: "of 1.3.2 in prod", Position: map[string]state.Position{"staging": {Commit: "b"}}},
	}
	o.Ledger.State.Promotion = &state.Promotion{ID: "id2", Status: state.Landed, Revision: "1.4.0", From: "staging", Landing: "e", PullRequest: 9}
	o.Ledger.State.Position["staging"] = state.Position{Commit: "e", Revision: "1.4.0", Origin: "qa"}
	l := landing("f", 0, "qa")
	l.Revision, l.Digest, l.Promotion, l.PullRequest = "1.4.0", "of 1.4.0 in prod", "id2", 9
	o.Landings = []promotion.Landing{l}
	reverting(s, o)
	o.Content.Expected = "of 1.3.2 in prod"
}

// openInProd has prod's promotion of 1.4.0 open as #9.
func openInProd(s *promotion.Snapshot, _ *promotion.Observed) {
	o := at(s, "prod")
	p := state.Promotion{
		ID: "id2", Status: state.Opened, Revision: "1.4.0", Origin: "qa", Attempt: 1, From: "staging", Landing: "e", Base: "e", Commit: "p9",
		Branch: "promobot/app/prod/1.4.0-id2", Expected: "x", Claimed: now.Add(-time.Hour), PullRequest: 9,
	}
	o.Ledger.State.Promotion = &p
	o.Head, o.FreshFor = "p9", "f"
	o.Pull = &promotion.PullRequest{Number: 9, Open: true, Base: "main", Head: "p9", ByApp: true, Mergeable: "clean", Body: state.FormatTrailers(p.Trailers("app", "prod"))}
	o.Content = &content.Result{Edits: []content.Edit{{Path: "envs/prod/v"}}, Expected: "x"}
}

// reach sets how far a failure's rollback reaches.
func reach(scope config.Scope) func(*promotion.Snapshot, *promotion.Observed) {
	return func(_ *promotion.Snapshot, o *promotion.Observed) { o.Ledger.State.Failure.Scope = string(scope) }
}

func proposed(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Rollback = config.Propose }

// closedBy has a person close the rollback's pull request.
func closedBy(_ *promotion.Snapshot, o *promotion.Observed) {
	o.Pull.Open, o.Pull.ClosedBy = false, "ana"
}

func rollbackSituations() []situation {
	edits := func(c *content.Result) func(*promotion.Snapshot, *promotion.Observed) {
		return func(_ *promotion.Snapshot, o *promotion.Observed) { o.Content = c }
	}
	clash := &content.Result{Edits: []content.Edit{{Path: "envs/staging/v"}}, Expected: "x", Changes: []content.Change{{File: "envs/staging/v", Overwrites: true}}}
	gone := &content.Result{Refused: []content.Refusal{{File: "envs/staging/v", Reason: "was renamed or deleted since", Remedy: "revert it by hand"}}}
	return []situation{
		{name: "due", of: failed},
		{name: "due, its content unread", of: with(failed, edits(nil))},
		{name: "due, in mode observe", of: with(failed, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Mode = config.Observe })},
		{name: "due, the file was renamed or deleted since", of: with(failed, edits(gone))},
		{name: "due, nothing is left of it", of: with(failed, edits(&content.Result{Expected: "x"}))},
		{name: "due, and something newer has landed", of: with(failed, overtaken)},
		{name: "newer waits until a person resumes", of: with(failed, newer, overtaken)},
		{name: "open, all gates open", of: rollingBack},
		{name: "open, rollback: propose", of: with(rollingBack, proposed)},
		{name: "open, the same lines were changed since", of: with(rollingBack, edits(clash))},
		{name: "open, held by a label", of: with(rollingBack, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Pull.Labels = []string{promotion.HoldLabel} })},
		{name: "open, its base changed the same files", of: with(rollingBack, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Touched = true })},
		{name: "open, a person merges a fix", of: with(rollingBack, overtaken)},
		{name: "open, a person reverted it as well", of: with(rollingBack, edits(&content.Result{Expected: "of 1.3.2"}))},
		{name: "open, a person pushed to its branch", of: with(rollingBack, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Head = "theirs" })},
		{name: "open, a person resumed", of: with(rollingBack, resumed)},
		{name: "a person closes it", of: with(rollingBack, closedBy)},
		{name: "a person closed it", of: settled(with(rollingBack, closedBy))},
		{name: "a person closed it, and asks for it again", of: with(settled(with(rollingBack, closedBy)), passed(time.Minute), func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Pull = nil
		}, obeyed("rollback", 60))},
		{name: "it lands", of: with(rollingBack, func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Pull.Open, o.Pull.Merged, o.Pull.MergedAt, o.Pull.MergedBy = false, true, now, "promobot[bot]"
			o.Resolved = &promotion.Resolved{Before: "e", Commit: "f", Method: "merge", Expected: "of 1.3.2", Actual: "of 1.3.2", Was: "of 1.4.0"}
		})},
		{name: "a person edited and merged it", of: with(rollingBack, func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Pull.Open, o.Pull.Merged, o.Pull.MergedAt, o.Pull.MergedBy = false, true, now, "ana"
			o.Resolved = &promotion.Resolved{Before: "e", Commit: "f", Method: "squash", Expected: "of 1.3.2", Actual: "else", Was: "of 1.4.0"}
		})},
		{name: "it is being verified", of: rolledBack},
		{name: "it is verified", of: mended()},
		{name: "it is verified, and nothing is left to do", of: settled(mended())},
		{name: "it fails as well", of: with(settled(with(rolledBack, func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Results["f"] = []promotion.CheckResult{{Name: "deploy", Status: "completed", Conclusion: "failure", Commit: "f", Time: now}}
		})), passed(2*time.Minute))},
		{name: "a person's own revert", of: with(failed, revertedByPerson, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Content = nil })},
		{name: "a person's own revert before a verdict", of: with(red, revertedByPerson)},
		{name: "resumed, and something newer is offered", of: with(settled(mended()), resumed, newer, func(_ *promotion.Snapshot, o *promotion.Observed) { o.FreshFor = "f" })},
		{name: "resumed, and the same content comes as another revision", of: with(settled(mended()), resumed, newer, func(_ *promotion.Snapshot, o *promotion.Observed) { o.Content.Expected = "of 1.4.0" })},
		{name: "resumed, and nothing newer", of: with(settled(mended()), resumed)},
		{name: "downstream, open", environment: "prod", of: with(failed, openInProd)},
		{name: "downstream, carried, scope environment", environment: "prod", of: with(failed, carriedOn)},
		{name: "downstream, carried, scope downstream", environment: "prod", of: with(failed, reach(config.ScopeDownstream), carriedOn)},
		{name: "downstream, carried, scope all", environment: "prod", of: with(failed, reach(config.ScopeAll), carriedOn)},
		{name: "downstream goes first", of: with(failed, reach(config.ScopeAll), carriedOn)},
		{name: "mixed, scope all", environment: "prod", of: with(failed, reach(config.ScopeAll), carriedOn, func(s *promotion.Snapshot, _ *promotion.Observed) {
			at(s, "prod").Ledger.State.Landing.Actual = "else"
		})},
	}
}

// obeyed has a person's order carried out in staging.
func obeyed(do string, comment int64) func(*promotion.Snapshot, *promotion.Observed) {
	return func(s *promotion.Snapshot, o *promotion.Observed) {
		got := promotion.Obey(s, o, promotion.Order{Do: do, By: "ana", Comment: comment})
		if got.Entry == nil {
			panic(do + ": " + got.Answer)
		}
		next := got.Entry.State.Clone()
		o.Ledger.State = &next
	}
}

// TestWhatIsRolledBack draws landings in any condition, and holds the rules: a
// rollback is only ever of the newest landing, one of a promotion, whose state
// before is known, that was not a rollback itself, and of a mixed one only where
// its own failure or a person asks for it.
func TestWhatIsRolledBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		yes := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) > 0 }
		s := failed()
		carriedOn(s, nil)
		scope := rapid.SampledFrom([]config.Scope{"", config.ScopeEnvironment, config.ScopeDownstream, config.ScopeAll}).Draw(t, "scope")
		at(s, "staging").Ledger.State.Failure.Scope = string(scope)
		for _, name := range []string{"staging", "prod"} {
			o := at(s, name)
			st := o.Ledger.State
			if !yes(name + " before is known") {
				st.Landing.Was = nil
			}
			if !yes(name + " is a promotion") {
				st.Landing.Reverts = "id0"
			}
			if !yes(name + " is newest") {
				o.Landings = append([]promotion.Landing{landing("f", 0, name)}, o.Landings[0])
				o.Landings[1].Commit, st.Landing.Commit, o.Landings[1].Index = "e", "e", 1
			}
			if !yes(name + " is exact") {
				st.Landing.Actual = "else"
			}
			if !yes(name + " unasked") {
				o.Ledger.State.Wish = &state.Wish{Do: promotion.WishRollback, By: "ana", Time: now}
				o.Ledger.State.Rejected = append(o.Ledger.State.Rejected, state.Rejected{Landing: st.Landing.Commit, Revision: st.Landing.Revision, Time: now})
			}
		}
		for _, name := range []string{"staging", "prod"} {
			o := at(s, name)
			st := o.Ledger.State
			r := promotion.RevertDue(s, o)
			if c, ok := decisionOn(s, name).Action.(promotion.Claim); ok && c.Promotion.Reverts != nil && r == nil {
				t.Fatalf("%s is rolled back, and no rollback is due", name)
			}
			if r == nil {
				continue
			}
			asked := st.Wish != nil || name == "staging" && scope != ""
			switch {
			case st.Landing.Was == nil || st.Landing.Reverts != "" || o.Landings[0].Commit != st.Landing.Commit || r.Landing != o.Landings[0].Commit:
				t.Fatalf("%s: %+v is rolled back", name, st.Landing)
			case st.Landing.Mixed() && !asked:
				t.Fatalf("%s is mixed, and rolled back by itself", name)
			case !asked && (name != "prod" || scope != config.ScopeAll && scope != config.ScopeDownstream):
				t.Fatalf("%s is rolled back, though nothing asks for it: scope %q", name, scope)
			}
		}
	})
}

// TestRejectedIsNotOffered holds that what failed in staging, by revision or by
// digest, is offered neither to staging nor to prod until a person asks for it
// again, whatever else stands in qa and staging.
func TestRejectedIsNotOffered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := quiet()
		staging, prod := at(s, "staging"), at(s, "prod")
		revisions, digests := []string{"1.4.0", "1.4.1", "1.5.0"}, []string{"x", "y", "z"}
		for _, o := range []*promotion.Observed{at(s, "qa"), staging} {
			for i := range 4 {
				if rapid.Bool().Draw(t, "landing") {
					l := landing(s.Chain.Commits[i].ID, i, "qa")
					l.Revision, l.Digest = rapid.SampledFrom(revisions).Draw(t, "revision"), rapid.SampledFrom(digests).Draw(t, "digest")
					o.Landings = append(o.Landings, l)
				}
			}
		}
		bad := state.Rejected{Revision: rapid.SampledFrom(revisions).Draw(t, "bad revision"), Digest: rapid.SampledFrom(digests).Draw(t, "bad digest"), Reason: "it failed", Time: now}
		staging.Ledger.State.Rejected = []state.Rejected{bad}
		for _, o := range []*promotion.Observed{staging, prod} {
			if offer, _ := promotion.OfferTo(s, o); offer != nil && (offer.Landing.Revision == bad.Revision || offer.Landing.Digest == bad.Digest) {
				t.Fatalf("%s is offered %+v, rejected: %+v", o.Key, offer.Landing, bad)
			}
		}
		staging.Content = &content.Result{Edits: []content.Edit{{Path: "v"}}, Expected: bad.Digest}
		if d := decisionOn(s, "staging"); d.Action != nil {
			t.Fatalf("content that failed is promoted: %s", d.Reason)
		}
		// A person's word lifts it.
		staging.Ledger.State.Promotion = &state.Promotion{Status: state.Vetoed, Revision: "1.3.9"}
		staging.FreshFor = "f"
		obeyed("retry", 5)(s, staging)
		apply(s, decisionOn(s, "staging"))
		if len(staging.Ledger.State.Rejected) > 0 {
			t.Fatalf("a retry leaves %+v", staging.Ledger.State.Rejected)
		}
	})
}

// TestAPastRollbackIsNotOffered: what stands where something was taken back stays
// there, also when a newer landing has followed it and is not verified yet.
func TestAPastRollbackIsNotOffered(t *testing.T) {
	s := with(settled(mended()), resumed)()
	staging, prod := at(s, "staging"), at(s, "prod")
	if v := staging.Ledger.State.VerdictOf("f"); v == nil || v.Outcome != state.Verified {
		t.Fatalf("the rollback's verdict is %+v", v)
	}
	s.Chain.Commits = append([]promotion.Commit{{ID: "g", Parents: []string{"f"}, Time: now}}, s.Chain.Commits...)
	s.Chain = promotion.NewChain(s.Chain.Commits)
	staging.Ledger.State.Lands(state.Landing{ID: "id9", Commit: "g", Before: "f", Revision: "1.5.0", Expected: "of 1.5.0", Actual: "of 1.5.0", Was: &state.Was{Revision: "1.3.2"}})
	staging.Landings = append([]promotion.Landing{landing("g", 0, "qa")}, staging.Landings...)
	if offer, _ := promotion.OfferTo(s, prod); offer != nil {
		t.Errorf("prod is offered %+v", offer)
	}
}

// TestAnOpenOneNeverLandsWhatFailed holds that a pull request which would bring
// back rejected content is closed, also where only the digest tells.
func TestAnOpenOneNeverLandsWhatFailed(t *testing.T) {
	s := opened()
	o := at(s, "staging")
	o.FreshFor = "f"
	o.Ledger.State.Rejected = []state.Rejected{{Revision: "1.4.0", Digest: o.Content.Expected, Reason: "it failed", Time: now}}
	if a, ok := decisionOn(s, "staging").Action.(promotion.Append); !ok || a.Kind != state.KindClosing {
		t.Errorf("want it closed, got %s", says(decisionOn(s, "staging")))
	}
}

// TestWhatFailedIsSaidOfTheirs: a pull request that a person pushed to is left to
// them, and says when what it brings has failed before it.
func TestWhatFailedIsSaidOfTheirs(t *testing.T) {
	s := with(settled(red), openInProd)()
	at(s, "prod").Head = "theirs"
	d := decisionOn(s, "prod")
	if d.Standing != promotion.Stopped || d.Action != nil || !strings.Contains(d.Reason, "1.4.0 failed in staging: check deploy ended with failure") {
		t.Errorf("want it left to them, with what failed; got %s", says(d))
	}
}

// TestAWishIsForOneLanding holds that a person's rollback takes back what stood
// when it was asked for, and nothing that landed since.
func TestAWishIsForOneLanding(t *testing.T) {
	s := settled(green)()
	o := at(s, "staging")
	obeyed("rollback", 5)(s, o)
	if promotion.RevertDue(s, o) == nil {
		t.Fatal("what a person asks for is not due")
	}
	next := *o.Ledger.State.Landing
	next.ID, next.Commit, next.Before, next.Revision, next.PullRequest = "id3", "f", "e", "1.5.0", 8
	next.Expected, next.Actual, next.Promoted = "of 1.5.0", "of 1.5.0", "p3"
	o.Ledger.State.Landing = &next
	o.Ledger.State.Promotion.PullRequest = 8
	l := landing("f", 0, "qa")
	l.Revision, l.Digest, l.Promotion = "1.5.0", "of 1.5.0", "id3"
	o.Landings = append([]promotion.Landing{l}, o.Landings...)
	if r := promotion.RevertDue(s, o); r != nil {
		t.Errorf("a rollback of e takes back f as well: %+v", r)
	}
}
