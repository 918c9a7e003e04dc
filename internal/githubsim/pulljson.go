package githubsim

// Pull requests and reviews as GitHub shows them, and their events.

import (
	"maps"
	"net/url"
)

// headLabel is owner:branch.
func (p *pull) headLabel() string { return p.repo.owner.login + ":" + p.headRef }

// pullSimpleJSON is a pull-request-simple, as lists show it. repo is the
// repository's own JSON, which all pull requests of a list share.
func (s *Server) pullSimpleJSON(p *pull, repo obj) obj {
	r := p.repo
	self := r.api(s, "/pulls/%d", p.number)
	page := r.html(s, "/pull/%d", p.number)
	issue := r.api(s, "/issues/%d", p.number)
	statuses := r.api(s, "/statuses/%s", p.headSHA)
	state := "open"
	if p.closed {
		state = "closed"
	}
	side := func(branch, sha string) obj {
		return obj{"label": r.owner.login + ":" + branch, "ref": branch, "sha": sha, "user": s.userJSON(r.owner), "repo": repo}
	}
	var assignee any
	if len(p.assignees) > 0 {
		assignee = s.userJSON(p.assignees[0])
	}
	href := func(to string) obj { return obj{"href": to} }
	return obj{
		"url": self, "id": p.pullID, "node_id": nodeID("PullRequest", p.pullID), "html_url": page,
		"diff_url": page + ".diff", "patch_url": page + ".patch", "issue_url": issue,
		"commits_url": self + "/commits", "review_comments_url": self + "/comments",
		"review_comment_url": r.api(s, "/pulls/comments{/number}"), "comments_url": issue + "/comments", "statuses_url": statuses,
		"number": p.number, "state": state, "locked": p.locked, "active_lock_reason": nil, "title": p.title,
		"user": s.userJSON(p.author), "body": orNull(p.body),
		"labels":    render(p.labels, func(l *label) obj { return s.labelJSON(r, l) }),
		"milestone": nil, "assignee": assignee, "assignees": render(p.assignees, s.userJSON),
		"requested_reviewers": render(p.reviewers, s.userJSON), "requested_teams": render(p.teams, s.reviewTeamJSON),
		"created_at": stamp(p.createdAt), "updated_at": stamp(p.updatedAt), "closed_at": stamp(p.closedAt),
		"merged_at": stamp(p.mergedAt), "merge_commit_sha": orNull(p.mergeSHA), "draft": p.draft,
		"head": side(p.headRef, p.headSHA), "base": side(p.baseRef, p.baseSHA),
		"author_association": s.association(r, p.author), "auto_merge": s.autoMergeJSON(p),
		"_links": obj{
			"self": href(self), "html": href(page), "issue": href(issue), "comments": href(issue + "/comments"),
			"review_comments": href(self + "/comments"), "review_comment": href(r.api(s, "/pulls/comments{/number}")),
			"commits": href(self + "/commits"), "statuses": href(statuses),
		},
	}
}

// pullJSON is a pull-request with all its fields.
func (s *Server) pullJSON(p *pull) obj { return s.pullJSONFor(p, identity{}) }

// pullJSONFor is a pull-request as someone sees it.
func (s *Server) pullJSONFor(p *pull, who identity) obj {
	out := s.pullSimpleJSON(p, s.repositoryJSON(p.repo))
	mergeable, state := s.mergeability(p, who)
	maps.Copy(out, obj{
		"merged": !p.mergedAt.IsZero(), "mergeable": mergeable, "rebaseable": mergeable, "mergeable_state": state,
		"merged_by": s.userOrNull(p.mergedBy), "comments": p.comments, "review_comments": 0, "maintainer_can_modify": false,
		"commits": p.stats.commits, "additions": p.stats.added, "deletions": p.stats.gone, "changed_files": p.stats.files,
	})
	return out
}

// reviewTeamJSON is a team that was asked for a review.
func (s *Server) reviewTeamJSON(t *team) obj {
	self := s.api("/organizations/%d/team/%d", t.org.id, t.id)
	return obj{
		"id": t.id, "node_id": nodeID("Team", t.id), "name": t.name, "slug": t.slug, "description": "", "privacy": "closed",
		"notification_setting": "notifications_enabled", "permission": "pull", "url": self, "type": "organization",
		"html_url":    s.url + "/orgs/" + url.PathEscape(t.org.login) + "/teams/" + url.PathEscape(t.slug),
		"members_url": self + "/members{/member}", "repositories_url": self + "/repos", "parent": nil,
	}
}

// emitPull sends a pull_request event.
func (s *Server) emitPull(p *pull, action string, sender *user, more obj) {
	payload := obj{"number": p.number, "pull_request": s.pullHookJSON(p)}
	maps.Copy(payload, more)
	s.emit(p.repo, "pull_request", action, sender, payload)
}

// pullHookJSON is a pull request as events carry it. Their mergeable is what
// is known at that moment, and mostly nothing is.
func (s *Server) pullHookJSON(p *pull) obj { return s.pullJSON(p) }

// reviewJSON is a pull-request-review.
func (s *Server) reviewJSON(p *pull, rv *review) obj {
	page := p.repo.html(s, "/pull/%d#pullrequestreview-%d", p.number, rv.id)
	pullURL := p.repo.api(s, "/pulls/%d", p.number)
	out := obj{
		"id": rv.id, "node_id": nodeID("PullRequestReview", rv.id), "user": s.userJSON(rv.author), "body": rv.body,
		"state": rv.state, "html_url": page, "pull_request_url": pullURL, "author_association": s.association(p.repo, rv.author),
		"commit_id": rv.commit, "_links": obj{"html": obj{"href": page}, "pull_request": obj{"href": pullURL}},
	}
	if !rv.submittedAt.IsZero() {
		out["submitted_at"] = stamp(rv.submittedAt)
	}
	return out
}

// emitReview sends a pull_request_review event. Unlike the API it writes the
// state in lower case.
func (s *Server) emitReview(p *pull, rv *review, action string, sender *user) {
	shown := s.reviewJSON(p, rv)
	shown["state"] = map[string]string{
		"APPROVED": "approved", "CHANGES_REQUESTED": "changes_requested", "COMMENTED": "commented",
		"DISMISSED": "dismissed", "PENDING": "pending",
	}[rv.state]
	shown["body"], shown["submitted_at"] = orNull(rv.body), stamp(rv.submittedAt)
	brief := s.pullSimpleJSON(p, s.repositoryJSON(p.repo))
	s.emit(p.repo, "pull_request_review", action, sender, obj{"review": shown, "pull_request": brief})
}
