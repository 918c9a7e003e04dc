package queue

import "time"

// Backoff is how long a key rests after failed runs: doubling from Base to Max.
type Backoff struct {
	Base time.Duration
	Max  time.Duration
}

// DefaultBackoff starts at two seconds, since most failures are a moment's, and
// ends at ten minutes, since a sweep comes round about as often.
var DefaultBackoff = Backoff{Base: 2 * time.Second, Max: 10 * time.Minute}

// After returns the rest after the given number of failed runs in a row (1 is
// the first), between half and all of the doubled base so that keys which failed
// together do not return together. random is in [0,1).
func (b Backoff) After(failures int, random float64) time.Duration {
	if failures < 1 {
		return 0
	}
	rest := b.Base
	for range failures - 1 {
		if rest >= b.Max/2 {
			rest = b.Max
			break
		}
		rest *= 2
	}
	rest = min(rest, b.Max)
	half := rest / 2
	return half + time.Duration(random*float64(rest-half))
}
