package githubsim

// How pull requests follow moving refs: a pushed head synchronizes, a deleted
// head or base closes, a base that has gained the head shows the pull request
// as merged. What needs git is planned first, without the mutex.

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// pullPlan is what ref changes mean for pull requests.
type pullPlan struct {
	refs  []refUpdate // of refs/pull/N/head, made already
	moves []pullMove
}

// pullMove is one pull request's part in a plan.
type pullMove struct {
	number   int
	newHead  string // "": the head stays
	deleted  bool   // head or base branch is gone
	mergedBy string // the base's commit that brought the head in
	empty    bool   // the head has nothing that the base lacks
	stats    pullStats
}

// openPulls are the open pull requests in the order of their numbers.
func (r *repository) openPulls() []*pull {
	var out []*pull
	for _, n := range slices.Sorted(maps.Keys(r.issues)) {
		if p := r.issues[n].pull; p != nil && !p.closed {
			out = append(out, p)
		}
	}
	return out
}

// planPulls finds out what becomes of the open pull requests, and moves
// refs/pull/N/head.
func (s *Server) planPulls(ctx context.Context, r *repository, updates []refUpdate) (pullPlan, error) {
	moved := map[string]refUpdate{}
	for _, u := range updates {
		if branch, is := strings.CutPrefix(u.name, "refs/heads/"); is {
			moved[branch] = u
		}
	}
	type affected struct {
		number        int
		head, base    string
		headTo        refUpdate
		baseTo        refUpdate
		hasHead, hasB bool
	}
	s.mu.Lock()
	var list []affected
	for _, p := range r.openPulls() {
		a := affected{number: p.number, head: p.headSHA, base: r.refs["refs/heads/"+p.baseRef]}
		a.headTo, a.hasHead = moved[p.headRef]
		a.baseTo, a.hasB = moved[p.baseRef]
		if a.hasHead || a.hasB {
			list = append(list, a)
		}
	}
	s.mu.Unlock()

	var plan pullPlan
	gained := map[string]map[string]bool{} // branch → the commits it gained
	for _, a := range list {
		m := pullMove{number: a.number}
		if a.hasB {
			a.base = a.baseTo.new
		}
		switch {
		case a.hasHead && a.headTo.new == zeroID, a.hasB && a.base == zeroID:
			m.deleted = true
		case a.hasHead:
			m.newHead, a.head = a.headTo.new, a.headTo.new
			plan.refs = append(plan.refs, refUpdate{fmt.Sprintf("refs/pull/%d/head", a.number), a.headTo.old, m.newHead})
			stats, err := r.store.pullStats(ctx, a.base, a.head)
			if err != nil {
				return plan, err
			}
			m.stats, m.empty = stats, stats.commits == 0
		}
		if !m.deleted && a.hasB && gained[a.baseTo.name] == nil {
			commits, err := r.store.gained(ctx, a.baseTo)
			if err != nil {
				return plan, err
			}
			gained[a.baseTo.name] = commits
		}
		if !m.deleted && gained[a.baseTo.name][a.head] {
			by, err := r.store.broughtIn(ctx, a.baseTo, a.head)
			if err != nil {
				return plan, err
			}
			m.mergedBy = by
		}
		plan.moves = append(plan.moves, m)
	}
	// The old value is left out: refs/pull belongs to the server alone.
	var blind []refUpdate
	for _, u := range plan.refs {
		blind = append(blind, refUpdate{u.name, "", u.new})
	}
	return plan, r.store.updateRefs(ctx, blind...)
}

// gained are the commits that an update brought into a branch that was there
// before. One list serves all pull requests of the branch.
func (st *store) gained(ctx context.Context, u refUpdate) (map[string]bool, error) {
	out := map[string]bool{}
	if u.old == zeroID {
		return out, nil
	}
	ids, err := st.commitsBetween(ctx, u.old, u.new)
	for _, id := range ids {
		out[id] = true
	}
	return out, err
}

// broughtIn is the first commit of the base's first-parent history that
// contains head, which the update brought in.
func (st *store) broughtIn(ctx context.Context, base refUpdate, head string) (string, error) {
	out, err := st.run(ctx, gitInput{}, "rev-list", "--first-parent", "--ancestry-path", "--reverse", base.new, "^"+base.old, "^"+head)
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(out), "\n")
	if first == "" {
		return head, nil // the base was moved to the head itself
	}
	return first, nil
}

// carryOut applies a plan, with Server.mu held.
func (s *Server) carryOut(r *repository, actor *user, plan pullPlan) {
	for _, m := range plan.moves {
		i := r.issues[m.number]
		if i == nil || i.closed {
			continue // merged in the meantime, or by the very update
		}
		p := i.pull
		if m.newHead != "" && m.newHead != p.headSHA {
			before := p.headSHA
			p.headSHA, p.stats, p.lastPush = m.newHead, m.stats, actor
			p.baseSHA = r.refs["refs/heads/"+p.baseRef]
			s.dismissStale(p)
			s.leaveQueue(p, "UNKNOWN_REMOVAL_REASON", actor)
			if !s.mayWrite(r, actor) {
				s.disableAuto(p, actor, "Head branch was pushed to by a user without write access")
			}
			s.pullChanged(p)
			if m.mergedBy == "" && !m.empty {
				s.emitPull(p, "synchronize", actor, obj{"before": before, "after": m.newHead})
			}
		}
		switch {
		case m.mergedBy != "":
			s.pullMerged(p, m.mergedBy, actor)
		case m.deleted, m.empty:
			s.closePull(p, actor)
		}
	}
}

// dismissStale takes approvals back after a push, where the rules say so.
func (s *Server) dismissStale(p *pull) {
	for _, rule := range s.rulesOn(p.repo, p.baseRef, identity{}) {
		if !rule.dismissStale {
			continue
		}
		for _, rv := range p.reviews {
			if rv.state == "APPROVED" {
				rv.state = "DISMISSED"
				s.emitReview(p, rv, "dismissed", p.repo.owner)
			}
		}
	}
}

// closePull closes a pull request without merging it.
func (s *Server) closePull(p *pull, actor *user) {
	s.leaveQueue(p, "UNKNOWN_REMOVAL_REASON", actor)
	s.disableAuto(p, actor, "Pull request was closed")
	p.closed, p.closedAt, p.closedBy = true, s.now(), actor
	s.pullChanged(p)
	s.emitPull(p, "closed", actor, nil)
}

// pullMerged marks a pull request as merged by a commit of its base, and tells.
func (s *Server) pullMerged(p *pull, commit string, actor *user) {
	s.leaveQueue(p, "ALREADY_MERGED", actor)
	s.markMerged(p, commit, actor)
	s.emitPull(p, "closed", actor, nil)
}

// markMerged marks a pull request as merged; others are not told yet.
func (s *Server) markMerged(p *pull, commit string, actor *user) {
	now := s.now()
	p.closed, p.closedAt, p.closedBy = true, now, actor
	p.mergedAt, p.mergedBy, p.mergeSHA = now, actor, commit
	s.forgetAuto(p)
	s.pullChanged(p)
}

// pullChanged notes a change of a pull request: its time, and what it is now
// for lists that lag. Called after every change that lists show.
func (s *Server) pullChanged(p *pull) {
	p.updatedAt = s.now()
	s.noteVersion(p)
}

// noteVersion remembers how a pull request is from now on. Versions that no
// list can ask for any more are forgotten.
func (s *Server) noteVersion(p *pull) {
	now := s.clock()
	old := now.Add(-s.habits.ListLag)
	for len(p.history) > 1 && !p.history[1].from.After(old) {
		p.history = p.history[1:]
	}
	shown := *p.issue
	shown.labels, shown.assignees = slices.Clone(p.labels), slices.Clone(p.assignees)
	was := *p
	was.issue, was.reviewers, was.reviews, was.history = &shown, slices.Clone(p.reviewers), nil, nil
	p.history = append(p.history, pullVersion{from: now, was: &was})
}

// asListed is the pull request as lists show it: as it was ListLag ago; nil
// if it was not there yet.
func (s *Server) asListed(p *pull) *pull {
	if s.habits.ListLag <= 0 {
		return p
	}
	then := s.clock().Add(-s.habits.ListLag)
	var was *pull
	for _, v := range p.history {
		if !v.from.After(then) {
			was = v.was
		}
	}
	return was
}
