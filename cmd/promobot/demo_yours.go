package main

// The demo on a copy of the user's own repository: what installing does to it,
// and how to go on by hand.

import (
	"context"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// tellRepository shows what installing does to a copy of the user's repository.
func (w *demoWorld) tellRepository(ctx context.Context, n *narrator, o demoOptions) error {
	n.begin("a copy of "+o.repo+" on a simulated GitHub; yours is only read", w.page(""))
	refs, err := w.sim.Refs(w.repository())
	if err != nil {
		return err
	}
	if len(refs) == 0 {
		n.say("The repository is empty: there is nothing to promote in it yet.")
		return nil
	}
	n.chapter("The App is installed")
	if err := w.install(ctx); err != nil {
		return err
	}
	pipelines, err := w.described(ctx, n)
	if err != nil {
		return err
	}
	if len(pipelines) > 0 {
		if err := w.tellInstalled(ctx, n, pipelines); err != nil {
			return err
		}
	}
	if o.once {
		return nil
	}
	return w.tellHowToGoOn(n, pipelines)
}

// tellInstalled waits until promobot has adopted what stands, and tells it.
func (w *demoWorld) tellInstalled(ctx context.Context, n *narrator, pipelines []config.Pipeline) error {
	environments, opens := 0, false
	var blocked []string
	for _, p := range pipelines {
		for _, e := range p.Environments {
			opens = opens || e.Mode != config.Observe
			switch {
			case e.Blocked != "":
				blocked = append(blocked, p.Key+" is blocked: "+e.Blocked)
			case e.Present:
				environments++
			}
		}
	}
	err := w.until(ctx, n, "every environment has its ledger", func() (bool, error) {
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
	proposed := "nothing is"
	if len(ps) > 0 {
		proposed = count(len(ps), "pull request") + " are"
	}
	n.say("%s, %s: what stands is adopted, each has its ledger, and %s proposed.",
		count(len(pipelines), "pipeline"), count(environments, "environment"), proposed)
	if !opens {
		n.say("The mode is observe: promobot says in check runs what it would do, and opens nothing.")
	}
	for i, text := range blocked {
		if i == blockedShown {
			n.say("%d more are blocked.", len(blocked)-i)
			break
		}
		n.say("%s", text)
	}
	return nil
}

const blockedShown = 5

func (w *demoWorld) tellHowToGoOn(n *narrator, pipelines []config.Pipeline) error {
	n.chapter("Now push something")
	token, err := w.sim.UserToken("ana")
	if err != nil {
		return err
	}
	n.say("git clone %s", strings.Replace(w.page(".git"), "://", "://ana:"+token+"@", 1))
	n.say("The token is that of ana, who lives in this simulation only.")
	what := "a " + config.Path
	for _, p := range pipelines {
		first := slices.IndexFunc(p.Environments, func(e config.Environment) bool { return len(e.From) == 0 && e.Present })
		if first >= 0 {
			e := p.Environments[first]
			what = "a change of what is promoted from " + e.Name + ", in " + path.Join(".", e.Place.Dir) + " for example"
			break
		}
	}
	n.say("Push %s, and look at", what)
	n.link(w.page("/pulls?state=all"))
	return nil
}

// described are the pipelines of the copy's pipeline file. Where there are none,
// it has told why.
func (w *demoWorld) described(ctx context.Context, n *narrator) ([]config.Pipeline, error) {
	if _, err := w.git(ctx, "ana", w.dir, "clone", "-q", w.sim.URL()+"/"+w.repository()+".git", w.clone); err != nil {
		return nil, err
	}
	r, err := openRepository(w.clone)
	if err != nil {
		return nil, err
	}
	commit, err := r.resolve(ctx, "HEAD")
	if err != nil {
		return nil, err
	}
	text, mode, found, err := r.ReadFile(ctx, commit, config.Path)
	switch {
	case err != nil:
		return nil, err
	case !found:
		n.say("There is no %s on the default branch, so nothing is promoted. A smallest one is:\n\n%s", config.Path, config.Example)
		return nil, nil
	case text == nil || mode == "120000":
		n.say("%s is not a regular file, so nothing is promoted.", config.Path)
		return nil, nil
	}
	file, problems := config.Parse(config.Path, text)
	var pipelines []config.Pipeline
	if len(problems) == 0 {
		if pipelines, problems, err = r.check(ctx, file, commit); err != nil {
			return nil, err
		}
	}
	if len(problems) > 0 {
		n.say("The pipeline file is not valid, so nothing is promoted:")
		n.printProblems(problems)
		return nil, nil
	}
	if len(pipelines) == 0 {
		n.say("The pipeline file is valid, and describes nothing that is here.")
	}
	return pipelines, nil
}

// copyRepository makes a bare copy of the branches and tags of a repository
// that is only read. HEAD names a branch in the copy: where it names a commit,
// as after a checkout of CI's, that is the copy's main.
func copyRepository(ctx context.Context, from, to string) error {
	abs, err := filepath.Abs(from)
	if err != nil {
		return unreadable("%s: %w", printable(from), err)
	}
	run := func(args ...string) error {
		out, err := exec.CommandContext(ctx, "git", args...).CombinedOutput()
		if err != nil {
			return unreadable("copy the repository at %s: %s; name the folder of a git repository, or a bundle",
				printable(from), printable(strings.TrimSpace(string(out))))
		}
		return nil
	}
	if err := run("clone", "-q", "--bare", "--no-hardlinks", "--", abs, to); err != nil {
		return err
	}
	if shallow, err := exec.CommandContext(ctx, "git", "-C", to, "rev-parse", "--is-shallow-repository").Output(); err != nil || strings.TrimSpace(string(shallow)) == "true" {
		return unreadable("%s lacks a part of its history; `git fetch --unshallow` brings it", printable(from))
	}
	git := func(args ...string) error { return run(append([]string{"-C", to}, args...)...) }
	if git("symbolic-ref", "-q", "HEAD") == nil || git("rev-parse", "-q", "--verify", "HEAD") != nil {
		return nil //nolint:nilerr // a repository without a commit is served as it is
	}
	if err := git("update-ref", "refs/heads/main", "HEAD"); err != nil {
		return err
	}
	return git("symbolic-ref", "HEAD", "refs/heads/main")
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// repositoryNameLimit is GitHub's, in characters.
const repositoryNameLimit = 100

// repositoryName is a name that GitHub takes, after the folder's.
func repositoryName(folder string) string {
	abs, err := filepath.Abs(folder)
	if err != nil {
		return "repository"
	}
	name := strings.Trim(notInNames.ReplaceAllString(strings.TrimSuffix(strings.TrimSuffix(filepath.Base(abs), ".bundle"), ".git"), "-"), "-.")
	name = name[:min(len(name), repositoryNameLimit)]
	if name == "" {
		return "repository"
	}
	return name
}
