package queue_test

import (
	"testing"
	"time"

	"github.com/promobot/promobot/state/queue"
)

func TestBackoffAfter(t *testing.T) {
	backoff := queue.Backoff{Base: 2 * time.Second, Max: time.Minute}
	cases := []struct {
		name     string
		failures int
		random   float64
		want     time.Duration
	}{
		{"no failure, no rest", 0, 0.9, 0},
		{"first, shortest", 1, 0, time.Second},
		{"first, middle", 1, 0.5, 1500 * time.Millisecond},
		{"second doubles", 2, 0, 2 * time.Second},
		{"fifth", 5, 0, 16 * time.Second},
		{"the sixth is cut to the longest", 6, 0, 30 * time.Second},
		{"no overflow", 10_000, 0, 30 * time.Second},
		{"at most the longest", 10_000, 0.999999, 59999970 * time.Microsecond},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := backoff.After(c.failures, c.random); got.Round(time.Microsecond) != c.want {
				t.Fatalf("rest %v, want %v", got, c.want)
			}
		})
	}
}
