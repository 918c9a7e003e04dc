package githubsim_test

// Every operation of the simulator is asked once, at least, so that GitHub's
// description judges every answer.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/promobot/promobot/internal/githubsim"
)

// walker asks raw requests and remembers parts of answers under names, which
// later paths and bodies use as $name.
type walker struct {
	*world
	tokens map[string]string
	vars   map[string]string
}

// step is one request: as whom, what, with which body, the status wanted, and
// what to remember ("name=key.key").
type step struct {
	who, method, path, body string
	want                    int
	keep                    string
}

func (w *walker) expand(text string) string {
	for name, value := range w.vars {
		text = strings.ReplaceAll(text, "$"+name+"$", value)
	}
	return text
}

func (w *walker) run(s step) {
	w.t.Helper()
	path, body := w.expand(s.path), w.expand(s.body)
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), s.method, w.URL+"/api/v3"+path, reader)
	w.must(err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := http.DefaultClient
	if s.who == "client" {
		req.SetBasicAuth(w.app.ClientID, w.app.ClientSecret)
	} else if s.who == "app" {
		client = w.AppClient(w.app).Client()
	} else if token := w.tokens[s.who]; token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	w.must(err)
	raw, err := io.ReadAll(resp.Body)
	w.must(err)
	w.must(resp.Body.Close())
	if resp.StatusCode != s.want {
		w.t.Fatalf("%s %s by %s: %d, want %d\n%s", s.method, path, s.who, resp.StatusCode, s.want, raw)
	}
	if s.keep == "" {
		return
	}
	for pair := range strings.FieldsSeq(s.keep) {
		name, keys, _ := strings.Cut(pair, "=")
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var value any
		w.must(dec.Decode(&value))
		for key := range strings.SplitSeq(keys, ".") {
			switch v := value.(type) {
			case map[string]any:
				value = v[key]
			case []any:
				value = v[0]
			}
		}
		w.vars[name] = fmt.Sprint(value)
	}
}

func TestEveryOperationIsAsDescribed(t *testing.T) {
	base := newWorld(t)
	w := &walker{world: base, tokens: map[string]string{}, vars: map[string]string{"head": base.head, "inst": fmt.Sprint(base.inst)}}
	for _, login := range []string{"olga", "mona", "rita"} {
		token, err := w.UserToken(login)
		w.must(err)
		w.tokens[login] = token
	}
	ritas, err := w.UserAccessToken(w.app.ID, "rita")
	w.must(err)
	w.must(w.CreateTeam("acme", "Release managers", "mona"))
	w.must(w.AddRuleset("acme/shop", githubsim.Ruleset{Name: "rules", Branches: []string{"guarded"}, RequiredChecks: []string{"ci"}}))
	w.run(step{"app", "POST", "/app/installations/$inst$/access_tokens", `{"repositories":["shop"],"permissions":{"contents":"write","metadata":"read"}}`, 201, ""})
	w.run(step{"app", "POST", "/app/installations/$inst$/access_tokens", `null`, 201, "bot=token"})
	w.tokens["bot"] = w.vars["bot"]
	w.must(w.AddWorkflow("acme/shop", githubsim.Workflow{File: "recover.yml", Inputs: []githubsim.WorkflowInput{{Name: "env"}}}))
	const shop = "/repos/acme/shop"
	for _, s := range []step{
		{"app", "GET", "/app", "", 200, ""},
		{"app", "GET", "/app/installations?per_page=1", "", 200, ""},
		{"app", "GET", "/app/installations/$inst$", "", 200, ""},
		{"app", "GET", shop + "/installation", "", 200, ""},
		{"app", "GET", "/orgs/acme/installation", "", 200, ""},
		{"app", "GET", "/users/mona/installation", "", 404, ""},
		{"bot", "GET", "/installation/repositories", "", 200, ""},
		{"mona", "GET", "/user", "", 200, ""},
		{"mona", "GET", "/users/olga", "", 200, ""},
		{"mona", "GET", "/rate_limit", "", 200, ""},
		{"bot", "GET", shop, "", 200, ""},
		{"rita", "GET", shop, "", 200, ""},
		{"olga", "PATCH", shop, `{"delete_branch_on_merge":false,"allow_squash_merge":true}`, 200, ""},

		{"bot", "GET", shop + "/git/ref/heads/main", "", 200, ""},
		{"bot", "POST", shop + "/git/refs", `{"ref":"refs/heads/new/one","sha":"$head$"}`, 201, ""},
		{"bot", "POST", shop + "/git/refs", `{"ref":"refs/heads/new/one","sha":"$head$"}`, 422, ""},
		{"bot", "POST", shop + "/git/refs", `{"ref":"refs/heads/gone","sha":"$head$"}`, 201, ""},
		{"bot", "GET", shop + "/git/matching-refs/heads/n", "", 200, ""},
		{"bot", "DELETE", shop + "/git/refs/heads/gone", "", 204, ""},
		{"bot", "POST", shop + "/git/blobs", `{"content":"tag: 2.0\n","encoding":"utf-8"}`, 201, "blob=sha"},
		{"bot", "GET", shop + "/git/blobs/$blob$", "", 200, ""},
		{"bot", "GET", shop + "/git/trees/$head$?recursive=1", "", 200, "tree=sha"},
		{"bot", "POST", shop + "/git/trees", `{"base_tree":"$tree$","tree":[{"path":"envs/qa/version.yml","mode":"100644","type":"blob","sha":"$blob$"}]}`, 201, "tree=sha"},
		{"bot", "POST", shop + "/git/commits", `{"message":"Raise qa","tree":"$tree$","parents":["$head$"]}`, 201, "commit=sha"},
		{"bot", "GET", shop + "/git/commits/$commit$", "", 200, ""},
		{"bot", "PATCH", shop + "/git/refs/heads/new/one", `{"sha":"$commit$"}`, 200, ""},
		{"bot", "PATCH", shop + "/git/refs/heads/new/one", `{"sha":"$head$"}`, 422, ""},
		{"bot", "POST", shop + "/git/tags", `{"tag":"v0","message":"zero","object":"$head$","type":"commit"}`, 201, "tag=sha"},
		{"bot", "POST", shop + "/git/refs", `{"ref":"refs/tags/v0","sha":"$tag$"}`, 201, ""},
		{"bot", "GET", shop + "/git/tags/$tag$", "", 200, ""},
		{"bot", "GET", shop + "/tags", "", 200, ""},

		{"bot", "GET", shop + "/branches", "", 200, ""},
		{"bot", "GET", shop + "/branches/new/one", "", 200, ""},
		{"bot", "GET", shop + "/rules/branches/guarded", "", 200, ""},
		{"olga", "PUT", shop + "/branches/main/protection", `{"required_status_checks":{"strict":false,"contexts":["ci"]},"enforce_admins":false,"required_pull_request_reviews":{"required_approving_review_count":1},"restrictions":null}`, 200, ""},
		{"olga", "GET", shop + "/branches/main/protection", "", 200, ""},
		{"olga", "GET", shop + "/branches/main/protection/required_status_checks", "", 200, ""},
		{"olga", "GET", shop + "/branches/main/protection/required_pull_request_reviews", "", 200, ""},
		{"bot", "GET", shop + "/branches/main", "", 200, ""},
		{"olga", "POST", shop + "/branches/main/protection/required_signatures", "", 200, ""},
		{"olga", "GET", shop + "/branches/main/protection/required_signatures", "", 200, ""},
		{"olga", "DELETE", shop + "/branches/main/protection/required_signatures", "", 204, ""},
		{"olga", "PUT", shop + "/branches/main/protection", `{"required_status_checks":null,"enforce_admins":true,"required_pull_request_reviews":null,"restrictions":{"users":["mona"],"teams":[],"apps":["promobot"]},"lock_branch":true,"block_creations":true}`, 200, ""},
		{"olga", "GET", shop + "/branches/main/protection", "", 200, ""},
		{"olga", "DELETE", shop + "/branches/main/protection", "", 204, ""},
		{"olga", "GET", shop + "/branches/main/protection", "", 404, ""},

		{"bot", "GET", shop + "/commits?sha=new/one&path=envs/qa", "", 200, ""},
		{"bot", "GET", shop + "/commits/new/one", "", 200, ""},
		{"bot", "GET", shop + "/commits/$commit$/branches-where-head", "", 200, ""},
		{"bot", "GET", shop + "/compare/main...new/one", "", 200, ""},
		{"bot", "GET", shop + "/contents/envs", "", 200, ""},
		{"bot", "GET", shop + "/contents/", "", 200, ""},
		{"bot", "GET", shop + "/contents/envs/qa/version.yml?ref=new/one", "", 200, "file=sha"},
		{"mona", "PUT", shop + "/contents/a%20b.txt", `{"message":"Add","content":"eAo=","branch":"new/one"}`, 201, "added=content.sha"},
		{"mona", "DELETE", shop + "/contents/a%20b.txt", `{"message":"Remove","sha":"$added$","branch":"new/one"}`, 200, ""},

		{"bot", "POST", shop + "/pulls", `{"title":"Raise qa","head":"new/one","base":"main","body":"why"}`, 201, "n=number sha=head.sha"},
		{"bot", "POST", shop + "/pulls", `{"title":"Raise qa","head":"new/one","base":"main"}`, 422, ""},
		{"bot", "GET", shop + "/pulls?state=all&head=acme:new/one&base=main&sort=created&direction=desc", "", 200, ""},
		{"bot", "GET", shop + "/pulls/$n$", "", 200, ""},
		{"bot", "GET", shop + "/pulls/$n$", "", 200, ""},
		{"bot", "PATCH", shop + "/pulls/$n$", `{"title":"Raise qa to 2.0","body":"because"}`, 200, ""},
		{"bot", "GET", shop + "/pulls/$n$/files", "", 200, ""},
		{"bot", "GET", shop + "/pulls/$n$/commits", "", 200, ""},
		{"bot", "GET", shop + "/pulls/$n$/merge", "", 404, ""},
		{"bot", "GET", shop + "/commits/$commit$/pulls", "", 200, ""},
		{"bot", "POST", shop + "/pulls/$n$/requested_reviewers", `{"reviewers":["mona"]}`, 201, ""},
		{"bot", "GET", shop + "/pulls/$n$/requested_reviewers", "", 200, ""},
		{"bot", "DELETE", shop + "/pulls/$n$/requested_reviewers", `{"reviewers":["mona"]}`, 200, ""},
		{"mona", "POST", shop + "/pulls/$n$/reviews", `{"event":"APPROVE","body":"fine"}`, 200, "review=id"},
		{"bot", "POST", shop + "/pulls/$n$/reviews", `{"event":"APPROVE"}`, 422, ""},
		{"olga", "POST", shop + "/pulls/$n$/reviews", `{"body":"a draft"}`, 200, "draft=id"},
		{"olga", "POST", shop + "/pulls/$n$/reviews/$draft$/events", `{"event":"COMMENT","body":"said"}`, 200, ""},
		{"bot", "GET", shop + "/pulls/$n$/reviews", "", 200, ""},
		{"bot", "GET", shop + "/pulls/$n$/reviews/$review$", "", 200, ""},
		{"olga", "PUT", shop + "/pulls/$n$/reviews/$review$/dismissals", `{"message":"no"}`, 200, ""},

		{"bot", "POST", shop + "/check-runs", `{"name":"ci","head_sha":"$sha$","status":"completed","conclusion":"success","output":{"title":"t","summary":"s","annotations":[{"path":"a","start_line":1,"end_line":1,"annotation_level":"notice","message":"m"}]}}`, 201, "run=id suite=check_suite.id"},
		{"bot", "PATCH", shop + "/check-runs/$run$", `{"conclusion":"neutral"}`, 200, ""},
		{"bot", "GET", shop + "/check-runs/$run$", "", 200, ""},
		{"bot", "GET", shop + "/check-runs/$run$/annotations", "", 200, ""},
		{"bot", "POST", shop + "/check-runs/$run$/rerequest", "", 201, ""},
		{"bot", "GET", shop + "/commits/$sha$/check-runs?filter=all", "", 200, ""},
		{"bot", "GET", shop + "/commits/$sha$/check-suites", "", 200, ""},
		{"bot", "POST", shop + "/check-suites", `{"head_sha":"$sha$"}`, 200, ""},
		{"bot", "GET", shop + "/check-suites/$suite$", "", 200, ""},
		{"bot", "GET", shop + "/check-suites/$suite$/check-runs", "", 200, ""},
		{"bot", "POST", shop + "/check-suites/$suite$/rerequest", "", 201, ""},
		{"bot", "POST", shop + "/statuses/$sha$", `{"state":"success","context":"x"}`, 201, ""},
		{"bot", "GET", shop + "/commits/$sha$/status", "", 200, ""},
		{"bot", "GET", shop + "/commits/$sha$/statuses", "", 200, ""},
		{"bot", "POST", shop + "/deployments", `{"ref":"main","auto_merge":false,"required_contexts":[],"payload":"text"}`, 201, "deployment=id"},
		{"bot", "GET", shop + "/deployments", "", 200, ""},
		{"bot", "GET", shop + "/deployments/$deployment$", "", 200, ""},
		{"bot", "POST", shop + "/deployments/$deployment$/statuses", `{"state":"inactive"}`, 201, "status=id"},
		{"bot", "GET", shop + "/deployments/$deployment$/statuses", "", 200, ""},
		{"bot", "GET", shop + "/deployments/$deployment$/statuses/$status$", "", 200, ""},
		{"bot", "DELETE", shop + "/deployments/$deployment$", "", 204, ""},

		{"bot", "POST", shop + "/issues", `{"title":"An issue","labels":["x"]}`, 201, "issue=number"},
		{"bot", "GET", shop + "/issues?state=all&labels=x", "", 200, ""},
		{"bot", "GET", shop + "/issues/$n$", "", 200, ""},
		{"bot", "PATCH", shop + "/issues/$issue$", `{"state":"closed","state_reason":"not_planned"}`, 200, ""},
		{"bot", "POST", shop + "/issues/$n$/assignees", `{"assignees":["mona"]}`, 201, ""},
		{"bot", "DELETE", shop + "/issues/$n$/assignees", `{"assignees":["mona"]}`, 200, ""},
		{"bot", "GET", shop + "/issues/$n$/assignees/mona", "", 204, ""},
		{"bot", "POST", shop + "/issues/$n$/comments", `{"body":"/hold"}`, 201, "comment=id"},
		{"bot", "GET", shop + "/issues/$n$/comments", "", 200, ""},
		{"bot", "GET", shop + "/issues/comments?sort=updated&direction=asc", "", 200, ""},
		{"bot", "GET", shop + "/issues/comments/$comment$", "", 200, ""},
		{"bot", "PATCH", shop + "/issues/comments/$comment$", `{"body":"/resume"}`, 200, ""},
		{"mona", "POST", shop + "/issues/comments/$comment$/reactions", `{"content":"+1"}`, 201, "reaction=id"},
		{"bot", "GET", shop + "/issues/comments/$comment$/reactions", "", 200, ""},
		{"mona", "DELETE", shop + "/issues/comments/$comment$/reactions/$reaction$", "", 204, ""},
		{"mona", "POST", shop + "/issues/$n$/reactions", `{"content":"eyes"}`, 201, "reaction=id"},
		{"bot", "GET", shop + "/issues/$n$/reactions", "", 200, ""},
		{"mona", "DELETE", shop + "/issues/$n$/reactions/$reaction$", "", 204, ""},
		{"bot", "DELETE", shop + "/issues/comments/$comment$", "", 204, ""},
		{"bot", "POST", shop + "/labels", `{"name":"promotion","color":"00ff00","description":"d"}`, 201, ""},
		{"bot", "GET", shop + "/labels", "", 200, ""},
		{"bot", "GET", shop + "/labels/promotion", "", 200, ""},
		{"bot", "PATCH", shop + "/labels/promotion", `{"new_name":"promoted"}`, 200, ""},
		{"bot", "POST", shop + "/issues/$n$/labels", `["promoted"]`, 200, ""},
		{"bot", "PUT", shop + "/issues/$n$/labels", `{"labels":["promoted","x"]}`, 200, ""},
		{"bot", "GET", shop + "/issues/$n$/labels", "", 200, ""},
		{"bot", "DELETE", shop + "/issues/$n$/labels/x", "", 200, ""},
		{"bot", "DELETE", shop + "/issues/$n$/labels", "", 204, ""},
		{"bot", "DELETE", shop + "/labels/promoted", "", 204, ""},

		{"mona", "PUT", shop + "/contents/other.txt", `{"message":"Move main","content":"eAo=","branch":"main"}`, 201, ""},
		{"mona", "PUT", shop + "/pulls/$n$/update-branch", `{"expected_head_sha":"$sha$"}`, 202, ""},
		{"bot", "GET", shop + "/pulls/$n$", "", 200, "sha=head.sha"},
		{"bot", "PUT", shop + "/pulls/$n$/merge", `{"sha":"$commit$"}`, 409, ""},
		{"bot", "PUT", shop + "/pulls/$n$/merge", `{"sha":"$sha$","merge_method":"merge","commit_title":"Land it","commit_message":"Promotion-Id: 1"}`, 200, ""},
		{"bot", "GET", shop + "/pulls/$n$/merge", "", 204, ""},
		{"bot", "PUT", shop + "/pulls/$n$/merge", `{"sha":"$sha$"}`, 405, ""},
		{"bot", "GET", shop + "/pulls?state=closed", "", 200, ""},

		{"mona", "POST", shop + "/releases", `{"tag_name":"v1","name":"One","body":"b"}`, 201, "release=id"},
		{"bot", "GET", shop + "/releases", "", 200, ""},
		{"bot", "GET", shop + "/releases/latest", "", 200, ""},
		{"bot", "GET", shop + "/releases/tags/v1", "", 200, ""},
		{"bot", "GET", shop + "/releases/$release$", "", 200, ""},
		{"mona", "PATCH", shop + "/releases/$release$", `{"body":"c"}`, 200, ""},
		{"mona", "PATCH", shop + "/releases/$release$", `{"draft":true}`, 200, ""},
		{"mona", "DELETE", shop + "/releases/$release$", "", 204, ""},
		{"bot", "POST", shop + "/dispatches", `{"event_type":"promote"}`, 204, ""},

		{"bot", "GET", shop + "/actions/workflows", "", 200, "workflow=workflows.0.id"},
		{"bot", "GET", shop + "/actions/workflows/recover.yml", "", 200, ""},
		{"bot", "PUT", shop + "/actions/workflows/$workflow$/disable", "", 204, ""},
		{"bot", "POST", shop + "/actions/workflows/recover.yml/dispatches", `{"ref":"main"}`, 422, ""},
		{"bot", "PUT", shop + "/actions/workflows/$workflow$/enable", "", 204, ""},
		{"bot", "POST", shop + "/actions/workflows/recover.yml/dispatches", `{"ref":"main"}`, 204, ""},
		{"bot", "POST", shop + "/actions/workflows/$workflow$/dispatches", `{"ref":"main","inputs":{"env":"qa"},"return_run_details":true}`, 200, "workflowrun=workflow_run_id"},
		{"bot", "GET", shop + "/actions/runs", "", 200, ""},
		{"bot", "GET", shop + "/actions/runs/$workflowrun$", "", 200, ""},
		{"bot", "GET", shop + "/actions/workflows/recover.yml/runs?event=workflow_dispatch&created=%3E%3D2020-01-01T00:00:00Z", "", 200, ""},
		{"bot", "DELETE", shop + "/actions/runs/$workflowrun$", "", 403, ""},

		{"bot", "GET", shop + "/collaborators", "", 200, ""},
		{"bot", "GET", shop + "/collaborators/mona", "", 204, ""},
		{"bot", "GET", shop + "/collaborators/mona/permission", "", 200, ""},
		{"bot", "GET", "/orgs/acme/teams/release-managers", "", 200, ""},
		{"bot", "GET", "/orgs/acme/teams/release-managers/memberships/mona", "", 200, ""},
		{"bot", "GET", "/orgs/acme/memberships/mona", "", 200, ""},
		{"bot", "GET", "/orgs/acme/members/mona", "", 204, ""},
	} {
		w.run(s)
	}
	w.drained()
	for _, s := range []step{
		{"app", "GET", "/app/hook/config", "", 200, ""},
		{"olga", "GET", shop + "/rulesets", "", 200, "ruleset=0.id"},
		{"olga", "GET", shop + "/rulesets/$ruleset$", "", 200, ""},
		{"", "POST", "/app-manifests/nothing/conversions", "", 404, ""},
		{"app", "GET", "/app/hook/deliveries?per_page=5", "", 200, "delivery=0.id"},
		{"app", "GET", "/app/hook/deliveries/$delivery$", "", 200, ""},
		{"app", "POST", "/app/hook/deliveries/$delivery$/attempts", "", 202, ""},
		{"client", "DELETE", "/applications/" + w.app.ClientID + "/token", `{"access_token":"` + ritas + `"}`, 204, ""},
		{"bot", "DELETE", "/installation/token", "", 204, ""},
		{"bot", "GET", shop, "", 401, ""},
	} {
		w.run(s)
	}
	w.drained()

	asked := map[string]bool{}
	for _, r := range w.Journal() {
		asked[r.Method+" "+r.Route] = true
	}
	missing := slices.DeleteFunc(w.Operations(), func(op string) bool { return asked[op] })
	if len(missing) > 0 {
		t.Errorf("no step asks for:\n%s", strings.Join(missing, "\n"))
	}
}
