package pages_test

// What people see: every page in Chromium, in both themes and three widths, usable
// by everybody as far as axe can tell; alive with its script, whole without.

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/promobot/promobot/handlers/pages"
	"github.com/promobot/promobot/internal/browser"
	"github.com/promobot/promobot/promotion/view"
)

// serve serves a site of today, so that what pages say of times is near.
func serve(t *testing.T, all func(world) []view.Repository) (*site, string) {
	t.Helper()
	s := newSite(time.Now, all(world{time.Now()})...)
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		server.Close()
	})
	return s, server.URL
}

func both(w world) []view.Repository { return []view.Repository{w.shop(), w.platform()} }

var (
	themes = []string{"light", "dark"}
	sizes  = []struct {
		name          string
		width, height int64
	}{{"phone", 390, 844}, {"desk", 1280, 800}, {"wall", 2560, 1440}}
)

// shown are all pages, and a page in each state that looks otherwise.
var shown = []struct{ name, who, path string }{
	{"welcome", "", "/"},
	{"home", alice, "/"},
	{"home-unwell", alice, "/"},
	{"home-filtered", alice, "/?q=none+such"},
	{"home-empty", "nobody", "/"},
	{"home-quiet", bob, "/?env=qa"},
	{"home-large", alice, "/"},
	{"repository", alice, "/acme/shop"},
	{"repository-trouble", bob, "/acme/platform"},
	{"repository-hidden", bob, "/acme/shop"},
	{"pipeline", alice, "/acme/shop/p/" + pipeline},
	{"environment", alice, envEU},
	{"environment-answered", alice, envEU + "?answer=page-00000000000000000000000000000001"},
	{"environment-waits", alice, envEU + "?answer=page-00000000000000000000000000000002"},
	{"environment-failed", alice, "/acme/shop/e/prod-us/" + pipeline},
	{"environment-verifying", alice, "/acme/shop/e/staging/" + pipeline},
	{"environment-shadow", alice, "/acme/shop/e/prod-us/services/search"},
	{"promotion", alice, "/acme/shop/promotion/b1946ac92492d2347c6235b4d2611184"},
	{"promotion-landed", alice, "/acme/shop/promotion/r902"},
	{"promotion-before", alice, "/acme/shop/promotion/a871"},
	{"promotion-closed", alice, "/acme/shop/promotion/a866"},
}

// stage prepares what a page of that name shows.
func stage(s *site, name string) {
	w := world{s.now()}
	s.change(0, func() {
		s.all = both(w)
		s.health.Troubles, s.health.OldestWork = nil, w.ago(4*time.Second)
		s.answers = []view.Answer{{ID: "page-00000000000000000000000000000001", By: alice, Command: "hold prod-eu", Says: []string{"`hold` asks for write, you may read"}, At: w.ago(time.Minute)}}
		switch name {
		case "home-unwell":
			s.health.OldestWork, s.health.Troubles = w.ago(17*time.Minute), []string{"the disk of `data_dir` is full"}
		case "home-empty":
			s.all = nil
		case "home-quiet":
			s.all = []view.Repository{w.platform()}
			s.all[0].Problems, s.all[0].Error = nil, ""
		case "home-large":
			s.all = append(s.all, w.large(60))
		}
	})
}

func TestEveryPageInABrowser(t *testing.T) {
	b := browser.Start(t)
	s, address := serve(t, both)
	tabs := map[string]*browser.Tab{}
	for _, one := range shown {
		if tabs[one.who] == nil {
			tabs[one.who] = b.Tab(t)
			if one.who != "" {
				tabs[one.who].Cookie(address, "who", one.who)
			}
		}
		tab := tabs[one.who]
		if one.name == "repository-hidden" {
			tab.Expect("404")
		}
		stage(s, one.name)
		tab.Open(address + one.path)
		for _, theme := range themes {
			for _, size := range sizes {
				tab.Look(theme, size.width, size.height)
				tab.Accessible(fmt.Sprintf("%s, %s, %s", one.name, theme, size.name))
				keep(t, tab, fmt.Sprintf("%s-%s-%s", one.name, theme, size.name))
			}
		}
	}
}

// keep writes a picture into $TEST_PICTURES, to be looked at.
func keep(t *testing.T, tab *browser.Tab, name string) {
	t.Helper()
	folder := os.Getenv("TEST_PICTURES")
	if folder == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), tab.Picture(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestActingInABrowser(t *testing.T) {
	b := browser.Start(t)
	for name, prepare := range map[string]func(*browser.Tab){"with its script": func(*browser.Tab) {}, "without": (*browser.Tab).NoScript} {
		t.Run(name, func(t *testing.T) {
			s, address := serve(t, both)
			tab := b.Tab(t)
			tab.Cookie(address, "who", alice)
			prepare(tab)
			tab.Open(address + "/")
			tab.Click(`.needs button[aria-label="Resume: prod-us"]`)
			if text := tab.Text("main"); !strings.Contains(text, "1.41.0 stays rejected") || len(s.pressed()) > 0 {
				t.Fatalf("nothing is asked before it is done:\n%s", text)
			}
			for _, theme := range themes {
				for _, size := range sizes {
					tab.Look(theme, size.width, size.height)
					if name == "with its script" {
						tab.Accessible(fmt.Sprintf("confirm, %s, %s", theme, size.name))
					}
					keep(t, tab, fmt.Sprintf("confirm-%s-%s", theme, size.name))
				}
			}
			tab.Click("main button")
			if text := tab.Text("[role=status]"); !strings.Contains(text, "Asked for") {
				t.Errorf("after the press: %s", text)
			}
			presses := s.pressed()
			if len(presses) != 1 || presses[0].By != alice || presses[0].Command != "resume prod-us --pipeline "+pipeline {
				t.Fatalf("pressed: %+v", presses)
			}
			s.change(1, func() {
				s.answers = []view.Answer{{ID: presses[0].ID, By: alice, Command: presses[0].Command, Done: true, Says: []string{"`prod-us` goes on"}, At: s.now()}}
			})
			if name == "with its script" {
				tab.Until(`document.querySelector("main").textContent.includes("prod-us goes on") || document.querySelector("main").textContent.includes("Prod-us goes on")`)
			} else {
				tab.Click("[role=status] a")
				if text := tab.Text("[role=status]"); !strings.Contains(text, "goes on") {
					t.Errorf("the answer: %s", text)
				}
			}
		})
	}
}

// TestHoldingInABrowser: with the second button, a reason and an end.
func TestHoldingInABrowser(t *testing.T) {
	b := browser.Start(t)
	s, address := serve(t, both)
	tab := b.Tab(t)
	tab.Cookie(address, "who", alice)
	tab.Open(address + envEU)
	tab.Click(`button[aria-label="Hold with a reason: prod-eu"]`)
	const until = `input[name=until]`
	tab.Do(chromedp.SendKeys(`input[name=reason]`, "migration of the database", chromedp.ByQuery), chromedp.SendKeys(until, "soon", chromedp.ByQuery))
	tab.Click("main .acts button")
	if text := tab.Text("[role=alert]"); !strings.Contains(text, "is no time") || len(s.pressed()) > 0 {
		t.Fatalf("pressed %+v, told %s", s.pressed(), text)
	}
	for _, theme := range themes {
		for _, size := range sizes {
			tab.Look(theme, size.width, size.height)
			tab.Accessible(fmt.Sprintf("hold, %s, %s", theme, size.name))
			keep(t, tab, fmt.Sprintf("hold-%s-%s", theme, size.name))
		}
	}
	tab.Do(chromedp.SetValue(until, "2h", chromedp.ByQuery))
	tab.Click("main .acts button")
	if all := s.pressed(); len(all) != 1 || all[0].Command != "hold prod-eu --until 2h --pipeline "+pipeline+" -- migration of the database" {
		t.Errorf("pressed %+v", all)
	}
}

// TestNothingMovesUnderAPress: what changes while a button is pressed is shown after
// it, and the press is of what was there.
func TestNothingMovesUnderAPress(t *testing.T) {
	b := browser.Start(t)
	s, address := serve(t, both)
	open := func() *browser.Tab {
		tab := b.Tab(t)
		tab.Cookie(address, "who", alice)
		tab.Open(address + envEU)
		tab.Until(`document.querySelector(".livemark.on") !== null`)
		return tab
	}
	tab, other := open(), open()
	const moved = `document.querySelector("main").textContent.includes("Something new")`
	var at struct{ X, Y float64 }
	tab.Ask(`(() => { const e = document.querySelector('button[aria-label="Close: prod-eu"]'); e.scrollIntoView({block: "center"}); const b = e.getBoundingClientRect(); return {X: b.x + b.width/2, Y: b.y + b.height/2} })()`, &at)
	tab.Do(chromedp.ActionFunc(func(ctx context.Context) error {
		return input.DispatchMouseEvent(input.MousePressed, at.X, at.Y).WithButton(input.Left).WithClickCount(1).Do(ctx)
	}))
	s.change(1, func() { s.all[0].Pipelines[0].Environments[2].Needs = "Something new" })
	other.Until(moved)
	var did bool
	if tab.Ask(moved, &did); did {
		t.Error("the page is drawn anew under the press")
	}
	tab.Follow(chromedp.ActionFunc(func(ctx context.Context) error {
		return input.DispatchMouseEvent(input.MouseReleased, at.X, at.Y).WithButton(input.Left).WithClickCount(1).Do(ctx)
	}))
	if all := s.pressed(); len(all) != 1 || all[0].Command != closing {
		t.Errorf("pressed %+v", all)
	}
}

func TestAPageLives(t *testing.T) {
	b := browser.Start(t)
	s, address := serve(t, both)
	tab := b.Tab(t)
	tab.Cookie(address, "who", alice)
	tab.Open(address + "/?is=held")
	tab.Until(`document.querySelector(".livemark.on") !== null`)
	tab.Do(chromedp.Focus(`.filter select`, chromedp.ByQuery))
	tab.Ask(`document.querySelector(".wide").focus(); window.same = true; true`, new(bool))
	if text := tab.Text(".matrix time"); strings.Contains(text, "Z") {
		t.Errorf("a time is not in the reader's words: %s", text)
	}
	s.change(1, func() {
		e := &s.all[0].Pipelines[2].Environments[0]
		e.Hold = &view.Hold{Reason: "look", By: bob, Since: s.now()}
	})
	tab.Until(`document.querySelector(".matrix").textContent.includes("catalogue")`)
	var kept bool
	tab.Ask(`window.same === true && document.activeElement.classList.contains("wide")`, &kept)
	if !kept {
		t.Error("the page was loaded anew, or lost its focus")
	}
	// Another repository's news do not concern this page.
	tab.Open(address + "/acme/shop")
	tab.Until(`document.querySelector(".livemark.on") !== null`)
	tab.Ask(`document.querySelector("h1").dataset.old = ""; true`, new(bool))
	s.change(2, func() {})
	s.change(1, func() { s.all[0].Error = "news of the shop" })
	tab.Until(`document.querySelector("main").textContent.includes("news of the shop")`)
}

func TestTheKeyboard(t *testing.T) {
	b := browser.Start(t)
	_, address := serve(t, both)
	tab := b.Tab(t)
	tab.Cookie(address, "who", alice)
	tab.Look("light", 1280, 800)
	tab.Open(address + "/")
	tab.Do(chromedp.KeyEvent("\t"))
	var first string
	tab.Ask(`document.activeElement.textContent + " at " + (document.activeElement.getBoundingClientRect().top >= 0)`, &first)
	if first != "Skip to content at true" {
		t.Errorf("the first stop is %q", first)
	}
	tab.Do(chromedp.KeyEvent("\r"))
	tab.Until(`document.activeElement.id === "main"`)
	// Every stop can be seen to be one.
	for range 12 {
		tab.Do(chromedp.KeyEvent("\t"))
		var stop struct{ Name, Outline string }
		tab.Ask(`(e => ({Name: e.tagName + " " + e.textContent.slice(0, 30), Outline: getComputedStyle(e).outlineStyle}))(document.activeElement)`, &stop)
		if stop.Outline == "none" {
			t.Errorf("%s shows no focus", stop.Name)
		}
	}
}

// TestPicturesOfTheDocs draws those of the README, when docs/pictures is to be made.
func TestPicturesOfTheDocs(t *testing.T) {
	folder := filepath.Join("..", "..", "docs", "pictures")
	if !*update {
		for _, name := range docsPictures {
			if _, err := os.Stat(filepath.Join(folder, name.file)); err != nil {
				t.Errorf("%v; make it with -update", err)
			}
		}
		return
	}
	b := browser.Start(t)
	s, address := serve(t, func(w world) []view.Repository { return []view.Repository{w.shop()} })
	s.health = pages.Health{LastEvent: s.now(), Budget: 4712, BudgetLimit: 5000}
	tab := b.Tab(t)
	tab.Cookie(address, "who", alice)
	for _, one := range docsPictures {
		tab.Look(one.theme, one.width, one.height)
		tab.Open(address + one.path)
		if err := os.WriteFile(filepath.Join(folder, one.file), tab.Window(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var docsPictures = []struct {
	file, theme, path string
	width, height     int64
}{
	{"overview.png", "light", "/", 1200, 900},
	{"overview-dark.png", "dark", "/", 1200, 900},
	{"pipeline.png", "light", "/acme/shop/p/" + pipeline, 1400, 1040},
	{"environment.png", "light", "/acme/shop/e/prod-eu/" + pipeline, 1200, 900},
}
