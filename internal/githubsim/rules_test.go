package githubsim_test

// The rules of branches: as they are read, and as merges and pushes meet them.

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

func TestBranchRulesAreRead(t *testing.T) {
	w := newWorld(t)
	w.must(w.AddRuleset("acme/shop", githubsim.Ruleset{
		Name: "all", Branches: []string{"main"}, Checks: []githubsim.RequiredCheck{{Name: "ci", App: 42}}, RequiredChecks: []string{"lint"},
		Strict: true, Approvals: 2, CodeOwners: true, ResolveThreads: true, Methods: []string{"squash"}, Signatures: true,
		LinearHistory: true, Queue: &githubsim.MergeQueue{Method: "squash", MaxMerge: 3}, Update: true, Creation: true, Deletion: true,
		NonFastForward: true,
	}))
	w.must(w.AddRuleset("acme/shop", githubsim.Ruleset{Name: "other", Branches: []string{"release/*"}, Deletion: true}))
	var got []map[string]any
	req, err := w.bot.NewRequest("GET", "repos/acme/shop/rules/branches/main", nil)
	w.must(err)
	_, err = w.bot.Do(t.Context(), req, &got)
	w.must(err)
	type object = map[string]any
	rules := map[string]any{}
	for _, one := range got {
		if one["ruleset_source"] != "acme/shop" || one["ruleset_source_type"] != "Repository" {
			t.Errorf("a rule of %v", one)
		}
		rules[one["type"].(string)] = one["parameters"]
	}
	want := map[string]any{
		"creation": nil, "deletion": nil, "required_linear_history": nil, "required_signatures": nil, "non_fast_forward": nil,
		"update": object{"update_allows_fetch_and_merge": false},
		"required_status_checks": object{
			"required_status_checks":               []any{object{"context": "lint"}, object{"context": "ci", "integration_id": 42.0}},
			"strict_required_status_checks_policy": true, "do_not_enforce_on_create": false,
		},
		"pull_request": object{
			"dismiss_stale_reviews_on_push": false, "require_code_owner_review": true, "require_last_push_approval": false,
			"required_approving_review_count": 2.0, "required_review_thread_resolution": true, "allowed_merge_methods": []any{"squash"},
		},
		"merge_queue": object{
			"check_response_timeout_minutes": 60.0, "grouping_strategy": "ALLGREEN", "max_entries_to_build": 5.0, "max_entries_to_merge": 3.0,
			"merge_method": "SQUASH", "min_entries_to_merge": 1.0, "min_entries_to_merge_wait_minutes": 5.0,
		},
	}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Errorf("rules of main (-want +got):\n%s", diff)
	}
}

func TestProtectionIsReadWithContents(t *testing.T) {
	w := newWorld(t)
	w.must(w.Protect("acme/shop", "main", &githubsim.Protection{
		Checks: []githubsim.RequiredCheck{{Name: "ci", App: w.app.ID}}, ForAdmins: true,
	}))
	reader := w.Client(w.botToken(&github.InstallationPermissions{Contents: new("read")}))
	req, err := reader.NewRequest("GET", "repos/acme/shop/branches/main", nil)
	w.must(err)
	var raw struct {
		Protected  bool
		Protection struct {
			Checks struct {
				Level  string `json:"enforcement_level"`
				Checks []struct {
					Context string
					App     int64 `json:"app_id"`
				}
			} `json:"required_status_checks"`
		}
	}
	_, err = reader.Do(t.Context(), req, &raw)
	w.must(err)
	checks := raw.Protection.Checks
	if !raw.Protected || checks.Level != "everyone" || len(checks.Checks) != 1 || checks.Checks[0].Context != "ci" || checks.Checks[0].App != w.app.ID {
		t.Errorf("read %+v", raw)
	}
	_, _, err = reader.Repositories.GetBranchProtection(t.Context(), "acme", "shop", "main")
	wantRefusal(t, err, 403, "Resource not accessible by integration")
}

// TestMergesMeetEveryRule has a pull request on which each rule objects alone,
// with the state it shows, and mends it; rulesets and classic protection in turn.
func TestMergesMeetEveryRule(t *testing.T) {
	type ruled struct {
		*world
		number int
	}
	merge := func(w ruled, method string) error {
		_, _, err := w.bot.PullRequests.Merge(w.t.Context(), "acme", "shop", w.number, "", &github.PullRequestOptions{MergeMethod: method})
		return err
	}
	approve := func(w ruled, login string) {
		_, _, err := w.UserClient(login).PullRequests.CreateReview(w.t.Context(), "acme", "shop", w.number, &github.PullRequestReviewRequest{Event: new("APPROVE")})
		w.must(err)
	}
	ruleset := func(rs githubsim.Ruleset) func(ruled) {
		return func(w ruled) {
			rs.Branches = []string{"main"}
			w.must(w.AddRuleset("acme/shop", rs))
		}
	}
	classic := func(p githubsim.Protection) func(ruled) {
		return func(w ruled) { w.must(w.Protect("acme/shop", "main", &p)) }
	}
	lift := func(w ruled) {
		w.must(w.RemoveRulesets("acme/shop", ""))
		w.must(w.Protect("acme/shop", "main", nil))
	}
	for _, tc := range []struct {
		name   string
		method string
		rule   func(ruled)
		state  string
		say    string
		mend   func(ruled)
	}{
		{"a check of another App", "merge", ruleset(githubsim.Ruleset{Checks: []githubsim.RequiredCheck{{Name: "ci", App: 4711}}}), "blocked", `Required status check "ci" is expected.`, lift},
		{"a check that fails", "merge", func(w ruled) {
			ruleset(githubsim.Ruleset{RequiredChecks: []string{"ci"}})(w)
			w.conclude(w.state(w.number).HeadSHA, "ci", "failure")
		}, "blocked", `Required status check "ci" is failing.`, func(w ruled) { w.conclude(w.state(w.number).HeadSHA, "ci", "success") }},
		{"an approval", "merge", ruleset(githubsim.Ruleset{Approvals: 1}), "blocked", "At least 1 approving review is required by reviewers with write access.", func(w ruled) { approve(w, "mona") }},
		{"several rules at once", "merge", ruleset(githubsim.Ruleset{Approvals: 1, RequiredChecks: []string{"ci"}}), "blocked", "Repository rule violations found\n\nAt least 1 approving review is required by reviewers with write access.\n\nRequired status check \"ci\" is expected.\n\n", lift},
		{"an approval of a code owner", "merge", ruleset(githubsim.Ruleset{CodeOwners: true}), "blocked", "Waiting on code owner review from acme/ops.", func(w ruled) { approve(w, "olga") }},
		{"a resolved conversation", "merge", func(w ruled) {
			ruleset(githubsim.Ruleset{ResolveThreads: true})(w)
			w.must(w.SetUnresolvedThreads("acme/shop", w.number, 2))
		}, "blocked", "A conversation must be resolved before this pull request can be merged.", func(w ruled) { w.must(w.SetUnresolvedThreads("acme/shop", w.number, 0)) }},
		{"an up-to-date head", "merge", func(w ruled) {
			ruleset(githubsim.Ruleset{RequiredChecks: []string{"ci"}, Strict: true})(w)
			w.conclude(w.state(w.number).HeadSHA, "ci", "success")
			w.branchWith("other", file("b", "1")) // from main, then main moves
			_, err := w.Commit(w.t.Context(), "acme/shop", "mona", "main", "Move\n", file("moved", "1"))
			w.must(err)
		}, "behind", "Head branch is out of date. Review and try the merge again.", func(w ruled) {
			_, _, err := w.bot.PullRequests.UpdateBranch(w.t.Context(), "acme", "shop", w.number, nil)
			if _, accepted := errors.AsType[*github.AcceptedError](err); !accepted {
				w.must(err)
			}
			w.conclude(w.state(w.number).HeadSHA, "ci", "success")
		}},
		{"signed commits", "merge", ruleset(githubsim.Ruleset{Signatures: true}), "blocked", "Commits must have verified signatures.", lift},
		{"linear history", "merge", ruleset(githubsim.Ruleset{LinearHistory: true}), "clean", "Merge commits are not allowed on this repository.", lift},
		{"a method", "merge", ruleset(githubsim.Ruleset{Methods: []string{"squash"}}), "clean", "Merge method not allowed: merge commits are not allowed on this branch.", lift},
		{"the queue", "merge", ruleset(githubsim.Ruleset{Queue: &githubsim.MergeQueue{}}), "clean", "Changes must be made through the merge queue", lift},
		{"no updates", "merge", ruleset(githubsim.Ruleset{Update: true}), "blocked", "Cannot update this protected ref.", lift},
		{"classic: an approval", "merge", classic(githubsim.Protection{Approvals: 2}), "blocked", "At least 2 approving reviews are required by reviewers with write access.", func(w ruled) {
			approve(w, "mona")
			approve(w, "olga")
		}},
		{"classic: signed commits", "squash", classic(githubsim.Protection{Signatures: true}), "blocked", "", nil},
		{"classic: signatures and a rebase", "rebase", classic(githubsim.Protection{Signatures: true}), "blocked", "Rebase merges cannot be automatically signed by GitHub", lift},
		{"classic: a locked branch", "merge", classic(githubsim.Protection{Locked: true}), "blocked", "Cannot change this locked branch", lift},
		{"classic: others only", "merge", classic(githubsim.Protection{Restricted: true, Pushers: []string{"mona"}}), "blocked", "You're not authorized to push to this branch.", classic(githubsim.Protection{Restricted: true, Pushers: []string{"promobot[bot]"}})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := ruled{world: newWorld(t)}
			w.must(w.CreateTeam("acme", "ops", "olga"))
			_, err := w.Commit(t.Context(), "acme/shop", "olga", "main", "Owners\n", file("CODEOWNERS", "* @mona\n/envs/ @acme/ops\n"))
			w.must(err)
			w.branchWith("topic", file("envs/qa/version.yml", "tag: 2.0\n"))
			w.number = w.pull("topic").GetNumber()
			tc.rule(w)
			if got := w.settled(w.number).GetMergeableState(); got != tc.state {
				t.Errorf("mergeable_state %q, want %q", got, tc.state)
			}
			if tc.say != "" {
				wantRefusal(t, merge(w, tc.method), 405, tc.say)
				tc.mend(w)
				if got := w.settled(w.number).GetMergeableState(); got != "clean" {
					t.Errorf("mended, mergeable_state is %q", got)
				}
			}
			w.must(merge(w, tc.method))
		})
	}
}

func TestBypassMergesSilently(t *testing.T) {
	for _, tc := range []struct {
		name   string
		bypass func(*world, *githubsim.Ruleset)
		by     string
	}{
		{"an App in the ruleset", func(w *world, rs *githubsim.Ruleset) { rs.BypassApps = []int64{w.app.ID} }, "promobot"},
		{"an App everywhere", func(w *world, _ *githubsim.Ruleset) {
			w.SetHabits(func(h *githubsim.Habits) { h.BypassApps = []int64{w.app.ID} })
		}, "promobot"},
		{"a person", func(_ *world, rs *githubsim.Ruleset) { rs.BypassUsers = []string{"mona"} }, "mona"},
		{"an administrator", func(_ *world, rs *githubsim.Ruleset) { rs.BypassAdmins = true }, "olga"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.branchWith("topic", file("a", "1"))
			w.pull("topic")
			rs := githubsim.Ruleset{
				Branches: []string{"main"}, Approvals: 1, RequiredChecks: []string{"ci"}, Queue: &githubsim.MergeQueue{}, Methods: []string{"squash"},
			}
			tc.bypass(w, &rs)
			w.must(w.AddRuleset("acme/shop", rs))
			c := w.bot
			if tc.by != "promobot" {
				c = w.UserClient(tc.by)
			}
			w.settled(1)
			shown := map[string]string{}
			for name, client := range map[string]*github.Client{"who bypasses": c, "rita": w.UserClient("rita")} {
				p, _, err := client.PullRequests.Get(t.Context(), "acme", "shop", 1)
				w.must(err)
				shown[name] = p.GetMergeableState()
			}
			if diff := cmp.Diff(map[string]string{"who bypasses": "clean", "rita": "blocked"}, shown); diff != "" {
				t.Errorf("mergeable_state (-want +got):\n%s", diff)
			}
			_, _, err := c.PullRequests.Merge(t.Context(), "acme", "shop", 1, "", nil)
			w.must(err)
		})
	}
}

func TestPushesMeetEveryRule(t *testing.T) {
	w := newWorld(t)
	g := w.clone(w.botToken(nil))
	first := g.commit("One", map[string]string{"one": "1"})
	g.ok("checkout", "-q", "-b", "side", "HEAD~1")
	g.commit("Side", map[string]string{"side": "1"})
	g.ok("merge", "-q", "-m", "Merge", first)
	g.ok("push", "-q", "origin", first+":refs/heads/there")
	for _, tc := range []struct {
		name    string
		ruleset *githubsim.Ruleset
		classic *githubsim.Protection
		push    string
		want    []string
	}{
		{"a pull request and more", &githubsim.Ruleset{Approvals: 1, RequiredChecks: []string{"ci", "lint"}, Signatures: true}, nil, "side:main", []string{
			"remote: error: GH013: Repository rule violations found for refs/heads/main.", "remote: Review all repository rules at " + w.URL + "/acme/shop/rules?ref=refs%2Fheads%2Fmain",
			"remote: - Commits must have verified signatures.", "remote: - Changes must be made through a pull request.", "remote: - 2 of 2 required status checks are expected.",
			"(push declined due to repository rule violations)",
		}},
		{"the queue", &githubsim.Ruleset{Queue: &githubsim.MergeQueue{}}, nil, "side:main", []string{"GH013", "Changes must be made through the merge queue"}},
		{"linear history", &githubsim.Ruleset{LinearHistory: true}, nil, "side:main", []string{"GH013", "This branch must not contain merge commits."}},
		{"no updates", &githubsim.Ruleset{Update: true}, nil, "side:main", []string{"GH013", "Cannot update this protected ref."}},
		{"no creations", &githubsim.Ruleset{Creation: true}, nil, "side:refs/heads/fresh", []string{"GH013", "Cannot create ref due to creations being restricted."}},
		{"no deletions", &githubsim.Ruleset{Deletion: true}, nil, ":refs/heads/there", []string{"GH013", "Cannot delete this protected ref."}},
		{"no force", &githubsim.Ruleset{NonFastForward: true}, nil, "+main~1:there", []string{"GH013", "Cannot force-push to this branch"}},
		{"classic: locked", nil, &githubsim.Protection{Locked: true}, "side:main", []string{"GH006: Protected branch update failed for refs/heads/main.", "Cannot change this locked branch", "(protected branch hook declined)"}},
		{"classic: others only", nil, &githubsim.Protection{Restricted: true, Pushers: []string{"mona"}}, "side:main", []string{"GH006", "You're not authorized to push to this branch."}},
		{"classic: signed commits", nil, &githubsim.Protection{Signatures: true}, "side:main", []string{"GH006", "Commits must have verified signatures."}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, before := g, mustRefs(w)
			g.t = t
			if tc.ruleset != nil {
				tc.ruleset.Branches = []string{"~ALL"}
				w.must(w.AddRuleset("acme/shop", *tc.ruleset))
			}
			w.must(w.Protect("acme/shop", "main", tc.classic))
			g.refused(tc.want, "push", "origin", tc.push)
			if diff := cmp.Diff(before, mustRefs(w)); diff != "" {
				t.Errorf("refs moved (-before +after):\n%s", diff)
			}
			w.must(w.RemoveRulesets("acme/shop", ""))
			w.must(w.Protect("acme/shop", "main", nil))
		})
	}
	t.Run("with a bypass", func(t *testing.T) {
		w.must(w.AddRuleset("acme/shop", githubsim.Ruleset{Branches: []string{"~ALL"}, Approvals: 1, Update: true, BypassApps: []int64{w.app.ID}}))
		g := g
		g.t = t
		g.ok("push", "-q", "origin", "side:main")
	})
}

func mustRefs(w *world) map[string]string {
	w.t.Helper()
	refs, err := w.Refs("acme/shop")
	w.must(err)
	return refs
}

func TestVerifiedCommitsPassWhereSignaturesAreRequired(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(w.AddRuleset("acme/shop", githubsim.Ruleset{Branches: []string{"main"}, Signatures: true}))
	tree, _, err := w.bot.Git.CreateTree(ctx, "acme", "shop", w.head, []*github.TreeEntry{{Path: new("x"), Mode: new("100644"), Type: new("blob"), Content: new("x")}})
	w.must(err)
	made, _, err := w.bot.Git.CreateCommit(ctx, "acme", "shop", &github.Commit{Message: new("Signed"), Tree: tree, Parents: []*github.Commit{{SHA: &w.head}}}, nil)
	w.must(err)
	_, _, err = w.bot.Git.CreateRef(ctx, "acme", "shop", &github.Reference{Ref: new("refs/heads/signed"), Object: &github.GitObject{SHA: made.SHA}})
	w.must(err)
	w.pull("signed")
	if got := w.settled(1).GetMergeableState(); got != "clean" {
		t.Errorf("mergeable_state %q", got)
	}
	_, _, err = w.bot.PullRequests.Merge(ctx, "acme", "shop", 1, "", nil)
	w.must(err)
	g := w.clone(w.token("mona"))
	if out := g.ok("cat-file", "commit", made.GetSHA()); !strings.Contains(out, "\ngpgsig -----BEGIN PGP SIGNATURE-----\n") {
		t.Errorf("the object carries no signature:\n%s", out)
	}
}
