package texts_test

// What the check runs say at a glance, and their buttons: times in titles, whom
// is asked, what can be pressed.

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/calendar"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// action is one of what can be done.
func action(do, label, does string, urgent bool) promotion.Applies {
	return promotion.Applies{Do: do, Label: label, Does: does, Urgent: urgent, Button: do + ":0123456789a"}
}

var (
	canHold    = action("hold", "Hold", "merges nothing there until you resume", false)
	canResume  = action("resume", "Resume", "lets promotions to it go on", true)
	canApprove = action("approve", "Approve", "what this pull request lands, as it is", true)
	canRetry   = action("retry", "Retry", "1.42.0 once more", true)
	canBack    = action("rollback", "Roll back", "1.42.0 → 1.40.0, by pull request", false)
	mustBack   = action("rollback", "Roll back", "1.42.0 → 1.40.0, by pull request", true)
)

// onItsWay has a revision verified in staging and in the canary; production
// waits, each half for something else.
func onItsWay() texts.Revision {
	p := with(auto(), guarded)
	window := p.Decision.Gates[4]
	return texts.Revision{Repository: repository, Commit: id(1), Now: tuesday, Pipelines: []texts.RevisionPipeline{{Pipeline: checkout(), Steps: []texts.Step{
		{Environment: "dev", Standing: promotion.Source, Carries: true, At: tuesday.Add(-3 * time.Hour), Commit: id(1)},
		{Environment: "staging", Carries: true, At: tuesday.Add(-2 * time.Hour), Commit: id(3), PullRequest: 910, Actions: []promotion.Applies{canHold, canBack}},
		{Environment: "prod-canary", Carries: true, At: tuesday.Add(-time.Hour), Commit: id(4), PullRequest: 912, Actions: []promotion.Applies{canHold, canBack}},
		{
			Environment: "prod-eu", Standing: promotion.Waiting, PullRequest: 915, Reason: "#915: " + window.Text, Waits: &window,
			Zone: p.Config.Windows[0].Zone, Asked: tuesday, Line: 14, Actions: []promotion.Applies{canHold},
		},
		{
			Environment: "prod-us", Standing: promotion.Proposed, PullRequest: 914, Reason: "#914: it waits for approval: /promobot approve",
			Waits: &promotion.Gate{Name: "approval", Text: "it waits for approval: /promobot approve"}, Actions: []promotion.Applies{canApprove, canHold},
		},
	}}}}
}

func glances() map[string]texts.Check {
	revision := func(change func(steps []texts.Step)) texts.Check {
		r := onItsWay()
		change(r.Pipelines[0].Steps)
		return texts.RevisionCheck(r)
	}
	waits := func(step *texts.Step, g promotion.Gate) {
		step.Standing, step.Waits, step.Reason, step.Line = promotion.Waiting, &g, g.Text, g.Line
	}
	many := services(3, func(i int, s *texts.Step) {
		if s.Environment != "prod" {
			return
		}
		g := promotion.Gate{Name: "window", Text: "window office: opens", Waits: true, Until: tuesday.Add(time.Duration(3-i) * 24 * time.Hour)}
		waits(s, g)
		s.Asked = tuesday
		if i == 1 {
			s.Standing, s.Waits, s.Reason, s.Actions = promotion.Stopped, nil, "held: it failed", []promotion.Applies{canResume, canHold}
		}
	})
	return map[string]texts.Check{
		"window": texts.RevisionCheck(onItsWay()),
		"window-far-away": revision(func(steps []texts.Step) {
			far := *steps[3].Waits
			far.Until = time.Date(2027, 1, 4, 8, 0, 0, 0, time.UTC)
			steps[3].Waits = &far
		}),
		"failed": revision(func(steps []texts.Step) {
			steps[1].Standing, steps[1].Reason = promotion.Stopped, "1a2c3c4d61 failed its verification: check slo/checkout ended with failure"
			steps[1].Verification = &promotion.Verification{Verdict: &state.Verdict{
				Outcome: state.Failed, Time: tuesday, Evidence: []state.Evidence{{Name: "slo/checkout", Outcome: "failure", URL: "https://grafana.acme.example/d/slo", Text: "error rate 4.1 %", Time: tuesday}},
			}}
			steps[1].Actions = []promotion.Applies{mustBack, canResume}
		}),
		"many": texts.RevisionCheck(many),
		"passed-over": revision(func(steps []texts.Step) {
			for i := range steps[3:] {
				steps[3+i] = texts.Step{Environment: steps[3+i].Environment, Standing: promotion.Waiting, Passed: true}
			}
		}),
		"every-gate": revision(func(steps []texts.Step) {
			for i, g := range []promotion.Gate{
				{Name: "soak", Text: "what landed before it comes first", Waits: true, Until: tuesday.Add(time.Hour), Line: 9},
				{Name: "window", Text: "window office: holidays.ics cannot be read: no such file", Line: 14},
				{Name: "hold", Text: "held until 4 Mar 09:00 UTC: Black Friday", Until: tuesday.Add(16 * time.Hour)},
				{Name: "review", Text: "2 reviews have to approve it"},
			} {
				waits(&steps[i+1], g)
				steps[i+1].Carries, steps[i+1].Actions = false, nil
			}
		}),
		"head-window":   texts.HeadCheck(with(auto(), guarded, func(p *texts.Promotion) { p.Actions = []promotion.Applies{canHold} })),
		"head-approval": texts.HeadCheck(with(auto(), unapproved, func(p *texts.Promotion) { p.Actions = []promotion.Applies{canApprove, canHold, canBack} })),
		"head-both": texts.HeadCheck(with(auto(), unapproved, func(p *texts.Promotion) {
			opens := p.Decision.Gates[4].Until
			p.Decision.Gates[4] = promotion.Gate{Name: "window", Text: "window office: Wed 09:00 Europe/Berlin (outside Mon-Thu 09:00-16:00)", Line: 14, Waits: true, Until: opens}
			p.Decision.Standing, p.Decision.Reason = promotion.Waiting, "#915: "+p.Decision.Gates[4].Text
			p.Actions = []promotion.Applies{canApprove, canHold}
		})),
		"head-held": texts.HeadCheck(with(auto(), holding, func(p *texts.Promotion) { p.Actions = []promotion.Applies{canResume} })),
	}
}

func TestGlances(t *testing.T) {
	for name, c := range glances() {
		t.Run(name, func(t *testing.T) {
			var buttons strings.Builder
			for _, b := range c.Buttons {
				fmt.Fprintf(&buttons, "[%s] %s (%s)\n", b.Label, b.Does, b.Identifier)
			}
			golden(t, "glance-"+name, checkText(c)+"\n"+section("buttons", buttons.String()))
		})
	}
}

// TestButtonsAreToldApart holds that of many environments with long names only
// those get a button whose label says which one is meant, within GitHub's limits.
func TestButtonsAreToldApart(t *testing.T) {
	label := func(c texts.Check) (out []string) {
		for _, b := range c.Buttons {
			if utf8.RuneCountInString(b.Label) > 20 || utf8.RuneCountInString(b.Does) > 40 || len(b.Identifier) > 20 {
				t.Errorf("%+v is too long", b)
			}
			out = append(out, b.Label)
		}
		return out
	}
	revision := func(names ...string) texts.Revision {
		r := texts.Revision{Repository: repository, Commit: id(1)}
		r.Pipelines = []texts.RevisionPipeline{{}}
		for _, n := range names {
			r.Pipelines[0].Steps = append(r.Pipelines[0].Steps, texts.Step{Environment: n, Carries: true, Actions: []promotion.Applies{canBack}})
		}
		return r
	}
	two := onItsWay()
	two.Pipelines = append(two.Pipelines, onItsWay().Pipelines...)
	two.Pipelines[1].Pipeline.Title = "cart"
	for i := range two.Pipelines {
		two.Pipelines[i].Steps[1].Environment = "qa"
		two.Pipelines[i].Steps[1].Actions = []promotion.Applies{canRetry, canBack}
	}
	for _, c := range []struct {
		name string
		of   texts.Check
		want []string
	}{
		{"one with a long name", texts.RevisionCheck(revision("production-europe-west")), []string{"Roll back"}},
		{"two with long names", texts.RevisionCheck(revision("production-europe-west", "production-us")), nil},
		{"the furthest along first, three of them", texts.RevisionCheck(revision("a", "b", "c", "d")), []string{"Roll back d", "Roll back c", "Roll back b"}},
		{"of several pipelines what is urgent, where it fits", texts.RevisionCheck(two), []string{"Retry checkout/qa", "Retry cart/qa"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, label(c.of)); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
	batched := batch(3)
	for i := range batched {
		batched[i].Actions = []promotion.Applies{canApprove, canHold}
	}
	if diff := cmp.Diff([]string{"Approve staging"}, label(texts.BatchHeadCheck(batched))); diff != "" {
		t.Errorf("a batch's labels (-want +got):\n%s", diff)
	}
}

// TestWhenItMerges holds what a pull request's first line says of its windows.
func TestWhenItMerges(t *testing.T) {
	window := func(change func(p *texts.Promotion)) string {
		p := with(auto(), guarded, change)
		line, _, _ := strings.Cut(texts.Body(p), "**Stop it:**")
		return line
	}
	day := func(date, name string) map[string][]calendar.Day {
		on, err := time.Parse(time.DateOnly, date)
		if err != nil {
			t.Fatal(err)
		}
		return map[string][]calendar.Day{"holidays.ics": {{Year: on.Year(), Month: on.Month(), Day: on.Day(), Name: name}}}
	}
	for _, c := range []struct {
		name   string
		change func(p *texts.Promotion)
		want   []string
	}{
		{"shut when it was opened", func(*texts.Promotion) {}, []string{"by promobot, Wed 09:00 Europe/Berlin at the earliest (window `office`: Mon-Thu 09:00-16:00, Europe/Berlin, [line 14", "after a person's `/promobot approve`, as soon as the rules"}},
		{"open when it was opened", func(p *texts.Promotion) { p.State.Claimed = tuesday.Add(-6 * time.Hour) }, []string{"by promobot while it may (window `office`: Mon-Thu"}},
		{"a holiday between", func(p *texts.Promotion) {
			p.Config.Windows[0].Holidays, p.Holidays = "holidays.ics", day("2026-03-04", "Ash <Wednesday>")
		}, []string{"Thu 09:00 Europe/Berlin at the earliest", "not on the holidays of `holidays.ics`"}},
		{"holidays that cannot be read", func(p *texts.Promotion) {
			p.Config.Windows[0].Holidays, p.Shut = "holidays.ics", map[string]string{"holidays.ics": "line 3 is no <date>"}
		}, []string{"not before `holidays.ics` can be read, which could not be when this was written: line 3 is no &#60;date&#62;"}},
		{"never", func(p *texts.Promotion) { p.Config.Windows[0].Block = p.Config.Windows[0].Allow }, []string{"not before window `office` opens, which it never does"}},
		{"two windows", func(p *texts.Promotion) {
			late, err := calendar.ParseSpans("Thu 11:00-12:00")
			if err != nil {
				t.Fatal(err)
			}
			w := p.Config.Windows[0]
			w.Name, w.Allow, w.Zone, w.Line = "late", late, time.UTC, 15
			p.Config.Windows = append(p.Config.Windows, w)
		}, []string{"Thu 11:00 UTC at the earliest (window `office`", "; window `late`: Thu 11:00-12:00, UTC, [line 15"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := window(c.change)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("it says %q, want %q", got, want)
				}
			}
		})
	}
}
