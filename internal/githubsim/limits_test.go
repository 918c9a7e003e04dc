package githubsim_test

// Pages, ETags and rate limits.

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

// get makes one request with a header and returns the answer, its body closed.
func (w *world) get(path, token, ifNoneMatch string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.URL+"/api/v3"+path, nil)
	w.must(err)
	req.Header.Set("Authorization", "token "+token)
	if ifNoneMatch != "" {
		req.Header.Set("If-None-Match", ifNoneMatch)
	}
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	w.must(resp.Body.Close())
	return resp
}

var linkPattern = regexp.MustCompile(`<([^>]+)>; rel="(\w+)"`)

// links reads a Link header into rel → the page it leads to.
func links(t *testing.T, header string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, m := range linkPattern.FindAllStringSubmatch(header, -1) {
		u, err := url.Parse(m[1])
		if err != nil {
			t.Fatal(err)
		}
		out[m[2]] = u.Query().Get("page")
	}
	return out
}

func TestListPages(t *testing.T) {
	w := newWorld(t)
	for i := range 44 {
		_, _, err := w.bot.Git.CreateRef(t.Context(), "acme", "shop", &github.Reference{
			Ref: new("refs/heads/b" + strconv.Itoa(100+i)), Object: &github.GitObject{SHA: &w.head},
		})
		w.must(err)
	}
	token := w.token("mona")
	for _, tc := range []struct {
		query string
		want  map[string]string
	}{
		{"", map[string]string{"next": "2", "last": "2"}},
		{"?per_page=10", map[string]string{"next": "2", "last": "5"}},
		{"?per_page=10&page=3", map[string]string{"prev": "2", "next": "4", "last": "5", "first": "1"}},
		{"?per_page=10&page=5", map[string]string{"prev": "4", "first": "1"}},
		{"?per_page=100", map[string]string{}},
	} {
		t.Run(tc.query, func(t *testing.T) {
			resp := w.get("/repos/acme/shop/branches"+tc.query, token, "")
			if diff := cmp.Diff(tc.want, links(t, resp.Header.Get("Link"))); diff != "" {
				t.Errorf("Link (-want +got):\n%s", diff)
			}
		})
	}
	var seen []string
	o := &github.BranchListOptions{ListOptions: github.ListOptions{PerPage: 10}}
	for {
		page, resp, err := w.bot.Repositories.ListBranches(t.Context(), "acme", "shop", o)
		w.must(err)
		for _, b := range page {
			seen = append(seen, b.GetName())
		}
		if resp.NextPage == 0 {
			break
		}
		o.Page = resp.NextPage
	}
	if len(seen) != 45 || seen[0] != "b100" || seen[44] != "main" {
		t.Errorf("paging through all gave %d branches: %v", len(seen), seen)
	}
}

func TestETags(t *testing.T) {
	w := newWorld(t)
	one, two := w.botToken(nil), w.botToken(nil)
	const path = "/repos/acme/shop/branches"
	first := w.get(path, one, "")
	tag := first.Header.Get("ETag")
	again := w.get(path, one, tag)
	if again.StatusCode != http.StatusNotModified {
		t.Fatalf("the same content is answered %d", again.StatusCode)
	}
	if a, b := first.Header.Get("X-RateLimit-Remaining"), again.Header.Get("X-RateLimit-Remaining"); a != b {
		t.Errorf("a 304 cost quota: %s left before, %s after", a, b)
	}
	if got := w.get(path, two, tag).StatusCode; got != http.StatusOK {
		t.Errorf("another token's ETag is answered %d", got)
	}
	w.SetHabits(func(h *githubsim.Habits) { h.ETagPerToken = false })
	shared := w.get(path, one, "").Header.Get("ETag")
	if got := w.get(path, two, shared).StatusCode; got != http.StatusNotModified {
		t.Errorf("with the habit off, another token's ETag is answered %d", got)
	}
	w.branchWith("fresh", file("a", "a"))
	if got := w.get(path, one, shared).StatusCode; got != http.StatusOK {
		t.Errorf("changed content is answered %d", got)
	}
}

func TestRateLimits(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	t.Run("primary", func(t *testing.T) {
		_, resp, err := w.bot.Repositories.Get(ctx, "acme", "shop")
		w.must(err)
		if resp.Rate.Limit != 5000 || resp.Rate.Remaining != 4999 {
			t.Errorf("the quota is %v", resp.Rate)
		}
		w.LimitInstallation(w.inst, 2)
		_, _, err = w.bot.Repositories.Get(ctx, "acme", "shop")
		w.must(err)
		_, _, err = w.InstallationClient(w.app, w.inst).Repositories.Get(ctx, "acme", "shop")
		wantRefusal(t, err, 403, "API rate limit exceeded for installation ID "+strconv.FormatInt(w.inst, 10)+".")
		rates, _, err := w.bot.RateLimit.Get(ctx)
		w.must(err)
		if rates.Core.Remaining != 0 || rates.Core.Limit != 2 {
			t.Errorf("GET /rate_limit says %v", rates.Core)
		}
		w.clock.advance(time.Hour)
		w.bot = w.newBot()
		_, _, err = w.bot.Repositories.Get(ctx, "acme", "shop")
		w.must(err)
	})
	t.Run("secondary", func(t *testing.T) {
		w.LimitInstallation(w.inst, 5000)
		w.LimitCreation(1)
		w.branchWith("one", file("a", "1"))
		w.branchWith("two", file("a", "2"))
		w.pull("one")
		_, resp, err := w.newBot().PullRequests.Create(ctx, "acme", "shop", &github.NewPullRequest{
			Title: new("Second"), Head: new("two"), Base: new("main"),
		})
		wantRefusal(t, err, 403, "You have exceeded a secondary rate limit")
		seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		w.must(err)
		if seconds < 1 || seconds > 60 {
			t.Errorf("Retry-After is %d", seconds)
		}
		w.clock.advance(time.Duration(seconds) * time.Second)

		w.bot = w.newBot()
		w.pull("two")
	})
}
