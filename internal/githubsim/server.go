// Package githubsim is a GitHub for tests and for the demo: REST under
// /api/v3/ and GraphQL at /api/graphql (the layout of GitHub Enterprise
// Server; GraphQL also at /graphql), git over HTTP at
// /{owner}/{repo}.git, pages at /{owner}/{repo}/…, and signed webhooks.
//
// What passes here should pass on GitHub: the simulator refuses what GitHub
// refuses, in GitHub's words, lags where GitHub lags, and every answer is
// shaped as GitHub's OpenAPI description says.
package githubsim

// This file holds the server's life: made by New, started by Start, emptied
// by Drain, ended by Close. Rules for the package:
//
//   - One mutex, Server.mu, guards the whole model. A REST handler runs with
//     it held (see call.go) and gives it up only inside call.git.
//   - Nothing slow happens under the mutex: no git process, no webhook.
//   - Every goroutine and process belongs to the Server and has ended when
//     Close returns.
//   - Ids, tokens and delivery ids come from counters, so that a run repeats.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options set up a Server. The zero value is usable.
type Options struct {
	// Dir holds the bare repositories. When empty, a temporary folder is made
	// and removed by Close.
	Dir string
	// Clock tells the time of everything the server stamps or lets expire.
	// When nil, it is time.Now.
	Clock func() time.Time
	// Seed makes the ids, tokens and delivery ids of this server differ from
	// those of a server with another seed.
	Seed int64
	// APILatency and GitLatency make every request to the API (REST and
	// GraphQL) and every HTTP request of git wait so long, in real time, before
	// anything is done about it. See SetLatency.
	APILatency, GitLatency time.Duration
	// Habits are GitHub's habits to start with. When nil, DefaultHabits.
	Habits *Habits
	// Wrap, when set, puts a handler around everything, as one that
	// validates requests and answers.
	Wrap func(http.Handler) http.Handler
}

// Server is a simulated GitHub. It is an http.Handler; it may be served by
// Start or by the caller's own listener (then SetURL must be told the address).
type Server struct {
	dir     string
	ownsDir bool
	clock   func() time.Time
	seed    int64
	git     gitEnv
	routes  router
	wrapped http.Handler // the dispatcher inside all layers of Server.layers

	life     context.Context //nolint:containedctx // ends with Close, as the server's processes must
	endLife  context.CancelFunc
	owned    sync.WaitGroup
	outgoing http.Client

	// inflight is held for reading by every request, so that Close can wait
	// for them. Taken before all other locks.
	inflight sync.RWMutex

	mu     sync.Mutex
	closed bool
	url    string
	habits Habits
	model
	hooks    hookQueue
	settling settling
	limits   rateLimits
	activity serverActivity
	pages    http.Handler // answers outside the API and git; nil is 404

	startMu sync.Mutex
	serving *http.Server
}

// New makes a server with no users and no repositories.
func New(o Options) (*Server, error) {
	s := &Server{dir: o.Dir, clock: o.Clock, seed: o.Seed, url: "http://githubsim.invalid"}
	if s.clock == nil {
		s.clock = time.Now
	}
	s.habits = DefaultHabits()
	if o.Habits != nil {
		s.habits = *o.Habits
	}
	s.activity.latency.set(o.APILatency, o.GitLatency)
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "githubsim-")
		if err != nil {
			return nil, fmt.Errorf("making a folder for the repositories: %w", err)
		}
		s.dir, s.ownsDir = dir, true
	}
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return nil, fmt.Errorf("finding the folder for the repositories: %w", err)
	}
	s.dir = dir
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return nil, fmt.Errorf("making the folder for the repositories: %w", err)
	}
	s.life, s.endLife = context.WithCancel(context.Background())
	if s.git, err = newGitEnv(s.life, s.dir); err != nil {
		s.endLife()
		return nil, err
	}
	s.init()
	s.webFlow = s.newUser("web-flow", kindUser)
	s.queueBot = s.newUser("github-merge-queue[bot]", kindBot)
	s.hooks.init()
	s.settling.init()
	s.limits.init()
	s.outgoing = http.Client{
		Timeout:   webhookTimeout,
		Transport: &http.Transport{MaxIdleConnsPerHost: maxSending},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	s.registerRoutes()
	s.wrapped = http.HandlerFunc(s.dispatch)
	for _, layer := range s.layers() {
		s.wrapped = layer(s.wrapped)
	}
	if o.Wrap != nil {
		s.wrapped = o.Wrap(s.wrapped)
	}
	s.owned.Go(s.deliverHooks)
	s.owned.Go(s.settle)
	return s, nil
}

// ServeHTTP answers one request through all layers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.inflight.RLock()
	defer s.inflight.RUnlock()
	if s.life.Err() != nil {
		http.Error(w, "the simulator is closed", http.StatusServiceUnavailable)
		return
	}
	s.wrapped.ServeHTTP(w, r)
}

// dispatch tells the API, git and pages apart by path.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/api/v3" || strings.HasPrefix(r.URL.Path, "/api/v3/"):
		s.serveREST(w, r)
	case isGraphQLPath(r.URL.Path):
		s.serveGraphQL(w, r)
	case isGitPath(r.URL.Path):
		s.serveGit(w, r)
	default:
		s.mu.Lock()
		pages := s.pages
		s.mu.Unlock()
		if pages == nil {
			http.NotFound(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	}
}

// URL is the server's base address, without a slash at its end.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url
}

// SetURL tells the server under which address it is reached, so that the
// links in its answers are right.
func (s *Server) SetURL(base string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.url = strings.TrimRight(base, "/")
}

// Start serves on a free port of 127.0.0.1 and returns the base URL. Close
// stops it.
func (s *Server) Start() (string, error) {
	return s.StartOn("127.0.0.1:0")
}

// StartOn is Start on an address of the caller's choice.
func (s *Server) StartOn(address string) (string, error) {
	s.startMu.Lock()
	defer s.startMu.Unlock()
	if s.serving != nil {
		return "", errors.New("the server has been started already; make another with New")
	}
	var listen net.ListenConfig
	l, err := listen.Listen(s.life, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("listening for the simulator: %w", err)
	}
	s.SetURL("http://" + l.Addr().String())
	s.serving = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	s.owned.Go(func() {
		// Serve returns ErrServerClosed on Close; any other error shows
		// itself to the clients, who cannot connect.
		_ = s.serving.Serve(l)
	})
	return s.URL(), nil
}

// Close stops serving and delivering, ends the git processes, waits for all of
// them, and removes the folder if New made it.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.hooks.wake()
	s.mu.Unlock()

	s.startMu.Lock()
	serving := s.serving
	s.startMu.Unlock()
	var err error
	if serving != nil {
		err = serving.Close()
	}
	s.endLife()
	s.closeStores()
	// Requests that came before the end of the life are let out.
	s.inflight.Lock()
	s.inflight.Unlock() //nolint:staticcheck // waiting is all there is to do
	s.closeStores()     // those that they opened
	s.owned.Wait()
	s.outgoing.CloseIdleConnections()
	if s.ownsDir {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

// now is the server's time, as GitHub shows it: in UTC and whole seconds.
func (s *Server) now() time.Time {
	return s.clock().UTC().Truncate(time.Second)
}
