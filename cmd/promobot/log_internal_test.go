package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/state"
)

const (
	ledgerPipeline    = "services/c++"
	ledgerEnvironment = "prod-eu"
	ledgerRepository  = 42
)

// ledgerRepo is a repository with one ledger, oldest entry first, each entry
// signed by the key of its file.
type ledgerRepo struct {
	t    *testing.T
	dir  string
	ref  string
	tip  string
	keys state.Keys
	file string // of the key
}

func newLedgerRepo(t *testing.T) *ledgerRepo {
	t.Helper()
	dir := t.TempDir()
	r := &ledgerRepo{t: t, dir: filepath.Join(dir, "clone"), ref: state.Ref(ledgerPipeline, ledgerEnvironment), file: filepath.Join(dir, "app.pem")}
	const secret = "a key of the tests"
	if err := os.WriteFile(r.file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.keys, err = state.NewKeys([]byte(secret)); err != nil {
		t.Fatal(err)
	}
	r.git("", "init", "-q", "-b", "main", r.dir)
	r.git("", "-C", r.dir, "commit", "-q", "--allow-empty", "-m", "a commit")
	return r
}

func (r *ledgerRepo) git(stdin string, args ...string) string {
	r.t.Helper()
	c := exec.CommandContext(r.t.Context(), "git", args...)
	c.Stdin = strings.NewReader(stdin)
	c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=promobot", "GIT_AUTHOR_EMAIL=bot@example.com", "GIT_AUTHOR_DATE=2026-03-01T10:00:00Z",
		"GIT_COMMITTER_NAME=promobot", "GIT_COMMITTER_EMAIL=bot@example.com", "GIT_COMMITTER_DATE=2026-03-01T10:00:00Z")
	out, err := c.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// entry appends a signed entry.
func (r *ledgerRepo) entry(keys state.Keys, kind state.Kind, sentence string, sequence int) {
	r.t.Helper()
	var parents []string
	if r.tip != "" {
		parents = []string{r.tip}
	}
	m, err := keys.Encode(
		state.Place{Repository: ledgerRepository, Ref: r.ref, Parents: parents},
		state.Entry{Kind: kind, Sentence: sentence, State: state.Environment{
			Sequence: sequence, Baseline: state.Baseline{Commit: strings.Repeat("1", 40), Time: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)},
		}}, "nonce")
	if err != nil {
		r.t.Fatal(err)
	}
	r.message(m)
}

// message appends a commit that says anything.
func (r *ledgerRepo) message(m string) {
	r.t.Helper()
	tree := r.git("", "-C", r.dir, "hash-object", "-w", "-t", "tree", "--stdin")
	args := []string{"-C", r.dir, "commit-tree", tree, "-F", "-"}
	if r.tip != "" {
		args = append(args, "-p", r.tip)
	}
	r.tip = r.git(m+"\n", args...)
	r.git("", "-C", r.dir, "update-ref", r.ref, r.tip)
}

// log runs promobot log on it.
func (r *ledgerRepo) log(args ...string) (stdout, stderr string, code int) {
	r.t.Helper()
	var out, errs bytes.Buffer
	code = run(r.t.Context(), append([]string{"log", "--repo", r.dir}, args...), &out, &errs)
	return out.String(), errs.String(), code
}

func (r *ledgerRepo) checked() []string {
	return []string{ledgerPipeline, ledgerEnvironment, "--key-file", r.file, "--repository-id", "42"}
}

func TestLogIsNewestFirst(t *testing.T) {
	t.Parallel()
	r := newLedgerRepo(t)
	r.entry(r.keys, state.KindBaseline, "services/c++/prod-eu: first seen", 1)
	r.entry(r.keys, state.KindSettled, "services/c++/prod-eu: already there", 2)
	const want = "2026-03-01 10:00:00Z  settled   services/c++/prod-eu: already there\n" +
		"2026-03-01 10:00:00Z  baseline  services/c++/prod-eu: first seen\n"

	out, errs, code := r.log(ledgerPipeline, ledgerEnvironment)
	if d := cmp.Diff(want, out); d != "" || code != 0 {
		t.Errorf("exit %d (-want +got):\n%s", code, d)
	}
	if !strings.Contains(errs, "signatures are not checked") {
		t.Errorf("it does not say that nothing was checked: %q", errs)
	}
	out, errs, code = r.log(r.checked()...)
	if d := cmp.Diff(want, out); d != "" || code != 0 || errs != "" {
		t.Errorf("with the key: exit %d, %q (-want +got):\n%s", code, errs, d)
	}
}

func TestLogAsJSON(t *testing.T) {
	t.Parallel()
	r := newLedgerRepo(t)
	r.entry(r.keys, state.KindBaseline, "first seen", 1)
	out, errs, code := r.log(append(r.checked(), "--json")...)
	if code != 0 || errs != "" {
		t.Fatalf("exit %d, %q", code, errs)
	}
	var got []logEntry
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	if len(got) != 1 || got[0].State == nil || got[0].State.Sequence != 1 {
		t.Fatalf("entries: %s", out)
	}
	got[0].State = nil
	want := []logEntry{{Commit: r.tip, Time: at, Kind: state.KindBaseline, Sentence: "first seen", Signature: "valid"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestLogTellsWhatIsNotPromobots: anyone who may push may write the ref.
func TestLogTellsWhatIsNotPromobots(t *testing.T) {
	t.Parallel()
	others, err := state.NewKeys([]byte("another key"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		write   func(*ledgerRepo)
		keyed   bool
		want    string // of the newest line
		trusted bool
	}{
		{"another's signature, unchecked", func(r *ledgerRepo) { r.entry(others, state.KindSettled, "forged", 2) }, false, "settled   forged", true},
		{"another's signature", func(r *ledgerRepo) { r.entry(others, state.KindSettled, "forged", 2) }, true, "[" + state.ErrSignature.Error(), false},
		{"no entry at all", func(r *ledgerRepo) { r.message("hello") }, false, "[" + state.ErrFormat.Error(), false},
		{"no entry, with what a terminal obeys", func(r *ledgerRepo) { r.message("\x1b[2J\x1b]0;owned\a") }, false, "[" + state.ErrFormat.Error(), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newLedgerRepo(t)
			r.entry(r.keys, state.KindBaseline, "first seen", 1)
			tt.write(r)
			args := []string{ledgerPipeline, ledgerEnvironment}
			if tt.keyed {
				args = r.checked()
			}
			out, errs, code := r.log(args...)
			newest, _, _ := strings.Cut(out, "\n")
			if !strings.Contains(newest, tt.want) || strings.ContainsAny(out, "\x1b\a") {
				t.Errorf("the newest line is %q, want %q in it", newest, tt.want)
			}
			if tt.trusted != (code == 0) || tt.trusted == strings.Contains(errs, "1 of 2 entries cannot be trusted") {
				t.Errorf("exit %d, %q", code, errs)
			}
		})
	}
}

func TestLogOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	r := newLedgerRepo(t)
	if _, errs, code := r.log("a", "b"); code != exitUnreadable || !strings.Contains(errs, "git fetch origin '+refs/promobot/*:refs/promobot/*'") {
		t.Errorf("without ledgers: exit %d, %q", code, errs)
	}
	r.entry(r.keys, state.KindBaseline, "first seen", 1)
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"another pipeline", []string{"services/c+", ledgerEnvironment}, exitUsage, "did you mean services/c++?"},
		{"another environment", []string{ledgerPipeline, "prod-us"}, exitUsage, "did you mean prod-eu?"},
		{"a pipeline with what a terminal obeys", []string{"\x1b[31mx", "y"}, exitUsage, `\x1b[31mx`},
		{"a key without the repository's id", []string{ledgerPipeline, ledgerEnvironment, "--key-file", r.file}, exitUsage, "go together"},
		{"a key that is not there", []string{ledgerPipeline, ledgerEnvironment, "--key-file", r.file + "x", "--repository-id", "42"}, exitUnreadable, "no such file"},
		{"one name", []string{ledgerPipeline}, exitUsage, "promobot log --help"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, errs, code := r.log(tt.args...)
			if code != tt.code || !strings.Contains(errs, tt.want) || out != "" {
				t.Errorf("exit %d, want %d; stderr %q, want %q in it; stdout %q", code, tt.code, errs, tt.want, out)
			}
		})
	}
}
