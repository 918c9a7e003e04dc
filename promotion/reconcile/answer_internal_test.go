package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// TestWhatCrossedAHoldIsSaid: a merge that was under way lands after the entry; the
// answer tells of it, and of no landing that a person made or that was there before.
func TestWhatCrossedAHoldIsSaid(t *testing.T) {
	since := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for name, x := range map[string]struct {
		landed time.Time
		by     string
		want   string
	}{
		"promobot's merge":   {since.Add(2 * time.Second), "promobot[bot]", "#7 was being merged at that moment, and has landed in prod"},
		"a person's merge":   {since.Add(2 * time.Second), "ana", ""},
		"a landing before":   {since.Add(-time.Minute), "promobot[bot]", ""},
		"nothing has landed": {},
	} {
		t.Run(name, func(t *testing.T) {
			st := state.Environment{}
			if !x.landed.IsZero() {
				st.Landing = &state.Landing{PullRequest: 7, By: x.by, Time: x.landed}
			}
			s := &promotion.Snapshot{Now: since.Add(5 * time.Second), App: "promobot[bot]", Environments: []promotion.Observed{{
				Key: promotion.Key{Pipeline: "shop", Environment: "prod"}, Config: &config.Environment{}, Ledger: promotion.Ledger{State: &st},
			}}}
			held := st.Clone()
			held.Hold = &state.Hold{Comment: 5, Since: since}
			said, stands := holds(s, 5, []entry{{observed: &s.Environments[0], state: held}})
			if got := strings.Join(said, "; "); got != x.want || !stands {
				t.Errorf("it says %q, want %q; in force: %v", got, x.want, stands)
			}
		})
	}
}
