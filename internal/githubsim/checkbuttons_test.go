package githubsim_test

// The buttons of check runs: who sees them, whom GitHub tells, and what a page
// says.

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"
)

func TestButtonsArePressed(t *testing.T) {
	w := newWorld(t)
	run := w.check("promobot", "completed", "neutral")
	_, _, err := w.bot.Checks.UpdateCheckRun(t.Context(), "acme", "shop", run.GetID(), github.UpdateCheckRunOptions{
		Name: "promobot", Actions: []*github.CheckRunAction{{Label: "Hold <prod>", Description: "Merges nothing", Identifier: "hold:0123456789"}},
	})
	w.must(err)
	open := w.check("slow", "in_progress", "")
	_, _, err = w.bot.Checks.UpdateCheckRun(t.Context(), "acme", "shop", open.GetID(), github.UpdateCheckRunOptions{
		Name: "slow", Actions: []*github.CheckRunAction{{Label: "Stop", Description: "Stops it", Identifier: "stop"}},
	})
	w.must(err)
	w.drained()
	for _, c := range []struct {
		name, login, button string
		id                  int64
	}{
		{"a reader", "rita", "hold:0123456789", run.GetID()},
		{"nobody", "nobody", "hold:0123456789", run.GetID()},
		{"the App's bot", "promobot[bot]", "hold:0123456789", run.GetID()},
		{"a button that it has not", "mona", "explode", run.GetID()},
		{"a run that is not there", "mona", "hold:0123456789", 1 << 40},
		{"a run that is not completed", "mona", "stop", open.GetID()},
	} {
		if err := w.PressButton("acme/shop", c.login, c.id, c.button); err == nil {
			t.Errorf("%s pressed it", c.name)
		}
	}
	if got := w.drained(); len(got) > 0 {
		t.Errorf("webhooks of presses that are refused: %v", names(got))
	}
	w.must(w.PressButton("acme/shop", "mona", run.GetID(), "hold:0123456789"))
	w.must(w.RerunCheck("acme/shop", "mona", run.GetID()))
	got := w.drained()
	if diff := cmp.Diff([]string{"check_run requested_action", "check_run rerequested"}, names(got)); diff != "" {
		t.Fatalf("webhooks (-want +got):\n%s", diff)
	}
	sender, _ := got[0].body["sender"].(map[string]any)
	if s := fmt.Sprint(got[0].body["requested_action"], " ", sender["login"], " ", sender["type"]); s != "map[identifier:hold:0123456789] mona User" {
		t.Errorf("the webhook says %s", s)
	}
	states, err := w.CheckRuns("acme/shop", w.head)
	w.must(err)
	if states[0].Status != "completed" || states[0].Conclusion != "neutral" {
		t.Errorf("the press changed the run: %+v", states[0])
	}
}

func TestButtonsOnPages(t *testing.T) {
	w := newWorld(t)
	run := w.check("promobot", "completed", "neutral")
	_, _, err := w.bot.Checks.UpdateCheckRun(t.Context(), "acme", "shop", run.GetID(), github.UpdateCheckRunOptions{
		Name: "promobot", Actions: []*github.CheckRunAction{{Label: "Hold <prod>", Description: `"><script>`, Identifier: "hold:0123456789"}},
	})
	w.must(err)
	w.drained()
	path := fmt.Sprintf("/acme/shop/runs/%d", run.GetID())
	status, text := w.page(path)
	if status != http.StatusOK {
		t.Fatalf("the page is %d", status)
	}
	for _, want := range []string{"Hold &lt;prod&gt;</button>", `value="hold:0123456789"`, "<option>mona</option>", "Re-run</button>"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %s:\n%s", want, text)
		}
	}
	for _, not := range []string{"<option>rita</option>", `"><script>`} {
		if strings.Contains(text, not) {
			t.Errorf("the page has %s", not)
		}
	}
	press := func(form url.Values) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+path, strings.NewReader(form.Encode()))
		w.must(err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := http.DefaultTransport.RoundTrip(req)
		w.must(err)
		w.must(resp.Body.Close())
		return resp.StatusCode
	}
	if got := press(url.Values{"person": {"rita"}, "button": {"hold:0123456789"}}); got != http.StatusUnprocessableEntity {
		t.Errorf("a reader's press is answered %d", got)
	}
	if got := press(url.Values{"person": {"mona"}, "button": {"hold:0123456789"}}); got != http.StatusSeeOther {
		t.Errorf("a press is answered %d", got)
	}
	if got := press(url.Values{"person": {"mona"}}); got != http.StatusSeeOther {
		t.Errorf("Re-run is answered %d", got)
	}
	if diff := cmp.Diff([]string{"check_run requested_action", "check_run rerequested"}, names(w.drained())); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}
}
