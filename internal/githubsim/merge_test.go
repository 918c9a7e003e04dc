package githubsim_test

// Merging by the three methods, and every way in which GitHub refuses it.

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

func TestMergeMethods(t *testing.T) {
	for _, tc := range []struct {
		method   string
		messages []string // of main, newest first, down to where it was
		authors  []string
		parents  int // of the tip
	}{
		{
			method:   "merge",
			messages: []string{"Merge pull request #1 from acme/topic\n\nPromote topic", "Start the shop"},
			authors:  []string{"promobot[bot]", "Mona"}, parents: 2,
		},
		{
			method: "squash", messages: []string{"Promote topic (#1)\n\n* Change topic\n\n* Second", "Start the shop"},
			authors: []string{"promobot[bot]", "Mona"}, parents: 1,
		},
		{
			method: "rebase", messages: []string{"Second", "Change topic", "Start the shop"},
			authors: []string{"mona", "mona", "Mona"}, parents: 1,
		},
	} {
		t.Run(tc.method, func(t *testing.T) {
			w := newWorld(t)
			w.branchWith("topic", file("a", "one\n"))
			second, err := w.Commit(t.Context(), "acme/shop", "mona", "topic", "Second", file("b", "two\n"))
			w.must(err)
			w.pull("topic")
			w.branchWith("main", file("c", "meanwhile\n"))
			tc.messages = append(tc.messages[:len(tc.messages)-1:len(tc.messages)-1], "Change main", "Start the shop")
			tc.authors = append(tc.authors[:len(tc.authors)-1:len(tc.authors)-1], "mona", "Mona")
			w.drained()
			result, _, err := w.bot.PullRequests.Merge(t.Context(), "acme", "shop", 1, "", &github.PullRequestOptions{
				MergeMethod: tc.method, SHA: second,
			})
			w.must(err)
			if !result.GetMerged() || result.GetMessage() != "Pull Request successfully merged" {
				t.Errorf("answered %v", result)
			}
			g := w.clone(w.token("mona"))
			if got := g.ok("rev-parse", "HEAD"); got != result.GetSHA() {
				t.Errorf("main is at %s, the answer says %s", got, result.GetSHA())
			}
			log := g.ok("log", "--first-parent", "--format=%an%x01%B%x02")
			var messages, authors []string
			for one := range strings.SplitSeq(strings.TrimSuffix(log, "\x02"), "\x02") {
				author, message, _ := strings.Cut(strings.TrimSpace(one), "\x01")
				messages, authors = append(messages, strings.TrimSpace(message)), append(authors, author)
			}
			if diff := cmp.Diff(tc.messages, messages); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.authors, authors); diff != "" {
				t.Errorf("authors (-want +got):\n%s", diff)
			}
			if n := len(strings.Fields(g.ok("log", "-1", "--format=%P"))); n != tc.parents {
				t.Errorf("the tip has %d parents, want %d", n, tc.parents)
			}
			if got := g.ok("ls-tree", "--name-only", "HEAD"); got != "README.md\na\nb\nc\nenvs" {
				t.Errorf("the tree has\n%s", got)
			}
			merged, _, err := w.bot.PullRequests.Get(t.Context(), "acme", "shop", 1)
			w.must(err)
			if !merged.GetMerged() || merged.GetMergeCommitSHA() != result.GetSHA() || merged.GetMergedBy().GetLogin() != "promobot[bot]" {
				t.Errorf("the pull request is %v", merged)
			}
			list := w.drained()
			push := only(t, list, "push")
			if push["ref"] != "refs/heads/main" || push["after"] != result.GetSHA() {
				t.Errorf("pushed %v to %v", push["ref"], push["after"])
			}
			closed := only(t, list, "pull_request")
			if closed["action"] != "closed" || closed["pull_request"].(map[string]any)["merged"] != true {
				t.Errorf("pull_request %v", closed["action"])
			}
		})
	}
}

func TestMergeDeletesTheHeadBranch(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, _, err := w.UserClient("olga").Repositories.Edit(ctx, "acme", "shop", &github.Repository{DeleteBranchOnMerge: new(true)})
	w.must(err)
	w.branchWith("topic", file("a", "1"))
	w.pull("topic")
	g := w.clone(w.token("mona"))
	g.ok("checkout", "-q", "topic")
	g.commit("Stacked", map[string]string{"s": "s"})
	g.ok("push", "-q", "origin", "HEAD:refs/heads/stacked")
	_, _, err = w.bot.PullRequests.Create(ctx, "acme", "shop", &github.NewPullRequest{
		Title: new("Stacked"), Head: new("stacked"), Base: new("topic"),
	})
	w.must(err)
	_, _, err = w.bot.PullRequests.Merge(ctx, "acme", "shop", 1, "", nil)
	w.must(err)
	refs, err := w.Refs("acme/shop")
	w.must(err)
	if refs["refs/heads/topic"] != "" {
		t.Error("the head branch is still there")
	}
	pulls, err := w.Pulls("acme/shop")
	w.must(err)
	if !pulls[0].Merged || !pulls[1].Open || pulls[1].Base != "main" {
		t.Errorf("pull requests: %+v", pulls)
	}
}

func TestMergeRefusals(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	olga := w.UserClient("olga")
	merge := func(o *github.PullRequestOptions) error {
		_, _, err := w.bot.PullRequests.Merge(ctx, "acme", "shop", 1, "", o)
		return err
	}
	settings := func(r *github.Repository) {
		_, _, err := olga.Repositories.Edit(ctx, "acme", "shop", r)
		w.must(err)
	}
	protect := func(checks ...string) {
		_, _, err := olga.Repositories.UpdateBranchProtection(ctx, "acme", "shop", "main", &github.ProtectionRequest{
			RequiredStatusChecks: &github.RequiredStatusChecks{Contexts: &checks},
		})
		w.must(err)
	}
	w.branchWith("topic", file("a", "1"))
	w.pull("topic")
	for _, tc := range []struct {
		name   string
		before func()
		o      *github.PullRequestOptions
		status int
		say    string
	}{
		{"head moved", func() {}, &github.PullRequestOptions{SHA: w.head}, 409, "Head branch was modified. Review and try the merge again."},
		{"base moved", func() { w.must(w.ForceBaseModified("acme/shop", 1)) }, nil, 405, "Base branch was modified. Review and try the merge again."},
		{"no merge commits", func() { settings(&github.Repository{AllowMergeCommit: new(false)}) }, nil, 405, "Merge commits are not allowed on this repository."},
		{
			"no squash", func() { settings(&github.Repository{AllowSquashMerge: new(false)}) },
			&github.PullRequestOptions{MergeMethod: "squash"}, 405, "Squash merges are not allowed on this repository.",
		},
		{"one check missing", func() {
			settings(&github.Repository{AllowMergeCommit: new(true)})
			protect("ci")
		}, nil, 405, `Required status check "ci" is expected.`},
		{"two checks missing", func() { protect("ci", "lint") }, nil, 405, "2 of 2 required status checks are expected."},
		{"a ruleset's check missing", func() {
			_, err := olga.Repositories.RemoveBranchProtection(ctx, "acme", "shop", "main")
			w.must(err)
			w.must(w.AddRuleset("acme/shop", rulesetOn("~DEFAULT_BRANCH", "ci")))
		}, nil, 405, "Repository rule violations found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.before()
			wantRefusal(t, merge(tc.o), tc.status, tc.say)
		})
	}
	t.Run("a token that bypasses", func(t *testing.T) {
		w.SetHabits(func(h *githubsim.Habits) { h.BypassApps = []int64{w.app.ID} })
		w.must(merge(nil))
	})
	t.Run("merged already", func(t *testing.T) {
		wantRefusal(t, merge(nil), 405, "Pull Request is not mergeable")
	})
	t.Run("a workflow without the permission", func(t *testing.T) {
		w.branchWith("ci", file(".github/workflows/ci.yml", "on: push\n"))
		p := w.pull("ci")
		c := w.Client(w.botToken(&github.InstallationPermissions{Contents: new("write"), PullRequests: new("write")}))
		_, _, err := c.PullRequests.Merge(ctx, "acme", "shop", p.GetNumber(), "", nil)
		wantRefusal(t, err, 403, "refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml`")
	})
}

func TestMergesAtOnce(t *testing.T) {
	w := newWorld(t)
	const pulls = 4
	for i := range pulls {
		branch := "topic" + string(rune('a'+i))
		w.branchWith(branch, file(branch, "x"))
		w.pull(branch)
	}
	errs := make([]error, pulls)
	var all sync.WaitGroup
	for i := range pulls {
		all.Go(func() {
			_, _, errs[i] = w.bot.PullRequests.Merge(t.Context(), "acme", "shop", i+1, "", nil)
		})
	}
	all.Wait()
	merged := 0
	for _, err := range errs {
		if err == nil {
			merged++
			continue
		}
		wantRefusal(t, err, 405, "Base branch was modified. Review and try the merge again.")
	}
	state, err := w.Pulls("acme/shop")
	w.must(err)
	shown := 0
	for _, p := range state {
		if p.Merged {
			shown++
		}
	}
	if merged == 0 || merged != shown {
		t.Errorf("%d merges were answered well, %d pull requests are merged", merged, shown)
	}
	g := w.clone(w.token("mona"))
	if n := g.ok("rev-list", "--merges", "--count", "HEAD"); n != string(rune('0'+merged)) {
		t.Errorf("main has %s merges, want %d", n, merged)
	}
}

func TestVerifiedCommits(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	head, _, err := w.bot.Git.GetCommit(ctx, "acme", "shop", w.head)
	w.must(err)
	if head.GetVerification().GetVerified() {
		t.Error("a pushed commit is verified")
	}
	made, _, err := w.bot.Git.CreateCommit(ctx, "acme", "shop", &github.Commit{
		Message: new("By the App"), Tree: head.Tree, Parents: []*github.Commit{{SHA: &w.head}},
	}, nil)
	w.must(err)
	if !made.GetVerification().GetVerified() || made.GetAuthor().GetName() != "promobot[bot]" {
		t.Errorf("the App's commit is %v", made)
	}
	named, _, err := w.bot.Git.CreateCommit(ctx, "acme", "shop", &github.Commit{
		Message: new("By someone"), Tree: head.Tree,
		Author: &github.CommitAuthor{Name: new("X"), Email: new("x@example.com")},
	}, nil)
	w.must(err)
	if named.GetVerification().GetVerified() {
		t.Error("a commit with an author given is verified")
	}
	g := w.clone(w.token("mona"))
	g.ok("fetch", "-q", "origin", made.GetSHA())
	g.ok("fsck", "--strict")
}
