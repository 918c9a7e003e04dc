package main

// What people do to promobot's pull requests, and what it makes of it.

import (
	"strings"
	"testing"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

const shopPropose = `version: 1
environments:
  dev:  {verify: none}
  prod: {from: dev}
pipelines:
  shop:
    path: envs/$env
    promote: {values: image.tag, in: values.yaml}
`

const shopProd = "shop/prod"

// shop is a small repository, installed and at rest.
func shop(t *testing.T, pipeline string) *scene {
	t.Helper()
	s := newScene(t, sceneOptions{files: shopFiles(pipeline, "dev", "prod")})
	s.installed(2)
	return s
}

func (s *scene) release(tag string) (revision string) {
	s.t.Helper()
	return s.push("dev: "+tag, map[string]string{"envs/dev/values.yaml": shopValues(tag)})
}

// proposed waits for an open pull request that shows a revision, also on its
// check run.
func (s *scene) proposed(revision string) githubsim.PullState {
	s.t.Helper()
	s.wait("a pull request shows it", func() bool {
		p, there := s.open()[shopProd]
		return there && state.ParseTrailers(p.Body)[state.TrailerRevision] == revision && s.check(p.HeadSHA).Title != ""
	})
	s.settle()
	return s.open()[shopProd]
}

// wantNoMore checks that at rest there are so many promotion pull requests, and
// none of them open.
func (s *scene) wantNoMore(n int) {
	s.t.Helper()
	s.settle()
	if ps := s.promotions()[shopProd]; len(ps) != n || len(s.open()) > 0 {
		s.t.Fatalf("%d pull requests, %d open; want %d, none open:%s", len(ps), len(s.open()), n, s.describe())
	}
}

func (s *scene) status() state.Status {
	s.t.Helper()
	if p := s.ledgers()[shopProd].Promotion; p != nil {
		return p.Status
	}
	return ""
}

func TestPersonClosesAndReopens(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	first := s.release("2.0.0")
	p := s.proposed(first)
	s.setState(p.Number, "closed")
	s.wait("the veto is recorded", func() bool { return s.status() == state.Vetoed })
	s.wantNoMore(1)
	if got := s.ledgers()[shopProd].Promotion.By; got != "ana" {
		t.Errorf("the veto is by %q, want ana", got)
	}
	if c := s.check(first); c.Conclusion != "neutral" || !strings.Contains(c.Title, "rejected") {
		t.Errorf("the revision's check run is %+v", c)
	}
	// Whatever wakes it, the same is not proposed again.
	s.push("unrelated", map[string]string{"README.md": "a shop\n"})
	s.wantNoMore(1)

	s.setState(p.Number, "open")
	s.wait("the reopening is recorded", func() bool { return s.status() == state.Opened })
	s.settle()
	s.setState(p.Number, "closed")
	s.wait("the second veto is recorded", func() bool { return s.status() == state.Vetoed })

	// Something newer is.
	second := s.proposed(s.release("2.1.0"))
	if second.Number == p.Number || len(s.promotions()[shopProd]) != 2 {
		t.Errorf("the newer one is proposed by #%d:%s", second.Number, s.describe())
	}
	s.merge(second.Number, "merge")
	s.wait("it is recorded", func() bool { return s.status() == state.Landed })
	if got := s.read("envs/prod/values.yaml"); got != shopValues("2.1.0") {
		t.Errorf("prod has\n%s", got)
	}
}

func TestPersonPushesToTheBranch(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	p := s.proposed(s.release("2.0.0"))
	head := s.change(p.Head, "two more replicas", func(dir string) error {
		return writeFiles(dir, map[string]string{"envs/prod/values.yaml": strings.Replace(shopValues("2.0.0"), "replicas: 2", "replicas: 4", 1)})
	})
	s.wait("the check run says whose it is", func() bool { return s.check(head).Title != "" })
	if c := s.check(head); c.Conclusion != "failure" || !strings.Contains(c.Title, "pushed") {
		t.Errorf("its check run is %+v", c)
	}
	// Something newer leaves it alone too.
	s.release("2.1.0")
	s.settle()
	if got := s.pull(p.Number); got.HeadSHA != head || !got.Open || got.Body != p.Body {
		t.Errorf("#%d was touched: %+v", p.Number, got)
	}
	s.merge(p.Number, "merge")
	s.wait("the landing is recorded", func() bool { return s.ledgers()[shopProd].Landing != nil })
	s.settle()
	l := s.ledgers()[shopProd]
	if got := s.read("envs/prod/values.yaml"); !strings.Contains(got, "replicas: 4") {
		t.Errorf("prod has\n%s", got)
	}
	if l.Landing.By != "ana" || l.Landing.PullRequest != p.Number {
		t.Errorf("landed %+v", l.Landing)
	}
	// And now the newer one goes on, with what she added.
	s.wait("the newer one is proposed", func() bool { return len(s.promotions()[shopProd]) == 2 })
	s.settle()
	s.merge(s.open()[shopProd].Number, "merge")
	s.wait("it has landed", func() bool { return strings.Contains(s.read("envs/prod/values.yaml"), "2.1.0") })
	if got := s.read("envs/prod/values.yaml"); !strings.Contains(got, "replicas: 4") {
		t.Errorf("prod has\n%s", got)
	}
}

func TestPersonDeletesTheBranch(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	p := s.proposed(s.release("2.0.0"))
	s.git(s.clone(), "push", "-q", "origin", ":refs/heads/"+p.Head)
	s.wait("it counts as closed", func() bool { return s.status() == state.Vetoed })
	s.wantNoMore(1)
	if _, again := s.refs()["refs/heads/"+p.Head]; again {
		t.Errorf("%s was made again", p.Head)
	}
	s.proposed(s.release("2.1.0"))
}

func TestNewerMovesThePullRequestOn(t *testing.T) {
	t.Parallel()
	s := shop(t, shopPropose)
	p := s.proposed(s.release("2.0.0"))
	newer := s.release("2.1.0")
	q := s.proposed(newer)
	if q.Number != p.Number || q.Head != p.Head || q.HeadSHA == p.HeadSHA {
		t.Errorf("#%d of %s at %s, was #%d of %s at %s", q.Number, q.Head, q.HeadSHA, p.Number, p.Head, p.HeadSHA)
	}
	if !strings.HasSuffix(q.Title, "1.0.0 → 2.1.0") || !strings.Contains(q.Body, "2.1.0") {
		t.Errorf("the text still shows the older one: %s\n%s", q.Title, q.Body)
	}
	s.merge(q.Number, "squash")
	s.wait("it has landed", func() bool { return s.landed(newer, shopProd) })
	s.wantNoMore(1)
	if got := s.read("envs/prod/values.yaml"); got != shopValues("2.1.0") {
		t.Errorf("prod has\n%s", got)
	}
}

// TestPersonRevertsByHand: what she took back is not promoted again, and what
// comes after it waits until she says so.
func TestPersonRevertsByHand(t *testing.T) {
	t.Parallel()
	s := shop(t, shopAuto)
	revision := s.release("2.0.0")
	s.wait("it has landed", func() bool { return s.landed(revision, shopProd) })
	s.settle()
	landing := s.ledgers()[shopProd].Landing.Commit
	s.change("main", "take it back", func(dir string) error {
		s.git(dir, "revert", "--no-commit", "-m1", landing)
		return nil
	})
	s.wantNoMore(1)
	if got := s.read("envs/prod/values.yaml"); got != shopValues("1.0.0") {
		t.Fatalf("prod has\n%s", got)
	}
	if h := s.ledgers()[shopProd].Hold; h == nil || !strings.Contains(h.Reason, "taken back") {
		t.Errorf("prod is held: %+v", h)
	}
	newer := s.release("2.1.0")
	s.wantNoMore(1)
	s.comments(1, "/promobot resume prod")
	s.wait("it has landed", func() bool { return s.landed(newer, shopProd) })
	if got := s.read("envs/prod/values.yaml"); got != shopValues("2.1.0") {
		t.Errorf("prod has\n%s", got)
	}
}
