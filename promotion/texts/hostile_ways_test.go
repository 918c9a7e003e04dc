package texts_test

// Hostile content in the texts of versions, branches, batches, sources, rollbacks
// and verifications.

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

// evidenceHost is where evidence may lead in the situations.
const evidenceHost = "https://ci.acme.example"

// hostileVersion, -Branches and -Batch are situations in which everything that
// people, repositories and other tools write is s.
func hostileVersion(s string) texts.Promotion {
	p := with(auto(), version)
	p.Pipeline.Key, p.Pipeline.Title = s, s
	p.Config.Source.Repository, p.Config.Source.Type = s, s
	p.State.Revision, p.State.Landing, p.State.URL, p.State.Branch = "v"+s, s, s, s
	p.Decision.Content.From, p.Decision.Content.To = s, s
	p.Decision.Gates[0].Text = s
	p.State.Attempts = []state.Rebuild{{Why: "x " + s, From: s, To: id(3), Time: tuesday}}
	p.Decision.Reason = s
	return p
}

func hostileBranches(s string) texts.Promotion {
	p := with(auto(), branches, rebuilt, guarded)
	p.Pipeline.Title = s
	p.Config.Branch, p.Config.Read = "env/"+s, "next/"+s
	p.State.URL, p.State.Branch, p.State.Read = s, s, s
	p.State.Attempts[0].Why = "x " + s
	p.Config.Windows[0].Name = s
	p.Config.Windows[0].Holidays, p.Shut = "x"+s, map[string]string{"x" + s: "x" + s}
	p.Verdict.Reason = s
	p.Verdict.Evidence = []state.Evidence{
		{Name: s, Outcome: "success", URL: s, Text: s},
		{Name: s, Outcome: "neutral", URL: evidenceHost + "/run?a=1&b=2", Text: s},
		{Name: s, Outcome: "success", URL: evidenceHost + "/" + s + ")](@ana"},
	}
	for i := range p.Decision.Gates {
		p.Decision.Gates[i].Text = s
	}
	return p
}

func hostileBatch(s string) []texts.Promotion {
	ps := batch(3)
	for i := range ps {
		p := &ps[i]
		p.Pipeline.Key, p.Pipeline.Title, p.State.From, p.State.URL = s, s, "x"+s, s
		p.Decision.Content.From, p.Decision.Content.To = s, s
		p.Decision.Content.Changes = []content.Change{{File: s, Value: s, Now: s, After: s, Overwrites: true}, {File: s, Now: s, After: s}}
		p.State.Attempts = []state.Rebuild{{Why: "x " + s, From: s, To: s, Time: tuesday}}
		p.Decision.Gates[4].Text = s
	}
	ps[1].Decision.Standing, ps[1].Decision.Reason = promotion.Stopped, s
	return ps
}

// hostileRollback is a rollback after failures, or with s as who asked for it.
func hostileRollback(s string) texts.Promotion {
	p := rollback()
	p.Pipeline.Key, p.Pipeline.Title = s, s
	p.State.Branch, p.State.URL, p.State.Cause, p.State.Revision = s, s, s, "v"+s
	r := p.State.Reverts
	r.Revision, r.Reason, r.Cause = "v"+s, s, "x"+s
	c := p.Decision.Content
	c.From, c.To = s, s
	c.Changes = []content.Change{{File: s, Value: s + ".", Now: s, After: s, Overwrites: true}, {File: s, Now: s, After: s, Overwrites: true}, {File: s, Now: s, After: s, Merged: true}}
	c.Refused = []content.Refusal{{File: s, Value: s, Reason: s, Remedy: s + "."}}
	v := p.Rollback.Verdict
	v.Reason = s
	v.Evidence = []state.Evidence{
		{Name: s, Outcome: "failure", URL: s, Text: "x" + s, Time: tuesday},
		{Name: s, Outcome: "error", URL: evidenceHost + "/run#step:1", Text: "x" + s, Time: tuesday},
	}
	p.Rollback.Failure.Steps = []state.Taken{{Do: "x" + s, Result: s, URL: s}, {Do: "run", Result: "x" + s, URL: evidenceHost + "/run"}, {Do: "halt"}}
	p.Rollback.Landing.By, p.Rollback.People = "@"+s, []string{"@" + s, "acme/" + s + "@"}
	for i := range p.Rollback.Later {
		p.Rollback.Later[i].Message, p.Rollback.Later[i].Author.Name = "x "+s, s
	}
	p.Brings = p.Rollback.Later
	p.Rollback.Elsewhere = []texts.Step{
		{Environment: s, Carries: true}, {Environment: s, PullRequest: 7}, {Environment: s, Carries: true, Rollback: &state.Promotion{Status: state.Opened, PullRequest: 8}},
	}
	for i := range p.Decision.Gates {
		p.Decision.Gates[i].Text = s
	}
	p.Decision.Reason = s
	return p
}

func hostileAsked(s string) texts.Promotion {
	p := hostileRollback(s)
	p.State.Reverts.By, p.State.Reverts.Reason = "x"+s, "x"+s
	p.Rollback.Verdict, p.Rollback.Failure = nil, nil
	p.Decision.Content.Changes, p.Decision.Content.Refused = p.Decision.Content.Changes[2:], nil
	return p
}

func hostileTimeout(s string) texts.Promotion {
	p := hostileAsked(s)
	p.State.Reverts.By = ""
	p.Rollback.Verdict = &state.Verdict{Outcome: state.Failed, Reason: s, Time: tuesday}
	return p
}

// hostileVerification has a step of every kind.
func hostileVerification(s string) texts.Revision {
	r := texts.Revision{Repository: repository, Commit: id(1), Now: tuesday}
	p := &config.Pipeline{Key: s, Group: s, Title: s}
	add := func(step texts.Step) {
		step.Environment, step.Commit = step.Environment+s, id(3)
		if step.Hold == nil {
			step.Hold = &state.Hold{Reason: "y" + s, By: "y" + s, Since: tuesday, Until: tuesday} // ends the last cell
		}
		p.Environments = append(p.Environments, config.Environment{Name: step.Environment, Present: true})
		r.Pipelines[0].Steps = append(r.Pipelines[0].Steps, step)
	}
	r.Pipelines = []texts.RevisionPipeline{{Pipeline: p}}
	good := []state.Evidence{{Name: s, Outcome: "success", URL: s, Text: s}, {Name: s, Outcome: "success", URL: evidenceHost + "/run"}}
	bad := []state.Evidence{{Name: s, Outcome: "failure", URL: s, Text: "y" + s, Time: tuesday}, {Name: s, Outcome: "failure", URL: evidenceHost + "/run", Text: "y" + s, Time: tuesday}}
	add(texts.Step{Environment: "a", Carries: true, Verification: &promotion.Verification{Text: "y" + s, Evidence: good, Watch: &state.Watch{Holding: tuesday}}})
	add(texts.Step{Environment: "b", Carries: true, Verification: &promotion.Verification{Text: "y" + s, Evidence: bad, Watch: &state.Watch{Failing: tuesday}}})
	add(texts.Step{Environment: "c", Carries: true, Verification: &promotion.Verification{Verdict: &state.Verdict{Outcome: state.Verified, Evidence: good, Reason: s, Time: tuesday}}})
	add(texts.Step{Environment: "d", Carries: true, Verification: &promotion.Verification{Verdict: &state.Verdict{Outcome: state.Verified, Reason: "y" + s, Time: tuesday}}})
	add(texts.Step{
		Environment: "e", Carries: true, Hold: &state.Hold{Reason: "y" + s, By: "promobot", Failed: id(3), Since: tuesday},
		Verification: &promotion.Verification{Verdict: &state.Verdict{Outcome: state.Failed, Evidence: bad, Reason: s, Time: tuesday}},
		Failure:      &state.Failure{Steps: []state.Taken{{Do: "y" + s, Result: s, URL: s}, {Do: "run", Result: "y" + s, URL: evidenceHost + "/run"}}},
		Rollback:     &state.Promotion{Status: state.Vetoed, PullRequest: 7, By: "y" + s},
	})
	add(texts.Step{
		Environment: "f", Carries: true, Verification: &promotion.Verification{Verdict: &state.Verdict{Outcome: state.GivenUp, Reason: "y" + s, Time: tuesday}},
		Rollback: &state.Promotion{Status: state.Closed, Reason: "y" + s}, TakenBack: "y" + s,
	})
	add(texts.Step{Environment: "g", Carries: true, TakenBack: "y" + s})
	add(texts.Step{Environment: "h", Carries: true})
	return r
}

// toldOfWays and toldOfRollbacks are their texts in Markdown.
func toldOfWays(s string) map[string]string {
	v, b, ps := hostileVersion(s), hostileBranches(s), hostileBatch(s)
	propose, queue, auto := b, b, b
	for p, change := range map[*texts.Promotion]func(*config.Environment){
		&propose: func(e *config.Environment) { e.Mode = config.Propose },
		&queue:   func(e *config.Environment) { e.Merge = config.MergeByQueue },
		&auto:    func(e *config.Environment) { e.Merge = config.MergeByGitHub },
	} {
		e := *p.Config
		change(&e)
		p.Config = &e
	}
	ps2 := hostileBatch(s)
	ps2[1].Decision.Standing = promotion.Waiting
	ps2[0].Config.Mode = config.Propose
	repo := promotion.Repository{URL: repository.URL}
	problems := config.Problems{{File: s, Line: 3, Message: s, Remedy: s + "."}}
	return map[string]string{
		"version": texts.Body(v), "version's head": texts.HeadCheck(v).Summary,
		"branches": texts.Body(b), "branches' head": texts.HeadCheck(b).Summary,
		"proposed": texts.Body(propose), "queued": texts.Body(queue), "auto-merged": texts.Body(auto),
		"batch": texts.BatchBody(ps), "batch's head": texts.BatchHeadCheck(ps).Summary,
		"proposed batch": texts.BatchBody(ps2), "proposed batch's head": texts.BatchHeadCheck(ps2).Summary,
		"superseded": quietly(texts.Superseded(texts.Body(v), 9)),
		"sources":    texts.SourcesCheck(repo, problems).Summary,
		"both":       texts.WithSources(texts.Check{Summary: "On its way."}, repo, problems).Summary,
	}
}

// quietly is without the number that the text means to be seen.
func quietly(superseded string) string {
	return strings.Replace(superseded, "**Superseded by #9**", "**Superseded by nine**", 1)
}

func toldOfRollbacks(s string) map[string]string {
	all := map[string]string{}
	for what, p := range map[string]texts.Promotion{"rollback": hostileRollback(s), "rollback by wish": hostileAsked(s), "rollback by timeout": hostileTimeout(s)} {
		stopped := p
		stopped.Decision.Standing = promotion.Stopped
		all[what], all[what+"'s head"], all[what+" stopped"] = texts.Body(p), texts.HeadCheck(p).Summary, texts.HeadCheck(stopped).Summary
	}
	one := hostileVerification(s)
	two := one
	two.Pipelines = append(slices.Clone(one.Pipelines), one.Pipelines[0])
	all["verification"] = texts.RevisionCheck(one).Summary
	all["verifications"], all["verifications' text"] = texts.RevisionCheck(two).Summary, texts.RevisionCheck(two).Text
	return all
}

// checkPlainWays holds titles and git messages of them.
func checkPlainWays(t *testing.T, s string) {
	t.Helper()
	ps := hostileBatch(s)
	batchTitle, batchMerge := texts.BatchMergeMessage(ps)
	lines := map[string]string{
		"batch's title": texts.BatchTitle(ps), "batch's merge": strings.TrimSuffix(batchTitle, " (#915)"), "batch's check": texts.BatchHeadCheck(ps).Title,
		"verification's check": texts.RevisionCheck(hostileVerification(s)).Title,
	}
	messages := map[string]string{"batch's merge": batchMerge, "batch's body": texts.BatchBody(ps)}
	ids := map[string]string{"batch's merge": ps[2].State.ID, "batch's body": ps[2].State.ID}
	for what, p := range map[string]texts.Promotion{
		"version": hostileVersion(s), "branches": hostileBranches(s), "rollback": hostileRollback(s), "asked": hostileAsked(s), "timeout": hostileTimeout(s),
	} {
		title, merge := texts.MergeMessage(p)
		subject, _, _ := strings.Cut(texts.CommitMessage(p), "\n")
		lines[what+"'s title"], lines[what+"'s subject"], lines[what+"'s check"] = texts.Title(p), subject, texts.HeadCheck(p).Title
		lines[what+"'s merge"] = title[:strings.LastIndex(title, " (#")]
		for part, text := range map[string]string{"commit": texts.CommitMessage(p), "merge": merge, "body": texts.Body(p)} {
			messages[what+"'s "+part], ids[what+"'s "+part] = text, p.State.ID
		}
		if got := state.ParseTrailers(merge)[state.TrailerReverts]; p.State.Reverts != nil && got != p.State.Reverts.Promotion {
			t.Errorf("%s: what it reverts is read back as %q", what, got)
		}
	}
	for what, line := range lines {
		if m := noticed.FindString(line); m != "" || line == "" || strings.ContainsFunc(line, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) }) {
			t.Errorf("%s: %q has %q", what, line, m)
		}
	}
	for what, message := range messages {
		if got := state.ParseTrailers(message)[state.TrailerID]; got != ids[what] {
			t.Errorf("%s: the id read back is %q in\n%s", what, got, message)
		}
		prose := message[:max(0, strings.LastIndex(message, "\n\n"))]
		if m := noticed.FindString(prose); m != "" && !strings.HasSuffix(what, "body") {
			t.Errorf("%s: GitHub would notice %q in\n%s", what, m, prose)
		}
		if slices.ContainsFunc(strings.Split(prose, "\n"), func(l string) bool { return strings.HasPrefix(l, "Promotion-") }) {
			t.Errorf("%s: a line of it begins like a trailer:\n%s", what, prose)
		}
	}
}
