package github_test

// What it means that GitHub does not merge.

import (
	"net/http"
	"strings"
	"testing"

	"github.com/promobot/promobot/promotion/github"
	"github.com/promobot/promobot/promotion/reconcile"
)

func merge(t *testing.T, r *github.Repository) error {
	t.Helper()
	return r.MergePullRequest(t.Context(), reconcile.MergeRequest{Number: 7, Head: head, Method: "squash", Title: "t", Message: "m"})
}

func TestWhatRefusalsToMergeMean(t *testing.T) {
	const rules = "Repository rule violations found\n\n"
	tests := []struct{ message, want, says string }{
		{"Base branch was modified. Review and try the merge again.", "conflict", ""},
		{"Head branch was modified. Review and try the merge again.", "conflict", ""},
		{"Head branch is out of date", "conflict", ""},
		{"Pull request has merge conflicts", "conflict", ""},

		{`Required status check "ci" is expected.`, "wait", `"ci"`},
		{`Required status check "ci" is in progress.`, "wait", ""},
		{`Required status check "ci" is pending.`, "wait", ""},
		{`Required status check "ci" is queued.`, "wait", ""},
		{"2 of 2 required status checks are expected.", "wait", ""},
		{"1 of 3 required status checks have not succeeded: 1 expected.", "wait", ""},
		{"3 of 3 required status checks have not succeeded: 2 expected and 1 pending.", "wait", ""},
		{rules + "Required status check \"ci\" is expected.\n\n", "wait", ""},
		{rules + "2 of 2 required status checks are expected.", "wait", ""},
		{"At least 1 approving review is required by reviewers with write access.", "wait", "approving review"},
		{"Waiting on code owner review from acme/ops.", "wait", ""},
		{rules + "New changes require approval from someone other than bo because they were the last pusher.", "wait", ""},
		{rules + "A conversation must be resolved before this pull request can be merged.", "wait", ""},
		{rules + "Code scanning is waiting for results from CodeQL for the commits 1111111 or 2222222.", "wait", ""},
		{rules + "Missing successful active production deployment.", "wait", ""},
		{"Merge already in progress", "wait", ""},

		{`Required status check "ci" is failing.`, "refused", ""},
		{"2 of 2 required status checks have not succeeded: 1 expected and 1 failing.", "refused", ""},
		{`Required status check "is failing" is expected.`, "wait", ""},
		{`Required status check "is expected" is failing.`, "refused", ""},
		{rules + "Required status check \"ci\" is expected.\n\nCommits must have verified signatures.", "refused", "commits: verified"},
		{rules + "Changes must be made through the merge queue", "refused", "merge: queue"},
		{rules + "Cannot update this protected ref.", "refused", ""},
		{"Merge commits are not allowed on this repository.", "refused", "another method"},
		{"Squash merges are not allowed on this repository.", "refused", "settings"},
		{"Rebase merges are not allowed on this repository.", "refused", ""},
		{"This branch can't be rebased", "refused", ""},
		{"Pull Request is still a draft", "refused", ""},
		{"You're not authorized to push to this branch. Visit https://docs.github.com/about-protected-branches for more information.", "refused", ""},
		{"Something that nobody has read before", "refused", "nobody has read"},
		{"", "refused", ""},
	}
	for _, tt := range tests {
		t.Run(tt.message, func(t *testing.T) {
			s := newServer(t)
			s.on("PUT /repos/acme/shop/pulls/7/merge", answer(http.StatusMethodNotAllowed, obj{"message": tt.message}))
			err := merge(t, s.repository())
			if got := kind(err); got != tt.want {
				t.Errorf("the error is %q (%v), want %q", got, err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q, want it to say %q", err, tt.says)
			}
			if n := len(s.lines()); n != 1 {
				t.Errorf("%d requests: %v", n, s.lines())
			}
		})
	}
}

// GitHub says "not mergeable" of several things; the pull request says which.
func TestWhyItIsNotMergeable(t *testing.T) {
	other := obj{"ref": "promobot/a/qa/1", "sha": "2222222222222222222222222222222222222222"}
	tests := []struct {
		name string
		pull obj
		want string
	}{
		{"not worked out", obj{"mergeable": nil, "mergeable_state": "unknown"}, "wait"},
		{"rules not met", obj{"mergeable": true, "mergeable_state": "blocked"}, "wait"},
		{"in conflict", obj{"mergeable": false, "mergeable_state": "dirty"}, "conflict"},
		{"behind", obj{"mergeable": true, "mergeable_state": "behind"}, "conflict"},
		{"head moved", obj{"mergeable": true, "mergeable_state": "clean", "head": other}, "conflict"},
		{"closed", obj{"state": "closed", "mergeable": nil, "mergeable_state": "unknown"}, "conflict"},
		{"draft", obj{"draft": true, "mergeable": true, "mergeable_state": "draft"}, "refused"},
		{"for no reason", obj{"mergeable": true, "mergeable_state": "clean"}, "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.on("PUT /repos/acme/shop/pulls/7/merge", answer(http.StatusMethodNotAllowed, obj{"message": "Pull Request is not mergeable"}))
			s.on("GET /repos/acme/shop/pulls/7", answer(http.StatusOK, pull(7, tt.pull)))
			err := merge(t, s.repository())
			if got := kind(err); got != tt.want {
				t.Errorf("the error is %q (%v), want %q", got, err, tt.want)
			}
		})
	}
	s := newServer(t)
	s.on("PUT /repos/acme/shop/pulls/7/merge", answer(http.StatusMethodNotAllowed, obj{"message": "Pull Request is not mergeable"}))
	s.on("GET /repos/acme/shop/pulls/7", answer(http.StatusBadGateway, "<html>"))
	if err := merge(t, s.repository()); kind(err) != "no answer" {
		t.Errorf("when it cannot be looked at: %v", err)
	}
}
