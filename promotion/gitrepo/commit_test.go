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

// TestCommitEditsTrees makes commits by edits, pushes them, and compares with
// git's own view of the remote.
func TestCommitEditsTrees(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := files(sc)
	blob := run(t, sc.origin.work, "git", "rev-parse", "HEAD:envs/prod/app.yaml")
	remove := func(path string) content.Edit { return content.Edit{Path: path, Delete: true} }
	tests := []struct {
		name  string
		base  string
		edits []content.Edit
		want  []string // git diff-tree's lines against the base, status and path
		err   string   // else: words of the error
	}{
		{"a file changes", base, []content.Edit{write("envs/prod/app.yaml", "image: 2\n")}, []string{"M envs/prod/app.yaml"}, ""},
		{"nothing changes", base, []content.Edit{write("envs/prod/app.yaml", "image: 1\n")}, nil, ""},
		{"an empty file", base, []content.Edit{write("new/empty", "")}, []string{"A new/empty"}, ""},
		{"a blob is taken over with a mode", base, []content.Edit{{Path: "envs/eu/run", Mode: "100755", Blob: blob}}, []string{"A envs/eu/run"}, ""},
		{"a mode changes", base, []content.Edit{{Path: "envs/prod/app.yaml", Mode: "100755", Blob: blob}}, []string{"M envs/prod/app.yaml"}, ""},
		{"a file becomes a link", base, []content.Edit{{Path: "top", Mode: "120000", Bytes: []byte("envs")}}, []string{"T top"}, ""},
		{"a folder vanishes with its last file", base, []content.Edit{remove("envs/production/other")}, []string{"D envs/production/other"}, ""},
		{"deleting what is not there", base, []content.Edit{remove("envs/none/x"), remove("top/x"), remove("nope")}, nil, ""},
		{"a file gives way to a folder", base, []content.Edit{remove("top"), write("top/below", "1")}, []string{"D top", "A top/below"}, ""},
		{"a folder gives way to a file", base, []content.Edit{remove("envs/production/other"), write("envs/production", "1")}, []string{"A envs/production", "D envs/production/other"}, ""},
		{"names that sort around a folder's", base, []content.Edit{write("top.d/x", "1"), write("top-", "1"), write("top0", "1")}, []string{"A top-", "A top.d/x", "A top0"}, ""},
		{"hostile names", base, []content.Edit{write("a\nb/--x \"'ü", "1"), write("-", "1")}, []string{"A -", "A a\nb/--x \"'ü"}, ""},
		{"on nothing", "", []content.Edit{write("a/b/c", "1")}, []string{"A a/b/c"}, ""},
		{"a ledger's entry", "", nil, nil, ""},
		{"all files go", "", []content.Edit{remove("a")}, nil, ""},
		{"below a file", base, []content.Edit{write("top/below", "1")}, nil, "top is a file"},
		{"over a folder", base, []content.Edit{write("envs/prod", "1")}, nil, "envs/prod is a folder"},
		{"a folder is no file to delete", base, []content.Edit{remove("envs/prod")}, nil, "envs/prod is a folder"},
		{"twice", base, []content.Edit{write("a", "1"), remove("a")}, nil, "edited twice"},
		{"upwards", base, []content.Edit{write("a/../b", "1")}, nil, "not a path"},
		{"absolute", base, []content.Edit{write("/etc/passwd", "1")}, nil, "not a path"},
		{"into git's folder", base, []content.Edit{write("a/.GIT/config", "1")}, nil, "not a path"},
		{"a folder's mode", base, []content.Edit{{Path: "a", Mode: "40000", Blob: blob}}, nil, "not the mode"},
		{"no id", base, []content.Edit{{Path: "a", Mode: "100644", Blob: "HEAD"}}, nil, "not the id"},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := promotion.NewCommit{Base: tt.base, Edits: tt.edits, Author: bot, Time: noon, Message: "Promote"}
			if tt.base != "" {
				c.Parents = []string{tt.base}
			}
			ids, err := sc.repo.Commit(t.Context(), []promotion.NewCommit{c})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q in it", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			ref := fmt.Sprintf("refs/heads/case-%d", i)
			if res := sc.push(false, promotion.RefUpdate{Ref: ref, New: ids[0]}); res[0].Status != promotion.Pushed {
				t.Fatalf("push: %+v", res)
			}
			run(t, sc.origin.bare, "git", "fsck", "--strict", ids[0])
			before := tt.base
			if before == "" {
				before = run(t, sc.origin.bare, "git", "hash-object", "-t", "tree", "/dev/null")
			}
			out := run(t, sc.origin.bare, "git", "diff-tree", "-r", "-z", "--name-status", "--no-renames", before, ids[0])
			parts := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
			var got []string
			for j := 0; j+1 < len(parts); j += 2 {
				got = append(got, parts[j]+" "+parts[j+1])
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCommitRoundTrip(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := sc.origin.commit("base", map[string]string{"a": "1"})
	sc.origin.push()
	sc.fetch()
	zone := time.FixedZone("", -5*3600-1800)
	commits := []promotion.NewCommit{
		{Base: base, Parents: []string{base}, Author: bot, Time: noon, Message: "One line"},
		{Author: bot, Time: noon.In(zone), Message: "Subject\n\nbody\n\nPromotion-Id: x\n", Parents: []string{base}},
		{Author: promotion.Person{Name: "Eve <x>\nparent y", Email: "e@x>\n"}, Time: noon, Message: "ü \"quoted\"\n\n{\"state\":1}"},
	}
	ids, err := sc.repo.Commit(t.Context(), commits)
	if err != nil {
		t.Fatal(err)
	}
	again, err := sc.repo.Commit(t.Context(), commits)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ids, again); diff != "" {
		t.Errorf("equal input made other commits (-first +second):\n%s", diff)
	}
	got, err := sc.repo.Commits(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		c := got[id]
		if c.Message != commits[i].Message || !c.Time.Equal(noon) {
			t.Errorf("commit %d: message %q at %v", i, c.Message, c.Time)
		}
		if diff := cmp.Diff(commits[i].Parents, c.Parents); diff != "" {
			t.Errorf("commit %d: parents (-want +got):\n%s", i, diff)
		}
		ref := fmt.Sprintf("refs/heads/case-%d", i)
		if res := sc.push(false, promotion.RefUpdate{Ref: ref, New: id}); res[0].Status != promotion.Pushed {
			t.Fatalf("push: %+v", res)
		}
		run(t, sc.origin.bare, "git", "fsck", "--strict", id)
	}
	if got, want := got[ids[2]].Author, (promotion.Person{Name: "Eve xparent y", Email: "e@x"}); got != want {
		t.Errorf("author %+v, want %+v", got, want)
	}
	if out := run(t, sc.mirror(), "git", "show", "-s", "--format=%cI", ids[1]); out != "2026-03-02T06:30:00-05:30" {
		t.Errorf("committed at %s", out)
	}
	unchanged, err := sc.repo.Log(t.Context(), ids[0], "", 0)
	if err != nil || len(unchanged) != 2 || unchanged[0].Tree != unchanged[1].Tree {
		t.Errorf("a commit without edits has another tree: %v, %v", unchanged, err)
	}
}

func TestCommitNeedsWhatItBuildsOn(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := sc.origin.commit("base", map[string]string{"a": "1"})
	tree := run(t, sc.origin.work, "git", "rev-parse", "HEAD^{tree}")
	sc.origin.push()
	sc.fetch()
	for name, c := range map[string]promotion.NewCommit{
		"unknown base":   {Base: unknown, Author: bot, Time: noon},
		"unknown parent": {Base: base, Parents: []string{base, unknown}, Author: bot, Time: noon},
		"a tree":         {Base: tree, Author: bot, Time: noon},
		"a branch":       {Base: "main", Author: bot, Time: noon},
	} {
		if _, err := sc.repo.Commit(t.Context(), []promotion.NewCommit{c}); !errors.Is(err, gitrepo.ErrUnknownCommit) {
			t.Errorf("%s: error %v, want ErrUnknownCommit", name, err)
		}
	}
}

// TestPromotionInALargeRepository makes 200 promotions in a repository of 12,000
// files and asserts that no blob was fetched or sent needlessly.
func TestPromotionInALargeRepository(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	var script strings.Builder
	script.WriteString("commit refs/heads/main\ncommitter A <a@b> 1700000000 +0000\ndata 4\nbase\n")
	for s := range 300 {
		for e := range 10 {
			for f := range 4 {
				data := fmt.Sprintf("service: %d\nenv: %d\nfile: %d\n", s, e, f)
				fmt.Fprintf(&script, "M 644 inline services/svc-%03d/overlays/env-%d/file-%d.yaml\ndata %d\n%s\n", s, e, f, len(data), data)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, sc.origin.bare, "sh", "-c", "git fast-import --quiet < "+file)
	base := sc.fetch()[mainRef]
	start := time.Now()
	dev, err := sc.repo.List(t.Context(), base, []string{"services/svc-000/overlays/env-0"})
	if err != nil {
		t.Fatal(err)
	}
	var edits []content.Edit
	for path, f := range dev {
		edits = append(edits, content.Edit{Path: strings.Replace(path, "env-0", "env-1", 1), Mode: f.Mode, Blob: f.Blob})
	}
	mine := sc.newCommit(base, "promote one folder", edits...)
	t.Logf("listing a folder and promoting it took %v", time.Since(start))

	start = time.Now()
	var commits []promotion.NewCommit
	for s := range 200 {
		path := fmt.Sprintf("services/svc-%03d/overlays/env-9/file-0.yaml", s)
		commits = append(commits, promotion.NewCommit{
			Base: base, Parents: []string{base}, Author: bot, Time: noon, Message: path,
			Edits: []content.Edit{write(path, "image: new\n")},
		})
	}
	if _, err := sc.repo.Commit(t.Context(), commits); err != nil {
		t.Fatal(err)
	}
	t.Logf("200 promotions of one file took %v", time.Since(start))
	start = time.Now()
	if all, err := sc.repo.Paths(t.Context(), base); err != nil || len(all) != 12000 {
		t.Fatalf("%d paths, error %v", len(all), err)
	}
	t.Logf("all paths took %v", time.Since(start))
	start = time.Now()
	if res := sc.push(false, promotion.RefUpdate{Ref: "refs/heads/promobot/x", New: mine}); res[0].Status != promotion.Pushed {
		t.Fatalf("push: %+v", res)
	}
	t.Logf("pushing one took %v", time.Since(start))
	if n := sc.seen.get("blobs"); n != 0 {
		t.Errorf("%d fetches of blobs", n)
	}
	out := run(t, sc.mirror(), "git", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")
	if n := strings.Count(out, "blob"); n != 1 {
		t.Errorf("the mirror holds %d blobs, want the one that was written", n)
	}
}

// TestCommitsStackInOneCall: each commit of a stack stands on the one before and
// edits its tree, whatever else the call makes.
func TestCommitsStackInOneCall(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := files(sc)
	at := time.Unix(1700000000, 0)
	who := promotion.Person{Name: "bot", Email: "bot@example.com"}
	ids, err := sc.repo.Commit(t.Context(), []promotion.NewCommit{
		{Base: base, Parents: []string{base}, Edits: []content.Edit{write("new/a", "1\n")}, Author: who, Time: at, Message: "one"},
		{Base: base, Parents: []string{base}, Edits: []content.Edit{write("aside", "1\n")}, Author: who, Time: at, Message: "aside"},
		{After: 1, Edits: []content.Edit{write("new/b", "2\n"), write("top", "3\n")}, Author: who, Time: at, Message: "two"},
		{After: 3, Edits: []content.Edit{write("new/a", "4\n")}, Author: who, Time: at, Message: "three"},
	})
	if err != nil {
		t.Fatal(err)
	}
	sc.push(false, promotion.RefUpdate{Ref: "refs/heads/stack", New: ids[3]}, promotion.RefUpdate{Ref: "refs/heads/aside", New: ids[1]})
	git := func(args ...string) string { return run(t, sc.origin.bare, "git", args...) }
	if got := git("rev-list", "--first-parent", "refs/heads/stack", "^"+base); got != strings.Join([]string{ids[3], ids[2], ids[0]}, "\n") {
		t.Errorf("the stack is\n%s", got)
	}
	for path, want := range map[string]string{"new/a": "4", "new/b": "2", "top": "3"} {
		if got := git("show", "refs/heads/stack:"+path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if got := git("diff-tree", "--no-commit-id", "--name-only", "-r", ids[2]); got != "new/b\ntop" {
		t.Errorf("the second changes %q", got)
	}
	if _, err := sc.repo.Commit(t.Context(), []promotion.NewCommit{{After: 1, Author: who, Time: at, Message: "on itself"}}); err == nil {
		t.Error("a commit cannot stand on itself")
	}
}
