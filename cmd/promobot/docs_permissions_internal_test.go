package main

// The table of permissions in the guide is that of promotion/registration.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/registration"
)

// TestPermissionsInTheGuide: -update writes the table anew.
func TestPermissionsInTheGuide(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- permissions -->\n", "<!-- /permissions -->\n"
	file := filepath.Join("..", "..", "docs", "guides", "installing.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	there, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", file)
	}
	want := registration.Table()
	if *updateReferences {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		there = want
	}
	if diff := cmp.Diff(want, there); diff != "" {
		t.Errorf("%s says otherwise than the code (-code +guide):\n%s", file, diff)
	}
}
