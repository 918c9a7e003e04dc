package dryrun_test

// Plans and replays over real git repositories that the tests make.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/dryrun"
	"github.com/promobot/promobot/promotion/gitrepo"
)

const pipelineFile = `version: 1
mode: observe
environments:
  dev:     {verify: none}
  staging: {from: dev, mode: auto, verify: none}
  prod:    {from: staging}
pipelines:
  app:
    path: envs/$env
    promote:
      - files: "*.yml"
`

// history is a repository that grows by one commit an hour.
type history struct {
	t    *testing.T
	dir  string
	file string
	at   time.Time
}

func newHistory(t *testing.T) *history {
	t.Helper()
	h := &history{t: t, dir: t.TempDir(), file: pipelineFile, at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	h.git("init", "-q", "-b", "main")
	return h
}

func (h *history) git(args ...string) string {
	h.t.Helper()
	c := exec.CommandContext(h.t.Context(), "git", append([]string{"-c", "user.name=ana", "-c", "user.email=ana@example.com"}, args...)...)
	c.Dir = h.dir
	stamp := h.at.Format(time.RFC3339)
	c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_COMMITTER_DATE="+stamp, "GIT_AUTHOR_DATE="+stamp)
	out, err := c.CombinedOutput()
	if err != nil {
		h.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files (path, text, path, text …; an empty text deletes) and
// returns the commit.
func (h *history) commit(subject string, files ...string) string {
	h.t.Helper()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(h.dir, files[i])
		if files[i+1] == "" {
			if err := os.Remove(path); err != nil {
				h.t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
	h.at = h.at.Add(time.Hour)
	h.git("add", "-A")
	h.git("commit", "-q", "--allow-empty", "-m", subject)
	return h.git("rev-parse", "HEAD")
}

// adopted is a first commit with all three environments at 1.
func (h *history) adopted() string {
	h.t.Helper()
	return h.commit("begin", "envs/dev/app.yml", "version: 1\n", "envs/staging/app.yml", "version: 1\n", "envs/prod/app.yml", "version: 1\n")
}

func (h *history) open() *gitrepo.Repository {
	h.t.Helper()
	r, err := gitrepo.OpenLocal(h.dir)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *history) options() dryrun.Options {
	h.t.Helper()
	return dryrun.Options{
		Repository: promotion.Repository{ID: 1, Owner: "acme", Name: "gitops", DefaultBranch: "main", Merge: true},
		To:         h.git("rev-parse", "HEAD"), File: []byte(h.file), FileName: "promobot.yml",
	}
}

func (h *history) plan(change func(*dryrun.Options)) (*dryrun.Plan, error) {
	h.t.Helper()
	o := h.options()
	if change != nil {
		change(&o)
	}
	return dryrun.MakePlan(h.t.Context(), h.open(), o, true)
}

func (h *history) replay() *dryrun.Replay {
	h.t.Helper()
	r, err := dryrun.MakeReplay(h.t.Context(), h.open(), h.options(), 90*24*time.Hour, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func standings(p *dryrun.Plan) map[string]string {
	m := map[string]string{}
	for _, e := range p.Environments {
		m[e.Environment] = e.Standing
	}
	return m
}

func TestPlanShowsThePullRequestWhateverTheMode(t *testing.T) {
	h := newHistory(t)
	h.adopted()
	h.commit("two", "envs/dev/app.yml", "version: 2\n")
	p, err := h.plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"dev": "source", "staging": "proposed", "prod": "up to date"}, standings(p)); diff != "" {
		t.Error(diff)
	}
	e := p.Environments[1]
	want := &dryrun.Promotion{
		Title: e.Promotion.Title, Merge: "mode is observe: promobot would say so and open nothing",
		Changes: []dryrun.Change{{File: "envs/staging/app.yml", Now: "version: 1", After: "version: 2"}},
		Then:    []string{"prod"},
		Diff: "diff --git a/envs/staging/app.yml b/envs/staging/app.yml\n--- a/envs/staging/app.yml\n+++ b/envs/staging/app.yml\n" +
			"@@ -1,1 +1,1 @@\n-version: 1\n+version: 2\n",
	}
	if diff := cmp.Diff(want, e.Promotion); diff != "" {
		t.Error(diff)
	}
	if e.Mode != "observe" || !strings.HasPrefix(e.Promotion.Title, "staging: app") {
		t.Errorf("mode %q, title %q", e.Mode, e.Promotion.Title)
	}
}

func TestPlanWritesNothing(t *testing.T) {
	h := newHistory(t)
	h.adopted()
	h.commit("two", "envs/dev/app.yml", "version: 2\n")
	state := func() string {
		return h.git("for-each-ref") + h.git("count-objects", "-v") + h.git("status", "--porcelain")
	}
	before := state()
	if _, err := h.plan(nil); err != nil {
		t.Fatal(err)
	}
	h.replay()
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Error(diff)
	}
}

func TestPlanFromElsewhere(t *testing.T) {
	h := newHistory(t)
	root := h.adopted()
	if _, err := h.plan(nil); !errors.Is(err, dryrun.ErrEmpty) {
		t.Errorf("a first commit: %v", err)
	}
	h.git("checkout", "-q", "-b", "topic")
	h.commit("mine", "envs/dev/app.yml", "version: 2\n")
	h.git("checkout", "-q", "main")
	ahead := h.commit("theirs", "README", "moved on\n")
	h.git("checkout", "-q", "topic")
	p, err := h.plan(func(o *dryrun.Options) { o.From = ahead })
	if err != nil {
		t.Fatal(err)
	}
	if !p.Forked || p.From.ID != root || standings(p)["staging"] != "proposed" {
		t.Errorf("forked %v from %s: %v", p.Forked, p.From.ID, standings(p))
	}
	h.git("checkout", "-q", "--orphan", "other")
	stranger := h.commit("unrelated", "x", "x\n")
	h.git("checkout", "-q", "topic")
	if _, err := h.plan(func(o *dryrun.Options) { o.From = stranger }); !isNoChain(err) {
		t.Errorf("unrelated histories: %v", err)
	}
}

func isNoChain(err error) bool {
	_, ok := errors.AsType[*dryrun.NoChainError](err)
	return ok
}

func TestPlanOfAFileThatDoesNotFit(t *testing.T) {
	h := newHistory(t)
	h.adopted()
	h.commit("two", "envs/dev/app.yml", "version: 2\n")
	h.file = "version: 1\nenvironments: {dev: {form: x}}\npipelines: {}\n"
	_, err := h.plan(nil)
	wrong, ok := errors.AsType[*dryrun.ProblemsError](err)
	if !ok || len(wrong.Problems) == 0 || wrong.Problems[0].File != "promobot.yml" || wrong.Problems[0].Line == 0 {
		t.Errorf("got %v", err)
	}
}

func TestReplayOutcomes(t *testing.T) {
	h := newHistory(t)
	h.adopted()
	h.commit("two", "envs/dev/app.yml", "version: 2\n")            // #1 opens
	h.commit("three", "envs/dev/app.yml", "version: 3\n")          // #1 moves on
	h.commit("to staging", "envs/staging/app.yml", "version: 3\n") // by hand: #1 closes, #2 opens in prod
	h.commit("docs", "README", "words\n")
	h.commit("hotfix", "envs/prod/app.yml", "version: 1\nhotfix: true\n") // past the pipeline
	h.commit("four", "envs/dev/app.yml", "version: 4\n")                  // #3 opens
	h.commit("back", "envs/dev/app.yml", "version: 3\n")                  // nothing left of #3
	r := h.replay()
	type pull struct {
		Environment, Outcome string
		Moved                int
	}
	var pulls []pull
	for _, p := range r.PullRequests {
		pulls = append(pulls, pull{p.Environment, p.Outcome, p.Moved})
	}
	want := []pull{{"staging", dryrun.DoneByHand, 1}, {"prod", dryrun.StillOpen, 0}, {"staging", dryrun.Obsolete, 0}}
	if diff := cmp.Diff(want, pulls); diff != "" {
		t.Error(diff)
	}
	var hand []string
	for _, b := range r.ByHand {
		hand = append(hand, fmt.Sprint(b.Environment, " ", b.Commit.Subject, " ", b.Proposed))
	}
	if diff := cmp.Diff([]string{"staging to staging true", "prod hotfix false"}, hand); diff != "" {
		t.Error(diff)
	}
	totals := []dryrun.EnvironmentTotals{
		{Environment: "dev", Source: true, Landings: 4},
		{Environment: "staging", Landings: 1, Opened: 2, Moved: 1, DoneByHand: 1, Obsolete: 1, MostOpen: 1},
		{Environment: "prod", Landings: 1, Opened: 1, Open: 1, MostOpen: 1, Past: 1},
	}
	// Whether the hotfix and what is proposed over it need a person is not asked here.
	for i := range r.Totals {
		r.Totals[i].Refused = 0
	}
	if diff := cmp.Diff(totals, r.Totals); diff != "" {
		t.Error(diff)
	}
	if r.MostOpen != 2 || r.Commits != 7 || !r.PullRequests[0].Opened.Equal(time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)) {
		t.Errorf("most open %d, %d commits, first opened %v", r.MostOpen, r.Commits, r.PullRequests[0].Opened)
	}
}

func TestReplayIsTheSameTwice(t *testing.T) {
	h := newHistory(t)
	h.adopted()
	for i := range 12 {
		env := []string{"dev", "staging", "prod"}[i*i%3]
		h.commit(fmt.Sprint("change ", i), "envs/"+env+"/app.yml", fmt.Sprintf("version: %d\n", i/2))
	}
	if diff := cmp.Diff(h.replay(), h.replay()); diff != "" {
		t.Error(diff)
	}
}

func TestReplayWaitsForTheHourlyLimit(t *testing.T) {
	h := newHistory(t)
	h.file = strings.Replace(pipelineFile, "environments:", "limits: {per_hour: 1}\nenvironments:", 1) + `  other:
    path: other/$env
    promote:
      - files: "*.yml"
`
	h.adopted()
	h.commit("other", "other/dev/app.yml", "version: 1\n", "other/staging/app.yml", "version: 1\n", "other/prod/app.yml", "version: 1\n")
	h.commit("both", "envs/dev/app.yml", "version: 2\n", "other/dev/app.yml", "version: 2\n")
	opened := h.at
	h.at = h.at.Add(24 * time.Hour)
	h.commit("next day", "README", "words\n")
	r := h.replay()
	if len(r.PullRequests) != 2 || r.Totals[1].HeldBack != 1 {
		t.Fatalf("%d pull requests, totals %+v", len(r.PullRequests), r.Totals)
	}
	first, second := r.PullRequests[0].Opened, r.PullRequests[1].Opened
	if !first.Equal(opened) || !second.Equal(opened.Add(time.Hour)) {
		t.Errorf("opened %v and %v", first, second)
	}
}

func TestReplayBeginsWhereTheTimeBegins(t *testing.T) {
	h := newHistory(t)
	h.adopted()
	h.commit("long ago", "envs/dev/app.yml", "version: 2\n")
	h.at = h.at.Add(100 * 24 * time.Hour)
	h.commit("now", "envs/dev/app.yml", "version: 3\n")
	r := h.replay()
	if r.Commits != 1 || r.From.Subject != "long ago" || len(r.PullRequests) != 1 {
		t.Errorf("%d commits from %q, %d pull requests", r.Commits, r.From.Subject, len(r.PullRequests))
	}
}
