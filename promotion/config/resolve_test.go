package config_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
)

// resolve parses and resolves a file that has no problem.
func resolve(t *testing.T, src string, paths ...string) []config.Pipeline {
	t.Helper()
	slices.Sort(paths)
	pipelines, problems := parse(t, src).Resolve(config.Tree{Paths: paths})
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", describe(problems))
	}
	return pipelines
}

// flow prints pipelines as lines: environment, its upstreams, mode, place, state.
func flow(pipelines []config.Pipeline) string {
	var out strings.Builder
	for _, p := range pipelines {
		fmt.Fprintf(&out, "%s (%s)\n", p.Key, p.Title)
		for _, e := range p.Environments {
			fmt.Fprintf(&out, "  %s from %v after %v %s in %q", e.Name, e.From, e.After, e.Mode, e.Place.Dir)
			if !e.Present {
				out.WriteString(" absent")
			}
			if e.Blocked != "" {
				out.WriteString(" blocked")
			}
			out.WriteString("\n")
		}
	}
	return out.String()
}

func checkFlow(t *testing.T, pipelines []config.Pipeline, want string) {
	t.Helper()
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), flow(pipelines)); diff != "" {
		t.Errorf("pipelines (-want +got):\n%s", diff)
	}
}

func TestEnvironmentPromotionExample(t *testing.T) {
	var paths []string
	for _, e := range []string{"qa", "staging-us", "staging-eu", "staging-asia", "prod-asia", "prod-eu", "prod-us", "load-gpu"} {
		paths = append(paths, "envs/"+e+"/kustomization.yml", "envs/"+e+"/settings.yml", "envs/"+e+"/version.yml")
	}
	pipelines := resolve(t, example(t, "environment-promotion"), append(paths, "base/deployment.yml", "README.md")...)
	checkFlow(t, pipelines, `
simple-env-app (simple-env-app)
  qa from [] after [] propose in "envs/qa"
  staging-us from [qa] after [] auto in "envs/staging-us"
  staging-eu from [qa] after [] auto in "envs/staging-eu"
  staging-asia from [qa] after [] auto in "envs/staging-asia"
  prod-asia from [staging-asia] after [] propose in "envs/prod-asia"
  prod-eu from [staging-eu] after [prod-asia] propose in "envs/prod-eu"
  prod-us from [staging-us] after [prod-asia] propose in "envs/prod-us"
`)
	want := content.Place{Dir: "envs/prod-eu", Items: []content.Item{{Kind: content.Files, Patterns: []string{"version.yml", "settings.yml"}, Keep: []string{"**.env.CACHE_SIZE.value"}}}, Never: content.DefaultNever()}
	if diff := cmp.Diff(want, pipelines[0].Environments[5].Place); diff != "" {
		t.Error(diff)
	}
	if f := parse(t, example(t, "environment-promotion")); !f.Shared("base/deployment.yml") || !f.Shared("variants/eu/x.yml") || f.Shared("envs/qa/version.yml") {
		t.Error("shared")
	}
}

func TestForEach(t *testing.T) {
	const head = "version: 1\nenvironments:\n  us: {verify: none}\n  prod-us: {from: us, optional: true}\npipelines:\n  app:\n"
	for name, c := range map[string]struct {
		layout string
		paths  []string
		want   string
	}{
		"folders": {
			"    for_each: services/$name\n    path: services/$name/$env\n    promote: {images: \"*\"}\n",
			[]string{"services/README.md", "services/c++/us/kustomization.yaml", "services/ü b/prod-us/Kustomization", "services/ü b/us/kustomization.yml", "services/none/base/x", "services/.hidden/us/kustomization.yaml", "servicesx/y/us/kustomization.yaml", "services/a-b/us/kustomization.yaml", "services/a/us/kustomization.yaml"},
			`
app/a (a)
  us from [] after [] propose in "services/a/us"
app/a-b (a-b)
  us from [] after [] propose in "services/a-b/us"
app/c++ (c++)
  us from [] after [] propose in "services/c++/us"
app/ü b (ü b)
  us from [] after [] propose in "services/ü b/us"
  prod-us from [us] after [] propose in "services/ü b/prod-us"
`,
		},
		"parts of file names, the longest environment first": {
			"    for_each: values/$name-$env.yaml\n    path: values\n    promote: {values: tag, in: $name-$env.yaml}\n",
			[]string{"values/web-us.yaml", "values/web-prod-us.yaml", "values/web-prod.yaml", "values/db-us.yaml", "values/db-us.yaml.bak"},
			`
app/db (db)
  us from [] after [] propose in "values"
app/web (web)
  us from [] after [] propose in "values"
  prod-us from [us] after [] propose in "values"
`,
		},
		"two variables, stars and a repeated name": {
			"    for_each: teams/*/$team/$name/$name.yaml\n    path: envs/$env/$team\n    promote: {files: $name/**}\n",
			[]string{"teams/x/core/web/web.yaml", "teams/y/core/web/web.yaml", "teams/x/core/db/other.yaml", "teams/x/shop/web/web.yaml", "envs/us/core/web/a", "envs/us/shop/web/a"},
			`
app/core/web (core/web)
  us from [] after [] propose in "envs/us/core"
  prod-us from [us] after [] propose in "envs/prod-us/core" absent blocked
app/shop/web (shop/web)
  us from [] after [] propose in "envs/us/shop"
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := strings.ReplaceAll(c.want, "  prod-us from [us] after [] propose in \"envs/prod-us/core\" absent blocked\n", "")
			checkFlow(t, resolve(t, head+c.layout, c.paths...), want)
		})
	}
}

func TestAbsence(t *testing.T) {
	const src = `version: 1
environments:
  dev: {verify: none}
  qa: {from: dev, optional: true, after: dev}
  canary: {from: qa, optional: true, after: qa}
  prod: {from: [canary, dev], after: canary}
pipelines:
  app:
    for_each: $name/$env
    path: $name/$env
    promote: {images: "*"}
`
	in := func(envs ...string) (paths []string) {
		for _, e := range envs {
			paths = append(paths, "app/"+e+"/kustomization.yaml")
		}
		return paths
	}
	for name, c := range map[string]struct {
		paths []string
		want  string
	}{
		"all there": {in("dev", "qa", "canary", "prod"), `
app/app (app)
  dev from [] after [] propose in "app/dev"
  qa from [dev] after [dev] propose in "app/qa"
  canary from [qa] after [qa] propose in "app/canary"
  prod from [canary dev] after [canary] propose in "app/prod"
`},
		"optional ones are gone through": {in("dev", "prod"), `
app/app (app)
  dev from [] after [] propose in "app/dev"
  prod from [dev] after [dev] propose in "app/prod"
`},
		"one that is not optional blocks": {in("dev", "canary"), `
app/app (app)
  dev from [] after [] propose in "app/dev"
  canary from [dev] after [dev] propose in "app/canary"
  prod from [canary dev] after [canary] propose in "app/prod" absent blocked
`},
		"a deleted source is still seen": {in("prod"), `
app/app (app)
  dev from [] after [] propose in "app/dev" absent blocked
  prod from [dev] after [dev] propose in "app/prod"
`},
		"nothing is nothing": {[]string{"app/README.md", "other/x"}, "\n"},
	} {
		t.Run(name, func(t *testing.T) { checkFlow(t, resolve(t, src, c.paths...), c.want) })
	}
	pipelines := resolve(t, src, in("canary")...)
	want := []string{
		"dev has nothing of this pipeline in app/dev: nothing can come from it until it is there",
		"prod has nothing of this pipeline in app/prod: create it, or say optional: true for prod (line 6) if it need not be there",
	}
	var got []string
	for _, e := range pipelines[0].Environments {
		if e.Blocked != "" {
			got = append(got, e.Blocked)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAbsentOptionalSourceBlocks(t *testing.T) {
	pipelines := resolve(t, "version: 1\nenvironments:\n  dev: {verify: none, optional: true}\n  prod: {from: dev}\npipelines:\n  app: {path: $env, promote: {images: \"*\"}}\n", "prod/kustomization.yaml")
	checkFlow(t, pipelines, "\napp (app)\n  prod from [] after [] propose in \"prod\" blocked\n")
}

func TestPipelineEnvironments(t *testing.T) {
	const head = "version: 1\nenvironments:\n  dev: {verify: none}\n  qa: {from: dev, verify: none}\n  prod: {from: qa, mode: auto}\npipelines:\n  app:\n    path: {dev: ., qa: b, prod: c/d}\n    promote: {files: [x.yaml]}\n"
	paths := []string{"x.yaml", "b/x.yaml", "c/d/y.yaml"}
	checkFlow(t, resolve(t, head+"    environments: [dev, prod]\n", paths...), "\napp (app)\n  dev from [] after [] propose in \"\"\n  prod from [dev] after [] auto in \"c/d\"\n")
	checkFlow(t, resolve(t, head+"    environments: [qa, prod]\n", paths...), "\napp (app)\n  qa from [] after [] propose in \"b\"\n  prod from [qa] after [] auto in \"c/d\"\n")
	checkFlow(t, resolve(t, head+"    environments: {prod: {from: [dev, qa], mode: propose, after: qa}, qa: {mode: observe}}\n", paths...),
		"\napp (app)\n  dev from [] after [] propose in \"\"\n  qa from [dev] after [] observe in \"b\"\n  prod from [dev qa] after [qa] propose in \"c/d\"\n")
}

func TestItemsAreFilled(t *testing.T) {
	pipelines := resolve(t, example(t, "every-key"),
		"apps/[core]/we.b/dev/kustomization.yaml", "apps/[core]/we.b/staging/values.yaml", "apps/[core]/we.b/production/main.tf", "infra/dev/x", "infra/stage/x", "infra/prod/x")
	want := []content.Item{
		{Kind: content.Images, Patterns: []string{"ghcr.io/acme/we.b", "ghcr.io/acme/we.b-*"}, Create: true},
		{Kind: content.Values, Patterns: []string{"image.tag", `metadata.annotations."acme.io/version"`}, In: "values.yaml"},
		{Kind: content.Files, Patterns: []string{"config/**", "*.json"}, Except: []string{"**/*.local.yaml"}, Keep: []string{"LOG_LEVEL", "**.hostname"}},
		{Kind: content.Match, Patterns: []string{`version = "([0-9.]+)"$`}, In: "main.tf"},
	}
	if diff := cmp.Diff(want, pipelines[0].Environments[0].Place.Items); diff != "" {
		t.Error(diff)
	}
	pipelines = resolve(t, "version: 1\nenvironments:\n  dev: {verify: none}\npipelines:\n  app:\n    for_each: $name/x\n    path: d\n    promote:\n      - {files: $name/**}\n      - {values: apps.$name.tag, in: v.yaml}\n      - {match: '^$name-$env: (.*)$', in: m.txt}\n",
		"a[1].b*c/x", "d/v.yaml", "d/m.txt")
	var got []string
	for _, i := range pipelines[0].Environments[0].Place.Items {
		got = append(got, i.Patterns...)
	}
	if diff := cmp.Diff([]string{`a\[1\].b\*c/**`, `apps."a[1].b*c".tag`, `^a\[1\]\.b\*c-dev: (.*)$`}, got); diff != "" {
		t.Error(diff)
	}
}

// git runs git in a folder and returns what it prints.
func git(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// monorepo are the paths of the synthetic monorepo of 300 services.
func monorepo(t testing.TB) []string {
	t.Helper()
	script := filepath.Join("..", "..", "..", "shared", "repos", "monorepo300.py")
	if _, err := os.Stat(script); err != nil {
		t.Skipf("the generator of the 300-service monorepo is not here: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "repo")
	if out, err := exec.CommandContext(t.Context(), "python3", script, dir).CombinedOutput(); err != nil {
		t.Skipf("the 300-service monorepo cannot be generated: %v\n%s", err, out)
	}
	return strings.Split(strings.TrimSuffix(git(t, "-C", dir, "ls-files"), "\n"), "\n")
}

func TestMonorepo(t *testing.T) {
	pipelines := resolve(t, example(t, "monorepo"), monorepo(t)...)
	groups, absent, observed := map[string]int{}, map[string]int{}, 0
	for _, p := range pipelines {
		groups[p.Group]++
		for _, e := range p.Environments {
			if !e.Present {
				absent[e.Name]++
			}
			if e.Mode == config.Observe {
				observed++
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"services": 220, "charts": 60, "addons": 20}, groups); diff != "" {
		t.Error(diff)
	}
	// Every fortieth service has no production; some have no staging.
	if absent["prod-us"] != 6 || absent["prod-eu"] != 6 || absent["dev"] != 0 || absent["staging"] == 0 || absent["prod-canary"] != 0 {
		t.Errorf("absent: %v", absent)
	}
	batched := map[string]int{}
	for _, p := range pipelines {
		for _, e := range p.Environments {
			if e.Batch.Batched() {
				batched[e.Name+" "+e.Batch.String()]++
			}
		}
	}
	// The override that takes eleven services out of the batch is for production.
	if want := map[string]int{"staging hourly": 300 - missing(pipelines, "staging")}; !maps.Equal(batched, want) {
		t.Errorf("batched %v, not %v", batched, want)
	}
	guarded := map[string]int{}
	for _, p := range pipelines {
		for _, e := range p.Environments {
			if e.Approval {
				guarded["approval "+e.Name]++
			}
			if len(e.Windows) == 1 && e.Windows[0].Name == "office" {
				guarded["window "+e.Name]++
			}
			if e.Verify != nil && slices.Contains(e.Verify.Checks.Names, "argocd/"+p.Title+"-"+e.Name) {
				guarded["verify "+e.Name]++
			}
		}
	}
	canaries := 300 - missing(pipelines, "prod-canary")
	// svc-007 and svc-040 to svc-049 wait for approval.
	want := map[string]int{
		"approval prod-us": 11, "approval prod-eu": 11, "window prod-us": 300, "window prod-eu": 300,
		"window prod-canary": canaries, "verify prod-canary": canaries, "verify staging": 300 - missing(pipelines, "staging"),
	}
	for _, p := range pipelines {
		careful := p.Title == "svc-007" || strings.HasPrefix(p.Title, "svc-04")
		if careful && slices.ContainsFunc(p.Environments, func(e config.Environment) bool { return e.Name == "prod-canary" }) {
			want["approval prod-canary"]++
		}
	}
	if diff := cmp.Diff(want, guarded); diff != "" {
		t.Errorf("guarded (-want +got):\n%s", diff)
	}
	if observed == 0 {
		t.Error("the file's ceiling does not count")
	}
	charts := slices.IndexFunc(pipelines, func(p config.Pipeline) bool { return p.Key == "charts/helm-03" })
	addons := slices.IndexFunc(pipelines, func(p config.Pipeline) bool { return p.Key == "addons/addon-05" })
	checkFlow(t, []config.Pipeline{pipelines[charts], pipelines[addons]}, `
charts/helm-03 (helm-03)
  dev from [] after [] observe in "charts/helm-03"
  staging from [dev] after [] observe in "charts/helm-03"
  prod-us from [staging] after [] observe in "charts/helm-03"
  prod-eu from [staging] after [] observe in "charts/helm-03"
addons/addon-05 (addon-05)
  dev from [] after [] observe in "clusters/dev/apps"
  staging from [dev] after [] observe in "clusters/staging/apps"
  prod-canary from [staging] after [] observe in "clusters/prod-canary/apps"
  prod-us from [prod-canary] after [] observe in "clusters/prod-us/apps"
  prod-eu from [prod-canary] after [] observe in "clusters/prod-eu/apps"
`)
}

// missing counts the pipelines without an environment.
func missing(pipelines []config.Pipeline, env string) int {
	n := 0
	for _, p := range pipelines {
		if !slices.ContainsFunc(p.Environments, func(e config.Environment) bool { return e.Name == env }) {
			n++
		}
	}
	return n
}

// BenchmarkResolve is a repository of 300 pipelines, 5 environments and 12,000
// files, read and resolved anew.
func BenchmarkResolve(b *testing.B) {
	var paths []string
	for i := range 300 {
		for _, e := range []string{"dev", "staging", "prod-canary", "prod-us", "prod-eu"} {
			for f := range 7 {
				paths = append(paths, fmt.Sprintf("services/svc-%03d/overlays/%s/config/%d.yaml", i, e, f))
			}
			paths = append(paths, fmt.Sprintf("services/svc-%03d/overlays/%s/kustomization.yaml", i, e))
		}
	}
	slices.Sort(paths)
	src, err := os.ReadFile("testdata/examples/monorepo.yml")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		f, _ := config.Parse(config.Path, src)
		if pipelines, problems := f.Resolve(config.Tree{Paths: paths}); len(pipelines) != 300 || len(problems) > 0 {
			b.Fatal(len(pipelines), problems)
		}
	}
}
