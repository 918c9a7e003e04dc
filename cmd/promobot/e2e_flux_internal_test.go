package main

// Flux's own example of staging and production with Helm releases. Staging's
// chart version is a range that Flux resolves, so promobot never writes there:
// it learns by repository_dispatch what Flux has installed, and production gets
// exactly that.

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/state"
)

const fluxPipeline = `# staging's chart version is a range that Flux resolves; what is promoted is the version it reported
version: 1
mode: propose
environments:
  staging:    {managed: elsewhere, source: {dispatch: HelmRelease/podinfo.podinfo, version: metadata.revision}}
  production: {from: staging}
pipelines:
  podinfo:
    path: apps/$env
    promote: {values: spec.chart.spec.version, in: podinfo-values.yaml}
shared: [apps/base/**, infrastructure/**]
`

const (
	fluxStaging    = "podinfo/staging"
	fluxProduction = "podinfo/production"
	fluxValues     = "apps/production/podinfo-values.yaml"
	fluxRelease    = "HelmRelease/podinfo.podinfo" // the event_type: kind/name.namespace
)

// fluxEvent is what Flux's notification controller sends as client_payload: its
// event ("Events", Flux notification-controller's documentation), the metadata
// without their prefix.
func fluxEvent(severity, reason, message, revision string) map[string]any {
	return map[string]any{
		"involvedObject": map[string]any{
			"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "name": "podinfo", "namespace": "podinfo",
			"resourceVersion": "1853", "uid": "6e1b9b0a-4d7f-4a3a-9f0e-2c9bb2e5c1d4",
		},
		"severity": severity, "timestamp": "2026-03-02T09:30:15Z", "reason": reason, "message": message,
		"metadata":            map[string]any{"revision": revision, "app-version": revision, "oci-digest": "sha256:" + strings.Repeat("a", 64)},
		"reportingController": "helm-controller", "reportingInstance": "helm-controller-5d8d5fc6fd-qpzrk",
	}
}

// upgraded has Flux say that staging runs a version.
func (s *scene) upgraded(revision string) {
	s.dispatch(fluxRelease, fluxEvent("info", "UpgradeSucceeded", "Helm upgrade succeeded for release podinfo/podinfo.v2 with chart podinfo@"+revision, revision))
}

// TestFlux: from the first report to production's second version.
func TestFlux(t *testing.T) {
	t.Parallel()
	s := newScene(t, sceneOptions{from: bundle(t, "flux2-kustomize-helm-example.bundle"), files: map[string]string{".github/promobot.yml": fluxPipeline}})
	begin := s.refs()["refs/heads/main"]
	s.installed(2)
	want := s.folder(begin, ".")
	// production is the repository with another version in its one line.
	production := func(version string) map[string]file {
		all := maps.Clone(want)
		f := all[fluxValues]
		text := strings.Replace(f.Text, `version: ">=1.0.0"`, `version: "`+version+`"`, 1)
		if text == f.Text {
			t.Fatalf("%s has no range:\n%s", fluxValues, f.Text)
		}
		all[fluxValues] = file{f.Mode, text}
		return all
	}

	s.nothingMoves("what Flux says of a failure, or of something else", func() {
		s.dispatch(fluxRelease, fluxEvent("error", "UpgradeFailed", "Helm upgrade failed: timed out waiting for the condition", "6.6.0"))
		s.dispatch("HelmRelease/redis.podinfo", fluxEvent("info", "UpgradeSucceeded", "Helm upgrade succeeded", "6.6.0"))
		s.dispatch("Kustomization/apps.flux-system", fluxEvent("info", "ReconciliationSucceeded", "Reconciliation finished", "main@sha1:4f1a5b1"))
	})
	s.upgraded("6.5.1")
	s.wait("production is proposed", func() bool { return s.open()[fluxProduction].Number != 0 })
	s.settle()
	p := s.open()[fluxProduction]
	s.wantPull(fluxProduction, p, "6.5.1")
	if p.Title != "production: podinfo → 6.5.1" { // what stood there is a range and no version
		t.Errorf("it is proposed as %q", p.Title)
	}

	if strings.Contains(p.Body, "revert it in staging") {
		t.Errorf("the text sends people to staging, where Flux decides:\n%s", p.Body)
	}
	if d := cmp.Diff(production("6.5.1"), s.folder(p.HeadSHA, ".")); d != "" {
		t.Errorf("the promotion (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"baseline", "accepted"}, s.story(fluxStaging)); d != "" {
		t.Errorf("staging's ledger (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"baseline", "claim", "opened"}, s.story(fluxProduction)); d != "" {
		t.Errorf("production's ledger (-want +got):\n%s", d)
	}
	s.wantQuiet()

	s.nothingMoves("what Flux says again, or late", func() {
		s.upgraded("6.5.1")
		s.upgraded("6.5.0")
		s.dispatch(fluxRelease, fluxEvent("error", "TestFailed", "Helm test failed for release podinfo/podinfo.v2 with chart podinfo@6.5.2", "6.5.2"))
	})
	s.merge(p.Number, "merge")
	s.wait("production has it", func() bool { return s.landed("6.5.1", fluxProduction) })
	s.settle()
	if d := cmp.Diff(production("6.5.1"), s.folder("main", ".")); d != "" {
		t.Errorf("main (-want +got):\n%s", d)
	}

	// The next version, and one after it before anybody has merged.
	s.upgraded("6.9.0")
	s.wait("production is proposed again", func() bool { return s.open()[fluxProduction].Number != 0 })
	s.settle()
	next := s.open()[fluxProduction]
	s.upgraded("6.10.0")
	s.wait("its pull request moves on", func() bool { return strings.HasSuffix(s.open()[fluxProduction].Title, "6.10.0") })
	s.settle()
	if got := s.open()[fluxProduction]; got.Number != next.Number || got.Title != "production: podinfo 6.5.1 → 6.10.0" ||
		state.ParseTrailers(got.Body)[state.TrailerRevision] != "6.10.0" {
		t.Errorf("#%d %q shows 6.10.0, want #%d", got.Number, got.Title, next.Number)
	}
	s.merge(next.Number, "rebase")
	s.wait("production has it", func() bool { return s.landed("6.10.0", fluxProduction) })
	s.settle()
	if d := cmp.Diff(production("6.10.0"), s.folder("main", ".")); d != "" {
		t.Errorf("main (-want +got):\n%s", d)
	}
	if l := s.ledgers()[fluxProduction].Landing; l.By != "ana" || l.Method != "rebase" || l.Mixed() {
		t.Errorf("production landed %+v", l)
	}
	if n := len(s.pulls()); n != 2 {
		t.Errorf("%d pull requests, want two, both to production: %s", n, s.describe())
	}
	s.wantQuiet()
}
