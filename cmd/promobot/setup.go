package main

// promobot setup: makes the GitHub App by a local page and GitHub's manifest
// flow, and writes what promobot needs to run as it (setup_write.go). The pages
// are those of handlers/setup.

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/promobot/promobot/handlers/setup"
	"github.com/promobot/promobot/promotion/registration"
)

const setupHelp = `Makes promobot's GitHub App and writes its configuration.

It opens a page in your browser, served by this program on this machine alone,
which asks whose App it is to be and what you use, says each permission with its
reason, and leads to GitHub. There you confirm; GitHub sends you back, and the
App's private key and secrets are written to --dir, readable by you alone:

  config.yml, private-key.pem, webhook-secret, client-secret

Nothing that is there is overwritten. Then it says how to install the App on
repositories and how to run promobot.

On a server without a browser, --no-browser prints the page's address: reach it
through a tunnel (ssh -L). Without a tunnel, --page FILE writes the page for
another machine; paste the address to which GitHub sends you there. Both need no
browser here, and take pasted addresses.

Exit codes: 0 the App is made and its configuration written, 1 it is not, 2 the
command was not understood.`

// setupFlags are the command's.
type setupFlags struct {
	org, github, url, dir, name string
	personal, noBrowser         bool
	options                     []string
	port                        int
	page                        string
}

func newSetupCommand() *cobra.Command {
	var f setupFlags
	var names []string
	for _, o := range registration.Options {
		names = append(names, o.Name)
	}
	c := &cobra.Command{
		Use:   "setup [--org ORG] [--url URL] [--dir DIR]",
		Short: "Make the GitHub App and write the configuration",
		Long:  setupHelp,
		Example: `  promobot setup
  promobot setup --org acme --url https://promobot.example.com --dir /etc/promobot
  promobot setup --no-browser --org acme --url https://promobot.example.com`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, o := range f.options {
				if !slices.Contains(names, o) {
					return usage("--with: there is no %q%s", o, meant(o, names))
				}
			}
			if f.org != "" && f.personal {
				return usage("--org and --personal exclude each other")
			}
			ctx, cancel := untilSignal(c.Context())
			defer cancel()
			return runSetup(ctx, f, c.InOrStdin(), newPrinter(c.OutOrStdout()))
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.org, "org", "", "the `organization` that is to own the App")
	flags.BoolVar(&f.personal, "personal", false, "the App is to be your own")
	flags.StringVar(&f.url, "url", "", "promobot's public `URL`, where GitHub will reach it")
	flags.StringVar(&f.github, "github", "", "the `address` of GitHub; without it, github.com")
	flags.StringVar(&f.name, "name", "", "the App's `name`, which nobody else on GitHub has")
	flags.StringVar(&f.dir, "dir", "promobot-app", "the `folder` to make and to write to")
	flags.StringSliceVar(&f.options, "with", nil, "what you use besides, for its permission: "+strings.Join(names, ", "))
	flags.BoolVar(&f.noBrowser, "no-browser", false, "open no browser here, and take a pasted address")
	flags.IntVar(&f.port, "port", 0, "the `port` of the page on 127.0.0.1; a free one without it")
	flags.StringVar(&f.page, "page", "", "write the page to this `file`, for a browser on another machine; needs --url and --name")
	return c
}

func runSetup(ctx context.Context, f setupFlags, stdin io.Reader, out printer) error {
	draft, err := newDraft(f.dir)
	if err != nil {
		return err
	}
	defer draft.discard()
	if f.name == "" && f.org != "" {
		f.name = cut("promobot-"+f.org, registration.LongestName)
	}
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", f.port))
	if err != nil {
		return fmt.Errorf("the page cannot be served: %w; name a free --port, or none", err)
	}
	base := "http://" + l.Addr().String()
	flow, err := setup.New(setup.Options{
		Base: base, Client: &http.Client{Transport: transport(), CheckRedirect: noRedirects}, Save: draft.save,
		Answers: setup.Answers{GitHub: f.github, Organization: f.org, Personal: f.personal, Name: f.name, URL: f.url, Options: f.options},
	})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	server := &http.Server{Handler: flow.Handler(), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	// The last page is still being sent when all is done.
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(ending)
	}()

	switch {
	case f.page != "":
		if err := writePage(flow, f.page); err != nil {
			return err
		}
		out.line("Open %s in a browser, on whatever machine, and press its button.", f.page)
	case f.noBrowser:
		out.line("Open this page, which only this machine serves:\n\n  %s\n", flow.First())
		out.line("From another machine, make a tunnel first, and keep it open:\n\n  ssh -L %[1]d:127.0.0.1:%[1]d THIS-MACHINE\n", l.Addr().(*net.TCPAddr).Port)
	default:
		out.line("Opening a page in your browser. If none opens, open this, once:\n\n  %s\n", flow.First())
		forget := openBrowser(ctx, flow.First())
		defer forget()
	}
	pasted := make(chan string)
	if f.page != "" || f.noBrowser {
		out.line("If GitHub then sends you to an address that does not load, paste that address here:")
		go readLines(ctx, stdin, pasted)
	}
	for {
		select {
		case <-flow.Done():
			printSaved(out, flow.Saved())
			return nil
		case text := <-pasted:
			if err := flow.Paste(ctx, text); err != nil {
				out.line("%s", printableLines(err.Error()))
				if flow.Retry() {
					out.line("Paste anything to try again.")
				}
			}
		case err := <-served:
			return fmt.Errorf("the page's server ended: %w", err)
		case <-ctx.Done():
			if flow.Retry() {
				return errors.New("ended before the App's secrets were written; GitHub gives them once: if the App is in the list of your GitHub Apps, delete it there, and begin again")
			}
			return errors.New("ended before the App was made; nothing was written")
		}
	}
}

func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// cut is at most so many bytes of a name.
func cut(s string, most int) string { return strings.TrimRight(s[:min(len(s), most)], "-") }

// readLines sends what is typed, line by line.
func readLines(ctx context.Context, from io.Reader, to chan<- string) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		select {
		case to <- lines.Text():
		case <-ctx.Done():
			return
		}
	}
}

// writePage writes the way to GitHub as a file. What it holds is no secret, but
// whose App is made by it is.
func writePage(flow *setup.Flow, path string) error {
	text, wrong := flow.Page()
	if len(wrong) > 0 {
		flags := map[string]string{"organization": "--org or --personal", "name": "--name", "url": "--url", "github": "--github"}
		var all []string
		for _, field := range slices.Sorted(maps.Keys(wrong)) {
			all = append(all, cmp.Or(flags[field], field)+": "+wrong[field])
		}
		return usage("--page needs all answers as flags:\n%s", strings.Join(all, "\n"))
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("the page cannot be written: %w", err)
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

func printSaved(out printer, saved *setup.Saved) {
	out.line("\nWrote %s to %s, readable by you alone.", strings.Join(saved.Files, ", "), printable(saved.Dir))
	for i, s := range saved.Next {
		out.line("\n%d. %s:\n\n   %s", i+1, s.Title, printable(s.Command+s.URL))
	}
}

// openBrowser opens an address that must not be seen in the list of processes:
// by a file that leads there. The returned function removes it.
func openBrowser(ctx context.Context, address string) (forget func()) {
	dir, err := os.MkdirTemp("", "promobot-setup-")
	if err != nil {
		return func() {} // the address was printed
	}
	forget = func() { _ = os.RemoveAll(dir) }
	path := filepath.Join(dir, "open.html")
	page := `<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=` + html.EscapeString(address) + `"><title>promobot</title>`
	if os.WriteFile(path, []byte(page), 0o600) != nil {
		return forget
	}
	at := (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
	opener := []string{"xdg-open", at}
	switch runtime.GOOS {
	case "darwin":
		opener = []string{"open", at}
	case "windows":
		opener = []string{"rundll32", "url.dll,FileProtocolHandler", at}
	}
	command := exec.CommandContext(context.WithoutCancel(ctx), opener[0], opener[1:]...)
	if command.Start() == nil {
		go func() { _ = command.Wait() }() // it may live as long as the browser
	}
	return forget
}
