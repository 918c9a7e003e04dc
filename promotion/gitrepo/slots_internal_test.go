package gitrepo

// Seats for every number of processes, filled in the worst order.

import "testing"

// seat takes the seats of one process if they are free.
func (s *slots) seat(a access, urgent bool) bool {
	var taken []chan struct{}
	for _, seat := range s.of(a, urgent) {
		select {
		case seat <- struct{}{}:
			taken = append(taken, seat)
		default:
			for _, t := range taken {
				<-t
			}
			return false
		}
	}
	return true
}

func (s *slots) fill(a access, urgent bool) (n int) {
	for s.seat(a, urgent) {
		n++
	}
	return n
}

func TestSeats(t *testing.T) {
	type kind struct {
		access access
		urgent bool
	}
	var (
		clones  = kind{cloning, false}
		fetches = kind{mirroring, false}
		blobs   = kind{fetch, false}
		reads   = kind{local, false}
		pushes  = kind{push, false}
		needed  = kind{fetch, true}
		looks   = kind{look, false}
	)
	all := []kind{clones, fetches, blobs, reads, pushes, needed, looks}
	for processes := 1; processes <= 20; processes++ {
		for _, first := range all {
			for _, then := range all {
				s := newSlots(processes)
				if n := s.fill(first.access, first.urgent) + s.fill(then.access, then.urgent); n > processes || n == 0 {
					t.Errorf("%d processes: %d run, %v before %v", processes, n, first, then)
				}
				for _, k := range all {
					s.fill(k.access, k.urgent)
				}
				if n := len(s.all); n > processes {
					t.Errorf("%d processes: %d run when all came", processes, n)
				}
			}
		}
		// Who must get a seat whatever the others took, and from how many on.
		for _, tt := range []struct {
			name   string
			atUse  []kind
			comes  kind
			atFrom int
		}{
			{"a push beside clones, fetches and reads", []kind{clones, fetches, blobs, reads}, pushes, 3},
			{"what a push needs beside the same", []kind{clones, fetches, blobs, reads}, needed, 3},
			{"a look beside the same", []kind{clones, fetches, blobs, reads}, looks, 3},
			{"a push beside clones and fetches", []kind{clones, fetches, blobs}, pushes, 2},
			{"a read beside clones, fetches and pushes", []kind{clones, fetches, blobs, pushes}, reads, 3},
			{"a fetch beside clones and pushes", []kind{clones, pushes}, fetches, 4},
		} {
			if processes < tt.atFrom {
				continue
			}
			s := newSlots(processes)
			for _, k := range tt.atUse {
				s.fill(k.access, k.urgent)
			}
			if !s.seat(tt.comes.access, tt.comes.urgent) {
				t.Errorf("%d processes: no seat for %s", processes, tt.name)
			}
		}
	}
}
