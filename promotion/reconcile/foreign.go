package reconcile

// People's pull requests: what merging them would promote, and what they do to
// the pipeline file.

import (
	"context"
	"errors"
	"path"
	"slices"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/texts"
)

// showForeign shows on people's open pull requests what merging them does.
func (r *Reconciler) showForeign(ctx context.Context, v *view, write writer) error {
	s := v.snapshot
	if v.file == nil {
		return nil
	}
	for i := range v.pulls {
		p := &v.pulls[i]
		if mine(*p) || p.Base != s.Repository.DefaultBranch {
			continue
		}
		paths, known := r.memory.touches[p.Head]
		if !known {
			var err error
			if paths, err = r.github.ChangedFiles(ctx, p.Number); err != nil {
				if stale(err) {
					continue
				}
				return err
			}
			r.memory.touches[p.Head] = paths
		}
		f := texts.Foreign{Repository: s.Repository, Number: p.Number, Shared: r.shared(v, paths), Reaches: reaches(s, paths)}
		as, err := r.fileChange(ctx, v, p, paths, &f)
		if err != nil {
			return err
		}
		if len(f.Reaches) == 0 && len(f.Shared) == 0 && f.File == nil && !v.file.ChecksEveryPullRequest() {
			continue
		}
		if !write(p.Head, texts.ForeignCheck(f), as) {
			return nil
		}
	}
	return nil
}

// reaches are the environments whose projection paths belong to, and where a
// change there travels on to.
func reaches(s *promotion.Snapshot, paths []string) []texts.Reach {
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
		if len(below) == 0 {
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

// shared counts, for each changed file that several environments render, how
// many environments the repository has that it can reach.
func (r *Reconciler) shared(v *view, paths []string) map[string]int {
	var out map[string]int
	for _, p := range paths {
		if !v.file.Shared(p) {
			continue
		}
		if out == nil {
			out = map[string]int{}
		}
		out[p] = reachOfShared(v.snapshot, p)
	}
	return out
}

// reachOfShared counts the environments that a shared file can reach: those of
// the pipelines that live below the shared folder's parent, or all of them.
func reachOfShared(s *promotion.Snapshot, file string) int {
	near := map[promotion.Key]bool{}
	for dir := path.Dir(file); dir != "." && len(near) == 0; dir = path.Dir(dir) {
		for i := range s.Environments {
			o := &s.Environments[i]
			if o.Config.Present && (o.Config.Place.Dir == dir || len(o.Config.Place.Dir) > len(dir) && o.Config.Place.Dir[:len(dir)+1] == dir+"/") {
				near[o.Key] = true
			}
		}
	}
	if len(near) > 0 {
		return len(near)
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
		base, err := r.git.Paths(ctx, v.snapshot.Chain.Tip())
		if err != nil {
			return nil, err
		}
		var after []config.Pipeline
		if after, problems = file.Resolve(base); len(problems) == 0 {
			f.File.Effects = config.Diff(v.pipelines, after)
		}
	}
	f.File.Problems = problems
	return annotations(problems), nil
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
