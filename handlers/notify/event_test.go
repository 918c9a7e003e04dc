package notify_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/handlers/notify"
	"github.com/promobot/promobot/promotion/view"
)

var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return nine.Add(time.Duration(n) * time.Minute) }

// staging is a repository of one pipeline, whose staging looks like this.
func staging(change func(*view.Environment)) view.Repository {
	e := view.Environment{
		Pipeline: "services/checkout", Name: "staging", Mode: "auto", Standing: "up to date",
		Current: &view.Landing{Commit: "e0", Revision: "r0", Since: nine},
	}
	change(&e)
	return view.Repository{
		Version: 1, ID: 7, Owner: "acme", Name: "gitops", URL: "https://github.com/acme/gitops", At: minute(60),
		Pipelines: []view.Pipeline{{Key: "services/checkout", Title: "checkout", Environments: []view.Environment{e}}},
	}
}

func entry(commit, kind, text string, at int) view.Entry {
	return view.Entry{Commit: commit, Kind: kind, Sentence: "services/checkout/staging: " + text, Time: minute(at), URL: "https://github.com/acme/gitops/pull/7"}
}

func told(events []notify.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, fmt.Sprintf("%s %s: %s", e.At.Format("15:04"), e.Kind, e.Text))
	}
	return all
}

func TestEvents(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*view.Environment)
		want   []string
	}{
		{"nothing happened", func(*view.Environment) {}, nil},
		{"a baseline and a claim are nobody's business", func(e *view.Environment) {
			e.Entries = []view.Entry{entry("l2", "claim", "1.4.0 is promoted", 2), entry("l1", "baseline", "first seen", 1)}
		}, nil},
		{
			"opened, landed, verified", func(e *view.Environment) {
				e.Entries = []view.Entry{entry("l3", "verdict", "1.4.0 is verified: deploy ✓", 3), entry("l2", "landed", "#7 landed 1.4.0", 2), entry("l1", "opened", "#7 opened for 1.4.0", 1)}
				e.Verdicts = []view.Verdict{{Landing: "e1", Outcome: "verified", Reason: "deploy ✓", Time: minute(3)}}
			},
			[]string{"09:01 opened: #7 opened for 1.4.0", "09:02 landed: #7 landed 1.4.0", "09:03 verified: 1.4.0 is verified: deploy ✓"},
		},
		{
			"a verdict whose entry is not listed any more", func(e *view.Environment) {
				e.Verdicts = []view.Verdict{{Landing: "e1", Outcome: "failed", Reason: "check deploy ended with failure", Time: minute(3)}}
			},
			[]string{"09:03 failed: check deploy ended with failure"},
		},
		{
			"failed, halted and held", func(e *view.Environment) {
				e.Verdicts = []view.Verdict{{Landing: "e1", Outcome: "failed", Reason: "check deploy ended with failure", Time: minute(3)}}
				e.Failure = &view.Failure{Kind: "verification", Reason: "check deploy ended with failure", Since: minute(2), Over: true}
				e.Hold = &view.Hold{Reason: "1.4.0 failed its verification", By: "promobot", Since: minute(3)}
				e.Standing, e.Reason, e.Needs = "stopped", "held: 1.4.0 failed", "Look, then resume."
			},
			[]string{"09:03 failed: check deploy ended with failure", "09:03 halted: held: 1.4.0 failed", "09:03 held: 1.4.0 failed its verification", "09:03 waiting: held: 1.4.0 failed"},
		},
		{
			"neither verified nor failed", func(e *view.Environment) {
				e.Verdicts = []view.Verdict{{Landing: "e1", Outcome: "given up", Reason: "after 1h check deploy has not reported yet", Time: minute(3)}}
			},
			[]string{"09:03 halted: after 1h check deploy has not reported yet"},
		},
		{
			"rolled back", func(e *view.Environment) {
				e.Entries = []view.Entry{entry("l2", "landed", "#8 rolled 1.4.0 back to 1.3.2 as f, merged by promobot[bot]", 2), entry("l1", "landed", "#7 landed 1.4.0", 1)}
			},
			[]string{"09:01 landed: #7 landed 1.4.0", "09:02 rolled_back: #8 rolled 1.4.0 back to 1.3.2 as f, merged by promobot[bot]"},
		},
		{
			"taken back by a person", func(e *view.Environment) {
				e.Current = &view.Landing{Commit: "f", Reverts: true}
				e.Entries = []view.Entry{entry("l2", "landed", "1.4.0 was taken back by Ana as f", 2), entry("l1", "landed", "#7 landed 1.4.0", 1)}
			},
			[]string{"09:01 landed: #7 landed 1.4.0", "09:02 rolled_back: 1.4.0 was taken back by Ana as f"},
		},
		{
			"a revision that calls itself a rollback is none", func(e *view.Environment) {
				e.Entries = []view.Entry{entry("l1", "landed", "#7 landed #8 rolled x as e", 1)}
			},
			[]string{"09:01 landed: #7 landed #8 rolled x as e"},
		},
		{
			"a merge that is refused", func(e *view.Environment) {
				e.Failure = &view.Failure{Kind: "merge", Reason: "the rules of main ask for a review", Since: minute(4)}
			},
			[]string{"09:04 failed: the rules of main ask for a review"},
		},
		{
			"a person is needed, and since when is not known", func(e *view.Environment) {
				e.Promotion = &view.Promotion{ID: "p1", Status: "opened", Claimed: minute(5), URL: "https://github.com/acme/gitops/pull/9"}
				e.Reason, e.Needs = "approval is asked for", "Approve #9."
			},
			[]string{"09:05 waiting: approval is asked for"},
		},
		{"resumed", func(e *view.Environment) {
			e.Entries = []view.Entry{entry("l1", "resume", "@ana resumed it", 6)}
		}, []string{"09:06 resumed: @ana resumed it"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			events := notify.Events(staging(c.change))
			if diff := cmp.Diff(c.want, told(events)); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			ids := map[string]bool{}
			for _, e := range events {
				if e.ID == "" || ids[e.ID] || e.Repository != "acme/gitops" || e.Environment != "staging" || e.URL == "" {
					t.Errorf("%+v", e)
				}
				ids[e.ID] = true
			}
		})
	}
}

// TestWaitingIsOneThing: a wait whose words change is told once, and another one
// is another.
func TestWaitingIsOneThing(t *testing.T) {
	t.Parallel()
	waits := func(promotion, reason string, at time.Time) string {
		events := notify.Events(staging(func(e *view.Environment) {
			e.Promotion = &view.Promotion{ID: promotion, Status: "opened", Claimed: nine}
			e.Reason, e.Needs, e.NeedsSince = reason, "Merge it.", at
		}))
		if len(events) != 1 || events[0].Kind != notify.Waiting {
			t.Fatalf("%+v", events)
		}
		return events[0].ID
	}
	first := waits("p1", "2 of 3 checks passed", minute(1))
	if waits("p1", "3 of 3 checks passed", minute(9)) != first {
		t.Error("the same wait has another id")
	}
	if waits("p2", "2 of 3 checks passed", minute(1)) == first {
		t.Error("another promotion's wait has the same id")
	}
}

// TestWaitingForTheSameStop: the look at a stop that is asked for stays the same
// thing while its rollback is under way; the merge of that is another.
func TestWaitingForTheSameStop(t *testing.T) {
	t.Parallel()
	waits := func(rollback bool, since time.Time) string {
		events := notify.Events(staging(func(e *view.Environment) {
			e.Hold = &view.Hold{Reason: "it failed", By: "promobot", Since: minute(3)}
			e.Needs, e.NeedsSince = "look at it and resume", since
			if rollback {
				e.Promotion = &view.Promotion{ID: "p9", Status: "opened", Claimed: minute(4), Reverts: "p1"}
			}
		}))
		for _, e := range events {
			if e.Kind == notify.Waiting {
				return e.ID
			}
		}
		t.Fatalf("nothing waits: %+v", events)
		return ""
	}
	first := waits(false, minute(3))
	if waits(true, minute(3)) != first {
		t.Error("the same stop has another id while it is rolled back")
	}
	if waits(true, minute(4)) == first {
		t.Error("the rollback's own wait has the stop's id")
	}
}

func TestAWrongPipelineFileIsTold(t *testing.T) {
	t.Parallel()
	r := view.Repository{ID: 7, Owner: "acme", Name: "gitops", URL: "https://github.com/acme/gitops", At: nine, Problems: []view.Problem{
		{Line: 3, Text: "unknown key: enviroments", URL: "https://github.com/acme/gitops/blob/main/.github/promobot.yml#L3"}, {Line: 9, Text: "no pipelines"},
	}}
	events := notify.Events(r)
	if diff := cmp.Diff([]string{"09:00 waiting: unknown key: enviroments (and 1 more)"}, told(events)); diff != "" {
		t.Fatal(diff)
	}
	again := r
	again.At = minute(5)
	if notify.Events(again)[0].ID != events[0].ID {
		t.Error("the same problem is another event at the next look")
	}
	again.Problems = again.Problems[:1]
	if notify.Events(again)[0].ID == events[0].ID {
		t.Error("other problems are the same event")
	}
}
