package handlers_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/handlers"
)

func TestWhichEventsWake(t *testing.T) {
	const common = `"installation":{"id":3},"repository":{"id":42,"full_name":"acme/deploy"}`
	one := []handlers.Repository{deploy}
	cases := []struct {
		name  string
		event string
		body  []byte
		wakes []handlers.Repository
		sweep int
	}{
		{"push", "push", bodyOf(`{%s}`, common), one, 0},
		{"a branch appears", "create", bodyOf(`{"ref_type":"branch",%s}`, common), one, 0},
		{"a branch goes", "delete", bodyOf(`{"ref_type":"branch",%s}`, common), one, 0},
		{"a commit status", "status", bodyOf(`{"state":"success",%s}`, common), one, 0},
		{"a deployment's status", "deployment_status", bodyOf(`{"action":"created",%s}`, common), one, 0},
		{"a release", "release", bodyOf(`{"action":"published",%s}`, common), one, 0},
		{"a tag moves", "push", bodyOf(`{"ref":"refs/tags/v1",%s}`, common), one, 0},
		{"a tag appears", "create", bodyOf(`{"ref_type":"tag","ref":"v1",%s}`, common), one, 0},
		{"a merge queue's group", "merge_group", bodyOf(`{"action":"checks_requested",%s}`, common), one, 0},
		{"a merge queue gives up", "merge_group", bodyOf(`{"action":"destroyed","reason":"dequeued",%s}`, common), one, 0},

		{"auto-merge is turned on", "pull_request", bodyOf(`{"action":"auto_merge_enabled",%s}`, common), one, 0},
		{"auto-merge is turned off", "pull_request", bodyOf(`{"action":"auto_merge_disabled",%s}`, common), one, 0},
		{"a pull request enters the queue", "pull_request", bodyOf(`{"action":"enqueued",%s}`, common), one, 0},
		{"a pull request leaves the queue", "pull_request", bodyOf(`{"action":"dequeued",%s}`, common), one, 0},

		{"a pull request is merged", "pull_request", bodyOf(`{"action":"closed",%s}`, common), one, 0},
		{"a pull request is labeled", "pull_request", bodyOf(`{"action":"labeled",%s}`, common), one, 0},
		{"a pull request's base changes", "pull_request", bodyOf(`{"action":"edited",%s}`, common), one, 0},
		{"an action of GitHub's next year", "pull_request", bodyOf(`{"action":"teleported",%s}`, common), one, 0},
		{"a pull request is assigned", "pull_request", bodyOf(`{"action":"assigned",%s}`, common), nil, 0},
		{"a review", "pull_request_review", bodyOf(`{"action":"submitted",%s}`, common), one, 0},
		{"a review is dismissed", "pull_request_review", bodyOf(`{"action":"dismissed",%s}`, common), one, 0},
		{"a review's text", "pull_request_review", bodyOf(`{"action":"edited",%s}`, common), nil, 0},

		{"another App's check", "check_run", bodyOf(`{"action":"completed","check_run":{"app":{"id":8}},%s}`, common), one, 0},
		{"our own check", "check_run", bodyOf(`{"action":"completed","check_run":{"app":{"id":7}},%s}`, common), nil, 0},
		{"a person wants our check again", "check_run", bodyOf(`{"action":"rerequested","check_run":{"app":{"id":7}},%s}`, common), one, 0},
		{"a person presses our check's button", "check_run", bodyOf(`{"action":"requested_action","check_run":{"app":{"id":7}},%s}`, common), one, 0},
		{"another App's suite", "check_suite", bodyOf(`{"action":"completed","check_suite":{"app":{"id":8}},%s}`, common), one, 0},
		{"our own suite", "check_suite", bodyOf(`{"action":"completed","check_suite":{"app":{"id":7}},%s}`, common), nil, 0},
		{"a person wants our suite again", "check_suite", bodyOf(`{"action":"rerequested","check_suite":{"app":{"id":7}},%s}`, common), one, 0},
		{"a push's suite", "check_suite", bodyOf(`{"action":"requested","check_suite":{"app":{"id":7}},%s}`, common), nil, 0},

		{"a workflow run is asked for", "workflow_run", bodyOf(`{"action":"requested",%s}`, common), one, 0},
		{"a workflow run ends", "workflow_run", bodyOf(`{"action":"completed","workflow_run":{"conclusion":"failure"},%s}`, common), one, 0},
		{"a workflow run goes on", "workflow_run", bodyOf(`{"action":"in_progress",%s}`, common), nil, 0},

		{"a person's comment", "issue_comment", bodyOf(`{"action":"created","issue":{"pull_request":{"url":"x"}},"comment":{"id":5,"body":"see /promobot","performed_via_github_app":null},%s}`, common), one, 0},
		{"a comment is edited", "issue_comment", bodyOf(`{"action":"edited","issue":{"pull_request":{}},%s}`, common), nil, 0},
		{"a comment is deleted", "issue_comment", bodyOf(`{"action":"deleted","issue":{"pull_request":{}},%s}`, common), nil, 0},
		{"our own comment", "issue_comment", bodyOf(`{"action":"created","issue":{"pull_request":{}},"comment":{"performed_via_github_app":{"id":7}},%s}`, common), nil, 0},
		{"another App's comment", "issue_comment", bodyOf(`{"action":"created","issue":{"pull_request":{}},"comment":{"performed_via_github_app":{"id":8}},%s}`, common), one, 0},
		{"a comment on an issue", "issue_comment", bodyOf(`{"action":"created","issue":{},"comment":{"id":5,"body":"hello"},%s}`, common), nil, 0},

		{"installed", "installation", bodyOf(`{"action":"created","installation":{"id":3},"repositories":[{"id":42,"full_name":"acme/deploy"},{"id":43,"full_name":"acme/c.-_x"}]}`), []handlers.Repository{deploy, {InstallationID: 3, ID: 43, Owner: "acme", Name: "c.-_x"}}, 0},
		{"unsuspended", "installation", bodyOf(`{"action":"unsuspend","installation":{"id":3}}`), nil, 1},
		{"uninstalled", "installation", bodyOf(`{"action":"deleted","installation":{"id":3},"repositories":[{"id":42,"full_name":"acme/deploy"}]}`), nil, 0},
		{"suspended", "installation", bodyOf(`{"action":"suspend","installation":{"id":3}}`), nil, 0},
		{"repositories are added", "installation_repositories", bodyOf(`{"action":"added","installation":{"id":3},"repositories_added":[{"id":42,"full_name":"acme/deploy"},{"id":44,"full_name":"acme-2/.github"}]}`), []handlers.Repository{deploy, {InstallationID: 3, ID: 44, Owner: "acme-2", Name: ".github"}}, 0},
		{"repositories are removed", "installation_repositories", bodyOf(`{"action":"removed","installation":{"id":3},"repositories_added":[],"repositories_removed":[{"id":42,"full_name":"acme/deploy"}]}`), nil, 0},
		{"a repository is renamed", "repository", bodyOf(`{"action":"renamed",%s}`, common), one, 0},
		{"a repository is deleted", "repository", bodyOf(`{"action":"deleted",%s}`, common), nil, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFront(t)
			status, text := f.answer(delivery(t.Context(), c.event, c.body))
			if status/100 != 2 {
				t.Fatalf("answered %d %s", status, text)
			}
			if diff := cmp.Diff(c.wakes, f.woken); diff != "" {
				t.Errorf("woken (-want +got):\n%s", diff)
			}
			if f.sweeps != c.sweep {
				t.Errorf("%d sweeps asked for, want %d", f.sweeps, c.sweep)
			}
			if wantStatus := statusFor(c.wakes, c.sweep); status != wantStatus {
				t.Errorf("answered %d, want %d", status, wantStatus)
			}
		})
	}
}

func statusFor(wakes []handlers.Repository, sweeps int) int {
	if len(wakes) == 0 && sweeps == 0 {
		return http.StatusAccepted
	}
	return http.StatusOK
}

// TestRecordedWebhooks delivers what GitHub really sent, with and without the
// installation that deliveries to an App have.
func TestRecordedWebhooks(t *testing.T) {
	path := filepath.Join("..", "..", "shared", "github", "webhook-examples.json")
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("GitHub's recorded webhooks are not at %s", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	var recorded []struct {
		Event   string
		Payload map[string]any
	}
	if err := json.Unmarshal(content, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded) < 60 {
		t.Fatalf("%d recordings, want more", len(recorded))
	}
	woken := map[string]bool{}
	for n, one := range recorded {
		for _, installed := range []bool{false, true} {
			if installed {
				one.Payload["installation"] = map[string]any{"id": 3}
			}
			body, err := json.Marshal(one.Payload)
			if err != nil {
				t.Fatal(err)
			}
			f := newFront(t)
			if status, text := f.answer(delivery(t.Context(), one.Event, body)); status/100 != 2 {
				t.Errorf("recording %d, %s (installed: %v): answered %d %s", n, one.Event, installed, status, text)
			}
			if installed && len(f.woken)+len(f.posted) > 0 {
				woken[one.Event] = true
			}
			if strings.Contains(f.log.String(), "Codertocat") {
				t.Errorf("recording %d, %s: the log shows the payload", n, one.Event)
			}
		}
	}
	for _, event := range []string{
		"check_run", "check_suite", "create", "delete", "deployment_status", "installation",
		"installation_repositories", "merge_group", "pull_request", "pull_request_review", "push",
		"release", "repository_dispatch", "status", "workflow_run",
	} {
		if !woken[event] {
			t.Errorf("no recording of %s woke anything", event)
		}
	}
}
