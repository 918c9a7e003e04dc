package promotion_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// services is a snapshot of pipelines a, b and c, each with something offered
// to its staging, gathered hourly.
func services() *promotion.Snapshot {
	s := quiet()
	s.Environments = nil
	for _, name := range []string{"a", "b", "c"} {
		one := offered()
		for _, o := range one.Environments[:2] {
			o.Key.Pipeline, o.Pipeline = name, &config.Pipeline{Key: name, Title: name}
			o.Ledger.Ref = state.Ref(name, o.Key.Environment)
			o.Config.Batch = config.Batch{Hourly: o.Key.Environment == "staging"}
			for i := range o.Landings {
				o.Landings[i].Time = now.Add(-time.Minute)
			}
			s.Environments = append(s.Environments, o)
		}
	}
	return s
}

// gathered has them claimed and open as one.
func gathered(t *testing.T) *promotion.Snapshot {
	t.Helper()
	s := services()
	for i, d := range promotion.Decide(s) {
		c, ok := d.Action.(promotion.Claim)
		if !ok {
			continue
		}
		p := c.Promotion
		p.Status, p.PullRequest, p.Commit, p.Claimed, p.Base = state.Opened, 7, fmt.Sprint("p", i), now.Add(-5*time.Minute), "d"
		p.Batch.Head = "head"
		o := &s.Environments[i]
		o.Ledger.State.Promotion = &p
		o.Head = "head"
		o.Pull = &promotion.PullRequest{
			Number: 7, Open: true, Base: "main", Head: "head", ByApp: true, Mergeable: "clean",
			Body: state.FormatTrailers([]state.Trailer{{Key: state.TrailerBatch, Value: p.Batch.Name()}}),
		}
	}
	return s
}

func decided(s *promotion.Snapshot) string {
	var b strings.Builder
	for _, d := range promotion.Decide(s) {
		if d.Key.Environment != "staging" {
			continue
		}
		what := fmt.Sprintf("%T", d.Action)
		switch a := d.Action.(type) {
		case promotion.Append:
			what = string(a.Kind)
		case promotion.Claim:
			what = "claim"
			if a.Moves {
				what = fmt.Sprint("rebuild of ", len(a.Promotion.Batch.Members))
			}
		case promotion.Carry, promotion.Advance, promotion.Merge, promotion.Close, promotion.Deliver, promotion.HandOver, promotion.TakeBack, promotion.Recover:
		}
		fmt.Fprintf(&b, "%s:%s ", d.Key.Pipeline, strings.TrimPrefix(what, "promotion."))
	}
	return strings.TrimSpace(b.String())
}

func TestBatches(t *testing.T) {
	of := func(s *promotion.Snapshot, name string) *promotion.Observed {
		for i := range s.Environments {
			if s.Environments[i].Key == (promotion.Key{Pipeline: name, Environment: "staging"}) {
				return &s.Environments[i]
			}
		}
		panic(name)
	}
	end := func(o *promotion.Observed, how state.Status) { o.Ledger.State.Promotion.Status = how }
	for name, c := range map[string]struct {
		snapshot *promotion.Snapshot
		change   func(s *promotion.Snapshot)
		want     string
	}{
		"together when due": {services(), nil, "a:claim b:claim c:claim"},
		"what landed later waits": {services(), func(s *promotion.Snapshot) {
			s.Environments[2].Landings[0].Time = now.Add(time.Minute)
		}, "a:claim b:<nil> c:claim"},
		"one batch each time": {services(), func(s *promotion.Snapshot) {
			of(s, "a").Ledger.State.Promotion = &state.Promotion{Status: state.Landed, Batch: &state.Batch{Formed: now}}
		}, "a:<nil> b:<nil> c:<nil>"},
		"the next batch after it": {services(), func(s *promotion.Snapshot) {
			of(s, "a").Ledger.State.Promotion = &state.Promotion{Status: state.Landed, Batch: &state.Batch{Formed: now.Add(-time.Second)}}
		}, "a:claim b:claim c:claim"},
		"a batch counts once":       {services(), func(s *promotion.Snapshot) { s.Limits.Open, s.Limits.PerHour = 1, 1 }, "a:claim b:claim c:claim"},
		"a limit holds all of it":   {services(), func(s *promotion.Snapshot) { s.Limits.Open = 0 }, "a:<nil> b:<nil> c:<nil>"},
		"merged once, by the first": {gathered(t), nil, "a:Merge b:<nil> c:<nil>"},
		"merged only when all may be": {gathered(t), func(s *promotion.Snapshot) {
			of(s, "b").Ledger.State.Hold = &state.Hold{Reason: "stop"}
		}, "a:<nil> b:<nil> c:<nil>"},
		"what is newer goes with the next one": {gathered(t), func(s *promotion.Snapshot) {
			s.Environments[0].Landings = append([]promotion.Landing{landing("f", 0, "qa")}, s.Environments[0].Landings...)
		}, "a:Merge b:<nil> c:<nil>"},
		"closed by a person, all are refused": {gathered(t), func(s *promotion.Snapshot) {
			for _, n := range []string{"a", "b", "c"} {
				of(s, n).Pull.Open = false
			}
		}, "a:veto b:veto c:veto"},
		"one taken out, the rest is built anew":         {gathered(t), func(s *promotion.Snapshot) { end(of(s, "b"), state.Vetoed) }, "a:rebuild of 2 b:<nil> c:rebuild of 2"},
		"the first taken out":                           {gathered(t), func(s *promotion.Snapshot) { end(of(s, "a"), state.Vetoed) }, "a:<nil> b:rebuild of 2 c:rebuild of 2"},
		"one that the base touched, all are built anew": {gathered(t), func(s *promotion.Snapshot) { of(s, "c").Touched = true }, "a:rebuild of 3 b:rebuild of 3 c:rebuild of 3"},
		"one that is there already drops out":           {gathered(t), func(s *promotion.Snapshot) { of(s, "c").Content = &content.Result{} }, "a:<nil> b:<nil> c:closed"},
		"all are there already": {gathered(t), func(s *promotion.Snapshot) {
			for _, n := range []string{"a", "b", "c"} {
				of(s, n).Content = &content.Result{}
			}
		}, "a:closing b:closing c:closing"},
		"a claim that its maker left is carried on once": {gathered(t), func(s *promotion.Snapshot) {
			for _, n := range []string{"a", "b", "c"} {
				o := of(s, n)
				o.Ledger.State.Promotion.Status, o.Ledger.State.Promotion.PullRequest, o.Pull, o.Looked = state.Claimed, 0, nil, true
			}
		}, "a:Carry b:<nil> c:<nil>"},
		"its pull request is recorded of each": {gathered(t), func(s *promotion.Snapshot) {
			for _, n := range []string{"a", "b", "c"} {
				o := of(s, n)
				o.Candidates = []promotion.PullRequest{*o.Pull}
				o.Ledger.State.Promotion.Status, o.Ledger.State.Promotion.PullRequest, o.Pull = state.Claimed, 0, nil
			}
		}, "a:opened b:opened c:opened"},
		"someone pushed to it": {gathered(t), func(s *promotion.Snapshot) {
			for _, n := range []string{"a", "b", "c"} {
				of(s, n).Head = "theirs"
			}
		}, "a:<nil> b:<nil> c:<nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change != nil {
				c.change(c.snapshot)
			}
			if got := decided(c.snapshot); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	s := services()
	ds := promotion.Decide(s)
	a, _ := ds[1].Action.(promotion.Claim)
	b, _ := ds[3].Action.(promotion.Claim)
	if a.Promotion.Branch != b.Promotion.Branch || a.Promotion.Batch.ID != b.Promotion.Batch.ID || a.Promotion.ID == b.Promotion.ID {
		t.Errorf("one branch, one batch, two promotions: %+v %+v", a.Promotion, b.Promotion)
	}
	if _, environment, ok := state.ParseBranch(a.Promotion.Branch); !ok || environment != "staging" {
		t.Errorf("branch %s", a.Promotion.Branch)
	}
}
