package reconcile

// The pipeline file: read, parsed and laid over the files of the base branch's
// tip. A file and paths that are what they were last time mean what they meant.

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
)

// resolved is what a pipeline file came to over a repository's paths.
type resolved struct {
	name      string
	text      []byte
	tree      config.Tree
	file      *config.File
	pipelines []config.Pipeline
	problems  config.Problems
	matchers  map[*config.Environment]*content.Matcher
	placeKeys map[*content.Item]string // by a place's first item
	owns      map[owned]bool
}

// owned is a path that an environment's place may own.
type owned struct {
	place *content.Matcher
	path  string
}

// readPipelines reads and resolves the pipeline file at the base branch's tip.
func (r *Reconciler) readPipelines(ctx context.Context, v *view, tip string) (more bool, err error) {
	text, name, more, err := r.pipelineFile(ctx, v, tip)
	if err != nil || more || text == nil {
		return more, err
	}
	v.fileName = name
	last := &r.memory.resolved
	if last.file == nil || last.name != name || !bytes.Equal(last.text, text) {
		*last = resolved{name: name, text: text}
		if last.file, v.problems = config.Parse(name, text); len(v.problems) > 0 {
			return false, nil
		}
	}
	v.file = last.file
	tree, err := r.tree(ctx, v, v.file, tip)
	if err != nil {
		return false, err
	}
	if last.matchers == nil || !sameTree(last.tree, tree) {
		last.tree, last.matchers = tree, map[*config.Environment]*content.Matcher{}
		last.placeKeys, last.owns = map[*content.Item]string{}, map[owned]bool{}
		last.pipelines, last.problems = last.file.Resolve(tree)
		for i := range last.pipelines {
			for j := range last.pipelines[i].Environments {
				e := &last.pipelines[i].Environments[j]
				e.Mode = cmp.Or(r.o.Mode, e.Mode)
			}
		}
	}
	v.pipelines, v.problems = last.pipelines, last.problems
	return false, nil
}

// tree lists the files of the default branch's tip and of the other branches
// that a pipeline file names, as the view's refs have them.
func (r *Reconciler) tree(ctx context.Context, v *view, file *config.File, tip string) (config.Tree, error) {
	t := config.Tree{Default: v.snapshot.Repository.DefaultBranch, Branches: map[string][]string{}}
	var err error
	if t.Paths, err = r.git.Paths(ctx, tip); err != nil {
		return t, fmt.Errorf("list files: %w", err)
	}
	for _, branch := range file.Branches() {
		at := v.refs["refs/heads/"+branch]
		if at == "" || branch == t.Default {
			continue
		}
		if t.Branches[branch], err = r.git.Paths(ctx, at); err != nil {
			return t, fmt.Errorf("list files of %s: %w", branch, err)
		}
	}
	return t, nil
}

func sameTree(a, b config.Tree) bool {
	return a.Default == b.Default && slices.Equal(a.Paths, b.Paths) && maps.EqualFunc(a.Branches, b.Branches, slices.Equal[[]string])
}

// matcher is an environment's place, compiled once.
func (r *Reconciler) matcher(e *config.Environment) (*content.Matcher, error) {
	m, known := r.memory.resolved.matchers[e]
	if known {
		return m, nil
	}
	m, err := content.Compile(e.Place)
	if err == nil {
		r.memory.resolved.matchers[e] = m
	}
	return m, err
}

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

// owns says whether a path can belong to a place, and remembers it: a history is
// looked through at every pass.
func (r *Reconciler) owns(m *content.Matcher, path string) bool {
	k := owned{m, path}
	own, known := r.memory.resolved.owns[k]
	if !known {
		own = m.Owns(path)
		r.memory.resolved.owns[k] = own
	}
	return own
}
