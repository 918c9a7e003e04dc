package setup

// Converting a code ("Create a GitHub App from a manifest", REST API
// documentation): once, within an hour, without any other right.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/promobot/promobot/promotion/registration"
)

// Made is an App as GitHub gives it, once.
type Made struct {
	Place         registration.Place
	ID            int64
	Slug, Name    string
	Owner         string // login
	Public        string // promobot's public URL, as it was asked for
	Page          string // the App's own, for people
	Key           string // PEM
	WebhookSecret string
	ClientID      string
	ClientSecret  string
}

// InstallPage is where people install the App ("Installing your own GitHub App").
func (m Made) InstallPage() string { return m.Page + "/installations/new" }

// String keeps the secrets out of whatever prints it.
func (m Made) String() string { return fmt.Sprintf("the App %s (%d)", m.Slug, m.ID) }

// GoString is String, for %#v.
func (m Made) GoString() string { return m.String() }

const (
	convertTimeout = 30 * time.Second
	maxConversion  = 1 << 20
)

// errSpent is a code that no longer counts.
var errSpent = errors.New("GitHub does not know this code: it counts once, and for an hour. " +
	"If the new App is in the list of your GitHub Apps, delete it there; then begin again")

func convert(ctx context.Context, client *http.Client, from order, code string) (Made, error) {
	ctx, cancel := context.WithTimeout(ctx, convertTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, from.place.ConvertURL(code), nil)
	if err != nil {
		return Made{}, errors.New("the code cannot be sent to GitHub: it is no code")
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("User-Agent", "promobot")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	resp, err := client.Do(req)
	if err != nil {
		// The error of net/http names the address, and with it the code.
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return Made{}, fmt.Errorf("%s cannot be reached from this machine: %w. Mend that and try again; the code counts for an hour", from.place.API, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxConversion))
	if err != nil {
		return Made{}, fmt.Errorf("GitHub's answer broke off: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusUnprocessableEntity:
		return Made{}, errSpent
	case resp.StatusCode != http.StatusCreated:
		return Made{}, fmt.Errorf("%s answered %s; try again in a minute, the code counts for an hour", from.place.API, resp.Status)
	}
	var got struct {
		ID    int64  `json:"id"`
		Slug  string `json:"slug"`
		Name  string `json:"name"`
		Page  string `json:"html_url"`
		Owner struct {
			Login string `json:"login"`
			Slug  string `json:"slug"` // of an enterprise
		} `json:"owner"`
		Key           string `json:"pem"`
		WebhookSecret string `json:"webhook_secret"`
		ClientID      string `json:"client_id"`
		ClientSecret  string `json:"client_secret"`
	}
	// The decoder's own words could hold parts of a secret.
	if json.Unmarshal(body, &got) != nil || got.ID <= 0 || got.Slug == "" || got.Key == "" || got.WebhookSecret == "" || got.Page == "" {
		return Made{}, errors.New("GitHub's answer is not that of a new App. " +
			"If the App is in the list of your GitHub Apps, make its private key and webhook secret there, and write the configuration by hand")
	}
	owner := got.Owner.Login
	if owner == "" {
		owner = got.Owner.Slug
	}
	return Made{
		Place: from.place, ID: got.ID, Slug: got.Slug, Name: got.Name, Owner: owner, Public: from.public, Page: got.Page, Key: got.Key,
		WebhookSecret: got.WebhookSecret, ClientID: got.ClientID, ClientSecret: got.ClientSecret,
	}, nil
}
