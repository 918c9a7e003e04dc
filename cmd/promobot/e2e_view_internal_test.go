package main

// What pages, API and terminal are shown of a repository, as the real program
// keeps it: after a promotion, over a restart, and when GitHub does not answer.

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

// shown is what is kept to be shown of the scene's repository; nil when nothing is.
func (s *scene) shown() *view.Repository {
	s.t.Helper()
	all, err := s.program.views.Repositories(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range all {
		if all[i].Name == s.name {
			return &all[i]
		}
	}
	return nil
}

// shownOf is one environment of what is shown.
func (s *scene) shownOf(name string) view.Environment {
	s.t.Helper()
	if v := s.shown(); v != nil {
		for _, p := range v.Pipelines {
			for _, e := range p.Environments {
				if e.Name == name {
					return e
				}
			}
		}
	}
	return view.Environment{}
}

// TestWhatIsShown: a proposed and a landed promotion, and that what was shown is
// there when the program starts anew and GitHub does not answer.
func TestWhatIsShown(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(shopPropose, "dev", "prod")})
	s.installed(2)
	revision := s.release("2.0.0")
	pull := s.proposed(revision)
	s.wait("it is shown", func() bool { return s.shownOf("prod").Needs == "merge or close #1" })
	e := s.shownOf("prod")
	if e.Promotion == nil || e.Promotion.PullRequest != pull.Number || e.Behind != 1 || e.Offered == nil || e.Offered.Title != "2.0.0" || !e.Production {
		t.Errorf("proposed: %+v", e)
	}
	if d := cmp.Diff([]view.Change{{File: "envs/prod/values.yaml", Value: "image.tag", Now: "1.0.0", After: "2.0.0"}}, e.Promotion.Changes); d != "" {
		t.Errorf("its changes (-want +got):\n%s", d)
	}
	s.merge(pull.Number, "merge")
	s.wait("the landing is shown", func() bool { c := s.shownOf("prod").Current; return c != nil && c.Revision == revision })
	e = s.shownOf("prod")
	if e.Needs != "" || e.Behind != 0 || e.Current.By != "ana" || e.Current.PullRequest != pull.Number || len(e.Entries) != e.Sequence {
		t.Errorf("landed: %+v", e)
	}
	s.settle()
	s.stop()
	s.sim.Inject(githubsim.Fault{Path: "/repos/*/gitops", Effect: githubsim.BadGateway()})
	s.start()
	if d := cmp.Diff(e.Current, s.shownOf("prod").Current, cmpopts.EquateApproxTime(time.Second)); d != "" {
		t.Errorf("what is shown before the program has looked (-before +after):\n%s", d)
	}
	s.wait("that GitHub does not answer is shown", func() bool { return s.shown().Error != "" })
	if got := s.shownOf("prod"); got.Current == nil || got.Current.Revision != revision {
		t.Errorf("what was seen before is gone: %+v", got)
	}
}

// TestPromotionsBefore: those before the newest are shown as they ended, with what
// they changed; and again from the ledger alone when everything else is gone.
func TestPromotionsBefore(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(shopPropose, "dev", "prod")})
	s.installed(2)
	first := s.proposed(s.release("2.0.0"))
	s.wait("its changes are shown", func() bool {
		p := s.shownOf("prod").Promotion
		return p != nil && p.PullRequest == first.Number && len(p.Changes) == 1
	})
	s.merge(first.Number, "merge")
	s.wait("the landing is shown", func() bool { c := s.shownOf("prod").Current; return c != nil && c.PullRequest == first.Number })
	landed := s.shownOf("prod").Current
	vetoed := s.proposed(s.release("2.1.0"))
	s.setState(vetoed.Number, "closed")
	s.wait("it is seen to be closed", func() bool {
		p := s.shownOf("prod").Promotion
		return p != nil && p.PullRequest == vetoed.Number && p.Status == string(state.Vetoed)
	})
	s.proposed(s.release("2.2.0"))
	before := func() []view.Promotion {
		if e := s.shownOf("prod"); e.Promotion != nil && e.Promotion.PullRequest > vetoed.Number {
			return e.Earlier
		}
		return nil
	}
	s.wait("two are before the newest", func() bool { return len(before()) == 2 })
	got := before()
	if p := got[0]; p.PullRequest != vetoed.Number || p.Status != string(state.Vetoed) || p.By != "ana" || p.Landed != "" || p.Ended.IsZero() {
		t.Errorf("the vetoed one: %+v", p)
	}
	if p := got[1]; p.PullRequest != first.Number || p.Status != string(state.Landed) || p.Landed != landed.Commit || p.Title != first.Title || len(p.Changes) != 1 {
		t.Errorf("the landed one: %+v", p)
	}
	s.settle()
	s.stop()
	s.forget()
	s.start()
	s.wait("they are shown again", func() bool { return len(before()) == 2 })
	for i := range got { // what it changed and its title on GitHub stand in no ledger
		got[i].Changes, got[i].Title = nil, ""
	}
	again := before()
	for i := range again {
		again[i].Title = ""
	}
	if d := cmp.Diff(got, again); d != "" {
		t.Errorf("from the ledger alone (-before +after):\n%s", d)
	}
}

// TestShadowScore: in observe people promote by hand, and take it back; what auto
// would have done is scored by the bytes that they wrote.
func TestShadowScore(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(strings.Replace(shopPropose, "prod: {from: dev}", "prod: {from: dev, mode: observe}", 1), "dev", "prod")})
	s.installed(2)
	score := func() view.Shadow {
		if e := s.shownOf("prod").Shadow; e != nil {
			return *e
		}
		return view.Shadow{}
	}
	s.release("2.0.0")
	s.wait("the offer is noted", func() bool { return score().Open == 1 })
	before := s.read("envs/prod/values.yaml")
	s.push("prod: 2.0.0 by hand", map[string]string{"envs/prod/values.yaml": strings.Replace(before, "1.0.0", "2.0.0", 1)})
	s.wait("that is what auto would have done", func() bool { return score().Same == 1 })
	s.push("prod: back", map[string]string{"envs/prod/values.yaml": before})
	s.wait("it is taken back", func() bool { return score().Reverted == 1 })
	s.settle()
	s.stop()
	s.start()
	if got := score(); got.Offered != 1 || got.Reverted != 1 {
		t.Errorf("after a restart it is %+v", got)
	}
}

// TestWhatIsGoneIsNotShown: a repository that no installation has any more, once
// all are listed; and one that GitHub does not find.
func TestWhatIsGoneIsNotShown(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(shopPropose, "dev", "prod")})
	p := s.presser()
	p.look()
	other := view.Repository{Version: view.Version, ID: 999, Owner: sceneOwner, Name: "left", At: s.now()}
	put := func() {
		t.Helper()
		if err := p.parts.Views.Put(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		s.ahead.Add(int64(time.Second))
	}
	names := func() (names []string) {
		t.Helper()
		all, err := p.parts.Views.Repositories(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			names = append(names, all[i].Name)
		}
		return names
	}
	sweep := func() error {
		installations, err := p.parts.App.Installations(t.Context())
		for _, id := range installations {
			_, failed := p.parts.App.Repositories(t.Context(), id)
			err = errors.Join(err, failed)
		}
		return err
	}
	put()
	remove := s.sim.Inject(githubsim.Fault{Path: "/installation/repositories", Effect: githubsim.BadGateway()})
	if err := sweep(); err == nil {
		t.Fatal("the list of repositories can be read")
	}
	remove()
	if d := cmp.Diff([]string{s.name, "left"}, names()); d != "" {
		t.Errorf("after a list that was not whole (-want +got):\n%s", d)
	}
	if err := sweep(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{s.name}, names()); d != "" {
		t.Errorf("after a whole one (-want +got):\n%s", d)
	}
	s.sim.Inject(githubsim.Fault{Path: "/repos/*/gitops", Effect: githubsim.Failed(404)})
	if _, err := p.parts.Reconcile(t.Context(), p.at); !errors.Is(err, promotion.ErrNotFound) {
		t.Fatalf("looking at what GitHub does not find: %v", err)
	}
	if got := names(); len(got) != 0 {
		t.Errorf("after a look at what GitHub does not find: %v", got)
	}
}
