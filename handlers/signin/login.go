package signin

// Signing in and out. A sign-in ends in the browser in which it began: its state
// is in a cookie there, so nobody can sign another person in as themselves.

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	githubauth "github.com/palantir/go-githubapp/oauth2"
	"golang.org/x/oauth2"
)

const (
	mostForm = 16 << 10
	mostTo   = 1 << 10 // of the address that was wanted, to fit into a cookie
)

// wantedKey is for the page that was wanted, in the context of a sign-in.
type wantedKey struct{}

// states keeps the state of a sign-in in the person's browser, for go-githubapp.
type states struct{ s *SignIn }

// GenerateState implements oauth2.StateStore.
func (st states) GenerateState(w http.ResponseWriter, r *http.Request) (string, error) {
	to, _ := r.Context().Value(wantedKey{}).(string)
	p := pending{State: rand.Text(), To: to, Until: st.s.options.Now().Add(loginLife).Unix()}
	return p.State, st.s.give(w, loginCookie, p, loginLife)
}

// VerifyState implements oauth2.StateStore.
func (st states) VerifyState(r *http.Request, state string) (bool, error) {
	var p pending
	if st.s.read(r, loginCookie, &p) != nil || st.s.options.Now().Unix() >= p.Until || p.State == "" {
		return false, nil //nolint:nilerr // it is not ours, that is the answer
	}
	return subtle.ConstantTimeCompare([]byte(p.State), []byte(state)) == 1, nil
}

// Local returns the address of one of our own pages, as it was wanted, or "/": a
// sign-in must not lead anybody to somewhere else.
func Local(to string) string {
	u, err := url.Parse(to)
	if err != nil {
		return "/"
	}
	switch {
	case len(to) > mostTo, u.Scheme != "", u.Host != "", u.User != nil, u.Opaque != "":
	case !strings.HasPrefix(to, "/"), strings.HasPrefix(to, "//"), strings.HasPrefix(u.Path, "//"):
	case strings.ContainsFunc(to+u.Path, func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f }):
	case u.Path == LoginPath, u.Path == CallbackPath, u.Path == LogoutPath:
	default:
		return to
	}
	return "/"
}

// login is GET /login?to=…: on to GitHub.
func (s *SignIn) login(w http.ResponseWriter, r *http.Request) {
	private(w)
	to := Local(r.URL.Query().Get("to"))
	if who, err := s.Person(r); err == nil && who != nil {
		http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // Local lets through nothing but our own pages
		return
	}
	began := r.Clone(context.WithValue(r.Context(), wantedKey{}, to))
	began.URL.RawQuery = "" // nothing of it is the flow's
	s.flow.ServeHTTP(w, began)
}

// callback is where GitHub sends people back to.
func (s *SignIn) callback(w http.ResponseWriter, r *http.Request) {
	private(w)
	q := r.URL.Query()
	if !q.Has("code") && !q.Has("error") {
		http.Redirect(w, r, LoginPath, http.StatusSeeOther)
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), oauth2.HTTPClient, s.client))
	s.flow.ServeHTTP(w, r)
}

// arrived begins the session of who has come back from GitHub with a good code.
func (s *SignIn) arrived(w http.ResponseWriter, r *http.Request, login *githubauth.Login) {
	var p pending
	if err := s.read(r, loginCookie, &p); err != nil {
		s.refused(w, r, githubauth.ErrInvalidState)
		return
	}
	t := token(login.Token.AccessToken)
	name, id, err := s.viewer(r.Context(), t)
	if err != nil {
		s.refused(w, r, err)
		return
	}
	of := s.newSession(name, id, t, login.Token.Expiry)
	if err := s.give(w, sessionCookie, of, time.Unix(of.Until, 0).Sub(s.options.Now())); err != nil {
		s.refused(w, r, err)
		return
	}
	s.take(w, loginCookie)
	s.options.Log.Info().Str("login", name).Msg("A person has signed in")
	http.Redirect(w, r, Local(p.To), http.StatusSeeOther)
}

// plainCode is an error code as GitHub has them.
var plainCode = regexp.MustCompile(`^[a-z_]{1,60}$`)

// refused says why a sign-in came to nothing.
func (s *SignIn) refused(w http.ResponseWriter, r *http.Request, err error) {
	var denied githubauth.LoginError
	exchange, unavailable := (*oauth2.RetrieveError)(nil), (*UnavailableError)(nil)
	switch {
	case errors.Is(err, githubauth.ErrInvalidState):
		s.page(w, http.StatusBadRequest, "This sign-in is not yours any more", "It took longer than ten minutes, or was begun in another tab or browser. Nothing has happened; sign in again.")
	case errors.As(err, &denied) && denied == "access_denied":
		s.page(w, http.StatusForbidden, "You are not signed in", "You have not let GitHub tell promobot who you are. Without that it cannot know what you may see.")
	case errors.As(err, &denied):
		code := string(denied)
		if !plainCode.MatchString(code) {
			code = "unknown"
		}
		s.options.Log.Error().Str("code", code).Msg("GitHub refuses sign-ins; check the App's client id and its callback URL")
		s.page(w, http.StatusBadGateway, "GitHub does not sign you in", "It says "+code+". If that is redirect_uri_mismatch, the App's settings on GitHub need the callback URL "+s.callbackURL()+". Tell whoever runs promobot.")
	case errors.As(err, &exchange) && exchange.ErrorCode == "bad_verification_code":
		s.page(w, http.StatusBadRequest, "This sign-in was used already", "GitHub's code holds once, for ten minutes. Sign in again.")
	case errors.As(err, &exchange) && exchange.ErrorCode != "":
		code := exchange.ErrorCode
		if !plainCode.MatchString(code) {
			code = "unknown"
		}
		s.options.Log.Error().Str("code", code).Msg("GitHub refuses the App at a sign-in; check pages.client_id and pages.client_secret")
		s.page(w, http.StatusBadGateway, "GitHub does not sign you in", "It does not accept what promobot is configured with ("+code+"). Tell whoever runs promobot; its log says more.")
	case errors.As(err, &unavailable), r.Context().Err() == nil:
		// The error of the exchange itself may hold what GitHub, or a proxy, answered.
		s.options.Log.Warn().Bool("exchange", unavailable == nil).Msg("A sign-in failed: GitHub could not be asked")
		s.page(w, http.StatusServiceUnavailable, "GitHub does not answer", "Without it nobody can sign in. Promotions go on by themselves; try again in a moment.")
	}
}

func (s *SignIn) callbackURL() string {
	return strings.TrimRight(s.options.PublicURL, "/") + CallbackPath
}

// logout is POST /logout: it ends the session here, and the token at GitHub, so
// that a copy of the cookie is worth nothing either.
func (s *SignIn) logout(w http.ResponseWriter, r *http.Request) {
	private(w)
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	of := s.session(r)
	if of != nil {
		if err := s.CheckForm(r); err != nil {
			s.page(w, http.StatusForbidden, "Not from one of these pages", "You are still signed in: the form was not sent by a page that you were given. Load the page again.")
			return
		}
		s.memory.drop(of.Token)
		if err := s.end(r.Context(), of.Token); err != nil {
			s.options.Log.Warn().Err(err).Str("login", of.Login).Msg("GitHub did not end the token of a person who has signed out; it ends by itself within eight hours")
		}
	}
	s.take(w, sessionCookie)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// private keeps what follows out of caches and, since the address may hold a
// code, from being told to others.
func private(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
}

var plainPage = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>{{.Title}} · promobot</title></head>
<body><main><h1>{{.Title}}</h1><p>{{.Text}}</p><p><a href="{{.Login}}">Sign in with GitHub</a></p></main></body></html>
`))

// page says something in place of a redirect.
func (s *SignIn) page(w http.ResponseWriter, status int, title, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = plainPage.Execute(w, struct{ Title, Text, Login string }{title, text, LoginPath}) // the reader may be gone
}
