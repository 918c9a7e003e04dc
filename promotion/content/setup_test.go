package content_test

// What the tests of this package build promotions from.

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/promobot/promobot/promotion/content"
)

// tree is a repository's files as path → text; "mode path" keys give a mode.
type tree map[string]string

func blobID(data string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data))
	return hex.EncodeToString(sum[:])
}

func listing(t tree, blobs content.Blobs) content.Listing {
	out := content.Listing{}
	for p, data := range t {
		mode := "100644"
		if m, rest, ok := strings.Cut(p, " "); ok && len(m) == 6 {
			mode, p = m, rest
		}
		id := blobID(data)
		blobs[id] = []byte(data)
		out[p] = content.File{Mode: mode, Blob: id}
	}
	return out
}

// setup is a promotion from qa to prod with trees for its sides: upstream then
// (at the baseline too) and now, the target at the baseline and now.
type setup struct {
	u0, u, t0, t tree // nil t means t0
	items        []content.Item
	never        []string
	reconcile    bool
}

func (s setup) input() content.Input {
	blobs := content.Blobs{}
	if s.t == nil {
		s.t = s.t0
	}
	mk := func(dir string, t tree) content.Side {
		return content.Side{Place: content.Place{Dir: dir, Items: s.items, Never: s.never}, Files: listing(t, blobs)}
	}
	in := content.Input{
		Source: "qa", Target: "prod", Blobs: blobs, Reconcile: s.reconcile,
		Upstream: mk("envs/qa", s.u), UpstreamThen: mk("envs/qa", s.u0),
		TargetNow: mk("envs/prod", s.t), TargetBaseline: mk("envs/prod", s.t0),
	}
	in.UpstreamBaseline = in.UpstreamThen
	return in
}

// needed keeps only the blobs that Needs asks for.
func needed(in content.Input) content.Input {
	few := content.Blobs{}
	for _, id := range content.Needs(in) {
		if b, ok := in.Blobs[id]; ok {
			few[id] = b
		}
	}
	in.Blobs = few
	return in
}

func after(t *testing.T, in content.Input, r content.Result) map[string]string {
	t.Helper()
	files, blobs, err := content.Apply(in.TargetNow.Files, in.Blobs, r.Edits)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for p, f := range files {
		if f.Mode != "100644" {
			p = f.Mode + " " + p
		}
		out[p] = string(blobs[f.Blob])
	}
	return out
}

func compute(t *testing.T, in content.Input) content.Result {
	t.Helper()
	r, err := content.Compute(needed(in))
	if err != nil {
		t.Fatal(err)
	}
	digest := in.TargetNow
	var blobs content.Blobs
	if digest.Files, blobs, err = content.Apply(in.TargetNow.Files, in.Blobs, r.Edits); err != nil {
		t.Fatal(err)
	}
	want, err := content.Digest(digest, blobs)
	if err != nil {
		t.Fatal(err)
	}
	if r.Expected != want {
		t.Errorf("Expected is %s, the digest after the edits %s", r.Expected, want)
	}
	return r
}

func files(patterns ...string) content.Item {
	return content.Item{Kind: content.Files, Patterns: patterns}
}

func values(in string, patterns ...string) content.Item {
	return content.Item{Kind: content.Values, In: in, Patterns: patterns}
}

func images(patterns ...string) content.Item {
	return content.Item{Kind: content.Images, Patterns: patterns}
}

func with(it content.Item, change func(*content.Item)) content.Item {
	change(&it)
	return it
}

const lines = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"

func repl(s, old, new string) string { return strings.Replace(s, old, new, 1) }
