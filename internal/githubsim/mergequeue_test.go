package githubsim_test

// Merge queues: groups and their checks, what lands how, what leaves why.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

// queueWorld is a world whose main takes changes through a queue only, which
// asks for the check ci, with pull requests topic1 … topicN that have it.
func queueWorld(t *testing.T, q githubsim.MergeQueue, pulls int) (*world, string) {
	t.Helper()
	w := newWorld(t)
	for i := 1; i <= pulls; i++ {
		branch := fmt.Sprintf("topic%d", i)
		w.branchWith(branch, file(branch, "1"))
		w.pull(branch)
		w.conclude(w.state(i).HeadSHA, "ci", "success")
	}
	w.must(w.AddRuleset("acme/shop", githubsim.Ruleset{Branches: []string{"main"}, RequiredChecks: []string{"ci"}, Queue: &q}))
	w.drained()
	return w, w.botToken(nil)
}

func (w *world) enqueue(token string, numbers ...int) {
	w.t.Helper()
	for _, n := range numbers {
		wantErrors(w.t, w.mutate(token, "enqueuePullRequest", "pullRequestId", n, map[string]any{"expectedHeadOid": w.state(n).HeadSHA}))
	}
}

// groups are the branches of merge groups, by pull request.
func (w *world) groups() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for name, id := range mustRefs(w) {
		if rest, is := strings.CutPrefix(name, "refs/heads/gh-readonly-queue/main/pr-"); is {
			number, _, _ := strings.Cut(rest, "-")
			out[number] = id
		}
	}
	return out
}

const queueQuery = `{ repository(owner: "acme", name: "shop") { mergeQueue(branch: "main") { configuration { mergeMethod maximumEntriesToMerge }
	entries(first: 10) { nodes { position state pullRequest { number isInMergeQueue } } } } } }`

// queueStates are the entries of main's queue, as "1 AWAITING_CHECKS".
func (w *world) queueStates(token string) []string {
	w.t.Helper()
	got := w.graphQL(token, queueQuery, nil)
	wantErrors(w.t, got)
	out := []string{}
	for _, node := range got.at("repository.mergeQueue.entries.nodes").([]any) {
		n := node.(map[string]any)
		out = append(out, fmt.Sprint(n["pullRequest"].(map[string]any)["number"], " ", n["state"]))
	}
	return out
}

func TestQueueMergesABatchInOrder(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method, func(t *testing.T) {
			w, token := queueWorld(t, githubsim.MergeQueue{Method: method, MaxMerge: 2}, 3)
			base := w.head
			w.enqueue(token, 2, 1, 3)
			events := w.drained()
			wantPulls := []string{"enqueued #2", "enqueued #1", "enqueued #3"}
			if diff := cmp.Diff(wantPulls, told(events, "pull_request")); diff != "" {
				t.Errorf("pull_request (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"checks_requested", "checks_requested", "checks_requested"}, told(events, "merge_group")); diff != "" {
				t.Errorf("merge_group (-want +got):\n%s", diff)
			}
			groups := w.groups()
			group := events[slices.IndexFunc(events, func(r received) bool { return r.event == "merge_group" })].body["merge_group"].(map[string]any)
			want := map[string]any{
				"head_sha": groups["2"], "head_ref": "refs/heads/gh-readonly-queue/main/pr-2-" + base, "base_sha": base, "base_ref": "refs/heads/main",
			}
			delete(group, "head_commit")
			if diff := cmp.Diff(want, group); diff != "" {
				t.Errorf("merge_group (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"2 AWAITING_CHECKS", "1 AWAITING_CHECKS", "3 AWAITING_CHECKS"}, w.queueStates(token)); diff != "" {
				t.Errorf("queue (-want +got):\n%s", diff)
			}

			w.conclude(groups["1"], "ci", "success")
			if got := mustRefs(w)["refs/heads/main"]; got != base {
				t.Fatalf("main moved to %s while the first entry waits", got)
			}
			w.conclude(groups["2"], "ci", "success")
			events = w.drained()
			wantPulls = []string{"dequeued #2 MERGE", "closed #2", "dequeued #1 MERGE", "closed #1"}
			if diff := cmp.Diff(wantPulls, told(events, "pull_request")); diff != "" {
				t.Errorf("pull_request (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"destroyed merged", "destroyed merged"}, told(events, "merge_group")); diff != "" {
				t.Errorf("merge_group (-want +got):\n%s", diff)
			}
			mains := slices.DeleteFunc(events, func(r received) bool { return r.event != "push" || r.body["ref"] != "refs/heads/main" })
			if len(mains) != 1 || mains[0].body["before"] != base || mains[0].body["after"] != groups["1"] {
				t.Errorf("pushes to main: %v", names(mains))
			}
			first, second := w.state(2), w.state(1)
			if !first.Merged || first.MergeCommit != groups["2"] || second.MergeCommit != groups["1"] || second.BaseSHA != groups["2"] {
				t.Errorf("merged as %+v and %+v", first, second)
			}
			g := w.clone(w.token("mona"))
			if got := g.ok("log", "--first-parent", "--format=%H", base+"..HEAD"); got != groups["1"]+"\n"+groups["2"] {
				t.Errorf("main gained\n%s", got)
			}
			if diff := cmp.Diff([]string{"3 AWAITING_CHECKS"}, w.queueStates(token)); diff != "" {
				t.Errorf("queue (-want +got):\n%s", diff)
			}
			if left := w.groups(); len(left) != 1 || left["3"] != groups["3"] {
				t.Errorf("group branches %v, want that of #3 only", left)
			}
		})
	}
}

func TestQueueEntriesLeave(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*world, string)
		want []string
		// rebuilt tells whether the entry behind was built anew.
		rebuilt bool
	}{
		{"a check fails", func(w *world, _ string) { w.conclude(w.groups()["1"], "ci", "failure") }, []string{"dequeued #1 CI_FAILURE"}, true},
		{"checks take too long", func(w *world, _ string) {
			w.conclude(w.groups()["2"], "ci", "success")
			w.clock.advance(61 * time.Minute)
			w.Poke()
		}, []string{"dequeued #1 CI_TIMEOUT"}, true},
		{"by a mutation", func(w *world, token string) {
			wantErrors(w.t, w.mutate(token, "dequeuePullRequest", "id", 1, nil))
		}, []string{"dequeued #1 MANUAL"}, true},
		{"its head moves", func(w *world, _ string) {
			_, err := w.Commit(w.t.Context(), "acme/shop", "mona", "topic1", "More\n", file("more", "1"))
			w.must(err)
		}, []string{"dequeued #1 UNKNOWN_REMOVAL_REASON", "synchronize #1"}, true},
		{"it is closed", func(w *world, _ string) {
			_, _, err := w.bot.PullRequests.Edit(w.t.Context(), "acme", "shop", 1, &github.PullRequest{State: new("closed")})
			w.must(err)
		}, []string{"dequeued #1 UNKNOWN_REMOVAL_REASON", "closed #1"}, true},
		{"the base moves into its way", func(w *world, _ string) {
			w.SetHabits(func(h *githubsim.Habits) { h.BypassApps = []int64{w.app.ID} })
			g := w.clone(w.botToken(nil))
			g.commit("Straight", map[string]string{"topic1": "other"})
			g.ok("push", "-q", "origin", "HEAD:main")
		}, []string{"dequeued #1 MERGE_CONFLICT"}, true},
		{"the queue is no more", func(w *world, _ string) { w.must(w.RemoveRulesets("acme/shop", "")) }, []string{"dequeued #1 QUEUE_CLEARED", "dequeued #2 QUEUE_CLEARED"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, token := queueWorld(t, githubsim.MergeQueue{}, 2)
			w.enqueue(token, 1, 2)
			w.drained()
			before := w.groups()["2"]
			tc.do(w, token)
			mona := w.token("mona") // the App's token may have run out
			w.waitFor(func() bool {
				got := w.graphQL(mona, `{ repository(owner: "acme", name: "shop") { pullRequest(number: 1) { isInMergeQueue } } }`, nil)
				return got.at("repository.pullRequest.isInMergeQueue") == false
			})
			if diff := cmp.Diff(tc.want, told(w.drained(), "pull_request")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			after := w.groups()["2"]
			if tc.rebuilt != (after != "" && after != before) {
				t.Errorf("the entry behind was at %q and is at %q", before, after)
			}
			if w.state(1).Merged || w.state(2).Merged {
				t.Error("something was merged")
			}
		})
	}
}

func TestQueueRefusals(t *testing.T) {
	w, token := queueWorld(t, githubsim.MergeQueue{}, 1)
	w.branchWith("bare", file("bare", "1"))
	w.pull("bare")
	enqueue := func(number int, more map[string]any) answered {
		return w.mutate(token, "enqueuePullRequest", "pullRequestId", number, more)
	}
	wantErrors(t, enqueue(2, nil), `UNPROCESSABLE Repository rule violations found`)
	wantErrors(t, enqueue(1, map[string]any{"expectedHeadOid": w.head}), "UNPROCESSABLE Expected head oid")
	wantErrors(t, w.mutate(token, "dequeuePullRequest", "id", 1, nil), "UNPROCESSABLE Pull request is not in the merge queue")
	_, _, err := w.bot.PullRequests.Merge(t.Context(), "acme", "shop", 1, "", nil)
	wantRefusal(t, err, 405, "Repository rule violations found\n\nChanges must be made through the merge queue\n\n")
	wantErrors(t, enqueue(1, nil))
	wantErrors(t, enqueue(1, nil), "UNPROCESSABLE Pull request is already in the merge queue")
	w.must(w.RemoveRulesets("acme/shop", ""))
	w.drained()
	wantErrors(t, enqueue(1, nil), "UNPROCESSABLE Pull request base branch does not have a merge queue")
}

func TestQueueWaitsForCompany(t *testing.T) {
	w, token := queueWorld(t, githubsim.MergeQueue{MinMerge: 2, WaitMinutes: 10}, 1)
	w.enqueue(token, 1)
	w.drained()
	w.conclude(w.groups()["1"], "ci", "success")
	w.drained()
	if w.state(1).Merged {
		t.Fatal("merged alone")
	}
	if diff := cmp.Diff([]string{"1 MERGEABLE"}, w.queueStates(token)); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
	w.clock.advance(10 * time.Minute)
	w.Poke()
	w.waitFor(func() bool { return w.state(1).Merged })
}

func TestQueueTakesTheHeadsWord(t *testing.T) {
	w, token := queueWorld(t, githubsim.MergeQueue{HeadGreen: true}, 2)
	w.enqueue(token, 1, 2)
	w.drained()
	groups := w.groups()
	w.conclude(groups["2"], "ci", "success")
	w.drained()
	if !w.state(1).Merged || !w.state(2).Merged || mustRefs(w)["refs/heads/main"] != groups["2"] {
		t.Errorf("merged %v and %v", w.state(1).Merged, w.state(2).Merged)
	}
}

// TestAutoMergeEntersTheQueue: with a queue, auto-merge is "merge when ready".
func TestAutoMergeEntersTheQueue(t *testing.T) {
	w, token := queueWorld(t, githubsim.MergeQueue{}, 1)
	w.must(w.AllowAutoMerge("acme/shop", true))
	w.branchWith("late", file("late", "1"))
	w.pull("late")
	for _, n := range []int{1, 2} {
		wantErrors(t, w.mutate(token, "enablePullRequestAutoMerge", "pullRequestId", n, nil))
	}
	w.drained()
	if diff := cmp.Diff([]string{"1 AWAITING_CHECKS"}, w.queueStates(token)); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
	w.conclude(w.state(2).HeadSHA, "ci", "success")
	w.drained()
	if diff := cmp.Diff([]string{"1 AWAITING_CHECKS", "2 AWAITING_CHECKS"}, w.queueStates(token)); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
}

// TestScriptedChecksAnswerTheQueue: a CI system that reports on every push
// lets queues go on by themselves.
func TestScriptedChecksAnswerTheQueue(t *testing.T) {
	w, token := queueWorld(t, githubsim.MergeQueue{}, 2)
	w.must(w.ScriptChecks(githubsim.ScriptedCheck{App: w.app.ID, Name: "ci"}))
	w.enqueue(token, 1, 2)
	w.waitFor(func() bool {
		w.Poke()
		return w.state(1).Merged && w.state(2).Merged
	})
	if left := w.groups(); len(left) != 0 {
		w.drained()
		if left = w.groups(); len(left) != 0 {
			t.Errorf("group branches are left: %v", left)
		}
	}
}
