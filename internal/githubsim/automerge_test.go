package githubsim_test

// Auto-merge: when it is refused, what it waits for, what takes it back.

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

// autoWorld is a world whose main requires a check, with pull request 1.
func autoWorld(t *testing.T, rs githubsim.Ruleset) (*world, string) {
	t.Helper()
	w := newWorld(t)
	w.must(w.AllowAutoMerge("acme/shop", true))
	rs.Branches = []string{"main"}
	w.must(w.AddRuleset("acme/shop", rs))
	w.branchWith("topic", file("a", "1"))
	w.pull("topic")
	w.drained()
	return w, w.botToken(nil)
}

func TestAutoMergeMergesWhenRulesAreMet(t *testing.T) {
	w, token := autoWorld(t, githubsim.Ruleset{RequiredChecks: []string{"ci"}, Approvals: 1})
	got := w.mutate(token, "enablePullRequestAutoMerge", "pullRequestId", 1, map[string]any{
		"mergeMethod": "SQUASH", "commitHeadline": "Promote it", "commitBody": "Promotion-Id: 7", "expectedHeadOid": w.state(1).HeadSHA,
	})
	wantErrors(t, got)
	shown := w.graphQL(token, `{ repository(owner: "acme", name: "shop") { pullRequest(number: 1) {
		reviewDecision mergeStateStatus autoMergeRequest { mergeMethod commitHeadline commitBody enabledBy { login } } } } }`, nil)
	request := shown.at("repository.pullRequest.autoMergeRequest")
	want := map[string]any{
		"mergeMethod": "SQUASH", "commitHeadline": "Promote it", "commitBody": "Promotion-Id: 7", "enabledBy": map[string]any{"login": "promobot"},
	}
	if diff := cmp.Diff(any(want), request); diff != "" {
		t.Errorf("autoMergeRequest (-want +got):\n%s", diff)
	}
	if got := shown.at("repository.pullRequest.reviewDecision"); got != "REVIEW_REQUIRED" {
		t.Errorf("reviewDecision %v", got)
	}
	list, _, err := w.bot.PullRequests.List(t.Context(), "acme", "shop", nil)
	w.must(err)
	one, _, err := w.bot.PullRequests.Get(t.Context(), "acme", "shop", 1)
	w.must(err)
	for _, p := range []*github.PullRequest{list[0], one} {
		if a := p.GetAutoMerge(); a.GetMergeMethod() != "squash" || a.GetCommitTitle() != "Promote it" || a.GetEnabledBy().GetLogin() != "promobot[bot]" {
			t.Errorf("auto_merge %v", a)
		}
	}
	if diff := cmp.Diff([]string{"auto_merge_enabled #1"}, told(w.drained(), "pull_request")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}

	w.conclude(w.state(1).HeadSHA, "ci", "success")
	w.drained()
	if w.state(1).Merged {
		t.Fatal("merged without a review")
	}
	_, _, err = w.UserClient("mona").PullRequests.CreateReview(t.Context(), "acme", "shop", 1, &github.PullRequestReviewRequest{Event: new("APPROVE")})
	w.must(err)
	if diff := cmp.Diff([]string{"closed #1"}, told(w.drained(), "pull_request")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	p := w.state(1)
	if !p.Merged || p.MergedBy != "promobot[bot]" {
		t.Fatalf("the pull request is %+v", p)
	}
	g := w.clone(w.token("mona"))
	if got := g.ok("log", "-1", "--format=%H %B", "HEAD"); got != p.MergeCommit+" Promote it\n\nPromotion-Id: 7" {
		t.Errorf("main's tip is %q", got)
	}
	one, _, err = w.bot.PullRequests.Get(t.Context(), "acme", "shop", 1)
	w.must(err)
	if one.GetAutoMerge() != nil {
		t.Error("auto-merge is still on")
	}
}

func TestAutoMergeRefusals(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before func(*world)
		more   map[string]any
		want   string
	}{
		{"not allowed", func(w *world) { w.must(w.AllowAutoMerge("acme/shop", false)) }, nil, "UNPROCESSABLE Pull request Auto merge is not allowed for this repository"},
		{"nothing to wait for", func(w *world) { w.conclude(w.state(1).HeadSHA, "ci", "success") }, nil, "UNPROCESSABLE Pull request Pull request is in clean status"},
		{"only what is not required failed", func(w *world) {
			w.conclude(w.state(1).HeadSHA, "ci", "success")
			w.conclude(w.state(1).HeadSHA, "lint", "failure")
		}, nil, "UNPROCESSABLE Pull request Pull request is in unstable status"},
		{"no rules", func(w *world) { w.must(w.RemoveRulesets("acme/shop", "")) }, nil, "UNPROCESSABLE Pull request Pull request is in clean status"},
		{"no rules, and a failure", func(w *world) {
			w.must(w.RemoveRulesets("acme/shop", ""))
			w.conclude(w.state(1).HeadSHA, "lint", "failure")
		}, nil, "UNPROCESSABLE Pull request Protected branch rules not configured for this branch"},
		{"a conflict", func(w *world) { w.branchWith("main", file("a", "2")) }, nil, "UNPROCESSABLE Pull request Pull request is in dirty status"},
		{"another head", func(*world) {}, map[string]any{"expectedHeadOid": strings.Repeat("1", 40)}, "UNPROCESSABLE Expected head oid 1111111111111111111111111111111111111111 does not match"},
		{"a method that is not allowed", func(w *world) {
			w.must(w.AddRuleset("acme/shop", githubsim.Ruleset{Branches: []string{"main"}, LinearHistory: true}))
		}, nil, "UNPROCESSABLE Pull request Merge commits are not allowed on this repository."},
		{"closed", func(w *world) {
			_, _, err := w.bot.PullRequests.Edit(w.t.Context(), "acme", "shop", 1, &github.PullRequest{State: new("closed")})
			w.must(err)
		}, nil, "UNPROCESSABLE Pull request is closed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, token := autoWorld(t, githubsim.Ruleset{RequiredChecks: []string{"ci"}})
			tc.before(w)
			wantErrors(t, w.mutate(token, "enablePullRequestAutoMerge", "pullRequestId", 1, tc.more), tc.want)
		})
	}
}

func TestAutoMergeIsTakenBack(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*world, string)
		want []string
	}{
		{"by a mutation", func(w *world, token string) {
			wantErrors(w.t, w.mutate(token, "disablePullRequestAutoMerge", "pullRequestId", 1, nil))
		}, []string{"auto_merge_disabled #1 Auto-merge was disabled by promobot[bot]"}},
		{"by a push of who may only read", func(w *world, _ string) {
			_, err := w.Commit(w.t.Context(), "acme/shop", "rita", "topic", "More\n", file("b", "1"))
			w.must(err)
		}, []string{"auto_merge_disabled #1 Head branch was pushed to by a user without write access", "synchronize #1"}},
		{"by closing", func(w *world, _ string) {
			_, _, err := w.bot.PullRequests.Edit(w.t.Context(), "acme", "shop", 1, &github.PullRequest{State: new("closed")})
			w.must(err)
		}, []string{"auto_merge_disabled #1 Pull request was closed", "closed #1"}},
		{"not by a push of a writer", func(w *world, _ string) {
			_, err := w.Commit(w.t.Context(), "acme/shop", "mona", "topic", "More\n", file("b", "1"))
			w.must(err)
		}, []string{"synchronize #1"}},
		{"not by a push of the App", func(w *world, token string) {
			g := w.clone(token)
			g.ok("checkout", "-q", "topic")
			g.commit("More", map[string]string{"b": "1"})
			g.ok("push", "-q", "origin", "HEAD:topic")
		}, []string{"synchronize #1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, token := autoWorld(t, githubsim.Ruleset{RequiredChecks: []string{"ci"}})
			wantErrors(t, w.mutate(token, "enablePullRequestAutoMerge", "pullRequestId", 1, nil))
			w.drained()
			tc.do(w, token)
			if diff := cmp.Diff(tc.want, told(w.drained(), "pull_request")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			w.conclude(w.state(1).HeadSHA, "ci", "success")
			w.drained()
			if stays := strings.HasPrefix(tc.name, "not"); w.state(1).Merged != stays {
				t.Errorf("merged: %v, want %v", w.state(1).Merged, stays)
			}
		})
	}
}

// TestAutoMergeWaitsForRulesThatItsAppBypasses: GitHub never merges by itself
// past a rule.
func TestAutoMergeWaitsForRulesThatItsAppBypasses(t *testing.T) {
	w, token := autoWorld(t, githubsim.Ruleset{RequiredChecks: []string{"ci"}})
	w.SetHabits(func(h *githubsim.Habits) { h.BypassApps = []int64{w.app.ID} })
	wantErrors(t, w.mutate(token, "enablePullRequestAutoMerge", "pullRequestId", 1, nil))
	_, err := w.Commit(t.Context(), "acme/shop", "mona", "main", "Move\n", file("b", "1"))
	w.must(err)
	w.drained()
	if w.state(1).Merged {
		t.Fatal("merged without its check")
	}
	w.must(w.RemoveRulesets("acme/shop", ""))
	w.drained()
	if !w.state(1).Merged {
		t.Error("not merged, though no rule is left")
	}
}

func TestAutoMergeTriesAgainWhenTheBaseMoved(t *testing.T) {
	w, token := autoWorld(t, githubsim.Ruleset{RequiredChecks: []string{"ci"}})
	wantErrors(t, w.mutate(token, "enablePullRequestAutoMerge", "pullRequestId", 1, nil))
	w.must(w.ForceBaseModified("acme/shop", 2))
	w.conclude(w.state(1).HeadSHA, "ci", "success")
	w.drained()
	if !w.state(1).Merged {
		t.Error("not merged")
	}
}
