package githubsim

// The journal: every request that reaches the server, what it was for and
// what became of it. Rules:
//
//   - A request is written down when its answer ends, also when a fault ate it.
//   - What is not modified (304) is counted apart, since GitHub gives it free.
//   - Journal.String is made for golden files: no times, no ids, sorted.

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// RequestKind says what a request is for.
type RequestKind string

// The kinds of request. A token request is an App asking for an installation
// token, which changes nothing that anyone sees.
const (
	APIRead  RequestKind = "api-read"
	APIWrite RequestKind = "api-write"
	APIToken RequestKind = "api-token"
	GraphQL  RequestKind = "graphql"
	GitFetch RequestKind = "git-fetch"
	GitPush  RequestKind = "git-push"
	Other    RequestKind = "other"
)

// requestKinds in the order in which they are shown.
var requestKinds = []RequestKind{APIWrite, APIRead, GraphQL, APIToken, GitPush, GitFetch, Other}

// CallerKind says who sent a request.
type CallerKind string

// The kinds of caller.
const (
	CallerNobody       CallerKind = "anonymous"
	CallerApp          CallerKind = "app"
	CallerInstallation CallerKind = "installation"
	CallerUser         CallerKind = "user"
)

// Request is one entry of the journal.
type Request struct {
	// Number counts from 1 in the order of arrival, since the server was made.
	Number int
	// At is the server's time of arrival.
	At   time.Time
	Kind RequestKind
	// Method and Path are as sent; the path carries the query.
	Method, Path string
	// Route is the path's template as in GitHub's description; for git the
	// service; for GraphQL the operation ("mutation Enqueue"); empty when
	// nothing answers the path.
	Route string
	// Status is that of the answer, 0 when none left.
	Status int
	// Caller is the kind of caller, Login the account that acts: the user's,
	// or the App's bot; empty for anonymous callers and unknown tokens.
	Caller CallerKind
	Login  string
	// Fault is the name of the fault that hit the request, empty if none did.
	Fault string
}

// NotModified tells whether the answer was a 304.
func (r Request) NotModified() bool { return r.Status == http.StatusNotModified }

// Journal is a list of requests in the order of arrival.
type Journal []Request

// Count is how many requests are of the kind, 304s included.
func (j Journal) Count(kind RequestKind) int {
	n := 0
	for _, r := range j {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

// NotModified is how many answers were a 304.
func (j Journal) NotModified() int {
	n := 0
	for _, r := range j {
		if r.NotModified() {
			n++
		}
	}
	return n
}

// By keeps the requests of one account.
func (j Journal) By(login string) Journal {
	return slices.DeleteFunc(slices.Clone(j), func(r Request) bool { return r.Login != login })
}

// String lists the kinds with their counts, and below each its routes with
// theirs, sorted. Counts do not include 304s, which are told beside them.
func (j Journal) String() string {
	var b strings.Builder
	for _, kind := range requestKinds {
		type tally struct{ full, notModified int }
		var sum tally
		routes := map[string]tally{}
		for _, r := range j {
			if r.Kind != kind {
				continue
			}
			key := r.Method + " " + r.Route
			if r.Route == "" {
				path, _, _ := strings.Cut(r.Path, "?")
				key = r.Method + " " + path + " (answered by nothing)"
			}
			t := routes[key]
			if r.NotModified() {
				t.notModified++
				sum.notModified++
			} else {
				t.full++
				sum.full++
			}
			routes[key] = t
		}
		if len(routes) == 0 {
			continue
		}
		write := func(name string, t tally) {
			fmt.Fprintf(&b, "%s: %d", name, t.full)
			if t.notModified > 0 {
				fmt.Fprintf(&b, " + %d not modified", t.notModified)
			}
			b.WriteByte('\n')
		}
		write(string(kind), sum)
		for _, key := range slices.Sorted(maps.Keys(routes)) {
			write("  "+key, routes[key])
		}
	}
	return b.String()
}

// journalCap bounds the memory of a server that runs for long: past it, the
// older half is forgotten.
const journalCap = 400_000

// journal has a lock of its own: it is written around, not inside, the calls.
type journal struct {
	mu       sync.Mutex
	arrived  int
	entries  []Request
	hooks    []*requestHook
	inFlight map[*http.Request]*Request
}

type requestHook struct {
	before, after func(*http.Request)
}

// Journal is what has been answered since the last ResetJournal, in the order
// of arrival.
func (s *Server) Journal() Journal {
	j := &s.activity.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	out := slices.Clone(j.entries)
	slices.SortFunc(out, func(a, b Request) int { return a.Number - b.Number })
	return out
}

// ResetJournal forgets what has been written down; numbers go on.
func (s *Server) ResetJournal() {
	j := &s.activity.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = nil
}

// OnRequest calls f with every request before anything is done about it, on
// the request's goroutine and without any lock. With it a test ends a process
// at its n-th request. The returned function takes f away again.
func (s *Server) OnRequest(f func(*http.Request)) (remove func()) {
	return s.addRequestHook(&requestHook{before: f})
}

// OnEffect calls f with every request after its effect, before any of the
// answer leaves.
func (s *Server) OnEffect(f func(*http.Request)) (remove func()) {
	return s.addRequestHook(&requestHook{after: f})
}

func (s *Server) addRequestHook(h *requestHook) func() {
	j := &s.activity.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hooks = append(j.hooks, h)
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.hooks = slices.DeleteFunc(slices.Clone(j.hooks), func(one *requestHook) bool { return one == h })
	}
}

// journalLayer is the outermost layer: it writes down what the layers inside
// made of a request.
func (s *Server) journalLayer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := s.classify(r)
		j := &s.activity.journal
		j.mu.Lock()
		j.arrived++
		entry.Number = j.arrived
		if j.inFlight == nil {
			j.inFlight = map[*http.Request]*Request{}
		}
		j.inFlight[r] = &entry
		hooks := j.hooks
		j.mu.Unlock()

		seen := &statusWriter{ResponseWriter: w}
		defer func() {
			j.mu.Lock()
			defer j.mu.Unlock()
			delete(j.inFlight, r)
			entry.Status = seen.status
			if len(j.entries) >= journalCap {
				j.entries = slices.Clone(j.entries[journalCap/2:])
			}
			j.entries = append(j.entries, entry)
		}()
		var after []func(*http.Request)
		for _, h := range hooks {
			if h.before != nil {
				h.before(r)
			}
			if h.after != nil {
				after = append(after, h.after)
			}
		}
		if len(after) == 0 {
			next.ServeHTTP(seen, r)
			return
		}
		held := &heldWriter{header: http.Header{}}
		next.ServeHTTP(held, r)
		for _, f := range after {
			f(r)
		}
		held.sendTo(seen)
	})
}

// noteFault writes down which fault hit a request.
func (j *journal) noteFault(r *http.Request, name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if entry := j.inFlight[r]; entry != nil {
		entry.Fault = name
	}
}

// classify tells what a request is for and who sent it.
func (s *Server) classify(r *http.Request) Request {
	operation := ""
	if isGraphQLPath(r.URL.Path) {
		operation = operationOf(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := Request{At: s.now(), Kind: Other, Method: r.Method, Path: r.URL.RequestURI()}
	entry.Caller, entry.Login = s.caller(r)
	if path, isAPI := strings.CutPrefix(r.URL.EscapedPath(), "/api/v3"); isAPI {
		if rt, _ := s.routes.match(r.Method, s.pathOfID(path)); rt != nil {
			entry.Route = templateOf(rt)
		}
		switch {
		case strings.HasSuffix(entry.Route, "/access_tokens"):
			entry.Kind = APIToken
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			entry.Kind = APIRead
		default:
			entry.Kind = APIWrite
		}
		return entry
	}
	if isGraphQLPath(r.URL.Path) {
		entry.Kind, entry.Route = GraphQL, operation
		return entry
	}
	if isGitPath(r.URL.Path) {
		switch service := gitService(r); service {
		case "git-receive-pack":
			entry.Kind, entry.Route = GitPush, service
		case "git-upload-pack":
			entry.Kind, entry.Route = GitFetch, service
		}
	}
	return entry
}

// gitService is the service that a git request asks for or speaks to.
func gitService(r *http.Request) string {
	if service := r.URL.Query().Get("service"); service != "" {
		return service
	}
	return r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
}

// caller tells who sends a request, without judging whether he may.
func (s *Server) caller(r *http.Request) (CallerKind, string) {
	secret, err := secretOf(r)
	if err != nil {
		return CallerNobody, ""
	}
	if strings.Count(secret, ".") == 2 {
		return CallerApp, ""
	}
	t := s.tokens[secret]
	switch {
	case t == nil:
		return CallerNobody, ""
	case t.installation != nil:
		return CallerInstallation, t.installation.app.bot.login
	default:
		return CallerUser, t.user.login
	}
}

// statusWriter remembers the status of the answer that passes through it.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
