package githubsim

// Pull requests: create, list, get, update, files, commits (REST API endpoints
// for pull requests). Merging is in pullmerge.go, reviews in pullreviews.go.

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxBodyText is how long a body may be, in characters.
const maxBodyText = 65536

// maxPullCommits is how many commits of a pull request are listed.
const maxPullCommits = 250

func (s *Server) pullRoutes() {
	read := need{app: reads("pull_requests"), role: RoleRead}
	change := need{app: writes("pull_requests"), role: RoleRead}
	const base = "/repos/{owner}/{repo}/pulls"
	s.handle("POST", base, need{app: writes("pull_requests"), role: RoleRead, creates: true}, s.createPull)
	s.handle("GET", base, read, s.listPulls)
	s.handle("GET", base+"/{pull_number}", need{app: []string{"pull_requests:read", "contents:read"}, role: RoleRead}, s.getPull)
	s.handle("PATCH", base+"/{pull_number}", change, s.updatePull)
	s.handle("GET", base+"/{pull_number}/files", read, s.listPullFiles)
	s.handle("GET", base+"/{pull_number}/commits", read, s.listPullCommits)
	s.handle("GET", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls", read, s.listPullsOfCommit)
}

// pullOf is the pull request of the path.
func (s *Server) pullOf(c *call) (*pull, error) {
	n, err := c.id("pull_number")
	if err != nil {
		return nil, err
	}
	i := c.repo.issues[int(n)]
	if i == nil || i.pull == nil {
		return nil, notFound()
	}
	return i.pull, nil
}

func pullInvalid(field, code, message string) error {
	return invalid(fieldError{Resource: "PullRequest", Field: field, Code: code, Message: message})
}

// bodyInvalid refuses an over-long body.
func bodyInvalid(resource, body string) error {
	if utf8.RuneCountInString(body) > maxBodyText {
		return invalid(fieldError{
			Resource: resource, Field: "body", Code: "custom",
			Message: fmt.Sprintf("body is too long (maximum is %d characters)", maxBodyText),
		})
	}
	return nil
}

func (s *Server) createPull(c *call) (reply, error) {
	var in struct {
		Title string  `json:"title"`
		Head  string  `json:"head"`
		Base  string  `json:"base"`
		Body  *string `json:"body"`
		Draft bool    `json:"draft"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Body == nil {
		in.Body = new(string)
	}
	for _, err := range []error{titleInvalid("PullRequest", in.Title), bodyInvalid("PullRequest", *in.Body)} {
		if err != nil {
			return reply{}, err
		}
	}
	defer c.lockRefs()()
	head := strings.TrimPrefix(in.Head, c.repo.owner.login+":")
	headSHA, baseSHA := c.repo.refs["refs/heads/"+head], c.repo.refs["refs/heads/"+in.Base]
	switch {
	case baseSHA == "":
		return reply{}, pullInvalid("base", "invalid", "")
	case headSHA == "":
		return reply{}, pullInvalid("head", "invalid", "")
	}
	if other := s.openPullFor(c.repo, head, in.Base); other != nil {
		return reply{}, pullInvalid("", "custom", fmt.Sprintf("A pull request already exists for %s.", other.headLabel()))
	}
	var stats pullStats
	var ancestor string
	err := c.git(func() (err error) {
		if stats, err = c.repo.store.pullStats(c.ctx(), baseSHA, headSHA); err != nil {
			return err
		}
		ancestor, err = c.repo.store.mergeBase(c.ctx(), baseSHA, headSHA)
		return err
	})
	switch {
	case err != nil:
		return reply{}, err
	case stats.commits == 0:
		return reply{}, pullInvalid("", "custom", fmt.Sprintf("No commits between %s and %s", in.Base, head))
	case ancestor == "":
		return reply{}, pullInvalid("", "custom", fmt.Sprintf("The %s branch has no history in common with %s", head, in.Base))
	}
	c.repo.lastNumber++
	number := c.repo.lastNumber
	if err := c.moveRefs(nil, refUpdate{fmt.Sprintf("refs/pull/%d/head", number), zeroID, headSHA}); err != nil {
		return reply{}, err
	}
	now := s.now()
	p := &pull{
		issue: &issue{
			id: s.next("issue"), number: number, repo: c.repo, author: c.actor, title: in.Title, body: *in.Body,
			createdAt: now, updatedAt: now,
		},
		pullID: s.next("pull"), headRef: head, headSHA: headSHA, baseRef: in.Base, baseSHA: baseSHA, draft: in.Draft,
		stats: stats, lastPush: c.actor,
	}
	p.pull = p
	c.repo.issues[number] = p.issue
	s.noteVersion(p)
	s.emitPull(p, "opened", c.actor, nil)
	out := created(s.pullJSON(p))
	c.header.Set("Location", p.repo.api(s, "/pulls/%d", number))
	return out, nil
}

// openPullFor is the open pull request from head to base, or nil.
func (s *Server) openPullFor(r *repository, head, base string) *pull {
	for _, p := range r.openPulls() {
		if p.headRef == head && p.baseRef == base {
			return p
		}
	}
	return nil
}

func (s *Server) listPulls(c *call) (reply, error) {
	state := c.query("state")
	if state == "" {
		state = "open"
	}
	owner, branch, byHead := strings.Cut(c.query("head"), ":")
	if !byHead && c.query("head") != "" && !s.habits.HeadNeedsOwner {
		owner, branch, byHead = c.repo.owner.login, c.query("head"), true
	}
	base := c.query("base")
	var list []*pull
	for _, i := range c.repo.issues {
		if i.pull == nil {
			continue
		}
		p := s.asListed(i.pull)
		switch {
		case p == nil:
		case state != "all" && (state == "closed") != p.closed:
		case byHead && (!strings.EqualFold(owner, c.repo.owner.login) || branch != p.headRef):
		case base != "" && base != p.baseRef:
		default:
			list = append(list, p)
		}
	}
	sortPulls(list, c.query("sort"), c.query("direction"))
	repo := s.repositoryJSON(c.repo)
	return ok(render(paginate(c, list), func(p *pull) obj { return s.pullSimpleJSON(p, repo) })), nil
}

// sortPulls orders a list: the newest first, or as asked.
func sortPulls(list []*pull, by, direction string) {
	if direction == "" {
		direction = "asc"
		if by == "" || by == "created" {
			direction = "desc"
		}
	}
	slices.SortFunc(list, func(a, b *pull) int {
		order := 0
		switch by {
		case "updated":
			order = a.updatedAt.Compare(b.updatedAt)
		case "popularity":
			order = a.comments - b.comments
		}
		if order == 0 {
			order = a.number - b.number
		}
		if direction == "desc" {
			return -order
		}
		return order
	})
}

func (s *Server) getPull(c *call) (reply, error) {
	p, err := s.pullOf(c)
	if err != nil {
		return reply{}, err
	}
	if err := s.refresh(c, p); err != nil {
		return reply{}, err
	}
	return ok(s.pullJSONFor(p, c.who)), nil
}

func (s *Server) updatePull(c *call) (reply, error) {
	p, err := s.pullOf(c)
	if err != nil {
		return reply{}, err
	}
	if c.who.installation() == nil && c.actor != p.author && c.repo.roleOf(c.actor) < RoleTriage {
		return reply{}, notFound()
	}
	var in struct {
		Title *string `json:"title"`
		Body  *string `json:"body"`
		State *string `json:"state"`
		Base  *string `json:"base"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Title != nil {
		if err := titleInvalid("PullRequest", *in.Title); err != nil {
			return reply{}, err
		}
	}
	if in.Body != nil {
		if err := bodyInvalid("PullRequest", *in.Body); err != nil {
			return reply{}, err
		}
	}
	if in.State != nil && *in.State != "open" && *in.State != "closed" {
		return reply{}, pullInvalid("state", "invalid", "")
	}
	changes := obj{}
	if in.Base != nil && *in.Base != p.baseRef {
		if err := s.rebaseOnto(c, p, *in.Base, changes); err != nil {
			return reply{}, err
		}
	}
	if in.Title != nil && *in.Title != p.title {
		changes["title"] = obj{"from": p.title}
		p.title = *in.Title
	}
	if in.Body != nil && *in.Body != p.body {
		changes["body"] = obj{"from": p.body}
		p.body = *in.Body
	}
	if len(changes) > 0 {
		s.pullChanged(p)
		s.emitPull(p, "edited", c.actor, obj{"changes": changes})
	}
	if in.State != nil && (*in.State == "closed") != p.closed {
		if *in.State == "closed" {
			s.closePull(p, c.actor)
		} else if err := s.reopenPull(c, p); err != nil {
			return reply{}, err
		}
	}
	return ok(s.pullJSON(p)), nil
}

// diffTips are the two commits whose difference a pull request shows.
func (p *pull) diffTips() (base, head string) {
	if tip := p.repo.refs["refs/heads/"+p.baseRef]; tip != "" && !p.closed {
		return tip, p.headSHA
	}
	return p.baseSHA, p.headSHA
}

func (s *Server) listPullFiles(c *call) (reply, error) {
	p, err := s.pullOf(c)
	if err != nil {
		return reply{}, err
	}
	base, head := p.diffTips()
	var files []fileDiff
	err = c.git(func() (err error) {
		files, err = c.repo.store.pullDiff(c.ctx(), base, head)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	return ok(render(paginate(c, files), func(f fileDiff) obj { return s.diffEntryJSON(c.repo, head, f) })), nil
}

func (s *Server) listPullCommits(c *call) (reply, error) {
	p, err := s.pullOf(c)
	if err != nil {
		return reply{}, err
	}
	base, head := p.diffTips()
	var page []commit
	err = c.git(func() error {
		ids, err := c.repo.store.commitsBetween(c.ctx(), base, head)
		if err != nil {
			return err
		}
		page, err = c.repo.store.commits(paginate(c, ids[:min(len(ids), maxPullCommits)]))
		return err
	})
	if err != nil {
		return reply{}, err
	}
	return ok(render(page, func(one commit) obj { return s.commitJSON(c.repo, one) })), nil
}

// listPullsOfCommit lists the pull requests that a commit belongs to: those
// that brought it in and, if it is not on the default branch, open ones.
func (s *Server) listPullsOfCommit(c *call) (reply, error) {
	sha := ""
	name := c.param("commit_sha")
	var list []*pull
	for _, i := range c.repo.issues {
		if i.pull != nil {
			list = append(list, i.pull)
		}
	}
	sortPulls(list, "", "asc")
	refs := maps.Clone(c.repo.refs)
	type tips struct{ base, head, merged string }
	all := make([]tips, len(list))
	for i, p := range list {
		base, head := p.diffTips()
		all[i] = tips{base, head, ""}
		if !p.mergedAt.IsZero() {
			all[i].merged = p.mergeSHA
		}
	}
	belongs := make([]bool, len(list))
	err := c.git(func() error {
		if sha = c.repo.store.resolve(refs, name); sha == "" {
			return &apiError{status: http.StatusUnprocessableEntity, message: "No commit found for SHA: " + name}
		}
		for i, t := range all {
			if t.merged == sha || t.head == sha {
				belongs[i] = true
				continue
			}
			in, err := c.repo.store.contains(c.ctx(), t.head, sha)
			if err != nil {
				return err
			}
			before, err := c.repo.store.contains(c.ctx(), t.base, sha)
			if err != nil {
				return err
			}
			belongs[i] = in && !before
		}
		return nil
	})
	if err != nil {
		return reply{}, err
	}
	var mine []*pull
	for i, p := range list {
		if belongs[i] {
			mine = append(mine, p)
		}
	}
	repo := s.repositoryJSON(c.repo)
	return ok(render(paginate(c, mine), func(p *pull) obj { return s.pullSimpleJSON(p, repo) })), nil
}
