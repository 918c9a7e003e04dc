package main

// `commits: verified`: GitHub makes and signs the commits, over trees that were
// pushed to it beforehand. What it takes on the way is gone when all is at rest,
// also after a process died over it.

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// wantSigned checks that GitHub has signed a commit, and made it the App's.
func (s *scene) wantSigned(commit string) {
	s.t.Helper()
	c, _, err := s.ana.Repositories.GetCommit(s.t.Context(), sceneOwner, s.name, commit, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if v := c.GetCommit().GetVerification(); !v.GetVerified() || v.GetReason() != "valid" || c.GetAuthor().GetLogin() != sceneBot {
		s.t.Errorf("%.10s by %q: verified %v (%s)", commit, c.GetAuthor().GetLogin(), v.GetVerified(), v.GetReason())
	}
}

// wantNothingMade checks that no ref is left of what was pushed to be signed.
func (s *scene) wantNothingMade() {
	s.t.Helper()
	for ref := range s.refs() {
		if strings.HasPrefix(ref, state.MadePrefix) {
			s.t.Errorf("%s is left behind", ref)
		}
	}
}

// claimOf is the commit that an environment's newest claim keeps: its second
// parent.
func (s *scene) claimOf(pipeline, environment string) string {
	s.t.Helper()
	for line := range strings.SplitSeq(string(s.bare("log", "--first-parent", "--format=%P", state.Ref(pipeline, environment))), "\n") {
		if parents := strings.Fields(line); len(parents) == 2 {
			return parents[1]
		}
	}
	return ""
}

var shopVerified = strings.Replace(shopPropose, "version: 1\n", "version: 1\ncommits: verified\n", 1)

func TestVerifiedPullRequest(t *testing.T) {
	t.Parallel()
	s := shop(t, shopVerified)
	for i, tag := range []string{"2.0.0", "2.1.0"} {
		revision := s.release(tag)
		p := s.proposed(revision)
		s.wantSigned(p.HeadSHA)
		s.wantNothingMade()
		if kept := s.claimOf("shop", "prod"); kept != p.HeadSHA {
			t.Errorf("the ledger keeps %s, the pull request's head is %s", kept, p.HeadSHA)
		}
		if d := cmp.Diff(shopValues(tag), string(s.bare("cat-file", "blob", p.HeadSHA+":envs/prod/values.yaml"))); d != "" {
			t.Errorf("the head (-want +got):\n%s", d)
		}
		if got := string(s.bare("diff-tree", "-r", "--name-only", "--no-commit-id", p.HeadSHA)); got != "envs/prod/values.yaml\n" {
			t.Errorf("it changes %q", got)
		}
		if ts := state.ParseTrailers(string(s.bare("log", "-1", "--format=%B", p.HeadSHA))); ts[state.TrailerID] != s.ledgers()[shopProd].Promotion.ID {
			t.Errorf("its trailers are %v", ts)
		}
		s.wantQuiet()
		s.merge(p.Number, "merge")
		s.wait("it has landed", func() bool { return s.landed(revision, shopProd) })
		s.wantNoMore(i + 1)
	}
	if d := cmp.Diff(shopValues("2.1.0"), s.read("envs/prod/values.yaml")); d != "" {
		t.Errorf("prod (-want +got):\n%s", d)
	}
	s.wantNothingMade()
	s.wantQuiet()
}

// TestVerifiedPush: main takes signed commits only. Two promotions of one file
// are signed one on the other, and land in one push.
func TestVerifiedPush(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: map[string]string{
		".github/promobot.yml": strings.Replace(pairPipelines, "version: 1\n", "version: 1\ncommits: verified\n", 1),
		devFile:                pairValues("1.0.0", "1.0.0"), runFile: pairValues("1.0.0", "1.0.0"),
	}})
	if err := s.sim.AddRuleset(s.full(), githubsim.Ruleset{Name: "signed", Branches: []string{"main"}, Signatures: true, BypassUsers: []string{"ana"}}); err != nil {
		t.Fatal(err)
	}
	s.installed(4)
	revision := s.push("dev: both", map[string]string{devFile: pairValues("2.0.0", "3.0.0")})
	s.wait("both have landed", func() bool { return s.landed(revision, apiProd, webProd) })
	s.settle()
	commits := strings.Fields(string(s.bare("rev-list", "--first-parent", "--reverse", revision+"..main")))
	if d := cmp.Diff([]string{"promobot: api/prod", "promobot: web/prod"}, s.onMain(revision)); d != "" {
		t.Fatalf("main (-want +got):\n%s", d)
	}
	for i, want := range []string{pairValues("2.0.0", "1.0.0"), pairValues("2.0.0", "3.0.0")} {
		s.wantSigned(commits[i])
		if d := cmp.Diff(want, string(s.bare("cat-file", "blob", commits[i]+":"+runFile))); d != "" {
			t.Errorf("commit %d (-want +got):\n%s", i+1, d)
		}
		if l := s.ledgers()[[]string{apiProd, webProd}[i]].Landing; l.Commit != commits[i] || l.Mixed() {
			t.Errorf("commit %d landed %+v", i+1, l)
		}
	}
	s.wantNothingMade()
	next := s.push("dev: api", map[string]string{devFile: pairValues("2.1.0", "3.0.0")})
	s.wait("it has landed", func() bool { return s.landed(next, apiProd) })
	s.settle()
	s.wantSigned(s.ledgers()[apiProd].Landing.Commit)
	s.wantNothingMade()
	s.wantQuiet()
}

// TestVerifiedKilled: the process dies while a commit is being signed. What it
// left behind goes with what the next one pushes.
func TestVerifiedKilled(t *testing.T) {
	for name, dies := range map[string]func(r *http.Request, pushes int) bool{
		"after the tree was pushed":   func(_ *http.Request, pushes int) bool { return pushes == 1 },
		"after the commit was made":   func(r *http.Request, _ int) bool { return strings.HasSuffix(r.URL.Path, "/git/commits") },
		"after the entry was pushed":  func(_ *http.Request, pushes int) bool { return pushes == 2 },
		"after the branch was pushed": func(_ *http.Request, pushes int) bool { return pushes == 3 },
		"after the pull request opened": func(r *http.Request, _ int) bool {
			return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pulls")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sceneOptions{files: shopFiles(shopVerified, "dev", "prod")})
			victim := s.startChild()
			s.wait("every environment has its baseline", func() bool { return len(s.ledgers()) == 2 })
			s.settle()
			var mu sync.Mutex
			pushes, dead := 0, false
			died := make(chan struct{})
			remove := s.sim.OnEffect(func(r *http.Request) {
				if user, _, _ := r.BasicAuth(); user != "x-access-token" && !strings.HasPrefix(r.UserAgent(), "promobot") {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
					pushes++
				}
				if !dead && dies(r, pushes) {
					dead = true
					victim.kill()
					close(died)
				}
				if dead {
					panic(http.ErrAbortHandler) // it is dead: what it asked for gets nowhere
				}
			})
			revision := s.release("2.0.0")
			select {
			case <-died:
			case <-time.After(scenePatience):
				t.Fatal("it is not killed")
			}
			remove()
			s.ahead.Add(int64(promotion.Bound + time.Second))
			s.startChild()
			p := s.proposed(revision)
			s.wantSigned(p.HeadSHA)
			if kept := s.claimOf("shop", "prod"); kept != p.HeadSHA || len(s.pulls()) != 1 {
				t.Errorf("the ledger keeps %s, the head is %s: %s", kept, p.HeadSHA, s.describe())
			}
			// The next promotion clears away what only that one could leave.
			s.merge(p.Number, "merge")
			s.wait("it has landed", func() bool { return s.landed(revision, shopProd) })
			q := s.proposed(s.release("2.1.0"))
			s.wantSigned(q.HeadSHA)
			s.wantNothingMade()
			if d := cmp.Diff(shopValues("2.1.0"), string(s.bare("cat-file", "blob", q.HeadSHA+":envs/prod/values.yaml"))); d != "" {
				t.Errorf("the head (-want +got):\n%s", d)
			}
		})
	}
}
