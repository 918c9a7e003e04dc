package githubsim

// Faults of webhooks: lost, failed, doubled, late, out of order; and holding
// them back altogether. Rules as for requests (faults.go): the first fault
// that hits a delivery decides.

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// HookFault is a rule for webhooks that go wrong.
type HookFault struct {
	// Event and Action are those hit ("pull_request", "closed"); any when empty.
	Event, Action string
	// Occurrences are the matching deliveries that are hit, counted from 1;
	// all when empty.
	Occurrences []int
	// Chance is the probability of a hit, from 0 to 1; 0 means always.
	Chance float64
	// Times ends the fault after so many hits; 0 means never.
	Times int
	// Effect is what happens.
	Effect HookEffect
}

// HookEffect is what a fault does to a delivery.
type HookEffect func(s *Server, d *delivery) []*delivery

// LostWebhook never sends it, and lists it nowhere.
func LostWebhook() HookEffect {
	return func(*Server, *delivery) []*delivery { return nil }
}

// FailedWebhook never sends it, but lists it as timed out, so that it can be
// sent again.
func FailedWebhook() HookEffect {
	return func(s *Server, d *delivery) []*delivery {
		d.deliveredAt, d.status = s.clock().UTC(), "timed out"
		s.hooks.done = append(s.hooks.done, d)
		return nil
	}
}

// DuplicatedWebhook sends it several times in a row, with the same GUID.
func DuplicatedWebhook(times int) HookEffect {
	return func(s *Server, d *delivery) []*delivery {
		out := []*delivery{d}
		for range times - 1 {
			again := *d
			again.id = s.next("delivery")
			out = append(out, &again)
		}
		return out
	}
}

// DelayedWebhook sends it so much later, by the server's clock (see Poke).
func DelayedWebhook(by time.Duration) HookEffect {
	return func(s *Server, d *delivery) []*delivery {
		d.notBefore = s.clock().Add(by)
		return []*delivery{d}
	}
}

// ReorderedWebhook delays it by a random time, so that it passes others or is
// passed by them.
func ReorderedWebhook(within time.Duration) HookEffect {
	return func(s *Server, d *delivery) []*delivery {
		d.notBefore = s.clock().Add(time.Duration(s.hookChance().Float64() * float64(within)))
		return []*delivery{d}
	}
}

type armedHook struct {
	HookFault
	matched, hits int
}

// Webhook is a delivery as OnWebhook sees it.
type Webhook struct {
	// GUID is the X-GitHub-Delivery header.
	GUID          string
	Event, Action string
	// App is the slug of the App it is for.
	App     string
	Payload []byte
}

type hookWatcher struct{ see func(Webhook) }

// heldHooks are webhooks that wait for ReleaseWebhooks.
type heldHooks struct {
	holding bool
	list    []*delivery
	chance  *rand.Rand
}

// InjectHook arms a fault of webhooks until the returned function takes it
// away.
func (s *Server) InjectHook(f HookFault) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rule := &armedHook{HookFault: f}
	s.activity.hookFaults = append(s.activity.hookFaults, rule)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.activity.hookFaults = slices.DeleteFunc(s.activity.hookFaults, func(one *armedHook) bool { return one == rule })
	}
}

// OnWebhook calls f with every webhook that is about to be sent, before any
// fault. It is called with the server's lock held: f must not call the server.
func (s *Server) OnWebhook(f func(Webhook)) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &hookWatcher{see: f}
	s.activity.watchers = append(s.activity.watchers, w)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.activity.watchers = slices.DeleteFunc(s.activity.watchers, func(one *hookWatcher) bool { return one == w })
	}
}

// HoldWebhooks keeps back every webhook from now on.
func (s *Server) HoldWebhooks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.activity.held.holding = true
}

// ReleaseWebhooks sends what was held, in the order that arrange returns (nil
// keeps the order); what arrange leaves out is lost, what it repeats is sent
// again. Webhooks are held no longer. It returns how many are sent.
func (s *Server) ReleaseWebhooks(arrange func([]Webhook) []Webhook) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.activity.held.list
	s.activity.held.list, s.activity.held.holding = nil, false
	shown := make([]Webhook, len(held))
	byGUID := map[string]*delivery{}
	for i, d := range held {
		shown[i] = d.shown()
		byGUID[d.guid+" "+d.app.Slug] = d
	}
	if arrange != nil {
		shown = arrange(shown)
	}
	var out []*delivery
	for _, w := range shown {
		d := byGUID[w.GUID+" "+w.App]
		if d == nil {
			return 0, fmt.Errorf("the webhook %s was not held", w.GUID)
		}
		again := *d
		again.id = s.next("delivery")
		out = append(out, &again)
	}
	s.hooks.waiting = append(s.hooks.waiting, out...)
	s.hooks.wake()
	return len(out), nil
}

func (d *delivery) shown() Webhook {
	return Webhook{GUID: d.guid, Event: d.event, Action: d.action, App: d.app.Slug, Payload: d.payload}
}

// hookChance is the source of chance for webhooks.
func (s *Server) hookChance() *rand.Rand {
	if s.activity.held.chance == nil {
		s.activity.held.chance = rand.New(rand.NewPCG(uint64(s.seed), 0xbad))
	}
	return s.activity.held.chance
}

// interceptHooks shows deliveries to the watchers, then lets faults happen to
// them. Called with Server.mu held.
func (s *Server) interceptHooks(list []*delivery) []*delivery {
	var out []*delivery
	for _, d := range list {
		for _, w := range s.activity.watchers {
			w.see(d.shown())
		}
		out = append(out, s.hookHit(d)...)
	}
	if s.activity.held.holding {
		s.activity.held.list = append(s.activity.held.list, out...)
		return nil
	}
	return out
}

func (s *Server) hookHit(d *delivery) []*delivery {
	for _, rule := range s.activity.hookFaults {
		if rule.Event != "" && rule.Event != d.event || rule.Action != "" && rule.Action != d.action {
			continue
		}
		rule.matched++
		if rule.Times > 0 && rule.hits >= rule.Times {
			continue
		}
		if len(rule.Occurrences) > 0 && !slices.Contains(rule.Occurrences, rule.matched) {
			continue
		}
		if rule.Chance > 0 && s.hookChance().Float64() >= rule.Chance {
			continue
		}
		rule.hits++
		return rule.Effect(s, d)
	}
	return []*delivery{d}
}
