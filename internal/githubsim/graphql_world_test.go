package githubsim_test

// What the tests of GraphQL, auto-merge and merge queues add to the world.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/promobot/promobot/internal/githubsim"
)

// answered is an answer of GraphQL's.
type answered struct {
	status int
	header http.Header
	raw    string
	data   map[string]any
	errors []string // type and message
}

// graphQL asks, with variables.
func (w *world) graphQL(token, query string, variables map[string]any) answered {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	w.must(err)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.URL+"/api/graphql", bytes.NewReader(body))
	w.must(err)
	if token != "" {
		req.Header.Set("Authorization", "bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	w.must(err)
	out := answered{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	var in struct {
		Data   map[string]any
		Errors []struct{ Type, Message string }
	}
	w.must(json.Unmarshal(raw, &in))
	out.data = in.Data
	for _, e := range in.Errors {
		out.errors = append(out.errors, strings.TrimSpace(e.Type+" "+e.Message))
	}
	return out
}

// at is a value inside an answer's data, by keys and dots.
func (a answered) at(path string) any {
	var value any = a.data
	for key := range strings.SplitSeq(path, ".") {
		object, is := value.(map[string]any)
		if !is {
			return nil
		}
		value = object[key]
	}
	return value
}

// mutate carries a mutation out on a pull request, which field names.
func (w *world) mutate(token, name, field string, number int, more map[string]any) answered {
	w.t.Helper()
	input := map[string]any{field: w.nodeOf(number)}
	maps.Copy(input, more)
	kind := strings.ToUpper(name[:1]) + name[1:] + "Input!"
	return w.graphQL(token, fmt.Sprintf(`mutation Do($input: %s) { %s(input: $input) { clientMutationId } }`, kind, name),
		map[string]any{"input": input})
}

// nodeOf is a pull request's node id, as REST tells it.
func (w *world) nodeOf(number int) string {
	w.t.Helper()
	p, _, err := w.bot.PullRequests.Get(w.t.Context(), "acme", "shop", number)
	w.must(err)
	return p.GetNodeID()
}

// conclude lets the App's check end on a commit.
func (w *world) conclude(sha, name, conclusion string) {
	w.t.Helper()
	_, err := w.PostCheck("acme/shop", sha, githubsim.CheckPost{App: w.app.ID, Name: name, Conclusion: conclusion})
	w.must(err)
}

// state is a pull request as it really is.
func (w *world) state(number int) githubsim.PullState {
	w.t.Helper()
	list, err := w.Pulls("acme/shop")
	w.must(err)
	i := slices.IndexFunc(list, func(p githubsim.PullState) bool { return p.Number == number })
	if i < 0 {
		w.t.Fatalf("no pull request %d", number)
	}
	return list[i]
}

// told are the actions of events of a kind, with their reasons.
func told(list []received, event string) []string {
	var out []string
	for _, one := range list {
		if one.event != event {
			continue
		}
		line := one.action
		if number, has := one.body["number"]; has {
			line += fmt.Sprint(" #", number)
		}
		if reason, has := one.body["reason"]; has {
			line += fmt.Sprint(" ", reason)
		}
		out = append(out, line)
	}
	return out
}

// wantErrors checks the errors of an answer; a wanted one is a part of the
// error in its place.
func wantErrors(t *testing.T, a answered, want ...string) {
	t.Helper()
	if len(a.errors) != len(want) {
		t.Fatalf("errors %q, want %q", a.errors, want)
	}
	for i := range want {
		if !strings.Contains(a.errors[i], want[i]) {
			t.Errorf("error %q, want %q", a.errors[i], want[i])
		}
	}
}
