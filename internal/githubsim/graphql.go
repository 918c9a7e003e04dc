package githubsim

// The GraphQL endpoint: POST /graphql and, as on GitHub Enterprise Server,
// POST /api/graphql. It has a quota of its own (Rate limits for the GraphQL
// API); otherwise a request goes the way of REST's (call.go): the mutex, the
// credentials, the journal, the faults. What can be asked is in graphqltypes.go
// and graphqlmutations.go.

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/promobot/promobot/internal/githubsim/graphql"
)

// isGraphQLPath tells GraphQL's requests from others.
func isGraphQLPath(path string) bool { return path == "/graphql" || path == "/api/graphql" }

// graphQLRoute stands for REST's route in what calls have in common.
var graphQLRoute = &route{method: http.MethodPost, pattern: "/graphql", need: need{graphQL: true}}

// serveGraphQL answers one request.
func (s *Server) serveGraphQL(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	c := &call{s: s, r: r, body: body, header: http.Header{}, route: graphQLRoute}
	var out reply
	if err != nil {
		err = &apiError{status: http.StatusRequestEntityTooLarge, message: "Payload too large."}
	} else {
		out, err = s.answerGraphQL(c) //nolint:contextcheck // the call carries its request, whose context it uses
	}
	if err != nil {
		out = errorReply(err)
		if api, ok := errors.AsType[*apiError](err); ok {
			maps.Copy(c.header, api.header)
		}
	}
	s.write(w, c, out)
}

// answerGraphQL runs a document under the mutex. Refusals of the endpoint
// itself have a status, all others are a 200 with errors.
func (s *Server) answerGraphQL(c *call) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(c)
	if err := s.identify(c); err != nil {
		return reply{}, err
	}
	switch {
	case c.r.Method != http.MethodPost:
		return reply{}, notFound()
	case c.who.secret == "":
		return reply{}, unauthorized("This endpoint requires you to be authenticated.")
	}
	var request graphql.Request
	if err := json.Unmarshal(c.body, &request); err != nil {
		return reply{}, &apiError{status: http.StatusBadRequest, message: "Problems parsing JSON"}
	}
	op, refused := graphql.Parse(request)
	if err := s.limits.spend(c, op != nil && op.IsMutation()); err != nil {
		return reply{}, err
	}
	if refused != nil {
		return ok(graphql.Answer{Errors: []*graphql.Error{refused}}), nil
	}
	g := &graph{s: s, c: c}
	return ok(graphql.Schema{Types: g.types(), Implements: graphImplements}.Do(op)), nil
}

// operationOf names the operation of a request without using its body up.
func operationOf(r *http.Request) string {
	if r.Body == nil {
		return ""
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	rest := io.Reader(bytes.NewReader(body))
	if err == nil {
		rest = io.MultiReader(rest, r.Body)
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{rest, r.Body}
	var request graphql.Request
	if json.Unmarshal(body, &request) != nil {
		return ""
	}
	op, refused := graphql.Parse(request)
	if refused != nil {
		return ""
	}
	return op.Title()
}

// graph answers what one call asks.
type graph struct {
	s      *Server
	c      *call
	looked map[*pull]bool // whose mergeability was asked for
}

// graphError is a refusal as GraphQL tells it.
func graphError(kind, text string) error { return &graphql.Error{Type: kind, Message: text} }

// refused turns a refusal of REST's into one of GraphQL's.
func refused(err error) error {
	api, ok := errors.AsType[*apiError](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return graphError("INTERNAL", "Something went wrong while executing your query: "+err.Error())
	case api.status == http.StatusNotFound:
		return graphError("NOT_FOUND", api.message)
	case api.status == http.StatusForbidden:
		return graphError("FORBIDDEN", api.message)
	}
	return graphError("UNPROCESSABLE", strings.TrimSpace(api.message))
}

// sees tells whether the caller may read a part of a repository.
func (g *graph) sees(r *repository, app ...string) bool {
	if !g.s.maySee(g.c.who, r) {
		return false
	}
	t := g.c.who.token
	if t == nil || t.installation == nil {
		return g.s.appMay(t, r, true, app)
	}
	return !r.private && !t.reaches(r) || t.allows(app)
}

// may tells why the caller may not write to a repository, or nil.
func (g *graph) may(r *repository, app ...string) error {
	t := g.c.who.token
	switch {
	case !g.s.maySee(g.c.who, r):
		return graphError("NOT_FOUND", "Could not resolve to a node with the global id.")
	case !g.s.appMay(t, r, false, app):
		return graphError("FORBIDDEN", "Resource not accessible by integration")
	case t != nil && t.installation != nil:
		for _, permission := range app {
			if !t.reaches(r) || !t.allows([]string{permission}) {
				return graphError("FORBIDDEN", "Resource not accessible by integration")
			}
		}
	case r.roleOf(g.c.actor) < RoleWrite:
		return graphError("FORBIDDEN", g.c.actor.login+" does not have the correct permissions to execute this mutation")
	}
	if r.archived {
		return graphError("FORBIDDEN", "Repository was archived so is read-only.")
	}
	return nil
}
