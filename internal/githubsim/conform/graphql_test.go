package conform_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGraphQL(t *testing.T) {
	if !description(t).GraphQL() {
		t.Skip("schema.graphql is not beside openapi.json: GraphQL is not validated")
	}
	const number = `query N($n: Int!) { repository(owner: "o", name: "r") { pullRequest(number: $n) { number state ... on Node { id } } } }`
	const good = `{"data":{"repository":{"pullRequest":{"number":1,"state":"OPEN","id":"x"}}}}`
	for _, tt := range []struct {
		name, path, query string
		variables         map[string]any
		answer            string
		want              []string
	}{
		{name: "conforming", query: number, variables: map[string]any{"n": 1}, answer: good, want: []string{}},
		{name: "on github.com's path", path: "/graphql", query: `{ nothing }`, answer: `{"errors":[{}]}`, want: []string{
			`request graphql (/graphql) at query 1:3: Cannot query field "nothing" on type "Query".`,
		}},
		{name: "an unknown field", query: `{ repository(owner: "o", name: "r") { nme } }`, answer: `{"errors":[{}]}`, want: []string{
			`request graphql (/api/graphql) at query 1:39: Cannot query field "nme" on type "Repository". Did you mean "name"?`,
		}},
		{name: "a variable of another type", query: number, variables: map[string]any{"n": "one"}, answer: good, want: []string{
			`request graphql query N (/api/graphql) at variables: `,
		}},
		{name: "a variable that nobody declared", query: number, variables: map[string]any{"n": 1, "m": 2}, answer: good, want: []string{
			`request graphql query N (/api/graphql) at /variables/m: is not a variable of the operation`,
		}},
		{
			name: "an answer of wrong values", query: number, variables: map[string]any{"n": 1},
			answer: `{"data":{"repository":{"pullRequest":{"number":"1","state":"open","id":null,"more":1}}}}`, want: []string{
				`answer graphql query N (/api/graphql) 200 at /data/repository/pullRequest/id: is null, its type is ID!`,
				`answer graphql query N (/api/graphql) 200 at /data/repository/pullRequest/number: 1 is not a Int`,
				`answer graphql query N (/api/graphql) 200 at /data/repository/pullRequest/state: open is not a value of PullRequestState`,
				`answer graphql query N (/api/graphql) 200 at /data/repository/pullRequest/more: was not asked for`,
			},
		},
		{name: "an answer without a field", query: number, variables: map[string]any{"n": 1}, answer: `{"data":{"repository":{"pullRequest":{"number":1,"id":"x"}}}}`, want: []string{
			`answer graphql query N (/api/graphql) 200 at /data/repository/pullRequest/state: was asked for, and is not there`,
		}},
		{name: "null where it may be", query: number, variables: map[string]any{"n": 1}, answer: `{"data":{"repository":null}}`, want: []string{}},
		{name: "nothing at all", query: number, variables: map[string]any{"n": 1}, answer: `{}`, want: []string{
			`answer graphql query N (/api/graphql) 200 at body: has neither data nor errors`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := json.Marshal(map[string]any{"query": tt.query, "variables": tt.variables})
			if err != nil {
				t.Fatal(err)
			}
			path := tt.path
			if path == "" {
				path = "/api/graphql"
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(string(body)))
			got := violations(t, r, func(w http.ResponseWriter, r *http.Request) {
				var seen map[string]any
				if err := json.NewDecoder(r.Body).Decode(&seen); err != nil || seen["query"] != tt.query {
					t.Errorf("the handler sees %v, %v", seen, err)
				}
				_, _ = w.Write([]byte(tt.answer))
			})
			for i, want := range tt.want {
				if strings.HasSuffix(want, ": ") && i < len(got) && strings.HasPrefix(got[i], want) {
					got[i] = want // the library's own words follow
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}
