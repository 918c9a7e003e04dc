package github

// What GitHub tried to deliver to the App ("REST API endpoints for GitHub App
// webhooks"): kept for three days, never sent again by itself. A delivery that
// is sent again by hand is listed again, under the same GUID.

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	gh "github.com/google/go-github/v60/github"
)

// Delivery is one webhook as GitHub delivered it, or tried to.
type Delivery struct {
	ID           int64
	GUID         string // X-GitHub-Delivery
	Event        string
	Action       string // "" where the event has none
	At           time.Time
	Failed       bool // it was not answered with success
	RepositoryID int64
}

// maxDeliveryPages bounds one listing, at a hundred deliveries a page.
const maxDeliveryPages = 500

// Deliveries are those since a time whose event and action are wanted, newest
// first; with failed, those alone that were not answered with success. An App
// without a webhook has none: ErrNotFound.
func (a *App) Deliveries(ctx context.Context, wanted func(event, action string) bool, since time.Time, failed bool) ([]Delivery, error) {
	const doing = "listing webhook deliveries"
	query := url.Values{"per_page": {strconv.Itoa(perPage)}}
	if failed {
		query.Set("status", "failure")
	}
	var found []Delivery
	for range maxDeliveryPages {
		req, err := a.signed.NewRequest(http.MethodGet, "app/hook/deliveries?"+query.Encode(), nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
		var page []*gh.HookDelivery
		resp, err := a.signed.Do(ctx, req, &page)
		if err != nil {
			return nil, explain(doing, err)
		}
		for _, d := range page {
			if d.GetID() == 0 || d.GetGUID() == "" || d.DeliveredAt == nil {
				return nil, fmt.Errorf("%s: %w", doing, errNoID("a delivery"))
			}
			if d.DeliveredAt.Before(since) {
				return found, nil
			}
			if wanted(d.GetEvent(), d.GetAction()) {
				found = append(found, Delivery{
					ID: d.GetID(), GUID: d.GetGUID(), Event: d.GetEvent(), Action: d.GetAction(), At: d.DeliveredAt.Time,
					Failed: d.GetStatusCode() < 200 || d.GetStatusCode() > 299, RepositoryID: d.GetRepositoryID(),
				})
			}
		}
		if resp.Cursor == "" {
			return found, nil
		}
		if resp.Cursor == query.Get("cursor") {
			return nil, fmt.Errorf("%s: after a page GitHub names the same page as the next", doing)
		}
		query.Set("cursor", resp.Cursor)
	}
	a.log.Warn().Time("since", since).Int("deliveries", maxDeliveryPages*perPage).
		Msg("there are more webhook deliveries than promobot looks through; the older ones stay unread")
	return found, nil
}

// DeliveryPayload is the payload of one delivery, JSON.
func (a *App) DeliveryPayload(ctx context.Context, id int64) ([]byte, error) {
	doing := fmt.Sprintf("reading webhook delivery %d", id)
	d, _, err := a.signed.Apps.GetHookDelivery(ctx, id)
	if err != nil {
		return nil, explain(doing, err)
	}
	if d.GetID() != id || d.Request == nil || d.Request.RawPayload == nil {
		return nil, fmt.Errorf("%s: GitHub's answer has no payload", doing)
	}
	return *d.Request.RawPayload, nil
}
