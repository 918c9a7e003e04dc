package githubsim_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

// page gets a page and returns its status and text.
func (w *world) page(path string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.URL+path, nil)
	w.must(err)
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	w.must(err)
	return resp.StatusCode, string(text)
}

// hostile is what people may write into a title, a body or a file.
const hostile = `<script>alert(1)</script><img src=x onerror=alert(2)> "quoted" & [link](javascript:alert(3))`

// scripts are what must never reach a page as markup.
var scripts = []string{"<script>alert", "<img src=x onerror", "onerror=alert(2)>", `href="javascript:`}

func TestPages(t *testing.T) {
	w := newWorld(t)
	mona := w.UserClient("mona")
	_, _, err := mona.Git.CreateRef(t.Context(), "acme", "shop", &github.Reference{Ref: new("refs/heads/new/odd"), Object: &github.GitObject{SHA: &w.head}})
	w.must(err)
	file, _, err := mona.Repositories.CreateFile(t.Context(), "acme", "shop", "odd <name>.md", &github.RepositoryContentFileOptions{
		Message: new("Add " + hostile + "\n\n" + hostile), Content: []byte(hostile + "\n"), Branch: new("new/odd"),
	})
	w.must(err)
	sha := file.GetSHA()
	pull, _, err := mona.PullRequests.Create(t.Context(), "acme", "shop", &github.NewPullRequest{
		Title: new("Bring " + hostile), Head: new("new/odd"), Base: new("main"),
		Body: new("| a | b |\n|---|---|\n| 1 | 2 |\n\n<details><summary>more</summary>\n\n**bold**\n\n</details>\n\n" + hostile),
	})
	w.must(err)
	_, _, err = mona.Issues.CreateComment(t.Context(), "acme", "shop", pull.GetNumber(), &github.IssueComment{Body: new("a comment: " + hostile)})
	w.must(err)
	conclusion := "failure"
	run, _, err := w.bot.Checks.CreateCheckRun(t.Context(), "acme", "shop", github.CreateCheckRunOptions{
		Name: "promobot " + hostile, HeadSHA: sha, Conclusion: &conclusion, Status: new("completed"),
		Output: &github.CheckRunOutput{Title: new(hostile), Summary: new("| qa |\n|---|\n| landed |\n\n" + hostile), Text: new(hostile)},
	})
	w.must(err)

	tests := []struct {
		name, path string
		want       []string
	}{
		{name: "repository", path: "/acme/shop", want: []string{"README.md", "envs/", "Open pull requests", "<h1>Shop</h1>"}},
		{name: "folder", path: "/acme/shop/tree/main/envs/qa", want: []string{"version.yml"}},
		{name: "file", path: "/acme/shop/blob/main/envs/qa/version.yml", want: []string{"tag: 1.0"}},
		{name: "file of a branch with a slash", path: "/acme/shop/blob/new/odd/odd%20%3Cname%3E.md", want: []string{"odd &lt;name&gt;.md", "&lt;script&gt;"}},
		{name: "pull requests", path: "/acme/shop/pulls", want: []string{"/acme/shop/pull/1", "Bring &lt;script&gt;", `aria-label="0 of 1 checks OK"`}},
		{name: "closed pull requests", path: "/acme/shop/pulls?state=closed", want: []string{"No pull requests."}},
		{name: "pull request", path: "/acme/shop/pull/1", want: []string{
			"<td>1</td>", "<summary>more</summary>", "<strong>bold</strong>", "a comment: ", "wants to merge 1 commit into",
		}},
		{name: "its checks", path: "/acme/shop/pull/1/checks", want: []string{"<td>landed</td>", "promobot &lt;script&gt;"}},
		{name: "its files", path: "/acme/shop/pull/1/files", want: []string{"odd &lt;name&gt;.md", "added, +1", "&lt;script&gt;"}},
		{name: "its diff", path: "/acme/shop/pull/1.diff", want: []string{"+++ b/odd <name>.md"}},
		{name: "commit", path: "/acme/shop/commit/" + sha, want: []string{"Add &lt;script&gt;", "<td>landed</td>", "added, +1"}},
		{name: "first commit", path: "/acme/shop/commit/" + w.head, want: []string{"Start the shop", "version.yml"}},
		{name: "commits", path: "/acme/shop/commits/new/odd", want: []string{"Start the shop", "Add &lt;script&gt;"}},
		{name: "comparison", path: "/acme/shop/compare/main...new/odd", want: []string{"odd &lt;name&gt;.md"}},
		{name: "check run", path: strings.TrimPrefix(run.GetHTMLURL(), w.URL), want: []string{"<td>landed</td>"}},
		{name: "issue that is a pull request", path: "/acme/shop/issues/1", want: []string{"wants to merge"}},
		{name: "styles", path: "/_githubsim/style.css", want: []string{"prefers-color-scheme: dark"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, text := w.page(tt.path)
			if status != http.StatusOK {
				t.Fatalf("status %d, want 200", status)
			}
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("the page lacks %q:\n%s", want, text)
				}
			}
			if strings.HasSuffix(tt.path, ".diff") {
				return // plain text
			}
			for _, bad := range scripts {
				if strings.Contains(text, bad) {
					t.Errorf("the page has %q:\n%s", bad, text)
				}
			}
		})
	}
}

func TestMissingPages(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"/acme/none", "/acme/shop/pull/9", "/acme/shop/pull/x", "/acme/shop/commit/" + strings.Repeat("1", 40), "/acme/shop/commit/HEAD",
		"/acme/shop/blob/main/none", "/acme/shop/blob/main/envs", "/acme/shop/tree/none", "/acme/shop/runs/1", "/acme/shop/wiki",
		"/acme/shop/compare/main...none", "/acme/shop/releases/tag/none", "/acme/shop/commit/--output=x",
	} {
		if status, _ := w.page(path); status != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, status)
		}
	}
}
