package promotion_test

// What upstreams offer, and what the ledger's newest promotion means for it.

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

func TestOfferTo(t *testing.T) {
	cases := map[string]struct {
		change func(*promotion.Snapshot)
		want   *promotion.Offer
		reason string // exactly
	}{
		"newer":         {want: &promotion.Offer{From: "qa", Landing: landing("d", 2, "qa")}},
		"nothing newer": {change: func(s *promotion.Snapshot) { at(s, "qa").Landings = nil }, reason: "qa offers nothing newer"},
		"the position itself": {
			change: func(s *promotion.Snapshot) {
				at(s, "staging").Ledger.State.Position["qa"] = state.Position{Commit: "d", Revision: "d", Origin: "qa"}
			},
			reason: "qa offers nothing newer",
		},
		"older than the position": {
			change: func(s *promotion.Snapshot) {
				at(s, "staging").Ledger.State.Position["qa"] = state.Position{Commit: "e", Revision: "e", Origin: "qa"}
			},
			reason: "qa offers nothing newer",
		},
		"a position that is gone": {
			change: func(s *promotion.Snapshot) {
				at(s, "staging").Ledger.State.Position["qa"] = state.Position{Commit: "gone"}
			},
			reason: "commit gone, up to which qa was taken over, is no longer in the history of main",
		},
		"what a person closed": {
			change: func(s *promotion.Snapshot) {
				at(s, "staging").Ledger.State.Promotion = &state.Promotion{Status: state.Vetoed, From: "qa", Landing: "d", PullRequest: 7}
			},
			reason: "qa offers nothing newer",
		},
		"what a person closed, of another upstream": {
			change: func(s *promotion.Snapshot) {
				at(s, "staging").Ledger.State.Promotion = &state.Promotion{Status: state.Vetoed, From: "other", Landing: "d", PullRequest: 7}
			},
			want: &promotion.Offer{From: "qa", Landing: landing("d", 2, "qa")},
		},
		"what promobot closed": {
			change: func(s *promotion.Snapshot) {
				at(s, "staging").Ledger.State.Promotion = &state.Promotion{Status: state.Closed, From: "qa", Landing: "d", PullRequest: 7}
			},
			want: &promotion.Offer{From: "qa", Landing: landing("d", 2, "qa")},
		},
		"a doubtful upstream": {
			change: func(s *promotion.Snapshot) { at(s, "qa").Doubts = []string{"listing it failed"} },
			reason: "qa is not known for certain: listing it failed",
		},
		"a held upstream": {
			change: func(s *promotion.Snapshot) {
				at(s, "qa").Ledger.State.Hold = &state.Hold{Reason: "it is mixed", Landing: "d"}
			},
			reason: "qa is held: it is mixed",
		},
		"a hold that a person's landing answered": {
			change: func(s *promotion.Snapshot) {
				at(s, "qa").Ledger.State.Hold = &state.Hold{Reason: "it is mixed", Landing: "c"}
			},
			want: &promotion.Offer{From: "qa", Landing: landing("d", 2, "qa")},
		},
		"an upstream not seen yet": {
			change: func(s *promotion.Snapshot) { at(s, "qa").Ledger.State = nil },
			reason: "qa has no ledger to go by yet",
		},
		"an upstream whose ledger is to be mended": {
			change: func(s *promotion.Snapshot) {
				at(s, "qa").Ledger.State, at(s, "qa").Ledger.Problem = nil, "its ledger was deleted; restore it"
			},
			reason: "qa is stopped: its ledger was deleted; restore it",
		},
		"an upstream that is not there": {
			change: func(s *promotion.Snapshot) { at(s, "staging").Config.From = []string{"elsewhere"} },
			reason: "elsewhere is not part of this pipeline",
		},
		"a merged pull request to be recorded": {
			change: func(s *promotion.Snapshot) {
				at(s, "qa").Ledger.State.Promotion = &state.Promotion{Status: state.Opened, PullRequest: 7, Base: "b"}
				at(s, "qa").Pull = &promotion.PullRequest{Number: 7, Merged: true}
			},
			reason: "what landed in qa is being recorded",
		},
		"not begun": {change: func(s *promotion.Snapshot) { at(s, "staging").Ledger.State = nil }, reason: "its ledger has not begun"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := offered()
			if c.change != nil {
				c.change(s)
			}
			got, reason := promotion.OfferTo(s, at(s, "staging"))
			if reason != c.reason {
				t.Errorf("got the reason %q\nwant %q", reason, c.reason)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("offer (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCarries: an environment has what landed there or was there already, and a
// baseline's position, which has no revision, is none.
func TestCarries(t *testing.T) {
	s := quiet()
	o := at(s, "staging")
	o.Landings = []promotion.Landing{landing("e", 1, "staging")}
	o.Ledger.State.Landing = &state.Landing{Revision: "d", Commit: "d"}
	o.Ledger.State.Position["other"] = state.Position{Commit: "c", Revision: "c"}
	for revision, want := range map[string]bool{"e": true, "d": true, "c": true, "b": false, "": false} {
		if has, _, _ := promotion.Carries(s, o, revision); has != want {
			t.Errorf("carries %q: %v, want %v", revision, has, want)
		}
	}
	o.Ledger.State = nil
	if has, _, _ := promotion.Carries(s, o, "d"); has {
		t.Error("without a ledger it carries what landed only")
	}
}

// replacedMerged is staging after its pull request #7, moved on from d to e, was
// merged as f while its branch still showed d: d landed, and e ended as closed.
func replacedMerged(t *testing.T) *promotion.Snapshot {
	t.Helper()
	s := opened()
	s.Chain = chain("h", "g", "f", "e", "d", "c", "b", "a")
	o := at(s, "staging")
	p := o.Ledger.State.Promotion
	p.Replaced = &state.Replaced{ID: "id", Revision: "d", Origin: "qa", Attempt: 1, From: "qa", Landing: "d", Commit: "p1"}
	p.ID, p.Revision, p.Landing, p.Commit, p.Base = "id2", "e", "e", "p2", "e"
	o.Pull.Open, o.Pull.Merged, o.Pull.MergeCommit = false, true, "f"
	o.Resolved = &promotion.Resolved{Before: "e", Commit: "f", Method: "merge", Expected: "x", Actual: "x", Replaced: true}
	a, ok := promotion.Decide(s)[1].Action.(promotion.Append)
	if !ok || a.Kind != state.KindLanded || a.State.Landing.Revision != "d" || a.State.Position["qa"].Commit != "d" ||
		a.State.Promotion.Status != state.Closed || a.State.Promotion.Replaced != nil {
		t.Fatalf("got %+v", a)
	}
	o.Ledger.State = &a.State
	o.Resolved.Replaced = false // as it is resolved from the ledger that now stands
	return s
}

// TestAMergeIsRecordedOnce: a pull request that landed what it showed before is
// not taken for a landing of what it was moved on to, however often it is read
// again. The newest promotion, which did not land, is offered again.
func TestAMergeIsRecordedOnce(t *testing.T) {
	s := replacedMerged(t)
	o := at(s, "staging")
	o.FreshFor = "h"
	o.Landings = []promotion.Landing{landing("g", 1, "staging")} // a person's, after the merge
	at(s, "qa").Landings = []promotion.Landing{landing("e", 3, "qa")}
	o.Content = &content.Result{Edits: []content.Edit{{Path: "envs/staging/v"}}, Expected: "y"}
	d := promotion.Decide(s)[1]
	c, ok := d.Action.(promotion.Claim)
	if !ok || c.Promotion.Revision != "e" || c.Promotion.Attempt != 2 {
		t.Errorf("got %q %T %q", d.Standing, d.Action, d.Reason)
	}
	if promotion.NeedsFresh(s.Chain, o) {
		t.Error("the pull request has nothing more to say")
	}
}
