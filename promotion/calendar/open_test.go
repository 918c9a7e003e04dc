package calendar_test

// Windows on ordinary days, on holidays, and when clocks change.

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/promobot/promobot/promotion/calendar"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	found, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func spans(t testing.TB, text string) []calendar.Span {
	t.Helper()
	if text == "" {
		return nil
	}
	parsed, err := calendar.ParseSpans(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestOpen(t *testing.T) {
	holidays := []calendar.Day{{2026, time.October, 3, "Tag der Deutschen Einheit"}, {2026, time.October, 5, ""}}
	const office = "Mon-Thu 09:00-16:00"
	for _, c := range []struct {
		name         string
		allow, block string
		days         []calendar.Day
		at           string // the zone is Berlin
		shut         string // why; "" for open
		next         string // "" for at itself, "never" for never
	}{
		{name: "nothing said", at: "2026-10-07T03:00:00+02:00"},
		{name: "inside", allow: office, at: "2026-10-07T09:30:00+02:00"},
		{name: "at its first instant", allow: office, at: "2026-10-07T09:00:00+02:00"},
		{name: "just before", allow: office, at: "2026-10-07T08:59:59+02:00", shut: "outside Mon-Thu 09:00-16:00", next: "2026-10-07T09:00:00+02:00"},
		{name: "at its end", allow: office, at: "2026-10-07T16:00:00+02:00", shut: "outside Mon-Thu 09:00-16:00", next: "2026-10-08T09:00:00+02:00"},
		{name: "by its own clock", allow: office, at: "2026-10-07T07:30:00Z"},
		{name: "over the weekend", allow: office, at: "2026-10-08T16:30:00+02:00", shut: "outside Mon-Thu 09:00-16:00", next: "2026-10-12T09:00:00+02:00"},
		{name: "a holiday", days: holidays, at: "2026-10-03T12:00:00+02:00", shut: "holiday: Tag der Deutschen Einheit", next: "2026-10-04T00:00:00+02:00"},
		{name: "a holiday without a name", allow: office, days: holidays, at: "2026-10-05T12:00:00+02:00", shut: "holiday", next: "2026-10-06T09:00:00+02:00"},
		{name: "a holiday in the window's zone", days: holidays, at: "2026-10-02T22:30:00Z", shut: "holiday: Tag der Deutschen Einheit", next: "2026-10-04T00:00:00+02:00"},
		{name: "a holiday is told before a block", block: "Sat", days: holidays, at: "2026-10-03T12:00:00+02:00", shut: "holiday: Tag der Deutschen Einheit", next: "2026-10-04T00:00:00+02:00"},
		{name: "blocked", allow: "Mon-Fri 09:00-18:00", block: "Wed 11:00-13:00; Fri 12:00-24:00", at: "2026-10-07T12:00:00+02:00", shut: "blocked Wed 11:00-13:00", next: "2026-10-07T13:00:00+02:00"},
		{name: "blocked until its end", allow: "Mon-Fri 09:00-18:00", block: "Fri 12:00-24:00", at: "2026-10-09T12:00:00+02:00", shut: "blocked Fri 12:00-24:00", next: "2026-10-12T09:00:00+02:00"},
		{name: "blocked alone", block: "Fri 12:00-Mon 06:00", at: "2026-10-10T12:00:00+02:00", shut: "blocked Fri 12:00-Mon 06:00", next: "2026-10-12T06:00:00+02:00"},
		{name: "over midnight, before", allow: "22:00-06:00", at: "2026-10-07T23:00:00+02:00"},
		{name: "over midnight, after", allow: "22:00-06:00", at: "2026-10-07T05:59:59+02:00"},
		{name: "over midnight, its end", allow: "22:00-06:00", at: "2026-10-07T06:00:00+02:00", shut: "outside 22:00-06:00", next: "2026-10-07T22:00:00+02:00"},
		{name: "over midnight into another day", allow: "Fri 22:00-06:00", at: "2026-10-10T05:00:00+02:00"},
		{name: "not from the day before", allow: "Fri 22:00-06:00", at: "2026-10-09T05:00:00+02:00", shut: "outside Fri 22:00-06:00", next: "2026-10-09T22:00:00+02:00"},
		{name: "a holiday ends a night", allow: "22:00-06:00", days: holidays, at: "2026-10-03T01:00:00+02:00", shut: "holiday: Tag der Deutschen Einheit", next: "2026-10-04T00:00:00+02:00"},
		{name: "all blocked", allow: office, block: "Mon-Sun", at: "2026-10-07T09:30:00+02:00", shut: "blocked 00:00-24:00", next: "never"},
		{name: "what is allowed is blocked", allow: office, block: "08:00-17:00", at: "2026-10-07T07:30:00+02:00", shut: "outside Mon-Thu 09:00-16:00", next: "never"},

		// On 29 March 2026 clocks in Berlin skip from 02:00 to 03:00.
		{name: "begins in the skipped hour", allow: "02:30-05:00", at: "2026-03-29T00:59:59Z", shut: "outside 02:30-05:00", next: "2026-03-29T01:00:00Z"},
		{name: "ends in the skipped hour", allow: "01:00-02:30", at: "2026-03-29T00:59:59Z"},
		{name: "ends with the skipped hour", allow: "01:00-02:30", at: "2026-03-29T01:00:00Z", shut: "outside 01:00-02:30", next: "2026-03-29T23:00:00Z"},
		{name: "lies in the skipped hour", allow: "Sun 02:15-02:45", at: "2026-03-28T12:00:00Z", shut: "outside Sun 02:15-02:45", next: "2026-04-05T00:15:00Z"},
		{name: "is the skipped hour", allow: "Sun 02:00-03:00", at: "2026-03-29T01:00:00Z", shut: "outside Sun 02:00-03:00", next: "2026-04-05T00:00:00Z"},
		// On 25 October 2026 they repeat the hour from 02:00 to 03:00.
		{name: "begins in the repeated hour, once", allow: "02:30-05:00", at: "2026-10-25T00:29:00Z", shut: "outside 02:30-05:00", next: "2026-10-25T00:30:00Z"},
		{name: "stays open as the hour repeats", allow: "02:30-05:00", at: "2026-10-25T01:10:00Z"},
		{name: "ends in the repeated hour, the second time", allow: "01:00-02:30", at: "2026-10-25T01:29:59Z"},
		{name: "ended in the repeated hour", allow: "Sun 01:00-02:30", at: "2026-10-25T01:30:00Z", shut: "outside Sun 01:00-02:30", next: "2026-11-01T00:00:00Z"},
		{name: "ends as the hour begins that repeats", allow: "Sun 01:00-02:00", at: "2026-10-25T01:00:00Z", shut: "outside Sun 01:00-02:00", next: "2026-11-01T00:00:00Z"},
		{name: "a block in the repeated hour is one too", block: "02:15-02:45", at: "2026-10-25T01:10:00Z", shut: "blocked 02:15-02:45", next: "2026-10-25T01:45:00Z"},
		{name: "nine is nine on either side", allow: office, at: "2026-10-22T15:00:00Z", shut: "outside Mon-Thu 09:00-16:00", next: "2026-10-26T08:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := calendar.Window{Allow: spans(t, c.allow), Block: spans(t, c.block), Zone: zone(t, "Europe/Berlin"), Days: c.days}
			at := instant(t, c.at)
			open, why := w.Open(at)
			if open != (c.shut == "") || why != c.shut {
				t.Errorf("open is %v, %q; want %q", open, why, c.shut)
			}
			next, ever := w.Next(at)
			switch {
			case c.next == "never":
				if ever {
					t.Errorf("opens at %v, want never", next)
				}
			case c.next == "":
				if !ever || !next.Equal(at) {
					t.Errorf("opens at %v, %v; want at once", next, ever)
				}
			case !ever || !next.Equal(instant(t, c.next)):
				t.Errorf("opens at %v, %v; want %s", next, ever, c.next)
			}
		})
	}
}

// Samoa left out 30 December 2011.
func TestSkippedDay(t *testing.T) {
	w := calendar.Window{Allow: spans(t, "Fri 09:00-10:00"), Zone: zone(t, "Pacific/Apia")}
	next, ever := w.Next(instant(t, "2011-12-24T00:00:00Z"))
	if want := instant(t, "2012-01-05T19:00:00Z"); !ever || !next.Equal(want) { // 6 January, 09:00 in Apia
		t.Errorf("opens at %v, %v; want %v", next, ever, want)
	}
}

func TestHolidaysForYears(t *testing.T) {
	start := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	var w calendar.Window
	for day := range 800 {
		year, month, date := start.AddDate(0, 0, day).Date()
		w.Days = append(w.Days, calendar.Day{Year: year, Month: month, Day: date})
	}
	if next, ever := w.Next(start); ever {
		t.Errorf("opens at %v, which is more than two years ahead", next)
	}
	after := start.AddDate(0, 0, 800)
	if next, ever := w.Next(start.AddDate(0, 6, 0)); !ever || !next.Equal(after) {
		t.Errorf("opens at %v, %v; want %v", next, ever, after)
	}
}

func TestDescribe(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	now := "2026-12-28T12:00:00+01:00" // a Monday
	for _, c := range []struct {
		name, at, want string
		zone           *time.Location
	}{
		{"today", "2026-12-28T16:00:00+01:00", "Mon 16:00 Europe/Berlin", berlin},
		{"in three days", "2026-12-31T08:00:00Z", "Thu 09:00 Europe/Berlin", berlin},
		{"six days away, another year", "2027-01-03T23:59:00+01:00", "Sun 23:59 Europe/Berlin", berlin},
		{"seven days away", "2027-01-04T00:00:00+01:00", "Mon 4 Jan 2027 00:00 Europe/Berlin", berlin},
		{"past", "2026-12-27T23:00:00+01:00", "Sun 27 Dec 23:00 Europe/Berlin", berlin},
		{"no zone", "2026-12-28T16:00:00+01:00", "Mon 15:00 UTC", nil},
		{"the day is the zone's", "2027-01-03T23:30:00Z", "Mon 4 Jan 2027 00:30 Europe/Berlin", berlin},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := calendar.Describe(instant(t, c.at), instant(t, now), c.zone); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if got := calendar.Describe(instant(t, "2026-12-28T12:00:00Z"), instant(t, "2026-06-01T12:00:00Z"), nil); got != "Mon 28 Dec 12:00 UTC" {
		t.Errorf("the same year: %q", got)
	}
}
