package main

// promobot receive: webhooks through a smee-compatible proxy, for a promobot that
// GitHub cannot reach.
//
// Such a proxy passes on what it was sent as server-sent events, the body parsed
// and written anew, so that its bytes may differ from those that GitHub signed. A
// signature that fits the body as it came is passed on as it is; one that fits
// the body as GitHub writes it, with that body; any other is refused, since whoever
// knows the proxy's address could have sent it. --resign takes those all the same.

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
)

const receiveHelp = `Takes webhooks from a smee-compatible proxy (https://smee.io, gosmee) and hands
them to a promobot on this machine, for development: GitHub needs no way in.

Make a channel at https://smee.io/new, write its URL as the App's webhook URL,
then run promobot serve and this beside it, with the same configuration.

Everyone who knows the channel's URL can read what is sent through it, and send
something. Use it with repositories where that does no harm.

The proxy writes each body anew, so its bytes can differ from those that GitHub
signed. What still fits its signature is handed on; what does not is refused,
since nothing tells a rewritten body from a forged one. --resign signs such ones
with your own secret: then anyone who knows the channel can have this promobot
look at a repository, or at a comment, which it reads anew from GitHub.

Exit codes: 0 it was told to stop, 1 there is no such channel, 2 the command was
not understood.`

type receiveFlags struct {
	config, from, to string
	resign           bool
}

// newReceiveCommand returns "promobot receive".
func newReceiveCommand() *cobra.Command {
	var f receiveFlags
	command := &cobra.Command{
		Use:     "receive --from URL [--to URL]",
		Short:   "Get webhooks through a proxy, for development",
		Long:    receiveHelp,
		Example: "  promobot receive --from https://smee.io/AbC123 --config config.yml",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			r, err := newReceiver(f, command.OutOrStdout())
			if err != nil {
				return err
			}
			ctx, cancel := untilSignal(command.Context())
			defer cancel()
			return r.run(ctx)
		},
	}
	configFlag(command, &f.config)
	command.Flags().StringVar(&f.from, "from", "", "the proxy channel's `URL`")
	command.Flags().StringVar(&f.to, "to", "", "the `URL` of the promobot to hand them to; by default this machine's, as configured")
	command.Flags().BoolVar(&f.resign, "resign", false, "sign anew what the proxy has changed")
	return command
}

// webhookReceiver takes what a proxy passes on.
type webhookReceiver struct {
	from, to, secret string
	resign           bool
	out              io.Writer
	// pause is how long to wait before so many attempts in a row that failed.
	pause func(failed int) time.Duration
	last  string // id of the newest event that was handed on
}

func newReceiver(f receiveFlags, out io.Writer) (*webhookReceiver, error) {
	from, err := url.Parse(f.from)
	switch {
	case f.from == "":
		return nil, usage("--from is missing: the URL of the proxy's channel, as https://smee.io/AbC123")
	case err != nil || from.Host == "" || from.Scheme != "https" && (from.Scheme != "http" || !loopback(from.Hostname())):
		return nil, usage("--from: not a URL such as https://smee.io/AbC123; http is taken only for this machine itself")
	}
	config, _, err := loadConfig(f.config, os.Environ())
	if err != nil {
		return nil, fmt.Errorf("the configuration has to be mended:\n%w", err)
	}
	if f.to == "" {
		f.to = "http://" + localAddress(config.Server.Address)
	}
	to, err := hookURL(f.to)
	if err != nil {
		return nil, usage("--to: %v", err)
	}
	return &webhookReceiver{
		from: f.from, to: to, secret: config.GitHub.WebhookSecret.Reveal(), resign: f.resign, out: out, pause: pauseBefore,
	}, nil
}

// pauseBefore doubles from a second to half a minute, a random part less.
func pauseBefore(failed int) time.Duration {
	most := min(time.Second<<min(failed, 10), 30*time.Second)
	return most/2 + rand.N(most/2) //nolint:gosec // only to spread attempts
}

// errChannel is what connecting again does not mend.
var errChannel = errors.New("the proxy does not have such a channel")

// run receives until ctx ends, connecting anew whenever the connection ends.
func (r *webhookReceiver) run(ctx context.Context) error {
	failed := 0
	for {
		said, err := r.connect(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to stop
		}
		if errors.Is(err, errChannel) {
			return err
		}
		if said {
			failed = 0
		}
		pause := r.pause(failed)
		failed++
		why := "the proxy ended the connection"
		if err != nil {
			why = err.Error()
		}
		r.say("%s; connecting again in %s", why, pause.Round(100*time.Millisecond))
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (r *webhookReceiver) say(format string, args ...any) {
	fmt.Fprintln(r.out, printable(fmt.Sprintf(format, args...)))
}

// connect reads the channel until the connection ends. Said is whether anything
// came.
func (r *webhookReceiver) connect(ctx context.Context) (said bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.from, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Cache-Control", "no-store")
	request.Header.Set("User-Agent", userAgent())
	if r.last != "" {
		request.Header.Set("Last-Event-ID", r.last)
	}
	// Proxies send a ping every half minute: silence means that the line is dead.
	silence := time.AfterFunc(silenceAllowed, func() { cancel(errSilent) })
	defer silence.Stop()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, because(ctx, err)
	}
	defer func() { _ = answer.Body.Close() }()
	switch code := answer.StatusCode; {
	case code == http.StatusNotFound || code == http.StatusGone || code == http.StatusNoContent:
		return false, fmt.Errorf("%w (it answers %d); make one at https://smee.io/new", errChannel, code)
	case code != http.StatusOK:
		return false, fmt.Errorf("the proxy answers %d", code)
	}
	err = readEvents(answer.Body, func(e serverEvent) error {
		silence.Reset(silenceAllowed)
		said = true
		return r.event(ctx, e)
	}, func() { silence.Reset(silenceAllowed) })
	return said, because(ctx, err)
}

const silenceAllowed = 2 * time.Minute

var errSilent = errors.New("the proxy has said nothing for two minutes")

// because is why a connection ended, where its context knows better.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return cause
	}
	return err
}

// event deals with one event. Its error ends the connection, so that the proxy,
// where it can, sends the event again.
func (r *webhookReceiver) event(ctx context.Context, e serverEvent) error {
	switch e.name {
	case "ready":
		r.say("receiving from %s for %s", r.from, r.to)
		return nil
	case "ping":
		return nil
	case "", "message":
	default:
		return nil
	}
	if trimmed := bytes.TrimSpace([]byte(e.data)); len(trimmed) == 0 || string(trimmed) == "{}" || string(trimmed) == `"ready"` {
		return nil // a ping of another kind
	}
	d, err := parseDelivery([]byte(e.data), "")
	if err != nil {
		r.say("something that is no webhook came and is left out: %v", err)
		r.handedOn(e)
		return nil
	}
	d.file = "received"
	signature, ok := r.signature(&d)
	if !ok {
		r.say("%s %s is left out: its signature does not fit the body that the proxy passed on. Either the proxy changed its bytes (--resign takes it), or it is not GitHub's, or github.webhook_secret is not the App's", d.event, d.id)
		r.handedOn(e)
		return nil
	}
	h, err := r.hand(ctx, d, signature)
	if err != nil {
		return fmt.Errorf("%s does not take %s %s: %w", r.to, d.event, d.id, err)
	}
	r.handedOn(e)
	_, err = io.WriteString(r.out, d.line(h))
	return err
}

// handedOn remembers how far the channel was read.
func (r *webhookReceiver) handedOn(e serverEvent) {
	if e.id != "" {
		r.last = e.id
	}
}

// signature is one that fits the body, which it may put back into GitHub's form.
func (r *webhookReceiver) signature(d *delivery) (string, bool) {
	var escaped bytes.Buffer
	json.HTMLEscape(&escaped, d.body) // as some writers of JSON do with <, > and &
	for _, body := range [][]byte{d.body, escaped.Bytes()} {
		if hmac.Equal([]byte(signatureOf(r.secret, body)), []byte(d.signature)) {
			d.body = bytes.Clone(body)
			return d.signature, true
		}
	}
	return signatureOf(r.secret, d.body), r.resign
}

// attempts is how often a promobot that does not answer is asked to take a
// delivery, with the pauses between.
const attempts = 5

// hand hands a delivery to the promobot; one that is starting is waited for.
func (r *webhookReceiver) hand(ctx context.Context, d delivery, signature string) (handed, error) {
	for n := 1; ; n++ {
		request, err := d.signed(ctx, r.to, signature)
		if err != nil {
			return handed{}, err
		}
		h, err := deliver(request)
		if err == nil && h.status != http.StatusServiceUnavailable || n == attempts {
			return h, err
		}
		timer := time.NewTimer(r.pause(n - 1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return handed{}, ctx.Err()
		case <-timer.C:
		}
	}
}
