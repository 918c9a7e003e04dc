package notify_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/handlers/notify"
	"github.com/promobot/promobot/promotion/view"
)

// TestToldOnce: however often it is seen, and by however many processes of one
// store, a thing is told once.
func TestToldOnce(t *testing.T) {
	t.Parallel()
	w, slack := newWorld(t), newTarget(t, nil)
	w.run(to(slack))
	w.saw(failedAt(1))
	w.saw(failedAt(1))
	if got, want := slack.text(t), "<https://github.com/acme/gitops|checkout staging failed> (acme/gitops)\ncheck 1 failed"; got != want {
		t.Errorf("told %q, not %q", got, want)
	}
	w.until("it is told", func() bool { return w.waits() == 0 })
	w.stop()
	w.run(to(slack))
	w.saw(failedAt(1))
	w.saw(failedAt(2))
	if got := slack.text(t); !strings.Contains(got, "check 2 failed") {
		t.Errorf("told %q", got)
	}
	w.until("all is told", func() bool { return w.waits() == 0 })
	if n := slack.count.Load(); n != 2 {
		t.Errorf("%d requests for two things", n)
	}
}

// TestWhatWasBeforeIsNotTold: a receiver that is new, or a kind that is newly
// asked for, is told of what happens from then on.
func TestWhatWasBeforeIsNotTold(t *testing.T) {
	t.Parallel()
	w, slack := newWorld(t), newTarget(t, nil)
	w.move(90 * time.Second) // 09:01:30
	w.open(to(slack))
	w.saw(failedAt(1))
	w.saw(failedAt(2))
	if n := w.waits(); n != 1 {
		t.Errorf("%d messages wait, not the one of 09:02", n)
	}
	w.stop()
	w.move(90 * time.Second) // 09:03
	w.open(to(slack, func(s *notify.Settings) { s.On = []notify.Kind{notify.Failed, notify.Opened} }))
	w.saw(staging(func(e *view.Environment) {
		e.Entries = []view.Entry{entry("l2", "opened", "#8 opened", 4), entry("l1", "opened", "#7 opened", 2)}
	}))
	if n := w.waits(); n != 2 {
		t.Errorf("%d messages wait, not those of 09:02 and 09:04", n)
	}
}

func TestWhoIsToldWhat(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*notify.Settings)
		want   int
	}{
		{"the defaults", func(*notify.Settings) {}, 1},
		{"another kind", func(s *notify.Settings) { s.On = []notify.Kind{notify.Landed} }, 0},
		{"the environment", func(s *notify.Settings) { s.Environments = []string{"prod-*", "stag*"} }, 1},
		{"another environment", func(s *notify.Settings) { s.Environments = []string{"prod-*"} }, 0},
		{"the environment of the pipeline", func(s *notify.Settings) { s.Environments = []string{"services/*/staging"} }, 1},
		{"of another pipeline", func(s *notify.Settings) { s.Environments = []string{"addons/**"} }, 0},
		{"either", func(s *notify.Settings) { s.Environments = []string{"addons/**", "staging"} }, 1},
		{"the repository", func(s *notify.Settings) { s.Repositories = []string{"Acme/*"} }, 1},
		{"another repository", func(s *notify.Settings) { s.Repositories = []string{"acme/other"} }, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, slack := newWorld(t), newTarget(t, nil)
			w.open(to(slack, c.change))
			w.saw(failedAt(1))
			if n := w.waits(); n != c.want {
				t.Errorf("%d messages wait, not %d", n, c.want)
			}
		})
	}
}

// TestTheGravestIsTold: what comes at once over one environment is one message;
// what comes later is another.
func TestTheGravestIsTold(t *testing.T) {
	t.Parallel()
	w, slack := newWorld(t), newTarget(t, nil)
	w.run(to(slack))
	fails := func(e *view.Environment) {
		e.Verdicts = []view.Verdict{{Landing: "e1", Outcome: "failed", Reason: "check deploy failed", Time: minute(3)}}
		e.Hold = &view.Hold{Reason: "it failed", By: "promobot", Since: minute(3)}
		e.Failure = &view.Failure{Kind: "verification", Reason: "check deploy failed", Since: minute(2)}
		e.Needs = "Find out why."
	}
	w.saw(staging(fails))
	if got := slack.text(t); !strings.Contains(got, "checkout staging failed") || !strings.Contains(got, "Find out why.") {
		t.Errorf("told %q", got)
	}
	rolledBack := func(e *view.Environment) {
		fails(e)
		e.Failure.Over = true
		e.Entries = []view.Entry{entry("l9", "landed", "#8 rolled 1.4.0 back to 1.3.2", 9)}
	}
	w.saw(staging(rolledBack))
	w.saw(staging(rolledBack))
	if got := slack.text(t); !strings.Contains(got, "checkout staging was rolled back") {
		t.Errorf("told %q", got)
	}
	w.until("all is told", func() bool { return w.waits() == 0 })
	if n := slack.count.Load(); n != 2 {
		t.Errorf("%d messages, not 2", n)
	}
}

func TestRetried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slack := newTarget(t, func(n int, rw http.ResponseWriter, _ *http.Request) {
		switch n {
		case 1:
			rw.WriteHeader(http.StatusInternalServerError)
		case 2:
			rw.Header().Set("Retry-After", "0")
			rw.WriteHeader(http.StatusTooManyRequests)
		}
	})
	w.run(to(slack))
	w.saw(failedAt(1))
	w.until("it is told", func() bool { return w.waits() == 0 })
	if n := slack.count.Load(); n != 3 {
		t.Errorf("%d attempts, not 3", n)
	}
	first := slack.next(t)
	for range 2 {
		if diff := cmp.Diff(first.body, slack.next(t).body); diff != "" {
			t.Error(diff)
		}
	}
	if strings.Contains(w.log.String(), "verysecret") {
		t.Errorf("the log holds the URL:\n%s", w.log.String())
	}
}

// hangUp takes a request whole and ends the connection without an answer.
func hangUp(n int, rw http.ResponseWriter, _ *http.Request) {
	if n > 1 {
		return
	}
	if conn, _, err := http.NewResponseController(rw).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// TestDoubt: a message that may have been taken is repeated only where the
// receiver can tell that it is the same.
func TestDoubt(t *testing.T) {
	t.Parallel()
	t.Run("slack", func(t *testing.T) {
		t.Parallel()
		w, s := newWorld(t), newTarget(t, hangUp)
		w.run(to(s))
		w.saw(failedAt(1))
		w.until("it is given up", func() bool { return w.waits() == 0 })
		if n := s.count.Load(); n != 1 || strings.Contains(w.log.String(), "verysecret") {
			t.Errorf("%d requests; the log:\n%s", n, w.log.String())
		}
	})
	t.Run("webhook", func(t *testing.T) {
		t.Parallel()
		w, s := newWorld(t), newTarget(t, hangUp)
		w.run(to(s, func(s *notify.Settings) { s.Format = notify.Webhook }))
		w.saw(failedAt(1))
		w.until("it is told", func() bool { return w.waits() == 0 })
		first, second := s.next(t), s.next(t)
		if id := first.header.Get(notify.DeliveryHeader); id == "" || id != second.header.Get(notify.DeliveryHeader) {
			t.Errorf("delivered as %q and %q", id, second.header.Get(notify.DeliveryHeader))
		}
	})
	t.Run("a process that ended while it was sent", func(t *testing.T) {
		t.Parallel()
		w, slack, hook := newWorld(t), newTarget(t, nil), newTarget(t, nil)
		both := []notify.Settings{to(slack), to(hook, func(s *notify.Settings) { s.Name, s.Format = "hook", notify.Webhook })}
		w.open(both...)
		w.saw(failedAt(1))
		for _, name := range []string{"ops", "hook"} {
			if _, ok, _, err := w.box.Take(t.Context(), name); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		w.stop()
		w.run(both...)
		hook.next(t)
		w.until("nothing waits", func() bool { return w.waits() == 0 })
		if n := slack.count.Load(); n != 0 {
			t.Errorf("Slack is told %d times what it may know", n)
		}
	})
}

func TestRefused(t *testing.T) {
	t.Parallel()
	elsewhere := newTarget(t, nil)
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"gone": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no_service", http.StatusNotFound) },
		"redirected": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := newTarget(t, func(_ int, rw http.ResponseWriter, r *http.Request) { answer(rw, r) })
			w.run(to(s))
			w.saw(failedAt(1))
			w.until("it is given up", func() bool { return w.waits() == 0 })
			if s.count.Load() != 1 || elsewhere.count.Load() != 0 {
				t.Errorf("%d requests, %d to where it leads", s.count.Load(), elsewhere.count.Load())
			}
			if log := w.log.String(); !strings.Contains(log, "it answers 404") && !strings.Contains(log, "redirects are not followed") || strings.Contains(log, "verysecret") {
				t.Errorf("the log:\n%s", log)
			}
		})
	}
}

// TestADeadReceiverDelaysNobody: not the loop, which only has it noted down, and
// no other receiver.
func TestADeadReceiverDelaysNobody(t *testing.T) {
	t.Parallel()
	w, release := newWorld(t), make(chan struct{})
	dead := newTarget(t, func(int, http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	alive := newTarget(t, nil)
	w.run(to(dead), to(alive, func(s *notify.Settings) { s.Name = "alive" }))
	for n := range 3 {
		w.saw(failedAt(n + 1))
		if got := alive.text(t); !strings.Contains(got, fmt.Sprintf("check %d failed", n+1)) {
			t.Errorf("told %q", got)
		}
	}
}

// TestGivenUpAfterADay: old news is not told.
func TestGivenUpAfterADay(t *testing.T) {
	t.Parallel()
	w, slack := newWorld(t), newTarget(t, nil)
	w.open(to(slack))
	w.saw(failedAt(1))
	w.stop()
	w.move(25 * time.Hour)
	w.run(to(slack))
	w.until("it is given up", func() bool { return w.waits() == 0 })
	if n := slack.count.Load(); n != 0 {
		t.Errorf("told %d times", n)
	}
}

// TestSigned: the receiver can check who says it, when, and that it was not changed.
func TestSigned(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newTarget(t, nil)
	w.run(to(s, func(s *notify.Settings) { s.Format, s.Secret = notify.Webhook, "hush" }))
	w.saw(failedAt(1))
	got := s.next(t)
	timestamp, signature := notify.Sign("hush", nine, []byte(got.body))
	if got.header.Get(notify.TimestampHeader) != timestamp || got.header.Get(notify.SignatureHeader) != signature || !strings.HasPrefix(signature, "sha256=") {
		t.Errorf("signed %v, not %s %s", got.header, timestamp, signature)
	}
	var e notify.Event
	if err := json.Unmarshal([]byte(got.body), &e); err != nil {
		t.Fatal(err)
	}
	want := notify.Event{
		Version: 1, ID: got.header.Get(notify.DeliveryHeader), Kind: notify.Failed, At: minute(1), Repository: "acme/gitops", Pipeline: "services/checkout", Environment: "staging",
		Title: "checkout staging failed", Text: "check 1 failed", Revision: "r0", URL: "https://github.com/acme/gitops",
		Message: "checkout staging failed (acme/gitops): check 1 failed",
	}
	if diff := cmp.Diff(want, e, cmp.AllowUnexported(notify.Event{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHostileNames: nothing that comes from a repository can mention, link or
// break a line in Slack.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newTarget(t, nil)
	w.run(to(s))
	r := staging(func(e *view.Environment) {
		e.Verdicts = []view.Verdict{{
			Landing: "e1", Outcome: "failed", Time: minute(1), Reason: "<!channel> <@U1> <https://evil.example|click> & \u202etxet\x00\nsecond\u2028line",
			Evidence: []view.Evidence{{URL: "https://ok.example/a|b>c<d e"}},
		}}
		e.Needs = strings.Repeat("<&>", 3000)
	})
	r.Pipelines[0].Title = "<!here|x>"
	w.saw(r)
	got := s.text(t)
	first, rest, _ := strings.Cut(got, "\n")
	if want := "<https://ok.example/a%7Cb%3Ec%3Cd%20e|&lt;!here|x&gt; staging failed> (acme/gitops)"; first != want {
		t.Errorf("begins with %q, not %q", first, want)
	}
	second, third, _ := strings.Cut(rest, "\n")
	if want := "&lt;!channel&gt; &lt;@U1&gt; &lt;https://evil.example|click&gt; &amp; txet second line"; second != want {
		t.Errorf("then %q, not %q", second, want)
	}
	if len([]rune(got)) > 3000 || strings.ContainsAny(third, "<>") || strings.Contains(third, "\n") || !strings.HasSuffix(got, ";…") {
		t.Errorf("ends with %q", got[len(got)-60:])
	}
}

func TestTry(t *testing.T) {
	t.Parallel()
	s := newTarget(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n > 1 {
			http.Error(w, "invalid_token", http.StatusForbidden)
		}
	})
	r, err := notify.NewReceiver(to(s))
	if err != nil {
		t.Fatal(err)
	}
	if err := notify.Try(t.Context(), r, time.Now, "promobot", nil); err != nil {
		t.Error(err)
	}
	if got := s.text(t); !strings.Contains(got, "This is a test") {
		t.Errorf("told %q", got)
	}
	if err := notify.Try(t.Context(), r, time.Now, "promobot", nil); err == nil || !strings.Contains(err.Error(), "it answers 403: \"invalid_token\"") {
		t.Error(err)
	}
}
