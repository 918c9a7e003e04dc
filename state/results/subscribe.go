package results

// Subscriptions: who waits for news is told of each repository once, however often
// it changes until they look. So nobody who is slow keeps the loop waiting, and
// nobody misses the last news.

import (
	"context"
	"sync"
)

type subscriber struct {
	mu      sync.Mutex
	pending map[int64]bool
	news    chan struct{} // holds one
}

// Subscribe returns the ids of repositories of which something new is stored, until
// ctx ends; then the channel is closed.
func (s *Store) Subscribe(ctx context.Context) <-chan int64 {
	sub := &subscriber{pending: map[int64]bool{}, news: make(chan struct{}, 1)}
	s.mu.Lock()
	s.subscribers[sub] = struct{}{}
	s.mu.Unlock()
	out := make(chan int64)
	go func() {
		defer close(out)
		defer func() {
			s.mu.Lock()
			delete(s.subscribers, sub)
			s.mu.Unlock()
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case <-sub.news:
			}
			for id := range sub.take() {
				select {
				case <-ctx.Done():
					return
				case out <- id:
				}
			}
		}
	}()
	return out
}

func (s *subscriber) take() map[int64]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.pending
	s.pending = map[int64]bool{}
	return taken
}

// tell says that something of a repository is stored.
func (s *Store) tell(id int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for sub := range s.subscribers {
		sub.mu.Lock()
		sub.pending[id] = true
		sub.mu.Unlock()
		select {
		case sub.news <- struct{}{}:
		default:
		}
	}
}
