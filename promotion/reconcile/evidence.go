package reconcile

// Evidence: the results that speak for or against landings which wait for their
// verdict. They are read on the landed commit, and on later ones that left the
// environment as it is, since who deploys reports on the commit that it synced.

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/calendar"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// laterRead is on how many of the newest commits after a landing results are read.
const laterRead = 10

// proof is what of a commit is read, and what it came to.
type proof struct {
	commit string
	kinds  string // c, d, w: checks, deployments, workflows
}

type proved struct {
	results []promotion.CheckResult
	err     error
}

// wantEvidence lays the results beside the environments, and wants those that
// are not read yet.
func (r *Reconciler) wantEvidence(v *view, w *wants) {
	s := v.snapshot
	for i := range s.Environments {
		o := &s.Environments[i]
		if len(o.Doubts) > 0 || o.Ledger.State == nil || o.Ledger.Problem != "" {
			continue
		}
		r.wantRecovery(v, o, w)
		ls := promotion.ToVerify(s, o)
		if len(ls) == 0 {
			continue
		}
		o.Results = map[string][]promotion.CheckResult{}
		for n, l := range ls {
			commits := []string{l.Commit}
			if n == 0 {
				commits = r.steady(s, o, l)
			}
			var results []promotion.CheckResult
			complete := true
			for _, c := range commits {
				k := proof{c, kinds(o.Config.Verify)}
				got, known := v.proofs[k]
				switch {
				case !known:
					complete = false
					if !slices.Contains(w.proofs, k) {
						w.proofs = append(w.proofs, k)
					}
					w.note(o, "what speaks for "+promotion.Short(l.Revision))
				case got.err != nil:
					complete = false
					o.Doubts = append(o.Doubts, fmt.Sprintf("what speaks for %s could not be read: %v", promotion.Short(l.Revision), got.err))
				}
				results = append(results, got.results...)
			}
			if complete {
				o.Results[l.Commit] = results
			}
		}
	}
}

func kinds(v *config.Verify) string {
	k := ""
	if v.Checks != nil {
		k += "c"
	}
	if v.Deployments != nil {
		k += "d"
	}
	if v.Workflows != nil {
		k += "w"
	}
	return k
}

// steady are the commits on which a report on a landing counts, newest first: the
// landed one, and those after it up to the first that changed anything of the
// environment, the newest few of them.
func (r *Reconciler) steady(s *promotion.Snapshot, o *promotion.Observed, l promotion.Landing) []string {
	chain := s.ChainOf(o)
	at, on := chain.Index(l.Commit)
	if !on {
		return []string{l.Commit}
	}
	first := at
	for first > 0 && !r.disturbs(s, o, chain.Commits[first-1]) {
		first--
	}
	var ids []string
	for i := first; i < at && len(ids) < laterRead; i++ {
		ids = append(ids, chain.Commits[i].ID)
	}
	return append(ids, l.Commit)
}

// disturbs says whether a commit changed anything in an environment's folder, but
// for what only other environments of its pipeline own there.
func (r *Reconciler) disturbs(s *promotion.Snapshot, o *promotion.Observed, c promotion.Commit) bool {
	dir := o.Config.Place.Dir
	for _, p := range c.Changed {
		if below(p, dir) && !r.onlyOthers(s, o, p) {
			return true
		}
	}
	return false
}

func (r *Reconciler) onlyOthers(s *promotion.Snapshot, o *promotion.Observed, p string) bool {
	if m, err := r.matcher(o.Config); err != nil || r.owns(m, p) {
		return false
	}
	for i := range s.Environments {
		x := &s.Environments[i]
		if x == o || x.Key.Pipeline != o.Key.Pipeline || x.Config.Place.Dir != o.Config.Place.Dir || !x.Config.Present {
			continue
		}
		if m, err := r.matcher(x.Config); err == nil && r.owns(m, p) {
			return true
		}
	}
	return false
}

// readProofs reads what was asked for of several commits, several at a time.
func (r *Reconciler) readProofs(ctx context.Context, v *view, ks []proof) {
	got := make([]proved, len(ks))
	var g errgroup.Group
	g.SetLimit(max(1, r.o.Concurrency))
	for i, k := range ks {
		if r.o.Concurrency <= 1 {
			got[i] = r.readProof(ctx, k)
			continue
		}
		g.Go(func() error {
			got[i] = r.readProof(ctx, k)
			return nil
		})
	}
	_ = g.Wait()
	for i, k := range ks {
		v.proofs[k] = got[i]
	}
}

// readProof reads what was asked for of one commit.
func (r *Reconciler) readProof(ctx context.Context, k proof) proved {
	var p proved
	for _, kind := range k.kinds {
		read := map[rune]func(context.Context, string) ([]promotion.CheckResult, error){
			'c': r.github.Checks, 'd': r.github.Deployments, 'w': r.github.WorkflowRuns,
		}[kind]
		got, err := read(ctx, k.commit)
		if err != nil {
			p.err = err
			return p
		}
		for _, x := range got {
			x.Commit = k.commit
			p.results = append(p.results, x)
		}
	}
	return p
}

// wantRecovery wants the run of the user's recovery, or looks for it by its nonce
// where it is not known whether it was sent.
func (r *Reconciler) wantRecovery(v *view, o *promotion.Observed, w *wants) {
	t, step := promotion.UnderRecovery(o)
	if t == nil || t.Run == 0 && v.snapshot.Now.Sub(t.Time) < promotion.Bound && !t.Sent {
		return
	}
	k := recoveryKey{t.Nonce, step.Run.Workflow, t.Run}
	got, known := v.recoveries[k]
	switch {
	case !known:
		if !slices.ContainsFunc(w.recoveries, func(x recovery) bool { return x.recoveryKey == k }) {
			w.recoveries = append(w.recoveries, recovery{k, *t})
		}
		w.note(o, "the recovery's run")
	case got.err != nil:
		o.Doubts = append(o.Doubts, fmt.Sprintf("the recovery's run could not be read: %v", got.err))
	default:
		o.Recovery = got.run
	}
}

type recoveryKey struct {
	nonce, workflow string
	run             int64
}

type recovery struct {
	recoveryKey
	taken state.Taken
}

type recoveryRun struct {
	run *promotion.WorkflowRun
	err error
}

func (r *Reconciler) readRecovery(ctx context.Context, k recovery) recoveryRun {
	if k.run != 0 {
		run, err := r.github.Run(ctx, k.run)
		return recoveryRun{&run, err}
	}
	runs, err := r.github.RunsSince(ctx, k.workflow, k.taken.Time.Add(-promotion.Bound))
	for _, run := range runs {
		if strings.Contains(run.Title, k.nonce) {
			return recoveryRun{&run, nil}
		}
	}
	return recoveryRun{nil, err}
}

// readHolidays reads the iCalendar files that windows name, at the default
// branch's tip. It says whether it needed the network.
func (r *Reconciler) readHolidays(ctx context.Context, v *view, tip string) (fetched bool, err error) {
	s := v.snapshot
	s.Holidays, s.Shut = map[string][]calendar.Day{}, map[string]string{}
	blobs := map[string]string{} // by path
	var ids []string
	for i := range s.Environments {
		for _, w := range s.Environments[i].Config.Windows {
			if _, seen := blobs[w.Holidays]; seen || w.Holidays == "" {
				continue
			}
			dir := path.Dir(w.Holidays)
			if dir == "." {
				dir = ""
			}
			files, err := r.git.List(ctx, tip, []string{dir})
			if err != nil {
				return false, err
			}
			f, there := files[w.Holidays]
			if blobs[w.Holidays] = f.Blob; !there {
				s.Shut[w.Holidays] = "it is not in the repository"
				continue
			}
			ids = append(ids, f.Blob)
		}
	}
	if fetched, err = r.readBlobs(ctx, v, ids); err != nil {
		return false, err
	}
	for name, blob := range blobs {
		if s.Shut[name] != "" {
			continue
		}
		days, known := r.memory.holidays[blob]
		if !known {
			if days, err = calendar.ParseHolidays(v.blobs[blob]); err != nil {
				s.Shut[name] = err.Error()
				continue
			}
			r.memory.holidays[blob] = days
		}
		s.Holidays[name] = days
	}
	return fetched, nil
}
