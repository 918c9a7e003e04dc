// Package calendar tells when promotions may land: weekly windows in a time zone,
// blocked spans, and holidays. It is pure: times come in, times go out.
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
