package reconcile

// Accept: what comes only as an event, and so has to be written down before it
// is answered. A repository_dispatch names a version; the ledgers of the
// environments whose source it is take it if it is newer.

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// Dispatch is a repository_dispatch as it arrived ("Create a repository
// dispatch event", REST API documentation).
type Dispatch struct {
	ID      string // the delivery's, the same when it is sent again
	Type    string // event_type
	Payload []byte // client_payload, JSON
	At      time.Time
}

// maxVersion is how long a version may be: a tag with a digest fits.
const maxVersion = 200

// version is what the dispatch says to a source; false when it is not meant, or
// reports a failure (Flux's notification controller sends those with severity
// error), or names no version.
func (d Dispatch) version(src *config.VersionSource) (promotion.Version, bool) {
	if src.Kind != config.Dispatch || src.Type != d.Type {
		return promotion.Version{}, false
	}
	var payload map[string]any
	if json.Unmarshal(d.Payload, &payload) != nil || payload["severity"] == "error" {
		return promotion.Version{}, false
	}
	name := strings.TrimPrefix(lookup(payload, src.Version), src.Prefix)
	if name == "" || len(name) > maxVersion || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return promotion.Version{}, false
	}
	return promotion.Version{Name: name, Time: d.At, Letter: d.ID}, true
}

// lookup finds a text by keys joined by dots; keys may hold dots themselves,
// as Kubernetes' annotations do.
func lookup(in map[string]any, path string) string {
	if s, ok := in[path].(string); ok {
		return s
	}
	for i := range path {
		if path[i] != '.' {
			continue
		}
		if sub, ok := in[path[:i]].(map[string]any); ok {
			if s := lookup(sub, path[i+1:]); s != "" {
				return s
			}
		}
	}
	return ""
}

// Accept writes the versions that dispatches name into the ledgers of the
// environments they are for. Without an error they need not be kept any more:
// each was taken, was older than what is known, or is for nobody.
func (r *Reconciler) Accept(ctx context.Context, ds []Dispatch) error {
	r.memory.brought, r.asked = ds, newAsked()
	defer func() { r.memory.brought = nil }()
	repo, err := r.github.Repository(ctx)
	if err != nil {
		return fmt.Errorf("read repository: %w", err)
	}
	for range maxPasses {
		v, err := r.observe(ctx, repo)
		if err != nil {
			return err
		}
		if len(v.problems) > 0 {
			return fmt.Errorf("the pipeline file has to be mended first: %w", v.problems[0])
		}
		es := r.ordered(v.snapshot, ds)
		if len(es) > 0 {
			if _, err := r.write(ctx, v.snapshot, es); err != nil {
				return err
			}
			continue
		}
		pending := false
		for i, d := range promotion.Decide(v.snapshot) {
			o := &v.snapshot.Environments[i]
			if a, ok := d.Action.(promotion.Append); ok && (a.Kind == state.KindAccepted || a.Kind == state.KindBaseline && len(o.Brought) > 0) {
				es = append(es, entry{observed: o, kind: a.Kind, sentence: a.Sentence, state: a.State})
			}
			pending = pending || len(o.Brought) > 0 && (len(o.Doubts) > 0 || o.Ledger.Problem != "")
		}
		if pending {
			return fmt.Errorf("an environment that a dispatch is for cannot be written yet")
		}
		if len(es) == 0 {
			return nil
		}
		if _, err := r.write(ctx, v.snapshot, es); err != nil {
			return err
		}
	}
	return promotion.ErrConflict
}
