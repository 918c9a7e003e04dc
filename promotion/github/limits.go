package github

// GitHub's limits ("Rate limits for the REST API"): when it says that one is
// reached, nothing is sent until it is over, since going on makes it worse; and
// with pacing, it is not reached. Rules:
//
//   - A limit is a *promotion.LimitedError with its end. Nothing waits here for
//     longer than maxWait.
//   - Windows are counted exactly: a token bucket would either let twice the
//     number through in its first window or halve the number afterwards.
//   - GitHub's times are read against GitHub's clock (the answer's Date).

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/promobot/promobot/promotion"
)

// Pacing bounds an installation's requests. 0 is no bound.
type Pacing struct {
	// WritesPerMinute and WritesPerHour count requests that create content.
	WritesPerMinute, WritesPerHour int
	// PointsPerMinute counts a read as one point, a write as five.
	PointsPerMinute int
}

// GitHubsPacing is what GitHub allows ("Rate limits for the REST API", about
// secondary rate limits).
func GitHubsPacing() Pacing {
	return Pacing{WritesPerMinute: 80, WritesPerHour: 500, PointsPerMinute: 900}
}

const (
	// maxConcurrent is half of what GitHub allows, for other users of the App.
	maxConcurrent = 50
	// maxWait is how long a request waits for its turn rather than failing.
	maxWait = 2 * time.Second
	// unsaid is how long to stay away when GitHub does not say ("wait for at
	// least one minute before retrying").
	unsaid = time.Minute

	readPoints, writePoints = 1, 5
)

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
	mu      sync.Mutex
	until   time.Time // of a limit that GitHub told
	what    string
	writes  []*window
	weights *window
}

func newBudget(p Pacing) *budget {
	return &budget{
		writes: []*window{
			{span: time.Minute, most: p.WritesPerMinute},
			{span: time.Hour, most: p.WritesPerHour},
		},
		weights: &window{span: time.Minute, most: p.PointsPerMinute},
	}
}

// reserve takes a turn and says how long to wait for it.
func (b *budget) reserve(now time.Time, write bool) (time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.until) {
		return 0, &promotion.LimitedError{Until: b.until, What: b.what}
	}
	points := readPoints
	if write {
		points = writePoints
	}
	turn := b.weights.when(now, points)
	if write {
		for _, w := range b.writes {
			turn = later(turn, w.when(now, 1))
		}
	}
	if turn.Sub(now) > maxWait {
		return 0, &promotion.LimitedError{Until: turn, What: "promobot keeps its requests below GitHub's secondary limits"}
	}
	b.weights.take(turn, points)
	if write {
		for _, w := range b.writes {
			w.take(turn, 1)
		}
	}
	return turn.Sub(now), nil
}

// note remembers a limit that GitHub told.
func (b *budget) note(l *promotion.LimitedError) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.Until.After(b.until) {
		b.until, b.what = l.Until, l.What
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
	at     time.Time
	weight int
}

// when is the earliest time, not before now, at which the weight fits.
func (w *window) when(now time.Time, weight int) time.Time {
	if w.most == 0 {
		return now
	}
	gone := 0
	for gone < len(w.taken) && !w.taken[gone].at.Add(w.span).After(now) {
		w.sum -= w.taken[gone].weight
		gone++
	}
	w.taken = w.taken[gone:]
	over := w.sum + weight - w.most
	for _, t := range w.taken {
		if over <= 0 {
			break
		}
		over -= t.weight
		now = later(now, t.at.Add(w.span))
	}
	return now
}

func (w *window) take(at time.Time, weight int) {
	if w.most == 0 {
		return
	}
	w.taken = append(w.taken, taken{at, weight})
	w.sum += weight
}

// limiter is in front of the network.
type limiter struct {
	app    *App
	budget *budget
	next   http.RoundTripper
}

func (l *limiter) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := l.turn(req.Context(), req.Method); err != nil {
		closeBody(req)
		return nil, err
	}
	select {
	case l.app.slots <- struct{}{}:
		defer func() { <-l.app.slots }()
	case <-req.Context().Done():
		closeBody(req)
		return nil, req.Context().Err()
	}
	resp, err := l.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusForbidden, http.StatusTooManyRequests, http.StatusUnprocessableEntity:
	default:
		return resp, nil
	}
	body, err := readAll(resp)
	if err != nil {
		return nil, err
	}
	if limit := limitOf(resp, string(body), l.app.now()); limit != nil {
		l.budget.note(limit)
		return nil, limit
	}
	return resp, nil
}

func (l *limiter) turn(ctx context.Context, method string) error {
	wait, err := l.budget.reserve(l.app.now(), method != http.MethodGet && method != http.MethodHead)
	if err != nil || wait <= 0 {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// limitOf recognises a limit in a 403 or 429, or returns nil. The secondary
// limit's answer carries Retry-After, or nothing but its words; the primary
// one's, a remaining quota of 0 and its reset. Content that comes too fast is a
// 422 in words.
func limitOf(resp *http.Response, body string, now time.Time) *promotion.LimitedError {
	h := resp.Header
	text := strings.ToLower(body)
	if resp.StatusCode == http.StatusUnprocessableEntity {
		if !strings.Contains(text, "submitted too quickly") {
			return nil
		}
		return limitUntil(now.Add(unsaid), "GitHub's limit on creating content", resp)
	}
	if after, err := strconv.Atoi(strings.TrimSpace(h.Get("Retry-After"))); err == nil && after >= 0 {
		return limitUntil(now.Add(time.Duration(after)*time.Second), "GitHub's secondary rate limit", resp)
	}
	secondary := strings.Contains(text, "secondary rate limit") || strings.Contains(text, "abuse detection")
	if !secondary && h.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			theirs := now
			if date, err := http.ParseTime(h.Get("Date")); err == nil {
				theirs = date
			}
			left := max(0, time.Unix(reset, 0).Sub(theirs))
			return limitUntil(now.Add(left+time.Second), "GitHub's hourly rate limit", resp)
		}
	}
	if secondary || resp.StatusCode == http.StatusTooManyRequests || strings.Contains(text, "rate limit exceeded") {
		return limitUntil(now.Add(unsaid), "GitHub's secondary rate limit", resp)
	}
	return nil
}

func limitUntil(t time.Time, what string, resp *http.Response) *promotion.LimitedError {
	return &promotion.LimitedError{Until: t, What: fmt.Sprintf("%s is reached (%d)", what, resp.StatusCode)}
}
