package conform

// The middleware: it stands in front of the simulator, lets everything through unchanged, and reports.

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// Prefix is the root of the API, as on GitHub Enterprise Server. What lies elsewhere (git, pages) is not validated.
const Prefix = "/api/v3"

// Middleware reports every departure of a request below Prefix, or of the answer that next gives to it. The report function is
// called from the goroutine of the request, before the answer's last byte has left for the request's departures, and must be
// safe for concurrent use. A handler that panics (an answer that is lost) has its request checked all the same.
func (d *Description) Middleware(next http.Handler, report func(Violation)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := strings.CutPrefix(r.URL.EscapedPath(), Prefix)
		if !ok || !strings.HasPrefix(path, "/") {
			next.ServeHTTP(w, r)
			return
		}
		var body []byte
		if r.Body != nil {
			read, err := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if err != nil {
				// The client went away or lied about the length: the handler sees the same broken body.
				r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(read), failing{err}))
				next.ServeHTTP(w, r)
				return
			}
			body = read
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		template, op, found := d.checkRequest(r, path, body)
		operation := r.Method + " " + template
		if template == "" {
			operation = r.Method
		}
		for _, p := range found {
			report(Violation{Side: "request", Operation: operation, Path: path, Where: p.where, Problem: p.text, Undeclared: p.undeclared})
		}
		tee := &teeWriter{ResponseWriter: w}
		next.ServeHTTP(tee, r)
		for _, p := range checkAnswer(op, r, tee.statusCode(), tee.Header(), tee.body.Bytes()) {
			report(Violation{
				Side: "answer", Operation: operation, Path: path, Status: tee.statusCode(),
				Where: p.where, Problem: p.text, Undeclared: p.undeclared,
			})
		}
	})
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
