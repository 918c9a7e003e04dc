package content_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion/content"
)

// drawTree draws an environment's folder: texts, YAML with values and kept
// values, a kustomization, a link, modes.
func drawTree(t *rapid.T, dir, env string) tree {
	out := tree{}
	number := rapid.IntRange(0, 3)
	maybe := func(what string) bool { return rapid.IntRange(0, 4).Draw(t, what) > 0 }
	digit := func(what string) string { return string(rune('0' + number.Draw(t, what))) }
	for _, f := range []string{"conf/a.txt", "conf/b.txt", "conf/sub/c.txt", "conf/x"} {
		if maybe(f) {
			p := dir + "/" + f
			if number.Draw(t, "mode") == 0 {
				p = "100755 " + p
			}
			out[p] = "1\nA" + digit("A") + "\n2\n3\nB" + digit("B") + "\n4\n5\nC" + digit("C") + "\n"
		}
	}
	if maybe("folder") && out[dir+"/conf/x"] == "" && out["100755 "+dir+"/conf/x"] == "" {
		out[dir+"/conf/x/y.txt"] = digit("y")
	}
	if maybe("kept") {
		out[dir+"/conf/k.yaml"] = "# " + digit("comment") + "\nhost: " + env + digit("host") + "\nweb:\n  host: '" + env + "'\n  size: " + digit("size") + "\n"
	}
	if maybe("values") {
		quote := rapid.SampledFrom([]string{"", "'", `"`}).Draw(t, "quote")
		tag := ""
		if maybe("tag") {
			tag = "  tag: " + quote + "1." + digit("minor") + ".0" + quote + " # t\n"
		}
		out[dir+"/values-"+env+".yaml"] = "env: " + env + "\nimage:\n  name: x\n" + tag + "other: " + digit("other") + "\n"
	}
	if maybe("kustomization") {
		s := "namespace: " + env + "\nimages:\n"
		for _, name := range []string{"app", "web"} {
			if maybe(name) {
				s += "- name: " + name + "\n  newName: " + env + "/" + name + "\n"
				if maybe("has tag") {
					s += "  newTag: v1." + digit("tag") + ".0\n"
				} else {
					s += "  digest: sha256:" + digit("digest") + "\n"
				}
			}
		}
		out[dir+"/kustomization.yaml"] = s + "own: " + digit("own") + "\n"
	}
	if maybe("own") {
		out[dir+"/own.txt"] = digit("own file")
	}
	return out
}

func drawInput(t *rapid.T) content.Input {
	items := func(env string) []content.Item {
		return []content.Item{
			{Kind: content.Files, Patterns: []string{"conf/**"}, Except: []string{"**/b.txt"}, Keep: []string{"**.host"}},
			{Kind: content.Values, In: "values-" + env + ".yaml", Patterns: []string{"image.tag"}, Create: rapid.Bool().Draw(t, "create")},
			{Kind: content.Images, Patterns: []string{"*"}},
		}
	}
	blobs := content.Blobs{}
	side := func(dir, env, label string) content.Side {
		return content.Side{Place: content.Place{Dir: dir, Items: items(env), Never: content.DefaultNever()}, Files: listing(drawTree(t, dir, env), blobs)}
	}
	in := content.Input{
		Source: "qa", Target: "prod", Blobs: blobs,
		Upstream: side("envs/qa", "qa", "now"), UpstreamThen: side("envs/qa", "qa", "then"),
		TargetNow: side("envs/prod", "prod", "now"), UpstreamBaseline: side("envs/qa", "qa", "baseline"), TargetBaseline: side("envs/prod", "prod", "baseline"),
	}
	in.Reconcile = rapid.IntRange(0, 4).Draw(t, "reconcile") == 0
	if rapid.Bool().Draw(t, "first") {
		in.UpstreamBaseline = in.UpstreamThen
	}
	if rapid.Bool().Draw(t, "untouched") {
		in.TargetNow = in.TargetBaseline
	}
	return in
}

func applied(t *rapid.T, in content.Input, r content.Result) (content.Input, content.Blobs) {
	files, blobs, err := content.Apply(in.TargetNow.Files, in.Blobs, r.Edits)
	if err != nil {
		t.Fatal(err)
	}
	in.TargetNow.Files, in.Blobs = files, blobs
	return in, blobs
}

var ownLines = regexp.MustCompile(`(?m)^(\s*host:.*|namespace:.*|\s*newName:.*|own:.*|env:.*|other:.*)$`)

func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		r, err := content.Compute(needed(in))
		if err != nil {
			t.Fatal(err)
		}
		next, blobs := applied(t, in, r)

		// Only the target, sorted, and nothing that stands already.
		for i, e := range r.Edits {
			if !in.TargetNow.Place.Owns(e.Path) || !strings.HasPrefix(e.Path, "envs/prod/") {
				t.Fatalf("edit of %s", e.Path)
			}
			if i > 0 && r.Edits[i-1].Path >= e.Path {
				t.Fatalf("edits are not sorted: %v", r.Edits)
			}
			before, was := in.TargetNow.Files[e.Path]
			if now, is := next.TargetNow.Files[e.Path]; was == is && before == now {
				t.Fatalf("edit of %s changes nothing", e.Path)
			}
			// What is the target's own stays, where the file stays.
			if was && !e.Delete && strings.HasSuffix(e.Path, ".yaml") {
				a := ownLines.FindAllString(string(in.Blobs[before.Blob]), -1)
				b := ownLines.FindAllString(string(blobs[next.TargetNow.Files[e.Path].Blob]), -1)
				if !slices.Equal(a, b) {
					t.Fatalf("%s had %q and has %q", e.Path, a, b)
				}
			}
		}
		if (len(r.Edits) == 0) != (len(r.Changes) == 0) {
			t.Fatalf("%d edits, %d changes", len(r.Edits), len(r.Changes))
		}

		// The digest promised is the digest that comes.
		if d, err := content.Digest(next.TargetNow, blobs); err != nil || d != r.Expected {
			t.Fatalf("digest %s, expected %s (%v)", d, r.Expected, err)
		}

		// A merge whose outcome happens to be what stood at the baseline looks as
		// if nobody had ever touched it.
		for _, ch := range r.Changes {
			was, is := in.TargetBaseline.Files[ch.File], next.TargetNow.Files[ch.File]
			if (ch.Merged || ch.Overwrites) && ownLines.ReplaceAllString(string(blobs[was.Blob]), "") == ownLines.ReplaceAllString(string(blobs[is.Blob]), "") {
				return
			}
		}

		// A second time there is nothing left to do.
		again, err := content.Compute(next)
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Edits) > 0 {
			t.Fatalf("a second time: %+v", again.Changes)
		}
		// Nor after the landing, from the new position.
		next.UpstreamThen, next.Reconcile = next.Upstream, false
		if again, err = content.Compute(next); err != nil || len(again.Edits)+len(again.Changes)+len(again.Refused) > 0 {
			t.Fatalf("after the landing: %+v %+v %v", again.Changes, again.Refused, err)
		}
	})
}

func TestFailedReadsAreNeverDeletions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := needed(drawInput(t))
		whole, err := content.Compute(in)
		if err != nil {
			t.Fatal(err)
		}
		ids := slices.Sorted(maps.Keys(in.Blobs))
		if len(ids) == 0 {
			return
		}
		in.Blobs = maps.Clone(in.Blobs)
		delete(in.Blobs, rapid.SampledFrom(ids).Draw(t, "lost"))
		less, err := content.Compute(in)
		if err == nil && (less.Expected != whole.Expected || len(less.Changes) != len(whole.Changes)) {
			t.Fatalf("with a blob lost:\n%+v\nand with all:\n%+v", less, whole)
		}
	})
}

// Two environments that promote the same have the same digest, wherever they
// lie and whatever is their own.
func TestDigestKnowsOnlyTheContent(t *testing.T) {
	blobs := content.Blobs{}
	side := func(dir string, never []string, t tree) content.Side {
		return content.Side{Place: content.Place{Dir: dir, Never: never, Items: []content.Item{
			{Kind: content.Files, Patterns: []string{"conf/**", dir + ".txt"}, Keep: []string{"host"}},
			{Kind: content.Values, In: dir + ".yaml", Patterns: []string{"tag"}},
			{Kind: content.Images, Patterns: []string{"app"}},
		}}, Files: listing(t, blobs)}
	}
	base := func(dir, host, quote, tag, mode string) tree {
		return tree{
			mode + " " + dir + "/conf/run": "x", dir + "/conf/h.yaml": "host: " + host + "\na: 1\n", dir + "/" + dir + ".txt": "t",
			dir + "/" + dir + ".yaml": "# " + dir + "\ntag: " + quote + tag + quote + "\n", dir + "/kustomization.yaml": "namespace: " + dir + "\nimages: [{name: app, newTag: '1'}]\n",
		}
	}
	digest := func(s content.Side) string {
		few := content.Blobs{}
		for _, id := range content.DigestNeeds(s) {
			few[id] = blobs[id]
		}
		d, err := content.Digest(s, few)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := digest(side("qa", nil, base("qa", "qa.x", "", "1.0.0", "100644")))
	tests := map[string]struct {
		side content.Side
		same bool
	}{
		"elsewhere, with its own values and quotes": {side("prod", nil, base("prod", "'prod.x'", `"`, "1.0.0", "100644")), true},
		"another value":      {side("prod", nil, base("prod", "x", "", "1.0.1", "100644")), false},
		"another mode":       {side("prod", nil, base("prod", "x", "", "1.0.0", "100755")), false},
		"one file less":      {side("prod", nil, func() tree { b := base("prod", "x", "", "1.0.0", "100644"); delete(b, "prod/prod.txt"); return b }()), false},
		"nothing":            {side("prod", nil, tree{}), false},
		"outside the place":  {side("prod", nil, func() tree { b := base("prod", "x", "", "1.0.0", "100644"); b["other/x"] = "y"; return b }()), true},
		"a file never moves": {side("prod", []string{"**/secrets*"}, func() tree { b := base("prod", "x", "", "1.0.0", "100644"); b["prod/conf/secrets.env"] = "y"; return b }()), true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := digest(tc.side); (got == want) != tc.same {
				t.Errorf("same is %v, want %v", got == want, tc.same)
			}
		})
	}
}
