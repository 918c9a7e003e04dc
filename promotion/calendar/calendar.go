// Package calendar tells when promotions may land: weekly windows in a time zone,
// blocked spans, and holidays. It is pure: times come in, times go out.
//
// Rules:
//
//   - A span is from the first instant at which clocks in its zone show its
//     beginning, or later, to the last at which they show less than its end. So a
//     span that begins in the hour that clocks skip opens at the first instant
//     after it, one that lies in that hour alone does not open that day, and one
//     in the hour that clocks repeat is a single span, not two.
//   - What shuts is stronger than what opens: holidays, then blocked spans, then
//     what is not allowed. A holiday shuts its date, also for a span that began
//     the evening before.
//   - What comes from files of a repository is bounded, and never panics.
package calendar

import "time"

// Window is when something may happen. The zero Window is always open.
type Window struct {
	Allow []Span // weekly; none: always
	Block []Span // weekly, and stronger than Allow
	Zone  *time.Location
	// Days are holidays: shut all day.
	Days []Day
}

// Span is a part of a week: on each of the days from From to To, in minutes since
// midnight. To may be 24*60; From above To reaches into the next day.
type Span struct {
	Days     [7]bool // by time.Weekday
	From, To int
}

// Day is a date in the window's zone.
type Day struct {
	Year  int
	Month time.Month
	Day   int
	Name  string // of the holiday
}

// dayMinutes is a day on the clock.
const dayMinutes = 24 * 60

// civil is the date as a time in UTC, at midnight, to calculate with.
func (d Day) civil() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
}

// civilOf is the date that clocks in the zone show at t.
func civilOf(t time.Time, zone *time.Location) time.Time {
	year, month, day := t.In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// zoned is the window's zone; UTC if it has none.
func zoned(zone *time.Location) *time.Location {
	if zone == nil {
		return time.UTC
	}
	return zone
}
