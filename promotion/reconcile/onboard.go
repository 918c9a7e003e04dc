package reconcile

// A repository without a pipeline file, where that is asked for: one pull
// request that offers a guessed one.
//
// Rules: once for a repository, for ever; the branch is made by a push that is
// refused where it is there, so of several processes one makes it; any pull
// request of that branch, open, merged or closed, by whoever it was ended, means
// that this is done. A branch without one belongs to its maker for
// promotion.Bound, and to anyone after it, as a claim does.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
)

// OnboardingBranch is the head of the onboarding pull request. It lies outside
// promobot/, where only promotions' branches are.
const OnboardingBranch = "promobot-onboarding"

const onboardRef = "refs/heads/" + OnboardingBranch

// Onboarding is what a repository is offered.
type Onboarding struct {
	File        []byte // the pipeline file
	Title, Body string // of the pull request
}

// onboardSubject begins the commit's message, by which the branch is known to be
// ours.
const onboardSubject = "Add a pipeline file for promobot"

// onboard offers a pipeline file. It returns when to look again, zero for never.
func (r *Reconciler) onboard(ctx context.Context, v *view) (time.Time, error) {
	repo, m := v.snapshot.Repository, &r.memory
	tip := v.refs["refs/heads/"+repo.DefaultBranch]
	if !v.missing || r.o.Onboard == nil || repo.Archived || tip == "" || m.onboarded || m.unguessed == tip {
		return time.Time{}, nil
	}
	known, err := r.github.PullRequestsForHead(ctx, OnboardingBranch)
	if err != nil {
		return time.Time{}, fmt.Errorf("look for an onboarding pull request: %w", err)
	}
	if len(known) > 0 {
		m.onboarded = true
		return time.Time{}, nil
	}
	branch := v.refs[onboardRef]
	if branch != "" && branch != m.onboarding {
		next, ours, err := r.branchOfOurs(ctx, branch)
		if err != nil || !ours || !next.IsZero() {
			return next, err
		}
	}
	next, err := r.offer(ctx, v, tip, branch)
	if refused, ok := errors.AsType[*promotion.RefusedError](err); ok {
		// What a person has to mend is no reason to guess and ask again and again.
		r.o.Log.Warn().Str("reason", refused.Error()).Msg("no pipeline file can be offered; the next start tries again")
		m.onboarded = true
		return time.Time{}, nil
	}
	return next, err
}

// offer makes the branch, unless it is there, and opens its pull request.
func (r *Reconciler) offer(ctx context.Context, v *view, tip, branch string) (time.Time, error) {
	repo, m := v.snapshot.Repository, &r.memory
	offer, err := r.o.Onboard(ctx, repo, v.refs)
	if err != nil {
		return time.Time{}, fmt.Errorf("guess a pipeline file: %w", err)
	}
	if offer == nil {
		m.unguessed = tip
		return time.Time{}, nil
	}
	if branch == "" {
		made, err := r.makeBranch(ctx, tip, offer.File)
		if err != nil || made == "" {
			return time.Time{}, err
		}
		m.onboarding = made
	}
	pull, err := r.github.CreatePullRequest(ctx, NewPullRequest{Branch: OnboardingBranch, Base: repo.DefaultBranch, Title: offer.Title, Body: offer.Body})
	switch {
	case errors.Is(err, promotion.ErrConflict): // another process was faster, or the list lags
		return r.o.Now().Add(promotion.Bound), nil
	case err != nil:
		return time.Time{}, fmt.Errorf("open the onboarding pull request: %w", err)
	}
	m.onboarded = true
	r.o.Log.Info().Int("pull_request", pull.Number).Msg("offered a pipeline file")
	return time.Time{}, nil
}

// branchOfOurs says whether a branch that is there is one of ours, and until when
// it is its maker's.
func (r *Reconciler) branchOfOurs(ctx context.Context, tip string) (until time.Time, ours bool, err error) {
	commits, err := r.git.Commits(ctx, []string{tip})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read the branch %s: %w", OnboardingBranch, err)
	}
	c, there := commits[tip]
	if !there || c.Author != r.o.Author || len(c.Message) < len(onboardSubject) || c.Message[:len(onboardSubject)] != onboardSubject {
		return time.Time{}, false, nil
	}
	if free := c.Time.Add(promotion.Bound); free.After(r.o.Now()) {
		return free, true, nil
	}
	return time.Time{}, true, nil
}

// makeBranch pushes the file on a branch of its own; "" when the branch is there.
func (r *Reconciler) makeBranch(ctx context.Context, tip string, file []byte) (string, error) {
	ids, err := r.git.Commit(ctx, []promotion.NewCommit{{
		Base: tip, Parents: []string{tip}, Author: r.o.Author, Time: r.o.Now(), Message: onboardSubject + "\n\nGuessed from what the repository looks like; mode is observe, so it does nothing yet.",
		Edits: []content.Edit{{Path: config.Path, Mode: "100644", Bytes: file}},
	}})
	if err != nil {
		return "", fmt.Errorf("commit the onboarding pull request's file: %w", err)
	}
	results, err := r.git.Push(ctx, []promotion.RefUpdate{{Ref: onboardRef, New: ids[0]}}, false)
	if err != nil {
		return "", fmt.Errorf("push %s: %w", onboardRef, err)
	}
	switch results[0].Status {
	case promotion.Pushed:
		return ids[0], nil
	case promotion.Refused:
		return "", fmt.Errorf("push %s: %w", onboardRef, &promotion.RefusedError{Reason: results[0].Reason})
	case promotion.Conflict, promotion.Bystander, promotion.Unknown:
	}
	return "", nil // the push wakes the repository, or the next look finds what is there
}
