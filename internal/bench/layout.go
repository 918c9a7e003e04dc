package main

// What the benches' repositories are made of.

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// pipelineFile is where promobot looks for policy.
const pipelineFile = ".github/promobot.yml"

// unbounded lifts promobot's own limits: they would be what is measured.
const unbounded = "limits: {open: 1000, per_hour: 1000, per_environment: 1000}\n"

// environments is a first environment and others that take from it.
func environments(settings string, targets ...string) string {
	var b strings.Builder
	b.WriteString("environments:\n  dev: {verify: none}\n")
	for _, t := range targets {
		fmt.Fprintf(&b, "  %s: {from: dev, %s}\n", t, settings)
	}
	return b.String()
}

// servicesFile is the pipeline file of a repository of services.
func servicesFile(mode, settings string, targets ...string) string {
	return "version: 1\nmode: " + mode + "\n" + unbounded + environments(settings, targets...) + `pipelines:
  services:
    for_each: services/$name
    path: services/$name/overlays/$env
    promote: {images: "ghcr.io/acme/*"}
`
}

func service(i int) string { return fmt.Sprintf("svc-%03d", i) }

func overlayPath(i int, environment string) string {
	return fmt.Sprintf("services/%s/overlays/%s/kustomization.yaml", service(i), environment)
}

// firstTag is what runs everywhere at first.
const firstTag = "1.0.0"

func overlay(i int, environment, tag string) string {
	return fmt.Sprintf(`apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: %[1]s-%[2]s
resources:
  - ../../base
images:
  - name: ghcr.io/acme/%[1]s
    newTag: %[3]s
replicas:
  - name: %[1]s
    count: 3
`, service(i), environment, tag)
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
  labels: {app: %[1]s}
spec:
  selector:
    matchLabels: {app: %[1]s}
  template:
    metadata:
      labels: {app: %[1]s}
    spec:
      containers:
        - name: %[1]s
          image: ghcr.io/acme/%[1]s
          ports:
            - containerPort: 8080
          readinessProbe:
            httpGet: {path: /healthz, port: 8080}
          resources:
            requests: {cpu: 100m, memory: 128Mi}
            limits: {memory: 256Mi}
`

// services is a repository of n kustomize services with the pipeline file given
// ("" for none).
func services(n int, pipelines string, environments ...string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if pipelines != "" && !yield(pipelineFile, pipelines) {
			return
		}
		for i := range n {
			base := "services/" + service(i) + "/base/"
			if !yield(base+"kustomization.yaml", "resources:\n  - deployment.yaml\n") || !yield(base+"deployment.yaml", fmt.Sprintf(deployment, service(i))) {
				return
			}
			for _, e := range environments {
				if !yield(overlayPath(i, e), overlay(i, e, firstTag)) {
					return
				}
			}
		}
	}
}

// release is a push to dev of a tag, for services from first to before last.
func release(first, last int, tag string) map[string]string {
	files := map[string]string{}
	for i := first; i < last; i++ {
		files[overlayPath(i, "dev")] = overlay(i, "dev", tag)
	}
	return files
}

// folder is a repository of n files in all. Its environments dev and prod are
// folders of so many files each; everything else is in folders of ten, a
// kustomization and what it names, three levels deep. Nothing depends on what is
// in the files that are promoted, so that none has to be read.
func folder(n, each int) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if !yield(pipelineFile, "version: 1\nmode: propose\n"+unbounded+environments("mode: propose, allow: [create, delete, downgrade, leak, large]", "prod")+`pipelines:
  app:
    path: apps/$env
    promote: {files: "**"}
`) {
			return
		}
		for path, text := range folderFiles("dev", each, "first") {
			if !yield(path, text) || !yield(strings.Replace(path, "apps/dev", "apps/prod", 1), text) {
				return
			}
		}
		names := strings.Join([]string{"resources:", "- a1.yaml", "- a2.yaml", "- a3.yaml", "- a4.yaml", "- a5.yaml", "- a6.yaml", "- a7.yaml", "- a8.yaml", "- a9.yaml"}, "\n")
		for i := range max(0, n-2*each-1) {
			dir := fmt.Sprintf("platform/team-%02d/unit-%03d", i/10%100, i/1000)
			path, text := fmt.Sprintf("%s/a%d.yaml", dir, i%10), fmt.Sprintf("kind: ConfigMap\nmetadata: {name: c%d}\ndata: {value: %q}\n", i, strings.Repeat("x", 200))
			if i%10 == 0 {
				path, text = dir+"/kustomization.yaml", names+fmt.Sprintf("\n# %d\n", i)
			}
			if !yield(path, text) {
				return
			}
		}
	}
}

// folderFiles are the files of an environment that is a folder, with a word in
// each; in folders of a hundred.
func folderFiles(environment string, n int, word string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range n {
			path := fmt.Sprintf("apps/%s/part-%03d/f%02d.properties", environment, i/100, i%100)
			if !yield(path, fmt.Sprintf("number=%d\nword=%s\n", i, word)) {
				return
			}
		}
	}
}

// sequence are the numbers from 0 to before n as services' prod ledgers.
func sequence(n int, targets ...string) []string {
	var out []string
	for i := range n {
		for _, t := range targets {
			out = append(out, "services/"+service(i)+"/"+t)
		}
	}
	slices.Sort(out)
	return out
}
