package main

// promobot plan: the loop over a repository on this machine, where nothing can
// be written. plan_text.go and replay_text.go print what it came to.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/dryrun"
	"github.com/promobot/promobot/promotion/guess"
)

const planHelp = `Says what commits of a repository on this machine would promote, by the same
decisions as on GitHub. Nothing is installed, written or sent.

What stands at --from is taken as given, as when promobot is installed; then the
commits up to --to are looked at, and the pull requests that promobot would open
are shown with the values and files they change, what is refused, and what would
wait and for what. They are shown whatever mode the pipeline file says; who would
merge each is said beside it.

Where environments stand on branches of their own, name the branch whose commits
are looked at with --to; the others are taken as they stand, and the pipeline
file is that of the branch that is checked out where --to has none.

Only commits are looked at: what is not committed is not planned, but for a
pipeline file named by --file.

With --replay the last days (90d) of the history up to --to are gone through
commit by commit, as if promobot had been there and nobody had merged its pull
requests: how many would have been opened, moved on to something newer, or closed
since people made the same change by hand; how many would have been open at once;
what would have been refused; and what people changed by hand past the pipeline.

The pipeline file is the one at --to, or --file, and is held to be in force at
every commit. With --init it is guessed, as promobot init would write it, and why
is said before the plan; nothing is written.

--json prints one object: version (1), branch, file, from, to, commits, and
  environments  one each: pipeline, environment, mode, standing, reason, landed,
                offered, refused, and promotion {title, merge, kinds, changes,
                kept, then, diff}
  shared        changed files that several environments render at once
with --init besides
  init          the guess: file, reasons, doubts
with --replay instead of environments and shared
  totals        by environment: landings, opened, moved, done_by_hand,
                nothing_left, open, most_open, refused, held_back, and past, the
                changes by hand that no pull request had proposed
  pull_requests, refused, by_hand, most_open, most_open_at
  unfit         commits whose files the pipeline file does not fit
Within a version no name is renamed or removed; unknown ones are to be ignored.

Exit codes: 0 done, 1 the pipeline file is not valid or does not fit, or what is
planned is refused, 2 the command was not understood, 3 something could not be
read. A replay that met refusals ends with 0: they are its findings.`

type planOptions struct {
	repo, from, to, file, replay string
	json, diff, init             bool
}

func newPlanCommand() *cobra.Command {
	var o planOptions
	c := &cobra.Command{
		Use:   "plan [--repo PATH] [--from REV] [--to REV] [--replay 90d]",
		Short: "Say what commits would promote, or would have",
		Long:  planHelp,
		Example: `  promobot plan                               what the newest commit promotes
  promobot plan --from origin/main --to HEAD  what my branch would promote
  promobot plan --file draft.yml --diff       with a pipeline file not committed yet
  promobot plan --to env/dev                  what the newest commit of that branch promotes
  promobot plan --replay 90d                  what the last months would have been
  promobot plan --init --replay 90d          the same with a pipeline file guessed
  promobot plan --json | jq -r '.environments[].promotion.title // empty'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return plan(c.Context(), o, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.repo, "repo", ".", "the repository at this `path`")
	f.StringVar(&o.from, "from", "", "what stands at this `revision` is given (default: the first parent of --to)")
	f.StringVar(&o.to, "to", "HEAD", "look at the commits up to this `revision`")
	f.StringVar(&o.file, "file", "", "this pipeline `file` instead of the one at --to; - for standard input")
	f.StringVar(&o.replay, "replay", "", "go through the last `days` of history, such as 90d")
	f.BoolVar(&o.init, "init", false, "guess the pipeline file, and say why")
	f.BoolVar(&o.diff, "diff", false, "show each pull request's diff too")
	f.BoolVar(&o.json, "json", false, "as JSON")
	return c
}

func plan(ctx context.Context, o planOptions, stdin io.Reader, stdout, stderr io.Writer) error {
	var since config.Interval
	if o.replay != "" {
		if o.from != "" || o.diff {
			return usage("--replay goes with neither --from nor --diff: it begins so many days before --to")
		}
		var err error
		if since, err = config.ParseInterval(o.replay); err != nil {
			return usage("--replay %s: %v", printable(o.replay), err)
		}
	}
	if o.init && o.file != "" {
		return usage("--init guesses a pipeline file, --file names one: give one of them")
	}
	r, err := openRepository(o.repo)
	if err != nil {
		return err
	}
	if o.to == "HEAD" {
		r.sayUncommitted(ctx, stderr)
	}
	q := dryrun.Options{}
	if q.To, err = r.resolve(ctx, o.to); err != nil {
		return err
	}
	if o.from != "" {
		if q.From, err = r.resolve(ctx, o.from); err != nil {
			return err
		}
	}
	out := newPrinter(stdout)
	var guessed *guess.Guess
	if o.init {
		g, err := r.guess(ctx, o.to, q.To)
		if err != nil {
			return err
		}
		if q.FileName, q.File = "guessed", g.File; g.File == nil {
			out.nothingGuessed(g)
			return silent()
		}
		guessed = &g
		if !o.json {
			out.beforePlan(g)
		}
	} else if q.FileName, q.File, err = r.pipelineText(ctx, o.file, q.To, stdin); err != nil {
		return err
	}
	if q.Repository, err = r.asked(ctx, o.to, q.To); err != nil {
		return err
	}
	if q.Branches, err = r.otherBranches(ctx, q); err != nil {
		return err
	}
	if o.replay != "" {
		p := newProgress(stderr)
		res, err := dryrun.MakeReplay(ctx, r, q, time.Duration(since), p.show)
		p.clear()
		if err != nil {
			return planFailed(out, guessed, err)
		}
		if o.json {
			return writeJSON(stdout, struct {
				*dryrun.Replay
				Init *guessJSON `json:"init,omitempty"`
			}{res, asJSON(guessed)})
		}
		printReplay(out, res, o.replay)
		return nil
	}
	res, err := dryrun.MakePlan(ctx, r, q, o.diff)
	if err != nil {
		return planFailed(out, guessed, err)
	}
	if o.json {
		err = writeJSON(stdout, struct {
			*dryrun.Plan
			Init *guessJSON `json:"init,omitempty"`
		}{res, asJSON(guessed)})
	} else {
		printPlan(out, res)
	}
	if err == nil && refuses(res) {
		return silent()
	}
	return err
}

// refuses says whether something cannot be promoted before a person acts.
func refuses(p *dryrun.Plan) bool {
	return slices.ContainsFunc(p.Environments, func(e dryrun.Environment) bool { return e.Standing == string(promotion.Stopped) })
}

// asked is the repository as the texts name it: its branch is the one that was
// named, else one whose tip is looked at, else the revision itself.
func (r *localRepository) asked(ctx context.Context, revision, commit string) (promotion.Repository, error) {
	refs, err := r.Fetch(ctx)
	if err != nil {
		return promotion.Repository{}, unreadable("%s: %w", printable(r.path), err)
	}
	branch := revision
	candidates := []string{revision, "main", "master"}
	var tips []string
	for ref, id := range refs {
		if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok && id == commit {
			tips = append(tips, name)
		}
	}
	slices.Sort(tips)
	for _, c := range append(candidates, tips...) {
		if refs["refs/heads/"+c] == commit {
			branch = c
			break
		}
	}
	return promotion.Repository{Owner: "local", Name: "local", DefaultBranch: branch, Merge: true}, nil
}

// otherBranches are the tips of the branches that the pipeline file names
// besides the one that is looked at.
func (r *localRepository) otherBranches(ctx context.Context, q dryrun.Options) (map[string]string, error) {
	file, problems := config.Parse(q.FileName, q.File)
	if len(problems) > 0 {
		return nil, nil // said when it is planned
	}
	_, tips, err := r.tree(ctx, file, q.To)
	delete(tips, "")
	delete(tips, q.Repository.DefaultBranch)
	return tips, err
}

// planFailed tells a pipeline file's problems from what could not be read. A
// guess stands without a plan where there is only one commit.
func planFailed(out printer, g *guess.Guess, err error) error {
	if g != nil && errors.Is(err, dryrun.ErrEmpty) {
		out.line("\nThere is only one commit, so there is nothing yet that could have been promoted.")
		return nil
	}
	if wrong, ok := errors.AsType[*dryrun.ProblemsError](err); ok {
		out.printProblems(wrong.Problems)
		return &exitError{exitWrong, wrong}
	}
	return unreadable("%w", err)
}

// progress shows on a terminal, and nowhere else, how far long work has got.
type progress struct {
	to    io.Writer
	shown int // percent, -1 before the first
}

func newProgress(to io.Writer) *progress {
	if !isTerminal(to) || os.Getenv("TERM") == "dumb" {
		return &progress{}
	}
	return &progress{to: to, shown: -1}
}

func (p *progress) show(done, total int) {
	if p.to == nil || total == 0 || done*100/total == p.shown {
		return
	}
	p.shown = done * 100 / total
	fmt.Fprintf(p.to, "\r\x1b[K%d of %d commits (%d%%)", done, total, p.shown)
}

func (p *progress) clear() {
	if p.to != nil && p.shown >= 0 {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
