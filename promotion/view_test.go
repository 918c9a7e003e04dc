package promotion_test

// What is shown of each situation: whether a person is needed and for what, and
// which buttons there are. testdata/shown.txt lists it beside the reasons.

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

// shownOf is the view of a snapshot, and one environment of it.
func shownOf(s *promotion.Snapshot, environment string, previous *view.Repository) (view.Repository, view.Environment) {
	v := view.Make(view.Seen{Snapshot: s, Decisions: promotion.Decide(s), File: ".github/promobot.yml", At: s.Now}, previous)
	for _, p := range v.Pipelines {
		for _, e := range p.Environments {
			if e.Name == environment {
				return v, e
			}
		}
	}
	panic("no " + environment)
}

func shows(e view.Environment) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d behind", e.Standing, e.Behind)
	if e.Current != nil {
		fmt.Fprintf(&b, ", has %s", e.Current.Title)
	}
	if e.Offered != nil {
		fmt.Fprintf(&b, ", offered %s", e.Offered.Title)
	}
	b.WriteByte('\n')
	if e.Needs != "" {
		fmt.Fprintf(&b, "  needs: %s [since %s]\n", e.Needs, e.NeedsSince.UTC().Format(time.RFC3339))
	}
	for _, a := range e.Actions {
		fmt.Fprintf(&b, "  [%s] %s", a.Label, a.Command)
		if a.PullRequest > 0 {
			fmt.Fprintf(&b, " (on #%d)", a.PullRequest)
		}
		if a.Danger {
			b.WriteString(" danger")
		}
		if a.Asks != "" {
			fmt.Fprintf(&b, ": %s", a.Asks)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestWhatIsShownOfSituations(t *testing.T) {
	var b strings.Builder
	for _, subject := range []string{"evidence", "verification", "failure policy", "rollback", "gates", "wishes"} {
		fmt.Fprintf(&b, "# %s\n\n", subject)
		for _, x := range tables()[subject] {
			if x.order == nil {
				_, e := shownOf(x.of(), x.where(), nil)
				fmt.Fprintf(&b, "== %s\n%s\n", x.name, shows(e))
			}
		}
	}
	compare(t, filepath.Join("testdata", "shown.txt"), b.String())
}

// TestEverySituationIsShown holds, in each of them, what holds of every view.
func TestEverySituationIsShown(t *testing.T) {
	for subject, table := range tables() {
		for _, x := range table {
			t.Run(subject+"/"+x.name, func(t *testing.T) {
				s := x.of()
				before := standingOf(s, x.where())
				v, e := shownOf(s, x.where(), nil)
				if diff := cmp.Diff(before, standingOf(s, x.where())); diff != "" {
					t.Errorf("showing changed the ledger's state:\n%s", diff)
				}
				holdsOfView(t, s, v)
				if again, _ := shownOf(s, x.where(), &v); !cmp.Equal(v, again) {
					t.Errorf("shown again it differs (-first +again):\n%s", cmp.Diff(v, again))
				}
				h := before.Hold
				if e.Standing == string(promotion.Stopped) && e.Needs == "" && (h == nil || !h.Asked && h.Until.IsZero()) {
					t.Errorf("it is stopped, and nobody is needed: %s", e.Reason)
				}
			})
		}
	}
}

// standingOf is what an environment's ledger says; nothing where there is none.
func standingOf(s *promotion.Snapshot, environment string) state.Environment {
	if st := at(s, environment).Ledger.State; st != nil {
		return st.Clone()
	}
	return state.Environment{}
}

// holdsOfView is what holds of every view, whatever was seen.
func holdsOfView(t fataler, s *promotion.Snapshot, v view.Repository) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("it is no JSON: %v", err)
	}
	var read view.Repository
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatalf("its JSON cannot be read: %v", err)
	}
	if again, err := json.Marshal(read); err != nil || string(again) != string(text) {
		t.Fatalf("its JSON reads as something else (%v):\n%s\n%s", err, text, again)
	}
	for _, p := range v.Pipelines {
		for _, e := range p.Environments {
			if (e.Needs == "") != e.NeedsSince.IsZero() || e.NeedsSince.After(v.At) {
				t.Fatalf("%s needs %q since %v", e.Name, e.Needs, e.NeedsSince)
			}
			for _, a := range e.Actions {
				holdsOfAction(t, s, e, a)
			}
		}
	}
}

// holdsOfAction: an action is a command that would be understood, and obeyed.
func holdsOfAction(t fataler, s *promotion.Snapshot, e view.Environment, a view.Action) {
	t.Helper()
	cs := command.Parse("/promobot "+a.Command, nil)
	if len(cs) != 1 || cs[0].Problem != "" || cs[0].Name != a.Name || cs[0].NeedsConfirm() {
		t.Fatalf("%s: the action %+v is read as %+v", e.Name, a, cs)
	}
	if a.Label == "" || len([]rune(a.Label)) > 20 || len(a.Button) > 20 {
		t.Fatalf("%s: no button takes %+v", e.Name, a)
	}
	if cs[0].NeedsEnvironment() != (a.PullRequest > 0) && a.Button == "" {
		t.Fatalf("%s: it is not said what %+v is about", e.Name, a)
	}
	o := at(s, e.Name)
	done := promotion.Obey(s, o, promotion.Order{Do: a.Name, By: "zoe", Comment: 1 << 60, Gate: cs[0].Gate})
	if done.Refused || done.Entry == nil {
		t.Fatalf("%s: the action %q would be refused: %s", e.Name, a.Command, done.Answer)
	}
}

// TestAnyViewHolds: nothing that a snapshot can hold breaks a view.
func TestAnyViewHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawn(t)
		ds := promotion.Decide(s)
		var previous *view.Repository
		for range 2 {
			v := view.Make(view.Seen{Snapshot: s, Decisions: ds, At: s.Now}, previous)
			holdsOfView(t, s, v)
			previous = &v
			for i := range ds {
				apply(s, ds[i])
			}
			s.Now = s.Now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "seconds")) * time.Second)
			ds = promotion.Decide(s)
		}
	})
}
