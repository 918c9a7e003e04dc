package githubsim_test

// The server's life, its webhooks' signatures, and what it imports.

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"
	"go.uber.org/goleak"

	"github.com/promobot/promobot/internal/githubsim"
)

func TestCloseLeavesNothingBehind(t *testing.T) {
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	before := goleak.IgnoreCurrent()
	s, err := githubsim.New(githubsim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	url, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	source, head := bareRepository(t, map[string]string{"a": "a"})
	for _, err := range []error{
		s.CreateUser("mona"), s.CreateRepository(t.Context(), "mona", "shop", githubsim.RepoOptions{From: source}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	path, err := s.Path("mona/shop")
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v3/repos/mona/shop/commits/"+head, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("the temporary folder is still there: %v", err)
	}
	after := httptest.NewRecorder()
	s.ServeHTTP(after, req)
	if after.Code != http.StatusServiceUnavailable {
		t.Errorf("a closed server answers %d", after.Code)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	goleak.VerifyNone(t, before)
}

func TestWebhookSignatures(t *testing.T) {
	w := newWorld(t)
	type delivery struct {
		header http.Header
		body   []byte
	}
	got := make(chan delivery, 10) // more than come
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- delivery{r.Header, body}
	}))
	defer hook.Close()
	w.drained()
	w.must(w.SetWebhook(w.app.ID, hook.URL, "s3cret"))
	w.branchWith("topic", file("a", "a"))
	w.drained() // so that none comes when the test is over
	create := <-got
	mac := hmac.New(sha256.New, []byte("s3cret"))
	if _, err := mac.Write(create.body); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"X-Github-Event": "create", "X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
		"X-Github-Hook-Installation-Target-Id": strconv.FormatInt(w.app.ID, 10), "Content-Type": "application/json",
		"X-Github-Hook-Installation-Target-Type": "integration",
	}
	shown := map[string]string{}
	for name := range want {
		shown[name] = create.header.Get(name)
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if _, err := github.ValidatePayloadFromBody("application/json", strings.NewReader(string(create.body)),
		create.header.Get("X-Hub-Signature-256"), []byte("s3cret")); err != nil {
		t.Errorf("go-github does not accept the signature: %v", err)
	}
	if agent := create.header.Get("User-Agent"); !strings.HasPrefix(agent, "GitHub-Hookshot/") {
		t.Errorf("User-Agent is %q", agent)
	}
	push := <-got
	if a, b := create.header.Get("X-Github-Delivery"), push.header.Get("X-Github-Delivery"); a == b || len(a) != 36 {
		t.Errorf("delivery ids %q and %q", a, b)
	}
}

func TestRunsRepeat(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	run := func(seed int64) (string, string) {
		s, err := githubsim.New(githubsim.Options{Dir: t.TempDir(), Seed: seed, Clock: func() time.Time { return at }})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		for _, err := range []error{s.CreateUser("mona"), s.CreateRepository(t.Context(), "mona", "shop", githubsim.RepoOptions{})} {
			if err != nil {
				t.Fatal(err)
			}
		}
		token, err := s.UserToken("mona")
		if err != nil {
			t.Fatal(err)
		}
		sha, err := s.Commit(t.Context(), "mona/shop", "mona", "", "First", file("a", "a"))
		if err != nil {
			t.Fatal(err)
		}
		return token, sha
	}
	token1, sha1 := run(1)
	token2, sha2 := run(1)
	other, _ := run(2)
	if token1 != token2 || sha1 != sha2 {
		t.Errorf("two runs differ: %s %s, %s %s", token1, sha1, token2, sha2)
	}
	if token1 == other {
		t.Error("another seed gives the same token")
	}
}

func TestImportedBundle(t *testing.T) {
	bundle := filepath.Join("..", "..", "..", "shared", "repos", "gitops-environment-promotion.bundle")
	if _, err := os.Stat(bundle); err != nil {
		t.Skipf("the bundle of an example repository is not there: %v", err)
	}
	w := newWorld(t)
	w.must(w.CreateRepository(t.Context(), "acme", "example", githubsim.RepoOptions{From: bundle}))
	repo, _, err := w.bot.Repositories.Get(t.Context(), "acme", "example")
	w.must(err)
	branch, _, err := w.bot.Repositories.GetBranch(t.Context(), "acme", "example", repo.GetDefaultBranch(), 1)
	w.must(err)
	g := gitClient{t: t, dir: t.TempDir(), token: w.token("mona")}
	g.ok("clone", "-q", w.URL+"/acme/example.git", ".")
	if got := g.ok("rev-parse", "HEAD"); got != branch.GetCommit().GetSHA() {
		t.Errorf("cloned %s, the API says %s", got, branch.GetCommit().GetSHA())
	}
}

func TestLargePushInChunks(t *testing.T) {
	w := newWorld(t)
	g := w.clone(w.token("mona"))
	// What does not compress makes git send the pack in chunks.
	noise := make([]byte, 3<<20)
	x := uint32(1)
	for i := range noise {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	want := g.commit("Large", map[string]string{"large.bin": string(noise)})
	g.ok("push", "-q", "origin", "HEAD:main")
	refs, err := w.Refs("acme/shop")
	w.must(err)
	if refs["refs/heads/main"] != want {
		t.Errorf("main is at %s, want %s", refs["refs/heads/main"], want)
	}
	shallow := gitClient{t: t, dir: t.TempDir(), token: w.token("mona")}
	shallow.ok("clone", "-q", "--depth=1", w.URL+"/acme/shop", ".")
	shallow.commit("From a shallow clone", map[string]string{"s": "s"})
	shallow.ok("push", "-q", "origin", "HEAD:refs/heads/shallow")
}

func BenchmarkGetRepository(b *testing.B) {
	s, err := githubsim.New(githubsim.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, err := range []error{s.CreateUser("mona"), s.CreateRepository(b.Context(), "mona", "shop", githubsim.RepoOptions{})} {
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v3/repos/mona/shop", nil)
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
}
