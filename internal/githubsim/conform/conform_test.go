package conform_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim/conform"
)

func description(t *testing.T) *conform.Description {
	t.Helper()
	path, err := conform.Find()
	if errors.Is(err, conform.ErrAbsent) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	d, err := conform.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// violations sends one request through the middleware, with a handler that gives a fixed answer.
func violations(t *testing.T, r *http.Request, answer http.HandlerFunc) []string {
	t.Helper()
	var (
		mu  sync.Mutex
		all = []string{}
	)
	h := description(t).Middleware(answer, func(v conform.Violation) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, v.String())
	})
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(http.ErrAbortHandler) {
				t.Fatalf("the handler panicked: %v", p)
			}
		}()
		h.ServeHTTP(httptest.NewRecorder(), r)
	}()
	return all
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func request(method, path, body string) *http.Request {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, path, reader)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

const (
	aRef   = `{"ref":"refs/heads/a","node_id":"x","url":"https://h/r","object":{"type":"commit","sha":"aa218f56b14c9653891f9e74264a383fa43fefbd","url":"https://h/c"}}`
	repo   = "/api/v3/repos/o/r"
	denied = `{"message":"Not Found"}`
)

func TestRequests(t *testing.T) {
	tests := []struct {
		name    string
		request *http.Request
		want    []string
	}{
		{name: "conforming", request: request("GET", repo+"/git/ref/heads/a", "")},
		{name: "ref of several segments", request: request("GET", repo+"/git/ref/heads/a/b/c", "")},
		{name: "repository by its id", request: request("GET", "/api/v3/repositories/7/pulls?state=all", "")},
		{name: "installation of a user", request: request("GET", "/api/v3/users/mona/installation", "")},
		{name: "contents of the root", request: request("GET", repo+"/contents/?ref=a", "")},
		{name: "literal before parameter", request: request("GET", repo+"/commits/a/b/check-runs?check_name=x&filter=latest", "")},
		{name: "escaped segment", request: request("GET", repo+"/branches/a%2Fb/protection", "")},
		{name: "comparison", request: request("GET", repo+"/compare/a/b...c/d?per_page=1", "")},
		{name: "runs since a time", request: request("GET", repo+"/actions/runs?created=%3E%3D2026-03-02T09:00:00Z", "")},
		{name: "runs in a range", request: request("GET", repo+"/actions/runs?created=2026-03-02..*", "")},
		{
			name: "runs since no time", request: request("GET", repo+"/actions/runs?created=%3E%3Dyesterday", ""),
			want: []string{`request GET /repos/{owner}/{repo}/actions/runs (/repos/o/r/actions/runs) at query parameter created: "yesterday": string doesn't match the format "date-time" (string doesn't match pattern "^[0-9]{4}-(0[1-9]|10|11|12)-(0[1-9]|[12][0-9]|3[01])T([0-1][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?(Z|(\+|-)[0-9]{2}:[0-9]{2})$")`},
		},
		{
			name: "misspelled query parameter", request: request("GET", repo+"/pulls?stat=all", ""),
			want: []string{`request GET /repos/{owner}/{repo}/pulls (/repos/o/r/pulls) at query parameter stat: "stat" is not in GitHub's description`},
		},
		{
			name: "query parameter of the wrong type", request: request("GET", repo+"/pulls?per_page=many", ""),
			want: []string{`request GET /repos/{owner}/{repo}/pulls (/repos/o/r/pulls) at query parameter per_page: "many": value must be an integer`},
		},
		{
			name: "query parameter out of its words", request: request("GET", repo+"/pulls?state=merged", ""),
			want: []string{`request GET /repos/{owner}/{repo}/pulls (/repos/o/r/pulls) at query parameter state: "merged": value is not one of the allowed values ["open","closed","all"]`},
		},
		{
			name: "path parameter of the wrong type", request: request("GET", repo+"/pulls/one", ""),
			want: []string{`request GET /repos/{owner}/{repo}/pulls/{pull_number} (/repos/o/r/pulls/one) at path parameter pull_number: "one": value must be an integer`},
		},
		{
			name: "misspelled body key", request: request("POST", repo+"/git/refs", `{"ref":"refs/heads/a","sha":"a","shaa":"b"}`),
			want: []string{`request POST /repos/{owner}/{repo}/git/refs (/repos/o/r/git/refs) at /shaa: "shaa" is not in GitHub's description`},
		},
		{
			name:    "misspelled nested body key",
			request: request("POST", repo+"/check-runs", `{"name":"n","head_sha":"a","output":{"title":"t","summary":"s","txt":"x"}}`),
			want:    []string{`request POST /repos/{owner}/{repo}/check-runs (/repos/o/r/check-runs) at /output/txt: "txt" is not in GitHub's description`},
		},
		{
			name: "wrong type", request: request("POST", repo+"/git/refs", `{"ref":"refs/heads/a","sha":1}`),
			want: []string{`request POST /repos/{owner}/{repo}/git/refs (/repos/o/r/git/refs) at /sha: value must be a string`},
		},
		{
			name: "missing key", request: request("POST", repo+"/git/refs", `{"sha":"a"}`),
			want: []string{`request POST /repos/{owner}/{repo}/git/refs (/repos/o/r/git/refs) at /ref: property "ref" is missing`},
		},
		{
			name: "missing body", request: request("POST", repo+"/git/refs", ""),
			want: []string{`request POST /repos/{owner}/{repo}/git/refs (/repos/o/r/git/refs) at body: is required`},
		},
		{
			name: "body where none is taken", request: request("DELETE", repo+"/git/refs/heads/a", `{"force":true}`),
			want: []string{`request DELETE /repos/{owner}/{repo}/git/refs/{ref} (/repos/o/r/git/refs/heads/a) at body: GitHub describes no body for this request`},
		},
		{
			name: "broken JSON", request: request("POST", repo+"/git/refs", `{"ref":`),
			want: []string{`request POST /repos/{owner}/{repo}/git/refs (/repos/o/r/git/refs) at body: not JSON: unexpected EOF`},
		},
		{name: "null body as empty", request: request("POST", "/api/v3/app/installations/1/access_tokens", "null")},
		{name: "array of labels", request: request("POST", repo+"/issues/1/labels", `["a","b"]`)},
		{name: "object of labels", request: request("PUT", repo+"/issues/1/labels", `{"labels":["a"]}`)},
		{
			name: "completed check run without conclusion", request: request("POST", repo+"/check-runs", `{"name":"n","head_sha":"a","status":"completed"}`),
			want: []string{`request POST /repos/{owner}/{repo}/check-runs (/repos/o/r/check-runs) at /conclusion: a check run with status completed needs a conclusion`},
		},
		{
			name: "too many actions", request: request("PATCH", repo+"/check-runs/1", `{"actions":[`+strings.Repeat(`{"label":"l","description":"d","identifier":"i"},`, 3)+`{"label":"l","description":"d","identifier":"i"}]}`),
			want: []string{`request PATCH /repos/{owner}/{repo}/check-runs/{check_run_id} (/repos/o/r/check-runs/1) at /actions: maximum number of items is 3`},
		},
		{
			name: "unknown path", request: request("GET", repo+"/promotions", ""),
			want: []string{`request GET (/repos/o/r/promotions): GitHub describes no such path`},
		},
		{
			name: "unknown method", request: request("PUT", repo+"/pulls", "{}"),
			want: []string{`request PUT /repos/{owner}/{repo}/pulls (/repos/o/r/pulls): GitHub describes no PUT of this path`},
		},
		{name: "not the API", request: request("GET", "/o/r.git/info/refs?service=git-upload-pack", "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := violations(t, tt.request, answer(http.StatusNotFound, denied))
			if diff := cmp.Diff(append([]string{}, tt.want...), got); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	const prefix = "answer GET /repos/{owner}/{repo}/git/ref/{ref} (/repos/o/r/git/ref/heads/a) "
	aCheck := `{"id":1,"head_sha":"a","node_id":"n","external_id":"","url":"https://h","html_url":"https://h","details_url":"https://h","status":"completed","conclusion":null,` +
		`"started_at":null,"completed_at":null,"output":{"title":null,"summary":null,"text":null,"annotations_count":0,"annotations_url":"https://h"},"name":"n","check_suite":{"id":1},"app":null,"pull_requests":[]}`
	tests := []struct {
		name    string
		request *http.Request
		answer  http.HandlerFunc
		want    []string
	}{
		{name: "conforming", answer: answer(200, aRef)},
		{name: "missing field", answer: answer(200, strings.Replace(aRef, `"node_id":"x",`, "", 1)), want: []string{prefix + `200 at /node_id: property "node_id" is missing`}},
		{name: "undeclared field", answer: answer(200, strings.Replace(aRef, `"node_id"`, `"kind":"y","node_id"`, 1)), want: []string{prefix + `200 at /kind: "kind" is not in GitHub's description`}},
		{name: "wrong type", answer: answer(200, strings.Replace(aRef, `"x"`, `1`, 1)), want: []string{prefix + `200 at /node_id: value must be a string`}},
		{name: "undescribed success", answer: answer(201, aRef), want: []string{prefix + `201: GitHub describes no such status`}},
		{name: "undescribed error", answer: answer(422, `{"message":"no"}`)},
		{name: "error without message", answer: answer(422, `{}`), want: []string{prefix + `422 at /message: GitHub's errors have one`}},
		{
			name: "error as text", answer: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusNotFound) },
			want: []string{prefix + `404 at Content-Type: is text/plain, GitHub's errors are JSON`},
		},
		{name: "server error as a page", answer: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) }},
		{name: "not modified", answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }},
		{
			name: "answered what is not described", request: request("GET", repo+"/promotions", ""), answer: answer(200, `{}`),
			want: []string{
				"request GET (/repos/o/r/promotions): GitHub describes no such path",
				"answer GET (/repos/o/r/promotions) 200: the simulator answered what GitHub does not describe",
			},
		},
		{
			name: "nearest alternative is told", request: request("GET", repo+"/contents/a/b", ""),
			answer: answer(200, `{"type":"file","encoding":"base64","size":1,"name":"b","path":"a/b","content":"","sha":"a","url":"https://h","git_url":null,"html_url":null,"download_url":7,"_links":{"git":null,"html":null,"self":"https://h"}}`),
			want:   []string{"answer GET /repos/{owner}/{repo}/contents/{path} (/repos/o/r/contents/a/b) 200 at /download_url: value must be a string"},
		},
		{
			name: "completed check run without conclusion", request: request("GET", repo+"/check-runs/1", ""), answer: answer(200, aCheck),
			want: []string{"answer GET /repos/{owner}/{repo}/check-runs/{check_run_id} (/repos/o/r/check-runs/1) 200 at /conclusion: a check run with status completed needs a conclusion"},
		},
		{name: "the answer is lost", answer: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.request
			if r == nil {
				r = request("GET", repo+"/git/ref/heads/a", "")
			}
			got := violations(t, r, tt.answer)
			if diff := cmp.Diff(append([]string{}, tt.want...), got); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

// What go-github v60 really sends must pass, odd or not.
func TestGoGitHubConforms(t *testing.T) {
	d := description(t)
	var mu sync.Mutex
	var found []string
	server := httptest.NewServer(d.Middleware(answer(http.StatusNotFound, denied), func(v conform.Violation) {
		mu.Lock()
		defer mu.Unlock()
		found = append(found, v.String())
	}))
	defer server.Close()
	client, err := github.NewClient(server.Client()).WithEnterpriseURLs(server.URL, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	calls := map[string]func() error{
		"create a check run": func() error {
			_, _, err := client.Checks.CreateCheckRun(ctx, "o", "r", github.CreateCheckRunOptions{
				Name: "n", HeadSHA: "a", Status: new("completed"), Conclusion: new("neutral"),
				Output: &github.CheckRunOutput{Title: new("t"), Summary: new("s")},
			})
			return err
		},
		"list check runs": func() error {
			_, _, err := client.Checks.ListCheckRunsForRef(ctx, "o", "r", "a/b", &github.ListCheckRunsOptions{Filter: new("all")})
			return err
		},
		"add labels": func() error {
			_, _, err := client.Issues.AddLabelsToIssue(ctx, "o", "r", 1, []string{"a"})
			return err
		},
		"create a pull request": func() error {
			_, _, err := client.PullRequests.Create(ctx, "o", "r", &github.NewPullRequest{Title: new("t"), Head: new("h"), Base: new("b")})
			return err
		},
		"merge": func() error {
			_, _, err := client.PullRequests.Merge(ctx, "o", "r", 1, "m", &github.PullRequestOptions{SHA: "a", MergeMethod: "squash"})
			return err
		},
		"compare": func() error {
			_, _, err := client.Repositories.CompareCommits(ctx, "o", "r", "a/b", "c", &github.ListOptions{PerPage: 100})
			return err
		},
		"deploy": func() error {
			_, _, err := client.Repositories.CreateDeployment(ctx, "o", "r", &github.DeploymentRequest{Ref: new("a"), AutoMerge: new(false), RequiredContexts: &[]string{}})
			return err
		},
	}
	for name, call := range calls {
		if err := call(); err == nil {
			t.Errorf("%s: the server answers 404, the client saw no error", name)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(found) > 0 {
		t.Errorf("violations:\n%s", strings.Join(found, "\n"))
	}
}

func TestRecordedWebhooks(t *testing.T) {
	d := description(t)
	folder, err := conform.Shared()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(folder, "webhook-examples.json"))
	if err != nil {
		t.Skipf("the recorded webhooks are absent: %v", err)
	}
	var recorded []struct {
		Event   string
		Payload json.RawMessage
	}
	if err := json.Unmarshal(raw, &recorded); err != nil {
		t.Fatal(err)
	}
	// Most recordings are older than the description and lack newer fields, or hold fields that it has dropped.
	// What passes today is pinned: fewer would mean that the validation, not the recording, became wrong.
	const floorOfShape = 32
	ofShape := 0
	for _, r := range recorded {
		var head struct{ Action string }
		if err := json.Unmarshal(r.Payload, &head); err != nil {
			t.Fatal(err)
		}
		shaped := true
		for _, v := range d.Webhook(r.Event, head.Action, r.Payload) {
			shaped = shaped && v.Undeclared
			if strings.Contains(v.Problem, "no such webhook") {
				t.Errorf("%s", v)
			}
		}
		if shaped {
			ofShape++
		}
	}
	if ofShape < floorOfShape {
		t.Errorf("%d of %d recordings pass, want at least %d", ofShape, len(recorded), floorOfShape)
	}
}

func TestWebhookViolations(t *testing.T) {
	tests := []struct {
		name, event, action, payload string
		want                         string
	}{
		{name: "unknown event", event: "promotion", payload: `{}`, want: "webhook promotion: GitHub describes no such webhook"},
		{name: "unknown action", event: "push", action: "again", payload: `{"action":"again"}`, want: "webhook push again: GitHub describes no such webhook"},
		{name: "action differs", event: "ping", payload: `{"action":"x","zen":"z","hook_id":1}`, want: `webhook ping at /action: is "x", the delivery says ""`},
		{name: "not JSON", event: "ping", payload: `{`, want: "webhook ping at body: not JSON: unexpected EOF"},
		{name: "not an object", event: "ping", payload: `[]`, want: "webhook ping at body: is not an object"},
		{name: "missing field", event: "create", payload: `{"ref":"a"}`, want: `webhook create at /ref_type: property "ref_type" is missing`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, v := range description(t).Webhook(tt.event, tt.action, []byte(tt.payload)) {
				got = append(got, v.String())
			}
			if !bytes.Contains([]byte(strings.Join(got, "\n")+"\n"), []byte(tt.want+"\n")) {
				t.Errorf("violations %q, want among them %q", got, tt.want)
			}
		})
	}
}

func TestLoadSaysThatTheDescriptionIsAbsent(t *testing.T) {
	if _, err := conform.Load(filepath.Join(t.TempDir(), "openapi.json")); !errors.Is(err, conform.ErrAbsent) {
		t.Errorf("error %v, want ErrAbsent", err)
	}
}
