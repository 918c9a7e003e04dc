package promotion_test

// What a source brings: newer versions only, whatever order they come in.

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

func version(name string) promotion.Version { return promotion.Version{Name: name, Time: now} }

// released is staging as a first environment that takes releases, 1.0.0 having
// been adopted.
func released(vs ...promotion.Version) *promotion.Snapshot {
	s := quiet()
	o := at(s, "staging")
	o.Config.From, o.Config.Source = nil, &config.VersionSource{Kind: config.Release, Repository: "acme/app"}
	first := state.VersionID(state.BaseVersion, "1.0.0", "")
	o.Ledger.State.Versions = []state.Version{{ID: first, Name: "1.0.0", Time: now.Add(-time.Hour)}}
	o.Ledger.State.Position = map[string]state.Position{state.Source: {Commit: first}}
	o.Listed = vs
	return s
}

func TestAcceptingVersions(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*promotion.Observed)
		listed []promotion.Version
		want   string // accepted; "" nothing
	}{
		"a newer one":                       {nil, []promotion.Version{version("1.1.0"), version("1.0.0")}, "1.1.0"},
		"the newest, whatever the order":    {nil, []promotion.Version{version("1.1.0"), version("1.10.0"), version("1.9.0")}, "1.10.0"},
		"an older one arriving late":        {nil, []promotion.Version{{Name: "0.9.9", Time: now.Add(time.Hour)}}, ""},
		"the same again":                    {nil, []promotion.Version{version("1.0.0")}, ""},
		"a pre-release":                     {nil, []promotion.Version{version("2.0.0-rc.1")}, ""},
		"what GitHub calls a pre-release":   {nil, []promotion.Version{{Name: "2.0.0", Prerelease: true}}, ""},
		"pre-releases by choice":            {func(o *promotion.Observed) { o.Config.Source.Prerelease = true }, []promotion.Version{version("2.0.0-rc.1")}, "2.0.0-rc.1"},
		"a name that is no version, later":  {nil, []promotion.Version{version("nightly")}, "nightly"},
		"a name that is no version, before": {nil, []promotion.Version{{Name: "nightly", Time: now.Add(-2 * time.Hour)}}, ""},
		"a tag that is no version":          {func(o *promotion.Observed) { o.Config.Source.Kind = config.Tag }, []promotion.Version{version("nightly")}, ""},
		"a version with a digest":           {nil, []promotion.Version{version("1.1.0@sha256:aa")}, "1.1.0@sha256:aa"},
		"a dispatch": {func(o *promotion.Observed) {
			o.Brought = []promotion.Version{{Name: "1.2.0", Letter: "d1", Time: now}}
		}, nil, "1.2.0"},
		"a dispatch delivered again": {func(o *promotion.Observed) {
			o.Ledger.State.Versions[0].Letter = "d1"
			o.Brought = []promotion.Version{{Name: "build-7", Letter: "d1", Time: now.Add(time.Hour)}}
		}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := released(c.listed...)
			if c.change != nil {
				c.change(at(s, "staging"))
			}
			d := promotion.Decide(s)[1]
			got := ""
			if a, ok := d.Action.(promotion.Append); ok && a.Kind == state.KindAccepted {
				got = a.State.Versions[0].Name
				if a.State.Versions[0].ID == a.State.Versions[1].ID || a.State.Sequence != 2 {
					t.Errorf("accepted as %+v", a.State)
				}
			}
			if got != c.want {
				t.Errorf("accepted %q, want %q: %s", got, c.want, d.Reason)
			}
		})
	}
}

// TestVersionsTravel: an accepted version is offered, promoted, and offered
// onward like any landing.
func TestVersionsTravel(t *testing.T) {
	s := released()
	o := at(s, "staging")
	st := o.Ledger.State
	next := state.VersionID(st.Versions[0].ID, "1.1.0", "")
	st.Versions = append([]state.Version{{ID: next, Name: "1.1.0", Time: now}}, st.Versions...)
	o.Content = &content.Result{Edits: []content.Edit{{Path: "v"}}, Expected: "x"}
	d := promotion.Decide(s)[1]
	c, ok := d.Action.(promotion.Claim)
	if !ok {
		t.Fatalf("got %T: %s", d.Action, d.Reason)
	}
	want := state.Promotion{Status: state.Claimed, Revision: "1.1.0", Origin: "staging", Attempt: 1, From: state.Source, Landing: next, Expected: "x"}
	got := c.Promotion
	got.ID, got.Branch = "", ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(d.Reason, "1.1.0 has come from release of acme/app") {
		t.Error(d.Reason)
	}
	// Taken, it is not offered again, and forgotten versions are older than all.
	for _, at := range []string{next, "forgotten"} {
		st.Position[state.Source] = state.Position{Commit: at, Revision: "1.1.0", Origin: "staging"}
		offer, _ := promotion.OfferTo(s, o)
		if (offer == nil) != (at == next) {
			t.Errorf("taken up to %s: offer %+v", at, offer)
		}
	}
}

// TestManagedElsewhere: promobot learns what runs there, never writes, and
// offers it onward.
func TestManagedElsewhere(t *testing.T) {
	s := released()
	o := at(s, "staging")
	o.Config.Managed, o.Config.Source = true, &config.VersionSource{Kind: config.Dispatch, Type: "HelmRelease/podinfo.podinfo"}
	o.Ledger.State.Position = map[string]state.Position{}
	d := promotion.Decide(s)[1]
	if d.Action != nil || d.Standing != promotion.Source || !strings.Contains(d.Reason, "1.0.0 runs here") {
		t.Errorf("got %+v", d)
	}
	prod := at(s, "prod")
	prod.Ledger.State.Position["staging"] = state.Position{Commit: state.BaseVersion}
	prod.Content = &content.Result{Edits: []content.Edit{{Path: "v"}}, Expected: "x"}
	d = promotion.Decide(s)[2]
	if c, ok := d.Action.(promotion.Claim); !ok || c.Promotion.Revision != "1.0.0" || c.Promotion.From != "staging" {
		t.Errorf("got %+v", d)
	}
	prod.Ledger.State = nil
	o.Ledger.State = nil
	if ds := promotion.Decide(s); reflect.TypeOf(ds[1].Action) != reflect.TypeFor[promotion.Append]() || ds[2].Action != nil {
		t.Errorf("what comes from it waits until its own ledger has begun: %+v, %+v", ds[1].Action, ds[2].Action)
	}
}

// TestBranches: upstream and target stand on branches of their own, whose
// histories share nothing.
func TestBranches(t *testing.T) {
	s := quiet()
	s.Branches = map[string]promotion.Chain{"env/qa": chain("q3", "q2", "q1"), "env/staging": chain("s2", "s1"), "env/staging-next": chain("n3", "n2", "n1")}
	qa, staging := at(s, "qa"), at(s, "staging")
	qa.Config.Branch, staging.Config.Branch = "env/qa", "env/staging"
	qa.Ledger.State.Baseline.Commit, staging.Ledger.State.Baseline.Commit = "q1", "s1"
	staging.Ledger.State.Position["qa"] = state.Position{Commit: "q1"}
	l := landing("q3", 0, "qa")
	l.Revision = "dry3"
	older := landing("q2", 1, "qa")
	older.Revision = "dry2"
	qa.Landings = []promotion.Landing{l, older}
	if offer, reason := promotion.OfferTo(s, staging); offer == nil || offer.Landing.Commit != "q3" {
		t.Errorf("got %+v: %s", offer, reason)
	}
	staging.Config.Read = "env/staging-next"
	if _, reason := promotion.OfferTo(s, staging); reason != "env/staging-next does not hold what qa has yet" {
		t.Error(reason)
	}
	staging.Reads = []promotion.Landing{{Commit: "n3", Revision: "dry4"}, {Commit: "n2", Revision: "dry2"}}
	offer, _ := promotion.OfferTo(s, staging)
	if offer == nil || offer.Landing.Commit != "q2" || offer.Landing.Read != "n2" {
		t.Errorf("the newest revision that is hydrated: %+v", offer)
	}
	staging.Content = &content.Result{Edits: []content.Edit{{Path: "v"}}, Expected: "x"}
	if c, ok := promotion.Decide(s)[1].Action.(promotion.Claim); !ok || c.Promotion.Read != "n2" {
		t.Errorf("got %+v", c)
	}
	// First seen, it adopts where each history stands.
	staging.Ledger.State = nil
	a, ok := promotion.Decide(s)[1].Action.(promotion.Append)
	if !ok || a.State.Baseline.Commit != "s2" || a.State.Position["qa"] != (state.Position{Commit: "q3", Read: "n3"}) ||
		a.State.Baseline.Of("qa") != "q3" || a.State.Baseline.Of(state.ReadBranch) != "n3" {
		t.Errorf("got %+v", a.State)
	}
}
