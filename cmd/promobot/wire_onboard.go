package main

// What a repository without a pipeline file is offered, where that is asked for:
// a guessed one, and what it would have made of the last months.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/dryrun"
	"github.com/promobot/promobot/promotion/gitrepo"
	"github.com/promobot/promobot/promotion/guess"
	"github.com/promobot/promobot/promotion/reconcile"
	"github.com/promobot/promobot/promotion/texts"
)

// The values of the setting onboarding.
const (
	onboardOff           = "off"
	onboardByPullRequest = "pull_request"
)

const (
	onboardSpan = 90 * 24 * time.Hour
	// mostReplayed bounds the commits that are replayed: it is done once, but a
	// worker waits for it.
	mostReplayed = 500
)

// onboard is the loop's hook; nil where nothing is asked for.
func (l *loops) onboard(git *gitrepo.Repository) func(context.Context, promotion.Repository, promotion.Refs) (*reconcile.Onboarding, error) {
	if l.config.Onboarding != onboardByPullRequest {
		return nil
	}
	return func(ctx context.Context, repo promotion.Repository, refs promotion.Refs) (*reconcile.Onboarding, error) {
		tip := refs["refs/heads/"+repo.DefaultBranch]
		looked, err := dryrun.Look(ctx, git, repo.Name, repo.DefaultBranch, tip, refs)
		if err != nil {
			return nil, err
		}
		g := guess.Make(looked)
		if g.File == nil {
			return nil, nil
		}
		o := texts.Onboarding{File: g.File, Reasons: g.Reasons, Doubts: g.Doubts}
		if err := replayInto(ctx, git, repo, refs, tip, &o); err != nil {
			return nil, err
		}
		title, body := texts.OnboardingTexts(o)
		return &reconcile.Onboarding{File: g.File, Title: title, Body: body}, nil
	}
}

// replayInto adds what the file would have made of the last months. A repository
// with one commit has none; of a busy one as much is replayed as is bearable.
func replayInto(ctx context.Context, git *gitrepo.Repository, repo promotion.Repository, refs promotion.Refs, tip string, o *texts.Onboarding) error {
	chain, err := git.Chain(ctx, tip, "", mostReplayed)
	if err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	span, days := onboardSpan, "the last 90 days"
	if oldest := chain[len(chain)-1].Time; len(chain) == mostReplayed && chain[0].Time.Sub(oldest) < span {
		span = chain[0].Time.Sub(oldest)
		days = "the newest history"
	}
	q := dryrun.Options{Repository: repo, To: tip, File: o.File, FileName: "guessed", Branches: map[string]string{}}
	for _, b := range guess.Branches(branchesOf(refs), repo.DefaultBranch) {
		q.Branches[b] = refs["refs/heads/"+b]
	}
	res, err := dryrun.MakeReplay(ctx, git, q, span, func(int, int) {})
	switch {
	case errors.Is(err, dryrun.ErrEmpty):
		return nil
	case err != nil:
		return fmt.Errorf("replay the history: %w", err)
	}
	o.Span = fmt.Sprintf("%s (%s)", days, count(res.Commits, "commit"))
	for _, t := range res.Totals {
		o.Totals = append(o.Totals, texts.OnboardingTotal{Environment: t.Environment, Source: t.Source, Landed: t.Landings, Opened: t.Opened, ByHand: t.DoneByHand, Open: t.Open})
	}
	for _, p := range res.PullRequests {
		became := "still open"
		switch p.Outcome {
		case dryrun.DoneByHand:
			became = "people made the change themselves later"
		case dryrun.Obsolete:
			became = "nothing was left of it later"
		}
		o.Pulls = append(o.Pulls, texts.OnboardingPull{Title: p.Title, Became: became})
	}
	return nil
}

func branchesOf(refs promotion.Refs) []string {
	var out []string
	for ref := range refs {
		if len(ref) > len(headsPrefix) && ref[:len(headsPrefix)] == headsPrefix {
			out = append(out, ref[len(headsPrefix):])
		}
	}
	return out
}

const headsPrefix = "refs/heads/"
