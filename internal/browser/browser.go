// Package browser drives a headless Chromium in tests: what people see, in which
// theme and at which width, and whether everybody can use it.
//
// Rules: a page's own console is part of the test: an error there, such as something
// that the content security policy kept out, fails it. Where Chromium or axe is not
// installed, tests skip and say so; with TEST_BROWSER=required they fail.
package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// within bounds one thing that a tab does.
const within = 3 * time.Minute

// Browser is one running Chromium; close nothing, the test does.
type Browser struct {
	ctx context.Context //nolint:containedctx // chromedp's contexts are the browser's and the tabs' handles
	axe string
}

// Start starts a Chromium that ends with the test, or skips the test.
func Start(t testing.TB) *Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts a browser")
	}
	program, axe, err := found()
	if err != nil {
		if os.Getenv("TEST_BROWSER") == "required" {
			t.Fatal(err)
		}
		t.Skip("not tested: ", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("lang", "en-GB"),
		chromedp.Env("TZ=Europe/Berlin", "LANGUAGE=en_GB"), // another zone than the server's
		chromedp.WSURLReadTimeout(time.Minute),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	t.Cleanup(closeBrowser)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return &Browser{ctx: ctx, axe: axe}
}

// found are Chromium's program and axe's.
func found() (program, axe string, err error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if program, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return "", "", errors.New("there is no Chromium on the path")
	}
	_, self, _, _ := runtime.Caller(0)
	at := filepath.Join(filepath.Dir(self), "node_modules", "axe-core", "axe.min.js")
	text, err := os.ReadFile(at)
	if err != nil {
		return "", "", fmt.Errorf("axe is not installed: run \"npm ci\" in internal/browser (%w)", err)
	}
	return program, string(text), nil
}

// Tab is one tab, with cookies of its own.
type Tab struct {
	t   testing.TB
	ctx context.Context //nolint:containedctx // as above
	axe string

	mu       sync.Mutex
	console  []string
	expected []string
}

// Tab opens one. What its console says of errors fails the test when it ends,
// but for what Expect names.
func (b *Browser) Tab(t testing.TB) *Tab {
	t.Helper()
	id, err := b.window()
	if err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	ctx, closeTab := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
	tab := &Tab{t: t, ctx: ctx, axe: b.axe}
	t.Cleanup(func() {
		closeTab()
		for _, line := range tab.Console() {
			t.Errorf("the page's console: %s", line)
		}
	})
	chromedp.ListenTarget(ctx, tab.hear)
	// The first run must not be bounded: its context is the tab's life.
	if err := chromedp.Run(ctx, log.Enable(), network.Enable()); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	return tab
}

// window opens one in a browser context of its own, as a private window is.
func (b *Browser) window() (target.ID, error) {
	var id target.ID
	err := chromedp.Run(b.ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		ctx = cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Browser)
		own, err := target.CreateBrowserContext().WithDisposeOnDetach(true).Do(ctx)
		if err != nil {
			return err
		}
		id, err = target.CreateTarget("about:blank").WithBrowserContextID(own).WithNewWindow(true).Do(ctx)
		return err
	}))
	return id, err
}

func (t *Tab) hear(event any) {
	line := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			line = e.Entry.Text + " " + e.Entry.URL
		}
	case *cdpruntime.EventExceptionThrown:
		line = e.ExceptionDetails.Error()
	case *cdpruntime.EventConsoleAPICalled:
		if e.Type == cdpruntime.APITypeError || e.Type == cdpruntime.APITypeWarning {
			line = fmt.Sprint(e.Args)
		}
	}
	if line != "" {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.console = append(t.console, line)
	}
}

// Expect says what the console may say: a part of a line.
func (t *Tab) Expect(part string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expected = append(t.expected, part)
}

// Console is what it said of errors and warnings, and was not expected.
func (t *Tab) Console() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
next:
	for _, line := range t.console {
		for _, part := range t.expected {
			if strings.Contains(line, part) {
				continue next
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// Do runs chromedp's actions.
func (t *Tab) Do(actions ...chromedp.Action) {
	t.t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, within)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		t.t.Fatalf("the browser: %v", err)
	}
}

// Look sets theme ("light" or "dark") and size of the window; nothing moves, so that
// what is measured stands.
func (t *Tab) Look(theme string, width, height int64) {
	t.t.Helper()
	t.Do(
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}),
		chromedp.EmulateViewport(width, height),
	)
}

// Cookie sets a cookie for an address.
func (t *Tab) Cookie(address, name, value string) {
	t.t.Helper()
	t.Do(chromedp.ActionFunc(func(ctx context.Context) error {
		return network.SetCookie(name, value).WithURL(address).WithHTTPOnly(true).Do(ctx)
	}))
}

// Open goes to an address and waits until the page is loaded.
func (t *Tab) Open(address string) {
	t.t.Helper()
	t.Do(chromedp.Navigate(address))
}

// Ask evaluates JavaScript, of which a promise is waited for, into out.
func (t *Tab) Ask(script string, out any) {
	t.t.Helper()
	t.Do(chromedp.Evaluate(script, out, func(p *cdpruntime.EvaluateParams) *cdpruntime.EvaluateParams { return p.WithAwaitPromise(true) }))
}

// Until waits until JavaScript says true. It looks at intervals, since a tab in the
// background draws no frames.
func (t *Tab) Until(script string) {
	t.t.Helper()
	t.Do(chromedp.Poll(script, nil, chromedp.WithPollingInterval(100*time.Millisecond), chromedp.WithPollingTimeout(within)))
}

// Text is what stands in the first element that a selector names.
func (t *Tab) Text(selector string) string {
	t.t.Helper()
	var text string
	t.Do(chromedp.Text(selector, &text, chromedp.ByQuery))
	return text
}

// Follow does what leads to another page, and waits for that.
func (t *Tab) Follow(action chromedp.Action) {
	t.t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, within)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, action); err != nil {
		t.t.Fatalf("the browser: %v", err)
	}
}

// Click clicks the first element that a selector names, and waits for the page that
// follows. Where a live page has drawn it anew before it could be clicked, the new
// one is clicked.
func (t *Tab) Click(selector string) {
	t.t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, within)
	defer cancel()
	for {
		_, err := chromedp.RunResponse(ctx, chromedp.Click(selector, chromedp.ByQuery))
		if failed, ok := errors.AsType[*cdproto.Error](err); ok && strings.Contains(failed.Message, "Could not find node") {
			continue
		}
		if err != nil {
			t.t.Fatalf("click %s: %v", selector, err)
		}
		return
	}
}

// Window is what the window shows of the page, as a PNG.
func (t *Tab) Window() []byte {
	t.t.Helper()
	var picture []byte
	t.Do(chromedp.CaptureScreenshot(&picture))
	return picture
}

// Picture is the whole page as a PNG.
func (t *Tab) Picture() []byte {
	t.t.Helper()
	var picture []byte
	t.Do(chromedp.ActionFunc(func(ctx context.Context) error {
		_, _, _, _, _, size, err := page.GetLayoutMetrics().Do(ctx)
		if err != nil {
			return err
		}
		clip := page.Viewport{Width: size.Width, Height: min(size.Height, 8000), Scale: 1}
		picture, err = page.CaptureScreenshot().WithCaptureBeyondViewport(true).WithClip(&clip).Do(ctx)
		return err
	}))
	return picture
}

// violation is one of axe's.
type violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	Nodes  []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// Accessible fails the test for each of axe's violations, best practices among
// them, and where the page is wider than the window. Name is the page's.
func (t *Tab) Accessible(name string) {
	t.t.Helper()
	var loaded bool
	if t.Ask(`"axe" in window`, &loaded); !loaded {
		t.Do(chromedp.Evaluate(t.axe+";0", nil))
	}
	var text string
	t.Ask(`axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations))`, &text)
	var violations []violation
	if err := json.Unmarshal([]byte(text), &violations); err != nil {
		t.t.Fatalf("read what axe says: %v", err)
	}
	for _, v := range violations {
		for _, n := range v.Nodes[:min(len(v.Nodes), 5)] {
			t.t.Errorf("%s: axe: %s (%s): %s\n  %s\n  %s", name, v.ID, v.Impact, v.Help, n.HTML, n.Summary)
		}
	}
	var wider int
	t.Ask(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &wider)
	if wider > 0 {
		t.t.Errorf("%s: the page is %d pixels wider than its window", name, wider)
	}
}

// NoScript switches JavaScript off for what is opened from now on.
func (t *Tab) NoScript() {
	t.t.Helper()
	t.Do(emulation.SetScriptExecutionDisabled(true))
}

// Nodes are how many elements a selector names; it works without JavaScript, too.
func (t *Tab) Nodes(selector string) int {
	t.t.Helper()
	var nodes []*cdp.Node
	t.Do(chromedp.Nodes(selector, &nodes, chromedp.ByQueryAll, chromedp.AtLeast(0)))
	return len(nodes)
}
