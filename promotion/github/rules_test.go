package github_test

// What a branch asks for, and what speaks for a commit.

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
)

func branch(protection obj) obj {
	return obj{"name": "main", "commit": obj{"sha": head}, "protected": protection != nil, "protection": protection}
}

func TestRules(t *testing.T) {
	status := func(strict bool, checks ...obj) obj {
		return obj{"type": "required_status_checks", "parameters": obj{"strict_required_status_checks_policy": strict, "required_status_checks": checks}}
	}
	review := func(p obj) obj { return obj{"type": "pull_request", "parameters": p} }
	ci := promotion.RequiredCheck{Name: "ci"}
	tests := []struct {
		name    string
		classic obj
		rules   []obj
		want    promotion.Rules
	}{
		{"none", nil, nil, promotion.Rules{}},
		{"classic, as everyone sees it", obj{"enabled": true, "required_status_checks": obj{
			"enforcement_level": "everyone", "contexts": []string{"ci", "lint"},
			"checks": []obj{{"context": "ci", "app_id": nil}, {"context": "lint", "app_id": 15368}},
		}}, nil, promotion.Rules{Checks: []promotion.RequiredCheck{ci, {Name: "lint", App: 15368}}}},
		{"classic, off", obj{"enabled": false, "required_status_checks": obj{"enforcement_level": "off", "contexts": []string{}, "checks": []obj{}}}, nil, promotion.Rules{}},
		{"classic, of an older server", obj{"enabled": true, "required_status_checks": obj{
			"enforcement_level": "non_admins", "contexts": []string{"ci"},
		}}, nil, promotion.Rules{Checks: []promotion.RequiredCheck{ci}}},
		{"classic, as administrators see it", obj{
			"enabled":                       true,
			"required_status_checks":        obj{"strict": true, "contexts": []string{}, "checks": []obj{{"context": "ci", "app_id": -1}}},
			"required_pull_request_reviews": obj{"required_approving_review_count": 2, "require_code_owner_reviews": true},
			"required_signatures":           obj{"enabled": true}, "required_linear_history": obj{"enabled": true},
			"required_conversation_resolution": obj{"enabled": true}, "lock_branch": obj{"enabled": true}, "restrictions": obj{"users": []obj{}},
		}, nil, promotion.Rules{
			Checks: []promotion.RequiredCheck{ci}, Strict: true, PullRequests: true, Approvals: 2, CodeOwners: true, ResolveThreads: true,
			Signatures: true, Linear: true, Locked: true, Restricted: true,
		}},
		{"rulesets", nil, []obj{
			status(true, obj{"context": "ci"}, obj{"context": "lint", "integration_id": 15368}),
			review(obj{"required_approving_review_count": 1, "require_code_owner_review": true, "required_review_thread_resolution": true, "allowed_merge_methods": []string{"merge", "squash"}}),
			{"type": "required_signatures"},
			{"type": "required_linear_history"},
			{"type": "merge_queue", "parameters": obj{"merge_method": "SQUASH"}},
			{"type": "update"},
			{"type": "deletion"},
			{"type": "non_fast_forward"},
			{"type": "something_new", "parameters": obj{"a": 1}},
		}, promotion.Rules{
			Checks: []promotion.RequiredCheck{ci, {Name: "lint", App: 15368}}, Strict: true, PullRequests: true, Approvals: 1, CodeOwners: true,
			ResolveThreads: true, Methods: []string{"merge", "squash"}, Signatures: true, Linear: true, Queue: true, Restricted: true,
		}},
		{"several of one type all hold", obj{"enabled": true, "required_status_checks": obj{"enforcement_level": "everyone", "checks": []obj{{"context": "ci", "app_id": nil}}}}, []obj{
			status(false, obj{"context": "ci"}), status(true, obj{"context": "e2e"}),
			review(obj{"required_approving_review_count": 2, "allowed_merge_methods": []string{"merge", "squash"}}),
			review(obj{"required_approving_review_count": 1, "allowed_merge_methods": []string{"rebase", "squash"}}),
		}, promotion.Rules{Checks: []promotion.RequiredCheck{ci, {Name: "e2e"}}, Strict: true, PullRequests: true, Approvals: 2, Methods: []string{"squash"}}},
		{"no method is left", nil, []obj{
			review(obj{"allowed_merge_methods": []string{"merge"}}), review(obj{"allowed_merge_methods": []string{"squash"}}),
		}, promotion.Rules{PullRequests: true, Methods: []string{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.on("GET /repos/acme/shop/branches/main", answer(http.StatusOK, branch(tt.classic)))
			s.paged("GET /repos/acme/shop/rules/branches/main", tt.rules)
			got, err := s.repository().Rules(t.Context(), "main")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRulesOnManyPages(t *testing.T) {
	s := newServer(t)
	s.on("GET /repos/acme/shop/branches/main", answer(http.StatusOK, branch(nil)))
	rules := make([]obj, 250)
	for i := range rules {
		rules[i] = obj{"type": "deletion"}
	}
	rules[249] = obj{"type": "merge_queue"}
	s.paged("GET /repos/acme/shop/rules/branches/main", rules)
	got, err := s.repository().Rules(t.Context(), "main")
	if err != nil || !got.Queue {
		t.Errorf("rules %+v, %v; the last page says that there is a queue", got, err)
	}
}

func TestRulesInDoubt(t *testing.T) {
	const branches, rules = "GET /repos/acme/shop/branches/a%2Fb", "GET /repos/acme/shop/rules/branches/a%2Fb"
	fine := obj{"name": "a/b", "protected": false, "protection": obj{"enabled": false}}
	tests := []struct {
		name          string
		branch, rules http.HandlerFunc
		want          string
	}{
		{"fine", answer(200, fine), answer(200, []obj{}), "none"},
		{"no such branch", answer(404, obj{"message": "Branch not found"}), answer(200, []obj{}), "not found"},
		{"renamed", answer(200, obj{"name": "main", "protected": false}), answer(200, []obj{}), "not found"},
		{"not said", answer(200, obj{"name": "a/b"}), answer(200, []obj{}), "no answer"},
		{"rules broken", answer(200, fine), answer(502, "<html>"), "no answer"},
		{"rules not allowed", answer(200, fine), answer(403, obj{"message": "Resource not accessible by integration"}), "refused"},
		{"rule without a type", answer(200, fine), answer(200, []obj{{}}), "no answer"},
		{"rule without parameters", answer(200, fine), answer(200, []obj{{"type": "pull_request"}}), "no answer"},
		{"rule with other parameters", answer(200, fine), answer(200, []obj{{"type": "required_status_checks", "parameters": obj{"required_status_checks": "ci"}}}), "no answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.on(branches, tt.branch)
			s.on(rules, tt.rules)
			_, err := s.repository().Rules(t.Context(), "a/b")
			if got := kind(err); got != tt.want {
				t.Errorf("the error is %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

// grant lets the installation grant permissions.
func (s *server) grant(permissions obj) {
	s.on("GET /app/installations/42", answer(http.StatusOK, obj{"id": installationID, "permissions": permissions}))
}

func TestChecks(t *testing.T) {
	run := func(id int, name string, app int, changes obj) obj {
		out := obj{
			"id": id, "name": name, "head_sha": head, "app": obj{"id": app, "slug": fmt.Sprint("app-", app)}, "status": "completed", "conclusion": "success",
			"started_at": "2026-03-02T08:00:00Z", "completed_at": "2026-03-02T08:05:00Z", "html_url": "https://github.test/run", "output": obj{"title": "fine"},
		}
		maps.Copy(out, changes)
		return out
	}
	s := newServer(t)
	s.grant(obj{"statuses": "read"})
	s.on("GET /repos/acme/shop/commits/"+head+"/check-runs", answer(http.StatusOK, obj{"total_count": 6, "check_runs": []obj{
		run(1, "ci", 15368, nil),
		run(3, "ci", 15368, obj{"status": "in_progress", "conclusion": nil, "completed_at": nil, "started_at": "2026-03-02T08:30:00Z"}),
		run(2, "ci", 15368, obj{"conclusion": "failure", "started_at": "2026-03-02T08:10:00Z"}),
		run(4, "ci", 99, obj{"conclusion": "failure", "details_url": "https://ci.test/4", "output": obj{"title": "fine", "summary": "promobot: rollback", "text": strings.Repeat("é", 3000)}}),
		run(5, "promobot", appID, nil),
		run(6, "waiting", 99, obj{"status": "queued", "conclusion": nil, "started_at": nil, "completed_at": nil}),
	}}))
	s.on("GET /repos/acme/shop/commits/"+head+"/status", answer(http.StatusOK, obj{"sha": head, "state": "failure", "total_count": 2, "statuses": []obj{
		{"id": 8, "context": "ci", "state": "failure", "target_url": "https://ci.test/8", "description": "2 of 9", "created_at": "2026-03-02T08:00:00Z", "updated_at": "2026-03-02T08:01:00Z"},
		{"id": 9, "context": "argocd/qa", "state": "pending", "created_at": "2026-03-02T08:00:00Z", "updated_at": "2026-03-02T08:00:00Z"},
	}}))
	got, err := s.repository().Checks(t.Context(), head)
	if err != nil {
		t.Fatal(err)
	}
	at := func(clock string) (c promotion.CheckResult) {
		if err := c.Time.UnmarshalText([]byte("2026-03-02T" + clock + "Z")); err != nil {
			t.Fatal(err)
		}
		return c
	}
	want := []promotion.CheckResult{
		{Name: "argocd/qa", Status: "pending", Time: at("08:00:00").Time},
		{Name: "ci", Status: "completed", Conclusion: "failure", URL: "https://ci.test/8", Summary: "2 of 9", Time: at("08:01:00").Time},
		{Name: "ci", App: 99, Slug: "app-99", Status: "completed", Conclusion: "failure", URL: "https://ci.test/4", Summary: "fine", Text: "promobot: rollback\n\n" + strings.Repeat("é", 1988) + "…", Time: at("08:05:00").Time},
		{Name: "ci", App: 15368, Slug: "app-15368", Status: "in_progress", URL: "https://github.test/run", Summary: "fine", Time: at("08:30:00").Time},
		{Name: "promobot", App: appID, Slug: "app-71", ByApp: true, Status: "completed", Conclusion: "success", URL: "https://github.test/run", Summary: "fine", Time: at("08:05:00").Time},
		{Name: "waiting", App: 99, Slug: "app-99", Status: "queued", URL: "https://github.test/run", Summary: "fine"},
	}
	for i := range want {
		want[i].Commit = head
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
	if got := s.seen("GET /repos/acme/shop/commits/" + head + "/check-runs"); len(got) != 1 || !strings.Contains(got[0].line, "filter=latest") {
		t.Errorf("asked %v", got)
	}
}

func TestChecksInDoubt(t *testing.T) {
	const runs, status = "GET /repos/acme/shop/commits/" + head + "/check-runs", "GET /repos/acme/shop/commits/" + head + "/status"
	noRuns, noStatus := answer(200, obj{"total_count": 0, "check_runs": []obj{}}), answer(200, obj{"sha": head, "total_count": 0, "statuses": []obj{}})
	tests := []struct {
		name         string
		grant        obj
		runs, status http.HandlerFunc
		want         string
	}{
		{"none", obj{"statuses": "read"}, noRuns, noStatus, "none"},
		{"statuses not granted", obj{"checks": "write"}, noRuns, noStatus, "refused"},
		{"no such commit", obj{"statuses": "read"}, answer(422, obj{"message": "No commit found for SHA: " + head}), noStatus, "not found"},
		{"runs not said", obj{"statuses": "read"}, answer(200, obj{}), noStatus, "no answer"},
		{"statuses broken", obj{"statuses": "read"}, noRuns, answer(502, ""), "no answer"},
		{"statuses not said", obj{"statuses": "read"}, noRuns, answer(200, obj{"sha": head}), "no answer"},
		{"statuses of another", obj{"statuses": "read"}, noRuns, answer(200, obj{"sha": strings.Repeat("2", 40), "total_count": 0}), "no answer"},
		{"a run without a name", obj{"statuses": "read"}, answer(200, obj{"total_count": 1, "check_runs": []obj{{"id": 1}}}), noStatus, "no answer"},
		{"a run of another commit", obj{"statuses": "read"}, answer(200, obj{"total_count": 1, "check_runs": []obj{{"id": 1, "name": "ci", "status": "queued", "head_sha": strings.Repeat("2", 40)}}}), noStatus, "no answer"},
		{"a status without a state", obj{"statuses": "read"}, noRuns, answer(200, obj{"sha": head, "total_count": 1, "statuses": []obj{{"context": "ci"}}}), "no answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.grant(tt.grant)
			s.on(runs, tt.runs)
			s.on(status, tt.status)
			_, err := s.repository().Checks(t.Context(), head)
			if got := kind(err); got != tt.want {
				t.Errorf("the error is %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

func TestSignedCommit(t *testing.T) {
	const tree, made = "3333333333333333333333333333333333333333", "4444444444444444444444444444444444444444"
	commit := func(changes obj) obj {
		out := obj{
			"sha": made, "tree": obj{"sha": tree}, "parents": []obj{{"sha": head}},
			"verification": obj{"verified": true, "reason": "valid", "payload": "tree …", "signature": "-----BEGIN PGP SIGNATURE-----"},
		}
		maps.Copy(out, changes)
		return out
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   string
		says   string
	}{
		{"signed", answer(201, commit(nil)), "none", ""},
		{"not signed", answer(201, commit(obj{"verification": obj{"verified": false, "reason": "unsigned", "payload": nil, "signature": nil}})), "refused", "unsigned"},
		{"signed, not shown", answer(201, commit(obj{"verification": obj{"verified": true, "reason": "valid"}})), "no answer", "signature"},
		{"nothing said", answer(201, commit(obj{"verification": nil})), "refused", "commits: verified"},
		{"another tree", answer(201, commit(obj{"tree": obj{"sha": head}})), "no answer", ""},
		{"other parents", answer(201, commit(obj{"parents": []obj{}})), "no answer", ""},
		{"no id", answer(201, commit(obj{"sha": ""})), "no answer", ""},
		{"no such tree", answer(422, obj{"message": "Tree SHA does not exist"}), "refused", "Tree SHA"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.on("POST /repos/acme/shop/git/commits", tt.answer)
			got, err := s.repository().CreateCommit(t.Context(), tree, []string{head}, "qa: 1 → 2\n")
			if kind(err) != tt.want || (err != nil && !strings.Contains(err.Error(), tt.says)) {
				t.Fatalf("the error is %q (%v), want %q that says %q", kind(err), err, tt.want, tt.says)
			}
			if want := (promotion.SignedCommit{ID: made, Payload: "tree …", Signature: "-----BEGIN PGP SIGNATURE-----"}); err == nil && got != want {
				t.Errorf("got %+v", got)
			}
			body := s.seen("POST /repos/acme/shop/git/commits")[0].body
			for _, word := range []string{"author", "committer", "signature"} {
				if strings.Contains(body, word) {
					t.Errorf("the request names %s, so that GitHub does not sign: %s", word, body)
				}
			}
		})
	}
}
