// Recurring events: rrule-go, kept from what would make it work long.

package calendar

import (
	"fmt"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

const (
	maxRule  = 200 // bytes of a rule
	maxRules = 300 // recurring events in a file
	// maxInterval keeps sums of it small.
	maxInterval = 1000
	// later moves a rule ahead by years after which the Gregorian calendar is the
	// same again, weekdays too (400 years are 20,871 weeks). rrule-go looks as far
	// as the year 9999 for the next day of a rule that has none (30 February): the
	// nearer that is, the sooner it ends.
	later = 19 * 400
)

// recur are the dates of a rule from its start, of those from firstYear to
// lastYear and shortly before.
func recur(rule string, start time.Time) (dates []time.Time, err error) {
	defer func() {
		// rrule-go calculates indices from what the rule says.
		if failed := recover(); failed != nil {
			dates, err = nil, fmt.Errorf("RRULE %q is not understood", cut(rule))
		}
	}()
	if start.Year() > lastYear {
		return nil, nil
	}
	option, err := parseRule(rule)
	if err != nil {
		return nil, err
	}
	option.Dtstart = start.AddDate(later, 0, 0)
	horizon := time.Date(lastYear, time.December, 31, 0, 0, 0, 0, time.UTC)
	if option.Until.IsZero() || option.Until.After(horizon) {
		option.Until = horizon
	}
	option.Until = option.Until.AddDate(later, 0, 0)
	made, err := rrule.NewRRule(*option)
	if err != nil {
		return nil, fmt.Errorf("RRULE %q: %w", cut(rule), err)
	}
	next := made.Iterator()
	for {
		at, more := next()
		if !more {
			return dates, nil
		}
		// An occurrence of the year before may last into the first.
		if date := at.AddDate(-later, 0, 0); date.Year() >= firstYear-1 {
			dates = append(dates, date)
		}
	}
}

func parseRule(rule string) (*rrule.ROption, error) {
	if len(rule) > maxRule {
		return nil, fmt.Errorf("RRULE is longer than %d bytes", maxRule)
	}
	option, err := rrule.StrToROption(strings.ToUpper(strings.TrimSpace(rule)))
	switch {
	case err != nil:
		return nil, fmt.Errorf("RRULE %q: %w", cut(rule), err)
	case option.Freq > rrule.DAILY:
		return nil, fmt.Errorf("RRULE %q: holidays recur YEARLY, MONTHLY, WEEKLY or DAILY", cut(rule))
	case option.Interval > maxInterval:
		return nil, fmt.Errorf("RRULE %q: INTERVAL is at most %d", cut(rule), maxInterval)
	case len(option.Byeaster) > 0:
		return nil, fmt.Errorf("RRULE %q: BYEASTER is in no standard; list the days as RDATE", cut(rule))
	}
	// Dates have no times.
	option.Byhour, option.Byminute, option.Bysecond = nil, nil, nil
	return option, nil
}
