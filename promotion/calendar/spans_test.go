package calendar_test

// What a pipeline file's spans mean, and what they are said to be.

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/calendar"
)

// on are days by their first letters: "M W" would be Monday and Wednesday.
func on(t *testing.T, days string) [7]bool {
	t.Helper()
	var set [7]bool
	for name := range strings.FieldsSeq(days) {
		known := false
		for day := range time.Weekday(7) {
			if day.String()[:2] == name {
				set[day], known = true, true
			}
		}
		if !known {
			t.Fatalf("%q is no day", name)
		}
	}
	return set
}

func TestParseSpans(t *testing.T) {
	all := "Mo Tu We Th Fr Sa Su"
	type span struct {
		days     string
		from, to int
	}
	for text, want := range map[string][]span{
		"Mon-Thu 09:00-16:00":                   {{"Mo Tu We Th", 540, 960}},
		"mon - thursday  9:00 – 16:00":          {{"Mo Tu We Th", 540, 960}},
		"Sat,Sun":                               {{"Sa Su", 0, 1440}},
		"Sat, Sun 10:00-12:00":                  {{"Sa Su", 600, 720}},
		"22:00-06:00":                           {{all, 1320, 360}},
		"00:00-24:00":                           {{all, 0, 1440}},
		"Fri-Mon":                               {{"Fr Sa Su Mo", 0, 1440}},
		"Mon-Sun 08:00-24:00":                   {{all, 480, 1440}},
		"Mon-Thu 09:00-12:00,13:00-16:00":       {{"Mo Tu We Th", 540, 720}, {"Mo Tu We Th", 780, 960}},
		"Mon-Thu 09:00-16:00, Fri":              {{"Mo Tu We Th", 540, 960}, {"Fr", 0, 1440}},
		"Sat; Sun 10:00-12:00":                  {{"Sa", 0, 1440}, {"Su", 600, 720}},
		"09:00-12:00,13:00-16:00":               {{all, 540, 720}, {all, 780, 960}},
		"Fri 22:00-Mon 06:00":                   {{"Fr", 1320, 1440}, {"Sa", 0, 1440}, {"Su", 0, 1440}, {"Mo", 0, 360}},
		"Fri 22:00-Sat 24:00":                   {{"Fr", 1320, 1440}, {"Sa", 0, 1440}},
		"Fri 22:00-Sat 00:00":                   {{"Fr", 1320, 1440}},
		"Fri 22:00-Sun 06:00; Wed":              {{"Fr", 1320, 1440}, {"Sa", 0, 1440}, {"Su", 0, 360}, {"We", 0, 1440}},
		"Mon 09:00-10:00, Tue, Wed 12:00-13:00": {{"Mo", 540, 600}, {"Tu We", 720, 780}},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := calendar.ParseSpans(text)
			if err != nil {
				t.Fatal(err)
			}
			var expect []calendar.Span
			for _, one := range want {
				expect = append(expect, calendar.Span{Days: on(t, one.days), From: one.from, To: one.to})
			}
			if diff := cmp.Diff(expect, got); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseSpansRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 `"": an empty part; write days, hours or both, like Mon-Thu 09:00-16:00`,
		"Mon,":                             "an empty part",
		"Mond":                             `"Mond" is no day: Mon, Tue, Wed, Thu, Fri, Sat, Sun`,
		"Mon-Foo 09:00-16:00":              `"Foo" is no day`,
		"Mon-Mon":                          `"Mon-Mon" is one day or all of them: write Mon, or hours alone for every day`,
		"Mon 0900-1600":                    `"0900" is no time of day; write it like 09:00`,
		"Mon 09:00-25:00":                  `"25:00" is no time of day: they go from 00:00 to 24:00`,
		"Mon 09:60-10:00":                  `"09:60" is no time of day`,
		"24:01-03:00":                      `"24:01" is no time of day`,
		"24:00-03:00":                      `"24:00-03:00": 24:00 is a day's end; it begins at 00:00`,
		"09:00-09:00":                      `"09:00-09:00" ends as it begins; a whole day is 00:00-24:00`,
		"Mon 9":                            `"9" are no hours; write them like 09:00-16:00`,
		"9am-5pm":                          `"9am" is no time of day`,
		"Sat, 10:00-12:00":                 `write the days right before their hours: "Sat,Sun 10:00-12:00"`,
		"Sat, Fri 22:00-Mon 06:00":         `put a semicolon before "Fri 22:00-Mon 06:00"`,
		"Fri 22:00-Mon 06:00, 09:00-10:00": `say on which days "09:00-10:00" is, after a semicolon`,
		"Fri 22:00-Fri 23:00":              "begins and ends on one day: write Fri 22:00-23:00",
		"Fri 24:00-Mon 06:00":              "24:00 is a day's end",
		"* 9 * * 1-4":                      `"* 9 * * 1-4": "*" are no days`,
		strings.Repeat("Mon,", 300):        "longer than 1000 characters; split it into a list",
		"Mon Tue 09:00-10:00":              `"Tue 09:00-10:00" are no hours`,
	} {
		t.Run(text[:min(len(text), 30)], func(t *testing.T) {
			got, err := calendar.ParseSpans(text)
			if err == nil {
				t.Fatalf("taken for %v", got)
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error is %q, want %q in it", err, want)
			}
		})
	}
}

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"monday-thursday 9:00-16:00":  "Mon-Thu 09:00-16:00",
		"Sat,Sun":                     "Sat,Sun",
		"Sun,Sat,Wed":                 "Wed,Sat,Sun",
		"Fri-Mon 10:00-11:00":         "Fri-Mon 10:00-11:00",
		"22:00-06:00":                 "22:00-06:00",
		"Mon-Sun":                     "00:00-24:00",
		"Fri 22:00-Mon 06:00":         "Fri 22:00-Mon 06:00",
		"Fri 22:00-Mon 06:00; Wed":    "Fri 22:00-Mon 06:00; Wed",
		"Mon 09:00-12:00,13:00-16:00": "Mon 09:00-12:00; Mon 13:00-16:00",
	} {
		spans, err := calendar.ParseSpans(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := calendar.Text(spans); got != want {
			t.Errorf("%q is said to be %q, want %q", text, got, want)
		}
	}
	if got := (calendar.Span{From: 60, To: 120}).String(); got != "never 01:00-02:00" {
		t.Errorf("a span without days is said to be %q", got)
	}
}

// minutesOf are the minutes of a week that spans cover.
func minutesOf(spans []calendar.Span) (covered [7 * 1440]bool) {
	for _, span := range spans {
		for day, is := range span.Days {
			to := span.To
			if to <= span.From {
				to += 1440
			}
			for minute := span.From; is && minute < to; minute++ {
				covered[(day*1440+minute)%len(covered)] = true
			}
		}
	}
	return covered
}

func FuzzParseSpans(f *testing.F) {
	for _, seed := range []string{
		"Mon-Thu 09:00-16:00", "Sat,Sun", "Fri 22:00-Mon 06:00", "22:00-06:00", "Mon 09:00-12:00,13:00-16:00;Tue",
		"00:00-24:00", "Mon–Fri", "Mon-", "-Mon", "Mon 1:00-Tue", "\x00", "Mon 09:00-10:00,Fri 22:00-Sat 24:00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spans, err := calendar.ParseSpans(text)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d characters", len(err.Error()))
			}
			return
		}
		if len(spans) == 0 {
			t.Fatal("neither spans nor an error")
		}
		for _, span := range spans {
			if span.From < 0 || span.From >= 1440 || span.To < 0 || span.To > 1440 || span.From == span.To || span.Days == [7]bool{} {
				t.Fatalf("%q: %+v", text, span)
			}
		}
		// What people read means the same.
		again, err := calendar.ParseSpans(calendar.Text(spans))
		if err != nil {
			t.Fatalf("%q is said to be %q: %v", text, calendar.Text(spans), err)
		}
		if minutesOf(spans) != minutesOf(again) {
			t.Errorf("%q is said to be %q, which is something else", text, calendar.Text(spans))
		}
	})
}
