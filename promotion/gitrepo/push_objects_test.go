package gitrepo_test

// What a push sends and asks: the new objects alone, in as few requests as can be.

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
)

// TestPushNegotiates asserts that a push whose base moved after the fetch sends
// the new objects alone, and asks for no blob.
func TestPushNegotiates(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	files := map[string]string{}
	for i := range 521 {
		files[fmt.Sprintf("services/s%03d/values.yaml", i)] = fmt.Sprintf("image: %d\n%s\n", i, strings.Repeat("x", 400))
	}
	base := sc.origin.commit("base", files)
	sc.origin.push()
	sc.fetch()
	mine := sc.newCommit(base, "mine", write("services/s001/values.yaml", "image: new\n"))
	sc.origin.commit("theirs", map[string]string{"services/s002/values.yaml": "image: theirs\n"})
	sc.origin.push()
	sc.server.reset()
	results := sc.push(false, promotion.RefUpdate{Ref: "refs/heads/promobot/one", New: mine})
	if results[0].Status != promotion.Pushed {
		t.Fatalf("got %+v", results[0])
	}
	if n := sc.seen.get("blobs"); n != 0 {
		t.Errorf("%d fetches of blobs", n)
	}
	sc.server.mu.Lock()
	defer sc.server.mu.Unlock()
	for _, body := range sc.server.bodies {
		if strings.HasPrefix(body, "POST git-upload-pack") && strings.Contains(body, "0032want") && !strings.Contains(body, "wait-for-done") {
			t.Errorf("the push fetched objects: %.200q", body)
		}
		at := strings.Index(body, "PACK\x00\x00\x00\x02")
		if !strings.HasPrefix(body, "POST git-receive-pack") || at < 0 {
			continue
		}
		// commit, three trees, one blob
		if n := int(body[at+10])<<8 | int(body[at+11]); n != 5 {
			t.Errorf("the push sent %d objects, want 5", n)
		}
		if len(body) > 20_000 {
			t.Errorf("the push sent %d bytes", len(body))
		}
		return
	}
	t.Error("no pack was pushed")
}

// TestPushToABranchNeedsNoNegotiation: a commit that goes to its base branch
// itself, together with a ledger's entry, takes two requests; and when the base
// moved after the fetch, nothing is packed or sent, and both are refused.
func TestPushToABranchNeedsNoNegotiation(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	files := map[string]string{}
	for i := range 521 {
		files[fmt.Sprintf("services/s%03d/values.yaml", i)] = fmt.Sprintf("image: %d\n%s\n", i, strings.Repeat("x", 400))
	}
	base := sc.origin.commit("base", files)
	sc.origin.push()
	sc.fetch()
	deliver := func(value string) []promotion.PushResult {
		mine := sc.newCommit(base, value, write("services/s001/values.yaml", "image: "+value+"\n"))
		sc.server.reset()
		return sc.push(true,
			promotion.RefUpdate{Ref: "refs/heads/main", Old: base, New: mine},
			promotion.RefUpdate{Ref: "refs/promobot/app/" + value, New: mine})
	}
	posts := func() (all []string) {
		sc.server.mu.Lock()
		defer sc.server.mu.Unlock()
		for _, body := range sc.server.bodies {
			if strings.HasPrefix(body, "POST ") {
				all = append(all, body)
			}
		}
		return all
	}
	for _, res := range deliver("one") {
		if res.Status != promotion.Pushed {
			t.Fatalf("got %+v", res)
		}
	}
	if all := posts(); len(all) != 1 || len(all[0]) > 20_000 {
		t.Errorf("%d requests with a body, want the push alone", len(all))
	}
	for _, res := range deliver("two") { // main has moved to one since
		if res.Status != promotion.Conflict && res.Status != promotion.Bystander {
			t.Errorf("got %+v", res)
		}
	}
	if all := posts(); len(all) != 0 {
		t.Errorf("%d requests with a body though the base had moved: %.200q", len(all), all)
	}
}

// TestPushOfWhatTheRemoteHas: the branch of a claim that was pushed, and the entry
// that follows it, need no negotiation either; not even when everyone else has
// moved everything on since.
func TestPushOfWhatTheRemoteHas(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := sc.origin.commit("base", map[string]string{"a": "1\n", "b": strings.Repeat("x", 1000)})
	sc.origin.push()
	sc.fetch()
	mine := sc.newCommit(base, "mine", write("a", "2\n"))
	who := promotion.Person{Name: "bot", Email: "bot@example.com"}
	entry := func(message string, parents ...string) string {
		t.Helper()
		ids, err := sc.repo.Commit(t.Context(), []promotion.NewCommit{{Parents: parents, Author: who, Time: time.Unix(1700000000, 0), Message: message}})
		if err != nil {
			t.Fatal(err)
		}
		return ids[0]
	}
	claim := entry("claim", mine)
	if res := sc.push(false, promotion.RefUpdate{Ref: ledger, New: claim}); res[0].Status != promotion.Pushed {
		t.Fatalf("got %+v", res)
	}
	posts := func() (n int) {
		sc.server.mu.Lock()
		defer sc.server.mu.Unlock()
		for _, body := range sc.server.bodies {
			if strings.HasPrefix(body, "POST ") {
				n++
			}
		}
		return n
	}
	opened := entry("opened", claim)
	for _, u := range []promotion.RefUpdate{{Ref: "refs/heads/promobot/one", New: mine}, {Ref: ledger, Old: claim, New: opened}} {
		sc.server.reset()
		if res := sc.push(false, u); res[0].Status != promotion.Pushed || posts() != 1 {
			t.Errorf("%s: %+v in %d requests with a body, want one", u.Ref, res[0], posts())
		}
	}
	sc.origin.commit("theirs", map[string]string{"b": "y"})
	sc.origin.push()
	run(t, sc.origin.bare, "git", "update-ref", "-d", ledger)
	run(t, sc.origin.bare, "git", "update-ref", "-d", "refs/heads/promobot/one")
	if res := sc.push(false, promotion.RefUpdate{Ref: "refs/heads/promobot/two", New: mine}); res[0].Status != promotion.Pushed {
		t.Errorf("got %+v", res[0])
	}
}

// TestPushBringsBorrowedBlobs promotes a file of an older commit whose blob
// neither the mirror nor the branches' tips have.
func TestPushBringsBorrowedBlobs(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	sc.origin.commit("offered", map[string]string{"dev/app.yaml": "offered\n", "prod/app.yaml": "old\n"})
	blob := run(t, sc.origin.work, "git", "rev-parse", "HEAD:dev/app.yaml")
	tip := run(t, sc.origin.work, "git", "rev-parse", "HEAD:prod/app.yaml")
	base := sc.origin.commit("later", map[string]string{"dev/app.yaml": "later\n"})
	sc.origin.push()
	sc.fetch()
	taken := content.Edit{Path: "prod/app.yaml", Mode: "100644", Blob: blob}
	mine := sc.newCommit(base, "promote", taken)
	results := sc.push(false, promotion.RefUpdate{Ref: ledger, New: sc.entry(mine)})
	if results[0].Status != promotion.Pushed {
		t.Fatalf("got %+v", results[0])
	}
	if n := sc.seen.get("blobs"); n != 1 {
		t.Errorf("%d fetches of blobs, want 1", n)
	}
	if got := run(t, sc.origin.bare, "git", "show", mine+":prod/app.yaml"); got != "offered" {
		t.Errorf("prod has %q", got)
	}

	// A blob that the base shows elsewhere is sent by its id alone.
	taken.Blob = tip
	taken.Path = "prod/copy.yaml"
	mine = sc.newCommit(base, "promote", taken)
	if results := sc.push(false, promotion.RefUpdate{Ref: "refs/heads/two", New: mine}); results[0].Status != promotion.Pushed {
		t.Fatalf("got %+v", results[0])
	}
	if n := sc.seen.get("blobs"); n != 1 {
		t.Errorf("%d fetches of blobs, want still 1", n)
	}
}

// TestPushOfManyRefs creates more ledgers than one push takes.
func TestPushOfManyRefs(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := sc.origin.commit("base", nil)
	sc.origin.push()
	sc.fetch()
	var commits []promotion.NewCommit
	for i := range 620 {
		commits = append(commits, promotion.NewCommit{Author: bot, Time: noon, Message: fmt.Sprintf("Entry %d", i), Parents: []string{base}})
	}
	ids, err := sc.repo.Commit(t.Context(), commits)
	if err != nil {
		t.Fatal(err)
	}
	var updates []promotion.RefUpdate
	for i, id := range ids {
		updates = append(updates, promotion.RefUpdate{Ref: fmt.Sprintf("refs/promobot/%s-%d/prod", strings.Repeat("p", 60), i), New: id})
	}
	for _, res := range sc.push(false, updates...) {
		if res.Status != promotion.Pushed {
			t.Fatalf("got %+v", res)
		}
	}
	if n := sc.seen.get("push"); n != 2 {
		t.Errorf("%d pushes, want 2", n)
	}
	if refs := sc.fetch(); len(refs) != 621 {
		t.Errorf("%d refs on the remote, want 621", len(refs))
	}
}
