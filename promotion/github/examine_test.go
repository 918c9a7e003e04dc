package github_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/doctor"
)

// patient is a server with an installed App and a repository whose reads can be
// changed one by one.
func patient(t *testing.T) *server {
	t.Helper()
	s := newServer(t)
	installation := obj{
		"id": installationID, "account": obj{"login": "acme"}, "html_url": "https://github.test/organizations/acme/settings/installations/1",
		"permissions": obj{"contents": "write", "metadata": "read", "checks": "write"}, "events": []string{"push"},
	}
	file := func(text string) http.HandlerFunc {
		return answer(http.StatusOK, obj{"type": "file", "encoding": "base64", "size": len(text), "content": base64.StdEncoding.EncodeToString([]byte(text))})
	}
	s.on("GET /app", answer(http.StatusOK, obj{
		"id": appID, "slug": "promobot", "name": "promobot", "html_url": "https://github.test/apps/promobot", "owner": obj{"login": "acme", "type": "Organization"},
		"permissions": obj{"contents": "write", "merge_queues": "read"}, "events": []string{"push"},
	}))
	s.on("GET /app/hook/config", answer(http.StatusOK, obj{"url": "https://p.example/api/github/hook", "insecure_ssl": "1", "secret": "********", "content_type": "json"}))
	s.on("GET /app/hook/deliveries", answer(http.StatusOK, []obj{{"id": 1, "guid": "g", "delivered_at": "2026-03-02T08:00:00Z", "status": "OK", "status_code": 200, "event": "push"}}))
	s.on("GET /app/installations", answer(http.StatusOK, []obj{installation}))
	s.on("GET /rate_limit", answer(http.StatusOK, obj{"resources": obj{"core": obj{"limit": 5000, "remaining": 4990, "reset": 1772445600}}}))
	s.on("GET /repos/acme/shop/installation", answer(http.StatusOK, installation))
	s.on("GET /repos/acme/shop/git/trees/main", answer(http.StatusOK, obj{"sha": head, "truncated": true, "tree": []obj{
		{"path": "envs/qa", "type": "tree"},
		{"path": "envs/qa/app.yml", "type": "blob"},
		{"path": ".github/workflows/ci.yaml", "type": "blob"},
		{"path": ".github/workflows/ci/x.yml", "type": "blob"},
		{"path": ".github/workflows/README.md", "type": "blob"},
	}}))
	s.on("GET /repos/acme/shop/contents/.github/promobot.yml", file("version: 1\n"))
	s.on("GET /repos/acme/shop/contents/.github/workflows/ci.yaml", file("on: push\n"))
	s.on("GET /repos/acme/shop/branches/main", answer(http.StatusOK, obj{"name": "main", "protected": false, "protection": obj{"enabled": false}}))
	s.on("GET /repos/acme/shop/rules/branches/main", answer(http.StatusOK, []obj{{"type": "required_linear_history"}}))
	s.on("GET /repos/acme/shop/rules/branches/promobot%2Fpipeline%2Fenvironment%2F1", answer(http.StatusOK, []obj{{"type": "creation", "ruleset_id": 4}}))
	s.on("GET /repos/acme/shop/rulesets", answer(http.StatusOK, []obj{
		{"id": 4, "name": "own", "target": "branch", "enforcement": "active", "source_type": "Repository", "source": "acme/shop"},
		{"id": 5, "name": "all", "target": "push", "enforcement": "active", "source_type": "Organization", "source": "acme"},
		{"id": 6, "name": "off", "target": "branch", "enforcement": "disabled", "source_type": "Repository", "source": "acme/shop"},
		{"id": 7, "name": "tried", "target": "branch", "enforcement": "evaluate", "source_type": "Repository", "source": "acme/shop"},
	}))
	s.on("GET /repos/acme/shop/rulesets/4", answer(http.StatusOK, obj{"id": 4, "name": "own", "current_user_can_bypass": "pull_requests_only"}))
	s.on("GET /repos/acme/shop/rulesets/5", answer(http.StatusOK, obj{"id": 5, "name": "all"}))
	return s
}

const onWeb = "https://github.test/"

func TestExamineApp(t *testing.T) {
	s := patient(t)
	got, err := s.app().Examine(t.Context(), onWeb)
	if err != nil {
		t.Fatal(err)
	}
	want := doctor.App{
		ID: appID, Slug: "promobot", Name: "promobot", Settings: "https://github.test/organizations/acme/settings/apps/promobot",
		Install: "https://github.test/apps/promobot/installations/new", Permissions: map[string]string{"contents": "write", "merge_queues": "read"}, Events: []string{"push"},
		Hook:       &doctor.Hook{URL: "https://p.example/api/github/hook", Secret: true, SkipsIdentity: true},
		Deliveries: []doctor.Delivery{{At: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), Event: "push", Code: 200, Status: "OK"}},
		Installations: []doctor.Installation{{
			ID: installationID, Account: "acme", Page: "https://github.test/organizations/acme/settings/installations/1", Events: []string{"push"},
			Permissions: map[string]string{"contents": "write", "metadata": "read", "checks": "write"},
			Limit:       &doctor.Limit{Limit: 5000, Remaining: 4990, Reset: time.Unix(1772445600, 0)},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, spoil := range map[string]http.HandlerFunc{
		"refused":   answer(http.StatusUnauthorized, obj{"message": "A JSON web token could not be decoded"}),
		"not there": answer(http.StatusNotFound, obj{"message": "Integration not found"}),
		"another":   answer(http.StatusOK, obj{"id": appID + 1, "slug": "other"}),
	} {
		s.on("GET /app", spoil)
		if got, err := s.app().Examine(t.Context(), onWeb); err != nil || got.Bad == "" || got.Slug != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	s.on("GET /app", answer(http.StatusBadGateway, obj{"message": "Server Error"}))
	if got, err := s.app().Examine(t.Context(), onWeb); err == nil || got.Bad != "" {
		t.Errorf("without an answer: %+v, %v", got, err)
	}
}

func TestExamineRepository(t *testing.T) {
	s := patient(t)
	got, err := s.app().ExamineRepository(t.Context(), onWeb, "acme/shop")
	if err != nil {
		t.Fatal(err)
	}
	if !got.Installed || got.File != ".github/promobot.yml" || !got.Cut || !got.Rules["main"].Linear || len(got.Tree.Paths) != 4 {
		t.Errorf("it is %+v", got)
	}
	if diff := cmp.Diff(map[string][]byte{".github/workflows/ci.yaml": []byte("on: push\n")}, got.Workflows); diff != "" {
		t.Errorf("workflows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]doctor.OwnRule{{Kind: "creation", Ruleset: 4}}, got.Own); diff != "" {
		t.Errorf("rules of promobot's own branches (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]doctor.Ruleset{
		{ID: 4, Name: "own", Target: "branch", Bypass: "pull_requests_only", Page: "https://github.test/acme/shop/settings/rules/4"},
		{ID: 5, Name: "all", Target: "push", Page: "https://github.test/organizations/acme/settings/rules/5"},
	}, got.Rulesets); diff != "" {
		t.Errorf("rulesets in force (-want +got):\n%s", diff)
	}
	for _, token := range s.seen("POST /app/installations/") {
		if !strings.Contains(token.body, `"repositories":["shop"]`) || strings.Contains(token.body, "checks") {
			t.Errorf("a token is asked for as %s", token.body)
		}
	}
}

// What is refused is told; nothing is taken for absent that was not said to be.
func TestExamineDoubt(t *testing.T) {
	for _, c := range []struct {
		name, line string
		answer     http.HandlerFunc
		want       string // of the error's kind
		check      func(doctor.Repository) bool
	}{
		{"not installed", "GET /repos/acme/shop/installation", answer(404, obj{"message": "Not Found"}), "none", func(r doctor.Repository) bool {
			return !r.Installed && r.InstallAt == "https://github.test/apps/promobot/installations/new"
		}},
		{"suspended", "GET /repos/acme/shop/installation", answer(200, obj{"id": installationID, "suspended_at": "2026-01-01T00:00:00Z"}), "none", func(r doctor.Repository) bool {
			return r.Installed && r.Installation.Suspended && r.File == ""
		}},
		{"without contents", "GET /repos/acme/shop/installation", answer(200, obj{"id": installationID, "permissions": obj{"metadata": "read"}}), "none", func(r doctor.Repository) bool {
			return strings.Contains(r.Unread, "Contents")
		}},
		{"an empty repository", "GET /repos/acme/shop/git/trees/main", answer(409, obj{"message": "Git Repository is empty."}), "none", func(r doctor.Repository) bool {
			return r.Installed && r.File == "" && r.About.DefaultBranch == "main"
		}},
		{"no rulesets on an older server", "GET /repos/acme/shop/rulesets", answer(404, obj{"message": "Not Found"}), "none", func(r doctor.Repository) bool { return len(r.Rulesets) == 0 && len(r.Workflows) == 1 }},
		{"rules that are refused", "GET /repos/acme/shop/rules/branches/main", answer(403, obj{"message": "Resource not accessible by integration"}), "refused", nil},
		{"a ruleset that is refused", "GET /repos/acme/shop/rulesets/5", answer(403, obj{"message": "Resource not accessible by integration"}), "refused", nil},
		{"no answer", "GET /repos/acme/shop/rulesets", answer(502, obj{"message": "Server Error"}), "no answer", nil},
		{"a limit", "GET /repos/acme/shop/branches/main", answer(403, obj{"message": "You have exceeded a secondary rate limit"}, "Retry-After", "60"), "limited", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := patient(t)
			s.on(c.line, c.answer)
			got, err := s.app().ExamineRepository(t.Context(), onWeb, "acme/shop")
			if kind(err) != c.want || c.check != nil && !c.check(got) {
				t.Errorf("%v; it is %+v", err, got)
			}
			silent(t, err)
		})
	}
	for _, name := range []string{"shop", "acme/..", "acme/shop/x", "a b/c"} {
		if _, err := patient(t).app().ExamineRepository(t.Context(), onWeb, name); kind(err) != "refused" {
			t.Errorf("%q: %v", name, err)
		}
	}
}
