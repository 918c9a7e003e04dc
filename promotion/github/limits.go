package github

// GitHub's limits as GitHub tells them ("Rate limits for the REST API"; "Rate
// limits and query limits for the GraphQL API"): when it says that one is
// reached, nothing is sent until it is over, since going on makes it worse.
// Rules:
//
//   - A limit is a *promotion.LimitedError with its end. Nothing waits here for
//     longer than maxWait.
//   - GitHub's times are read against GitHub's clock (the answer's Date).

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
)

const (
	// maxConcurrent is half of what GitHub allows, for other users of the App.
	maxConcurrent = 50
	// unsaid is how long to stay away when GitHub does not say ("wait for at
	// least one minute before retrying").
	unsaid = time.Minute
)

// limiter is in front of the network.
type limiter struct {
	app    *App
	budget *budget
	next   http.RoundTripper
}

func (l *limiter) RoundTrip(req *http.Request) (*http.Response, error) {
	cost := l.app.priceOf(req)
	turn, err := l.take(req.Context(), cost)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	select {
	case l.app.slots <- struct{}{}:
		defer func() { <-l.app.slots }()
	case <-req.Context().Done():
		closeBody(req)
		turn.giveBack()
		return nil, req.Context().Err()
	}
	resp, err := l.next.RoundTrip(req)
	turn.over(l.app.now())
	if err != nil {
		return nil, err
	}
	switch status := resp.StatusCode; {
	case status == http.StatusForbidden, status == http.StatusTooManyRequests, status == http.StatusUnprocessableEntity:
	case cost.graphQL && status == http.StatusOK: // GraphQL's limits are errors of a 200
	default:
		return resp, nil
	}
	body, err := readAll(resp)
	if err != nil {
		return nil, err
	}
	limit, hourly := limitOf(resp, body, l.app.now())
	if limit == nil {
		return resp, nil
	}
	l.budget.note(limit, !hourly || !cost.graphQL, !hourly || cost.graphQL)
	return nil, limit
}

// limitOf recognises a limit in an answer, or returns nil; hourly says that it
// is the primary one. The secondary limit's answer carries Retry-After, or
// nothing but its words; the primary one's, a remaining quota of 0 and its
// reset. Content that comes too fast is a 422 in words.
func limitOf(resp *http.Response, body []byte, now time.Time) (limit *promotion.LimitedError, hourly bool) {
	h, text := resp.Header, strings.ToLower(string(body))
	switch resp.StatusCode {
	case http.StatusUnprocessableEntity:
		if !strings.Contains(text, tooQuickly) {
			return nil, false
		}
		return limitUntil(now.Add(unsaid), "GitHub's limit on creating content", resp), false
	case http.StatusOK:
		words, limited := limitedQuery(body)
		if !limited {
			return nil, false
		}
		text = words
	}
	if after, err := strconv.Atoi(strings.TrimSpace(h.Get("Retry-After"))); err == nil && after >= 0 {
		return limitUntil(now.Add(time.Duration(after)*time.Second), "GitHub's secondary rate limit", resp), false
	}
	secondary := slices.ContainsFunc(secondaries, func(words string) bool { return strings.Contains(text, words) })
	if !secondary && h.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			theirs := now
			if date, err := http.ParseTime(h.Get("Date")); err == nil {
				theirs = date
			}
			left := max(0, time.Unix(reset, 0).Sub(theirs))
			return limitUntil(now.Add(left+time.Second), "GitHub's hourly rate limit", resp), true
		}
	}
	if secondary || resp.StatusCode != http.StatusForbidden || strings.Contains(text, "rate limit exceeded") {
		return limitUntil(now.Add(unsaid), "GitHub's secondary rate limit", resp), false
	}
	return nil, false
}

const tooQuickly = "submitted too quickly"

// secondaries are GitHub's words for its secondary limits.
var secondaries = []string{"secondary rate limit", "abuse detection", tooQuickly}

// limitedQuery tells whether an answer of GraphQL's says that a limit is
// reached, and in which words.
func limitedQuery(body []byte) (words string, limited bool) {
	var answer struct {
		Errors []graphQLError `json:"errors"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return "", false // whoever asked will say that this is no answer
	}
	for _, e := range answer.Errors {
		said := strings.ToLower(e.Message)
		if e.Type == "RATE_LIMITED" || slices.ContainsFunc(secondaries, func(words string) bool { return strings.Contains(said, words) }) {
			return said, true
		}
	}
	return "", false
}

func limitUntil(t time.Time, what string, resp *http.Response) *promotion.LimitedError {
	return &promotion.LimitedError{Until: t, What: fmt.Sprintf("%s is reached (%d)", what, resp.StatusCode)}
}
