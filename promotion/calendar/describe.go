// A time as people read it.

package calendar

import "time"

// Describe says when t is, on a clock in the zone: "Mon 09:00 Europe/Berlin"; with
// the date when that is past or more than six days away, and with the year when
// it is another: "Mon 4 Jan 2027 09:00 Europe/Berlin". No zone is UTC.
func Describe(t, now time.Time, zone *time.Location) string {
	zone = zoned(zone)
	t, now = t.In(zone), now.In(zone)
	day, today := civilOf(t, zone), civilOf(now, zone)
	layout := "Mon 15:04"
	switch days := day.Sub(today) / (24 * time.Hour); {
	case t.Year() != now.Year() && (days < 0 || days > 6):
		layout = "Mon 2 Jan 2006 15:04"
	case days < 0 || days > 6:
		layout = "Mon 2 Jan 15:04"
	}
	return t.Format(layout) + " " + zone.String()
}
