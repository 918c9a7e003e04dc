package texts_test

// Situations: what the golden files and the properties are made of.

import (
	"fmt"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// id makes a commit id that reads as what it is for.
func id(n int) string { return fmt.Sprintf("%010x%030x", 0x1a2b3c4d5e+n*0x1000003, n) }

var (
	repository = promotion.Repository{
		ID: 7, Owner: "acme", Name: "fleet", URL: "https://github.example/acme/fleet", DefaultBranch: "main", Merge: true, Squash: true,
	}
	tuesday = time.Date(2026, 3, 3, 16, 45, 0, 0, time.UTC)
)

// checkout is a pipeline dev › staging › prod-canary › prod-eu, prod-us.
func checkout() *config.Pipeline {
	env := func(name string, mode config.Mode, line int, from ...string) config.Environment {
		return config.Environment{
			Name: name, From: from, Mode: mode, Present: true, Line: line,
			Settings: []config.Setting{{Key: "mode", Value: mode.String(), From: config.Source{Line: line, What: "environments." + name + ".mode"}}},
		}
	}
	return &config.Pipeline{
		Key: "services/checkout", Group: "services", Title: "checkout",
		Environments: []config.Environment{
			env("dev", config.Auto, 5), env("staging", config.Auto, 6, "dev"), env("prod-canary", config.Auto, 7, "staging"),
			env("prod-eu", config.Auto, 9, "prod-canary"), env("prod-us", config.Propose, 8, "prod-canary"),
		},
	}
}

func environmentOf(p *config.Pipeline, name string) *config.Environment {
	for i := range p.Environments {
		if p.Environments[i].Name == name {
			return &p.Environments[i]
		}
	}
	panic("no environment " + name)
}

// auto is a promotion to prod-eu that promobot merges itself.
func auto() texts.Promotion {
	pipeline := checkout()
	return texts.Promotion{
		Repository: repository, Pipeline: pipeline, Config: environmentOf(pipeline, "prod-eu"), Now: tuesday,
		State: state.Promotion{
			ID: strings.Repeat("0123456789abcdef", 4), Status: state.Opened, Revision: id(1), Origin: "dev", Attempt: 1,
			From: "prod-canary", Landing: id(4), Base: id(9), Commit: id(10), Branch: "promobot/services=2Fcheckout/prod-eu/x",
			Expected: "d1e5" + strings.Repeat("0", 60), Claimed: tuesday.Add(-10 * time.Minute),
			PullRequest: 915, URL: "https://github.example/acme/fleet/pull/915",
		},
		Decision: promotion.Decision{
			Key:      promotion.Key{Pipeline: "services/checkout", Environment: "prod-eu"},
			Standing: promotion.Waiting, Reason: "GitHub is working out whether it can be merged", Until: tuesday.Add(3 * time.Second),
			Gates: []promotion.Gate{
				{Name: "upstream", Passed: true, Text: "1a2b3c4d5e landed in prod-canary"},
				{Name: "after", Passed: true, Text: "1a2b3c4d5e has reached prod-canary", Line: 9},
				{Name: "hold", Passed: true, Text: "no hold"},
				{Name: "kinds", Passed: true, Text: "its kinds of change are allowed"},
				{Name: "github", Text: "GitHub is working out whether it can be merged"},
			},
			Content: &content.Result{
				Changes: []content.Change{
					{File: "services/checkout/overlays/prod-eu/config/app.yaml", Now: "12 lines", After: "13 lines"},
					{File: "services/checkout/overlays/prod-eu/kustomization.yaml", Value: "images.checkout.newTag", Now: "1.40.0", After: "1.42.0"},
				},
				Kept: []string{"LOG_LEVEL", "server.hostname"}, From: "1.40.0", To: "1.42.0",
			},
		},
		Brings: []promotion.Commit{
			{ID: id(3), Author: promotion.Person{Name: "Ana Ribeiro"}, Message: "Merge pull request #820 from ana/retry\n\nRetry payments"},
			{ID: id(2), Author: promotion.Person{Name: "Bo Lind"}, Message: "Give up after three tries (#815)\n\nMore below."},
			{ID: id(1), Author: promotion.Person{Name: "ci-bot"}, Message: "checkout 1.42.0"},
		},
		Before: id(0),
		Way: []texts.Step{
			{Environment: "dev", Carries: true, At: tuesday.Add(-7 * time.Hour), Commit: id(1)},
			{Environment: "staging", Carries: true, At: tuesday.Add(-4 * time.Hour), Commit: id(3), PullRequest: 910},
			{Environment: "prod-canary", Carries: true, At: tuesday.Add(-20 * time.Minute), Commit: id(4), PullRequest: 912},
			{Environment: "prod-eu", Here: true, PullRequest: 915},
			{Environment: "prod-us", PullRequest: 914},
		},
	}
}

// with changes a situation.
func with(p texts.Promotion, changes ...func(*texts.Promotion)) texts.Promotion {
	for _, change := range changes {
		change(&p)
	}
	return p
}

func proposed(p *texts.Promotion) {
	p.Config.Mode, p.Config.Settings[0].Value = config.Propose, "propose"
	p.Decision.Standing, p.Decision.Reason, p.Decision.Until = promotion.Proposed, "#915 waits for a person to merge it", time.Time{}
	p.Decision.Gates = p.Decision.Gates[:4]
}

func overwriting(p *texts.Promotion) {
	c := p.Decision.Content
	c.Changes[1].Kinds, c.Changes[1].Overwrites, c.Changes[1].Now = []content.Kind{content.Drift}, true, "1.40.1"
	c.Kinds = []content.Kind{content.Drift}
	c.From = "1.40.1"
	c.Refused = []content.Refusal{{File: "services/checkout/overlays/prod-eu/secrets.yaml", Never: true}}
	p.Decision.Standing, p.Decision.Until = promotion.Proposed, time.Time{}
	p.Decision.Reason = "#915: a person must merge: it has changes of kind drift, which `allow` does not name"
	p.Decision.Gates = append(p.Decision.Gates[:3:3], promotion.Gate{
		Name: "kinds", Text: "a person must merge: it has changes of kind drift, which `allow` does not name", Line: 9,
	})
}

func many(p *texts.Promotion) {
	c := p.Decision.Content
	c.Changes, c.From, c.To = nil, "", ""
	for i := range 2000 {
		c.Changes = append(c.Changes, content.Change{
			File: fmt.Sprintf("services/checkout/overlays/prod-eu/config/part-%04d.yaml", i), Value: "image.tag", Now: "1.40.0", After: "1.42.0",
		})
	}
	for i := range 40 {
		p.Brings = append(p.Brings, promotion.Commit{ID: id(100 + i), Author: promotion.Person{Name: "Ana Ribeiro"}, Message: fmt.Sprintf("Change %d (#%d)", i, 700+i)})
	}
	p.More = 12
}

func stopped(p *texts.Promotion) {
	p.Decision.Standing, p.Decision.Gates, p.Decision.Until = promotion.Stopped, nil, time.Time{}
	p.Decision.Reason = "services/checkout/overlays/prod-eu/config/app.yaml: replicas was changed by both; merge prod-canary's by hand"
}

func pushed(p *texts.Promotion) {
	p.Decision.Standing, p.Decision.Gates, p.Decision.Until = promotion.Stopped, nil, time.Time{}
	p.Decision.Reason = "someone pushed to the branch of #915, so it is theirs: merge it, or close it and promobot goes on with what is newer"
}

func blocked(p *texts.Promotion) {
	p.Decision.Reason, p.Decision.Until = "a rule of the branch is not met yet: a review or a required check", time.Time{}
	p.Decision.Gates[4].Text = p.Decision.Reason
}

func merging(p *texts.Promotion) {
	p.Decision.Standing, p.Decision.Reason, p.Decision.Until = promotion.Merging, "all gates are open", time.Time{}
	p.Decision.Gates[4] = promotion.Gate{Name: "github", Passed: true, Text: "GitHub allows the merge"}
}

func moved(p *texts.Promotion) {
	p.State.Attempt, p.State.Cause, p.State.Rebuild = 2, "main changed the same files", 1
	p.State.Replaced = &state.Replaced{Revision: id(77)}
	p.Decision.Content.From, p.Decision.Content.To = "", ""
	p.Decision.Gates, p.Decision.Until = nil, time.Time{}
	p.Decision.Reason = "its branch is being moved on"
}

func templated(p *texts.Promotion) {
	p.Config.Title = "chore({{.Environment}}): {{.Name}} {{.To}}"
	p.Config.Body = "Ticket: OPS-1\n\n---\n\n{{.Text}}"
}

func brokenTemplate(p *texts.Promotion) {
	p.Config.Title, p.Config.Body = "{{.Nam}}", "{{.Txt}}"
	p.Config.Settings = append(p.Config.Settings, config.Setting{Key: "title", From: config.Source{Line: 21}})
}

func landed(p *texts.Promotion) {
	p.State.Status = state.Landed
	p.Decision.Standing, p.Decision.Gates, p.Decision.Reason = promotion.UpToDate, nil, "1a2b3c4d5e landed as 9f3c1d2e5a"
}

// stagings is a pipeline qa › three stagings › three prods.
func stagings() *config.Pipeline {
	p := &config.Pipeline{Key: "simple-env-app", Group: "simple-env-app", Title: "simple-env-app"}
	for _, e := range [][2]string{
		{"qa", ""},
		{"staging-us", "qa"},
		{"staging-eu", "qa"},
		{"staging-asia", "qa"},
		{"prod-asia", "staging-asia"},
		{"prod-eu", "staging-eu"},
		{"prod-us", "staging-us"},
	} {
		c := config.Environment{Name: e[0], Present: true, Mode: config.Auto}
		if e[1] != "" {
			c.From = []string{e[1]}
		}
		p.Environments = append(p.Environments, c)
	}
	return p
}

func revisionOfStagings() texts.Revision {
	return texts.Revision{
		Repository: repository, Commit: id(1), Now: tuesday,
		Pipelines: []texts.RevisionPipeline{{Pipeline: stagings(), Steps: []texts.Step{
			{Environment: "qa", Standing: promotion.Source, Carries: true, At: tuesday.Add(-3 * time.Hour), Commit: id(1)},
			{Environment: "staging-us", Standing: promotion.UpToDate, Carries: true, At: tuesday.Add(-2 * time.Hour), Commit: id(2), PullRequest: 11},
			{Environment: "staging-eu", Standing: promotion.Proposed, PullRequest: 12, Reason: "#12: a person must merge: it has changes of kind drift, which `allow` does not name"},
			{Environment: "staging-asia", Standing: promotion.UpToDate, Carries: true, At: tuesday.Add(-2 * time.Hour), Commit: id(3), PullRequest: 13},
			{Environment: "prod-asia", Standing: promotion.Waiting, PullRequest: 14, Reason: "a check has failed or has not finished"},
			{Environment: "prod-eu", Standing: promotion.Waiting},
			{Environment: "prod-us", Standing: promotion.Waiting, Reason: "1a2b3c4d5e must reach prod-asia first"},
		}}},
	}
}

// services are n pipelines dev › staging › prod with one revision.
func services(n int, step func(i int, s *texts.Step)) texts.Revision {
	r := texts.Revision{Repository: repository, Commit: id(1), Now: tuesday}
	for i := range n {
		name := fmt.Sprintf("svc-%03d", i)
		p := &config.Pipeline{Key: "services/" + name, Group: "services", Title: name, Environments: []config.Environment{
			{Name: "dev", Present: true},
			{Name: "staging", From: []string{"dev"}, Present: true},
			{Name: "prod", From: []string{"staging"}, Present: true},
		}}
		steps := []texts.Step{
			{Environment: "dev", Standing: promotion.Source, Carries: true, At: tuesday.Add(-time.Hour), Commit: id(1)},
			{Environment: "staging", Standing: promotion.UpToDate, Carries: true, At: tuesday, Commit: id(200 + i), PullRequest: 100 + i},
			{Environment: "prod", Standing: promotion.Proposed, PullRequest: 300 + i, Reason: fmt.Sprintf("#%d waits for a person to merge it", 300+i)},
		}
		for j := range steps {
			if step != nil {
				step(i, &steps[j])
			}
		}
		r.Pipelines = append(r.Pipelines, texts.RevisionPipeline{Pipeline: p, Steps: steps})
	}
	return r
}
