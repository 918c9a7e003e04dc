package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
)

var demoChanging = regexp.MustCompile(`127\.0\.0\.1:\d+|[0-9a-f]{40}|[0-9a-f]{10}\b|\d+ API writes and \d+ pushes for all of this; \d+ of its \d+ reads`)

// TestDemo is README's first command: what it tells is its golden file.
func TestDemo(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"demo", "--once"}, &out, &errs); code != 0 {
		t.Fatalf("exit %d\n%s\n%s", code, out.String(), errs.String())
	}
	got := demoChanging.ReplaceAllString(out.String(), "…")
	golden := filepath.Join("testdata", "demo.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("the story changed (-golden +now; UPDATE_GOLDEN=1 rewrites it):\n%s", d)
	}
}

// TestDemoSaysWhatDidNotHappen: a GitHub that opens no pull request ends the
// demo with what was expected, and not with success.
func TestDemoSaysWhatDidNotHappen(t *testing.T) {
	t.Parallel()
	w, err := newDemoWorld(t.Context(), t.TempDir(), demoOptions{address: "127.0.0.1:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	w.sim.Inject(githubsim.Fault{Method: "POST", Path: "/api/v3/repos/*/*/pulls", Effect: githubsim.Failed(500)})
	n := newNarrator(&bytes.Buffer{})
	if err := w.sceneInstall(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if _, err := w.bump(t.Context(), "checkout", "1.40.0", "1.42.0"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = w.until(ctx, n, "the impossible", func() (bool, error) {
		// Stop waiting once promobot has met the fault.
		if w.sim.Journal().Count(githubsim.APIWrite) > 0 {
			cancel()
		}
		return false, nil
	})
	if err == nil || !strings.Contains(err.Error(), "this did not happen: the impossible") {
		t.Fatalf("got %v", err)
	}
	var coded *exitError
	if err := demoFailed(err, w); !errors.As(err, &coded) || coded.code != exitWrong || !strings.Contains(err.Error(), "the end of promobot's log") {
		t.Errorf("got %v", err)
	}
}

func TestDemoOnYourRepository(t *testing.T) {
	t.Parallel()
	git := func(dir string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=me", "-c", "user.email=me@example.com"}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(dir, path, text string) {
		t.Helper()
		at := filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	valid := "version: 1\nenvironments:\n  qa: {verify: none}\n  prod: {from: qa}\npipelines:\n  app: {path: envs/$env, promote: {files: v.yml}}\n"
	cases := map[string]struct {
		files map[string]string
		want  []string
	}{
		"with a pipeline file": {
			map[string]string{".github/promobot.yml": valid, "envs/qa/v.yml": "v: 1\n", "envs/prod/v.yml": "v: 1\n"},
			[]string{"2 environments have their ledger", "git clone"},
		},
		"without one":            {map[string]string{"README": "x\n"}, []string{"There is no .github/promobot.yml"}},
		"with one that is wrong": {map[string]string{".github/promobot.yml": "versoin: 1\n"}, []string{".github/promobot.yml:1:1", "did you mean version?"}},
		"without a commit":       {nil, []string{"The repository is empty"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "-my; repo $(x) ü")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			git(dir, "init", "-q", "-b", "main")
			for p, text := range c.files {
				write(dir, p, text)
			}
			if len(c.files) > 0 {
				git(dir, "add", "-A")
				git(dir, "commit", "-q", "-m", "all")
			}
			var out, errs bytes.Buffer
			if code := run(t.Context(), []string{"demo", "--once", "--repo", dir}, &out, &errs); code != 0 {
				t.Fatalf("exit %d\n%s\n%s", code, out.String(), errs.String())
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is not said in\n%s", want, out.String())
				}
			}
		})
	}
	t.Run("that is not there", func(t *testing.T) {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"demo", "--once", "--repo", filepath.Join(t.TempDir(), "nothing")}, &out, &errs); code != exitWrong || !strings.Contains(errs.String(), "name the folder of a git repository") {
			t.Errorf("exit %d: %s", code, errs.String())
		}
	})
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		args []string
		code int
		want string
	}{
		"no command":         {nil, 0, "promobot serve --config config.yml"},
		"an unknown command": {[]string{"serv"}, exitUsage, `there is no command "serv"`},
		"an unknown flag":    {[]string{"demo", "--onze"}, exitUsage, "unknown flag: --onze"},
		"too many words":     {[]string{"demo", "now"}, exitUsage, "`promobot demo --help` says how"},
		"the exit codes":     {[]string{"help", "exit-codes"}, 0, "2  the command was not understood"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if code := run(t.Context(), c.args, &out, &out); code != c.code || !strings.Contains(out.String(), c.want) {
				t.Errorf("exit %d, want %d with %q:\n%s", code, c.code, c.want, out.String())
			}
		})
	}
}
