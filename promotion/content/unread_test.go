package content_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion/content"
)

// TestUnreadIsTheSame: files taken over by their ids come out as files that were
// read, and nothing but what is asked for is needed.
func TestUnreadIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		read, err := content.Compute(in)
		if err != nil {
			t.Skip("it cannot be read")
		}
		in.Unread = true
		all := in.Blobs
		in.Blobs = content.Blobs{}
		for _, id := range content.Needs(in) {
			in.Blobs[id] = all[id]
		}
		unread, err := content.Compute(in)
		if err != nil {
			t.Fatalf("with what it needs: %v", err)
		}
		if read.Expected != unread.Expected {
			t.Fatalf("another content\nread:   %+v\nunread: %+v", read.Edits, unread.Edits)
		}
		one, _, err := content.Apply(in.TargetNow.Files, all, read.Edits)
		if err != nil {
			t.Fatal(err)
		}
		two, _, err := content.Apply(in.TargetNow.Files, all, unread.Edits)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(one, two); d != "" {
			t.Fatalf("another tree: %s", d)
		}
		if len(read.Refused) != len(unread.Refused) {
			t.Fatalf("refused %+v\nand %+v", read.Refused, unread.Refused)
		}
	})
}

// TestUnreadNeedsNoBlob: a folder of files that are no manifests needs no blob.
func TestUnreadNeedsNoBlob(t *testing.T) {
	items := []content.Item{{Kind: content.Files, Patterns: []string{"**"}}}
	side := func(env, a, b string) content.Side {
		files := content.Listing{"envs/" + env + "/a.properties": {Mode: "100644", Blob: a}}
		if b != "" {
			files["envs/"+env+"/b.properties"] = content.File{Mode: "100644", Blob: b}
		}
		return content.Side{Place: content.Place{Dir: "envs/" + env, Items: items, Never: content.DefaultNever()}, Files: files}
	}
	in := content.Input{
		Source: "qa", Target: "prod", Unread: true, Blobs: content.Blobs{},
		Upstream: side("qa", "a2", "b1"), UpstreamThen: side("qa", "a1", ""), UpstreamBaseline: side("qa", "a1", ""),
		TargetNow: side("prod", "a1", ""), TargetBaseline: side("prod", "a1", ""),
	}
	if n := content.Needs(in); len(n) != 0 {
		t.Errorf("needs %v", n)
	}
	res, err := content.Compute(in)
	if err != nil {
		t.Fatal(err)
	}
	want := []content.Edit{{Path: "envs/prod/a.properties", Mode: "100644", Blob: "a2"}, {Path: "envs/prod/b.properties", Mode: "100644", Blob: "b1"}}
	if d := cmp.Diff(want, res.Edits); d != "" {
		t.Error(d)
	}
	in.TargetNow = side("prod", "a9", "")
	if n := content.Needs(in); len(n) == 0 {
		t.Error("a file that someone changed in the target is read")
	}
}
