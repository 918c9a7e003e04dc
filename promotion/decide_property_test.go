package promotion_test

// What holds for every decision, on snapshots put together at random.

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

var compareSnapshots = cmp.Options{
	cmp.AllowUnexported(promotion.Chain{}), cmpopts.IgnoreUnexported(promotion.Snapshot{}), cmpopts.EquateEmpty(),
}

// drawn is a pipeline qa → staging → prod, prod after staging and now and then
// from both, in any condition that observing could find.
func drawn(t *rapid.T) *promotion.Snapshot {
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	yes := func(label string) bool { return rapid.Bool().Draw(t, label) }
	rarely := func(label string) bool { return rapid.IntRange(0, 7).Draw(t, label) == 0 }
	s := quiet()
	s.Repository.Archived = rarely("archived")
	s.Limits.Open, s.Limits.PerHour = rapid.IntRange(0, 3).Draw(t, "limits.open"), rapid.IntRange(0, 3).Draw(t, "limits.per_hour")
	at(s, "prod").Config.After = []string{"staging"}
	if yes("two upstreams") {
		at(s, "prod").Config.From = []string{"staging", "qa"}
	}
	for i := range s.Environments {
		o := &s.Environments[i]
		name := o.Key.Environment
		o.Config.Mode = rapid.SampledFrom([]config.Mode{config.Observe, config.Propose, config.Auto}).Draw(t, name+" mode")
		o.Config.Deliver = rapid.SampledFrom([]config.Deliver{config.ByPullRequest, config.ByPush}).Draw(t, name+" deliver")
		o.Config.Merge = rapid.SampledFrom([]config.MergeBy{config.MergeByPromobot, config.MergeByGitHub, config.MergeByQueue}).Draw(t, name+" merge")
		o.Config.Newer = rapid.SampledFrom([]config.Newer{config.NewerUpdates, config.NewerSupersedes, config.NewerQueues}).Draw(t, name+" newer")
		o.Config.Present, o.Config.Limit = !rarely(name+" absent"), rapid.IntRange(0, 2).Draw(t, name+" limit")
		if rarely(name + " doubt") {
			o.Doubts = []string{"a read failed"}
		}
		for index := range s.Chain.Commits[:4] { // above the baseline b
			if yes(fmt.Sprint(name, " landing ", index)) {
				l := landing(s.Chain.Commits[index].ID, index, name)
				if yes("a promotion's") {
					l.Promotion, l.Revision, l.Origin = "p", pick("revision", "c", "d", "e"), "qa"
				}
				o.Landings = append(o.Landings, l)
			}
		}
		switch {
		case rarely(name + " ledger to mend"):
			o.Ledger.State, o.Ledger.Problem = nil, "mend it"
			continue
		case rarely(name + " first seen"):
			o.Ledger.State, o.Landings = nil, nil
			continue
		}
		st := o.Ledger.State
		for _, f := range o.Config.From {
			c := pick(name+" position", "b", "c", "d", "e", "gone")
			st.Position[f] = state.Position{Commit: c, Revision: c, Origin: "qa"}
		}
		if rarely(name + " new upstream") {
			clear(st.Position)
		}
		if rarely(name + " held") {
			st.Hold = &state.Hold{Reason: "it is mixed", Landing: "c"}
		}
		if yes(name + " offers content") {
			o.Content = &content.Result{Expected: "x"}
			if yes(name + " edits") {
				o.Content.Edits = []content.Edit{{Path: "envs/" + name + "/v"}}
			}
			if rarely(name + " refused") {
				o.Content.Refused = []content.Refusal{{File: "f", Reason: "is latest"}}
			}
			if rarely(name + " kind") {
				o.Content.Kinds = []content.Kind{content.Drift}
			}
		}
		if len(o.Config.From) > 0 && yes(name+" promotion") {
			drawPromotion(t, s, o)
		}
	}
	return s
}

func drawPromotion(t *rapid.T, s *promotion.Snapshot, o *promotion.Observed) {
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	at := pick("carries", "c", "d", "e")
	p := state.Promotion{
		ID: "id", Revision: at, Origin: "qa", Attempt: 1, From: o.Config.From[0], Landing: at, Base: at, Commit: "p1",
		Branch: "promobot/app/x/y-id", Claimed: now.Add(-time.Duration(rapid.IntRange(0, 200).Draw(t, "age")) * time.Second),
		Status: rapid.SampledFrom([]state.Status{state.Claimed, state.Opened, state.Opened, state.Opened, state.Closing, state.Landed, state.Vetoed, state.Closed}).Draw(t, "status"),
	}
	if p.Status == state.Closing || p.Status == state.Closed {
		p.Reason = "staging already has all of it"
	}
	o.Ledger.State.Promotion = &p
	if rapid.Bool().Draw(t, "replaces") {
		p.Replaced = &state.Replaced{ID: "id0", Revision: "c", Origin: "qa", Attempt: 1, From: p.From, Landing: "c", Commit: "p0"}
	}
	if p.Status == state.Claimed {
		o.Looked = rapid.Bool().Draw(t, "looked")
		for n := range rapid.IntRange(0, 2).Draw(t, "candidates") {
			o.Candidates = append(o.Candidates, promotion.PullRequest{Number: 9 - n})
		}
		return
	}
	p.PullRequest = 7
	o.Head = pick("head", "p1", "p1", "p1", "p0", "theirs", "")
	if rapid.IntRange(0, 7).Draw(t, "unread") == 0 {
		return
	}
	o.FreshFor = pick("fresh for", "", "f", "d")
	o.Touched = rapid.IntRange(0, 7).Draw(t, "touched") == 0
	o.Pull = &promotion.PullRequest{
		Number: 7, Head: "p1", Base: pick("base", "main", "main", "main", "other"),
		AutoMerge: rapid.Bool().Draw(t, "auto-merge"),
		Mergeable: pick("mergeable", "", "clean", "clean", "clean", "dirty", "blocked", "unknown", "behind"),
	}
	if rapid.Bool().Draw(t, "text is current") {
		o.Pull.Body = state.FormatTrailers(p.Trailers("app", o.Key.Environment))
	}
	switch pick("pull request", "open", "open", "merged", "closed") {
	case "open":
		o.Pull.Open = true
	case "merged":
		o.Pull.Merged, o.Pull.MergedAt, o.Pull.MergedBy = true, now, "ana"
		if rapid.Bool().Draw(t, "resolved") {
			o.Resolved = &promotion.Resolved{
				Before: "e", Commit: "f", Method: "merge", Expected: "x", Actual: pick("actual", "x", "y"),
				Replaced: p.Replaced != nil && rapid.Bool().Draw(t, "showed the replaced one"),
			}
		}
	}
}

func TestEveryDecision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawn(t)
		before := make([]*state.Environment, len(s.Environments))
		for i := range s.Environments {
			if st := s.Environments[i].Ledger.State; st != nil {
				c := st.Clone()
				before[i] = &c
			}
		}
		ds := promotion.Decide(s)
		if diff := cmp.Diff(ds, promotion.Decide(s), compareSnapshots); diff != "" {
			t.Fatalf("a second look decides otherwise:\n%s", diff)
		}
		for i, d := range ds {
			o := &s.Environments[i]
			if diff := cmp.Diff(before[i], o.Ledger.State, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s: deciding changed the ledger's state:\n%s", d.Key, diff)
			}
			if !d.Until.IsZero() && !d.Until.After(s.Now) {
				t.Fatalf("%s looks again at %v, which is past", d.Key, d.Until)
			}
			if d.Action != nil && (len(o.Doubts) > 0 || o.Ledger.Problem != "" || s.Repository.Archived || !o.Config.Present) {
				t.Fatalf("%s does %T, and should not do anything", d.Key, d.Action)
			}
			if d.Standing == "" || d.Reason == "" && o.Config.Present && len(o.Config.From) > 0 {
				t.Fatalf("%s gives no reason for %q", d.Key, d.Standing)
			}
			holdAction(t, s, o, d)
		}
	})
}

// holdAction holds what each action has to be on the snapshot decided on.
func holdAction(t *rapid.T, s *promotion.Snapshot, o *promotion.Observed, d promotion.Decision) {
	st := o.Ledger.State
	switch a := d.Action.(type) {
	case promotion.Append:
		want := 1
		if st != nil {
			want = st.Sequence + 1
		}
		if a.State.Sequence != want || a.Kind == "" || a.Sentence == "" {
			t.Fatalf("%s: entry %d %q %q, want number %d", d.Key, a.State.Sequence, a.Kind, a.Sentence, want)
		}
		if a.Kind == state.KindSettled {
			for f, at := range st.Position {
				if newer, known := s.Chain.Newer(at.Commit, a.State.Position[f].Commit); known && newer {
					t.Fatalf("%s: settling moves %s back from %s to %s", d.Key, f, at.Commit, a.State.Position[f].Commit)
				}
			}
		}
		notAgain(t, s, o, d, a)
	case promotion.Claim:
		if a.Moves != (st.UnderWay() != nil) {
			t.Fatalf("%s claims with moves %v, while %+v is under way", d.Key, a.Moves, st.UnderWay())
		}
		if o.Config.Mode <= config.Observe {
			t.Fatalf("%s claims while it observes", d.Key)
		}
		if st.Hold != nil && !a.Moves {
			t.Fatalf("%s claims while it is held", d.Key)
		}
	case promotion.Merge:
		if o.Config.Mode < config.Auto || st.Hold != nil || o.Head != a.Promotion.Commit || !o.Pull.Open {
			t.Fatalf("%s merges in mode %v, hold %v, head %s", d.Key, o.Config.Mode, st.Hold, o.Head)
		}
	case promotion.Carry:
		if s.Now.Sub(a.Promotion.Claimed) < promotion.Bound || !o.Looked || len(o.Candidates) > 0 {
			t.Fatalf("%s carries on what may be its maker's", d.Key)
		}
	case promotion.Deliver:
		if o.Config.Mode < config.Auto || o.Config.Deliver != config.ByPush || st.Hold != nil || st.UnderWay() != nil || len(o.Content.Edits) == 0 {
			t.Fatalf("%s delivers in mode %v, hold %v, with %+v under way", d.Key, o.Config.Mode, st.Hold, st.UnderWay())
		}
	case promotion.HandOver:
		if o.Config.Mode < config.Auto || st.Hold != nil || o.Head != a.Promotion.Commit || !o.Pull.Open || o.Pull.AutoMerge && !a.Queue {
			t.Fatalf("%s hands over in mode %v, hold %v, head %s", d.Key, o.Config.Mode, st.Hold, o.Head)
		}
	case promotion.TakeBack:
		if !o.Pull.AutoMerge && (o.View == nil || !o.View.Queued) || d.Standing == promotion.Merging {
			t.Fatalf("%s takes back what was not handed over", d.Key)
		}
	case promotion.Advance, promotion.Close, promotion.Recover: // nothing more is asked of these
	}
}

// notAgain holds that an entry, once it stands, is not decided on again.
func notAgain(t *rapid.T, s *promotion.Snapshot, o *promotion.Observed, d promotion.Decision, a promotion.Append) {
	was := o.Ledger.State
	defer func() { o.Ledger.State = was }()
	next := a.State.Clone()
	o.Ledger.State = &next
	for _, again := range promotion.Decide(s) {
		b, ok := again.Action.(promotion.Append)
		nextInTurn := o.Config.Newer == config.NewerQueues && ok && !maps.Equal(b.State.Position, a.State.Position)
		if again.Key == d.Key && ok && b.Kind == a.Kind && !nextInTurn {
			t.Fatalf("%s: %q, and then again %q", d.Key, a.Sentence, b.Sentence)
		}
	}
}

// BenchmarkDecide decides on 300 pipelines of five environments each, of which
// every tenth has something new to promote.
func BenchmarkDecide(b *testing.B) {
	s := quiet()
	s.Environments = nil
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprintf("%040x", i)
	}
	s.Chain = chain(ids...)
	names := []string{"dev", "qa", "staging", "eu", "us"}
	for p := range 300 {
		for e, name := range names {
			c := &config.Environment{Name: name, Present: true, Verified: true, Mode: config.Auto, Limit: 8}
			st := &state.Environment{Sequence: 1, Baseline: state.Baseline{Commit: ids[999]}, Position: map[string]state.Position{}}
			o := promotion.Observed{Key: promotion.Key{Pipeline: fmt.Sprint("p", p), Environment: name}, Config: c}
			if e > 0 {
				c.From = []string{names[e-1]}
				st.Position[names[e-1]] = state.Position{Commit: ids[999]}
			}
			if e == 0 && p%10 == 0 {
				o.Landings = []promotion.Landing{landing(ids[p], p, name)}
			}
			if e == 1 && p%10 == 0 {
				o.Content = &content.Result{Edits: []content.Edit{{Path: "v"}}}
			}
			o.Ledger.State = st
			s.Environments = append(s.Environments, o)
		}
	}
	claims := 0
	for b.Loop() {
		claims = 0
		for _, d := range promotion.Decide(s) {
			if _, ok := d.Action.(promotion.Claim); ok {
				claims++
			}
		}
	}
	if claims != 8 { // limits.per_environment
		b.Fatalf("%d claims", claims)
	}
}
