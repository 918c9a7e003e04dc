package main

// Bench 1: how many requests a promotion costs, by kind, opened and landed.

import (
	"context"
	"fmt"
	"slices"

	"github.com/promobot/promobot/state"
)

func requestsPerPromotion(ctx context.Context, b *bench) error {
	shapes := [][2]int{{1, 1}, {1, 5}, {10, 5}, {200, 1}}
	if b.quick {
		shapes = [][2]int{{1, 1}, {2, 2}}
	}
	for _, shape := range shapes {
		for _, mode := range []string{"propose", "auto"} {
			if err := b.requestsOf(ctx, shape[0], shape[1], mode); err != nil {
				return err
			}
		}
	}
	b.report.note("Requests from the push to rest, divided by the promotions. Opened: mode propose, the pull requests stay open. Opened and landed: mode auto, promobot merges them itself.")
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
	if err := w.start(ctx, 1, settings{debounce: -1}); err != nil {
		return err
	}
	label, status := "opened", state.Opened
	if mode == "auto" {
		label, status = "opened and landed", state.Landed
	}
	promotions := sequence(components, names...)
	b.say("   %d × %d, %s", components, targets, label)
	v, err := w.wave(ctx, "release", release(0, components, "1.1.0"), status, promotions)
	if err != nil {
		return err
	}
	of := fmt.Sprintf("%d component × %d target, %s", components, targets, label)
	n := float64(len(promotions))
	by := counts(v.all)
	git := by[gitAdvertise] + by[gitRefs] + by[gitFetch] + by[gitNegotiate] + by[gitPush]
	api := by[apiRead] + by[apiCreate] + by[apiWrite]
	b.report.add(of, "API requests that count, a promotion", "", float64(api)/n)
	for _, k := range []kind{apiRead, apiUnchanged, apiCreate, apiWrite} {
		b.report.add(of, string(k), "", float64(by[k])/n)
	}
	b.report.add(of, "git, HTTP requests a promotion", "", float64(git)/n)
	b.report.add(of, "git, pushes in all", "", float64(by[gitPush]))
	if mode == "auto" {
		return nil
	}
	b.report.note("%s: %s", of, routes(v.all))
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
	text := ""
	for i, name := range names {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", n[name], name)
	}
	return text
}
