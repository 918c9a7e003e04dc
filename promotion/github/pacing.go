package github

// Pacing: keeping an installation's requests below GitHub's secondary limits
// ("Rate limits for the REST API", about secondary rate limits), so that none
// is reached. Rules:
//
//   - What counts as creating content is what GitHub's REST API reference marks
//     with "This endpoint triggers notifications. Creating content too quickly
//     using this endpoint may result in secondary rate limiting": pull
//     requests, merges, review requests, reviews, comments, issues, releases.
//     Check runs, commits, edits and labels are writes, but no content.
//   - Windows are counted exactly: a bucket that refills would have to hold
//     back its burst from the limit, or let burst and refill through in one
//     minute. What is not used now can be used within the next minute.
//   - GitHub counts a request somewhere between its sending and its answer, by
//     its own clock. So a turn is taken from before the sending, and given back
//     a span after the answer: no window of GitHub's, wherever it begins, ever
//     sees more than the limit. Waiting for answers costs a round trip a span,
//     0.1 s of 60.
//   - A turn that was not used, because whoever waited for it gave up, is given
//     back at once.

import (
	"context"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/promobot/promobot/promotion"
)

// Pacing bounds an installation's requests. 0 is no bound.
type Pacing struct {
	// WritesPerMinute and WritesPerHour count requests that create content.
	WritesPerMinute, WritesPerHour int
	// PointsPerMinute counts a read by REST as one point, a write as five.
	PointsPerMinute int
	// GraphQLPointsPerMinute counts a query as one point, a mutation as five.
	GraphQLPointsPerMinute int
}

// GitHubsPacing is what GitHub allows ("Rate limits for the REST API", about
// secondary rate limits).
func GitHubsPacing() Pacing {
	return Pacing{WritesPerMinute: 80, WritesPerHour: 500, PointsPerMinute: 900, GraphQLPointsPerMinute: 2000}
}

const (
	// maxWait is how long a request waits for its turn rather than failing.
	maxWait = 2 * time.Second

	readPoints, writePoints = 1, 5
)

// price is what GitHub counts of a request.
type price struct {
	points  int
	content bool // it creates content
	graphQL bool // it is GraphQL's, which has points of its own
}

// contentPath is of requests by POST or PUT that create content, below the
// API's base. A renamed repository's are redirected to /repositories/ID/….
var contentPath = regexp.MustCompile(`^/(repos/[^/]+/[^/]+|repositories/[0-9]+)/(` + strings.Join([]string{
	`pulls`, `pulls/[0-9]+/(merge|comments|comments/[0-9]+/replies|requested_reviewers|reviews|reviews/[0-9]+/events)`,
	`issues`, `issues/[0-9]+/comments`, `commits/[^/]+/comments`, `releases`,
}, "|") + `)$`)

// mutationKey marks the context of a GraphQL request that writes.
type mutationKey struct{}

func (a *App) priceOf(req *http.Request) price {
	if req.URL.Path == a.graphQL.Path {
		if req.Context().Value(mutationKey{}) != nil {
			return price{points: writePoints, graphQL: true}
		}
		return price{points: readPoints, graphQL: true}
	}
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		return price{points: readPoints}
	}
	path := strings.TrimPrefix(req.URL.Path, strings.TrimSuffix(a.base.Path, "/"))
	creates := req.Method == http.MethodPost || req.Method == http.MethodPut
	return price{points: writePoints, content: creates && contentPath.MatchString(path)}
}

// budgets are those of all installations, which GitHub counts apart; 0 is the
// App itself.
type budgets struct {
	pacing Pacing
	mu     sync.Mutex
	known  map[int64]*budget
}

func (b *budgets) init(p Pacing) { b.pacing, b.known = p, map[int64]*budget{} }

func (b *budgets) of(installation int64) *budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known[installation] == nil {
		b.known[installation] = newBudget(b.pacing)
	}
	return b.known[installation]
}

// budget is what an installation may still ask.
type budget struct {
	mu          sync.Mutex
	rest, graph told      // limits that GitHub told
	content     []*window // of requests that create content
	restPoints  *window
	graphPoints *window
}

// told is a limit that GitHub told.
type told struct {
	until time.Time
	what  string
}

func newBudget(p Pacing) *budget {
	return &budget{
		content: []*window{
			{span: time.Minute, most: p.WritesPerMinute},
			{span: time.Hour, most: p.WritesPerHour},
		},
		restPoints:  &window{span: time.Minute, most: p.PointsPerMinute},
		graphPoints: &window{span: time.Minute, most: p.GraphQLPointsPerMinute},
	}
}

// windows are those that count a request, with its weight in each.
func (b *budget) windows(p price) map[*window]int {
	counted := map[*window]int{b.restPoints: p.points}
	if p.graphQL {
		counted = map[*window]int{b.graphPoints: p.points}
	}
	if p.content {
		for _, w := range b.content {
			counted[w] = 1
		}
	}
	return counted
}

// reserve takes a turn and says how long to wait for it.
func (b *budget) reserve(now time.Time, p price) (*turn, time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := b.rest
	if p.graphQL {
		limit = b.graph
	}
	if now.Before(limit.until) {
		return nil, 0, &promotion.LimitedError{Until: limit.until, What: limit.what}
	}
	at, counted := now, b.windows(p)
	for w, weight := range counted {
		at = later(at, w.when(now, weight))
	}
	if at.Sub(now) > maxWait {
		return nil, 0, &promotion.LimitedError{Until: at, What: "promobot keeps its requests below GitHub's secondary limits"}
	}
	t := &turn{budget: b, at: at}
	for w, weight := range counted {
		w.take(t, weight)
	}
	return t, at.Sub(now), nil
}

// left is how many requests that create content could be made now.
func (b *budget) left(now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.rest.until) {
		return 0
	}
	n := math.MaxInt
	for _, w := range b.content {
		n = min(n, w.room(now, 1))
	}
	return min(n, b.restPoints.room(now, writePoints))
}

// Budget is how many requests that create content (opening and merging pull
// requests, asking for reviews, commenting) could be made in the repository's
// installation now without waiting; math.MaxInt without pacing.
func (r *Repository) Budget() int { return r.app.budgets.of(r.installation).left(r.app.now()) }

// note remembers a limit that GitHub told. The hourly ones are of REST and of
// GraphQL apart; the secondary ones are of both.
func (b *budget) note(l *promotion.LimitedError, ofREST, ofGraphQL bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range []struct {
		applies bool
		limit   *told
	}{{ofREST, &b.rest}, {ofGraphQL, &b.graph}} {
		if one.applies && l.Until.After(one.limit.until) {
			*one.limit = told{until: l.Until, what: l.What}
		}
	}
}

// turn is one request's place in the windows that count it.
type turn struct {
	budget   *budget
	at       time.Time // when it may be sent or, once answered, was answered
	answered bool
}

// over tells that the request was answered, or failed: it may have had its
// effect at any time until now.
func (t *turn) over(now time.Time) {
	t.budget.mu.Lock()
	defer t.budget.mu.Unlock()
	t.at, t.answered = now, true
}

// giveBack tells that the request was not sent.
func (t *turn) giveBack() {
	t.budget.mu.Lock()
	defer t.budget.mu.Unlock()
	for _, w := range append([]*window{t.budget.restPoints, t.budget.graphPoints}, t.budget.content...) {
		w.drop(func(one taken) bool { return one.turn == t })
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// window counts what was taken in the last span.
type window struct {
	span  time.Duration
	most  int // 0: no bound
	taken []taken
	sum   int
}

type taken struct {
	turn   *turn
	weight int
}

// ends is when what was taken counts no more; as long as there is no answer, a
// span from now at the earliest.
func (w *window) ends(one taken, now time.Time) time.Time {
	if one.turn.answered {
		return one.turn.at.Add(w.span)
	}
	return later(one.turn.at, now).Add(w.span)
}

func (w *window) drop(gone func(taken) bool) {
	w.taken = slices.DeleteFunc(w.taken, func(one taken) bool {
		if !gone(one) {
			return false
		}
		w.sum -= one.weight
		return true
	})
}

// room is how many requests of a weight fit now.
func (w *window) room(now time.Time, weight int) int {
	if w.most == 0 {
		return math.MaxInt
	}
	w.drop(func(one taken) bool { return !w.ends(one, now).After(now) })
	return max(0, w.most-w.sum) / weight
}

// when is the earliest time, not before now, at which the weight fits.
func (w *window) when(now time.Time, weight int) time.Time {
	if w.room(now, weight) > 0 {
		return now
	}
	waits := slices.Clone(w.taken)
	slices.SortFunc(waits, func(a, b taken) int { return w.ends(a, now).Compare(w.ends(b, now)) })
	at, over := now, w.sum+weight-w.most
	for _, one := range waits {
		if over <= 0 {
			break
		}
		over -= one.weight
		at = w.ends(one, now)
	}
	return at
}

func (w *window) take(t *turn, weight int) {
	if w.most == 0 {
		return
	}
	w.taken = append(w.taken, taken{t, weight})
	w.sum += weight
}

// take waits for a request's turn.
func (l *limiter) take(ctx context.Context, p price) (*turn, error) {
	t, wait, err := l.budget.reserve(l.app.now(), p)
	if err != nil || wait <= 0 {
		return t, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return t, nil
	case <-ctx.Done():
		t.giveBack()
		return nil, ctx.Err()
	}
}
