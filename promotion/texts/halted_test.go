package texts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

func TestHaltedComment(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 3, 16, 56, 0, 0, time.UTC)
	h := texts.Halted{
		Environment: "prod-eu", Landing: "9f3c1d2aa0", Reason: "1.42.0 failed its verification: check slo/checkout ended with failure",
		Held: true, People: []string{"ana", "acme/oncall"},
		Verdict: &state.Verdict{Outcome: state.Failed, Time: at, Evidence: []state.Evidence{
			{Name: "slo/checkout", Outcome: "failure", URL: "https://slo.example.com/1", Text: "error rate 4.1 % > 1 %", Time: at},
			{Name: "argocd/checkout", Outcome: "success", Time: at},
		}},
	}
	got := texts.HaltedComment(h)
	for _, want := range []string{
		texts.HaltedMark(h.Landing), "prod-eu", "✗ [slo/checkout](https://slo.example.com/1)", "error rate 4.1 % &#62; 1 %", "✓ argocd/checkout",
		"`/promobot rollback prod-eu`", "`/promobot resume prod-eu`", "cc @ana @acme/oncall",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
	h.Rollback = true
	if got := texts.HaltedComment(h); strings.Contains(got, "/promobot rollback") || !strings.Contains(got, "This rollback") {
		t.Errorf("a failed rollback:\n%s", got)
	}
	h.Reason = "<script> @all [x](javascript:1) \n# heading"
	h.Verdict.Evidence[0] = state.Evidence{Name: "](http://evil) @all", URL: "javascript:alert(1)", Outcome: "failure", Text: "<b>"}
	for _, bad := range []string{"<script>", "@all", "javascript:alert", "\n# heading", "<b>"} {
		if got := texts.HaltedComment(h); strings.Contains(got, bad) {
			t.Errorf("it lets %q through:\n%s", bad, got)
		}
	}
}
