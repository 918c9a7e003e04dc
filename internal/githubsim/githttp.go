package githubsim

// Git over HTTP, served by git's own upload-pack and receive-pack. Fetches are
// passed through. A push is read whole first, so that GitHub's refusals can be given
// before git sees it (receive.go) and what moved can be told afterwards
// (push.go). Passwords are installation tokens and users' tokens.

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"strings"
)

const (
	uploadPack  = "git-upload-pack"
	receivePack = "git-receive-pack"
	// maxPush is what one push may carry; GitHub's own limit is 2 GiB.
	maxPush = 1 << 30
)

// isGitPath tells git's own requests from those for pages.
func isGitPath(path string) bool {
	_, _, _, is := splitGitPath(path)
	return is
}

// splitGitPath takes /owner/name.git/info/refs apart.
func splitGitPath(path string) (owner, name, tail string, is bool) {
	segments := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 3)
	if len(segments) < 3 {
		return "", "", "", false
	}
	switch segments[2] {
	case "info/refs", uploadPack, receivePack:
		return segments[0], strings.TrimSuffix(segments[1], ".git"), segments[2], true
	}
	return "", "", "", false
}

// gitRefusal is an answer that git shows its user as "remote: …".
type gitRefusal struct {
	status  int
	message string
	target  string // of a redirect
}

func (e *gitRefusal) Error() string { return e.message }

// serveGit answers one request of a git client.
func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	owner, name, tail, _ := splitGitPath(r.URL.Path)
	service := tail
	if tail == "info/refs" {
		service = r.URL.Query().Get("service")
	}
	if service != uploadPack && service != receivePack {
		http.Error(w, "Please upgrade your git client.\nGitHub.com no longer supports git over dumb-http: https://github.com/blog/809-git-dumb-http-transport-to-be-turned-off-in-90-days", http.StatusForbidden)
		return
	}
	repo, who, err := s.admitGit(r, owner, name, service == receivePack)
	if refusal, ok := errors.AsType[*gitRefusal](err); ok {
		switch refusal.status {
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		case http.StatusMovedPermanently:
			w.Header().Set("Location", refusal.target+"/"+tail+"?"+r.URL.RawQuery)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(refusal.status)
		_, _ = io.WriteString(w, refusal.message) // a client that went away needs no answer
		return
	}
	if tail != receivePack {
		body, err := readAll(w, r, maxPush)
		if err != nil {
			http.Error(w, "reading the request failed", http.StatusBadRequest)
			return
		}
		s.serveService(w, r, repo, service, tail, body)
		return
	}
	s.serveReceivePack(w, r, repo, who)
}

// admitGit finds the repository and whether who asks may fetch or push.
func (s *Server) admitGit(r *http.Request, owner, name string, push bool) (*repository, identity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret, err := secretOf(r)
	var who identity
	if err == nil && secret != "" {
		who, err = s.identityOf(secret)
	}
	if err != nil {
		var api *apiError
		if errors.As(err, &api) && api.status == http.StatusForbidden {
			return nil, who, &gitRefusal{status: http.StatusForbidden, message: api.message}
		}
		return nil, who, &gitRefusal{status: http.StatusUnauthorized, message: "Invalid username or token. Password authentication is not supported for Git operations."}
	}
	if who.app != nil {
		return nil, who, &gitRefusal{status: http.StatusUnauthorized, message: "Invalid username or token. Password authentication is not supported for Git operations."}
	}
	repo := s.repository(owner, name)
	if repo == nil || !s.maySee(who, repo) {
		if who.token == nil {
			return nil, who, &gitRefusal{status: http.StatusUnauthorized, message: "Repository not found."}
		}
		return nil, who, &gitRefusal{status: http.StatusNotFound, message: "Repository not found."}
	}
	if push && who.token == nil {
		return nil, who, &gitRefusal{status: http.StatusUnauthorized, message: "No anonymous write access."}
	}
	if !strings.EqualFold(repo.fullName(), owner+"/"+name) {
		return nil, who, &gitRefusal{
			status: http.StatusMovedPermanently, message: "Moved Permanently", target: repo.html(s, ".git"),
		}
	}
	if who.token != nil && !mayGit(who, repo, push) {
		return nil, who, &gitRefusal{
			status:  http.StatusForbidden,
			message: fmt.Sprintf("Permission to %s.git denied to %s.", repo.fullName(), who.actor().login),
		}
	}
	if push && repo.archived {
		return nil, who, &gitRefusal{status: http.StatusForbidden, message: "This repository was archived so it is read-only."}
	}
	return repo, who, nil
}

// mayGit tells whether a token may fetch from or push to what it can see.
func mayGit(who identity, r *repository, push bool) bool {
	if who.installation() == nil {
		return !push || r.roleOf(who.actor()) >= RoleWrite
	}
	if push {
		return who.token.reaches(r) && who.token.allows(writes("contents"))
	}
	return !r.private || who.token.allows(reads("contents"))
}

// readAll reads a request's body, unpacked.
func readAll(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	var from io.Reader = http.MaxBytesReader(w, r.Body, limit)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(from)
		if err != nil {
			return nil, fmt.Errorf("unpacking the request: %w", err)
		}
		from = io.LimitReader(unpacked, limit)
	}
	body, err := io.ReadAll(from)
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	return body, nil
}

// serveService runs git's side of one request, as git's own http-backend does
// (git docs: "http-protocol", "protocol-v2"), whose two further processes are most
// of what a request costs. It goes on when the client went away.
func (s *Server) serveService(w http.ResponseWriter, r *http.Request, repo *repository, service, tail string, body []byte) {
	args, kind := []string{strings.TrimPrefix(service, "git-"), "--stateless-rpc"}, "result"
	if tail == "info/refs" {
		args, kind = append(args, "--http-backend-info-refs"), "advertisement"
	}
	protocol := r.Header.Get("Git-Protocol")
	cmd := exec.CommandContext(context.WithoutCancel(r.Context()), s.git.binary, append(args, repo.store.path)...)
	cmd.Dir, cmd.Env = s.dir, append([]string{"GIT_PROTOCOL=" + protocol}, s.git.env...)
	cmd.Stdin, cmd.Stdout = bytes.NewReader(body), w
	w.Header().Set("Content-Type", "application/x-"+service+"-"+kind)
	w.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	if tail == "info/refs" && !strings.Contains(protocol, "version=2") {
		line := "# service=" + service + "\n"
		_, _ = fmt.Fprintf(w, "%04x%s0000", len(line)+4, line) // who went away needs no answer
	}
	// A git that fails has told its client; one that does not run breaks the answer off.
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		panic(http.ErrAbortHandler)
	}
}

// serveReceivePack answers a push: GitHub's refusals first, then git itself,
// then what follows from what moved, and only then the client.
func (s *Server) serveReceivePack(w http.ResponseWriter, r *http.Request, repo *repository, who identity) {
	body, err := readAll(w, r, maxPush)
	if err != nil {
		http.Error(w, "reading the push failed", http.StatusBadRequest)
		return
	}
	p, err := parsePush(body)
	if err != nil {
		http.Error(w, "not a push: "+err.Error(), http.StatusBadRequest)
		return
	}
	// What a push caused happens whether or not the client still waits.
	ctx := context.WithoutCancel(r.Context())
	repo.gitMu.Lock()
	defer repo.gitMu.Unlock()
	refusals, err := s.refusals(ctx, repo, who, p)
	if err != nil {
		http.Error(w, "examining the push failed: "+err.Error(), http.StatusInternalServerError)
		return
	}
	if len(refusals) > 0 {
		p.writeRefusal(w, refusals)
		return
	}
	answer := &heldAnswer{header: http.Header{}, status: http.StatusOK}
	s.serveService(answer, r, repo, receivePack, receivePack, body)
	if err := s.afterPush(ctx, repo, who.actor()); err != nil {
		http.Error(w, "following the push failed: "+err.Error(), http.StatusInternalServerError)
		return
	}
	maps.Copy(w.Header(), answer.header)
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body.Bytes()) // a client that went away needs no answer
}

// heldAnswer keeps what git answered until its effects are known.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header { return h.header }

func (h *heldAnswer) WriteHeader(status int) { h.status = status }

func (h *heldAnswer) Write(data []byte) (int, error) {
	n, err := h.body.Write(data)
	if err != nil {
		return n, fmt.Errorf("holding the answer of git: %w", err)
	}
	return n, nil
}

// afterPush finds what moved in the bare repository and lets it take effect.
// Called with repo.gitMu held.
func (s *Server) afterPush(ctx context.Context, repo *repository, actor *user) error {
	refs, err := repo.store.listRefs(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	var moved []refUpdate
	for name, id := range refs {
		if old, was := repo.refs[name]; !was {
			moved = append(moved, refUpdate{name, zeroID, id})
		} else if old != id {
			moved = append(moved, refUpdate{name, old, id})
		}
	}
	for name, old := range repo.refs {
		if _, is := refs[name]; !is {
			moved = append(moved, refUpdate{name, old, zeroID})
		}
	}
	s.mu.Unlock()
	return s.refsMoved(ctx, repo, actor, moved, nil)
}
