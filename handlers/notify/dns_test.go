package notify_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/promobot/promobot/handlers/notify"
)

// names is a DNS server that answers every question for an IPv4 address with the
// one it is told, and has no IPv6 ones.
type names struct {
	address atomic.Pointer[net.IP]
	asked   atomic.Int64
}

func newNames(t *testing.T, address string) (*names, *net.Resolver) {
	t.Helper()
	n := &names{}
	n.say(address)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		question := make([]byte, 512)
		for {
			size, from, err := conn.ReadFrom(question)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(n.answer(question[:size]), from)
		}
	}()
	return n, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (n *names) say(address string) {
	ip := net.ParseIP(address).To4()
	n.address.Store(&ip)
}

// answer is a response as of RFC 1035, section 4.
func (n *names) answer(question []byte) []byte {
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5 // the root, the type, the class
	a := append([]byte{}, question[:end]...)
	a[2], a[3] = 0x81, 0x80 // a response, recursion available
	for i := 6; i < 12; i++ {
		a[i] = 0
	}
	if question[end-3] != 1 { // not for an A record
		return a
	}
	n.asked.Add(1)
	a[7] = 1
	a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
	return append(a, *n.address.Load()...)
}

// TestNamesThatChangeTheirAnswer: what counts is the address that is dialled, at
// the moment it is dialled.
func TestNamesThatChangeTheirAnswer(t *testing.T) {
	t.Parallel()
	dns, resolver := newNames(t, "127.0.0.1")
	s := newTarget(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			dns.say("169.254.169.254")
			w.WriteHeader(http.StatusServiceUnavailable) // so that it is tried again
		}
	})
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	at := "http://hooks.example.com:" + u.Port() + "/services/verysecret"
	w := newWorld(t)
	w.resolver = resolver
	w.run(to(s, func(s *notify.Settings) { s.URL = at }))
	w.saw(failedAt(1))
	w.until("it is given up", func() bool { return w.waits() == 0 })
	if n := s.count.Load(); n != 1 || dns.asked.Load() < 2 {
		t.Errorf("%d requests, asked %d times for the name", n, dns.asked.Load())
	}
	if log := w.log.String(); !strings.Contains(log, "metadata") || strings.Contains(log, "verysecret") {
		t.Errorf("the log:\n%s", log)
	}
}

// TestNamesOfPrivateAddresses: a public name does not lead into the network.
func TestNamesOfPrivateAddresses(t *testing.T) {
	t.Parallel()
	s := newTarget(t, nil)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, host := range map[string]string{"by name": "hooks.example.com", "by address": "127.0.0.1", "by a number": "[::ffff:127.0.0.1]"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, resolver := newNames(t, "127.0.0.1")
			w := newWorld(t)
			w.resolver = resolver
			w.run(to(s, func(r *notify.Settings) {
				r.URL, r.AllowPrivate = "https://"+host+":"+u.Port()+"/services/verysecret", false
			}))
			w.saw(failedAt(1))
			w.until("it is given up", func() bool { return w.waits() == 0 })
			if n := s.count.Load(); n != 0 || !strings.Contains(w.log.String(), "in a private network or on this machine") {
				t.Errorf("%d requests; the log:\n%s", n, w.log.String())
			}
		})
	}
}
