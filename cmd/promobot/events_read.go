package main

// Deliveries as they were recorded, in any of the ways that people have them.

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxDelivery is what a file of a delivery may hold: GitHub's own 25 MB of payload
// with what stands around it.
const maxDelivery = 32 << 20

// delivery is one recorded webhook.
type delivery struct {
	file      string
	event, id string
	body      []byte
	signature string // as it came; "" when that is not known
}

// readDeliveries reads a file, or the .json files of a folder in the order of
// their names. Event is that of payloads that stand alone.
func readDeliveries(path, event string) ([]delivery, error) {
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(escapeGlob(path), "*.json")); err != nil {
			return nil, err
		}
		slices.Sort(files)
		if len(files) == 0 {
			return nil, fmt.Errorf("%s holds no .json files", path)
		}
	}
	var all []delivery
	for _, file := range files {
		text, err := readBounded(file, maxDelivery)
		if err != nil {
			return nil, err
		}
		d, err := parseDelivery([]byte(text), event)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		d.file = file
		all = append(all, d)
	}
	return all, nil
}

// escapeGlob has a folder's name stand for itself.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// recorded is every way at once; which keys are there says which it is.
type recorded struct {
	GUID    string            `json:"guid"`
	Event   string            `json:"event"`
	Headers map[string]string `json:"headers"`
	Payload json.RawMessage   `json:"payload"`
	Body    json.RawMessage   `json:"body"`
	BodyB   string            `json:"bodyB"` // base64, of gosmee
	Request *struct {
		Headers map[string]string `json:"headers"`
		Payload json.RawMessage   `json:"payload"`
	} `json:"request"`
}

// parseDelivery reads one of them.
func parseDelivery(text []byte, event string) (delivery, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return delivery{}, fmt.Errorf("not a JSON object: %w", err)
	}
	_, proxied := keys["x-github-event"]
	if keys["request"] == nil && keys["headers"] == nil && !proxied {
		if event == "" {
			return delivery{}, errors.New("it is a payload alone: say which event it is by --event")
		}
		return delivery{event: event, body: bytes.TrimSpace(text)}, nil
	}
	var r recorded
	if err := json.Unmarshal(text, &r); err != nil {
		return delivery{}, fmt.Errorf("not a delivery as GitHub or a proxy gives it: %w", err)
	}
	headers, body := http.Header{}, r.Payload
	switch {
	case r.Request != nil:
		setAll(headers, r.Request.Headers)
		body = r.Request.Payload
	case proxied:
		for name, value := range keys {
			var one string
			if json.Unmarshal(value, &one) == nil {
				headers.Set(name, one)
			}
		}
		body = r.Body
	default:
		setAll(headers, r.Headers)
	}
	if len(body) == 0 {
		body = r.Body
	}
	if r.BodyB != "" {
		exact, err := base64.StdEncoding.DecodeString(r.BodyB)
		if err != nil {
			return delivery{}, fmt.Errorf("bodyB is not base64: %w", err)
		}
		body = exact
	}
	var inText string
	if json.Unmarshal(body, &inText) == nil {
		body = json.RawMessage(inText) // the body as a text
	}
	d := delivery{
		event: cmp.Or(headers.Get("X-GitHub-Event"), r.Event, event), id: cmp.Or(headers.Get("X-GitHub-Delivery"), r.GUID),
		signature: headers.Get("X-Hub-Signature-256"), body: bytes.TrimSpace(body),
	}
	switch {
	case len(d.body) == 0:
		return delivery{}, errors.New("the delivery has no payload")
	case d.event == "":
		return delivery{}, errors.New("the delivery does not say which event it is; say it by --event")
	}
	return d, nil
}

func setAll(into http.Header, headers map[string]string) {
	for name, value := range headers {
		into.Set(name, value)
	}
}

// request is the delivery, signed with a secret.
func (d delivery) request(ctx context.Context, to, secret string) (*http.Request, error) {
	return d.signed(ctx, to, signatureOf(secret, d.body))
}

// signed is the delivery with a signature.
func (d delivery) signed(ctx context.Context, to, signature string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(d.body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", userAgent())
	request.Header.Set("X-GitHub-Event", d.event)
	if d.id != "" {
		request.Header.Set("X-GitHub-Delivery", d.id)
	}
	request.Header.Set("X-Hub-Signature-256", signature)
	return request, nil
}

// signatureOf is GitHub's own ("Validating webhook deliveries").
func signatureOf(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
