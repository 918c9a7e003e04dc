package githubsim_test

// The life of pull requests: opening, moving, closing, reviewing, and all that
// GitHub refuses.

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

// pullEvents are the pull_request events since the last call, as their
// actions; reviews with a mark.
func (w *world) pullEvents() []string {
	out := []string{}
	for _, one := range w.drained() {
		switch one.event {
		case "pull_request":
			action := one.action
			if pr, _ := one.body["pull_request"].(map[string]any); action == "closed" && pr["merged"] == true {
				action = "merged"
			}
			out = append(out, action)
		case "pull_request_review":
			out = append(out, "review "+one.action)
		}
	}
	return out
}

func TestPullRequestLife(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	head := w.branchWith("topic", file("a", "one\n"))
	p := w.pull("topic")
	if p.GetNumber() != 1 || p.GetHead().GetSHA() != head || p.GetBase().GetSHA() != w.head || p.GetUser().GetLogin() != "promobot[bot]" ||
		p.GetAdditions() != 1 || p.GetChangedFiles() != 1 || p.GetCommits() != 1 {
		t.Errorf("opened %v", p)
	}
	g := w.clone(w.token("mona"))
	g.ok("fetch", "-q", "origin", "refs/pull/1/head")
	if got := g.ok("rev-parse", "FETCH_HEAD"); got != head {
		t.Errorf("refs/pull/1/head is at %s, want %s", got, head)
	}
	steps := []struct {
		name string
		do   func()
		want []string
	}{
		{"opened", func() {}, []string{"opened"}},
		{"pushed to", func() { w.branchWith("topic", file("a", "two\n")) }, []string{"synchronize"}},
		{"pushed to by force", func() {
			g.ok("push", "-q", "--force", "origin", head+":refs/heads/topic")
		}, []string{"synchronize"}},
		{"edited", func() {
			_, _, err := w.bot.PullRequests.Edit(ctx, "acme", "shop", 1, &github.PullRequest{Title: new("Better")})
			w.must(err)
		}, []string{"edited"}},
		{"closed", func() {
			_, _, err := w.bot.PullRequests.Edit(ctx, "acme", "shop", 1, &github.PullRequest{State: new("closed")})
			w.must(err)
		}, []string{"closed"}},
		{"reopened", func() {
			_, _, err := w.bot.PullRequests.Edit(ctx, "acme", "shop", 1, &github.PullRequest{State: new("open")})
			w.must(err)
		}, []string{"reopened"}},
		{"its branch deleted", func() { g.ok("push", "-q", "origin", ":refs/heads/topic") }, []string{"closed"}},
	}
	for _, step := range steps {
		step.do()
		if diff := cmp.Diff(step.want, w.pullEvents()); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", step.name, diff)
		}
	}
	_, _, err := w.bot.PullRequests.Edit(ctx, "acme", "shop", 1, &github.PullRequest{State: new("open")})
	wantRefusal(t, err, 422, "state cannot be changed. The topic branch has been deleted.")
}

func TestPullRequestMergedByPush(t *testing.T) {
	w := newWorld(t)
	head := w.branchWith("topic", file("a", "one\n"))
	w.pull("topic")
	w.drained()
	g := w.clone(w.token("mona"))
	g.ok("merge", "-q", "--no-ff", "-m", "By hand", "origin/topic")
	merge := g.ok("rev-parse", "HEAD")
	g.commit("And more", map[string]string{"more": "1"})
	g.ok("push", "-q", "origin", "HEAD:main")
	if diff := cmp.Diff([]string{"merged"}, w.pullEvents()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	pulls, err := w.Pulls("acme/shop")
	w.must(err)
	if got := pulls[0]; !got.Merged || got.MergeCommit != merge || got.HeadSHA != head || got.MergedBy != "mona" {
		t.Errorf("the pull request is %+v, want merged as %s", got, merge)
	}
}

func TestPullRequestRefusals(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.branchWith("topic", file("a", "one\n"))
	w.branchWith("same", nil)
	w.must(w.CreateUser("eve"))
	_, _, err := w.bot.Git.CreateRef(ctx, "acme", "shop", &github.Reference{
		Ref: new("refs/heads/level"), Object: &github.GitObject{SHA: &w.head},
	})
	w.must(err)
	w.pull("topic")
	for _, tc := range []struct {
		name, title, head, base, body string
		say                           string
	}{
		{"a second one", "t", "topic", "main", "", "A pull request already exists for acme:topic."},
		{"a second one, with owner", "t", "acme:topic", "main", "", "A pull request already exists for acme:topic."},
		{"no commits", "t", "level", "main", "", "No commits between main and level"},
		{"no head", "t", "gone", "main", "", "PullRequest head invalid"},
		{"no base", "t", "topic", "gone", "", "PullRequest base invalid"},
		{"no title", "", "same", "main", "", "PullRequest title missing_field"},
		{"a long title", strings.Repeat("ü", 257), "same", "main", "", "title is too long (maximum is 256 characters)"},
		{"a long body", "t", "same", "main", strings.Repeat("ü", 65537), "body is too long (maximum is 65536 characters)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := w.bot.PullRequests.Create(ctx, "acme", "shop", &github.NewPullRequest{
				Title: &tc.title, Head: &tc.head, Base: &tc.base, Body: &tc.body,
			})
			wantRefusal(t, err, 422, tc.say)
		})
	}
	t.Run("just fits", func(t *testing.T) {
		_, _, err := w.bot.PullRequests.Create(ctx, "acme", "shop", &github.NewPullRequest{
			Title: new(strings.Repeat("ü", 256)), Head: new("same"), Base: new("main"),
			Body: new(strings.Repeat("ü", 65536)),
		})
		w.must(err)
	})
}

func TestListOfPullRequests(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, branch := range []string{"one", "two", "three"} {
		w.branchWith(branch, file(branch, "x"))
		w.pull(branch)
	}
	_, _, err := w.bot.PullRequests.Edit(ctx, "acme", "shop", 2, &github.PullRequest{State: new("closed")})
	w.must(err)
	list := func(o github.PullRequestListOptions) []int {
		page, _, err := w.bot.PullRequests.List(ctx, "acme", "shop", &o)
		w.must(err)
		var out []int
		for _, p := range page {
			out = append(out, p.GetNumber())
		}
		return out
	}
	for _, tc := range []struct {
		name string
		o    github.PullRequestListOptions
		want []int
	}{
		{"open, newest first", github.PullRequestListOptions{}, []int{3, 1}},
		{"closed", github.PullRequestListOptions{State: "closed"}, []int{2}},
		{"all, oldest first", github.PullRequestListOptions{State: "all", Direction: "asc"}, []int{1, 2, 3}},
		{"by head", github.PullRequestListOptions{State: "all", Head: "acme:two"}, []int{2}},
		{"by head of a stranger", github.PullRequestListOptions{State: "all", Head: "eve:two"}, nil},
		{"by head without owner: ignored", github.PullRequestListOptions{State: "all", Head: "two"}, []int{3, 2, 1}},
		{"by base", github.PullRequestListOptions{Base: "other"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, list(tc.o)); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("lagging", func(t *testing.T) {
		w.SetHabits(func(h *githubsim.Habits) { h.ListLag = 5 * time.Second })
		w.clock.advance(10 * time.Second)
		w.branchWith("four", file("four", "x"))
		w.pull("four")
		_, _, err := w.bot.PullRequests.Edit(ctx, "acme", "shop", 1, &github.PullRequest{State: new("closed")})
		w.must(err)
		if diff := cmp.Diff([]int{3, 1}, list(github.PullRequestListOptions{})); diff != "" {
			t.Errorf("the list at once (-want +got):\n%s", diff)
		}
		if got, _, err := w.bot.PullRequests.Get(ctx, "acme", "shop", 4); err != nil || got.GetState() != "open" {
			t.Errorf("reading it directly: %v, %v", got, err)
		}
		w.clock.advance(6 * time.Second)
		if diff := cmp.Diff([]int{4, 3}, list(github.PullRequestListOptions{})); diff != "" {
			t.Errorf("the list later (-want +got):\n%s", diff)
		}
	})
	t.Run("with the owner's habit off", func(t *testing.T) {
		w.SetHabits(func(h *githubsim.Habits) { h.HeadNeedsOwner = false })
		if diff := cmp.Diff([]int{2}, list(github.PullRequestListOptions{State: "all", Head: "two"})); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
	})
}

func TestMergeable(t *testing.T) {
	w := newWorld(t)
	w.branchWith("topic", file("README.md", "# Topic\n"))
	p := w.pull("topic")
	read := func() (*bool, string, string) {
		got, _, err := w.bot.PullRequests.Get(t.Context(), "acme", "shop", p.GetNumber())
		w.must(err)
		return got.Mergeable, got.GetMergeableState(), got.GetMergeCommitSHA()
	}
	if m, state, _ := read(); m != nil || state != "unknown" {
		t.Errorf("the first read says %v, %s; want it not to know", m, state)
	}
	m, state, test := read()
	if m == nil || !*m || state != "clean" || test == "" {
		t.Errorf("the second read says %v, %s, %q", m, state, test)
	}
	g := w.clone(w.token("mona"))
	g.ok("fetch", "-q", "origin", "refs/pull/1/merge")
	if got := g.ok("rev-parse", "FETCH_HEAD"); got != test {
		t.Errorf("refs/pull/1/merge is at %s, want the test merge %s", got, test)
	}
	w.branchWith("main", file("README.md", "# Main\n"))
	if m, state, _ := read(); m != nil || state != "unknown" {
		t.Errorf("after the base moved, the first read says %v, %s", m, state)
	}
	if m, state, _ := read(); m == nil || *m || state != "dirty" {
		t.Errorf("of a conflict, the second read says %v, %s", m, state)
	}
	_, _, err := w.bot.PullRequests.Merge(t.Context(), "acme", "shop", 1, "", nil)
	wantRefusal(t, err, 405, "Pull Request is not mergeable")
	w.SetHabits(func(h *githubsim.Habits) { h.LazyMergeable, h.TestMerge = false, false })
	w.branchWith("eager", file("e", "e"))
	p = w.pull("eager")
	if m, _, test := read(); m == nil || !*m || test != "" {
		t.Errorf("with the habits off, the first read says %v and test merge %q", m, test)
	}
}

func TestReviews(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.branchWith("topic", file("a", "1"))
	w.pull("topic")
	mona, rita := w.UserClient("mona"), w.UserClient("rita")
	_, _, err := w.UserClient("olga").Repositories.UpdateBranchProtection(ctx, "acme", "shop", "main", &github.ProtectionRequest{
		RequiredPullRequestReviews: &github.PullRequestReviewsEnforcementRequest{RequiredApprovingReviewCount: 1, DismissStaleReviews: true},
	})
	w.must(err)
	review := func(c *github.Client, event, body string) (*github.PullRequestReview, error) {
		rv, _, err := c.PullRequests.CreateReview(ctx, "acme", "shop", 1, &github.PullRequestReviewRequest{Event: &event, Body: &body})
		return rv, err
	}
	merge := func() error {
		_, _, err := w.bot.PullRequests.Merge(ctx, "acme", "shop", 1, "", nil)
		return err
	}
	wantMissing := func(when string) {
		t.Helper()
		if got := w.settled(1).GetMergeableState(); got != "blocked" {
			t.Errorf("%s: mergeable_state is %s, want blocked", when, got)
		}
		wantRefusal(t, merge(), 405, "At least 1 approving review is required by reviewers with write access.")
	}
	wantMissing("without reviews")
	_, err = review(w.bot, "APPROVE", "")
	if err == nil || !strings.Contains(err.Error(), "422 Unprocessable Entity") {
		t.Errorf("approving one's own: %v", err)
	}
	_, _, err = w.bot.PullRequests.RequestReviewers(ctx, "acme", "shop", 1, github.ReviewersRequest{Reviewers: []string{"mona"}})
	w.must(err)
	_, err = review(rita, "APPROVE", "Nice")
	w.must(err)
	wantMissing("approved by a reader")
	approval, err := review(mona, "APPROVE", "Good")
	w.must(err)
	if got := w.settled(1).GetMergeableState(); got != "clean" {
		t.Errorf("approved, mergeable_state is %s", got)
	}
	_, _, err = w.UserClient("olga").PullRequests.DismissReview(ctx, "acme", "shop", 1, approval.GetID(),
		&github.PullRequestReviewDismissalRequest{Message: new("Too soon")})
	w.must(err)
	wantMissing("dismissed")
	_, err = review(mona, "APPROVE", "Again")
	w.must(err)
	w.branchWith("topic", file("a", "2"))
	wantMissing("pushed to after the approval")
	_, err = review(mona, "APPROVE", "And again")
	w.must(err)
	w.must(merge())
	want := []string{
		"opened", "review_requested", "review submitted", "review submitted", "review dismissed", "review submitted",
		// A push dismisses every approval, the reader's too.
		"synchronize", "review dismissed", "review dismissed", "review submitted", "merged",
	}
	got := w.pullEvents()
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
