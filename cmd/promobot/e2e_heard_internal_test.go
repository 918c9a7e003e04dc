package main

// Comments on their way to the loop: told twice, or not at all.

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

// comments is ana's comment on an issue or pull request.
func (c *checkout) comments(number int, body string) {
	c.t.Helper()
	if _, _, err := c.ana.Issues.CreateComment(c.t.Context(), sceneOwner, c.name, number, &github.IssueComment{Body: &body}); err != nil {
		c.t.Fatalf("ana comments on #%d: %v", number, err)
	}
}

// answers is how often promobot has commented there.
func (s *scene) answers(number int) (n int) {
	s.t.Helper()
	all, err := s.sim.Comments(s.full(), number)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, one := range all {
		if one.Author == sceneBot {
			n++
		}
	}
	return n
}

const lettersFound = `promobot_letters_total{cause="sweep"}`

// TestCommandWhoseWebhookIsLost: the next sweep finds it in the list of comments,
// once, whether or not the program remembers anything.
func TestCommandWhoseWebhookIsLost(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]bool{"the queue is kept": false, "the queue is lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := shop(t, shopPropose)
			p := s.proposed(s.release("2.0.0"))
			s.sim.InjectHook(githubsim.HookFault{Event: "issue_comment", Effect: githubsim.LostWebhook()})
			s.comments(p.Number, "Is it time?")
			s.comments(p.Number, "Let me see.\n\n/promobot status")
			s.settle()
			if n := s.answers(p.Number); n != 0 {
				t.Fatalf("%d answers before the sweep", n)
			}
			s.stop()
			if forget {
				s.forget()
			}
			s.start()
			s.wait("it is answered", func() bool { return s.answers(p.Number) == 1 })
			s.settle()
			if n := s.metric(lettersFound); n != 1 {
				t.Errorf("the sweep found %v letters, want 1", n)
			}
			s.wantQuiet()
			if n := s.metric(lettersFound); n != 0 {
				t.Errorf("%v letters were found again", n)
			}
			if n := s.answers(p.Number); n != 1 {
				t.Errorf("%d answers", n)
			}
		})
	}
}

// TestCommandThatIsToldTwice: by three webhooks, and by the sweep of a program
// that remembers nothing.
func TestCommandThatIsToldTwice(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	p := s.proposed(s.release("2.0.0"))
	s.sim.InjectHook(githubsim.HookFault{Event: "issue_comment", Effect: githubsim.DuplicatedWebhook(3)})
	s.comments(p.Number, "/promobot status")
	s.wait("it is answered", func() bool { return s.answers(p.Number) == 1 })
	s.settle()
	s.stop()
	s.forget()
	s.start()
	s.wait("the sweep has found it again", func() bool { return s.metric(lettersFound) == 1 })
	s.settle()
	if n := s.answers(p.Number); n != 1 {
		t.Errorf("%d answers", n)
	}
}

// TestQuietRepositoryIsAskedForComments: the same question at each sweep, so that
// GitHub can answer with 304.
func TestQuietRepositoryIsAskedForComments(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	p := s.proposed(s.release("2.0.0"))
	s.comments(p.Number, "Is it time?")
	s.settle()
	again := func() []string { // a program with its queue, and nothing else, looks
		s.stop()
		s.start()
		s.settle()
		return s.askedForComments()
	}
	again() // and sees what ana said
	before := again()
	after := again()
	if len(before) == 0 || len(after) <= len(before) {
		t.Fatalf("comments are asked for %d times, after another sweep %d times", len(before), len(after))
	}
	if first, last := before[len(before)-1], after[len(after)-1]; first != last {
		t.Errorf("it asks for %s, and then for %s", first, last)
	}
}

// askedForComments are the paths by which the repository's comments were listed.
func (s *scene) askedForComments() (paths []string) {
	for _, r := range s.asked() {
		if r.Method == http.MethodGet && strings.HasSuffix(r.Route, "/issues/comments") {
			paths = append(paths, r.Path)
		}
	}
	return paths
}
