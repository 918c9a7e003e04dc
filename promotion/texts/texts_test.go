package texts_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/texts"
	"github.com/promobot/promobot/state"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with testdata/name.md.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".md")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (run with -update if that is meant):\n%s", file, diff)
	}
}

func section(name, text string) string { return "%%% " + name + "\n" + text + "\n\n" }

func checkText(c texts.Check) string {
	s := section("title", c.Title) + section("conclusion", c.Status+", "+c.Conclusion) + section("summary", c.Summary)
	if c.Text != "" {
		s += section("text", c.Text)
	}
	return s
}

func promotions() map[string]texts.Promotion {
	ps := map[string]texts.Promotion{"auto": auto()}
	for name, change := range map[string]func(*texts.Promotion){
		"propose": proposed, "overwrite": overwriting, "many": many, "stopped": stopped, "pushed": pushed, "blocked": blocked,
		"merging": merging, "moved": moved, "template": templated, "template-broken": brokenTemplate, "landed": landed,
	} {
		ps[name] = with(auto(), change)
	}
	return ps
}

func TestPromotionTexts(t *testing.T) {
	for name, p := range promotions() {
		t.Run(name, func(t *testing.T) {
			title, message := texts.MergeMessage(p)
			golden(t, "promotion-"+name,
				section("title", texts.Title(p))+section("body", texts.Body(p))+
					section("commit", texts.CommitMessage(p))+section("merge", title+"\n\n"+message)+
					section("head check", checkText(texts.HeadCheck(p))))
		})
	}
}

func TestTrailersCanBeReadBack(t *testing.T) {
	for name, p := range promotions() {
		t.Run(name, func(t *testing.T) {
			want := map[string]string{}
			for _, tr := range p.State.Trailers("services/checkout", "prod-eu") {
				want[tr.Key] = tr.Value
			}
			_, merge := texts.MergeMessage(p)
			for what, text := range map[string]string{
				"body": texts.Body(p), "body with CRLF": strings.ReplaceAll(texts.Body(p), "\n", "\r\n"),
				"commit": texts.CommitMessage(p), "merge": merge,
			} {
				if diff := cmp.Diff(want, state.ParseTrailers(text)); diff != "" {
					t.Errorf("%s: -want +got\n%s", what, diff)
				}
			}
		})
	}
}

func TestMergeMessageNamesThePullRequestWithoutALedgeredURL(t *testing.T) {
	p := auto()
	p.State.URL = ""
	_, message := texts.MergeMessage(p)
	if got := state.ParseTrailers(message)[state.TrailerPullRequest]; got != "https://github.example/acme/fleet/pull/915" {
		t.Errorf("trailer is %q", got)
	}
}

func TestTextsDoNotFollowTheClock(t *testing.T) {
	p, r := auto(), revisionOfStagings()
	q, u := p, r
	q.Now, u.Now = p.Now.AddDate(0, 1, 3), r.Now.AddDate(0, 1, 3)
	if diff := cmp.Diff(texts.Body(p)+texts.HeadCheck(p).Summary, texts.Body(q)+texts.HeadCheck(q).Summary); diff != "" {
		t.Errorf("the promotion's texts changed with the time alone:\n%s", diff)
	}
	if diff := cmp.Diff(texts.RevisionCheck(r), texts.RevisionCheck(u)); diff != "" {
		t.Errorf("the revision's check changed with the time alone:\n%s", diff)
	}
}

func TestLimits(t *testing.T) {
	long := strings.Repeat("<@é|`#1 ", 60)
	p := with(auto(), many)
	for i := range p.Decision.Content.Changes {
		c := &p.Decision.Content.Changes[i]
		c.File, c.Value, c.Now, c.After, c.Overwrites = long, long, long, long, true
	}
	for i := range p.Brings {
		p.Brings[i].Message, p.Brings[i].Author.Name = long, long
	}
	for range 300 {
		p.Decision.Content.Kept = append(p.Decision.Content.Kept, long)
		p.Way = append(p.Way, texts.Step{Environment: long, Carries: true})
	}
	p.Pipeline.Title, p.Decision.Content.From, p.Decision.Content.To = long, long, long

	body := texts.Body(p)
	if n := len(body); n > 65536 || n < 10000 {
		t.Errorf("the body has %d bytes", n)
	}
	if got := state.ParseTrailers(body)[state.TrailerID]; got != p.State.ID {
		t.Errorf("the shortened body's id is %q", got)
	}
	for _, want := range []string{"**Merges:**", "**Why now:**", "more", "**Undo after merging:**", "</details>"} {
		if !strings.Contains(body, want) {
			t.Errorf("the shortened body lacks %s", want)
		}
	}
	if n := utf8.RuneCountInString(texts.Title(p)); n > 256 {
		t.Errorf("the title has %d characters", n)
	}
	q := with(auto(), func(p *texts.Promotion) { p.Pipeline.Title = strings.Repeat("payments-", 20) })
	title, _ := texts.MergeMessage(q)
	subject, _, _ := strings.Cut(texts.CommitMessage(q), "\n")
	for _, s := range []string{subject, title} {
		if n := utf8.RuneCountInString(s); n > 72 || !strings.HasSuffix(strings.TrimSuffix(s, " (#915)"), "1.40.0 → 1.42.0") {
			t.Errorf("the subject %q has %d characters", s, n)
		}
	}
	if !strings.HasSuffix(title, "(#915)") {
		t.Errorf("the merge's title %q lost its number", title)
	}
	c := texts.RevisionCheck(services(600, func(i int, s *texts.Step) {
		s.Reason = long
		if i%2 == 0 && s.Environment == "prod" {
			s.Standing = promotion.Stopped
		}
	}))
	for what, s := range map[string]string{"summary": c.Summary, "text": c.Text} {
		if len(s) > 65535 || len(s) < 10000 {
			t.Errorf("the revision check's %s has %d bytes", what, len(s))
		}
	}
	if !strings.Contains(c.Text, "more") {
		t.Error("the revision check's text does not say that pipelines are left out")
	}
	f := texts.Foreign{Repository: repository, File: &texts.FileChange{}, Shared: map[string]int{}}
	for range 5000 {
		f.File.Problems = append(f.File.Problems, config.Problem{File: config.Path, Line: 3, Column: 1, Message: long, Remedy: long})
	}
	if c := texts.ForeignCheck(f); len(c.Summary) > 65535 || !strings.Contains(c.Summary, "more") {
		t.Errorf("the foreign check's summary has %d bytes", len(c.Summary))
	}
}

func TestTemplateThatGrowsTooLongGivesWay(t *testing.T) {
	p := with(auto(), func(p *texts.Promotion) { p.Config.Body = strings.Repeat("x", 65000) + "{{.Text}}" })
	body := texts.Body(p)
	if !strings.HasPrefix(body, "**Merges:**") || !strings.Contains(body, "template of the text does not work") {
		t.Errorf("the body begins %.300q", body)
	}
}

func TestRevisionChecks(t *testing.T) {
	stop := func(r texts.Revision) texts.Revision {
		s := &r.Pipelines[0].Steps[4]
		s.Standing, s.Reason = promotion.Stopped, "someone pushed to the branch of #14, so it is theirs"
		return r
	}
	hotfix := revisionOfStagings()
	hotfix.Pipelines[0].Steps[0] = texts.Step{Environment: "qa", Standing: promotion.Source}
	hotfix.Pipelines[0].Steps[1] = texts.Step{Environment: "staging-us", Standing: promotion.UpToDate}
	hotfix.Pipelines[0].Steps[2] = texts.Step{Environment: "staging-eu", Standing: promotion.UpToDate}
	all := services(1, func(_ int, s *texts.Step) {
		s.Carries, s.Standing, s.Reason, s.At = true, promotion.UpToDate, "", tuesday
	})
	rejected := services(1, func(_ int, s *texts.Step) {
		if s.Environment == "prod" {
			s.Standing, s.Reason = promotion.Rejected, "@ana closed #300; 1a2b3c4d5e is not proposed again, something newer will be"
		}
	})
	for name, c := range map[string]struct {
		revision   texts.Revision
		conclusion string
	}{
		"stagings":         {revisionOfStagings(), "neutral"},
		"stagings-stopped": {stop(revisionOfStagings()), "failure"},
		"hotfix":           {hotfix, "neutral"},
		"all-the-way":      {all, "success"},
		"rejected":         {rejected, "neutral"},
		"services-40": {services(40, func(i int, s *texts.Step) {
			switch {
			case s.Environment == "staging" && i >= 38:
				s.Carries, s.Standing, s.Reason = false, promotion.Waiting, "a check has failed or has not finished"
			case s.Environment == "prod" && i >= 38:
				*s = texts.Step{Environment: "prod", Standing: promotion.Waiting}
			}
		}), "neutral"},
		"services-stopped": {services(3, func(i int, s *texts.Step) {
			if i == 2 && s.Environment == "prod" {
				s.Standing, s.Reason = promotion.Stopped, "held: what landed with #7 is not exactly what was promoted"
			}
		}), "failure"},
		"nowhere": {texts.Revision{Repository: repository, Commit: id(1)}, "success"},
	} {
		t.Run(name, func(t *testing.T) {
			got := texts.RevisionCheck(c.revision)
			if got.Status != "completed" || got.Conclusion != c.conclusion {
				t.Errorf("it is %s, %s; want completed, %s", got.Status, got.Conclusion, c.conclusion)
			}
			golden(t, "revision-"+name, checkText(got))
		})
	}
}

func TestForeignChecks(t *testing.T) {
	base := texts.Foreign{Repository: repository, Number: 77}
	reach := []texts.Reach{
		{Pipeline: "checkout", Environment: "dev", Onward: []string{"staging", "prod-canary", "prod-eu", "prod-us"}},
		{Pipeline: "cart", Environment: "dev", Onward: []string{"staging"}},
	}
	for name, c := range map[string]struct {
		foreign    texts.Foreign
		conclusion string
	}{
		"nothing": {base, "success"},
		"reaches": {texts.Foreign{Repository: repository, Number: 77, Reaches: reach}, "neutral"},
		"last":    {texts.Foreign{Repository: repository, Number: 77, Reaches: []texts.Reach{{Pipeline: "checkout", Environment: "prod-eu"}}}, "neutral"},
		"shared": {texts.Foreign{Repository: repository, Number: 77, Reaches: reach[:1], Shared: map[string]int{
			"services/checkout/base/deployment.yaml": 11, "services/cart/base/x.yaml": 4,
		}}, "neutral"},
		"file-invalid": {texts.Foreign{Repository: repository, Number: 77, Reaches: reach, File: &texts.FileChange{Problems: config.Problems{
			{File: config.Path, Line: 14, Column: 3, Message: "environments.prod-eu.form is not known", Remedy: "write `from`"},
			{File: config.Path, Line: 20, Column: 9, Message: "prod-eu comes from stagin, which is not there", Remedy: "write staging"},
		}}}, "failure"},
		"file-invalid-on-main": {texts.Foreign{Repository: repository, File: &texts.FileChange{Problems: config.Problems{
			{File: config.Path, Line: 1, Message: "version is missing", Remedy: "begin with `version: 1`"},
		}}}, "failure"},
		"file-valid": {texts.Foreign{Repository: repository, Number: 77, File: &texts.FileChange{Effects: []string{
			"checkout: prod-eu is new", "cart: staging's mode becomes auto instead of propose",
		}}}, "neutral"},
		"file-same": {texts.Foreign{Repository: repository, Number: 77, File: &texts.FileChange{}}, "success"},
	} {
		t.Run(name, func(t *testing.T) {
			got := texts.ForeignCheck(c.foreign)
			if got.Status != "completed" || got.Conclusion != c.conclusion {
				t.Errorf("it is %s, %s; want completed, %s", got.Status, got.Conclusion, c.conclusion)
			}
			golden(t, "foreign-"+name, checkText(got))
		})
	}
}

func TestHeadCheckConclusions(t *testing.T) {
	for name, want := range map[string]string{
		"auto": "neutral", "propose": "neutral", "overwrite": "neutral", "blocked": "neutral", "moved": "neutral",
		"merging": "success", "landed": "success", "stopped": "failure", "pushed": "failure",
	} {
		t.Run(name, func(t *testing.T) {
			if got := texts.HeadCheck(promotions()[name]); got.Status != "completed" || got.Conclusion != want {
				t.Errorf("it is %s, %s; want completed, %s", got.Status, got.Conclusion, want)
			}
		})
	}
}
