package view_test

// The shadow score over days: what is offered, what people make of it, and what is
// counted of that.

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/view"
	"github.com/promobot/promobot/state"
)

// diary is staging over time, as the loop sees it.
type diary struct {
	*testing.T
	world
	entries []view.Entry
	last    *view.Repository
}

func newDiary(t *testing.T, mode config.Mode) *diary {
	return &diary{T: t, world: newWorld(mode)}
}

// looks is a run, and what it shows of staging's score.
func (d *diary) looks() *view.Shadow {
	d.Helper()
	seen := d.seen()
	seen.Entries = map[promotion.Key][]view.Entry{d.of("staging").Key: d.entries}
	v := view.Make(seen, d.last)
	d.last = &v
	return environment(d.T, v, "staging").Shadow
}

func (d *diary) passes(t time.Duration) { d.Now = d.Now.Add(t) }

// offers has a commit of dev's offered, which would make a digest of staging.
func (d *diary) offers(c, expected string) {
	d.lands("dev", c, expected+" in dev")
	d.of("staging").Content = &content.Result{Edits: []content.Edit{{Path: "x"}}, Was: "of 1.0.0", Expected: expected, From: "1.0.0", To: expected}
}

// opens has the offer's pull request open.
func (d *diary) opens(c string, number int) {
	o := d.of("staging")
	o.Ledger.State.Promotion = &state.Promotion{
		ID: "id" + c, Status: state.Opened, Revision: sha(c), From: "dev", Landing: sha(c), Attempt: 1, Base: sha("d"), Commit: sha("9"),
		Branch: "promobot/shop/staging/x", Expected: o.Content.Expected, PullRequest: number, Claimed: d.Now,
	}
	o.Head, o.FreshFor = sha("9"), sha("f")
	o.Pull = &promotion.PullRequest{
		Number: number, Open: true, Base: "main", Head: sha("9"), ByApp: true, Title: "staging",
		Body: "x\n\n" + state.FormatTrailers(o.Ledger.State.Promotion.Trailers("shop", "staging")),
	}
}

// ends has the pull request end, as an entry of the ledger tells.
func (d *diary) ends(status state.Status, e view.Entry) {
	o := d.of("staging")
	st := o.Ledger.State
	st.Promotion.Status, st.Promotion.Ended = status, d.Now
	if status == state.Landed {
		st.Position["dev"] = state.Position{Commit: st.Promotion.Landing, Revision: st.Promotion.Revision}
	}
	o.Pull, o.Head, o.Content = nil, "", nil
	e.Time, e.PullRequest = d.Now.Truncate(time.Second), st.Promotion.PullRequest
	if e.Revision == "" {
		e.Revision = st.Promotion.Revision
	}
	d.entries = append([]view.Entry{e}, d.entries...)
}

// byHand has a person's commit in staging.
func (d *diary) byHand(c, digest string) {
	d.lands("staging", c, digest)
	d.of("staging").Landings[0].Time = d.Now
}

func (d *diary) want(got *view.Shadow, want view.Shadow) {
	d.Helper()
	if diff := cmp.Diff(&want, got, cmpopts.IgnoreFields(view.Shadow{}, "Cases", "Since"), cmpopts.EquateEmpty()); diff != "" {
		d.Errorf("the score (-want +got):\n%s\n%+v", diff, got.Cases)
	}
}

func TestShadowOfProposals(t *testing.T) {
	t.Run("people merge it", func(t *testing.T) {
		d := newDiary(t, config.Propose)
		d.offers("d", "2.0.0")
		d.opens("d", 7)
		d.want(d.looks(), view.Shadow{Offered: 1, Open: 1})
		d.passes(3 * time.Hour)
		d.want(d.looks(), view.Shadow{Offered: 1, Open: 1})
		d.ends(state.Landed, view.Entry{Kind: "landed"})
		got := d.looks()
		d.want(got, view.Shadow{Offered: 1, Same: 1, Sooner: 3 * time.Hour})
		want := []view.ShadowCase{{
			Revision: sha("d"), Title: "2.0.0", Seen: now, Auto: now, People: "same", At: now.Add(3 * time.Hour), PullRequest: 7,
			URL: "https://github.example/acme/gitops/pull/7", Was: "of 1.0.0", Expected: "2.0.0",
		}}
		if diff := cmp.Diff(want, got.Cases); diff != "" {
			t.Errorf("its case (-want +got):\n%s", diff)
		}
		if got.Since != now {
			t.Errorf("since %v", got.Since)
		}
		d.passes(time.Hour)
		d.ends(state.Landed, view.Entry{Kind: "landed", Revision: sha("b"), Reverts: sha("d")})
		d.want(d.looks(), view.Shadow{Offered: 1, Reverted: 1})
	})
	t.Run("people change it", func(t *testing.T) {
		d := newDiary(t, config.Propose)
		d.offers("d", "2.0.0")
		d.opens("d", 7)
		d.looks()
		d.ends(state.Landed, view.Entry{Kind: "landed", Mixed: true})
		d.want(d.looks(), view.Shadow{Offered: 1, Changed: 1})
	})
	t.Run("people close it, before the next look something newer is open", func(t *testing.T) {
		d := newDiary(t, config.Propose)
		d.offers("d", "2.0.0")
		d.opens("d", 7)
		d.looks()
		d.ends(state.Vetoed, view.Entry{Kind: "veto"})
		d.offers("e", "2.1.0")
		d.opens("e", 8)
		d.want(d.looks(), view.Shadow{Offered: 2, Closed: 1, Open: 1})
	})
	t.Run("something newer follows it, and people merge that", func(t *testing.T) {
		d := newDiary(t, config.Propose)
		d.offers("d", "2.0.0")
		d.opens("d", 7)
		d.looks()
		d.passes(time.Hour)
		d.offers("e", "2.1.0")
		d.opens("e", 7)
		d.want(d.looks(), view.Shadow{Offered: 2, Open: 2})
		d.passes(time.Hour)
		d.ends(state.Landed, view.Entry{Kind: "landed"})
		d.want(d.looks(), view.Shadow{Offered: 2, Same: 2, Sooner: 90 * time.Minute})
	})
	t.Run("auto would have waited for a person, too", func(t *testing.T) {
		d := newDiary(t, config.Propose)
		d.of("staging").Config.Allow = nil
		d.offers("d", "2.0.0")
		d.of("staging").Content.Kinds = []content.Kind{content.Drift}
		d.opens("d", 7)
		d.looks()
		d.ends(state.Landed, view.Entry{Kind: "landed"})
		got := d.looks()
		d.want(got, view.Shadow{})
		if len(got.Cases) != 1 || got.Cases[0].People != "same" || !got.Cases[0].Auto.IsZero() {
			t.Errorf("its case: %+v", got.Cases)
		}
	})
	t.Run("auto would have waited for a while", func(t *testing.T) {
		d := newDiary(t, config.Propose)
		o := d.of("staging")
		d.offers("d", "2.0.0")
		d.opens("d", 7)
		o.Ledger.State.Hold = &state.Hold{Reason: "moving", By: "ana", Asked: true, Since: now}
		d.want(d.looks(), view.Shadow{})
		d.passes(time.Hour)
		o.Ledger.State.Hold = nil
		d.want(d.looks(), view.Shadow{Offered: 1, Open: 1})
		d.passes(30 * time.Minute)
		d.ends(state.Landed, view.Entry{Kind: "landed"})
		d.want(d.looks(), view.Shadow{Offered: 1, Same: 1, Sooner: 30 * time.Minute})
	})
}

func TestShadowOfWhatIsObserved(t *testing.T) {
	t.Run("people do exactly that, and take it back", func(t *testing.T) {
		d := newDiary(t, config.Observe)
		d.offers("d", "2.0.0")
		d.want(d.looks(), view.Shadow{Offered: 1, Open: 1})
		d.passes(2 * time.Hour)
		d.byHand("e", "2.0.0")
		d.of("staging").Content = nil
		d.want(d.looks(), view.Shadow{Offered: 1, Same: 1, Sooner: 2 * time.Hour})
		d.passes(time.Hour)
		d.byHand("f", "of 1.0.0")
		d.want(d.looks(), view.Shadow{Offered: 1, Reverted: 1})
	})
	t.Run("people do exactly that, and take it back in the same second", func(t *testing.T) {
		for _, read := range []int{1, 2} { // landings
			d := newDiary(t, config.Observe)
			d.offers("d", "2.0.0")
			d.looks()
			d.byHand("e", "2.0.0")
			o := d.of("staging")
			o.Content = nil
			d.want(d.looks(), view.Shadow{Offered: 1, Same: 1})
			d.want(d.looks(), view.Shadow{Offered: 1, Same: 1})
			d.byHand("f", "of 1.0.0")
			o.Landings = o.Landings[:read]
			d.want(d.looks(), view.Shadow{Offered: 1, Reverted: 1})
		}
	})
	t.Run("people do exactly that, and have taken it back before anyone looks", func(t *testing.T) {
		d := newDiary(t, config.Observe)
		d.offers("d", "2.0.0")
		d.looks()
		d.passes(time.Hour)
		d.byHand("e", "2.0.0")
		d.byHand("f", "of 1.0.0")
		d.of("staging").Content = nil
		d.want(d.looks(), view.Shadow{Offered: 1, Reverted: 1})
	})
	t.Run("people land it with something of their own", func(t *testing.T) {
		d := newDiary(t, config.Observe)
		d.offers("d", "2.0.0")
		d.looks()
		d.passes(time.Hour)
		d.byHand("e", "2.0.0 and more")
		d.looks() // it is still offered: something may be missing
		o := d.of("staging")
		o.Ledger.State.Position["dev"] = state.Position{Commit: sha("d"), Revision: sha("d")}
		o.Content = nil
		d.want(d.looks(), view.Shadow{Offered: 1, Changed: 1})
	})
	t.Run("people land something else", func(t *testing.T) {
		d := newDiary(t, config.Observe)
		d.offers("d", "2.0.0")
		d.looks()
		d.passes(time.Hour)
		d.byHand("e", "with more replicas")
		d.of("staging").Content.Expected = "2.0.0 with more replicas"
		d.want(d.looks(), view.Shadow{Offered: 1, Open: 1})
		d.byHand("f", "2.0.0 with more replicas")
		d.of("staging").Content = nil
		d.want(d.looks(), view.Shadow{Offered: 1, Same: 1, Sooner: time.Hour})
	})
}

func TestShadowIsBounded(t *testing.T) {
	d := newDiary(t, config.Observe)
	d.offers("d", "2.0.0")
	d.looks()
	d.byHand("e", "2.0.0")
	d.of("staging").Content = nil
	d.want(d.looks(), view.Shadow{Offered: 1, Same: 1})
	d.passes((view.ShadowDays + 1) * 24 * time.Hour)
	got := d.looks()
	d.want(got, view.Shadow{})
	if len(got.Cases) != 0 || !got.Since.Equal(d.Now.AddDate(0, 0, -view.ShadowDays)) {
		t.Errorf("after a month: %+v", got)
	}
	var many []view.ShadowCase
	for range 2 * view.ShadowCases {
		many = append(many, view.ShadowCase{Revision: "x", Seen: d.Now, People: view.PeopleOpen, Auto: d.Now})
	}
	for i := range d.last.Pipelines[0].Environments {
		if e := &d.last.Pipelines[0].Environments[i]; e.Name == "staging" {
			e.Shadow.Cases = many
		}
	}
	if got := d.looks(); len(got.Cases) != view.ShadowCases || got.Open != view.ShadowCases {
		t.Errorf("%d cases are kept, %d counted", len(got.Cases), got.Open)
	}
	d.of("staging").Config.Mode = config.Auto
	if got := d.looks(); got != nil {
		t.Errorf("in auto: %+v", got)
	}
}
