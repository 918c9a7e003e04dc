package main

// Who merges, and what has to hold before: promobot itself, by the rules of the
// branch as they are read; GitHub's auto-merge; GitHub's merge queue. An App
// that may bypass the rules would be refused nothing, so each story about a
// rule is told twice.

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

// ci is an App that reports checks.
func (s *scene) ci() int64 {
	s.t.Helper()
	app, err := s.sim.CreateApp(githubsim.AppOptions{Owner: sceneOwner, Name: "ci", Permissions: map[string]string{"checks": "write"}})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.sim.Install(app.ID, sceneOwner); err != nil {
		s.t.Fatal(err)
	}
	return app.ID
}

// report is a check of ci's on a commit; "" says that it has begun.
func (s *scene) report(ci int64, commit, conclusion string) {
	s.t.Helper()
	if _, err := s.sim.PostCheck(s.full(), commit, githubsim.CheckPost{App: ci, Name: "build", Conclusion: conclusion}); err != nil {
		s.t.Fatal(err)
	}
}

// autoMerge says whether GitHub merges a pull request by itself.
func (s *scene) autoMerge(number int) bool {
	s.t.Helper()
	p, _, err := s.ana.PullRequests.Get(s.t.Context(), sceneOwner, s.name, number)
	if err != nil {
		s.t.Fatal(err)
	}
	return p.AutoMerge != nil
}

// bot is the check run of promobot's on a commit, among others'.
func (s *scene) bot(commit string) githubsim.CheckState {
	s.t.Helper()
	for _, c := range s.checks(commit) {
		if c.App == "promobot" {
			return c
		}
	}
	return githubsim.CheckState{}
}

// rule adds a rule to main that binds all but ana's pushes.
func (s *scene) rule(rs githubsim.Ruleset) {
	s.t.Helper()
	rs.Name, rs.Branches, rs.BypassUsers = "main", []string{"main"}, append(rs.BypassUsers, "ana")
	if err := s.sim.AddRuleset(s.full(), rs); err != nil {
		s.t.Fatal(err)
	}
}

// ruled is the shop with rules, installed and at rest.
func ruled(t *testing.T, pipeline string, rs githubsim.Ruleset) (*scene, int64) {
	t.Helper()
	s := newScene(t, sceneOptions{files: shopFiles(pipeline, "dev", "prod")})
	ci := s.ci()
	s.rule(rs)
	if err := s.sim.AllowAutoMerge(s.full(), true); err != nil {
		t.Fatal(err)
	}
	s.installed(2)
	return s, ci
}

// waiting waits for an open pull request whose check run says something.
func (s *scene) waiting(says string) githubsim.PullState {
	s.t.Helper()
	s.wait("its check run says: "+says, func() bool {
		p, there := s.open()[shopProd]
		if !there {
			return false
		}
		c := s.bot(p.HeadSHA)
		return strings.Contains(c.Title+"\n"+c.Summary, says)
	})
	s.settle()
	return s.open()[shopProd]
}

// wantLanded waits for a landing, and checks it.
func (s *scene) wantLanded(revision, tag, method, by string) {
	s.t.Helper()
	s.wait("it has landed", func() bool { return s.landed(revision, shopProd) })
	s.settle()
	if d := cmp.Diff(shopValues(tag), s.read("envs/prod/values.yaml")); d != "" {
		s.t.Errorf("prod (-want +got):\n%s", d)
	}
	l := s.ledgers()[shopProd].Landing
	p := s.pull(l.PullRequest)
	if got, want := fmt.Sprint(l.Method, l.By, l.Commit, l.Mixed(), s.ledgers()[shopProd].Hold), fmt.Sprint(method, by, p.MergeCommit, false, (*state.Hold)(nil)); got != want {
		s.t.Errorf("landed %s, want %s", got, want)
	}
	if c := s.bot(revision); c.Conclusion != "success" {
		s.t.Errorf("the revision's check run is %+v", c)
	}
	if _, still := s.refs()["refs/heads/"+p.Head]; still {
		s.t.Errorf("the branch %s is left behind", p.Head)
	}
	s.wantQuiet()
}

// withKeys are more keys of the shop's prod.
func withKeys(keys string) string {
	return strings.Replace(shopAuto, "mode: auto}", "mode: auto, "+keys+"}", 1)
}

// TestMergeMethods: the file's method, and what is in history afterwards.
func TestMergeMethods(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := shop(t, withKeys("method: "+method))
			revision := s.release("2.0.0")
			s.wantLanded(revision, "2.0.0", method, sceneBot)
			tip := s.refs()["refs/heads/main"]
			parents := strings.Fields(string(s.bare("log", "-1", "--format=%P", tip)))
			if want := map[string]int{"merge": 2, "squash": 1, "rebase": 1}[method]; len(parents) != want || parents[0] != revision {
				t.Errorf("main's tip has the parents %v, want %d, the first %s", parents, want, revision)
			}
			if ts := state.ParseTrailers(string(s.bare("log", "-1", "--format=%B", tip))); ts[state.TrailerID] != s.ledgers()[shopProd].Landing.ID {
				t.Errorf("its trailers are %v", ts)
			}
		})
	}
	t.Run("one that is not allowed", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, sceneOptions{files: shopFiles(withKeys("method: squash"), "dev", "prod"), settings: githubsim.RepoOptions{AllowMerge: true}})
		s.installed(2)
		s.release("2.0.0")
		s.waiting("method: squash is not allowed by the repository or the rules of main")
		s.wantQuiet()
	})
}

// step is what a check run says, and what is done about it.
type step struct {
	says string
	meet func(s *scene, ci int64, p githubsim.PullState)
}

// TestMergeRules: what a rule asks for is waited for, and named.
func TestMergeRules(t *testing.T) {
	for name, c := range map[string]struct {
		pipeline string
		rule     githubsim.Ruleset
		steps    []step
		method   string
	}{
		"a required check": {
			pipeline: shopAuto, rule: githubsim.Ruleset{RequiredChecks: []string{"build"}}, method: "merge",
			steps: []step{
				{"the required check build has not reported yet", func(s *scene, ci int64, p githubsim.PullState) { s.report(ci, p.HeadSHA, "") }},
				{"the required check build has not finished", func(s *scene, ci int64, p githubsim.PullState) { s.report(ci, p.HeadSHA, "failure") }},
				{"the required check build ended with failure", func(s *scene, ci int64, p githubsim.PullState) { s.report(ci, p.HeadSHA, "success") }},
			},
		},
		"a review": {
			pipeline: shopAuto, rule: githubsim.Ruleset{Approvals: 1}, method: "merge",
			steps: []step{
				{"a review has to approve it", func(s *scene, _ int64, p githubsim.PullState) { s.approve(p.Number) }},
			},
		},
		"no merge commits": {pipeline: shopAuto, rule: githubsim.Ruleset{LinearHistory: true}, method: "squash"},
		"rebase only":      {pipeline: shopAuto, rule: githubsim.Ruleset{Methods: []string{"rebase"}}, method: "rebase"},
		"signed commits":   {pipeline: strings.Replace(shopAuto, "version: 1\n", "version: 1\ncommits: verified\n", 1), rule: githubsim.Ruleset{Signatures: true}, method: "merge"},
	} {
		for _, bypass := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, bypass %v", name, bypass), func(t *testing.T) {
				t.Parallel()
				s, ci := ruled(t, c.pipeline, c.rule)
				if bypass {
					s.sim.SetHabits(func(h *githubsim.Habits) { h.BypassApps = []int64{s.app.ID} })
				}
				revision := s.release("2.0.0")
				for _, step := range c.steps {
					p := s.waiting(step.says)
					s.wantQuiet()
					if asked := s.merges(); asked > 0 {
						t.Fatalf("%d merges were asked for although %s", asked, step.says)
					}
					step.meet(s, ci, p)
				}
				s.wantLanded(revision, "2.0.0", c.method, sceneBot)
			})
		}
	}
}

// approve is bo's review.
func (s *scene) approve(number int) {
	s.t.Helper()
	if err := s.sim.SetRole(s.full(), "bo", "write"); err != nil {
		s.t.Fatal(err)
	}
	if _, _, err := s.sim.UserClient("bo").PullRequests.CreateReview(s.t.Context(), sceneOwner, s.name, number,
		&github.PullRequestReviewRequest{Event: new("APPROVE")}); err != nil {
		s.t.Fatal(err)
	}
}

// merges are how often the program has asked GitHub to merge.
func (s *scene) merges() int {
	n := 0
	for _, r := range s.written() {
		if r.Method == http.MethodPut && strings.HasSuffix(r.Path, "/merge") {
			n++
		}
	}
	return n
}

// TestMergeUnsignedWhereSigned: a rule asks for signed commits, the pipeline file
// does not say commits: verified. It is told, and what was made unsigned never
// lands, not even by an App that may bypass the rule.
func TestMergeUnsignedWhereSigned(t *testing.T) {
	for _, bypass := range []bool{false, true} {
		t.Run(fmt.Sprintf("bypass %v", bypass), func(t *testing.T) {
			t.Parallel()
			s, _ := ruled(t, shopAuto, githubsim.Ruleset{Signatures: true})
			if bypass {
				s.sim.SetHabits(func(h *githubsim.Habits) { h.BypassApps = []int64{s.app.ID} })
			}
			revision := s.release("2.0.0")
			p := s.waiting("say commits: verified in the pipeline file")
			s.wantQuiet()
			if n := s.merges(); n > 0 {
				t.Fatalf("%d merges were asked for", n)
			}
			// She does as she was told.
			s.push("commits: verified", map[string]string{".github/promobot.yml": strings.Replace(shopAuto, "version: 1\n", "version: 1\ncommits: verified\n", 1)})
			s.wantLanded(revision, "2.0.0", "merge", sceneBot)
			head := s.pull(p.Number).HeadSHA
			s.wantSigned(head)
		})
	}
}

// TestMergeMeetsAMovedBase: GitHub says that the base or the head was modified;
// promobot looks again, and merges then.
func TestMergeMeetsAMovedBase(t *testing.T) {
	for name, refuse := range map[string]func(s *scene) error{
		"405 Base branch was modified": func(s *scene) error { return s.sim.ForceBaseModified(s.full(), 1) },
		"409": func(s *scene) error {
			s.sim.Inject(githubsim.Fault{Method: http.MethodPut, Path: "/repos/*/*/pulls/*/merge", Times: 1, Effect: githubsim.Failed(http.StatusConflict)})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := shop(t, shopAuto)
			if err := refuse(s); err != nil {
				t.Fatal(err)
			}
			s.sim.ResetJournal()
			revision := s.release("2.0.0")
			s.wait("it has landed", func() bool { return s.landed(revision, shopProd) })
			if n := s.merges(); n != 2 {
				t.Errorf("%d merges were asked for, want one more after a new look", n)
			}
			s.wantLanded(revision, "2.0.0", "merge", sceneBot)
		})
	}
}

// TestMergeByGitHub: auto-merge is switched on, and GitHub merges when the
// required check turns green.
func TestMergeByGitHub(t *testing.T) {
	t.Parallel()
	s, ci := ruled(t, withKeys("merge: github"), githubsim.Ruleset{RequiredChecks: []string{"build"}})
	revision := s.release("2.0.0")
	p := s.waiting("GitHub merges it by itself as soon as the rules of main are met")
	if !s.autoMerge(p.Number) || s.merges() > 0 {
		t.Errorf("auto-merge is on: %v; merges asked for: %d", s.autoMerge(p.Number), s.merges())
	}
	s.wantQuiet()
	s.report(ci, p.HeadSHA, "success")
	s.wantLanded(revision, "2.0.0", "merge", sceneBot)
	if n := s.merges(); n > 0 {
		t.Errorf("promobot asked for %d merges itself", n)
	}
	if d := cmp.Diff([]string{"baseline", "claim", "opened", "landed"}, s.story(shopProd)); d != "" {
		t.Errorf("the ledger (-want +got):\n%s", d)
	}
}

// TestMergeByGitHubTakenBack: someone pushes to the head. What promobot left to
// GitHub is taken back, and a green check merges nothing.
func TestMergeByGitHubTakenBack(t *testing.T) {
	t.Parallel()
	s, ci := ruled(t, withKeys("merge: github"), githubsim.Ruleset{RequiredChecks: []string{"build"}})
	s.release("2.0.0")
	p := s.waiting("GitHub merges it by itself as soon as the rules of main are met")
	head := s.change(p.Head, "nine of them", func(dir string) error {
		return writeFiles(dir, map[string]string{"envs/prod/values.yaml": strings.Replace(shopValues("2.0.0"), "replicas: 2", "replicas: 9", 1)})
	})
	s.wait("auto-merge is off", func() bool { return !s.autoMerge(p.Number) })
	s.waiting("pushed")
	s.report(ci, head, "success")
	s.settle()
	if q := s.pull(p.Number); !q.Open || q.Merged || q.HeadSHA != head {
		t.Errorf("#%d is %+v, want it left to her", p.Number, q)
	}
	if d := cmp.Diff(shopValues("1.0.0"), s.read("envs/prod/values.yaml")); d != "" {
		t.Errorf("prod (-want +got):\n%s", d)
	}
	s.wantQuiet()
}

const twoQueued = `version: 1
limits: {per_hour: 1000}
environments:
  dev:     {verify: none}
  prod-eu: {from: dev, mode: auto, merge: queue}
  prod-us: {from: dev, mode: auto, merge: queue}
pipelines:
  shop:
    path: envs/$env
    promote: {values: image.tag, in: values.yaml}
`

// TestMergeByQueue: two pull requests are put into the queue, which builds one on
// the other, has both checked, and lands them in one push.
func TestMergeByQueue(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sceneOptions{files: shopFiles(twoQueued, "dev", "prod-eu", "prod-us")})
			ci := s.ci()
			s.rule(githubsim.Ruleset{RequiredChecks: []string{"build"}, Queue: &githubsim.MergeQueue{Method: method}})
			s.installed(3)
			revision := s.release("2.0.0")
			s.wait("both wait for the check", func() bool {
				open := s.open()
				for _, p := range open {
					if !strings.Contains(s.bot(p.HeadSHA).Title, "the required check build has not reported yet") {
						return false
					}
				}
				return len(open) == 2
			})
			s.settle()
			if groups := s.groups(); len(groups) > 0 {
				t.Errorf("the queue has %v before the check on the heads", groups)
			}
			open := s.open()
			for _, p := range open {
				s.report(ci, p.HeadSHA, "success")
			}
			s.wait("both stand in the queue", func() bool { return len(s.groups()) == 2 })
			for _, p := range open {
				s.wait("its check run says so", func() bool {
					return strings.Contains(s.bot(p.HeadSHA).Summary, "it stands in the merge queue of main")
				})
			}
			s.wantQuiet()
			for _, head := range s.groups() {
				s.report(ci, head, "success")
			}
			s.wait("both have landed", func() bool { return s.landed(revision, "shop/prod-eu", "shop/prod-us") })
			s.settle()
			for k, p := range open {
				_, environment, _ := strings.Cut(k, "/")
				if d := cmp.Diff(shopValues("2.0.0"), s.read("envs/"+environment+"/values.yaml")); d != "" {
					t.Errorf("%s (-want +got):\n%s", environment, d)
				}
				l, q := s.ledgers()[k].Landing, s.pull(p.Number)
				if l.Commit != q.MergeCommit || l.Mixed() || l.PullRequest != p.Number || s.ledgers()[k].Hold != nil || !q.Merged {
					t.Errorf("%s landed %+v, #%d is %+v", k, l, p.Number, q)
				}
				if got := string(s.bare("diff", "--name-only", l.Before, l.Commit)); got != "envs/"+environment+"/values.yaml\n" {
					t.Errorf("%s: from %.10s to %.10s %q changes", k, l.Before, l.Commit, got)
				}
				if d := cmp.Diff([]string{"baseline", "claim", "opened", "landed"}, s.story(k)); d != "" {
					t.Errorf("%s: the ledger (-want +got):\n%s", k, d)
				}
			}
			if n := s.merges(); n > 0 {
				t.Errorf("promobot asked for %d merges itself", n)
			}
			if c := s.bot(revision); c.Conclusion != "success" {
				t.Errorf("the revision's check run is %+v", c)
			}
			s.wantQuiet()
		})
	}
}

// groups are the heads of the merge queue's groups.
func (s *scene) groups() map[string]string {
	groups := map[string]string{}
	for ref, head := range s.refs() {
		if strings.HasPrefix(ref, "refs/heads/gh-readonly-queue/main/") {
			groups[ref] = head
		}
	}
	return groups
}
