package githubsim

// Git references (REST API endpoints for Git references).

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

func (s *Server) refRoutes() {
	read := need{app: reads("contents"), role: RoleRead}
	change := need{app: writes("contents"), role: RoleWrite}
	const base = "/repos/{owner}/{repo}/git"
	s.handle("GET", base+"/ref/{ref...}", read, s.getRef)
	s.handle("GET", base+"/matching-refs/{ref...}", read, s.listMatchingRefs)
	s.handle("POST", base+"/refs", change, s.createRef)
	s.handle("PATCH", base+"/refs/{ref...}", change, s.updateRef)
	s.handle("DELETE", base+"/refs/{ref...}", change, s.deleteRef)
}

// refJSON is a git-ref.
func (s *Server) refJSON(r *repository, name, id, kind string) obj {
	return obj{
		"ref": name, "node_id": nodeID("Ref", name), "url": r.api(s, "/git/%s", escapePath(name)),
		"object": obj{"sha": id, "type": kind, "url": r.api(s, "/git/%ss/%s", kind, id)},
	}
}

// kinds reads the types of objects.
func (c *call) kinds(ids ...string) (map[string]string, error) {
	out := map[string]string{}
	err := c.git(func() error {
		for _, id := range ids {
			o, err := c.repo.store.object(id)
			if err != nil {
				return err
			}
			out[id] = o.kind
		}
		return nil
	})
	return out, err
}

func (s *Server) getRef(c *call) (reply, error) {
	name := "refs/" + c.param("ref")
	id, exists := c.repo.refs[name]
	if !exists {
		return reply{}, notFound()
	}
	kinds, err := c.kinds(id)
	if err != nil {
		return reply{}, err
	}
	return ok(s.refJSON(c.repo, name, id, kinds[id])), nil
}

// listMatchingRefs lists all refs whose names begin as given. It has no pages.
func (s *Server) listMatchingRefs(c *call) (reply, error) {
	prefix := "refs/" + c.param("ref")
	var names, ids []string
	for _, name := range slices.Sorted(maps.Keys(c.repo.refs)) {
		if strings.HasPrefix(name, prefix) {
			names, ids = append(names, name), append(ids, c.repo.refs[name])
		}
	}
	kinds, err := c.kinds(ids...)
	if err != nil {
		return reply{}, err
	}
	out := make([]obj, len(names))
	for i, name := range names {
		out[i] = s.refJSON(c.repo, name, ids[i], kinds[ids[i]])
	}
	return ok(out), nil
}

var fullSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)

func (s *Server) createRef(c *call) (reply, error) {
	var in struct {
		Ref string `json:"ref"`
		SHA string `json:"sha"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	switch {
	case !strings.HasPrefix(in.Ref, "refs/") || strings.Count(in.Ref, "/") < 2:
		return reply{}, unprocessable("Reference name must start with 'refs/' and contain at least two slashes.")
	case !fullSHA.MatchString(in.SHA):
		return reply{}, unprocessable("The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
	}
	defer c.lockRefs()()
	if _, exists := c.repo.refs[in.Ref]; exists {
		return reply{}, unprocessable("Reference already exists")
	}
	if err := s.mayMoveRef(c, in.Ref, refUpdate{in.Ref, zeroID, in.SHA}); err != nil {
		return reply{}, err
	}
	var kind string
	err := c.git(func() error {
		o, err := c.repo.store.object(in.SHA)
		if err != nil {
			return unprocessable("Object does not exist")
		}
		kind = o.kind
		if _, err := c.repo.store.run(c.ctx(), gitInput{}, "check-ref-format", in.Ref); err != nil {
			return unprocessable(in.Ref + " is not a valid ref name.")
		}
		return nil
	})
	if err != nil {
		return reply{}, err
	}
	if err := c.moveRefs(nil, refUpdate{in.Ref, zeroID, in.SHA}); err != nil {
		if gitExit(err) > 0 {
			return reply{}, unprocessable("Reference update failed") // a/b beside a
		}
		return reply{}, err
	}
	c.header.Set("Location", c.repo.api(s, "/git/%s", escapePath(in.Ref)))
	return created(s.refJSON(c.repo, in.Ref, in.SHA, kind)), nil
}

// mayMoveRef applies to the API what a push is refused for.
func (s *Server) mayMoveRef(c *call, name string, u refUpdate) error {
	if strings.HasPrefix(name, "refs/pull/") {
		return unprocessable("Reference update failed")
	}
	branch, is := strings.CutPrefix(name, "refs/heads/")
	if !is {
		return nil
	}
	noWorkflows := c.who.installation() != nil && !c.who.token.allows(writes("workflows"))
	rules := s.rulesOn(c.repo, branch, c.who)
	return c.git(func() error {
		if noWorkflows && u.new != zeroID {
			file, err := c.repo.store.workflowTouched(c.ctx(), gitInput{}, u.new)
			if err != nil {
				return err
			}
			if file != "" {
				return notForIntegration()
			}
		}
		r, refused, err := s.protectionRefuses(c.ctx(), c.repo, c.who, u, rules, gitInput{})
		if err != nil {
			return err
		}
		if refused {
			return unprocessable(strings.TrimPrefix(strings.Join(r.lines, "\n"), "error: "))
		}
		return nil
	})
}

func (s *Server) updateRef(c *call) (reply, error) {
	name := "refs/" + c.param("ref")
	var in struct {
		SHA   string `json:"sha"`
		Force bool   `json:"force"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if !fullSHA.MatchString(in.SHA) {
		return reply{}, unprocessable("The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
	}
	defer c.lockRefs()()
	old, exists := c.repo.refs[name]
	if !exists {
		return reply{}, unprocessable("Reference does not exist")
	}
	var kind string
	err := c.git(func() error {
		o, err := c.repo.store.object(in.SHA)
		if err != nil {
			return unprocessable("Object does not exist")
		}
		kind = o.kind
		if in.Force {
			return nil
		}
		forward, err := c.repo.store.contains(c.ctx(), in.SHA, old)
		if err != nil && gitExit(err) < 0 {
			return err
		}
		if !forward {
			return unprocessable("Update is not a fast forward")
		}
		return nil
	})
	if err != nil {
		return reply{}, err
	}
	u := refUpdate{name, old, in.SHA}
	if err := s.mayMoveRef(c, name, u); err != nil {
		return reply{}, err
	}
	if old != in.SHA {
		if err := c.moveRefs(nil, u); err != nil {
			return reply{}, err
		}
	}
	return ok(s.refJSON(c.repo, name, in.SHA, kind)), nil
}

func (s *Server) deleteRef(c *call) (reply, error) {
	name := "refs/" + c.param("ref")
	defer c.lockRefs()()
	old, exists := c.repo.refs[name]
	switch {
	case !exists:
		return reply{}, unprocessable("Reference does not exist")
	case name == "refs/heads/"+c.repo.defaultBranch:
		return reply{}, unprocessable("Cannot delete the default branch")
	}
	u := refUpdate{name, old, zeroID}
	if err := s.mayMoveRef(c, name, u); err != nil {
		return reply{}, err
	}
	if err := c.moveRefs(nil, u); err != nil {
		return reply{}, err
	}
	return noContent(), nil
}

// emptyRepository is GitHub's answer about a repository without commits.
func emptyRepository() error {
	return &apiError{status: http.StatusConflict, message: "Git Repository is empty."}
}
