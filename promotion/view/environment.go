package view

// One environment: what stands, what comes, what is waited for, what happened.

import (
	"cmp"
	"fmt"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// The bounds: of the changes of one promotion, and of the promotions before the
// newest.
const (
	changesShown = 200
	earlierShown = 10
)

// maker makes one environment of a view.
type maker struct {
	seen   Seen
	s      *promotion.Snapshot
	o      *promotion.Observed
	d      *promotion.Decision
	before *Environment // as it was shown before; nil: it was not
	titles titles
	// several says that the repository has more than one pipeline, and named that
	// a command can name this one.
	several, named bool
}

func (m maker) environment() Environment {
	o, st := m.o, m.o.Ledger.State
	c := o.Config
	e := Environment{
		Pipeline: o.Key.Pipeline, Name: o.Key.Environment, From: c.From, Mode: c.Mode.String(),
		Production: Production(o.Pipeline, o.Key.Environment), Folder: name(c.Place.Dir), Branch: name(m.s.Base(o)), Line: c.Line,
		Standing: string(m.d.Standing), Reason: text(m.d.Reason), Until: m.d.Until,
		Current: m.current(), Behind: promotion.Behind(m.s, o), Offered: m.offered(), Entries: m.seen.Entries[o.Key],
	}
	if e.Entries == nil && m.before != nil && st != nil && m.before.Sequence == st.Sequence {
		e.Entries = m.before.Entries
	}
	if st != nil {
		e.Sequence = st.Sequence
		e.Promotion = m.promotion()
		e.Earlier = m.earlier(e.Entries)
		e.Watch = m.watch()
		e.Verdicts = m.verdicts()
		e.Failure = failure(st.Failure)
		if h := st.Hold; h != nil {
			e.Hold = &Hold{Reason: text(h.Reason), By: name(h.By), Since: h.Since, Until: h.Until}
		}
		for _, r := range st.Rejected {
			e.Rejected = append(e.Rejected, Rejected{Revision: name(r.Revision), Reason: text(r.Reason), Time: r.Time})
		}
	}
	for _, g := range m.d.Gates {
		e.Gates = append(e.Gates, Gate{Name: g.Name, Passed: g.Passed, Text: text(g.Text), Line: g.Line, Until: g.Until, Waits: g.Waits})
	}
	if st.UnderWay() == nil && m.d.Offer != nil {
		e.Would = changes(m.d.Content)
	}
	m.needs(&e)
	e.Actions = m.actions(e)
	e.Shadow = m.shadow(e.Entries)
	return e
}

// landing is one of the environment's landings.
func (m maker) landing(o *promotion.Observed, l promotion.Landing) *Landing {
	repo, st := m.s.Repository, o.Ledger.State
	out := &Landing{
		Commit: l.Commit, Revision: name(l.Revision), Title: m.titles.of(o.Key.Pipeline, l.Revision), Subject: text(l.Subject), Author: name(l.Author.Name),
		Since: l.Time, PullRequest: l.PullRequest, By: name(l.Author.Name), URL: commitURL(repo, l.Commit),
	}
	if v := l.Version; v != nil {
		out.Commit, out.URL = v.Commit, page(v.URL)
	}
	if l.PullRequest > 0 {
		out.URL = pullURL(repo, l.PullRequest)
	}
	if st == nil {
		return out
	}
	if rec := st.Landing; rec != nil && rec.Commit == l.Commit {
		out.Since, out.By = rec.Time, name(rec.By)
		out.Reverts, out.Mixed = rec.Reverts != "", rec.Mixed()
	}
	if v := st.VerdictOf(l.Commit); v != nil {
		out.Verified = v.Outcome == state.Verified
	}
	return out
}

// current is what stands, by the version that is there where that is known.
func (m maker) current() *Landing {
	l := m.stands()
	if l == nil {
		return nil
	}
	short := promotion.Short(l.Revision)
	switch b := m.before; {
	case l.Title != short || len(l.Revision) != 40:
	case m.d.Content != nil && m.d.Content.From != "" && m.d.Content.To != "":
		l.Title = name(m.d.Content.From)
	case b != nil && b.Current != nil && b.Current.Commit == l.Commit:
		l.Title = b.Current.Title
	}
	return l
}

// stands is the newest landing, else the baseline.
func (m maker) stands() *Landing {
	o, st := m.o, m.o.Ledger.State
	switch {
	case o.Config.Managed && st != nil && len(st.Versions) > 0:
		v := st.Versions[0]
		return m.landing(o, promotion.Landing{Commit: v.ID, Revision: v.Name, Time: v.Time, Version: &v})
	case len(o.Landings) > 0:
		return m.landing(o, o.Landings[0])
	case st == nil || o.Config.Managed:
		return nil
	case st.Landing != nil && len(o.Doubts) > 0: // as far as it is known
		l := st.Landing
		return m.landing(o, promotion.Landing{Commit: l.Commit, Revision: l.Revision, Time: l.Time, PullRequest: l.PullRequest})
	}
	b := st.Baseline
	if b.Commit == "" {
		return nil
	}
	l := m.landing(o, promotion.Landing{Commit: b.Commit, Revision: b.Commit, Time: b.Time})
	l.Baseline = true
	return l
}

// offered is the upstream's landing that is to come here.
func (m maker) offered() *Landing {
	p := m.o.Ledger.State.UnderWay()
	claim, _ := m.d.Action.(promotion.Claim)
	switch {
	case p != nil && p.Reverts != nil, claim.Promotion.Reverts != nil:
		return nil // what comes is what stood before
	case m.d.Offer != nil:
		return m.upstreams(*m.d.Offer)
	case p != nil:
		return m.upstreams(*promotion.OfferOf(*p))
	}
	return nil
}

// upstreams is an offer's landing as its upstream knows it.
func (m maker) upstreams(offer promotion.Offer) *Landing {
	l := offer.Landing
	up := m.s.Upstream(m.o, offer.From)
	if up == nil {
		if l.Version == nil {
			for _, v := range m.o.Ledger.State.Versions {
				if v.ID == l.Commit {
					l.Version, l.Time = &v, v.Time
				}
			}
		}
		return m.landing(&promotion.Observed{Key: m.o.Key}, l)
	}
	for _, known := range up.Landings {
		if known.Commit == l.Commit {
			l = known
		}
	}
	return m.landing(up, l)
}

// promotion is the newest one, under way or ended.
func (m maker) promotion() *Promotion {
	st := m.o.Ledger.State
	p := st.Promotion
	if p == nil {
		return nil
	}
	out := m.shown(*p)
	out.Landed = landedAs(st, p)
	if past := m.seen.Past[p.ID]; past != nil && out.Landed == "" {
		out.Landed = past.Landed
	}
	return &out
}

// earlier are the promotions before the newest, as far as entries speak of them.
func (m maker) earlier(entries []Entry) []Promotion {
	var out []Promotion
	had := map[string]bool{"": true}
	if p := m.o.Ledger.State.Promotion; p != nil {
		had[p.ID] = true
	}
	for i := range entries {
		id := entries[i].Promotion
		if had[id] {
			continue
		}
		had[id] = true
		if past := m.seen.Past[id]; past != nil {
			p := m.shown(past.Promotion)
			p.Landed = past.Landed
			if i > 0 && !past.Promotion.Status.Ended() { // the claim of the next one is all that says so
				p.Status, p.Ended, p.Reason = string(state.Closed), entries[i-1].Time, "the next promotion took its place"
			}
			out = append(out, p)
		} else if p := m.known(id); p != nil {
			out = append(out, *p)
		}
		if len(out) == earlierShown {
			break
		}
	}
	return out
}

func (m maker) isNewest(p state.Promotion) bool {
	newest := m.o.Ledger.State.Promotion
	return newest != nil && newest.ID == p.ID
}

// known is a promotion as it was shown before; nil where it was not.
func (m maker) known(id string) *Promotion {
	if m.before == nil {
		return nil
	}
	if p := m.before.Promotion; p != nil && p.ID == id {
		return p
	}
	for i := range m.before.Earlier {
		if m.before.Earlier[i].ID == id {
			return &m.before.Earlier[i]
		}
	}
	return nil
}

// shown is a promotion for people.
func (m maker) shown(p state.Promotion) Promotion {
	out := Promotion{
		ID: p.ID, Status: string(p.Status), Revision: name(p.Revision), From: fromName(m.o, p.From), Attempt: p.Attempt, Rebuild: p.Rebuild,
		Base: p.Base, Commit: p.Commit, Branch: name(p.Branch), Claimed: p.Claimed, Ended: p.Ended, PullRequest: p.PullRequest,
		Reason: text(p.Reason), By: name(p.By),
	}
	if p.PullRequest > 0 {
		out.URL = pullURL(m.s.Repository, p.PullRequest)
	}
	if p.Reverts != nil {
		out.Reverts = p.Reverts.Promotion
	}
	if a := p.Approval; a != nil {
		out.Approval = name(a.By)
	}
	for _, past := range p.Past {
		out.Past = append(out.Past, fmt.Sprintf("%s (@%s)", name(past.Gate), name(past.By)))
	}
	if !p.Status.Ended() && m.isNewest(p) {
		out.Changes = changes(m.d.Content)
	} else if known := m.known(p.ID); known != nil {
		out.Changes = known.Changes
	}
	out.Title = m.title(p)
	return out
}

// title is that of the promotion's pull request.
func (m maker) title(p state.Promotion) string {
	if m.isNewest(p) && m.o.Pull != nil && m.o.Pull.Number == p.PullRequest && m.o.Pull.Title != "" {
		return cut(visible(m.o.Pull.Title), mostTitle)
	}
	if known := m.known(p.ID); known != nil && known.Title != "" {
		return known.Title
	}
	d := promotion.Decision{Key: m.o.Key}
	if !p.Status.Ended() {
		d = *m.d
	}
	return visible(texts.Title(texts.Promotion{Repository: m.s.Repository, Pipeline: m.o.Pipeline, Config: m.o.Config, State: p, Decision: d, Now: m.s.Now}))
}

func changes(c *content.Result) []Change {
	if c == nil {
		return nil
	}
	var out []Change
	for i, x := range c.Changes {
		if i == changesShown {
			break
		}
		out = append(out, Change{File: name(x.File), Value: name(x.Value), Now: name(x.Now), After: name(x.After)})
	}
	return out
}

// fromName is where a promotion comes from, for people.
func fromName(o *promotion.Observed, from string) string {
	if from != state.Source {
		return from
	}
	if o.Config.Source == nil && o.Config.Read != "" {
		return name(o.Config.Read)
	}
	return name(promotion.SourceName(o.Config.Source))
}

// watch is what is observed of the newest landing, while it has no verdict.
func (m maker) watch() *Watch {
	v := promotion.VerificationOf(m.s, m.o)
	if v == nil || v.Verdict != nil {
		return nil
	}
	w := &Watch{Landing: v.Landing.Commit, Evidence: evidence(v.Evidence)}
	observed := v.Watch
	if observed == nil {
		observed = m.o.Ledger.State.Watch
	}
	if observed != nil && observed.Landing == v.Landing.Commit {
		w.Since, w.Holding, w.Failing = observed.Since, observed.Holding, observed.Failing
	}
	w.Since = firstOf(w.Since, v.Landing.Time)
	return w
}

func (m maker) verdicts() []Verdict {
	var out []Verdict
	for _, v := range m.o.Ledger.State.Verdicts {
		out = append(out, Verdict{Landing: v.Landing, Revision: name(v.Revision), Outcome: string(v.Outcome), Reason: text(v.Reason), Time: v.Time, Evidence: evidence(v.Evidence)})
	}
	return out
}

func evidence(es []state.Evidence) []Evidence {
	var out []Evidence
	for _, e := range es {
		out = append(out, Evidence{Name: name(e.Name), Outcome: name(e.Outcome), Commit: e.Commit, URL: page(e.URL), Text: text(e.Text), Time: e.Time})
	}
	return out
}

func failure(f *state.Failure) *Failure {
	if f == nil {
		return nil
	}
	out := &Failure{Kind: f.Kind, Reason: text(f.Reason), Since: f.Since, Over: f.Over}
	for _, t := range f.Steps {
		out.Steps = append(out.Steps, Step{Do: t.Do, Time: t.Time, Result: text(t.Result), URL: page(t.URL)})
	}
	return out
}

// titles name revisions for people, by pipeline: the version that a commit set,
// where it set one.
type titles map[titled]string

type titled struct{ pipeline, revision string }

func (t titles) of(pipeline, revision string) string {
	return name(cmp.Or(t[titled{pipeline, revision}], promotion.Short(revision)))
}

// titlesOf gathers the versions that contents name, and those that were known before.
func titlesOf(seen Seen, before map[promotion.Key]*Environment) titles {
	t := titles{}
	for k, e := range before {
		for _, l := range []*Landing{e.Current, e.Offered} {
			if l != nil && !l.Baseline && l.Title != promotion.Short(l.Revision) {
				t[titled{k.Pipeline, l.Revision}] = l.Title
			}
		}
	}
	for i := range seen.Decisions {
		d := &seen.Decisions[i]
		if d.Offer != nil && d.Content != nil && d.Content.To != "" && len(d.Offer.Landing.Revision) == 40 {
			t[titled{d.Key.Pipeline, d.Offer.Landing.Revision}] = d.Content.To
		}
	}
	return t
}

func firstOf(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}
