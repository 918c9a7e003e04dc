package main

// The story, scene by scene.

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/state"
)

func (w *demoWorld) tellStory(ctx context.Context, n *narrator) error {
	n.begin("a simulated GitHub with real git and real webhooks", w.page(""))
	n.say("Three services in dev, staging, prod-us and prod-eu. promobot merges to staging, people merge to production.")
	for _, scene := range []func(context.Context, *narrator) error{
		w.sceneInstall, w.scenePush, w.sceneProduction, w.sceneNoise, w.sceneKeep, w.sceneVeto, w.sceneRollback, w.sceneEnd,
	} {
		if err := scene(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (w *demoWorld) page(path string) string {
	return w.sim.URL() + "/" + w.repository() + path
}

// pull finds the newest pull request of a service's environment.
func (w *demoWorld) pull(service, environment string) (githubsim.PullState, bool, error) {
	ps, err := w.sim.Pulls(w.repository())
	for _, p := range slices.Backward(ps) {
		pipeline, e, ok := state.ParseBranch(p.Head)
		if ok && pipeline == "services/"+service && e == environment {
			return p, true, err
		}
	}
	return githubsim.PullState{}, false, err
}

// await waits for a pull request that is as wanted.
func (w *demoWorld) await(ctx context.Context, n *narrator, what, service, environment string, wanted func(githubsim.PullState) bool) (githubsim.PullState, error) {
	var found githubsim.PullState
	err := w.until(ctx, n, what, func() (bool, error) {
		p, ok, err := w.pull(service, environment)
		found = p
		return ok && wanted(p), err
	})
	return found, err
}

func isOpen(p githubsim.PullState) bool   { return p.Open }
func isMerged(p githubsim.PullState) bool { return p.Merged }

func (w *demoWorld) sceneInstall(ctx context.Context, n *narrator) error {
	n.chapter("The App is installed on a repository that is in use")
	if err := w.install(ctx); err != nil {
		return err
	}
	ledgers := 0
	err := w.until(ctx, n, "every environment of every service has its ledger", func() (bool, error) {
		refs, err := w.sim.Refs(w.repository())
		ledgers = 0
		for ref := range refs {
			if strings.HasPrefix(ref, state.RefPrefix) {
				ledgers++
			}
		}
		return ledgers == 3*len(demoEnvironments), err
	})
	if err != nil {
		return err
	}
	if ps, err := w.sim.Pulls(w.repository()); err != nil || len(ps) > 0 {
		return fmt.Errorf("installing should propose nothing, and %d pull requests are there (%w)", len(ps), err)
	}
	n.say("What stands is adopted: %d environments have a ledger in git, and nothing is proposed.", ledgers)
	return nil
}

// bump sets a service's image tag in dev.
func (w *demoWorld) bump(ctx context.Context, service, from, to string) (string, error) {
	path := "services/" + service + "/overlays/dev/kustomization.yaml"
	return w.push(ctx, "ana", fmt.Sprintf("%s %s in dev", service, to), func(read func(string) (string, error), write func(string, string) error) error {
		text, err := read(path)
		if err != nil {
			return err
		}
		changed := strings.Replace(text, from, to, 1)
		if changed == text {
			return fmt.Errorf("%s does not run %s", service, from)
		}
		return write(path, changed)
	})
}

func (w *demoWorld) scenePush(ctx context.Context, n *narrator) error {
	n.chapter("Ana pushes checkout 1.42.0 to dev")
	commit, err := w.bump(ctx, "checkout", "1.40.0", "1.42.0")
	if err != nil {
		return err
	}
	n.link(w.page("/commit/" + commit))
	p, err := w.await(ctx, n, "staging's pull request is merged", "checkout", "staging", isMerged)
	if err != nil {
		return err
	}
	n.say("#%d %s — opened and merged by %s.", p.Number, p.Title, p.MergedBy)
	n.link(w.page(fmt.Sprintf("/pull/%d", p.Number)))
	p, err = w.await(ctx, n, "prod-us's pull request is open", "checkout", "prod-us", isOpen)
	if err != nil {
		return err
	}
	n.say("#%d %s — open, and left to people:", p.Number, p.Title)
	n.link(w.page(fmt.Sprintf("/pull/%d", p.Number)))
	n.table("     ", changes(p.Body))
	if _, early, err := w.pull("checkout", "prod-eu"); err != nil || early {
		return fmt.Errorf("prod-eu must wait for prod-us, and has a pull request (%w)", err)
	}
	n.say("prod-eu waits until 1.42.0 has reached prod-us.")
	return nil
}

// changes is the table of changes of a pull request's text.
func changes(body string) [][]string {
	var rows [][]string
	for line := range strings.SplitSeq(body, "\n") {
		if strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "| ---") {
			row := strings.Split(strings.Trim(strings.ReplaceAll(line, "`", ""), "| "), " | ")
			for i := range row {
				row[i] = printable(row[i])
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func (w *demoWorld) merge(ctx context.Context, login string, number int) error {
	c, err := w.client(login)
	if err != nil {
		return err
	}
	_, _, err = c.PullRequests.Merge(ctx, w.owner, w.name, number, "", nil)
	return err
}

// check is the title of the check run on a pull request's head.
func (w *demoWorld) check(ctx context.Context, n *narrator, p githubsim.PullState) (string, error) {
	title := ""
	err := w.until(ctx, n, fmt.Sprintf("#%d has its check run", p.Number), func() (bool, error) {
		runs, err := w.sim.CheckRuns(w.repository(), p.HeadSHA)
		if len(runs) > 0 {
			title = runs[len(runs)-1].Title
		}
		return title != "", err
	})
	return title, err
}

func (w *demoWorld) sceneProduction(ctx context.Context, n *narrator) error {
	n.chapter("Bo merges prod-us; prod-eu follows")
	for _, environment := range []string{"prod-us", "prod-eu"} {
		p, err := w.await(ctx, n, environment+"'s pull request is open", "checkout", environment, isOpen)
		if err != nil {
			return err
		}
		check, err := w.check(ctx, n, p)
		if err != nil {
			return err
		}
		n.say("#%d %s — its check run says: %s.", p.Number, p.Title, check)
		n.link(w.page(fmt.Sprintf("/pull/%d/checks", p.Number)))
		if err := w.merge(ctx, "bo", p.Number); err != nil {
			return err
		}
		if err := w.until(ctx, n, environment+"'s landing stands in the ledger", func() (bool, error) {
			story, err := w.ledger(ctx, "services/checkout", environment)
			return strings.Contains(story, fmt.Sprintf("#%d landed", p.Number)), err
		}); err != nil {
			return err
		}
		n.say("#%d is merged by bo, and stands in the ledger.", p.Number)
	}
	return nil
}

func (w *demoWorld) sceneNoise(ctx context.Context, n *narrator) error {
	n.chapter("A webhook is lost, and all others come three times")
	// The first rule that fits counts: the push is lost, what follows is not.
	removes := []func(){
		w.sim.InjectHook(githubsim.HookFault{Event: "push", Occurrences: []int{1}, Effect: githubsim.LostWebhook()}),
		w.sim.InjectHook(githubsim.HookFault{Effect: githubsim.DuplicatedWebhook(3)}),
	}
	defer func() {
		for _, remove := range removes {
			remove()
		}
	}()
	if _, err := w.bump(ctx, "cart", "2.3.0", "2.3.1"); err != nil {
		return err
	}
	if _, err := w.await(ctx, n, "prod-us's pull request for cart is open", "cart", "prod-us", isOpen); err != nil {
		return err
	}
	ps, err := w.sim.Pulls(w.repository())
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, p := range ps {
		if pipeline, environment, ok := state.ParseBranch(p.Head); ok && pipeline == "services/cart" {
			count[environment]++
		}
	}
	if count["staging"] != 1 || count["prod-us"] != 1 {
		return fmt.Errorf("cart should have one pull request in staging and one in prod-us, and has %v", count)
	}
	n.say("Ana pushes cart 2.3.1 to dev, and nobody tells promobot: its sweep finds it (every %s here, else every few minutes).", demoSweep)
	n.say("One pull request for staging, one for prod-us, no more.")
	return nil
}

func (w *demoWorld) sceneKeep(ctx context.Context, n *narrator) error {
	n.chapter("Ana turns on a feature of payments in dev, and renames its host")
	path := "services/payments/overlays/dev/config/app.yaml"
	_, err := w.push(ctx, "ana", "payments: new cart", func(read func(string) (string, error), write func(string, string) error) error {
		text, err := read(path)
		if err != nil {
			return err
		}
		text = strings.Replace(text, "new_cart: false", "new_cart: true", 1)
		return write(path, strings.Replace(text, "payments.dev", "payments-2.dev", 1))
	})
	if err != nil {
		return err
	}
	p, err := w.await(ctx, n, "staging's pull request for payments is merged", "payments", "staging", isMerged)
	if err != nil {
		return err
	}
	if _, err := w.git(ctx, "ana", w.clone, "fetch", "-q"); err != nil {
		return err
	}
	text, err := w.git(ctx, "ana", w.clone, "show", "origin/main:services/payments/overlays/staging/config/app.yaml")
	if err != nil {
		return err
	}
	if want := "hostname: payments.staging.acme.example # this environment's own\nfeatures:\n  new_cart: true"; text != want {
		return fmt.Errorf("staging should keep its own hostname and have the new feature, and has\n%s", text)
	}
	n.say("#%d brings the feature to staging; the hostname there stays its own, comment and all (keep: \"**.hostname\").", p.Number)
	n.link(w.page(fmt.Sprintf("/pull/%d/files", p.Number)))
	p, err = w.await(ctx, n, "prod-us's pull request for payments is open", "payments", "prod-us", isOpen)
	if err != nil {
		return err
	}
	n.say("#%d %s — open, and left to people.", p.Number, p.Title)
	return nil
}

func (w *demoWorld) sceneVeto(ctx context.Context, n *narrator) error {
	n.chapter("Bo does not want cart 2.3.1 in production")
	p, err := w.await(ctx, n, "prod-us's pull request for cart is open", "cart", "prod-us", isOpen)
	if err != nil {
		return err
	}
	c, err := w.client("bo")
	if err != nil {
		return err
	}
	if _, _, err := c.PullRequests.Edit(ctx, w.owner, w.name, p.Number, &github.PullRequest{State: new("closed")}); err != nil {
		return err
	}
	n.say("Bo closes #%d %s.", p.Number, p.Title)
	if err := w.until(ctx, n, "the veto stands in the ledger", func() (bool, error) {
		story, err := w.ledger(ctx, "services/cart", "prod-us")
		return strings.Contains(story, "@bo closed"), err
	}); err != nil {
		return err
	}
	n.say("That is a veto, and stands in the ledger: 2.3.1 is not proposed there again.")
	if _, err := w.bump(ctx, "cart", "2.3.1", "2.3.2"); err != nil {
		return err
	}
	next, err := w.await(ctx, n, "cart 2.3.2 is proposed to prod-us", "cart", "prod-us", func(q githubsim.PullState) bool {
		return q.Open && q.Number != p.Number
	})
	if err != nil {
		return err
	}
	n.say("Ana pushes 2.3.2. #%d %s — something newer is proposed.", next.Number, next.Title)
	n.link(w.page(fmt.Sprintf("/pull/%d", next.Number)))
	return w.until(ctx, n, "the new pull request stands in the ledger", func() (bool, error) {
		story, err := w.ledger(ctx, "services/cart", "prod-us")
		return strings.HasPrefix(story, fmt.Sprintf("services/cart/prod-us: #%d opened", next.Number)), err
	})
}
