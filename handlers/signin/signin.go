// Package signin lets people sign in by GitHub, and says what GitHub lets them see.
//
// Rules: whoever is signed in is who GitHub has authenticated, for at most eight
// hours; what they see is what GitHub answers to their own token, remembered for a
// minute and no longer; where GitHub cannot be asked, nothing is seen. Their token
// is kept in their browser alone, encrypted, and goes to GitHub alone. Nothing is
// changed by a request that one of our own pages has not sent.
//
// The flow is GitHub's ("Generating a user access token for a GitHub App", GitHub
// Docs), by github.com/palantir/go-githubapp/oauth2.
package signin

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/palantir/go-githubapp/githubapp"
	githubauth "github.com/palantir/go-githubapp/oauth2"
	"github.com/rs/zerolog"
	"golang.org/x/oauth2"
	"golang.org/x/time/rate"
)

// Where people sign in and out. LoginPath takes the page that was wanted as its
// parameter "to"; LogoutPath takes a form with the field "csrf".
const (
	LoginPath    = "/login"
	CallbackPath = "/login/callback"
	LogoutPath   = "/logout"
)

// ErrSignedOut says that GitHub does not know who asks, or no longer.
var ErrSignedOut = errors.New("nobody is signed in")

// UnavailableError says that GitHub could not be asked.
type UnavailableError struct {
	Reason     string
	RetryAfter time.Duration // zero: not known
}

func (e *UnavailableError) Error() string { return e.Reason }

// Options are what sign-in needs; all but Transport.
type Options struct {
	ClientID, ClientSecret string // the App's
	WebURL                 string // where people see GitHub
	APIURL                 string // its REST API, with a slash at its end
	PublicURL              string // where people reach this promobot, without a path
	// Key is a secret of the App's that all its processes have. What encrypts the
	// sessions is derived from it.
	Key       []byte
	UserAgent string
	Transport http.RoundTripper
	Now       func() time.Time
	Log       zerolog.Logger
}

// SignIn knows who sent a request. Make one with New.
type SignIn struct {
	options Options
	graphQL string
	revoke  string
	secure  bool // people come by https
	box     box
	flow    http.Handler
	origin  *http.CrossOriginProtection
	client  *http.Client
	memory  memory
	unknown *rate.Limiter // of tokens that were not seen before
}

const (
	// sessionLife is that of a user access token, and so a session's.
	sessionLife = 8 * time.Hour
	// loginLife is how long a person may take at GitHub; its codes live as long.
	loginLife = 10 * time.Minute
	// githubTime bounds one request to GitHub.
	githubTime = 15 * time.Second
)

// New returns sign-in for one App.
func New(o Options) (*SignIn, error) {
	public, err := url.Parse(o.PublicURL)
	if err != nil || public.Host == "" || strings.Trim(public.Path, "/") != "" {
		return nil, fmt.Errorf("the public URL %q is none of a whole host", o.PublicURL)
	}
	api, err := url.Parse(o.APIURL)
	if err != nil {
		return nil, fmt.Errorf("the API's URL: %w", err)
	}
	key, err := hkdf.Key(sha256.New, o.Key, nil, "promobot sessions of people, version 1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the sessions' key: %w", err)
	}
	s := &SignIn{
		options: o, secure: public.Scheme == "https",
		graphQL: graphQLOf(api), revoke: api.JoinPath("applications", o.ClientID, "token").String(),
		origin:  http.NewCrossOriginProtection(),
		client:  &http.Client{Transport: o.Transport, Timeout: githubTime, CheckRedirect: noRedirect},
		memory:  memory{now: o.Now, byToken: map[token]*remembered{}},
		unknown: rate.NewLimiter(rate.Every(200*time.Millisecond), 20),
	}
	if s.box, err = newBox(key); err != nil {
		return nil, err
	}
	origin := public.Scheme + "://" + public.Host
	if err := s.origin.AddTrustedOrigin(origin); err != nil { // a proxy may tell another host
		return nil, fmt.Errorf("the public URL: %w", err)
	}
	config := githubauth.GetConfig(githubapp.Config{
		WebURL: o.WebURL, OAuth: struct {
			ClientID     string `yaml:"client_id" json:"clientId"`
			ClientSecret string `yaml:"client_secret" json:"clientSecret"`
		}{o.ClientID, o.ClientSecret},
	}, nil)
	config.Endpoint.AuthStyle = oauth2.AuthStyleInParams // and no second try in another way
	s.flow = githubauth.NewHandler(config,
		githubauth.WithRedirectURL(origin+CallbackPath), githubauth.WithStore(states{s}),
		githubauth.OnLogin(s.arrived), githubauth.OnError(s.refused))
	return s, nil
}

// noRedirect: GitHub answers where it is asked, and tokens go nowhere else.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// graphQLOf is where the GraphQL API of a REST API is: beside it, on an Enterprise
// Server at /api/graphql ("Forming calls with GraphQL", GitHub Docs).
func graphQLOf(api *url.URL) string {
	at := *api
	at.RawPath = ""
	at.Path = strings.TrimSuffix(api.Path, "v3/") + "graphql"
	return at.String()
}

// Routes adds the pages of signing in and out.
func (s *SignIn) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+LoginPath, s.login)
	mux.HandleFunc("GET "+CallbackPath, s.callback)
	mux.HandleFunc("POST "+LogoutPath, s.logout)
}
