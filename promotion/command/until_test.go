package command_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones below, on any machine

	"github.com/promobot/promobot/promotion/command"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestUntil(t *testing.T) {
	const saturday = "2026-11-21T11:00:00Z" // 12:00 in Berlin
	for name, test := range map[string]struct{ now, text, zone, want string }{
		"hours":                          {saturday, "2h", "", "2026-11-21T13:00:00Z"},
		"days":                           {saturday, "3d", "Europe/Berlin", "2026-11-24T11:00:00Z"},
		"weeks, in capitals":             {saturday, "2W", "", "2026-12-05T11:00:00Z"},
		"hours and minutes":              {saturday, "1h30m", "", "2026-11-21T12:30:00Z"},
		"days are 24 h over the change":  {"2026-10-24T10:00:00Z", "1d", "Europe/Berlin", "2026-10-25T10:00:00Z"},
		"a date":                         {saturday, "2026-11-23", "Europe/Berlin", "2026-11-22T23:00:00Z"},
		"a date in UTC":                  {saturday, "2026-11-23", "", "2026-11-23T00:00:00Z"},
		"a date with its hour":           {saturday, "2026-11-23 9:30", "Europe/Berlin", "2026-11-23T08:30:00Z"},
		"a date with its hour after a T": {saturday, "2026-11-23T09:30", "Europe/Berlin", "2026-11-23T08:30:00Z"},
		"with a zone of its own":         {saturday, "2026-11-23T09:00:00+05:30", "Europe/Berlin", "2026-11-23T03:30:00Z"},
		"in small letters":               {saturday, "2026-11-23t09:00:00z", "", "2026-11-23T09:00:00Z"},
		"a weekday":                      {saturday, "Mon", "Europe/Berlin", "2026-11-22T23:00:00Z"},
		"a weekday with its hour":        {saturday, "Mon 09:00", "Europe/Berlin", "2026-11-23T08:00:00Z"},
		"a weekday in full":              {saturday, "monday 09:00", "", "2026-11-23T09:00:00Z"},
		"a weekday with a T":             {saturday, "Tue 09:00", "", "2026-11-24T09:00:00Z"},
		"today, later":                   {saturday, "Sat 23:59", "Europe/Berlin", "2026-11-21T22:59:00Z"},
		"today, too late":                {saturday, "Sat 12:00", "Europe/Berlin", "2026-11-28T11:00:00Z"},
		"today's beginning":              {saturday, "Sat", "", "2026-11-28T00:00:00Z"},
		"the zone has tomorrow":          {"2026-11-21T23:30:00Z", "Sun 09:00", "Europe/Berlin", "2026-11-22T08:00:00Z"},
		"the zone has yesterday":         {"2026-11-22T02:00:00Z", "Sun 09:00", "America/New_York", "2026-11-22T14:00:00Z"},
		"an hour":                        {saturday, "17:00", "Europe/Berlin", "2026-11-21T16:00:00Z"},
		"an hour, too late":              {saturday, "09:00", "Europe/Berlin", "2026-11-22T08:00:00Z"},
		"over summer's end":              {"2026-10-24T10:00:00Z", "Mon 09:00", "Europe/Berlin", "2026-10-26T08:00:00Z"},
		"an hour that clocks skip":       {"2026-03-28T10:00:00Z", "Sun 02:30", "Europe/Berlin", "2026-03-29T01:30:00Z"},
		"a midnight that clocks skip":    {"2026-09-05T12:00:00Z", "Sun", "America/Santiago", "2026-09-06T04:00:00Z"},
		"over a year's end":              {"2026-12-31T12:00:00Z", "Fri 09:00", "", "2027-01-01T09:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, test.now)
			if err != nil {
				t.Fatal(err)
			}
			var z *time.Location
			if test.zone != "" {
				z = zone(t, test.zone)
			}
			got, err := command.ParseUntil(test.text, now, z)
			if err != nil || got.UTC().Format(time.RFC3339) != test.want {
				t.Errorf("%q is %v, %v; want %s", test.text, got.UTC().Format(time.RFC3339), err, test.want)
			}
		})
	}
}

func TestNoTime(t *testing.T) {
	now := time.Date(2026, 11, 21, 11, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"": "is no time", "soon": "is no time", "2": "is no time", "-2h": "is no time", "2.5h": "is no time", "24:00": "is no time", "9:5": "is no time", "Mon 25:00": "is no time", "Mon Tue": "is no time",
		"2026-02-30": "is no time", "2026-13-01": "is no time", "2026-11-23 later": "is no time", "23.11.2026": "is no time", "Mon 09:00 CET": "is no time", "T17:00": "is no time",
		strings.Repeat("1h", 30): "is no time", "٣d": "is no time",
		"0h": "is past", "2026-11-20": "is past", "2026-11-21": "is past", "2026-11-21T10:59:59Z": "is past", "0001-01-01": "is past",
		"400d": "more than a year", "99999w99999w": "more than a year", "2028-01-01": "more than a year", "9999-12-31T23:59:59Z": "more than a year",
	} {
		t.Run(text, func(t *testing.T) {
			if got, err := command.ParseUntil(text, now, nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("it is %v, %v; want one that says it %s", got, err, want)
			}
		})
	}
}

// A time is always to come, at most a year away, and the same clock's.
func FuzzParseUntil(f *testing.F) {
	for _, s := range []string{"2h", "3d", "17:00", "Mon 09:00", "2026-11-23", "2026-11-23T09:00", "2026-11-23T09:00:00Z", "99999w", "Sun 02:30"} {
		f.Add(s, int64(1761440000), false)
		f.Add(s, int64(1774750000), true)
	}
	berlin := zone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, text string, second int64, inBerlin bool) {
		now := time.Unix(second%(1<<33), 0)
		z := time.UTC
		if inBerlin {
			z = berlin
		}
		got, err := command.ParseUntil(text, now, z)
		if err != nil {
			return
		}
		if !got.After(now) || got.Sub(now) > 366*24*time.Hour {
			t.Errorf("%q at %s is %s", text, now, got)
		}
		cs := command.Parse("/promobot hold prod --until \""+text+"\"", nil)
		if !strings.ContainsAny(text, "\n\r\"`'“”„‘’ \t\v\f") && (len(cs) != 1 || cs[0].Problem != "") {
			t.Errorf("%q is a time, but %+v", text, cs)
		}
	})
}
