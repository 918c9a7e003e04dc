package githubsim

// What GitHub does by itself when something changed: auto-merges that nothing
// stands against any more, and merge queues. Rules:
//
//   - One goroutine, the settler, does all of it, repository by repository.
//   - Every event of a repository that waits for something makes it look again,
//     and so does every change of rules.
//   - Drain waits for the settler as it waits for webhooks.

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// settling is what the settler has to look at, guarded by Server.mu.
type settling struct {
	dirty   []*repository
	busy    bool
	changed chan struct{}
}

func (b *settling) init() { b.changed = make(chan struct{}, 1) }

func (b *settling) wake() {
	select {
	case b.changed <- struct{}{}:
	default: // it has been told already
	}
}

func (b *settling) idle() bool { return !b.busy && len(b.dirty) == 0 }

// lookAgain lets the settler look at a repository in which something waits.
// Called with Server.mu held.
func (s *Server) lookAgain(r *repository) {
	if len(r.autos) == 0 && len(r.queues) == 0 || slices.Contains(s.settling.dirty, r) {
		return
	}
	s.settling.dirty = append(s.settling.dirty, r)
	s.settling.wake()
}

// lookAgainAfter is lookAgain after a time, by the server's clock.
func (s *Server) lookAgainAfter(r *repository, after time.Duration) {
	s.schedule(after, func() { s.lookAgain(r) })
}

// settle is the settler. It ends with the server.
func (s *Server) settle() {
	for s.life.Err() == nil {
		s.mu.Lock()
		box := &s.settling
		if len(box.dirty) > 0 {
			r := box.dirty[0]
			box.dirty = box.dirty[1:]
			box.busy = true
			s.settleAutos(r)
			s.settleQueues(r)
			box.busy = false
			s.mu.Unlock()
			continue
		}
		s.releaseDrained()
		s.mu.Unlock()
		select {
		case <-box.changed:
		case <-s.life.Done():
		}
	}
}

// settleAutos merges what nothing stands against any more.
func (s *Server) settleAutos(r *repository) {
	for _, n := range slices.Sorted(maps.Keys(r.autos)) {
		p := r.autos[n]
		if p == nil || r.deleted { // gone meanwhile
			continue
		}
		if err := s.tryAuto(p); errors.Is(err, errBaseModified) || errors.Is(err, errHeadModified) {
			s.lookAgain(r)
		}
		// What else refuses it will be looked at again when something changes.
	}
}

// settleQueues moves the merge queues on.
func (s *Server) settleQueues(r *repository) {
	for _, branch := range slices.Sorted(maps.Keys(r.queues)) {
		if q := r.queues[branch]; q != nil && !r.deleted {
			// What fails is git or the disk; the next change tries again.
			_ = s.advance(r, q)
		}
		if q := r.queues[branch]; q != nil && len(q.entries) == 0 {
			delete(r.queues, branch)
		}
	}
}
