package main

import "fmt"

// demoPipeline is the story's pipeline file: staging merges by itself, people
// merge in production, prod-eu follows prod-us.
const demoPipeline = `version: 1
mode: auto
environments:
  dev:     {verify: none}
  staging: {from: dev, mode: auto, verify: none}
  prod-us: {from: staging}
  prod-eu: {from: staging, after: prod-us}
pipelines:
  services:
    for_each: services/$name
    path: services/$name/overlays/$env
    promote:
      - images: "ghcr.io/acme/*"
      - files: config/**
        keep: "**.hostname"
shared: ["services/*/base/**"]
`

// demoEnvironments are those of the story, in the order of the way.
var demoEnvironments = []string{"dev", "staging", "prod-us", "prod-eu"}

// demoFiles are three kustomize services in four environments.
func demoFiles() map[string]string {
	files := map[string]string{
		".github/promobot.yml": demoPipeline,
		"README.md":            "# gitops\n\nWhat runs where. A push to an overlay is a deployment; promobot carries it on.\n",
	}
	for service, tag := range map[string]string{"checkout": "1.40.0", "cart": "2.3.0", "payments": "0.9.4"} {
		dir := "services/" + service
		files[dir+"/base/kustomization.yaml"] = "resources: [deployment.yaml]\n"
		files[dir+"/base/deployment.yaml"] = fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %[1]s}\nspec:\n  template:\n    spec:\n      containers:\n        - {name: %[1]s, image: ghcr.io/acme/%[1]s}\n", service)
		for _, env := range demoEnvironments {
			at := dir + "/overlays/" + env
			files[at+"/kustomization.yaml"] = fmt.Sprintf("# %[1]s in %[2]s\nnamespace: %[2]s\nresources: [../../base]\nimages:\n  - name: ghcr.io/acme/%[1]s # built by CI\n    newTag: %[3]q\n", service, env, tag)
			files[at+"/config/app.yaml"] = fmt.Sprintf("hostname: %s.%s.acme.example # this environment's own\nfeatures:\n  new_cart: false\n", service, env)
		}
	}
	return files
}
