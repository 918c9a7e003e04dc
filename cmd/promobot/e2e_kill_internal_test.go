package main

// SIGKILL at each outbound request in turn, before and after its effect: what
// the next start finds leads to the same end. The clock of each next start is
// beyond the bound after which a claim is carried on.

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
)

// shopFiles are a repository with one value to promote, equal everywhere.
func shopFiles(pipeline string, environments ...string) map[string]string {
	files := map[string]string{".github/promobot.yml": pipeline}
	for _, e := range environments {
		files["envs/"+e+"/values.yaml"] = shopValues("1.0.0")
	}
	return files
}

func shopValues(tag string) string {
	return "# what runs\nimage:\n  tag: " + tag + " # by promobot\nreplicas: 2\n"
}

const shopAuto = `version: 1
limits: {per_hour: 1000}
environments:
  dev:  {verify: none}
  prod: {from: dev, mode: auto}
pipelines:
  shop:
    path: envs/$env
    promote: {values: image.tag, in: values.yaml}
`

func TestKilledAtEachRequest(t *testing.T) {
	for _, c := range []struct {
		name string
		// counts says which requests are counted; after, that they have their effect.
		counts func(*http.Request) bool
		after  bool
		least  int // requests of one promotion
	}{
		{"before it", func(*http.Request) bool { return true }, false, 30},
		{"after its effect", hasEffect, true, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := newKiller(t)
			total := k.requests(c.counts)
			if total < c.least {
				t.Fatalf("a promotion takes %d requests; the test does not see them all", total)
			}
			step, killed, runs := 1, 0, 0
			if testing.Short() {
				step = 7
			}
			for n := 1; n <= total; n += step {
				runs++
				if k.run(n, c.counts, c.after) {
					killed++
				}
			}
			t.Logf("%d requests, %d runs, %d killed", total, runs, killed)
			if killed < runs*3/4 {
				t.Errorf("only %d of %d runs were killed", killed, runs)
			}
		})
	}
}

// hasEffect says whether a request changes anything on GitHub. Whether the
// program dies before or after the answer of any other is the same.
func hasEffect(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/git-receive-pack") ||
		strings.HasPrefix(r.URL.Path, "/api/v3/repos/") && r.Method != http.MethodGet
}

// killer promotes one version after the other, and kills the program on the way.
type killer struct {
	*scene
	versions int
}

func newKiller(t *testing.T) *killer {
	k := &killer{scene: newScene(t, sceneOptions{files: shopFiles(shopAuto, "dev", "prod")})}
	k.startChild()
	k.wait("every environment has its baseline", func() bool { return len(k.ledgers()) == 2 })
	k.settle()
	return k
}

// requests promotes undisturbed, and counts.
func (k *killer) requests(counts func(*http.Request) bool) int {
	var n atomic.Int64
	remove := k.sim.OnRequest(func(r *http.Request) {
		if k.outbound(r) && counts(r) {
			n.Add(1)
		}
	})
	defer remove()
	k.next()
	k.landedWell()
	return int(n.Load())
}

func (k *killer) next() (revision string) {
	k.versions++
	return k.push(fmt.Sprintf("dev: 2.%d.0", k.versions), map[string]string{"envs/dev/values.yaml": shopValues(fmt.Sprintf("2.%d.0", k.versions))})
}

// run kills the program at the n-th request of a promotion, starts it again, and
// says whether it came to that.
func (k *killer) run(n int, counts func(*http.Request) bool, after bool) bool {
	var mu sync.Mutex
	seen, killed := 0, false
	current := k.program
	hook := k.sim.OnRequest
	if after {
		hook = k.sim.OnEffect
	}
	remove := hook(func(r *http.Request) {
		if !k.outbound(r) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !killed && counts(r) {
			seen++
		}
		if seen == n && !killed {
			killed = true
			current.stop()
		}
		if killed {
			panic(http.ErrAbortHandler) // it is dead: what it asked for gets nowhere
		}
	})
	died := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return killed
	}
	k.next()
	k.wait("killed, or landed", func() bool { return died() || k.atEnd() })
	remove()
	did := died()
	if did {
		k.ahead.Add(int64(promotion.Bound + time.Second))
		k.startChild()
	}
	k.landedWell()
	return did
}

// outbound says whether a request is the program's: ana's git asks as ana.
func (s *scene) outbound(r *http.Request) bool {
	user, _, _ := r.BasicAuth()
	return strings.HasPrefix(r.UserAgent(), "promobot") || user == "x-access-token"
}

// atEnd says whether the newest version has landed and all of it is shown.
func (k *killer) atEnd() bool {
	l := k.ledgers()["shop/prod"]
	return len(k.pulls()) == k.versions && l.Landing != nil && l.UnderWay() == nil &&
		l.Landing.PullRequest == k.versions && k.check(l.Landing.Revision).Conclusion == "success"
}

// landedWell waits for the promotion's end, and checks that it is the only one.
func (k *killer) landedWell() {
	k.t.Helper()
	k.wait("the promotion has landed, and its check run says so", k.atEnd)
	k.settle()
	if got, want := k.read("envs/prod/values.yaml"), k.read("envs/dev/values.yaml"); got != want {
		k.t.Errorf("prod has\n%s\nwant\n%s", got, want)
	}
	ps := k.promotions()["shop/prod"]
	for _, p := range ps {
		if !p.Merged {
			k.t.Errorf("#%d is not merged: %+v", p.Number, p)
		}
	}
	if len(ps) != k.versions {
		k.t.Fatalf("%d pull requests for %d versions: %s", len(ps), k.versions, k.describe())
	}
	revision := strings.TrimSpace(string(k.bare("log", "-1", "--first-parent", "--format=%H", "main", "--", "envs/dev")))
	l := k.ledgers()["shop/prod"]
	if l.Landing.Revision != revision || l.Landing.Commit != ps[len(ps)-1].MergeCommit || l.Hold != nil {
		k.t.Errorf("landed %+v, hold %+v; want %s by #%d", l.Landing, l.Hold, revision, ps[len(ps)-1].Number)
	}
	for ref := range k.refs() {
		if strings.HasPrefix(ref, "refs/heads/promobot/") {
			k.t.Errorf("%s is left behind", ref)
		}
	}
}
