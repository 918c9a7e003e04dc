package promotion_test

import (
	"testing"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/state"
)

// chain is a first-parent history, newest first, of ids; "a<b" is a merge of b.
func chain(ids ...string) promotion.Chain {
	var cs []promotion.Commit
	for i, id := range ids {
		c := promotion.Commit{ID: id, Message: "message of " + id}
		if i+1 < len(ids) {
			c.Parents = []string{ids[i+1]}
		}
		cs = append(cs, c)
	}
	return promotion.NewChain(cs)
}

func merged(c promotion.Chain, id string, side string) promotion.Chain {
	i, _ := c.Index(id)
	c.Commits[i].Parents = append(c.Commits[i].Parents, side)
	return c
}

func TestResolveMerge(t *testing.T) {
	pull := func(commit string, commits int, messages ...string) promotion.PullRequest {
		return promotion.PullRequest{Merged: true, MergeCommit: commit, Commits: commits, Messages: messages}
	}
	cases := map[string]struct {
		pull                   promotion.PullRequest
		chain                  promotion.Chain
		before, landed, method string
		ok                     bool
	}{
		"a merge commit":                    {pull("m", 1), merged(chain("x", "m", "b"), "m", "head"), "b", "m", "merge", true},
		"a merge of several commits":        {pull("m", 3, "1", "2", "3"), merged(chain("m", "b"), "m", "head"), "b", "m", "merge", true},
		"a squash":                          {pull("s", 1, "own words"), chain("x", "s", "b"), "b", "s", "squash", true},
		"a squash of several":               {pull("s", 2, "one", "two"), chain("s", "b", "a"), "b", "s", "squash", true},
		"a rebased commit":                  {pull("r", 1, "message of r"), chain("r", "b"), "b", "r", "rebase", true},
		"several rebased commits":           {pull("r2", 2, "message of r1", "message of r2"), chain("x", "r2", "r1", "b"), "b", "r2", "rebase", true},
		"a merge that is not there yet":     {pull("new", 1), chain("b", "a"), "", "", "", false},
		"a pull request that is not merged": {promotion.PullRequest{MergeCommit: "b"}, chain("b", "a"), "", "", "", false},
		"a history cut off right there":     {pull("s", 1), chain("s"), "", "", "", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before, landed, method, ok := promotion.ResolveMerge(c.pull, c.chain)
			if before != c.before || landed != c.landed || ok != c.ok || ok && method != c.method {
				t.Errorf("got %q %q %q %v", before, landed, method, ok)
			}
		})
	}
}

func TestNameLanding(t *testing.T) {
	c := chain("e", "d", "c", "b", "a")
	o := &promotion.Observed{Key: promotion.Key{Pipeline: "app", Environment: "qa"}}
	if l := promotion.NameLanding(o, c, 1); l.Revision != "d" || l.Origin != "qa" || l.Promotion != "" {
		t.Errorf("a person's landing is its own revision: %+v", l)
	}
	o.Ledger.State = &state.Environment{Landing: &state.Landing{ID: "p", Commit: "c", Before: "a", Revision: "r", Origin: "dev", PullRequest: 7}}
	for index, want := range map[int]string{0: "", 1: "", 2: "p", 3: "p", 4: ""} {
		if l := promotion.NameLanding(o, c, index); l.Promotion != want || want == "p" && (l.Commit != "c" || l.Revision != "r" || l.Origin != "dev") {
			t.Errorf("at %d: %+v, want promotion %q", index, l, want)
		}
	}
}

// TestNameOlderLanding: a promotion's landing keeps its name when another follows.
func TestNameOlderLanding(t *testing.T) {
	c := chain("g", "f", "e", "d", "c", "b", "a")
	o := &promotion.Observed{Key: promotion.Key{Pipeline: "app", Environment: "qa"}, Ledger: promotion.Ledger{State: &state.Environment{}}}
	o.Ledger.State.Lands(state.Landing{ID: "p", Commit: "c", Before: "a", Revision: "r", Origin: "dev", PullRequest: 7})
	o.Ledger.State.Lands(state.Landing{ID: "q", Commit: "f", Before: "e", Revision: "s", Origin: "dev", PullRequest: 8})
	for index, want := range map[int]string{0: "", 1: "q", 2: "", 3: "", 4: "p", 5: "p", 6: ""} {
		if l := promotion.NameLanding(o, c, index); l.Promotion != want || want == "p" && (l.Commit != "c" || l.Revision != "r" || l.Origin != "dev" || l.PullRequest != 7) {
			t.Errorf("at %d: %+v, want promotion %q", index, l, want)
		}
	}
}

func TestChain(t *testing.T) {
	c := chain("c", "b", "a")
	if newer, known := c.Newer("c", "a"); !newer || !known {
		t.Error("c came after a")
	}
	if newer, known := c.Newer("a", "a"); newer || !known {
		t.Error("a did not come after itself")
	}
	if _, known := c.Newer("a", "gone"); known {
		t.Error("gone is not on the chain")
	}
	if promotion.NewChain(nil).Tip() != "" || c.Tip() != "c" {
		t.Error("the tip is the newest commit")
	}
}
