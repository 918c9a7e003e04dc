package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/config"
)

// TestWhatMustNotTravel are repositories whose bytes show that a value moves by
// itself, or that another tool writes it.
func TestWhatMustNotTravel(t *testing.T) {
	const head = "version: 1\nenvironments:\n  dev: DEV\n  prod: PROD\npipelines:\n  app:\n    path: envs/$env\n    promote: "
	const marker = ` # {"$imagepolicy": "flux-system:app:tag"}`
	type files map[string]string
	both := func(name, dev, prod string) files {
		return files{":envs/dev/" + name: dev, ":envs/prod/" + name: prod}
	}
	moving := func(column, what, text string) string {
		return "8:" + column + " app would take " + what + " from dev, where it is " + text + ": that means another version from day to day\n" +
			"      pin it there; or, if another tool decides what runs in dev, say managed: elsewhere and a source for it; or say mode: observe for app in prod\n"
	}
	for name, c := range map[string]struct {
		promote   string
		dev, prod string
		files     files
		want      string
	}{
		"a version": {"{values: tag, in: v.yaml}", "", "", both("v.yaml", "tag: 1.2.3\n", "tag: latest\n"), ""},
		"a range":   {"{values: tag, in: v.yaml}", "", "", both("v.yaml", "tag: \">=1.0.0-alpha\"\n", "tag: 1.0.0\n"), moving("14", "tag of envs/dev/v.yaml", `">=1.0.0-alpha"`)},
		"some of several values": {
			"{values: [\"**.tag\", replicas], in: v.yaml}", "", "",
			both("v.yaml", "a: {tag: 1.x}\nb: {tag: 1.2.0}\nc: {tag: latest}\nreplicas: 2\n", "a: {tag: 1.0.0}\n"),
			moving("14", "a.tag of envs/dev/v.yaml", `"1.x"`) + moving("14", "c.tag of envs/dev/v.yaml", `"latest"`),
		},
		"a branch of a chart": {"{values: spec.source.targetRevision, in: app.yaml}", "", "", both("app.yaml", "spec: {source: {targetRevision: HEAD}}\n", ""), moving("14", "spec.source.targetRevision of envs/dev/app.yaml", `"HEAD"`)},
		"an expression":       {"{match: 'ref=(\\S+)', in: main.tf}", "", "", both("main.tf", "x?ref=main\n", "x?ref=v1\n"), moving("14", `ref=(\S+) of envs/dev/main.tf`, `"main"`)},
		"images": {
			"{images: \"acme/*\"}", "", "",
			both("kustomization.yaml", "images:\n- {name: acme/web, newTag: latest}\n- {name: acme/api, newTag: latest, digest: sha256:0}\n- {name: nginx, newTag: latest}\n", "images: []\n"),
			moving("14", "image acme/web of envs/dev/kustomization.yaml", `"latest"`),
		},
		"a source sets it": {"{values: tag, in: v.yaml}", "{source: {release: acme/app}}", "", both("v.yaml", "tag: latest\n", "tag: 1.0.0\n"), ""},
		"another tool decides": {
			"{values: tag, in: v.yaml}", "{managed: elsewhere, source: {dispatch: x, version: v}}", "", both("v.yaml", "tag: latest\n", "tag: 1.0.0\n"), "",
		},
		"it is only looked at": {"{values: tag, in: v.yaml}", "", "{from: dev, mode: observe}", both("v.yaml", "tag: latest\n", "tag: 1.0.0\n"), ""},
		"nothing takes it":     {"{values: tag, in: v.yaml}", "", "{verify: none}", both("v.yaml", "tag: latest\n", "tag: latest\n"), ""},
		"Flux writes the source only": {
			"{values: tag, in: v.yaml}", "", "", both("v.yaml", "tag: 1.2.3"+marker+"\n", "tag: 1.0.0\n"), "",
		},
		"Flux writes the target too": {
			"[{values: [tag, other], in: v.yaml}, {images: x}]", "", "", both("v.yaml", "tag: 1.2.3\n", "a: 1"+marker+"\ntag: 1.0.0"+marker+"\nother: 1\n"),
			"8:15 app would write tag of envs/prod/v.yaml, which Flux's image automation writes too (line 2, policy \"flux-system:app:tag\")\n" +
				"      say managed: elsewhere and a source for prod, or stop the other tool there\n",
		},
		"Flux writes into a file that is copied": {
			"{files: \"*.yaml\", keep: [kept]}", "", "", both("v.yaml", "tag: 1.2.3\n", "kept: 1"+marker+"\ntag: 1.0.0 # {\"$imagepolicy\": \"ns:web\"}\n"),
			"8:14 app would write line 2 of envs/prod/v.yaml, which Flux's image automation writes too (policy \"ns:web\")\n" +
				"      say managed: elsewhere and a source for prod, or stop the other tool there\n",
		},
		"Argo CD Image Updater writes beside it": {
			"{images: \"*\"}", "", "",
			files{":envs/dev/kustomization.yaml": "", ":envs/prod/kustomization.yaml": "", ":envs/prod/.argocd-source-app.yaml": "kustomize: {}\n", ":envs/dev/.argocd-source-app.yaml": "kustomize: {}\n"},
			"4:3 prod is written by Argo CD Image Updater: envs/prod/.argocd-source-app.yaml overrides what app would promote to it\n" +
				"      say managed: elsewhere and a source for prod, or stop the other tool there\n",
		},
		"what cannot be read says nothing": {"{values: tag, in: v.yaml}", "", "", both("v.yaml", "tag: [latest\n", "{"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			dev, prod := "{verify: none}", "{from: dev}"
			if c.dev != "" {
				dev = c.dev
			}
			if c.prod != "" {
				prod = c.prod
			}
			src := strings.NewReplacer("DEV", dev, "PROD", prod).Replace(head) + c.promote + "\n"
			if diff := cmp.Diff(c.want, told(t, src, c.files)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// told are the problems of a pipeline file with files given as branch:path.
func told(t *testing.T, src string, files map[string]string) string {
	t.Helper()
	f, tree := parse(t, src), config.Tree{Branches: map[string][]string{}}
	all := map[config.At][]byte{}
	for name, text := range files {
		branch, path, _ := strings.Cut(name, ":")
		all[config.At{Branch: branch, Path: path}] = []byte(text)
		if branch == "" {
			tree.Paths = append(tree.Paths, path)
		} else {
			tree.Branches[branch] = append(tree.Branches[branch], path)
		}
	}
	pipelines, problems := f.Resolve(tree)
	if len(problems) > 0 {
		t.Fatal(describe(problems))
	}
	contents := map[config.At][]byte{}
	for _, at := range f.Moved(pipelines, tree) {
		contents[at] = all[at]
	}
	return describe(f.Check(pipelines, contents))
}

// TestChecksOnBranches checks that bytes are compared on the branches they are of.
func TestChecksOnBranches(t *testing.T) {
	own := strings.Replace(hydrated, "    read: {branch: env/$env-next}\n", "", 1)
	values := strings.Replace(hydrated, `{files: "**"}`, `{values: tag, in: v.yaml}`, 1)
	for name, c := range map[string]struct {
		src   string
		files map[string]string
		want  string
	}{
		"a file that names its environment": {
			own,
			map[string]string{"env/dev:a.yaml": "host: dev.acme.io\n", "env/e2e:a.yaml": "host: e2e.acme.io\n", "env/prod:a.yaml": "x: 1\n"},
			"11:22 app would copy a.yaml from dev to e2e, and its value host names its own environment: \"dev.acme.io\" there, \"e2e.acme.io\" here\n" +
				"      add keep: \"host\" beside files, or except: \"a.yaml\"\n",
		},
		"content written for the environment may name it": {hydrated, map[string]string{"env/dev:a.yaml": "host: dev\n", "env/e2e:a.yaml": "host: e2e\n", "env/e2e-next:a.yaml": "host: e2e\n", "env/prod-next:a.yaml": ""}, ""},
		"a range on the branch that is read": {
			values,
			map[string]string{"env/dev-next:v.yaml": "tag: 1.0.0\n", "env/e2e-next:v.yaml": "tag: ~1.2\n", "env/dev:v.yaml": "tag: latest\n", "env/prod:v.yaml": "tag: latest\n"},
			"12:14 app would take tag of v.yaml on branch env/e2e-next from e2e, where it is \"~1.2\": that means another version from day to day\n" +
				"      pin it there; or, if another tool decides what runs in e2e, say managed: elsewhere and a source for it; or say mode: observe for app in e2e\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, told(t, c.src, c.files)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheCeilingHidesNothing checks that a file that begins with mode: observe is
// told what its lifting would meet, and that overrides can answer.
func TestTheCeilingHidesNothing(t *testing.T) {
	src := "mode: observe\n" + strings.Replace(base, "images: \"*\"", "values: tag, in: v.yaml", 1)
	files := map[string]string{":envs/dev/v.yaml": "tag: latest\n", ":envs/prod/v.yaml": "tag: 1.0.0\n"}
	if got := told(t, src, files); !strings.Contains(got, `app would take tag of envs/dev/v.yaml from dev, where it is "latest"`) {
		t.Errorf("told only:\n%s", got)
	}
	if got := told(t, src+"overrides:\n  - {name: app, mode: observe}\n", files); got != "" {
		t.Errorf("told nevertheless:\n%s", got)
	}
}
