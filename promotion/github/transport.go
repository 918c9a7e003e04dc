package github

// How a request goes out and an answer comes in, from the outside to the wire:
//
//	whole body ▶ token ▶ cache (ETags) ▶ always ask ▶ turns, limits ▶ observer ▶ network
//
// Rules:
//   - An answer is read to its end, within a bound, before anyone sees it: what
//     breaks off is an error, and httpcache stores only what was read to the end.
//   - A token goes to the API's own host and nowhere else.
//   - The cache never answers by itself: every read asks GitHub, which says 304
//     at no cost ("Best practices for using the REST API", conditional requests).

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"
	"github.com/gregjones/httpcache"
)

// maxBody bounds an answer: 100 files of a pull request come with their diffs.
const maxBody = 32 << 20

// client asks GitHub with a credential, keeping answers under the prefix.
func (a *App) client(c *credential, prefix string) *gh.Client {
	var rt http.RoundTripper = &limiter{app: a, budget: a.budgets.of(c.installation), next: a.network}
	rt = &httpcache.Transport{Transport: alwaysAsk{rt}, Cache: a.cache.view(prefix), MarkCachedResponses: true}
	rt = &authorized{credential: c, base: a.base, next: rt}
	return a.newClient(rt)
}

// signedClient asks GitHub as the App. ghinstallation stamps its signatures by
// the machine's clock; the signer stamps them by the App's own.
func (a *App) signedClient(s *signer) (*gh.Client, error) {
	rt, err := ghinstallation.NewAppsTransportWithOptions(
		&limiter{app: a, budget: a.budgets.of(0), next: a.network}, a.id, ghinstallation.WithSigner(s))
	if err != nil {
		return nil, fmt.Errorf("signing as the App: %w", err)
	}
	return a.newClient(onlyTo{base: a.base, next: rt}), nil
}

func (a *App) newClient(rt http.RoundTripper) *gh.Client {
	c := gh.NewClient(&http.Client{Transport: whole{rt, a.timeout}, CheckRedirect: a.followed})
	c.BaseURL = a.base
	c.UserAgent = a.agent
	return c
}

// followed allows the redirects of renamed repositories (301 for reads, 307
// for writes: "Best practices for using the REST API", follow redirects).
func (a *App) followed(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case len(via) > 5:
		return errors.New("GitHub redirects in circles")
	case !sameHost(req.URL, a.base):
		return fmt.Errorf("GitHub redirects to another host, %q", req.URL.Host)
	case req.Method != first.Method:
		return fmt.Errorf("GitHub redirects a %s as a %s", first.Method, req.Method)
	}
	return nil
}

func sameHost(a, b *url.URL) bool { return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host) }

// whole reads answers to their end and sees that they say something: go-github
// takes an empty body for an empty list, and null for anything.
// The time limit is here, around the request and its whole answer.
type whole struct {
	next    http.RoundTripper
	timeout time.Duration
}

func (w whole) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), w.timeout)
	defer cancel()
	resp, err := w.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	body, err := readAll(resp)
	if err != nil {
		return nil, err
	}
	status := resp.StatusCode
	switch body = bytes.TrimSpace(body); {
	case status >= 300:
	case req.Method == http.MethodGet && status != http.StatusOK:
		return nil, fmt.Errorf("GitHub answered %d to a read", status)
	case status == http.StatusNoContent && req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/dispatches"):
		// All that GitHub answers to a dispatch.
	case len(body) == 0 || string(body) == "null" || !json.Valid(body):
		return nil, fmt.Errorf("GitHub answered %d with %d bytes that are no answer", status, len(body))
	}
	return resp, nil
}

// readAll reads and closes a body and puts what was read in its place.
func readAll(resp *http.Response) (body []byte, err error) {
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if closing := resp.Body.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, fmt.Errorf("GitHub's answer broke off: %w", err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("GitHub's answer is larger than %d bytes", maxBody)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// alwaysAsk marks answers so that httpcache asks GitHub each time. Only ETags
// count: a Last-Modified of whole seconds hides a second change in the same.
type alwaysAsk struct{ next http.RoundTripper }

func (t alwaysAsk) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(resp.Header.Get("Cache-Control"), "no-store") {
		resp.Header.Set("Cache-Control", "no-cache")
	}
	resp.Header.Del("Last-Modified")
	return resp, nil
}

// authorized adds the installation's token, a new one once after a 401. The
// 401 had no effect, so that any request may be repeated.
type authorized struct {
	credential *credential
	base       *url.URL
	next       http.RoundTripper
}

func (t *authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	if !sameHost(req.URL, t.base) {
		return nil, fmt.Errorf("a token of GitHub's API does not belong at %q", req.URL.Host)
	}
	token, err := t.credential.get(req.Context(), "")
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := t.send(req, req.Body, token)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || (req.Body != nil && req.GetBody == nil) {
		return resp, err
	}
	if _, err := readAll(resp); err != nil {
		return nil, err
	}
	body := req.Body
	if req.GetBody != nil {
		if body, err = req.GetBody(); err != nil {
			return nil, fmt.Errorf("repeating the request with a new token: %w", err)
		}
	}
	if token, err = t.credential.get(req.Context(), token); err != nil {
		if body != nil {
			_ = body.Close() // nothing was sent from it
		}
		return nil, err
	}
	return t.send(req, body, token)
}

func (t *authorized) send(req *http.Request, body io.ReadCloser, token string) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Body = body
	req.Header.Set("Authorization", "Bearer "+token)
	return t.next.RoundTrip(req)
}

// onlyTo keeps the App's signatures at the API's own host.
type onlyTo struct {
	base *url.URL
	next http.RoundTripper
}

func (t onlyTo) RoundTrip(req *http.Request) (*http.Response, error) {
	if !sameHost(req.URL, t.base) {
		closeBody(req)
		return nil, fmt.Errorf("a signature for GitHub's API does not belong at %q", req.URL.Host)
	}
	return t.next.RoundTrip(req.Clone(req.Context()))
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // a body in memory, which was not sent
	}
}
