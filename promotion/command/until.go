package command

import (
	"fmt"
	"time"

	"github.com/promobot/promobot/promotion/config"
)

// ParseUntil reads when a hold ends: a duration (2h, 3d), a day (its end, UTC), or
// a time (RFC 3339).
func ParseUntil(text string, now time.Time) (time.Time, error) {
	if i, err := config.ParseInterval(text); err == nil && i > 0 {
		return now.Add(time.Duration(i)), nil
	}
	var until time.Time
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		until = day.AddDate(0, 0, 1)
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			until = t.UTC()
		}
	}
	switch {
	case until.IsZero():
		return until, fmt.Errorf("%s is no time; write 2h, 3d, 2026-11-23 or 2026-11-23T09:00Z", cut(text))
	case !until.After(now):
		return until, fmt.Errorf("%s is over already", cut(text))
	}
	return until, nil
}
