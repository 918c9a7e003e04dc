package texts_test

// Situations after a landing: it is watched, verified, fails, is held, is taken
// back, by promobot or by people.

import (
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

var landedAt = tuesday.Add(-2*time.Hour - 24*time.Minute)

// failedVerdict is of what #915 landed in prod-eu.
func failedVerdict() *state.Verdict {
	return &state.Verdict{
		Landing: id(20), Revision: id(1), Outcome: state.Failed, Reason: "check slo/checkout ended with failure: error rate 4.1 % > 1 %",
		Since: landedAt.Add(11 * time.Minute), Time: landedAt.Add(12 * time.Minute),
		Evidence: []state.Evidence{
			{Name: "argocd/checkout-prod-eu", Outcome: "success", Commit: id(20), URL: "https://argocd.acme.example/applications/checkout-prod-eu", Time: landedAt.Add(2 * time.Minute)},
			{Name: "slo/checkout", Outcome: "failure", Commit: id(20), URL: "https://grafana.acme.example/d/slo?var-service=checkout&from=now-1h", Text: "error rate 4.1 % > 1 %", Time: landedAt.Add(11 * time.Minute)},
		},
	}
}

// rollback takes back in prod-eu what #915 landed there.
func rollback() texts.Promotion {
	p := auto()
	p.Config.Rollback = config.Auto
	p.Config.Verify = &config.Verify{Checks: &config.Evidence{Names: []string{"slo/checkout"}}, Timeout: time.Hour, Line: 9}
	p.Config.OnFailure = []config.Step{{Do: config.Rollback, Limit: 1, Scope: config.ScopeEnvironment}}
	reverts := state.Reverts{
		Promotion: p.State.ID, Landing: id(20), Before: id(9), Commit: id(10), PullRequest: 915, Revision: id(1),
		Reason: "check slo/checkout ended with failure: error rate 4.1 % > 1 %",
	}
	p.State = state.Promotion{
		ID: "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", Status: state.Opened, Revision: id(70), Origin: "dev", Attempt: 1,
		Base: id(30), Commit: id(31), Branch: "promobot/services=2Fcheckout/prod-eu/y", Expected: "e5d1" + p.State.Expected[4:], Claimed: landedAt.Add(13 * time.Minute),
		PullRequest: 917, URL: "https://github.example/acme/fleet/pull/917", Reverts: &reverts,
	}
	p.Decision.Standing, p.Decision.Reason, p.Decision.Until = promotion.Waiting, "check ci has not finished", time.Time{}
	p.Decision.Gates = []promotion.Gate{
		{Name: "rollback", Passed: true, Text: "1a2c3c4d61 is taken back: check slo/checkout ended with failure: error rate 4.1 % > 1 %"},
		{Name: "label", Passed: true, Text: "no label holds it"},
		{Name: "github", Text: "check ci has not finished"},
	}
	p.Decision.Content = &content.Result{
		Changes: []content.Change{{File: "services/checkout/overlays/prod-eu/kustomization.yaml", Value: "images.checkout.newTag", Now: "1.42.0", After: "1.40.0", Kinds: []content.Kind{content.Downgrade}}},
		Kinds:   []content.Kind{content.Downgrade}, From: "1.42.0", To: "1.40.0",
	}
	p.Way = nil
	p.Rollback = texts.Rollback{
		Landing: &state.Landing{
			ID: reverts.Promotion, Commit: id(20), Before: id(9), Revision: id(1), Method: "merge", By: "ana", PullRequest: 915, Time: landedAt, Promoted: id(10),
			Was: &state.Was{Revision: id(70), Time: landedAt.AddDate(0, 0, -12), Verified: landedAt.AddDate(0, 0, -12).Add(4 * time.Hour)},
		},
		Verdict: failedVerdict(),
		Failure: &state.Failure{Revision: id(1), Kind: "verification", Scope: "environment", Steps: []state.Taken{
			{Do: "restart", Time: landedAt.Add(5 * time.Minute), Result: "done"},
			{Do: "run", Step: 1, Time: landedAt.Add(8 * time.Minute), Result: "failed", URL: "https://github.example/acme/fleet/actions/runs/4711"},
			{Do: "rollback", Step: 2, Time: landedAt.Add(12 * time.Minute)},
		}},
		Hold: &state.Hold{Reason: "1a2c3c4d61 failed its verification", By: "promobot", Since: landedAt.Add(12 * time.Minute), Failed: id(20)},
		Later: []promotion.Commit{
			{ID: id(29), Author: promotion.Person{Name: "Bo Lind"}, Message: "Raise the memory limit (#916)"},
			{ID: id(28), Author: promotion.Person{Name: "Bo Lind"}, Message: "Note the runbook"},
		},
		Elsewhere: []texts.Step{
			{Environment: "dev", Carries: true},
			{Environment: "staging", Carries: true},
			{Environment: "prod-canary", Carries: true},
			{Environment: "prod-eu", Carries: true, Here: true},
			{Environment: "prod-us", PullRequest: 914},
		},
		People: []string{"acme/checkout-oncall"},
	}
	return p
}

func rollbacks() map[string]texts.Promotion {
	ps := map[string]texts.Promotion{"auto": rollback()}
	for name, change := range map[string]func(*texts.Promotion){
		// What callers that know nothing of rollbacks give.
		"bare": func(p *texts.Promotion) { p.Rollback, p.Brings, p.More, p.Before = texts.Rollback{}, nil, 0, "" },
		"propose": func(p *texts.Promotion) {
			p.Config.Rollback = config.Propose
			p.Config.Settings = append(p.Config.Settings, config.Setting{Key: "rollback", Value: "propose", From: config.Source{Line: 12}})
			p.Decision.Standing, p.Decision.Reason = promotion.Proposed, "#917 waits for a person to merge it (rollback: propose)"
			p.Decision.Gates = p.Decision.Gates[:2]
		},
		"timeout": func(p *texts.Promotion) {
			v := p.Rollback.Verdict
			v.Evidence, v.Since, v.Reason = v.Evidence[:1], time.Time{}, "after 1h check slo/checkout has not reported yet"
			p.State.Reverts.Reason = v.Reason
			p.Rollback.Failure = &state.Failure{Kind: "timeout"}
		},
		"two-checks": func(p *texts.Promotion) {
			p.Rollback.Verdict.Evidence[0].Outcome, p.Rollback.Verdict.Evidence[0].Text = "failure", "Degraded"
		},
		"asked": func(p *texts.Promotion) {
			p.State.Reverts.By, p.State.Reverts.Reason = "ana", "@ana asked for it"
			p.Rollback.Verdict, p.Rollback.Failure, p.Rollback.Hold = nil, nil, nil
			p.Rollback.Landing.Was.Verified = time.Time{}
			p.Rollback.Landing.By, p.Rollback.Later = "promobot", []promotion.Commit{}
		},
		"scope": func(p *texts.Promotion) {
			p.State.Reverts.Cause = "prod-canary"
			p.Rollback.Hold = nil
			p.Rollback.Elsewhere[3].Rollback = nil
			p.Rollback.Elsewhere[2].Rollback = &state.Promotion{Status: state.Landed, PullRequest: 916}
			p.Rollback.Elsewhere[4] = texts.Step{Environment: "prod-us", Carries: true, Rollback: &state.Promotion{Status: state.Opened, PullRequest: 918}}
		},
		"conflict": func(p *texts.Promotion) {
			c := p.Decision.Content
			c.Changes[0].Overwrites, c.Changes[0].Now, c.From = true, "1.42.1", "1.42.1"
			c.Refused = []content.Refusal{{File: "services/checkout/overlays/prod-eu/config/app.yaml", Reason: "in prod-eu it is a submodule", Remedy: "make it a file there, or name it under except"}}
			p.Decision.Standing = promotion.Proposed
			p.Decision.Gates = []promotion.Gate{p.Decision.Gates[0], {Name: "conflict", Text: "a person has to finish it: services/checkout/overlays/prod-eu/config/app.yaml in prod-eu it is a submodule"}, p.Decision.Gates[1]}
			p.Decision.Reason = "#917: " + p.Decision.Gates[1].Text
		},
		"merging": func(p *texts.Promotion) {
			p.Decision.Standing, p.Decision.Reason = promotion.Merging, "all gates are open"
			p.Decision.Gates[2] = promotion.Gate{Name: "github", Passed: true, Text: "GitHub allows the merge"}
		},
		"labelled": func(p *texts.Promotion) {
			p.Decision.Standing = promotion.Proposed
			p.Decision.Gates = p.Decision.Gates[:2]
			p.Decision.Gates[1] = promotion.Gate{Name: "label", Text: "the label promobot/hold holds it; take the label off to go on"}
			p.Decision.Reason = "#917: " + p.Decision.Gates[1].Text
		},
		"vetoed": func(p *texts.Promotion) {
			p.State.Status, p.State.By, p.State.Reason = state.Vetoed, "ana", "closed without merging"
			p.Decision.Standing, p.Decision.Gates = promotion.Stopped, nil
			p.Decision.Reason = "@ana closed #917, which rolls 1a2c3c4d61 back; the hold stays. /promobot rollback prod-eu proposes it again, /promobot resume prod-eu goes on without"
		},
		"landed": func(p *texts.Promotion) {
			p.State.Status = state.Landed
			p.Decision.Standing, p.Decision.Gates, p.Decision.Reason = promotion.UpToDate, nil, "1a723c4e30 landed as 9f3c1d2e5a"
		},
		"again": func(p *texts.Promotion) {
			p.State.Attempt, p.State.Cause, p.State.Rebuild = 2, "main changed the same files", 1
			p.State.Attempts = []state.Rebuild{{Why: "main changed the same files", From: id(30), To: id(32), Time: landedAt.Add(15 * time.Minute)}}
		},
		"squashed-files": func(p *texts.Promotion) {
			p.Rollback.Landing.Method = "squash"
			p.Decision.Content.From, p.Decision.Content.To = "", ""
			p.Decision.Content.Changes = []content.Change{{File: "services/checkout/overlays/prod-eu/config/app.yaml", Now: "13 lines", After: "12 lines", Merged: true}}
		},
	} {
		ps[name] = with(rollback(), change)
	}
	return ps
}

// onTheWay is checkout's revision, with staging's verification as given.
func onTheWay(change func(staging, prod *texts.Step)) texts.Revision {
	r := services(1, func(_ int, s *texts.Step) {
		if s.Environment == "prod" {
			s.Standing, s.PullRequest, s.Reason = promotion.UpToDate, 0, ""
		}
	})
	steps := r.Pipelines[0].Steps
	change(&steps[1], &steps[2])
	return r
}

func verifications() map[string]struct {
	revision   texts.Revision
	conclusion string
} {
	argocd := state.Evidence{Name: "argocd/svc-staging", Outcome: "success", Commit: id(200), URL: "https://argocd.acme.example/applications/svc-staging", Time: tuesday.Add(2 * time.Minute)}
	slo := state.Evidence{Name: "slo/checkout", Outcome: "failure", Commit: id(200), URL: "https://grafana.acme.example/d/slo", Text: "error rate 4.1 % > 1 %", Time: tuesday.Add(11 * time.Minute)}
	soaks := func(s, _ *texts.Step) {
		s.Standing = promotion.Verifying
		s.Verification = &promotion.Verification{
			Text: "1a2c3c4d61 soaks until 3 Mar 17:48 UTC: argocd/svc-staging ✓", Until: tuesday.Add(63 * time.Minute), Evidence: []state.Evidence{argocd},
			Watch: &state.Watch{Landing: id(200), Since: tuesday, Holding: tuesday.Add(3 * time.Minute)},
		}
	}
	fails := func(s, prod *texts.Step) {
		s.Standing = promotion.Stopped
		s.Verification = &promotion.Verification{Verdict: &state.Verdict{
			Landing: id(200), Revision: id(1), Outcome: state.Failed, Reason: "check slo/checkout ended with failure: error rate 4.1 % > 1 %",
			Since: tuesday.Add(11 * time.Minute), Time: tuesday.Add(12 * time.Minute), Evidence: []state.Evidence{argocd, slo},
		}}
		s.Failure = &state.Failure{Revision: id(1), Kind: "verification", Steps: []state.Taken{{Do: "halt"}}, Over: true}
		s.Hold = &state.Hold{Reason: "1a2c3c4d61 failed its verification", By: "promobot", Since: tuesday.Add(12 * time.Minute), Failed: id(200)}
		prod.Standing, prod.Reason = promotion.Waiting, "staging is held: 1a2c3c4d61 failed its verification"
	}
	rolls := func(s, prod *texts.Step) {
		fails(s, prod)
		s.Failure = &state.Failure{Revision: id(1), Scope: "environment", Steps: []state.Taken{{Do: "restart", Result: "done"}, {Do: "rollback"}}}
		s.Rollback = &state.Promotion{Status: state.Opened, PullRequest: 917}
	}
	type c = struct {
		revision   texts.Revision
		conclusion string
	}
	return map[string]c{
		"waits-for-checks": {onTheWay(func(s, _ *texts.Step) {
			s.Standing = promotion.Verifying
			s.Verification = &promotion.Verification{
				Text: "1a2c3c4d61 is being verified until 3 Mar 19:45 UTC: check slo/checkout has not reported yet", Until: tuesday.Add(3 * time.Hour),
				Evidence: []state.Evidence{argocd}, Watch: &state.Watch{Landing: id(200), Since: tuesday},
			}
		}), "neutral"},
		"unread": {onTheWay(func(s, _ *texts.Step) {
			s.Standing, s.Verification = promotion.Verifying, &promotion.Verification{Text: "what speaks for it has not been read yet"}
		}), "neutral"},
		"soaks": {onTheWay(soaks), "neutral"},
		"failing": {onTheWay(func(s, p *texts.Step) {
			soaks(s, p)
			s.Verification.Watch.Holding, s.Verification.Watch.Failing = time.Time{}, tuesday.Add(11*time.Minute)
			s.Verification.Text = "1a2c3c4d61 is failing: check slo/checkout ended with failure: error rate 4.1 % > 1 %; it counts when it lasts until 3 Mar 16:57 UTC"
			s.Verification.Evidence = []state.Evidence{argocd, slo}
		}), "neutral"},
		"verified": {onTheWay(func(s, p *texts.Step) {
			s.Verification = &promotion.Verification{Verdict: &state.Verdict{
				Landing: id(200), Outcome: state.Verified, Reason: "argocd/svc-staging ✓", Since: tuesday.Add(3 * time.Minute), Time: tuesday.Add(63 * time.Minute), Evidence: []state.Evidence{argocd},
			}}
			p.Carries, p.At, p.Commit, p.PullRequest = true, tuesday.Add(2*time.Hour), id(210), 301
		}), "success"},
		"verified-by-timeout": {onTheWay(func(s, p *texts.Step) {
			s.Verification = &promotion.Verification{Verdict: &state.Verdict{
				Landing: id(200), Outcome: state.Verified, Reason: "after 3h check slo/checkout has not reported yet, and on_timeout is pass", Time: tuesday.Add(3 * time.Hour),
			}}
			p.Standing, p.PullRequest, p.Reason = promotion.Waiting, 301, "#301: window office: Mon 09:00 Europe/Berlin (outside Mon-Thu 09:00-16:00)"
		}), "neutral"},
		"failed":       {onTheWay(fails), "failure"},
		"rolling-back": {onTheWay(rolls), "failure"},
		"rolled-back": {onTheWay(func(s, p *texts.Step) {
			rolls(s, p)
			s.Rollback.Status, s.TakenBack = state.Landed, id(220)
		}), "failure"},
		"rollback-closed": {onTheWay(func(s, p *texts.Step) {
			rolls(s, p)
			s.Rollback.Status, s.Rollback.By = state.Vetoed, "ana"
		}), "failure"},
		"taken-back-by-person": {onTheWay(func(s, p *texts.Step) { rolls(s, p); s.Rollback, s.TakenBack = nil, id(221) }), "failure"},
		"given-up": {onTheWay(func(s, p *texts.Step) {
			fails(s, p)
			s.Failure = nil
			v := s.Verification.Verdict
			v.Outcome, v.Since, v.Reason, v.Evidence = state.GivenUp, time.Time{}, "after 3h check slo/checkout has not reported yet", v.Evidence[:1]
			s.Hold.Reason = "its verification came to nothing: after 3h check slo/checkout has not reported yet"
		}), "failure"},
		"held-by-person": {onTheWay(func(s, p *texts.Step) {
			s.Hold = &state.Hold{Reason: "the payment provider is down", By: "bo", Since: tuesday, Comment: 5}
			s.Standing = promotion.Stopped
			p.Standing, p.Reason = promotion.Stopped, "held: Black Friday"
			p.Hold = &state.Hold{Reason: "Black Friday", By: "ana", Since: tuesday, Until: tuesday.AddDate(0, 0, 4), Comment: 6}
		}), "neutral"},
	}
}
