package github_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/reconcile"
)

// paged serves a list in pages of the size asked for, with GitHub's Link.
func (s *server) paged(line string, items []obj) {
	s.on(line, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		page, size := 1, 30
		if q.Get("page") != "" {
			_, _ = fmt.Sscan(q.Get("page"), &page)
		}
		_, _ = fmt.Sscan(q.Get("per_page"), &size)
		from := min(len(items), (page-1)*size)
		to := min(len(items), from+size)
		if to < len(items) {
			q.Set("page", fmt.Sprint(page+1))
			next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: q.Encode()}
			w.Header().Set("Link", fmt.Sprintf("<%s>; rel=\"next\"", next.String()))
		}
		answer(http.StatusOK, append([]obj{}, items[from:to]...))(w, r)
	})
}

func TestPullRequestFields(t *testing.T) {
	fork := obj{"ref": "x", "sha": head, "repo": repository("eve", "shop", 666)}
	gone := obj{"ref": "x", "sha": head, "repo": nil}
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	base := promotion.PullRequest{
		Number: 7, URL: "https://github.test/p", Title: "qa: 1 → 2", Body: "text", Open: true,
		Branch: "promobot/a/qa/1", Head: head, Base: "main", Author: login, ByApp: true,
	}
	with := func(change func(*promotion.PullRequest)) promotion.PullRequest {
		p := base
		change(&p)
		return p
	}
	tests := []struct {
		name  string
		given obj
		want  promotion.PullRequest
	}{
		{"the App's own", nil, base},
		{"a test merge is no merge", obj{"merge_commit_sha": "abc", "mergeable_state": "clean"}, with(func(p *promotion.PullRequest) { p.Mergeable = "clean" })},
		{
			"merged",
			obj{"state": "closed", "merged_at": at, "closed_at": at, "merge_commit_sha": "abc", "merged_by": obj{"login": "ana"}, "commits": 1},
			with(func(p *promotion.PullRequest) {
				p.Open, p.Merged, p.MergedAt, p.ClosedAt, p.MergeCommit, p.MergedBy, p.Commits = false, true, at, at, "abc", "ana", 1
			}),
		},
		{"of a person", obj{"user": obj{"login": "ana", "type": "User"}}, with(func(p *promotion.PullRequest) { p.Author, p.ByApp = "ana", false })},
		{"a person with the bot's login", obj{"user": obj{"login": login, "type": "User"}}, with(func(p *promotion.PullRequest) { p.ByApp = false })},
		{"of an account that is gone", obj{"user": nil}, with(func(p *promotion.PullRequest) { p.Author, p.ByApp = "", false })},
		{"of a fork", obj{"head": fork}, with(func(p *promotion.PullRequest) { p.Branch, p.Fork = "x", true })},
		{"of a fork that is gone", obj{"head": gone}, with(func(p *promotion.PullRequest) { p.Branch, p.Fork = "x", true })},
		{"draft, labels", obj{"draft": true, "labels": []obj{{"name": "a"}, {"name": "b"}}}, with(func(p *promotion.PullRequest) {
			p.Draft, p.Labels = true, []string{"a", "b"}
		})},
		{
			"node id, auto-merge",
			obj{"node_id": "PR_7", "auto_merge": obj{"merge_method": "squash", "enabled_by": obj{"login": login}}},
			with(func(p *promotion.PullRequest) { p.NodeID, p.AutoMerge = "PR_7", true }),
		},
		{"no auto-merge", obj{"auto_merge": nil}, base},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.on("GET /repos/acme/shop/pulls/7", answer(http.StatusOK, pull(7, tt.given)))
			got, err := s.repository().PullRequest(t.Context(), 7)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("pull request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhoClosed(t *testing.T) {
	tests := []struct {
		name  string
		issue http.HandlerFunc
		want  string
		fails string
	}{
		{"a person", answer(200, obj{"number": 7, "closed_by": obj{"login": "ana"}}), "ana", "none"},
		{"an account that is gone", answer(200, obj{"number": 7, "closed_by": nil}), "", "none"},
		{"not told", answer(403, obj{"message": "Resource not accessible by integration"}), "", "none"},
		{"no issues here", answer(410, obj{"message": "Issues are disabled for this repo"}), "", "none"},
		{"no answer", answer(502, ""), "", "no answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.on("GET /repos/acme/shop/pulls/7", answer(http.StatusOK, pull(7, obj{"state": "closed"})))
			s.on("GET /repos/acme/shop/issues/7", tt.issue)
			got, err := s.repository().PullRequest(t.Context(), 7)
			if kind(err) != tt.fails || got.ClosedBy != tt.want {
				t.Errorf("closed by %q, %v; want %q, %s", got.ClosedBy, err, tt.want, tt.fails)
			}
		})
	}
}

func TestMessagesOfSeveralCommits(t *testing.T) {
	merged := func(commits int) obj {
		return pull(7, obj{"state": "closed", "merged_at": "2026-03-01T08:00:00Z", "merge_commit_sha": "abc", "commits": commits})
	}
	var commits []obj
	var want []string
	for i := range 101 {
		commits = append(commits, obj{"sha": fmt.Sprintf("%040d", i), "commit": obj{"message": fmt.Sprintf("commit %d", i)}})
		want = append(want, fmt.Sprintf("commit %d", i))
	}
	s := newServer(t)
	s.paged("GET /repos/acme/shop/pulls/7/commits", commits)
	s.on("GET /repos/acme/shop/pulls/7", answer(http.StatusOK, merged(101)))
	got, err := s.repository().PullRequest(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Messages); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	s.on("GET /repos/acme/shop/pulls/7", answer(http.StatusOK, merged(102)))
	if _, err := s.repository().PullRequest(t.Context(), 7); kind(err) != "no answer" {
		t.Errorf("with 101 of 102 commits listed: %v, want an error", err)
	}
	asked := len(s.lines())
	s.on("GET /repos/acme/shop/pulls/7", answer(http.StatusOK, merged(251))) // GitHub lists no more than 250
	if got, err := s.repository().PullRequest(t.Context(), 7); err != nil || got.Messages != nil || len(s.lines()) != asked+1 {
		t.Errorf("with 251 commits: %d messages, %v, requests %q", len(got.Messages), err, s.lines()[asked:])
	}
}

func TestAllPagesOfOpenPullRequests(t *testing.T) {
	s := newServer(t)
	var items []obj
	var want []int
	for n := range 205 {
		items = append(items, pull(n+1, nil))
		want = append(want, n+1)
	}
	items = append(items, pull(100, nil), pull(206, nil)) // one again, as when the list moves between pages
	want = append(want, 206)
	s.paged("GET /repos/acme/shop/pulls", items)
	list, err := s.repository().OpenPullRequests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, p := range list {
		got = append(got, p.Number)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	if n := len(s.seen("GET /repos/acme/shop/pulls")); n != 3 {
		t.Errorf("%d requests for 207 items, want 3", n)
	}
}

func TestPagesThatDoNotEnd(t *testing.T) {
	s := newServer(t)
	s.on("GET /repos/acme/shop/pulls", func(w http.ResponseWriter, r *http.Request) {
		answer(http.StatusOK, []obj{}, "Link", fmt.Sprintf("<http://%s%s?page=1>; rel=\"next\"", r.Host, r.URL.Path))(w, r)
	})
	if _, err := s.repository().OpenPullRequests(t.Context()); kind(err) != "no answer" {
		t.Errorf("error %v, want no answer", err)
	}
}

func TestPullRequestsForHead(t *testing.T) {
	const branch = "promobot/a/qa/1"
	own := func(n int, more obj) obj { return pull(n, more) }
	fork := obj{"ref": branch, "sha": head, "repo": repository("acme", "shop-fork", 666)}
	tests := []struct {
		name  string
		items []obj
		want  []int
		fails string
	}{
		{"none", nil, nil, "none"},
		{"in any state, by number", []obj{own(9, nil), own(3, obj{"state": "closed"})}, []int{3, 9}, "none"},
		{"not of a person, not of a fork", []obj{own(3, obj{"user": obj{"login": "ana", "type": "User"}}), own(4, obj{"head": fork}), own(5, nil)}, []int{5}, "none"},
		{"filter ignored", []obj{own(3, nil), own(4, obj{"head": obj{"ref": "other", "sha": head}})}, nil, "no answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.paged("GET /repos/acme/shop/pulls", tt.items)
			list, err := s.repository().PullRequestsForHead(t.Context(), branch)
			if kind(err) != tt.fails {
				t.Fatalf("error %v, want %s", err, tt.fails)
			}
			var got []int
			for _, p := range list {
				got = append(got, p.Number)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("numbers (-want +got):\n%s", diff)
			}
			want := []string{"GET /repos/acme/shop/pulls?direction=asc&head=acme%3Apromobot%2Fa%2Fqa%2F1&per_page=100&sort=created&state=all"}
			if diff := cmp.Diff(want, s.lines()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// After a rename of the owner, GitHub knows no branches of the old one: the
// empty list that it answers with says nothing.
func TestPullRequestsForHeadOfAMovedRepository(t *testing.T) {
	s := newServer(t)
	moved := func(rest string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, fmt.Sprintf("/api/v3/repositories/%d%s?%s", repositoryID, rest, r.URL.RawQuery), http.StatusMovedPermanently)
		}
	}
	s.on("GET /repos/acme/shop", moved(""))
	s.on("GET /repos/acme/shop/pulls", moved("/pulls"))
	s.on(fmt.Sprintf("GET /repositories/%d", repositoryID), answer(http.StatusOK, repository("apex", "store", repositoryID)))
	s.on(fmt.Sprintf("GET /repositories/%d/pulls", repositoryID), answer(http.StatusOK, []obj{}))
	s.paged("GET /repos/apex/store/pulls", []obj{pull(3, nil)})
	r := s.repository()
	list, err := r.PullRequestsForHead(t.Context(), "promobot/a/qa/1")
	if err != nil || len(list) != 1 || list[0].Number != 3 {
		t.Errorf("%+v, %v; want #3", list, err)
	}
	if owner, name := r.Address(); owner != "apex" || name != "store" {
		t.Errorf("the address is %s/%s, want the new one", owner, name)
	}
}

// The old name may have been taken by another repository, or lead nowhere.
func TestRepositoryIsKnownByItsID(t *testing.T) {
	for name, old := range map[string]http.HandlerFunc{
		"name taken":  answer(http.StatusOK, repository("acme", "shop", 5)),
		"no redirect": answer(http.StatusNotFound, obj{"message": "Not Found"}),
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.on("GET /repos/acme/shop", old)
			s.on("GET /installation/repositories", answer(http.StatusOK, obj{"total_count": 1, "repositories": []obj{repository("apex", "store", repositoryID)}}))
			s.on("GET /repos/apex/store", answer(http.StatusOK, repository("apex", "store", repositoryID)))
			got, err := s.repository().Repository(t.Context())
			if err != nil || got.ID != repositoryID || got.Owner != "apex" || got.Name != "store" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestMergeSaysWhatIsMerged(t *testing.T) {
	tests := []struct {
		method, want string
	}{
		{"squash", `{"commit_message":"m","commit_title":"t","merge_method":"squash","sha":"` + head + `"}`},
		{"rebase", `{"merge_method":"rebase","sha":"` + head + `"}`},
	}
	for _, tt := range tests {
		t.Run(tt.method, func(t *testing.T) {
			s := newServer(t)
			s.on("PUT /repos/acme/shop/pulls/7/merge", answer(http.StatusOK, obj{"merged": true, "sha": head}))
			m := reconcile.MergeRequest{Number: 7, Head: head, Method: tt.method, Title: "t", Message: "m"}
			if err := s.repository().MergePullRequest(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, strings.TrimSpace(s.seen("PUT ")[0].body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			m.Head = ""
			if err := s.repository().MergePullRequest(t.Context(), m); err == nil || len(s.seen("PUT ")) != 1 {
				t.Errorf("without a head: %v, %d requests", err, len(s.seen("PUT ")))
			}
		})
	}
}

// The first page of files is not all of them, a renamed file is two, and what
// GitHub does not list is not taken for unchanged.
func TestChangedFiles(t *testing.T) {
	s := newServer(t)
	files := []obj{{"filename": "b", "previous_filename": "a"}}
	for i := range 120 {
		files = append(files, obj{"filename": fmt.Sprintf("f%03d", i)})
	}
	s.paged("GET /repos/acme/shop/pulls/7/files", files)
	got, err := s.repository().ChangedFiles(t.Context(), 7)
	if err != nil || len(got) != 122 || got[0] != "a" || got[1] != "b" || got[121] != "f119" {
		t.Errorf("%d files, %v", len(got), err)
	}
	for len(files) < 3000 {
		files = append(files, obj{"filename": fmt.Sprintf("g%d", len(files))})
	}
	s.paged("GET /repos/acme/shop/pulls/7/files", files)
	_, err = s.repository().ChangedFiles(t.Context(), 7)
	if _, ok := errors.AsType[*promotion.RefusedError](err); !ok {
		t.Errorf("with 3000 files: %v, want a refusal", err)
	}
}
