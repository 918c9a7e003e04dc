package doctor

import (
	"fmt"
	"time"
)

// Machine is what was read of the machine that promobot runs on.
type Machine struct {
	Config string // the configuration's file; "" for the environment
	Git    string // git's version, such as 2.47
	GitBad string // why git cannot be used; "" when it can
	// DataDir is where mirrors and queue are; Free is how much of its disk is left,
	// and Keeps how much the mirrors may take (git.max_disk), 0 for no bound.
	DataDir string
	DataBad string // why it cannot be used; "" when it can
	Free    int64  // bytes; below 0: not known
	Keeps   int64
	Running *Running // nil: it does not answer here
	Address string   // where it should
}

// Running is what a running promobot says of itself (/readyz, /metrics).
type Running struct {
	Ready   bool
	Says    string        // what is missing
	Oldest  time.Duration // that due work has waited
	Failing int           // repositories whose last run failed
}

const (
	littleDisk = 1 << 30
	noDisk     = 100 << 20
	// longWait is far more than any run takes.
	longWait = 5 * time.Minute
)

// JudgeMachine judges the machine.
func JudgeMachine(m Machine) []Finding {
	r := report{subject: "machine"}
	if m.Config != "" {
		r.well("configuration", "the configuration is valid")
	} else {
		r.well("configuration", "the configuration, from the environment, is valid")
	}
	if m.GitBad != "" {
		r.add(Wrong, "git", "git cannot be used: "+m.GitBad, "install git 2.39 or newer, or name it as git.path", m.Config)
	} else {
		r.well("git", "git %s", m.Git)
	}
	switch {
	case m.DataBad != "":
		r.add(Wrong, "disk", "the data folder cannot be used: "+m.DataBad, "make it writable for promobot, or name another as data_dir", m.DataDir)
	case m.Free < 0:
		r.well("disk", "the data folder can be written to")
	case m.Free < noDisk:
		r.add(Wrong, "disk", fmt.Sprintf("the data folder's disk has %s left", size(m.Free)), "make room there, or name another folder as data_dir", m.DataDir)
	case m.Free < littleDisk:
		r.add(Doubtful, "disk", fmt.Sprintf("the data folder's disk has %s left", size(m.Free)), "make room there, or lower git.max_disk", m.DataDir)
	case m.Keeps > m.Free:
		r.add(Doubtful, "disk", fmt.Sprintf("mirrors may take %s, and the data folder's disk has %s left", size(m.Keeps), size(m.Free)), "lower git.max_disk, or make room", m.DataDir)
	default:
		r.well("disk", "the data folder's disk has %s left", size(m.Free))
	}
	switch {
	case m.Running == nil:
		r.add(Doubtful, "queue", "no promobot answers at "+m.Address+", so its queue was not looked at", "start it with `promobot serve`, or look from the machine on which it runs", "")
	case !m.Running.Ready:
		r.add(Wrong, "queue", "the running promobot is not ready: "+m.Running.Says, "mend what it names", "http://"+m.Address+"/readyz")
	case m.Running.Oldest > longWait:
		r.add(Wrong, "queue", fmt.Sprintf("work has waited for %s", m.Running.Oldest.Round(time.Second)), "look at its log and at promobot_github_quota_remaining; raise `workers` when all are busy", "http://"+m.Address+"/metrics")
	case m.Running.Failing > 0:
		r.add(Doubtful, "queue", "the last run failed for "+repositories(m.Running.Failing), "its log says why", "http://"+m.Address+"/metrics")
	default:
		r.well("queue", "promobot runs, and no work waits")
	}
	return r.all
}

func repositories(n int) string {
	if n == 1 {
		return "1 repository"
	}
	return fmt.Sprintf("%d repositories", n)
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%d MB", n/1e6)
	}
	return fmt.Sprintf("%d KB", n/1e3)
}
