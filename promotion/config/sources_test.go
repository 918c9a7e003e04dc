package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/config"
)

func TestVersionSources(t *testing.T) {
	const head = "version: 1\nenvironments:\n"
	const tail = "  prod: {from: dev}\npipelines:\n  apps:\n    for_each: apps/$name\n    path: apps/$name/$env\n    promote: {images: \"*\"}\n"
	paths := []string{"apps/we[b]/dev/kustomization.yaml", "apps/we[b]/prod/kustomization.yaml"}
	for name, c := range map[string]struct {
		dev, own string
		want     *config.VersionSource
		explain  string
	}{
		"a release": {"{source: {release: acme/web}}", "", &config.VersionSource{Kind: config.Release, Repository: "acme/web", Line: 3}, "release acme/web"},
		"a release with all that may stand beside it": {
			"{source: {release: acme/web, pattern: \"v*\", prefix: v, prereleases: true}}", "",
			&config.VersionSource{Kind: config.Release, Repository: "acme/web", Pattern: "v*", Prefix: "v", Prerelease: true, Line: 3},
			"release acme/web, tags v*, without prefix v, pre-releases too",
		},
		"tags of one service among many": {
			"{source: {tag: acme/apps, pattern: \"$name-v*\", prefix: \"$name-v\"}}", "",
			&config.VersionSource{Kind: config.Tag, Repository: "acme/apps", Pattern: `we\[b\]-v*`, Prefix: "we[b]-v", Line: 3},
			`tag acme/apps, tags we\[b\]-v*, without prefix we[b]-v`,
		},
		"a dispatch": {
			"{source: {dispatch: HelmRelease/$name.$name, version: 'metadata.\"helm.toolkit.fluxcd.io/revision\"'}}", "",
			&config.VersionSource{Kind: config.Dispatch, Type: "HelmRelease/we[b].we[b]", Version: "metadata.helm.toolkit.fluxcd.io/revision", Line: 3},
			"dispatch HelmRelease/we[b].we[b], version at metadata.helm.toolkit.fluxcd.io/revision",
		},
		"the pipeline's own": {
			"{source: {release: acme/web}}", "    environments: {prod: {}, dev: {source: {tag: acme/other}}}\n",
			&config.VersionSource{Kind: config.Tag, Repository: "acme/other", Line: 10}, "tag acme/other",
		},
		"none": {"{verify: none}", "", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, head+"  dev: "+c.dev+"\n"+tail+c.own)
			pipelines, problems := f.Resolve(config.Tree{Paths: paths})
			if len(problems) > 0 {
				t.Fatal(describe(problems))
			}
			dev := pipelines[0].Environments[0]
			if diff := cmp.Diff(c.want, dev.Source); diff != "" {
				t.Error(diff)
			}
			if s := pipelines[0].Environments[1].Source; s != nil || dev.Managed {
				t.Errorf("prod has %+v, dev managed %v", s, dev.Managed)
			}
			shown := ""
			for _, s := range dev.Settings {
				if s.Key == "source" {
					shown = s.Value
				}
			}
			if shown != c.explain {
				t.Errorf("shown as %q, not %q", shown, c.explain)
			}
			var repositories []string
			if c.want != nil && c.want.Repository != "" {
				repositories = []string{c.want.Repository}
			}
			if diff := cmp.Diff(repositories, f.Sources()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSourcesAreDistinct(t *testing.T) {
	f := parse(t, `version: 1
environments:
  a: {source: {release: acme/web}}
  b: {source: {tag: acme/api}}
  c: {source: {dispatch: x, version: v}}
  d: {source: {release: acme/unused}}
pipelines:
  x: {path: $env, promote: {images: "*"}, environments: [a, b, c]}
  y: {path: y/$env, promote: {images: "*"}, environments: {a: {source: {tag: acme/web}}, b: {}, c: {}, d: {source: {release: Acme/own}}}}
`)
	if diff := cmp.Diff([]string{"Acme/own", "acme/api", "acme/web"}, f.Sources()); diff != "" {
		t.Error(diff)
	}
}

// flux is the pipeline file of Flux's example repository.
const flux = `version: 1
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

func TestManagedElsewhere(t *testing.T) {
	f := parse(t, flux)
	for name, paths := range map[string][]string{
		"with files": {"apps/production/podinfo-values.yaml", "apps/staging/podinfo-values.yaml"},
		"without":    {"apps/production/podinfo-values.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			pipelines, problems := f.Resolve(config.Tree{Paths: paths})
			if len(problems) > 0 {
				t.Fatal(describe(problems))
			}
			staging, production := pipelines[0].Environments[0], pipelines[0].Environments[1]
			if !staging.Managed || !staging.Present || staging.Blocked != "" || staging.Source.Type != "HelmRelease/podinfo.podinfo" || staging.Source.Version != "metadata.revision" {
				t.Errorf("staging: %+v", staging)
			}
			if production.Managed || !production.Present || production.Blocked != "" || production.Source != nil || production.Mode != config.Propose {
				t.Errorf("production: %+v", production)
			}
			text, err := config.Explain("p.yml", pipelines, "podinfo", "staging")
			if err != nil || !strings.Contains(text, "managed                 elsewhere") || !strings.Contains(text, "line 4, environments.staging.managed") {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
	if len(f.Sources()) > 0 || len(f.Branches()) > 0 {
		t.Errorf("%v %v", f.Sources(), f.Branches())
	}
}

// TestManagedNeedsNoPath checks that a managed environment may have no place at all.
func TestManagedNeedsNoPath(t *testing.T) {
	const src = `version: 1
environments:
  cluster: {managed: elsewhere, source: {release: acme/app}}
  prod:    {from: cluster}
pipelines:
  app:
    path: {prod: apps}
    promote: [{values: image.tag, in: {prod: values.yaml}}, {images: "*"}]
`
	pipelines := onBranches(t, src, config.Tree{Paths: []string{"apps/kustomization.yaml", "apps/values.yaml"}})
	checkFlow(t, pipelines, "\napp (app)\n  cluster from [] after [] propose in \"\"\n  prod from [cluster] after [] propose in \"apps\"\n")
	if n := len(pipelines[0].Environments[0].Place.Items); n != 2 {
		t.Errorf("%d items", n)
	}
}

// bundle clones a bundled repository and gives its paths and a reader.
func bundle(t *testing.T, name string) (paths []string, read func(string) []byte) {
	t.Helper()
	file := filepath.Join("..", "..", "..", "shared", "repos", name+".bundle")
	if _, err := os.Stat(file); err != nil {
		t.Skipf("the real repository %s is not here: %v", name, err)
	}
	dir := filepath.Join(t.TempDir(), "repo")
	git(t, "clone", "-q", file, dir)
	return strings.Split(strings.TrimSuffix(git(t, "-C", dir, "ls-files"), "\n"), "\n"), func(p string) []byte {
		src, err := os.ReadFile(filepath.Join(dir, p))
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
}

// TestRealRepositories checks the pipeline files of two real repositories
// against all that is in them.
func TestRealRepositories(t *testing.T) {
	for name, c := range map[string]struct {
		src  string
		want string
		bad  map[string]string // changed files, with what is then told
	}{
		"gitops-environment-promotion": {example(t, "environment-promotion"), `
simple-env-app (simple-env-app)
  qa from [] after [] propose in "envs/qa"
  staging-us from [qa] after [] auto in "envs/staging-us"
  staging-eu from [qa] after [] auto in "envs/staging-eu"
  staging-asia from [qa] after [] auto in "envs/staging-asia"
  prod-asia from [staging-asia] after [] propose in "envs/prod-asia"
  prod-eu from [staging-eu] after [prod-asia] propose in "envs/prod-eu"
  prod-us from [staging-us] after [prod-asia] propose in "envs/prod-us"
`, nil},
		"flux2-kustomize-helm-example": {flux, `
podinfo (podinfo)
  staging from [] after [] propose in "apps/staging"
  production from [staging] after [] propose in "apps/production"
`, map[string]string{
			// Without a source, the range that staging has would travel.
			"{managed: elsewhere, source: {dispatch: HelmRelease/podinfo.podinfo, version: metadata.revision}}": "9:14 podinfo would take spec.chart.spec.version of apps/staging/podinfo-values.yaml from staging, where it is \">=1.0.0-alpha\": that means another version from day to day\n" +
				"      pin it there; or, if another tool decides what runs in staging, say managed: elsewhere and a source for it; or say mode: observe for podinfo in production\n",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			paths, read := bundle(t, name)
			check := func(src string) ([]config.Pipeline, string) {
				f, tree := parse(t, src), config.Tree{Paths: paths}
				pipelines, problems := f.Resolve(tree)
				contents := map[config.At][]byte{}
				for _, at := range f.Moved(pipelines, tree) {
					contents[at] = read(at.Path)
				}
				return pipelines, describe(append(problems, f.Check(pipelines, contents)...))
			}
			pipelines, problems := check(c.src)
			checkFlow(t, pipelines, c.want)
			if problems != "" {
				t.Errorf("problems:\n%s", problems)
			}
			for setting, want := range c.bad {
				if _, problems := check(strings.Replace(c.src, setting, "{verify: none}", 1)); problems != want {
					t.Errorf("without %s (-want +got):\n%s", setting, cmp.Diff(want, problems))
				}
			}
		})
	}
}
