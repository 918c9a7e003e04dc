package githubsim

// Reviews and requests for them (REST API endpoints for pull request reviews;
// for review requests).

import (
	"slices"
	"strings"
)

func (s *Server) reviewRoutes() {
	read := need{app: reads("pull_requests"), role: RoleRead}
	change := need{app: writes("pull_requests"), role: RoleRead, creates: true}
	const base = "/repos/{owner}/{repo}/pulls/{pull_number}"
	s.handle("GET", base+"/reviews", read, s.listReviews)
	s.handle("POST", base+"/reviews", change, s.createReview)
	s.handle("GET", base+"/reviews/{review_id}", read, s.getReview)
	s.handle("POST", base+"/reviews/{review_id}/events", change, s.submitReview)
	s.handle("PUT", base+"/reviews/{review_id}/dismissals", need{app: writes("pull_requests"), role: RoleWrite}, s.dismissReview)
	s.handle("GET", base+"/requested_reviewers", read, s.listReviewers)
	s.handle("POST", base+"/requested_reviewers", need{app: writes("pull_requests"), role: RoleTriage, creates: true}, s.requestReviewers)
	s.handle("DELETE", base+"/requested_reviewers", need{app: writes("pull_requests"), role: RoleTriage}, s.removeReviewers)
}

// approvals counts what the latest word of each reviewer with write access
// is, and tells whether one of them asks for changes.
func (s *Server) approvals(p *pull, rule *protection) (count int, refused bool) {
	latest := map[*user]string{}
	for _, rv := range p.reviews {
		if rv.state != "COMMENTED" && rv.state != "PENDING" && p.repo.roleOf(rv.author) >= RoleWrite {
			latest[rv.author] = rv.state
		}
	}
	for who, state := range latest {
		if state == "APPROVED" && (!rule.lastPush || who != p.lastPush) {
			count++
		}
		refused = refused || state == "CHANGES_REQUESTED"
	}
	return count, refused
}

func (s *Server) listReviews(c *call) (reply, error) {
	p, err := s.pullOf(c)
	if err != nil {
		return reply{}, err
	}
	shown := slices.DeleteFunc(slices.Clone(p.reviews), func(rv *review) bool {
		return rv.state == "PENDING" && rv.author != c.actor
	})
	return ok(render(paginate(c, shown), func(rv *review) obj { return s.reviewJSON(p, rv) })), nil
}

// reviewOf is the review of the path.
func (s *Server) reviewOf(c *call) (*pull, *review, error) {
	p, err := s.pullOf(c)
	if err != nil {
		return nil, nil, err
	}
	id, err := c.id("review_id")
	if err != nil {
		return nil, nil, err
	}
	for _, rv := range p.reviews {
		if rv.id == id && (rv.state != "PENDING" || rv.author == c.actor) {
			return p, rv, nil
		}
	}
	return nil, nil, notFound()
}

func (s *Server) getReview(c *call) (reply, error) {
	p, rv, err := s.reviewOf(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.reviewJSON(p, rv)), nil
}

// reviewInput is the body of a new review and of a submission.
type reviewInput struct {
	Body   string `json:"body"`
	Event  string `json:"event"`
	Commit string `json:"commit_id"`
}

func (s *Server) createReview(c *call) (reply, error) {
	p, err := s.pullOf(c)
	if err != nil {
		return reply{}, err
	}
	var in reviewInput
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if err := bodyInvalid("PullRequestReview", in.Body); err != nil {
		return reply{}, err
	}
	rv := &review{author: c.actor, body: in.Body, state: "PENDING", commit: p.headSHA}
	if in.Commit != "" {
		rv.commit = in.Commit
	}
	if in.Event != "" {
		if err := s.decideReview(c, p, rv, in); err != nil {
			return reply{}, err
		}
	}
	rv.id = s.next("review")
	p.reviews = append(p.reviews, rv)
	s.afterReview(c, p, rv)
	return ok(s.reviewJSON(p, rv)), nil
}

func (s *Server) submitReview(c *call) (reply, error) {
	p, rv, err := s.reviewOf(c)
	if err != nil {
		return reply{}, err
	}
	var in reviewInput
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if rv.state != "PENDING" {
		return reply{}, unprocessableFor("Could not submit review. The review has been submitted already.")
	}
	if in.Body == "" {
		in.Body = rv.body
	}
	if err := s.decideReview(c, p, rv, in); err != nil {
		return reply{}, err
	}
	rv.body = in.Body
	s.afterReview(c, p, rv)
	return ok(s.reviewJSON(p, rv)), nil
}

// decideReview gives a review its state, or refuses it.
func (s *Server) decideReview(c *call, p *pull, rv *review, in reviewInput) error {
	states := map[string]string{"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}
	state, known := states[in.Event]
	switch {
	case !known:
		return unprocessableFor("Event is not one of APPROVE, REQUEST_CHANGES, COMMENT")
	case state == "APPROVED" && p.author == c.actor:
		return unprocessableFor("Can not approve your own pull request")
	case state == "CHANGES_REQUESTED" && p.author == c.actor:
		return unprocessableFor("Can not request changes on your own pull request")
	case state != "APPROVED" && strings.TrimSpace(in.Body) == "":
		return unprocessableFor("Body can't be blank")
	}
	rv.state, rv.submittedAt = state, s.now()
	return nil
}

// afterReview tells about a submitted review; who gave it is no longer asked.
func (s *Server) afterReview(c *call, p *pull, rv *review) {
	if rv.state == "PENDING" {
		return
	}
	p.reviewers = slices.DeleteFunc(slices.Clone(p.reviewers), func(u *user) bool { return u == rv.author })
	s.pullChanged(p)
	s.emitReview(p, rv, "submitted", c.actor)
}

func (s *Server) dismissReview(c *call) (reply, error) {
	p, rv, err := s.reviewOf(c)
	if err != nil {
		return reply{}, err
	}
	var in struct {
		Message string `json:"message"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	switch {
	case strings.TrimSpace(in.Message) == "":
		return reply{}, unprocessableFor("Message can't be blank")
	case rv.state != "APPROVED" && rv.state != "CHANGES_REQUESTED":
		return reply{}, unprocessableFor("Can not dismiss a " + strings.ToLower(rv.state) + " pull request review")
	}
	rv.state = "DISMISSED"
	s.pullChanged(p)
	s.emitReview(p, rv, "dismissed", c.actor)
	return ok(s.reviewJSON(p, rv)), nil
}

func (s *Server) listReviewers(c *call) (reply, error) {
	p, err := s.pullOf(c)
	if err != nil {
		return reply{}, err
	}
	return ok(obj{"users": render(p.reviewers, s.userJSON), "teams": render(p.teams, s.reviewTeamJSON)}), nil
}

// reviewersIn reads the people and teams of a request.
func (s *Server) reviewersIn(c *call) (*pull, []*user, []*team, error) {
	p, err := s.pullOf(c)
	if err != nil {
		return nil, nil, nil, err
	}
	var in struct {
		Reviewers []string `json:"reviewers"`
		Teams     []string `json:"team_reviewers"`
	}
	if err := c.decode(&in); err != nil {
		return nil, nil, nil, err
	}
	refused := unprocessable("Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the " + c.repo.fullName() + " repository.")
	var users []*user
	for _, login := range in.Reviewers {
		u := s.user(login)
		if u == nil || c.repo.roleOf(u) < RoleRead {
			return nil, nil, nil, refused
		}
		if u == p.author {
			return nil, nil, nil, unprocessable("Review cannot be requested from pull request author.")
		}
		users = append(users, u)
	}
	var teams []*team
	for _, slug := range in.Teams {
		t := s.activity.teams[strings.ToLower(c.repo.owner.login+"/"+slug)]
		if t == nil {
			return nil, nil, nil, refused
		}
		teams = append(teams, t)
	}
	return p, users, teams, nil
}

func (s *Server) requestReviewers(c *call) (reply, error) {
	p, users, teams, err := s.reviewersIn(c)
	if err != nil {
		return reply{}, err
	}
	for _, u := range users {
		if !slices.Contains(p.reviewers, u) {
			p.reviewers = append(slices.Clone(p.reviewers), u)
			s.pullChanged(p)
			s.emitPull(p, "review_requested", c.actor, obj{"requested_reviewer": s.userJSON(u)})
		}
	}
	for _, t := range teams {
		if !slices.Contains(p.teams, t) {
			p.teams = append(slices.Clone(p.teams), t)
			s.pullChanged(p)
			s.emitPull(p, "review_requested", c.actor, obj{"requested_team": s.reviewTeamJSON(t)})
		}
	}
	return created(s.pullSimpleJSON(p, s.repositoryJSON(p.repo))), nil
}

func (s *Server) removeReviewers(c *call) (reply, error) {
	p, users, teams, err := s.reviewersIn(c)
	if err != nil {
		return reply{}, err
	}
	for _, u := range users {
		if slices.Contains(p.reviewers, u) {
			p.reviewers = slices.DeleteFunc(slices.Clone(p.reviewers), func(other *user) bool { return other == u })
			s.pullChanged(p)
			s.emitPull(p, "review_request_removed", c.actor, obj{"requested_reviewer": s.userJSON(u)})
		}
	}
	for _, t := range teams {
		if slices.Contains(p.teams, t) {
			p.teams = slices.DeleteFunc(slices.Clone(p.teams), func(other *team) bool { return other == t })
			s.pullChanged(p)
			s.emitPull(p, "review_request_removed", c.actor, obj{"requested_team": s.reviewTeamJSON(t)})
		}
	}
	return ok(s.pullSimpleJSON(p, s.repositoryJSON(p.repo))), nil
}
