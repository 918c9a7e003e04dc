package promotion_test

// What speaks for a landing and what against it.

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// asks is a landing of which other evidence is asked for.
func asks(v config.Verify, results ...promotion.CheckResult) func() *promotion.Snapshot {
	return func() *promotion.Snapshot {
		s := landed(results...)
		known := at(s, "staging").Config.Verify
		v.Timeout, v.RedFor, v.OnTimeout = known.Timeout, known.RedFor, known.OnTimeout
		at(s, "staging").Config.Verify = &v
		return s
	}
}

func names(any bool, names ...string) *config.Evidence {
	return &config.Evidence{Names: names, Any: any}
}

func evidenceSituations() []situation {
	changed := func(r promotion.CheckResult, change func(*promotion.CheckResult)) promotion.CheckResult {
		change(&r)
		return r
	}
	own := changed(result("deploy", "success"), func(r *promotion.CheckResult) { r.ByApp = true })
	other := changed(result("deploy", "success"), func(r *promotion.CheckResult) { r.Slug = "someone-else" })
	argo := changed(result("deploy", "success"), func(r *promotion.CheckResult) { r.Slug = "argocd" })
	deployment := changed(result("staging-eu", "success"), func(r *promotion.CheckResult) { r.Kind = promotion.DeploymentResult })
	workflow := changed(result("Smoke tests", "success"), func(r *promotion.CheckResult) {
		r.Kind, r.File = promotion.WorkflowResult, ".github/workflows/smoke.yml"
	})
	later := changed(result("deploy", "success"), func(r *promotion.CheckResult) { r.Commit, r.Time = "f", now.Add(-time.Hour) })
	first := changed(result("deploy", "failure"), func(r *promotion.CheckResult) { r.Time = now.Add(-5 * time.Minute) })
	both := config.Verify{Checks: names(false, "deploy"), Deployments: names(false, "staging-*"), Workflows: names(true, "smoke.yml")}
	deploy := config.Verify{Checks: names(false, "deploy")}
	fromArgo := config.Verify{Checks: &config.Evidence{Names: []string{"deploy"}, App: "argocd"}}
	return []situation{
		{name: "nothing has reported", of: asks(deploy)},
		{name: "a check that was not asked for", of: asks(deploy, result("lint", "success"))},
		{name: "a check succeeded", of: asks(deploy, result("deploy", "success"))},
		{name: "a check is neutral", of: asks(deploy, result("deploy", "neutral"))},
		{name: "a check was skipped", of: asks(deploy, result("deploy", "skipped"))},
		{name: "a check was cancelled", of: asks(deploy, result("deploy", "cancelled"))},
		{name: "a check is running", of: asks(deploy, promotion.CheckResult{Name: "deploy", Status: "in_progress", Commit: "e"})},
		{name: "a check failed a moment ago", of: asks(deploy, result("deploy", "failure"))},
		{name: "two checks failed at once", of: asks(config.Verify{Checks: names(false, "deploy", "smoke")}, result("deploy", "failure"), result("smoke", "timed_out"))},
		{name: "failure, then success on the same commit", of: asks(deploy, first, result("deploy", "success"))},
		{name: "the newest commit counts, not the newest report", of: asks(deploy, later, result("deploy", "failure"))},
		{name: "promobot's own check", of: asks(deploy, own)},
		{name: "a check named alike by another App", of: asks(fromArgo, other)},
		{name: "the check of the App that is asked for", of: asks(fromArgo, other, argo)},
		{name: "one of two, where one is enough", of: asks(config.Verify{Checks: names(true, "deploy", "smoke")}, result("deploy", "failure"), result("smoke", "success"))},
		{name: "one failed of two, where one is enough", of: asks(config.Verify{Checks: names(true, "deploy", "smoke")}, result("deploy", "failure"))},
		{name: "both failed, where one is enough", of: asks(config.Verify{Checks: names(true, "deploy", "smoke")}, result("deploy", "failure"), result("smoke", "failure"))},
		{name: "a pattern that nothing meets", of: asks(config.Verify{Checks: names(false, "argocd/*")}, result("deploy", "success"))},
		{name: "a pattern that two meet", of: asks(config.Verify{Checks: names(false, "argocd/*")}, result("argocd/eu", "success"), result("argocd/us", "failure"))},
		{name: "a check does not speak for a deployment", of: asks(config.Verify{Deployments: names(false, "deploy")}, result("deploy", "success"))},
		{name: "all kinds, one missing", of: asks(both, result("deploy", "success"), deployment)},
		{name: "all kinds", of: asks(both, result("deploy", "success"), deployment, workflow)},
		{name: "an inactive deployment", of: asks(config.Verify{Deployments: names(false, "staging-*")}, changed(deployment, func(r *promotion.CheckResult) { r.Conclusion = "inactive" }))},
		{name: "a landing that was force-pushed away", of: with(asks(deploy), func(_ *promotion.Snapshot, o *promotion.Observed) {
			o.Landings, o.Results = nil, nil
		})},
		{name: "results that could not be read", of: with(asks(deploy), func(_ *promotion.Snapshot, o *promotion.Observed) { o.Results = nil })},
	}
}

// TestEvidence holds that what is verified is so because every name that is
// asked for has something good on it, or one of them where one is enough, that
// promobot's own word never counts, and that nothing red is there.
func TestEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := []string{"deploy", "smoke"}[:rapid.IntRange(1, 2).Draw(t, "asked")]
		anyOf := rapid.Bool().Draw(t, "any")
		var results []promotion.CheckResult
		last := map[string]string{}
		for range rapid.IntRange(0, 6).Draw(t, "results") {
			r := result(rapid.SampledFrom([]string{"deploy", "smoke", "lint"}).Draw(t, "name"),
				rapid.SampledFrom([]string{"success", "neutral", "failure", "error", "skipped", "cancelled", "stale", ""}).Draw(t, "conclusion"))
			r.ByApp = rapid.IntRange(0, 3).Draw(t, "own") == 0
			r.Time = now.Add(time.Duration(len(results)) * time.Second) // the newest comes last
			if results = append(results, r); !r.ByApp {
				last[r.Name] = r.Conclusion
			}
		}
		good, bad := 0, 0
		for _, name := range asked {
			switch last[name] {
			case "success", "neutral":
				good++
			case "failure", "error":
				bad++
			}
		}
		want := good == len(asked)
		red := bad > 0
		if anyOf {
			want, red = good > 0, good == 0 && bad == len(asked)
		}
		s := asks(config.Verify{Checks: names(anyOf, asked...)}, results...)()
		d := decisionOn(s, "staging")
		a, ok := d.Action.(promotion.Append)
		verified := ok && a.State.VerdictOf("e") != nil && a.State.VerdictOf("e").Outcome == state.Verified
		if verified != want {
			t.Fatalf("verified is %v, with %v of %v (any: %v)", verified, last, asked, anyOf)
		}
		if failing := strings.Contains(d.Reason, "is failing"); failing != red {
			t.Fatalf("failing is %v, with %v of %v (any: %v): %s", failing, last, asked, anyOf, d.Reason)
		}
	})
}
