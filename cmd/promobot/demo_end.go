package main

// The story's last scene: what stands where, as git and GitHub tell it, and
// what it took.

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

// ledger is an environment's story, newest first.
func (w *demoWorld) ledger(ctx context.Context, pipeline, environment string) (string, error) {
	ref := state.Ref(pipeline, environment)
	if _, err := w.git(ctx, "ana", w.clone, "fetch", "-q", "origin", "+"+ref+":"+ref); err != nil {
		return "", err
	}
	return w.git(ctx, "ana", w.clone, "log", "--first-parent", "--format=%s", ref)
}

func (w *demoWorld) sceneEnd(ctx context.Context, n *narrator) error {
	n.chapter("Where everything stands")
	standing, err := w.standing(ctx)
	if err != nil {
		return err
	}
	n.table("   ", standing)
	ps, err := w.sim.Pulls(w.repository())
	if err != nil {
		return err
	}
	if len(ps) != demoPulls {
		return fmt.Errorf("the story has %d pull requests, and %d were opened", demoPulls, len(ps))
	}
	n.say("%d pull requests led here, none twice:", len(ps))
	n.link(w.page("/pulls?state=all"))
	commit, err := w.git(ctx, "ana", w.clone, "log", "--format=%H", "--grep=^checkout 1.42.0 in dev$", "-1", "origin/main")
	if err != nil {
		return err
	}
	title := ""
	if err := w.until(ctx, n, "the check run on Ana's commit tells the end", func() (bool, error) {
		runs, err := w.sim.CheckRuns(w.repository(), commit)
		if len(runs) > 0 {
			title = runs[len(runs)-1].Title
			return runs[len(runs)-1].Conclusion == "success", err
		}
		return false, err
	}); err != nil {
		return err
	}
	n.say("The check run on Ana's commit of checkout 1.42.0: %s", title)
	n.link(w.page("/commit/" + commit))
	story, err := w.ledger(ctx, "services/cart", "prod-us")
	if err != nil {
		return err
	}
	n.say("The ledger of cart in prod-us, newest first (git log --first-parent %s):", state.Ref("services/cart", "prod-us"))
	for line := range strings.SplitSeq(story, "\n") {
		n.say("  %s", line)
	}
	j := w.sim.Journal().By(w.app.BotLogin())
	n.say("promobot needed %d API writes and %d pushes for all of this; %d of its %d reads cost nothing (304).",
		j.Count(githubsim.APIWrite), pushes(j), j.NotModified(), j.Count(githubsim.APIRead))
	return nil
}

// demoPulls is how many pull requests the story has: three of checkout, four of
// cart, four of payments, the last of which takes back the one before.
const demoPulls = 11

var (
	demoTag     = regexp.MustCompile(`newTag: "(.*)"`)
	demoFeature = regexp.MustCompile(`new_cart: (.*)`)
)

// standing is a table of what the default branch says runs where.
func (w *demoWorld) standing(ctx context.Context) ([][]string, error) {
	if _, err := w.git(ctx, "ana", w.clone, "fetch", "-q"); err != nil {
		return nil, err
	}
	rows := [][]string{append([]string{""}, demoEnvironments...)}
	for _, r := range []struct {
		title, service, file string
		value                *regexp.Regexp
	}{
		{"checkout", "checkout", "kustomization.yaml", demoTag},
		{"cart", "cart", "kustomization.yaml", demoTag},
		{"payments", "payments", "kustomization.yaml", demoTag},
		{"payments' new_cart", "payments", "config/app.yaml", demoFeature},
	} {
		row := []string{r.title}
		for _, environment := range demoEnvironments {
			text, err := w.git(ctx, "ana", w.clone, "show", "origin/main:services/"+r.service+"/overlays/"+environment+"/"+r.file)
			if err != nil {
				return nil, err
			}
			value := r.value.FindStringSubmatch(text)
			if value == nil {
				return nil, fmt.Errorf("%s of %s has lost its value:\n%s", r.file, environment, text)
			}
			cell := value[1]
			if p, ok, err := w.pull(r.service, environment); err != nil {
				return nil, err
			} else if ok && p.Open && (r.file == "config/app.yaml") == (r.service == "payments") {
				cell += fmt.Sprintf(" (#%d open)", p.Number)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// pushes counts the pushes that sent something.
func pushes(j githubsim.Journal) int {
	n := 0
	for _, r := range j {
		if r.Kind == githubsim.GitPush && r.Method == "POST" {
			n++
		}
	}
	return n
}
