package content_test

import (
	"errors"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/promobot/promobot/promotion/content"
)

func TestCompute(t *testing.T) {
	kustom := func(env, tag, rest string) string {
		return "# " + env + "\nnamespace: x-" + env + "\nimages:\n- name: ghcr.io/acme/app\n  newName: mirror." + env + "/app\n  newTag: " + tag + " # keep me\n" + rest
	}
	tests := map[string]struct {
		setup
		want    tree // the target after, nil for unchanged
		changes []content.Change
		refused []string // "file value"
		kinds   []content.Kind
		title   string
	}{
		"unchanged upstream leaves the target's own differences": {
			setup: setup{
				items: []content.Item{files("**")},
				u0:    tree{"envs/qa/a": "1\n"}, u: tree{"envs/qa/a": "1\n"}, t0: tree{"envs/prod/a": "2\n", "envs/prod/own": "x"},
			},
		},
		"changed upstream becomes the target's": {
			setup: setup{
				items: []content.Item{files("**")},
				u0:    tree{"envs/qa/a": "image: app:1.0\n", "envs/qa/b": "b"}, u: tree{"envs/qa/a": "image: app:1.1\n", "envs/qa/b": "b"},
				t0: tree{"envs/prod/a": "image: app:1.0\n", "envs/prod/b": "own"},
			},
			want:    tree{"envs/prod/a": "image: app:1.1\n", "envs/prod/b": "own"},
			changes: []content.Change{{File: "envs/prod/a", Now: "image: app:1.0", After: "image: app:1.1"}},
			title:   "1.0 → 1.1",
		},
		"both changed the same: nothing to do": {
			setup: setup{
				items: []content.Item{files("a")},
				u0:    tree{"envs/qa/a": "1\n"}, u: tree{"envs/qa/a": "2\n"}, t0: tree{"envs/prod/a": "1\n"}, t: tree{"envs/prod/a": "2\n"},
			},
		},
		"disjoint lines are merged": {
			setup: setup{
				items: []content.Item{files("a")},
				u0:    tree{"envs/qa/a": lines}, u: tree{"envs/qa/a": repl(lines, "two", "TWO")},
				t0: tree{"envs/prod/a": lines}, t: tree{"envs/prod/a": repl(lines, "six", "SIX")},
			},
			want:    tree{"envs/prod/a": repl(repl(lines, "two", "TWO"), "six", "SIX")},
			changes: []content.Change{{File: "envs/prod/a", Now: "two", After: "TWO", Merged: true}},
		},
		"the same lines take upstream's and are drift": {
			setup: setup{
				items: []content.Item{files("a")},
				u0:    tree{"envs/qa/a": lines}, u: tree{"envs/qa/a": repl(lines, "two", "TWO")},
				t0: tree{"envs/prod/a": lines}, t: tree{"envs/prod/a": repl(repl(lines, "two", "mine"), "six", "SIX")},
			},
			want:    tree{"envs/prod/a": repl(repl(lines, "two", "TWO"), "six", "SIX")},
			changes: []content.Change{{File: "envs/prod/a", Now: "mine", After: "TWO", Overwrites: true, Kinds: []content.Kind{content.Drift}}},
			kinds:   []content.Kind{content.Drift},
		},
		"gone upstream is deleted, and drift where it was changed": {
			setup: setup{
				items: []content.Item{files("**")},
				u0:    tree{"envs/qa/a": "1\n", "envs/qa/b": "1\n"}, u: tree{},
				t0: tree{"envs/prod/a": "1\n", "envs/prod/b": "1\n", "envs/prod/own": "o"}, t: tree{"envs/prod/a": "1\n", "envs/prod/b": "2\n", "envs/prod/own": "o"},
			},
			want: tree{"envs/prod/own": "o"},
			changes: []content.Change{
				{File: "envs/prod/a", Now: "1 line", Kinds: []content.Kind{content.Delete}},
				{File: "envs/prod/b", Now: "1 line", Overwrites: true, Kinds: []content.Kind{content.Delete, content.Drift}},
			},
			kinds: []content.Kind{content.Delete, content.Drift},
		},
		"new upstream is created, and a leak where it names the source": {
			setup: setup{
				items: []content.Item{files("**")},
				u0:    tree{}, u: tree{"100755 envs/qa/run": "curl db-qa.example.com\n"}, t0: tree{"envs/prod/own": "o"},
			},
			want:    tree{"envs/prod/own": "o", "100755 envs/prod/run": "curl db-qa.example.com\n"},
			changes: []content.Change{{File: "envs/prod/run", After: "1 line", Kinds: []content.Kind{content.Create, content.Leak}}},
			kinds:   []content.Kind{content.Create, content.Leak},
		},
		"removed in the target and changed upstream comes back as drift": {
			setup: setup{
				items: []content.Item{files("a")},
				u0:    tree{"envs/qa/a": "1\n"}, u: tree{"envs/qa/a": "2\n"}, t0: tree{"envs/prod/a": "1\n"}, t: tree{"envs/prod/own": "o"},
			},
			want:    tree{"envs/prod/a": "2\n", "envs/prod/own": "o"},
			changes: []content.Change{{File: "envs/prod/a", After: "1 line", Overwrites: true, Kinds: []content.Kind{content.Create, content.Drift}}},
			kinds:   []content.Kind{content.Create, content.Drift},
		},
		"differed at the baseline and changes now: drift": {
			setup: setup{
				items: []content.Item{files("**")},
				u0:    tree{"envs/qa/a": "1\n", "envs/qa/b": "1\n"}, u: tree{"envs/qa/a": "2\n", "envs/qa/b": "2\n"}, t0: tree{"envs/prod/a": "0\n", "envs/prod/b": "1\n"},
			},
			want: tree{"envs/prod/a": "2\n", "envs/prod/b": "2\n"},
			changes: []content.Change{
				{File: "envs/prod/a", Now: "0", After: "2", Kinds: []content.Kind{content.Drift}},
				{File: "envs/prod/b", Now: "1", After: "2"},
			},
			kinds: []content.Kind{content.Drift},
		},
		"reconcile takes every difference and deletes nothing": {
			setup: setup{
				items: []content.Item{files("**")}, reconcile: true,
				u0: tree{}, u: tree{"envs/qa/a": "1\n", "envs/qa/c": "c\n"}, t0: tree{"envs/prod/a": "0\n", "envs/prod/b": "b\n"},
			},
			want: tree{"envs/prod/a": "1\n", "envs/prod/b": "b\n", "envs/prod/c": "c\n"},
			changes: []content.Change{
				{File: "envs/prod/a", Now: "0", After: "1", Kinds: []content.Kind{content.Drift}},
				{File: "envs/prod/c", After: "1 line", Kinds: []content.Kind{content.Create}},
			},
			kinds: []content.Kind{content.Create, content.Drift},
		},
		"keep leaves the target's value and takes the rest": {
			setup: setup{
				items: []content.Item{with(files("c.yaml"), func(i *content.Item) { i.Keep = []string{"**.hostname", "LOG_LEVEL"} })},
				u0:    tree{"envs/qa/c.yaml": "LOG_LEVEL: debug\nweb:\n  hostname: qa.x # h\n  size: 1\n"},
				u:     tree{"envs/qa/c.yaml": "LOG_LEVEL: trace\nweb:\n  size: 2\n  hostname: qa2.x # host\n"},
				t0:    tree{"envs/prod/c.yaml": "LOG_LEVEL: 'warn'\nweb:\n  hostname: \"prod.x\" # h\n  size: 1\n"},
			},
			want:    tree{"envs/prod/c.yaml": "LOG_LEVEL: 'warn'\nweb:\n  size: 2\n  hostname: \"prod.x\" # host\n"},
			changes: []content.Change{{File: "envs/prod/c.yaml", Now: "4 lines", After: "4 lines (2 changed)"}},
		},
		"keep in a file of KEY=value lines": {
			setup: setup{
				items: []content.Item{with(files("app.env"), func(i *content.Item) { i.Keep = []string{"LOG_LEVEL"} })},
				u0:    tree{"envs/qa/app.env": "A=1\nLOG_LEVEL=debug\n"}, u: tree{"envs/qa/app.env": "A=2\nLOG_LEVEL=trace\n"}, t0: tree{"envs/prod/app.env": "A=1\nLOG_LEVEL=warn"},
			},
			want:    tree{"envs/prod/app.env": "A=2\nLOG_LEVEL=warn\n"},
			changes: []content.Change{{File: "envs/prod/app.env", Now: "2 lines", After: "2 lines (2 changed)", Kinds: []content.Kind{content.Drift}}},
			kinds:   []content.Kind{content.Drift},
		},
		"merged around a kept value that the target changed": {
			setup: setup{
				items: []content.Item{with(files("c.yaml"), func(i *content.Item) { i.Keep = []string{"host"} })},
				u0:    tree{"envs/qa/c.yaml": "a: 1\nhost: qa\nb: 1\nx: 1\ny: 1\n"}, u: tree{"envs/qa/c.yaml": "a: 1\nhost: qa2\nb: 2\nx: 1\ny: 1\n"},
				t0: tree{"envs/prod/c.yaml": "a: 1\nhost: prod\nb: 1\nx: 1\ny: 1\n"}, t: tree{"envs/prod/c.yaml": "a: 1\nhost: prod2\nb: 1\nx: 1\ny: 9\n"},
			},
			want:    tree{"envs/prod/c.yaml": "a: 1\nhost: prod2\nb: 2\nx: 1\ny: 9\n"},
			changes: []content.Change{{File: "envs/prod/c.yaml", Now: "b: 1", After: "b: 2", Merged: true}},
		},
		"a merge that would not be readable is refused": {
			setup: setup{
				items: []content.Item{files("c.yaml")},
				u0:    tree{"envs/qa/c.yaml": "a: 1\nb: 1\nc: 1\n"}, u: tree{"envs/qa/c.yaml": "n: 1\na: 1\nb: 1\nc: 1\n"},
				t0: tree{"envs/prod/c.yaml": "a: 1\nb: 1\nc: 1\n"}, t: tree{"envs/prod/c.yaml": "a: 1\nb: 1\nc: 1\nn: 2\n"},
			},
			refused: []string{"envs/prod/c.yaml "},
		},
		"a template that never speaks of travels when those lines stay": {
			setup: setup{
				items: []content.Item{files("t/*")}, never: []string{"**.replicas"},
				u0: tree{"envs/qa/t/a.yaml": "{{ if x }}\nreplicas: 1\nx: 1\n", "envs/qa/t/b.yaml": "{{ if x }}\nreplicas: 1\n"},
				u:  tree{"envs/qa/t/a.yaml": "{{ if x }}\nreplicas: 1\nx: 2\n", "envs/qa/t/b.yaml": "{{ if x }}\nreplicas: 2\n"},
				t0: tree{"envs/prod/t/a.yaml": "{{ if x }}\nreplicas: 1\nx: 1\n", "envs/prod/t/b.yaml": "{{ if x }}\nreplicas: 1\n"},
			},
			want:    tree{"envs/prod/t/a.yaml": "{{ if x }}\nreplicas: 1\nx: 2\n", "envs/prod/t/b.yaml": "{{ if x }}\nreplicas: 1\n"},
			changes: []content.Change{{File: "envs/prod/t/a.yaml", Now: "x: 1", After: "x: 2"}},
			refused: []string{"envs/prod/t/b.yaml **.replicas"},
		},
		"a tag beside a digest may be a name": {
			setup: setup{
				items: []content.Item{images("app")},
				u0:    tree{"envs/qa/kustomization.yaml": "images: [{name: app, newTag: latest, digest: sha256:aa}]\n"}, u: tree{"envs/qa/kustomization.yaml": "images: [{name: app, newTag: latest, digest: sha256:bb}]\n"},
				t0: tree{"envs/prod/kustomization.yaml": "images: [{name: app, newTag: latest, digest: sha256:aa}]\n"},
			},
			want:    tree{"envs/prod/kustomization.yaml": "images: [{name: app, newTag: latest, digest: sha256:bb}]\n"},
			changes: []content.Change{{File: "envs/prod/kustomization.yaml", Value: "images.app.digest", Now: "sha256:aa", After: "sha256:bb"}},
		},
		"only a kept value changed: nothing to do": {
			setup: setup{
				items: []content.Item{with(files("c.yaml"), func(i *content.Item) { i.Keep = []string{"a"} })},
				u0:    tree{"envs/qa/c.yaml": "a: 1\nb: 1\n"}, u: tree{"envs/qa/c.yaml": "a: 2\nb: 1\n"}, t0: tree{"envs/prod/c.yaml": "a: 9\nb: 0\n"},
			},
		},
		"a kept value that is new upstream is shown in a row": {
			setup: setup{
				items: []content.Item{with(files("c.yaml"), func(i *content.Item) { i.Keep = []string{"host"} })},
				u0:    tree{"envs/qa/c.yaml": "b: 1\n"}, u: tree{"envs/qa/c.yaml": "b: 1\nhost: qa.x\n"}, t0: tree{"envs/prod/c.yaml": "b: 1\n"},
			},
			want: tree{"envs/prod/c.yaml": "b: 1\nhost: qa.x\n"},
			changes: []content.Change{
				{File: "envs/prod/c.yaml", Now: "1 line", After: "2 lines", Kinds: []content.Kind{content.Leak}},
				{File: "envs/prod/c.yaml", Value: "host", After: "qa.x", Kinds: []content.Kind{content.Create, content.Leak}},
			},
			kinds: []content.Kind{content.Create, content.Leak},
		},
		"never: a file stays and says so, a value stays inside a copied file": {
			setup: setup{
				items: []content.Item{files("**")}, never: append(content.DefaultNever(), "**.replicas"),
				u0: tree{"envs/qa/secrets.txt": "1", "envs/qa/kustomization.yaml": "namespace: qa\nx: 1\n", "envs/qa/s.yaml": "kind: SealedSecret\na: 1\n", "envs/qa/d.yaml": "replicas: 1\nx: 1\n"},
				u:  tree{"envs/qa/secrets.txt": "2", "envs/qa/kustomization.yaml": "namespace: qa9\nx: 2\n", "envs/qa/s.yaml": "kind: SealedSecret\na: 2\n", "envs/qa/d.yaml": "replicas: 2\nx: 1\n"},
				t0: tree{"envs/prod/secrets.txt": "1", "envs/prod/kustomization.yaml": "namespace: prod\nx: 1\n", "envs/prod/s.yaml": "kind: SealedSecret\na: 1\n", "envs/prod/d.yaml": "replicas: 9\nx: 1\n"},
			},
			want:    tree{"envs/prod/secrets.txt": "1", "envs/prod/kustomization.yaml": "namespace: prod\nx: 2\n", "envs/prod/s.yaml": "kind: SealedSecret\na: 1\n", "envs/prod/d.yaml": "replicas: 9\nx: 1\n"},
			changes: []content.Change{{File: "envs/prod/kustomization.yaml", Now: "x: 1", After: "x: 2"}},
			refused: []string{"envs/prod/s.yaml ", "envs/prod/secrets.txt "},
		},
		"links out of the place and submodules are refused, links inside travel": {
			setup: setup{
				items: []content.Item{files("**")},
				u0:    tree{}, u: tree{"120000 envs/qa/in": "sub/x", "120000 envs/qa/sub/up": "../in", "120000 envs/qa/out": "../prod/x", "120000 envs/qa/abs": "/etc/passwd", "160000 envs/qa/mod": "c"}, t0: tree{},
			},
			want: tree{"120000 envs/prod/in": "sub/x", "120000 envs/prod/sub/up": "../in"},
			changes: []content.Change{
				{File: "envs/prod/in", After: "link to sub/x", Kinds: []content.Kind{content.Create}},
				{File: "envs/prod/sub/up", After: "link to ../in", Kinds: []content.Kind{content.Create}},
			},
			refused: []string{"envs/prod/abs ", "envs/prod/mod ", "envs/prod/out "},
			kinds:   []content.Kind{content.Create},
		},
		"a mode travels alone": {
			setup: setup{
				items: []content.Item{files("**")},
				u0:    tree{"envs/qa/run": "x\n"}, u: tree{"100755 envs/qa/run": "x\n"}, t0: tree{"envs/prod/run": "own\n"},
			},
			want:    tree{"100755 envs/prod/run": "own\n"},
			changes: []content.Change{{File: "envs/prod/run", Now: "not executable", After: "executable", Kinds: []content.Kind{content.Drift}}},
			kinds:   []content.Kind{content.Drift},
		},
		"a file becomes a folder": {
			setup: setup{
				items: []content.Item{files("**")},
				u0:    tree{"envs/qa/a": "x\n"}, u: tree{"envs/qa/a/b": "y\n"}, t0: tree{"envs/prod/a": "x\n"},
			},
			want: tree{"envs/prod/a/b": "y\n"},
			changes: []content.Change{
				{File: "envs/prod/a", Now: "1 line", Kinds: []content.Kind{content.Delete}},
				{File: "envs/prod/a/b", After: "1 line", Kinds: []content.Kind{content.Create}},
			},
			kinds: []content.Kind{content.Create, content.Delete},
		},
		"a file where the target has a folder of its own is refused": {
			setup: setup{
				items: []content.Item{with(files("**"), func(i *content.Item) { i.Except = []string{"a/own"} })},
				u0:    tree{}, u: tree{"envs/qa/a": "y\n"}, t0: tree{"envs/prod/a/own": "x\n"},
			},
			refused: []string{"envs/prod/a "},
		},
		"binary files go as a whole": {
			setup: setup{
				items: []content.Item{files("**")},
				u0:    tree{"envs/qa/b": "\x00\x01"}, u: tree{"envs/qa/b": "\x00\x02\x03"}, t0: tree{"envs/prod/b": "\x00\x01"}, t: tree{"envs/prod/b": "\x00\x09"},
			},
			want:    tree{"envs/prod/b": "\x00\x02\x03"},
			changes: []content.Change{{File: "envs/prod/b", Now: "binary, 2 bytes", After: "binary, 3 bytes", Overwrites: true, Kinds: []content.Kind{content.Drift}}},
			kinds:   []content.Kind{content.Drift},
		},
		"an image's tag moves, its name and all else stay": {
			setup: setup{
				items: []content.Item{images("ghcr.io/acme/*")},
				u0:    tree{"envs/qa/kustomization.yaml": kustom("qa", "1.40.0", "")}, u: tree{"envs/qa/kustomization.yaml": kustom("qa", "1.42.0", "a: b\n")},
				t0: tree{"envs/prod/kustomization.yml": kustom("prod", "'1.39.0'", "z: 1")},
			},
			want:    tree{"envs/prod/kustomization.yml": kustom("prod", "'1.42.0'", "z: 1")},
			changes: []content.Change{{File: "envs/prod/kustomization.yml", Value: `images."ghcr.io/acme/app".newTag`, Now: "1.39.0", After: "1.42.0", Kinds: []content.Kind{content.Drift}}},
			kinds:   []content.Kind{content.Drift},
			title:   "1.39.0 → 1.42.0",
		},
		"a tag becomes a digest": {
			setup: setup{
				items: []content.Item{images("app")},
				u0:    tree{"envs/qa/kustomization.yaml": "images:\n- name: app\n  newTag: 1.0.0\n"}, u: tree{"envs/qa/kustomization.yaml": "images:\n- name: app\n  digest: sha256:ab\n"},
				t0: tree{"envs/prod/kustomization.yaml": "images:\n  - name: app\n    newTag: 1.0.0\n    newName: own\nx: 1\n"},
			},
			want: tree{"envs/prod/kustomization.yaml": "images:\n  - name: app\n    newName: own\n    digest: sha256:ab\nx: 1\n"},
			changes: []content.Change{
				{File: "envs/prod/kustomization.yaml", Value: "images.app.digest", After: "sha256:ab"},
				{File: "envs/prod/kustomization.yaml", Value: "images.app.newTag", Now: "1.0.0"},
			},
		},
		"an absent image is refused, or created where that is said": {
			setup: setup{
				items: []content.Item{images("a*"), with(images("b*"), func(i *content.Item) { i.Create = true })},
				u0:    tree{"envs/qa/kustomization.yaml": "images: []\n"}, u: tree{"envs/qa/kustomization.yaml": "images:\n- name: a\n  newTag: 1.0.0\n- name: b\n  newTag: 2.0.0\n"},
				t0: tree{"envs/prod/kustomization.yaml": "images:\n- name: x\n  newTag: '1'\n"},
			},
			want:    tree{"envs/prod/kustomization.yaml": "images:\n- name: x\n  newTag: '1'\n- name: b\n  newTag: 2.0.0\n"},
			changes: []content.Change{{File: "envs/prod/kustomization.yaml", Value: "images.b.newTag", After: "2.0.0", Kinds: []content.Kind{content.Create}}},
			refused: []string{"envs/prod/kustomization.yaml images.a.newTag"},
			kinds:   []content.Kind{content.Create},
		},
		"a value that someone changed in the target is overwritten and said": {
			setup: setup{
				items: []content.Item{values("v.yaml", "image.tag")},
				u0:    tree{"envs/qa/v.yaml": "image: {tag: 1.2.0}\n"}, u: tree{"envs/qa/v.yaml": "image: {tag: 1.1.0}\n"},
				t0: tree{"envs/prod/v.yaml": "image:\n  tag: 1.2.0\n"}, t: tree{"envs/prod/v.yaml": "image:\n  tag: 1.2.1\n"},
			},
			want:    tree{"envs/prod/v.yaml": "image:\n  tag: 1.1.0\n"},
			changes: []content.Change{{File: "envs/prod/v.yaml", Value: "image.tag", Now: "1.2.1", After: "1.1.0", Overwrites: true, Kinds: []content.Kind{content.Downgrade, content.Drift}}},
			kinds:   []content.Kind{content.Downgrade, content.Drift},
			title:   "1.2.1 → 1.1.0",
		},
		"moving names, ranges, removed and absent values are refused": {
			setup: setup{
				items: []content.Item{values("v.yaml", "a", "b", "c", "d", "e")},
				u0:    tree{"envs/qa/v.yaml": "a: '1'\nb: '1'\nc: '1'\nd: '1'\n"}, u: tree{"envs/qa/v.yaml": "a: latest\nb: '>=1.0.0-alpha'\nd: {x: 1}\ne: 1.0.0\n"},
				t0: tree{"envs/prod/v.yaml": "a: '1'\nb: '1'\nc: '1'\nd: '1'\n"},
			},
			refused: []string{"envs/prod/v.yaml a", "envs/prod/v.yaml b", "envs/prod/v.yaml c", "envs/prod/v.yaml d", "envs/prod/v.yaml e"},
		},
		"a match moves its group": {
			setup: setup{
				items: []content.Item{{Kind: content.Match, In: "main.tf", Patterns: []string{`ref=v([0-9.]+)"`}}},
				u0:    tree{"envs/qa/main.tf": "source = \"git::x?ref=v1.0.0\"\n"}, u: tree{"envs/qa/main.tf": "source = \"git::x?ref=v1.1.0\"\n"},
				t0: tree{"envs/prod/main.tf": "# prod\r\nsource = \"git::y?ref=v0.9.0\""},
			},
			want:    tree{"envs/prod/main.tf": "# prod\r\nsource = \"git::y?ref=v1.1.0\""},
			changes: []content.Change{{File: "envs/prod/main.tf", Value: `ref=v([0-9.]+)"`, Now: "0.9.0", After: "1.1.0", Kinds: []content.Kind{content.Drift}}},
			kinds:   []content.Kind{content.Drift},
			title:   "0.9.0 → 1.1.0",
		},
		"a match with two hits is refused": {
			setup: setup{
				items: []content.Item{{Kind: content.Match, In: "main.tf", Patterns: []string{`v([0-9.]+)`}}},
				u0:    tree{"envs/qa/main.tf": "v1.0.0\n"}, u: tree{"envs/qa/main.tf": "v1.1.0\n"}, t0: tree{"envs/prod/main.tf": "v1.0.0 v1.0.0"},
			},
			refused: []string{"envs/prod/main.tf v([0-9.]+)"},
		},
		"all of upstream gone deletes, nothing known of it before does not": {
			setup: setup{items: []content.Item{files("**")}, u0: tree{}, u: tree{}, t0: tree{"envs/prod/a": "1\n"}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			in := tc.input()
			r := compute(t, in)
			want := tc.want
			if want == nil {
				want = tc.t0
				if tc.t != nil {
					want = tc.t
				}
				if len(r.Edits) > 0 {
					t.Errorf("there are edits: %v", r.Edits)
				}
			}
			if d := cmp.Diff(map[string]string(want), after(t, in, r)); d != "" {
				t.Errorf("target (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tc.changes, r.Changes, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tc.kinds, r.Kinds); d != "" {
				t.Errorf("kinds (-want +got):\n%s", d)
			}
			var refused []string
			for _, x := range r.Refused {
				refused = append(refused, x.File+" "+x.Value)
				if x.Reason == "" || x.Remedy == "" {
					t.Errorf("refusal without reason or remedy: %+v", x)
				}
			}
			if d := cmp.Diff(tc.refused, refused); d != "" {
				t.Errorf("refused (-want +got):\n%s\n%+v", d, r.Refused)
			}
			if got := r.From + " → " + r.To; r.From != "" && got != tc.title || r.From == "" && tc.title != "" {
				t.Errorf("title versions %q, want %q", got, tc.title)
			}
			// Once more on what came out: nothing is left to do.
			again := in
			again.Blobs = maps.Clone(in.Blobs)
			var err error
			if again.TargetNow.Files, again.Blobs, err = content.Apply(in.TargetNow.Files, in.Blobs, r.Edits); err != nil {
				t.Fatal(err)
			}
			if r := compute(t, again); len(r.Edits) > 0 || len(r.Changes) > 0 {
				t.Errorf("a second time there is still %+v", r.Changes)
			}
		})
	}
}

func TestMissingBlobsAreErrors(t *testing.T) {
	s := setup{
		items: []content.Item{files("**"), values("v.yaml", "a")},
		u0:    tree{"envs/qa/a": "1\n", "envs/qa/v.yaml": "a: 1\n"}, u: tree{"envs/qa/a": "2\n", "envs/qa/v.yaml": "a: 2\n"},
		t0: tree{"envs/prod/a": "0\n", "envs/prod/v.yaml": "a: 0\n"}, t: tree{"envs/prod/a": "3\n", "envs/prod/v.yaml": "a: 3\n"},
	}
	in := s.input()
	for _, id := range content.Needs(in) {
		less := needed(in)
		delete(less.Blobs, id)
		var missing *content.MissingBlobError
		if _, err := content.Compute(less); errors.As(err, &missing) && missing.Blob == id {
			continue
		} else if err != nil {
			t.Errorf("without blob %s: %v", id, err)
		}
	}
	in.Blobs = nil
	if _, err := content.Compute(in); err == nil {
		t.Error("without any blob there is no error")
	}
	if _, err := content.Digest(in.TargetNow, nil); err == nil {
		t.Error("without any blob the digest has no error")
	}
}

func TestUnreadableFiles(t *testing.T) {
	s := setup{
		items: []content.Item{values("v.yaml", "a")},
		u0:    tree{"envs/qa/v.yaml": "a: 1\n"}, u: tree{"envs/qa/v.yaml": "b: 1\na: [\n"}, t0: tree{"envs/prod/v.yaml": "a: 0\n"},
	}
	_, err := content.Compute(s.input())
	var unreadable *content.FileError
	if !errors.As(err, &unreadable) || unreadable.Path != "envs/qa/v.yaml" || unreadable.Line == 0 {
		t.Errorf("error is %v", err)
	}
	// What was unreadable in the past cannot block the present for ever.
	s.u0, s.u = tree{"envs/qa/v.yaml": "a: [\n"}, tree{"envs/qa/v.yaml": "a: 2\n"}
	if r := compute(t, s.input()); len(r.Edits) != 1 {
		t.Errorf("edits are %v", r.Edits)
	}
}
