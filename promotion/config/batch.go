package config

import (
	"fmt"
	"time"
)

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

// String is the batch for people: hourly, daily at 06:00 Europe/Berlin, never.
func (b Batch) String() string {
	switch {
	case b.Hourly:
		return "hourly"
	case b.Daily:
		return fmt.Sprintf("daily at %02d:%02d %s", b.Hour, b.Minute, b.zone())
	}
	return "never"
}

// Last is the newest time to gather that is not after now; Next is the first
// one after now. Days without that time of day (a change to daylight saving
// time) have it at the time that the zone's clocks then show; days that have it
// twice have it once.
func (b Batch) Last(now time.Time) time.Time {
	if b.Hourly {
		return now.UTC().Truncate(time.Hour)
	}
	// A day's time may fall on the day before, where midnight itself is skipped.
	for days := 1; ; days-- {
		if at := b.on(now, days); !at.After(now) {
			return at
		}
	}
}

// Next is the first time to gather after now.
func (b Batch) Next(now time.Time) time.Time {
	if b.Hourly {
		return b.Last(now).Add(time.Hour)
	}
	for days := -1; ; days++ {
		if at := b.on(now, days); at.After(now) {
			return at
		}
	}
}

// on is the time of day on now's day in the zone, days later.
func (b Batch) on(now time.Time, days int) time.Time {
	d := now.In(b.zone())
	return time.Date(d.Year(), d.Month(), d.Day()+days, b.Hour, b.Minute, 0, 0, b.zone())
}

func (b Batch) zone() *time.Location {
	if b.Zone == nil {
		return time.UTC
	}
	return b.Zone
}
