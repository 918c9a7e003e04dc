package githubsim

// Pull requests, auto-merge and merge queues as GraphQL shows them.

import (
	"slices"
	"strings"

	"github.com/promobot/promobot/internal/githubsim/graphql"
)

// graphState is OPEN, CLOSED or MERGED.
func (p *pull) graphState() string {
	switch {
	case !p.mergedAt.IsZero():
		return "MERGED"
	case p.closed:
		return "CLOSED"
	}
	return "OPEN"
}

// current is the pull request itself, of one that a lagging list showed.
func (p *pull) current() *pull { return p.repo.issues[p.number].pull }

// state is mergeable and mergeStateStatus. Asking for them makes them known,
// as a read by REST does.
func (g *graph) state(p *pull) (any, string, error) {
	p = p.current()
	g.c.repo = p.repo
	if !g.looked[p] { // one question looks once, however many fields it has
		if err := g.s.refresh(g.c, p); err != nil {
			return nil, "", refused(err)
		}
		put(&g.looked, p, true)
	}
	mergeable, state := g.s.mergeability(p, g.c.who)
	return mergeable, state, nil
}

func (g *graph) pullFields() map[string]graphql.Resolve {
	object := func(kind string, of any, is bool) any {
		if !is {
			return nil
		}
		return graphql.Object{Type: kind, Of: of}
	}
	queued := func(p *pull) *queueEntry { return g.s.entryOf(p.current()) }
	return map[string]graphql.Resolve{
		"id":                plain(func(p *pull) any { return nodeID("PullRequest", p.pullID) }),
		"databaseId":        plain(func(p *pull) any { return p.pullID }),
		"fullDatabaseId":    plain(func(p *pull) any { return fmtInt(int(p.pullID)) }),
		"number":            plain(func(p *pull) any { return p.number }),
		"title":             plain(func(p *pull) any { return p.title }),
		"body":              plain(func(p *pull) any { return p.body }),
		"url":               plain(func(p *pull) any { return p.repo.html(g.s, "/pull/%d", p.number) }),
		"state":             plain(func(p *pull) any { return p.graphState() }),
		"isDraft":           plain(func(p *pull) any { return p.draft }),
		"closed":            plain(func(p *pull) any { return p.closed }),
		"merged":            plain(func(p *pull) any { return !p.mergedAt.IsZero() }),
		"locked":            plain(func(p *pull) any { return p.locked }),
		"createdAt":         plain(func(p *pull) any { return stamp(p.createdAt) }),
		"updatedAt":         plain(func(p *pull) any { return stamp(p.updatedAt) }),
		"closedAt":          plain(func(p *pull) any { return stamp(p.closedAt) }),
		"mergedAt":          plain(func(p *pull) any { return stamp(p.mergedAt) }),
		"author":            plain(func(p *pull) any { return g.account(p.author) }),
		"mergedBy":          plain(func(p *pull) any { return g.account(p.mergedBy) }),
		"headRefName":       plain(func(p *pull) any { return p.headRef }),
		"headRefOid":        plain(func(p *pull) any { return p.headSHA }),
		"baseRefName":       plain(func(p *pull) any { return p.baseRef }),
		"baseRefOid":        plain(func(p *pull) any { return p.baseSHA }),
		"isCrossRepository": plain(func(*pull) any { return false }),
		"repository":        plain(func(p *pull) any { return graphql.Object{Type: "Repository", Of: p.repo} }),
		"headRepository":    plain(func(p *pull) any { return graphql.Object{Type: "Repository", Of: p.repo} }),
		"baseRepository":    plain(func(p *pull) any { return graphql.Object{Type: "Repository", Of: p.repo} }),
		"mergeCommit": plain(func(p *pull) any {
			return object("Commit", commitAt{p.repo, p.mergeSHA}, !p.mergedAt.IsZero())
		}),
		"reviewDecision": func(of any, _ graphql.Args) (any, error) {
			p := of.(*pull).current()
			g.c.repo = p.repo
			if err := g.s.learnFacts(g.c, p); err != nil {
				return nil, refused(err)
			}
			return orNull(g.s.reviewDecision(p)), nil
		},
		"mergeable": func(of any, _ graphql.Args) (any, error) {
			mergeable, _, err := g.state(of.(*pull))
			word := map[any]string{true: "MERGEABLE", false: "CONFLICTING", nil: "UNKNOWN"}[mergeable]
			return word, err
		},
		"mergeStateStatus": func(of any, _ graphql.Args) (any, error) {
			_, state, err := g.state(of.(*pull))
			return strings.ToUpper(state), err
		},
		"isInMergeQueue":      plain(func(p *pull) any { return queued(p) != nil }),
		"isMergeQueueEnabled": plain(func(p *pull) any { return g.s.queueOn(p.repo, p.baseRef) != nil }),
		"mergeQueueEntry":     plain(func(p *pull) any { return object("MergeQueueEntry", queued(p), queued(p) != nil) }),
		"mergeQueue":          plain(func(p *pull) any { return g.queue(p.repo, p.baseRef) }),
		"autoMergeRequest":    plain(func(p *pull) any { return object("AutoMergeRequest", p, p.auto != nil) }),
		"viewerCanEnableAutoMerge": plain(func(p *pull) any {
			return !p.closed && p.auto == nil && p.repo.allowAutoMerge && g.may(p.repo, "pull_requests:write", "contents:write") == nil
		}),
		"viewerCanDisableAutoMerge": plain(func(p *pull) any {
			return p.auto != nil && g.may(p.repo, "pull_requests:write", "contents:write") == nil
		}),
		"labels": func(of any, a graphql.Args) (any, error) {
			var nodes []graphql.Object
			for _, l := range of.(*pull).labels {
				nodes = append(nodes, graphql.Object{Type: "Label", Of: l})
			}
			page, err := graphql.Page(nodes, a)
			if err != nil {
				return nil, err
			}
			return graphql.Object{Type: "LabelConnection", Of: page}, nil
		},
	}
}

// queue is the merge queue of a branch, or nil.
func (g *graph) queue(r *repository, branch string) any {
	if g.s.queueOn(r, branch) == nil {
		return nil
	}
	return graphql.Object{Type: "MergeQueue", Of: queueAt{r, branch}}
}

// entries are those in a queue.
func (q queueAt) entries() []*queueEntry {
	if waiting := q.r.queues[q.branch]; waiting != nil {
		return waiting.entries
	}
	return nil
}

// stateOf is a MergeQueueEntryState.
func (s *Server) stateOf(e *queueEntry) string {
	if e.group == nil {
		return "QUEUED"
	}
	q := e.p.repo.queues[e.p.baseRef]
	if q == nil {
		return "LOCKED"
	}
	switch s.verdict(e.p.repo, q, e.group) {
	case contextPassed:
		return "MERGEABLE"
	case contextFailed:
		return "UNMERGEABLE"
	case contextAbsent, contextPending:
	}
	return "AWAITING_CHECKS"
}

// addQueues adds merge queues and auto-merge.
func (g *graph) addQueues(t graphql.Types) {
	settings := func(f func(*MergeQueue) any) graphql.Resolve {
		return plain(func(q queueAt) any {
			if set := g.s.queueOn(q.r, q.branch); set != nil {
				return f(set)
			}
			return nil
		})
	}
	page := func(q queueAt) string { return q.r.html(g.s, "/queue/%s", escapePath(q.branch)) }
	t["MergeQueue"] = map[string]graphql.Resolve{
		"id":            plain(func(q queueAt) any { return nodeID("MergeQueue", fmtInt(int(q.r.id))+":"+q.branch) }),
		"url":           plain(func(q queueAt) any { return page(q) }),
		"resourcePath":  plain(func(q queueAt) any { return strings.TrimPrefix(page(q), g.s.url) }),
		"repository":    plain(func(q queueAt) any { return graphql.Object{Type: "Repository", Of: q.r} }),
		"configuration": plain(func(q queueAt) any { return graphql.Object{Type: "MergeQueueConfiguration", Of: q} }),
		"entries": func(of any, a graphql.Args) (any, error) {
			var nodes []graphql.Object
			for _, e := range of.(queueAt).entries() {
				nodes = append(nodes, graphql.Object{Type: "MergeQueueEntry", Of: e})
			}
			page, err := graphql.Page(nodes, a)
			if err != nil {
				return nil, err
			}
			return graphql.Object{Type: "MergeQueueEntryConnection", Of: page}, nil
		},
	}
	t["MergeQueueConfiguration"] = map[string]graphql.Resolve{
		"checkResponseTimeout":          settings(func(q *MergeQueue) any { return q.TimeoutMinutes }),
		"maximumEntriesToBuild":         settings(func(q *MergeQueue) any { return q.MaxBuild }),
		"maximumEntriesToMerge":         settings(func(q *MergeQueue) any { return q.MaxMerge }),
		"minimumEntriesToMerge":         settings(func(q *MergeQueue) any { return q.MinMerge }),
		"minimumEntriesToMergeWaitTime": settings(func(q *MergeQueue) any { return q.WaitMinutes }),
		"mergeMethod":                   settings(func(q *MergeQueue) any { return strings.ToUpper(q.Method) }),
		"mergingStrategy": settings(func(q *MergeQueue) any {
			if q.HeadGreen {
				return "HEADGREEN"
			}
			return "ALLGREEN"
		}),
	}
	commitOf := func(of func(*mergeGroup) string) graphql.Resolve {
		return plain(func(e *queueEntry) any {
			if e.group == nil {
				return nil
			}
			return graphql.Object{Type: "Commit", Of: commitAt{e.p.repo, of(e.group)}}
		})
	}
	t["MergeQueueEntry"] = map[string]graphql.Resolve{
		"id":          plain(func(e *queueEntry) any { return nodeID("MergeQueueEntry", e.id) }),
		"enqueuedAt":  plain(func(e *queueEntry) any { return stamp(e.at) }),
		"enqueuer":    plain(func(e *queueEntry) any { return g.account(e.by) }),
		"jump":        plain(func(e *queueEntry) any { return e.jump }),
		"solo":        plain(func(*queueEntry) any { return false }),
		"state":       plain(func(e *queueEntry) any { return g.s.stateOf(e) }),
		"position":    plain(func(e *queueEntry) any { return 1 + slices.Index(queueAt{e.p.repo, e.p.baseRef}.entries(), e) }),
		"pullRequest": plain(func(e *queueEntry) any { return graphql.Object{Type: "PullRequest", Of: e.p} }),
		"mergeQueue":  plain(func(e *queueEntry) any { return g.queue(e.p.repo, e.p.baseRef) }),
		"baseCommit":  commitOf(func(m *mergeGroup) string { return m.base }),
		"headCommit":  commitOf(func(m *mergeGroup) string { return m.head }),
	}
	auto := func(f func(*pull, *autoMerge) any) graphql.Resolve {
		return plain(func(p *pull) any {
			if p.auto == nil { // off since it was asked for
				return nil
			}
			return f(p, p.auto)
		})
	}
	t["AutoMergeRequest"] = map[string]graphql.Resolve{
		"enabledAt":      auto(func(_ *pull, a *autoMerge) any { return stamp(a.at) }),
		"enabledBy":      auto(func(_ *pull, a *autoMerge) any { return g.account(a.by) }),
		"mergeMethod":    auto(func(_ *pull, a *autoMerge) any { return strings.ToUpper(a.method) }),
		"authorEmail":    auto(func(_ *pull, a *autoMerge) any { return orNull(a.by.email) }),
		"commitHeadline": auto(func(_ *pull, a *autoMerge) any { return a.title }),
		"commitBody":     auto(func(_ *pull, a *autoMerge) any { return a.body }),
		"pullRequest":    auto(func(p *pull, _ *autoMerge) any { return graphql.Object{Type: "PullRequest", Of: p} }),
	}
}
