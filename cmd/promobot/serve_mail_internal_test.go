package main

// Commands on their way from a comment to the loop: by webhook, or by the sweep.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
	"github.com/promobot/promobot/promotion/reconcile"
	"github.com/promobot/promobot/state/queue"
)

// conversation is GitHub's list of comments, and what was delivered of them.
type conversation struct {
	mu        sync.Mutex
	said      []handlers.CommentSeen
	asked     []time.Time // since when
	delivered []string    // letters, in order
	refuse    int         // deliveries that fail
}

func (c *conversation) Comments(_ context.Context, _ handlers.Repository, since time.Time) ([]handlers.CommentSeen, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, since)
	return slices.Clone(c.said), nil
}

func (c *conversation) deliver(_ context.Context, _ handlers.Repository, letters []queue.Letter) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse > 0 {
		c.refuse--
		return errors.New("502")
	}
	for _, letter := range letters {
		c.delivered = append(c.delivered, letter.ID)
	}
	return nil
}

func (c *conversation) say(id int64, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, handlers.CommentSeen{ID: id, Issue: 1, Body: body, Created: time.Now()})
}

func (c *conversation) heard() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.delivered)
}

// looks is how often comments were asked for.
func (c *conversation) looks() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.asked)
}

// TestCommandsAreDeliveredOnce: by webhook, again by webhook, and by the sweeps
// before and after a restart.
func TestCommandsAreDeliveredOnce(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	c := &conversation{refuse: 1}
	looked := make(chan handlers.Repository, 100)
	parts := Parts{
		App: &testApp{repositories: []handlers.Repository{repository(1)}}, Deliver: c.deliver, Comments: c,
		Reconcile: func(_ context.Context, at handlers.Repository) (time.Time, error) {
			looked <- at
			return time.Time{}, nil
		},
	}
	c.say(4, "/promobot status")
	c.say(5, "thanks")
	r := startParts(t, config, parts)
	r.until("the sweep's letter is delivered", func() bool { return len(c.heard()) == 1 })
	for receive(t, looked) != repository(1) {
		t.Fatal("another repository is looked at")
	}
	for range 2 {
		const comment = `{"action":"created","issue":{},"comment":{"id":%d,"body":"/promobot hold prod"},"installation":{"id":3},"repository":{"id":1,"full_name":"acme/r1"}}`
		for _, id := range []int64{4, 6} {
			if status, text := r.deliver("issue_comment", fmt.Sprintf(comment, id)); status != 200 {
				t.Fatalf("answered %d %s", status, text)
			}
		}
	}
	r.until("the webhook's letter is delivered", func() bool { return len(c.heard()) == 2 })
	r.stopWell()

	c.say(6, "/promobot hold prod")
	c.say(7, "/promobot resume prod")
	before := c.looks()
	r = startParts(t, config, parts)
	r.until("what was said meanwhile is delivered", func() bool { return len(c.heard()) >= 3 })
	r.until("the sweep has ended", func() bool { return c.looks() > before })
	r.stopWell()
	if diff := cmp.Diff([]string{"comment-4", "comment-6", "comment-7"}, c.heard()); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	if first, last := c.asked[0], c.asked[len(c.asked)-1]; !last.After(first.Add(30 * time.Minute)) {
		t.Errorf("after a restart comments are asked for since %v, before it since %v", last, first)
	}
}

func TestLettersAreSorted(t *testing.T) {
	at := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	letter := func(id, kind, body string) queue.Letter {
		return queue.Letter{ID: id, Kind: kind, Body: []byte(body), At: at}
	}
	l := &loops{log: zerolog.Nop()}
	sorted := l.sorted([]queue.Letter{
		letter("comment-9", handlers.CommentLetter, `{"comment":9}`),
		letter("a", handlers.DispatchLetter, `{"type":"built","client_payload":{"tag":"1"}}`),
		letter("comment-x", handlers.CommentLetter, `{"comment":"x"}`),
		letter("b", handlers.DispatchLetter, `nothing`),
		letter("c", "pigeon", `{}`),
		letter("p1", handlers.PressLetter, `{"by":"ana","command":"hold prod","issue":3,"where":"page","at":"2026-02-01T00:00:00Z"}`),
		letter("p2", handlers.PressLetter, `{"by":"bo","command":"hold","button":"hold:0123456789","where":"check run"}`),
		letter("p3", handlers.PressLetter, `[]`),
		letter("comment-8", handlers.CommentLetter, `{"comment":8}`),
	})
	if diff := cmp.Diff([]int64{9, 8}, sorted.comments); diff != "" {
		t.Errorf("comments (-want +got):\n%s", diff)
	}
	want := []reconcile.Dispatch{{ID: "a", Type: "built", Payload: []byte(`{"tag":"1"}`), At: at}}
	if diff := cmp.Diff(want, sorted.dispatches); diff != "" {
		t.Errorf("dispatches (-want +got):\n%s", diff)
	}
	presses := []reconcile.Press{
		{ID: "p1", By: "ana", Command: "hold prod", Issue: 3, Where: "page", At: time.Date(2026, time.February, 1, 0, 0, 0, 0, time.UTC)},
		{ID: "p2", By: "bo", Command: "hold", Button: "hold:0123456789", Where: "check run", At: at},
	}
	if diff := cmp.Diff(presses, sorted.presses); diff != "" {
		t.Errorf("presses (-want +got):\n%s", diff)
	}
}
