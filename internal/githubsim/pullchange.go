package githubsim

// Changes of a pull request that need git: another base, and opening again.

import "fmt"

// rebaseOnto gives an open pull request another base branch.
func (s *Server) rebaseOnto(c *call, p *pull, base string, changes obj) error {
	tip := c.repo.refs["refs/heads/"+base]
	switch {
	case p.closed:
		return pullInvalid("base", "custom", "Cannot change the base branch of a closed pull request.")
	case tip == "":
		return pullInvalid("base", "invalid", "")
	case s.openPullFor(c.repo, p.headRef, base) != nil:
		return pullInvalid("base", "custom", fmt.Sprintf(
			"A pull request already exists for base branch '%s' and head branch '%s'", base, p.headRef))
	}
	var stats pullStats
	head := p.headSHA
	err := c.git(func() (err error) {
		stats, err = c.repo.store.pullStats(c.ctx(), tip, head)
		return err
	})
	if err != nil {
		return err
	}
	if stats.commits == 0 {
		return pullInvalid("base", "custom", fmt.Sprintf("There are no new commits between base branch '%s' and head branch '%s'", base, p.headRef))
	}
	s.leaveQueue(p, "UNKNOWN_REMOVAL_REASON", c.actor)
	s.disableAuto(p, c.actor, "Base branch was changed")
	changes["base"] = obj{"ref": obj{"from": p.baseRef}, "sha": obj{"from": p.baseSHA}}
	p.baseRef, p.baseSHA, p.stats = base, tip, stats
	return nil
}

// reopenPull opens a closed pull request again, unless its head branch is
// gone, was rewritten, or has another open pull request.
func (s *Server) reopenPull(c *call, p *pull) error {
	defer c.lockRefs()()
	refuse := func(why string) error {
		return pullInvalid("state", "custom", "state cannot be changed. "+why)
	}
	tip := c.repo.refs["refs/heads/"+p.headRef]
	base := c.repo.refs["refs/heads/"+p.baseRef]
	switch {
	case !p.closed:
		return nil
	case !p.mergedAt.IsZero():
		return refuse("The pull request cannot be reopened.")
	case tip == "":
		return refuse(fmt.Sprintf("The %s branch has been deleted.", p.headRef))
	case base == "":
		return refuse(fmt.Sprintf("The %s branch has been deleted.", p.baseRef))
	case s.openPullFor(c.repo, p.headRef, p.baseRef) != nil:
		return refuse(fmt.Sprintf("There is already an open pull request from %s to %s:%s.", p.headLabel(), p.repo.owner.login, p.baseRef))
	}
	var stats pullStats
	kept := false
	before := p.headSHA
	err := c.git(func() (err error) {
		if kept, err = c.repo.store.contains(c.ctx(), tip, before); err != nil {
			return err
		}
		stats, err = c.repo.store.pullStats(c.ctx(), base, tip)
		return err
	})
	switch {
	case err != nil:
		return err
	case !kept:
		return refuse(fmt.Sprintf("The %s branch was force-pushed or recreated.", p.headRef))
	case stats.commits == 0:
		return refuse(fmt.Sprintf("There are no new commits on the %s branch.", p.headRef))
	}
	if tip != before {
		if err := c.moveRefs(nil, refUpdate{fmt.Sprintf("refs/pull/%d/head", p.number), "", tip}); err != nil {
			return err
		}
	}
	p.headSHA, p.baseSHA, p.stats = tip, base, stats
	p.closed, p.closedBy = false, nil
	p.closedAt = p.mergedAt // zero: it was not merged
	s.pullChanged(p)
	s.emitPull(p, "reopened", c.actor, nil)
	return nil
}
