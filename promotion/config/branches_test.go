package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
)

// hydrated is a repository whose branches a hydrator writes.
const hydrated = `version: 1
environments:
  dev:  {verify: none}
  e2e:  {from: dev, verify: none}
  prod: {from: e2e}
pipelines:
  app:
    path: .
    branch: env/$env
    read: {branch: env/$env-next}
    revision: {in: hydrator.metadata, value: drySha}
    promote: {files: "**"}
`

// onBranches resolves a file that has no problem over branches.
func onBranches(t *testing.T, src string, tree config.Tree) []config.Pipeline {
	t.Helper()
	pipelines, problems := parse(t, src).Resolve(tree)
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", describe(problems))
	}
	return pipelines
}

func TestEnvironmentsAsBranches(t *testing.T) {
	files := []string{"hydrator.metadata", "manifest.yaml"}
	pipelines := onBranches(t, hydrated, config.Tree{
		Paths: []string{".github/promobot.yml"}, Default: "main",
		Branches: map[string][]string{"env/dev": files, "env/dev-next": files, "env/e2e": {}, "env/e2e-next": files, "env/prod": {"README.md"}},
	})
	type placed struct {
		Name, Branch, Read string
		Revision           config.RevisionAt
		Present            bool
		Blocked            string
	}
	at := config.RevisionAt{In: "hydrator.metadata", Value: "drySha"}
	var got []placed
	for _, e := range pipelines[0].Environments {
		got = append(got, placed{e.Name, e.Branch, e.Read, e.Revision, e.Present, e.Blocked})
	}
	want := []placed{
		{"dev", "env/dev", "env/dev-next", at, true, ""},
		{"e2e", "env/e2e", "env/e2e-next", at, true, ""}, // its own branch is empty
		{"prod", "env/prod", "env/prod-next", at, true, ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBranchesThatAreMissing(t *testing.T) {
	for name, c := range map[string]struct {
		tree config.Tree
		want []string
	}{
		"none is there": {config.Tree{Default: "main"}, []string{
			"dev has nothing of this pipeline in the repository on branch env/dev, which does not exist: nothing can come from it until it is there",
			"e2e has nothing of this pipeline in the repository on branch env/e2e, which does not exist: create it, or say optional: true for e2e (line 4) if it need not be there",
			"prod has nothing of this pipeline in the repository on branch env/prod, which does not exist: create it, or say optional: true for prod (line 5) if it need not be there",
		}},
		"the branch to read is enough": {config.Tree{Branches: map[string][]string{"env/dev-next": {"a"}, "env/e2e-next": {"a"}, "env/prod-next": {"a"}}}, nil},
		"an empty branch": {config.Tree{Branches: map[string][]string{"env/dev-next": {"a"}, "env/e2e-next": {"a"}, "env/prod": {}}}, []string{
			"prod has nothing of this pipeline in the repository on branch env/prod: create it, or say optional: true for prod (line 5) if it need not be there",
		}},
		"the branch to read is the default branch, which the environment stands on": {
			config.Tree{Default: "env/dev-next", Paths: []string{"a"}, Branches: map[string][]string{"env/e2e-next": {"a"}, "env/prod-next": {"a"}}}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			pipelines, _ := parse(t, hydrated).Resolve(c.tree)
			var got []string
			for _, e := range pipelines[0].Environments {
				if e.Blocked != "" {
					got = append(got, e.Blocked)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestBranchSaid checks which branch counts, and that the default branch by its
// name is the default branch.
func TestBranchSaid(t *testing.T) {
	const src = `version: 1
environments:
  dev:  {verify: none}
  qa:   {from: dev}
  prod: {from: qa}
pipelines:
  app:
    path: envs/$env
    branch: {dev: main, qa: env/$env, prod: env/$env}
    promote: {images: "*"}
    environments: {prod: {branch: release, read: {branch: main}}, dev: {}, qa: {}}
    revision: {in: $env/rev.json, value: sha}
`
	f := parse(t, src)
	if diff := cmp.Diff([]string{"env/qa", "main", "release"}, f.Branches()); diff != "" {
		t.Error(diff)
	}
	tree := config.Tree{
		Default: "main", Paths: []string{"envs/dev/kustomization.yaml", "envs/prod/kustomization.yaml", "envs/qa/kustomization.yaml"},
		Branches: map[string][]string{"env/qa": {"envs/qa/kustomization.yaml"}},
	}
	pipelines, problems := f.Resolve(tree)
	if len(problems) > 0 {
		t.Fatal(describe(problems))
	}
	var got []string
	for _, e := range pipelines[0].Environments {
		got = append(got, strings.Join([]string{e.Name, e.Branch, e.Read, e.Revision.In, e.Blocked}, "|"))
	}
	if diff := cmp.Diff([]string{"dev|||dev/rev.json|", "qa|env/qa||qa/rev.json|", "prod|release|main|prod/rev.json|"}, got); diff != "" {
		t.Error(diff)
	}
	text, err := config.Explain("p.yml", pipelines, "app", "prod")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"branch                  release                    line 11, pipelines.app.environments.prod.branch\n",
		"read.branch             main                       line 11, pipelines.app.environments.prod.read.branch\n",
		"revision                sha in prod/rev.json       line 12, pipelines.app.revision\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("explain lacks %q:\n%s", want, text)
		}
	}
}

func TestReadFromWhereItStands(t *testing.T) {
	src := strings.Replace(base, "    path: envs/$env\n", "    path: envs/$env\n    environments: {dev: {read: {branch: trunk}}, prod: {}}\n", 1)
	pipelines, _ := parse(t, src).Resolve(config.Tree{Default: "trunk", Paths: []string{"envs/dev/kustomization.yaml", "envs/prod/kustomization.yaml"}})
	want := "dev is read from trunk, the branch it stands on: name the branch that its content is written to, or remove read"
	if got := pipelines[0].Environments[0].Blocked; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := pipelines[0].Environments[1].Blocked; got != "" {
		t.Errorf("prod: %s", got)
	}
}

// TestForEachOverBranches checks that a service is seen on whatever branch it is.
func TestForEachOverBranches(t *testing.T) {
	const src = `version: 1
environments:
  dev:  {verify: none}
  prod: {from: dev}
pipelines:
  apps:
    for_each: apps/$name
    path: apps/$name
    branch: env/$env
    read: {branch: {dev: hydrated}}
    promote: {files: "**"}
`
	pipelines := onBranches(t, src, config.Tree{
		Paths: []string{"apps/docs/a"},
		Branches: map[string][]string{
			"env/dev":  {"apps/web/a", "apps/cart/a"},
			"env/prod": {"apps/old/a", "apps/cart/a"},
			"hydrated": {"apps/new/a"},
		},
	})
	checkFlow(t, pipelines, `
apps/cart (cart)
  dev from [] after [] propose in "apps/cart"
  prod from [dev] after [] propose in "apps/cart"
apps/new (new)
  dev from [] after [] propose in "apps/new"
  prod from [dev] after [] propose in "apps/new" absent blocked
apps/old (old)
  dev from [] after [] propose in "apps/old" absent blocked
  prod from [dev] after [] propose in "apps/old"
apps/web (web)
  dev from [] after [] propose in "apps/web"
  prod from [dev] after [] propose in "apps/web" absent blocked
`)
}

// TestCollisionsOnBranches checks that one path on two branches is two files,
// and on one branch one.
func TestCollisionsOnBranches(t *testing.T) {
	src := func(second string) string {
		return "version: 1\nenvironments:\n  dev: {verify: none}\n  prod: {from: dev}\npipelines:\n" +
			"  x: {path: a, branch: env/$env, promote: {files: \"*\"}}\n" +
			"  y: {path: a, branch: " + second + ", promote: {values: b, in: v.yaml}}\n"
	}
	tree := config.Tree{Default: "main", Paths: []string{"a/v.yaml"}, Branches: map[string][]string{}}
	for _, b := range []string{"env/dev", "env/prod", "other/dev", "other/prod"} {
		tree.Branches[b] = []string{".github/promobot.yml", "a/v.yaml"}
	}
	for name, c := range map[string]struct{ second, want string }{
		"other branches": {"other/$env", ""},
		"one branch": {"{prod: env/prod}", "7:51 x in prod and y in prod both move a/v.yaml on branch env/prod\n" +
			"      let one of them have it: use except, narrower globs, or other values\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := parse(t, src(c.second)).Resolve(tree)
			if diff := cmp.Diff(c.want, describe(problems)); diff != "" {
				t.Error(diff)
			}
		})
	}
	// A copy of the pipeline file on another branch means nothing, and may travel.
	whole := strings.Replace(hydrated, "    read: {branch: env/$env-next}\n", "", 1)
	all := map[string][]string{}
	for _, b := range []string{"env/dev", "env/e2e", "env/prod"} {
		all[b] = []string{".github/promobot.yml"}
	}
	onBranches(t, whole, config.Tree{Default: "main", Branches: all})
}

// TestReachOfBranches checks that a folder of the default branch is rendered by
// no environment that stands elsewhere.
func TestReachOfBranches(t *testing.T) {
	src := strings.Replace(base, "    path: envs/$env\n", "    path: envs/$env\n    branch: {prod: env/prod}\n", 1)
	kustomization := "envs/dev/kustomization.yaml"
	pipelines := onBranches(t, src, config.Tree{Paths: []string{kustomization, "envs/prod/kustomization.yaml"}, Branches: map[string][]string{"env/prod": {"envs/prod/kustomization.yaml"}}})
	reach := config.SharedFromKustomizations(pipelines, map[string][]byte{
		kustomization: []byte("resources: [../../base]\n"), "envs/prod/kustomization.yaml": []byte("resources: [../../base]\n"),
	})
	if diff := cmp.Diff([]config.Target{{Pipeline: "app", Environment: "dev"}}, reach.Of("base/x.yaml")); diff != "" {
		t.Error(diff)
	}
}

// TestMovedFiles are the files whose bytes are wanted, on each branch.
func TestMovedFiles(t *testing.T) {
	f := parse(t, strings.Replace(hydrated, `promote: {files: "**"}`, `promote: [{files: "*.yaml", except: v.yaml}, {values: a, in: v.yaml}, {images: "*"}]`, 1))
	tree := config.Tree{Branches: map[string][]string{
		"env/dev":      {"a.yaml", "v.yaml"},
		"env/dev-next": {"b.yaml", "c.txt"},
		"env/e2e":      {".argocd-source-app.yaml", "kustomization.yml"},
	}}
	pipelines, _ := f.Resolve(tree)
	want := []config.At{{"env/dev", "a.yaml"}, {"env/dev", "v.yaml"}, {"env/dev-next", "b.yaml"}, {"env/e2e", ".argocd-source-app.yaml"}, {"env/e2e", "kustomization.yml"}}
	if diff := cmp.Diff(want, f.Moved(pipelines, tree)); diff != "" {
		t.Error(diff)
	}
	if e := pipelines[0].Environments[0]; e.Place.Dir != "" || len(e.Place.Items) != 3 || e.Place.Items[0].Kind != content.Files || slices.Contains(e.Place.Items[0].Patterns, "") {
		t.Errorf("%+v", e.Place)
	}
}
