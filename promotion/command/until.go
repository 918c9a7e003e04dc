package command

// Until when something is held. A day without an hour is its beginning, an hour
// without a day the next time clocks show it, both in the zone; d and w are 24 and
// 168 hours, as in the pipeline file.

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// longestUntil is how far away a time may be.
const longestUntil = 366 * 24 * time.Hour

var (
	clockTime = regexp.MustCompile(`^([01]?[0-9]|2[0-3]):([0-5][0-9])$`)
	dateOnly  = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	lasting   = regexp.MustCompile(`^(?:\d{1,5}[wdhm])+$`)
	part      = regexp.MustCompile(`(\d+)([wdhm])`)
	units     = map[string]time.Duration{"w": 7 * 24 * time.Hour, "d": 24 * time.Hour, "h": time.Hour, "m": time.Minute}
)

// untilForms is what can be written.
const untilForms = "write 2h, 3d, 17:00, Mon 09:00, 2026-11-23, 2026-11-23 09:00 or 2026-11-23T09:00:00Z"

// ParseUntil is the time that a command's Until means when it is said at now, on
// clocks in the zone (nil: UTC). Its errors are for the person: not understood,
// past, or more than a year away.
func ParseUntil(text string, now time.Time, zone *time.Location) (time.Time, error) {
	if zone == nil {
		zone = time.UTC
	}
	when, err := readUntil(text)
	if err != nil {
		return time.Time{}, err
	}
	t, err := when(now.In(zone))
	switch {
	case err != nil:
		return time.Time{}, err
	case !t.After(now):
		return time.Time{}, fmt.Errorf("%s is past; name a time to come", quote(text))
	case t.Sub(now) > longestUntil:
		return time.Time{}, fmt.Errorf("%s is more than a year away; leave the time out to hold until someone resumes", quote(text))
	}
	return t, nil
}

// readUntil understands a text, whenever it is said; now brings the zone.
func readUntil(text string) (func(now time.Time) (time.Time, error), error) {
	not := fmt.Errorf("%s is no time; %s", quote(text), untilForms)
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 40 {
		return nil, not
	}
	if t, err := time.Parse(time.RFC3339, strings.ToUpper(text)); err == nil {
		return func(time.Time) (time.Time, error) { return t, nil }, nil
	}
	if lower := strings.ToLower(text); lasting.MatchString(lower) {
		return func(now time.Time) (time.Time, error) { return after(now, lower) }, nil
	}
	day, hour, _ := strings.Cut(strings.Replace(text, "T", " ", 1), " ")
	if !dateOnly.MatchString(day) { // a weekday may have a T
		day, hour, _ = strings.Cut(text, " ")
	}
	if clockTime.MatchString(day) && hour == "" {
		day, hour = "", day
	}
	hours, minutes := 0, 0
	if hour != "" {
		m := clockTime.FindStringSubmatch(hour)
		if m == nil {
			return nil, not
		}
		hours, _ = strconv.Atoi(m[1]) // the expression has them be numbers
		minutes, _ = strconv.Atoi(m[2])
	}
	if dateOnly.MatchString(day) {
		date, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return nil, not
		}
		return func(now time.Time) (time.Time, error) {
			return shown(date, hours, minutes, now.Location()), nil
		}, nil
	}
	weekday, named := weekdayOf(day)
	if !named && day != "" {
		return nil, not
	}
	return func(now time.Time) (time.Time, error) {
		for ahead := 0; ahead <= 8; ahead++ {
			date := time.Date(now.Year(), now.Month(), now.Day()+ahead, 0, 0, 0, 0, time.UTC)
			if t := shown(date, hours, minutes, now.Location()); t.After(now) && (!named || date.Weekday() == weekday) {
				return t, nil
			}
		}
		return time.Time{}, not
	}, nil
}

// shown is when clocks show an hour of a date, or, where they skip it, the like
// time after what they skip.
func shown(date time.Time, hours, minutes int, zone *time.Location) time.Time {
	asked := time.Date(date.Year(), date.Month(), date.Day(), hours, minutes, 0, 0, time.UTC)
	t := time.Date(date.Year(), date.Month(), date.Day(), hours, minutes, 0, 0, zone)
	_, offset := t.Zone()
	if clock := t.Add(time.Duration(offset) * time.Second); clock.Before(asked) {
		return t.Add(asked.Sub(clock))
	}
	return t
}

// after adds weeks, days, hours and minutes; each has at most five digits, and
// there are at most twenty.
func after(now time.Time, text string) (time.Time, error) {
	var sum time.Duration
	for _, m := range part.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return time.Time{}, fmt.Errorf("reading %s: %w", quote(text), err)
		}
		if sum += time.Duration(n) * units[m[2]]; sum > longestUntil {
			return time.Time{}, errors.New("a hold of more than a year needs no time; leave it out")
		}
	}
	return now.Add(sum), nil
}

// takesClock says whether an hour may follow a word.
func takesClock(day string) bool {
	_, is := weekdayOf(day)
	return is || dateOnly.MatchString(day)
}

// weekdayOf reads Mon or Monday, in any letters.
func weekdayOf(text string) (time.Weekday, bool) {
	text = strings.ToLower(text)
	for d := time.Sunday; d <= time.Saturday; d++ {
		name := strings.ToLower(d.String())
		if text == name || text == name[:3] {
			return d, true
		}
	}
	return 0, false
}
