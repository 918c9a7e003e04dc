package reconcile

// Versions: what the sources of environments list. A source that cannot be read
// is a doubt of its own environments only.

import (
	"context"
	"fmt"
	"slices"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

type listed struct {
	versions []promotion.Version
	err      error
}

// readVersions lists sources that were not listed in this view yet.
func (r *Reconciler) readVersions(ctx context.Context, v *view, sources []config.VersionSource) {
	for _, src := range sources {
		if _, known := v.versions[src]; !known {
			vs, err := r.github.Versions(ctx, src)
			v.versions[src] = listed{vs, err}
		}
	}
}

// matchVersions lays what the sources list beside the environments, and wants
// those that were not listed yet. The next view lists them first.
func (r *Reconciler) matchVersions(v *view, w *wants) {
	r.memory.sources = r.memory.sources[:0]
	for i := range v.snapshot.Environments {
		o := &v.snapshot.Environments[i]
		if o.Config.Source == nil {
			continue
		}
		for _, d := range r.memory.brought {
			if version, ok := d.version(o.Config.Source); ok {
				o.Brought = append(o.Brought, version)
			}
		}
		if o.Config.Source.Kind == config.Dispatch {
			continue
		}
		src := *o.Config.Source
		src.Line = 0
		if !slices.Contains(r.memory.sources, src) {
			r.memory.sources = append(r.memory.sources, src)
		}
		switch l, known := v.versions[src]; {
		case !known:
			w.sources = append(w.sources, src)
			w.note(o, promotion.SourceName(&src))
		case l.err != nil:
			o.Doubts = append(o.Doubts, fmt.Sprintf("%s could not be read: %v", promotion.SourceName(&src), l.err))
		default:
			o.Listed = l.versions
		}
	}
}
