package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/handlers/signin"
	"github.com/promobot/promobot/internal/githubsim"
)

var demoChanging = regexp.MustCompile(`127\.0\.0\.1:\d+|[0-9a-f]{40}|[0-9a-f]{10}\b|\d+ API writes and \d+ pushes for all of this; \d+ of its \d+ reads`)

// TestDemo is README's first command: what it tells is its golden file.
func TestDemo(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"demo", "--once"}, &out, &errs); code != 0 {
		t.Fatalf("exit %d\n%s\n%s", code, out.String(), errs.String())
	}
	got := demoChanging.ReplaceAllString(out.String(), "…")
	golden := filepath.Join("testdata", "demo.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("the story changed (-golden +now; UPDATE_GOLDEN=1 rewrites it):\n%s", d)
	}
}

// TestDemoHasPages: its people can sign in to promobot's pages, and see the story's
// repository.
func TestDemoHasPages(t *testing.T) {
	t.Parallel()
	w, err := newDemoWorld(t.Context(), t.TempDir(), demoOptions{address: "127.0.0.1:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if err := w.sceneInstall(t.Context(), newNarrator(io.Discard)); err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: patience}
	ask := func(method, to string, form url.Values) (*url.URL, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.Request.URL, string(text)
	}
	asked, _ := ask(http.MethodGet, w.pages+signin.LoginPath+"?to="+url.QueryEscape("/"+w.repository()), nil)
	form := asked.Query()
	form.Set("person", "ana")
	form.Set("agree", "1")
	wanted := w.pages + "/" + w.repository()
	if at, text := ask(http.MethodPost, w.sim.URL()+"/login/oauth/authorize", form); at.String() != wanted {
		t.Fatalf("ana comes to %v\n%s", at, text)
	}
	if err := w.until(t.Context(), newNarrator(io.Discard), "the page shows a pipeline of the story", func() (bool, error) {
		_, text := ask(http.MethodGet, wanted, nil)
		return strings.Contains(text, "checkout"), nil
	}); err != nil {
		t.Error(err)
	}
}

// TestDemoSaysWhatDidNotHappen: a GitHub that opens no pull request ends the
// demo with what was expected, and not with success.
func TestDemoSaysWhatDidNotHappen(t *testing.T) {
	t.Parallel()
	w, err := newDemoWorld(t.Context(), t.TempDir(), demoOptions{address: "127.0.0.1:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	w.sim.Inject(githubsim.Fault{Method: "POST", Path: "/repos/*/*/pulls", Effect: githubsim.Failed(500)})
	var out bytes.Buffer
	n := newNarrator(&out)
	if err := w.sceneInstall(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	w.patience = 2 * time.Second // it can never happen
	err = demoFailed(w.scenePush(t.Context(), n), w)
	var coded *exitError
	if !errors.As(err, &coded) || coded.code != exitWrong {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"this did not happen: staging's pull request is merged", "the end of promobot's log", `"level"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said in\n%v", want, err)
		}
	}
	if strings.Contains(out.String(), "merged by promobot") {
		t.Errorf("told what did not happen:\n%s", out.String())
	}
}

// TestDemoEndedEarly: for a script, a story without its end is none.
func TestDemoEndedEarly(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	told := &cancelOn{text: "1  The App", cancel: cancel}
	var errs bytes.Buffer
	if code := run(ctx, []string{"demo", "--once"}, told, &errs); code != exitWrong || !strings.Contains(errs.String(), "ended before its end") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

// cancelOn is a reader of the story who ends it at some text.
type cancelOn struct {
	text   string
	cancel context.CancelFunc
}

func (c *cancelOn) Write(b []byte) (int, error) {
	if strings.Contains(string(b), c.text) {
		c.cancel()
	}
	return len(b), nil
}

func TestNarratorShowsWaitingOnTerminalsOnly(t *testing.T) {
	t.Parallel()
	tell := func(terminal bool) string {
		var out bytes.Buffer
		n := newNarrator(&out)
		n.terminal = terminal
		n.progress("the merge")
		n.progress("the merge")
		n.say("merged \x1b[31m by bo")
		return out.String()
	}
	const said = "   merged \\x1b[31m by bo\n"
	if got := tell(false); got != said {
		t.Errorf("got %q", got)
	}
	if got := tell(true); !strings.Contains(got, "the merge\r\x1b[K") || !strings.HasSuffix(got, "\r\x1b[K"+said) {
		t.Errorf("got %q", got)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		args []string
		code int
		want string
	}{
		"no command":         {[]string{}, 0, "promobot serve --config config.yml"},
		"an unknown command": {[]string{"serv"}, exitUsage, `there is no command "serv"`},
		"an unknown flag":    {[]string{"demo", "--onze"}, exitUsage, "unknown flag: --onze"},
		"too many words":     {[]string{"demo", "now"}, exitUsage, "`promobot demo --help` says how"},
		"the exit codes":     {[]string{"help", "exit-codes"}, 0, "2  the command was not understood"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if code := run(t.Context(), c.args, &out, &out); code != c.code || !strings.Contains(out.String(), c.want) {
				t.Errorf("exit %d, want %d with %q:\n%s", code, c.code, c.want, out.String())
			}
		})
	}
}
