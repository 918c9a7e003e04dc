package handlers_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/promobot/promobot/handlers"
)

func pass(context.Context) error { return nil }

func ask(t *testing.T, handler http.Handler) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	return w.Code, w.Body.String()
}

func TestLiveAsksNothing(t *testing.T) {
	if status, text := ask(t, http.HandlerFunc(handlers.Live)); status != http.StatusOK || text != "ok\n" {
		t.Fatalf("answered %d %q", status, text)
	}
}

func TestReadyNamesWhatIsMissing(t *testing.T) {
	var log bytes.Buffer
	fail := func(context.Context) error { return errors.New("GET https://api.github.com/app: 401") }
	cases := []struct {
		name   string
		checks []handlers.Check
		status int
		text   string
	}{
		{"all is well", []handlers.Check{{Name: "queue", Ready: pass}, {Name: "github", Ready: pass}}, 200, "queue: ok\ngithub: ok\n"},
		{"one is not", []handlers.Check{{Name: "queue", Ready: pass}, {Name: "github", Ready: fail}}, 503, "queue: ok\ngithub: not ready\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			log.Reset()
			status, text := ask(t, handlers.Ready(zerolog.New(&log), c.checks...))
			if status != c.status {
				t.Errorf("answered %d", status)
			}
			if diff := cmp.Diff(c.text, text); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if strings.Contains(log.String(), "401") != (c.status == 503) {
				t.Errorf("log %q", log.String())
			}
		})
	}
}

func TestReadyDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		hang := handlers.Check{Name: "github", Ready: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		status, text := ask(t, handlers.Ready(zerolog.Nop(), hang, handlers.Check{Name: "queue", Ready: pass}))
		if status != http.StatusServiceUnavailable || !strings.Contains(text, "queue: ok") || time.Since(started) > 5*time.Second {
			t.Errorf("answered %d %q after %v", status, text, time.Since(started))
		}
	})
}

func TestRememberedAsksSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, failing := 0, true
		check := handlers.Remembered(handlers.Check{Name: "github", Ready: func(ctx context.Context) error {
			asked++
			if failing {
				return errors.New("401")
			}
			return ctx.Err()
		}}, time.Minute)
		for range 10 { // nine seconds
			if check.Ready(t.Context()) == nil {
				t.Fatal("a failure was taken for a success")
			}
			time.Sleep(time.Second)
		}
		if asked != 2 { // at 0 and 6 s
			t.Errorf("asked %d times while failing, want 2", asked)
		}
		failing, asked = false, 0
		time.Sleep(10 * time.Second)
		for range 60 {
			if err := check.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if asked != 1 {
			t.Errorf("asked %d times in a good minute, want 1", asked)
		}

		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if check.Ready(gone) == nil {
			t.Error("a question that was hung up on succeeded")
		}
		if err := check.Ready(t.Context()); err != nil {
			t.Errorf("the next one got the hung-up one's failure: %v", err)
		}
	})
}
