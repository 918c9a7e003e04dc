// When a window is open, and when it opens next.

package calendar

import "time"

// furthest is how far Next looks, in years.
const furthest = 2

// Open says whether the window is open at t, and if not, why: "holiday: <name>",
// "blocked Fri 12:00-24:00" or "outside Mon-Thu 09:00-16:00".
func (w Window) Open(t time.Time) (bool, string) {
	shut, _ := w.shut(t)
	return shut == "", shut
}

// Next is when the window is open first at or after t; false when it never is
// within two years.
func (w Window) Next(t time.Time) (time.Time, bool) {
	last := t.AddDate(furthest, 0, 0)
	for !t.After(last) {
		shut, until := w.shut(t)
		if shut == "" {
			return t, true
		}
		t = until
	}
	return time.Time{}, false
}

// shut is why the window is shut at t, "" if it is open, and until when that
// reason holds, which is after t.
func (w Window) shut(t time.Time) (reason string, until time.Time) {
	zone := zoned(w.Zone)
	today := civilOf(t, zone)
	for _, day := range w.Days {
		// Where clocks go back over midnight, a date may have an hour of the next.
		if distance := day.civil().Sub(today); distance < -24*time.Hour || distance > 24*time.Hour {
			continue
		}
		if on := wholeDay(day.civil(), zone); on.holds(t) {
			return holiday(day.Name), on.to
		}
	}
	if span, on, is := within(w.Block, t, today, zone); is {
		return "blocked " + textOf(w.Block, span), on.to
	}
	if len(w.Allow) == 0 {
		return "", t
	}
	if _, _, is := within(w.Allow, t, today, zone); is {
		return "", t
	}
	return "outside " + Text(w.Allow), nextStart(w.Allow, t, today, zone)
}

func holiday(name string) string {
	if name == "" {
		return "holiday"
	}
	return "holiday: " + name
}

// within finds the span that t lies in, the one that ends last if there are more.
func within(spans []Span, t, today time.Time, zone *time.Location) (index int, on stretch, is bool) {
	for n, span := range spans {
		for day := -2; day <= 1; day++ {
			date := today.AddDate(0, 0, day)
			if !span.Days[date.Weekday()] {
				continue
			}
			if found := span.on(date, zone); found.holds(t) && (!is || found.to.After(on.to)) {
				index, on, is = n, found, true
			}
		}
	}
	return index, on, is
}

// nextStart is the first instant after t at which a span begins; without one, a
// week later.
func nextStart(spans []Span, t, today time.Time, zone *time.Location) time.Time {
	const week = 7
	for day := -1; day <= week+1; day++ {
		var first time.Time
		date := today.AddDate(0, 0, day)
		for _, span := range spans {
			if !span.Days[date.Weekday()] {
				continue
			}
			on := span.on(date, zone)
			if on.from.Before(on.to) && on.from.After(t) && (first.IsZero() || on.from.Before(first)) {
				first = on.from
			}
		}
		if !first.IsZero() {
			return first // later dates begin no earlier
		}
	}
	return t.AddDate(0, 0, week)
}

// stretch is from an instant to just before another.
type stretch struct{ from, to time.Time }

func (s stretch) holds(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// on is the span as begun on a date.
func (s Span) on(date time.Time, zone *time.Location) stretch {
	to := s.To
	if to <= s.From {
		to += dayMinutes
	}
	return stretch{
		from: firstAt(date.Add(time.Duration(s.From)*time.Minute), zone),
		to:   lastBefore(date.Add(time.Duration(to)*time.Minute), zone),
	}
}

func wholeDay(date time.Time, zone *time.Location) stretch {
	return Span{From: 0, To: dayMinutes}.on(date, zone)
}

// firstAt is the first instant at which clocks in the zone show wall (given as if
// it were UTC) or later.
func firstAt(wall time.Time, zone *time.Location) time.Time {
	var first time.Time
	offsets(wall, zone, func(from, to time.Time, offset time.Duration) {
		if at := wall.Add(-offset); first.IsZero() && at.Before(to) {
			first = at
			if from.After(at) {
				first = from
			}
		}
	})
	return first
}

// lastBefore is the end of the instants at which clocks in the zone show less
// than wall.
func lastBefore(wall time.Time, zone *time.Location) time.Time {
	var last time.Time
	offsets(wall, zone, func(from, to time.Time, offset time.Duration) {
		if at := wall.Add(-offset); at.After(from) {
			last = at
			if to.Before(at) {
				last = to
			}
		}
	})
	return last
}

// offsets tells of each stretch of time around wall how far clocks are ahead of
// UTC in it. Clocks differ from UTC by at most 15 hours, and a change of a whole
// day (Samoa left out 30 December 2011) is within it.
func offsets(wall time.Time, zone *time.Location, tell func(from, to time.Time, offset time.Duration)) {
	const around = 30 * time.Hour
	from, last := wall.Add(-around), wall.Add(around)
	for from.Before(last) {
		local := from.In(zone)
		_, seconds := local.Zone()
		_, to := local.ZoneBounds()
		if to.IsZero() || to.After(last) {
			to = last
		}
		tell(from.UTC(), to.UTC(), time.Duration(seconds)*time.Second)
		from = to
	}
}
