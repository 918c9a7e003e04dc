package view

// The shadow score: where promobot only observes or proposes, what auto would have
// done against what people did. Offers are noted as they are seen, and carried from
// view to view; what became of them is read from the ledger (what people merged or
// closed), and from the landings where there is no ledger entry, since people did
// it by hand: what they landed is compared by its digest with what auto would have
// made of the same files.
//
// Nothing is claimed that was not seen: what people landed before auto would have is
// not counted, and the score begins anew with the file that it is kept in.

import (
	"slices"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

// ShadowDays is how long a case counts, ShadowCases how many are kept.
const (
	ShadowDays  = 30
	ShadowCases = 100
)

// What people did with an offer.
const (
	PeopleSame     = "same"
	PeopleChanged  = "changed"
	PeopleClosed   = "closed"
	PeopleReverted = "reverted"
	PeopleOpen     = "open"
)

// shadow is the environment's score; nil where promobot merges itself, or nothing
// comes from upstream.
func (m maker) shadow(entries []Entry) *Shadow {
	o := m.o
	if o.Config.Mode >= config.Auto || !o.Config.Present || o.Config.Managed || o.Ledger.State == nil || len(promotion.Offerers(o)) == 0 {
		return nil
	}
	out := Shadow{Since: m.s.Now}
	if m.before != nil && m.before.Shadow != nil {
		out.Since, out.Cases = m.before.Shadow.Since, slices.Clone(m.before.Shadow.Cases)
	}
	newest := true // of those that are decided
	for i := range out.Cases {
		switch c := &out.Cases[i]; c.People {
		case PeopleOpen:
			if m.decided(c, entries) {
				follow(out.Cases[i:])
				m.revertedSince(c, entries, newest) // both may be seen at once
				newest = false
			}
		case PeopleSame, PeopleChanged:
			m.revertedSince(c, entries, newest)
			newest = false
		default:
			newest = false
		}
	}
	m.note(&out)
	out.trim(m.s.Now)
	out.count()
	return &out
}

// decided looks for what people did with an offer.
func (m maker) decided(c *ShadowCase, entries []Entry) bool {
	since := c.Seen.Truncate(time.Second) // git's times have no parts of a second
	for _, e := range slices.Backward(entries) {
		switch {
		case e.Revision != c.Revision || e.Reverts != "" || e.Time.Before(since):
		case e.Kind == "landed" && e.Mixed:
			c.ends(PeopleChanged, e.Time, e.PullRequest, e.URL)
		case e.Kind == "landed":
			c.ends(PeopleSame, e.Time, e.PullRequest, e.URL)
		case e.Kind == "veto":
			c.ends(PeopleClosed, e.Time, e.PullRequest, e.URL)
		}
	}
	if c.People != PeopleOpen {
		return true
	}
	ls := m.o.Landings
	for _, l := range ls {
		if l.Promotion == "" && c.Expected != "" && l.Digest == c.Expected && c.Expected != c.Was {
			c.ends(PeopleSame, l.Time, 0, commitURL(m.s.Repository, l.Commit))
			return true
		}
	}
	if len(ls) == 0 || ls[0].Promotion != "" || ls[0].Time.Before(since) {
		return false
	}
	for _, at := range m.o.Ledger.State.Position {
		if name(at.Revision) == c.Revision { // it is there by now, in other words
			c.ends(PeopleChanged, ls[0].Time, 0, commitURL(m.s.Repository, ls[0].Commit))
			return true
		}
	}
	return false
}

func (c *ShadowCase) ends(people string, at time.Time, number int, url string) {
	c.People, c.At = people, at
	if number > 0 {
		c.PullRequest = number
	}
	if url != "" {
		c.URL = url
	}
}

// follow gives the older offers that people had left open the fate of the newer
// one, which brings what they bring.
func follow(cases []ShadowCase) {
	for i := range cases[1:] {
		if c := &cases[1+i]; c.People == PeopleOpen {
			c.ends(cases[0].People, cases[0].At, 0, cases[0].URL)
		}
	}
}

// revertedSince looks for what took back what people had landed: a rollback, or,
// for the newest, a person's landing of just what stood there before.
func (m maker) revertedSince(c *ShadowCase, entries []Entry, newest bool) {
	if c.People != PeopleSame && c.People != PeopleChanged {
		return
	}
	for _, e := range entries {
		if e.Kind == "landed" && e.Reverts != "" && e.Reverts == c.Revision && !e.Time.Before(c.At) {
			c.ends(PeopleReverted, e.Time, 0, e.URL)
			return
		}
	}
	if ls := m.o.Landings; newest && len(ls) > 0 && ls[0].Promotion == "" && c.Was != "" && ls[0].Digest == c.Was && m.isAfter(ls, c) {
		c.ends(PeopleReverted, ls[0].Time, 0, commitURL(m.s.Repository, ls[0].Commit))
	}
}

// isAfter says whether the newest landing is after that of the case, which is among
// those older ones that are not read where it is not at hand. Their times do not
// say it: git's are whole seconds, and a person's clock may be behind.
func (m maker) isAfter(ls []promotion.Landing, c *ShadowCase) bool {
	return slices.IndexFunc(ls, func(l promotion.Landing) bool {
		return c.URL == commitURL(m.s.Repository, l.Commit) || c.PullRequest > 0 && c.PullRequest == l.PullRequest
	}) != 0
}

// note keeps what is offered now.
func (m maker) note(out *Shadow) {
	o, c := m.o, m.d.Content
	offer := m.d.Offer
	p := o.Ledger.State.UnderWay()
	if p != nil {
		if p.Reverts != nil {
			return
		}
		offer = promotion.OfferOf(*p)
	}
	if offer == nil || c == nil || len(c.Edits) == 0 || m.d.Standing == promotion.Rejected {
		return
	}
	revision := name(offer.Landing.Revision)
	i := slices.IndexFunc(out.Cases, func(x ShadowCase) bool { return x.Revision == revision })
	if i < 0 {
		out.Cases = slices.Insert(out.Cases, 0, ShadowCase{
			Revision: revision, Title: m.titles.of(o.Key.Pipeline, offer.Landing.Revision), Seen: m.s.Now, People: PeopleOpen,
		})
		i = 0
	}
	x := &out.Cases[i]
	if x.People != PeopleOpen {
		return
	}
	x.Was, x.Expected = c.Was, c.Expected
	if p != nil && p.PullRequest > 0 {
		x.PullRequest, x.URL = p.PullRequest, pullURL(m.s.Repository, p.PullRequest)
	}
	if x.Auto.IsZero() && promotion.WouldMerge(m.s, o, *offer) {
		x.Auto = m.s.Now
	}
}

// trim leaves out what is too old to count.
func (s *Shadow) trim(now time.Time) {
	from := now.AddDate(0, 0, -ShadowDays)
	s.Cases = slices.DeleteFunc(s.Cases, func(c ShadowCase) bool {
		return c.People != PeopleOpen && c.At.Before(from) || c.Seen.Before(from.AddDate(0, 0, -ShadowDays))
	})
	s.Cases = s.Cases[:min(len(s.Cases), ShadowCases)]
	if s.Since.Before(from) {
		s.Since = from
	}
}

func (s *Shadow) count() {
	var sooner time.Duration
	for _, c := range s.Cases {
		if c.Auto.IsZero() {
			continue
		}
		s.Offered++
		switch c.People {
		case PeopleSame:
			s.Same++
			sooner += max(0, c.At.Sub(c.Auto))
		case PeopleChanged:
			s.Changed++
		case PeopleClosed:
			s.Closed++
		case PeopleReverted:
			s.Reverted++
		default:
			s.Open++
		}
	}
	if s.Same > 0 {
		s.Sooner = (sooner / time.Duration(s.Same)).Round(time.Second)
	}
}
