package main

// Base windows, seen from outside: how old a client's look at the repository is
// when what it pushes takes effect.

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// window is from the last answer to a fetch to the effect of a push after it.
type window struct {
	client string
	took   time.Duration
	push   pushed
	// first is the first push after that fetch: promobot's claim. What follows
	// it is already guarded by the ledger.
	first bool
}

// windowsOf finds the windows of all clients. The negotiation that git makes
// within a push is no look at the repository.
func windowsOf(exchanges []exchange) []window {
	read := map[string]time.Time{}
	pushes := map[string]int{}
	var out []window
	for _, e := range exchanges {
		switch e.kind {
		case gitRefs, gitFetch:
			if e.answered.After(read[e.client]) {
				read[e.client], pushes[e.client] = e.answered, 0
			}
		case gitPush:
			at, known := read[e.client]
			if !known || e.push.moved == 0 {
				continue
			}
			out = append(out, window{client: e.client, took: e.acted.Sub(at), push: e.push, first: pushes[e.client] == 0})
			pushes[e.client]++
		default: // no look at the repository, and no push
		}
	}
	return out
}

// millisOf are the lengths of those windows that are wanted.
func millisOf(windows []window, wanted func(window) bool) []float64 {
	var out []float64
	for _, w := range windows {
		if wanted(w) {
			out = append(out, millis(w.took))
		}
	}
	return out
}

// toBranches are the windows of pushes that move branches, which is what a base
// is read for; ledger entries alone move none.
func toBranches(w window) bool { return w.push.moves("refs/heads/") }

// histogram are the buckets of a Prometheus histogram: upper bounds and how
// many observations do not exceed them.
type histogram struct {
	bounds []float64
	counts []float64
}

// readHistogram reads one from metrics; all its labels are added up. It is
// empty if there is none of that name.
func readHistogram(metrics map[string]float64, name string) histogram {
	sums := map[float64]float64{}
	for full, n := range metrics {
		labels, ok := strings.CutPrefix(full, name+"_bucket{")
		if !ok {
			continue
		}
		_, bound, ok := strings.Cut(labels, `le="`)
		bound, _, _ = strings.Cut(bound, `"`)
		le, err := strconv.ParseFloat(bound, 64)
		if ok && err == nil {
			sums[le] += n
		}
	}
	var h histogram
	for le := range sums {
		h.bounds = append(h.bounds, le)
	}
	slices.Sort(h.bounds)
	for _, le := range h.bounds {
		h.counts = append(h.counts, sums[le])
	}
	return h
}

// minus takes earlier observations away.
func (h histogram) minus(earlier histogram) histogram {
	out := histogram{bounds: h.bounds, counts: slices.Clone(h.counts)}
	for i := range min(len(out.counts), len(earlier.counts)) {
		out.counts[i] -= earlier.counts[i]
	}
	return out
}

// atMost is the bound of the bucket in which a percentile lies; infinite past
// the last, NaN of nothing.
func (h histogram) atMost(percent float64) float64 {
	if len(h.counts) == 0 || h.counts[len(h.counts)-1] == 0 {
		return math.NaN()
	}
	total := h.counts[len(h.counts)-1]
	for i, n := range h.counts {
		if n >= math.Ceil(percent/100*total) {
			return h.bounds[i]
		}
	}
	return math.Inf(1)
}
