package pages

// Server-sent events ("Server-sent events", HTML Living Standard): which repository
// has news, to those who can see it. Nothing else is told; the page looks anew.

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/view"
)

const (
	mostStreams = 512
	// heartbeat keeps proxies from closing a stream, and finds those that are gone.
	heartbeat = 20 * time.Second
	// streamTime ends a stream; the browser opens another, and so is asked anew
	// who it is.
	streamTime = 10 * time.Minute
	// gather is how long news are gathered, since they come in swarms.
	gather = 300 * time.Millisecond
)

// events is GET /events.
func (p *Pages) events(w http.ResponseWriter, r *http.Request) {
	who, err := p.options.People.Person(r)
	switch {
	case err != nil:
		http.Error(w, "promobot cannot find out who asks", http.StatusServiceUnavailable)
		return
	case who == nil: // 204 tells a browser not to come again
		w.WriteHeader(http.StatusNoContent)
		return
	}
	select {
	case p.streams <- struct{}{}:
		defer func() { <-p.streams }()
	default:
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), streamTime)
	defer cancel()
	news := p.options.Store.Subscribe(ctx)
	stream := http.NewResponseController(w)
	_ = stream.SetReadDeadline(time.Time{}) // a server's own would end the stream
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx hands it on at once
	send := func(text string) bool {
		_ = stream.SetWriteDeadline(time.Now().Add(2 * heartbeat))
		if _, err := fmt.Fprint(w, text); err != nil {
			return false
		}
		return stream.Flush() == nil
	}
	if !send("retry: 3000\n: open\n\n") {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	gathered := map[int64]bool{}
	var due <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.stopped:
			return
		case <-beat.C:
			if !send(": still here\n\n") {
				return
			}
		case id, open := <-news:
			if !open {
				return
			}
			gathered[id] = true
			if due == nil {
				due = time.After(gather)
			}
		case <-due:
			text, err := p.news(ctx, r, gathered)
			if err != nil {
				p.options.Log.Warn().Err(err).Msg("A stream of events ends")
				return
			}
			gathered, due = map[int64]bool{}, nil
			if text != "" && !send(text) {
				return
			}
		}
	}
}

// news are the events of the repositories that the person can see.
func (p *Pages) news(ctx context.Context, r *http.Request, ids map[int64]bool) (string, error) {
	var list []view.Repository
	for id := range ids {
		repo, err := p.options.Store.Repository(ctx, id)
		if err != nil {
			return "", fmt.Errorf("read repository %d: %w", id, err)
		}
		if repo != nil {
			list = append(list, *repo)
		}
	}
	if len(list) == 0 {
		return "", nil
	}
	seen, err := p.options.People.Visible(ctx, r, list)
	if err != nil {
		return "", fmt.Errorf("ask what the person can see: %w", err)
	}
	sortRepositories(seen)
	var text strings.Builder
	for _, repo := range seen {
		fmt.Fprintf(&text, "event: changed\ndata: %s\n\n", liveOf(&repo))
	}
	return text.String(), nil
}
