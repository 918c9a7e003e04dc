package githubsim_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/internal/githubsim"
)

func TestDeliveriesAreSentAgain(t *testing.T) {
	w := newWorld(t)
	w.drained()
	w.box.setAnswer(500)
	w.check("promobot", "queued", "")
	lost := w.drained()
	app := w.AppClient(w.app)
	failed := func() []*github.HookDelivery {
		t.Helper()
		list, _, err := app.Apps.ListHookDeliveries(t.Context(), &github.ListCursorOptions{PerPage: 100})
		w.must(err)
		var out []*github.HookDelivery
		for _, d := range list {
			if d.GetStatusCode() != 200 {
				out = append(out, d)
			}
		}
		return out
	}
	list := failed()
	if len(list) != 1 || list[0].GetEvent() != "check_run" || list[0].GetStatusCode() != 500 {
		t.Fatalf("failed deliveries %v, want the check run's", list)
	}
	w.box.setAnswer(200)
	_, _, err := app.Apps.RedeliverHookDelivery(t.Context(), list[0].GetID())
	w.must(ignoreAccepted(err))
	again := w.drained()
	if len(again) != 1 || again[0].guid != lost[0].guid {
		t.Errorf("sent again: %v, want the same GUID %s", again, lost[0].guid)
	}
	one, _, err := app.Apps.GetHookDelivery(t.Context(), list[0].GetID())
	w.must(err)
	if one.Request == nil || one.Request.Headers["X-Github-Event"] != "check_run" {
		t.Errorf("request of the delivery %v, want GitHub's headers", one.Request)
	}
	var pages int
	cursor := &github.ListCursorOptions{PerPage: 1}
	for {
		_, resp, err := app.Apps.ListHookDeliveries(t.Context(), cursor)
		w.must(err)
		pages++
		if resp.Cursor == "" {
			break
		}
		cursor.Cursor = resp.Cursor
	}
	if all, _, err := app.Apps.ListHookDeliveries(t.Context(), &github.ListCursorOptions{PerPage: 100}); err != nil || len(all) != pages {
		t.Errorf("%d pages of one, %d deliveries, error %v", pages, len(all), err)
	}
}

// ignoreAccepted drops the error that go-github makes of a 202.
func ignoreAccepted(err error) error {
	if _, ok := errors.AsType[*github.AcceptedError](err); ok {
		return nil
	}
	return err
}

func TestWebhookFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault githubsim.HookFault
		want  []string // the names of the check runs told about, in order
	}{
		{name: "none", fault: githubsim.HookFault{Event: "push", Effect: githubsim.LostWebhook()}, want: []string{"a", "b", "c"}},
		{name: "one lost", fault: githubsim.HookFault{Event: "check_run", Occurrences: []int{2}, Effect: githubsim.LostWebhook()}, want: []string{"a", "c"}},
		{name: "all twice", fault: githubsim.HookFault{Event: "check_run", Effect: githubsim.DuplicatedWebhook(2)}, want: []string{"a", "a", "b", "b", "c", "c"}},
		{name: "the first late", fault: githubsim.HookFault{Event: "check_run", Times: 1, Effect: githubsim.DelayedWebhook(time.Hour)}, want: []string{"b", "c", "a"}},
		{name: "one failed", fault: githubsim.HookFault{Event: "check_run", Occurrences: []int{1}, Effect: githubsim.FailedWebhook()}, want: []string{"b", "c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.drained()
			defer w.InjectHook(tt.fault)()
			for _, name := range []string{"a", "b", "c"} {
				w.check(name, "queued", "")
			}
			w.waitFor(func() bool { return w.box.count() >= min(len(tt.want), 2) })
			w.clock.advance(2 * time.Hour)
			w.Poke()
			var got []string
			for _, one := range w.drained() {
				run, _ := one.body["check_run"].(map[string]any)
				name, _ := run["name"].(string)
				got = append(got, name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("webhooks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeldWebhooksAreReleasedInAnyOrder(t *testing.T) {
	w := newWorld(t)
	w.drained()
	w.HoldWebhooks()
	for _, name := range []string{"a", "b", "c"} {
		w.check(name, "queued", "")
	}
	if got := w.drained(); len(got) != 0 {
		t.Fatalf("held webhooks came: %v", names(got))
	}
	n, err := w.ReleaseWebhooks(func(list []githubsim.Webhook) []githubsim.Webhook {
		return []githubsim.Webhook{list[2], list[0], list[0]}
	})
	w.must(err)
	got := w.drained()
	if n != 3 || len(got) != 3 || got[1].guid != got[2].guid || got[0].guid == got[1].guid {
		t.Errorf("released %d, got %v, want c, a, a", n, got)
	}
}
