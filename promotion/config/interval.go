package config

// Durations as the pipeline file and the command line write them.

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Interval is a duration as the pipeline file writes it: 30m, 4h, 3d.
type Interval time.Duration

var intervalPattern = regexp.MustCompile(`^([0-9]{1,6})(s|m|h|d)$`)

var intervalUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

// intervalShape is a duration of the pipeline file. Its words are not "a
// duration", since a bare number would be told to stand in quotes.
var intervalShape = scalar("time with a unit, as 30m, 4h or 3d", textType, schema{"type": "string", "pattern": intervalPattern.String()},
	func(s string) (time.Duration, *refusal) {
		i, err := ParseInterval(s)
		switch {
		case err == nil:
			return time.Duration(i), nil
		case intervalPattern.MatchString(s):
			return 0, refuse("write at most 366d", "%s is longer than a year", clip(s))
		}
		return 0, refuse("write a number and a unit, as 90s, 30m, 4h or 3d", "%s is no duration", clip(s))
	})

// ParseInterval reads one number with one unit out of s, m, h and d (24 hours),
// at most 366d.
func ParseInterval(s string) (Interval, error) {
	m := intervalPattern.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("%s is no duration; write a number and a unit, as 30m, 4h or 3d", clip(s))
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, fmt.Errorf("%s is no duration: %w", clip(s), err)
	}
	d := time.Duration(n) * intervalUnits[m[2]]
	if d > 366*24*time.Hour {
		return 0, fmt.Errorf("%s is longer than a year", clip(s))
	}
	return Interval(d), nil
}

// String is the duration in the largest unit that gives a whole number.
func (i Interval) String() string {
	d := time.Duration(i)
	for _, u := range []string{"d", "h", "m"} {
		if unit := intervalUnits[u]; d != 0 && d%unit == 0 {
			return strconv.FormatInt(int64(d/unit), 10) + u
		}
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}
