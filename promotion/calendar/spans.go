// Spans of a week as the pipeline file writes them, and as people read them.
//
//	text   = group *(";" group)
//	group  = part *("," part)
//	part   = days [hours] / hours / day time "-" day time
//	days   = day ["-" day]          Mon, Mon-Thu; Fri-Mon goes over the weekend
//	hours  = time "-" time          09:00-16:00; 22:00-06:00 reaches into the next day
//
// In a group, days add up until hours follow, and hours without days are for the
// days before them, or for every day: "Sat,Sun 10:00-12:00,14:00-16:00".

package calendar

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// maxSpansText bounds a text of spans, in bytes.
	maxSpansText = 1000
	// quoted bounds what an error repeats of it.
	quoted = 60
)

// dayNames by time.Weekday.
var dayNames = [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

var everyDay = [7]bool{true, true, true, true, true, true, true}

// ParseSpans reads parts of a week: "Mon-Thu 09:00-16:00", "Sat,Sun",
// "22:00-06:00" (daily), "Fri 22:00-Mon 06:00"; several after a comma or a
// semicolon. A day without hours is the whole day; 24:00 is a day's end. Errors
// say what was meant to stand there.
func ParseSpans(text string) ([]Span, error) {
	spans, err := parseSpans(text)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", cut(text), err)
	}
	return spans, nil
}

func cut(text string) string {
	if len(text) <= quoted {
		return text
	}
	return strings.ToValidUTF8(text[:quoted], "") + "…"
}

func parseSpans(text string) ([]Span, error) {
	if len(text) > maxSpansText {
		return nil, fmt.Errorf("longer than %d characters; split it into a list", maxSpansText)
	}
	var spans []Span
	for group := range strings.SplitSeq(text, ";") {
		more, err := parseGroup(group)
		if err != nil {
			return nil, err
		}
		spans = append(spans, more...)
	}
	return spans, nil
}

// parts of a group, dashes already without blanks around them.
var (
	dashes      = regexp.MustCompile(`\s*[-–]\s*`)
	daysPart    = regexp.MustCompile(`^(\pL+)(?:-(\pL+))?$`)
	hoursPart   = regexp.MustCompile(`^([0-9][^\s-]*)-([0-9][^\s-]*)$`)
	throughPart = regexp.MustCompile(`^(\pL+) ([0-9][^\s-]*)-(\pL+) ([0-9][^\s-]*)$`)
)

func parseGroup(group string) ([]Span, error) {
	var (
		spans   []Span
		days    [7]bool // that hours are for
		pending bool    // days still without hours
		hours   bool    // hours were read for days
	)
	for part := range strings.SplitSeq(group, ",") {
		part = strings.Join(strings.Fields(dashes.ReplaceAllString(part, "-")), " ")
		if part == "" {
			return nil, fmt.Errorf("an empty part; %s", usage)
		}
		if through := throughPart.FindStringSubmatch(part); through != nil {
			if pending {
				return nil, fmt.Errorf("put a semicolon before %q", part)
			}
			more, err := parseThrough(through[1], through[2], through[3], through[4])
			if err != nil {
				return nil, err
			}
			spans, days, hours = append(spans, more...), [7]bool{}, true
			continue
		}
		dayText, hourText, both := strings.Cut(part, " ")
		if !both && hoursPart.MatchString(part) {
			dayText, hourText = "", part
		}
		if dayText != "" {
			named, err := parseDays(dayText)
			if err != nil {
				return nil, err
			}
			if !pending {
				days = [7]bool{}
			}
			for day, is := range named {
				days[day] = days[day] || is
			}
			pending = true
		}
		if hourText == "" {
			continue
		}
		if dayText == "" {
			switch {
			case pending:
				return nil, fmt.Errorf("write the days right before their hours: %q", "Sat,Sun "+hourText)
			case hours && days == [7]bool{}:
				return nil, fmt.Errorf("say on which days %q is, after a semicolon", hourText)
			case !hours:
				days = everyDay
			}
		}
		from, to, err := parseHours(hourText)
		if err != nil {
			return nil, err
		}
		spans = append(spans, Span{Days: days, From: from, To: to})
		pending, hours = false, true
	}
	if pending {
		spans = append(spans, Span{Days: days, From: 0, To: dayMinutes})
	}
	return spans, nil
}

const usage = "write days, hours or both, like Mon-Thu 09:00-16:00"

func parseDays(text string) (days [7]bool, err error) {
	parts := daysPart.FindStringSubmatch(text)
	if parts == nil {
		return days, fmt.Errorf("%q are no days; %s", cut(text), usage)
	}
	first, err := parseDay(parts[1])
	if err != nil || parts[2] == "" {
		days[first] = err == nil
		return days, err
	}
	last, err := parseDay(parts[2])
	switch {
	case err != nil:
		return days, err
	case first == last:
		return days, fmt.Errorf("%q is one day or all of them: write %s, or hours alone for every day", text, dayNames[first])
	}
	for day := first; ; day = (day + 1) % 7 {
		days[day] = true
		if day == last {
			return days, nil
		}
	}
}

// parseDay reads Mon or Monday.
func parseDay(text string) (time.Weekday, error) {
	for day, name := range dayNames {
		if strings.EqualFold(text, name) || strings.EqualFold(text, time.Weekday(day).String()) {
			return time.Weekday(day), nil
		}
	}
	return 0, fmt.Errorf("%q is no day: Mon, Tue, Wed, Thu, Fri, Sat, Sun", cut(text))
}

func parseHours(text string) (from, to int, err error) {
	parts := hoursPart.FindStringSubmatch(text)
	if parts == nil {
		return 0, 0, fmt.Errorf("%q are no hours; write them like 09:00-16:00", cut(text))
	}
	if from, err = parseTime(parts[1]); err != nil {
		return 0, 0, err
	}
	if to, err = parseTime(parts[2]); err != nil {
		return 0, 0, err
	}
	switch from {
	case dayMinutes:
		return 0, 0, fmt.Errorf("%q: 24:00 is a day's end; it begins at 00:00", text)
	case to:
		return 0, 0, fmt.Errorf("%q ends as it begins; a whole day is 00:00-24:00", text)
	}
	return from, to, nil
}

var times = regexp.MustCompile(`^([0-9]{1,2}):([0-9]{2})$`)

// parseTime reads HH:MM, to 24:00, in minutes since midnight.
func parseTime(text string) (int, error) {
	parts := times.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("%q is no time of day; write it like 09:00", cut(text))
	}
	hour, hourErr := strconv.Atoi(parts[1])
	minute, minuteErr := strconv.Atoi(parts[2])
	at := 60*hour + minute
	if hourErr != nil || minuteErr != nil || minute > 59 || at > dayMinutes {
		return 0, fmt.Errorf("%q is no time of day: they go from 00:00 to 24:00", text)
	}
	return at, nil
}

// parseThrough reads what goes through from one day's time to another's, as one
// span a day.
func parseThrough(fromDay, fromTime, toDay, toTime string) ([]Span, error) {
	first, err := parseDay(fromDay)
	if err != nil {
		return nil, err
	}
	last, err := parseDay(toDay)
	if err != nil {
		return nil, err
	}
	from, err := parseTime(fromTime)
	if err != nil {
		return nil, err
	}
	to, err := parseTime(toTime)
	switch {
	case err != nil:
		return nil, err
	case from == dayMinutes:
		return nil, fmt.Errorf("%q: 24:00 is a day's end; the next begins at 00:00", fromDay+" "+fromTime)
	case first == last:
		return nil, fmt.Errorf("%q begins and ends on one day: write %s %s-%s", fromDay+" "+fromTime+"-"+toDay+" "+toTime, dayNames[first], fromTime, toTime)
	}
	one := func(day time.Weekday, from, to int) Span {
		span := Span{From: from, To: to}
		span.Days[day] = true
		return span
	}
	spans := []Span{one(first, from, dayMinutes)}
	for day := (first + 1) % 7; day != last; day = (day + 1) % 7 {
		spans = append(spans, one(day, 0, dayMinutes))
	}
	if to > 0 {
		spans = append(spans, one(last, 0, to))
	}
	return spans, nil
}
