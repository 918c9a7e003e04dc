package main

// Races between what is reported, what people do, and what promobot does about
// a failure.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// TestTwoFailAtOnce: one verdict that names both, and one revert.
func TestTwoFailAtOnce(t *testing.T) {
	t.Parallel()
	s := watchedShop(t, "verify: {checks: [deploy, smoke], red_for: 1s, timeout: 1h}, on_failure: rollback", "")
	landed := s.landing(shopStaging, s.release("2.0.0"))
	s.says(landed.Commit, "deploy", "failure", "no answer")
	s.says(landed.Commit, "smoke", "error", "timed out")
	s.takenBack(shopStaging, landed)
	v := s.verdictOn(shopStaging, landed)
	for _, says := range []string{"deploy ended with failure: no answer", "smoke ended with error: timed out"} {
		if !strings.Contains(v.Reason, says) {
			t.Errorf("the verdict does not say %q: %s", says, v.Reason)
		}
	}
}

// TestBothWithinASecond: failure and success in either order, told at once. The
// newest of one name counts; the verdict stands, and what was done fits it.
func TestBothWithinASecond(t *testing.T) {
	for _, c := range []struct {
		first, second string
		want          state.Outcome
	}{{"failure", "success", state.Verified}, {"pending", "failure", state.Failed}} {
		t.Run(c.first+", "+c.second, func(t *testing.T) {
			t.Parallel()
			s := watchedShop(t, redDecides+"rollback", "")
			revision := s.release("2.0.0")
			landed := s.landing(shopStaging, revision)
			s.sim.HoldWebhooks()
			s.deploys(landed.Commit, c.first)
			s.deploys(landed.Commit, c.second)
			if _, err := s.sim.ReleaseWebhooks(func(all []githubsim.Webhook) []githubsim.Webhook {
				slices.Reverse(all)
				return all
			}); err != nil {
				t.Fatal(err)
			}
			v := s.verdictOn(shopStaging, landed)
			if v.Outcome != c.want {
				t.Fatalf("the verdict is %+v, want %s", v, c.want)
			}
			if c.want == state.Failed {
				s.takenBack(shopStaging, landed)
			} else {
				s.landing(shopProd, revision)
			}
			// Whatever is said now comes too late.
			s.deploys(landed.Commit, map[string]string{"success": "failure", "failure": "success"}[c.second])
			s.settle()
			if d := cmp.Diff(v, s.verdictOn(shopStaging, landed)); d != "" {
				t.Errorf("the verdict has changed (-was +is):\n%s", d)
			}
			if n := s.reverts(landed); c.want == state.Verified && n > 0 {
				t.Errorf("what was verified is taken back: %s", s.describe())
			}
		})
	}
}

// TestFailureAfterANewerLanding: what failed is not what stands, so there is
// nothing to take back; it does not travel on either.
func TestFailureAfterANewerLanding(t *testing.T) {
	t.Parallel()
	s := watchedShop(t, "verify: {checks: deploy, red_for: 1s, soak: 1s, timeout: 1h, while_soaking: continue}, on_failure: rollback", "")
	old := s.landing(shopStaging, s.release("2.0.0"))
	revision := s.release("2.1.0")
	newer := s.landing(shopStaging, revision)
	s.deploys(old.Commit, "failure")
	s.settle()
	s.ahead.Add(int64(10 * time.Second))
	s.wake()
	s.settle()
	st := s.ledgers()[shopStaging]
	if s.reverts(old)+s.reverts(newer) > 0 || st.Hold != nil || st.Landing.Commit != newer.Commit {
		t.Errorf("hold %+v, landing %+v, %s", st.Hold, st.Landing, s.describe())
	}
	s.deploys(newer.Commit, "success")
	prod := s.landing(shopProd, revision)
	if len(s.promotions()[shopProd]) != 1 {
		t.Errorf("prod: %+v of %s", prod, s.describe())
	}
}

// TestFixWhileTheRevertIsMerged: ana's fix of the same line lands while promobot
// asks for the merge. GitHub refuses it; the fix stays, the revert is withdrawn.
func TestFixWhileTheRevertIsMerged(t *testing.T) {
	t.Parallel()
	s := watchedShop(t, redDecides+"rollback", "")
	landed := s.landing(shopStaging, s.release("2.0.0"))
	s.beforeMerging(func() { s.meanwhile("staging: fixed", map[string]string{inStaging: shopValues("2.0.1")}) })
	s.deploys(landed.Commit, "failure")
	s.wait("the revert is closed", func() bool {
		p := s.ledgers()[shopStaging].Promotion
		return p.Reverts != nil && p.Status == state.Closed
	})
	s.settle()
	st := s.ledgers()[shopStaging]
	if got := s.read(inStaging); got != shopValues("2.0.1") || s.pull(st.Promotion.PullRequest).Merged || !strings.Contains(st.Promotion.Reason, "has landed in staging since") {
		t.Errorf("%s; closed since %q; staging has\n%s", s.describe(), st.Promotion.Reason, got)
	}
	if s.reverts(landed) != 1 || len(s.open()) > 0 {
		t.Errorf("pull requests: %s", s.describe())
	}
	s.wantQuiet()
}

// beforeMerging calls f once, when the program asks GitHub to merge something.
func (s *scene) beforeMerging(f func()) {
	var once sync.Once
	s.t.Cleanup(s.sim.OnRequest(func(r *http.Request) {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/merge") && strings.HasPrefix(r.UserAgent(), "promobot") {
			if strings.HasSuffix(r.URL.Path, fmt.Sprintf("/%d/merge", len(s.pulls()))) && len(s.pulls()) > 1 {
				once.Do(f)
			}
		}
	}))
}

// TestOtherLinesStay: what a person changes in other lines meanwhile, before the
// failure or while the revert is merged, stays.
func TestOtherLinesStay(t *testing.T) {
	more := strings.Replace(shopValues("2.0.0"), "what runs", "what runs in staging", 1)
	for name, during := range map[string]bool{"before the failure": false, "during the merge": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watchedShop(t, redDecides+"rollback", "")
			landed := s.landing(shopStaging, s.release("2.0.0"))
			if during {
				s.beforeMerging(func() { s.meanwhile("staging: said better", map[string]string{inStaging: more}) })
			} else {
				s.push("staging: said better", map[string]string{inStaging: more})
			}
			s.deploys(landed.Commit, "failure")
			s.wait("it is rolled back", func() bool { return s.ledgers()[shopStaging].Landing.Reverts == landed.ID })
			s.settle()
			if d := cmp.Diff(strings.Replace(more, "2.0.0", "1.0.0", 1), s.read(inStaging)); d != "" {
				t.Errorf("staging (-want +got):\n%s", d)
			}
			if n := s.reverts(landed); n != 1 {
				t.Errorf("%d reverts: %s", n, s.describe())
			}
		})
	}
}

// TestSameLineChangedSince: a comment in the line of the value that landed. No
// guess: the pull request says what conflicts, and waits for a person.
func TestSameLineChangedSince(t *testing.T) {
	t.Parallel()
	s := watchedShop(t, redDecides+"rollback", "")
	landed := s.landing(shopStaging, s.release("2.0.0"))
	edited := strings.Replace(shopValues("2.0.0"), "# by promobot", "# ask ana", 1)
	s.push("staging: who to ask", map[string]string{inStaging: edited})
	s.deploys(landed.Commit, "failure")
	s.wait("it is held", func() bool { return s.ledgers()[shopStaging].Hold != nil })
	s.settle()
	if got := s.read(inStaging); got != edited {
		t.Fatalf("staging was changed without a person:\n%s", got)
	}
	p := s.open()[shopStaging]
	if p.Number == 0 {
		t.Fatalf("no revert waits for a person: %s", s.describe())
	}
	check := s.check(p.HeadSHA)
	if !strings.Contains(check.Title+check.Summary+check.Text, inStaging+" was changed in the same lines since it landed") {
		t.Errorf("its check run does not say what conflicts: %+v", check)
	}
	s.wantQuiet()
	s.merge(p.Number, "merge")
	s.wait("a person's word counts", func() bool { return s.ledgers()[shopStaging].Landing.Reverts == landed.ID })
	if got := s.read(inStaging); !strings.Contains(got, "tag: 1.0.0") {
		t.Errorf("staging has\n%s", got)
	}
}

// TestFileRenamedOrDeletedSince: what failed is not where it was, so there is
// nothing to take back by itself. An open revert waits for a person and says why;
// nothing that the person did is undone.
func TestFileRenamedOrDeletedSince(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
	}{{"renamed", []string{"mv", inStaging, "envs/staging/app.yaml"}}, {"deleted", []string{"rm", "-q", inStaging}}} {
		for when, open := range map[string]bool{"before the failure": false, "while the revert is open": true} {
			t.Run(c.name+" "+when, func(t *testing.T) {
				t.Parallel()
				s := watchedShop(t, "rollback: propose, "+redDecides+"rollback", "")
				landed := s.landing(shopStaging, s.release("2.0.0"))
				does := func() {
					s.change("main", "staging: "+c.name, func(dir string) error { s.git(dir, c.args...); return nil })
				}
				if !open {
					does()
					s.settle()
				}
				s.deploys(landed.Commit, "failure")
				if open {
					s.wait("a revert is open", func() bool { return s.open()[shopStaging].Number != 0 })
					s.settle()
					does()
				}
				s.settle()
				before := s.folder("main", "envs/staging")
				s.ahead.Add(int64(10 * time.Second))
				s.wantQuiet()
				if d := cmp.Diff(before, s.folder("main", "envs/staging")); d != "" || s.ledgers()[shopStaging].Landing.Reverts != "" {
					t.Errorf("it was changed:\n%s", d)
				}
				p, there := s.open()[shopStaging]
				if there != open {
					t.Fatalf("a revert is open: %v, want %v", there, open)
				}
				if check := s.check(p.HeadSHA); open && !strings.Contains(check.Summary, "staging has nothing of this pipeline in envs/staging") {
					t.Errorf("it does not say why it waits: %+v", check)
				}
			})
		}
	}
}

// TestForcePushedAway: the landing is no longer on main. What is said of it says
// nothing of what stands: no verdict, nothing taken back, and no promotion of it.
func TestForcePushedAway(t *testing.T) {
	t.Parallel()
	s := watchedShop(t, redDecides+"rollback", "")
	landed := s.landing(shopStaging, s.release("2.0.0"))
	s.git(s.clone(), "push", "-q", "--force", "origin", landed.Before+":refs/heads/main")
	s.settle()
	main := s.refs()["refs/heads/main"]
	for _, result := range []string{"failure", "success"} {
		s.deploys(landed.Commit, result)
		s.settle()
		s.ahead.Add(int64(10 * time.Second))
		s.wake()
		s.settle()
	}
	st := s.ledgers()[shopStaging]
	if s.reverts(landed) > 0 || st.VerdictOf(landed.Commit) != nil || s.ledgers()[shopProd].Promotion != nil {
		t.Errorf("verdicts %+v, prod %+v, %s", st.Verdicts, s.ledgers()[shopProd].Promotion, s.describe())
	}
	if got := string(s.bare("diff", "--name-only", main, "main")); got != "README.md\n" {
		t.Errorf("promobot changed %q after the force push", got)
	}
}

// TestPipelineFileEditedSince: between failure and rollback the file promotes
// something else, or elsewhere. The rollback is what landed, backwards.
func TestPipelineFileEditedSince(t *testing.T) {
	for name, edit := range map[string]*strings.Replacer{
		"other values":     strings.NewReplacer("values: image.tag, in: values.yaml", "values: replicas, in: values.yaml"),
		"no verification":  strings.NewReplacer(redDecides+"rollback", "verify: none"),
		"no policy":        strings.NewReplacer(", on_failure: rollback", ", on_failure: halt"),
		"another upstream": strings.NewReplacer("staging: {from: dev", "staging: {from: qa", "dev:     {verify: none}", "dev:     {verify: none}\n  qa:      {verify: none}"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := shopFiles(watchedPipeline(redDecides+"rollback", ""), "dev", "staging", "prod", "qa")
			s := newScene(t, sceneOptions{files: files})
			s.installed(3)
			landed := s.landing(shopStaging, s.release("2.0.0"))
			edited := edit.Replace(files[".github/promobot.yml"])
			if edited == files[".github/promobot.yml"] {
				t.Fatal("nothing is edited")
			}
			var once sync.Once
			t.Cleanup(s.when(true, func() {
				if st := s.ledgers()[shopStaging]; st.VerdictOf(landed.Commit) != nil {
					once.Do(func() { s.meanwhile("the pipeline is edited", map[string]string{".github/promobot.yml": edited}) })
				}
			}))
			s.deploys(landed.Commit, "failure")
			s.takenBack(shopStaging, landed)
			if got := s.read(".github/promobot.yml"); got != edited {
				t.Errorf("the pipeline file is\n%s", got)
			}
		})
	}
}

// TestPipelineFileDeletedSince: without the file nothing is promobot's business;
// the revert that stands open is right, and a person may merge it.
func TestPipelineFileDeletedSince(t *testing.T) {
	t.Parallel()
	s := watchedShop(t, "rollback: propose, "+redDecides+"rollback", "")
	landed := s.landing(shopStaging, s.release("2.0.0"))
	s.deploys(landed.Commit, "failure")
	s.wait("a revert is open", func() bool { return s.open()[shopStaging].Number != 0 })
	s.settle()
	p := s.open()[shopStaging]
	file := s.read(".github/promobot.yml")
	s.change("main", "no more promobot", func(dir string) error { s.git(dir, "rm", "-q", ".github/promobot.yml"); return nil })
	s.settle()
	if again := s.pull(p.Number); !again.Open || again.HeadSHA != p.HeadSHA {
		t.Errorf("the revert pull request is %+v", again)
	}
	s.merge(p.Number, "squash")
	if d := cmp.Diff(s.folder(landed.Before, "envs/staging"), s.folder("main", "envs/staging")); d != "" {
		t.Errorf("staging is not as before (-before +now):\n%s", d)
	}
	s.push("promobot again", map[string]string{".github/promobot.yml": file})
	s.takenBack(shopStaging, landed)
}

// TestPushedLandingIsTakenBack: what landed without a pull request.
func TestPushedLandingIsTakenBack(t *testing.T) {
	t.Parallel()
	s := watchedShop(t, "deliver: push, "+redDecides+"rollback", "")
	landed := s.landing(shopStaging, s.release("2.0.0"))
	if landed.Method != "push" {
		t.Fatalf("it landed as %+v", landed)
	}
	s.deploys(landed.Commit, "failure")
	s.takenBack(shopStaging, landed)
}

// TestOneOfABatchFails: it alone is taken back.
func TestOneOfABatchFails(t *testing.T) {
	t.Parallel()
	pipeline := strings.Replace(hourly, "batch: hourly", "batch: hourly, mode: auto, verify: {checks: deploy/$name, red_for: 1s, timeout: 7d}, on_failure: rollback", 1)
	files := map[string]string{".github/promobot.yml": pipeline}
	names := fourteen[:3]
	for _, name := range names {
		files[serviceFile(name, "dev")], files[serviceFile(name, "staging")] = shopValues("1.0.0"), shopValues("1.0.0")
	}
	s := newScene(t, sceneOptions{files: files})
	day := time.Now().UTC().Truncate(24 * time.Hour).Add(48 * time.Hour)
	s.ahead.Store(int64(time.Until(day.Add(10*time.Hour + 30*time.Minute))))
	s.installed(6)
	revision := s.released("2.0.0", names...)
	s.settle()
	s.at(61)
	s.wake()
	for range 3 {
		s.settle()
		s.ahead.Add(int64(promotion.Bound + time.Second))
		s.wake()
	}
	for _, name := range names {
		s.landing(staging(name), revision)
	}
	landed := *s.ledgers()[staging(names[1])].Landing
	if other := s.ledgers()[staging(names[0])].Landing; other.PullRequest != landed.PullRequest {
		t.Fatalf("they landed with #%d and #%d", other.PullRequest, landed.PullRequest)
	}
	s.says(landed.Commit, "deploy/"+names[1], "failure", "no answer")
	for _, name := range []string{names[0], names[2]} {
		s.says(landed.Commit, "deploy/"+name, "success", "")
	}
	s.wait("it is rolled back", func() bool { return s.ledgers()[staging(names[1])].Landing.Reverts == landed.ID })
	s.settle()
	for i, want := range []string{"2.0.0", "1.0.0", "2.0.0"} {
		st := s.ledgers()[staging(names[i])]
		if got := s.read(serviceFile(names[i], "staging")); got != shopValues(want) || (st.Hold != nil) != (i == 1) {
			t.Errorf("%s: hold %+v, and\n%s", names[i], st.Hold, got)
		}
	}
	if n := s.reverts(landed); n != 1 {
		t.Errorf("%d reverts: %s", n, s.describe())
	}
}
