package promotion_test

// Decide, one named case for each thing it can decide, on a pipeline
// qa → staging → prod whose base branch has the commits a (oldest) to f.

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// at returns staging in the snapshot.
func at(s *promotion.Snapshot, environment string) *promotion.Observed {
	for i := range s.Environments {
		if s.Environments[i].Key.Environment == environment {
			return &s.Environments[i]
		}
	}
	panic("no " + environment)
}

// quiet is a snapshot in which nothing is to be done: all baselines at b.
func quiet() *promotion.Snapshot {
	s := &promotion.Snapshot{
		Repository: promotion.Repository{ID: 1, Owner: "o", Name: "r", DefaultBranch: "main", Merge: true},
		Rules:      map[string]promotion.Rules{"main": {}},
		App:        "promobot[bot]", Now: now, Limits: config.Limits{Open: 20, PerHour: 30, PerEnvironment: 8},
		Chain: chain("f", "e", "d", "c", "b", "a"),
	}
	p := &config.Pipeline{Key: "app", Group: "app", Title: "app"}
	for _, e := range []config.Environment{
		{Name: "qa"}, {Name: "staging", From: []string{"qa"}, Mode: config.Auto}, {Name: "prod", From: []string{"staging"}, Mode: config.Propose},
	} {
		e.Present, e.Verified, e.Limit, e.Line = true, true, 8, 3
		st := state.Environment{Sequence: 1, Baseline: state.Baseline{Commit: "b", Time: now}, Position: map[string]state.Position{}}
		for _, f := range e.From {
			st.Position[f] = state.Position{Commit: "b"}
		}
		s.Environments = append(s.Environments, promotion.Observed{
			Key: promotion.Key{Pipeline: "app", Environment: e.Name}, Pipeline: p, Config: &e,
			Ledger: promotion.Ledger{Ref: state.Ref("app", e.Name), Tip: "tip", State: &st},
		})
	}
	return s
}

func landing(commit string, index int, environment string) promotion.Landing {
	return promotion.Landing{Commit: commit, Index: index, Revision: commit, Origin: environment, Author: promotion.Person{Name: "Ana"}}
}

// offered has qa's landing d offered to staging.
func offered() *promotion.Snapshot {
	s := quiet()
	at(s, "qa").Landings = []promotion.Landing{landing("d", 2, "qa")}
	at(s, "staging").Content = &content.Result{Edits: []content.Edit{{Path: "envs/staging/v"}}, Expected: "x"}
	return s
}

// opened has staging's promotion of d open as #7.
func opened() *promotion.Snapshot {
	s := offered()
	o := at(s, "staging")
	p := state.Promotion{
		ID: "id", Status: state.Opened, Revision: "d", Origin: "qa", Attempt: 1, From: "qa", Landing: "d", Base: "d", Commit: "p1",
		Branch: "promobot/app/staging/d-id", Expected: "x", Claimed: now.Add(-5 * time.Minute), PullRequest: 7,
	}
	o.Ledger.State.Promotion = &p
	o.Head = "p1"
	o.Pull = &promotion.PullRequest{
		Number: 7, Open: true, Base: "main", Head: "p1", ByApp: true, Mergeable: "clean",
		Body: "text\n\n" + state.FormatTrailers(p.Trailers("app", "staging")),
	}
	return s
}

func TestDecide(t *testing.T) {
	promotionOf := func(s *promotion.Snapshot) *state.Promotion { return at(s, "staging").Ledger.State.Promotion }
	cases := map[string]struct {
		snapshot *promotion.Snapshot
		change   func(*promotion.Snapshot)
		standing promotion.Standing
		action   promotion.Action // its type
		reason   string           // part of it
	}{
		"nothing offered":   {snapshot: quiet(), standing: promotion.UpToDate, reason: "qa offers nothing newer"},
		"something newer":   {snapshot: offered(), standing: promotion.Proposed, action: promotion.Claim{}, reason: "d landed in qa"},
		"archived":          {snapshot: offered(), change: func(s *promotion.Snapshot) { s.Repository.Archived = true }, standing: promotion.Stopped, reason: "unarchived"},
		"absent":            {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "staging").Config.Blocked = "staging has nothing" }, standing: promotion.Absent, reason: "staging has nothing"},
		"a ledger to mend":  {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "staging").Ledger.Problem = "mend it" }, standing: promotion.Stopped, reason: "mend it"},
		"a doubt":           {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "staging").Doubts = []string{"502"} }, standing: promotion.Waiting, reason: "502"},
		"a doubt upstream":  {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "qa").Doubts = []string{"502"} }, standing: promotion.UpToDate, reason: "qa is not known for certain: 502"},
		"first seen":        {snapshot: quiet(), change: func(s *promotion.Snapshot) { at(s, "staging").Ledger.State = nil }, standing: promotion.UpToDate, action: promotion.Append{}, reason: "first seen"},
		"a new upstream":    {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "staging").Config.From = []string{"qa", "prod"} }, standing: promotion.UpToDate, action: promotion.Append{}, reason: "now comes from prod"},
		"an upstream held":  {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "qa").Ledger.State.Hold = &state.Hold{Reason: "mixed"} }, standing: promotion.UpToDate, reason: "qa is held: mixed"},
		"nothing to change": {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "staging").Content.Edits = nil }, standing: promotion.UpToDate, action: promotion.Append{}, reason: "changes nothing here"},
		"what stands, to be reconciled": {snapshot: offered(), change: func(s *promotion.Snapshot) {
			at(s, "qa").Landings, at(s, "staging").Ledger.State.Baseline.Reconcile = nil, true
		}, standing: promotion.Proposed, action: promotion.Claim{}, reason: "b landed in qa"},
		"reconciled already": {snapshot: offered(), change: func(s *promotion.Snapshot) {
			at(s, "qa").Landings, at(s, "staging").Ledger.State.Baseline.Reconcile = nil, true
			at(s, "staging").Ledger.State.Position["qa"] = state.Position{Commit: "b", Revision: "b"}
		}, standing: promotion.UpToDate, reason: "qa offers nothing newer"},
		"reopened when something newer is there": {snapshot: opened(), change: func(s *promotion.Snapshot) {
			promotionOf(s).Status, at(s, "staging").FreshFor = state.Vetoed, "f"
			at(s, "staging").Ledger.State.Position["qa"] = state.Position{Commit: "e", Revision: "e"}
		}, standing: promotion.Waiting, action: promotion.Append{}, reason: "has taken something newer since"},
		"a refused value": {snapshot: offered(), change: func(s *promotion.Snapshot) {
			at(s, "staging").Content.Refused = []content.Refusal{{File: "f", Reason: "is latest", Remedy: "pin it"}}
		}, standing: promotion.Stopped, reason: "f is latest; pin it"},
		"what never travels": {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "staging").Content.Refused = []content.Refusal{{Never: true}} }, standing: promotion.Proposed, action: promotion.Claim{}, reason: "d landed in qa"},
		"held":               {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "staging").Ledger.State.Hold = &state.Hold{Reason: "mixed"} }, standing: promotion.Stopped, reason: "held: mixed"},
		"observing":          {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "staging").Config.Mode = config.Observe }, standing: promotion.WouldPromote, reason: "mode is observe"},
		"content unread":     {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "staging").Content = nil }, standing: promotion.Waiting, reason: "could not be read"},
		"too many open":      {snapshot: offered(), change: func(s *promotion.Snapshot) { s.Limits.Open = 0 }, standing: promotion.Waiting, reason: "limits.open is 0"},
		"too many this hour": {snapshot: offered(), change: func(s *promotion.Snapshot) { s.Limits.PerHour = 0 }, standing: promotion.Waiting, reason: "limits.per_hour is 0"},
		"too many there":     {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "staging").Config.Limit = 0 }, standing: promotion.Waiting, reason: "limits.per_environment is 0"},
		"an order not kept":  {snapshot: offered(), change: func(s *promotion.Snapshot) { at(s, "staging").Config.After = []string{"prod"} }, standing: promotion.Waiting, reason: "d must reach prod first"},
		"an unreachable position": {
			snapshot: offered(), change: func(s *promotion.Snapshot) {
				at(s, "staging").Ledger.State.Position["qa"] = state.Position{Commit: "gone"}
			},
			standing: promotion.UpToDate, reason: "is no longer in the history of main",
		},
		"vetoed": {snapshot: opened(), change: func(s *promotion.Snapshot) {
			promotionOf(s).Status, promotionOf(s).By, at(s, "staging").Pull = state.Vetoed, "bo", nil
		}, standing: promotion.Rejected, reason: "@bo closed #7"},
		"newer than what was vetoed": {snapshot: opened(), change: func(s *promotion.Snapshot) {
			promotionOf(s).Status, at(s, "staging").Pull = state.Vetoed, nil
			at(s, "qa").Landings = []promotion.Landing{landing("e", 1, "qa"), landing("d", 2, "qa")}
		}, standing: promotion.Proposed, action: promotion.Claim{}, reason: "e landed in qa"},
		"reopened":                      {snapshot: opened(), change: func(s *promotion.Snapshot) { promotionOf(s).Status, at(s, "staging").FreshFor = state.Vetoed, "f" }, standing: promotion.Waiting, action: promotion.Append{}, reason: "reopened"},
		"a listing that still shows it": {snapshot: opened(), change: func(s *promotion.Snapshot) { promotionOf(s).Status = state.Vetoed }, standing: promotion.Rejected, reason: "closed #7"},

		"claimed a moment ago": {snapshot: opened(), change: func(s *promotion.Snapshot) { *promotionOf(s) = claimedAt(now.Add(-time.Second)) }, standing: promotion.Waiting, reason: "is being opened"},
		"claimed and found": {snapshot: opened(), change: func(s *promotion.Snapshot) {
			*promotionOf(s) = claimedAt(now)
			at(s, "staging").Candidates = []promotion.PullRequest{{Number: 9}, {Number: 8}}
		}, standing: promotion.Waiting, action: promotion.Append{}, reason: "#8 is being recorded"},
		"claimed and left": {snapshot: opened(), change: func(s *promotion.Snapshot) {
			*promotionOf(s) = claimedAt(now.Add(-promotion.Bound))
			at(s, "staging").Looked = true
		}, standing: promotion.Waiting, action: promotion.Carry{}, reason: "is being opened"},
		"claimed and not looked": {snapshot: opened(), change: func(s *promotion.Snapshot) { *promotionOf(s) = claimedAt(now.Add(-promotion.Bound)) }, standing: promotion.Waiting, reason: "could not be read"},

		"all gates open":     {snapshot: opened(), standing: promotion.Merging, action: promotion.Merge{}, reason: "all gates are open"},
		"people merge":       {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Config.Mode = config.Propose }, standing: promotion.Proposed, reason: "waits for a person"},
		"a kind not allowed": {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Content.Kinds = []content.Kind{content.Drift} }, standing: promotion.Proposed, reason: "changes of kind drift"},
		"a kind allowed": {snapshot: opened(), change: func(s *promotion.Snapshot) {
			at(s, "staging").Content.Kinds, at(s, "staging").Config.Allow = []content.Kind{content.Drift}, []content.Kind{content.Drift}
		}, standing: promotion.Merging, action: promotion.Merge{}, reason: "all gates are open"},
		"a rule not met":          {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Pull.Mergeable = "blocked" }, standing: promotion.Waiting, reason: "a rule of the branch is not met"},
		"a check not green":       {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Pull.Mergeable = "unstable" }, standing: promotion.Waiting, reason: "a check has failed"},
		"GitHub works it out":     {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Pull.Mergeable = "unknown" }, standing: promotion.Waiting, reason: "working out"},
		"a conflict":              {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Pull.Mergeable = "dirty" }, standing: promotion.Waiting, action: promotion.Claim{}, reason: "main changed the same files"},
		"the base moved under it": {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Touched = true }, standing: promotion.Waiting, action: promotion.Claim{}, reason: "main changed the same files"},
		"something newer still":   {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "qa").Landings = []promotion.Landing{landing("e", 1, "qa")} }, standing: promotion.Waiting, action: promotion.Claim{}, reason: "e landed in qa"},
		"the brake":               {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Config.Mode = config.Observe }, standing: promotion.Stopped, reason: "#7 is left to you"},
		"a person's commits":      {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Head = "theirs" }, standing: promotion.Stopped, reason: "someone pushed to the branch of #7"},
		"another base":            {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Pull.Base = "other" }, standing: promotion.Stopped, reason: "pointed #7 at other"},
		"a branch that is gone":   {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Head = "" }, standing: promotion.Waiting, reason: "the branch of #7 is gone"},
		"a branch left behind": {snapshot: opened(), change: func(s *promotion.Snapshot) {
			promotionOf(s).Replaced = &state.Replaced{Commit: "p0"}
			at(s, "staging").Head = "p0"
		}, standing: promotion.Waiting, action: promotion.Advance{}, reason: "moved on"},
		"a text left behind":    {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Pull.Body = "old" }, standing: promotion.Waiting, action: promotion.Advance{}, reason: "brought up to date"},
		"already there":         {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Content.Edits = nil }, standing: promotion.Waiting, action: promotion.Append{}, reason: "already has all of it"},
		"no longer from there":  {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Config.From = nil }, standing: promotion.Waiting, action: promotion.Append{}, reason: "no longer comes from qa"},
		"closed by a person":    {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Pull.Open = false }, standing: promotion.Rejected, action: promotion.Append{}, reason: "closed without merging"},
		"closing":               {snapshot: opened(), change: func(s *promotion.Snapshot) { promotionOf(s).Status = state.Closing }, standing: promotion.Waiting, action: promotion.Close{}},
		"closed as announced":   {snapshot: opened(), change: func(s *promotion.Snapshot) { promotionOf(s).Status = state.Closing; at(s, "staging").Pull.Open = false }, standing: promotion.UpToDate, action: promotion.Append{}},
		"unreadable":            {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Pull = nil }, standing: promotion.Waiting, reason: "#7 could not be read"},
		"merged, not there yet": {snapshot: opened(), change: func(s *promotion.Snapshot) { at(s, "staging").Pull.Merged = true }, standing: promotion.Waiting, reason: "not in the history yet"},
		"merged": {snapshot: opened(), change: func(s *promotion.Snapshot) {
			at(s, "staging").Pull.Merged = true
			at(s, "staging").Resolved = &promotion.Resolved{Before: "d", Commit: "e", Method: "merge", Expected: "x", Actual: "x"}
		}, standing: promotion.UpToDate, action: promotion.Append{}, reason: "d landed as e"},
		"merged with more": {snapshot: opened(), change: func(s *promotion.Snapshot) {
			at(s, "staging").Pull.Merged = true
			at(s, "staging").Resolved = &promotion.Resolved{Before: "d", Commit: "e", Method: "merge", Expected: "x", Actual: "y"}
		}, standing: promotion.Stopped, action: promotion.Append{}, reason: "not exactly what was promoted"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.change != nil {
				c.change(c.snapshot)
			}
			for _, d := range promotion.Decide(c.snapshot) {
				if !d.Until.IsZero() && !d.Until.After(now) {
					t.Errorf("%s looks again at %v, which is past", d.Key, d.Until)
				}
				if d.Key.Environment != "staging" {
					continue
				}
				if d.Standing != c.standing || reflect.TypeOf(d.Action) != reflect.TypeOf(c.action) || !strings.Contains(d.Reason, c.reason) {
					t.Errorf("got %q %T %q\nwant %q %T %q", d.Standing, d.Action, d.Reason, c.standing, c.action, c.reason)
				}
				checkAction(t, at(c.snapshot, "staging"), d)
			}
		})
	}
}

func claimedAt(when time.Time) state.Promotion {
	return state.Promotion{ID: "id", Status: state.Claimed, Revision: "d", Origin: "qa", Attempt: 1, From: "qa", Landing: "d", Base: "d", Commit: "p1", Branch: "b", Claimed: when}
}

// checkAction holds what every entry must: it follows the one decided on, and
// deciding on its state does not make it again.
func checkAction(t *testing.T, o *promotion.Observed, d promotion.Decision) {
	t.Helper()
	a, ok := d.Action.(promotion.Append)
	if !ok {
		return
	}
	want := 1
	if o.Ledger.State != nil {
		want = o.Ledger.State.Sequence + 1
	}
	if a.State.Sequence != want || a.Sentence == "" || a.Kind == "" {
		t.Errorf("entry %d %q %q, want number %d with a kind and a sentence", a.State.Sequence, a.Kind, a.Sentence, want)
	}
}

// TestDecideAttempts: what ended without a person's word is tried again as
// another attempt with another identity; what landed is not.
func TestDecideAttempts(t *testing.T) {
	s := opened()
	p := at(s, "staging").Ledger.State.Promotion
	p.Status, p.Reason = state.Closed, "staging no longer came from qa"
	at(s, "staging").Pull = nil
	c, ok := promotion.Decide(s)[1].Action.(promotion.Claim)
	if !ok || c.Promotion.Attempt != 2 || c.Promotion.Cause != p.Reason || c.Promotion.ID == p.ID {
		t.Errorf("got %+v", c)
	}
}

// TestDecideOldestFirst: where not all may be opened, the oldest landing goes first.
func TestDecideOldestFirst(t *testing.T) {
	s := offered()
	s.Limits.Open = 1
	second := *at(s, "staging")
	older := *at(s, "qa")
	older.Key.Pipeline, second.Key.Pipeline = "other", "other"
	older.Landings = []promotion.Landing{landing("c", 3, "qa")}
	s.Environments = append(s.Environments, older, second)
	ds := promotion.Decide(s)
	if ds[1].Action != nil || ds[1].Standing != promotion.Waiting {
		t.Errorf("the newer one: %+v", ds[1])
	}
	if _, ok := ds[4].Action.(promotion.Claim); !ok {
		t.Errorf("the older one: %+v", ds[4])
	}
}

// TestOfferOfSeveralUpstreams: the newest revision that landed in all of them
// with equal content, else what differs.
func TestOfferOfSeveralUpstreams(t *testing.T) {
	two := func(a, b []promotion.Landing) *promotion.Snapshot {
		s := quiet()
		o := at(s, "prod")
		o.Config.From = []string{"qa", "staging"}
		o.Ledger.State.Position = map[string]state.Position{"qa": {Commit: "b"}, "staging": {Commit: "b"}}
		at(s, "qa").Landings, at(s, "staging").Landings = a, b
		return s
	}
	l := func(commit string, index int, revision, digest string) promotion.Landing {
		return promotion.Landing{Commit: commit, Index: index, Revision: revision, Origin: "dev", Digest: digest, Promotion: "p"}
	}
	cases := map[string]struct {
		s      *promotion.Snapshot
		want   string // revision
		reason string
	}{
		"the same":             {two([]promotion.Landing{l("f", 0, "r", "x")}, []promotion.Landing{l("e", 1, "r", "x")}), "r", ""},
		"one is ahead":         {two([]promotion.Landing{l("f", 0, "r2", "y"), l("d", 2, "r1", "x")}, []promotion.Landing{l("e", 1, "r1", "x")}), "r1", ""},
		"content differs":      {two([]promotion.Landing{l("f", 0, "r", "x")}, []promotion.Landing{l("e", 1, "r", "y")}), "", "qa and staging differ in what they made of r"},
		"one does not have it": {two([]promotion.Landing{l("f", 0, "r2", "x")}, []promotion.Landing{l("e", 1, "r1", "x")}), "", "qa has r2, staging has not"},
		"one has nothing":      {two([]promotion.Landing{l("f", 0, "r", "x")}, nil), "", "staging offers nothing newer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			offer, reason := promotion.OfferTo(c.s, at(c.s, "prod"))
			switch {
			case c.want == "" && (offer != nil || reason != c.reason):
				t.Errorf("got %+v, %q, want %q", offer, reason, c.reason)
			case c.want != "" && (offer == nil || offer.Landing.Revision != c.want || offer.Others["staging"] == ""):
				t.Errorf("got %+v, %q, want %q", offer, reason, c.want)
			}
		})
	}
}

// TestALandingIsNobodysYet: while the pull request of the newest promotion was
// not read after the landing was there, nothing is offered from it.
func TestALandingIsNobodysYet(t *testing.T) {
	s := opened()
	at(s, "staging").Landings = []promotion.Landing{landing("e", 1, "staging")}
	if offer, reason := promotion.OfferTo(s, at(s, "prod")); offer != nil || reason != "what landed in staging is being recorded" {
		t.Errorf("got %+v, %q", offer, reason)
	}
	at(s, "staging").FreshFor = "f" // read when e was known, and still open: e is a person's
	if offer, _ := promotion.OfferTo(s, at(s, "prod")); offer == nil || offer.Landing.Revision != "e" {
		t.Errorf("got %+v", offer)
	}
}
