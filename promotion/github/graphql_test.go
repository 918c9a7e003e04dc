package github_test

// GraphQL: the documents against GitHub's schema, and what errors mean.

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/github"
)

// schemaFile is GitHub's public schema, where the tests have it.
const schemaFile = "../../../shared/github/schema.graphql"

// githubsSchema loads GitHub's schema, or skips the test.
func githubsSchema(t *testing.T) *ast.Schema {
	t.Helper()
	text, err := os.ReadFile(schemaFile)
	if os.IsNotExist(err) {
		t.Skipf("%s is not here: the documents are not held against GitHub's schema", schemaFile)
	}
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: schemaFile, Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestDocumentsAreValid(t *testing.T) {
	schema := githubsSchema(t)
	files, err := filepath.Glob("*.graphql")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 5 {
		t.Fatalf("found the documents %v", files)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := gqlparser.LoadQueryWithRules(schema, string(text), nil); err != nil {
				t.Errorf("not valid by GitHub's schema: %v", err)
			}
		})
	}
	if _, err := gqlparser.LoadQueryWithRules(schema, `query { repository(owner: "a", name: "b") { nonsense } }`, nil); err == nil {
		t.Error("the schema lets everything pass")
	}
}

// sentQuery is a GraphQL request as the server saw it.
type sentQuery struct {
	Query     string         `json:"query"`
	Variables map[string]any `json:"variables"`
}

// queries are the GraphQL requests that the server saw.
func (s *server) queries() []sentQuery {
	s.t.Helper()
	var out []sentQuery
	for _, r := range s.seen("POST /api/graphql") {
		var q sentQuery
		if err := json.Unmarshal([]byte(r.body), &q); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, q)
	}
	return out
}

// input is that of the mutation, "" when it was none.
func (q sentQuery) input() obj {
	in, _ := q.Variables["input"].(obj)
	return in
}

// onQuery answers GraphQL by the name of the operation, in turn; the last answer
// stands for all that follow.
func (s *server) onQuery(operation string, handlers ...http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations == nil {
		s.operations = map[string][]http.HandlerFunc{}
		s.answers["POST /api/graphql"] = s.serveQuery
	}
	s.operations[operation] = handlers
}

func (s *server) serveQuery(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	last := s.requests[len(s.requests)-1].body
	h := answer(http.StatusOK, graphQLFault("", "nobody answers this"))
	for name, handlers := range s.operations {
		if strings.Contains(last, " "+name+"(") {
			h = handlers[0]
			s.operations[name] = handlers[min(1, len(handlers)-1):]
		}
	}
	s.mu.Unlock()
	h(w, r)
}

// The variables that are sent fit the documents and GitHub's schema.
func TestVariablesAreValid(t *testing.T) {
	schema := githubsSchema(t)
	s := newServer(t)
	s.onQuery("MergeView", answer(http.StatusOK, mergeView(nil)))
	r := s.repository()
	for _, change := range changes {
		s.onQuery(change.operation, answer(http.StatusOK, change.done))
		for _, m := range []string{"merge", "squash", "rebase"} {
			if err := change.call(t.Context(), r, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	sent := s.queries()
	if len(sent) < 12 {
		t.Fatalf("%d requests", len(sent))
	}
	for _, q := range sent {
		document, errs := gqlparser.LoadQueryWithRules(schema, q.Query, nil)
		if errs != nil {
			t.Fatal(errs)
		}
		if _, err := validator.VariableValues(schema, document.Operations[0], q.Variables); err != nil {
			t.Errorf("%s with %v: %v", document.Operations[0].Name, q.Variables, err)
		}
	}
}

// graphQLFault is an answer with an error.
func graphQLFault(kind, message string) obj {
	e := obj{"message": message, "locations": []obj{{"line": 1, "column": 1}}}
	if kind != "" {
		e["type"] = kind
	}
	return obj{"data": nil, "errors": []obj{e}}
}

// mergeView is GitHub's answer about #7, with changes over it.
func mergeView(changes obj) obj {
	p := obj{
		"id": "PR_7", "number": 7, "state": "OPEN", "headRefOid": head, "reviewDecision": nil, "isInMergeQueue": false,
		"isMergeQueueEnabled": true, "autoMergeRequest": nil,
	}
	maps.Copy(p, changes)
	return obj{"data": obj{"repository": obj{"databaseId": repositoryID, "pullRequest": p}}}
}

func TestGraphQLErrors(t *testing.T) {
	tests := []struct {
		name string
		h    http.HandlerFunc
		want string
		says string
	}{
		{"not found", answer(200, graphQLFault("NOT_FOUND", "Could not resolve to a PullRequest with the number of 7.")), "not found", "PullRequest"},
		{"forbidden", answer(200, graphQLFault("FORBIDDEN", "Resource not accessible by integration")), "refused", "pull requests, read and write"},
		{"too old", answer(200, obj{"errors": []obj{{"message": "Field 'isInMergeQueue' doesn't exist on type 'PullRequest'", "extensions": obj{"code": "undefinedField"}}}}), "refused", "isInMergeQueue"},
		{"something went wrong", answer(200, graphQLFault("", "Something went wrong while executing your query.")), "no answer", "went wrong"},
		{"unavailable", answer(200, graphQLFault("SERVICE_UNAVAILABLE", "Try later")), "no answer", ""},
		{"half an answer", answer(200, obj{"data": mergeView(nil)["data"], "errors": []obj{{"message": "timeout"}}}), "no answer", "timeout"},
		{"neither data nor errors", answer(200, obj{"data": nil}), "no answer", "neither"},
		{"other repository", answer(200, obj{"data": obj{"repository": obj{"databaseId": 5, "pullRequest": obj{"number": 7}}}}), "no answer", "repository 5"},
		{"other number", answer(200, mergeView(obj{"number": 8})), "no answer", "#8"},
		{"no head", answer(200, mergeView(obj{"headRefOid": ""})), "no answer", ""},
		{"no JSON", answer(200, "<html>"), "no answer", ""},
		{"bad gateway", answer(502, "<html>"), "no answer", "502"},
		{"no GraphQL API", answer(404, obj{"message": "Not Found"}), "no answer", "/api/graphql"},
		{"bad credentials", answer(401, obj{"message": "Bad credentials"}), "refused", ""},
		{"not allowed", answer(403, obj{"message": "Resource not accessible by integration"}), "refused", ""},
		{"hourly limit", answer(200, graphQLFault("RATE_LIMITED", "API rate limit exceeded for installation ID 42."), "X-RateLimit-Remaining", "0"), "limited", ""},
		{"secondary limit, 200", answer(200, graphQLFault("", "You have exceeded a secondary rate limit."), "Retry-After", "30"), "limited", ""},
		{"secondary limit, 403", answer(403, obj{"message": "You have exceeded a secondary rate limit."}), "limited", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.onQuery("MergeView", tt.h)
			_, err := s.repository().MergeView(t.Context(), 7)
			if got := kind(err); got != tt.want {
				t.Errorf("the error is %q (%v), want %q", got, err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q, want it to say %q", err, tt.says)
			}
			silent(t, err)
		})
	}
}

// The hourly quota of GraphQL is another than that of REST; what GitHub says
// about going too fast holds for both.
func TestGraphQLHasItsOwnQuota(t *testing.T) {
	tests := []struct {
		name   string
		answer func(*server) http.HandlerFunc
		rest   string
	}{
		{"hourly", func(s *server) http.HandlerFunc {
			return answer(200, graphQLFault("RATE_LIMITED", "API rate limit exceeded"),
				"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", unix(s.clock.Now().Add(20*time.Minute)), "X-RateLimit-Resource", "graphql")
		}, "none"},
		{"secondary", func(*server) http.HandlerFunc {
			return answer(200, graphQLFault("", "You have exceeded a secondary rate limit"), "Retry-After", "1200")
		}, "limited"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.serveFile()
			s.onQuery("MergeView", tt.answer(s), answer(200, mergeView(nil)))
			r := s.repository()
			view := func() error { _, err := r.MergeView(t.Context(), 7); return err }
			var limited *promotion.LimitedError
			if err := view(); !asLimited(err, &limited) {
				t.Fatalf("error %v, want a limit", err)
			}
			if got := limited.Until.Sub(s.clock.Now()).Round(time.Minute); got != 20*time.Minute {
				t.Errorf("limited for %s, want 20m", got)
			}
			if err := view(); kind(err) != "limited" || len(s.queries()) != 1 {
				t.Errorf("asked again at once: %v", err)
			}
			if err := do(t.Context(), r); kind(err) != tt.rest {
				t.Errorf("REST: %v, want %q", err, tt.rest)
			}
			s.clock.advance(21 * time.Minute)
			if err := view(); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestWhereGraphQLIs(t *testing.T) {
	for api, want := range map[string]string{
		"":                                   "https://api.github.com/graphql",
		"https://api.acme.ghe.com":           "https://api.acme.ghe.com/graphql",
		"https://github.acme.example/api/v3": "https://github.acme.example/api/graphql",
	} {
		var asked []*url.URL
		var seen []github.Observation
		app, err := github.New(github.Options{
			AppID: appID, PrivateKey: privateKey(), BaseURL: api,
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				asked = append(asked, r.URL)
				rec := httptest.NewRecorder()
				if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/access_tokens") {
					answer(http.StatusCreated, obj{"token": "ghs_secret1", "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})(rec, r)
				} else {
					answer(http.StatusOK, mergeView(nil), "X-RateLimit-Remaining", "7", "X-RateLimit-Resource", "graphql")(rec, r)
				}
				return rec.Result(), nil
			}),
			Observe: func(o github.Observation) { seen = append(seen, o) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.Repository(installationID, repositoryID, "acme", "shop").MergeView(t.Context(), 7); err != nil {
			t.Fatalf("%s: %v", api, err)
		}
		if got := asked[len(asked)-1].String(); got != want {
			t.Errorf("%q: GraphQL is asked at %s, want %s", api, got, want)
		}
		if last := seen[len(seen)-1]; last.Route != "/graphql" || last.Remaining != -1 {
			t.Errorf("%q: observed %+v", api, last)
		}
	}
}
