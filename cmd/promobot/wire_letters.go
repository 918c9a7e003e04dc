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

// deliver has a repository's loop write into its ledgers what comments and presses
// command, and the versions that dispatches name. Each is tried though another
// fails: all are kept until all are done, and doing one twice changes nothing.
func (l *loops) deliver(ctx context.Context, at handlers.Repository, letters []queue.Letter) error {
	sorted := l.sorted(letters)
	login, err := l.login(ctx)
	if err != nil {
		return err
	}
	clerk := l.of(l.clerks, at, login)
	var failures []error
	if len(sorted.presses) > 0 { // first, as comments: one may be a hold
		failures = append(failures, clerk.Press(ctx, sorted.presses))
	}
	if len(sorted.comments) > 0 {
		failures = append(failures, clerk.Command(ctx, sorted.comments))
	}
	if len(sorted.dispatches) > 0 {
		failures = append(failures, clerk.Accept(ctx, sorted.dispatches))
	}
	if len(sorted.again) > 0 { // last, so that they say what the others have done
		failures = append(failures, clerk.Again(ctx, sorted.again))
	}
	return promotion.Join(failures...)
}

// sortedLetters are letters by what is done with them, each in the letters' order.
type sortedLetters struct {
	comments   []int64 // ids
	presses    []reconcile.Press
	dispatches []reconcile.Dispatch
	again      []string // commits whose check run is asked for again
}

// sorted reads letters. What is none of them is left out.
func (l *loops) sorted(letters []queue.Letter) (out sortedLetters) {
	for _, letter := range letters {
		var err error
		switch letter.Kind {
		case handlers.CommentLetter:
			var comment handlers.Comment
			if comment, err = handlers.ParseComment(letter.Body); err == nil {
				out.comments = append(out.comments, comment.ID)
			}
		case handlers.PressLetter:
			var press handlers.Press
			if press, err = handlers.ParsePress(letter.Body); err == nil {
				if press.At.IsZero() {
					press.At = letter.At
				}
				out.presses = append(out.presses, reconcile.Press{
					ID: letter.ID, By: press.By, Command: press.Command, Issue: press.Issue, Button: press.Button, Where: press.Where, At: press.At,
				})
			}
		case handlers.AgainLetter:
			var a handlers.Again
			if a, err = handlers.ParseAgain(letter.Body); err == nil {
				out.again = append(out.again, a.Commit)
			}
		case handlers.DispatchLetter:
			var dispatch handlers.Dispatch
			if dispatch, err = handlers.ParseDispatch(letter.Body); err == nil {
				out.dispatches = append(out.dispatches, reconcile.Dispatch{ID: letter.ID, Type: dispatch.Type, Payload: dispatch.Payload, At: letter.At})
			}
		default:
			err = errors.New("the kind is not known")
		}
		if err != nil {
			l.log.Error().Err(err).Str("letter", letter.ID).Str("kind", letter.Kind).Msg("A letter that cannot be read is left out")
		}
	}
	return out
}

// Comments lists a repository's comments since a time.
func (i installed) Comments(ctx context.Context, at handlers.Repository, since time.Time) ([]handlers.CommentSeen, error) {
	listed, err := i.app.Repository(at.InstallationID, at.ID, at.Owner, at.Name).CommentsSince(ctx, since)
	if errors.Is(err, promotion.ErrNotFound) {
		return nil, nil // the repository is gone since it was listed
	}
	out := make([]handlers.CommentSeen, 0, len(listed))
	for _, c := range listed {
		out = append(out, handlers.CommentSeen{ID: c.ID, Issue: c.Issue, Body: c.Body, Created: c.Created, ByApp: c.ByApp})
	}
	return out, err
}

// Deliveries lists what GitHub delivered, or tried to.
func (i installed) Deliveries(ctx context.Context, wanted func(event, action string) bool, since time.Time, failed bool) ([]handlers.Delivery, error) {
	listed, err := i.app.Deliveries(ctx, wanted, since, failed)
	if errors.Is(err, promotion.ErrNotFound) {
		return nil, nil // an App without a webhook
	}
	out := make([]handlers.Delivery, 0, len(listed))
	for _, d := range listed {
		out = append(out, handlers.Delivery{Number: d.ID, ID: d.GUID, Event: d.Event, At: d.At, Failed: d.Failed, RepositoryID: d.RepositoryID})
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
