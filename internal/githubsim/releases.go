package githubsim

// Releases and tags (REST API endpoints for releases; List repository tags).
// Publishing a release makes its tag if there is none. Drafts are seen only
// by those who may push.

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

type release struct {
	id          int64
	tag         string
	target      string
	name        *string
	body        *string
	draft       bool
	prerelease  bool
	notLatest   bool
	author      *user
	createdAt   time.Time
	updatedAt   time.Time
	publishedAt time.Time
}

func (s *Server) releaseRoutes() {
	read := need{app: reads("contents"), role: RoleRead}
	write := need{app: writes("contents"), role: RoleWrite}
	const all, one = "/repos/{owner}/{repo}/releases", "/repos/{owner}/{repo}/releases/{release_id}"
	s.handle("GET", all, read, s.listReleases)
	s.handle("POST", all, need{app: writes("contents"), role: RoleWrite, creates: true}, s.createRelease)
	s.handle("GET", all+"/latest", read, s.latestRelease)
	s.handle("GET", all+"/tags/{tag...}", read, s.releaseByTag)
	s.handle("GET", one, read, s.getRelease)
	s.handle("PATCH", one, write, s.updateRelease)
	s.handle("DELETE", one, write, s.deleteRelease)
	s.handle("GET", "/repos/{owner}/{repo}/tags", read, s.listTags)
}

// seesDrafts tells whether the caller may push, and so sees drafts.
func seesDrafts(c *call) bool {
	if t := c.who.token; t != nil && t.installation != nil {
		return t.reaches(c.repo) && t.allows(writes("contents"))
	}
	return c.repo.roleOf(c.actor) >= RoleWrite
}

func (s *Server) releasesFor(c *call) []*release {
	list := slices.Clone(c.repo.activity.releases)
	slices.Reverse(list) // the newest first
	if seesDrafts(c) {
		return list
	}
	return slices.DeleteFunc(list, func(r *release) bool { return r.draft })
}

func (s *Server) listReleases(c *call) (reply, error) {
	return ok(render(paginate(c, s.releasesFor(c)), func(r *release) obj { return s.releaseJSON(c.repo, r) })), nil
}

func (s *Server) latestRelease(c *call) (reply, error) {
	for _, r := range s.releasesFor(c) {
		if !r.draft && !r.prerelease && !r.notLatest {
			return ok(s.releaseJSON(c.repo, r)), nil
		}
	}
	return reply{}, notFound()
}

// releaseByTag finds published releases only.
func (s *Server) releaseByTag(c *call) (reply, error) {
	for _, r := range s.releasesFor(c) {
		if !r.draft && r.tag == c.param("tag") {
			return ok(s.releaseJSON(c.repo, r)), nil
		}
	}
	return reply{}, notFound()
}

func (s *Server) release(c *call) (*release, error) {
	id, err := c.id("release_id")
	if err != nil {
		return nil, err
	}
	for _, r := range s.releasesFor(c) {
		if r.id == id {
			return r, nil
		}
	}
	return nil, notFound()
}

func (s *Server) getRelease(c *call) (reply, error) {
	r, err := s.release(c)
	if err != nil {
		return reply{}, err
	}
	return ok(s.releaseJSON(c.repo, r)), nil
}

type releaseInput struct {
	Tag        *string `json:"tag_name"`
	Target     *string `json:"target_commitish"`
	Name       *string `json:"name"`
	Body       *string `json:"body"`
	Draft      *bool   `json:"draft"`
	Prerelease *bool   `json:"prerelease"`
	MakeLatest *string `json:"make_latest"`
}

func (in *releaseInput) apply(r *release) {
	if in.Tag != nil {
		r.tag = *in.Tag
	}
	if in.Target != nil {
		r.target = *in.Target
	}
	if in.Name != nil {
		r.name = in.Name
	}
	if in.Body != nil {
		r.body = in.Body
	}
	if in.Draft != nil {
		r.draft = *in.Draft
	}
	if in.Prerelease != nil {
		r.prerelease = *in.Prerelease
	}
	if in.MakeLatest != nil {
		r.notLatest = *in.MakeLatest == "false"
	}
}

func (s *Server) createRelease(c *call) (reply, error) {
	var in releaseInput
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Tag == nil || *in.Tag == "" {
		return reply{}, invalidRequest(`"tag_name" wasn't supplied.`)
	}
	r := &release{author: c.actor, target: c.repo.defaultBranch}
	in.apply(r)
	if err := s.prepareRelease(c, r); err != nil {
		return reply{}, err
	}
	r.id, r.createdAt, r.updatedAt = s.next("release"), c.now, c.now
	c.repo.activity.releases = append(c.repo.activity.releases, r)
	s.emitRelease(c, r, "created")
	if !r.draft {
		s.publish(c, r)
	}
	return created(s.releaseJSON(c.repo, r)), nil
}

// prepareRelease refuses a tag that is released already, and makes the tag of
// a release that is to be published.
func (s *Server) prepareRelease(c *call, r *release) error {
	if r.draft {
		return nil
	}
	for _, other := range c.repo.activity.releases {
		if other.id != r.id && !other.draft && other.tag == r.tag {
			return invalid(fieldError{Resource: "Release", Field: "tag_name", Code: "already_exists"})
		}
	}
	if c.repo.refs["refs/tags/"+r.tag] != "" {
		return nil
	}
	head, err := c.commitNamed(r.target)
	if err != nil {
		return invalid(fieldError{Resource: "Release", Field: "target_commitish", Code: "invalid"})
	}
	return s.makeTag(c, r.tag, head.id)
}

// makeTag creates a tag, with the events that follow.
func (s *Server) makeTag(c *call, name, commit string) error {
	move := refUpdate{name: "refs/tags/" + name, old: zeroID, new: commit}
	repo, actor, ctx := c.repo, c.actor, c.ctx()
	return c.git(func() error {
		repo.gitMu.Lock()
		defer repo.gitMu.Unlock()
		if err := repo.store.updateRefs(ctx, move); err != nil {
			if gitExit(err) > 0 { // no name for a ref
				return invalid(fieldError{Resource: "Release", Field: "tag_name", Code: "custom", Message: "tag_name is not a valid tag"})
			}
			return err
		}
		return s.refsMoved(ctx, repo, actor, []refUpdate{move}, nil)
	})
}

func (s *Server) publish(c *call, r *release) {
	r.publishedAt = c.now
	s.emitRelease(c, r, "published")
	if r.prerelease {
		s.emitRelease(c, r, "prereleased")
	} else {
		s.emitRelease(c, r, "released")
	}
}

func (s *Server) updateRelease(c *call) (reply, error) {
	r, err := s.release(c)
	if err != nil {
		return reply{}, err
	}
	var in releaseInput
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	next := *r
	in.apply(&next)
	if next.tag == "" {
		return reply{}, invalid(fieldError{Resource: "Release", Field: "tag_name", Code: "missing_field"})
	}
	if err := s.prepareRelease(c, &next); err != nil {
		return reply{}, err
	}
	wasDraft, before := r.draft, *r
	*r = next
	r.updatedAt = c.now
	switch {
	case wasDraft && !r.draft:
		s.publish(c, r)
	case !wasDraft && r.draft:
		r.publishedAt = time.Time{}
		s.emitRelease(c, r, "unpublished")
	default:
		s.emitReleaseEdited(c, &before, r)
	}
	return ok(s.releaseJSON(c.repo, r)), nil
}

func (s *Server) deleteRelease(c *call) (reply, error) {
	r, err := s.release(c)
	if err != nil {
		return reply{}, err
	}
	c.repo.activity.releases = slices.DeleteFunc(c.repo.activity.releases, func(o *release) bool { return o == r })
	s.emitRelease(c, r, "deleted")
	return noContent(), nil
}

func (s *Server) emitRelease(c *call, r *release, action string) {
	s.emit(c.repo, "release", action, c.actor, obj{"release": s.releaseHookJSON(c.repo, r)})
}

func (s *Server) emitReleaseEdited(c *call, before, r *release) {
	changes := obj{}
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	if text(before.body) != text(r.body) {
		changes["body"] = obj{"from": text(before.body)}
	}
	if text(before.name) != text(r.name) {
		changes["name"] = obj{"from": text(before.name)}
	}
	s.emit(c.repo, "release", "edited", c.actor, obj{"release": s.releaseHookJSON(c.repo, r), "changes": changes})
}

// releaseJSON is a release.
func (s *Server) releaseJSON(repo *repository, r *release) obj {
	text := func(p *string) any {
		if p == nil {
			return nil
		}
		return *p
	}
	self, tag := repo.api(s, "/releases/%d", r.id), url.PathEscape(r.tag)
	page := repo.html(s, "/releases/tag/%s", escapePath(r.tag))
	if r.draft {
		page = repo.html(s, "/releases/tag/untagged-%d", r.id)
	}
	out := obj{
		"id": r.id, "node_id": nodeID("Release", r.id), "url": self, "html_url": page, "assets_url": self + "/assets",
		"upload_url":  s.url + "/api/uploads/repos/" + repo.fullName() + fmt.Sprintf("/releases/%d/assets{?name,label}", r.id),
		"tarball_url": repo.api(s, "/tarball/%s", tag), "zipball_url": repo.api(s, "/zipball/%s", tag),
		"tag_name": r.tag, "target_commitish": r.target, "name": text(r.name), "body": text(r.body), "draft": r.draft,
		"prerelease": r.prerelease, "immutable": false, "created_at": stamp(r.createdAt), "updated_at": stamp(r.updatedAt),
		"published_at": stamp(r.publishedAt), "author": s.userJSON(r.author), "assets": []obj{},
	}
	if r.draft {
		out["tarball_url"], out["zipball_url"] = nil, nil
	}
	return out
}

// releaseHookJSON is a release as webhooks carry it.
func (s *Server) releaseHookJSON(repo *repository, r *release) obj { return s.releaseJSON(repo, r) }

// listTags lists tags by name, backwards, each with the commit it leads to.
// Tags of anything but commits are left out.
func (s *Server) listTags(c *call) (reply, error) {
	type tag struct{ name, id, commit string }
	var list []tag
	for name, id := range c.repo.refs {
		if short, is := strings.CutPrefix(name, "refs/tags/"); is {
			list = append(list, tag{name: short, id: id})
		}
	}
	slices.SortFunc(list, func(a, b tag) int { return cmp.Compare(b.name, a.name) })
	page := paginate(c, list)
	st := c.repo.store
	if err := c.git(func() error {
		for i := range page {
			if found, err := st.commit(page[i].id); err == nil {
				page[i].commit = found.id
			}
		}
		return nil
	}); err != nil {
		return reply{}, err
	}
	page = slices.DeleteFunc(page, func(t tag) bool { return t.commit == "" })
	return ok(render(page, func(t tag) obj {
		return obj{
			"name": t.name, "node_id": nodeID("Ref", t.name), "commit": obj{"sha": t.commit, "url": c.repo.api(s, "/commits/%s", t.commit)},
			"zipball_url": c.repo.api(s, "/zipball/refs/tags/%s", escapePath(t.name)),
			"tarball_url": c.repo.api(s, "/tarball/refs/tags/%s", escapePath(t.name)),
		}
	})), nil
}
