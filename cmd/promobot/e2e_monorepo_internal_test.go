package main

// The synthetic monorepo of 300 services: installing proposes nothing, and a
// push to many services leads to exactly their promotions.

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// monorepoPipeline is the language's first example, less verification, windows,
// batches and approvals; all promotions of one push may be open at once.
const monorepoPipeline = `version: 1
limits: {open: 100, per_hour: 200, per_environment: 100}
environments:
  dev:         {verify: none}
  staging:     {from: dev, verify: none}
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

func TestMonorepo(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 to make the monorepo with")
	}
	script := bundle(t, "monorepo300.py")
	dir := filepath.Join(t.TempDir(), "monorepo")
	if out, err := exec.CommandContext(t.Context(), python, script, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := newScene(t, sceneOptions{from: filepath.Join(dir, ".git"), files: map[string]string{".github/promobot.yml": monorepoPipeline}})
	begun := time.Now()
	s.start()
	s.wait("the ledgers stand", func() bool { return len(s.ledgers()) > 1000 })
	s.settle()
	t.Logf("%d ledgers in %v", len(s.ledgers()), time.Since(begun).Round(time.Millisecond))
	if len(s.pulls()) > 0 {
		t.Fatalf("installing proposes something:%s", s.describe())
	}
	// 38 services, a moving tag and a range.
	want := map[string]bool{}
	files, holes := map[string]string{}, []string{}
	var names []string
	for p := range s.folder("main", "services") {
		if strings.HasSuffix(p, "/overlays/dev/kustomization.yaml") {
			names = append(names, strings.Split(p, "/")[1])
		}
	}
	tree := s.folder("main", "services")
	picked := 0
	pick := func(name string) {
		p := "services/" + name + "/overlays/dev/kustomization.yaml"
		text := tree[p].Text
		_, tag, _ := strings.Cut(text, "newTag: ")
		files[p] = strings.Replace(text, "newTag: "+tag, "newTag: 9.9.9\n", 1)
		if _, there := tree["services/"+name+"/overlays/staging/kustomization.yaml"]; there {
			want["services/"+name+"/staging"] = true
		} else {
			holes = append(holes, name)
		}
		picked++
	}
	for _, name := range names { // those without a staging first
		if _, there := tree["services/"+name+"/overlays/staging/kustomization.yaml"]; !there && picked < 38 {
			pick(name)
		}
	}
	for _, name := range names {
		if _, done := files["services/"+name+"/overlays/dev/kustomization.yaml"]; !done && picked < 38 {
			pick(name)
		}
	}
	files["charts/helm-03/values-dev.yaml"] = strings.Replace(s.read("charts/helm-03/values-dev.yaml"), "tag: latest", "tag: edge", 1)
	files["clusters/dev/apps/addon-05.yaml"] = strings.Replace(s.read("clusters/dev/apps/addon-05.yaml"), "1.x", "2.x", 1)
	begun = time.Now()
	revision := s.push("dev: 40 services", files)
	s.wait("all are proposed", func() bool { return len(s.open()) >= len(want) })
	s.settle()
	t.Logf("%d pull requests in %v", len(s.open()), time.Since(begun).Round(time.Millisecond))
	for k := range s.open() {
		if !want[k] {
			t.Errorf("%s is proposed", k)
		}
	}
	for k := range want {
		if _, there := s.open()[k]; !there {
			t.Errorf("%s is not proposed", k)
		}
	}
	if len(holes) == 0 {
		t.Error("no service lacks a staging; the test shows no hole")
	}
	c := s.check(revision)
	for _, shown := range []string{"helm-03", "addon-05", "edge", "2.x"} {
		if !strings.Contains(c.Summary+c.Text, shown) {
			t.Errorf("the revision's check run does not show %q:\n%s\n%s", shown, c.Title, c.Summary)
		}
	}
	for _, name := range holes {
		if !strings.Contains(c.Summary+c.Text, "staging has nothing of this pipeline in services/"+name+"/overlays/staging") {
			t.Errorf("the revision's check run does not show that %s has no staging", name)
		}
	}
	if c.Conclusion != "failure" {
		t.Errorf("its conclusion is %s, want failure: refused values need a person", c.Conclusion)
	}
}
