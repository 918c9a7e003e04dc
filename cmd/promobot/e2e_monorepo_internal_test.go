package main

// Three hundred services: installing proposes nothing, a push to forty of them
// leads to exactly their promotions, and what cannot travel is shown.

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/state"
)

// monorepoPipeline is the language's first example, less what this version does
// not have (verification, windows, batches), with limits that let forty go at once.
const monorepoPipeline = `version: 1
limits: {open: 500, per_hour: 1000, per_environment: 300}
environments:
  dev:         {verify: none}
  staging:     {from: dev}
  prod-canary: {from: staging, optional: true}
  prod-us:     {from: prod-canary}
  prod-eu:     {from: prod-canary}
pipelines:
  services:
    for_each: services/$name
    path: services/$name/overlays/$env
    promote:
      - images: "ghcr.io/acme/*"
      - files: config/**
        except: "*.local.yaml"
        keep: [LOG_LEVEL, "**.hostname"]
  charts:
    for_each: charts/$name
    path: charts/$name
    promote: {values: image.tag, in: values-$env.yaml}
  addons:
    for_each: clusters/$env/apps/$name.yaml
    path: clusters/$env/apps
    promote: {values: spec.source.targetRevision, in: $name.yaml}
shared: ["services/*/base/**", "charts/*/values.yaml"]
never: ["**/secrets*", "**.namespace", "**.replicas"]
`

// monorepo makes the repository with its own generator, or skips the test.
func monorepo(t *testing.T) *scene {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "repos", "monorepo300.py"))
	if err != nil {
		t.Fatal(err)
	}
	python, err := exec.LookPath("python3")
	if _, missing := os.Stat(script); missing != nil || err != nil {
		t.Skipf("the monorepo's generator is not beside this repository, or there is no python3: %v %v", missing, err)
	}
	dir := filepath.Join(t.TempDir(), "monorepo")
	if out, err := exec.CommandContext(t.Context(), python, script, dir).CombinedOutput(); err != nil {
		t.Fatalf("making the monorepo: %v\n%s", err, out)
	}
	return newScene(t, sceneOptions{from: filepath.Join(dir, ".git"), files: map[string]string{".github/promobot.yml": monorepoPipeline}})
}

func TestMonorepo(t *testing.T) {
	if testing.Short() {
		t.Skip("three hundred services take some seconds; the other end-to-end tests run")
	}
	s := monorepo(t)
	look, _ := s.byHand()
	begun := time.Now()
	look()
	t.Logf("installing on %d environments took %v", len(s.ledgers()), time.Since(begun).Round(10*time.Millisecond))
	if ps := s.pulls(); len(ps) > 0 {
		t.Fatalf("installing proposes something: %s", s.describe())
	}

	// Forty services get a new image in dev; one of them has no staging.
	changed := map[string]string{}
	want := map[string]bool{}
	hole := ""
	for i := 0; len(changed) < 40; i++ {
		name := fmt.Sprintf("svc-%03d", i)
		path := "services/" + name + "/overlays/dev/kustomization.yaml"
		text := s.read(path)
		at := strings.Index(text, "newTag: ")
		changed[path] = text[:at] + "newTag: 9.9.9\n"
		if _, there := s.folder("main", "services/"+name+"/overlays/staging")["services/"+name+"/overlays/staging/kustomization.yaml"]; there {
			want["services/"+name+"/staging"] = true
		} else {
			hole = name
		}
	}
	// And what must not travel: a moving name in a chart, a range in an addon.
	changed["charts/helm-04/values-dev.yaml"] = strings.Replace(s.read("charts/helm-04/values-dev.yaml"), "tag: 2.4.0", "tag: latest", 1)
	changed["clusters/dev/apps/addon-06.yaml"] = strings.Replace(s.read("clusters/dev/apps/addon-06.yaml"), "targetRevision: 1.6.1", "targetRevision: 1.x", 1)
	revision := s.push("dev: 9.9.9", changed)
	begun = time.Now()
	look()
	t.Logf("%d promotions took %v", len(want), time.Since(begun).Round(10*time.Millisecond))

	for _, p := range s.pulls() {
		pipeline, environment, ok := state.ParseBranch(p.Head)
		k := pipeline + "/" + environment
		if !ok || !p.Open || !want[k] {
			t.Errorf("#%d %q was not wanted", p.Number, p.Title)
		}
		delete(want, k)
	}
	if len(want) > 0 {
		t.Errorf("not proposed: %v", want)
	}
	shown := s.check(revision)
	if shown.Conclusion != "failure" {
		t.Errorf("the check run ends with %q, though something needs a person", shown.Conclusion)
	}
	text := shown.Title + shown.Summary + shown.Text
	for _, say := range []string{"helm-04", "latest", "addon-06", "1.x"} {
		if !strings.Contains(text, say) {
			t.Errorf("the check run does not speak of %s:\n%s", say, text)
		}
	}
	if hole == "" {
		t.Log("none of these services lacks staging")
	} else if !strings.Contains(text, hole) {
		t.Errorf("the check run does not show that %s has no staging", hole)
	}
}
