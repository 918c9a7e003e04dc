package main

// `deliver: push`: promotions that go straight to the branch. Main moves under
// them in every way there is, and each story looks at what stands on main
// afterwards, commit by commit, and at what the ledgers say of it.

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

// pairPipelines are two pipelines that each promote a value of the same file.
const pairPipelines = `version: 1
limits: {per_hour: 1000}
environments:
  dev:  {verify: none}
  prod: {from: dev, mode: auto, deliver: push}
pipelines:
  api:
    path: envs/$env
    promote: {values: api.tag, in: values.yaml}
  web:
    path: envs/$env
    promote: {values: web.tag, in: values.yaml}
`

const (
	apiProd = "api/prod"
	webProd = "web/prod"
	devFile = "envs/dev/values.yaml"
	runFile = "envs/prod/values.yaml"
)

func pairValues(api, web string) string {
	return "# what runs\napi:\n  tag: " + api + " # by promobot\n  replicas: 2\nweb:\n  tag: " + web + "\n"
}

// pair is a repository with both, installed and at rest.
func pair(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, sceneOptions{files: map[string]string{
		".github/promobot.yml": pairPipelines, devFile: pairValues("1.0.0", "1.0.0"), runFile: pairValues("1.0.0", "1.0.0"),
	}})
	s.settings = func(c *Config) {
		c.Push = PushConfig{Attempts: 10, Backoff: 2 * time.Millisecond, MaxBackoff: 20 * time.Millisecond}
	}
	s.installed(4)
	return s
}

// onMain are main's commits after one, oldest first, as "who: what". A
// promotion's commit is named by its trailers.
func (c *checkout) onMain(after string) []string {
	c.t.Helper()
	var out []string
	for id := range strings.FieldsSeq(string(c.bare("rev-list", "--first-parent", "--reverse", after+"..main"))) {
		message := string(c.bare("log", "-1", "--format=%B", id))
		title, _, _ := strings.Cut(message, "\n")
		if ts := state.ParseTrailers(message); ts[state.TrailerID] != "" {
			title = "promobot: " + ts[state.TrailerPipeline] + "/" + ts[state.TrailerEnvironment]
		}
		out = append(out, title)
	}
	return out
}

// story is an environment's ledger as git log tells it, oldest first: the kinds
// of its entries.
func (c *checkout) story(k string) []string {
	c.t.Helper()
	var kinds []string
	for _, message := range c.messages(k) {
		e, err := state.Peek(message)
		if err != nil {
			c.t.Fatal(err)
		}
		kinds = append(kinds, string(e.Kind))
	}
	return kinds
}

// sentences are what an environment's ledger says to people, oldest first.
func (c *checkout) sentences(k string) []string {
	c.t.Helper()
	var out []string
	for _, message := range c.messages(k) {
		sentence, _, _ := strings.Cut(message, "\n")
		out = append(out, sentence)
	}
	return out
}

func (c *checkout) messages(k string) []string {
	c.t.Helper()
	at := strings.LastIndex(k, "/")
	log := string(c.bare("log", "--first-parent", "--reverse", "--format=%B%x00", state.Ref(k[:at], k[at+1:])))
	var out []string
	for message := range strings.SplitSeq(log, "\x00") {
		if message = strings.TrimSpace(message); message != "" {
			out = append(out, message)
		}
	}
	return out
}

// pushesMade are the program's pushes that reached GitHub.
func pushesMade(j githubsim.Journal) int {
	n := 0
	for _, r := range j {
		if r.Kind == githubsim.GitPush && r.Method == http.MethodPost {
			n++
		}
	}
	return n
}

// wantQuiet starts the program once more, with nothing remembered but its files:
// what it finds gives it nothing to write.
func (s *scene) wantQuiet() {
	s.t.Helper()
	s.settle()
	s.stop()
	refs := s.branchesAndLedgers()
	s.sim.ResetJournal()
	s.start()
	s.settle()
	for _, r := range s.written() {
		if r.Kind == githubsim.APIWrite || r.Kind == githubsim.GitPush || strings.HasPrefix(r.Route, "mutation") {
			s.t.Errorf("at rest it asks %s %s and gets %d", r.Method, r.Path, r.Status)
		}
	}
	if d := cmp.Diff(refs, s.branchesAndLedgers()); d != "" {
		s.t.Errorf("at rest a ref moved (-before +after):\n%s", d)
	}
}

// branchesAndLedgers are all refs but those that GitHub keeps for itself: its
// test merges come when someone looks.
func (c *checkout) branchesAndLedgers() map[string]string {
	c.t.Helper()
	refs := c.refs()
	maps.DeleteFunc(refs, func(ref, _ string) bool { return strings.HasPrefix(ref, "refs/pull/") })
	return refs
}

// when calls f with every request of the program's git that begins (or, with
// sent, that carries out) a push, before GitHub does anything about it.
func (s *scene) when(sent bool, f func()) (remove func()) {
	return s.sim.OnRequest(func(r *http.Request) {
		user, _, _ := r.BasicAuth()
		begins := strings.HasSuffix(r.URL.Path, "/info/refs") && r.URL.Query().Get("service") == "git-receive-pack"
		if user == "x-access-token" && (sent && strings.HasSuffix(r.URL.Path, "/git-receive-pack") || !sent && begins) {
			f()
		}
	})
}

// meanwhile is ana's push, from any goroutine.
func (s *scene) meanwhile(message string, files map[string]string) {
	changed := map[string]*string{}
	for p, text := range files {
		changed[p] = &text
	}
	if _, err := s.sim.Commit(s.t.Context(), s.full(), "ana", "main", message, changed); err != nil {
		s.t.Errorf("ana's push: %v", err)
	}
}

// TestPushTwoValuesOfOneFile: both land, in one push, one commit each, one on
// the other.
func TestPushTwoValuesOfOneFile(t *testing.T) {
	t.Parallel()
	s := pair(t)
	s.sim.ResetJournal()
	revision := s.push("dev: both", map[string]string{devFile: pairValues("2.0.0", "3.0.0")})
	s.wait("both have landed", func() bool { return s.landed(revision, apiProd, webProd) })
	s.settle()
	if d := cmp.Diff([]string{"promobot: api/prod", "promobot: web/prod"}, s.onMain(revision)); d != "" {
		t.Errorf("main (-want +got):\n%s", d)
	}
	commits := strings.Fields(string(s.bare("rev-list", "--first-parent", "--reverse", revision+"..main")))
	for i, want := range []string{pairValues("2.0.0", "1.0.0"), pairValues("2.0.0", "3.0.0")} {
		if d := cmp.Diff(want, string(s.bare("cat-file", "blob", commits[i]+":"+runFile))); d != "" {
			t.Errorf("commit %d (-want +got):\n%s", i+1, d)
		}
		if got := string(s.bare("diff-tree", "-r", "--name-only", "--no-commit-id", commits[i])); got != runFile+"\n" {
			t.Errorf("commit %d changes %q", i+1, got)
		}
	}
	for i, k := range []string{apiProd, webProd} {
		before := append([]string{revision}, commits...)[i]
		l := s.ledgers()[k].Landing
		if got, want := fmt.Sprint(l.Commit, l.Before, l.Method, l.By, l.PullRequest, l.Mixed()), fmt.Sprint(commits[i], before, "push", sceneBot, 0, false); got != want {
			t.Errorf("%s: landed %s, want %s", k, got, want)
		}
		if d := cmp.Diff([]string{"baseline", "landed"}, s.story(k)); d != "" {
			t.Errorf("%s: the ledger (-want +got):\n%s", k, d)
		}
	}
	if n := pushesMade(s.written()); n != 1 {
		t.Errorf("it took %d pushes, want one with everything in it", n)
	}
	if len(s.pulls()) > 0 {
		t.Errorf("there are pull requests: %s", s.describe())
	}
	if c := s.check(revision); c.Conclusion != "success" || !strings.Contains(c.Summary, "prod") {
		t.Errorf("the revision's check run is %+v", c)
	}
	s.wantQuiet()
}

// TestPushMeetsAPersonsPush: main moves exactly between promobot's fetch and its
// push, once before git looks at the remote and once after. What ana pushed
// stays, and everything is decided anew on top of it.
func TestPushMeetsAPersonsPush(t *testing.T) {
	for name, c := range map[string]struct {
		sent   bool              // after git has looked at the remote
		pushes map[string]string // ana's
		prod   string            // in the end
		main   []string          // after the release
		api    string            // the version that api's landing carries: "release" or "hers"
	}{
		"another file, seen by git": {
			false,
			map[string]string{"README.md": "a shop\n"},
			pairValues("2.0.0", "3.0.0"),
			[]string{"ana's", "promobot: api/prod", "promobot: web/prod"},
			"release",
		},
		"another file, seen by GitHub": {
			true,
			map[string]string{"README.md": "a shop\n"},
			pairValues("2.0.0", "3.0.0"),
			[]string{"ana's", "promobot: api/prod", "promobot: web/prod"},
			"release",
		},
		"the same file": {
			true,
			map[string]string{runFile: strings.Replace(pairValues("1.0.0", "1.0.0"), "replicas: 2", "replicas: 7", 1)},
			strings.Replace(pairValues("2.0.0", "3.0.0"), "replicas: 2", "replicas: 7", 1),
			[]string{"ana's", "promobot: api/prod", "promobot: web/prod"},
			"release",
		},
		// Definition 6: the newer one is what counts, and the older never lands.
		"something newer in dev": {
			true,
			map[string]string{devFile: pairValues("2.1.0", "3.0.0")},
			pairValues("2.1.0", "3.0.0"),
			[]string{"ana's", "promobot: api/prod", "promobot: web/prod"},
			"hers",
		},
		// Definition 7: what is there already is not promoted again.
		"the same value in prod": {
			true,
			map[string]string{runFile: pairValues("2.0.0", "1.0.0")},
			pairValues("2.0.0", "3.0.0"),
			[]string{"ana's", "promobot: web/prod"},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pair(t)
			var once atomic.Bool
			defer s.when(c.sent, func() {
				if once.CompareAndSwap(false, true) {
					s.meanwhile("ana's", c.pushes)
				}
			})()
			release := s.push("dev: both", map[string]string{devFile: pairValues("2.0.0", "3.0.0")})
			s.wait("web has landed", func() bool { l := s.ledgers()[webProd].Landing; return l != nil })
			s.settle()
			if d := cmp.Diff(c.prod, s.read(runFile)); d != "" {
				t.Errorf("prod (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.main, s.onMain(release)); d != "" {
				t.Errorf("main (-want +got):\n%s", d)
			}
			hers := strings.TrimSpace(string(s.bare("log", "-1", "--format=%H", "--grep=^ana's", "main")))
			p := s.ledgers()[webProd].Promotion
			if len(p.Attempts) != 1 || p.Attempts[0].From != release || p.Attempts[0].To != hers || p.Attempts[0].Why == "" {
				t.Errorf("web's attempts are %+v, want one from %.10s to %.10s", p.Attempts, release, hers)
			}
			if says := strings.Join(s.sentences(webProd), "\n"); !strings.Contains(says, "attempt 2, the base had moved") {
				t.Errorf("web's ledger says\n%s", says)
			}
			var carried string
			if l := s.ledgers()[apiProd].Landing; l != nil {
				carried = map[string]string{release: "release", hers: "hers"}[l.Revision]
			}
			if carried != c.api {
				t.Errorf("api landed %q, want %q", carried, c.api)
			}
			revision := s.ledgers()[webProd].Landing.Revision
			check := s.check(revision)
			if says := check.Summary + check.Text; check.Conclusion != "success" || !strings.Contains(says, "attempt 2: main moved while it was being pushed") ||
				!strings.Contains(says, release[:10]) || !strings.Contains(says, hers[:10]) {
				t.Errorf("the check run does not tell of the attempt: %+v", check)
			}
			if len(s.pulls()) > 0 {
				t.Errorf("there are pull requests: %s", s.describe())
			}
			s.wantQuiet()
		})
	}
}

// TestPushMeetsAHotfix: ana changes in prod, at that very moment, the value that
// is on its way. Her word stands: it becomes a pull request for a person.
func TestPushMeetsAHotfix(t *testing.T) {
	t.Parallel()
	s := pair(t)
	var once atomic.Bool
	defer s.when(true, func() {
		if once.CompareAndSwap(false, true) {
			s.meanwhile("hotfix", map[string]string{runFile: pairValues("1.0.1", "1.0.0")})
		}
	})()
	s.push("dev: 2.0.0", map[string]string{devFile: pairValues("2.0.0", "1.0.0")})
	s.wait("a pull request asks for a person", func() bool {
		p, there := s.open()[apiProd]
		return there && s.check(p.HeadSHA).Title != ""
	})
	s.settle()
	if d := cmp.Diff(pairValues("1.0.1", "1.0.0"), s.read(runFile)); d != "" {
		t.Errorf("prod (-want +got):\n%s", d)
	}
	p := s.open()[apiProd]
	if !strings.Contains(p.Body, "Overwrites") || !strings.Contains(s.check(p.HeadSHA).Title, "person") {
		t.Errorf("#%d does not say that a person must look: %q\n%s", p.Number, s.check(p.HeadSHA).Title, p.Body)
	}
	s.merge(p.Number, "merge")
	s.wait("it is recorded", func() bool { return s.ledgers()[apiProd].Landing != nil })
	if d := cmp.Diff(pairValues("2.0.0", "1.0.0"), s.read(runFile)); d != "" {
		t.Errorf("prod after she merged (-want +got):\n%s", d)
	}
	s.wantQuiet()
}

// TestPushOntoABaseThatKeepsMoving: it tries a bounded number of times, says
// so, and lands later.
func TestPushOntoABaseThatKeepsMoving(t *testing.T) {
	t.Parallel()
	s := pair(t)
	s.sim.ResetJournal()
	var moves atomic.Int64
	remove := s.when(true, func() {
		n := moves.Add(1)
		s.meanwhile(fmt.Sprintf("move %d", n), map[string]string{"README.md": fmt.Sprintf("move %d\n", n)})
	})
	revision := s.push("dev: 2.0.0", map[string]string{devFile: pairValues("2.0.0", "1.0.0")})
	s.wait("it says that it gives up for now", func() bool { return s.check(revision).Conclusion == "failure" })
	s.settle()
	if n := pushesMade(s.written()); n != 10 {
		t.Errorf("it pushed %d times, want 10", n)
	}
	if c := s.check(revision); !strings.Contains(c.Summary, "10 pushes in a row met a newer main; it is tried again later") {
		t.Errorf("the check run does not say why: %+v", c)
	}
	if d := cmp.Diff([]string{"baseline"}, s.story(apiProd)); d != "" {
		t.Errorf("the ledger (-want +got):\n%s", d)
	}
	remove()
	s.ahead.Add(int64(2 * time.Minute))
	s.push("and then main stands still", map[string]string{"README.md": "a shop\n"})
	s.wait("it has landed", func() bool { return s.landed(revision, apiProd) })
	s.settle()
	if d := cmp.Diff(pairValues("2.0.0", "1.0.0"), s.read(runFile)); d != "" {
		t.Errorf("prod (-want +got):\n%s", d)
	}
	tried := s.ledgers()[apiProd].Promotion.Attempts
	if len(tried) != 10 || tried[0].From != revision {
		t.Errorf("the ledger tells of %d attempts, want the 10 that met a moved main: %+v", len(tried), tried)
	}
	for i, a := range tried {
		if a.To == "" || i > 0 && a.From != tried[i-1].To {
			t.Errorf("attempt %d does not go on where the one before ended: %+v", i+1, tried)
		}
	}
	if c := s.check(revision); c.Conclusion != "success" {
		t.Errorf("the check run is %+v", c)
	}
	s.wantQuiet()
}

// TestPushToAProtectedBranch: the branch's rules say no. That is read and told,
// and never found out by trying: not even where the App would not be refused.
func TestPushToAProtectedBranch(t *testing.T) {
	t.Parallel()
	for name, bypasses := range map[string]bool{"refused": false, "the App bypasses rules": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pushToAProtectedBranch(t, bypasses)
		})
	}
}

func pushToAProtectedBranch(t *testing.T, bypasses bool) {
	t.Helper()
	s := pair(t)
	if bypasses {
		s.sim.SetHabits(func(h *githubsim.Habits) { h.BypassApps = []int64{s.app.ID} })
	}
	if err := s.sim.AddRuleset(s.full(), githubsim.Ruleset{Name: "by pull request", Branches: []string{"main"}, PullRequest: true, BypassUsers: []string{"ana"}}); err != nil {
		t.Fatal(err)
	}
	s.sim.ResetJournal()
	revision := s.push("dev: 2.0.0", map[string]string{devFile: pairValues("2.0.0", "1.0.0")})
	s.wait("it says so", func() bool { return s.check(revision).Conclusion == "failure" })
	s.push("whatever wakes it", map[string]string{"README.md": "a shop\n"})
	s.settle()
	if n := pushesMade(s.written()); n != 0 {
		t.Errorf("it pushed %d times, want never", n)
	}
	if c := s.check(revision); !strings.Contains(c.Summary, "the rules of main ask for a pull request") || !strings.Contains(c.Summary, "say deliver: pull") {
		t.Errorf("the check run does not say why: %+v", c)
	}
	if d := cmp.Diff(pairValues("1.0.0", "1.0.0"), s.read(runFile)); d != "" {
		t.Errorf("prod (-want +got):\n%s", d)
	}
	if err := s.sim.RemoveRulesets(s.full(), ""); err != nil {
		t.Fatal(err)
	}
	s.push("the rule is gone", map[string]string{"README.md": "a shop without rules\n"})
	s.wait("it has landed", func() bool { return s.landed(revision, apiProd) })
	s.wantQuiet()
}
