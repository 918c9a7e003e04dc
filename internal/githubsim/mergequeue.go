package githubsim

// Merge queues (Managing a merge queue; Merging a pull request with a merge
// queue). Rules:
//
//   - An entry is built on the one before it: a merge group, whose branch is
//     gh-readonly-queue/{base}/pr-{number}-{sha of what it is built on}.
//   - Checks that the base requires are asked of the group's head. When the
//     first entries have theirs, the base is moved to the last one's head: one
//     push, with the commits of each pull request in it.
//   - The method is the queue's; nobody's message counts.
//   - Whatever makes an entry leave makes those behind it be built anew.

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// mergeQueue is what waits to be merged into a branch.
type mergeQueue struct {
	branch  string
	entries []*queueEntry
}

// queueEntry is one pull request in a queue.
type queueEntry struct {
	id    int64
	p     *pull
	by    *user
	at    time.Time
	jump  bool
	group *mergeGroup // nil: not built
}

// mergeGroup is what an entry leads to when everything before it is merged.
type mergeGroup struct {
	base, head, ref string
	commit          commit
	at              time.Time
}

// entryOf is a pull request's place in the queue, nil if it has none.
func (s *Server) entryOf(p *pull) *queueEntry {
	q := p.repo.queues[p.baseRef]
	if q == nil {
		return nil
	}
	for _, e := range q.entries {
		if e.p == p {
			return e
		}
	}
	return nil
}

// joinQueue puts a pull request into the queue of its base, or refuses.
func (s *Server) joinQueue(c *call, p *pull, jump bool) error {
	settings := s.queueOn(p.repo, p.baseRef)
	switch {
	case p.closed:
		return unprocessable("Pull request is closed")
	case settings == nil:
		return unprocessable("Pull request base branch does not have a merge queue")
	case s.entryOf(p) != nil:
		return unprocessable("Pull request is already in the merge queue")
	case p.draft:
		return unprocessable("Pull request is in draft status")
	}
	if err := s.compute(c, p); err != nil {
		return err
	}
	if _, state := s.mergeability(p, identity{}); state == "dirty" {
		return unprocessable("Pull request is in dirty status")
	}
	list := slices.DeleteFunc(s.objections(p, c.who), func(o objection) bool { return o.queue || o.behind })
	if why := said(list); why != "" {
		return unprocessable(strings.TrimSpace(why))
	}
	q := p.repo.queues[p.baseRef]
	if q == nil {
		q = &mergeQueue{branch: p.baseRef}
		put(&p.repo.queues, p.baseRef, q)
	}
	e := &queueEntry{id: s.next("queue entry"), p: p, by: c.actor, at: s.now(), jump: jump}
	if jump {
		q.entries = slices.Insert(q.entries, 0, e)
	} else {
		q.entries = append(q.entries, e)
	}
	s.pullChanged(p)
	s.emitPull(p, "enqueued", c.actor, nil)
	s.lookAgain(p.repo)
	return nil
}

// leaveQueue takes a pull request out of its queue, if it stands there.
func (s *Server) leaveQueue(p *pull, reason string, actor *user) {
	e := s.entryOf(p)
	if e == nil {
		return
	}
	q := p.repo.queues[p.baseRef]
	q.entries = slices.DeleteFunc(q.entries, func(one *queueEntry) bool { return one == e })
	if e.group != nil {
		s.groupGone(p.repo, q, e.group, "dequeued")
	}
	s.pullChanged(p)
	s.emitPull(p, "dequeued", actor, obj{"reason": reason})
	s.lookAgain(p.repo)
}

// groupGone tells that a group is no more. Its branch is removed by advance,
// which may move refs.
func (s *Server) groupGone(r *repository, q *mergeQueue, g *mergeGroup, reason string) {
	payload := q.groupJSON(g)
	payload["reason"] = reason
	s.emit(r, "merge_group", "destroyed", s.queueBot, payload)
}

// groupJSON is a merge_group.
func (q *mergeQueue) groupJSON(g *mergeGroup) obj {
	person := func(sig signature) obj { return obj{"name": sig.name, "email": sig.email} }
	return obj{"merge_group": obj{
		"head_sha": g.head, "head_ref": g.ref, "base_sha": g.base, "base_ref": "refs/heads/" + q.branch,
		"head_commit": obj{
			"id": g.head, "tree_id": g.commit.tree, "message": g.commit.message, "timestamp": stamp(g.commit.committer.when),
			"author": person(g.commit.author), "committer": person(g.commit.committer),
		},
	}}
}

// advance builds, judges and merges until nothing more can be done.
func (s *Server) advance(r *repository, q *mergeQueue) error {
	c := s.own(r, identity{}, s.queueBot)
	defer c.lockRefs()()
	for {
		settings := s.queueOn(r, q.branch)
		if settings == nil || r.refs["refs/heads/"+q.branch] == "" {
			for _, e := range slices.Clone(q.entries) {
				s.leaveQueue(e.p, "QUEUE_CLEARED", s.queueBot)
			}
			return s.sweepGroups(c, q)
		}
		s.invalidate(r, q)
		if err := s.sweepGroups(c, q); err != nil {
			return err
		}
		if out, err := s.buildGroups(c, q, settings); err != nil {
			return err
		} else if out || s.queueOn(r, q.branch) != settings { // it left, or the rules changed, while it was built
			continue
		}
		if s.dropFailed(r, q, settings) {
			continue
		}
		n := s.ready(r, q, settings)
		if n == 0 {
			return nil
		}
		if err := s.mergeGroups(c, q, n); err != nil {
			return err
		}
	}
}

// invalidate forgets the groups that are built on what is no longer before them.
func (s *Server) invalidate(r *repository, q *mergeQueue) {
	base := r.refs["refs/heads/"+q.branch]
	for _, e := range q.entries {
		if e.group == nil {
			base = ""
			continue
		}
		if e.group.base != base {
			s.groupGone(r, q, e.group, "invalidated")
			e.group = nil
			base = ""
			continue
		}
		base = e.group.head
	}
}

// sweepGroups removes the branches of groups that are no more.
func (s *Server) sweepGroups(c *call, q *mergeQueue) error {
	kept := map[string]bool{}
	for _, e := range q.entries {
		if e.group != nil {
			kept[e.group.ref] = true
		}
	}
	var gone []refUpdate
	for name, id := range c.repo.refs {
		if strings.HasPrefix(name, q.prefix()) && !kept[name] {
			gone = append(gone, refUpdate{name, id, zeroID})
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return c.moveRefs(nil, gone...)
}

func (q *mergeQueue) prefix() string { return "refs/heads/gh-readonly-queue/" + q.branch + "/pr-" }

// buildGroups builds the groups that are missing, in order. It is true when an
// entry had to leave, because it does not merge.
func (s *Server) buildGroups(c *call, q *mergeQueue, settings *MergeQueue) (bool, error) {
	base := c.repo.refs["refs/heads/"+q.branch]
	for _, e := range slices.Clone(q.entries[:min(len(q.entries), settings.MaxBuild)]) {
		if e.group != nil {
			base = e.group.head
			continue
		}
		plan := s.mergePlan(c, e.p, mergeInput{Method: settings.Method}, base)
		plan.merger = signature{name: e.by.name, email: e.by.email, when: s.now()}
		g := &mergeGroup{base: base, ref: fmt.Sprintf("%s%d-%s", q.prefix(), e.p.number, base), at: s.clock()}
		err := c.git(func() (err error) {
			if g.head, err = plan.build(c.ctx(), c.repo.store); err != nil {
				return err
			}
			g.commit, err = c.repo.store.commit(g.head)
			return err
		})
		if s.entryOf(e.p) != e { // it left while it was built
			return true, nil
		}
		if _, refused := errors.AsType[*apiError](err); refused { // it does not merge
			s.leaveQueue(e.p, "MERGE_CONFLICT", s.queueBot)
			return true, nil
		}
		if err != nil {
			return false, err
		}
		e.group = g
		if err := c.moveRefs(nil, refUpdate{g.ref, zeroID, g.head}); err != nil {
			e.group = nil
			return false, err
		}
		s.emit(c.repo, "merge_group", "checks_requested", s.queueBot, q.groupJSON(g))
		s.lookAgainAfter(c.repo, time.Duration(settings.TimeoutMinutes)*time.Minute)
		base = g.head
	}
	return false, nil
}

// verdict is how a group stands with the checks that the base requires.
func (s *Server) verdict(r *repository, q *mergeQueue, g *mergeGroup) contextVerdict {
	worst := contextPassed
	for _, rule := range s.rulesOn(r, q.branch, identity{}) {
		for _, check := range rule.checks {
			switch v := s.requiredContext(r, g.head, check.context, check.app); v {
			case contextFailed:
				return contextFailed
			case contextAbsent, contextPending:
				worst = contextPending
			case contextPassed:
			}
		}
	}
	return worst
}

// dropFailed makes the first entry leave whose checks failed or take too long,
// or whose reviews were taken back.
func (s *Server) dropFailed(r *repository, q *mergeQueue, settings *MergeQueue) bool {
	for i, e := range q.entries {
		for _, rule := range s.rulesOn(r, q.branch, identity{}) {
			if s.reviewObjection(e.p, rule) != "" {
				s.leaveQueue(e.p, "BRANCH_PROTECTIONS", s.queueBot)
				return true
			}
		}
		if e.group == nil {
			continue
		}
		// With HEADGREEN one that fails is carried by the next that passes.
		carried := settings.HeadGreen && i+1 < len(q.entries) && q.entries[i+1].group != nil
		switch v := s.verdict(r, q, e.group); {
		case v == contextFailed && !carried:
			s.leaveQueue(e.p, "CI_FAILURE", s.queueBot)
			return true
		case v == contextPending && !s.clock().Before(e.group.at.Add(time.Duration(settings.TimeoutMinutes)*time.Minute)):
			s.leaveQueue(e.p, "CI_TIMEOUT", s.queueBot)
			return true
		}
	}
	return false
}

// ready is how many of the first entries can be merged now.
func (s *Server) ready(r *repository, q *mergeQueue, settings *MergeQueue) int {
	n := 0
	for i, e := range q.entries {
		if i >= settings.MaxMerge || e.group == nil {
			break
		}
		passed := s.verdict(r, q, e.group) == contextPassed
		if passed {
			n = i + 1
		} else if !settings.HeadGreen {
			break
		}
	}
	if n == 0 || n >= settings.MinMerge {
		return n
	}
	left := q.entries[0].at.Add(time.Duration(settings.WaitMinutes) * time.Minute).Sub(s.clock())
	if left > 0 {
		s.lookAgainAfter(r, left)
		return 0
	}
	return n
}

// mergeGroups moves the base to the n-th entry's group.
func (s *Server) mergeGroups(c *call, q *mergeQueue, n int) error {
	done := slices.Clone(q.entries[:n])
	base := c.repo.refs["refs/heads/"+q.branch]
	err := c.moveRefs(func() func() {
		q.entries = slices.DeleteFunc(q.entries, func(e *queueEntry) bool { return slices.Contains(done, e) })
		for _, e := range done {
			e.p.baseSHA = e.group.base
			s.markMerged(e.p, e.group.head, s.queueBot)
		}
		return func() {
			for _, e := range done {
				s.emitPull(e.p, "dequeued", s.queueBot, obj{"reason": "MERGE"})
				s.emitPull(e.p, "closed", s.queueBot, nil)
				s.groupGone(c.repo, q, e.group, "merged")
			}
		}
	}, refUpdate{"refs/heads/" + q.branch, base, done[n-1].group.head})
	if err != nil {
		return err
	}
	for _, e := range done {
		if err := s.deleteMergedHead(c, e.p); err != nil {
			return err
		}
	}
	return s.sweepGroups(c, q)
}
