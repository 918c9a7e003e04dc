package main

// Asking a running promobot: what promobot status and promobot changes share.
//
// Rules: the person's token goes to the server that they named and nowhere else,
// never over plain HTTP but to this machine, and stands in no argument, message or
// URL; whatever a server answers is bounded and printed as text of unknown making.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/promobot/promobot/handlers/api"
)

const askHelp = `It asks a running promobot, named by --server or PROMOBOT_SERVER, what it knows
from its newest look at each repository. You see what GitHub lets you see: with
your own GitHub token, in GH_TOKEN or GITHUB_TOKEN (as "gh auth token" prints it)
or in a file named by --token-file. The server asks GitHub whose it is and what
that person may see, and keeps no copy of it on disk.`

const (
	serverVariable = "PROMOBOT_SERVER"
	mostAnswer     = 64 << 20
	mostRows       = 5000 // what the API gives at most
	askTimeout     = 45 * time.Second
)

// asking is where and as whom.
type asking struct {
	server, tokenFile string
}

func (a *asking) flags(f *pflag.FlagSet) {
	f.StringVar(&a.server, "server", "", "the `URL` of the running promobot; without it, $"+serverVariable)
	f.StringVar(&a.tokenFile, "token-file", "", "your GitHub token is in this `file`; without it, $GH_TOKEN or $GITHUB_TOKEN")
}

// get reads one answer of the API.
func (a asking) get(ctx context.Context, path string, query url.Values, into any) error {
	base, err := a.base()
	if err != nil {
		return err
	}
	token, err := a.token()
	if err != nil {
		return err
	}
	at := base.JoinPath(api.Prefix, path)
	at.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return unreadable("%w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("User-Agent", userAgent())
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return unreadable("%s does not answer: %w", printable(base.Redacted()), err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer+1))
	switch {
	case err != nil:
		return unreadable("%s broke off its answer: %w", printable(base.Redacted()), err)
	case len(body) > mostAnswer:
		return unreadable("%s answers without end", printable(base.Redacted()))
	case resp.StatusCode != http.StatusOK:
		return refusal(base, resp, body)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return unreadable("%s does not answer as promobot does; is it the address of its pages?", printable(base.Redacted()))
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(into); err != nil {
		return unreadable("%s does not answer as this promobot understands: %w", printable(base.Redacted()), err)
	}
	return nil
}

// refusal is an answer with another status than 200.
func refusal(base *url.URL, resp *http.Response, body []byte) error {
	if to := resp.Header.Get("Location"); resp.StatusCode/100 == 3 && to != "" {
		return unreadable("%s sends on to %s; name that with --server if it is right", printable(base.Redacted()), printable(to))
	}
	var p api.Problem
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "application/problem+json" || json.Unmarshal(body, &p) != nil || p.Detail == "" {
		if resp.StatusCode == http.StatusNotFound {
			return unreadable("%s has no API: it is no promobot, or one whose pages are not set up (docs/reference/api.md)", printable(base.Redacted()))
		}
		return unreadable("%s answers %s", printable(base.Redacted()), printable(resp.Status))
	}
	switch resp.StatusCode {
	case http.StatusBadRequest:
		return usage("%s", printable(p.Detail))
	case http.StatusUnauthorized:
		return unreadable("%s does not know you: %s", printable(base.Redacted()), printable(p.Detail))
	}
	return unreadable("%s", printable(p.Detail))
}

// base is the server's address.
func (a asking) base() (*url.URL, error) {
	text := cmp.Or(a.server, os.Getenv(serverVariable))
	if text == "" {
		return nil, usage("which promobot? name it with --server, or in %s, as https://promobot.example.com", serverVariable)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, usage("%s is no URL such as https://promobot.example.com", printable(text))
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, usage("the server's URL holds a host and a path alone; tokens stand in GH_TOKEN")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, usage("your token would travel to %s in the open; use https", printable(u.Host))
	}
	return u, nil
}

// token is the person's own.
func (a asking) token() (string, error) {
	token := cmp.Or(os.Getenv("GH_TOKEN"), os.Getenv("GITHUB_TOKEN"))
	if a.tokenFile != "" {
		text, err := readBounded(a.tokenFile, maxSecretFile)
		if err != nil {
			return "", unreadable("%w", err)
		}
		token = strings.TrimSpace(text)
	}
	if token == "" {
		return "", usage("who are you? put your GitHub token into GH_TOKEN, as by GH_TOKEN=$(gh auth token), or name its file with --token-file")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' }) {
		return "", usage("that is no GitHub token: it has characters that no token has")
	}
	return token, nil
}

// moreThan says how to see what was left out.
func moreThan(shown int) error {
	return fmt.Errorf("only the first %d are shown; name a repository, or --env with a pattern such as 'prod*'", shown)
}
