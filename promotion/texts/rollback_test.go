package texts_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

func TestRollbackTexts(t *testing.T) {
	for name, p := range rollbacks() {
		t.Run(name, func(t *testing.T) { golden(t, "rollback-"+name, whole(p)) })
	}
}

func TestRollbackTitles(t *testing.T) {
	for name, want := range map[string]string{
		"auto":           "prod-eu: roll back checkout 1.42.0 → 1.40.0 (slo/checkout failed)",
		"bare":           "prod-eu: roll back checkout 1.42.0 → 1.40.0 (check slo/checkout ended with failure)",
		"timeout":        "prod-eu: roll back checkout 1.42.0 → 1.40.0 (not verified in time)",
		"two-checks":     "prod-eu: roll back checkout 1.42.0 → 1.40.0 (argocd/checkout-prod-eu and 1 more failed)",
		"asked":          "prod-eu: roll back checkout 1.42.0 → 1.40.0 (ana asked for it)",
		"scope":          "prod-eu: roll back checkout 1.42.0 → 1.40.0 (slo/checkout failed in prod-canary)",
		"squashed-files": "prod-eu: roll back checkout 1a2c3c4d61 → 1a713c4e30 (slo/checkout failed)",
	} {
		t.Run(name, func(t *testing.T) {
			if got := texts.Title(rollbacks()[name]); got != want {
				t.Errorf("it is %q, want %q", got, want)
			}
		})
	}
	p := with(rollback(), templated)
	if got := texts.Title(p); got != "prod-eu: roll back checkout 1.42.0 → 1.40.0 (slo/checkout failed)" || !strings.HasPrefix(texts.Body(p), "**slo/checkout failed**") {
		t.Errorf("a template for promotions made it %q:\n%.200s", got, texts.Body(p))
	}
}

func TestRollbackHeadChecks(t *testing.T) {
	for name, want := range map[string]struct{ title, conclusion string }{
		"auto":     {"Waits: check ci has not finished", "neutral"},
		"propose":  {"Waits for a person to merge", "neutral"},
		"conflict": {"Waits for a person: 2 changes made since in the same lines", "failure"},
		"merging":  {"Nothing is waited for: promobot merges", "success"},
		"labelled": {"Held by the label promobot/hold", "neutral"},
		"landed":   {"Rolled back in prod-eu", "success"},
	} {
		t.Run(name, func(t *testing.T) {
			c := texts.HeadCheck(rollbacks()[name])
			if c.Title != want.title || c.Conclusion != want.conclusion || c.Status != "completed" {
				t.Errorf("it says %q, %s; want %q, %s", c.Title, c.Conclusion, want.title, want.conclusion)
			}
		})
	}
}

// Where lines clash, no text may promise that promobot merges.
func TestRollbackWithConflictWaitsForAPerson(t *testing.T) {
	for name, clash := range map[string]func(*content.Result){
		"the same line": func(c *content.Result) { c.Changes[0].Overwrites = true },
		"a refusal":     func(c *content.Result) { c.Refused = []content.Refusal{{File: "x", Reason: "it is gone"}} },
	} {
		t.Run(name, func(t *testing.T) {
			p := with(rollback(), func(p *texts.Promotion) { clash(p.Decision.Content) })
			body := texts.Body(p)
			if !strings.Contains(body, "**Merges:** when a person has finished and merged it") || !strings.Contains(body, "so promobot does not guess") {
				t.Errorf("the body is\n%s", body)
			}
			if c := texts.HeadCheck(p); c.Conclusion != "failure" || strings.Contains(c.Summary, "promobot merges") {
				t.Errorf("the check is %+v", c)
			}
		})
	}
	by := with(rollback(), func(p *texts.Promotion) {
		p.Decision.Content.Refused = []content.Refusal{{File: "x", Reason: "never", Never: true}}
	})
	if strings.Contains(texts.Body(by), "does not guess") {
		t.Error("what never keeps where it is counts as a conflict")
	}
}

func TestRollbackTrailers(t *testing.T) {
	for name, p := range rollbacks() {
		t.Run(name, func(t *testing.T) {
			want := map[string]string{
				state.TrailerID: p.State.ID, state.TrailerPipeline: "services/checkout", state.TrailerEnvironment: "prod-eu",
				state.TrailerRevision: id(70), state.TrailerAttempt: "1", state.TrailerReverts: p.State.Reverts.Promotion, state.TrailerBase: id(30),
				state.TrailerPullRequest: "https://github.example/acme/fleet/pull/917",
			}
			if p.State.Attempt == 2 {
				want[state.TrailerAttempt] = "2"
			}
			_, merge := texts.MergeMessage(p)
			for what, text := range map[string]string{"body": texts.Body(p), "commit": texts.CommitMessage(p), "merge": merge} {
				if diff := cmp.Diff(want, state.ParseTrailers(text)); diff != "" {
					t.Errorf("%s: -want +got\n%s", what, diff)
				}
			}
		})
	}
}

// Those who are told are mentioned, and nobody else.
func TestMentions(t *testing.T) {
	for name, mentioned := range map[string]bool{
		"ana": true, "acme/checkout-oncall": true, "a-b": true, "acme/a.b_c": true,
		"@ana": false, "ana bo": false, "-ana": false, "ana-": false, "acme/": false, "a/b/c": false, "ana\n@bo": false,
		"ana](https://evil.example)": false, "dependabot[bot]": false, strings.Repeat("a", 40): false, "": false,
	} {
		t.Run(name, func(t *testing.T) {
			p := with(rollback(), func(p *texts.Promotion) { p.Rollback.People, p.Rollback.Landing.By = []string{name}, "" })
			seen := visible(t, texts.Body(p))
			if got := strings.Contains(seen, "@"+name) && noticed.MatchString(seen); got != mentioned {
				t.Errorf("mentioned: %v; the text has %q", got, noticed.FindString(seen))
			}
		})
	}
}

// Evidence leads only where a browser can go without harm, under a text of ours.
func TestEvidenceLinks(t *testing.T) {
	for address, linked := range map[string]bool{
		"https://ci.example/runs/1?a=b&c=d#log":          true,
		"https://argocd.acme.example:8443/app":           true,
		"https://github.example/acme/fleet/actions/12":   true,
		"http://ci.example/x":                            false,
		"javascript:alert(1)":                            false,
		"https://user@evil.example/":                     false,
		"https://ci.example/a)b":                         false,
		"https://ci.example/a b":                         false,
		"https://ci.example/a\n[x](y)":                   false,
		"https://ci.example/<b>":                         false,
		"https://localhost/x":                            false,
		"https://github.example/other/repo/issues/7":     false,
		"https://github.example/other/repo/pull/7#x":     false,
		"https://ci.example/" + strings.Repeat("a", 500): false,
		"": false,
	} {
		t.Run(address, func(t *testing.T) {
			p := with(rollback(), func(p *texts.Promotion) { p.Rollback.Verdict.Evidence[1].URL = address })
			if got := strings.Contains(texts.Body(p), "[evidence]("); got != linked {
				t.Errorf("linked: %v in\n%.500s", got, texts.Body(p))
			}
		})
	}
}

func TestRollbackLimits(t *testing.T) {
	long := strings.Repeat("<@é|`#1 ", 60)
	p := rollback()
	p.Pipeline.Title, p.State.Reverts.Reason, p.State.Reverts.Cause = long, long, long
	c := p.Decision.Content
	for range 400 {
		c.Changes = append(c.Changes, content.Change{File: long, Value: long, Now: long, After: long, Overwrites: true})
		c.Refused = append(c.Refused, content.Refusal{File: long, Reason: long, Remedy: long})
		p.Rollback.Later = append(p.Rollback.Later, promotion.Commit{ID: id(5), Message: long, Author: promotion.Person{Name: long}})
		p.Brings = append(p.Brings, p.Rollback.Later[0])
		p.Rollback.Elsewhere = append(p.Rollback.Elsewhere, texts.Step{Environment: long, Carries: true}, texts.Step{Environment: long, PullRequest: 7})
		p.Rollback.People = append(p.Rollback.People, long)
		p.Rollback.Verdict.Evidence = append(p.Rollback.Verdict.Evidence, state.Evidence{Name: long, Outcome: "failure", Text: long, URL: "https://ci.example/" + strings.Repeat("a", 400)})
		p.Rollback.Failure.Steps = append(p.Rollback.Failure.Steps, state.Taken{Do: long, Result: long})
	}
	body := texts.Body(p)
	if len(body) > 65536 || len(body) < 5000 {
		t.Errorf("the body has %d bytes", len(body))
	}
	if got := state.ParseTrailers(body)[state.TrailerReverts]; got != p.State.Reverts.Promotion {
		t.Errorf("what it reverts is read back as %q", got)
	}
	for _, want := range []string{"**Merges:**", "**Then:**", "more", "</details>"} {
		if !strings.Contains(body, want) {
			t.Errorf("the shortened body lacks %s", want)
		}
	}
	if n := utf8.RuneCountInString(texts.Title(p)); n > 256 {
		t.Errorf("the title has %d characters", n)
	}
	if check := texts.HeadCheck(p); len(check.Summary) > 65535 {
		t.Errorf("the check has %d bytes", len(check.Summary))
	}
	q := with(rollback(), func(p *texts.Promotion) { p.Pipeline.Title = strings.Repeat("payments-", 20) })
	title, _ := texts.MergeMessage(q)
	subject, _, _ := strings.Cut(texts.CommitMessage(q), "\n")
	for _, s := range []string{subject, title} {
		if n := utf8.RuneCountInString(s); n > 72 || !strings.HasSuffix(strings.TrimSuffix(s, " (#917)"), "1.42.0 → 1.40.0") || !strings.HasPrefix(s, "prod-eu: roll back payments") {
			t.Errorf("the subject %q has %d characters", s, n)
		}
	}
}

func TestRollbackTextsDoNotFollowTheClock(t *testing.T) {
	p := rollback()
	q := p
	q.Now = p.Now.AddDate(0, 1, 3)
	if diff := cmp.Diff(whole(p), whole(q)); diff != "" {
		t.Errorf("the texts changed with the time alone:\n%s", diff)
	}
}

func TestVerificationChecks(t *testing.T) {
	for name, c := range verifications() {
		t.Run(name, func(t *testing.T) {
			got := texts.RevisionCheck(c.revision)
			if got.Conclusion != c.conclusion {
				t.Errorf("it is %s; want %s", got.Conclusion, c.conclusion)
			}
			two := c.revision
			two.Pipelines = append(two.Pipelines[:1:1], services(2, nil).Pipelines[1])
			golden(t, "verification-"+name, checkText(got)+section("among others", checkText(texts.RevisionCheck(two))))
		})
	}
}

func TestVerificationTitles(t *testing.T) {
	for name, want := range map[string]string{
		"soaks":          "dev ✓ · staging ◷ soaks until 3 Mar 17:48 UTC · prod not yet",
		"failing":        "dev ✓ · staging ◷ slo/checkout is failing since 3 Mar 16:56 UTC · prod not yet",
		"verified":       "dev ✓ · staging ✓ · prod ✓",
		"failed":         "dev ✓ · staging ✗ slo/checkout failed 3 Mar 16:56 UTC · prod waits",
		"rolling-back":   "dev ✓ · staging ✗ slo/checkout failed 3 Mar 16:56 UTC, being rolled back · prod waits",
		"rolled-back":    "dev ✓ · staging ✗ slo/checkout failed 3 Mar 16:56 UTC, rolled back · prod waits",
		"given-up":       "dev ✓ · staging ✗ neither verified nor failed 3 Mar 16:57 UTC · prod waits",
		"held-by-person": "dev ✓ · staging ✓ · prod held until 7 Mar 16:45 UTC",
	} {
		t.Run(name, func(t *testing.T) {
			if got := texts.RevisionCheck(verifications()[name].revision).Title; got != want {
				t.Errorf("it is %q, want %q", got, want)
			}
		})
	}
}
