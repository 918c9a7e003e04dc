package dryrun

// Which files are worth reading ahead: those of the environments' places, at the
// ends of the stretch that is read.

import (
	"context"
	"errors"
	"strings"

	"github.com/promobot/promobot/promotion/content"
)

// places are the environments' places at some commits.
func (l *loop) places(ctx context.Context, commits ...string) (placesAt, error) {
	at := placesAt{}
	seen := map[string]bool{}
	for _, c := range commits {
		pipelines, err := l.resolve(ctx, c)
		if _, ok := errors.AsType[*ProblemsError](err); ok {
			continue // nothing is read there
		}
		if err != nil {
			return nil, err
		}
		for _, p := range pipelines {
			for _, e := range p.Environments {
				k := p.Key + "\x00" + e.Name
				m, err := content.Compile(e.Place)
				if err != nil || seen[k] {
					continue
				}
				seen[k] = true
				at[e.Place.Dir] = append(at[e.Place.Dir], m)
			}
		}
	}
	return at, nil
}

// placesAt are places by their folders.
type placesAt map[string][]*content.Matcher

// own says whether a path can belong to any of the places.
func (at placesAt) own(path string) bool {
	for dir := path; ; {
		i := strings.LastIndexByte(dir, '/')
		dir = dir[:max(i, 0)]
		for _, m := range at[dir] {
			if m.Owns(path) {
				return true
			}
		}
		if dir == "" {
			return false
		}
	}
}
