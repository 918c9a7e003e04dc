package gitrepo_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/gitrepo"
)

const (
	mainRef = "refs/heads/main"
	ledger  = "refs/promobot/shop/prod"
)

// outcome is a result without the ids.
type outcome struct {
	Ref    string
	Status promotion.PushStatus
}

func outcomes(results []promotion.PushResult) []outcome {
	var out []outcome
	for _, r := range results {
		out = append(out, outcome{r.Ref, r.Status})
	}
	return out
}

// TestPushClassifies pushes to a real remote that is in each state in turn, and
// asserts what the push says of each ref and what the remote has afterwards.
func TestPushClassifies(t *testing.T) {
	type situation struct {
		*scene
		base, mine, theirs string // base is what was fetched; the others build on it
	}
	tests := []struct {
		name    string
		prepare func(situation) (updates []promotion.RefUpdate, atomic bool)
		want    []outcome
		reasons []string // each must stand in the reason of the update at its place
		landed  []string // refs that must be at New; all others must not
	}{
		{
			name: "new refs and a moved one land together",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				return []promotion.RefUpdate{{Ref: mainRef, Old: s.base, New: s.mine}, {Ref: ledger, New: s.mine}}, false
			},
			want:   []outcome{{mainRef, promotion.Pushed}, {ledger, promotion.Pushed}},
			landed: []string{mainRef, ledger},
		},
		{
			name: "a stale lease is a conflict of its ref alone",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				s.origin.push(s.theirs + ":" + mainRef)
				return []promotion.RefUpdate{{Ref: mainRef, Old: s.base, New: s.mine}, {Ref: ledger, New: s.mine}}, false
			},
			want:    []outcome{{mainRef, promotion.Conflict}, {ledger, promotion.Pushed}},
			reasons: []string{"stale info", ""},
			landed:  []string{ledger},
		},
		{
			name: "atomic: the other ref of a stale lease is a bystander",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				s.origin.push(s.theirs + ":" + mainRef)
				return []promotion.RefUpdate{{Ref: mainRef, Old: s.base, New: s.mine}, {Ref: ledger, New: s.mine}}, true
			},
			want: []outcome{{mainRef, promotion.Conflict}, {ledger, promotion.Bystander}},
		},
		{
			name: "a ref that must not exist does",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				s.origin.push(s.theirs + ":" + ledger)
				return []promotion.RefUpdate{{Ref: ledger, New: s.mine}}, false
			},
			want: []outcome{{ledger, promotion.Conflict}},
		},
		{
			name: "what is there already counts as pushed",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				return []promotion.RefUpdate{{Ref: mainRef, Old: s.base, New: s.base}}, false
			},
			want:   []outcome{{mainRef, promotion.Pushed}},
			landed: []string{mainRef},
		},
		{
			name: "a ref below another cannot be created",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				s.origin.push(s.base + ":refs/heads/release")
				return []promotion.RefUpdate{{Ref: "refs/heads/release/one", New: s.mine}, {Ref: ledger, New: s.mine}}, false
			},
			want:    []outcome{{"refs/heads/release/one", promotion.Refused}, {ledger, promotion.Pushed}},
			reasons: []string{"exists; cannot create", ""},
			landed:  []string{ledger},
		},
		{
			name: "atomic: a ref below another cannot be created, the other is a bystander",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				s.origin.push(s.base + ":refs/heads/release")
				return []promotion.RefUpdate{{Ref: "refs/heads/release/one", New: s.mine}, {Ref: ledger, New: s.mine}}, true
			},
			want: []outcome{{"refs/heads/release/one", promotion.Refused}, {ledger, promotion.Bystander}},
		},
		{
			name: "a hook refuses one ref",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				s.origin.hook("update", `case $1 in refs/heads/*) echo "error: GH013: Repository rule violations found for $1."; exit 1;; esac`)
				return []promotion.RefUpdate{{Ref: mainRef, Old: s.base, New: s.mine}, {Ref: ledger, New: s.mine}}, false
			},
			want:    []outcome{{mainRef, promotion.Refused}, {ledger, promotion.Pushed}},
			reasons: []string{"GH013: Repository rule violations", ""},
			landed:  []string{ledger},
		},
		{
			name: "atomic: a hook refuses one ref",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				s.origin.hook("update", `case $1 in refs/heads/*) echo "error: GH006: Protected branch update failed for $1."; exit 1;; esac`)
				return []promotion.RefUpdate{{Ref: mainRef, Old: s.base, New: s.mine}, {Ref: ledger, New: s.mine}}, true
			},
			want: []outcome{{mainRef, promotion.Refused}, {ledger, promotion.Bystander}},
		},
		{
			name: "a hook refuses the whole push and names the ref it minds",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				s.origin.hook("pre-receive", `echo "error: GH006: Protected branch update failed for refs/heads/main."; echo "error: Changes must be made through a pull request."; exit 1`)
				return []promotion.RefUpdate{{Ref: mainRef, Old: s.base, New: s.mine}, {Ref: ledger, New: s.mine}}, false
			},
			want:    []outcome{{mainRef, promotion.Refused}, {ledger, promotion.Bystander}},
			reasons: []string{"Changes must be made through a pull request", ""},
		},
		{
			name: "a hook refuses the whole push and names none",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				s.origin.hook("pre-receive", `echo "secrets were found"; exit 1`)
				return []promotion.RefUpdate{{Ref: mainRef, Old: s.base, New: s.mine}, {Ref: ledger, New: s.mine}}, false
			},
			want:    []outcome{{mainRef, promotion.Refused}, {ledger, promotion.Refused}},
			reasons: []string{"secrets were found", "secrets were found"},
		},
		{
			name: "someone moves the ref between the advertisement and the update",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				s.origin.push(s.theirs + ":refs/heads/aside")
				s.origin.hook("pre-receive", "unset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/main "+s.theirs)
				return []promotion.RefUpdate{{Ref: mainRef, Old: s.base, New: s.mine}, {Ref: ledger, New: s.mine}}, false
			},
			want:    []outcome{{mainRef, promotion.Conflict}, {ledger, promotion.Pushed}},
			reasons: []string{"is at", ""},
			landed:  []string{ledger},
		},
		{
			name: "atomic: someone moves the ref between the advertisement and the update",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				s.origin.push(s.theirs + ":refs/heads/aside")
				s.origin.hook("pre-receive", "unset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/main "+s.theirs)
				return []promotion.RefUpdate{{Ref: mainRef, Old: s.base, New: s.mine}, {Ref: ledger, New: s.mine}}, true
			},
			want: []outcome{{mainRef, promotion.Conflict}, {ledger, promotion.Bystander}},
		},
		{
			name: "a branch is deleted, and one that is gone does not stop the rest",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				s.origin.push(s.base+":refs/heads/old", s.base+":refs/heads/moved")
				s.origin.push(s.theirs + ":refs/heads/moved")
				return []promotion.RefUpdate{
					{Ref: "refs/heads/old", Old: s.base},
					{Ref: "refs/heads/gone", Old: s.base},
					{Ref: "refs/heads/moved", Old: s.base},
					{Ref: ledger, New: s.mine},
				}, false
			},
			want:   []outcome{{"refs/heads/old", promotion.Pushed}, {"refs/heads/gone", promotion.Pushed}, {"refs/heads/moved", promotion.Conflict}, {ledger, promotion.Pushed}},
			landed: []string{"refs/heads/old", "refs/heads/gone", ledger},
		},
		{
			name: "a name that no ref can have does not stop the rest",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				return []promotion.RefUpdate{{Ref: "refs/heads/a..b", New: s.mine}, {Ref: ledger, New: s.mine}}, false
			},
			want:   []outcome{{"refs/heads/a..b", promotion.Refused}, {ledger, promotion.Pushed}},
			landed: []string{ledger},
		},
		{
			name: "hostile names of branches",
			prepare: func(s situation) ([]promotion.RefUpdate, bool) {
				return []promotion.RefUpdate{
					{Ref: "refs/heads/--force", New: s.mine}, {Ref: "refs/heads/a'b\"c;$(x)", New: s.mine}, {Ref: "refs/heads/größe-✓", New: s.mine},
				}, false
			},
			want:   []outcome{{"refs/heads/--force", promotion.Pushed}, {"refs/heads/a'b\"c;$(x)", promotion.Pushed}, {"refs/heads/größe-✓", promotion.Pushed}},
			landed: []string{"refs/heads/--force", "refs/heads/a'b\"c;$(x)", "refs/heads/größe-✓"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := situation{scene: newScene(t)}
			s.base = s.origin.commit("base", map[string]string{"a.yaml": "1\n"})
			s.origin.push()
			s.fetch()
			s.theirs = s.origin.commit("theirs", map[string]string{"a.yaml": "2\n"})
			s.mine = s.newCommit(s.base, "mine", write("b.yaml", "x\n"))
			updates, atomic := tt.prepare(s)
			results := s.push(atomic, updates...)
			if diff := cmp.Diff(tt.want, outcomes(results)); diff != "" {
				t.Errorf("results (-want +got):\n%s\nall: %+v", diff, results)
			}
			for i, want := range tt.reasons {
				if !strings.Contains(results[i].Reason, want) {
					t.Errorf("reason of %s is %q, want %q in it", results[i].Ref, results[i].Reason, want)
				}
			}
			landed := map[string]bool{}
			for _, ref := range tt.landed {
				landed[ref] = true
			}
			for _, u := range updates {
				if isAt := s.origin.at(u.Ref) == u.New; isAt != landed[u.Ref] {
					t.Errorf("%s is at %q on the remote, New is %q, landed should be %v", u.Ref, s.origin.at(u.Ref), u.New, landed[u.Ref])
				}
			}
		})
	}
}

func TestPushRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := sc.origin.commit("base", nil)
	sc.origin.push()
	sc.fetch()
	mine := sc.newCommit(base, "mine")
	sc.server.inject(func(kind string, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if kind != "advertise git-receive-pack" {
			return false
		}
		w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("This repository was archived so it is read-only.\n"))
		return true
	})
	results := sc.push(false, promotion.RefUpdate{Ref: mainRef, Old: base, New: mine}, promotion.RefUpdate{Ref: ledger, New: mine})
	for _, res := range results {
		if res.Status != promotion.Refused || !strings.Contains(res.Reason, "archived so it is read-only") {
			t.Errorf("%s: status %d, reason %q; want it refused with the remote's words", res.Ref, res.Status, res.Reason)
		}
	}
	if n := sc.seen.get("look"); n != 0 {
		t.Errorf("the remote was asked %d times about a push it refused plainly", n)
	}
}

func TestPushOfAnUnknownCommit(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	base := sc.origin.commit("base", nil)
	sc.origin.push()
	sc.fetch()
	_, err := sc.repo.Push(t.Context(), []promotion.RefUpdate{{Ref: mainRef, Old: base, New: strings.Repeat("1", 40)}}, false)
	if !errors.Is(err, gitrepo.ErrUnknownCommit) {
		t.Errorf("error %v, want ErrUnknownCommit", err)
	}
}
