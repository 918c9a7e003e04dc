package main

// Comments that are not what they seem: quoted, edited, deleted, old, by bots, by
// who has no right; several commands in one; and commands about what is changing.

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

// wantUnheard checks that at rest nothing was heard, and answered so often.
func (s *scene) wantUnheard(number, answers int) {
	s.t.Helper()
	s.settle()
	if n := s.heardOf(); len(n) > 0 {
		s.t.Errorf("the ledgers have heard: %v", n)
	}
	if all := s.said(number); len(all) != answers {
		s.t.Errorf("%d answers, want %d: %s", len(all), answers, strings.Join(all, "\n"))
	}
}

// TestSeveralCommandsInOneComment: in their order, also about one environment, and
// answered together.
func TestSeveralCommandsInOneComment(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	number := opened(s)
	s.comments(number, "Let us wait.\n\n/promobot hold prod one\n/promobot resume prod\n/promobot hold prod two\n/promobot hold nowhere\n/promobot status\n")
	answer := s.answered(number, 1)
	if h := s.ledgers()[shopProd].Hold; h == nil || !strings.Contains(h.Reason, "two") {
		t.Errorf("prod is held: %+v", h)
	}
	if n := s.heardOf()[shopProd]; n != 3 {
		t.Errorf("%d commands were heard in prod, want 3", n)
	}
	at := -1
	for _, says := range []string{"hold prod one", "resume prod", "hold prod two", "hold nowhere", "there is no such environment; there are dev, prod", "/promobot status", "| environment |"} {
		next := strings.Index(answer, says)
		if next <= at {
			t.Errorf("the answer does not say %q in its order:\n%s", says, answer)
		}
		at = next
	}
}

func TestCommandsThatAreNone(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	number := opened(s)
	for _, body := range []string{
		"```\n/promobot hold prod\n```", "    /promobot hold prod", "> /promobot hold prod", "Say /promobot hold prod", "`/promobot hold prod`",
		"<!--\n/promobot hold prod\n-->", "/promobots hold prod",
	} {
		s.comments(number, body)
	}
	s.wantUnheard(number, 0)
}

// late keeps the webhooks back while somebody writes and does something more, and
// then delivers them.
func (s *scene) late(writes func()) {
	s.t.Helper()
	s.sim.HoldWebhooks()
	writes()
	if _, err := s.sim.ReleaseWebhooks(nil); err != nil {
		s.t.Fatal(err)
	}
}

func TestCommentsThatChangeBeforeTheyAreRead(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	number := opened(s)
	s.late(func() {
		id := s.write("ana", number, "/promobot hold prod")
		if err := s.sim.DeleteComment(s.full(), "ana", id); err != nil {
			t.Fatal(err)
		}
	})
	s.wantUnheard(number, 0)

	// GitHub's times are whole seconds: what is edited within one was not.
	s.late(func() {
		id := s.write("ana", number, "/promobot status")
		written := time.Now()
		s.wait("a second is over", func() bool { return time.Since(written) > 1100*time.Millisecond })
		if err := s.sim.EditComment(s.full(), "ana", id, "/promobot hold prod"); err != nil {
			t.Fatal(err)
		}
	})
	if answer := s.answered(number, 1); !strings.Contains(answer, "edited before it was read; write it again") {
		t.Errorf("an edited comment is answered:\n%s", answer)
	}
	s.wantUnheard(number, 1)

	s.late(func() {
		s.write("ana", number, "/promobot hold prod")
		s.ahead.Add(int64(2 * time.Hour))
	})
	if answer := s.answered(number, 2); !strings.Contains(answer, "more than an hour ago") {
		t.Errorf("an old comment is answered:\n%s", answer)
	}
	s.wantUnheard(number, 2)
}

// TestEditingAndDeletingAfterwards do nothing more.
func TestEditingAndDeletingAfterwards(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	number := opened(s)
	id := s.write("ana", number, "/promobot hold prod")
	answer := s.answered(number, 1)
	if err := s.sim.EditComment(s.full(), "ana", id, "/promobot resume prod"); err != nil {
		t.Fatal(err)
	}
	s.settle()
	if err := s.sim.DeleteComment(s.full(), "ana", id); err != nil {
		t.Fatal(err)
	}
	if got := s.answered(number, 1); got != answer || !s.held(shopProd) || s.heardOf()[shopProd] != 1 {
		t.Errorf("held %v, heard %v, answered:\n%s", s.held(shopProd), s.heardOf(), got)
	}
}

// TestBotsThatCommand: they are not listened to unless the file names them, and
// then they need the right, too. promobot never obeys itself.
func TestBotsThatCommand(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(shopPropose+"commands: {bots: [\"helper[bot]\"]}\n", "dev", "prod")})
	for _, name := range []string{"helper", "other"} {
		app, err := s.sim.CreateApp(githubsim.AppOptions{Owner: sceneOwner, Name: name, Permissions: map[string]string{"issues": "write", "contents": "write", "pull_requests": "write"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.sim.Install(app.ID, sceneOwner); err != nil {
			t.Fatal(err)
		}
	}
	s.installed(2)
	number := opened(s)
	s.write("other[bot]", number, "/promobot hold prod")
	s.write(sceneBot, number, "/promobot hold prod")
	s.settle()
	if n := s.heardOf(); len(n) > 0 {
		t.Fatalf("a bot is obeyed: %v", n)
	}
	told := s.answers(number) // one is promobot's own comment
	if told != 1 {
		t.Errorf("bots are answered %d times", told-1)
	}
	s.write("helper[bot]", number, "/promobot hold prod")
	if answer := s.answered(number, told+1); s.held(shopProd) != strings.Contains(answer, "✓") {
		t.Errorf("held %v, and answered:\n%s", s.held(shopProd), answer)
	}
}

// TestPullRequestGivesNoRights: only the file on the base branch says who may what.
func TestPullRequestGivesNoRights(t *testing.T) {
	t.Parallel()
	s := shop(t, strings.Replace(shopPropose, "from: dev", "from: dev, right: maintain", 1))
	s.person("mallory", "read")
	s.person("wes", "write")
	opened(s)
	generous := strings.Replace(shopPropose, "from: dev", "from: dev, right: triage", 1) + "commands: {rights: {hold: triage}, aliases: {hold2: hold prod}}\n"
	theirs := s.propose("patch-1", "Let everybody hold", map[string]string{".github/promobot.yml": generous}).GetNumber()
	for i, c := range []struct{ login, text, says string }{
		{"mallory", "hold prod", "it asks for the role maintain"},
		{"wes", "hold prod", "it asks for the role maintain"},
		{"wes", "hold2", "is no command"},
	} {
		s.write(c.login, theirs, "/promobot "+c.text)
		if answer := s.answered(theirs, i+1); !strings.Contains(answer, c.says) {
			t.Errorf("%s: %s is answered:\n%s", c.login, c.text, answer)
		}
	}
	s.wantUnheard(theirs, 3)
}

// TestHoldMakesTheHeadNew: once a hold is answered, a merge that was asked for with
// the old head is refused, and the new head says that it is held.
func TestHoldMakesTheHeadNew(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	before := s.pull(opened(s))
	s.comments(before.Number, "/promobot hold prod")
	s.answered(before.Number, 1)
	_, response, err := s.ana.PullRequests.Merge(t.Context(), sceneOwner, s.name, before.Number, "", &github.PullRequestOptions{SHA: before.HeadSHA, MergeMethod: "merge"})
	if err == nil || response.StatusCode != http.StatusConflict {
		t.Errorf("a merge of the old head is answered with %v", err)
	}
	s.settle()
	after := s.pull(before.Number)
	if c := s.check(after.HeadSHA); !after.Open || c.Conclusion == "success" || !strings.Contains(c.Title+c.Summary, "held") {
		t.Errorf("open %v; its check run is %+v", after.Open, c)
	}
}

// TestHoldTakesAutoMergeBack: what was handed to GitHub is not merged once a hold is
// answered.
func TestHoldTakesAutoMergeBack(t *testing.T) {
	t.Parallel()
	s, ci := ruled(t, withKeys("merge: github"), githubsim.Ruleset{Checks: []githubsim.RequiredCheck{{Name: "build"}}})
	revision := s.release("2.0.0")
	s.wait("it is handed to GitHub", func() bool {
		p, there := s.open()[shopProd]
		return there && s.autoMerge(p.Number)
	})
	s.settle()
	number := s.open()[shopProd].Number
	s.comments(number, "/promobot hold prod")
	s.answered(number, 1)
	if s.autoMerge(number) {
		t.Error("the hold is answered while GitHub still merges by itself")
	}
	s.report(ci, s.pull(number).HeadSHA, "success")
	s.settle()
	if s.pull(number).Merged {
		t.Fatal("it is merged after the hold")
	}
	s.comments(number, "/promobot resume prod")
	s.wait("it goes on", func() bool { return s.landed(revision, shopProd) })
}

// TestCommandsToldInTheWrongOrder: they count in the order in which they were written.
func TestCommandsToldInTheWrongOrder(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	number := opened(s)
	s.comments(number, "/promobot hold prod first")
	s.answered(number, 1)
	s.sim.HoldWebhooks()
	s.comments(number, "/promobot resume prod")
	s.comments(number, "/promobot hold prod again")
	if _, err := s.sim.ReleaseWebhooks(func(all []githubsim.Webhook) []githubsim.Webhook {
		for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
			all[i], all[j] = all[j], all[i]
		}
		return all
	}); err != nil {
		t.Fatal(err)
	}
	s.answered(number, 3)
	if h := s.ledgers()[shopProd].Hold; h == nil || !strings.Contains(h.Reason, "again") {
		t.Errorf("prod is held: %+v; answered:\n%s", h, strings.Join(s.said(number), "\n"))
	}
}

// TestApprovalIsOfWhatWasSeen: never one's own, and not of what came later.
func TestApprovalIsOfWhatWasSeen(t *testing.T) {
	t.Parallel()
	s := shop(t, needsApproval)
	s.person("mai", "maintain")
	number := opened(s)
	s.comments(number, "/promobot approve")
	if answer := s.answered(number, 1); !strings.Contains(answer, "somebody else has to approve it") {
		t.Errorf("one's own approval is answered:\n%s", answer)
	}
	s.write("mai", number, "/promobot hold prod") // so that it is not merged at once
	s.answered(number, 2)
	s.write("mai", number, "/promobot approve")
	s.answered(number, 3)
	if p := s.ledgers()[shopProd].Promotion; p == nil || p.Approval == nil || p.Approval.By != "mai" {
		t.Fatalf("it is not approved: %+v", p)
	}
	newer := s.proposed(s.release("2.1.0"))
	s.write("mai", newer.Number, "/promobot resume prod")
	s.answered(newer.Number, 4)
	if p := s.pull(newer.Number); p.Merged || s.status() != state.Opened {
		t.Fatalf("what nobody approved is merged: %+v", p)
	}
	s.write("mai", newer.Number, "/promobot approve")
	s.wait("it has landed", func() bool { return s.read("envs/prod/values.yaml") == shopValues("2.1.0") })
}
