package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

// pipelineFile reads the pipeline file: at the base branch's tip, from the
// mirror; where the repository positively has none, the organisation's. A nil
// text without an error means that there is none anywhere, or that what stands
// in its place is not a file, which v.problems then says.
func (r *Reconciler) pipelineFile(ctx context.Context, v *view, tip string) (text []byte, name string, more bool, err error) {
	files, err := r.git.List(ctx, tip, []string{".github"})
	if err != nil {
		return nil, "", false, fmt.Errorf("look for %s: %w", config.Path, err)
	}
	f, there := files[config.Path]
	if there && (f.Mode == "100644" || f.Mode == "100755") {
		blobs, fetched, err := r.git.Blobs(ctx, []string{f.Blob})
		if err != nil {
			return nil, "", false, fmt.Errorf("read %s: %w", config.Path, err)
		}
		return blobs[f.Blob], config.Path, fetched, nil
	}
	directory := false
	for p := range files {
		directory = directory || len(p) > len(config.Path) && p[:len(config.Path)+1] == config.Path+"/"
	}
	if there || directory {
		v.problems = config.Problems{{
			File: config.Path, Line: 1, Column: 1,
			Message: "this is not a regular file", Remedy: "write the pipeline file here, not a folder, a link or a submodule",
		}}
		return nil, "", false, nil
	}
	if v.fallback == nil {
		v.fallback = &fallback{}
		v.fallback.text, v.fallback.source, v.fallback.err = r.github.FallbackFile(ctx)
		more = true
	}
	switch err := v.fallback.err; {
	case errors.Is(err, promotion.ErrNotFound):
		v.missing = true
		return nil, "", false, nil
	case err != nil:
		return nil, "", false, fmt.Errorf("read the organisation's pipeline file: %w", err)
	}
	return v.fallback.text, v.fallback.source, more, nil
}
