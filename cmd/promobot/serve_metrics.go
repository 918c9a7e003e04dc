package main

// Metrics of the queue and of the runs. Names and labels are the design's words;
// no label's values grow with what is installed.

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/promobot/promobot/state/queue"
)

func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return registry
}

// queueCollector reads the queue's state when asked for metrics.
type queueCollector struct{ queue queue.Queue }

var (
	queueKeys = prometheus.NewDesc("promobot_queue_keys",
		"Repositories in the queue by state: due, running, scheduled (a timer, debounce or backoff), failing (the last run failed; they are in another state too).",
		[]string{"state"}, nil)
	queueOldest = prometheus.NewDesc("promobot_queue_oldest_due_seconds",
		"How long the repository that has been due longest has been waiting for a worker.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c queueCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- queueKeys
	descriptions <- queueOldest
}

// Collect implements prometheus.Collector.
func (c queueCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stats, err := c.queue.Stats(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(queueKeys, err)
		return
	}
	for state, count := range map[string]int{
		"due": stats.Due, "running": stats.Running, "scheduled": stats.Scheduled, "failing": stats.Failing,
	} {
		metrics <- prometheus.MustNewConstMetric(queueKeys, prometheus.GaugeValue, float64(count), state)
	}
	oldest := 0.0
	if !stats.OldestDue.IsZero() {
		oldest = max(time.Since(stats.OldestDue).Seconds(), 0)
	}
	metrics <- prometheus.MustNewConstMetric(queueOldest, prometheus.GaugeValue, oldest)
}

// runMetrics counts runs.
type runMetrics struct {
	runs   *prometheus.CounterVec
	took   prometheus.Histogram
	waited prometheus.Histogram
}

func newRunMetrics(registerer prometheus.Registerer) runMetrics {
	m := runMetrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "promobot_runs_total",
			Help: "Looks at a repository by result: done, failed, stopped (left for the next start) or lease_lost.",
		}, []string{"result"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "promobot_run_duration_seconds",
			Help:    "How long a look at a repository took.",
			Buckets: prometheus.ExponentialBuckets(0.05, 2.5, 10), // 50 ms to 3 min
		}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "promobot_run_wait_seconds",
			Help:    "How long a repository that was due waited for a worker.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 9), // 10 ms to 11 min
		}),
	}
	registerer.MustRegister(m.runs, m.took, m.waited)
	return m
}

func (m runMetrics) observe(run queue.Result) {
	result := "done"
	switch {
	case run.Stopped:
		result = "stopped"
	case errors.Is(run.Err, queue.ErrLeaseLost):
		result = "lease_lost"
	case run.Err != nil:
		result = "failed"
	}
	m.runs.WithLabelValues(result).Inc()
	m.took.Observe(run.Took.Seconds())
	m.waited.Observe(run.Waited.Seconds())
}
