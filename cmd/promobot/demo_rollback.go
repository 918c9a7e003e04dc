package main

// The story's scene in which something fails: what Argo CD calls broken in staging
// goes back by itself, and production never sees it.

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

func (w *demoWorld) sceneRollback(ctx context.Context, n *narrator) error {
	n.chapter("Staging says that payments 0.9.5 is broken")
	const without, with = "mode: auto, verify: none}", "mode: auto, verify: {checks: argocd/$name-$env, red_for: 1s}, on_failure: rollback}"
	_, err := w.push(ctx, "ana", "staging is verified by what Argo CD reports", func(read func(string) (string, error), write func(string, string) error) error {
		text, err := read(".github/promobot.yml")
		if err != nil {
			return err
		}
		return write(".github/promobot.yml", strings.Replace(text, without, with, 1))
	})
	if err != nil {
		return err
	}
	n.say("Ana has staging verified: %s", with[len("mode: auto, "):len(with)-1])
	if _, err := w.bump(ctx, "payments", "0.9.4", "0.9.5"); err != nil {
		return err
	}
	landed, err := w.await(ctx, n, "payments 0.9.5 is merged in staging", "payments", "staging", func(p githubsim.PullState) bool {
		return p.Merged && strings.Contains(p.Title, "0.9.5")
	})
	if err != nil {
		return err
	}
	n.say("#%d %s — opened and merged by %s.", landed.Number, landed.Title, landed.MergedBy)
	if err := w.report(ctx, landed.MergeCommit, "argocd/payments-staging", "failure", "Degraded: 0 of 3 pods are ready"); err != nil {
		return err
	}
	n.say("Argo CD reports on what landed: argocd/payments-staging failed, \"Degraded: 0 of 3 pods are ready\".")
	back, err := w.await(ctx, n, "what failed is taken back", "payments", "staging", func(p githubsim.PullState) bool {
		return p.Merged && p.Number > landed.Number
	})
	if err != nil {
		return err
	}
	n.say("#%d %s — opened and merged by %s.", back.Number, back.Title, back.MergedBy)
	n.link(w.page(fmt.Sprintf("/pull/%d", back.Number)))
	if err := w.report(ctx, back.MergeCommit, "argocd/payments-staging", "success", "Healthy"); err != nil {
		return err
	}
	if err := w.until(ctx, n, "the rollback is verified", func() (bool, error) {
		story, err := w.ledger(ctx, "services/payments", "staging")
		rolled := strings.Index(story, fmt.Sprintf("#%d rolled", back.Number))
		return rolled >= 0 && strings.Contains(story[:rolled], "verified"), err
	}); err != nil {
		return err
	}
	if p, _, err := w.pull("payments", "prod-us"); err != nil || strings.Contains(p.Title, "0.9.5") {
		return fmt.Errorf("production should not see payments 0.9.5, and has %q (%w)", p.Title, err)
	}
	n.say("Production never sees 0.9.5. Staging is held until somebody comments /promobot resume staging.")
	return nil
}

// report is what a tool says of a commit.
func (w *demoWorld) report(ctx context.Context, commit, name, state, text string) error {
	c, err := w.client("bo")
	if err != nil {
		return err
	}
	_, _, err = c.Repositories.CreateStatus(ctx, w.owner, w.name, commit, &github.RepoStatus{State: new(state), Context: new(name), Description: new(text)})
	return err
}
