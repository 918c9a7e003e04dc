package githubsim_test

// Secondary limits, latencies, and signed commits of pushed trees.

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

// TestContentLimits takes a client to the limits of a minute and an hour, by
// the server's clock.
func TestContentLimits(t *testing.T) {
	w := newWorld(t)
	p := func() error {
		_, _, err := w.newBot().Issues.Create(t.Context(), "acme", "shop", &github.IssueRequest{Title: new("One more")})
		return err
	}
	w.LimitSecondary(githubsim.SecondaryLimits{ContentPerMinute: 2, ContentPerHour: 3, Status: http.StatusTooManyRequests})
	for _, tc := range []struct {
		name  string
		after time.Duration
		wait  time.Duration // 0: it passes
	}{
		{"first", 0, 0},
		{"second", 30 * time.Second, 0},
		{"a third in a minute", 10 * time.Second, 20 * time.Second},
		{"when the first is a minute old", 20 * time.Second, 0},
		{"a fourth in an hour", time.Minute, 58 * time.Minute},
		{"when the first is an hour old", 58 * time.Minute, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.clock.advance(tc.after)
			err := p()
			if tc.wait == 0 {
				w.must(err)
				return
			}
			wantRefusal(t, err, http.StatusTooManyRequests, "secondary rate limit")
			var limited *github.ErrorResponse
			wait := fmt.Sprint(tc.wait.Seconds())
			if !errors.As(err, &limited) || limited.Response.Header.Get("Retry-After") != wait {
				t.Errorf("got %v, want Retry-After %s", err, wait)
			}
		})
	}
	// What creates no content is not counted.
	_, _, err := w.newBot().Checks.CreateCheckRun(t.Context(), "acme", "shop", github.CreateCheckRunOptions{Name: "ci", HeadSHA: w.head})
	w.must(err)
	want := githubsim.LimitHits{ContentPerMinute: 1, ContentPerHour: 1, Content: 4, BusiestMinute: 2}
	if diff := cmp.Diff(want, w.LimitHits()); diff != "" {
		t.Errorf("hits (-want +got):\n%s", diff)
	}
	if w.LimitHits().Secondary() != 2 {
		t.Errorf("%d secondary limits, want 2", w.LimitHits().Secondary())
	}
}

func TestPointLimits(t *testing.T) {
	w := newWorld(t)
	token := w.botToken(nil)
	c := w.Client(token)
	w.LimitSecondary(githubsim.SecondaryLimits{PointsPerMinute: 7, GraphQLPointsPerMinute: 1})
	read := func() error {
		_, _, err := c.Repositories.Get(t.Context(), "acme", "shop")
		return err
	}
	_, _, err := c.Issues.Create(t.Context(), "acme", "shop", &github.IssueRequest{Title: new("Five points")})
	w.must(err)
	w.must(read())
	w.must(read())
	fresh := w.Client(token) // go-github itself waits after a refusal
	wantRefusal(t, read(), 403, "secondary rate limit")
	const query = `{ rateLimit { cost } }`
	if got := w.graphQL(token, query, nil); got.status != 200 {
		t.Errorf("GraphQL has points of its own: %s", got.raw)
	}
	if got := w.graphQL(token, query, nil); got.status != 403 || got.header.Get("Retry-After") != "60" {
		t.Errorf("status %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	w.clock.advance(time.Minute)
	_, _, err = fresh.Repositories.Get(t.Context(), "acme", "shop")
	w.must(err)
	if hits := w.LimitHits(); hits.Points != 2 {
		t.Errorf("hits %+v, want 2 of points", hits)
	}
}

// TestLatencies: each request waits for itself, and no other kind does.
func TestLatencies(t *testing.T) {
	const far = 500 * time.Millisecond
	w := newWorldWith(t, githubsim.Options{APILatency: far})
	token := w.token("mona")
	took := func(f func()) time.Duration {
		started := time.Now()
		f()
		return time.Since(started)
	}
	rest := func() { w.get("/repos/acme/shop", token, "") }
	git := func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+"/acme/shop.git/info/refs?service=git-upload-pack", nil)
		w.must(err)
		req.SetBasicAuth("x-access-token", token)
		resp, err := http.DefaultClient.Do(req)
		w.must(err)
		w.must(resp.Body.Close())
	}
	if got := took(rest); got < far {
		t.Errorf("REST took %v", got)
	}
	if got := took(func() { w.graphQL(token, `{ rateLimit { cost } }`, nil) }); got < far {
		t.Errorf("GraphQL took %v", got)
	}
	if got := took(func() {
		var all sync.WaitGroup
		for range 20 {
			all.Go(rest)
		}
		all.Wait()
	}); got < far || got > 15*far {
		t.Errorf("20 requests at once took %v", got)
	}
	w.SetLatency(0, far)
	if got := took(git); got < far {
		t.Errorf("git took %v", got)
	}
	w.SetLatency(10*time.Minute, 0) // anyone who waits for the API waits in vain
	git()
}

// TestSignedCommitOfAPushedTree goes the way of a bot that pushes a bare tree
// outside refs/heads and lets GitHub make the commit.
func TestSignedCommitOfAPushedTree(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	g := w.clone(w.botToken(nil))
	blob := g.commit("For its blob", map[string]string{"new": "1\n"})
	tree := g.ok("rev-parse", blob+"^{tree}")
	create := func() (*github.Commit, error) {
		c, _, err := w.bot.Git.CreateCommit(ctx, "acme", "shop", &github.Commit{
			Message: new("Promote\n\nPromotion-Id: 1"), Tree: &github.Tree{SHA: &tree}, Parents: []*github.Commit{{SHA: &w.head}},
		}, nil)
		return c, err
	}
	_, err := create()
	wantRefusal(t, err, 422, "Tree SHA does not exist")
	g.ok("push", "-q", "origin", tree+":refs/promobot-trees/1")
	made, err := create()
	w.must(err)
	v := made.GetVerification()
	if !v.GetVerified() || v.GetReason() != "valid" || made.GetCommitter().GetName() != "GitHub" || made.GetAuthor().GetName() != "promobot[bot]" {
		t.Errorf("the commit is %v", made)
	}
	// The same object can be written from payload and signature.
	head, message, _ := strings.Cut(v.GetPayload(), "\n\n")
	data := head + "\ngpgsig " + strings.ReplaceAll(v.GetSignature(), "\n", "\n ") + "\n\n" + message
	sum := sha1.Sum(fmt.Appendf(nil, "commit %d\x00%s", len(data), data))
	if got := hex.EncodeToString(sum[:]); got != made.GetSHA() {
		t.Errorf("payload and signature make %s, not %s", got, made.GetSHA())
	}
	g.ok("fetch", "-q", "origin", made.GetSHA())
	if got := g.ok("cat-file", "commit", made.GetSHA()); got != strings.TrimSpace(data) {
		t.Errorf("the stored object is\n%s\nwant\n%s", got, data)
	}
	g.ok("push", "-q", "origin", made.GetSHA()+":refs/heads/promobot/x", ":refs/promobot-trees/1")
	if refs := mustRefs(w); refs["refs/heads/promobot/x"] != made.GetSHA() || refs["refs/promobot-trees/1"] != "" {
		t.Errorf("refs %v", refs)
	}
}
