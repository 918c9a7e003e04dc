package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const yourPipeline = `version: 1
environments:
  qa: {verify: none}
  prod: {from: qa}
pipelines:
  app: {path: envs/$env, promote: {files: v.yml}}
`

// yourGit runs the user's git.
func yourGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=me", "-c", "user.email=me@example.com"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// yourRepository makes a repository of a name that is nobody's friend, with one
// commit of the files, if there are any.
func yourRepository(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "-my; repo $(x) \x1b[31m ü")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	yourGit(t, dir, "init", "-q", "-b", "trunk")
	for p, text := range files {
		at := filepath.Join(dir, p)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if len(files) > 0 {
		yourGit(t, dir, "add", "-A")
		yourGit(t, dir, "commit", "-q", "-m", "all")
	}
	return dir
}

// tellYours runs the demo on a repository, which it must leave alone.
func tellYours(t *testing.T, dir string) (code int, out, errs string) {
	t.Helper()
	state := func() string {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err != nil {
			return ""
		}
		return yourGit(t, dir, "for-each-ref") + yourGit(t, dir, "status", "--porcelain") + yourGit(t, dir, "count-objects", "-v")
	}
	before := state()
	var o, e bytes.Buffer
	code = run(t.Context(), []string{"demo", "--once", "--repo", dir}, &o, &e)
	if after := state(); after != before {
		t.Errorf("the user's repository was changed from\n%s\nto\n%s", before, after)
	}
	if strings.Contains(o.String()+e.String(), "\x1b") {
		t.Errorf("a control character reaches the terminal:\n%q", o.String()+e.String())
	}
	return code, o.String(), e.String()
}

func TestDemoOnYourRepository(t *testing.T) {
	t.Parallel()
	stands := map[string]string{".github/promobot.yml": yourPipeline, "envs/qa/v.yml": "v: 2\n", "envs/prod/v.yml": "v: 1\n"}
	with := func(pipeline string) map[string]string {
		return map[string]string{".github/promobot.yml": pipeline, "envs/qa/v.yml": "v: 1\n", "envs/prod/w.yml": "v: 1\n"}
	}
	cases := map[string]struct {
		files map[string]string
		then  []string // a git command
		want  []string
	}{
		"with a pipeline file": {stands, nil, []string{"1 pipeline, 2 environments", "nothing is proposed"}},
		"with a detached HEAD": {stands, []string{"checkout", "-q", "--detach"}, []string{"1 pipeline, 2 environments"}},
		"that only observes":   {with("mode: observe\n" + yourPipeline), nil, []string{"The mode is observe"}},
		"with a misplaced key": {with(strings.ReplaceAll(yourPipeline, "v.yml", "v.yml, if_absent: error")), nil, []string{".github/promobot.yml:6:"}},
		"without one":          {map[string]string{"README": "x\n"}, nil, []string{"There is no .github/promobot.yml", "version: 1"}},
		"with one that is wrong": {
			with("versions: 1\n\"\\e[31mred\": 1\n"), nil,
			[]string{"is not valid", ".github/promobot.yml:1:1", "did you mean version?", ".github/promobot.yml:2:1"},
		},
		"without a commit": {nil, nil, []string{"The repository is empty"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := yourRepository(t, c.files)
			if c.then != nil {
				yourGit(t, dir, c.then...)
			}
			code, out, errs := tellYours(t, dir)
			if code != 0 {
				t.Fatalf("exit %d\n%s\n%s", code, out, errs)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not said in\n%s", want, out)
				}
			}
		})
	}
}

func TestDemoOnWhatIsNoRepository(t *testing.T) {
	t.Parallel()
	shallow := filepath.Join(t.TempDir(), "shallow")
	origin := yourRepository(t, map[string]string{"README": "x\n"})
	yourGit(t, origin, "commit", "-q", "--allow-empty", "-m", "more")
	yourGit(t, "", "clone", "-q", "--depth=1", "file://"+origin, shallow)
	cases := map[string]struct{ path, want string }{
		"nothing":         {filepath.Join(t.TempDir(), "nothing"), "name the folder of a git repository"},
		"an empty folder": {t.TempDir(), "name the folder of a git repository"},
		"a shallow clone": {shallow, "git fetch --unshallow"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if code, _, errs := tellYours(t, c.path); code != exitUnreadable || !strings.Contains(errs, c.want) {
				t.Errorf("exit %d: %s", code, errs)
			}
		})
	}
}

// TestDemoOnTheMuchCitedRepository takes it as people have it, and with the
// pipeline file that fits it.
func TestDemoOnTheMuchCitedRepository(t *testing.T) {
	t.Parallel()
	bundle, err := filepath.Abs("../../../shared/repos/gitops-environment-promotion.bundle")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bundle); err != nil {
		t.Skipf("without the repository nothing is shown: %v", err)
	}
	if code, out, errs := tellYours(t, bundle); code != 0 || !strings.Contains(out, "There is no .github/promobot.yml") {
		t.Errorf("exit %d\n%s\n%s", code, out, errs)
	}
	clone := filepath.Join(t.TempDir(), "gitops")
	yourGit(t, "", "clone", "-q", bundle, clone)
	at := filepath.Join(clone, ".github", "promobot.yml")
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(gitopsPipeline), 0o644)); err != nil {
		t.Fatal(err)
	}
	yourGit(t, clone, "add", "-A")
	yourGit(t, clone, "commit", "-q", "-m", "promobot")
	code, out, errs := tellYours(t, clone)
	if code != 0 || !strings.Contains(out, "1 pipeline, 7 environments: what stands is adopted, each has its ledger, and nothing is proposed.") {
		t.Errorf("exit %d\n%s\n%s", code, out, errs)
	}
}

func TestRepositoryName(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ path, want string }{
		"a folder":          {"/src/gitops", "gitops"},
		"a bare repository": {"/src/gitops.git", "gitops"},
		"a bundle":          {"/src/gitops.bundle", "gitops"},
		"spaces and worse":  {"/src/-my; repo $(x) ü", "my-repo-x"},
		"nothing is left":   {"/src/ü", "repository"},
		"the root":          {"/", "repository"},
		"dots":              {"/src/..git", "repository"},
		"very long":         {"/src/" + strings.Repeat("a", 300), strings.Repeat("a", 100)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := repositoryName(c.path); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
