package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/config"
)

// travels is how promotions of one environment travel.
type travels struct {
	Deliver  config.Deliver
	Merge    config.MergeBy
	Method   string
	Newer    config.Newer
	Batch    string
	Verified bool
}

func how(e config.Environment) travels {
	return travels{e.Deliver, e.Merge, e.Method, e.Newer, e.Batch.String(), e.VerifiedCommits}
}

// usual is a file with room for what is said in each of the four places.
const usual = `version: 1
%s
environments:
  dev:     {verify: none}
  staging: {from: dev, mode: auto, verify: none, %s}
  prod:    {from: staging}
pipelines:
  app:
    path: envs/$env
    %s
    promote: {images: "*"}
    environments: {dev: {}, staging: {%s}, prod: {}}
`

// TestDelivery checks which of the places counts where settings are said.
func TestDelivery(t *testing.T) {
	defaults := travels{config.ByPullRequest, config.MergeByPromobot, "", config.NewerUpdates, "never", false}
	with := func(change func(*travels)) travels {
		w := defaults
		change(&w)
		return w
	}
	for name, c := range map[string]struct {
		file, environment, pipeline, own string
		staging, prod                    travels
	}{
		"nothing said": {staging: defaults, prod: defaults},
		"on the file": {
			file:    "deliver: pull_request\nmerge: github\nmethod: squash\nnewer: supersede\ncommits: verified",
			staging: travels{config.ByPullRequest, config.MergeByGitHub, "squash", config.NewerSupersedes, "never", true},
			prod:    travels{config.ByPullRequest, config.MergeByGitHub, "squash", config.NewerSupersedes, "never", true},
		},
		"the environment over the file": {
			file: "merge: github\nmethod: merge\nnewer: supersede\ncommits: verified", environment: "merge: queue, newer: queue, commits: plain, batch: hourly",
			staging: travels{config.ByPullRequest, config.MergeByQueue, "merge", config.NewerQueues, "hourly", false},
			prod:    travels{config.ByPullRequest, config.MergeByGitHub, "merge", config.NewerSupersedes, "never", true},
		},
		"the pipeline over the environment": {
			environment: "newer: queue, batch: hourly", pipeline: "{newer: update, batch: daily, method: rebase}",
			staging: with(func(w *travels) { w.Batch, w.Method = "daily at 00:00 UTC", "rebase" }),
			prod:    with(func(w *travels) { w.Batch, w.Method = "daily at 00:00 UTC", "rebase" }),
		},
		"the pipeline's environment over all": {
			file: "newer: queue", environment: "newer: supersede", pipeline: "{newer: queue, batch: hourly}", own: "newer: update, batch: never, merge: github",
			staging: with(func(w *travels) { w.Merge = config.MergeByGitHub }),
			prod:    with(func(w *travels) { w.Newer, w.Batch = config.NewerQueues, "hourly" }),
		},
		"a push, whatever the file says of merging": {
			file: "merge: github\nmethod: squash\nnewer: queue", environment: "deliver: push",
			staging: travels{config.ByPush, config.MergeByGitHub, "squash", config.NewerQueues, "never", false},
			prod:    travels{config.ByPullRequest, config.MergeByGitHub, "squash", config.NewerQueues, "never", false},
		},
		"a push for all that is automatic": {
			file:    "deliver: push",
			staging: with(func(w *travels) { w.Deliver = config.ByPush }),
			prod:    with(func(w *travels) { w.Deliver = config.ByPush }),
		},
		"a pull request over a push": {
			environment: "deliver: push", own: "deliver: pull_request, merge: queue, batch: \"06:00 Europe/Berlin\"",
			staging: with(func(w *travels) { w.Merge, w.Batch = config.MergeByQueue, "daily at 06:00 Europe/Berlin" }), prod: defaults,
		},
		"a time without a zone": {own: "batch: 23:05", staging: with(func(w *travels) { w.Batch = "daily at 23:05 UTC" }), prod: defaults},
		"a zone said to be UTC": {own: "batch: 00:00 UTC", staging: with(func(w *travels) { w.Batch = "daily at 00:00 UTC" }), prod: defaults},
	} {
		t.Run(name, func(t *testing.T) {
			pipeline := strings.ReplaceAll(strings.Trim(c.pipeline, "{}"), ", ", "\n    ")
			src := fmt.Sprintf(usual, c.file, c.environment, pipeline, c.own)
			pipelines := resolve(t, src, "envs/dev/kustomization.yaml", "envs/prod/kustomization.yaml", "envs/staging/kustomization.yaml")
			got := map[string]travels{}
			for _, e := range pipelines[0].Environments {
				got[e.Name] = how(e)
			}
			if diff := cmp.Diff(c.staging, got["staging"]); diff != "" {
				t.Errorf("staging:\n%s", diff)
			}
			if diff := cmp.Diff(c.prod, got["prod"]); diff != "" {
				t.Errorf("prod:\n%s", diff)
			}
		})
	}
}

// TestRecorded checks that nothing is recorded as a deployment unless that is
// said, and that the most particular place counts.
func TestRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		file, environment, pipeline, own string
		staging, prod                    bool
	}{
		"nothing said":            {},
		"all":                     {file: "deployments: record", staging: true, prod: true},
		"an environment":          {environment: "deployments: record", staging: true},
		"all but one":             {file: "deployments: record", environment: "deployments: none", prod: true},
		"the pipeline's own":      {environment: "deployments: none", own: "deployments: record", staging: true},
		"the pipeline over it":    {environment: "deployments: record", pipeline: "deployments: none"},
		"the pipeline for itself": {pipeline: "deployments: record", staging: true, prod: true},
	} {
		t.Run(name, func(t *testing.T) {
			src := fmt.Sprintf(usual, c.file, c.environment, c.pipeline, c.own)
			pipelines := resolve(t, src, "envs/dev/kustomization.yaml", "envs/prod/kustomization.yaml", "envs/staging/kustomization.yaml")
			got := map[string]bool{}
			for _, e := range pipelines[0].Environments {
				got[e.Name] = e.Records
			}
			if diff := cmp.Diff(map[string]bool{"dev": got["dev"], "staging": c.staging, "prod": c.prod}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDeliveryOverrides checks that overrides take out of batches and lead back
// to pull requests, and say so.
func TestDeliveryOverrides(t *testing.T) {
	const src = `version: 1
environments:
  dev:     {verify: none}
  staging: {from: dev, mode: auto, verify: none, deliver: push}
  prod:    {from: staging, batch: hourly}
pipelines:
  app: {for_each: apps/$name, path: apps/$name/$env, promote: {images: "*"}}
overrides:
  - {name: [svc-007, svc-04*], environments: [staging, prod], deliver: pull_request, batch: never}
`
	var paths []string
	for _, name := range []string{"svc-007", "svc-041", "svc-100"} {
		for _, env := range []string{"dev", "prod", "staging"} {
			paths = append(paths, "apps/"+name+"/"+env+"/kustomization.yaml")
		}
	}
	pipelines := resolve(t, src, paths...)
	var got []string
	for _, p := range pipelines {
		for _, e := range p.Environments[1:] {
			got = append(got, fmt.Sprintf("%s/%s %s, batch %s", p.Title, e.Name, e.Deliver, e.Batch))
		}
	}
	want := []string{
		"svc-007/staging pull_request, batch never", "svc-007/prod pull_request, batch never",
		"svc-041/staging pull_request, batch never", "svc-041/prod pull_request, batch never",
		"svc-100/staging push, batch never", "svc-100/prod pull_request, batch hourly",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var said []string
	for _, key := range []string{"deliver", "batch"} {
		for env, e := range map[string]config.Environment{"staging": pipelines[0].Environments[1], "prod": pipelines[0].Environments[2]} {
			for _, s := range e.Settings {
				if s.Key == key && s.From.Line == 9 {
					said = append(said, env+" "+s.From.What)
				}
			}
		}
	}
	if diff := cmp.Diff([]string{"staging overrides[0].deliver", "prod overrides[0].batch"}, said); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}

// TestPushUnderALowerMode checks that the ceiling turns pushes into pull
// requests, and that the settings say so.
func TestPushUnderALowerMode(t *testing.T) {
	src := strings.Replace(base, "{from: dev}", "{from: dev, mode: auto, deliver: push}", 1)
	for mode, want := range map[string]string{"auto": "push", "propose": "push (pull requests as long as the mode is not auto)"} {
		e := environment(t, resolve(t, src+"mode: "+mode+"\n", "envs/dev/kustomization.yaml", "envs/prod/kustomization.yaml"), "app", "prod")
		if e.Deliver != config.ByPush || e.Mode.String() != mode {
			t.Errorf("%s: %s, %s", mode, e.Deliver, e.Mode)
		}
		for _, s := range e.Settings {
			if s.Key == "deliver" && s.Value != want {
				t.Errorf("%s: shown as %s", mode, s.Value)
			}
		}
	}
}

func TestBatchZone(t *testing.T) {
	src := strings.Replace(base, "{from: dev}", "{from: dev, batch: 06:30 America/Argentina/Buenos_Aires}", 1)
	e := environment(t, resolve(t, src, "envs/dev/kustomization.yaml", "envs/prod/kustomization.yaml"), "app", "prod")
	now := time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)
	if next := e.Batch.Next(now).UTC(); !next.Equal(time.Date(2026, 5, 1, 9, 30, 0, 0, time.UTC)) {
		t.Error(next)
	}
}

// TestDiffOfWays are changes of a pipeline file's ways of travelling, as a pull
// request shows them.
func TestDiffOfWays(t *testing.T) {
	paths := []string{"envs/dev/kustomization.yaml", "envs/prod/kustomization.yaml"}
	before := strings.Replace(base, "{from: dev}", "{from: dev, mode: auto, batch: hourly}", 1)
	for name, c := range map[string]struct {
		old, now string
		want     []string
	}{
		"delivery": {"batch: hourly", "deliver: push, commits: verified", []string{
			"app: prod: deliver changes from pull_request to push",
			"app: prod: batch changes from hourly to never",
			"app: prod: commits changes from plain to verified",
		}},
		"merging": {"batch: hourly", "batch: daily, merge: github, method: squash, newer: queue", []string{
			"app: prod: merge changes from promobot to github",
			"app: prod: method changes from the first that is allowed to squash",
			"app: prod: newer changes from update to queue",
			"app: prod: batch changes from hourly to daily at 00:00 UTC",
		}},
		"a source": {"dev: {verify: none}", "dev: {verify: none, source: {release: acme/app}}", []string{"app: dev: source changes from none to release acme/app"}},
		"managed elsewhere": {"dev: {verify: none}", "dev: {verify: none, managed: elsewhere, source: {dispatch: x, version: v}}", []string{
			"app: dev: source changes from none to dispatch x, version at v", "app: dev: managed changes from none to elsewhere",
		}},
		"branches": {"path: envs/$env", "path: envs/$env\n    branch: {prod: release}\n    read: {branch: {dev: next}}", []string{
			"app: dev: read.branch changes from none to next",
			"app: prod: branch changes from none to release",
			"app: prod: is blocked: prod has nothing of this pipeline in envs/prod on branch release, which does not exist: create it, or say optional: true for prod (line 4) if it need not be there",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			after := strings.Replace(before, c.old, c.now, 1)
			if after == before {
				t.Fatalf("%q does not stand in the file", c.old)
			}
			was, is := resolve(t, before, paths...), resolve(t, after, paths...)
			if diff := cmp.Diff(c.want, config.Diff(was, is)); diff != "" {
				t.Error(diff)
			}
			if len(config.Diff(is, was)) != len(c.want) {
				t.Errorf("back again: %q", config.Diff(is, was))
			}
		})
	}
}
