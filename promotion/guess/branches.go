package guess

// Environments that are branches: env/dev and env/prod, and those that a
// hydrator writes beside them, env/dev-next.

import (
	"maps"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/config"
)

// branches are branches that differ in the environment's name.
type branches struct {
	before, after string
	of            map[string]string // branch by environment
	names         map[string]name
}

const next = "-next"

// Branches chooses those branches whose names name environments; their paths and
// contents are what guessing needs of them.
func Branches(all []string, standard string) []string {
	var out []string
	for _, g := range branchGroups(all, standard) {
		out = append(out, slices.Collect(maps.Values(g.of))...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// branchGroups are the groups that have environments of at least two ranks.
func branchGroups(all []string, standard string) []branches {
	found := map[string]*branches{}
	for _, b := range slices.Sorted(slices.Values(all)) {
		if b == standard || !usable(b) || strings.HasPrefix(b, "promobot/") || strings.Contains(b, "$") {
			continue
		}
		stem, after := b, ""
		if s, ok := strings.CutSuffix(b, next); ok {
			stem, after = s, next
		}
		at := strings.LastIndex(stem, "/") + 1
		folder := strings.TrimSuffix(stem[:at], "/")
		n, ok := readKnown(stem[at:])
		before := stem[:at]
		if !ok {
			cut := strings.IndexAny(stem[at:], "-_")
			if cut < 0 || !containers[stem[at:at+cut]] {
				continue
			}
			before = stem[:at+cut+1]
			if n, ok = readKnown(stem[at+cut+1:]); !ok {
				continue
			}
		}
		if folder != "" && !containers[folder] && folder != "deploy" && folder != "stage" && folder != "rendered" && folder != "release" {
			continue
		}
		k := before + "\x00" + after
		if found[k] == nil {
			found[k] = &branches{before: before, after: after, of: map[string]string{}, names: map[string]name{}}
		}
		if found[k].of[n.env] == "" {
			found[k].of[n.env], found[k].names[n.env] = b, n
		}
	}
	var out []branches
	for _, k := range slices.Sorted(maps.Keys(found)) {
		seen := map[int]bool{}
		for _, n := range found[k].names {
			seen[n.rank] = true
		}
		if len(seen) > 1 {
			out = append(out, *found[k])
		}
	}
	return out
}

// branches looks for values that the same file has on several branches.
func (s *search) branches() {
	s.names = branchGroups(slices.Collect(maps.Keys(s.repository.Branches)), s.repository.Default)
	for _, g := range s.names {
		if g.after != "" {
			continue
		}
		found := map[string]*place{}
		for _, env := range slices.Sorted(maps.Keys(g.of)) {
			branch := g.of[env]
			for _, p := range s.repository.Branches[branch] {
				if !wanted(p) || !usable(p) {
					continue
				}
				at := config.At{Branch: branch, Path: p}
				c := carriers(p, s.repository.Contents[at])
				if len(c) == 0 {
					continue
				}
				if found[p] == nil {
					found[p] = &place{branch: g.before + environmentHole, template: p, members: map[string]member{}}
				}
				found[p].members[env] = member{name: g.names[env], at: at, carriers: c}
			}
		}
		before := len(s.places)
		for _, p := range slices.Sorted(maps.Keys(found)) {
			s.keep(found[p])
		}
		s.shapes = append(s.shapes, alike(s.places[before:])...)
	}
}

// hydrated is the group that a hydrator writes, with the one it is merged to.
func (s *search) hydrated() (g branches, ok bool) {
	for _, from := range s.names {
		for _, to := range s.names {
			if from.after == next && to.after == "" && from.before == to.before {
				return to, true
			}
		}
	}
	return g, false
}
