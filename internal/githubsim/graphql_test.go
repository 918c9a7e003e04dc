package githubsim_test

// GraphQL: documents are carried out as they are written, who may ask what,
// quotas and the journal.

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

func TestGraphQLCarriesDocumentsOut(t *testing.T) {
	w := newWorld(t)
	w.branchWith("topic", file("a", "1"))
	p := w.pull("topic")
	token := w.botToken(nil)
	for _, tc := range []struct {
		name, query string
		variables   map[string]any
		want        string
	}{
		{
			"fields in the order asked for", `{ repository(owner: "acme", name: "shop") { name isPrivate id } }`, nil,
			`{"data":{"repository":{"name":"shop","isPrivate":true,"id":"` + p.GetBase().GetRepo().GetNodeID() + `"}}}`,
		},
		{
			"aliases, variables and defaults",
			`query Q($o: String!, $n: Int = 1) { r: repository(owner: $o, name: "shop") { one: pullRequest(number: $n) { number title state } } }`,
			map[string]any{"o": "acme"},
			`{"data":{"r":{"one":{"number":1,"title":"Promote topic","state":"OPEN"}}}}`,
		},
		{
			"fragments on types and interfaces",
			`query Q($id: ID!) { node(id: $id) { __typename id ...P ... on Repository { name } } } fragment P on PullRequest { number author { login ... on Bot { databaseId } } }`,
			map[string]any{"id": p.GetNodeID()},
			`{"data":{"node":{"__typename":"PullRequest","id":"` + p.GetNodeID() + `","number":1,"author":{"login":"promobot","databaseId":` + strconv.FormatInt(p.GetUser().GetID(), 10) + `}}}}`,
		},
		{
			"skip and include",
			`query Q($yes: Boolean!) { repository(owner: "acme", name: "shop") { name @skip(if: $yes) isArchived @include(if: $yes) } }`,
			map[string]any{"yes": true},
			`{"data":{"repository":{"isArchived":false}}}`,
		},
		{
			"one key asked for twice", `{ repository(owner: "acme", name: "shop") { name } repository(owner: "acme", name: "shop") { isFork } }`, nil,
			`{"data":{"repository":{"name":"shop","isFork":false}}}`,
		},
		{
			"a list by pages",
			`{ repository(owner: "acme", name: "shop") { pullRequests(first: 1, states: [OPEN], headRefName: "topic") { totalCount nodes { number } pageInfo { hasNextPage } } } }`,
			nil,
			`{"data":{"repository":{"pullRequests":{"totalCount":1,"nodes":[{"number":1}],"pageInfo":{"hasNextPage":false}}}}}`,
		},
		{
			"what waits for nothing",
			`{ repository(owner: "acme", name: "shop") { pullRequest(number: 1) { headRefOid reviewDecision isInMergeQueue isMergeQueueEnabled mergeQueueEntry { position } autoMergeRequest { enabledAt } } mergeQueue { id } } }`,
			nil,
			`{"data":{"repository":{"pullRequest":{"headRefOid":"` + p.GetHead().GetSHA() + `","reviewDecision":null,"isInMergeQueue":false,"isMergeQueueEnabled":false,"mergeQueueEntry":null,"autoMergeRequest":null},"mergeQueue":null}}}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := w.graphQL(token, tc.query, tc.variables)
			if diff := cmp.Diff(tc.want, got.raw); diff != "" || got.status != http.StatusOK {
				t.Errorf("status %d (-want +got):\n%s", got.status, diff)
			}
		})
	}
}

func TestGraphQLMergeability(t *testing.T) {
	w := newWorld(t)
	w.branchWith("topic", file("a", "1"))
	w.pull("topic")
	const query = `{ repository(owner: "acme", name: "shop") { pullRequest(number: 1) { mergeable mergeStateStatus } } }`
	ask := func() any { return w.graphQL(w.botToken(nil), query, nil).at("repository.pullRequest") }
	for _, tc := range []struct {
		name   string
		before func()
		want   map[string]any
	}{
		{"not asked for before", func() {}, map[string]any{"mergeable": "UNKNOWN", "mergeStateStatus": "UNKNOWN"}},
		{"known then", func() {}, map[string]any{"mergeable": "MERGEABLE", "mergeStateStatus": "CLEAN"}},
		{"blocked by a rule", func() {
			w.must(w.AddRuleset("acme/shop", githubsim.Ruleset{Branches: []string{"main"}, Approvals: 1}))
		}, map[string]any{"mergeable": "MERGEABLE", "mergeStateStatus": "BLOCKED"}},
		{"not for who may bypass it", func() {
			w.SetHabits(func(h *githubsim.Habits) { h.BypassApps = []int64{w.app.ID} })
		}, map[string]any{"mergeable": "MERGEABLE", "mergeStateStatus": "CLEAN"}},
		{"in conflict", func() {
			w.branchWith("main", file("a", "2"))
			ask()
		}, map[string]any{"mergeable": "CONFLICTING", "mergeStateStatus": "DIRTY"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.before()
			if diff := cmp.Diff(any(tc.want), ask()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestGraphQLRefusals asks what GitHub's schema or the caller's rights forbid,
// so nothing validates it.
func TestGraphQLRefusals(t *testing.T) {
	w := looseWorld(t)
	w.must(w.CreateUser("rita"))
	w.must(w.CreateRepository(t.Context(), "acme", "secret", githubsim.RepoOptions{Private: true}))
	_, err := w.Commit(t.Context(), "acme/shop", "olga", "topic", "Change topic\n", file("a", "1"))
	w.must(err)
	w.pull("topic")
	narrow := w.botToken(&github.InstallationPermissions{Metadata: new("read")})
	reader := w.botToken(&github.InstallationPermissions{PullRequests: new("read"), Contents: new("read")})
	rita := w.token("rita")
	const view = `{ repository(owner: "acme", name: "shop") { pullRequest(number: 1) { id } } }`
	for _, tc := range []struct {
		name, token, query string
		status             int
		want               []string
	}{
		{"nobody", "", view, 401, nil},
		{"an unknown token", "ghs_none", view, 401, nil},
		{"no document", narrow, "query {", 200, []string{"Parse error"}},
		{"a field that nobody knows", reader, `{ repository(owner: "acme", name: "shop") { nonsense } }`, 200, []string{"Field 'nonsense' of type 'Repository'"}},
		{"a variable left out", reader, `query Q($n: Int!) { repository(owner: "acme", name: "shop") { pullRequest(number: $n) { id } } }`, 200, []string{"Variable $n of type Int! was provided invalid value"}},
		{"no such repository", reader, `{ repository(owner: "acme", name: "none") { id } }`, 200, []string{"NOT_FOUND Could not resolve to a Repository with the name 'acme/none'."}},
		{"a private one of others", rita, `{ repository(owner: "acme", name: "secret") { id } }`, 200, []string{"NOT_FOUND"}},
		{"no such pull request", reader, `{ repository(owner: "acme", name: "shop") { pullRequest(number: 7) { id } } }`, 200, []string{"NOT_FOUND Could not resolve to a PullRequest with the number of 7."}},
		{"no such node", reader, `{ node(id: "MDExOlB1bGxSZXF1ZXN0OTk=") { id } }`, 200, []string{"NOT_FOUND Could not resolve to a node with the global id"}},
		{"without the permission", narrow, view, 200, []string{"FORBIDDEN Resource not accessible by integration"}},
		{"who an App is", reader, `{ viewer { login } }`, 200, []string{"FORBIDDEN Resource not accessible by integration"}},
		{"a list without a size", reader, `{ repository(owner: "acme", name: "shop") { pullRequests { totalCount } } }`, 200, []string{"MISSING_PAGINATION_BOUNDARIES"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := w.graphQL(tc.token, tc.query, nil)
			if got.status != tc.status {
				t.Errorf("status %d, want %d: %s", got.status, tc.status, got.raw)
			}
			wantErrors(t, got, tc.want...)
		})
	}
	t.Run("a mutation by a reader", func(t *testing.T) {
		wantErrors(t, w.mutate(reader, "enablePullRequestAutoMerge", "pullRequestId", 1, nil), "FORBIDDEN Resource not accessible by integration")
		wantErrors(t, w.mutate(rita, "enablePullRequestAutoMerge", "pullRequestId", 1, nil), "FORBIDDEN rita does not have the correct permissions")
	})
}

func TestGraphQLQuotaAndJournal(t *testing.T) {
	w := newWorld(t)
	token := w.botToken(nil)
	w.ResetJournal()
	const query = `query Look { repository(owner: "acme", name: "shop") { id } rateLimit { limit used remaining } }`
	got := w.graphQL(token, query, nil)
	shown := map[string]string{}
	for _, name := range []string{"Limit", "Remaining", "Used", "Resource"} {
		shown[name] = got.header.Get("X-RateLimit-" + name)
	}
	want := map[string]string{"Limit": "5000", "Remaining": "4999", "Used": "1", "Resource": "graphql"}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	limits, _, err := w.Client(token).RateLimit.Get(t.Context())
	w.must(err)
	if limits.GetCore().Remaining != 5000 || limits.GetGraphQL().Remaining != 4999 {
		t.Errorf("core has %d left, GraphQL %d", limits.GetCore().Remaining, limits.GetGraphQL().Remaining)
	}
	w.LimitInstallation(w.inst, 1)
	if again := w.graphQL(token, query, nil); again.status != http.StatusForbidden || !strings.Contains(again.raw, "API rate limit exceeded") {
		t.Errorf("over the limit: %d %s", again.status, again.raw)
	}
	list := w.Journal()
	if list.Count(githubsim.GraphQL) != 2 || list[0].Route != "query Look" || list[0].Login != "promobot[bot]" {
		t.Errorf("journal %+v", list)
	}
}

func TestGraphQLFaults(t *testing.T) {
	w := newWorld(t)
	w.Inject(githubsim.Fault{Path: "/api/graphql", Times: 1, Effect: githubsim.Failed(http.StatusServiceUnavailable)})
	token := w.botToken(nil)
	const query = `{ rateLimit { cost } }`
	if got := w.graphQL(token, query, nil); got.status != http.StatusServiceUnavailable {
		t.Errorf("status %d, want the fault's", got.status)
	}
	if got := w.graphQL(token, query, nil); got.at("rateLimit.cost") != 1.0 {
		t.Errorf("afterwards %s", got.raw)
	}
}
