package main

// Bench 7: what the first page costs as services grow. It is drawn from what is
// stored; GitHub is asked nothing.

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/promobot/promobot/state"
)

// pagesAt is where people reach a bench's promobot; whoever dials it gets the
// replica.
const pagesAt = "http://localhost"

// mostPage is what a page of 500 services may weigh, in bytes.
const mostPage = 200_000

func pages(ctx context.Context, b *bench) error {
	few, many := 5, 500
	if b.quick {
		many = 10
	}
	short, err := b.pagesOf(ctx, few)
	if err != nil {
		return err
	}
	long, err := b.pagesOf(ctx, many)
	if err != nil {
		return err
	}
	b.report.add(fmt.Sprintf("%d services by %d", many, few), "time, as a ratio", "×", long.Seconds()/short.Seconds())
	b.report.note("The first page, of services in four environments, a fifth of them with an open promotion: from the request to its last byte, medians, without gzip. The requests are those that GitHub got meanwhile.")
	return nil
}

// pagesOf measures the first page of a repository of n services.
func (b *bench) pagesOf(ctx context.Context, n int) (_ time.Duration, err error) {
	of := fmt.Sprintf("%d services", n)
	b.say("   %s", of)
	file := servicesFile("propose", "mode: propose", "staging", "prod-eu", "prod-us")
	w, err := b.newWorld(ctx, fmt.Sprintf("pages-%d", n), services(n, file, "dev", "staging", "prod-eu", "prod-us"))
	if err != nil {
		return 0, err
	}
	defer ending(w, &err)
	if err := w.sim.SetCallbacks(w.app.ID, pagesAt+"/login/callback"); err != nil {
		return 0, err
	}
	if err := w.start(ctx, 1, settings{pages: true}); err != nil {
		return 0, err
	}
	released := max(1, n/15) // to three environments each
	opened := sequence(released, "staging", "prod-eu", "prod-us")
	if _, err := w.wave(ctx, release(0, released, "1.1.0"), state.Opened, opened); err != nil {
		return 0, err
	}
	reader, err := w.signIn(ctx)
	if err != nil {
		return 0, err
	}
	defer reader.CloseIdleConnections()
	var took []float64
	weight, mark := 0, w.traffic.mark()
	for range b.of(40, 3) {
		begun := time.Now()
		page, err := read(ctx, reader, http.MethodGet, pagesAt+"/", nil)
		if err != nil {
			return 0, err
		}
		took, weight = append(took, time.Since(begun).Seconds()*1000), len(page)
		if got := strings.Count(page, `<tr><th scope="row">`); got != n {
			return 0, fmt.Errorf("the page shows %d services, want %d", got, n)
		}
	}
	b.report.add(of, "time", "ms", median(took))
	f := b.report.add(of, "weight", "kB", float64(weight)/1000)
	f.target(fmt.Sprintf("< %d kB", mostPage/1000), weight < mostPage)
	asked := len(w.traffic.since(mark))
	f = b.report.add(of, "requests to GitHub", "", float64(asked))
	f.target("0", asked == 0)
	return time.Duration(median(took) * float64(time.Millisecond)), nil
}

// signIn is a person's browser after they have signed in.
func (w *world) signIn(ctx context.Context) (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	public, err := url.Parse(pagesAt)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(address); err == nil && host == public.Hostname() {
			address = w.replicas[0].address
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	browser := &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{DialContext: dial, DisableCompression: true}}
	var asked *url.URL
	browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error { asked = cmp.Or(asked, r.URL); return nil }
	if _, err := read(ctx, browser, http.MethodGet, pagesAt+"/login", nil); err != nil {
		return nil, err
	}
	if asked == nil {
		return nil, fmt.Errorf("%s/login leads nowhere", pagesAt)
	}
	form := asked.Query()
	form.Set("person", person)
	form.Set("agree", "1")
	_, err = read(ctx, browser, http.MethodPost, w.sim.URL()+"/login/oauth/authorize", form)
	return browser, err
}

// read is what is answered, which has to be a page.
func read(ctx context.Context, browser *http.Client, method, to string, form url.Values) (_ string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := browser.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { err = cmp.Or(err, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s", method, to, resp.Status)
	}
	return string(text), err
}
