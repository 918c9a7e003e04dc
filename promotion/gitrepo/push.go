package gitrepo

// Pushes: each ref with its own lease, what became of each told apart, and a
// look at the remote whenever git's answer leaves a doubt.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
)

const (
	// batchRefs and batchBytes bound one push's arguments, of which a system
	// takes at least 128 kB together with the environment, and Linux 2 MB.
	batchRefs  = 500
	batchBytes = 400 << 10
)

// Push moves refs of the remote, each only if it is still at Old. Without
// atomic each ref stands for itself; with it, all move or none. There is one
// result per update, in order. An error means that not all is known: then the
// results may be nil, and those that are there and Unknown are what is open.
//
// A commit that is not in the mirror is ErrUnknownCommit, and nothing is pushed.
func (r *Repository) Push(ctx context.Context, updates []promotion.RefUpdate, atomic bool) ([]promotion.PushResult, error) {
	if r.local {
		return nil, ErrReadOnly
	}
	if len(updates) == 0 {
		return nil, nil
	}
	defer r.use()()
	results := make([]promotion.PushResult, len(updates))
	var open []int // indexes of what is still to be pushed
	seen := map[string]bool{}
	for i, u := range updates {
		results[i] = promotion.PushResult{RefUpdate: u}
		if reason := badUpdate(u); reason != "" {
			results[i].Status, results[i].Reason = promotion.Refused, reason
			continue
		}
		if seen[u.Ref] {
			return nil, fmt.Errorf("%s is updated twice in one push", clip(u.Ref, 200))
		}
		seen[u.Ref] = true
		open = append(open, i)
	}
	if atomic && len(open) < len(updates) {
		for _, i := range open {
			results[i].Status, results[i].Reason = promotion.Bystander, "another ref of this push cannot be"
		}
		return results, nil
	}
	if err := r.readyToPush(ctx, updates, open); err != nil {
		return nil, err
	}
	batches := inBatches(updates, open)
	if atomic && len(batches) > 1 {
		return nil, fmt.Errorf("%d refs are too many for one atomic push", len(open))
	}
	var errs []error
	for _, batch := range batches {
		if err := r.pushBatch(ctx, results, batch, atomic); err != nil {
			errs = append(errs, err)
		}
	}
	var landed []string
	for _, res := range results {
		if res.Status == promotion.Pushed {
			landed = append(landed, res.New)
		}
	}
	r.made.forget(landed)
	return results, errors.Join(errs...)
}

// readyToPush makes sure that everything a push sends is here.
func (r *Repository) readyToPush(ctx context.Context, updates []promotion.RefUpdate, open []int) error {
	var commits []string
	for _, i := range open {
		if id := updates[i].New; id != "" {
			commits = append(commits, id)
		}
	}
	commits = distinct(commits)
	missing, err := r.absent(ctx, commits)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: %w", missing[0], ErrUnknownCommit)
	}
	return r.bringBorrowed(ctx, commits)
}

func inBatches(updates []promotion.RefUpdate, open []int) [][]int {
	var batches [][]int
	var batch []int
	size := 0
	for _, i := range open {
		n := 2*len(updates[i].Ref) + len(updates[i].Old) + len(updates[i].New) + 40
		if len(batch) == batchRefs || size+n > batchBytes && len(batch) > 0 {
			batches = append(batches, batch)
			batch, size = nil, 0
		}
		batch = append(batch, i)
		size += n
	}
	if len(batch) > 0 {
		batches = append(batches, batch)
	}
	return batches
}

// badUpdate says why an update can never be, before it spoils a whole push.
func badUpdate(u promotion.RefUpdate) string {
	if u.Old != "" && !isID(u.Old) || u.New != "" && !isID(u.New) {
		return "an id of this update is none"
	}
	if u.Old == "" && u.New == "" {
		return "this update deletes what must not exist"
	}
	if !isRefName(u.Ref) {
		return fmt.Sprintf("%q is no name that git allows for a ref", clip(u.Ref, 200))
	}
	return ""
}

// isRefName is git's own rule for full names ("git check-ref-format").
func isRefName(name string) bool {
	if !strings.HasPrefix(name, "refs/") || len(name) > 1000 {
		return false
	}
	if strings.ContainsAny(name, " ~^:?*[\\\x7f") || strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasSuffix(name, ".") {
		return false
	}
	if strings.ContainsFunc(name, func(c rune) bool { return c < ' ' }) {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

// PushAt is when the pace of pushes lets the next one through: now or a time
// that is past when it does already. It takes nothing of the pace, and the loop
// asks it before it reads the base, so as not to wait between the two.
func (r *Repository) PushAt() time.Time {
	if r.pace == nil {
		return time.Time{}
	}
	missing := 1 - r.pace.Tokens()
	if missing <= 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(missing / float64(r.pace.Limit()) * float64(time.Second)))
}

// pushBatch pushes some of the updates and fills in their results.
func (r *Repository) pushBatch(ctx context.Context, results []promotion.PushResult, batch []int, atomic bool) error {
	if r.pace != nil {
		if err := r.pace.Wait(ctx); err != nil {
			fill(results, batch, promotion.Unknown, "it was not pushed: the pace of pushes did not allow it in time")
			return fmt.Errorf("waiting to push: %w", err)
		}
	}
	agreed := r.agreed(results, batch, atomic)
	answer, err := r.pushOnce(ctx, results, batch, atomic, agreed)
	if agreed && err != nil && len(answer.lines) == 0 && ctx.Err() == nil {
		// The remote no longer shows what was pushed to it: others have moved on.
		answer, err = r.pushOnce(ctx, results, batch, atomic, false)
	}
	return r.settle(ctx, results, batch, answer, err)
}

func fill(results []promotion.PushResult, batch []int, status promotion.PushStatus, reason string) {
	for _, i := range batch {
		results[i].Status, results[i].Reason = status, reason
	}
}

// pushAnswer is what git said of a push.
type pushAnswer struct {
	lines  map[string]refLine
	remote []string // what the remote said to people
}

func (r *Repository) pushOnce(ctx context.Context, results []promotion.PushResult, batch []int, atomic, agreed bool) (pushAnswer, error) {
	args := []string{"push", "--porcelain", "--no-progress", "--no-verify", "--no-follow-tags", "--recurse-submodules=no"}
	if atomic {
		args = append(args, "--atomic")
	}
	for _, i := range batch {
		args = append(args, "--force-with-lease="+results[i].Ref+":"+results[i].Old)
	}
	args = append(args, remoteName)
	for _, i := range batch {
		args = append(args, results[i].New+":"+results[i].Ref)
	}
	var stdout, stderr strings.Builder
	err := r.network(ctx, "push", func() command {
		stdout.Reset()
		stderr.Reset()
		return command{
			name: "push", gitDir: r.dir, access: push, timeout: r.opts.Timeout, agreed: agreed,
			args: args, read: copyTo(&stdout), heard: func(text string) { stderr.WriteString(text) },
		}
	})
	return pushAnswer{lines: readPorcelain(stdout.String()), remote: remoteLines(stderr.String())}, r.noteDamage(err)
}

// agreed says whether a push needs no negotiation, several requests less while
// the base grows old. An atomic one that moves branches on from where they are
// here does not: git compares the leases with what the remote shows before it
// packs anything, so either the remote has the base, or nothing is sent at all.
// Nor does one of what was pushed from here before, or follows what its leases
// name.
func (r *Repository) agreed(results []promotion.PushResult, batch []int, atomic bool) bool {
	moves, follows := false, true
	for _, i := range batch {
		u := results[i]
		moves = moves || strings.HasPrefix(u.Ref, "refs/heads/") && u.Old != "" && u.New != ""
		follows = follows && r.made.follows(u.New, u.Old)
	}
	return atomic && moves || follows
}

// settle gives every update of a batch its result, from git's answer and, where
// that leaves a doubt, from a look at the remote.
func (r *Repository) settle(ctx context.Context, results []promotion.PushResult, batch []int, answer pushAnswer, err error) error {
	// An answer that speaks of all of the push and not of a ref.
	if whole, reason := refusedWhole(err, answer); whole {
		fill(results, batch, promotion.Refused, reason)
		return nil
	}
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrMoved) || errors.Is(err, ErrUnauthorized) {
		fill(results, batch, promotion.Unknown, "nothing was pushed: "+oneLine(err.Error()))
		return err
	}
	refs := make([]string, len(batch))
	for n, i := range batch {
		refs[n] = results[i].Ref
	}
	verdicts := classify(answer, refs)
	var doubtful []int
	for n, i := range batch {
		results[i].Status, results[i].Reason = verdicts[n].status, verdicts[n].reason
		// A lease on a ref that is gone is stale, too: but to delete it was meant.
		staleDeletion := verdicts[n].status == promotion.Conflict && results[i].New == ""
		if verdicts[n].status == promotion.Unknown || staleDeletion {
			doubtful = append(doubtful, i)
		}
	}
	if len(doubtful) == 0 {
		return nil
	}
	now, lookErr := r.lookAt(ctx, results, doubtful)
	if lookErr != nil {
		for _, i := range doubtful {
			if results[i].Reason == "" {
				results[i].Reason = "the push broke off, and the remote cannot be asked"
			}
		}
		return errors.Join(err, lookErr)
	}
	for _, i := range doubtful {
		decideByLook(&results[i], now[results[i].Ref], err)
	}
	return nil
}

// decideByLook settles one doubtful update by where the remote's ref stands.
func decideByLook(res *promotion.PushResult, now string, err error) {
	switch {
	case now == res.New:
		res.Status, res.Reason = promotion.Pushed, ""
	case now != res.Old:
		res.Status = promotion.Conflict
		if res.Reason == "" {
			res.Reason = "the remote's ref was moved by someone else"
		}
	default:
		// The remote may still be at work on a push that broke off.
		res.Status = promotion.Unknown
		if res.Reason == "" {
			res.Reason = "the push broke off, and the remote's ref stands as before"
			if err != nil {
				res.Reason += ": " + oneLine(err.Error())
			}
		}
	}
}

// lookAt lists where the remote's refs stand; one that is absent stands nowhere.
func (r *Repository) lookAt(ctx context.Context, results []promotion.PushResult, which []int) (map[string]string, error) {
	args := []string{"ls-remote", "--quiet", "--refs", remoteName}
	if len(which) <= 100 { // else all refs are listed: patterns are arguments
		for _, i := range which {
			args = append(args, results[i].Ref)
		}
	}
	var out strings.Builder
	err := r.network(ctx, "look", func() command {
		out.Reset()
		return command{
			name: "ls-remote", gitDir: r.dir, access: look, timeout: r.opts.Timeout, args: args,
			read: copyTo(&out),
		}
	})
	if err != nil {
		return nil, err
	}
	now := map[string]string{}
	for line := range strings.Lines(out.String()) {
		id, ref, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if ok {
			now[ref] = id
		}
	}
	return now, nil
}
