package main

// Traffic: a handler in front of the simulated GitHub that adds the stated
// latency and writes down every request. Rules:
//
//   - Half of the latency comes before the request's effect and half before its
//     answer, as a line has it.
//   - A client is known by its credentials: promobot's replicas have a token
//     each, and each script says which it is in a header.
//   - What git asks for is told from its body: a look at the refs, a fetch, the
//     negotiation that belongs to a push, a push.

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// kind is what a request is for.
type kind string

const (
	apiRead      kind = "API read"
	apiUnchanged kind = "API read, not modified"
	apiCreate    kind = "API write that creates content"
	apiWrite     kind = "API write, other"
	apiToken     kind = "token"
	gitAdvertise kind = "git, advertisement"
	gitRefs      kind = "git, refs"
	gitFetch     kind = "git, objects"
	gitNegotiate kind = "git, negotiation of a push"
	gitPush      kind = "git, push"
	otherKind    kind = "other"
)

// exchange is one request and its answer.
type exchange struct {
	kind   kind
	client string
	method string
	route  string // the path with numbers and ids taken out
	status int
	// arrived is when it came, acted when its effect had taken place, answered
	// when all of its answer had left; all measured before and after the latency.
	arrived, acted, answered time.Time
	in, out                  int64 // bytes of the bodies as sent
	push                     pushed
	pack                     packed
	service                  string
}

// traffic is the handler. Its methods may be called at any time.
type traffic struct {
	api, git time.Duration
	next     http.Handler
	mu       sync.Mutex
	// bases finds the types of objects that packs build on; nil leaves the
	// contents of packs uncounted.
	bases     func(path string) typesOf
	exchanges []exchange
	inFlight  int
	changed   chan struct{} // closed and replaced after each push
}

func newTraffic(api, git time.Duration) *traffic {
	return &traffic{api: api, git: git, changed: make(chan struct{})}
}

// countPacks counts what fetches bring from now on.
func (t *traffic) countPacks(bases func(path string) typesOf) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bases = bases
}

// mark is a place in the traffic, for since.
func (t *traffic) mark() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.exchanges)
}

// since is what was answered after a mark, in the order of arrival.
func (t *traffic) since(mark int) []exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := slices.Clone(t.exchanges[mark:])
	slices.SortStableFunc(out, func(a, b exchange) int { return a.arrived.Compare(b.arrived) })
	return out
}

// quiet says whether nothing is under way, and how much was answered so far.
func (t *traffic) quiet() (idle bool, answered int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.inFlight == 0, len(t.exchanges)
}

// change is closed after the next push.
func (t *traffic) change() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

// ServeHTTP passes a request on.
func (t *traffic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := exchange{arrived: time.Now(), method: r.Method, route: routeOf(r.URL.Path), client: clientOf(r)}
	t.mu.Lock()
	t.inFlight++
	bases := t.bases
	t.mu.Unlock()

	latency := t.api
	body := e.read(r)
	if e.service != "" {
		latency = t.git
	}
	wait(r, latency/2)
	held := &tap{ResponseWriter: w, request: r, latency: latency - latency/2, keep: e.kind == gitPush || e.kind == gitFetch && bases != nil}
	t.next.ServeHTTP(held, r)
	held.begin(http.StatusOK)
	e.status, e.out, e.acted = held.status, held.sent, held.acted
	e.answered = time.Now()
	e.settle(body, held.body.Bytes(), bases, r.URL.Path)

	t.mu.Lock()
	defer t.mu.Unlock()
	t.inFlight--
	t.exchanges = append(t.exchanges, e)
	if e.kind == gitPush {
		close(t.changed)
		t.changed = make(chan struct{})
	}
}

func wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// read tells what the request is for. It returns the body of one to git, which
// stays to be read.
func (e *exchange) read(r *http.Request) []byte {
	path := r.URL.Path
	switch {
	case strings.HasSuffix(path, "/info/refs"):
		e.kind, e.service = gitAdvertise, r.URL.Query().Get("service")
		e.route += "?service=" + e.service
		return nil
	case strings.HasSuffix(path, "/git-upload-pack"), strings.HasSuffix(path, "/git-receive-pack"):
	default:
		e.kind = apiKind(r.Method, path, e.route)
		e.in = max(0, r.ContentLength)
		return nil
	}
	_, e.service, _ = strings.Cut(path, ".git/")
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		raw = nil // the client is gone; the simulator will say so
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	r.ContentLength = int64(len(raw))
	e.in = int64(len(raw))
	body := raw
	if r.Header.Get("Content-Encoding") == "gzip" {
		if unpacked, err := gzip.NewReader(bytes.NewReader(raw)); err == nil {
			if body, err = io.ReadAll(unpacked); err != nil {
				body = nil // not gzip after all: the simulator will say so
			}
		}
	}
	switch {
	case e.service == "git-receive-pack" && string(body) == flushPacket:
		e.kind = gitAdvertise // git asks whether it may, before it sends much
	case e.service == "git-receive-pack":
		e.kind = gitPush
	case bytes.Contains(body, []byte("command=ls-refs")):
		e.kind = gitRefs
	case bytes.Contains(body, []byte("wait-for-done")):
		e.kind = gitNegotiate
	default:
		e.kind = gitFetch
	}
	return body
}

// settle fills in what only the answer tells.
func (e *exchange) settle(body, answer []byte, bases func(string) typesOf, path string) {
	switch {
	case e.kind == apiRead && e.status == http.StatusNotModified:
		e.kind = apiUnchanged
	case e.kind == gitPush:
		e.push = readPush(body, answer)
	case e.kind == gitFetch && bases != nil:
		repository, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), ".git/")
		e.pack = countPack(answer, bases(repository))
	}
}

// creating are the routes that create content, which GitHub counts apart.
var creating = regexp.MustCompile(`^POST /repos/[^/]+/[^/]+/(pulls|issues|check-runs|statuses/\{\}|deployments|dispatches|releases|(issues|pulls)/\{\}/(comments|labels|assignees|requested_reviewers|reviews))$`)

func apiKind(method, path, route string) kind {
	switch {
	case !strings.HasPrefix(path, "/api/v3/"):
		return otherKind
	case strings.HasSuffix(route, "/access_tokens"):
		return apiToken
	case method == http.MethodGet || method == http.MethodHead:
		return apiRead
	case creating.MatchString(method + " " + route):
		return apiCreate
	}
	return apiWrite
}

var ids = regexp.MustCompile(`/([0-9]+|[0-9a-f]{40})(/|$)`)

func routeOf(path string) string {
	path = strings.TrimPrefix(path, "/api/v3")
	for ids.MatchString(path) { // neighbours share a slash
		path = ids.ReplaceAllString(path, "/{}$2")
	}
	return path
}

// scriptHeader says which script sends a request.
const scriptHeader = "X-Bench-Script"

func clientOf(r *http.Request) string {
	if script := r.Header.Get(scriptHeader); script != "" {
		return script
	}
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return token
}

// tap holds an answer back by the latency, and keeps it when asked to.
type tap struct {
	http.ResponseWriter
	request *http.Request
	latency time.Duration
	keep    bool
	begun   bool
	status  int
	sent    int64
	acted   time.Time
	body    bytes.Buffer
}

func (t *tap) begin(status int) {
	if t.begun {
		return
	}
	t.begun, t.status, t.acted = true, status, time.Now()
	wait(t.request, t.latency)
	t.ResponseWriter.WriteHeader(status)
}

// WriteHeader begins the answer.
func (t *tap) WriteHeader(status int) { t.begin(status) }

// Write sends part of the answer.
func (t *tap) Write(p []byte) (int, error) {
	t.begin(http.StatusOK)
	n, err := t.ResponseWriter.Write(p)
	t.sent += int64(n)
	if t.keep {
		t.body.Write(p[:n])
	}
	return n, err
}

// line is the exchange as a line of a trace; the time is since begin.
func (e exchange) line(begin time.Time) string {
	client := e.client
	if len(client) > 10 {
		client = "…" + client[len(client)-6:]
	}
	return fmt.Sprintf("%9.1f %7.1f  %-10s %3d %8d %8d  %-30s %s %s%s\n",
		millis(e.arrived.Sub(begin)), millis(e.answered.Sub(e.arrived)), client, e.status, e.in, e.out, e.kind, e.method, e.route, e.push.text())
}

// counts are how many exchanges are of each kind.
func counts(exchanges []exchange) map[kind]int {
	m := map[kind]int{}
	for _, e := range exchanges {
		m[e.kind]++
	}
	return m
}
