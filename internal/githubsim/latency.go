package githubsim

// Stated latencies: how far away the server is. Each request waits for itself,
// so that many at once wait together, as over a network.

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// latency has a lock of its own: it stands in front of the calls.
type latency struct {
	mu       sync.Mutex
	api, git time.Duration
}

func (l *latency) set(api, git time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.api, l.git = api, git
}

func (l *latency) of(path string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case isGraphQLPath(path) || path == "/api/v3" || strings.HasPrefix(path, "/api/v3/"):
		return l.api
	case isGitPath(path):
		return l.git
	}
	return 0
}

// SetLatency sets how long each request to the API and each HTTP request of
// git waits, in real time; see Options.
func (s *Server) SetLatency(api, git time.Duration) { s.activity.latency.set(api, git) }

// latencyLayer lets requests wait before anything else happens to them. A
// client that goes away meanwhile is not served.
func (s *Server) latencyLayer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait := s.activity.latency.of(r.URL.Path); wait > 0 {
			timer := time.NewTimer(wait)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-s.life.Done():
			case <-r.Context().Done():
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
