package githubsim

// One REST request from arrival to answer. How to add an operation:
//
//	s.handle("GET", "/repos/{owner}/{repo}/labels/{name}",
//		need{app: reads("issues", "pull_requests"), role: RoleRead}, s.getLabel)
//
//	func (s *Server) getLabel(c *call) (reply, error) {
//		l := c.repo.labels[c.param("name")]
//		if l == nil {
//			return reply{}, notFound()
//		}
//		return ok(s.labelJSON(c.repo, l)), nil
//	}
//
// A handler runs with Server.mu held: it may read and change the model and
// must not block. What needs a git process or the object store goes into
// c.git(func() error), which gives the mutex up while it runs; afterwards the
// model may have changed, so look again at what matters. c.repo, c.actor and
// the permissions of need are settled before the handler is called. Answers
// are values made of maps, slices and scalars that nobody changes afterwards,
// because they are encoded after the mutex is released. Lists go through
// paginate. Errors are those of errors.go; any other error is answered 500.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// obj is a JSON object of an answer or a webhook.
type obj = map[string]any

// handler answers one call.
type handler func(*call) (reply, error)

// need says who may call an operation.
type need struct {
	// app: an installation token needs one of these ("issues:write"). Empty:
	// any installation token may.
	app []string
	// role: a user needs at least this role in the repository. RoleNone: any.
	role Role
	// login refuses anonymous calls (401 "Requires authentication").
	login bool
	// anonymous lets anonymous calls write: what they know is enough.
	anonymous bool
	// jwt: only Apps, by JWT. installation: only installation tokens.
	jwt, installation bool
	// client: only Apps, by their client id and secret.
	client bool
	// write marks operations that an archived repository refuses.
	write bool
	// creates marks content-creating requests, which GitHub counts apart: those
	// whose reference says "This endpoint triggers notifications. Creating
	// content too quickly using this endpoint may result in secondary rate
	// limiting."
	creates bool
	// graphQL has a quota of its own.
	graphQL bool
	// free marks operations that cost no quota.
	free bool
}

// reads lists permissions of which one must be granted at level read or above.
func reads(permissions ...string) []string { return levels("read", permissions) }

// writes lists permissions of which one must be granted at level write.
func writes(permissions ...string) []string { return levels("write", permissions) }

func levels(level string, permissions []string) []string {
	out := make([]string, len(permissions))
	for i, p := range permissions {
		out[i] = p + ":" + level
	}
	return out
}

// call is one REST request.
type call struct {
	s      *Server
	r      *http.Request
	route  *route
	params map[string]string
	body   []byte
	now    time.Time
	who    identity
	actor  *user       // who acts: the user, or the App's bot; nil when anonymous
	repo   *repository // of /repos/{owner}/{repo}/…, visible to who
	header http.Header // of the answer
	base   string      // the server's URL
}

// handle adds an operation.
func (s *Server) handle(method, pattern string, n need, h handler) {
	if method != http.MethodGet {
		n.write = n.write || strings.HasPrefix(pattern, "/repos/{owner}/{repo}")
		n.login = n.login || (!n.jwt && !n.anonymous && !n.client)
	}
	s.routes.add(&route{method: method, pattern: pattern, need: n, handler: h})
}

// param is a parameter of the path, unescaped.
func (c *call) param(name string) string { return c.params[name] }

// id is a numeric parameter of the path; what is no number is not found.
func (c *call) id(name string) (int64, error) {
	n, err := strconv.ParseInt(c.params[name], 10, 64)
	if err != nil {
		return 0, notFound()
	}
	return n, nil
}

// query is a parameter of the query string.
func (c *call) query(name string) string { return c.r.URL.Query().Get(name) }

// decode reads the request's body into v. An empty body and null leave v as
// it is (ghinstallation sends null).
func (c *call) decode(v any) error {
	body := bytes.TrimSpace(c.body)
	if len(body) == 0 || string(body) == "null" {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return unprocessable(fmt.Sprintf("Invalid request.\n\nFor 'properties/%s', %s is not a %s.",
				wrongType.Field, wrongType.Value, wrongType.Type))
		}
		return &apiError{status: http.StatusBadRequest, message: "Problems parsing JSON"}
	}
	return nil
}

// git runs f without the mutex: the place for git processes and object reads.
func (c *call) git(f func() error) error {
	c.s.mu.Unlock()
	defer c.s.mu.Lock()
	return f()
}

// lockRefs keeps the repository's refs from moving until unlock is called, at
// the latest when the handler returns. The mutex is given up while waiting.
func (c *call) lockRefs() (unlock func()) {
	c.s.mu.Unlock()
	c.repo.gitMu.Lock()
	c.s.mu.Lock()
	return c.repo.gitMu.Unlock
}

// ctx is for git processes whose effect must not end with the request; those
// of GitHub's own doing end with the server.
func (c *call) ctx() context.Context {
	if c.r == nil {
		return c.s.life
	}
	return context.WithoutCancel(c.r.Context())
}

// own is a call that GitHub makes itself, in someone's name.
func (s *Server) own(r *repository, who identity, actor *user) *call {
	return &call{s: s, repo: r, who: who, actor: actor, now: s.now(), base: s.url, header: http.Header{}}
}

// moveRefs moves refs of the repository in one transaction and lets that take
// effect. refs must be locked. A ref that is not at its old value is a git
// error; nothing has moved then.
func (c *call) moveRefs(first func() func(), updates ...refUpdate) error {
	return c.git(func() error {
		if err := c.repo.store.updateRefs(c.ctx(), updates...); err != nil {
			return err
		}
		return c.s.refsMoved(c.ctx(), c.repo, c.actor, updates, first)
	})
}

// reply is an answer.
type reply struct {
	status int
	body   any
}

func ok(body any) reply       { return reply{http.StatusOK, body} }
func created(body any) reply  { return reply{http.StatusCreated, body} }
func accepted(body any) reply { return reply{http.StatusAccepted, body} }
func noContent() reply        { return reply{status: http.StatusNoContent} }

// maxBody is more than any request of GitHub's API may carry.
const maxBody = 64 << 20

// serveREST answers a request below /api/v3.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v3")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	c := &call{s: s, r: r, body: body, header: http.Header{}}
	var out reply
	if err != nil {
		err = &apiError{status: http.StatusRequestEntityTooLarge, message: "Payload too large."}
	} else {
		out, err = s.answer(c, path)
	}
	if err != nil {
		out = errorReply(err)
		if api, ok := errors.AsType[*apiError](err); ok {
			maps.Copy(c.header, api.header)
		}
	}
	s.write(w, c, out)
}

// begin fills in what every call has, with Server.mu held.
func (s *Server) begin(c *call) {
	c.now, c.base = s.now(), s.url
	s.requests++
	c.header.Set("X-GitHub-Request-Id", fmt.Sprintf("%04X:%08X", s.seed&0xffff, s.requests))
}

// answer runs a call under the mutex.
func (s *Server) answer(c *call, path string) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(c)
	if err := s.identify(c); err != nil {
		return reply{}, err
	}
	path = s.pathOfID(path)
	c.route, c.params = s.routes.match(c.r.Method, path)
	if c.route == nil {
		return reply{}, notFound()
	}
	if err := s.limits.spend(c, c.r.Method != http.MethodGet && c.r.Method != http.MethodHead); err != nil {
		return reply{}, err
	}
	if err := s.admit(c, path); err != nil {
		return reply{}, err
	}
	return c.route.handler(c)
}

// write sends an answer, as a 304 if the client has it already.
func (s *Server) write(w http.ResponseWriter, c *call, out reply) {
	var data []byte
	if out.body != nil {
		var err error
		if raw, is := out.body.(rawBody); is {
			data = raw
			c.header.Set("Content-Type", "application/vnd.github.raw; charset=utf-8")
		} else if data, err = json.Marshal(out.body); err != nil {
			data, out.status = []byte(`{"message":"Server Error"}`), http.StatusInternalServerError
		}
	}
	h := w.Header()
	maps.Copy(h, c.header)
	if c.route == graphQLRoute {
		h.Set("X-GitHub-Media-Type", "github.v4; format=json")
	} else {
		h.Set("X-GitHub-Media-Type", "github.v3; format=json")
		h.Set("X-GitHub-Api-Version-Selected", "2022-11-28")
	}
	h.Set("Date", s.clock().UTC().Format(http.TimeFormat))
	if c.r.Method == http.MethodGet && out.status == http.StatusOK {
		etag := s.etag(c, data)
		h.Set("ETag", etag)
		h.Set("Cache-Control", "private, max-age=60, s-maxage=60")
		h.Set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With")
		if etagMatches(c.r.Header.Get("If-None-Match"), etag) {
			s.mu.Lock()
			s.limits.refund(c)
			s.limits.headers(c, h)
			s.mu.Unlock()
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	s.mu.Lock()
	s.limits.headers(c, h)
	s.mu.Unlock()
	if out.body != nil {
		if h.Get("Content-Type") == "" {
			h.Set("Content-Type", "application/json; charset=utf-8")
		}
		h.Set("Content-Length", strconv.Itoa(len(data)))
	}
	w.WriteHeader(out.status)
	if c.r.Method != http.MethodHead {
		_, _ = w.Write(data) // a client that went away needs no answer
	}
}
