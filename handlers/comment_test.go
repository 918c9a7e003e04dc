package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
)

// commented is a comment's webhook.
func commented(on, app, comment string) []byte {
	return bodyOf(`{"action":"created","issue":%s,"comment":{"id":5,"body":%q,"performed_via_github_app":%s},"installation":{"id":3},"repository":{"id":42,"full_name":"acme/deploy"}}`,
		on, comment, app)
}

const (
	aPull   = `{"pull_request":{"url":"x"}}`
	anIssue = `{}`
	nobody  = `null`
)

// command is the letter of comment 5.
var command = handlers.Letter{ID: "comment-5", Kind: handlers.CommentLetter, Body: []byte(`{"comment":5}`)}

func TestCommandsBecomeLetters(t *testing.T) {
	cases := []struct {
		name string
		body []byte
		kept bool
		woke bool
	}{
		{"on a pull request", commented(aPull, nobody, "/promobot hold prod-eu"), true, false},
		{"on an issue", commented(anIssue, nobody, "/promobot hold prod-eu"), true, false},
		{"on a later line", commented(anIssue, nobody, "Sorry.\r\n\r\n/promobot rollback prod-eu\r\n"), true, false},
		{"alone", commented(anIssue, nobody, "/promobot"), true, false},
		{"in large letters", commented(anIssue, nobody, "/PromoBot status"), true, false},
		{"after blanks", commented(anIssue, nobody, "  /promobot status"), true, false},
		{"perhaps in a block of code, judged later", commented(anIssue, nobody, "```\n/promobot status\n```"), true, false},
		{"by another App, judged later", commented(aPull, `{"id":8}`, "/promobot status"), true, false},
		{"by promobot itself", commented(aPull, `{"id":7}`, "/promobot rollback prod-eu"), false, false},
		{"quoted", commented(aPull, nobody, "> /promobot status"), false, true},
		{"within a line", commented(aPull, nobody, "try /promobot status"), false, true},
		{"no command on an issue", commented(anIssue, nobody, "try /promobot status"), false, false},
		{"edited", []byte(strings.Replace(string(commented(aPull, nobody, "/promobot status")), "created", "edited", 1)), false, false},
		{"deleted", []byte(strings.Replace(string(commented(aPull, nobody, "/promobot status")), "created", "deleted", 1)), false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFront(t)
			status, text := f.answer(delivery(t.Context(), "issue_comment", c.body))
			want := map[handlers.Repository][]handlers.Letter(nil)
			if c.kept {
				want = map[handlers.Repository][]handlers.Letter{deploy: {command}}
			}
			if diff := cmp.Diff(want, f.posted); diff != "" {
				t.Errorf("posted (-want +got):\n%s", diff)
			}
			if woke := len(f.woken) > 0; woke != c.woke {
				t.Errorf("woken: %v", f.woken)
			}
			wantStatus := http.StatusAccepted
			if c.kept || c.woke {
				wantStatus = http.StatusOK
			}
			if status != wantStatus {
				t.Errorf("answered %d %s, want %d", status, text, wantStatus)
			}
		})
	}
}

func TestCommandsThatCannotBeKept(t *testing.T) {
	body := commented(anIssue, nobody, "/promobot status")
	f := newFront(t)
	f.fail = errors.New("disk full")
	if status, text := f.answer(delivery(t.Context(), "issue_comment", body)); status != http.StatusServiceUnavailable {
		t.Errorf("answered %d %s", status, text)
	}
	f = newFront(t)
	without := strings.Replace(string(body), `"id":5,`, "", 1)
	if status, text := f.answer(delivery(t.Context(), "issue_comment", []byte(without))); status != http.StatusBadRequest || len(f.posted) > 0 {
		t.Errorf("a comment without an id: answered %d %s, posted %v", status, text, f.posted)
	}
	own := strings.Replace(string(body), `"installation":{"id":3},`, "", 1)
	if status, text := f.answer(delivery(t.Context(), "issue_comment", []byte(own))); status != http.StatusAccepted || len(f.posted) > 0 {
		t.Errorf("a repository's own webhook: answered %d %s, posted %v", status, text, f.posted)
	}
}

func TestParseComment(t *testing.T) {
	if got, err := handlers.ParseComment(command.Body); err != nil || got != (handlers.Comment{ID: 5}) {
		t.Errorf("read back as %+v, %v", got, err)
	}
	for _, body := range []string{``, `{}`, `{"comment":0}`, `{"comment":-5}`, `{"comment":"5"}`, `[]`, `{"comment":1e99}`} {
		if got, err := handlers.ParseComment([]byte(body)); err == nil {
			t.Errorf("%s is read as %+v", body, got)
		}
	}
}

// commentsLooked are cursors in the lists of comments.
type commentsLooked struct {
	mu   sync.Mutex
	byID map[int64]time.Time
	sets int
	fail error
}

func (c *commentsLooked) of(r handlers.Repository) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byID[r.ID]
}

func (c *commentsLooked) set(r handlers.Repository, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = map[int64]time.Time{}
	}
	c.byID[r.ID] = until
	c.sets++
}

// talk are the comments of repositories as GitHub lists them.
type talk struct {
	pile

	mu    sync.Mutex
	said  map[int64][]handlers.CommentSeen // by repository
	asked map[int64][]time.Time            // since when
	down  map[int64]error
}

func (k *talk) Comments(_ context.Context, r handlers.Repository, since time.Time) ([]handlers.CommentSeen, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked == nil {
		k.asked = map[int64][]time.Time{}
	}
	k.asked[r.ID] = append(k.asked[r.ID], since)
	return k.said[r.ID], k.down[r.ID]
}

func (k *talk) look(t *testing.T, repositories ...handlers.Repository) error {
	t.Helper()
	m := handlers.Missed{Comments: k, Mail: k, Metrics: handlers.NewMetrics(prometheus.NewRegistry()), Log: zerolog.Nop()}
	return m.Look(t.Context(), repositories)
}

func TestMissedCommandsAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := func(minutes int) time.Time { return time.Now().Add(time.Duration(minutes) * time.Minute) }
		first, second := at(-50), at(-20)
		k := &talk{said: map[int64][]handlers.CommentSeen{deploy.ID: {
			{ID: 9, Body: "/promobot resume prod-eu", Created: second},
			{ID: 8, Body: "thanks!", Created: at(-10)},
			{ID: 7, Body: "/promobot help is what I say", Created: at(-5), ByApp: true},
			{ID: 6, Body: "/promobot status", Created: at(-15)},
			{ID: 5, Body: "/promobot hold prod-eu", Created: first},
			{ID: 4, Body: "/promobot rollback prod-eu", Created: at(-300)}, // edited just now
		}}}
		k.known = []string{"comment-6"}
		if err := k.look(t, deploy); err != nil {
			t.Fatal(err)
		}
		want := map[handlers.Repository][]handlers.Letter{deploy: {
			{ID: "comment-5", Kind: handlers.CommentLetter, Body: []byte(`{"comment":5}`), At: first},
			{ID: "comment-9", Kind: handlers.CommentLetter, Body: []byte(`{"comment":9}`), At: second},
		}}
		if diff := cmp.Diff(want, k.posted); diff != "" {
			t.Errorf("posted (-want +got):\n%s", diff)
		}
		if since := k.asked[deploy.ID][0]; !since.Equal(at(-60)) {
			t.Errorf("a queue that never looked asks since %v, want an hour ago", since)
		}

		// While nothing is said, the question stays the same.
		newest := at(-5)
		for range 3 {
			time.Sleep(5 * time.Minute)
			if err := k.look(t, deploy); err != nil {
				t.Fatal(err)
			}
		}
		for _, since := range k.asked[deploy.ID][1:] {
			if !since.Equal(newest.Add(-10 * time.Minute)) {
				t.Errorf("asked since %v, want from ten minutes before the newest", since)
			}
		}
		if k.comments.sets != 1 {
			t.Errorf("the cursor is stored %d times", k.comments.sets)
		}
	})
}

func TestQuietRepositoriesAreAskedTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &talk{}
		hourAgo := time.Now().Add(-time.Hour)
		for range 3 {
			if err := k.look(t, deploy); err != nil {
				t.Fatal(err)
			}
			time.Sleep(40 * time.Minute)
		}
		for _, since := range k.asked[deploy.ID] {
			if !since.Equal(hourAgo) {
				t.Errorf("asked since %v, want %v", since, hourAgo)
			}
		}
		if len(k.asked[deploy.ID]) != 3 {
			t.Errorf("asked %d times", len(k.asked[deploy.ID]))
		}
	})
}

// TestMissedCommandsThatCannotBeRead: the other repositories' are found, and the
// next look looks there again.
func TestMissedCommandsThatCannotBeRead(t *testing.T) {
	k := &talk{said: map[int64][]handlers.CommentSeen{}, down: map[int64]error{3: errors.New("502")}}
	var all []handlers.Repository
	for id := int64(1); id <= 20; id++ {
		all = append(all, handlers.Repository{InstallationID: 3, ID: id, Owner: "acme", Name: fmt.Sprint("r", id)})
		k.said[id] = []handlers.CommentSeen{{ID: 100 + id, Body: "/promobot status", Created: time.Now()}}
	}
	err := k.look(t, all...)
	if err == nil || !strings.Contains(err.Error(), "acme/r3") || strings.Contains(err.Error(), "acme/r4") {
		t.Errorf("the error is %v", err)
	}
	if len(k.posted) != 19 || len(k.posted[all[2]]) > 0 {
		t.Errorf("letters of %d repositories are posted", len(k.posted))
	}
	if !k.comments.of(all[2]).IsZero() || k.comments.of(all[3]).IsZero() {
		t.Errorf("cursors: %v", k.comments.byID)
	}

	k.down, k.fail = nil, errors.New("disk full")
	before := k.comments.of(all[3])
	k.said[4] = []handlers.CommentSeen{{ID: 200, Body: "/promobot status", Created: time.Now().Add(time.Minute)}}
	if err := k.look(t, all[3]); err == nil || !k.comments.of(all[3]).Equal(before) {
		t.Errorf("a letter that is not stored is taken for one that is: %v", err)
	}
	k.fail, k.comments.fail = nil, errors.New("disk broken")
	if err := k.look(t, all[3]); err == nil {
		t.Error("a cursor that cannot be read is taken for none")
	}
}
