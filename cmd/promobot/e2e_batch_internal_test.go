package main

// `batch: hourly`: fourteen services that become due together travel in one
// pull request, one commit each. The stories begin at half past ten, by the
// program's clock and by the dates of what people commit.

import (
	"net/http"
	"os"
	"os/exec"
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

const hourly = `version: 1
limits: {per_hour: 1000}
environments:
  dev:     {verify: none}
  staging: {from: dev, batch: hourly}
pipelines:
  services:
    for_each: services/$name
    path: services/$name/$env
    promote: {values: image.tag, in: values.yaml}
`

var fourteen = []string{
	"accounts", "billing", "cart", "catalog", "checkout", "delivery", "emails",
	"images", "login", "orders", "pricing", "reviews", "search", "stock",
}

func serviceFile(name, environment string) string {
	return "services/" + name + "/" + environment + "/values.yaml"
}

func staging(name string) string { return "services/" + name + "/staging" }

// batched is the repository of fourteen services, at half past ten.
func batched(t *testing.T) *scene {
	t.Helper()
	files := map[string]string{".github/promobot.yml": hourly}
	for _, name := range fourteen {
		files[serviceFile(name, "dev")], files[serviceFile(name, "staging")] = shopValues("1.0.0"), shopValues("1.0.0")
	}
	s := newScene(t, sceneOptions{files: files})
	day := time.Now().UTC().Truncate(24 * time.Hour).Add(48 * time.Hour)
	s.ahead.Store(int64(time.Until(day.Add(10*time.Hour + 30*time.Minute))))
	return s
}

// at sets the program's clock to so many minutes after ten.
func (s *scene) at(minutes int) {
	now := s.now().UTC()
	s.ahead.Add(int64(now.Truncate(24 * time.Hour).Add(10*time.Hour + time.Duration(minutes)*time.Minute + time.Second).Sub(now)))
}

// released is a push of ana's, committed at the program's time, that releases
// some services.
func (s *scene) released(tag string, names ...string) string {
	s.t.Helper()
	files := map[string]string{}
	for _, name := range names {
		files[serviceFile(name, "dev")] = shopValues(tag)
	}
	dir := s.clone()
	s.git(dir, "checkout", "-q", "--no-track", "-B", "main", "origin/main")
	if err := writeFiles(dir, files); err != nil {
		s.t.Fatal(err)
	}
	s.git(dir, "add", "-A")
	cmd := exec.CommandContext(s.t.Context(), "git", "-c", "user.name=Ana", "-c", "user.email=ana@example.com", "commit", "-q", "-m", "release "+tag)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_COMMITTER_DATE="+s.now().Format(time.RFC3339))
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("git commit: %v\n%s", err, out)
	}
	s.git(dir, "push", "-q", "origin", "HEAD:refs/heads/main")
	return s.git(dir, "rev-parse", "HEAD")
}

// wake has the program look, by a push that is none of its business.
func (s *scene) wake() {
	s.t.Helper()
	s.push("unrelated", map[string]string{"README.md": s.now().String() + "\n"})
}

// batchOpen waits for the one pull request of all services, recorded by each.
func (s *scene) batchOpen(number int) githubsim.PullState {
	s.t.Helper()
	s.wait("one pull request stands, and each service's ledger has it", func() bool {
		for _, name := range fourteen {
			p := s.ledgers()[staging(name)].Promotion
			if p == nil || p.Status != state.Opened || p.PullRequest != number {
				return false
			}
		}
		return s.check(s.pull(number).HeadSHA).Title != ""
	})
	s.settle()
	return s.pull(number)
}

// wantBatch checks a batch's commits: one for each service, in the order of
// their names, one on the other from base on, each changing one file alone.
func (s *scene) wantBatch(p githubsim.PullState, base string, want func(name string) string) {
	s.t.Helper()
	commits := strings.Fields(string(s.bare("rev-list", "--reverse", base+".."+p.HeadSHA)))
	if len(commits) != len(fourteen) {
		s.t.Fatalf("#%d has %d commits on %.10s, want one for each service", p.Number, len(commits), base)
	}
	first := s.ledgers()[staging(fourteen[0])].Promotion
	parent, ids := base, map[string]bool{}
	for i, name := range fourteen {
		got := strings.Split(strings.TrimSpace(string(s.bare("log", "-1", "--format=%P", "--name-only", commits[i]))), "\n\n")
		if d := cmp.Diff([]string{parent, serviceFile(name, "staging")}, got); d != "" {
			s.t.Errorf("%s: its commit's parent and files (-want +got):\n%s", name, d)
		}
		if d := cmp.Diff(want(name), string(s.bare("cat-file", "blob", commits[i]+":"+serviceFile(name, "staging")))); d != "" {
			s.t.Errorf("%s (-want +got):\n%s", name, d)
		}
		l := s.ledgers()[staging(name)].Promotion
		ts := state.ParseTrailers(string(s.bare("log", "-1", "--format=%B", commits[i])))
		if ts[state.TrailerID] != l.ID || ids[l.ID] || l.Commit != commits[i] || l.Batch.Head != p.HeadSHA || l.Batch.ID != first.Batch.ID || len(l.Batch.Members) != len(fourteen) {
			s.t.Errorf("%s: the ledger has %+v of %+v, its commit says %v", name, l, l.Batch, ts)
		}
		if ref := strings.Fields(string(s.bare("log", "--first-parent", "--format=%P", state.Ref("services/"+name, "staging")))); !slices.Contains(ref, commits[i]) {
			s.t.Errorf("%s: no entry keeps its commit", name)
		}
		ids[l.ID], parent = true, commits[i]
	}
	if !strings.HasPrefix(p.Title, "staging: 14 services (accounts 1.0.0 → 2.0.0, billing 1.0.0 → 2.0.0, ") {
		s.t.Errorf("the title is %q", p.Title)
	}
	for _, name := range fourteen {
		if n := strings.Count(p.Body, "\n| `"+name+"` | "); n != 1 {
			s.t.Errorf("%s has %d rows in the text, want one:\n%s", name, n, p.Body)
		}
		if !strings.Contains(s.check(p.HeadSHA).Summary, name) {
			s.t.Errorf("the check run does not name %s: %+v", name, s.check(p.HeadSHA))
		}
	}
}

func tagged(tag string) func(string) string { return func(string) string { return shopValues(tag) } }

// TestBatchOfAnHour: nothing before the hour, one pull request at it; each
// service can later be taken back by itself.
func TestBatchOfAnHour(t *testing.T) {
	t.Parallel()
	s := batched(t)
	s.installed(2 * len(fourteen))
	early := s.released("2.0.0", fourteen[:9]...)
	s.wait("the check run says when", func() bool { return strings.Contains(s.check(early).Summary+s.check(early).Text, "11:00 UTC") })
	s.at(45)
	late := s.released("2.0.0", fourteen[9:]...)
	s.wait("the check run says when", func() bool { return strings.Contains(s.check(late).Summary+s.check(late).Text, "11:00 UTC") })
	s.settle()
	if d := cmp.Diff([]string{"baseline"}, s.story(staging("cart"))); d != "" || len(s.pulls()) > 0 {
		t.Fatalf("before the hour there is something (-want +got):\n%s%s", d, s.describe())
	}
	s.wantQuiet()

	s.at(60)
	s.wake()
	p := s.batchOpen(1)
	s.wantBatch(p, s.refs()["refs/heads/main"], tagged("2.0.0"))
	if len(s.pulls()) != 1 {
		t.Errorf("there are more pull requests:%s", s.describe())
	}
	s.wantQuiet()

	s.merge(p.Number, "merge")
	s.wait("all have landed", func() bool {
		return !slices.ContainsFunc(fourteen, func(name string) bool { return s.ledgers()[staging(name)].Landing == nil })
	})
	s.settle()
	for i, name := range fourteen {
		if d := cmp.Diff(shopValues("2.0.0"), s.read(serviceFile(name, "staging"))); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		revision := early
		if i >= 9 {
			revision = late
		}
		if l := s.ledgers()[staging(name)].Landing; l.Revision != revision || l.PullRequest != 1 || l.By != "ana" || l.Mixed() {
			t.Errorf("%s landed %+v", name, l)
		}
		if d := cmp.Diff([]string{"baseline", "claim", "opened", "landed"}, s.story(staging(name))); d != "" {
			t.Errorf("%s: the ledger (-want +got):\n%s", name, d)
		}
	}
	if _, still := s.refs()["refs/heads/"+p.Head]; still {
		t.Errorf("the branch %s is left behind", p.Head)
	}
	for _, revision := range []string{early, late} {
		if c := s.check(revision); c.Conclusion != "success" {
			t.Errorf("the revision's check run is %+v", c)
		}
	}
	s.wantQuiet()

	// One service alone is taken back, by plain git.
	own := s.ledgers()[staging("orders")].Promotion.Commit
	s.change("main", "take orders back", func(dir string) error {
		s.git(dir, "revert", "--no-commit", own)
		return nil
	})
	s.settle()
	for _, name := range fourteen {
		want := "2.0.0"
		if name == "orders" {
			want = "1.0.0"
		}
		if d := cmp.Diff(shopValues(want), s.read(serviceFile(name, "staging"))); d != "" {
			t.Errorf("%s after the revert (-want +got):\n%s", name, d)
		}
	}
	if len(s.pulls()) != 1 {
		t.Errorf("what was taken back is proposed again:%s", s.describe())
	}
	s.wantQuiet()
}

// TestBatchClosed: closing it is a word about all that is in it.
func TestBatchClosed(t *testing.T) {
	t.Parallel()
	s := batched(t)
	s.installed(2 * len(fourteen))
	s.released("2.0.0", fourteen...)
	s.at(60)
	s.wake()
	p := s.batchOpen(1)
	s.setState(p.Number, "closed")
	s.wait("all are vetoed", func() bool {
		return !slices.ContainsFunc(fourteen, func(name string) bool { return s.ledgers()[staging(name)].Promotion.Status != state.Vetoed })
	})
	s.at(125)
	s.wake()
	s.settle()
	if len(s.pulls()) != 1 {
		t.Errorf("after the veto there is more:%s", s.describe())
	}
	for _, name := range fourteen {
		if got := s.ledgers()[staging(name)].Promotion; got.By != "ana" {
			t.Errorf("%s: the veto is by %q", name, got.By)
		}
		if d := cmp.Diff([]string{"baseline", "claim", "opened", "veto"}, s.story(staging(name))); d != "" {
			t.Errorf("%s: the ledger (-want +got):\n%s", name, d)
		}
	}
	s.wantQuiet()

	// What comes after it is proposed, at the next hour: one alone as ever.
	s.released("2.1.0", "cart")
	s.at(180)
	s.wake()
	s.wait("the newer one is proposed", func() bool { return len(s.open()) == 1 })
	s.settle()
	q := s.open()[staging("cart")]
	if q.Number != 2 || !strings.HasPrefix(q.Title, "staging: cart 1.0.0 → 2.1.0") {
		t.Errorf("it is proposed by #%d %s", q.Number, q.Title)
	}
	if got := string(s.bare("diff", "--name-only", "main..."+q.HeadSHA)); got != serviceFile("cart", "staging")+"\n" {
		t.Errorf("it changes %q", got)
	}
	s.wantQuiet()
}

// TestBatchRebuilt: main changes a file of one service; the whole is built anew.
func TestBatchRebuilt(t *testing.T) {
	t.Parallel()
	s := batched(t)
	s.installed(2 * len(fourteen))
	s.released("2.0.0", fourteen...)
	s.at(60)
	s.wake()
	p := s.batchOpen(1)
	four := func(text string) string { return strings.Replace(text, "replicas: 2", "replicas: 4", 1) }
	tip := s.push("catalog: four of them", map[string]string{serviceFile("catalog", "staging"): four(shopValues("1.0.0"))})
	s.wait("it is built anew", func() bool { return s.pull(1).HeadSHA != p.HeadSHA && s.check(s.pull(1).HeadSHA).Title != "" })
	q := s.batchOpen(1)
	s.wantBatch(q, tip, func(name string) string {
		if name == "catalog" {
			return four(shopValues("2.0.0"))
		}
		return shopValues("2.0.0")
	})
	for _, name := range fourteen {
		l := s.ledgers()[staging(name)].Promotion
		if l.Batch.Build != 2 || len(l.Attempts) != 1 || l.Attempts[0].To != tip {
			t.Errorf("%s: build %d, attempts %+v", name, l.Batch.Build, l.Attempts)
		}
	}
	if !strings.Contains(q.Body, "Built 2 times") || !strings.Contains(q.Body, tip[:10]) || !strings.Contains(s.check(q.HeadSHA).Summary, tip[:10]) {
		t.Errorf("the record does not tell of it:\n%s\n%+v", q.Body, s.check(q.HeadSHA))
	}
	s.wantQuiet()
	s.merge(1, "rebase")
	s.wait("all have landed", func() bool {
		return !slices.ContainsFunc(fourteen, func(name string) bool { return s.ledgers()[staging(name)].Landing == nil })
	})
	for _, name := range fourteen {
		if l := s.ledgers()[staging(name)].Landing; l.Mixed() || l.Method != "rebase" {
			t.Errorf("%s landed %+v", name, l)
		}
	}
	s.wantQuiet()
}

// TestBatchKilled: the process dies after the entries have been pushed and
// before the pull request is recorded. The next one finds what there is.
func TestBatchKilled(t *testing.T) {
	for name, c := range map[string]struct {
		after bool // the request has its effect, and nobody hears of it
		dies  func(r *http.Request, pushes int) bool
	}{
		"after the entries": {true, func(_ *http.Request, pushes int) bool { return pushes == 1 }},
		"at the branch":     {true, func(_ *http.Request, pushes int) bool { return pushes == 2 }},
		"before the pull request": {false, func(r *http.Request, _ int) bool {
			return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pulls")
		}},
		"at the pull request": {true, func(r *http.Request, _ int) bool {
			return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pulls")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := batched(t)
			first := s.startChild()
			s.wait("every environment has its baseline", func() bool { return len(s.ledgers()) == 2*len(fourteen) })
			s.settle()
			s.released("2.0.0", fourteen...)
			s.settle()
			first.kill()

			s.at(60)
			var mu sync.Mutex
			var victim *child
			pushes, killed := 0, make(chan struct{})
			hook := s.sim.OnRequest
			if c.after {
				hook = s.sim.OnEffect
			}
			started := make(chan struct{})
			remove := hook(func(r *http.Request) {
				if user, _, _ := r.BasicAuth(); user != "x-access-token" && !strings.HasPrefix(r.UserAgent(), "promobot") {
					return
				}
				<-started
				mu.Lock()
				defer mu.Unlock()
				select {
				case <-killed:
					panic(http.ErrAbortHandler) // it is dead: what it asked for gets nowhere
				default:
				}
				if strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
					pushes++
				}
				if c.dies(r, pushes) {
					victim.kill()
					close(killed)
					panic(http.ErrAbortHandler)
				}
			})
			victim = s.startChild()
			close(started)
			s.wait("it is killed", func() bool {
				select {
				case <-killed:
					return true
				default:
					return false
				}
			})
			remove()
			if d := cmp.Diff([]string{"baseline", "claim"}, s.story(staging("stock"))); d != "" {
				t.Fatalf("the ledger, when it was killed (-want +got):\n%s", d)
			}
			s.ahead.Add(int64(promotion.Bound + time.Second))
			s.startChild()
			p := s.batchOpen(1)
			s.wantBatch(p, s.refs()["refs/heads/main"], tagged("2.0.0"))
			if len(s.pulls()) != 1 {
				t.Errorf("there are more pull requests:%s", s.describe())
			}
			for _, name := range fourteen {
				if n := len(slices.DeleteFunc(s.story(staging(name)), func(kind string) bool { return kind != "claim" })); n != 1 {
					t.Errorf("%s was claimed %d times", name, n)
				}
			}
		})
	}
}
