package gitrepo_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/promobot/promobot/promotion"
)

const armored = `-----BEGIN PGP SIGNATURE-----

wsFcBAABCAAQBQJnAAAACRC1aQ7uu5UhlAAA7kQQAI2xlmTHi5mUQfbSZPbOqWqH
=abcd
-----END PGP SIGNATURE-----
`

// signAsGitHub makes a signed commit on the remote as its API does: there is no
// ref to it. end is what the signature ends in inside the object.
func (sc *scene) signAsGitHub(tree, parent, message, end string) promotion.SignedCommit {
	sc.t.Helper()
	who := "promobot[bot] <1+promobot[bot]@users.noreply.github.com> 1772452800 +0000"
	header := fmt.Sprintf("tree %s\nparent %s\nauthor %s\ncommitter GitHub <noreply@github.com> 1772452800 +0000\n", tree, parent, who)
	signature := strings.ReplaceAll(strings.TrimSuffix(armored, "\n"), "\n", "\n ")
	file := filepath.Join(sc.t.TempDir(), "commit")
	if err := os.WriteFile(file, []byte(header+"gpgsig "+signature+end+"\n"+message), 0o600); err != nil {
		sc.t.Fatal(err)
	}
	id := run(sc.t, sc.origin.bare, "git", "hash-object", "-t", "commit", "-w", file)
	return promotion.SignedCommit{ID: id, Payload: header + "\n" + message, Signature: armored}
}

// TestAdopt takes a commit over that GitHub signed, and pushes a ledger's entry
// whose parent it is: the entry alone travels, and nothing is fetched.
func TestAdopt(t *testing.T) {
	for name, end := range map[string]string{"a signature as git writes it": "\n", "one with a line end behind it": "\n \n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sc := newScene(t)
			many := map[string]string{}
			for i := range 300 {
				many[fmt.Sprintf("services/s%03d/values.yaml", i)] = fmt.Sprintf("image: %d\n", i)
			}
			base := sc.origin.commit("base", many)
			sc.origin.push()
			sc.fetch()
			mine := sc.newCommit(base, "unsigned", write("services/s001/values.yaml", "image: new\n"))
			if res := sc.push(false, promotion.RefUpdate{Ref: "refs/promobot-trees/one", New: mine}); res[0].Status != promotion.Pushed {
				t.Fatalf("got %+v", res)
			}
			tree := run(t, sc.origin.bare, "git", "rev-parse", mine+"^{tree}")
			signed := sc.signAsGitHub(tree, base, "Promote\n\nPromotion-Id: x", end)
			id, err := sc.repo.Adopt(t.Context(), signed)
			if err != nil || id != signed.ID {
				t.Fatalf("got %q, %v; want %q", id, err, signed.ID)
			}
			got, err := sc.repo.Commits(t.Context(), []string{id})
			if err != nil || got[id].Message != "Promote\n\nPromotion-Id: x" || got[id].Tree != tree {
				t.Errorf("read back: %+v, %v", got, err)
			}
			run(t, sc.mirror(), "sh", "-c", "git cat-file commit "+id+" | git hash-object -t commit --stdin")

			entry := sc.entry(id)
			sc.server.reset()
			res := sc.push(false, promotion.RefUpdate{Ref: ledger, New: entry}, promotion.RefUpdate{Ref: "refs/heads/promobot/one", New: id})
			for _, r := range res {
				if r.Status != promotion.Pushed {
					t.Fatalf("got %+v", res)
				}
			}
			if n := sc.server.sent(); n != 2 {
				t.Errorf("the push sent %d objects, want the entry and its empty tree", n)
			}
			if n := sc.seen.get("blobs"); n != 0 {
				t.Errorf("%d fetches of blobs", n)
			}
		})
	}
}

func TestAdoptChecks(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := sc.origin.commit("base", map[string]string{"a": "1"})
	sc.origin.push()
	sc.fetch()
	tree := run(t, sc.origin.work, "git", "rev-parse", "HEAD^{tree}")
	good := sc.signAsGitHub(tree, base, "Promote", "\n")
	for name, spoil := range map[string]func(*promotion.SignedCommit){
		"another id":        func(c *promotion.SignedCommit) { c.ID = unknown },
		"another message":   func(c *promotion.SignedCommit) { c.Payload += "!" },
		"another signature": func(c *promotion.SignedCommit) { c.Signature = strings.Replace(c.Signature, "abcd", "abce", 1) },
		"no signature":      func(c *promotion.SignedCommit) { c.Signature = "" },
	} {
		c := good
		spoil(&c)
		id, err := sc.repo.Adopt(t.Context(), c)
		if err == nil || id != "" || !strings.Contains(err.Error(), "payload and signature do not make") {
			t.Errorf("%s: %q, error %v", name, id, err)
		}
	}
	if _, err := sc.repo.Adopt(t.Context(), promotion.SignedCommit{ID: good.ID, Payload: "<html>"}); err == nil {
		t.Error("what is no commit was adopted")
	}
	if found, err := sc.repo.Commits(t.Context(), []string{good.ID}); err != nil || len(found) != 0 {
		t.Errorf("%v, error %v: a commit that was refused is there", found, err)
	}
	elsewhere := good
	if _, err := sc.repo.Adopt(t.Context(), elsewhere); err != nil {
		t.Errorf("the good one: %v", errors.Unwrap(err))
	}
}
