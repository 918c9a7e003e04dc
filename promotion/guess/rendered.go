package guess

// Whole files on branches: those that name their own environment stay.

import (
	"maps"
	"regexp"
	"slices"

	"github.com/promobot/promobot/promotion/config"
)

// mostKept bounds the files of a branch that are left out by name.
const mostKept = 20

// naming are the paths that name their own environment in some branch, and more
// when there are too many to list.
func (s *search) selfNaming(g branches) (paths []string, more bool) {
	for _, env := range slices.Sorted(maps.Keys(g.of)) {
		word := regexp.MustCompile(`(?i)(^|[^a-z0-9])` + regexp.QuoteMeta(env) + `($|[^a-z0-9])`)
		for _, p := range s.repository.Branches[g.of[env]] {
			if word.Match(s.repository.Contents[config.At{Branch: g.of[env], Path: p}]) {
				paths = add(paths, p)
			}
		}
	}
	slices.Sort(paths)
	return paths, len(paths) > mostKept
}
