package main

// Memory and processor time of process trees, from /proc.

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// pageSize is that of resident set sizes.
var pageSize = int64(os.Getpagesize())

// clockTick is how long a tick of /proc/PID/stat is: Linux shows 100 a second
// to programs on every architecture.
const clockTick = 10 * time.Millisecond

// tree are a process and all below it that are alive.
func tree(pid int) []int {
	out := []int{pid}
	// Children are listed by the thread that started them.
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return out // the pattern is a good one
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				out = append(out, tree(child)...)
			}
		}
	}
	return out
}

// resident is the resident set of a process in bytes; 0 when it is gone.
func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * pageSize
}

// processor is the processor time of a process and of all its children that
// have ended.
func processor(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name may hold anything; what follows its last bracket does not.
	_, rest, ok := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 15 {
		return 0
	}
	var ticks int64
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick
}

// usage is processor time used so far, since some time in the past.
type usage struct {
	at    time.Time
	mine  time.Duration // by this process and all that it started and that ended
	total time.Duration // by all processes of the machine
}

// used reads the usage so far.
func used() usage {
	u := usage{at: time.Now()}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if syscall.Getrusage(who, &r) == nil {
			u.mine += time.Duration(r.Utime.Nano() + r.Stime.Nano())
		}
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return u
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(strings.TrimPrefix(line, "cpu ")) {
		if n, err := strconv.ParseInt(field, 10, 64); err == nil && i < 8 && i != 3 && i != 4 { // neither idle nor waiting
			u.total += time.Duration(n) * clockTick
		}
	}
	return u
}

// others is the share of the machine in percent that was used by others since.
func (u usage) others() float64 {
	now := used()
	all := now.at.Sub(u.at).Seconds() * float64(runtime.NumCPU())
	if all <= 0 {
		return 0
	}
	return max(0, 100*((now.total-u.total)-(now.mine-u.mine)).Seconds()/all)
}

// sampling is how often memory is looked at: git processes live longer.
const sampling = 25 * time.Millisecond

// memory watches the resident sets of process trees. Pages that processes share
// are counted for each.
type memory struct {
	roots func() []int
	stop  context.CancelFunc
	done  sync.WaitGroup
	peak  int64
	most  int // processes at a time
}

// watch begins to watch the trees below the roots, which may come and go.
func watch(ctx context.Context, roots func() []int) *memory {
	m := &memory{roots: roots}
	ctx, m.stop = context.WithCancel(ctx)
	m.done.Go(func() {
		tick := time.NewTicker(sampling)
		defer tick.Stop()
		for {
			m.look()
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return m
}

func (m *memory) look() {
	var sum int64
	n := 0
	for _, root := range m.roots() {
		for _, pid := range tree(root) {
			sum += resident(pid)
			n++
		}
	}
	m.peak, m.most = max(m.peak, sum), max(m.most, n)
}

// end stops watching and returns the peak in bytes, and the most processes.
func (m *memory) end() (int64, int) {
	m.stop()
	m.done.Wait()
	return m.peak, m.most
}

// pids are the replicas' processes.
func (w *world) pids() []int {
	var out []int
	for _, r := range w.replicas {
		if !r.stopped {
			out = append(out, r.cmd.Process.Pid)
		}
	}
	return out
}

// processorOf is the processor time of the replicas so far, git included.
func (w *world) processor() time.Duration {
	var sum time.Duration
	for _, pid := range w.pids() {
		sum += processor(pid)
	}
	return sum
}

const megabyte = 1 << 20
