package config_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
)

var everyPaths = []string{
	"apps/core/web/dev/kustomization.yaml", "apps/core/web/staging/values.yaml", "apps/core/web/production/main.tf",
	"apps/shop/cart/dev/kustomization.yaml", "apps/shop/cart/staging/values.yaml", "apps/shop/cart/production/main.tf",
	"infra/dev/x", "infra/stage/x", "infra/prod/x",
}

// environment finds one environment of the every-key example.
func environment(t *testing.T, pipelines []config.Pipeline, key, env string) config.Environment {
	t.Helper()
	for _, p := range pipelines {
		for _, e := range p.Environments {
			if p.Key == key && e.Name == env {
				return e
			}
		}
	}
	t.Fatalf("no %s in %s", env, key)
	return config.Environment{}
}

func TestEffectiveSettings(t *testing.T) {
	pipelines := resolve(t, example(t, "every-key"), everyPaths...)
	type settings struct {
		Mode                         config.Mode
		Reconcile                    bool
		Limit                        int
		Allow                        []content.Kind
		Labels, Assignees, Reviewers []string
		Title, Body                  string
	}
	for name, c := range map[string]struct {
		key, env string
		want     settings
	}{
		"environment over file, override by name": {"apps/core/web", "staging", settings{
			config.Observe, false, 2,
			[]content.Kind{content.Create, content.Drift},
			[]string{"promotion", "staging", "team"},
			[]string{"ana"},
			[]string{"acme/platform", "bo", "acme/apps"},
			"{{.Environment}}: {{.Name}} {{.To | default .Short}}", "{{.Text}}\n\n{{if has \"drift\" .Kinds}}Drift, look twice.{{end}} {{join \", \" .Authors | trunc 80}}\n",
		}},
		"the name does not match": {"apps/shop/cart", "staging", settings{
			config.Auto, false, 2,
			[]content.Kind{content.Create, content.Drift},
			[]string{"promotion", "staging", "team"},
			[]string{"ana"},
			[]string{"acme/platform", "bo", "acme/apps"},
			"{{.Environment}}: {{.Name}} {{.To | default .Short}}", "{{.Text}}\n\n{{if has \"drift\" .Kinds}}Drift, look twice.{{end}} {{join \", \" .Authors | trunc 80}}\n",
		}},
		"the pipeline's environment counts most": {"apps/shop/cart", "production", settings{
			config.Observe, false, 1,
			[]content.Kind{},
			[]string{"promotion", "team", "apps", "prod"},
			[]string{"ana", "cy", "eve"},
			[]string{"acme/platform", "bo", "acme/sre", "acme/apps", "acme/oncall"},
			"Release {{.Name}} {{.To}}", "{{.Text}}",
		}},
		"the pipeline over the environment": {"infrastructure", "production", settings{
			config.Propose, true, 1,
			[]content.Kind{},
			[]string{"promotion", "prod"},
			[]string{"ana", "cy", "di", "eve"},
			[]string{"acme/platform", "bo", "acme/sre", "acme/oncall"},
			"{{.Text}}", "{{.Text}}",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := environment(t, pipelines, c.key, c.env)
			got := settings{e.Mode, e.Reconcile, e.Limit, e.Allow, e.Labels, e.Assignees, e.Reviewers, e.Title, e.Body}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if e.Verified != (e.Verify == nil) || e.Verified != (c.env == "production") {
				t.Errorf("verified by landing: %v, verification: %+v", e.Verified, e.Verify)
			}
			if want := append(content.DefaultNever(), "**/license*", "**.replicas"); !slices.Equal(e.Never, want) {
				t.Errorf("never: %v", e.Never)
			}
		})
	}
}

// TestCeiling checks that no file's mode lets an environment go further than
// anything that applies says.
func TestCeiling(t *testing.T) {
	modes := []config.Mode{config.Observe, config.Propose, config.Auto}
	for _, file := range modes {
		for _, env := range modes {
			for _, override := range modes[:env] {
				src := strings.Replace(base, "{from: dev}", "{from: dev, mode: "+env.String()+"}", 1) + "mode: " + file.String() + "\noverrides:\n  - {environments: prod, mode: " + override.String() + "}\n"
				e := environment(t, resolve(t, src, "envs/dev/kustomization.yaml", "envs/prod/kustomization.yaml"), "app", "prod")
				if want := min(file, env, override); e.Mode != want {
					t.Errorf("file %s, environment %s, override %s: %s", file, env, override, e.Mode)
				}
			}
		}
	}
}

func TestOverridesByNameThatLoosen(t *testing.T) {
	src := strings.Replace(base, "path: envs/$env", "for_each: envs/$name\n    path: envs/$name/$env", 1) + "overrides:\n  - {environments: prod, name: we*, mode: observe}\n  - {name: web, environments: prod, mode: auto}\n"
	f := parse(t, src)
	paths := []string{"envs/db/dev/kustomization.yaml", "envs/db/prod/kustomization.yaml", "envs/web/dev/kustomization.yaml", "envs/web/prod/kustomization.yaml"}
	pipelines, problems := f.Resolve(config.Tree{Paths: paths})
	want := "12:43 overrides[1].mode: auto would loosen observe in prod (overrides[0].mode on line 11)\n      put the more general override first, the tighter one behind it\n"
	if diff := cmp.Diff(want, describe(problems)); diff != "" {
		t.Error(diff)
	}
	if e := environment(t, pipelines, "app/web", "prod"); e.Mode != config.Observe {
		t.Errorf("loosened to %s", e.Mode)
	}
	if e := environment(t, pipelines, "app/db", "prod"); e.Mode != config.Propose {
		t.Errorf("db is %s", e.Mode)
	}
}

func TestExplain(t *testing.T) {
	pipelines := resolve(t, example(t, "every-key"), everyPaths...)
	var got strings.Builder
	for _, c := range [][2]string{{"apps/core/web", "production"}, {"infrastructure", "staging"}} {
		text, err := config.Explain(config.Path, pipelines, c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString(text + "\n")
	}
	blocked, err := config.Explain(config.Path, resolve(t, base, "envs/dev/kustomization.yaml"), "app", "prod")
	if err != nil {
		t.Fatal(err)
	}
	got.WriteString(blocked)
	// What never holds by default is the content package's to say.
	text := strings.ReplaceAll(got.String(), strings.Join(content.DefaultNever(), ", "), "(the defaults of never)")
	golden(t, "testdata/explain.txt", text)
}

func TestExplainKnowsWhatIsThere(t *testing.T) {
	pipelines := resolve(t, example(t, "every-key"), everyPaths...)
	if text, err := config.Explain("p.yml", pipelines, "core/web", "dev"); err != nil || !strings.HasPrefix(text, "apps/core/web, environment dev (p.yml)\n") {
		t.Errorf("by title: %v\n%s", err, text)
	}
	for _, c := range []struct{ pipeline, env, want string }{
		{"infrastructrue", "dev", `there is no pipeline "infrastructrue" here; there are apps/core/web, apps/shop/cart, infrastructure; did you mean infrastructure?`},
		{"infrastructure", "prodction", `pipeline infrastructure has no environment "prodction" here; it has dev, staging, production; did you mean production?`},
	} {
		if _, err := config.Explain("p.yml", pipelines, c.pipeline, c.env); err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
	pipelines[1].Title = "core/web"
	if _, err := config.Explain("p.yml", pipelines, "core/web", "dev"); err == nil || err.Error() != `several pipelines are called "core/web": name one of apps/core/web, apps/shop/cart` {
		t.Error(err)
	}
}

// golden compares a text with a file, or writes the file anew with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; write it by go test ./promotion/config -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what the code says (-file +code); if the code is right, write it anew by go test ./promotion/config -update\n%s", file, diff)
	}
}
