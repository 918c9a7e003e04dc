package main

// The much-cited repository of environments as folders, from installing to the
// last production environment, by each merge method.

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

// gitopsPipeline has people merge what goes to production and, since all
// environments differ from qa already, also the first promotion to the stagings.
const gitopsPipeline = `version: 1
mode: auto
environments:
  qa:           {verify: none}
  staging-us:   {from: qa, mode: auto}
  staging-eu:   {from: qa, mode: auto}
  staging-asia: {from: qa, mode: auto}
  prod-asia:    {from: staging-asia}
  prod-eu:      {from: staging-eu, after: prod-asia}     # order without content
  prod-us:      {from: staging-us, after: prod-asia}
pipelines:
  simple-env-app:
    path: envs/$env
    promote:
      - files: [version.yml, settings.yml]
        keep: "**.env.CACHE_SIZE.value"
shared: [base/**, variants/**]
`

// gitopsAllTheWay lets promobot merge everything.
const gitopsAllTheWay = `version: 1
environments:
  qa:           {verify: none}
  staging-us:   {from: qa, mode: auto, verify: none, allow: drift}
  staging-eu:   {from: qa, mode: auto, verify: none, allow: drift}
  staging-asia: {from: qa, mode: auto, verify: none, allow: drift}
  prod-asia:    {from: staging-asia, mode: auto, allow: drift}
  prod-eu:      {from: staging-eu, after: prod-asia, mode: auto, allow: drift}
  prod-us:      {from: staging-us, after: prod-asia, mode: auto, allow: drift}
pipelines:
  simple-env-app:
    path: envs/$env
    promote:
      - files: [version.yml, settings.yml]
        keep: "**.env.CACHE_SIZE.value"
shared: [base/**, variants/**]
`

const (
	stagingUS   = "simple-env-app/staging-us"
	stagingEU   = "simple-env-app/staging-eu"
	stagingAsia = "simple-env-app/staging-asia"
	prodUS      = "simple-env-app/prod-us"
	prodEU      = "simple-env-app/prod-eu"
	prodAsia    = "simple-env-app/prod-asia"
)

var (
	gitopsStagings = []string{stagingAsia, stagingEU, stagingUS}
	gitopsProds    = []string{prodAsia, prodEU, prodUS}
	gitopsTargets  = slices.Concat(gitopsStagings, gitopsProds)
)

// gitops is the repository with a pipeline file, installed: the program runs
// and has adopted what stands.
func gitops(t *testing.T, pipeline string, settings githubsim.RepoOptions) *scene {
	t.Helper()
	s := newScene(t, sceneOptions{
		from: bundle(t, "gitops-environment-promotion.bundle"), files: map[string]string{".github/promobot.yml": pipeline}, settings: settings,
	})
	return s
}

func (s *scene) installed(environments int) {
	s.t.Helper()
	s.start()
	s.wait("every environment has its baseline", func() bool { return len(s.ledgers()) == environments })
	s.settle()
	if ps := s.pulls(); len(ps) > 0 {
		s.t.Fatalf("installing proposes something: %s", s.describe())
	}
	for ref := range s.refs() {
		if strings.HasPrefix(ref, "refs/heads/promobot/") {
			s.t.Errorf("installing makes the branch %s", ref)
		}
	}
}

// newVersion is qa's version.yml with another image.
func (s *scene) newVersion(version string) map[string]string {
	s.t.Helper()
	const image = "simple-env-app:"
	text := s.read("envs/qa/version.yml")
	at := strings.Index(text, image) + len(image)
	end := at + strings.IndexAny(text[at:]+"\n", " \n")
	return map[string]string{"envs/qa/version.yml": text[:at] + version + text[end:]}
}

// byHand is an environment's folder after a person has copied qa's files by
// hand, and put its own cache size back.
func byHand(folder map[string]file, environment string, qa map[string]string) map[string]file {
	out := maps.Clone(folder)
	for p, text := range qa {
		name := strings.Replace(p, "envs/qa/", "envs/"+environment+"/", 1)
		if strings.HasSuffix(p, "/settings.yml") {
			text = strings.Replace(text, cacheSize(text), cacheSize(folder[name].Text), 1)
		}
		out[name] = file{Mode: folder[name].Mode, Text: text}
	}
	return out
}

// cacheSize is the line with the cache size's value.
func cacheSize(settings string) string {
	_, after, _ := strings.Cut(settings, "name: CACHE_SIZE\n")
	line, _, _ := strings.Cut(after, "\n")
	return line
}

// wantFolders compares every environment's whole folder with the hand-made edit.
func (s *scene) wantFolders(before string, qa map[string]string) {
	s.t.Helper()
	for _, k := range gitopsTargets {
		_, environment, _ := strings.Cut(k, "/")
		dir := "envs/" + environment
		want := byHand(s.folder(before, dir), environment, qa)
		if diff := cmp.Diff(want, s.folder("main", dir)); diff != "" {
			s.t.Errorf("%s is not as if made by hand (-want +got):\n%s", dir, diff)
		}
	}
	for _, dir := range []string{"base", "variants", "envs/load-gpu", "envs/load-non-gpu", "envs/integration-gpu", "envs/integration-non-gpu"} {
		if diff := cmp.Diff(s.folder(before, dir), s.folder("main", dir)); diff != "" {
			s.t.Errorf("%s is none of promobot's business (-want +got):\n%s", dir, diff)
		}
	}
}

// wantPull checks a promotion's pull request: its trailers, and its one check run.
func (s *scene) wantPull(k string, p githubsim.PullState, revision string) {
	s.t.Helper()
	pipeline, environment, _ := strings.Cut(k, "/")
	got := state.ParseTrailers(p.Body)
	for key, want := range map[string]string{
		state.TrailerPipeline: pipeline, state.TrailerEnvironment: environment, state.TrailerRevision: revision,
		state.TrailerAttempt: "1", state.TrailerID: s.ledgers()[k].Promotion.ID,
	} {
		if got[key] != want {
			s.t.Errorf("#%d: trailer %s is %q, want %q; all: %v", p.Number, key, got[key], want, got)
		}
	}
	if got := state.ParseTrailers(string(s.bare("log", "-1", "--format=%B", p.HeadSHA)))[state.TrailerRevision]; got != revision {
		s.t.Errorf("#%d: its commit's trailer says %q, want %q", p.Number, got, revision)
	}
	if c := s.check(p.HeadSHA); c.Status != "completed" || c.Title == "" {
		s.t.Errorf("#%d: its check run is %+v", p.Number, c)
	}
}

func TestGitopsByPeople(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := gitops(t, gitopsPipeline, githubsim.RepoOptions{})
			before := s.refs()["refs/heads/main"]
			s.installed(7)
			qa := s.newVersion("7.0")
			revision := s.push("qa: 7.0", qa)

			s.wait("the three stagings are proposed", func() bool { return len(s.open()) == 3 })
			s.settle()
			if diff := cmp.Diff(gitopsStagings, slices.Sorted(maps.Keys(s.open()))); diff != "" {
				t.Fatalf("proposed (-want +got):\n%s", diff)
			}
			if c := s.check(revision); c.Conclusion != "neutral" {
				t.Errorf("the revision's check run is %+v, want neutral while it is under way", c)
			}
			for k, p := range s.open() {
				s.wantPull(k, p, revision)
				s.merge(p.Number, method)
			}
			// The others come after prod-asia.
			s.wait("prod-asia is proposed", func() bool { return s.open()[prodAsia].Number != 0 })
			s.settle()
			if diff := cmp.Diff([]string{prodAsia}, slices.Sorted(maps.Keys(s.open()))); diff != "" {
				t.Fatalf("proposed (-want +got):\n%s", diff)
			}
			s.wantPull(prodAsia, s.open()[prodAsia], revision)
			s.merge(s.open()[prodAsia].Number, method)
			s.wait("the other prods are proposed", func() bool { return len(s.open()) == 2 })
			s.settle()
			for k, p := range s.open() {
				s.wantPull(k, p, revision)
				s.merge(p.Number, method)
			}
			s.wait("all have landed", func() bool { return s.landed(revision, gitopsTargets...) })
			s.settle()

			s.wantFolders(before, qa)
			s.wantOnce(revision, method, "ana")
		})
	}
}

// wantOnce checks how a revision got to all environments: by one pull request
// each, and its check run says so.
func (s *scene) wantOnce(revision, method, by string) {
	s.t.Helper()
	for k, l := range s.ledgers() {
		if k == "simple-env-app/qa" {
			continue
		}
		ps := s.promotions()[k]
		if len(ps) != 1 || !ps[0].Merged {
			s.t.Errorf("%s: %d pull requests, want one, merged: %+v", k, len(ps), ps)
			continue
		}
		if got, want := fmt.Sprint(l.Landing.Revision, l.Landing.Method, l.Landing.By, l.Landing.Commit, l.Landing.Mixed(), l.Hold),
			fmt.Sprint(revision, method, by, ps[0].MergeCommit, false, (*state.Hold)(nil)); got != want {
			s.t.Errorf("%s landed as %s, want %s", k, got, want)
		}
		if _, still := s.refs()["refs/heads/"+ps[0].Head]; still {
			s.t.Errorf("%s: the branch %s is left behind", k, ps[0].Head)
		}
	}
	c := s.check(revision)
	if c.Status != "completed" || c.Conclusion != "success" {
		s.t.Errorf("the revision's check run is %+v, want success at the end of the way", c)
	}
	for _, k := range gitopsTargets {
		_, environment, _ := strings.Cut(k, "/")
		if !strings.Contains(c.Title, environment+" ✓") {
			s.t.Errorf("the check run's title %q does not show %s", c.Title, environment)
		}
	}
}

func TestGitopsByItself(t *testing.T) {
	for _, c := range []struct {
		method   string
		settings githubsim.RepoOptions
	}{
		{"merge", githubsim.RepoOptions{AllowMerge: true, AllowSquash: true, AllowRebase: true}},
		{"squash", githubsim.RepoOptions{AllowSquash: true, DeleteBranchOnMerge: true}},
		{"rebase", githubsim.RepoOptions{AllowRebase: true}},
	} {
		t.Run(c.method, func(t *testing.T) {
			t.Parallel()
			s := gitops(t, gitopsAllTheWay, c.settings)
			before := s.refs()["refs/heads/main"]
			s.installed(7)
			qa := s.newVersion("7.0")
			revision := s.push("qa: 7.0", qa)
			s.wait("all have landed", func() bool { return s.landed(revision, gitopsTargets...) })
			s.settle()
			s.wantFolders(before, qa)
			s.wantOnce(revision, c.method, sceneBot)
			s.wantOrder()
			for k, l := range s.ledgers() {
				if l.Landing == nil {
					continue
				}
				// A rebase keeps the promotion's own commit message.
				got := state.ParseTrailers(string(s.bare("log", "-1", "--format=%B", l.Landing.Commit)))
				if got[state.TrailerID] != l.Landing.ID || got[state.TrailerRevision] != revision {
					t.Errorf("%s: the merge's trailers are %v", k, got)
				}
			}
		})
	}
}

// wantOrder checks that no prod landed before what comes before it.
func (s *scene) wantOrder() {
	s.t.Helper()
	at := map[string]int{}
	for i, commit := range strings.Fields(string(s.bare("rev-list", "--first-parent", "--reverse", "main"))) {
		for k, l := range s.ledgers() {
			if l.Landing != nil && l.Landing.Commit == commit {
				at[k] = i
			}
		}
	}
	for _, pair := range [][2]string{{stagingAsia, prodAsia}, {stagingEU, prodEU}, {stagingUS, prodUS}, {prodAsia, prodEU}, {prodAsia, prodUS}} {
		if at[pair[0]] >= at[pair[1]] {
			s.t.Errorf("%s landed as commit %d, %s as commit %d", pair[0], at[pair[0]], pair[1], at[pair[1]])
		}
	}
}

func TestGitopsSettingsAlone(t *testing.T) {
	t.Parallel()
	s := gitops(t, gitopsAllTheWay, githubsim.RepoOptions{})
	before := s.refs()["refs/heads/main"]
	s.installed(7)
	text := s.read("envs/qa/settings.yml")
	changed := strings.NewReplacer(`value: "25"`, `value: "30"`, `value: "2048kb"`, `value: "4096kb"`).Replace(text)
	qa := map[string]string{"envs/qa/settings.yml": changed}
	revision := s.push("qa: longer pages, a larger cache", qa)
	s.wait("all have landed", func() bool { return s.landed(revision, gitopsTargets...) })
	s.settle()
	s.wantFolders(before, qa)
	for _, k := range gitopsTargets {
		_, environment, _ := strings.Cut(k, "/")
		for _, name := range []string{"version.yml", "replicas.yml"} {
			p := "envs/" + environment + "/" + name
			if was := string(s.bare("cat-file", "blob", before+":"+p)); was != s.read(p) {
				t.Errorf("%s has changed:\n%s", p, s.read(p))
			}
		}
		if got := cacheSize(s.read("envs/" + environment + "/settings.yml")); !strings.Contains(got, "1024kb") {
			t.Errorf("%s: CACHE_SIZE is %q, want its own", environment, got)
		}
	}
}
