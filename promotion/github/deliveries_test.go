package github_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/internal/githubsim"
)

// TestDeliveries: what GitHub delivered and what it could not, over several
// pages, by event, time and outcome, and the payload of one.
func TestDeliveries(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	app, err := w.CreateApp(githubsim.AppOptions{Owner: "acme", Name: "listener", Permissions: granted, Events: []string{"repository_dispatch", "create"}})
	w.must(err)
	w.bot = app
	w.inst, err = w.Install(app.ID, "acme")
	w.must(err)
	w.restart()
	takes := true
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if !takes {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer hook.Close()
	w.must(w.SetWebhook(app.ID, hook.URL, "a secret"))
	dispatch := func(n int) {
		w.must(w.Dispatch(shop, "olga", "built", map[string]any{"n": n}))
		w.must(w.Drain(ctx))
		w.clock.advance(time.Second)
	}
	begin := w.clock.Now()
	for n := range 150 {
		takes = n%50 != 0
		dispatch(n)
	}
	takes = false
	w.must(w.Tag(shop, "olga", "v1", ""))
	w.must(w.Drain(ctx))

	dispatches := func(event, action string) bool { return event == "repository_dispatch" && action == "built" }
	all, err := w.app.Deliveries(ctx, dispatches, begin, false)
	w.must(err)
	if len(all) != 150 {
		t.Errorf("%d dispatches, want 150", len(all))
	}
	missed := 0
	for _, d := range all {
		if d.Failed {
			missed++
		}
	}
	if missed != 3 {
		t.Errorf("%d of them have failed, want 3", missed)
	}
	some, err := w.app.Deliveries(ctx, dispatches, begin.Add(100*time.Second), false)
	w.must(err)
	if len(some) != 50 {
		t.Errorf("%d dispatches since the hundredth, want 50", len(some))
	}
	failed, err := w.app.Deliveries(ctx, dispatches, begin, true)
	w.must(err)
	var at []time.Duration
	for _, d := range failed {
		at = append(at, d.At.Sub(begin))
		if d.GUID == "" || d.RepositoryID != w.id || !d.Failed || d.Event != "repository_dispatch" || d.Action != "built" {
			t.Errorf("%+v", d)
		}
	}
	if diff := cmp.Diff([]time.Duration{100 * time.Second, 50 * time.Second, 0}, at); diff != "" {
		t.Fatalf("those that failed (-want +got):\n%s", diff)
	}
	payload, err := w.app.DeliveryPayload(ctx, failed[1].ID)
	w.must(err)
	var got struct {
		Action  string         `json:"action"`
		Payload map[string]int `json:"client_payload"`
	}
	w.must(json.Unmarshal(payload, &got))
	if got.Action != "built" || got.Payload["n"] != 50 {
		t.Errorf("its payload is %+v", got)
	}
	if _, err := w.app.DeliveryPayload(ctx, 1<<40); kind(err) != "not found" {
		t.Errorf("a delivery that is not there: %v (%s)", err, kind(err))
	}
	w.Inject(githubsim.Fault{Path: "/app/hook/deliveries", Occurrences: []int{2}, Effect: githubsim.BadGateway()})
	if list, err := w.app.Deliveries(ctx, dispatches, begin, false); err == nil {
		t.Errorf("%d deliveries, though a page is missing", len(list))
	}
}
