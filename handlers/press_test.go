package handlers_test

// Presses: which webhooks become letters, and what of the payload is in them.

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/handlers"
)

const pressBody = `{"action":"requested_action","requested_action":{"identifier":"rollback:0123456789a"},` +
	`"check_run":{"id":5,"name":"promobot","head_sha":"abc","app":{"id":7},"pull_requests":[{"number":3,"head":{"sha":"def"}},{"number":12,"head":{"sha":"abc"}}]},` +
	`"sender":{"login":"ana","type":"User"},"installation":{"id":3},"repository":{"id":42,"full_name":"acme/deploy"}}`

func TestAPressBecomesALetter(t *testing.T) {
	f := newFront(t)
	if status, text := f.answer(delivery(t.Context(), "check_run", []byte(pressBody))); status != http.StatusOK || !strings.Contains(text, "kept") {
		t.Errorf("answered %d %q", status, text)
	}
	if len(f.posted[deploy]) != 1 || len(f.woken) > 0 {
		t.Fatalf("posted %v, woken %v", f.posted, f.woken)
	}
	l := f.posted[deploy][0]
	if l.ID != guid || l.Kind != handlers.PressLetter {
		t.Errorf("the letter is %s, of the kind %s", l.ID, l.Kind)
	}
	got, err := handlers.ParsePress(l.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := handlers.Press{By: "ana", Command: "rollback", Issue: 12, Where: "check run", Button: "rollback:0123456789a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestPressesThatAreNone(t *testing.T) {
	replaced := func(old, new string) string { return strings.Replace(pressBody, old, new, 1) }
	cases := []struct {
		name         string
		body         string
		change       func(*http.Request)
		fail         error
		status       int
		kept, wakes  bool
		withoutIssue bool
	}{
		{name: "on no pull request", body: replaced(`{"number":12,"head":{"sha":"abc"}}`, `{"number":12,"head":{"sha":"old"}}`), status: 200, kept: true, withoutIssue: true},
		{name: "another App's button", body: replaced(`"app":{"id":7}`, `"app":{"id":8}`), status: 200, wakes: true},
		{name: "a check run of another name", body: replaced(`"name":"promobot"`, `"name":"build"`), status: 200, wakes: true},
		{name: "an identifier that we do not write", body: replaced("rollback:0123456789a", "rm -rf"), status: 200, wakes: true},
		{name: "a command that has no button", body: replaced("rollback:0123456789a", "merge:0123456789ab"), status: 200, wakes: true},
		{name: "a command with words behind it", body: replaced("rollback:0123456789a", "hold:0123456789 all"), status: 200, wakes: true},
		{name: "a bot", body: replaced(`"type":"User"`, `"type":"Bot"`), status: 200, wakes: true},
		{name: "Re-run", body: replaced("requested_action", "rerequested"), status: 200, wakes: true},
		{name: "nobody", body: replaced(`"login":"ana"`, `"login":""`), status: 400},
		{name: "no delivery's id", body: pressBody, change: func(r *http.Request) { r.Header.Del("X-GitHub-Delivery") }, status: 400},
		{name: "a repository's own webhook", body: replaced(`"installation":{"id":3},`, ""), status: 202},
		{name: "it cannot be stored", body: pressBody, fail: errors.New("disk full"), status: 503},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFront(t)
			f.fail = c.fail
			r := delivery(t.Context(), "check_run", []byte(c.body))
			if c.change != nil {
				c.change(r)
			}
			if status, text := f.answer(r); status != c.status {
				t.Errorf("answered %d %q, want %d", status, text, c.status)
			}
			if (len(f.posted) > 0) != c.kept || (len(f.woken) > 0) != c.wakes {
				t.Errorf("posted %v, woken %v", f.posted, f.woken)
			}
			if c.withoutIssue {
				if p, err := handlers.ParsePress(f.posted[deploy][0].Body); err != nil || p.Issue != 0 {
					t.Errorf("the letter is about #%d (%v)", p.Issue, err)
				}
			}
		})
	}
}

func TestReRunBecomesALetter(t *testing.T) {
	const commit = "0123456789012345678901234567890123456789"
	run := strings.NewReplacer(`"head_sha":"abc"`, `"head_sha":"`+commit+`"`, "requested_action", "rerequested").Replace(pressBody)
	suite := `{"action":"rerequested","check_suite":{"head_sha":"` + commit + `","app":{"id":7}},"installation":{"id":3},"repository":{"id":42,"full_name":"acme/deploy"}}`
	for _, c := range []struct {
		name, event, body string
		kept              bool
	}{
		{"a run", "check_run", run, true},
		{"a suite", "check_suite", suite, true},
		{"another App's suite", "check_suite", strings.Replace(suite, `"id":7`, `"id":8`, 1), false},
		{"another run of ours", "check_run", strings.Replace(run, `"name":"promobot"`, `"name":"other"`, 1), false},
		{"no commit", "check_suite", strings.Replace(suite, commit, "main", 1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFront(t)
			if status, text := f.answer(delivery(t.Context(), c.event, []byte(c.body))); status != http.StatusOK {
				t.Fatalf("answered %d %q", status, text)
			}
			if (len(f.posted) > 0) != c.kept || (len(f.woken) > 0) == c.kept {
				t.Fatalf("posted %v, woken %v", f.posted, f.woken)
			}
			if !c.kept {
				return
			}
			l := f.posted[deploy][0]
			if a, err := handlers.ParseAgain(l.Body); err != nil || l.Kind != handlers.AgainLetter || l.ID != guid || a.Commit != commit {
				t.Errorf("the letter %s %s asks for %q (%v)", l.Kind, l.ID, a.Commit, err)
			}
		})
	}
	for _, body := range []string{"", "{}", `{"commit":"main"}`, `{"commit":7}`} {
		if _, err := handlers.ParseAgain([]byte(body)); err == nil {
			t.Errorf("%q is taken", body)
		}
	}
}
