// Holidays from an iCalendar file (RFC 5545). Rules:
//
//   - The file is a repository's: it is bounded in size, lines, events and days,
//     and what is wrong with it is said with its line.
//   - What is not understood is an error, not a day on which promotions land.
//     Where there is a doubt about a day, it is shut: an event with times shuts
//     each date it touches, transparent ones (as holidays often are) count.
//   - Content lines are read by golang-ical; its reader of whole files is not
//     used, since it takes one that broke off for whole, and knows no lines.

package calendar

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	ical "github.com/arran4/golang-ical"
)

const (
	maxHolidaysFile = 1 << 20 // bytes
	maxContentLine  = 4 << 10 // bytes, unfolded, of a property that is read
	maxNesting      = 8       // components in components
	maxEvents       = 5000
	maxDays         = 20000 // that come out
	maxSpread       = 366   // days of one event
	maxName         = 80    // characters of a holiday's name
	// firstYear and lastYear are those of which days are kept: a recurring holiday
	// has no end.
	firstYear, lastYear = 2020, 2099
)

// ParseHolidays reads the dates of the events in an iCalendar file, from 2020 to
// 2099, in order: whole-day events of one or several days, recurring ones (RRULE
// and RDATE, less EXDATE and what was moved), but no cancelled ones.
func ParseHolidays(ics []byte) ([]Day, error) {
	if len(ics) > maxHolidaysFile {
		return nil, fmt.Errorf("the file is %d bytes long; a file of holidays has at most %d", len(ics), maxHolidaysFile)
	}
	events, err := readEvents(ics)
	if err != nil {
		return nil, err
	}
	moved := map[string][]time.Time{} // occurrences by UID that have an event of their own
	for i := range events {
		if at := events[i].instead; !at.IsZero() {
			moved[events[i].uid] = append(moved[events[i].uid], at)
		}
	}
	days, rules := found{days: map[Day]bool{}}, 0
	for i := range events {
		e := &events[i]
		if e.cancelled {
			continue
		}
		if e.rule != "" {
			if rules++; rules > maxRules {
				return nil, fmt.Errorf("line %d: more than %d recurring events; list the days themselves", e.line, maxRules)
			}
		}
		if e.instead.IsZero() {
			e.without = append(e.without, moved[e.uid]...)
		}
		if err := e.spread(&days); err != nil {
			return nil, err
		}
	}
	sorted := make([]Day, 0, len(days.days))
	for day := range days.days {
		sorted = append(sorted, day)
	}
	slices.SortFunc(sorted, func(a, b Day) int {
		return cmp.Or(a.civil().Compare(b.civil()), strings.Compare(a.Name, b.Name))
	})
	return sorted, nil
}

// found are a file's days so far.
type found struct {
	days  map[Day]bool
	count int // with those that were there already
}

func (f *found) add(date time.Time, name string) error {
	year, month, day := date.Date()
	if year < firstYear || year > lastYear {
		return nil
	}
	f.days[Day{Year: year, Month: month, Day: day, Name: name}] = true
	if f.count++; f.count > maxDays {
		return fmt.Errorf("with it there are more than %d days", maxDays)
	}
	return nil
}

// property is a content line and where it stands.
type property struct {
	ical.BaseProperty
	line int
}

// readProperties are those that say which days an event has.
var readProperties = map[string]bool{
	"BEGIN": true, "END": true, "UID": true, "SUMMARY": true, "STATUS": true,
	"DTSTART": true, "DTEND": true, "DURATION": true,
	"RRULE": true, "RDATE": true, "EXDATE": true, "RECURRENCE-ID": true,
}

// readEvents reads the events of the calendar, and nothing of what lies in them.
func readEvents(ics []byte) ([]event, error) {
	var (
		events []event
		within []property // BEGINs that are open
		inside []property // of the event that is open
		ended  bool
	)
	err := contentLines(ics, func(p property) error {
		switch {
		case ended:
			return errors.New("something stands after END:VCALENDAR; a file has one calendar")
		case len(within) == 0 && (p.IANAToken != "BEGIN" || name(p) != "VCALENDAR"):
			return errors.New("an iCalendar file begins with BEGIN:VCALENDAR")
		case p.IANAToken == "BEGIN":
			if len(within) == maxNesting {
				return fmt.Errorf("more than %d components within each other", maxNesting)
			}
			within = append(within, p)
		case p.IANAToken == "END":
			open := within[len(within)-1]
			if name(open) != name(p) {
				return fmt.Errorf("END:%s ends the %s of line %d", cut(p.Value), cut(open.Value), open.line)
			}
			within = within[:len(within)-1]
			ended = len(within) == 0
			if len(within) != 1 || name(p) != "VEVENT" {
				return nil
			}
			if len(events) == maxEvents {
				return fmt.Errorf("more than %d events", maxEvents)
			}
			e, err := readEvent(open.line, inside)
			if err != nil {
				return err
			}
			events, inside = append(events, e), nil
		case len(within) == 2 && name(within[1]) == "VEVENT":
			inside = append(inside, p)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(within) > 0:
		return nil, fmt.Errorf("the file breaks off: the %s of line %d has no end", cut(within[0].Value), within[0].line)
	case !ended:
		return nil, errors.New("the file is empty; an iCalendar file begins with BEGIN:VCALENDAR")
	}
	return events, nil
}

// name is a component's.
func name(p property) string { return strings.ToUpper(strings.TrimSpace(p.Value)) }

// lineError is an error with its line; the innermost line counts.
type lineError struct {
	line int
	error
}

func (e lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.error) }
func (e lineError) Unwrap() error { return e.error }

func atLine(line int, err error) error {
	if _, has := errors.AsType[lineError](err); err == nil || has {
		return err
	}
	return lineError{line, err}
}

// contentLines unfolds the file's lines and reads those whose properties matter.
func contentLines(ics []byte, each func(property) error) error {
	ics = bytes.TrimPrefix(ics, []byte("\xef\xbb\xbf"))
	var (
		logical []byte
		first   int
	)
	end := func() error {
		text := string(bytes.TrimSpace(logical))
		logical = logical[:0]
		if text == "" {
			return nil
		}
		p, err := contentLine(text, first)
		if err == nil && p.IANAToken != "" {
			err = each(p)
		}
		return atLine(first, err)
	}
	number := 0
	for line := range bytes.Lines(ics) {
		number++
		line = bytes.TrimRight(line, "\r\n")
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') && first > 0 {
			logical = append(logical, line[1:]...)
			continue
		}
		if err := end(); err != nil {
			return err
		}
		logical, first = append(logical, line...), number
	}
	return end()
}

// contentLine reads one, unless its property does not matter.
func contentLine(text string, line int) (property, error) {
	token := strings.ToUpper(text[:max(strings.IndexAny(text, ":;"), 0)])
	switch {
	case token == "":
		return property{}, fmt.Errorf("%q is no line of an iCalendar file", cut(text))
	case !readProperties[token]:
		return property{}, nil
	case len(text) > maxContentLine:
		return property{}, fmt.Errorf("%s is longer than %d bytes", token, maxContentLine)
	}
	parsed, err := ical.ParseProperty(ical.ContentLine(text))
	if err != nil {
		return property{}, err
	}
	if parsed == nil || !strings.EqualFold(parsed.IANAToken, token) {
		return property{}, fmt.Errorf("%q is no line of an iCalendar file", cut(text))
	}
	parsed.IANAToken = token
	return property{BaseProperty: *parsed, line: line}, nil
}

// plainName is a name to show: no controls, no invisible characters, not long.
func plainName(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case r == unicode.ReplacementChar || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > maxName {
		runes = append(runes[:maxName-1], '…')
	}
	return string(runes)
}
