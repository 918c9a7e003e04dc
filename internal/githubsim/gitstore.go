package githubsim

// Bare repositories on disk and the git processes that work on them. Nothing
// here knows the model; nothing here may be called with Server.mu held.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
)

// zeroID stands for "no object" in ref updates.
const zeroID = "0000000000000000000000000000000000000000"

// gitEnv is how git is run: which binary, with an environment of its own.
type gitEnv struct {
	binary string
	dir    string
	env    []string
	life   context.Context //nolint:containedctx // ends the processes that outlive a request
}

// newGitEnv finds git. No configuration of the machine or the user is read.
func newGitEnv(life context.Context, dir string) (gitEnv, error) {
	binary, err := exec.LookPath("git")
	if err != nil {
		return gitEnv{}, fmt.Errorf("the simulator needs git in the PATH: %w", err)
	}
	return gitEnv{
		binary: binary, dir: dir, life: life,
		env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "TZ=UTC",
			"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0",
			"GIT_AUTHOR_NAME=GitHub", "GIT_AUTHOR_EMAIL=noreply@github.com",
			"GIT_COMMITTER_NAME=GitHub", "GIT_COMMITTER_EMAIL=noreply@github.com",
		},
	}, nil
}

// store is one bare repository.
type store struct {
	git  gitEnv
	path string

	mu    sync.Mutex // guards batch
	batch *catFile
}

// gitError is a git command that failed, with what it said.
type gitError struct {
	args   []string
	code   int
	stderr string
}

func (e *gitError) Error() string {
	return fmt.Sprintf("git %s: exit %d: %s", strings.Join(e.args, " "), e.code, strings.TrimSpace(e.stderr))
}

// gitExit is the exit code of a failed git command, or -1.
func gitExit(err error) int {
	if ge, ok := errors.AsType[*gitError](err); ok {
		return ge.code
	}
	return -1
}

// gitInput is what a command gets beside its arguments.
type gitInput struct {
	stdin []byte
	env   []string
}

// run runs git in the repository and returns what it printed.
func (st *store) run(ctx context.Context, in gitInput, args ...string) ([]byte, error) {
	return st.git.run(ctx, st.path, in, args...)
}

// line is run for a command that prints one line.
func (st *store) line(ctx context.Context, in gitInput, args ...string) (string, error) {
	out, err := st.run(ctx, in, args...)
	return strings.TrimSpace(string(out)), err
}

func (g gitEnv) run(ctx context.Context, dir string, in gitInput, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, g.binary, args...)
	cmd.Dir = dir
	cmd.Env = append(append([]string{}, g.env...), in.env...)
	cmd.Stdin = bytes.NewReader(in.stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return stdout.Bytes(), &gitError{args: args, code: exit.ExitCode(), stderr: stderr.String()}
	}
	if err != nil {
		return nil, fmt.Errorf("running git %s: %w", args[0], err)
	}
	return stdout.Bytes(), nil
}

// repositoryConfig is what GitHub's repositories allow and refuse.
const repositoryConfig = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	logAllRefUpdates = false
[gc]
	auto = 0
[maintenance]
	auto = false
[receive]
	autogc = false
	hideRefs = refs/pull
	advertisePushOptions = true
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
`

// headOf is the branch that another repository's HEAD names, or "".
func (g gitEnv) headOf(ctx context.Context, source string) string {
	out, err := g.run(ctx, g.dir, gitInput{}, "ls-remote", "--symref", source, "HEAD")
	if err != nil {
		return ""
	}
	first, rest, _ := strings.Cut(string(out), "\n")
	if target, symbolic := strings.CutPrefix(first, "ref: refs/heads/"); symbolic {
		name, _, _ := strings.Cut(target, "\t")
		return name
	}
	// A bundle tells only HEAD's commit: the branch is one that has it.
	id, _, _ := strings.Cut(first+rest, "\t")
	out, err = g.run(ctx, g.dir, gitInput{}, "ls-remote", "--heads", source)
	if err != nil || id == "" {
		return ""
	}
	found := ""
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		sha, ref, _ := strings.Cut(line, "\t")
		name := strings.TrimPrefix(ref, "refs/heads/")
		if sha == id && (found == "" || name == "main" || name == "master") {
			found = name
		}
	}
	return found
}

// listRefs reads all refs.
func (st *store) listRefs(ctx context.Context) (map[string]string, error) {
	out, err := st.run(ctx, gitInput{}, "for-each-ref", "--format=%(objectname) %(refname)")
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for line := range strings.SplitSeq(string(out), "\n") {
		if id, name, found := strings.Cut(line, " "); found {
			refs[name] = id
		}
	}
	return refs, nil
}

// refUpdate moves one ref from old to new; zeroID is absence, and an empty old
// value in updateRefs is "whatever it is".
type refUpdate struct {
	name, old, new string
}

// updateRefs moves refs in one transaction; all or none, and only if each is
// at its old value.
func (st *store) updateRefs(ctx context.Context, updates ...refUpdate) error {
	if len(updates) == 0 {
		return nil
	}
	var in bytes.Buffer
	for _, u := range updates {
		switch u.new {
		case zeroID:
			fmt.Fprintf(&in, "delete %s\x00%s\x00", u.name, u.old)
		default:
			fmt.Fprintf(&in, "update %s\x00%s\x00%s\x00", u.name, u.new, u.old)
		}
	}
	_, err := st.run(ctx, gitInput{stdin: in.Bytes()}, "update-ref", "-z", "--stdin")
	return err
}

// closeStores ends the object readers of all repositories.
func (s *Server) closeStores() {
	s.mu.Lock()
	stores := slices.Clone(s.stores)
	s.mu.Unlock()
	for _, st := range stores {
		st.close()
	}
}
