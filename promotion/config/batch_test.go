package config_test

import (
	"testing"
	"time"

	"github.com/promobot/promobot/promotion/config"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestBatchTimes are times of gathering around changes of the clocks.
func TestBatchTimes(t *testing.T) {
	berlin, beirut, apia := zone(t, "Europe/Berlin"), zone(t, "Asia/Beirut"), zone(t, "Pacific/Apia")
	daily := func(hour, minute int, z *time.Location) config.Batch {
		return config.Batch{Daily: true, Hour: hour, Minute: minute, Zone: z}
	}
	for name, c := range map[string]struct {
		batch           config.Batch
		now, last, next string
	}{
		"hourly":                              {config.Batch{Hourly: true}, "2026-03-04T10:59:59Z", "2026-03-04T10:00:00Z", "2026-03-04T11:00:00Z"},
		"hourly, to the second":               {config.Batch{Hourly: true}, "2026-03-04T10:00:00Z", "2026-03-04T10:00:00Z", "2026-03-04T11:00:00Z"},
		"hourly, whatever the clocks do":      {config.Batch{Hourly: true}, "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"},
		"daily in UTC":                        {daily(0, 0, nil), "2026-12-31T23:59:59Z", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"},
		"before the day's time":               {daily(6, 30, nil), "2026-03-01T06:29:59Z", "2026-02-28T06:30:00Z", "2026-03-01T06:30:00Z"},
		"at the day's time":                   {daily(6, 30, nil), "2026-03-01T06:30:00Z", "2026-03-01T06:30:00Z", "2026-03-02T06:30:00Z"},
		"the zone's day is another":           {daily(1, 0, berlin), "2026-01-10T23:30:00Z", "2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z"},
		"a summer's day":                      {daily(6, 0, berlin), "2026-07-01T12:00:00Z", "2026-07-01T04:00:00Z", "2026-07-02T04:00:00Z"},
		"the clocks go forward overnight":     {daily(6, 0, berlin), "2026-03-28T12:00:00Z", "2026-03-28T05:00:00Z", "2026-03-29T04:00:00Z"},
		"the clocks go back overnight":        {daily(6, 0, berlin), "2026-10-24T12:00:00Z", "2026-10-24T04:00:00Z", "2026-10-25T05:00:00Z"},
		"a time that the day does not have":   {daily(2, 30, berlin), "2026-03-29T00:00:00Z", "2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z"},
		"after it, the clocks show 03:30":     {daily(2, 30, berlin), "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"},
		"a time that the day has twice":       {daily(2, 30, berlin), "2026-10-25T00:45:00Z", "2026-10-24T00:30:00Z", "2026-10-25T01:30:00Z"},
		"it is gathered once, at the second":  {daily(2, 30, berlin), "2026-10-25T01:45:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"},
		"a midnight that the day has not":     {daily(0, 0, beirut), "2026-03-28T12:00:00Z", "2026-03-27T22:00:00Z", "2026-03-28T22:00:00Z"},
		"just after the midnight that is not": {daily(0, 0, beirut), "2026-03-28T22:30:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"},
		"a day that the zone never had":       {daily(6, 0, apia), "2011-12-30T12:00:00Z", "2011-12-29T16:00:00Z", "2011-12-30T16:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, c.now)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.batch.Last(now).UTC().Format(time.RFC3339); got != c.last {
				t.Errorf("last is %s, not %s", got, c.last)
			}
			if got := c.batch.Next(now).UTC().Format(time.RFC3339); got != c.next {
				t.Errorf("next is %s, not %s", got, c.next)
			}
		})
	}
}

// TestBatchTimesAreOneOrder walks through a year: at each moment the times
// before and after it are neighbours, and nothing is between.
func TestBatchTimesAreOneOrder(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "Asia/Beirut", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"} {
		for _, hour := range []int{0, 2, 23} {
			b := config.Batch{Daily: true, Hour: hour, Minute: 15, Zone: zone(t, name)}
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for now := begin; now.Before(begin.AddDate(1, 0, 0)); now = now.Add(97 * time.Minute) {
				last, next := b.Last(now), b.Next(now)
				if last.After(now) || !next.After(now) || !b.Next(last).Equal(next) || !b.Last(next.Add(-time.Second)).Equal(last) {
					t.Fatalf("%s, %02d:15 at %s: last %s, next %s", name, hour, now, last, next)
				}
				if between := next.Sub(last); between < 22*time.Hour || between > 26*time.Hour {
					t.Fatalf("%s, %02d:15 at %s: %s between %s and %s", name, hour, now, between, last, next)
				}
			}
		}
	}
}

func TestBatchIsShown(t *testing.T) {
	for want, b := range map[string]config.Batch{
		"never": {}, "hourly": {Hourly: true}, "daily at 00:00 UTC": {Daily: true},
		"daily at 06:05 Europe/Berlin": {Daily: true, Hour: 6, Minute: 5, Zone: zone(t, "Europe/Berlin")},
	} {
		if got := b.String(); got != want || b.Batched() != (want != "never") {
			t.Errorf("%q, not %q; batched %v", got, want, b.Batched())
		}
	}
}
