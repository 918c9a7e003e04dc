package promotion_test

// Who merges, and what has to hold first.

import (
	"reflect"
	"strings"
	"testing"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

func TestMerging(t *testing.T) {
	rules := func(r promotion.Rules) func(*promotion.Snapshot) {
		return func(s *promotion.Snapshot) { s.Rules["main"] = r }
	}
	both := func(fs ...func(*promotion.Snapshot)) func(*promotion.Snapshot) {
		return func(s *promotion.Snapshot) {
			for _, f := range fs {
				f(s)
			}
		}
	}
	staging := func(f func(o *promotion.Observed)) func(*promotion.Snapshot) {
		return func(s *promotion.Snapshot) { f(at(s, "staging")) }
	}
	by := func(m config.MergeBy) func(*promotion.Snapshot) {
		return staging(func(o *promotion.Observed) { o.Config.Merge = m })
	}
	checks := func(cs ...promotion.CheckResult) func(*promotion.Snapshot) {
		return staging(func(o *promotion.Observed) { o.Checks = append([]promotion.CheckResult{}, cs...) })
	}
	view := func(v promotion.MergeView) func(*promotion.Snapshot) {
		return staging(func(o *promotion.Observed) { o.View = &v })
	}
	held := staging(func(o *promotion.Observed) { o.Ledger.State.Hold = &state.Hold{Reason: "stop"} })
	ci := rules(promotion.Rules{Checks: []promotion.RequiredCheck{{Name: "ci", App: 5}}})
	for name, c := range map[string]struct {
		change func(*promotion.Snapshot)
		action promotion.Action // its type
		reason string
		needs  []promotion.Need
	}{
		"all gates open":           {both(), promotion.Merge{}, "all gates are open", nil},
		"the rules are not read":   {func(s *promotion.Snapshot) { delete(s.Rules, "main") }, nil, "are being read", []promotion.Need{promotion.NeedRules, promotion.NeedPull}},
		"a locked branch":          {rules(promotion.Rules{Locked: true}), nil, "main is locked", nil},
		"a restricted branch":      {rules(promotion.Rules{Restricted: true}), nil, "promobot bypasses none", nil},
		"a queue that is required": {rules(promotion.Rules{Queue: true}), nil, "say merge: queue", nil},
		"signatures":               {rules(promotion.Rules{Signatures: true}), nil, "say commits: verified", nil},
		"signatures, and commits that are": {both(rules(promotion.Rules{Signatures: true}), staging(func(o *promotion.Observed) {
			o.Config.VerifiedCommits, o.Ledger.State.Promotion.Verified = true, true
		})), promotion.Merge{}, "all gates are open", nil},
		"signatures, and a commit from before": {both(rules(promotion.Rules{Signatures: true}), staging(func(o *promotion.Observed) {
			o.Config.VerifiedCommits = true
		})), promotion.Claim{}, "says commits: verified now", nil},
		"a method that the rules leave out":          {both(rules(promotion.Rules{Methods: []string{"squash"}})), nil, "allow no merge method", nil},
		"a method that is asked for and not allowed": {staging(func(o *promotion.Observed) { o.Config.Method = "rebase" }), nil, "method: rebase is not allowed", nil},
		"linear history":                             {both(rules(promotion.Rules{Linear: true}), func(s *promotion.Snapshot) { s.Repository.Squash = true }), promotion.Merge{}, "all gates are open", nil},
		"checks that are not read":                   {ci, nil, "are being read", []promotion.Need{promotion.NeedChecks, promotion.NeedPull}},
		"a check that has not reported":              {both(ci, checks()), nil, "ci has not reported yet", nil},
		"a check of another App":                     {both(ci, checks(promotion.CheckResult{Name: "ci", App: 6, Status: "completed", Conclusion: "success"})), nil, "ci has not reported yet", nil},
		"a check that runs":                          {both(ci, checks(promotion.CheckResult{Name: "ci", App: 5, Status: "in_progress"})), nil, "ci has not finished", nil},
		"a check that failed":                        {both(ci, checks(promotion.CheckResult{Name: "ci", App: 5, Status: "completed", Conclusion: "timed_out"})), nil, "ci ended with timed_out", nil},
		"a check that succeeded":                     {both(ci, checks(promotion.CheckResult{Name: "ci", App: 5, Status: "completed", Conclusion: "success"})), promotion.Merge{}, "all gates are open", nil},
		"a red check though GitHub says clean (an App that bypasses)": {both(ci, checks(promotion.CheckResult{Name: "ci", App: 5, Status: "completed", Conclusion: "failure"}),
			staging(func(o *promotion.Observed) { o.Pull.Mergeable = "clean" })), nil, "ci ended with failure", nil},
		"reviews that are not read":                    {rules(promotion.Rules{Approvals: 1}), nil, "reviews are being read", []promotion.Need{promotion.NeedView, promotion.NeedPull}},
		"a review is missing though GitHub says clean": {both(rules(promotion.Rules{Approvals: 1}), view(promotion.MergeView{Decision: "REVIEW_REQUIRED"})), nil, "a review has to approve it", nil},
		"code owners":              {both(rules(promotion.Rules{CodeOwners: true}), view(promotion.MergeView{})), nil, "code owners have to approve it", nil},
		"changes are asked for":    {both(rules(promotion.Rules{Approvals: 2}), view(promotion.MergeView{Decision: "CHANGES_REQUESTED"})), nil, "asks for changes", nil},
		"approved":                 {both(rules(promotion.Rules{Approvals: 2}), view(promotion.MergeView{Decision: "APPROVED"})), promotion.Merge{}, "all gates are open", nil},
		"strict, on an older base": {rules(promotion.Rules{Strict: true}), promotion.Claim{}, "ask for a branch that is up to date", nil},

		"left to auto-merge":                      {by(config.MergeByGitHub), promotion.HandOver{}, "auto-merge", nil},
		"left to auto-merge already":              {both(by(config.MergeByGitHub), staging(func(o *promotion.Observed) { o.Pull.AutoMerge = true })), nil, "GitHub merges it by itself", nil},
		"held while left to auto-merge":           {both(by(config.MergeByGitHub), held, staging(func(o *promotion.Observed) { o.Pull.AutoMerge = true })), promotion.TakeBack{}, "held: stop", nil},
		"pushed to while left to auto-merge":      {both(by(config.MergeByGitHub), staging(func(o *promotion.Observed) { o.Pull.AutoMerge, o.Head = true, "theirs" })), promotion.TakeBack{}, "someone pushed", nil},
		"whether it is queued is not known":       {by(config.MergeByQueue), nil, "being read", []promotion.Need{promotion.NeedView}},
		"into the queue":                          {both(by(config.MergeByQueue), rules(promotion.Rules{Queue: true}), view(promotion.MergeView{})), promotion.HandOver{}, "into the merge queue", nil},
		"in the queue":                            {both(by(config.MergeByQueue), view(promotion.MergeView{Queued: true})), nil, "stands in the merge queue", nil},
		"held while in the queue":                 {both(by(config.MergeByQueue), held, view(promotion.MergeView{Queued: true})), promotion.TakeBack{}, "held: stop", nil},
		"not into the queue with a red check":     {both(by(config.MergeByQueue), ci, view(promotion.MergeView{}), checks(promotion.CheckResult{Name: "ci", App: 5, Status: "completed", Conclusion: "failure"})), nil, "ci ended with failure", nil},
		"not into the queue without its approval": {both(by(config.MergeByQueue), rules(promotion.Rules{Queue: true, Approvals: 1}), view(promotion.MergeView{Decision: "REVIEW_REQUIRED"})), nil, "a review has to approve it", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := opened()
			c.change(s)
			d := promotion.Decide(s)[1]
			if got, want := reflect.TypeOf(d.Action), reflect.TypeOf(c.action); got != want || !strings.Contains(d.Reason, c.reason) {
				t.Errorf("got %v %q\nwant %v %q", got, d.Reason, want, c.reason)
			}
			if c.needs != nil && !reflect.DeepEqual(d.Gates[len(d.Gates)-1].Needs, c.needs) {
				t.Errorf("needs %v, want %v", d.Gates[len(d.Gates)-1].Needs, c.needs)
			}
			if m, ok := d.Action.(promotion.Merge); ok && name == "linear history" && m.Method != "squash" {
				t.Errorf("merges by %s", m.Method)
			}
		})
	}
}

// TestDelivering: what goes straight to the base branch, and what does not.
func TestDelivering(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *promotion.Snapshot, o *promotion.Observed)
		action promotion.Action
	}{
		"auto":                    {nil, promotion.Deliver{}},
		"propose opens":           {func(_ *promotion.Snapshot, o *promotion.Observed) { o.Config.Mode = config.Propose }, promotion.Claim{}},
		"a kind a person decides": {func(_ *promotion.Snapshot, o *promotion.Observed) { o.Content.Kinds = []content.Kind{content.Delete} }, promotion.Claim{}},
		"held":                    {func(_ *promotion.Snapshot, o *promotion.Observed) { o.Ledger.State.Hold = &state.Hold{} }, nil},
		"the rules are not read":  {func(s *promotion.Snapshot, _ *promotion.Observed) { delete(s.Rules, "main") }, nil},
		"pull requests are asked for (also of an App that bypasses)": {func(s *promotion.Snapshot, _ *promotion.Observed) {
			s.Rules["main"] = promotion.Rules{PullRequests: true}
		}, nil},
		"checks are asked for": {func(s *promotion.Snapshot, _ *promotion.Observed) {
			s.Rules["main"] = promotion.Rules{Checks: []promotion.RequiredCheck{{Name: "ci"}}}
		}, nil},
		"linear history is what it makes": {func(s *promotion.Snapshot, _ *promotion.Observed) {
			s.Rules["main"] = promotion.Rules{Linear: true}
		}, promotion.Deliver{}},
		"too many this hour": {func(s *promotion.Snapshot, _ *promotion.Observed) { s.Limits.PerHour = 0 }, nil},
		"too many open":      {func(s *promotion.Snapshot, _ *promotion.Observed) { s.Limits.Open = 0 }, promotion.Deliver{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := offered()
			o := at(s, "staging")
			o.Config.Deliver = config.ByPush
			if c.change != nil {
				c.change(s, o)
			}
			if got := promotion.Decide(s)[1].Action; reflect.TypeOf(got) != reflect.TypeOf(c.action) {
				t.Errorf("got %T, want %T", got, c.action)
			}
		})
	}
}

// TestNewer: what happens to an open promotion when something newer lands.
func TestNewer(t *testing.T) {
	newer := func(how config.Newer) *promotion.Snapshot {
		s := opened()
		at(s, "staging").Config.Newer = how
		at(s, "qa").Landings = []promotion.Landing{landing("f", 0, "qa"), landing("e", 1, "qa"), landing("d", 2, "qa")}
		return s
	}
	if d := promotion.Decide(newer(config.NewerUpdates))[1]; d.Offer == nil || d.Offer.Landing.Commit != "f" {
		t.Errorf("update: %+v", d)
	}
	d := promotion.Decide(newer(config.NewerSupersedes))[1]
	a, ok := d.Action.(promotion.Append)
	if !ok || a.Kind != state.KindClosing || !strings.Contains(d.Reason, "superseded by f") {
		t.Errorf("supersede: %+v", d)
	}
	if d := promotion.Decide(newer(config.NewerQueues))[1]; reflect.TypeOf(d.Action) != reflect.TypeFor[promotion.Merge]() {
		t.Errorf("queue goes on with what is open: %+v", d)
	}
	s := newer(config.NewerQueues)
	o := at(s, "staging")
	o.Ledger.State.Promotion.Status = state.Landed
	o.Ledger.State.Position["qa"] = state.Position{Commit: "d", Revision: "d", Origin: "qa"}
	if d := promotion.Decide(s)[1]; d.Offer == nil || d.Offer.Landing.Commit != "e" {
		t.Errorf("queue offers the next one, none left out: %+v", d)
	}
	s = newer(config.NewerSupersedes)
	o = at(s, "staging")
	o.Ledger.State.Promotion.Status = state.Closed
	d = promotion.Decide(s)[1]
	if c, ok := d.Action.(promotion.Claim); !ok || c.Promotion.Supersedes != 7 || c.Promotion.Revision != "f" {
		t.Errorf("the new one names the old one: %+v", d)
	}
}
