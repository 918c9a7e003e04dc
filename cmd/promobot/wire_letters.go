package main

// Wiring of what comes from elsewhere: letters into the ledgers, deliveries that
// were missed, and who follows which source.

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/promobot/promobot/handlers"
	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/reconcile"
	"github.com/promobot/promobot/state/queue"
)

// deliver has a repository's loop write the versions that dispatches name into
// its ledgers.
func (l *loops) deliver(ctx context.Context, at handlers.Repository, letters []queue.Letter) error {
	dispatches := make([]reconcile.Dispatch, 0, len(letters))
	for _, letter := range letters {
		dispatch, err := handlers.ParseDispatch(letter.Body)
		if err != nil || letter.Kind != handlers.DispatchLetter {
			l.log.Error().Err(err).Str("letter", letter.ID).Str("kind", letter.Kind).Msg("A letter of a kind that is not known is left out")
			continue
		}
		dispatches = append(dispatches, reconcile.Dispatch{ID: letter.ID, Type: dispatch.Type, Payload: dispatch.Payload, At: letter.At})
	}
	login, err := l.login(ctx)
	if err != nil {
		return err
	}
	return l.of(l.clerks, at, login).Accept(ctx, dispatches)
}

// Deliveries lists what GitHub delivered, or tried to.
func (i installed) Deliveries(ctx context.Context, event string, since time.Time, failed bool) ([]handlers.Delivery, error) {
	listed, err := i.app.Deliveries(ctx, event, since, failed)
	if errors.Is(err, promotion.ErrNotFound) {
		return nil, nil // an App without a webhook
	}
	out := make([]handlers.Delivery, 0, len(listed))
	for _, d := range listed {
		out = append(out, handlers.Delivery{Number: d.ID, ID: d.GUID, At: d.At, RepositoryID: d.RepositoryID})
	}
	return out, err
}

// DeliveryPayload is what was delivered.
func (i installed) DeliveryPayload(ctx context.Context, number int64) ([]byte, error) {
	return i.app.DeliveryPayload(ctx, number)
}

// followers know which repositories' pipeline files name which sources, as of
// each repository's last run. They are empty at first; the sweep at start-up
// looks at every repository, and so at its sources.
type followers struct {
	mu       sync.Mutex
	bySource map[string][]handlers.Repository // by owner/name, in small letters
}

// follow replaces what is known of one repository.
func (f *followers) follow(follower handlers.Repository, s *promotion.Snapshot) {
	if s == nil {
		return
	}
	sources := map[string]bool{}
	for i := range s.Environments {
		if source := s.Environments[i].Config.Source; source != nil && source.Repository != "" {
			sources[strings.ToLower(source.Repository)] = true
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for source, known := range f.bySource {
		f.bySource[source] = slices.DeleteFunc(known, func(other handlers.Repository) bool { return other.ID == follower.ID })
		if len(f.bySource[source]) == 0 {
			delete(f.bySource, source)
		}
	}
	for source := range sources {
		f.bySource[source] = append(f.bySource[source], follower)
	}
}

// of lists who follows owner/name.
func (f *followers) of(owner, name string) []handlers.Repository {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.bySource[strings.ToLower(owner+"/"+name)])
}
