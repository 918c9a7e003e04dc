// Spans of a week as people read them.

package calendar

import (
	"fmt"
	"strings"
	"time"
)

// Text is spans as ParseSpans reads them, in a few words: "Mon-Thu 09:00-16:00".
func Text(spans []Span) string {
	var parts []string
	for n := 0; n < len(spans); {
		end := joined(spans, n)
		parts = append(parts, run(spans[n:end]))
		n = end
	}
	return strings.Join(parts, "; ")
}

// textOf is the text of the one span, with those that it goes through to.
func textOf(spans []Span, index int) string {
	for n := 0; n < len(spans); {
		end := joined(spans, n)
		if index < end {
			return run(spans[n:end])
		}
		n = end
	}
	return ""
}

// String is the span's text.
func (s Span) String() string {
	days := s.days()
	hours := clock(s.From) + "-" + clock(s.To)
	switch whole := s.From == 0 && s.To == dayMinutes; {
	case whole && days != "":
		return days
	case days == "":
		return hours
	}
	return days + " " + hours
}

// days are "" for all of them.
func (s Span) days() string {
	if s.Days == everyDay {
		return ""
	}
	var parts []string
	for day := range 7 {
		// A week begins on Monday; what goes over its end is told where it begins.
		first := time.Weekday((day + 1) % 7)
		if !s.Days[first] || s.Days[(first+6)%7] {
			continue
		}
		last := first
		for s.Days[(last+1)%7] {
			last = (last + 1) % 7
		}
		switch last {
		case first:
			parts = append(parts, dayNames[first])
		case (first + 1) % 7:
			parts = append(parts, dayNames[first], dayNames[last])
		default:
			parts = append(parts, dayNames[first]+"-"+dayNames[last])
		}
	}
	if len(parts) == 0 {
		return "never"
	}
	return strings.Join(parts, ",")
}

func clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// joined is where the spans end that go on from the n-th, day after day without
// a break.
func joined(spans []Span, n int) int {
	end := n + 1
	for end < len(spans) && end-n < 7 {
		day, is := spans[end-1].only()
		next, nextIs := spans[end].only()
		if !is || !nextIs || spans[end-1].To != dayMinutes || spans[end].From != 0 || next != (day+1)%7 {
			break
		}
		end++
	}
	return end
}

// only is the span's day if it has one.
func (s Span) only() (only time.Weekday, is bool) {
	count := 0
	for day, on := range s.Days {
		if on {
			only, count = time.Weekday(day), count+1
		}
	}
	return only, count == 1
}

// run is the text of spans that are joined.
func run(spans []Span) string {
	if len(spans) == 1 {
		return spans[0].String()
	}
	first, _ := spans[0].only()
	end := spans[len(spans)-1]
	last, _ := end.only()
	return fmt.Sprintf("%s %s-%s %s", dayNames[first], clock(spans[0].From), dayNames[last], clock(end.To))
}
