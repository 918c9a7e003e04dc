// Package api answers /api/v1: what the pages show, as JSON, with the same rights.
//
// Rules: it only reads, and only what a store keeps of the loop's newest runs; what
// a repository is called or holds is told to nobody who cannot see it on GitHub, by
// another status neither; no shared cache keeps an answer; an answer is bounded.
package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/view"
)

// Prefix is where the handler is to be mounted.
const Prefix = "/api/v1/"

// Store is what is known of repositories.
type Store interface {
	// Repositories are all of them, each as of its newest run.
	Repositories(ctx context.Context) ([]view.Repository, error)
}

// People knows who asks, and what GitHub lets them see.
type People interface {
	// Visible are those of the repositories that whoever sent the request can see
	// on GitHub: by a session's cookie, or by their own token in Authorization. It
	// fails with a *SignInError when it cannot tell who that is, and with an
	// *UnavailableError when GitHub could not be asked.
	Visible(ctx context.Context, r *http.Request, repositories []view.Repository) ([]view.Repository, error)
}

// Options are what the API is made of; all are needed.
type Options struct {
	Store  Store
	People People
	Now    func() time.Time
	Log    zerolog.Logger
}

// The bounds.
const (
	mostQuery   = 2 << 10
	mostAtOnce  = 32               // requests
	mostTime    = 20 * time.Second // for a request; GitHub may have to be asked who it is
	limit       = 1000             // of a list, where nothing is said
	mostLimit   = 5000
	sinceNoneIs = "2h"
)

// API answers /api/v1. Make one with New.
type API struct {
	options Options
	slots   chan struct{}
	routes  *http.ServeMux
}

// New returns the handler of everything below Prefix.
func New(o Options) *API {
	a := &API{options: o, slots: make(chan struct{}, mostAtOnce), routes: http.NewServeMux()}
	a.route("repositories", []string{"limit"}, a.repositories)
	a.route("repositories/{owner}/{name}", []string{"env", "pipeline"}, a.repository)
	a.route("changes", []string{"env", "pipeline", "repository", "since", "limit"}, a.changes)
	a.route("status", []string{"env", "pipeline", "repository", "limit"}, a.status)
	a.routes.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem(http.StatusNotFound, "there is no such page of the API; docs/reference/api.md lists them").write(w)
	})
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Vary", "Authorization, Cookie")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		problem(http.StatusMethodNotAllowed, "the API only reads; act on the pages, or by comments").write(w)
		return
	case len(r.URL.RawQuery) > mostQuery:
		problem(http.StatusRequestURITooLong, "the question is too long").write(w)
		return
	case r.Header.Get("Authorization") == "" && r.Header.Get("Cookie") == "":
		problemOf(&SignInError{}).write(w)
		return
	}
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	default:
		problemOf(&UnavailableError{Reason: "too many ask at the same time; try again"}).write(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), mostTime)
	defer cancel()
	a.routes.ServeHTTP(w, r.WithContext(ctx))
}

// route answers a path by what answer returns, as JSON. It knows these
// parameters alone.
func (a *API) route(below string, known []string, answer func(*http.Request, url.Values) (any, error)) {
	a.routes.HandleFunc(Prefix+below, func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			err = problem(http.StatusBadRequest, "what stands after ? is not a query")
		}
		for _, name := range slices.Sorted(maps.Keys(query)) {
			if !slices.Contains(known, name) {
				err = problem(http.StatusBadRequest, fmt.Sprintf("there is no parameter %q; known here: %s", name, strings.Join(known, ", ")))
			}
		}
		var body []byte
		if err == nil {
			var made any
			if made, err = answer(r, query); err == nil {
				body, err = json.Marshal(made)
			}
		}
		if err != nil {
			a.fail(w, r, err)
			return
		}
		give(w, r, append(body, '\n'))
	})
}

// fail answers an error: what is the person's business in words, else without.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p == nil {
		if r.Context().Err() == nil || errors.Is(r.Context().Err(), context.DeadlineExceeded) {
			a.options.Log.Error().Err(err).Str("path", r.URL.Path).Msg("the API could not answer")
		}
		p = problem(http.StatusInternalServerError, "promobot could not read what it knows; its log says why")
	}
	p.write(w)
}

// give writes an answer that its reader may keep, and has to ask about each time.
func give(w http.ResponseWriter, r *http.Request, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
	h := w.Header()
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", tag)
	if known(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // of HEAD, net/http sends none
}

// known says whether If-None-Match names a tag, which a proxy may have made weak.
func known(header, tag string) bool {
	for each := range strings.SplitSeq(header, ",") {
		if each = strings.TrimPrefix(strings.TrimSpace(each), "W/"); each == tag || each == "*" {
			return true
		}
	}
	return false
}

// visible are the repositories that whoever asks can see, of all or of the one
// named owner/name.
func (a *API) visible(r *http.Request, named string) ([]view.Repository, error) {
	all, err := a.options.Store.Repositories(r.Context())
	if err != nil {
		return nil, err
	}
	if named != "" {
		all = slices.DeleteFunc(slices.Clone(all), func(v view.Repository) bool { return !strings.EqualFold(nameOf(&v), named) })
	}
	seen, err := a.options.People.Visible(r.Context(), r, all)
	if err != nil {
		return nil, err
	}
	if named != "" && len(seen) == 0 {
		return nil, problem(http.StatusNotFound, "promobot knows no such repository, or you cannot see it on GitHub")
	}
	return sorted(seen), nil
}

func (a *API) repositories(r *http.Request, q url.Values) (any, error) {
	most, err := limitOf(q)
	if err != nil {
		return nil, err
	}
	seen, err := a.visible(r, "")
	if err != nil {
		return nil, err
	}
	return summarise(seen, most), nil
}

func (a *API) repository(r *http.Request, q url.Values) (any, error) {
	wanted, err := wantedOf(q)
	if err != nil {
		return nil, err
	}
	seen, err := a.visible(r, r.PathValue("owner")+"/"+r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return narrowed(seen[0], wanted), nil
}

func (a *API) changes(r *http.Request, q url.Values) (any, error) {
	wanted, err := wantedOf(q)
	most, err2 := limitOf(q)
	since, err3 := sinceOf(q, a.options.Now())
	if err := errors.Join(err, err2, err3); err != nil {
		return nil, err
	}
	seen, err := a.visible(r, q.Get("repository"))
	if err != nil {
		return nil, err
	}
	out := Changes{Version: view.Version, Changes: view.Changes(seen, since, wanted)}
	if out.More = len(out.Changes) > most; out.More {
		out.Changes = out.Changes[:most]
	}
	if out.Changes == nil {
		out.Changes = []view.Changed{}
	}
	return out, nil
}

func (a *API) status(r *http.Request, q url.Values) (any, error) {
	wanted, err := wantedOf(q)
	most, err2 := limitOf(q)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	named := q.Get("repository")
	seen, err := a.visible(r, named)
	if err != nil {
		return nil, err
	}
	out := StatusOf(seen, wanted, most)
	if named == "" {
		return out, nil
	}
	if r := &seen[0]; r.File == "" && r.Error == "" && len(r.Pipelines) == 0 && len(r.Problems) == 0 {
		out.Troubles = append(out.Troubles, Trouble{Repository: nameOf(r), Text: "it has no pipeline file; `promobot init` writes a first one", URL: r.URL})
	}
	return out, nil
}

func limitOf(q url.Values) (int, error) {
	if !q.Has("limit") {
		return limit, nil
	}
	n, err := strconv.Atoi(q.Get("limit"))
	if err != nil || n < 1 || n > mostLimit {
		return 0, problem(http.StatusBadRequest, fmt.Sprintf("limit is a number from 1 to %d", mostLimit))
	}
	return n, nil
}

// sinceOf is a time, or so long before now.
func sinceOf(q url.Values, now time.Time) (time.Time, error) {
	text := q.Get("since")
	if text == "" {
		text = sinceNoneIs
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	d, err := config.ParseInterval(text)
	if err != nil {
		return time.Time{}, problem(http.StatusBadRequest, "since is a time with its unit, such as 30m, 2h or 3d, at most 366d, or a moment such as 2026-06-01T09:00:00Z")
	}
	return now.Add(-time.Duration(d)), nil
}

// wantedOf is which environments are asked for: by patterns of the names of
// environments and of pipelines, in which * stands for any part of a name.
func wantedOf(q url.Values) (func(*view.Environment) bool, error) {
	matches := map[string]func(string) bool{}
	for _, name := range []string{"env", "pipeline"} {
		m, err := Matching(q[name])
		if err != nil {
			return nil, problem(http.StatusBadRequest, fmt.Sprintf("%s: %v", name, err))
		}
		matches[name] = m
	}
	return func(e *view.Environment) bool { return matches["env"](e.Name) && matches["pipeline"](e.Pipeline) }, nil
}

// Matching says of a name whether any of the patterns is its; all names where
// there are none. * stands for any part of a name between slashes.
func Matching(patterns []string) (func(string) bool, error) {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return nil, fmt.Errorf("%q is not a pattern; write a name such as prod-eu, or prod* for all that begin so", p)
		}
	}
	return func(name string) bool {
		return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
			is, _ := path.Match(p, name) // it was tried
			return is
		})
	}, nil
}
