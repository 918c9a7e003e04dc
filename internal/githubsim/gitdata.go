package githubsim

// Git commits, trees, blobs and tag objects (REST API endpoints for the Git
// database).

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

func (s *Server) gitDataRoutes() {
	read := need{app: reads("contents"), role: RoleRead}
	change := need{app: writes("contents"), role: RoleWrite}
	const base = "/repos/{owner}/{repo}/git"
	s.handle("GET", base+"/commits/{commit_sha}", read, s.getGitCommit)
	s.handle("POST", base+"/commits", change, s.createGitCommit)
	s.handle("GET", base+"/trees/{tree_sha...}", read, s.getTree)
	s.handle("POST", base+"/trees", change, s.createTree)
	s.handle("GET", base+"/blobs/{file_sha}", read, s.getBlob)
	s.handle("POST", base+"/blobs", change, s.createBlob)
	s.handle("GET", base+"/tags/{tag_sha}", read, s.getTagObject)
	s.handle("POST", base+"/tags", change, s.createTagObject)
}

// verificationJSON tells whether a commit is signed.
func verificationJSON(c commit) obj {
	if c.verified() {
		return obj{
			"verified": true, "reason": "valid", "signature": c.signed, "payload": c.unsigned(), "verified_at": stamp(c.committer.when),
		}
	}
	if c.signed != "" {
		return obj{"verified": false, "reason": "unknown_key", "signature": c.signed, "payload": c.unsigned(), "verified_at": nil}
	}
	return obj{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
}

// signatureJSON is a name with a time. GitHub's API gives times in UTC.
func signatureJSON(sig signature) obj {
	return obj{"name": sig.name, "email": sig.email, "date": stamp(sig.when)}
}

// gitCommitJSON is a git-commit.
func (s *Server) gitCommitJSON(r *repository, c commit) obj {
	parents := []obj{}
	for _, p := range c.parents {
		parents = append(parents, obj{"sha": p, "url": r.api(s, "/git/commits/%s", p), "html_url": r.html(s, "/commit/%s", p)})
	}
	return obj{
		"sha": c.id, "node_id": nodeID("Commit", c.id), "url": r.api(s, "/git/commits/%s", c.id),
		"html_url": r.html(s, "/commit/%s", c.id), "author": signatureJSON(c.author), "committer": signatureJSON(c.committer),
		"tree":    obj{"sha": c.tree, "url": r.api(s, "/git/trees/%s", c.tree)},
		"message": strings.TrimSuffix(c.message, "\n"), "parents": parents, "verification": verificationJSON(c),
	}
}

// object reads an object of a kind; another kind, or none, is not found.
func (c *call) object(id, kind string) (object, error) {
	var o object
	err := c.git(func() (err error) {
		if !fullSHA.MatchString(id) {
			return errNoObject
		}
		o, err = c.repo.store.object(id)
		return err
	})
	if errors.Is(err, errNoObject) || (err == nil && o.kind != kind) {
		return o, notFound()
	}
	return o, err
}

func (s *Server) getGitCommit(c *call) (reply, error) {
	o, err := c.object(c.param("commit_sha"), "commit")
	if err != nil {
		return reply{}, err
	}
	return ok(s.gitCommitJSON(c.repo, parseCommit(o))), nil
}

// personInput is an author or committer as a caller writes it.
type personInput struct {
	Name  string     `json:"name"`
	Email string     `json:"email"`
	Date  *time.Time `json:"date"`
}

func (p *personInput) signature(otherwise signature) signature {
	if p == nil {
		return otherwise
	}
	out := signature{name: p.Name, email: p.Email, when: otherwise.when}
	if p.Date != nil {
		out.when = p.Date.UTC()
	}
	return out
}

// createGitCommit makes a commit. Without author, committer and signature it
// is the caller's, and signed by GitHub when the caller is an App (Create a
// commit; About commit signature verification: bots).
func (s *Server) createGitCommit(c *call) (reply, error) {
	var in struct {
		Message   string       `json:"message"`
		Tree      string       `json:"tree"`
		Parents   []string     `json:"parents"`
		Author    *personInput `json:"author"`
		Committer *personInput `json:"committer"`
		Signature string       `json:"signature"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	caller := signature{name: c.actor.name, email: c.actor.email, when: c.now}
	n := newCommit{tree: in.Tree, parents: in.Parents, message: in.Message}
	n.author = in.Author.signature(caller)
	n.committer = in.Committer.signature(n.author)
	if in.Author == nil && in.Committer == nil && in.Signature == "" && c.who.installation() != nil {
		n.committer, n.sign = webFlow(c.now), true
	}
	var made commit
	err := c.git(func() error {
		if o, err := c.repo.store.object(n.tree); !fullSHA.MatchString(n.tree) || err != nil || o.kind != "tree" {
			return unprocessable("Tree SHA does not exist")
		}
		for _, p := range n.parents {
			if o, err := c.repo.store.object(p); !fullSHA.MatchString(p) || err != nil || o.kind != "commit" {
				return unprocessable("Parent SHA does not exist or is not a commit object")
			}
		}
		id, err := c.repo.store.writeCommit(n)
		if err != nil {
			return err
		}
		made, err = c.repo.store.commit(id)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	c.header.Set("Location", c.repo.api(s, "/git/commits/%s", made.id))
	return created(s.gitCommitJSON(c.repo, made)), nil
}

// maxTreeEntries is when GitHub cuts a recursive tree off.
const maxTreeEntries = 100_000

// treeJSON is a git-tree.
func (s *Server) treeJSON(r *repository, id string, entries []treeEntry) obj {
	truncated := len(entries) > maxTreeEntries
	list := render(entries[:min(len(entries), maxTreeEntries)], func(e treeEntry) obj {
		out := obj{"path": e.name, "mode": e.mode, "type": e.kind, "sha": e.id}
		switch e.kind {
		case "blob":
			out["size"], out["url"] = e.size, r.api(s, "/git/blobs/%s", e.id)
		case "tree":
			out["url"] = r.api(s, "/git/trees/%s", e.id)
		}
		return out
	})
	return obj{"sha": id, "url": r.api(s, "/git/trees/%s", id), "tree": list, "truncated": truncated}
}

func (s *Server) getTree(c *call) (reply, error) {
	if len(c.repo.refs) == 0 {
		return reply{}, emptyRepository()
	}
	refs, name, recursive := c.refsCopy(), c.param("tree_sha"), c.r.URL.Query().Has("recursive")
	var id string
	var entries []treeEntry
	err := c.git(func() error {
		found := c.repo.store.resolve(refs, name)
		if found == "" {
			return notFound()
		}
		o, err := c.repo.store.object(found + "^{tree}")
		if err != nil {
			return notFound()
		}
		id = o.id
		entries, err = c.repo.store.tree(c.ctx(), id, recursive)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	return ok(s.treeJSON(c.repo, id, entries)), nil
}

// properPath tells whether a tree may hold a path: git ignores others silently.
func properPath(path string) bool {
	for seg := range strings.SplitSeq(path, "/") {
		if seg == "" || seg == "." || seg == ".." || strings.EqualFold(seg, ".git") || strings.Contains(seg, "\x00") {
			return false
		}
	}
	return true
}

func (s *Server) createTree(c *call) (reply, error) {
	var in struct {
		Base string `json:"base_tree"`
		Tree []struct {
			Path    string  `json:"path"`
			Mode    string  `json:"mode"`
			Type    string  `json:"type"`
			SHA     *string `json:"sha"`
			Content *string `json:"content"`
		} `json:"tree"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if len(in.Tree) == 0 {
		return reply{}, unprocessable("Invalid tree info")
	}
	var id string
	var entries []treeEntry
	err := c.git(func() error {
		edits := map[string]*treeEntry{}
		trees := map[string]string{} // whole folders
		for _, e := range in.Tree {
			switch {
			case !properPath(e.Path):
				return unprocessable("tree.path contains a malformed path component")
			case e.Content != nil:
				blob, err := c.repo.store.writeObject("blob", []byte(*e.Content))
				if err != nil {
					return err
				}
				edits[e.Path] = &treeEntry{mode: e.Mode, id: blob}
			case e.SHA == nil:
				edits[e.Path] = nil
			case e.Mode == "040000":
				trees[e.Path] = *e.SHA
			default:
				o, err := c.repo.store.object(*e.SHA)
				if e.Mode != "160000" && (err != nil || o.kind != "blob") {
					return unprocessable(fmt.Sprintf("tree.sha %s is not a valid blob", *e.SHA))
				}
				edits[e.Path] = &treeEntry{mode: e.Mode, id: *e.SHA}
			}
		}
		for path, sub := range trees {
			inside, err := c.repo.store.tree(c.ctx(), sub, true)
			if err != nil {
				return unprocessable(fmt.Sprintf("tree.sha %s is not a valid tree", sub))
			}
			for _, e := range inside {
				if e.kind != "tree" {
					edits[path+"/"+e.name] = &treeEntry{mode: e.mode, id: e.id}
				}
			}
		}
		base := ""
		if in.Base != "" {
			o, err := c.repo.store.object(in.Base + "^{tree}")
			if err != nil {
				return unprocessable("base_tree is not a valid tree oid")
			}
			base = o.id
		}
		made, err := c.repo.store.editTree(c.ctx(), base, edits)
		if err != nil {
			return unprocessable("tree.path contains a malformed path component")
		}
		id = made
		entries, err = c.repo.store.tree(c.ctx(), id, false)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	return created(s.treeJSON(c.repo, id, entries)), nil
}

func (s *Server) getBlob(c *call) (reply, error) {
	o, err := c.object(c.param("file_sha"), "blob")
	if err != nil {
		return reply{}, err
	}
	if wantsRaw(c) {
		return ok(rawBody(o.data)), nil
	}
	return ok(obj{
		"sha": o.id, "node_id": nodeID("Blob", o.id), "size": len(o.data), "url": c.repo.api(s, "/git/blobs/%s", o.id),
		"content": base64Lines(o.data), "encoding": "base64",
	}), nil
}

// base64Lines is base64 in lines of 60, each ended by a newline, as GitHub's.
func base64Lines(data []byte) string {
	text := base64.StdEncoding.EncodeToString(data)
	var out strings.Builder
	for len(text) > 0 {
		n := min(len(text), 60)
		out.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	return out.String()
}

func (s *Server) createBlob(c *call) (reply, error) {
	var in struct {
		Content  string `json:"content"`
		Encoding string `json:"encoding"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	data := []byte(in.Content)
	if in.Encoding == "base64" {
		var err error
		if data, err = decodeBase64(in.Content); err != nil {
			return reply{}, err
		}
	} else if !utf8.Valid(data) {
		return reply{}, unprocessable("content is not valid UTF-8")
	}
	var id string
	err := c.git(func() (err error) {
		id, err = c.repo.store.writeObject("blob", data)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	return created(obj{"sha": id, "url": c.repo.api(s, "/git/blobs/%s", id)}), nil
}

// decodeBase64 reads base64 with or without line ends.
func decodeBase64(text string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "").Replace(text))
	if err != nil {
		return nil, &apiError{status: http.StatusUnprocessableEntity, message: "content is not valid Base64"}
	}
	return data, nil
}
