package main

// Wiring of what people see over HTTP: sign-in, the pages and the API, over what
// is stored of each repository. Without an App's client id and secret there are
// none, and / says what to set.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/promobot/promobot/handlers"
	"github.com/promobot/promobot/handlers/api"
	"github.com/promobot/promobot/handlers/pages"
	"github.com/promobot/promobot/handlers/signin"
	"github.com/promobot/promobot/promotion/view"
)

const pagesOff = `promobot runs, and has no pages: nobody can sign in to it yet.

Set in its configuration (config.example.yml explains each)

  server.public_url     where people reach it, as https://promobot.example.com
  pages.client_id       the App's client ID, from its settings page
  pages.client_secret   a client secret of the App's, or its file as client_secret_file

and, as the App's callback URL on its settings page,

  <public_url>` + signin.CallbackPath + `
`

// pages adds sign-in, the pages and the API to the site.
func (p *Program) pages(mux *http.ServeMux, parts siteParts, checks []handlers.Check, heard *heard) error {
	if !p.config.Pages.on() || parts.views == nil {
		mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			_, _ = w.Write([]byte(pagesOff)) // the reader may be gone
		})
		return nil
	}
	in, err := signin.New(signin.Options{
		ClientID: p.config.Pages.ClientID, ClientSecret: p.config.Pages.ClientSecret.Reveal(),
		WebURL: p.config.GitHub.webURL(), APIURL: p.config.GitHub.APIURL, PublicURL: p.config.Server.PublicURL,
		Key: bytes.TrimSpace([]byte(p.config.GitHub.PrivateKey.Reveal())), UserAgent: userAgent(), Transport: transport(),
		Now: time.Now, Log: p.log,
	})
	if err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	in.Routes(mux)
	mux.Handle(api.Prefix, api.New(api.Options{Store: parts.views, People: apiPeople{in}, Now: time.Now, Log: p.log}))
	health := health{parts: parts, checks: checks, heard: heard}
	drawn := pages.New(pages.Options{
		Store: parts.views, People: pagePeople{in}, Press: press{queueMail{parts.work}}.post, Health: health.of,
		Now: time.Now, Log: p.log, SignIn: signin.LoginPath, SignOut: signin.LogoutPath, Version: strings.TrimPrefix(strings.TrimPrefix(userAgent(), "promobot"), "/"),
	})
	p.onStop = append(p.onStop, drawn.Close)
	mux.Handle("/", drawn)
	return nil
}

// pagePeople is sign-in as the pages see it.
type pagePeople struct{ in *signin.SignIn }

// Person is who sent the request.
func (p pagePeople) Person(r *http.Request) (*pages.Person, error) {
	who, err := p.in.Person(r)
	if err != nil || who == nil {
		return nil, err
	}
	return &pages.Person{Login: who.Login, CSRF: who.CSRF}, nil
}

// Visible are those of the repositories that they can see on GitHub.
func (p pagePeople) Visible(ctx context.Context, r *http.Request, repositories []view.Repository) ([]view.Repository, error) {
	// A page is shown to a session alone; a token is for the API.
	r = r.Clone(ctx)
	r.Header.Del("Authorization")
	return visible(ctx, p.in, r, repositories)
}

// CheckForm says whether a form was sent by a page of theirs.
func (p pagePeople) CheckForm(r *http.Request) error { return p.in.CheckForm(r) }

// apiPeople is sign-in as the API sees it.
type apiPeople struct{ in *signin.SignIn }

// Visible are those of the repositories that whoever asks can see on GitHub.
func (p apiPeople) Visible(ctx context.Context, r *http.Request, repositories []view.Repository) ([]view.Repository, error) {
	seen, err := visible(ctx, p.in, r, repositories)
	if unavailable, is := errors.AsType[*signin.UnavailableError](err); is {
		return nil, &api.UnavailableError{Reason: unavailable.Reason, RetryAfter: unavailable.RetryAfter}
	}
	if errors.Is(err, signin.ErrSignedOut) {
		return nil, &api.SignInError{Reason: "GitHub does not know who asks"}
	}
	return seen, err
}

func visible(ctx context.Context, in *signin.SignIn, r *http.Request, repositories []view.Repository) ([]view.Repository, error) {
	asked := make([]signin.Repository, 0, len(repositories))
	for i := range repositories {
		asked = append(asked, signin.Repository{ID: repositories[i].ID, Owner: repositories[i].Owner, Name: repositories[i].Name})
	}
	ids, err := in.Visible(ctx, r, asked)
	if err != nil {
		return nil, err
	}
	seen := make([]view.Repository, 0, len(ids))
	for i := range repositories {
		if ids[repositories[i].ID] {
			seen = append(seen, repositories[i])
		}
	}
	return seen, nil
}

// press hands what a person presses on a page to the repository's loop.
type press struct{ mail handlers.Mail }

func (p press) post(ctx context.Context, repository view.Repository, pressed pages.Press) error {
	body, err := json.Marshal(handlers.Press{
		By: pressed.By, Command: pressed.Command, Issue: pressed.PullRequest, Button: pressed.Button, Where: "page", At: pressed.At,
	})
	if err != nil {
		return fmt.Errorf("encode a press: %w", err)
	}
	return p.mail.Post(ctx, handlers.Repository{
		InstallationID: repository.Installation, ID: repository.ID, Owner: repository.Owner, Name: repository.Name,
	}, handlers.Letter{ID: pressed.ID, Kind: handlers.PressLetter, Body: body, At: pressed.At})
}

// heard notes when the newest webhook came that was taken.
type heard struct {
	next http.Handler
	at   atomic.Int64 // Unix nanoseconds; 0: none yet
}

// ServeHTTP implements http.Handler.
func (h *heard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answered := &statusKeeper{ResponseWriter: w}
	h.next.ServeHTTP(answered, r)
	if answered.status < http.StatusMultipleChoices {
		h.at.Store(time.Now().UnixNano())
	}
}

// statusKeeper keeps the status of an answer; 0 is that of none, which is 200.
type statusKeeper struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (k *statusKeeper) WriteHeader(status int) {
	if k.status == 0 && status >= http.StatusOK {
		k.status = status
	}
	k.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (k *statusKeeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }

// health is how promobot itself does, as pages show it.
type health struct {
	parts  siteParts
	checks []handlers.Check
	heard  *heard
}

// troubles are the checks' failures in words that anyone may read: the errors
// themselves, which name hosts and paths, are for /readyz's log.
var troubles = map[string]string{
	"queue":  "The queue's file cannot be read; nothing goes on until it can.",
	"git":    "git is missing or too old; nothing can be promoted.",
	"github": "GitHub does not answer promobot, or does not know it; all waits until it does.",
	"sweep":  "Not every repository could be looked at lately; what is shown may be old.",
}

func (h health) of(ctx context.Context) (pages.Health, error) {
	now := time.Now()
	var out pages.Health
	for _, c := range h.checks {
		if c.Ready(ctx) != nil {
			out.Troubles = append(out.Troubles, troubles[c.Name])
		}
	}
	if stats, err := h.parts.work.Stats(ctx); err == nil { // else the check has said so
		out.OldestWork, out.Waiting = stats.OldestDue, stats.Due
		if stats.Failing > 0 {
			out.Troubles = append(out.Troubles, fmt.Sprintf("%d %s failed last time, and will be tried again.", stats.Failing, countWord(stats.Failing, "piece of work", "pieces of work")))
		}
	}
	if at := h.heard.at.Load(); at != 0 {
		out.LastEvent = time.Unix(0, at)
	}
	if h.parts.parts.Quota != nil {
		least := h.parts.parts.Quota(now)
		out.Budget, out.BudgetLimit, out.BudgetReset = least.remaining, least.limit, least.reset
	}
	return out, nil
}

func countWord(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
