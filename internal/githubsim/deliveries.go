package githubsim

// What became of an App's webhooks, and sending them again (REST API endpoints
// for GitHub App webhooks). Deliveries are kept three days; one that is sent
// again keeps its GUID.

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// keptDeliveries is how long deliveries are listed and may be sent again.
const keptDeliveries = 3 * 24 * time.Hour

func (s *Server) deliveryRoutes() {
	byJWT := need{jwt: true}
	s.handle("GET", "/app/hook/deliveries", byJWT, s.listDeliveries)
	s.handle("GET", "/app/hook/deliveries/{delivery_id}", byJWT, s.getDelivery)
	s.handle("POST", "/app/hook/deliveries/{delivery_id}/attempts", byJWT, s.redeliver)
}

// deliveriesOf are an App's deliveries of the last days, the newest first.
func (s *Server) deliveriesOf(a *app) []*delivery {
	oldest := s.clock().Add(-keptDeliveries)
	s.hooks.done = slices.DeleteFunc(s.hooks.done, func(d *delivery) bool { return d.deliveredAt.Before(oldest) })
	var out []*delivery
	for _, d := range slices.Backward(s.hooks.done) {
		if d.app == a {
			out = append(out, d)
		}
	}
	return out
}

// listDeliveries pages by cursor: each page tells where the next begins.
func (s *Server) listDeliveries(c *call) (reply, error) {
	list := s.deliveriesOf(c.who.app)
	if wanted := c.query("status"); wanted == "success" || wanted == "failure" {
		list = slices.DeleteFunc(list, func(d *delivery) bool { return d.succeeded() != (wanted == "success") })
	}
	if cursor := c.query("cursor"); cursor != "" {
		id, err := strconv.ParseInt(strings.TrimPrefix(cursor, "v1_"), 10, 64)
		if err != nil {
			return reply{}, &apiError{status: http.StatusBadRequest, message: "Invalid cursor"}
		}
		at := slices.IndexFunc(list, func(d *delivery) bool { return d.id <= id })
		if at < 0 {
			at = len(list)
		}
		list = list[at:]
	}
	perPage, _ := pageOf(c)
	if len(list) > perPage {
		q := url.Values{}
		maps.Copy(q, c.r.URL.Query())
		q.Set("cursor", "v1_"+formatID(list[perPage].id))
		c.header.Set("Link", "<"+s.url+c.r.URL.EscapedPath()+"?"+q.Encode()+`>; rel="next"`)
		list = list[:perPage]
	}
	return ok(render(list, deliveryJSON)), nil
}

func (d *delivery) succeeded() bool { return d.statusCode/100 == 2 }

func (s *Server) delivery(c *call) (*delivery, error) {
	id, err := c.id("delivery_id")
	if err != nil {
		return nil, err
	}
	for _, d := range s.deliveriesOf(c.who.app) {
		if d.id == id {
			return d, nil
		}
	}
	return nil, notFound()
}

func (s *Server) getDelivery(c *call) (reply, error) {
	d, err := s.delivery(c)
	if err != nil {
		return reply{}, err
	}
	out := deliveryJSON(d)
	out["url"] = d.app.WebhookURL
	out["request"] = obj{"headers": flatHeaders(d.requestHeaders), "payload": json.RawMessage(d.payload)}
	var answer any
	if d.response != nil {
		answer = string(d.response)
	}
	out["response"] = obj{"headers": flatHeaders(d.responseHeaders), "payload": answer}
	return ok(out), nil
}

func flatHeaders(h http.Header) obj {
	out := obj{}
	for name, values := range h {
		out[name] = strings.Join(values, ", ")
	}
	return out
}

// redeliver sends a delivery again, under a new id and the same GUID.
func (s *Server) redeliver(c *call) (reply, error) {
	d, err := s.delivery(c)
	if err != nil {
		return reply{}, err
	}
	s.enqueue([]*delivery{{
		id: s.next("delivery"), guid: d.guid, event: d.event, action: d.action, app: d.app,
		installation: d.installation, repository: d.repository, payload: d.payload, redelivery: true,
	}})
	return accepted(obj{}), nil
}

// deliveryJSON is a hook-delivery-item.
func deliveryJSON(d *delivery) obj {
	id := func(n int64) any {
		if n == 0 {
			return nil
		}
		return n
	}
	return obj{
		"id": d.id, "guid": d.guid, "delivered_at": stamp(d.deliveredAt), "redelivery": d.redelivery,
		"duration": d.duration.Round(10 * time.Millisecond).Seconds(), "status": d.status, "status_code": d.statusCode,
		"event": d.event, "action": orNull(d.action), "installation_id": id(d.installation), "repository_id": id(d.repository),
		"throttled_at": nil,
	}
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }
