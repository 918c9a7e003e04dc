package main

// What is read from git's and Prometheus's words, against real git.

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// startShell runs a script until the test ends, and returns when it has said
// something.
func startShell(t *testing.T, script string) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, pid := range tree(cmd.Process.Pid) {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
		_ = cmd.Wait()
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestReadPackOfRealGit(t *testing.T) {
	dir := t.TempDir()
	git := func(stdin string, args ...string) []byte {
		t.Helper()
		out, err := gitIn(t.Context(), dir, strings.NewReader(stdin), args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	git("", "init", "-q")
	commit := func(n int) string {
		for i := range 10 {
			text := strings.Repeat(fmt.Sprintf("a line that is long enough to make deltas worth while in file %d\n", i), 50) + fmt.Sprint("version ", n, "\n")
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("f", i)), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		git("", "add", "-A")
		git("", "commit", "-q", "-m", fmt.Sprint("commit ", n))
		return strings.TrimSpace(string(git("", "rev-parse", "HEAD")))
	}
	first, second := commit(1), commit(2)
	git("", "tag", "-a", "-m", "a tag", "t1", second)
	asked := 0
	types := func(ids []string) (map[string]string, error) {
		asked += len(ids)
		return readTypes(git(strings.Join(ids, "\n")+"\n", "cat-file", "--batch-check")), nil
	}
	for name, c := range map[string]struct {
		want  packed
		revs  string
		args  []string
		bases bool // deltas are against objects that the pack lacks
	}{
		"everything":              {packed{commits: 2, trees: 2, blobs: 20, tags: 1}, "refs/tags/t1\n", []string{"--delta-base-offset"}, false},
		"deltas by id":            {packed{commits: 2, trees: 2, blobs: 20, tags: 1}, "refs/tags/t1\n", nil, true},
		"thin":                    {packed{commits: 1, trees: 1, blobs: 10}, second + "\n^" + first + "\n", []string{"--thin", "--delta-base-offset"}, true},
		"without blobs":           {packed{commits: 1, trees: 1}, second + "\n^" + first + "\n", []string{"--filter=blob:none"}, false},
		"one object, no delta":    {packed{commits: 1}, second + "\n^" + first + "\n", []string{"--filter=tree:0"}, false},
		"nothing that is missing": {packed{}, second + "\n^" + second + "\n", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			asked = 0
			pack := git(c.revs, append([]string{"pack-objects", "--revs", "--stdout", "-q"}, c.args...)...)
			got, err := readPack(pack, types)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(packed{})); diff != "" {
				t.Errorf("pack (-want +got):\n%s", diff)
			}
			if (asked > 0) != c.bases {
				t.Errorf("%d bases were asked for", asked)
			}
			if len(pack) > 40 {
				if _, err := readPack(pack[:len(pack)-25], types); err == nil && got != (packed{}) {
					t.Error("half a pack was read")
				}
			}
		})
	}
}

func TestReadPush(t *testing.T) {
	const zero, one = "0000000000000000000000000000000000000000", "1111111111111111111111111111111111111111"
	line := func(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }
	commands := line(zero+" "+one+" refs/heads/a\x00report-status side-band-64k") + line(one+" "+one+" refs/promobot/p/e") + "0000PACK…"
	status := line("unpack ok\n") + line("ok refs/heads/a\n") + line("ng refs/promobot/p/e incorrect old value provided\n") + "0000"
	for name, c := range map[string]struct {
		body, answer string
		want         pushed
	}{
		"on a side band":    {commands, line("\x02remote: hello") + line("\x01"+status) + "0000", pushed{[]string{"refs/heads/a", "refs/promobot/p/e"}, 1, 1}},
		"plain":             {commands, status, pushed{[]string{"refs/heads/a", "refs/promobot/p/e"}, 1, 1}},
		"no answer":         {commands, "", pushed{refs: []string{"refs/heads/a", "refs/promobot/p/e"}}},
		"an HTML page":      {commands, "<!DOCTYPE html>", pushed{refs: []string{"refs/heads/a", "refs/promobot/p/e"}}},
		"nothing":           {"", "", pushed{}},
		"not a length":      {"zzzzno", "", pushed{}},
		"longer than it is": {"ffff" + zero, "", pushed{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, readPush([]byte(c.body), []byte(c.answer)), cmp.AllowUnexported(pushed{})); diff != "" {
				t.Errorf("push (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWindows(t *testing.T) {
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	read := func(client string, answered int) exchange {
		return exchange{kind: gitRefs, client: client, answered: at(answered)}
	}
	negotiation := func(client string, answered int) exchange {
		return exchange{kind: gitNegotiate, client: client, answered: at(answered)}
	}
	push := func(client string, acted, moved int, refs ...string) exchange {
		return exchange{kind: gitPush, client: client, acted: at(acted), push: pushed{refs: refs, moved: moved}}
	}
	for name, c := range map[string]struct {
		exchanges     []exchange
		all, branches []float64
	}{
		"one push":                  {[]exchange{read("a", 100), push("a", 150, 1, "refs/heads/main")}, []float64{50}, []float64{50}},
		"negotiation is no look":    {[]exchange{read("a", 100), negotiation("a", 140), push("a", 150, 1, "refs/heads/main")}, []float64{50}, []float64{50}},
		"the newest look counts":    {[]exchange{read("a", 10), read("a", 100), push("a", 150, 1, "refs/heads/main")}, []float64{50}, []float64{50}},
		"clients are told apart":    {[]exchange{read("a", 100), read("b", 140), push("a", 150, 1, "refs/heads/main")}, []float64{50}, []float64{50}},
		"ledger first, then branch": {[]exchange{read("a", 100), push("a", 150, 1, "refs/promobot/p/e"), push("a", 180, 1, "refs/heads/x")}, []float64{50, 80}, []float64{80}},
		"what was refused is none":  {[]exchange{read("a", 100), push("a", 150, 0, "refs/heads/main")}, nil, nil},
		"nothing was read":          {[]exchange{push("a", 150, 1, "refs/heads/main")}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			windows := windowsOf(c.exchanges)
			if diff := cmp.Diff(c.all, millisOf(windows, func(window) bool { return true })); diff != "" {
				t.Errorf("windows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.branches, millisOf(windows, toBranches)); diff != "" {
				t.Errorf("windows to branches (-want +got):\n%s", diff)
			}
			if len(windows) > 0 && !windows[0].first || len(windows) > 1 && windows[1].first {
				t.Errorf("the first push is not told from the rest: %+v", windows)
			}
		})
	}
}

func TestHistogram(t *testing.T) {
	metrics := map[string]float64{
		`w_seconds_bucket{delivery="push",le="0.1"}`:           50,
		`w_seconds_bucket{delivery="push",le="0.5"}`:           98,
		`w_seconds_bucket{delivery="push",le="+Inf"}`:          100,
		`w_seconds_bucket{delivery="pull_request",le="0.1"}`:   0,
		`w_seconds_bucket{delivery="pull_request",le="0.5"}`:   0,
		`w_seconds_bucket{delivery="pull_request",le="+Inf"}`:  0,
		`w_seconds_count{delivery="push"}`:                     100,
		`another_seconds_bucket{le="0.1"}`:                     7,
		`w_seconds_more_bucket{le="0.1"}`:                      7,
		`promobot_queue_keys{state="due",note="w_seconds{le="`: 1,
	}
	h := readHistogram(metrics, "w_seconds")
	for percent, want := range map[float64]float64{1: 0.1, 50: 0.1, 51: 0.5, 98: 0.5, 99: math.Inf(1)} {
		if got := h.atMost(percent); got != want {
			t.Errorf("p%g is at most %v, want %v", percent, got, want)
		}
	}
	if got := h.minus(h).atMost(99); !math.IsNaN(got) {
		t.Errorf("p99 of nothing is %v", got)
	}
	if got := readHistogram(metrics, "absent").atMost(99); !math.IsNaN(got) {
		t.Errorf("p99 of an absent metric is %v", got)
	}
}

func TestKindsOfRequests(t *testing.T) {
	for route, want := range map[string]kind{
		"GET /api/v3/repos/acme/x/pulls":                                                              apiRead,
		"POST /api/v3/repos/acme/x/pulls":                                                             apiCreate,
		"PATCH /api/v3/repos/acme/x/pulls/7":                                                          apiWrite,
		"PUT /api/v3/repos/acme/x/pulls/7/merge":                                                      apiWrite,
		"POST /api/v3/repos/acme/x/issues/7/comments":                                                 apiCreate,
		"POST /api/v3/repos/acme/x/check-runs":                                                        apiCreate,
		"POST /api/v3/repos/acme/x/statuses/" + strings.Repeat("a1", 20):                              apiCreate,
		"POST /api/v3/app/installations/3/access_tokens":                                              apiToken,
		"GET /acme/x/pull/7":                                                                          otherKind,
		"PATCH /api/v3/repos/acme/x/check-runs/4":                                                     apiWrite,
		"GET /api/v3/repos/acme/x/commits/" + strings.Repeat("0", 40) + "/check-runs":                 apiRead,
		"DELETE /api/v3/repos/acme/x/git/refs/heads/" + "promobot%2Fservices%2Fsvc-001%2Fprod%2Fabcd": apiWrite,
	} {
		method, path, _ := strings.Cut(route, " ")
		if got := apiKind(method, path, routeOf(path)); got != want {
			t.Errorf("%s is %q, want %q", route, got, want)
		}
	}
}

func TestTables(t *testing.T) {
	r := report{Jobs: 16}
	r.section(1, "One")
	wall := r.add("storm", "wall", "s", 2).against(7)
	wall.target("≥ 3 times", *wall.Ratio >= 3)
	r.add("storm", "limit", "", 1.25).target("none", false)
	r.section(2, "Two")
	r.last().Wide = true
	r.add("a", "time", "s", 1)
	r.add("a", "blobs", "", 0).target("none", true)
	r.add("b", "time", "s", 1234.5)
	r.note("A note.")
	var out bytes.Buffer
	r.table(&out)
	want := `
### 1. One

| case  | measure | promobot | script | ratio | target    |             |
| ----- | ------- | -------- | ------ | ----- | --------- | ----------- |
| storm | wall    | 2 s      | 7 s    | 3.50× | ≥ 3 times | met         |
| storm | limit   | 1.25     |        |       | none      | **not met** |

### 2. Two

| case | time   | blobs (none) |
| ---- | ------ | ------------ |
| a    | 1 s    | 0 met        |
| b    | 1234 s |              |

A note.
`
	_, got, _ := strings.Cut(out.String(), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if n := r.missed(); n != 1 {
		t.Errorf("%d targets are missed, want 1", n)
	}
}
