package calendar_test

// Properties of Open and Next, over every change of clocks of several zones.

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion/calendar"
)

// zoneNames change their clocks in unlike ways: by half an hour (Lord Howe), by
// two (Troll), at midnight (Havana, Santiago), at 00:01 (St. John's, to 2011), by
// a day (Apia, 2011), during Ramadan (Casablanca), or not at all.
var zoneNames = []string{
	"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "America/Havana", "America/Santiago",
	"America/St_Johns", "Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu", "America/Sao_Paulo", "Europe/Dublin",
}

// changes are the instants at which clocks change in the years.
func changes(zone *time.Location, from, to int) (all []time.Time) {
	at, end := time.Date(from, time.January, 1, 0, 0, 0, 0, time.UTC), time.Date(to, time.January, 1, 0, 0, 0, 0, time.UTC)
	for at.Before(end) {
		_, next := at.In(zone).ZoneBounds()
		if next.IsZero() {
			break
		}
		if at = next.UTC(); at.Before(end) {
			all = append(all, at)
		}
	}
	return all
}

func drawSpans(t *rapid.T, label string, most int) []calendar.Span {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) calendar.Span {
		var span calendar.Span
		for day := range span.Days {
			span.Days[day] = rapid.IntRange(0, 2).Draw(t, "on") > 0
		}
		span.From = 15 * rapid.IntRange(0, 95).Draw(t, "from")
		span.To = 15 * rapid.IntRange(0, 96).Draw(t, "to")
		return span
	}), 0, most).Draw(t, label)
}

// drawNear draws a window, and a time near a change of clocks if its zone has any.
func drawNear(t *rapid.T, zones map[string]*time.Location, all map[string][]time.Time) (calendar.Window, time.Time) {
	name := rapid.SampledFrom(zoneNames).Draw(t, "zone")
	w := calendar.Window{Allow: drawSpans(t, "allow", 3), Block: drawSpans(t, "block", 2), Zone: zones[name]}
	at := time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC)
	if len(all[name]) > 0 {
		at = rapid.SampledFrom(all[name]).Draw(t, "change")
	}
	at = at.Add(time.Duration(rapid.IntRange(-36*3600, 12*3600).Draw(t, "seconds")) * time.Second)
	for range rapid.IntRange(0, 2).Draw(t, "holidays") {
		day := at.AddDate(0, 0, rapid.IntRange(-2, 3).Draw(t, "holiday"))
		w.Days = append(w.Days, calendar.Day{Year: day.Year(), Month: day.Month(), Day: day.Day(), Name: "holiday"})
	}
	return w, at
}

func allChanges(t *testing.T) (zones map[string]*time.Location, all map[string][]time.Time) {
	zones, all = map[string]*time.Location{}, map[string][]time.Time{}
	for _, name := range zoneNames {
		zones[name] = zone(t, name)
		all[name] = slices.Concat(changes(zones[name], 2009, 2013), changes(zones[name], 2025, 2028))
	}
	return zones, all
}

func TestNextOpens(t *testing.T) {
	zones, all := allChanges(t)
	rapid.Check(t, func(t *rapid.T) {
		w, at := drawNear(t, zones, all)
		next, ever := w.Next(at)
		if !ever {
			for minute := range 14 * 1440 {
				if open, _ := w.Open(at.Add(time.Duration(minute) * time.Minute)); open {
					t.Fatalf("open %d minutes after a time from which it never opens", minute)
				}
			}
			return
		}
		if next.Before(at) {
			t.Fatalf("opens at %v, before %v", next, at)
		}
		if open, why := w.Open(next); !open {
			t.Fatalf("opens at %v, when it is shut: %s", next, why)
		}
		if next.After(at) {
			if open, _ := w.Open(next.Add(-time.Nanosecond)); open {
				t.Fatalf("open just before %v, when it opens", next)
			}
		}
		for before := at; before.Before(next) && before.Sub(at) < 14*24*time.Hour; before = before.Add(time.Minute) {
			if open, _ := w.Open(before); open {
				t.Fatalf("open at %v, before it opens at %v", before, next)
			}
		}
		if again, _ := w.Next(next); !again.Equal(next) {
			t.Fatalf("opens at %v, and from there at %v", next, again)
		}
	})
}

// Away from changes, a window is what clocks show.
func TestOpenByTheClock(t *testing.T) {
	zones, all := allChanges(t)
	rapid.Check(t, func(t *rapid.T) {
		w, at := drawNear(t, zones, all)
		local := at.In(w.Zone)
		from, to := local.ZoneBounds()
		const far = 50 * time.Hour
		if !from.IsZero() && at.Sub(from) < far || !to.IsZero() && to.Sub(at) < far {
			at = at.Add(5 * 24 * time.Hour)
			local = at.In(w.Zone)
			if from, to = local.ZoneBounds(); !from.IsZero() && at.Sub(from) < far || !to.IsZero() && to.Sub(at) < far {
				t.Skip("clocks change again")
			}
		}
		minute := int(local.Weekday())*1440 + local.Hour()*60 + local.Minute()
		allowed, blocked := minutesOf(w.Allow), minutesOf(w.Block)
		want := (len(w.Allow) == 0 || allowed[minute]) && !blocked[minute]
		for _, day := range w.Days {
			if year, month, date := local.Date(); day.Year == year && day.Month == month && day.Day == date {
				want = false
			}
		}
		if open, why := w.Open(at); open != want || open != (why == "") {
			t.Fatalf("%v: open is %v, %q; by the clock %v", local, open, why, want)
		}
	})
}

// On the day of a change as on any other, a daily window opens at most once, and
// an hour that clocks show twice does not open it twice.
func TestOneWindowADay(t *testing.T) {
	zones, all := allChanges(t)
	for _, name := range zoneNames {
		for _, change := range all[name] {
			local := change.In(zones[name])
			for from := 0; from <= 24*60-45; from += 45 {
				var days [7]bool
				days[local.Weekday()] = true
				w := calendar.Window{Zone: zones[name], Allow: []calendar.Span{{Days: days, From: from, To: from + 45}}}
				opened, was := 0, false
				for minute := -26 * 60; minute < 26*60; minute += 15 {
					open, _ := w.Open(change.Add(time.Duration(minute) * time.Minute))
					if open && !was {
						opened++
					}
					was = open
				}
				if opened > 1 {
					t.Fatalf("%s at %v: %s opens %d times", name, change, calendar.Text(w.Allow), opened)
				}
			}
		}
	}
}
