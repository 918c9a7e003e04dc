package github_test

// Auto-merge and the merge queue: what is sent, and how it ends.

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/github"
	"github.com/promobot/promobot/promotion/reconcile"
)

// changes are the mutations, with an answer that confirms each.
var changes = map[string]struct {
	operation string
	call      func(ctx context.Context, r *github.Repository, method string) error
	done      obj
	shows     obj // a view that shows it
}{
	"enable": {
		"EnableAutoMerge", func(ctx context.Context, r *github.Repository, method string) error {
			return r.EnableAutoMerge(ctx, reconcile.MergeRequest{Number: 7, Head: head, Method: method, Title: "t", Message: "m"})
		},
		obj{"data": obj{"enablePullRequestAutoMerge": obj{"pullRequest": obj{"number": 7, "isInMergeQueue": false, "autoMergeRequest": obj{"enabledAt": "2026-03-02T09:00:00Z"}}}}},
		obj{"autoMergeRequest": obj{"enabledAt": "2026-03-02T09:00:00Z"}},
	},
	"disable": {
		"DisableAutoMerge", func(ctx context.Context, r *github.Repository, _ string) error { return r.DisableAutoMerge(ctx, 7) },
		obj{"data": obj{"disablePullRequestAutoMerge": obj{"pullRequest": obj{"number": 7, "autoMergeRequest": nil}}}},
		obj{"autoMergeRequest": nil},
	},
	"enqueue": {
		"Enqueue", func(ctx context.Context, r *github.Repository, _ string) error { return r.Enqueue(ctx, 7, head) },
		obj{"data": obj{"enqueuePullRequest": obj{"mergeQueueEntry": obj{"id": "MQE_1"}}}},
		obj{"isInMergeQueue": true},
	},
	"dequeue": {
		"Dequeue", func(ctx context.Context, r *github.Repository, _ string) error { return r.Dequeue(ctx, 7) },
		obj{"data": obj{"dequeuePullRequest": obj{"mergeQueueEntry": nil}}},
		obj{"isInMergeQueue": false},
	},
}

func TestMergeView(t *testing.T) {
	tests := []struct {
		name  string
		given obj
		want  promotion.MergeView
	}{
		{"nothing special", nil, promotion.MergeView{Head: head}},
		{"review missing", obj{"reviewDecision": "REVIEW_REQUIRED"}, promotion.MergeView{Head: head, Decision: "REVIEW_REQUIRED"}},
		{"auto-merge", obj{"autoMergeRequest": obj{"enabledAt": nil}}, promotion.MergeView{Head: head, AutoMerge: true}},
		{"queued", obj{"isInMergeQueue": true, "reviewDecision": "APPROVED"}, promotion.MergeView{Head: head, Decision: "APPROVED", Queued: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.onQuery("MergeView", answer(http.StatusOK, mergeView(tt.given)))
			got, err := s.repository().MergeView(t.Context(), 7)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("view (-want +got):\n%s", diff)
			}
			want := obj{"owner": "acme", "name": "shop", "number": 7.0}
			if diff := cmp.Diff(want, s.queries()[0].Variables); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
		})
	}
}

// A node id that REST told is not asked for.
func TestNodeIDIsKnown(t *testing.T) {
	s := newServer(t)
	s.on("GET /repos/acme/shop/pulls/7", answer(http.StatusOK, pull(7, obj{"node_id": "PR_rest"})))
	s.onQuery("MergeView", answer(http.StatusOK, mergeView(nil)))
	s.onQuery("Dequeue", answer(http.StatusOK, changes["dequeue"].done))
	r := s.repository()
	if _, err := r.PullRequest(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if err := r.Dequeue(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	sent := s.queries()
	if len(sent) != 1 || sent[0].input()["id"] != "PR_rest" {
		t.Errorf("asked %v", sent)
	}
}

func TestAutoMergeInput(t *testing.T) {
	for method, want := range map[string]obj{
		"":       {"pullRequestId": "PR_7", "expectedHeadOid": head, "mergeMethod": "MERGE", "commitHeadline": "t", "commitBody": "m"},
		"merge":  {"pullRequestId": "PR_7", "expectedHeadOid": head, "mergeMethod": "MERGE", "commitHeadline": "t", "commitBody": "m"},
		"squash": {"pullRequestId": "PR_7", "expectedHeadOid": head, "mergeMethod": "SQUASH", "commitHeadline": "t", "commitBody": "m"},
		"rebase": {"pullRequestId": "PR_7", "expectedHeadOid": head, "mergeMethod": "REBASE"},
	} {
		s := newServer(t)
		s.onQuery("MergeView", answer(http.StatusOK, mergeView(nil)))
		s.onQuery("EnableAutoMerge", answer(http.StatusOK, changes["enable"].done))
		if err := changes["enable"].call(t.Context(), s.repository(), method); err != nil {
			t.Fatal(err)
		}
		sent := s.queries()
		if diff := cmp.Diff(want, sent[len(sent)-1].input()); diff != "" {
			t.Errorf("%q: input (-want +got):\n%s", method, diff)
		}
	}
	s := newServer(t)
	if err := changes["enable"].call(t.Context(), s.repository(), "octopus"); err == nil || len(s.lines()) != 0 {
		t.Errorf("an unknown method: %v, %v", err, s.lines())
	}
}

// Without the head that was decided on, nothing is sent.
func TestGitHubMergesOnlyADecidedHead(t *testing.T) {
	s := newServer(t)
	r := s.repository()
	if r.EnableAutoMerge(t.Context(), reconcile.MergeRequest{Number: 7}) == nil || r.Enqueue(t.Context(), 7, "") == nil || len(s.lines()) != 0 {
		t.Errorf("asked %v", s.lines())
	}
}

func TestHowChangesEnd(t *testing.T) {
	unprocessable := func(message string) http.HandlerFunc {
		return answer(http.StatusOK, graphQLFault("UNPROCESSABLE", message))
	}
	const other = "2222222222222222222222222222222222222222"
	tests := []struct {
		name, change string
		answer       http.HandlerFunc
		view         obj // as it is afterwards
		want, says   string
	}{
		{"clean", "enable", unprocessable("Pull request Pull request is in clean status"), nil, "clean", "at once"},
		{"unstable", "enable", unprocessable("Pull request Pull request is in unstable status"), nil, "clean", ""},
		{"setting", "enable", unprocessable("Auto merge is not allowed for this repository"), nil, "refused", "Allow auto-merge"},
		{"no rules", "enable", unprocessable("Pull request Protected branch rules not configured for this branch"), nil, "refused", "ruleset"},
		{"method", "enable", unprocessable("Merge method squash merging is not allowed on this repository"), nil, "refused", "another method"},
		{"not worked out", "enable", unprocessable("Pull request is not in the correct state to enable auto-merge"), nil, "wait", ""},
		{"in conflict", "enable", unprocessable("Pull request Pull request is in dirty status"), nil, "conflict", ""},
		{"on already", "enable", unprocessable("Pull request auto-merge was enabled before"), obj{"autoMergeRequest": obj{}}, "none", ""},
		{"on already, head moved", "enable", unprocessable("No."), obj{"autoMergeRequest": obj{}, "headRefOid": other}, "conflict", "head is another"},
		{"head moved, told", "enable", unprocessable("Head sha does not match the expected one"), nil, "conflict", ""},
		{"head moved, in other words", "enable", unprocessable("No."), obj{"headRefOid": other}, "conflict", "head is another"},
		{"closed", "enable", unprocessable("No."), obj{"state": "CLOSED"}, "conflict", "closed"},
		{"queued at once", "enable", answer(200, obj{"data": obj{"enablePullRequestAutoMerge": obj{"pullRequest": obj{"number": 7, "isInMergeQueue": true}}}}), nil, "none", ""},
		{"confirmed, but not so", "enable", answer(200, obj{"data": obj{"enablePullRequestAutoMerge": obj{"pullRequest": obj{"number": 7}}}}), nil, "no answer", "not so"},
		{"permission", "enable", answer(200, graphQLFault("FORBIDDEN", "Resource not accessible by integration")), nil, "refused", "permissions"},
		{"lost", "enable", answer(502, "<html>"), obj{"autoMergeRequest": obj{}}, "no answer", "502"},

		{"off already", "disable", unprocessable("Can't disable auto-merge for this pull request"), nil, "none", ""},
		{"still on", "disable", unprocessable("Can't disable auto-merge for this pull request"), obj{"autoMergeRequest": obj{}}, "refused", "disable"},
		{"merged meanwhile", "disable", unprocessable("Can't disable auto-merge"), obj{"state": "MERGED"}, "none", ""},

		{"queued already", "enqueue", unprocessable("Pull request is already in the queue"), obj{"isInMergeQueue": true}, "none", ""},
		{"check missing", "enqueue", unprocessable(`Pull request Required status check "ci" is expected.`), nil, "wait", `"ci"`},
		{"review missing", "enqueue", unprocessable("Pull request Waiting on code owner review from acme/ops."), nil, "wait", "acme/ops"},
		{"workflow missing", "enqueue", unprocessable("Pull request Required workflow 'ci' is not satisfied"), nil, "wait", ""},
		{"no queue", "enqueue", unprocessable("No."), obj{"isMergeQueueEnabled": false}, "refused", "has no merge queue"},
		{"enqueued another head", "enqueue", unprocessable("No."), obj{"isInMergeQueue": true, "headRefOid": other}, "conflict", ""},
		{"no entry, but queued", "enqueue", answer(200, obj{"data": obj{"enqueuePullRequest": obj{"mergeQueueEntry": nil}}}), obj{"isInMergeQueue": true}, "none", ""},

		{"taken out, and called an error", "dequeue", unprocessable("Failed to remove PR #7 from the queue"), nil, "none", ""},
		{"still queued", "dequeue", unprocessable("Failed to remove PR #7 from the queue"), obj{"isInMergeQueue": true}, "refused", "remove"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.onQuery("MergeView", answer(http.StatusOK, mergeView(nil)), answer(http.StatusOK, mergeView(tt.view)))
			change := changes[tt.change]
			s.onQuery(change.operation, tt.answer)
			err := change.call(t.Context(), s.repository(), "squash")
			if got := kind(err); got != tt.want {
				t.Errorf("the error is %q (%v), want %q", got, err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q, want it to say %q", err, tt.says)
			}
		})
	}
}

// What stands already is asked for again without an error, by everyone.
func TestChangesAreIdempotent(t *testing.T) {
	for name, change := range changes {
		s := newServer(t)
		s.onQuery("MergeView", answer(http.StatusOK, mergeView(nil)), answer(http.StatusOK, mergeView(change.shows)))
		s.onQuery(change.operation, answer(http.StatusOK, change.done), answer(http.StatusOK, graphQLFault("UNPROCESSABLE", "Not twice.")))
		r := s.repository()
		for i := range 2 {
			if err := change.call(t.Context(), r, "merge"); err != nil {
				t.Errorf("%s, time %d: %v", name, i+1, err)
			}
		}
	}
}
