package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/config"
)

func TestReach(t *testing.T) {
	src := `version: 1
environments:
  dev: {verify: none}
  prod-eu: {from: dev}
  prod-us: {from: dev}
pipelines:
  app: {path: envs/$env, promote: {images: "*"}}
  chart: {path: charts/web, promote: {values: tag, in: values-$env.yaml}}
`
	kustomizations := map[string][]byte{
		"envs/dev/kustomization.yaml":       []byte("resources:\n- ../../base\n- https://example.com/x\n- github.com/acme/x//base?ref=v1\n- deployment.yaml\n- ../../../out\n"),
		"envs/prod-eu/kustomization.yml":    []byte("resources:\n- ../../base\n- /etc/passwd\ncomponents: [../../variants/prod/]\n"),
		"envs/prod-us/Kustomization":        []byte("bases: [../../base]\ncomponents:\n  - ../../variants/prod\nimages: [../../not]\n"),
		"base/kustomization.yaml":           []byte("resources: [deployment.yml, ../lib/rbac.yaml, ../envs/dev/..]\n"),
		"variants/prod/kustomization.yaml":  []byte("components: [../deep]\n"),
		"variants/deep/kustomization.yaml":  []byte("components: [../prod]\n"), // a circle
		"variants/other/kustomization.yaml": []byte("resources: [x.yaml]\n"),
		"envs/dev/sub/kustomization.yaml":   []byte("resources: [../../../dev-only]\n"),
		"broken/kustomization.yaml":         []byte("resources: [\n"),
	}
	paths := []string{"charts/web/values-dev.yaml", "charts/web/values-prod-eu.yaml", "charts/web/values-prod-us.yaml", "charts/web/values.yaml"}
	for p := range kustomizations {
		paths = append(paths, p)
	}
	reach := config.SharedFromKustomizations(resolve(t, src, paths...), kustomizations)
	if diff := cmp.Diff([]string{"base", "base/deployment.yml", "envs", "lib/rbac.yaml", "variants/deep", "variants/prod"}, reach.Paths()); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string]string{
		"base/deployment.yml":            "app/dev app/prod-eu app/prod-us",
		"base/new/file.yaml":             "app/dev app/prod-eu app/prod-us",
		"lib/rbac.yaml":                  "app/dev app/prod-eu app/prod-us",
		"lib/other.yaml":                 "",
		"variants/prod/x.yml":            "app/prod-eu app/prod-us",
		"variants/deep/x.yml":            "app/prod-eu app/prod-us",
		"variants/other/x.yml":           "",
		"dev-only/x.yaml":                "app/dev",
		"charts/web/values.yaml":         "chart/dev chart/prod-eu chart/prod-us",
		"charts/web/templates/x.yaml":    "chart/dev chart/prod-eu chart/prod-us",
		"charts/web/values-prod-eu.yaml": "chart/prod-eu",
		"README.md":                      "",
	} {
		var got []string
		for _, target := range reach.Of(path) {
			got = append(got, target.Pipeline+"/"+target.Environment)
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if reach.Shared(path) != (len(got) > 1) {
			t.Errorf("Shared(%s) is %v", path, reach.Shared(path))
		}
	}
}

func TestCheckNamesOwnEnvironment(t *testing.T) {
	const head = "version: 1\nenvironments:\n  dev: {verify: none}\n  prod: {from: dev}\n  prod-eu: {from: prod}\npipelines:\n  app:\n    path: envs/$env\n    promote:\n      - "
	in := func(format string) map[string]string {
		out := map[string]string{}
		for _, e := range []string{"dev", "prod", "prod-eu"} {
			out["envs/"+e+"/app.yaml"] = strings.ReplaceAll(format, "ENV", e)
		}
		return out
	}
	kustomization := func(files map[string]string) map[string]string {
		out := map[string]string{}
		for path, src := range files {
			out[strings.Replace(path, "app.yaml", "kustomization.yaml", 1)] = src
		}
		return out
	}
	for name, c := range map[string]struct {
		item  string
		files map[string]string
		want  string
	}{
		"names nothing":      {"{files: \"**\"}", in("a: 1\nb: same\n"), ""},
		"only in a comment":  {"{files: \"**\"}", in("a: 1 # of ENV\n"), ""},
		"the value is kept":  {"{files: \"**\", keep: \"**.hostname\"}", in("web: {hostname: app.ENV.acme.io}\n"), ""},
		"never covers it":    {"{files: \"**\"}", kustomization(in("namespace: ENV\nnamePrefix: ENV-\n")), ""},
		"the file is left":   {"{files: \"**\", except: app.yaml}", in("hostname: ENV\n"), ""},
		"part of a word":     {"{files: \"**\"}", in("a: xENVx\n"), ""},
		"named in one place": {"{files: \"**\"}", map[string]string{"envs/dev/app.yaml": "mode: dev\n", "envs/prod/app.yaml": "mode: fast\n"}, ""},
		"names it in a list": {
			"{files: \"*.yaml\", keep: other}", in("env:\n- {name: HOST, value: ENV.acme.io}\n---\nx.y: 1\n"),
			"10:17 app would copy app.yaml from dev to prod, and its value env.HOST.value names its own environment: \"dev.acme.io\" there, \"prod.acme.io\" here\n      add keep: \"env.HOST.value\" beside files, or except: \"app.yaml\"\n" +
				"10:17 app would copy app.yaml from prod to prod-eu, and its value env.HOST.value names its own environment: \"prod.acme.io\" there, \"prod-eu.acme.io\" here\n      add keep: \"env.HOST.value\" beside files, or except: \"app.yaml\"\n",
		},
		"a key with dots": {
			"{files: \"*.yaml\"}",
			map[string]string{"envs/dev/app.yaml": "acme.io/env: Dev\n", "envs/prod/app.yaml": "acme.io/env: PROD\n"},
			"10:17 app would copy app.yaml from dev to prod, and its value \"acme.io/env\" names its own environment: \"Dev\" there, \"PROD\" here\n      add keep: \"\\\"acme.io/env\\\"\" beside files, or except: \"app.yaml\"\n",
		},
		"no YAML": {
			"{files: \"*.tf\"}",
			map[string]string{"envs/dev/x.tf": "a = 1\n  zone = \"dev\"\n", "envs/prod/x.tf": "zone = \"prod\"\n"},
			"10:17 app would copy x.tf from dev to prod, and its line 2 names its own environment: \"zone = \\\"dev\\\"\"\n      add except: with this file beside files\n",
		},
		"another environment's longer name": {"{files: \"**\"}", map[string]string{"envs/prod/app.yaml": "a: prod-eu\n", "envs/prod-eu/app.yaml": "a: prod-eu\n"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, head+c.item+"\n")
			var paths []string
			contents := map[config.At][]byte{}
			for p, s := range c.files {
				paths = append(paths, p)
				contents[config.At{Path: p}] = []byte(s)
			}
			pipelines := resolve(t, head+c.item+"\n", paths...)
			moved := f.Moved(pipelines, config.Tree{Paths: paths})
			for at := range contents {
				if !strings.Contains(c.item, "except") && !slices.Contains(moved, at) {
					t.Errorf("%s is not asked for: %v", at.Path, moved)
				}
			}
			if diff := cmp.Diff(c.want, describe(f.Check(pipelines, contents))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDiff(t *testing.T) {
	var paths []string
	for i := range 12 {
		for _, e := range []string{"dev", "staging", "prod"} {
			paths = append(paths, fmt.Sprintf("services/s%02d/%s/kustomization.yaml", i, e))
		}
	}
	paths = append(paths, "web/dev/kustomization.yaml", "web/staging/kustomization.yaml", "web/prod/kustomization.yaml")
	const before = `version: 1
environments:
  dev: {verify: none}
  staging: {from: dev, verify: none}
  prod: {from: staging}
pipelines:
  services: {for_each: services/$name, path: services/$name/$env, promote: {images: "*"}}
  web: {path: web/$env, promote: {images: "*"}}
`
	for name, c := range map[string]struct {
		after string
		want  []string
	}{
		"only lines moved": {"# a comment\n" + before, nil},
		"mode raised, others lowered": {strings.Replace(before, "{from: dev, ", "{from: dev, mode: auto, ", 1) + "overrides:\n  - {name: \"s0[12]\", environments: prod, mode: observe}\n", []string{
			"services (12 pipelines, such as services/s00): staging: mode is raised from propose to auto",
			"services/s01, services/s02: prod: mode is lowered from propose to observe",
			"web: staging: mode is raised from propose to auto",
		}},
		"an environment removed and a pipeline renamed": {strings.NewReplacer("  staging: {from: dev, verify: none}\n", "", "from: staging", "from: dev", "  web:", "  site:").Replace(before), []string{
			"services (12 pipelines, such as services/s00): prod: from changes from staging to dev",
			"services (12 pipelines, such as services/s00): environment staging is removed: nothing is promoted to it any more",
			"site: new: dev › prod",
			"web: removed: dev › staging › prod are no longer promoted",
		}},
		"an environment added that has no files": {strings.Replace(before, "pipelines:", "  qa: {from: [dev], mode: observe}\npipelines:", 1), []string{
			"services (12 pipelines, such as services/s00): environment qa is new: it comes from dev, mode observe",
			"web: environment qa is new: it comes from dev, mode observe",
		}},
		"what moves and where": {strings.NewReplacer("services/$name/$env, promote: {images: \"*\"}", "services/$name/$env, promote: {images: \"acme/*\"}", "path: web/$env", "path: web2/$env").Replace(before), []string{
			"services (12 pipelines, such as services/s00): dev: promote[0] changes from images * to images acme/*",
			"services (12 pipelines, such as services/s00): staging: promote[0] changes from images * to images acme/*",
			"services (12 pipelines, such as services/s00): prod: promote[0] changes from images * to images acme/*",
			"web: dev: path changes from web/dev to web2/dev",
			"web: dev: is blocked: dev has nothing of this pipeline in web2/dev: nothing can come from it until it is there",
			"web: staging: path changes from web/staging to web2/staging",
			"web: staging: is blocked: staging has nothing of this pipeline in web2/staging: create it, or say optional: true for staging (line 4) if it need not be there",
			"web: prod: path changes from web/prod to web2/prod",
			"web: prod: is blocked: prod has nothing of this pipeline in web2/prod: create it, or say optional: true for prod (line 5) if it need not be there",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := config.Diff(resolve(t, before, paths...), resolve(t, c.after, paths...))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
