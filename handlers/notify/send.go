package notify

// Sending one message, and what its end means.

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// The headers that a message has.
const (
	SignatureHeader = "X-Promobot-Signature-256" // sha256=<HMAC of timestamp, ".", body>
	TimestampHeader = "X-Promobot-Timestamp"     // seconds since 1970
	DeliveryHeader  = "X-Promobot-Delivery"      // the event's id: the same when it is sent again
	EventHeader     = "X-Promobot-Event"         // the event's kind
)

// sendWithin bounds one attempt.
const sendWithin = 10 * time.Second

// outcome is what an attempt came to.
type outcome int

const (
	sent    outcome = iota
	again           // it was not taken, and may be tried again
	refused         // it was not taken, and never will be
	doubt           // nobody knows whether it was taken
)

// sender sends to one receiver.
type sender struct {
	*Receiver
	client    *http.Client
	userAgent string
	now       func() time.Time
}

// Sign is what TimestampHeader and SignatureHeader say of a body at a time.
func Sign(secret string, at time.Time, body []byte) (timestamp, signature string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return timestamp, "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// send makes one attempt. After is how long the receiver asks to be left alone;
// the error says what is wrong without the receiver's URL.
func (s *sender) send(ctx context.Context, e Event) (became outcome, after time.Duration, err error) {
	body, err := s.body(e)
	if err != nil {
		return refused, 0, fmt.Errorf("write the message: %w", err)
	}
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { written.Store(true) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return refused, 0, errors.New("the URL cannot be used")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", s.userAgent)
	request.Header.Set(DeliveryHeader, e.ID)
	request.Header.Set(EventHeader, string(e.Kind))
	if s.Secret != "" {
		timestamp, signature := Sign(s.Secret, s.now(), body)
		request.Header.Set(TimestampHeader, timestamp)
		request.Header.Set(SignatureHeader, signature)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		err = s.withoutURL(err)
		switch {
		case errors.Is(err, errForbidden):
			return refused, 0, err
		case written.Load():
			return doubt, 0, err
		}
		return again, 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10)) // what it says only helps to understand a refusal
	switch code := answer.StatusCode; {
	case code/100 == 2:
		return sent, 0, nil
	case code/100 == 3:
		return refused, 0, fmt.Errorf("it answers %d, which leads elsewhere; redirects are not followed: configure the URL that it leads to", code)
	case code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests || code >= 500:
		return again, retryAfter(answer.Header, s.now()), fmt.Errorf("it answers %d%s", code, s.words(said))
	default:
		return refused, 0, fmt.Errorf("it answers %d%s", code, s.words(said))
	}
}

// words are the receiver's own, for the log.
func (s *sender) words(said []byte) string {
	text := plain(cut(strings.TrimSpace(string(said)), 200))
	if text == "" || strings.Contains(text, s.URL) {
		return ""
	}
	return fmt.Sprintf(": %q", text)
}

// withoutURL takes the receiver's URL out of net/http's error.
func (s *sender) withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if u, parsed := url.Parse(s.URL); parsed == nil && len(u.Path) > 1 && strings.Contains(err.Error(), u.Path) {
		return errors.New("it could not be reached")
	}
	return err
}

// retryAfter reads the header of that name; 0 when there is none that can be
// meant.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return min(max(0, time.Duration(seconds)*time.Second), time.Hour)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(now)), time.Hour)
	}
	return 0
}
