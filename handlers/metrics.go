package handlers

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what arrives. Labels come from fixed lists, never from a
// sender.
type Metrics struct {
	events  *prometheus.CounterVec
	wakes   *prometheus.CounterVec
	letters *prometheus.CounterVec
	sweeps  *prometheus.CounterVec
}

// NewMetrics registers the package's metrics.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "promobot_webhook_events_total",
			Help: "Webhook deliveries by event and by what became of them: woken, kept (as a letter), ignored, unknown, refused (not authentic), invalid, or failed (not stored; answered 503).",
		}, []string{"event", "result"}),
		wakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "promobot_wakes_total",
			Help: "Repositories asked to be looked at, by what asked: webhook or sweep.",
		}, []string{"cause"}),
		letters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "promobot_letters_total",
			Help: "Events that are kept until they were dealt with, by how they came: webhook, or sweep (a delivery that had failed, a comment that was not told).",
		}, []string{"cause"}),
		sweeps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "promobot_sweeps_total",
			Help: "Sweeps over all installed repositories, by result: complete, partial or failed.",
		}, []string{"result"}),
	}
	registerer.MustRegister(m.events, m.wakes, m.letters, m.sweeps)
	return m
}
