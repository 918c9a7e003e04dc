package texts_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/texts"
)

func TestSourcesCheck(t *testing.T) {
	repo := promotion.Repository{Owner: "acme", Name: "gitops", URL: "https://github.com/acme/gitops"}
	ps := config.Problems{
		{File: ".github/promobot.yml", Line: 4, Message: "release of vendor/app cannot be read: an owner of vendor can install it at `https://github.com/apps/promobot/installations/new`"},
		{File: ".github/promobot.yml", Line: 9, Message: "tag of vendor/[lib](https://evil.example) @ana"},
	}
	c := texts.SourcesCheck(repo, ps)
	want := texts.Check{Status: "completed", Conclusion: "failure", Title: "2 sources of versions cannot be read", Summary: "Nothing new comes from there until that is mended; then promobot goes on by itself. All else goes on.\n\n" +
		"- ✗ `.github/promobot.yml`, line 4: release of vendor/app cannot be read: an owner of vendor can install it at `https://github.com/apps/promobot/installations/new`\n" +
		"- ✗ `.github/promobot.yml`, line 9: tag of vendor/\\[lib\\]\\(https:&#8203;//evil.example\\) @&#8203;ana"}
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if !texts.SaysUnreadable(c.Title) {
		t.Errorf("%q is not known again", c.Title)
	}
	well := texts.SourcesCheck(repo, nil)
	if well.Conclusion != "success" || texts.SaysUnreadable(well.Title) {
		t.Errorf("without problems: %+v", well)
	}
	both := texts.WithSources(texts.Check{Status: "completed", Conclusion: "neutral", Title: "dev ✓", Summary: "On its way."}, repo, ps)
	if both.Conclusion != "failure" || both.Title != "dev ✓" || !strings.HasPrefix(both.Summary, "On its way.\n\n**2 sources of versions cannot be read.** Nothing new") {
		t.Errorf("beside another text: %+v", both)
	}
	many := make(config.Problems, 5000)
	for i := range many {
		many[i] = ps[0]
		many[i].Line = i + 1
	}
	if n := len(texts.SourcesCheck(repo, many).Summary); n > 65535 {
		t.Errorf("a summary of %d bytes", n)
	}
	full := texts.Check{Summary: strings.Repeat("x", 65535)}
	if n := len(texts.WithSources(full, repo, many).Summary); n > 65535 {
		t.Errorf("together %d bytes", n)
	}
}
