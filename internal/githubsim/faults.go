package githubsim

// Faults: what goes wrong between a client and GitHub. Rules:
//
//   - A fault says which requests it hits and what happens to them; the first
//     that hits a request decides, except that latency lets others follow.
//   - "Before" means without effect, "after" means that the effect took place
//     and only its answer is lost: the client cannot tell them apart.
//   - Chance comes from the server's seed, so that a run repeats.

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// Fault is a rule for requests that go wrong.
type Fault struct {
	// Name stands in the journal beside the requests that were hit; the
	// effect's own name when empty.
	Name string
	// Method is the method hit; any when empty.
	Method string
	// Path is a glob (* within a segment, ** across) over the unescaped path:
	// below the API's root ("/repos/*/*/pulls/*/merge"), or of git
	// ("/o/r.git/git-receive-pack"). Any when empty. One ending in
	// ?service=… hits only git's advertisements of that service.
	Path string
	// By hits only the requests of this account; any when empty.
	By string
	// Occurrences are the matching requests that are hit, counted from 1; all
	// when empty.
	Occurrences []int
	// Chance is the probability of a hit, from 0 to 1; 0 means always.
	Chance float64
	// Times ends the fault after so many hits; 0 means never.
	Times int
	// Effect is what happens.
	Effect Effect
}

// Effect is what a fault does to a request. Make it with one of the
// functions below.
type Effect struct {
	name string
	// wait comes before anything else.
	wait time.Duration
	// carryOut runs the request as if nothing were wrong, its answer unseen.
	carryOut bool
	// answer is sent instead of the real one; nil breaks the connection off.
	answer func(*Server, http.ResponseWriter)
	// passOn lets the request go its way (after wait).
	passOn bool
}

// Latency makes a request wait, in real time, before it is looked at.
func Latency(d time.Duration) Effect { return Effect{name: "latency", wait: d, passOn: true} }

// Dropped breaks the connection off before any effect.
func Dropped() Effect { return Effect{name: "dropped"} }

// LostAnswer lets the request have its effect and breaks the connection off.
func LostAnswer() Effect { return Effect{name: "answer lost", carryOut: true} }

// Failed answers with a status, and GitHub's JSON error, before any effect.
func Failed(status int) Effect {
	return Effect{name: strconv.Itoa(status), answer: func(_ *Server, w http.ResponseWriter) {
		writeFault(w, status, http.StatusText(status), docsURL)
	}}
}

// BadGateway answers 502 with GitHub's page before any effect.
func BadGateway() Effect { return Effect{name: "502", answer: unicorn} }

// BadGatewayAfter lets the request have its effect and answers 502.
func BadGatewayAfter() Effect {
	return Effect{name: "502 after the effect", carryOut: true, answer: unicorn}
}

// PrimaryLimit answers 403 as when the hour's quota is used up until the
// reset, so much later by the server's clock.
func PrimaryLimit(reset time.Duration) Effect {
	return Effect{name: "primary limit", answer: func(s *Server, w http.ResponseWriter) {
		h := w.Header()
		h.Set("X-RateLimit-Limit", "5000")
		h.Set("X-RateLimit-Used", "5000")
		h.Set("X-RateLimit-Remaining", "0")
		h.Set("X-RateLimit-Reset", strconv.FormatInt(s.now().Add(reset).Unix(), 10))
		h.Set("X-RateLimit-Resource", "core")
		writeFault(w, http.StatusForbidden, "API rate limit exceeded.",
			docsURL+"/using-the-rest-api/rate-limits-for-the-rest-api")
	}}
}

// SecondaryLimit answers with a status of 403 or 429 and Retry-After. GitHub
// leaves Retry-After out at times; a retryAfter of 0 does so.
func SecondaryLimit(status int, retryAfter time.Duration) Effect {
	return Effect{name: "secondary limit", answer: func(_ *Server, w http.ResponseWriter) {
		if retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		}
		writeFault(w, status, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
			docsURL+"/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits")
	}}
}

// armed is a fault with its counts.
type armed struct {
	Fault
	matched, hits int
}

// faults has a lock of its own: it stands in front of the calls.
type faults struct {
	mu     sync.Mutex
	rules  []*armed
	chance *rand.Rand
}

// Inject arms a fault until the returned function takes it away. An
// impossible glob is an error of the caller and panics.
func (s *Server) Inject(f Fault) (remove func()) {
	if !doublestar.ValidatePattern(f.Path) {
		panic(fmt.Sprintf("githubsim: the fault's path %q is no glob", f.Path))
	}
	if f.Name == "" {
		f.Name = f.Effect.name
	}
	rule := &armed{Fault: f}
	box := &s.activity.faults
	box.mu.Lock()
	defer box.mu.Unlock()
	box.rules = append(box.rules, rule)
	return func() {
		box.mu.Lock()
		defer box.mu.Unlock()
		box.rules = slices.DeleteFunc(box.rules, func(one *armed) bool { return one == rule })
	}
}

// ClearFaults takes all faults of requests away.
func (s *Server) ClearFaults() {
	s.activity.faults.mu.Lock()
	defer s.activity.faults.mu.Unlock()
	s.activity.faults.rules = nil
}

// hit finds the effects for a request, the decisive one last.
func (s *Server) hit(r *http.Request) []Fault {
	box := &s.activity.faults
	box.mu.Lock()
	if len(box.rules) == 0 {
		box.mu.Unlock()
		return nil
	}
	box.mu.Unlock()
	s.mu.Lock()
	_, login := s.caller(r)
	s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/api/v3")

	box.mu.Lock()
	defer box.mu.Unlock()
	if box.chance == nil {
		box.chance = rand.New(rand.NewPCG(uint64(s.seed), 0x5eed))
	}
	var out []Fault
	for _, rule := range box.rules {
		if !rule.matches(r, path, login) {
			continue
		}
		rule.matched++
		if rule.Times > 0 && rule.hits >= rule.Times {
			continue
		}
		if len(rule.Occurrences) > 0 && !slices.Contains(rule.Occurrences, rule.matched) {
			continue
		}
		if rule.Chance > 0 && box.chance.Float64() >= rule.Chance {
			continue
		}
		rule.hits++
		out = append(out, rule.Fault)
		if !rule.Effect.passOn {
			break
		}
	}
	return out
}

func (a *armed) matches(r *http.Request, path, login string) bool {
	if a.Method != "" && a.Method != r.Method || a.By != "" && !strings.EqualFold(a.By, login) {
		return false
	}
	pattern, service, advertised := strings.Cut(a.Path, "?service=")
	if advertised && r.URL.Query().Get("service") != service {
		return false
	}
	return pattern == "" || doublestar.MatchUnvalidated(pattern, path)
}

// faultLayer carries out the faults around everything that has an effect.
func (s *Server) faultLayer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, f := range s.hit(r) {
			s.activity.journal.noteFault(r, f.Name)
			if f.Effect.wait > 0 {
				timer := time.NewTimer(f.Effect.wait)
				select {
				case <-timer.C:
				case <-s.life.Done():
				case <-r.Context().Done():
				}
				timer.Stop()
			}
			if f.Effect.passOn {
				continue
			}
			if f.Effect.carryOut {
				next.ServeHTTP(&heldWriter{header: http.Header{}}, r)
			}
			if f.Effect.answer == nil {
				panic(http.ErrAbortHandler) // net/http closes the connection
			}
			// A client that is refused early may still be sending; read it to the end, as GitHub's front does.
			_, _ = io.Copy(io.Discard, r.Body)
			f.Effect.answer(s, w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func writeFault(w http.ResponseWriter, status int, message, doc string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q,"documentation_url":%q,"status":"%d"}`, message, doc, status) // the client may be gone
}

// unicorn is the page that GitHub answers instead of JSON when its own
// servers fail behind its front.
func unicorn(_ *Server, w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusBadGateway)
	_, _ = io.WriteString(w, `<!DOCTYPE html><html><head><title>Unicorn! &middot; GitHub</title></head>`+ // the client may be gone
		`<body><p><strong>This page is taking too long to load.</strong></p><p>Sorry about that. Please try refreshing.</p></body></html>`)
}

// heldWriter holds an answer back.
type heldWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *heldWriter) Header() http.Header { return w.header }

func (w *heldWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

func (w *heldWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

func (w *heldWriter) sendTo(to http.ResponseWriter) {
	maps.Copy(to.Header(), w.header)
	to.WriteHeader(max(w.status, http.StatusOK))
	_, _ = to.Write(w.body.Bytes()) // the client may be gone
}
