// Package pages shows what promobot does to people, and lets them act: HTML that is
// drawn from what a store keeps of the loop's newest runs.
//
// Rules: nothing that is drawn asks GitHub; a repository that a person cannot see
// there is answered exactly as one that does not exist; all content of repositories
// is hostile, so that html/template alone writes it and links lead to http and https
// only; a page works without its script, which only keeps it fresh; it loads nothing
// from elsewhere; acting needs a form of ours, and what a person may do is decided
// where it is carried out.
package pages

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/promobot/promobot/promotion/view"
)

// Store is what is known of repositories.
type Store interface {
	// Repositories are all of them, each as of its newest run.
	Repositories(ctx context.Context) ([]view.Repository, error)
	// Repository is one of them; nil, nil when it is unknown.
	Repository(ctx context.Context, id int64) (*view.Repository, error)
	// Answers are what became of presses in a repository since a time.
	Answers(ctx context.Context, repository int64, since time.Time) ([]view.Answer, error)
	// Subscribe tells the ids of repositories of which something new is stored,
	// until ctx ends; then the channel is closed.
	Subscribe(ctx context.Context) <-chan int64
}

// Person is who is signed in.
type Person struct {
	Login string // as GitHub has authenticated it
	CSRF  string // goes into each form, as the field "csrf"
}

// People knows who asks, and what GitHub lets them see.
type People interface {
	// Person is who sent the request; nil when nobody is signed in.
	Person(r *http.Request) (*Person, error)
	// Visible are those of the repositories that whoever sent the request can see
	// on GitHub. It fails when GitHub could not be asked.
	Visible(ctx context.Context, r *http.Request, repositories []view.Repository) ([]view.Repository, error)
	// CheckForm says whether a form was sent by a page that this person was given:
	// its field "csrf" is theirs.
	CheckForm(r *http.Request) error
}

// Press is an action that a person asks for on a page.
type Press struct {
	// ID is the same when the same form of a page is sent again, and fit for a
	// letter's: then it is one press.
	ID      string
	By      string // login
	Command string // what a comment would say after "/promobot "
	Button  string // what it was about when it was shown (view.Action); "" when Command says
	// PullRequest is the one whose comment it would be; 0 for none.
	PullRequest int
	At          time.Time
}

// Health is how promobot itself does.
type Health struct {
	LastEvent   time.Time // newest webhook; zero: none is known
	OldestWork  time.Time // since when the oldest work that is due waits; zero: none does
	Waiting     int       // how much work is due
	Budget      int       // requests to GitHub's API that are left, of the installation with the fewest
	BudgetLimit int       // of how many; 0: not known yet
	BudgetReset time.Time // when they are given anew
	// Troubles are sentences about what does not work.
	Troubles []string
}

// Options are what the pages are made of; all but the last three are needed.
type Options struct {
	Store  Store
	People People
	// Press stores an action durably, to be carried out soon.
	Press  func(ctx context.Context, repository view.Repository, press Press) error
	Health func(ctx context.Context) (Health, error)
	Now    func() time.Time
	Log    zerolog.Logger

	// SignIn is where a person signs in; the page they wanted is its parameter
	// "to". Without it, /signin.
	SignIn string
	// SignOut is where the form is sent by which they sign out. Without it,
	// /signout.
	SignOut string
	// Version of promobot, for the foot of each page.
	Version string
}

// policy lets a page load and reach nothing but its own server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// The bounds.
const (
	mostTime = 20 * time.Second // for a page: GitHub may have to be asked what the person can see
	mostForm = 16 << 10
	mostURL  = 4 << 10
)

// Pages answers everything that no other handler does. Make one with New.
type Pages struct {
	options Options
	routes  *http.ServeMux
	origin  *http.CrossOriginProtection
	streams chan struct{} // a slot for each open stream of events
	stopped chan struct{}
	stop    sync.Once
}

// New returns the handler.
func New(o Options) *Pages {
	if o.SignIn == "" {
		o.SignIn = "/signin"
	}
	if o.SignOut == "" {
		o.SignOut = "/signout"
	}
	p := &Pages{
		options: o,
		routes:  http.NewServeMux(),
		origin:  http.NewCrossOriginProtection(),
		streams: make(chan struct{}, mostStreams),
		stopped: make(chan struct{}),
	}
	p.routes.HandleFunc("GET /{$}", p.drawn(p.home))
	p.routes.HandleFunc("GET /events", p.events)
	p.routes.HandleFunc("GET /assets/{file}", p.asset)
	p.routes.HandleFunc("GET /{owner}/{repo}", p.drawn(p.repository))
	p.routes.HandleFunc("GET /{owner}/{repo}/p/{pipeline...}", p.drawn(p.pipeline))
	p.routes.HandleFunc("GET /{owner}/{repo}/e/{environment}/{pipeline...}", p.drawn(p.environment))
	p.routes.HandleFunc("GET /{owner}/{repo}/promotion/{id}", p.drawn(p.promotion))
	p.routes.HandleFunc("POST /{owner}/{repo}/act", p.drawn(p.act))
	p.routes.HandleFunc("/", p.drawn(func(*http.Request, *Person) (*answer, error) { return nil, errNotFound }))
	return p
}

// Close ends the streams of events, which would keep a server from stopping; it is
// for http.Server.RegisterOnShutdown.
func (p *Pages) Close() { p.stop.Do(func() { close(p.stopped) }) }

// ServeHTTP implements http.Handler.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if len(r.URL.RawQuery) > mostURL || len(r.URL.Path) > mostURL {
		http.Error(w, "this address is too long", http.StatusRequestURITooLong)
		return
	}
	p.routes.ServeHTTP(w, r)
}

// answer is a page to be drawn, or where to go instead.
type answer struct {
	status   int // 200 without one
	template string
	page     page
	to       string // an address of ours: nothing is drawn
}

// page is what the layout shows.
type page struct {
	Title   string
	Crumbs  []crumb
	Person  *Person
	SignIn  string // with the page that was wanted
	SignOut string
	Version string
	Now     time.Time
	// Live is the page of the repository whose news make this one look anew; * for
	// those of all, "" for none.
	Live string
	// Waits makes the page look anew every few seconds: an answer is to come.
	Waits bool
	Once  string // tells the forms of this page from those of any other
	Data  any
}

// crumb is one step of the way to a page; the last has no address.
type crumb struct{ Title, To string }

var (
	errNotFound = errors.New("there is no such page")
	errSignIn   = errors.New("nobody is signed in")
)

// refusal is a page that says why something is not done.
type refusal struct {
	status int
	title  string
	text   string
	back   string
}

func (r *refusal) Error() string { return r.title + ": " + r.text }

// drawn answers a request by the page that make returns, to whoever is signed in.
func (p *Pages) drawn(make func(*http.Request, *Person) (*answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), mostTime)
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, mostForm)
		h := w.Header()
		h.Set("Cache-Control", "private, no-cache")
		h.Add("Vary", "Cookie")

		who, err := p.options.People.Person(r)
		var a *answer
		switch {
		case err != nil:
			err = fmt.Errorf("who asks: %w", err)
		case who == nil:
			a, err = p.stranger(r)
		default:
			a, err = make(r, who)
		}
		if err != nil {
			a = p.failed(r, err)
		}
		if a.to != "" {
			http.Redirect(w, r, a.to, http.StatusSeeOther)
			return
		}
		a.page.Person, a.page.Now = who, p.options.Now()
		a.page.SignIn, a.page.SignOut, a.page.Version = p.signIn(r), p.options.SignOut, p.options.Version
		if a.page.Once == "" {
			a.page.Once = rand.Text()
		}
		p.draw(w, r, a)
	}
}

// stranger is what is answered to whoever is not signed in: the same for all
// addresses, so that none tells what there is.
func (p *Pages) stranger(r *http.Request) (*answer, error) {
	switch {
	case r.Method == http.MethodPost:
		return nil, errSignIn
	case r.URL.Path != "/":
		return &answer{to: "/?to=" + url.QueryEscape(r.URL.RequestURI())}, nil
	}
	return &answer{template: "welcome", page: page{Title: "Welcome"}}, nil
}

// signIn is where a person signs in to come back to this page.
func (p *Pages) signIn(r *http.Request) string {
	to := r.URL.Query().Get("to")
	if r.URL.Path != "/" {
		to = r.URL.RequestURI()
	}
	if !local(to) || r.Method == http.MethodPost {
		return p.options.SignIn
	}
	return p.options.SignIn + "?to=" + url.QueryEscape(to)
}

// local says whether an address is one of our own pages.
func local(to string) bool {
	u, err := url.Parse(to)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil &&
		strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.ContainsAny(to, "\\\r\n\t")
}

// failed is the page that says why there is none.
func (p *Pages) failed(r *http.Request, err error) *answer {
	refused, tooLong := (*refusal)(nil), (*http.MaxBytesError)(nil)
	switch {
	case errors.As(err, &refused):
	case errors.Is(err, errNotFound):
		refused = &refusal{status: http.StatusNotFound, title: "Nothing here", text: "There is no such page, or it is about a repository that you cannot see on GitHub, or that promobot has not looked at yet."}
	case errors.Is(err, errSignIn):
		refused = &refusal{status: http.StatusForbidden, title: "You are signed out", text: "Nothing was done. Sign in and press again."}
	case errors.As(err, &tooLong):
		refused = &refusal{status: http.StatusRequestEntityTooLarge, title: "Too much was sent", text: "Nothing was done."}
	default:
		if r.Context().Err() == nil || errors.Is(r.Context().Err(), context.DeadlineExceeded) {
			p.options.Log.Error().Err(err).Str("path", r.URL.Path).Msg("A page could not be drawn")
		}
		refused = &refusal{status: http.StatusServiceUnavailable, title: "Not now", text: "promobot could not find out what it needs for this page, perhaps since GitHub does not answer. Promotions go on by themselves; try again in a moment."}
	}
	return &answer{status: refused.status, template: "refused", page: page{Title: refused.title, Data: refused}}
}

// Text and Back are for the template.
func (r *refusal) Text() string { return r.text }

// Back is where to go from here.
func (r *refusal) Back() string {
	if r.back == "" {
		return "/"
	}
	return r.back
}

// visible are the repositories that the person can see, in order.
func (p *Pages) visible(r *http.Request) ([]view.Repository, error) {
	all, err := p.options.Store.Repositories(r.Context())
	if err != nil {
		return nil, fmt.Errorf("read what is stored: %w", err)
	}
	seen, err := p.options.People.Visible(r.Context(), r, all)
	if err != nil {
		return nil, fmt.Errorf("ask what the person can see: %w", err)
	}
	sortRepositories(seen)
	return seen, nil
}

// one is the repository of the address, where the person can see it.
func (p *Pages) one(r *http.Request) (*view.Repository, error) {
	all, err := p.options.Store.Repositories(r.Context())
	if err != nil {
		return nil, fmt.Errorf("read what is stored: %w", err)
	}
	for i := range all {
		if !strings.EqualFold(all[i].Owner, r.PathValue("owner")) || !strings.EqualFold(all[i].Name, r.PathValue("repo")) {
			continue
		}
		seen, err := p.options.People.Visible(r.Context(), r, all[i:i+1:i+1])
		if err != nil {
			return nil, fmt.Errorf("ask whether the person can see it: %w", err)
		}
		if len(seen) == 1 && seen[0].ID == all[i].ID {
			return &all[i], nil
		}
	}
	return nil, errNotFound
}
