package gitrepo_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
)

// TestPathsFollowChanges lists one commit after the other, each a few edits away
// from the one before, and compares with a listing of the whole tree.
func TestPathsFollowChanges(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	at := sc.origin.commit("base", map[string]string{"a": "1", "b/c": "1", "b/d/e": "1", "f/g/h/i": "1", "z": "1"})
	sc.origin.push()
	sc.fetch()
	remove := func(path string) content.Edit { return content.Edit{Path: path, Delete: true} }
	steps := [][]content.Edit{
		{},
		{write("a", "2")},
		{write("b/d/new", "1"), write("A", "1")},
		{remove("b/d/e"), remove("b/d/new")},
		{remove("a"), write("a/x", "1"), write("a/y/z", "1")},    // a file becomes a folder
		{remove("a/x"), remove("a/y/z"), write("a", "again")},    // and a file again
		{remove("f/g/h/i"), write("f", "1")},                     // a deep one becomes a file
		{remove("z"), write("b.", "1"), write("b0/d/e", "same")}, // names around a folder's
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		step := map[string]content.Edit{}
		for range 1 + random.IntN(4) {
			path := fmt.Sprintf("r%d/s%d/t%d", random.IntN(3), random.IntN(3), random.IntN(3))
			step[path] = write(path, fmt.Sprint(random.IntN(9)))
			if random.IntN(2) == 0 {
				step[path] = remove(path)
			}
		}
		steps = append(steps, slices.Collect(maps.Values(step)))
	}
	var before []string
	for i, edits := range steps {
		ids, err := sc.repo.Commit(t.Context(), []promotion.NewCommit{{Base: at, Parents: []string{at}, Edits: edits, Author: bot, Time: noon, Message: fmt.Sprint(i)}})
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		at = ids[0]
		listing, err := sc.repo.List(t.Context(), at, []string{""})
		if err != nil {
			t.Fatal(err)
		}
		got, err := sc.repo.Paths(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(listing)), got); diff != "" {
			t.Fatalf("step %d: paths (-want +got):\n%s", i, diff)
		}
		if i == 1 && &before[0] != &got[0] {
			t.Error("no file came or went, and the listing was made anew")
		}
		before = got
	}
}
