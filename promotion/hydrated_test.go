package promotion_test

// Environments read from source branches of their own: which states of such a
// branch are newer, and what is said while one is missing.

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// rendered are a source branch's states, newest first, each of a revision.
func rendered(revisions ...string) []promotion.Landing {
	var ls []promotion.Landing
	for i, r := range revisions {
		ls = append(ls, promotion.Landing{Commit: "next-" + string(rune('9'-i)), Index: i, Revision: r})
	}
	return ls
}

func chainOf(ls []promotion.Landing, end string) promotion.Chain {
	var cs []promotion.Commit
	for _, l := range ls {
		cs = append(cs, promotion.Commit{ID: l.Commit})
	}
	return promotion.NewChain(append(cs, promotion.Commit{ID: end}))
}

// TestRenderedLate: main is f, e, d, c, b, a; the branch's states are of its
// commits, or of another repository's.
func TestRenderedLate(t *testing.T) {
	for name, c := range map[string]struct {
		states []string // newest first
		taken  string
		want   string // offered; "" nothing
	}{
		"a newer one":                            {[]string{"d"}, "c", "d"},
		"the newest of several":                  {[]string{"e", "d"}, "c", "e"},
		"an older one, late":                     {[]string{"b"}, "c", ""},
		"an older one after a newer one":         {[]string{"b", "d"}, "c", "d"},
		"an older one before a newer one":        {[]string{"e", "b", "d"}, "c", "e"},
		"the same one, rendered again":           {[]string{"c"}, "c", "c"},
		"the first one":                          {[]string{"b"}, "", "b"},
		"revisions of another repository":        {[]string{"their-1"}, "their-2", "their-1"},
		"another repository's, after this one's": {[]string{"their-1"}, "c", "their-1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := quiet()
			o := at(s, "qa")
			o.Config.Branch, o.Config.Read = "env/qa", "env/qa-next"
			o.Reads = rendered(c.states...)
			s.Branches = map[string]promotion.Chain{"env/qa": chain("q"), "env/qa-next": chainOf(o.Reads, "next-0")}
			o.Ledger.State.Position = map[string]state.Position{state.Source: {Commit: "next-0", Revision: c.taken}}
			got := ""
			if offer, _ := promotion.OfferTo(s, o); offer != nil {
				got = offer.Landing.Revision
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("offered (-want +got):\n%s", d)
			}
		})
	}
}

func TestNotRendered(t *testing.T) {
	for name, c := range map[string]struct {
		landed, states []string
		revision       string
		want           string
	}{
		"not yet":                      {[]string{"d"}, nil, "d", "env/staging-next does not hold what qa has yet"},
		"it is":                        {[]string{"d"}, []string{"d"}, "d", ""},
		"only an older one is":         {[]string{"e", "d"}, []string{"d"}, "e", "env/staging-next does not hold what qa has yet"},
		"what upstream has not":        {[]string{"d"}, nil, "e", ""},
		"what was taken over long ago": {[]string{"d"}, nil, "a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := quiet()
			for _, l := range c.landed {
				i, _ := s.Chain.Index(l)
				at(s, "qa").Landings = append(at(s, "qa").Landings, landing(l, i, "qa"))
			}
			o := at(s, "staging")
			if got := promotion.NotRendered(s, o, c.revision); got != "" {
				t.Errorf("without a source branch: %s", got)
			}
			o.Config.Read, o.Reads = "env/staging-next", rendered(c.states...)
			if d := cmp.Diff(c.want, promotion.NotRendered(s, o, c.revision)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
