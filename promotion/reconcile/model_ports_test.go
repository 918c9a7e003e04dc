package reconcile_test

// The loop's interfaces over the model. Every call that leaves the process is a
// point where the scheduler may run someone else, or let the call fail before
// or after its effect.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/reconcile"
	"github.com/promobot/promobot/state"
)

var (
	errLost  = errors.New("no answer")
	errCrash = errors.New("the process was killed")
)

type fault int

const (
	noFault fault = iota
	failBefore
	failAfter
	crash
)

// replica is one process: its mirror, and where it waits to go on.
type replica struct {
	w       *world
	name    string
	loop    *reconcile.Reconciler
	clerk   *reconcile.Reconciler // that carries out commands
	known   map[string]bool       // commits of its mirror
	refs    promotion.Refs
	ready   chan struct{} // it waits at a call
	resume  chan fault
	done    chan error
	running bool
	waiting bool
	crashed bool
	stopped time.Time     // until when the scheduler keeps it paused
	skew    time.Duration // of its clock
	call    string
	since   time.Time // it waits
	slow    string    // the last call to GitHub after the last fetch
}

// enter waits for the scheduler's leave to make a call.
func (r *replica) enter(what string) fault {
	if what != "fetch" && what != "push" {
		r.slow = what
	}
	if r.crashed {
		return crash
	}
	r.call = what
	r.ready <- struct{}{}
	f := <-r.resume
	if f == crash {
		r.crashed = true
	}
	return f
}

// do makes a call with its fault: before leaves no effect, after loses the answer.
func do[T any](r *replica, what string, effect func() (T, error)) (T, error) {
	var none T
	switch r.enter(what) {
	case noFault:
	case failBefore:
		return none, errLost
	case failAfter:
		_, _ = effect()
		return none, errLost
	case crash:
		return none, errCrash
	}
	return effect()
}

func act(r *replica, what string, effect func() error) error {
	_, err := do(r, what, func() (struct{}, error) { return struct{}{}, effect() })
	return err
}

func (r *replica) Repository(context.Context) (promotion.Repository, error) {
	return do(r, "repository", func() (promotion.Repository, error) { return r.w.repo, nil })
}

func (r *replica) OpenPullRequests(context.Context) ([]promotion.PullRequest, error) {
	return do(r, "list pulls", func() ([]promotion.PullRequest, error) {
		var out []promotion.PullRequest
		at := r.w.now.Add(-r.w.lag)
		for _, p := range r.w.pulls {
			if q := p.listed(at); q != nil && q.Open {
				out = append(out, *q)
			}
		}
		return out, nil
	})
}

func (r *replica) PullRequestsForHead(_ context.Context, branch string) ([]promotion.PullRequest, error) {
	return do(r, "pulls for head", func() ([]promotion.PullRequest, error) {
		var out []promotion.PullRequest
		at := r.w.now.Add(-r.w.lag)
		for _, p := range r.w.pulls {
			if q := p.listed(at); q != nil && q.Branch == branch && q.ByApp {
				out = append(out, *q)
			}
		}
		return out, nil
	})
}

func (r *replica) find(number int) *pull {
	for _, p := range r.w.pulls {
		if p.Number == number {
			return p
		}
	}
	return nil
}

func (r *replica) PullRequest(_ context.Context, number int) (promotion.PullRequest, error) {
	return do(r, fmt.Sprintf("get #%d", number), func() (promotion.PullRequest, error) {
		p := r.find(number)
		if p == nil {
			return promotion.PullRequest{}, promotion.ErrNotFound
		}
		q := p.PullRequest
		q.Mergeable = "clean"
		if p.Open {
			if _, ok := r.w.merged(heads+p.Base, p.Head); !ok {
				q.Mergeable = "dirty"
			}
		}
		return q, nil
	})
}

func (r *replica) CreatePullRequest(_ context.Context, n reconcile.NewPullRequest) (promotion.PullRequest, error) {
	return do(r, "create pull for "+n.Branch, func() (promotion.PullRequest, error) {
		w := r.w
		head := w.refs["refs/heads/"+n.Branch]
		if head == "" {
			return promotion.PullRequest{}, &promotion.RefusedError{Reason: "head is invalid"}
		}
		for _, p := range w.pulls {
			if p.Open && p.Branch == n.Branch {
				return promotion.PullRequest{}, fmt.Errorf("a pull request already exists: %w", promotion.ErrConflict)
			}
		}
		if w.contains(head, w.refs[heads+n.Base]) {
			return promotion.PullRequest{}, fmt.Errorf("no commits between: %w", promotion.ErrConflict)
		}
		number := len(w.pulls) + 1
		p := &pull{PullRequest: promotion.PullRequest{
			Number: number, URL: fmt.Sprintf("%s/pull/%d", w.repo.URL, number), Title: n.Title, Body: n.Body,
			Open: true, Branch: n.Branch, Head: head, Base: n.Base, Author: bot, ByApp: true, Commits: len(w.own(heads+n.Base, head)),
		}}
		w.pulls = append(w.pulls, p)
		w.keep(p)
		w.writes++
		w.note("%s opens #%d on %s", r.name, number, n.Branch)
		w.checkOpened(p)
		return p.PullRequest, nil
	})
}

func (r *replica) EditPullRequest(_ context.Context, number int, title, body string) error {
	return act(r, fmt.Sprintf("edit #%d", number), func() error {
		p := r.find(number)
		p.Title, p.Body = title, body
		r.w.keep(p)
		r.w.writes++
		return nil
	})
}

func (r *replica) ClosePullRequest(_ context.Context, number int) error {
	return act(r, fmt.Sprintf("close #%d", number), func() error {
		if p := r.find(number); p.Open {
			r.w.closePull(p, bot)
			r.w.writes++
		}
		return nil
	})
}

func (r *replica) MergePullRequest(_ context.Context, m reconcile.MergeRequest) error {
	return act(r, fmt.Sprintf("merge #%d", m.Number), func() error {
		p := r.find(m.Number)
		if !p.Open || p.Head != m.Head {
			return promotion.ErrConflict
		}
		r.w.writes++
		err := r.w.merge(p, bot, m.Method, m.Title, m.Message)
		if _, ok := errors.AsType[*promotion.RefusedError](err); ok {
			return promotion.ErrConflict // a conflict with the base: it is rebuilt
		}
		return err
	})
}

func (r *replica) ChangedFiles(context.Context, int) ([]string, error) {
	return do(r, "changed files", func() ([]string, error) { return nil, nil })
}

func (r *replica) File(context.Context, string, string) ([]byte, error) {
	return do(r, "file", func() ([]byte, error) { return nil, promotion.ErrNotFound })
}

func (r *replica) FallbackFile(context.Context) ([]byte, string, error) {
	_, err := do(r, "fallback", func() (int, error) { return 0, promotion.ErrNotFound })
	return nil, "", err
}

func (r *replica) CheckRuns(_ context.Context, commit string) ([]reconcile.CheckRun, error) {
	return do(r, "check runs", func() ([]reconcile.CheckRun, error) { return slices.Clone(r.w.checks[commit]), nil })
}

func (r *replica) CompleteCheckRun(_ context.Context, id int64, conclusion string) error {
	_, err := do(r, "complete check run", func() (int, error) {
		for _, list := range r.w.checks {
			for i := range list {
				if list[i].ID == id {
					list[i].Status, list[i].Conclusion = "completed", conclusion
					return 0, nil
				}
			}
		}
		return 0, promotion.ErrNotFound
	})
	return err
}

func (r *replica) WriteCheckRun(_ context.Context, c reconcile.CheckRun) (int64, error) {
	return do(r, "write check run", func() (int64, error) {
		w := r.w
		w.writes++
		w.note("check on %.7s: %s | %s", c.Commit, c.Title, strings.ReplaceAll(c.Summary, "\n", " "))
		if c.Title == "" || c.Summary == "" || c.Status == "completed" && c.Conclusion == "" {
			w.breaks("Answered", "a check run on %.7s says nothing", c.Commit)
		}
		list := w.checks[c.Commit]
		for i := range list {
			if list[i].ID == c.ID {
				list[i] = c
				return c.ID, nil
			}
		}
		if c.ID != 0 {
			return 0, promotion.ErrNotFound
		}
		w.nonce++
		c.ID = int64(w.nonce)
		w.checks[c.Commit] = append(list, c)
		return c.ID, nil
	})
}

// Git.

func (r *replica) Fetch(context.Context) (promotion.Refs, error) {
	return do(r, "fetch", func() (promotion.Refs, error) {
		r.slow = ""
		r.refs = maps.Clone(r.w.refs)
		for _, id := range r.refs {
			r.learn(id)
		}
		return maps.Clone(r.refs), nil
	})
}

func (r *replica) learn(id string) {
	for todo := []string{id}; len(todo) > 0; {
		x := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if r.known[x] || r.w.commits[x] == nil {
			continue
		}
		r.known[x] = true
		todo = append(todo, r.w.commits[x].Parents...)
	}
}

var errUnknownCommit = errors.New("unknown commit")

func (r *replica) at(id string) (*commit, error) {
	if !r.known[id] {
		return nil, fmt.Errorf("%w %q", errUnknownCommit, id)
	}
	return r.w.commits[id], nil
}

func (r *replica) Chain(_ context.Context, tip, stop string, limit int) ([]promotion.Commit, error) {
	var out []promotion.Commit
	for id := tip; id != "" && len(out) < limit; {
		c, err := r.at(id)
		if err != nil {
			return nil, err
		}
		out = append(out, c.Commit)
		if id == stop || len(c.Parents) == 0 {
			break
		}
		id = c.Parents[0]
	}
	return out, nil
}

func (r *replica) Commits(_ context.Context, ids []string) (map[string]promotion.Commit, error) {
	out := map[string]promotion.Commit{}
	for _, id := range ids {
		if r.known[id] {
			out[id] = r.w.commits[id].Commit
		}
	}
	return out, nil
}

func (r *replica) Between(ctx context.Context, older, newer string, paths []string, limit int) ([]promotion.Commit, error) {
	chain, err := r.Chain(ctx, newer, older, 1<<20)
	if err != nil {
		return nil, err
	}
	var out []promotion.Commit
	for _, c := range chain {
		if c.ID != older && len(out) < limit && slices.ContainsFunc(c.Changed, func(p string) bool {
			return slices.ContainsFunc(paths, func(d string) bool { return d == "" || strings.HasPrefix(p, d+"/") })
		}) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (r *replica) List(_ context.Context, id string, dirs []string) (content.Listing, error) {
	c, err := r.at(id)
	if err != nil {
		return nil, err
	}
	out := content.Listing{}
	for p, f := range c.files {
		for _, d := range dirs {
			if d == "" || strings.HasPrefix(p, d+"/") {
				out[p] = f
			}
		}
	}
	return out, nil
}

func (r *replica) Paths(_ context.Context, id string) ([]string, error) {
	c, err := r.at(id)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(c.files)), nil
}

func (r *replica) Blobs(_ context.Context, ids []string) (content.Blobs, bool, error) {
	out := content.Blobs{}
	for _, id := range ids {
		b, ok := r.w.blobs[id]
		if !ok {
			return nil, false, fmt.Errorf("no blob %s", id)
		}
		out[id] = b
	}
	return out, false, nil
}

func (r *replica) Commit(_ context.Context, cs []promotion.NewCommit) ([]string, error) {
	var ids []string
	for _, n := range cs {
		if n.After > 0 {
			n.Base, n.Parents = ids[n.After-1], append([]string{ids[n.After-1]}, n.Parents...)
		}
		var files tree
		if n.Base != "" {
			c, err := r.at(n.Base)
			if err != nil {
				return nil, err
			}
			files = c.files
		}
		c := r.w.commit(r.w.apply(files, n.Edits), n.Parents, n.Author, n.Time, n.Message)
		r.known[c.ID] = true
		ids = append(ids, c.ID)
	}
	return ids, nil
}

func (r *replica) Push(_ context.Context, updates []promotion.RefUpdate, atomic bool) ([]promotion.PushResult, error) {
	return do(r, "push", func() ([]promotion.PushResult, error) {
		r.checkLate(updates)
		out := make([]promotion.PushResult, len(updates))
		refused := false
		for i, u := range updates {
			out[i] = promotion.PushResult{RefUpdate: u, Status: promotion.Pushed}
			if at := r.w.refs[u.Ref]; at != u.New && at != u.Old {
				out[i].Status, out[i].Reason, refused = promotion.Conflict, "stale info", true
			}
		}
		if atomic && refused {
			for i := range out {
				if out[i].Status == promotion.Pushed {
					out[i].Status = promotion.Bystander
				}
			}
			return out, nil
		}
		// Ledgers first: what a delivery's base is checked against.
		for _, base := range []bool{false, true} {
			for i, u := range updates {
				if out[i].Status == promotion.Pushed && r.w.refs[u.Ref] != u.New && r.w.layout.isBase(u.Ref) == base {
					r.w.note("%s pushes %s %.7s", r.name, u.Ref, u.New)
					r.w.setRef(u.Ref, u.New, bot)
					r.w.writes++
				}
			}
		}
		return out, nil
	})
}

// checkLate: between reading the base and pushing what was built on it nothing
// is asked of GitHub, but to sign commits.
func (r *replica) checkLate(updates []promotion.RefUpdate) {
	if r.slow == "" || r.slow == "have a commit signed" {
		return
	}
	for _, u := range updates {
		builds := r.w.layout.isBase(u.Ref)
		if c := r.w.commits[u.New]; c != nil && strings.HasPrefix(u.Ref, state.RefPrefix) {
			e, err := state.Peek(c.Message)
			builds = builds || err == nil && e.Kind == state.KindClaim
		}
		if builds {
			r.w.breaks("Late base", "%s pushes %s, and asked GitHub (%s) after it had read the base", r.name, u.Ref, r.slow)
		}
	}
}

func (r *replica) Versions(_ context.Context, src config.VersionSource) ([]promotion.Version, error) {
	return do(r, "list "+src.Repository, func() ([]promotion.Version, error) { return slices.Clone(r.w.releases), nil })
}

func (r *replica) Rules(_ context.Context, branch string) (promotion.Rules, error) {
	return do(r, "rules of "+branch, func() (promotion.Rules, error) { return r.w.rules, nil })
}

func (r *replica) Checks(_ context.Context, commit string) ([]promotion.CheckResult, error) {
	return do(r, fmt.Sprintf("checks of %.7s", commit), func() ([]promotion.CheckResult, error) { return slices.Clone(r.w.results[commit]), nil })
}

func (r *replica) MergeView(_ context.Context, number int) (promotion.MergeView, error) {
	return do(r, fmt.Sprintf("view #%d", number), func() (promotion.MergeView, error) {
		p := r.find(number)
		return promotion.MergeView{Head: p.Head, AutoMerge: p.AutoMerge, Queued: p.queued}, nil
	})
}

func (r *replica) EnableAutoMerge(_ context.Context, m reconcile.MergeRequest) error {
	return act(r, fmt.Sprintf("enable auto-merge of #%d", m.Number), func() error {
		p := r.find(m.Number)
		if !p.Open || p.Head != m.Head {
			return promotion.ErrConflict
		}
		r.w.writes++
		p.AutoMerge = true
		r.w.keep(p)
		return nil
	})
}

func (r *replica) DisableAutoMerge(_ context.Context, number int) error {
	return act(r, fmt.Sprintf("disable auto-merge of #%d", number), func() error {
		p := r.find(number)
		r.w.writes++
		p.AutoMerge = false
		r.w.keep(p)
		return nil
	})
}

func (r *replica) Enqueue(_ context.Context, number int, head string) error {
	return act(r, fmt.Sprintf("enqueue #%d", number), func() error {
		p := r.find(number)
		if !p.Open || p.Head != head {
			return promotion.ErrConflict
		}
		r.w.writes++
		p.queued = true
		return nil
	})
}

func (r *replica) Dequeue(_ context.Context, number int) error {
	return act(r, fmt.Sprintf("dequeue #%d", number), func() error {
		r.find(number).queued = false
		r.w.writes++
		return nil
	})
}

func (r *replica) CreateCommit(_ context.Context, tree string, parents []string, message string) (promotion.SignedCommit, error) {
	return do(r, "have a commit signed", func() (promotion.SignedCommit, error) { return r.w.sign(tree, parents, message) })
}

// Adopt takes a signed commit into the mirror.
func (r *replica) Adopt(_ context.Context, c promotion.SignedCommit) (string, error) {
	r.known[c.ID] = true
	return c.ID, nil
}

func (r *replica) PushAt() time.Time { return time.Time{} }
