package main

// Bench 5: what a promotion costs as repositories and folders grow.

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/promobot/promobot/state"
)

func size(ctx context.Context, b *bench) error {
	sizes, folders := []int{1_000, 10_000, 100_000}, []int{1, 100, 1_000, 10_000}
	rounds := b.of(5, 1)
	if b.quick {
		sizes, folders = []int{100, 300}, []int{1, 20}
	}
	b.report.last().Wide = true
	var first time.Duration
	for _, n := range sizes {
		of := fmt.Sprintf("%d files, 10 promoted", n)
		took, err := b.sizeOf(ctx, of, n, 10, 1, rounds)
		if err != nil {
			return err
		}
		if first == 0 {
			first = took
			continue
		}
		f := b.report.add(of, "times the first", "", took.Seconds()/first.Seconds())
		f.target("≤ 1.5", *f.Ours <= 1.5)
	}
	for _, n := range folders {
		of := fmt.Sprintf("a folder of %d files, all changed", n)
		if _, err := b.sizeOf(ctx, of, 2*n+1_000, n, n, b.of(3, 1)); err != nil {
			return err
		}
	}
	b.report.note("promote: files. Time is from the webhook until the pull request is open and recorded, without debounce, with the mirror there; medians of several promotions. Trees and blobs are those in the packs that the server sent, processor is promobot's time with git's until rest. First start is from nothing until all ledgers stand, clone what that fetched.")
	return nil
}

// sizeOf measures promotions in a repository of n files, of which the
// environments hold so many each, changed of them at a time.
func (b *bench) sizeOf(ctx context.Context, of string, n, each, changed, rounds int) (_ time.Duration, err error) {
	b.say("   %s", of)
	w, err := b.newWorld(ctx, fmt.Sprintf("size-%d-%d", n, each), folder(n, each))
	if err != nil {
		return 0, err
	}
	defer ending(w, &err)
	w.traffic.countPacks(w.types(ctx))
	begun := time.Now()
	if err := w.start(ctx, 1, settings{}); err != nil {
		return 0, err
	}
	begin := w.traffic.since(0)
	cold := begin[len(begin)-1].answered.Sub(begun)
	var took, bytes, trees, blobs, processor []float64
	for round := range rounds {
		files := maps.Collect(folderFiles("dev", changed, fmt.Sprintf("round %d", round)))
		v, err := w.wave(ctx, files, state.Opened, []string{"app/prod"})
		if err != nil {
			return 0, err
		}
		got, err := fetched(v.until)
		if err != nil {
			return 0, err
		}
		took = append(took, v.took.Seconds())
		bytes = append(bytes, float64(got.bytes)/1024)
		trees, blobs = append(trees, float64(got.trees)), append(blobs, float64(got.blobs))
		processor = append(processor, v.processor.Seconds())
	}
	start, err := fetched(begin)
	if err != nil {
		return 0, err
	}
	r := &b.report
	r.add(of, "time", "s", median(took))
	r.add(of, "fetched", "kB", median(bytes))
	r.add(of, "trees", "", median(trees))
	f := r.add(of, "blobs", "", percentile(blobs, 100))
	f.target("none", *f.Ours == 0)
	r.add(of, "processor", "s", median(processor))
	r.add(of, "first start", "s", cold.Seconds())
	r.add(of, "clone", "kB", float64(start.bytes)/1024)
	return time.Duration(median(took) * float64(time.Second)), nil
}

// fetch is what a number of git requests brought.
type fetch struct {
	bytes        int64
	trees, blobs int
}

func fetched(exchanges []exchange) (fetch, error) {
	var f fetch
	for _, e := range exchanges {
		switch e.kind {
		case gitAdvertise, gitRefs, gitNegotiate:
			f.bytes += e.out
		case gitFetch:
			f.bytes += e.out
			f.trees += e.pack.trees
			f.blobs += e.pack.blobs
			if e.pack.err != nil {
				return f, fmt.Errorf("the pack of %s cannot be read: %w", e.route, e.pack.err)
			}
		default: // not a fetch
		}
	}
	return f, nil
}
