package githubsim

// The primary and secondary rate limits (Rate limits for the REST API). The
// primary one counts requests per identity and hour; a 304 costs nothing. The
// secondary one counts content-creating requests per identity and minute, and
// is off until LimitCreation switches it on.

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const defaultHourlyLimit = 5000

// rateLimits are the counters of all identities.
type rateLimits struct {
	hourly    map[string]int // identity → its own limit
	creations int            // a minute; 0: unlimited
	windows   map[string]*quota
	minutes   map[string]*quota
}

// quota is one identity's use of one window.
type quota struct {
	used  int
	reset time.Time
}

func (l *rateLimits) init() {
	l.hourly = map[string]int{}
	l.windows = map[string]*quota{}
	l.minutes = map[string]*quota{}
}

// payer is whose quota a request uses: the installation's, the user's, the
// App's, or that of the caller's address.
func payer(who identity) (key, phrase string) {
	switch {
	case who.app != nil:
		return fmt.Sprintf("app %d", who.app.ID), fmt.Sprintf("app ID %d", who.app.ID)
	case who.installation() != nil:
		id := who.installation().id
		return fmt.Sprintf("installation %d", id), fmt.Sprintf("installation ID %d", id)
	case who.token != nil:
		return fmt.Sprintf("user %d", who.token.user.id), fmt.Sprintf("user ID %d", who.token.user.id)
	}
	return "anonymous", "127.0.0.1"
}

// window is the running hour of an identity.
func (l *rateLimits) window(key string, now time.Time) *quota {
	q := l.windows[key]
	if q == nil || !now.Before(q.reset) {
		q = &quota{reset: now.Add(time.Hour)}
		l.windows[key] = q
	}
	return q
}

func (l *rateLimits) limitOf(key string) int {
	if n, own := l.hourly[key]; own {
		return n
	}
	return defaultHourlyLimit
}

// spend counts a request, or refuses it.
func (l *rateLimits) spend(c *call) error {
	key, phrase := payer(c.who)
	if c.route.need.free {
		return nil
	}
	if c.route.need.creates && l.creations > 0 {
		m := l.minutes[key]
		if m == nil || !c.now.Before(m.reset) {
			m = &quota{reset: c.now.Add(time.Minute)}
			l.minutes[key] = m
		}
		if m.used >= l.creations {
			after := max(1, int(m.reset.Sub(c.now).Seconds()))
			return &apiError{
				status:  http.StatusForbidden,
				message: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
				doc:     "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
				header:  http.Header{"Retry-After": {strconv.Itoa(after)}},
			}
		}
		m.used++
	}
	q := l.window(key, c.now)
	if q.used >= l.limitOf(key) {
		return &apiError{
			status:  http.StatusForbidden,
			message: "API rate limit exceeded for " + phrase + ".",
			doc:     "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
		}
	}
	q.used++
	return nil
}

// refund takes a request back that was answered 304.
func (l *rateLimits) refund(c *call) {
	key, _ := payer(c.who)
	if q := l.windows[key]; q != nil && q.used > 0 && !c.route.need.free {
		q.used--
	}
}

// headers shows the quota.
func (l *rateLimits) headers(c *call, h http.Header) {
	key, _ := payer(c.who)
	q, limit := l.window(key, c.now), l.limitOf(key)
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, limit-q.used)))
	h.Set("X-RateLimit-Used", strconv.Itoa(q.used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(q.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
}

// LimitInstallation sets how many requests an hour an installation may make.
func (s *Server) LimitInstallation(installation int64, perHour int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.hourly[fmt.Sprintf("installation %d", installation)] = perHour
}

// LimitCreation sets how many content-creating requests a minute an identity
// may make; 0 is no limit. GitHub's own number is 80.
func (s *Server) LimitCreation(perMinute int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.creations = perMinute
}

// rateLimitRoutes adds GET /rate_limit, which costs nothing.
func (s *Server) rateLimitRoutes() {
	s.handle("GET", "/rate_limit", need{free: true}, s.getRateLimit)
}

func (s *Server) getRateLimit(c *call) (reply, error) {
	key, _ := payer(c.who)
	q, limit := s.limits.window(key, c.now), s.limits.limitOf(key)
	rate := func(limit, used int) obj {
		return obj{"limit": limit, "remaining": max(0, limit-used), "reset": q.reset.Unix(), "used": used}
	}
	return ok(obj{
		"resources": obj{
			"core":                 rate(limit, q.used),
			"search":               rate(30, 0),
			"graphql":              rate(5000, 0),
			"integration_manifest": rate(5000, 0),
		},
		"rate": rate(limit, q.used),
	}), nil
}
