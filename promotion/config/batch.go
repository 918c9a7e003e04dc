package config

import "time"

// Batch is when the promotions of one environment are gathered into one pull
// request; the zero value gives each its own.
type Batch struct {
	Hourly bool
	// Daily, at Hour and Minute in Zone (nil is UTC).
	Daily        bool
	Hour, Minute int
	Zone         *time.Location
}

// Batched says whether promotions are gathered at all.
func (b Batch) Batched() bool { return b.Hourly || b.Daily }

// Last is the newest time to gather that is not after now; Next is the first
// one after now. Days without that time of day (a change to daylight saving
// time) have it at the time that the zone's clocks then show.
func (b Batch) Last(now time.Time) time.Time {
	if b.Hourly {
		return now.UTC().Truncate(time.Hour)
	}
	at := b.on(now, 0)
	if at.After(now) {
		at = b.on(now, -1)
	}
	return at
}

// Next is the first time to gather after now.
func (b Batch) Next(now time.Time) time.Time {
	if b.Hourly {
		return b.Last(now).Add(time.Hour)
	}
	at := b.on(now, 0)
	if !at.After(now) {
		at = b.on(now, 1)
	}
	return at
}

// on is the time of day on now's day in the zone, days later.
func (b Batch) on(now time.Time, days int) time.Time {
	zone := b.Zone
	if zone == nil {
		zone = time.UTC
	}
	d := now.In(zone)
	return time.Date(d.Year(), d.Month(), d.Day()+days, b.Hour, b.Minute, 0, 0, zone)
}
