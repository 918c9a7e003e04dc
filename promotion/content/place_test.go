package content_test

import (
	"fmt"
	"testing"

	"github.com/promobot/promobot/promotion/content"
)

func TestOwns(t *testing.T) {
	place := content.Place{Dir: "services/c++ x", Never: []string{"**/secrets*", "services/**/*.key", "namespace", "kind:SealedSecret"}, Items: []content.Item{
		{Kind: content.Files, Patterns: []string{"config/**", "version.yml"}, Except: []string{"**/*.local.yaml"}},
		{Kind: content.Values, In: "values-qa.yaml", Patterns: []string{"image.tag"}},
		{Kind: content.Images, Patterns: []string{"*"}},
		{Kind: content.Match, In: "tf/main.tf", Patterns: []string{"(x)"}},
	}}
	tests := map[string]bool{
		"services/c++ x/config/a":                  true,
		"services/c++ x/config/a/b/.c":             true,
		"services/c++ x/config/a/b.local.yaml":     false,
		"services/c++ x/config/secrets.yaml":       false,
		"services/c++ x/config/tls.key":            false,
		"services/c++ x/version.yml":               true,
		"services/c++ x/sub/version.yml":           false,
		"services/c++ x/values-qa.yaml":            true,
		"services/c++ x/values-prod.yaml":          false,
		"services/c++ x/kustomization.yaml":        true,
		"services/c++ x/Kustomization":             true,
		"services/c++ x/config/kustomization.yaml": true,
		"services/c++ x/tf/main.tf":                true,
		"services/c++ x":                           false,
		"services/c++ xy/version.yml":              false,
		"version.yml":                              false,
		"":                                         false,
	}
	for path, want := range tests {
		if got := place.Owns(path); got != want {
			t.Errorf("owns %q: %v", path, got)
		}
	}
	root := content.Place{Items: []content.Item{{Kind: content.Files, Patterns: []string{"**"}}}}
	if !root.Owns("a/b") || !root.Owns("c") {
		t.Error("a place that is the whole repository does not own its files")
	}
}

func TestCompileErrors(t *testing.T) {
	for name, it := range map[string]content.Item{
		"glob":       {Kind: content.Files, Patterns: []string{"[a"}},
		"except":     {Kind: content.Files, Patterns: []string{"a"}, Except: []string{"{a"}},
		"keep":       {Kind: content.Files, Patterns: []string{"a"}, Keep: []string{"a..b"}},
		"values":     {Kind: content.Values, Patterns: []string{""}, In: "a"},
		"image glob": {Kind: content.Images, Patterns: []string{"[a"}},
		"kind":       {Kind: "other"},
	} {
		p := content.Place{Items: []content.Item{it}}
		if _, err := content.Compile(p); err == nil {
			t.Errorf("%s: no error", name)
		}
		if p.Owns("a") {
			t.Errorf("%s: a place that cannot be read owns a file", name)
		}
	}
}

func TestMoving(t *testing.T) {
	for text, want := range map[string]bool{
		">=1.0.0-alpha": true, "1.x": true, "1.2.x": true, "1.*": true, "*": true, "~1.2": true, "^1": true, "<2": true, "1.0 || 2.0": true, "1.2 - 2.3": true, "x": true,
		"latest": true, "HEAD": true, "main": true, "refs/heads/main": true, "=1.0": true,
		"1.0.0": false, "v1.2.3-rc.1": false, "1.2.3-x86": false, "sha256:ab": false, "3": false, "release-1": false, "example.com": false, "mainline-4": false, "2024-01-02": false, "~/bin": false, "": false,
	} {
		if got := content.Moving(text); got != want {
			t.Errorf("Moving(%q) = %v", text, got)
		}
	}
}

func TestKindsOfValues(t *testing.T) {
	tests := map[string]struct {
		source, target, now, after string
		want                       string
	}{
		"up":                            {"qa", "prod", "1.9.0", "1.10.0", "[]"},
		"down":                          {"qa", "prod", "1.10.0", "1.9.0", "[downgrade]"},
		"down with and without v":       {"qa", "prod", "v2.0.0", "1.9", "[downgrade]"},
		"to a prerelease of it":         {"qa", "prod", "2.0.0", "2.0.0-rc.1", "[downgrade]"},
		"not to be read":                {"qa", "prod", "b-2", "b-1", "[]"},
		"calendar":                      {"qa", "prod", "2026.02", "2025.12", "[downgrade]"},
		"an image down":                 {"qa", "prod", "ghcr.io/acme/shop:1.10.0", "ghcr.io/acme/shop:1.9.0", "[downgrade]"},
		"an image up":                   {"qa", "prod", "localhost:5000/shop:1.9", "localhost:5000/shop:1.10", "[]"},
		"another image":                 {"qa", "prod", "ghcr.io/acme/shop:1.10.0", "ghcr.io/acme/cart:1.9.0", "[]"},
		"a registry's port is no tag":   {"qa", "prod", "localhost:5.1/shop", "localhost:5.0/shop", "[]"},
		"leak":                          {"qa", "staging-us", "1", "db.qa.example.com", "[leak]"},
		"leak in capitals":              {"qa", "prod", "1", "QA_HOST", "[leak]"},
		"part of a word":                {"qa", "prod", "1", "aqau", "[]"},
		"part of the target's own name": {"prod", "prod-us", "1", "x.prod-us.example.com", "[]"},
		"it was there before":           {"qa", "prod", "a-qa", "b-qa", "[]"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			text := func(v string) string { return "v: '" + v + "'\n" }
			in := setup{
				items: []content.Item{values("f.yaml", "v")},
				u0:    tree{"envs/qa/f.yaml": text(tc.now)}, u: tree{"envs/qa/f.yaml": text(tc.after)}, t0: tree{"envs/prod/f.yaml": text(tc.now)},
			}.input()
			in.Source, in.Target = tc.source, tc.target
			if got := fmt.Sprint(compute(t, in).Kinds); got != tc.want {
				t.Errorf("kinds %s, want %s", got, tc.want)
			}
		})
	}
}

func TestLarge(t *testing.T) {
	many, long := tree{}, ""
	for i := range content.LargeFiles + 1 {
		many[fmt.Sprintf("envs/qa/%d", i)] = "x\n"
	}
	for i := range content.LargeLines + 1 {
		long += fmt.Sprintln(i)
	}
	for name, u := range map[string]tree{"files": many, "lines": {"envs/qa/a": long}} {
		in := setup{items: []content.Item{files("**")}, u0: tree{}, u: u, t0: tree{}}.input()
		if got := fmt.Sprint(compute(t, in).Kinds); got != "[create large]" {
			t.Errorf("%s: kinds %s", name, got)
		}
	}
}

func BenchmarkOwns(b *testing.B) {
	m, err := content.Compile(content.Place{Dir: "services/checkout/overlays/prod", Never: content.DefaultNever(), Items: []content.Item{
		{Kind: content.Images, Patterns: []string{"ghcr.io/acme/*"}}, {Kind: content.Files, Patterns: []string{"config/**"}, Except: []string{"*.local.yaml"}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		m.Owns("services/checkout/overlays/dev/kustomization.yaml")
		m.Owns("services/checkout/overlays/prod/config/app/settings.yaml")
	}
}
