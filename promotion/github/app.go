// Package github is every read and write that promobot does on GitHub's REST
// API, and on its GraphQL API where there is no other way: as the App (who it is, where it is installed) and in one repository at
// a time, as promotion/reconcile wants it.
//
// Rules:
//   - Doubt is an error. An empty body, a page that cannot be decoded, a filter
//     that GitHub ignored, a listing that GitHub cuts off: none of them is ever
//     taken for "there is nothing".
//   - Errors say what to do next: promotion.ErrConflict, promotion.ErrNotFound
//     (only when GitHub said so of a repository that can be seen),
//     *promotion.RefusedError in GitHub's own words, *promotion.LimitedError
//     with the time from which to try again; any other error is no answer.
//   - Nothing sleeps until a limit is over and nothing is repeated behind the
//     caller's back, except what certainly had no effect: once with a new token
//     after a 401, and a dispatch without the parameter that an older server
//     refused.
//   - A token is for one repository and the permissions needed, shared by API
//     and git, and leaves this package only through Repository.Token.
package github

// This file: what an App is made of, and its handles on repositories.

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	gh "github.com/google/go-github/v60/github"
	"github.com/rs/zerolog"
)

// PublicAPI is the REST API of github.com. That of a GitHub Enterprise Server
// is https://HOST/api/v3/.
const PublicAPI = "https://api.github.com/"

// DefaultTimeout bounds one request with its answer. GitHub itself gives up
// after ten seconds ("Troubleshooting the REST API", timeouts).
const DefaultTimeout = 30 * time.Second

// defaultCacheBytes holds the newest answers, to ask only for what changed.
const defaultCacheBytes = 64 << 20

// Options make an App.
type Options struct {
	// AppID and PrivateKey (PEM) are the App's, from its settings page.
	AppID      int64
	PrivateKey []byte
	// BaseURL is that of the REST API; PublicAPI when empty.
	BaseURL string
	// Transport carries requests; a copy of http.DefaultTransport when nil.
	Transport http.RoundTripper
	// Timeout bounds one request; DefaultTimeout when 0.
	Timeout time.Duration
	// UserAgent is promobot/<version>; GitHub refuses requests without one.
	UserAgent string
	// Log is told what did not fail a call but should be known.
	Log zerolog.Logger
	// Now is the clock, also of the App's signatures; time.Now when nil.
	Now func() time.Time
	// Pacing keeps requests under GitHub's secondary limits; the zero value
	// does not pace. See GitHubsPacing.
	Pacing Pacing
	// CacheBytes bounds the answers kept for conditional requests; 64 MiB when 0.
	CacheBytes int
	// Observe, when set, is called after each request that left the process,
	// from the goroutine that made it.
	Observe func(Observation)
}

// App is promobot's GitHub App. Make one with New; it may be used by many
// goroutines.
type App struct {
	id      int64
	base    *url.URL // of REST
	graphQL *url.URL
	timeout time.Duration
	agent   string
	log     zerolog.Logger
	now     func() time.Time
	network http.RoundTripper // observed, not yet limited
	slots   chan struct{}     // one per request under way
	cache   *cache
	signed  *gh.Client // asks as the App, by JWT

	who identity

	budgets budgets

	mu           sync.Mutex
	grants       map[int64]gh.InstallationPermissions // by installation, when known
	listings     map[int64]*gh.Client                 // by installation
	repositories map[int64]*Repository
	fallbacks    map[int64]*fallback // by installation
	sources      map[string]*source  // by address, in small letters
}

// New makes an App. It asks GitHub nothing yet.
func New(o Options) (*App, error) {
	if o.BaseURL == "" {
		o.BaseURL = PublicAPI
	}
	base, err := url.Parse(strings.TrimRight(o.BaseURL, "/") + "/")
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, fmt.Errorf("the URL of GitHub's API is %q; it should look like %s or https://HOST/api/v3/", o.BaseURL, PublicAPI)
	}
	if base.User != nil {
		return nil, errors.New("the URL of GitHub's API carries a user or a password; leave them out")
	}
	if o.AppID <= 0 {
		return nil, errors.New("the App's id is missing; it stands on the App's settings page")
	}
	a := &App{
		id: o.AppID, base: base, graphQL: graphQLOf(base), timeout: o.Timeout, agent: o.UserAgent, log: o.Log, now: o.Now,
		slots:        make(chan struct{}, maxConcurrent),
		grants:       map[int64]gh.InstallationPermissions{},
		listings:     map[int64]*gh.Client{},
		repositories: map[int64]*Repository{},
		fallbacks:    map[int64]*fallback{},
		sources:      map[string]*source{},
	}
	a.budgets.init(o.Pacing)
	if a.timeout <= 0 {
		a.timeout = DefaultTimeout
	}
	if a.agent == "" {
		a.agent = "promobot"
	}
	if a.now == nil {
		a.now = time.Now
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = defaultCacheBytes
	}
	a.cache = newCache(o.CacheBytes)
	a.network = o.Transport
	if a.network == nil {
		a.network = http.DefaultTransport
		if t, is := a.network.(*http.Transport); is {
			a.network = t.Clone()
		}
	}
	if o.Observe != nil {
		a.network = &observer{next: a.network, base: base.Path, graphQL: a.graphQL.Path, now: a.now, tell: o.Observe}
	}
	signer, err := newSigner(o.PrivateKey, a.now)
	if err != nil {
		return nil, err
	}
	if a.signed, err = a.signedClient(signer); err != nil {
		return nil, err
	}
	return a, nil
}

// Repository is the handle on a repository, the same for every call with the
// same id, so that its token and its cached answers are shared. The address is
// where it was last seen; when it turns out to have moved, the handle follows.
func (a *App) Repository(installationID, repositoryID int64, owner, name string) *Repository {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.repositories[repositoryID]
	if r != nil && r.installation == installationID {
		r.moved(owner, name)
		return r
	}
	r = &Repository{app: a, installation: installationID, id: repositoryID, owner: owner, name: name}
	r.credential = newCredential(a, installationID, func() gh.InstallationTokenOptions {
		return gh.InstallationTokenOptions{RepositoryIDs: []int64{repositoryID}, Permissions: a.permissions(installationID)}
	})
	r.client = a.client(r.credential, fmt.Sprintf("repository %d ", repositoryID))
	a.repositories[repositoryID] = r
	return r
}
