package config_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/config"
)

// TestCollisions are layouts over one repository: which are told to move the
// same file or value, and which environments that blocks.
func TestCollisions(t *testing.T) {
	const head = "version: 1\nenvironments:\n  dev: {verify: none}\n  prod: {from: dev}\npipelines:\n"
	paths := []string{
		"a/dev/kustomization.yaml", "a/dev/config/new.json", "a/dev/values.yaml", "a/dev/x.tf",
		"a/prod/kustomization.yaml", "a/prod/values.yaml", "a/prod/x.tf",
		"a/prod/config/app.json", "dev/kustomization.yaml", "prod/kustomization.yaml", ".github/promobot.yml",
	}
	one := func(name, promote string) string {
		return "  " + name + ":\n    path: a/$env\n    promote: " + promote + "\n"
	}
	for name, c := range map[string]struct {
		pipelines string
		want      string
		blocked   []string
	}{
		"different values of one file": {one("x", "{values: a.b, in: values.yaml}") + one("y", "{values: [a.c, b.b], in: values.yaml}"), "", nil},
		"the same value": {
			one("x", "{values: [z, a.b], in: values.yaml}") + one("y", "{values: a.b, in: values.yaml}"),
			"11:14 x in dev and y in dev both move a.b in a/dev/values.yaml\n      let one of them have it: use except, narrower globs, or other values\n" +
				"11:14 x in prod and y in prod both move a.b in a/prod/values.yaml\n      let one of them have it: use except, narrower globs, or other values\n",
			[]string{"x/dev", "x/prod", "y/dev", "y/prod"},
		},
		"a wildcard meets a value": {
			one("x", "{values: \"**.tag\", in: values.yaml}") + one("y", "{values: web.*.tag, in: values.yaml}"),
			"11:14 x in dev and y in dev both move web.*.tag in a/dev/values.yaml\n      let one of them have it: use except, narrower globs, or other values\n" +
				"11:14 x in prod and y in prod both move web.*.tag in a/prod/values.yaml\n      let one of them have it: use except, narrower globs, or other values\n",
			[]string{"x/dev", "x/prod", "y/dev", "y/prod"},
		},
		"wildcards that do not meet": {one("x", "{values: \"**.tag\", in: values.yaml}") + one("y", "{values: [web.*.digest, app-*.image], in: values.yaml}"), "", nil},
		"different images":           {one("x", "{images: acme/web}") + one("y", "{images: [acme/db-*, other/*]}"), "", nil},
		"the same image": {
			one("x", "{images: acme/*-api}") + one("y", "{images: acme/web-*}"),
			"11:14 x in dev and y in dev both move image acme/web-* in a/dev/kustomization.yaml\n      let one of them have it: use except, narrower globs, or other values\n" +
				"11:14 x in prod and y in prod both move image acme/web-* in a/prod/kustomization.yaml\n      let one of them have it: use except, narrower globs, or other values\n",
			[]string{"x/dev", "x/prod", "y/dev", "y/prod"},
		},
		"an image as a value": {
			one("x", "[{images: acme/web}, {values: images.web.newTag, in: kustomization.yaml}]"),
			"8:35 x in dev and x in dev both move images.web.newTag in a/dev/kustomization.yaml\n      let one of them have it: use except, narrower globs, or other values\n" +
				"8:35 x in prod and x in prod both move images.web.newTag in a/prod/kustomization.yaml\n      let one of them have it: use except, narrower globs, or other values\n",
			[]string{"x/dev", "x/prod"},
		},
		"a file copied and a value in it": {
			one("x", "[{files: \"**\", except: kustomization.yaml}, {images: \"*\"}]") + one("y", "{match: \"v=(.*)\", in: x.tf}"),
			"11:14 x in dev and y in dev both move a/dev/x.tf\n      let one of them have it: use except, narrower globs, or other values\n" +
				"11:14 x in prod and y in prod both move a/prod/x.tf\n      let one of them have it: use except, narrower globs, or other values\n",
			[]string{"x/dev", "x/prod", "y/dev", "y/prod"},
		},
		"a file that is only upstream so far": {
			one("x", "{files: config/new.*}") + "  y:\n    path: {dev: dev, prod: a/prod}\n    promote: {files: config/new.json}\n",
			"", nil,
		},
		"a new file that would travel to where another copies": {
			one("x", "{files: config/*.json}") + "  y:\n    path: {dev: b, prod: a/prod}\n    promote: {files: config/app.json}\n",
			"11:14 x in prod and y in prod both move a/prod/config/app.json\n      let one of them have it: use except, narrower globs, or other values\n",
			[]string{"x/prod", "y/dev", "y/prod"},
		},
		"the same expression": {
			one("x", "{match: \"v=(.*)\", in: x.tf}") + one("y", "[{match: \"v=(.*)\", in: x.tf}, {match: \"w=(.*)\", in: x.tf}]"),
			"11:15 x in dev and y in dev both move what v=(.*) matches in a/dev/x.tf\n      let one of them have it: use except, narrower globs, or other values\n" +
				"11:15 x in prod and y in prod both move what v=(.*) matches in a/prod/x.tf\n      let one of them have it: use except, narrower globs, or other values\n",
			[]string{"x/dev", "x/prod", "y/dev", "y/prod"},
		},
		"one environment in another's folder": {
			"  x:\n    path: {dev: a, prod: a/prod}\n    promote: {files: \"**/values.yaml\"}\n",
			"8:14 x in dev and x in prod both move a/prod/values.yaml\n      let one of them have it: use except, narrower globs, or other values\n",
			[]string{"x/dev", "x/prod"},
		},
		"the pipeline file itself": {
			"  x:\n    path: {dev: ., prod: a/prod}\n    promote: {files: \"*/promobot.yml\"}\n",
			"8:14 x in dev would move the pipeline file itself\n      add except: .github/promobot.yml\n",
			[]string{"x/dev"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			slices.Sort(paths)
			pipelines, problems := parse(t, head+c.pipelines).Resolve(config.Tree{Paths: paths})
			var blocked []string
			for _, p := range pipelines {
				for _, e := range p.Environments {
					if e.Blocked != "" {
						blocked = append(blocked, p.Key+"/"+e.Name)
					}
				}
			}
			if diff := cmp.Diff(c.want, describe(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.blocked, blocked); diff != "" {
				t.Errorf("blocked (-want +got):\n%s", diff)
			}
		})
	}
}
