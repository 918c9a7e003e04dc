package gitrepo

// How many git processes run at the same time, and who goes first: a push waits
// neither behind the clones and fetches of other repositories nor behind a crowd
// of readers, since the base that it was made on grows old meanwhile.

import "context"

// slots bounds the processes of a store. With at least four in all there is
// always one left to each kind: pushes, fetches that are not clones, and work on
// what is here. Each kind is acquired from the narrow to the wide, in one order,
// so that nobody waits for somebody who waits.
type slots struct {
	all    chan struct{} // all processes
	others chan struct{} // all but pushes
	remote chan struct{} // fetches and clones
	clones chan struct{} // clones, which take longest
	pushes chan struct{} // pushes, and what stands between a base and its push
}

func newSlots(processes int) *slots {
	network := max(1, processes/2)
	seats := func(n int) chan struct{} { return make(chan struct{}, max(1, n)) }
	return &slots{
		all:    seats(processes),
		others: seats(min(processes, max(2, processes-1))),
		remote: seats(min(network, processes-2)),
		clones: seats(network - 1),
		pushes: seats(processes - network - 1),
	}
}

// of are the seats that a process needs, in the order in which they are taken.
func (s *slots) of(a access, urgent bool) []chan struct{} {
	switch {
	case a == push, a == look, a == fetch && urgent:
		return []chan struct{}{s.pushes, s.all}
	case a == cloning:
		return []chan struct{}{s.clones, s.remote, s.others, s.all}
	case a == fetch, a == mirroring:
		return []chan struct{}{s.remote, s.others, s.all}
	}
	return []chan struct{}{s.others, s.all}
}

// admit waits until one more process may run.
func (s *slots) admit(ctx context.Context, a access, urgent bool) (leave func(), err error) {
	taken := make([]chan struct{}, 0, 4)
	leave = func() {
		for _, seat := range taken {
			<-seat
		}
	}
	for _, seat := range s.of(a, urgent) {
		select {
		case seat <- struct{}{}:
			taken = append(taken, seat)
		case <-ctx.Done():
			leave()
			return nil, ctx.Err()
		}
	}
	return leave, nil
}
