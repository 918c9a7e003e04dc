// How an event becomes a wake. All payloads share an envelope (docs: "Webhook
// events and payloads"); the files on_*.go add what their rule needs to tell an
// event that matters from one that cannot.

package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/palantir/go-githubapp/githubapp"
)

// wanted is what an event asks for, with the reason if that is nothing.
type wanted struct {
	repositories []Repository
	letters      []Letter // for the one repository, which is looked at after them
	sweep        bool     // repositories unknown: look at all
	ignored      string   // why the event cannot matter
}

func ignore(reason string) wanted { return wanted{ignored: reason} }

// errPayload marks a payload that is not what GitHub sends.
var errPayload = errors.New("the payload is not what this event has")

// envelope is what (nearly) every event has.
type envelope struct {
	Action       string             `json:"action"`
	Installation struct{ ID int64 } `json:"installation"`
	Repository   repositoryPayload  `json:"repository"`
}

type repositoryPayload struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
}

func decode(payload []byte, into any) error {
	if err := json.Unmarshal(payload, into); err != nil {
		return fmt.Errorf("%w: %w", errPayload, err)
	}
	return nil
}

// wake wants the envelope's repository looked at.
func (e envelope) wake() (wanted, error) {
	return wakeAll(e.Installation.ID, []repositoryPayload{e.Repository})
}

func wakeAll(installationID int64, listed []repositoryPayload) (wanted, error) {
	if installationID == 0 {
		// A repository's own webhook, set up with our URL and secret: without an
		// installation there are no rights to look with.
		return ignore("not sent to an installation of the App"), nil
	}
	var w wanted
	for _, one := range listed {
		repository, err := newRepository(installationID, one.ID, one.FullName)
		if err != nil {
			return wanted{}, fmt.Errorf("%w: %w", errPayload, err)
		}
		w.repositories = append(w.repositories, repository)
	}
	return w, nil
}

// handler makes a rule go-githubapp's EventHandler.
type handler struct {
	events []string
	wants  func(delivery string, payload []byte) (wanted, error)
	waker  Waker
	mail   Mail
	sweep  func()
}

var _ githubapp.EventHandler = handler{}

// Handles lists the events the rule is for.
func (h handler) Handles() []string { return h.events }

// Handle keeps the event's letters, or wakes what it wants looked at.
func (h handler) Handle(ctx context.Context, _, delivery string, payload []byte) error {
	w, err := h.wants(delivery, payload)
	if err != nil {
		return err
	}
	switch {
	case len(w.letters) > 0:
		err = h.mail.Post(ctx, w.repositories[0], w.letters...)
	case len(w.repositories) > 0:
		err = h.waker.Wake(ctx, w.repositories...)
	}
	if err != nil {
		return err
	}
	if w.sweep {
		h.sweep()
	}
	report(ctx, w)
	return nil
}

type reportKey struct{}

// reporting makes room in ctx for what becomes of the event.
func reporting(ctx context.Context) context.Context {
	return context.WithValue(ctx, reportKey{}, new(wanted))
}

// reported is what became of the event under ctx, so far.
func reported(ctx context.Context) wanted {
	if w, ok := ctx.Value(reportKey{}).(*wanted); ok {
		return *w
	}
	return wanted{}
}

func report(ctx context.Context, w wanted) {
	if hears, ok := ctx.Value(reportKey{}).(*wanted); ok {
		*hears = w
	}
}
