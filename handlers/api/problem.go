package api

// Problems are answered as RFC 9457 says: application/problem+json, a sentence
// in detail that says what to do.

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Problem is an answer that is none (RFC 9457). Its type is always about:blank:
// the status says what kind it is.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`

	retryAfter time.Duration
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

func problem(status int, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
}

// SignInError says that GitHub does not know who asks, or no longer.
type SignInError struct{ Reason string }

func (e *SignInError) Error() string { return e.Reason }

// UnavailableError says that GitHub could not be asked what the person may see.
// Another try may be answered, not before RetryAfter where that is said.
type UnavailableError struct {
	Reason     string
	RetryAfter time.Duration
}

func (e *UnavailableError) Error() string { return e.Reason }

const howToSignIn = "sign in on the pages, or send your own GitHub token as `Authorization: Bearer …`"

// problemOf is what an error is answered by; nil for one that is no person's
// business.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*SignInError](err); ok {
		detail := howToSignIn
		if e.Reason != "" {
			detail = e.Reason + "; " + howToSignIn
		}
		return problem(http.StatusUnauthorized, detail)
	}
	if e, ok := errors.AsType[*UnavailableError](err); ok {
		p := problem(http.StatusServiceUnavailable, e.Reason)
		p.retryAfter = max(e.RetryAfter, time.Second)
		return p
	}
	return nil
}

func (p *Problem) write(w http.ResponseWriter) {
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"type":"about:blank"}`) // it is text and a number
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	switch {
	case p.Status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="promobot"`)
	case p.Status == http.StatusMethodNotAllowed:
		h.Set("Allow", "GET, HEAD")
	case p.retryAfter > 0:
		h.Set("Retry-After", strconv.Itoa(int((p.retryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}
