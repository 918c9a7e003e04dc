package gitrepo

// git's own refusals of pushes without a lease, by the git of this machine:
// promobot never pushes so, but a lease that git takes for one that it can check
// by itself ends in the same words.

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/promobot/promobot/promotion"
)

func TestClassifyGitsOwnRefusals(t *testing.T) {
	tests := []struct {
		name, prepare, push, ref, reason string
		want                             promotion.PushStatus
	}{
		{"theirs is unknown here", "commit theirs; at theirs HEAD:refs/heads/main", "HEAD:refs/heads/main", "refs/heads/main", "fetch first", promotion.Conflict},
		{"theirs is known here", "commit mine; at mine HEAD:refs/heads/main; back mine", "HEAD:refs/heads/main", "refs/heads/main", "non-fast-forward", promotion.Conflict},
		{"a tag that is there", "at mine HEAD:refs/tags/v1; commit mine", "HEAD:refs/tags/v1", "refs/tags/v1", "already exists", promotion.Conflict},
		{"a lease that is stale", "commit theirs; at theirs HEAD:refs/heads/main", "--force-with-lease=refs/heads/main:$(git rev-parse origin/main) HEAD:refs/heads/main", "refs/heads/main", "stale info", promotion.Conflict},
		{"a remote that takes no rewinding", "commit mine; at mine HEAD:refs/heads/main; back mine", "--force-with-lease=refs/heads/main:$(git rev-parse origin/main) HEAD:refs/heads/main", "refs/heads/main", "non-fast-forward", promotion.Conflict},
		{"it goes through", "commit mine", "HEAD:refs/heads/main", "refs/heads/main", "", promotion.Pushed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			script := `set -e
git init -q --bare -b main remote.git
git -C remote.git config receive.denyNonFastForwards true
for who in mine theirs; do git clone -q remote.git $who 2>/dev/null; git -C $who checkout -q -B main; done
commit() { git -C "$1" commit -q --allow-empty -m "$1 $(git -C "$1" rev-list --count --all)"; }
at() { git -C "$1" push -q origin "$2"; }
back() { git -C "$1" reset -q --hard HEAD~1; git -C "$1" commit -q --allow-empty -m aside; }
commit mine; at mine HEAD:refs/heads/main
git -C theirs pull -q origin main
` + tt.prepare + "\n"
			dir := t.TempDir()
			shell := func(script string) (string, string) {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
				cmd.Dir = dir
				cmd.Env = append(
					os.Environ(), "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
					"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
				)
				var stdout, stderr strings.Builder
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				_ = cmd.Run() // a refused push fails
				return stdout.String(), stderr.String()
			}
			if _, said := shell(script + "touch prepared"); !prepared(dir) {
				t.Fatalf("preparing: %s", said)
			}
			out, said := shell("cd mine && git push --porcelain origin " + tt.push)
			got := classify(pushAnswer{lines: readPorcelain(out), remote: remoteLines(said)}, []string{tt.ref})[0]
			if got.status != tt.want || !strings.Contains(got.reason, tt.reason) {
				t.Errorf("status %d, reason %q; want %d with %q\ngit said:\n%s%s", got.status, got.reason, tt.want, tt.reason, out, said)
			}
		})
	}
}

func prepared(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "prepared"))
	return err == nil
}
