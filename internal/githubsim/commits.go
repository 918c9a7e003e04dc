package githubsim

// Commits with their files, and comparisons (REST API endpoints for commits).

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
)

const (
	// maxCompareFiles is how many files a comparison lists.
	maxCompareFiles = 300
	// maxCompareCommits is how many commits a comparison without pages lists.
	maxCompareCommits = 250
)

func (s *Server) commitRoutes() {
	read := need{app: reads("contents"), role: RoleRead}
	s.handle("GET", "/repos/{owner}/{repo}/commits", read, s.listCommits)
	s.handle("GET", "/repos/{owner}/{repo}/commits/{ref...}", read, s.getCommit)
	s.handle("GET", "/repos/{owner}/{repo}/commits/{commit_sha}/branches-where-head", read, s.listBranchesWhereHead)
	s.handle("GET", "/repos/{owner}/{repo}/compare/{basehead...}", read, s.compare)
}

// commits reads many commits.
func (st *store) commits(ids []string) ([]commit, error) {
	out := make([]commit, len(ids))
	for i, id := range ids {
		var err error
		if out[i], err = st.commit(id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// refsCopy is a copy of the repository's refs, for use without the mutex.
func (c *call) refsCopy() map[string]string { return maps.Clone(c.repo.refs) }

// commitJSON is a commit without its files.
func (s *Server) commitJSON(r *repository, c commit) obj {
	parents := []obj{}
	for _, p := range c.parents {
		parents = append(parents, obj{"sha": p, "url": r.api(s, "/commits/%s", p), "html_url": r.html(s, "/commit/%s", p)})
	}
	self := r.api(s, "/commits/%s", c.id)
	return obj{
		"sha": c.id, "node_id": nodeID("Commit", c.id), "url": self, "html_url": r.html(s, "/commit/%s", c.id),
		"comments_url": self + "/comments", "parents": parents,
		"author": s.userOrNull(s.userByEmail(c.author.email)), "committer": s.userOrNull(s.committerOf(c)),
		"commit": obj{
			"url": r.api(s, "/git/commits/%s", c.id), "author": signatureJSON(c.author), "committer": signatureJSON(c.committer),
			"message": strings.TrimSuffix(c.message, "\n"), "comment_count": 0,
			"tree":         obj{"sha": c.tree, "url": r.api(s, "/git/trees/%s", c.tree)},
			"verification": verificationJSON(c),
		},
	}
}

// committerOf is the account of a commit's committer. What GitHub commits
// itself is by the account web-flow.
func (s *Server) committerOf(c commit) *user {
	if c.committer.email == "noreply@github.com" {
		return s.webFlow
	}
	return s.userByEmail(c.committer.email)
}

// diffEntryJSON is one file of a difference whose newer side is head.
func (s *Server) diffEntryJSON(r *repository, head string, f fileDiff) obj {
	path := escapePath(f.path)
	out := obj{
		"sha": f.blob, "filename": f.path, "status": f.status, "additions": f.added, "deletions": f.gone,
		"changes": f.added + f.gone, "blob_url": r.html(s, "/blob/%s/%s", head, path),
		"raw_url": r.html(s, "/raw/%s/%s", head, path), "contents_url": r.api(s, "/contents/%s?ref=%s", path, head),
	}
	if f.patch != "" {
		out["patch"] = f.patch
	}
	if f.previous != "" {
		out["previous_filename"] = f.previous
	}
	return out
}

// noCommit is GitHub's answer to a name that means no commit.
func noCommit(name string) error {
	return &apiError{status: http.StatusUnprocessableEntity, message: "No commit found for SHA: " + name}
}

// listCommits lists history from sha, newest first. It reads one page of it.
func (s *Server) listCommits(c *call) (reply, error) {
	if len(c.repo.refs) == 0 {
		return reply{}, emptyRepository()
	}
	refs, from := c.refsCopy(), c.query("sha")
	if from == "" {
		from = c.repo.defaultBranch
	}
	args := []string{"rev-list"}
	for _, limit := range []string{"since", "until"} {
		if when := c.query(limit); when != "" {
			at, err := time.Parse(time.RFC3339, when)
			if err != nil {
				return reply{}, unprocessable(fmt.Sprintf("%s is not a valid time", limit))
			}
			args = append(args, fmt.Sprintf("--%s=%d", limit, at.Unix()))
		}
	}
	if author := c.query("author"); author != "" {
		if u := s.user(author); u != nil {
			author = u.email
		}
		args = append(args, "--fixed-strings", "--author="+author)
	}
	path := c.query("path")
	var page []commit
	err := c.git(func() error {
		tip := c.repo.store.resolve(refs, from)
		if tip == "" {
			return notFound()
		}
		args = append(args, tip, "--")
		if path != "" {
			args = append(args, ":(literal)"+path)
		}
		out, err := c.repo.store.run(c.ctx(), gitInput{}, args...)
		if err != nil {
			return err
		}
		page, err = c.repo.store.commits(paginate(c, strings.Fields(string(out))))
		return err
	})
	if err != nil {
		return reply{}, err
	}
	return ok(render(page, func(one commit) obj { return s.commitJSON(c.repo, one) })), nil
}

func (s *Server) getCommit(c *call) (reply, error) {
	if len(c.repo.refs) == 0 {
		return reply{}, emptyRepository()
	}
	refs, name := c.refsCopy(), c.param("ref")
	var one commit
	var files []fileDiff
	err := c.git(func() (err error) {
		id := c.repo.store.resolve(refs, strings.TrimPrefix(name, "refs/"))
		if one, err = c.repo.store.commit(id); err != nil {
			if errors.Is(err, errNoObject) {
				return noCommit(name)
			}
			return err
		}
		files, err = c.repo.store.commitDiff(c.ctx(), one)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	out := s.commitJSON(c.repo, one)
	added, gone := 0, 0
	for _, f := range files {
		added, gone = added+f.added, gone+f.gone
	}
	out["stats"] = obj{"additions": added, "deletions": gone, "total": added + gone}
	out["files"] = render(paginateFiles(c, files), func(f fileDiff) obj { return s.diffEntryJSON(c.repo, one.id, f) })
	return ok(out), nil
}

// paginateFiles cuts the files of one commit: 300 a page, unless asked for less.
func paginateFiles(c *call, files []fileDiff) []fileDiff {
	if c.query("per_page") == "" && c.query("page") == "" {
		return files[:min(len(files), maxCompareFiles)]
	}
	return paginate(c, files)
}

// commitDiff compares a commit with its first parent.
func (st *store) commitDiff(ctx context.Context, one commit) ([]fileDiff, error) {
	from := emptyTree
	if len(one.parents) > 0 {
		from = one.parents[0]
	}
	return st.diff(ctx, from, one.tree)
}

func (s *Server) listBranchesWhereHead(c *call) (reply, error) {
	sha := c.param("commit_sha")
	out := []obj{}
	for _, name := range c.repo.branches() {
		if c.repo.refs["refs/heads/"+name] == sha {
			out = append(out, obj{
				"name": name, "protected": c.repo.isProtected(name), "commit": obj{"sha": sha, "url": c.repo.api(s, "/commits/%s", sha)},
			})
		}
	}
	return ok(paginate(c, out)), nil
}

// compare compares base...head: what head has that their common ancestor has not.
func (s *Server) compare(c *call) (reply, error) {
	baseName, headName, found := strings.Cut(c.param("basehead"), "...")
	if !found {
		return reply{}, notFound()
	}
	own := c.repo.owner.login + ":"
	baseName, headName = strings.TrimPrefix(baseName, own), strings.TrimPrefix(headName, own)
	refs := c.refsCopy()
	var base, ancestor, head commit
	var ahead []string
	var behind int
	var page []commit
	var files []fileDiff
	err := c.git(func() (err error) {
		st := c.repo.store
		if base, err = st.commit(st.resolve(refs, baseName)); err != nil {
			return notFound()
		}
		if head, err = st.commit(st.resolve(refs, headName)); err != nil {
			return notFound()
		}
		common, err := st.mergeBase(c.ctx(), base.id, head.id)
		if err != nil {
			return err
		}
		if common == "" {
			return &apiError{status: http.StatusNotFound, message: "No common ancestor between " + baseName + " and " + headName + "."}
		}
		if ancestor, err = st.commit(common); err != nil {
			return err
		}
		if ahead, err = st.commitsBetween(c.ctx(), base.id, head.id); err != nil {
			return err
		}
		back, err := st.commitsBetween(c.ctx(), head.id, base.id)
		if err != nil {
			return err
		}
		behind = len(back)
		listed := ahead[max(0, len(ahead)-maxCompareCommits):]
		if c.query("page") != "" || c.query("per_page") != "" {
			listed = paginate(c, ahead)
		}
		if page, err = st.commits(listed); err != nil {
			return err
		}
		files, err = st.diff(c.ctx(), common, head.id)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	status := "identical"
	switch {
	case len(ahead) > 0 && behind > 0:
		status = "diverged"
	case len(ahead) > 0:
		status = "ahead"
	case behind > 0:
		status = "behind"
	}
	span := escapePath(baseName) + "..." + escapePath(headName)
	page0 := c.query("page") == "" || c.query("page") == "1"
	if !page0 {
		files = nil // files come with the first page only
	}
	return ok(obj{
		"url": c.repo.api(s, "/compare/%s", span), "html_url": c.repo.html(s, "/compare/%s", span),
		"permalink_url": c.repo.html(s, "/compare/%s:%s...%s:%s", c.repo.owner.login, base.id[:7], c.repo.owner.login, head.id[:7]),
		"diff_url":      c.repo.html(s, "/compare/%s.diff", span), "patch_url": c.repo.html(s, "/compare/%s.patch", span),
		"base_commit": s.commitJSON(c.repo, base), "merge_base_commit": s.commitJSON(c.repo, ancestor),
		"status": status, "ahead_by": len(ahead), "behind_by": behind, "total_commits": len(ahead),
		"commits": render(page, func(one commit) obj { return s.commitJSON(c.repo, one) }),
		"files":   render(files[:min(len(files), maxCompareFiles)], func(f fileDiff) obj { return s.diffEntryJSON(c.repo, head.id, f) }),
	}), nil
}
