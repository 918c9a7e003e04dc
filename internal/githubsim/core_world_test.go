package githubsim_test

// What the tests of the core add to the world.

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

// githubsimRepo are options for a public repository, imported or empty.
func githubsimRepo(from string) githubsim.RepoOptions { return githubsim.RepoOptions{From: from} }

// rulesetOn is a ruleset that requires one check.
func rulesetOn(branch, check string) githubsim.Ruleset {
	return githubsim.Ruleset{Name: "rules", Branches: []string{branch}, RequiredChecks: []string{check}}
}

// file is a change that writes one file.
func file(path, text string) map[string]*string { return map[string]*string{path: &text} }

// branchWith makes a branch of acme/shop with one commit by mona.
func (w *world) branchWith(branch string, files map[string]*string) string {
	w.t.Helper()
	sha, err := w.Commit(w.t.Context(), "acme/shop", "mona", branch, "Change "+branch+"\n", files)
	w.must(err)
	return sha
}

// pull opens a pull request of a branch to main as the App.
func (w *world) pull(branch string) *github.PullRequest {
	w.t.Helper()
	p, _, err := w.bot.PullRequests.Create(w.t.Context(), "acme", "shop", &github.NewPullRequest{
		Title: new("Promote " + branch), Head: &branch, Base: new("main"), Body: new("Why."),
	})
	w.must(err)
	return p
}

// settled reads a pull request until mergeable is known: twice.
func (w *world) settled(number int) *github.PullRequest {
	w.t.Helper()
	var p *github.PullRequest
	for range 2 {
		var err error
		p, _, err = w.bot.PullRequests.Get(w.t.Context(), "acme", "shop", number)
		w.must(err)
	}
	return p
}

// wantRefusal checks the status and text of an API error. The text is looked
// for in the message and in the reasons of a 422.
func wantRefusal(t *testing.T, err error, status int, text string) {
	t.Helper()
	var answer *github.ErrorResponse
	var limited *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	var said string
	var resp *http.Response
	switch {
	case errors.As(err, &answer):
		said, resp = answer.Message, answer.Response
		for _, reason := range answer.Errors {
			said += "\n" + reason.Resource + " " + reason.Field + " " + reason.Code + " " + reason.Message
		}
	case errors.As(err, &limited):
		said, resp = limited.Message, limited.Response
	case errors.As(err, &abuse):
		said, resp = abuse.Message, abuse.Response
	default:
		t.Fatalf("got %v, want a refusal: %d %q", err, status, text)
	}
	if resp.StatusCode != status || !strings.Contains(said, text) {
		t.Errorf("refused with %d %q, want %d %q", resp.StatusCode, said, status, text)
	}
}
