package githubsim_test

// Refs, objects, commits, comparisons and contents by the API.

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

func TestRefs(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	other := w.branchWith("other", file("o", "o"))
	aside := w.branchWith("aside", file("x", "x"))
	w.drained()
	ref := func(name, sha string) *github.Reference {
		return &github.Reference{Ref: &name, Object: &github.GitObject{SHA: &sha}}
	}
	create := func(name, sha string) error {
		_, _, err := w.bot.Git.CreateRef(ctx, "acme", "shop", ref(name, sha))
		return err
	}
	update := func(name, sha string, force bool) error {
		_, _, err := w.bot.Git.UpdateRef(ctx, "acme", "shop", ref(name, sha), force)
		return err
	}
	remove := func(name string) error {
		_, err := w.bot.Git.DeleteRef(ctx, "acme", "shop", name)
		return err
	}
	nothing := strings.Repeat("1", 40)
	for _, tc := range []struct {
		name   string
		do     func() error
		status int // 0: it works
		say    string
		events []string
	}{
		{"create", func() error { return create("refs/heads/new", w.head) }, 0, "", []string{"create", "push"}},
		{"create again", func() error { return create("refs/heads/new", w.head) }, 422, "Reference already exists", nil},
		{"create below another", func() error { return create("refs/heads/new/er", w.head) }, 422, "Reference update failed", nil},
		{"create of nothing", func() error { return create("refs/heads/x", nothing) }, 422, "Object does not exist", nil},
		{"create with a bad name", func() error { return create("refs/heads/a..b", w.head) }, 422, "is not a valid ref name", nil},
		{"forward", func() error { return update("refs/heads/new", other, false) }, 0, "", []string{"push"}},
		{"sideways", func() error { return update("refs/heads/new", aside, false) }, 422, "Update is not a fast forward", nil},
		{"by force", func() error { return update("refs/heads/new", aside, true) }, 0, "", []string{"push"}},
		{"update of none", func() error { return update("refs/heads/none", aside, true) }, 422, "Reference does not exist", nil},
		{"delete", func() error { return remove("refs/heads/new") }, 0, "", []string{"delete", "push"}},
		{"delete again", func() error { return remove("refs/heads/new") }, 422, "Reference does not exist", nil},
		{"delete the default branch", func() error { return remove("refs/heads/main") }, 422, "Cannot delete the default branch", nil},
		{"a ref of our own", func() error { return create("refs/promobot/p/e", w.head) }, 0, "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.do()
			if tc.status != 0 {
				wantRefusal(t, err, tc.status, tc.say)
			} else if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, one := range names(w.drained()) {
				if !strings.HasPrefix(one, "check_suite") {
					got = append(got, one)
				}
			}
			if diff := cmp.Diff(append([]string{}, tc.events...), got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
	list, _, err := w.bot.Git.ListMatchingRefs(ctx, "acme", "shop", &github.ReferenceListOptions{Ref: "heads/o"})
	w.must(err)
	if len(list) != 1 || list[0].GetRef() != "refs/heads/other" || list[0].GetObject().GetSHA() != other {
		t.Errorf("matching refs: %v", list)
	}
	_, _, err = w.bot.Git.GetRef(ctx, "acme", "shop", "heads/oth")
	wantRefusal(t, err, 404, "Not Found")
}

func TestGitObjects(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	blob, _, err := w.bot.Git.CreateBlob(ctx, "acme", "shop", &github.Blob{
		Content: new(base64.StdEncoding.EncodeToString([]byte{0, 1, 255})), Encoding: new("base64"),
	})
	w.must(err)
	raw, _, err := w.bot.Git.GetBlobRaw(ctx, "acme", "shop", blob.GetSHA())
	w.must(err)
	if string(raw) != "\x00\x01\xff" {
		t.Errorf("the raw blob is %q", raw)
	}
	back, _, err := w.bot.Git.GetBlob(ctx, "acme", "shop", blob.GetSHA())
	w.must(err)
	if data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(back.GetContent(), "\n", "")); err != nil || string(data) != "\x00\x01\xff" {
		t.Errorf("the blob came back as %q, %v", data, err)
	}
	tree, _, err := w.bot.Git.CreateTree(ctx, "acme", "shop", w.head, []*github.TreeEntry{
		{Path: new("bin/run"), Mode: new("100755"), Type: new("blob"), SHA: blob.SHA},
		{Path: new("README.md"), Mode: new("100644"), Type: new("blob")},
		{Path: new("envs/qa/new.yml"), Mode: new("100644"), Type: new("blob"), Content: new("a: 1\n")},
	})
	w.must(err)
	all, _, err := w.bot.Git.GetTree(ctx, "acme", "shop", tree.GetSHA(), true)
	w.must(err)
	var got []string
	for _, e := range all.Entries {
		if e.GetType() == "blob" {
			got = append(got, e.GetMode()+" "+e.GetPath())
		}
	}
	want := []string{"100755 bin/run", "100644 envs/qa/new.yml", "100644 envs/qa/version.yml"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	tag, _, err := w.bot.Git.CreateTag(ctx, "acme", "shop", &github.Tag{
		Tag: new("v1"), Message: new("One"), Object: &github.GitObject{SHA: &w.head, Type: new("commit")},
	})
	w.must(err)
	same, _, err := w.bot.Git.GetTag(ctx, "acme", "shop", tag.GetSHA())
	w.must(err)
	if same.GetObject().GetSHA() != w.head || same.GetMessage() != "One" {
		t.Errorf("the tag is %v", same)
	}
	for _, tc := range []struct {
		name string
		do   func() error
		say  string
		want int
	}{
		{"a commit of no tree", func() error {
			_, _, err := w.bot.Git.CreateCommit(ctx, "acme", "shop", &github.Commit{
				Message: new("x"), Tree: &github.Tree{SHA: &w.head},
			}, nil)
			return err
		}, "Tree SHA does not exist", 422},
		{"a tree with a path out of it", func() error {
			_, _, err := w.bot.Git.CreateTree(ctx, "acme", "shop", "", []*github.TreeEntry{
				{Path: new("../x"), Mode: new("100644"), Type: new("blob"), Content: new("x")},
			})
			return err
		}, "malformed path component", 422},
		{"a blob that is a commit", func() error {
			_, _, err := w.bot.Git.GetBlob(ctx, "acme", "shop", w.head)
			return err
		}, "Not Found", 404},
	} {
		t.Run(tc.name, func(t *testing.T) { wantRefusal(t, tc.do(), tc.want, tc.say) })
	}
}

func TestCommitsAndComparisons(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	first := w.branchWith("topic", file("envs/qa/version.yml", "tag: 2.0\n"))
	second := w.branchWith("topic", file("docs/more ü.md", "x\n"))
	aside := w.branchWith("main", file("main.txt", "x\n"))
	list, _, err := w.bot.Repositories.ListCommits(ctx, "acme", "shop", &github.CommitsListOptions{SHA: "topic", Path: "envs/qa"})
	w.must(err)
	var shas []string
	for _, c := range list {
		shas = append(shas, c.GetSHA())
	}
	if diff := cmp.Diff([]string{first, w.head}, shas); diff != "" {
		t.Errorf("commits of a path (-want +got):\n%s", diff)
	}
	one, _, err := w.bot.Repositories.GetCommit(ctx, "acme", "shop", "topic", nil)
	w.must(err)
	if one.GetSHA() != second || len(one.Files) != 1 || one.Files[0].GetFilename() != "docs/more ü.md" || one.Files[0].GetStatus() != "added" ||
		one.Files[0].GetPatch() != "@@ -0,0 +1 @@\n+x" || one.GetAuthor().GetLogin() != "mona" {
		t.Errorf("the commit is %v", one)
	}
	cmpd, _, err := w.bot.Repositories.CompareCommits(ctx, "acme", "shop", "main", "topic", nil)
	w.must(err)
	if cmpd.GetStatus() != "diverged" || cmpd.GetAheadBy() != 2 || cmpd.GetBehindBy() != 1 || cmpd.GetMergeBaseCommit().GetSHA() != w.head ||
		cmpd.GetBaseCommit().GetSHA() != aside || len(cmpd.Files) != 2 {
		t.Errorf("the comparison is %v", cmpd)
	}
	_, _, err = w.bot.Repositories.CompareCommits(ctx, "acme", "shop", "main", "none", nil)
	wantRefusal(t, err, 404, "Not Found")
	_, _, err = w.bot.Repositories.GetCommit(ctx, "acme", "shop", strings.Repeat("1", 40), nil)
	wantRefusal(t, err, 422, "No commit found for SHA")
	w.pull("topic")
	pulls, _, err := w.bot.PullRequests.ListPullRequestsWithCommit(ctx, "acme", "shop", first, nil)
	w.must(err)
	if len(pulls) != 1 || pulls[0].GetNumber() != 1 {
		t.Errorf("pull requests of the commit: %v", pulls)
	}
	pulls, _, err = w.bot.PullRequests.ListPullRequestsWithCommit(ctx, "acme", "shop", w.head, nil)
	w.must(err)
	if len(pulls) != 0 {
		t.Errorf("pull requests of a commit of the base: %v", pulls)
	}
	files, _, err := w.bot.PullRequests.ListFiles(ctx, "acme", "shop", 1, nil)
	w.must(err)
	commits, _, err := w.bot.PullRequests.ListCommits(ctx, "acme", "shop", 1, nil)
	w.must(err)
	if len(files) != 2 || len(commits) != 2 || commits[0].GetSHA() != first {
		t.Errorf("the pull request has files %v and commits %v", files, commits)
	}
}

func TestContents(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	g := w.clone(w.token("mona"))
	target := writeBlob(g, "../README.md")
	g.ok("update-index", "--add", "--cacheinfo", "160000,"+w.head+",lib/sub")
	g.ok("update-index", "--add", "--cacheinfo", "120000,"+target+",envs/link")
	g.ok("commit", "-q", "-m", "Odd entries")
	g.ok("push", "-q", "origin", "HEAD:main")
	kind := func(path string) string {
		f, dir, _, err := w.bot.Repositories.GetContents(ctx, "acme", "shop", path, nil)
		w.must(err)
		if f == nil {
			var list []string
			for _, e := range dir {
				list = append(list, e.GetType()+" "+e.GetName())
			}
			return strings.Join(list, ", ")
		}
		text, err := f.GetContent()
		if f.GetType() != "file" {
			return f.GetType() + " " + f.GetTarget()
		}
		w.must(err)
		return f.GetType() + " " + text
	}
	for path, want := range map[string]string{
		"": "file README.md, dir envs, dir lib", "envs": "symlink link, dir qa", "README.md": "file # Shop\n",
		"envs/link": "symlink ../README.md", "lib/sub": "submodule ",
	} {
		if got := kind(path); got != want {
			t.Errorf("contents of %q: %q, want %q", path, got, want)
		}
	}
	_, _, _, err := w.bot.Repositories.GetContents(ctx, "acme", "shop", "none", nil)
	wantRefusal(t, err, 404, "Not Found")
	_, _, _, err = w.bot.Repositories.GetContents(ctx, "acme", "shop", "README.md", &github.RepositoryContentGetOptions{Ref: "none"})
	wantRefusal(t, err, 404, "No commit found for the ref none")

	write := func(sha *string) (*github.RepositoryContentResponse, error) {
		made, _, err := w.bot.Repositories.UpdateFile(ctx, "acme", "shop", "README.md", &github.RepositoryContentFileOptions{
			Message: new("Edit"), Content: []byte("# New\n"), SHA: sha,
		})
		return made, err
	}
	_, err = write(nil)
	wantRefusal(t, err, 422, `"sha" wasn't supplied.`)
	_, err = write(&w.head)
	wantRefusal(t, err, 409, "README.md does not match "+w.head)
	old, _, _, err := w.bot.Repositories.GetContents(ctx, "acme", "shop", "README.md", nil)
	w.must(err)
	_, err = write(old.SHA)
	w.must(err)
	if got := kind("README.md"); got != "file # New\n" {
		t.Errorf("after the edit: %q", got)
	}
}

func writeBlob(g gitClient, text string) string {
	g.t.Helper()
	g.commit("Blob", map[string]string{"blob.tmp": text})
	id := g.ok("rev-parse", "HEAD:blob.tmp")
	g.ok("reset", "-q", "--soft", "HEAD~1")
	g.ok("rm", "-q", "-f", "blob.tmp")
	return id
}

func TestEmptyRepository(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(w.CreateRepository(ctx, "acme", "empty", githubsim.RepoOptions{}))
	_, _, err := w.bot.Repositories.ListCommits(ctx, "acme", "empty", nil)
	wantRefusal(t, err, 409, "Git Repository is empty.")
	_, _, _, err = w.bot.Repositories.GetContents(ctx, "acme", "empty", "x", nil)
	wantRefusal(t, err, 404, "This repository is empty.")
	branches, _, err := w.bot.Repositories.ListBranches(ctx, "acme", "empty", nil)
	w.must(err)
	if len(branches) != 0 {
		t.Errorf("branches: %v", branches)
	}
	sha, err := w.Commit(ctx, "acme/empty", "olga", "", "First", file("a", "a"))
	w.must(err)
	got, _, err := w.bot.Git.GetRef(ctx, "acme", "empty", "heads/main")
	w.must(err)
	if got.GetObject().GetSHA() != sha {
		t.Errorf("main is at %s, want %s", got.GetObject().GetSHA(), sha)
	}
}
