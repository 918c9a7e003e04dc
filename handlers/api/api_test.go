package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers/api"
	"github.com/promobot/promobot/promotion/view"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// shelf is a store of what it holds.
type shelf struct {
	repositories []view.Repository
	err          error
	read         atomic.Int64
}

func (s *shelf) Repositories(context.Context) ([]view.Repository, error) {
	s.read.Add(1)
	return s.repositories, s.err
}

// door lets tokens see repositories by name, and remembers what it was asked about.
type door struct {
	sees  map[string][]string // token → owner/name
	err   error
	mu    sync.Mutex
	asked [][]string
}

func (d *door) Visible(_ context.Context, r *http.Request, repositories []view.Repository) ([]view.Repository, error) {
	var out []view.Repository
	var asked []string
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	names, known := d.sees[token]
	for _, v := range repositories {
		asked = append(asked, v.Owner+"/"+v.Name)
		if slices.Contains(names, v.Owner+"/"+v.Name) {
			out = append(out, v)
		}
	}
	d.mu.Lock()
	d.asked = append(d.asked, asked)
	d.mu.Unlock()
	switch {
	case d.err != nil:
		return nil, d.err
	case !known:
		return nil, &api.SignInError{Reason: "GitHub does not take this token"}
	}
	return out, nil
}

func environment(pipeline, name string, change func(*view.Environment)) view.Environment {
	e := view.Environment{Pipeline: pipeline, Name: name, Branch: "main", Mode: "propose", Standing: "up to date"}
	if change != nil {
		change(&e)
	}
	return e
}

// known is what the store of these tests holds.
func known() []view.Repository {
	return []view.Repository{
		{Version: 1, ID: 2, Owner: "acme", Name: "secret", At: noon, Pipelines: []view.Pipeline{{Key: "vault", Environments: []view.Environment{environment("vault", "prod", nil)}}}},
		{
			Version: 1, ID: 1, Owner: "acme", Name: "gitops", URL: "https://github.com/acme/gitops", At: noon,
			Pipelines: []view.Pipeline{{Key: "shop", Title: "shop", Environments: []view.Environment{
				environment("shop", "dev", nil),
				environment("shop", "prod-eu", func(e *view.Environment) {
					e.Production, e.Needs, e.NeedsSince, e.Standing = true, "Merge #7", noon.Add(-time.Hour), "proposed"
					e.Promotion = &view.Promotion{PullRequest: 7, URL: "https://github.com/acme/gitops/pull/7", Status: "opened"}
				}),
				environment("shop", "prod-us", func(e *view.Environment) {
					e.Production, e.Hold = true, &view.Hold{By: "ana", Reason: "<script>alert(1)</script>", Since: noon}
					e.Entries = []view.Entry{{Kind: "hold", Sentence: "ana holds prod-us", Time: noon.Add(-30 * time.Minute)}, {Kind: "landed", Sentence: "2.0.0 landed", Time: noon.Add(-3 * time.Hour)}}
				}),
			}}},
		},
		{Version: 1, ID: 4, Owner: "acme", Name: "empty", At: noon},
		{Version: 1, ID: 3, Owner: "acme", Name: "broken", URL: "https://github.com/acme/broken", At: noon, Error: "GitHub did not answer", ErrorAt: noon, Problems: []view.Problem{{Line: 3, Text: "there is no key x", URL: "line3"}}},
	}
}

type site struct {
	*httptest.Server
	store *shelf
	door  *door
	log   *strings.Builder
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{
		store: &shelf{repositories: known()},
		door:  &door{sees: map[string][]string{"ana's": {"acme/gitops", "acme/broken", "acme/empty"}, "bo's": {}}},
		log:   &strings.Builder{},
	}
	s.Server = httptest.NewServer(api.New(api.Options{Store: s.store, People: s.door, Now: func() time.Time { return noon }, Log: zerolog.New(s.log)}))
	t.Cleanup(s.Close)
	return s
}

// ask asks with a token, and reads the answer into into.
func (s *site) ask(t *testing.T, method, path, token string, headers map[string]string, into any) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	return resp
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	s := newSite(t)

	var list api.Repositories
	s.ask(t, "GET", "/api/v1/repositories", "ana's", nil, &list)
	var names []string
	for _, r := range list.Repositories {
		names = append(names, r.Name)
		if r.Pipelines != nil {
			t.Errorf("the list has the pipelines of %s", r.Name)
		}
	}
	if diff := cmp.Diff([]string{"broken", "empty", "gitops"}, names); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if g := list.Repositories[2]; g.Environments != 3 || g.Needs != 1 || g.Held != 1 {
		t.Errorf("counts: %d environments, %d need someone, %d held", g.Environments, g.Needs, g.Held)
	}

	var one view.Repository
	s.ask(t, "GET", "/api/v1/repositories/Acme/GitOps", "ana's", nil, &one)
	if diff := cmp.Diff(known()[1], one); diff != "" {
		t.Errorf("the repository: -want +got\n%s", diff)
	}
	one = view.Repository{}
	s.ask(t, "GET", "/api/v1/repositories/acme/gitops?env=prod*", "ana's", nil, &one)
	if n := len(one.Pipelines[0].Environments); n != 2 {
		t.Errorf("prod* are %d environments", n)
	}

	var changes api.Changes
	s.ask(t, "GET", "/api/v1/changes?env=prod*&since=2h", "ana's", nil, &changes)
	want := []view.Changed{{Repository: "acme/gitops", Pipeline: "shop", Environment: "prod-us", Production: true, Time: noon.Add(-30 * time.Minute), Kind: "hold", Text: "ana holds prod-us"}}
	if diff := cmp.Diff(want, changes.Changes); diff != "" {
		t.Errorf("changes: -want +got\n%s", diff)
	}
	changes = api.Changes{}
	s.ask(t, "GET", "/api/v1/changes?since=2026-06-01T00:00:00Z&limit=1", "ana's", nil, &changes)
	if len(changes.Changes) != 1 || !changes.More {
		t.Errorf("with a limit of one: %+v", changes)
	}

	var status api.Status
	s.ask(t, "GET", "/api/v1/status?env=prod-eu&env=dev", "ana's", nil, &status)
	var rows []string
	for _, r := range status.Environments {
		rows = append(rows, r.Repository+" "+r.Environment)
	}
	if diff := cmp.Diff([]string{"acme/gitops dev", "acme/gitops prod-eu"}, rows); diff != "" {
		t.Errorf("status: -want +got\n%s", diff)
	}
	if r := status.Environments[1]; r.PullRequest != 7 || r.Needs == "" || r.URL == "" {
		t.Errorf("prod-eu: %+v", r)
	}
	if diff := cmp.Diff([]api.Trouble{
		{Repository: "acme/broken", Text: "GitHub did not answer", URL: "https://github.com/acme/broken", Since: noon},
		{Repository: "acme/broken", Text: "there is no key x", URL: "line3"},
	}, status.Troubles); diff != "" {
		t.Errorf("troubles: -want +got\n%s", diff)
	}
	status = api.Status{}
	s.ask(t, "GET", "/api/v1/status?repository=acme/empty", "ana's", nil, &status)
	if len(status.Troubles) != 1 || !strings.Contains(status.Troubles[0].Text, "no pipeline file") {
		t.Errorf("a repository without a pipeline file: %+v", status)
	}
	status = api.Status{}
	s.ask(t, "GET", "/api/v1/status?limit=2", "ana's", nil, &status)
	if len(status.Environments) != 2 || !status.More {
		t.Errorf("with a limit of two: %d, more: %v", len(status.Environments), status.More)
	}
	if len(s.log.String()) > 0 {
		t.Errorf("it logged: %s", s.log)
	}
}

// TestListsAreLists: what is empty is [], never null.
func TestListsAreLists(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for path, key := range map[string]string{"repositories": "repositories", "changes": "changes", "status": "environments"} {
		var answer map[string]any
		s.ask(t, "GET", "/api/v1/"+path, "bo's", nil, &answer)
		if list, is := answer[key].([]any); !is || len(list) != 0 {
			t.Errorf("%s: %v", path, answer)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, path, token string
		door, store         error
		status              int
		says                string
		header              [2]string
	}{
		"nobody":                 {path: "status", status: 401, says: "sign in", header: [2]string{"Www-Authenticate", `Bearer realm="promobot"`}},
		"a bad token":            {path: "status", token: "stolen", status: 401, says: "GitHub does not take this token"},
		"GitHub is down":         {path: "status", token: "ana's", door: &api.UnavailableError{Reason: "GitHub could not be asked", RetryAfter: 90 * time.Second}, status: 503, says: "could not be asked", header: [2]string{"Retry-After", "90"}},
		"the store fails":        {path: "status", token: "ana's", store: errors.New("disk /dev/sda1"), status: 500, says: "its log says why"},
		"a repository unseen":    {path: "repositories/acme/secret", token: "ana's", status: 404, says: "knows no such repository"},
		"a repository unknown":   {path: "repositories/acme/none", token: "ana's", status: 404, says: "knows no such repository"},
		"changes of one unseen":  {path: "changes?repository=acme/secret", token: "ana's", status: 404, says: "knows no such repository"},
		"no such page":           {path: "stats", token: "ana's", status: 404, says: "docs/reference/api.md"},
		"a write":                {method: "POST", path: "status", token: "ana's", status: 405, says: "only reads", header: [2]string{"Allow", "GET, HEAD"}},
		"a mistyped parameter":   {path: "status?enviroment=prod", token: "ana's", status: 400, says: "known here: env, pipeline"},
		"a bad pattern":          {path: "status?env=[", token: "ana's", status: 400, says: "is not a pattern"},
		"a bad limit":            {path: "status?limit=0", token: "ana's", status: 400, says: "from 1 to 5000"},
		"a bad since":            {path: "changes?since=yesterday", token: "ana's", status: 400, says: "such as 30m"},
		"a since before time":    {path: "changes?since=400d", token: "ana's", status: 400, says: "at most 366d"},
		"what is no query":       {path: "status?env=%zz", token: "ana's", status: 400, says: "not a query"},
		"a question too long":    {path: "status?env=" + strings.Repeat("x", 3000), token: "ana's", status: 414, says: "too long"},
		"a name that leads away": {path: "repositories/acme/%2e%2e", token: "ana's", status: 404, says: "knows no such repository"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.door.err, s.store.err = c.door, c.store
			method := c.method
			if method == "" {
				method = http.MethodGet
			}
			var p api.Problem
			resp := s.ask(t, method, "/api/v1/"+c.path, c.token, nil, &p)
			if resp.StatusCode != c.status || p.Status != c.status || !strings.Contains(p.Detail, c.says) || p.Title != http.StatusText(c.status) {
				t.Errorf("%d: %+v", resp.StatusCode, p)
			}
			if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("it is %s", got)
			}
			if got := resp.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control: %s", got)
			}
			if c.header[0] != "" && resp.Header.Get(c.header[0]) != c.header[1] {
				t.Errorf("%s: %q", c.header[0], resp.Header.Get(c.header[0]))
			}
			if strings.Contains(p.Detail, "sda1") {
				t.Errorf("an operator's text is told: %s", p.Detail)
			}
		})
	}
}

// TestNobodyCostsNothing: who sends neither cookie nor token has nothing read.
func TestNobodyCostsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ask(t, "GET", "/api/v1/repositories/acme/gitops", "", nil, nil)
	if s.store.read.Load() != 0 || len(s.door.asked) != 0 {
		t.Errorf("%d reads of the store, asked about %v", s.store.read.Load(), s.door.asked)
	}
	// One repository is one question.
	s.ask(t, "GET", "/api/v1/repositories/acme/gitops", "ana's", nil, nil)
	if diff := cmp.Diff([][]string{{"acme/gitops"}}, s.door.asked); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestETags(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const path = "/api/v1/repositories/acme/gitops"
	first := s.ask(t, "GET", path, "ana's", nil, nil)
	tag := first.Header.Get("ETag")
	if tag == "" || first.Header.Get("Cache-Control") != "private, no-cache" || !strings.Contains(first.Header.Get("Vary"), "Authorization") {
		t.Fatalf("headers: %v", first.Header)
	}
	for name, header := range map[string]string{"the same": tag, "weak": "W/" + tag, "among others": `"x", ` + tag} {
		if again := s.ask(t, "GET", path, "ana's", map[string]string{"If-None-Match": header}, nil); again.StatusCode != http.StatusNotModified || again.Header.Get("ETag") != tag {
			t.Errorf("%s: %d", name, again.StatusCode)
		}
	}
	if head := s.ask(t, "HEAD", path, "ana's", nil, nil); head.StatusCode != http.StatusOK || head.Header.Get("ETag") != tag || head.ContentLength == 0 {
		t.Errorf("HEAD: %d %v", head.StatusCode, head.Header)
	}
	// Who may no longer see it is not told that it has not changed.
	if bo := s.ask(t, "GET", path, "bo's", map[string]string{"If-None-Match": tag}, nil); bo.StatusCode != http.StatusNotFound {
		t.Errorf("bo, with ana's tag: %d", bo.StatusCode)
	}
	s.store.repositories[1].At = noon.Add(time.Minute)
	if later := s.ask(t, "GET", path, "ana's", map[string]string{"If-None-Match": tag}, nil); later.StatusCode != http.StatusOK || later.Header.Get("ETag") == tag {
		t.Errorf("after a run: %d", later.StatusCode)
	}
}

// TestNothingOfARepositoryIsMarkup: even a reader that takes the answer for a page
// finds no element in it.
func TestNothingOfARepositoryIsMarkup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer ana's")
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	if err := resp.Write(&text); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), "<script") || !strings.Contains(text.String(), `\u003cscript`) {
		t.Errorf("it holds markup: %s", text.String())
	}
	for header, want := range map[string]string{"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"} {
		if got := resp.Header.Get(header); got != want {
			t.Errorf("%s: %q", header, got)
		}
	}
}

// TestBusy: more than it can take are told to come again, the others are answered.
func TestBusy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	entered, leave := make(chan struct{}, 100), make(chan struct{})
	slow := waiting{s.door, entered, leave}
	server := httptest.NewServer(api.New(api.Options{Store: s.store, People: slow, Now: time.Now, Log: zerolog.Nop()}))
	t.Cleanup(server.Close)
	s.Server = server
	var all sync.WaitGroup
	statuses := make(chan int, 100)
	for range 32 {
		all.Go(func() { statuses <- s.ask(t, "GET", "/api/v1/status", "ana's", nil, nil).StatusCode })
	}
	for range 32 {
		<-entered
	}
	if resp := s.ask(t, "GET", "/api/v1/status", "ana's", nil, nil); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("the next one: %d, %v", resp.StatusCode, resp.Header)
	}
	close(leave)
	all.Wait()
	for range 32 {
		if got := <-statuses; got != http.StatusOK {
			t.Errorf("one of them: %d", got)
		}
	}
}

// waiting lets nobody through until leave is closed.
type waiting struct {
	api.People
	entered chan<- struct{}
	leave   <-chan struct{}
}

func (w waiting) Visible(ctx context.Context, r *http.Request, repositories []view.Repository) ([]view.Repository, error) {
	w.entered <- struct{}{}
	<-w.leave
	return w.People.Visible(ctx, r, repositories)
}
