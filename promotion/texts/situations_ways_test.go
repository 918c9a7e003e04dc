package texts_test

// Situations of the other ways that promotions come and go: versions, branches,
// pushes, auto-merge, the merge queue, batches, and what is built anew.

import (
	"fmt"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/calendar"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// version is a release that comes from outside, in the first environment.
func version(p *texts.Promotion) {
	p.Config = environmentOf(p.Pipeline, "dev")
	p.Config.Source = &config.VersionSource{Kind: config.Release, Repository: "vendor/checkout", Line: 4}
	p.State.From, p.State.Origin, p.State.Revision, p.State.Landing = state.Source, "dev", "1.42.0", state.VersionID(state.BaseVersion, "1.42.0", "")
	p.Decision.Key.Environment = "dev"
	p.Decision.Gates[0].Text = "1.42.0 has come from release of vendor/checkout"
	p.Decision.Gates = append(p.Decision.Gates[:1:1], p.Decision.Gates[2:]...)
	p.Decision.Content.Changes = p.Decision.Content.Changes[1:]
	p.Brings, p.Before = nil, ""
	p.Way = []texts.Step{{Environment: "dev", Here: true, PullRequest: 915}, {Environment: "staging"}}
}

// managed is a version that another tool brought to the environment before.
func managedUpstream(p *texts.Promotion) {
	up := environmentOf(p.Pipeline, "prod-canary")
	up.Managed, up.Source = true, &config.VersionSource{Kind: config.Dispatch, Type: "HelmRelease/checkout.checkout"}
	p.State.Origin, p.State.Revision, p.State.Landing = "prod-canary", "1.42.0", state.VersionID(state.BaseVersion, "1.42.0", "")
	p.Brings, p.Before = nil, ""
}

// branches are environments that stand on branches of their own, which a
// hydrator's branches feed.
func branches(p *texts.Promotion) {
	p.Config.Branch, p.Config.Read = "env/prod-eu", "env/prod-eu-next"
	p.State.Read = id(44)
}

// firstBranch has no upstream: it takes what stands on its own source branch.
func firstBranch(p *texts.Promotion) {
	branches(p)
	p.State.From, p.State.Origin = state.Source, "prod-eu"
}

func autoMerge(p *texts.Promotion) {
	p.Config.Merge = config.MergeByGitHub
	p.Decision.Gates[4] = promotion.Gate{Name: "auto-merge", Text: "GitHub merges it by itself as soon as the rules of main are met"}
	p.Decision.Reason, p.Decision.Until = p.Decision.Gates[4].Text, time.Time{}
}

func queued(p *texts.Promotion) {
	p.Config.Merge = config.MergeByQueue
	p.Decision.Gates[4] = promotion.Gate{Name: "queue", Text: "it stands in the merge queue of main"}
	p.Decision.Reason, p.Decision.Until = p.Decision.Gates[4].Text, time.Time{}
}

// rebuilt was built anew twice, since the same files changed meanwhile.
func rebuilt(p *texts.Promotion) {
	p.State.Rebuild = 2
	p.State.Attempts = []state.Rebuild{
		{Why: "main changed the same files", From: id(9), To: id(50), Time: tuesday.Add(-5 * time.Minute)},
		{Why: "#915 had a conflict with main", From: id(50), To: id(51), Time: tuesday.Add(-time.Minute)},
	}
}

// superseding was opened when the pull request before it was closed for it.
func superseding(p *texts.Promotion) {
	p.Config.Newer, p.State.Supersedes = config.NewerSupersedes, 913
}

// guarded waits for a window, then for approval, and what landed before soaks.
func guarded(p *texts.Promotion) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	spans, err := calendar.ParseSpans("Mon-Thu 09:00-16:00")
	if err != nil {
		panic(err)
	}
	p.Config.Windows = []config.Window{{Name: "office", Line: 14, Window: calendar.Window{Allow: spans, Zone: berlin}}}
	p.Config.Approval = true
	p.Config.Verify = &config.Verify{Checks: &config.Evidence{Names: []string{"slo/checkout"}}, Soak: 90 * time.Minute, Timeout: 8 * time.Hour, Line: 9}
	p.Config.OnFailure = []config.Step{{Do: config.Rollback, Limit: 1}, {Do: config.Halt, Limit: 1}}
	opens := time.Date(2026, 3, 4, 9, 0, 0, 0, berlin)
	p.Decision.Gates = append(p.Decision.Gates[:3:3],
		promotion.Gate{Name: "soak", Passed: true, Text: "nothing soaks there", Line: 9},
		promotion.Gate{Name: "window", Text: "window office: Wed 09:00 Europe/Berlin (outside Mon-Thu 09:00-16:00)", Line: 14, Waits: true, Until: opens},
		promotion.Gate{Name: "approval", Passed: true, Text: "@bo approved it"},
		promotion.Gate{Name: "kinds", Passed: true, Text: "its kinds of change are allowed"},
	)
	p.Decision.Reason, p.Decision.Until = "#915: "+p.Decision.Gates[4].Text, opens
	p.Verdict = canaryVerdict()
}

// unapproved waits for a person's word, soaking for what landed before, held for
// a person's command.
func unapproved(p *texts.Promotion) {
	guarded(p)
	p.Decision.Standing = promotion.Proposed
	p.Decision.Gates[4].Passed, p.Decision.Gates[4].Text = true, "window office is open"
	p.Decision.Gates[5].Passed, p.Decision.Gates[5].Text = false, "it waits for approval: /promobot approve"
	p.Decision.Reason, p.Decision.Until = "#915: "+p.Decision.Gates[5].Text, time.Time{}
}

func soaking(p *texts.Promotion) {
	guarded(p)
	until := tuesday.Add(40 * time.Minute)
	p.Decision.Gates[3].Passed, p.Decision.Gates[3].Waits, p.Decision.Gates[3].Until = false, true, until
	p.Decision.Gates[3].Text = "what landed before it comes first: 0a0b0c0d0e soaks until 3 Mar 17:25 UTC: slo/checkout ✓"
	p.Decision.Reason, p.Decision.Until = "#915: "+p.Decision.Gates[3].Text, until
}

func holding(p *texts.Promotion) {
	p.Decision.Standing = promotion.Proposed
	p.Decision.Gates[2] = promotion.Gate{Name: "hold", Text: "held until 4 Mar 09:00 UTC: the payment provider is down", Until: tuesday.Add(16 * time.Hour)}
	p.Decision.Reason = "#915: " + p.Decision.Gates[2].Text
}

func passedBy(p *texts.Promotion) {
	guarded(p)
	p.State.Past = []state.Past{{Gate: "window", By: "ana", Comment: 77, Time: tuesday}}
	p.Decision.Gates[4].Passed, p.Decision.Gates[4].Waits = true, false
	p.Decision.Gates[4].Text = "@ana lets it pass: " + p.Decision.Gates[4].Text
	p.Decision.Standing, p.Decision.Reason = promotion.Merging, "all gates are open"
}

// canaryVerdict is what let a revision travel on from prod-canary.
func canaryVerdict() *state.Verdict {
	return &state.Verdict{
		Landing: id(4), Revision: id(1), Outcome: state.Verified, Reason: "argocd/checkout-prod-canary ✓, slo/checkout ✓",
		Since: tuesday.Add(-4*time.Hour - 20*time.Minute), Time: tuesday.Add(-20 * time.Minute),
		Evidence: []state.Evidence{
			{Name: "argocd/checkout-prod-canary", Outcome: "success", Commit: id(4), URL: "https://argocd.acme.example/applications/checkout-prod-canary?view=tree&node=1", Text: "Synced, Healthy", Time: tuesday.Add(-5 * time.Hour)},
			{Name: "slo/checkout", Outcome: "success", Commit: id(4), Text: "error rate 0.1 %", Time: tuesday.Add(-4 * time.Hour)},
		},
	}
}

// batch are n services of one environment in one pull request.
func batch(n int) []texts.Promotion {
	var ps []texts.Promotion
	for i := range n {
		p := auto()
		service := fmt.Sprintf("svc-%03d", i)
		p.Pipeline.Key, p.Pipeline.Title = "services/"+service, service
		p.Config = environmentOf(p.Pipeline, "staging")
		p.Config.Batch = config.Batch{Hourly: true}
		p.Decision.Key = promotion.Key{Pipeline: p.Pipeline.Key, Environment: "staging"}
		p.State.ID, p.State.From, p.State.Landing, p.State.Revision = fmt.Sprintf("%064x", i+1), "dev", id(300+i), id(300+i)
		p.State.Commit = id(600 + i)
		p.State.Batch = &state.Batch{ID: strings.Repeat("ba7c", 16), Head: id(600 + n - 1), Build: 1, Formed: tuesday}
		p.Decision.Content = &content.Result{
			Changes: []content.Change{{File: "services/" + service + "/overlays/staging/kustomization.yaml", Value: "images." + service + ".newTag", Now: "1.40.0", After: fmt.Sprintf("1.42.%d", i)}},
			From:    "1.40.0", To: fmt.Sprintf("1.42.%d", i),
		}
		ps = append(ps, p)
	}
	return ps
}

// batches by what is special about them.
func batches() map[string][]texts.Promotion {
	few, person, stuck, many := batch(3), batch(3), batch(3), batch(220)
	few[1].Decision.Content.Changes = append(few[1].Decision.Content.Changes, content.Change{File: "services/svc-001/overlays/staging/config/app.yaml", Now: "12 lines", After: "13 lines"})
	few[0].State.Attempts = []state.Rebuild{{Why: "main changed the same files", From: id(9), To: id(50), Time: tuesday}}
	for i := range few {
		few[i].State.Batch.Build = 2
	}
	c := person[2].Decision.Content
	c.Kinds, c.Changes[0].Kinds, c.Changes[0].Overwrites = []content.Kind{content.Drift}, []content.Kind{content.Drift}, true
	person[2].Decision.Standing, person[2].Decision.Reason = promotion.Proposed, "#915: a person must merge: it has changes of kind drift, which `allow` does not name"
	person[2].Decision.Gates = append(person[2].Decision.Gates[:3:3], promotion.Gate{Name: "kinds", Text: "a person must merge: it has changes of kind drift, which `allow` does not name", Line: 6})
	for i := range stuck {
		merging(&stuck[i])
	}
	stopped(&stuck[1])
	return map[string][]texts.Promotion{"few": few, "person": person, "stopped": stuck, "many": many}
}
