// One event of an iCalendar file, and the days it has.

package calendar

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// event is a VEVENT. Dates are midnights in UTC, whatever the zone: a date is a
// date.
type event struct {
	line      int
	uid, name string
	cancelled bool
	start     time.Time
	days      int       // that it lasts
	instead   time.Time // RECURRENCE-ID: the occurrence of uid that it replaces
	rule      string    // RRULE
	ruleLine  int
	also      []time.Time // RDATE
	without   []time.Time // EXDATE
}

// maxListed bounds RDATE and EXDATE, in dates of one event.
const maxListed = 2000

func readEvent(line int, properties []property) (event, error) {
	e := event{line: line}
	var begin, end moment
	var duration time.Duration
	for _, p := range properties {
		var err error
		switch p.IANAToken {
		case "UID":
			e.uid = p.Value
		case "SUMMARY":
			e.name = plainName(p.Value)
		case "STATUS":
			e.cancelled = name(p) == "CANCELLED"
		case "DTSTART":
			begin, err = parseMoment(p.Value)
		case "DTEND":
			end, err = parseMoment(p.Value)
		case "DURATION":
			duration, err = parseDuration(p.Value)
		case "RECURRENCE-ID":
			var at moment
			at, err = parseMoment(p.Value)
			e.instead = at.date()
		case "RRULE":
			if e.rule != "" {
				err = errors.New("a second RRULE in one event")
			}
			e.rule, e.ruleLine = p.Value, p.line
		case "RDATE":
			e.also, err = parseDates(e.also, p.Value)
		case "EXDATE":
			e.without, err = parseDates(e.without, p.Value)
		}
		if err != nil {
			return event{}, atLine(p.line, err)
		}
	}
	if begin.at.IsZero() {
		if e.cancelled {
			return e, nil
		}
		return event{}, fmt.Errorf("the event of line %d has no DTSTART", line)
	}
	e.start = begin.date()
	var err error
	e.days, err = lasts(begin, end, duration)
	if err != nil {
		return event{}, fmt.Errorf("the event of line %d %w", line, err)
	}
	return e, nil
}

// lasts is how many dates an event touches.
func lasts(begin, end moment, duration time.Duration) (int, error) {
	const day = 24 * time.Hour
	switch {
	case end.at.IsZero() && duration > 0:
		end.at = begin.at.Add(duration)
	case end.at.IsZero():
		return 1, nil
	case end.at.Before(begin.at) && begin.zone == end.zone:
		return 0, errors.New("ends before it begins")
	}
	last := end.at.Add(-time.Second).Truncate(day)
	days := int(last.Sub(begin.date())/day) + 1
	switch {
	case days > maxSpread:
		return 0, fmt.Errorf("lasts %d days; a holiday lasts at most %d", days, maxSpread)
	case days < 1:
		return 1, nil // it ends as it begins
	}
	return days, nil
}

// moment is a date, or a date with a time, as clocks where it was written show it.
type moment struct {
	at   time.Time // as if it were UTC
	zone bool      // UTC by a Z at its end
}

func (m moment) date() time.Time { return m.at.Truncate(24 * time.Hour) }

// earliestYear is the first whole one of the Gregorian calendar, which RFC 5545
// counts by.
const earliestYear = 1583

var moments = regexp.MustCompile(`^([0-9]{8})(?:T([0-9]{6})(Z?))?$`)

func parseMoment(text string) (moment, error) {
	text = strings.TrimSpace(text)
	parts := moments.FindStringSubmatch(strings.ToUpper(text))
	if parts == nil {
		return moment{}, fmt.Errorf("%q is no date; they look like 20261003", cut(text))
	}
	layout, value := "20060102", parts[1]
	if parts[2] != "" {
		layout, value = "20060102150405", parts[1]+parts[2]
	}
	at, err := time.Parse(layout, value)
	if err != nil {
		return moment{}, fmt.Errorf("%q is no date that there is", cut(text))
	}
	if at.Year() < earliestYear {
		return moment{}, fmt.Errorf("%q is before %d", cut(text), earliestYear)
	}
	return moment{at: at, zone: parts[3] != ""}, nil
}

// parseDates adds a list of dates; of a period (begin/end), its begin.
func parseDates(dates []time.Time, text string) ([]time.Time, error) {
	for one := range strings.SplitSeq(text, ",") {
		begin, _, _ := strings.Cut(one, "/")
		at, err := parseMoment(begin)
		if err != nil {
			return nil, err
		}
		if len(dates) == maxListed {
			return nil, fmt.Errorf("more than %d dates in one event", maxListed)
		}
		dates = append(dates, at.date())
	}
	return dates, nil
}

var durations = regexp.MustCompile(`^\+?P(?:([0-9]{1,4})W)?(?:([0-9]{1,5})D)?(?:T(?:([0-9]{1,6})H)?(?:([0-9]{1,8})M)?(?:([0-9]{1,9})S)?)?$`)

func parseDuration(text string) (time.Duration, error) {
	text = strings.ToUpper(strings.TrimSpace(text))
	parts := durations.FindStringSubmatch(text)
	if parts == nil || !strings.ContainsAny(text, "0123456789") {
		return 0, fmt.Errorf("%q is no duration; they look like P1D", cut(text))
	}
	var sum time.Duration
	for n, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if parts[n+1] == "" {
			continue
		}
		count, err := strconv.Atoi(parts[n+1])
		if err != nil {
			return 0, fmt.Errorf("%q is no duration: %w", cut(text), err)
		}
		sum += time.Duration(count) * unit
	}
	return sum, nil
}

// spread adds the event's days to those found.
func (e *event) spread(all *found) error {
	starts := []time.Time{e.start} // the first occurrence, whatever the rule says
	if e.rule != "" {
		more, err := recur(e.rule, e.start)
		if err != nil {
			return lineError{e.ruleLine, fmt.Errorf("the event %q: %w", e.name, err)}
		}
		starts = append(starts, more...)
	}
	excluded := map[time.Time]bool{}
	for _, date := range e.without {
		excluded[date] = true
	}
	for _, start := range append(starts, e.also...) {
		if excluded[start] {
			continue
		}
		for day := range e.days {
			if err := all.add(start.AddDate(0, 0, day), e.name); err != nil {
				return lineError{e.line, fmt.Errorf("the event %q: %w", e.name, err)}
			}
		}
	}
	return nil
}
