// Package dryrun runs promobot's loop where nothing can be written: over a
// repository on this machine, with commits, branches, ledgers and pull
// requests kept in memory. It is the same loop and the same decisions as
// on GitHub; only the two ports differ.
//
// Its rules:
//
//   - Nothing is written to the repository, and nothing leaves this machine.
//   - One pipeline file is in force at every commit that is looked at: what is
//     asked is what this file would make of that history.
//   - Every environment is in mode propose, whatever the file says, so that there
//     is a pull request to show; the file's own mode is reported beside it.
//   - The clock is that of the commits, so the same question has the same answer.
//   - Nobody merges a pull request here. Those whose content people bring by hand
//     are closed by the loop, as on GitHub.
package dryrun

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/reconcile"
	"github.com/promobot/promobot/state"
)

// Source is the repository that is read, as promotion/gitrepo opens one.
type Source interface {
	// Chain is the first-parent history of tip, newest first, down to and
	// including stop ("" or a commit not on it: the whole), at most limit commits
	// when limit is above 0.
	Chain(ctx context.Context, tip, stop string, limit int) ([]promotion.Commit, error)
	Commits(ctx context.Context, ids []string) (map[string]promotion.Commit, error)
	Between(ctx context.Context, older, newer string, paths []string, limit int) ([]promotion.Commit, error)
	List(ctx context.Context, commit string, dirs []string) (content.Listing, error)
	Paths(ctx context.Context, commit string) ([]string, error)
	Blobs(ctx context.Context, ids []string) (blobs content.Blobs, fetched bool, err error)
	// ReadAhead brings what the commits of a chain changed into the cache, all at
	// once, and returns the bytes of the changed files that keep wants.
	ReadAhead(ctx context.Context, chain []promotion.Commit, keep func(path string) bool) (content.Blobs, error)
}

// Options say what is asked.
type Options struct {
	Repository promotion.Repository // as texts name it; DefaultBranch is the branch looked at
	To         string               // commit id up to which is looked
	// From is the commit id whose state is adopted as the baseline. Empty: the
	// first parent of To, or for a replay the newest commit older than Since.
	From string
	// Branches are the tips of the other branches that the pipeline file names:
	// they are taken as they stand.
	Branches map[string]string
	// File is the pipeline file's bytes and FileName its name for problems.
	File     []byte
	FileName string
}

// ErrEmpty says that there is no commit before the one asked about, so that
// there is nothing that could have been promoted.
var ErrEmpty = errors.New("there is no commit before it, so there is nothing to compare with: name another with --from or --to")

// NoChainError says that two commits have no first-parent history in common.
type NoChainError struct{ From, To string }

func (e *NoChainError) Error() string {
	return fmt.Sprintf("the first-parent histories of %.10s and %.10s have no commit in common: name a --from that --to descends from", e.From, e.To)
}

// ProblemsError is a pipeline file that is not valid, or does not fit the files
// at a commit.
type ProblemsError struct {
	Problems config.Problems
	Commit   string // at which the file does not fit; "" when it is wrong everywhere
}

func (e *ProblemsError) Error() string {
	if e.Commit != "" {
		return fmt.Sprintf("the pipeline file does not fit the files at %.10s: %d problems", e.Commit, len(e.Problems))
	}
	return fmt.Sprintf("the pipeline file is not valid: %d problems", len(e.Problems))
}

// loop is promobot's loop over a world in memory.
type loop struct {
	world *world
	run   *reconcile.Reconciler
	file  *config.File
}

func newLoop(src Source, chain []promotion.Commit, o Options) (*loop, error) {
	file, problems := config.Parse(o.FileName, o.File)
	if len(problems) > 0 {
		return nil, &ProblemsError{Problems: problems}
	}
	keys, err := state.NewKeys([]byte("dry run"))
	if err != nil {
		return nil, err
	}
	w := newWorld(src, chain, o)
	nonce := 0
	r := reconcile.New(w, w, reconcile.Options{
		App: app, Author: promotion.Person{Name: app, Email: app + "@localhost"}, Keys: keys,
		Mode: config.Propose, NoChecks: true,
		Now:   func() time.Time { return w.now },
		Nonce: func() string { nonce++; return strconv.Itoa(nonce) },
	})
	return &loop{world: w, run: r, file: file}, nil
}

// app is the login of the App that the dry run plays.
const app = "promobot[bot]"

// mostRuns bounds the runs at one commit. Each does all it can; the loop comes
// again by itself only after many pull requests in a row.
const mostRuns = 50

// at moves the base branch to a commit and lets the loop come to rest there.
func (l *loop) at(ctx context.Context, c promotion.Commit) (reconcile.Result, error) {
	l.world.tip = c.ID
	l.advance(c.Time)
	return l.rest(ctx)
}

func (l *loop) advance(t time.Time) {
	if t.After(l.world.now) {
		l.world.now = t
	}
}

// rest runs the loop until it wants nothing more at this moment.
func (l *loop) rest(ctx context.Context) (reconcile.Result, error) {
	for range mostRuns {
		res, err := l.run.Run(ctx)
		if err != nil || res.Next.IsZero() || res.Next.After(l.world.now) {
			return res, err
		}
	}
	return reconcile.Result{}, fmt.Errorf("the loop does not come to rest at %.10s", l.world.tip)
}

// resolve resolves the pipeline file over the files at a commit.
func (l *loop) resolve(ctx context.Context, commit string) ([]config.Pipeline, error) {
	paths, err := l.world.Paths(ctx, commit)
	if err != nil {
		return nil, err
	}
	tree := config.Tree{Paths: paths, Default: l.world.repository.DefaultBranch, Branches: map[string][]string{}}
	for branch, tip := range l.world.branches {
		if tree.Branches[branch], err = l.world.Paths(ctx, tip); err != nil {
			return nil, err
		}
	}
	pipelines, problems := l.file.Resolve(tree)
	if len(problems) > 0 {
		return nil, &ProblemsError{Problems: problems, Commit: commit}
	}
	return pipelines, nil
}

// stretch is the chain from to down to and including from. A from that is not
// on it gives way to the newest commit that both chains have, which is said.
func stretch(ctx context.Context, src Source, from, to string) (chain []promotion.Commit, forked bool, err error) {
	if chain, err = src.Chain(ctx, to, from, 0); err != nil {
		return nil, false, err
	}
	if chain[len(chain)-1].ID == from {
		return chain, false, nil
	}
	at := make(map[string]int, len(chain))
	for i, c := range chain {
		at[c.ID] = i
	}
	other, err := src.Chain(ctx, from, "", 0)
	if err != nil {
		return nil, false, err
	}
	i := slices.IndexFunc(other, func(c promotion.Commit) bool { _, on := at[c.ID]; return on })
	if i < 0 {
		return nil, false, &NoChainError{From: from, To: to}
	}
	return chain[:at[other[i].ID]+1], true, nil
}
