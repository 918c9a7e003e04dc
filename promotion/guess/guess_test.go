package guess_test

// Layouts as text archives: testdata/NAME.txtar holds a repository's files
// (branch:NAME:path for files of other branches) and a change to be made in it,
// and what has to come of them: the guessed file, the reasons, and what the
// change would then have promoted. UPDATE_GOLDEN=1 writes these anew.

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/dryrun"
	"github.com/promobot/promobot/promotion/gitrepo"
	"github.com/promobot/promobot/promotion/guess"
)

// layout is a repository made of an archive.
type layout struct {
	t        *testing.T
	dir      string
	branches map[string]map[string]string // files by branch; main is the default
	bump     [][3]string                  // branch:path, what is replaced, and by what
	want     map[string]string
}

const mainBranch = "main"

func parse(t *testing.T, a *txtar.Archive) *layout {
	t.Helper()
	l := &layout{t: t, dir: t.TempDir(), branches: map[string]map[string]string{mainBranch: {}}, want: map[string]string{}}
	for _, f := range a.Files {
		name := strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(f.Name)
		switch name {
		case "want.yml", "want-reasons", "want-plan":
			l.want[name] = string(f.Data)
		case "change":
			for line := range strings.Lines(string(f.Data)) {
				p := strings.Fields(line)
				l.bump = append(l.bump, [3]string{p[0], p[1], p[2]})
			}
		default:
			branch, path := mainBranch, name
			if rest, ok := strings.CutPrefix(name, "branch:"); ok {
				branch, path, _ = strings.Cut(rest, ":")
			}
			if l.branches[branch] == nil {
				l.branches[branch] = map[string]string{}
			}
			l.branches[branch][path] = string(f.Data)
		}
	}
	return l
}

func (l *layout) git(args ...string) string {
	l.t.Helper()
	c := exec.CommandContext(l.t.Context(), "git", append([]string{"-c", "user.name=ana", "-c", "user.email=ana@example.com"}, args...)...)
	c.Dir = l.dir
	c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_COMMITTER_DATE=2026-03-02T09:00:00Z", "GIT_AUTHOR_DATE=2026-03-02T09:00:00Z")
	out, err := c.CombinedOutput()
	if err != nil {
		l.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (l *layout) write(path, text string) {
	l.t.Helper()
	at := filepath.Join(l.dir, path)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// build makes the repository, each branch with one commit.
func (l *layout) build() {
	l.t.Helper()
	l.git("init", "-q", "-b", mainBranch)
	names := []string{mainBranch}
	for b := range l.branches {
		if b != mainBranch {
			names = append(names, b)
		}
	}
	slices.Sort(names[1:])
	for _, b := range names {
		if b != mainBranch {
			l.git("checkout", "-q", "--orphan", b)
			l.git("rm", "-rfq", "--ignore-unmatch", ".")
		}
		for path, text := range l.branches[b] {
			l.write(path, text)
		}
		l.git("add", "-A")
		l.git("commit", "-q", "--allow-empty", "-m", "begin")
	}
	l.git("checkout", "-q", mainBranch)
}

// change makes the archive's change, and returns the branch it was made on.
func (l *layout) change() string {
	l.t.Helper()
	branch := mainBranch
	for _, b := range l.bump {
		path := b[0]
		if rest, ok := strings.CutPrefix(path, "branch:"); ok {
			branch, path, _ = strings.Cut(rest, ":")
		}
		l.git("checkout", "-q", branch)
		text, err := os.ReadFile(filepath.Join(l.dir, path))
		if err != nil || !strings.Contains(string(text), b[1]) {
			l.t.Fatalf("%s: nothing to change: %v", b[0], err)
		}
		l.write(path, strings.ReplaceAll(string(text), b[1], b[2]))
	}
	l.git("commit", "-q", "-a", "-m", "change")
	return branch
}

func (l *layout) open() (*gitrepo.Repository, promotion.Refs) {
	l.t.Helper()
	r, err := gitrepo.OpenLocal(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	refs, err := r.Fetch(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return r, refs
}

func (l *layout) look() guess.Repository {
	l.t.Helper()
	r, refs := l.open()
	looked, err := dryrun.Look(l.t.Context(), r, "shop", mainBranch, refs["refs/heads/"+mainBranch], refs)
	if err != nil {
		l.t.Fatal(err)
	}
	return looked
}

// plan is what the change promotes, in words.
func (l *layout) plan(file []byte) string {
	l.t.Helper()
	if len(l.bump) == 0 {
		return ""
	}
	branch := l.change()
	r, refs := l.open()
	o := dryrun.Options{
		Repository: promotion.Repository{ID: 1, Owner: "acme", Name: "shop", DefaultBranch: branch, Merge: true},
		To:         refs["refs/heads/"+branch], File: file, FileName: "guessed", Branches: map[string]string{},
	}
	for ref, id := range refs {
		if b := strings.TrimPrefix(ref, "refs/heads/"); b != branch {
			o.Branches[b] = id
		}
	}
	p, err := dryrun.MakePlan(l.t.Context(), r, o, false)
	if err != nil {
		l.t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range p.Environments {
		switch {
		case e.Promotion != nil:
			fmt.Fprintf(&b, "%s/%s: %s\n", e.Pipeline, e.Environment, e.Promotion.Title)
			for _, c := range e.Promotion.Changes {
				fmt.Fprintf(&b, "  %s %s: %s > %s\n", c.File, c.Value, c.Now, c.After)
			}
		default:
			fmt.Fprintf(&b, "%s/%s: %s\n", e.Pipeline, e.Environment, e.Standing)
		}
	}
	return b.String()
}

func TestLayouts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no layouts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			l := parse(t, a)
			l.build()
			looked := l.look()
			g := guess.Make(looked)
			got := map[string]string{"want-reasons": lists(g)}
			if g.File != nil {
				got["want.yml"] = string(g.File)
				valid(t, looked, g.File)
				if p := l.plan(g.File); p != "" {
					got["want-plan"] = p
				}
			}
			if os.Getenv("UPDATE_GOLDEN") != "" {
				rewrite(t, file, a, got)
				return
			}
			if diff := cmp.Diff(l.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func lists(g guess.Guess) string {
	var b strings.Builder
	for _, list := range []struct {
		heading string
		lines   []string
	}{{"why", g.Reasons}, {"not sure", g.Doubts}, {"looked for", g.Looked}} {
		for _, l := range list.lines {
			fmt.Fprintf(&b, "%s: %s\n", list.heading, l)
		}
	}
	return b.String()
}

// valid holds a file against the repository as promobot validate --repo does.
func valid(t *testing.T, r guess.Repository, text []byte) {
	t.Helper()
	file, problems := config.Parse("guessed", text)
	if len(problems) > 0 {
		t.Fatalf("%v\n%s", problems, text)
	}
	pipelines, problems := file.Resolve(config.Tree{Paths: r.Paths, Default: r.Default, Branches: r.Branches})
	problems = append(problems, file.Check(pipelines, r.Contents)...)
	if len(problems) > 0 || len(pipelines) == 0 {
		t.Fatalf("%d pipelines, %v\n%s", len(pipelines), problems, text)
	}
	for _, p := range pipelines {
		for _, e := range p.Environments {
			if e.Mode != config.Observe {
				t.Errorf("%s in %s has mode %s", p.Key, e.Name, e.Mode)
			}
		}
	}
}

func rewrite(t *testing.T, file string, a *txtar.Archive, got map[string]string) {
	t.Helper()
	a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "want") })
	for _, name := range []string{"want.yml", "want-reasons", "want-plan"} {
		if text, ok := got[name]; ok {
			a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
		}
	}
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}
