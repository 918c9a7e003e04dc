package main

// What a Slack channel hears of a promotion that fails and is taken back: each
// thing once, over a restart, beside a receiver that never answers.

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promobot/promobot/handlers/notify"
	"github.com/promobot/promobot/promotion"
)

// hearing is a receiver of kind webhook.
type hearing struct {
	*httptest.Server
	mu    sync.Mutex
	heard []notify.Event
}

func newHearing(t *testing.T) *hearing {
	t.Helper()
	h := &hearing{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e notify.Event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.heard = append(h.heard, e)
	}))
	t.Cleanup(h.Close)
	return h
}

// kinds are what was heard of, in order.
func (h *hearing) kinds() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, e := range h.heard {
		all = append(all, string(e.Kind))
	}
	return all
}

func TestWhatIsTold(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	dead := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(dead.Close)
	answer := sync.OnceFunc(func() { close(release) })
	t.Cleanup(answer)
	ops := newHearing(t)
	s := newScene(t, sceneOptions{files: shopFiles(takenBackAtOnce, "dev", "prod")})
	s.settings = func(c *Config) {
		c.Notifications = []NotificationConfig{
			{Name: "dead", Kind: "slack", URL: Secret{dead.URL}, AllowPrivate: true, On: []string{"opened", "landed", "failed", "rolled_back"}},
			{Name: "ops", Kind: "webhook", URL: Secret{ops.URL}, AllowPrivate: true, Environments: []string{"prod"}},
		}
	}
	s.installed(2)
	bad := s.release("2.0.0")
	landed := s.landing(shopProd, bad)
	s.says(landed.Commit, "deploy", "failure", "<!channel> 0 of 3 replicas")
	s.wait("prod is rolled back", func() bool {
		l := s.ledgers()[shopProd].Landing
		return l != nil && l.Reverts == landed.ID
	})
	// The verdict and the rollback may be seen by one run or by several: failed is
	// told by itself or with the rollback.
	s.wait("the rollback is told", func() bool { return slices.Contains(ops.kinds(), "rolled_back") })
	s.settle()
	told := ops.kinds()
	if !slices.Equal(told, []string{"failed", "rolled_back"}) && !slices.Equal(told, []string{"rolled_back"}) {
		t.Errorf("told %v", told)
	}
	ops.mu.Lock()
	for _, e := range ops.heard {
		if e.Repository != "acme/gitops" || e.Environment != "prod" || !strings.HasPrefix(e.URL, s.sim.URL) || e.Title == "" || e.Text == "" {
			t.Errorf("told: %+v", e)
		}
	}
	ops.mu.Unlock()

	answer()
	s.stop()
	s.ahead.Add(int64(2 * promotion.Bound))
	s.start()
	s.settle()
	s.wait("a look after the restart is stored", func() bool { v := s.shown(); return v != nil && v.At.After(time.Now().Add(promotion.Bound)) })
	s.settle()
	if again := ops.kinds(); !slices.Equal(told, again) {
		t.Errorf("told %v, and after a restart %v", told, again)
	}
}
