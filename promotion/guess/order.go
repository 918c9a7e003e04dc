package guess

// The order of environments.
//
// Rules: names say how far along they are; those equally far stand beside each
// other, and take from the one before that has their region, else from all of
// them. Only a canary is passed by. History decides nothing, but is asked whether
// it agrees.

import (
	"maps"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/config"
)

const canary = 60

// environment is one environment of the file to be.
type environment struct {
	name
	from     []string
	optional bool
	why      string
}

// ordered are environments with what they come from.
func ordered(names map[string]name) []environment {
	all := sorted(names)
	var out []environment
	for i, n := range all {
		e := environment{name: n}
		var nearest []string
		for at := i - 1; at >= 0; {
			rank := all[at].rank
			var group []name
			for ; at >= 0 && all[at].rank == rank; at-- {
				group = append(group, all[at])
			}
			if rank == n.rank {
				continue
			}
			if e.from = matching(group, n.within); len(e.from) > 0 {
				break
			}
			if nearest == nil || onlyCanary(names, nearest) {
				nearest = nil
				for _, g := range slices.Backward(group) {
					nearest = append(nearest, g.env)
				}
			}
			if rank != canary {
				break
			}
		}
		if len(e.from) == 0 {
			e.from = nearest
		}
		out = append(out, e)
	}
	return out
}

func onlyCanary(names map[string]name, all []string) bool {
	return !slices.ContainsFunc(all, func(e string) bool { return names[e].rank != canary })
}

// matching are those of a group with the same region, else those without one.
func matching(group []name, within string) []string {
	var same, alike, general []string
	for _, g := range slices.Backward(group) {
		switch {
		case g.within == within:
			same = append(same, g.env)
		case g.within == "":
			general = append(general, g.env)
		case within != "" && (strings.HasPrefix(g.within, within+"-") || strings.HasPrefix(within, g.within+"-")):
			alike = append(alike, g.env)
		}
	}
	for _, found := range [][]string{same, alike, general} {
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// tally is how often a change came to one environment after, with or without one
// in the environment it is from.
type tally struct{ after, together, alone int }

// history counts for each environment's places, over the history of the default
// branch.
func history(commits []Commit, pipelines []*pipeline, upstream map[string][]string) map[string]tally {
	type spot struct {
		place *place
		env   string
	}
	at := map[string]spot{}
	for _, p := range pipelines {
		for _, sh := range p.shapes {
			for _, pl := range sh.places {
				for env, m := range pl.members {
					if m.at.Branch == "" {
						at[m.at.Path] = spot{pl, env}
					}
				}
			}
		}
	}
	out := map[string]tally{}
	changed := map[spot]int{} // the commit that changed it last, from 1
	for i, c := range slices.Backward(commits) {
		now := len(commits) - i
		if i == len(commits)-1 {
			continue // what is there at the beginning came from nowhere
		}
		here := map[spot]bool{}
		for _, p := range c.Changed {
			if s, ok := at[p]; ok {
				here[s] = true
			}
		}
		for s := range here {
			t := out[s.env]
			before := changed[s]
			switch ups := upstream[s.env]; {
			case len(ups) == 0:
				continue
			case slices.ContainsFunc(ups, func(u string) bool { return here[spot{s.place, u}] }):
				t.together++
			case slices.ContainsFunc(ups, func(u string) bool { return changed[spot{s.place, u}] > before }):
				t.after++
			default:
				t.alone++
			}
			out[s.env] = t
		}
		for s := range here {
			changed[s] = now
		}
	}
	return out
}

// Wanted are the files whose bytes guessing looks into: at most mostFiles, those
// of environments first.
func Wanted(r Repository) []config.At {
	n := newNaming(r.Paths)
	var first, second []config.At
	for _, p := range r.Paths {
		if !wanted(p) {
			continue
		}
		if _, ok := n.locate(p); ok {
			first = append(first, config.At{Path: p})
		} else if strings.Count(p, "/") < 5 && !isKustomization(p) && !strings.Contains(p, "gotk-components") {
			second = append(second, config.At{Path: p})
		}
	}
	for _, b := range slices.Sorted(maps.Keys(r.Branches)) {
		for _, p := range r.Branches[b] {
			first = append(first, config.At{Branch: b, Path: p})
		}
	}
	all := append(first, second[:min(len(second), mostOthers)]...)
	return all[:min(len(all), mostFiles)]
}

const (
	mostFiles  = 20_000
	mostOthers = 2_000
)
