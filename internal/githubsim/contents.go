package githubsim

// Files and folders at a commit, and writing single files (REST API endpoints
// for repository contents).

import (
	"context"
	"errors"
	"net/http"
	pathpkg "path"
	"strings"
)

const (
	// maxInlineFile is up to which size a file's content comes along; above it
	// is asked for as raw.
	maxInlineFile = 1 << 20
	// maxContentFile is up to which size this API serves files at all.
	maxContentFile = 100 << 20
)

func (s *Server) contentRoutes() {
	read := need{app: []string{"contents:read", "single_file:read"}, role: RoleRead}
	change := need{app: writes("contents"), role: RoleWrite}
	const base = "/repos/{owner}/{repo}/contents"
	s.handle("GET", base, read, s.getContents)
	s.handle("GET", base+"/{path...}", read, s.getContents)
	s.handle("PUT", base+"/{path...}", change, s.putContents)
	s.handle("DELETE", base+"/{path...}", change, s.deleteContents)
}

// entryAt finds what stands at a path of a commit's tree; "" is the root.
func (st *store) entryAt(ctx context.Context, tip, path string) (treeEntry, error) {
	if path == "" {
		o, err := st.object(tip + "^{tree}")
		return treeEntry{mode: "040000", kind: "tree", id: o.id}, err
	}
	out, err := st.run(ctx, gitInput{}, "ls-tree", "-z", "--long", "--full-tree", tip, "--", path)
	if err != nil {
		return treeEntry{}, err
	}
	for line := range strings.SplitSeq(string(out), "\x00") {
		head, name, found := strings.Cut(line, "\t")
		fields := strings.Fields(head)
		if found && name == path && len(fields) == 4 {
			return treeEntry{mode: fields[0], kind: fields[1], id: fields[2], name: path}, nil
		}
	}
	return treeEntry{}, errNoObject
}

// cleanContentPath refuses paths that name nothing in a tree.
func cleanContentPath(path string) (string, error) {
	path = strings.Trim(path, "/")
	if path != "" && !properPath(path) {
		return "", unprocessable("path contains a malformed path component")
	}
	return path, nil
}

func (s *Server) getContents(c *call) (reply, error) {
	path, err := cleanContentPath(c.param("path"))
	if err != nil {
		return reply{}, err
	}
	if len(c.repo.refs) == 0 {
		return reply{}, &apiError{status: http.StatusNotFound, message: "This repository is empty."}
	}
	refs, ref := c.refsCopy(), c.query("ref")
	if ref == "" {
		ref = c.repo.defaultBranch
	}
	var at treeEntry
	var o object
	var inside []treeEntry
	err = c.git(func() error {
		st := c.repo.store
		tip, err := st.commit(st.resolve(refs, strings.TrimPrefix(ref, "refs/")))
		if err != nil {
			return &apiError{status: http.StatusNotFound, message: "No commit found for the ref " + ref}
		}
		if at, err = st.entryAt(c.ctx(), tip.id, path); err != nil {
			return err
		}
		switch at.kind {
		case "tree":
			inside, err = st.tree(c.ctx(), at.id, false)
		case "blob":
			o, err = st.object(at.id)
		}
		return err
	})
	if errors.Is(err, errNoObject) {
		return reply{}, notFound()
	}
	if err != nil {
		return reply{}, err
	}
	at.size = int64(len(o.data))
	if at.kind == "tree" {
		list := render(inside, func(e treeEntry) obj {
			e.name = pathpkg.Join(path, e.name)
			return s.contentJSON(c.repo, ref, e)
		})
		if strings.Contains(c.r.Header.Get("Accept"), ".object") {
			out := s.contentJSON(c.repo, ref, treeEntry{mode: at.mode, kind: "tree", id: at.id, name: path})
			out["entries"] = list
			return ok(out), nil
		}
		return ok(list), nil
	}
	if at.kind == "blob" && wantsRaw(c) {
		return ok(rawBody(o.data)), nil
	}
	if at.size > maxContentFile {
		return reply{}, &apiError{
			status: http.StatusForbidden, message: "This API returns blobs up to 100 MB in size. The requested blob is too large.",
			errors: []fieldError{{Resource: "Blob", Field: "data", Code: "too_large"}},
		}
	}
	out := s.contentJSON(c.repo, ref, at)
	switch {
	case at.mode == "120000":
		out["target"] = string(o.data)
	case at.kind == "blob" && at.size > maxInlineFile:
		out["content"], out["encoding"] = "", "none"
	case at.kind == "blob":
		out["content"], out["encoding"] = base64Lines(o.data), "base64"
	}
	return ok(out), nil
}

// rawBody is an answer that is no JSON.
type rawBody []byte

// wantsRaw tells whether the caller asked for the bytes themselves (Media types).
func wantsRaw(c *call) bool { return strings.Contains(c.r.Header.Get("Accept"), "raw") }

// contentJSON is one entry without its content. e.name is its path.
func (s *Server) contentJSON(r *repository, ref string, e treeEntry) obj {
	path := escapePath(e.name)
	self := r.api(s, "/contents/%s?ref=%s", path, escapePath(ref))
	kinds := map[string]string{"tree": "dir", "blob": "file", "commit": "submodule"}
	kind, page, database := kinds[e.kind], "blob", "blobs"
	var download any = r.html(s, "/raw/%s/%s", escapePath(ref), path)
	if e.mode == "120000" {
		kind = "symlink"
	}
	if e.kind != "blob" {
		page, database, download = "tree", "trees", nil
	}
	gitURL, htmlURL := r.api(s, "/git/%s/%s", database, e.id), r.html(s, "/%s/%s/%s", page, escapePath(ref), path)
	out := obj{
		"type": kind, "size": e.size, "name": pathpkg.Base(e.name), "path": e.name, "sha": e.id, "url": self,
		"git_url": gitURL, "html_url": htmlURL, "download_url": download,
		"_links": obj{"self": self, "git": gitURL, "html": htmlURL},
	}
	if e.name == "" {
		out["name"] = ""
	}
	if kind == "submodule" {
		// The address stands in .gitmodules; a repository beside this one is
		// what a relative one would mean.
		out["submodule_git_url"] = s.url + "/" + r.owner.login + "/" + pathpkg.Base(e.name) + ".git"
	}
	return out
}

// contentInput is the body of writing or deleting a file.
type contentInput struct {
	Message   string       `json:"message"`
	Content   *string      `json:"content"`
	SHA       string       `json:"sha"`
	Branch    string       `json:"branch"`
	Author    *personInput `json:"author"`
	Committer *personInput `json:"committer"`
}

func (s *Server) putContents(c *call) (reply, error)    { return s.changeContents(c, false) }
func (s *Server) deleteContents(c *call) (reply, error) { return s.changeContents(c, true) }

// changeContents commits one file's change to a branch.
func (s *Server) changeContents(c *call, remove bool) (reply, error) {
	path, err := cleanContentPath(c.param("path"))
	if err != nil {
		return reply{}, err
	}
	var in contentInput
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	var data []byte
	if !remove {
		if in.Content == nil {
			return reply{}, unprocessable("Invalid request.\n\n\"content\" wasn't supplied.")
		}
		if data, err = decodeBase64(*in.Content); err != nil {
			return reply{}, err
		}
	}
	if in.Branch == "" {
		in.Branch = c.repo.defaultBranch
	}
	in.Branch = strings.TrimPrefix(in.Branch, "refs/heads/")
	defer c.lockRefs()()
	name := "refs/heads/" + in.Branch
	tip, exists := c.repo.refs[name]
	if !exists {
		if len(c.repo.refs) > 0 || remove {
			return reply{}, &apiError{status: http.StatusNotFound, message: "Branch " + in.Branch + " not found"}
		}
		tip = zeroID
	}
	caller := signature{name: c.actor.name, email: c.actor.email, when: c.now}
	n := newCommit{message: in.Message, author: in.Author.signature(caller), committer: webFlow(c.now), sign: true}
	if in.Committer != nil {
		n.committer, n.sign = in.Committer.signature(caller), false
	}
	var made commit
	entry := treeEntry{mode: "100644", kind: "blob", name: path, size: int64(len(data))}
	status := http.StatusCreated
	err = c.git(func() error {
		st, base := c.repo.store, ""
		var old treeEntry
		if tip != zeroID {
			base, n.parents = tip, []string{tip}
			var err error
			old, err = st.entryAt(c.ctx(), tip, path)
			if err != nil && !errors.Is(err, errNoObject) {
				return err
			}
		}
		switch {
		case old.id == "" && remove:
			return notFound()
		case old.id != "" && in.SHA == "":
			return unprocessable("Invalid request.\n\n\"sha\" wasn't supplied.")
		case old.id != "" && in.SHA != old.id:
			return conflict(path + " does not match " + in.SHA)
		case old.id != "":
			entry.mode, status = old.mode, http.StatusOK
		}
		edits := map[string]*treeEntry{path: nil}
		if !remove {
			blob, err := st.writeObject("blob", data)
			if err != nil {
				return err
			}
			entry.id = blob
			edits[path] = &entry
		}
		tree, err := st.editTree(c.ctx(), base, edits)
		if err != nil {
			return err
		}
		n.tree = tree
		id, err := st.writeCommit(n)
		if err != nil {
			return err
		}
		made, err = st.commit(id)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	u := refUpdate{name, tip, made.id}
	if err := s.mayMoveRef(c, name, u); err != nil {
		if api, ok := errors.AsType[*apiError](err); ok {
			return reply{}, conflict(api.message)
		}
		return reply{}, err
	}
	if err := c.moveRefs(nil, u); err != nil {
		return reply{}, err
	}
	out := obj{"content": nil, "commit": s.gitCommitJSON(c.repo, made)}
	if !remove {
		out["content"] = s.contentJSON(c.repo, in.Branch, entry)
	}
	return reply{status, out}, nil
}

// Commit makes a commit on a branch as a user would push it, and returns its
// id. files maps paths to contents, or to nil for what is removed. An empty
// branch is the default one; a branch that is not there yet starts from it.
func (s *Server) Commit(ctx context.Context, repo, login, branch, message string, files map[string]*string) (string, error) {
	s.mu.Lock()
	r, err := s.lookup(repo)
	actor := s.user(login)
	s.mu.Unlock()
	if err != nil {
		return "", err
	}
	if actor == nil {
		return "", errors.New("no user " + login)
	}
	r.gitMu.Lock()
	defer r.gitMu.Unlock()
	s.mu.Lock()
	if branch == "" {
		branch = r.defaultBranch
	}
	name := "refs/heads/" + branch
	tip, from := r.refs[name], r.refs["refs/heads/"+r.defaultBranch]
	by := signature{name: actor.name, email: actor.email, when: s.now()}
	s.mu.Unlock()
	old := tip
	if tip == "" {
		tip, old = from, zeroID
	}
	n := newCommit{author: by, committer: by, message: message}
	if tip != "" {
		n.parents = []string{tip}
	}
	edits := map[string]*treeEntry{}
	for path, text := range files {
		if text == nil {
			edits[path] = nil
			continue
		}
		blob, err := r.store.writeObject("blob", []byte(*text))
		if err != nil {
			return "", err
		}
		edits[path] = &treeEntry{mode: "100644", id: blob}
	}
	if n.tree, err = r.store.editTree(ctx, tip, edits); err != nil {
		return "", err
	}
	id, err := r.store.writeCommit(n)
	if err != nil {
		return "", err
	}
	u := refUpdate{name, old, id}
	if err := r.store.updateRefs(ctx, u); err != nil {
		return "", err
	}
	return id, s.refsMoved(ctx, r, actor, []refUpdate{u}, nil)
}
