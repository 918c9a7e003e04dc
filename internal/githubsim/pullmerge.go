package githubsim

// Merging: whether a pull request can be, and doing it by one of the three
// methods with real commits (Merge a pull request; About pull request merges).

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func (s *Server) mergeRoutes() {
	s.handle("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", need{app: reads("pull_requests"), role: RoleRead}, s.isMerged)
	s.handle("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", need{app: writes("contents"), role: RoleWrite, creates: true}, s.mergePull)
	s.handle("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/update-branch", need{app: writes("pull_requests"), role: RoleWrite}, s.updateBranch)
}

func (s *Server) isMerged(c *call) (reply, error) {
	p, err := s.pullOf(c)
	if err != nil {
		return reply{}, err
	}
	if p.mergedAt.IsZero() {
		return reply{}, notFound()
	}
	return noContent(), nil
}

// refresh computes what a read of one pull request shows: the counts, and
// whether it merges. By habit the first read after a change only asks for
// the latter.
func (s *Server) refresh(c *call, p *pull) error {
	base, head := p.diffTips()
	if p.closed || c.repo.refs["refs/heads/"+p.baseRef] == "" {
		return nil
	}
	if err := s.learnFacts(c, p); err != nil {
		return err
	}
	merge := p.mergeable.head != head || p.mergeable.base != base
	if merge && s.habits.LazyMergeable && (p.mergeable.askedHead != head || p.mergeable.askedBase != base) {
		p.mergeable.askedHead, p.mergeable.askedBase = head, base
		merge = false
	}
	count := p.stats.base != base || p.stats.head != head
	if !merge && !count {
		return nil
	}
	var stats pullStats
	var test string
	test = p.mergeSHA
	clean, testMerge, author, now := false, s.habits.TestMerge, c.actor, s.now()
	err := c.git(func() (err error) {
		if count {
			if stats, err = c.repo.store.pullStats(c.ctx(), base, head); err != nil {
				return err
			}
		}
		if !merge {
			return nil
		}
		var tree string
		if tree, clean, err = c.repo.store.mergeTrees(c.ctx(), base, head); err != nil || !clean || !testMerge {
			return err
		}
		by := webFlow(now)
		if author != nil {
			by.name, by.email = author.name, author.email
		}
		test, err = c.repo.store.writeCommit(newCommit{
			tree: tree, parents: []string{base, head}, author: by, committer: webFlow(now), sign: true,
			message: fmt.Sprintf("Merge %s into %s", head, base),
		})
		if err != nil {
			return err
		}
		return c.repo.store.updateRefs(c.ctx(), refUpdate{fmt.Sprintf("refs/pull/%d/merge", p.number), "", test})
	})
	if err != nil {
		return err
	}
	if now, then := p.headSHA, head; now != then || p.closed {
		return nil // it moved meanwhile: what was computed is about the past
	}
	if count {
		p.stats = stats
	}
	if merge {
		p.mergeable.head, p.mergeable.base, p.mergeable.clean = head, base, clean
		if clean && testMerge {
			p.mergeSHA = test
			c.repo.refs[fmt.Sprintf("refs/pull/%d/merge", p.number)] = test
		}
		s.noteVersion(p)
	}
	return nil
}

// mergeability is mergeable and mergeable_state as they are known now and as
// they are to someone: what he may bypass does not block him.
func (s *Server) mergeability(p *pull, who identity) (any, string) {
	base, head := p.diffTips()
	switch {
	case p.closed:
		return nil, "unknown"
	case p.mergeable.head != head || p.mergeable.base != base || !s.factsKnown(p):
		return nil, "unknown"
	case !p.mergeable.clean:
		return false, "dirty"
	case p.draft:
		return true, "draft"
	}
	behind := false
	for _, o := range s.objections(p, who) {
		if !o.behind && !o.queue {
			return true, "blocked"
		}
		behind = behind || o.behind
	}
	switch {
	case behind:
		return true, "behind"
	case s.failingContexts(p.repo, head):
		return true, "unstable"
	}
	return true, "clean"
}

// failingContexts tells whether any check or status of a commit has not
// passed, required or not.
func (s *Server) failingContexts(r *repository, sha string) bool {
	for _, suite := range r.activity.suites[sha] {
		for _, run := range suite.runs {
			if s.requiredContext(r, sha, run.state().name, suite.app.ID) != contextPassed {
				return true
			}
		}
	}
	return slices.ContainsFunc(r.latestStatuses(sha), func(st *commitStatus) bool { return st.state != "success" })
}

// ForceBaseModified makes the next n merges in a repository fail with "Base
// branch was modified", as if another merge had come in between.
func (s *Server) ForceBaseModified(repo string, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	r.baseModified = n
	return nil
}

var (
	errHeadModified = conflict("Head branch was modified. Review and try the merge again.")
	errBaseModified = notAllowed("Base branch was modified. Review and try the merge again.")
	errNotMergeable = notAllowed("Pull Request is not mergeable")
)

// mergeInput is the body of a merge.
type mergeInput struct {
	Title   *string `json:"commit_title"`
	Message *string `json:"commit_message"`
	SHA     string  `json:"sha"`
	Method  string  `json:"merge_method"`
}

func (s *Server) mergePull(c *call) (reply, error) {
	p, err := s.pullOf(c)
	if err != nil {
		return reply{}, err
	}
	in := mergeInput{Method: "merge"}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	tip, err := s.merge(c, p, in, func() error { return s.mayMerge(c, p, in) })
	if err != nil {
		return reply{}, err
	}
	return ok(obj{"sha": tip, "merged": true, "message": "Pull Request successfully merged"}), nil
}

// merge merges a pull request as the caller, if may has nothing against it
// before the work and after it, and returns the base's new tip.
func (s *Server) merge(c *call, p *pull, in mergeInput, may func() error) (string, error) {
	if err := s.learnFacts(c, p); err != nil {
		return "", err
	}
	if err := may(); err != nil {
		return "", err
	}
	base, head := c.repo.refs["refs/heads/"+p.baseRef], p.headSHA
	m := s.mergePlan(c, p, in, base)
	var tip string
	err := c.git(func() (err error) {
		if err = c.mayTouchWorkflows(base, head); err != nil {
			return err
		}
		tip, err = m.build(c.ctx(), c.repo.store)
		return err
	})
	if err != nil {
		return "", err
	}
	// From here on the refs stand still. What moved since they were read
	// makes the merge fail, as on GitHub.
	defer c.lockRefs()()
	switch {
	case p.closed:
		return "", errNotMergeable
	case p.headSHA != head:
		return "", errHeadModified
	case c.repo.refs["refs/heads/"+p.baseRef] != base || c.repo.baseModified > 0:
		c.repo.baseModified = max(0, c.repo.baseModified-1)
		return "", errBaseModified
	}
	if err := may(); err != nil {
		return "", err
	}
	number := p.number
	err = c.moveRefs(func() func() {
		// Marked as merged before others look at what the base gained; told
		// after the push.
		p.baseSHA = base
		s.markMerged(p, tip, c.actor)
		return func() { s.emitPull(p, "closed", c.actor, nil) }
	}, refUpdate{"refs/heads/" + p.baseRef, base, tip})
	if err != nil {
		return "", err
	}
	if err := s.deleteMergedHead(c, p); err != nil {
		return "", fmt.Errorf("deleting the branch of pull request %d: %w", number, err)
	}
	return tip, nil
}

// mayMerge tells why a pull request cannot be merged now, apart from conflicts.
func (s *Server) mayMerge(c *call, p *pull, in mergeInput) error {
	switch {
	case p.closed:
		return errNotMergeable
	case s.entryOf(p) != nil && len(s.rulesOn(p.repo, p.baseRef, c.who)) > 0:
		return notAllowed("Pull request is already in the merge queue")
	case p.draft:
		return notAllowed("Pull Request is still a draft")
	case in.SHA != "" && in.SHA != p.headSHA:
		return errHeadModified
	case in.Method != "merge" && in.Method != "squash" && in.Method != "rebase":
		return invalid(fieldError{Resource: "PullRequest", Field: "merge_method", Code: "invalid"})
	}
	if err := s.methodAllowed(p, c.who, in.Method); err != nil {
		return err
	}
	list := s.objections(p, c.who)
	if in.Method == "squash" && p.author == c.actor {
		// GitHub signs what it squashes for the author.
		list = slices.DeleteFunc(list, func(o objection) bool { return o.signature })
	}
	if why := said(list); why != "" {
		return notAllowed(why)
	}
	return nil
}

// mayTouchWorkflows refuses an App without the permission to bring workflow
// files in.
func (c *call) mayTouchWorkflows(base, head string) error {
	if c.who.installation() == nil || c.who.token.allows(writes("workflows")) {
		return nil
	}
	files, err := c.repo.store.pullDiff(c.ctx(), base, head)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasPrefix(f.path, ".github/workflows/") || strings.HasPrefix(f.previous, ".github/workflows/") {
			return &apiError{status: http.StatusForbidden, message: fmt.Sprintf(
				"refusing to allow a GitHub App to create or update workflow `%s` without `workflows` permission", f.path)}
		}
	}
	return nil
}

// deleteMergedHead deletes the head branch where the repository says so, and
// moves pull requests that were stacked on it to the base it was merged into.
func (s *Server) deleteMergedHead(c *call, p *pull) error {
	name := "refs/heads/" + p.headRef
	tip := c.repo.refs[name]
	if !c.repo.deleteBranchOnMerge || tip == "" || p.headRef == c.repo.defaultBranch || c.repo.protections[p.headRef] != nil {
		return nil
	}
	for _, other := range c.repo.openPulls() {
		if other.baseRef == p.headRef {
			changes := obj{"base": obj{"ref": obj{"from": other.baseRef}, "sha": obj{"from": other.baseSHA}}}
			other.baseRef, other.baseSHA = p.baseRef, c.repo.refs["refs/heads/"+p.baseRef]
			s.pullChanged(other)
			s.emitPull(other, "edited", c.actor, obj{"changes": changes})
		}
	}
	return c.moveRefs(nil, refUpdate{name, tip, zeroID})
}

// updateBranch merges the base into the head branch.
func (s *Server) updateBranch(c *call) (reply, error) {
	p, err := s.pullOf(c)
	if err != nil {
		return reply{}, err
	}
	var in struct {
		Expected string `json:"expected_head_sha"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	defer c.lockRefs()()
	if in.Expected != "" && in.Expected != p.headSHA {
		return reply{}, unprocessable("expected head sha didn’t match current head ref.")
	}
	base, head := p.diffTips()
	name := "refs/heads/" + p.headRef
	if c.repo.refs[name] == "" || p.closed {
		return reply{}, unprocessable("The pull request's head branch cannot be updated.")
	}
	by, now := signature{name: c.actor.name, email: c.actor.email, when: s.now()}, s.now()
	message := fmt.Sprintf("Merge branch '%s' into %s", p.baseRef, p.headRef)
	var tip string
	err = c.git(func() error {
		if in, err := c.repo.store.contains(c.ctx(), head, base); err != nil || in {
			return errors.Join(err, unprocessable("There are no new commits on the base branch."))
		}
		tree, clean, err := c.repo.store.mergeTrees(c.ctx(), head, base)
		if err != nil {
			return err
		}
		if !clean {
			return unprocessable("merge conflict between base and head")
		}
		tip, err = c.repo.store.writeCommit(newCommit{
			tree: tree, parents: []string{head, base}, author: by, committer: webFlow(now), message: message, sign: true,
		})
		return err
	})
	if err != nil {
		return reply{}, err
	}
	if err := c.moveRefs(nil, refUpdate{name, head, tip}); err != nil {
		return reply{}, err
	}
	return accepted(obj{"message": "Updating pull request branch.", "url": p.repo.html(s, "/pull/%d", p.number)}), nil
}
