package texts_test

// The answers to comment commands: one golden file for each command with all
// that it can come to, and one for what a whole comment comes to. What is not
// understood or not allowed is told in command's own words.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// asked is an answer to ana's comment 4711.
func asked(cs ...texts.AnsweredCommand) texts.Answer {
	return texts.Answer{Repository: repository, Comment: 4711, Author: "ana", Commands: cs}
}

// parsed is the first command of a comment.
func parsed(t *testing.T, body string) command.Command {
	t.Helper()
	cs := command.Parse(body, nil)
	if len(cs) == 0 {
		t.Fatalf("%q has no command", body)
	}
	return cs[0]
}

// misunderstood is the answer to what is not understood.
func misunderstood(t *testing.T, body string) texts.AnsweredCommand {
	t.Helper()
	c := parsed(t, body)
	if c.Problem == "" {
		t.Fatalf("%q is understood: %+v", body, c)
	}
	return texts.AnsweredCommand{Text: c.Text, Says: []string{c.Problem}}
}

// denied is the answer to who may not.
func denied(t *testing.T, body string, who command.Author, right config.Right) texts.AnsweredCommand {
	t.Helper()
	c := parsed(t, body)
	allowed, why, err := command.Allowed(command.Need(c, config.Commands{}, right), who, promotion.Permission{Role: "triage", Folded: "read"}, config.Commands{}, nil)
	if allowed || err != nil {
		t.Fatalf("%s may say %q, %v", who.Login, body, err)
	}
	return texts.AnsweredCommand{Text: c.Text, Says: []string{"services/checkout/prod-eu: " + why}}
}

func done(text string, says ...string) texts.AnsweredCommand {
	return texts.AnsweredCommand{Text: text, Done: true, Says: says, PullRequest: 915}
}

func not(text string, says ...string) texts.AnsweredCommand {
	return texts.AnsweredCommand{Text: text, Says: says, PullRequest: 915}
}

func statusRows() []texts.StatusRow {
	holding := &promotion.Verification{
		Text: "all holds; verified when that has lasted 4h", Watch: &state.Watch{Landing: id(4), Holding: tuesday.Add(-time.Hour)},
		Evidence: []state.Evidence{{Name: "slo/checkout", Outcome: "success", URL: "https://slo.example.com/checkout", Time: tuesday.Add(-time.Hour)}},
	}
	failed := &promotion.Verification{Verdict: &state.Verdict{
		Landing: id(5), Revision: "1.42.0", Outcome: state.Failed, Reason: "slo/checkout failed", Time: tuesday, Since: tuesday.Add(-time.Minute),
		Evidence: []state.Evidence{{Name: "slo/checkout", Outcome: "failure", Text: "error rate 4.1 % > 1 %", URL: "https://slo.example.com/checkout", Time: tuesday}},
	}}
	return []texts.StatusRow{
		{Environment: "services/checkout/dev", Standing: promotion.Source, Revision: id(1), Reason: "people and builds write it"},
		{Environment: "services/checkout/prod-canary", Standing: promotion.Verifying, Revision: "1.42.0", Verification: holding, Reason: "it soaks"},
		{Environment: "services/checkout/prod-eu", Standing: promotion.Waiting, Revision: "1.40.0", PullRequest: 915, Reason: "#915 waits for the window `office`"},
		{Environment: "services/checkout/prod-us", Standing: promotion.Stopped, Revision: "1.42.0", Verification: failed, Reason: "held", Hold: &state.Hold{
			Reason: "slo/checkout failed", By: "promobot", Since: tuesday, Failed: id(5),
		}},
		{Environment: "services/checkout/prod-asia", Standing: promotion.UpToDate, Revision: "1.40.0", Hold: &state.Hold{
			Reason: "the database moves (@ana)", By: "ana", Since: tuesday, Until: tuesday.Add(72 * time.Hour), Comment: 4711,
		}},
	}
}

func TestAnswers(t *testing.T) {
	const edited = "the comment was edited before it was read; write it again"
	late := "it was written more than an hour ago, at 15:31 UTC; write it again if it is still meant"
	ana, bot := command.Author{Login: "ana"}, command.Author{Login: "renovate[bot]", Bot: true}
	maintain := config.Right{Role: "maintain"}
	for name, cs := range map[string][]texts.AnsweredCommand{
		"help": {
			{Text: "/promobot", Done: true, Markdown: command.Help("")},
			{Text: "/promobot help rollback", Done: true, Markdown: command.Help("rollback")},
			misunderstood(t, "/promobot help rolback"),
		},
		"status": {
			{Text: "/promobot status checkout", Done: true, Status: statusRows()},
			{Text: "/promobot status cart", Done: true, Status: []texts.StatusRow{{Environment: "cart/dev", Standing: promotion.Absent}}},
			not("/promobot status chekout", "there is no such pipeline"), misunderstood(t, "/promobot statsu"),
		},
		"plan": {
			{Text: "/promobot plan", Done: true, Status: statusRows()[2:3]}, done("/promobot plan cart", "nothing is to be done"), misunderstood(t, "/promobot plan a b"),
		},
		"promote": {
			done("/promobot promote prod-eu 1.42.0", "promoting 1.42.0 to prod-eu comes next"),
			not("/promobot promote prod-eu 9.9.9", "services/checkout/prod-eu: 9.9.9 is not what stands in prod-canary; only what an upstream offers is promoted"),
			denied(t, "/promobot promote prod-eu", ana, maintain), misunderstood(t, "/promobot promot prod-eu"), misunderstood(t, "/promobot promote prod-*"),
			not("/promobot promote prod-eu", edited), not("/promobot promote prod-eu", late), not("/promobot promote", command.Command{Name: "promote"}.NoEnvironment()),
		},
		"retry": {
			done("/promobot retry", "prod-eu is tried once more"), denied(t, "/promobot retry prod-eu", ana, config.Right{}), misunderstood(t, "/promobot rety"), not("/promobot retry", edited),
		},
		"rollback": {
			{Text: "/promobot rollback prod-eu", Working: true, Says: []string{"prod-eu is rolled back from 1.42.0 to 1.40.0 by pull request, and held"}},
			{Text: "/promobot rollback all", Asks: true, Says: []string{
				"services/checkout/prod-eu and services/checkout/prod-us would be rolled back; to do so, write `" + parsed(t, "/promobot rollback all").Confirmed() + "`",
			}},
			done("/promobot rollback all --confirm", "prod-eu is rolled back from 1.42.0 to 1.40.0 by pull request, and held", "prod-us is rolled back from 1.42.0 to 1.40.0 by pull request, and held"),
			not("/promobot rollback prod-eu --to 1.30.0", "services/checkout/prod-eu: only the newest landing can be taken back, to 1.40.0; roll back step by step, or promote what you want"),
			denied(t, "/promobot rollback prod-eu", ana, maintain), denied(t, "/promobot rollback prod-eu", bot, config.Right{}), misunderstood(t, "/promobot rolback prod-eu"), not("/promobot rollback prod-eu", late),
		},
		"hold": {
			done("/promobot hold prod-* --until Mon 09:00 see #12, @bo", "prod-eu is held until Mon 09:00 UTC; nothing is merged there by promobot", "prod-us is held until Mon 09:00 UTC; nothing is merged there by promobot"),
			denied(t, "/promobot hold prod-eu", ana, maintain), misunderstood(t, "/promobot hodl prod-eu"), misunderstood(t, "/promobot hold prod-eu --until soon"), not("/promobot hold prod-eu", late),
		},
		"resume": {
			done("/promobot resume prod-eu", "prod-eu goes on; 1.42.0 stays rejected, newer ones are promoted"), not("/promobot resume prod-eu", "services/checkout/prod-eu: it is not held"),
			denied(t, "/promobot resume prod-eu", ana, maintain), misunderstood(t, "/promobot resum prod-eu"), not("/promobot resume prod-eu", edited),
		},
		"approve": {
			done("/promobot approve", "#915 is approved as it stands (1.42.0)"), not("/promobot approve", "services/checkout/prod-eu: you wrote it yourself: somebody else has to approve it"),
			denied(t, "/promobot approve", ana, maintain), misunderstood(t, "/promobot aprove"), not("/promobot approve", command.Command{Name: "approve"}.NoEnvironment()), not("/promobot approve", late),
		},
		"merge": {
			{Text: "/promobot merge --past window", Asks: true, PullRequest: 915, Says: []string{
				"#915 would be merged without waiting for the gate window, and that is recorded with your name; to do so, write `" + parsed(t, "/promobot merge --past window").Confirmed() + "`",
			}},
			done("/promobot merge --past window --confirm", "#915 passes the gate window; all others still count"),
			misunderstood(t, "/promobot merge"), misunderstood(t, "/promobot merge --past windw"), denied(t, "/promobot merge --past window", ana, maintain), not("/promobot merge --past window --confirm", edited),
		},
		"skip": {
			done("/promobot skip prod-eu", "#915 is closed; 1.42.0 is not proposed again, something newer will be"), denied(t, "/promobot skip prod-eu", ana, config.Right{}), misunderstood(t, "/promobot skp prod-eu"),
		},
		"cancel": {
			done("/promobot cancel", "#915 is closed; 1.42.0 is not proposed again, something newer will be"), denied(t, "/promobot cancel", ana, config.Right{}), misunderstood(t, "/promobot cancle"), not("/promobot cancel", late),
		},
		"rebuild": {
			done("/promobot rebuild", "#915 is rebuilt on today's main"), denied(t, "/promobot rebuild", ana, config.Right{}), misunderstood(t, "/promobot rebuild now"), not("/promobot rebuild", edited),
		},
		"nothing-like-it": {misunderstood(t, "/promobot frobnicate @acme/everyone `x` <b>"), misunderstood(t, "/promobot "+strings.Repeat("a ", 600))},
		"broken-file":     {not("/promobot hold prod-eu", "the pipeline file has to be mended first: .github/promobot.yml:2:1: unknown key \"moed\" in the file")},
		"error":           {not("/promobot hold prod-eu", "services/checkout/prod-eu is stopped: its ledger cannot be read: entry 1a2b3c4d5e is not signed by promobot")},
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, "answer-"+name, texts.AnswerTo(asked(cs...)))
		})
	}
}

func TestEveryCommandHasItsAnswers(t *testing.T) {
	for _, s := range command.All {
		text, err := os.ReadFile(filepath.Join("testdata", "answer-"+s.Name+".md"))
		if err != nil {
			t.Fatal(err)
		}
		if text := string(text); !strings.Contains(text, "✓ `/promobot") || !strings.Contains(text, "✗ `/promobot") {
			t.Errorf("the answers to %s do not say both what was done and what was not", s.Name)
		}
	}
}

// Whatever a person writes, the answer has no command, mention or link of theirs.
func checkHostileAnswer(t *testing.T, s string) {
	t.Helper()
	answer := func(s, reason string) string {
		a := asked(
			texts.AnsweredCommand{Text: "/promobot hold prod " + s, Done: true, Says: []string{"x " + s, "x " + s}, PullRequest: 915},
			texts.AnsweredCommand{Text: "/promobot status " + s, Done: true, Status: []texts.StatusRow{
				{Environment: s + "/x", Revision: "v" + s, Standing: promotion.Waiting, Reason: "x " + s, PullRequest: 915},
				{Environment: "a/b", Revision: "1", Standing: promotion.Stopped, Hold: &state.Hold{By: s + "x", Reason: "x " + reason, Since: tuesday}},
			}},
		)
		return texts.AnswerTo(a)
	}
	got := answer(s, s)
	if !strings.HasPrefix(got, texts.AnswerMark(4711)+"\n") {
		t.Errorf("it begins %.60q", got)
	}
	if cs := command.Parse(got, nil); len(cs) > 0 {
		t.Errorf("the answer to %q has a command itself: %+v\n%s", s, cs, got)
	}
	body := strings.TrimPrefix(got, texts.AnswerMark(4711)+"\n@ana\n")
	if m := noticed.FindString(visible(t, body)); m != "" {
		t.Errorf("the answer to %q lets GitHub notice %q:\n%s", s, m, got)
	}
	plain := strings.TrimPrefix(answer("plain", "plain"), texts.AnswerMark(4711)+"\n@ana\n")
	if want, is := fmt.Sprint(structure(t, "plain", plain)), fmt.Sprint(structure(t, "hostile", body)); want != is && !strings.Contains(s, "915") {
		t.Errorf("the answer to %q is built as %s, want %s:\n%s", s, is, want, got)
	}
}

func TestHostileAnswers(t *testing.T) {
	for i, s := range append(hostile, "\n/promobot rollback all --confirm", "\r/promobot resume all", "`\n\n/promobot resume all") {
		t.Run(fmt.Sprintf("%02d %.20q", i, s), func(t *testing.T) { checkHostileAnswer(t, s) })
	}
}

func FuzzHostileAnswers(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(checkHostileAnswer)
}

func TestAnswersKeepToGitHubsLimit(t *testing.T) {
	long := strings.Repeat("<@é|`#1 ", 100)
	var cs []texts.AnsweredCommand
	for range 11 {
		c := texts.AnsweredCommand{Text: long, Done: true}
		for range 400 {
			c.Says = append(c.Says, long)
			c.Status = append(c.Status, texts.StatusRow{Environment: long, Revision: long, Standing: promotion.Waiting, Reason: long})
		}
		cs = append(cs, c)
	}
	got := texts.AnswerTo(asked(cs...))
	if len(got) > 65_536 || strings.Count(got, "✓ ") < 11 || !strings.Contains(got, "more") {
		t.Errorf("the answer has %d bytes and speaks of %d commands", len(got), strings.Count(got, "✓ "))
	}
}

func TestAnswersToNobody(t *testing.T) {
	a := asked(done("/promobot status"))
	a.Author = "no <b>one\n/promobot"
	if got := texts.AnswerTo(a); strings.Contains(got, "@no") || strings.Contains(got, "<b>") {
		t.Errorf("it is %s", got)
	}
}
