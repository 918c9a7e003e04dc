package main

// Bench 1: how many requests a promotion costs, by kind, opened and landed.

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/promobot/promobot/state"
)

func requestsPerPromotion(ctx context.Context, b *bench) error {
	shapes := [][2]int{{1, 1}, {1, 5}, {10, 5}, {200, 1}}
	if b.quick {
		shapes = [][2]int{{1, 1}, {2, 2}}
	}
	b.report.last().Wide = true
	for _, shape := range shapes {
		for _, mode := range []string{"propose", "auto"} {
			if err := b.requestsOf(ctx, shape[0], shape[1], mode); err != nil {
				return err
			}
		}
	}
	b.report.note("Components × targets. Requests from the push to rest, divided by the promotions; API leaves out what is free. Opened: mode propose, the pull requests stay open. Opened and landed: mode auto, promobot merges them itself.")
	return nil
}

func (b *bench) requestsOf(ctx context.Context, components, targets int, mode string) (err error) {
	names := targetNames(targets)
	files := services(components, servicesFile(mode, "mode: "+mode, names...), append([]string{"dev"}, names...)...)
	w, err := b.newWorld(ctx, fmt.Sprintf("%dx%d-%s", components, targets, mode), files)
	if err != nil {
		return err
	}
	defer ending(w, &err)
	if err := w.start(ctx, 1, settings{debounce: usual}); err != nil {
		return err
	}
	label, status := "opened", state.Opened
	if mode == "auto" {
		label, status = "opened and landed", state.Landed
	}
	promotions := sequence(components, names...)
	b.say("   %d × %d, %s", components, targets, label)
	v, err := w.wave(ctx, release(0, components, "1.1.0"), status, promotions)
	if err != nil {
		return err
	}
	of := fmt.Sprintf("%d × %d, %s", components, targets, label)
	n := float64(len(promotions))
	by := counts(v.all)
	r := &b.report
	r.add(of, "API", "", float64(by[apiRead]+by[apiCreate]+by[apiWrite])/n)
	r.add(of, "reads", "", float64(by[apiRead])/n)
	r.add(of, "free (304)", "", float64(by[apiUnchanged])/n)
	r.add(of, "creating writes", "", float64(by[apiCreate])/n)
	r.add(of, "other writes", "", float64(by[apiWrite])/n)
	r.add(of, "git, HTTP", "", float64(gitRequests(v.all))/n)
	r.add(of, "pushes in all", "", float64(by[gitPush]))
	r.note("%s: %s", of, routes(v.all))
	return nil
}

func targetNames(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("prod-%d", i+1))
	}
	return out
}

// routes lists the API's routes with how often each was asked, most first.
func routes(exchanges []exchange) string {
	n := map[string]int{}
	for _, e := range exchanges {
		switch e.kind {
		case apiRead, apiCreate, apiWrite:
			n[e.method+" "+e.route]++
		default: // free, or not the API
		}
	}
	var names []string
	for name := range n {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if n[a] != n[b] {
			return n[b] - n[a]
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%d %s", n[name], name)
	}
	return strings.Join(parts, ", ")
}
