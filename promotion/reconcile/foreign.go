package reconcile

// People's pull requests: what merging them would promote, and what they do to
// the pipeline file.

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/texts"
)

// showForeign shows on people's open pull requests what merging them does.
func (r *Reconciler) showForeign(ctx context.Context, v *view) (all []shown, err error) {
	s := v.snapshot
	if v.file == nil {
		return nil, nil
	}
	for i := range v.pulls {
		p := &v.pulls[i]
		if mine(*p) {
			continue
		}
		paths, known := r.memory.touches[p.Head]
		if !known {
			var err error
			if paths, err = r.github.ChangedFiles(ctx, p.Number); err != nil {
				if stale(err) {
					continue
				}
				return all, err
			}
			r.memory.touches[p.Head] = paths
		}
		f := texts.Foreign{Repository: s.Repository, Number: p.Number, Reaches: reaches(s, p.Base, paths)}
		if p.Base != s.Repository.DefaultBranch {
			if len(f.Reaches) > 0 {
				all = append(all, shown{p.Head, texts.ForeignCheck(f), nil})
			}
			continue
		}
		var err error
		if f.Shared, err = r.shared(ctx, v, paths); err != nil {
			return all, err
		}
		as, err := r.fileChange(ctx, v, p, paths, &f)
		if err != nil {
			return all, err
		}
		if len(f.Reaches) == 0 && len(f.Shared) == 0 && f.File == nil && !v.file.ChecksEveryPullRequest() {
			continue
		}
		all = append(all, shown{p.Head, texts.ForeignCheck(f), as})
	}
	return all, nil
}

// reaches are the environments whose projection paths belong to, and where a
// change there travels on to.
func reaches(s *promotion.Snapshot, base string, paths []string) []texts.Reach {
	byDir := map[string][]string{}
	for _, p := range paths {
		for dir := path.Dir(p); ; dir = path.Dir(dir) {
			if dir == "." {
				dir = ""
			}
			byDir[dir] = append(byDir[dir], p)
			if dir == "" {
				break
			}
		}
	}
	var out []texts.Reach
	for i := range s.Environments {
		o := &s.Environments[i]
		below := byDir[o.Config.Place.Dir]
		if len(below) == 0 || s.Base(o) != base {
			continue
		}
		m, err := content.Compile(o.Config.Place)
		if err != nil {
			continue
		}
		if slices.ContainsFunc(below, m.Owns) {
			out = append(out, texts.Reach{
				Pipeline: o.Pipeline.Title, Environment: o.Key.Environment,
				Onward: onward(o.Pipeline, o.Key.Environment), Mode: o.Config.Mode,
			})
		}
	}
	return out
}

// onward are the environments downstream of one, in order.
func onward(p *config.Pipeline, from string) []string {
	reached := map[string]bool{from: true}
	var out []string
	for _, e := range p.Environments {
		for _, f := range e.From {
			if reached[f] && !reached[e.Name] && e.Present {
				reached[e.Name] = true
				out = append(out, e.Name)
			}
		}
	}
	return out
}

// shared counts, for each changed file that several environments render at
// once, how many those are: what the file's shared names, else what
// kustomizations have in common.
func (r *Reconciler) shared(ctx context.Context, v *view, paths []string) (map[string]int, error) {
	out := map[string]int{}
	for _, p := range paths {
		if p == config.Path || len(v.file.SharedGlobs()) > 0 && !v.file.Shared(p) {
			continue
		}
		reach, err := r.reach(ctx, v)
		if err != nil {
			return nil, err
		}
		switch n := len(reach.Of(p)); {
		case n > 0 && (len(v.file.SharedGlobs()) > 0 || reach.Shared(p)):
			out[p] = n
		case len(v.file.SharedGlobs()) > 0:
			out[p] = nearby(v.snapshot, p)
		}
	}
	return out, nil
}

// reach follows the kustomizations of the base branch's tip, once for each tip.
func (r *Reconciler) reach(ctx context.Context, v *view) (*config.Reach, error) {
	tip := v.snapshot.Chain.Tip()
	if r.memory.reach.tip == tip {
		return r.memory.reach.of, nil
	}
	files, err := r.git.List(ctx, tip, []string{""})
	if err != nil {
		return nil, err
	}
	wanted := map[string]string{}
	for p, f := range files {
		switch path.Base(p) {
		case "kustomization.yaml", "kustomization.yml", "Kustomization":
			if f.Mode == "100644" || f.Mode == "100755" {
				wanted[p] = f.Blob
			}
		}
	}
	texts, err := r.contents(ctx, wanted)
	if err != nil {
		return nil, err
	}
	r.memory.reach = reachAt{tip, config.SharedFromKustomizations(v.pipelines, texts)}
	return r.memory.reach.of, nil
}

// contents reads files by the blobs they are.
func (r *Reconciler) contents(ctx context.Context, files map[string]string) (map[string][]byte, error) {
	blobs, _, err := r.git.Blobs(ctx, slices.Collect(maps.Values(files)))
	if err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(files))
	for p, id := range files {
		out[p] = blobs[id]
	}
	return out, nil
}

// nearby counts the environments that a shared file may reach where no
// kustomization says so: those of the pipelines below the folder it is next to,
// or all of them.
func nearby(s *promotion.Snapshot, file string) int {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		n := 0
		for i := range s.Environments {
			o := &s.Environments[i]
			if o.Config.Present && strings.HasPrefix(o.Config.Place.Dir+"/", dir+"/") {
				n++
			}
		}
		if n > 0 {
			return n
		}
	}
	n := 0
	for i := range s.Environments {
		if s.Environments[i].Config.Present {
			n++
		}
	}
	return n
}

// fileChange checks the pipeline file as a pull request would leave it.
func (r *Reconciler) fileChange(ctx context.Context, v *view, p *promotion.PullRequest, paths []string, f *texts.Foreign) ([]Annotation, error) {
	touched := false
	for _, x := range paths {
		touched = touched || x == config.Path
	}
	if !touched {
		return nil, nil
	}
	f.File = &texts.FileChange{}
	text, err := r.github.File(ctx, p.Head, config.Path)
	if errors.Is(err, promotion.ErrNotFound) {
		f.File.Effects = []string{"removes the pipeline file: nothing is promoted in this repository any more"}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	file, problems := config.Parse(config.Path, text)
	if len(problems) == 0 {
		base, err := r.tree(ctx, v, file, v.snapshot.Chain.Tip())
		if err != nil {
			return nil, err
		}
		var after []config.Pipeline
		if after, problems = file.Resolve(base); len(problems) == 0 {
			f.File.Effects = config.Diff(v.pipelines, after)
			if problems, err = r.checkCopied(ctx, v, file, after, base); err != nil {
				return nil, err
			}
		}
	}
	f.File.Problems = problems
	return annotations(problems), nil
}

// checkCopied looks into the files that a changed pipeline file would have
// copied whole: one that names its own environment must not travel as it is.
func (r *Reconciler) checkCopied(ctx context.Context, v *view, file *config.File, pipelines []config.Pipeline, tree config.Tree) (config.Problems, error) {
	listings := map[string]content.Listing{}
	wanted := map[config.At]string{}
	for _, at := range file.Moved(pipelines, tree) {
		files, listed := listings[at.Branch]
		if !listed {
			tip := v.snapshot.Chain.Tip()
			if at.Branch != "" && at.Branch != tree.Default {
				tip = v.refs["refs/heads/"+at.Branch]
			}
			var err error
			if files, err = r.git.List(ctx, tip, []string{""}); err != nil {
				return nil, err
			}
			listings[at.Branch] = files
		}
		if f := files[at.Path]; f.Mode == "100644" || f.Mode == "100755" {
			wanted[at] = f.Blob
		}
	}
	blobs, _, err := r.git.Blobs(ctx, slices.Collect(maps.Values(wanted)))
	if err != nil {
		return nil, err
	}
	texts := make(map[config.At][]byte, len(wanted))
	for at, id := range wanted {
		texts[at] = blobs[id]
	}
	return file.Check(pipelines, texts), nil
}

func annotations(ps config.Problems) []Annotation {
	var as []Annotation
	for _, p := range ps {
		m := p.Message
		if p.Remedy != "" {
			m += "; " + p.Remedy
		}
		as = append(as, Annotation{Path: p.File, Line: max(1, p.Line), Message: m, Title: "pipeline file"})
	}
	return as
}
