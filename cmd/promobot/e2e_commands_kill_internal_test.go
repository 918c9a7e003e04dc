package main

// SIGKILL at each outbound request in turn from a command's comment to its answer:
// the next start finds the comment again, and comes to one effect and one answer.

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion"
)

// killedCommand gives a command again and again in one shop.
type killedCommand struct {
	*killer
	pipeline string
	// prepare brings the shop to where it can be given, and says on which pull request.
	prepare func(k *killedCommand) (number int)
	text    string
	holds   func(k *killedCommand) bool
}

func (k *killedCommand) hasLanded(revision string) {
	k.t.Helper()
	k.wait("it has landed", func() bool { return k.landed(revision, shopProd) })
	k.settle()
}

// resumed ends the hold that a run has left.
func (k *killedCommand) resumed(number int) {
	k.t.Helper()
	if !k.held(shopProd) {
		return
	}
	n := k.answers(number)
	k.write("mai", number, "/promobot resume prod")
	k.wait("prod goes on", func() bool { return !k.held(shopProd) && k.answers(number) == n+1 })
	k.settle()
}

func TestKilledWhileACommandIsCarriedOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		killedCommand
	}{
		{"hold", killedCommand{
			pipeline: shopPropose, text: "hold prod",
			prepare: func(k *killedCommand) int {
				if k.versions == 0 {
					k.proposed(k.next())
				}
				k.resumed(1)
				return 1
			},
			holds: func(k *killedCommand) bool { return k.held(shopProd) },
		}},
		{"rollback", killedCommand{
			pipeline: shopAuto, text: "rollback prod",
			prepare: func(k *killedCommand) int {
				if n := len(k.pulls()); n > 0 {
					k.resumed(n)
				}
				k.hasLanded(k.next())
				return k.ledgers()[shopProd].Landing.PullRequest
			},
			holds: func(k *killedCommand) bool {
				l := k.ledgers()[shopProd]
				return l.Landing.Reverts != "" && l.UnderWay() == nil && l.Hold != nil && k.read("envs/prod/values.yaml") == shopValues("1.0.0")
			},
		}},
		{"approve", killedCommand{
			// What is newer moves the pull request on, and with it the approval is gone.
			pipeline: strings.Replace(shopPropose, "from: dev", "from: dev, approval: required", 1), text: "approve",
			prepare: func(k *killedCommand) int { return k.proposed(k.next()).Number },
			holds: func(k *killedCommand) bool {
				p := k.ledgers()[shopProd].Promotion
				return p != nil && p.Approval != nil && p.Approval.By == "mai" && p.Approval.Digest == p.Expected
			},
		}},
	} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after the effect %v", c.name, after), func(t *testing.T) {
				t.Parallel()
				k := c.killedCommand
				k.killer = &killer{scene: newScene(t, sceneOptions{files: shopFiles(k.pipeline, "dev", "prod")})}
				k.person("mai", "maintain")
				k.startChild()
				k.wait("every environment has its baseline", func() bool { return len(k.ledgers()) == 2 })
				k.settle()
				counts := func(*http.Request) bool { return true }
				if after {
					counts = hasEffect
				}
				_, total := k.kill(0, counts, after)
				if total < 3 {
					t.Fatalf("a command takes %d requests; the test does not see them all", total)
				}
				step, killed, runs := killStep(5), 0, 0
				if after {
					step = killStep(2) // there are few
				}
				for n := 1; n <= total; n += step {
					runs++
					if died, _ := k.kill(n, counts, after); died {
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
}

// kill gives the command, kills the program at the n-th request from then on,
// starts it again, and checks what has come of it. With n 0 nothing is killed.
func (k *killedCommand) kill(n int, counts func(*http.Request) bool, after bool) (died bool, requests int) {
	k.t.Helper()
	number := k.prepare(k)
	if k.holds(k) && k.text != "rollback prod" {
		k.t.Fatal("it holds before it is asked for")
	}
	told, pulls := k.answers(number), len(k.pulls())
	var mu sync.Mutex
	answered, over := false, false // over: nothing is killed any more
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
		if !died && !over && counts(r) {
			requests++
			answered = answered || r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/comments")
		}
		if requests == n && n > 0 && !died && !over {
			died = true
			current.stop()
		}
		if died {
			panic(http.ErrAbortHandler) // it is dead: what it asked for gets nowhere
		}
	})
	comment := k.write("mai", number, "/promobot "+k.text)
	dead := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return died
	}
	// The answer is there before an effect is told: wait for both.
	counted := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return answered
	}
	k.wait("killed, or answered", func() bool { return dead() || counted() && k.answers(number) == told+1 })
	mu.Lock()
	over = true
	mu.Unlock()
	remove()
	if dead() {
		k.ahead.Add(int64(promotion.Bound + time.Second))
		k.startChild()
	}
	k.wait("it is carried out, and answered", func() bool { return k.holds(k) && k.answers(number) > told })
	k.settle()
	if got := k.answers(number); got != told+1 {
		k.t.Fatalf("killed at %d: %d answers, want one", n, got-told)
	}
	heard := 0
	for _, h := range k.ledgers()[shopProd].Heard {
		if h.Comment == comment {
			heard++
		}
	}
	want := 0
	if k.text == "rollback prod" {
		want = 1
	}
	if got := len(k.pulls()) - pulls; heard != 1 || got != want || !k.holds(k) {
		k.t.Fatalf("killed at %d: it has %d effects in the ledger, %d more pull requests (want %d), and holds: %v", n, heard, got, want, k.holds(k))
	}
	return died, requests
}
