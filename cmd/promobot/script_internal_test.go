package main

// The commands that need no GitHub, as sessions: testdata/script holds one each,
// on repositories that the script makes or, where they are there, on real ones.
// Commits have fixed dates and authors, so that their ids are always the same.
// UPDATE_GOLDEN=1 writes anew what the sessions compare with.

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// programName is what the test binary is called by when it is to be promobot.
const programName = "promobot"

// A session runs promobot as a process of its own, in a folder of its own: the
// test binary by another name. It ends here, before there is any test.
func init() {
	if filepath.Base(os.Args[0]) == programName {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, programName)); err != nil {
		t.Fatal(err)
	}
	repos, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "repos"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		UpdateScripts:       os.Getenv("UPDATE_GOLDEN") != "",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"commit": scriptCommit,
			"ends":   scriptEnds,
		},
		Condition: func(name string) (bool, error) {
			if name != "repos" {
				return false, errors.New("there is no condition " + name)
			}
			_, err := os.Stat(repos)
			return err == nil, nil
		},
		Setup: func(e *testscript.Env) error {
			for k, v := range map[string]string{
				"PATH": bin + string(os.PathListSeparator) + os.Getenv("PATH"), "REPOS": repos,
				"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "TZ": "UTC",
				"GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.com",
				"GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@example.com",
			} {
				e.Setenv(k, v)
			}
			return nil
		},
	})
}

// scriptCommit is "commit DATE MESSAGE": all files of the folder, by Ana.
func scriptCommit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: commit DATE MESSAGE")
	}
	ts.Setenv("GIT_AUTHOR_DATE", args[0])
	ts.Setenv("GIT_COMMITTER_DATE", args[0])
	ts.Check(ts.Exec("git", "add", "-A"))
	ts.Check(ts.Exec("git", "commit", "-q", "-m", args[1]))
}

// scriptEnds is "ends CODE ARGS...": promobot with these arguments ends with
// the code. What it printed is there for stdout, stderr and cmp.
func scriptEnds(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: ends CODE ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(programName, args[1:]...); err != nil {
		ended, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%s: %v", programName, err)
		}
		code = ended.ExitCode()
	}
	if code != want {
		ts.Fatalf("%s ended with %d, not with %d", programName, code, want)
	}
}
