package gitrepo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/gitrepo"
)

// TestReadAhead reads both sides of what a chain changed, hostile names, a root
// commit and a deletion among it.
func TestReadAhead(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@b"}, args...)...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q", "-b", "main")
	write("a b/-x\n:y", "one")
	write("other", "left out")
	git("add", "-A")
	git("commit", "-q", "-m", "root")
	write("a b/-x\n:y", "two")
	git("commit", "-q", "-a", "-m", "change")
	git("rm", "-q", "a b/-x\n:y")
	git("commit", "-q", "-m", "delete")

	r, err := gitrepo.OpenLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := r.Chain(t.Context(), git("rev-parse", "HEAD"), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := r.ReadAhead(t.Context(), chain, func(path string) bool { return strings.HasPrefix(path, "a b/") })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range blobs {
		got = append(got, string(b))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"one", "two"}, got); diff != "" {
		t.Error(diff)
	}
}
