package reconcile

// Observe: the API first, git last, so that a merged pull request is never seen
// with a base that lacks it. Whatever git shows may call for more (a pull
// request read by itself, the bytes of a blob); then git is fetched once more,
// until a fetch is followed by local work only. So nothing slow ever stands
// between reading the base and acting on it.

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// view is a snapshot together with what acting and showing need besides it.
type view struct {
	snapshot  *promotion.Snapshot
	refs      promotion.Refs
	pulls     []promotion.PullRequest // open, as listed
	file      *config.File
	pipelines []config.Pipeline
	problems  config.Problems
	missing   bool // there is no pipeline file anywhere
	fileName  string

	read time.Time // when git was fetched last
	// decisions are those that are being acted on.
	decisions []promotion.Decision
	jobs      map[*promotion.Observed]job
	made      []promotion.RefUpdate // refs that this pass has made and needs no longer
	aside     bool                  // something waits for the next pass

	fresh      map[int]freshPull
	checks     map[string]headChecks // by head
	views      map[int]mergeView
	proofs     map[proof]proved
	recoveries map[recoveryKey]recoveryRun
	asked
	heads    map[string]headPulls // by branch
	blobs    content.Blobs
	fallback *fallback
}

type freshPull struct {
	pull promotion.PullRequest
	refs promotion.Refs // known before it was read
	err  error
}

// asked is what is asked once in a run, and not at each of its passes: sources
// and rules seldom change, and a change of theirs wakes the repository anew.
type asked struct {
	versions map[config.VersionSource]listed
	rules    map[string]branchRules
}

func newAsked() asked {
	return asked{versions: map[config.VersionSource]listed{}, rules: map[string]branchRules{}}
}

type headChecks struct {
	results []promotion.CheckResult
	err     error
}

type mergeView struct {
	view promotion.MergeView
	err  error
}

type branchRules struct {
	rules promotion.Rules
	err   error
}

type headPulls struct {
	pulls []promotion.PullRequest
	err   error
}

type fallback struct {
	text   []byte
	source string
	err    error
}

// maxRounds bounds how often git is fetched anew because something else had to
// be read. What is still missing then is a doubt, and doubts wait.
const maxRounds = 5

func (r *Reconciler) observe(ctx context.Context, repo promotion.Repository) (*view, error) {
	v := &view{
		fresh: map[int]freshPull{}, heads: map[string]headPulls{}, blobs: content.Blobs{},
		checks: map[string]headChecks{}, views: map[int]mergeView{}, asked: r.asked,
		proofs: map[proof]proved{}, recoveries: map[recoveryKey]recoveryRun{},
	}
	var err error
	if v.pulls, err = r.github.OpenPullRequests(ctx); err != nil {
		return nil, fmt.Errorf("list open pull requests: %w", err)
	}
	r.readVersions(ctx, v, r.memory.sources)
	r.readRules(ctx, v, r.memory.ruled)
	for round := 0; ; round++ {
		if v.refs, err = r.git.Fetch(ctx); err != nil {
			return nil, fmt.Errorf("fetch: %w", err)
		}
		v.read = r.o.Now()
		v.snapshot = &promotion.Snapshot{Repository: repo, App: r.o.App, Now: r.o.Now()}
		more, err := r.look(ctx, v, round < maxRounds)
		if err != nil {
			return nil, err
		}
		if !more {
			return v, nil
		}
	}
}

// look fills the snapshot from the refs just fetched. It says whether it had to
// use the network, after which git has to be fetched again; with mayRead false
// it uses none, and notes doubts instead.
func (r *Reconciler) look(ctx context.Context, v *view, mayRead bool) (more bool, err error) {
	s := v.snapshot
	tip := v.refs["refs/heads/"+s.Repository.DefaultBranch]
	if tip == "" {
		return false, nil // an empty repository has nothing to promote
	}
	if more, err = r.readPipelines(ctx, v, tip); err != nil || more {
		return more, err
	}
	if len(v.problems) > 0 || v.file == nil {
		return false, nil
	}
	s.Limits = v.file.Limits()
	if err := r.readLedgers(ctx, v); err != nil {
		return false, err
	}
	if err := r.readChains(ctx, v); err != nil {
		return false, err
	}
	if more, err = r.readHolidays(ctx, v, tip); err != nil || more && mayRead {
		return more, err
	}
	if more, err = r.readLandings(ctx, v); err != nil || more && mayRead {
		return more, err
	}
	w := &wants{}
	r.matchVersions(v, w)
	r.matchPulls(ctx, v, w)
	if !w.any() {
		r.wantEvidence(v, w)
	}
	if more, err = r.readContents(ctx, v); err != nil || more && mayRead {
		return more, err
	}
	r.matchRules(v)
	r.refusals(s)
	if !w.any() {
		r.wantGates(v, w)
	}
	switch {
	case !w.any():
		s.Extras = extras(v)
		return false, nil
	case !mayRead:
		w.doubt()
		return false, nil
	}
	r.read(ctx, v, w)
	return true, nil
}

// wants is what a look found it needs from the network.
type wants struct {
	pulls      []int
	heads      []string
	sources    []config.VersionSource
	rules      []string // branches
	checks     []string // heads
	views      []int
	proofs     []proof
	recoveries []recovery
	by         map[*promotion.Observed]string // who wants it, and what for
}

func (w *wants) any() bool {
	return len(w.pulls)+len(w.heads)+len(w.sources)+len(w.rules)+len(w.checks)+len(w.views)+len(w.proofs)+len(w.recoveries) > 0
}

func (w *wants) note(o *promotion.Observed, what string) {
	if w.by == nil {
		w.by = map[*promotion.Observed]string{}
	}
	w.by[o] = what
}

func (w *wants) doubt() {
	for o, what := range w.by {
		o.Doubts = append(o.Doubts, what+" keeps changing while it is being read")
	}
}

// read gets what is wanted. A pull request that cannot be read is a doubt of
// its own environment only.
func (r *Reconciler) read(ctx context.Context, v *view, w *wants) {
	for _, n := range w.pulls {
		p, err := r.github.PullRequest(ctx, n)
		v.fresh[n] = freshPull{p, v.refs, err}
	}
	r.readVersions(ctx, v, w.sources)
	r.readRules(ctx, v, w.rules)
	for _, head := range w.checks {
		cs, err := r.github.Checks(ctx, head)
		v.checks[head] = headChecks{cs, err}
	}
	for _, n := range w.views {
		g, err := r.github.MergeView(ctx, n)
		v.views[n] = mergeView{g, err}
	}
	r.readProofs(ctx, v, w.proofs)
	for _, k := range w.recoveries {
		v.recoveries[k.recoveryKey] = r.readRecovery(ctx, k)
	}
	for _, branch := range w.heads {
		ps, err := r.github.PullRequestsForHead(ctx, branch)
		v.heads[branch] = headPulls{ps, err}
	}
}

// matchPulls lays the pull requests beside the ledgers' promotions, and wants
// those that the listing cannot tell for certain.
func (r *Reconciler) matchPulls(ctx context.Context, v *view, w *wants) {
	open := map[int]*promotion.PullRequest{}
	for i := range v.pulls {
		open[v.pulls[i].Number] = &v.pulls[i]
	}
	for i := range v.snapshot.Environments {
		o := &v.snapshot.Environments[i]
		st := o.Ledger.State
		if st == nil || st.Promotion == nil {
			continue
		}
		p := st.Promotion
		o.Head = v.refs["refs/heads/"+p.Branch]
		if p.PullRequest == 0 {
			if p.Status == state.Claimed {
				r.matchClaim(v, o, p, w)
			}
			continue
		}
		o.Pull = open[p.PullRequest]
		if f, ok := v.fresh[p.PullRequest]; ok {
			if f.err != nil {
				o.Doubts = append(o.Doubts, fmt.Sprintf("#%d could not be read: %v", p.PullRequest, f.err))
				o.Pull = nil
				continue
			}
			pull := f.pull
			o.Pull, o.FreshFor = &pull, f.refs["refs/heads/"+v.snapshot.Base(o)]
		}
		unlisted := o.Pull == nil && !p.Status.Ended()
		// A listing may still show what was closed as open.
		reopened := o.Pull != nil && p.Status == state.Vetoed && o.FreshFor == ""
		if unlisted || reopened || promotion.NeedsFresh(v.snapshot.ChainOf(o), o) {
			w.pulls = append(w.pulls, p.PullRequest)
			w.note(o, fmt.Sprintf("#%d", p.PullRequest))
		}
		if o.Pull != nil && o.Pull.Merged {
			r.resolve(ctx, v, o)
		}
	}
}

// matchClaim looks for the pull request of a claim that names none. Within the
// bound it may exist without being listed, and its maker may be about to open
// it: there is nothing to look for yet.
func (r *Reconciler) matchClaim(v *view, o *promotion.Observed, p *state.Promotion, w *wants) {
	for _, pull := range v.pulls {
		if pull.Branch == p.Branch && pull.ByApp && !pull.Fork {
			o.Candidates = append(o.Candidates, pull)
		}
	}
	if len(o.Candidates) > 0 || v.snapshot.Now.Sub(p.Claimed) < promotion.Bound {
		return
	}
	found, looked := v.heads[p.Branch]
	o.Looked = looked && found.err == nil
	o.Candidates = found.pulls
	if !looked {
		w.heads = append(w.heads, p.Branch)
		w.note(o, "the pull request of "+p.Branch)
	}
}

// resolve finds where a merged pull request landed. A single commit that was
// rebased looks like a squashed one but for its message, which git has.
func (r *Reconciler) resolve(ctx context.Context, v *view, o *promotion.Observed) {
	if o.Pull.Commits == 1 && len(o.Pull.Messages) == 0 {
		if known, err := r.git.Commits(ctx, []string{o.Pull.Head}); err == nil && known[o.Pull.Head].ID != "" {
			o.Pull.Messages = []string{known[o.Pull.Head].Message}
		}
	}
	before, landed, method, ok := promotion.ResolveMerge(*o.Pull, v.snapshot.ChainOf(o))
	if !ok {
		return
	}
	p := o.Ledger.State.Promotion
	o.Resolved = &promotion.Resolved{
		Before: before, Commit: landed, Method: method,
		Replaced: p.Replaced != nil && o.Pull.Head == p.Replaced.BranchHead(),
	}
}

// extras are open pull requests on promotion branches of environments whose
// ledger names another one, or none: left by a worker that was stopped for long
// between two requests. Listed before the ledgers were read, they cannot be
// ones whose claim is still to come.
// A batch's branch names no pipeline: it counts as long as any of its
// environment's ledgers names it.
func extras(v *view) []promotion.PullRequest {
	var xs []promotion.PullRequest
	for _, p := range v.pulls {
		if !p.ByApp || p.Fork || !strings.HasPrefix(p.Branch, state.BranchPrefix) {
			continue
		}
		pipeline, environment, ok := state.ParseBranch(p.Branch)
		if !ok {
			continue
		}
		known, counts := false, false
		for i := range v.snapshot.Environments {
			o := &v.snapshot.Environments[i]
			if o.Key.Environment != environment || pipeline != "" && o.Key.Pipeline != pipeline {
				continue
			}
			if o.Ledger.State == nil || len(o.Doubts) > 0 {
				known, counts = true, true // not known for certain
				break
			}
			known = true
			last := o.Ledger.State.Promotion
			counts = counts || last != nil && (last.PullRequest == p.Number && last.Status != state.Landed && last.Status != state.Closed ||
				last.PullRequest == 0 && last.Branch == p.Branch && !last.Status.Ended())
		}
		if known && !counts {
			xs = append(xs, p)
		}
	}
	return xs
}
