package main

// The pages of the real program in a browser: people with different rights sign in
// by the simulated GitHub, look at every page in both themes and three widths, and
// press.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/promobot/promobot/internal/browser"
)

// comesIn signs a person in from the welcome page, as people do.
func comesIn(t *testing.T, b *browser.Browser, public, login string) *browser.Tab {
	t.Helper()
	tab := b.Tab(t)
	tab.Open(public + "/")
	tab.Click("main a.btn")
	tab.Do(chromedp.SetValue("select[name=person]", login, chromedp.ByQuery))
	tab.Click("button[name=agree]")
	if who := tab.Text("header .who"); !strings.Contains(who, login) {
		t.Fatalf("%s comes in as %q", login, who)
	}
	return tab
}

// everywhere looks at the page in each theme and width.
func everywhere(t *testing.T, tab *browser.Tab, name string) {
	t.Helper()
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{390, 1280, 2560} { // a phone, a desk, a wall
			look := fmt.Sprintf("program-%s-%s-%d", name, theme, width)
			tab.Look(theme, width, 900)
			tab.Accessible(look)
			if folder := os.Getenv("TEST_PICTURES"); folder != "" {
				if err := os.WriteFile(filepath.Join(folder, look+".png"), tab.Picture(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestPagesInABrowser: wes may not hold prod, ana may, and zoe sees nothing.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts a browser")
	}
	b := browser.Start(t)
	s := newScene(t, sceneOptions{files: shopFiles(guardedShop(shopPropose), "dev", "prod")})
	s.person("wes", "write")
	if err := s.sim.CreateUser("zoe"); err != nil {
		t.Fatal(err)
	}
	public := s.withPages()
	s.installed(2)
	s.proposed(s.release("2.0.0"))
	s.settle()
	const at = "/acme/gitops/e/prod/shop"

	zoe := comesIn(t, b, public, "zoe")
	zoe.Expect("404")
	if text := zoe.Text("main"); !strings.Contains(text, "No repository to show") || strings.Contains(text, "shop") {
		t.Errorf("zoe sees:\n%s", text)
	}
	everywhere(t, zoe, "home-zoe")
	zoe.Open(public + at)
	if text := zoe.Text("h1"); text != "Nothing here" {
		t.Errorf("zoe sees %q", text)
	}

	wes, ana := comesIn(t, b, public, "wes"), comesIn(t, b, public, "ana")
	for _, page := range []struct{ name, path, says string }{
		{"home", "/", "Needs a person"}, {"repository", "/acme/gitops", "Services"}, {"pipeline", "/acme/gitops/p/shop", "2.0.0"}, {"environment", at, "2.0.0"},
	} {
		ana.Open(public + page.path)
		if text := ana.Text("main"); !strings.Contains(text, page.says) {
			t.Errorf("%s says nothing of %q:\n%s", page.path, page.says, text)
		}
		everywhere(t, ana, page.name)
	}
	ana.Click(`main a[href*="/promotion/"]`)
	if text := ana.Text("main"); !strings.Contains(text, "What it changes") {
		t.Errorf("the promotion's page says:\n%s", text)
	}
	everywhere(t, ana, "promotion")

	// Both look at the same page; what one does, the other sees.
	const holds = `form button[aria-label="Hold: prod"]`
	wes.Open(public + at)
	ana.Open(public + at)
	wes.Click(holds)
	wes.Until(`/Not done/.test(document.querySelector("main").textContent)`)
	if text := wes.Text("[role=status]"); !strings.Contains(text, "maintain") {
		t.Errorf("wes is told: %s", text)
	}
	if s.held(shopProd) {
		t.Fatal("wes, who may not, holds prod")
	}
	ana.Click(`form button[aria-label="Hold with a reason: prod"]`)
	ana.Do(chromedp.SendKeys(`input[name=reason]`, "the database moves", chromedp.ByQuery), chromedp.SendKeys(`input[name=until]`, "3d", chromedp.ByQuery))
	ana.Click("main .acts button")
	ana.Until(`/Done/.test(document.querySelector("main").textContent)`)
	everywhere(t, ana, "answered")
	if h := s.ledgers()[shopProd].Hold; h == nil || h.By != "ana" || !strings.Contains(h.Reason, "the database moves") || h.Until.IsZero() {
		t.Errorf("ana is told that prod is held; the hold is %+v", h)
	}
	wes.Until(`[...document.querySelectorAll("main .pill")].some(p => p.textContent === "Held")`)
}
