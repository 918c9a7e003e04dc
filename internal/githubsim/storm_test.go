package githubsim_test

// Many repositories, many clients, many webhooks at once.

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
)

func TestManyRepositoriesAndClients(t *testing.T) {
	w := newWorld(t)
	const repositories, clients = 50, 32
	source, head := bareRepository(t, map[string]string{"README.md": "# One of many\n"})
	started := time.Now()
	for i := range repositories {
		w.must(w.CreateRepository(t.Context(), "acme", fmt.Sprintf("r%d", i), githubsim.RepoOptions{From: source, Private: true}))
	}
	t.Logf("%d repositories in %v", repositories, time.Since(started))
	token := w.botToken(nil)
	errs := make([]error, clients)
	var all sync.WaitGroup
	for i := range clients {
		name := fmt.Sprintf("acme/r%d", i)
		g := gitClient{t: t, dir: t.TempDir(), token: token}
		all.Go(func() {
			for _, args := range [][]string{
				{"clone", "-q", w.URL + "/" + name + ".git", "."},
				{"commit", "-q", "--allow-empty", "-m", name},
				{"push", "-q", "origin", "HEAD:main", "HEAD:refs/promobot/a/b"},
			} {
				if out, err := g.run(args...); err != nil {
					errs[i] = fmt.Errorf("git %s: %w: %s", args[0], err, out)
					return
				}
			}
		})
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
		refs, err := w.Refs(fmt.Sprintf("acme/r%d", i))
		w.must(err)
		if refs["refs/heads/main"] == head || refs["refs/heads/main"] != refs["refs/promobot/a/b"] {
			t.Errorf("r%d has %v", i, refs)
		}
	}
	untouched, err := w.Refs(fmt.Sprintf("acme/r%d", repositories-1))
	w.must(err)
	if diff := cmp.Diff(map[string]string{"refs/heads/main": head}, untouched); diff != "" {
		t.Errorf("refs of another repository (-want +got):\n%s", diff)
	}
}

// TestClientsOfOneRepository: every push has a branch of its own, so all have
// to land; fetches run beside them.
func TestClientsOfOneRepository(t *testing.T) {
	w := newWorld(t)
	const clients = 24
	g := w.clone(w.botToken(nil))
	var tips []string
	for i := range clients {
		tips = append(tips, g.commit(fmt.Sprint("Step ", i), map[string]string{"n": fmt.Sprint(i)}))
	}
	errs := make([]error, 2*clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			if out, err := g.run("push", "-q", "origin", fmt.Sprintf("%s:refs/heads/b%d", tips[i], i)); err != nil {
				errs[i] = fmt.Errorf("%w: %s", err, out)
			}
		})
		all.Go(func() {
			if out, err := g.run("ls-remote", "origin"); err != nil || !strings.Contains(out, w.head+"\trefs/heads/main") {
				errs[clients+i] = fmt.Errorf("ls-remote: %w: %s", err, out)
			}
		})
	}
	all.Wait()
	refs := mustRefs(w)
	for i := range clients {
		if errs[i] != nil || errs[clients+i] != nil {
			t.Fatal(errs[i], errs[clients+i])
		}
		if name := fmt.Sprintf("refs/heads/b%d", i); refs[name] != tips[i] {
			t.Errorf("%s is at %q, want %s", name, refs[name], tips[i])
		}
	}
}

// TestAtomicPushesAreAllOrNothing holds one stale lease against refs that
// could move: the server is told all of them, the client's own look is left out.
func TestAtomicPushesAreAllOrNothing(t *testing.T) {
	for _, atomic := range []bool{true, false} {
		t.Run(fmt.Sprint("atomic ", atomic), func(t *testing.T) {
			w := newWorld(t)
			g := w.clone(w.botToken(nil))
			tip := g.commit("Ours", map[string]string{"x": "ours"})
			// Between the advertisement and the push itself somebody else wins
			// main: only the server can see it.
			other := make(chan error, 1)
			var once sync.Once
			remove := w.OnRequest(func(r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
					once.Do(func() {
						_, err := w.Commit(context.WithoutCancel(r.Context()), "acme/shop", "mona", "main", "Theirs\n", file("y", "theirs"))
						other <- err
					})
				}
			})
			defer remove()
			args := []string{"push", "origin", "HEAD:main", "HEAD:refs/promobot/a/b"}
			if atomic {
				args = append([]string{"push", "--atomic"}, args[1:]...)
			}
			out, err := g.run(args...)
			w.must(<-other)
			if err == nil || !strings.Contains(out, "cannot lock ref") && !strings.Contains(out, "failed to update ref") && !strings.Contains(out, "incorrect old value") {
				t.Errorf("pushed past another's commit: %v\n%s", err, out)
			}
			want := tip
			if atomic {
				want = ""
			}
			if got := mustRefs(w)["refs/promobot/a/b"]; got != want {
				t.Errorf("the other ref is at %q, want %q\n%s", got, want, out)
			}
		})
	}
}

// TestWebhooksOfRepositoriesDoNotWaitForEachOther: an endpoint that answers
// only when two are there shows that they are under way at once.
func TestWebhooksOfRepositoriesDoNotWaitForEachOther(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lanes int
		repos []string
	}{
		{"of two repositories", 1, []string{"acme/shop", "acme/cart"}},
		{"of one, by habit", 2, []string{"acme/shop", "acme/shop"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.must(w.CreateRepository(t.Context(), "acme", "cart", githubsim.RepoOptions{}))
			w.drained()
			arrived, let := make(chan string, 8), make(chan struct{})
			endpoint := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				arrived <- r.Header.Get("X-GitHub-Event")
				select {
				case <-let:
				case <-r.Context().Done():
				}
			}))
			t.Cleanup(endpoint.Close)
			w.must(w.SetWebhook(w.app.ID, endpoint.URL, "s3cret"))
			w.SetHabits(func(h *githubsim.Habits) { h.HookLanes = tc.lanes })
			for _, repo := range tc.repos {
				w.must(w.Dispatch(repo, "olga", "built", map[string]any{"tag": "v1"}))
			}
			for range tc.repos {
				select {
				case event := <-arrived:
					if event != "repository_dispatch" {
						t.Errorf("a webhook %s", event)
					}
				case <-time.After(time.Minute):
					t.Fatal("one waits for the other")
				}
			}
			close(let)
			w.drained()
		})
	}
}

func TestWebhooksOfARepositoryKeepTheirOrder(t *testing.T) {
	w := newWorld(t)
	w.drained()
	var want []string
	for i := range 40 {
		w.must(w.Dispatch("acme/shop", "olga", fmt.Sprint("n", i), nil))
		want = append(want, fmt.Sprint("repository_dispatch n", i))
	}
	if diff := cmp.Diff(want, names(w.drained())); diff != "" {
		t.Errorf("order (-sent +got):\n%s", diff)
	}
}
