package main

// promobot events: deliveries of webhooks that were recorded, once more: to a
// running promobot, or here, to see what it would make of them.

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/promobot/promobot/handlers"
)

const eventsHelp = `Replays recorded webhook deliveries: one file, or the .json files of a folder in
the order of their names. A file holds one of

  - a delivery as GitHub's API gives it (GET /app/hook/deliveries/ID), and as
    ` + "`gh api /app/hook/deliveries/ID`" + ` saves it;
  - {"headers": {...}, "payload": {...}};
  - what a smee-compatible proxy passes on;
  - the payload alone, with --event saying which event it is.

Without --to it says what promobot would make of each: which repository it would
look at, what it would keep until it is dealt with, or why it would ignore it.
Nothing is sent and nothing is needed.

With --to they are signed with github.webhook_secret and sent to a running
promobot. That is safe to do: an event only has promobot look at a repository,
and a letter that it has had is not dealt with twice.

Exit codes: 0 all were taken or ignored, 1 some were refused, 2 the command was
not understood, 3 a file could not be read or promobot not be reached.`

type eventsFlags struct {
	config, event, to string
}

// newEventsCommand returns "promobot events".
func newEventsCommand() *cobra.Command {
	var f eventsFlags
	command := &cobra.Command{
		Use:   "events FILE|DIR [--to URL]",
		Short: "Replay recorded webhook deliveries",
		Long:  eventsHelp,
		Example: "  promobot events deliveries/\n  promobot events push.json --event push\n" +
			"  promobot events deliveries/ --to http://127.0.0.1:8080 --config config.yml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one file or folder")
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error { return runEvents(command, f, args[0]) },
	}
	configFlag(command, &f.config)
	command.Flags().StringVar(&f.event, "event", "", "the event's `name`, for payloads that stand alone")
	command.Flags().StringVar(&f.to, "to", "", "the `URL` of a running promobot to send them to")
	return command
}

func runEvents(command *cobra.Command, f eventsFlags, path string) error {
	all, err := readDeliveries(path, f.event)
	if err != nil {
		return &exitError{exitUnreadable, err}
	}
	var hand func(context.Context, delivery) (handed, error)
	if f.to == "" {
		hand, err = offline(f.config)
	} else {
		hand, err = online(f)
	}
	if err != nil {
		return err
	}
	out := command.OutOrStdout()
	wrong := 0
	for _, d := range all {
		h, err := hand(command.Context(), d)
		if err != nil {
			return &exitError{exitUnreadable, fmt.Errorf("%s: %w", d.file, err)}
		}
		if h.status >= http.StatusBadRequest {
			wrong++
		}
		if _, err := io.WriteString(out, d.line(h)); err != nil {
			return err
		}
	}
	if wrong > 0 {
		return &exitError{exitWrong, fmt.Errorf("%d of %d deliveries were not taken", wrong, len(all))}
	}
	return nil
}

// handed is what became of a delivery.
type handed struct {
	status int
	answer string
	more   []string // what it would wake and keep
}

// line says what became of a delivery.
func (d delivery) line(h handed) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", printable(d.file), printable(cmp.Or(d.event, "no event")))
	if d.id != "" {
		fmt.Fprintf(&b, " %s", printable(d.id))
	}
	fmt.Fprintf(&b, ": %d %s\n", h.status, printable(h.answer))
	for _, m := range h.more {
		fmt.Fprintf(&b, "  %s\n", printable(m))
	}
	return b.String()
}

// offline hands deliveries to the very handler that a server has, with nothing
// behind it but a note of what it asks for.
func offline(path string) (func(context.Context, delivery) (handed, error), error) {
	app := int64(-1) // whose events are promobot's own is not known
	if path != "" {
		config, _, err := loadConfig(path, os.Environ())
		if err != nil {
			return nil, fmt.Errorf("the configuration has to be mended:\n%w", err)
		}
		app = config.GitHub.AppID
	}
	const secret = "for this process alone"
	var asked asks
	handler, err := handlers.NewWebhook(handlers.WebhookOptions{
		Secret: []byte(secret), AppID: app, Waker: &asked, Mail: &asked, Sweep: func() { asked.note("look at every repository") },
		Metrics: handlers.NewMetrics(prometheus.NewRegistry()), Log: zerolog.Nop(),
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, d delivery) (handed, error) {
		asked = asks{}
		request, err := d.request(ctx, "http://promobot"+handlers.WebhookRoute, secret)
		if err != nil {
			return handed{}, err
		}
		answer := answerHeld{header: http.Header{}, status: http.StatusOK}
		handler.ServeHTTP(&answer, request)
		return handed{answer.status, strings.TrimSpace(answer.body.String()), asked.notes}, nil
	}, nil
}

// asks notes down what a delivery asks for, and does nothing.
type asks struct{ notes []string }

func (a *asks) note(format string, args ...any) {
	a.notes = append(a.notes, fmt.Sprintf(format, args...))
}

// Wake notes down which repositories would be looked at.
func (a *asks) Wake(_ context.Context, repositories ...handlers.Repository) error {
	for _, r := range repositories {
		a.note("look at %s/%s (installation %d)", r.Owner, r.Name, r.InstallationID)
	}
	return nil
}

// Post notes down what would be kept until it was dealt with.
func (a *asks) Post(_ context.Context, r handlers.Repository, letters ...handlers.Letter) error {
	for _, l := range letters {
		a.note("keep the %s %s for %s/%s: %s", l.Kind, l.ID, r.Owner, r.Name, l.Body)
	}
	return nil
}

// answerHeld is a response that goes nowhere.
type answerHeld struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answerHeld) Header() http.Header         { return a.header }
func (a *answerHeld) Write(p []byte) (int, error) { return a.body.Write(p) }
func (a *answerHeld) WriteHeader(status int)      { a.status = status }

// online sends deliveries to a running promobot.
func online(f eventsFlags) (func(context.Context, delivery) (handed, error), error) {
	config, _, err := loadConfig(f.config, os.Environ())
	if err != nil {
		return nil, fmt.Errorf("the configuration has to be mended:\n%w", err)
	}
	to, err := hookURL(f.to)
	if err != nil {
		return nil, usage("--to: %v", err)
	}
	secret := config.GitHub.WebhookSecret.Reveal()
	return func(ctx context.Context, d delivery) (handed, error) {
		request, err := d.request(ctx, to, secret)
		if err != nil {
			return handed{}, err
		}
		return deliver(request)
	}, nil
}

// hookURL is where a promobot takes webhooks: an address alone, or the whole URL.
func hookURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return "", errors.New("not a URL such as http://127.0.0.1:8080")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = handlers.WebhookRoute
	}
	return u.String(), nil
}

// deliver sends a delivery and reads what is answered.
func deliver(request *http.Request) (handed, error) {
	client := http.Client{Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if err != nil {
		return handed{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return handed{}, err
	}
	return handed{status: answer.StatusCode, answer: strings.TrimSpace(string(body))}, nil
}
