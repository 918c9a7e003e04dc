package main

// The benches with small numbers, so that they keep working; and that what they
// say of promobot cannot be said of something worse.

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs the program")
	}
	file, doc := filepath.Join(t.TempDir(), "report.json"), filepath.Join(t.TempDir(), "doc.md")
	if err := os.WriteFile(doc, []byte("head\n"+docsMark+"\nold\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--quick", "--api", "2ms", "--git", "2ms", "--json", file, "--docs", doc}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Benches) != len(benches) {
		t.Fatalf("%d benches in the report, want %d", len(r.Benches), len(benches))
	}
	type place struct {
		bench int
		what  string
	}
	ours, theirs := map[place]float64{}, map[place]float64{}
	for _, s := range r.Benches {
		for _, f := range s.Rows {
			if f.Ours != nil {
				ours[place{s.Number, f.Measure}] = *f.Ours
			}
			if f.Script != nil {
				theirs[place{s.Number, f.Measure}] = *f.Script
			}
		}
	}
	for name, c := range map[string]struct {
		of     map[place]float64
		at     place
		atMost float64
	}{
		"requests are counted":             {ours, place{1, "creating writes"}, 10},
		"pushes of the storm":              {ours, place{2, "pushes until then"}, 10},
		"pushes of the scripts":            {theirs, place{2, "pushes until then"}, 5},
		"memory is seen":                   {ours, place{2, "peak memory, git included"}, 4096},
		"the scripts' memory is seen":      {theirs, place{2, "peak memory, git included"}, 4096},
		"the scripts push directly":        {theirs, place{3, "pushes tried, a promotion"}, 50},
		"windows of promobot":              {ours, place{4, "from reading the base to the branch's move p99"}, 60_000},
		"windows of the scripts":           {theirs, place{4, "from reading the base to the branch's move p99"}, 60_000},
		"git's own push":                   {theirs, place{4, "git's own push p99"}, 60_000},
		"what a promotion fetches":         {ours, place{5, "fetched"}, 1024},
		"trees are seen in packs":          {ours, place{5, "trees"}, 100},
		"pull requests against the limit":  {ours, place{6, "creations: pull requests"}, 4},
		"the first page's weight":          {ours, place{7, "weight"}, 200},
		"the first page's time":            {ours, place{7, "time"}, 60_000},
		"processor time of git and itself": {ours, place{5, "processor"}, 60},
	} {
		t.Run(name, func(t *testing.T) {
			if v := c.of[c.at]; v <= 0 || v > c.atMost {
				t.Errorf("%q of bench %d is %v, want more than 0 and at most %v", c.at.what, c.at.bench, v, c.atMost)
			}
		})
	}
	if hit := ours[place{6, "secondary limits hit"}]; hit != 0 {
		t.Errorf("the limit was hit %v times", hit)
	}
	if asked, counted := ours[place{7, "requests to GitHub"}]; !counted || asked != 0 {
		t.Errorf("GitHub is asked %v times while the page is drawn", asked)
	}
	if wrong := theirs[place{3, "wrong commits"}]; wrong != 0 {
		t.Errorf("the scripts spoilt %v commits:\n%s", wrong, stdout.String())
	}
	if table, err := os.ReadFile(doc); err != nil || string(table) != "head\n"+docsMark+"\n\n"+stdout.String() {
		t.Errorf("the document is not head, mark and table (%v):\n%s", err, table)
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	for name, args := range map[string][]string{
		"no such bench":        {"--only", "8"},
		"a bench that is none": {"--only", "two"},
		"an argument":          {"storm"},
		"a trace to nowhere":   {"--trace"},
		"no jobs":              {"--jobs", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), args, &stdout, &stderr); code != 2 || stderr.Len() == 0 {
				t.Errorf("exit %d, want 2; said %q", code, stderr.String())
			}
		})
	}
}

// testWorld is a world without replicas.
func testWorld(t *testing.T, n int) *world {
	t.Helper()
	b := &bench{options: options{dir: t.TempDir(), quick: true, progress: t.Output()}}
	b.report.section(1, "test")
	w, err := b.newWorld(t.Context(), "test", services(n, "", "dev", "prod"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func TestSpoiltHistories(t *testing.T) {
	both := map[string]string{overlayPath(0, "prod"): overlay(0, "prod", "1.1.0"), overlayPath(1, "prod"): overlay(1, "prod", "1.1.0")}
	first, second := map[string]string{}, map[string]string{}
	maps.Copy(first, both)
	delete(first, overlayPath(1, "prod"))
	maps.Copy(second, both)
	delete(second, overlayPath(0, "prod"))
	back := map[string]string{overlayPath(0, "prod"): overlay(0, "prod", firstTag)}
	for name, c := range map[string]struct {
		pushes []map[string]string
		people int
		wrong  string // "" for nothing
	}{
		"one commit each":            {[]map[string]string{first, second}, 0, ""},
		"people between them":        {[]map[string]string{release(0, 1, "1.1.0"), first, release(1, 2, "1.1.0"), second}, 2, ""},
		"both in one commit":         {[]map[string]string{both}, 0, "changes 2 files"},
		"one is missing":             {[]map[string]string{first}, 0, "svc-001/overlays/prod/kustomization.yaml was changed 0 times"},
		"one was taken back":         {[]map[string]string{first, second, back}, 0, "svc-000/overlays/prod/kustomization.yaml was changed 2 times"},
		"something else is pushed":   {[]map[string]string{first, second, {"other": "x"}}, 0, "3 files are changed"},
		"a person's commit is gone":  {[]map[string]string{release(0, 1, "1.1.0"), first, second}, 2, "1 of people's commits are missing"},
		"dev is changed by a script": {[]map[string]string{release(0, 1, "1.1.0"), first, second}, 0, "-1 of people's commits are missing"},
	} {
		t.Run(name, func(t *testing.T) {
			w := testWorld(t, 2)
			refs, err := w.sim.Refs(full(ours))
			if err != nil {
				t.Fatal(err)
			}
			for _, files := range c.pushes {
				if _, err := w.push(t.Context(), "push", files); err != nil {
					t.Fatal(err)
				}
			}
			wrong, err := w.spoilt(t.Context(), ours, refs["refs/heads/main"], 2, c.people)
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(wrong, "\n"); c.wrong == "" && all != "" || !strings.Contains(all, c.wrong) {
				t.Errorf("wrong: %q, want %q", all, c.wrong)
			}
		})
	}
}

func TestScriptsPromoteWhatTheyShould(t *testing.T) {
	w := testWorld(t, 3)
	w.traffic.countPacks(w.types(t.Context()))
	s, err := w.scripting(ours, func(job int) (string, string, string) {
		return overlayPath(job, "prod"), "newTag: " + firstTag, "newTag: 1.1.0"
	})
	if err != nil {
		t.Fatal(err)
	}
	refs, err := w.sim.Refs(full(ours))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.all(t.Context(), 3, 3, s.deliver); err != nil {
		t.Fatal(err)
	}
	if wrong, err := w.spoilt(t.Context(), ours, refs["refs/heads/main"], 3, 0); err != nil || len(wrong) > 0 {
		t.Errorf("%v %v", wrong, err)
	}
	got, err := fetched(w.traffic.since(0))
	if err != nil {
		t.Fatal(err)
	}
	// Three shallow clones bring every file that differs each: two bases' and two overlays' per service, one text being the same in all.
	if want := 3 * (1 + 3*3); got.blobs < want {
		t.Errorf("the clones brought %d blobs, want at least %d", got.blobs, want)
	}
	if s.processor <= 0 {
		t.Error("git took no time")
	}
}

func TestUntilEndsWithTheContext(t *testing.T) {
	w := testWorld(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.until(ctx, "never", func(context.Context) (bool, error) { return false, nil }); err == nil {
		t.Error("waiting ended well")
	}
}

func TestOtherWork(t *testing.T) {
	before := used()
	pid := startShell(t, "echo started; while :; do :; done")
	for deadline := time.Now().Add(20 * time.Second); processor(pid) < 300*time.Millisecond; {
		if time.Now().After(deadline) {
			t.Fatal("a busy shell uses no processor")
		}
	}
	// The shell has not ended, so it counts as another's work.
	if share := before.others(); share <= 0 || share > 100 {
		t.Errorf("others had %v %% of the machine", share)
	}
}

func TestMemoryOfATree(t *testing.T) {
	script := "sleep 60 & echo started; wait"
	pid := startShell(t, script)
	var pids []int
	for deadline := time.Now().Add(10 * time.Second); len(pids) < 2 && time.Now().Before(deadline); {
		pids = tree(pid)
	}
	if len(pids) != 2 {
		t.Fatalf("the tree has %d processes, want a shell and its child", len(pids))
	}
	for _, p := range pids {
		if resident(p) <= 0 {
			t.Errorf("process %d has no memory", p)
		}
	}
	m := watch(t.Context(), func() []int { return []int{pid} })
	peak, most := m.end()
	if peak < resident(pid) || most != 2 {
		t.Errorf("watched %d processes with %d bytes", most, peak)
	}
}
