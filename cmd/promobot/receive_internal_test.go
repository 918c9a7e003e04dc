package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/handlers"
)

// channel is a proxy's channel: each connection is answered with the next of the
// streams; the last one stays open.
type channel struct {
	*httptest.Server
	mu      sync.Mutex
	streams []string
	lastIDs []string // as each connection said
	closed  chan struct{}
}

func newChannel(t *testing.T, streams ...string) *channel {
	t.Helper()
	c := &channel{streams: streams, closed: make(chan struct{})}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "text/event-stream" {
			t.Errorf("asked for %q", r.Header.Get("Accept"))
		}
		c.mu.Lock()
		c.lastIDs = append(c.lastIDs, r.Header.Get("Last-Event-ID"))
		stream := ""
		if len(c.streams) > 0 {
			stream, c.streams = c.streams[0], c.streams[1:]
		}
		open := len(c.streams) == 0
		c.mu.Unlock()
		if stream == "502" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte(stream))
		_ = http.NewResponseController(w).Flush()
		if open {
			select {
			case <-r.Context().Done():
			case <-c.closed:
			}
		}
	}))
	t.Cleanup(func() {
		close(c.closed)
		c.Close()
	})
	return c
}

// passedOn is a delivery as smee passes it on: signed over payload, its body
// written anew as body.
func passedOn(id, event, payload, body string) string {
	data, _ := json.Marshal(map[string]any{
		"x-github-event": event, "x-github-delivery": guid, "x-hub-signature-256": signatureOf("hush", []byte(payload)),
		"body": json.RawMessage(body), "query": map[string]any{}, "timestamp": 1,
	})
	// Marshal compacts and escapes a raw message, which smee does not.
	data = bytes.Replace(data, mustCompact(body), []byte(body), 1)
	return fmt.Sprintf("id: %s\ndata: %s\n\n", id, data)
}

func mustCompact(body string) []byte {
	b, _ := json.Marshal(json.RawMessage(body))
	return b
}

// receiving runs the command's receiver until the test ends.
func receiving(t *testing.T, from, to string, resign bool) *syncBuffer {
	t.Helper()
	for _, pair := range required() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	out := &syncBuffer{}
	r, err := newReceiver(receiveFlags{from: from, to: to, resign: resign}, out)
	if err != nil {
		t.Fatal(err)
	}
	r.pause = func(int) time.Duration { return time.Millisecond }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, ended); err != nil {
			t.Errorf("its end: %v", err)
		}
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return out
}

// TestReceive: events of a real stream reach a running promobot, over connections
// that end, from where the last one got to; what is not GitHub's does not.
func TestReceive(t *testing.T) {
	looked := make(chan int64, 10)
	promobot := start(t, testConfig(t), &testApp{}, func(_ context.Context, at handlers.Repository) (time.Time, error) {
		looked <- at.ID
		return time.Time{}, nil
	})
	defer promobot.stopWell()
	payload := func(id int) string {
		return fmt.Sprintf(`{"installation":{"id":3},"repository":{"id":%d,"full_name":"acme/r%d"},"head":"a <b> & c"}`, id, id)
	}
	// GitHub's own writing of JSON may escape what the proxy's does not.
	escaped := strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`)
	proxy := newChannel(
		t,
		"event: ready\ndata: {}\n\nevent: ping\ndata: {}\n\n"+passedOn("1", "push", payload(1), payload(1)),
		"502",
		passedOn("2", "push", payload(2), payload(99))+passedOn("3", "push", escaped.Replace(payload(3)), payload(3))+"id: 4\ndata: no JSON\n\n"+"id: 9\ndata: {\"cut",
		"event: ready\n\n"+passedOn("5", "push", payload(5), payload(5)),
	)
	out := receiving(t, proxy.URL+"/AbC", "http://"+promobot.Addr(), false)
	for _, want := range []int64{1, 3, 5} {
		if got := receive(t, looked); got != want {
			t.Errorf("looked at %d, not at %d", got, want)
		}
	}
	proxy.mu.Lock()
	if diff := cmp.Diff([]string{"", "1", "1", "4"}, proxy.lastIDs); diff != "" {
		t.Errorf("went on from (-want +got):\n%s", diff)
	}
	proxy.mu.Unlock()
	for _, want := range []string{"receiving from", "push " + guid + ": 200 1 to be looked at", "is left out: its signature does not fit", "the proxy answers 502", "no webhook came"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}

// TestReceiveResigned: with --resign, what the proxy changed is taken.
func TestReceiveResigned(t *testing.T) {
	looked := make(chan int64, 10)
	promobot := start(t, testConfig(t), &testApp{}, func(_ context.Context, at handlers.Repository) (time.Time, error) {
		looked <- at.ID
		return time.Time{}, nil
	})
	defer promobot.stopWell()
	proxy := newChannel(t, passedOn("1", "push", pushPayload+" ", pushPayload))
	receiving(t, proxy.URL, "http://"+promobot.Addr(), true)
	if got := receive(t, looked); got != 7 {
		t.Errorf("looked at %d", got)
	}
}

// TestReceiveWaitsForPromobot: one that is not there yet misses nothing.
func TestReceiveWaitsForPromobot(t *testing.T) {
	refused, took := 0, make(chan string, 1)
	promobot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused < attempts+1 { // more than one connection's worth
			refused++
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		took <- r.Header.Get("X-GitHub-Delivery")
	}))
	defer promobot.Close()
	event := passedOn("1", "push", pushPayload, pushPayload)
	proxy := newChannel(t, event+passedOn("2", "push", pushPayload, pushPayload))
	receiving(t, proxy.URL, promobot.URL, false)
	if got := receive(t, took); got != guid {
		t.Errorf("took %q", got)
	}
}

func TestReceiveFromNowhere(t *testing.T) {
	for _, pair := range required() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	defer gone.Close()
	for from, want := range map[string]struct {
		code int
		says string
	}{
		"":                          {exitUsage, "--from is missing"},
		"smee.io/AbC":               {exitUsage, "not a URL such as"},
		"http://smee.example.com/A": {exitUsage, "http is taken only for this machine itself"},
		gone.URL:                    {exitWrong, "the proxy does not have such a channel (it answers 404)"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), []string{"receive", "--from", from}, &out, &out); code != want.code || !strings.Contains(out.String(), want.says) {
			t.Errorf("%q ends with %d: %s", from, code, out.String())
		}
	}
}

func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stream string
		want   []serverEvent
	}{
		"one":                     {"data: a\n\n", []serverEvent{{data: "a"}}},
		"lines of data":           {"data: a\ndata:b\ndata\n\n", []serverEvent{{data: "a\nb\n"}}},
		"names and ids":           {"event: x\nid: 1\ndata: a\n\ndata: b\n\n", []serverEvent{{id: "1", name: "x", data: "a"}, {id: "1", data: "b"}}},
		"a name alone":            {"event: ready\n\n", []serverEvent{{name: "ready"}}},
		"comments and others":     {": hello\nretry: 10\nother: x\ndata: a\n\n", []serverEvent{{data: "a"}}},
		"other ends of lines":     {"data: a\r\ndata: b\r\n\r\ndata: c\rdata: d\r\r", []serverEvent{{data: "a\nb"}, {data: "c\nd"}}},
		"a mark at the start":     {"\ufeffdata: a\n\n", []serverEvent{{data: "a"}}},
		"only one blank is cut":   {"data:  a\n\n", []serverEvent{{data: " a"}}},
		"one that is cut off":     {"data: a\n\ndata: b\n", []serverEvent{{data: "a"}}},
		"an id that is no id":     {"id: 1\ndata: a\n\nid: \x00\ndata: b\n\n", []serverEvent{{id: "1", data: "a"}, {id: "1", data: "b"}}},
		"an id that is taken off": {"id: 1\ndata: a\n\nid\ndata: b\n\n", []serverEvent{{id: "1", data: "a"}, {data: "b"}}},
	} {
		for how, stream := range map[string]func() ([]serverEvent, error){
			"whole": func() (got []serverEvent, err error) {
				err = readEvents(strings.NewReader(c.stream), func(e serverEvent) error { got = append(got, e); return nil }, func() {})
				return got, err
			},
			"byte by byte": func() (got []serverEvent, err error) {
				err = readEvents(iotest.OneByteReader(strings.NewReader(c.stream)), func(e serverEvent) error { got = append(got, e); return nil }, func() {})
				return got, err
			},
		} {
			got, err := stream()
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(serverEvent{})); err != nil || diff != "" {
				t.Errorf("%s, %s: %v\n%s", name, how, err, diff)
			}
		}
	}
	wrong := errors.New("enough")
	if err := readEvents(strings.NewReader("data: a\n\ndata: b\n\n"), func(serverEvent) error { return wrong }, func() {}); !errors.Is(err, wrong) {
		t.Errorf("its reader's error is lost: %v", err)
	}
}
