package githubsim_test

// Pull requests seen from around them: labels, assignees, comments, closing
// as an issue, and the checks that a merge needs.

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"
)

// branch makes a branch with one commit that adds a file.
func (w *world) branch(client *github.Client, name string) string {
	w.t.Helper()
	_, _, err := client.Git.CreateRef(w.t.Context(), "acme", "shop", &github.Reference{
		Ref: new("refs/heads/" + name), Object: &github.GitObject{SHA: &w.head},
	})
	w.must(err)
	file, _, err := client.Repositories.CreateFile(w.t.Context(), "acme", "shop", "new-"+strings.ReplaceAll(name, "/", "-"), &github.RepositoryContentFileOptions{
		Message: new("Add a file"), Content: []byte("x\n"), Branch: &name,
	})
	w.must(err)
	return file.GetSHA()
}

func (w *world) pullRequest(client *github.Client, head string) *github.PullRequest {
	w.t.Helper()
	p, _, err := client.PullRequests.Create(w.t.Context(), "acme", "shop", &github.NewPullRequest{
		Title: new("Bring " + head), Head: &head, Base: new("main"), Body: new("b"),
	})
	w.must(err)
	return p
}

func TestPullRequestAsIssue(t *testing.T) {
	w := newWorld(t)
	mona := w.UserClient("mona")
	w.branch(mona, "new/one")
	n := w.pullRequest(mona, "new/one").GetNumber()
	w.drained()
	_, _, err := w.bot.Issues.AddLabelsToIssue(t.Context(), "acme", "shop", n, []string{"promotion"})
	w.must(err)
	_, err = w.bot.Issues.RemoveLabelForIssue(t.Context(), "acme", "shop", n, "promotion")
	w.must(err)
	_, _, err = w.bot.Issues.AddAssignees(t.Context(), "acme", "shop", n, []string{"mona"})
	w.must(err)
	_, _, err = w.bot.Issues.RemoveAssignees(t.Context(), "acme", "shop", n, []string{"mona"})
	w.must(err)
	_, _, err = w.bot.Issues.CreateComment(t.Context(), "acme", "shop", n, &github.IssueComment{Body: new("hello")})
	w.must(err)
	_, _, err = w.bot.Issues.Edit(t.Context(), "acme", "shop", n, &github.IssueRequest{Title: new("Another title")})
	w.must(err)
	for _, state := range []string{"closed", "open", "closed"} {
		_, _, err = mona.Issues.Edit(t.Context(), "acme", "shop", n, &github.IssueRequest{State: &state})
		w.must(err)
	}
	if diff := cmp.Diff([]string{
		"pull_request labeled", "pull_request unlabeled", "pull_request assigned", "pull_request unassigned", "issue_comment created",
		"pull_request edited", "pull_request closed", "pull_request reopened", "pull_request closed",
	}, names(w.drained())); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}
	issue, _, err := w.bot.Issues.Get(t.Context(), "acme", "shop", n)
	w.must(err)
	if issue.GetClosedBy().GetLogin() != "mona" || !issue.IsPullRequest() {
		t.Errorf("closed by %q, pull request %v; want mona and true", issue.GetClosedBy().GetLogin(), issue.IsPullRequest())
	}
	all, _, err := w.bot.Issues.ListByRepo(t.Context(), "acme", "shop", &github.IssueListByRepoOptions{State: "all"})
	w.must(err)
	if len(all) != 1 || all[0].GetTitle() != "Another title" {
		t.Errorf("issues %v, want the pull request among them", all)
	}
}

func TestMergeNeedsItsChecks(t *testing.T) {
	w := newWorld(t)
	mona := w.UserClient("mona")
	sha := w.branch(mona, "new/one")
	n := w.pullRequest(mona, "new/one").GetNumber()
	_, _, err := w.UserClient("olga").Repositories.UpdateBranchProtection(t.Context(), "acme", "shop", "main", &github.ProtectionRequest{
		RequiredStatusChecks: &github.RequiredStatusChecks{Contexts: &[]string{}, Checks: &[]*github.RequiredStatusCheck{{Context: "ci"}}},
	})
	w.must(err)
	steps := []struct {
		name   string
		report func()
		want   int
	}{
		{name: "absent", report: func() {}, want: 405},
		{name: "running", report: func() { w.head = sha; w.check("ci", "in_progress", "") }, want: 405},
		{name: "failed", report: func() { w.check("ci", "completed", "failure") }, want: 405},
		{name: "skipped, but a status of the name pends", report: func() {
			w.check("ci", "completed", "skipped")
			_, _, err := w.bot.Repositories.CreateStatus(t.Context(), "acme", "shop", sha, &github.RepoStatus{State: new("pending"), Context: new("ci")})
			w.must(err)
		}, want: 405},
		{name: "both passed", report: func() {
			_, _, err := w.bot.Repositories.CreateStatus(t.Context(), "acme", "shop", sha, &github.RepoStatus{State: new("success"), Context: new("ci")})
			w.must(err)
		}, want: 200},
	}
	for _, step := range steps {
		step.report()
		_, resp, err := mona.PullRequests.Merge(t.Context(), "acme", "shop", n, "", &github.PullRequestOptions{SHA: sha})
		if statusOf(resp) != step.want {
			t.Errorf("%s: merging answers %d %v, want %d", step.name, statusOf(resp), err, step.want)
		}
	}
}

func TestCheckSuiteIsAskedForOnPush(t *testing.T) {
	w := newWorld(t)
	w.drained()
	sha := w.branch(w.UserClient("mona"), "new/one")
	got := w.drained()
	if diff := cmp.Diff([]string{"create", "push", "check_suite requested", "push", "check_suite requested"}, names(got)); diff != "" {
		t.Fatalf("webhooks (-want +got):\n%s", diff)
	}
	suite, _ := got[4].body["check_suite"].(map[string]any)
	if suite["head_sha"] != sha || suite["head_branch"] != "new/one" {
		t.Errorf("suite of %v on %v, want %s on new/one", suite["head_sha"], suite["head_branch"], sha)
	}
}
