package githubsim_test

// A real git client against the simulator: what it may fetch and push, how it
// is refused, and what follows from a push.

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"
)

// gitClient is git in one folder, with a token in a header and no other
// configuration.
type gitClient struct {
	t     testing.TB
	dir   string
	token string
}

func (g gitClient) run(args ...string) (string, error) {
	cmd := exec.CommandContext(g.t.Context(), "git", args...)
	cmd.Dir = g.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Mona", "GIT_AUTHOR_EMAIL=mona@users.noreply.github.com",
		"GIT_COMMITTER_NAME=Mona", "GIT_COMMITTER_EMAIL=mona@users.noreply.github.com")
	if g.token != "" {
		basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + g.token))
		cmd.Env = append(cmd.Env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader",
			"GIT_CONFIG_VALUE_0=Authorization: Basic "+basic)
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// ok is run for what must succeed.
func (g gitClient) ok(args ...string) string {
	g.t.Helper()
	out, err := g.run(args...)
	if err != nil {
		g.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// refused is run for what must fail, saying all of the texts.
func (g gitClient) refused(texts []string, args ...string) {
	g.t.Helper()
	out, err := g.run(args...)
	if err == nil {
		g.t.Errorf("git %s succeeded; want it refused", strings.Join(args, " "))
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			g.t.Errorf("git %s said\n%s\nwithout %q", strings.Join(args, " "), out, text)
		}
	}
}

// commit writes files and commits them.
func (g gitClient) commit(message string, files map[string]string) string {
	g.t.Helper()
	for name, text := range files {
		full := filepath.Join(g.dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o750); err != nil {
			g.t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			g.t.Fatal(err)
		}
	}
	g.ok("add", "-A")
	g.ok("commit", "-q", "-m", message)
	return g.ok("rev-parse", "HEAD")
}

// clone clones acme/shop with a token.
func (w *world) clone(token string, args ...string) gitClient {
	w.t.Helper()
	g := gitClient{t: w.t, dir: w.t.TempDir(), token: token}
	g.ok(append(append([]string{"clone", "-q"}, args...), w.URL+"/acme/shop.git", ".")...)
	return g
}

func (w *world) token(login string) string {
	w.t.Helper()
	token, err := w.UserToken(login)
	w.must(err)
	return token
}

// botToken makes an installation token, narrowed to permissions when given.
func (w *world) botToken(permissions *github.InstallationPermissions) string {
	w.t.Helper()
	token, _, err := w.AppClient(w.app).Apps.CreateInstallationToken(w.t.Context(), w.inst,
		&github.InstallationTokenOptions{Permissions: permissions})
	w.must(err)
	return token.GetToken()
}

func TestFetch(t *testing.T) {
	w := newWorld(t)
	t.Run("without blobs", func(t *testing.T) {
		g := w.clone(w.botToken(nil), "--bare", "--filter=blob:none")
		g.t = t
		if got := g.ok("rev-parse", "main"); got != w.head {
			t.Errorf("cloned main at %s, want %s", got, w.head)
		}
		missing := g.ok("rev-list", "--objects", "--missing=print", "main")
		if n := strings.Count(missing, "\n?"); n != 2 {
			t.Errorf("%d blobs are missing, want both:\n%s", n, missing)
		}
	})
	t.Run("protocol version 2", func(t *testing.T) {
		g := gitClient{t: t, dir: t.TempDir(), token: w.token("mona")}
		t.Setenv("GIT_TRACE_PACKET", "1")
		if out := g.ok("ls-remote", w.URL+"/acme/shop"); !strings.Contains(out, "version 2") {
			t.Errorf("no protocol version 2:\n%s", out)
		}
	})
	t.Run("any commit by its id", func(t *testing.T) {
		old, err := w.Commit(t.Context(), "acme/shop", "mona", "gone", "Lost\n", map[string]*string{"a": new("a")})
		w.must(err)
		_, err = w.UserClient("mona").Git.DeleteRef(t.Context(), "acme", "shop", "refs/heads/gone")
		w.must(err)
		g := w.clone(w.token("mona"))
		g.t = t
		g.ok("fetch", "-q", "origin", old)
	})
}

func TestGitCredentials(t *testing.T) {
	w := newWorld(t)
	w.must(w.CreateRepository(t.Context(), "acme", "open", githubsimRepo("")))
	noContents := w.botToken(&github.InstallationPermissions{Issues: new("write")})
	readContents := w.botToken(&github.InstallationPermissions{Contents: new("read")})
	for _, tc := range []struct {
		name, token, repo string
		want              []string
		push              bool
	}{
		{name: "private, nobody", repo: "shop", want: []string{"could not read Username"}},
		{name: "private, wrong token", token: "ghp_wrong", repo: "shop", want: []string{"could not read Username"}},
		{name: "private, a stranger", token: w.token("tom"), repo: "shop", want: []string{"remote: Repository not found.", "not found"}},
		{name: "missing, a member", token: w.token("mona"), repo: "nothing", want: []string{"not found"}},
		{name: "app without contents", token: noContents, repo: "shop", want: []string{"403", "denied to promobot[bot]"}},
		{name: "app with contents read pushes", token: readContents, repo: "shop", push: true, want: []string{"403", "denied to promobot[bot]"}},
		{name: "reader pushes", token: w.token("rita"), repo: "shop", push: true, want: []string{"403", "Permission to acme/shop.git denied to rita."}},
		{name: "public, nobody pushes", repo: "open", push: true, want: []string{"could not read Username"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := gitClient{t: t, dir: t.TempDir(), token: tc.token}
			if !tc.push {
				g.refused(tc.want, "ls-remote", w.URL+"/acme/"+tc.repo+".git")
				return
			}
			g.ok("init", "-q", ".")
			g.commit("Try", map[string]string{"x": "x"})
			g.refused(tc.want, "push", w.URL+"/acme/"+tc.repo+".git", "HEAD:refs/heads/try")
		})
	}
	t.Run("public, nobody fetches", func(t *testing.T) {
		gitClient{t: t, dir: t.TempDir()}.ok("ls-remote", w.URL+"/acme/open.git")
	})
	t.Run("renamed", func(t *testing.T) {
		w.must(w.RenameRepository("acme/open", "wide"))
		gitClient{t: t, dir: t.TempDir()}.ok("ls-remote", w.URL+"/acme/open.git")
	})
	t.Run("archived", func(t *testing.T) {
		w.must(w.ArchiveRepository("acme/wide"))
		g := gitClient{t: t, dir: t.TempDir(), token: w.token("olga")}
		g.ok("init", "-q", ".")
		g.commit("Late", map[string]string{"x": "x"})
		g.refused([]string{"archived so it is read-only"}, "push", w.URL+"/acme/wide.git", "HEAD:refs/heads/late")
	})
	t.Run("token in the URL's password, expired", func(t *testing.T) {
		token := w.botToken(nil)
		address := strings.Replace(w.URL, "http://", "http://git:"+token+"@", 1) + "/acme/shop.git"
		g := gitClient{t: t, dir: t.TempDir()}
		g.ok("ls-remote", address)
		w.clock.advance(61 * 60e9)
		g.refused([]string{"Authentication failed"}, "ls-remote", address)
	})
}

func TestPushRefusals(t *testing.T) {
	w := newWorld(t)
	mona := w.clone(w.token("mona"))
	bot := w.clone(w.botToken(&github.InstallationPermissions{Contents: new("write")}))
	w.must(w.CreateUser("sam"))

	t.Run("a lease that is stale", func(t *testing.T) {
		g := mona
		g.t = t
		first := g.commit("One", map[string]string{"one": "1"})
		g.ok("push", "-q", "origin", "HEAD:refs/heads/topic")
		g.commit("Two", map[string]string{"two": "2"})
		g.refused([]string{"stale info"}, "push", "--force-with-lease=topic:"+w.head, "origin", "HEAD:refs/heads/topic")
		g.ok("push", "-q", "--force-with-lease=topic:"+first, "origin", "HEAD:refs/heads/topic")
	})
	t.Run("not a fast-forward", func(t *testing.T) {
		g := mona
		g.t = t
		g.ok("checkout", "-q", "-B", "other", w.head)
		g.commit("Aside", map[string]string{"aside": "1"})
		g.refused([]string{"non-fast-forward"}, "push", "origin", "HEAD:refs/heads/topic")
	})
	t.Run("atomic moves nothing when one is refused", func(t *testing.T) {
		g := mona
		g.t = t
		g.refused(nil, "push", "--atomic", "origin", "HEAD:refs/heads/topic", "HEAD:refs/heads/fresh")
		if out := g.ok("ls-remote", "origin", "refs/heads/fresh"); out != "" {
			t.Errorf("an atomic push created %s", out)
		}
	})
	t.Run("a workflow without the permission", func(t *testing.T) {
		g := bot
		g.t = t
		g.commit("CI", map[string]string{".github/workflows/ci.yml": "on: push\n"})
		g.refused([]string{
			"refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml` without `workflows` permission",
			"pre-receive hook declined",
		}, "push", "origin", "HEAD:refs/heads/ci", w.head+":refs/heads/bystander")
		g.ok("push", "-q", "origin", w.head+":refs/heads/bystander")
	})
	t.Run("the default branch deleted", func(t *testing.T) {
		g := mona
		g.t = t
		g.refused([]string{"refusing to delete the current branch: refs/heads/main"}, "push", "origin", ":main")
	})
	t.Run("refs of pull requests", func(t *testing.T) {
		g := mona
		g.t = t
		g.refused([]string{"deny updating a hidden ref"}, "push", "origin", "HEAD:refs/pull/7/head")
	})
	t.Run("a protected branch", func(t *testing.T) {
		_, _, err := w.UserClient("olga").Repositories.UpdateBranchProtection(t.Context(), "acme", "shop", "main", &github.ProtectionRequest{
			RequiredPullRequestReviews: &github.PullRequestReviewsEnforcementRequest{RequiredApprovingReviewCount: 1},
		})
		w.must(err)
		g := w.clone(w.token("mona"))
		g.t = t
		g.commit("Straight", map[string]string{"s": "s"})
		g.refused([]string{
			"remote: error: GH006: Protected branch update failed for refs/heads/main.",
			"Changes must be made through a pull request.", "(protected branch hook declined)",
		}, "push", "origin", "HEAD:main")
	})
	t.Run("a ruleset", func(t *testing.T) {
		w.must(w.AddRuleset("acme/shop", rulesetOn("release/*", "ci")))
		g := mona
		g.t = t
		g.refused([]string{
			"GH013: Repository rule violations found for refs/heads/release/1.", `Required status check "ci" is expected.`,
			"(push declined due to repository rule violations)",
		}, "push", "origin", "HEAD:refs/heads/release/1")
	})
}

func TestConcurrentPushesRaceTruthfully(t *testing.T) {
	w := newWorld(t)
	const racers = 5
	clones := make([]gitClient, racers)
	for i := range clones {
		clones[i] = w.clone(w.token("mona"))
		clones[i].commit("Race", map[string]string{"who": string(rune('a' + i))})
	}
	errs := make([]error, racers)
	outs := make([]string, racers)
	var all sync.WaitGroup
	for i, g := range clones {
		all.Go(func() { outs[i], errs[i] = g.run("push", "--force-with-lease=main:"+w.head, "origin", "HEAD:main") })
	}
	all.Wait()
	won := 0
	for i := range errs {
		if errs[i] == nil {
			won++
		} else if !strings.Contains(outs[i], "rejected") && !strings.Contains(outs[i], "cannot lock ref") {
			t.Errorf("a loser was told\n%s", outs[i])
		}
	}
	if won != 1 {
		t.Errorf("%d pushes with the same lease won, want 1", won)
	}
}

func TestPushEvents(t *testing.T) {
	w := newWorld(t)
	g := w.clone(w.token("mona"))
	w.drained()

	first := g.commit("Add a file\n\nWith a body.", map[string]string{"new ü.txt": "1", "README.md": "# Changed\n"})
	g.ok("rm", "-q", "envs/qa/version.yml")
	second := g.commit("Remove one", nil)
	g.ok("push", "-q", "origin", "HEAD:main")
	push := only(t, w.drained(), "push")
	got := map[string]any{
		"ref": push["ref"], "before": push["before"], "after": push["after"], "forced": push["forced"], "created": push["created"],
		"pusher": push["pusher"].(map[string]any)["name"], "sender": push["sender"].(map[string]any)["login"],
		"head": push["head_commit"].(map[string]any)["id"],
	}
	want := map[string]any{
		"ref": "refs/heads/main", "before": w.head, "after": second, "forced": false, "created": false, "pusher": "mona",
		"sender": "mona", "head": second,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("push (-want +got):\n%s", diff)
	}
	var files [][]any
	for _, c := range push["commits"].([]any) {
		c := c.(map[string]any)
		files = append(files, []any{c["id"], c["message"], c["added"], c["removed"], c["modified"]})
	}
	list := func(names ...any) []any { return append([]any{}, names...) }
	wantFiles := [][]any{
		{first, "Add a file\n\nWith a body.", list("new ü.txt"), list(), list("README.md")},
		{second, "Remove one", list(), list("envs/qa/version.yml"), list()},
	}
	if diff := cmp.Diff(wantFiles, files); diff != "" {
		t.Errorf("commits (-want +got):\n%s", diff)
	}

	for _, tc := range []struct {
		name string
		push []string
		want []string
	}{
		{"a new branch", []string{"HEAD:refs/heads/b"}, []string{"create", "push"}},
		{"a forced one", []string{"+" + w.head + ":refs/heads/b"}, []string{"push"}},
		{"a deleted one", []string{":refs/heads/b"}, []string{"delete", "push"}},
		{"a tag", []string{"HEAD:refs/tags/v1"}, []string{"create", "push"}},
		{"many tags", []string{"HEAD:refs/tags/a", "HEAD:refs/tags/b", "HEAD:refs/tags/c", "HEAD:refs/tags/d"}, nil},
		{"another ref", []string{"HEAD:refs/promobot/shop/qa"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := g
			g.t = t
			g.ok(append([]string{"push", "-q", "origin"}, tc.push...)...)
			list := slices.DeleteFunc(w.drained(), func(r received) bool { return r.event == "check_suite" })
			if diff := cmp.Diff(append([]string{}, tc.want...), names(list)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if tc.name == "a forced one" && list[0].body["forced"] != true {
				t.Error("the push is not marked as forced")
			}
		})
	}
}

func TestAppPushesItsOwnRefs(t *testing.T) {
	w := newWorld(t)
	g := w.clone(w.botToken(&github.InstallationPermissions{Contents: new("write")}))
	tip := g.ok("commit-tree", "-m", "claim", g.ok("mktree"))
	g.ok("-c", "push.negotiate=true", "push", "-q", "--force-with-lease=refs/promobot/shop/qa:", "origin", tip+":refs/promobot/shop/qa")
	g.refused([]string{"stale info"}, "push", "--force-with-lease=refs/promobot/shop/qa:", "origin", "HEAD:refs/promobot/shop/qa")
	refs, err := w.Refs("acme/shop")
	w.must(err)
	if refs["refs/promobot/shop/qa"] != tip {
		t.Errorf("the ledger is at %q, want %s", refs["refs/promobot/shop/qa"], tip)
	}
}

// only is the single event of a kind.
func only(t *testing.T, list []received, event string) map[string]any {
	t.Helper()
	var found []map[string]any
	for _, one := range list {
		if one.event == event {
			found = append(found, one.body)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d events %s among %v, want one", len(found), event, names(list))
	}
	return found[0]
}
