package main

// What happens to a pull request that stands open: its base moves, someone
// pushes to it, something newer comes.

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/state"
)

// TestBaseMovesUnderAPullRequest: ana changes the line beside the promoted one,
// which no merge can do; the branch is built anew on main, and says so.
func TestBaseMovesUnderAPullRequest(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	revision := s.release("2.0.0")
	p := s.proposed(revision)
	before := s.ledgers()[shopProd].Promotion
	four := func(text string) string { return strings.Replace(text, "replicas: 2", "replicas: 4", 1) }
	tip := s.push("prod: four of them", map[string]string{"envs/prod/values.yaml": four(shopValues("1.0.0"))})
	s.wait("the branch is built anew", func() bool { return s.pull(p.Number).HeadSHA != p.HeadSHA })
	s.wait("its check run says so", func() bool { return s.check(s.pull(p.Number).HeadSHA).Title != "" })
	s.settle()

	q := s.pull(p.Number)
	if parent := strings.TrimSpace(string(s.bare("log", "-1", "--format=%P", q.HeadSHA))); parent != tip {
		t.Errorf("it stands on %s, want main's tip %s", parent, tip)
	}
	if d := cmp.Diff(four(shopValues("2.0.0")), string(s.bare("cat-file", "blob", q.HeadSHA+":envs/prod/values.yaml"))); d != "" {
		t.Errorf("the head (-want +got):\n%s", d)
	}
	if got := string(s.bare("diff-tree", "-r", "--name-only", "--no-commit-id", q.HeadSHA)); got != "envs/prod/values.yaml\n" {
		t.Errorf("it changes %q", got)
	}
	after := s.ledgers()[shopProd].Promotion
	if after.ID != before.ID || after.PullRequest != p.Number || after.Rebuild != 1 || after.Base != tip {
		t.Errorf("the promotion was %+v\nand is %+v", before, after)
	}
	if as := after.Attempts; len(as) != 1 || as[0].From != before.Base || as[0].To != tip || as[0].Why == "" {
		t.Errorf("attempts %+v, want one from %.10s to %.10s", as, before.Base, tip)
	}
	for what, text := range map[string]string{"text": q.Body, "check run": s.check(q.HeadSHA).Summary} {
		if !strings.Contains(text, "Built anew") || !strings.Contains(text, before.Base[:10]) || !strings.Contains(text, tip[:10]) {
			t.Errorf("the %s does not tell of the attempt:\n%s", what, text)
		}
	}
	if d := cmp.Diff([]string{"baseline", "claim", "opened", "claim"}, s.story(shopProd)); d != "" {
		t.Errorf("the ledger (-want +got):\n%s", d)
	}
	s.wantQuiet()

	s.merge(p.Number, "rebase")
	s.wait("it has landed", func() bool { return s.landed(revision, shopProd) })
	if d := cmp.Diff(four(shopValues("2.0.0")), s.read("envs/prod/values.yaml")); d != "" {
		t.Errorf("prod (-want +got):\n%s", d)
	}
	s.wantNoMore(1)
	s.wantQuiet()
}

// TestPersonPushesWhileItIsBuiltAnew: her push arrives exactly between
// promobot's look at the branch and its own push there, which has a lease on
// what it saw. What she pushed stays, and so does the pull request.
func TestPersonPushesWhileItIsBuiltAnew(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	p := s.proposed(s.release("2.0.0"))
	claimed := s.refs()[state.Ref("shop", "prod")]
	var hers atomic.Value
	defer s.when(true, func() {
		refs, err := s.sim.Refs(s.full())
		if err != nil || hers.Load() != nil || refs[state.Ref("shop", "prod")] == claimed {
			return // only the push that comes after the ledger's is the branch's
		}
		text := strings.Replace(shopValues("2.0.0"), "replicas: 2", "replicas: 9", 1)
		head, err := s.sim.Commit(t.Context(), s.full(), "ana", p.Head, "nine of them", map[string]*string{"envs/prod/values.yaml": &text})
		if err != nil {
			t.Errorf("ana's push: %v", err)
		}
		hers.Store(head)
	})()
	s.push("prod: four of them", map[string]string{"envs/prod/values.yaml": strings.Replace(shopValues("1.0.0"), "replicas: 2", "replicas: 4", 1)})
	s.wait("she has pushed, and the check run says whose it is", func() bool {
		head, _ := hers.Load().(string)
		return head != "" && s.check(head).Conclusion == "failure"
	})
	s.settle()
	head, _ := hers.Load().(string)
	if q := s.pull(p.Number); q.HeadSHA != head || !q.Open || len(s.pulls()) != 1 {
		t.Errorf("#%d is at %s (open: %v), want it left at hers, %s: %s", p.Number, q.HeadSHA, q.Open, head, s.describe())
	}
	if c := s.check(head); !strings.Contains(c.Title, "pushed") {
		t.Errorf("its check run is %+v", c)
	}
	s.wantQuiet()
}

// TestNewerSupersedes: the older pull request is closed and names the one that
// goes on.
func TestNewerSupersedes(t *testing.T) {
	t.Parallel()
	s := shop(t, strings.Replace(shopPropose, "{from: dev}", "{from: dev, newer: supersede}", 1))
	p := s.proposed(s.release("2.0.0"))
	newer := s.release("2.1.0")
	q := s.proposed(newer)
	s.wait("the older one names it", func() bool { return strings.HasPrefix(s.pull(p.Number).Body, "**Superseded by #") })
	s.settle()
	old := s.pull(p.Number)
	if old.Open || old.Merged || old.ClosedBy != sceneBot || !strings.HasPrefix(old.Body, "**Superseded by #2**") || !strings.HasSuffix(old.Body, p.Body) || old.Title != p.Title {
		t.Errorf("the older one is open %v, merged %v, closed by %q:\n%s", old.Open, old.Merged, old.ClosedBy, old.Body)
	}
	if q.Number != 2 || q.Head == p.Head || q.HeadSHA == p.HeadSHA || !strings.HasSuffix(q.Title, "1.0.0 → 2.1.0") {
		t.Errorf("the newer one is %+v", q)
	}
	if d := cmp.Diff(shopValues("2.1.0"), string(s.bare("cat-file", "blob", q.HeadSHA+":envs/prod/values.yaml"))); d != "" {
		t.Errorf("its head (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"baseline", "claim", "opened", "closing", "closed", "claim", "opened"}, s.story(shopProd)); d != "" {
		t.Errorf("the ledger (-want +got):\n%s", d)
	}
	if got := s.ledgers()[shopProd].Promotion; got.Supersedes != 1 || got.Attempt != 1 || got.Revision != newer {
		t.Errorf("the promotion is %+v", got)
	}
	s.wantQuiet()
	s.merge(q.Number, "squash")
	s.wait("it has landed", func() bool { return s.landed(newer, shopProd) })
	if d := cmp.Diff(shopValues("2.1.0"), s.read("envs/prod/values.yaml")); d != "" {
		t.Errorf("prod (-want +got):\n%s", d)
	}
	s.wantNoMore(2)
	s.wantQuiet()
}

// TestNewerQueues: three versions, one after the other, none left out.
func TestNewerQueues(t *testing.T) {
	t.Parallel()
	s := shop(t, strings.Replace(shopPropose, "{from: dev}", "{from: dev, newer: queue}", 1))
	tags := []string{"2.0.0", "2.1.0", "2.2.0"}
	var revisions []string
	for _, tag := range tags {
		revisions = append(revisions, s.release(tag))
	}
	for i, revision := range revisions {
		p := s.proposed(revision)
		if p.Number != i+1 || !strings.HasSuffix(p.Title, "→ "+tags[i]) {
			t.Errorf("%s is proposed by #%d %s", tags[i], p.Number, p.Title)
		}
		if i+1 < len(tags) {
			if c := s.check(revisions[i+1]); c.Conclusion == "success" {
				t.Errorf("%s has not had its turn, and its check run is %+v", tags[i+1], c)
			}
		}
		s.wantQuiet()
		s.merge(p.Number, []string{"merge", "squash", "rebase"}[i])
		s.wait("it has landed", func() bool { return s.landed(revision, shopProd) })
		if d := cmp.Diff(shopValues(tags[i]), s.read("envs/prod/values.yaml")); d != "" {
			t.Errorf("prod (-want +got):\n%s", d)
		}
	}
	s.wantNoMore(3)
	way := slices.Repeat([]string{"claim", "opened", "landed"}, len(tags))
	if d := cmp.Diff(append([]string{"baseline"}, way...), s.story(shopProd)); d != "" {
		t.Errorf("the ledger (-want +got):\n%s", d)
	}
	for _, revision := range revisions {
		if c := s.check(revision); c.Conclusion != "success" {
			t.Errorf("%.10s: its check run is %+v", revision, c)
		}
	}
	s.wantQuiet()
}
