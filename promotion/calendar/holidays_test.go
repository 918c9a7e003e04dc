package calendar_test

// Files of holidays: as calendars write them, and as nobody should.

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/calendar"
)

// file is a calendar of events, each given as its lines.
func file(events ...string) []byte {
	var text strings.Builder
	text.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test\n")
	for _, event := range events {
		text.WriteString("BEGIN:VEVENT\n" + strings.TrimSpace(event) + "\nEND:VEVENT\n")
	}
	text.WriteString("END:VCALENDAR\n")
	return []byte(strings.ReplaceAll(text.String(), "\n", "\r\n"))
}

// shown are days as "2026-10-03 name", of the years up to 2029.
func shown(days []calendar.Day) []string {
	texts := []string{}
	for _, day := range days {
		if day.Year < 2030 {
			texts = append(texts, strings.TrimSpace(fmt.Sprintf("%d-%02d-%02d %s", day.Year, day.Month, day.Day, day.Name)))
		}
	}
	return texts
}

func TestParseHolidays(t *testing.T) {
	for name, c := range map[string]struct {
		ics  []byte
		want []string
	}{
		"no events": {file(), []string{}},
		"one day": {
			file("DTSTART;VALUE=DATE:20261003\nDTEND;VALUE=DATE:20261004\nSUMMARY:Tag der Deutschen Einheit"),
			[]string{"2026-10-03 Tag der Deutschen Einheit"},
		},
		"without an end":  {file("DTSTART:20261003"), []string{"2026-10-03"}},
		"with a duration": {file("DTSTART:20261224\nDURATION:P3D\nSUMMARY:Christmas"), []string{"2026-12-24 Christmas", "2026-12-25 Christmas", "2026-12-26 Christmas"}},
		"several days, over the year's end": {
			file("DTSTART;VALUE=DATE:20261230\nDTEND;VALUE=DATE:20270102\nSUMMARY:Freeze"),
			[]string{"2026-12-30 Freeze", "2026-12-31 Freeze", "2027-01-01 Freeze"},
		},
		"in order, each once": {
			file("DTSTART:20270101\nSUMMARY:New Year", "DTSTART:20261225\nSUMMARY:Christmas", "DTSTART:20270101\nSUMMARY:New Year"),
			[]string{"2026-12-25 Christmas", "2027-01-01 New Year"},
		},
		"transparent, as holidays are": {file("DTSTART:20261003\nTRANSP:TRANSPARENT"), []string{"2026-10-03"}},
		"cancelled":                    {file("DTSTART:20261003\nSTATUS:CANCELLED", "DTSTART:20261004\nSTATUS:CONFIRMED"), []string{"2026-10-04"}},
		"yearly, from long ago": {
			file("DTSTART:19901003\nRRULE:FREQ=YEARLY;UNTIL=20281003\nSUMMARY:Unity"),
			[]string{"2020-10-03 Unity", "2021-10-03 Unity", "2022-10-03 Unity", "2023-10-03 Unity", "2024-10-03 Unity", "2025-10-03 Unity", "2026-10-03 Unity", "2027-10-03 Unity", "2028-10-03 Unity"},
		},
		"the fourth Thursday of November": {
			file("DTSTART:20261126\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH\nSUMMARY:Thanksgiving"),
			[]string{"2026-11-26 Thanksgiving", "2027-11-25 Thanksgiving", "2028-11-23 Thanksgiving", "2029-11-22 Thanksgiving"},
		},
		"29 February":              {file("DTSTART:20200229\nRRULE:FREQ=YEARLY"), []string{"2020-02-29", "2024-02-29", "2028-02-29"}},
		"counted, two years apart": {file("DTSTART:20260501\nRRULE:FREQ=YEARLY;INTERVAL=2;COUNT=2"), []string{"2026-05-01", "2028-05-01"}},
		"several days, yearly": {
			file("DTSTART:20281231\nDTEND:20290102\nRRULE:FREQ=YEARLY"),
			[]string{"2028-12-31", "2029-01-01", "2029-12-31"},
		},
		"from the year before the first": {file("DTSTART:20191231\nDURATION:P2D\nRRULE:FREQ=YEARLY;COUNT=1"), []string{"2020-01-01"}},
		"monthly and weekly": {
			file("DTSTART:20261001\nRRULE:FREQ=MONTHLY;COUNT=2", "DTSTART:20261005\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3"),
			[]string{"2026-10-01", "2026-10-05", "2026-10-07", "2026-10-12", "2026-11-01"},
		},
		"less what is excepted": {file("DTSTART:20260101\nRRULE:FREQ=YEARLY;COUNT=4\nEXDATE;VALUE=DATE:20270101,20280101"), []string{"2026-01-01", "2029-01-01"}},
		"and what is added":     {file("DTSTART:20260101\nRDATE;VALUE=DATE:20260401,20260501"), []string{"2026-01-01", "2026-04-01", "2026-05-01"}},
		"an occurrence that moved": {
			file("UID:a\nDTSTART:20260501\nRRULE:FREQ=YEARLY;COUNT=3", "UID:a\nRECURRENCE-ID;VALUE=DATE:20270501\nDTSTART:20270503\nSUMMARY:moved"),
			[]string{"2026-05-01", "2027-05-03 moved", "2028-05-01"},
		},
		"an occurrence that is cancelled": {
			file("UID:a\nRECURRENCE-ID:20270501\nDTSTART:20270501\nSTATUS:CANCELLED", "UID:a\nDTSTART:20260501\nRRULE:FREQ=YEARLY;COUNT=3", "UID:b\nDTSTART:20270501\nSUMMARY:another's"),
			[]string{"2026-05-01", "2027-05-01 another's", "2028-05-01"},
		},
		"whole days with times, as Outlook writes them": {file("DTSTART;TZID=\"W. Europe; Berlin\":20261003T000000\nDTEND;TZID=\"W. Europe; Berlin\":20261004T000000"), []string{"2026-10-03"}},
		"with times: each date it touches":              {file("DTSTART:20261003T220000Z\nDTEND:20261004T060000Z"), []string{"2026-10-03", "2026-10-04"}},
		"a rule's times do not matter":                  {file("DTSTART:20261003T120000\nRRULE:FREQ=YEARLY;BYHOUR=9,10;BYMINUTE=1;UNTIL=20271003T215959Z"), []string{"2026-10-03", "2027-10-03"}},
		"a rule that has no day":                        {file("DTSTART:20260101\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), []string{"2026-01-01"}},
		"folded, escaped, with small letters and tabs": {
			[]byte("begin:vcalendar\nbegin:vevent\ndtstart;value=date:20261\n\t003\nsummary;language=de:Tag\\, der\n  Einheit\\nund mehr\nend:vevent\nend:vcalendar"),
			[]string{"2026-10-03 Tag, der Einheit und mehr"},
		},
		"a byte order mark, blank lines, an alarm within, a time zone beside": {[]byte("\xef\xbb\xbfBEGIN:VCALENDAR\n\nBEGIN:VTIMEZONE\nBEGIN:STANDARD\nDTSTART:16010101T000000\nRRULE:FREQ=SECONDLY\nEND:STANDARD\nEND:VTIMEZONE\n" +
			"BEGIN:VEVENT\nDTSTART:20261003\nBEGIN:VALARM\nSUMMARY:alarm\nDURATION:P9D\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR\n\n"), []string{"2026-10-03"}},
		"a name that would play tricks": {
			file("DTSTART:20261003\nSUMMARY:a\x00b\u202ec\xffd\u200b " + strings.Repeat("x", 200)),
			[]string{"2026-10-03 a bcd " + strings.Repeat("x", 73) + "…"},
		},
		"what is not read may be long": {file("DTSTART:20261003\nDESCRIPTION:" + strings.Repeat("x", 100_000)), []string{"2026-10-03"}},
	} {
		t.Run(name, func(t *testing.T) {
			days, err := calendar.ParseHolidays(c.ics)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, shown(days)); diff != "" {
				t.Errorf("days (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecurringHolidaysGoOn(t *testing.T) {
	days, err := calendar.ParseHolidays(file("DTSTART:19701225\nRRULE:FREQ=YEARLY\nSUMMARY:Christmas"))
	if err != nil {
		t.Fatal(err)
	}
	if len(days) != 80 || days[0].Year != 2020 || days[79].Year != 2099 {
		t.Errorf("%d days, from %v to %v", len(days), days[0], days[len(days)-1])
	}
	w := calendar.Window{Days: days}
	if open, why := w.Open(time.Date(2041, time.December, 25, 9, 0, 0, 0, time.UTC)); open || why != "holiday: Christmas" {
		t.Errorf("Christmas 2041 is open: %v, %q", open, why)
	}
}

func TestParseHolidaysRefuses(t *testing.T) {
	many := func(n int, event string) []byte {
		events := make([]string, n)
		for i := range events {
			events[i] = event
		}
		return file(events...)
	}
	for name, c := range map[string]struct {
		ics  []byte
		want string
	}{
		"nothing":                 {nil, "the file is empty; an iCalendar file begins with BEGIN:VCALENDAR"},
		"a page of an error":      {[]byte("<!DOCTYPE html>\n<title>404</title>"), `line 1: "<!DOCTYPE html>" is no line of an iCalendar file`},
		"another kind of file":    {[]byte("BEGIN:VCARD\nEND:VCARD"), "line 1: an iCalendar file begins with BEGIN:VCALENDAR"},
		"it breaks off":           {file("DTSTART:20261003")[:70], "the file breaks off: the VCALENDAR of line 1 has no end"},
		"it breaks off in a name": {[]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTST"), `line 3: "DTST" is no line of an iCalendar file`},
		"ends that cross":         {[]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR"), "line 3: END:VCALENDAR ends the VEVENT of line 2"},
		"two calendars":           {append(file(), file()...), "line 5: something stands after END:VCALENDAR"},
		"no date":                 {file("SUMMARY:x"), "line 6: the event of line 4 has no DTSTART"},
		"not a date":              {file("DTSTART:tomorrow"), `line 5: "tomorrow" is no date; they look like 20261003`},
		"a date there is not":     {file("SUMMARY:x\nDTSTART:20260230"), `line 6: "20260230" is no date that there is`},
		"a time there is not":     {file("DTSTART:20260203T250000"), "is no date that there is"},
		"a date of old":           {file("DTSTART:00010101"), `line 5: "00010101" is before 1583`},
		"it ends before":          {file("DTSTART:20261003\nDTEND:20261001"), "line 7: the event of line 4 ends before it begins"},
		"it lasts for years":      {file("DTSTART:20261003\nDTEND:20291001"), "lasts 1094 days; a holiday lasts at most 366"},
		"no duration":             {file("DTSTART:20261003\nDURATION:P"), `line 6: "P" is no duration; they look like P1D`},
		"hourly":                  {file("DTSTART:20261003\nSUMMARY:x\nRRULE:FREQ=HOURLY"), `line 7: the event "x": RRULE "FREQ=HOURLY": holidays recur YEARLY, MONTHLY, WEEKLY or DAILY`},
		"no frequency":            {file("DTSTART:20261003\nRRULE:COUNT=3"), `line 6: the event "": RRULE "COUNT=3"`},
		"an unknown part":         {file("DTSTART:20261003\nRRULE:FREQ=YEARLY;RSCALE=HEBREW"), "RSCALE"},
		"a rule out of bounds":    {file("DTSTART:20261003\nRRULE:FREQ=YEARLY;BYMONTH=13"), "bymonth must be between 1 and 12"},
		"a wide interval":         {file("DTSTART:20261003\nRRULE:FREQ=DAILY;INTERVAL=9223372036854775807"), "INTERVAL is at most 1000"},
		"a long rule":             {file("DTSTART:20261003\nRRULE:FREQ=YEARLY;BYMONTHDAY=1" + strings.Repeat(",1", 200)), "RRULE is longer than 200 bytes"},
		"by Easter":               {file("DTSTART:20261003\nRRULE:FREQ=YEARLY;BYEASTER=99999"), "list the days as RDATE"},
		"a second rule":           {file("DTSTART:20261003\nRRULE:FREQ=YEARLY\nRRULE:FREQ=DAILY"), "line 7: a second RRULE in one event"},
		"every day for ever":      {file("DTSTART:20261003\nRRULE:FREQ=DAILY"), "more than 20000 days"},
		"days over each other":    {file("DTSTART:20261003\nDURATION:P366D\nRRULE:FREQ=DAILY;COUNT=9999"), "more than 20000 days"},
		"too many events":         {many(5001, "DTSTART:20261003"), "more than 5000 events"},
		"too many rules":          {many(301, "DTSTART:20261003\nRRULE:FREQ=YEARLY;COUNT=1"), "more than 300 recurring events"},
		"too many exceptions":     {file("DTSTART:20261003\n" + strings.Repeat("EXDATE:20270101"+strings.Repeat(",20270101", 400)+"\n", 5)), "line 10: more than 2000 dates in one event"},
		"too long a line":         {file("DTSTART:20261003\nSUMMARY:" + strings.Repeat("x", 5000)), "line 6: SUMMARY is longer than 4096 bytes"},
		"too long a file":         {make([]byte, 1<<20+1), "the file is 1048577 bytes long; a file of holidays has at most 1048576"},
		"too deep":                {[]byte("BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:X\n", 100_000)), "line 9: more than 8 components within each other"},
		"a parameter without end": {file("DTSTART;X=\"a:20261003"), "line 5"},
	} {
		t.Run(name, func(t *testing.T) {
			days, err := calendar.ParseHolidays(c.ics)
			if err == nil {
				t.Fatalf("taken for %d days", len(days))
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %q, want %q in it", err, c.want)
			}
			if strings.Count(err.Error(), "line ") > 2 || len(err.Error()) > 300 {
				t.Errorf("the error is hard to read: %q", err)
			}
		})
	}
}

// As much work as a rule can ask for, by a fifth of the rules that a file can have.
func TestHostileHolidaysAreQuick(t *testing.T) {
	rule := "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30,31" + strings.Repeat(",30", 50)
	events := make([]string, 60)
	for i := range events {
		events[i] = "DTSTART:15830101\nRRULE:" + rule
	}
	begun := time.Now()
	if _, err := calendar.ParseHolidays(file(events...)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("took %v", took)
	} else {
		t.Logf("took %v", took)
	}
}

func FuzzParseHolidays(f *testing.F) {
	f.Add(file("DTSTART;VALUE=DATE:20261003\nDTEND;VALUE=DATE:20261004\nSUMMARY:Unity"))
	f.Add(file("UID:a\nDTSTART:20260501\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH,-1SU;BYSETPOS=-1;WKST=SU", "UID:a\nRECURRENCE-ID:20270501\nDTSTART:20270503"))
	f.Add(file("DTSTART:20260501T000000Z\nRRULE:FREQ=YEARLY;BYWEEKNO=53,-1;BYYEARDAY=-366,366;INTERVAL=7\nRDATE:20260401,20260501T000000/P1D\nEXDATE:20270101\nDURATION:P1W2D"))
	f.Add([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=\"a;b:c\",d:20260501\nBEGIN:VALARM\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR"))
	f.Fuzz(func(t *testing.T, ics []byte) {
		days, err := calendar.ParseHolidays(ics)
		if err != nil {
			return
		}
		for n, day := range days {
			date := time.Date(day.Year, day.Month, day.Day, 0, 0, 0, 0, time.UTC)
			if date.Year() != day.Year || date.Month() != day.Month || date.Day() != day.Day || day.Year < 2020 || day.Year > 2099 {
				t.Fatalf("%+v is no day", day)
			}
			if strings.ContainsAny(day.Name, "\r\n\x00") || len([]rune(day.Name)) > 80 {
				t.Fatalf("the name %q", day.Name)
			}
			if n > 0 && date.Before(time.Date(days[n-1].Year, days[n-1].Month, days[n-1].Day, 0, 0, 0, 0, time.UTC)) {
				t.Fatalf("%+v stands after %+v", day, days[n-1])
			}
		}
	})
}
