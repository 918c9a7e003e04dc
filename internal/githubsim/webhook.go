package githubsim

// Webhooks: who gets them, how they are signed, sent and remembered.
//
// To emit one, with Server.mu held:
//
//	s.emit(r, "issue_comment", "created", c.actor, obj{"issue": …, "comment": …})
//
// emit adds action, repository, organization, sender and installation, and
// queues one delivery for each App that is installed on the repository and
// subscribed to the event. Those of one App and repository are sent in order
// (Habits.HookLanes lets them overtake each other), others beside them; Drain
// waits for all. Server.hooks.intercept may drop, double, delay or reorder what is queued.
// (Webhook events and payloads; Validating webhook deliveries.)

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// webhookTimeout is how long GitHub waits for an answer.
const webhookTimeout = 10 * time.Second

// delivery is one webhook for one App, sent or to be sent.
type delivery struct {
	id           int64
	guid         string
	event        string
	action       string
	app          *app
	installation int64 // id; 0 for ping
	repository   int64 // id; 0 when it is about none
	payload      []byte
	redelivery   bool
	notBefore    time.Time // by the server's clock; zero: at once

	// After sending:
	deliveredAt     time.Time
	duration        time.Duration
	statusCode      int    // 0: no answer
	status          string // "OK", "Invalid HTTP Response: 500", "timed out", …
	requestHeaders  http.Header
	responseHeaders http.Header
	response        []byte
}

// hookQueue is what is to be sent and what was.
type hookQueue struct {
	waiting []*delivery
	sending int          // under way
	lanes   map[lane]int // under way, by lane
	done    []*delivery
	changed chan struct{} // a signal for the sender
	idle    []chan struct{}

	// intercept, when set, turns what is about to be queued into what really
	// is. Called with Server.mu held.
	intercept func([]*delivery) []*delivery
}

func (q *hookQueue) init() { q.changed, q.lanes = make(chan struct{}, 1), map[lane]int{} }

// wake tells the sender to look again.
func (q *hookQueue) wake() {
	select {
	case q.changed <- struct{}{}:
	default: // it has been told already
	}
}

// emit queues an event of a repository. The payload's maps must not change
// afterwards. sender may be nil for events that nobody caused.
func (s *Server) emit(r *repository, event, action string, sender *user, payload obj) {
	s.emitOnly(nil, r, event, action, sender, payload)
}

// emitOnly is emit for events that only one App may hear; nil is all.
func (s *Server) emitOnly(only *app, r *repository, event, action string, sender *user, payload obj) {
	s.lookAgain(r) // whatever is worth telling may let a merge go on
	full := obj{"repository": s.repositoryHookJSON(r)}
	if r.owner.kind == kindOrganization {
		full["organization"] = s.organizationJSON(r.owner)
	}
	if sender != nil {
		full["sender"] = s.userJSON(sender)
	}
	if action != "" {
		full["action"] = action
	}
	maps.Copy(full, payload)
	for _, inst := range s.sortedInstallations() {
		if only != nil && inst.app != only {
			continue
		}
		if inst.suspendedAt.IsZero() && inst.covers(r) && slices.Contains(inst.events, event) {
			full["installation"] = obj{"id": inst.id, "node_id": nodeID("Installation", inst.id)}
			s.queue(inst.app, inst.id, r.id, event, action, full)
		}
	}
}

// emitTo queues an event for one App, whatever it is subscribed to: those
// about the App and its installations.
func (s *Server) emitTo(a *app, inst int64, event, action string, payload obj) {
	if action != "" {
		payload["action"] = action
	}
	s.queue(a, inst, 0, event, action, payload)
}

func (s *Server) queue(a *app, inst, repo int64, event, action string, payload obj) {
	if a.WebhookURL == "" {
		return
	}
	data, err := json.Marshal(payload)
	if err != nil {
		panic("a payload that is no JSON: " + err.Error()) // our own maps: cannot be
	}
	n := s.next("delivery")
	s.enqueue([]*delivery{{
		id: n, guid: s.guid(n), event: event, action: action, app: a,
		installation: inst, repository: repo, payload: data,
	}})
}

// enqueue passes deliveries through the interceptor to the sender.
func (s *Server) enqueue(list []*delivery) {
	if s.hooks.intercept != nil {
		list = s.hooks.intercept(list)
	}
	s.hooks.waiting = append(s.hooks.waiting, list...)
	s.hooks.wake()
}

// guid is a delivery id, the same in every run with the same seed.
func (s *Server) guid(n int64) string {
	h := sha256.Sum256(fmt.Appendf(nil, "delivery %d %d", s.seed, n))
	x := hex.EncodeToString(h[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:32]
}

// deliverHooks starts the sending of deliveries until Close, each on a
// goroutine of its own as far as lanes allow.
func (s *Server) deliverHooks() {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return
		}
		d, wait := s.hooks.take(s.clock(), max(1, s.habits.HookLanes))
		s.releaseDrained()
		s.mu.Unlock()
		if d == nil {
			if !s.awaitHooks(wait) {
				return
			}
			continue
		}
		s.owned.Go(func() {
			s.send(d)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.hooks.sending--
			s.hooks.lanes[d.lane()]--
			s.hooks.done = append(s.hooks.done, d)
			s.hooks.wake()
			s.releaseDrained()
		})
	}
}

// awaitHooks waits until there may be something to send, by the time given at
// the latest (0: without limit). It is false when the server ends.
func (s *Server) awaitHooks(limit time.Duration) bool {
	var due <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-s.hooks.changed:
	case <-due:
	case <-s.life.Done():
		return false
	}
	return true
}

// maxSending is how many deliveries are under way at once.
const maxSending = 64

// lane is what keeps its order: an App's deliveries of one repository. Those
// about the App itself (repository 0) keep theirs with all of the App.
type lane struct {
	app        *app
	repository int64
}

func (d *delivery) lane() lane { return lane{d.app, d.repository} }

// take removes the first delivery that is due and whose lane is free, or tells
// how long until one is due. What frees a lane wakes the sender.
func (q *hookQueue) take(now time.Time, perLane int) (*delivery, time.Duration) {
	if q.sending >= maxSending {
		return nil, 0
	}
	var wait time.Duration
	passed := map[*app]bool{} // has one that stays behind: what is about the App itself waits for it
	closed := map[*app]bool{} // has one about the App itself that stays behind: all wait for it
	for i, d := range q.waiting {
		if d.notBefore.After(now) {
			if left := d.notBefore.Sub(now); wait == 0 || left < wait {
				wait = left
			}
			continue
		}
		general := d.repository == 0
		free := q.lanes[d.lane()] < perLane
		if perLane == 1 {
			free = free && !closed[d.app] && q.lanes[lane{app: d.app}] == 0 && (!general || !passed[d.app] && q.ofApp(d.app) == 0)
		}
		if !free {
			passed[d.app], closed[d.app] = true, closed[d.app] || general
			continue
		}
		q.waiting = slices.Delete(q.waiting, i, i+1)
		q.sending++
		q.lanes[d.lane()]++
		return d, 0
	}
	return nil, wait
}

// ofApp is how many of an App's are under way.
func (q *hookQueue) ofApp(a *app) int {
	n := 0
	for l, count := range q.lanes {
		if l.app == a {
			n += count
		}
	}
	return n
}

// releaseDrained tells those who drain that nothing is left. Called with
// Server.mu held.
func (s *Server) releaseDrained() {
	if !s.drained() {
		return
	}
	for _, ch := range s.hooks.idle {
		close(ch)
	}
	s.hooks.idle = nil
}

// drained tells whether there is nothing left to send, and nothing for the
// settler to look at.
func (s *Server) drained() bool {
	return len(s.hooks.waiting) == 0 && s.hooks.sending == 0 && s.settling.idle()
}

// Drain waits until every queued webhook, delayed ones too, has been sent, and
// auto-merges and merge queues have gone as far as they can. Webhooks caused
// meanwhile are waited for as well.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	if s.drained() {
		s.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	s.hooks.idle = append(s.hooks.idle, done)
	s.hooks.wake()
	s.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the webhooks to be delivered: %w", ctx.Err())
	case <-s.life.Done():
		return fmt.Errorf("waiting for the webhooks to be delivered: %w", s.life.Err())
	}
}

// Poke makes the sender of webhooks and the scripted checks look at the clock
// again, for clocks that tests move by hand.
func (s *Server) Poke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks.wake()
	s.activity.scripts.wake()
}

// send posts one delivery and notes how it went.
func (s *Server) send(d *delivery) {
	started := time.Now()
	d.deliveredAt = s.clock().UTC()
	s.mu.Lock()
	url, secret := d.app.WebhookURL, d.app.WebhookSecret // which may be changed meanwhile
	s.mu.Unlock()
	req, err := http.NewRequestWithContext(s.life, http.MethodPost, url, bytes.NewReader(d.payload))
	if err != nil {
		d.status = "failed to connect to host"
		return
	}
	h := req.Header
	h.Set("Accept", "*/*")
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "GitHub-Hookshot/0a1b2c3")
	h.Set("X-GitHub-Delivery", d.guid)
	h.Set("X-GitHub-Event", d.event)
	h.Set("X-GitHub-Hook-ID", strconv.FormatInt(d.app.hookID, 10))
	h.Set("X-GitHub-Hook-Installation-Target-ID", strconv.FormatInt(d.app.ID, 10))
	h.Set("X-GitHub-Hook-Installation-Target-Type", "integration")
	if secret != "" {
		h.Set("X-Hub-Signature", "sha1="+sign(sha1.New, secret, d.payload))
		h.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, secret, d.payload))
	}
	d.requestHeaders = h.Clone()
	resp, err := s.outgoing.Do(req)
	d.duration = time.Since(started)
	if err != nil {
		d.status = "failed to connect to host"
		if d.duration >= webhookTimeout {
			d.status = "timed out"
		}
		return
	}
	defer func() { _ = resp.Body.Close() }()
	d.response, _ = io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // the status counts, not the body
	d.statusCode, d.responseHeaders = resp.StatusCode, resp.Header
	d.status = "OK"
	if resp.StatusCode/100 != 2 {
		d.status = "Invalid HTTP Response: " + strconv.Itoa(resp.StatusCode)
	}
}

func sign(algorithm func() hash.Hash, secret string, payload []byte) string {
	mac := hmac.New(algorithm, []byte(secret))
	_, _ = mac.Write(payload) // a hash never fails to write
	return hex.EncodeToString(mac.Sum(nil))
}
