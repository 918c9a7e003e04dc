package reconcile

// Sources that cannot be read until a person does something: the App is not
// installed there, or the repository is gone. No revision has come from them, and
// so there is none to say it on: it is said on the base branch's tip, and there
// again once it is mended.

import (
	"context"
	"errors"
	"slices"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/texts"
)

// unreadable are the sources that GitHub refuses to show, each with its line.
func unreadable(v *view) config.Problems {
	var ps config.Problems
	for i := range v.snapshot.Environments {
		src := v.snapshot.Environments[i].Config.Source
		if src == nil {
			continue
		}
		key := *src
		key.Line = 0
		var refused *promotion.RefusedError
		if !errors.As(v.versions[key].err, &refused) {
			continue
		}
		p := config.Problem{File: v.fileName, Line: src.Line, Message: promotion.SourceName(src) + " cannot be read: " + refused.Reason}
		if !slices.Contains(ps, p) {
			ps = append(ps, p)
		}
	}
	return ps
}

// showSources adds what is to be said of them to the check runs.
func (r *Reconciler) showSources(ctx context.Context, v *view, all []shown) ([]shown, error) {
	repo := v.snapshot.Repository
	tip := v.refs["refs/heads/"+repo.DefaultBranch]
	on := func(commit string) int {
		return slices.IndexFunc(all, func(s shown) bool { return s.commit == commit })
	}
	if ps := unreadable(v); len(ps) > 0 {
		r.memory.unreadable, r.memory.lookedFor = tip, true
		if i := on(tip); i >= 0 {
			all[i].check = texts.WithSources(all[i].check, repo, ps)
			return all, nil
		}
		return append(all, shown{tip, texts.SourcesCheck(repo, ps), nil}), nil
	}
	if !r.memory.lookedFor && len(r.memory.sources) > 0 {
		// It may have been said before this process began.
		runs, err := r.github.CheckRuns(ctx, tip)
		if err != nil {
			return all, err
		}
		for _, run := range runs {
			if run.Name == checkName && texts.SaysUnreadable(run.Title) {
				r.memory.unreadable = tip
			}
		}
		r.memory.lookedFor = true
	}
	if at := r.memory.unreadable; at != "" && on(at) < 0 {
		all = append(all, shown{at, texts.SourcesCheck(repo, nil), nil})
	}
	return all, nil
}
