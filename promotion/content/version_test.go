package content_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/content"
)

func TestWithVersion(t *testing.T) {
	images := []content.Item{{Kind: content.Images, Patterns: []string{"ghcr.io/acme/*"}}}
	for name, c := range map[string]struct {
		items         []content.Item
		file, before  string
		version, want string
		refused       []string
	}{
		"an image's tag": {
			images, "kustomization.yaml", "images:\n- name: ghcr.io/acme/app\n  newTag: \"1.9\" # kept\n- name: other\n  newTag: 3\n", "1.10",
			"images:\n- name: ghcr.io/acme/app\n  newTag: \"1.10\" # kept\n- name: other\n  newTag: 3\n", nil,
		},
		"a digest that would keep the old image goes": {
			images, "kustomization.yaml", "images:\n- name: ghcr.io/acme/app\n  newTag: 1.0.0\n  digest: sha256:aa\n", "1.1.0",
			"images:\n- name: ghcr.io/acme/app\n  newTag: 1.1.0\n", nil,
		},
		"a digest comes with the version": {
			images, "kustomization.yaml", "images:\n- name: ghcr.io/acme/app\n  newTag: 1.0.0\n", "1.1.0@sha256:bb",
			"images:\n- name: ghcr.io/acme/app\n  newTag: 1.1.0\n  digest: sha256:bb\n", nil,
		},
		"a value": {
			[]content.Item{{Kind: content.Values, Patterns: []string{"spec.chart.spec.version"}, In: "podinfo.yaml"}},
			"podinfo.yaml", "spec:\n  chart:\n    spec:\n      version: 6.0.0\n", "6.1.0",
			"spec:\n  chart:\n    spec:\n      version: 6.1.0\n", nil,
		},
		"a value that would read as a number is quoted": {
			[]content.Item{{Kind: content.Values, Patterns: []string{"tag"}, In: "v.yaml"}},
			"v.yaml", "tag: a\n", "1.10", "tag: \"1.10\"\n", nil,
		},
		"an absent value is refused": {
			[]content.Item{{Kind: content.Values, Patterns: []string{"image.tag"}, In: "v.yaml"}},
			"v.yaml", "image:\n  name: a\n", "1.0.0", "image:\n  name: a\n",
			[]string{"image.tag: it is absent"},
		},
		"an absent value is created": {
			[]content.Item{{Kind: content.Values, Patterns: []string{"image.tag"}, In: "v.yaml", Create: true}},
			"v.yaml", "image:\n  name: a\n", "1.0.0", "image:\n  name: a\n  tag: 1.0.0\n", nil,
		},
		"a match": {
			[]content.Item{{Kind: content.Match, Patterns: []string{`ref=v([0-9.]+)`}, In: "main.tf"}},
			"main.tf", "source = \"x?ref=v1.0.0\"\n", "1.2.0", "source = \"x?ref=v1.2.0\"\n", nil,
		},
		"a match without a hit": {
			[]content.Item{{Kind: content.Match, Patterns: []string{`ref=v([0-9.]+)`}, In: "main.tf"}},
			"main.tf", "nothing\n", "1.2.0", "nothing\n",
			[]string{"ref=v([0-9.]+): the pattern has no hit"},
		},
		"an absent file": {
			[]content.Item{{Kind: content.Values, Patterns: []string{"image.tag"}, In: "w.yaml"}},
			"v.yaml", "a: 1\n", "1.0.0", "a: 1\n",
			[]string{": the file is absent"},
		},
		"the same version": {images, "kustomization.yaml", "images:\n- name: ghcr.io/acme/app\n  newTag: 1.0.0\n", "1.0.0", "images:\n- name: ghcr.io/acme/app\n  newTag: 1.0.0\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			before := content.Side{
				Place: content.Place{Dir: "envs/dev", Items: c.items},
				Files: content.Listing{"envs/dev/" + c.file: {Mode: "100644", Blob: "b0"}},
			}
			after, blobs, refused, err := content.WithVersion(before, content.Blobs{"b0": []byte(c.before)}, c.version)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, string(blobs[after.Files["envs/dev/"+c.file].Blob])); d != "" {
				t.Error(d)
			}
			var got []string
			for _, r := range refused {
				got = append(got, r.Value+": "+r.Reason)
			}
			if d := cmp.Diff(c.refused, got); d != "" {
				t.Error(d)
			}
			if before.Files["envs/dev/"+c.file].Blob != "b0" {
				t.Error("what was given has changed")
			}
		})
	}
}
