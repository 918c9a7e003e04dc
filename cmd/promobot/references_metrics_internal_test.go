package main

// docs/reference/metrics.md is what a running program's registry describes: a
// metric that is registered anywhere is on the page.

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// described takes apart what prometheus says of a metric's description, which has
// no other way to be read.
var described = regexp.MustCompile(`^Desc\{fqName: "([^"]*)", help: "(.*?)"(?:, unit: "[^"]*")?, constLabels: \{.*\}, variableLabels: \{(.*)\}\}$`)

func TestReferencesMetrics(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{files: shopFiles(shopPropose, "dev", "prod")})
	var registry *prometheus.Registry
	ctx, stop := context.WithCancel(context.Background())
	p := NewProgram(s.config(), func(ctx context.Context, c Config, log zerolog.Logger, metrics prometheus.Registerer) (Parts, error) {
		registry, _ = metrics.(*prometheus.Registry)
		return wire(ctx, c, log, metrics)
	}, zerolog.New(s.log))
	s.program = &started{stop: stop, done: make(chan error, 1)}
	go func() { s.program.done <- p.Run(ctx) }()
	t.Cleanup(s.stop)
	if s.program.addr = p.Addr(); s.program.addr == "" || registry == nil {
		t.Fatal("the program does not start, or has another registry")
	}
	s.settle()

	kinds := map[string]string{}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		kinds[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	descriptions := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descriptions)
		close(descriptions)
	}()
	var rows []string
	for d := range descriptions {
		m := described.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("the description %s is not understood", d)
		}
		name := m[1]
		if !strings.HasPrefix(name, "promobot_") {
			continue
		}
		kind := kinds[name]
		if kind == "" && strings.HasSuffix(name, "_total") {
			kind = "counter"
		}
		if kind == "" {
			t.Errorf("%s is described, and a program that has looked at a repository does not show it", name)
		}
		var labels []string
		for label := range strings.SplitSeq(m[3], ",") {
			if label != "" {
				labels = append(labels, "`"+label+"`")
			}
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, kind, strings.Join(labels, ", "), cell(strings.ReplaceAll(m[2], `\"`, `"`))))
	}
	slices.Sort(rows)
	sameReference(t, "metrics.md", "# Metrics\n\nAt `/metrics`, for Prometheus; beside these the usual `go_` and `process_` ones. No label's values grow with what is installed. [Operations](../operations.md#what-to-watch) says which to look at, and when.\n\n| metric | kind | labels | |\n| --- | --- | --- | --- |\n"+strings.Join(slices.Compact(rows), ""))
}
