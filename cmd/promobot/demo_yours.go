package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// tellRepository shows what installing does to a copy of the user's repository.
func (w *demoWorld) tellRepository(ctx context.Context, n *narrator, o demoOptions) error {
	n.line(n.paint("1", "promobot demo") + ": a copy of " + o.repo + " on a simulated GitHub; yours is only read.")
	n.link(w.page(""))
	refs, err := w.sim.Refs(w.repository())
	if err != nil {
		return err
	}
	if len(refs) == 0 {
		n.say("The repository is empty: there is nothing to promote in it yet.")
		return nil
	}
	if _, err := w.git(ctx, "ana", w.dir, "clone", "-q", w.sim.URL()+"/"+w.repository()+".git", w.clone); err != nil {
		return err
	}
	n.chapter("The App is installed")
	if err := w.install(ctx); err != nil {
		return err
	}
	environments, problem, err := w.expected(ctx)
	if err != nil {
		return err
	}
	if problem != "" {
		n.say("%s", problem)
		return nil
	}
	err = w.until(ctx, n, "every environment has its ledger", func() (bool, error) {
		refs, err := w.sim.Refs(w.repository())
		have := 0
		for ref := range refs {
			if strings.HasPrefix(ref, state.RefPrefix) {
				have++
			}
		}
		return have >= environments, err
	})
	if err != nil {
		return err
	}
	ps, err := w.sim.Pulls(w.repository())
	if err != nil {
		return err
	}
	n.say("%d environments have their ledger; what stands is adopted, and %d pull requests are open.", environments, len(ps))
	n.chapter("Now push something")
	token, err := w.sim.UserToken("ana")
	if err != nil {
		return err
	}
	n.say("git clone %s", strings.Replace(w.page(".git"), "://", "://ana:"+token+"@", 1))
	n.say("(the token is the simulated ana's). Change a first environment, push, and look at")
	n.link(w.page("/pulls"))
	return nil
}

// expected is how many environments the copy's pipeline file describes, or why
// it describes none.
func (w *demoWorld) expected(ctx context.Context) (environments int, problem string, err error) {
	out, err := w.git(ctx, "ana", w.clone, "ls-tree", "-r", "-z", "--name-only", "HEAD")
	if err != nil {
		return 0, "", err
	}
	paths := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	text, err := w.git(ctx, "ana", w.clone, "show", "HEAD:"+config.Path)
	if err != nil {
		return 0, config.Missing, nil //nolint:nilerr // no such file is the usual case here
	}
	file, problems := config.Parse(config.Path, []byte(text+"\n"))
	var pipelines []config.Pipeline
	if len(problems) == 0 {
		pipelines, problems = file.Resolve(paths)
	}
	if len(problems) > 0 {
		var b strings.Builder
		fmt.Fprintln(&b, "The pipeline file is not valid, so nothing is promoted:")
		for _, p := range problems {
			fmt.Fprintln(&b, "  "+p.Error())
		}
		return 0, strings.TrimSpace(b.String()), nil
	}
	for _, p := range pipelines {
		for _, e := range p.Environments {
			if e.Present && e.Blocked == "" {
				environments++
			}
		}
	}
	return environments, "", nil
}
