package conform

// The middleware: it stands in front of the simulator, lets everything through unchanged, and reports.

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Prefix is the root of the API, as on GitHub Enterprise Server. What lies elsewhere, GraphQL apart (git, pages), is not validated.
const Prefix = "/api/v3"

// Middleware reports every departure of a request below Prefix or to GraphQL, or of the answer that next gives to it. The
// report function is called from the goroutine of the request, before the answer's last byte has left for the request's
// departures, and must be safe for concurrent use. A handler that panics (an answer that is lost) has its request checked all
// the same.
func (d *Description) Middleware(next http.Handler, report func(Violation)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := strings.CutPrefix(r.URL.EscapedPath(), Prefix)
		isREST := ok && strings.HasPrefix(path, "/")
		isGraphQL := d.schema != nil && slices.Contains(graphQLPaths, r.URL.Path)
		if !isREST && !isGraphQL {
			next.ServeHTTP(w, r)
			return
		}
		body, err := heldBody(r)
		if err != nil {
			next.ServeHTTP(w, r)
			return
		}
		var operation string
		var found []problem
		var answer func(*teeWriter) []problem
		if isREST {
			template, op, wrong := d.checkRequest(r, path, body)
			operation, found = r.Method+" "+template, wrong
			if template == "" {
				operation = r.Method
			}
			answer = func(t *teeWriter) []problem { return checkAnswer(op, r, t.statusCode(), t.Header(), t.body.Bytes()) }
		} else {
			name, op, wrong := d.checkGraphQLRequest(r, body)
			operation, found, path = name, wrong, r.URL.Path
			answer = func(t *teeWriter) []problem { return d.checkGraphQLAnswer(op, t.statusCode(), t.body.Bytes()) }
		}
		for _, p := range found {
			report(Violation{Side: "request", Operation: operation, Path: path, Where: p.where, Problem: p.text, Undeclared: p.undeclared})
		}
		tee := &teeWriter{ResponseWriter: w}
		next.ServeHTTP(tee, r)
		for _, p := range answer(tee) {
			report(Violation{
				Side: "answer", Operation: operation, Path: path, Status: tee.statusCode(),
				Where: p.where, Problem: p.text, Undeclared: p.undeclared,
			})
		}
	})
}

// heldBody reads a request's body and puts it back. On an error the handler sees the same broken body: the client went away
// or lied about the length.
func heldBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	read, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(read), failing{err}))
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(read))
	return read, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// teeWriter keeps a copy of the answer that passes through it.
type teeWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (t *teeWriter) WriteHeader(status int) {
	if t.status == 0 && status >= 200 {
		t.status = status
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *teeWriter) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	t.body.Write(p)
	return t.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (t *teeWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *teeWriter) statusCode() int {
	if t.status == 0 {
		return http.StatusOK
	}
	return t.status
}
