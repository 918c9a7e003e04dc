package gitrepo_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/gitrepo"
)

const unknown = "1111111111111111111111111111111111111111"

// subjects are the first lines of commits, with what they changed.
func subjects(commits []promotion.Commit) []string {
	var out []string
	for _, c := range commits {
		subject, _, _ := strings.Cut(c.Message, "\n")
		out = append(out, fmt.Sprintf("%s %q", subject, c.Changed))
	}
	return out
}

// history makes a chain with a merged side branch:
//
//	root ── one ───────── merge ── last   (main)
//	          └─ side a ─ side b ─┘
func history(sc *scene) map[string]string {
	o := sc.origin
	ids := map[string]string{}
	ids["root"] = o.commit("root", map[string]string{"dev/a": "1", "prod/a": "1", ":100644 x": "odd"})
	ids["one"] = o.commit("one", map[string]string{"dev/a": "2"})
	run(o.t, o.work, "git", "checkout", "-q", "-b", "side")
	ids["side a"] = o.commit("side a", map[string]string{"dev/b": "1"})
	ids["side b"] = o.commit("side b", map[string]string{"prod/a": "2"})
	run(o.t, o.work, "git", "checkout", "-q", "main")
	run(o.t, o.work, "git", "merge", "-q", "--no-ff", "-m", "merge\n\nwith a body\nand\n\nlines", "side")
	ids["merge"] = run(o.t, o.work, "git", "rev-parse", "HEAD")
	ids["empty"] = o.commit("empty", nil)
	ids["last"] = o.commit("last", map[string]string{"dev/a\nb": "1", "dev/-ü \"'": "1"})
	o.push()
	sc.fetch()
	return ids
}

func TestChain(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	ids := history(sc)
	all := []string{
		fmt.Sprintf("last %q", []string{"dev/-ü \"'", "dev/a\nb"}), `empty []`, `merge ["dev/b" "prod/a"]`, `one ["dev/a"]`, `root [":100644 x" "dev/a" "prod/a"]`,
	}
	tests := []struct {
		name      string
		tip, stop string
		limit     int
		want      []string
	}{
		{"whole", ids["last"], "", 0, all},
		{"to a stop", ids["last"], ids["merge"], 0, all[:3]},
		{"a stop that is off the chain", ids["last"], ids["side a"], 0, all},
		{"the tip is the stop", ids["last"], ids["last"], 0, all[:1]},
		{"limited", ids["last"], "", 2, all[:2]},
		{"from the middle, known by now", ids["merge"], "", 0, all[2:]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sc.repo.Chain(t.Context(), tt.tip, tt.stop, tt.limit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, subjects(got)); diff != "" {
				t.Errorf("chain (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("an unknown tip", func(t *testing.T) {
		for _, tip := range []string{unknown, "main", "", "--all", ids["last"][:12]} {
			if got, err := sc.repo.Chain(t.Context(), tip, "", 0); !errors.Is(err, gitrepo.ErrUnknownCommit) {
				t.Errorf("%q: %v, error %v; want ErrUnknownCommit", tip, got, err)
			}
		}
	})
	t.Run("the log leaves out what changed", func(t *testing.T) {
		got, err := sc.repo.Log(t.Context(), ids["last"], ids["merge"], 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"last []", "empty []", "merge []"}, subjects(got)); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
		if got[2].Message != "merge\n\nwith a body\nand\n\nlines" {
			t.Errorf("message %q", got[2].Message)
		}
	})
	t.Run("the chain grows", func(t *testing.T) {
		next := sc.origin.commit("next", map[string]string{"dev/a": "9"})
		sc.origin.push()
		sc.fetch()
		got, err := sc.repo.Chain(t.Context(), next, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append([]string{`next ["dev/a"]`}, all...), subjects(got)); diff != "" {
			t.Errorf("chain (-want +got):\n%s", diff)
		}
	})
	if n := sc.seen.get("blobs"); n != 0 {
		t.Errorf("%d fetches of blobs", n)
	}
}

// TestLongChain reads a chain that takes several runs.
func TestLongChain(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	script := "git fast-import --quiet <<'X'\n"
	for i := range 700 {
		script += fmt.Sprintf("commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 3\nc%02d\nM 644 inline f/%d\ndata 1\nx\n", 1700000000+i, i%100, i)
	}
	run(t, sc.origin.bare, "sh", "-c", script+"X")
	refs := sc.fetch()
	got, err := sc.repo.Chain(t.Context(), refs[mainRef], "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 700 {
		t.Fatalf("%d commits, want 700", len(got))
	}
	for i, c := range got {
		if diff := cmp.Diff([]string{fmt.Sprintf("f/%d", 699-i)}, c.Changed); diff != "" {
			t.Fatalf("commit %d changed (-want +got):\n%s", i, diff)
		}
	}
}

func TestCommits(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	ids := history(sc)
	tree := run(t, sc.origin.work, "git", "rev-parse", "HEAD^{tree}")
	got, err := sc.repo.Commits(t.Context(), []string{ids["merge"], unknown, "main", tree, ids["merge"], ""})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]promotion.Commit{ids["merge"]: {
		ID: ids["merge"], Tree: run(t, sc.origin.work, "git", "rev-parse", ids["merge"]+"^{tree}"),
		Parents: []string{ids["one"], ids["side b"]},
		Author:  promotion.Person{Name: "Ada", Email: "ada@example.com"},
		Time:    time.Unix(1700000000, 0), Message: "merge\n\nwith a body\nand\n\nlines",
	}}
	if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("commits (-want +got):\n%s", diff)
	}
}

func TestContains(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	ids := history(sc)
	tests := []struct {
		ancestor, descendant string
		want                 bool
		err                  error
	}{
		{ids["side a"], ids["last"], true, nil},
		{ids["last"], ids["last"], true, nil},
		{ids["last"], ids["side a"], false, nil},
		{ids["side a"], ids["one"], false, nil},
		{unknown, ids["last"], false, gitrepo.ErrUnknownCommit},
		{ids["last"], unknown, false, gitrepo.ErrUnknownCommit},
		{"--help", ids["last"], false, gitrepo.ErrUnknownCommit},
	}
	for range 2 { // read, then remembered
		for _, tt := range tests {
			got, err := sc.repo.Contains(t.Context(), tt.ancestor, tt.descendant)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("Contains(%s, %s) = %v, %v; want %v, %v", tt.ancestor, tt.descendant, got, err, tt.want, tt.err)
			}
		}
	}
}

func TestBetween(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	ids := history(sc)
	tests := []struct {
		name         string
		older, newer string
		paths        []string
		limit        int
		want         []string
	}{
		{"a folder", ids["root"], ids["last"], []string{"prod"}, 0, []string{"merge"}},
		{"all", ids["root"], ids["last"], []string{""}, 0, []string{"last", "merge", "one"}},
		{"two folders", ids["root"], ids["last"], []string{"prod/", "dev"}, 0, []string{"last", "merge", "one"}},
		{"limited", ids["root"], ids["last"], []string{""}, 2, []string{"last", "merge"}},
		{"a name is no pattern", "", ids["last"], []string{"*", ":100644 x"}, 0, []string{"root"}},
		{"older is on a side branch", ids["side a"], ids["last"], []string{"dev"}, 0, []string{"last", "merge"}},
		{"nothing between", ids["last"], ids["one"], []string{""}, 0, nil},
		{"the start of a name is not the name", ids["root"], ids["last"], []string{"pro"}, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sc.repo.Between(t.Context(), tt.older, tt.newer, tt.paths, tt.limit)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, c := range got {
				subject, _, _ := strings.Cut(c.Message, "\n")
				names = append(names, subject)
			}
			if diff := cmp.Diff(tt.want, names); diff != "" {
				t.Errorf("commits (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := sc.repo.Between(t.Context(), unknown, ids["last"], []string{""}, 0); !errors.Is(err, gitrepo.ErrUnknownCommit) {
		t.Errorf("error %v, want ErrUnknownCommit", err)
	}
}

// files makes a tree with every kind of file and hostile names.
func files(sc *scene) string {
	o := sc.origin
	o.commit("files", map[string]string{
		"envs/prod/app.yaml": "image: 1\n", "envs/prod/run.sh": "#!/bin/sh\n", "envs/prod/empty": "",
		"envs/prod eu/--x": "1", "envs/a\nb/\"q\" ü": "1", "envs/production/other": "1", "top": "1",
	})
	run(sc.t, o.work, "chmod", "+x", "envs/prod/run.sh")
	if err := os.Symlink("../../../../etc/passwd", filepath.Join(o.work, "envs/prod/link")); err != nil {
		sc.t.Fatal(err)
	}
	run(sc.t, o.work, "git", "add", "envs")
	run(sc.t, o.work, "git", "update-index", "--add", "--cacheinfo", "160000,"+unknown+",envs/prod/sub")
	run(sc.t, o.work, "git", "commit", "-q", "-m", "modes")
	o.push()
	sc.fetch()
	return run(sc.t, o.work, "git", "rev-parse", "HEAD")
}

func TestList(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	commit := files(sc)
	modes := func(dirs ...string) map[string]string {
		t.Helper()
		l, err := sc.repo.List(t.Context(), commit, dirs)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for path, f := range l {
			out[path] = f.Mode
			if len(f.Blob) != 40 {
				t.Errorf("%s has the blob %q", path, f.Blob)
			}
		}
		return out
	}
	prod := map[string]string{
		"envs/prod/app.yaml": "100644", "envs/prod/run.sh": "100755", "envs/prod/empty": "100644",
		"envs/prod/link": "120000", "envs/prod/sub": "160000",
	}
	if diff := cmp.Diff(prod, modes("envs/prod/")); diff != "" {
		t.Errorf("envs/prod (-want +got):\n%s", diff)
	}
	odd := map[string]string{"envs/prod eu/--x": "100644", "envs/a\nb/\"q\" ü": "100644"}
	if diff := cmp.Diff(odd, modes("envs/prod eu", "envs/a\nb", "absent", "top", "envs/*")); diff != "" {
		t.Errorf("odd names (-want +got):\n%s", diff)
	}
	if n := len(modes("")); n != 9 {
		t.Errorf("the whole tree has %d files, want 9", n)
	}
	paths, err := sc.repo.Paths(t.Context(), commit)
	if err != nil || len(paths) != 9 {
		t.Errorf("paths %q, error %v", paths, err)
	}
	if _, err := sc.repo.List(t.Context(), unknown, nil); !errors.Is(err, gitrepo.ErrUnknownCommit) {
		t.Errorf("error %v, want ErrUnknownCommit", err)
	}
	if n := sc.seen.get("blobs"); n != 0 {
		t.Errorf("%d fetches of blobs", n)
	}
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	commit := files(sc)
	tests := []struct {
		path, data, mode string
		found            bool
	}{
		{"envs/prod/app.yaml", "image: 1\n", "100644", true},
		{"envs/prod/run.sh", "#!/bin/sh\n", "100755", true},
		{"envs/prod/empty", "", "100644", true},
		{"envs/prod/link", "../../../../etc/passwd", "120000", true},
		{"envs/prod/sub", "", "160000", true},
		{"envs/prod", "", "040000", true},
		{"envs/a\nb/\"q\" ü", "1", "100644", true},
		{"envs/prod eu/--x", "1", "100644", true},
		{"envs/prod/app.yaml/below", "", "", false},
		{"absent/../top", "", "", false},
		{"envs/prod/*", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			data, mode, found, err := sc.repo.ReadFile(t.Context(), commit, tt.path)
			if err != nil {
				t.Fatal(err)
			}
			if string(data) != tt.data || mode != tt.mode || found != tt.found {
				t.Errorf("got %q, mode %q, found %v", data, mode, found)
			}
		})
	}
}

func TestBlobs(t *testing.T) {
	t.Parallel()
	sc := newScene(t, func(o *gitrepo.Options) { o.MaxBlob = 1000 })
	names := map[string]string{}
	for i := range 30 {
		names[fmt.Sprintf("f%d", i)] = fmt.Sprintf("content %d\x00\n", i)
	}
	names["large"] = strings.Repeat("x", 1001)
	commit := sc.origin.commit("files", names)
	sc.origin.push()
	sc.fetch()
	listing, err := sc.repo.List(t.Context(), commit, []string{""})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	want := content.Blobs{}
	for path, f := range listing {
		if path != "large" {
			ids = append(ids, f.Blob, f.Blob)
			want[f.Blob] = []byte(names[path])
		}
	}
	sc.server.reset()
	for i, network := range []bool{true, false} {
		got, fetched, err := sc.repo.Blobs(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("blobs (-want +got):\n%s", diff)
		}
		if fetched != network {
			t.Errorf("time %d: fetched is %v", i, fetched)
		}
	}
	if n := sc.seen.get("blobs"); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
	if n := sc.server.count("git-upload-pack"); n != 1 {
		t.Errorf("%d requests for objects, want 1", n)
	}
	if _, _, err := sc.repo.Blobs(t.Context(), []string{listing["large"].Blob}); !errors.Is(err, gitrepo.ErrTooLarge) || !strings.Contains(err.Error(), listing["large"].Blob) {
		t.Errorf("a large blob: error %v, want ErrTooLarge and its id", err)
	}
	if _, _, err := sc.repo.Blobs(t.Context(), []string{ids[0], unknown}); !errors.Is(err, gitrepo.ErrMissing) || !strings.Contains(err.Error(), unknown) {
		t.Errorf("a blob that is nowhere: error %v, want ErrMissing and its id", err)
	}
	if _, _, err := sc.repo.Blobs(t.Context(), []string{commit}); err == nil {
		t.Error("a commit was read as a blob")
	}
	got, fetched, err := sc.repo.Blobs(t.Context(), nil)
	if err != nil || fetched || len(got) != 0 {
		t.Errorf("no blobs: %v, %v, %v", got, fetched, err)
	}
}
