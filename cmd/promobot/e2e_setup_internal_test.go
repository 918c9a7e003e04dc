package main

// From nothing to the first promotion in one browser: promobot setup makes the
// App on a simulated GitHub, promobot serve runs with what it wrote, the App is
// installed on a repository, and the first pull request is opened. Each program is
// the real one, as a process of its own.

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/promobot/promobot/handlers/signin"
	"github.com/promobot/promobot/internal/browser"
	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/internal/githubsim/simtest"
	"github.com/promobot/promobot/promotion/registration"
)

// process is a promobot that runs.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  syncBuffer // what it says, on both channels
	line chan string
	gone chan struct{}
}

// startProcess runs promobot with arguments. It ends with the test at the latest.
func startProcess(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), programName)
	if err := os.Symlink(self, bin); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.CommandContext(context.WithoutCancel(t.Context()), bin, args...), line: make(chan string, 100), gone: make(chan struct{})}
	// TEST_BROWSER and its like are the tests', not the program's.
	p.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, envPrefix) }), environ...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.gone)
		defer close(p.line)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			_, _ = p.out.Write(append(bytes.Clone(lines.Bytes()), '\n')) // a buffer
			select {
			case p.line <- lines.Text():
			default: // nobody waits for so many
			}
		}
		_ = p.cmd.Wait() // its end is read from ProcessState
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-p.gone
	})
	return p
}

// says waits for a line with this in it, and returns it.
func (p *process) says(part string) string {
	p.t.Helper()
	for line := range p.line {
		if strings.Contains(line, part) {
			return strings.TrimSpace(line)
		}
	}
	p.t.Fatalf("it never says %q:\n%s", part, p.out.String())
	return ""
}

// unusedAddress is one on which nothing listens just now.
func unusedAddress(t *testing.T) string {
	t.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// looks has a page looked at in both themes and three widths.
func looks(t *testing.T, tab *browser.Tab, name string) {
	t.Helper()
	for _, look := range []struct {
		theme string
		width int64
	}{{"dark", 360}, {"light", 900}, {"dark", 1600}} {
		tab.Look(look.theme, look.width, 900)
		tab.Accessible(fmt.Sprintf("%s, %s, %d wide", name, look.theme, look.width))
		if folder := os.Getenv("TEST_PICTURES"); folder != "" { // to be looked at
			picture := fmt.Sprintf("setup %s, %s, %d wide.png", name, look.theme, look.width)
			if err := os.WriteFile(filepath.Join(folder, picture), tab.Picture(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFromSetupToTheFirstPromotion(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a browser")
	}
	t.Parallel()
	tab := browser.Start(t).Tab(t)
	tab.Expect("status of 422") // the form that is sent empty
	tab.Expect("favicon.ico")   // the simulated GitHub has none
	sim := simtest.Start(t, githubsim.Options{})
	sim.Undescribed("repository")
	for _, login := range []string{"ana", "bo"} {
		if err := sim.CreateUser(login); err != nil {
			t.Fatal(err)
		}
	}
	if err := sim.CreateOrganization(sceneOwner, []string{"bo"}, []string{"ana"}); err != nil {
		t.Fatal(err)
	}
	image := func(tag string) string { return "images:\n  - name: shop\n    newTag: " + tag + "\n" }
	c := newCheckout(t, sim, "gitops", sceneOptions{files: map[string]string{
		".github/promobot.yml": doctorFile, "envs/qa/kustomization.yaml": image("1.0.0"), "envs/prod/kustomization.yaml": image("1.0.0"),
	}})
	address, dir := unusedAddress(t), filepath.Join(t.TempDir(), "app")

	setting := startProcess(t, nil, "setup", "--no-browser", "--dir", dir)
	tab.Open(setting.says("http://127.0.0.1:"))
	looks(t, tab, "the form")
	tab.Click("#next")
	if text := tab.Text("#organization-wrong"); !strings.Contains(text, "Name the organization") {
		t.Errorf("an empty form is answered by %q", text)
	}
	tab.Accessible("the form with what is wrong")
	tab.Do(
		chromedp.SetValue("#organization", sceneOwner, chromedp.ByQuery),
		chromedp.SetValue("#name", "promobot-acme", chromedp.ByQuery),
		chromedp.SetValue("#url", "http://"+address, chromedp.ByQuery),
		chromedp.SetValue("#github", sim.URL, chromedp.ByQuery),
	)
	tab.Click("#next")
	looks(t, tab, "the way to GitHub")
	tab.Click("#to-github")
	tab.Click("#create")
	if text := tab.Text("main"); !strings.Contains(text, "promobot is set up") {
		t.Fatalf("GitHub leads to:\n%s", text)
	}
	looks(t, tab, "the last page")
	<-setting.gone
	if code := setting.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("promobot setup ends with %d:\n%s", code, setting.out.String())
	}
	wantModes(t, dir)

	config := filepath.Join(dir, "config.yml")
	serving := startProcess(t, []string{"PROMOBOT_SERVER_ADDRESS=" + address, "PROMOBOT_QUEUE_DEBOUNCE=" + sceneDebounce.String()}, "serve", "--config", config)
	ready := func() bool {
		_, status, err := fetchSmall(t.Context(), "http://"+address+"/readyz")
		return err == nil && status == http.StatusOK
	}
	waitUntil(t, "promobot serves", ready)

	// The last page is still open, and leads to GitHub's page for installing.
	tab.Click(`a[href$="/installations/new"]`)
	tab.Do(chromedp.Click(`input[value="acme/gitops"]`, chromedp.ByQuery))
	tab.Click("#install-acme")
	var at string
	tab.Do(chromedp.Location(&at))
	if !strings.HasPrefix(at, "http://"+address+"/") {
		t.Errorf("after installing, GitHub leads to %s, not to promobot", at)
	}
	waitUntil(t, "prod is adopted", func() bool { _, there := c.refs()["refs/promobot/shop/prod"]; return there })
	c.push("qa: 1.1.0", map[string]string{"envs/qa/kustomization.yaml": image("1.1.0")})
	waitUntil(t, "the first promotion is opened", func() bool {
		list, _, err := c.ana.PullRequests.List(t.Context(), sceneOwner, "gitops", nil)
		return err == nil && len(list) == 1 && list[0].GetUser().GetLogin() == "promobot-acme[bot]" && strings.Contains(list[0].GetTitle(), "1.0.0 → 1.1.0")
	})
	if err := sim.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	looking := startProcess(t, []string{"PROMOBOT_SERVER_ADDRESS=" + address}, "doctor", "acme/gitops", "--config", config)
	<-looking.gone
	if code := looking.cmd.ProcessState.ExitCode(); code != 0 || !strings.Contains(looking.out.String(), "0 wrong, 0 doubtful") {
		t.Errorf("promobot doctor ends with %d:\n%s\n%s", code, looking.out.String(), tail(serving.out.String(), 20))
	}
}

// TestSignInComesBackWhereTheAppSays: GitHub leads people back to nowhere else.
func TestSignInComesBackWhereTheAppSays(t *testing.T) {
	if signin.CallbackPath != registration.CallbackPath {
		t.Errorf("the App is registered with %s, and promobot serves %s", registration.CallbackPath, signin.CallbackPath)
	}
}
