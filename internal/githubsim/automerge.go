package githubsim

// Auto-merge (Automatically merging a pull request): switched on and off by
// GraphQL only, carried out by the settler when all rules are met. A push by
// someone with write access leaves it on, one by someone without takes it off.

import (
	"fmt"
	"strings"
	"time"
)

// autoMerge is GitHub's word to merge a pull request.
type autoMerge struct {
	method      string // merge, squash, rebase
	title, body *string
	by          *user
	who         identity
	at          time.Time
}

// AllowAutoMerge sets whether a repository allows auto-merge; not when new.
func (s *Server) AllowAutoMerge(repo string, allow bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	r.allowAutoMerge = allow
	return nil
}

// autoMergeJSON is auto_merge of a pull request.
func (s *Server) autoMergeJSON(p *pull) any {
	a := p.auto
	if a == nil {
		return nil
	}
	title, body := a.texts(p)
	return obj{"enabled_by": s.userJSON(a.by), "merge_method": a.method, "commit_title": title, "commit_message": body}
}

// texts are the title and body of the commit to come, as far as they are known
// before it is made.
func (a *autoMerge) texts(p *pull) (title, body string) {
	title, body = fmt.Sprintf("Merge pull request #%d from %s/%s", p.number, p.repo.owner.login, p.headRef), p.title
	if a.method != "merge" {
		title, body = fmt.Sprintf("%s (#%d)", p.title, p.number), ""
	}
	if a.title != nil && *a.title != "" {
		title = *a.title
	}
	if a.body != nil {
		body = *a.body
	}
	return title, body
}

// enableAuto switches auto-merge on for the caller, or refuses it in GitHub's
// words. With a merge queue and nothing to wait for it enters the queue.
func (s *Server) enableAuto(c *call, p *pull, a *autoMerge) error {
	if p.closed {
		return unprocessable("Pull request is closed")
	}
	if !p.repo.allowAutoMerge {
		return unprocessable("Pull request Auto merge is not allowed for this repository")
	}
	if err := s.compute(c, p); err != nil {
		return err
	}
	_, state := s.mergeability(p, identity{})
	queue := s.queueOn(p.repo, p.baseRef)
	switch {
	case len(s.rulesOn(p.repo, p.baseRef, identity{})) == 0 && state == "clean":
		return unprocessable("Pull request Pull request is in clean status")
	case len(s.rulesOn(p.repo, p.baseRef, identity{})) == 0:
		return unprocessable("Pull request Protected branch rules not configured for this branch")
	case queue != nil && (state == "clean" || state == "unstable"):
		return s.joinQueue(c, p, false)
	case state == "clean" || state == "unstable" || state == "dirty":
		return unprocessable("Pull request Pull request is in " + state + " status")
	}
	if err := s.methodAllowed(p, identity{}, a.method); err != nil {
		return unprocessable("Pull request " + message(err))
	}
	wasOn := p.auto != nil
	p.auto = a
	put(&p.repo.autos, p.number, p)
	s.pullChanged(p)
	if !wasOn {
		s.emitPull(p, "auto_merge_enabled", c.actor, nil)
	}
	return nil
}

// compute makes whether a pull request merges known at once.
func (s *Server) compute(c *call, p *pull) error {
	for range 2 { // by habit the first look only asks
		if err := s.refresh(c, p); err != nil {
			return err
		}
	}
	return nil
}

// message is the text of a refusal.
func message(err error) string {
	text := errorReply(err).body.(obj)["message"].(string)
	return strings.TrimSpace(text)
}

// disableAuto switches auto-merge off, if it is on, and tells why.
func (s *Server) disableAuto(p *pull, actor *user, reason string) {
	if p.auto == nil {
		return
	}
	s.forgetAuto(p)
	s.pullChanged(p)
	s.emitPull(p, "auto_merge_disabled", actor, obj{"reason": reason})
}

// forgetAuto switches auto-merge off without a word.
func (s *Server) forgetAuto(p *pull) {
	p.auto = nil
	delete(p.repo.autos, p.number)
}

// tryAuto merges a pull request in the name of who switched auto-merge on, or
// puts it into the queue, if no rule is against it. Nobody's bypass counts.
func (s *Server) tryAuto(p *pull) error {
	a := p.auto
	c := s.own(p.repo, a.who, a.by)
	if err := s.learnFacts(c, p); err != nil {
		return err
	}
	waits := func() bool {
		if p.auto != a || p.closed || p.draft {
			return true
		}
		for _, o := range s.objections(p, identity{}) {
			if !o.queue {
				return true
			}
		}
		return false
	}
	if waits() {
		return nil
	}
	if s.queueOn(p.repo, p.baseRef) != nil {
		if err := s.joinQueue(c, p, false); err != nil {
			return err
		}
		s.forgetAuto(p)
		s.pullChanged(p)
		return nil
	}
	_, err := s.merge(c, p, mergeInput{Title: a.title, Message: a.body, Method: a.method}, func() error {
		if waits() {
			return errNotMergeable
		}
		return s.methodAllowed(p, identity{}, a.method)
	})
	return err
}

// mayWrite tells whether an account may push to a repository.
func (s *Server) mayWrite(r *repository, u *user) bool {
	if u == nil || u == s.webFlow || u == s.queueBot || r.roleOf(u) >= RoleWrite {
		return true
	}
	for _, inst := range s.installations {
		if inst.app.bot == u && inst.covers(r) && inst.permissions["contents"] == "write" {
			return true
		}
	}
	return false
}
