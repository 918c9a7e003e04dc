package main

// What lands and fails is taken back, on the much-cited repository of
// environments as folders, with nobody's help; and what people do meanwhile.

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// gitopsVerified has staging-us verified by a status, and taken back when it fails.
func gitopsVerified(policy string) string {
	return `version: 1
environments:
  qa:           {verify: none}
  staging-us:   {from: qa, mode: auto, allow: drift, verify: {checks: argocd/staging-us, red_for: 1s, timeout: 1h}, on_failure: ` + policy + `}
  staging-eu:   {from: qa, mode: auto, allow: drift, verify: none}
  staging-asia: {from: qa, mode: auto, allow: drift, verify: none}
  prod-asia:    {from: staging-asia}
  prod-eu:      {from: staging-eu}
  prod-us:      {from: staging-us}
pipelines:
  simple-env-app:
    path: envs/$env
    promote:
      - files: [version.yml, settings.yml]
        keep: "**.env.CACHE_SIZE.value"
shared: [base/**, variants/**]
`
}

// says is a commit status of argocd's.
func (s *scene) says(commit, name, state, text string) {
	s.t.Helper()
	_, _, err := s.ana.Repositories.CreateStatus(s.t.Context(), sceneOwner, s.name, commit, &github.RepoStatus{
		State: &state, Context: &name, Description: &text, TargetURL: new("https://argocd.example.com/" + name),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// landing waits until a revision stands in an environment, and returns its landing.
func (s *scene) landing(key, revision string) state.Landing {
	s.t.Helper()
	s.wait(revision+" lands in "+key, func() bool {
		l := s.ledgers()[key].Landing
		return l != nil && l.Revision == revision && l.Reverts == ""
	})
	return *s.ledgers()[key].Landing
}

// TestFailedVerificationIsTakenBack: a red status on what landed in staging-us
// leads to a merged revert pull request, the open promotions of that revision to
// production are closed with the reason, and the environment is held. The next
// good revision goes through after a person has resumed.
func TestFailedVerificationIsTakenBack(t *testing.T) {
	t.Parallel()
	s := gitops(t, gitopsVerified("rollback"), githubsim.RepoOptions{})
	s.installed(7)
	before := s.folder("main", "envs/staging-us")
	bad := s.push("qa: a bad version", s.newVersion("9.0.0"))
	landed := s.landing(stagingUS, bad)
	s.wait("production is proposed from the others", func() bool {
		open := s.open()
		_, eu := open[prodEU]
		_, asia := open[prodAsia]
		return eu && asia
	})
	proposed := s.open()
	if _, us := proposed[prodUS]; us {
		t.Fatal("what is not verified is proposed to prod-us")
	}
	s.says(landed.Commit, "argocd/staging-us", "failure", "degraded: 0 of 3 replicas are ready")
	s.wait("staging-us is rolled back", func() bool {
		l := s.ledgers()[stagingUS].Landing
		return l != nil && l.Reverts == landed.ID
	})
	s.settle()

	st := s.ledgers()[stagingUS]
	revert := s.pull(st.Landing.PullRequest)
	if !revert.Merged || revert.MergedBy != sceneBot {
		t.Errorf("the revert pull request: merged %v by %q", revert.Merged, revert.MergedBy)
	}
	if diff := cmp.Diff(before, s.folder(st.Landing.Commit, "envs/staging-us")); diff != "" {
		t.Errorf("staging-us is not as it was before (-before +after):\n%s", diff)
	}
	for _, says := range []string{"argocd/staging-us", "0 of 3 replicas", "/promobot resume staging-us"} {
		if !strings.Contains(revert.Body, says) {
			t.Errorf("the revert pull request does not say %q:\n%s", says, revert.Body)
		}
	}
	if st.Hold == nil || st.Hold.Failed != landed.Commit {
		t.Errorf("staging-us is held: %+v", st.Hold)
	}
	for _, k := range []string{prodEU, prodAsia} {
		p := s.pull(proposed[k].Number)
		if reason := s.ledgers()[k].Promotion.Reason; p.Open || p.Merged || !strings.Contains(reason, "failed in staging-us") {
			t.Errorf("%s: #%d is open %v, since %q", k, p.Number, p.Open, reason)
		}
	}

	good := s.push("qa: a good version", s.newVersion("9.0.1"))
	s.settle()
	if l := s.ledgers()[stagingUS].Landing; l.Revision == good {
		t.Fatal("something newer lands while it is held")
	}
	s.says(st.Landing.Commit, "argocd/staging-us", "success", "healthy")
	s.comments(revert.Number, "/promobot resume staging-us")
	again := s.landing(stagingUS, good)
	s.says(again.Commit, "argocd/staging-us", "success", "healthy")
	s.wait("the good version is proposed to prod-us", func() bool { return s.open()[prodUS].Number != 0 })
	s.settle()
	if body := s.open()[prodUS].Body; !strings.Contains(body, "verified") || !strings.Contains(body, "argocd/staging-us") {
		t.Errorf("its pull request does not say what verified it:\n%s", body)
	}
	if n := s.answers(revert.Number); n != 1 {
		t.Errorf("%d answers to one command", n)
	}
}

// TestPeopleAndTheRevert: what people do about a revert pull request that waits
// for them.
func TestPeopleAndTheRevert(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		does func(s *scene, revert githubsim.PullState)
		want func(s *scene, failed state.Landing) bool
	}{
		{"a person merges it", func(s *scene, revert githubsim.PullState) { s.merge(revert.Number, "squash") }, func(s *scene, failed state.Landing) bool {
			l := s.ledgers()[stagingUS].Landing
			return l.Reverts == failed.ID && l.By == "ana"
		}},
		{"a person closes it", func(s *scene, revert githubsim.PullState) { s.setState(revert.Number, "closed") }, func(s *scene, _ state.Landing) bool {
			st := s.ledgers()[stagingUS]
			return st.Promotion.Status == state.Vetoed && st.Hold != nil && len(s.open()) == 0
		}},
		{"a person lands a fix meanwhile", func(s *scene, _ githubsim.PullState) {
			text := strings.ReplaceAll(s.read("envs/staging-us/version.yml"), "9.0.0", "9.0.0-fixed")
			s.push("staging-us: fixed by hand", map[string]string{"envs/staging-us/version.yml": text})
		}, func(s *scene, _ state.Landing) bool {
			p := s.ledgers()[stagingUS].Promotion
			return p.Status == state.Closed && strings.Contains(p.Reason, "has landed in staging-us since")
		}},
		{"a person reverts by hand", func(s *scene, _ githubsim.PullState) {
			c := s.clone()
			s.git(c, "pull", "-q", "--ff-only")
			s.git(c, "revert", "--no-edit", "-m1", s.ledgers()[stagingUS].Landing.Commit)
			s.git(c, "push", "-q", "origin", "HEAD:main")
		}, func(s *scene, failed state.Landing) bool {
			l := s.ledgers()[stagingUS].Landing
			return l.Reverts == failed.ID && l.Method == "person"
		}},
		{"the environment is taken out of the file", func(s *scene, _ githubsim.PullState) {
			text := s.read(".github/promobot.yml")
			var kept []string
			for line := range strings.Lines(text) {
				if !strings.Contains(line, "staging-us") {
					kept = append(kept, line)
				}
			}
			s.push("no more us", map[string]string{".github/promobot.yml": strings.Join(kept, "")})
		}, func(s *scene, _ state.Landing) bool { return s.ledgers()[stagingUS].Promotion.Status == state.Opened }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := gitops(t, strings.Replace(gitopsVerified("rollback"), "on_failure:", "rollback: propose, on_failure:", 1), githubsim.RepoOptions{})
			s.installed(7)
			landed := s.landing(stagingUS, s.push("qa: a bad version", s.newVersion("9.0.0")))
			s.says(landed.Commit, "argocd/staging-us", "error", "no answer")
			s.wait("a revert is proposed", func() bool {
				p := s.ledgers()[stagingUS].Promotion
				return p.Reverts != nil && p.PullRequest != 0
			})
			s.settle()
			c.does(s, s.pull(s.ledgers()[stagingUS].Promotion.PullRequest))
			s.wait(c.name, func() bool { return c.want(s, landed) })
			s.settle()
			s.wantQuiet()
			if !c.want(s, landed) {
				t.Errorf("it does not stay so: %s", s.describe())
			}
		})
	}
}

// TestRollbackByDispatch: a script takes back what landed, once, however often
// its dispatch is delivered.
func TestRollbackByDispatch(t *testing.T) {
	t.Parallel()
	s := shop(t, shopAuto)
	revision := s.release("2.0.0")
	s.wait("it has landed", func() bool { return s.landed(revision, shopProd) })
	s.settle()
	s.sim.InjectHook(githubsim.HookFault{Event: "repository_dispatch", Effect: githubsim.DuplicatedWebhook(3)})
	s.dispatch("promobot", map[string]string{"command": "rollback prod", "reason": "the error rate is up"})
	s.wait("prod is rolled back", func() bool { return s.read("envs/prod/values.yaml") == shopValues("1.0.0") })
	s.settle()
	st := s.ledgers()[shopProd]
	if st.Hold == nil || !strings.Contains(st.Hold.Reason, "the error rate is up") {
		t.Errorf("prod is held: %+v", st.Hold)
	}
	if n := len(s.pulls()); n != 2 {
		t.Errorf("%d pull requests: %s", n, s.describe())
	}
}

// TestRefusedMergeIsRestarted: a merge that GitHub refuses is tried again on a new
// head, as often as the policy says, and then it waits for people.
func TestRefusedMergeIsRestarted(t *testing.T) {
	t.Parallel()
	s := shop(t, strings.Replace(shopAuto, "mode: auto", "mode: auto, on_failure: [{restart: {limit: 2, backoff: 1s, when: merge}}]", 1))
	s.sim.Inject(githubsim.Fault{Method: "PUT", Path: "/repos/*/*/pulls/*/merge", Times: 3, Effect: githubsim.Failed(405)})
	s.release("2.0.0")
	s.wait("the policy has nothing left", func() bool {
		f := s.ledgers()[shopProd].Failure
		return f != nil && len(f.Steps) == 2
	})
	s.settle()
	p := s.ledgers()[shopProd].Promotion
	if p.Rebuild != 2 || len(s.pulls()) != 1 {
		t.Errorf("rebuilt %d times, in %d pull requests", p.Rebuild, len(s.pulls()))
	}
}

// TestHaltCallsPeople: where nothing more is done by itself, the pull request that
// landed what failed says so once, whoever is restarted and forgets meanwhile.
func TestHaltCallsPeople(t *testing.T) {
	t.Parallel()
	s := gitops(t, gitopsVerified("halt"), githubsim.RepoOptions{})
	s.installed(7)
	landed := s.landing(stagingUS, s.push("qa: a bad version", s.newVersion("9.0.0")))
	s.says(landed.Commit, "argocd/staging-us", "failure", "degraded <img src=x> @everyone")
	s.wait("people are called", func() bool { return s.answers(landed.PullRequest) == 1 })
	s.settle()
	if st := s.ledgers()[stagingUS]; st.Hold == nil || st.Failure == nil || !st.Failure.Over {
		t.Errorf("it is held: %+v, and over: %+v", st.Hold, st.Failure)
	}
	all, err := s.sim.Comments(s.full(), landed.PullRequest)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		for _, bad := range []string{"<img", "@everyone"} {
			if strings.Contains(c.Body, bad) {
				t.Errorf("the comment lets %q through:\n%s", bad, c.Body)
			}
		}
		if !strings.Contains(c.Body, "/promobot resume staging-us") {
			t.Errorf("the comment does not say what to do:\n%s", c.Body)
		}
	}
	s.stop()
	s.forget()
	s.ahead.Add(int64(2 * promotion.Bound))
	s.start()
	s.settle()
	if n := s.answers(landed.PullRequest); n != 1 {
		t.Errorf("%d comments call people", n)
	}
}

// TestVerificationThatBeginsLater: what stands when the pipeline file comes to ask
// for verification is taken as it is, however old the red status on it; what
// lands after it is verified.
func TestVerificationThatBeginsLater(t *testing.T) {
	t.Parallel()
	s := gitops(t, strings.Replace(gitopsVerified("rollback"), "verify: {checks: argocd/staging-us, red_for: 1s, timeout: 1h}, on_failure: rollback", "verify: none", 1), githubsim.RepoOptions{})
	s.installed(7)
	stood := s.landing(stagingUS, s.push("qa: one", s.newVersion("9.0.0")))
	s.settle()
	s.says(stood.Commit, "argocd/staging-us", "failure", "of long ago")
	s.push("verify staging-us", map[string]string{".github/promobot.yml": gitopsVerified("rollback")})
	s.wait("verification is in force", func() bool { return s.ledgers()[stagingUS].Proving })
	s.settle()
	if st := s.ledgers()[stagingUS]; st.Hold != nil || st.Landing.Commit != stood.Commit {
		t.Fatalf("what stood is held or taken back: %+v", st.Hold)
	}
	next := s.landing(stagingUS, s.push("qa: two", s.newVersion("9.0.1")))
	s.says(next.Commit, "argocd/staging-us", "failure", "degraded")
	s.wait("it is rolled back", func() bool { return s.ledgers()[stagingUS].Landing.Reverts == next.ID })
}
