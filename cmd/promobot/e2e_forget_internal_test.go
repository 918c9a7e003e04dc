package main

// The program forgets all it has on disk, at any moment: the same pull requests,
// no more.

import (
	"testing"
	"time"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
)

// TestForgettingEverything stops the program after every few requests, in the
// middle of whatever it does, and deletes its queue and its mirrors.
func TestForgettingEverything(t *testing.T) {
	t.Parallel()
	s := gitops(t, gitopsAllTheWay, githubsim.RepoOptions{})
	s.settings = func(c *Config) { c.StopGrace = 0 }
	before := s.refs()["refs/heads/main"]
	s.installed(7)
	qa := s.newVersion("7.0")
	revision := s.push("qa: 7.0", qa)
	const every = 25 // requests: what a cold start needs, and some of what comes after it
	stops, from, rests := 0, len(s.asked()), s.atRest()
	s.wait("all have landed", func() bool {
		if s.landed(revision, gitopsTargets...) {
			return true
		}
		// At rest it waits for a timer; the next start's clock is beyond it.
		if len(s.asked())-from >= every+stops || rests() {
			s.stop()
			s.forget()
			s.ahead.Add(int64(promotion.Bound + time.Second))
			s.start()
			stops, from, rests = stops+1, len(s.asked()), s.atRest()
		}
		return false
	})
	s.stop()
	s.forget()
	s.start()
	s.wait("the check run says so", func() bool { return s.check(revision).Conclusion == "success" })
	s.settle()
	t.Logf("stopped %d times on the way", stops)
	if stops < 3 {
		t.Errorf("stopped only %d times", stops)
	}
	s.wantFolders(before, qa)
	s.wantOnce(revision, "merge", sceneBot)
	s.wantOrder()
}
