// Health: /livez says that the process answers and asks nothing else, so that no
// outage elsewhere has it restarted; /readyz says whether it can do its work, and
// what is missing.

package handlers

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// checkWithin bounds one readiness check; probes usually wait ten seconds.
const checkWithin = 5 * time.Second

// Check is one thing that must work. Its error is logged; the answer, which
// strangers may read, only names the check.
type Check struct {
	Name  string
	Ready func(context.Context) error
}

// Live is /livez.
func Live(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprintln(w, "ok")
}

// Ready is /readyz: 200 when all checks pass, else 503, with a line for each.
func Ready(log zerolog.Logger, checks ...Check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkWithin)
		defer cancel()
		failures := make([]error, len(checks))
		var group sync.WaitGroup
		for n, check := range checks {
			group.Go(func() { failures[n] = check.Ready(ctx) })
		}
		group.Wait()

		status := http.StatusOK
		var text strings.Builder
		for n, check := range checks {
			verdict := "ok"
			if failures[n] != nil {
				status, verdict = http.StatusServiceUnavailable, "not ready"
				log.Warn().Err(failures[n]).Str("check", check.Name).Msg("Not ready")
			}
			fmt.Fprintf(&text, "%s: %s\n", check.Name, verdict)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text.String()))
	}
}

// Remembered keeps a check's success for a while, and its failure for a tenth of
// that, so that probes every few seconds do not ask GitHub as often.
func Remembered(check Check, keep time.Duration) Check {
	var (
		mu    sync.Mutex
		until time.Time
		last  error
	)
	return Check{Name: check.Name, Ready: func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if time.Now().Before(until) {
			return last
		}
		last = check.Ready(ctx)
		switch {
		case last == nil:
			until = time.Now().Add(keep)
		case ctx.Err() == nil: // whoever asked did not just hang up
			until = time.Now().Add(keep / 10)
		}
		return last
	}}
}
