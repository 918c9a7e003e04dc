package main

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/github"
)

// outboundMetrics count what leaves the process: what is scarce on GitHub.
type outboundMetrics struct {
	requests  *prometheus.CounterVec
	remaining prometheus.Gauge
	gitTime   *prometheus.HistogramVec
	windows   *prometheus.HistogramVec
	conflicts prometheus.Counter
	evictions prometheus.Counter
	quotas    quotas
}

// quota is what is left of an hour's requests to GitHub.
type quota struct {
	remaining, limit int
	reset            time.Time
}

// quotas are those that GitHub told last. Answers do not say whose they are; but
// each installation's hour ends at a second of its own.
type quotas struct {
	mu     sync.Mutex
	byHour map[int64]quota
}

func (q *quotas) note(told quota, now time.Time) {
	if told.limit <= 0 || told.reset.IsZero() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop(now)
	if q.byHour == nil {
		q.byHour = map[int64]quota{}
	}
	hour := told.reset.Unix()
	if known, is := q.byHour[hour]; !is || told.remaining < known.remaining {
		q.byHour[hour] = told
	}
}

func (q *quotas) drop(now time.Time) {
	for hour, known := range q.byHour {
		if !now.Before(known.reset) {
			delete(q.byHour, hour)
		}
	}
}

// least is the one with the fewest left; the zero value when none is known.
func (q *quotas) least(now time.Time) (least quota) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop(now)
	for _, known := range q.byHour {
		if least.limit == 0 || known.remaining < least.remaining {
			least = known
		}
	}
	return least
}

func newOutboundMetrics(registerer prometheus.Registerer) *outboundMetrics {
	m := &outboundMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "promobot_github_requests_total", Help: "Requests to GitHub's API, by method, route and status; 304 costs no quota.",
		}, []string{"method", "route", "status"}),
		remaining: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "promobot_github_quota_remaining", Help: "Requests left in the hour, as the newest answer told.",
		}),
		gitTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "promobot_git_seconds", Help: "Time of git's uses of the network, by kind and result.",
			Buckets: prometheus.ExponentialBuckets(0.01, 3, 9),
		}, []string{"kind", "result"}),
		windows: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "promobot_base_window_seconds",
			Help: "From reading the base branch to the end of the push of what was made on it, by deliver: push (the base itself) or pull_request.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 12), // 10 ms to 20 s
		}, []string{"deliver"}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "promobot_push_conflicts_total", Help: "Pushes that met a branch which had moved, and were decided anew.",
		}),
		evictions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "promobot_mirrors_evicted_total", Help: "Mirrors removed because all together took more than git.max_disk.",
		}),
	}
	registerer.MustRegister(m.requests, m.remaining, m.gitTime, m.windows, m.conflicts, m.evictions)
	for _, deliver := range []config.Deliver{config.ByPush, config.ByPullRequest} {
		m.windows.WithLabelValues(string(deliver)) // shown from the start, also where nothing was pushed yet
	}
	return m
}

func (m *outboundMetrics) request(o github.Observation) {
	m.requests.WithLabelValues(o.Method, o.Route, strconv.Itoa(o.Status)).Inc()
	if o.Remaining >= 0 {
		m.remaining.Set(float64(o.Remaining))
		m.quotas.note(quota{o.Remaining, o.Limit, o.Reset}, time.Now())
	}
}

func (m *outboundMetrics) git(kind string, d time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.gitTime.WithLabelValues(kind, result).Observe(d.Seconds())
}

func (m *outboundMetrics) window(deliver string, d time.Duration) {
	m.windows.WithLabelValues(deliver).Observe(d.Seconds())
}

func (m *outboundMetrics) conflict() { m.conflicts.Inc() }

func (m *outboundMetrics) evicted() { m.evictions.Inc() }

func asLimited(err error) (*promotion.LimitedError, bool) {
	return errors.AsType[*promotion.LimitedError](err)
}
