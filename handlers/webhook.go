// The front handler. go-githubapp's dispatcher (v0.24) accepts SHA-1 signatures
// and form bodies, reads without bound, and answers 400 to a bad signature, so
// this stands before it: it bounds the body, authenticates it by SHA-256 in
// constant time, and takes nothing but JSON. The cheap checks come first, so that
// a stranger costs least.

package handlers

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/palantir/go-githubapp/githubapp"
	"github.com/rs/zerolog"
)

const (
	// WebhookRoute is where GitHub delivers: go-githubapp's route.
	WebhookRoute = githubapp.DefaultWebhookRoute
	// maxBody is GitHub's own limit on a payload (docs: "Webhook events and
	// payloads", Payload cap).
	maxBody = 25 << 20
	// answerWithin is below the 10 s GitHub waits (docs: "Best practices for
	// using webhooks").
	answerWithin = 8 * time.Second

	signatureHeader = "X-Hub-Signature-256"
	signaturePrefix = "sha256="
)

// WebhookOptions are what the webhook handler needs; all but Followers are
// required.
type WebhookOptions struct {
	Secret    []byte // the App's webhook secret
	AppID     int64  // to know the App's own events
	Waker     Waker
	Mail      Mail
	Followers Followers // of a repository that versions come from; nil: none
	Sweep     func()    // asks for a sweep soon; does not wait
	Metrics   *Metrics
	Log       zerolog.Logger
}

// webhook is the front handler.
type webhook struct {
	options  WebhookOptions
	known    map[string]bool // events that have a rule, and ping
	dispatch http.Handler
	refusals zerolog.Logger // sampled: strangers decide how many there are
}

// NewWebhook returns the handler for POST WebhookRoute. It answers:
//
//	200  woken, kept, or ping     401  not authentic
//	202  ignored, with the reason 405  not a POST
//	400  not JSON, or not what    413  longer than 25 MB
//	     the event has            415  not application/json
//	503  authentic, but the wake could not be stored
func NewWebhook(options WebhookOptions) (http.Handler, error) {
	if len(options.Secret) == 0 {
		return nil, errors.New("webhooks cannot be told from forgeries without a secret: set github.webhook_secret")
	}
	h := &webhook{options: options, known: map[string]bool{"ping": true}}
	h.refusals = options.Log.Sample(&zerolog.BurstSampler{Burst: 20, Period: time.Minute})
	rules := []githubapp.EventHandler{
		h.rule(onAlways, alwaysEvents...),
		h.rule(onRef(options.Followers), "push", "create", "delete"), // of bases, promotions' branches, tags, the pipeline file
		h.rule(onRelease(options.Followers), "release"),
		h.ruleFor(onDispatch, "repository_dispatch"),
		h.rule(onPullRequest, "pull_request"),
		h.rule(onPullRequestReview, "pull_request_review"),
		h.ruleFor(onCheckRun(options.AppID), checkRunEvent),
		h.ruleFor(onCheckSuite(options.AppID), checkSuiteEvent),
		h.rule(onWorkflowRun, "workflow_run"),
		h.rule(onIssueComment(options.AppID), "issue_comment"),
		h.rule(onInstallation, "installation"),
		h.rule(onInstallationRepositories, "installation_repositories"),
		h.rule(onRepository, "repository"),
	}
	h.dispatch = githubapp.NewEventDispatcher(rules, string(options.Secret),
		githubapp.WithErrorCallback(h.failed), githubapp.WithResponseCallback(h.handled))
	return h, nil
}

// rule is ruleFor events whose delivery's id does not matter.
func (h *webhook) rule(wants func([]byte) (wanted, error), events ...string) handler {
	return h.ruleFor(func(_ string, payload []byte) (wanted, error) { return wants(payload) }, events...)
}

func (h *webhook) ruleFor(wants func(delivery string, payload []byte) (wanted, error), events ...string) handler {
	for _, event := range events {
		h.known[event] = true
	}
	return handler{events: events, wants: wants, waker: h.options.Waker, mail: h.options.Mail, sweep: h.options.Sweep}
}

// refusal is an answer to a delivery that is not taken. The text is for whoever
// reads the delivery's log at GitHub.
type refusal struct {
	status int
	result string // for the metrics
	text   string
}

// ServeHTTP authenticates the delivery and passes it on.
func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, refused := h.authentic(w, r)
	if refused != nil {
		h.refuse(w, r, *refused)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	// The dispatcher logs each delivery at level info; a busy organisation's
	// swarm of them is detail.
	ctx = h.options.Log.Level(max(h.options.Log.GetLevel(), zerolog.WarnLevel)).WithContext(ctx)
	ctx = reporting(ctx)
	r = r.WithContext(ctx)
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.dispatch.ServeHTTP(w, r)
}

// authentic returns the body if GitHub sent it and it is JSON.
func (h *webhook) authentic(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &refusal{http.StatusMethodNotAllowed, "refused", "Webhooks are delivered by POST."}
	}
	claimed, ok := claimedSignature(r.Header)
	if !ok {
		return nil, &refusal{
			http.StatusUnauthorized, "refused",
			"No " + signatureHeader + " header. Give the App's webhook a secret; SHA-1 signatures are not accepted.",
		}
	}
	tooLong := &refusal{http.StatusRequestEntityTooLarge, "refused", "The body is longer than 25 MB, GitHub's own limit."}
	if r.ContentLength > maxBody {
		return nil, tooLong
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLong
		}
		return nil, &refusal{http.StatusBadRequest, "invalid", "The body broke off."}
	}
	if !signedBy(h.options.Secret, body, claimed) {
		return nil, &refusal{
			http.StatusUnauthorized, "refused",
			"The signature does not match. The App's webhook secret and promobot's github.webhook_secret must be the same.",
		}
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, &refusal{http.StatusUnsupportedMediaType, "invalid", "Set the webhook's content type to application/json."}
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); !json.Valid(body) || trimmed[0] != '{' {
		return nil, &refusal{http.StatusBadRequest, "invalid", "The body is not a JSON object."}
	}
	return body, nil
}

// claimedSignature reads the header "sha256=<64 hex digits>".
func claimedSignature(header http.Header) ([]byte, bool) {
	values := header.Values(signatureHeader)
	if len(values) != 1 {
		return nil, false
	}
	digits, ok := strings.CutPrefix(values[0], signaturePrefix)
	if !ok {
		return nil, false
	}
	signature, err := hex.DecodeString(digits)
	return signature, err == nil && len(signature) == sha256.Size
}

// signedBy compares in constant time, so that how long an answer takes tells
// nothing about the right signature (docs: "Validating webhook deliveries").
func signedBy(secret, body, claimed []byte) bool {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return hmac.Equal(mac.Sum(nil), claimed)
}

func (h *webhook) refuse(w http.ResponseWriter, r *http.Request, refused refusal) {
	h.count(r, refused.result)
	h.refusals.Warn().Int("status", refused.status).Str("event", h.eventName(r)).Msg("A webhook was refused: " + refused.text)
	http.Error(w, refused.text, refused.status)
}

// failed is the dispatcher's answer to a handler's error.
func (h *webhook) failed(w http.ResponseWriter, r *http.Request, err error) {
	var invalid githubapp.ValidationError
	switch {
	case errors.As(err, &invalid):
		h.refuse(w, r, refusal{http.StatusBadRequest, "invalid", "The headers are not those of a webhook: X-GitHub-Event is missing."})
	case errors.Is(err, errPayload):
		h.refuse(w, r, refusal{http.StatusBadRequest, "invalid", "The body is not what this event has: no readable installation and repository."})
	default:
		h.count(r, "failed")
		h.options.Log.Error().Err(err).Str("event", h.eventName(r)).Str("delivery", deliveryID(r)).Msg("A webhook's wake could not be stored")
		w.Header().Set("Retry-After", "60")
		http.Error(w, "This could not be stored. Nothing is lost: the next sweep looks at every repository, its comments, and the deliveries that failed.", http.StatusServiceUnavailable)
	}
}

// handled is the dispatcher's answer to all else.
func (h *webhook) handled(w http.ResponseWriter, r *http.Request, event string, known bool) {
	became := reported(r.Context())
	status, result, text := http.StatusOK, "woken", ""
	switch {
	case event == "ping":
		text = "pong"
	case !known:
		status, result, text = http.StatusAccepted, "unknown", "ignored: promobot has no use for this event"
	case became.ignored != "":
		status, result, text = http.StatusAccepted, "ignored", "ignored: "+became.ignored
	case len(became.letters) > 0:
		result, text = "kept", "kept until it is dealt with"
		h.options.Metrics.letters.WithLabelValues("webhook").Add(float64(len(became.letters)))
	case became.sweep:
		text = "all repositories will be looked at"
	default:
		h.options.Metrics.wakes.WithLabelValues("webhook").Add(float64(len(became.repositories)))
		text = fmt.Sprintf("%d to be looked at", len(became.repositories))
	}
	h.count(r, result)
	h.options.Log.Debug().Str("event", h.eventName(r)).Str("delivery", deliveryID(r)).Str("result", text).Msg("A webhook came")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // GitHub may have hung up; the wake is stored all the same
}

func (h *webhook) count(r *http.Request, result string) {
	h.options.Metrics.events.WithLabelValues(h.eventName(r), result).Inc()
}

// eventName is the event's name if promobot knows it, else "other": anyone can
// send a header.
func (h *webhook) eventName(r *http.Request) string {
	if name := r.Header.Get("X-GitHub-Event"); h.known[name] {
		return name
	}
	return "other"
}

// deliveryID is the delivery's id, to be found again under the App's Advanced
// settings. It is logged only after authentication, and cut.
func deliveryID(r *http.Request) string {
	id := r.Header.Get("X-GitHub-Delivery")
	return id[:min(len(id), 64)]
}
