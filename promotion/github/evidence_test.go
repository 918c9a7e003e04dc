package github_test

// What a real GitHub seldom says of deployments, runs, comments and rights:
// broken answers, ignored filters, lists that are cut off.

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/github"
)

// allGranted lets the installation grant all that promobot may use.
func (s *server) allGranted() {
	s.grant(obj{
		"contents": "write", "pull_requests": "write", "checks": "write", "statuses": "read", "deployments": "write", "actions": "write",
		"issues": "write", "members": "read",
	})
}

func workflowRun(changes obj) obj {
	out := obj{
		"id": 5, "name": "CI", "path": ".github/workflows/ci.yml@refs/heads/main", "head_sha": head, "status": "queued", "event": "workflow_dispatch",
		"created_at": "2026-03-02T09:00:00Z", "display_title": "t",
	}
	maps.Copy(out, changes)
	return out
}

func TestEvidenceInDoubt(t *testing.T) {
	const repo = "/repos/acme/shop"
	deployments := func(ctx context.Context, r *github.Repository) error { _, err := r.Deployments(ctx, head); return err }
	runs := func(ctx context.Context, r *github.Repository) error { _, err := r.WorkflowRuns(ctx, head); return err }
	since := func(ctx context.Context, r *github.Repository) error {
		_, err := r.RunsSince(ctx, "ci.yml", time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
		return err
	}
	run := func(ctx context.Context, r *github.Repository) error { _, err := r.Run(ctx, 5); return err }
	start := func(ctx context.Context, r *github.Repository) error {
		_, err := r.DispatchWorkflow(ctx, "ci.yml", "main", map[string]string{"a": "b"})
		return err
	}
	comment := func(ctx context.Context, r *github.Repository) error { _, err := r.Comment(ctx, 5); return err }
	comments := func(ctx context.Context, r *github.Repository) error {
		_, err := r.CommentsOn(ctx, 7, time.Time{})
		return err
	}
	write := func(ctx context.Context, r *github.Repository) error {
		_, err := r.WriteComment(ctx, 7, "x")
		return err
	}
	edit := func(ctx context.Context, r *github.Repository) error { return r.EditComment(ctx, 5, "x") }
	react := func(ctx context.Context, r *github.Repository) error { return r.React(ctx, 5, "eyes") }
	permission := func(ctx context.Context, r *github.Repository) error { _, err := r.Permission(ctx, "mona"); return err }
	team := func(ctx context.Context, r *github.Repository) error {
		_, err := r.InTeam(ctx, "mona", "acme/oncall")
		return err
	}
	own := func(ctx context.Context, r *github.Repository) error {
		_, err := r.OwnDeployments(ctx, "app/prod")
		return err
	}
	state := func(ctx context.Context, r *github.Repository) error { _, err := r.DeploymentState(ctx, 5); return err }
	record := func(ctx context.Context, r *github.Repository) error {
		_, err := r.CreateDeployment(ctx, promotion.Deployment{Environment: "app/prod", Commit: head, Promotion: "p1"})
		return err
	}
	set := func(ctx context.Context, r *github.Repository) error {
		return r.SetDeployment(ctx, 5, "success", "because", "")
	}
	list := func(items ...obj) obj { return obj{"total_count": len(items), "workflow_runs": items} }
	said := func(changes obj) obj {
		out := obj{"id": 5, "issue_url": "https://github.test/repos/acme/shop/issues/7", "created_at": "2026-03-02T09:00:00Z", "reactions": obj{"total_count": 0}}
		maps.Copy(out, changes)
		return out
	}
	tests := []struct {
		name, line string
		status     int
		body       any
		call       func(context.Context, *github.Repository) error
		want       string
	}{
		{"deployments of another commit", "GET " + repo + "/deployments", 200, []obj{{"id": 1, "environment": "qa", "sha": "2"}}, deployments, "no answer"},
		{"a deployment without an environment", "GET " + repo + "/deployments", 200, []obj{{"id": 1, "sha": head}}, deployments, "no answer"},
		{"deployments broken", "GET " + repo + "/deployments", 502, "", deployments, "no answer"},
		{"deployments of a deployment that went", "GET " + repo + "/deployments", 200, []obj{{"id": 1, "environment": "qa", "sha": head}}, deployments, "not found"},
		{"own deployments of another environment", "GET " + repo + "/deployments", 200, []obj{{"id": 1, "environment": "qa", "sha": head}}, own, "no answer"},
		{"own deployments without a commit", "GET " + repo + "/deployments", 200, []obj{{"id": 1, "environment": "app/prod"}}, own, "no answer"},
		{"own deployments whose payload is a text", "GET " + repo + "/deployments", 200, []obj{{"id": 1, "environment": "app/prod", "sha": head, "payload": `{"promotion":"p1"}`}}, own, "none"},
		{"own deployments broken", "GET " + repo + "/deployments", 502, "", own, "no answer"},
		{"a state that is none", "GET " + repo + "/deployments/5/statuses", 200, []obj{{"id": 1}}, state, "no answer"},
		{"the state of what is gone", "GET " + repo + "/deployments/5/statuses", 404, obj{"message": "Not Found"}, state, "not found"},
		{"recorded as nothing", "POST " + repo + "/deployments", 201, obj{}, record, "no answer"},
		{"recorded as merged", "POST " + repo + "/deployments", 202, obj{"message": "Auto-merged main into topic on deployment."}, record, "no answer"},
		{"recorded, unsaid", "POST " + repo + "/deployments", 502, "", record, "no answer"},
		{"recording forbidden", "POST " + repo + "/deployments", 403, obj{"message": "Resource not accessible by integration"}, record, "refused"},
		{"set as nothing", "POST " + repo + "/deployments/5/statuses", 201, obj{}, set, "no answer"},
		{"runs", "GET " + repo + "/actions/runs", 200, list(workflowRun(nil)), runs, "none"},
		{"runs not said", "GET " + repo + "/actions/runs", 200, obj{}, runs, "no answer"},
		{"runs cut off", "GET " + repo + "/actions/runs", 200, obj{"total_count": 1001, "workflow_runs": []obj{}}, runs, "no answer"},
		{"runs on another commit", "GET " + repo + "/actions/runs", 200, list(workflowRun(obj{"head_sha": "2"})), runs, "no answer"},
		{"a run without a workflow", "GET " + repo + "/actions/runs", 200, list(workflowRun(obj{"path": ""})), runs, "no answer"},
		{"runs of no workflow", "GET " + repo + "/actions/workflows/gone.yml/runs", 200, list(), since, "not found"},
		{"another run", "GET " + repo + "/actions/runs/5", 200, workflowRun(obj{"id": 6}), run, "no answer"},
		{"a run without a status", "GET " + repo + "/actions/runs/5", 200, workflowRun(obj{"status": nil}), run, "no answer"},
		{"dispatch unanswered", "POST " + repo + "/actions/workflows/ci.yml/dispatches", 502, "", start, "no answer"},
		{"dispatch answered with nothing", "POST " + repo + "/actions/workflows/ci.yml/dispatches", 200, "", start, "no answer"},
		{"dispatch as of old", "POST " + repo + "/actions/workflows/ci.yml/dispatches", 204, "", start, "none"},
		{"dispatch forbidden", "POST " + repo + "/actions/workflows/ci.yml/dispatches", 403, obj{"message": "Resource not accessible by integration"}, start, "refused"},
		{"dispatch limited", "POST " + repo + "/actions/workflows/ci.yml/dispatches", 403, obj{"message": "You have exceeded a secondary rate limit"}, start, "limited"},
		{"another comment", "GET " + repo + "/issues/comments/5", 200, said(obj{"id": 6}), comment, "no answer"},
		{"a comment on nothing", "GET " + repo + "/issues/comments/5", 200, said(obj{"issue_url": ""}), comment, "no answer"},
		{"a comment of nobody", "GET " + repo + "/issues/comments/5", 200, said(obj{"user": nil, "body": nil}), comment, "none"},
		{"comments on another", "GET " + repo + "/issues/7/comments", 200, []obj{said(obj{"issue_url": "https://github.test/8"})}, comments, "no answer"},
		{"written as nothing", "POST " + repo + "/issues/7/comments", 201, obj{}, write, "no answer"},
		{"written where it is locked", "POST " + repo + "/issues/7/comments", 403, obj{"message": "Unable to create comment because issue is locked."}, write, "refused"},
		{"written too quickly", "POST " + repo + "/issues/7/comments", 422, obj{"message": "was submitted too quickly"}, write, "limited"},
		{"edited another", "PATCH " + repo + "/issues/comments/5", 200, said(obj{"id": 6}), edit, "no answer"},
		{"reacted otherwise", "POST " + repo + "/issues/comments/5/reactions", 201, obj{"id": 1, "content": "-1"}, react, "no answer"},
		{"reacted already", "POST " + repo + "/issues/comments/5/reactions", 200, obj{"id": 1, "content": "eyes"}, react, "none"},
		{"may what", "GET " + repo + "/collaborators/mona/permission", 200, obj{}, permission, "no answer"},
		{"another may", "GET " + repo + "/collaborators/mona/permission", 200, obj{"permission": "admin", "user": obj{"login": "olga"}}, permission, "no answer"},
		{"may, unsaid", "GET " + repo + "/collaborators/mona/permission", 502, "", permission, "no answer"},
		{"in the team, unsaid", "GET /orgs/acme/teams/oncall/memberships/mona", 200, obj{}, team, "no answer"},
		{"team unseen", "GET /orgs/acme/teams/oncall/memberships/mona", 403, obj{"message": "Resource not accessible by integration"}, team, "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.allGranted()
			s.on(tt.line, answer(tt.status, tt.body))
			if got := kind(tt.call(t.Context(), s.repository())); got != tt.want {
				t.Errorf("the error is %q (%v), want %q", got, tt.call(t.Context(), s.repository()), tt.want)
			}
		})
	}
}

// Only a refusal of the parameter itself is a reason to start a workflow again.
func TestDispatchIsRepeatedForTheParameterAlone(t *testing.T) {
	for _, tt := range []struct {
		said string
		want []bool // return_run_details in each request
	}{
		{"Invalid request.\n\n\"return_run_details\" is not a permitted key.", []bool{true, false}},
		{"No ref found for: main", []bool{true}},
	} {
		s := newServer(t)
		s.allGranted()
		const line = "POST /repos/acme/shop/actions/workflows/ci.yml/dispatches"
		s.on(line, answer(http.StatusUnprocessableEntity, obj{"message": tt.said}))
		if _, err := s.repository().DispatchWorkflow(t.Context(), "ci.yml", "main", nil); kind(err) != "refused" {
			t.Errorf("%s: %v", tt.said, err)
		}
		var got []bool
		for _, sent := range s.seen(line) {
			var body map[string]any
			if err := json.Unmarshal([]byte(sent.body), &body); err != nil {
				t.Fatal(err)
			}
			_, asked := body["return_run_details"]
			got = append(got, asked)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: sent with the parameter %v, want %v", tt.said, got, tt.want)
		}
	}
}

// What is told of requests names nobody.
func TestObservedRoutesNameNobody(t *testing.T) {
	s := newServer(t)
	s.allGranted()
	var routes []string
	r := s.repository(func(o *github.Options) {
		o.Observe = func(seen github.Observation) {
			if !strings.HasPrefix(seen.Route, "/app") {
				routes = append(routes, seen.Method+" "+seen.Route)
			}
		}
	})
	ctx := t.Context()
	_, _ = r.InTeam(ctx, "mona", "acme/oncall")        // errors are of no interest here
	_, _ = r.Permission(ctx, "mona")                   // nor here
	_, _ = r.RunsSince(ctx, "secret.yml", time.Time{}) // nor here
	_, _ = r.Comment(ctx, 5)                           // nor here
	slices.Sort(routes)
	want := []string{
		"GET /orgs/{org}/teams/{team}/memberships/{username}", "GET /repos/{owner}/{repo}",
		"GET /repos/{owner}/{repo}/actions/workflows/{workflow}/runs",
		"GET /repos/{owner}/{repo}/collaborators/{username}/permission", "GET /repos/{owner}/{repo}/issues/comments/{number}",
	}
	if diff := cmp.Diff(want, slices.Compact(routes)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

// Comments create content, and so take of the budget; reactions do not.
func TestCommentsAreContent(t *testing.T) {
	s := newServer(t)
	s.on("POST /repos/acme/shop/issues/7/comments", answer(http.StatusCreated, obj{"id": 1}))
	s.on("POST /repos/acme/shop/issues/comments/1/reactions", answer(http.StatusCreated, obj{"id": 1, "content": "eyes"}))
	r := s.repository(func(o *github.Options) { o.Pacing = github.Pacing{WritesPerMinute: 2} })
	ctx := t.Context()
	if _, err := r.WriteComment(ctx, 7, "x"); err != nil || r.Budget() != 1 {
		t.Errorf("after a comment: %v, budget %d, want 1", err, r.Budget())
	}
	if err := r.React(ctx, 1, "eyes"); err != nil || r.Budget() != 1 {
		t.Errorf("after a reaction: %v, budget %d, want 1", err, r.Budget())
	}
	if _, err := r.WriteComment(ctx, 7, "x"); err != nil {
		t.Error(err)
	}
	if _, err := r.WriteComment(ctx, 7, "x"); kind(err) != "limited" {
		t.Errorf("a third comment in a minute: %v", err)
	}
}
