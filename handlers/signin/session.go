package signin

// Sessions: what a person's browser keeps. It is encrypted and authenticated
// (AES-256-GCM with a nonce of its own), each kind for itself: one kind of cookie
// is never taken for another, nor one of another promobot's.

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// The kinds of cookie.
const (
	sessionCookie = "promobot"
	loginCookie   = "promobot-login"
)

// session is a person who is signed in.
type session struct {
	Login string `json:"l"`
	ID    int64  `json:"i"` // the account's, which keeps when it is renamed
	Token token  `json:"t"`
	CSRF  string `json:"c"`
	Until int64  `json:"e"` // Unix seconds
}

// pending is a sign-in that has begun.
type pending struct {
	State string `json:"s"`
	To    string `json:"t"` // the page that was wanted
	Until int64  `json:"e"`
}

// box closes and opens cookies.
type box struct{ aead cipher.AEAD }

func newBox(key []byte) (box, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return box{}, fmt.Errorf("the sessions' key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return box{}, fmt.Errorf("the sessions' key: %w", err)
	}
	return box{aead}, nil
}

var errBroken = errors.New("a cookie is not one of ours")

func (b box) close(kind string, value any) (string, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("encode a cookie: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b.aead.Seal(nil, nil, plain, []byte(kind))), nil //nolint:gosec // this mode makes a random nonce of its own
}

func (b box) open(kind, text string, into any) error {
	closed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return errBroken
	}
	plain, err := b.aead.Open(nil, nil, closed, []byte(kind))
	if err != nil || json.Unmarshal(plain, into) != nil {
		return errBroken
	}
	return nil
}

// cookieName says by its prefix to browsers that no other host and no plain HTTP
// can have set the cookie (RFC 6265bis, The "__Host-" prefix).
func (s *SignIn) cookieName(kind string) string {
	if s.secure {
		return "__Host-" + kind
	}
	return kind
}

// give has the browser keep a value for so long.
func (s *SignIn) give(w http.ResponseWriter, kind string, value any, life time.Duration) error {
	text, err := s.box.close(kind, value)
	if err != nil {
		return err
	}
	s.set(w, kind, text, int(life/time.Second))
	return nil
}

// take has the browser forget it.
func (s *SignIn) take(w http.ResponseWriter, kind string) { s.set(w, kind, "", -1) }

func (s *SignIn) set(w http.ResponseWriter, kind, text string, age int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever people come over HTTPS
		Name: s.cookieName(kind), Value: text, Path: "/", MaxAge: age,
		Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// read is what the browser keeps, if it is whole.
func (s *SignIn) read(r *http.Request, kind string, into any) error {
	cookie, err := r.Cookie(s.cookieName(kind))
	if err != nil {
		return errBroken
	}
	return s.box.open(kind, cookie.Value, into)
}

// session is who sent the request; nil when nobody is signed in.
func (s *SignIn) session(r *http.Request) *session {
	var of session
	if s.read(r, sessionCookie, &of) != nil || s.options.Now().Unix() >= of.Until {
		return nil
	}
	return &of
}

// Person is who is signed in.
type Person struct {
	Login string // as GitHub has authenticated it
	CSRF  string // goes into each form, as the field "csrf"
}

// Person is who sent the request; nil when nobody is signed in, or GitHub knows
// them no longer. It fails with an *UnavailableError when GitHub could not be asked.
func (s *SignIn) Person(r *http.Request) (*Person, error) {
	of := s.session(r)
	if of == nil {
		return nil, nil
	}
	login, err := s.known(r.Context(), of)
	switch {
	case errors.Is(err, ErrSignedOut):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &Person{Login: login, CSRF: of.CSRF}, nil
}

// CheckForm says whether a form was sent by a page that the signed-in person was
// given: from the same origin, and with their own token in its field "csrf". The
// form must have been parsed, or be fit to.
func (s *SignIn) CheckForm(r *http.Request) error {
	if err := s.origin.Check(r); err != nil {
		return err
	}
	of := s.session(r)
	if of == nil {
		return ErrSignedOut
	}
	if subtle.ConstantTimeCompare([]byte(r.PostFormValue("csrf")), []byte(of.CSRF)) != 1 {
		return errors.New("the form is not of this session")
	}
	return nil
}

// newSession begins a person's session with their token.
func (s *SignIn) newSession(login string, id int64, token token, until time.Time) session {
	last := s.options.Now().Add(sessionLife)
	if !until.IsZero() && until.Before(last) {
		last = until
	}
	return session{Login: login, ID: id, Token: token, CSRF: rand.Text(), Until: last.Unix()}
}
