package githubsim

// The primary and secondary rate limits (Rate limits for the REST API; for the
// GraphQL API). The primary one counts requests per identity and hour, GraphQL's
// apart; a 304 costs nothing. The secondary ones, off until LimitSecondary
// switches them on, count content-creating requests and points per identity in
// any minute and hour, wherever it begins.

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const defaultHourlyLimit = 5000

// rateLimits are the counters of all identities.
type rateLimits struct {
	hourly    map[string]int // identity → its own limit
	windows   map[string]*quota
	secondary SecondaryLimits
	spent     map[string]*spending
	hits      LimitHits
}

// quota is one identity's use of one window.
type quota struct {
	used  int
	reset time.Time
}

// SecondaryLimits are GitHub's secondary limits, per identity; 0 is no limit.
type SecondaryLimits struct {
	// ContentPerMinute and ContentPerHour are of requests that create content.
	ContentPerMinute, ContentPerHour int
	// PointsPerMinute counts a read by REST as one, a write as five;
	// GraphQLPointsPerMinute a query as one, a mutation as five.
	PointsPerMinute, GraphQLPointsPerMinute int
	// Status of the refusal: 403 or 429; 403 when 0.
	Status int
}

// GitHubsSecondaryLimits are those that GitHub documents.
func GitHubsSecondaryLimits() SecondaryLimits {
	return SecondaryLimits{ContentPerMinute: 80, ContentPerHour: 500, PointsPerMinute: 900, GraphQLPointsPerMinute: 2000}
}

// LimitHits tells which limits were hit, since the server was made.
type LimitHits struct {
	// Primary and the others count refused requests, by the limit.
	Primary, ContentPerMinute, ContentPerHour, Points int
	// Content counts the requests that created content, those refused not;
	// BusiestMinute is the most of one identity in any minute.
	Content, BusiestMinute int
}

// Secondary is how many requests a secondary limit refused.
func (h LimitHits) Secondary() int { return h.ContentPerMinute + h.ContentPerHour + h.Points }

// spending is what one identity has spent: of each kind, when and how much.
type spending struct {
	content, points, graphQL spans
}

// spans are amounts by time, the oldest first.
type spans []struct {
	at     time.Time
	amount int
}

func (s *spans) add(at time.Time, amount int) {
	*s = append(*s, struct {
		at     time.Time
		amount int
	}{at, amount})
}

// within is the sum of the last span of time, and when the oldest in it leaves.
func (s *spans) within(now time.Time, span time.Duration) (sum int, leaves time.Time) {
	for _, one := range slices.Backward(*s) {
		if !one.at.After(now.Add(-span)) {
			break
		}
		sum, leaves = sum+one.amount, one.at.Add(span)
	}
	return sum, leaves
}

// forget drops what no window sees any more.
func (s *spans) forget(before time.Time) {
	n := 0
	for n < len(*s) && (*s)[n].at.Before(before) {
		n++
	}
	*s = (*s)[n:]
}

func (l *rateLimits) init() {
	l.hourly = map[string]int{}
	l.windows = map[string]*quota{}
	l.spent = map[string]*spending{}
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

// windowOf is the running hour of a call, and its limit.
func (l *rateLimits) windowOf(c *call) (*quota, int) {
	key, _ := payer(c.who)
	limit, own := l.hourly[key]
	if !own {
		limit = defaultHourlyLimit
	}
	if c.isGraphQL() {
		key = "graphql " + key
	}
	return l.window(key, c.now), limit
}

func (c *call) isGraphQL() bool { return c.route != nil && c.route.need.graphQL }

// spend counts a request, or refuses it.
func (l *rateLimits) spend(c *call, writes bool) error {
	if c.route.need.free {
		return nil
	}
	if err := l.spendSecondary(c, writes); err != nil {
		return err
	}
	q, limit := l.windowOf(c)
	if q.used >= limit {
		l.hits.Primary++
		_, phrase := payer(c.who)
		return &apiError{
			status:  http.StatusForbidden,
			message: "API rate limit exceeded for " + phrase + ".",
			doc:     "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
		}
	}
	q.used++
	return nil
}

// spendSecondary counts a request by the secondary limits, or refuses it.
func (l *rateLimits) spendSecondary(c *call, writes bool) error {
	key, _ := payer(c.who)
	now, on := c.s.clock(), l.secondary
	one := l.spent[key]
	if one == nil {
		one = &spending{}
		l.spent[key] = one
	}
	for _, s := range []*spans{&one.content, &one.points, &one.graphQL} {
		s.forget(now.Add(-time.Hour))
	}
	price, points, limit := 1, &one.points, on.PointsPerMinute
	if c.isGraphQL() {
		points, limit = &one.graphQL, on.GraphQLPointsPerMinute
	}
	if writes {
		price = 5
	}
	for _, bound := range []struct {
		of     *spans
		limit  int
		price  int
		span   time.Duration
		counts bool
		hits   *int
	}{
		{&one.content, on.ContentPerMinute, 1, time.Minute, c.route.need.creates, &l.hits.ContentPerMinute},
		{&one.content, on.ContentPerHour, 1, time.Hour, c.route.need.creates, &l.hits.ContentPerHour},
		{points, limit, price, time.Minute, true, &l.hits.Points},
	} {
		sum, leaves := bound.of.within(now, bound.span)
		if bound.counts && bound.limit > 0 && sum+bound.price > bound.limit {
			*bound.hits++
			return secondaryLimit(on.Status, leaves.Sub(now))
		}
	}
	if limit > 0 {
		points.add(now, price)
	}
	if c.route.need.creates {
		one.content.add(now, 1)
		l.hits.Content++
		sum, _ := one.content.within(now, time.Minute)
		l.hits.BusiestMinute = max(l.hits.BusiestMinute, sum)
	}
	return nil
}

func secondaryLimit(status int, left time.Duration) error {
	if status == 0 {
		status = http.StatusForbidden
	}
	after := max(1, int((left+time.Second-1)/time.Second))
	return &apiError{
		status:  status,
		message: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
		doc:     "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
		header:  http.Header{"Retry-After": {strconv.Itoa(after)}},
	}
}

// refund takes a request back that was answered 304. Points are not given back.
func (l *rateLimits) refund(c *call) {
	if q, _ := l.windowOf(c); q.used > 0 && !c.route.need.free {
		q.used--
	}
}

// headers shows the quota.
func (l *rateLimits) headers(c *call, h http.Header) {
	q, limit := l.windowOf(c)
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, limit-q.used)))
	h.Set("X-RateLimit-Used", strconv.Itoa(q.used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(q.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
	if c.isGraphQL() {
		h.Set("X-RateLimit-Resource", "graphql")
	}
}

// LimitInstallation sets how many requests an hour an installation may make,
// by REST and as many by GraphQL.
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
	s.limits.secondary.ContentPerMinute = perMinute
}

// LimitSecondary sets the secondary limits; the zero value switches them off.
func (s *Server) LimitSecondary(limits SecondaryLimits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.secondary = limits
}

// LimitHits tells which limits were hit so far, and how near it came.
func (s *Server) LimitHits() LimitHits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits.hits
}

// rateLimitRoutes adds GET /rate_limit, which costs nothing.
func (s *Server) rateLimitRoutes() {
	s.handle("GET", "/rate_limit", need{free: true}, s.getRateLimit)
}

func (s *Server) getRateLimit(c *call) (reply, error) {
	q, limit := s.limits.windowOf(c)
	byGraphQL := *c
	byGraphQL.route = graphQLRoute
	g, graphLimit := s.limits.windowOf(&byGraphQL)
	rate := func(limit int, q *quota, used int) obj {
		return obj{"limit": limit, "remaining": max(0, limit-used), "reset": q.reset.Unix(), "used": used}
	}
	return ok(obj{
		"resources": obj{
			"core":                 rate(limit, q, q.used),
			"search":               rate(30, q, 0),
			"graphql":              rate(graphLimit, g, g.used),
			"integration_manifest": rate(5000, q, 0),
		},
		"rate": rate(limit, q, q.used),
	}), nil
}
