package texts_test

import (
	"strings"
	"testing"

	"github.com/promobot/promobot/promotion/texts"
)

func TestOnboardingTexts(t *testing.T) {
	title, body := texts.OnboardingTexts(texts.Onboarding{
		File: []byte("version: 1\n# ```\n# </details><script>\nmode: observe\n"), Reasons: []string{"staging: after dev by its name"}, Doubts: []string{"- qa <b>@acme/all</b> | [x](http://evil)"},
		Span: "the last 90 days (3 commits)", Totals: []texts.OnboardingTotal{{Environment: "dev", Source: true, Landed: 2}, {Environment: "prod|eu", Landed: 1, Opened: 2, ByHand: 1, Open: 1}},
		Pulls: []texts.OnboardingPull{{Title: "prod: shop 1 → 2 <img src=x>", Became: "still open"}},
	})
	if title == "" || len(title) > 256 {
		t.Errorf("title %q", title)
	}
	for _, want := range []string{
		"> **Merging this does nothing yet:**", "- staging: after dev by its name\n", "| dev | 2 | | | |\n", "| prod&#124;eu | 1 | 2 | 1 | 1 |\n", "&#60;img src=x&#62;",
		"\n````yaml\nversion: 1\n# ```\n", "\nmode: observe\n````\n\n</details>\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("not there: %q\n%s", want, body)
		}
	}
	for _, hostile := range []string{"<b>", "@acme/all", "](http://evil)", "<img"} {
		if strings.Contains(body, hostile) {
			t.Errorf("there unescaped: %q\n%s", hostile, body)
		}
	}
	if _, body := texts.OnboardingTexts(texts.Onboarding{File: []byte("version: 1\n")}); strings.Contains(body, "What would have been") || strings.Contains(body, "**Why**") {
		t.Errorf("headings of what there is none of:\n%s", body)
	}
}

func TestOnboardingTextsFitIntoAPullRequest(t *testing.T) {
	long := strings.Repeat("<$_", 400)
	o := texts.Onboarding{File: []byte(strings.Repeat("# long\n", 20_000)), Span: "the last 90 days"}
	for range 100 {
		o.Reasons, o.Doubts = append(o.Reasons, long), append(o.Doubts, long)
		o.Totals = append(o.Totals, texts.OnboardingTotal{Environment: "prod"})
		o.Pulls = append(o.Pulls, texts.OnboardingPull{Title: long, Became: "still open"})
	}
	if _, body := texts.OnboardingTexts(o); len(body) > 65_536 || !strings.Contains(body, "Merging this does nothing yet") || !strings.Contains(body, "and 95 more, in the file") {
		t.Errorf("%d bytes:\n%.2000s", len(body), body)
	}
}
